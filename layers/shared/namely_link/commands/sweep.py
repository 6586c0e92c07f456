"""The sweep: finds what is due, hands checks to the queue, and finishes or undoes what was left.

It starts from rows alone, may run beside anything and again at any time: before it undoes, it takes
the attempt over, and whoever held it before can't commit any more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4

from namely_link.domain.account import Actor, Attempt, LedgerEntry, Status, moment, timestamp
from namely_link.domain.problems import ConflictError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from namely_link.domain.account import Account, Deletion, Due, SecretVersion

CHECK_WITHIN: Final = timedelta(minutes=15)
"""After which a check that was handed to the queue and never made is handed over once more."""


_SWEEP: Final = Actor(kind="sweep", name="sweep")


class Registry(Protocol):
    """Where accounts are kept. Every method raises StorageError when AWS fails."""

    def due(self, shard: int, *, now: datetime, limit: int) -> list[Due]:
        """Return accounts at which there is something to do, the longest due first."""

    def account(self, account_id: str) -> Account | None:
        """Read an account, consistently."""

    def snooze(self, account: Account, *, until: datetime) -> None:
        """Look at an account later, unless it has changed."""

    def take(self, account: Account, *, attempt: Attempt, now: datetime) -> bool:
        """Take over from an attempt that is over; False where another was faster."""

    def abandon(self, account: Account, *, attempt_id: str, secret_written: bool) -> None:
        """End an attempt that will not commit."""

    def undo(self, account: Account, *, attempt_id: str) -> None:
        """Remove an account that never was linked; raises ConflictError."""

    def promoted(self, account: Account) -> None:
        """Note that the committed version is current."""

    def settled(self, account: Account) -> None:
        """Note that nothing is left to do."""

    def deletion_scheduled(
        self, account: Account, *, attempt_id: str, deletion: Deletion, entry: LedgerEntry
    ) -> Account:
        """Complete the receipt of an unlinking."""


class Vault(Protocol):
    """Where tokens rest; none of this reads one. Every method raises StorageError."""

    def tidy(self, version: SecretVersion) -> None:
        """Make the committed version the current one, and take the labels of attempts away."""

    def delete(self, name: str, *, recovery_days: int | None) -> datetime | None:
        """Schedule a secret for deletion, or delete it at once; None where it was already."""

    def deletion_date(self, name: str) -> datetime | None:
        """Return until when a scheduled secret can be recovered; None where it is gone."""


class Checks(Protocol):
    """Where checks wait to be made."""

    def put(self, account_id: str) -> None:
        """Ask for a check; raises StorageError."""


@dataclass(frozen=True)
class Swept:
    """What a sweep did, by word, and for how many seconds the oldest had been due before it."""

    done: Counter[str]
    oldest_due: int


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """What a sweep needs."""

    registry: Registry
    vault: Vault
    checks: Checks
    now: Callable[[], datetime]
    recovery_days: int
    shards: int
    per_shard: int = 200

    def sweep(self) -> Swept:
        """Do what is due, and return how often what was done.

        One account's fault stops no other one: it is counted as `faults` and stays due.
        """
        done: Counter[str] = Counter()
        start = self.now()
        oldest = timestamp(start)
        for shard in range(self.shards):
            for due in self.registry.due(shard, now=start, limit=self.per_shard):
                oldest = min(oldest, due.at)
                try:
                    done[self.finish(due.account_id)] += 1
                except (StorageError, ConflictError):
                    done["faults"] += 1
        return Swept(done, int((moment(timestamp(start)) - moment(oldest)).total_seconds()))

    def finish(self, account_id: str) -> str:
        """Do the one thing that an account needs next, and say what.

        Raises:
            ConflictError: it was changed meanwhile; it stays due if there is more to do.
            StorageError: it stays due.
        """
        account, now = self.registry.account(account_id), self.now()
        if account is None:
            return "gone"
        attempt = account.attempt
        if attempt and not attempt.over(now):
            return "running"
        if account.status is Status.PENDING and (not account.parked_until or account.undo_reason):
            return self._undo(account, now)
        if account.status is Status.UNLINKED:
            return self._delete(account, now)
        if attempt:
            self.registry.abandon(account, attempt_id=attempt.id, secret_written=True)
            return "abandoned"
        if account.unpromoted and account.secret:
            self.vault.tidy(account.secret)
            self.registry.promoted(account)
            return "promoted"
        if account.status is Status.SUSPENDED:
            self.registry.settled(account)
            return "settled"
        self.checks.put(account.id)
        self.registry.snooze(account, until=now + CHECK_WITHIN)
        return "queued"

    def _delete(self, account: Account, now: datetime) -> str:
        """Schedule a deletion that an unlinking, or a restoring that failed, has left undone."""
        if account.deletion is None or not (mine := self._taken(account, now)):
            return "running"
        final = self.vault.delete(account.secret_name, recovery_days=self.recovery_days)
        # None where an earlier deletion was not noted: Secrets Manager knows, or it is gone.
        final = final or self.vault.deletion_date(account.secret_name) or now
        self.registry.deletion_scheduled(
            account,
            attempt_id=mine.id,
            deletion=account.deletion.confirmed(at=now, final=final),
            entry=LedgerEntry(
                at=timestamp(now),
                action="deletion_scheduled",
                actor=_SWEEP,
                request_id=account.deletion.request_id,
            ),
        )
        return "deleted"

    def _taken(self, account: Account, now: datetime) -> Attempt | None:
        """Take an account over, so that nobody else touches its secret; None: another was faster.

        Who held it before can't commit any more.
        """
        mine = Attempt(id=str(uuid4()), at=timestamp(now))
        return mine if self.registry.take(account, attempt=mine, now=now) else None

    def _undo(self, account: Account, now: datetime) -> str:
        """Delete the secret of a link that never came about, then its row: never the reverse."""
        if not (mine := self._taken(account, now)):
            return "running"
        self.vault.delete(account.secret_name, recovery_days=None)
        self.registry.undo(account, attempt_id=mine.id)
        return "undone"

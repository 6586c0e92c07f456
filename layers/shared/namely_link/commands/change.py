"""What is done to a linked account other than linking it: rename, suspend, resume, unlink."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import uuid4

from namely_link.domain.account import (
    Attempt,
    Deletion,
    Event,
    LedgerEntry,
    Status,
    new_id,
    timestamp,
)
from namely_link.domain.problems import ConflictError, Problem, Reason, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from namely_link.domain.account import Account, Actor

_RETRY: timedelta = timedelta(minutes=1)


class Registry(Protocol):
    """Where accounts are kept. Every method raises StorageError when AWS fails."""

    def change(
        self,
        account: Account,
        *,
        events: tuple[Event, ...],
        entry: LedgerEntry | None,
        due_at: str | None,
        attempt_id: str = "",
    ) -> Account:
        """Commit a change; raises ConflictError where the account has changed since."""

    def take(self, account: Account, *, attempt: Attempt, now: datetime) -> bool:
        """Start an attempt; False where another was faster."""

    def abandon(self, account: Account, *, attempt_id: str, secret_written: bool) -> None:
        """End an attempt that will not commit, and leave the secret to the sweep."""

    def deletion_scheduled(
        self, account: Account, *, attempt_id: str, deletion: Deletion, entry: LedgerEntry
    ) -> Account:
        """Complete the receipt of an unlinking; returns the account as it stands."""


class Vault(Protocol):
    """Where tokens rest."""

    def delete(self, name: str, *, recovery_days: int | None) -> datetime | None:
        """Schedule a secret for deletion, and return until when it can be recovered.

        Again is fine, and returns None; raises StorageError.
        """

    def restore(self, name: str) -> None:
        """Take a deletion back; raises StorageError."""


@dataclass(frozen=True, kw_only=True)
class Manager:
    """Who asks, for the ledger, and what it needs."""

    registry: Registry
    vault: Vault
    now: Callable[[], datetime]
    recovery_days: int
    actor: Actor
    request_id: str

    def rename(
        self, account: Account, *, label: str | None, metadata: Mapping[str, str] | None
    ) -> Account:
        """Change the label, the metadata or both; None leaves as it is.

        Raises:
            Problem: conflict, where the account is unlinked.
        """
        if account.status is Status.UNLINKED:
            raise Problem(Reason.CONFLICT, detail="The account is unlinked.")
        changed = replace(
            account,
            label=account.label if label is None else label,
            metadata=account.metadata if metadata is None else dict(metadata),
        )
        return self._change(account, changed, "Account Updated", "renamed")

    def set_paused(self, account: Account, to: Literal[Status.SUSPENDED, Status.ACTIVE]) -> Account:
        """Suspend an active account or resume a suspended one; already there is fine.

        Raises:
            Problem: conflict, where the account is in another state.
        """
        if account.status is to:
            return account
        allowed = {Status.ACTIVE, Status.SUSPENDED}
        if account.status not in allowed:
            raise Problem(Reason.CONFLICT, detail=f"The account is {account.status}.")
        action = "suspended" if to is Status.SUSPENDED else "resumed"
        return self._change(account, replace(account, status=to), "Account Updated", action)

    def unlink(self, account: Account) -> Account:
        """Unlink an account and schedule its secret for deletion; already there is fine.

        The row comes first: should the deletion fail, the row still names the secret. Until it is
        confirmed nobody else may touch the secret; what the request can't confirm, the sweep does.
        """
        if account.status is Status.UNLINKED:
            return account
        now, mine = self.now(), self._attempt()
        receipt = Deletion(
            requested_at=timestamp(now),
            requested_by=self.actor.name,
            request_id=self.request_id,
            secret_arn=account.secret.arn if account.secret else "",
        )
        gone = replace(
            account,
            status=Status.UNLINKED,
            status_reasons=(),
            next_check_at="",
            recoverable_until=timestamp(now + timedelta(days=self.recovery_days)),
            deletion=receipt,
            attempt=mine,
        )
        gone = self._change(account, gone, "Account Unlinked", "unlinked")
        with contextlib.suppress(StorageError):  # the row stays due
            if final := self.vault.delete(gone.secret_name, recovery_days=self.recovery_days):
                return self.registry.deletion_scheduled(
                    gone,
                    attempt_id=mine.id,
                    deletion=receipt.confirmed(at=now, final=final),
                    entry=self._entry("deletion_scheduled"),
                )
        return gone

    def restore(self, account: Account) -> Account:
        """Undo an unlinking while the secret can be recovered; an account that is linked is fine.

        The secret comes first: an account that says `active` has one. Should it stay unlinked after
        all, the sweep deletes the secret again.

        Raises:
            Problem: conflict, when it is too late, too early (the deletion is under way) or the
                account was never linked.
            ConflictError: the pair was linked anew.
        """
        if account.status is not Status.UNLINKED:
            return account
        now, mine = self.now(), self._attempt()
        if account.recoverable_until <= timestamp(now):
            raise Problem(Reason.CONFLICT, detail="The secret can't be recovered any more.")
        if not account.linked_at:
            raise Problem(Reason.CONFLICT, detail="The token of this account was never verified.")
        if account.attempt and not account.attempt.over(now):
            raise Problem(Reason.CONFLICT, retry_after=60)
        if not self.registry.take(account, attempt=mine, now=now):
            raise Problem(Reason.CONFLICT, retry_after=2)
        back = replace(
            account,
            status=Status.ACTIVE,
            recoverable_until="",
            deletion=None,
            attempt=None,
            next_check_at=timestamp(now + _RETRY),
        )
        try:
            self.vault.restore(account.secret_name)
            return self._change(account, back, "Account Linked", "restored", attempt_id=mine.id)
        except ConflictError:
            with contextlib.suppress(StorageError):  # the lease ends the attempt as well
                taken = replace(account, attempt=mine)
                self.registry.abandon(taken, attempt_id=mine.id, secret_written=True)
            raise

    def _attempt(self) -> Attempt:
        return Attempt(id=str(uuid4()), at=timestamp(self.now()))

    def _change(
        self, before: Account, after: Account, event: str, action: str, *, attempt_id: str = ""
    ) -> Account:
        now = self.now()
        return self.registry.change(
            after,
            events=(
                Event(
                    type=event,
                    event_id=new_id("evt_"),
                    occurred_at=timestamp(now),
                    previous_status=before.status,
                    correlation_id=self.request_id,
                ),
            ),
            entry=self._entry(action),
            due_at=timestamp(now + _RETRY)
            if after.unpromoted or not after.next_check_at
            else after.next_check_at,
            attempt_id=attempt_id,
        )

    def _entry(self, action: str) -> LedgerEntry:
        return LedgerEntry(
            at=timestamp(self.now()), action=action, actor=self.actor, request_id=self.request_id
        )

"""What is done to a linked account other than linking it: rename, suspend, resume, unlink."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from namely_link.model import Event, LedgerEntry, Status, new_id, timestamp
from namely_link.problems import Problem, Reason, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from namely_link.model import Account, Actor

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
    ) -> Account:
        """Commit a change; raises ConflictError where the account has changed since."""

    def settled(self, account: Account) -> None:
        """Note that nothing is left to do."""


class Vault(Protocol):
    """Where tokens rest."""

    def delete(self, name: str, *, recovery_days: int | None) -> None:
        """Schedule a secret for deletion; again is fine; raises StorageError."""

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
        """Unlink an account and schedule its secret for deletion; again finishes what was left.

        The row comes first: should the deletion fail, the row still names the secret.
        """
        if account.status is not Status.UNLINKED:
            now = self.now()
            gone = replace(
                account,
                status=Status.UNLINKED,
                status_reasons=(),
                next_check_at="",
                recoverable_until=timestamp(now + timedelta(days=self.recovery_days)),
            )
            account = self._change(account, gone, "Account Unlinked", "unlinked")
        with contextlib.suppress(StorageError):  # the row stays due, and asking again finishes it
            self.vault.delete(account.secret_name, recovery_days=self.recovery_days)
            self.registry.settled(account)
        return account

    def restore(self, account: Account) -> Account:
        """Undo an unlinking while the secret can be recovered; an account that is linked is fine.

        The secret comes first: an account that says `active` has one.

        Raises:
            Problem: conflict, when it is too late or the pair was linked anew.
        """
        if account.status is not Status.UNLINKED:
            return account
        now = self.now()
        if account.recoverable_until <= timestamp(now):
            raise Problem(Reason.CONFLICT, detail="The secret can't be recovered any more.")
        self.vault.restore(account.secret_name)
        back = replace(
            account,
            status=Status.ACTIVE,
            recoverable_until="",
            next_check_at=timestamp(now + _RETRY),
        )
        return self._change(account, back, "Account Linked", "restored")

    def _change(self, before: Account, after: Account, event: str, action: str) -> Account:
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
            entry=LedgerEntry(
                at=timestamp(now), action=action, actor=self.actor, request_id=self.request_id
            ),
            due_at=after.next_check_at or timestamp(now + _RETRY),
        )

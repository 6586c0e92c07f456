"""What is done to a linked account other than linking it: rename, suspend, resume, unlink."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from namely_link.domain import lifecycle
from namely_link.domain.account import Status
from namely_link.domain.lifecycle import LEASE
from namely_link.domain.problems import (
    ConflictError,
    Problem,
    Reason,
    SecretMissingError,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from namely_link.commands.ports import Accounts, ChangePorts, Done
    from namely_link.domain.account import Account
    from namely_link.domain.lifecycle import Cause, Change, Names

_TRIES: Final = 3
"""How often a change is tried where others write the row at the same time."""


def rename(account: Account, names: Names, *, cause: Cause, accounts: Accounts) -> Account:
    """Change the label, the metadata or the owner's name; None leaves as it is.

    Raises:
        Problem: conflict, where the account is unlinked or another attempt is at work.
        ConflictError, StorageError.
    """
    renamed, _ = _changed(account, lambda one: lifecycle.renamed(one, names, cause), accounts)
    return renamed


def set_paused(
    account: Account,
    to: Literal[Status.SUSPENDED, Status.ACTIVE],
    *,
    cause: Cause,
    accounts: Accounts,
) -> Account:
    """Suspend an active account or resume a suspended one; already there is fine.

    Raises:
        Problem: conflict, where the account is in another state or another attempt is at work.
        ConflictError, StorageError.
    """
    paused, _ = _changed(account, lambda one: lifecycle.paused(one, to, cause), accounts)
    return paused


def unlink(
    account: Account,
    *,
    cause: Cause,
    ports: ChangePorts,
    asked_at: str = "",
    done: Done | None = None,
) -> Account:
    """Unlink an account and schedule its secret for deletion; already there is fine.

    The row comes first: should the deletion fail, the row still names the secret. Until it is
    confirmed nobody else may touch the secret; what the request can't confirm, the sweep does.

    With `asked_at` (RFC 3339) it is not done over newer work, and with `done` never again.

    Raises:
        Problem: conflict, while another attempt is at work or where the request is stale.
        ConflictError, StorageError.
    """
    recovery = timedelta(days=ports.recovery_days)
    gone, mine = _changed(
        account,
        lambda one: lifecycle.unlinked(one, recovery=recovery, cause=cause, asked_at=asked_at),
        ports.accounts,
        done=done,
    )
    if not mine:
        return gone
    with contextlib.suppress(StorageError, ConflictError):  # the row stays due
        final = ports.vault.delete(gone.secret_name, recovery_days=ports.recovery_days)
        if final:
            return ports.accounts.commit(
                lifecycle.deletion_scheduled(gone, final=final, cause=cause)
            )
    return gone


def restore(account: Account, *, cause: Cause, ports: ChangePorts) -> Account:
    """Undo an unlinking while the secret can be recovered; an account that is linked is fine.

    The secret comes first: an account that says `active` has one. Should it stay unlinked after
    all, the sweep deletes the secret again.

    Raises:
        Problem: conflict, when it is too late, too early (the deletion is under way) or the
            account was never linked; also where somebody has deleted the secret for good.
        ConflictError: the pair was linked anew.
        StorageError.
    """
    if account.status is not Status.UNLINKED:
        return account
    lifecycle.check_restorable(account, cause.now)
    mine = lifecycle.attempt(lease=LEASE, now=cause.now)
    taken = ports.accounts.commit(lifecycle.restoring(account, mine, cause.now))
    try:
        ports.vault.restore(account.secret_name)
        return ports.accounts.commit(lifecycle.restored(taken, cause))
    except (ConflictError, StorageError) as error:
        with contextlib.suppress(StorageError, ConflictError):  # the lease ends it as well
            ports.accounts.commit(lifecycle.let_go(taken, wrote=True, now=cause.now))
        if isinstance(error, SecretMissingError):
            raise Problem(Reason.NOT_RECOVERABLE) from error
        raise


def _changed(
    account: Account,
    transition: Callable[[Account], Change[Account] | None],
    accounts: Accounts,
    *,
    done: Done | None = None,
) -> tuple[Account, bool]:
    """Commit a transition of the account, as it stands then where others write it meanwhile.

    Returns the account, and whether it was this that has changed it: who has not holds nothing.
    """
    for _ in range(_TRIES):
        change = transition(account)
        if change is None:
            return account, False
        try:
            return accounts.commit(change, done=done), True
        except ConflictError:
            found = accounts.read(account.id)
            if found is None:
                raise Problem(Reason.NOT_FOUND) from None
            account = found
    raise Problem(Reason.CONFLICT, retry_after=2)

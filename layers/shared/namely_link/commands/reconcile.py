"""The daily reconciling: compares the secrets that there are with the rows that name them.

It finds what a call has left that took effect long after everybody had given up on it, and what
somebody did by hand. The list of secrets may be minutes old, so a young secret is left alone, as is
one whose account has just changed. What a row says is never changed: the sweep is asked to look.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from namely_link.domain import lifecycle
from namely_link.domain.account import Account, Status, Tombstone
from namely_link.domain.values import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from namely_link.commands.ports import Stored, SweepPorts

YOUNG: Final = timedelta(hours=1)
"""Secrets Manager lists with a delay of minutes, and a link takes seconds."""


@dataclass(kw_only=True)
class Reconciled:
    """How many secrets there are, what was wrong with which, and what failed."""

    secrets: int = 0
    found: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)
    complete: bool = True


def reconcile(ports: SweepPorts) -> Reconciled:
    """Compare every secret with its row; one fault stops no other comparison.

    Raises:
        StorageError: the secrets can't be listed.
    """
    done, end = Reconciled(), ports.now() + timedelta(seconds=ports.reconcile_seconds)
    for secret in ports.vault.stored():
        if ports.now() >= end:
            done.complete = False
            return done
        done.secrets += 1
        try:
            if word := _compare(secret, ports):
                done.found[secret.name] = word
        except Exception as error:  # noqa: BLE001 - a row that nobody foresaw stops no other
            done.faults[secret.name] = error
    return done


def _compare(secret: Stored, ports: SweepPorts) -> str:
    """Return what is wrong with a secret, '' where nothing is, and have it mended."""
    account_id = ports.vault.account_id(secret.name)
    if not account_id or secret.created_at + YOUNG > ports.now():
        return ""
    row = ports.accounts.row(account_id)
    match row:
        case Tombstone():
            ports.vault.delete(secret.name, recovery_days=None)
            return "undone"
        case Account() if secret.name in _named(row):
            return _compare_labels(row, secret.labels, ports)
        case _:
            # With a recovery window: should it be the rows that are wrong, nothing is lost.
            ports.vault.delete(secret.name, recovery_days=ports.recovery_days)
            return "nobody's"


def _named(account: Account) -> Iterator[str]:
    yield account.secret_name
    if account.attempt:
        yield account.attempt.secret_name


def _compare_labels(
    account: Account, labels: Mapping[str, Sequence[str]], ports: SweepPorts
) -> str:
    if account.attempt or account.unsettled or not account.secret or not account.understood:
        return ""  # somebody is at work, or will be
    if account.changed_at > timestamp(ports.now() - YOUNG):
        return ""  # the list may say how it was before
    if account.status is Status.UNLINKED:
        ports.accounts.commit(lifecycle.disturbed(account, ports.now()))
        return "not deleted"
    current = [version for version, names in labels.items() if "AWSCURRENT" in names]
    candidates = {one for names in labels.values() for one in names} - {"AWSCURRENT", "AWSPREVIOUS"}
    if current == [account.secret.version_id] and not candidates:
        return ""
    ports.accounts.commit(lifecycle.disturbed(account, ports.now()))
    return "other labels"

"""The sweep: finds what is due, hands checks to the queue, and finishes or undoes what was left.

It starts from rows alone, may run beside anything and again at any time. It holds a row before it
touches the secret; the secret of a tombstone belongs to nobody, and never will again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from namely_link.domain import lifecycle
from namely_link.domain.account import Account, Parking, Status, Tombstone
from namely_link.domain.lifecycle import SWEEP_LEASE, Cause
from namely_link.domain.problems import ConflictError, Problem, SecretMissingError, StorageError
from namely_link.domain.values import Actor, ActorKind, moment, timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from namely_link.commands.ports import SweepPorts
    from namely_link.domain.account import Attempt

SWEEP: Final = Actor(kind=ActorKind.SWEEP, name="sweep")


@dataclass(kw_only=True)
class Swept:
    """What a sweep did, by word, for how many seconds the oldest had been due, and what failed."""

    done: Counter[str] = field(default_factory=Counter)
    oldest_due: int = 0
    faults: dict[str, Exception] = field(default_factory=dict)


def sweep(ports: SweepPorts) -> Swept:
    """Do what is due; one account's fault stops no other one: it is told, and stays due."""
    swept, start = Swept(), ports.now()
    end = start + timedelta(seconds=ports.seconds)
    for shard in range(ports.shards):
        for due in ports.accounts.due(shard, now=start, limit=ports.per_shard):
            if ports.now() >= end:
                return swept
            swept.oldest_due = max(swept.oldest_due, _seconds_since(due.at, start))
            try:
                swept.done[finish(due.account_id, ports)] += 1
            except (ConflictError, Problem):
                swept.done["busy"] += 1  # whoever was faster knows better
            except Exception as error:  # noqa: BLE001 - a row that nobody foresaw stops no other
                swept.faults[due.account_id] = error
    return swept


def _seconds_since(at: str, now: datetime) -> int:
    return int((now - moment(at)).total_seconds())


def finish(account_id: str, ports: SweepPorts) -> str:
    """Do the one thing that an account needs next, and say what.

    Raises:
        ConflictError, Problem: it was changed meanwhile; it stays due if there is more to do.
        StorageError: it stays due.
        UnreadableError: its row can't be read.
    """
    row, now = ports.accounts.row(account_id), ports.now()
    match row:
        case None:
            return "gone"
        case Tombstone():
            return _bury(row, ports)
        case Account(understood=False):
            return "unknown"  # a status of a later release, which knows what to do
        case Account(attempt=attempt) if attempt and not attempt.over(now):
            return "running"
        case Account(status=Status.PENDING, committed=False):
            return _bury(ports.accounts.commit(lifecycle.undone(row, now)), ports)
        case Account(status=Status.PENDING, parking=None):
            # What a release before this one has rejected and told of.
            return _bury(ports.accounts.commit(lifecycle.undone(row, now)), ports)
        case Account(status=Status.PENDING, parking=Parking(until)) if until <= timestamp(now):
            return _bury(ports.accounts.commit(lifecycle.expired(row, _cause(ports))), ports)
        case Account(status=Status.UNLINKED) if lifecycle.deletion_due(row, now):
            return _delete(row, ports)
        case Account() if row.attempt or lifecycle.settling_due(row, now):
            return _settle(row, ports)
        case Account() if lifecycle.check_due(row, now):
            return _ask_for_check(row, ports)
        case _:
            ports.accounts.commit(lifecycle.refiled(row))
            return "early"


def _ask_for_check(account: Account, ports: SweepPorts) -> str:
    """Hand a check to the queue: first in the row, since a write later would refuse its finding."""
    queued = ports.accounts.commit(lifecycle.queued(account, ports.now()))
    try:
        ports.checks.put(account.id, actor=SWEEP)
    except StorageError:
        ports.accounts.commit(lifecycle.not_queued(queued))
        raise
    return "queued"


def _cause(ports: SweepPorts) -> Cause:
    return Cause(actor=SWEEP, request_id="", now=ports.now())


def _bury(tombstone: Tombstone, ports: SweepPorts) -> str:
    """Delete the secret of a link that never came about: its row is a tombstone by now."""
    ports.vault.delete(tombstone.secret_name, recovery_days=None)
    ports.accounts.commit(lifecycle.buried(tombstone, ports.now()))
    return "undone"


def _take(account: Account, ports: SweepPorts) -> tuple[Account, Attempt]:
    """Hold an account, so that nobody else touches its secret."""
    now = ports.now()
    mine = lifecycle.attempt(lease=SWEEP_LEASE, now=now)
    return ports.accounts.commit(lifecycle.taken(account, mine, now)), mine


def _delete(account: Account, ports: SweepPorts) -> str:
    """Schedule a deletion that an unlinking, or a restoring that failed, has left undone."""
    held, mine = _take(account, ports)
    if not lifecycle.covers(mine, ports.now()):
        return "late"  # its lease ends, and another sweep does it
    final = ports.vault.delete(account.secret_name, recovery_days=ports.recovery_days)
    _delete_strays(held, ports)
    ports.accounts.commit(lifecycle.deletion_found(held, final=final, cause=_cause(ports)))
    return "deleted"


def _settle(account: Account, ports: SweepPorts) -> str:
    """Make the secret what the row says."""
    held, mine = _take(account, ports)
    if not lifecycle.covers(mine, ports.now()):
        return "late"
    try:
        if account.secret:
            ports.vault.settle(account.secret, held=lambda: not mine.over(ports.now()))
    except SecretMissingError:
        pass  # the next check says so
    _delete_strays(held, ports)
    ports.accounts.commit(lifecycle.settled(held, ports.now()))
    return "settled"


def _delete_strays(account: Account, ports: SweepPorts) -> None:
    """Delete what attempts have left beside the secret; such a name is never used again."""
    for name in account.unsettled.strays if account.unsettled else ():
        ports.vault.delete(name, recovery_days=None)

"""The sweep: finds what is due, hands checks to the queue, and finishes or undoes what was left.

It starts from rows alone, may run beside anything and again at any time. It holds a row before it
touches the secret; the secret of a tombstone belongs to nobody, and never will again.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from namely_link.domain import lifecycle
from namely_link.domain.account import Account, Parking, Status, Tombstone
from namely_link.domain.lifecycle import SWEEP_LEASE, SWEEP_TURN, Cause
from namely_link.domain.problems import (
    ConflictError,
    Problem,
    SecretMissingError,
    StorageError,
    UnreadableError,
)
from namely_link.domain.values import Actor, ActorKind, moment, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from namely_link.commands.ports import SweepPorts
    from namely_link.domain.account import Attempt

SWEEP: Final = Actor(kind=ActorKind.SWEEP, name="sweep")

_TOGETHER: Final = 10
"""How many checks the queue takes in one call."""


@dataclass(kw_only=True)
class Swept:
    """What a sweep did, by word, for how many seconds the oldest had been due, and what failed.

    `oldest_due` is None where that could not be found out. Faults are named by account, or by shard
    where it could not be looked at.
    """

    done: Counter[str] = field(default_factory=Counter)
    oldest_due: int | None = None
    faults: dict[str, Exception] = field(default_factory=dict)


def sweep(ports: SweepPorts) -> Swept | None:
    """Do what is due, in all shards at the same time; None while another sweep is at work.

    One account's fault stops no other one: it is told, and stays due.

    Raises:
        StorageError: whether another sweep is at work can't be found out.
    """
    start = ports.now()
    turn = ports.turn.take(now=start, until=start + SWEEP_TURN)
    if not turn:
        return None
    with ports.executor() as pool:
        shards = [pool.submit(_sweep_shard, one, ports, start) for one in range(ports.shards)]
    parts = [one.result() for one in shards]
    with suppress(ConflictError, StorageError):  # then it ends by its time
        ports.turn.give_back(turn, now=ports.now())
    oldest = [one.oldest_due for one in parts if one.oldest_due is not None]
    return Swept(
        done=sum((one.done for one in parts), Counter()),
        oldest_due=max(oldest) if len(oldest) == len(parts) else None,
        faults={name: error for one in parts for name, error in one.faults.items()},
    )


def _sweep_shard(shard: int, ports: SweepPorts, start: datetime) -> Swept:
    """Do what is due in one shard, the longest first, until the sweep's time is over."""
    swept, end = Swept(), start + timedelta(seconds=ports.seconds)
    queued: list[Account] = []
    with _noted(f"shard {shard}", swept):
        due = ports.accounts.due(shard, now=start, limit=ports.per_shard)
        swept.oldest_due = max((_seconds_since(one.at, start) for one in due), default=0)
        rows = ports.accounts.rows([one.account_id for one in due])
        for one in due:
            if ports.now() >= end:
                break
            with _noted(one.account_id, swept):
                match finish(rows.get(one.account_id), ports):
                    case Account() as account:
                        queued.append(account)
                    case done:
                        swept.done[done] += 1
            if len(queued) == _TOGETHER:
                _hand_over(queued, ports, swept)
                queued = []
        _hand_over(queued, ports, swept)
    return swept


@contextmanager
def _noted(name: str, swept: Swept) -> Iterator[None]:
    try:
        yield
    except (ConflictError, Problem):
        swept.done["busy"] += 1  # whoever was faster knows better
    except Exception as error:  # noqa: BLE001 - a row that nobody foresaw stops no other
        swept.faults[name] = error


def _seconds_since(at: str, now: datetime) -> int:
    return int((now - moment(at)).total_seconds())


def finish(row: Account | Tombstone | UnreadableError | None, ports: SweepPorts) -> str | Account:
    """Do the one thing that an account needs next, and say what.

    An account is returned where that is a check: its row says already that one is in the queue,
    since a write after it would refuse what the check finds. It is to be handed over.

    Raises:
        ConflictError, Problem: it was changed meanwhile; it stays due if there is more to do.
        StorageError: it stays due.
        UnreadableError: its row can't be read.
    """
    now = ports.now()
    match row:
        case None:
            return "gone"
        case UnreadableError():
            raise row
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
            return ports.accounts.commit(lifecycle.queued(row, now))
        case _:
            ports.accounts.commit(lifecycle.refiled(row))
            return "early"


def _hand_over(queued: list[Account], ports: SweepPorts, swept: Swept) -> None:
    """Hand checks to the queue; the row of one that it did not take says so, and stays due."""
    if not queued:
        return
    ids = [one.id for one in queued]
    error: Exception = StorageError("SendMessageBatch: not taken")
    try:
        left = set(ports.checks.put_all(ids, actor=SWEEP))
    except StorageError as failed:
        left, error = set(ids), failed
    swept.done["queued"] += len(set(ids) - left)
    for account in queued:
        if account.id in left:
            with _noted(account.id, swept):
                ports.accounts.commit(lifecycle.not_queued(account))
                swept.faults[account.id] = error


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

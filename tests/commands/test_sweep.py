"""The sweep: what is due is queued, finished or undone, and one fault stops no other account."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fakes import GOOD, NEW, START, OneTurn, World
from namely_link.commands.ports import SweepPorts
from namely_link.commands.sweep import SWEEP, Swept, finish, sweep
from namely_link.domain.account import Account, Attempt, Status, Tombstone, Unsettled
from namely_link.domain.lifecycle import (
    LATE,
    LEASE,
    SWEEP_LEASE,
    SWEEP_TURN,
    WORST_CALL,
    Change,
    attempt,
)
from namely_link.domain.problems import ConflictError, Problem, StorageError, UnreadableError
from namely_link.domain.values import Actor, Owner, timestamp


def test_a_sweep_asks_for_what_is_due_and_for_nothing_else(world: World) -> None:
    account = world.linked()
    assert world.sweep() == {}
    world.later(days=1)
    assert world.sweep() == {"queued": 1}
    assert (world.queue.waiting, world.queue.asked) == ([account.id], [(SWEEP, "")])
    assert world.read(account).health.queued_until == timestamp(world.now + timedelta(minutes=15))
    assert world.sweep() == {}
    world.later(minutes=15)
    assert world.sweep() == {"queued": 1}
    assert world.check(account).health.queued_until == ""


def test_a_failed_account_is_due_as_well(world: World) -> None:
    world.rows.put(replace(world.linked(), status=Status.ERROR))
    world.later(days=1)
    assert world.sweep() == {"queued": 1}


def test_a_suspended_account_is_due_once_it_is_resumed(world: World) -> None:
    paused = world.suspend(world.linked())
    world.later(days=3)
    assert world.sweep() == {}
    world.resume(paused)
    assert world.sweep() == {"queued": 1}


def test_a_running_attempt_is_left_alone(world: World) -> None:
    account = world.linked()
    busy = world.rows.put(replace(account, attempt=attempt(lease=LEASE, now=world.now)))
    assert finish(world.read(account), world.sweep_ports) == "running"
    assert world.read(account) == busy


def test_an_account_that_has_gone_meanwhile_is_nothing_to_do(world: World) -> None:
    assert finish(None, world.sweep_ports) == "gone"


def test_what_the_index_lists_too_early_is_filed_anew(world: World) -> None:
    account = world.linked()
    assert finish(world.read(account), world.sweep_ports) == "early"
    filed = world.read(account)
    assert filed == replace(account, fence=account.fence + 1)
    paused = world.suspend(filed)
    assert finish(world.read(paused), world.sweep_ports) == "early"


@pytest.mark.parametrize(
    "left",
    [
        {},
        {"attempt": Attempt(id="a", at=timestamp(START), until=timestamp(START))},
        {"unsettled": Unsettled(timestamp(START), timestamp(START))},
    ],
)
def test_a_status_of_a_later_release_is_left_untouched(world: World, left: dict) -> None:
    account = world.rows.put(replace(world.linked(), status=Status("moving"), **left))
    world.later(days=3)
    assert finish(world.read(account), world.sweep_ports) == "unknown"
    assert world.read(account) == account


# Attempts that died


def test_a_dead_attempt_on_a_linked_account_is_tidied_up_and_looked_for_once_more(
    world: World,
) -> None:
    account = world.linked()
    with (
        world.failing(world.vault, "put_candidate", after=True, error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link(NEW)
    assert len(world.vault.secrets[account.secret_name].versions) == 2
    world.later(seconds=LEASE.seconds)
    settled_at = world.now
    assert world.sweep() == {"settled": 1}
    left = world.read(account)
    assert (left.attempt, left.unsettled.look_at) == (None, timestamp(settled_at + LATE))
    assert list(world.vault.secrets[account.secret_name].versions.values()) == [GOOD]
    world.now = settled_at + LATE
    assert world.sweep() == {"settled": 1}
    assert world.read(account) == replace(account, fence=world.read(account).fence)


def test_a_dead_first_attempt_is_undone_with_its_secret(world: World) -> None:
    with (
        world.meanwhile(world.rows, "commit", die, nth=2),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    assert len(world.vault.secrets) == 1
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"undone": 1}
    assert (world.vault.secrets, world.rows.pairs) == ({}, {})
    (left,) = world.rows.items.values()
    assert isinstance(left, Tombstone)
    assert left.look_at == timestamp(world.now + LATE)
    assert world.sweep() == {}
    world.later(seconds=LATE.seconds)
    assert world.sweep() == {"undone": 1}
    assert world.rows.items[left.id].look_at == ""
    assert world.events() == []


def die() -> None:
    raise KeyboardInterrupt


def test_a_tombstone_is_left_alone_while_its_secret_cannot_be_deleted(world: World) -> None:
    with (
        world.meanwhile(world.rows, "commit", die, nth=2),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    world.later(minutes=1)
    with world.failing(world.vault, "delete"):
        assert [type(one) for one in world.swept().faults.values()] == [StorageError]
    assert world.sweep() == {"undone": 1}
    world.rest()
    assert world.vault.secrets == {}


# Parked links


def test_a_parked_link_ends_with_its_time_and_that_is_told(world: World) -> None:
    parked = world.parked()
    world.later(hours=24)
    assert world.sweep() == {"undone": 1}
    told = world.rows.told[-1].event
    assert (told.type, told.data["reason"]) == ("Link Rejected", "park_expired")
    assert told.previous_status == "pending"
    assert world.actions(parked) == ["parked", "rejected"]
    assert world.rows.entries[parked.id][-1].actor == SWEEP
    world.rest()
    assert world.vault.secrets == {}


def test_a_parked_link_ends_in_time_though_a_check_waits_in_the_queue(world: World) -> None:
    world.park_for = timedelta(minutes=10)
    world.parked()
    world.later(minutes=5)
    assert world.sweep() == {"queued": 1}
    world.later(minutes=5)
    assert world.sweep() == {"undone": 1}


def test_a_parked_link_that_is_taken_over_at_the_end_is_not_undone(world: World) -> None:
    parked = world.parked()
    world.later(hours=24)
    with world.meanwhile(world.rows, "commit", lambda: world.linked(NEW)):
        assert world.sweep() == {"busy": 1}
    assert world.token(world.read(parked)) == NEW
    world.rest()


def test_what_an_earlier_release_has_rejected_is_undone_and_not_told_again(world: World) -> None:
    parked = world.parked()
    world.rows.put(replace(parked, parking=None))
    assert world.sweep() == {"undone": 1}
    assert world.events() == ["Link Parked"]
    world.rest()


# Leases


def test_story_b_the_sweep_makes_no_call_that_could_outlast_its_lease(world: World) -> None:
    """Its row was written so slowly that its lease is nearly over when it goes on."""
    gone = world.unlink(world.linked())
    unsure = replace(gone, deletion=replace(gone.deletion, final_at=""))
    linked = world.linked(NEW)
    other = replace(linked, unsettled=Unsettled(timestamp(START), timestamp(START)))
    world.rows.put(unsure)
    world.rows.put(other)
    real = world.rows.commit

    def slowly(*args: object, **options: object) -> object:
        done = real(*args, **options)
        world.later(seconds=SWEEP_LEASE.seconds - WORST_CALL.seconds + 1)
        return done

    world.rows.commit = slowly
    with (
        world.failing(world.vault, "delete", error=AssertionError),
        world.failing(world.vault, "settle", error=AssertionError),
    ):
        assert world.sweep() == {"late": 2}
    del world.rows.commit
    world.later(seconds=SWEEP_LEASE.seconds)
    assert world.sweep() == {"deleted": 1, "settled": 1}
    world.rest()


def test_story_c_what_a_link_marks_while_the_sweep_works_stays_marked(world: World) -> None:
    """The sweep froze past its lease; a link came, whose version is not current yet."""
    account = world.linked()
    world.rows.put(replace(account, unsettled=Unsettled(timestamp(START), timestamp(START))))

    def relink() -> None:
        world.later(seconds=SWEEP_LEASE.seconds)
        world.linked(NEW)

    with world.meanwhile(world.vault, "settle", relink):
        assert list(world.swept().faults) == [account.id]
    again = world.read(account)
    assert again.unsettled is not None
    assert world.token(again) == NEW
    world.rest()
    assert world.current(again) == again.secret.version_id


def test_who_is_slower_undoes_nothing(world: World) -> None:
    with (
        world.meanwhile(world.rows, "commit", die, nth=2),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    world.later(seconds=LEASE.seconds)
    with world.meanwhile(world.rows, "commit", lambda: sweep(another(world))):
        assert world.sweep() == {"busy": 1}
    world.rest()


def another(world: World) -> SweepPorts:
    """A sweep whose turn it is as well, since the first one froze past its own."""
    return replace(world.sweep_ports, turn=OneTurn())


@pytest.mark.parametrize("gone", [False, True])
def test_a_version_that_is_gone_is_left_to_the_next_check(world: World, gone: bool) -> None:
    account = world.linked()
    if gone:
        world.vault.delete(account.secret_name, recovery_days=None)
    else:
        account = replace(account, secret=None)
    world.rows.put(replace(account, unsettled=Unsettled(timestamp(START), timestamp(START))))
    assert world.sweep() == {"settled": 1}
    assert world.read(account).unsettled is None


def test_an_unlinked_account_without_a_receipt_is_not_deleted(world: World) -> None:
    gone = world.rows.put(replace(world.linked(), status=Status.UNLINKED))
    assert finish(gone, world.sweep_ports) == "early"
    assert world.vault.secrets[gone.secret_name].deleted_from is None


# Faults


@pytest.mark.parametrize("error", [StorageError, RuntimeError])
def test_one_account_that_fails_stops_no_other_one(world: World, error: type[Exception]) -> None:
    bad = world.linked()
    fine = [world.linked(owner=Owner(f"o{number}", "x")) for number in range(2, 5)]
    world.later(days=1)
    real = world.rows.commit

    def commit(change: Change[Account]) -> Account:
        if change.before and change.before.id == bad.id:
            raise error("why")
        return real(change)

    world.rows.commit = commit
    swept = world.swept()
    assert swept.done == {"queued": 3}
    assert {key: type(one) for key, one in swept.faults.items()} == {bad.id: error}
    assert sorted(world.queue.waiting) == sorted(one.id for one in fine)


def test_a_row_that_cannot_be_read_stops_no_other_one(world: World) -> None:
    bad, _ = world.linked(), world.linked(owner=Owner("o2", "x"))
    world.later(days=1)
    real = world.rows.row

    def row(account_id: str) -> Account | Tombstone | None:
        if account_id == bad.id:
            raise UnreadableError("why")
        return real(account_id)

    world.rows.row = row
    swept = world.swept()
    assert swept.done == {"queued": 1}
    assert {key: type(one) for key, one in swept.faults.items()} == {bad.id: UnreadableError}


@pytest.mark.parametrize("method", ["due", "rows"])
def test_a_shard_that_cannot_be_looked_at_stops_no_other_one(world: World, method: str) -> None:
    for number in range(8):
        world.linked(owner=Owner(f"o{number}", "x"))
    world.later(days=1)
    real, calls = getattr(world.rows, method), []

    def fail_first(*args: object, **options: object) -> object:
        calls.append(args)
        if len(calls) == 1:
            raise StorageError("why")
        return real(*args, **options)

    setattr(world.rows, method, fail_first)
    swept = world.swept()
    assert {key: type(one) for key, one in swept.faults.items()} == {"shard 0": StorageError}
    assert 0 < swept.done["queued"] < 8
    assert swept.oldest_due == (None if method == "due" else 0)


# One at a time


def test_a_sweep_does_nothing_while_another_one_is_at_work(world: World) -> None:
    world.linked()
    world.later(days=1)
    also: list[Swept | None] = []
    with world.meanwhile(world.rows, "rows", lambda: also.append(sweep(world.sweep_ports))):
        assert world.sweep() == {"queued": 1}
    assert also == [None]


def test_a_sweep_that_has_ended_stops_no_other_one(world: World) -> None:
    world.sweep()
    assert world.sweep() == {}


def test_a_sweep_that_died_stops_no_other_one_for_longer_than_its_turn(world: World) -> None:
    world.linked()
    world.later(days=1)
    with world.meanwhile(world.rows, "rows", die), pytest.raises(KeyboardInterrupt):
        world.sweep()
    world.later(seconds=SWEEP_TURN.seconds - 1)
    assert sweep(world.sweep_ports) is None
    world.later(seconds=1)
    assert world.sweep() == {"queued": 1}


@pytest.mark.parametrize("error", [StorageError, ConflictError])
def test_a_turn_that_cannot_be_given_back_ends_by_its_time(
    world: World, error: type[Exception]
) -> None:
    with world.failing(world.turn, "give_back", error=error):
        assert world.sweep() == {}
    assert sweep(world.sweep_ports) is None
    world.later(seconds=SWEEP_TURN.seconds)
    assert world.sweep() == {}


# What the queue does not take


def test_checks_are_handed_over_ten_at_a_time(world: World) -> None:
    for number in range(25):
        world.linked(owner=Owner(f"o{number}", "x"))
    world.later(days=1)
    real, together = world.queue.put_all, []

    def put_all(account_ids: list[str], *, actor: Actor) -> object:
        together.append(len(account_ids))
        return real(account_ids, actor=actor)

    world.queue.put_all = put_all
    assert sweep(replace(world.sweep_ports, shards=2)).done == {"queued": 25}
    assert (sum(together), max(together), len(together) <= 4) == (25, 10, True)


def test_a_check_that_the_queue_refuses_stays_due_and_the_others_are_made(world: World) -> None:
    bad, fine = world.linked(), world.linked(owner=Owner("o2", "x"))
    world.later(days=1)
    world.queue.refused = {bad.id}
    swept = world.swept()
    assert (swept.done, list(swept.faults)) == ({"queued": 1}, [bad.id])
    assert world.queue.waiting == [fine.id]
    assert (world.read(bad).health.queued_until, world.read(fine).health.queued_until != "") == (
        "",
        True,
    )
    world.queue.refused = set()
    assert world.sweep() == {"queued": 1}


def test_a_check_that_the_queue_refuses_and_somebody_makes_is_left_alone(world: World) -> None:
    account = world.linked()
    world.later(days=1)
    world.queue.refused = {account.id}
    with world.meanwhile(world.rows, "commit", lambda: world.check(account), nth=2):
        assert world.sweep() == {"busy": 1}
    assert world.read(account).health.checked_at == timestamp(world.now)


@pytest.mark.parametrize("error", [ConflictError, None])
def test_whoever_is_faster_knows_better(world: World, error: type[Exception] | None) -> None:
    account = world.linked()
    world.later(days=1)

    def busy(*_args: object, **_options: object) -> None:
        if error:
            raise error
        from namely_link.domain.problems import Reason

        raise Problem(Reason.CONFLICT)

    world.rows.commit = busy
    assert world.sweep() == {"busy": 1}
    assert world.read(account).health.queued_until == ""


def test_what_stays_due_grows_older(world: World) -> None:
    world.linked()
    world.later(days=1)
    with world.failing(world.queue, "put_all"):
        for minutes in range(3):
            swept = world.swept()
            assert (swept.done, len(swept.faults), swept.oldest_due) == ({}, 1, minutes * 60)
            world.later(minutes=1)


def test_a_sweep_tells_for_how_long_the_oldest_was_due(world: World) -> None:
    assert world.swept().oldest_due == 0
    world.linked()
    world.later(days=1, seconds=30)
    world.linked(owner=Owner("o2", "x"))
    assert world.swept().oldest_due == 30
    assert world.swept().oldest_due == 0


def test_a_sweep_ends_by_itself_and_hands_over_what_it_has(world: World) -> None:
    for number in range(3):
        world.linked(owner=Owner(f"o{number}", "x"))
    world.later(days=1)
    real = world.rows.commit

    def slowly(*args: object, **options: object) -> object:
        world.later(seconds=world.sweep_ports.seconds / 2)
        return real(*args, **options)

    world.rows.commit = slowly
    assert sweep(replace(world.sweep_ports, shards=2)).done == {"queued": 2}
    assert len(world.queue.waiting) == 2
    world.later(seconds=SWEEP_TURN.seconds)
    assert world.sweep() == {"queued": 1}


def test_a_sweep_does_so_much_at_a_time(world: World) -> None:
    for number in range(5):
        world.linked(owner=Owner(f"o{number}", "x"))
    world.later(days=1)
    done = [sweep(replace(world.sweep_ports, per_shard=1)).done.total() for _ in range(6)]
    assert max(done) <= 2
    assert sum(done) == 5


def test_a_sweep_looks_at_as_many_rows_as_are_due(world: World) -> None:
    for number in range(5):
        world.linked(owner=Owner(f"o{number}", "x"))
    asked: list[object] = []
    world.rows.rows = lambda ids: asked.extend(ids) or {}
    assert world.sweep() == {}
    assert asked == []


def test_a_check_that_starts_while_it_is_being_queued_is_not_made_in_vain(world: World) -> None:
    account = world.linked()
    world.later(days=1)
    put_all, seen = world.queue.put_all, []

    def at_once(account_ids: list[str], *, actor: Actor) -> object:
        seen.append(world.read(account).fence)
        return put_all(account_ids, actor=actor)

    world.queue.put_all = at_once
    world.sweep()
    assert seen == [world.read(account).fence]

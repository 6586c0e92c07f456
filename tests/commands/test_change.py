"""Changes: rename, suspend, resume, unlink, restore."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fakes import BACKEND, GOOD, NEW, START, WRONG, World
from namely_link.domain.account import Account, Deletion, Status
from namely_link.domain.lifecycle import LEASE, attempt
from namely_link.domain.problems import Code, ConflictError, Problem, Reason, StorageError
from namely_link.domain.values import Owner, timestamp


def held(world: World, account: Account) -> Account:
    """Return the account as a request holds it that has just begun."""
    return world.rows.put(replace(account, attempt=attempt(lease=LEASE, now=world.now)))


def test_renaming_changes_what_is_given_only(world: World) -> None:
    account = world.linked()
    world.later(minutes=1)
    labelled = world.rename(account, label="x")
    both = world.rename(labelled, metadata={"a": "b"})
    assert (both.label, both.metadata, both.revision) == ("x", {"a": "b"}, account.revision + 2)
    assert both.changed_at == timestamp(world.now)
    assert world.events(both) == ["Account Linked", "Account Updated", "Account Updated"]
    assert world.actions(both) == ["linked", "renamed", "renamed"]
    assert world.rename(both, label="", metadata={}).label == ""
    assert world.rename(both, owner_name="New Ltd").owner == Owner(both.owner.id, "New Ltd")


def test_suspending_and_resuming(world: World) -> None:
    account = world.linked()
    paused = world.suspend(account)
    assert (paused.status, world.suspend(paused)) == (Status.SUSPENDED, paused)
    world.later(hours=1)
    resumed = world.resume(paused)
    assert (resumed.status, world.resume(resumed)) == (Status.ACTIVE, resumed)
    assert resumed.health.next_check_at == timestamp(world.now + timedelta(minutes=1))
    assert resumed.changed_at == timestamp(world.now)
    assert world.actions(resumed) == ["linked", "suspended", "resumed"]
    assert world.events(resumed)[1:] == ["Account Updated"] * 2
    assert [one.event.previous_status for one in world.rows.told] == [
        "pending",
        "active",
        "suspended",
    ]


def test_a_check_that_was_queued_before_an_account_was_paused_is_not_waited_for(
    world: World,
) -> None:
    account = world.linked()
    world.later(days=1)
    world.sweep()
    paused = world.suspend(world.read(account))
    world.check(paused)
    world.later(minutes=2)
    world.resume(paused)
    world.later(minutes=1)
    assert world.sweep() == {"queued": 1}


def test_an_account_that_is_due_before_long_is_so_after_it_was_paused(world: World) -> None:
    paused = world.suspend(world.linked())
    world.later(hours=23, minutes=59, seconds=30)
    assert world.resume(paused).health.next_check_at == timestamp(START + timedelta(days=1))


@pytest.mark.parametrize("status", [Status.PENDING, Status.ERROR, Status.UNLINKED, Status("new")])
def test_only_what_is_active_can_be_suspended_and_what_is_suspended_resumed(
    world: World, status: Status
) -> None:
    account = world.rows.put(replace(world.linked(), status=status))
    for change in (world.suspend, world.resume):
        with pytest.raises(Problem) as caught:
            change(account)
        assert (caught.value.reason, caught.value.transient) == (Reason.WRONG_STATUS, False)


@pytest.mark.parametrize("action", ["rename", "suspend", "unlink"])
def test_while_another_attempt_may_still_write_nothing_is_changed(
    world: World, action: str
) -> None:
    account = held(world, world.linked())
    world.later(seconds=3)
    with pytest.raises(Problem) as caught:
        getattr(world, action)(account)
    assert caught.value.reason is Reason.CONFLICT
    assert caught.value.retry_after == LEASE.seconds - 3  # what is left of its lease
    assert world.read(account) == account
    world.later(seconds=caught.value.retry_after)
    assert getattr(world, action)(account).attempt is None


@pytest.mark.parametrize("action", ["rename", "unlink"])
def test_what_was_never_committed_is_not_changed(world: World, action: str) -> None:
    with (
        world.failing(world.vault, "create", error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    (account,) = world.rows.items.values()
    for wait in (LEASE.seconds, 60):
        with pytest.raises(Problem) as caught:
            getattr(world, action)(account)
        assert (caught.value.reason, caught.value.retry_after) == (Reason.CONFLICT, wait)
        world.later(seconds=wait)
    world.sweep()
    assert world.rows.read(account.id) is None


@pytest.mark.parametrize("status", [Status.UNLINKED, Status("moving")])
def test_what_is_unlinked_or_in_a_status_of_a_later_release_is_not_renamed(
    world: World, status: Status
) -> None:
    account = world.rows.put(replace(world.linked(), status=status))
    with pytest.raises(Problem) as caught:
        world.rename(account, label="x")
    assert caught.value.reason is Reason.WRONG_STATUS


@pytest.mark.parametrize("action", ["rename", "suspend"])
def test_story_a_a_change_beside_a_link_that_is_refused_brings_no_dead_attempt_back(
    world: World, action: str
) -> None:
    """It has read the row while the link held it, and writes after that has let go."""
    account = world.linked()
    seen = []
    with world.meanwhile(world.namely, "get", lambda: seen.append(world.read(account)), nth=3):
        world.problem(WRONG)
    assert world.read(account).attempt is None
    world.later(seconds=LEASE.seconds)
    changed = getattr(world, action)(seen[0])
    assert (changed.attempt, world.read(account)) == (None, changed)
    gone = world.unlink(changed)
    assert (gone.status, gone.deletion.final_at != "") == (Status.UNLINKED, True)
    world.rest()


def test_story_a_a_change_that_was_read_before_the_link_meets_it_as_it_is(world: World) -> None:
    account = world.linked()
    world.linked(NEW)
    renamed = world.rename(account, label="x")
    assert (renamed.label, world.token(renamed)) == ("x", NEW)


def test_a_change_of_what_has_gone_meanwhile_finds_nothing(world: World) -> None:
    account = world.linked()
    del world.rows.items[account.id]
    with pytest.raises(Problem) as caught:
        world.rename(account, label="x")
    assert caught.value.reason is Reason.NOT_FOUND


def test_a_row_that_too_many_write_is_a_conflict(world: World) -> None:
    account = world.linked()
    with (
        world.failing(world.rows, "commit", error=ConflictError),
        pytest.raises(Problem) as caught,
    ):
        world.rename(account, label="x")
    assert (caught.value.reason, caught.value.transient) == (Reason.CONFLICT, True)


# Unlinking


def receipts(world: World, account: Account) -> list[tuple[str, str, str]]:
    """Return who did what for which request, newest first."""
    entries = reversed(world.rows.entries[account.id])
    return [(one.action, one.actor.name, one.request_id) for one in entries]


def test_unlinking_leaves_a_receipt(world: World) -> None:
    account = world.linked()
    gone = world.unlink(account)
    assert world.read(gone) == gone
    assert gone.deletion == Deletion(
        requested_at=timestamp(START),
        requested_by="backend",
        request_id="r3",
        secret_arn=account.secret.arn,
        scheduled_at=timestamp(START),
        final_at=timestamp(START + timedelta(days=7)),
        recoverable_until=timestamp(START + timedelta(days=7)),
    )
    assert receipts(world, account) == [
        ("deletion_scheduled", "backend", "r3"),
        ("unlinked", "backend", "r3"),
        ("linked", "backend", "r1"),
    ]
    assert world.vault.secrets[gone.secret_name].deleted_from
    assert (gone.attempt, gone.unsettled, gone.health.next_check_at) == (None, None, "")
    world.later(minutes=1)
    assert world.sweep() == {}


def test_an_unlinked_account_makes_room_for_another_one(world: World) -> None:
    gone = world.unlink(world.linked())
    assert world.rows.unlinked_at("o1", "acme") == timestamp(START)
    anew = world.link()
    assert (anew.account.id != gone.id, anew.again) == (True, False)


def test_the_event_of_an_unlinking_has_the_receipt_as_it_was_then(world: World) -> None:
    world.unlink(world.linked())
    told = world.rows.told[-1]
    assert (told.event.type, told.event.previous_status) == ("Account Unlinked", "active")
    assert (told.row.deletion.request_id, told.row.deletion.scheduled_at) == ("r3", "")


def test_asking_twice_for_an_unlinking_leaves_one_receipt(world: World) -> None:
    account = world.linked()
    gone = world.unlink(account)
    world.later(minutes=1)
    for known in (world.read(gone), account):
        assert world.unlink(known, request_id="r4") == gone
    assert world.actions(gone) == ["linked", "unlinked", "deletion_scheduled"]
    assert world.events(gone) == ["Account Linked", "Account Unlinked"]


def test_a_parked_link_and_a_failed_account_can_be_unlinked(world: World) -> None:
    gone = world.unlink(world.parked())
    assert (gone.status, gone.parking) == (Status.UNLINKED, None)
    failed = world.rows.put(replace(world.linked(), status=Status.ERROR))
    assert world.unlink(failed).health.reasons == ()
    world.rest()


def test_an_account_without_a_secret_can_be_unlinked(world: World) -> None:
    account = world.rows.put(replace(world.linked(), secret=None))
    assert world.unlink(account).deletion.secret_arn == ""


@pytest.mark.parametrize("after", [False, True])
def test_a_deletion_that_fails_is_left_to_the_sweep(world: World, after: bool) -> None:
    account = world.linked()
    with world.failing(world.vault, "delete", after=after):
        gone = world.unlink(account)
        world.later(minutes=1)
        assert list(world.swept().faults) == [account.id]
    assert (gone.status, gone.deletion.final_at) == (Status.UNLINKED, "")
    world.later(minutes=1)
    assert world.sweep() == {"deleted": 1}
    assert receipts(world, account)[0] == ("deletion_scheduled", "sweep", "")
    assert world.vault.secrets[account.secret_name].deleted_from
    world.rest()


@pytest.mark.parametrize("gone", [False, True])
def test_a_deletion_that_was_not_noted_is_confirmed_by_the_sweep(world: World, gone: bool) -> None:
    """The request died between Secrets Manager and the row; or the secret went another way."""
    account = world.linked()

    def die() -> None:
        raise KeyboardInterrupt

    with (
        world.meanwhile(world.rows, "commit", die, nth=2),
        pytest.raises(KeyboardInterrupt),
    ):
        world.unlink(account)
    date = world.vault.secrets[account.secret_name].deleted_from
    if gone:
        del world.vault.secrets[account.secret_name]
    world.later(minutes=1)
    assert world.sweep() == {"deleted": 1}
    receipt = world.read(account).deletion
    assert receipt.final_at == timestamp(world.now if gone else date)
    world.rest()
    assert world.read(account).deletion == receipt
    assert world.actions(account).count("deletion_scheduled") == 1


def test_a_secret_that_is_not_there_is_made_sure_of_by_the_sweep(world: World) -> None:
    account = world.linked()
    world.vault.delete(account.secret_name, recovery_days=None)
    assert world.unlink(account).deletion.final_at == ""
    world.later(minutes=1)
    assert world.sweep() == {"deleted": 1}
    assert world.read(account).deletion.final_at == timestamp(world.now)
    world.rest()


def test_who_finds_an_account_unlinked_by_another_touches_nothing_of_its(world: World) -> None:
    """Of two that unlink at once one holds the row, and deletes the secret."""
    account = world.linked()
    deletions = []

    def other() -> None:
        with world.failing(world.vault, "delete"):
            world.unlink(account, request_id="r4")

    with (
        world.meanwhile(world.rows, "commit", other),
        world.meanwhile(world.vault, "delete", lambda: deletions.append(1)),
    ):
        gone = world.unlink(account)
    assert (gone.deletion.request_id, deletions) == ("r4", [])
    world.later(minutes=1)
    assert world.sweep() == {"deleted": 1}
    world.rest()


def test_what_an_unlinking_does_not_know_of_is_looked_at_once_more(world: World) -> None:
    """A link died here a moment ago: its candidate may still come."""
    account = world.linked()
    with (
        world.failing(world.vault, "put_candidate", error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link(NEW)
    world.later(seconds=LEASE.seconds)
    gone = world.unlink(account)
    assert (gone.deletion.final_at != "", gone.unsettled is not None) == (True, True)
    assert world.sweep() == {"deleted": 1}
    world.rest()
    assert world.actions(account).count("deletion_scheduled") == 1


# Restoring


def test_an_unlinked_account_can_be_restored_with_its_token(world: World) -> None:
    account = world.linked()
    back = world.restore(world.unlink(account))
    assert (back.status, world.token(back), back.deletion) == (Status.ACTIVE, GOOD, None)
    assert (back.attempt, back.changed_at) == (None, timestamp(world.now))
    assert world.events(back)[-1] == "Account Linked"
    assert world.actions(back)[-1] == "restored"
    assert world.rows.told[-1].event.previous_status == "unlinked"
    assert world.restore(back) == back
    world.rest()
    assert world.unlink(world.read(back)).deletion
    assert world.actions(back).count("deletion_scheduled") == 2


def test_a_restored_account_is_checked_soon(world: World) -> None:
    back = world.restore(world.unlink(world.linked()))
    assert back.health.next_check_at == timestamp(world.now + timedelta(minutes=1))


def test_a_pair_that_was_linked_anew_is_not_restored(world: World) -> None:
    gone = world.unlink(world.linked())
    anew = world.linked(NEW)
    with pytest.raises(ConflictError):
        world.restore(gone)
    assert world.vault.secrets[gone.secret_name].deleted_from is None
    assert world.sweep() == {"deleted": 1}
    assert world.vault.secrets[gone.secret_name].deleted_from
    assert world.read(anew) == anew
    world.rest()


def test_it_can_be_too_late_to_restore(world: World) -> None:
    gone = world.unlink(world.linked())
    world.later(days=7)
    with pytest.raises(Problem) as caught:
        world.restore(gone)
    assert (caught.value.reason, caught.value.code) == (Reason.NOT_RECOVERABLE, Code.CONFLICT)


def test_a_secret_that_somebody_has_deleted_for_good_is_not_restored(world: World) -> None:
    gone = world.unlink(world.linked())
    world.vault.delete(gone.secret_name, recovery_days=None)
    with pytest.raises(Problem) as caught:
        world.restore(gone)
    assert caught.value.reason is Reason.NOT_RECOVERABLE
    left = world.read(gone)
    assert (left.status, left.attempt) == (Status.UNLINKED, None)
    world.rest()


def test_an_account_without_a_receipt_of_its_deletion_is_not_restored(world: World) -> None:
    gone = world.rows.put(replace(world.unlink(world.linked()), deletion=None))
    with pytest.raises(Problem) as caught:
        world.restore(gone)
    assert caught.value.reason is Reason.NOT_RECOVERABLE


def test_a_token_that_was_never_verified_is_not_restored(world: World) -> None:
    gone = world.unlink(world.parked())
    with pytest.raises(Problem) as caught:
        world.restore(gone)
    assert caught.value.reason is Reason.NEVER_VERIFIED


@pytest.mark.parametrize("method", ["restore", "delete"])
def test_whoever_is_at_work_on_a_secret_is_alone(world: World, method: str) -> None:
    """Otherwise a late deletion could meet an account that is active again."""
    account = world.linked()

    def die(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with world.failing(world.vault, method, error=KeyboardInterrupt):
        gone = account
        if method == "restore":
            gone = world.unlink(account)
        with pytest.raises(KeyboardInterrupt):
            (world.restore if method == "restore" else world.unlink)(gone)
    busy = world.read(account)
    with pytest.raises(Problem) as caught:
        world.restore(busy)
    assert caught.value.reason is Reason.CONFLICT
    assert world.unlink(busy) == busy
    world.later(seconds=LEASE.seconds)
    assert world.restore(world.read(account)).status is Status.ACTIVE
    world.rest()


@pytest.mark.parametrize("after", [False, True])
def test_a_restoring_that_fails_leaves_the_deletion_to_the_sweep(world: World, after: bool) -> None:
    gone = world.unlink(world.linked())
    with world.failing(world.vault, "restore", after=after), pytest.raises(StorageError):
        world.restore(gone)
    assert world.read(gone).attempt is None
    assert world.sweep() == {"deleted": 1}
    assert world.vault.secrets[gone.secret_name].deleted_from
    world.rest()


def test_a_deletion_again_on_another_day_is_noted(world: World) -> None:
    gone = world.unlink(world.linked())
    world.later(hours=1)
    with (
        world.meanwhile(world.rows, "commit", lambda: fail(), nth=2),
        pytest.raises(StorageError),
    ):
        world.restore(gone)
    assert world.sweep() == {"deleted": 1}
    assert world.read(gone).deletion.final_at == timestamp(world.now + timedelta(days=7))
    assert receipts(world, gone)[0] == ("deletion_scheduled", "sweep", "")


def fail() -> None:
    raise StorageError


def test_of_two_restorings_one_is_faster(world: World) -> None:
    gone = world.unlink(world.linked())
    world.restore(gone)
    with pytest.raises(ConflictError):
        world.restore(gone)


def test_a_late_deletion_of_a_restored_account_is_taken_back(world: World) -> None:
    account = world.linked()
    with world.failing(world.vault, "delete"):
        gone = world.unlink(account)
    world.later(seconds=LEASE.seconds)
    back = world.restore(gone)
    world.later(minutes=3)
    world.sweep()
    world.vault.delete(account.secret_name, recovery_days=7)  # it froze on its way
    world.rest()
    assert world.token(back) == GOOD


def test_a_restoring_is_done_by_who_asked_for_it(world: World) -> None:
    back = world.restore(world.unlink(world.linked()))
    assert world.rows.entries[back.id][-1].actor == BACKEND

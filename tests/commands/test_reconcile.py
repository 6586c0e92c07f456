"""The daily reconciling: every secret has a row that names it, and labels that it says."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fakes import CANDIDATE, NEW, PREFIX, World
from namely_link.commands.reconcile import reconcile
from namely_link.domain.account import Account, Status, Tombstone, Unsettled
from namely_link.domain.credentials import parse_credential
from namely_link.domain.lifecycle import LATE, LEASE, attempt
from namely_link.domain.problems import StorageError, UnreadableError
from namely_link.domain.values import Owner, new_id, timestamp


def stray(world: World, name: str, version: str = "late") -> str:
    """A token that nobody expects any more."""
    credential = parse_credential("acme", "s" * 64)
    world.vault.create(name=name, credential=credential, attempt_id=version, tags={})
    return name


def found(world: World) -> dict[str, str]:
    done = world.reconcile()
    assert (done.faults, done.complete) == ({}, True)
    return done.found


def test_what_is_as_the_rows_say_is_left_alone(world: World) -> None:
    world.linked()
    world.linked(NEW)
    world.unlink(world.linked(owner=Owner("o2", "x")))
    world.later(hours=2)
    writes = world.rows.writes
    done = world.reconcile()
    assert (done.secrets, done.found, world.rows.writes) == (1, {}, writes)


def test_story_e_a_token_that_came_after_everybody_had_given_up_is_found(world: World) -> None:
    with (
        world.failing(world.vault, "create", error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    world.rest()
    (left,) = world.rows.items.values()
    assert isinstance(left, Tombstone)
    name = stray(world, left.secret_name)
    world.later(hours=2)
    assert found(world) == {name: "undone"}
    assert world.vault.secrets == {}


def test_story_e_a_candidate_that_came_after_everybody_had_given_up_is_found(
    world: World,
) -> None:
    account = world.linked()
    world.vault.put_candidate(
        name=account.secret_name, credential=parse_credential("acme", NEW), attempt_id="late"
    )
    world.later(hours=2)
    assert found(world) == {account.secret_name: "other labels"}
    assert CANDIDATE + "late" in world.vault.secrets[account.secret_name].labels
    assert found(world) == {}
    world.rest()


def test_a_current_version_that_is_not_the_pinned_one_is_mended(world: World) -> None:
    account = world.linked()
    world.vault.secrets[account.secret_name].put("other", NEW, "AWSCURRENT")
    world.later(hours=2)
    assert found(world) == {account.secret_name: "other labels"}
    assert world.sweep() == {"settled": 1}
    assert world.current(account) == account.secret.version_id
    world.rest()


@pytest.mark.parametrize("of", ["nobody", "another name"])
def test_what_is_nobodys_is_deleted_so_that_it_can_be_recovered(world: World, of: str) -> None:
    account = world.linked()
    account_id = new_id("acc_") if of == "nobody" else account.id
    name = stray(world, world.vault.name(account_id, again="late"))
    world.later(hours=2)
    assert found(world) == {name: "nobody's"}
    assert world.vault.secrets[name].deleted_from
    assert world.vault.secrets[account.secret_name].deleted_from is None
    assert found(world) == {}


def test_what_was_made_by_others_is_left_alone(world: World) -> None:
    stray(world, "their/own")
    world.later(hours=2)
    assert found(world) == {}


def test_what_is_young_is_left_alone(world: World) -> None:
    stray(world, world.vault.name(new_id("acc_")))
    world.later(minutes=59)
    assert found(world) == {}
    world.later(minutes=1)
    assert len(found(world)) == 1


def test_what_has_changed_a_moment_ago_may_be_listed_as_it_was(world: World) -> None:
    """Secrets Manager lists with a delay of minutes: that is no alarm."""
    account = world.linked()
    world.later(hours=2)
    before = list(world.vault.stored())
    world.linked(NEW)
    world.vault.stored = lambda: iter(before)
    assert found(world) == {}
    world.unlink(world.read(account))
    assert found(world) == {}
    world.later(hours=1)
    assert found(world) == {account.secret_name: "not deleted"}


def test_an_unlinked_accounts_secret_that_was_restored_by_hand_is_deleted_again(
    world: World,
) -> None:
    gone = world.unlink(world.linked())
    world.later(hours=2)
    world.vault.restore(gone.secret_name)
    assert found(world) == {gone.secret_name: "not deleted"}
    assert world.sweep() == {"deleted": 1}
    assert world.vault.secrets[gone.secret_name].deleted_from
    world.rest()


@pytest.mark.parametrize("work", ["held", "unsettled", "no secret", "later release"])
def test_where_somebody_is_at_work_nothing_is_compared(world: World, work: str) -> None:
    account = world.linked()
    world.vault.secrets[account.secret_name].put("other", NEW, "AWSCURRENT")
    world.later(hours=2)
    if work == "held":
        account = replace(account, attempt=attempt(lease=LEASE, now=world.now))
    elif work == "unsettled":
        at = timestamp(world.now + LATE)
        account = replace(account, unsettled=Unsettled(at, at))
    elif work == "no secret":
        account = replace(account, secret=None)
    else:
        account = replace(account, status=Status("moving"))
    world.rows.put(account)
    assert found(world) == {}
    assert world.read(account) == account


def test_a_new_secret_that_an_attempt_is_writing_is_its_own(world: World) -> None:
    account = world.linked()
    name = stray(world, world.vault.name(account.id, again="late"))
    world.later(hours=2)
    mine = attempt(lease=LEASE, now=world.now, secret_name=name)
    world.rows.put(replace(account, attempt=mine))
    assert found(world) == {}


@pytest.mark.parametrize("error", [UnreadableError, StorageError, RuntimeError])
def test_one_fault_stops_no_other_comparison(world: World, error: type[Exception]) -> None:
    account = world.linked()
    name = stray(world, world.vault.name(new_id("acc_")))
    world.later(hours=2)
    real = world.rows.row

    def row(account_id: str) -> Account | Tombstone | None:
        if account_id == account.id:
            raise error("why")
        return real(account_id)

    world.rows.row = row
    done = world.reconcile()
    assert (list(done.faults), done.found) == ([account.secret_name], {name: "nobody's"})


def test_it_ends_by_itself_and_says_that_it_is_not_complete(world: World) -> None:
    for number in range(3):
        world.linked(owner=Owner(f"o{number}", "x"))
    world.later(hours=2)
    real = world.rows.row

    def row(account_id: str) -> Account | Tombstone | None:
        world.later(seconds=60)
        return real(account_id)

    world.rows.row = row
    done = reconcile(world.sweep_ports)
    assert (done.secrets, done.complete) == (2, False)


def test_it_fails_where_the_secrets_cannot_be_listed(world: World) -> None:
    with world.failing(world.vault, "stored"), pytest.raises(StorageError):
        world.reconcile()


def test_names_are_under_the_prefix(world: World) -> None:
    assert world.linked().secret_name.startswith(PREFIX)
    assert timedelta(hours=1) > LATE

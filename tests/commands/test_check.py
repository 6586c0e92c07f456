"""Checks: what a probe with the stored token finds is recorded, and told where it is news."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fakes import CHECKER, DOWN, GOOD, NEW, REFUSED, START, THROTTLED, World
from namely_link.commands.check import check
from namely_link.commands.sweep import SWEEP
from namely_link.domain.account import Account, AccountWarning, Status, Tombstone
from namely_link.domain.lifecycle import LEASE, attempt
from namely_link.domain.probe import Answer, Failure, Reply
from namely_link.domain.problems import ConflictError, StorageError
from namely_link.domain.values import timestamp


def codes(account: Account) -> list[str]:
    return [reason.code for reason in account.health.reasons]


def news(world: World, account: Account) -> list[str]:
    """Return what was told of an account since it was linked."""
    return world.events(account)[1:]


def minutes_until_next(world: World, account: Account) -> float:
    due = datetime.fromisoformat(account.health.next_check_at)
    return (due - world.now) / timedelta(minutes=1)


def test_a_fine_account_is_checked_daily_and_says_nothing(world: World) -> None:
    checked = world.check(world.linked())
    assert (checked.status, codes(checked)) == (Status.ACTIVE, [])
    assert checked.health.next_check_at == timestamp(START + timedelta(days=1))
    assert checked.health.checked_at == timestamp(START)
    assert (news(world, checked), world.actions(checked)) == ([], ["linked"])


# Refusals


def test_one_refusal_is_a_reason_and_soon_asked_again(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    checked = world.check(account)
    assert (checked.status, codes(checked)) == (Status.ACTIVE, ["token_refused"])
    assert minutes_until_next(world, checked) == 7.5


def test_two_refusals_in_a_breath_are_one(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=4)
    assert world.check(account).status is Status.ACTIVE


def test_a_confirmed_refusal_makes_an_account_fail(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=5)
    failed = world.check(account)
    assert (failed.status, news(world, failed)[-1]) == (Status.ERROR, "Account Failed")
    assert failed.health.reasons[0].at == timestamp(START)
    assert failed.health.next_check_at == timestamp(world.now + timedelta(days=1))
    assert world.actions(failed)[-1] == "failed"
    assert world.rows.told[-1].event.previous_status == "active"


def failed(world: World) -> Account:
    account = world.linked()
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=5)
    return world.check(account)


def test_a_failed_account_recovers_by_itself(world: World) -> None:
    account = failed(world)
    world.namely.good.add(GOOD)
    recovered = world.check(account)
    assert (recovered.status, news(world, recovered)[-1]) == (Status.ACTIVE, "Account Recovered")
    assert (codes(recovered), recovered.health.refused_since) == ([], "")
    assert world.actions(recovered)[-1] == "recovered"


def test_a_failed_account_stays_so_through_an_outage(world: World) -> None:
    account = failed(world)
    world.namely.down = DOWN
    assert world.check(account).status is Status.ERROR


def test_a_failed_account_is_checked_daily_and_says_nothing_more(world: World) -> None:
    account = failed(world)
    told = len(news(world, account))
    again = world.check(account)
    assert minutes_until_next(world, again) == 24 * 60
    assert len(news(world, again)) == told


def test_a_refusal_while_the_site_is_in_trouble_is_no_refusal(world: World) -> None:
    """An incident at Namely must not fail every account."""
    account = world.linked()
    world.namely.good.clear()
    world.namely.site = DOWN
    for _ in range(3):
        checked = world.check(account)
        assert (checked.status, checked.health.refused_since) == (Status.ACTIVE, "")
        world.later(minutes=5)


def test_an_owner_that_left_is_a_warning(world: World) -> None:
    account = world.linked()
    world.namely.profile["user_status"] = "inactive"
    checked = world.check(account)
    assert (checked.status, codes(checked)) == (Status.ACTIVE, ["token_owner_inactive"])
    assert AccountWarning.OWNER_NOT_ACTIVE in checked.receipt.warnings
    assert news(world, checked) == ["Account Updated"]


@pytest.mark.parametrize("site", [{"name": "x", "permalink": "renamed"}, None])
def test_a_site_that_moved_is_a_reason_not_a_failure(world: World, site: object) -> None:
    account = world.linked()
    gone = Answer(200, is_json=False, is_html=True)
    world.namely.site = Answer(200, is_json=True, body=site) if site else gone
    world.namely.sent.clear()
    checked = world.check(account)
    assert (checked.status, codes(checked)) == (Status.ACTIVE, ["site_not_found"])
    assert world.namely.sent == []
    assert news(world, world.check(account)) == ["Account Updated"]


# Outages


@pytest.mark.parametrize("reply", [DOWN, Failure.TIMEOUT, Failure.UNREACHABLE, THROTTLED])
def test_an_outage_changes_no_status_and_slows_the_checks_down(world: World, reply: Reply) -> None:
    account = world.linked()
    world.namely.down = reply
    waits = []
    world.now = datetime.fromisoformat(account.health.next_check_at)
    for _ in range(12):
        account = world.check(account)
        assert (account.status, codes(account)[0][:7]) == (Status.ACTIVE, "namely_")
        waits.append(minutes_until_next(world, account) / 5)
        world.now = datetime.fromisoformat(account.health.next_check_at)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 288, 288, 288]
    assert news(world, account) == []
    world.namely.down = None
    assert codes(world.check(account)) == []


@pytest.mark.parametrize("trouble", ["outage", "unseen", "refused"])
def test_checks_on_demand_do_not_push_the_next_one_out(world: World, trouble: str) -> None:
    account = world.linked()
    if trouble == "outage":
        world.namely.down = DOWN
    elif trouble == "unseen":
        world.namely.people = THROTTLED
    else:
        world.namely.good.clear()
    world.later(days=1)
    planned = world.check(account).health.next_check_at
    for _ in range(4):
        world.later(minutes=1)
        assert world.check(account).health.next_check_at == planned


# Parked links


def test_a_parked_link_finishes_by_itself(world: World) -> None:
    parked = world.parked()
    world.later(minutes=5)
    assert world.sweep() == {"queued": 1}
    finished = world.check(parked)
    assert (finished.status, finished.parking) == (Status.ACTIVE, None)
    assert finished.linked_at == finished.changed_at == timestamp(world.now)
    assert finished.token_expires_by
    assert world.events(finished) == ["Link Parked", "Account Linked"]
    assert world.actions(finished) == ["parked", "linked"]


def test_a_parked_link_is_asked_about_every_fifteen_minutes_at_most(world: World) -> None:
    world.jitter = 1.1
    account = world.parked()
    world.namely.down = DOWN
    waits = []
    world.now = datetime.fromisoformat(account.health.next_check_at)
    for _ in range(6):
        account = world.check(account)
        assert account.status is Status.PENDING
        waits.append(minutes_until_next(world, account))
        world.now = datetime.fromisoformat(account.health.next_check_at)
    assert waits == [5.5, 11, 15, 15, 15, 15]


def test_a_parked_link_is_due_when_its_time_is_over_whatever_the_back_off(world: World) -> None:
    world.park_for = timedelta(minutes=3)
    account = world.parked()
    assert account.health.next_check_at == account.parking.until
    world.namely.down = DOWN
    assert world.check(account).health.next_check_at == account.parking.until
    world.later(minutes=3)
    assert world.check(account).health.next_check_at == account.parking.until
    assert world.sweep() == {"undone": 1}
    assert world.events() == ["Link Parked", "Link Rejected"]


def test_what_namely_refuses_later_is_undone_and_told(world: World) -> None:
    parked = world.parked()
    world.namely.good.clear()
    left = check(parked.id, actor=CHECKER, request_id="r2", ports=world.check_ports)
    assert isinstance(left, Tombstone)
    assert (world.rows.read(parked.id), world.rows.pairs) == (None, {})
    assert world.actions(parked) == ["parked", "rejected"]
    told = world.rows.told[-1].event
    assert told.type == "Link Rejected"
    assert told.data["account"] == {
        "id": parked.id,
        "owner": {"id": "o1", "name": "Owner One"},
        "subdomain": "acme",
    }
    assert (told.data["code"], told.data["reason"]) == ("token_refused", "token_unauthorized")
    assert (told.previous_status, told.correlation_id) == ("pending", "r2")
    assert check(parked.id, actor=CHECKER, request_id="r2", ports=world.check_ports) is None
    assert world.sweep() == {"undone": 1}
    assert world.vault.secrets == {}
    world.rest()


def test_a_parked_link_whose_pair_is_linked_after_its_end_has_nothing_to_do_with_it(
    world: World,
) -> None:
    parked = world.parked()
    world.namely.good = {NEW}
    check(parked.id, actor=CHECKER, request_id="r2", ports=world.check_ports)
    anew = world.link(NEW)
    assert (anew.account.id != parked.id, anew.again) == (True, False)
    world.rest()
    assert world.token(anew.account) == NEW


def test_a_link_that_takes_a_parked_one_over_meanwhile_is_not_told_as_rejected(
    world: World,
) -> None:
    parked = world.parked()
    world.namely.good = {NEW}
    with (
        world.meanwhile(world.vault, "read", lambda: world.link(NEW)),
        pytest.raises(ConflictError),
    ):
        world.check(parked)
    assert world.events() == ["Link Parked", "Account Linked"]


# What a token sees


def test_what_is_not_known_is_looked_at_in_minutes_then_ever_slower(world: World) -> None:
    world.namely.people = THROTTLED
    account = world.linked()
    waits = [minutes_until_next(world, account)]
    for _ in range(3):
        world.now = datetime.fromisoformat(account.health.next_check_at)
        account = world.check(account)
        waits.append(minutes_until_next(world, account))
    assert waits == [5, 5, 10, 20]
    world.namely.people = None
    account = world.check(account)
    assert (account.receipt.visible_people, account.receipt.warnings) == (2, ())
    assert news(world, account) == ["Account Updated"]
    assert minutes_until_next(world, account) == 24 * 60


def test_what_was_seen_is_remembered_while_it_cannot_be_asked(world: World) -> None:
    account = world.linked()
    world.namely.people = THROTTLED
    checked = world.check(account)
    assert checked.receipt == account.receipt
    assert (news(world, checked), codes(checked)) == ([], [])
    assert minutes_until_next(world, checked) == 5


def test_what_a_site_says_of_itself_is_remembered_while_it_cannot_be_asked(world: World) -> None:
    account = world.linked()
    world.namely.site = DOWN
    checked = world.check(account)
    assert checked.receipt.site == account.receipt.site
    assert AccountWarning.SITE_UNPROVEN in checked.receipt.warnings


def test_a_warning_of_what_a_token_sees_is_remembered_as_well(world: World) -> None:
    world.namely.people = REFUSED
    account = world.linked()
    assert account.receipt.warnings == (AccountWarning.NARROW_ROLE,)
    world.namely.people = DOWN
    assert world.check(account).receipt == account.receipt


def test_capabilities_gained_and_lost_are_told(world: World) -> None:
    account = world.linked()
    world.namely.keys = {"salary": 1}
    checked = world.check(account)
    assert news(world, checked) == ["Capabilities Changed"]
    assert world.rows.told[-1].event.data == {"gained": ["salary"], "lost": ["work_fields"]}
    assert world.actions(checked)[-1] == "noticed"


def test_the_first_receipt_of_an_account_that_has_none_is_no_drift(world: World) -> None:
    account = world.rows.put(replace(world.linked(), receipt=None))
    checked = world.check(account)
    assert (checked.receipt is not None, news(world, checked)) == (True, [])


@pytest.mark.parametrize("trouble", ["owner", "token"])
def test_an_account_without_a_receipt_can_be_refused(world: World, trouble: str) -> None:
    account = world.rows.put(replace(world.linked(), receipt=None))
    if trouble == "owner":
        world.namely.profile["user_status"] = "inactive"
    else:
        world.namely.good.clear()
    checked = world.check(account)
    assert (checked.receipt, len(codes(checked))) == (None, 1)


def test_the_expiry_is_told_once_at_each_step(world: World) -> None:
    account = world.linked()
    told = {}
    for left in (61, 60, 45, 30, 29, 7, 6, 0, -3):
        world.now = START + timedelta(days=730 - left)
        before = len(world.rows.told)
        checked = world.check(account)
        told[left] = [one.event for one in world.rows.told[before:]]
        assert (AccountWarning.EXPIRES_SOON in checked.receipt.warnings) == (left <= 60)
    ends = {
        left: event.data["days_left"]
        for left, events in told.items()
        for event in events
        if event.type == "Token Expiring"
    }
    assert ends == {60: 60, 30: 30, 7: 7}


def test_a_link_again_starts_the_tokens_time_anew(world: World) -> None:
    account = world.linked()
    world.now = START + timedelta(days=725)
    world.check(account)
    again = world.linked(NEW)
    assert (again.health.expiry_told, again.receipt.warnings) == (0, ())
    assert world.check(again).receipt.warnings == ()


# Story J


@pytest.mark.parametrize("days", [None, 7])
def test_story_j_a_secret_that_was_deleted_by_hand_is_told(world: World, days: int | None) -> None:
    account = world.linked()
    world.vault.delete(account.secret_name, recovery_days=days)
    checked = world.check(account)
    assert (checked.status, codes(checked)) == (Status.ACTIVE, ["secret_missing"])
    assert minutes_until_next(world, checked) == 7.5
    world.later(minutes=7.5)
    lost = world.check(account)
    assert (lost.status, codes(lost)) == (Status.ERROR, ["secret_missing"])
    assert news(world, lost) == ["Account Updated", "Account Failed"]
    again = world.linked(NEW)
    assert (again.id, again.status, codes(again)) == (account.id, Status.ACTIVE, [])


def test_story_j_a_parked_link_without_its_secret_comes_to_nothing(world: World) -> None:
    parked = world.parked()
    world.vault.delete(parked.secret_name, recovery_days=None)
    left = check(parked.id, actor=CHECKER, request_id="r2", ports=world.check_ports)
    assert isinstance(left, Tombstone)
    assert world.rows.told[-1].event.data["reason"] == "secret_missing"


def test_a_secret_that_calls_of_ours_may_still_change_is_not_yet_missing(world: World) -> None:
    """A deletion that takes effect after its restoring is taken back by the sweep."""
    account = world.restore(world.unlink(world.linked()))
    world.later(minutes=1)
    assert world.sweep() == {"settled": 1}
    world.vault.delete(account.secret_name, recovery_days=7)
    for _ in range(2):
        assert world.check(account).status is Status.ACTIVE
        world.later(minutes=6)
    world.rest()
    checked = world.check(account)
    assert (checked.status, codes(checked)) == (Status.ACTIVE, [])


# What is not checked


@pytest.mark.parametrize("action", ["suspend", "unlink"])
def test_what_is_paused_or_gone_is_not_checked(world: World, action: str) -> None:
    account = getattr(world, action)(world.linked())
    world.namely.down = DOWN
    assert world.check(account) == account


@pytest.mark.parametrize("kind", ["unknown", "unlinked later", "without a secret", "held"])
def test_there_may_be_nothing_to_check(world: World, kind: str) -> None:
    account = world.linked()
    if kind == "unknown":
        account = replace(account, id="acc_other")
    elif kind == "unlinked later":
        world.rows.put(replace(account, status=Status("moving")))
    elif kind == "without a secret":
        world.rows.put(replace(account, secret=None))
    else:
        world.rows.put(replace(account, attempt=attempt(lease=LEASE, now=world.now)))
    assert check(account.id, actor=CHECKER, request_id="r2", ports=world.check_ports) is None


def test_a_check_beside_a_change_loses(world: World) -> None:
    account = world.linked()
    with (
        world.meanwhile(world.vault, "read", lambda: world.rename(account, label="x")),
        pytest.raises(ConflictError),
    ):
        world.check(account)
    assert world.read(account).label == "x"


def test_a_secret_that_cannot_be_read_is_tried_again(world: World) -> None:
    account = world.linked()
    with world.failing(world.vault, "read"), pytest.raises(StorageError):
        world.check(account)
    assert world.read(account) == account


# What was asked for more than once


def asked_by_the_sweep(world: World, account: Account) -> Account | Tombstone | None:
    return check(account.id, actor=SWEEP, request_id="r1", ports=world.check_ports)


def test_what_a_sweep_asks_for_again_and_again_is_checked_once(world: World) -> None:
    """The queue is long: the sweep has asked anew before the first check was made."""
    account = world.linked()
    sent_by_a_probe = len(world.namely.sent)
    world.later(days=1)
    world.sweep()
    world.later(minutes=15)
    world.sweep()
    made = [asked_by_the_sweep(world, account) for _ in world.queue.waiting]
    assert [one is not None for one in made] == [True, False]
    assert len(world.namely.sent) == 2 * sent_by_a_probe


def test_a_check_that_somebody_has_made_meanwhile_is_not_made_for_the_sweep(world: World) -> None:
    account = world.linked()
    world.later(days=1)
    world.sweep()
    world.check(account)
    assert asked_by_the_sweep(world, account) is None


def test_a_check_whose_row_was_let_go_of_again_is_made_while_it_is_due(world: World) -> None:
    """The queue said that it did not take it, and had."""
    account = world.linked()
    world.later(days=1)
    assert asked_by_the_sweep(world, account) is not None


def test_who_asks_for_a_check_gets_it_whenever_the_next_one_is_due(world: World) -> None:
    account = world.linked()
    sent = len(world.namely.sent)
    assert world.check(account).health.checked_at == timestamp(world.now)
    assert len(world.namely.sent) > sent

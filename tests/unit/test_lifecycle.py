"""What may happen to an account, when it is due, and what is told of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from test_account import ACCOUNT, RECEIPT

from namely_link.domain import lifecycle
from namely_link.domain.account import (
    Account,
    Attempt,
    Deletion,
    Health,
    Parking,
    Status,
    Tombstone,
    Unsettled,
)
from namely_link.domain.lifecycle import (
    LATE,
    LEASE,
    SWEEP_LEASE,
    WORST_CALL,
    Action,
    Cause,
    Change,
    EventType,
    Names,
    Pace,
    Transition,
)
from namely_link.domain.probe import Accepted, Rejected, Undetermined
from namely_link.domain.problems import Problem, Reason
from namely_link.domain.values import Actor, ActorKind, Owner, SecretVersion, timestamp

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CAUSE = Cause(actor=Actor(kind=ActorKind.PORTAL, name="ann"), request_id="r", now=NOW)
PACE = Pace(recheck=timedelta(minutes=5), jitter=lambda: 1.0)
SECRET = SecretVersion("arn", "v1")


def at(minutes: float) -> str:
    return timestamp(NOW + timedelta(minutes=minutes))


def attempt(minutes: float = 0, **changes: Any) -> Attempt:
    return Attempt(id="a", at=at(minutes - 1), until=at(minutes), **changes)


LINKED = replace(
    ACCOUNT,
    receipt=RECEIPT,
    secret=SECRET,
    linked_at=at(-60),
    changed_at=at(-60),
    token_expires_by=timestamp(NOW + timedelta(days=700)),
    health=Health(next_check_at=at(60)),
)
PARKED = replace(LINKED, status=Status.PENDING, linked_at="", receipt=None, parking=Parking(at(90)))
DELETED = Deletion(requested_at=at(-5), final_at=at(9), recoverable_until=at(9))


# When a row is due


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, 60),
        ({"status": Status.ERROR}, 60),
        ({"health": Health(next_check_at=at(60), queued_until=at(70))}, 70),
        ({"health": Health()}, 0),
        ({"attempt": attempt(2)}, 2),
        ({"attempt": attempt(2), "unsettled": Unsettled(at(1), at(9))}, 2),
        ({"unsettled": Unsettled(at(1), at(9))}, 1),
        ({"unsettled": Unsettled(at(99), at(99))}, 60),
        ({"status": Status.SUSPENDED}, None),
        ({"status": Status.SUSPENDED, "unsettled": Unsettled(at(1), at(9))}, 1),
        ({"status": Status.SUSPENDED, "attempt": attempt(2)}, 2),
        ({"status": Status.UNLINKED}, None),
        ({"status": Status.UNLINKED, "deletion": DELETED}, None),
        ({"status": Status.UNLINKED, "deletion": replace(DELETED, final_at="")}, -5),
        (
            {"status": Status.UNLINKED, "deletion": DELETED, "unsettled": Unsettled(at(3), at(3))},
            3,
        ),
        ({"status": Status.PENDING, "parking": Parking(at(90))}, 60),
        ({"status": Status.PENDING, "parking": Parking(at(50))}, 50),
        (
            {
                "status": Status.PENDING,
                "parking": Parking(at(90)),
                "health": Health(next_check_at=at(60), queued_until=at(70)),
            },
            70,
        ),
        ({"status": Status.PENDING}, 0),
        ({"status": Status("moving")}, None),
        ({"status": Status("moving"), "attempt": attempt(2)}, 2),
    ],
)
def test_the_sweep_looks_at_an_account_when_there_is_something_to_do(
    changes: dict[str, Any], due: float | None
) -> None:
    account = replace(LINKED, **changes)
    assert lifecycle.due_at(account) == ("" if due is None else at(due))


@pytest.mark.parametrize("look_at", ["", at(3)])
def test_a_tombstone_is_due_when_its_secret_is_to_be_looked_for(look_at: str) -> None:
    stone = Tombstone(id="acc_1", secret_name="s", look_at=look_at, until=at(9))
    assert lifecycle.due_at(stone) == look_at


def test_every_account_that_is_linked_or_waits_is_due_some_day() -> None:
    for status in (Status.PENDING, Status.ACTIVE, Status.ERROR):
        assert lifecycle.due_at(replace(LINKED, status=status, health=Health())) != ""


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, False),
        ({"health": Health(next_check_at=at(0))}, True),
        ({"health": Health(next_check_at=at(-1), queued_until=at(1))}, False),
        ({"health": Health()}, True),
        ({"health": Health(), "status": Status.SUSPENDED}, False),
        ({"health": Health(), "status": Status.UNLINKED}, False),
        ({"health": Health(), "status": Status("moving")}, False),
    ],
)
def test_an_account_is_probed_when_its_check_is_due(changes: dict[str, Any], due: bool) -> None:
    assert lifecycle.check_due(replace(LINKED, **changes), NOW) is due


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, False),
        ({"deletion": DELETED}, False),
        ({"deletion": replace(DELETED, final_at="")}, True),
        ({"deletion": DELETED, "attempt": attempt()}, True),
        ({"deletion": DELETED, "unsettled": Unsettled(at(0), at(9))}, True),
        ({"deletion": DELETED, "unsettled": Unsettled(at(1), at(9))}, False),
    ],
)
def test_a_deletion_is_done_and_looked_at_again(changes: dict[str, Any], due: bool) -> None:
    assert lifecycle.deletion_due(replace(LINKED, **changes), NOW) is due


@pytest.mark.parametrize(
    ("changed", "asked", "stale"),
    [(at(1), at(0), True), (at(0), at(0), False), (at(0), at(1), False), (at(1), "", False)],
)
def test_what_was_asked_for_before_something_newer_was_done_is_stale(
    changed: str, asked: str, stale: bool
) -> None:
    try:
        lifecycle.check_not_stale(changed, asked)
    except Problem as problem:
        assert (problem.reason, problem.transient) == (Reason.REQUEST_STALE, False)
        assert stale
    else:
        assert not stale


# What is told


def test_each_transition_has_its_own_action_and_event() -> None:
    """The ledger and the events tell of the same; a deletion's date is in no event."""
    told = {one.name: (one.action, one.event) for one in Transition}
    assert len(told) == len(Transition.__members__)  # none is another's alias
    assert told == {
        "LINKED": ("linked", "Account Linked"),
        "RELINKED": ("relinked", "Account Relinked"),
        "PARKED": ("parked", "Link Parked"),
        "REJECTED": ("rejected", "Link Rejected"),
        "RENAMED": ("renamed", "Account Updated"),
        "SUSPENDED": ("suspended", "Account Updated"),
        "RESUMED": ("resumed", "Account Updated"),
        "UNLINKED": ("unlinked", "Account Unlinked"),
        "DELETION_SCHEDULED": ("deletion_scheduled", None),
        "RESTORED": ("restored", "Account Linked"),
        "FAILED": ("failed", "Account Failed"),
        "RECOVERED": ("recovered", "Account Recovered"),
        "SEES_OTHER_THINGS": ("noticed", "Capabilities Changed"),
        "TOKEN_EXPIRING": ("noticed", "Token Expiring"),
        "NOTICED": ("noticed", "Account Updated"),
    }


def test_every_action_and_event_is_of_a_transition() -> None:
    assert {one.action for one in Transition} == set(Action)
    of_accounts = set(EventType) - {EventType.REQUEST_REFUSED}  # belongs to none
    assert {one.event for one in Transition if one.event} == of_accounts


def test_the_first_of_what_happened_stands_in_the_ledger_and_all_is_told() -> None:
    failing = replace(
        LINKED,
        status=Status.ERROR,
        receipt=replace(RECEIPT, capabilities={"salary": "no", "phones": "yes"}),
        token_expires_by=timestamp(NOW + timedelta(days=5)),
    )
    sees = replace(RECEIPT, capabilities={"salary": "yes", "phones": "unknown"})
    change = lifecycle.checked(failing, Accepted(sees), pace=PACE, cause=CAUSE)
    assert [one.type for one in change.events] == [
        EventType.ACCOUNT_RECOVERED,
        EventType.CAPABILITIES_CHANGED,
        EventType.TOKEN_EXPIRING,
    ]
    assert [one.data for one in change.events] == [
        {},
        {"gained": ["salary"], "lost": []},
        {"days_left": 5},
    ]
    assert {one.previous_status for one in change.events} == {"error"}
    assert {(one.occurred_at, one.correlation_id) for one in change.events} == {(at(0), "r")}
    assert len({one.event_id for one in change.events}) == 3
    assert change.entry
    assert (change.entry.action, change.entry.actor) == (Action.RECOVERED, CAUSE.actor)
    assert json.dumps(change.events[1].data)


SILENT = {
    "begun": lambda: lifecycle.begun(replace(LINKED, revision=0)),
    "taken": lambda: lifecycle.taken(LINKED, attempt(), NOW),
    "moved": lambda: lifecycle.moved(replace(LINKED, attempt=attempt()), "s2"),
    "let go": lambda: lifecycle.let_go(LINKED, wrote=True, now=NOW),
    "let go before": lambda: lifecycle.let_go(replace(LINKED, revision=0), wrote=False, now=NOW),
    "undone": lambda: lifecycle.undone(replace(LINKED, revision=0), NOW),
    "settled": lambda: lifecycle.settled(LINKED, NOW),
    "promoted": lambda: lifecycle.promoted(LINKED),
    "refiled": lambda: lifecycle.refiled(LINKED),
    "disturbed": lambda: lifecycle.disturbed(LINKED, NOW),
    "queued": lambda: lifecycle.queued(LINKED, NOW),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_only_the_house_sees_is_not_told_and_has_no_revision(name: str) -> None:
    change = SILENT[name]()
    assert (change.events, change.entry) == ((), None)
    if isinstance(change.before, Account) and isinstance(change.after, Account):
        assert change.after.revision == change.before.revision


TOLD = {
    "linked": lambda one: lifecycle.linked(one, RECEIPT, secret=SECRET, hint="hint", cause=CAUSE),
    "renamed": lambda one: lifecycle.renamed(one, Names(label="x"), CAUSE),
    "paused": lambda one: lifecycle.paused(one, Status.SUSPENDED, CAUSE),
    "unlinked": lambda one: lifecycle.unlinked(one, recovery=timedelta(days=7), cause=CAUSE),
    "restored": lambda one: lifecycle.restored(one, CAUSE),
    "checked": lambda one: lifecycle.checked(one, Accepted(RECEIPT), pace=PACE, cause=CAUSE),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_consumers_see_has_the_next_revision_and_the_fence_that_was_read(name: str) -> None:
    account = replace(LINKED, fence=7, revision=3)
    if name == "linked":
        account = replace(account, attempt=attempt(1))
    change = TOLD[name](account)
    assert (change.before, change.after.fence, change.after.revision) == (account, 7, 4)


@pytest.mark.parametrize("name", ["linked", "renamed", "paused", "unlinked", "restored"])
def test_what_somebody_does_on_purpose_is_noted_with_its_time(name: str) -> None:
    account = replace(LINKED, attempt=attempt(1)) if name == "linked" else LINKED
    assert TOLD[name](account).after.changed_at == at(0)


def test_a_check_is_nothing_that_anybody_did() -> None:
    change = lifecycle.checked(LINKED, Undetermined(Reason.OUTAGE), pace=PACE, cause=CAUSE)
    assert change.after.changed_at == LINKED.changed_at
    parked = lifecycle.checked(PARKED, Accepted(RECEIPT), pace=PACE, cause=CAUSE)
    assert parked.after.changed_at == at(0)


# Holding a row


def test_a_row_is_taken_from_nobody_without_a_trace() -> None:
    mine = lifecycle.attempt(lease=LEASE, now=NOW)
    assert lifecycle.taken(LINKED, mine, NOW).after == replace(LINKED, attempt=mine)
    assert (mine.at, mine.until) == (at(0), timestamp(NOW + LEASE))
    assert lifecycle.attempt(lease=LEASE, now=NOW).id != mine.id


def test_a_row_is_taken_from_who_died_and_is_looked_at_then() -> None:
    dead = replace(LINKED, attempt=attempt(0, secret_name="s2"))
    mine = attempt(1)
    after = lifecycle.taken(dead, mine, NOW).after
    assert after.attempt == mine
    late = timestamp(NOW + LATE)
    assert after.unsettled == Unsettled(at(0), late, strays=("s2",))
    again = lifecycle.taken(replace(after, attempt=attempt(0, secret_name="s3")), mine, NOW)
    assert again.after.unsettled.strays == ("s2", "s3")


def test_a_row_is_not_taken_from_who_may_still_write() -> None:
    with pytest.raises(Problem) as caught:
        lifecycle.taken(replace(LINKED, attempt=attempt(0.5)), attempt(1), NOW)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.CONFLICT, 30)


def test_who_has_not_taken_a_row_holds_none() -> None:
    with pytest.raises(AssertionError):
        lifecycle.held(LINKED)
    assert lifecycle.held(replace(LINKED, attempt=attempt())) == attempt()


def test_a_lease_covers_a_call_that_cannot_outlast_it() -> None:
    mine = lifecycle.attempt(lease=SWEEP_LEASE, now=NOW)
    assert lifecycle.covers(mine, NOW + SWEEP_LEASE - WORST_CALL)
    assert not lifecycle.covers(mine, NOW + SWEEP_LEASE - WORST_CALL + timedelta(seconds=1))


@pytest.mark.parametrize("wrote", [False, True])
def test_what_is_let_go_is_as_it_was_but_for_what_may_have_been_written(wrote: bool) -> None:
    held = replace(LINKED, attempt=attempt(1))
    after = lifecycle.let_go(held, wrote=wrote, now=NOW).after
    assert replace(after, unsettled=None) == LINKED
    assert (after.unsettled is not None) is wrote


def test_what_never_was_leaves_a_row_only_where_there_may_be_a_secret() -> None:
    begun = replace(LINKED, revision=0, fence=3)
    assert lifecycle.let_go(begun, wrote=False, now=NOW) == Change(before=begun, after=None)
    stone = lifecycle.let_go(begun, wrote=True, now=NOW).after
    assert stone == Tombstone(
        id="acc_1", secret_name="s", look_at=at(0), until=timestamp(NOW + LATE), fence=3
    )
    once = lifecycle.buried(stone, NOW).after
    assert once.look_at == stone.until
    assert lifecycle.buried(once, NOW + LATE).after.look_at == ""


def test_a_secret_is_settled_twice() -> None:
    unsure = replace(LINKED, attempt=attempt(1), unsettled=Unsettled(at(0), at(10), ("s2",)))
    once = lifecycle.settled(unsure, NOW).after
    assert once == replace(LINKED, unsettled=Unsettled(at(10), at(10), ("s2",)))
    assert lifecycle.settled(once, NOW + timedelta(minutes=10)).after == LINKED
    assert not lifecycle.settling_due(LINKED, NOW)
    assert lifecycle.settling_due(unsure, NOW)
    assert not lifecycle.settling_due(once, NOW)


def test_a_status_of_a_later_release_is_linked_and_renamed_by_none() -> None:
    unknown = replace(LINKED, status=Status("moving"))
    for transition in (
        lambda: lifecycle.check_linkable(unknown),
        lambda: lifecycle.renamed(unknown, Names(label="x"), CAUSE),
        lambda: lifecycle.paused(unknown, Status.SUSPENDED, CAUSE),
        lambda: lifecycle.paused(unknown, Status.ACTIVE, CAUSE),
    ):
        with pytest.raises(Problem) as caught:
            transition()
        assert caught.value.reason is Reason.WRONG_STATUS


# Checks


def test_the_reason_is_kept_with_the_time_since_when_it_holds() -> None:
    first = lifecycle.checked(LINKED, Undetermined(Reason.OUTAGE), pace=PACE, cause=CAUSE).after
    later = replace(CAUSE, now=NOW + timedelta(minutes=9))
    second = lifecycle.checked(first, Undetermined(Reason.TIMEOUT), pace=PACE, cause=later).after
    assert [one.at for one in second.health.reasons] == [at(0)]
    assert second.health.undetermined == 2
    refused = Rejected(Reason.TOKEN_UNAUTHORIZED)
    third = lifecycle.checked(second, refused, pace=PACE, cause=later).after
    assert [one.at for one in third.health.reasons] == [at(9)]
    assert third.health.undetermined == 0


@pytest.mark.parametrize("jitter", [0.9, 1.1])
def test_with_any_jitter_the_confirmation_of_a_refusal_counts(jitter: float) -> None:
    pace = replace(PACE, jitter=lambda: jitter)
    refused = Rejected(Reason.TOKEN_FORBIDDEN)
    first = lifecycle.checked(LINKED, refused, pace=pace, cause=CAUSE).after
    due = datetime.fromisoformat(first.health.next_check_at)
    second = lifecycle.checked(first, refused, pace=pace, cause=replace(CAUSE, now=due)).after
    assert second.status is Status.ERROR


def test_a_secret_is_not_missing_for_good_while_late_calls_may_have_touched_it() -> None:
    unsure = replace(LINKED, unsettled=Unsettled(at(0), at(10)))
    first = lifecycle.secret_missing(unsure, pace=PACE, cause=CAUSE).after
    later = replace(CAUSE, now=NOW + timedelta(minutes=9))
    assert lifecycle.secret_missing(first, pace=PACE, cause=later).after.status is Status.ACTIVE
    sure = replace(first, unsettled=None)
    assert lifecycle.secret_missing(sure, pace=PACE, cause=later).after.status is Status.ERROR


def test_an_account_without_an_end_of_its_token_expires_never() -> None:
    old = replace(LINKED, token_expires_by="")
    change = lifecycle.checked(old, Accepted(RECEIPT), pace=PACE, cause=CAUSE)
    assert change.events == ()


def test_what_a_tombstone_tells_of_names_the_account() -> None:
    change = lifecycle.expired(replace(PARKED, owner=Owner("o", "n")), CAUSE)
    assert isinstance(change.after, Tombstone)
    (event,) = change.events
    assert event.data["account"] == {
        "id": "acc_1",
        "owner": {"id": "o", "name": "n"},
        "subdomain": "acme",
    }
    assert event.data["code"] == "namely_unavailable"


def test_a_deletion_without_a_receipt_gets_one() -> None:
    gone = replace(LINKED, status=Status.UNLINKED)
    change = lifecycle.deletion_found(gone, final=None, cause=CAUSE)
    assert change.after.deletion == Deletion(scheduled_at=at(0), final_at=at(0))
    again = lifecycle.deletion_found(change.after, final=NOW, cause=CAUSE)
    assert (again.events, again.entry) == ((), None)


@pytest.mark.parametrize(("found", "final"), [(8, 9), (9, 9), (10, 10)])
def test_a_receipt_never_comes_to_promise_an_earlier_end(found: int, final: int) -> None:
    gone = replace(LINKED, status=Status.UNLINKED, deletion=DELETED)
    date = NOW + timedelta(minutes=found)
    change = lifecycle.deletion_found(gone, final=date, cause=CAUSE)
    assert change.after.deletion.final_at == at(final)
    assert (change.entry is not None) == (found > 9)


def test_who_confirms_a_deletion_leaves_what_the_sweep_has_to_look_at() -> None:
    left = Unsettled(at(-20), at(-10), ("s2",))
    gone = replace(LINKED, status=Status.UNLINKED, attempt=attempt(1), unsettled=left)
    after = lifecycle.deletion_scheduled(gone, final=NOW, cause=CAUSE).after
    assert (after.attempt, after.unsettled) == (None, left)

"""What a connect session allows, and what it costs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from namely_link.domain.problems import Problem, Reason
from namely_link.domain.sessions import ConnectSession
from namely_link.domain.values import Owner, timestamp

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OPEN = ConnectSession(
    id="cs_1",
    owner=Owner("o1", "Owner One"),
    state="open",
    attempts_left=2,
    created_at=timestamp(NOW),
    expires_at=timestamp(NOW + timedelta(minutes=30)),
)
UNTIL = NOW + timedelta(seconds=35)


def claimed(session: ConnectSession, name: str = "a", *, print_of: str = "f", **later: float):
    return session.claimed(name, until=UNTIL, fingerprint=print_of, now=NOW + timedelta(**later))


def refused(session: ConnectSession, **options: object) -> Problem:
    with pytest.raises(Problem) as caught:
        claimed(session, **options)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "later", "usable"),
    [
        ({}, 0, True),
        ({}, 30, False),
        ({"state": "used"}, 0, False),
        ({"state": "revoked"}, 0, False),
        ({"attempts_left": 0}, 0, True),
    ],
)
def test_a_session_is_usable_while_it_is_open(
    changes: dict[str, object], later: int, usable: bool
) -> None:
    session = replace(OPEN, **changes)
    assert session.usable(NOW + timedelta(minutes=later)) is usable


@pytest.mark.parametrize(
    ("changes", "later", "reason"),
    [
        ({"state": "used"}, 0, Reason.SESSION_USED),
        ({"state": "revoked"}, 0, Reason.SESSION_USED),
        ({}, 30, Reason.SESSION_EXPIRED),
        ({"state": "used"}, 30, Reason.SESSION_EXPIRED),
        ({"attempts_left": 0}, 0, Reason.ATTEMPTS_EXHAUSTED),
    ],
)
def test_what_is_over_is_not_claimed(
    changes: dict[str, object], later: int, reason: Reason
) -> None:
    assert refused(replace(OPEN, **changes), minutes=later).reason is reason


def test_a_claim_costs_nothing_yet() -> None:
    one = claimed(OPEN)
    assert (one.attempts_left, one.claims) == (2, {"a": timestamp(UNTIL)})


def test_no_more_is_claimed_than_is_left() -> None:
    two = claimed(claimed(OPEN), "b")
    problem = refused(two, name="c", seconds=5)
    assert (problem.reason, problem.transient) == (Reason.CONFLICT, True)
    assert (problem.retry_after, problem.attempts_left) == (30, 2)


def test_it_is_waited_for_the_first_claim_that_ends() -> None:
    one = replace(OPEN, claims={"b": timestamp(NOW + timedelta(seconds=9))})
    assert refused(claimed(one), name="c").retry_after == 9


def test_a_claim_ends_by_itself() -> None:
    two = claimed(claimed(OPEN), "b")
    assert list(claimed(two, "c", seconds=35).claims) == ["c"]


def test_what_is_given_back_costs_nothing() -> None:
    assert claimed(OPEN).given_back("a") == OPEN
    assert OPEN.given_back("other") == OPEN


def test_a_verdict_costs_one() -> None:
    spent = claimed(OPEN).spent("a", fingerprint="f")
    assert (spent.attempts_left, spent.claims) == (1, {})
    assert replace(OPEN, attempts_left=0).spent("a", fingerprint="f").attempts_left == 0


def test_a_dry_run_that_went_well_reserves_its_link() -> None:
    last = replace(OPEN, attempts_left=1)
    tried = claimed(last).tried("a", fingerprint="f")
    assert (tried.attempts_left, tried.reserved, tried.claims) == (0, "f", {})
    assert refused(tried, print_of="g").reason is Reason.ATTEMPTS_EXHAUSTED
    assert list(claimed(tried, "b").claims) == ["b"]


def test_what_is_reserved_is_tried_again_for_nothing_and_refused_once() -> None:
    tried = claimed(OPEN).tried("a", fingerprint="f")
    assert claimed(tried).tried("a", fingerprint="f") == tried
    refused_then = claimed(tried).spent("a", fingerprint="f")
    assert (refused_then.attempts_left, refused_then.reserved) == (1, "")


def test_another_credential_leaves_what_is_reserved() -> None:
    tried = claimed(OPEN).tried("a", fingerprint="f")
    other = claimed(tried).spent("a", fingerprint="g")
    assert (other.attempts_left, other.reserved) == (0, "f")


def test_what_a_row_was_read_from_makes_no_difference() -> None:
    assert replace(OPEN, stored={"pk": "x"}) == OPEN

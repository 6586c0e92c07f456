"""An account as a value."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from namely_link.domain.account import (
    Account,
    AccountWarning,
    Attempt,
    Deletion,
    Receipt,
    Status,
)
from namely_link.domain.values import Identity, Owner, Site, timestamp

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RECEIPT = Receipt(
    site=Site("Acme", "acme"),
    identity=Identity("p1", "Ada", "active"),
    visible_people=2,
    capabilities={},
    warnings=(),
)
ACCOUNT = Account(
    id="acc_1",
    owner=Owner("o1", "Owner One"),
    subdomain="acme",
    status=Status.ACTIVE,
    secret_name="s",
    created_at=timestamp(NOW),
    revision=1,
)


def test_warnings_are_added_once_in_their_order_and_unknown_ones_are_kept() -> None:
    later = AccountWarning("of_a_later_release")
    before = replace(RECEIPT, warnings=(later, AccountWarning.NARROW_ROLE))
    after = before.warned(AccountWarning.PERSONAL_TOKEN, AccountWarning.NARROW_ROLE)
    assert after.warnings == (AccountWarning.PERSONAL_TOKEN, AccountWarning.NARROW_ROLE, later)
    assert after.warned() == after


@pytest.mark.parametrize(
    ("warnings", "unseen"),
    [((), False), ((AccountWarning.VISIBILITY_UNKNOWN,), True)],
)
def test_a_receipt_says_whether_it_is_known_what_the_token_sees(
    warnings: tuple[AccountWarning, ...], unseen: bool
) -> None:
    assert replace(RECEIPT, warnings=warnings).unseen is unseen


def test_an_attempt_is_over_when_its_lease_has_ended() -> None:
    mine = Attempt(id="a", at=timestamp(NOW), until=timestamp(NOW + timedelta(seconds=35)))
    assert not mine.over(NOW + timedelta(seconds=34))
    assert mine.over(NOW + timedelta(seconds=35))
    assert mine.seconds_left(NOW + timedelta(seconds=34.5)) == 1


def test_a_deletion_is_confirmed_with_both_dates() -> None:
    asked = Deletion(requested_at="r", requested_by="b", recoverable_until="u")
    done = asked.confirmed(at=NOW, final=NOW + timedelta(days=7))
    assert (done.scheduled_at, done.final_at) == ("2026-11-24T12:00:00Z", "2026-12-01T12:00:00Z")
    assert replace(done, scheduled_at="", final_at="") == asked


@pytest.mark.parametrize("status", [*Status, Status("moving")])
def test_every_status_but_unlinked_holds_the_pair(status: Status) -> None:
    account = replace(ACCOUNT, status=status)
    assert account.holds_pair is (status is not Status.UNLINKED)
    assert account.understood is (status != "moving")


def test_what_has_no_revision_was_never_committed() -> None:
    assert ACCOUNT.committed
    assert not replace(ACCOUNT, revision=0).committed


def test_what_a_row_was_read_from_makes_no_difference() -> None:
    stored = replace(ACCOUNT, stored={"pk": "x"})
    assert stored == ACCOUNT
    assert "pk" not in repr(stored)

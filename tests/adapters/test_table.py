"""The codec: rows of the first release, of one to come, and of none."""

import traceback
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from namely_link.aws import table as rows
from namely_link.aws.outbox import published
from namely_link.aws.table import item, values
from namely_link.domain.account import (
    Account,
    AccountWarning,
    Attempt,
    Deletion,
    Health,
    Parking,
    Receipt,
    Status,
    StatusReason,
    Tombstone,
    Unsettled,
)
from namely_link.domain.lifecycle import LEASE, Event, due_at, undone
from namely_link.domain.probe import CAPABILITIES
from namely_link.domain.problems import UnreadableError
from namely_link.domain.sessions import ApiKey, ConnectSession, Linked, PortalSession
from namely_link.domain.values import (
    Actor,
    ActorKind,
    Identity,
    Owner,
    SecretVersion,
    Site,
    timestamp,
)
from namely_link.http import documents
from samples import EVENT, NOW, OWNER, all_stored, later, stored

AT = timestamp(NOW)
TOMORROW = {
    "invented": {"S": "x"},
    "flags": {"SS": ["a", "b"]},
    "picture": {"B": b"\0\1"},
    "share": {"N": "0.5"},
    "deep": {"M": {"one": {"L": [{"NULL": True}, {"NS": ["1"]}]}}},
}


def account(name: str) -> Account:
    found = rows.row_of(stored(f"account-{name}"))
    assert isinstance(found, Account)
    return found


# The release before


def test_the_first_release_wrote_every_kind_of_row() -> None:
    assert len(all_stored("account-")) == 11
    assert len(all_stored("session-")) == 3


@pytest.mark.parametrize("name", all_stored("account-"))
def test_every_account_of_the_first_release_is_read_shown_and_written(name: str) -> None:
    before = rows.row_of(stored(name))
    assert isinstance(before, Account)
    assert (before.owner, before.fence, before.metadata) == (OWNER, 0, {"plan": "gold"})
    assert documents.account(before)["id"] == before.id
    after = rows.written(before)
    assert rows.row_of(after) == replace(before, fence=1)
    assert after["fence"] == {"N": "1"}


def test_an_attempt_of_the_first_release_has_the_lease_of_a_request() -> None:
    one = account("pending")
    assert one.attempt == Attempt(
        id="00000000-0000-4000-8000-000000000001", at=AT, until=timestamp(NOW + LEASE)
    )
    assert (one.status, one.committed, one.receipt) == (Status.PENDING, False, None)


def test_an_attempt_that_the_first_release_let_go_of_is_over() -> None:
    one = account("pending-released")
    assert one.attempt
    assert one.attempt.over(NOW)
    kept = rows.written(one)["attempt"]["M"]
    assert kept["released"] == {"BOOL": True}


def test_an_active_account_of_the_first_release_has_its_receipt() -> None:
    one = account("active")
    assert one.receipt == Receipt(
        site=Site("Acme", "acme"),
        identity=Identity("p1", "Ada Example", "active", "Integration"),
        visible_people=412,
        capabilities={"profiles": "yes", "reports": "no"},
        warnings=(AccountWarning.SITE_UNPROVEN,),
    )
    assert one.secret
    assert one.secret.version_id == "00000000-0000-4000-8000-000000000003"
    assert (one.changed_at, one.linked_at, one.health.next_check_at) == (AT, AT, later(days=1))
    assert (one.parking, one.deletion, one.attempt, one.unsettled) == (None, None, None, None)


def test_what_the_first_release_had_not_promoted_is_to_be_settled_at_once() -> None:
    one = account("active-unpromoted")
    assert one.unsettled == Unsettled(AT, AT)
    assert due_at(one) == AT
    assert rows.written(one)["unpromoted"] == {"BOOL": True}
    assert "unpromoted" not in rows.written(replace(one, unsettled=None))


def test_a_parked_link_of_the_first_release_waits_on() -> None:
    one = account("parked")
    assert one.parking == Parking(later(hours=72))
    assert one.health.reasons[0].code == "namely_unavailable"
    assert due_at(one) == later(minutes=5)


def test_a_parked_link_that_the_first_release_rejected_waits_no_more() -> None:
    one = account("parked-undone")
    assert (one.status, one.parking, one.committed) == (Status.PENDING, None, True)
    assert not {"parked_until", "undo_reason"} & rows.written(one).keys()


def test_an_account_in_error_remembers_since_when() -> None:
    health = account("error").health
    assert (health.refused_since, health.expiry_told) == (AT, 60)


def test_a_suspended_account_of_the_first_release_is_due_never() -> None:
    assert due_at(account("suspended")) == ""


def test_an_unlinked_account_of_the_first_release_keeps_its_receipt() -> None:
    one = account("unlinked")
    assert one.deletion
    assert (one.deletion.requested_by, one.deletion.final_at) == ("backend", later(days=30))
    assert one.deletion.recoverable_until == later(days=30)
    shown = documents.account(one)
    assert shown["deletion"]["request_id"] == "r2"
    assert shown["recoverable_until"] == later(days=30)


def test_an_unlinked_account_without_a_receipt_is_given_none() -> None:
    one = account("unlinked-without-receipt")
    assert one.deletion == Deletion(recoverable_until=later(days=30))
    assert "deletion" not in rows.written(one)
    shown = documents.account(one)
    assert (shown["deletion"], shown["recoverable_until"]) == (None, later(days=30))


SESSION = ConnectSession(
    id="cs_1",
    owner=OWNER,
    state="open",
    attempts_left=5,
    created_at=AT,
    expires_at=later(minutes=30),
    subdomain="acme",
    label="Main",
    metadata={"plan": "gold"},
    return_url="https://app.example.com/back",
    locale="de",
    confirm=True,
    created_by="backend",
)


def test_sessions_of_the_first_release_are_read() -> None:
    assert rows.session_of(stored("session-open")) == SESSION
    assert rows.session_of(stored("session-revoked")) == replace(
        SESSION, id="cs_2", state="revoked"
    )
    used = rows.session_of(stored("session-used"))
    assert (used.state, used.attempts_left) == ("used", 4)
    assert used.linked
    assert (used.linked.again, used.linked.fingerprint) == (False, "f" * 64)


def test_a_session_keeps_what_only_the_first_release_knows() -> None:
    assert rows.session_item(SESSION)["ttl"] == stored("session-open")["ttl"]
    again = rows.session_item(rows.session_of(stored("session-open")))
    assert again == stored("session-open") | item({"fence": 1, "claims": {}, "reserved": ""})
    assert "other_site" in again
    assert "subdomain" not in again


def test_keys_and_portal_sessions_of_the_first_release_are_read() -> None:
    assert rows.key_of(stored("key")) == ApiKey(
        id="key_1", name="backend", scopes=("read", "link", "manage"), created_at=AT
    )
    assert rows.portal_of(stored("portal-of-an-owner")) == PortalSession(
        id="ps_1",
        rank="operator",
        owner=OWNER,
        created_at=AT,
        expires_at=later(hours=8),
        locale="de",
        created_by="backend",
    )
    assert rows.portal_of(stored("portal-of-all")).owner is None


def test_the_ledger_of_the_first_release_is_read() -> None:
    entry = rows.entry_of(stored("ledger-entry"))
    assert (entry.action, entry.actor) == ("linked", Actor(kind=ActorKind.SESSION, name="s1"))


def test_a_stream_record_of_the_first_release_is_read() -> None:
    ((event, told_of),) = published(stored("stream-record"))
    assert (event.type, event.event_id, event.previous_status) == (
        "Account Updated",
        "evt_57",
        "active",
    )
    assert told_of
    assert (told_of.label, told_of.revision) == ("New", 2)


def test_a_notice_of_the_first_release_is_read() -> None:
    ((event, told_of),) = published({"NewImage": stored("notice")})
    assert told_of is None
    assert event.data["account"] == {
        "id": "",
        "owner": {"id": "o1", "name": "Owner One"},
        "subdomain": "acme",
    }


@pytest.mark.parametrize("name", all_stored("account-"))
def test_both_releases_file_what_is_due_in_the_same_place(name: str) -> None:
    before, after = stored(name), rows.written(rows.row_of(stored(name)))
    if "due_shard" in before and "due_shard" in after:
        assert after["due_shard"] == before["due_shard"]


# A release to come


def of_tomorrow() -> dict[str, Any]:
    row = deepcopy(stored("account-active")) | TOMORROW
    row["identity"]["M"]["pronouns"] = {"S": "she"}
    row["site"]["M"]["country"] = {"S": "DE"}
    row["secret"]["M"]["region"] = {"S": "eu"}
    row["attempt"] = item(
        {"attempt": {"id": "a1", "at": AT, "until": AT, "secret_name": "", "why": "x"}}
    )["attempt"]
    row["unsettled"] = {"M": item({"look_at": AT, "until": AT, "times": 3})}
    row["deletion"] = {"M": item({"requested_at": AT, "region": "eu"})}
    row["status"] = {"S": "dreaming"}
    row["warnings"]["L"].append({"S": "moon_full"})
    row["status_reasons"] = {
        "L": [{"M": item({"code": "moon", "detail": "It is full.", "at": AT, "phase": 4})}]
    }
    return row


def test_an_account_of_tomorrow_is_read_and_shown() -> None:
    one = rows.row_of(of_tomorrow())
    assert isinstance(one, Account)
    assert one.status not in frozenset(Status)
    assert one.receipt
    assert one.receipt.warnings[1] not in frozenset(AccountWarning)
    shown = documents.account(one)
    assert shown["status"] == "dreaming"
    assert shown["warnings"] == ["site_unproven", "moon_full"]
    assert shown["status_reasons"] == [{"code": "moon", "detail": "It is full.", "at": AT}]
    assert shown["identity"]["role"] == "Integration"


def test_what_only_tomorrow_knows_survives_a_write() -> None:
    before = of_tomorrow()
    one = rows.row_of(before)
    assert isinstance(one, Account)
    after = rows.written(replace(one, label="New"))
    assert {key: after[key] for key in TOMORROW} == TOMORROW
    nested = ("identity", "site", "secret", "attempt", "unsettled", "deletion", "status_reasons")
    assert {key: after[key] for key in nested} == {key: before[key] for key in nested}
    assert after["warnings"] == before["warnings"]
    assert (after["status"], after["label"]) == ({"S": "dreaming"}, {"S": "New"})


def test_what_only_tomorrow_knows_of_a_part_goes_when_the_part_is_another() -> None:
    one = rows.row_of(of_tomorrow())
    assert isinstance(one, Account)
    after = rows.written(replace(one, secret=SecretVersion("arn", "v2"), attempt=None))
    assert after["secret"] == {"M": item({"arn": "arn", "version_id": "v2"})}
    assert "attempt" not in after
    assert "pronouns" in after["identity"]["M"]


def test_a_tombstone_of_tomorrow_keeps_what_it_has() -> None:
    stone = Tombstone(id="acc_1", secret_name="s", look_at=AT, until=AT)
    found = rows.row_of(rows.written(stone) | TOMORROW)
    assert isinstance(found, Tombstone)
    after = rows.written(replace(found, look_at=""))
    assert {key: after[key] for key in TOMORROW} == TOMORROW
    assert "due_at" not in after


def test_an_account_becomes_a_tombstone_with_nothing_of_its_owner() -> None:
    one = rows.row_of(of_tomorrow())
    assert isinstance(one, Account)
    row = rows.written(undone(one, NOW).after, (EVENT,))
    assert row.keys() == {
        *("pk", "sk", "id", "status", "secret_name", "until", "due_shard", "due_at", "ttl"),
        *("fence", "outbox"),
    }
    assert values(row)["ttl"] == int((NOW + timedelta(days=30, minutes=10)).timestamp())


def test_a_session_of_tomorrow_keeps_what_it_has() -> None:
    row = stored("session-used") | TOMORROW
    row["owner"]["M"]["region"] = {"S": "eu"}
    row["linked"]["M"]["place"] = {"S": "x"}
    found = rows.session_of(row)
    assert found.owner == OWNER
    after = rows.session_item(replace(found, attempts_left=1))
    assert {key: after[key] for key in TOMORROW} == TOMORROW
    assert (after["owner"], after["linked"]) == (row["owner"], row["linked"])
    assert after["attempts_left"] == {"N": "1"}
    other = rows.session_item(replace(found, owner=Owner("o2", "Two"), linked=None))
    assert other["owner"] == {"M": item({"id": "o2", "name": "Two"})}
    assert "linked" not in other


def test_keys_portals_entries_and_records_of_tomorrow_are_read() -> None:
    key = stored("key") | TOMORROW
    key["scopes"]["L"].append({"S": "dream"})
    assert rows.key_of(key).scopes == ("read", "link", "manage", "dream")
    portal = stored("portal-of-an-owner") | TOMORROW
    portal["owner"]["M"]["region"] = {"S": "eu"}
    assert rows.portal_of(portal).owner == OWNER
    entry = stored("ledger-entry") | TOMORROW | {"action": {"S": "dreamt"}}
    entry["actor"]["M"] |= {"kind": {"S": "robot"}, "model": {"S": "R2"}}
    read = rows.entry_of(entry)
    assert (read.action, read.actor.name) == ("dreamt", "s1")
    assert read.actor.kind == "robot"
    assert read.actor.kind not in frozenset(ActorKind)
    record = stored("stream-record")
    record["NewImage"] |= TOMORROW
    record["NewImage"]["outbox"]["L"][0]["M"] |= {"type": {"S": "Moon Full"}, "by": {"S": "x"}}
    ((event, told_of),) = published(record)
    assert event.type == "Moon Full"
    assert told_of
    assert documents.event(event, told_of)["account"]["label"] == "New"


# Nobody's


SECRET = "only-in-the-row"


def broken(name: str, **changes: Any) -> dict[str, Any]:
    return stored(name) | changes


UNREADABLE = [
    (rows.row_of, broken("account-active", metadata={"S": SECRET}, created_at={"N": "1"}) | gone)
    for gone in (
        {"status": {"N": "1"}},
        {"status": {"M": {SECRET: {"S": SECRET}}}},
        {"identity": {"S": SECRET}},
        {"identity": {"M": {SECRET: {"S": SECRET}}}},
        {"warnings": {"N": "1"}},
        {"status_reasons": {"L": [{"S": SECRET}]}},
        {"attempt": {"M": {"id": {"S": "a"}, "at": {"S": SECRET}}}},
        {"attempt": {"M": {"id": {"S": "a"}, "at": {"N": "1"}}}},
        {"id": {SECRET: SECRET}},
        {"unsettled": {"M": {"look_at": {"S": SECRET}}}},
    )
] + [
    (rows.row_of, {"pk": {"S": SECRET}}),
    (rows.row_of, {"status": {"S": "undone"}, "id": {"S": SECRET}}),
    (rows.session_of, broken("session-open", owner={"S": SECRET})),
    (rows.session_of, broken("session-open", owner={"M": {}})),
    (rows.session_of, broken("session-open", linked={"M": {SECRET: {"S": SECRET}}})),
    (rows.session_of, {}),
    (rows.key_of, {"pk": {"S": SECRET}}),
    (rows.key_of, broken("key", scopes={"N": "1"})),
    (rows.portal_of, broken("portal-of-an-owner", owner={"M": {}})),
    (rows.portal_of, broken("portal-of-an-owner", owner={"S": ""})),
    (rows.portal_of, broken("portal-of-an-owner", owner={"M": {"id": {"S": SECRET}}})),
    (rows.portal_of, {"pk": {"S": SECRET}}),
    (rows.entry_of, broken("ledger-entry", actor={"S": SECRET})),
    (rows.entry_of, broken("ledger-entry", actor={"M": {"kind": {"N": "1"}, "name": {"S": "x"}}})),
    (rows.entry_of, {"pk": {"S": SECRET}}),
]


@pytest.mark.parametrize(("read", "row"), UNREADABLE)
def test_what_cannot_be_read_says_nothing_of_itself(read: Any, row: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError, match=r"can't be read: \w+$") as caught:
        read(row)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


# All accounts

CALM = settings(
    deadline=None, derandomize=True, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)


def times() -> st.SearchStrategy[str]:
    return st.datetimes(min_value=NOW.replace(tzinfo=None)).map(
        lambda one: timestamp(one.replace(tzinfo=NOW.tzinfo))
    )


TEXT = st.text(max_size=8)
WORD = st.text(min_size=1, max_size=8)
TIME = times()
MAYBE = st.just("") | TIME
SOON = TIME.filter(lambda one: one < "9990")
ANSWER = st.sampled_from(["yes", "no", "unknown"])
NUMBER = st.integers(0, 10**6)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    linked_at = draw(st.just("") | SOON)
    return Account(
        id=draw(WORD),
        owner=Owner(draw(WORD), draw(TEXT)),
        subdomain=draw(WORD),
        status=draw(st.sampled_from(Status) | st.just(Status("dreaming"))),
        secret_name=draw(TEXT),
        created_at=draw(TIME),
        revision=draw(NUMBER),
        fence=draw(NUMBER),
        type=draw(st.sampled_from(["production", "test"])),
        receipt=draw(
            st.none()
            | st.builds(
                Receipt,
                site=st.builds(Site, TEXT, TEXT),
                identity=st.builds(Identity, TEXT, TEXT, TEXT, TEXT),
                visible_people=st.none() | NUMBER,
                capabilities=st.dictionaries(TEXT, ANSWER)
                | st.fixed_dictionaries(dict.fromkeys(CAPABILITIES, ANSWER)),
                warnings=st.lists(
                    st.sampled_from(AccountWarning) | st.just(AccountWarning("moon_full"))
                ).map(tuple),
            )
        ),
        health=draw(
            st.builds(
                Health,
                reasons=st.lists(st.builds(StatusReason, TEXT, TEXT, TIME), max_size=2).map(tuple),
                checked_at=MAYBE,
                next_check_at=MAYBE,
                queued_until=MAYBE,
                refused_since=MAYBE,
                undetermined=NUMBER,
                expiry_told=NUMBER,
            )
        ),
        secret=draw(st.none() | st.builds(SecretVersion, TEXT, TEXT)),
        token_hint=draw(TEXT),
        # Whatever links an account says when it was changed, and when its token ends.
        token_expires_by=draw(TIME if linked_at else MAYBE),
        label=draw(TEXT),
        metadata=draw(st.dictionaries(WORD, TEXT, max_size=3)),
        linked_at=linked_at,
        changed_at=draw(TIME if linked_at else MAYBE),
        parking=draw(st.none() | st.builds(Parking, TIME)),
        deletion=draw(
            st.none()
            | st.builds(
                Deletion,
                requested_at=TIME,
                requested_by=TEXT,
                request_id=TEXT,
                secret_arn=TEXT,
                scheduled_at=MAYBE,
                final_at=MAYBE,
                recoverable_until=TIME,
            )
        ),
        attempt=draw(
            st.none() | st.builds(Attempt, id=WORD, at=TIME, until=TIME, secret_name=TEXT)
        ),
        unsettled=draw(
            st.none() | st.builds(Unsettled, TIME, TIME, st.lists(WORD, max_size=2).map(tuple))
        ),
    )


EVENTS = st.lists(
    st.builds(
        Event,
        type=TEXT,
        event_id=TEXT,
        occurred_at=TIME,
        correlation_id=TEXT,
        previous_status=TEXT,
        data=st.dictionaries(WORD, st.none() | NUMBER | TEXT | st.lists(TEXT, max_size=2)),
    ),
    max_size=2,
).map(tuple)


@CALM
@given(accounts(), accounts(), EVENTS)
def test_every_account_is_read_as_it_was_written(
    one: Account, other: Account, events: tuple[Event, ...]
) -> None:
    row = rows.written(one, events)
    found = rows.row_of(row)
    assert found == replace(one, fence=one.fence + 1)
    assert published({"NewImage": row}) == [(event, found) for event in events]
    # Whatever changes, only what other releases know is left of the row before.
    over = rows.written(replace(other, stored=row | TOMORROW))
    assert rows.row_of(over) == replace(other, fence=other.fence + 1)
    assert over == rows.written(other) | TOMORROW


@CALM
@given(st.builds(Tombstone, id=WORD, secret_name=TEXT, look_at=MAYBE, until=SOON, fence=NUMBER))
def test_every_tombstone_is_read_as_it_was_written(stone: Tombstone) -> None:
    assert rows.row_of(rows.written(stone)) == replace(stone, fence=stone.fence + 1)


@CALM
@given(
    st.builds(
        ConnectSession,
        id=WORD,
        owner=st.builds(Owner, WORD, TEXT),
        state=st.sampled_from(["open", "used", "revoked"]),
        attempts_left=NUMBER,
        created_at=TIME,
        expires_at=SOON,
        subdomain=TEXT,
        metadata=st.dictionaries(WORD, TEXT, max_size=2),
        linked=st.none() | st.builds(Linked, WORD, st.booleans(), TEXT),
        claims=st.dictionaries(WORD, TIME, max_size=2),
        reserved=TEXT,
        fence=NUMBER,
    )
)
def test_every_session_is_read_as_it_was_written(session: ConnectSession) -> None:
    read = rows.session_of(rows.session_item(session))
    assert read == replace(session, fence=session.fence + 1)
    assert rows.session_of(rows.session_item(read)) == replace(read, fence=read.fence + 1)

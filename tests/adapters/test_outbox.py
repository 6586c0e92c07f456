"""Events on their way out, against moto: what is committed, and what a stream record tells."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from namely_link.aws.accounts import AccountTable
from namely_link.aws.outbox import OutboxTable, published
from namely_link.aws.table import Table, item, values
from namely_link.commands.ports import Done
from namely_link.domain import lifecycle
from namely_link.domain.account import Account
from namely_link.domain.lifecycle import Change, begun
from namely_link.domain.problems import Reason, StorageError, UnreadableError
from namely_link.domain.values import SecretVersion
from namely_link.http import documents
from samples import CAUSE, EVENT, NOW, active, pending, stored

DONE = Done("k1", until=NOW + timedelta(days=30))
NOTICE = replace(EVENT, type="Link Rejected", data={"code": "token_refused", "account": {"id": ""}})


@pytest.fixture
def outbox(table: Table) -> OutboxTable:
    return OutboxTable(table=table)


@pytest.fixture
def accounts(table: Table) -> AccountTable:
    return AccountTable(table=table)


def items(dynamodb) -> list[dict[str, Any]]:
    return sorted(
        dynamodb.scan(TableName="table")["Items"], key=lambda one: (one["sk"]["S"], one["pk"]["S"])
    )


# What belongs to no account


def test_a_notice_is_committed_with_its_request(dynamodb, outbox) -> None:
    outbox.notice(NOTICE, done=DONE)
    notice, request = items(dynamodb)
    assert published({"NewImage": notice}) == [(NOTICE, None)]
    assert values(notice)["ttl"] == int((NOW + timedelta(days=7)).timestamp())
    assert values(request) == {
        "pk": "REQUEST#k1",
        "sk": "REQUEST",
        "ttl": int((NOW + timedelta(days=30)).timestamp()),
    }
    assert outbox.was_done("k1")


def test_a_notice_is_committed_once(dynamodb, outbox) -> None:
    outbox.notice(NOTICE, done=DONE)
    before = items(dynamodb)
    outbox.notice(replace(NOTICE, correlation_id="r2"), done=DONE)
    outbox.notice(NOTICE, done=Done("k2", until=NOW))
    assert items(dynamodb) == before
    assert not outbox.was_done("k2")


def test_a_request_that_was_done_is_not_refused_after_all(dynamodb, outbox) -> None:
    outbox.note_done(DONE)
    outbox.notice(NOTICE, done=DONE)
    assert [one["sk"]["S"] for one in items(dynamodb)] == ["REQUEST"]


def test_a_request_is_noted_again_and_again(outbox) -> None:
    assert not outbox.was_done("k1")
    for _ in range(2):
        outbox.note_done(DONE)
    assert outbox.was_done("k1")


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("transact_write_items", lambda outbox: outbox.notice(NOTICE, done=DONE)),
        ("put_item", lambda outbox: outbox.note_done(DONE)),
    ],
)
def test_a_write_that_failed_is_a_fault(table, outbox, operation, call) -> None:
    with Stubber(table.client) as stub:
        stub.add_client_error(operation, "InternalServerError")
        stub.add_response("get_item", {})
        with pytest.raises(StorageError, match="InternalServerError"):
            call(outbox)


def test_a_read_that_failed_is_a_fault(table, outbox) -> None:
    with Stubber(table.client) as stub:
        stub.add_client_error("get_item", "InternalServerError")
        with pytest.raises(StorageError):
            outbox.was_done("k1")


# What a record of the stream tells


def image(dynamodb, account_id: str) -> dict[str, Any]:
    key = item({"pk": f"ACCOUNT#{account_id}", "sk": "ACCOUNT"})
    return dynamodb.get_item(TableName="table", Key=key)["Item"]


def test_a_commit_tells_of_the_account_as_it_was_written(dynamodb, accounts) -> None:
    begin = accounts.commit(begun(pending()))
    old = image(dynamodb, begin.id)
    change = active(begin)
    one = accounts.commit(change)
    new = image(dynamodb, one.id)
    assert published({"NewImage": old}) == []
    ((event, told_of),) = published({"OldImage": old, "NewImage": new})
    assert (event, told_of) == (change.events[0], one)
    detail = documents.event(event, told_of)
    assert (detail["version"], detail["previous_status"]) == ("1", "pending")
    assert (detail["account"]["id"], detail["account"]["status"]) == (one.id, "active")


def test_what_the_old_image_has_is_not_told_again(dynamodb, accounts) -> None:
    one = accounts.commit(active(accounts.commit(begun(pending()))))
    old = image(dynamodb, one.id)
    assert published({"OldImage": old, "NewImage": old}) == []
    # Both in one row, as a release might write them that keeps what it has told.
    more = old | {"outbox": {"L": [*old["outbox"]["L"], {"M": {"event_id": {"S": "evt_2"}}}]}}
    more["outbox"]["L"][1]["M"] |= {
        key: {"S": key} for key in ("type", "occurred_at", "correlation_id")
    }
    assert [event.event_id for event, _ in published({"OldImage": old, "NewImage": more})] == [
        "evt_2"
    ]


def test_a_row_has_an_outbox_only_where_its_write_has_events(dynamodb, accounts) -> None:
    """The stream's filter looks for one: what a row has told is not carried along."""
    begin = accounts.commit(begun(pending()))
    assert "outbox" not in image(dynamodb, begin.id)
    one = accounts.commit(active(begin))
    assert "outbox" in image(dynamodb, one.id)
    read = accounts.read(one.id)
    assert read
    accounts.commit(lifecycle.queued(read, NOW))
    assert "outbox" not in image(dynamodb, one.id)


def test_events_of_one_commit_keep_their_order(dynamodb, accounts) -> None:
    one = accounts.commit(active(accounts.commit(begun(pending()))))
    events = tuple(replace(EVENT, event_id=f"evt_{n}") for n in (3, 1, 2))
    accounts.commit(Change(before=one, after=one, events=events))
    told = published({"NewImage": image(dynamodb, one.id)})
    assert [event for event, _ in told] == list(events)


def parked(accounts: AccountTable) -> Account:
    begin = accounts.commit(begun(pending()))
    assert begin.attempt
    return accounts.commit(
        lifecycle.parked(
            begin,
            Reason.OUTAGE,
            secret=SecretVersion("arn", begin.attempt.id),
            hint="",
            until=NOW + timedelta(hours=72),
            recheck=timedelta(minutes=5),
            cause=CAUSE,
        )
    )


def test_a_tombstone_tells_of_the_link_that_was_rejected(dynamodb, accounts) -> None:
    one = parked(accounts)
    old = image(dynamodb, one.id)
    accounts.commit(lifecycle.expired(one, CAUSE))
    ((event, told_of),) = published({"OldImage": old, "NewImage": image(dynamodb, one.id)})
    assert told_of is None
    detail = documents.event(event, told_of)
    assert detail["account"] == {
        "id": one.id,
        "owner": {"id": "o1", "name": "Owner One"},
        "subdomain": "acme",
    }
    assert (event.type, detail["reason"], detail["previous_status"]) == (
        "Link Rejected",
        "park_expired",
        "pending",
    )
    assert accounts.ledger(one.id)[0].action == "rejected"


def test_a_burial_tells_of_nothing(dynamodb, accounts) -> None:
    stone = accounts.commit(lifecycle.expired(parked(accounts), CAUSE))
    old = image(dynamodb, stone.id)
    accounts.commit(lifecycle.buried(stone, NOW))
    assert published({"OldImage": old, "NewImage": image(dynamodb, stone.id)}) == []


def test_an_event_of_an_account_that_is_not_active_yet_has_the_account(dynamodb, accounts) -> None:
    one = parked(accounts)
    ((event, told_of),) = published({"NewImage": image(dynamodb, one.id)})
    assert (event.type, told_of) == ("Link Parked", one)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"NewImage": None},
        {"NewImage": {"pk": {"S": "x"}}},
        {"NewImage": stored("session-open")},
        {"OldImage": stored("notice")},
        {"OldImage": {}},
    ],
)
def test_other_records_tell_nothing(record: dict[str, Any]) -> None:
    assert published(record) == []


SECRET = "only-in-the-row"


@pytest.mark.parametrize(
    "changes",
    [
        {"outbox": {"S": SECRET}},
        {"outbox": {"N": "1"}},
        {"outbox": {"L": [{"M": {}}]}},
        {"outbox": {"L": [{"M": {"event_id": {"S": SECRET}}}]}},
        {"outbox": {SECRET: SECRET}},
        {"warnings": {"N": "1"}},
        {"status": {"N": "1"}},
    ],
)
def test_a_record_that_cannot_be_read_says_so_and_nothing_of_itself(changes) -> None:
    record = stored("stream-record")
    record["NewImage"] |= changes
    with pytest.raises(UnreadableError, match=r"can't be read: \w+$") as caught:
        published(record)
    assert caught.value.__suppress_context__


def test_an_old_image_that_cannot_be_read_hides_no_event() -> None:
    record = stored("stream-record")
    record["OldImage"] = {"warnings": {"N": "1"}, "status": {"M": {}}}
    assert [event.event_id for event, _ in published(record)] == ["evt_57"]

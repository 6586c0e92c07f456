"""Accounts against moto: conditions and transactions are DynamoDB's, not a fake's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.stub import Stubber

from namely_link.aws import table as rows
from namely_link.aws.accounts import AccountTable, Wanted
from namely_link.aws.outbox import OutboxTable, published
from namely_link.aws.sessions import SessionTable
from namely_link.aws.table import SHARDS, Table, item, values
from namely_link.commands.ports import Done, SessionUse
from namely_link.domain import lifecycle
from namely_link.domain.account import Account, Due, Status, Tombstone
from namely_link.domain.lifecycle import LEASE, Change, Names, begun, taken, undone
from namely_link.domain.problems import ConflictError, StorageError, UnreadableError
from namely_link.domain.sessions import ConnectSession, Linked
from namely_link.domain.values import new_id
from samples import ACTOR, CAUSE, EVENT, NOW, OWNER, active, gone, later, pending, stored

DONE = Done("k1", until=NOW + timedelta(days=30))


@pytest.fixture
def accounts(table: Table) -> AccountTable:
    return AccountTable(table=table)


@pytest.fixture
def sessions(table: Table) -> SessionTable:
    return SessionTable(table=table)


def begin(accounts: AccountTable, subdomain: str = "acme") -> Account:
    return accounts.commit(begun(pending(subdomain)))


def link(accounts: AccountTable, subdomain: str = "acme") -> Account:
    return accounts.commit(active(begin(accounts, subdomain)))


def unlink(accounts: AccountTable, account: Account) -> Account:
    return accounts.commit(gone(account))


def rename(account: Account, label: str = "New") -> Change[Account]:
    return lifecycle.renamed(account, Names(label=label), CAUSE)


def take(account: Account, *, later: timedelta = timedelta()) -> Change[Account]:
    now = NOW + later
    return taken(account, lifecycle.attempt(lease=LEASE, now=now), now)


def kinds(dynamodb) -> list[str]:
    return sorted(
        one["sk"]["S"].partition("#")[0] for one in dynamodb.scan(TableName="table")["Items"]
    )


def pairs(dynamodb) -> dict[str, str]:
    found = dynamodb.scan(TableName="table")["Items"]
    return {
        one["pk"]["S"].rpartition("#")[2]: one["account_id"]["S"]
        for one in found
        if one["sk"]["S"] == "PAIR"
    }


def claimed(sessions: SessionTable, attempt_id: str = "a1") -> ConnectSession:
    """Return an open session, of which an attempt has a claim."""
    session = ConnectSession(
        id=new_id("cs_"),
        owner=OWNER,
        state="open",
        attempts_left=2,
        created_at=later(),
        expires_at=later(minutes=30),
    )
    sessions.create_session(session)
    read = sessions.session(session.id)
    assert read
    sessions.save(read.claimed(attempt_id, until=NOW + LEASE, fingerprint="f", now=NOW))
    found = sessions.session(session.id)
    assert found
    return found


def use(session: ConnectSession, attempt_id: str = "a1") -> SessionUse:
    linked = Linked("acc_1", again=False, fingerprint="f")
    return SessionUse(session_id=session.id, attempt_id=attempt_id, linked=linked)


# What a commit writes


def test_a_link_that_begins_takes_its_pair(dynamodb, accounts) -> None:
    one = begin(accounts)
    assert one.fence == 1
    assert accounts.read(one.id) == one
    assert accounts.of_pair("o1", "acme") == one
    assert kinds(dynamodb) == ["ACCOUNT", "PAIR"]


def test_a_link_is_committed_with_its_event_and_its_ledger_entry(dynamodb, accounts) -> None:
    change = active(begin(accounts))
    one = accounts.commit(change)
    assert accounts.row(one.id) == one
    assert (one.fence, one.revision, one.attempt) == (2, 1, None)
    assert kinds(dynamodb) == ["ACCOUNT", "LEDGER", "PAIR"]
    row = dynamodb.get_item(TableName="table", Key=rows.account_key(one.id))["Item"]
    assert published({"NewImage": row}) == [(change.events[0], one)]
    assert accounts.ledger(one.id) == [change.entry]


def test_a_write_that_tells_of_nothing_is_the_row_alone(dynamodb, accounts) -> None:
    one = link(accounts)
    before = kinds(dynamodb)
    held = accounts.commit(take(one))
    assert accounts.read(one.id) == held
    assert held.fence == one.fence + 1
    assert kinds(dynamodb) == before
    row = dynamodb.get_item(TableName="table", Key=rows.account_key(one.id))["Item"]
    assert "outbox" not in row


def test_a_link_that_wrote_nothing_leaves_nothing(dynamodb, accounts) -> None:
    one = begin(accounts)
    assert accounts.commit(lifecycle.let_go(one, wrote=False, now=NOW)) is None
    assert kinds(dynamodb) == []
    assert (accounts.row(one.id), accounts.of_pair("o1", "acme")) == (None, None)


def test_a_row_without_a_pair_is_deleted_by_itself(dynamodb, accounts) -> None:
    one = unlink(accounts, link(accounts))
    before = kinds(dynamodb)
    assert accounts.commit(Change(before=one, after=None)) is None
    before.remove("ACCOUNT")
    assert kinds(dynamodb) == before


def test_a_link_that_comes_to_nothing_leaves_a_tombstone_and_its_pair(dynamodb, accounts) -> None:
    one = begin(accounts)
    stone = accounts.commit(undone(one, NOW))
    assert accounts.row(one.id) == stone
    assert stone == Tombstone(
        id=one.id, secret_name=one.secret_name, look_at=later(), until=later(minutes=10), fence=2
    )
    assert accounts.read(one.id) is None
    assert accounts.of_pair("o1", "acme") is None
    assert accounts.accounts(Wanted()) == ([], "")
    assert kinds(dynamodb) == ["ACCOUNT"]
    assert accounts.commit(lifecycle.buried(stone, NOW)).look_at == later(minutes=10)


def test_the_pair_of_a_dead_link_passes_on_at_once(dynamodb, accounts) -> None:
    dead = begin(accounts)
    new = accounts.commit(begun(pending()), undone(dead, NOW))
    assert accounts.of_pair("o1", "acme") == new
    assert isinstance(accounts.row(dead.id), Tombstone)
    assert pairs(dynamodb) == {"acme": new.id}


def test_an_unlinking_lets_go_of_the_pair_and_says_when(dynamodb, accounts) -> None:
    assert accounts.unlinked_at("o1", "acme") == ""
    one = unlink(accounts, link(accounts))
    assert accounts.unlinked_at("o1", "acme") == later()
    assert accounts.of_pair("o1", "acme") is None
    assert kinds(dynamodb) == ["ACCOUNT", "LEDGER", "LEDGER", "SEEN"]
    seen = dynamodb.get_item(TableName="table", Key=rows.pair_key("o1", "acme", "SEEN"))["Item"]
    assert values(seen)["ttl"] == int((NOW + timedelta(days=400)).timestamp())
    new = link(accounts)
    assert accounts.of_pair("o1", "acme") == new
    assert accounts.read(one.id) == one


def test_a_restored_account_takes_its_pair_again(accounts) -> None:
    one = unlink(accounts, link(accounts))
    back = accounts.commit(lifecycle.restored(one, CAUSE))
    assert accounts.of_pair("o1", "acme") == back


def test_a_link_uses_its_session_up(sessions, accounts) -> None:
    session = claimed(sessions)
    accounts.commit(active(begin(accounts)), use=use(session))
    found = sessions.session(session.id)
    assert found
    assert found == replace(
        session, state="used", claims={}, linked=use(session).linked, fence=session.fence + 1
    )


def test_a_request_is_done_with_its_commit(table, accounts) -> None:
    accounts.commit(active(begin(accounts)), done=DONE)
    assert OutboxTable(table=table).was_done("k1")


def test_a_row_of_the_first_release_is_written(dynamodb, accounts) -> None:
    dynamodb.put_item(TableName="table", Item=stored("account-active"))
    one = accounts.row("acc_01M86D6T0CX8MWC68PYQJ4CK03")
    assert isinstance(one, Account)
    renamed = accounts.commit(rename(one))
    assert accounts.read(one.id) == renamed
    assert (renamed.fence, renamed.label) == (1, "New")


# What it refuses


def refused(dynamodb, call: Callable[[], object]) -> None:
    """Expect that a write is refused, and that nothing at all was written."""
    before = dynamodb.scan(TableName="table")["Items"]
    with pytest.raises(ConflictError):
        call()
    assert dynamodb.scan(TableName="table")["Items"] == before


def test_a_row_that_was_written_since_it_was_read_is_not_written(dynamodb, accounts) -> None:
    one = link(accounts)
    accounts.commit(take(one))
    refused(dynamodb, lambda: accounts.commit(take(one)))
    refused(dynamodb, lambda: accounts.commit(rename(one)))
    refused(dynamodb, lambda: accounts.commit(gone(one)))
    refused(dynamodb, lambda: accounts.commit(Change(before=one, after=None)))


def test_a_row_that_the_first_release_has_counted_anew_is_not_written(dynamodb, accounts) -> None:
    """It writes whole rows without a fence, so the next write of ours begins to count again."""
    one = accounts.commit(take(link(accounts)))
    dynamodb.put_item(TableName="table", Item=rows.written(replace(one, fence=0)))
    refused(dynamodb, lambda: accounts.commit(lifecycle.refiled(one)))


def test_a_row_that_is_gone_is_not_written(dynamodb, accounts) -> None:
    one = begin(accounts)
    accounts.commit(lifecycle.let_go(one, wrote=False, now=NOW))
    refused(dynamodb, lambda: accounts.commit(lifecycle.refiled(one)))
    refused(dynamodb, lambda: accounts.commit(active(one)))
    old = replace(one, fence=0)
    refused(dynamodb, lambda: accounts.commit(lifecycle.refiled(old)))


def test_a_row_of_the_first_release_is_not_written_twice_as_it_was_read(dynamodb, accounts) -> None:
    dynamodb.put_item(TableName="table", Item=stored("account-active"))
    one = accounts.row("acc_01M86D6T0CX8MWC68PYQJ4CK03")
    accounts.commit(take(one))
    refused(dynamodb, lambda: accounts.commit(take(one)))


def test_a_row_is_begun_once(dynamodb, accounts) -> None:
    first = pending()
    accounts.commit(begun(first))
    other = replace(first, subdomain="other")
    refused(dynamodb, lambda: accounts.commit(begun(other)))


def test_a_pair_of_another_is_not_taken(dynamodb, accounts) -> None:
    one = unlink(accounts, link(accounts))
    new = begin(accounts)
    refused(dynamodb, lambda: accounts.commit(begun(pending())))
    refused(dynamodb, lambda: accounts.commit(lifecycle.restored(one, CAUSE)))
    assert pairs(dynamodb) == {"acme": new.id}


def test_a_pair_that_has_passed_on_does_not_pass_on_again(dynamodb, accounts) -> None:
    dead = begin(accounts)
    accounts.commit(begun(pending()), undone(dead, NOW))
    refused(dynamodb, lambda: accounts.commit(begun(pending()), undone(dead, NOW)))


def test_a_pair_of_another_is_not_let_go_of(dynamodb, accounts) -> None:
    one = link(accounts)
    other = rows.pair_key("o1", "acme") | item({"account_id": "acc_other"})
    dynamodb.put_item(TableName="table", Item=other)
    refused(dynamodb, lambda: accounts.commit(gone(one)))


@pytest.mark.parametrize("state", ["used", "revoked"])
def test_a_session_that_is_over_commits_nothing(dynamodb, sessions, accounts, state) -> None:
    session = claimed(sessions)
    sessions.save(replace(session, state=state))
    one = begin(accounts)
    refused(dynamodb, lambda: accounts.commit(active(one), use=use(session)))


def test_a_claim_that_has_ended_commits_nothing(dynamodb, sessions, accounts) -> None:
    session = claimed(sessions)
    one = begin(accounts)
    refused(dynamodb, lambda: accounts.commit(active(one), use=use(session, "a2")))
    sessions.save(session.given_back("a1"))
    refused(dynamodb, lambda: accounts.commit(active(one), use=use(session)))


def test_a_session_that_is_gone_or_of_the_first_release_has_no_claim(
    dynamodb, sessions, accounts
) -> None:
    one = begin(accounts)
    session = claimed(sessions)
    refused(
        dynamodb,
        lambda: accounts.commit(active(one), use=replace(use(session), session_id="cs_none")),
    )
    dynamodb.put_item(TableName="table", Item=stored("session-open"))
    refused(
        dynamodb, lambda: accounts.commit(active(one), use=replace(use(session), session_id="cs_1"))
    )


def test_a_request_that_was_done_is_not_done_again(dynamodb, table, accounts) -> None:
    one = begin(accounts)
    OutboxTable(table=table).note_done(DONE)
    refused(dynamodb, lambda: accounts.commit(active(one), done=DONE))


# Faults


def cancelled(*codes: str) -> dict[str, Any]:
    return {
        "service_error_code": "TransactionCanceledException",
        "modeled_fields": {"CancellationReasons": [{"Code": one} for one in codes]},
    }


@pytest.mark.parametrize(
    "code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_a_transaction_that_was_cancelled_for_another_reason_is_a_fault(
    table, accounts, code
) -> None:
    """The codes are those of TransactWriteItems in the API reference of DynamoDB."""
    one = link(accounts)
    with Stubber(table.client) as stub:
        stub.add_client_error("transact_write_items", **cancelled("None", code))
        stub.add_response("get_item", {"Item": one.stored} if one.stored else {})
        with pytest.raises(StorageError, match="TransactWriteItems: TransactionCanceledException"):
            accounts.commit(rename(one))
        stub.assert_no_pending_responses()


def test_a_condition_decides_beside_other_reasons(table, accounts) -> None:
    one = link(accounts)
    with Stubber(table.client) as stub:
        reasons = cancelled("ConditionalCheckFailed", "TransactionConflict")
        stub.add_client_error("transact_write_items", **reasons)
        with pytest.raises(ConflictError):
            accounts.commit(rename(one))


def lose_answers(client, operation: str) -> list[str]:
    """Let calls take effect, and their answers be lost."""
    lost: list[str] = []

    def lose(**_unused: object) -> None:
        lost.append(operation)
        raise ReadTimeoutError(endpoint_url="https://dynamodb.example.com")

    client.meta.events.register(f"after-call.dynamodb.{operation}", lose)
    return lost


@pytest.mark.parametrize(
    ("operation", "change"),
    [("PutItem", take), ("TransactWriteItems", rename), ("TransactWriteItems", gone)],
)
def test_a_write_whose_answer_was_lost_is_known_by_its_row(
    dynamodb, accounts, operation, change
) -> None:
    one = link(accounts)
    lost = lose_answers(dynamodb, operation)
    done = accounts.commit(change(one))
    assert lost == [operation]
    assert accounts.read(one.id) == done
    assert done.fence == one.fence + 1


def test_a_deletion_whose_answer_was_lost_is_known_by_its_row(dynamodb, accounts) -> None:
    one = begin(accounts)
    lose_answers(dynamodb, "TransactWriteItems")
    assert accounts.commit(lifecycle.let_go(one, wrote=False, now=NOW)) is None
    assert kinds(dynamodb) == []


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ("PutItem", take),
        ("TransactWriteItems", rename),
        ("TransactWriteItems", lambda one: Change(before=one, after=None)),
    ],
)
def test_a_write_that_never_arrived_is_a_fault(dynamodb, accounts, operation, change) -> None:
    one = link(accounts)

    def fail(**_unused: object) -> None:
        raise ConnectionClosedError(endpoint_url="https://dynamodb.example.com")

    dynamodb.meta.events.register(f"before-send.dynamodb.{operation}", fail)
    with pytest.raises(StorageError, match=f"{operation}: ConnectionClosedError"):
        accounts.commit(change(one))
    assert accounts.read(one.id) == one


def test_a_write_that_another_has_followed_is_not_known(dynamodb, accounts) -> None:
    one = link(accounts)

    def follow(**_unused: object) -> None:
        dynamodb.meta.events.unregister("after-call.dynamodb.PutItem", follow)
        found = accounts.read(one.id)
        accounts.commit(take(found, later=LEASE))
        raise ReadTimeoutError(endpoint_url="https://dynamodb.example.com")

    dynamodb.meta.events.register("after-call.dynamodb.PutItem", follow)
    with pytest.raises(StorageError):
        accounts.commit(take(one))


def test_a_write_that_botocore_has_tried_again_is_no_conflict(dynamodb, accounts) -> None:
    """The first one took effect: PutItem answers to the second with the item that it has found."""
    one = link(accounts)
    change = take(one)
    dynamodb.put_item(TableName="table", Item=rows.written(change.after))
    assert accounts.commit(change).attempt == change.after.attempt
    refused(dynamodb, lambda: accounts.commit(take(one)))


def test_a_transaction_has_a_token_for_botocores_own_tries(dynamodb, accounts) -> None:
    sent: list[str] = []

    def note(params: dict[str, Any], **_unused: object) -> None:
        sent.append(str(params["body"]))

    dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", note)
    begin(accounts)
    assert "ClientRequestToken" in sent[0]


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("get_item", lambda accounts: accounts.row("acc_1")),
        ("get_item", lambda accounts: accounts.read("acc_1")),
        ("get_item", lambda accounts: accounts.of_pair("o1", "acme")),
        ("get_item", lambda accounts: accounts.unlinked_at("o1", "acme")),
        ("query", lambda accounts: accounts.accounts(Wanted())),
        ("query", lambda accounts: accounts.every(owner_id="o1", subdomain="")),
        ("query", lambda accounts: accounts.ledger("acc_1")),
        ("query", lambda accounts: accounts.due(0, now=NOW, limit=9)),
    ],
)
def test_a_fault_of_dynamodb_is_translated(table, accounts, operation, call) -> None:
    with Stubber(table.client) as stub:
        stub.add_client_error(operation, "ProvisionedThroughputExceededException")
        with pytest.raises(StorageError, match="ProvisionedThroughputExceededException"):
            call(accounts)


def test_a_call_that_never_went_out_is_translated(dynamodb) -> None:
    nameless = AccountTable(table=Table(client=dynamodb, name=""))
    with pytest.raises(StorageError, match="ParamValidationError"):
        nameless.read("acc_1")


# Reading


def test_rows_and_pairs_are_read_consistently(dynamodb, accounts) -> None:
    asked: list[bool] = []

    def note(params: dict[str, Any], **_unused: object) -> None:
        asked.append(params["ConsistentRead"])

    one = link(accounts)
    dynamodb.meta.events.register("before-parameter-build.dynamodb.GetItem", note)
    assert accounts.of_pair("o1", "acme") == accounts.row(one.id)
    assert asked == [True] * 3


@pytest.mark.parametrize("left", ["nothing", "a tombstone", "an unlinked account"])
def test_a_pair_that_was_let_go_of_while_it_was_read_is_a_fault(dynamodb, accounts, left) -> None:
    one = begin(accounts)
    if left == "nothing":
        dynamodb.delete_item(TableName="table", Key=rows.account_key(one.id))
    elif left == "a tombstone":
        accounts.commit(undone(one, NOW))
    else:
        unlink(accounts, accounts.commit(active(one)))
    pair = rows.pair_key("o1", "acme") | item({"account_id": one.id})
    dynamodb.put_item(TableName="table", Item=pair)
    with pytest.raises(StorageError, match="let go"):
        accounts.of_pair("o1", "acme")


def break_row(dynamodb, account: Account) -> None:
    key = rows.account_key(account.id)
    row = dynamodb.get_item(TableName="table", Key=key)["Item"]
    dynamodb.put_item(TableName="table", Item=row | {"warnings": {"N": "1"}})


def test_a_row_that_cannot_be_read_says_so(dynamodb, accounts) -> None:
    one = link(accounts)
    break_row(dynamodb, one)
    for read in (accounts.row, accounts.read):
        with pytest.raises(UnreadableError):
            read(one.id)
    with pytest.raises(UnreadableError):
        accounts.of_pair("o1", "acme")


def many(accounts: AccountTable) -> list[Account]:
    """Return five accounts, the newest first: of two owners, at three sites, one suspended."""
    made = []
    for n, (owner, subdomain) in enumerate(
        [("o1", "a"), ("o1", "b"), ("o2", "a"), ("o1", "c"), ("o2", "c")]
    ):
        account_id = f"acc_{n}"
        first = replace(
            pending(subdomain),
            id=account_id,
            owner=replace(OWNER, id=owner),
        )
        made.append(accounts.commit(active(accounts.commit(begun(first)))))
    change = lifecycle.paused(made[1], Status.SUSPENDED, CAUSE)
    assert change
    made[1] = accounts.commit(change)
    return made[::-1]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"owner_id": "o1"}, [3, 1, 0]),
        ({"subdomain": "c"}, [4, 3]),
        ({"owner_id": "o2", "subdomain": "c"}, [4]),
        ({"status": "suspended"}, [1]),
        ({"status": "active", "owner_id": "o1"}, [3, 0]),
        ({"status": "active", "owner_id": "o1", "subdomain": "a"}, [0]),
        ({"status": "active", "subdomain": "b"}, []),
        ({"owner_id": "o3"}, []),
    ],
)
def test_accounts_are_listed_newest_first_by_pages(accounts, wanted, expected) -> None:
    made = {one.id: one for one in many(accounts)}
    for limit in (1, 2, 50):
        found, cursor = accounts.accounts(Wanted(limit=limit, **wanted))
        while cursor:
            page, cursor = accounts.accounts(Wanted(limit=limit, cursor=cursor, **wanted))
            assert len(page) <= limit
            found += page
        assert found == [made[f"acc_{n}"] for n in expected]


def test_every_account_is_found_over_pages(accounts, monkeypatch) -> None:
    made = many(accounts)
    pages = []
    query = Table.query

    def short(self: Table, asked: dict[str, Any]) -> Any:
        pages.append(asked)
        return query(self, asked | {"Limit": 1})

    monkeypatch.setattr(Table, "query", short)
    monkeypatch.setattr("namely_link.aws.accounts._MOST_QUERIES", 1)
    assert accounts.every(owner_id="o1", subdomain="") == [
        one for one in made if one.owner.id == "o1"
    ]
    assert len(pages) >= 3
    assert len(accounts.every(owner_id="", subdomain="a")) == 2
    assert len(accounts.every(owner_id="o2", subdomain="a")) == 1


def test_a_row_that_cannot_be_read_hides_no_other(dynamodb, accounts) -> None:
    made = many(accounts)
    break_row(dynamodb, made[0])
    found, _ = accounts.accounts(Wanted(limit=4))
    assert found == made[1:]
    assert accounts.every(owner_id="o2", subdomain="") == [made[2]]


def test_a_page_that_a_filter_empties_ends_when_it_has_looked_long_enough(table, accounts) -> None:
    with Stubber(table.client) as stub:
        for _ in range(20):
            stub.add_response("query", {"Items": [], "LastEvaluatedKey": {"id": {"S": "acc_1"}}})
        assert accounts.accounts(Wanted(status="error")) == ([], "acc_1")
        stub.assert_no_pending_responses()


def test_the_ledger_is_read_newest_first(dynamodb, accounts) -> None:
    one = link(accounts)
    one = accounts.commit(rename(one))
    unlink(accounts, one)
    found = accounts.ledger(one.id)
    # What happened within a millisecond has no order.
    assert {entry.action for entry in found} == {"linked", "renamed", "unlinked"}
    assert {entry.actor for entry in found} == {ACTOR}
    bad = item({"pk": f"ACCOUNT#{one.id}", "sk": "LEDGER#1"})
    dynamodb.put_item(TableName="table", Item=bad)
    assert accounts.ledger(one.id) == found


def test_the_ledger_shows_its_newest_hundred(dynamodb, accounts) -> None:
    entries = [
        {"Put": {"TableName": "table", "Item": stored("ledger-entry") | item(own)}}
        for own in ({"sk": f"LEDGER#{n:03}", "detail": str(n)} for n in range(101))
    ]
    for some in (entries[:50], entries[50:]):
        dynamodb.transact_write_items(TransactItems=some)
    account_id = stored("ledger-entry")["pk"]["S"].removeprefix("ACCOUNT#")
    found = accounts.ledger(account_id)
    assert [entry.detail for entry in found] == [str(n) for n in range(100, 0, -1)]


# What is due


def due(accounts: AccountTable, **wait: float) -> list[Due]:
    now = NOW + timedelta(**wait)
    return [one for shard in range(SHARDS) for one in accounts.due(shard, now=now, limit=9)]


def test_an_account_is_due_when_its_lifecycle_says(accounts) -> None:
    one = begin(accounts)
    assert due(accounts, seconds=34) == []
    assert due(accounts, seconds=35) == [Due(one.id, later(seconds=35))]
    one = accounts.commit(active(one))
    assert due(accounts, seconds=35) == []
    assert due(accounts, days=1) == [Due(one.id, later(days=1))]
    change = lifecycle.paused(one, Status.SUSPENDED, CAUSE)
    assert change
    accounts.commit(change)
    assert due(accounts, days=400) == []


def test_a_tombstone_is_due_until_there_is_nothing_left(accounts) -> None:
    stone = accounts.commit(undone(begin(accounts), NOW))
    assert due(accounts) == [Due(stone.id, later())]
    stone = accounts.commit(lifecycle.buried(stone, NOW))
    assert due(accounts, minutes=9) == []
    assert due(accounts, minutes=10) == [Due(stone.id, later(minutes=10))]
    accounts.commit(lifecycle.buried(stone, NOW + timedelta(minutes=10)))
    assert due(accounts, days=400) == []


def test_what_is_due_longest_comes_first_and_no_more_than_asked(dynamodb, accounts) -> None:
    for n, at in enumerate([later(), later(hours=-1), later(hours=-2)]):
        row = rows.account_key(f"acc_{n}") | item({"due_shard": "3", "due_at": at})
        dynamodb.put_item(TableName="table", Item=row)
    assert accounts.due(3, now=NOW, limit=2) == [
        Due("acc_2", later(hours=-2)),
        Due("acc_1", later(hours=-1)),
    ]
    assert accounts.due(4, now=NOW, limit=2) == []


def test_an_event_of_the_row_is_told_once(dynamodb, accounts) -> None:
    one = link(accounts)
    key = rows.account_key(one.id)
    before = dynamodb.get_item(TableName="table", Key=key)["Item"]
    accounts.commit(Change(before=one, after=one, events=(EVENT,)))
    after = dynamodb.get_item(TableName="table", Key=key)["Item"]
    assert [event for event, _ in published({"OldImage": before, "NewImage": after})] == [EVENT]


# Many rows at once


def test_many_rows_are_read_by_their_ids(accounts: AccountTable) -> None:
    one, two = link(accounts, "one"), begin(accounts, "two")
    stone = accounts.commit(undone(two, NOW))
    found = accounts.rows([one.id, "acc_nobody", stone.id])
    assert found == {one.id: one, stone.id: stone}


def test_an_account_that_the_index_shows_twice_is_read_once(accounts: AccountTable) -> None:
    one = link(accounts)
    assert accounts.rows([one.id, one.id]) == {one.id: one}


def test_no_rows_are_read_without_a_call(accounts: AccountTable) -> None:
    with Stubber(accounts.table.client):
        assert accounts.rows([]) == {}


def test_a_row_that_cannot_be_read_hides_no_other_one(dynamodb, accounts: AccountTable) -> None:
    one, two = link(accounts, "one"), link(accounts, "two")
    odd = rows.written(one) | {"status": {"N": "1"}}
    dynamodb.put_item(TableName="table", Item=odd)
    found = accounts.rows([one.id, two.id])
    assert isinstance(found[one.id], UnreadableError)
    assert found[two.id] == two


def keys_of(number: int) -> list[dict[str, Any]]:
    return [rows.account_key(f"acc_{one}") for one in range(number)]


def batch(keys: list[dict[str, Any]]) -> dict[str, Any]:
    return {"RequestItems": {"table": {"Keys": keys, "ConsistentRead": True}}}


def test_rows_are_read_a_hundred_at_a_time_and_consistently(table: Table) -> None:
    keys = keys_of(250)
    with Stubber(table.client) as stub:
        for some in (keys[:100], keys[100:200], keys[200:]):
            answer = {"Responses": {"table": some[:1]}, "UnprocessedKeys": {}}
            stub.add_response("batch_get_item", answer, batch(some))
        assert table.get_many(keys) == [keys[0], keys[100], keys[200]]
        stub.assert_no_pending_responses()


def test_what_dynamodb_leaves_for_later_is_asked_for_again(table: Table) -> None:
    keys = keys_of(3)
    later = {"table": {"Keys": keys[1:], "ConsistentRead": True}}
    with Stubber(table.client) as stub:
        answer = {"Responses": {"table": keys[:1]}, "UnprocessedKeys": later}
        stub.add_response("batch_get_item", answer, batch(keys))
        answer = {"Responses": {"table": keys[1:]}, "UnprocessedKeys": {}}
        stub.add_response("batch_get_item", answer, batch(keys[1:]))
        assert table.get_many(keys) == keys


def test_where_dynamodb_leaves_all_for_later_the_call_has_failed(table: Table) -> None:
    keys = keys_of(2)
    with Stubber(table.client) as stub:
        answer = {"Responses": {}, "UnprocessedKeys": {"table": {"Keys": keys}}}
        stub.add_response("batch_get_item", answer, batch(keys))
        with pytest.raises(StorageError, match="UnprocessedKeys"):
            table.get_many(keys)


def test_rows_that_cannot_be_asked_for_are_a_fault(accounts: AccountTable) -> None:
    with Stubber(accounts.table.client) as stub:
        stub.add_client_error("batch_get_item", "ProvisionedThroughputExceededException")
        with pytest.raises(StorageError, match="BatchGetItem"):
            accounts.rows(["acc_1"])

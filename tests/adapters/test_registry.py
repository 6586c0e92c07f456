"""The registry against moto: conditions and transactions are DynamoDB's, not a fake's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from botocore.stub import Stubber

from namely_link.aws.registry import SHARDS, DynamoDbRegistry, Wanted
from namely_link.domain.account import (
    LEASE,
    Account,
    AccountWarning,
    Actor,
    ApiKey,
    Attempt,
    ConnectSession,
    Event,
    Identity,
    LedgerEntry,
    Linked,
    Owner,
    SecretVersion,
    Site,
    Status,
    StatusReason,
    new_id,
    timestamp,
)
from namely_link.domain.problems import ConflictError, Problem, Reason, StorageError

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWNER = Owner("o1", "Owner One")
ENTRY = LedgerEntry(
    at=timestamp(NOW), action="linked", actor=Actor(kind="session", name="s1"), request_id="r1"
)
EVENT = Event(type="Account Linked", event_id="e1", occurred_at=timestamp(NOW), correlation_id="r1")


@pytest.fixture
def client(table):
    return table


@pytest.fixture
def registry(client) -> DynamoDbRegistry:
    return DynamoDbRegistry(client=client, table="table")


def attempt(at: datetime = NOW) -> Attempt:
    return Attempt(id=str(uuid4()), at=timestamp(at))


def proposal() -> Account:
    account_id = new_id("acc_")
    return Account(
        id=account_id,
        owner=OWNER,
        subdomain="acme",
        status=Status.PENDING,
        secret_name=f"stack/namely/{account_id}",
        created_at=timestamp(NOW),
    )


def linked(begun: Account, version: str = "v1") -> Account:
    return replace(
        begun,
        status=Status.ACTIVE,
        site=Site("Acme", "acme"),
        identity=Identity("p1", "Ada Example", "active", "Integration"),
        visible_people=412,
        capabilities={"profiles": "yes"},
        warnings=(AccountWarning.SITE_UNPROVEN,),
        status_reasons=(StatusReason("namely_unavailable", "down", timestamp(NOW)),),
        secret=SecretVersion("arn", version),
        metadata={"plan": "gold"},
        next_check_at=timestamp(NOW + timedelta(days=1)),
    )


def commit(
    registry: DynamoDbRegistry, begun: Account, *, session: str = "", version: str = "v1"
) -> Account:
    assert begun.attempt
    return registry.commit(
        linked(begun, version),
        attempt_id=begun.attempt.id,
        previous=begun,
        session_id=session,
        linked=Linked(begun.id, again=False, fingerprint="f") if session else None,
        events=(EVENT,),
        entry=ENTRY,
        due_at=timestamp(NOW + timedelta(days=1)),
    )


def open_session(registry: DynamoDbRegistry, **changes: object) -> ConnectSession:
    session = ConnectSession(
        id=new_id("cs_"),
        owner=OWNER,
        state="open",
        attempts_left=2,
        created_at=timestamp(NOW),
        expires_at=timestamp(NOW + timedelta(minutes=30)),
    )
    session = replace(session, **changes)
    registry.create_session(session)
    return session


def reason_of(call) -> Reason:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value.reason


def items(client) -> list[str]:
    return sorted(
        item["sk"]["S"].partition("#")[0] for item in client.scan(TableName="table")["Items"]
    )


def test_a_session_is_read_as_it_was_written(registry) -> None:
    session = open_session(registry, metadata={"a": "b"}, confirm=True)
    assert registry.session(session.id) == session


def test_a_claim_takes_one_attempt_until_none_is_left(registry) -> None:
    session = open_session(registry)
    assert registry.claim(session.id, now=NOW).attempts_left == 1
    assert registry.claim(session.id, now=NOW).attempts_left == 0
    assert reason_of(lambda: registry.claim(session.id, now=NOW)) is Reason.ATTEMPTS_EXHAUSTED


def test_an_expired_session_is_refused(registry) -> None:
    session = open_session(registry)
    late = NOW + timedelta(minutes=30)
    assert reason_of(lambda: registry.claim(session.id, now=late)) is Reason.SESSION_EXPIRED


def test_a_revoked_session_is_refused(registry) -> None:
    session = open_session(registry, state="revoked")
    assert reason_of(lambda: registry.claim(session.id, now=NOW)) is Reason.SESSION_USED


def test_an_unknown_session_is_refused(registry) -> None:
    assert reason_of(lambda: registry.claim("cs_nobody", now=NOW)) is Reason.UNAUTHORIZED


def test_a_new_pair_gets_a_pending_row(client, registry) -> None:
    begun = registry.begin(proposal(), attempt=attempt(), now=NOW)
    assert registry.account(begun.id) == begun
    assert begun.status is Status.PENDING
    assert items(client) == ["ACCOUNT", "PAIR"]


def test_two_attempts_on_one_pair_do_not_run_at_once(registry) -> None:
    registry.begin(proposal(), attempt=attempt(), now=NOW)
    later = NOW + LEASE - timedelta(seconds=1)
    assert (
        reason_of(lambda: registry.begin(proposal(), attempt=attempt(later), now=later))
        is Reason.CONFLICT
    )


def test_an_attempt_that_died_is_taken_over(registry) -> None:
    dead = registry.begin(proposal(), attempt=attempt(), now=NOW)
    later = NOW + LEASE
    begun = registry.begin(proposal(), attempt=attempt(later), now=later)
    assert begun.id == dead.id
    with pytest.raises(ConflictError):
        commit(registry, dead)
    assert commit(registry, begun).status is Status.ACTIVE


def test_a_commit_is_read_as_it_was_written(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    assert registry.account(done.id) == done
    assert (done.revision, done.attempt) == (1, None)
    assert items(client) == ["ACCOUNT", "LEDGER", "PAIR"]


def test_a_commit_carries_its_event_in_the_same_item(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    row = client.get_item(
        TableName="table", Key={"pk": {"S": f"ACCOUNT#{done.id}"}, "sk": {"S": "ACCOUNT"}}
    )["Item"]
    assert row["outbox"]["L"][0]["M"]["event_id"] == {"S": "e1"}


def test_a_commit_uses_the_session_up(registry) -> None:
    session = open_session(registry)
    done = commit(
        registry, registry.begin(proposal(), attempt=attempt(), now=NOW), session=session.id
    )
    used = registry.claim(session.id, now=NOW)
    assert (used.state, used.attempts_left) == ("used", 2)
    assert used.linked == Linked(done.id, again=False, fingerprint="f")


def test_a_used_session_commits_nothing(registry) -> None:
    session = open_session(registry, state="used")
    begun = registry.begin(proposal(), attempt=attempt(), now=NOW)
    with pytest.raises(ConflictError):
        commit(registry, begun, session=session.id)
    assert registry.account(begun.id) == begun


def test_linking_again_is_an_attempt_on_the_same_account(registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    begun = registry.begin(proposal(), attempt=attempt(), now=NOW)
    assert (begun.id, begun.revision) == (done.id, 1)
    assert commit(registry, begun, version="v2").revision == 2


def test_an_abandoned_first_attempt_leaves_nothing(client, registry) -> None:
    begun = registry.begin(proposal(), attempt=attempt(), now=NOW)
    registry.abandon(begun, attempt_id=begun.attempt.id, secret_written=False)
    assert items(client) == []


def test_a_row_on_which_a_secret_may_hang_is_released_for_the_next(registry) -> None:
    begun = registry.begin(proposal(), attempt=attempt(), now=NOW)
    registry.abandon(begun, attempt_id=begun.attempt.id, secret_written=True)
    assert registry.begin(proposal(), attempt=attempt(), now=NOW).id == begun.id


def test_a_failed_relink_leaves_the_account_as_it_was_and_its_secret_to_the_sweep(registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    begun = registry.begin(proposal(), attempt=attempt(), now=NOW)
    registry.abandon(begun, attempt_id=begun.attempt.id, secret_written=True)
    assert registry.account(done.id) == replace(done, unpromoted=True)


def test_who_lost_the_lease_abandons_nothing(registry) -> None:
    dead = registry.begin(proposal(), attempt=attempt(), now=NOW)
    later = NOW + LEASE
    begun = registry.begin(proposal(), attempt=attempt(later), now=later)
    registry.abandon(dead, attempt_id=dead.attempt.id, secret_written=False)
    assert registry.account(begun.id) == begun


def test_a_promotion_is_noted_for_its_own_revision_only(registry) -> None:
    begun = registry.begin(replace(proposal(), unpromoted=True), attempt=attempt(), now=NOW)
    done = commit(registry, begun)
    registry.promoted(replace(done, revision=7))
    assert registry.account(done.id).unpromoted
    registry.promoted(done)
    assert not registry.account(done.id).unpromoted


def test_two_that_begin_a_new_pair_at_once_conflict(client, registry, monkeypatch) -> None:
    registry.begin(proposal(), attempt=attempt(), now=NOW)
    monkeypatch.setattr(DynamoDbRegistry, "_get", lambda *_: None)
    assert (
        reason_of(lambda: registry.begin(proposal(), attempt=attempt(), now=NOW)) is Reason.CONFLICT
    )
    assert items(client) == ["ACCOUNT", "PAIR"]


def test_two_that_relink_at_once_conflict(registry, monkeypatch) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    registry.begin(proposal(), attempt=attempt(), now=NOW)
    monkeypatch.setattr(DynamoDbRegistry, "account", lambda *_: done)
    assert (
        reason_of(lambda: registry.begin(proposal(), attempt=attempt(), now=NOW)) is Reason.CONFLICT
    )


def test_a_pair_without_its_account_is_a_fault_of_storage(client, registry) -> None:
    begun = registry.begin(proposal(), attempt=attempt(), now=NOW)
    client.delete_item(
        TableName="table", Key={"pk": {"S": f"ACCOUNT#{begun.id}"}, "sk": {"S": "ACCOUNT"}}
    )
    with pytest.raises(StorageError):
        registry.begin(proposal(), attempt=attempt(), now=NOW)


def test_a_throttled_call_is_a_fault_of_storage(client, registry) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("get_item", "ProvisionedThroughputExceededException")
        with pytest.raises(StorageError, match="GetItem: ProvisionedThroughputExceeded"):
            registry.account("acc_1")


def test_a_call_that_never_went_out_is_a_fault_of_storage(client) -> None:
    with pytest.raises(StorageError, match="ParamValidationError"):
        DynamoDbRegistry(client=client, table="").account("acc_1")


def test_a_settled_account_is_due_no_more(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    key = {"pk": {"S": f"ACCOUNT#{done.id}"}, "sk": {"S": "ACCOUNT"}}
    registry.settled(replace(done, revision=7))
    assert "due_at" in client.get_item(TableName="table", Key=key)["Item"]
    registry.settled(done)
    assert "due_at" not in client.get_item(TableName="table", Key=key)["Item"]


def test_a_page_that_a_filter_empties_goes_on_until_it_has_looked_long_enough(client) -> None:
    last = {"id": {"S": "acc_1"}}
    with Stubber(client) as stub:
        for _ in range(20):
            stub.add_response("query", {"Items": [], "LastEvaluatedKey": last})
        registry = DynamoDbRegistry(client=client, table="table")
        assert registry.accounts(Wanted(status="error")) == ([], "acc_1")


def test_a_key_is_read_as_it_was_written(registry) -> None:
    key = ApiKey(id="key_1", name="backend", scopes=("read", "link"), created_at=timestamp(NOW))
    registry.create_key(key)
    assert registry.key("key_1") == key
    assert registry.key("key_2") is None


def test_a_revoked_key_stays_revoked(registry) -> None:
    key = ApiKey(id="key_1", name="backend", scopes=("read",), created_at=timestamp(NOW))
    registry.create_key(key)
    assert registry.revoke_key("key_1")
    assert registry.key("key_1") == replace(key, revoked=True)
    assert not registry.revoke_key("key_2")


def moved(registry: DynamoDbRegistry, begun: Account) -> Account:
    assert begun.attempt
    return registry.commit(
        replace(linked(begun), subdomain="other"),
        attempt_id=begun.attempt.id,
        previous=begun,
        session_id="",
        linked=None,
        events=(EVENT,),
        entry=ENTRY,
        due_at=timestamp(NOW + timedelta(days=1)),
    )


def pairs(client) -> dict[str, str]:
    rows = client.scan(TableName="table")["Items"]
    return {
        row["pk"]["S"].rpartition("#")[2]: row["account_id"]["S"]
        for row in rows
        if row["sk"]["S"] == "PAIR"
    }


def again(registry: DynamoDbRegistry, account: Account, subdomain: str = "other") -> Account:
    return registry.begin_again(account, attempt=attempt(), subdomain=subdomain, now=NOW)


def test_an_account_that_moves_takes_the_new_pair_and_leaves_the_old(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    begun = again(registry, done)
    assert pairs(client) == {"acme": done.id}
    assert moved(registry, begun).id == done.id
    assert pairs(client) == {"other": done.id}


def test_an_account_does_not_move_to_a_pair_of_another(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    begun = again(registry, done)
    other = registry.begin(replace(proposal(), subdomain="other"), attempt=attempt(), now=NOW)
    before = pairs(client)
    with pytest.raises(ConflictError):
        moved(registry, begun)
    assert pairs(client) == before == {"acme": done.id, "other": other.id}
    assert registry.account(done.id) == begun
    late = replace(begun, attempt=None)
    assert reason_of(lambda: again(registry, late)) is Reason.CONFLICT


def test_an_account_that_lost_its_pair_does_not_move(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    begun = again(registry, done)
    client.delete_item(TableName="table", Key={"pk": {"S": "PAIR#o1#acme"}, "sk": {"S": "PAIR"}})
    with pytest.raises(ConflictError):
        moved(registry, begun)


def test_two_that_move_an_account_at_once_conflict(registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    begun = again(registry, done)
    assert reason_of(lambda: again(registry, done)) is Reason.CONFLICT
    assert reason_of(lambda: again(registry, begun)) is Reason.CONFLICT
    later = NOW + LEASE
    taken = registry.begin_again(begun, attempt=attempt(later), subdomain="third", now=later)
    with pytest.raises(ConflictError):
        moved(registry, begun)
    assert registry.account(done.id) == taken


def test_an_account_that_changed_since_it_was_read_is_not_begun(registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    unlinked = replace(done, status=Status.UNLINKED)
    registry.change(unlinked, events=(), entry=None, due_at=None)
    assert reason_of(lambda: again(registry, done, "acme")) is Reason.CONFLICT


@pytest.mark.parametrize("now", [{"status": Status.UNLINKED}, {"subdomain": "other"}])
def test_an_account_that_leaves_its_pair_is_not_begun_by_it(registry, monkeypatch, now) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    monkeypatch.setattr(DynamoDbRegistry, "account", lambda *_: replace(done, **now))
    assert (
        reason_of(lambda: registry.begin(proposal(), attempt=attempt(), now=NOW)) is Reason.CONFLICT
    )


def test_an_unlinked_account_leaves_the_pair_to_the_next(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    gone = registry.change(
        replace(done, status=Status.UNLINKED), events=(), entry=None, due_at=None
    )
    anew = registry.begin(proposal(), attempt=attempt(), now=NOW)
    with pytest.raises(ConflictError):
        registry.change(replace(gone, label="x"), events=(), entry=None, due_at=None)
    assert pairs(client) == {"acme": anew.id}


def test_an_attempt_on_a_settled_account_is_due(registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    registry.settled(done)
    registry.begin(proposal(), attempt=attempt(), now=NOW)
    registry.settled(done)
    due = [registry.due(shard, now=NOW + LEASE, limit=9) for shard in range(SHARDS)]
    assert [one.account_id for found in due for one in found] == [done.id]


def test_an_account_that_changed_is_neither_snoozed_nor_taken(client, registry) -> None:
    done = commit(registry, registry.begin(proposal(), attempt=attempt(), now=NOW))
    old = replace(done, revision=0)
    registry.snooze(old, until=NOW)
    assert not registry.take(old, attempt=attempt(), now=NOW)
    key = {"pk": {"S": f"ACCOUNT#{done.id}"}, "sk": {"S": "ACCOUNT"}}
    row = client.get_item(TableName="table", Key=key)["Item"]
    assert (row["due_at"]["S"], "attempt" in row) == (timestamp(NOW + timedelta(days=1)), False)

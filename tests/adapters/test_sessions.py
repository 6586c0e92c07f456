"""Sessions, keys and the attempts of owners against moto."""

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from namely_link.aws import table as rows
from namely_link.aws.sessions import SessionTable
from namely_link.aws.table import Table, item, values
from namely_link.domain.problems import (
    ConflictError,
    Problem,
    Reason,
    StorageError,
    UnreadableError,
)
from namely_link.domain.sessions import ApiKey, ConnectSession, PortalSession
from samples import NOW, OWNER, later, stored

SESSION = ConnectSession(
    id="cs_1",
    owner=OWNER,
    state="open",
    attempts_left=2,
    created_at=later(),
    expires_at=later(minutes=30),
    metadata={"a": "b"},
    confirm=True,
)
KEY = ApiKey(id="key_1", name="backend", scopes=("read", "link"), created_at=later())


@pytest.fixture
def sessions(table: Table) -> SessionTable:
    return SessionTable(table=table)


def read(sessions: SessionTable) -> ConnectSession:
    found = sessions.session("cs_1")
    assert found
    return found


@pytest.fixture
def opened(sessions: SessionTable) -> ConnectSession:
    sessions.create_session(SESSION)
    return read(sessions)


def claimed(session: ConnectSession, attempt_id: str) -> ConnectSession:
    return session.claimed(attempt_id, until=NOW, fingerprint="f", now=NOW)


def test_a_session_is_read_as_it_was_written(dynamodb, sessions, opened) -> None:
    assert opened == replace(SESSION, fence=1)
    assert sessions.session("cs_2") is None
    row = dynamodb.get_item(TableName="table", Key=item({"pk": "SESSION#cs_1", "sk": "SESSION"}))[
        "Item"
    ]
    assert values(row)["ttl"] == int((NOW + timedelta(days=1, minutes=30)).timestamp())


def test_a_session_is_made_once(sessions, opened) -> None:
    with pytest.raises(ConflictError):
        sessions.create_session(replace(SESSION, attempts_left=9))
    assert read(sessions) == opened


def test_a_session_is_saved_as_it_was_read_only(sessions, opened) -> None:
    sessions.save(claimed(opened, "a1"))
    with pytest.raises(ConflictError):
        sessions.save(claimed(opened, "a2"))
    found = read(sessions)
    assert (found.claims, found.fence) == ({"a1": later()}, 2)
    sessions.save(claimed(found, "a2"))
    assert set(read(sessions).claims) == {"a2"}  # the other one has ended


def test_a_session_of_the_first_release_is_saved(dynamodb, sessions) -> None:
    dynamodb.put_item(TableName="table", Item=stored("session-open"))
    old = read(sessions)
    sessions.save(claimed(old, "a1"))
    assert read(sessions) == replace(claimed(old, "a1"), fence=1)
    with pytest.raises(ConflictError):
        sessions.save(claimed(old, "a2"))


def test_a_session_that_is_gone_is_not_saved(dynamodb, sessions, opened) -> None:
    dynamodb.delete_item(TableName="table", Key=item({"pk": "SESSION#cs_1", "sk": "SESSION"}))
    for one in (opened, replace(opened, fence=0)):
        with pytest.raises(ConflictError):
            sessions.save(one)
    assert sessions.session("cs_1") is None


def test_a_save_whose_answer_was_lost_is_known_by_its_item(dynamodb, sessions, opened) -> None:
    def lose(**_unused: object) -> None:
        raise ReadTimeoutError(endpoint_url="https://dynamodb.example.com")

    dynamodb.meta.events.register("after-call.dynamodb.PutItem", lose)
    sessions.save(claimed(opened, "a1"))
    assert read(sessions).claims == {"a1": later()}


def test_a_save_that_botocore_has_tried_again_is_no_conflict(dynamodb, sessions, opened) -> None:
    mine = claimed(opened, "a1")
    dynamodb.put_item(TableName="table", Item=rows.session_item(mine))
    sessions.save(mine)
    with pytest.raises(ConflictError):
        sessions.save(claimed(opened, "a2"))


def test_a_session_that_cannot_be_read_says_so(dynamodb, sessions) -> None:
    dynamodb.put_item(TableName="table", Item=item({"pk": "SESSION#cs_1", "sk": "SESSION"}))
    with pytest.raises(UnreadableError):
        sessions.session("cs_1")


def test_an_open_session_is_revoked(sessions, opened) -> None:
    sessions.revoke_session("cs_1")
    assert read(sessions) == replace(opened, state="revoked", fence=2)
    sessions.revoke_session("cs_1")
    assert read(sessions).fence == 2


@pytest.mark.parametrize("state", ["used", "revoked"])
def test_a_session_that_is_over_is_not_revoked(sessions, state) -> None:
    sessions.create_session(replace(SESSION, state=state))
    sessions.revoke_session("cs_1")
    assert (read(sessions).state, read(sessions).fence) == (state, 1)


def test_a_session_that_is_not_there_is_not_revoked(sessions) -> None:
    sessions.revoke_session("cs_1")
    assert sessions.session("cs_1") is None


@pytest.mark.parametrize(("others", "revoked"), [(3, True), (4, False)])
def test_a_session_is_revoked_though_others_write_it(
    sessions, opened, monkeypatch, others, revoked
) -> None:
    save, left = SessionTable.save, [others]

    def beaten(self: SessionTable, session: ConnectSession) -> None:
        if left[0]:
            left[0] -= 1
            save(self, replace(session, state="open", attempts_left=left[0]))
        save(self, session)

    monkeypatch.setattr(SessionTable, "save", beaten)
    if revoked:
        sessions.revoke_session("cs_1")
    else:
        with pytest.raises(ConflictError, match="too many"):
            sessions.revoke_session("cs_1")
    assert read(sessions).state == ("revoked" if revoked else "open")


def attempts(dynamodb) -> dict[str, int]:
    return {
        one["pk"]["S"].removeprefix("OWNER#"): int(one["attempts"]["N"])
        for one in dynamodb.scan(TableName="table")["Items"]
    }


def test_an_owner_has_so_many_attempts_in_an_hour(dynamodb, sessions) -> None:
    now = NOW + timedelta(minutes=59, seconds=30, microseconds=1)
    for _ in range(2):
        sessions.count_attempt("o1", now=now, most=2)
    with pytest.raises(Problem) as caught:
        sessions.count_attempt("o1", now=now, most=2)
    assert caught.value.reason is Reason.OWNER_ATTEMPTS_EXHAUSTED
    assert caught.value.retry_after == 30
    sessions.count_attempt("o2", now=now, most=2)
    sessions.count_attempt("o1", now=NOW + timedelta(hours=1), most=2)
    assert attempts(dynamodb) == {
        "o1#2026-11-24T12:00:00Z": 2,
        "o2#2026-11-24T12:00:00Z": 1,
        "o1#2026-11-24T13:00:00Z": 1,
    }
    rows = dynamodb.scan(TableName="table")["Items"]
    over = int((NOW + timedelta(hours=1)).timestamp())
    assert {int(row["ttl"]["N"]) for row in rows} == {over, over + 3600}


def test_an_attempt_is_taken_back_and_no_more_than_there_were(dynamodb, sessions) -> None:
    sessions.uncount_attempt("o1", now=NOW)
    assert attempts(dynamodb) == {}
    sessions.count_attempt("o1", now=NOW, most=1)
    for _ in range(2):
        sessions.uncount_attempt("o1", now=NOW)
    assert attempts(dynamodb) == {"o1#2026-11-24T12:00:00Z": 0}
    sessions.count_attempt("o1", now=NOW, most=1)


def test_a_key_is_read_as_it_was_written(sessions) -> None:
    sessions.create_key(KEY)
    assert sessions.key("key_1") == KEY
    assert sessions.key("key_2") is None


def test_a_revoked_key_stays_revoked(dynamodb, sessions) -> None:
    dynamodb.put_item(TableName="table", Item=stored("key") | {"invented": {"S": "x"}})
    for _ in range(2):
        assert sessions.revoke_key("key_1")
    found = sessions.key("key_1")
    assert found
    assert found.revoked
    key = item({"pk": "KEY#key_1", "sk": "KEY"})
    assert "invented" in dynamodb.get_item(TableName="table", Key=key)["Item"]
    assert not sessions.revoke_key("key_2")
    assert sessions.key("key_2") is None


@pytest.mark.parametrize("owner", [OWNER, None])
def test_a_portal_session_is_read_as_it_was_written(sessions, owner) -> None:
    portal = PortalSession(
        id="ps_1", rank="viewer", owner=owner, created_at=later(), expires_at=later(hours=1)
    )
    sessions.create_portal(portal)
    assert sessions.portal("ps_1") == portal
    assert sessions.portal("ps_2") is None


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("get_item", lambda sessions: sessions.session("cs_1")),
        ("get_item", lambda sessions: sessions.revoke_session("cs_1")),
        ("update_item", lambda sessions: sessions.count_attempt("o1", now=NOW, most=1)),
        ("update_item", lambda sessions: sessions.uncount_attempt("o1", now=NOW)),
        ("get_item", lambda sessions: sessions.key("key_1")),
        ("update_item", lambda sessions: sessions.revoke_key("key_1")),
        ("get_item", lambda sessions: sessions.portal("ps_1")),
    ],
)
def test_a_fault_of_dynamodb_is_translated(table, sessions, operation, call) -> None:
    with Stubber(table.client) as stub:
        stub.add_client_error(operation, "InternalServerError")
        with pytest.raises(StorageError, match="InternalServerError"):
            call(sessions)


@pytest.mark.parametrize(
    "call",
    [
        lambda sessions: sessions.create_session(SESSION),
        lambda sessions: sessions.save(SESSION),
        lambda sessions: sessions.create_key(KEY),
    ],
)
def test_a_write_that_failed_and_is_not_there_is_a_fault(table, sessions, call) -> None:
    with Stubber(table.client) as stub:
        stub.add_client_error("put_item", "InternalServerError")
        stub.add_response("get_item", {})
        with pytest.raises(StorageError, match="PutItem: InternalServerError"):
            call(sessions)
        stub.assert_no_pending_responses()

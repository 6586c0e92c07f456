"""`check`, `sweep` and `publish`: their events become commands, faults are reported."""

import json
import re
from datetime import timedelta

import boto3
import pytest

from namely_link import bootstrap
from namely_link.aws.accounts import AccountTable
from namely_link.aws.bus import EventBridgeBus
from namely_link.aws.queue import DeadLetters
from namely_link.aws.turn import SweepTurn
from namely_link.domain.problems import ConflictError, RefusedError, StorageError

MESSAGE = "059f36b4-87a3-44ab-83d2-661975830a7d"
OPERATOR = {"kind": "portal", "name": "p1"}


def asked_for(account_id: str, **said: object):
    """Make a message of the queue say something."""

    def change(event) -> None:
        event["Records"][0]["body"] = json.dumps({"account_id": account_id} | said)

    return change


@pytest.fixture
def drifted(house, account):
    """An account whose next check is worth an entry of the ledger."""
    house.simulator.revoke("acme")
    yield account
    house.simulator.restore("acme")


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch):
    later = bootstrap.now() + timedelta(days=1, hours=1)
    return lambda: monkeypatch.setattr(bootstrap, "now", lambda: later)


def test_a_check_of_the_queue_is_made(run, house, drifted) -> None:
    answer, logged = run("check/queue")
    assert answer == {"batchItemFailures": []}
    assert '"outcome":"token_refused"' in logged
    assert house.invoke("api/read")["json"]["status_reasons"][0]["code"] == "token_refused"


@pytest.mark.parametrize(
    ("said", "actor", "request_id"),
    [
        ({"actor": OPERATOR, "request_id": "r1"}, OPERATOR, "r1"),
        ({"asked_by": "crm"}, {"kind": "api_key", "name": "crm"}, MESSAGE),
        ({"asked_by": ""}, {"kind": "sweep", "name": "sweep"}, MESSAGE),
    ],
    ids=["of this release", "of an earlier one", "of its sweep"],
)
def test_the_ledger_says_who_asked_for_a_check(
    run, house, drifted, tomorrow, said, actor, request_id: str
) -> None:
    tomorrow()
    run("check/queue", asked_for(drifted["id"], **said))
    entry = house.invoke("api/ledger")["json"]["entries"][0]
    assert (entry["action"], entry["actor"], entry["request_id"]) == ("noticed", actor, request_id)


def test_a_check_of_the_sweep_is_skipped_when_it_was_made_meanwhile(run, house, drifted) -> None:
    answer, logged = run("check/queue", asked_for(drifted["id"], asked_by=""))
    assert (answer, '"outcome":"skipped"' in logged) == ({"batchItemFailures": []}, True)
    assert house.invoke("api/read")["json"]["status_reasons"] == []


@pytest.mark.parametrize(("error", "failures"), [(ConflictError, 0), (StorageError, 1)])
def test_a_check_that_failed_comes_again_unless_another_was_faster(
    run, account, monkeypatch, error: type, failures: int
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(AccountTable, "commit", fail)
    assert run("check/queue")[0] == {"batchItemFailures": [{"itemIdentifier": MESSAGE}] * failures}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"account_id": "x", "actor": 1}'])
def test_a_message_that_is_none_of_ours_comes_again_and_stops_no_other(
    run, house, drifted, body: str
) -> None:
    def before(event) -> None:
        event["Records"].insert(0, event["Records"][0] | {"messageId": "m0", "body": body})

    assert run("check/queue", before)[0] == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert house.invoke("api/read")["json"]["status_reasons"]


def test_an_account_that_is_gone_is_skipped(run) -> None:
    answer, logged = run("check/queue")
    assert (answer, '"outcome":"skipped"' in logged) == ({"batchItemFailures": []}, True)


def test_an_outage_is_counted(run, house, account, capsys) -> None:
    house.simulator.outage(True)
    try:
        run("check/queue")
    finally:
        house.simulator.outage(False)
    assert '"CheckUndetermined":[1.0]' in capsys.readouterr().out


def test_a_sweep_beside_another_one_does_and_measures_nothing(
    run, queue, account, tomorrow, monkeypatch, capsys
) -> None:
    tomorrow()
    with monkeypatch.context() as patched:
        patched.setattr(SweepTurn, "take", lambda *_args, **_options: "")
        answer, logged = run("sweep/schedule")
    assert (answer, queue(), capsys.readouterr().out) == ({}, [], "")
    assert "another sweep is at work" in logged


def test_a_sweep_that_cannot_see_what_is_due_measures_no_age(run, monkeypatch, capsys) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise StorageError

    monkeypatch.setattr(AccountTable, "due", fail)
    answer, logged = run("sweep/schedule")
    assert answer == {"faults": 8}
    assert '"of":"shard 3","error":"StorageError"' in logged
    told = capsys.readouterr().out
    assert ("OldestDueSeconds" in told, '"SweepFaults":[8.0]' in told) == (False, True)


def test_a_sweep_queues_what_is_due(run, queue, account, tomorrow, capsys) -> None:
    assert run("sweep/schedule")[0] == {}
    assert '"OldestDueSeconds":[0.0]' in capsys.readouterr().out
    tomorrow()
    assert run("sweep/schedule")[0] == {"queued": 1}
    told = re.findall(r'"OldestDueSeconds":\[(\d+)', capsys.readouterr().out)
    assert [3600 <= int(one) < 3700 for one in told] == [True]
    sweep = {"kind": "sweep", "name": "sweep"}
    assert queue() == [{"account_id": account["id"], "actor": sweep, "request_id": ""}]


def test_a_row_that_can_not_be_read_stops_no_sweep(
    run, house, queue, account, tomorrow, capsys
) -> None:
    broken = house.link("small-company")["json"]["id"]
    boto3.client("dynamodb").update_item(
        TableName="table",
        Key={"pk": {"S": f"ACCOUNT#{broken}"}, "sk": {"S": "ACCOUNT"}},
        UpdateExpression="SET secret = :odd",
        ExpressionAttributeValues={":odd": {"S": "odd"}},
    )
    tomorrow()
    answer, logged = run("sweep/schedule")
    assert answer == {"queued": 1, "faults": 1}
    assert [one["account_id"] for one in queue()] == [account["id"]]
    assert '"SweepFaults":[1.0]' in capsys.readouterr().out
    assert f'"of":"{broken}","error":"UnreadableError"' in logged
    assert [one["id"] for one in house.invoke("api/list")["json"]["accounts"]] == [account["id"]]


def test_a_reconciling_finds_nothing_where_all_is_well(run, account, tomorrow, capsys) -> None:
    tomorrow()
    answer, logged = run("sweep/reconcile")
    assert answer == {"secrets": 1, "found": 0, "faults": 0}
    assert '"Reconciled":[0.0]' in capsys.readouterr().out
    assert '"message":"compared"' in logged


def test_a_reconciling_tells_of_a_secret_that_no_row_names(run, account, tomorrow, capsys) -> None:
    name = "stack/namely/acc_01M86D6T0CX8MWC68PYQJ4CKPD"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString="x")
    tomorrow()
    answer, logged = run("sweep/reconcile")
    assert answer == {"secrets": 2, "found": 1, "faults": 0}
    assert '"Reconciled":[1.0]' in capsys.readouterr().out
    assert f'"secret":"{name}","what":"nobody\'s"' in logged


def test_a_check_is_asked_for_over_http(house, queue, load, account) -> None:
    house.functions["api"] = load("api")
    answer = house.invoke("api/check")
    assert (answer["statusCode"], answer["json"]["id"]) == (202, account["id"])
    (asked,) = queue()
    assert asked == {
        "account_id": account["id"],
        "actor": {"kind": "api_key", "name": "backend"},
        "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    }


def test_an_unlinked_account_is_restored_over_http(house, account) -> None:
    house.invoke("api/unlink")
    restored = house.invoke("api/restore")["json"]
    assert (restored["status"], restored["recoverable_until"]) == ("active", None)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch):
    """What is put on the bus."""
    events: list = []
    monkeypatch.setattr(EventBridgeBus, "put", lambda _self, more: events.extend(more))
    return events


def twice(event, **changes: object) -> None:
    """Let a record of the stream come once more behind itself, as another one."""
    first = event["Records"][0]
    image = first["dynamodb"] | {"SequenceNumber": "222"}
    event["Records"].append(first | {"dynamodb": image | changes})


def test_events_are_published(run, put) -> None:
    answer, logged = run("publish/stream")
    assert answer == {"batchItemFailures": []}
    assert [kind for kind, _ in put] == ["Account Linked"]
    assert '"type":"Account Linked"' in logged


def test_a_fault_of_aws_stops_at_the_first_record(run, monkeypatch) -> None:
    asked: list = []

    def fail(_self: object, events: list) -> None:
        asked.append(events)
        raise StorageError

    monkeypatch.setattr(EventBridgeBus, "put", fail)
    answer, logged = run("publish/stream", twice)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "111"}]}
    assert len(asked) == 1
    assert '"level":"ERROR"' in logged


def unreadable_first(event) -> None:
    twice(event)
    event["Records"][0]["dynamodb"]["NewImage"] = {"outbox": {"L": [{"S": "odd"}]}}


def test_a_record_that_can_not_be_read_is_set_aside_and_the_rest_goes_on(
    run, put, dead, capsys
) -> None:
    answer, logged = run("publish/stream", unreadable_first)
    assert answer == {"batchItemFailures": []}
    assert [kind for kind, _ in put] == ["Account Linked"]
    (letter,) = dead()
    assert letter["unreadable"]["SequenceNumber"] == "111"
    assert '"Unreadable":[1.0]' in capsys.readouterr().out
    assert '"message":"set aside"' in logged


def test_an_event_that_is_refused_for_good_is_set_aside_and_the_rest_goes_on(
    run, dead, monkeypatch, capsys
) -> None:
    taken: list = []

    def put(_self: object, events: list) -> None:
        if not taken:
            taken.append("refused")
            raise RefusedError("PutEvents: MalformedDetail")
        taken.extend(kind for kind, _ in events)

    monkeypatch.setattr(EventBridgeBus, "put", put)
    answer, logged = run("publish/stream", twice)
    assert (answer, taken) == ({"batchItemFailures": []}, ["refused", "Account Linked"])
    (letter,) = dead()
    assert letter["unreadable"]["SequenceNumber"] == "111"
    told = capsys.readouterr().out
    assert ('"Unreadable":[1.0]' in told, '"Published":[1.0]' in told) == (True, True)
    assert '"error":"PutEvents: MalformedDetail"' in logged


def test_a_record_that_can_not_be_set_aside_comes_again(run, put, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise StorageError

    monkeypatch.setattr(DeadLetters, "put", fail)
    answer, _ = run("publish/stream", unreadable_first)
    assert (answer, put) == ({"batchItemFailures": [{"itemIdentifier": "111"}]}, [])


def test_the_bus_is_the_stacks_own(run) -> None:
    boto3.client("events").create_event_bus(Name="stack")
    assert run("publish/stream")[0] == {"batchItemFailures": []}


def test_a_link_is_parked_for_a_person_only(house) -> None:
    house.simulator.outage(True)
    try:
        assert house.link()["json"]["code"] == "namely_unavailable"
        house.session()
        answer = house.invoke("link/link-by-session")
        assert (answer["statusCode"], answer["json"]["status"]) == (202, "pending")
        assert house.invoke("link/link-by-session")["statusCode"] == 202
        house.session()
        form = house.invoke("link/link-form")["multiValueHeaders"]["Location"][0]
        assert "status=parked" in form
    finally:
        house.simulator.outage(False)

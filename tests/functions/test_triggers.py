"""`check`, `sweep`, `publish` and `intake`: their events become commands, faults are reported."""

import base64
import io
import json
import re
from datetime import timedelta

import boto3
import pytest

from namely_link import bootstrap
from namely_link.aws.bus import EventBridgeBus
from namely_link.domain.problems import ConflictError, StorageError


@pytest.fixture
def queue(house, environ):
    """The queues and the key that the stack has."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="checks")["QueueUrl"]
    environ.setenv("CHECK_QUEUE_URL", url)
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    environ.setenv("SECRET_KEY_ARN", key)
    sealed = boto3.client("kms").encrypt(
        KeyId=key,
        Plaintext=house.values["TOKEN"].encode(),
        EncryptionContext={
            "owner_id": "o1",
            "subdomain": "acme",
            "request_id": "q1",
            "expires_at": "2100-01-01T00:00:00Z",
        },
    )["CiphertextBlob"]
    house.values["EXPIRES_AT"] = "2100-01-01T00:00:00Z"
    house.values["SEALED_TOKEN"] = base64.b64encode(sealed).decode()

    def waiting() -> list[dict[str, str]]:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(one["Body"]) for one in got]

    return waiting


@pytest.fixture
def run(house, queue, load):
    """Give a file of `events/` to its function and return what it answers and logs."""

    def call(name: str, file: str, **values: str):
        event = house.event(file, **values)
        module = load(name)
        module.logger.registered_handler.setStream(io.StringIO())
        answer = module.handler(event, house.context)
        return answer, module.logger.registered_handler.stream.getvalue()

    return call


@pytest.fixture
def account(house):
    made = house.link()["json"]
    house.values["ACCOUNT_ID"] = made["id"]
    return made


def test_a_check_of_the_queue_is_made(run, house, account) -> None:
    house.simulator.revoke("acme")
    try:
        answer, logged = run("check", "check/queue")
    finally:
        house.simulator.restore("acme")
    assert answer == {"batchItemFailures": []}
    assert '"outcome":"token_refused"' in logged
    assert house.invoke("api/read")["json"]["status_reasons"][0]["code"] == "token_refused"


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (ConflictError, []),
        (StorageError, [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"}]),
    ],
)
def test_a_check_that_failed_comes_again_unless_another_was_faster(
    run, account, monkeypatch, error: type, failures: list
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(DynamoDbRegistry, "change", fail)
    assert run("check", "check/queue")[0] == {"batchItemFailures": failures}


def test_an_account_that_is_gone_is_skipped(run) -> None:
    answer, logged = run("check", "check/queue")
    assert (answer, '"outcome":"skipped"' in logged) == ({"batchItemFailures": []}, True)


def test_an_outage_is_counted(run, house, account, capsys) -> None:
    house.simulator.outage(True)
    try:
        run("check", "check/queue")
    finally:
        house.simulator.outage(False)
    assert '"CheckUndetermined":[1.0]' in capsys.readouterr().out


def test_a_sweep_queues_what_is_due(run, queue, account, monkeypatch, capsys) -> None:
    assert run("sweep", "sweep/schedule")[0] == {}
    assert '"OldestDueSeconds":[0.0]' in capsys.readouterr().out
    later = bootstrap.now() + timedelta(days=1, hours=1)
    monkeypatch.setattr(bootstrap, "now", lambda: later)
    assert run("sweep", "sweep/schedule")[0] == {"queued": 1}
    told = re.findall(r'"OldestDueSeconds":\[(\d+)', capsys.readouterr().out)
    assert [3600 <= int(one) < 3700 for one in told] == [True]
    assert queue() == [{"account_id": account["id"], "asked_by": ""}]


def test_a_check_is_asked_for_over_http(house, queue, load, account) -> None:
    house.functions["api"] = load("api")
    answer = house.invoke("api/check")
    assert (answer["statusCode"], answer["json"]["id"]) == (202, account["id"])
    assert queue() == [{"account_id": account["id"], "asked_by": "backend"}]


def test_an_unlinked_account_is_restored_over_http(house, account) -> None:
    house.invoke("api/unlink")
    restored = house.invoke("api/restore")["json"]
    assert (restored["status"], restored["recoverable_until"]) == ("active", None)


def test_events_are_published(run, monkeypatch) -> None:
    put: list = []
    monkeypatch.setattr(EventBridgeBus, "put", lambda _self, events: put.extend(events))
    answer, logged = run("publish", "publish/stream")
    assert answer == {"batchItemFailures": []}
    assert [kind for kind, _ in put] == ["Account Linked"]
    assert '"type":"Account Linked"' in logged


@pytest.mark.parametrize("error", [StorageError, KeyError])
def test_what_was_not_published_comes_again(run, monkeypatch, error: type) -> None:
    def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr(EventBridgeBus, "put", fail)
    answer, logged = run("publish", "publish/stream")
    assert answer == {"batchItemFailures": [{"itemIdentifier": "111"}]}
    assert '"level":"ERROR"' in logged


def test_the_bus_is_the_stacks_own(run) -> None:
    boto3.client("events").create_event_bus(Name="stack")
    assert run("publish", "publish/stream")[0] == {"batchItemFailures": []}


def test_a_sealed_token_links_an_account(run, house) -> None:
    assert run("intake", "intake/link-requested")[0] == "linked"
    (account,) = house.invoke("api/list")["json"]["accounts"]
    assert (account["status"], account["owner"]["id"]) == ("active", "o1")


def test_a_plain_token_is_refused_and_in_no_log(run, house) -> None:
    answer, logged = run("intake", "intake/link-requested-plain")
    assert answer == "refused: invalid_request"
    assert house.values["TOKEN"] not in logged


def test_a_check_and_an_unlinking_are_asked_for_by_events(run, house, queue, account) -> None:
    assert run("intake", "intake/check-requested")[0] == "queued: 1"
    assert queue() == [{"account_id": account["id"], "asked_by": "crm"}]
    assert run("intake", "intake/unlink-requested")[0] == "unlinked"
    assert house.invoke("api/read")["json"]["status"] == "unlinked"


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

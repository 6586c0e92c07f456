"""`intake` does what is asked for once, for a sealed token, and never over newer work."""

import base64
import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from namely_link import bootstrap
from namely_link.aws.outbox import OutboxTable
from namely_link.aws.table import Table, values
from namely_link.commands.requests import TryAgainError
from namely_link.domain.problems import StorageError
from namely_link.domain.values import timestamp

SURROGATE = "\ud800"
SEALED = {"owner_id": "o1", "subdomain": "acme", "request_id": "q1"}


@pytest.fixture(autouse=True)
def seal(house, environ):
    """The stack's key; what is sealed for the file of events, and a function that seals."""
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    environ.setenv("SECRET_KEY_ARN", key)

    def sealed(**context: str) -> str:
        made = kms.encrypt(
            KeyId=key, Plaintext=house.values["TOKEN"].encode(), EncryptionContext=context
        )
        return base64.b64encode(made["CiphertextBlob"]).decode()

    house.values["EXPIRES_AT"] = timestamp(bootstrap.now() + timedelta(hours=1))
    house.values["SEALED_TOKEN"] = sealed(expires_at=house.values["EXPIRES_AT"], **SEALED)
    return sealed


def told() -> list[tuple[str, dict[str, Any]]]:
    """The events that belong to no account: those of refused requests."""
    rows = [values(one) for one in boto3.client("dynamodb").scan(TableName="table")["Items"]]
    return [
        (event["type"], event["data"])
        for row in rows
        if row["sk"] == "NOTICE"
        for event in row["outbox"]
    ]


def detail(**fields: object):
    """Change the detail of an event; None takes a field away."""

    def change(event) -> None:
        merged = event["detail"] | fields
        event["detail"] = {key: value for key, value in merged.items() if value is not None}

    return change


def ago(**time: int) -> str:
    return timestamp(bootstrap.now() - timedelta(**time))


def listed(house) -> list[dict[str, Any]]:
    return house.invoke("api/list")["json"]["accounts"]


def test_a_sealed_token_links_an_account(run, house) -> None:
    assert run("intake/link-requested")[0] == "linked"
    (account,) = listed(house)
    assert (account["status"], account["owner"]["id"]) == ("active", "o1")


def test_a_request_that_comes_twice_changes_nothing(run, house, capsys) -> None:
    run("intake/link-requested")
    before = listed(house)
    assert run("intake/link-requested")[0] == "repeated"
    assert (listed(house), told()) == (before, [])
    assert capsys.readouterr().out.count('"RequestsDone":[1.0]') == 2


def test_a_request_that_was_done_is_not_done_again_after_an_unlinking(run, house) -> None:
    run("intake/link-requested")
    house.values["ACCOUNT_ID"] = listed(house)[0]["id"]
    house.invoke("api/unlink")
    assert run("intake/link-requested")[0] == "repeated"
    assert [one["status"] for one in listed(house)] == ["unlinked"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"request_id": None},
        {"request_id": SURROGATE},
        {"request_id": 7},
        {"request_id": "x" * 5000},
        {"owner_id": SURROGATE},
        {"owner_name": f"Owner {SURROGATE}"},
        {"owner_name": ["Owner"]},
        {"subdomain": SURROGATE},
        {"metadata": {SURROGATE: 1}},
        {SURROGATE: SURROGATE},
        {"sealed_token": "x"},
        {"token": ["in a list"]},
    ],
    ids=lambda more: json.dumps(more)[:40],
)
def test_a_plain_token_is_refused_whatever_else_is_wrong(run, house, more) -> None:
    answer, logged = run("intake/link-requested-plain", detail(**more))
    assert answer == "refused: invalid_request"
    ((kind, data),) = told()
    assert (kind, data["reason"]) == ("Link Rejected", "invalid_request")
    assert "make seal" in data["detail"]
    assert house.values["TOKEN"] not in logged + str(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"detail-type": SURROGATE},
        {"detail-type": "Check Requested"},
        {"source": SURROGATE, "id": SURROGATE},
        {"time": SURROGATE},
        {"time": None},
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
def test_a_plain_token_is_refused_in_whatever_envelope(run, house, changes) -> None:
    answer, logged = run("intake/link-requested-plain", lambda event: event.update(changes))
    assert answer == "refused: invalid_request"
    assert len(told()) == 1
    assert house.values["TOKEN"] not in logged


def test_a_plain_token_becomes_no_dead_letter_though_nobody_can_be_told(run, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise StorageError

    monkeypatch.setattr(Table, "write", fail)
    monkeypatch.setattr(Table, "get", fail)
    answer, logged = run("intake/link-requested-plain")
    assert (answer, '"message":"not told"' in logged) == ("refused: invalid_request", True)
    with pytest.raises(StorageError):
        run("intake/link-requested", detail(owner_name=None))


def test_a_seal_of_the_old_form_is_refused_with_how_to_seal(run, house, seal) -> None:
    old = seal(owner_id="o1", subdomain="acme")
    answer, _ = run("intake/link-requested", detail(sealed_token=old, expires_at=None))
    assert answer == "refused: invalid_request"
    ((kind, data),) = told()
    assert (kind, data["account"]["owner"]["id"]) == ("Link Rejected", "o1")
    assert "request_id and expires_at" in data["detail"]


@pytest.mark.parametrize(
    "captured",
    [
        {"request_id": "fresh"},
        {"owner_id": "o2"},
        {"subdomain": "small-company"},
        {"expires_at": "2100-01-01T00:00:00Z"},
        {"sealed_token": "none"},
    ],
)
def test_a_seal_opens_for_its_own_request_only(run, house, captured) -> None:
    answer, _ = run("intake/link-requested", detail(**captured))
    assert (answer, listed(house)) == ("refused: invalid_request", [])
    assert "Seal the token with KMS Encrypt" in told()[0][1]["detail"]


@pytest.fixture
def kms_says(monkeypatch: pytest.MonkeyPatch):
    """Let KMS answer Decrypt with an error; return the calls of it."""
    real, calls = BaseClient._make_api_call, []

    def say(code: str) -> list[str]:
        def call(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if operation != "Decrypt":
                return real(self, operation, parameters)
            calls.append(operation)
            said = {"Error": {"Code": code, "Message": "said"}}
            raise self.exceptions.from_code(code)(said, operation)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        return calls

    return say


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "no Base64!",
        "é",
        SURROGATE,
        "YQ",
        "YQ==\n",
        base64.b64encode(b"x" * 6145).decode(),
        "A" * 8193,
        "A" * 100_000,
        7,
        ["YQ=="],
    ],
    ids=ascii,
)
def test_what_can_be_no_seal_is_refused_without_asking_kms(run, kms_says, sealed) -> None:
    calls = kms_says("KMSInternalException")
    answers = [run("intake/link-requested", detail(sealed_token=sealed))[0] for _ in range(2)]
    assert (answers[0], calls) == ("refused: invalid_request", [])
    assert [kind for kind, _ in told()] == ["Link Rejected"]


@pytest.mark.parametrize(
    "code", ["InvalidCiphertextException", "IncorrectKeyException", "ValidationException"]
)
def test_a_text_that_kms_has_not_made_for_this_is_refused_and_told_once(
    run, kms_says, code: str
) -> None:
    calls = kms_says(code)
    answers = [run("intake/link-requested")[0] for _ in range(2)]
    assert (answers, calls) == (["refused: invalid_request", "repeated"], ["Decrypt"])
    assert [kind for kind, _ in told()] == ["Link Rejected"]


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "DisabledException",
        "KMSInvalidStateException",
        "KMSInternalException",
        "KeyUnavailableException",
        "NotFoundException",
        "ThrottlingException",
    ],
)
def test_a_fault_of_our_own_key_lets_the_request_come_again(run, kms_says, code: str) -> None:
    kms_says(code)
    with pytest.raises(StorageError, match=f"Decrypt: {code}"):
        run("intake/link-requested")
    assert told() == []


def test_a_seal_that_has_expired_is_refused(run, house, seal) -> None:
    expired = ago(seconds=1)
    late = detail(sealed_token=seal(expires_at=expired, **SEALED), expires_at=expired)
    assert run("intake/link-requested", late)[0] == "refused: invalid_request"
    assert told()[0][1]["detail"].startswith("The seal has expired.")
    assert listed(house) == []


def test_a_link_is_not_done_over_newer_work(run, house, account) -> None:
    house.invoke("api/suspend")
    before = listed(house)
    assert run("intake/link-requested", TIME=ago(minutes=1))[0] == "refused: conflict"
    ((kind, data),) = told()
    assert (kind, data["reason"]) == ("Link Rejected", "request_stale")
    assert listed(house) == before


def test_a_link_is_not_done_over_an_unlinking(run, house, account) -> None:
    house.invoke("api/unlink")
    assert run("intake/link-requested", TIME=ago(minutes=1))[0] == "refused: conflict"
    assert [one["status"] for one in listed(house)] == ["unlinked"]
    assert run("intake/link-requested", TIME=ago(minutes=1))[0] == "repeated"
    assert [data["reason"] for _, data in told()] == ["request_stale"]


def test_an_unlinking_is_asked_for_by_an_event(run, house, account) -> None:
    assert run("intake/unlink-requested")[0] == "unlinked"
    gone = house.invoke("api/read")["json"]
    assert (gone["status"], gone["deletion"]["requested_by"]) == ("unlinked", "crm")
    assert run("intake/unlink-requested")[0] == "repeated"
    assert run("intake/unlink-requested", detail(request_id="other"))[0] == "unlinked"
    assert house.invoke("api/read")["json"] == gone


def test_an_unlinking_is_not_done_over_newer_work(run, house, account) -> None:
    stale = ago(minutes=1)
    assert run("intake/unlink-requested", TIME=stale)[0] == "refused: conflict"
    ((kind, data),) = told()
    assert (kind, data["request"]) == ("Request Refused", "Unlink Requested")
    assert (data["account"], data["reason"]) == ({"id": account["id"]}, "request_stale")
    assert house.invoke("api/read")["json"] == account


def test_a_check_is_asked_for_once(run, queue, account) -> None:
    assert run("intake/check-requested")[0] == "queued: 1"
    assert run("intake/check-requested")[0] == "repeated"
    (asked,) = queue()
    assert asked == {
        "account_id": account["id"],
        "actor": {"kind": "event", "name": "crm"},
        "request_id": "7bf73129-1428-4cd3-a780-95db273d1602",
    }


def test_a_check_of_an_owner_is_one_of_each_account(run, house, queue, account) -> None:
    other = house.link("small-company")["json"]
    of_owner = detail(account_id=None, owner_id="o1")
    assert run("intake/check-requested", of_owner)[0] == "queued: 2"
    assert {one["account_id"] for one in queue()} == {account["id"], other["id"]}


def test_a_check_that_was_made_since_is_not_asked_for(run, queue, account) -> None:
    assert run("intake/check-requested", TIME=ago(minutes=1))[0] == "refused: conflict"
    assert (queue(), told()[0][0]) == ([], "Request Refused")


NO_REQUEST = [
    ("intake/link-requested", {"request_id": None}),
    ("intake/link-requested", {"request_id": SURROGATE}),
    ("intake/link-requested", {"owner_id": SURROGATE}),
    ("intake/link-requested", {"owner_name": SURROGATE}),
    ("intake/link-requested", {"expires_at": "tomorrow"}),
    ("intake/link-requested", {"label": SURROGATE}),
    ("intake/link-requested", {SURROGATE: "x"}),
    ("intake/check-requested", {"account_id": None}),
    ("intake/check-requested", {"account_id": SURROGATE}),
    ("intake/check-requested", {"request_id": SURROGATE}),
    ("intake/unlink-requested", {"account_id": None}),
    ("intake/unlink-requested", {"account_id": SURROGATE}),
    ("intake/unlink-requested", {"more": 1}),
]


@pytest.mark.parametrize(("file", "fields"), NO_REQUEST)
def test_what_can_not_be_meant_is_refused_and_told(run, queue, capsys, file: str, fields) -> None:
    assert run(file, detail(**fields))[0] == "refused: invalid_request"
    assert len(told()) == 1
    assert queue() == []
    assert '"RequestsRefused":[1.0]' in capsys.readouterr().out


def test_an_account_that_is_not_there_is_not_unlinked(run) -> None:
    assert run("intake/unlink-requested")[0] == "refused: not_found"
    assert told()[0][0] == "Request Refused"


@pytest.mark.parametrize("body", [None, [], "text", {}])
def test_an_event_without_a_detail_is_refused(run, body: object) -> None:
    answer, _ = run("intake/unlink-requested", lambda event: event.update(detail=body))
    assert answer == "refused: invalid_request"


def test_an_outage_lets_the_request_come_again(run, house) -> None:
    house.simulator.outage(True)
    try:
        with pytest.raises(TryAgainError):
            run("intake/link-requested")
    finally:
        house.simulator.outage(False)
    assert (listed(house), told()) == ([], [])
    assert run("intake/link-requested")[0] == "linked"


def test_a_request_of_which_nobody_knows_whether_it_was_done_comes_again(run, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise StorageError

    monkeypatch.setattr(OutboxTable, "was_done", fail)
    with pytest.raises(StorageError):
        run("intake/check-requested")

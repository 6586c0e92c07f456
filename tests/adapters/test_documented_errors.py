"""Every error that botocore documents of our calls, and every one of its own, at the adapters.

By default an error may pass: a StorageError, for whoever called to try again. The `final` ones of a
way through an adapter are the exceptions, with reasons. No text of an error says what AWS has said.
"""

import json
import string
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import botocore.exceptions
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError

import documented
from namely_link.aws.bus import EventBridgeBus
from namely_link.aws.queue import CheckQueue, DeadLetters
from namely_link.aws.seal import KmsSeal
from namely_link.aws.sessions import SessionTable
from namely_link.aws.table import ABSENT, Table, item
from namely_link.aws.vault import SecretsManagerVault, SigningKeys
from namely_link.domain.credentials import parse_credential
from namely_link.domain.problems import (
    ConflictError,
    Problem,
    RefusedError,
    SealBrokenError,
    SecretMissingError,
    StorageError,
)
from namely_link.domain.values import SecretVersion
from samples import ACTOR, NOW, ONCE, SESSION

PLANTED = "planted" + "q" * 57
"""A token, and what every error says."""
CREDENTIAL = parse_credential("acme", PLANTED)
BOUND = {"owner_id": "o1", "subdomain": "acme", "request_id": "q1", "expires_at": "2100"}
KEY = item({"pk": "k", "sk": "k"})
ROWS = [KEY | item({"said": PLANTED}), item({"pk": "l", "sk": "k"})]
ARN, VERSION = "arn:secret", "2" * 32
HELD = SecretVersion(ARN, VERSION)
BEFORE = SecretVersion(ARN, "1" * 32)
GONE_AT = datetime(2026, 12, 24, tzinfo=UTC)

type Client = Any
type Answer = dict[str, Any] | str | int | BotoCoreError
"""What a call is answered with: an answer, the code of an error, the status of a gateway's page, or
an error of botocore's own."""


def table(client: Client) -> Table:
    return Table(client=client, name="table")


def sessions(client: Client) -> SessionTable:
    return SessionTable(table=table(client))


def vault(client: Client) -> SecretsManagerVault:
    return SecretsManagerVault(client=client, prefix="stack/", key_arn="key", now=lambda: NOW)


def seal(client: Client) -> KmsSeal:
    return KmsSeal(client=client, key_arn="key")


def write(client: Client, rows: list[Any]) -> None:
    table(client).write([table(client).putting(one, ABSENT) for one in rows])


def put_events(client: Client, count: int = 2) -> None:
    EventBridgeBus(client=client, name="bus").put([("Account Linked", {"n": 1})] * count)


def put_check(client: Client) -> None:
    CheckQueue(client=client, url="https://sqs").put("acc_1", actor=ACTOR)


def put_checks(client: Client) -> list[str]:
    return CheckQueue(client=client, url="https://sqs").put_all(["acc_1", "acc_2"], actor=ACTOR)


def put_letter(client: Client) -> None:
    DeadLetters(client=client, url="https://sqs").put({"unreadable": {"said": PLANTED}})


def create(client: Client) -> SecretVersion:
    return vault(client).create(name="s", credential=CREDENTIAL, attempt_id=VERSION, tags={})


def put_candidate(client: Client) -> SecretVersion:
    return vault(client).put_candidate(name="s", credential=CREDENTIAL, attempt_id=VERSION)


MISSING = "somebody has deleted the secret, which the account's status tells"
UNUSABLE = "so does Secrets Manager answer of a secret that is scheduled for deletion"
NOT_OURS = "KMS did not make this text, for this key and context: the sender's mistake"
LOST = "the condition does not hold"


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way through an adapter to a call of AWS."""

    name: str
    function: str
    """Where the call is made, as `documented.calls` has it."""
    operation: str
    do: Callable[[Client], Any]
    others: Mapping[str, Answer] = field(default_factory=dict)
    """What the other calls on the way are answered with."""
    final: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    """What an error comes to that is no StorageError: an error of ours or a value, and why."""


WAYS = (
    Way(
        name="get",
        function="table.Table.get",
        operation="GetItem",
        do=lambda client: table(client).get(KEY),
    ),
    Way(
        name="get many",
        function="table.Table.get_many",
        operation="BatchGetItem",
        do=lambda client: table(client).get_many([KEY]),
    ),
    Way(
        name="query",
        function="table.Table.query",
        operation="Query",
        do=lambda client: table(client).query({"TableName": "table"}),
    ),
    Way(
        name="write many",
        function="table.Table.write",
        operation="TransactWriteItems",
        do=partial(write, rows=ROWS),
        others={"GetItem": {}},
    ),
    Way(
        name="write one",
        function="table.Table._put",
        operation="PutItem",
        do=partial(write, rows=ROWS[:1]),
        others={"GetItem": {}},
        final={"ConditionalCheckFailedException": (ConflictError, LOST)},
    ),
    Way(
        name="count an attempt",
        function="sessions.SessionTable.count_attempt",
        operation="UpdateItem",
        do=lambda client: sessions(client).count_attempt("o1", now=NOW, most=5),
        final={"ConditionalCheckFailedException": (Problem, "there were too many")},
    ),
    Way(
        name="uncount an attempt",
        function="sessions.SessionTable.uncount_attempt",
        operation="UpdateItem",
        do=lambda client: sessions(client).uncount_attempt("o1", now=NOW),
        final={"ConditionalCheckFailedException": (None, "there is none to take back")},
    ),
    Way(
        name="revoke a key",
        function="sessions.SessionTable.revoke_key",
        operation="UpdateItem",
        do=lambda client: sessions(client).revoke_key("k1"),
        final={"ConditionalCheckFailedException": (False, "there is no such key")},
    ),
    Way(
        name="put events",
        function="bus.EventBridgeBus.put",
        operation="PutEvents",
        do=put_events,
        final={"ValidationException": (RefusedError, "the call is too large, however often")},
    ),
    Way(
        name="ask for a check",
        function="queue._send",
        operation="SendMessage",
        do=put_check,
    ),
    Way(
        name="keep a dead letter",
        function="queue._send",
        operation="SendMessage",
        do=put_letter,
    ),
    Way(
        name="ask for checks",
        function="queue.CheckQueue.put_all",
        operation="SendMessageBatch",
        do=put_checks,
    ),
    Way(
        name="seal",
        function="seal.KmsSeal.seal",
        operation="Encrypt",
        do=lambda client: seal(client).seal(PLANTED, **BOUND),
    ),
    Way(
        name="unseal",
        function="seal.KmsSeal.unseal",
        operation="Decrypt",
        do=lambda client: seal(client).unseal("YQ==", **BOUND),
        final={
            "InvalidCiphertextException": (SealBrokenError, NOT_OURS),
            "IncorrectKeyException": (SealBrokenError, NOT_OURS),
            "ValidationException": (SealBrokenError, "a text that is empty or too long"),
        },
    ),
    Way(
        name="create a secret",
        function="vault.SecretsManagerVault.create",
        operation="CreateSecret",
        do=create,
        others={"PutSecretValue": {"ARN": ARN, "VersionId": VERSION}},
        final={"ResourceExistsException": (HELD, "this attempt has made it, in an earlier try")},
    ),
    Way(
        name="create a secret again",
        function="vault.SecretsManagerVault._put",
        operation="PutSecretValue",
        do=create,
        others={"CreateSecret": "ResourceExistsException"},
        final={
            "ResourceNotFoundException": (SecretMissingError, MISSING),
            "InvalidRequestException": (SecretMissingError, UNUSABLE),
        },
    ),
    Way(
        name="put a candidate",
        function="vault.SecretsManagerVault._put",
        operation="PutSecretValue",
        do=put_candidate,
        final={
            "ResourceNotFoundException": (SecretMissingError, MISSING),
            "InvalidRequestException": (SecretMissingError, UNUSABLE),
        },
    ),
    Way(
        name="promote",
        function="vault.SecretsManagerVault._move",
        operation="UpdateSecretVersionStage",
        do=lambda client: vault(client).promote(HELD, previous=BEFORE),
    ),
    Way(
        name="take a label away",
        function="vault.SecretsManagerVault._move",
        operation="UpdateSecretVersionStage",
        do=lambda client: vault(client).promote(HELD, previous=HELD),
        final={"InvalidParameterException": (None, "the version has no such label any more")},
    ),
    Way(
        name="settle",
        function="vault.SecretsManagerVault.settle",
        operation="DescribeSecret",
        do=lambda client: vault(client).settle(HELD),
        final={"ResourceNotFoundException": (SecretMissingError, MISSING)},
    ),
    Way(
        name="read a secret",
        function="vault.SecretsManagerVault.read",
        operation="GetSecretValue",
        do=lambda client: vault(client).read(HELD),
        final={
            "ResourceNotFoundException": (SecretMissingError, MISSING),
            "InvalidRequestException": (SecretMissingError, UNUSABLE),
        },
    ),
    Way(
        name="read the webhook's keys",
        function="vault.SigningKeys._read",
        operation="GetSecretValue",
        do=lambda client: SigningKeys(client=client, arn=ARN, monotonic=lambda: 0).read(),
        final={
            "ResourceNotFoundException": (SecretMissingError, "it is told with the event"),
            "InvalidRequestException": (SecretMissingError, UNUSABLE),
        },
    ),
    *(
        Way(
            name=name,
            function="vault.SecretsManagerVault.delete",
            operation="DeleteSecret",
            do=lambda client, days=days: vault(client).delete("s", recovery_days=days),
            others={"DescribeSecret": {"DeletedDate": GONE_AT}},
            final={
                "ResourceNotFoundException": (None, "it is gone"),
                "InvalidRequestException": (GONE_AT, "it is scheduled, as DescribeSecret says"),
            },
        )
        for name, days in (("delete a secret", 7), ("delete a secret at once", None))
    ),
    Way(
        name="delete a secret again",
        function="vault.SecretsManagerVault._deletion_date",
        operation="DescribeSecret",
        do=lambda client: vault(client).delete("s", recovery_days=7),
        others={"DeleteSecret": "InvalidRequestException"},
        final={"ResourceNotFoundException": (None, "it is gone")},
    ),
    Way(
        name="restore a secret",
        function="vault.SecretsManagerVault.restore",
        operation="RestoreSecret",
        do=lambda client: vault(client).restore(ARN),
        final={"ResourceNotFoundException": (SecretMissingError, MISSING)},
    ),
    Way(
        name="list secrets",
        function="vault.SecretsManagerVault.stored",
        operation="ListSecrets",
        do=lambda client: list(vault(client).stored()),
    ),
)
CALLS = documented.calls()
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


def botocores_own() -> Iterator[BotoCoreError]:
    """Return one of each error that botocore raises itself, what is planted in all it says."""
    kinds = {BotoCoreError}
    while more := {one for kind in kinds for one in kind.__subclasses__()} - kinds:
        kinds |= more
    for kind in sorted(kinds, key=lambda one: one.__name__):
        if kind.__module__ == botocore.exceptions.__name__:
            names = [name for _, name, _, _ in string.Formatter().parse(kind.fmt) if name]
            yield kind(**dict.fromkeys([*names, *NAMED.get(kind.__name__, ())], PLANTED))


NAMED = {"WaiterError": ("last_response",)}
"""What botocore's errors are made with beside what they say."""

OWN = list(botocores_own())


class Page:
    """The body of an answer that is none of the service's own."""

    def stream(self) -> Iterator[bytes]:
        yield f"<html>{PLANTED}</html>".encode()


def answered(
    service: str, answers: Mapping[str, Answer], more: Mapping[str, Any] | None = None
) -> Client:
    """Return a client whose calls are answered so; `more` stands beside the code of an error."""
    client = SESSION.client(service, config=ONCE)

    def answer(model: Any, **_unused: object) -> tuple[AWSResponse, dict[str, Any]] | None:
        match answers[model.name]:
            case BotoCoreError() as error:
                raise error
            case str(code):
                said = {"Error": {"Code": code, "Message": PLANTED}, "Message": PLANTED}
                return AWSResponse("", 400, {}, None), said | dict(more or {})
            case int():
                return None  # it is sent
            case body:
                return AWSResponse("", 200, {}, None), body

    def send(event_name: str, **_unused: object) -> AWSResponse:
        return AWSResponse("", answers[event_name.split(".")[-1]], {}, Page())

    client.meta.events.register("before-call", answer)
    client.meta.events.register("before-send", send)
    return client


def outcome(do: Callable[[], Any]) -> Any:
    """Return what comes of a call: a value or the class of an error, which quotes nothing."""
    try:
        return do()
    except Exception as error:  # noqa: BLE001 - whichever it is is what the tests compare
        logged = "".join(traceback.format_exception(error)) + repr(error) + str(error)
        assert PLANTED not in logged, type(error)
        return type(error)


def outcomes[Case](way: Way, cases: Mapping[Case, Answer], **more: Any) -> dict[Case, Any]:
    """Return what comes of each of a call's answers, by one client: making them takes the time."""
    answers: dict[str, Answer] = dict(way.others)
    client = answered(CALLS[way.function, way.operation], answers, more)
    found: dict[Case, Any] = {}
    for case, answers[way.operation] in cases.items():
        found[case] = outcome(lambda: way.do(client))
    return found


def comes_to(way: Way, answer: Answer, **more: Any) -> Any:
    return outcomes(way, {"": answer}, **more)[""]


def test_every_call_of_the_adapters_has_a_way() -> None:
    assert {(way.function, way.operation) for way in WAYS} == CALLS.keys()


def test_nothing_is_documented_that_nobody_has_looked_at() -> None:
    """Where this fails, see `documented.py`."""
    assert json.loads(documented.KEPT.read_text()) == documented.documented()


@every_way
def test_what_is_final_is_an_answer_that_aws_documents(way: Way) -> None:
    service = CALLS[way.function, way.operation]
    assert way.final.keys() <= documented.codes(service, way.operation)
    assert all(reason for _, reason in way.final.values())


@every_way
def test_an_error_of_aws_comes_to_what_the_port_says(way: Way) -> None:
    codes = documented.codes(CALLS[way.function, way.operation], way.operation)
    finals = {code: result for code, (result, _) in way.final.items()}
    expected = dict.fromkeys(codes, StorageError) | finals
    assert outcomes(way, {code: code for code in codes}) == expected


@every_way
def test_an_error_of_botocores_own_may_pass(way: Way) -> None:
    found = outcomes(way, {type(one): one for one in OWN})
    assert found == dict.fromkeys(map(type, OWN), StorageError)


@pytest.mark.parametrize("kind", ["ReadTimeoutError", "NoCredentialsError", "ParamValidationError"])
def test_the_errors_of_botocore_are_found(kind: str) -> None:
    assert kind in {type(one).__name__ for one in OWN}


@every_way
def test_an_error_says_what_failed(way: Way) -> None:
    denied = {**way.others, way.operation: "AccessDeniedException"}
    client = answered(CALLS[way.function, way.operation], denied)
    with pytest.raises(StorageError, match=f"{way.operation}: AccessDeniedException"):
        way.do(client)


@every_way
def test_a_page_of_a_gateway_may_pass(way: Way) -> None:
    pages = (413, 500, 502, 503, 504)
    found = outcomes(way, {status: status for status in pages})
    assert found == dict.fromkeys(pages, StorageError)


# What an answer has within it


@pytest.mark.parametrize("reason", documented.reasons())
def test_a_cancelled_transaction_is_a_conflict_for_a_condition_only(reason: str) -> None:
    cancelled = {"CancellationReasons": [{"Code": "None"}, {"Code": reason, "Message": PLANTED}]}
    (way,) = (one for one in WAYS if one.name == "write many")
    lost = reason == "ConditionalCheckFailed"
    assert comes_to(way, "TransactionCanceledException", **cancelled) is (
        ConflictError if lost else StorageError
    )


@pytest.mark.parametrize("reason", documented.reasons())
def test_a_condition_that_failed_beside_another_reason_is_a_conflict(reason: str) -> None:
    both = {"CancellationReasons": [{"Code": reason}, {"Code": "ConditionalCheckFailed"}]}
    (way,) = (one for one in WAYS if one.name == "write many")
    assert comes_to(way, "TransactionCanceledException", **both) is ConflictError


REFUSED_FOR_GOOD = {
    "InvalidArgument": "the event is wrong",
    "MalformedDetail": "the event is wrong",
    "RedactionFailure": "AWS says that it is final, and it is about this event",
}
"""All others that AWS calls final are about rights, which can be mended: the stream waits."""
ENTRY_ERRORS = documented.entry_errors()


def not_put(*codes: str) -> dict[str, Any]:
    entries = [{"ErrorCode": code, "ErrorMessage": PLANTED} for code in codes]
    return {"FailedEntryCount": len(codes), "Entries": [{"EventId": "1"}, *entries]}


def put(*codes: str) -> Any:
    return outcome(lambda: put_events(answered("events", {"PutEvents": not_put(*codes)})))


def test_only_what_aws_calls_final_is_refused_for_good() -> None:
    assert REFUSED_FOR_GOOD.keys() < {*ENTRY_ERRORS["final"]}


@pytest.mark.parametrize("code", [*ENTRY_ERRORS["passing"], *ENTRY_ERRORS["final"], "Another"])
def test_an_event_that_was_not_put_comes_again_unless_it_never_will_be(code: str) -> None:
    assert put(code) is (RefusedError if code in REFUSED_FOR_GOOD else StorageError)


def test_what_may_pass_comes_again_beside_what_is_refused_for_good() -> None:
    assert put("MalformedDetail", "ThrottlingException") is StorageError


def test_an_event_that_was_not_put_without_a_reason_comes_again() -> None:
    nothing = {"FailedEntryCount": 1, "Entries": [{}]}
    assert outcome(lambda: put_events(answered("events", {"PutEvents": nothing}))) is StorageError


def test_what_is_refused_for_good_stops_no_event_behind_it() -> None:
    counts: list[int] = []
    client = answered("events", {"PutEvents": not_put("MalformedDetail")})
    client.meta.events.register_first(
        "before-parameter-build", lambda params, **_: counts.append(len(params["Entries"]))
    )
    with pytest.raises(RefusedError, match="PutEvents: MalformedDetail"):
        put_events(client, 12)
    assert counts == [10, 2]


def test_checks_that_the_queue_did_not_take_are_named() -> None:
    refused = {"Id": "1", "SenderFault": True, "Code": "InternalError", "Message": PLANTED}
    answer = {"Successful": [{"Id": "0"}], "Failed": [refused]}
    assert put_checks(answered("sqs", {"SendMessageBatch": answer})) == ["acc_2"]


def test_a_lost_answer_is_no_fault_where_the_row_tells_that_all_was_written() -> None:
    written = {"TransactWriteItems": "InternalServerError", "GetItem": {"Item": ROWS[0]}}
    assert outcome(lambda: write(answered("dynamodb", written), ROWS)) is None

"""The queue of checks and the dead letters against moto."""

import json
import traceback
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from namely_link.aws.queue import Asked, CheckQueue, DeadLetters, asked
from namely_link.domain.problems import StorageError, UnreadableError
from namely_link.domain.values import Actor, ActorKind, new_id

PORTAL = Actor(kind=ActorKind.PORTAL, name="operator of Owner One")


@pytest.fixture
def sqs(aws):
    return aws("sqs")


@pytest.fixture
def url(sqs) -> str:
    return sqs.create_queue(QueueName="checks")["QueueUrl"]


def waiting(sqs, url: str) -> list[str]:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [one["Body"] for one in answer.get("Messages", [])]


@pytest.mark.parametrize("kind", ActorKind)
def test_a_check_waits_with_who_has_asked_for_it(sqs, url, kind) -> None:
    actor = Actor(kind=kind, name="backend")
    CheckQueue(client=sqs, url=url).put("acc_1", actor=actor, request_id="r1")
    (body,) = waiting(sqs, url)
    assert asked(body, message_id="m1") == Asked(account_id="acc_1", actor=actor, request_id="r1")


def test_ten_checks_are_asked_for_in_one_call(sqs, url) -> None:
    calls: list[str] = []
    sqs.meta.events.register("before-call.sqs", lambda model, **_more: calls.append(model.name))
    ids = [f"acc_{number}" for number in range(10)]
    assert CheckQueue(client=sqs, url=url).put_all(ids, actor=PORTAL) == []
    assert calls == ["SendMessageBatch"]
    found = [asked(body, message_id="m1") for body in waiting(sqs, url)]
    assert found == [Asked(account_id=one, actor=PORTAL, request_id="m1") for one in ids]


@pytest.mark.parametrize(
    "answer",
    [
        {"Successful": [{"Id": "0"}, {"Id": "2"}], "Failed": [{"Id": "1"}]},
        {"Successful": [{"Id": "2"}, {"Id": "0"}]},
    ],
    ids=["refused", "not spoken of"],
)
def test_what_sqs_does_not_take_of_a_batch_is_told(sqs, url, answer) -> None:
    taken = [
        one | {"MessageId": "m", "MD5OfMessageBody": ""} for one in answer.get("Successful", [])
    ]
    failed = [
        one | {"SenderFault": False, "Code": "InternalError"} for one in answer.get("Failed", [])
    ]
    with Stubber(sqs) as stub:
        stub.add_response("send_message_batch", {"Successful": taken, "Failed": failed})
        left = CheckQueue(client=sqs, url=url).put_all(["a", "b", "c"], actor=PORTAL)
    assert left == ["b"]


def test_the_largest_batch_fits_a_call() -> None:
    """SQS takes 256 KiB in a call, in some regions 1 MiB."""
    actor = Actor(kind=max(ActorKind, key=len), name="\U0001f600" * 200)
    sent: list[dict] = []

    class Sqs:
        def send_message_batch(self, **asked: Any) -> dict[str, Any]:
            sent.append(asked)
            return {"Successful": [], "Failed": []}

    CheckQueue(client=Sqs(), url="u").put_all([new_id("acc_")] * 10, actor=actor)
    assert sum(len(one["MessageBody"].encode()) for one in sent[0]["Entries"]) < 256 * 1024


def test_a_check_that_no_request_asked_for_is_known_by_its_message(sqs, url) -> None:
    CheckQueue(client=sqs, url=url).put("acc_1", actor=PORTAL)
    (body,) = waiting(sqs, url)
    assert asked(body, message_id="m1") == Asked(account_id="acc_1", actor=PORTAL, request_id="m1")


@pytest.mark.parametrize(
    ("by", "actor"),
    [
        ("backend", Actor(kind=ActorKind.API_KEY, name="backend")),
        ("", Actor(kind=ActorKind.SWEEP, name="sweep")),
    ],
)
def test_a_message_of_the_first_release_is_read(by, actor) -> None:
    body = json.dumps({"account_id": "acc_1", "asked_by": by})
    assert asked(body, message_id="m1") == Asked(account_id="acc_1", actor=actor, request_id="m1")


def test_a_message_of_a_release_to_come_is_read() -> None:
    body = {
        "account_id": "acc_1",
        "actor": {"kind": "robot", "name": "R2", "model": 2},
        "request_id": "r1",
        "priority": 1,
    }
    read = asked(json.dumps(body), message_id="m1")
    assert (read.actor.kind, read.actor.name) == ("robot", "R2")
    assert read.actor.kind not in frozenset(ActorKind)


SECRET = "only-in-the-message"


@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        "",
        "null",
        "5",
        f'"{SECRET}"',
        "[]",
        '["actor"]',
        "{}",
        f'{{"account_id": "{SECRET}"}}',
        f'{{"{SECRET}": 1, "asked_by": "backend"}}',
        '{"account_id": "acc_1", "actor": null}',
        f'{{"account_id": "acc_1", "actor": "{SECRET}"}}',
        '{"account_id": "acc_1", "actor": {"kind": 1, "name": "x"}}',
        '{"account_id": "acc_1", "actor": {"kind": "portal"}}',
        '{"actor": {"kind": "portal", "name": "x"}}',
    ],
)
def test_a_message_that_is_none_of_ours_says_so_and_nothing_of_itself(body) -> None:
    with pytest.raises(UnreadableError, match=r"can't be read: \w+$") as caught:
        asked(body, message_id="m1")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_dead_letter_waits_for_somebody(sqs, url) -> None:
    DeadLetters(client=sqs, url=url).put({"eventID": "1", "dynamodb": {}})
    (body,) = waiting(sqs, url)
    assert json.loads(body) == {"eventID": "1", "dynamodb": {}}


def change(**sizes: int) -> dict[str, object]:
    """Return a change of the stream with images of so many bytes."""
    return {"SequenceNumber": "7", "Keys": {}} | {
        name: {"text": {"S": "x" * size}} for name, size in sizes.items()
    }


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ({"NewImage": 120_000, "OldImage": 120_000}, {"NewImage", "OldImage"}),
        ({"NewImage": 200_000, "OldImage": 200_000}, {"NewImage"}),
        ({"NewImage": 400_000, "OldImage": 10}, set()),
    ],
)
def test_a_dead_letter_that_is_too_large_keeps_what_fits(sqs, url, sizes, kept) -> None:
    """It would be refused for ever, and hold up all that comes after it in the stream."""
    DeadLetters(client=sqs, url=url).put({"unreadable": change(**sizes)})
    (body,) = waiting(sqs, url)
    assert len(body) <= 256 * 1024
    assert json.loads(body)["unreadable"].keys() == {"SequenceNumber", "Keys"} | kept


def test_a_dead_letter_is_of_characters_that_sqs_takes(sqs, url) -> None:
    """SendMessage refuses some: the last two of each plane's first, and halves of characters."""
    DeadLetters(client=sqs, url=url).put({"unreadable": {"text": "\ud800\ufffe\x00"}})
    (body,) = waiting(sqs, url)
    assert body.isascii()
    assert body.isprintable()


@pytest.mark.parametrize(
    ("put", "operation"),
    [
        (lambda sqs, url: CheckQueue(client=sqs, url=url).put("a", actor=PORTAL), "SendMessage"),
        (
            lambda sqs, url: CheckQueue(client=sqs, url=url).put_all(["a"], actor=PORTAL),
            "SendMessageBatch",
        ),
        (lambda sqs, url: DeadLetters(client=sqs, url=url).put({}), "SendMessage"),
    ],
)
def test_a_fault_of_sqs_is_translated(sqs, url, put, operation) -> None:
    with pytest.raises(StorageError, match=f"{operation}: QueueDoesNotExist"):
        put(sqs, url + "-none")

    def fail(**_unused: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs.example.com")

    sqs.meta.events.register("before-send", fail)
    with pytest.raises(StorageError, match=f"{operation}: EndpointConnectionError"):
        put(sqs, url)

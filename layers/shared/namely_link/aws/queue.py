"""SQS: the only module that knows it. Checks wait there to be made, and dead letters to be read."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from namely_link.aws.faults import FAULTS, storage_error
from namely_link.domain.problems import UnreadableError
from namely_link.domain.values import Actor, ActorKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef


_LARGEST: Final = 256 * 1024
"""Bytes of a message that every queue takes; more, up to a MiB, is a setting of the queue."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A check that somebody has asked for, in a request where it was one."""

    account_id: str
    actor: Actor
    request_id: str


@dataclass(frozen=True, kw_only=True)
class CheckQueue:
    """Asks for checks. One that comes twice is made twice, and harmless."""

    client: SQSClient
    url: str

    def put(self, account_id: str, *, actor: Actor, request_id: str = "") -> None:
        """Ask for a check.

        Raises:
            StorageError: it may have been asked for.
        """
        asked = Asked(account_id=account_id, actor=actor, request_id=request_id)
        _send(self.client, self.url, json.dumps(asdict(asked)))

    def put_all(self, account_ids: Sequence[str], *, actor: Actor) -> list[str]:
        """Ask for ten checks at most in one call, and return those that were not taken.

        SQS takes or refuses each message by itself.

        Raises:
            StorageError: each of them may have been asked for.
        """
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(number),
                "MessageBody": json.dumps(
                    asdict(Asked(account_id=one, actor=actor, request_id=""))
                ),
            }
            for number, one in enumerate(account_ids)
        ]
        with _translated("SendMessageBatch"):
            answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
        taken = {one["Id"] for one in answer.get("Successful", [])}
        return [one for number, one in enumerate(account_ids) if str(number) not in taken]


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """Keeps what can't be done, for somebody to look at."""

    client: SQSClient
    url: str

    def put(self, what: Mapping[str, Any]) -> None:
        """Keep a change of the table's stream, beneath a word for why it is here.

        Of one that is too large for a message the old image is left out, then the new one too.

        Raises:
            StorageError: it may have been kept.
        """
        body = json.dumps(what)  # ASCII: each character is a byte, and one that SQS takes
        for image in ("OldImage", "NewImage"):
            if len(body) > _LARGEST:
                what = {
                    word: {name: part for name, part in change.items() if name != image}
                    for word, change in what.items()
                }
                body = json.dumps(what)
        _send(self.client, self.url, body)


def _send(client: SQSClient, url: str, body: str) -> None:
    with _translated("SendMessage"):
        client.send_message(QueueUrl=url, MessageBody=body)


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise storage_error(operation, error) from None


def asked(body: str, *, message_id: str) -> Asked:
    """Return what a message asks for; those of earlier releases name no kind of actor.

    Raises:
        UnreadableError: it is no message of ours.
    """
    try:
        said = json.loads(body)
        if "actor" in said:
            actor = Actor(kind=ActorKind(said["actor"]["kind"]), name=said["actor"]["name"])
        elif said["asked_by"]:
            actor = Actor(kind=ActorKind.API_KEY, name=said["asked_by"])
        else:
            actor = Actor(kind=ActorKind.SWEEP, name="sweep")
        request_id = said.get("request_id") or message_id
        return Asked(account_id=said["account_id"], actor=actor, request_id=request_id)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"a message can't be read: {type(error).__name__}"
        raise UnreadableError(msg) from None

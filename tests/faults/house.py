"""The whole stack in one process: the functions' own code, as AWS would call it.

Only the sockets are missing: AWS is moto, Namely is a fake, and the clock is turned by hand. What
delivers in AWS, delivers here, and again where it does: the queue to `check`, the stream to
`publish`, the schedule to `sweep`.
"""

from __future__ import annotations

import io
import json
import os
import string
import warnings
from collections import Counter
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.core.model_instances import reset_model_data

from containers import Context, load
from faults.wire import Fault, Killed, Run, Wire, no_pauses, process
from namely_link import bootstrap
from namely_link.aws.seal import KmsSeal
from namely_link.aws.sessions import SessionTable
from namely_link.aws.table import Table
from namely_link.domain.probe import ME, PEOPLE, SITE, Answer, Failure, Questions, Reply
from namely_link.domain.sessions import ApiKey
from namely_link.domain.values import Subdomain, Token, moment, timestamp
from namely_link.http.access import SCOPES
from namely_link.http.bearers import Kind, mint
from one_by_one import OneByOne
from templates import ROOT, create_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

REGION: Final = "eu-central-1"
START: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TABLE: Final = "table"
PREFIX: Final = "stack/namely/"
RECHECK: Final = timedelta(minutes=5)
EXPIRY: Final = timestamp(START + timedelta(days=1))

REFUSED: Final = Answer(401, is_json=True, body={"error": ""})
_NAMELY_FAILS: Final[dict[Fault, Reply]] = {
    Fault.THROTTLED: Answer(429, is_json=False),
    Fault.FAILED: Answer(503, is_json=False),
    Fault.TIMED_OUT: Failure.TIMEOUT,
    Fault.LOST: Failure.UNUSABLE,
}


class FakeNamely:
    """A site whose every token belongs to a profile of its own, so that none is taken for another.

    It remembers which tokens it has accepted and refused.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.forget()

    def forget(self) -> None:
        """Be as at first."""
        self.good = {"a" * 64, "b" * 64, "c" * 64}
        self.accepted: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.down = self.salary = False

    def get(self, site: Subdomain, path: str, token: Token | None, _end: float) -> Reply:
        return self.wire.ask(
            f"{site} {path.rpartition('/')[2]}",
            lambda: self._answer(site, path, token),
            _NAMELY_FAILS,
        )

    def _answer(self, site: Subdomain, path: str, token: Token | None) -> Reply:
        if self.down:
            return Answer(503, is_json=False)
        if path == SITE:
            return _json({"name": "Acme", "permalink": site.label})
        value = token.reveal() if token else ""
        if value not in self.good:
            self.refused[value] += path == ME
            return REFUSED
        profile = {"id": profile_of(value), "email": "a@b.example", "user_status": "active"}
        if path == ME:
            self.accepted.add(value)
            return _json({"profiles": [profile]})
        if path == PEOPLE:
            other = {"id": "other", "salary": 1} if self.salary else {"id": "other"}
            return _json({"profiles": [profile, other], "meta": {"total_count": 2}})
        return REFUSED


def _json(body: object) -> Answer:
    return Answer(200, is_json=True, body=body)


def profile_of(token: str) -> str:
    """Return the id of the profile that a token belongs to."""
    return f"profile-{token[:8]}"


@dataclass
class Answered:
    """What a caller of the API gets; a status of 0 is none: the connection was cut."""

    status: int
    body: dict[str, Any]

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300

    @property
    def final(self) -> bool:
        """Whether asking again makes no sense, as the documentation of the codes has it."""
        return self.status not in {0, 409, 429} and self.status < 500


@dataclass
class House:
    """One stack, empty at first."""

    wire: Wire
    namely: FakeNamely
    functions: dict[str, ModuleType]
    raw: dict[str, Any]
    queue: str
    key: str
    values: dict[str, str] = field(default_factory=dict)
    now: datetime = START
    replies: list[tuple[str, Answered]] = field(default_factory=list)
    logs: io.StringIO = field(default_factory=io.StringIO)
    _told: int = 0

    # What callers do

    def http(self, file: str, run: Run | None = None, *, twin: str = "", **values: str) -> Answered:
        """Send one request; `twin` is the second container of a function."""
        event = self.event(file, **values)
        name = file.partition("/")[0] + twin
        try:
            answer = self._invoke(name, event, run)
        except Killed:
            return Answered(0, {})
        body = answer["body"] or "{}"
        reply = Answered(answer["statusCode"], json.loads(body) if body.startswith("{") else {})
        self.replies.append((file, reply))
        return reply

    def deliver(self, name: str, event: dict[str, Any], run: Run | None = None) -> object:
        """Deliver an event once; None where the function failed or died."""
        try:
            return self._invoke(name, event, run)
        except (Killed, Exception) as error:  # noqa: BLE001 - Lambda does not look at the kind
            self.logs.write(f"{name}: {error!r}\n")
            return None

    def event(self, file: str, **values: str) -> dict[str, Any]:
        text = (ROOT / "events" / f"{file}.json").read_text()
        return json.loads(
            string.Template(text).substitute(
                {"TIME": timestamp(bootstrap.now())} | self.values | values
            )
        )

    def session(self, **fields: object) -> dict[str, str]:
        """Make a connect session and return what a request with it needs."""
        event = self.event("api/make-session")
        asked = {"owner_id": "o1", "owner_name": "Owner One", "expires_in": 86400} | fields
        made = json.loads(self._invoke("api", event | {"body": json.dumps(asked)})["body"])
        return {"SESSION": made["token"], "SESSION_ID": made["id"]}

    def seal(self, token: str) -> str:
        seal = KmsSeal(client=self.raw["kms"], key_arn=self.key)
        bound = {"owner_id": "o1", "subdomain": "acme", "request_id": "q1", "expires_at": EXPIRY}
        return seal.seal(token, **bound)

    # What AWS does

    def sweep(self, run: Run | None = None, *, twin: str = "") -> object:
        return self.deliver("sweep" + twin, self.event("sweep/schedule"), run)

    def drain_queue(self, first: Run | None = None, *, twin: str = "") -> int:
        """Deliver what waits in the queue, each message once more where that failed."""
        delivered = 0
        for _ in range(6):
            got = self.raw["sqs"].receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, VisibilityTimeout=0
            )
            if not got.get("Messages"):
                break
            for message in got["Messages"]:
                record = self.event("check/queue", ACCOUNT_ID="x")["Records"][0]
                record |= {"messageId": message["MessageId"], "body": message["Body"]}
                answer = self.deliver("check" + twin, {"Records": [record]}, first)
                first = None
                delivered += 1
                if answer == {"batchItemFailures": []}:
                    self.raw["sqs"].delete_message(
                        QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"]
                    )
        return delivered

    def drain_stream(self, first: Run | None = None) -> None:
        """Deliver the stream's records in order, from the first one that failed."""
        records = self.stream()
        for _ in range(12):
            batch = records[self._told : self._told + 25]
            if not batch:
                return
            answer = self.deliver("publish", {"Records": batch}, first)
            first = None
            match answer:
                case {"batchItemFailures": [{"itemIdentifier": number}]}:
                    self._told += [one["dynamodb"]["SequenceNumber"] for one in batch].index(number)
                case {"batchItemFailures": []}:
                    self._told += len(batch)

    def settle(self) -> None:
        """Let time pass as it does in AWS, until nothing is due within the hour."""
        for _ in range(10):
            done = self.sweep()
            checked = self.drain_queue()
            self.drain_stream()
            due = [moment(row["due_at"]["S"]) for row in self.rows() if "due_at" in row]
            soon = [one for one in due if one <= self.now + timedelta(hours=1)]
            if done == {} and not checked and not soon:
                return
            self.now = max([self.now + timedelta(minutes=1), *soon])

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # What can be seen from outside

    def rows(self) -> list[dict[str, Any]]:
        return [item.to_json()["Attributes"] for item in self._table().all_items()]

    def secrets(self) -> list[dict[str, Any]]:
        listed = self.raw["secretsmanager"].list_secrets(
            IncludePlannedDeletion=True, MaxResults=100
        )
        return listed["SecretList"]

    def stream(self) -> list[dict[str, Any]]:
        """Return the table's stream from its beginning."""
        shard = self._table().stream_shard
        return shard.get(shard.starting_sequence_number, 1000)

    def _table(self) -> Any:
        """Return moto's own table: its answers over the wire are slow, and all that is left out."""
        return get_backend("dynamodb")[ACCOUNT][REGION].get_table(TABLE)

    def _invoke(self, name: str, event: dict[str, Any], run: Run | None = None) -> Any:
        with process(run or Run()):
            return self.functions[name].handler(event, Context())

    def empty(self) -> None:
        """Take everything out, for the next case."""
        dynamodb, secrets = self.raw["dynamodb"], self.raw["secretsmanager"]
        dynamodb.delete_table(TableName=TABLE)
        for secret in self.secrets():
            secrets.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
        self.raw["sqs"].delete_queue(QueueUrl=self.queue)
        self.raw["sqs"].create_queue(QueueName="checks")
        reset_model_data()  # moto keeps every object that it ever made
        self._furnish()

    def _furnish(self) -> None:
        create_table(self.raw["dynamodb"], TABLE)
        bearer = mint(Kind.API_KEY)
        key = ApiKey(id=bearer.id, name="backend", scopes=SCOPES, created_at=timestamp(START))
        SessionTable(table=Table(client=self.raw["dynamodb"], name=TABLE)).create_key(key)
        self.values = {
            "API_KEY": bearer.value,
            "SUBDOMAIN": "acme",
            "TOKEN": "a" * 64,
            "EXPIRES_AT": EXPIRY,
        }
        self.now, self._told = START, 0
        self.replies.clear()
        self.wire.published.clear()
        self.wire.watch = None
        self.namely.forget()
        self.logs.seek(0)
        self.logs.truncate()


@contextmanager
def house() -> Iterator[House]:
    """Build a stack."""
    environ = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "TABLE_NAME": TABLE,
        "STACK_NAME": "stack",
        "STAGE": "sandbox",
        "SECRET_PREFIX": PREFIX,
        "RECHECK_SECONDS": str(int(RECHECK.total_seconds())),
        "RECOVERY_WINDOW_DAYS": "7",
        "POWERTOOLS_METRICS_NAMESPACE": "namely-link",
        "EVENT_BUS": "stack",
    }
    wire = Wire()
    namely = FakeNamely(wire)
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, environ))
        stack.enter_context(mock_aws())
        stack.enter_context(no_pauses())
        stack.enter_context(warnings.catch_warnings())
        # Powertools says so of every request that counts nothing.
        warnings.filterwarnings("ignore", "No application metrics to publish")
        raw = {
            name: boto3.Session().client(name)
            for name in ("dynamodb", "secretsmanager", "sqs", "kms", "events")
        }
        raw["events"].create_event_bus(Name="stack")
        os.environ["DEAD_LETTERS_URL"] = raw["sqs"].create_queue(QueueName="dead")["QueueUrl"]
        os.environ["CHECK_QUEUE_URL"] = raw["sqs"].create_queue(QueueName="checks")["QueueUrl"]
        os.environ["SECRET_KEY_ARN"] = raw["kms"].create_key()["KeyMetadata"]["Arn"]
        wired = boto3.Session()
        wire.attach(wired)
        stack.enter_context(patch.object(boto3, "DEFAULT_SESSION", wired))
        stack.enter_context(
            patch.object(
                bootstrap,
                "questions",
                lambda _settings: Questions(namely=namely, negative_control=True),
            )
        )
        stack.enter_context(patch.object(bootstrap, "executor", OneByOne))
        stack.enter_context(patch.object(bootstrap, "sweepers", OneByOne))
        built = House(
            wire=wire,
            namely=namely,
            functions={},
            raw=raw,
            queue=os.environ["CHECK_QUEUE_URL"],
            key=os.environ["SECRET_KEY_ARN"],
        )
        stack.enter_context(patch.object(bootstrap, "now", lambda: built.now))
        stack.enter_context(redirect_stdout(built.logs))
        for name in ("link", "api", "check", "sweep", "publish", "intake"):
            for twin in ("", "2"):
                module = load(name)
                module.logger.registered_handler.setStream(built.logs)
                built.functions[name + twin] = module
        built._furnish()
        yield built

"""The whole stack in one process and on one clock: the functions' own code, as AWS would call it.

Only sockets are missing: AWS and Namely are doubles. What delivers in AWS delivers here, and again
where it does: the queue to `check`, the stream to `publish`, the bus to `intake`, the schedule to
`sweep`. Each invocation is a process of its own in a container of its own.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any, Final

from containers import Context
from namely_link.domain.problems import NamelyLinkError
from simulation.dynamodb import Table
from simulation.namely import Namely
from simulation.scheduler import Killed, Scheduler
from simulation.secretsmanager import Vault
from simulation.services import Bus, Kms, Queue
from simulation.stack import DEPLOYED, warm
from simulation.wire import Step, Weather, Wire
from templates import ROOT, TEMPLATE

if TYPE_CHECKING:
    from simulation.scheduler import Process

START: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LINK: Final = "link"
FUNCTIONS: Final = (LINK, "api", "check", "sweep", "publish", "intake")

_RESOURCES: Final = TEMPLATE["Resources"]


def _function(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = _RESOURCES[f"{name.title()}Function"]["Properties"]
    return properties


LIVES: Final[dict[str, float]] = {
    name: float(_function(name).get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"]))
    for name in FUNCTIONS
}
"""Seconds after which each function is killed."""

_QUEUE: Final = _RESOURCES["CheckQueue"]["Properties"]
VISIBILITY: Final = float(_QUEUE["VisibilityTimeout"])
MOST_RECEIVES: Final = int(_QUEUE["RedrivePolicy"]["maxReceiveCount"])
_STREAM: Final = _function("publish")["Events"]["Stream"]["Properties"]
_REQUEST: Final = json.loads((ROOT / "events" / "api" / "read.json").read_text())


@dataclass
class Answered:
    """What a caller gets; a status of 0 is none: it has hung up, or the function died."""

    status: int
    body: dict[str, Any]

    @property
    def done(self) -> bool:
        return 200 <= self.status < 400

    @property
    def final(self) -> bool:
        """Whether asking again makes no sense, as the documentation of the codes has it."""
        return self.status not in {0, 409, 429} and self.status < 500


@dataclass
class World:
    """One stack, empty at first."""

    seed: int
    weather: Weather
    spells: tuple[Any, ...] = ()
    watch: Any = None
    """Told of rows, secrets, events and answers as they come."""
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    dead: list[tuple[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What came out of functions that failed, for who replays."""
    scheduler: Scheduler = field(init=False)
    wire: Wire = field(init=False)
    table: Table = field(init=False)
    vault: Vault = field(init=False)
    namely: Namely = field(init=False)
    kms: Kms = field(default_factory=Kms)
    backends: dict[str, Any] = field(init=False)
    random: random.Random = field(init=False)
    bearers: dict[str, str] = field(default_factory=dict)
    alone: bool = False
    """Whether nobody does anything any more but what is due."""
    _told: int = 0
    _publishing: bool = False
    _tries: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)
    _busy: dict[Any, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.seed)
        self.random = random.Random(self.seed)
        self.wire = Wire(self, self.weather)
        self.table = Table(self.clock, lag=self._lag, leaves=self._refused, changed=self._row)
        self.vault = Vault(
            self.clock,
            lag=lambda: self._lag() * 20,
            forget=lambda: self.random.random() < 0.2,
            changed=self._secret,
        )
        self.namely = Namely(lambda: self.scheduler.now, self.spells)
        self.backends = {
            "dynamodb": self.table,
            "secretsmanager": self.vault,
            "sqs": Queue(self._sent, refuses=self._refused),
            "events": Bus(self._put, refuses=self._refused),
            "kms": self.kms,
        }

    # The clock

    def clock(self) -> float:
        return START.timestamp() + self.scheduler.now

    def moment(self) -> datetime:
        return START + timedelta(seconds=self.scheduler.now)

    def monotonic(self) -> float:
        return 1000.0 + self.scheduler.now

    # What callers do

    def http(
        self,
        method: str,
        path: str,
        *,
        bearer: str = "",
        body: Any = None,
        form: bool = False,
        patience: float = inf,
        calm: bool = False,
    ) -> Answered:
        """Send a request from the current process, and wait for its answer so many seconds."""
        request_id = f"r{self._number('request')}"
        headers = {"Content-Type": "application/json"}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        event = _REQUEST | {
            "resource": path,
            "path": path,
            "httpMethod": method,
            "headers": headers,
            "multiValueHeaders": {key: [value] for key, value in headers.items()},
            "requestContext": _REQUEST["requestContext"]
            | {"requestId": request_id, "httpMethod": method},
            "body": body if form or body is None else json.dumps(body),
        }
        links = path == "/v1/accounts" and method == "POST"
        name = LINK if links or path == "/v1/connect-sessions/current" else "api"
        caller = self.scheduler.current.name
        asked = self.invoke(name, event, name=f"{caller} {method} {path} ({request_id})")
        asked.kept |= {"calm": calm, "request": request_id}
        self.watch.asked(asked, method, path, bearer, body)
        self.scheduler.wait(asked, most=patience)
        answer = Answered(0, {})
        if asked.ended and asked.result:
            text = asked.result["body"] or "{}"
            shown = json.loads(text) if text.startswith("{") else {}
            answer = Answered(asked.result["statusCode"], shown)
        self.wire.story.append(
            Step(self.scheduler.now, caller, f"is answered {answer.status}", answer.body)
        )
        self.watch.answered(method, path, bearer, body, answer)
        return answer

    def invoke(self, function: str, event: dict[str, Any], *, name: str) -> Process:
        """Start a function with an event, in a container that is free or new."""

        def run() -> Any:
            container = warm.take(function)
            try:
                result = container.handler(event, Context(function_name=function))
                self.watch.ended(process, function, result)
                return result
            except Killed:
                self._note(process.name, "killed" if process.doomed else "timed out")
                raise
            except NamelyLinkError as error:
                self._note(process.name, f"failed: {error!r}")
                raise
            except Exception as error:
                self._note(process.name, f"failed: {error!r}")
                self.failures.append(f"{process.name}: {error!r}")
                raise
            finally:
                warm.free[function].append(container)

        process = self.scheduler.spawn(name, run, lives=LIVES[function])
        if function in {LINK, "api", "intake"}:
            self._busy[process] = None
        return process

    def busy(self) -> bool:
        """Whether something is under way that somebody has asked for, or takes effect late."""
        self._busy = {one: None for one in self._busy if not one.ended}
        return bool(self._busy) or self.wire.landing > 0

    def deliver(self, event: dict[str, Any], *, tries: int = 3) -> None:
        """Give an event to `intake` as the bus does: again where it fails, sometimes twice."""
        number = self._number("event")
        copies = 2 if self.random.random() < self.weather.twice else 1

        def body() -> None:
            for attempt in range(tries):
                name = f"event {number} {event['detail-type']} try {attempt + 1}"
                asked = self.invoke("intake", event, name=name)
                asked.kept["request"] = event["detail"].get("request_id", "")
                self.scheduler.wait(asked)
                if asked.ended and asked.error is None:
                    return
                self.scheduler.sleep(60.0 * (attempt + 1))
            self.dead.append(("intake", event))

        for copy in range(copies):
            after = copy * self.random.uniform(0, 40)
            bus = self.scheduler.spawn(f"bus of event {number}.{copy}", body, after=after)
            self._busy[bus] = None

    # What AWS does

    def sweep(self) -> None:
        """Deliver the schedule's event, sometimes twice."""
        event = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
        name = f"sweep {self._number('sweep')}"
        self.invoke("sweep", event, name=name)
        if self.random.random() < self.weather.twice:
            self.invoke("sweep", event, name=f"{name} again")

    def reconcile(self) -> None:
        event = {"task": "reconcile"}
        self.invoke("sweep", event, name=f"reconcile {self._number('reconcile')}")

    def _sent(self, url: str, message: str) -> None:
        if url == DEPLOYED["DEAD_LETTERS_URL"]:
            self.dead.append(("publish", message))
        else:
            self._enqueue(message)

    def _enqueue(self, message: str) -> None:
        number = self._number("message")
        copies = 2 if self.random.random() < self.weather.twice else 1
        for copy in range(copies):
            name = f"check of message {number}" + ("" if copy == 0 else " again")
            wait = self.random.uniform(0.01, 1.0) + 30 * copy * self.random.random()
            self.scheduler.spawn(
                f"queue: {name}", lambda name=name: self._receive(name, message), after=wait
            )

    def _receive(self, name: str, message: str) -> None:
        for attempt in range(MOST_RECEIVES):
            record = {
                "messageId": name,
                "receiptHandle": name,
                "body": message,
                "attributes": {"ApproximateReceiveCount": str(attempt + 1)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:checks",
                "awsRegion": "eu-central-1",
            }
            since = self.scheduler.now
            asked = self.invoke("check", {"Records": [record]}, name=f"{name} try {attempt + 1}")
            asked.kept |= {"message": json.loads(message), "since": self.clock()}
            self.scheduler.wait(asked)
            if asked.result == {"batchItemFailures": []}:
                return
            self.scheduler.sleep(max(since + VISIBILITY - self.scheduler.now, 0))
        self.dead.append(("check", message))

    def _publish(self) -> None:
        """Deliver the stream in order, from the first record that failed."""
        tries, size = 0, int(_STREAM["BatchSize"])
        while self._told < len(self.table.stream):
            batch = self.table.stream[self._told : self._told + size]
            asked = self.invoke(
                "publish", {"Records": batch}, name=f"publish {self._number('publish')}"
            )
            self.scheduler.wait(asked)
            match asked.result:
                case {"batchItemFailures": [{"itemIdentifier": number}]}:
                    numbers = [one["dynamodb"]["SequenceNumber"] for one in batch]
                    done = numbers.index(number)
                case {"batchItemFailures": []}:
                    done = len(batch)
                case _:
                    done = 0
            self._told += done
            tries = 0 if done else tries + 1
            if tries and _STREAM.get("BisectBatchOnFunctionError"):
                size = max(1, len(batch) // 2)
            if done:
                size = int(_STREAM["BatchSize"])
            if 0 <= int(_STREAM.get("MaximumRetryAttempts", -1)) < tries:
                self.dead.append(("publish", batch[0]))
                self._told += 1
                tries = 0
            if tries:
                self.scheduler.sleep(min(2.0**tries, 60))
        self._publishing = False

    def _row(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        if not self._publishing:
            self._publishing = True
            wait = self.random.uniform(0.05, 1.0)
            self.scheduler.spawn(f"stream {self._number('stream')}", self._publish, after=wait)
        self.watch.row(old, new)

    def _secret(self, name: str) -> None:
        self.watch.secret(name)

    def _put(self, entry: dict[str, Any]) -> None:
        self.events.append((self.scheduler.now, entry))

    def _refused(self) -> bool:
        return (
            bool(self.weather.faults)
            and self.scheduler.now <= self.weather.until
            and self.random.random() < self.weather.often / 2
        )

    def _lag(self) -> float:
        if self.weather.stale and self.random.random() < self.weather.stale:
            return self.random.choice((0.2, 2.0, 20.0))
        return 0.0

    def _number(self, what: str) -> int:
        self._numbers[what] = self._numbers.get(what, 0) + 1
        return self._numbers[what]

    def _note(self, who: str, what: str) -> None:
        self.wire.story.append(Step(self.scheduler.now, who, what))

    def due(self) -> float:
        """When (seconds from the start) something is due for the sweep next."""
        times = [
            datetime.fromisoformat(item["due_at"]["S"]).timestamp() - START.timestamp()
            for item in self.table.items.values()
            if "due_at" in item
        ]
        return min(times, default=inf)

"""The whole stack in one process and on one clock: the functions' own code, as AWS would call it.

Only sockets are missing: AWS and Namely are doubles. What delivers in AWS delivers here, and again
where it does: the queue to `check`, the stream to `publish`, the bus to `intake`, the schedule to
`sweep`. Each invocation is a process of its own in a container of its own.
"""

from __future__ import annotations

import io
import json
import logging
import os
import random
import sys
import time
import warnings
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import boto3

from containers import Context, load
from namely_link import bootstrap
from namely_link.domain.problems import NamelyLinkError
from simulation.dynamodb import Table
from simulation.namely import Namely
from simulation.scheduler import Killed, Scheduler
from simulation.secretsmanager import Vault
from simulation.services import Bus, Kms, Queue
from simulation.wire import Client, Step, Weather, Wire
from templates import ROOT, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from namely_link.domain.account import Subdomain, Token
    from namely_link.domain.probe import Reply
    from simulation.scheduler import Process

START: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PREFIX: Final = "stack/namely/"
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
_DEPLOYED: Final = {
    "TABLE_NAME": "table",
    "STACK_NAME": "stack",
    "STAGE": "sandbox",
    "SECRET_PREFIX": PREFIX,
    "RECHECK_SECONDS": "300",
    "RECOVERY_WINDOW_DAYS": "7",
    "EVENT_BUS": "stack",
    "CHECK_QUEUE_URL": "https://checks",
    "DEAD_LETTERS_URL": "https://dead-letters",
    "SECRET_KEY_ARN": "arn:aws:kms:eu-central-1:123456789012:key/k",
    "POWERTOOLS_METRICS_NAMESPACE": "namely-link",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
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
        self.table = Table(self.clock, lag=self._lag, changed=self._row)
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
            "sqs": Queue(self._sent),
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
            free = _containers.setdefault(function, [])
            container = free.pop() if free else _container(function)
            try:
                return container.handler(event, Context(function_name=function))
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
                free.append(container)

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

    def sweep(self, event: dict[str, Any] | None = None) -> Process:
        given = event or {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
        word = event.get("task", "sweep") if event else "sweep"
        return self.invoke("sweep", given, name=f"{word} {self._number(word)}")

    def _sent(self, url: str, message: str) -> None:
        if url == _DEPLOYED["DEAD_LETTERS_URL"]:
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


class _Threads:
    """What bootstrap runs things at once with: processes that are part of the current one."""

    def __init__(self, **_options: Any) -> None:
        self._started: list[Any] = []

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, *_error: object) -> None:
        for one in self._started:
            _now().scheduler.wait(one)

    def submit(self, call: Callable[..., Any], *given: Any, **named: Any) -> _Result:
        thread = _now().scheduler.thread(lambda: call(*given, **named))
        self._started.append(thread)
        return _Result(thread)

    def shutdown(self, **_options: Any) -> None:
        self.__exit__()


class _Result(Future):  # type: ignore[type-arg]
    def __init__(self, thread: Any) -> None:
        super().__init__()
        self._thread = thread

    def result(self, timeout: float | None = None) -> Any:
        _now().scheduler.wait(self._thread, most=inf if timeout is None else timeout)
        if self._thread.error is not None:
            raise self._thread.error
        return self._thread.result


class _NamelyApi:
    """In place of the adapter over urllib3."""

    def __init__(self, **_options: Any) -> None:
        pass

    def get(self, subdomain: Subdomain, path: str, token: Token | None, deadline: float) -> Reply:
        world, value = _now(), token.reveal() if token else ""
        question = f"{subdomain} {path.rpartition('/')[2]}"
        if value and value[0] * 64 != value:
            question += " of nobody"
        return world.wire.ask(
            question,
            deadline,
            lambda: world.namely.answer(
                str(subdomain), path, value, normal=bool(world.scheduler.current.kept.get("normal"))
            ),
        )


_world: World | None = None
_containers: dict[str, list[ModuleType]] = {}
_clients: dict[str, Client] = {}


def _now() -> World:
    assert _world
    return _world


def _container(function: str) -> ModuleType:
    folder = str(ROOT / "functions" / function)
    with patch.object(sys, "path", [folder, *sys.path]):
        module = load(function)
    if not _debug:
        module.logger.setLevel(logging.CRITICAL)
    return module


_debug = False


def _client(service: str, **_options: Any) -> Client:
    if service not in _clients:
        _clients[service] = Client(service, _now)
    return _clients[service]


def _random_bytes(number: int) -> bytes:
    world = _world
    if world is None:
        return _urandom(number)
    return world.random.randbytes(number)


_urandom, _monotonic, _time_ns = os.urandom, time.monotonic, time.time_ns


@contextmanager
def stack() -> Iterator[None]:
    """Let the product run in worlds, until the block ends."""
    with ExitStack() as held:
        held.enter_context(patch.dict(os.environ, _DEPLOYED))
        held.enter_context(patch.object(boto3, "client", _client))
        held.enter_context(patch.object(bootstrap, "NamelyApi", _NamelyApi))
        held.enter_context(patch.object(bootstrap, "ThreadPoolExecutor", _Threads))
        held.enter_context(patch.object(bootstrap, "now", lambda: _now().moment()))
        held.enter_context(
            patch.object(time, "monotonic", lambda: _world.monotonic() if _world else _monotonic())
        )
        held.enter_context(
            patch.object(
                time, "time_ns", lambda: int(_world.clock() * 1e9) if _world else _time_ns()
            )
        )
        held.enter_context(patch.object(os, "urandom", _random_bytes))
        held.enter_context(patch.object(random, "_urandom", _random_bytes))
        held.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "No application metrics to publish")
        if not _debug:
            held.enter_context(redirect_stdout(io.StringIO()))
        try:
            yield
        finally:
            _containers.clear()
            _clients.clear()


@contextmanager
def living(world: World) -> Iterator[World]:
    """Let a world be the one of the moment."""
    global _world
    _world = world
    state = random.getstate()
    random.seed(world.seed)
    try:
        yield world
    finally:
        world.scheduler.end()
        random.setstate(state)
        _world = None

"""Where faults happen: between the product and AWS, and between it and Namely.

A call is one operation as the product makes it. It is sent up to three times, as botocore does with
our settings, and what it meets is drawn by the process that makes it.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from simulation.errors import error
from simulation.namely import LOST, REFUSED
from simulation.scheduler import Killed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from namely_link.domain.probe import Reply
    from simulation.scheduler import Process
    from simulation.world import World


class Fault(StrEnum):
    """What can happen to a call."""

    THROTTLED = "throttled"
    FAILED = "5xx before the effect"
    CONFLICT = "another transaction on the item"
    TIMED_OUT = "time-out without an effect"
    LOST = "answer lost after the effect"
    LATE = "takes effect after its client has given up"
    FROZEN = "the process is frozen before the call"
    SLOW = "the answer comes late"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    KILLED_AT = "killed while the call is under way, which takes effect late"


KILLS: Final = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.KILLED_AT)

ATTEMPTS: Final = 3
READ_TIMEOUT: Final = 5.0
"""Seconds: the settings of botocore in bootstrap; a test holds them together."""

LATENESS: Final = 120.0
"""Seconds after which a call that was sent takes effect at the latest, but for:"""
RARE_LATENESS: Final = 1800.0
"""what writes a secret, rarely: that is what the reconcile is for."""

_MAKES_SECRETS: Final = {"create_secret", "put_secret_value"}
_READS: Final = ("get", "query", "scan", "batch_get", "describe", "list", "decrypt")
_TOKENS: Final = {
    "transact_write_items": "ClientRequestToken",
    "create_secret": "ClientRequestToken",
    "put_secret_value": "ClientRequestToken",
}
"""What botocore fills in, once a call, where the caller has not."""


@dataclass
class Weather:
    """How slow calls are (mean seconds), which faults they meet, how often, and until when.

    `outages` are times in which a service of AWS fails. `muted` are faults that are left out, by
    process and number of its call, to find the fewest that matter.
    """

    slowness: float = 0.05
    faults: tuple[Fault, ...] = ()
    often: float = 0.0
    until: float = 0.0
    stale: float = 0.0
    twice: float = 0.0
    outages: tuple[tuple[str, float, float], ...] = ()
    muted: frozenset[tuple[str, int]] = frozenset()


@dataclass
class Step:
    """One line of a story."""

    time: float
    who: str
    what: str
    details: dict[str, Any] = field(default_factory=dict)
    outcome: str = ""
    met: Fault | None = None
    call: tuple[str, int] = ("", 0)
    """Which call of which process it is."""


class Client:
    """What `boto3.client` returns: calls go over the wire of the world of the moment."""

    def __init__(self, service: str, world: Callable[[], World]) -> None:
        self._service, self._world = service, world
        self.exceptions = world().backends[service].exceptions

    def get_paginator(self, operation: str) -> _Paginator:
        return _Paginator(getattr(self, operation))

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**asked: Any) -> Any:
            world = self._world()
            world.watch.calls(world.scheduler.current, operation, asked)
            return world.wire.call(self._service, operation, asked)

        self.__dict__[operation] = call
        return call


@dataclass
class _Paginator:
    """Asks for page after page, as botocore's does."""

    operation: Callable[..., Any]

    def paginate(self, *, PaginationConfig: dict[str, int], **asked: Any) -> Iterator[Any]:
        page = self.operation(**asked, MaxResults=PaginationConfig["PageSize"])
        yield page
        while token := page.get("NextToken"):
            page = self.operation(**asked, MaxResults=PaginationConfig["PageSize"], NextToken=token)
            yield page


@dataclass
class Wire:
    """Carries calls, and writes down what became of them."""

    world: World
    weather: Weather
    story: list[Step] = field(default_factory=list)
    trouble: float = 0.0
    """When the last fault happened, or its effect."""
    very_late: bool = False
    """Whether a call took effect so late that only the daily reconcile finds it."""
    landing: int = 0
    """Calls that have not taken effect yet, though nobody waits for them."""

    def call(self, service: str, operation: str, asked: dict[str, Any]) -> Any:
        scheduler = self.world.scheduler
        process = scheduler.current
        token = _TOKENS.get(operation)
        if token and not asked.get(token):
            asked[token] = str(uuid.uuid4())
        process.calls += 1
        fault, times = self._fault(process, service, operation)
        step = Step(scheduler.now, process.name, f"{service} {operation}", asked)
        self.story.append(step)
        step.met, step.call = fault, (process.name, process.calls)
        last: Exception | None = None
        for attempt in range(ATTEMPTS):
            self._pause(process)
            step.time = scheduler.now
            if self._out(service, process):
                step.outcome = "outage"
                last = error("ServiceUnavailable", status=503)
                continue
            if fault is None or attempt >= times:
                step.outcome = f"{fault}, then again: " if fault else ""
                answer = self._effect(service, operation, asked, step)
                self.world.watch.answers(process, answer)
                return answer
            self.trouble = scheduler.now
            if fault in {Fault.FROZEN, Fault.SLOW}:
                return self._delayed(fault, service, operation, asked, step, process)
            step.outcome = fault
            last = self._meet(fault, service, operation, asked, step, process)
        assert last
        raise last

    def _delayed(
        self,
        fault: Fault,
        service: str,
        operation: str,
        asked: dict[str, Any],
        step: Step,
        process: Process,
    ) -> Any:
        """Let a call come late, or its answer."""
        scheduler = self.world.scheduler
        if fault is Fault.FROZEN:
            step.outcome = fault
            scheduler.sleep(process.random.uniform(5, 130))
            self.trouble = step.time = scheduler.now
            step.outcome = "frozen first: "
            return self._effect(service, operation, asked, step)
        answer = self._effect(service, operation, asked, step)
        step.outcome += f", {fault}"
        scheduler.sleep(process.random.uniform(0.5, READ_TIMEOUT))
        self.trouble = scheduler.now
        return answer

    def _meet(
        self,
        fault: Fault,
        service: str,
        operation: str,
        asked: dict[str, Any],
        step: Step,
        process: Process,
    ) -> Exception:
        """Let a fault happen; return what botocore would try again for."""
        scheduler = self.world.scheduler

        def effect() -> Any:
            return self._effect(service, operation, asked, step)

        match fault:
            case Fault.THROTTLED:
                return error("ThrottlingException")
            case Fault.FAILED:
                return error("InternalServerError", status=500)
            case Fault.CONFLICT:
                if operation == "transact_write_items":
                    reasons = [{"Code": "TransactionConflict"}] + [
                        {"Code": "None"} for _ in asked["TransactItems"][1:]
                    ]
                    raise error("TransactionCanceledException", CancellationReasons=reasons)
                raise error("TransactionConflictException")
            case Fault.TIMED_OUT:
                scheduler.sleep(READ_TIMEOUT)
                return ReadTimeoutError(endpoint_url="https://aws")
            case Fault.LOST:
                effect()
                step.outcome = fault
                return ConnectionClosedError(endpoint_url="https://aws")
            case Fault.LATE:
                self._late(service, operation, asked, process)
                scheduler.sleep(READ_TIMEOUT)
                return ReadTimeoutError(endpoint_url="https://aws")
            case Fault.KILLED_AT:
                self._late(service, operation, asked, process)
            case Fault.KILLED_AFTER:
                effect()
                step.outcome = fault
        process.invocation.kill()
        raise Killed

    def _late(self, service: str, operation: str, asked: dict[str, Any], process: Process) -> None:
        """Let a call take effect later, when nobody waits for it any more."""
        scheduler = self.world.scheduler
        most = LATENESS
        if operation in _MAKES_SECRETS and process.random.random() < 0.3:
            most = RARE_LATENESS
            self.very_late = True
        wait = process.random.uniform(0.01, 1.0) * most

        self.landing += 1

        def land() -> None:
            self.trouble = scheduler.now
            self.landing -= 1
            step = Step(scheduler.now, process.name, f"{service} {operation}", asked)
            self.story.append(step)
            if operation in {"delete_secret", "restore_secret"}:
                self.world.watch.turned_late(asked["SecretId"])
            with contextlib.suppress(ClientError):
                self._effect(service, operation, asked, step)
            step.outcome = f"takes effect late: {step.outcome or 'done'}"

        scheduler.at(scheduler.now + wait, land)

    def _effect(self, service: str, operation: str, asked: dict[str, Any], step: Step) -> Any:
        try:
            answer = getattr(self.world.backends[service], operation)(**asked)
        except ClientError as failed:
            step.outcome += str(failed.response["Error"]["Code"])
            raise
        step.outcome += "done"
        return answer

    def ask(self, question: str, deadline: float, effect: Callable[[], Reply]) -> Reply:
        """Carry a question to Namely."""
        scheduler = self.world.scheduler
        process = scheduler.current
        process.calls += 1
        fault, _ = self._fault(process, "namely", question)
        step = Step(scheduler.now, process.name, f"namely {question}")
        self.story.append(step)
        self._pause(process)
        left = max(deadline - self.world.monotonic(), 0.0)
        step.met, step.call = fault, (process.name, process.calls)
        if fault in KILLS:
            step.outcome = fault
            self.trouble = scheduler.now
            process.invocation.kill()
            raise Killed
        if fault:
            self.trouble = scheduler.now
            if fault in {Fault.TIMED_OUT, Fault.LATE, Fault.FROZEN}:
                scheduler.sleep(left)
                step.outcome = "no answer in time"
                return LOST[0]
            if fault is Fault.SLOW:
                scheduler.sleep(min(left, process.random.uniform(0.5, 8)))
            else:
                step.outcome = "no usable answer"
                return process.random.choice(LOST[1:])
        reply = effect()
        step.outcome += str(getattr(reply, "status", reply))
        self._note_verdict(process, question, reply)
        return reply

    def _note_verdict(self, process: Process, question: str, reply: Reply) -> None:
        """Keep what this probe has seen: an incident may begin behind the site's own answer."""
        status = getattr(reply, "status", 0)
        if question.endswith(" info"):
            process.kept["normal"] = status == 200
        elif question.endswith(" me"):
            if status == 401 and (reply is REFUSED or process.kept.get("normal")):
                process.kept["refused"] = True
            elif status == 200:
                process.kept["accepted"] = True

    def _pause(self, process: Process) -> None:
        draw = process.random
        wait = draw.expovariate(1 / self.weather.slowness)
        if draw.random() < 0.02:
            wait *= 20
        self.world.scheduler.sleep(wait)

    def _fault(self, process: Process, service: str, operation: str) -> tuple[Fault | None, int]:
        draw = process.random
        luck, which, times = draw.random(), draw.random(), draw.random()
        weather = self.weather
        if (
            not weather.faults
            or self.world.scheduler.now > weather.until
            or process.kept.get("calm")
        ):
            return None, 0
        often = weather.often
        if service == "secretsmanager" or not operation.startswith(_READS):
            often *= 2
        elif operation == "query":
            often /= 4
        if luck >= often or (process.name, process.calls) in weather.muted:
            return None, 0
        fault = weather.faults[int(which * len(weather.faults))]
        if fault is Fault.CONFLICT and (service != "dynamodb" or operation.startswith(_READS)):
            return None, 0
        once = fault in {Fault.FROZEN, Fault.SLOW, *KILLS}
        return fault, 1 if once or times < 0.5 else 2 if times < 0.6 else ATTEMPTS

    def _out(self, service: str, process: Process) -> bool:
        now = self.world.scheduler.now
        out = any(service == one and start <= now < end for one, start, end in self.weather.outages)
        if out and process.random.random() < 0.95:
            self.trouble = now
            return True
        return False

"""Where faults happen: between the product and AWS (moto in process), and Namely (a fake).

A call is one operation as the product makes it; botocore may send it several times. Everything runs
as in production, botocore's own retries included; only its pauses between them are left out.
"""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.retries import quota, standard
from moto.core.models import botocore_stubber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3

    from namely_link.domain.probe import Reply


class Killed(BaseException):
    """The process ends here."""


class Fault(StrEnum):
    """What can happen to a call."""

    THROTTLED = "throttled"
    FAILED = "5xx before the effect"
    TIMED_OUT = "time-out"
    LOST_ONCE = "first answer lost after the effect"
    LOST = "every answer lost after the effect"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"


OF_NAMELY: Final = tuple(one for one in Fault if one is not Fault.LOST_ONCE)
"""Reading twice is reading once: an answer of Namely is lost or it is not."""

WRITES: Final = ("Put", "Update", "Delete", "Transact", "Create", "Restore", "Send")


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_options: Any) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Run:
    """One process at work: what it has called, and which call meets which fault.

    `at` is the number of a call, or its name and how often it has come (`dynamodb UpdateItem#2`).
    `gate` is asked before each call to AWS, so that two runs can take turns.
    """

    at: int | str = -1
    fault: Fault | None = None
    gate: Callable[[], None] | None = None
    calls: list[str] = field(default_factory=list)
    _ids: dict[str, set[int | str]] = field(default_factory=dict)

    def arrive(self, name: str, *, call_id: str) -> Fault | None:
        """Note that a call is sent, perhaps again, and return the fault that it meets."""
        if call_id not in self._ids:
            if self.gate and not name.startswith("namely"):
                self.gate()
            number = len(self.calls)
            self.calls.append(name)
            self._ids[call_id] = {number, f"{name}#{self.calls.count(name)}"}
        return self.fault if self.at in self._ids[call_id] else None


_run: ContextVar[Run | None] = ContextVar("run", default=None)


@contextmanager
def process(run: Run) -> Iterator[Run]:
    """Whatever is called inside belongs to this run."""
    before = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(before)


@dataclass
class Wire:
    """Carries calls to moto and to the fake Namely. `watch` is called after each write."""

    watch: Callable[[], None] | None = None
    published: list[dict[str, Any]] = field(default_factory=list)
    _transactions: dict[str, tuple[int, Any, Any]] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)

    def attach(self, session: boto3.Session) -> None:
        """Carry the calls of every client that the session makes from now on."""
        session.events.unregister("before-send", botocore_stubber)
        session.events.register("before-send", self._send)

    def _send(self, request: AWSPreparedRequest, event_name: str, **_more: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        service = event_name.split(".")[1]
        run = _run.get()
        if run is None:
            return self._effect(operation, request)
        call_id = str(request.headers["amz-sdk-invocation-id"])
        match run.arrive(f"{service} {operation}", call_id=call_id):
            case None:
                return self._effect(operation, request)
            case Fault.THROTTLED:
                return _refusal(request, 400, "ThrottlingException")
            case Fault.FAILED:
                return _refusal(request, 500, "InternalServerError")
            case Fault.TIMED_OUT:
                raise ReadTimeoutError(endpoint_url=request.url)
            case Fault.LOST_ONCE if call_id in self._lost:
                return self._effect(operation, request)
            case Fault.LOST | Fault.LOST_ONCE:
                self._lost.add(call_id)
                self._effect(operation, request)
                raise ConnectionClosedError(endpoint_url=request.url)
            case Fault.KILLED_BEFORE:
                raise Killed
            case Fault.KILLED_AFTER:
                self._effect(operation, request)
                raise Killed

    def _effect(self, operation: str, request: AWSPreparedRequest) -> AWSResponse:
        body = json.loads(request.body) if operation in {"TransactWriteItems", "PutEvents"} else {}
        # DynamoDB answers a repeated transaction as the first one, for ten minutes; moto does not.
        token = body.get("ClientRequestToken", "")
        answer = self._transactions.get(token) or botocore_stubber.process_request(request)
        assert answer, f"moto does not know {operation}"
        status, headers, text = answer
        if token and status == 200:
            self._transactions[token] = answer
        if operation == "PutEvents" and status == 200:
            self.published += body["Entries"]
        if self.watch and _run.get() and operation.startswith(WRITES):
            self.watch()
        raw = _Raw(text.encode() if isinstance(text, str) else text)
        return AWSResponse(request.url, status, headers, raw)

    def ask(self, question: str, effect: Callable[[], Reply], failed: dict[Fault, Reply]) -> Reply:
        """Carry a question to Namely; `failed` is what the adapter makes of each fault."""
        run = _run.get()
        fault = run.arrive(f"namely {question}", call_id=f"{len(run.calls)}") if run else None
        match fault:
            case None:
                return effect()
            case Fault.KILLED_BEFORE:
                raise Killed
            case Fault.KILLED_AFTER:
                effect()
                raise Killed
            case Fault.LOST:
                effect()
        return failed[fault]


def _refusal(request: AWSPreparedRequest, status: int, code: str) -> AWSResponse:
    body = _Raw(json.dumps({"__type": code, "message": code}).encode())
    return AWSResponse(request.url, status, {"x-amzn-errortype": code}, body)


@contextmanager
def no_pauses() -> Iterator[None]:
    """Let botocore retry as often as in production, at once and however much has failed before."""
    with (
        patch.object(standard.ExponentialBackoff, "delay_amount", lambda *_: 0),
        patch.object(quota.RetryQuota, "acquire", lambda *_: True),
    ):
        yield

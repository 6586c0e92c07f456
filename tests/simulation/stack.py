"""What the product is given in place of sockets, threads, clocks and chance while it plays."""

from __future__ import annotations

import io
import os
import random
import sys
import time
import warnings
from collections import defaultdict
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import boto3

from containers import load
from namely_link import bootstrap
from simulation.wire import Client
from templates import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from namely_link.domain.probe import Reply
    from namely_link.domain.values import Subdomain, Token
    from simulation.scheduler import Process
    from simulation.world import World

DEPLOYED: Final = {
    "TABLE_NAME": "table",
    "STACK_NAME": "stack",
    "STAGE": "sandbox",
    "SECRET_PREFIX": "stack/namely/",
    "RECHECK_SECONDS": "300",
    "RECOVERY_WINDOW_DAYS": "7",
    "EVENT_BUS": "stack",
    "CHECK_QUEUE_URL": "https://checks",
    "DEAD_LETTERS_URL": "https://dead-letters",
    "SECRET_KEY_ARN": "arn:aws:kms:eu-central-1:123456789012:key/k",
    "POWERTOOLS_METRICS_NAMESPACE": "namely-link",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",  # the matrix looks into the log
    "AWS_DEFAULT_REGION": "eu-central-1",
}


class _Threads:
    """What bootstrap runs things at once with: processes that are part of the current one."""

    def __init__(self, **_options: Any) -> None:
        self._started: list[Process] = []

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


class _Result(Future):
    def __init__(self, thread: Process) -> None:
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


@dataclass
class Containers:
    """Functions as they were loaded, by name: an invocation has one to itself."""

    free: dict[str, list[ModuleType]] = field(default_factory=lambda: defaultdict(list))

    def take(self, function: str) -> ModuleType:
        """Return one that is free, or a new one."""
        if self.free[function]:
            return self.free[function].pop()
        with patch.object(sys, "path", [str(ROOT / "functions" / function), *sys.path]):
            return load(function)


warm = Containers()
_clients: dict[str, Client] = {}
_world: World | None = None
"""The one of the moment: what the product keeps from one invocation to the next asks for it."""


def _now() -> World:
    assert _world
    return _world


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
        held.enter_context(patch.dict(os.environ, DEPLOYED))
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
        held.enter_context(redirect_stdout(io.StringIO()))  # Powertools prints metrics
        try:
            yield
        finally:
            warm.free.clear()
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

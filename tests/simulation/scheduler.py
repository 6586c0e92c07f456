"""One clock, and processes that take turns on it.

A process is a greenlet. It runs until it sleeps or waits; then the one whose time comes first goes
on, and the clock is set to that time. Nothing else moves the clock, so a run is a function of what
its processes draw at random, and each draws from a generator of its own.
"""

from __future__ import annotations

import heapq
import random
import zlib
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable


class Killed(BaseException):
    """The process ends here, and calls nothing more."""


_MISSING: Final = object()
_ROUTER: Final = ("current_event", "lambda_context")
"""Powertools keeps the request in a class: a container of Lambda has one at a time, not we."""


@dataclass(eq=False)
class Process:
    """Something that runs beside others. It is killed at `ends_at`; it has made so many `calls`."""

    name: str
    body: Callable[[], Any]
    scheduler: Scheduler
    ends_at: float = inf
    random: random.Random = field(init=False)
    result: Any = None
    error: BaseException | None = None
    ended: bool = False
    doomed: bool = False
    calls: int = 0
    parent: Process | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    """What belongs to this process for those who watch."""
    _children: list[Process] = field(default_factory=list)
    _waiting: list[tuple[Process, int]] = field(default_factory=list)
    _wakes: int = 0
    _greenlet: greenlet = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(zlib.crc32(self.name.encode()) ^ self.scheduler.seed << 32)
        self._greenlet = greenlet(self._run, parent=self.scheduler.hub)

    @property
    def invocation(self) -> Process:
        """The process that this one is a thread of."""
        return self.parent.invocation if self.parent else self

    def kill(self) -> None:
        """Let it and what it has started end where they stand."""
        self.doomed = True
        for child in self._children:
            child.kill()

    def _run(self) -> None:
        try:
            if not self.doomed:
                self.result = self.body()
        except Killed as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - told to whoever waits for it
            self.error = error
        self.ended = True
        for child in self._children:
            child.kill()
        for process, wake in self._waiting:
            self.scheduler.wake(process, wake, self.scheduler.now)

    def resume(self, wake: int) -> None:
        if wake == self._wakes and not self.ended:
            self._wakes += 1
            self._greenlet.switch()


@dataclass
class Scheduler:
    """The clock (seconds from the start) and what is to come."""

    seed: int
    now: float = 0.0
    hub: greenlet = field(default_factory=getcurrent)
    _coming: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _count: int = 0
    _current: Process | None = None
    _alive: dict[Process, None] = field(default_factory=dict)

    @property
    def current(self) -> Process:
        assert self._current
        return self._current

    def at(self, time: float, action: Callable[[], object]) -> None:
        """Do something later; it must not sleep."""
        self._count += 1
        heapq.heappush(self._coming, (max(time, self.now), self._count, action))

    def spawn(
        self, name: str, body: Callable[[], Any], *, after: float = 0.0, lives: float = inf
    ) -> Process:
        """Start a process; `lives` are the seconds until it is killed."""
        start = self.now + after
        process = Process(name, body, self, ends_at=start + lives)
        self._alive[process] = None
        self.wake(process, 0, start)
        return process

    def thread(self, body: Callable[[], Any]) -> Process:
        """Start a part of the current process, which ends with it."""
        parent = self.current
        child = self.spawn(f"{parent.name}/{len(parent._children) + 1}", body)
        child.ends_at, child.kept, child.parent = parent.ends_at, parent.kept, parent
        parent._children.append(child)
        return child

    def wake(self, process: Process, wake: int, time: float) -> None:
        self.at(time, lambda: self._resume(process, wake))

    def _resume(self, process: Process, wake: int) -> None:
        self._current = process
        process.resume(wake)
        self._current = None
        if process.ended:
            self._alive.pop(process, None)

    def sleep(self, seconds: float) -> None:
        """Let others run.

        Raises:
            Killed: the process has been ended meanwhile.
        """
        process = self.current
        if not process.doomed:
            self.wake(process, process._wakes, min(self.now + seconds, process.ends_at))
            self._switch()
        if process.doomed or self.now >= process.ends_at:
            process.kill()
            raise Killed

    def wait(self, other: Process, *, most: float = inf) -> bool:
        """Wait for another process, so many seconds at most, and tell whether it has ended.

        Raises:
            Killed: the waiting process has been ended meanwhile.
        """
        process = self.current
        if not other.ended and not process.doomed:
            other._waiting.append((process, process._wakes))
            end = min(self.now + most, process.ends_at)
            if end < inf:
                self.wake(process, process._wakes, end)
            self._switch()
        if process.doomed or self.now >= process.ends_at:
            process.kill()
            raise Killed
        return other.ended

    def _switch(self) -> None:
        kept = [(name, BaseRouter.__dict__.get(name, _MISSING)) for name in _ROUTER]
        self.hub.switch()
        for name, value in kept:
            if value is not _MISSING:
                setattr(BaseRouter, name, value)

    def run(self, until: float) -> None:
        """Let all that comes until then happen, and set the clock to it."""
        while self._coming and self._coming[0][0] <= until:
            self.now, _, action = heapq.heappop(self._coming)
            action()
        self.now = max(self.now, until)

    @property
    def next(self) -> float:
        """When something happens next."""
        return self._coming[0][0] if self._coming else inf

    def end(self) -> None:
        """Let every process end, so that none is left hanging."""
        for process in list(self._alive):
            process.kill()
            if process._greenlet:
                self._current = process
                process.resume(process._wakes)
        self._coming.clear()

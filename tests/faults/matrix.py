"""Plays every scenario with every fault at every call, and every pair in many interleavings."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from faults.invariants import Inspector
from faults.wire import OF_NAMELY, Fault, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.house import House
    from faults.scenarios import Once, Pair, Scenario

_TRIES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was played, what was done to it, and what did not hold."""

    name: str
    what: str
    violations: tuple[str, ...]


def with_faults(house: House, scenario: Scenario, *, every: int = 1) -> Iterator[Case]:
    """Play a scenario without a fault, then with each fault at each call, or `every` nth of it."""
    run = Run()
    violations = play(house, scenario, run)
    yield Case(name=scenario.name, what="no fault", violations=violations)
    faults = [
        (at, call, fault)
        for at, call in enumerate(run.calls)
        for fault in (OF_NAMELY if call.startswith("namely") else Fault)
    ]
    for at, call, fault in faults[_start(scenario.name, every) :: every]:
        violations = play(house, scenario, Run(at=at, fault=fault))
        what = f"{fault} at call {at + 1}, {call}"
        yield Case(name=scenario.name, what=what, violations=violations)


def _start(name: str, every: int) -> int:
    """Spread what is left out: another start for each name, the same in every run."""
    return zlib.crc32(name.encode()) % every


def play(house: House, scenario: Scenario, run: Run) -> tuple[str, ...]:
    """Play a scenario in an empty stack, wait until it has come to rest, and return what broke."""
    house.empty()
    inspector = Inspector(house)
    scenario.prepare(house)
    final = scenario.once(house, run, "")
    for _ in range(_TRIES - 1):
        if final:
            break
        house.later(scenario.pause)
        final = scenario.once(house, Run(), "")
    scenario.after(house)
    house.settle()
    inspector.at_rest()
    accounts = inspector.accounts()
    ends = [one["status"] for one in accounts]
    if ends != ([scenario.ends] if scenario.ends else []):
        inspector.broken("I3", f"it ended as {ends}, not {scenario.ends!r}")
    elif scenario.ends in {"active", "error"} and inspector.token(accounts[0]) != scenario.token:
        inspector.broken("I3", "another token serves than the one that was linked last")
    return tuple(inspector.violations)


def interleaved(house: House, pair: Pair, *, every: int = 1) -> Iterator[Case]:
    """Play a pair in the orders in which one starts, two cuts in, and one goes on."""
    first, second = (_calls(house, pair, once) for once in (pair.one, pair.two))
    orders = [
        (one, two)
        for one in range(first + 1)
        for two in range(1, second + 1)
        if one < first or two == second
    ]
    for one, two in orders[_start(pair.name, every) :: every]:
        violations = play_both(house, pair, [0] * one + [1] * two)
        what = f"{one} calls of the first, then {two} of the second, then the rest"
        yield Case(name=pair.name, what=what, violations=violations)


def _calls(house: House, pair: Pair, once: Once) -> int:
    """Count the calls to AWS of one of a pair when it is alone."""
    alone = Run()
    house.empty()
    pair.prepare(house)
    once(house, alone, "")
    return sum(not call.startswith("namely") for call in alone.calls)


def play_both(house: House, pair: Pair, order: list[int]) -> tuple[str, ...]:
    """Play two things at once in an order of calls, and let both callers try again afterwards."""
    house.empty()
    inspector = Inspector(house)
    pair.prepare(house)
    players = [Player(house, pair.one, ""), Player(house, pair.two, "2")]
    for player in players:
        player.start()
    for turn in order:
        players[turn].step()
    for player in players:
        while player.step():
            pass
    for _ in range(_TRIES - 1):
        waiting = [one for one in players if not one.final]
        if not waiting:
            break
        house.later(20)
        for player in waiting:
            player.final = player.once(house, Run(), player.twin)
    house.settle()
    inspector.at_rest()
    ends = tuple(sorted(one["status"] for one in inspector.accounts()))
    if ends not in pair.ends:
        inspector.broken("I3", f"it ended as {ends}, not as one of {pair.ends}")
    return tuple(inspector.violations)


@dataclass
class Player:
    """One of two processes: stops before each call to AWS until it is its turn."""

    house: House
    once: Once
    twin: str
    final: bool = False
    error: BaseException | None = None
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _ended: bool = False

    def start(self) -> None:
        """Run up to the first call."""
        threading.Thread(target=self._play, daemon=True).start()
        self._stopped.acquire()

    def step(self) -> bool:
        """Make one call and run up to the next; False where it has ended."""
        if self._ended:
            return False
        self._go.release()
        self._stopped.acquire()
        if self.error:
            raise self.error
        return not self._ended

    def _play(self) -> None:
        try:
            self.final = self.once(self.house, Run(gate=self._gate), self.twin)
        except BaseException as error:  # noqa: BLE001 - told to the thread that plays both
            self.error = error
        finally:
            self._ended = True
            self._stopped.release()

    def _gate(self) -> None:
        # Powertools keeps the request in a class: a container has one at a time, a test has two.
        kept: dict[str, Any] = {
            name: getattr(BaseRouter, name)
            for name in ("current_event", "lambda_context")
            if hasattr(BaseRouter, name)
        }
        self._stopped.release()
        self._go.acquire()
        for name, value in kept.items():
            setattr(BaseRouter, name, value)

"""Which memory serves a function best: CPU measured here, waits as on AWS, prices as they are.

Lambda gives a function a share of a processor by its memory, one whole at 1,769 MB; what it waits
for takes as long with any memory.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from estimate.deployed import memory, parameter
from estimate.prices import PRICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEASURED: Final = Path(__file__).parent / "measured.json"
CHOICES: Final = (256, 512, 1024, 1769)
"""Megabytes to choose from."""
WHOLE: Final = 1769
"""Megabytes with which a function has one processor."""
AWS_SECONDS: Final = 0.010
NAMELY_SECONDS: Final = 0.150
SLOWER: Final = 2.0
"""How much longer a processor of Lambda's is taken to need than the one that was measured on."""
ROOM: Final = 0.75
"""Of its memory a function may have used at its peak."""
DUE: Final = 1000
"""Accounts in the sweep that has to end within its minute."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Seconds of CPU, and how many calls to AWS and questions to Namely wait for one another."""

    cpu: float
    aws: float = 0
    namely: float = 0

    def seconds(self, memory: int) -> float:
        """Return how long it takes."""
        waits = self.aws * AWS_SECONDS + self.namely * NAMELY_SECONDS
        return self.cpu * SLOWER / min(1.0, memory / WHOLE) + waits

    def usd(self, memory: int) -> float:
        """Return what Lambda asks for it."""
        used = PRICES[f"lambda_{parameter('Architecture')}"].of(
            self.seconds(memory) * memory / 1024
        )
        return used + PRICES["lambda_request"].of(1)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A function's usual work, the most that it has to do in time, and its peak in megabytes.

    `each` is what an account adds that is due: only the sweep has it.
    """

    usual: Work
    worst: Work
    peak: int
    each: Work = Work(cpu=0)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What has to end within so many seconds."""

    seconds: float
    what: str


BOUNDS: Final = {
    "check": Bound(seconds=3, what="a batch of checks in a new container"),
    "sweep": Bound(seconds=15, what=f"a sweep with {DUE:,} accounts due"),
    "publish": Bound(seconds=2.5, what="an event in a new container"),
}
"""The functions that nobody waits for in front of a page, and how long they may take at most."""


def fits(function: str, memory: int, measured: Measured) -> bool:
    """Whether a function has room in so much memory, and ends in time."""
    bound = BOUNDS[function].seconds
    return measured.peak <= memory * ROOM and measured.worst.seconds(memory) <= bound


def best(function: str, measured: Measured) -> int:
    """Return the cheapest memory that fits."""
    fitting = (one for one in CHOICES if fits(function, one, measured))
    return min(fitting, key=measured.usual.usd)


def longest(waits: Sequence[tuple[str, float, float]]) -> dict[str, int]:
    """Return how many calls of each kind waited for one another: the chain that takes longest.

    A wait is its kind, and when it began and ended; those that overlap did not wait.
    """
    weight = {"aws": AWS_SECONDS, "namely": NAMELY_SECONDS}
    chains: list[tuple[float, float, dict[str, int]]] = []
    for kind, began, ended in sorted(waits, key=lambda one: one[2]):
        before = max(
            (one for one in chains if one[0] <= began),
            key=lambda one: one[1],
            default=(-math.inf, 0.0, {"aws": 0, "namely": 0}),
        )
        chain = before[2] | {kind: before[2][kind] + 1}
        chains.append((ended, before[1] + weight[kind], chain))
    return max(chains, key=lambda one: one[1], default=(0.0, 0.0, {"aws": 0, "namely": 0}))[2]


def read() -> dict[str, Measured]:
    """Return what was measured last, by function."""
    kept = json.loads(MEASURED.read_text(encoding="utf-8"))
    return {
        name: Measured(peak=one.pop("peak"), **{key: Work(**work) for key, work in one.items()})
        for name, one in kept.items()
    }


def write(measured: dict[str, Measured]) -> None:
    """Keep what was measured."""
    kept = {name: asdict(one) for name, one in measured.items()}
    MEASURED.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def seconds(measured: Mapping[str, Measured]) -> dict[str, float]:
    """Return how long each function takes with the memory that it has, and an account due."""
    found = {name: one.usual.seconds(memory(name)) for name, one in measured.items()}
    return found | {"due": measured["sweep"].each.seconds(memory("sweep"))}

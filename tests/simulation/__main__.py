"""`make simulate`: plays seeds, prints what did not hold, and writes its part of the report.

`SEED=…` plays one seed again and tells its story, with the fewest actors and faults that it takes.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from simulation import world
from simulation.play import Played, play
from simulation.story import smallest, told

BATCH = 50
_open = ExitStack()


@dataclass
class Batch:
    """What came of some seeds: violations by seed, and times to rest (s)."""

    violations: dict[int, list[str]] = field(default_factory=dict)
    attempts: list[float] = field(default_factory=list)
    pending: list[float] = field(default_factory=list)
    calls: int = 0


def begin() -> None:
    """Make a process ready to play."""
    gc.disable()
    _open.enter_context(world.stack())


def some(first: int, number: int) -> Batch:
    """Play seeds one after the other."""
    batch = Batch()
    for seed in range(first, first + number):
        played = play(seed)
        if played.violations:
            batch.violations[seed] = [str(one) for one in played.violations]
        batch.attempts.append(played.attempts_rest)
        batch.pending.append(played.pending_rest)
        batch.calls += played.calls
    gc.collect()  # between batches: worlds are full of cycles
    return batch


def one(seed: int, *, whole: bool) -> Played:
    played = play(seed)
    return played if whole or not played.violations else smallest(played)


def main() -> int:
    """Play what is asked for; 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--whole", action="store_true", help="the story as it was, not made smaller")
    asked = parser.parse_args()
    if asked.seed is not None:
        out = sys.stdout
        begin()
        played = one(asked.seed, whole=asked.whole)
        _open.close()
        print("\n".join(told(played)), file=out)
        return int(bool(played.violations))
    start = time.perf_counter()
    whole, kinds = Batch(), Counter[str]()
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 2), initializer=begin) as pool:
        starts = range(asked.first, asked.first + asked.seeds, BATCH)
        sizes = [min(BATCH, asked.first + asked.seeds - one) for one in starts]
        for batch in pool.map(some, starts, sizes):
            whole.attempts += batch.attempts
            whole.pending += batch.pending
            whole.calls += batch.calls
            for seed, texts in batch.violations.items():
                for text in texts:
                    kinds[text] += 1
                    if kinds[text] <= 3:
                        print(f"  seed {seed}: {text}", flush=True)
                whole.violations[seed] = texts
    took = time.perf_counter() - start
    for text, number in kinds.most_common():
        print(f"{number:6} {text}")
    print(f"{asked.seeds} seeds, {len(whole.violations)} with a violation, "
          f"{asked.seeds / took:.0f} seeds/s")
    for name, times in (("attempts over", whole.attempts), ("nothing pending", whole.pending)):
        times.sort()
        print(f"{name} after: p50 {_at(times, 0.5):.0f} s, p95 {_at(times, 0.95):.0f} s, "
              f"max {times[-1]:.0f} s")
    return int(bool(whole.violations))


def _at(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)]


if __name__ == "__main__":
    sys.exit(main())

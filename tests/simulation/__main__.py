"""`make simulate`: plays seeds, prints what did not hold, and writes its part of the report.

`SEED=…` plays one seed again and tells its story, with the fewest actors and faults that it takes.
From 5,000 seeds on, the product is then broken on purpose in each way, which must be found too.
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
from typing import Final

from simulation import report, stack
from simulation.breaks import BREAKS, broken
from simulation.play import play
from simulation.report import Batch
from simulation.story import smallest, told

SIZE: Final = 50
"""Seeds that a process plays at a time."""
ENOUGH: Final = 5_000
"""Seeds for a report."""
FIND_WITHIN: Final = 1000
"""Seeds within which what is broken on purpose must be found."""
_open = ExitStack()
"""What a process of ours keeps until it ends."""


def begin() -> None:
    """Make a process ready to play."""
    gc.disable()
    _open.enter_context(stack.stack())


def some(first: int, number: int) -> Batch:
    """Play seeds one after the other."""
    batch = Batch()
    for seed in range(first, first + number):
        batch.add(play(seed))
    gc.collect()  # between batches: worlds are full of cycles
    return batch


def find(number: int) -> int | None:
    """Return the first seed that finds what one break breaks, as what it must be found."""
    one = BREAKS[number]
    with broken(one):
        for seed in range(FIND_WITHIN):
            if one.found_as & {found.invariant for found in play(seed).violations}:
                return seed
            if seed % SIZE == SIZE - 1:
                gc.collect()
    return None


def main() -> int:
    """Play what is asked for; 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, help="only this one, with its story")
    parser.add_argument("--whole", action="store_true", help="the story as it was")
    parser.add_argument("--breaks", action="store_true", help="only break the product on purpose")
    asked = parser.parse_args()
    if asked.seed is not None:
        return one_story(asked.seed, whole=asked.whole)
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 2), initializer=begin) as pool:
        if asked.breaks:
            return int(None in breaks(pool).values())
        whole = seeds(pool, asked.first, asked.seeds)
        if asked.seeds >= ENOUGH and not asked.first:
            report.write(whole, breaks(pool), within=FIND_WITHIN)
    return int(bool(whole.violations))


def one_story(seed: int, *, whole: bool) -> int:
    """Tell the story of a seed."""
    out = sys.stdout
    begin()
    played = play(seed)
    if played.violations and not whole:
        played = smallest(played)
    _open.close()
    print("\n".join(told(played)), file=out)
    return int(bool(played.violations))


def seeds(pool: ProcessPoolExecutor, first: int, number: int) -> Batch:
    """Play seeds, and print what did not hold."""
    start, whole, kinds = time.perf_counter(), Batch(), Counter[str]()
    starts = range(first, first + number, SIZE)
    for batch in pool.map(some, starts, [min(SIZE, first + number - one) for one in starts]):
        whole += batch
        for seed, texts in batch.violations.items():
            for text in texts:
                kinds[text] += 1
                if kinds[text] <= 3:
                    print(f"  seed {seed}: {text}", flush=True)
    took = time.perf_counter() - start
    for text, times in kinds.most_common():
        print(f"{times:6} {text}")
    print(f"{number} seeds, {len(whole.violations)} violations, {number / took:.0f} seeds/s")
    for name, one in (("attempts over", whole.attempts), ("nothing pending", whole.pending)):
        print(f"{name} after p50 {one.at(0.5)}, p95 {one.at(0.95)}, at most {one.at(1)} s")
    return whole


def breaks(pool: ProcessPoolExecutor) -> dict[str, int | None]:
    """Break the product in each way; return the seed that found it."""
    found: dict[str, int | None] = {}
    for one, seed in zip(BREAKS, pool.map(find, range(len(BREAKS))), strict=True):
        found[one.name] = seed
        print(f"{'not found' if seed is None else f'seed {seed}':>10} {one.name}", flush=True)
    number = sum(seed is not None for seed in found.values())
    print(f"{number} of {len(found)} breaks found within {FIND_WITHIN} seeds")
    return found


if __name__ == "__main__":
    sys.exit(main())

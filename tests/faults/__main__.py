"""`make faults`: plays every case, prints what did not hold, and writes docs/reliability.md.

`BREAK=…` breaks the product on purpose first: then it must find something.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Final

import reliability
from faults.breaks import BREAKS, broken
from faults.house import House, house
from faults.invariants import INVARIANTS
from faults.matrix import Case, interleaved, with_faults
from faults.scenarios import PAIRS, SCENARIOS
from faults.wire import Fault

_PARTS: Final = {one.name: (with_faults, one) for one in SCENARIOS} | {
    one.name: (interleaved, one) for one in PAIRS
}


_house: House
_open = ExitStack()
"""What a process of ours keeps until it ends: its stack, and what is broken."""


def begin(broken_by: str) -> None:
    """Build a stack for all that this process will play."""
    global _house
    for one in BREAKS:
        if one.name == broken_by:
            _open.enter_context(broken(one))
    _house = _open.enter_context(house())


def play(name: str) -> list[Case]:
    """Play all cases of one scenario or pair."""
    cases, what = _PARTS[name]
    return list(cases(_house, what))


def main() -> int:
    """Play what is asked for; 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", default="", help="scenarios and pairs with this in their name")
    parser.add_argument("--break", dest="broken", default="", metavar="NAME", help="or `list`")
    asked = parser.parse_args()
    if asked.broken and asked.broken not in {one.name for one in BREAKS}:
        print("\n".join(one.name for one in BREAKS))
        return 2
    names = [name for name in _PARTS if asked.only in name]
    found: dict[str, list[Case]] = {}
    with ProcessPoolExecutor(os.cpu_count(), initializer=begin, initargs=(asked.broken,)) as pool:
        waiting = {name: pool.submit(play, name) for name in names}
        for name, cases in waiting.items():
            found[name] = cases.result()
            violated = [case for case in found[name] if case.violations]
            print(f"{len(found[name]):5} cases, {len(violated):3} violations: {name}", flush=True)
            for case in violated:
                print(f"      {case.what}: {'; '.join(case.violations)}", flush=True)
    cases = [case for each in found.values() for case in each]
    violations = sum(bool(case.violations) for case in cases)
    print(f"\n{len(cases)} cases, {violations} violations")
    if not asked.only and not asked.broken:
        reliability.write(matrix=report(found))
    return int(violations > 0)


def report(found: dict[str, list[Case]]) -> str:
    """Return the report as Markdown."""
    cases = [case for each in found.values() for case in each]
    broken_ones = Counter(text[:2] for case in cases for text in case.violations)
    invariants = "\n".join(
        f"| {name} | {what} | {broken_ones[name]} |" for name, what in INVARIANTS.items()
    )
    faults = [*Fault]
    head = "| Scenario | " + " | ".join(f"{one}" for one in faults) + " | Violations |"
    rows = []
    for scenario in SCENARIOS:
        played = found[scenario.name]
        counts = [sum(case.what.startswith(fault) for case in played) for fault in faults]
        bad = sum(bool(case.violations) for case in played)
        rows.append(f"| {scenario.name} | {' | '.join(map(str, counts))} | {bad} |")
    pairs = "\n".join(
        f"| {pair.name} | {len(found[pair.name])} | "
        f"{sum(bool(case.violations) for case in found[pair.name])} |"
        for pair in PAIRS
    )
    violations = sum(bool(case.violations) for case in cases)
    return f"""{INTRODUCTION}
{len(cases)} cases, {violations} violations.

| | What always holds | Violations |
|---|---|---|
{invariants}

## One fault at one call

A scenario is played without a fault, then once for each call that its first process makes and each
fault that the call can meet. A number is how many calls met the fault.

{head}
|---|{"---|" * len(faults)}---|
{chr(10).join(rows)}

## Two at once

Each pair is played in every order in which the first makes some calls to AWS, then the second makes
some, then both go on. A number is how many orders that were.

| Pair | Orders | Violations |
|---|---|---|
{pairs}
"""


INTRODUCTION: Final = """<!-- Made by `make faults`; do not edit. -->
# Reliability

What happens when AWS throttles, fails, or loses an answer, when Namely does, when a function is
killed in the middle, or when two things happen at once. The functions' own code runs over an AWS in
process (moto) and a fake Namely; a fault is put at every call that it makes. Then the real caller
does what it does: a person or a backend asks again, the bus and the queue deliver again, the sweep
runs every minute. When all has come to rest, rows, secrets, events and answers are looked at from
outside. `make faults` plays all of it and writes this page; `make faults BREAK=list` names the ways
to break the product on purpose, and with one of them it must find something. `make test` plays a
part of it, breaks the product in each way, and links accounts on the emulator through a proxy that
cuts connections.
"""


if __name__ == "__main__":
    sys.exit(main())

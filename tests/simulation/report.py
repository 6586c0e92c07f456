"""What was played, counted, and the simulation's part of docs/reliability.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import reliability
from simulation.actors import THEMES
from simulation.invariants import INVARIANTS
from simulation.wire import LATENESS, RARE_LATENESS, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulation.play import Played


@dataclass
class Times:
    """Whole seconds, each with how often it took so long."""

    counted: Counter[int] = field(default_factory=Counter)

    def at(self, share: float) -> int:
        """Return within how many seconds so many (1 is all) were over."""
        left = share * self.counted.total()
        for seconds, number in sorted(self.counted.items()):
            left -= number
            if left <= 0:
                return seconds
        return 0


@dataclass
class Batch:
    """What came of some seeds."""

    seeds: int = 0
    violations: dict[int, list[str]] = field(default_factory=dict)
    attempts: Times = field(default_factory=Times)
    pending: Times = field(default_factory=Times)
    actors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    def add(self, played: Played) -> None:
        """Count one that was played."""
        self.seeds += 1
        if played.violations:
            self.violations[played.plan.seed] = [str(one) for one in played.violations]
        self.attempts.counted[round(played.attempts_rest)] += 1
        self.pending.counted[round(played.pending_rest)] += 1
        self.actors.update(kind for _, _, kind in played.plan.actors)
        self.faults.update(one.met for one in played.story if one.met)
        self.calls += sum(bool(one.call[1]) for one in played.story)

    def __iadd__(self, other: Batch) -> Batch:
        self.seeds += other.seeds
        self.violations |= other.violations
        self.attempts.counted += other.attempts.counted
        self.pending.counted += other.pending.counted
        self.actors += other.actors
        self.faults += other.faults
        self.calls += other.calls
        return self


def write(whole: Batch, breaks: Mapping[str, int | None], *, within: int) -> None:
    """Write the part, behind what the matrix has written."""
    reliability.write(simulated=part(whole, breaks, within=within))


def part(whole: Batch, breaks: Mapping[str, int | None], *, within: int) -> str:
    """Return the part as Markdown."""
    texts = [text for found in whole.violations.values() for text in found]
    invariants = "\n".join(
        f"| {name} | {what} | {sum(text.startswith(f'{name}:') for text in texts)} |"
        for name, what in INVARIANTS.items()
    )
    actors = "\n".join(f"| {kind} | {number} |" for kind, number in sorted(whole.actors.items()))
    faults = "\n".join(f"| {one} | {whole.faults[one]} |" for one in Fault)
    found = "\n".join(
        f"| {name} | {'not found' if seed is None else seed} |" for name, seed in breaks.items()
    )
    number = sum(seed is not None for seed in breaks.values())
    rest = "\n".join(
        f"| {name} | {one.at(0.5)} | {one.at(0.95)} | {one.at(1)} |"
        for name, one in (
            ("attempts that were open are over", whole.attempts),
            ("nothing is pending that is not parked", whole.pending),
        )
    )
    return f"""{INTRODUCTION}
{whole.seeds} seeds, {whole.calls} calls, {len(whole.violations)} seeds with a violation.

| | What always holds | Violations |
|---|---|---|
{invariants}

| Seconds from the last fault until | half of the runs | 95 % | all |
|---|---|---|---|
{rest}

| Who | Times |
|---|---|
{actors}

| What a call met | Times |
|---|---|
{faults}

### The product broken on purpose

{number} of {len(breaks)} breaks are found within {within} seeds. A number is the first seed that
finds it.

| What is broken | Found by |
|---|---|
{found}
"""


INTRODUCTION: Final = f"""\
## Many things at once, and time

The simulation draws a run from each seed: one to three groups of two to four actors, minutes or
hours apart, of {len(THEMES)} themes or at random; the functions' own handlers run as processes on
one clock over doubles of DynamoDB, Secrets Manager, SQS, EventBridge and KMS that a test holds to
moto's. Each call takes milliseconds to seconds and is where another process goes on. It may meet a
fault of the table below, as often as botocore tries again or each time. `make simulate SEEDS=20000`
plays seeds and writes this part, `make simulate SEED=…` tells a seed's story with the fewest actors
and faults that it takes. `make test` plays 300 seeds and each break among the actors that find it.

Played as well: functions killed at the time-outs of the template; a service of AWS out for up to
half an hour; Namely down, refusing everybody, throttling or revoking a token for up to 30 hours;
callers who hang up after seconds and ask again at once or after `retry_after`; events, messages and
stream records that come twice, late or again after hours; batches of which AWS does a part; a sweep
each minute, sometimes delivered twice, and a reconcile each day; indexes that show what was there
up to 20 seconds ago and lists of secrets up to 7 minutes ago; versions without a label that vanish;
secrets deleted by hand; rows with fields of other releases, or without some of ours; a seal that
was captured. A call whose
client has given up takes effect up to {LATENESS:.0f} seconds later, and one that writes a secret up
to {RARE_LATENESS:.0f} seconds later, rarely. After the last fault calls take 50 ms at most on
average, the time to rest is measured, and the run goes on for a quarter of an hour or, where
something is left for the reconcile, parked, deleted by hand or for Namely, for 27 hours.

Not played: other processes of AWS (throttling at API Gateway, IAM, the authorizer, a table's
limits); more than one owner's thousands of accounts; clocks of functions that differ; a Secrets
Manager that shows anything but lists late; releases that write rows without a fence; calls that
take effect later than the above; Python that is killed between two calls, where it is as if it
were killed before the second. Where a deletion or a restoring takes effect after the other one,
since its client had given up on it, the secret is not what the row says until the sweep looks again
(ten minutes at most): neither I1 nor I13 is counted as broken then, unless it stays so. Where
somebody has deleted a secret by hand, what a link leaves that died meanwhile may stay until the
daily reconcile.
"""

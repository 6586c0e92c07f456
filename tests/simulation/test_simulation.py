"""The simulation: some seeds at each run, and each break among the actors that find it."""

import gc
from collections.abc import Iterator

import pytest

from namely_link import bootstrap
from simulation import wire
from simulation.actors import plan
from simulation.breaks import BREAKS, Break, broken
from simulation.invariants import INVARIANTS
from simulation.play import play
from simulation.stack import stack
from simulation.story import smallest, told

pytestmark = pytest.mark.no_cover
SEEDS = 300
STEP = 20
ENOUGH = 300
"""Seeds within which a break is found among its actors."""


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    gc.disable()
    with stack():
        yield
    gc.enable()


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.mark.parametrize("first", range(0, SEEDS, STEP))
def test_whatever_happens_at_once_all_invariants_hold(first: int) -> None:
    for seed in range(first, first + STEP):
        played = play(seed)
        assert played.violations == [], f"make simulate SEED={seed}"


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_what_is_broken_on_purpose_is_found(one: Break) -> None:
    with broken(one):
        assert any(
            one.found_as
            & {found.invariant for found in play(plan(seed, only=one.kinds)).violations}
            for seed in (one.seed, *range(ENOUGH))
        )


def test_every_invariant_is_one_that_a_break_breaks() -> None:
    assert {name for one in BREAKS for name in one.found_as} <= set(INVARIANTS)


def test_a_seed_is_the_same_run_each_time() -> None:
    stories = [[(one.time, one.who, one.what, one.outcome) for one in play(7).story] for _ in "12"]
    assert stories[0]
    assert stories[0] == stories[1]


def test_a_story_gets_as_small_as_what_it_tells() -> None:
    one = next(one for one in BREAKS if one.name == "events are not in the committing transaction")
    with broken(one):
        played = next(each for seed in range(20) if (each := play(seed)).violations)
        small = smallest(played)
    assert len(small.plan.actors) - len(small.plan.left_out) <= len(played.plan.actors)
    assert any("!!! I7" in line for line in told(small))


def test_calls_are_tried_as_often_and_as_long_as_botocore_does() -> None:
    assert bootstrap._AWS.retries["total_max_attempts"] == wire.ATTEMPTS
    assert bootstrap._AWS.read_timeout == wire.READ_TIMEOUT

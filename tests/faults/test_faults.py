"""The fault matrix: a part of it at each run, the rest by `make faults`."""

import pytest

from faults.breaks import BREAKS, Break, broken
from faults.house import House, house
from faults.invariants import INVARIANTS
from faults.matrix import interleaved, with_faults
from faults.scenarios import PAIRS, SCENARIOS, Pair, Scenario

EVERY = 20
"""Each run plays one case in so many, the same ones each time."""


@pytest.fixture(scope="module")
def stack():
    with house() as built:
        yield built


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_whatever_fails_all_invariants_hold(stack: House, scenario: Scenario) -> None:
    assert [one for one in with_faults(stack, scenario, every=EVERY) if one.violations] == []


@pytest.mark.parametrize("pair", PAIRS, ids=lambda one: one.name)
def test_whatever_happens_at_once_all_invariants_hold(stack: House, pair: Pair) -> None:
    assert [one for one in interleaved(stack, pair, every=EVERY) if one.violations] == []


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_what_is_broken_on_purpose_is_noticed(stack: House, one: Break) -> None:
    play = {each.name: with_faults for each in SCENARIOS} | {p.name: interleaved for p in PAIRS}
    what = {each.name: each for each in (*SCENARIOS, *PAIRS)}[one.scenario]
    with broken(one):
        cases = play[one.scenario](stack, what)  # all of them, up to the first that notices it
        assert any(text.startswith(one.invariant) for case in cases for text in case.violations)


def test_every_invariant_is_broken_by_something() -> None:
    assert {one.invariant for one in BREAKS} == set(INVARIANTS)

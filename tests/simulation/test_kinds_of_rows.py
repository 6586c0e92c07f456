"""What the functions do while they play: which kinds of rows each one reads and writes, and which
changes have something to tell. The grants and the stream's filter are held to it."""

from __future__ import annotations

import gc
import json
from collections import defaultdict
from typing import Any, Final

import pytest

from namely_link.aws.outbox import published
from patterns import matches
from policies.grants import ALONE, ASKED, READ, WRITTEN
from simulation.play import play
from simulation.stack import stack
from simulation.wire import Wire
from simulation.world import World
from templates import TEMPLATE

pytestmark = pytest.mark.no_cover
SEEDS: Final = 100
"""In so many plays every function has done what it may do."""

_STREAM: Final = TEMPLATE["Resources"]["PublishFunction"]["Properties"]["Events"]["Stream"]
FILTERS: Final = [
    json.loads(one["Pattern"]) for one in _STREAM["Properties"]["FilterCriteria"]["Filters"]
]


class Played:
    """What was called, by the role of the function that called it, and what the stream had."""

    def __init__(self) -> None:
        self.read: dict[str, set[str]] = defaultdict(set)
        self.written: dict[str, set[str]] = defaultdict(set)
        self.asked: dict[str, set[str]] = defaultdict(set)
        self.records: list[dict[str, Any]] = []

    def note(self, role: str, operation: str, call: dict[str, Any]) -> None:
        match operation:
            case "transact_write_items":
                for one in call["TransactItems"]:
                    ((kind, write),) = one.items()
                    self.note(role, f"{kind.lower()}_item", write)
            case "put_item":
                self.written[role].add(_kind(call["Item"]))
            case "update_item" | "delete_item":
                self.written[role].add(_kind(call["Key"]))
            case "get_item":
                self.read[role].add(_kind(call["Key"]))
            case "batch_get_item":
                for one in call["RequestItems"].values():
                    self.read[role] |= {_kind(key) for key in one["Keys"]}
            case "query" if "IndexName" in call:
                self.asked[role].add(call["IndexName"])
            case _:
                msg = f"who may do that: {role} {operation}"
                raise AssertionError(msg)


def _kind(key: dict[str, Any]) -> str:
    kind, more, _ = key["pk"]["S"].partition("#")
    assert bool(more) is (kind not in ALONE), key
    return str(kind)


@pytest.fixture(scope="module")
def played() -> Played:
    noted = Played()
    invoke, call = World.invoke, Wire.call

    def invoking(self: World, function: str, event: dict[str, Any], *, name: str) -> Any:
        process = invoke(self, function, event, name=name)
        process.kept["role"] = f"{function.title()}Role"
        if function == "publish":
            noted.records += event["Records"]
        return process

    def calling(self: Wire, service: str, operation: str, asked: dict[str, Any]) -> Any:
        if service == "dynamodb":
            noted.note(self.world.scheduler.current.invocation.kept["role"], operation, asked)
        return call(self, service, operation, asked)

    gc.disable()
    with pytest.MonkeyPatch.context() as patched, stack():
        patched.setattr(World, "invoke", invoking)
        patched.setattr(Wire, "call", calling)
        for seed in range(SEEDS):
            play(seed)
    gc.enable()
    return noted


def test_a_function_reads_the_kinds_of_rows_that_it_may(played: Played) -> None:
    assert played.read == READ


def test_a_function_writes_the_kinds_of_rows_that_it_may(played: Played) -> None:
    assert played.written == WRITTEN


def test_a_function_asks_the_indexes_that_it_may(played: Played) -> None:
    # Nobody lists accounts here: tests/template holds who asks which index.
    assert played.asked["IntakeRole"]
    assert all(asked <= ASKED[role] for role, asked in played.asked.items())


def test_a_change_passes_the_streams_filter_when_it_has_something_to_tell(played: Played) -> None:
    telling = [one for one in played.records if published(one["dynamodb"])]
    silent = [one for one in played.records if not published(one["dynamodb"])]
    assert all(matches(FILTERS[0], one) for one in telling)
    # An earlier release keeps the number, which it does not know, when it writes the row anew.
    kept = [one for one in silent if "outbox" not in one["dynamodb"].get("NewImage", {})]
    dropped = [one for one in silent if not any(matches(each, one) for each in FILTERS)]
    assert len(dropped) > len(silent) / 2
    assert all(one in dropped or one in kept for one in silent)


def test_what_an_earlier_release_tells_passes_the_streams_filter(played: Played) -> None:
    for one in played.records:
        if published(one["dynamodb"]):
            earlier = {
                key: value for key, value in one["dynamodb"]["NewImage"].items() if key != "told"
            }
            assert matches(FILTERS[1], {"dynamodb": {"NewImage": earlier}})


def test_a_check_that_changes_nothing_does_not_call_publish(played: Played) -> None:
    def checked(record: dict[str, Any]) -> bool:
        new, old = record["dynamodb"].get("NewImage", {}), record["dynamodb"].get("OldImage", {})
        return bool(old) and new.get("checked_at") != old.get("checked_at")

    checks = [one for one in played.records if checked(one)]
    passed = [one for one in checks if any(matches(each, one) for each in FILTERS)]
    assert checks
    assert len(passed) < len(checks)
    assert all(published(one["dynamodb"]) for one in passed)

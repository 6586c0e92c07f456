"""Every event that the code puts fits its schema, and every schema is of an event."""

import json
import re

import pytest
from namely_link.aws.registry import published

from namely_link.domain.account import Status
from schemas import ROOT, SCHEMAS, validate
from world import DOWN, GOOD, World

REQUESTS = {"Link Requested", "Check Requested", "Unlink Requested"}


def story(world: World) -> list[tuple[str, dict]]:
    """Everything that can happen to an account, as the bus is told of it."""
    told: dict[str, tuple[str, dict]] = {}

    def listen() -> None:
        for row in world.rows():
            for kind, detail in published({"NewImage": row}):
                told[detail["event_id"]] = (kind, detail)

    account = world.linked()
    listen()
    world.namely.keys = {"salary": 1}
    world.check(account)
    listen()
    world.namely.good.clear()
    world.check(account)
    listen()
    world.later(minutes=5)
    world.check(account)
    listen()
    world.namely.good.add(GOOD)
    world.check(account)
    listen()
    world.link()
    listen()
    manager = world.manager()
    manager.set_paused(world.read(account), Status.SUSPENDED)
    listen()
    manager.set_paused(world.read(account), Status.ACTIVE)
    world.later(days=700)
    world.check(account)
    listen()
    manager.unlink(world.read(account))
    listen()
    world.namely.down = DOWN
    parked = world.link().account
    listen()
    world.namely.down = None
    world.namely.good.clear()
    world.check(parked)
    listen()
    return list(told.values())


def test_every_event_fits_its_schema_and_every_one_happens(world: World) -> None:
    told = story(world)
    for kind, detail in told:
        validate(kind, detail)
    assert {kind for kind, _ in told} == set(SCHEMAS) - REQUESTS - {"Account"}


def test_every_event_that_the_code_names_has_a_schema() -> None:
    code = "".join(path.read_text() for path in (ROOT / "layers/shared/namely_link").rglob("*.py"))
    named = set(
        re.findall(r'"((?:Account|Link|Capabilities|Token|Check|Unlink) [A-Z][a-z]+)"', code)
    )
    assert named == set(SCHEMAS) - {"Account"}


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - {"Account"}))
def test_every_event_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "events.md").read_text()


@pytest.mark.parametrize("file", ["link-requested", "check-requested", "unlink-requested"])
def test_the_example_requests_fit_their_schemas(file: str) -> None:
    event = json.loads((ROOT / "events" / "intake" / f"{file}.json").read_text())
    validate(event["detail-type"], event["detail"])

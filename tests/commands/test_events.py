"""Every event that the code puts fits its schema, and every schema is of an event."""

import json
from typing import Any

import pytest

from fakes import BACKEND, GOOD, World
from namely_link.commands import requests
from namely_link.commands.check import check
from namely_link.commands.requests import Asked, UnlinkRequest
from namely_link.domain.account import Account
from namely_link.domain.lifecycle import EventType
from namely_link.domain.problems import Problem, Reason
from namely_link.domain.values import timestamp
from namely_link.http import documents
from schemas import ROOT, SCHEMAS, validate

REQUESTS = {"Link Requested", "Check Requested", "Unlink Requested"}


def asked(world: World, kind: str, **shown: object) -> Asked:
    return Asked(kind=kind, actor=BACKEND, request_id="q1", at=timestamp(world.now), shown=shown)


def story(world: World) -> list[tuple[str, dict[str, Any]]]:
    """Everything that can happen to an account, as the bus is told of it."""
    account = world.rename(world.linked(), label="Main")
    world.namely.keys = {"salary": 1}
    world.check(account)
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=5)
    world.check(account)
    world.namely.good.add(GOOD)
    world.check(account)
    world.link()
    world.suspend(world.read(account))
    world.resume(world.read(account))
    world.later(days=700)
    world.check(account)
    unlinked = world.unlink(world.read(account))
    world.unlink(world.restore(unlinked))
    parked = world.parked()
    world.namely.good.clear()
    world.later(minutes=5)
    check(parked.id, actor=BACKEND, request_id="r9", ports=world.check_ports)
    requests.handle(
        asked(world, "Unlink Requested", id="acc_nobody"),
        UnlinkRequest(account_id="acc_nobody"),
        world.request_ports,
    )
    link = asked(world, "Link Requested", owner={"id": "o1", "name": "Owner One"}, subdomain="acme")
    requests.refuse(link, Problem(Reason.SITE_NO_DNS, subdomain="acme"), world.request_ports)
    return [
        (
            one.event.type,
            documents.event(one.event, one.row if isinstance(one.row, Account) else None),
        )
        for one in world.rows.told
    ]


def test_every_event_fits_its_schema_and_every_one_happens(world: World) -> None:
    told = story(world)
    for kind, detail in told:
        validate(kind, json.loads(json.dumps(detail)))
    assert {kind for kind, _ in told} == set(EventType)


def test_every_event_has_a_schema_and_no_other() -> None:
    assert set(SCHEMAS) == {*EventType, *REQUESTS, "Account"}


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - {"Account"}))
def test_every_event_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "events.md").read_text()


@pytest.mark.parametrize("file", ["link-requested", "check-requested", "unlink-requested"])
def test_the_example_requests_fit_their_schemas(file: str) -> None:
    text = (ROOT / "events" / "intake" / f"{file}.json").read_text()
    event = json.loads(text.replace("$EXPIRES_AT", "2026-11-24T13:00:00Z"))
    validate(event["detail-type"], event["detail"])

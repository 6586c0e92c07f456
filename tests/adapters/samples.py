"""Values that the tests of the adapters share, and rows as the first release wrote them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from namely_link.domain.account import Account, Receipt, Status
from namely_link.domain.lifecycle import LEASE, Cause, Event, attempt, held, linked, unlinked
from namely_link.domain.values import (
    Actor,
    ActorKind,
    Identity,
    Owner,
    SecretVersion,
    Site,
    new_id,
    timestamp,
)

SESSION = boto3.Session("testing", "testing", region_name="eu-central-1")
"""One for all tests: it keeps the descriptions of the services."""
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
"""A fault is one, and no test waits for another try of botocore's."""
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWNER = Owner("o1", "Owner One")
ACTOR = Actor(kind=ActorKind.SESSION, name="s1")
CAUSE = Cause(actor=ACTOR, request_id="r1", now=NOW)
RECEIPT = Receipt(
    site=Site("Acme", "acme"),
    identity=Identity("p1", "Ada Example", "active", "Integration"),
    visible_people=412,
    capabilities={"profiles": "yes"},
    warnings=(),
)
EVENT = Event(
    type="Account Updated", event_id="evt_1", occurred_at=timestamp(NOW), correlation_id="r1"
)

_ROWS = Path(__file__).parent / "rows"


def stored(name: str) -> dict[str, Any]:
    """Return an item that the first release wrote."""
    return json.loads((_ROWS / f"{name}.json").read_text())


def all_stored(prefix: str) -> list[str]:
    """Return the names of such items."""
    return sorted(path.stem for path in _ROWS.glob(f"{prefix}*.json"))


def later(**wait: float) -> str:
    """Return a time after NOW."""
    return timestamp(NOW + timedelta(**wait))


def pending(subdomain: str = "acme") -> Account:
    """Return a link that has begun."""
    account_id = new_id("acc_")
    return Account(
        id=account_id,
        owner=OWNER,
        subdomain=subdomain,
        status=Status.PENDING,
        secret_name=f"s/namely/{account_id}",
        created_at=timestamp(NOW),
        metadata={"plan": "gold"},
        attempt=attempt(lease=LEASE, now=NOW),
    )


def active(begun: Account):
    """Return the change that links an account whose row is held."""
    secret = SecretVersion("arn", held(begun).id)
    return linked(begun, RECEIPT, secret=secret, hint="1234", cause=CAUSE)


def gone(account: Account):
    """Return the change that unlinks an account."""
    change = unlinked(account, recovery=timedelta(days=30), cause=CAUSE)
    assert change
    return change


def without_fence(account: Account) -> Account:
    """Return an account as if it had never been written."""
    return replace(account, fence=0, stored=None)

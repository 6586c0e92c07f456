"""A realistic account's row, and what DynamoDB charges for writing it, as AWS documents it."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from namely_link.domain.account import Account, AccountWarning, Health, Receipt, Status
from namely_link.domain.lifecycle import TOKEN_LIFETIME
from namely_link.domain.probe import CAPABILITIES
from namely_link.domain.values import Identity, Owner, SecretVersion, Site, timestamp
from templates import TEMPLATE

if TYPE_CHECKING:
    from namely_link.aws.table import Item

CHECKED: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STACK: Final = "namely-link-production"
KIB: Final = 1024

_INDEXES: Final = TEMPLATE["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"]


def account(number: int = 0) -> Account:
    """Return an account that was linked a year ago and checked a day ago, by its number."""
    account_id = f"acc_01M86D6T0CX8MWC68PYQ{number:06}"
    name = f"{STACK}/namely/{account_id}"
    arn = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-AbCdEf"
    linked_at = datetime(2025, 11, 24, 12, 0, tzinfo=UTC)
    return Account(
        id=account_id,
        owner=Owner(str(UUID(int=2**127 + number)), "Northwind Traders Limited"),
        subdomain="northwind-traders",
        status=Status.ACTIVE,
        secret_name=name,
        created_at=timestamp(linked_at),
        revision=367,
        fence=731,
        receipt=Receipt(
            site=Site("Northwind Traders", "northwind-traders"),
            identity=Identity(
                str(UUID(int=2**126)), "Alexandra Johansson", "active", "Administrator"
            ),
            visible_people=1248,
            capabilities=dict.fromkeys(CAPABILITIES, "yes"),
            warnings=(AccountWarning.PERSONAL_TOKEN, AccountWarning.OVER_PRIVILEGED),
        ),
        health=Health(checked_at="2026-11-23T12:00:00Z", next_check_at=timestamp(CHECKED)),
        secret=SecretVersion(arn, str(UUID(int=2**125))),
        token_hint="x7Qd",
        token_expires_by=timestamp(linked_at + TOKEN_LIFETIME),
        label="Payroll integration",
        metadata={"plan": "enterprise", "region": "emea", "crm_id": "0061v00000abcDE"},
        linked_at=timestamp(linked_at),
        changed_at=timestamp(linked_at),
    )


def size(item: Item) -> int:
    """Return the bytes of an item: names, values, and what lists and maps take besides."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Any) -> int:  # noqa: ANN401 - DynamoDB's types
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "N":
            digits = inner.lstrip("-").replace(".", "").strip("0")
            return ceil(len(digits) / 2) + 1 + inner.startswith("-")
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(one) for name, one in inner.items())
        case "L":
            return 3 + sum(1 + _size(one) for one in inner)
        case _:
            return 1  # true, false or null


def write_units(before: Item | None, after: Item | None) -> int:
    """Return the units that a write outside a transaction takes, in the table and each index."""
    return _units(before, after) + sum(
        _index_units(index, before, after) for index in _INDEXES if before != after
    )


def _index_units(index: dict[str, Any], before: Item | None, after: Item | None) -> int:
    """An item whose key changes is deleted and put; one that shows the same is not written."""
    key = [one["AttributeName"] for one in index["KeySchema"]]
    old, new = (_shown(index, key, one) for one in (before, after))
    if old and new and any(old[name] != new[name] for name in key):
        return _units(old, None) + _units(None, new)
    return _units(old, new) if old != new else 0


def _shown(index: dict[str, Any], key: list[str], item: Item | None) -> Item | None:
    if item is None or any(name not in item for name in key):
        return None
    kept = {"pk", "sk", *key}
    keys_only = index["Projection"]["ProjectionType"] == "KEYS_ONLY"
    return {name: one for name, one in item.items() if name in kept or not keys_only}


def _units(before: Item | None, after: Item | None) -> int:
    """A KiB or a part of it is a unit, of the larger one of what was and what is there."""
    return ceil(max(size(before or {}), size(after or {}), 1) / KIB)

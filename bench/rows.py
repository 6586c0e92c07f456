"""A realistic account, with names and ARNs as long as production has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from namely_link.domain.account import Account, AccountWarning, Health, Receipt, Status
from namely_link.domain.lifecycle import TOKEN_LIFETIME
from namely_link.domain.probe import CAPABILITIES
from namely_link.domain.values import Identity, Owner, SecretVersion, Site, timestamp

CHECKED: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STACK: Final = "namely-link-production"


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

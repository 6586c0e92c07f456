"""Puts the adapters together, once a container; tests pass doubles."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from namely_link.namely import NamelyApi
from namely_link.ports import Ports
from namely_link.probe import Questions
from namely_link.registry import DynamoDbRegistry
from namely_link.vault import SecretsManagerVault

if TYPE_CHECKING:
    from collections.abc import Callable

    from namely_link.settings import HubSettings, Settings

_AWS = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Seconds; together shorter than a function may run."""


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def at_once(*calls: Callable[[], object]) -> list[Any]:
    """Run the calls at the same time and return their results in order.

    All have ended when it returns or raises the first exception in order. The first runs here.
    """
    with ThreadPoolExecutor(max_workers=max(len(calls) - 1, 1)) as threads:
        others = [threads.submit(call) for call in calls[1:]]
        return [calls[0](), *(other.result() for other in others)]


def registry(settings: Settings) -> DynamoDbRegistry:
    """Return the registry over the stack's table."""
    return DynamoDbRegistry(client=boto3.client("dynamodb", config=_AWS), table=settings.table)


def vault(settings: Settings, *, key_arn: str = "") -> SecretsManagerVault:
    """Return the vault over the stack's secrets; `key_arn` is needed to create one."""
    client = boto3.client("secretsmanager", config=_AWS)
    return SecretsManagerVault(client=client, prefix=settings.secret_prefix, key_arn=key_arn)


def ports(settings: HubSettings, rows: DynamoDbRegistry) -> Ports:
    """Return everything that the link command touches."""
    namely = NamelyApi(connect_to=settings.connect_to, ca_bundle=settings.ca_bundle)
    return Ports(
        questions=Questions(
            namely=namely, together=at_once, negative_control=settings.negative_control
        ),
        vault=vault(settings, key_arn=settings.key_arn),
        registry=rows,
        now=now,
        monotonic=time.monotonic,
        deadline_seconds=settings.deadline_seconds,
    )

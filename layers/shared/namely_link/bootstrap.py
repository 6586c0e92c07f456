"""Puts the adapters together, once a container; tests pass doubles."""

from __future__ import annotations

import random
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from namely_link.aws.accounts import AccountTable
from namely_link.aws.bus import EventBridgeBus
from namely_link.aws.outbox import OutboxTable
from namely_link.aws.queue import CheckQueue, DeadLetters
from namely_link.aws.seal import KmsSeal
from namely_link.aws.sessions import SessionTable
from namely_link.aws.table import SHARDS, Table
from namely_link.aws.turn import SweepTurn
from namely_link.aws.vault import SecretsManagerVault, SigningKeys
from namely_link.commands.ports import (
    ChangePorts,
    CheckPorts,
    LinkPorts,
    RequestPorts,
    SweepPorts,
)
from namely_link.domain.lifecycle import Pace
from namely_link.domain.probe import ASKED, Questions
from namely_link.namely.api import NamelyApi
from namely_link.outgoing.webhook import Webhook

if TYPE_CHECKING:
    from namely_link.settings import (
        ApiSettings,
        IntakeSettings,
        LinkSettings,
        ProbeSettings,
        Settings,
        SweepSettings,
        WebhookSettings,
    )

_AWS = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Seconds: a call takes (2 + 5) * 3 and pauses of 3 at most, see `lifecycle.WORST_CALL`. A kept
connection that fell silent while the function was frozen costs one of the tries."""


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def executor() -> Executor:
    """Return what runs the questions of one probe at the same time.

    Beside those of `ASKED` these are the negative control and the writing of the row.
    """
    return ThreadPoolExecutor(max_workers=len(ASKED) + 2)


def sweepers() -> Executor:
    """Return what sweeps every shard at the same time; each has a connection to itself."""
    return ThreadPoolExecutor(max_workers=SHARDS)


def table(settings: Settings) -> Table:
    """Return the stack's table."""
    return Table(client=boto3.client("dynamodb", config=_AWS), name=settings.table)


def accounts(rows: Table) -> AccountTable:
    """Return where accounts are kept."""
    return AccountTable(table=rows)


def sessions(rows: Table) -> SessionTable:
    """Return where sessions and keys are kept."""
    return SessionTable(table=rows)


def vault(settings: Settings, *, key_arn: str = "") -> SecretsManagerVault:
    """Return the vault over the stack's secrets; `key_arn` is needed to create one."""
    client = boto3.client("secretsmanager", config=_AWS)
    return SecretsManagerVault(
        client=client, prefix=settings.secret_prefix, key_arn=key_arn, now=now
    )


def questions(settings: ProbeSettings) -> Questions:
    """Return what puts the questions of a probe, over one pool of connections."""
    namely = NamelyApi(connect_to=settings.connect_to, ca_bundle=settings.ca_bundle)
    return Questions(namely=namely, negative_control=settings.negative_control)


def link_ports(settings: LinkSettings, rows: Table) -> LinkPorts:
    """Return everything that the link command touches."""
    return LinkPorts(
        questions=questions(settings),
        executor=executor,
        vault=vault(settings, key_arn=settings.key_arn),
        accounts=accounts(rows),
        sessions=sessions(rows),
        now=now,
        monotonic=time.monotonic,
        deadline_seconds=settings.deadline_seconds,
        park_for=timedelta(hours=settings.park_hours),
        recheck=timedelta(seconds=settings.recheck_seconds),
        owner_attempts=settings.owner_attempts,
    )


def check_ports(settings: ProbeSettings) -> CheckPorts:
    """Return everything that a check touches."""
    return CheckPorts(
        questions=questions(settings),
        executor=executor,
        vault=vault(settings),
        accounts=accounts(table(settings)),
        now=now,
        monotonic=time.monotonic,
        deadline_seconds=settings.deadline_seconds,
        pace=Pace(
            recheck=timedelta(seconds=settings.recheck_seconds),
            jitter=lambda: random.uniform(0.9, 1.1),  # noqa: S311 - spreads load, keeps no secret
        ),
    )


def change_ports(settings: ApiSettings | IntakeSettings, rows: Table) -> ChangePorts:
    """Return everything that a change of an account touches."""
    return ChangePorts(
        accounts=accounts(rows), vault=vault(settings), recovery_days=settings.recovery_days
    )


def sweep_ports(settings: SweepSettings) -> SweepPorts:
    """Return everything that the sweep and the daily reconciling touch."""
    rows = table(settings)
    return SweepPorts(
        accounts=accounts(rows),
        vault=vault(settings),
        checks=checks(settings.check_queue),
        turn=SweepTurn(table=rows),
        executor=sweepers,
        now=now,
        recovery_days=settings.recovery_days,
        shards=SHARDS,
    )


def request_ports(settings: IntakeSettings) -> RequestPorts:
    """Return everything that requests from the event bus touch."""
    rows = table(settings)
    return RequestPorts(
        link=link_ports(settings, rows),
        change=change_ports(settings, rows),
        outbox=OutboxTable(table=rows),
        seal=KmsSeal(client=boto3.client("kms", config=_AWS), key_arn=settings.key_arn),
        checks=checks(settings.check_queue),
        now=now,
    )


def checks(url: str) -> CheckQueue:
    """Return where checks wait."""
    return CheckQueue(client=boto3.client("sqs", config=_AWS), url=url)


def dead_letters(url: str) -> DeadLetters:
    """Return where what can't be done is kept."""
    return DeadLetters(client=boto3.client("sqs", config=_AWS), url=url)


def bus(name: str) -> EventBridgeBus:
    """Return the stack's bus."""
    return EventBridgeBus(client=boto3.client("events", config=_AWS), name=name)


def webhook(settings: WebhookSettings) -> Webhook:
    """Return the address that events are sent to."""
    return Webhook(settings.url, ca_bundle=settings.ca_bundle)


def signing_keys(settings: WebhookSettings) -> SigningKeys:
    """Return what the webhook is signed with."""
    client = boto3.client("secretsmanager", config=_AWS)
    return SigningKeys(client=client, arn=settings.secret_arn, monotonic=time.monotonic)

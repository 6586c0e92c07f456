"""Puts the adapters together, once a container; tests pass doubles."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from namely_link.aws.bus import EventBridgeBus
from namely_link.aws.queue import CheckQueue
from namely_link.aws.registry import SHARDS, DynamoDbRegistry
from namely_link.aws.seal import KmsSeal
from namely_link.aws.vault import SecretsManagerVault
from namely_link.commands.change import Manager
from namely_link.commands.check import Checker
from namely_link.commands.ports import Ports
from namely_link.commands.requests import Intake
from namely_link.commands.sweep import Sweeper
from namely_link.domain.probe import Questions
from namely_link.namely.api import NamelyApi

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from namely_link.domain.account import Actor
    from namely_link.settings import (
        HubSettings,
        IntakeSettings,
        ProbeSettings,
        Settings,
        SweepSettings,
    )

_AWS = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Seconds; together shorter than a function may run."""


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def pool() -> Executor:
    """Return threads enough for all that one probe asks, and what is written meanwhile."""
    return ThreadPoolExecutor(max_workers=6)


def registry(settings: Settings) -> DynamoDbRegistry:
    """Return the registry over the stack's table."""
    return DynamoDbRegistry(client=boto3.client("dynamodb", config=_AWS), table=settings.table)


def vault(settings: Settings, *, key_arn: str = "") -> SecretsManagerVault:
    """Return the vault over the stack's secrets; `key_arn` is needed to create one."""
    client = boto3.client("secretsmanager", config=_AWS)
    return SecretsManagerVault(client=client, prefix=settings.secret_prefix, key_arn=key_arn)


def questions(settings: ProbeSettings) -> Questions:
    """Return what puts the questions of a probe, over one pool of connections."""
    namely = NamelyApi(connect_to=settings.connect_to, ca_bundle=settings.ca_bundle)
    return Questions(namely=namely, negative_control=settings.negative_control)


def ports(settings: HubSettings, rows: DynamoDbRegistry) -> Ports:
    """Return everything that the link command touches."""
    return Ports(
        questions=questions(settings),
        pool=pool(),
        vault=vault(settings, key_arn=settings.key_arn),
        registry=rows,
        now=now,
        monotonic=time.monotonic,
        deadline_seconds=settings.deadline_seconds,
        park_for=timedelta(hours=settings.park_hours),
        recheck=timedelta(seconds=settings.recheck_seconds),
        owner_attempts=settings.owner_attempts,
    )


def checks(url: str) -> CheckQueue:
    """Return where checks wait."""
    return CheckQueue(client=boto3.client("sqs", config=_AWS), url=url)


def checker(settings: ProbeSettings) -> Checker:
    """Return what makes checks."""
    return Checker(
        questions=questions(settings),
        pool=pool(),
        vault=vault(settings),
        registry=registry(settings),
        now=now,
        monotonic=time.monotonic,
        deadline_seconds=settings.deadline_seconds,
        jitter=lambda: random.uniform(0.9, 1.1),  # noqa: S311 - spreads load, keeps no secret
        recheck=timedelta(seconds=settings.recheck_seconds),
    )


def sweeper(settings: SweepSettings) -> Sweeper:
    """Return what finds and finishes what is due."""
    return Sweeper(
        registry=registry(settings),
        vault=vault(settings),
        checks=checks(settings.check_queue),
        now=now,
        recovery_days=settings.recovery_days,
        shards=SHARDS,
    )


def bus(name: str) -> EventBridgeBus:
    """Return the stack's bus."""
    return EventBridgeBus(client=boto3.client("events", config=_AWS), name=name)


def intake(settings: IntakeSettings) -> Intake:
    """Return what handles requests from the event bus."""
    rows = registry(settings)
    secrets = vault(settings)

    def manager(actor: Actor, request_id: str) -> Manager:
        return Manager(
            registry=rows,
            vault=secrets,
            now=now,
            recovery_days=settings.recovery_days,
            actor=actor,
            request_id=request_id,
        )

    return Intake(
        ports=ports(settings, rows),
        registry=rows,
        seal=KmsSeal(client=boto3.client("kms", config=_AWS), key_arn=settings.key_arn),
        checks=checks(settings.check_queue),
        manager=manager,
    )

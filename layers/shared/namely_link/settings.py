"""What a deployment sets: the only module that reads the environment."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(Exception):
    """A setting is missing or contradicts another; the function does not start."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that every function has."""

    table: str
    stack: str
    stage: str
    secret_prefix: str
    allowed_origins: tuple[str, ...]

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read them.

        Raises:
            SettingsError: one is missing.
        """
        return cls(**_common(environ))


@dataclass(frozen=True, kw_only=True)
class ProbeSettings(Settings):
    """What every function needs that probes Namely."""

    deadline_seconds: float
    negative_control: bool
    connect_to: tuple[str, int] | None
    ca_bundle: str | None
    recheck_seconds: int

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> ProbeSettings:
        """Read them.

        Raises:
            SettingsError: one is missing, or a production stage is led to a simulator.
        """
        return cls(**_common(environ), **_probe(environ))


@dataclass(frozen=True, kw_only=True)
class LinkSettings(ProbeSettings):
    """What `link` needs beyond: where secrets go, and how often an owner may try in an hour."""

    key_arn: str
    park_hours: int
    owner_attempts: int

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> LinkSettings:
        """Read them.

        Raises:
            SettingsError: one is missing, or a production stage is led to a simulator.
        """
        return cls(
            **_common(environ),
            **_probe(environ),
            key_arn=_required(environ, "SECRET_KEY_ARN"),
            park_hours=int(environ.get("PARK_HOURS", "24")),
            owner_attempts=int(environ.get("OWNER_ATTEMPTS_PER_HOUR", "60")),
        )


@dataclass(frozen=True, kw_only=True)
class PageSettings:
    """How the pages look, and which sites may embed the Hub (sources of `frame-ancestors`)."""

    name: str
    color: str
    logo: str
    frame_ancestors: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> PageSettings:
        """Read them; each has a default."""
        return cls(
            name=environ.get("THEME_NAME") or "namely-link",
            color=environ.get("THEME_COLOR") or "#0f6b5c",
            logo=environ.get("THEME_LOGO", ""),
            frame_ancestors=environ.get("FRAME_ANCESTORS") or "'none'",
        )


@dataclass(frozen=True, kw_only=True)
class IntakeSettings(LinkSettings):
    """What `intake` needs beyond: where checks go, and how long deleted secrets stay."""

    check_queue: str
    recovery_days: int

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> IntakeSettings:
        """Read them.

        Raises:
            SettingsError: one is missing, or a production stage is led to a simulator.
        """
        return cls(
            **vars(LinkSettings.read(environ)),
            check_queue=_required(environ, "CHECK_QUEUE_URL"),
            recovery_days=int(environ.get("RECOVERY_WINDOW_DAYS", "30")),
        )


@dataclass(frozen=True, kw_only=True)
class SweepSettings(Settings):
    """What `sweep` needs beyond."""

    check_queue: str
    recovery_days: int

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> SweepSettings:
        """Read them.

        Raises:
            SettingsError: one is missing.
        """
        return cls(
            **_common(environ),
            check_queue=_required(environ, "CHECK_QUEUE_URL"),
            recovery_days=int(environ.get("RECOVERY_WINDOW_DAYS", "30")),
        )


@dataclass(frozen=True, kw_only=True)
class ApiSettings(Settings):
    """What `api` needs beyond: how long things last, and where the Hub is."""

    session_attempts: int
    recovery_days: int
    public_url: str
    check_queue: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> ApiSettings:
        """Read them.

        Raises:
            SettingsError: one is missing.
        """
        return cls(
            **_common(environ),
            session_attempts=int(environ.get("SESSION_ATTEMPTS", "5")),
            recovery_days=int(environ.get("RECOVERY_WINDOW_DAYS", "30")),
            public_url=environ.get("PUBLIC_URL", "").rstrip("/"),
            check_queue=_required(environ, "CHECK_QUEUE_URL"),
        )


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """What `publish` needs: the stack's bus, and where to keep what can't be read."""

    bus: str
    dead_letters: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> PublishSettings:
        """Read them.

        Raises:
            SettingsError: one is missing.
        """
        return cls(
            bus=_required(environ, "EVENT_BUS"),
            dead_letters=_required(environ, "DEAD_LETTERS_URL"),
        )


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """Where the webhook goes; `ca_bundle` (PEM) is of a receiver beside the emulator."""

    url: str
    secret_arn: str
    ca_bundle: str | None

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> WebhookSettings:
        """Read them. Whatever runs on AWS verifies against public authorities.

        Raises:
            SettingsError: one is missing.
        """
        bundle = environ.get("NAMELY_CA_BUNDLE") if _required(environ, "STAGE") == "local" else ""
        return cls(
            url=_required(environ, "WEBHOOK_URL"),
            secret_arn=_required(environ, "WEBHOOK_SECRET_ARN"),
            ca_bundle=base64.b64decode(bundle).decode() if bundle else None,
        )


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    msg = f"{name} is not set"
    raise SettingsError(msg)


def _common(environ: Mapping[str, str]) -> dict[str, Any]:
    origins = environ.get("ALLOWED_ORIGINS", "").split(",")
    return {
        "table": _required(environ, "TABLE_NAME"),
        "stack": _required(environ, "STACK_NAME"),
        "stage": _required(environ, "STAGE"),
        "secret_prefix": _required(environ, "SECRET_PREFIX"),
        "allowed_origins": tuple(one.strip() for one in origins if one.strip()),
    }


def _probe(environ: Mapping[str, str]) -> dict[str, Any]:
    connect_to, ca_bundle = environ.get("NAMELY_CONNECT_TO"), environ.get("NAMELY_CA_BUNDLE")
    if environ.get("STAGE") == "production" and (connect_to or ca_bundle):
        msg = "a production stage goes to Namely itself: NAMELY_CONNECT_TO must be empty"
        raise SettingsError(msg)
    host, _, port = (connect_to or "").rpartition(":")
    return {
        "deadline_seconds": float(environ.get("NAMELY_DEADLINE_SECONDS", "10")),
        "negative_control": environ.get("NEGATIVE_CONTROL", "on") == "on",
        "recheck_seconds": int(environ.get("RECHECK_SECONDS", "300")),
        "connect_to": (host, int(port)) if connect_to else None,
        "ca_bundle": base64.b64decode(ca_bundle).decode() if ca_bundle else None,
    }

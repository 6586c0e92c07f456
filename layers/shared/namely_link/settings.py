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
class HubSettings(Settings):
    """What `hub` needs beyond: where secrets go, and how Namely is probed."""

    key_arn: str
    deadline_seconds: float
    negative_control: bool
    connect_to: tuple[str, int] | None
    ca_bundle: str | None

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> HubSettings:
        """Read them.

        Raises:
            SettingsError: one is missing, or a production stage is led to a simulator.
        """
        common = _common(environ)
        connect_to, ca_bundle = environ.get("NAMELY_CONNECT_TO"), environ.get("NAMELY_CA_BUNDLE")
        if common["stage"] == "production" and (connect_to or ca_bundle):
            msg = "a production stage goes to Namely itself: NAMELY_CONNECT_TO must be empty"
            raise SettingsError(msg)
        host, _, port = (connect_to or "").rpartition(":")
        return cls(
            **common,
            key_arn=_required(environ, "SECRET_KEY_ARN"),
            deadline_seconds=float(environ.get("NAMELY_DEADLINE_SECONDS", "10")),
            negative_control=environ.get("NEGATIVE_CONTROL", "on") == "on",
            connect_to=(host, int(port)) if connect_to else None,
            ca_bundle=base64.b64decode(ca_bundle).decode() if ca_bundle else None,
        )


@dataclass(frozen=True, kw_only=True)
class ApiSettings(Settings):
    """What `api` needs beyond: how long things last, and where the Hub is."""

    session_attempts: int
    recovery_days: int
    public_url: str

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

"""Opaque bearers: 256 random bits behind a prefix, kept only as their SHA-256.

The id of what a bearer stands for is its hash, so one read by key finds it, and no comparison of
secrets is ever made.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from namely_link.domain.problems import Problem, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What a bearer is, by its prefix."""

    API_KEY = "nlk_"
    CONNECT_SESSION = "nls_"
    PORTAL_SESSION = "nlp_"


_ID_PREFIX: Final = {
    Kind.API_KEY: "key_",
    Kind.CONNECT_SESSION: "cs_",
    Kind.PORTAL_SESSION: "ps_",
}
_SHAPE: Final = re.compile(r"(nlk_|nls_|nlp_)[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True)
class Bearer:
    """A bearer and the id of what it stands for; its value is never shown by accident."""

    kind: Kind
    id: str
    value: str

    def __repr__(self) -> str:
        return f"Bearer({self.id})"


def _bearer(value: str) -> Bearer:
    kind = Kind(value[:4])
    return Bearer(kind, _ID_PREFIX[kind] + hashlib.sha256(value.encode()).hexdigest(), value)


def mint(kind: Kind) -> Bearer:
    """Make a new bearer; its value is shown once and kept nowhere."""
    return _bearer(kind + secrets.token_urlsafe(32))


def parse(text: str) -> Bearer | None:
    """Return what the text stands for, or None where it is no bearer of ours."""
    return _bearer(text) if _SHAPE.fullmatch(text) else None


def authorization(headers: Mapping[str, str]) -> Bearer:
    """Return the bearer of the Authorization header; header names in lower case.

    Raises:
        Problem: unauthorized.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    found = parse(value.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise Problem(Reason.UNAUTHORIZED)
    return found

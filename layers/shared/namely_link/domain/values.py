"""The product's words as values: who, where, with what. Nothing here knows HTTP or AWS."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal, NoReturn

type Capability = Literal["yes", "no", "unknown"]
type AccountType = Literal["production", "test"]

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str) -> str:
    """Return an opaque id that sorts by the time it was made: a ULID behind a prefix."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return prefix + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, whole seconds; such strings sort by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """Return the moment that `timestamp` wrote; raises ValueError for any other text."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def seconds_until(text: str, now: datetime) -> int:
    """Return how long it is until a moment (RFC 3339), at least a second."""
    return max(math.ceil((moment(text) - now).total_seconds()), 1)


class Token:
    """A Personal Access Token. It shows itself only to who calls `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the token itself: for the Authorization header and the vault, nothing else."""
        return self._value

    @property
    def hint(self) -> str:
        """The last four characters, or nothing of a token so short that they would give it away."""
        return self._value[-4:] if len(self._value) >= 16 else ""

    def fingerprint(self, *, key: str, subdomain: str) -> str:
        """Return a keyed hash that tells whether the same credential comes again."""
        message = f"{subdomain}\0{self._value}".encode()
        return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash of a token is a fingerprint without a key

    def __repr__(self) -> str:
        return "Token(****)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, _memo: object) -> Token:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "a token is never serialised"
        raise TypeError(msg)


@dataclass(frozen=True)
class Subdomain:
    """A checked RFC 1123 label; made by `credentials.parse_subdomain` only."""

    label: str

    def __str__(self) -> str:
        return self.label

    @property
    def host(self) -> str:
        """The host name of the site's API."""
        return f"{self.label}.namely.com"

    @property
    def base_url(self) -> str:
        """The site's address, without a path."""
        return f"https://{self.host}"


@dataclass(frozen=True)
class Credential:
    """What a person types: where, and with what."""

    subdomain: Subdomain
    token: Token


@dataclass(frozen=True)
class Owner:
    """The customer on whose behalf an account is linked."""

    id: str
    name: str


@dataclass(frozen=True)
class Site:
    """What a Namely site says of itself; empty strings where it did not."""

    name: str
    permalink: str


@dataclass(frozen=True)
class Identity:
    """Whose token it is."""

    profile_id: str
    name: str
    user_status: str
    role: str = ""


@dataclass(frozen=True)
class SecretVersion:
    """One version of one secret: what consumers read."""

    arn: str
    version_id: str


class OpenEnum(StrEnum):
    """An enumeration that a later release may have added to.

    A value that is not known here is kept as it is and equals no member, so a row that has one can
    be read, shown and written back.
    """

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_, unknown._value_ = "UNKNOWN", value
        return unknown


class ActorKind(OpenEnum):
    """What kind of party does something."""

    SESSION = "session"
    API_KEY = "api_key"
    PORTAL = "portal"
    EVENT = "event"
    CHECK = "check"
    SWEEP = "sweep"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does something: for the ledger."""

    kind: ActorKind
    name: str

"""The product's words as values. Nothing here knows HTTP, AWS or Namely's wire format."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NoReturn

type Capability = Literal["yes", "no", "unknown"]
type AccountType = Literal["production", "test"]

LEASE: Final = timedelta(seconds=35)
"""How long an attempt may write: longer than a function can run (29 s)."""

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str) -> str:
    """Return an opaque id that sorts by the time it was made: a ULID behind a prefix."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return prefix + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, whole seconds; such strings sort by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """Return the moment that `timestamp` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


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


class AccountWarning(StrEnum):
    """What is worth saying though the credential works."""

    PERSONAL_TOKEN = "personal_token"
    OVER_PRIVILEGED = "over_privileged"
    NARROW_ROLE = "narrow_role"
    ONLY_SELF_VISIBLE = "only_self_visible"
    OWNER_NOT_ACTIVE = "owner_not_active"
    CONTROL_INCONCLUSIVE = "control_inconclusive"
    SITE_UNPROVEN = "site_unproven"
    EXPIRES_SOON = "expires_soon"
    VISIBILITY_UNKNOWN = "visibility_unknown"


@dataclass(frozen=True)
class Receipt:
    """What an accepted probe learned. `visible_people` is None where Namely did not say."""

    site: Site
    identity: Identity
    visible_people: int | None
    capabilities: dict[str, Capability]
    warnings: tuple[AccountWarning, ...]


class Status(StrEnum):
    """The states of a linked account."""

    PENDING = "pending"
    ACTIVE = "active"
    ERROR = "error"
    SUSPENDED = "suspended"
    UNLINKED = "unlinked"


@dataclass(frozen=True)
class StatusReason:
    """Why an account is in its state, since when (RFC 3339)."""

    code: str
    detail: str
    at: str


@dataclass(frozen=True)
class SecretVersion:
    """One version of one secret: what consumers read."""

    arn: str
    version_id: str


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """The receipt of an unlinking: who asked for it, and what Secrets Manager has confirmed.

    Until it has confirmed, `scheduled_at` and `final_at` are empty. From `final_at` on the token
    can't be recovered by anybody.
    """

    requested_at: str
    requested_by: str
    request_id: str
    secret_arn: str
    scheduled_at: str = ""
    final_at: str = ""

    def confirmed(self, *, at: datetime, final: datetime) -> Deletion:
        """Return it with what Secrets Manager has confirmed."""
        return replace(self, scheduled_at=timestamp(at), final_at=timestamp(final))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One run of the link command on an account; `released` once it will write nothing more."""

    id: str
    at: str
    released: bool = False

    def over(self, now: datetime) -> bool:
        """Whether it can't write any more."""
        return self.released or moment(self.at) + LEASE <= now


@dataclass(frozen=True, kw_only=True)
class Account:
    """A linked account: owner and site. Times are RFC 3339 strings, empty where not yet known.

    `unpromoted` means that the labels at its secret are not all what the row says.

    The last five are what checks remember: until when a parked link waits, why a parked link is
    to be undone, since when Namely refuses the token without a confirmation yet, how many probes in
    a row gave no verdict, and of how many days before its end the expiry was told last.
    """

    id: str
    owner: Owner
    subdomain: str
    status: Status
    secret_name: str
    created_at: str
    revision: int = 0
    type: AccountType = "production"
    site: Site = Site("", "")
    identity: Identity | None = None
    visible_people: int | None = None
    capabilities: dict[str, Capability] = field(default_factory=dict)
    warnings: tuple[AccountWarning, ...] = ()
    status_reasons: tuple[StatusReason, ...] = ()
    secret: SecretVersion | None = None
    token_hint: str = ""
    token_expires_by: str = ""
    label: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    linked_at: str = ""
    checked_at: str = ""
    next_check_at: str = ""
    recoverable_until: str = ""
    deletion: Deletion | None = None
    attempt: Attempt | None = None
    unpromoted: bool = False
    parked_until: str = ""
    undo_reason: str = ""
    refused_at: str = ""
    failures: int = 0
    expiry_told: int = 0


@dataclass(frozen=True)
class Due:
    """An account at which there is something to do, and since when (RFC 3339)."""

    account_id: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does something: for the ledger."""

    kind: Literal["session", "api_key", "portal", "event", "check", "sweep"]
    name: str


@dataclass(frozen=True)
class Linked:
    """What a used session answered, so that asking again gives the same answer."""

    account_id: str
    again: bool
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class ConnectSession:
    """Permission to link one account for one owner.

    With `account_id` to link that very account again, and with `other_site` at another site.
    """

    id: str
    owner: Owner
    state: Literal["open", "used", "revoked"]
    attempts_left: int
    created_at: str
    expires_at: str
    account_id: str = ""
    other_site: bool = False
    subdomain: str = ""
    label: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    type: AccountType = "production"
    return_url: str = ""
    locale: str = ""
    confirm: bool = False
    created_by: str = ""
    linked: Linked | None = None

    def usable(self, now: datetime) -> bool:
        """Whether it may still link, attempts aside."""
        return self.state == "open" and self.expires_at > timestamp(now)


@dataclass(frozen=True, kw_only=True)
class PortalSession:
    """Permission to use the Accounts page, for one owner or (`owner` None) for all."""

    id: str
    rank: Literal["viewer", "operator"]
    owner: Owner | None
    created_at: str
    expires_at: str
    locale: str = ""
    created_by: str = ""


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key of the company's own backend."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str = ""
    revoked: bool = False


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, committed with the change that it tells of."""

    type: str
    event_id: str
    occurred_at: str
    correlation_id: str
    previous_status: str = ""
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """What happened to an account, and who did it."""

    at: str
    action: str
    actor: Actor
    request_id: str
    detail: str = ""

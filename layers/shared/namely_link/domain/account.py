"""A linked account, and everything that is remembered of it. What may happen to it: `lifecycle`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from namely_link.domain.values import OpenEnum, moment, seconds_until, timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from namely_link.domain.values import (
        AccountType,
        Capability,
        Identity,
        Owner,
        SecretVersion,
        Site,
    )


class AccountWarning(OpenEnum):
    """What works, but deserves a word: of a token, or of the site."""

    PERSONAL_TOKEN = "personal_token"
    """It hangs on an employee, and stops working when they leave."""
    OVER_PRIVILEGED = "over_privileged"
    """It sees salaries or social security numbers, or is a super administrator's."""
    NARROW_ROLE = "narrow_role"
    """It is valid, but may not list people."""
    ONLY_SELF_VISIBLE = "only_self_visible"
    """It sees its owner only."""
    OWNER_NOT_ACTIVE = "owner_not_active"
    """Its profile is not active yet."""
    CONTROL_INCONCLUSIVE = "control_inconclusive"
    """Whether a made-up token is refused could not be found out."""
    SITE_UNPROVEN = "site_unproven"
    """The site did not say who it is."""
    EXPIRES_SOON = "expires_soon"
    """Two years after it was linked it ends."""
    VISIBILITY_UNKNOWN = "visibility_unknown"
    """It is proved, but what it sees is not known yet; it is checked again within minutes."""


class Status(OpenEnum):
    """The state of a linked account."""

    PENDING = "pending"
    """An attempt is under way, or the link is parked until Namely is back."""
    ACTIVE = "active"
    """It works."""
    ERROR = "error"
    """Namely refused the token, or somebody deleted its secret."""
    SUSPENDED = "suspended"
    """Paused by you."""
    UNLINKED = "unlinked"
    """Over; the secret can be recovered until `recoverable_until`."""


@dataclass(frozen=True)
class Receipt:
    """What an accepted probe learned. `visible_people` is None where Namely did not say."""

    site: Site
    identity: Identity
    visible_people: int | None
    capabilities: dict[str, Capability]
    warnings: tuple[AccountWarning, ...]

    @property
    def unseen(self) -> bool:
        """Whether the token is proved, but not what it sees: it is to be looked at again soon."""
        return AccountWarning.VISIBILITY_UNKNOWN in self.warnings

    def warned(self, *more: AccountWarning) -> Receipt:
        """Return it with more warnings, in the order of their enumeration."""
        wanted = {*self.warnings, *more}
        known = tuple(one for one in AccountWarning if one in wanted)
        return replace(
            self, warnings=known + tuple(one for one in self.warnings if one not in known)
        )


@dataclass(frozen=True)
class StatusReason:
    """Why an account is in its state, since when (RFC 3339)."""

    code: str
    detail: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Health:
    """What checks remember. Times are RFC 3339, empty where there is none.

    `queued_until` is set while a check waits in the queue: if none was made by then, the sweep asks
    for another. `refused_since` is when Namely first refused the token without a confirmation yet,
    `undetermined` how many probes in a row gave no verdict, and `expiry_told` of how many days
    before its end the token's expiry was told last.
    """

    reasons: tuple[StatusReason, ...] = ()
    checked_at: str = ""
    next_check_at: str = ""
    queued_until: str = ""
    refused_since: str = ""
    undetermined: int = 0
    expiry_told: int = 0


@dataclass(frozen=True)
class Parking:
    """A link that is stored, but not verified: until when it waits for Namely (RFC 3339)."""

    until: str


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """The receipt of an unlinking: who asked for it, and what Secrets Manager has confirmed.

    Until it has confirmed, `scheduled_at` and `final_at` are empty. From `final_at` on the token
    can't be recovered by anybody; `recoverable_until` is when a restoring is refused.
    """

    requested_at: str = ""
    requested_by: str = ""
    request_id: str = ""
    secret_arn: str = ""
    scheduled_at: str = ""
    final_at: str = ""
    recoverable_until: str = ""

    def confirmed(self, *, at: datetime, final: datetime) -> Deletion:
        """Return it with what Secrets Manager has confirmed."""
        return replace(self, scheduled_at=timestamp(at), final_at=timestamp(final))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Who holds an account's row, and until when (RFC 3339): its lease.

    `id` is also the id of the secret's version that it writes, and `secret_name` where to.
    """

    id: str
    at: str
    until: str
    secret_name: str = ""

    def over(self, now: datetime) -> bool:
        """Whether its lease has ended, so that anybody may take the row over."""
        return moment(self.until) <= now

    def seconds_left(self, now: datetime) -> int:
        """Return for how long its lease lasts, at least a second."""
        return seconds_until(self.until, now)


@dataclass(frozen=True)
class Unsettled:
    """Calls to Secrets Manager may have taken effect unseen, or may still do so until `until`.

    The sweep looks at the secret at `look_at`, and once more at `until` (RFC 3339). `strays` are
    names of secrets that attempts which came to nothing may have made beside it: it deletes them.
    """

    look_at: str
    until: str
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Account:
    """A linked account: owner and site. Times are RFC 3339 strings, empty where not yet known.

    `revision` counts the changes that consumers are told of. `fence` counts every write of the row:
    a write is refused unless it has the number that was read. `secret` is the pinned version.
    `changed_at` is when somebody last linked, changed or unlinked it on purpose. `stored` is what
    the row was read from, for the fields of other releases to be kept; nothing else reads it.
    """

    id: str
    owner: Owner
    subdomain: str
    status: Status
    secret_name: str
    created_at: str
    revision: int = 0
    fence: int = 0
    type: AccountType = "production"
    receipt: Receipt | None = None
    health: Health = Health()
    secret: SecretVersion | None = None
    token_hint: str = ""
    token_expires_by: str = ""
    label: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    linked_at: str = ""
    changed_at: str = ""
    parking: Parking | None = None
    deletion: Deletion | None = None
    attempt: Attempt | None = None
    unsettled: Unsettled | None = None
    stored: object = field(default=None, compare=False, repr=False)

    @property
    def committed(self) -> bool:
        """Whether a link, or a parked one, was ever committed: its secret is to be kept."""
        return self.revision > 0

    @property
    def understood(self) -> bool:
        """Whether its status is one that this release knows; otherwise it is left untouched."""
        return self.status in frozenset(Status)

    @property
    def holds_pair(self) -> bool:
        """Whether no other account of this owner may be linked to this site."""
        return self.status is not Status.UNLINKED


@dataclass(frozen=True, kw_only=True)
class Tombstone:
    """What is left of a link that came to nothing: the name of a secret that must not exist.

    The account's id is never used again. The sweep deletes the secret at `look_at`, and once more
    at `until`, in case a call took effect after its caller had given up (RFC 3339); empty once
    there is nothing left to do.
    """

    id: str
    secret_name: str
    look_at: str
    until: str
    fence: int = 0
    stored: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Due:
    """An account at which there is something to do, and since when (RFC 3339)."""

    account_id: str
    at: str

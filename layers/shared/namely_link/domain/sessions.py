"""Connect sessions, portal sessions and API keys: who may do what, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from namely_link.domain.problems import Problem, Reason
from namely_link.domain.values import seconds_until, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from namely_link.domain.values import AccountType, Owner


@dataclass(frozen=True)
class Linked:
    """What a used session has linked, so that asking again gives the same answer."""

    account_id: str
    again: bool
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class ConnectSession:
    """Permission to link one account for one owner; with `account_id`, that very account again.

    `attempts_left` falls by one with each verdict on what was typed. `claims` are the requests that
    work at this moment, by attempt, each until when (RFC 3339): a claim that was never ended costs
    nothing. `reserved` is the fingerprint of a credential that a dry run has accepted: it may be
    linked though no attempt is left. `fence` counts the writes of the row.
    """

    id: str
    owner: Owner
    state: Literal["open", "used", "revoked"]
    attempts_left: int
    created_at: str
    expires_at: str
    account_id: str = ""
    subdomain: str = ""
    label: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    type: AccountType = "production"
    return_url: str = ""
    locale: str = ""
    confirm: bool = False
    created_by: str = ""
    linked: Linked | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    reserved: str = ""
    fence: int = 0
    stored: object = field(default=None, compare=False, repr=False)

    def usable(self, now: datetime) -> bool:
        """Whether it may still link, attempts aside."""
        return self.state == "open" and self.expires_at > timestamp(now)

    def claimed(
        self, attempt_id: str, *, until: datetime, fingerprint: str, now: datetime
    ) -> ConnectSession:
        """Return it with a claim of one attempt.

        Raises:
            Problem: session_used (revoked), session_expired, attempts_exhausted; conflict where
                the last attempts are claimed by requests that still work.
        """
        self.check_open(now)
        others = _without(self.claims, attempt_id)
        running = {key: end for key, end in others.items() if end > timestamp(now)}
        left = self.attempts_left + (bool(self.reserved) and self.reserved == fingerprint)
        if left <= 0:
            raise Problem(Reason.ATTEMPTS_EXHAUSTED, attempts_left=0)
        if left <= len(running):
            wait = seconds_until(min(running.values()), now)
            raise Problem(Reason.CONFLICT, retry_after=wait, attempts_left=self.attempts_left)
        return replace(self, claims=running | {attempt_id: timestamp(until)})

    def check_open(self, now: datetime) -> None:
        """Refuse a session that is over.

        Raises:
            Problem: session_used where it is used or revoked, session_expired.
        """
        if self.expires_at <= timestamp(now):
            raise Problem(Reason.SESSION_EXPIRED)
        if self.state != "open":
            raise Problem(Reason.SESSION_USED)

    def given_back(self, attempt_id: str) -> ConnectSession:
        """Return it without the claim: no verdict was given, so nothing was spent."""
        return replace(self, claims=_without(self.claims, attempt_id))

    def spent(self, attempt_id: str, *, fingerprint: str) -> ConnectSession:
        """Return it after a verdict that refused what was typed; a claim is spent once."""
        if attempt_id not in self.claims:
            return self
        reserved = self.reserved == fingerprint
        return replace(
            self.given_back(attempt_id),
            attempts_left=self.attempts_left if reserved else max(self.attempts_left - 1, 0),
            reserved="" if reserved else self.reserved,
        )

    def tried(self, attempt_id: str, *, fingerprint: str) -> ConnectSession:
        """Return it after a dry run that accepted the credential: its link is reserved."""
        return replace(self.spent(attempt_id, fingerprint=fingerprint), reserved=fingerprint)


def _without(claims: Mapping[str, str], attempt_id: str) -> Mapping[str, str]:
    return {key: until for key, until in claims.items() if key != attempt_id}


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

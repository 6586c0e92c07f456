"""Who may do what: keys by scope, portal sessions by rank and within their owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from namely_link.domain.problems import Problem, Reason
from namely_link.domain.values import Actor, ActorKind, Owner, timestamp
from namely_link.http.bearers import Kind

if TYPE_CHECKING:
    from datetime import datetime

    from namely_link.commands.ports import Keys
    from namely_link.domain.sessions import PortalSession
    from namely_link.http.bearers import Bearer

type Scope = Literal["link", "sessions", "read", "manage", "portal"]

SCOPES: Final[tuple[Scope, ...]] = ("link", "sessions", "read", "manage", "portal")
"""`link` accounts; make connect `sessions`; `read` accounts; `manage` (change, unlink) them; make
`portal` sessions."""

_BY_RANK: Final[dict[str, tuple[Scope, ...]]] = {
    "viewer": ("read",),
    "operator": ("link", "sessions", "read", "manage"),
}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is let in; with an `owner`, to what belongs to that owner only."""

    actor: Actor
    owner: Owner | None = None

    @property
    def owner_id(self) -> str:
        """The only owner that the caller may see, '' for all."""
        return self.owner.id if self.owner else ""

    def on_behalf_of(self, owner_id: str, owner_name: str) -> Owner:
        """Return the owner that something is done for.

        Raises:
            Problem: forbidden, for an owner other than the caller's; invalid_request, for none.
        """
        if self.owner:
            if owner_id not in {"", self.owner.id}:
                raise Problem(Reason.FORBIDDEN)
            return self.owner
        for name, value in (("owner_id", owner_id), ("owner_name", owner_name)):
            if not value:
                raise Problem(Reason.INVALID_REQUEST, detail=f"{name} is missing.", field=name)
        return Owner(owner_id, owner_name)


def authorised(keys: Keys, bearer: Bearer, *, scope: Scope, now: datetime) -> Caller:
    """Return who the bearer is, if it may do what the scope says.

    Raises:
        Problem: unauthorized, forbidden.
    """
    match bearer.kind:
        case Kind.API_KEY:
            key = keys.key(bearer.id)
            if key is None or key.revoked or (key.expires_at and key.expires_at <= timestamp(now)):
                raise Problem(Reason.UNAUTHORIZED)
            caller, scopes = Caller(actor=Actor(kind=ActorKind.API_KEY, name=key.name)), key.scopes
        case Kind.PORTAL_SESSION:
            portal = open_portal(keys, bearer, now=now)
            actor = Actor(kind=ActorKind.PORTAL, name=portal.created_by)
            caller, scopes = Caller(actor=actor, owner=portal.owner), _BY_RANK[portal.rank]
        case _:
            raise Problem(Reason.FORBIDDEN)
    if scope not in scopes:
        raise Problem(Reason.FORBIDDEN)
    return caller


def open_portal(keys: Keys, bearer: Bearer, *, now: datetime) -> PortalSession:
    """Return the portal session that the bearer is.

    Raises:
        Problem: unauthorized, session_expired.
    """
    portal = keys.portal(bearer.id) if bearer.kind is Kind.PORTAL_SESSION else None
    if portal is None:
        raise Problem(Reason.UNAUTHORIZED)
    if portal.expires_at <= timestamp(now):
        raise Problem(Reason.SESSION_EXPIRED)
    return portal

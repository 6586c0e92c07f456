"""Requests from other systems over the event bus: link, check and unlink.

Delivery is at least once, and an archive or a dead letter may deliver again weeks later: what was
done is remembered for thirty days, and what is older than what happened since is refused. A
permanent fault is answered by an event and not tried again; a transient one is raised, so that
Lambda tries again, twice within minutes, and then keeps it as a dead letter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from namely_link.commands import change
from namely_link.commands.link import ByOwner, LinkCommand, link
from namely_link.commands.ports import Done
from namely_link.domain.credentials import parse_credential
from namely_link.domain.lifecycle import Cause, Event, EventType
from namely_link.domain.problems import (
    Code,
    ConflictError,
    NamelyLinkError,
    Problem,
    Reason,
    SealBrokenError,
)
from namely_link.domain.values import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from namely_link.commands.ports import RequestPorts
    from namely_link.domain.values import Actor, Owner

REMEMBERED: Final = timedelta(days=30)
"""How long a request that was done is known; archives and dead letters live as long at most."""

HOW_TO_SEAL: Final = (
    "Seal the token with KMS Encrypt under the stack's key, with owner_id, subdomain, request_id "
    "and expires_at as encryption context, and send it in Base64 as sealed_token (make seal)."
)


class TryAgainError(NamelyLinkError):
    """A transient fault; Lambda invokes the function with the event once more."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who asks for what by an event, under which id, and when (RFC 3339)."""

    kind: str
    actor: Actor
    request_id: str
    at: str
    shown: Mapping[str, object] = field(default_factory=dict)
    """What may be said again of who and what it is about, should it be refused."""

    @property
    def key(self) -> str:
        """What the request is remembered by: ids are the sender's own."""
        text = "\0".join((self.kind, self.actor.name, self.request_id))
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class LinkRequest:
    """A token, sealed for this request until `expires_at` (RFC 3339)."""

    owner: Owner
    subdomain: str
    sealed_token: str = field(repr=False)
    expires_at: str
    label: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """An account, or all of an owner or a subdomain."""

    account_id: str = ""
    owner_id: str = ""
    subdomain: str = ""


@dataclass(frozen=True, kw_only=True)
class UnlinkRequest:
    """An account."""

    account_id: str


type Request = LinkRequest | CheckRequest | UnlinkRequest


@dataclass(frozen=True)
class Handled:
    """What came of a request, in a word for the log; `refused` is why nothing did."""

    what: str
    refused: Code | None = None

    def __str__(self) -> str:
        return f"{self.what}: {self.refused}" if self.refused else self.what


def handle(asked: Asked, request: Request, ports: RequestPorts) -> Handled:
    """Do what an event asks for.

    Raises:
        TryAgainError, StorageError: the event is to be delivered once more.
    """
    if ports.outbox.was_done(asked.key):
        return Handled("repeated")
    try:
        match request:
            case LinkRequest():
                return _link(asked, request, ports)
            case CheckRequest():
                return _check(asked, request, ports)
            case _:
                return _unlink(asked, request, ports)
    except ConflictError as error:
        raise TryAgainError(str(error)) from error
    except Problem as problem:
        if problem.transient:
            raise TryAgainError(problem.code) from problem
        return refuse(asked, problem, ports)


def refuse(asked: Asked, problem: Problem, ports: RequestPorts) -> Handled:
    """Tell that a request came to nothing, once, however often it comes."""
    is_link = asked.kind == "Link Requested"
    about = {"account": asked.shown} if is_link else {"request": asked.kind, "account": asked.shown}
    event = Event(
        type=EventType.LINK_REJECTED if is_link else EventType.REQUEST_REFUSED,
        event_id=f"evt_{asked.key[:32]}",
        occurred_at=timestamp(ports.now()),
        correlation_id=asked.request_id,
        data=about | {"code": problem.code, "reason": problem.reason, "detail": problem.detail},
    )
    ports.outbox.notice(event, done=_done(asked, ports.now()))
    return Handled("refused", problem.code)


def _done(asked: Asked, now: datetime) -> Done:
    return Done(asked.key, until=now + REMEMBERED)


def _link(asked: Asked, request: LinkRequest, ports: RequestPorts) -> Handled:
    if request.expires_at <= timestamp(ports.now()):
        detail = f"The seal has expired. {HOW_TO_SEAL}"
        raise Problem(Reason.INVALID_REQUEST, detail=detail, field="sealed_token")
    try:
        token = ports.seal.unseal(
            request.sealed_token,
            owner_id=request.owner.id,
            subdomain=request.subdomain,
            request_id=asked.request_id,
            expires_at=request.expires_at,
        )
    except SealBrokenError:
        raise Problem(Reason.INVALID_REQUEST, detail=HOW_TO_SEAL, field="sealed_token") from None
    command = LinkCommand(
        credential=parse_credential(request.subdomain, token),
        permission=ByOwner(owner=request.owner, metadata=request.metadata),
        actor=asked.actor,
        request_id=asked.request_id,
        label=request.label,
        asked_at=asked.at,
        done=_done(asked, ports.now()),
    )
    link(command, ports.link)
    return Handled("linked")


def _check(asked: Asked, request: CheckRequest, ports: RequestPorts) -> Handled:
    accounts = ports.link.accounts
    if request.account_id:
        found = accounts.read(request.account_id)
        wanted = [found] if found else []
    else:
        wanted = list(accounts.every(owner_id=request.owner_id, subdomain=request.subdomain))
    older = [one for one in wanted if one.health.checked_at <= asked.at]
    if wanted and not older:
        raise Problem(Reason.REQUEST_STALE)
    for account in older:
        ports.checks.put(account.id, actor=asked.actor, request_id=asked.request_id)
    ports.outbox.note_done(_done(asked, ports.now()))
    return Handled(f"queued: {len(older)}")


def _unlink(asked: Asked, request: UnlinkRequest, ports: RequestPorts) -> Handled:
    account = ports.link.accounts.read(request.account_id)
    if account is None:
        raise Problem(Reason.NOT_FOUND)
    if not account.holds_pair:
        ports.outbox.note_done(_done(asked, ports.now()))
        return Handled("unlinked")
    now = ports.now()
    change.unlink(
        account,
        cause=Cause(actor=asked.actor, request_id=asked.request_id, now=now),
        ports=ports.change,
        asked_at=asked.at,
        done=_done(asked, now),
    )
    return Handled("unlinked")

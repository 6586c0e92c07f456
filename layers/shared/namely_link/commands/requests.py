"""Events from other systems: link, check and unlink, asked for on the event bus.

Delivery is at least once, so each request names itself: `request_id`, else the event's own id. A
permanent fault is answered by a `Link Rejected` event and not tried again; a transient one is
raised, so that Lambda tries again, twice within minutes, and then keeps it as a dead letter.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from namely_link.commands.link import ByOwner, LinkCommand, link
from namely_link.domain.account import Actor, Event, Owner, Status, timestamp
from namely_link.domain.credentials import parse_credential, parse_subdomain
from namely_link.domain.problems import (
    ConflictError,
    NamelyLinkError,
    Problem,
    Reason,
    SealBrokenError,
    StorageError,
)
from namely_link.http.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from namely_link.commands.change import Manager
    from namely_link.commands.ports import Ports
    from namely_link.domain.account import Account

_NAMESPACE: Final = uuid.UUID("6d1f4a1c-5f8e-4b43-9a53-2f1f7f0c1a52")
_LINK: Final = "Link Requested"
HOW_TO_SEAL: Final = (
    "Seal the token with KMS Encrypt under the stack's key, with owner_id, subdomain, request_id "
    "and expires_at of this very request as encryption context, and send it in Base64 as "
    "sealed_token; `make seal` does it."
)


class TryAgainError(NamelyLinkError):
    """A transient fault; Lambda invokes the function with the event once more."""


class Seal(Protocol):
    """Opens what was sealed for this stack."""

    def unseal(
        self, sealed: str, *, owner_id: str, subdomain: str, request_id: str, expires_at: str
    ) -> str:
        """Return the text; raises SealBrokenError, StorageError."""


class Checks(Protocol):
    """Where checks wait to be made."""

    def put(self, account_id: str, *, asked_by: str = "") -> None:
        """Ask for a check; raises StorageError."""


class Registry(Protocol):
    """Where accounts are kept. Every method raises StorageError when AWS fails."""

    def account(self, account_id: str) -> Account | None:
        """Read an account, consistently."""

    def every(self, *, owner_id: str, subdomain: str) -> list[Account]:
        """Return all accounts of an owner or a subdomain."""

    def notice(self, events: tuple[Event, ...]) -> None:
        """Commit events that belong to no account."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What requests from the event bus need."""

    ports: Ports
    registry: Registry
    seal: Seal
    checks: Checks
    manager: Callable[[Actor, str], Manager]

    def handle(self, event: Mapping[str, Any]) -> str:
        """Do what an event asks for, and return what came of it: a word for the log.

        Raises:
            TryAgainError, StorageError: the event is to be delivered once more.
        """
        kind, detail = str(event.get("detail-type")), event.get("detail")
        detail = dict(detail) if isinstance(detail, dict) else {}
        request_id = str(detail.get("request_id") or event.get("id"))[:128]
        actor = Actor(kind="event", name=str(event.get("source"))[:128])
        try:
            match kind:
                case "Link Requested":
                    return self._link(detail, actor, request_id)
                case "Check Requested":
                    return self._check(detail, actor)
                case "Unlink Requested":
                    return self._unlink(detail, actor, request_id)
                case _:
                    raise Problem(Reason.INVALID_REQUEST, detail="This event is not known here.")
        except ConflictError as error:
            raise TryAgainError(str(error)) from error
        except Problem as problem:
            if problem.transient:
                raise TryAgainError(problem.code) from problem
            if kind == _LINK:
                self._reject(detail, request_id, problem)
            return f"refused: {problem.code}"

    def _link(self, detail: dict[str, Any], actor: Actor, request_id: str) -> str:
        if "token" in detail:
            raise Problem(Reason.INVALID_REQUEST, detail=HOW_TO_SEAL, field="token")
        fields = Fields(detail)
        fields.text("request_id", most=128)
        owner = Owner(fields.owner_id(), fields.text("owner_name", required=True))
        subdomain = parse_subdomain(fields.typed("subdomain"))
        sealed, until = fields.typed("sealed_token", most=8200), fields.text("expires_at", most=20)
        label, metadata = fields.text("label", most=100), fields.metadata() or {}
        fields.done()
        try:
            if until <= timestamp(self.ports.now()):
                raise SealBrokenError
            token = self.seal.unseal(
                sealed,
                owner_id=owner.id,
                subdomain=subdomain.label,
                request_id=request_id,
                expires_at=until,
            )
        except SealBrokenError:
            raise Problem(
                Reason.INVALID_REQUEST, detail=HOW_TO_SEAL, field="sealed_token"
            ) from None
        command = LinkCommand(
            credential=parse_credential(subdomain.label, token),
            permission=ByOwner(owner=owner, metadata=metadata),
            actor=actor,
            request_id=request_id,
            label=label,
            attempt_id=str(uuid.uuid5(_NAMESPACE, f"{owner.id}\0{subdomain}\0{request_id}")),
        )
        link(command, self.ports)
        return "linked"

    def _check(self, detail: dict[str, Any], actor: Actor) -> str:
        fields = Fields(detail)
        fields.text("request_id", most=128)
        account_id, owner_id = fields.text("account_id", most=40), fields.owner_id(required=False)
        subdomain = fields.typed("subdomain")
        fields.done()
        if account_id:
            found = self.registry.account(account_id)
            accounts = [found] if found else []
        elif owner_id or subdomain:
            label = parse_subdomain(subdomain).label if subdomain else ""
            accounts = self.registry.every(owner_id=owner_id, subdomain=label)
        else:
            raise Problem(Reason.INVALID_REQUEST, detail="Name an account, owner or subdomain.")
        for account in accounts:
            self.checks.put(account.id, asked_by=actor.name)
        return f"queued: {len(accounts)}"

    def _unlink(self, detail: dict[str, Any], actor: Actor, request_id: str) -> str:
        fields = Fields(detail)
        fields.text("request_id", most=128)
        account_id = fields.text("account_id", most=40, required=True)
        fields.done()
        account = self.registry.account(account_id)
        if account is None:
            raise Problem(Reason.NOT_FOUND)
        if account.status is Status.PENDING:
            raise Problem(Reason.CONFLICT)
        self.manager(actor, request_id).unlink(account)
        return "unlinked"

    def _reject(self, detail: Mapping[str, Any], request_id: str, problem: Problem) -> None:
        """Tell that a request came to nothing; the same for the same request come again."""
        now = timestamp(self.ports.now())
        owner = {"id": _shown(detail, "owner_id"), "name": _shown(detail, "owner_name")}
        event = Event(
            type="Link Rejected",
            event_id="evt_" + uuid.uuid5(_NAMESPACE, f"{owner['id']}\0{request_id}").hex,
            occurred_at=now,
            correlation_id=request_id,
            data={
                "account": {"owner": owner, "subdomain": _shown(detail, "subdomain")},
                "code": problem.code,
                "reason": problem.reason,
                "detail": problem.detail,
            },
        )
        # A plain token must not become a dead letter, so for once no event is better than a retry.
        with contextlib.suppress(*((StorageError,) if "token" in detail else ())):
            self.registry.notice((event,))


def _shown(detail: Mapping[str, Any], name: str) -> str:
    """Return what the sender said, where it can't be a token put into the wrong field."""
    value = detail.get(name)
    try:
        return str(Fields({name: value}).text(name, most=31))
    except Problem:
        return ""

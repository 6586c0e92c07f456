"""What callers see of the product's values: the JSON of the contract, never a token."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from namely_link.domain.values import Site

if TYPE_CHECKING:
    from namely_link.domain.account import Account, Deletion, Receipt
    from namely_link.domain.lifecycle import Event
    from namely_link.domain.sessions import ConnectSession, PortalSession

type Document = dict[str, Any]


def account(one: Account) -> Document:
    """Return the account as the API and the events show it; null where nothing is known."""
    learned, health, deletion = one.receipt, one.health, one.deletion
    return {
        "id": one.id,
        "owner": asdict(one.owner),
        "provider": "namely",
        "subdomain": one.subdomain,
        "site": asdict(learned.site if learned else Site("", "")),
        "identity": asdict(learned.identity) if learned else None,
        "visible_people": learned.visible_people if learned else None,
        "capabilities": learned.capabilities if learned else {},
        "warnings": list(learned.warnings) if learned else [],
        "status": one.status,
        "status_reasons": [asdict(reason) for reason in health.reasons],
        "secret": asdict(one.secret) if one.secret else None,
        "token_hint": one.token_hint or None,
        "token_expires_by": one.token_expires_by or None,
        "label": one.label or None,
        "metadata": one.metadata,
        "type": one.type,
        "created_at": one.created_at,
        "linked_at": one.linked_at or None,
        "checked_at": health.checked_at or None,
        "next_check_at": health.next_check_at or None,
        "recoverable_until": (deletion.recoverable_until if deletion else "") or None,
        "deletion": _deletion(deletion) if deletion and deletion.requested_at else None,
        "revision": one.revision,
    }


def _deletion(one: Deletion) -> Document:
    shown = {key: value or None for key, value in asdict(one).items()}
    del shown["recoverable_until"]  # of the account
    return shown


def event(one: Event, told_of: Account | None) -> Document:
    """Return the detail of an event; what it says of its own goes before what the account says."""
    return {
        "event_id": one.event_id,
        "version": "1",
        "occurred_at": one.occurred_at,
        "account": account(told_of) if told_of else None,
        "previous_status": one.previous_status or None,
        "correlation_id": one.correlation_id,
    } | dict(one.data)


def own_account(one: Account) -> Document:
    """Return what the person with a connect session sees: not where the secret is or was."""
    return account(one) | {"secret": None, "deletion": None, "metadata": {}}


def receipt(one: Receipt) -> Document:
    """Return what a dry run learned."""
    return {
        "site": asdict(one.site),
        "identity": asdict(one.identity),
        "visible_people": one.visible_people,
        "capabilities": one.capabilities,
        "warnings": list(one.warnings),
    }


def connect_session(one: ConnectSession) -> Document:
    """Return a session as its maker sees it; the bearer itself is shown only when it is made."""
    return {
        "id": one.id,
        "owner": asdict(one.owner),
        "state": one.state,
        "attempts_left": one.attempts_left,
        "account_id": (one.linked.account_id if one.linked else one.account_id) or None,
        "subdomain": one.subdomain or None,
        "label": one.label or None,
        "metadata": one.metadata,
        "type": one.type,
        "return_url": one.return_url or None,
        "locale": one.locale or None,
        "confirm": one.confirm,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


def portal_session(one: PortalSession) -> Document:
    """Return a portal session; its bearer is shown only when it is made."""
    return {
        "id": one.id,
        "rank": one.rank,
        "owner": asdict(one.owner) if one.owner else None,
        "locale": one.locale or None,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }

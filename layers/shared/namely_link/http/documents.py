"""What callers see of the product's values: the JSON of the contract, never a token."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from namely_link.domain.account import Account, ConnectSession, Deletion, PortalSession, Receipt

type Document = dict[str, Any]


def account(one: Account) -> Document:
    """Return the account as the API and the events show it; null where nothing is known."""
    return {
        "id": one.id,
        "owner": asdict(one.owner),
        "provider": "namely",
        "subdomain": one.subdomain,
        "site": asdict(one.site),
        "identity": asdict(one.identity) if one.identity else None,
        "visible_people": one.visible_people,
        "capabilities": one.capabilities,
        "warnings": list(one.warnings),
        "status": one.status,
        "status_reasons": [asdict(reason) for reason in one.status_reasons],
        "secret": asdict(one.secret) if one.secret else None,
        "token_hint": one.token_hint or None,
        "token_expires_by": one.token_expires_by or None,
        "label": one.label or None,
        "metadata": one.metadata,
        "type": one.type,
        "created_at": one.created_at,
        "linked_at": one.linked_at or None,
        "checked_at": one.checked_at or None,
        "next_check_at": one.next_check_at or None,
        "recoverable_until": one.recoverable_until or None,
        "deletion": _deletion(one.deletion) if one.deletion else None,
        "revision": one.revision,
    }


def _deletion(one: Deletion) -> Document:
    return {key: value or None for key, value in asdict(one).items()}


def own_account(one: Account) -> Document:
    """Return what the person with a connect session sees: not where the secret is."""
    return account(one) | {"secret": None, "metadata": {}}


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

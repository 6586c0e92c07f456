"""What callers see of the product's values: the JSON of the contract, never a token.

A shape is declared here and nowhere else, and what makes its document stands below it. `make
shapes` writes the OpenAPI document, the schemas of the events and their samples from the shapes:
the text below a class or a field is what they say of it.
"""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from namely_link.domain import account as accounts
from namely_link.domain import lifecycle, sessions
from namely_link.domain.account import AccountWarning, Status
from namely_link.domain.lifecycle import Action
from namely_link.domain.problems import Code, Reason
from namely_link.domain.values import AccountType, ActorKind, Capability
from namely_link.domain.values import Owner as OwnerValue
from namely_link.domain.values import Site as SiteValue

# Aliases are evaluated only by who asks: what follows costs a function nothing.

type Moment = Annotated[str, {"format": "date-time"}]
type Count = Annotated[int, {"minimum": 0}]
type Hint = Annotated[str, {"maxLength": 4}]
type Address = Annotated[str, {"format": "uri"}]
type ConnectBearer = Annotated[str, {"pattern": "^nls_[A-Za-z0-9_-]{43}$"}]
type PortalBearer = Annotated[str, {"pattern": "^nlp_[A-Za-z0-9_-]{43}$"}]
type CodeWord = Annotated[str, Code]
type ActionWord = Annotated[str, {"examples": [str(one) for one in Action]}]

type Capabilities = dict[str, Capability]
"""What the token sees. More names may come."""

type Metadata = dict[str, str]
"""Texts of your own by name."""


class Owner(TypedDict):
    """The customer on whose behalf an account is linked."""

    id: str
    name: str


class Site(TypedDict):
    """What the Namely site says of itself; empty where it did not."""

    name: str
    permalink: str


class Identity(TypedDict):
    """Whose token it is."""

    profile_id: str
    name: str
    user_status: str
    role: str
    """Empty where Namely did not say."""


class StatusReason(TypedDict):
    """Why the account is in its state, and since when.

    An outage at Namely changes no status; it only adds a reason.
    """

    code: CodeWord
    detail: str
    at: Moment


class Secret(TypedDict):
    """The version of the secret in AWS Secrets Manager that holds the token which was probed.

    Read it with both.
    """

    arn: str
    version_id: str


class Deletion(TypedDict):
    """The receipt of an unlinking.

    `scheduled_at` and `final_at` are null until Secrets Manager has confirmed.
    """

    requested_at: Moment
    requested_by: str
    """The name of the key, of who made the portal session, or the `source` of the event."""
    request_id: str
    secret_arn: str
    scheduled_at: Moment | None
    final_at: Moment | None
    """From then on nobody can recover the token."""


class Account(TypedDict):
    """A linked account: one owner and one Namely site. Never a token."""

    id: str
    owner: Owner
    provider: Literal["namely"]
    subdomain: str
    site: Site
    identity: Identity | None
    """Null until Namely has told whose token it is."""
    visible_people: Count | None
    """How many people the token sees; null where Namely did not say."""
    capabilities: Capabilities
    warnings: list[AccountWarning]
    status: Status
    status_reasons: list[StatusReason]
    secret: Secret | None
    """Null for a connect session, which is not told."""
    token_hint: Hint | None
    """The last four characters."""
    token_expires_by: Moment | None
    """Two years after it was linked, when Namely ends every token."""
    label: str | None
    """What you call the account."""
    metadata: Metadata
    """Empty for a connect session, which is not told."""
    type: AccountType
    created_at: Moment
    linked_at: Moment | None
    """When a token was stored and verified last."""
    checked_at: Moment | None
    next_check_at: Moment | None
    recoverable_until: Moment | None
    """Until when an unlinked account can be restored."""
    deletion: Deletion | None
    """Null unless it is unlinked, and for a connect session, which is not told."""
    revision: Count
    """Rises with each change that has an event."""


def account(one: accounts.Account) -> Account:
    """Return the account as the API and the events show it; null where nothing is known."""
    learned, health, deletion = one.receipt, one.health, one.deletion
    return {
        "id": one.id,
        "owner": _owner(one.owner),
        "provider": "namely",
        "subdomain": one.subdomain,
        "site": _site(learned.site if learned else SiteValue("", "")),
        "identity": _identity(learned) if learned else None,
        "visible_people": learned.visible_people if learned else None,
        "capabilities": learned.capabilities if learned else {},
        "warnings": list(learned.warnings) if learned else [],
        "status": one.status,
        "status_reasons": [_reason(reason) for reason in health.reasons],
        "secret": _secret(one),
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


def own_account(one: accounts.Account) -> Account:
    """Return what the person with a connect session sees: not where the secret is or was."""
    return {**account(one), "secret": None, "deletion": None, "metadata": {}}


def _owner(one: OwnerValue) -> Owner:
    return {"id": one.id, "name": one.name}


def _site(one: SiteValue) -> Site:
    return {"name": one.name, "permalink": one.permalink}


def _identity(one: accounts.Receipt) -> Identity:
    whose = one.identity
    return {
        "profile_id": whose.profile_id,
        "name": whose.name,
        "user_status": whose.user_status,
        "role": whose.role,
    }


def _reason(one: accounts.StatusReason) -> StatusReason:
    return {"code": one.code, "detail": one.detail, "at": one.at}


def _secret(one: accounts.Account) -> Secret | None:
    return {"arn": one.secret.arn, "version_id": one.secret.version_id} if one.secret else None


def _deletion(one: accounts.Deletion) -> Deletion:
    return {
        "requested_at": one.requested_at,
        "requested_by": one.requested_by,
        "request_id": one.request_id,
        "secret_arn": one.secret_arn,
        "scheduled_at": one.scheduled_at or None,
        "final_at": one.final_at or None,
    }


class Receipt(TypedDict):
    """What a token is and sees."""

    site: Site
    identity: Identity
    visible_people: Count | None
    """How many people the token sees; null where Namely did not say."""
    capabilities: Capabilities
    warnings: list[AccountWarning]


class DryRun(TypedDict):
    """The answer of a dry run; nothing was stored."""

    receipt: Receipt


def dry_run(one: accounts.Receipt) -> DryRun:
    """Return what a dry run learned."""
    return {
        "receipt": {
            "site": _site(one.site),
            "identity": _identity(one),
            "visible_people": one.visible_people,
            "capabilities": one.capabilities,
            "warnings": list(one.warnings),
        }
    }


class ConnectSession(TypedDict):
    """Permission to link one account for one owner."""

    id: str
    owner: Owner
    state: Literal["open", "used", "revoked"]
    attempts_left: Count
    account_id: str | None
    """The account that it linked, or is to link again."""
    subdomain: str | None
    label: str | None
    metadata: Metadata
    """Empty for the session itself, which is not told."""
    type: AccountType
    return_url: str | None
    locale: str | None
    confirm: bool
    created_at: Moment
    expires_at: Moment


class NewConnectSession(ConnectSession):
    """A connect session with its bearer and its link."""

    token: ConnectBearer
    """The bearer, shown this once."""
    url: Address
    """The Hub page; the bearer is in its fragment, which no server sees."""


def connect_session(one: sessions.ConnectSession) -> ConnectSession:
    """Return a session as its maker sees it; the bearer itself is shown only when it is made."""
    return {
        "id": one.id,
        "owner": _owner(one.owner),
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


def own_session(one: sessions.ConnectSession) -> ConnectSession:
    """Return what the person with the session sees of it."""
    return {**connect_session(one), "metadata": {}}


def new_connect_session(
    one: sessions.ConnectSession, *, token: str, pages: str
) -> NewConnectSession:
    """Return a session that was just made; `pages` is the address of the pages."""
    return {**connect_session(one), "token": token, "url": f"{pages}/hub#{token}"}


class PortalSession(TypedDict):
    """Permission to use the Accounts page, for one owner or all."""

    id: str
    rank: Literal["viewer", "operator"]
    owner: Owner | None
    """Null: all owners."""
    locale: str | None
    created_at: Moment
    expires_at: Moment


class NewPortalSession(PortalSession):
    """A portal session with its bearer and its link."""

    token: PortalBearer
    """The bearer, shown this once."""
    url: Address
    """The Accounts page; the bearer is in its fragment, which no server sees."""


def portal_session(one: sessions.PortalSession) -> PortalSession:
    """Return a portal session; its bearer is shown only when it is made."""
    return {
        "id": one.id,
        "rank": one.rank,
        "owner": _owner(one.owner) if one.owner else None,
        "locale": one.locale or None,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


def new_portal_session(one: sessions.PortalSession, *, token: str, pages: str) -> NewPortalSession:
    """Return a portal session that was just made; `pages` is the address of the pages."""
    return {**portal_session(one), "token": token, "url": f"{pages}/accounts#{token}"}


class Actor(TypedDict):
    """Who did it."""

    kind: ActorKind
    name: str


class LedgerEntry(TypedDict):
    """What happened to an account, and who did it."""

    at: Moment
    action: ActionWord
    """What was done; entries of other releases may have other words."""
    actor: Actor
    request_id: str
    """The `instance` of the request."""
    detail: str


def ledger_entry(one: lifecycle.LedgerEntry) -> LedgerEntry:
    """Return an entry of an account's ledger."""
    return {
        "at": one.at,
        "action": one.action,
        "actor": {"kind": one.actor.kind, "name": one.actor.name},
        "request_id": one.request_id,
        "detail": one.detail,
    }


# What events tell. One that has data of its own has a shape of its own, in the name of its type.


class _Told(TypedDict):
    event_id: str
    """Tells a repeated event."""
    version: Literal["1"]
    occurred_at: Moment
    previous_status: Status | None
    correlation_id: str
    """The id of the request."""


class AccountEvent(_Told):
    """What most events tell."""

    account: Account


class CapabilitiesChanged(AccountEvent):
    """With what the token sees now, and no longer."""

    gained: list[str]
    lost: list[str]


class TokenExpiring(AccountEvent):
    """With the days that are left at most."""

    days_left: Count


class Linking(TypedDict):
    """What was to be linked."""

    id: NotRequired[str]
    """Of a parked link."""
    owner: Owner
    subdomain: str


class LinkRejected(_Told):
    """With what is wrong, as a problem of the API says it."""

    account: Linking
    code: Code
    reason: Reason
    detail: str


class Named(TypedDict):
    """The account that was named; empty where that can't be repeated."""

    id: str


class RequestRefused(_Told):
    """With what was asked for, and what is wrong, as a problem of the API says it."""

    request: str
    """The detail-type of the event that asked."""
    account: Named
    code: Code
    reason: Reason
    detail: str


def event(one: lifecycle.Event, told_of: accounts.Account | None) -> dict[str, Any]:
    """Return the detail of an event; what it says of its own goes before what the account says."""
    return {
        "event_id": one.event_id,
        "version": "1",
        "occurred_at": one.occurred_at,
        "account": account(told_of) if told_of else None,
        "previous_status": one.previous_status or None,
        "correlation_id": one.correlation_id,
    } | dict(one.data)

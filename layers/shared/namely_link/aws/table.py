"""DynamoDB: the one table, its items as values, and the exceptions of botocore as ours.

The codec is tolerant: a row of an earlier release lacks fields and gets their defaults, one of a
later release has more, which are kept when the row is written. A row that can't be understood at
all raises `UnreadableError`, so that it stops nothing else.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from namely_link.aws.faults import FAULTS, code_of, storage_error
from namely_link.domain.account import (
    Account,
    AccountWarning,
    Attempt,
    Deletion,
    Health,
    Parking,
    Receipt,
    Status,
    StatusReason,
    Tombstone,
    Unsettled,
)
from namely_link.domain.lifecycle import LEASE, TOKEN_LIFETIME, Event, LedgerEntry, due_at
from namely_link.domain.problems import ConflictError, StorageError, UnreadableError
from namely_link.domain.sessions import ApiKey, ConnectSession, Linked, PortalSession
from namely_link.domain.values import (
    Actor,
    ActorKind,
    Identity,
    Owner,
    SecretVersion,
    Site,
    moment,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from namely_link.commands.ports import Done
    from namely_link.domain.values import Capability

type Item = dict[str, Any]
"""An item as botocore has it."""
type Values = dict[str, Any]
"""An item as plain values."""

SHARDS: Final = 8
"""Partitions of the index of what is due."""

_CAPABILITIES: Final = (
    *("own_profile", "profiles", "other_profiles"),
    *("work_fields", "personal_fields", "salary", "ssn"),
)
"""What `sees` says of a token by a letter each, in this order for good: rows are read by it. What
has others, of another release, says them by name in `capabilities`."""
_LETTERS: Final[dict[str, Capability]] = {"y": "yes", "n": "no", "u": "unknown"}

_UNDONE: Final = "undone"
"""The status of a tombstone's row."""
_TOMBSTONE_KEPT: Final = timedelta(days=30)

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def item(values: Mapping[str, Any]) -> Item:
    """Return values as an item, without those that are None."""
    return {key: _serialize(value) for key, value in values.items() if value is not None}


def values(stored: Mapping[str, Any]) -> Values:
    """Return an item as plain values."""
    return {key: _plain(_deserialize(value)) for key, value in stored.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever DynamoDB's types become
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case Decimal():
            return int(value)
        case _:
            return value  # binary and sets are of another release


def _made[T](kind: type[T], stored: Mapping[str, Any] | None) -> T | None:
    """Return a value of what is stored of it, without what only another release knows."""
    if not stored:
        return None
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    return kind(**{key: value for key, value in stored.items() if key in known})


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Let what can't be understood be one kind of error, without the cause: that quotes the row."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{what} can't be read: {type(error).__name__}"
        raise UnreadableError(msg) from None


# Accounts


def account_key(account_id: str) -> Item:
    """Return the key of an account's row."""
    return item({"pk": f"ACCOUNT#{account_id}", "sk": "ACCOUNT"})


def pair_key(owner_id: str, subdomain: str, sk: str = "PAIR") -> Item:
    """Return the key of an owner and a site: who holds it, or (`SEEN`) when it was let go."""
    return item({"pk": f"PAIR#{owner_id}#{subdomain}", "sk": sk})


def row_of(stored: Item) -> Account | Tombstone:
    """Return what an account's row says.

    Raises:
        UnreadableError: it can't be understood.
    """
    with readable("an account's row"):
        found = values(stored)
        return _tombstone(found, stored) if found["status"] == _UNDONE else _account(found, stored)


def _tombstone(found: Values, stored: Item) -> Tombstone:
    return Tombstone(
        id=found["id"],
        secret_name=found["secret_name"],
        look_at=found.get("due_at", ""),
        until=found["until"],
        fence=found.get("fence", 0),
        stored=stored,
    )


def _account(found: Values, stored: Item) -> Account:
    same = {
        key: found[key]
        for key in (
            *("id", "subdomain", "secret_name", "created_at", "revision", "fence", "type"),
            *("token_hint", "label", "metadata", "linked_at"),
        )
        if key in found
    }
    return Account(
        **same,
        owner=Owner(found["owner_id"], found["owner_name"]),
        status=Status(found["status"]),
        receipt=_receipt(found),
        health=_health(found),
        secret=_made(SecretVersion, found.get("secret")),
        token_expires_by=found.get("token_expires_by") or _expires_by(found.get("linked_at", "")),
        changed_at=found.get("changed_at") or found.get("linked_at", ""),
        parking=_parking(found),
        deletion=_deletion(found),
        attempt=_attempt(found.get("attempt")),
        unsettled=_unsettled(found),
        stored=stored,
    )


def _expires_by(linked_at: str) -> str:
    return timestamp(moment(linked_at) + TOKEN_LIFETIME) if linked_at else ""


def _receipt(found: Values) -> Receipt | None:
    identity = _made(Identity, found.get("identity"))
    if identity is None:
        return None
    return Receipt(
        site=_made(Site, found.get("site")) or Site("", ""),
        identity=identity,
        visible_people=found.get("visible_people"),
        capabilities=found.get("capabilities") or _named(found.get("sees", "")),
        warnings=tuple(AccountWarning(one) for one in found.get("warnings", [])),
    )


def _named(sees: str) -> dict[str, Capability]:
    return {name: _LETTERS[one] for name, one in zip(_CAPABILITIES, sees, strict=False)}


def _lettered(capabilities: Mapping[str, Capability]) -> str:
    """Return what a token sees by letters, '' where they can't say it."""
    letters: dict[str, str] = {answer: letter for letter, answer in _LETTERS.items()}
    said = "".join(letters.get(capabilities.get(name, ""), "") for name in _CAPABILITIES)
    return said if len(said) == len(capabilities) == len(_CAPABILITIES) else ""


def _health(found: Values) -> Health:
    reasons = [_made(StatusReason, one) for one in found.get("status_reasons", [])]
    return Health(
        reasons=tuple(one for one in reasons if one),
        checked_at=found.get("checked_at", ""),
        next_check_at=found.get("next_check_at", ""),
        queued_until=found.get("queued_until", ""),
        refused_since=found.get("refused_at", ""),
        undetermined=found.get("failures", 0),
        expiry_told=found.get("expiry_told", 0),
    )


def _parking(found: Values) -> Parking | None:
    """Return until when it waits; a link that an earlier release has rejected waits no more."""
    until = found.get("parked_until", "")
    return Parking(until) if until and not found.get("undo_reason") else None


def _deletion(found: Values) -> Deletion | None:
    until = found.get("recoverable_until", "")
    stored = found.get("deletion") or {}
    return _made(Deletion, stored | {"recoverable_until": until}) if stored or until else None


def _attempt(stored: Values | None) -> Attempt | None:
    if not stored:
        return None
    ended = stored["at"] if stored.get("released") else timestamp(moment(stored["at"]) + LEASE)
    return _made(Attempt, {"until": ended} | stored)


def _unsettled(found: Values) -> Unsettled | None:
    if stored := found.get("unsettled"):
        return _made(Unsettled, stored | {"strays": tuple(stored.get("strays", ()))})
    since = found.get("linked_at") or found["created_at"]
    return Unsettled(since, since) if found.get("unpromoted") else None


def written(state: Account | Tombstone, events: tuple[Event, ...] = ()) -> Item:
    """Return a row with the next number of its fence, its events, and what other releases know."""
    told = [asdict(event) | {"data": dict(event.data)} for event in events]
    fresh = _values_of(state) | {"fence": state.fence + 1, "outbox": told or None}
    stored: Any = state.stored
    return _kept(stored, fresh, _values_of(row_of(stored))) if stored else item(fresh)


def _kept(stored: Item, fresh: Values, same: Values) -> Item:
    """Add what only other releases know: whole fields, and within those that stay as they are.

    `fresh` is what is written, `same` what would be if nothing had changed.
    """
    new, before = item(fresh), item(same)
    nested = {
        key: stored[key]
        for key, value in new.items()
        if ("M" in value or "L" in value) and key in stored and before.get(key) == value
    }
    return {key: value for key, value in stored.items() if key not in fresh} | new | nested


def _values_of(state: Account | Tombstone) -> Values:
    return _tombstone_values(state) if isinstance(state, Tombstone) else _account_values(state)


def _account_values(account: Account) -> Values:
    """Return the fields of a row; one that equals what is read where it is absent is None.

    DynamoDB charges each write of a row once for the table and once for each index, by the KiB.
    """
    receipt, health, deletion = account.receipt, account.health, account.deletion
    due, gone = due_at(account), asdict(deletion) if deletion else {}
    sees = _lettered(receipt.capabilities) if receipt else ""
    always = {
        "pk": f"ACCOUNT#{account.id}",
        "sk": "ACCOUNT",
        "listing": "account",
        "id": account.id,
        "owner_id": account.owner.id,
        "owner_name": account.owner.name,
        "subdomain": account.subdomain,
        "status": account.status,
        "secret_name": account.secret_name,
        "created_at": account.created_at,
        "visible_people": receipt.visible_people if receipt else None,  # none at all is an answer
    }
    expires_by, changed_at = account.token_expires_by, account.changed_at
    unless_empty = {
        "revision": account.revision,
        "type": account.type if account.type != "production" else "",
        "site": asdict(receipt.site) if receipt else {},
        "identity": asdict(receipt.identity) if receipt else {},
        "sees": sees,
        "capabilities": receipt.capabilities if receipt and not sees else {},
        "warnings": list(receipt.warnings) if receipt else [],
        "status_reasons": [asdict(one) for one in health.reasons],
        "checked_at": health.checked_at,
        "next_check_at": health.next_check_at,
        "queued_until": health.queued_until,
        "refused_at": health.refused_since,
        "failures": health.undetermined,
        "expiry_told": health.expiry_told,
        "secret": asdict(account.secret) if account.secret else {},
        "token_hint": account.token_hint,
        "token_expires_by": expires_by if expires_by != _expires_by(account.linked_at) else "",
        "label": account.label,
        "metadata": account.metadata,
        "linked_at": account.linked_at,
        "changed_at": changed_at if changed_at != account.linked_at else "",
        "parked_until": account.parking.until if account.parking else "",
        "undo_reason": "",
        "recoverable_until": gone.pop("recoverable_until", ""),
        "deletion": gone if any(gone.values()) else {},
        "attempt": asdict(account.attempt) if account.attempt else {},
        "unsettled": asdict(account.unsettled) if account.unsettled else {},
        "unpromoted": account.unsettled is not None,
        "due_shard": _shard(account.id) if due else "",
        "due_at": due,
        "outbox": [],
    }
    return always | {key: value or None for key, value in unless_empty.items()}


def _tombstone_values(tombstone: Tombstone) -> Values:
    look_at = tombstone.look_at
    return {
        "pk": f"ACCOUNT#{tombstone.id}",
        "sk": "ACCOUNT",
        "id": tombstone.id,
        "status": _UNDONE,
        "secret_name": tombstone.secret_name,
        "until": tombstone.until,
        "due_shard": _shard(tombstone.id) if look_at else None,
        "due_at": look_at or None,
        "ttl": int((moment(tombstone.until) + _TOMBSTONE_KEPT).timestamp()),
    }


def _shard(account_id: str) -> str:
    return str(zlib.crc32(account_id.encode()) % SHARDS)


# The ledger and the outbox


def entry_item(account_id: str, entry: LedgerEntry, entry_id: str) -> Item:
    """Return an entry of an account's ledger."""
    return item({"pk": f"ACCOUNT#{account_id}", "sk": f"LEDGER#{entry_id}"} | asdict(entry))


def entry_of(stored: Item) -> LedgerEntry:
    """Return what an entry of the ledger says.

    Raises:
        UnreadableError: it can't be understood.
    """
    with readable("an entry of the ledger"):
        found = values(stored)
        said = found["actor"]
        actor = Actor(kind=ActorKind(said["kind"]), name=said["name"])
        return _there(_made(LedgerEntry, found | {"actor": actor}))


def done_item(done: Done) -> Item:
    """Return what remembers that a request was done."""
    keys = {"pk": f"REQUEST#{done.key}", "sk": "REQUEST", "ttl": int(done.until.timestamp())}
    return item(keys)


def done_key(key: str) -> Item:
    """Return the key of what remembers that a request was done."""
    return item({"pk": f"REQUEST#{key}", "sk": "REQUEST"})


# Sessions and keys


def session_item(session: ConnectSession) -> Item:
    """Return a connect session's item; it goes a day after it expires, so late comers learn why."""
    fresh = _session_values(session) | {"fence": session.fence + 1}
    stored: Any = session.stored
    return _kept(stored, fresh, _session_values(session_of(stored))) if stored else item(fresh)


def _session_values(session: ConnectSession) -> Values:
    known = asdict(replace(session, stored=None))
    del known["stored"]
    # `subdomain` is the key of an index that holds accounts only.
    known["prefill"] = known.pop("subdomain")
    return known | {
        "pk": f"SESSION#{session.id}",
        "sk": "SESSION",
        "ttl": _ttl(session.expires_at),
    }


def session_of(stored: Item) -> ConnectSession:
    """Return what a connect session's item says.

    Raises:
        UnreadableError: it can't be understood.
    """
    with readable("a connect session"):
        found = values(stored)
        nested = {
            "subdomain": found.get("prefill", ""),
            "owner": _there(_made(Owner, found["owner"])),
            "linked": _made(Linked, found.get("linked")),
            "stored": stored,
        }
        return _there(_made(ConnectSession, found | nested))


def portal_item(portal: PortalSession) -> Item:
    """Return a portal session's item; it goes a day after it expires."""
    keys = {"pk": f"PORTAL#{portal.id}", "sk": "PORTAL", "ttl": _ttl(portal.expires_at)}
    return item(asdict(portal) | keys)


def portal_of(stored: Item) -> PortalSession:
    """Return what a portal session's item says.

    Raises:
        UnreadableError: it can't be understood.
    """
    with readable("a portal session"):
        found = values(stored)
        # Without an owner it is for all of them, so one that says nothing is none of these.
        owner = _there(_made(Owner, found["owner"])) if "owner" in found else None
        return _there(_made(PortalSession, found | {"owner": owner}))


def key_item(key: ApiKey) -> Item:
    """Return an API key's item."""
    keys = {"pk": f"KEY#{key.id}", "sk": "KEY", "scopes": list(key.scopes)}
    return item(asdict(key) | keys)


def key_of(stored: Item) -> ApiKey:
    """Return what an API key's item says.

    Raises:
        UnreadableError: it can't be understood.
    """
    with readable("an API key"):
        found = values(stored)
        return _there(_made(ApiKey, found | {"scopes": tuple(found["scopes"])}))


def _ttl(expires_at: str) -> int:
    return int((moment(expires_at) + timedelta(days=1)).timestamp())


def _there[T](made: T | None) -> T:
    if made is None:
        msg = "an item without a field"
        raise ValueError(msg)
    return made


# Calls

_MOST_KEYS: Final = 100
"""How many items DynamoDB reads in a call."""


class ConditionError(Exception):
    """A condition of a write did not hold; `found` is what it was refused for, where told."""

    def __init__(self, operation: str, found: Item | None) -> None:
        super().__init__(operation)
        self.found = found


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Let no exception of botocore past the adapter.

    A cancelled transaction is a failed condition if one of its reasons says so. Any other one is a
    fault of AWS, also where another transaction was at the same item: neither may have written it.
    """
    try:
        yield
    except FAULTS as error:
        said: Any = error.response if isinstance(error, ClientError) else {}
        reasons = {one.get("Code") for one in said.get("CancellationReasons", [])}
        failed = code_of(error) == "ConditionalCheckFailedException"
        if failed or "ConditionalCheckFailed" in reasons:
            raise ConditionError(operation, said.get("Item")) from None
        raise storage_error(operation, error) from None


@dataclass(frozen=True, kw_only=True)
class Table:
    """The one table, with what all of its users need."""

    client: DynamoDBClient
    name: str

    def get(self, key: Item) -> Item | None:
        """Read an item, consistently.

        Raises:
            StorageError: DynamoDB failed.
        """
        with translated("GetItem"):
            return self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get(
                "Item"
            )

    def get_many(self, keys: list[Item]) -> list[Item]:
        """Read items, consistently and in no order; those that are not there are left out.

        Raises:
            StorageError: DynamoDB failed, or left all that was asked for to a later call.
        """
        found: list[Item] = []
        left = keys
        while left:
            asked, left = left[:_MOST_KEYS], left[_MOST_KEYS:]
            with translated("BatchGetItem"):
                answer: Any = self.client.batch_get_item(
                    RequestItems={self.name: {"Keys": asked, "ConsistentRead": True}}
                )
            found += answer.get("Responses", {}).get(self.name, [])
            # What was too much for one answer, or met a throttled partition.
            later = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if len(later) == len(asked):
                msg = "BatchGetItem: UnprocessedKeys"
                raise StorageError(msg)
            left = later + left
        return found

    def query(self, query: dict[str, Any]) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        """Return the answer to a query.

        Raises:
            StorageError: DynamoDB failed.
        """
        with translated("Query"):
            return self.client.query(**query)

    def write(self, writes: list[Any]) -> None:
        """Write all or nothing.

        An answer may be lost after the effect: then the first item tells of it, or, where botocore
        has tried again, the one that the condition was refused for. (A transaction that is tried
        again has an idempotency token.)

        Raises:
            ConflictError: a condition does not hold.
            StorageError: all may still be written.
        """
        try:
            match writes:
                case [{"Put": put}]:
                    self._put(put)
                case _:
                    with translated("TransactWriteItems"):
                        self.client.transact_write_items(TransactItems=writes)
        except ConditionError as error:
            msg = "another write was faster"
            raise ConflictError(msg) from error
        except StorageError:
            if not self._took_effect(writes[0]):
                raise

    def _put(self, put: Any) -> None:  # noqa: ANN401 - a TypedDict of stubs
        try:
            with translated("PutItem"):
                self.client.put_item(**put, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except ConditionError as error:
            if error.found != put["Item"]:
                raise

    def _took_effect(self, write: Any) -> bool:  # noqa: ANN401 - a TypedDict of stubs
        """Whether an item is what a write makes of it."""
        new = write["Put"]["Item"] if "Put" in write else None
        key = write["Delete"]["Key"] if new is None else {"pk": new["pk"], "sk": new["sk"]}
        return self.get(key) == new

    def putting(self, new: Item, condition: Item) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        """Return the part of a transaction that writes an item."""
        return {"Put": {"TableName": self.name, "Item": new} | condition}

    def deleting(self, key: Item, condition: Item) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        """Return the part of a transaction that deletes an item."""
        return {"Delete": {"TableName": self.name, "Key": key} | condition}


ABSENT: Final[Item] = {"ConditionExpression": "attribute_not_exists(pk)"}


def unless_written(fence: int) -> Item:
    """Return the condition that nobody has written a row since it was read: the one fence.

    A row of a release that had no fence has no number; one that was deleted has no key.
    """
    if not fence:
        return {"ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(fence)"}
    return {
        "ConditionExpression": "fence = :fence",
        "ExpressionAttributeValues": item({":fence": fence}),
    }

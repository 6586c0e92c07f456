"""DynamoDB: the only module that knows it. One table; the account's row is the commit point.

Items: `ACCOUNT#id / ACCOUNT`, `ACCOUNT#id / LEDGER#ulid`, `PAIR#owner#subdomain / PAIR` (at most
one account that is not unlinked), `SESSION#id / SESSION` and `OWNER#owner#hour / ATTEMPTS`. The
outbox is an attribute of the account's row: DynamoDB streams keep the order of changes to one item,
so events keep it too.
"""

from __future__ import annotations

import math
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from namely_link.domain.account import (
    LEASE,
    Account,
    AccountWarning,
    Actor,
    ApiKey,
    Attempt,
    ConnectSession,
    Deletion,
    Due,
    Event,
    Identity,
    LedgerEntry,
    Linked,
    Owner,
    PortalSession,
    SecretVersion,
    Site,
    Status,
    StatusReason,
    moment,
    new_id,
    timestamp,
)
from namely_link.domain.problems import ConflictError, Problem, Reason, StorageError
from namely_link.http import documents as views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient


_MOST_QUERIES: Final = 20
"""A page with a filter that few match ends short, with a cursor, rather than late."""

SHARDS: Final = 8
"""Partitions of the index of what is due."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def _item(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _serialize(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever DynamoDB's types become
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case bool() | str() | None:
            return value
        case _:
            return int(value)


def _values(item: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(_deserialize(value)) for key, value in item.items()}


def _key(pk: str, sk: str) -> dict[str, Any]:
    return _item({"pk": pk, "sk": sk})


def _account_key(account_id: str) -> dict[str, Any]:
    return _key(f"ACCOUNT#{account_id}", "ACCOUNT")


def _pair_key(account: Account) -> dict[str, Any]:
    return _key(f"PAIR#{account.owner.id}#{account.subdomain}", "PAIR")


def _session_key(session_id: str) -> dict[str, Any]:
    return _key(f"SESSION#{session_id}", "SESSION")


def _shard(account: Account) -> str:
    return str(zlib.crc32(account.id.encode()) % SHARDS)


def _row(account: Account, *, due_at: str | None) -> dict[str, Any]:
    values = asdict(account)
    owner = values.pop("owner")
    return _item(
        values
        | {
            "pk": f"ACCOUNT#{account.id}",
            "sk": "ACCOUNT",
            "listing": "account",
            "owner_id": owner["id"],
            "owner_name": owner["name"],
            "warnings": list(values["warnings"]),
            "status_reasons": list(values["status_reasons"]),
            "due_shard": _shard(account) if due_at else None,
            "due_at": due_at,
        }
    )


def _outbox(events: tuple[Event, ...]) -> dict[str, Any]:
    return _item({"outbox": [asdict(event) for event in events]}) if events else {}


def _account(item: dict[str, Any]) -> Account:
    values = _values(item)
    identity, secret, attempt, deletion = (
        values.get(key) for key in ("identity", "secret", "attempt", "deletion")
    )
    same = {
        key: values[key]
        for key in (
            *("id", "subdomain", "secret_name", "created_at", "revision", "type", "capabilities"),
            *("token_hint", "token_expires_by", "label", "metadata", "linked_at", "checked_at"),
            *("next_check_at", "recoverable_until", "unpromoted", "parked_until"),
            *("undo_reason", "refused_at", "failures", "expiry_told"),
        )
    }
    return Account(
        **same,
        owner=Owner(values["owner_id"], values["owner_name"]),
        status=Status(values["status"]),
        site=Site(**values["site"]),
        identity=Identity(**identity) if identity else None,
        visible_people=values.get("visible_people"),
        warnings=tuple(AccountWarning(one) for one in values["warnings"]),
        status_reasons=tuple(StatusReason(**one) for one in values["status_reasons"]),
        secret=SecretVersion(**secret) if secret else None,
        deletion=Deletion(**deletion) if deletion else None,
        attempt=Attempt(**attempt) if attempt else None,
    )


def published(record: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the events (type, detail) of a stream record, those that the old image had not.

    `record` is the `dynamodb` part of a record of a stream with both images.
    """
    new, old = record.get("NewImage"), record.get("OldImage")
    if not new or "outbox" not in new:
        return []
    before = _values(old).get("outbox", []) if old else []
    told = {event["event_id"] for event in before}
    account = views.account(_account(new)) if "owner_id" in new else None
    return [
        (
            event["type"],
            {
                "event_id": event["event_id"],
                "version": "1",
                "occurred_at": event["occurred_at"],
                "account": account,
                "previous_status": event["previous_status"] or None,
                "correlation_id": event["correlation_id"],
            }
            | event["data"],
        )
        for event in _values(new)["outbox"]
        if event["event_id"] not in told
    ]


def _session(item: dict[str, Any]) -> ConnectSession:
    values = _values(item)
    for key in ("pk", "sk", "ttl"):
        del values[key]
    prefill = values.pop("prefill")
    owner, linked = Owner(**values.pop("owner")), values.pop("linked", None)
    return ConnectSession(
        **values,
        subdomain=prefill,
        owner=owner,
        linked=Linked(**linked) if linked else None,
    )


def _entry(item: dict[str, Any]) -> LedgerEntry:
    values = _values(item)
    return LedgerEntry(
        at=values["at"],
        action=values["action"],
        actor=Actor(**values["actor"]),
        request_id=values["request_id"],
        detail=values["detail"],
    )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which accounts to list."""

    limit: int = 50
    cursor: str = ""
    owner_id: str = ""
    status: str = ""
    subdomain: str = ""

    def index(self) -> tuple[str, str, str]:
        """Return the narrowest index, its key and the key's value."""
        if self.owner_id:
            return "by_owner", "owner_id", self.owner_id
        if self.subdomain:
            return "by_subdomain", "subdomain", self.subdomain
        return "all_accounts", "listing", "account"


class _ConditionError(Exception):
    """A condition of the write did not hold."""


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    """Let no exception of botocore past this module.

    A cancelled transaction is a failed condition unless one of its reasons says otherwise.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        reasons = {one.get("Code") for one in error.response.get("CancellationReasons", [])}
        if code == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in reasons:
            raise _ConditionError(operation) from error
        msg = f"{operation}: {code}"
        raise StorageError(msg) from error
    except BotoCoreError as error:
        msg = f"{operation}: {type(error).__name__}"
        raise StorageError(msg) from error


@dataclass(frozen=True, kw_only=True)
class DynamoDbRegistry:
    """Reads and writes the one table."""

    client: DynamoDBClient
    table: str

    def create_session(self, session: ConnectSession) -> None:
        """Keep a session until a day after it expires, so that late comers learn why."""
        values = asdict(session)
        # `subdomain` is the key of an index that holds accounts only.
        values["prefill"] = values.pop("subdomain")
        ttl = int((moment(session.expires_at) + timedelta(days=1)).timestamp())
        keys = {"pk": f"SESSION#{session.id}", "sk": "SESSION", "ttl": ttl}
        with _translated("PutItem"):
            self.client.put_item(TableName=self.table, Item=_item(values | keys))

    def session(self, session_id: str) -> ConnectSession | None:
        """Read a session, consistently."""
        item = self._get(_session_key(session_id))
        return _session(item) if item else None

    def claim(self, session_id: str, *, now: datetime) -> ConnectSession:
        """Take one attempt of an open session; return a used one as it is.

        Raises:
            Problem: unauthorized, session_expired, session_used (revoked), attempts_exhausted.
            StorageError: an attempt may have been taken.
        """
        try:
            with _translated("UpdateItem"):
                answer = self.client.update_item(
                    TableName=self.table,
                    Key=_session_key(session_id),
                    UpdateExpression="SET attempts_left = attempts_left - :one",
                    ConditionExpression=(
                        "#s = :open AND attempts_left > :zero AND expires_at > :now"
                    ),
                    ExpressionAttributeNames={"#s": "state"},
                    ExpressionAttributeValues=_item(
                        {":one": 1, ":zero": 0, ":open": "open", ":now": timestamp(now)}
                    ),
                    ReturnValues="ALL_NEW",
                )
        except _ConditionError:
            return _refused_session(self.session(session_id), now)
        return _session(answer["Attributes"])

    def count_attempt(self, owner_id: str, *, now: datetime, most: int) -> None:
        """Count an attempt to link for an owner in this hour, at most so many.

        Raises:
            Problem: attempts_exhausted until the next hour.
            StorageError: it may have been counted.
        """
        hour = now.replace(minute=0, second=0, microsecond=0)
        over = hour + timedelta(hours=1)
        try:
            with _translated("UpdateItem"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_key(f"OWNER#{owner_id}#{timestamp(hour)}", "ATTEMPTS"),
                    UpdateExpression="ADD attempts :one SET #ttl = :ttl",
                    ConditionExpression="attribute_not_exists(pk) OR attempts < :most",
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues=_item(
                        {":one": 1, ":most": most, ":ttl": int(over.timestamp())}
                    ),
                )
        except _ConditionError as error:
            wait = math.ceil((over - now).total_seconds())
            raise Problem(Reason.OWNER_ATTEMPTS_EXHAUSTED, retry_after=wait) from error

    def account(self, account_id: str) -> Account | None:
        """Read an account, consistently."""
        item = self._get(_account_key(account_id))
        return _account(item) if item else None

    def begin(self, account: Account, *, attempt: Attempt, now: datetime) -> Account:
        """Write the pending row of a new pair, or start an attempt on the account it has.

        Raises:
            Problem: conflict, where another attempt may still write.
            StorageError: the row may have been written.
        """
        pending = replace(account, attempt=attempt)
        pair = _pair_key(account)
        found = self._get(pair)
        if found is None:
            try:
                with _translated("TransactWriteItems"):
                    self.client.transact_write_items(
                        TransactItems=[
                            self._put(
                                pair | _item({"account_id": account.id}), "attribute_not_exists(pk)"
                            ),
                            self._put(
                                _row(pending, due_at=timestamp(now + LEASE)),
                                "attribute_not_exists(pk)",
                            ),
                        ]
                    )
            except _ConditionError as error:
                raise Problem(Reason.CONFLICT, retry_after=2) from error
            return pending
        existing = self.account(_values(found)["account_id"])
        if existing is None:
            msg = "a pair names no account"
            raise StorageError(msg)
        if existing.status is Status.UNLINKED or existing.subdomain != account.subdomain:
            # It has left the pair since the pair was read.
            raise Problem(Reason.CONFLICT, retry_after=2)
        return self._begin_on(existing, attempt=attempt, now=now)

    def begin_again(
        self, account: Account, *, attempt: Attempt, subdomain: str, now: datetime
    ) -> Account:
        """Start an attempt on this very account as it was read, to link it at a site.

        Raises:
            Problem: conflict, where it has changed, another attempt may still write, or the owner
                has another account at that site.
            StorageError: the attempt may have started.
        """
        if subdomain != account.subdomain:
            found = self._get(_pair_key(replace(account, subdomain=subdomain)))
            if found and _values(found)["account_id"] != account.id:
                raise Problem(
                    Reason.CONFLICT, detail="Another account of this owner is linked to that site."
                )
        return self._begin_on(account, attempt=attempt, now=now)

    def _begin_on(self, account: Account, *, attempt: Attempt, now: datetime) -> Account:
        running = account.attempt and not account.attempt.over(now)
        if running or not self.take(account, attempt=attempt, now=now):
            raise Problem(Reason.CONFLICT, retry_after=2)
        untidy = account.unpromoted or account.attempt is not None
        return replace(account, attempt=attempt, unpromoted=untidy)

    def abandon(self, account: Account, *, attempt_id: str, secret_written: bool) -> None:
        """End an attempt that will not commit; another attempt that has taken over is left alone.

        A pending row goes with its pair, unless a secret may hang on it: then it is released, for
        the next attempt to adopt. A linked account serves on as before; the version that may have
        been written to its secret is left to the sweep.

        Raises:
            StorageError: the attempt is over once its lease is.
        """
        mine = _item({":mine": attempt_id})
        key = _account_key(account.id)
        try:
            if account.revision:
                untidy = secret_written or account.unpromoted
                soon = account.attempt.at if untidy and account.attempt else account.next_check_at
                with _translated("UpdateItem"):
                    self.client.update_item(
                        TableName=self.table,
                        Key=key,
                        UpdateExpression="SET due_at = :due, unpromoted = :untidy REMOVE attempt",
                        ConditionExpression="attempt.id = :mine",
                        ExpressionAttributeValues=mine | _item({":due": soon, ":untidy": untidy}),
                    )
            elif secret_written:
                with _translated("UpdateItem"):
                    self.client.update_item(
                        TableName=self.table,
                        Key=key,
                        UpdateExpression="SET attempt.released = :yes",
                        ConditionExpression="attempt.id = :mine",
                        ExpressionAttributeValues=mine | _item({":yes": True}),
                    )
            else:
                with _translated("TransactWriteItems"):
                    self.client.transact_write_items(
                        TransactItems=[
                            {
                                "Delete": {
                                    "TableName": self.table,
                                    "Key": key,
                                    "ConditionExpression": "attempt.id = :mine",
                                    "ExpressionAttributeValues": mine,
                                }
                            },
                            {"Delete": {"TableName": self.table, "Key": _pair_key(account)}},
                        ]
                    )
        except _ConditionError:
            return

    def commit(
        self,
        account: Account,
        *,
        attempt_id: str,
        previous: Account,
        session_id: str,
        linked: Linked | None,
        events: tuple[Event, ...],
        entry: LedgerEntry,
        due_at: str,
    ) -> Account:
        """Commit a link in one transaction and return the account as it now stands.

        An account that was at another site (`previous`) leaves that pair and takes the new one,
        unless another account has it.

        Raises:
            ConflictError: another attempt was faster, the session was used meanwhile, or the pair
                is another account's.
            StorageError: the transaction may have taken effect; read the account to know.
        """
        done = replace(account, attempt=None, revision=account.revision + 1)
        mine = {
            "ConditionExpression": "attempt.id = :mine AND revision = :revision",
            "ExpressionAttributeValues": _item(
                {":mine": attempt_id, ":revision": account.revision}
            ),
        }
        items = self._commit_items(done, mine, events, entry, due_at=due_at)
        old = {
            "TableName": self.table,
            "Key": _pair_key(previous),
            "ConditionExpression": "account_id = :id",
            "ExpressionAttributeValues": _item({":id": account.id}),
        }
        if account.subdomain == previous.subdomain:
            items.append({"ConditionCheck": old})
        else:
            items += [{"Delete": old}, self._hold_pair(account)]
        if linked:
            items.append(
                {
                    "Update": {
                        "TableName": self.table,
                        "Key": _session_key(session_id),
                        "UpdateExpression": "SET #s = :used, linked = :linked",
                        "ConditionExpression": "#s = :open",
                        "ExpressionAttributeNames": {"#s": "state"},
                        "ExpressionAttributeValues": _item(
                            {":used": "used", ":open": "open", ":linked": asdict(linked)}
                        ),
                    }
                }
            )
        self._transact(items)
        return done

    def change(
        self,
        account: Account,
        *,
        events: tuple[Event, ...],
        entry: LedgerEntry | None,
        due_at: str | None,
        attempt_id: str = "",
    ) -> Account:
        """Commit a change that is no link, and return the account as it now stands.

        An account that is `unlinked` by it makes room for another one of its pair; any other one
        holds its pair. With `attempt_id` it is the last thing that this attempt does.

        Raises:
            ConflictError: it has changed since it was read, or another attempt is at work.
            StorageError: the transaction may have taken effect.
        """
        done = replace(account, revision=account.revision + 1)
        alone = "attempt.id = :mine" if attempt_id else _NO_ATTEMPT
        unchanged = {
            "ConditionExpression": f"revision = :revision AND {alone}",
            "ExpressionAttributeValues": _item(
                {":revision": account.revision} | ({":mine": attempt_id} if attempt_id else {})
            ),
        }
        items = self._commit_items(done, unchanged, events, entry, due_at=due_at)
        if done.status is Status.UNLINKED:
            # Not that of an account that was linked since.
            gone = {"TableName": self.table, "Key": _pair_key(account)} | _mine_or_free(account)
            items.append({"Delete": gone})
        else:
            items.append(self._hold_pair(account))
        self._transact(items)
        return done

    def settled(self, account: Account) -> None:
        """Note that nothing is left to do for an account.

        Raises:
            StorageError: it will be looked at again, which is harmless.
        """
        try:
            with _translated("UpdateItem"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_account_key(account.id),
                    UpdateExpression="REMOVE due_at, due_shard",
                    ConditionExpression=f"revision = :revision AND {_NO_ATTEMPT}",
                    ExpressionAttributeValues=_item({":revision": account.revision}),
                )
        except _ConditionError:
            return

    def deletion_scheduled(
        self, account: Account, *, attempt_id: str, deletion: Deletion, entry: LedgerEntry
    ) -> Account:
        """Complete the receipt of an unlinking, and note that nothing is left to do.

        It is no change that consumers are told of: the revision and the outbox stay. Returns the
        account as it stands, also where another attempt has taken over.

        Raises:
            StorageError: it may have been completed; again changes nothing.
        """
        completed: Any = {
            "TableName": self.table,
            "Key": _account_key(account.id),
            "UpdateExpression": "SET deletion = :deletion REMOVE due_at, due_shard, attempt",
            "ConditionExpression": "attempt.id = :mine",
            "ExpressionAttributeValues": _item(
                {":deletion": asdict(deletion), ":mine": attempt_id}
            ),
        }
        try:
            self._transact([{"Update": completed}, self._ledger_item(account, entry)])
        except ConflictError:
            return self.account(account.id) or account
        return replace(account, deletion=deletion, attempt=None)

    def accounts(self, wanted: Wanted) -> tuple[list[Account], str]:
        """Return a page of accounts, newest first, and the cursor of the next ('' at the end).

        Raises:
            StorageError: DynamoDB failed.
        """
        index, name, value = wanted.index()
        filters = {
            key: one
            for key, one in (("#s", wanted.status), ("subdomain", wanted.subdomain))
            if one and key != name
        }
        query: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": index,
            "KeyConditionExpression": f"{name} = :value",
            "ExpressionAttributeValues": _item(
                {":value": value} | {f":f{n}": one for n, one in enumerate(filters.values())}
            ),
            "ScanIndexForward": False,
        }
        if filters:
            query["FilterExpression"] = " AND ".join(
                f"{key} = :f{n}" for n, key in enumerate(filters)
            )
        if wanted.status:
            query["ExpressionAttributeNames"] = {"#s": "status"}
        found: list[Account] = []
        cursor = wanted.cursor
        for _ in range(_MOST_QUERIES):
            if cursor:
                start = {"pk": f"ACCOUNT#{cursor}", "sk": "ACCOUNT", "id": cursor, name: value}
                query["ExclusiveStartKey"] = _item(start)
            with _translated("Query"):
                answer = self.client.query(**query, Limit=wanted.limit - len(found))
            found += [_account(item) for item in answer["Items"]]
            last = answer.get("LastEvaluatedKey")
            cursor = str(_values(last)["id"]) if last else ""
            if not cursor or len(found) == wanted.limit:
                break
        return found, cursor

    def every(self, *, owner_id: str, subdomain: str) -> list[Account]:
        """Return all accounts of an owner, of a subdomain, or of both.

        Raises:
            StorageError: DynamoDB failed.
        """
        wanted = Wanted(limit=100, owner_id=owner_id, subdomain=subdomain)
        found, cursor = self.accounts(wanted)
        while cursor:
            more, cursor = self.accounts(replace(wanted, cursor=cursor))
            found += more
        return found

    def ledger(self, account_id: str) -> list[LedgerEntry]:
        """Return the newest hundred entries of an account's ledger, newest first.

        Raises:
            StorageError: DynamoDB failed.
        """
        with _translated("Query"):
            answer = self.client.query(
                TableName=self.table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
                ExpressionAttributeValues=_item({":pk": f"ACCOUNT#{account_id}", ":sk": "LEDGER#"}),
                ScanIndexForward=False,
                Limit=100,
            )
        return [_entry(item) for item in answer["Items"]]

    def due(self, shard: int, *, now: datetime, limit: int) -> list[Due]:
        """Return accounts at which there is something to do, the longest due first.

        Raises:
            StorageError: DynamoDB failed.
        """
        with _translated("Query"):
            answer = self.client.query(
                TableName=self.table,
                IndexName="due",
                KeyConditionExpression="due_shard = :shard AND due_at <= :now",
                ExpressionAttributeValues=_item({":shard": str(shard), ":now": timestamp(now)}),
                Limit=limit,
            )
        rows = [_values(item) for item in answer["Items"]]
        return [Due(row["pk"].removeprefix("ACCOUNT#"), row["due_at"]) for row in rows]

    def snooze(self, account: Account, *, until: datetime) -> None:
        """Look at an account later, unless it has changed.

        Raises:
            StorageError: it may be looked at once more, which is harmless.
        """
        try:
            with _translated("UpdateItem"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_account_key(account.id),
                    UpdateExpression="SET due_at = :due",
                    ConditionExpression=f"revision = :revision AND {_NO_ATTEMPT}",
                    ExpressionAttributeValues=_item(
                        {":due": timestamp(until), ":revision": account.revision}
                    ),
                )
        except _ConditionError:
            return

    def take(self, account: Account, *, attempt: Attempt, now: datetime) -> bool:
        """Start an attempt in place of none, or of one that is over; False where it has changed.

        What the one before may have left at the secret, the sweep tidies up.

        Raises:
            StorageError: it may have been taken over; its lease ends.
        """
        before = account.attempt
        same = "revision = :revision AND " + ("attempt = :before" if before else _NO_ATTEMPT)
        values = {
            ":attempt": asdict(attempt),
            ":due": timestamp(now + LEASE),
            ":shard": _shard(account),
        }
        try:
            with _translated("UpdateItem"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_account_key(account.id),
                    UpdateExpression="SET attempt = :attempt, due_at = :due, due_shard = :shard"
                    + (", unpromoted = :untidy" if before else ""),
                    ConditionExpression=same,
                    ExpressionAttributeValues=_item(
                        values
                        | {":revision": account.revision}
                        | ({":before": asdict(before), ":untidy": True} if before else {})
                    ),
                )
        except _ConditionError:
            return False
        return True

    def undo(self, account: Account, *, attempt_id: str) -> None:
        """Remove an account that never was linked, once its secret is gone.

        Raises:
            ConflictError: another attempt has taken over.
            StorageError: the transaction may have taken effect.
        """
        self._transact(
            [
                {
                    "Delete": {
                        "TableName": self.table,
                        "Key": _account_key(account.id),
                        "ConditionExpression": "attempt.id = :mine",
                        "ExpressionAttributeValues": _item({":mine": attempt_id}),
                    }
                },
                {"Delete": {"TableName": self.table, "Key": _pair_key(account)}},
            ]
        )

    def notice(self, events: tuple[Event, ...]) -> None:
        """Commit events that belong to no account; the same event again changes nothing.

        Raises:
            StorageError: they may have been committed.
        """
        ttl = int((moment(events[0].occurred_at) + timedelta(days=7)).timestamp())
        keys = {"pk": f"NOTICE#{events[0].event_id}", "sk": "NOTICE", "ttl": ttl}
        try:
            with _translated("PutItem"):
                self.client.put_item(
                    TableName=self.table,
                    Item=_item(keys) | _outbox(events),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except _ConditionError:
            return

    def revoke_session(self, session_id: str) -> None:
        """Withdraw an open session; one that is used or gone stays as it is.

        Raises:
            StorageError: it may still be open.
        """
        try:
            with _translated("UpdateItem"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_session_key(session_id),
                    UpdateExpression="SET #s = :revoked",
                    ConditionExpression="#s = :open",
                    ExpressionAttributeNames={"#s": "state"},
                    ExpressionAttributeValues=_item({":revoked": "revoked", ":open": "open"}),
                )
        except _ConditionError:
            return

    def create_key(self, key: ApiKey) -> None:
        """Keep an API key; its bearer is known by its hash only.

        Raises:
            StorageError: it may have been kept.
        """
        item = asdict(key) | {"pk": f"KEY#{key.id}", "sk": "KEY", "scopes": list(key.scopes)}
        with _translated("PutItem"):
            self.client.put_item(TableName=self.table, Item=_item(item))

    def key(self, key_id: str) -> ApiKey | None:
        """Read an API key, consistently.

        Raises:
            StorageError: DynamoDB failed.
        """
        item = self._get(_key(f"KEY#{key_id}", "KEY"))
        if item is None:
            return None
        values = _values(item)
        del values["pk"], values["sk"]
        return ApiKey(**values | {"scopes": tuple(values["scopes"])})

    def revoke_key(self, key_id: str) -> bool:
        """Revoke an API key for good; False where there is none.

        Raises:
            StorageError: it may still be valid.
        """
        try:
            with _translated("UpdateItem"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_key(f"KEY#{key_id}", "KEY"),
                    UpdateExpression="SET revoked = :yes",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues=_item({":yes": True}),
                )
        except _ConditionError:
            return False
        return True

    def create_portal(self, portal: PortalSession) -> None:
        """Keep a portal session until a day after it expires.

        Raises:
            StorageError: it may have been kept.
        """
        ttl = int((moment(portal.expires_at) + timedelta(days=1)).timestamp())
        keys = {"pk": f"PORTAL#{portal.id}", "sk": "PORTAL", "ttl": ttl}
        with _translated("PutItem"):
            self.client.put_item(TableName=self.table, Item=_item(asdict(portal) | keys))

    def portal(self, session_id: str) -> PortalSession | None:
        """Read a portal session, consistently.

        Raises:
            StorageError: DynamoDB failed.
        """
        item = self._get(_key(f"PORTAL#{session_id}", "PORTAL"))
        if item is None:
            return None
        values = _values(item)
        for key in ("pk", "sk", "ttl"):
            del values[key]
        owner = values.pop("owner", None)
        return PortalSession(**values, owner=Owner(**owner) if owner else None)

    def _commit_items(
        self,
        account: Account,
        condition: dict[str, Any],
        events: tuple[Event, ...],
        entry: LedgerEntry | None,
        *,
        due_at: str | None,
    ) -> list[Any]:
        row = _row(account, due_at=due_at) | _outbox(events)
        items = [{"Put": {"TableName": self.table, "Item": row} | condition}]
        if entry:
            items.append(self._ledger_item(account, entry))
        return items

    def _ledger_item(self, account: Account, entry: LedgerEntry) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        keys = {"pk": f"ACCOUNT#{account.id}", "sk": new_id("LEDGER#")}
        return self._put(_item(keys | asdict(entry)), "attribute_not_exists(pk)")

    def _transact(self, items: list[Any]) -> None:
        try:
            with _translated("TransactWriteItems"):
                self.client.transact_write_items(TransactItems=items)
        except _ConditionError as error:
            msg = "another change was faster"
            raise ConflictError(msg) from error

    def promoted(self, account: Account) -> None:
        """Note that the committed version is the current one.

        Raises:
            StorageError: promoting it once more changes nothing.
        """
        try:
            with _translated("UpdateItem"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_account_key(account.id),
                    UpdateExpression="SET unpromoted = :no, due_at = :due",
                    ConditionExpression="revision = :revision AND attribute_not_exists(attempt)",
                    ExpressionAttributeValues=_item(
                        {
                            ":no": False,
                            ":due": account.next_check_at,
                            ":revision": account.revision,
                        }
                    ),
                )
        except _ConditionError:
            return

    def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        with _translated("GetItem"):
            return self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get(
                "Item"
            )

    def _hold_pair(self, account: Account) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        item = _pair_key(account) | _item({"account_id": account.id})
        return {"Put": {"TableName": self.table, "Item": item} | _mine_or_free(account)}

    def _put(self, item: dict[str, Any], condition: str) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        return {"Put": {"TableName": self.table, "Item": item, "ConditionExpression": condition}}


_NO_ATTEMPT: Final = "attribute_not_exists(attempt)"


def _mine_or_free(account: Account) -> dict[str, Any]:
    """Return the condition that a pair is this account's or nobody's."""
    return {
        "ConditionExpression": "attribute_not_exists(pk) OR account_id = :id",
        "ExpressionAttributeValues": _item({":id": account.id}),
    }


def _refused_session(session: ConnectSession | None, now: datetime) -> ConnectSession:
    if session is None:
        raise Problem(Reason.UNAUTHORIZED)
    if session.state == "used":
        return session
    if session.state == "revoked":
        raise Problem(Reason.SESSION_USED)
    if session.expires_at <= timestamp(now):
        raise Problem(Reason.SESSION_EXPIRED)
    raise Problem(Reason.ATTEMPTS_EXHAUSTED, attempts_left=0)

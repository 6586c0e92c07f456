"""Accounts in the table: the row is the commit point, and its fence the only lock.

Items: `ACCOUNT#id / ACCOUNT`, `ACCOUNT#id / LEDGER#ulid`, `PAIR#owner#subdomain / PAIR` (who holds
it: at most one account that is not unlinked) and `PAIR#… / SEEN` (when it was let go last). The
outbox is an attribute of the row: DynamoDB streams keep the order of changes to one item, so events
keep it too.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from namely_link.aws import table as rows
from namely_link.aws.table import ABSENT, account_key, item, pair_key, unless_written, values
from namely_link.domain.account import Account, Due, Tombstone
from namely_link.domain.problems import StorageError, UnreadableError
from namely_link.domain.values import moment, new_id, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from namely_link.aws.table import Item, Table
    from namely_link.commands.ports import Done, SessionUse
    from namely_link.domain.lifecycle import Change, LedgerEntry, State

_MOST_QUERIES: Final = 20
"""A page with a filter that few match ends short, with a cursor, rather than late."""

_SEEN_KEPT: Final = timedelta(days=400)
"""Longer than the archive of the bus may deliver old requests again (a year)."""


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


@dataclass(frozen=True, kw_only=True)
class AccountTable:
    """Reads and writes accounts. Every method raises StorageError when DynamoDB fails."""

    table: Table

    def row(self, account_id: str) -> Account | Tombstone | None:
        """Read an account, or what is left of one, consistently; raises UnreadableError."""
        stored = self.table.get(account_key(account_id))
        return rows.row_of(stored) if stored else None

    def rows(self, account_ids: Sequence[str]) -> dict[str, Account | Tombstone | UnreadableError]:
        """Read many rows, consistently; those that are not there are left out."""
        found: dict[str, Account | Tombstone | UnreadableError] = {}
        # Once each: an index that lags may show an account twice, and DynamoDB refuses to read so.
        keys = [account_key(one) for one in dict.fromkeys(account_ids)]
        for stored in self.table.get_many(keys):
            account_id = stored["pk"]["S"].removeprefix("ACCOUNT#")
            try:
                found[account_id] = rows.row_of(stored)
            except UnreadableError as error:
                found[account_id] = error
        return found

    def read(self, account_id: str) -> Account | None:
        """Read an account, consistently; raises UnreadableError."""
        found = self.row(account_id)
        return found if isinstance(found, Account) else None

    def of_pair(self, owner_id: str, subdomain: str) -> Account | None:
        """Return the account that holds the pair, consistently; raises UnreadableError.

        Raises:
            StorageError: also where it has just let go of the pair.
        """
        pair = self.table.get(pair_key(owner_id, subdomain))
        if pair is None:
            return None
        account = self.read(values(pair)["account_id"])
        if account is None or not account.holds_pair:
            msg = "the pair was let go of a moment ago"
            raise StorageError(msg)
        return account

    def unlinked_at(self, owner_id: str, subdomain: str) -> str:
        """Return when an account of the pair was unlinked last (RFC 3339), '' for never."""
        seen = self.table.get(pair_key(owner_id, subdomain, "SEEN"))
        return str(values(seen)["at"]) if seen else ""

    def commit[After: State](
        self,
        change: Change[After],
        *more: Change[Tombstone],
        use: SessionUse | None = None,
        done: Done | None = None,
    ) -> After:
        """Write rows, pairs, events and the ledger at once; return the first row as it stands.

        Raises:
            ConflictError: a row was written since it was read, the pair is another account's, the
                session is not open any more or its claim has ended, or the request was done.
            StorageError: it may still take effect; not where the row tells that it has.
        """
        writes = [self._row(change), *(self._row(one) for one in more)]
        writes += self._pairs(change, *more)
        if change.entry and change.before:
            entry = rows.entry_item(change.before.id, change.entry, new_id(""))
            writes.append(self.table.putting(entry, ABSENT))
        if use:
            writes.append(self._used(use))
        if done:
            writes.append(self.table.putting(rows.done_item(done), ABSENT))
        self.table.write(writes)
        return _as_written(change.after)

    def _row(self, change: Change[Any]) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        before, after = change.before, change.after
        condition = unless_written(before.fence) if before else ABSENT
        if after:
            return self.table.putting(rows.written(after, change.events), condition)
        return self.table.deleting(account_key(before.id if before else ""), condition)

    def _pairs(self, *changes: Change[Any]) -> list[Any]:
        """Return what takes pairs and lets go of them; one that passes on is written once."""
        taken: dict[_Pair, str] = {}
        gone: dict[_Pair, str] = {}
        writes: list[Any] = []
        for one in changes:
            before, after = _pair(one.before), _pair(one.after)
            if before == after:
                continue
            gone |= before
            taken |= after
            if isinstance(one.after, Account) and not after:
                writes.append(self._seen(one.after))
        for pair, holder in taken.items():
            new = pair_key(*pair) | item({"account_id": holder})
            writes.append(self.table.putting(new, _held_by(gone.pop(pair, holder))))
        writes += [
            self.table.deleting(pair_key(*pair), _held_by(holder)) for pair, holder in gone.items()
        ]
        return writes

    def _seen(self, account: Account) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        """Return what notes when the pair was let go of."""
        at = account.changed_at
        ttl = int((moment(at) + _SEEN_KEPT).timestamp())
        key = pair_key(account.owner.id, account.subdomain, "SEEN")
        return self.table.putting(key | item({"at": at, "ttl": ttl}), {})

    def _used(self, use: SessionUse) -> Any:  # noqa: ANN401 - a TypedDict of stubs
        return {
            "Update": {
                "TableName": self.table.name,
                "Key": item({"pk": f"SESSION#{use.session_id}", "sk": "SESSION"}),
                "UpdateExpression": "SET #s = :used, linked = :linked ADD fence :one REMOVE claims",
                "ConditionExpression": "#s = :open AND attribute_exists(claims.#mine)",
                "ExpressionAttributeNames": {"#s": "state", "#mine": use.attempt_id},
                "ExpressionAttributeValues": item(
                    {":used": "used", ":open": "open", ":linked": asdict(use.linked), ":one": 1}
                ),
            }
        }

    def accounts(self, wanted: Wanted) -> tuple[list[Account], str]:
        """Return a page of accounts, newest first, and the cursor of the next ('' at the end).

        A row that can't be read is left out: it must not hide the others.
        """
        index, name, value = wanted.index()
        filters = {
            key: one
            for key, one in (("#s", wanted.status), ("subdomain", wanted.subdomain))
            if one and key != name
        }
        query: dict[str, Any] = {
            "TableName": self.table.name,
            "IndexName": index,
            "KeyConditionExpression": f"{name} = :value",
            "ExpressionAttributeValues": item(
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
                query["ExclusiveStartKey"] = item(start)
            answer = self.table.query(query | {"Limit": wanted.limit - len(found)})
            read = _readable_ones(answer["Items"], rows.row_of)
            found += [one for one in read if isinstance(one, Account)]
            last = answer.get("LastEvaluatedKey")
            cursor = str(values(last)["id"]) if last else ""
            if not cursor or len(found) == wanted.limit:
                break
        return found, cursor

    def every(self, *, owner_id: str, subdomain: str) -> list[Account]:
        """Return all accounts of an owner, of a subdomain, or of both."""
        wanted = Wanted(limit=100, owner_id=owner_id, subdomain=subdomain)
        found, cursor = self.accounts(wanted)
        while cursor:
            more, cursor = self.accounts(replace(wanted, cursor=cursor))
            found += more
        return found

    def ledger(self, account_id: str) -> list[LedgerEntry]:
        """Return the newest hundred entries of an account's ledger, newest first.

        An entry that can't be read is left out.
        """
        answer = self.table.query(
            {
                "TableName": self.table.name,
                "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
                "ExpressionAttributeValues": item(
                    {":pk": f"ACCOUNT#{account_id}", ":sk": "LEDGER#"}
                ),
                "ScanIndexForward": False,
                "Limit": 100,
            }
        )
        return _readable_ones(answer["Items"], rows.entry_of)

    def due(self, shard: int, *, now: datetime, limit: int) -> list[Due]:
        """Return what is due, the longest first; the index may lag behind the rows."""
        answer = self.table.query(
            {
                "TableName": self.table.name,
                "IndexName": "due",
                "KeyConditionExpression": "due_shard = :shard AND due_at <= :now",
                "ExpressionAttributeValues": item({":shard": str(shard), ":now": timestamp(now)}),
                "Limit": limit,
            }
        )
        found = [values(one) for one in answer["Items"]]
        return [Due(one["pk"].removeprefix("ACCOUNT#"), one["due_at"]) for one in found]


type _Pair = tuple[str, str]


def _pair(state: State) -> dict[_Pair, str]:
    """Return the pair that a row holds, if any, with the id of its account."""
    if isinstance(state, Account) and state.holds_pair:
        return {(state.owner.id, state.subdomain): state.id}
    return {}


def _held_by(account_id: str) -> Item:
    """Return the condition that a pair is this account's or nobody's."""
    return {
        "ConditionExpression": "attribute_not_exists(pk) OR account_id = :id",
        "ExpressionAttributeValues": item({":id": account_id}),
    }


def _as_written[After: State](after: After) -> After:
    """Return a row with the number that its fence has once it is written."""
    return replace(after, fence=after.fence + 1) if after is not None else after


def _readable_ones[One](items: list[Item], read: Callable[[Item], One]) -> list[One]:
    found: list[One] = []
    for one in items:
        with contextlib.suppress(UnreadableError):
            found.append(read(one))
    return found

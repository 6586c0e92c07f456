"""DynamoDB in memory, at the level of boto3's client: the one table of the template.

Writes are atomic and kept with their time, so that an index, or a read that is not consistent, can
show what was there before. The stream has the changes of each item in order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

from simulation.errors import Exceptions, error
from simulation.expressions import check_given, holds, updated
from templates import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.expressions import Item

type Key = tuple[str, str]

INDEXES: Final[dict[str, tuple[str, str]]] = {
    index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
    for index in TEMPLATE["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"]
}
"""Partition and sort key of each index."""

_KEYS_ONLY: Final = {
    index["IndexName"]
    for index in TEMPLATE["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"]
    if index["Projection"]["ProjectionType"] == "KEYS_ONLY"
}
_TOKENS_KEPT: Final = 600
"""Seconds in which a transaction's token makes it the same one."""


def key_of(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


@dataclass
class Table:
    """The table. `lag` says how old (seconds) what a read shows may be, where it may be old.

    `leaves` says whether a read of many items leaves some for a later call.
    """

    clock: Callable[[], float]
    lag: Callable[[], float] = lambda: 0.0
    leaves: Callable[[], bool] = lambda: False
    changed: Callable[[Item | None, Item | None], None] = lambda _old, _new: None
    items: dict[Key, Item] = field(default_factory=dict)
    history: dict[Key, list[tuple[float, Item | None]]] = field(default_factory=dict)
    stream: list[dict[str, Any]] = field(default_factory=list)
    exceptions: Exceptions = field(default_factory=Exceptions)
    _tokens: dict[str, tuple[float, str]] = field(default_factory=dict)
    _indexed: dict[str, dict[Key, None]] = field(
        default_factory=lambda: {name: {} for name in INDEXES}
    )

    # Reads

    def get_item(
        self,
        *,
        TableName: str,
        Key: Item,
        ConsistentRead: bool = False,
        **options: Any,
    ) -> dict[str, Any]:
        _known(options, "ProjectionExpression", "ExpressionAttributeNames")
        found = self._seen(key_of(Key), 0.0 if ConsistentRead else self.lag())
        return {"Item": found} if found is not None else {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        answer, left = {}, {}
        if sum(len(asked["Keys"]) for asked in RequestItems.values()) > 100:
            raise error("ValidationException", "more than 100 keys")
        for table, asked in RequestItems.items():
            lag = 0.0 if asked.get("ConsistentRead") else self.lag()
            keys = asked["Keys"]
            if len({key_of(key) for key in keys}) < len(keys):
                raise error("ValidationException", "one key twice")
            if len(keys) > 1 and self.leaves():
                half = len(keys) // 2
                keys, left[table] = keys[half:], asked | {"Keys": keys[:half]}
            found = [self._seen(key_of(key), lag) for key in keys]
            answer[table] = [one for one in found if one is not None]
        return {"Responses": answer, "UnprocessedKeys": left}

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        IndexName: str = "",
        ScanIndexForward: bool = True,
        ConsistentRead: bool = False,
        **options: Any,
    ) -> dict[str, Any]:
        sort = INDEXES[IndexName][1] if IndexName else "sk"
        keys = self._indexed[IndexName] if IndexName else self.history
        lag = 0.0 if ConsistentRead else self.lag()
        if IndexName:
            needed = INDEXES[IndexName]
            seen = [
                one
                for key in keys
                if (one := self._seen(key, lag)) and all(name in one for name in needed)
            ]
        else:
            seen = [one for key in keys if (one := self._seen(key, lag))]
        return self._page(
            seen,
            sort=sort,
            forward=ScanIndexForward,
            keys=KeyConditionExpression,
            index=IndexName,
            options=options,
        )

    def scan(
        self, *, TableName: str, ConsistentRead: bool = False, **options: Any
    ) -> dict[str, Any]:
        lag = 0.0 if ConsistentRead else self.lag()
        seen = [one for key in self.history if (one := self._seen(key, lag))]
        return self._page(seen, sort="pk", forward=True, keys=None, index="", options=options)

    def _page(
        self,
        seen: list[Item],
        *,
        sort: str,
        forward: bool,
        keys: str | None,
        index: str,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        _known(
            options,
            *("FilterExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"),
            *("Limit", "ExclusiveStartKey", "ProjectionExpression"),
        )
        names = options.get("ExpressionAttributeNames", {})
        values = options.get("ExpressionAttributeValues", {})
        wanted = options.get("FilterExpression")
        if "ProjectionExpression" not in options:
            check_given(keys, wanted, names=names, values=values)

        def order(item: Item) -> tuple[str, str, str]:
            return item[sort]["S"], item["pk"]["S"], item["sk"]["S"]

        found = [one for one in seen if holds(keys, one, names, values)]
        found.sort(key=order, reverse=not forward)
        if start := options.get("ExclusiveStartKey"):
            edge = order(start)
            found = [one for one in found if (order(one) > edge if forward else order(one) < edge)]
        limit = options.get("Limit", len(found))
        page, more = found[:limit], len(found) > limit
        answer: dict[str, Any] = {}
        if page and (more or (limit and len(page) == limit and "Limit" in options)):
            kept = {"pk", "sk", *(INDEXES[index] if index else ())}
            answer["LastEvaluatedKey"] = {key: page[-1][key] for key in kept}
        items = [one for one in page if holds(wanted, one, names, values)]
        if index in _KEYS_ONLY:
            kept = {"pk", "sk", *INDEXES[index]}
            items = [{key: one[key] for key in kept} for one in items]
        return answer | {"Items": items, "Count": len(items), "ScannedCount": len(page)}

    def _seen(self, key: Key, lag: float) -> Item | None:
        if lag <= 0:
            return self.items.get(key)
        until = self.clock() - lag
        for time, item in reversed(self.history.get(key, ())):
            if time <= until:
                return item
        return None

    # Writes

    def put_item(self, *, TableName: str, Item: Item, **options: Any) -> dict[str, Any]:
        self._check(Item, options)
        self._write(key_of(Item), Item)
        return {}

    def delete_item(self, *, TableName: str, Key: Item, **options: Any) -> dict[str, Any]:
        self._check(Key, options)
        before = self.items.get(key_of(Key))
        self._write(key_of(Key), None)
        given_back = options.get("ReturnValues") == "ALL_OLD" and before
        return {"Attributes": before} if given_back else {}

    def update_item(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        **options: Any,
    ) -> dict[str, Any]:
        before = self._check(Key, options, update=UpdateExpression)
        after = self._update(Key, UpdateExpression, options)
        self._write(key_of(Key), after)
        match options.get("ReturnValues", "NONE"):
            case "ALL_NEW":
                return {"Attributes": after}
            case "ALL_OLD":
                return {"Attributes": before} if before else {}
            case "NONE":
                return {}
            case other:
                raise NotImplementedError(other)

    def transact_write_items(
        self,
        *,
        TransactItems: list[dict[str, Any]],
        ClientRequestToken: str = "",
    ) -> dict[str, Any]:
        now = self.clock()
        text = json.dumps(TransactItems, sort_keys=True, default=str)
        at, same = self._tokens.get(ClientRequestToken, (-inf, ""))
        if at + _TOKENS_KEPT > now:
            if same != text:
                raise error("IdempotentParameterMismatchException")
            return {}
        reasons: list[dict[str, Any]] = []
        writes: dict[Key, Item | None] = {}
        touched: set[Key] = set()
        for item in TransactItems:
            ((kind, asked),) = item.items()
            asked = dict(asked)
            key = key_of(asked["Item"] if kind == "Put" else asked["Key"])
            if key in touched:
                raise error("ValidationException", "one item twice in a transaction")
            touched.add(key)
            given = asked.get("Item") or asked["Key"]
            reason = {"Code": "None"}
            try:
                self._check(given, asked, update=asked.get("UpdateExpression"))
            except self.exceptions.ConditionalCheckFailedException as failed:
                reason = {"Code": "ConditionalCheckFailed"} | {
                    key: value for key, value in failed.response.items() if key == "Item"
                }
            reasons.append(reason)
            match kind:
                case "Put":
                    writes[key] = asked["Item"]
                case "Delete":
                    writes[key] = None
                case "Update" if reason["Code"] == "None":
                    writes[key] = self._update(given, asked["UpdateExpression"], asked)
        if any(one["Code"] != "None" for one in reasons):
            codes = ", ".join(one["Code"] for one in reasons)
            raise error("TransactionCanceledException", f"[{codes}]", CancellationReasons=reasons)
        if ClientRequestToken:
            self._tokens[ClientRequestToken] = (now, text)
        told = [self._store(key, after) for key, after in writes.items()]
        for before, after in filter(None, told):
            self.changed(before, after)
        return {}

    def _check(
        self, given: Item, options: dict[str, Any], *, update: str | None = None
    ) -> Item | None:
        """Refuse where the condition does not hold; return what is there."""
        names = options.get("ExpressionAttributeNames", {})
        values = options.get("ExpressionAttributeValues", {})
        condition = options.get("ConditionExpression")
        check_given(condition, names=names, values=values, update=update)
        before = self.items.get(key_of(given))
        if not holds(condition, before, names, values):
            wanted = options.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before
            raise error(
                "ConditionalCheckFailedException",
                "The conditional request failed",
                **({"Item": before} if wanted else {}),
            )
        return before

    def _update(self, key: Item, expression: str, options: dict[str, Any]) -> Item:
        names = options.get("ExpressionAttributeNames", {})
        values = options.get("ExpressionAttributeValues", {})
        return updated(expression, self.items.get(key_of(key), key), names, values)

    def _write(self, key: Key, after: Item | None) -> None:
        if told := self._store(key, after):
            self.changed(*told)

    def _store(self, key: Key, after: Item | None) -> tuple[Item | None, Item | None] | None:
        """Write an item; return what it was and is, None where there was nothing to do."""
        before = self.items.get(key)
        if after is None:
            if before is None:
                return None
            del self.items[key]
        else:
            for index, names in INDEXES.items():
                for name in names:
                    if name in after and not after[name].get("S"):
                        raise error("ValidationException", f"{name}: empty key of {index}")
                if names[0] in after:
                    self._indexed[index][key] = None
            self.items[key] = after
        self.history.setdefault(key, []).append((self.clock(), after))
        if before != after:
            self._record(key, before, after)
        return before, after

    def _record(self, key: Key, before: Item | None, after: Item | None) -> None:
        number = f"{len(self.stream) + 1:021}"
        kind = "REMOVE" if after is None else "MODIFY" if before else "INSERT"
        record: dict[str, Any] = {
            "Keys": {"pk": {"S": key[0]}, "sk": {"S": key[1]}},
            "SequenceNumber": number,
            "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        if after is not None:
            record["NewImage"] = after
        if before is not None:
            record["OldImage"] = before
        self.stream.append(
            {
                "eventID": number,
                "eventName": kind,
                "eventSource": "aws:dynamodb",
                "dynamodb": record,
            }
        )

    def expire(self, *, late: float) -> None:
        """Delete what has been over for so many seconds, as DynamoDB does, sooner or later."""
        until = self.clock() - late
        over = [
            key
            for key, item in self.items.items()
            if "ttl" in item and float(item["ttl"]["N"]) <= until
        ]
        for key in over:
            self._write(key, None)


def _known(options: dict[str, Any], *known: str) -> None:
    if unknown := set(options) - set(known):
        raise NotImplementedError(unknown)

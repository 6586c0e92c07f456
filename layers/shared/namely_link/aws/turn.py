"""Whose turn it is to sweep: one item of the table.

EventBridge may deliver a minute's event twice. A turn ends by its time, so a sweep that died stops
no other one for longer. Rows have leases and fences of their own: this one only saves work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from namely_link.aws.table import item
from namely_link.domain.problems import ConflictError
from namely_link.domain.values import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from namely_link.aws.table import Item, Table


@dataclass(frozen=True, kw_only=True)
class SweepTurn:
    """The turn. Every method raises StorageError when DynamoDB fails."""

    table: Table

    def take(self, *, now: datetime, until: datetime) -> str:
        """Return what the turn is given back by, '' where another sweep is at work."""
        mine = str(uuid4())
        free = {
            "ConditionExpression": "attribute_not_exists(pk) OR ends_at <= :now",
            "ExpressionAttributeValues": item({":now": timestamp(now)}),
        }
        try:
            self.table.write([self.table.putting(_turn(mine, until), free)])
        except ConflictError:
            return ""
        return mine

    def give_back(self, taken: str, *, now: datetime) -> None:
        """End a turn before its time; raises ConflictError where that is over."""
        still = {
            "ConditionExpression": "sweep_id = :mine",
            "ExpressionAttributeValues": item({":mine": taken}),
        }
        self.table.write([self.table.putting(_turn(taken, now), still)])


def _turn(sweep_id: str, ends_at: datetime) -> Item:
    keys = {"pk": "SWEEP", "sk": "SWEEP"}
    return item(keys | {"sweep_id": sweep_id, "ends_at": timestamp(ends_at)})

"""Events on their way out: in the rows that they were committed with, and in the table's stream.

Items of its own: `NOTICE#event / NOTICE` for events that belong to no account, and
`REQUEST#hash / REQUEST` for requests of the event bus that were done.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from namely_link.aws import table as rows
from namely_link.aws.table import ABSENT, item, readable, values
from namely_link.domain.account import Account
from namely_link.domain.lifecycle import Event
from namely_link.domain.problems import ConflictError
from namely_link.domain.values import moment

if TYPE_CHECKING:
    from namely_link.aws.table import Table
    from namely_link.commands.ports import Done

_NOTICE_KEPT: Final = timedelta(days=7)
_KNOWN: Final = {one.name for one in fields(Event)}


@dataclass(frozen=True, kw_only=True)
class OutboxTable:
    """Commits what belongs to no account. Every method raises StorageError when DynamoDB fails."""

    table: Table

    def notice(self, event: Event, *, done: Done) -> None:
        """Commit an event and that its request is done; again changes nothing."""
        ttl = int((moment(event.occurred_at) + _NOTICE_KEPT).timestamp())
        told = asdict(event) | {"data": dict(event.data)}
        keys = {"pk": f"NOTICE#{event.event_id}", "sk": "NOTICE", "ttl": ttl}
        outbox = {"outbox": [told], "told": 1}
        try:
            self.table.write(
                [
                    self.table.putting(item(keys | outbox), ABSENT),
                    self.table.putting(rows.done_item(done), ABSENT),
                ]
            )
        except ConflictError:
            return

    def note_done(self, done: Done) -> None:
        """Commit that a request is done; again changes nothing."""
        self.table.write([self.table.putting(rows.done_item(done), {})])

    def was_done(self, key: str) -> bool:
        """Whether a request was done."""
        return self.table.get(rows.done_key(key)) is not None


def published(record: dict[str, Any]) -> list[tuple[Event, Account | None]]:
    """Return the events of a stream record, those that the old image had not.

    Each comes with the account that it was committed with, None where it belongs to none any more.
    `record` is the `dynamodb` part of a record of a stream with both images.

    Raises:
        UnreadableError: the record can't be understood.
    """
    with readable("a record of the stream"):
        new, old = record.get("NewImage"), record.get("OldImage")
        if not new or "outbox" not in new:
            return []
        told = {one["event_id"] for one in values(old or {}).get("outbox", [])}
        events = [
            Event(**{key: value for key, value in one.items() if key in _KNOWN})
            for one in values(new)["outbox"]
            if one["event_id"] not in told
        ]
        row = rows.row_of(new) if "owner_id" in new else None
        return [(event, row if isinstance(row, Account) else None) for event in events]

"""EventBridge: the only module that knows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from namely_link.domain.problems import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE: Final = "namely-link"
_MOST: Final = 10
"""Entries of one PutEvents."""
_LARGEST: Final = 256 * 1024
"""Bytes of all entries of one PutEvents. It takes a megabyte by now, which some regions may not."""


@dataclass(frozen=True, kw_only=True)
class EventBridgeBus:
    """Puts events on the stack's bus."""

    client: EventBridgeClient
    name: str

    def put(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Put events (type, detail) in their order.

        Raises:
            StorageError: one was not taken; those before it were, and may come twice.
        """
        for entries in _batches([self._entry(kind, detail) for kind, detail in events]):
            try:
                answer = self.client.put_events(Entries=entries)
            except (ClientError, BotoCoreError) as error:
                msg = f"PutEvents: {type(error).__name__}"
                raise StorageError(msg) from error
            if answer["FailedEntryCount"]:
                codes = {entry.get("ErrorCode", "") for entry in answer["Entries"]} - {""}
                msg = f"PutEvents: {', '.join(sorted(codes))}"
                raise StorageError(msg)

    def _entry(self, kind: str, detail: dict[str, Any]) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self.name,
            "Source": SOURCE,
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }


def _batches(
    entries: list[PutEventsRequestEntryTypeDef],
) -> Iterator[list[PutEventsRequestEntryTypeDef]]:
    """Split entries by what one call takes, in their order."""
    batch: list[PutEventsRequestEntryTypeDef] = []
    size = 0
    for entry in entries:
        more = _size(entry)
        if batch and (len(batch) == _MOST or size + more > _LARGEST):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch


def _size(entry: PutEventsRequestEntryTypeDef) -> int:
    """Return the bytes of an entry as EventBridge counts them."""
    counted = (entry["Source"], entry["DetailType"], entry["Detail"])
    return sum(len(text.encode()) for text in counted)

"""EventBridge: the only module that knows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from namely_link.aws.faults import FAULTS, code_of, storage_error
from namely_link.domain.problems import RefusedError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE: Final = "namely-link"
_MOST: Final = 10
"""Entries of one PutEvents."""
_LARGEST: Final = 256 * 1024
"""Bytes of all entries of one PutEvents. It takes a megabyte by now, which some regions may not."""
_NEVER: Final = frozenset(
    ("InvalidArgument", "MalformedDetail", "RedactionFailure", "ValidationException")
)
"""What EventBridge answers to an event that it will never take, to a call of too many bytes with
the last. What it documents as final beside them is about the stack's rights, which can be mended.
"""


@dataclass(frozen=True, kw_only=True)
class EventBridgeBus:
    """Puts events on the stack's bus."""

    client: EventBridgeClient
    name: str

    def put(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Put events (type, detail) in their order.

        Raises:
            StorageError: one was not taken; those before it were, and may come twice.
            RefusedError: an event, or a call of several, will never be taken; all others were.
        """
        refused: set[str] = set()
        for entries in _batches([self._entry(kind, detail) for kind, detail in events]):
            try:
                answer = self.client.put_events(Entries=entries)
            except FAULTS as error:
                if code_of(error) not in _NEVER:
                    raise storage_error("PutEvents", error) from None
                refused.add(code_of(error))
                continue
            if answer["FailedEntryCount"]:
                codes = {entry.get("ErrorCode", "") for entry in answer["Entries"]} - {""}
                if not codes or codes - _NEVER:
                    msg = f"PutEvents: {', '.join(sorted(codes))}"
                    raise StorageError(msg)
                refused |= codes
        if refused:
            msg = f"PutEvents: {', '.join(sorted(refused))}"
            raise RefusedError(msg)

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

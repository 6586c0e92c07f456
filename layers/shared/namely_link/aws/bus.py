"""EventBridge: the only module that knows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from namely_link.aws.faults import FAULTS, code_of, storage_error
from namely_link.domain.problems import RefusedError, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "namely-link"
_MOST: Final = 10
"""Entries of one PutEvents."""
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
            RefusedError: one will never be taken; all others were.
        """
        refused: set[str] = set()
        for first in range(0, len(events), _MOST):
            entries: list[Any] = [
                {
                    "EventBusName": self.name,
                    "Source": SOURCE,
                    "DetailType": kind,
                    "Detail": json.dumps(detail),
                }
                for kind, detail in events[first : first + _MOST]
            ]
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

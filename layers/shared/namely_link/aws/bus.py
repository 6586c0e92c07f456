"""EventBridge: the only module that knows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from namely_link.domain.problems import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "namely-link"
_MOST: Final = 10
"""Entries of one PutEvents."""


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
            except (ClientError, BotoCoreError) as error:
                msg = f"PutEvents: {type(error).__name__}"
                raise StorageError(msg) from error
            if answer["FailedEntryCount"]:
                codes = {entry.get("ErrorCode", "") for entry in answer["Entries"]} - {""}
                msg = f"PutEvents: {', '.join(sorted(codes))}"
                raise StorageError(msg)

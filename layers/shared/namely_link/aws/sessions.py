"""Connect sessions, portal sessions, API keys and the attempts of owners in the table.

Items: `SESSION#id / SESSION`, `PORTAL#id / PORTAL`, `KEY#id / KEY` and
`OWNER#owner#hour / ATTEMPTS`. Ids are hashes of bearers, so the bearers are not in the table.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from namely_link.aws import table as rows
from namely_link.aws.table import ABSENT, ConditionError, item, translated, unless_written
from namely_link.domain.problems import ConflictError, Problem, Reason
from namely_link.domain.values import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from namely_link.aws.table import Item, Table
    from namely_link.domain.sessions import ApiKey, ConnectSession, PortalSession

_TRIES: Final = 4
"""How often a session is revoked before that fails: requests write it at the same time."""


@dataclass(frozen=True, kw_only=True)
class SessionTable:
    """Reads and writes sessions and keys.

    Every method raises StorageError when DynamoDB fails, and those that read UnreadableError for an
    item that can't be understood.
    """

    table: Table

    def create_session(self, session: ConnectSession) -> None:
        """Keep a new session."""
        self.table.write([self.table.putting(rows.session_item(session), ABSENT)])

    def session(self, session_id: str) -> ConnectSession | None:
        """Read a session, consistently."""
        stored = self.table.get(item({"pk": f"SESSION#{session_id}", "sk": "SESSION"}))
        return rows.session_of(stored) if stored else None

    def save(self, session: ConnectSession) -> None:
        """Write a session that was read; raises ConflictError where it was written since."""
        written = rows.session_item(session)
        self.table.write([self.table.putting(written, unless_written(session.fence))])

    def revoke_session(self, session_id: str) -> None:
        """Withdraw an open session; one that is used or gone stays as it is.

        Raises:
            ConflictError: it is written by too many others at once.
        """
        for _ in range(_TRIES):
            session = self.session(session_id)
            if session is None or session.state != "open":
                return
            try:
                self.save(replace(session, state="revoked"))
            except ConflictError:
                continue
            return
        msg = "a session is written by too many at once"
        raise ConflictError(msg)

    def count_attempt(self, owner_id: str, *, now: datetime, most: int) -> None:
        """Count an attempt to link for an owner in this hour, at most so many.

        Raises:
            Problem: attempts_exhausted until the next hour.
            StorageError: it may have been counted.
        """
        over = _hour(now) + timedelta(hours=1)
        try:
            with translated("UpdateItem"):
                self.table.client.update_item(
                    TableName=self.table.name,
                    Key=_attempts_key(owner_id, now),
                    UpdateExpression="ADD attempts :one SET #ttl = :ttl",
                    ConditionExpression="attribute_not_exists(pk) OR attempts < :most",
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues=item(
                        {":one": 1, ":most": most, ":ttl": int(over.timestamp())}
                    ),
                )
        except ConditionError as error:
            wait = math.ceil((over - now).total_seconds())
            raise Problem(Reason.OWNER_ATTEMPTS_EXHAUSTED, retry_after=wait) from error

    def uncount_attempt(self, owner_id: str, *, now: datetime) -> None:
        """Take back an attempt that was counted at that moment."""
        with contextlib.suppress(ConditionError), translated("UpdateItem"):
            self.table.client.update_item(
                TableName=self.table.name,
                Key=_attempts_key(owner_id, now),
                UpdateExpression="ADD attempts :less",
                ConditionExpression="attempts > :none",
                ExpressionAttributeValues=item({":less": -1, ":none": 0}),
            )

    def create_key(self, key: ApiKey) -> None:
        """Keep an API key; its bearer is known by its hash only."""
        self.table.write([self.table.putting(rows.key_item(key), {})])

    def key(self, key_id: str) -> ApiKey | None:
        """Read an API key, consistently."""
        stored = self.table.get(_key(f"KEY#{key_id}", "KEY"))
        return rows.key_of(stored) if stored else None

    def revoke_key(self, key_id: str) -> bool:
        """Revoke an API key for good; False where there is none."""
        try:
            with translated("UpdateItem"):
                self.table.client.update_item(
                    TableName=self.table.name,
                    Key=_key(f"KEY#{key_id}", "KEY"),
                    UpdateExpression="SET revoked = :yes",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues=item({":yes": True}),
                )
        except ConditionError:
            return False
        return True

    def create_portal(self, portal: PortalSession) -> None:
        """Keep a new portal session."""
        self.table.write([self.table.putting(rows.portal_item(portal), {})])

    def portal(self, session_id: str) -> PortalSession | None:
        """Read a portal session, consistently."""
        stored = self.table.get(_key(f"PORTAL#{session_id}", "PORTAL"))
        return rows.portal_of(stored) if stored else None


def _key(pk: str, sk: str) -> Item:
    return item({"pk": pk, "sk": sk})


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def _attempts_key(owner_id: str, now: datetime) -> Item:
    return _key(f"OWNER#{owner_id}#{timestamp(_hour(now))}", "ATTEMPTS")

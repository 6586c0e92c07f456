"""Examples of everything that callers see: real values of the domain, through the real code."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from namely_link.aws import queue, table
from namely_link.aws.bus import SOURCE
from namely_link.domain import lifecycle
from namely_link.domain.account import Account, Receipt, Status
from namely_link.domain.lifecycle import Cause
from namely_link.domain.probe import CAPABILITIES
from namely_link.domain.sessions import ConnectSession, PortalSession
from namely_link.domain.values import (
    Actor,
    ActorKind,
    Identity,
    Owner,
    SecretVersion,
    Site,
    timestamp,
)
from namely_link.http import documents
from shapes.problems import INSTANCE

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from namely_link.domain.lifecycle import Change

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
_ID = "acc_01M86XZ1122EB9A6YEBSKQXHP8"
_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:stack/namely/"
_PAGES = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com/production"
_UNSEEN = {"personal_fields", "salary", "ssn"}
_OWNER = Owner("o1", "Owner One")
_CAUSE = Cause(actor=Actor(kind=ActorKind.API_KEY, name="backend"), request_id=INSTANCE, now=NOW)

_RECEIPT = Receipt(
    site=Site("Acme (simulated)", "acme"),
    identity=Identity(
        profile_id="3fe4c388-81b2-5517-9841-5c7e8f9863fe",
        name="Integrations Service",
        user_status="active",
        role="Integrations (read only)",
    ),
    visible_people=412,
    capabilities={one: "no" if one in _UNSEEN else "yes" for one in CAPABILITIES},
    warnings=(),
)


def _linked() -> Change[Account]:
    """Return an account that is linked, told by an event."""
    mine = lifecycle.attempt(
        lease=lifecycle.LEASE, now=NOW, attempt_id="319cae76-dac2-44b4-afde-44fd090d8e9e"
    )
    begun = Account(
        id=_ID,
        owner=_OWNER,
        subdomain="acme",
        status=Status.PENDING,
        secret_name=f"stack/namely/{_ID}",
        created_at=timestamp(NOW),
        label="Main",
        attempt=mine,
    )
    secret = SecretVersion(f"{_ARN}{_ID}-DkKNjS", mine.id)
    change = lifecycle.linked(begun, _RECEIPT, secret=secret, hint="wvUc", cause=_CAUSE)
    (told,) = change.events
    return replace(change, events=(replace(told, event_id="evt_01M86DJMWAMCGBG1479ZP8V8BE"),))


_SESSION = ConnectSession(
    id="cs_6fde69920fb1949c00b3a550202b9bd3783acd8b84dbc1d9102d989ad008dd2f",
    owner=_OWNER,
    state="open",
    attempts_left=5,
    subdomain="acme",
    return_url="https://app.example.com/done",
    created_at=timestamp(NOW),
    expires_at=timestamp(NOW + timedelta(hours=1)),
)
_PORTAL = PortalSession(
    id="ps_772efea00d0c420e85f50fde4c73c043fca5915cee2ef3e0cf321f4a511d431f",
    rank="operator",
    owner=_OWNER,
    created_at=timestamp(NOW),
    expires_at=timestamp(NOW + timedelta(minutes=10)),
)


def shown() -> dict[str, Any]:
    """Return the examples of the OpenAPI document, problems aside."""
    only = "ExampleOnly" * 4
    change = _linked()
    entry = change.entry
    values: dict[str, Any] = {
        "account": documents.account(change.after),
        "dry_run": documents.dry_run(_RECEIPT),
        "ledger": {"entries": [documents.ledger_entry(entry)] if entry else []},
        "connect_session": documents.connect_session(_SESSION),
        "new_connect_session": documents.new_connect_session(
            _SESSION, token=f"nls_{only[:43]}", pages=_PAGES
        ),
        "revoked_connect_session": documents.connect_session(replace(_SESSION, state="revoked")),
        "portal_session": documents.portal_session(_PORTAL),
        "new_portal_session": documents.new_portal_session(
            _PORTAL, token=f"nlp_{only[:43]}", pages=_PAGES
        ),
    }
    return {name: {"value": value} for name, value in values.items()}


def stream() -> dict[str, Any]:
    """Return what `publish` is given: a row of the table as the stream tells it."""
    change = _linked()
    row = table.written(change.after, change.events)
    record = {
        "Keys": {"pk": row["pk"], "sk": row["sk"]},
        "NewImage": row,
        "SequenceNumber": "111",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    source = "arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/2026-11-24T12:00:00.000"
    return {
        "Records": [
            {
                "eventID": "c4ca4238a0b923820dcc509a6f75849b",
                "eventName": "MODIFY",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": "eu-central-1",
                "dynamodb": record,
                "eventSourceARN": source,
            }
        ]
    }


class _Sent:
    """Takes the message that the queue's adapter sends."""

    body = ""

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803 - of SQS
        del QueueUrl
        self.body = MessageBody


def checks() -> dict[str, Any]:
    """Return what `check` is given: a message as the queue's adapter writes it."""
    sent = _Sent()
    asker = queue.CheckQueue(client=cast("SQSClient", sent), url="")
    actor = Actor(kind=ActorKind.API_KEY, name="backend")
    asker.put("$ACCOUNT_ID", actor=actor, request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    return _message(json.dumps(json.loads(sent.body)), of="checks")


def webhook(*, times: int) -> dict[str, Any]:
    """Return what `webhook` is given for the n-th time: an event of EventBridge, by a queue."""
    change = _linked()
    (told,) = change.events
    event = {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": told.type,
        "source": SOURCE,
        "account": "123456789012",
        "time": timestamp(NOW),
        "region": "eu-central-1",
        "resources": [],
        "detail": documents.event(told, change.after),
    }
    return _message(json.dumps(event), of="webhook", times=times)


def _message(body: str, *, of: str, times: int = 1) -> dict[str, Any]:
    """Return what Lambda gives a function of one message."""
    return {
        "Records": [
            {
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(times),
                    "SentTimestamp": "1795521600000",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1795521600001",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{of}",
                "awsRegion": "eu-central-1",
            }
        ]
    }


def request(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    """Return what `intake` is given: an event of another system."""
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": kind,
        "source": "crm",
        "account": "123456789012",
        "time": "$TIME",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }

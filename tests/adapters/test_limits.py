"""What AWS takes at most, and what of ours is largest; limits are read from botocore's models."""

import json
from dataclasses import replace
from uuid import uuid4

import botocore.session
import pytest
from botocore.stub import Stubber

from adapters.samples import CAUSE, NOW, RECEIPT, active, pending
from namely_link.aws import table as rows
from namely_link.aws.bus import EventBridgeBus
from namely_link.aws.vault import CANDIDATE, SecretsManagerVault, _document
from namely_link.domain.account import Account, AccountWarning, Health, StatusReason
from namely_link.domain.credentials import MAX_TOKEN_LENGTH
from namely_link.domain.lifecycle import Event, EventType, LedgerEntry
from namely_link.domain.values import (
    Actor,
    ActorKind,
    Credential,
    Identity,
    Owner,
    SecretVersion,
    Site,
    Subdomain,
    Token,
    new_id,
)
from namely_link.http import documents

WIDE = "\N{MUSICAL SYMBOL G CLEF}"
"""Four bytes of UTF-8, and twelve of JSON in ASCII."""

EVENT = 256 * 1024
"""Bytes of an event that every service behind EventBridge takes (docs: PutEvents takes 1 MB)."""
MESSAGE = 1024 * 1024
"""Bytes of a message of SQS (docs: quotas related to messages)."""
ITEM = 400 * 1024
"""Bytes of an item of DynamoDB (docs: quotas), names of attributes included."""
STACK = "s" * 128
"""CloudFormation's longest name of a stack."""
NAME = f"{STACK}/namely/{new_id('acc_')}-12345678"
ARN = f"arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:{NAME}-AbCdEf"


def largest() -> Account:
    """Return an account at every limit of the API, and of what is kept of Namely's words."""
    begun = pending("a" * 63)
    linked = active(replace(begun, owner=Owner("o" * 128, WIDE * 200), secret_name=NAME)).after
    identity = Identity(WIDE * 200, WIDE * 401, WIDE * 200, WIDE * 200)
    reasons = tuple(StatusReason("namely_unavailable", WIDE * 200, CAUSE.at) for _ in range(3))
    return replace(
        linked,
        label=WIDE * 100,
        metadata={WIDE * 38 + f"{n:02}": WIDE * 500 for n in range(20)},
        receipt=replace(
            RECEIPT,
            site=Site(WIDE * 200, WIDE * 200),
            identity=identity,
            warnings=tuple(AccountWarning),
        ),
        health=Health(reasons=reasons),
        secret=SecretVersion(ARN, str(uuid4())),
    )


def told(account: Account) -> Event:
    return Event(
        type="Capabilities Changed",
        event_id=new_id("evt_"),
        occurred_at=CAUSE.at,
        correlation_id="r" * 128,
        previous_status="active",
    )


def shape(service: str, name: str) -> dict[str, int]:
    return botocore.session.get_session().get_service_model(service).shape_for(name).metadata


def test_the_largest_account_fits_its_event() -> None:
    account = largest()
    detail = documents.event(told(account), account)
    assert len(json.dumps(detail)) < EVENT


def test_the_largest_account_fits_its_row() -> None:
    """With an event of each kind, and whatever names the names of its fields have."""
    account = largest()
    row = rows.written(account, (told(account),) * len(EventType))
    assert len(json.dumps(row, ensure_ascii=False).encode()) < ITEM


def test_the_largest_entry_of_a_ledger_fits_an_item() -> None:
    actor = Actor(kind=ActorKind.PORTAL, name=WIDE * 200)
    entry = LedgerEntry(at=CAUSE.at, action="noticed", actor=actor, request_id=WIDE * 128)
    row = rows.entry_item(largest().id, entry, new_id(""))
    assert len(json.dumps(row, ensure_ascii=False).encode()) < ITEM


def test_the_largest_accounts_change_fits_a_dead_letter() -> None:
    """Both images of a record that can't be read."""
    account = largest()
    image = rows.written(account, (told(account),))
    record = {"Keys": rows.account_key(account.id), "NewImage": image, "OldImage": image}
    assert len(json.dumps({"unreadable": record})) < MESSAGE


def test_events_that_are_too_large_for_one_call_take_more(aws) -> None:
    client = aws("events")
    detail = {"text": "x" * (EVENT // 2 - 100)}
    calls = []
    client.meta.events.register(
        "provide-client-params.events.PutEvents",
        lambda params, **_: calls.append([len(one["Detail"]) for one in params["Entries"]]),
    )
    with Stubber(client) as stub:
        for _ in range(2):
            stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": []})
        EventBridgeBus(client=client, name="default").put([("Account Linked", detail)] * 3)
    assert [len(call) for call in calls] == [2, 1]
    assert all(sum(call) <= EVENT for call in calls)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param("NameType", NAME, id="name"),
        pytest.param("SecretIdType", ARN, id="ARN"),
        pytest.param("ClientRequestTokenType", str(uuid4()), id="attempt"),
        pytest.param("SecretVersionStageType", CANDIDATE + str(uuid4()), id="label"),
        pytest.param("TagValueType", "o" * 128, id="owner"),
        pytest.param(
            "SecretStringType",
            _document(Credential(Subdomain("a" * 63), Token("t" * MAX_TOKEN_LENGTH))),
            id="value",
        ),
    ],
)
def test_what_is_written_into_a_secret_is_no_longer_than_it_may_be(kind: str, text: str) -> None:
    limits = shape("secretsmanager", kind)
    assert limits["min"] <= len(text) <= limits["max"]


def test_the_longest_stack_names_a_secret_as_these_tests_do(aws) -> None:
    vault = SecretsManagerVault(
        client=aws("secretsmanager"), prefix=f"{STACK}/namely/", key_arn="", now=lambda: NOW
    )
    assert len(vault.name(new_id("acc_"), again=str(uuid4()))) == len(NAME)

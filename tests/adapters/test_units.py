"""What a check writes, by the real codec: bytes and units as DynamoDB counts them; its limits."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bench.rows import CHECKED, account
from estimate.capacity import size, write_units
from estimate.deployed import INDEXES
from namely_link.aws import table as rows
from namely_link.aws.accounts import AccountTable
from namely_link.aws.table import Table, item
from namely_link.commands.ports import Done, SessionUse
from namely_link.domain import lifecycle
from namely_link.domain.account import (
    Account,
    Attempt,
    Deletion,
    Status,
    Unsettled,
)
from namely_link.domain.lifecycle import Cause, Names, Pace
from namely_link.domain.probe import CAPABILITIES, Accepted
from namely_link.domain.sessions import Linked
from namely_link.domain.values import Actor, ActorKind, timestamp
from samples import CAUSE
from test_limits import ARN, WIDE, largest

SWEEP = Actor(kind=ActorKind.SWEEP, name="sweep")
KIB = 1024
PACE = Pace(recheck=timedelta(minutes=5), jitter=lambda: 1.0)


@pytest.fixture
def calls(dynamodb) -> list[tuple[str, dict[str, Any]]]:
    """The calls that are made: operation, and what is asked."""
    made: list[tuple[str, dict[str, Any]]] = []
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb",
        lambda params, model, **_more: made.append((model.name, params)),
    )
    return made


def checked(accounts: AccountTable, account_id: str) -> Account:
    """Queue a check and make it; it finds what was known."""
    one = accounts.read(account_id)
    assert one
    queued = accounts.commit(lifecycle.queued(one, CHECKED))
    again = accounts.read(queued.id)
    assert again
    assert again.receipt
    cause = Cause(actor=SWEEP, request_id="r1", now=CHECKED + timedelta(seconds=5))
    change = lifecycle.checked(again, Accepted(again.receipt), pace=PACE, cause=cause)
    done = accounts.commit(change)
    assert isinstance(done, Account)
    return done


def test_a_check_that_finds_nothing_new_writes_twelve_units(table: Table, calls) -> None:
    accounts = AccountTable(table=table)
    before = rows.written(account())
    table.client.put_item(TableName="table", Item=before)
    calls.clear()
    checked(accounts, account().id)
    assert [name for name, _ in calls] == ["GetItem", "PutItem"] * 2
    queued, after = (asked["Item"] for name, asked in calls if name == "PutItem")
    assert [
        write_units(before, queued, INDEXES),
        write_units(queued, after, INDEXES),
    ] == [6, 6]


def test_a_realistic_row_is_less_than_a_kibibyte_also_while_a_check_is_queued() -> None:
    one = account()
    queued = lifecycle.queued(replace(one, stored=rows.written(one)), CHECKED)
    assert size(rows.written(one)) < size(rows.written(queued.after)) < KIB


# What the release before can't do without


NEEDED = {
    *("id", "owner_id", "owner_name", "subdomain", "status", "secret_name", "created_at"),
    *("fence", "pk", "sk", "listing", "due_shard", "due_at"),
}


def test_a_row_has_what_the_release_before_needs_to_read_it() -> None:
    row = rows.written(replace(account(), status=Status.PENDING, receipt=None))
    assert row.keys() >= NEEDED
    row = rows.written(account())
    assert row.keys() >= NEEDED | {"identity", "site", "secret", "next_check_at", "linked_at"}
    assert row["site"]["M"].keys() == {"name", "permalink"}
    assert row["secret"]["M"].keys() == {"arn", "version_id"}


def test_the_letters_of_capabilities_keep_their_places() -> None:
    """Rows are read by them: a new capability comes behind, and is said by name until then."""
    assert (
        *("own_profile", "profiles", "other_profiles"),
        *("work_fields", "personal_fields", "salary", "ssn"),
    ) == rows._CAPABILITIES
    assert set(CAPABILITIES) == set(rows._CAPABILITIES)
    sees = dict(zip(CAPABILITIES, ("yes", "no", "unknown", *["yes"] * 4), strict=True))
    receipt = account().receipt
    assert receipt
    row = rows.written(replace(account(), receipt=replace(receipt, capabilities=sees)))
    assert (row["sees"], "capabilities" in row) == ({"S": "ynuyyyy"}, False)
    more = sees | {"payroll": "yes"}
    row = rows.written(replace(account(), receipt=replace(receipt, capabilities=more)))
    assert ("sees" in row, row["capabilities"]["M"]["payroll"]) == (False, {"S": "yes"})


# Limits


def fullest() -> Account:
    """Return the largest account with all that is ever beside it in its row, at once."""
    at, name = timestamp(CHECKED), "s" * 512
    return replace(
        largest(),
        deletion=Deletion(
            requested_at=at,
            requested_by=WIDE * 200,
            request_id=WIDE * 200,
            secret_arn=ARN,
            scheduled_at=at,
            final_at=at,
            recoverable_until=at,
        ),
        attempt=Attempt(id="a" * 36, at=at, until=at, secret_name=name),
        unsettled=Unsettled(at, at, (name,) * 20),
    )


def test_an_account_at_its_largest_fits_an_item() -> None:
    one = fullest()
    events = lifecycle.renamed(replace(one, attempt=None), Names(label=one.label), CAUSE).events
    assert size(rows.written(one, events * 3)) < 400 * KIB


def test_the_largest_commit_fits_a_transaction(table: Table, calls) -> None:
    """A hundred items, four MiB; a link that takes the place of one that died writes most."""
    accounts = AccountTable(table=table)
    begin = replace(fullest(), status=Status.PENDING, revision=0, fence=0)
    mine = lifecycle.attempt(lease=lifecycle.LEASE, now=CHECKED)
    died = accounts.commit(lifecycle.begun(replace(begin, attempt=mine)))
    other = replace(begin, id="acc_01M86D6T0CX8MWC68PYQ999999", attempt=mine)
    one = accounts.commit(lifecycle.begun(other), lifecycle.undone(died, CHECKED))
    assert one.secret
    assert one.receipt
    change = lifecycle.linked(one, one.receipt, secret=one.secret, hint="x", cause=CAUSE)
    use = SessionUse(
        session_id="s" * 67,
        attempt_id=mine.id,
        linked=Linked(one.id, again=False, fingerprint="f" * 64),
    )
    table.client.put_item(TableName="table", Item=_open_session(use))
    accounts.commit(change, use=use, done=Done("k" * 200, until=CHECKED))
    most = [asked["TransactItems"] for name, asked in calls if name == "TransactWriteItems"]
    assert max(len(one) for one in most) < 100
    assert all(
        sum(size(each["Put"]["Item"]) for each in one if "Put" in each) < 4 * KIB**2 for one in most
    )


def _open_session(use: SessionUse) -> dict[str, Any]:
    return item(
        {
            "pk": f"SESSION#{use.session_id}",
            "sk": "SESSION",
            "state": "open",
            "claims": {use.attempt_id: timestamp(CHECKED)},
        }
    )

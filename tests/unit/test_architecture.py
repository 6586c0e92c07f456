"""The drawings in docs/architecture.md are the code's."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from namely_link.domain import lifecycle
from namely_link.domain.account import Account, Parking, Receipt, Status, Tombstone
from namely_link.domain.lifecycle import Cause, Change, Names, Pace, Transition
from namely_link.domain.probe import Accepted, Rejected, Undetermined
from namely_link.domain.problems import Problem, Reason
from namely_link.domain.values import (
    Actor,
    ActorKind,
    Identity,
    Owner,
    SecretVersion,
    Site,
    timestamp,
)
from templates import ROOT

DOCUMENT = (ROOT / "docs" / "architecture.md").read_text()
PACKAGE = ROOT / "layers" / "shared" / "namely_link"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CAUSE = Cause(actor=Actor(kind=ActorKind.SWEEP, name="sweep"), request_id="r", now=NOW)
PACE = Pace(recheck=timedelta(minutes=5), jitter=lambda: 1.0)
SECRET = SecretVersion("arn", "v2")
RECEIPT = Receipt(Site("Acme", "acme"), Identity("p", "Ada", "active"), 2, {"profiles": "yes"}, ())


def drawn(kind: str) -> set[tuple[str, str, str]]:
    """The arrows of a Mermaid drawing: from, to, and what stands beside it."""
    block = re.search(rf"```mermaid\n{kind}.*?```", DOCUMENT, re.DOTALL)
    assert block
    arrows = re.findall(r"^ +(\S+) --> (\S+?)(?:: (.+))?$", block[0], re.MULTILINE)
    return {(one, other, said) for one, other, said in arrows}


def room(module: str) -> str:
    """Where a module stands; those that stand in no room are one by themselves."""
    return module.removeprefix("namely_link.").partition(".")[0]


def imported() -> Iterator[tuple[str, str, str]]:
    for path in PACKAGE.rglob("*.py"):
        here = room(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("namely_link"):
                for name in [node.module] if "." in (node.module or "") else node.names:
                    there = room(name if isinstance(name, str) else name.name)
                    if there != here:
                        yield here, there, ""


def test_the_rooms_are_drawn_as_they_import() -> None:
    assert drawn("flowchart") == set(imported())


def accounts() -> Iterator[Account]:
    """An account in every status, as long after its last check as confirms a refusal."""
    pending = Account(
        id="acc",
        owner=Owner("o", "Owner"),
        subdomain="acme",
        status=Status.PENDING,
        secret_name="s/acc",
        created_at=timestamp(NOW),
    )
    held = lifecycle.attempt(lease=timedelta(seconds=35), now=NOW)
    yield replace(pending, attempt=held)
    parking = Parking(timestamp(NOW + timedelta(hours=1)))
    stored = replace(pending, revision=1, secret=SECRET)
    yield replace(stored, parking=parking)
    refused = replace(stored.health, refused_since=timestamp(NOW - timedelta(hours=1)))
    linked = replace(
        stored,
        receipt=RECEIPT,
        health=refused,
        linked_at=timestamp(NOW),
        token_expires_by=timestamp(NOW + timedelta(days=700)),
    )
    for status in (Status.ACTIVE, Status.ERROR, Status.SUSPENDED):
        yield replace(linked, status=status)
        yield replace(linked, status=status, attempt=held)
    yield replace(linked, status=Status.UNLINKED)


def transitions(account: Account) -> Iterator[Callable[[], Change | None]]:
    """Everything that may be done to an account in its status; what is refused raises Problem."""
    if account.attempt:
        asked = {"secret": SECRET, "hint": "", "cause": CAUSE}
        yield lambda: lifecycle.linked(account, RECEIPT, **asked)
        if not account.linked_at:
            later = {"until": NOW + timedelta(hours=1), "recheck": PACE.recheck}
            yield lambda: lifecycle.parked(account, Reason.OUTAGE, **asked, **later)
        return
    checked = account.status in {Status.PENDING, Status.ACTIVE, Status.ERROR}
    narrow = replace(RECEIPT, capabilities={"profiles": "no"})
    for verdict in (
        Accepted(RECEIPT),
        Accepted(narrow),
        Rejected(Reason.TOKEN_UNAUTHORIZED),
        Rejected(Reason.SITE_UNKNOWN),
        Undetermined(Reason.OUTAGE),
    ):
        if checked:
            yield lambda verdict=verdict: lifecycle.checked(
                account, verdict, pace=PACE, cause=CAUSE
            )
    if account.parking:
        yield lambda: lifecycle.expired(account, CAUSE)
    yield lambda: lifecycle.renamed(account, Names(label="x"), CAUSE)
    for status in (Status.SUSPENDED, Status.ACTIVE):
        yield lambda status=status: lifecycle.paused(account, status, CAUSE)
    yield lambda: lifecycle.unlinked(account, recovery=timedelta(days=7), cause=CAUSE)
    if account.status is Status.UNLINKED:
        yield lambda: lifecycle.deletion_scheduled(account, final=NOW, cause=CAUSE)
        yield lambda: lifecycle.restored(account, CAUSE)


def happens() -> Iterator[tuple[str, str, str]]:
    """Every change that is told, by the statuses before and after it and the ledger's action."""
    for account in accounts():
        for transition in transitions(account):
            try:
                change = transition()
            except Problem:
                continue
            if change and change.entry:
                gone = isinstance(change.after, Tombstone)
                yield account.status, "[*]" if gone else change.after.status, change.entry.action


def test_the_statuses_are_drawn_as_they_change() -> None:
    arrows = {
        (one, other, action)
        for one, other, said in drawn("stateDiagram-v2")
        for action in said.split(", ")
        if one != "[*]"
    }
    assert arrows == set(happens())


def test_every_transition_is_drawn() -> None:
    said = {action for *_, actions in drawn("stateDiagram-v2") for action in actions.split(", ")}
    assert {one.action for one in Transition} <= said

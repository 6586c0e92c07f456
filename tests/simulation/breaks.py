"""The product, broken on purpose in one place: unless that is found, the rest proves nothing.

Each break is a patch of the product, with what its finding must say first (one of these), and the
kinds of actors among whom it shows: `make test` plays those, `make simulate BREAKS=1` all seeds.
"""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from namely_link.aws import accounts, sessions, table, turn
from namely_link.aws.accounts import AccountTable
from namely_link.aws.bus import EventBridgeBus
from namely_link.aws.outbox import OutboxTable
from namely_link.aws.queue import CheckQueue
from namely_link.aws.seal import KmsSeal
from namely_link.aws.sessions import SessionTable
from namely_link.aws.turn import SweepTurn
from namely_link.aws.vault import SecretsManagerVault
from namely_link.commands import change, check, link, reconcile, requests, sweep
from namely_link.domain import lifecycle, probe
from namely_link.domain.account import Attempt, Status
from namely_link.domain.problems import SecretMissingError, StorageError
from namely_link.domain.sessions import ConnectSession
from namely_link.domain.values import SecretVersion, Token, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Break:
    """What is broken, as what it may be found, and among which kinds of actors.

    `seed` is one that found it among them: where it still does, no other is played.
    """

    name: str
    found_as: frozenset[str]
    kinds: tuple[str, ...]
    seed: int
    apply: Callable[[ExitStack], object]


_BREAKS: list[Break] = []

LINKS: Final = ("links by key", "links by session")
AGAIN: Final = ("links by key", "links again")


def _broken(
    name: str, found_as: str, *kinds: str, seed: int = 0
) -> Callable[[Callable[[ExitStack], object]], Callable[[ExitStack], object]]:
    def note(apply: Callable[[ExitStack], object]) -> Callable[[ExitStack], object]:
        _BREAKS.append(Break(name, frozenset(found_as.split()), kinds, seed, apply))
        return apply

    return note


def _with(stack: ExitStack, target: Any, name: str, value: Any) -> None:
    stack.enter_context(patch.object(target, name, value))


# The fence


@_broken(
    "a row is written whatever was written since it was read",
    "I1 I4 I5 I6 I7 I9 I10 I13 S2",
    *AGAIN,
    "renames",
    "unlinks",
)
def _(stack: ExitStack) -> None:
    _with(stack, accounts, "unless_written", lambda _fence: {})


@_broken(
    "taking a row does not raise its fence", "I1 I4 I5 I6 I7 I9 I10 I13 S2", *AGAIN, "links by form"
)
def _(stack: ExitStack) -> None:
    real = table.written

    def written(state: Any, events: Any = ()) -> Any:
        held = not events and getattr(state, "attempt", None)
        return real(
            replace(state, fence=state.fence - 1) if held and state.fence else state, events
        )

    _with(stack, table, "written", written)


@_broken("two accounts may have the same owner and site", "I4", *LINKS, "requests a link")
def _(stack: ExitStack) -> None:
    _with(stack, AccountTable, "of_pair", lambda *_: None)
    _with(stack, accounts, "_held_by", lambda _id: {})


@_broken(
    "a session is written whatever was written since it was read",
    "I5 I12 I14",
    "links by session",
    "links by form",
    "revokes a session",
)
def _(stack: ExitStack) -> None:
    _with(stack, sessions, "unless_written", lambda _fence: {})


# Leases


@_broken(
    "anybody takes a row over at any time",
    "I1 I2 I6 I7 I9 I10",
    *AGAIN,
    "links by form",
    "links by portal",
)
def _(stack: ExitStack) -> None:
    _with(stack, Attempt, "over", lambda *_: True)


@_broken("a lease never ends", "I10 I13", *LINKS)
def _(stack: ExitStack) -> None:
    _with(stack, Attempt, "over", lambda *_: False)


@_broken("a lease is shorter than a link may run", "I1 I9 I10 I13", "unlinks", "restores", seed=442)
def _(stack: ExitStack) -> None:
    for module in (link, change, lifecycle):
        _with(stack, module, "LEASE", timedelta(seconds=2))


@_broken("a row is held for a day", "I10 I13", *LINKS)
def _(stack: ExitStack) -> None:
    for module in (link, change, lifecycle):
        _with(stack, module, "LEASE", timedelta(days=1))


@_broken("what a dead attempt has left is not looked at", "I9", *AGAIN, seed=11)
def _(stack: ExitStack) -> None:
    def taken(account: Any, mine: Any, now: Any) -> Any:
        return replace(_TAKEN(account, mine, now), unsettled=account.unsettled)

    _with(stack, lifecycle, "_taken", taken)


_TAKEN: Final = lifecycle._taken


@_broken("what a link that gave up may have written is not looked at", "I9", *AGAIN, seed=117)
def _(stack: ExitStack) -> None:
    real = lifecycle.let_go

    def let_go(account: Any, *, wrote: bool, now: Any) -> Any:
        return real(account, wrote=wrote and not account.committed, now=now)

    _with(stack, lifecycle, "let_go", let_go)


# Order


@_broken("the row is committed before its secret is written", "I1 I6", *LINKS)
def _(stack: ExitStack) -> None:
    def write(command: Any, account: Any, _ports: Any) -> Any:
        held = lifecycle.held(account)
        return account, SecretVersion(account.secret_name, held.id)

    def commit(command: Any, permit: Any, before: Any, change: Any, ports: Any) -> Any:
        done = _COMMIT(command, permit, before, change, ports)
        _WRITE(command, before, ports)
        return done

    _with(stack, link, "_write", write)
    _with(stack, link, "_commit", commit)


_COMMIT, _WRITE = link._commit, link._write


@_broken("a re-link's token serves before it is committed", "I6 I9", *AGAIN)
def _(stack: ExitStack) -> None:
    real = SecretsManagerVault.put_candidate

    def put(self: Any, **asked: Any) -> Any:
        version = real(self, **asked)
        found = self.client.describe_secret(SecretId=version.arn)["VersionIdsToStages"]
        current = next(one for one, labels in found.items() if "AWSCURRENT" in labels)
        self._move("AWSCURRENT", version.arn, current, to=version.version_id)
        return version

    _with(stack, SecretsManagerVault, "put_candidate", put)


@_broken("unlinking deletes the secret before the row says so", "I1", "unlinks", "renames", *AGAIN)
def _(stack: ExitStack) -> None:
    real = change.unlink

    def unlink(account: Any, **asked: Any) -> Any:
        if account.status is not Status.UNLINKED:
            asked["ports"].vault.delete(account.secret_name, recovery_days=7)
        return real(account, **asked)

    _with(stack, change, "unlink", unlink)


@_broken("restoring says active before the secret is back", "I1", "unlinks", "restores")
def _(stack: ExitStack) -> None:
    def restore(account: Any, *, cause: Any, ports: Any) -> Any:
        if account.status is not Status.UNLINKED:
            return account
        lifecycle.check_restorable(account, cause.now)
        done = ports.accounts.commit(lifecycle.restored(account, cause))
        ports.vault.restore(account.secret_name)
        return done

    _with(stack, change, "restore", restore)


@_broken("the row of a link that died goes before its secret", "I2", *LINKS)
def _(stack: ExitStack) -> None:
    def bury(tombstone: Any, ports: Any) -> str:
        ports.accounts.commit(lifecycle.Change(before=tombstone, after=None))
        ports.vault.delete(tombstone.secret_name, recovery_days=None)
        return "undone"

    _with(stack, sweep, "_bury", bury)


# Retries, and what comes twice


@_broken("a commit that failed is answered with success", "I3", *LINKS, seed=56)
def _(stack: ExitStack) -> None:
    _with(stack, table.Table, "_took_effect", lambda *_: True)


@_broken(
    "a request of the bus is done each time that it comes",
    "I11",
    "requests a link",
    "requests an unlinking",
    seed=20,
)
def _(stack: ExitStack) -> None:
    _with(stack, OutboxTable, "was_done", lambda *_: False)
    real = requests._done
    _with(
        stack,
        requests,
        "_done",
        lambda asked, now: replace(real(asked, now), key=f"{asked.key}{now}"),
    )


@_broken(
    "a request of the bus is done over newer work",
    "I11",
    "requests a link",
    "requests an unlinking",
    "links by key",
)
def _(stack: ExitStack) -> None:
    _with(stack, lifecycle, "check_not_stale", lambda *_: None)


@_broken("that a pair was unlinked is forgotten", "I11", "requests a link", "unlinks")
def _(stack: ExitStack) -> None:
    _with(stack, AccountTable, "unlinked_at", lambda *_: "")


@_broken("a seal is for every request", "I11", "requests a link", "replays a seal")
def _(stack: ExitStack) -> None:
    def unseal(self: Any, sealed: str, **_bound: Any) -> str:
        text, _ = json.loads(base64.b64decode(sealed))
        return base64.b64decode(text[::-1]).decode()

    _with(stack, KmsSeal, "unseal", unseal)


@_broken("a session is not used up by its link", "I5", "links by session", "links by form")
def _(stack: ExitStack) -> None:
    real = AccountTable.commit

    def commit(self: Any, change: Any, *more: Any, use: Any = None, done: Any = None) -> Any:
        return real(self, change, *more, done=done)

    _with(stack, AccountTable, "commit", commit)


@_broken("a refusal costs no attempt", "I5", "guesses tokens", "links by form")
def _(stack: ExitStack) -> None:
    _with(
        stack,
        ConnectSession,
        "spent",
        lambda self, attempt_id, **_of: self.given_back(attempt_id),
    )


@_broken("what gave no verdict costs an attempt", "I12", "links by session", "links by form")
def _(stack: ExitStack) -> None:
    def given_back(self: Any, attempt_id: str) -> Any:
        left = max(self.attempts_left - 1, 0)
        return replace(
            self,
            claims={k: v for k, v in self.claims.items() if k != attempt_id},
            attempts_left=left,
        )

    def spent(self: Any, attempt_id: str, *, fingerprint: str) -> Any:
        return given_back(self, attempt_id)

    _with(stack, ConnectSession, "given_back", given_back)
    _with(stack, ConnectSession, "spent", spent)


@_broken("a lost answer costs an attempt more", "I12", "guesses tokens", "links by form", seed=166)
def _(stack: ExitStack) -> None:
    def spent(self: Any, attempt_id: str, *, fingerprint: str) -> Any:
        return replace(self.given_back(attempt_id), attempts_left=max(self.attempts_left - 1, 0))

    _with(stack, ConnectSession, "spent", spent)

    def put(self: Any, put: Any) -> None:
        with table.translated("PutItem"):
            self.client.put_item(**put)

    _with(stack, table.Table, "_put", put)


@_broken("a session that was revoked may link", "I14", "links by session", "revokes a session")
def _(stack: ExitStack) -> None:
    real = SessionTable.session

    def session(self: Any, session_id: str) -> Any:
        found = real(self, session_id)
        return replace(found, state="open") if found and found.state == "revoked" else found

    def revoke(self: Any, session_id: str) -> None:
        found = real(self, session_id)
        if found and found.state == "open":
            self.save(replace(found, state="revoked"))

    _with(stack, SessionTable, "session", session)
    _with(stack, SessionTable, "revoke_session", revoke)

    def used(self: Any, use: Any) -> Any:
        item = _USED(self, use)
        values = item["Update"]["ExpressionAttributeValues"]
        values[":open"] = {"S": "nothing"}
        item["Update"]["ConditionExpression"] = "#s <> :open AND attribute_exists(claims.#mine)"
        return item

    _with(stack, AccountTable, "_used", used)


_USED: Final = AccountTable._used


# Partial failures


@_broken("an event that the bus refuses is taken for put", "I7", *LINKS, "renames", "suspends")
def _(stack: ExitStack) -> None:
    def put(self: Any, events: Any) -> None:
        entries = [
            {
                "EventBusName": self.name,
                "Source": "namely-link",
                "DetailType": kind,
                "Detail": json.dumps(detail),
            }
            for kind, detail in events
        ]
        if entries:
            try:
                self.client.put_events(Entries=entries)
            except Exception as error:
                raise StorageError from error

    _with(stack, EventBridgeBus, "put", put)


@_broken("an event that can't be put is left out", "I7", *LINKS, "renames", "suspends")
def _(stack: ExitStack) -> None:
    real = EventBridgeBus.put

    def put(self: Any, events: Any) -> None:
        try:
            real(self, events)
        except StorageError:
            return

    _with(stack, EventBridgeBus, "put", put)


@_broken("events are not in the committing transaction", "I7", *LINKS)
def _(stack: ExitStack) -> None:
    real = table.written
    _with(stack, table, "written", lambda state, _events=(): real(state))


@_broken("a deletion that failed is taken for done", "I13", "unlinks", seed=17)
def _(stack: ExitStack) -> None:
    real = SecretsManagerVault.delete

    def delete(self: Any, name: str, *, recovery_days: int | None) -> Any:
        try:
            return real(self, name, recovery_days=recovery_days)
        except StorageError:
            return datetime(2027, 1, 1, tzinfo=UTC)

    _with(stack, SecretsManagerVault, "delete", delete)


# The sweep, and the daily reconcile


@_broken("the sweep leaves things as they are", "I9 I10 I13", *LINKS)
def _(stack: ExitStack) -> None:
    _with(stack, sweep, "finish", lambda *_: "running")


@_broken("a sweep waits for no other one", "S4", *LINKS)
def _(stack: ExitStack) -> None:
    _with(stack, SweepTurn, "take", lambda *_, **_asked: "mine")


@_broken("a sweep takes its turn whoever has it", "S4", *LINKS, seed=90)
def _(stack: ExitStack) -> None:
    def take(self: Any, *, now: Any, until: Any) -> str:
        self.table.write([self.table.putting(turn._turn(str(now), until), {})])
        return str(now)

    _with(stack, SweepTurn, "take", take)


@_broken("a sweep that died keeps its turn for a day", "I9 I10", *LINKS, seed=121)
def _(stack: ExitStack) -> None:
    _with(stack, sweep, "SWEEP_TURN", timedelta(days=1))


@_broken("a check that the queue refuses is taken for asked", "S4", *LINKS, seed=216)
def _(stack: ExitStack) -> None:
    real = CheckQueue.put_all

    def put_all(self: Any, account_ids: Any, *, actor: Any) -> list[str]:
        real(self, account_ids, actor=actor)
        return []

    _with(stack, CheckQueue, "put_all", put_all)


@_broken("what the sweep asks for is checked each time", "S5", *LINKS, seed=29)
def _(stack: ExitStack) -> None:
    _with(stack, lifecycle, "check_wanted", lambda *_: True)


@_broken("a tombstone is looked at once", "I2", *LINKS)
def _(stack: ExitStack) -> None:
    real = lifecycle.buried

    def buried(tombstone: Any, now: Any) -> Any:
        done = real(tombstone, now)
        return replace(done, after=replace(done.after, look_at=""))

    _with(stack, lifecycle, "buried", buried)


@_broken("a secret is settled once", "I9", *AGAIN, seed=60)
def _(stack: ExitStack) -> None:
    _with(
        stack,
        lifecycle,
        "_settled",
        lambda account, _now: replace(account, attempt=None, unsettled=None),
    )


@_broken("settling takes labels away but makes nothing current", "I9", *AGAIN)
def _(stack: ExitStack) -> None:
    real = SecretsManagerVault._move

    def move(self: Any, label: str, arn: str, holder: str, *, to: str = "") -> None:
        if not to:
            real(self, label, arn, holder)

    _with(stack, SecretsManagerVault, "_move", move)


@_broken("nothing is ever reconciled", "I2 I9", *LINKS, "requests a link", seed=137)
def _(stack: ExitStack) -> None:
    _with(stack, reconcile, "_compare", lambda *_: "")


@_broken("an unlinked account's secret is left where the first try failed", "I13", "unlinks")
def _(stack: ExitStack) -> None:
    _with(stack, lifecycle, "deletion_due", lambda *_: False)


@_broken("an account that is linked has no due date", "I10", *LINKS)
def _(stack: ExitStack) -> None:
    real = lifecycle.due_at

    def due_at(state: Any) -> str:
        plain = (
            getattr(state, "status", "") is Status.ACTIVE
            and not state.attempt
            and not state.unsettled
        )
        return "" if plain else real(state)

    for module in (lifecycle, table):
        _with(stack, module, "due_at", due_at)


# Checks, and parked links


@_broken("one refusal is enough for a failure", "I8", "asks for a check", "requests a check")
def _(stack: ExitStack) -> None:
    real = lifecycle._refused

    def refused(account: Any, reason: Any, pace: Any, cause: Any) -> Any:
        return real(account, reason, replace(pace, recheck=pace.recheck * 0), cause)

    _with(stack, lifecycle, "_refused", refused)


@_broken(
    "a refusal in the middle of an incident counts",
    "I8 I12",
    "asks for a check",
    "requests a check",
)
def _(stack: ExitStack) -> None:
    _with(stack, probe, "_doubt", lambda *_: None)
    _with(stack, probe, "barred", lambda _site: None)
    for module in (link, check):
        _with(stack, module, "barred", lambda _site: None)


@_broken("a secret that somebody deleted is not missed", "I1", "deletes a secret", *LINKS, seed=11)
def _(stack: ExitStack) -> None:
    real = SecretsManagerVault.read

    def read(self: Any, version: Any) -> Any:
        try:
            return real(self, version)
        except SecretMissingError as error:
            raise StorageError from error

    _with(stack, SecretsManagerVault, "read", read)


@_broken("a parked link waits for ever", "I10", "links by session", "links by form", seed=14)
def _(stack: ExitStack) -> None:
    real = sweep.finish

    def finish(row: Any, ports: Any) -> Any:
        parking = getattr(row, "parking", None)
        if parking and parking.until <= timestamp(ports.now()):
            later = timestamp(ports.now() + timedelta(days=1))
            after = replace(row, parking=replace(parking, until=later))
            ports.accounts.commit(lifecycle.Change(before=row, after=after))
            return "waiting"
        return real(row, ports)

    _with(stack, sweep, "finish", finish)


@_broken("linking again makes a suspended account active", "S2", "suspends", *AGAIN)
def _(stack: ExitStack) -> None:
    real = lifecycle.linked

    def linked(account: Any, *given: Any, **asked: Any) -> Any:
        done = real(account, *given, **asked)
        return replace(done, after=replace(done.after, status=Status.ACTIVE))

    _with(stack, lifecycle, "linked", linked)


@_broken("linking again takes the label that came with it", "S2", "links by key", "renames")
def _(stack: ExitStack) -> None:
    real = link._store

    def store(command: Any, permit: Any, account: Any, receipt: Any, ports: Any) -> Any:
        return real(
            command, permit, replace(account, label=command.label or account.label), receipt, ports
        )

    _with(stack, link, "_store", store)


@_broken("the hint is the whole token", "S1", *LINKS)
def _(stack: ExitStack) -> None:
    _with(stack, Token, "hint", property(Token.reveal))


BREAKS: Final = tuple(_BREAKS)
BY_NAME: Final = {one.name: one for one in BREAKS}


@contextmanager
def broken(one: Break) -> Iterator[None]:
    """Break the product until the block ends."""
    with ExitStack() as stack:
        one.apply(stack)
        yield

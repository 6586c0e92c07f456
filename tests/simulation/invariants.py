"""What always holds, looked at from outside: rows, secrets, events and answers, never our own code.

`Watch` is told of each row, secret, event and answer as it comes, and looks at all of it at rest.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer

from namely_link.domain.values import timestamp
from namely_link.http.bearers import parse
from simulation.namely import BAD, A, B, C, profile_of

if TYPE_CHECKING:
    from simulation.dynamodb import Item
    from simulation.scheduler import Process
    from simulation.world import Answered, World

INVARIANTS: Final = {
    "I1": "an active account has a secret whose pinned version holds the token that was probed",
    "I2": "no secret exists without a row that names it",
    "I3": "success was answered only after the commit, and a committed link is found again",
    "I4": "one owner and site has at most one account that is not unlinked",
    "I5": "a session links at most once, and takes at most its attempts",
    "I6": "a re-link that fails leaves the old token serving",
    "I7": "every committed change has its event, in order, and no event tells of anything else",
    "I8": "only an explicit refusal while Namely answers normally, or a secret that somebody "
    "deleted, marks an account as failed",
    "I9": "at rest AWSCURRENT is the pinned version, and no version that was not committed remains",
    "I10": "everything comes to rest in its time",
    "I11": "a request that was done is never done again, and none is done over newer work",
    "I12": "only a verdict on what was typed costs an attempt",
    "I13": "unlinking is possible within a minute, and a receipt says what is true",
    "I14": "revoking ends what it made, at once",
    "S1": "a token is nowhere but in Secrets Manager",
    "S2": "what somebody has decided stays: that an account is suspended, its label",
    "S3": "a function never fails with an error that it does not expect",
    "S4": "one sweep is at work at a time, and it tells of every check that the queue did not take",
    "S5": "what the sweep asks for is checked while a check is due, and never else",
}

LINKS: Final = {"linked", "relinked", "relinked_other_site", "parked"}
_CHANGES: Final = {*LINKS, "suspended", "resumed", "unlinked", "restored"}
"""What somebody does on purpose, and a request of before would undo: a new name is kept by all."""
ATTEMPTS: Final = 5

_deserialize = TypeDeserializer().deserialize


def text(item: Item | None, name: str) -> str:
    """Return a text of a row, '' where there is none."""
    return str((item or {}).get(name, {}).get("S", ""))


def pinned(item: Item | None) -> str:
    """Return the version that consumers read, '' where there is none."""
    return str(item["secret"]["M"]["version_id"]["S"]) if item and "secret" in item else ""


def revision(item: Item) -> int:
    return int(item.get("revision", {}).get("N", 0))


def row_key(secret_name: str) -> tuple[str, str]:
    """Return the key of the row that a secret's name was made for."""
    account = secret_name.rpartition("/")[2].partition("-")[0]
    return f"ACCOUNT#{account}", "ACCOUNT"


def is_account(item: Item | None) -> bool:
    """Whether a row is an account; what is left of an undone link is none."""
    return bool(item) and item["sk"]["S"] == "ACCOUNT" and "owner_id" in item


@dataclass(frozen=True)
class Violation:
    """What did not hold, and when."""

    invariant: str
    what: str
    time: float

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


@dataclass
class Watch:
    """Looks at one world."""

    world: World
    violations: list[Violation] = field(default_factory=list)
    rest: float = inf
    """When the last fault was over."""
    attempts_rest: float = 0.0
    """Seconds from then until the attempts of before were closed, and no link was pending."""
    pending_rest: float = 0.0
    _open: dict[str, float] = field(default_factory=dict)
    _pending: dict[str, float] = field(default_factory=dict)
    _committed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _parked: dict[str, str] = field(default_factory=dict)
    """Until when each version was to wait for Namely, as was said first."""
    _tokens: dict[str, str] = field(default_factory=dict)
    _deleted_by_hand: dict[str, float] = field(default_factory=dict)
    _invocations: dict[str, list[Process]] = field(default_factory=lambda: defaultdict(list))
    _refusals: Counter[str] = field(default_factory=Counter)
    _decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    _once_by_hand: set[tuple[str, str]] = field(default_factory=set)
    """Rows whose secret was deleted by hand, also where a late call has made one anew."""
    _turned_late: set[str] = field(default_factory=set)
    _forged: set[str] = field(default_factory=set)
    _of_tomorrow: set[str] = field(default_factory=set)
    _requests: dict[str, float] = field(default_factory=dict)
    _revoked: dict[str, float] = field(default_factory=dict)
    _changes: dict[str, list[tuple[float, str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def broken(self, invariant: str, what: str) -> None:
        """Note a violation, once."""
        if not any((one.invariant, one.what) == (invariant, what) for one in self.violations):
            self.violations.append(Violation(invariant, what, self.world.scheduler.now))

    # As it comes

    def row(self, old: Item | None, new: Item | None) -> None:
        now = self.world.scheduler.now
        item = new or old
        assert item
        key, kind = item["pk"]["S"], item["sk"]["S"]
        if kind == "ACCOUNT":
            self._timed(self._open, key, "attempts_rest", bool(new) and "attempt" in new)
            waits = text(new, "status") == "pending" and not text(new, "parked_until")
            self._timed(self._pending, key, "pending_rest", waits)
            self._waits_no_longer(old)
            if is_account(new):
                assert new
                self._account(old, new)
                if "field_of_tomorrow" in new:
                    self._of_tomorrow.add(key)
        elif kind.startswith("LEDGER#") and new:
            entry = _plain(new)
            self._entry(key.removeprefix("ACCOUNT#"), entry, now)
        elif kind == "SWEEP":
            assert new
            held = bool(old) and text(old, "ends_at") > timestamp(self.world.moment())
            if held and text(old, "sweep_id") != text(new, "sweep_id"):
                self.broken("S4", "a sweep takes the turn of another one")
        elif kind == "SESSION" and new and int(new["attempts_left"]["N"]) < 0:
            self.broken("I5", "more attempts than a session has")

    def secret(self, name: str) -> None:
        secret = self.world.vault.secrets.get(name)
        item = self.world.table.items.get(row_key(name))
        if secret and secret.scheduled_at is None and pinned(item) in secret.values:
            self._deleted_by_hand.pop(name, None)
        if secret:
            for version, value in secret.values.items():
                self._tokens[version] = json.loads(value)["token"]
        if is_account(item):
            assert item
            self._serves(item)

    def calls(self, process: Process, operation: str, asked: dict[str, Any]) -> None:
        """The product makes a call."""
        kept = process.kept
        match operation:
            case "put_item" if asked["Item"]["pk"] == {"S": "SWEEP"}:
                kept["turn"] = True
            case "query" if asked.get("IndexName") == "due" and "turn" not in kept:
                self.broken("S4", "a sweep looks for what is due and asks for no turn")
            case "get_secret_value" if kept["message"]["actor"]["kind"] == "sweep":
                self._check_was_due(kept["message"]["account_id"], kept["since"])

    def answers(self, process: Process, answer: dict[str, Any]) -> None:
        """A call is answered, which may say that a part of it was not done."""
        undone = process.kept.get("undone", 0) + len(answer.get("Failed", ()))
        process.kept["undone"] = undone

    def ended(self, process: Process, function: str, result: Any) -> None:
        """A function has come to its end."""
        if function == "sweep":
            told = result.get("faults", 0) + result.get("busy", 0)
            if told < process.kept.get("undone", 0):
                self.broken("S4", "a check that the queue did not take is not told of")

    def _check_was_due(self, account: str, since: float) -> None:
        """Look at all that the row has said while the check ran."""
        history = self.world.table.history[f"ACCOUNT#{account}", "ACCOUNT"]
        before = [item for time, item in history if time <= since][-1:]
        now = timestamp(self.world.moment())
        said = before + [item for time, item in history if time > since]
        if not any(
            text(item, "queued_until") or text(item, "next_check_at") <= now for item in said
        ):
            self.broken("S5", "a check of the sweep is made, and none was due")

    def asked(self, process: Process, method: str, path: str, bearer: str, body: Any) -> None:
        if session := _session(method, path, bearer, body):
            process.kept["dry_run"] = isinstance(body, dict) and bool(body.get("dry_run"))
            self._invocations[session].append(process)

    def answered(self, method: str, path: str, bearer: str, body: Any, answer: Answered) -> None:
        if answer.status == 500:
            self.broken("S3", "an internal error was answered")
        if answer.status == 422 and (session := _session(method, path, bearer, body)):
            self._refusals[session] += 1
            if self._refusals[session] > ATTEMPTS:
                self.broken("I5", "more verdicts than a session has attempts")
        if not answer.done:
            return
        if (method, path) == ("POST", "/v1/accounts") and isinstance(body, dict):
            if not body.get("dry_run"):
                self._link_answered(body["token"], answer)
        elif method == "DELETE" and path.startswith("/v1/accounts/"):
            self._unlink_answered(path.rpartition("/")[2], answer)
        elif method == "DELETE" and path.startswith("/v1/connect-sessions/"):
            if answer.body.get("state") == "open":
                self.broken("I14", "revoking was answered with success and the session is open")
            if answer.body.get("state") != "used":
                self._revoked.setdefault(path.rpartition("/")[2], self.world.scheduler.now)

    def requested(self, event: dict[str, Any]) -> None:
        if event["detail-type"] == "Check Requested":
            return  # what the check finds is its own
        moment = datetime.fromisoformat(event["time"]).timestamp()
        self._requests[str(event["detail"].get("request_id"))] = moment

    def turned_late(self, secret_id: str) -> None:
        """A secret is deleted or restored though the caller has given up: the sweep turns it."""
        self._turned_late |= {
            one.name
            for one in self.world.vault.secrets.values()
            if secret_id in {one.name, one.arn}
        }

    def forged(self, request: str) -> None:
        """A seal that was captured is sent under this id."""
        self._forged.add(request)

    def by_hand(self, name: str) -> None:
        """Somebody is about to delete a secret."""
        self._once_by_hand.add(row_key(name))
        self._deleted_by_hand[name] = self.world.scheduler.now

    def _waits_no_longer(self, item: Item | None) -> None:
        """Look at whether a link that is parked until now has come to its end in time."""
        until = self._parked.get(pinned(item), "") if text(item, "status") == "pending" else ""
        late = self.world.moment() - datetime.fromisoformat(until) if until else timedelta(0)
        if late > timedelta(minutes=15):
            self.broken("I10", "a parked link has not ended by its time")

    def _timed(self, since: dict[str, float], key: str, name: str, holds: bool) -> None:
        """Keep since when something holds of a row; of what held at rest, when it ended."""
        now = self.world.scheduler.now
        if not holds:
            if since.pop(key, now) <= self.rest < now:
                setattr(self, name, now - self.rest)
        else:
            since.setdefault(key, now)

    def _account(self, old: Item | None, new: Item) -> None:
        if version := pinned(new):
            if until := text(new, "parked_until"):
                self._parked.setdefault(version, until)
            self._committed[new["id"]["S"]].add(version)
        status, before = text(new, "status"), text(old, "status")
        if old and revision(old):
            self._decisions(old, new)
        if status != "unlinked" and status != before:
            self._one_of_its_pair(new)
        if status == "active":
            self._serves(new)
        if status == "error" and before != "error":
            token = self._tokens.get(pinned(new), "")
            by_hand = row_key(text(new, "secret_name")) in self._once_by_hand
            if not by_hand and self.world.namely.refused[token] < 2:
                self.broken("I8", "an account failed without two refusals")

    def _decisions(self, old: Item, new: Item) -> None:
        """What somebody has decided is changed by who decides otherwise, which the ledger tells."""
        for name, action, changed in (
            (
                "a suspended account",
                "resumed",
                text(old, "status") == "suspended" and text(new, "status") == "active",
            ),
            ("a label", "renamed", text(old, "label") != text(new, "label")),
        ):
            if changed:
                self._decided[new["id"]["S"], action] += 1
                told = sum(
                    pk == new["pk"]["S"] and item.get("action", {}).get("S") == action
                    for (pk, _), item in self.world.table.items.items()
                )
                if told < self._decided[new["id"]["S"], action]:
                    self.broken("S2", f"{name} is changed by something else")

    def _one_of_its_pair(self, new: Item) -> None:
        same = [
            item
            for item in self.world.table.items.values()
            if is_account(item)
            and text(item, "owner_id") == text(new, "owner_id")
            and text(item, "subdomain") == text(new, "subdomain")
            and text(item, "status") != "unlinked"
        ]
        if len(same) > 1:
            self.broken("I4", f"{len(same)} accounts of one owner and site")

    def _serves(self, item: Item) -> None:
        """What consumers read of an active account."""
        if text(item, "status") != "active":
            return
        name = text(item, "secret_name")
        if name in self._deleted_by_hand:
            return
        again = "I6" if revision(item) > 1 else "I1"
        secret = self.world.vault.secrets.get(name)
        if secret is None or secret.scheduled_at is not None:
            if name not in self._turned_late or secret is None:
                self.broken("I1", "the secret of an active account is deleted")
            return
        version = pinned(item)
        value = secret.values.get(version)
        if value is None:
            self.broken(again, "the pinned version of an active account is gone")
            return
        token = json.loads(value)["token"]
        if token not in self.world.namely.accepted:
            self.broken("I1", "the pinned version holds a token that was never accepted")
        if "identity" not in item or item["identity"]["M"]["profile_id"]["S"] != profile_of(token):
            self.broken("I1", "the receipt is that of another token")
        if text(item, "token_hint") != token[-4:]:
            self.broken("I1", "the hint is that of another token")
        current = secret.labels.get("AWSCURRENT", "")
        if current not in self._committed[item["id"]["S"]] and revision(item) > 1:
            self.broken("I6", "a version that was never committed is AWSCURRENT")

    def _entry(self, account: str, entry: dict[str, Any], now: float) -> None:
        actor, action = entry["actor"], entry["action"]
        if actor["kind"] == "session" and action in LINKS:
            session = str(actor["name"])
            self._changes[session].append((now, action, ""))
            if len(self._changes[session]) > 1:
                self.broken("I5", "a session has linked twice")
            if self._revoked.get(session, now) < now:
                self.broken("I14", "a session that was revoked has linked")
        if action in _CHANGES:
            request = str(entry["request_id"])
            if actor["kind"] == "event" and request in self._requests:
                self._request_done(account, request, now)
            asked = datetime.fromisoformat(entry["at"]).timestamp()
            self._changes[account].append((asked, action, request))
            self._changes[self._pair(account)].append((asked, action, request))

    def _pair(self, account: str) -> str:
        """Return the owner and site of an account."""
        item = self.world.table.items[f"ACCOUNT#{account}", "ACCOUNT"]
        return f"{text(item, 'owner_id')} {text(item, 'subdomain')}"

    def _request_done(self, account: str, request: str, now: float) -> None:
        if request in self._forged:
            self.broken("I11", "a seal that was captured was taken")
        done = [one for one in self._changes[account] if one[2] == request]
        if done or self._changes[f"request {request}"]:
            self.broken("I11", "a request was done twice")
        self._changes[f"request {request}"].append((now, "", ""))
        asked = self._requests.get(request)
        if asked and any(
            time > asked
            for time, _, other in self._changes[self._pair(account)]
            if other != request
        ):
            self.broken("I11", "a request was done over newer work")

    def _link_answered(self, token: str, answer: Answered) -> None:
        account = answer.body.get("id", "")
        history = self.world.table.history.get((f"ACCOUNT#{account}", "ACCOUNT"), [])
        versions = [one for _, one in history if one and pinned(one)]
        held = any(self._tokens.get(pinned(one)) == token for one in versions)
        verified = any(text(one, "status") != "pending" for one in versions)
        if not held or not (verified or answer.status == 202):
            self.broken("I3", f"{answer.status} was answered and nothing was committed")
        if answer.status != 202 and answer.body.get("status") not in {
            "active",
            "suspended",
            "error",
            "unlinked",
        }:
            self.broken("I3", f"{answer.status} was answered with {answer.body.get('status')}")

    def _unlink_answered(self, account: str, answer: Answered) -> None:
        item = self.world.table.items.get((f"ACCOUNT#{account}", "ACCOUNT"))
        receipt = answer.body.get("deletion") or {}
        if answer.body.get("status") != "unlinked":
            self.broken(
                "I13", "unlinking was answered with success and the account is not unlinked"
            )
        secret = self.world.vault.secrets.get(text(item, "secret_name"))
        there = secret is not None and secret.scheduled_at is None
        there = there and text(item, "secret_name") not in self._turned_late
        if receipt.get("scheduled_at") and there and text(item, "status") == "unlinked":
            self.broken("I13", "a receipt of a deletion whose secret is there")

    # At rest

    def attempts_over(self) -> None:
        if any(since < self.rest + 60 for since in self._open.values()):
            self.broken("I10", "an attempt is open two minutes after the last fault")

    def pending_over(self) -> None:
        if any(since < self.rest + 60 for since in self._pending.values()):
            self.broken("I10", "a link is pending five minutes after the last fault")

    def young_strays(self) -> None:
        """Look at what is gone long before the daily reconcile.

        That is all but what took effect very late, and the secrets of an account of which somebody
        has deleted one by hand.
        """
        for name, secret in self.world.vault.secrets.items():
            row = self._row_of(name)
            if secret.scheduled_at is not None or row_key(name) in self._once_by_hand:
                continue
            if not row:
                self.broken("I2", "a secret without an account a quarter of an hour later")
            if row and any(one.startswith("NAMELY_LINK") for one in secret.labels):
                self.broken("I9", "a candidate's label is left a quarter of an hour later")

    def waits(self) -> bool:
        """Whether something waits for a check, for the reconcile or for Namely."""
        strays = any(not self._row_of(name) for name in self.world.vault.secrets)
        parked = any(
            is_account(one) and text(one, "status") == "pending"
            for one in self.world.table.items.values()
        )
        return strays or parked or bool(self._deleted_by_hand)

    def at_rest(self) -> None:
        """Look at everything once it has come to rest."""
        table = self.world.table
        accounts = [one for one in table.items.values() if is_account(one)]
        for name, secret in self.world.vault.secrets.items():
            row = self._row_of(name)
            if not row and secret.scheduled_at is None:
                self.broken("I2", "a secret without an account")
        for item in accounts:
            self._rests(item)
        self._pairs(accounts)
        self._sessions()
        self._events()
        if self.world.failures:
            self.broken("S3", self.world.failures[0].partition(": ")[2])
        self._tokens_stay_put()

    def _row_of(self, secret_name: str) -> Item | None:
        row = self.world.table.items.get(row_key(secret_name))
        named = is_account(row) and text(row, "secret_name") == secret_name
        return row if named else None

    def _rests(self, item: Item) -> None:
        if item["pk"]["S"] in self._of_tomorrow and "field_of_tomorrow" not in item:
            self.broken("S2", "a field of another release was dropped")
        status = text(item, "status")
        name = text(item, "secret_name")
        secret = self.world.vault.secrets.get(name)
        self._waits_no_longer(item)
        if status in {"active", "error", "pending"} and "due_at" not in item:
            self.broken("I10", f"an account that is {status} has no due date")
        if status == "unlinked":
            if secret and secret.scheduled_at is None:
                self.broken("I13", "the secret of an unlinked account is there")
            receipt = item.get("deletion", {}).get("M", {})
            if not text(receipt, "final_at"):
                self.broken("I13", "the receipt of an unlinking is never complete")
            return
        if name in self._deleted_by_hand:
            if (
                status == "active"
                and self._deleted_by_hand[name] + 86400 * 1.1 + 1800 < self.world.scheduler.now
            ):
                self.broken("I1", "an active account has no secret since somebody deleted it")
            return
        if secret is None or secret.scheduled_at is not None:
            self.broken("I1", f"an account that is {status} has no secret")
            return
        if secret.labels.get("AWSCURRENT") != pinned(item):
            self.broken("I9", "AWSCURRENT is not the pinned version")
        strangers = set(secret.labels) - {"AWSCURRENT", "AWSPREVIOUS"}
        if strangers:
            self.broken("I9", "a candidate's label is left")
        if set(secret.labels.values()) - self._committed[item["id"]["S"]]:
            self.broken("I9", "a version that was never committed has a label")

    def _pairs(self, accounts: list[Item]) -> None:
        expected = {
            f"PAIR#{text(one, 'owner_id')}#{text(one, 'subdomain')}": one["id"]["S"]
            for one in accounts
            if text(one, "status") != "unlinked"
        }
        held = {
            pk: item["account_id"]["S"]
            for (pk, sk), item in self.world.table.items.items()
            if sk == "PAIR"
        }
        if held != expected:
            self.broken("I4", "the pairs are not those of the accounts")

    def _sessions(self) -> None:
        for (pk, sk), item in self.world.table.items.items():
            if sk != "SESSION":
                continue
            session = pk.removeprefix("SESSION#")
            cost = (
                ATTEMPTS
                - int(item["attempts_left"]["N"])
                - len(item.get("claims", {}).get("M", {}))
            )
            verdicts = sum(_verdict(one) for one in self._invocations[session])
            if cost > verdicts:
                self.broken("I12", "an attempt was taken without a verdict")
            if text(item, "state") == "used" and not self._changes[session]:
                self.broken("I5", "a session is used up and nothing was linked")

    def _events(self) -> None:
        told: dict[str, list[dict[str, Any]]] = defaultdict(list)
        seen: set[str] = set()
        for _, entry in self.world.events:
            detail = json.loads(entry["Detail"])
            if detail["event_id"] not in seen:
                seen.add(detail["event_id"])
                told[(detail["account"] or {}).get("id", "")].append(
                    detail | {"type": entry["DetailType"]}
                )
        for (pk, sk), history in self.world.table.history.items():
            if sk == "ACCOUNT":
                versions = [one for _, one in history]
                self._tells(versions, told.pop(pk.removeprefix("ACCOUNT#"), []))
        for events in told.values():
            known = {"Link Rejected", "Request Refused"}
            if any(one["type"] not in known for one in events):
                self.broken("I7", "an event of an account that never was")

    def _tells(self, versions: list[Item | None], events: list[dict[str, Any]]) -> None:
        committed: dict[int, Item] = {0: {}}
        for item in versions:
            if is_account(item) and revision(item) and revision(item) not in committed:
                committed[revision(item)] = item
        numbers = [one["account"]["revision"] for one in events if "revision" in one["account"]]
        if numbers != sorted(numbers):
            self.broken("I7", f"events out of order: {[one['type'] for one in events]}")
        for one in events:
            number = one["account"].get("revision")
            if number is None:
                if one["type"] not in {"Link Rejected", "Request Refused"}:
                    self.broken("I7", f"{one['type']} without an account")
            elif (
                number not in committed
                or text(committed[number], "status") != one["account"]["status"]
            ):
                self.broken("I7", f"{one['type']} tells of what was not committed")
        before: Item = {}
        for number, item in sorted(committed.items()):
            wanted = _wanted(before, item)
            if wanted and not any(
                one["account"].get("revision") == number and one["type"] in wanted for one in events
            ):
                self.broken(
                    "I7",
                    f"a change from {text(before, 'status') or 'nothing'} to "
                    f"{text(item, 'status')} has no event",
                )
            before = item

    def _tokens_stay_put(self) -> None:
        shown = str(list(self.world.table.items.values())) + str(self.world.events)
        if any(token in shown for token in (A, B, C, BAD)):
            self.broken("S1", "a token stands in a row or an event")


def _plain(row: Item) -> dict[str, Any]:
    return {key: _deserialize(value) for key, value in row.items()}


def _session(method: str, path: str, bearer: str, body: Any) -> str:
    if (method, path) != ("POST", "/v1/accounts"):
        return ""
    if isinstance(body, str):
        bearer = body.partition("session=")[2].partition("&")[0]
    found = parse(bearer)
    return found.id if found and bearer.startswith("nls_") else ""


def _verdict(link: Process) -> bool:
    """Whether Namely said of what was typed that it is wrong, or only tried, that it is right."""
    return "refused" in link.kept or ("accepted" in link.kept and link.kept["dry_run"])


def _wanted(before: Item, after: Item) -> set[str]:
    """Which event a change must have, as one of these; none for what nobody is told of."""
    was, now = text(before, "status"), text(after, "status")
    match was, now:
        case ("", "active") | ("pending", "active"):
            return {"Account Linked"}
        case ("", "pending"):
            return {"Link Parked"}
        case ("unlinked", "active"):
            return {"Account Linked"}
        case (_, "unlinked") if was != now:
            return {"Account Unlinked"}
        case (_, "error") if was != now:
            return {"Account Failed"}
        case ("error", "active"):
            return {"Account Recovered", "Account Relinked"}
    if pinned(before) != pinned(after):
        return {"Link Parked"} if now == "pending" else {"Account Relinked"}
    if was != now or text(before, "label") != text(after, "label"):
        return {"Account Updated"}
    return set()

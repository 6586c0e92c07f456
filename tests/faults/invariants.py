"""What always holds, looked at from outside: rows, secrets, events and answers, never our own code.

I1 to I8 are those of the design; S1 and S2 are what its safety and its sweep promise.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from faults.house import PREFIX, profile_of

if TYPE_CHECKING:
    from faults.house import House

INVARIANTS: Final = {
    "I1": "an active account has a secret whose pinned version holds the token that was probed",
    "I2": "no secret exists without a row that names it",
    "I3": "success was answered only after the commit, and a committed link is found again",
    "I4": "one owner and site has at most one account that is not unlinked",
    "I5": "a session links at most once, and takes at most its attempts",
    "I6": "a re-link that fails leaves the old token serving",
    "I7": "every committed change has its event, in order, and no event tells of anything else",
    "I8": "only an explicit refusal by Namely marks an account as failed",
    "S1": "a token is nowhere but in Secrets Manager",
    "S2": "after the sweep nothing is left half-done",
}

_EVENT_OF: Final = {
    "linked": "Account Linked",
    "relinked": "Account Relinked",
    "restored": "Account Linked",
    "parked": "Link Parked",
    "rejected": "Link Rejected",
    "unlinked": "Account Unlinked",
    "renamed": "Account Updated",
    "suspended": "Account Updated",
    "resumed": "Account Updated",
    "failed": "Account Failed",
    "recovered": "Account Recovered",
    "noticed": ("Account Updated", "Capabilities Changed", "Token Expiring"),
    "deletion_scheduled": (),
}
"""What each action of the ledger has to be told as."""

_LINKS: Final = {"linked", "relinked", "parked"}

_deserialize = TypeDeserializer().deserialize


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _deserialize(value) for key, value in row.items()}


@dataclass
class Inspector:
    """Looks at a stack while it works and when it has come to rest."""

    house: House
    violations: list[str] = field(default_factory=list)
    _pinned: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _first: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.house.wire.watch = self.watch

    def broken(self, invariant: str, what: str) -> None:
        """Note a violation, once."""
        text = f"{invariant}: {what}"
        if text not in self.violations:
            self.violations.append(text)

    def watch(self) -> None:
        """Look at what holds at every moment: what consumers read (I1, I6), and I4."""
        accounts = self.accounts()
        for account in accounts:
            if account.get("secret"):
                self._pinned[account["id"]].add(account["secret"]["version_id"])
            if account["status"] == "active":
                self._serves(account)
        self._one_of_each_pair(accounts)

    def at_rest(self) -> None:
        """Look at what holds once the sweep has run."""
        self.house.wire.watch = None
        self.watch()
        accounts = self.accounts()
        self._secrets_have_rows(accounts)
        self._nothing_half_done(accounts)
        self._answers_were_true(accounts)
        self._sessions()
        self._events()
        self._failures(accounts)
        self._tokens_stay_put()

    def token(self, account: dict[str, Any]) -> str:
        """Return what a consumer reads in the pinned version, '' where there is none."""
        secret = account.get("secret")
        if not secret:
            return ""
        try:
            value = self.house.raw["secretsmanager"].get_secret_value(
                SecretId=secret["arn"], VersionId=secret["version_id"]
            )
        except ClientError:
            return ""
        return str(json.loads(value["SecretString"])["token"])

    def stages(self, account: dict[str, Any]) -> dict[str, list[str]] | None:
        """Return the labels of each version, None where the secret is gone or scheduled to go."""
        try:
            described = self.house.raw["secretsmanager"].describe_secret(
                SecretId=account["secret"]["arn"]
            )
        except ClientError:
            return None
        return None if "DeletedDate" in described else described["VersionIdsToStages"]

    def accounts(self) -> list[dict[str, Any]]:
        """Return the rows of accounts, without what is left of links that came to nothing."""
        return [one for one in self._rows() if one["status"] != "undone"]

    def _rows(self) -> list[dict[str, Any]]:
        return [_plain(row) for row in self.house.rows() if row["sk"]["S"] == "ACCOUNT"]

    def _serves(self, account: dict[str, Any]) -> None:
        token, stages = self.token(account), self.stages(account)
        if not token or not stages:
            self.broken("I6" if account["revision"] > 1 else "I1", "no pinned version to be read")
            return
        if token not in self.house.namely.accepted:
            self.broken("I1", "the pinned version holds a token that was never accepted")
        if account["identity"]["profile_id"] != profile_of(token):
            self.broken("I1", "the receipt is that of another token")
        if account["token_hint"] != token[-4:]:
            self.broken("I1", "the hint is that of another token")
        current = [one for one, labels in stages.items() if "AWSCURRENT" in labels]
        if account["id"] not in self._first:
            # What a first link that died has left stays current until the sweep.
            self._first[account["id"]] = set(current)
        if not set(current) <= self._pinned[account["id"]] | self._first[account["id"]]:
            self.broken("I6", "a version that was never committed is AWSCURRENT")

    def _one_of_each_pair(self, accounts: list[dict[str, Any]]) -> None:
        pairs = Counter(
            (one["owner_id"], one["subdomain"]) for one in accounts if one["status"] != "unlinked"
        )
        for pair, number in pairs.items():
            if number > 1:
                self.broken("I4", f"{number} accounts of {pair}")

    def _secrets_have_rows(self, accounts: list[dict[str, Any]]) -> None:
        named = {one["secret_name"] for one in accounts}
        for secret in self.house.secrets():
            if secret["Name"] not in named:
                self.broken("I2", "a secret without a row")

    def _nothing_half_done(self, accounts: list[dict[str, Any]]) -> None:
        for account in accounts:
            if account["status"] == "pending":
                self.broken("S2", "a pending account")
            if "attempt" in account:
                self.broken("S2", "an attempt that is neither committed nor given up")
            if "unsettled" in account:
                self.broken("S2", "a secret that is still to be looked at")
            if account.get("secret"):
                self._labels(account)
        held = {row["pk"]["S"]: row for row in self.house.rows() if row["sk"]["S"] == "PAIR"}
        expected = {
            f"PAIR#{one['owner_id']}#{one['subdomain']}": one["id"]
            for one in accounts
            if one["status"] != "unlinked"
        }
        if {key: row["account_id"]["S"] for key, row in held.items()} != expected:
            self.broken("S2", "the pairs are not those of the accounts")

    def _labels(self, account: dict[str, Any]) -> None:
        stages = self.stages(account)
        if (stages is None) != (account["status"] == "unlinked"):
            self.broken("I1", "the secret is deleted, or is not, unlike its row")
        if stages is None:
            return  # labels can't be moved any more
        pinned = stages.get(account["secret"]["version_id"], [])
        if "AWSCURRENT" not in pinned:
            self.broken("S2", "the pinned version is not AWSCURRENT")
        labels = {label for one in stages.values() for label in one}
        if labels - {"AWSCURRENT", "AWSPREVIOUS"}:
            self.broken("S2", "a candidate label is left")

    def _answers_were_true(self, accounts: list[dict[str, Any]]) -> None:
        known = {one["id"]: one for one in accounts}
        ledgers = self._ledgers()
        for file, reply in self.house.replies:
            if not file.startswith("link/link") or not reply.done:
                continue
            account = reply.body["id"]
            actions = {entry["action"] for entry in ledgers[account]}
            wanted = {"parked"} if reply.status == 202 else _LINKS
            if not actions & wanted:
                self.broken("I3", "success was answered and nothing was committed")
            if reply.status != 202 and account not in known:
                self.broken("I3", "a linked account is gone")

    def _ledgers(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        rows = [_plain(row) for row in self.house.rows() if row["sk"]["S"].startswith("LEDGER#")]
        for row in sorted(rows, key=lambda one: str(one["sk"])):
            found[str(row["pk"]).removeprefix("ACCOUNT#")].append(row)
        return found

    def _sessions(self) -> None:
        links: Counter[str] = Counter(
            entry["actor"]["name"]
            for entries in self._ledgers().values()
            for entry in entries
            if entry["actor"]["kind"] == "session" and entry["action"] in _LINKS
        )
        for session, number in links.items():
            if number > 1:
                self.broken("I5", f"a session has linked {number} times: {session[:8]}")
        for row in self.house.rows():
            if row["sk"]["S"] == "SESSION":
                session = _plain(row)
                if session["attempts_left"] < 0:
                    self.broken("I5", "more attempts than a session has")
                if session["state"] == "used" and not links[session["id"]]:
                    self.broken("I5", "a session is used up and nothing was linked")

    def _events(self) -> None:
        told: dict[str, list[str]] = defaultdict(list)
        revisions: dict[str, list[int]] = defaultdict(list)
        seen: set[str] = set()
        for entry in self.house.wire.published:
            detail = json.loads(entry["Detail"])
            if detail["event_id"] in seen:
                continue
            seen.add(detail["event_id"])
            account = detail["account"]
            told[account.get("id", "")].append(entry["DetailType"])
            if "revision" in account:  # not where a link came to nothing
                revisions[account["id"]].append(account["revision"])
        for account, numbers in revisions.items():
            if numbers != sorted(numbers):
                self.broken("I7", f"events out of order: {told[account]}")
        for account, entries in self._ledgers().items():
            wanted = [one["action"] for one in entries if _EVENT_OF[one["action"]] != ()]
            if not _tells(told.pop(account, []), wanted):
                self.broken("I7", f"the ledger says {wanted}, the events do not")
        for account, kinds in told.items():
            if kinds != ["Link Rejected"]:
                self.broken("I7", f"events of what was not committed: {account} {kinds}")

    def _failures(self, accounts: list[dict[str, Any]]) -> None:
        for account in accounts:
            if account["status"] == "error":
                token = self.token(account)
                if self.house.namely.refused[token] < 2:
                    self.broken("I8", "an account failed without two refusals")

    def _tokens_stay_put(self) -> None:
        namely = self.house.namely
        tokens = namely.good | namely.accepted | {one for one in namely.refused if one}
        text = json.dumps(self.house.rows(), default=str) + json.dumps(self.house.wire.published)
        text += self.house.logs.getvalue() + json.dumps([r.body for _, r in self.house.replies])
        if any(token in text for token in tokens):
            self.broken("S1", "a token stands in a row, an event, a log line or an answer")
        if any(not secret["Name"].startswith(PREFIX) for secret in self.house.secrets()):
            self.broken("S1", "a secret outside its place")


def _tells(kinds: list[str], actions: list[str]) -> bool:
    """Whether the events are those of the actions, in order; a check may notice several things."""
    left = list(kinds)
    for action in actions:
        wanted = _EVENT_OF[action]
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if not left or left.pop(0) not in allowed:
            return False
        while isinstance(wanted, tuple) and left and left[0] in allowed[1:]:
            left.pop(0)
    return not left

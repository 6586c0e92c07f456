"""A deployment of an earlier release is upgraded in place, and every account works on.

The earlier release is taken from this repository's own history, built by its own `sam build`,
deployed by its own template, and filled over its own HTTP API. Then this tree is deployed over it,
as `sam build && sam deploy` does in production: CloudFormation changes, adds and removes what
differs, and rows, secrets, sessions and keys stay. Nothing here knows a function by name.

In one thing the emulator is not like AWS: an API whose routes have changed is made anew, and the
old one removed. So callers go to another address after the upgrade; on AWS it stays
(`local.stack.upgrade`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from contract import DOCUMENT
from deployment.target import session
from local.stack import ROOT, STACK, Stack, running, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BEFORE = "2beb8e1a7e351370960fddda1095e84bd0369d78"
"""The last commit before rows got a fence."""

OWNERS = (
    *("linked", "renamed", "checked", "unlinked-later", "relinked-later", "relinked", "suspended"),
    *("resumed", "unlinked", "restored", "linked-anew", "used", "parked"),
)
"""Each has one account before the upgrade, named after what becomes of it."""

KEPT = (
    *("id", "owner", "provider", "subdomain", "site", "identity", "visible_people", "capabilities"),
    *("status", "status_reasons", "secret", "token_hint", "token_expires_by", "label", "metadata"),
    *("type", "created_at", "linked_at", "recoverable_until", "deletion", "revision"),
)
"""What a release shows of an account as the one before did; when it is checked may move."""


def release(commit: str) -> Path:
    """Return the tree of a commit, with what was built of it before."""
    tree = ROOT / ".aws-sam" / "releases" / commit
    if not tree.exists():
        archive = subprocess.run(
            ["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=False
        )
        if archive.returncode:
            pytest.fail(
                f"The history of this clone has no commit {commit[:7]}, which the upgrade begins"
                f" at; a shallow clone gets it by `git fetch --unshallow`: {archive.stderr!r}"
            )
        fresh = tree.with_name(f"{commit}.{os.getpid()}")
        fresh.mkdir(parents=True)
        packed = fresh.with_suffix(".tar")
        packed.write_bytes(archive.stdout)
        with tarfile.open(packed) as opened:
            opened.extractall(fresh, filter="data")
        packed.unlink()
        fresh.rename(tree)
    return tree


def earlier(tree: Path, stack: Stack, *arguments: str) -> str:
    """Run a command of the earlier release and return what it says."""
    paths = f"{tree / 'layers' / 'shared'}:{tree}"
    ran = subprocess.run(
        [sys.executable, "-B", "-m", *arguments, "--stack", STACK],
        cwd=tree,
        env=dict(stack.environ) | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


@dataclass
class Story:
    """The deployment, and what its users hold since before the upgrade."""

    stack: Stack
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """As they were shown before, by their owner."""
    tokens: dict[str, str] = field(default_factory=dict)
    """The token that serves each account."""
    bearers: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    ledgers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    layers: set[str] = field(default_factory=set)

    def credential(self, name: str) -> dict[str, str]:
        known = self.stack.simulator.credential(name)
        return {"subdomain": known.subdomain, "token": known.token}

    def link(self, owner: str, name: str, **more: object) -> dict[str, Any]:
        body = self.credential(name) | {"owner_id": owner, "owner_name": f"{owner} Ltd"} | more
        status, account = self.stack.call("POST", "/v1/accounts", body)
        assert status in {200, 201}, account
        self.tokens[owner] = body["token"]
        return dict(account)

    def session(self, owner: str) -> str:
        """Make a connect session; its bearer is returned."""
        asked = {"owner_id": owner, "owner_name": f"{owner} Ltd", "expires_in": 86400}
        status, made = self.stack.call("POST", "/v1/connect-sessions", asked)
        assert status == 201, made
        self.sessions[owner] = made
        return str(made["token"])

    def current(self, bearer: str) -> dict[str, Any]:
        """Return a connect session as who holds it sees it."""
        status, shown = self.stack.call("GET", "/v1/connect-sessions/current", bearer=bearer)
        assert status in {200, 410}, shown
        return dict(shown)

    def read(self, owner: str) -> dict[str, Any]:
        status, account = self.stack.call("GET", f"/v1/accounts/{self.accounts[owner]['id']}")
        assert status == 200, account
        return dict(account)

    def act(self, owner: str, action: str) -> dict[str, Any]:
        path = f"/v1/accounts/{self.accounts[owner]['id']}/{action}"
        status, account = self.stack.call("POST", path)
        assert status in {200, 202}, account
        return dict(account)

    def ledger(self, owner: str) -> list[dict[str, Any]]:
        path = f"/v1/accounts/{self.accounts[owner]['id']}/ledger"
        return list(self.stack.call("GET", path)[1]["entries"])

    def aws(self, service: str) -> Any:
        endpoint = self.stack.aws_endpoint
        return session(self.stack.environ).client(service, endpoint_url=endpoint)

    def pinned(self, account: dict[str, Any]) -> str:
        """Return the token under the version that an account names."""
        secret = account["secret"]
        value = self.aws("secretsmanager").get_secret_value(
            SecretId=secret["arn"], VersionId=secret["version_id"]
        )
        return str(json.loads(value["SecretString"])["token"])

    def stages(self, account: dict[str, Any]) -> dict[str, list[str]]:
        described = self.aws("secretsmanager").describe_secret(SecretId=account["secret"]["arn"])
        return dict(described["VersionIdsToStages"])

    def layers_of_functions(self) -> set[str]:
        functions = self.aws("lambda").list_functions()["Functions"]
        return {layer["Arn"] for one in functions for layer in one.get("Layers", [])}

    def wait(self, owner: str, come: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for what the queue and the schedule bring about."""
        end = time.monotonic() + 180
        while not come(account := self.read(owner)) and time.monotonic() < end:
            time.sleep(0.5)
        assert come(account), account
        return account


def live(story: Story) -> None:
    """Let the earlier release be used."""
    stack = story.stack
    story.link("linked", "acme", label="Payroll", metadata={"plan": "gold"})
    for owner in ("renamed", "checked", "unlinked-later"):
        story.link(owner, "small-company")
    story.link("relinked-later", "acme")
    story.link("relinked", "acme")
    story.link("relinked", "acme-second-token")
    for owner in ("suspended", "resumed"):
        account = story.link(owner, "acme")
        assert stack.call("POST", f"/v1/accounts/{account['id']}/suspend")[0] == 200
    for owner in ("unlinked", "restored", "linked-anew"):
        account = story.link(owner, "acme")
        assert stack.call("DELETE", f"/v1/accounts/{account['id']}")[0] == 200
    story.session("open")
    begun = story.session("begun")
    wrong = story.credential("acme") | {"token": "NotTheRightToken0123456789"}
    assert stack.call("POST", "/v1/accounts", wrong, bearer=begun)[0] == 422
    used = story.session("used")
    assert stack.call("POST", "/v1/accounts", story.credential("acme"), bearer=used)[0] == 201
    story.tokens["used"] = story.credential("acme")["token"]
    asked = {"rank": "operator", "expires_in": 86400}
    story.bearers["portal"] = stack.call("POST", "/v1/portal-sessions", asked)[1]["token"]
    parked = story.session("parked")
    stack.simulator.outage(True)
    assert stack.call("POST", "/v1/accounts", story.credential("acme"), bearer=parked)[0] == 202
    story.tokens["parked"] = story.credential("acme")["token"]
    for owner in OWNERS:
        (account,) = stack.call("GET", f"/v1/accounts?owner_id={owner}")[1]["accounts"]
        story.accounts[owner] = account
        story.ledgers[owner] = story.ledger(owner)
    story.sessions |= {
        owner: story.current(made["token"]) | {"token": made["token"]}
        for owner, made in story.sessions.items()
    }
    story.layers = story.layers_of_functions()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    tree = release(BEFORE)
    state, many = tmp_path_factory.mktemp("upgrade"), {"RequestsPerSecond": "500"}
    with running(state=state, source=tree, parameters=many) as stack:
        bearers = {
            name: earlier(tree, stack, "local.api_key", "--name", name, "--scopes", scopes)
            for name, scopes in (
                ("backend", "link,sessions,read,manage,portal"),
                ("reader", "read"),
                ("revoked", "read"),
            )
        }
        earlier(tree, stack, "local.api_key", "--revoke", bearers["revoked"])
        built = Story(replace(stack, api_key=bearers["backend"]), bearers=bearers)
        live(built)
        built.stack = upgrade(built.stack)
        stack.simulator.outage(False)
        yield built


def test_every_function_is_of_the_new_release(story: Story) -> None:
    stacks = story.aws("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert stacks[0]["StackStatus"] == "UPDATE_COMPLETE"
    (before,), (after,) = story.layers, story.layers_of_functions()
    assert before != after
    shown = story.stack.call("GET", "/v1/openapi.json")[1]
    assert shown == DOCUMENT | {"servers": shown["servers"]}


@pytest.mark.parametrize("owner", [one for one in OWNERS if one != "parked"])
def test_an_account_is_listed_and_read_as_before(story: Story, owner: str) -> None:
    before = story.accounts[owner]
    (found,) = story.stack.call("GET", f"/v1/accounts?owner_id={owner}")[1]["accounts"]
    assert found == story.read(owner)
    assert {name: found[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert story.ledger(owner) == story.ledgers[owner]
    if found["status"] != "unlinked":
        assert story.pinned(found) == story.tokens[owner]


def test_the_list_has_all_of_them_page_by_page(story: Story) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        page = story.stack.call("GET", f"/v1/accounts?limit=5{more}")[1]
        found += [one["owner"]["id"] for one in page["accounts"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert sorted(found) == sorted(OWNERS)


def test_an_account_is_linked_again(story: Story) -> None:
    before = story.accounts["relinked-later"]
    after = story.link("relinked-later", "acme-second-token")
    assert (after["id"], after["status"]) == (before["id"], "active")
    assert after["revision"] > before["revision"]
    assert story.pinned(after) == story.credential("acme-second-token")["token"]
    assert story.pinned(before) == story.credential("acme")["token"]
    assert story.stages(after) == {
        after["secret"]["version_id"]: ["AWSCURRENT"],
        before["secret"]["version_id"]: ["AWSPREVIOUS"],
    }
    assert story.ledger("relinked-later")[1:] == story.ledgers["relinked-later"]


def test_an_account_that_was_linked_twice_is_linked_a_third_time(story: Story) -> None:
    after = story.link("relinked", "acme")
    assert after["id"] == story.accounts["relinked"]["id"]
    assert story.pinned(after) == story.credential("acme")["token"]
    assert story.stages(after)[after["secret"]["version_id"]] == ["AWSCURRENT"]


def test_an_account_is_renamed(story: Story) -> None:
    path = f"/v1/accounts/{story.accounts['renamed']['id']}"
    status, after = story.stack.call("PATCH", path, {"label": "New name"})
    assert (status, after["label"]) == (200, "New name")
    assert story.read("renamed")["label"] == "New name"


def test_an_account_is_suspended_and_resumed(story: Story) -> None:
    assert story.act("resumed", "resume")["status"] == "active"
    assert story.act("resumed", "suspend")["status"] == "suspended"
    assert story.read("suspended")["status"] == "suspended"
    assert story.act("suspended", "resume")["status"] == "active"


def test_an_account_is_restored(story: Story) -> None:
    after = story.act("restored", "restore")
    assert (after["status"], after["recoverable_until"]) == ("active", None)
    assert story.pinned(after) == story.tokens["restored"]


def test_an_unlinked_account_can_be_linked_anew(story: Story) -> None:
    after = story.link("linked-anew", "acme-second-token")
    assert after["id"] != story.accounts["linked-anew"]["id"]
    assert story.pinned(after) == story.tokens["linked-anew"]
    assert story.read("linked-anew")["status"] == "unlinked"


def test_an_account_is_unlinked(story: Story) -> None:
    before = story.accounts["unlinked-later"]
    status, after = story.stack.call("DELETE", f"/v1/accounts/{before['id']}")
    assert (status, after["status"]) == (200, "unlinked")
    described = story.aws("secretsmanager").describe_secret(SecretId=before["secret"]["arn"])
    assert "DeletedDate" in described


def test_an_account_is_checked(story: Story) -> None:
    before = story.accounts["checked"]
    story.act("checked", "check")
    after = story.wait("checked", lambda one: one["checked_at"] != before["checked_at"])
    assert after["status"] == "active"
    assert after["checked_at"] > before["checked_at"]


def test_a_session_that_was_open_links(story: Story) -> None:
    bearer = story.sessions["open"]["token"]
    body = story.credential("acme")
    status, account = story.stack.call("POST", "/v1/accounts", body, bearer=bearer)
    assert (status, account["status"], account["owner"]["id"]) == (201, "active", "open")
    (found,) = story.stack.call("GET", "/v1/accounts?owner_id=open")[1]["accounts"]
    assert story.pinned(found) == body["token"]


def test_a_session_that_was_begun_has_as_many_attempts_left(story: Story) -> None:
    before = story.sessions["begun"]
    assert story.current(before["token"])["attempts_left"] == before["attempts_left"]
    body = story.credential("acme")
    status, account = story.stack.call("POST", "/v1/accounts", body, bearer=before["token"])
    assert (status, account["status"]) == (201, "active")


def test_a_session_that_was_used_answers_as_it_did(story: Story) -> None:
    bearer, body = story.sessions["used"]["token"], story.credential("acme")
    status, account = story.stack.call("POST", "/v1/accounts", body, bearer=bearer)
    assert (status, account["id"]) == (201, story.accounts["used"]["id"])
    other = body | {"token": "other"}
    status, problem = story.stack.call("POST", "/v1/accounts", other, bearer=bearer)
    assert (status, problem["code"]) == (410, "session_used")
    assert story.read("used")["revision"] == story.accounts["used"]["revision"]


def test_a_portal_session_is_open(story: Story) -> None:
    bearer = story.bearers["portal"]
    status, shown = story.stack.call("GET", "/v1/portal-sessions/current", bearer=bearer)
    assert (status, shown["rank"]) == (200, "operator")
    path = f"/v1/accounts/{story.accounts['linked']['id']}"
    assert story.stack.call("GET", path, bearer=bearer)[0] == 200


def test_a_key_may_what_it_might_and_a_revoked_one_nothing(story: Story) -> None:
    path = f"/v1/accounts/{story.accounts['linked']['id']}"
    reader, revoked = story.bearers["reader"], story.bearers["revoked"]
    assert story.stack.call("GET", path, bearer=reader)[0] == 200
    assert story.stack.call("PATCH", path, {"label": "x"}, bearer=reader)[0] == 403
    assert story.stack.call("GET", path, bearer=revoked)[0] == 401


def test_a_parked_link_finishes(story: Story) -> None:
    before = story.accounts["parked"]
    assert before["status"] == "pending"
    after = story.wait("parked", lambda one: one["status"] != "pending")
    assert (after["id"], after["status"]) == (before["id"], "active")
    assert story.pinned(after) == story.tokens["parked"]


def test_nothing_was_left_in_dead_letters(story: Story) -> None:
    sqs = story.aws("sqs")
    waiting = {}
    for url in sqs.list_queues()["QueueUrls"]:
        asked = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        waiting[url.rpartition("/")[2]] = asked["Attributes"]["ApproximateNumberOfMessages"]
    assert {name: count for name, count in waiting.items() if "Dead" in name and count != "0"} == {}

"""The link command with the real adapters: the simulator over TLS, moto for AWS."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from namely_link.aws.registry import SHARDS, DynamoDbRegistry, published

from namely_link.aws.vault import SecretsManagerVault
from namely_link.commands.link import ByOwner, BySession, LinkCommand, LinkedAccount, Tried, link
from namely_link.commands.ports import Ports
from namely_link.commands.sweep import Sweeper
from namely_link.domain.account import (
    Account,
    Actor,
    ConnectSession,
    Owner,
    Status,
    new_id,
    timestamp,
)
from namely_link.domain.credentials import parse_credential
from namely_link.domain.probe import Questions
from namely_link.domain.problems import Code, Problem, Reason, StorageError
from namely_link.namely.api import NamelyApi
from schemas import validate
from simulator import Simulator
from world import Queue

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWNER = Owner("o1", "Owner One")
OPEN = ConnectSession(
    id="cs_1",
    owner=OWNER,
    state="open",
    attempts_left=3,
    created_at=timestamp(NOW),
    expires_at=timestamp(NOW + timedelta(minutes=30)),
)


@pytest.fixture(scope="module")
def simulator():
    with Simulator() as running:
        yield running


@dataclass
class World:
    simulator: Simulator
    table: Any
    secrets: Any
    ports: Ports

    def link(self, name: str = "acme", *, session: str = "", **changes: object):
        known = self.simulator.credential(name)
        command = LinkCommand(
            credential=parse_credential(known.subdomain, known.token),
            permission=BySession(session_id=session, bearer="nls_x")
            if session
            else ByOwner(owner=OWNER),
            actor=Actor(kind="api_key", name="backend"),
            request_id="r1",
        )
        return link(replace(command, **changes), self.ports)

    def problem(self, *args: object, **options: object) -> Problem:
        with pytest.raises(Problem) as caught:
            self.link(*args, **options)
        return caught.value

    def rows(self) -> list[str]:
        scanned = self.table.scan(TableName="table")["Items"]
        kinds = sorted(item["sk"]["S"].partition("#")[0] for item in scanned)
        return [kind for kind in kinds if kind != "ATTEMPTS"]  # of the owner, not of the link

    def swept(self) -> None:
        """Let a sweep finish what was left, once every lease is over."""
        Sweeper(
            registry=self.ports.registry,
            vault=self.ports.vault,
            checks=Queue(),
            now=lambda: NOW + timedelta(minutes=1),
            recovery_days=7,
            shards=SHARDS,
        ).sweep()

    def stored(self, linked: LinkedAccount) -> str:
        secret = linked.account.secret
        assert secret
        value = self.secrets.get_secret_value(SecretId=secret.arn, VersionId=secret.version_id)
        return json.loads(value["SecretString"])["token"]


@pytest.fixture
def world(simulator: Simulator, table):
    secrets = boto3.client("secretsmanager", region_name="eu-central-1")
    host, _, port = simulator.address.partition(":")
    with (
        NamelyApi(connect_to=(host, int(port)), ca_bundle=simulator.ca_pem) as api,
        ThreadPoolExecutor(max_workers=6) as pool,
    ):
        yield World(
            simulator,
            table,
            secrets,
            Ports(
                questions=Questions(namely=api, negative_control=True),
                pool=pool,
                vault=SecretsManagerVault(
                    client=secrets, prefix="stack/namely/", key_arn="alias/aws/test"
                ),
                registry=DynamoDbRegistry(client=table, table="table"),
                now=lambda: NOW,
                monotonic=time.monotonic,
                deadline_seconds=5,
                park_for=timedelta(hours=24),
                recheck=timedelta(minutes=5),
                owner_attempts=60,
            ),
        )


def fail(
    monkeypatch: pytest.MonkeyPatch, adapter: type, method: str, *, after: bool = False
) -> None:
    real = getattr(adapter, method)

    def failing(self, *args: object, **options: object) -> None:
        if after:
            real(self, *args, **options)
        raise StorageError(method)

    monkeypatch.setattr(adapter, method, failing)


def test_an_accepted_credential_is_linked_and_its_token_stored(world: World) -> None:
    linked = world.link()
    assert (linked.again, linked.account.status) == (False, Status.ACTIVE)
    assert world.stored(linked) == world.simulator.credential("acme").token
    assert world.ports.registry.account(linked.account.id) == linked.account
    assert linked.account.token_expires_by == "2028-11-23T12:00:00Z"


def test_linking_again_keeps_the_account_and_serves_the_new_token(world: World) -> None:
    first = world.link()
    again = world.link("acme-second-token")
    assert (again.account.id, again.again) == (first.account.id, True)
    assert world.stored(again) == world.simulator.credential("acme-second-token").token
    stages = world.secrets.describe_secret(SecretId=again.account.secret_name)["VersionIdsToStages"]
    assert "AWSCURRENT" in stages[again.account.secret.version_id]
    assert not world.ports.registry.account(first.account.id).unpromoted


@pytest.mark.parametrize("name", ["unknown-html", "refused-401-json", "error-500"])
def test_what_is_not_accepted_leaves_neither_row_nor_secret(world: World, name: str) -> None:
    assert world.problem(name).code == world.simulator.credential(name).expect
    assert world.rows() == []
    assert world.secrets.list_secrets()["SecretList"] == []


def test_a_dry_run_tells_what_it_learned_and_stores_nothing(world: World) -> None:
    tried = world.link(dry_run=True)
    assert isinstance(tried, Tried)
    assert tried.receipt.visible_people == 412
    assert world.rows() == []


def test_a_dry_run_of_a_refused_token_is_refused(world: World) -> None:
    assert world.problem("refused-401-json", dry_run=True).code is Code.TOKEN_REFUSED


def test_a_failed_relink_leaves_the_old_token_serving(world: World) -> None:
    first = world.link()
    token = world.simulator.credential("acme").token
    known = parse_credential("acme", "wrong" * 10)
    assert world.problem(credential=known).code is Code.TOKEN_REFUSED
    assert world.ports.registry.account(first.account.id) == first.account
    assert world.stored(first) == token


def test_a_session_links_once_and_answers_a_repetition_the_same(world: World) -> None:
    world.ports.registry.create_session(OPEN)
    first = world.link(session=OPEN.id)
    assert world.link(session=OPEN.id) == first
    assert world.rows().count("ACCOUNT") == 1


def test_a_used_session_links_nothing_else(world: World) -> None:
    world.ports.registry.create_session(OPEN)
    world.link(session=OPEN.id)
    assert world.problem("acme-second-token", session=OPEN.id).code is Code.SESSION_USED


def test_a_refused_attempt_says_how_many_are_left(world: World) -> None:
    world.ports.registry.create_session(OPEN)
    assert world.problem("refused-401-json", session=OPEN.id).attempts_left == 2


def test_a_relink_session_holds_to_its_site(world: World) -> None:
    account = world.link().account
    world.ports.registry.create_session(replace(OPEN, account_id=account.id))
    assert world.problem("small-company", session=OPEN.id).reason is Reason.SITE_MISMATCH
    assert world.link(session=OPEN.id).account.id == account.id


def test_a_relink_session_of_an_account_that_is_gone_is_refused(world: World) -> None:
    world.ports.registry.create_session(replace(OPEN, account_id=new_id("acc_")))
    assert world.problem(session=OPEN.id).reason is Reason.NOT_FOUND


def limit(world: World, most: int) -> None:
    world.ports = replace(world.ports, owner_attempts=most)


def test_an_owner_has_so_many_attempts_in_an_hour_whatever_the_bearer(world: World) -> None:
    limit(world, 3)
    world.ports.registry.create_session(OPEN)
    world.link()
    world.link(dry_run=True)
    world.problem("refused-401-json", session=OPEN.id)
    for session, left in (("", None), (OPEN.id, 1)):
        problem = world.problem(session=session)
        assert problem.reason is Reason.OWNER_ATTEMPTS_EXHAUSTED
        assert (problem.status, problem.retry_after, problem.attempts_left) == (429, 3600, left)


def test_beyond_its_limit_an_owners_token_is_not_sent(world: World, monkeypatch) -> None:
    limit(world, 1)
    world.link()
    sent: list[object] = []
    real = NamelyApi.get

    def get(self, subdomain, path, token, deadline):
        sent.append(token)
        return real(self, subdomain, path, token, deadline)

    monkeypatch.setattr(NamelyApi, "get", get)
    world.problem()
    assert sent == [None]


def test_another_owner_and_another_hour_have_attempts_of_their_own(world: World) -> None:
    limit(world, 1)
    world.link()
    world.link(permission=ByOwner(owner=Owner("o2", "Owner Two")))
    world.ports = replace(world.ports, now=lambda: NOW + timedelta(minutes=59, seconds=59.5))
    assert world.problem().retry_after == 1
    world.ports = replace(world.ports, now=lambda: NOW + timedelta(hours=1))
    assert world.link().again


def test_a_request_that_a_used_session_answers_again_is_no_attempt(world: World) -> None:
    limit(world, 1)
    world.ports.registry.create_session(OPEN)
    first = world.link(session=OPEN.id)
    for _ in range(2):
        assert world.link(session=OPEN.id) == first


def test_the_count_of_attempts_is_forgotten_after_its_hour(world: World) -> None:
    world.link()
    row = next(
        row for row in world.table.scan(TableName="table")["Items"] if row["sk"]["S"] == "ATTEMPTS"
    )
    assert int(row["ttl"]["N"]) == int((NOW + timedelta(hours=1)).timestamp())


def other_site(world: World, account: Account) -> None:
    world.ports.registry.create_session(replace(OPEN, account_id=account.id, other_site=True))


def test_an_operators_relink_moves_the_account_to_another_site(world: World) -> None:
    first = world.link()
    other_site(world, first.account)
    moved = world.link("small-company", session=OPEN.id)
    known = world.simulator.credential("small-company")
    assert (moved.again, moved.account.id) == (True, first.account.id)
    assert (moved.account.subdomain, moved.account.site.permalink) == (known.subdomain,) * 2
    assert world.ports.registry.account(first.account.id) == replace(
        moved.account, unpromoted=False
    )
    assert world.stored(moved) == known.token
    assert world.stored(first) == world.simulator.credential("acme").token
    repeated = world.link("small-company", session=OPEN.id)
    assert (repeated.again, repeated.account.id) == (True, first.account.id)


def test_moving_is_told_with_both_sites(world: World) -> None:
    account = world.link().account
    other_site(world, account)
    moved = world.link("small-company", session=OPEN.id).account
    entry = world.ports.registry.ledger(account.id)[0]
    assert entry.action == "relinked_other_site"
    assert entry.detail == f"acme → {moved.subdomain}"
    key = {"pk": {"S": f"ACCOUNT#{account.id}"}, "sk": {"S": "ACCOUNT"}}
    row = world.table.get_item(TableName="table", Key=key)["Item"]
    ((kind, detail),) = published({"NewImage": row})
    assert (kind, detail["previous_subdomain"]) == ("Account Relinked", "acme")
    validate(kind, detail)


def test_the_left_site_can_be_linked_anew(world: World) -> None:
    account = world.link().account
    other_site(world, account)
    world.link("small-company", session=OPEN.id)
    anew = world.link()
    assert (anew.again, anew.account.id != account.id) == (False, True)


def test_an_operators_relink_to_the_same_site_is_an_ordinary_one(world: World) -> None:
    account = world.link().account
    other_site(world, account)
    assert world.link("acme-second-token", session=OPEN.id).account.subdomain == "acme"
    assert world.ports.registry.ledger(account.id)[0].action == "relinked"


def test_an_account_does_not_move_to_a_site_of_another_account(world: World) -> None:
    account = world.link().account
    other = world.link("small-company").account
    other_site(world, account)
    problem = world.problem("small-company", session=OPEN.id)
    assert (problem.code, problem.retry_after) == (Code.CONFLICT, None)
    assert world.ports.registry.account(account.id) == account
    assert world.ports.registry.account(other.id) == other


@pytest.mark.parametrize("method", ["put_candidate", "commit"])
@pytest.mark.parametrize("after", [False, True])
def test_a_move_that_dies_anywhere_leaves_the_old_site_serving_or_is_done(
    world: World, method: str, after: bool
) -> None:
    first = world.link()
    other_site(world, first.account)
    adapter = SecretsManagerVault if method == "put_candidate" else DynamoDbRegistry

    def die(self, *args: object, **options: object) -> None:
        if after:
            real(self, *args, **options)
        raise KeyboardInterrupt

    real = getattr(adapter, method)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, method, die)
        with pytest.raises(KeyboardInterrupt):
            world.link("small-company", session=OPEN.id)
    world.swept()
    account = world.ports.registry.account(first.account.id)
    done = method == "commit" and after
    known = world.simulator.credential("small-company" if done else "acme")
    assert (account.subdomain, account.attempt) == (known.subdomain, None)
    assert world.stored(LinkedAccount(account, True)) == known.token
    assert world.rows().count("PAIR") == 1
    stages = world.secrets.describe_secret(SecretId=account.secret_name)["VersionIdsToStages"]
    assert stages[account.secret.version_id] == ["AWSCURRENT"]


def test_a_parked_account_moves_as_well(world: World) -> None:
    parked = world.link("error-500", permission=ByOwner(owner=OWNER, park=True)).account
    other_site(world, parked)
    moved = world.link(session=OPEN.id)
    assert (moved.again, moved.account.id, moved.account.subdomain) == (False, parked.id, "acme")
    entry = world.ports.registry.ledger(parked.id)[0]
    assert (entry.action, entry.detail) == ("linked", f"{parked.subdomain} → acme")


def test_a_relink_session_never_ends_on_another_account(world: World, monkeypatch) -> None:
    account = world.link().account
    world.ports.registry.create_session(replace(OPEN, account_id=account.id))
    real = DynamoDbRegistry.begin_again

    def late(self, *args: object, **options: object):
        """Between permit and attempt the account is unlinked, and the pair linked anew."""
        gone = replace(account, status=Status.UNLINKED)
        self.change(gone, events=(), entry=None, due_at=None)
        world.link()
        return real(self, *args, **options)

    monkeypatch.setattr(DynamoDbRegistry, "begin_again", late)
    assert world.problem("acme-second-token", session=OPEN.id).code is Code.CONFLICT
    anew = world.link()
    assert anew.account.id != account.id
    assert world.stored(anew) == world.simulator.credential("acme").token


def test_a_relink_session_of_a_pair_that_was_linked_anew_is_refused(world: World) -> None:
    account = world.link().account
    world.ports.registry.create_session(replace(OPEN, account_id=account.id))
    gone = replace(account, status=Status.UNLINKED)
    world.ports.registry.change(gone, events=(), entry=None, due_at=None)
    world.link()
    assert world.problem("acme-second-token", session=OPEN.id).reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("adapter", "method"), [(SecretsManagerVault, "create"), (DynamoDbRegistry, "commit")]
)
@pytest.mark.parametrize("after", [False, True])
def test_a_link_that_failed_half_way_is_finished_by_the_next(
    world: World, adapter: type, method: str, after: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fail(patch, adapter, method, after=after)
        if method == "commit" and after:
            linked = world.link()  # the answer was lost, but the row tells that it is linked
        else:
            assert world.problem().code is Code.STORAGE_UNAVAILABLE
            linked = None
    finished = linked or world.link()
    assert finished.account.status is Status.ACTIVE
    assert world.stored(finished) == world.simulator.credential("acme").token
    assert len(world.secrets.list_secrets()["SecretList"]) == 1


def test_a_promotion_that_fails_does_not_fail_the_link(world: World, monkeypatch) -> None:
    world.link()
    fail(monkeypatch, SecretsManagerVault, "promote")
    again = world.link("acme-second-token")
    assert world.stored(again) == world.simulator.credential("acme-second-token").token
    assert world.ports.registry.account(again.account.id).unpromoted


def test_a_session_that_is_used_meanwhile_is_a_conflict(world: World, monkeypatch) -> None:
    world.ports.registry.create_session(replace(OPEN, state="used"))
    monkeypatch.setattr(DynamoDbRegistry, "claim", lambda *_args, **_options: OPEN)
    assert world.problem(session=OPEN.id).code is Code.CONFLICT

"""A world whose AWS is moto: only Namely and the clock are fakes."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from namely_link.aws.registry import SHARDS, DynamoDbRegistry

from namely_link.aws.vault import SecretsManagerVault
from namely_link.commands.change import Manager
from namely_link.commands.check import Checker
from namely_link.commands.link import ByOwner, LinkCommand, LinkedAccount, link
from namely_link.commands.ports import Ports
from namely_link.commands.sweep import Sweeper
from namely_link.domain.account import (
    Account,
    Actor,
    Owner,
    Subdomain,
    Token,
)
from namely_link.domain.credentials import parse_credential
from namely_link.domain.probe import ME, PEOPLE, SITE, Answer, Questions, Reply
from one_by_one import OneByOne

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWNER = Owner("o1", "Owner One")
ACTOR = Actor(kind="check", name="sweep")
GOOD = "g" * 64
REFUSED = Answer(401, is_json=True, body={"error": ""})
DOWN = Answer(503, is_json=False)
PROFILE = {"id": "p1", "email": "a@b.example", "full_name": "Ada", "user_status": "active"}


class FakeNamely:
    """A site that can be changed; every token but the good one is refused."""

    def __init__(self) -> None:
        self.site: Reply = Answer(200, is_json=True, body={"name": "Acme", "permalink": "acme"})
        self.down: Reply | None = None
        self.profile: dict[str, Any] = dict(PROFILE)
        self.keys: dict[str, Any] = {"start_date": "2020-01-01"}
        self.good = {GOOD}

    def get(self, _subdomain: Subdomain, path: str, token: Token | None, _end: float) -> Reply:
        if self.down is not None:
            return self.down
        if path == SITE:
            return self.site
        if token is None or token.reveal() not in self.good:
            return REFUSED
        if path == ME:
            return Answer(200, is_json=True, body={"profiles": [self.profile], "meta": {}})
        if path == PEOPLE:
            rows = [self.profile, {"id": "p2", **self.keys}]
            return Answer(200, is_json=True, body={"profiles": rows, "meta": {"total_count": 2}})
        return REFUSED


@dataclass
class Queue:
    """Checks that were asked for."""

    waiting: list[str] = field(default_factory=list)

    def put(self, account_id: str, *, asked_by: str = "") -> None:  # noqa: ARG002 - of the port
        self.waiting.append(account_id)


@dataclass
class World:
    """Everything but Namely and the clock is real."""

    registry: DynamoDbRegistry
    vault: SecretsManagerVault
    secrets: Any
    namely: FakeNamely = field(default_factory=FakeNamely)
    queue: Queue = field(default_factory=Queue)
    now: datetime = START
    told: list[str] = field(default_factory=list)

    @property
    def questions(self) -> Questions:
        return Questions(
            namely=self.namely,
            negative_control=True,
        )

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def ports(self) -> Ports:
        return Ports(
            questions=self.questions,
            pool=OneByOne(),
            vault=self.vault,
            registry=self.registry,
            now=lambda: self.now,
            monotonic=lambda: 0.0,
            deadline_seconds=5,
            park_for=timedelta(hours=24),
            recheck=timedelta(minutes=5),
            owner_attempts=60,
        )

    def link(self, token: str = GOOD, *, park: bool = True):
        command = LinkCommand(
            credential=parse_credential("acme", token),
            permission=ByOwner(owner=OWNER, park=park),
            actor=Actor(kind="api_key", name="backend"),
            request_id="r1",
        )
        return link(command, self.ports())

    def linked(self) -> Account:
        done = self.link()
        assert isinstance(done, LinkedAccount)
        return done.account

    def check(self, account: Account) -> Account:
        checker = Checker(
            questions=self.questions,
            pool=OneByOne(),
            vault=self.vault,
            registry=self.registry,
            now=lambda: self.now,
            monotonic=lambda: 0.0,
            deadline_seconds=5,
            jitter=lambda: 1.0,
            recheck=timedelta(minutes=5),
        )
        checked = checker.check(account.id, actor=ACTOR, request_id="r2")
        return checked or self.read(account)

    def sweep(self) -> Counter[str]:
        return self.sweeper().sweep().done

    def sweeper(self) -> Sweeper:
        return Sweeper(
            registry=self.registry,
            vault=self.vault,
            checks=self.queue,
            now=lambda: self.now,
            recovery_days=7,
            shards=SHARDS,
        )

    def manager(self) -> Manager:
        return Manager(
            registry=self.registry,
            vault=self.vault,
            now=lambda: self.now,
            recovery_days=7,
            actor=Actor(kind="api_key", name="backend"),
            request_id="r3",
        )

    def read(self, account: Account) -> Account:
        found = self.registry.account(account.id)
        assert found
        return found

    def events(self, account: Account) -> list[str]:
        key = {"pk": {"S": f"ACCOUNT#{account.id}"}, "sk": {"S": "ACCOUNT"}}
        item = self.registry.client.get_item(TableName="table", Key=key)["Item"]
        return [event["M"]["type"]["S"] for event in item.get("outbox", {"L": []})["L"]]

    def actions(self, account: Account) -> list[str]:
        return [entry.action for entry in self.registry.ledger(account.id)]

    def secrets_left(self) -> list[str]:
        return [one["Name"] for one in self.secrets.list_secrets()["SecretList"]]

    def rows(self) -> list[dict[str, Any]]:
        rows = self.registry.client.scan(TableName="table")["Items"]
        return [row for row in rows if row["sk"]["S"] != "ATTEMPTS"]  # of owners, not of links

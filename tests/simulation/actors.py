"""Who does what in a run: people, systems and AWS, drawn from a seed.

An actor does one thing, again where its answer says so, or gives up. All work on few owners and
sites, so that they meet.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from namely_link.domain.sessions import ApiKey
from namely_link.domain.values import timestamp
from namely_link.http.access import SCOPES
from namely_link.http.bearers import Kind, mint
from simulation.namely import BAD, A, B, C, Spell
from simulation.wire import Fault, Step, Weather
from simulation.world import START, Answered, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SITES: Final = ("acme", "acme", "acme", "other")
OWNERS: Final = ("o1", "o1", "o1", "o2")
FIELDS_OF_TODAY: Final = ("type", "site", "warnings", "expiry_told", "locale", "created_by")
"""What a row may do without: a release that did not know them has left them out."""
TOKENS: Final = (A, A, B, B, C, BAD)


@dataclass
class Actor:
    """One of a run: what it does, when, and how patient it is."""

    name: str
    kind: str
    world: World
    calm: bool = False

    @property
    def draw(self) -> random.Random:
        return self.world.scheduler.current.random

    def __post_init__(self) -> None:
        self.owner = self.site = self.token = ""

    def run(self) -> None:
        draw = self.draw
        self.owner, self.site = draw.choice(OWNERS), draw.choice(SITES)
        self.token = draw.choice(TOKENS)
        self.patience = draw.choice((29.0, 29.0, 29.0, 8.0, 2.0))
        self.tries = draw.choice((1, 3, 6))
        self.obeys = draw.random() < 0.7
        KINDS[self.kind](self)

    def ask(
        self, method: str, path: str, body: Any = None, *, bearer: str = "", form: bool = False
    ) -> Answered:
        """Ask until the answer is final, or patience ends."""
        bearer = bearer or self.world.bearers["key"]
        for attempt in range(self.tries):
            answer = self.world.http(
                method,
                path,
                bearer="" if form else bearer,
                body=body,
                form=form,
                patience=self.patience,
                calm=self.calm,
            )
            if answer.final or attempt + 1 == self.tries:
                break
            wait = float(answer.body.get("retry_after") or 5)
            self.world.scheduler.sleep(min(wait, 60) if self.obeys else self.draw.uniform(0, 3))
        return answer

    def account(self, **having: str) -> str:
        """Return the id of an account that an operator can find, '' where there is none."""
        found = [
            item["id"]["S"]
            for (_, sk), item in self.world.table.items.items()
            if sk == "ACCOUNT"
            and "owner_id" in item
            and all(item[key]["S"] == value for key, value in having.items())
        ]
        return self.draw.choice(found) if found else ""

    def session(self, **fields: Any) -> str:
        """Make a connect session, and return its bearer; '' where that failed."""
        fields = {"owner_id": self.owner, "owner_name": "Owner", "expires_in": 86400} | fields
        answer = self.world.http(
            "POST",
            "/v1/connect-sessions",
            bearer=self.world.bearers["key"],
            body=fields,
            calm=True,
        )
        return str(answer.body.get("token", ""))

    def shared_session(self, **fields: Any) -> str:
        """Return a session that several people may have, or a new one."""
        bearers = self.world.bearers
        if "session" not in bearers or self.draw.random() < 0.4:
            made = self.session(**fields)
            if made:
                bearers["session"] = made
            return made
        return bearers["session"]

    def credential(self, **more: Any) -> dict[str, Any]:
        return {"subdomain": self.site, "token": self.token} | more


def link_by_key(me: Actor) -> None:
    more = {"label": me.name} if me.draw.random() < 0.5 else {}
    me.ask("POST", "/v1/accounts", me.credential(owner_id=me.owner, owner_name="Owner", **more))


def link_by_session(me: Actor) -> None:
    session = me.shared_session()
    if not session:
        return
    answer = me.ask("POST", "/v1/accounts", me.credential(), bearer=session)
    if not answer.done and me.draw.random() < 0.5:
        # Somebody who typed it wrong types it again.
        me.token = me.draw.choice((A, B))
        me.ask("POST", "/v1/accounts", me.credential(), bearer=session)


def guess_tokens(me: Actor) -> None:
    """Somebody types one wrong token after the other."""
    if session := me.shared_session():
        for _ in range(me.draw.randint(2, 8)):
            me.token = BAD
            answer = me.ask("POST", "/v1/accounts", me.credential(), bearer=session)
            if answer.status in {410, 429}:
                return


def link_by_form(me: Actor) -> None:
    if session := me.shared_session():
        me.ask("POST", "/v1/accounts", urlencode(me.credential(session=session)), form=True)


def link_with_confirmation(me: Actor) -> None:
    if not (session := me.session(confirm=True)):
        return
    if me.ask("POST", "/v1/accounts", me.credential(dry_run=True), bearer=session).done:
        me.world.scheduler.sleep(me.draw.uniform(0.5, 40))
        me.ask("POST", "/v1/accounts", me.credential(), bearer=session)


def link_by_portal(me: Actor) -> None:
    asked = {"rank": "operator", "owner_id": me.owner, "owner_name": "Owner"}
    made = me.ask("POST", "/v1/portal-sessions", asked)
    if portal := made.body.get("token"):
        me.ask("POST", "/v1/accounts", me.credential(), bearer=str(portal))


def relink(me: Actor) -> None:
    if account := me.account():
        item = me.world.table.items[f"ACCOUNT#{account}", "ACCOUNT"]
        me.owner, me.site = item["owner_id"]["S"], item["subdomain"]["S"]
        if session := me.session(account_id=account):
            me.ask("POST", "/v1/accounts", me.credential(), bearer=session)


def _on_account(
    method: str, end: str, body: Callable[[Actor], Any] = lambda _me: None
) -> Callable[[Actor], None]:
    def act(me: Actor) -> None:
        if account := me.account():
            me.ask(method, f"/v1/accounts/{account}{end}", body(me))

    return act


def revoke_session(me: Actor) -> None:
    if session := me.world.bearers.get("session"):
        from namely_link.http.bearers import parse

        found = parse(session)
        assert found
        me.ask("DELETE", f"/v1/connect-sessions/{found.id}")


def _event(me: Actor, kind: str, detail: dict[str, Any]) -> None:
    event = {
        "version": "0",
        "id": f"{me.name}-{kind}",
        "detail-type": kind,
        "source": "crm",
        "account": "123456789012",
        "time": timestamp(me.world.moment()),
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }
    me.world.watch.requested(event)
    if me.draw.random() < 0.3:
        me.world.scheduler.sleep(me.draw.uniform(1, 300))  # the bus takes its time
    me.world.deliver(event)
    if me.draw.random() < 0.3:
        # Somebody redrives the dead letters, or replays the archive.
        me.world.scheduler.sleep(me.draw.choice((60, 600, 7200)) * me.draw.random())
        me.world.deliver(event)


def link_by_event(me: Actor) -> None:
    detail = {
        "request_id": f"q-{me.name}",
        "owner_id": me.owner,
        "owner_name": "Owner",
        "subdomain": me.site,
    }
    end = timestamp(me.world.moment() + timedelta(hours=me.draw.choice((1, 24))))
    context = {
        "owner_id": me.owner,
        "subdomain": me.site,
        "request_id": detail["request_id"],
        "expires_at": end,
    }
    sealed = me.world.kms.encrypt(KeyId="k", Plaintext=me.token.encode(), EncryptionContext=context)
    detail["expires_at"] = end
    detail["sealed_token"] = base64.b64encode(sealed["CiphertextBlob"]).decode()
    me.world.bearers["seal"] = json.dumps(detail)
    _event(me, "Link Requested", detail)


def replay_seal(me: Actor) -> None:
    """Somebody who has seen a sealed token on the bus sends it under an id of their own."""
    me.world.scheduler.sleep(me.draw.uniform(0, 20))
    if seen := me.world.bearers.get("seal"):
        forged = json.loads(seen) | {"request_id": f"q-{me.name}"}
        me.world.watch.forged(forged["request_id"])
        _event(me, "Link Requested", forged)


def check_by_event(me: Actor) -> None:
    _event(me, "Check Requested", {"owner_id": me.owner, "request_id": f"q-{me.name}"})


def unlink_by_event(me: Actor) -> None:
    if account := me.account():
        _event(me, "Unlink Requested", {"account_id": account, "request_id": f"q-{me.name}"})


def delete_secret_by_hand(me: Actor) -> None:
    names = [name for name, one in me.world.vault.secrets.items() if one.scheduled_at is None]
    if names:
        name = me.draw.choice(names)
        me.world.watch.by_hand(name)
        me.world.wire.story.append(Step(me.world.scheduler.now, me.name, f"deletes {name} by hand"))
        me.world.vault.delete_secret(
            SecretId=name,
            **({"ForceDeleteWithoutRecovery": True} if me.draw.random() < 0.5 else {}),
        )


def write_as_other_release(me: Actor) -> None:
    """Another release of the product writes a row: with a field more, or some less."""
    table = me.world.table
    keys = [
        key
        for key, item in table.items.items()
        if key[1] == "SESSION" or (key[1] == "ACCOUNT" and "attempt" not in item)
    ]
    if not keys:
        return
    key = me.draw.choice(keys)
    item = dict(table.items[key])
    if me.draw.random() < 0.5:
        item["field_of_tomorrow"] = {"S": "x"}
    else:
        for name in FIELDS_OF_TODAY:
            item.pop(name, None)
    item["fence"] = {"N": str(int(item.get("fence", {"N": "0"})["N"]) + 1)}
    item.pop("outbox", None)
    me.world.wire.story.append(
        Step(me.world.scheduler.now, me.name, f"writes {key[0]} as another release")
    )
    table.put_item(TableName="table", Item=item)


KINDS: Final[dict[str, Callable[[Actor], None]]] = {
    "links by key": link_by_key,
    "links by session": link_by_session,
    "links by form": link_by_form,
    "guesses tokens": guess_tokens,
    "links with confirmation": link_with_confirmation,
    "links by portal": link_by_portal,
    "links again": relink,
    "renames": _on_account("PATCH", "", lambda me: {"label": me.name}),
    "suspends": _on_account("POST", "/suspend"),
    "resumes": _on_account("POST", "/resume"),
    "unlinks": _on_account("DELETE", ""),
    "restores": _on_account("POST", "/restore"),
    "asks for a check": _on_account("POST", "/check"),
    "revokes a session": revoke_session,
    "requests a link": link_by_event,
    "requests a check": check_by_event,
    "requests an unlinking": unlink_by_event,
    "replays a seal": replay_seal,
    "writes as another release": write_as_other_release,
    "deletes a secret": delete_secret_by_hand,
}


@dataclass(frozen=True)
class Theme:
    """Kinds of actors that get into each other's way, and what was before them."""

    kinds: tuple[str, ...]
    before: tuple[str, ...] = ()
    spells: tuple[str, ...] = ()


THEMES: Final = (
    Theme(("links by key", "links again", "links by portal"), ("links by key",)),
    Theme(("links by key", "links by session", "requests a link")),
    Theme(("links by session", "links by form", "links with confirmation", "revokes a session")),
    Theme(("guesses tokens", "links by session", "links by form")),
    Theme(("unlinks", "restores", "requests an unlinking"), ("links by key", "unlinks")),
    Theme(("unlinks", "restores", "links by key", "links again"), ("links by key",)),
    Theme(("requests a link", "unlinks", "links by key", "replays a seal"), ("links by key",)),
    Theme(("renames", "suspends", "resumes", "links again", "unlinks"), ("links by key",)),
    Theme(("links by session", "links by form", "links by portal"), (), ("down",)),
    Theme(
        ("asks for a check", "requests a check", "links again"),
        ("links by key",),
        ("revoked", "incident"),
    ),
    Theme(
        ("deletes a secret", "links again", "links by key", "asks for a check"), ("links by key",)
    ),
    Theme(("writes as another release", "links again", "renames", "unlinks"), ("links by key",)),
)

BEFORE: Final = ("suspends", "unlinks", "links by key")
SPELLS: Final = ("down", "down", "incident", "crowded", "revoked")


@dataclass
class Plan:
    """What happens in a run, drawn from its seed; `left_out` are actors that stay at home."""

    seed: int
    weather: Weather
    spells: tuple[Spell, ...]
    actors: list[tuple[float, str, str]]
    """When, name and kind."""
    left_out: frozenset[str] = frozenset()
    unlinks_at_last: bool = False
    prelude: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        """When the last actor begins."""
        return max(one[0] for one in self.actors)


def plan(seed: int, *, only: tuple[str, ...] = ()) -> Plan:
    """Draw a run; with `only`, of a theme that has as many of these kinds as any."""
    draw = random.Random(seed)
    theme = draw.choice(THEMES)
    if only:
        most = max(len({*only} & {*one.kinds}) for one in THEMES)
        theme = draw.choice([one for one in THEMES if len({*only} & {*one.kinds}) == most])
    elif draw.random() < 0.25:
        kinds = draw.sample([*KINDS], draw.randint(2, 5))
        extra = draw.sample(BEFORE, draw.choice((0, 0, 0, 1)))
        before = ("links by key", *extra) if draw.random() < 0.7 else ()
        theme = Theme(
            tuple(kinds), before, tuple(draw.choices(SPELLS)) if draw.random() < 0.3 else ()
        )
    actors = _cast(draw, theme.kinds)
    last = max(one[0] for one in actors)
    return Plan(
        seed,
        _weather(draw, last),
        tuple(_spells(draw, theme.spells, last)),
        actors,
        prelude=theme.before,
        unlinks_at_last=draw.random() < 0.4,
    )


def _cast(draw: random.Random, kinds: tuple[str, ...]) -> list[tuple[float, str, str]]:
    """Draw one to three groups of actors, each within moments, some of them minutes apart."""
    actors: list[tuple[float, str, str]] = []
    time = 5.0
    for group in range(draw.choice((1, 1, 2, 3))):
        spread = draw.choice((0.05, 0.5, 3.0, 40.0))
        for number in range(draw.randint(2, 4)):
            kind = draw.choice(kinds)
            name = f"{'ABC'[group]}{number + 1} {kind}"
            actors.append((time + spread * draw.random(), name, kind))
        time = max(one[0] for one in actors)
        time += draw.choice((1.0, 36.0, 50.0, 125.0, 900.0, 8000.0))
    return actors


def _spells(draw: random.Random, kinds: tuple[str, ...], last: float) -> Iterator[Spell]:
    for kind in kinds:
        start = draw.uniform(0, last)
        if draw.random() < 0.7:
            length = draw.choice((20.0, 400.0, 1500.0, 3600.0, 4 * 3600.0, 30 * 3600.0))
            yield Spell(kind, start, start + length)


def _weather(draw: random.Random, last: float) -> Weather:
    faults: tuple[Fault, ...] = ()
    if draw.random() < 0.8:
        faults = tuple(draw.sample(list(Fault), draw.randint(1, 5)))
        if draw.random() < 0.25:
            faults = (Fault.LATE, Fault.KILLED_AT, faults[0])
    outages: tuple[tuple[str, float, float], ...] = ()
    if draw.random() < 0.1:
        service = draw.choice(("dynamodb", "secretsmanager", "sqs", "events", "kms"))
        start = draw.uniform(4, last)
        outages = ((service, start, start + draw.choice((10.0, 120.0, 1800.0))),)
    return Weather(
        slowness=draw.choice((0.01, 0.05, 0.05, 0.3, 1.5)),
        faults=faults,
        often=draw.choice((0.01, 0.03, 0.1, 0.2)) if faults else 0.0,
        until=last + 60,
        stale=draw.choice((0.0, 0.0, 0.2)),
        twice=draw.choice((0.0, 0.1, 0.4)),
        outages=outages,
    )


def furnish(world: World) -> None:
    """Give the stack an API key, as `make api-key` does."""
    bearer = mint(Kind.API_KEY)
    key = ApiKey(id=bearer.id, name="backend", scopes=SCOPES, created_at=timestamp(START))
    world.table.put_item(
        TableName="table",
        Item={
            "pk": {"S": f"KEY#{key.id}"},
            "sk": {"S": "KEY"},
            "id": {"S": key.id},
            "name": {"S": key.name},
            "scopes": {"L": [{"S": one} for one in key.scopes]},
            "created_at": {"S": key.created_at},
            "expires_at": {"S": ""},
            "revoked": {"BOOL": False},
        },
    )
    world.bearers["key"] = bearer.value

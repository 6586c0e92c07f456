"""The world of the commands in memory: AWS as documented, a Namely that can be changed, a clock."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from namely_link.commands import change
from namely_link.commands.check import check
from namely_link.commands.link import (
    ByOwner,
    BySession,
    LinkCommand,
    LinkedAccount,
    Parked,
    link,
)
from namely_link.commands.ports import (
    ChangePorts,
    CheckPorts,
    Done,
    LinkPorts,
    RequestPorts,
    SessionUse,
    Stored,
    SweepPorts,
)
from namely_link.commands.reconcile import Reconciled, reconcile
from namely_link.commands.sweep import Swept, sweep
from namely_link.domain.account import Account, Due, Status, Tombstone
from namely_link.domain.credentials import parse_credential
from namely_link.domain.lifecycle import (
    Cause,
    Change,
    Event,
    LedgerEntry,
    Names,
    Pace,
    State,
    due_at,
)
from namely_link.domain.probe import ME, PEOPLE, SITE, Answer, Questions, Reply
from namely_link.domain.problems import (
    ConflictError,
    Problem,
    Reason,
    SealBrokenError,
    SecretMissingError,
    StorageError,
    UnreadableError,
)
from namely_link.domain.sessions import ConnectSession
from namely_link.domain.values import (
    Actor,
    ActorKind,
    Credential,
    Owner,
    SecretVersion,
    Subdomain,
    Token,
    timestamp,
)
from one_by_one import OneByOne

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWNER = Owner("o1", "Owner One")
BACKEND = Actor(kind=ActorKind.API_KEY, name="backend")
CHECKER = Actor(kind=ActorKind.CHECK, name="check")
GOOD = "g" * 64
NEW = "n" * 64
WRONG = "wrong" * 10
BEARER = "nls_x"
PREFIX = "s/namely/"
OPEN = ConnectSession(
    id="cs_1",
    owner=OWNER,
    state="open",
    attempts_left=3,
    created_at=timestamp(START),
    expires_at=timestamp(START + timedelta(minutes=30)),
)

REFUSED = Answer(401, is_json=True, body={"error": ""})
DOWN = Answer(503, is_json=False)
THROTTLED = Answer(406, is_json=False)
PROFILE = {"id": "p1", "email": "a@b.example", "full_name": "Ada", "user_status": "active"}


class FakeNamely:
    """A site that can be changed; every token but the good ones is refused."""

    def __init__(self) -> None:
        self.site: Reply | None = None
        self.down: Reply | None = None
        self.people: Reply | None = None
        self.profile: dict[str, Any] = dict(PROFILE)
        self.keys: dict[str, Any] = {"start_date": "2020-01-01"}
        self.good = {GOOD, NEW}
        self.sent: list[str] = []

    def get(self, subdomain: Subdomain, path: str, token: Token | None, _end: float) -> Reply:
        if token:
            self.sent.append(token.reveal())
        if self.down is not None:
            return self.down
        if path == SITE:
            named = {"name": subdomain.label.title(), "permalink": subdomain.label}
            return self.site or Answer(200, is_json=True, body=named)
        if token is None or token.reveal() not in self.good:
            return REFUSED
        if path == ME:
            return Answer(200, is_json=True, body={"profiles": [self.profile], "meta": {}})
        if path == PEOPLE:
            return self.people or self._listed()
        return REFUSED

    def _listed(self) -> Reply:
        rows = [self.profile, {"id": "p2", **self.keys}]
        return Answer(200, is_json=True, body={"profiles": rows, "meta": {"total_count": 2}})


@dataclass(frozen=True)
class Told:
    """An event that was committed, with the row that it was committed with."""

    account_id: str
    event: Event
    row: State


class Rows:
    """The table: accounts, sessions and the outbox, by the rules of the adapters."""

    def __init__(self) -> None:
        self.items: dict[str, Account | Tombstone] = {}
        self.pairs: dict[tuple[str, str], str] = {}
        self.seen: dict[tuple[str, str], str] = {}
        self.entries: dict[str, list[LedgerEntry]] = defaultdict(list)
        self.told: list[Told] = []
        self.sessions: dict[str, ConnectSession] = {}
        self.attempts: Counter[tuple[str, datetime]] = Counter()
        self.done: dict[str, datetime] = {}
        self.writes = 0

    # Accounts

    def row(self, account_id: str) -> Account | Tombstone | None:
        return self.items.get(account_id)

    def rows(self, account_ids: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in account_ids:
            try:
                if row := self.row(one):
                    found[one] = row
            except UnreadableError as error:
                found[one] = error
        return found

    def read(self, account_id: str) -> Account | None:
        found = self.row(account_id)
        return found if isinstance(found, Account) else None

    def of_pair(self, owner_id: str, subdomain: str) -> Account | None:
        found = self.pairs.get((owner_id, subdomain))
        return self.read(found) if found else None

    def unlinked_at(self, owner_id: str, subdomain: str) -> str:
        return self.seen.get((owner_id, subdomain), "")

    def commit(
        self,
        change: Change[Any],
        *more: Change[Tombstone],
        use: SessionUse | None = None,
        done: Done | None = None,
    ) -> Any:
        changes = (change, *more)
        pairs = dict(self.pairs)
        for one in changes:
            self._check_fence(one)
            for pair, holder in _pair(one.before).items():
                if pairs.get(pair) == holder:
                    del pairs[pair]
        for one in changes:
            for pair, holder in _pair(one.after).items():
                if pairs.setdefault(pair, holder) != holder:
                    raise ConflictError("the pair is another account's")
        session = self.sessions[use.session_id] if use else None
        if use and (session.state != "open" or use.attempt_id not in session.claims):
            raise ConflictError("the session is over, or the claim is")
        if done and done.key in self.done:
            raise ConflictError("the request was done")
        for one in changes:
            self._write(one)
        self.pairs = pairs
        if use and session:
            self.sessions[session.id] = replace(
                session, state="used", linked=use.linked, claims={}, fence=session.fence + 1
            )
        if done:
            self.done[done.key] = done.until
        return _written(change.after)

    def _check_fence(self, change: Change[Any]) -> None:
        if change.before is None:
            assert change.after is not None
            stored = self.items.get(change.after.id)
            if stored is not None:
                raise ConflictError("there is such a row")
            return
        stored = self.items.get(change.before.id)
        if stored is None or stored.fence != change.before.fence:
            raise ConflictError("written since it was read")
        if change.after is not None:
            assert change.after.fence == change.before.fence

    def _write(self, change: Change[Any]) -> None:
        self.writes += 1
        row_id = (change.after or change.before).id
        if change.after is None:
            del self.items[row_id]
        else:
            self.items[row_id] = _written(change.after)
        if change.entry:
            self.entries[row_id].append(change.entry)
        self.told += [Told(row_id, one, _written(change.after)) for one in change.events]
        if isinstance(change.after, Account) and _pair(change.before) and not _pair(change.after):
            pair = (change.after.owner.id, change.after.subdomain)
            self.seen[pair] = change.after.changed_at

    def put(self, account: Account) -> Account:
        """Write a row as it is, as another release might."""
        self.items[account.id] = account
        self.pairs |= _pair(account)
        return account

    def every(self, *, owner_id: str, subdomain: str) -> Sequence[Account]:
        return [
            one
            for one in self.items.values()
            if isinstance(one, Account)
            and owner_id in ("", one.owner.id)
            and subdomain in ("", one.subdomain)
        ]

    def due(self, shard: int, *, now: datetime, limit: int) -> Sequence[Due]:
        found = [Due(one.id, due_at(one)) for one in self.items.values()]
        ready = [one for one in found if one.at and one.at <= timestamp(now)]
        mine = [one for one in ready if sum(map(ord, one.account_id)) % 2 == shard]
        return sorted(mine, key=lambda one: one.at)[:limit]

    # Sessions

    def session(self, session_id: str) -> ConnectSession | None:
        return self.sessions.get(session_id)

    def save(self, session: ConnectSession) -> None:
        stored = self.sessions.get(session.id)
        if stored is None or stored.fence != session.fence:
            raise ConflictError("written since it was read")
        self.sessions[session.id] = replace(session, fence=session.fence + 1)

    def count_attempt(self, owner_id: str, *, now: datetime, most: int) -> None:
        hour = now.replace(minute=0, second=0)
        if self.attempts[owner_id, hour] >= most:
            wait = hour + timedelta(hours=1) - now
            raise Problem(Reason.OWNER_ATTEMPTS_EXHAUSTED, retry_after=int(wait.total_seconds()))
        self.attempts[owner_id, hour] += 1

    def uncount_attempt(self, owner_id: str, *, now: datetime) -> None:
        self.attempts[owner_id, now.replace(minute=0, second=0)] -= 1

    # The outbox

    def notice(self, event: Event, *, done: Done) -> None:
        if done.key not in self.done:
            self.told.append(Told("", event, None))
            self.done[done.key] = done.until

    def was_done(self, key: str) -> bool:
        return key in self.done

    def note_done(self, done: Done) -> None:
        self.done[done.key] = done.until


def _pair(state: State) -> dict[tuple[str, str], str]:
    if isinstance(state, Account) and state.holds_pair:
        return {(state.owner.id, state.subdomain): state.id}
    return {}


def _written(after: Any) -> Any:
    return replace(after, fence=after.fence + 1) if after is not None else None


@dataclass
class Secret:
    """One secret: its versions, which label is at which, and from when on it is gone."""

    arn: str
    created_at: datetime
    versions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    deleted_from: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def put(self, version_id: str, value: str, label: str) -> None:
        if self.versions.get(version_id, value) != value:
            raise StorageError("PutSecretValue: ResourceExistsException")
        known = version_id in self.versions
        self.versions[version_id] = value
        if not known:
            self.move(label, version_id)

    def move(self, label: str, version_id: str) -> None:
        if label == "AWSCURRENT" and label in self.labels:
            self.labels["AWSPREVIOUS"] = self.labels[label]
        self.labels[label] = version_id
        self.tidy()

    def tidy(self) -> None:
        """A version without a label may vanish at any time: here it does at once."""
        kept = set(self.labels.values())
        self.versions = {key: one for key, one in self.versions.items() if key in kept}


CANDIDATE = "CANDIDATE_"


class MemoryVault:
    """Secrets Manager, as far as it is documented."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.secrets: dict[str, Secret] = {}

    def _secret(self, name: str, *, usable: bool = False) -> Secret:
        found = next((one for key, one in self.secrets.items() if name in (key, one.arn)), None)
        if found is None or (usable and found.deleted_from):
            raise SecretMissingError(name)
        return found

    def name(self, account_id: str, *, again: str = "") -> str:
        return f"{PREFIX}{account_id}" + (f"-{again[:8]}" if again else "")

    def account_id(self, name: str) -> str:
        return name.removeprefix(PREFIX).partition("-")[0] if name.startswith(PREFIX) else ""

    def create(
        self, *, name: str, credential: Credential, attempt_id: str, tags: Mapping[str, str]
    ) -> SecretVersion:
        if name in self.secrets and self.secrets[name].deleted_from:
            raise StorageError("CreateSecret: InvalidRequestException")
        made = Secret(f"arn:{uuid4()}", self.now(), tags=dict(tags))
        secret = self.secrets.setdefault(name, made)
        secret.put(attempt_id, credential.token.reveal(), "AWSCURRENT")
        return SecretVersion(secret.arn, attempt_id)

    def put_candidate(self, *, name: str, credential: Credential, attempt_id: str) -> SecretVersion:
        secret = self._secret(name, usable=True)
        secret.put(attempt_id, credential.token.reveal(), CANDIDATE + attempt_id)
        return SecretVersion(secret.arn, attempt_id)

    def promote(self, version: SecretVersion, *, previous: SecretVersion) -> None:
        secret = self._secret(version.arn, usable=True)
        self._move(secret, previous.version_id, version.version_id)
        secret.labels.pop(CANDIDATE + version.version_id, None)

    def _move(self, secret: Secret, holder: str, to: str) -> None:
        if secret.labels.get("AWSCURRENT") != holder or to not in secret.versions:
            raise StorageError("UpdateSecretVersionStage: InvalidParameterException")
        secret.move("AWSCURRENT", to)

    def settle(self, version: SecretVersion, *, held: Callable[[], bool]) -> None:
        secret = self._secret(version.arn)
        if not held():
            raise StorageError("the lease is over")
        secret.deleted_from = None
        if version.version_id not in secret.versions:
            raise SecretMissingError(version.version_id)
        if secret.labels["AWSCURRENT"] != version.version_id:
            self._move(secret, secret.labels["AWSCURRENT"], version.version_id)
        for label in [one for one in secret.labels if one.startswith(CANDIDATE)]:
            del secret.labels[label]
        secret.tidy()

    def read(self, version: SecretVersion) -> Credential:
        secret = self._secret(version.arn, usable=True)
        if version.version_id not in secret.versions:
            raise SecretMissingError(version.version_id)
        return Credential(Subdomain("acme"), Token(secret.versions[version.version_id]))

    def delete(self, name: str, *, recovery_days: int | None) -> datetime | None:
        if name not in self.secrets:
            return None
        if recovery_days is None:
            del self.secrets[name]
            return None
        secret = self.secrets[name]
        secret.deleted_from = secret.deleted_from or self.now() + timedelta(days=recovery_days)
        return secret.deleted_from

    def restore(self, name: str) -> None:
        self._secret(name).deleted_from = None

    def stored(self) -> Iterator[Stored]:
        for name, secret in list(self.secrets.items()):
            if not secret.deleted_from:
                labels: dict[str, list[str]] = defaultdict(list)
                for label, version_id in secret.labels.items():
                    labels[version_id].append(label)
                yield Stored(name=name, created_at=secret.created_at, labels=labels)


@contextmanager
def _instead(part: object, method: str, other: Callable[..., Any]) -> Iterator[None]:
    before = vars(part).get(method)
    setattr(part, method, other)
    try:
        yield
    finally:
        if before:
            setattr(part, method, before)
        else:
            delattr(part, method)


@dataclass
class Queue:
    """Checks that were asked for, and by whom, and accounts of which none is taken."""

    waiting: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    asked: list[tuple[Actor, str]] = field(default_factory=list)

    def put(self, account_id: str, *, actor: Actor, request_id: str = "") -> None:
        self.waiting.append(account_id)
        self.asked.append((actor, request_id))

    def put_all(self, account_ids: Sequence[str], *, actor: Actor) -> Sequence[str]:
        assert 1 <= len(account_ids) <= 10
        taken = [one for one in account_ids if one not in self.refused]
        for one in taken:
            self.put(one, actor=actor)
        return [one for one in account_ids if one in self.refused]


@dataclass
class OneTurn:
    """Whose turn it is to sweep, and until when."""

    taken: str = ""
    until: datetime = START

    def take(self, *, now: datetime, until: datetime) -> str:
        if now < self.until:
            return ""
        self.taken, self.until = str(uuid4()), until
        return self.taken

    def give_back(self, taken: str, *, now: datetime) -> None:
        if taken != self.taken:
            raise ConflictError("the turn is another's")
        self.until = now


class FakeSeal:
    """Seals in plain sight: what counts is that the context must be the same."""

    def seal(self, token: str, **context: str) -> str:
        return json.dumps({"token": token, "context": context})

    def unseal(self, sealed: str, **context: str) -> str:
        try:
            found = json.loads(sealed)
        except ValueError:
            raise SealBrokenError("no seal") from None
        if found["context"] != context:
            raise SealBrokenError("another context")
        return found["token"]


class World:
    """All of it at once, and what may be done in it."""

    def __init__(self) -> None:
        self.now = START
        self.rows = Rows()
        self.vault = MemoryVault(lambda: self.now)
        self.namely = FakeNamely()
        self.queue = Queue()
        self.turn = OneTurn()
        self.seal = FakeSeal()
        self.owner_attempts = 60
        self.park_for = timedelta(hours=24)
        self.jitter = 1.0

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    # Ports

    @property
    def questions(self) -> Questions:
        return Questions(namely=self.namely, negative_control=True)

    @property
    def link_ports(self) -> LinkPorts:
        return LinkPorts(
            questions=self.questions,
            executor=OneByOne,
            vault=self.vault,
            accounts=self.rows,
            sessions=self.rows,
            now=lambda: self.now,
            monotonic=lambda: 0.0,
            deadline_seconds=5,
            park_for=self.park_for,
            recheck=timedelta(minutes=5),
            owner_attempts=self.owner_attempts,
        )

    @property
    def check_ports(self) -> CheckPorts:
        return CheckPorts(
            questions=self.questions,
            executor=OneByOne,
            vault=self.vault,
            accounts=self.rows,
            now=lambda: self.now,
            monotonic=lambda: 0.0,
            deadline_seconds=5,
            pace=Pace(recheck=timedelta(minutes=5), jitter=lambda: self.jitter),
        )

    @property
    def change_ports(self) -> ChangePorts:
        return ChangePorts(accounts=self.rows, vault=self.vault, recovery_days=7)

    @property
    def sweep_ports(self) -> SweepPorts:
        return SweepPorts(
            accounts=self.rows,
            vault=self.vault,
            checks=self.queue,
            turn=self.turn,
            executor=OneByOne,
            now=lambda: self.now,
            recovery_days=7,
            shards=2,
        )

    @property
    def request_ports(self) -> RequestPorts:
        return RequestPorts(
            link=self.link_ports,
            change=self.change_ports,
            outbox=self.rows,
            seal=self.seal,
            checks=self.queue,
            now=lambda: self.now,
        )

    # What may be done

    def link(self, token: str = GOOD, *, session: str = "", park: bool = True, **changes: Any):
        owner = changes.pop("owner", OWNER)
        by_owner = ByOwner(owner=owner, park=park)
        command = LinkCommand(
            credential=parse_credential(changes.pop("site", "acme"), token),
            permission=BySession(session_id=session, bearer=BEARER) if session else by_owner,
            actor=BACKEND,
            request_id="r1",
        )
        return link(replace(command, **changes), self.link_ports)

    def linked(self, token: str = GOOD, **options: Any) -> Account:
        done = self.link(token, **options)
        assert isinstance(done, LinkedAccount)
        return done.account

    def parked(self, token: str = GOOD) -> Account:
        """Park a link while Namely is down; it is up again afterwards."""
        self.namely.down = DOWN
        done = self.link(token)
        self.namely.down = None
        assert isinstance(done, Parked)
        return done.account

    def problem(self, *args: Any, **options: Any) -> Problem:
        try:
            self.link(*args, **options)
        except Problem as problem:
            return problem
        raise AssertionError("it went well")

    def open_session(self, **changes: Any) -> str:
        session = replace(OPEN, **changes)
        self.rows.sessions[session.id] = session
        return session.id

    def session(self) -> ConnectSession:
        return self.rows.sessions[OPEN.id]

    def check(self, account: Account) -> Account:
        """Check an account, and return it; it must not have come to nothing."""
        check(account.id, actor=CHECKER, request_id="r2", ports=self.check_ports)
        return self.read(account)

    def sweep(self) -> dict[str, int]:
        swept = self.swept()
        assert swept.faults == {}
        return dict(swept.done)

    def swept(self) -> Swept:
        swept = sweep(self.sweep_ports)
        assert swept, "another sweep is at work"
        return swept

    def reconcile(self) -> Reconciled:
        return reconcile(self.sweep_ports)

    def cause(self, request_id: str = "r3") -> Cause:
        return Cause(actor=BACKEND, request_id=request_id, now=self.now)

    def rename(self, account: Account, **changes: Any) -> Account:
        return change.rename(account, Names(**changes), cause=self.cause(), accounts=self.rows)

    def suspend(self, account: Account) -> Account:
        return change.set_paused(account, Status.SUSPENDED, cause=self.cause(), accounts=self.rows)

    def resume(self, account: Account) -> Account:
        return change.set_paused(account, Status.ACTIVE, cause=self.cause(), accounts=self.rows)

    def unlink(self, account: Account, *, request_id: str = "r3", **options: Any) -> Account:
        cause = self.cause(request_id)
        return change.unlink(account, cause=cause, ports=self.change_ports, **options)

    def restore(self, account: Account) -> Account:
        return change.restore(account, cause=self.cause(), ports=self.change_ports)

    # What has come of it

    def read(self, account: Account) -> Account:
        found = self.rows.read(account.id)
        assert found
        return found

    def events(self, account: Account | None = None) -> list[str]:
        """Return all events, or those of an account, the oldest first."""
        return [
            one.event.type
            for one in self.rows.told
            if account is None or one.account_id == account.id
        ]

    def actions(self, account: Account) -> list[str]:
        return [one.action for one in self.rows.entries[account.id]]

    def token(self, account: Account) -> str:
        """Return the token that consumers read."""
        assert account.secret
        return self.vault.read(account.secret).token.reveal()

    def current(self, account: Account) -> str:
        """Return the version that serves those who pin none."""
        return self.vault.secrets[account.secret_name].labels["AWSCURRENT"]

    # What may go wrong

    @contextmanager
    def failing(
        self, part: object, method: str, *, after: bool = False, error: Any = StorageError
    ) -> Iterator[None]:
        """Let a method fail, before or after its effect."""
        real = getattr(part, method)

        def fail(*args: Any, **options: Any) -> None:
            if after:
                real(*args, **options)
            raise error

        with _instead(part, method, fail):
            yield

    @contextmanager
    def meanwhile(
        self, part: object, method: str, do: Callable[[], object], *, nth: int = 1
    ) -> Iterator[None]:
        """Let something happen just before the nth call of a method."""
        real = getattr(part, method)
        calls = 0

        def call(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth:
                do()
            return real(*args, **options)

        with _instead(part, method, call):
            yield

    def rest(self) -> None:
        """Let the sweep come until nothing can take effect late any more, and look at it all."""
        for _ in range(14):
            self.later(minutes=1)
            self.sweep()
        rows = list(self.rows.items.values())
        accounts = [one for one in rows if isinstance(one, Account)]
        assert all(one.attempt is None and one.unsettled is None for one in accounts)
        assert all(one.committed for one in accounts)
        for one in accounts:
            if one.status is Status.ACTIVE and one.secret:
                secret = self.vault.secrets[one.secret_name]
                assert secret.deleted_from is None
                assert secret.labels["AWSCURRENT"] == one.secret.version_id
                assert set(secret.labels) <= {"AWSCURRENT", "AWSPREVIOUS"}
        assert set(self.vault.secrets) <= {one.secret_name for one in accounts}
        held = [(one.owner.id, one.subdomain) for one in accounts if one.holds_pair]
        assert sorted(held) == sorted(self.rows.pairs)

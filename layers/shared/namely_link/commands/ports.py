"""What the commands need of the world; adapters and fakes provide it.

Every method that talks to AWS raises StorageError when AWS does not answer, throttles or fails:
whether a write took effect is then unknown, unless its docstring says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from datetime import datetime, timedelta

    from namely_link.domain.account import Account, Due, Tombstone
    from namely_link.domain.lifecycle import Change, Event, Pace, State
    from namely_link.domain.probe import Questions
    from namely_link.domain.problems import UnreadableError
    from namely_link.domain.sessions import ApiKey, ConnectSession, Linked, PortalSession
    from namely_link.domain.values import Actor, Credential, SecretVersion


@dataclass(frozen=True, kw_only=True)
class SessionUse:
    """A connect session is used up by a commit, for which `attempt_id` has a claim."""

    session_id: str
    attempt_id: str
    linked: Linked


@dataclass(frozen=True)
class Done:
    """A request of the event bus is done by a commit: never again, for thirty days."""

    key: str
    until: datetime


class Accounts(Protocol):
    """Where accounts are kept."""

    def read(self, account_id: str) -> Account | None:
        """Read an account, consistently."""

    def row(self, account_id: str) -> Account | Tombstone | None:
        """Read an account, or what is left of one, consistently."""

    def rows(
        self, account_ids: Sequence[str]
    ) -> Mapping[str, Account | Tombstone | UnreadableError]:
        """Read many rows, consistently; those that are not there are left out."""

    def of_pair(self, owner_id: str, subdomain: str) -> Account | None:
        """Return the one account of an owner and a site that is not unlinked, consistently."""

    def unlinked_at(self, owner_id: str, subdomain: str) -> str:
        """Return when an account of the pair was unlinked last (RFC 3339), '' for never."""

    def commit[After: State](
        self,
        change: Change[After],
        *more: Change[Tombstone],
        use: SessionUse | None = None,
        done: Done | None = None,
    ) -> After:
        """Write rows, pairs, events and the ledger in one transaction; return the first row.

        Raises:
            ConflictError: a row was written since it was read, the pair is another account's, the
                session is not open any more, or the request was done by another.
            StorageError: it may have taken effect; not where reading afterwards could tell.
        """

    def every(self, *, owner_id: str, subdomain: str) -> Sequence[Account]:
        """Return all accounts of an owner or a subdomain."""

    def due(self, shard: int, *, now: datetime, limit: int) -> Sequence[Due]:
        """Return what is due, the longest first; the index may lag."""


class Sessions(Protocol):
    """Where connect sessions and the attempts of owners are kept."""

    def session(self, session_id: str) -> ConnectSession | None:
        """Read a session, consistently."""

    def save(self, session: ConnectSession) -> None:
        """Write a session; raises ConflictError where it was written since it was read."""

    def count_attempt(self, owner_id: str, *, now: datetime, most: int) -> None:
        """Count an attempt of an owner; raises Problem where there were too many in this hour."""

    def uncount_attempt(self, owner_id: str, *, now: datetime) -> None:
        """Take back an attempt that was counted at that moment."""


class Keys(Protocol):
    """Where API keys and portal sessions are kept."""

    def key(self, key_id: str) -> ApiKey | None:
        """Read an API key, consistently."""

    def portal(self, session_id: str) -> PortalSession | None:
        """Read a portal session, consistently."""


class Outbox(Protocol):
    """Where events are committed that belong to no account, and requests that were done."""

    def notice(self, event: Event, *, done: Done) -> None:
        """Commit an event and that its request is done; again changes nothing."""

    def was_done(self, key: str) -> bool:
        """Whether a request was done."""

    def note_done(self, done: Done) -> None:
        """Commit that a request is done."""


class Vault(Protocol):
    """Where tokens rest."""

    def name(self, account_id: str, *, again: str = "") -> str:
        """Return the name of an account's secret; with `again` one that was never used."""

    def create(
        self, *, name: str, credential: Credential, attempt_id: str, tags: Mapping[str, str]
    ) -> SecretVersion:
        """Create a secret; the same attempt with the same value again is fine."""

    def put_candidate(self, *, name: str, credential: Credential, attempt_id: str) -> SecretVersion:
        """Add a version that does not serve yet; raises SecretMissingError."""

    def promote(self, version: SecretVersion, *, previous: SecretVersion) -> None:
        """Make a committed candidate the current version, in place of the one before."""

    def settle(self, version: SecretVersion, *, held: Callable[[], bool]) -> None:
        """Make the secret what the row says: restored, this version current, no candidates.

        `held` tells whether the row is still held; it is asked once it is known what there is,
        so that no label is touched that came after the lease.

        Raises:
            SecretMissingError: it is gone for good.
        """

    def read(self, version: SecretVersion) -> Credential:
        """Return the credential of a pinned version; raises SecretMissingError."""

    def delete(self, name: str, *, recovery_days: int | None) -> datetime | None:
        """Schedule a secret for deletion, or (None) delete it at once.

        Return from when on it can't be recovered, None where it is gone; again is fine.
        """

    def restore(self, name: str) -> None:
        """Take a deletion back; again is fine. Raises SecretMissingError where it is gone."""

    def account_id(self, name: str) -> str:
        """Return the account that a secret's name was made for, '' where it is none of ours."""

    def stored(self) -> Iterator[Stored]:
        """Return all secrets of the stack that are not scheduled for deletion."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A secret as Secrets Manager lists it, some minutes late: its name and labels by version."""

    name: str
    created_at: datetime
    labels: Mapping[str, Sequence[str]]


class Checks(Protocol):
    """Where checks wait to be made."""

    def put(self, account_id: str, *, actor: Actor, request_id: str = "") -> None:
        """Ask for a check."""

    def put_all(self, account_ids: Sequence[str], *, actor: Actor) -> Sequence[str]:
        """Ask for ten checks at most, and return those that were not taken."""


class Turn(Protocol):
    """Who sweeps at this moment: one sweep at a time, since two do no more than one."""

    def take(self, *, now: datetime, until: datetime) -> str:
        """Return what the turn is given back by, '' where another sweep is at work."""

    def give_back(self, taken: str, *, now: datetime) -> None:
        """End a turn before its time; raises ConflictError where that is over."""


class Seal(Protocol):
    """Opens what was sealed for this stack."""

    def unseal(
        self, sealed: str, *, owner_id: str, subdomain: str, request_id: str, expires_at: str
    ) -> str:
        """Return the text; raises SealBrokenError."""


@dataclass(frozen=True, kw_only=True)
class LinkPorts:
    """Everything that the link command touches, injected once."""

    questions: Questions
    executor: Callable[[], Executor]
    """Makes what runs things at the same time; whoever leaves it waits for all of them."""
    vault: Vault
    accounts: Accounts
    sessions: Sessions
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    deadline_seconds: float
    park_for: timedelta
    """How long a link waits for Namely to come back; zero parks nothing."""
    recheck: timedelta
    """How long a parked link waits for its first check."""
    owner_attempts: int
    """How many attempts to link an owner has in an hour, whatever the bearer."""


@dataclass(frozen=True, kw_only=True)
class CheckPorts:
    """Everything that the check command touches."""

    questions: Questions
    executor: Callable[[], Executor]
    vault: Vault
    accounts: Accounts
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    deadline_seconds: float
    pace: Pace


@dataclass(frozen=True, kw_only=True)
class ChangePorts:
    """Everything that a change of an account touches."""

    accounts: Accounts
    vault: Vault
    recovery_days: int


@dataclass(frozen=True, kw_only=True)
class SweepPorts:
    """Everything that the sweep and the daily reconciling touch."""

    accounts: Accounts
    vault: Vault
    checks: Checks
    turn: Turn
    executor: Callable[[], Executor]
    """Makes what looks at every shard at the same time."""
    now: Callable[[], datetime]
    recovery_days: int
    shards: int
    per_shard: int = 200
    seconds: float = 35
    """How long a sweep goes on with more, so that it ends within its turn."""
    reconcile_seconds: float = 100
    """How long a reconciling goes on with more, so that it ends by itself."""


@dataclass(frozen=True, kw_only=True)
class RequestPorts:
    """Everything that requests from the event bus touch."""

    link: LinkPorts
    change: ChangePorts
    outbox: Outbox
    seal: Seal
    checks: Checks
    now: Callable[[], datetime]

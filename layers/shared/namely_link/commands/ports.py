"""What the commands need of the world; adapters and fakes provide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor
    from datetime import datetime, timedelta

    from namely_link.domain.account import (
        Account,
        Attempt,
        ConnectSession,
        Credential,
        Event,
        LedgerEntry,
        Linked,
        SecretVersion,
    )
    from namely_link.domain.probe import Questions


class Vault(Protocol):
    """Where tokens rest. Every method but `name` raises StorageError when AWS fails."""

    def name(self, account_id: str) -> str:
        """Return the name of an account's secret."""

    def create(
        self, *, name: str, credential: Credential, attempt_id: str, tags: Mapping[str, str]
    ) -> SecretVersion:
        """Create an account's secret, or add to what an earlier attempt left."""

    def put_candidate(self, *, name: str, credential: Credential, attempt_id: str) -> SecretVersion:
        """Add a version that does not serve yet."""

    def promote(self, version: SecretVersion, *, previous: SecretVersion) -> None:
        """Make a committed candidate the current version."""


class Registry(Protocol):
    """Where everything but tokens rests. Every method raises StorageError when AWS fails."""

    def claim(self, session_id: str, *, now: datetime) -> ConnectSession:
        """Take one attempt of an open session; raises Problem unless it is open or used."""

    def count_attempt(self, owner_id: str, *, now: datetime, most: int) -> None:
        """Count an attempt of an owner; raises Problem where there were too many in this hour."""

    def account(self, account_id: str) -> Account | None:
        """Read an account, consistently."""

    def begin(self, account: Account, *, attempt: Attempt, now: datetime) -> Account:
        """Write the pending row, or start an attempt on the pair's account; raises Problem."""

    def begin_again(
        self, account: Account, *, attempt: Attempt, subdomain: str, now: datetime
    ) -> Account:
        """Start an attempt on this very account, to link it at a site; raises Problem."""

    def abandon(self, account: Account, *, attempt_id: str, secret_written: bool) -> None:
        """End an attempt that will not commit."""

    def commit(
        self,
        account: Account,
        *,
        attempt_id: str,
        previous: Account,
        session_id: str,
        linked: Linked | None,
        events: tuple[Event, ...],
        entry: LedgerEntry,
        due_at: str,
    ) -> Account:
        """Commit a link in one transaction; raises ConflictError where another was faster."""

    def promoted(self, account: Account) -> None:
        """Note that the committed version is current."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything that a command touches, injected once."""

    questions: Questions
    pool: Executor
    """Where what can run at the same time does."""
    vault: Vault
    registry: Registry
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    deadline_seconds: float
    park_for: timedelta
    """How long a link waits for Namely to come back; zero parks nothing."""
    recheck: timedelta
    """How long a parked link waits for its first check."""
    owner_attempts: int
    """How many attempts to link an owner has in an hour, whatever the bearer."""

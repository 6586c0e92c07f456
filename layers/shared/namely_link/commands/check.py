"""The check command: probes a linked account again, and records what has changed.

Only an explicit refusal of the token, confirmed by a second probe minutes later, makes an account
`error`. An outage changes no status: it adds a reason and slows the checks down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from namely_link.domain.account import (
    AccountWarning,
    Event,
    LedgerEntry,
    Status,
    StatusReason,
    moment,
    new_id,
    timestamp,
)
from namely_link.domain.probe import Accepted, Rejected, Undetermined, barred
from namely_link.domain.problems import SENTENCES, Code, Problem, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from datetime import datetime

    from namely_link.domain.account import Account, Actor, Credential, Receipt, SecretVersion
    from namely_link.domain.probe import Questions, Verdict

TOKEN_LIFETIME: Final = timedelta(days=730)
"""Two years from creation, says Namely; the creation date is not told, so this is the latest."""

CHECK_EVERY: Final = timedelta(days=1)
_TOLD_AT: Final = (7, 30, 60)
"""Days before the latest end of a token at which it is told, once each."""


class Vault(Protocol):
    """Where tokens rest."""

    def read(self, version: SecretVersion) -> Credential:
        """Return the credential of a pinned version; raises StorageError."""


class Registry(Protocol):
    """Where accounts are kept. Every method raises StorageError when AWS fails."""

    def account(self, account_id: str) -> Account | None:
        """Read an account, consistently."""

    def change(
        self,
        account: Account,
        *,
        events: tuple[Event, ...],
        entry: LedgerEntry | None,
        due_at: str | None,
    ) -> Account:
        """Commit a change; raises ConflictError where the account has changed since."""


@dataclass(frozen=True, kw_only=True)
class Checker:
    """What a check needs.

    `jitter` gives a factor from 0.9 to 1.1, so that checks don't meet. `recheck` is how long a
    doubtful account waits: for a refusal to be confirmed (two in a breath could be one incident),
    and, doubling, for an outage to end.
    """

    questions: Questions
    pool: Executor
    vault: Vault
    registry: Registry
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    deadline_seconds: float
    jitter: Callable[[], float]
    recheck: timedelta

    def check(self, account_id: str, *, actor: Actor, request_id: str) -> Account | None:
        """Probe an account and record what it found; None where there is nothing to check.

        Raises:
            ConflictError: the account was changed meanwhile; whoever did it knows better.
            StorageError: the check is to be made again.
        """
        account = self.registry.account(account_id)
        if account is None or account.secret is None or account.attempt or account.undo_reason:
            return None
        if account.status in {Status.SUSPENDED, Status.UNLINKED}:
            return None
        credential = self.vault.read(account.secret)
        started = self.monotonic()
        deadline = started + self.deadline_seconds
        site = self.questions.site(credential.subdomain, now=started, deadline=deadline)
        verdict: Verdict | None = barred(site)
        if verdict is None:
            pending = self.questions.ask(credential, deadline=deadline, pool=self.pool)
            verdict = pending.verdict(site)
        now = self.now()
        found = replace(self._found(account, verdict, now), checked_at=timestamp(now))
        found, told = _tell_expiry(found, now)
        due = now + self._wait(found, verdict) * self.jitter()
        found = replace(found, next_check_at=timestamp(due))
        events = [*_events(account, found, verdict), *told]
        at = timestamp(now)
        action = _ACTIONS.get(events[0][0]) if events else None
        return self.registry.change(
            found,
            events=tuple(
                Event(
                    type=kind,
                    event_id=new_id("evt_"),
                    occurred_at=at,
                    previous_status=account.status,
                    correlation_id=request_id,
                    data=data,
                )
                for kind, data in events
            ),
            entry=LedgerEntry(at=at, action=action, actor=actor, request_id=request_id)
            if action
            else None,
            # A version that is not promoted yet is not to wait for the next check.
            due_at=at if found.unpromoted else found.next_check_at,
        )

    def _found(self, account: Account, verdict: Verdict, now: datetime) -> Account:
        """Return the account as the verdict leaves it, but for the times of checks."""
        match verdict:
            case Accepted(receipt):
                return _accepted(account, receipt, now)
            case Rejected(reason) if account.status is Status.PENDING:
                return replace(account, undo_reason=reason)
            case Rejected(reason) if SENTENCES[reason].code is Code.TOKEN_REFUSED:
                since = account.refused_at or timestamp(now)
                confirmed = moment(since) + self.recheck <= now
                return replace(
                    account,
                    status=Status.ERROR if confirmed else account.status,
                    status_reasons=_because(account, reason, now),
                    refused_at=since,
                    failures=0,
                )
            case Rejected(reason):
                warnings = set(account.warnings)
                if reason is Reason.OWNER_INACTIVE:
                    warnings.add(AccountWarning.OWNER_NOT_ACTIVE)
                return replace(
                    account,
                    status_reasons=_because(account, reason, now),
                    warnings=tuple(one for one in AccountWarning if one in warnings),
                    failures=0,
                )
            case _:
                reason = verdict.reason
                over = account.parked_until and account.parked_until <= timestamp(now)
                return replace(
                    account,
                    status_reasons=_because(account, reason, now),
                    failures=account.failures + 1,
                    undo_reason=reason if over else "",
                )

    def _wait(self, found: Account, verdict: Verdict) -> timedelta:
        """Return how long to wait until the next check: never for ever."""
        if found.undo_reason:
            return timedelta(0)
        match verdict:
            case Undetermined():
                doubled = self.recheck * float(2 ** min(found.failures - 1, 10))
                return min(doubled, CHECK_EVERY)
            case Rejected() if found.refused_at and found.status is not Status.ERROR:
                return self.recheck * 1.5  # with any jitter not before the confirmation counts
            case _:
                return CHECK_EVERY


_ACTIONS: Final = {
    "Account Linked": "linked",
    "Account Failed": "failed",
    "Account Recovered": "recovered",
    "Account Updated": "noticed",
    "Link Rejected": "rejected",
    "Capabilities Changed": "noticed",
    "Token Expiring": "noticed",
}

type _Told = tuple[str, dict[str, object]]


def _accepted(account: Account, receipt: Receipt, now: datetime) -> Account:
    first = account.status is Status.PENDING
    return replace(
        account,
        status=Status.ACTIVE,
        status_reasons=(),
        site=receipt.site if receipt.site.permalink else account.site,
        identity=receipt.identity,
        visible_people=receipt.visible_people,
        capabilities=receipt.capabilities,
        warnings=receipt.warnings,
        linked_at=timestamp(now) if first else account.linked_at,
        token_expires_by=timestamp(now + TOKEN_LIFETIME) if first else account.token_expires_by,
        parked_until="",
        refused_at="",
        failures=0,
    )


def _because(account: Account, reason: Reason, now: datetime) -> tuple[StatusReason, ...]:
    """Return the reason, with the time since when it holds."""
    problem = Problem(reason, subdomain=account.subdomain)
    since = next(
        (one.at for one in account.status_reasons if one.code == problem.code), timestamp(now)
    )
    return (StatusReason(problem.code, problem.detail, since),)


def _tell_expiry(found: Account, now: datetime) -> tuple[Account, list[_Told]]:
    if found.status is not Status.ACTIVE:
        return found, []
    left = (moment(found.token_expires_by) - now).days
    due = [days for days in _TOLD_AT if left <= days]
    if not due:
        return found, []
    warnings = {*found.warnings, AccountWarning.EXPIRES_SOON}
    found = replace(found, warnings=tuple(one for one in AccountWarning if one in warnings))
    if found.expiry_told and found.expiry_told <= due[0]:
        return found, []
    return replace(found, expiry_told=due[0]), [("Token Expiring", {"days_left": max(left, 0)})]


def _events(before: Account, after: Account, verdict: Verdict) -> list[_Told]:
    """Return what is worth an event, the change of status first."""
    told: list[_Told] = []
    if before.status is Status.PENDING:
        if after.undo_reason:
            return [("Link Rejected", _rejection(after))]
        return [("Account Linked", {})] if after.status is Status.ACTIVE else []
    if after.status is not before.status:
        recovered = after.status is Status.ACTIVE
        told.append(("Account Recovered" if recovered else "Account Failed", {}))
    if isinstance(verdict, Accepted):
        gained, lost = _drift(before, after)
        if gained or lost:
            told.append(("Capabilities Changed", {"gained": gained, "lost": lost}))
    codes = {one.code for one in before.status_reasons} ^ {one.code for one in after.status_reasons}
    outage = {Code.NAMELY_THROTTLED, Code.NAMELY_UNAVAILABLE}
    news = codes - outage or set(before.warnings) ^ set(after.warnings)
    if news and not told:
        told.append(("Account Updated", {}))
    return told


def _rejection(account: Account) -> dict[str, object]:
    """Return what is told of a parked link that came to nothing; the sweep removes its row."""
    reason = Reason(account.undo_reason)
    problem = Problem(reason, subdomain=account.subdomain)
    return {
        "account": {
            "id": account.id,
            "owner": {"id": account.owner.id, "name": account.owner.name},
            "subdomain": account.subdomain,
        },
        "code": problem.code,
        "reason": reason,
        "detail": problem.detail,
    }


def _drift(before: Account, after: Account) -> tuple[list[str], list[str]]:
    """Return the capabilities gained and lost; from and to `unknown` is neither."""
    now = after.capabilities
    was = before.capabilities
    gained = [one for one in now if now[one] == "yes" and was.get(one) == "no"]
    lost = [one for one in now if now[one] == "no" and was.get(one) == "yes"]
    return gained, lost

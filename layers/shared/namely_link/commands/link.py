"""The link command: from a typed credential to a linked account, or to a reason why not.

The account's row is the only commit point. Whatever fails before the commit leaves a row in state
`pending` that names its secret, or nothing; whatever fails after it loses nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from namely_link.commands.check import CHECK_EVERY, TOKEN_LIFETIME
from namely_link.domain.account import (
    LEASE,
    Account,
    Attempt,
    Event,
    LedgerEntry,
    Linked,
    Owner,
    Receipt,
    Status,
    StatusReason,
    new_id,
    timestamp,
)
from namely_link.domain.probe import Accepted, Rejected, Undetermined, barred
from namely_link.domain.problems import ConflictError, Problem, Reason, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from namely_link.commands.ports import Ports
    from namely_link.domain.account import (
        AccountType,
        Actor,
        ConnectSession,
        Credential,
        SecretVersion,
    )
    from namely_link.domain.probe import Verdict


@dataclass(frozen=True, kw_only=True)
class BySession:
    """Permission by a connect session; `bearer` keys the fingerprint and is not kept."""

    session_id: str
    bearer: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ByOwner:
    """Permission by an API key, an operator or an event: the caller names the owner."""

    owner: Owner
    park: bool = False
    """Whether a person has typed the token, who should not have to type it again."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    type: AccountType = "production"


@dataclass(frozen=True, kw_only=True)
class LinkCommand:
    """What every trigger becomes."""

    credential: Credential
    permission: BySession | ByOwner
    actor: Actor
    request_id: str
    label: str = ""
    dry_run: bool = False
    attempt_id: str = field(default_factory=lambda: str(uuid4()))
    """The same for the same request come again: it is the id of the secret's version."""


@dataclass(frozen=True)
class LinkedAccount:
    """The account is linked; `again` where it already was."""

    account: Account
    again: bool


@dataclass(frozen=True)
class Tried:
    """What a dry run learned; nothing was stored."""

    receipt: Receipt


@dataclass(frozen=True)
class Parked:
    """Namely gave no verdict; the link finishes by itself, or is undone with an event."""

    account: Account


@dataclass(frozen=True, kw_only=True)
class _Permit:
    """What a permission allows."""

    owner: Owner
    account_type: AccountType
    label: str
    metadata: Mapping[str, str]
    park: bool
    session: ConnectSession | None = None
    fingerprint: str = ""
    account: Account | None = None
    """The only one that it may link, as it was read."""


def link(command: LinkCommand, ports: Ports) -> LinkedAccount | Parked | Tried:
    """Link an account, link it again, or only try.

    Raises:
        Problem: with the reason; nothing is stored unless it says `storage_unavailable`, where
            asking again finds the account if it was linked after all.
    """
    try:
        return _link(command, ports)
    except ConflictError as error:
        raise Problem(Reason.CONFLICT, retry_after=2) from error
    except StorageError as error:
        raise Problem(Reason.STORAGE_UNAVAILABLE, retry_after=5) from error


def _link(command: LinkCommand, ports: Ports) -> LinkedAccount | Parked | Tried:
    credential = command.credential
    started = ports.monotonic()
    deadline = started + ports.deadline_seconds
    permitted = ports.pool.submit(_permit, command, ports)
    named = ports.pool.submit(
        ports.questions.site, credential.subdomain, now=started, deadline=deadline
    )
    site = named.result()
    permit = permitted.result()
    if permit.session and permit.session.linked:
        return _same_answer(permit, ports)
    attempt = Attempt(id=command.attempt_id, at=timestamp(ports.now()))
    verdict: Verdict
    unasked = barred(site)
    if unasked:
        if command.dry_run or not _may_park(unasked, permit, ports):
            raise _problem(unasked, credential, permit)
        account, verdict = _begin(command, permit, attempt, ports), unasked
    elif command.dry_run:
        pending = ports.questions.ask(credential, deadline=deadline, pool=ports.pool)
        verdict = pending.verdict(site)
        if isinstance(verdict, Accepted):
            return Tried(verdict.receipt)
        raise _problem(verdict, credential, permit)
    else:
        pending = ports.questions.ask(credential, deadline=deadline, pool=ports.pool)
        begun = ports.pool.submit(_begin, command, permit, attempt, ports)
        verdict, account = pending.verdict(site), begun.result()
    if account.secret and account.secret.version_id == attempt.id:
        ports.registry.abandon(account, attempt_id=attempt.id, secret_written=account.unpromoted)
        return LinkedAccount(replace(account, attempt=None), again=False)
    if isinstance(verdict, Accepted):
        return _store(command, permit, account, attempt, verdict.receipt, ports)
    if not account.linked_at and _may_park(verdict, permit, ports):
        return _park(command, permit, account, attempt, verdict, ports)
    with contextlib.suppress(StorageError):  # the lease ends the attempt as well
        ports.registry.abandon(account, attempt_id=attempt.id, secret_written=account.unpromoted)
    raise _problem(verdict, credential, permit)


_PARKED: Final = frozenset({Reason.OUTAGE, Reason.TIMEOUT, Reason.UNREACHABLE, Reason.THROTTLED})


def _may_park(verdict: Verdict, permit: _Permit, ports: Ports) -> bool:
    """Whether it is Namely that is down, and a person who would have to come back."""
    down = isinstance(verdict, Undetermined) and verdict.reason in _PARKED
    return down and permit.park and bool(ports.park_for)


def _permit(command: LinkCommand, ports: Ports) -> _Permit:
    """Claim an attempt on the session and of the owner, and hold a re-link to its site."""
    match command.permission:
        case ByOwner() as given:
            _count(given.owner, ports)
            return _Permit(
                owner=given.owner,
                account_type=given.type,
                label=command.label,
                metadata=given.metadata,
                park=given.park,
            )
        case given:
            session = ports.registry.claim(given.session_id, now=ports.now())
            subdomain = command.credential.subdomain.label
            fingerprint = command.credential.token.fingerprint(
                key=given.bearer, subdomain=subdomain
            )
            account = None
            if not session.linked:
                _count(session.owner, ports, attempts_left=session.attempts_left)
            if session.account_id and not session.linked:
                account = ports.registry.account(session.account_id)
                if account is None or account.status is Status.UNLINKED:
                    raise Problem(Reason.NOT_FOUND, attempts_left=session.attempts_left)
                if account.subdomain != subdomain and not session.other_site:
                    raise Problem(Reason.SITE_MISMATCH, attempts_left=session.attempts_left)
            return _Permit(
                owner=session.owner,
                account_type=session.type,
                label=command.label or session.label,
                metadata=session.metadata,
                park=True,
                session=session,
                fingerprint=fingerprint,
                account=account,
            )


def _count(owner: Owner, ports: Ports, *, attempts_left: int | None = None) -> None:
    try:
        ports.registry.count_attempt(owner.id, now=ports.now(), most=ports.owner_attempts)
    except Problem as problem:
        problem.attempts_left = attempts_left
        raise


def _same_answer(permit: _Permit, ports: Ports) -> LinkedAccount | Parked:
    """Answer a repeated request as the first time: the answer may have been lost on the way."""
    linked = permit.session.linked if permit.session else None
    account = ports.registry.account(linked.account_id) if linked else None
    if linked is None or account is None or linked.fingerprint != permit.fingerprint:
        raise Problem(Reason.SESSION_USED)
    if account.status is Status.PENDING:
        return Parked(account)
    return LinkedAccount(account, linked.again)


def _begin(command: LinkCommand, permit: _Permit, attempt: Attempt, ports: Ports) -> Account:
    subdomain = command.credential.subdomain.label
    if permit.account:
        return ports.registry.begin_again(
            permit.account, attempt=attempt, subdomain=subdomain, now=ports.now()
        )
    account_id = new_id("acc_")
    proposal = Account(
        id=account_id,
        owner=permit.owner,
        subdomain=subdomain,
        status=Status.PENDING,
        secret_name=ports.vault.name(account_id),
        created_at=attempt.at,
        type=permit.account_type,
        label=permit.label,
        metadata=dict(permit.metadata),
    )
    return ports.registry.begin(proposal, attempt=attempt, now=ports.now())


def _store(
    command: LinkCommand,
    permit: _Permit,
    account: Account,
    attempt: Attempt,
    receipt: Receipt,
    ports: Ports,
) -> LinkedAccount:
    """Write the secret, commit, then let the new version serve."""
    now = ports.now()
    again = bool(account.linked_at)
    subdomain = command.credential.subdomain.label
    moved = subdomain != account.subdomain
    linked = replace(
        account,
        owner=permit.owner,
        subdomain=subdomain,
        status=Status.ACTIVE,
        site=receipt.site if receipt.site.permalink or moved else account.site,
        identity=receipt.identity,
        visible_people=receipt.visible_people,
        capabilities=receipt.capabilities,
        warnings=receipt.warnings,
        status_reasons=(),
        token_expires_by=timestamp(now + TOKEN_LIFETIME),
        label=permit.label or account.label,
        metadata=dict(permit.metadata) or account.metadata,
        linked_at=timestamp(now),
        checked_at=timestamp(now),
        next_check_at=timestamp(now + CHECK_EVERY),
        parked_until="",
        undo_reason="",
        refused_at="",
        failures=0,
        expiry_told=0,
    )
    what = ("Account Relinked", "relinked") if again else ("Account Linked", "linked")
    committed = _commit(command, permit, account, attempt, linked, what, ports)
    return LinkedAccount(committed, again)


def _park(
    command: LinkCommand,
    permit: _Permit,
    account: Account,
    attempt: Attempt,
    verdict: Rejected | Undetermined,
    ports: Ports,
) -> Parked:
    """Keep the token under the pending row: a check verifies it, the sweep undoes it."""
    now = ports.now()
    problem = _problem(verdict, command.credential, permit)
    parked = replace(
        account,
        subdomain=command.credential.subdomain.label,
        status_reasons=(StatusReason(problem.code, problem.detail, timestamp(now)),),
        next_check_at=timestamp(now + ports.recheck),
        parked_until=timestamp(now + ports.park_for),
        undo_reason="",
        failures=0,
    )
    what = ("Link Parked", "parked")
    return Parked(_commit(command, permit, account, attempt, parked, what, ports))


def _commit(
    command: LinkCommand,
    permit: _Permit,
    account: Account,
    attempt: Attempt,
    after: Account,
    what: tuple[str, str],
    ports: Ports,
) -> Account:
    """Write the secret, commit the row that names it, and let the new version serve."""
    try:
        version = _write(command, account, attempt, ports)
        after = replace(
            after,
            secret=version,
            unpromoted=account.secret is not None or account.unpromoted,
            token_hint=command.credential.token.hint,
        )
        committed = _commit_row(command, permit, account, attempt, after, what, ports)
    except (StorageError, ConflictError):
        with contextlib.suppress(StorageError):  # the lease ends the attempt as well
            ports.registry.abandon(account, attempt_id=attempt.id, secret_written=True)
        raise
    if account.secret and not account.unpromoted:
        # Not fatal: readers pin the version, and the row is due until it is promoted.
        with contextlib.suppress(StorageError):
            ports.vault.promote(version, previous=account.secret)
            ports.registry.promoted(committed)
    return committed


def _write(command: LinkCommand, account: Account, attempt: Attempt, ports: Ports) -> SecretVersion:
    if account.secret:
        return ports.vault.put_candidate(
            name=account.secret_name, credential=command.credential, attempt_id=attempt.id
        )
    return ports.vault.create(
        name=account.secret_name,
        credential=command.credential,
        attempt_id=attempt.id,
        tags={"namely-link:owner": account.owner.id, "namely-link:account": account.id},
    )


def _commit_row(
    command: LinkCommand,
    permit: _Permit,
    before: Account,
    attempt: Attempt,
    after: Account,
    what: tuple[str, str],
    ports: Ports,
) -> Account:
    event_type, action = what
    now, session = timestamp(ports.now()), permit.session
    data: dict[str, object] = {}
    detail = ""
    if after.subdomain != before.subdomain:
        detail = f"{before.subdomain} → {after.subdomain}"
        if before.linked_at:
            action, data = "relinked_other_site", {"previous_subdomain": before.subdomain}
    linked = (
        Linked(after.id, again=bool(before.linked_at), fingerprint=permit.fingerprint)
        if session
        else None
    )
    try:
        return ports.registry.commit(
            after,
            attempt_id=attempt.id,
            previous=before,
            session_id=session.id if session else "",
            linked=linked,
            events=(
                Event(
                    type=event_type,
                    event_id=new_id("evt_"),
                    occurred_at=now,
                    previous_status=before.status,
                    correlation_id=command.request_id,
                    data=data,
                ),
            ),
            entry=LedgerEntry(
                at=now,
                action=action,
                actor=command.actor,
                request_id=command.request_id,
                detail=detail,
            ),
            due_at=timestamp(ports.now() + LEASE) if after.unpromoted else after.next_check_at,
        )
    except StorageError:
        # The answer may have been lost after the effect: the row knows.
        found = ports.registry.account(after.id)
        if found and found.secret == after.secret:
            return found
        raise


def _problem(finding: Rejected | Undetermined, credential: Credential, permit: _Permit) -> Problem:
    return Problem(
        finding.reason,
        subdomain=credential.subdomain.label,
        retry_after=finding.retry_after if isinstance(finding, Undetermined) else None,
        attempts_left=permit.session.attempts_left if permit.session else None,
    )

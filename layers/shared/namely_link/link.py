"""The link command: from a typed credential to a linked account, or to a reason why not.

The account's row is the only commit point. Whatever fails before the commit leaves a row in state
`pending` that names its secret, or nothing; whatever fails after it loses nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from namely_link.model import (
    Account,
    Attempt,
    LedgerEntry,
    Linked,
    Owner,
    Receipt,
    Status,
    new_id,
    timestamp,
)
from namely_link.probe import Accepted, Rejected, Undetermined, may_send_token
from namely_link.problems import ConflictError, Problem, Reason, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from namely_link.model import (
        AccountType,
        Actor,
        ConnectSession,
        Credential,
        SecretVersion,
    )
    from namely_link.ports import Ports

TOKEN_LIFETIME: Final = timedelta(days=730)
"""Two years from creation, says Namely; the creation date is not told, so this is the latest."""

CHECK_EVERY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class BySession:
    """Permission by a connect session; `bearer` keys the fingerprint and is not kept."""

    session_id: str
    bearer: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ByOwner:
    """Permission by an API key or an event: the caller names the owner."""

    owner: Owner
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


@dataclass(frozen=True)
class LinkedAccount:
    """The account is linked; `again` where it already was."""

    account: Account
    again: bool


@dataclass(frozen=True)
class Tried:
    """What a dry run learned; nothing was stored."""

    receipt: Receipt


@dataclass(frozen=True, kw_only=True)
class _Permit:
    """What a permission allows."""

    owner: Owner
    account_type: AccountType
    label: str
    metadata: Mapping[str, str]
    session: ConnectSession | None = None
    fingerprint: str = ""


def link(command: LinkCommand, ports: Ports) -> LinkedAccount | Tried:
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


def _link(command: LinkCommand, ports: Ports) -> LinkedAccount | Tried:
    credential = command.credential
    deadline = ports.monotonic() + ports.deadline_seconds
    permit, site = ports.questions.together(
        lambda: _permit(command, ports),
        lambda: ports.questions.site(credential.subdomain, deadline),
    )
    if permit.session and permit.session.linked:
        return _same_answer(permit, ports)
    if not may_send_token(site):
        raise _problem(site, credential, permit)
    attempt = Attempt(id=str(uuid4()), at=timestamp(ports.now()))
    begin: list[Callable[[], object]] = []
    if not command.dry_run:
        begin.append(lambda: _begin(command, permit, attempt, ports))
    verdict, begun = ports.questions.credential(credential, site, deadline, *begin)
    account = begun[0] if begun else None
    if not isinstance(account, Account):
        if isinstance(verdict, Accepted):
            return Tried(verdict.receipt)
        raise _problem(verdict, credential, permit)
    fresh = account.secret_name.endswith(account.id) and account.created_at == attempt.at
    if not isinstance(verdict, Accepted):
        with contextlib.suppress(StorageError):  # the lease ends the attempt as well
            ports.registry.abandon(account, attempt_id=attempt.id, secret_written=not fresh)
        raise _problem(verdict, credential, permit)
    return _store(command, permit, account, attempt, verdict.receipt, ports)


def _permit(command: LinkCommand, ports: Ports) -> _Permit:
    """Claim an attempt on the session, and hold a re-link to the site that it is for."""
    match command.permission:
        case ByOwner() as given:
            return _Permit(
                owner=given.owner,
                account_type=given.type,
                label=command.label,
                metadata=given.metadata,
            )
        case given:
            session = ports.registry.claim(given.session_id, now=ports.now())
            subdomain = command.credential.subdomain.label
            fingerprint = command.credential.token.fingerprint(
                key=given.bearer, subdomain=subdomain
            )
            if session.account_id and not session.linked:
                account = ports.registry.account(session.account_id)
                if account is None or account.status is Status.UNLINKED:
                    raise Problem(Reason.NOT_FOUND, attempts_left=session.attempts_left)
                if account.subdomain != subdomain:
                    raise Problem(Reason.SITE_MISMATCH, attempts_left=session.attempts_left)
            return _Permit(
                owner=session.owner,
                account_type=session.type,
                label=command.label or session.label,
                metadata=session.metadata,
                session=session,
                fingerprint=fingerprint,
            )


def _same_answer(permit: _Permit, ports: Ports) -> LinkedAccount:
    """Answer a repeated request as the first time: the answer may have been lost on the way."""
    linked = permit.session.linked if permit.session else None
    account = ports.registry.account(linked.account_id) if linked else None
    if linked is None or account is None or linked.fingerprint != permit.fingerprint:
        raise Problem(Reason.SESSION_USED)
    return LinkedAccount(account, linked.again)


def _begin(command: LinkCommand, permit: _Permit, attempt: Attempt, ports: Ports) -> Account:
    account_id = new_id("acc_")
    proposal = Account(
        id=account_id,
        owner=permit.owner,
        subdomain=command.credential.subdomain.label,
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
    again = account.revision > 0
    try:
        version = _write(command, account, attempt, ports)
        committed = _commit(command, permit, account, attempt, receipt, version, ports)
    except (StorageError, ConflictError):
        with contextlib.suppress(StorageError):  # the lease ends the attempt as well
            ports.registry.abandon(account, attempt_id=attempt.id, secret_written=True)
        raise
    if account.secret:
        # Not fatal: readers pin the version, and what is not promoted is noted in the row.
        with contextlib.suppress(StorageError):
            ports.vault.promote(version, previous=account.secret)
            ports.registry.promoted(committed)
    return LinkedAccount(committed, again)


def _write(command: LinkCommand, account: Account, attempt: Attempt, ports: Ports) -> SecretVersion:
    if account.revision:
        return ports.vault.put_candidate(
            name=account.secret_name, credential=command.credential, attempt_id=attempt.id
        )
    return ports.vault.create(
        name=account.secret_name,
        credential=command.credential,
        attempt_id=attempt.id,
        tags={"namely-link:owner": account.owner.id, "namely-link:account": account.id},
    )


def _commit(
    command: LinkCommand,
    permit: _Permit,
    account: Account,
    attempt: Attempt,
    receipt: Receipt,
    version: SecretVersion,
    ports: Ports,
) -> Account:
    now = ports.now()
    again = account.revision > 0
    known = receipt.site if receipt.site.permalink else account.site
    linked = replace(
        account,
        owner=permit.owner,
        status=Status.ACTIVE,
        site=known,
        identity=receipt.identity,
        visible_people=receipt.visible_people,
        capabilities=receipt.capabilities,
        warnings=receipt.warnings,
        status_reasons=(),
        secret=version,
        unpromoted=account.secret is not None,
        token_hint=command.credential.token.hint,
        token_expires_by=timestamp(now + TOKEN_LIFETIME),
        label=permit.label or account.label,
        metadata=dict(permit.metadata) or account.metadata,
        linked_at=timestamp(now),
        checked_at=timestamp(now),
        next_check_at=timestamp(now + CHECK_EVERY),
    )
    session = permit.session
    try:
        return ports.registry.commit(
            linked,
            attempt_id=attempt.id,
            session_id=session.id if session else "",
            linked=Linked(account.id, again, permit.fingerprint) if session else None,
            event={
                "event_id": new_id("evt_"),
                "type": "Account Relinked" if again else "Account Linked",
                "occurred_at": timestamp(now),
                "previous_status": account.status.value,
                "correlation_id": command.request_id,
            },
            entry=LedgerEntry(
                at=timestamp(now),
                action="relinked" if again else "linked",
                actor=command.actor,
                request_id=command.request_id,
            ),
        )
    except StorageError:
        # The answer may have been lost after the effect: the row knows.
        found = ports.registry.account(account.id)
        if found and found.secret == version:
            return found
        raise


def _problem(finding: Rejected | Undetermined, credential: Credential, permit: _Permit) -> Problem:
    return Problem(
        finding.reason,
        subdomain=credential.subdomain.label,
        retry_after=finding.retry_after if isinstance(finding, Undetermined) else None,
        attempts_left=permit.session.attempts_left if permit.session else None,
    )

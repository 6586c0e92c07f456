"""The link command: from a typed credential to a linked account, or to a reason why not.

The account's row is the only commit point. Whatever fails before the commit leaves a row in state
`pending` that names its secret, or nothing; whatever fails after it loses nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from namely_link.commands.ports import SessionUse
from namely_link.domain import lifecycle
from namely_link.domain.account import Account, Status
from namely_link.domain.lifecycle import LEASE, Cause, Change
from namely_link.domain.probe import Accepted, Rejected, Undetermined, barred
from namely_link.domain.problems import (
    Code,
    ConflictError,
    NamelyLinkError,
    Problem,
    Reason,
    SecretMissingError,
    StorageError,
)
from namely_link.domain.sessions import ConnectSession, Linked
from namely_link.domain.values import new_id, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from namely_link.commands.ports import Done, LinkPorts
    from namely_link.domain.account import Receipt
    from namely_link.domain.probe import SiteFinding, Verdict
    from namely_link.domain.values import AccountType, Actor, Credential, Owner, SecretVersion


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
    asked_at: str = ""
    """When an event asked for it (RFC 3339): it is not done over newer work."""
    done: Done | None = None
    """What is committed with the link, so that an event's request is not done again."""


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


type Outcome = LinkedAccount | Parked | Tried


@dataclass(frozen=True, kw_only=True)
class _Permit:
    """What a permission allows. `attempt_id` has claimed an attempt of the session, if any."""

    at: datetime
    attempt_id: str = field(default_factory=lambda: str(uuid4()))
    owner: Owner
    account_type: AccountType
    label: str
    metadata: Mapping[str, str]
    park: bool
    session: ConnectSession | None = None
    fingerprint: str = ""


def link(command: LinkCommand, ports: LinkPorts) -> Outcome:
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


def _link(command: LinkCommand, ports: LinkPorts) -> Outcome:
    start = ports.monotonic()
    deadline = start + ports.deadline_seconds
    with ports.executor() as pool:
        asked = pool.submit(
            ports.questions.site, command.credential.subdomain, now=start, deadline=deadline
        )
        permit = _permit(command, ports)
    if not isinstance(permit, _Permit):
        return permit
    try:
        done = _try(command, permit, asked.result(), deadline, ports)
        match done:
            case Undetermined(reason, retry_after):
                raise _problem(command, reason, retry_after=retry_after)
            case Rejected():
                permit = _after_verdict(permit, ConnectSession.spent, ports)
            case Tried():
                permit = _after_verdict(permit, ConnectSession.tried, ports)
    except Exception as error:
        _give_back(permit, ports)
        _say_attempts(error, permit)
        raise
    if isinstance(done, Rejected):
        problem = _problem(command, done.reason)
        _say_attempts(problem, permit)
        raise problem
    return done


def _problem(command: LinkCommand, reason: Reason, *, retry_after: int | None = None) -> Problem:
    subdomain = command.credential.subdomain.label
    return Problem(reason, subdomain=subdomain, retry_after=retry_after)


def _say_attempts(error: Exception, permit: _Permit) -> None:
    """Say in a problem how many attempts the session has left."""
    if isinstance(error, Problem) and permit.session:
        error.attempts_left = permit.session.attempts_left


# What a permission allows, and what it costs


def _permit(command: LinkCommand, ports: LinkPorts) -> _Permit | LinkedAccount | Parked:
    """Claim an attempt of the session and of the owner; a used session has its answer."""
    match command.permission:
        case ByOwner() as given:
            permit = _Permit(
                at=ports.now(),
                owner=given.owner,
                account_type=given.type,
                label=command.label,
                metadata=given.metadata,
                park=given.park,
            )
        case given:
            session = ports.sessions.session(given.session_id)
            if session is None:
                raise Problem(Reason.UNAUTHORIZED)
            fingerprint = command.credential.token.fingerprint(
                key=given.bearer, subdomain=command.credential.subdomain.label
            )
            if session.linked and session.expires_at > timestamp(ports.now()):
                return _linked_before(session.linked, fingerprint, ports)
            permit = _claim(command, session, fingerprint, ports)
    try:
        ports.sessions.count_attempt(permit.owner.id, now=permit.at, most=ports.owner_attempts)
    except NamelyLinkError as error:
        _unclaim(permit, ports)
        _say_attempts(error, permit)
        raise
    return permit


def _linked_before(linked: Linked, fingerprint: str, ports: LinkPorts) -> LinkedAccount | Parked:
    """Return what a used session has linked, to who asks with the same credential again."""
    account = ports.accounts.read(linked.account_id)
    if account is None or linked.fingerprint != fingerprint or not account.holds_pair:
        raise Problem(Reason.SESSION_USED)
    if account.status is Status.PENDING:
        return Parked(account)
    return LinkedAccount(account, linked.again)


def _claim(
    command: LinkCommand, session: ConnectSession, fingerprint: str, ports: LinkPorts
) -> _Permit:
    """Claim an attempt of an open session; it ends with a verdict, or costs nothing."""
    permit = _Permit(
        at=ports.now(),
        owner=session.owner,
        account_type=session.type,
        label=command.label or session.label,
        metadata=session.metadata,
        park=True,
        session=session,
        fingerprint=fingerprint,
    )

    def claimed(one: ConnectSession) -> ConnectSession:
        return one.claimed(
            permit.attempt_id,
            until=permit.at + LEASE,
            fingerprint=fingerprint,
            now=permit.at,
        )

    try:
        return replace(permit, session=_saved(session, claimed, ports))
    except StorageError:
        _unclaim(permit, ports)  # it may have been written
        raise


_TRIES: Final = 4
"""How often a session is written before the request gives up: others write it at the same time."""


def _saved(
    session: ConnectSession,
    change: Callable[[ConnectSession], ConnectSession],
    ports: LinkPorts,
) -> ConnectSession:
    """Write a session as changed, whatever others have written meanwhile."""
    for _ in range(_TRIES):
        changed = change(session)
        try:
            ports.sessions.save(changed)
        except ConflictError:
            found = ports.sessions.session(session.id)
            if found is None:
                raise Problem(Reason.UNAUTHORIZED) from None
            session = found
        else:
            return replace(changed, fence=changed.fence + 1)
    msg = "a session is written by too many at once"
    raise ConflictError(msg)


def _after_verdict(
    permit: _Permit, change: Callable[..., ConnectSession], ports: LinkPorts
) -> _Permit:
    """End the claim with what a verdict costs, before the verdict is told to anybody."""
    if permit.session is None:
        return permit
    saved = _saved(
        permit.session,
        lambda one: change(one, permit.attempt_id, fingerprint=permit.fingerprint),
        ports,
    )
    return replace(permit, session=saved)


def _give_back(permit: _Permit, ports: LinkPorts) -> None:
    """Take back what was claimed and counted: there was no verdict."""
    with contextlib.suppress(StorageError):  # it counts against the hour at most
        ports.sessions.uncount_attempt(permit.owner.id, now=permit.at)
    _unclaim(permit, ports)


def _unclaim(permit: _Permit, ports: LinkPorts) -> None:
    if permit.session:
        with contextlib.suppress(NamelyLinkError):  # a claim ends by itself
            _saved(permit.session, lambda one: one.given_back(permit.attempt_id), ports)


# The link itself


def _try(
    command: LinkCommand, permit: _Permit, site: SiteFinding, deadline: float, ports: LinkPorts
) -> Outcome | Rejected | Undetermined:
    """Ask Namely about the token, and store what it accepts.

    The row that names the secret is written while Namely thinks.
    """
    target = _target(command, permit, ports)
    if isinstance(target, Rejected):
        return target
    verdict: Verdict
    account = None
    if found := barred(site):
        verdict = found
        if not command.dry_run and _may_park(found, permit, ports):
            account = _begin(command, permit, target, ports)
    else:
        with ports.executor() as pool:
            pending = ports.questions.ask(command.credential, deadline=deadline, pool=pool)
            account = None if command.dry_run else _begin(command, permit, target, ports)
            verdict = pending.verdict(site)
    if account is None:
        return Tried(verdict.receipt) if isinstance(verdict, Accepted) else verdict
    if isinstance(verdict, Accepted):
        return _store(command, permit, account, verdict.receipt, ports)
    if _may_park(verdict, permit, ports) and not account.linked_at:
        return _park(command, permit, account, verdict, ports)
    _let_go(account, ports, wrote=False)
    return verdict


def _target(command: LinkCommand, permit: _Permit, ports: LinkPorts) -> Account | Rejected | None:
    """Return the account that a session is for, None where it is for whatever the pair has."""
    session = permit.session
    if session is None or not session.account_id:
        return None
    account = ports.accounts.read(session.account_id)
    if account is None or not account.holds_pair or not account.committed:
        raise Problem(Reason.NOT_FOUND)
    if account.subdomain != command.credential.subdomain.label:
        return Rejected(Reason.SITE_MISMATCH)
    return account


_PARKED: Final = frozenset({Reason.OUTAGE, Reason.TIMEOUT, Reason.UNREACHABLE, Reason.THROTTLED})


def _may_park(verdict: Rejected | Undetermined, permit: _Permit, ports: LinkPorts) -> bool:
    """Whether it is Namely that is down, and a person who would have to come back."""
    return verdict.reason in _PARKED and permit.park and bool(ports.park_for)


def _begin(
    command: LinkCommand, permit: _Permit, target: Account | None, ports: LinkPorts
) -> Account:
    """Hold the account's row, or write one that names its secret.

    Raises:
        Problem: conflict, while another attempt may still write; request_stale.
    """
    subdomain = command.credential.subdomain.label
    found = target or ports.accounts.of_pair(permit.owner.id, subdomain)
    _check_not_stale(command, permit, found, ports)
    now = ports.now()
    if found and found.committed:
        lifecycle.check_linkable(found)
        missing = found.health.reasons and found.health.reasons[0].code == Code.SECRET_MISSING
        name = ports.vault.name(found.id, again=permit.attempt_id) if missing else ""
        mine = lifecycle.attempt(
            lease=LEASE, now=now, attempt_id=permit.attempt_id, secret_name=name
        )
        return ports.accounts.commit(lifecycle.taken(found, mine, now))
    account_id = new_id("acc_")
    pending = Account(
        id=account_id,
        owner=permit.owner,
        subdomain=subdomain,
        status=Status.PENDING,
        secret_name=ports.vault.name(account_id),
        created_at=timestamp(now),
        type=permit.account_type,
        label=permit.label,
        metadata=dict(permit.metadata),
        attempt=lifecycle.attempt(lease=LEASE, now=now, attempt_id=permit.attempt_id),
    )
    begun = lifecycle.begun(pending)
    if found is None:
        return ports.accounts.commit(begun)
    if found.attempt and not found.attempt.over(now):
        raise Problem(Reason.CONFLICT, retry_after=found.attempt.seconds_left(now))
    # A link died here before it was committed: its id, and so its secret's name, are given up.
    return ports.accounts.commit(begun, lifecycle.undone(found, now))


def _check_not_stale(
    command: LinkCommand, permit: _Permit, found: Account | None, ports: LinkPorts
) -> None:
    """Refuse an event's request that is older than what happened to the pair since."""
    if not command.asked_at:
        return
    if found and found.committed:
        since = found.changed_at
    else:
        since = ports.accounts.unlinked_at(permit.owner.id, command.credential.subdomain.label)
    lifecycle.check_not_stale(since, command.asked_at)


def _store(
    command: LinkCommand, permit: _Permit, account: Account, receipt: Receipt, ports: LinkPorts
) -> LinkedAccount:
    account, secret = _write(command, account, ports)
    change = lifecycle.linked(
        account,
        receipt,
        secret=secret,
        hint=command.credential.token.hint,
        cause=_cause(command, ports),
    )
    again = bool(account.linked_at)
    return LinkedAccount(_commit(command, permit, account, change, ports), again)


def _park(
    command: LinkCommand,
    permit: _Permit,
    account: Account,
    verdict: Rejected | Undetermined,
    ports: LinkPorts,
) -> Parked:
    """Keep the token under the pending row: a check verifies it, the sweep undoes it."""
    account, secret = _write(command, account, ports)
    change = lifecycle.parked(
        account,
        verdict.reason,
        secret=secret,
        hint=command.credential.token.hint,
        until=ports.now() + ports.park_for,
        recheck=ports.recheck,
        cause=_cause(command, ports),
    )
    return Parked(_commit(command, permit, account, change, ports))


def _cause(command: LinkCommand, ports: LinkPorts) -> Cause:
    return Cause(actor=command.actor, request_id=command.request_id, now=ports.now())


def _write(
    command: LinkCommand, account: Account, ports: LinkPorts
) -> tuple[Account, SecretVersion]:
    """Write the token where the row says; where somebody has deleted that secret, to a new one.

    Returns the account as its row says then.
    """
    try:
        held = lifecycle.held(account)
        if account.secret and not held.secret_name:
            with contextlib.suppress(SecretMissingError):
                return account, ports.vault.put_candidate(
                    name=account.secret_name, credential=command.credential, attempt_id=held.id
                )
            name = ports.vault.name(account.id, again=held.id)
            account = ports.accounts.commit(lifecycle.moved(account, name))
        name = lifecycle.held(account).secret_name or account.secret_name
        tags = {"namely-link:owner": account.owner.id, "namely-link:account": account.id}
        return account, ports.vault.create(
            name=name, credential=command.credential, attempt_id=held.id, tags=tags
        )
    except (StorageError, ConflictError):
        _let_go(account, ports, wrote=True)
        raise


def _commit(
    command: LinkCommand,
    permit: _Permit,
    before: Account,
    change: Change[Account],
    ports: LinkPorts,
) -> Account:
    """Commit the row that names the version, and let that version serve."""
    use = None
    if permit.session:
        again = bool(before.linked_at)
        used = Linked(before.id, again=again, fingerprint=permit.fingerprint)
        use = SessionUse(session_id=permit.session.id, attempt_id=permit.attempt_id, linked=used)
    try:
        committed = ports.accounts.commit(change, use=use, done=command.done)
    except (StorageError, ConflictError):
        _let_go(before, ports, wrote=True)
        raise
    if committed.attempt and committed.secret and before.secret:
        # Not fatal: readers pin the version, and the row is due until it is promoted.
        with contextlib.suppress(StorageError, ConflictError):
            ports.vault.promote(committed.secret, previous=before.secret)
            return ports.accounts.commit(lifecycle.promoted(committed))
    return committed


def _let_go(account: Account, ports: LinkPorts, *, wrote: bool) -> None:
    with contextlib.suppress(StorageError, ConflictError):  # the lease ends the attempt as well
        ports.accounts.commit(lifecycle.let_go(account, wrote=wrote, now=ports.now()))

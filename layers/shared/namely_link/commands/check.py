"""The check command: probes a linked account again, and records what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from namely_link.domain import lifecycle
from namely_link.domain.account import Status
from namely_link.domain.lifecycle import Cause
from namely_link.domain.probe import Verdict, barred
from namely_link.domain.problems import SecretMissingError
from namely_link.domain.values import ActorKind

if TYPE_CHECKING:
    from namely_link.commands.ports import CheckPorts
    from namely_link.domain.account import Account, Tombstone
    from namely_link.domain.values import Actor, Credential

_CHECKED = frozenset({Status.PENDING, Status.ACTIVE, Status.ERROR})


def check(
    account_id: str, *, actor: Actor, request_id: str, ports: CheckPorts
) -> Account | Tombstone | None:
    """Probe an account and record what it found; None where there is nothing to check.

    What the sweep has asked for is checked once, however often it had to ask; people get a check
    each time.

    Raises:
        ConflictError: the account was changed meanwhile; whoever did it knows better.
        StorageError: the check is to be made again.
    """
    account = ports.accounts.read(account_id)
    if account is None or account.secret is None or account.attempt:
        return None
    if account.status not in _CHECKED:
        return None
    now = ports.now()
    if actor.kind is ActorKind.SWEEP and not lifecycle.check_wanted(account, now):
        return None
    cause = Cause(actor=actor, request_id=request_id, now=now)
    try:
        credential = ports.vault.read(account.secret)
    except SecretMissingError:
        return ports.accounts.commit(
            lifecycle.secret_missing(account, pace=ports.pace, cause=cause)
        )
    verdict = _probe(credential, ports)
    cause = Cause(actor=actor, request_id=request_id, now=ports.now())
    return ports.accounts.commit(lifecycle.checked(account, verdict, pace=ports.pace, cause=cause))


def _probe(credential: Credential, ports: CheckPorts) -> Verdict:
    """Ask the site who it is and then, unless that refutes it, about the token."""
    start = ports.monotonic()
    deadline = start + ports.deadline_seconds
    site = ports.questions.site(credential.subdomain, now=start, deadline=deadline)
    if found := barred(site):
        return found
    with ports.executor() as pool:
        return ports.questions.ask(credential, deadline=deadline, pool=pool).verdict(site)

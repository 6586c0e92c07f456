"""Everything that may happen to an account: each transition, when it is due, and what is told.

A transition is a function from an account to a `Change`. Whoever commits the change writes the row,
the event and the ledger's entry in one transaction, and is refused if the row was written since it
was read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal
from uuid import uuid4

from namely_link.domain.account import (
    Account,
    AccountWarning,
    Attempt,
    Deletion,
    Health,
    Parking,
    Status,
    StatusReason,
    Tombstone,
    Unsettled,
)
from namely_link.domain.probe import Accepted, Rejected
from namely_link.domain.problems import Code, Problem, Reason
from namely_link.domain.values import OpenEnum, moment, new_id, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from namely_link.domain.account import Receipt
    from namely_link.domain.probe import Verdict
    from namely_link.domain.values import Actor, SecretVersion

TIMEOUTS: Final = {
    "link": timedelta(seconds=29),
    "intake": timedelta(seconds=29),
    "api": timedelta(seconds=29),
    "check": timedelta(seconds=120),
    "sweep": timedelta(seconds=120),
}
"""How long each function that writes rows may run; a test holds them to the template."""

LEASE: Final = max(TIMEOUTS[name] for name in ("link", "intake", "api")) + timedelta(seconds=6)
"""How long a request holds a row: longer than it can run."""

SWEEP_LEASE: Final = timedelta(seconds=45)
"""How long the sweep holds one of the rows that it works at, one after the other."""

SWEEP_TURN: Final = timedelta(seconds=50)
"""For how long a sweep keeps others from sweeping: one that died costs none of the next minute."""

WORST_CALL: Final = timedelta(seconds=30)
"""What one call to AWS can take with all its retries (24 s, see `bootstrap`), and some more."""

LATE: Final = timedelta(minutes=10)
"""For how long a call may take effect after its caller has given up; longer ones `reconcile`
finds."""

CHECK_EVERY: Final = timedelta(days=1)
CHECK_WITHIN: Final = timedelta(minutes=15)
"""After which a check that was handed to the queue and never made is handed over once more."""
SEEN_SOON: Final = timedelta(minutes=5)
"""When a token is looked at again that was proved, though what it sees could not be found out."""
PARKED_CHECK_EVERY: Final = timedelta(minutes=15)
"""The longest wait for the next check of a parked link."""

TOKEN_LIFETIME: Final = timedelta(days=730)
"""Two years from creation, says Namely; the creation date is not told, so this is the latest."""

_TOLD_AT: Final = (7, 30, 60)
"""Days before the latest end of a token at which it is told, once each."""


class EventType(OpenEnum):
    """What consumers are told, as EventBridge's detail-type."""

    ACCOUNT_LINKED = "Account Linked"
    """It was linked for the first time, its parked link has finished, or it was restored."""
    ACCOUNT_RELINKED = "Account Relinked"
    """It has a new token; the pinned version of its secret has changed."""
    ACCOUNT_UPDATED = "Account Updated"
    """Its label, metadata, warnings or reasons have changed, or it was suspended or resumed.

    Reasons and warnings that changed together with the status or the capabilities are told by that
    event alone.
    """
    ACCOUNT_UNLINKED = "Account Unlinked"
    """It is unlinked; `deletion` is the receipt, not yet confirmed by Secrets Manager."""
    ACCOUNT_FAILED = "Account Failed"
    """Namely refused the token, or its secret was deleted by hand; a second look confirmed it."""
    ACCOUNT_RECOVERED = "Account Recovered"
    """The token of a failed account works again."""
    CAPABILITIES_CHANGED = "Capabilities Changed"
    """The token sees more or less than before."""
    TOKEN_EXPIRING = "Token Expiring"
    """60, 30 and 7 days before two years after linking, when the token ends at the latest."""
    LINK_REJECTED = "Link Rejected"
    """A link that was asked for by an event, or parked, came to nothing."""
    LINK_PARKED = "Link Parked"
    """Namely gave no verdict while a person linked; it finishes by itself, or is rejected."""
    REQUEST_REFUSED = "Request Refused"
    """What an event asked for, other than a link, was refused."""


class Action(OpenEnum):
    """What the ledger says that was done."""

    LINKED = "linked"
    RELINKED = "relinked"
    PARKED = "parked"
    REJECTED = "rejected"
    RENAMED = "renamed"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    UNLINKED = "unlinked"
    DELETION_SCHEDULED = "deletion_scheduled"
    RESTORED = "restored"
    FAILED = "failed"
    RECOVERED = "recovered"
    NOTICED = "noticed"


class Transition(Enum):
    """What may happen to an account, with the ledger's action and the event that tell of it."""

    LINKED = Action.LINKED, EventType.ACCOUNT_LINKED
    RELINKED = Action.RELINKED, EventType.ACCOUNT_RELINKED
    PARKED = Action.PARKED, EventType.LINK_PARKED
    REJECTED = Action.REJECTED, EventType.LINK_REJECTED
    RENAMED = Action.RENAMED, EventType.ACCOUNT_UPDATED
    SUSPENDED = Action.SUSPENDED, EventType.ACCOUNT_UPDATED
    RESUMED = Action.RESUMED, EventType.ACCOUNT_UPDATED
    UNLINKED = Action.UNLINKED, EventType.ACCOUNT_UNLINKED
    DELETION_SCHEDULED = Action.DELETION_SCHEDULED, None
    RESTORED = Action.RESTORED, EventType.ACCOUNT_LINKED
    FAILED = Action.FAILED, EventType.ACCOUNT_FAILED
    RECOVERED = Action.RECOVERED, EventType.ACCOUNT_RECOVERED
    SEES_OTHER_THINGS = Action.NOTICED, EventType.CAPABILITIES_CHANGED
    TOKEN_EXPIRING = Action.NOTICED, EventType.TOKEN_EXPIRING
    NOTICED = Action.NOTICED, EventType.ACCOUNT_UPDATED

    def __init__(self, action: Action, event: EventType | None) -> None:
        self.action, self.event = action, event


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, committed with the change that it tells of."""

    type: str
    event_id: str
    occurred_at: str
    correlation_id: str
    previous_status: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """What happened to an account, and who did it."""

    at: str
    action: str
    actor: Actor
    request_id: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why something happens: who asked for it, in which request, and when."""

    actor: Actor
    request_id: str
    now: datetime

    @property
    def at(self) -> str:
        """When, as RFC 3339."""
        return timestamp(self.now)


type State = Account | Tombstone | None
type Checked = Change[Account] | Change[Tombstone]


@dataclass(frozen=True, kw_only=True)
class Change[After: State]:
    """A row as it was read, as it is to be written, and what is told of that."""

    before: State
    after: After
    events: tuple[Event, ...] = ()
    entry: LedgerEntry | None = None


type _Happened = tuple[Transition, Mapping[str, object]]


def _told[After: State](
    before: Account, after: After, cause: Cause, *happened: _Happened
) -> Change[After]:
    """Return a change that consumers are told of, the first transition in the ledger as well."""
    events = tuple(
        Event(
            type=transition.event,
            event_id=new_id("evt_"),
            occurred_at=cause.at,
            correlation_id=cause.request_id,
            previous_status=before.status,
            data=data,
        )
        for transition, data in happened
        if transition.event
    )
    entry = None
    if happened:
        entry = LedgerEntry(
            at=cause.at,
            action=happened[0][0].action,
            actor=cause.actor,
            request_id=cause.request_id,
        )
    return Change(before=before, after=after, events=events, entry=entry)


def _visible(
    before: Account, after: Account, cause: Cause, *happened: _Happened
) -> Change[Account]:
    """Return a change that consumers can see: it has the next revision."""
    return _told(before, replace(after, revision=before.revision + 1), cause, *happened)


def due_at(state: Account | Tombstone) -> str:
    """Return when the sweep has to look at a row (RFC 3339), '' for never."""
    match state:
        case Tombstone():
            return state.look_at
        case Account(attempt=Attempt(until=until)):
            return until
    health, moments = state.health, [state.unsettled.look_at if state.unsettled else ""]
    match state.status:
        case Status.PENDING if state.parking:
            moments += [health.queued_until or health.next_check_at, state.parking.until]
        case Status.PENDING:
            moments.append(state.created_at)
        case Status.ACTIVE | Status.ERROR:
            moments.append(health.queued_until or health.next_check_at or state.created_at)
        case Status.UNLINKED if state.deletion and not state.deletion.final_at:
            moments.append(state.deletion.requested_at)
        case _:
            pass
    return min((one for one in moments if one), default="")


def check_due(account: Account, now: datetime) -> bool:
    """Whether the account is to be probed by now."""
    if account.status not in {Status.PENDING, Status.ACTIVE, Status.ERROR}:
        return False
    health = account.health
    return (health.queued_until or health.next_check_at) <= timestamp(now)


def check_wanted(account: Account, now: datetime) -> bool:
    """Whether the check that the sweep has asked for is still to be made: none was meanwhile."""
    return bool(account.health.queued_until) or account.health.next_check_at <= timestamp(now)


def check_not_stale(changed_at: str, asked_at: str) -> None:
    """Refuse what an event asked for before something newer was done (both RFC 3339).

    Raises:
        Problem: conflict; never where `asked_at` is empty.
    """
    if asked_at and changed_at > asked_at:
        raise Problem(Reason.REQUEST_STALE)


def settling_due(account: Account, now: datetime) -> bool:
    """Whether the secret is to be looked at by now."""
    return account.unsettled is not None and account.unsettled.look_at <= timestamp(now)


def deletion_due(account: Account, now: datetime) -> bool:
    """Whether the deletion of an unlinked account's secret is to be done, or looked at again."""
    undone = account.deletion is not None and not account.deletion.final_at
    return undone or account.attempt is not None or settling_due(account, now)


# Holding a row


def attempt(
    *, lease: timedelta, now: datetime, attempt_id: str = "", secret_name: str = ""
) -> Attempt:
    """Return a new attempt, which holds a row for so long."""
    return Attempt(
        id=attempt_id or str(uuid4()),
        at=timestamp(now),
        until=timestamp(now + lease),
        secret_name=secret_name,
    )


def held(account: Account) -> Attempt:
    """Return the attempt that holds the row, for who has taken it."""
    if account.attempt is None:
        msg = "nobody holds this row"
        raise AssertionError(msg)
    return account.attempt


def moved(account: Account, secret_name: str) -> Change[Account]:
    """An attempt writes to a new secret, since somebody has deleted the one that there was."""
    mine = replace(held(account), secret_name=secret_name)
    return Change(before=account, after=replace(account, attempt=mine))


def covers(held: Attempt, now: datetime) -> bool:
    """Whether the lease outlasts a call to AWS that starts now."""
    return moment(held.until) - now >= WORST_CALL


def begun(account: Account) -> Change[Account]:
    """A pending row is written, which names its secret: the first thing of a link."""
    return Change(before=None, after=account)


def taken(account: Account, mine: Attempt, now: datetime) -> Change[Account]:
    """Somebody takes the row, in place of nobody or of an attempt that is over.

    Raises:
        Problem: conflict, while another attempt may still write.
    """
    return Change(before=account, after=_taken(account, mine, now))


def _taken(account: Account, mine: Attempt | None, now: datetime) -> Account:
    if account.attempt is None:
        return replace(account, attempt=mine)
    if not account.attempt.over(now):
        raise Problem(Reason.CONFLICT, retry_after=account.attempt.seconds_left(now))
    # What it has called may have taken effect, or may still do so.
    return replace(account, attempt=mine, unsettled=_unsettled(account, now))


def let_go(
    account: Account, *, wrote: bool, now: datetime
) -> Change[Account] | Change[Tombstone] | Change[None]:
    """An attempt ends without a commit; `wrote` where it may have written to the secret."""
    if account.committed:
        unsettled = _unsettled(account, now) if wrote else account.unsettled
        return Change(before=account, after=replace(account, attempt=None, unsettled=unsettled))
    return undone(account, now) if wrote else Change(before=account, after=None)


def undone(account: Account, now: datetime) -> Change[Tombstone]:
    """A link that was never committed is given up: its id, and so its secret's name, for good."""
    return Change(before=account, after=_tombstone(account, now))


def _tombstone(account: Account, now: datetime) -> Tombstone:
    return Tombstone(
        id=account.id,
        secret_name=account.secret_name,
        look_at=timestamp(now),
        until=timestamp(now + LATE),
        fence=account.fence,
    )


def buried(tombstone: Tombstone, now: datetime) -> Change[Tombstone]:
    """The secret that a tombstone names is deleted; it is looked for once more in the end."""
    over = tombstone.until <= timestamp(now)
    return Change(
        before=tombstone, after=replace(tombstone, look_at="" if over else tombstone.until)
    )


def _unsettled(account: Account, now: datetime, *more: str) -> Unsettled:
    """Return that the secret is to be looked at, and what an attempt may have made beside it."""
    strays = (account.unsettled.strays if account.unsettled else ()) + more
    if account.attempt and account.attempt.secret_name:
        strays += (account.attempt.secret_name,)
    return Unsettled(look_at=timestamp(now), until=timestamp(now + LATE), strays=strays)


def settled(account: Account, now: datetime) -> Change[Account]:
    """The secret was made what the row says; who did it lets go of the row."""
    return Change(before=account, after=_settled(account, now))


def _settled(account: Account, now: datetime) -> Account:
    left = account.unsettled
    again = replace(left, look_at=left.until) if left and left.until > timestamp(now) else None
    return replace(account, attempt=None, unsettled=again)


def promoted(account: Account) -> Change[Account]:
    """The committed version has become the current one; the link lets go of the row."""
    return Change(before=account, after=replace(account, attempt=None, unsettled=None))


def refiled(account: Account) -> Change[Account]:
    """Nothing is to be done yet: the row is written so that it is due when it really is."""
    return Change(before=account, after=account)


def disturbed(account: Account, now: datetime) -> Change[Account]:
    """The secret was found to be other than the row says: the sweep has to look at it."""
    return Change(before=account, after=replace(account, unsettled=_unsettled(account, now)))


# Linking


def check_linkable(account: Account) -> None:
    """Refuse what is unlinked, or in a status that only a later release knows.

    Raises:
        Problem: conflict.
    """
    if account.status is Status.UNLINKED or not account.understood:
        raise Problem(Reason.WRONG_STATUS)


def linked(
    account: Account, receipt: Receipt, *, secret: SecretVersion, hint: str, cause: Cause
) -> Change[Account]:
    """A verified token is stored: an account is linked, or linked again.

    What somebody has decided about the account stays: that it is suspended, its names.
    """
    known = account.receipt
    if known and not receipt.site.permalink:
        receipt = replace(receipt, site=known.site)
    wait = SEEN_SOON if receipt.unseen else CHECK_EVERY
    after = replace(
        _stored(account, secret=secret, hint=hint, cause=cause),
        status=Status.SUSPENDED if account.status is Status.SUSPENDED else Status.ACTIVE,
        receipt=receipt,
        health=Health(checked_at=cause.at, next_check_at=timestamp(cause.now + wait)),
        token_expires_by=timestamp(cause.now + TOKEN_LIFETIME),
        linked_at=cause.at,
        parking=None,
    )
    happened = Transition.RELINKED if account.linked_at else Transition.LINKED
    return _visible(account, after, cause, (happened, {}))


def parked(
    account: Account,
    reason: Reason,
    *,
    secret: SecretVersion,
    hint: str,
    until: datetime,
    recheck: timedelta,
    cause: Cause,
) -> Change[Account]:
    """A token is stored that Namely has given no verdict on; a check verifies it later."""
    ends = timestamp(until)
    after = replace(
        _stored(account, secret=secret, hint=hint, cause=cause),
        parking=Parking(ends),
        health=Health(
            reasons=_because(account, reason, cause.now),
            next_check_at=min(timestamp(cause.now + recheck), ends),
        ),
    )
    return _visible(account, after, cause, (Transition.PARKED, {}))


def _stored(account: Account, *, secret: SecretVersion, hint: str, cause: Cause) -> Account:
    """Return it with the committed version.

    Of a secret that there was before, the version is not current yet: the attempt holds the row
    until it is, or leaves that to the sweep where more is to be settled.
    """
    mine, name = held(account), account.secret_name
    unsettled = account.unsettled
    if mine.secret_name:
        # The one before was deleted by hand; what has made it may still take effect once more.
        name = mine.secret_name
        unsettled = _unsettled(replace(account, attempt=None), cause.now, account.secret_name)
    elif account.secret:
        unsettled = _unsettled(account, cause.now)
    promotes = account.secret and not (mine.secret_name or account.unsettled)
    return replace(
        account,
        secret=secret,
        secret_name=name,
        token_hint=hint,
        changed_at=cause.at,
        attempt=mine if promotes else None,
        unsettled=unsettled,
    )


# Checks


@dataclass(frozen=True, kw_only=True)
class Pace:
    """When the next check is due.

    `recheck` is how long a doubtful account waits: for a refusal to be confirmed (two in a breath
    could be one incident), and, doubling, for an outage to end. `jitter` gives a factor from 0.9 to
    1.1, so that checks don't meet.
    """

    recheck: timedelta
    jitter: Callable[[], float]


def checked(account: Account, verdict: Verdict, *, pace: Pace, cause: Cause) -> Checked:
    """A probe with the stored token has come to a verdict.

    Only an explicit refusal of the token, confirmed by a second probe, makes an account `error`. An
    outage changes no status: it adds a reason and slows the checks down.
    """
    match verdict:
        case Rejected(reason) if account.status is Status.PENDING:
            return _rejected(account, reason, cause)
        case Accepted(receipt):
            after, first = _accepted(account, receipt, cause), account.status is Status.PENDING
        case Rejected(reason):
            after, first = _refused(account, reason, pace, cause), False
        case _:
            after, first = _unanswered(account, verdict.reason, cause), False
    after, expiring = _expiry(after, cause.now)
    next_check = _next_check(account, after, pace, cause)
    health = replace(after.health, checked_at=cause.at, next_check_at=next_check, queued_until="")
    after = replace(after, health=health)
    happened = [(Transition.LINKED, {})] if first else _noticed(account, after, verdict)
    return _visible(account, after, cause, *happened, *expiring)


def secret_missing(account: Account, *, pace: Pace, cause: Cause) -> Checked:
    """Somebody has deleted the secret by hand; a second look confirms it, as with a refusal."""
    return checked(account, Rejected(Reason.SECRET_MISSING), pace=pace, cause=cause)


def expired(account: Account, cause: Cause) -> Change[Tombstone]:
    """A parked link has waited for as long as it may."""
    return _rejected(account, Reason.PARK_EXPIRED, cause)


def queued(account: Account, now: datetime) -> Change[Account]:
    """A check is handed to the queue."""
    health = replace(account.health, queued_until=timestamp(now + CHECK_WITHIN))
    return Change(before=account, after=replace(account, health=health))


def not_queued(account: Account) -> Change[Account]:
    """The queue did not take the check, so it is due as it was."""
    health = replace(account.health, queued_until="")
    return Change(before=account, after=replace(account, health=health))


def _rejected(account: Account, reason: Reason, cause: Cause) -> Change[Tombstone]:
    """A parked link comes to nothing: its token is deleted, and that is told."""
    problem = Problem(reason, subdomain=account.subdomain)
    data = {
        "account": {
            "id": account.id,
            "owner": {"id": account.owner.id, "name": account.owner.name},
            "subdomain": account.subdomain,
        },
        "code": problem.code,
        "reason": reason,
        "detail": problem.detail,
    }
    return _told(account, _tombstone(account, cause.now), cause, (Transition.REJECTED, data))


def _accepted(account: Account, receipt: Receipt, cause: Cause) -> Account:
    first = account.status is Status.PENDING
    learned = _remembering(account.receipt, receipt)
    return replace(
        account,
        status=Status.ACTIVE,
        receipt=learned,
        health=replace(
            account.health,
            reasons=(),
            refused_since="",
            undetermined=account.health.undetermined + 1 if receipt.unseen else 0,
        ),
        linked_at=cause.at if first else account.linked_at,
        changed_at=cause.at if first else account.changed_at,
        token_expires_by=timestamp(cause.now + TOKEN_LIFETIME)
        if first
        else account.token_expires_by,
        parking=None,
    )


_OF_SIGHT: Final = frozenset(
    {
        AccountWarning.OVER_PRIVILEGED,
        AccountWarning.NARROW_ROLE,
        AccountWarning.ONLY_SELF_VISIBLE,
        AccountWarning.VISIBILITY_UNKNOWN,
    }
)
"""The warnings that say what a token sees."""


def _remembering(before: Receipt | None, receipt: Receipt) -> Receipt:
    """Return what a probe learned, with what was known before where Namely did not say."""
    if before is None:
        return receipt
    if not receipt.site.permalink:
        receipt = replace(receipt, site=before.site)
    if not receipt.unseen:
        return receipt
    others = [one for one in receipt.warnings if one is not AccountWarning.VISIBILITY_UNKNOWN]
    same = replace(
        receipt,
        visible_people=before.visible_people,
        capabilities=before.capabilities,
        warnings=tuple(others),
    )
    return same.warned(*(one for one in before.warnings if one in _OF_SIGHT))


def _refused(account: Account, reason: Reason, pace: Pace, cause: Cause) -> Account:
    """Return the account after a refusal: of the token, or of something else about it."""
    health = replace(account.health, reasons=_because(account, reason, cause.now), undetermined=0)
    receipt = account.receipt
    if reason is Reason.OWNER_INACTIVE and receipt:
        receipt = receipt.warned(AccountWarning.OWNER_NOT_ACTIVE)
    if Problem(reason).code not in {Code.TOKEN_REFUSED, Code.SECRET_MISSING}:
        return replace(account, health=health, receipt=receipt)
    since = account.health.refused_since or cause.at
    confirmed = moment(since) + pace.recheck <= cause.now
    if reason is Reason.SECRET_MISSING and account.unsettled:
        confirmed = False  # it may be a late call of ours that the sweep takes back
    return replace(
        account,
        status=Status.ERROR if confirmed else account.status,
        health=replace(health, refused_since=since),
    )


def _unanswered(account: Account, reason: Reason, cause: Cause) -> Account:
    health = replace(
        account.health,
        reasons=_because(account, reason, cause.now),
        undetermined=account.health.undetermined + 1,
    )
    return replace(account, health=health)


def _next_check(before: Account, after: Account, pace: Pace, cause: Cause) -> str:
    """Return when the next check is due (RFC 3339): never for ever, and a parked link's in time."""
    health, doubtful = after.health, True
    if health.undetermined:
        wait = min(pace.recheck * float(2 ** min(health.undetermined - 1, 10)), CHECK_EVERY)
    elif health.refused_since and after.status is not Status.ERROR:
        wait = pace.recheck * 1.5  # with any jitter not before the confirmation counts
    else:
        wait, doubtful = CHECK_EVERY, False
    wait *= pace.jitter()
    if after.parking:
        wait = min(wait, PARKED_CHECK_EVERY)
    due = timestamp(cause.now + wait)
    planned = before.health.next_check_at
    if doubtful and planned > cause.at:
        due = min(due, planned)  # somebody has asked for it: that doesn't push the next one out
    return min(due, after.parking.until) if after.parking else due


def _because(account: Account, reason: Reason, now: datetime) -> tuple[StatusReason, ...]:
    """Return the reason, with the time since when it holds."""
    problem = Problem(reason, subdomain=account.subdomain)
    since = next(
        (one.at for one in account.health.reasons if one.code == problem.code), timestamp(now)
    )
    return (StatusReason(problem.code, problem.detail, since),)


def _expiry(account: Account, now: datetime) -> tuple[Account, list[_Happened]]:
    """Warn of a token that ends soon, and tell of it at each of the days, once."""
    if account.status is not Status.ACTIVE or not account.receipt or not account.token_expires_by:
        return account, []
    left = (moment(account.token_expires_by) - now).days
    due = [days for days in _TOLD_AT if left <= days]
    if not due:
        return account, []
    account = replace(account, receipt=account.receipt.warned(AccountWarning.EXPIRES_SOON))
    told = account.health.expiry_told
    if told and told <= due[0]:
        return account, []
    account = replace(account, health=replace(account.health, expiry_told=due[0]))
    return account, [(Transition.TOKEN_EXPIRING, {"days_left": max(left, 0)})]


def _noticed(before: Account, after: Account, verdict: Verdict) -> list[_Happened]:
    """Return what a check found that is worth an event, the change of status first."""
    happened: list[_Happened] = []
    if after.status is not before.status:
        back = after.status is Status.ACTIVE
        happened.append((Transition.RECOVERED if back else Transition.FAILED, {}))
    if isinstance(verdict, Accepted):
        gained, lost = _drift(before, after)
        if gained or lost:
            happened.append((Transition.SEES_OTHER_THINGS, {"gained": gained, "lost": lost}))
    if not happened and _differs(before, after):
        happened.append((Transition.NOTICED, {}))
    return happened


def _differs(before: Account, after: Account) -> bool:
    """Whether the reasons or warnings are others, outages aside: Namely's are no news."""
    outage = {Code.NAMELY_THROTTLED, Code.NAMELY_UNAVAILABLE}
    codes = {one.code for one in before.health.reasons} ^ {one.code for one in after.health.reasons}
    return bool(codes - outage) or _warnings(before) != _warnings(after)


def _warnings(account: Account) -> set[AccountWarning]:
    return set(account.receipt.warnings) if account.receipt else set()


def _drift(before: Account, after: Account) -> tuple[list[str], list[str]]:
    """Return the capabilities gained and lost; from and to `unknown` is neither."""
    was = before.receipt.capabilities if before.receipt else {}
    now = after.receipt.capabilities if after.receipt else {}
    gained = [one for one in now if now[one] == "yes" and was.get(one) == "no"]
    lost = [one for one in now if now[one] == "no" and was.get(one) == "yes"]
    return gained, lost


# Changing


@dataclass(frozen=True, kw_only=True)
class Names:
    """What people call an account; None leaves as it is."""

    label: str | None = None
    metadata: Mapping[str, str] | None = None
    owner_name: str | None = None


def renamed(account: Account, names: Names, cause: Cause) -> Change[Account]:
    """Somebody changes what people call the account.

    Raises:
        Problem: conflict, where the account is unlinked or another attempt is at work.
    """
    check_linkable(account)
    _check_committed(account, cause.now)
    after = replace(
        _taken(account, None, cause.now),
        label=account.label if names.label is None else names.label,
        metadata=account.metadata if names.metadata is None else dict(names.metadata),
        owner=replace(account.owner, name=names.owner_name or account.owner.name),
        changed_at=cause.at,
    )
    return _visible(account, after, cause, (Transition.RENAMED, {}))


def _check_committed(account: Account, now: datetime) -> None:
    """Refuse what is no account yet: its link runs, or the sweep undoes it within a minute."""
    if not account.committed:
        held = account.attempt
        wait = held.seconds_left(now) if held and not held.over(now) else 60
        raise Problem(Reason.CONFLICT, retry_after=wait)


def paused(
    account: Account, to: Literal[Status.SUSPENDED, Status.ACTIVE], cause: Cause
) -> Change[Account] | None:
    """Somebody suspends or resumes the account; None where it is so already.

    Raises:
        Problem: conflict, where it is neither active nor suspended or another attempt is at work.
    """
    if account.status is to:
        return None
    if account.status not in {Status.ACTIVE, Status.SUSPENDED}:
        raise Problem(Reason.WRONG_STATUS)
    health = account.health
    if to is Status.ACTIVE:
        due = min(health.next_check_at or cause.at, _soon(cause))
        health = replace(health, next_check_at=due, queued_until="")
    after = replace(_taken(account, None, cause.now), status=to, health=health, changed_at=cause.at)
    happened = Transition.SUSPENDED if to is Status.SUSPENDED else Transition.RESUMED
    return _visible(account, after, cause, (happened, {}))


def _soon(cause: Cause) -> str:
    return timestamp(cause.now + timedelta(minutes=1))


def unlinked(
    account: Account, *, recovery: timedelta, cause: Cause, asked_at: str = ""
) -> Change[Account] | None:
    """Somebody unlinks the account: it makes room for another one of its pair.

    Whoever does it holds the row, to delete the secret. None where it is unlinked already.

    Raises:
        Problem: conflict, while another attempt is at work, nothing was ever stored, or it was
            asked for before the account was changed last.
    """
    if account.status is Status.UNLINKED:
        return None
    check_not_stale(account.changed_at, asked_at)
    mine = attempt(lease=LEASE, now=cause.now)
    _check_committed(account, cause.now)
    after = replace(
        _taken(account, mine, cause.now),
        status=Status.UNLINKED,
        health=replace(account.health, reasons=(), next_check_at="", queued_until=""),
        parking=None,
        changed_at=cause.at,
        deletion=Deletion(
            requested_at=cause.at,
            requested_by=cause.actor.name,
            request_id=cause.request_id,
            secret_arn=account.secret.arn if account.secret else "",
            recoverable_until=timestamp(cause.now + recovery),
        ),
    )
    return _visible(account, after, cause, (Transition.UNLINKED, {}))


def deletion_scheduled(account: Account, *, final: datetime, cause: Cause) -> Change[Account]:
    """Secrets Manager has confirmed the deletion; who asked for it lets go of the row."""
    return _confirmed(account, replace(account, attempt=None), final, cause)


def _confirmed(account: Account, after: Account, final: datetime, cause: Cause) -> Change[Account]:
    deletion = (account.deletion or Deletion()).confirmed(at=cause.now, final=final)
    after = replace(after, deletion=deletion)
    return _told(account, after, cause, (Transition.DELETION_SCHEDULED, {}))


def deletion_found(account: Account, *, final: datetime | None, cause: Cause) -> Change[Account]:
    """The sweep has made sure of a deletion: `final` is Secrets Manager's date, None if it is gone.

    What the receipt says already is not told twice, and it never promises an earlier end.
    """
    known = account.deletion.final_at if account.deletion else ""
    if known and (final is None or timestamp(final) <= known):
        return settled(account, cause.now)
    return _confirmed(account, _settled(account, cause.now), final or cause.now, cause)


def check_restorable(account: Account, now: datetime) -> None:
    """Refuse to restore what can't be.

    Raises:
        Problem: conflict, where it is too late or the token was never verified.
    """
    deletion = account.deletion or Deletion()
    if deletion.recoverable_until <= timestamp(now):
        raise Problem(Reason.NOT_RECOVERABLE)
    if not account.linked_at:
        raise Problem(Reason.NEVER_VERIFIED)


def restoring(account: Account, mine: Attempt, now: datetime) -> Change[Account]:
    """Somebody takes the row to restore the secret: its deletion is not confirmed any more.

    Raises:
        Problem: conflict, while another attempt may still write.
    """
    deletion = account.deletion or Deletion()
    unconfirmed = replace(deletion, scheduled_at="", final_at="")
    after = replace(_taken(account, mine, now), deletion=unconfirmed)
    return Change(before=account, after=after)


def restored(account: Account, cause: Cause) -> Change[Account]:
    """An unlinking is taken back; its secret is there again, and is looked at once more."""
    after = replace(
        account,
        status=Status.ACTIVE,
        deletion=None,
        attempt=None,
        unsettled=_unsettled(account, cause.now),
        changed_at=cause.at,
        health=replace(account.health, next_check_at=_soon(cause)),
    )
    return _visible(account, after, cause, (Transition.RESTORED, {}))

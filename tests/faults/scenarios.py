"""What people, systems and AWS do with the stack, one thing at a time or two at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from faults.wire import Fault, Run
from namely_link.domain.values import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.house import House

A, B, BAD = "a" * 64, "b" * 64, "z" * 64
"""Two tokens that Namely accepts, and one that it refuses."""


type Once = Callable[[House, Run, str], bool]
"""Does it once, in a container (a function has two), and tells whether that was final."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`ends` is the account's last status, '' for no account; `token` what serves then."""

    name: str
    once: Once
    prepare: Callable[[House], object] = lambda _house: None
    after: Callable[[House], object] = lambda _house: None
    ends: str = "active"
    token: str = A
    pause: int = 20
    """Seconds until its caller tries again, five times at most."""


def linked(house: House, token: str = A) -> None:
    """An account is linked, and its events are told."""
    reply = house.http("link/link", TOKEN=token)
    assert reply.status == 201, reply
    house.values["ACCOUNT_ID"] = reply.body["id"]
    house.drain_stream()


def with_session(house: House, **fields: Any) -> None:
    house.values |= house.session(**fields)


def relink_session(house: House) -> None:
    linked(house)
    with_session(house, account_id=house.values["ACCOUNT_ID"])


def unlinked(house: House) -> None:
    linked(house)
    assert house.http("api/unlink").done


def parked(house: House, token: str = A) -> None:
    """A link waits for Namely, which is back."""
    house.namely.down = True
    with_session(house)
    reply = house.http("link/link-by-session", TOKEN=token)
    assert reply.status == 202, reply
    house.namely.down = False


def due(house: House, seconds: float) -> None:
    """Time goes by, and a sweep hands over what is due."""
    house.later(seconds)
    house.sweep()


def parked_and_due(house: House, token: str = A) -> None:
    parked(house, token)
    due(house, 301)


def rejected_later(house: House) -> None:
    parked_and_due(house, BAD)
    house.drain_queue()


def check_due(house: House) -> None:
    linked(house)
    due(house, 86401)


def refused(house: House, *, times: int) -> None:
    """A check is due, and Namely has refused the token that often before."""
    check_due(house)
    house.namely.good.discard(A)
    for _ in range(times):
        house.drain_queue()
        due(house, 601 if times < 2 else 100_000)


def died(house: House, file: str, at: str, fault: Fault, **values: str) -> None:
    """A request dies at a call, and its lease ends."""
    run = Run(at=at, fault=fault)
    house.http(file, run, **values)
    assert at.partition("#")[0] in run.calls, run.calls
    house.later(60)


def first_link_died(house: House) -> None:
    died(house, "link/link", "dynamodb TransactWriteItems#2", Fault.KILLED_BEFORE)


def relink_died(house: House) -> None:
    linked(house)
    died(house, "link/link", "dynamodb TransactWriteItems#1", Fault.KILLED_BEFORE, TOKEN=B)


def relink_unpromoted(house: House) -> None:
    linked(house)
    died(house, "link/link", "dynamodb TransactWriteItems#1", Fault.KILLED_AFTER, TOKEN=B)


def unlink_died(house: House) -> None:
    linked(house)
    died(house, "api/unlink", "secrets-manager DeleteSecret#1", Fault.KILLED_BEFORE)


def request(file: str, **values: str) -> Once:
    """Ask over HTTP."""
    return lambda house, run, twin: house.http(file, run, twin=twin, **values).final


def event(file: str, **values: str) -> Once:
    """Deliver an event."""

    def once(house: House, run: Run, twin: str) -> bool:
        house.values.setdefault("TIME", timestamp(house.now))  # the same when it comes again
        sealed = {"SEALED_TOKEN": house.seal(values.get("TOKEN", A))}
        given = house.event(file, **sealed | values)
        return house.deliver("intake" + twin, given, run) is not None

    return once


def checks(house: House, run: Run, twin: str) -> bool:
    """Deliver what waits in the queue; what fails comes again by itself."""
    house.drain_queue(run, twin=twin)
    return True


def sweep(house: House, run: Run, twin: str) -> bool:
    """Sweep once; the next one comes by itself."""
    house.sweep(run, twin=twin)
    return True


def publish(house: House, run: Run, _twin: str) -> bool:
    """Deliver the stream; what fails comes again by itself."""
    house.drain_stream(run)
    return True


def two_changes(house: House) -> None:
    """Two events are not published yet."""
    assert house.http("link/link").status == 201
    assert house.http("link/link", TOKEN=B).status == 200


def down(house: House) -> None:
    with_session(house)
    house.namely.down = True


def up(house: House) -> None:
    house.namely.down = False


def salary(house: House) -> None:
    check_due(house)
    house.namely.salary = True


def recovering(house: House) -> None:
    refused(house, times=2)
    house.namely.good.add(A)


def suspended(house: House) -> None:
    linked(house)
    assert house.http("api/suspend").done


SCENARIOS: Final = (
    Scenario(name="link by a session", prepare=with_session, once=request("link/link-by-session")),
    Scenario(name="link by a key", once=request("link/link")),
    Scenario(name="link, refused", once=request("link/link", TOKEN=BAD), ends=""),
    Scenario(
        name="link after one that died",
        prepare=first_link_died,
        once=request("link/link", TOKEN=B),
        token=B,
    ),
    Scenario(
        name="re-link by a session",
        prepare=relink_session,
        once=request("link/link-by-session", TOKEN=B),
        token=B,
    ),
    Scenario(name="re-link by a key", prepare=linked, once=request("link/link", TOKEN=B), token=B),
    Scenario(name="re-link, refused", prepare=linked, once=request("link/link", TOKEN=BAD)),
    Scenario(
        name="re-link after one that died",
        prepare=relink_died,
        once=request("link/link", TOKEN="c" * 64),
        token="c" * 64,
    ),
    Scenario(
        name="re-link after one that was not promoted",
        prepare=relink_unpromoted,
        once=request("link/link", TOKEN="c" * 64),
        token="c" * 64,
    ),
    Scenario(name="unlink", prepare=linked, once=request("api/unlink"), ends="unlinked"),
    Scenario(name="restore", prepare=unlinked, once=request("api/restore")),
    Scenario(name="suspend", prepare=linked, once=request("api/suspend"), ends="suspended"),
    Scenario(name="resume", prepare=suspended, once=request("api/resume")),
    Scenario(name="rename", prepare=linked, once=request("api/rename")),
    Scenario(name="ask for a check", prepare=linked, once=request("api/check")),
    Scenario(name="park", prepare=down, once=request("link/link-by-session"), after=up),
    Scenario(
        name="link what is parked", prepare=parked, once=request("link/link", TOKEN=B), token=B
    ),
    Scenario(name="check: a parked link finishes", prepare=parked_and_due, once=checks),
    Scenario(
        name="check: a parked link is refused",
        prepare=lambda house: parked_and_due(house, BAD),
        once=checks,
        ends="",
    ),
    Scenario(name="check: fine", prepare=check_due, once=checks),
    Scenario(
        name="check: refused once",
        prepare=lambda house: refused(house, times=0),
        once=checks,
        after=lambda house: house.namely.good.add(A),
    ),
    Scenario(
        name="check: refused again",
        prepare=lambda house: refused(house, times=1),
        once=checks,
        ends="error",
    ),
    Scenario(name="check: recovered", prepare=recovering, once=checks),
    Scenario(name="check: sees more", prepare=salary, once=checks),
    Scenario(name="sweep: a first link that died", prepare=first_link_died, once=sweep, ends=""),
    Scenario(name="sweep: a re-link that died", prepare=relink_died, once=sweep),
    Scenario(name="sweep: promote", prepare=relink_unpromoted, once=sweep, token=B),
    Scenario(name="sweep: delete a secret", prepare=unlink_died, once=sweep, ends="unlinked"),
    Scenario(name="sweep: undo a parked link", prepare=rejected_later, once=sweep, ends=""),
    Scenario(
        name="sweep: hand over checks",
        prepare=lambda house: (linked(house), house.later(86401)),
        once=sweep,
    ),
    Scenario(name="publish", prepare=two_changes, once=publish, token=B),
    Scenario(name="intake: link", pause=60, once=event("intake/link-requested")),
    Scenario(
        name="intake: re-link",
        prepare=linked,
        pause=60,
        once=event("intake/link-requested", TOKEN=B),
        token=B,
    ),
    Scenario(
        name="intake: a plain token", pause=60, once=event("intake/link-requested-plain"), ends=""
    ),
    Scenario(name="intake: check", prepare=linked, pause=60, once=event("intake/check-requested")),
    Scenario(
        name="intake: unlink",
        prepare=linked,
        pause=60,
        once=event("intake/unlink-requested"),
        ends="unlinked",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two things at once; `ends` are the statuses that may come of it, sorted, one set a line."""

    name: str
    one: Once
    two: Once
    prepare: Callable[[House], object] = lambda _house: None
    ends: tuple[tuple[str, ...], ...] = (("active",),)


PAIRS: Final = (
    Pair(
        name="two links of one owner and site",
        one=request("link/link"),
        two=request("link/link", TOKEN=B),
    ),
    Pair(
        name="one session, twice the same",
        prepare=with_session,
        one=request("link/link-by-session"),
        two=request("link/link-by-session"),
    ),
    Pair(
        name="one session, two tokens",
        prepare=with_session,
        one=request("link/link-by-session"),
        two=request("link/link-by-session", TOKEN=B),
    ),
    Pair(
        name="two re-links",
        prepare=linked,
        one=request("link/link", TOKEN=B),
        two=request("link/link", TOKEN="c" * 64),
    ),
    Pair(
        name="a re-link and an unlinking",
        prepare=linked,
        one=request("link/link", TOKEN=B),
        two=request("api/unlink"),
        ends=(("active", "unlinked"), ("unlinked",)),
    ),
    Pair(
        name="a link and a restoring",
        prepare=unlinked,
        one=request("link/link", TOKEN=B),
        two=request("api/restore"),
        ends=(("active",), ("active", "unlinked")),
    ),
    Pair(
        name="two unlinkings",
        prepare=linked,
        one=request("api/unlink"),
        two=request("api/unlink"),
        ends=(("unlinked",),),
    ),
    Pair(
        name="an unlinking and a restoring",
        prepare=unlinked,
        one=request("api/unlink"),
        two=request("api/restore"),
        ends=(("active",), ("unlinked",)),
    ),
    Pair(
        name="a sweep and a link after one that died",
        prepare=first_link_died,
        one=sweep,
        two=request("link/link", TOKEN=B),
    ),
    Pair(
        name="a sweep and a re-link after one that died",
        prepare=relink_died,
        one=sweep,
        two=request("link/link", TOKEN="c" * 64),
    ),
    Pair(
        name="a sweep that promotes and a re-link",
        prepare=relink_unpromoted,
        one=sweep,
        two=request("link/link", TOKEN="c" * 64),
    ),
    Pair(
        name="a sweep that undoes and a link",
        prepare=rejected_later,
        one=sweep,
        two=request("link/link", TOKEN=B),
    ),
    Pair(
        name="two sweeps that undo",
        prepare=rejected_later,
        one=sweep,
        two=sweep,
        ends=((),),
    ),
    Pair(
        name="a sweep that deletes and a restoring",
        prepare=unlink_died,
        one=sweep,
        two=request("api/restore"),
    ),
    Pair(
        name="a check and a re-link",
        prepare=check_due,
        one=checks,
        two=request("link/link", TOKEN=B),
    ),
    Pair(
        name="a check that fails an account and a re-link",
        prepare=lambda house: refused(house, times=1),
        one=checks,
        two=request("link/link", TOKEN=B),
    ),
    Pair(
        name="a check and an unlinking",
        prepare=check_due,
        one=checks,
        two=request("api/unlink"),
        ends=(("unlinked",),),
    ),
    Pair(
        name="a check of a parked link and a link",
        prepare=parked_and_due,
        one=checks,
        two=request("link/link", TOKEN=B),
    ),
    Pair(
        name="an event delivered twice",
        one=event("intake/link-requested"),
        two=event("intake/link-requested"),
    ),
    Pair(
        name="a suspension and a re-link",
        prepare=linked,
        one=request("api/suspend"),
        two=request("link/link", TOKEN=B),
        ends=(("active",), ("suspended",)),
    ),
)

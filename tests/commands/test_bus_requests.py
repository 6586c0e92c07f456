"""Requests of the event bus: done once, never over newer work, and refused with an event."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes import DOWN, GOOD, NEW, OWNER, START, WRONG, World
from namely_link.commands.requests import (
    HOW_TO_SEAL,
    REMEMBERED,
    Asked,
    CheckRequest,
    LinkRequest,
    Request,
    TryAgainError,
    UnlinkRequest,
    handle,
)
from namely_link.domain.account import Account, Status
from namely_link.domain.lifecycle import LEASE, attempt
from namely_link.domain.problems import ConflictError, StorageError
from namely_link.domain.values import Actor, ActorKind, Owner, timestamp

CRM = Actor(kind=ActorKind.EVENT, name="crm")
EXPIRES = timestamp(START + timedelta(days=1))


def asked(world: World, kind: str, *, request_id: str = "q1", **changes: Any) -> Asked:
    one = Asked(
        kind=kind,
        actor=CRM,
        request_id=request_id,
        at=timestamp(world.now),
        shown={"id": "shown"},
    )
    return replace(one, **changes)


def link_request(
    world: World, token: str = GOOD, *, request_id: str = "q1", **changes: Any
) -> LinkRequest:
    sealed = world.seal.seal(
        token,
        owner_id=OWNER.id,
        subdomain="acme",
        request_id=request_id,
        expires_at=EXPIRES,
    )
    request = LinkRequest(
        owner=OWNER, subdomain="acme", sealed_token=sealed, expires_at=EXPIRES, label="from crm"
    )
    return replace(request, **changes)


def ask_link(world: World, token: str = GOOD, *, request_id: str = "q1", **changes: Any) -> str:
    one = asked(world, "Link Requested", request_id=request_id, **changes)
    request = link_request(world, token, request_id=request_id)
    return str(handle(one, request, world.request_ports))


def ask(world: World, request: Request, **changes: Any) -> str:
    kind = "Check Requested" if isinstance(request, CheckRequest) else "Unlink Requested"
    return str(handle(asked(world, kind, **changes), request, world.request_ports))


def the_account(world: World) -> Account:
    found = world.rows.of_pair(OWNER.id, "acme")
    assert found
    return found


# Linking


def test_a_sealed_token_is_linked(world: World) -> None:
    assert ask_link(world) == "linked"
    account = the_account(world)
    assert (account.status, world.token(account), account.label) == (
        Status.ACTIVE,
        GOOD,
        "from crm",
    )
    assert world.rows.entries[account.id][0].actor == CRM
    (told,) = world.rows.told
    assert (told.event.type, told.event.correlation_id) == ("Account Linked", "q1")
    assert list(world.rows.done.values()) == [START + REMEMBERED]


def test_what_was_linked_is_not_linked_again(world: World) -> None:
    ask_link(world)
    world.linked(NEW)
    world.namely.sent.clear()
    assert ask_link(world) == "repeated"
    assert (world.token(the_account(world)), world.namely.sent) == (NEW, [])


def test_what_was_linked_is_not_linked_again_over_an_unlinking(world: World) -> None:
    """Redriven from the dead letters, or replayed from the archive."""
    at = timestamp(world.now)
    ask_link(world)
    world.later(days=10)
    world.unlink(the_account(world))
    assert ask_link(world, at=at) == "repeated"
    assert world.rows.pairs == {}


@pytest.mark.parametrize("since", ["linked", "suspended", "renamed"])
def test_a_link_older_than_what_the_account_has_seen_is_stale(world: World, since: str) -> None:
    account = world.linked()
    at = timestamp(world.now)
    world.later(minutes=1)
    if since == "linked":
        world.linked(NEW)
    elif since == "suspended":
        world.suspend(account)
    else:
        world.rename(account, label="x")
    before = world.read(account)
    assert ask_link(world, at=at) == "refused: conflict"
    assert world.read(account) == before
    told = world.rows.told[-1].event
    assert (told.type, told.data["reason"]) == ("Link Rejected", "request_stale")


def test_a_link_older_than_the_unlinking_is_stale(world: World) -> None:
    account = world.linked()
    at = timestamp(world.now)
    world.later(minutes=1)
    world.unlink(account)
    assert ask_link(world, at=at) == "refused: conflict"
    assert ask_link(world, request_id="q2") == "linked"


def test_a_link_older_than_the_unlinking_is_so_beside_a_dead_attempt_as_well(
    world: World,
) -> None:
    account = world.linked()
    at = timestamp(world.now)
    world.later(minutes=1)
    world.unlink(account)
    with (
        world.failing(world.vault, "create", error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link(NEW)
    world.later(seconds=LEASE.seconds)
    assert ask_link(world, at=at) == "refused: conflict"


def test_of_the_same_request_twice_at_once_one_links(world: World) -> None:
    """The second one gets its answer when it is delivered again."""
    first: list[str] = []
    other = world.meanwhile(world.seal, "unseal", lambda: first.append(ask_link(world)))
    with other, pytest.raises(TryAgainError):
        ask_link(world)
    assert first == ["linked"]
    assert ask_link(world) == "repeated"
    assert world.events() == ["Account Linked"]
    world.rest()


def test_what_is_stale_since_it_was_done_itself_is_not_told_as_refused(world: World) -> None:
    def other() -> None:
        world.later(seconds=1)
        ask_link(world, at=timestamp(START))

    with world.meanwhile(world.seal, "unseal", other):
        assert ask_link(world) == "refused: conflict"
    assert world.events() == ["Account Linked"]


def test_a_refused_token_is_told_once(world: World) -> None:
    for outcome in ("refused: token_refused", "repeated"):
        assert ask_link(world, WRONG) == outcome
    (told,) = world.rows.told
    assert told.event.type == "Link Rejected"
    assert told.event.data["account"] == {"id": "shown"}
    assert (told.event.data["code"], told.event.data["reason"]) == (
        "token_refused",
        "token_unauthorized",
    )
    assert told.event.correlation_id == "q1"
    assert WRONG not in repr(told)


def test_what_cannot_be_a_token_is_refused(world: World) -> None:
    assert ask_link(world, "in ner") == "refused: invalid_token"


def test_an_outage_is_tried_again_and_costs_nothing(world: World) -> None:
    world.namely.down = DOWN
    with pytest.raises(TryAgainError, match="namely_unavailable"):
        ask_link(world)
    assert (world.rows.told, world.rows.items, world.rows.done) == ([], {}, {})
    world.namely.down = None
    assert ask_link(world) == "linked"


@pytest.mark.parametrize("method", ["create", "commit"])
@pytest.mark.parametrize("after", [False, True])
def test_a_fault_of_aws_is_tried_again(world: World, method: str, after: bool) -> None:
    part = world.vault if method == "create" else world.rows
    with world.failing(part, method, after=after), pytest.raises(TryAgainError):
        ask_link(world)
    world.later(minutes=1)
    assert ask_link(world) == "linked"
    world.rest()


def test_a_request_whose_answer_was_lost_is_not_done_twice(world: World) -> None:
    real, calls = world.rows.commit, []

    def commit(*args: object, **options: object) -> object:
        calls.append(args)
        done = real(*args, **options)
        if len(calls) == 2:
            raise StorageError
        return done

    world.rows.commit = commit
    with pytest.raises(TryAgainError):
        ask_link(world)
    assert ask_link(world) == "repeated"
    assert world.events() == ["Account Linked"]
    world.rest()


# Seals


def refused_seal(world: World, request: LinkRequest, **changes: Any) -> str:
    one = asked(world, "Link Requested", **changes)
    assert str(handle(one, request, world.request_ports)) == "refused: invalid_request"
    assert world.rows.items == {}
    return str(world.rows.told[-1].event.data["detail"])


def test_a_captured_seal_under_a_fresh_id_is_refused(world: World) -> None:
    captured = link_request(world, request_id="q1")
    assert refused_seal(world, captured, request_id="q2") == HOW_TO_SEAL


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": Owner("o2", "Owner Two")},
        {"subdomain": "other"},
        {"expires_at": timestamp(START + timedelta(days=9))},
    ],
)
def test_a_seal_for_something_else_is_refused(world: World, changes: dict[str, Any]) -> None:
    assert refused_seal(world, link_request(world, **changes)) == HOW_TO_SEAL


def test_a_seal_that_has_expired_is_refused(world: World) -> None:
    request = link_request(world)
    world.later(days=1)
    detail = refused_seal(world, request)
    assert detail == f"The seal has expired. {HOW_TO_SEAL}"


@pytest.mark.parametrize("sealed", ["", "é", "no seal"])
def test_what_is_no_seal_is_refused_and_told_once(world: World, sealed: str) -> None:
    request = link_request(world, sealed_token=sealed)
    assert refused_seal(world, request) == HOW_TO_SEAL
    one = asked(world, "Link Requested")
    assert str(handle(one, request, world.request_ports)) == "repeated"
    assert [one.event.type for one in world.rows.told] == ["Link Rejected"]
    assert world.namely.sent == []


def test_a_seal_that_can_not_be_opened_now_is_tried_again(world: World) -> None:
    with world.failing(world.seal, "unseal"), pytest.raises(StorageError):
        ask_link(world)
    assert (world.rows.told, world.rows.done) == ([], {})
    assert ask_link(world) == "linked"


def test_a_request_says_nothing_of_its_seal(world: World) -> None:
    assert GOOD not in repr(link_request(world))


# Checking


def test_a_check_is_asked_for_with_who_asks(world: World) -> None:
    account = world.linked()
    world.later(minutes=1)
    assert ask(world, CheckRequest(account_id=account.id)) == "queued: 1"
    assert world.queue.waiting == [account.id]
    assert world.queue.asked == [(CRM, "q1")]
    assert ask(world, CheckRequest(account_id=account.id)) == "repeated"
    assert world.queue.waiting == [account.id]


@pytest.mark.parametrize("by", [{"owner_id": OWNER.id}, {"subdomain": "acme"}])
def test_all_of_an_owner_or_a_subdomain_are_checked(world: World, by: dict[str, str]) -> None:
    mine = world.linked()
    other = world.linked(owner=Owner("o2", "x"))
    world.linked(owner=Owner("o2", "x"), site="else")
    outcome = ask(world, CheckRequest(**by))
    wanted = [mine.id] if "owner_id" in by else [mine.id, other.id]
    assert (outcome, world.queue.waiting) == (f"queued: {len(wanted)}", wanted)


def test_a_check_of_nobody_is_done(world: World) -> None:
    assert ask(world, CheckRequest(account_id="acc_nobody")) == "queued: 0"
    assert ask(world, CheckRequest(account_id="acc_nobody")) == "repeated"
    assert world.events() == []


def test_what_was_checked_since_is_not_checked_again(world: World) -> None:
    """A check of an owner with a fresh account and an older one asks for the older one only."""
    older = world.linked()
    world.later(minutes=1)
    at = timestamp(world.now)
    world.later(minutes=1)
    fresh = world.linked(site="else", permission=world_owner())
    request = CheckRequest(owner_id=OWNER.id)
    assert ask(world, request, at=at) == "queued: 1"
    assert world.queue.waiting == [older.id]
    alone = CheckRequest(account_id=fresh.id)
    assert ask(world, alone, at=at, request_id="q2") == "refused: conflict"
    told = world.rows.told[-1].event
    assert (told.type, told.data["reason"]) == ("Request Refused", "request_stale")
    assert (told.data["request"], told.data["account"]) == ("Check Requested", {"id": "shown"})
    assert world.queue.waiting == [older.id]


def world_owner():
    from namely_link.commands.link import ByOwner

    return ByOwner(owner=OWNER)


def test_a_check_that_cannot_be_asked_for_is_tried_again(world: World) -> None:
    account = world.linked()
    with world.failing(world.queue, "put"), pytest.raises(StorageError):
        ask(world, CheckRequest(account_id=account.id))
    assert ask(world, CheckRequest(account_id=account.id)) == "queued: 1"


# Unlinking


def test_an_account_is_unlinked(world: World) -> None:
    account = world.linked()
    assert ask(world, UnlinkRequest(account_id=account.id)) == "unlinked"
    gone = world.read(account)
    assert (gone.status, gone.deletion.requested_by, gone.deletion.request_id) == (
        Status.UNLINKED,
        "crm",
        "q1",
    )
    assert ask(world, UnlinkRequest(account_id=account.id)) == "repeated"


def test_an_unlinking_is_not_done_again_over_a_restoring(world: World) -> None:
    account = world.linked()
    request = UnlinkRequest(account_id=account.id)
    at = timestamp(world.now)
    ask(world, request)
    world.later(minutes=1)
    world.restore(world.read(account))
    assert ask(world, request, at=at) == "repeated"
    assert ask(world, request, at=at, request_id="q2") == "refused: conflict"
    assert world.read(account).status is Status.ACTIVE


def test_an_unlinking_older_than_the_account_is_stale(world: World) -> None:
    account = world.linked()
    at = timestamp(world.now)
    world.later(minutes=1)
    world.linked(NEW)
    assert ask(world, UnlinkRequest(account_id=account.id), at=at) == "refused: conflict"
    told = world.rows.told[-1].event
    assert (told.type, told.data["reason"]) == ("Request Refused", "request_stale")
    assert world.read(account).status is Status.ACTIVE


def test_an_unlinking_of_what_is_unlinked_is_done(world: World) -> None:
    gone = world.unlink(world.linked())
    assert ask(world, UnlinkRequest(account_id=gone.id)) == "unlinked"
    assert ask(world, UnlinkRequest(account_id=gone.id)) == "repeated"
    assert world.actions(gone).count("unlinked") == 1


def test_an_unlinking_of_nobody_is_refused(world: World) -> None:
    assert ask(world, UnlinkRequest(account_id="acc_nobody")) == "refused: not_found"
    assert world.events() == ["Request Refused"]


def test_an_unlinking_beside_an_attempt_is_tried_again(world: World) -> None:
    account = world.linked()
    busy = world.rows.put(replace(account, attempt=attempt(lease=LEASE, now=world.now)))
    with pytest.raises(TryAgainError, match="conflict"):
        ask(world, UnlinkRequest(account_id=busy.id))
    world.later(seconds=LEASE.seconds)
    assert ask(world, UnlinkRequest(account_id=busy.id)) == "unlinked"
    world.rest()


# Ids


@pytest.mark.parametrize(
    "changes",
    [
        {"request_id": "q2"},
        {"kind": "Check Requested"},
        {"actor": Actor(kind=ActorKind.EVENT, name="erp")},
    ],
)
def test_an_id_is_one_senders_for_one_kind_of_request(world: World, changes: dict) -> None:
    one = asked(world, "Link Requested")
    assert replace(one, **changes).key != one.key
    assert replace(one, at="later", shown={}).key == one.key


def test_a_conflict_that_nobody_foresaw_is_tried_again(world: World) -> None:
    account = world.linked()
    with (
        world.failing(world.rows, "read", error=ConflictError),
        pytest.raises(TryAgainError),
    ):
        ask(world, UnlinkRequest(account_id=account.id))

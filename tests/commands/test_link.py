"""The link command: what is typed becomes an account, or a reason why not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fakes import (
    DOWN,
    GOOD,
    NEW,
    OWNER,
    START,
    THROTTLED,
    WRONG,
    World,
)
from namely_link.commands.link import ByOwner, LinkedAccount, Parked, Tried
from namely_link.domain.account import Account, AccountWarning, Status, Tombstone
from namely_link.domain.lifecycle import LATE, LEASE
from namely_link.domain.probe import Answer, Failure, Reply
from namely_link.domain.problems import (
    Code,
    ConflictError,
    Problem,
    Reason,
    StorageError,
)
from namely_link.domain.values import Owner, Site, timestamp

HTML = Answer(200, is_json=False, is_html=True)


def test_an_accepted_credential_is_linked_and_its_token_stored(world: World) -> None:
    done = world.link()
    assert isinstance(done, LinkedAccount)
    account = done.account
    assert (done.again, account.status, world.token(account)) == (False, Status.ACTIVE, GOOD)
    assert world.read(account) == account
    assert account.token_expires_by == "2028-11-23T12:00:00Z"
    assert account.health.next_check_at == timestamp(START + timedelta(days=1))
    assert (account.attempt, account.unsettled, account.changed_at) == (
        None,
        None,
        timestamp(START),
    )
    assert (world.events(), world.actions(account)) == (["Account Linked"], ["linked"])
    assert world.vault.secrets[account.secret_name].tags == {
        "namely-link:owner": OWNER.id,
        "namely-link:account": account.id,
    }
    assert world.rows.told[0].event.previous_status == "pending"


def test_linking_again_keeps_the_account_and_serves_the_new_token(world: World) -> None:
    first = world.linked()
    again = world.link(NEW)
    assert (again.account.id, again.again) == (first.id, True)
    assert world.token(again.account) == NEW
    assert world.current(first) == again.account.secret.version_id
    assert world.read(first) == again.account
    assert (again.account.attempt, again.account.unsettled) == (None, None)
    assert world.events() == ["Account Linked", "Account Relinked"]
    world.rest()


def test_linking_again_keeps_the_site_that_is_known_where_namely_does_not_say(
    world: World,
) -> None:
    world.linked()
    world.namely.site = DOWN
    again = world.linked(NEW)
    assert again.receipt.site == Site("Acme", "acme")
    assert AccountWarning.SITE_UNPROVEN in again.receipt.warnings


@pytest.mark.parametrize(
    ("site", "token", "code"),
    [
        (HTML, GOOD, Code.SITE_NOT_FOUND),
        (None, WRONG, Code.TOKEN_REFUSED),
        (Failure.UNREACHABLE, GOOD, Code.NAMELY_UNAVAILABLE),
    ],
)
def test_what_is_not_accepted_leaves_neither_row_nor_secret(
    world: World, site: Reply | None, token: str, code: Code
) -> None:
    world.namely.site = site or world.namely.site
    problem = world.problem(token, park=False)
    assert (problem.code, problem.subdomain) == (code, "acme")
    assert (world.rows.items, world.rows.pairs, world.vault.secrets) == ({}, {}, {})


def test_a_site_that_is_none_is_not_shown_the_token(world: World) -> None:
    world.namely.site = HTML
    world.problem()
    assert world.namely.sent == []


def test_a_dry_run_tells_what_it_learned_and_stores_nothing(world: World) -> None:
    tried = world.link(dry_run=True)
    assert isinstance(tried, Tried)
    assert tried.receipt.visible_people == 2
    assert (world.rows.items, world.vault.secrets) == ({}, {})


@pytest.mark.parametrize(
    ("token", "down", "code"),
    [(WRONG, None, Code.TOKEN_REFUSED), (GOOD, DOWN, Code.NAMELY_UNAVAILABLE)],
)
def test_a_dry_run_refuses_what_a_link_would_and_parks_nothing(
    world: World, token: str, down: Reply | None, code: Code
) -> None:
    world.namely.down = down
    assert world.problem(token, dry_run=True).code is code
    world.namely.site = Failure.UNREACHABLE
    world.namely.down = None
    assert world.problem(dry_run=True).code is Code.NAMELY_UNAVAILABLE
    assert world.rows.items == {}


def test_a_failed_relink_leaves_the_old_token_serving(world: World) -> None:
    first = world.linked()
    assert world.problem(WRONG).code is Code.TOKEN_REFUSED
    left = world.read(first)
    assert left == replace(first, fence=left.fence)
    assert world.token(first) == GOOD


@pytest.mark.parametrize("down", [DOWN, Failure.UNREACHABLE, Failure.TIMEOUT, THROTTLED])
def test_a_relink_is_never_parked(world: World, down: Reply) -> None:
    account = world.linked()
    world.namely.down = down
    assert world.problem(NEW).transient
    left = world.read(account)
    assert left == replace(account, fence=left.fence)
    world.namely.down = None
    world.rest()


# Parking


@pytest.mark.parametrize("down", [DOWN, Failure.UNREACHABLE, Failure.TIMEOUT, THROTTLED])
def test_every_kind_of_outage_parks_what_a_person_has_typed(world: World, down: Reply) -> None:
    world.namely.down = down
    done = world.link()
    assert isinstance(done, Parked)
    account = done.account
    assert (account.status, account.health.reasons[0].code.startswith("namely_")) == (
        Status.PENDING,
        True,
    )
    assert account.parking.until == timestamp(START + timedelta(hours=24))
    assert account.health.next_check_at == timestamp(START + timedelta(minutes=5))
    assert (world.events(), world.actions(account)) == (["Link Parked"], ["parked"])
    assert (world.token(account), account.linked_at) == (GOOD, "")


def test_an_answer_that_nobody_understands_parks_nothing(world: World) -> None:
    world.namely.down = Answer(418, is_json=False)
    assert world.problem().reason is Reason.UNEXPECTED_ANSWER
    assert world.rows.items == {}


def test_a_machine_is_told_at_once_instead(world: World) -> None:
    world.namely.down = DOWN
    assert world.problem(park=False).code is Code.NAMELY_UNAVAILABLE
    assert world.rows.items == {}


def test_with_no_time_to_wait_nothing_is_parked(world: World) -> None:
    world.park_for = timedelta(0)
    world.namely.down = DOWN
    assert world.problem().code is Code.NAMELY_UNAVAILABLE


def test_a_parked_pair_can_be_linked_by_the_next_attempt(world: World) -> None:
    parked = world.parked()
    done = world.link(NEW)
    assert (done.account.id, done.again, world.token(done.account)) == (parked.id, False, NEW)
    assert (done.account.parking, world.events()) == (None, ["Link Parked", "Account Linked"])
    world.rest()


def test_a_parked_pair_can_be_parked_again_and_waits_anew(world: World) -> None:
    first = world.parked()
    world.later(hours=1)
    again = world.parked(NEW)
    assert (again.id, world.token(again)) == (first.id, NEW)
    assert again.parking.until == timestamp(START + timedelta(hours=25))


def test_a_refused_attempt_leaves_a_parked_link_parked(world: World) -> None:
    parked = world.parked()
    assert world.problem(WRONG).code is Code.TOKEN_REFUSED
    left = world.read(parked)
    assert left == replace(parked, fence=left.fence)


def test_what_an_earlier_release_has_rejected_can_be_linked_until_it_is_undone(
    world: World,
) -> None:
    """Such a row is committed and pending, and waits for nothing."""
    parked = world.parked()
    world.rows.put(replace(parked, parking=None))
    done = world.link()
    assert (done.account.id, done.again, world.sweep()) == (parked.id, False, {})


# Sessions


def test_a_session_links_once_and_answers_the_same_until_it_expires(world: World) -> None:
    session = world.open_session()
    first = world.link(session=session)
    used = world.session()
    assert (used.state, used.claims, used.attempts_left) == ("used", {}, 3)
    world.later(minutes=29)
    assert world.link(session=session) == first
    assert len(world.rows.items) == 1
    world.later(minutes=1)
    assert world.problem(session=session).reason is Reason.SESSION_EXPIRED


def test_a_used_session_that_has_parked_says_so_again_and_in_the_end_that_it_is_linked(
    world: World,
) -> None:
    session = world.open_session()
    world.namely.down = DOWN
    first = world.link(session=session)
    assert isinstance(first, Parked)
    assert world.link(session=session) == first
    world.namely.down = None
    checked = world.check(first.account)
    assert world.link(session=session) == LinkedAccount(checked, again=False)


@pytest.mark.parametrize("other", ["token", "unlinked", "undone"])
def test_a_used_session_links_nothing_else(world: World, other: str) -> None:
    session = world.open_session()
    account = world.link(session=session).account
    if other == "unlinked":
        world.unlink(account)
    elif other == "undone":
        del world.rows.items[account.id]
    token = NEW if other == "token" else GOOD
    assert world.problem(token, session=session).reason is Reason.SESSION_USED


def test_a_session_that_nobody_knows_links_nothing(world: World) -> None:
    assert world.problem(session="cs_other").reason is Reason.UNAUTHORIZED


def test_a_revoked_session_links_nothing(world: World) -> None:
    session = world.open_session(state="revoked")
    assert world.problem(session=session).reason is Reason.SESSION_USED


def test_a_refused_attempt_says_how_many_are_left(world: World) -> None:
    session = world.open_session()
    assert world.problem(WRONG, session=session).attempts_left == 2
    assert (world.session().attempts_left, world.session().claims) == (2, {})


def test_a_session_without_attempts_left_asks_namely_nothing_about_the_token(
    world: World,
) -> None:
    session = world.open_session(attempts_left=1)
    world.problem(WRONG, session=session)
    world.namely.sent.clear()
    problem = world.problem(session=session)
    assert (problem.reason, problem.attempts_left) == (Reason.ATTEMPTS_EXHAUSTED, 0)
    assert world.namely.sent == []


def test_what_a_session_says_of_the_account_is_used(world: World) -> None:
    session = world.open_session(label="theirs", metadata={"a": "b"}, type="test")
    account = world.link(session=session).account
    assert (account.label, account.metadata, account.type) == ("theirs", {"a": "b"}, "test")


def test_a_label_that_is_typed_comes_before_the_sessions(world: World) -> None:
    session = world.open_session(label="theirs")
    assert world.link(session=session, label="typed").account.label == "typed"


def test_a_relink_session_holds_to_its_site(world: World) -> None:
    account = world.linked()
    session = world.open_session(account_id=account.id)
    problem = world.problem(session=session, site="other")
    assert (problem.reason, problem.attempts_left) == (Reason.SITE_MISMATCH, 2)
    assert world.link(session=session).account.id == account.id


@pytest.mark.parametrize("gone", ["never", "unlinked", "uncommitted"])
def test_a_relink_session_of_an_account_that_is_gone_is_refused_for_nothing(
    world: World, gone: str
) -> None:
    account = world.linked()
    if gone == "unlinked":
        world.unlink(account)
        world.linked()
    elif gone == "never":
        account = replace(account, id="acc_never")
    else:
        world.rows.put(replace(account, revision=0))
    session = world.open_session(account_id=account.id)
    problem = world.problem(NEW, session=session)
    assert (problem.reason, problem.attempts_left) == (Reason.NOT_FOUND, 3)
    assert world.session().claims == {}


def test_a_relink_session_never_ends_on_another_account(world: World) -> None:
    """While Namely thinks, the account is unlinked and its pair linked anew."""
    account = world.linked()
    session = world.open_session(account_id=account.id)

    def anew() -> None:
        world.unlink(account)
        world.linked()

    with world.meanwhile(world.rows, "commit", anew):
        assert world.problem(NEW, session=session).code is Code.CONFLICT
    assert world.token(world.rows.of_pair(OWNER.id, "acme")) == GOOD
    world.rest()


# Attempts: only a verdict on what was typed costs one


@pytest.mark.parametrize(
    ("down", "reason"),
    [
        (DOWN, Reason.OUTAGE),
        (THROTTLED, Reason.THROTTLED),
        (Failure.TIMEOUT, Reason.TIMEOUT),
        (Failure.UNREACHABLE, Reason.UNREACHABLE),
        (Answer(418, is_json=False), Reason.UNEXPECTED_ANSWER),
    ],
)
def test_a_fault_of_namely_costs_no_attempt(world: World, down: Reply, reason: Reason) -> None:
    world.park_for = timedelta(0)
    session = world.open_session(attempts_left=1)
    world.namely.down = down
    problem = world.problem(session=session)
    assert (problem.reason, problem.attempts_left) == (reason, 1)
    assert (world.session().attempts_left, world.session().claims) == (1, {})
    assert sum(world.rows.attempts.values()) == 0
    world.namely.down = None
    assert isinstance(world.link(session=session), LinkedAccount)


@pytest.mark.parametrize(("method", "nth"), [("create", 1), ("commit", 1), ("commit", 2)])
@pytest.mark.parametrize("error", [StorageError, ConflictError, RuntimeError])
def test_a_fault_of_ours_costs_no_attempt(
    world: World, method: str, nth: int, error: type[Exception]
) -> None:
    session = world.open_session(attempts_left=1)
    part = world.vault if method == "create" else world.rows

    def fault() -> None:
        raise error

    with world.meanwhile(part, method, fault, nth=nth), pytest.raises((Problem, RuntimeError)):
        world.link(session=session)
    assert (world.session().attempts_left, world.session().claims) == (1, {})
    assert sum(world.rows.attempts.values()) == 0
    world.later(minutes=1)
    assert isinstance(world.link(session=session), LinkedAccount)
    world.rest()


def test_a_conflict_costs_no_attempt(world: World) -> None:
    account = world.linked()
    taken = replace(account, attempt=world_attempt(world))
    world.rows.put(taken)
    session = world.open_session(attempts_left=1)
    problem = world.problem(NEW, session=session)
    assert (problem.reason, problem.attempts_left) == (Reason.CONFLICT, 1)
    assert world.session().claims == {}


def world_attempt(world: World, **changes: object):
    from namely_link.domain.lifecycle import attempt

    return replace(attempt(lease=LEASE, now=world.now), **changes)


def test_a_process_that_died_costs_no_attempt_once_its_claims_time_has_passed(
    world: World,
) -> None:
    session = world.open_session(attempts_left=1)
    with (
        world.failing(world.vault, "create", error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link(session=session)
    assert len(world.session().claims) == 1
    world.later(seconds=5)
    problem = world.problem(session=session)
    assert (problem.reason, problem.attempts_left) == (Reason.CONFLICT, 1)
    assert problem.retry_after == LEASE.seconds - 5  # what is really left
    world.later(seconds=problem.retry_after)
    assert isinstance(world.link(session=session), LinkedAccount)
    world.rest()


@pytest.mark.parametrize("after", [False, True])
def test_a_claim_whose_answer_is_lost_is_given_back(world: World, after: bool) -> None:
    session = world.open_session(attempts_left=1)
    real, calls = world.rows.save, []

    def save(one) -> None:
        calls.append(one)
        if len(calls) > 1 or after:
            real(one)
        if len(calls) == 1:
            raise StorageError

    world.rows.save = save
    assert world.problem(session=session).code is Code.STORAGE_UNAVAILABLE
    assert (world.session().attempts_left, world.session().claims) == (1, {})


def test_a_verdict_that_could_not_be_noted_is_not_told_and_costs_nothing(world: World) -> None:
    session = world.open_session(attempts_left=1)

    def fault() -> None:
        raise StorageError

    with world.meanwhile(world.rows, "save", fault, nth=2):
        assert world.problem(WRONG, session=session).code is Code.STORAGE_UNAVAILABLE
    assert (world.session().attempts_left, world.session().claims) == (1, {})


def test_a_give_back_that_fails_leaves_the_claim_to_its_time(world: World) -> None:
    session = world.open_session(attempts_left=1)

    def fault() -> None:
        world.namely.down = None
        raise StorageError

    world.park_for = timedelta(0)
    world.namely.down = DOWN
    with (
        world.meanwhile(world.rows, "save", fault, nth=2),
        world.failing(world.rows, "uncount_attempt"),
    ):
        assert world.problem(session=session).code is Code.NAMELY_UNAVAILABLE
    assert len(world.session().claims) == 1
    world.later(seconds=LEASE.seconds)
    assert isinstance(world.link(session=session), LinkedAccount)


def test_of_two_requests_at_once_with_one_attempt_left_one_has_to_wait(world: World) -> None:
    session = world.open_session(attempts_left=1)
    problems = []
    with world.meanwhile(
        world.vault, "create", lambda: problems.append(world.problem(WRONG, session=session))
    ):
        assert isinstance(world.link(session=session), LinkedAccount)
    assert [one.reason for one in problems] == [Reason.CONFLICT]


def test_a_session_that_others_write_at_the_same_time_is_written_again(world: World) -> None:
    session = world.open_session()

    def other() -> None:
        now = world.session()
        world.rows.sessions[session] = replace(now, fence=now.fence + 1)

    with world.meanwhile(world.rows, "save", other):
        assert world.problem(WRONG, session=session).attempts_left == 2


def test_a_session_that_is_revoked_or_gone_while_it_is_claimed_links_nothing(
    world: World,
) -> None:
    session = world.open_session()

    def revoke() -> None:
        now = world.session()
        world.rows.sessions[session] = replace(now, state="revoked", fence=now.fence + 1)

    with world.meanwhile(world.rows, "save", revoke):
        assert world.problem(session=session).reason is Reason.SESSION_USED
    world.open_session()
    with world.meanwhile(world.rows, "save", lambda: world.rows.sessions.clear()):
        assert world.problem(session=session).reason is Reason.UNAUTHORIZED
    assert world.rows.items == {}


def test_a_session_that_too_many_write_is_a_conflict(world: World) -> None:
    session = world.open_session()
    with world.failing(world.rows, "save", error=ConflictError):
        assert world.problem(session=session).code is Code.CONFLICT


@pytest.mark.parametrize("state", ["revoked", "used"])
def test_a_session_that_is_over_before_the_commit_links_nothing(world: World, state: str) -> None:
    """Revoking ends what it made at once (and two requests link once)."""
    session = world.open_session()

    def over() -> None:
        now = world.session()
        world.rows.sessions[session] = replace(now, state=state, fence=now.fence + 1)

    with world.meanwhile(world.vault, "create", over):
        assert world.problem(session=session).code is Code.CONFLICT
    assert world.rows.pairs == {}
    world.rest()
    assert world.vault.secrets == {}


# Dry runs reserve their link


def test_a_dry_run_on_the_last_attempt_reserves_its_link(world: World) -> None:
    session = world.open_session(attempts_left=1, confirm=True)
    assert isinstance(world.link(session=session, dry_run=True), Tried)
    assert world.session().attempts_left == 0
    assert world.problem(NEW, session=session).reason is Reason.ATTEMPTS_EXHAUSTED
    assert isinstance(world.link(session=session), LinkedAccount)


def test_the_same_dry_run_again_costs_nothing_more(world: World) -> None:
    session = world.open_session(attempts_left=2)
    for _ in range(3):
        world.link(session=session, dry_run=True)
        assert world.session().attempts_left == 1


def test_a_reserved_link_survives_an_outage_and_ends_with_a_refusal(world: World) -> None:
    world.park_for = timedelta(0)
    session = world.open_session(attempts_left=1)
    world.link(session=session, dry_run=True)
    world.namely.down = DOWN
    assert world.problem(session=session).code is Code.NAMELY_UNAVAILABLE
    world.namely.down = None
    world.namely.good.clear()
    problem = world.problem(session=session)
    assert (problem.code, problem.attempts_left) == (Code.TOKEN_REFUSED, 0)
    assert world.problem(session=session).reason is Reason.ATTEMPTS_EXHAUSTED


# Owners


def test_an_owner_has_so_many_attempts_in_an_hour_whatever_the_bearer(world: World) -> None:
    world.owner_attempts = 3
    session = world.open_session()
    world.linked()
    world.link(dry_run=True)
    world.problem(WRONG, session=session)
    for given, left in (("", None), (session, 2)):
        problem = world.problem(session=given)
        assert problem.reason is Reason.OWNER_ATTEMPTS_EXHAUSTED
        assert (problem.retry_after, problem.attempts_left) == (3600, left)
    assert world.session().claims == {}


def test_beyond_its_limit_an_owners_token_is_not_sent(world: World) -> None:
    world.owner_attempts = 0
    world.problem()
    assert world.namely.sent == []


def test_another_owner_and_another_hour_have_attempts_of_their_own(world: World) -> None:
    world.owner_attempts = 1
    world.linked()
    world.linked(owner=Owner("o2", "Owner Two"))
    world.later(minutes=59)
    assert world.problem().retry_after == 60
    world.later(minutes=1)
    assert world.link().again


def test_a_request_that_a_used_session_answers_again_is_no_attempt(world: World) -> None:
    world.owner_attempts = 1
    session = world.open_session()
    first = world.link(session=session)
    for _ in range(2):
        assert world.link(session=session) == first


def test_an_attempt_that_cannot_be_counted_is_none(world: World) -> None:
    session = world.open_session()
    with world.failing(world.rows, "count_attempt"):
        assert world.problem(session=session).code is Code.STORAGE_UNAVAILABLE
    assert world.session().claims == {}


# What somebody has decided about the account stays


def test_linking_a_suspended_account_again_keeps_it_suspended(world: World) -> None:
    paused = world.suspend(world.linked())
    again = world.linked(NEW)
    assert (again.id, again.status, world.token(again)) == (paused.id, Status.SUSPENDED, NEW)
    assert world.rows.told[-1].event.type == "Account Relinked"
    world.later(days=2)
    assert world.sweep() == {}


def test_label_metadata_type_and_owner_name_change_by_no_link(world: World) -> None:
    permission = ByOwner(owner=OWNER, metadata={"a": "b"})
    first = world.linked(permission=permission, label="first")
    other = ByOwner(owner=Owner(OWNER.id, "Renamed"), metadata={"c": "d"}, type="test")
    again = world.linked(NEW, permission=other, label="second")
    kept = (again.label, again.metadata, again.type, again.owner)
    assert kept == ("first", {"a": "b"}, "production", OWNER)
    assert again.id == first.id


def test_what_is_in_a_status_of_a_later_release_is_not_linked(world: World) -> None:
    account = world.rows.put(replace(world.linked(), status=Status("moving")))
    assert world.problem(NEW).reason is Reason.WRONG_STATUS
    assert world.read(account) == account


# Faults half way


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("method", "nth"), [("create", 1), ("commit", 1), ("commit", 2)])
@pytest.mark.parametrize("error", [StorageError, KeyboardInterrupt])
def test_a_link_that_failed_half_way_leaves_nothing_or_is_found(
    world: World, method: str, nth: int, after: bool, error: type[BaseException]
) -> None:
    part = world.vault if method == "create" else world.rows
    real, calls = getattr(part, method), []

    def call(*args: object, **options: object):
        calls.append(args)
        if len(calls) != nth:
            return real(*args, **options)
        if after:
            real(*args, **options)
        raise error

    setattr(part, method, call)
    with pytest.raises((Problem, KeyboardInterrupt)):
        world.link()
    world.later(minutes=1)
    again = world.link(NEW)
    assert (again.again, world.token(again.account)) == (nth == 2 and after, NEW)
    world.rest()
    assert len(world.vault.secrets) == 1


def test_while_another_attempt_may_still_write_there_is_a_conflict_for_what_is_left(
    world: World,
) -> None:
    with (
        world.failing(world.vault, "create", error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    world.later(seconds=10)
    problem = world.problem()
    assert (problem.reason, problem.retry_after) == (Reason.CONFLICT, LEASE.seconds - 10)
    world.later(seconds=problem.retry_after)
    assert isinstance(world.link(), LinkedAccount)


def test_a_pair_that_another_link_takes_first_is_a_conflict(world: World) -> None:
    with world.meanwhile(world.rows, "commit", lambda: world.linked(NEW)):
        assert world.problem().code is Code.CONFLICT
    world.rest()
    assert world.token(world.rows.of_pair(OWNER.id, "acme")) == NEW


def test_a_promotion_that_fails_does_not_fail_the_link(world: World) -> None:
    world.linked()
    with world.failing(world.vault, "promote"):
        again = world.linked(NEW)
    assert world.token(again) == NEW
    assert again.attempt
    assert world.current(again) != again.secret.version_id
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"settled": 1}
    assert world.current(again) == again.secret.version_id
    world.rest()


def test_a_relink_after_one_that_was_not_promoted_leaves_both_to_the_sweep(world: World) -> None:
    world.linked()
    with world.failing(world.vault, "promote"):
        world.linked(NEW)
    world.namely.good.add("m" * 64)
    world.later(seconds=LEASE.seconds)
    last = world.linked("m" * 64)
    assert (last.attempt, last.unsettled.look_at) == (None, timestamp(world.now))
    assert world.sweep() == {"settled": 1}
    assert (world.current(last), world.token(last)) == (last.secret.version_id, "m" * 64)
    world.rest()


# The stories of the issue


def test_story_b_a_sweep_that_is_late_takes_nothing_from_the_link_that_took_over(
    world: World,
) -> None:
    """Its DeleteSecret is of a name that no other link ever has."""
    with (
        world.failing(world.vault, "create", error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    world.later(seconds=LEASE.seconds)
    with world.meanwhile(world.vault, "delete", lambda: world.linked(NEW)):
        assert world.sweep() == {"undone": 1}
    account = world.rows.of_pair(OWNER.id, "acme")
    assert (account.status, world.token(account)) == (Status.ACTIVE, NEW)
    world.rest()


def test_story_b_a_link_that_takes_over_from_a_dead_one_begins_under_a_fresh_id(
    world: World,
) -> None:
    with (
        world.failing(world.vault, "create", after=True, error=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        world.link()
    (dead,) = world.rows.items
    world.later(seconds=LEASE.seconds)
    done = world.link(NEW)
    assert (done.account.id != dead, done.again) == (True, False)
    left = world.rows.row(dead)
    assert isinstance(left, Tombstone)
    assert left.until == timestamp(world.now + LATE)
    world.rest()
    assert list(world.vault.secrets) == [done.account.secret_name]


def test_story_c_a_link_that_wakes_late_moves_no_label_and_clears_no_mark(world: World) -> None:
    """It froze after its commit; meanwhile its lease ended and another link was made."""
    first = world.linked()
    world.namely.good.add("m" * 64)

    def frozen() -> None:
        world.later(seconds=LEASE.seconds)
        with world.failing(world.vault, "promote"):
            world.linked("m" * 64)

    with world.meanwhile(world.vault, "promote", frozen):
        world.link(NEW)
    account = world.read(first)
    assert (world.token(account), account.unsettled is not None) == ("m" * 64, True)
    world.rest()
    assert world.current(account) == account.secret.version_id


def test_story_e_a_create_that_takes_effect_late_leaves_no_token(world: World) -> None:
    late = []

    def create(**options: object) -> None:
        late.append(options)
        raise StorageError

    world.vault.create = create
    assert world.problem().code is Code.STORAGE_UNAVAILABLE
    del world.vault.create
    world.later(minutes=1)
    assert world.sweep() == {"undone": 1}
    world.later(minutes=4)
    world.vault.create(**late[0])
    world.rest()
    assert world.vault.secrets == {}
    assert world.rows.pairs == {}


def test_story_e_a_candidate_that_takes_effect_late_leaves_no_token(world: World) -> None:
    account = world.linked()
    late = []

    def put(**options: object) -> None:
        late.append(options)
        raise StorageError

    world.vault.put_candidate = put
    assert world.problem(NEW).code is Code.STORAGE_UNAVAILABLE
    del world.vault.put_candidate
    world.later(minutes=1)
    assert world.sweep() == {"settled": 1}
    world.later(minutes=4)
    world.vault.put_candidate(**late[0])
    world.rest()
    assert world.vault.secrets[account.secret_name].versions == {account.secret.version_id: GOOD}


def missing(world: World, account: Account) -> None:
    """Somebody deletes the secret by hand, as the console does it: with a window."""
    world.vault.delete(account.secret_name, recovery_days=30)


def test_story_j_a_link_again_makes_a_new_secret_for_one_that_was_deleted(world: World) -> None:
    account = world.linked()
    missing(world, account)
    again = world.linked(NEW)
    assert (again.id, world.token(again)) == (account.id, NEW)
    assert again.secret_name != account.secret_name
    assert again.attempt is None
    assert again.unsettled
    assert again.unsettled.strays == (account.secret_name,)
    assert world.vault.account_id(again.secret_name) == account.id


def test_story_j_the_deleted_secret_does_not_come_back_late(world: World) -> None:
    account = world.linked()
    before = world.vault.secrets[account.secret_name]
    missing(world, account)
    again = world.linked(NEW)
    world.vault.secrets[account.secret_name] = before
    world.rest()
    assert set(world.vault.secrets) == {again.secret_name}


def test_story_j_where_a_check_has_said_so_the_new_secret_is_named_before(world: World) -> None:
    account = world.linked()
    missing(world, account)
    world.check(account)
    with world.failing(world.vault, "put_candidate", error=AssertionError):
        again = world.linked(NEW)
    assert (world.token(again), again.health.reasons) == (NEW, ())


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("error", [StorageError, KeyboardInterrupt])
@pytest.mark.parametrize("next_link", [False, True])
def test_story_j_a_new_secret_of_a_link_that_failed_does_not_stay(
    world: World, known: bool, error: type[BaseException], next_link: bool
) -> None:
    account = world.linked()
    missing(world, account)
    if known:
        world.check(account)
    with (
        world.failing(world.vault, "create", after=True, error=error),
        pytest.raises((Problem, KeyboardInterrupt)),
    ):
        world.link(NEW)
    assert len(world.vault.secrets) == 2
    world.later(seconds=LEASE.seconds)
    if next_link:
        world.linked(NEW)
    del world.vault.secrets[account.secret_name]
    for _ in range(14):
        world.later(minutes=1)
        world.swept()
    left = world.read(account)
    named = {left.secret_name} if next_link else set()
    assert set(world.vault.secrets) == named
    assert (left.attempt, left.unsettled) == (None, None)


def test_story_j_a_new_secret_that_was_never_written_is_looked_for_as_well(world: World) -> None:
    account = world.linked()
    missing(world, account)
    with (
        world.meanwhile(world.rows, "commit", lambda: fault(StorageError), nth=2),
    ):
        assert world.problem(NEW).code is Code.STORAGE_UNAVAILABLE
    world.later(minutes=1)
    assert world.sweep() == {"settled": 1}


def fault(error: type[Exception]) -> None:
    raise error


# Verdicts


@pytest.mark.parametrize("people", [THROTTLED, DOWN, HTML, Failure.TIMEOUT, Failure.UNUSABLE])
def test_a_proved_token_is_linked_though_what_it_sees_is_not_known_and_soon_looked_at_again(
    world: World, people: Reply
) -> None:
    world.namely.people = people
    account = world.linked()
    assert account.status is Status.ACTIVE
    assert account.receipt.visible_people is None
    assert AccountWarning.VISIBILITY_UNKNOWN in account.receipt.warnings
    assert account.health.next_check_at == timestamp(START + timedelta(minutes=5))


def test_a_refusal_by_a_site_in_trouble_is_no_verdict(world: World) -> None:
    session = world.open_session()
    world.park_for = timedelta(0)
    world.namely.site = DOWN
    assert world.problem(WRONG, session=session).code is Code.NAMELY_UNAVAILABLE
    assert world.session().attempts_left == 3


def test_the_question_for_the_site_leaves_time_for_the_token(world: World) -> None:
    ends: list[float] = []
    real = world.namely.get

    def get(subdomain, path, token, end):
        ends.append(end)
        return real(subdomain, path, token, end)

    world.namely.get = get
    world.link()
    assert (ends[0], set(ends[1:])) == (pytest.approx(5 / 3), {5.0})


def test_a_command_says_nothing_of_its_bearer(world: World) -> None:
    from namely_link.commands.link import BySession

    assert "nls_x" not in repr(BySession(session_id="s", bearer="nls_x"))

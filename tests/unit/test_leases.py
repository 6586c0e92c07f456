"""How long a row is held follows from how long the functions run and the calls take."""

import re
from datetime import timedelta
from typing import Any

import pytest

from namely_link import bootstrap
from namely_link.aws.table import SHARDS
from namely_link.commands.ports import SweepPorts
from namely_link.domain.lifecycle import (
    CHECK_WITHIN,
    LATE,
    LEASE,
    SWEEP_LEASE,
    SWEEP_TURN,
    TIMEOUTS,
    WORST_CALL,
)
from templates import TEMPLATE

MARGIN = timedelta(seconds=10)
"""A clock that is wrong, and what is done between two calls."""


def functions() -> dict[str, dict[str, Any]]:
    """Return the properties of each function, by the name of its folder."""
    found = {}
    for one in TEMPLATE["Resources"].values():
        if one["Type"] == "AWS::Serverless::Function":
            folder = one["Properties"]["CodeUri"].rstrip("/").rpartition("/")[2]
            found[folder] = one["Properties"]
    return found


@pytest.mark.parametrize("name", TIMEOUTS)
def test_the_time_of_a_function_is_the_templates(name: str) -> None:
    everywhere = TEMPLATE["Globals"]["Function"]["Timeout"]
    assert TIMEOUTS[name].total_seconds() == functions()[name].get("Timeout", everywhere)


def test_every_function_that_may_write_rows_has_a_time() -> None:
    may = {}
    for name, one in functions().items():
        role = one["Role"]["GetAtt"].partition(".")[0]
        may[name] = repr(TEMPLATE["Resources"][role])
    assert {name for name, grants in may.items() if "dynamodb:PutItem" in grants} == set(TIMEOUTS)


@pytest.mark.parametrize("name", ["link", "intake", "api"])
def test_a_request_cannot_outlive_its_lease(name: str) -> None:
    assert TIMEOUTS[name] + timedelta(seconds=5) <= LEASE


def test_the_sweeps_lease_covers_the_worst_call() -> None:
    assert SWEEP_LEASE >= WORST_CALL + MARGIN


def worst_call(tries: int) -> timedelta:
    """Return what a call takes whose every try, so many, is cut off, with botocore's pauses."""
    config = bootstrap._AWS
    pauses = sum(2**number for number in range(tries - 1))
    return timedelta(seconds=tries * (config.connect_timeout + config.read_timeout) + pauses)


TRIES = bootstrap._AWS.retries["total_max_attempts"]
LONGEST_PROBE = timedelta(seconds=TEMPLATE["Parameters"]["NamelyDeadlineSeconds"]["MaxValue"])
"""All questions to Namely together, with the largest deadline that a stack may have."""
CALLS_OF_A_CHECK = 4
"""To AWS: the row, the secret, the write, and where its answer was lost, the row once more."""


def test_the_worst_call_is_what_the_clients_allow() -> None:
    assert worst_call(TRIES) <= WORST_CALL


def test_a_check_has_time_for_all_its_questions_and_for_every_call_at_its_worst() -> None:
    source = functions()["check"]["Events"]["Queue"]["Properties"]
    each = LONGEST_PROBE + CALLS_OF_A_CHECK * worst_call(TRIES)
    assert source["BatchSize"] * each <= TIMEOUTS["check"]


def test_a_message_is_out_of_sight_for_six_times_as_long_as_a_check_may_run() -> None:
    queue = TEMPLATE["Resources"]["CheckQueue"]["Properties"]
    assert queue["VisibilityTimeout"] == 6 * TIMEOUTS["check"].total_seconds()


def test_a_check_that_failed_is_tried_again_before_the_sweep_asks_for_another() -> None:
    queue = TEMPLATE["Resources"]["CheckQueue"]["Properties"]
    assert timedelta(seconds=queue["VisibilityTimeout"]) < CHECK_WITHIN


@pytest.mark.parametrize("name", ["link", "intake"])
def test_a_link_whose_questions_take_all_their_time_survives_a_call_that_stalls(name: str) -> None:
    """API Gateway waits for 29 seconds at most. What takes longer dies, and is tidied up."""
    assert LONGEST_PROBE + worst_call(1) < TIMEOUTS[name] <= timedelta(seconds=29)


def test_a_sweep_begins_nothing_that_can_not_end_within_its_time() -> None:
    assert timedelta(seconds=SweepPorts.seconds) + 2 * WORST_CALL < TIMEOUTS["sweep"]
    assert timedelta(seconds=SweepPorts.reconcile_seconds) < TIMEOUTS["sweep"]


def test_a_turn_covers_a_sweep_and_is_over_when_the_next_one_comes() -> None:
    assert timedelta(seconds=SweepPorts.seconds) + MARGIN < SWEEP_TURN
    assert timedelta(minutes=1) >= SWEEP_TURN + MARGIN


def test_every_shard_has_a_thread_and_a_connection_to_itself() -> None:
    assert bootstrap.sweepers()._max_workers == SHARDS <= bootstrap._AWS.max_pool_connections


def test_no_attempt_is_open_two_minutes_after_the_last_fault() -> None:
    """The sweep comes every minute; what it does not finish the next one does."""
    assert SWEEP_LEASE + timedelta(minutes=1) < timedelta(minutes=2)
    assert LEASE + timedelta(minutes=1) < timedelta(minutes=2)


def test_the_sweep_comes_every_minute() -> None:
    rates = re.findall(r"rate\((.*?)\)", repr(functions()["sweep"]))
    assert "1 minute" in rates


def test_a_call_is_late_for_longer_than_it_can_take() -> None:
    assert max(TIMEOUTS.values()) + WORST_CALL < LATE
    assert TIMEOUTS["check"] < CHECK_WITHIN

"""How long a row is held follows from how long the functions run and the calls take."""

import re
from datetime import timedelta
from typing import Any

import pytest

from namely_link import bootstrap
from namely_link.domain.lifecycle import (
    CHECK_WITHIN,
    LATE,
    LEASE,
    SWEEP_LEASE,
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
            variables = one["Properties"]["Environment"]["Variables"]
            found[variables["POWERTOOLS_SERVICE_NAME"]] = one["Properties"]
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


def test_the_worst_call_is_what_the_clients_allow() -> None:
    config = bootstrap._AWS
    tries = config.retries["total_max_attempts"]
    pauses = sum(2**number for number in range(tries - 1))
    each = config.connect_timeout + config.read_timeout
    assert timedelta(seconds=tries * each + pauses) <= WORST_CALL


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

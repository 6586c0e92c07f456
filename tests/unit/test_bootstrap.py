"""Calls run at the same time, and the time is in UTC."""

import threading

import pytest

from namely_link.bootstrap import at_once, now


def test_calls_run_at_once_and_answer_in_order() -> None:
    meeting = threading.Barrier(3, timeout=5)
    calls = [lambda n=n: (meeting.wait(), n)[1] for n in range(3)]
    assert at_once(*calls) == [0, 1, 2]


def test_one_call_alone_is_made() -> None:
    assert at_once(lambda: 1) == [1]


def test_the_first_failure_is_raised_when_all_have_ended() -> None:
    ended = []

    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        at_once(fail, lambda: ended.append(1))
    assert ended == [1]


def test_the_time_has_its_zone() -> None:
    assert now().utcoffset().total_seconds() == 0

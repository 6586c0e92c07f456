"""What a probe asks runs at the same time, and the time is in UTC."""

import threading

from namely_link.bootstrap import executor, now
from namely_link.domain.probe import ASKED


def test_all_that_a_link_does_at_once_finds_a_thread() -> None:
    at_once = len(ASKED) + 2  # the negative control and the row
    meeting = threading.Barrier(at_once, timeout=5)
    with executor() as threads:
        assert len({threads.submit(meeting.wait) for _ in range(at_once)}) == at_once


def test_the_time_has_its_zone() -> None:
    assert now().utcoffset().total_seconds() == 0

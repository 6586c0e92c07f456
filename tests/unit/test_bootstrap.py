"""What a probe asks runs at the same time, and the time is in UTC."""

import threading

from namely_link.bootstrap import executor, now


def test_all_that_a_link_does_at_once_finds_a_thread() -> None:
    meeting = threading.Barrier(5, timeout=5)
    with executor() as threads:
        assert len({threads.submit(meeting.wait) for _ in range(5)}) == 5


def test_the_time_has_its_zone() -> None:
    assert now().utcoffset().total_seconds() == 0

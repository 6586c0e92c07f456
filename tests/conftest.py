"""What all tiers share: one deployment, and what keeps a whole run short.

Coverage is measured where the layer runs in the tests' own process for its own sake; tracing the
fault matrix or a browser's visit would find no line more, and takes time.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import coverage
import pytest
from hypothesis import settings

from local.stack import running

TESTS = Path(__file__).parent
TRACED = {"unit", "commands", "adapters", "functions"}
ORDER = ("browser", "e2e", "simulation", "faults", "functions", "adapters")
"""Whole files are handed out in this order: what takes long begins first, so that both workers end
together."""

# A slow machine is no fault of the code: nothing here is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# What botocore knows of a service is a large file, which every session would read anew.
botocore.session.create_loader = cache(botocore.session.create_loader)

_measured: coverage.Coverage | None = None
"""What measures this process, while it rests."""


def tier(item: pytest.Item) -> str:
    """Return the folder of `tests/` that a test is in."""
    return item.path.relative_to(TESTS).parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda one: ORDER.index(tier(one)) if tier(one) in ORDER else len(ORDER))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Measure a test, its fixtures included, only where that may tell something."""
    global _measured
    running_now = coverage.Coverage.current()
    if tier(item) in TRACED:
        if _measured:
            _measured.start()
            _measured = None
    elif running_now:
        running_now.stop()
        _measured = running_now
    return (yield)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory):
    with running(state=tmp_path_factory.mktemp("state")) as deployed:
        yield deployed

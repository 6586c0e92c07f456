"""A simulator on real sockets, one a test."""

from collections.abc import Iterator

import pytest
from simulator_client import Client

from simulator import Simulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def client(sim: Simulator) -> Client:
    return Client(sim)

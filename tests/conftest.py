"""What all tiers share: one deployment, and what keeps a whole run short."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import botocore.session
import pytest
from hypothesis import settings

from local.stack import running
from receiver import Receiver, receiving

TESTS = Path(__file__).parent
ORDER = ("browser", "e2e", "simulation", "faults", "functions", "adapters")
"""Whole files are handed out in this order: what takes long begins first, so that both workers end
together."""

# A slow machine is no fault of the code: nothing here is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# What botocore knows of a service is a large file, which every session would read anew.
botocore.session.create_loader = cache(botocore.session.create_loader)


def tier(item: pytest.Item) -> str:
    """Return the folder of `tests/` that a test is in."""
    return item.path.relative_to(TESTS).parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda one: ORDER.index(tier(one)) if tier(one) in ORDER else len(ORDER))


_PARAMETERS = {
    "RequestsPerSecond": "500",  # the tests are many people at once
    "GatewayLogRole": "create",
    "DomainName": "links.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:000000000000:certificate/made-up",
    "BasePath": "base",
}
"""What the tests' deployment has other than that of `make run`."""


@pytest.fixture(scope="session")
def webhook():
    """The receiver of the deployment's webhook."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, webhook: Receiver):
    state = tmp_path_factory.mktemp("state")
    parameters = {"WebhookUrl": webhook.url, "WebhookSecret": webhook.secret, **_PARAMETERS}
    with running(state=state, parameters=parameters) as deployed:
        deployed.simulator.certify("localhost", webhook.context)
        yield deployed

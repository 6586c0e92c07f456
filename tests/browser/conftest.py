"""People with browsers: Chromium against the deployment, watched for what must never happen."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Request

    from local.stack import Stack

CHROMIUM = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
]

# What Chromium itself says of an answer that is no success; the page has shown it to the person.
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of [45]\d\d")


class Visitor:
    """One person with a browser of their own, and a list of what should not have happened."""

    def __init__(self, browser: Browser, stack: Stack, **context: Any) -> None:
        self.stack = stack
        self.owner = f"browser-{uuid4().hex[:12]}"
        self.context = browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | context
        )
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.allowed = {_origin(stack.api)}
        self.expected: list[str] = []
        """Patterns of console messages that the test provokes."""
        self.faults: list[str] = []
        self.requests: list[Request] = []
        self.context.on("request", self._requested)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.faults.append(str(error.error)))

    def _requested(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith("data:") and _origin(request.url) not in self.allowed:
            self.faults.append(f"a request to {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        known = _REFUSED.match(message.text) or any(
            re.search(one, message.text) for one in self.expected
        )
        if message.type in {"error", "warning"} and not known:
            self.faults.append(f"console: {message.text}")

    def session(self, **fields: object) -> dict[str, Any]:
        """Make a connect session for this person's own owner."""
        asked = {"owner_id": self.owner, "owner_name": "Demo Ltd", "expires_in": 3600, **fields}
        status, made = self.stack.call("POST", "/v1/connect-sessions", asked)
        assert status == 201, made
        return dict(made)

    def close(self) -> None:
        self.context.close()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def chromium_path() -> str | None:
    """Return the system's Chromium; where there is none, Playwright takes its own."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser, stack: Stack):
    """Make visitors; none may have met a console error or a request to another origin."""
    visitors: list[Visitor] = []

    def make(**context: Any) -> Visitor:
        visitors.append(Visitor(browser, stack, **context))
        return visitors[-1]

    yield make
    for one in visitors:
        one.close()
    assert [fault for one in visitors for fault in one.faults] == []


@pytest.fixture
def visitor(visit) -> Visitor:
    return visit()

"""People with browsers: Chromium against the deployment, watched for what must never happen."""

from __future__ import annotations

import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import urllib3
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Request

    from local.stack import Stack

CHROMIUM = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
]

pytest.register_assert_rewrite("looks")

SOON = 30_000
"""Milliseconds: two stacks and two browsers share the machine's cores."""
expect.set_options(timeout=SOON)

# What Chromium itself says of an answer that is no success; the page has shown it to the person.
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of [45]\d\d")


_KEPT: dict[str, dict[str, Any]] = {}
"""Answers with the pages' immutable files, by address."""


def _keep_files(api: str) -> None:
    """Be the cache that visitors share: each file comes from the deployment once."""
    for page in ("hub", "accounts"):
        text = urllib3.request("GET", f"{api}/{page}", timeout=60).data.decode()
        for address in {f"{api}/{name}" for name in re.findall(r'="(assets/[^"]+)"', text)}:
            answer = urllib3.request("GET", address, timeout=60)
            assert "immutable" in answer.headers["cache-control"], address
            _KEPT[address] = {"headers": dict(answer.headers), "body": answer.data}


class Neighbour(ThreadingHTTPServer):
    """A web server on another loopback origin: pages of somebody else's."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Shown)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.pages: dict[str, tuple[str, str, str]] = {}
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def show(self, path: str, body: str, kind: str = "text/html", policy: str = "") -> str:
        """Let a page stand at a path, with a Content-Security-Policy; its address is returned."""
        self.pages[path] = (body, kind, policy)
        return self.origin + path

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Shown(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body, kind, policy = self.server.pages.get(self.path.partition("?")[0], ("", "", ""))
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", f"{kind or 'text/plain'}; charset=utf-8")
        self.send_header("Content-Length", str(len(body.encode())))
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Visitor:
    """One person with a browser of their own, and a list of what should not have happened."""

    def __init__(
        self, browser: Browser, stack: Stack, *, cached: bool = True, **context: Any
    ) -> None:
        self.stack = stack
        self.owner = f"browser-{uuid4().hex[:12]}"
        self.context = browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | context
        )
        self.context.set_default_timeout(2 * SOON)
        if cached:
            if stack.api not in {one.partition("/assets/")[0] for one in _KEPT}:
                _keep_files(stack.api)
            self.context.route(
                lambda url: url in _KEPT, lambda route: route.fulfill(**_KEPT[route.request.url])
            )
        self._neighbour: Neighbour | None = None
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

    @property
    def neighbour(self) -> Neighbour:
        """Return another web server, which this person's browser may ask."""
        if self._neighbour is None:
            self._neighbour = Neighbour()
            self.allowed.add(self._neighbour.origin)
            self.expected.append("favicon")
        return self._neighbour

    def close(self) -> None:
        self.context.unroute_all(behavior="ignoreErrors")
        self.context.close()
        if self._neighbour:
            self._neighbour.stop()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def chromium_path() -> str | None:
    """Return the system's Chromium; where there is none, Playwright takes its own."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    return next(filter(None, map(shutil.which, names)), None)


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

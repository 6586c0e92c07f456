"""Every state of the Hub that a person can meet, and how they come to it.

The tests look at each with axe, and `screenshots.py` takes their pictures.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.target import session as aws_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from conftest import Visitor

NO_SUCH_SITE = "unknown-html"
EXAMPLES = Path(__file__).parents[2] / "examples"


def open_hub(visitor: Visitor, **fields: object) -> str:
    """Open a Hub link, and wait for the form; the session's token is returned."""
    token = show_hub(visitor, **fields)
    visitor.page.wait_for_selector("#work:not([hidden])")
    return token


def show_hub(visitor: Visitor, **fields: object) -> str:
    made = visitor.session(**fields)
    visitor.page.goto(made["url"])
    return str(made["token"])


def type_credential(visitor: Visitor, name: str, *, token: str = "") -> str:
    """Type a credential of the simulator; its token is returned."""
    known = visitor.stack.simulator.credential(name)
    page = visitor.page
    if page.locator("#subdomain").is_editable():
        page.fill("#subdomain", known.subdomain)
    page.fill("#token", token or known.token)
    return token or known.token


def connect(visitor: Visitor, name: str, *, token: str = "", **fields: object) -> str:
    """Open a link and press Connect with a credential; its token is returned."""
    open_hub(visitor, **fields)
    typed = type_credential(visitor, name, token=token)
    visitor.page.click("#connect")
    return typed


def linked(visitor: Visitor, name: str = "acme", **fields: object) -> str:
    typed = connect(visitor, name, **fields)
    dialog(visitor.page)
    return typed


def until(page: Page, truth: str) -> None:
    """Wait for an expression; Playwright's own waiting needs eval, which the pages forbid."""
    for _ in range(200):
        if page.evaluate(truth):
            return
        page.wait_for_timeout(50)
    msg = f"never came true: {truth}"
    raise AssertionError(msg)


def dialog(page: Page) -> None:
    page.wait_for_selector("dialog[open]")


def ended(page: Page) -> None:
    page.wait_for_selector("#ended:not([hidden])")


def problem(page: Page) -> None:
    page.wait_for_selector(".field.invalid, #problem:not([hidden])")


def expire(visitor: Visitor, session_id: str) -> None:
    """Make time pass for a session."""
    stack = visitor.stack
    client = aws_session(stack.environ).client("dynamodb", endpoint_url=stack.aws_endpoint)
    past = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    client.update_item(
        TableName=stack.table,
        Key={"pk": {"S": f"SESSION#{session_id}"}, "sk": {"S": "SESSION"}},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"S": past}},
    )


def relink(visitor: Visitor) -> str:
    """Link, and open a link that renews that account; the account's id is returned."""
    known = visitor.stack.simulator.credential("acme")
    status, account = visitor.stack.call(
        "POST",
        "/v1/accounts",
        {
            "subdomain": known.subdomain,
            "token": known.token,
            "owner_id": visitor.owner,
            "owner_name": "Demo Ltd",
        },
    )
    assert status in {200, 201}, account
    open_hub(visitor, account_id=account["id"], subdomain=known.subdomain)
    return str(account["id"])


def refuse(visitor: Visitor, status: int, reason: str, **more: object) -> None:
    """Let the service answer every link with a problem that can't be provoked from outside."""
    body = {"code": reason, "reason": reason, "status": status, "detail": "Raw.", **more}
    visitor.page.route(
        "**/v1/accounts",
        lambda route: route.fulfill(
            status=status, content_type="application/problem+json", body=json.dumps(body)
        ),
    )


def example(visitor: Visitor, name: str, session: str = "") -> str:
    """Return an example with its placeholders filled in, as its comments say."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert "https://YOUR-API/production" in text
    filled = text.replace("https://YOUR-API/production", visitor.stack.api)
    return filled.replace("nls_YOUR-SESSION", session)


def send_example_form(visitor: Visitor, name: str, *, token: str = "", **fields: object) -> None:
    """Fill in and send the plain form of the examples."""
    session = visitor.session(**fields)["token"]
    known = visitor.stack.simulator.credential(name)
    visitor.page.goto(visitor.neighbour.show("/form", example(visitor, "form.html", session)))
    visitor.page.fill("#subdomain", known.subdomain)
    visitor.page.fill("#token", token or known.token)
    visitor.page.click("button")


def embed_example(visitor: Visitor, **fields: object) -> str:
    """Open the plain page of the examples and press its button; the session is returned."""
    session = str(visitor.session(**fields)["token"])
    visitor.neighbour.show("/namely-session", json.dumps({"session": session}))
    visitor.page.goto(visitor.neighbour.show("/plain", example(visitor, "plain.html")))
    visitor.page.click("#link")
    visitor.page.frame_locator("iframe").locator("#work:not([hidden])").wait_for()
    return session


def _form(visitor: Visitor) -> None:
    open_hub(visitor)


def _typed(visitor: Visitor) -> None:
    open_hub(visitor)
    type_credential(visitor, "acme")
    visitor.page.locator("#subdomain").fill("https://acme.namely.com/home")
    visitor.page.press("#subdomain", "Tab")
    visitor.page.click("#reveal")


def _storage(visitor: Visitor) -> None:
    refuse(visitor, 503, "storage_unavailable", retry_after=5)
    connect(visitor, "acme")
    problem(visitor.page)


def _bug(visitor: Visitor) -> None:
    refuse(visitor, 500, "internal_error", instance="1f0c9a7e-2b")
    connect(visitor, "acme")
    problem(visitor.page)


def _throttled(visitor: Visitor) -> None:
    connect(visitor, "throttled-429", confirm=True)
    problem(visitor.page)


def _offline(visitor: Visitor) -> None:
    visitor.page.route(
        "**/connect-sessions/current",
        lambda route: route.fulfill(status=500, body=json.dumps({"reason": "internal_error"})),
    )
    show_hub(visitor)
    ended(visitor.page)


def _form_linked(visitor: Visitor) -> None:
    send_example_form(visitor, "acme")
    visitor.page.wait_for_url("**/result?*")


def _form_refused(visitor: Visitor) -> None:
    send_example_form(visitor, "acme", token="NotTheRightToken0123456789")
    visitor.page.wait_for_url("**/result?*")


def _form_parked(visitor: Visitor) -> None:
    send_example_form(visitor, "error-503")
    visitor.page.wait_for_url("**/result?*")


def embedded(visitor: Visitor) -> None:
    embed_example(visitor)


def _relink(visitor: Visitor) -> None:
    relink(visitor)


def _busy(visitor: Visitor) -> None:
    visitor.page.route("**/v1/accounts", lambda _route: None)  # never answered
    connect(visitor, "acme")
    visitor.page.wait_for_selector('#progress [data-step="token"][data-state="doing"]')


def _missing(visitor: Visitor) -> None:
    open_hub(visitor)
    visitor.page.click("#connect")
    problem(visitor.page)


def _misplaced(visitor: Visitor) -> None:
    open_hub(visitor)
    visitor.page.fill("#subdomain", visitor.stack.simulator.credential("acme").token)


def _wrong_site(visitor: Visitor) -> None:
    connect(visitor, NO_SUCH_SITE)
    problem(visitor.page)


def _refused(visitor: Visitor) -> None:
    connect(visitor, "acme", token="NotTheRightToken0123456789")
    problem(visitor.page)


def _inactive(visitor: Visitor) -> None:
    connect(visitor, "owner-inactive")
    problem(visitor.page)


def _down(visitor: Visitor) -> None:
    # A session that confirms parks nothing before the person has seen the receipt.
    connect(visitor, "error-503", confirm=True)
    problem(visitor.page)


def _lost(visitor: Visitor) -> None:
    visitor.expected.append("net::ERR_FAILED")
    visitor.page.clock.install()
    visitor.page.route("**/v1/accounts", lambda route: route.abort())
    connect(visitor, "acme")
    for _ in range(4):
        visitor.page.wait_for_timeout(300)
        visitor.page.clock.run_for(5000)
    problem(visitor.page)


def _confirm(visitor: Visitor) -> None:
    connect(visitor, "acme", confirm=True)
    dialog(visitor.page)


def _linked(visitor: Visitor) -> None:
    linked(visitor)


def _returning(visitor: Visitor) -> None:
    linked(visitor, return_url="https://app.example.com/settings")


def _warned(visitor: Visitor) -> None:
    linked(visitor, "over-privileged")


def _narrow(visitor: Visitor) -> None:
    linked(visitor, "narrow-role")


def _done(visitor: Visitor) -> None:
    linked(visitor)
    visitor.page.keyboard.press("Escape")
    ended(visitor.page)


def _parked(visitor: Visitor) -> None:
    connect(visitor, "error-503")
    ended(visitor.page)


def _expired(visitor: Visitor) -> None:
    made = visitor.session()
    expire(visitor, made["id"])
    visitor.page.goto(made["url"])
    ended(visitor.page)


def _revoked(visitor: Visitor) -> None:
    made = visitor.session()
    visitor.stack.call("DELETE", f"/v1/connect-sessions/{made['id']}")
    visitor.page.goto(made["url"])
    ended(visitor.page)


def _invalid(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.stack.api}/hub#nls_{'x' * 43}")
    ended(visitor.page)


def _incomplete(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.stack.api}/hub")
    ended(visitor.page)


def _exhausted(visitor: Visitor) -> None:
    connect(visitor, "acme", token="NotTheRightToken0123456789")
    for _ in range(10):
        visitor.page.wait_for_selector("#connect[aria-disabled=false], #ended:not([hidden])")
        if visitor.page.locator("#ended").is_visible():
            return
        visitor.page.click("#connect")
    ended(visitor.page)


def _opening(visitor: Visitor) -> None:
    visitor.page.route("**/v1/connect-sessions/current", lambda _route: None)  # never answered
    show_hub(visitor)
    visitor.page.get_by_role("heading", name="Opening your link").wait_for()


STATES: dict[str, Callable[[Visitor], None]] = {
    "opening": _opening,
    "form": _form,
    "typed": _typed,
    "relink": _relink,
    "connecting": _busy,
    "missing": _missing,
    "misplaced-token": _misplaced,
    "wrong-site": _wrong_site,
    "token-refused": _refused,
    "owner-inactive": _inactive,
    "namely-down": _down,
    "namely-throttled": _throttled,
    "storage-unavailable": _storage,
    "internal-error": _bug,
    "connection-lost": _lost,
    "confirm": _confirm,
    "linked": _linked,
    "linked-with-return": _returning,
    "linked-over-privileged": _warned,
    "linked-narrow-role": _narrow,
    "done": _done,
    "parked": _parked,
    "link-expired": _expired,
    "link-withdrawn": _revoked,
    "link-invalid": _invalid,
    "link-incomplete": _incomplete,
    "no-attempts-left": _exhausted,
    "service-out-of-reach": _offline,
    "plain-form-linked": _form_linked,
    "plain-form-refused": _form_refused,
    "plain-form-parked": _form_parked,
}

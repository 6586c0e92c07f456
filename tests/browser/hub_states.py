"""Every state of the Hub that a person can meet, and how they come to it.

The tests look at each with axe, and `screenshots.py` takes their pictures.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local.api_key import session as aws_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from conftest import Visitor

NO_SUCH_SITE = "unknown-html"


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


def _form(visitor: Visitor) -> None:
    open_hub(visitor)


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


STATES: dict[str, Callable[[Visitor], None]] = {
    "form": _form,
    "relink": _relink,
    "connecting": _busy,
    "missing": _missing,
    "misplaced-token": _misplaced,
    "wrong-site": _wrong_site,
    "token-refused": _refused,
    "owner-inactive": _inactive,
    "namely-down": _down,
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
}

"""The states of the Accounts page whose pictures `screenshots.py` takes."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route

    from conftest import Visitor

DELETION = {
    "requested_at": "2026-11-02T09:30:00Z",
    "requested_by": "backend",
    "request_id": "8b1f4c1e-60d3-4a51-9a53-1f7f2f6a2c11",
    "secret_arn": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:namely-link/namely/x-1",
    "scheduled_at": "2026-11-02T09:30:02Z",
    "final_at": "2026-12-02T09:30:02Z",
}
"""A deletion receipt, as `GET /v1/accounts/{id}` shows it."""

CUSTOMERS = {
    "Acme Corp": "acme",
    "Birch & Partners": "small-company",
    "Cobalt Works": "over-privileged",
    "Dune Logistics": "narrow-role",
    "Elm Street Clinics": "personal-token",
    "Fern Hill Foods": "legacy-2014",
}


def customers(visitor: Visitor) -> None:
    """Link a few customers, and let one of them fail."""
    stack = visitor.stack
    for number, (name, credential) in enumerate(CUSTOMERS.items()):
        known = stack.simulator.credential(credential)
        body = {"subdomain": known.subdomain, "token": known.token}
        owner = {"owner_id": f"customer-{number}", "owner_name": name}
        stack.call("POST", "/v1/accounts", body | owner)
    second = stack.call("GET", "/v1/accounts?owner_id=customer-1")[1]["accounts"][0]
    stack.call("POST", f"/v1/accounts/{second['id']}/suspend")
    known = stack.simulator.credential("only-self")
    body = {"subdomain": known.subdomain, "token": known.token}
    owner = {"owner_id": "customer-8", "owner_name": "Harbor Dental"}
    gone = stack.call("POST", "/v1/accounts", body | owner)[1]
    stack.call("DELETE", f"/v1/accounts/{gone['id']}")
    last = stack.call("GET", "/v1/accounts?owner_id=customer-5")[1]["accounts"][0]
    stack.simulator.revoke(CUSTOMERS["Fern Hill Foods"])
    # A token that is refused twice makes its account `error`.
    for _ in range(30):
        stack.call("POST", f"/v1/accounts/{last['id']}/check")
        time.sleep(2)
        if stack.call("GET", f"/v1/accounts/{last['id']}")[1]["status"] == "error":
            return
    msg = "the account never failed"
    raise AssertionError(msg)


def tell(visitor: Visitor, **changes: object) -> None:
    """Let the service say something else of every account."""

    def changed(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        for one in body.get("accounts", [body]):
            one.update(changes, revision=one["revision"] + 1)
        route.fulfill(response=answer, json=body)

    visitor.page.route(re.compile(r"/v1/accounts(\?|/[^/]+$)"), changed)


def until_open(page: Page) -> None:
    """Wait until the page has opened, for whatever it then shows."""
    page.locator("main:not([aria-busy]) h1").wait_for()


def table(visitor: Visitor, *, rank: str = "operator", **fields: object) -> None:
    visitor.page.goto(visitor.stack.accounts_link(rank=rank, **fields))
    until_open(visitor.page)
    if not fields:
        visitor.page.get_by_text("Acme Corp").first.wait_for()


def menu(visitor: Visitor) -> None:
    table(visitor)
    row = visitor.page.get_by_role("row").filter(has_text="Cobalt Works")
    row.get_by_role("button", name="Actions for").click()


def detail(visitor: Visitor) -> None:
    table(visitor)
    visitor.page.get_by_role("button", name="Details of Cobalt Works").click()
    visitor.page.locator(".ledger li").first.wait_for()


def unlink(visitor: Visitor) -> None:
    menu(visitor)
    visitor.page.get_by_role("menuitem", name="Unlink…", exact=True).click()
    visitor.page.get_by_role("dialog").wait_for()


def link_now(visitor: Visitor) -> None:
    table(visitor)
    visitor.page.get_by_role("button", name="Link now").click()
    visitor.page.get_by_role("dialog").wait_for()


def linked(visitor: Visitor) -> None:
    """Link one account once more: whoever looks at it again changes nothing."""
    link_now(visitor)
    dialog = visitor.page.get_by_role("dialog")
    known = visitor.stack.simulator.credential("acme")
    dialog.get_by_label("Owner ID").fill("customer-0")
    dialog.get_by_label("Owner name").fill("Acme Corp")
    dialog.get_by_label("Subdomain").fill(known.subdomain)
    dialog.get_by_role("textbox", name="Personal Access Token").fill(known.token)
    dialog.get_by_role("button", name="Test and link").click()
    dialog.get_by_role("heading", name="is linked").wait_for()


def refused(visitor: Visitor) -> None:
    link_now(visitor)
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_label("Owner ID").fill("customer-0")
    dialog.get_by_label("Owner name").fill("Acme Corp")
    dialog.get_by_label("Subdomain").fill("acme")
    dialog.get_by_role("textbox", name="Personal Access Token").fill("NotTheRightToken0123456789")
    dialog.get_by_role("button", name="Test and link").click()
    dialog.locator(".field.invalid").wait_for()


def invited(visitor: Visitor) -> None:
    table(visitor)
    visitor.page.get_by_role("button", name="Copy a link for the customer").click()
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_label("Owner ID").fill("customer-9")
    dialog.get_by_label("Owner name").fill("Gale Mills")
    dialog.get_by_role("button", name="Make the link").click()
    dialog.get_by_role("heading", name="The link is ready").wait_for()


def relink(visitor: Visitor) -> None:
    menu(visitor)
    visitor.page.get_by_role("menuitem", name="Re-link…").click()
    visitor.page.get_by_role("dialog").wait_for()


def rename(visitor: Visitor) -> None:
    menu(visitor)
    visitor.page.get_by_role("menuitem", name="Rename…").click()
    visitor.page.get_by_role("dialog").wait_for()


def ledger(visitor: Visitor) -> None:
    detail(visitor)
    visitor.page.locator(".ledger").scroll_into_view_if_needed()


def deleted(visitor: Visitor) -> None:
    visitor.page.goto(visitor.stack.accounts_link())
    visitor.page.get_by_label("Status").select_option("unlinked")
    visitor.page.get_by_role("button", name="Details of Harbor Dental").click()
    visitor.page.get_by_text("Deletion receipt").wait_for()
    visitor.page.locator(".ledger li").first.wait_for()


def nothing_found(visitor: Visitor) -> None:
    table(visitor)
    visitor.page.get_by_role("searchbox").fill("nothing like it")
    visitor.page.get_by_role("heading", name="Nothing matches").wait_for()


def opening(visitor: Visitor) -> None:
    visitor.page.route("**/v1/portal-sessions/current", lambda _route: None)  # never answered
    visitor.page.goto(visitor.stack.accounts_link())
    visitor.page.get_by_role("heading", name="Loading accounts").wait_for()


def loading(visitor: Visitor) -> None:
    visitor.page.route("**/v1/accounts?*", lambda _route: None)  # never answered
    visitor.page.goto(visitor.stack.accounts_link())
    visitor.page.locator(".content .skeleton").wait_for()


def failed(visitor: Visitor) -> None:
    visitor.expected.append("net::ERR_FAILED")
    visitor.page.route("**/v1/accounts?*", lambda route: route.abort())
    visitor.page.goto(visitor.stack.accounts_link())
    visitor.page.get_by_role("button", name="Try again").wait_for()


def out_of_reach(visitor: Visitor) -> None:
    broken = {"code": "storage_unavailable", "reason": "storage_unavailable"}
    visitor.page.route(
        "**/v1/portal-sessions/current",
        lambda route: route.fulfill(status=503, body=json.dumps(broken)),
    )
    visitor.page.goto(visitor.stack.accounts_link())
    visitor.page.get_by_role("button", name="Try again").wait_for()


def expired(visitor: Visitor) -> None:
    over = {"code": "session_expired", "reason": "session_expired"}
    visitor.page.route(
        "**/v1/portal-sessions/current",
        lambda route: route.fulfill(status=410, body=json.dumps(over)),
    )
    visitor.page.goto(visitor.stack.accounts_link())
    visitor.page.get_by_role("heading", name="This session has ended").wait_for()


def nobody(visitor: Visitor) -> None:
    table(visitor, owner_id="nobody-yet", owner_name="Nobody Yet Ltd")
    visitor.page.get_by_role("heading", name="No account is linked yet").wait_for()


def viewer(visitor: Visitor) -> None:
    table(visitor, rank="viewer")


def without_session(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.stack.api}/accounts")
    until_open(visitor.page)


STATES: dict[str, Callable[[Visitor], None]] = {
    "table": table,
    "menu": menu,
    "detail": detail,
    "ledger": ledger,
    "deletion-receipt": deleted,
    "relink": relink,
    "rename": rename,
    "unlink": unlink,
    "link-now": link_now,
    "link-refused": refused,
    "linked": linked,
    "link-for-the-customer": invited,
    "nothing-found": nothing_found,
    "empty": nobody,
    "opening": opening,
    "loading": loading,
    "failed": failed,
    "out-of-reach": out_of_reach,
    "viewer": viewer,
    "without-session": without_session,
    "session-ended": expired,
}

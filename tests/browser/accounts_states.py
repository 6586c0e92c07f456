"""The states of the Accounts page whose pictures `screenshots.py` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Visitor

CUSTOMERS = {
    "Acme Corp": "acme",
    "Birch & Partners": "small-company",
    "Cobalt Works": "over-privileged",
    "Dune Logistics": "narrow-role",
    "Elm Street Clinics": "personal-token",
}


def customers(visitor: Visitor) -> None:
    """Link a few customers, and let one of them fail."""
    stack = visitor.stack
    for number, (name, credential) in enumerate(CUSTOMERS.items()):
        known = stack.simulator.credential(credential)
        body = {"subdomain": known.subdomain, "token": known.token}
        owner = {"owner_id": f"customer-{number}", "owner_name": name}
        stack.call("POST", "/v1/accounts", body | owner)
    first = stack.call("GET", "/v1/accounts?owner_id=customer-1")[1]["accounts"][0]
    stack.call("POST", f"/v1/accounts/{first['id']}/suspend")


def table(visitor: Visitor, *, rank: str = "operator", **fields: object) -> None:
    visitor.page.goto(visitor.stack.accounts_link(rank=rank, **fields))
    visitor.page.get_by_role("heading", level=1).wait_for()
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


def nobody(visitor: Visitor) -> None:
    table(visitor, owner_id="nobody-yet", owner_name="Nobody Yet Ltd")


def viewer(visitor: Visitor) -> None:
    table(visitor, rank="viewer")


def without_session(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.stack.api}/accounts")
    visitor.page.get_by_role("heading", level=1).wait_for()


STATES: dict[str, Callable[[Visitor], None]] = {
    "table": table,
    "menu": menu,
    "detail": detail,
    "unlink": unlink,
    "link-now": link_now,
    "empty": nobody,
    "viewer": viewer,
    "without-session": without_session,
}

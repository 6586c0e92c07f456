"""The Accounts page in a real browser, against the deployed API and the simulator."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from accounts_states import DELETION, STATES, tell, until_open
from looks import sound
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from conftest import Visitor
    from local.stack import Stack

BRAND_NEW = count(1)


class Opened:
    """One visit of the Accounts page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.page
        self.base = visitor.stack.api
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))

    def row(self, text: str) -> Locator:
        return self.page.get_by_role("row").filter(has_text=text)

    def menu(self, text: str, action: str) -> None:
        self.row(text).get_by_role("button", name="Actions for").click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()


type Enter = Callable[..., Opened]


@pytest.fixture
def enter(visit, stack: Stack) -> Enter:
    """Return what opens the page with a new portal session."""

    def opened(
        *,
        owner: str = "",
        rank: str = "operator",
        options: dict[str, Any] | None = None,
        **more: Any,
    ) -> Opened:
        asked = {"rank": rank, **more}
        if owner:
            asked |= {"owner_id": owner, "owner_name": f"{owner} Ltd"}
        status, made = stack.call("POST", "/v1/portal-sessions", asked)
        assert status == 201
        visitor = visit(
            **{
                "locale": "en-GB",
                "reduced_motion": "reduce",
                "permissions": ["clipboard-read", "clipboard-write"],
            }
            | (options or {})
        )
        one = Opened(visitor)
        one.page.goto(made["url"])
        until_open(one.page)
        return one

    return opened


@pytest.fixture
def owner() -> str:
    """Return an owner whom no other test knows."""
    return f"page-{next(BRAND_NEW)}"


@pytest.fixture
def link(stack: Stack) -> Callable[..., dict[str, Any]]:
    def linked(owner: str, name: str, **more: str) -> dict[str, Any]:
        known = stack.simulator.credential(name)
        body = {"subdomain": known.subdomain, "token": known.token, **more}
        body |= {"owner_id": owner, "owner_name": f"{owner} Ltd"}
        status, account = stack.call("POST", "/v1/accounts", body)
        assert status in {200, 201}, account
        return account

    return linked


def urls(opened: Opened) -> list[str]:
    """Return every address that was asked for."""
    return [one.url for one in opened.visitor.requests]


def labels(page: Page) -> list[str]:
    """Return the sites shown, from the top."""
    return [text.split(".")[0] for text in page.locator("tbody .site").all_inner_texts()]


def test_the_session_leaves_the_address_at_once(enter: Enter, owner: str) -> None:
    opened = enter(owner=owner)
    assert opened.page.url == f"{opened.base}/accounts"
    assert opened.page.evaluate("history.length") <= 2
    assert "nlp_" not in opened.page.content()
    assert [url for url in urls(opened) if "nlp_" in url.partition("#")[0]] == []
    stored = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert opened.page.evaluate(stored) == '[{},{},""]'


def test_an_account_linked_elsewhere_appears_by_itself(enter: Enter, link, owner: str) -> None:
    page = enter(owner=owner).page
    expect(page.get_by_role("heading", name="No account is linked yet")).to_be_visible()
    link(owner, "acme")
    expect(page.get_by_role("row").filter(has_text="acme.namely.com")).to_be_visible()
    said = page.locator("[role=status]").filter(has_text="New account")
    expect(said).to_contain_text("acme.namely.com")
    expect(page.locator("tbody .badge", has_text="New")).to_be_visible()


def test_a_change_made_elsewhere_shows_by_itself(enter: Enter, link, stack, owner: str) -> None:
    account = link(owner, "acme")
    opened = enter(owner=owner)
    expect(opened.row("acme")).to_contain_text("Active")
    stack.call("POST", f"/v1/accounts/{account['id']}/suspend")
    expect(opened.row("acme")).to_contain_text("Suspended")


def test_a_row_tells_owner_site_status_warnings_and_times(enter: Enter, link, owner: str) -> None:
    link(owner, "over-privileged", label="EU payroll")
    row = enter(owner=owner).row("over-privileged.namely.com")
    for text in (f"{owner} Ltd", "EU payroll", "Active", "Sees too much"):
        expect(row).to_contain_text(text)
    # Linked, last checked and the latest day on which the token ends.
    assert row.locator("time").count() >= 2


def test_search_finds_owner_site_and_label_as_one_types(enter: Enter, link, owner: str) -> None:
    link(owner, "acme", label="Überblick")
    link(owner, "only-self")
    page = enter(owner=owner).page
    search = page.get_by_role("searchbox", name="Search")
    expect(page.locator("tbody tr")).to_have_count(2)
    for typed, found in (
        ("uberblick", ["acme"]),
        ("ONLY-self.namely", ["only-self"]),
        (owner, ["only-self", "acme"]),
    ):
        search.fill(typed)
        expect(page.locator("tbody tr")).to_have_count(len(found))
        assert labels(page) == found
    search.fill("nothing like it")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Clear search and filter").click()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_the_filter_asks_the_server_for_one_status(enter: Enter, link, stack, owner: str) -> None:
    link(owner, "acme")
    gone = link(owner, "only-self")
    stack.call("DELETE", f"/v1/accounts/{gone['id']}")
    page = enter(owner=owner).page
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_request(re.compile("status=unlinked")):
        page.get_by_label("Status").select_option("unlinked")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert labels(page) == ["only-self"]
    page.get_by_label("Status").select_option("error")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_more_is_loaded_page_by_page(enter: Enter, link, owner: str) -> None:
    names = ["acme", "only-self", "narrow-role"]
    for name in names:
        link(owner, name)
    opened = enter(owner=owner)
    page = opened.page
    expect(page.locator("tbody tr")).to_have_count(3)
    # The same page with pages of two: the API itself does the paging.
    page.route(
        re.compile(r"limit=50"),
        lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=2")),
    )
    page.get_by_label("Status").select_option("active")
    expect(page.locator("tbody tr")).to_have_count(2)
    assert labels(page) == ["narrow-role", "only-self"]
    page.get_by_role("searchbox").fill("acme")
    page.get_by_role("button", name="Look for the site “acme” in all accounts").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert labels(page) == ["acme"]
    page.get_by_role("button", name="Show all accounts again").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.get_by_role("button", name="Load more")).to_have_count(0)
    assert labels(page) == names[::-1]
    # The button is gone; who pressed it goes on from the end of the list.
    expect(page.locator("tbody tr").last.locator(".row-open")).to_be_focused()


def test_the_detail_shows_receipt_warnings_and_ledger(enter: Enter, link, owner: str) -> None:
    account = link(owner, "over-privileged")
    page = enter(owner=owner).page
    page.get_by_role("button", name=f"Details of {owner} Ltd").click()
    detail = page.get_by_role("dialog", name=f"{owner} Ltd")
    for text in (
        account["identity"]["name"],
        "People visible",
        "Social security numbers",
        "Give the profile a role of its own",
        account["id"],
        account["secret"]["arn"],
        account["secret"]["version_id"],
    ):
        expect(detail).to_contain_text(text)
    expect(detail.locator(".ledger li")).to_have_count(1)
    expect(detail.locator(".ledger")).to_contain_text("Linked")
    expect(detail.locator(".ledger")).to_contain_text("API key")
    page.keyboard.press("Escape")
    expect(detail).to_have_count(0)
    expect(page.get_by_role("button", name=f"Details of {owner} Ltd")).to_be_focused()


def test_an_operator_links_now_and_sees_the_receipt(enter: Enter, stack, owner: str) -> None:
    known = stack.simulator.credential("acme")
    opened = enter()
    page = opened.page
    page.get_by_role("button", name="Link now").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Test and link").click()
    expect(dialog.get_by_label("Owner ID")).to_be_focused()
    dialog.get_by_label("Owner ID").fill(owner)
    dialog.get_by_label("Owner name").fill("By Hand Ltd")
    dialog.get_by_label("Subdomain").fill(f"https://{known.subdomain}.namely.com/people")
    expect(dialog.get_by_label("Subdomain")).to_have_value(known.subdomain)
    token = dialog.get_by_role("textbox", name="Personal Access Token")
    assert token.evaluate("one => getComputedStyle(one).webkitTextSecurity") == "disc"
    wrong = stack.simulator.credential("token-of-another-site").token
    token.fill(wrong[:-1] + "0")
    dialog.get_by_role("button", name="Test and link").click()
    expect(token).to_have_attribute("aria-invalid", "true")
    expect(token).to_be_focused()
    expect(token).to_have_value("")
    token.fill(known.token)
    dialog.get_by_role("button", name="Test and link").click()
    expect(dialog.get_by_role("heading", name="acme.namely.com is linked")).to_be_visible()
    expect(dialog).to_contain_text("412")
    assert_nowhere(opened, known.token)
    dialog.get_by_role("button", name="Done").click()
    page.get_by_role("searchbox").fill(owner)
    expect(opened.row("By Hand Ltd")).to_be_visible()
    page.reload()
    assert_nowhere(opened, known.token)


def assert_nowhere(opened: Opened, token: str) -> None:
    """Look for a token in everything that a page leaves behind."""
    found = opened.page.evaluate(
        """() => JSON.stringify([
            document.documentElement.outerHTML,
            [...document.querySelectorAll("input, textarea")].map((one) => one.value),
            {...localStorage}, {...sessionStorage}, document.cookie, history.state,
            location.href, performance.getEntries().map((one) => one.name),
        ])"""
    )
    assert token not in found
    assert token not in json.dumps([urls(opened), opened.said])


@pytest.mark.parametrize(
    ("name", "field"), [("unknown-html", "Subdomain"), ("owner-inactive", "Personal Access Token")]
)
def test_a_problem_stands_at_its_field(enter: Enter, stack, owner: str, name: str, field: str):
    known = stack.simulator.credential(name)
    page = enter(owner=owner).page
    page.get_by_role("button", name="Link now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Owner ID")).to_have_value(owner)
    assert not dialog.get_by_label("Owner ID").is_editable()
    dialog.get_by_label("Subdomain").fill(known.subdomain)
    dialog.get_by_role("textbox", name="Personal Access Token").fill(known.token)
    dialog.get_by_role("button", name="Test and link").click()
    at = dialog.get_by_role("textbox", name=field)
    expect(at).to_have_attribute("aria-invalid", "true")
    expect(at).to_be_focused()
    error = page.locator(f"#{at.get_attribute('id')}-error")
    expect(error).not_to_be_empty()


def test_an_outage_loses_nothing(enter: Enter, stack, owner: str) -> None:
    opened = enter(owner=owner)
    opened.visitor.expected.append("net::ERR_FAILED")
    page = opened.page
    page.get_by_role("button", name="Link now").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Subdomain").fill("acme")
    token = dialog.get_by_role("textbox", name="Personal Access Token")
    token.fill("kept-for-the-next-try")
    page.route("**/v1/accounts", lambda route: route.abort())
    dialog.get_by_role("button", name="Test and link").click()
    expect(dialog.get_by_role("alert").filter(has_text="no connection")).to_be_visible()
    expect(dialog.locator(".notice.bad")).to_be_focused()
    expect(token).to_have_value("kept-for-the-next-try")
    expect(dialog.get_by_label("Subdomain")).to_have_value("acme")


def test_an_operator_makes_a_link_for_the_customer(enter: Enter, stack, owner: str) -> None:
    page = enter(owner=owner).page
    page.get_by_role("button", name="Copy a link for the customer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Make the link").click()
    url = dialog.get_by_label("Link", exact=True).input_value()
    dialog.get_by_role("button", name="Copy the link").click()
    expect(dialog.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == url
    bearer = url.partition("#")[2]
    status, session = stack.call("GET", "/v1/connect-sessions/current", bearer=bearer)
    assert (status, session["owner"]["id"]) == (200, owner)


def test_a_relink_keeps_owner_and_site(enter: Enter, link, stack, owner: str) -> None:
    account = link(owner, "acme")
    opened = enter(owner=owner)
    opened.menu("acme", "Re-link…")
    dialog = opened.page.get_by_role("dialog", name="Re-link acme.namely.com")
    dialog.get_by_role("button", name="Make the link").click()
    dialog = opened.page.get_by_role("dialog", name="The link is ready")
    bearer = dialog.get_by_label("Link", exact=True).input_value().partition("#")[2]
    session = stack.call("GET", "/v1/connect-sessions/current", bearer=bearer)[1]
    assert (session["account_id"], session["subdomain"]) == (account["id"], "acme")


def test_a_new_token_is_entered_for_an_account(enter: Enter, link, stack, owner: str) -> None:
    account = link(owner, "acme")
    opened = enter(owner=owner)
    opened.menu("acme", "Re-link…")
    opened.page.get_by_role("button", name="I have the new token").click()
    dialog = opened.page.get_by_role("dialog", name="Enter the new token")
    token = stack.simulator.credential("acme-second-token").token
    dialog.get_by_role("textbox", name="Personal Access Token").fill(token)
    dialog.get_by_role("button", name="Test and re-link").click()
    again = opened.page.get_by_role("dialog", name="acme.namely.com is linked again")
    expect(again).to_be_visible()
    now = stack.call("GET", f"/v1/accounts/{account['id']}")[1]
    assert now["secret"]["version_id"] != account["secret"]["version_id"]


def test_an_operator_checks_now(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner)
    opened.menu("acme", "Check now")
    said = opened.page.get_by_role("status").filter(has_text="acme.namely.com")
    expect(said).to_contain_text(re.compile("is being checked|was checked"))


def test_an_operator_renames(enter: Enter, link, stack, owner: str) -> None:
    account = link(owner, "acme", label="Before")
    opened = enter(owner=owner)
    opened.menu("acme", "Rename…")
    dialog = opened.page.get_by_role("dialog", name="Rename acme.namely.com")
    expect(dialog.get_by_label("Label")).to_be_focused()
    dialog.get_by_label("Label").fill("After")
    opened.page.keyboard.press("Enter")
    expect(opened.row("acme")).to_contain_text("After")
    assert stack.call("GET", f"/v1/accounts/{account['id']}")[1]["label"] == "After"


def test_an_operator_suspends_and_resumes(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner)
    opened.menu("acme", "Suspend")
    expect(opened.row("acme")).to_contain_text("Suspended")
    opened.menu("acme", "Resume")
    expect(opened.row("acme")).to_contain_text("Active")


def test_unlinking_asks_first_and_names_the_site(enter: Enter, link, stack, owner: str) -> None:
    account = link(owner, "acme")
    opened = enter(owner=owner)
    opened.menu("acme", "Unlink…")
    dialog = opened.page.get_by_role("dialog", name="Unlink acme.namely.com?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    opened.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert stack.call("GET", f"/v1/accounts/{account['id']}")[1]["status"] == "active"
    opened.menu("acme", "Unlink…")
    opened.page.get_by_role("button", name="Unlink acme.namely.com").click()
    expect(opened.page.locator("tbody tr")).to_have_count(0)
    said = opened.page.get_by_role("status").filter(has_text="acme.namely.com is unlinked")
    expect(said).to_contain_text("can be recovered until")
    assert stack.call("GET", f"/v1/accounts/{account['id']}")[1]["status"] == "unlinked"


def test_an_unlinked_account_is_restored(enter: Enter, link, stack, owner: str) -> None:
    account = link(owner, "acme")
    stack.call("DELETE", f"/v1/accounts/{account['id']}")
    opened = enter(owner=owner)
    opened.page.get_by_label("Status").select_option("unlinked")
    opened.menu("acme", "Restore")
    expect(opened.page.get_by_role("status").filter(has_text="is linked again")).to_be_visible()
    assert stack.call("GET", f"/v1/accounts/{account['id']}")[1]["status"] == "active"


def test_the_account_id_is_copied(enter: Enter, link, owner: str) -> None:
    account = link(owner, "acme")
    opened = enter(owner=owner)
    opened.menu("acme", "Copy account ID")
    expect(opened.page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert opened.page.evaluate("navigator.clipboard.readText()") == account["id"]


def test_the_keyboard_alone_is_enough(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner)
    page, press = opened.page, opened.page.keyboard.press
    expect(opened.row("acme")).to_be_visible()
    button = page.get_by_role("button", name=f"Actions for {owner} Ltd")
    for _ in range(12):
        press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            break
    expect(button).to_be_focused()
    press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Show details")).to_be_focused()
    press("End")
    expect(page.get_by_role("menuitem", name="Unlink…")).to_be_focused()
    press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Show details")).to_be_focused()
    press("s")
    press("s")
    press("r")
    expect(page.get_by_role("menuitem", name="Re-link…")).to_be_focused()
    press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(button).to_be_focused()
    press("ArrowUp")
    press("Enter")
    expect(page.get_by_role("dialog", name="Unlink acme.namely.com?")).to_be_visible()
    press("Tab")
    press("Enter")
    expect(page.locator("tbody tr")).to_have_count(0)


def test_a_viewer_reads_and_can_do_nothing(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    page = enter(owner=owner, rank="viewer").page
    expect(page.get_by_role("row").filter(has_text="acme")).to_be_visible()
    for name in ("Link now", "Copy a link", "Actions"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.get_by_role("button", name="Details of").click()
    expect(page.get_by_role("dialog").locator(".ledger")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("button", name="Actions")).to_have_count(0)


def test_a_session_of_one_owner_shows_that_owner_only(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    link(f"{owner}-other", "only-self")
    page = enter(owner=owner).page
    expect(page.locator("tbody tr")).to_have_count(1)
    assert labels(page) == ["acme"]
    expect(page.get_by_text(f"Namely sites linked for {owner} Ltd.")).to_be_visible()


@pytest.mark.parametrize(
    ("fragment", "title"),
    [
        ("", "Open this page by its link"),
        ("#nls_of-another-kind", "Open this page by its link"),
        ("#nlp_" + "A" * 43, "This link isn't valid"),
    ],
)
def test_without_a_session_the_page_says_what_to_do(
    enter: Enter, owner: str, fragment: str, title: str
) -> None:
    opened = enter(owner=owner)
    # Another address, since a new fragment alone would load nothing.
    opened.page.goto(f"{opened.base}/accounts?again{fragment}")
    expect(opened.page.get_by_role("heading", name=title)).to_be_visible()
    expect(opened.page.get_by_text(re.compile("your team for"))).to_be_visible()
    assert opened.page.url == f"{opened.base}/accounts?again"


def test_the_page_ends_with_its_session(enter: Enter, link, stack, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner)
    made = stack.call("POST", "/v1/portal-sessions", {"rank": "operator", "expires_in": 60})[1]
    page = opened.page
    page.clock.install()
    page.goto(f"{opened.base}/accounts?again#{made['token']}")
    page.get_by_role("button", name="Link now").click()
    page.clock.fast_forward(61_000)
    expect(page.get_by_role("heading", name="This session has ended")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("acme.namely.com")).to_have_count(0)


def test_a_failed_start_can_be_tried_again(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner)
    page = opened.page
    opened.visitor.expected.append("net::ERR_FAILED")
    page.route("**/v1/accounts?*", lambda route: route.abort())
    page.get_by_label("Status").select_option("active")
    expect(page.get_by_role("alert").filter(has_text="can't be shown")).to_be_visible()
    page.unroute("**/v1/accounts?*")
    page.get_by_role("button", name="Try again").click()
    expect(opened.row("acme")).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "title", "status"),
    [
        ("de", "Konten", "Aktiv"),
        ("es-MX", "Cuentas", "Activa"),
        ("fr", "Comptes", "Actif"),
        ("pt-BR", "Contas", "Ativa"),
    ],
)
def test_the_session_chooses_the_language(
    enter: Enter, link, owner: str, locale: str, title: str, status: str
) -> None:
    link(owner, "acme")
    opened = enter(owner=owner, locale=locale)
    expect(opened.page.get_by_role("heading", level=1)).to_have_text(title)
    expect(opened.row("acme.namely.com")).to_contain_text(status)
    assert opened.page.evaluate("document.documentElement.lang") == locale[:2]
    assert not re.search(r"accounts\.\w+|\{\w+\}", opened.page.locator("body").inner_text())


def test_every_state_is_accessible_and_whole(enter: Enter, link, stack, owner: str) -> None:
    opened = enter(owner=owner)
    page = opened.page
    expect(page.get_by_role("heading", name="No account is linked yet")).to_be_visible()
    sound(page)
    for name in ("acme", "over-privileged", "only-self"):
        account = link(owner, name)
    stack.call("POST", f"/v1/accounts/{account['id']}/suspend")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_role("searchbox").fill("a")
    sound(page)
    opened.row("acme").get_by_role("button", name="Actions for").click()
    sound(page)
    page.keyboard.press("Escape")
    for action in ("Unlink…", "Rename…", "Re-link…"):
        opened.menu("acme", action)
        sound(page)
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Copy a link").click()
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("heading", name="The link is ready")).to_be_visible()
    sound(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Link now").click()
    page.get_by_role("button", name="Test and link").click()
    sound(page)
    known = stack.simulator.credential("personal-token")
    page.get_by_role("dialog").get_by_label("Subdomain").fill(known.subdomain)
    page.get_by_role("textbox", name="Personal Access Token").fill(known.token)
    page.get_by_role("button", name="Test and link").click()
    expect(page.get_by_role("heading", name="is linked")).to_be_visible()
    sound(page)
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    sound(page)
    page.reload()
    expect(page.get_by_role("heading", name="Open this page by its link")).to_be_visible()
    sound(page)


def test_a_detail_with_everything_is_accessible_and_whole(enter: Enter, link, owner: str) -> None:
    link(owner, "over-privileged", label="EU payroll")
    opened = enter(owner=owner)
    tell(opened.visitor, deletion=DELETION)
    opened.page.get_by_role("button", name=f"Details of {owner} Ltd").click()
    expect(opened.page.get_by_role("dialog")).to_contain_text("Deletion receipt")
    sound(opened.page)


@pytest.mark.parametrize("state", ["opening", "loading", "failed", "out-of-reach", "session-ended"])
def test_a_page_without_its_accounts_is_accessible_and_whole(visitor, state: str) -> None:
    STATES[state](visitor)
    sound(visitor.page)


def test_a_menu_stays_on_the_page_from_right_to_left(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner, options={"viewport": {"width": 1280, "height": 800}})
    page = opened.page
    page.evaluate("document.documentElement.dir = 'rtl'")
    opened.row("acme").get_by_role("button", name="Actions for").click()
    box = page.get_by_role("menu").bounding_box()
    assert box
    assert 0 <= box["x"] < 640


def test_the_deletion_receipt_is_shown_once_there_is_one(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner)
    page = opened.page
    page.get_by_role("button", name=f"Details of {owner} Ltd").click()
    detail = page.get_by_role("dialog")
    expect(detail.locator(".ledger li")).to_have_count(1)
    expect(detail.get_by_role("heading", name="Deletion receipt")).to_have_count(0)
    page.keyboard.press("Escape")
    tell(opened.visitor, deletion=DELETION | {"scheduled_at": None})
    page.get_by_role("button", name=f"Details of {owner} Ltd").click()
    shown = detail.locator("section", has=page.get_by_role("heading", name="Deletion receipt"))
    for text in (
        "backend",
        "Not confirmed yet",
        "2 Dec 2026",
        DELETION["secret_arn"],
        DELETION["request_id"],
    ):
        expect(shown).to_contain_text(text)


def test_a_link_for_the_customer_to_relink_names_the_site(enter: Enter, link, owner: str) -> None:
    account = link(owner, "acme")
    opened = enter(owner=owner)
    made = {"url": "https://example.com/hub#nls_x", "expires_at": "2030-01-01T00:00:00Z"}
    asked = []

    def answer(route) -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(status=201, json=made)

    opened.page.route("**/v1/connect-sessions", answer)
    opened.menu("acme", "Re-link…")
    dialog = opened.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Make the link").click()
    expect(dialog.get_by_label("Link", exact=True)).to_have_value(made["url"])
    (body,) = asked
    assert (body["account_id"], body["subdomain"]) == (account["id"], "acme")


def test_a_failed_account_says_why(enter: Enter, link, owner: str) -> None:
    link(owner, "acme")
    opened = enter(owner=owner)
    reason = {"code": "token_refused", "detail": "raw", "at": "2026-11-02T09:30:00Z"}
    tell(opened.visitor, status="error", status_reasons=[reason])
    # Who comes back to the tab sees what is new at once.
    opened.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    row = opened.row("acme")
    expect(row).to_contain_text("Error")
    expect(row).to_contain_text("Namely refused the token: expired, deleted")
    expect(row).not_to_contain_text("raw")


def test_a_list_that_grows_old_says_so(visitor, link, stack, owner: str) -> None:
    link(owner, "acme")
    page = visitor.page
    page.clock.install()
    page.goto(stack.accounts_link(owner_id=owner, owner_name=f"{owner} Ltd"))
    row = page.get_by_role("row").filter(has_text="acme")
    expect(row).to_be_visible()
    visitor.expected.append("net::ERR_FAILED")
    page.route("**/v1/accounts?*", lambda route: route.abort())
    stale = page.get_by_text("The list can't be refreshed")

    def wait_until(shown: bool) -> None:
        for _ in range(20):
            page.clock.run_for(10_000)
            page.wait_for_timeout(100)
            if stale.is_visible() is shown:
                return

    wait_until(shown=True)
    expect(stale).to_be_visible()
    expect(row).to_be_visible()
    page.unroute("**/v1/accounts?*")
    wait_until(shown=False)
    expect(stale).to_be_hidden()


def test_a_start_without_connection_can_be_tried_again(visitor) -> None:
    visitor.expected.append("net::ERR_FAILED")
    visitor.page.route("**/v1/portal-sessions/current", lambda route: route.abort(), times=1)
    visitor.page.goto(visitor.stack.accounts_link())
    page = visitor.page
    expect(page.get_by_role("alert").filter(has_text="no connection")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("searchbox")).to_be_visible()

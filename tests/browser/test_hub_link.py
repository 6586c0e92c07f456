"""An administrator opens a link, links Namely, and sees that it worked."""

import gzip
import json
import re

import pytest
from accounts_states import until_open
from hub_states import (
    connect,
    dialog,
    ended,
    linked,
    open_hub,
    problem,
    relink,
    type_credential,
    until,
)


def accounts(visitor) -> list[dict]:
    return visitor.stack.call("GET", f"/v1/accounts?owner_id={visitor.owner}")[1]["accounts"]


def posts(visitor) -> list[dict]:
    return [
        one.post_data_json
        for one in visitor.requests
        if one.method == "POST" and one.url.endswith("/v1/accounts")
    ]


def test_an_administrator_links_acme_and_sees_the_receipt(visitor) -> None:
    linked(visitor)
    shown = visitor.page.locator("#dialog").inner_text()
    for fact in ("Namely is linked", "Acme", "acme.namely.com", "Integrations Service", "412"):
        assert fact in shown
    assert re.search(r"The list of people\s+yes", shown)
    assert re.search(r"Social security numbers\s+no", shown)
    (account,) = accounts(visitor)
    assert (account["status"], account["subdomain"]) == ("active", "acme")


def test_after_the_dialog_the_page_says_that_it_may_be_closed(visitor) -> None:
    linked(visitor)
    visitor.page.click("#dialog button")
    assert "You can close this page" in visitor.page.locator("#ended").inner_text()


def test_a_session_with_a_return_address_leads_back(visitor) -> None:
    linked(visitor, return_url="https://app.example.com/done?tab=2")
    (account,) = accounts(visitor)
    link = visitor.page.locator("#dialog a.button")
    assert link.get_attribute("href") == (
        f"https://app.example.com/done?tab=2&status=linked&account_id={account['id']}"
    )
    assert "app.example.com" in link.inner_text()


def test_warnings_come_with_their_remedy(visitor) -> None:
    linked(visitor, "over-privileged")
    warning = visitor.page.locator("#dialog .notice.warn").inner_text()
    assert "sees more than it needs" in warning
    assert "custom role" in warning


@pytest.mark.parametrize(
    "typed",
    [
        "https://acme.namely.com/people?x=1",
        "acme.namely.com",
        "  HTTPS://ACME.namely.com/  ",
        "\u200b'acme.namely.com'",
    ],
)
def test_a_typed_address_turns_into_the_subdomain(visitor, typed: str) -> None:
    open_hub(visitor)
    visitor.page.locator("#subdomain").press_sequentially(typed)
    visitor.page.press("#subdomain", "Tab")
    assert visitor.page.input_value("#subdomain") == "acme"
    assert "acme" in visitor.page.inner_text("#subdomain-note")


def test_a_pasted_address_turns_into_the_subdomain_at_once(visit) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    open_hub(visitor)
    visitor.page.focus("#subdomain")
    visitor.page.evaluate("navigator.clipboard.writeText('https://acme.namely.com/home')")
    visitor.page.keyboard.press("Control+V")
    assert visitor.page.input_value("#subdomain") == "acme"


def test_a_token_in_the_first_field_is_moved(visitor) -> None:
    open_hub(visitor)
    token = visitor.stack.simulator.credential("acme").token
    visitor.page.fill("#subdomain", token)
    visitor.page.click("#swap-button")
    assert visitor.page.input_value("#subdomain") == ""
    assert visitor.page.input_value("#token") == token


def test_swapped_fields_are_swapped_back(visitor) -> None:
    open_hub(visitor)
    token = visitor.stack.simulator.credential("acme").token
    visitor.page.fill("#token", "acme.namely.com")
    visitor.page.fill("#subdomain", token)
    visitor.page.click("#swap-button")
    assert visitor.page.input_value("#subdomain") == "acme"
    assert visitor.page.input_value("#token") == token


def test_the_token_is_masked_until_it_is_revealed(visitor) -> None:
    open_hub(visitor)
    token = visitor.page.locator("#token")
    drawn = (
        "(one) => one.type === 'password' || getComputedStyle(one).webkitTextSecurity !== 'none'"
    )
    assert token.evaluate(drawn)
    visitor.page.click("#reveal")
    assert not token.evaluate(drawn)
    assert visitor.page.get_attribute("#reveal", "aria-pressed") == "true"
    visitor.page.click("#reveal")
    assert token.evaluate(drawn)


def test_nothing_on_the_form_is_offered_to_the_browser_for_keeping(visitor) -> None:
    open_hub(visitor)
    for name in ("subdomain", "token"):
        assert visitor.page.get_attribute(f"#{name}", "autocomplete") == "off"
        assert visitor.page.get_attribute(f"#{name}", "type") == "text"


def test_pressing_twice_asks_once(visitor) -> None:
    open_hub(visitor)
    type_credential(visitor, "acme")
    visitor.page.evaluate(
        "for (let n = 0; n < 3; n += 1) document.getElementById('form').requestSubmit()"
    )
    visitor.page.press("#token", "Enter")
    dialog(visitor.page)
    assert len(posts(visitor)) == 1


def test_a_lost_answer_is_asked_for_again_and_links_once(visitor) -> None:
    visitor.expected.append("net::ERR_FAILED")
    lost = []

    def lose_the_first(route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    visitor.page.route("**/v1/accounts", lose_the_first)
    linked(visitor)
    assert lost == [201]
    first, second = posts(visitor)
    assert first == second
    assert len(accounts(visitor)) == 1


def test_a_lost_question_is_asked_again(visitor) -> None:
    visitor.expected.append("net::ERR_FAILED")
    visitor.page.route("**/v1/accounts", lambda route: route.abort(), times=1)
    linked(visitor)
    assert len(accounts(visitor)) == 1


def test_an_account_being_changed_is_waited_for(visitor) -> None:
    conflict = {"code": "conflict", "reason": "conflict", "status": 409, "retry_after": 1}
    visitor.page.route(
        "**/v1/accounts",
        lambda route: route.fulfill(
            status=409, content_type="application/problem+json", body=json.dumps(conflict)
        ),
        times=1,
    )
    linked(visitor)
    assert len(posts(visitor)) == 2


def test_a_session_is_read_again_after_a_lost_connection(visitor) -> None:
    visitor.expected.append("net::ERR_FAILED")
    visitor.page.route("**/connect-sessions/current", lambda route: route.abort(), times=1)
    open_hub(visitor)


def test_a_session_that_confirms_stores_nothing_before_yes(visitor) -> None:
    connect(visitor, "acme", confirm=True)
    dialog(visitor.page)
    assert "412" in visitor.page.inner_text("#dialog")
    assert accounts(visitor) == []
    visitor.page.get_by_role("button", name="Yes, link it").click()
    visitor.page.get_by_role("heading", name="Namely is linked").first.wait_for()
    assert [one["status"] for one in accounts(visitor)] == ["active"]
    assert [one.get("dry_run", False) for one in posts(visitor)] == [True, False]


@pytest.mark.parametrize("way", ["button", "Escape"])
def test_no_stores_nothing_and_forgets_the_token(visitor, way: str) -> None:
    connect(visitor, "acme", confirm=True)
    dialog(visitor.page)
    if way == "Escape":
        visitor.page.keyboard.press("Escape")
    else:
        visitor.page.get_by_role("button", name="Not this one").click()
    until(visitor.page, "document.getElementById('token').value === ''")
    assert not visitor.page.is_visible("dialog")
    assert accounts(visitor) == []
    type_credential(visitor, "acme-second-token")
    visitor.page.click("#connect")
    dialog(visitor.page)
    visitor.page.get_by_role("button", name="Yes, link it").click()
    visitor.page.get_by_role("heading", name="Namely is linked").first.wait_for()
    assert len(accounts(visitor)) == 1


def test_a_relink_says_so_and_keeps_the_site(visitor) -> None:
    account_id = relink(visitor)
    assert "renewing" in visitor.page.inner_text("#relink")
    assert visitor.page.input_value("#subdomain") == "acme"
    assert not visitor.page.is_editable("#subdomain")
    type_credential(visitor, "acme-second-token")
    visitor.page.click("#connect")
    dialog(visitor.page)
    assert "linked again" in visitor.page.inner_text("#dialog")
    assert [one["id"] for one in accounts(visitor)] == [account_id]


def test_namely_being_down_parks_the_link(visitor) -> None:
    connect(visitor, "error-503")
    ended(visitor.page)
    assert "We'll finish this for you" in visitor.page.inner_text("#ended")
    assert [one["status"] for one in accounts(visitor)] == ["pending"]


def test_the_keyboard_alone_links(visitor) -> None:
    open_hub(visitor)
    page = visitor.page
    known = visitor.stack.simulator.credential("acme")
    page.keyboard.press("Tab")
    page.keyboard.type("https://acme.namely.com/")
    page.keyboard.press("Tab")
    page.keyboard.type("mistyped")
    page.keyboard.press("Enter")
    problem(page)
    assert page.evaluate("document.activeElement.id") == "token"
    page.keyboard.press("Control+A")
    page.keyboard.type(known.token)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "reveal"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog(page)
    assert page.evaluate("document.activeElement.id") == "dialog-title"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'ended-title'")


def test_what_is_happening_is_said_as_it_happens(visitor) -> None:
    visitor.page.route("**/v1/accounts", lambda _route: None)
    connect(visitor, "acme")
    for step, words in (
        ("site", "Checking the site"),
        ("token", "Checking the token"),
        ("store", "Storing it safely"),
    ):
        visitor.page.wait_for_selector(f'[data-step="{step}"][data-state="doing"]')
        assert visitor.page.text_content("#live") == words


def test_a_session_chooses_the_language_before_the_browser(visit) -> None:
    visitor = visit(locale="fr-FR")
    open_hub(visitor, locale="de")
    assert visitor.page.get_attribute("html", "lang") == "de"
    assert visitor.page.inner_text("#connect") == "Verbinden"


def test_the_browser_chooses_where_the_session_does_not(visit) -> None:
    visitor = visit(locale="pt-BR")
    open_hub(visitor)
    assert visitor.page.get_attribute("html", "lang") == "pt"


def test_the_link_opened_again_in_the_same_tab_begins_anew(visitor) -> None:
    open_hub(visitor)
    made = visitor.session(owner_name="Second Ltd")
    visitor.page.goto(made["url"])
    visitor.page.get_by_text("Second Ltd").first.wait_for()


@pytest.mark.parametrize("path", ["hub", "accounts"])
def test_a_page_weighs_at_most_40_kib(visit, path: str) -> None:
    visitor = visit(cached=False)
    answers = []
    visitor.context.on("response", lambda answer: answers.append(answer))
    if path == "hub":
        linked(visitor)
    else:
        visitor.page.goto(visitor.stack.accounts_link())
        until_open(visitor.page)
    files = {one.url: one for one in answers if "/v1/" not in one.url and one.ok}
    assert len(files) > 5
    sizes = {url: len(gzip.compress(one.body(), 6)) for url, one in files.items()}
    assert sum(sizes.values()) <= 40 * 1024, sizes
    assert len([url for url in files if url.endswith(".json")]) == 1
    for url, one in files.items():
        kept = one.headers["cache-control"]
        assert kept == ("public, max-age=31536000, immutable" if "/assets/" in url else "no-store")
        assert one.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in one.headers["content-security-policy"]

"""What is wrong is said where it belongs, in the person's words, and with what to do."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hub_states import (
    STATES,
    connect,
    ended,
    expire,
    linked,
    open_hub,
    problem,
    refuse,
    show_hub,
    type_credential,
)

ROOT = Path(__file__).parents[2]
LANGUAGES = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in (ROOT / "layers/shared/namely_link/sentences").glob("*.json")
}
SENTENCES, GERMAN = LANGUAGES["en"], LANGUAGES["de"]
ENDINGS = {
    "unauthorized",
    "forbidden",
    "not_found",
    "session_expired",
    "session_used",
    "attempts_exhausted",
}
"""Reasons that are a page of their own: the session is over."""

BY_SITE = [
    ("unknown-html", "site_answers_html"),
    ("unknown-redirect", "site_redirects"),
    ("unknown-404", "site_unknown"),
    ("another-permalink", "site_other_permalink"),
    ("accepts-any-token", "site_accepts_any_token"),
]
BY_TOKEN = [
    ("refused-401-json", "token_unauthorized"),
    ("token-of-another-site", "token_unauthorized"),
    ("refused-403-json", "token_forbidden"),
    ("info-needs-token-refused", "credential_unclear"),
    ("owner-inactive", "owner_inactive"),
]
UNDETERMINED = [
    ("throttled-429", "throttled"),
    ("error-500", "outage"),
    ("slow", "timeout"),
    ("bad-certificate-host", "unreachable"),
    ("broken-json", "unexpected_answer"),
]


def sentences(reason: str, subdomain: str, language: dict = SENTENCES) -> list[str]:
    return [one.replace("{subdomain}", subdomain) for one in language["reasons"][reason].values()]


def said_at(visitor, field: str, reason: str) -> None:
    """The sentence and its remedy stand at the field, which has the focus and says so."""
    problem(visitor.page)
    subdomain = visitor.page.input_value("#subdomain")
    shown = visitor.page.inner_text(f"#{field}-error")
    for sentence in sentences(reason, subdomain):
        assert sentence in shown
    assert visitor.page.evaluate("document.activeElement.id") == field
    assert visitor.page.get_attribute(f"#{field}", "aria-invalid") == "true"
    assert f"{field}-error" in (visitor.page.get_attribute(f"#{field}", "aria-describedby") or "")


@pytest.mark.parametrize(("name", "reason"), BY_SITE)
def test_a_wrong_site_is_said_at_the_subdomain(visitor, name: str, reason: str) -> None:
    connect(visitor, name)
    said_at(visitor, "subdomain", reason)
    assert visitor.page.locator("#step-1.marked").count() == 1
    assert visitor.page.get_attribute('[data-step="site"]', "data-state") == "failed"


@pytest.mark.parametrize(("name", "reason"), BY_TOKEN)
def test_a_refused_token_is_said_at_the_token(visitor, name: str, reason: str) -> None:
    connect(visitor, name)
    said_at(visitor, "token", reason)
    assert visitor.page.locator(".guide .marked").count() == 1
    assert visitor.page.get_attribute('[data-step="token"]', "data-state") == "failed"


# A session that confirms parks nothing before the person has seen the receipt.
@pytest.mark.parametrize(("name", "reason"), UNDETERMINED)
def test_an_outage_is_said_on_top_and_nothing_typed_is_lost(visitor, name, reason) -> None:
    token = connect(visitor, name, confirm=True)
    problem(visitor.page)
    shown = visitor.page.inner_text("#problem")
    for sentence in sentences(reason, visitor.page.input_value("#subdomain")):
        assert sentence in shown
    assert visitor.page.evaluate("document.activeElement.id") == "problem"
    assert visitor.page.input_value("#token") == token
    assert visitor.page.get_attribute("#connect", "aria-disabled") == "false"


def test_every_credential_of_the_simulator_is_told_as_one_of_these(stack) -> None:
    def reason(known) -> tuple[str, str]:
        body = {"subdomain": known.subdomain, "token": known.token, "dry_run": True}
        owner = {"owner_id": f"credential-{known.name}", "owner_name": "Credentials Ltd"}
        status, answer = stack.call("POST", "/v1/accounts", body | owner)
        assert (status == 200) is (known.expect == "linked"), (known, answer)
        return known.name, answer.get("reason", "linked")

    with ThreadPoolExecutor(8) as pool:
        told = dict(pool.map(reason, stack.simulator.credentials))
    seen = {reason for _, reason in [*BY_SITE, *BY_TOKEN, *UNDETERMINED]} | {"linked"}
    assert {name: one for name, one in told.items() if one not in seen} == {}
    assert set(told.values()) == seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_is_told_in_every_language(visitor, language: str) -> None:
    page = visitor.page
    told = LANGUAGES[language]["reasons"]
    open_hub(visitor, locale=language)
    type_credential(visitor, "acme")
    answer = {"retry_after": 60}
    page.route("**/v1/accounts", lambda route: route.fulfill(status=422, body=json.dumps(answer)))
    seen = {}
    for reason in sorted(told.keys() - ENDINGS):
        answer.update(reason=reason, code=reason, detail="Raw words.", hint="Raw hint.")
        page.click("#connect")
        problem(page)
        seen[reason] = page.inner_text("#problem")
        for sentence in told[reason].values():
            filled = sentence.replace("{subdomain}", "acme").replace("{minutes}", "1")
            assert filled in seen[reason]
        assert "Raw" not in seen[reason]
    assert len(set(seen.values())) == len(seen)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", sorted(ENDINGS))
def test_every_end_of_a_session_is_told_in_every_language(visitor, language, reason) -> None:
    refuse(visitor, 410, reason)
    connect(visitor, "acme", locale=language)
    ended(visitor.page)
    shown = visitor.page.inner_text("#ended")
    sentences = LANGUAGES[language]
    assert sentences["hub"]["ended"][reason]["title"] in shown
    for sentence in sentences["reasons"][reason].values():
        assert sentence in shown
    assert visitor.page.input_value("#token") == ""


def test_a_conflict_that_lasts_is_told_with_what_to_do(visitor) -> None:
    visitor.page.clock.install()
    refuse(visitor, 409, "conflict", retry_after=2)
    connect(visitor, "acme")
    for _ in range(5):
        visitor.page.wait_for_timeout(200)
        visitor.page.clock.run_for(3000)
    problem(visitor.page)
    for sentence in sentences("conflict", "acme"):
        assert sentence in visitor.page.inner_text("#problem")


def test_a_bug_is_told_with_the_number_of_the_request(visitor) -> None:
    refuse(visitor, 500, "internal_error", instance="request-1")
    connect(visitor, "acme")
    problem(visitor.page)
    shown = visitor.page.inner_text("#problem")
    assert SENTENCES["reasons"]["internal_error"]["detail"] in shown
    assert "request-1" in shown


def test_storage_that_fails_loses_nothing(visitor) -> None:
    refuse(visitor, 503, "storage_unavailable", retry_after=5)
    token = connect(visitor, "acme")
    problem(visitor.page)
    assert "Nothing was lost" in visitor.page.inner_text("#problem")
    assert visitor.page.input_value("#token") == token
    visitor.page.unroute("**/v1/accounts")
    visitor.page.click("#connect")
    visitor.page.wait_for_selector("dialog[open]")


def test_another_site_is_refused_at_the_subdomain_of_a_relink(visitor) -> None:
    known = visitor.stack.simulator.credential("acme")
    owner = {"owner_id": visitor.owner, "owner_name": "Demo Ltd"}
    body = {"subdomain": known.subdomain, "token": known.token}
    account = visitor.stack.call("POST", "/v1/accounts", body | owner)[1]
    connect(visitor, "only-self", account_id=account["id"])
    said_at(visitor, "subdomain", "site_mismatch")


@pytest.mark.parametrize(
    ("subdomain", "token", "field", "reason"),
    [
        ("", "t", "subdomain", "subdomain_missing"),
        ("a_b", "t", "subdomain", "subdomain_malformed"),
        ("www", "t", "subdomain", "subdomain_reserved"),
        ("https://evil.com/#.namely.com", "t", "subdomain", "subdomain_other_host"),
        ("acme", "", "token", "token_missing"),
        ("acme", "two words", "token", "token_inner_space"),
        ("acme", "tökén", "token", "token_not_ascii"),
        ("acme", "t" * 513, "token", "token_too_long"),
        ("A" * 40, "acme", "subdomain", "fields_swapped"),
    ],
)
def test_bad_input_is_said_without_asking(visitor, subdomain, token, field, reason) -> None:
    open_hub(visitor)
    visitor.page.fill("#subdomain", subdomain)
    visitor.page.fill("#token", token)
    visitor.page.press("#token", "Enter")
    said_at(visitor, field, reason)
    assert [one for one in visitor.requests if one.method == "POST"] == []


def test_problems_are_said_in_the_language_of_the_session(visitor) -> None:
    connect(visitor, "acme", token="mistyped", locale="de")
    problem(visitor.page)
    for sentence in sentences("token_unauthorized", "acme", GERMAN):
        assert sentence in visitor.page.inner_text("#token-error")


def test_a_reason_that_is_not_translated_is_said_in_the_server_s_words(visitor) -> None:
    answer = {"code": "new", "reason": "new", "detail": "Something new.", "hint": "Do this."}
    visitor.page.route(
        "**/v1/accounts", lambda route: route.fulfill(status=422, body=json.dumps(answer))
    )
    connect(visitor, "acme")
    problem(visitor.page)
    assert "Something new." in visitor.page.inner_text("#problem")
    assert "Do this." in visitor.page.inner_text("#problem")


def test_the_attempts_left_are_shown(visitor) -> None:
    connect(visitor, "acme", token="mistyped")
    problem(visitor.page)
    assert visitor.page.inner_text("#attempts") == "Attempts left with this link: 4"


def test_an_error_goes_when_its_field_is_changed(visitor) -> None:
    connect(visitor, "acme", token="mistyped")
    problem(visitor.page)
    visitor.page.fill("#token", "another")
    assert visitor.page.locator(".invalid").count() == 0


def test_an_error_leads_to_the_guide_s_step(visitor) -> None:
    connect(visitor, "acme", token="mistyped")
    problem(visitor.page)
    visitor.page.get_by_role("button", name="Show step 3 of the guide").click()
    assert visitor.page.evaluate("document.activeElement.id") == "step-3"


def test_a_corrected_token_links(visitor) -> None:
    connect(visitor, "acme", token="mistyped")
    problem(visitor.page)
    type_credential(visitor, "acme")
    visitor.page.click("#connect")
    visitor.page.wait_for_selector("dialog[open]")


def says(visitor, reason: str) -> None:
    ended(visitor.page)
    assert visitor.page.inner_text("#ended-title") == SENTENCES["hub"]["ended"][reason]["title"]
    shown = visitor.page.inner_text("#ended-text")
    for sentence in SENTENCES["reasons"].get(reason, {}).values():
        assert sentence in shown
    assert visitor.page.evaluate("document.activeElement.id") == "ended-title"
    assert not visitor.page.locator("#work").is_visible()


def test_an_expired_session_says_what_to_do(visitor) -> None:
    made = visitor.session()
    expire(visitor, made["id"])
    visitor.page.goto(made["url"])
    says(visitor, "session_expired")


def test_a_session_that_expires_meanwhile_says_what_to_do(visitor) -> None:
    made = visitor.session()
    visitor.page.goto(made["url"])
    visitor.page.wait_for_selector("#work:not([hidden])")
    type_credential(visitor, "acme")
    expire(visitor, made["id"])
    visitor.page.click("#connect")
    says(visitor, "session_expired")
    assert visitor.page.input_value("#token") == ""


def test_a_used_session_says_what_to_do(visitor) -> None:
    made = visitor.session()
    visitor.page.goto(made["url"])
    visitor.page.wait_for_selector("#work:not([hidden])")
    type_credential(visitor, "acme")
    visitor.page.click("#connect")
    visitor.page.wait_for_selector("dialog[open]")
    visitor.page.goto("about:blank")
    visitor.page.goto(made["url"])
    says(visitor, "session_used")


def test_a_revoked_session_says_what_to_do(visitor) -> None:
    made = visitor.session()
    assert visitor.stack.call("DELETE", f"/v1/connect-sessions/{made['id']}")[0] in {200, 204}
    visitor.page.goto(made["url"])
    says(visitor, "session_used")


def test_an_unknown_session_says_what_to_do(visitor) -> None:
    visitor.page.goto(f"{visitor.stack.api}/hub#nls_{'x' * 43}")
    says(visitor, "unauthorized")


@pytest.mark.parametrize("fragment", ["", "#nls_short", "#nlk_" + "x" * 43])
def test_a_page_without_its_session_says_what_to_do(visitor, fragment: str) -> None:
    visitor.page.goto(f"{visitor.stack.api}/hub{fragment}")
    says(visitor, "no_session")


def test_a_lost_connection_is_told_with_what_to_do(visitor) -> None:
    STATES["connection-lost"](visitor)
    for sentence in SENTENCES["hub"]["lost"].values():
        assert sentence in visitor.page.inner_text("#problem")
    assert visitor.page.evaluate("document.activeElement.id") == "problem"
    visitor.page.unroute("**/v1/accounts")
    visitor.page.click("#connect")
    visitor.page.wait_for_selector("dialog[open]")


def test_too_many_attempts_end_the_session(visitor) -> None:
    connect(visitor, "acme", token="mistyped")
    for _ in range(5):
        visitor.page.wait_for_selector("#connect[aria-disabled=false]")
        if visitor.page.is_visible("#ended"):
            break
        visitor.page.click("#connect")
    says(visitor, "attempts_exhausted")


def test_a_used_up_session_is_said_when_it_is_opened(visitor) -> None:
    made = visitor.session()
    body = {"subdomain": "acme", "token": "mistyped"}
    while visitor.stack.call("POST", "/v1/accounts", body, bearer=made["token"])[0] != 429:
        pass
    visitor.page.goto(made["url"])
    says(visitor, "attempts_exhausted")


def test_a_relink_of_an_account_that_is_gone_says_so(visitor) -> None:
    linked(visitor)
    owner = f"/v1/accounts?owner_id={visitor.owner}"
    (account,) = visitor.stack.call("GET", owner)[1]["accounts"]
    made = visitor.session(account_id=account["id"])
    visitor.stack.call("DELETE", f"/v1/accounts/{account['id']}")
    visitor.page.goto("about:blank")
    visitor.page.goto(made["url"])
    visitor.page.wait_for_selector("#work:not([hidden])")
    type_credential(visitor, "acme")
    visitor.page.click("#connect")
    says(visitor, "not_found")


def test_a_service_out_of_reach_offers_to_try_again(visitor) -> None:
    broken = {"code": "internal_error", "reason": "internal_error", "detail": "x"}
    visitor.page.route(
        "**/connect-sessions/current",
        lambda route: route.fulfill(status=500, body=json.dumps(broken)),
        times=1,
    )
    show_hub(visitor)
    says(visitor, "offline")
    visitor.page.get_by_role("button", name="Try again").click()
    visitor.page.wait_for_selector("#work:not([hidden])")

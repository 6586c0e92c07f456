"""The token and the session stay where they belong."""

import pytest
from hub_states import connect, dialog, linked, open_hub, problem

EVERYWHERE = """() => {
  const found = [document.documentElement.outerHTML, location.href, document.title];
  for (const one of document.querySelectorAll("input")) found.push(one.value);
  for (const kept of [localStorage, sessionStorage]) found.push(JSON.stringify({...kept}));
  found.push(document.cookie, JSON.stringify(history.state), window.name);
  return found.join("\\n");
}"""


def test_a_linked_token_is_nowhere_in_the_page(visitor) -> None:
    token = linked(visitor)
    assert token not in visitor.page.evaluate(EVERYWHERE)
    assert visitor.context.cookies() == []
    assert visitor.context.storage_state(indexed_db=True)["origins"] == []


def test_a_token_is_in_no_address_and_no_header(visitor) -> None:
    token = linked(visitor)
    for request in visitor.requests:
        assert token not in request.url
        assert token not in str(request.headers)


def test_a_token_is_in_no_log_and_no_console(visitor) -> None:
    said = []
    visitor.context.on("console", lambda message: said.append(message.text))
    token = connect(visitor, "acme", token="PlantedToken0123456789abcdefghijklmnop")
    problem(visitor.page)
    session = open_hub(visitor)
    assert token not in "\n".join(said)
    for log in visitor.stack.logs.rglob("*.log"):
        text = log.read_text(encoding="utf-8", errors="replace")
        assert token not in text, log.name
        assert session not in text, log.name


def test_a_session_is_in_no_address_that_is_asked_for(visitor) -> None:
    session = open_hub(visitor)
    for request in visitor.requests:
        assert session not in request.url.partition("#")[0]
        assert not request.headers.get("referer")


def test_a_session_leaves_the_address_bar_and_the_history(visitor) -> None:
    session = open_hub(visitor)
    assert visitor.page.url == f"{visitor.stack.api}/hub"
    assert session not in visitor.page.evaluate(EVERYWHERE)
    visitor.page.goto("about:blank")
    visitor.page.go_back()
    assert session not in visitor.page.url


def test_a_page_that_is_left_keeps_no_token(visitor) -> None:
    token = connect(visitor, "acme", token="mistyped")
    problem(visitor.page)
    visitor.page.goto("about:blank")
    visitor.page.go_back()
    assert token not in visitor.page.evaluate(EVERYWHERE)


def test_a_token_is_hidden_while_it_is_sent(visitor) -> None:
    visitor.page.route("**/v1/accounts", lambda _route: None)
    open_hub(visitor)
    visitor.page.fill("#subdomain", "acme")
    visitor.page.fill("#token", "revealed-token")
    visitor.page.click("#reveal")
    visitor.page.click("#connect")
    assert visitor.page.get_attribute("#reveal", "aria-pressed") == "false"


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "</script><b>bold</b>"])
def test_what_others_named_never_becomes_markup(visitor, name: str) -> None:
    open_hub(visitor, owner_name=name)
    assert name in visitor.page.inner_text("#lead")
    assert visitor.page.locator("#lead *").count() == 0


def test_a_return_address_is_never_a_script(visitor) -> None:
    def poison(route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"return_url": "javascript:alert(1)"})

    visitor.page.route("**/connect-sessions/current", poison)
    connect(visitor, "acme")
    dialog(visitor.page)
    assert visitor.page.locator("#dialog a").count() == 0

"""The Hub inside another page, by hub.js, and what that page gets to know."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from hub_states import until

PARENT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Parent</title></head>
<body><main><h1>A page of the customer's</h1></main>
<script>
  window.heard = [];
  window.raw = [];
  addEventListener("message", (event) => raw.push([event.origin, JSON.stringify(event.data)]));
</script>
<script src="%s/hub.js"></script></body></html>"""

HOSTILE = """<!doctype html><html lang="en"><head><title>Hostile</title></head><body><script>
  window.raw = [];
  addEventListener("message", (event) => raw.push([event.origin, JSON.stringify(event.data)]));
</script><iframe id="frame" width="900" height="800" src="%s"></iframe></body></html>"""

OPEN = """(options) => NamelyLink.open({
  ...options,
  onSuccess: (account) => heard.push(["success", account]),
  onError: (error) => heard.push(["error", error]),
  onClose: () => heard.push(["close"]),
})"""

# What the policy of the page around allows: no inline style, no eval.
STRICT = "default-src 'none'; script-src 'self' 'unsafe-inline' %s; frame-src %s"


@pytest.fixture
def parent():
    """A web server on another loopback origin; its pages are set by the test."""
    pages: dict[str, tuple[str, str]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, policy = pages.get(self.path.partition("?")[0], ("", ""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.pages = pages
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def show(visitor, parent, body: str, *, host: str = "127.0.0.1", policy: str = "") -> str:
    """Open a page of the parent's, and return its origin."""
    origin = f"http://{host}:{parent.server_port}"
    visitor.allowed.add(origin)
    visitor.expected.append("favicon")
    parent.pages["/"] = (body, policy)
    visitor.page.goto(f"{origin}/")
    return origin


def embed(visitor, parent, **options: object) -> str:
    api = visitor.stack.api
    host = "{0.scheme}://{0.netloc}".format(urlsplit(api))
    show(visitor, parent, PARENT % api, policy=STRICT % (host, host))
    session = visitor.session()["token"]
    visitor.page.evaluate(OPEN, {"session": session, **options})
    return session


def frame(visitor):
    """The Hub's frame, once its form stands."""
    inside = visitor.page.frame_locator("iframe")
    inside.locator("#work:not([hidden])").wait_for()
    return inside


def link(visitor, inside) -> str:
    known = visitor.stack.simulator.credential("acme")
    inside.locator("#subdomain").fill(known.subdomain)
    inside.locator("#token").fill(known.token)
    inside.locator("#connect").click()
    inside.locator("dialog[open]").wait_for()
    return known.token


def test_a_page_that_embeds_the_hub_hears_of_the_account(visitor, parent) -> None:
    embed(visitor, parent)
    link(visitor, frame(visitor))
    until(visitor.page, "heard.length > 0")
    ((kind, account),) = visitor.page.evaluate("heard")
    assert kind == "success"
    assert set(account) == {"id", "status", "subdomain", "site"}
    assert (account["status"], account["subdomain"]) == ("active", "acme")


def test_done_closes_the_embedded_hub(visitor, parent) -> None:
    embed(visitor, parent)
    inside = frame(visitor)
    link(visitor, inside)
    inside.locator("dialog[open] .actions button").click()
    until(visitor.page, "heard.length === 2")
    assert visitor.page.evaluate("heard.map(([kind]) => kind)") == ["success", "close"]
    assert visitor.page.locator("iframe").count() == 0


@pytest.mark.parametrize("way", ["Escape", "button"])
def test_an_embedded_hub_is_left_without_linking(visitor, parent, way: str) -> None:
    embed(visitor, parent)
    inside = frame(visitor)
    if way == "Escape":
        inside.locator("#subdomain").press("Escape")
    else:
        inside.locator("#leave").click()
    until(visitor.page, "heard.length === 1")
    assert visitor.page.evaluate("heard") == [["close"]]


def test_neither_token_nor_session_is_in_any_message(visitor, parent) -> None:
    session = embed(visitor, parent)
    token = link(visitor, frame(visitor))
    until(visitor.page, "heard.length > 0")
    raw = visitor.page.evaluate("raw")
    assert {origin for origin, _ in raw} == {
        "{0.scheme}://{0.netloc}".format(urlsplit(visitor.stack.api))
    }
    assert token not in json.dumps(raw)
    assert session not in json.dumps(raw)
    for _, data in raw:
        assert set(json.loads(data)) <= {"type", "account"}


def test_an_ended_session_is_told_to_the_page_around(visitor, parent) -> None:
    show(visitor, parent, PARENT % visitor.stack.api)
    visitor.page.evaluate(OPEN, {"session": "nls_" + "x" * 43})
    until(visitor.page, "heard.length > 0")
    assert visitor.page.evaluate("heard") == [["error", {"code": "unauthorized"}]]


def test_the_element_opens_the_hub_and_tells_by_events(visitor, parent) -> None:
    show(visitor, parent, PARENT % visitor.stack.api)
    visitor.page.evaluate(
        """(session) => {
          const one = document.createElement("namely-link");
          one.setAttribute("session", session);
          one.setAttribute("locale", "de");
          one.setAttribute("theme", "dark");
          one.addEventListener("success", (event) => heard.push(event.detail.status));
          document.body.append(one);
        }""",
        visitor.session()["token"],
    )
    inside = frame(visitor)
    assert inside.locator("html").get_attribute("lang") == "de"
    assert inside.locator("html").get_attribute("data-theme") == "dark"
    link(visitor, inside)
    until(visitor.page, "heard.length > 0")
    assert visitor.page.evaluate("heard") == ["active"]


def test_the_inline_element_stands_in_the_page(visitor, parent) -> None:
    show(visitor, parent, PARENT % visitor.stack.api)
    session = visitor.session()["token"]
    visitor.page.evaluate(
        "(session) => document.body.insertAdjacentHTML("
        "'beforeend', `<namely-link inline session=${session}></namely-link>`)",
        session,
    )
    frame(visitor)
    assert visitor.page.locator("namely-link dialog").count() == 0
    assert visitor.page.locator("namely-link iframe").bounding_box()["height"] > 400


def test_axe_finds_nothing_in_a_page_with_the_hub(visitor, parent) -> None:
    show(visitor, parent, PARENT % visitor.stack.api)
    visitor.page.evaluate(OPEN, {"session": visitor.session()["token"]})
    frame(visitor)
    visitor.expected.append("postMessage")  # axe asks the frame, which is not its to ask
    found = Axe().run(visitor.page)
    assert found.violations_count == 0, found.generate_report()


def test_an_origin_that_is_not_allowed_gets_no_hub(visitor, parent) -> None:
    visitor.expected.append("frame-ancestors")
    made = visitor.session()
    origin = f"http://evil.localhost:{parent.server_port}"
    url = f"{made['url']}&origin={origin.replace(':', '%3A').replace('/', '%2F')}"
    show(visitor, parent, HOSTILE % url, host="evil.localhost")
    visitor.page.wait_for_timeout(1500)
    assert visitor.page.evaluate("raw") == []
    assert visitor.page.frame_locator("iframe").locator("#form").count() == 0


def test_a_page_that_lies_about_its_origin_hears_nothing(visitor, parent) -> None:
    made = visitor.session()
    other = "http%3A%2F%2Flocalhost%3A1234"
    show(visitor, parent, HOSTILE % f"{made['url']}&origin={other}")
    inside = visitor.page.frame_locator("iframe")
    inside.locator("#ended:not([hidden])").wait_for()
    assert "can't be shown here" in inside.locator("#ended").inner_text()
    assert visitor.page.evaluate("raw") == []


def test_an_allowed_page_that_names_no_origin_hears_nothing(visitor, parent) -> None:
    show(visitor, parent, HOSTILE % visitor.session()["url"])
    link(visitor, frame(visitor))
    assert visitor.page.evaluate("raw") == []


def test_messages_of_others_are_not_taken_for_the_hub_s(visitor, parent) -> None:
    embed(visitor, parent)
    frame(visitor)
    visitor.page.evaluate(
        "postMessage({type: 'namely-link:linked', account: {id: 'forged'}}, location.origin)"
    )
    until(visitor.page, "raw.length > 1")
    assert visitor.page.evaluate("heard") == []


def test_what_is_no_session_is_refused_before_anything_shows(visitor, parent) -> None:
    show(visitor, parent, PARENT % visitor.stack.api)
    with contextlib.suppress(Exception):
        visitor.page.evaluate(OPEN, {"session": "nlk_" + "x" * 43})
    assert visitor.page.locator("iframe").count() == 0


def test_a_hub_in_its_own_window_tells_nobody(visitor, parent) -> None:
    show(visitor, parent, PARENT % visitor.stack.api)
    with visitor.context.expect_page() as opened:
        visitor.page.evaluate("(url) => window.open(url) && 0", visitor.session()["url"])
    page = opened.value
    page.wait_for_selector("#work:not([hidden])")
    known = visitor.stack.simulator.credential("acme")
    page.fill("#subdomain", known.subdomain)
    page.fill("#token", known.token)
    page.click("#connect")
    page.wait_for_selector("dialog[open]")
    assert visitor.page.evaluate("raw") == []


FORM = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Form</title></head>
<body><main><h1>Form</h1><form method="post" action="%s/v1/accounts">
<input type="hidden" name="session" value="%s">
<label>Subdomain <input name="subdomain"></label>
<label>Token <input name="token" type="password"></label>
<button>Connect</button></form></main></body></html>"""


def send_form(visitor, parent, name: str, *, token: str = "", **fields: object) -> str:
    made = visitor.session(**fields)
    origin = show(visitor, parent, FORM % (visitor.stack.api, made["token"]))
    known = visitor.stack.simulator.credential(name)
    visitor.page.fill("[name=subdomain]", known.subdomain)
    visitor.page.fill("[name=token]", token or known.token)
    visitor.page.click("button")
    return origin


def test_a_plain_form_links_without_any_script(visit, parent) -> None:
    visitor = visit(java_script_enabled=False)
    send_form(visitor, parent, "acme")
    assert visitor.page.inner_text("h1") == "Namely is linked"
    assert "acme.namely.com" in visitor.page.inner_text("main")
    owner = f"/v1/accounts?owner_id={visitor.owner}"
    (account,) = visitor.stack.call("GET", owner)[1]["accounts"]
    assert account["status"] == "active"


def test_a_refused_form_says_why_in_the_browser_s_language(visit, parent) -> None:
    visitor = visit(java_script_enabled=False, locale="de-DE")
    send_form(visitor, parent, "acme", token="mistyped")
    assert visitor.page.inner_text("h1") == "Nicht verknüpft"
    assert "Namely hat das Token abgelehnt" in visitor.page.inner_text("main")
    assert visitor.page.get_attribute("html", "lang") == "de"


def test_the_answer_to_a_form_has_no_fault_that_axe_finds(visitor, parent) -> None:
    send_form(visitor, parent, "acme", token="mistyped")
    found = Axe().run(visitor.page)
    assert found.violations_count == 0, found.generate_report()


def test_a_form_goes_back_to_the_return_address(visit, parent) -> None:
    visitor = visit(java_script_enabled=False)
    back = f"http://127.0.0.1:{parent.server_port}/back"
    parent.pages["/back"] = ("<!doctype html><title>Back</title>", "")
    send_form(visitor, parent, "acme", return_url=back)
    assert visitor.page.url.startswith(f"{back}?status=linked&account_id=acc_")

"""The Hub inside another page, by hub.js, and what that page gets to know."""

import contextlib
import json
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from hub_states import embed_example, example, send_example_form, until

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

OPEN = """(options) => void (window.opened = NamelyLink.open({
  ...options,
  onSuccess: (account) => heard.push(["success", account]),
  onError: (error) => heard.push(["error", error]),
  onClose: () => heard.push(["close"]),
}))"""

# What the policy of the page around allows: no inline style, no eval.
STRICT = "default-src 'none'; script-src 'self' 'unsafe-inline' %s; frame-src %s"


def show(visitor, body: str, *, host: str = "127.0.0.1", policy: str = "") -> str:
    """Open a page of somebody else's, and return its origin."""
    visitor.neighbour.show("/", body, policy=policy)
    origin = f"http://{host}:{visitor.neighbour.server_port}"
    visitor.allowed.add(origin)
    visitor.page.goto(f"{origin}/")
    return origin


def embed(visitor, **options: object) -> str:
    api = visitor.stack.api
    host = "{0.scheme}://{0.netloc}".format(urlsplit(api))
    show(visitor, PARENT % api, policy=STRICT % (host, host))
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


def test_a_page_that_embeds_the_hub_hears_of_the_account(visitor) -> None:
    embed(visitor)
    link(visitor, frame(visitor))
    until(visitor.page, "heard.length > 0")
    ((kind, account),) = visitor.page.evaluate("heard")
    assert kind == "success"
    assert set(account) == {"id", "status", "subdomain", "site"}
    assert (account["status"], account["subdomain"]) == ("active", "acme")


def test_done_closes_the_embedded_hub(visitor) -> None:
    embed(visitor)
    inside = frame(visitor)
    link(visitor, inside)
    inside.locator("dialog[open] .actions button").click()
    until(visitor.page, "heard.length === 2")
    assert visitor.page.evaluate("heard.map(([kind]) => kind)") == ["success", "close"]
    assert visitor.page.locator("iframe").count() == 0


@pytest.mark.parametrize("way", ["Escape", "button"])
def test_an_embedded_hub_is_left_without_linking(visitor, way: str) -> None:
    embed(visitor)
    inside = frame(visitor)
    if way == "Escape":
        inside.locator("#subdomain").press("Escape")
    else:
        inside.locator("#leave").click()
    until(visitor.page, "heard.length === 1")
    assert visitor.page.evaluate("heard") == [["close"]]


def test_neither_token_nor_session_is_in_any_message(visitor) -> None:
    session = embed(visitor)
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


def test_an_ended_session_is_told_to_the_page_around(visitor) -> None:
    show(visitor, PARENT % visitor.stack.api)
    visitor.page.evaluate(OPEN, {"session": "nls_" + "x" * 43})
    until(visitor.page, "heard.length > 0")
    assert visitor.page.evaluate("heard") == [["error", {"code": "unauthorized"}]]


def test_the_element_opens_the_hub_and_tells_by_events(visitor) -> None:
    show(visitor, PARENT % visitor.stack.api)
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


def test_the_inline_element_stands_in_the_page(visitor) -> None:
    show(visitor, PARENT % visitor.stack.api)
    session = visitor.session()["token"]
    visitor.page.evaluate(
        "(session) => document.body.insertAdjacentHTML("
        "'beforeend', `<namely-link inline session=${session}></namely-link>`)",
        session,
    )
    frame(visitor)
    assert visitor.page.locator("namely-link dialog").count() == 0
    assert visitor.page.locator("namely-link iframe").bounding_box()["height"] > 400


def test_axe_finds_nothing_in_a_page_with_the_hub(visitor) -> None:
    show(visitor, PARENT % visitor.stack.api)
    visitor.page.evaluate(OPEN, {"session": visitor.session()["token"]})
    frame(visitor)
    visitor.expected.append("postMessage")  # axe asks the frame, which is not its to ask
    found = Axe().run(visitor.page)
    assert found.violations_count == 0, found.generate_report()


def test_an_origin_that_is_not_allowed_gets_no_hub(visitor) -> None:
    visitor.expected.append("frame-ancestors")
    made = visitor.session()
    origin = f"http://evil.localhost:{visitor.neighbour.server_port}"
    url = f"{made['url']}&origin={origin.replace(':', '%3A').replace('/', '%2F')}"
    show(visitor, HOSTILE % url, host="evil.localhost")
    # The browser shows its own page in the frame, which is of no origin.
    for _ in range(100):
        if visitor.page.frames[1].url.startswith("chrome-error:"):
            break
        visitor.page.wait_for_timeout(50)
    assert visitor.page.frames[1].url.startswith("chrome-error:")
    assert visitor.page.evaluate("raw") == []
    assert visitor.page.frame_locator("iframe").locator("#form").count() == 0


def test_a_page_that_lies_about_its_origin_hears_nothing(visitor) -> None:
    made = visitor.session()
    other = "http%3A%2F%2Flocalhost%3A1234"
    show(visitor, HOSTILE % f"{made['url']}&origin={other}")
    inside = visitor.page.frame_locator("iframe")
    inside.locator("#ended:not([hidden])").wait_for()
    assert "can't be shown here" in inside.locator("#ended").inner_text()
    assert visitor.page.evaluate("raw") == []


def test_an_allowed_page_that_names_no_origin_hears_nothing(visitor) -> None:
    show(visitor, HOSTILE % visitor.session()["url"])
    link(visitor, frame(visitor))
    assert visitor.page.evaluate("raw") == []


def test_messages_of_others_are_not_taken_for_the_hub_s(visitor) -> None:
    embed(visitor)
    frame(visitor)
    visitor.page.evaluate(
        "postMessage({type: 'namely-link:linked', account: {id: 'forged'}}, location.origin)"
    )
    until(visitor.page, "raw.length > 1")
    assert visitor.page.evaluate("heard") == []


def test_what_is_no_session_is_refused_before_anything_shows(visitor) -> None:
    show(visitor, PARENT % visitor.stack.api)
    with contextlib.suppress(Exception):
        visitor.page.evaluate(OPEN, {"session": "nlk_" + "x" * 43})
    assert visitor.page.locator("iframe").count() == 0


def test_a_hub_in_its_own_window_tells_nobody(visitor) -> None:
    show(visitor, PARENT % visitor.stack.api)
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_chooses_language_and_theme(visit, theme: str) -> None:
    visitor = visit(color_scheme="light" if theme == "dark" else "dark")
    embed(visitor, locale="fr", theme=theme)
    html = frame(visitor).locator("html")
    assert html.get_attribute("lang") == "fr"
    assert html.evaluate("one => getComputedStyle(one).colorScheme") == theme
    shown = "document.querySelector('div').shadowRoot.querySelector('dialog')"
    assert visitor.page.evaluate(f"getComputedStyle({shown}).colorScheme") == theme


def test_the_page_around_can_close_the_hub(visitor) -> None:
    embed(visitor)
    frame(visitor)
    visitor.page.evaluate("opened.close()")
    assert visitor.page.evaluate("heard") == [["close"]]
    assert visitor.page.locator("iframe").count() == 0


def test_the_example_of_a_plain_page_links(visitor) -> None:
    session = embed_example(visitor)
    token = link(visitor, visitor.page.frame_locator("iframe"))
    visitor.page.get_by_text("acme.namely.com is linked.").wait_for()
    assert token not in visitor.page.content()
    assert session not in visitor.page.url


# As much of React as the example asks for: one component with hooks.
REACT = """
let hooks = [], at = 0, effects = [], draw;
const next = (make) => { const one = (hooks[at] ??= make()); at += 1; return one; };
export const useState = (first) => {
  const one = next(() => ({ value: first }));
  return [one.value, (value) => { one.value = value; draw(); }];
};
export const useRef = (current) => next(() => ({ current }));
export const useEffect = (run) => { next(() => effects.push(run)); };
export const createElement = (tag, { onClick, ...props }, ...children) => {
  const made = Object.assign(document.createElement(tag), props);
  made.addEventListener("click", onClick);
  made.append(...children);
  return made;
};
export const render = (component, props, root) => {
  draw = () => { at = 0; root.replaceChildren(component(props)); };
  draw();
  const ends = effects.map((run) => run());
  return () => ends.forEach((end) => end());
};
"""

REACT_PAGE = """<!doctype html><html lang="en"><head><title>React</title>
<script type="importmap">{"imports": {"react": "/react.js"}}</script></head>
<body><main id="root"></main><script type="module">
  import { render } from "react";
  import { NamelyLinkButton } from "/example.js";
  window.linked = [];
  window.unmount = render(NamelyLinkButton, {
    getSession: async () => "%s",
    onLinked: (account) => linked.push(account.status),
    children: "Link Namely",
  }, document.getElementById("root"));
</script></body></html>"""

JSX = """    <button type="button" onClick={link} disabled={busy}>
      {children}
    </button>
"""


def react_example(visitor) -> None:
    """Open the React example; its one piece of JSX is compiled by hand."""
    text = example(visitor, "react.jsx")
    assert text.count(JSX) == 1
    compiled = (
        'createElement("button", { type: "button", onClick: link, disabled: busy }, children)'
    )
    text = text.replace(JSX, compiled).replace("import { ", "import { createElement, ", 1)
    visitor.neighbour.show("/react.js", REACT, "text/javascript")
    visitor.neighbour.show("/example.js", text, "text/javascript")
    session = visitor.session()["token"]
    visitor.page.goto(visitor.neighbour.show("/react", REACT_PAGE % session))
    visitor.page.get_by_role("button", name="Link Namely").click()


def test_the_example_for_react_links(visitor) -> None:
    react_example(visitor)
    inside = frame(visitor)
    assert visitor.page.locator("button").is_disabled()
    link(visitor, inside)
    until(visitor.page, "linked.length === 1")
    inside.locator("dialog[open] .actions button").click()
    until(visitor.page, "!document.querySelector('button').disabled")
    assert visitor.page.evaluate("linked") == ["active"]


def test_the_example_for_react_takes_the_hub_with_it(visitor) -> None:
    react_example(visitor)
    frame(visitor)
    visitor.page.evaluate("unmount()")
    assert visitor.page.locator("iframe").count() == 0


def test_a_plain_form_links_without_any_script(visit) -> None:
    visitor = visit(java_script_enabled=False)
    send_example_form(visitor, "acme")
    assert visitor.page.inner_text("h1") == "Namely is linked"
    assert "acme.namely.com" in visitor.page.inner_text("main")
    owner = f"/v1/accounts?owner_id={visitor.owner}"
    (account,) = visitor.stack.call("GET", owner)[1]["accounts"]
    assert account["status"] == "active"


def test_a_refused_form_says_why_in_the_browser_s_language(visit) -> None:
    visitor = visit(java_script_enabled=False, locale="de-DE")
    send_example_form(visitor, "acme", token="mistyped")
    assert visitor.page.inner_text("h1") == "Nicht verknüpft"
    assert "Namely hat das Token abgelehnt" in visitor.page.inner_text("main")
    assert visitor.page.get_attribute("html", "lang") == "de"


def test_a_form_goes_back_to_the_return_address(visit) -> None:
    visitor = visit(java_script_enabled=False)
    back = visitor.neighbour.show("/back", "<!doctype html><title>Back</title>")
    send_example_form(visitor, "acme", return_url=back)
    assert visitor.page.url.startswith(f"{back}?status=linked&account_id=acc_")

"""Behind a custom domain's base path every route answers as it does without, and links lead there.

API Gateway puts the base path into an event's `path`, and into that of its context instead of the
stage; `resource` and `pathParameters` stay.
"""

import json
from typing import Any

import pytest

from namely_link.http.routing import base_url, routed
from templates import ROOT

BASE = "https://links.example.com/base"
FILES = [
    f"{function}/{path.stem}"
    for function in ("link", "pages", "api")
    for path in sorted((ROOT / "events" / function).glob("*.json"))
    if path.stem != "make-session-on-a-domain"
]


def read(file: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{file}.json").read_text())
    return event


def on_domain(event: dict[str, Any], base: str = "/base") -> dict[str, Any]:
    """What API Gateway sends instead of an event, where a domain leads to the API."""
    host = "links.example.com"
    context = event["requestContext"]
    path = base + context["path"].removeprefix(f"/{context['stage']}")
    return event | {
        "path": path,
        "headers": event["headers"] | {"Host": host},
        "multiValueHeaders": event["multiValueHeaders"] | {"Host": [host]},
        "requestContext": context
        | {"path": path, "domainName": host, "domainPrefix": host.partition(".")[0]},
    }


def test_the_event_file_of_a_domain_is_what_the_tests_send() -> None:
    assert on_domain(read("api/make-session")) == read("api/make-session-on-a-domain")


@pytest.mark.parametrize("base", ["", "/base", "/v1"])
@pytest.mark.parametrize("file", FILES)
def test_every_route_is_found_behind_a_base_path(file: str, base: str) -> None:
    event = read(file)
    assert routed(on_domain(event, base)) == routed(event) | {
        name: value for name, value in on_domain(event, base).items() if name != "path"
    }


@pytest.mark.parametrize("file", FILES)
def test_every_function_answers_behind_a_base_path(house, file: str) -> None:
    values = {"ASSET": "hub.00000000.css"}
    plain = house.invoke(file, **values)
    behind = house.invoke(file, changes=on_domain(house.event(file, **values)), **values)
    # What is linked once is linked again.
    assert {plain["statusCode"], behind["statusCode"]} in ({plain["statusCode"]}, {200, 201})
    if file.startswith("pages/"):
        assert behind["body"] == plain["body"]


@pytest.mark.parametrize(
    ("base", "slash", "told"),
    [("/base", "", BASE), ("", "", "https://links.example.com"), ("/base", "/", BASE)],
)
def test_the_address_of_a_deployment_is_where_it_was_asked(
    base: str, slash: str, told: str
) -> None:
    event = on_domain(read("api/openapi"), base)
    event["requestContext"]["path"] += slash
    assert base_url(routed(event)) == told


def test_links_lead_to_the_domain_that_they_were_asked_for_at(house) -> None:
    made = house.invoke("api/make-session-on-a-domain")["json"]
    assert made["url"] == f"{BASE}/hub#{made['token']}"
    event = on_domain(house.event("api/make-portal"))
    assert house.invoke("api/make-portal", changes=event)["json"]["url"].startswith(
        f"{BASE}/accounts#nlp_"
    )


def test_a_form_behind_a_base_path_is_sent_to_the_page_beside_it(house) -> None:
    event = on_domain(house.event("link/link-form"))
    answer = house.invoke("link/link-form", changes=event)
    # Relative to /base/v1/accounts.
    assert answer["multiValueHeaders"]["Location"][0].startswith("../result?")


def test_a_value_in_a_path_leads_to_no_other_route(house) -> None:
    account = house.link()["json"]["id"]
    changes = {"pathParameters": {"id": f"{account}/ledger"}}
    assert house.invoke("api/read", changes=changes)["json"]["code"] == "not_found"

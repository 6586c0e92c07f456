"""`pages` serves what stands in its folder, and shows nobody else's words."""

import io
import json

import boto3
import pytest


@pytest.mark.parametrize(
    "file", ["pages/hub", "pages/accounts", "pages/hub-script", "pages/result"]
)
def test_the_pages_are_served_with_their_headers(house, file: str) -> None:
    answer = house.invoke(file)
    assert answer["statusCode"] == 200
    headers = answer["multiValueHeaders"]
    assert headers["Referrer-Policy"] == ["no-referrer"]
    assert "default-src 'none'" in headers["Content-Security-Policy"][0]


def test_the_files_of_a_page_are_served_by_their_content(house) -> None:
    page = house.invoke("pages/hub")["body"]
    name = page.partition("assets/hub.")[2].partition('"')[0]
    answer = house.invoke("pages/asset", ASSET=f"hub.{name}")
    assert answer["statusCode"] == 200
    assert "immutable" in answer["multiValueHeaders"]["Cache-Control"][0]
    assert house.invoke("pages/asset", ASSET="hub.00000000.css")["json"]["code"] == "not_found"


def test_the_pages_wear_the_theme(house, environ, load) -> None:
    environ.setenv("THEME_NAME", "Acme & Sons")
    environ.setenv("FRAME_ANCESTORS", "https://app.example.com")
    house.functions["pages"] = load("pages")
    answer = house.invoke("pages/hub")
    assert "Acme &amp; Sons" in answer["body"]
    policy = answer["multiValueHeaders"]["Content-Security-Policy"][0]
    assert policy.endswith("frame-ancestors https://app.example.com")


def test_a_theme_that_is_malformed_is_answered_as_our_own_fault(house, environ, load) -> None:
    environ.setenv("THEME_COLOR", "red")
    house.functions["pages"] = load("pages")
    assert house.invoke("pages/hub")["json"]["code"] == "internal_error"
    assert '"where":["' in house.logged()


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("file", ["no-route", "no-route-at-root"])
def test_what_has_no_route_is_not_found(house, file: str, method: str) -> None:
    answer = house.invoke(f"pages/{file}", changes={"httpMethod": method})
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["code"]) == (404, "not_found")
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/problem+json"]


def test_what_has_no_route_is_not_served_as_the_page_that_it_resembles(house) -> None:
    for path in ("/hub/", "//hub"):
        changes = {"path": path, "pathParameters": {"proxy": path[1:]}}
        assert house.invoke("pages/no-route", changes=changes)["statusCode"] == 404


def test_the_logo_is_the_deployers_file(house, tmp_path, monkeypatch) -> None:
    (tmp_path / "logo.png").write_bytes(b"PNG")
    monkeypatch.setattr(house.functions["pages"], "WEB", tmp_path)
    assert '<img src="data:image/png;base64,UE5H" alt="">' in house.invoke("pages/hub")["body"]


def test_a_logo_that_stands_elsewhere_is_let_in_and_no_other_image(house, environ, load) -> None:
    environ.setenv("THEME_LOGO", "https://cdn.example.com/a/logo.svg?v=2")
    house.functions["pages"] = load("pages")
    answer = house.invoke("pages/hub")
    assert '<img src="https://cdn.example.com/a/logo.svg?v=2" alt="">' in answer["body"]
    policy = answer["multiValueHeaders"]["Content-Security-Policy"][0]
    assert "; img-src 'self' data: https://cdn.example.com; " in policy


def test_the_pages_need_no_setting_and_ask_nobody(monkeypatch, load, house) -> None:
    for name in ("TABLE_NAME", "STACK_NAME", "STAGE", "SECRET_PREFIX"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "client", None)
    house.functions["pages"] = load("pages")
    assert house.invoke("pages/hub")["statusCode"] == 200


def result(house, **query: str | None):
    told = {"outcome": "refused", "reason": "site_no_dns", "subdomain": "acme"} | query
    told = {name: value for name, value in told.items() if value is not None}
    listed = {name: [value] for name, value in told.items()}
    changes = {"queryStringParameters": told, "multiValueQueryStringParameters": listed}
    return house.invoke("pages/result", changes=changes)


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": None},
        {"outcome": "won"},
        {"reason": "Call 555-0100 now"},
        {"reason": "<b>"},
        {"outcome": "linked"},
        {"subdomain": "call us now"},
        {"subdomain": "evil.example.com/"},
        {"subdomain": "a" * 64},
        {"attempts_left": "-1"},
        {"attempts_left": "21"},
        {"attempts_left": "many"},
        {"minutes": "0"},
        {"minutes": "61"},
        {"locale": "x" * 36},
        {"detail": "Call us."},
    ],
)
def test_an_address_that_we_never_make_shows_no_page(house, query: dict[str, str | None]) -> None:
    answer = result(house, **query)
    assert (answer["statusCode"], answer["json"]["code"]) == (400, "invalid_request")
    for value in query.values():
        assert not value or len(value) < 4 or value not in answer["body"]


def test_a_parameter_that_comes_twice_shows_no_page(house) -> None:
    event = house.event("pages/result")
    event["multiValueQueryStringParameters"]["outcome"] = ["linked", "refused"]
    answer = house.functions["pages"].handler(event, house.context)
    assert (answer["statusCode"], json.loads(answer["body"])["field"]) == (400, "outcome")


def test_the_address_of_a_result_is_not_logged(house, load) -> None:
    house.functions["pages"] = load("pages")
    house.functions["pages"].logger.registered_handler.setStream(io.StringIO())
    assert result(house, detail="a-planted-word")["statusCode"] == 400
    assert "a-planted-word" not in house.logged()

"""What comes over HTTP is read field by field, each with its limit."""

import base64
import json

import pytest

from namely_link.domain.problems import Code, Problem, Reason
from namely_link.domain.values import new_id
from namely_link.http import problem_details
from namely_link.http.bearers import Kind, authorization, mint
from namely_link.http.body import FORM, MAX_BODY, cursor_in, cursor_out, read_body
from namely_link.http.fields import Fields

JSON = {"content-type": "application/json; charset=utf-8"}


def refused(call, *args: object, **options: object) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*args, **options)
    return caught.value


@pytest.mark.parametrize(
    ("body", "headers", "encoded"),
    [
        ('{"a": "b"}', JSON, False),
        ("a=b", {"content-type": FORM}, False),
        (base64.b64encode(b"a=b").decode(), {"content-type": FORM}, True),
    ],
)
def test_json_and_web_forms_are_read(body: str, headers: dict[str, str], encoded: bool) -> None:
    assert read_body(body, headers, encoded=encoded) == {"a": "b"}


@pytest.mark.parametrize("body", [None, ""])
def test_an_absent_body_has_no_fields(body: str | None) -> None:
    assert read_body(body, {}, encoded=False) == {}


@pytest.mark.parametrize(
    ("body", "headers", "encoded", "code"),
    [
        ("{", JSON, False, Code.INVALID_REQUEST),
        ("[" * 10_000, JSON, False, Code.INVALID_REQUEST),
        ("[]", JSON, False, Code.INVALID_REQUEST),
        ("*", JSON, True, Code.INVALID_REQUEST),
        ("no form", {"content-type": FORM}, False, Code.INVALID_REQUEST),
        ("{}", {}, False, Code.UNSUPPORTED_MEDIA_TYPE),
        ("{}", {"content-type": "text/plain"}, False, Code.UNSUPPORTED_MEDIA_TYPE),
        (" " * (MAX_BODY + 1), JSON, False, Code.PAYLOAD_TOO_LARGE),
        (" " * (2 * MAX_BODY + 1), JSON, True, Code.PAYLOAD_TOO_LARGE),
    ],
)
def test_other_bodies_are_refused(body, headers, encoded: bool, code: Code) -> None:
    assert refused(read_body, body, headers, encoded=encoded).code is code


def test_a_bearer_is_read_from_the_authorization_header() -> None:
    minted = mint(Kind.API_KEY)
    assert authorization({"authorization": f"bearer {minted.value}"}) == minted


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer x", "Basic nlk_" + "k" * 43])
def test_every_other_authorization_is_refused(value: str) -> None:
    assert refused(authorization, {"authorization": value}).code is Code.UNAUTHORIZED


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda f: f.text("x"), "a", "a"),
        (lambda f: f.text("x"), None, ""),
        (lambda f: f.typed("x"), "a\tb", "a\tb"),
        (lambda f: f.typed("x"), None, ""),
        (lambda f: f.owner_id("x"), "o-1:a@b", "o-1:a@b"),
        (lambda f: f.owner_id("x", required=False), None, ""),
        (lambda f: f.choice("x", "a", "b"), "b", "b"),
        (lambda f: f.choice("x", "a", "b"), None, "a"),
        (lambda f: f.flag("x"), True, True),
        (lambda f: f.flag("x"), False, False),
        (lambda f: f.flag("x"), None, False),
        (lambda f: f.number("x", least=1, most=9, default=5), 9, 9),
        (lambda f: f.number("x", least=1, most=9, default=5), 7.0, 7),
        (lambda f: f.number("x", least=1, most=9, default=5, written=True), "7", 7),
        (lambda f: f.choice("x", "a", "b", default=""), None, ""),
        (lambda f: f.number("x", least=1, most=9, default=5), None, 5),
        (lambda f: f.metadata("x"), {"a": "b"}, {"a": "b"}),
        (lambda f: f.metadata("x"), None, None),
        (lambda f: f.url("x"), "https://a.example/b?c", "https://a.example/b?c"),
        (lambda f: f.url("x"), "http://localhost:8080/", "http://localhost:8080/"),
        (lambda f: f.url("x"), None, ""),
    ],
)
def test_a_field_is_read(read, value: object, expected: object) -> None:
    fields = Fields({"x": value})
    assert "x" in fields
    assert read(fields) == expected
    fields.done()


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda f: f.text("x", required=True), ""),
        (lambda f: f.text("x"), 1),
        (lambda f: f.text("x", most=3), "abcd"),
        (lambda f: f.text("x"), "a\nb"),
        (lambda f: f.typed("x"), ["a"]),
        (lambda f: f.owner_id("x"), "a b"),
        (lambda f: f.owner_id("x"), "a#b"),
        (lambda f: f.choice("x", "a", "b"), "c"),
        (lambda f: f.flag("x"), "true"),
        (lambda f: f.number("x", least=1, most=9, default=5), 10),
        (lambda f: f.number("x", least=1, most=9, default=5), True),
        (lambda f: f.number("x", least=1, most=9, default=5), "7"),
        (lambda f: f.number("x", least=1, most=9, default=5, written=True), "x"),
        (lambda f: f.metadata("x"), []),
        (lambda f: f.metadata("x"), {str(n): "" for n in range(21)}),
        (lambda f: f.metadata("x"), {"a": 1}),
        (lambda f: f.metadata("x"), {"a" * 41: ""}),
        (lambda f: f.url("x"), "javascript:alert(1)"),
        (lambda f: f.url("x"), "http://a.example/"),
        (lambda f: f.url("x"), "https://user@a.example/"),
        (lambda f: f.url("x"), "https://[a/"),
        (lambda f: f.done(), "a"),
    ],
)
def test_a_field_that_is_wrong_is_named_without_its_value(read, value: object) -> None:
    problem = refused(read, Fields({"x": value}))
    assert (problem.code, problem.field) == (Code.INVALID_REQUEST, "x")
    assert "abcd" not in problem.detail


def test_a_cursor_comes_back() -> None:
    account_id = new_id("acc_")
    assert cursor_in(cursor_out(account_id)) == account_id
    assert (cursor_out(""), cursor_in("")) == (None, "")


@pytest.mark.parametrize("text", ["x", "é", base64.urlsafe_b64encode(b"acc_x").decode()])
def test_a_made_up_cursor_is_refused(text: str) -> None:
    assert refused(cursor_in, text).field == "cursor"


def test_an_error_is_located_without_its_message() -> None:
    try:
        raise RuntimeError("planted")
    except RuntimeError as error:
        place = problem_details.where(error)
    assert place[-1].startswith("test_web.py:")
    assert "planted" not in str(place)


def test_a_problem_is_rendered_with_its_headers() -> None:
    status, headers, body = problem_details.rendered(
        Problem(Reason.THROTTLED, retry_after=7, attempts_left=2), instance="r1"
    )
    assert (status, headers["Retry-After"]) == (503, "7")
    assert headers["Content-Type"] == "application/problem+json"
    document = json.loads(body)
    assert (document["instance"], document["attempts_left"]) == ("r1", 2)
    assert (document["code"], document["reason"]) == ("namely_throttled", "throttled")


def test_a_missing_bearer_is_challenged() -> None:
    assert (
        problem_details.rendered(Problem(Reason.UNAUTHORIZED), instance="r")[1]["WWW-Authenticate"]
        == "Bearer"
    )

"""What nobody means to send is refused with a reason, and never ends as an error of ours.

One house serves all cases of a fact: none of them leaves anything behind.
"""

import base64
import json
from typing import Any

SURROGATE = "\ud800"
OWNER = {"owner_id": "o1", "owner_name": "Owner One"}


def ask(house, file: str, body: object, **changes: Any):
    sent = body if isinstance(body, str) else json.dumps(body)
    return house.invoke(file, changes={"body": sent} | changes)


def refusal(answer) -> tuple[str, str | None]:
    return answer["json"].get("code", ""), answer["json"].get("field")


NO_SESSION = [
    ("owner_name", f"Owner {SURROGATE}"),
    ("owner_name", "Owner\0"),
    ("owner_name", "Owner \u202egnp.exe"),
    ("owner_name", ""),
    ("owner_id", "o\u0661"),
    ("label", SURROGATE),
    ("locale", "de\r\n"),
    ("metadata", {"key": SURROGATE}),
    ("metadata", {SURROGATE: "value"}),
    ("metadata", {"": "value"}),
    ("metadata", {"key": "\0"}),
    ("metadata", {"a\nb": "value"}),
    ("metadata", {"key": None}),
    ("expires_in", 10**4000),
    ("expires_in", -(10**30)),
    ("expires_in", 60.5),
    ("expires_in", 1e300),
    ("expires_in", float("nan")),
    ("expires_in", True),
    ("expires_in", "300"),
    ("expires_in", "\u0663\u0660\u0660"),
    ("confirm", 1),
    ("confirm", 0),
    ("confirm", "true"),
    ("type", ["production"]),
    ("return_url", "https://app.example.com/\u00e9"),
    ("return_url", "https://app.example.com/ x"),
    ("return_url", "https://app.example.com:x/"),
    ("return_url", "https://\u202e.example/"),
    ("return_url", "https:///nowhere"),
]


def test_a_session_with_what_cannot_be_kept_is_refused(house) -> None:
    for field, value in NO_SESSION:
        answer = ask(house, "api/make-session", OWNER | {field: value})
        assert refusal(answer) == ("invalid_request", field), (field, value)


def test_a_body_that_can_be_read_in_two_ways_or_none_is_refused(house) -> None:
    for body in (
        '{"owner_id": "o1", "owner_id": "o2", "owner_name": "Owner"}',
        '{"owner_id": "o1", "owner_name": "Owner", "metadata": {"a": "1", "a": "2"}}',
        '{"owner_id": "o1", "owner_name": "Owner", "expires_in": %s}' % ("9" * 5000),
        "[" * 15_000,
        "null",
        '"text"',
        "\0",
    ):
        assert refusal(ask(house, "api/make-session", body)) == ("invalid_request", None), body[:80]


def test_a_field_of_no_name_is_refused_and_named_as_far_as_it_can_be(house) -> None:
    for name, shown in ((SURROGATE, "?"), ("a\0b", "a?b"), ("x" * 5000, "x" * 40)):
        answer = ask(house, "api/make-session", OWNER | {name: "x"})
        assert refusal(answer) == ("invalid_request", shown)


def test_a_body_that_is_not_utf_8_is_refused(house) -> None:
    text = json.dumps(OWNER | {"label": "\u00e9"}, ensure_ascii=False)
    for encoding in ("utf-16", "utf-32", "latin-1"):
        body = base64.b64encode(text.encode(encoding)).decode()
        answer = ask(house, "api/make-session", body, isBase64Encoded=True)
        assert refusal(answer) == ("invalid_request", None), encoding


def test_a_byte_order_mark_does_no_harm(house) -> None:
    assert ask(house, "api/make-session", "\ufeff" + json.dumps(OWNER))["statusCode"] == 201


def test_the_names_of_the_world_hold_no_control_characters(house) -> None:
    for name in (
        "\u682a\u5f0f\u4f1a\u793e\u3000\u65e5\u672c",
        "\u00c5\u00a0& \U0001f469\u200d\U0001f680",
    ):
        body = OWNER | {"owner_name": name, "metadata": {"note": "two\nlines"}}
        answer = ask(house, "api/make-session", body)
        assert (answer["statusCode"], answer["json"]["owner"]["name"]) == (201, name)


def test_only_accounts_are_linked_by_a_web_form(house) -> None:
    house.values["ACCOUNT_ID"] = house.link()["json"]["id"]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    headers["Authorization"] = f"Bearer {house.values['API_KEY']}"
    for file in ("api/make-session", "api/make-portal", "api/rename"):
        answer = ask(house, file, "label=x", headers=headers)
        assert refusal(answer) == ("unsupported_media_type", None)


def test_a_portal_session_for_an_empty_owner_is_not_one_for_all(house) -> None:
    for owner in ({"owner_id": ""}, {"owner_id": None, "owner_name": None}):
        answer = ask(house, "api/make-portal", owner | {"rank": "viewer"})
        assert refusal(answer) == ("invalid_request", "owner_id")


NO_LIST = [
    ("limit", "\u0661\u0662"),
    ("limit", "1e1"),
    ("limit", "-1"),
    ("limit", ""),
    ("limit", "9" * 4000),
    ("cursor", "%%%%"),
    ("cursor", "YWNj\n"),
    ("cursor", "YWNjX25vYm9keQ"),
    ("cursor", "YWNjX25vYm9keQ=="),
    ("owner_id", ""),
    ("status", ""),
    ("status", "gone"),
    ("nothing", "x"),
]


def test_a_list_that_cannot_be_meant_is_refused(house) -> None:
    for field, value in NO_LIST:
        query = {"queryStringParameters": {field: value}}
        query["multiValueQueryStringParameters"] = {field: [value]}
        answer = house.invoke("api/list", changes=query)
        assert refusal(answer) == ("invalid_request", field), (field, value)


def test_a_filter_that_comes_twice_is_refused(house) -> None:
    twice = {"multiValueQueryStringParameters": {"owner_id": ["o1", "o2"]}}
    twice["queryStringParameters"] = {"owner_id": "o2"}
    answer = house.invoke("api/list", changes=twice)
    assert refusal(answer) == ("invalid_request", "owner_id")


def test_an_id_of_no_shape_is_not_looked_up(house, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(type(house.functions["api"].accounts()), "read", fail)
    monkeypatch.setattr(type(house.functions["api"].sessions()), "session", fail)
    for name in ("%00", "a b", "\u00e9", "..", "acc_" + "0" * 3000, "cs_\u0661"):
        for file in ("read", "read-session", "rename", "check", "ledger"):
            answer = house.invoke(f"api/{file}", ACCOUNT_ID=name, SESSION_ID=name)
            assert refusal(answer) == ("not_found", None), (file, name)
    answer = ask(house, "api/make-session", OWNER | {"account_id": "acc_x"})
    assert refusal(answer) == ("not_found", None)


def test_the_case_of_a_header_does_not_matter(house) -> None:
    for name in ("authorization", "AUTHORIZATION"):
        headers = {name: f"Bearer {house.values['API_KEY']}"}
        assert house.invoke("api/list", changes={"headers": headers})["statusCode"] == 200


def test_a_request_without_headers_is_unauthorized(house) -> None:
    for headers in (None, {}):
        changes = {"headers": headers, "multiValueHeaders": headers, "body": None}
        for file in ("api/list", "link/session-current", "link/link"):
            assert refusal(house.invoke(file, changes=changes)) == ("unauthorized", None)


def test_json_is_answered_whatever_is_accepted(house) -> None:
    for accept in ("text/html", "image/png;q=1", "*", "\0", ""):
        headers = {"Accept": accept, "Authorization": f"Bearer {house.values['API_KEY']}"}
        answer = house.invoke("api/list", changes={"headers": headers})
        assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]


NO_LINK = [
    ("subdomain", SURROGATE, "invalid_subdomain"),
    ("subdomain", f"https://{SURROGATE}.namely.com/", "invalid_subdomain"),
    ("subdomain", "https://[.namely.com", "invalid_subdomain"),
    ("subdomain", "\u2100.namely.com", "invalid_subdomain"),
    ("subdomain", "\u0430cme", "invalid_subdomain"),
    ("token", SURROGATE, "invalid_token"),
    ("token", "\0" * 40, "invalid_token"),
    ("token", "\u0661" * 40, "invalid_token"),
    ("dry_run", "true", "invalid_request"),
    ("dry_run", 1, "invalid_request"),
    ("owner_name", SURROGATE, "invalid_request"),
    ("metadata", {"k": SURROGATE}, "invalid_request"),
]


def test_a_link_with_what_cannot_be_is_refused(house) -> None:
    for field, value, code in NO_LINK:
        body = OWNER | {"subdomain": "acme", "token": house.values["TOKEN"], field: value}
        assert refusal(ask(house, "link/link", body)) == (code, field), (field, value)


def test_a_web_form_with_more_than_its_fields_is_refused(house) -> None:
    house.session()
    form = f"session={house.values['SESSION']}&subdomain=acme&token={house.values['TOKEN']}"
    for more in ("subdomain=other", "token=x", "dry_run=true", "owner_id=o2", "=x"):
        answer = ask(house, "link/link-form", f"{form}&{more}")
        location = answer["multiValueHeaders"].get("Location", [""])[0]
        code = answer["json"]["code"] if "json" in answer else location.partition("code=")[2]
        assert code.startswith("invalid_request"), more
    assert house.invoke("api/list")["json"]["accounts"] == []


def test_a_web_form_goes_back_to_a_return_address_with_a_fragment(house) -> None:
    body = OWNER | {"return_url": "https://app.example.com/?a=b#/done"}
    made = ask(house, "api/make-session", body)["json"]
    answer = house.invoke("link/link-form", SESSION=made["token"], TOKEN="mistyped")
    location = answer["multiValueHeaders"]["Location"][0]
    assert location.startswith("https://app.example.com/?a=b&status=failed&code=")
    assert location.endswith("#/done")

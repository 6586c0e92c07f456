"""`link` turns its events into the link command, and its result into an answer."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from namely_link import bootstrap
from namely_link.aws.sessions import SessionTable
from namely_link.domain.problems import StorageError
from namely_link.domain.values import timestamp


def test_an_api_key_links_an_account(house) -> None:
    answer = house.link()
    assert answer["statusCode"] == 201
    assert answer["json"]["status"] == "active"
    assert answer["json"]["label"] == "Main"
    assert answer["json"]["owner"] == {"id": "o1", "name": "Owner One"}
    assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]


def test_linking_again_answers_200(house) -> None:
    first = house.link()
    again = house.link("acme-second-token")
    assert (again["statusCode"], again["json"]["id"]) == (200, first["json"]["id"])


def test_a_dry_run_answers_with_the_receipt_alone(house) -> None:
    answer = house.invoke("link/link-dry-run")
    assert (answer["statusCode"], list(answer["json"])) == (200, ["receipt"])
    assert house.invoke("api/list")["json"]["accounts"] == []


def test_a_session_links_and_is_not_told_where_the_secret_is(house) -> None:
    house.session()
    answer = house.invoke("link/link-by-session")
    assert (answer["statusCode"], answer["json"]["secret"]) == (201, None)
    assert house.invoke("link/link-by-session") == answer


def test_a_used_session_answers_the_same_until_it_expires(house, monkeypatch) -> None:
    house.session()
    first = house.invoke("link/link-by-session")
    assert house.invoke("link/link-by-session") == first
    assert (first["json"]["secret"], first["json"]["deletion"]) == (None, None)
    other = house.invoke("link/link-by-session", TOKEN="another")
    assert (other["statusCode"], other["json"]["code"]) == (410, "session_used")
    later = bootstrap.now() + timedelta(hours=1)
    monkeypatch.setattr(bootstrap, "now", lambda: later)
    house.functions["link"].ports().questions.namely.__exit__()
    house.functions["link"].ports.cache_clear()
    late = house.invoke("link/link-by-session")
    assert (late["statusCode"], late["json"]["code"]) == (410, "session_expired")


def test_who_comes_during_another_attempt_is_told_how_long_that_may_take(house) -> None:
    account = house.link()["json"]
    now = bootstrap.now()
    attempt = {"id": "a1", "at": now, "until": now + timedelta(seconds=20)}
    stored = {name: {"S": one if name == "id" else timestamp(one)} for name, one in attempt.items()}
    boto3.client("dynamodb").update_item(
        TableName="table",
        Key={"pk": {"S": f"ACCOUNT#{account['id']}"}, "sk": {"S": "ACCOUNT"}},
        UpdateExpression="SET attempt = :attempt ADD fence :one",
        ExpressionAttributeValues={":attempt": {"M": stored}, ":one": {"N": "1"}},
    )
    house.session()
    for file in ("link/link", "link/link-by-session"):
        answer = house.invoke(file)
        assert (answer["statusCode"], answer["json"]["reason"]) == (409, "conflict")
        assert 10 < answer["json"]["retry_after"] <= 20
    assert answer["json"]["attempts_left"] == 5
    assert house.invoke("link/session-current")["json"]["attempts_left"] == 5


def test_only_a_verdict_costs_an_attempt(house, environ, load) -> None:
    environ.setenv("PARK_HOURS", "0")
    house.functions["link"] = load("link")
    house.session()
    house.simulator.outage(True)
    try:
        down = house.invoke("link/link-by-session")
    finally:
        house.simulator.outage(False)
    assert (down["statusCode"], down["json"]["attempts_left"]) == (503, 5)
    refused = house.invoke("link/link-by-session", TOKEN="mistyped")
    assert (refused["statusCode"], refused["json"]["attempts_left"]) == (422, 4)
    assert house.invoke("link/session-current")["json"]["attempts_left"] == 4
    house.functions["link"].ports().questions.namely.__exit__()


def test_a_dry_run_on_the_last_attempt_may_still_be_linked(house, environ, load) -> None:
    environ.setenv("SESSION_ATTEMPTS", "1")
    house.functions["api"] = load("api")
    house.session()
    tried = house.event("link/link-by-session")
    body = json.dumps(json.loads(tried["body"]) | {"dry_run": True})
    assert house.invoke("link/link-by-session", changes={"body": body})["statusCode"] == 200
    mistyped = house.invoke("link/link-by-session", TOKEN="mistyped")
    assert (mistyped["statusCode"], mistyped["json"]["code"]) == (429, "attempts_exhausted")
    assert house.invoke("link/link-by-session")["statusCode"] == 201


def test_a_session_cannot_choose_its_owner(house) -> None:
    house.session()
    body = {"subdomain": "acme", "token": "t", "owner_id": "other"}
    answer = house.invoke("link/link-by-session", changes={"body": json.dumps(body)})
    assert (answer["statusCode"], answer["json"]["field"]) == (400, "owner_id")


def test_a_web_form_goes_back_to_where_the_session_says(house) -> None:
    house.session()
    answer = house.invoke("link/link-form")
    assert answer["statusCode"] == 303
    location = answer["multiValueHeaders"]["Location"][0]
    assert location.startswith("https://app.example.com/done?status=linked&account_id=acc_")


def test_a_refused_web_form_goes_back_with_its_reason(house) -> None:
    house.session()
    answer = house.invoke("link/link-form", TOKEN="mistyped")
    location = answer["multiValueHeaders"]["Location"][0]
    assert location.endswith("?status=failed&code=token_refused&reason=token_unauthorized")


def seen(house, answer) -> str:
    """The page that a browser shows that follows the answer to a form."""
    assert (answer["statusCode"], answer["body"]) == (303, "")
    location = urlsplit(answer["multiValueHeaders"]["Location"][0])
    assert (location.netloc, location.path) == ("", "../result")
    query = parse_qs(location.query)
    page = house.invoke(
        "pages/result",
        changes={
            "queryStringParameters": {name: values[-1] for name, values in query.items()},
            "multiValueQueryStringParameters": query,
        },
    )
    assert page["statusCode"] == 200, page["body"]
    return page["body"]


def form(house, *, locale: str = "", **values: str):
    """Send the plain form of a session without a return address."""
    body = json.dumps({"owner_id": "o1", "owner_name": "Owner One", "locale": locale})
    made = house.invoke("api/make-session", changes={"body": body})["json"]
    return house.invoke("link/link-form", **{"SESSION": made["token"]} | values)


@pytest.mark.parametrize(
    ("token", "says"), [("", "acme.namely.com is now linked"), ("mistyped", "refused the token")]
)
def test_a_web_form_without_a_return_address_leads_to_a_page(house, token: str, says: str) -> None:
    assert says in seen(house, form(house, **({"TOKEN": token} if token else {})))


def test_the_page_speaks_the_session_s_language_and_counts_attempts(house) -> None:
    page = seen(house, form(house, locale="de-AT", TOKEN="mistyped"))
    assert "Verbleibende Versuche mit diesem Link: 4" in page


def test_a_parked_web_form_is_told_so(house) -> None:
    house.simulator.outage(True)
    try:
        answer = form(house)
    finally:
        house.simulator.outage(False)
    assert "finish this for you" in seen(house, answer)


def test_nothing_that_was_typed_stands_in_the_address(house) -> None:
    answer = form(house, SUBDOMAIN="not a site!", TOKEN="mistyped")
    location = answer["multiValueHeaders"]["Location"][0]
    assert location == "../result?outcome=refused&reason=subdomain_malformed"


def test_a_web_form_that_meets_a_fault_of_aws_is_told_so(house, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise StorageError

    monkeypatch.setattr(SessionTable, "session", fail)
    answer = house.invoke("link/link-form")
    location = answer["multiValueHeaders"]["Location"][0]
    assert location == "../result?outcome=refused&reason=storage_unavailable"


def test_an_owner_without_attempts_is_told_when_to_try_again(house, environ, load) -> None:
    environ.setenv("OWNER_ATTEMPTS_PER_HOUR", "1")
    house.functions["link"] = load("link")
    house.link()
    answer = house.link()
    assert (answer["statusCode"], answer["json"]["reason"]) == (429, "owner_attempts_exhausted")
    seconds = answer["json"]["retry_after"]
    assert 0 < seconds <= 3600
    assert answer["multiValueHeaders"]["Retry-After"] == [str(seconds)]
    assert "You can try again in " in seen(house, form(house))
    house.functions["link"].ports().questions.namely.__exit__()


@pytest.mark.parametrize("session", ["none", "", "nls_" + "x" * 43])
def test_a_web_form_without_a_session_leads_to_a_page(house, session: str) -> None:
    assert "not valid" in seen(house, house.invoke("link/link-form", SESSION=session))


def test_the_hub_is_told_what_its_session_is_for(house) -> None:
    made = house.session()
    answer = house.invoke("link/session-current")
    assert answer["json"]["owner"]["name"] == "Owner One"
    assert answer["json"]["subdomain"] == "acme"
    assert answer["json"]["expires_at"] == made["expires_at"]


def test_an_unknown_session_is_refused(house) -> None:
    assert house.invoke("link/session-current")["json"]["code"] == "unauthorized"


def test_a_revoked_session_is_refused(house) -> None:
    house.session()
    house.invoke("api/revoke-session")
    assert house.invoke("link/session-current")["json"]["code"] == "session_used"
    assert house.invoke("link/link-by-session")["json"]["code"] == "session_used"


def test_an_expired_session_is_refused(house, monkeypatch) -> None:
    house.session()
    later = bootstrap.now().replace(year=2100)
    monkeypatch.setattr(bootstrap, "now", lambda: later)
    assert house.invoke("link/session-current")["json"]["code"] == "session_expired"


def test_a_key_is_no_session(house) -> None:
    answer = house.invoke("link/session-current", SESSION=house.values["API_KEY"])
    assert answer["json"]["code"] == "unauthorized"


def test_health_needs_no_bearer(house) -> None:
    assert house.invoke("link/health")["json"] == {"status": "ok", "stack": "stack"}


@pytest.mark.parametrize("file", ["link/link-preflight", "link/session-preflight"])
def test_an_allowed_origin_may_ask(house, file: str) -> None:
    headers = house.invoke(file)["multiValueHeaders"]
    assert headers["Access-Control-Allow-Origin"] == ["https://app.example.com"]


def test_without_allowed_origins_none_may_ask(house, environ, load) -> None:
    environ.setenv("ALLOWED_ORIGINS", "")
    house.functions["link"] = load("link")
    assert "Access-Control-Allow-Origin" not in house.invoke("link/health")["multiValueHeaders"]


def test_an_unknown_path_is_not_found(house) -> None:
    answer = house.invoke("link/health", changes={"resource": "/v1/nothing"})
    assert answer["json"]["code"] == "not_found"


def test_a_fault_of_aws_is_answered_as_storage_unavailable(house, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise StorageError

    monkeypatch.setattr(SessionTable, "session", fail)
    answer = house.invoke("link/session-current")
    assert (answer["statusCode"], answer["json"]["code"]) == (503, "storage_unavailable")


def test_a_bug_is_answered_without_its_message_and_logged_with_its_place(
    house, monkeypatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError(house.values["TOKEN"])

    monkeypatch.setattr(SessionTable, "key", fail)
    answer = house.link()
    assert (answer["statusCode"], answer["json"]["code"]) == (500, "internal_error")
    assert '"where":["' in house.logged()
    assert house.values["TOKEN"] not in house.logged() + answer["body"]


@pytest.mark.parametrize("name", ["acme", "refused-401-json", "unknown-html", "error-500"])
def test_a_planted_token_is_in_no_log_and_no_answer(house, name: str) -> None:
    token = house.simulator.credential(name).token
    answer = house.link(name)
    assert answer["json"]["code" if answer["statusCode"] > 201 else "status"]
    assert token not in json.dumps(answer) + house.logged()
    assert house.logged()

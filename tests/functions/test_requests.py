"""Requests made up from the OpenAPI document: what it allows is done, what breaks it is refused.

They are the same in every run. How an answer looks is checked wherever the house is asked.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from requests import Request
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET

from contract import DOCUMENT, METHODS, operations, resolved
from deployment.api_key import make_key
from namely_link.http import fields as web
from namely_link.http.access import SCOPES
from namely_link.http.bearers import Kind, mint
from templates import ROOT

CALM = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
REGION = "eu-central-1"
FORM = "application/x-www-form-urlencoded"
OPERATIONS = {f"{method} {path}": one for method, path, one in operations()}
WITH_BODY = [
    (name, kind)
    for name, one in OPERATIONS.items()
    for kind in one.get("requestBody", {}).get("content", {})
]

# Bearers are no subject here, else a request might break the document by its bearer alone.
OPEN = json.loads(json.dumps(DOCUMENT))
for _item in OPEN["paths"].values():
    for _method in METHODS:
        _item.get(_method, {}).pop("security", None)
BY_NAME = {
    one.ok().label.lower(): one.ok()
    for one in schemathesis.openapi.from_dict(OPEN).get_all_operations()
}


class Caller:
    """Sends made-up requests as API Gateway would hand them on."""

    def __init__(self, house) -> None:
        self.house = house
        self.house.values["ACCOUNT_ID"] = house.link()["json"]["id"]
        self.session()

    def session(self) -> str:
        self.house.session()
        return self.house.values["SESSION"]

    def real(self, body: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        """The body with values that exist, where it has such as the document allows."""
        known = {
            "subdomain": "acme",
            "token": self.house.values["TOKEN"],
            "account_id": "",
            "session": self.house.values["SESSION"],
        }
        variants = [resolved(one) for one in schema.get("anyOf", [schema])]
        properties = {
            name: one for variant in variants for name, one in variant["properties"].items()
        }
        return body | {
            name: known[name]
            for name in known.keys() & properties.keys() & body.keys()
            if Draft202012Validator(properties[name]).is_valid(body[name])
        }

    def send(self, case: Any) -> Any:
        name = f"{case.method} {case.path}".lower()
        operation, bearer = OPERATIONS[name], self.house.values["API_KEY"]
        ways = {way for one in operation["security"] for way in one}
        body = case.body
        if isinstance(body, dict):
            schema = resolved(operation["requestBody"]["content"][case.media_type]["schema"])
            if "session" in body or "owner_id" not in body:
                self.session()
            body = self.real(body, schema)
            if "connectSession" in ways and "owner_id" not in body:
                bearer = self.house.values["SESSION"]
        elif ways == {"connectSession"}:
            bearer = self.house.values["SESSION"]
        elif ways == {"portalSession"}:
            bearer = self.house.portal()
        case.body = body
        sent = case.as_transport_kwargs(base_url="https://api.example.com")
        sent["headers"] = dict(sent.get("headers") or {})
        if case.media_type != FORM:
            sent["headers"]["Authorization"] = f"Bearer {bearer}"
        names = ("method", "url", "headers", "params", "cookies", "json", "data", "files")
        wire = Request(**{key: sent[key] for key in names if key in sent}).prepare()
        url = urlsplit(wire.url)
        query = parse_qs(url.query, keep_blank_values=True)
        raw = wire.body.encode() if isinstance(wire.body, str) else wire.body
        return self.house.invoke(
            self.file(name),
            changes={
                "headers": dict(wire.headers),
                "multiValueHeaders": {key: [value] for key, value in wire.headers.items()},
                "queryStringParameters": {key: one[-1] for key, one in query.items()} or None,
                "multiValueQueryStringParameters": query or None,
                "body": base64.b64encode(raw).decode() if raw else None,
                "isBase64Encoded": True,
            },
        )

    @staticmethod
    def files() -> list[Path]:
        """The event files of the API's functions, the plainest first."""
        functions = ("api", "link", "pages")
        found = [path for name in functions for path in (ROOT / "events" / name).iterdir()]
        return sorted(found, key=lambda one: (len(one.stem), one))

    @staticmethod
    def file(name: str) -> str:
        """The plainest event file of a route."""
        for path in Caller.files():
            event = json.loads(path.read_text())
            if f"{event['httpMethod']} {event['resource']}".lower() == name:
                return f"{path.parent.name}/{path.stem}"
        raise LookupError(name)


@pytest.fixture
def caller(house) -> Caller:
    return Caller(house)


def run(test: Callable[[Any], None], strategy: Any, examples: int) -> None:
    settings(CALM, max_examples=examples)(given(strategy)(test))()


def made_up(name: str, mode: GenerationMode, kind: str | None = None, **fixed: Any) -> Any:
    """Requests of an operation, those with a body of one media type."""
    cases = BY_NAME[name].as_strategy(generation_mode=mode, **fixed)
    if kind is None:
        return cases
    return cases.filter(lambda case: case.media_type == kind and case.body is not NOT_SET)


def run_all(
    test: Callable[[Any], None], caller: Caller, mode: GenerationMode, examples: int
) -> None:
    """Make up bodies of every operation that has one."""
    for name, kind in WITH_BODY:
        if kind == FORM and mode is GenerationMode.NEGATIVE:
            continue  # a number or an object is a text as soon as it is in a form
        ids = {"id": caller.house.values["ACCOUNT_ID"]} if "{id}" in name else {}
        run(test, made_up(name, mode, kind, path_parameters=ids), examples)


def test_a_body_that_the_document_allows_is_accepted(caller) -> None:
    def test(case: Any) -> None:
        answer = caller.send(case)
        assert answer["statusCode"] in {200, 201, 303}, (case.path, case.body, answer["body"])
        if case.media_type == FORM:
            assert "status=linked" in answer["multiValueHeaders"]["Location"][0], case.body

    run_all(test, caller, GenerationMode.POSITIVE, 10)


def test_a_body_that_breaks_the_document_is_refused(caller) -> None:
    def test(case: Any) -> None:
        answer = caller.send(case)
        assert 400 <= answer["statusCode"] < 500, (case.path, case.body, answer["body"])

    run_all(test, caller, GenerationMode.NEGATIVE, 20)


def test_a_field_that_the_document_has_not_is_refused(caller) -> None:
    def test(case: Any) -> None:
        case.body = dict(case.body) | {"undocumented": "x"}
        answer = caller.send(case)
        if case.media_type == FORM:
            assert "code=invalid_request" in answer["multiValueHeaders"]["Location"][0]
        else:
            refused = (answer["json"]["code"], answer["json"]["field"])
            assert refused == ("invalid_request", "undocumented"), case.path

    run_all(test, caller, GenerationMode.POSITIVE, 2)


def test_every_route_lets_in_whom_the_document_says_and_nobody_else(caller) -> None:
    def key(*scopes: str) -> str:
        return make_key("x", table="table", environ={"AWS_DEFAULT_REGION": REGION}, scopes=scopes)

    house = caller.house
    bearers = {("apiKey", scope): key(scope) for scope in SCOPES}
    bearers |= {("portalSession", rank): house.portal(rank=rank) for rank in ("viewer", "operator")}
    bearers |= {("connectSession", ""): caller.session(), ("", ""): mint(Kind.API_KEY).value}
    for name, operation in OPERATIONS.items():
        asked = {way: needs for one in operation["security"] for way, needs in one.items()}
        for (way, has), bearer in bearers.items():
            values = dict.fromkeys(("API_KEY", "SESSION", "PORTAL"), bearer) | {"ASSET": "x"}
            answer = house.invoke(caller.file(name), **values)
            enough = {has} | ({"viewer"} if has == "operator" else set())
            allowed = way in asked and (not has or enough & set(asked[way]))
            let_in = answer["statusCode"] not in {401, 403}
            assert let_in == bool(allowed or not asked), (name, way, has)


class Asked(dict[str, Any]):
    """The fields of a request, which remember what was asked for."""

    def __init__(self, values: dict[str, Any], names: set[str]) -> None:
        super().__init__(values)
        self.names = names

    def pop(self, name: str, *default: Any) -> Any:
        self.names.add(name)
        return super().pop(name, *default)


def documented(operation: dict[str, Any]) -> set[str]:
    """The fields of an operation's query and bodies."""
    names = {one["name"] for one in operation.get("parameters", [])}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = resolved(content["schema"])
        for one in schema.get("anyOf", [schema]):
            names |= resolved(one)["properties"].keys()
    return names


def test_every_field_that_the_code_reads_is_in_the_document(caller, monkeypatch) -> None:
    names: dict[str, set[str]] = {name: set() for name in OPERATIONS}
    for path in caller.files():
        event = json.loads(path.read_text())
        name = f"{event['httpMethod']} {event['resource']}".lower()
        if name not in OPERATIONS:
            continue  # a preflight
        read = names[name]
        with monkeypatch.context() as patch:
            patch.setattr(
                web.Fields,
                "__init__",
                lambda self, values, read=read: setattr(self, "_values", Asked(values, read)),
            )
            caller.house.invoke(f"{path.parent.name}/{path.stem}", ASSET="x", PORTAL="x")
        caller.session()
    assert names == {name: documented(operation) for name, operation in OPERATIONS.items()}


def test_a_query_that_the_document_allows_is_accepted(caller) -> None:
    def test(case: Any) -> None:
        case.query.pop("cursor", None)  # opaque: it can't be made up
        if case.query.get("subdomain"):
            case.query["subdomain"] = "acme"
        answer = caller.send(case)
        assert answer["statusCode"] == 200, (case.query, answer["body"])

    run(test, made_up("get /v1/accounts", GenerationMode.POSITIVE), 20)


def test_a_query_that_breaks_the_document_is_refused(caller) -> None:
    def test(case: Any) -> None:
        answer = caller.send(case)
        assert 400 <= answer["statusCode"] < 500, (case.query, answer["body"])

    cases = made_up("get /v1/accounts", GenerationMode.NEGATIVE)
    # Lists and objects don't arrive in a query as such.
    flat = cases.filter(
        lambda case: all(isinstance(one, (str, int)) for one in case.query.values())
    )
    run(test, flat, 20)

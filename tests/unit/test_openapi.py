"""The OpenAPI document says what the template routes and what the code knows."""

import json
import re
from typing import Any

import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

import contract
from contract import DOCUMENT, METHODS, operations, resolved, validator
from namely_link.domain.account import AccountWarning, Status
from namely_link.domain.credentials import MAX_TOKEN_LENGTH
from namely_link.domain.problems import Code
from namely_link.http.access import SCOPES
from namely_link.http.bearers import Kind
from namely_link.http.body import MAX_BODY
from namely_link.http.problem_details import STATUS
from templates import TEMPLATE

COMPONENTS = DOCUMENT["components"]
SCHEMAS = COMPONENTS["schemas"]
SECURITY = COMPONENTS["securitySchemes"]
PROBLEMS = {
    name: schema["allOf"][1]["properties"]
    for name, schema in SCHEMAS.items()
    if name.endswith("Problem") and "allOf" in schema
}
RESPONSES = [
    (f"{method} {path}", status, resolved(response))
    for method, path, operation in operations()
    for status, response in operation["responses"].items()
]


def walk(node: Any, *place: str) -> Any:
    """Every object of the document and where it stands."""
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            yield from walk(value, *place, key)
    if isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, *place, str(index))


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_it_has_every_route_of_the_template_and_no_other() -> None:
    routed = {
        (event["Properties"]["Method"].lower(), event["Properties"]["Path"])
        for one in TEMPLATE["Resources"].values()
        if one["Type"] == "AWS::Serverless::Function"
        for event in one["Properties"]["Events"].values()
        if event["Type"] == "Api"
    }
    # Preflights, and what has no route.
    unsaid = {one for one in routed if one[0] in {"options", "any"}}
    assert {(method, path) for method, path, _ in operations()} == routed - unsaid
    assert {key for item in DOCUMENT["paths"].values() for key in item} <= {*METHODS, "parameters"}


def test_every_part_of_a_path_is_described() -> None:
    for method, path, operation in operations():
        parameters = [
            resolved(one)
            for one in DOCUMENT["paths"][path].get("parameters", [])
            + operation.get("parameters", [])
        ]
        named = {one["name"] for one in parameters if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), f"{method} {path}"


def test_every_operation_has_a_name_of_its_own_and_a_summary() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for _, _, operation in operations())


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ([one["bearerFormat"] for one in SECURITY.values()], [f"{kind}…" for kind in Kind]),
        (re.findall(r"(?m)^- `(\w+)`", SECURITY["apiKey"]["description"]), SCOPES),
        (re.findall(r"(?m)^- `(\w+)`", SCHEMAS["Warning"]["description"]), list(AccountWarning)),
        (re.findall(r"(?m)^- `(\w+)`", SCHEMAS["Status"]["description"]), list(Status)),
    ],
)
def test_every_word_of_the_code_is_in_the_document(said, known) -> None:
    assert sorted(said) == sorted(known)


def test_every_scope_that_a_route_asks_for_is_one() -> None:
    asked = {
        scope
        for _, _, operation in operations()
        for way in operation["security"]
        for scope in way.get("apiKey", [])
    }
    assert asked == set(SCOPES)


def test_every_code_is_a_problem_of_some_answer() -> None:
    answered = {
        content["schema"]["$ref"].rpartition("/")[2]
        for _, _, response in RESPONSES
        for kind, content in response.get("content", {}).items()
        if kind == "application/problem+json"
    }
    assert {code for name in answered for code in PROBLEMS[name]["code"]["enum"]} == set(STATUS)


def test_a_problem_stands_at_its_own_status() -> None:
    for where, status, response in RESPONSES:
        content = response.get("content", {}).get("application/problem+json")
        assert bool(content) == (int(status) >= 400), where
        if content:
            name = content["schema"]["$ref"].rpartition("/")[2]
            assert PROBLEMS[name]["status"]["const"] == int(status), where


def test_every_example_fits_its_schema() -> None:
    seen = 0
    for place, media in walk(DOCUMENT):
        if "schema" not in media or not {"example", "examples"} & set(media):
            continue
        examples = [resolved(one)["value"] for one in media.get("examples", {}).values()]
        for example in examples + [media[key] for key in media if key == "example"]:
            validator(*place, "schema").validate(example)
            seen += 1
    assert seen > len(Code)


def test_every_object_that_a_request_may_hold_is_closed() -> None:
    for method, path, operation in operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = resolved(content["schema"])
            for one in map(resolved, schema.get("anyOf", [schema])):
                assert one["additionalProperties"] is False, f"{method} {path}"


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{MAX_BODY // 1024} KiB" in DOCUMENT["info"]["description"]
    token = SCHEMAS["LinkByOwner"]["properties"]["token"]["description"]
    assert f"up to {MAX_TOKEN_LENGTH} characters" in token


def test_what_the_gateway_itself_answers_is_a_problem_of_the_document() -> None:
    answers = TEMPLATE["Resources"]["Api"]["Properties"]["GatewayResponses"]
    for name, one in answers.items():
        kind = one["ResponseParameters"]["Headers"]["Content-Type"].strip("'")
        for body in one["ResponseTemplates"].values():
            problem = json.loads(body)
            validator("components", "schemas", "Problem").validate(problem)
            for where, status, response in RESPONSES:
                if int(status) == problem["status"]:
                    assert kind in response["content"], (name, where)


def answer(status: int, body: object, **headers: str) -> dict[str, Any]:
    kind = "application/problem+json" if status >= 400 else "application/json"
    listed = {"Content-Type": [kind]} | {name: [value] for name, value in headers.items()}
    return {"statusCode": status, "body": json.dumps(body), "multiValueHeaders": listed}


GET_HEALTH = {"httpMethod": "GET", "resource": "/v1/health"}
HEALTHY = {"status": "ok", "stack": "s"}


def test_an_answer_that_fits_passes() -> None:
    contract.check(GET_HEALTH, answer(200, HEALTHY))


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        (GET_HEALTH, answer(200, HEALTHY | {"more": 1})),
        (GET_HEALTH, answer(200, {"status": "ok"})),
        (GET_HEALTH, answer(201, HEALTHY)),
        (GET_HEALTH, answer(200, HEALTHY, **{"Content-Type": "text/plain"})),
        (GET_HEALTH, answer(500, COMPONENTS["examples"]["not_found"]["value"])),
        (GET_HEALTH | {"resource": "/v1/nothing"}, answer(200, HEALTHY)),
        (
            GET_HEALTH | {"resource": "/v1/portal-sessions/current"},
            answer(401, COMPONENTS["examples"]["unauthorized"]["value"]),
        ),
        (
            GET_HEALTH | {"resource": "/v1/accounts"},
            answer(
                503, COMPONENTS["examples"]["storage_unavailable"]["value"], **{"Retry-After": "1"}
            ),
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_noticed(event, wrong) -> None:
    with pytest.raises((AssertionError, ValidationError)):
        contract.check(event, wrong)

"""The OpenAPI document, and whether an answer fits it."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from templates import ROOT

METHODS = ("get", "post", "patch", "delete")
DOCUMENT: dict[str, Any] = json.loads((ROOT / "functions/api/openapi.json").read_text())
_NAME = "urn:namely-link:openapi"
_REGISTRY = Registry().with_resource(_NAME, Resource(contents=DOCUMENT, specification=DRAFT202012))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every method (lower case), path and operation."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def resolved(one: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for; anything else is itself."""
    found: Any = one
    while "$ref" in found:
        target = found["$ref"]
        found = DOCUMENT
        for part in target.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


@cache
def validator(*place: str) -> Draft202012Validator:
    """Judges by the schema at a place of the document."""
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in place)
    return Draft202012Validator(
        {"$ref": f"{_NAME}#/{pointer}"}, registry=_REGISTRY, format_checker=FormatChecker()
    )


def _place(response: dict[str, Any], *place: str) -> tuple[str, ...]:
    """Where a response stands, past its reference."""
    return tuple(response["$ref"].removeprefix("#/").split("/")) if "$ref" in response else place


def check(event: dict[str, Any], answer: dict[str, Any]) -> None:
    """Refuse an answer whose status, headers or body the document does not promise."""
    method, path = event["httpMethod"].lower(), event["resource"]
    if method == "options":
        return
    headers = {name.lower(): values[0] for name, values in answer["multiValueHeaders"].items()}
    kind = headers.get("content-type", "").partition(";")[0]
    if method not in DOCUMENT["paths"].get(path, {}):
        assert (answer["statusCode"], kind) == (404, "application/problem+json")
        validator("components", "schemas", "NotFoundProblem").validate(json.loads(answer["body"]))
        return
    status = str(answer["statusCode"])
    responses = DOCUMENT["paths"][path][method]["responses"]
    assert status in responses, f"{method} {path} answers {status}: {answer['body'][:500]}"
    response = resolved(responses[status])
    for name, header in response.get("headers", {}).items():
        assert not header.get("required") or name.lower() in headers, f"{name} is missing"
    if status == "401":  # which API Gateway may rename behind the function
        assert "www-authenticate" in headers
    if "content" not in response:
        assert not answer["body"]
        return
    assert kind in response["content"], f"{method} {path} answers {status} as {kind}"
    if kind.endswith("json"):
        place = _place(responses[status], "paths", path, method, "responses", status)
        body = json.loads(answer["body"])
        validator(*place, "content", kind, "schema").validate(body)
        json.dumps(body, ensure_ascii=False).encode()  # no halves of characters behind escapes
    if kind == "application/problem+json":
        problem = json.loads(answer["body"])
        assert (problem["status"], problem.get("retry_after")) == (
            answer["statusCode"],
            int(headers["retry-after"]) if "retry-after" in headers else None,
        )

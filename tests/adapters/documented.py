"""What the adapters call, read from their code, and what AWS may answer, read from botocore.

`python tests/adapters/documented.py` writes `documented_errors.json` anew: read what is new there,
and whether `test_documented_errors.py` must say something of it.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.loaders import Loader
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

KEPT = Path(__file__).with_name("documented_errors.json")
ADAPTERS = Path(__file__).parents[2] / "layers" / "shared" / "namely_link" / "aws"
STUBS = "mypy_boto3_"
LOADER = Loader()

SEALERS = ("dynamodb", "secretsmanager", "sqs")
"""Services that call KMS for us, and may pass on what it answers."""

COMMON = (
    *("AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "InternalFailure"),
    *("InternalServerException", "InvalidClientTokenId", "InvalidSignatureException"),
    *("MalformedHttpRequestException", "MissingAuthenticationToken", "NotAuthorized"),
    *("OptInRequired", "RequestAbortedException", "RequestEntityTooLargeException"),
    *("RequestExpired", "RequestTimeoutException", "SerializationException"),
    *("ServiceUnavailable", "ThrottlingException", "UnrecognizedClientException"),
    *("UnknownOperationException", "ValidationError", "ValidationException"),
)
"""What AWS's page of errors that all services have in common lists: no model of botocore does."""


def model(service: str) -> dict[str, Any]:
    return LOADER.load_service_model(service, "service-2")


def _service(tree: ast.Module) -> str:
    """Return the service of a module: that of its stubs, or the table's, which it asks."""
    modules = {one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    named = {one.removeprefix(STUBS) for one in modules if one.startswith(STUBS)}
    return named.pop().partition(".")[0] if named else "dynamodb"


def _called(node: ast.AST) -> str:
    """Return the method of a client that a node calls, '' where it calls none."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(attr="client") | ast.Name(id="client"), attr=method
            ),
            args=arguments,
        ):
            if method == "get_paginator":
                (name,) = arguments
                return str(ast.literal_eval(name))
            return method
        case _:
            return ""


def _functions(node: ast.AST, within: str) -> Iterator[tuple[str, ast.AST]]:
    """Return each function of a module, by its full name."""
    for one in ast.iter_child_nodes(node):
        match one:
            case ast.ClassDef(name=name):
                yield from _functions(one, f"{within}.{name}")
            case ast.FunctionDef(name=name):
                yield f"{within}.{name}", one


def calls() -> dict[tuple[str, str], str]:
    """Return the service of each call, by its function and the operation's name."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted(ADAPTERS.glob("*.py")):
        tree = ast.parse(path.read_text())
        service = _service(tree)
        names = {xform_name(one): one for one in model(service)["operations"]}
        for function, body in _functions(tree, path.stem):
            for method in filter(None, map(_called, ast.walk(body))):
                found[function, names[method]] = service
    return found


def errors(service: str, operation: str) -> list[str]:
    """Return the errors that an operation documents."""
    return sorted(one["shape"] for one in model(service)["operations"][operation].get("errors", []))


def reasons() -> list[str]:
    """Return the codes of why a transaction was cancelled, without that of no reason."""
    text = model("dynamodb")["shapes"]["TransactionCanceledException"]["documentation"]
    return sorted(set(re.findall(r"Code: <code>(\w+)</code>", text)) - {"None"})


def entry_errors() -> dict[str, list[str]]:
    """Return the codes of an event that was not put: those that may pass, and those that don't."""
    members = model("events")["shapes"]["PutEventsResultEntry"]["members"]
    passing, final = members["ErrorCode"]["documentation"].split("Non-retryable")
    code = r"<code>\s*(?:<a [^>]*>)?(\w+)"
    return {"passing": re.findall(code, passing), "final": re.findall(code, final)}


def documented() -> dict[str, Any]:
    """Return all that botocore documents of what the adapters call."""
    made = sorted({(service, operation) for (_, operation), service in calls().items()})
    return {
        "operations": {f"{service} {name}": errors(service, name) for service, name in made},
        "reasons of a cancelled transaction": reasons(),
        "events that were not put": entry_errors(),
    }


def codes(service: str, operation: str) -> set[str]:
    """Return every code that a call may be answered with."""
    known = {*errors(service, operation), *COMMON}
    known |= {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES}
    known |= {*TransientRetryableChecker._TRANSIENT_ERROR_CODES}
    if service in SEALERS:
        for name in ("Encrypt", "Decrypt", "GenerateDataKey"):
            known |= {*errors("kms", name)}
    return known


if __name__ == "__main__":
    KEPT.write_text(json.dumps(documented(), indent=1) + "\n")

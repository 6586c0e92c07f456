"""The files that are made from the shapes, each with its text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from namely_link.domain.lifecycle import EventType
from namely_link.domain.problems import Code
from namely_link.http import documents, problem_details
from shapes import declared, examples, parts, problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shapes.declared import Named, Schema

ROOT = Path(__file__).parents[1]
_SOURCE = Path(__file__).parent / "api.yaml"
_PAGES = "functions/pages/web/accounts"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ROOTS = (
    *(documents.Account, documents.DryRun, documents.LedgerEntry),
    *(documents.NewConnectSession, documents.ConnectSession),
    *(documents.NewPortalSession, documents.PortalSession),
    problem_details.Problem,
)
"""The shapes that answers are; what they are made of follows from them."""


def made() -> dict[str, str]:
    """Return the text of each file by its path."""
    source: dict[str, Any] = yaml.safe_load(_SOURCE.read_text(encoding="utf-8"))
    requests = source.pop("x-requests")
    components = _components()
    files: dict[str, Any] = {
        "functions/api/openapi.json": _openapi(source, components),
        "events/publish/stream.json": examples.stream(),
        "events/check/queue.json": examples.checks(),
        "events/webhook/event.json": examples.webhook(times=1),
        "events/webhook/again.json": examples.webhook(times=4),
        "events/schemas/account.json": _titled("Account", declared.whole(documents.Account)),
    }
    for kind in EventType:
        files[_schema_of(kind)] = _titled(kind, _event(kind))
    for kind, said in requests.items():
        files[_schema_of(kind)] = _titled(kind, said["schema"])
        for file, detail in said["samples"].items():
            files[f"events/intake/{file}.json"] = examples.request(kind, detail)
    return {path: _json(value) for path, value in files.items()} | {
        path: parts.filled((ROOT / path).read_text(encoding="utf-8"), name, part)
        for path, name, part in (
            ("README.md", "warnings", parts.warnings()),
            ("docs/api.md", "account", parts.account_fields(components)),
            ("docs/events.md", "events", parts.events()),
            (f"{_PAGES}/accounts-api.js", "types", parts.script_types(components)),
        )
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _schema_of(kind: str) -> str:
    return f"events/schemas/{kind.lower().replace(' ', '-')}.json"


def _titled(title: str, schema: Schema) -> Schema:
    name = title.lower().replace(" ", "-")
    return {"$schema": _DIALECT, "$id": f"urn:namely-link:schema:{name}", "title": title} | schema


# The OpenAPI document


def _openapi(source: dict[str, Any], of_answers: Mapping[str, Schema]) -> dict[str, Any]:
    components = source["components"]
    shown = problems.examples()
    components["examples"] = examples.shown() | shown
    of_problems = {
        f"{name}Problem": problems.schema([Code(code) for code in said["x-codes"]])
        for name, said in components["responses"].items()
    }
    components["schemas"] = {**of_answers, **of_problems, **components["schemas"]}
    components["responses"] = {
        name: problems.response(name, said, shown) for name, said in components["responses"].items()
    }
    return source


def _components() -> dict[str, Schema]:
    """Return the schema of each shape that an answer is, and of all that they are made of."""
    found: dict[str, Schema] = {}

    def refer(shape: Named) -> Schema:
        name = declared.name(shape)
        if name not in found:
            found[name] = {}
            found[name] = declared.definition(shape, refer)
        return {"$ref": f"#/components/schemas/{name}"}

    for root in _ROOTS:
        refer(root)
    return dict(sorted(found.items()))


# Events


def _event(kind: EventType) -> Schema:
    def refer(shape: Named) -> Schema:
        if shape is documents.Account:
            return {"$ref": "urn:namely-link:schema:account"}
        return declared.definition(shape, refer)

    text = declared.of(EventType, kind.name)
    return declared.definition(declared.of_event(kind), refer) | {
        "description": " ".join(text.split())
    }

"""The JSON Schemas of the events, and whether a detail fits its own."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

ROOT = Path(__file__).parents[1]
SCHEMAS = {
    one["title"]: one
    for one in (json.loads(path.read_text()) for path in (ROOT / "events/schemas").glob("*.json"))
}
REGISTRY = Registry().with_resources(
    [(one["$id"], Resource.from_contents(one)) for one in SCHEMAS.values()]
)


def validate(kind: str, detail: object) -> None:
    Draft202012Validator(SCHEMAS[kind], registry=REGISTRY, format_checker=FormatChecker()).validate(
        detail
    )

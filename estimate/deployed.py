"""What `template.yaml` says of a deployment, with its parameters' defaults, in us-east-1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from estimate.capacity import Index
from templates import ROOT, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
STACK: Final = "namely-link"
KEY: Final = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
_DEFAULTS: Final = {name: one.get("Default", "") for name, one in TEMPLATE["Parameters"].items()}
_CHOSEN: Final = {name: str(value) for name, value in _DEFAULTS.items()}


def physical(name: str) -> str:
    """Return a name as CloudFormation makes one, of a resource that has none of its own."""
    return f"{STACK}-{name}-1A2B3C4D5E6F7"


def _resolved(value: Any, names: Mapping[str, str]) -> str | None:  # noqa: ANN401 - as in YAML
    match value:
        case {"Ref": "AWS::NoValue"}:
            return None
        case {"Ref": name} | {"GetAtt": name}:
            return _named(name, names)
        case {"Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: _named(found[1], names), text)
        case {"If": [condition, yes, no]}:
            return _resolved(yes if _holds(condition, names) else no, names)
        case _:
            return str(value)


def _named(name: str, names: Mapping[str, str]) -> str:
    pseudo = {
        "AWS::StackName": STACK,
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
    }
    return pseudo.get(name) or names.get(name, physical(name))


def _holds(condition: str, names: Mapping[str, str]) -> bool:
    def true(rule: Any) -> bool:  # noqa: ANN401 - as in YAML
        match rule:
            case {"Not": [inner]}:
                return not true(inner)
            case {"Equals": [one, other]}:
                return _resolved(one, names) == _resolved(other, names)
            case {"And": inner}:
                return all(true(one) for one in inner)
            case {"Or": inner}:
                return any(true(one) for one in inner)
            case {"Condition": name}:
                return _holds(name, names)
            case _:
                msg = f"a condition that is not understood: {rule}"
                raise ValueError(msg)

    return true(TEMPLATE["Conditions"][condition])


RESOURCES: Final[dict[str, Any]] = {
    name: one
    for name, one in TEMPLATE["Resources"].items()
    if "Condition" not in one or _holds(one["Condition"], _CHOSEN)
}
"""The resources that are made when nothing else is chosen."""
FUNCTIONS: Final = {
    name.removesuffix("Function").lower(): one["Properties"]
    for name, one in RESOURCES.items()
    if one["Type"] == "AWS::Serverless::Function"
}
"""The properties of each function, by the name of its folder."""

INDEXES: Final = [
    Index(
        one["IndexName"],
        tuple(key["AttributeName"] for key in one["KeySchema"]),
        one["Projection"]["ProjectionType"] == "ALL",
    )
    for one in RESOURCES["Table"]["Properties"]["GlobalSecondaryIndexes"]
]


def parameter(name: str) -> Any:  # noqa: ANN401 - a string or a number
    """Return the default of a parameter."""
    return _DEFAULTS[name]


def memory(function: str) -> int:
    """Return the megabytes that a function has."""
    shared: int = TEMPLATE["Globals"]["Function"]["MemorySize"]
    return int(FUNCTIONS[function].get("MemorySize", shared))


def events(function: str) -> dict[str, Any]:
    """Return what calls a function."""
    return dict(FUNCTIONS[function]["Events"])


def count(kind: str) -> int:
    """Return how many resources of a kind there are."""
    return sum(one["Type"] == kind for one in RESOURCES.values())


def environment(function: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a function; `known` has resources and parameters by name."""
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    own = FUNCTIONS[function]["Environment"]["Variables"]
    names = _CHOSEN | dict(known)
    found = {key: _resolved(value, names) for key, value in (shared | own).items()}
    return {key: value for key, value in found.items() if value is not None}


def metrics() -> set[tuple[str, str]]:
    """Return the metrics of our own, each with the function that counts it."""
    counted = re.compile(r'(?:name=|name = |_count\(|else )"([A-Z]\w+)"')
    return {
        (function, name)
        for function in FUNCTIONS
        for name in counted.findall((ROOT / "functions" / function / "app.py").read_text())
    }

"""What template.yaml says of its parameters, so that a wrong one is told before AWS is asked."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped] # has no types
from samtranslator.translator.translator import (  # type: ignore[import-untyped] # has no types
    Translator,
)
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped] # has no types

from deployment.target import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HIDDEN: Final = "****"
"""What CloudFormation and we show of a NoEcho parameter; also a value that nobody knows."""


class _UndecidedError(Exception):
    """A rule hangs on a value that is not known here."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of the template; `default` is None where it must be given."""

    name: str
    description: str = ""
    default: str | None = None
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    longest: int = 4096
    least: float | None = None
    most: float | None = None
    number: bool = False
    secret: bool = False

    def fault(self, value: str) -> str:
        """Return what is wrong with a value, '' for nothing."""
        if len(value.encode()) > 4096 or len(value) > self.longest:
            return f"is longer than {self.longest:,} bytes"
        if self.allowed and value not in self.allowed:
            return f"must be one of: {', '.join(self.allowed)}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return f"must match {self.pattern}"
        if self.number:
            return self._number_fault(value)
        return ""

    def _number_fault(self, value: str) -> str:
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return "must be a number"
        if self.least is not None and float(value) < self.least:
            return f"must be at least {self.least:g}"
        if self.most is not None and float(value) > self.most:
            return f"must be at most {self.most:g}"
        return ""

    def shown(self, value: str) -> str:
        """Return a value as people may see it."""
        return HIDDEN if self.secret else value or "(empty)"


@dataclass(frozen=True, kw_only=True)
class Template:
    """The template's parameters and rules, and how large it is when SAM has transformed it."""

    parameters: Mapping[str, Parameter]
    rules: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a template."""
        source = yaml_parse(path.read_text())
        found = source.get("Parameters", {})
        return cls(
            parameters={name: _parameter(name, said) for name, said in found.items()},
            rules=source.get("Rules", {}),
            source=source,
        )

    def unknown(self, names: Mapping[str, str]) -> list[str]:
        """Return the names that are no parameters."""
        return [name for name in names if name not in self.parameters]

    def faults(self, values: Mapping[str, str]) -> list[str]:
        """Return what is wrong with values, a sentence each; HIDDEN ones are taken as right."""
        found = [
            f"{name} {fault}."
            for name, value in values.items()
            if value != HIDDEN and (fault := self.parameters[name].fault(value))
        ]
        return found or list(self._broken(values))

    def _broken(self, values: Mapping[str, str]) -> Iterator[str]:
        """Give the sentence of each assertion that does not hold."""
        for rule in self.rules.values():
            if "RuleCondition" in rule and not _holds(rule["RuleCondition"], values, unknown=False):
                continue
            for one in rule["Assertions"]:
                if not _holds(one["Assert"], values, unknown=True):
                    yield f"{one['AssertDescription']}."

    def transformed(self, region: str) -> tuple[int, int]:
        """Return how many resources and bytes it has when SAM has transformed it."""
        source = json.loads(json.dumps(self.source))
        for resource in source["Resources"].values():
            for key in ("CodeUri", "ContentUri", "DefinitionUri"):
                if isinstance(resource.get("Properties", {}).get(key), str):
                    # As long as those in the bucket that SAM makes.
                    bucket = f"aws-sam-cli-managed-default-samclisourcebucket-{'0' * 12}"
                    resource["Properties"][key] = f"s3://{bucket}/{'0' * 32}"
        logging.getLogger("samtranslator").setLevel(logging.ERROR)
        done = Translator({}, Parser(), boto_session=boto3.Session(region_name=region)).translate(
            source, {}
        )
        return len(done["Resources"]), len(json.dumps(done, separators=(",", ":")))


def _parameter(name: str, said: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        description=said.get("Description", ""),
        default=str(said["Default"]) if "Default" in said else None,
        allowed=tuple(str(one) for one in said.get("AllowedValues", ())),
        pattern=said.get("AllowedPattern", ""),
        longest=int(said.get("MaxLength", 4096)),
        least=said.get("MinValue"),
        most=said.get("MaxValue"),
        number=said.get("Type") == "Number",
        secret=str(said.get("NoEcho", False)).lower() == "true",
    )


def _holds(said: object, values: Mapping[str, str], *, unknown: bool) -> bool:
    """Return whether a condition of a rule holds, `unknown` where that can't be told here."""
    try:
        return bool(_value(said, values))
    except _UndecidedError:
        return unknown


def _value(said: object, values: Mapping[str, str]) -> object:
    """Compute a function that rules may use, as CloudFormation does.

    Raises:
        _UndecidedError: a value is not known, or the function is not.
    """
    if isinstance(said, list):
        return [_value(one, values) for one in said]
    if not isinstance(said, dict):
        return str(said)
    ((name, given),) = said.items()
    if name == "Ref":
        if values.get(given, HIDDEN) == HIDDEN:
            raise _UndecidedError
        return values[given]
    if name in {"Fn::And", "Fn::Or"}:
        return _joined(given, values, decisive=name == "Fn::Or")
    match name, _value(given, values):
        case "Fn::Equals", [one, other]:
            return one == other
        case "Fn::Not", [one]:
            return not one
        case "Fn::Contains", [list() as those, one]:
            return one in those
    raise _UndecidedError


def _joined(given: list[object], values: Mapping[str, str], *, decisive: bool) -> bool:
    """Join conditions: one that is `decisive` decides, also beside others that are not known."""
    undecided = False
    for one in given:
        try:
            if bool(_value(one, values)) is decisive:
                return decisive
        except _UndecidedError:
            undecided = True
    if undecided:
        raise _UndecidedError
    return not decisive


def check(template: Template, values: Mapping[str, str]) -> None:
    """Refuse values that CloudFormation would refuse.

    Raises:
        CommandError: it names all that is wrong.
    """
    if faults := template.faults(values):
        raise CommandError("\n".join(["The parameters can't be right:", *faults]))

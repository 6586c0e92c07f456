"""DynamoDB's expressions, as far as the product uses them: conditions, filters and updates.

An expression is parsed once and kept as functions of an item, its `#names` and its `:values`.
Items are what travels over the wire: `{"status": {"S": "active"}}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from simulation.errors import error

if TYPE_CHECKING:
    from collections.abc import Callable

type Item = dict[str, Any]
type Names = dict[str, str]
type Values = dict[str, Any]
type Operand = Callable[[Item, Names, Values], Any]
type Condition = Callable[[Item, Names, Values], bool]

_TOKEN: Final = re.compile(r"\s*(<>|<=|>=|[=<>(),+]|-(?=\s)|[#:]?[A-Za-z_][A-Za-z0-9_.#]*)")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda one, two: one == two,
    "<>": lambda one, two: one != two,
    "<": lambda one, two: one < two,
    "<=": lambda one, two: one <= two,
    ">": lambda one, two: one > two,
    ">=": lambda one, two: one >= two,
}


def plain(value: Any) -> Any:
    """Return a value of the wire as one that can be compared; None for an absent one."""
    if value is None:
        return None
    ((kind, inner),) = value.items()
    match kind:
        case "N":
            return ("N", Decimal(inner))
        case "M":
            return ("M", {key: plain(one) for key, one in inner.items()})
        case "L":
            return ("L", [plain(one) for one in inner])
        case _:
            return (kind, inner)


@dataclass(frozen=True)
class Action:
    """One change of an update: to a path, from a value; `kind` is SET, REMOVE or ADD."""

    kind: str
    path: str
    value: Operand | None = None


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if not found:
                raise _invalid(f"{text[at:]!r} is not understood")
            self.tokens.append(found[1])
            at = found.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token.upper() != expected):
            raise _invalid(f"{self.text!r}: {expected or 'more'} is missing at {token!r}")
        self.at += 1
        return token

    def condition(self) -> Condition:
        parts = [self._all()]
        while self.peek().upper() == "OR":
            self.take()
            parts.append(self._all())
        if len(parts) == 1:
            return parts[0]
        return lambda item, names, values: any(one(item, names, values) for one in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self.peek().upper() == "AND":
            self.take()
            parts.append(self._one())
        if len(parts) == 1:
            return parts[0]
        return lambda item, names, values: all(one(item, names, values) for one in parts)

    def _one(self) -> Condition:
        token = self.peek()
        if token.upper() == "NOT":
            self.take()
            inner = self._one()
            return lambda item, names, values: not inner(item, names, values)
        if token == "(":
            self.take()
            inner = self.condition()
            self.take(")")
            return inner
        if token.startswith(("attribute_", "begins_with")):
            return self._function(self.take())
        return self._comparison()

    def _function(self, name: str) -> Condition:
        self.take("(")
        first = self.operand()
        match name:
            case "attribute_exists":
                self.take(")")
                return lambda *given: first(*given) is not None
            case "attribute_not_exists":
                self.take(")")
                return lambda *given: first(*given) is None
            case "begins_with":
                self.take(",")
                second = self.operand()
                self.take(")")

                def begins(*given: Any) -> bool:
                    one, two = first(*given), second(*given)
                    return bool(one) and "S" in one and one["S"].startswith(two["S"])

                return begins
            case _:
                raise _invalid(f"{name} is not known here")

    def _comparison(self) -> Condition:
        first, compare = self.operand(), _COMPARE.get(self.take())
        if compare is None:
            raise _invalid(f"{self.text!r}: no comparison")
        second = self.operand()

        def holds(*given: Any) -> bool:
            one, two = first(*given), second(*given)
            if one is None or two is None:
                # An absent attribute is unequal to everything and not comparable with anything.
                return compare is _COMPARE["<>"] and one is not two
            one, two = plain(one), plain(two)
            if one[0] != two[0]:
                return compare is _COMPARE["<>"]
            return compare(one[1], two[1])

        return holds

    def operand(self) -> Operand:
        token = self.take()
        if token.startswith(":"):

            def value(_item: Item, _names: Names, values: Values) -> Any:
                if token not in values:
                    raise _invalid(f"{token} is not given")
                return values[token]

            return value
        if token == "if_not_exists":
            self.take("(")
            path = self.operand()
            self.take(",")
            other = self.operand()
            self.take(")")

            def either(*given: Any) -> Any:
                found = path(*given)
                return other(*given) if found is None else found

            return either
        return lambda item, names, _values: _at(item, _path(token, names))

    def actions(self) -> list[Action]:
        found: list[Action] = []
        while self.peek():
            kind = self.take().upper()
            if kind not in {"SET", "REMOVE", "ADD"}:
                raise _invalid(f"{kind} is not known here")
            while True:
                path = self.take()
                value = None
                if kind == "SET":
                    self.take("=")
                    value = self._sum()
                elif kind == "ADD":
                    value = self.operand()
                found.append(Action(kind, path, value))
                if self.peek() != ",":
                    break
                self.take()
        return found

    def _sum(self) -> Operand:
        first = self.operand()
        if self.peek() not in {"+", "-"}:
            return first
        sign = 1 if self.take() == "+" else -1
        second = self.operand()

        def total(*given: Any) -> Any:
            one, two = first(*given), second(*given)
            if one is None or two is None:
                raise _invalid("an operand of a sum is missing")
            return {"N": str(Decimal(one["N"]) + sign * Decimal(two["N"]))}

        return total


def _invalid(message: str) -> Exception:
    return error("ValidationException", message)


def _path(text: str, names: Names) -> list[str]:
    parts = []
    for part in text.split("."):
        if part.startswith("#") and part not in names:
            raise _invalid(f"{part} is not given")
        parts.append(names[part] if part.startswith("#") else part)
    return parts


def _at(item: Item, path: list[str]) -> Any:
    value: Any = item.get(path[0])
    for part in path[1:]:
        if value is None or "M" not in value:
            return None
        value = value["M"].get(part)
    return value


@cache
def _condition(text: str) -> tuple[Condition, frozenset[str]]:
    parser = _Parser(text)
    parsed = parser.condition()
    if parser.peek():
        raise _invalid(f"{text!r}: {parser.peek()!r} is too much")
    return parsed, _given(parser)


@cache
def _actions(text: str) -> tuple[list[Action], frozenset[str]]:
    parser = _Parser(text)
    return parser.actions(), _given(parser)


def _given(parser: _Parser) -> frozenset[str]:
    parts = (part for token in parser.tokens for part in token.split("."))
    return frozenset(part for part in parts if part[0] in "#:")


def check_given(
    *texts: str | None, names: Names, values: Values, update: str | None = None
) -> None:
    """Refuse names and values that no expression uses, as DynamoDB does."""
    used: set[str] = set()
    for text in texts:
        if text:
            used |= _condition(text)[1]
    if update:
        used |= _actions(update)[1]
    for one in (*names, *values):
        if one not in used:
            raise _invalid(f"{one} is not used")


def holds(text: str | None, item: Item | None, names: Names, values: Values) -> bool:
    """Whether a condition holds for an item; None is an item that is not there."""
    return not text or _condition(text)[0](item or {}, names, values)


def updated(text: str, item: Item, names: Names, values: Values) -> Item:
    """Return the item as an update leaves it; all its values are read from before."""
    after = dict(item)
    for action in _actions(text)[0]:
        path = _path(action.path, names)
        value = action.value(item, names, values) if action.value else None
        if action.kind == "ADD":
            before = _at(item, path)
            value = {"N": str(Decimal(value["N"]) + Decimal(before["N"] if before else 0))}
        elif action.kind == "SET" and value is None:
            raise _invalid(f"{action.path}: the value is not there")
        target = after
        for part in path[:-1]:
            if part not in target or "M" not in target[part]:
                raise _invalid(f"{action.path}: the path is not there")
            inner = dict(target[part]["M"])
            target[part] = {"M": inner}
            target = inner
        if action.kind == "REMOVE":
            target.pop(path[-1], None)
        else:
            target[path[-1]] = value
    return after

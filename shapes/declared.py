"""JSON Schemas of what the code declares: TypedDicts, enumerations and named types."""

from __future__ import annotations

import ast
import inspect
import sys
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypeAliasType,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from namely_link.domain.probe import CAPABILITIES
from namely_link.http import documents

if TYPE_CHECKING:
    from collections.abc import Callable

type Schema = dict[str, Any]
type Named = type | TypeAliasType
type Refer = Callable[[Named], Schema]
"""Returns what stands for a named shape: a reference to it, or all of it."""

_PLAIN = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}
_NAMES = {"AccountWarning": "Warning", "AccountType": "Type"}


def name(shape: Named) -> str:
    """Return the name of a shape outside of the code."""
    return _NAMES.get(shape.__name__, shape.__name__)


def schema(hint: Any, refer: Refer) -> Schema:  # noqa: ANN401 - any annotation
    """Return the schema of an annotation; `refer` is asked for what has a name."""
    if isinstance(hint, type) and hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, TypeAliasType):
        scalar = get_origin(hint.__value__) is Annotated
        return schema(hint.__value__, refer) if scalar else refer(hint)
    if is_typeddict(hint) or (isinstance(hint, type) and issubclass(hint, StrEnum)):
        return refer(hint)
    inner = get_args(hint)
    match get_origin(hint):
        case kind if kind is Annotated and isinstance(inner[1], dict):
            return schema(inner[0], refer) | inner[1]
        case kind if kind is Annotated:  # a text that a later release may have added to
            return refer(inner[1])
        case kind if kind in {Union, UnionType}:
            return {"anyOf": [schema(one, refer) for one in inner]}
        case kind if kind is Literal:
            one_only = len(inner) == 1
            return {"const": inner[0]} if one_only else {"type": "string", "enum": list(inner)}
        case kind if kind is list:
            return {"type": "array", "items": schema(inner[0], refer)}
        case kind if kind is dict:
            return {"type": "object", "additionalProperties": schema(inner[1], refer)}
        case kind if kind is NotRequired:
            return schema(inner[0], refer)
    msg = f"no schema for {hint}"
    raise TypeError(msg)


def definition(shape: Named, refer: Refer) -> Schema:
    """Return the schema of a named shape, with what the code says of it."""
    if isinstance(shape, TypeAliasType):
        made = schema(shape.__value__, refer) | _described(
            said(shape.__module__ or "", shape.__name__)
        )
        if shape is documents.Capabilities:
            of_each = made["additionalProperties"]
            made = {"properties": dict.fromkeys(CAPABILITIES, of_each)} | made
        return made
    if issubclass(shape, StrEnum):
        return {"type": "string", "enum": [str(one) for one in shape]} | _described(_words(shape))
    hints = get_type_hints(shape, include_extras=True)
    fields = {
        field: schema(hint, refer) | _described(of(shape, field)) for field, hint in hints.items()
    }
    required: frozenset[str] = shape.__required_keys__  # type: ignore[attr-defined]  # of a TypedDict
    return {
        "type": "object",
        **_described(inspect.getdoc(shape) or ""),
        "required": [field for field in fields if field in required],
        "additionalProperties": False,
        "properties": fields,
    }


def whole(shape: Named) -> Schema:
    """Return the schema of a shape with all that it is made of."""
    return definition(shape, whole)


def of_event(kind: str) -> type:
    """Return the shape of an event's detail: one of its own, or that of most events."""
    own: type = getattr(documents, kind.replace(" ", ""), documents.AccountEvent)
    return own


def _described(text: str) -> Schema:
    """Return a description: paragraphs, each on one line, but for lists."""
    parts = [
        part if "\n- " in f"\n{part}" else " ".join(part.split()) for part in text.split("\n\n")
    ]
    return {"description": "\n\n".join(parts)} if text else {}


def _words(words: type[StrEnum]) -> str:
    """Return what an enumeration is, and what each of its words says, where they say anything."""
    told = [f"- `{one}`: {_inline(of(words, one.name))}" for one in words if of(words, one.name)]
    text = inspect.getdoc(words) or ""
    return f"{text}\n\n" + "\n".join(told) if told else text


def _inline(text: str) -> str:
    return text[0].lower() + text[1:].rstrip(".") if not text.startswith("Namely") else text[:-1]


def of(shape: type, member: str) -> str:
    """Return what stands below a field of a shape, or of what it extends."""
    for one in (shape, *getattr(shape, "__orig_bases__", ())):
        if isinstance(one, type) and (text := said(one.__module__, f"{one.__name__}.{member}")):
            return text
    return ""


def said(module: str, member: str) -> str:
    """Return the text that stands below a member of a module, '' for none."""
    return _texts(module).get(member, "")


@cache
def _texts(module: str) -> dict[str, str]:
    return _below(ast.parse(inspect.getsource(sys.modules[module])).body, "")


def _below(body: list[ast.stmt], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        match one:
            case ast.ClassDef(name=inner):
                found |= _below(one.body, f"{inner}.")
            case (
                ast.AnnAssign(target=ast.Name(id=member))
                | ast.Assign(targets=[ast.Name(id=member)])
                | ast.TypeAlias(name=ast.Name(id=member))
            ):
                match following:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        found[prefix + member] = inspect.cleandoc(text)
    return found

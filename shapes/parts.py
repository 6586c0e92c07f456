"""The parts of documents and scripts that are made from the shapes: between two marks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from namely_link.domain.account import AccountWarning
from namely_link.domain.lifecycle import EventType
from namely_link.http import documents
from shapes import declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shapes.declared import Schema


def filled(text: str, name: str, part: str) -> str:
    """Return a text with the part between its marks replaced."""
    marks = re.compile(
        rf"((?:<!-- |// ){name}: made by `make [a-z]+`[^\n]*\n).*?((?:<!-- |// )end)", re.S
    )
    found, times = marks.subn(lambda mark: mark[1] + part + mark[2], text)
    if times != 1:
        msg = f"no marks of {name}"
        raise ValueError(msg)
    return found


def account_fields(components: Mapping[str, Schema]) -> str:
    """Return the table of an account's fields: what is in them, and what is said of them."""
    rows = ["", "| Field | Holds | |", "|---|---|---|"]
    for field, schema in components["Account"]["properties"].items():
        said = schema.get("description", "").replace("\n", " ")
        rows.append(f"| `{field}` | {_holds(schema, components)} | {said} |".replace("|  |", "| |"))
    return "\n".join(rows) + "\n\n"


def _holds(schema: Schema, components: Mapping[str, Schema]) -> str:
    match schema:
        case {"anyOf": [inner, {"type": "null"}]}:
            return f"{_holds(inner, components)}, or null"
        case {"$ref": ref}:
            return _holds(components[_name(ref)], components)
        case {"const": word}:
            return f"`{word}`"
        case {"enum": words}:
            return ", ".join(f"`{word}`" for word in words)
        case {"type": "array", "items": items}:
            return f"a list: {_holds(items, components)}"
        case {"required": _, "properties": fields}:
            return ", ".join(f"`{field}`" for field in fields)
        case {"properties": fields, "additionalProperties": each}:
            return (
                f"by name ({', '.join(f'`{one}`' for one in fields)}): {_holds(each, components)}"
            )
        case {"type": "object"}:
            return "texts by name"
        case {"format": "date-time"}:
            return "a time"
        case {"type": "integer"}:
            return "a number"
        case _:
            return "a text"


def events() -> str:
    """Return the table of the events that go out."""
    rows = ["", "| `detail-type` | When | Also |", "|---|---|---|"]
    common = documents.AccountEvent.__annotations__
    for kind in EventType:
        said = " ".join(declared.of(EventType, kind.name).split())
        shape = declared.of_event(kind)
        own = [field for field in shape.__annotations__ if field not in common]
        also = ", ".join(f"`{field}`" for field in own)
        if shape.__annotations__["account"] is not documents.Account:
            named = shape.__annotations__["account"].__annotations__
            also += f"; `account` has only {', '.join(f'`{field}`' for field in named)}"
        rows.append(f"| `{kind}` | {said} | {also} |".replace("|  |", "| |"))
    return "\n".join(rows) + "\n\n"


def warnings() -> str:
    """Return the table of the warnings."""
    rows = ["", "| Warning | Means |", "|---|---|"]
    rows += [f"| `{one}` | {declared.of(AccountWarning, one.name)} |" for one in AccountWarning]
    return "\n".join(rows) + "\n\n"


def script_types(components: Mapping[str, Schema]) -> str:
    """Return JSDoc types of what the Accounts page gets, and of all that it is made of."""
    wanted, left = {"Account", "LedgerEntry", "PortalSession"}, ["Account", "LedgerEntry"]
    left.append("PortalSession")
    while left:
        for ref in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(components[left.pop()])):
            if ref not in wanted:
                wanted.add(ref)
                left.append(ref)
    return "".join(_script_type(name, components[name]) for name in sorted(wanted))


def _script_type(name: str, schema: Schema) -> str:
    if "required" not in schema:
        return f"/** @typedef {{{_script(schema)}}} {name} */\n"
    rows = [f" * @property {{{_script(one)}}} {key}" for key, one in schema["properties"].items()]
    return "\n".join(["/**", f" * @typedef {{object}} {name}", *rows, " */"]) + "\n"


def _script(schema: Schema) -> str:
    match schema:
        case {"$ref": ref}:
            return _name(ref)
        case {"anyOf": options}:
            return " | ".join(_script(one) for one in options)
        case {"const": word}:
            return json.dumps(word)
        case {"enum": words}:
            return " | ".join(json.dumps(word) for word in words)
        case {"type": "array", "items": items}:
            inner = _script(items)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": each}:
            return f"Record<string, {_script(each)}>"
        case {"type": "integer"}:
            return "number"
        case {"type": other}:
            return str(other)
    msg = f"no type for {schema}"
    raise TypeError(msg)


def _name(ref: str) -> str:
    return ref.rpartition("/")[2]

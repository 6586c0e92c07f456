"""Event patterns, as EventBridge and the filters of an event source mapping match them.

Only what the template uses of them. A list in the event matches where one of its elements does.
"""

from __future__ import annotations

from typing import Any


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Whether an event matches a pattern."""
    if isinstance(event, list):
        return any(matches(pattern, one) for one in event)
    if not isinstance(event, dict):
        return False
    return all(_field(wanted, event.get(name)) for name, wanted in pattern.items())


def _field(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        return matches(wanted, value)
    return any(_value(one, value) for one in wanted)


def _value(wanted: Any, value: Any) -> bool:
    match wanted:
        case {"exists": True}:  # a leaf: what has more in it has no value of its own
            return isinstance(value, str | int | bool)
        case {"anything-but": [*others]}:
            return value is not None and value not in others
        case str():
            return bool(value == wanted)
    msg = f"not known here: {wanted}"
    raise ValueError(msg)

"""Tables of what was looked at: a row each, and what to do about it."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
    }
)
"""Error codes of AWS's services for a missing permission."""


class State(StrEnum):
    """What came out of looking."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    UNKNOWN = "unknown"
    ABSENT = "n/a"
    """The emulator does not have it."""


@dataclass(frozen=True)
class Row:
    """What was looked at, what was found, and what to do."""

    name: str
    state: State
    found: str
    advice: str = ""


def table(rows: Sequence[Row]) -> str:
    """Return rows as people read them in a terminal, and how many there are of each state."""
    wide = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        lines.append(f"  {row.state:<8} {row.name:<{wide}}  {row.found}")
        if row.advice:
            lines += textwrap.wrap(
                row.advice, 100, initial_indent=" " * 11 + "→ ", subsequent_indent=" " * 13
            )
    counted = Counter(row.state for row in rows)
    sums = ", ".join(f"{counted[state]} {state}" for state in State if counted[state])
    return "\n".join([*lines, "", f"  {sums}"])


def failed(rows: Sequence[Row]) -> bool:
    """Return whether a row tells of a failure."""
    return any(row.state is State.FAIL for row in rows)


def is_denied(error: Exception) -> bool:
    """Return whether AWS says that a permission is missing."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in DENIED

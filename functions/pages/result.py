"""What the page of a plain form's answer is told by its address.

Anybody can make such an address, so nothing in it is shown that is not a word of ours, a small
number or a subdomain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from namely_link.domain.problems import Reason
from namely_link.http.fields import Fields, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

type Outcome = Literal["linked", "parked", "refused"]

_SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a link went; a `reason` stands with `refused` and nowhere else."""

    outcome: Outcome
    reason: Reason | None = None
    subdomain: str = ""
    locale: str = ""
    attempts_left: int | None = None
    minutes: int = 1


def read_result(query: Mapping[str, str]) -> Result:
    """Return what an address tells.

    Raises:
        Problem: invalid_request.
    """
    fields = Fields(query)
    outcome: Outcome
    match fields.choice("outcome", "linked", "parked", "refused", default=""):
        case "linked" | "parked" | "refused" as outcome:
            pass
        case _:
            raise invalid("outcome", "is missing")
    refused = outcome == "refused"
    reason = Reason(fields.choice("reason", *Reason)) if refused else None
    subdomain = fields.text("subdomain", most=63)
    if subdomain and not _SUBDOMAIN.fullmatch(subdomain):
        raise invalid("subdomain", "is none")
    attempts = fields.number("attempts_left", least=-1, most=20, default=-1, written=True)
    result = Result(
        outcome=outcome,
        reason=reason,
        subdomain=subdomain,
        locale=fields.text("locale", most=35),
        attempts_left=attempts if refused and attempts >= 0 else None,
        minutes=fields.number("minutes", least=1, most=60, default=1, written=True),
    )
    fields.done()
    return result

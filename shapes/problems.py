"""What the OpenAPI document says of problems: derived from their meanings and HTTP statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from namely_link.domain.problems import MEANINGS, Code, Problem, Reason
from namely_link.http.problem_details import STATUS, document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shapes.declared import Schema

INSTANCE = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
MEDIA_TYPE = "application/problem+json"

_WRONG = "expires_in must be a whole number from 60 to 2592000."
_EXAMPLES = {
    "invalid_request": Problem(Reason.INVALID_REQUEST, detail=_WRONG, field="expires_in"),
    "attempts_exhausted": Problem(Reason.ATTEMPTS_EXHAUSTED, attempts_left=0),
    "owner_attempts_exhausted": Problem(Reason.OWNER_ATTEMPTS_EXHAUSTED, retry_after=1800),
    "site_not_found": Problem(Reason.SITE_ANSWERS_HTML, subdomain="acme", attempts_left=4),
    "token_refused": Problem(Reason.TOKEN_UNAUTHORIZED, attempts_left=4),
    "token_owner_inactive": Problem(Reason.OWNER_INACTIVE, attempts_left=4),
    "site_mismatch": Problem(Reason.SITE_MISMATCH, attempts_left=4),
    "conflict": Problem(Reason.CONFLICT, retry_after=2),
}
"""What says more than its code's first reason does."""


def _reasons(codes: Sequence[Code]) -> list[Reason]:
    return [reason for reason in Reason if MEANINGS[reason].code in codes]


def examples() -> dict[str, Any]:
    """Return a real answer for each code that is answered over HTTP, and some more."""
    first = {str(code): Problem(_reasons([code])[0], subdomain="acme") for code in STATUS}
    shown = first | _EXAMPLES
    return {name: {"value": dict(document(one, instance=INSTANCE))} for name, one in shown.items()}


def _status(codes: Sequence[Code]) -> int:
    (status,) = {STATUS[code][0] for code in codes}
    return status


def schema(codes: Sequence[Code]) -> Schema:
    """Return the schema of a problem that has one of these codes, all of the same status."""
    own = {
        "status": {"const": _status(codes)},
        "code": {"enum": [str(code) for code in codes]},
        "reason": {"enum": [str(reason) for reason in _reasons(codes)]},
    }
    return {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": own}]}


def response(name: str, said: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response that is a problem; `shown` are the examples that there are."""
    codes = [Code(code) for code in said["x-codes"]]
    mine = [key for key, one in shown.items() if one["value"]["code"] in codes]
    media = {"schema": {"$ref": f"#/components/schemas/{name}Problem"}}
    refs = {key: {"$ref": f"#/components/examples/{key}"} for key in mine}
    made: dict[str, Any] = {"description": said["description"]}
    if headers := _headers(codes):
        made["headers"] = headers
    made["content"] = {MEDIA_TYPE: media | {"examples": refs}}
    return made


def _headers(codes: Sequence[Code]) -> dict[str, Any]:
    status = _status(codes)
    if status == 401:
        bearer = {"const": "Bearer"}
        renamed = "The same, as API Gateway renames what functions answer; one of both is there."
        return {
            "WWW-Authenticate": {"description": "The scheme to use.", "schema": bearer},
            "x-amzn-Remapped-WWW-Authenticate": {"description": renamed, "schema": bearer},
        }
    if not any(MEANINGS[reason].transient for reason in _reasons(codes)):
        return {}
    seconds = {"type": "integer", "minimum": 1}
    wait = {"description": "Seconds.", "required": status == 503, "schema": seconds}
    return {"Retry-After": wait}

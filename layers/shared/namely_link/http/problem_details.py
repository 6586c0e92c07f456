"""How a problem is told over HTTP: RFC 9457. Nothing further in knows an HTTP status."""

import json
import traceback
from typing import Annotated, Final, NotRequired, TypedDict

from namely_link.domain import problems
from namely_link.domain.problems import Code, Reason

type ProblemType = Annotated[str, {"pattern": "^urn:namely-link:problem:[a-z_]+$"}]
type HttpError = Annotated[int, {"minimum": 400, "maximum": 599}]
type Seconds = Annotated[int, {"minimum": 1}]
type Count = Annotated[int, {"minimum": 0}]


class Problem(TypedDict):
    """Problem details (RFC 9457)."""

    type: ProblemType
    """`urn:namely-link:problem:` and the code."""
    title: str
    status: HttpError
    detail: str
    """A sentence for the person."""
    code: Code
    reason: Reason
    instance: str
    """The id of the request, which finds it in the logs."""
    field: NotRequired[str]
    """The field of the request that is wrong."""
    hint: NotRequired[str]
    """What to do about it."""
    retry_after: NotRequired[Seconds]
    """Seconds, as in `Retry-After`."""
    attempts_left: NotRequired[Count]
    """Of the connect session."""


RETRY_AFTER: Final = 30
"""Seconds after which a 503 may be tried again, where nobody knows better."""

STATUS: Final[dict[Code, tuple[int, str]]] = {
    Code.INVALID_REQUEST: (400, "Invalid request"),
    Code.INVALID_SUBDOMAIN: (422, "Invalid subdomain"),
    Code.INVALID_TOKEN: (422, "Invalid token"),
    Code.UNAUTHORIZED: (401, "Unauthorized"),
    Code.FORBIDDEN: (403, "Forbidden"),
    Code.NOT_FOUND: (404, "Not found"),
    Code.SESSION_EXPIRED: (410, "Session expired"),
    Code.SESSION_USED: (410, "Session used"),
    Code.ATTEMPTS_EXHAUSTED: (429, "Attempts exhausted"),
    Code.SITE_NOT_FOUND: (422, "Site not found"),
    Code.TOKEN_REFUSED: (422, "Token refused"),
    Code.TOKEN_OWNER_INACTIVE: (422, "Token owner inactive"),
    Code.SITE_MISMATCH: (422, "Site mismatch"),
    Code.CONFLICT: (409, "Conflict"),
    Code.PAYLOAD_TOO_LARGE: (413, "Payload too large"),
    Code.UNSUPPORTED_MEDIA_TYPE: (415, "Unsupported media type"),
    Code.NAMELY_THROTTLED: (503, "Namely is limiting requests"),
    Code.NAMELY_UNAVAILABLE: (503, "Namely unavailable"),
    Code.STORAGE_UNAVAILABLE: (503, "Storage unavailable"),
    Code.INTERNAL_ERROR: (500, "Internal error"),
}
"""HTTP status and title of each code; `secret_missing` is answered to nobody."""


def document(problem: problems.Problem, *, instance: str) -> Problem:
    """Return problem details; `reason` is finer than `code`, for translations."""
    status, title = STATUS[problem.code]
    told: Problem = {
        "type": f"urn:namely-link:problem:{problem.code}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "code": problem.code,
        "reason": problem.reason,
        "hint": problem.hint,
        "instance": instance,
    }
    if problem.field is not None:
        told["field"] = problem.field
    if problem.retry_after or status == 503:
        told["retry_after"] = problem.retry_after or RETRY_AFTER
    if problem.attempts_left is not None:
        told["attempts_left"] = problem.attempts_left
    return told


def rendered(problem: problems.Problem, *, instance: str) -> tuple[int, dict[str, str], str]:
    """Return a problem as status, headers and body of its answer."""
    told = document(problem, instance=instance)
    headers = {"Cache-Control": "no-store", "Content-Type": "application/problem+json"}
    if "retry_after" in told:
        headers["Retry-After"] = str(told["retry_after"])
    if problem.code is Code.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return told["status"], headers, json.dumps(told)


def where(error: BaseException) -> list[str]:
    """Return where an error came from without its message, which may quote what was typed."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]

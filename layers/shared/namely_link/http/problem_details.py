"""How a problem is told over HTTP: RFC 9457. Nothing further in knows an HTTP status."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any, Final

from namely_link.domain.problems import Code

if TYPE_CHECKING:
    from namely_link.domain.problems import Problem

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


def document(problem: Problem, *, instance: str) -> dict[str, Any]:
    """Return problem details; `reason` is finer than `code`, for translations."""
    status, title = STATUS[problem.code]
    optional = {
        "field": problem.field,
        "hint": problem.hint or None,
        "retry_after": problem.retry_after or (RETRY_AFTER if status == 503 else None),
        "attempts_left": problem.attempts_left,
    }
    return {
        "type": f"urn:namely-link:problem:{problem.code}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "code": problem.code,
        "reason": problem.reason,
        "instance": instance,
    } | {key: value for key, value in optional.items() if value is not None}


def rendered(problem: Problem, *, instance: str) -> tuple[int, dict[str, str], str]:
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

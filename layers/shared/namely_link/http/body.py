"""Reads requests: bodies, queries and the cursors of pages."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from namely_link.domain.problems import Problem, Reason
from namely_link.http.fields import invalid, is_account_id

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY: Final = 16 * 1024
"""Bytes."""

FORM: Final = "application/x-www-form-urlencoded"


def media_type(headers: Mapping[str, str]) -> str:
    """Return the body's media type, without parameters; header names in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def read_body(
    body: str | None, headers: Mapping[str, str], *, encoded: bool, forms: bool = True
) -> dict[str, Any]:
    """Return the fields of a JSON object or, where `forms`, of a web form; no body has none.

    Each field comes once: of two, a proxy in between may have read the other one.

    Raises:
        Problem: payload_too_large, unsupported_media_type, invalid_request.
    """
    if not body:
        return {}
    if len(body) > MAX_BODY * 2:
        raise Problem(Reason.PAYLOAD_TOO_LARGE)
    try:
        raw = base64.b64decode(body, validate=True) if encoded else body.encode()
        if len(raw) > MAX_BODY:
            raise Problem(Reason.PAYLOAD_TOO_LARGE)
        match media_type(headers):
            case "application/json":
                fields = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_each_once)
            case kind if forms and kind == FORM:
                fields = _each_once(
                    parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True)
                )
            case _:
                detail = "" if forms else "Send application/json."
                raise Problem(Reason.UNSUPPORTED_MEDIA_TYPE, detail=detail)
    except (ValueError, RecursionError):
        raise Problem(Reason.INVALID_REQUEST, detail="The body can't be read.") from None
    if not isinstance(fields, dict):
        raise Problem(Reason.INVALID_REQUEST, detail="The body must be an object.")
    return fields


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Problem(Reason.INVALID_REQUEST, detail="A field comes twice.")
    return fields


def refuse_repeated(query: Mapping[str, list[str]]) -> None:
    """Refuse a query in which a parameter comes more than once.

    Raises:
        Problem: invalid_request.
    """
    for name, values in query.items():
        if len(values) > 1:
            raise invalid(name[:40], "comes more than once")


def cursor_out(account_id: str) -> str | None:
    """Return the opaque cursor of the page behind an account, None at the end."""
    return base64.urlsafe_b64encode(account_id.encode()).decode() if account_id else None


def cursor_in(text: str) -> str:
    """Return the account of a cursor, '' for the first page.

    Raises:
        Problem: invalid_request.
    """
    try:
        account_id = base64.b64decode(text, altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        raise invalid("cursor", "is none of ours") from error
    if account_id and not is_account_id(account_id):
        raise invalid("cursor", "is none of ours")
    return account_id

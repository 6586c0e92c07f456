"""Reads what comes over HTTP: bodies, bearers and fields, each with its limit."""

from __future__ import annotations

import base64
import json
import re
import traceback
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from namely_link import bearers, views
from namely_link.problems import Problem, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY: Final = 16 * 1024
"""Bytes."""

FORM: Final = "application/x-www-form-urlencoded"

_OWNER_ID: Final = re.compile(r"[A-Za-z0-9_.:/=+@-]{1,128}", re.ASCII)
"""What a tag of AWS may hold, without the space."""


_ACCOUNT_ID: Final = re.compile(r"acc_[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)


def media_type(headers: Mapping[str, str]) -> str:
    """Return the body's media type, without parameters; header names in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def read_body(body: str | None, headers: Mapping[str, str], *, encoded: bool) -> dict[str, Any]:
    """Return the fields of a JSON object or of a web form; an absent body has none.

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
                fields = json.loads(raw)
            case kind if kind == FORM:
                fields = dict(parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True))
            case _:
                raise Problem(Reason.UNSUPPORTED_MEDIA_TYPE)
    except (ValueError, RecursionError):
        raise Problem(Reason.INVALID_REQUEST, detail="The body can't be read.") from None
    if not isinstance(fields, dict):
        raise Problem(Reason.INVALID_REQUEST, detail="The body must be an object.")
    return fields


def bearer(headers: Mapping[str, str]) -> bearers.Bearer:
    """Return the bearer of the Authorization header.

    Raises:
        Problem: unauthorized.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    found = bearers.parse(value.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise Problem(Reason.UNAUTHORIZED)
    return found


class Fields:
    """The fields of a request, read one by one; what is not read is refused by `done`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def text(self, name: str, *, most: int = 200, required: bool = False) -> str:
        """Return a text, '' where it is absent or null."""
        value = self._values.pop(name, None)
        if value is None or value == "":
            if required:
                raise _bad(name, "is missing")
            return ""
        if not isinstance(value, str):
            raise _bad(name, "must be a text")
        if len(value) > most:
            raise _bad(name, f"has more than {most} characters")
        if not value.isprintable():
            raise _bad(name, "has control characters")
        return value

    def typed(self, name: str, *, most: int = 4096) -> str:
        """Return what a person typed, whatever its characters; '' where it is absent."""
        value = self._values.pop(name, None)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _bad(name, "must be a text")
        return value[:most]

    def owner_id(self, name: str = "owner_id", *, required: bool = True) -> str:
        """Return an owner's id."""
        value = self.text(name, most=128, required=required)
        if value and not _OWNER_ID.fullmatch(value):
            raise _bad(name, "has characters other than letters, digits and _.:/=+@-")
        return value

    def choice(self, name: str, *allowed: str) -> str:
        """Return one of the allowed values, the first where it is absent."""
        value = self.text(name) or allowed[0]
        if value not in allowed:
            raise _bad(name, f"must be one of: {', '.join(one for one in allowed if one)}")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, false where it is absent; a web form says `true`."""
        value = self._values.pop(name, None)
        if value in (None, False, "", "false"):
            return False
        if value in (True, "true"):
            return True
        raise _bad(name, "must be true or false")

    def number(self, name: str, *, least: int, most: int, default: int) -> int:
        """Return a whole number."""
        value = self._values.pop(name, None)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:12])
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _bad(name, f"must be a whole number from {least} to {most}")
        return value

    def metadata(self, name: str = "metadata") -> dict[str, str] | None:
        """Return at most 20 texts by name, None where it is absent."""
        value = self._values.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, dict) or len(value) > 20:
            raise _bad(name, "must be an object of at most 20 texts")
        for key, one in value.items():
            if not isinstance(one, str) or not 0 < len(key) <= 40 or len(one) > 500:
                raise _bad(name, "has names of 1 to 40 characters and texts of at most 500")
        return value

    def url(self, name: str) -> str:
        """Return an https address ('' where it is absent); http on localhost only."""
        value = self.text(name, most=2000)
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            host = parts.hostname or ""
        except ValueError as error:
            raise _bad(name, "is no address") from error
        local = parts.scheme == "http" and host in {"localhost", "127.0.0.1"}
        if not host or not (parts.scheme == "https" or local) or "@" in parts.netloc:
            raise _bad(name, "must be an https address")
        return value

    def __contains__(self, name: str) -> bool:
        """Whether the field came and was not read yet."""
        return name in self._values

    def done(self) -> None:
        """Refuse what was not read.

        Raises:
            Problem: invalid_request, naming a field that is not known.
        """
        for name in self._values:
            raise _bad(name[:40], "is not known here")


def _bad(name: str, what: str) -> Problem:
    """Say which field is wrong; its value is not repeated, since it may be a token."""
    return Problem(Reason.INVALID_REQUEST, detail=f"{name} {what}.", field=name)


def cursor_out(account_id: str) -> str | None:
    """Return the opaque cursor of the page behind an account, None at the end."""
    return base64.urlsafe_b64encode(account_id.encode()).decode() if account_id else None


def cursor_in(text: str) -> str:
    """Return the account of a cursor, '' for the first page.

    Raises:
        Problem: invalid_request.
    """
    try:
        account_id = base64.urlsafe_b64decode(text).decode("ascii")
    except ValueError as error:
        raise _bad("cursor", "is none of ours") from error
    if account_id and not _ACCOUNT_ID.fullmatch(account_id):
        raise _bad("cursor", "is none of ours")
    return account_id


def where(error: BaseException) -> list[str]:
    """Return where an error came from without its message, which may quote what was typed."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]


def rendered(problem: Problem, *, instance: str) -> tuple[int, dict[str, str], str]:
    """Return a problem as status, headers and body of its answer (RFC 9457)."""
    headers = {"Cache-Control": "no-store", "Content-Type": "application/problem+json"}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem.status, headers, json.dumps(views.problem(problem, instance=instance))

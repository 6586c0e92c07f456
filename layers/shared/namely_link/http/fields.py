"""Reads what comes over HTTP: bodies, bearers and fields, each with its limit."""

from __future__ import annotations

import base64
import json
import re
import traceback
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from namely_link.domain.problems import Problem, Reason
from namely_link.http import bearers
from namely_link.http import documents as views

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY: Final = 16 * 1024
"""Bytes."""

FORM: Final = "application/x-www-form-urlencoded"

_OWNER_ID: Final = re.compile(r"[A-Za-z0-9_.:/=+@-]{1,128}", re.ASCII)
"""What a tag of AWS may hold, without the space."""

_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, what turns the direction of a text, and halves of characters, which are no
text at all: DynamoDB refuses them."""

_LAYOUT: Final = str.maketrans("", "", "\t\n\r")
"""What a text of several lines has."""

_ADDRESS: Final = re.compile(
    r"(?:https://[A-Za-z0-9.-]+|http://(?:localhost|127\.0\.0\.1))(?::[0-9]{1,5})?"
    r"(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?",
    re.ASCII,
)
"""An address that may stand in a Location header: RFC 3986 is ASCII."""

_ACCOUNT_ID: Final = re.compile(r"acc_[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
_SESSION_ID: Final = re.compile(r"cs_[0-9a-f]{64}", re.ASCII)


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
            raise _bad(name[:40], "comes more than once")


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
        if _CONTROL.search(value):
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

    def choice(self, name: str, *allowed: str, default: str | None = None) -> str:
        """Return one of the allowed values; where it is absent, the default or the first."""
        value = self._values.pop(name, None)
        if value is None:
            return allowed[0] if default is None else default
        if value not in allowed:
            raise _bad(name, f"must be one of: {', '.join(allowed)}")
        return str(value)

    def flag(self, name: str) -> bool:
        """Return a boolean, false where it is absent."""
        value = self._values.pop(name, None)
        if value is not None and not isinstance(value, bool):
            raise _bad(name, "must be true or false")
        return bool(value)

    def number(
        self, name: str, *, least: int, most: int, default: int, written: bool = False
    ) -> int:
        """Return a whole number, which a query has `written` in digits."""
        value = self._values.pop(name, None)
        if written and isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:12])
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # the same number, to JSON
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
            if _CONTROL.search(key) or _CONTROL.search(one.translate(_LAYOUT)):
                raise _bad(name, "has control characters")
        return value

    def url(self, name: str) -> str:
        """Return an https address ('' where it is absent); http on localhost only."""
        value = self.text(name, most=2000)
        if value and not _ADDRESS.fullmatch(value):
            raise _bad(name, "must be an https address, with everything else than ASCII encoded")
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
            raise _bad(_CONTROL.sub("?", name[:40]), "is not known here")


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
        account_id = base64.b64decode(text, altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        raise _bad("cursor", "is none of ours") from error
    if account_id and not is_account_id(account_id):
        raise _bad("cursor", "is none of ours")
    return account_id


def is_account_id(text: str) -> bool:
    """Whether it has the shape of an account's id; nothing else is worth asking DynamoDB for."""
    return bool(_ACCOUNT_ID.fullmatch(text))


def is_session_id(text: str) -> bool:
    """Whether it has the shape of a connect session's id."""
    return bool(_SESSION_ID.fullmatch(text))


def with_query(address: str, fields: Mapping[str, str]) -> str:
    """Return a checked address with more fields in its query, before its fragment."""
    parts = urlsplit(address)
    query = "&".join(one for one in (parts.query, urlencode(fields)) if one)
    return parts._replace(query=query).geturl()


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

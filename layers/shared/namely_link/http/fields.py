"""The fields of a request, read one by one, each with its limit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from namely_link.domain.problems import Problem, Reason
from namely_link.domain.values import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class Fields:
    """The fields of a request, read one by one; what is not read is refused by `done`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def text(self, name: str, *, most: int = 200, required: bool = False) -> str:
        """Return a text, '' where it is absent or null."""
        value = self._values.pop(name, None)
        if value is None or value == "":
            if required:
                raise invalid(name, "is missing")
            return ""
        if not isinstance(value, str):
            raise invalid(name, "must be a text")
        if len(value) > most:
            raise invalid(name, f"has more than {most} characters")
        if _CONTROL.search(value):
            raise invalid(name, "has control characters")
        return value

    def typed(self, name: str, *, most: int = 4096) -> str:
        """Return what a person typed, whatever its characters; '' where it is absent."""
        value = self._values.pop(name, None)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise invalid(name, "must be a text")
        return value[:most]

    def owner_id(self, name: str = "owner_id", *, required: bool = True) -> str:
        """Return an owner's id."""
        value = self.text(name, most=128, required=required)
        if value and not _OWNER_ID.fullmatch(value):
            raise invalid(name, "has characters other than letters, digits and _.:/=+@-")
        return value

    def choice(self, name: str, *allowed: str, default: str | None = None) -> str:
        """Return one of the allowed values; where it is absent, the default or the first."""
        value = self._values.pop(name, None)
        if value is None:
            return allowed[0] if default is None else default
        if value not in allowed:
            raise invalid(name, f"must be one of: {', '.join(allowed)}")
        return str(value)

    def flag(self, name: str) -> bool:
        """Return a boolean, false where it is absent."""
        value = self._values.pop(name, None)
        if value is not None and not isinstance(value, bool):
            raise invalid(name, "must be true or false")
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
            raise invalid(name, f"must be a whole number from {least} to {most}")
        return value

    def metadata(self, name: str = "metadata") -> dict[str, str] | None:
        """Return at most 20 texts by name, None where it is absent."""
        value = self._values.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, dict) or len(value) > 20:
            raise invalid(name, "must be an object of at most 20 texts")
        for key, one in value.items():
            if not isinstance(one, str) or not 0 < len(key) <= 40 or len(one) > 500:
                raise invalid(name, "has names of 1 to 40 characters and texts of at most 500")
            if _CONTROL.search(key) or _CONTROL.search(one.translate(_LAYOUT)):
                raise invalid(name, "has control characters")
        return value

    def url(self, name: str) -> str:
        """Return an https address ('' where it is absent); http on localhost only."""
        value = self.text(name, most=2000)
        if value and not _ADDRESS.fullmatch(value):
            raise invalid(name, "must be an https address, with everything else than ASCII encoded")
        return value

    def moment(self, name: str) -> str:
        """Return a moment as RFC 3339 in UTC with whole seconds (`2026-11-24T12:00:00Z`)."""
        value = self.text(name, most=20, required=True)
        try:
            moment(value)
        except ValueError:
            raise invalid(name, "must be a time such as 2026-11-24T12:00:00Z") from None
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
            raise invalid(_CONTROL.sub("?", name[:40]), "is not known here")


def is_account_id(text: str) -> bool:
    """Whether it has the shape of an account's id; nothing else is worth asking DynamoDB for."""
    return bool(_ACCOUNT_ID.fullmatch(text))


def is_session_id(text: str) -> bool:
    """Whether it has the shape of a connect session's id."""
    return bool(_SESSION_ID.fullmatch(text))


def invalid(name: str, what: str) -> Problem:
    """Say which field is wrong; its value is not repeated, since it may be a token."""
    return Problem(Reason.INVALID_REQUEST, detail=f"{name} {what}.", field=name)

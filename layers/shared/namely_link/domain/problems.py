"""Everything that can be wrong, each with a stable code, and whether it may go well later.

What is said of it stands in `sentences`, its HTTP status in `http.problem_details`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

from namely_link import sentences

if TYPE_CHECKING:
    from namely_link.sentences import Sentence

type Field = Literal["subdomain", "token"]


class NamelyLinkError(Exception):
    """Root of every exception that namely-link raises on purpose."""


class StorageError(NamelyLinkError):
    """AWS did not answer, throttled or failed; whether the write took effect is unknown."""


class ConflictError(NamelyLinkError):
    """A conditional write found another state than the caller had read."""


class RefusedError(NamelyLinkError):
    """AWS will not take what was sent, however often it comes."""


class SecretMissingError(StorageError):
    """Somebody has deleted a secret, or scheduled it for deletion, by hand."""


class UnreadableError(NamelyLinkError):
    """What is stored can't be understood: it was changed by hand, or by a later release."""


class UndeliveredError(NamelyLinkError):
    """The webhook's receiver did not take an event, or it is not known whether it did."""


class SealBrokenError(NamelyLinkError):
    """What was sent is not sealed under this key for this request, or was so too long ago."""


class Code(StrEnum):
    """Stable: branch on it. `secret_missing` stands in an account's `status_reasons` only."""

    INVALID_REQUEST = "invalid_request"
    INVALID_SUBDOMAIN = "invalid_subdomain"
    INVALID_TOKEN = "invalid_token"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    SESSION_EXPIRED = "session_expired"
    SESSION_USED = "session_used"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    SITE_NOT_FOUND = "site_not_found"
    TOKEN_REFUSED = "token_refused"
    TOKEN_OWNER_INACTIVE = "token_owner_inactive"
    SITE_MISMATCH = "site_mismatch"
    SECRET_MISSING = "secret_missing"
    CONFLICT = "conflict"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NAMELY_THROTTLED = "namely_throttled"
    NAMELY_UNAVAILABLE = "namely_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"


class Reason(StrEnum):
    """Finer than a code: tells diagnoses apart. Each has its sentence in every language."""

    INVALID_REQUEST = "invalid_request"
    SUBDOMAIN_MISSING = "subdomain_missing"
    SUBDOMAIN_MALFORMED = "subdomain_malformed"
    SUBDOMAIN_RESERVED = "subdomain_reserved"
    SUBDOMAIN_OTHER_HOST = "subdomain_other_host"
    TOKEN_MISSING = "token_missing"
    TOKEN_INNER_SPACE = "token_inner_space"
    TOKEN_NOT_ASCII = "token_not_ascii"
    TOKEN_TOO_LONG = "token_too_long"
    FIELDS_SWAPPED = "fields_swapped"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    SESSION_EXPIRED = "session_expired"
    SESSION_USED = "session_used"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    OWNER_ATTEMPTS_EXHAUSTED = "owner_attempts_exhausted"
    TOO_MANY_REQUESTS = "too_many_requests"
    SITE_ANSWERS_HTML = "site_answers_html"
    SITE_REDIRECTS = "site_redirects"
    SITE_UNKNOWN = "site_unknown"
    SITE_OTHER_PERMALINK = "site_other_permalink"
    SITE_ACCEPTS_ANY_TOKEN = "site_accepts_any_token"
    SITE_NO_DNS = "site_no_dns"
    TOKEN_UNAUTHORIZED = "token_unauthorized"
    TOKEN_FORBIDDEN = "token_forbidden"
    CREDENTIAL_UNCLEAR = "credential_unclear"
    OWNER_INACTIVE = "owner_inactive"
    SITE_MISMATCH = "site_mismatch"
    SECRET_MISSING = "secret_missing"
    CONFLICT = "conflict"
    WRONG_STATUS = "wrong_status"
    NOT_RECOVERABLE = "not_recoverable"
    NEVER_VERIFIED = "never_verified"
    REQUEST_STALE = "request_stale"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    OUTAGE = "outage"
    TIMEOUT = "timeout"
    UNEXPECTED_ANSWER = "unexpected_answer"
    PARK_EXPIRED = "park_expired"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class Meaning:
    """The code of a reason, the field that is wrong, and whether the same may go well later."""

    code: Code
    field: Field | None = None
    transient: bool = False


MEANINGS: Final[dict[Reason, Meaning]] = {
    Reason.INVALID_REQUEST: Meaning(Code.INVALID_REQUEST),
    Reason.SUBDOMAIN_MISSING: Meaning(Code.INVALID_SUBDOMAIN, field="subdomain"),
    Reason.SUBDOMAIN_MALFORMED: Meaning(Code.INVALID_SUBDOMAIN, field="subdomain"),
    Reason.SUBDOMAIN_RESERVED: Meaning(Code.INVALID_SUBDOMAIN, field="subdomain"),
    Reason.SUBDOMAIN_OTHER_HOST: Meaning(Code.INVALID_SUBDOMAIN, field="subdomain"),
    Reason.TOKEN_MISSING: Meaning(Code.INVALID_TOKEN, field="token"),
    Reason.TOKEN_INNER_SPACE: Meaning(Code.INVALID_TOKEN, field="token"),
    Reason.TOKEN_NOT_ASCII: Meaning(Code.INVALID_TOKEN, field="token"),
    Reason.TOKEN_TOO_LONG: Meaning(Code.INVALID_TOKEN, field="token"),
    Reason.FIELDS_SWAPPED: Meaning(Code.INVALID_SUBDOMAIN, field="subdomain"),
    Reason.UNAUTHORIZED: Meaning(Code.UNAUTHORIZED),
    Reason.FORBIDDEN: Meaning(Code.FORBIDDEN),
    Reason.NOT_FOUND: Meaning(Code.NOT_FOUND),
    Reason.SESSION_EXPIRED: Meaning(Code.SESSION_EXPIRED),
    Reason.SESSION_USED: Meaning(Code.SESSION_USED),
    Reason.ATTEMPTS_EXHAUSTED: Meaning(Code.ATTEMPTS_EXHAUSTED),
    Reason.OWNER_ATTEMPTS_EXHAUSTED: Meaning(Code.ATTEMPTS_EXHAUSTED, transient=True),
    Reason.TOO_MANY_REQUESTS: Meaning(Code.ATTEMPTS_EXHAUSTED, transient=True),
    Reason.SITE_ANSWERS_HTML: Meaning(Code.SITE_NOT_FOUND, field="subdomain"),
    Reason.SITE_REDIRECTS: Meaning(Code.SITE_NOT_FOUND, field="subdomain"),
    Reason.SITE_UNKNOWN: Meaning(Code.SITE_NOT_FOUND, field="subdomain"),
    Reason.SITE_OTHER_PERMALINK: Meaning(Code.SITE_NOT_FOUND, field="subdomain"),
    Reason.SITE_ACCEPTS_ANY_TOKEN: Meaning(Code.SITE_NOT_FOUND, field="subdomain"),
    Reason.SITE_NO_DNS: Meaning(Code.SITE_NOT_FOUND, field="subdomain"),
    Reason.TOKEN_UNAUTHORIZED: Meaning(Code.TOKEN_REFUSED, field="token"),
    Reason.TOKEN_FORBIDDEN: Meaning(Code.TOKEN_REFUSED, field="token"),
    Reason.CREDENTIAL_UNCLEAR: Meaning(Code.TOKEN_REFUSED, field="token"),
    Reason.OWNER_INACTIVE: Meaning(Code.TOKEN_OWNER_INACTIVE, field="token"),
    Reason.SITE_MISMATCH: Meaning(Code.SITE_MISMATCH, field="subdomain"),
    Reason.SECRET_MISSING: Meaning(Code.SECRET_MISSING),
    Reason.CONFLICT: Meaning(Code.CONFLICT, transient=True),
    Reason.WRONG_STATUS: Meaning(Code.CONFLICT),
    Reason.NOT_RECOVERABLE: Meaning(Code.CONFLICT),
    Reason.NEVER_VERIFIED: Meaning(Code.CONFLICT),
    Reason.REQUEST_STALE: Meaning(Code.CONFLICT),
    Reason.PAYLOAD_TOO_LARGE: Meaning(Code.PAYLOAD_TOO_LARGE),
    Reason.UNSUPPORTED_MEDIA_TYPE: Meaning(Code.UNSUPPORTED_MEDIA_TYPE),
    Reason.THROTTLED: Meaning(Code.NAMELY_THROTTLED, transient=True),
    Reason.UNREACHABLE: Meaning(Code.NAMELY_UNAVAILABLE, transient=True),
    Reason.OUTAGE: Meaning(Code.NAMELY_UNAVAILABLE, transient=True),
    Reason.TIMEOUT: Meaning(Code.NAMELY_UNAVAILABLE, transient=True),
    Reason.UNEXPECTED_ANSWER: Meaning(Code.NAMELY_UNAVAILABLE, transient=True),
    Reason.PARK_EXPIRED: Meaning(Code.NAMELY_UNAVAILABLE, transient=True),
    Reason.STORAGE_UNAVAILABLE: Meaning(Code.STORAGE_UNAVAILABLE, transient=True),
    Reason.INTERNAL_ERROR: Meaning(Code.INTERNAL_ERROR),
}
"""Sources of the diagnoses: Namely's help centre and API reference."""


class Problem(NamelyLinkError):  # noqa: N818 - the word of RFC 9457
    """The request is refused, for one `Reason`; rendered at the edge as RFC 9457 problem details.

    `retry_after` is in seconds. The message never holds what the person typed, except a checked
    subdomain. Sentences are read when they are asked for: most problems decide, and say nothing.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        subdomain: str = "",
        detail: str = "",
        field: str | None = None,
        retry_after: int | None = None,
        attempts_left: int | None = None,
    ) -> None:
        meaning = MEANINGS[reason]
        self.reason: Final = reason
        self.code: Final = meaning.code
        self.transient: Final = meaning.transient
        self.subdomain: Final = subdomain
        self.field: Final = field or meaning.field
        self.retry_after: Final = retry_after
        self.attempts_left = attempts_left
        self._detail: Final = detail
        super().__init__(reason)

    @property
    def detail(self) -> str:
        """What is wrong, in English."""
        return self._detail or self._said(self._sentence.detail)

    @property
    def hint(self) -> str:
        """What to do about it, in English."""
        return self._said(self._sentence.hint)

    @property
    def _sentence(self) -> Sentence:
        return sentences.reason(self.reason)

    def _said(self, text: str) -> str:
        minutes = math.ceil((self.retry_after or 60) / 60)
        return text.format(subdomain=self.subdomain or "this site", minutes=minutes)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

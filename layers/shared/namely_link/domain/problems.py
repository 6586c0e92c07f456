"""Everything that can be wrong, each with a stable code, a sentence for the person and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

type Field = Literal["subdomain", "token"]


class NamelyLinkError(Exception):
    """Root of every exception that namely-link raises on purpose."""


class StorageError(NamelyLinkError):
    """AWS did not answer, throttled or failed; whether the write took effect is unknown."""


class ConflictError(NamelyLinkError):
    """A conditional write found another state than the caller had read."""


class SealBrokenError(NamelyLinkError):
    """What was sent is not sealed under this key, for this owner and this subdomain."""


class Code(StrEnum):
    """Stable error codes; callers branch on these."""

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
    CONFLICT = "conflict"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NAMELY_THROTTLED = "namely_throttled"
    NAMELY_UNAVAILABLE = "namely_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"


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
"""HTTP status and title of each code."""


class Reason(StrEnum):
    """Finer than a code: one sentence each, and the key of its translations."""

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
    CONFLICT = "conflict"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    OUTAGE = "outage"
    TIMEOUT = "timeout"
    UNEXPECTED_ANSWER = "unexpected_answer"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """What a reason says to a person; `{subdomain}` is filled in where it is known."""

    code: Code
    detail: str
    hint: str = ""
    field: Field | None = None


_NEW_TOKEN = (
    "In Namely open the API menu, choose Personal Access Tokens, create a new one and paste it."
)
_BEFORE = (
    "Enter only the part before .namely.com, as in your browser's address bar when you use Namely."
)

SENTENCES: Final[dict[Reason, Sentence]] = {
    Reason.INVALID_REQUEST: Sentence(
        code=Code.INVALID_REQUEST, detail="The request is not understood."
    ),
    Reason.SUBDOMAIN_MISSING: Sentence(
        code=Code.INVALID_SUBDOMAIN,
        detail="The subdomain is missing.",
        hint=_BEFORE,
        field="subdomain",
    ),
    Reason.SUBDOMAIN_MALFORMED: Sentence(
        code=Code.INVALID_SUBDOMAIN,
        detail="A subdomain has letters, digits and hyphens only.",
        hint=_BEFORE,
        field="subdomain",
    ),
    Reason.SUBDOMAIN_RESERVED: Sentence(
        code=Code.INVALID_SUBDOMAIN,
        detail="{subdomain}.namely.com is Namely's own address, not a company's site.",
        hint=_BEFORE,
        field="subdomain",
    ),
    Reason.SUBDOMAIN_OTHER_HOST: Sentence(
        code=Code.INVALID_SUBDOMAIN,
        detail="This is not an address at namely.com.",
        hint=_BEFORE,
        field="subdomain",
    ),
    Reason.TOKEN_MISSING: Sentence(
        code=Code.INVALID_TOKEN,
        detail="The Personal Access Token is missing.",
        hint=_NEW_TOKEN,
        field="token",
    ),
    Reason.TOKEN_INNER_SPACE: Sentence(
        code=Code.INVALID_TOKEN,
        detail="There is a space inside the token; perhaps more than the token was copied.",
        hint="Copy the token alone and paste it again.",
        field="token",
    ),
    Reason.TOKEN_NOT_ASCII: Sentence(
        code=Code.INVALID_TOKEN,
        detail="The token has characters that a Namely token never has.",
        hint="Copy the token alone and paste it again.",
        field="token",
    ),
    Reason.TOKEN_TOO_LONG: Sentence(
        code=Code.INVALID_TOKEN,
        detail="This is too long to be a Namely token.",
        hint="Copy the token alone and paste it again.",
        field="token",
    ),
    Reason.FIELDS_SWAPPED: Sentence(
        code=Code.INVALID_SUBDOMAIN,
        detail="The two fields seem to be swapped: the token stands where the subdomain belongs.",
        hint="Put the site's name in Subdomain and the token in Personal Access Token.",
        field="subdomain",
    ),
    Reason.UNAUTHORIZED: Sentence(
        code=Code.UNAUTHORIZED,
        detail="There is no valid bearer in the Authorization header.",
        hint="Ask whoever sent you here for a new link, or use a valid API key.",
    ),
    Reason.FORBIDDEN: Sentence(
        code=Code.FORBIDDEN, detail="This bearer is valid, but not permitted to do this."
    ),
    Reason.NOT_FOUND: Sentence(code=Code.NOT_FOUND, detail="There is no such thing here."),
    Reason.SESSION_EXPIRED: Sentence(
        code=Code.SESSION_EXPIRED,
        detail="This link has expired.",
        hint="Ask whoever sent it for a new one.",
    ),
    Reason.SESSION_USED: Sentence(
        code=Code.SESSION_USED,
        detail="This link was already used, or withdrawn.",
        hint="If you did not link the account yourself just now, ask for a new link.",
    ),
    Reason.ATTEMPTS_EXHAUSTED: Sentence(
        code=Code.ATTEMPTS_EXHAUSTED,
        detail="This link has no attempts left.",
        hint="Ask whoever sent it for a new one.",
    ),
    Reason.OWNER_ATTEMPTS_EXHAUSTED: Sentence(
        code=Code.ATTEMPTS_EXHAUSTED,
        detail="There were too many attempts to link for this customer within the hour.",
        hint="Try again within the next hour, when retry_after is over.",
    ),
    Reason.TOO_MANY_REQUESTS: Sentence(
        code=Code.ATTEMPTS_EXHAUSTED,
        detail="There are too many requests at this moment.",
        hint="Try again in a few seconds.",
    ),
    Reason.SITE_ANSWERS_HTML: Sentence(
        code=Code.SITE_NOT_FOUND,
        detail="{subdomain}.namely.com didn't answer as a Namely site.",
        hint="Check the part before .namely.com.",
        field="subdomain",
    ),
    Reason.SITE_REDIRECTS: Sentence(
        code=Code.SITE_NOT_FOUND,
        detail="{subdomain}.namely.com leads elsewhere; it doesn't look like a company's site.",
        hint="Check the part before .namely.com.",
        field="subdomain",
    ),
    Reason.SITE_UNKNOWN: Sentence(
        code=Code.SITE_NOT_FOUND,
        detail="Namely didn't recognise the address {subdomain}.namely.com.",
        hint="Check the part before .namely.com.",
        field="subdomain",
    ),
    Reason.SITE_OTHER_PERMALINK: Sentence(
        code=Code.SITE_NOT_FOUND,
        detail="{subdomain}.namely.com belongs to a site with another subdomain.",
        hint="Check the part before .namely.com; it may have been renamed.",
        field="subdomain",
    ),
    Reason.SITE_ACCEPTS_ANY_TOKEN: Sentence(
        code=Code.SITE_NOT_FOUND,
        detail="{subdomain}.namely.com accepted a made-up token: it is not Namely.",
        hint="Check the part before .namely.com.",
        field="subdomain",
    ),
    Reason.SITE_NO_DNS: Sentence(
        code=Code.SITE_NOT_FOUND,
        detail="There is no {subdomain}.namely.com.",
        hint="Check the part before .namely.com.",
        field="subdomain",
    ),
    Reason.TOKEN_UNAUTHORIZED: Sentence(
        code=Code.TOKEN_REFUSED,
        detail=(
            "Your site is right, but Namely refused the token: "
            "mistyped, expired, deleted, or from another site."
        ),
        hint=_NEW_TOKEN,
        field="token",
    ),
    Reason.TOKEN_FORBIDDEN: Sentence(
        code=Code.TOKEN_REFUSED,
        detail="Namely refused the token, or the profile that created it is no longer active.",
        hint="Check that the profile is still active, then create a new token and paste it.",
        field="token",
    ),
    Reason.CREDENTIAL_UNCLEAR: Sentence(
        code=Code.TOKEN_REFUSED,
        detail="Namely refused this combination, and didn't say which part is wrong.",
        hint="Check both the subdomain and the token.",
        field="token",
    ),
    Reason.OWNER_INACTIVE: Sentence(
        code=Code.TOKEN_OWNER_INACTIVE,
        detail="This token belongs to an inactive profile and will stop working.",
        hint="Create a token while signed in as an active profile.",
        field="token",
    ),
    Reason.SITE_MISMATCH: Sentence(
        code=Code.SITE_MISMATCH,
        detail="This account is linked to another Namely site; a re-link keeps the site.",
        hint="Enter the subdomain that the account was linked with, or link a new account.",
        field="subdomain",
    ),
    Reason.CONFLICT: Sentence(
        code=Code.CONFLICT,
        detail="The same account is being changed at this moment.",
        hint="Try again in a few seconds.",
    ),
    Reason.PAYLOAD_TOO_LARGE: Sentence(
        code=Code.PAYLOAD_TOO_LARGE, detail="The request's body is larger than 16 KiB."
    ),
    Reason.UNSUPPORTED_MEDIA_TYPE: Sentence(
        code=Code.UNSUPPORTED_MEDIA_TYPE,
        detail="Send application/json or application/x-www-form-urlencoded.",
    ),
    Reason.THROTTLED: Sentence(
        code=Code.NAMELY_THROTTLED,
        detail="Namely is limiting requests. Nothing is wrong with what you entered.",
        hint="Try again in a minute.",
    ),
    Reason.UNREACHABLE: Sentence(
        code=Code.NAMELY_UNAVAILABLE,
        detail="Couldn't reach {subdomain}.namely.com.",
        hint="Check the part before .namely.com and try again; see status.namely.com.",
    ),
    Reason.OUTAGE: Sentence(
        code=Code.NAMELY_UNAVAILABLE,
        detail="Namely has a problem at the moment. Nothing is wrong with what you entered.",
        hint="Try again in a few minutes; see status.namely.com.",
    ),
    Reason.TIMEOUT: Sentence(
        code=Code.NAMELY_UNAVAILABLE,
        detail="Namely took too long to answer. Nothing is wrong with what you entered.",
        hint="Try again in a few minutes; see status.namely.com.",
    ),
    Reason.UNEXPECTED_ANSWER: Sentence(
        code=Code.NAMELY_UNAVAILABLE,
        detail="{subdomain}.namely.com answered in a way that we don't understand.",
        hint="Check the part before .namely.com and try again in a few minutes.",
    ),
    Reason.STORAGE_UNAVAILABLE: Sentence(
        code=Code.STORAGE_UNAVAILABLE,
        detail="The link could not be stored just now. Nothing was lost.",
        hint="Try again in a few seconds.",
    ),
    Reason.INTERNAL_ERROR: Sentence(
        code=Code.INTERNAL_ERROR,
        detail="Something went wrong on our side.",
        hint="Try again; if it stays, tell us the instance below.",
    ),
}
"""One sentence a reason. Sources of the diagnoses: Namely's help centre and API reference."""


class Problem(NamelyLinkError):  # noqa: N818 - the word of RFC 9457
    """The request is refused, for one `Reason`; rendered at the edge as RFC 9457 problem details.

    `retry_after` is in seconds. The message never holds what the person typed, except a checked
    subdomain.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        subdomain: str = "this site",
        detail: str = "",
        field: str | None = None,
        retry_after: int | None = None,
        attempts_left: int | None = None,
    ) -> None:
        sentence = SENTENCES[reason]
        self.reason: Final = reason
        self.subdomain: Final = subdomain
        self.code: Final = sentence.code
        self.status, self.title = STATUS[sentence.code]
        self.detail: Final = detail or sentence.detail.format(subdomain=subdomain)
        self.hint: Final = sentence.hint
        self.field: Final = field or sentence.field
        self.retry_after: Final = retry_after or (30 if self.status == 503 else None)
        self.attempts_left = attempts_left
        super().__init__(f"{self.code}: {self.detail}")

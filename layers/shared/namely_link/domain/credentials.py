"""Turns what a person typed or pasted into a checked credential, before any call goes out."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from namely_link.domain.problems import Problem, Reason
from namely_link.domain.values import Credential, Subdomain, Token

RESERVED: Final = frozenset(
    [
        *("www", "api", "auth", "developers", "developer", "status", "help"),
        *("support", "login", "mail", "cdn", "assets", "blog"),
    ]
)
"""Hosts of Namely's own that are no company's site."""

MAX_TOKEN_LENGTH: Final = 512
"""Characters. 32 and 64 were seen; the limit only keeps pasted documents out."""

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_TOKEN_LIKE: Final = re.compile(r"[A-Za-z0-9]{32,}", re.ASCII)
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_BEARER: Final = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.ASCII | re.IGNORECASE)


def _strip(raw: str) -> str:
    """Take away what copying adds: zero-width characters, surrounding space and quotes."""
    text = _INVISIBLE.sub("", raw).strip()
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def parse_subdomain(raw: str) -> Subdomain:
    """Return the subdomain of a name, a host or a whole URL.

    Raises:
        Problem: with code `invalid_subdomain`.
    """
    text = _strip(raw).lower()
    if not text:
        raise Problem(Reason.SUBDOMAIN_MISSING)
    if "://" in text or "/" in text or "." in text:
        try:
            parts = urlsplit(text if "://" in text else f"https://{text}")
            host, port, has_user = parts.hostname or "", parts.port, "@" in parts.netloc
        except ValueError as error:
            raise Problem(Reason.SUBDOMAIN_MALFORMED) from error
        if parts.scheme not in {"http", "https"} or has_user or port not in {None, 80, 443}:
            raise Problem(Reason.SUBDOMAIN_OTHER_HOST)
        host = host.removesuffix(".")
        if "." in host and not host.endswith(".namely.com"):
            raise Problem(Reason.SUBDOMAIN_OTHER_HOST)
        text = host.removesuffix(".namely.com")
    if not _LABEL.fullmatch(text):
        raise Problem(Reason.SUBDOMAIN_MALFORMED)
    if text in RESERVED:
        raise Problem(Reason.SUBDOMAIN_RESERVED, subdomain=text)
    return Subdomain(text)


def parse_token(raw: str) -> Token:
    """Return the token without what copying adds.

    Raises:
        Problem: with code `invalid_token`; the text itself is in no message.
    """
    text = _strip(raw)
    text = _strip(_BEARER.sub("", text, count=1)) if _BEARER.match(text) else text
    if not text:
        raise Problem(Reason.TOKEN_MISSING)
    if len(text) > MAX_TOKEN_LENGTH:
        raise Problem(Reason.TOKEN_TOO_LONG)
    if re.search(r"\s", text):
        raise Problem(Reason.TOKEN_INNER_SPACE)
    if not (text.isascii() and text.isprintable()):
        raise Problem(Reason.TOKEN_NOT_ASCII)
    return Token(text)


def _looks_like_token(raw: str) -> bool:
    return bool(_TOKEN_LIKE.fullmatch(_BEARER.sub("", _strip(raw), count=1)))


def _looks_like_site(raw: str) -> bool:
    text = _strip(raw).lower()
    return ".namely.com" in text or (len(text) < 32 and bool(_LABEL.fullmatch(text)))


def parse_credential(subdomain: str, token: str) -> Credential:
    """Return the checked credential; notices when the two fields were swapped.

    Raises:
        Problem: with code `invalid_subdomain` or `invalid_token`.
    """
    if _looks_like_token(subdomain) and _looks_like_site(token):
        raise Problem(Reason.FIELDS_SWAPPED)
    return Credential(parse_subdomain(subdomain), parse_token(token))

"""What the simulator can do with a request, as values; `server` carries them out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

type Json = bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None
type JsonObject = dict[str, Json]
type Header = tuple[str, str]

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """A whole HTTP answer; without a content type it has no Content-Type header."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True)
class Cut:
    """The connection ends before a byte of the answer."""


@dataclass(frozen=True)
class CutMidBody:
    """The connection ends after half of the promised body."""

    reply: Reply


@dataclass(frozen=True)
class Silence:
    """Nothing is answered for as long as the client waits."""


@dataclass(frozen=True)
class Dribble:
    """Headers or body come a byte at a time and never end."""

    part: Literal["headers", "body"]


@dataclass(frozen=True)
class Endless:
    """A body that comes fast and never ends."""


type Answer = Reply | Cut | CutMidBody | Silence | Dribble | Endless


def json_reply(status: int, document: Json, *headers: Header) -> Reply:
    """A JSON answer as Namely sends it."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Reply(status, body, JSON, headers)


def html_reply(status: int, title: str) -> Reply:
    """A small HTML page."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Reply(status, page.encode(), HTML)


LOGIN_PAGE = html_reply(200, "Namely | Log in")
BAD_GATEWAY = html_reply(502, "502 Bad Gateway")
UNAVAILABLE = html_reply(503, "503 Service Temporarily Unavailable")
NOT_FOUND = json_reply(404, {"message": "Not found", "errors": []})

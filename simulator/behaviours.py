"""The table of what a site can be made to do."""

import functools
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from simulator.answers import (
    BAD_GATEWAY,
    HTML,
    JSON,
    LOGIN_PAGE,
    NOT_FOUND,
    TEXT,
    UNAVAILABLE,
    Answer,
    Cut,
    CutMidBody,
    Dribble,
    Endless,
    JsonObject,
    Reply,
    Silence,
    html_reply,
    json_reply,
)

type Certificate = Literal["good", "wrong_host", "untrusted"]
type Twist = Callable[[JsonObject], Answer]

HUGE_BYTES = 5 * 1024 * 1024
NESTED_LEVELS = 100_000
BOMB_MEBIBYTES = 256
ABSURD_RETRY_SECONDS = 6 * 60 * 60

REFUSED_401 = json_reply(401, {"error": ""})


@dataclass(frozen=True)
class Behaviour:
    """How a site answers; what is not set is as a healthy site does it."""

    name: str
    about: str
    everywhere: Answer | None = None
    """Instead of every answer."""
    first_of_pair: Reply | None = None
    """Instead of the first, third, fifth … of like requests: a retry heals it."""
    info: Answer | None = None
    """Instead of `companies/info`."""
    info_needs_token: bool = False
    resources: Answer | None = None
    """Instead of `/resources`, once the token is accepted."""
    permalink: str | None = None
    """What `companies/info` calls the site, instead of its subdomain."""
    guarded: Answer | None = None
    """Instead of whatever needs a token, before the token is looked at."""
    refused_me: Reply | None = None
    """What every token gets from `/profiles/me`, before `guarded`."""
    refusal: Reply = REFUSED_401
    """What a token that is not good gets."""
    made_up_token: Reply | None = None
    """What a token that the simulator never gave out gets, instead of the refusal."""
    accepts_any_token: bool = False
    me: Twist | None = None
    """What is made of the honest `/profiles/me`."""
    profiles: Answer | None = None
    """Instead of `/profiles`, once the token is accepted."""
    shape: Literal["modern", "2014"] = "modern"
    certificate: Certificate = "good"


def _always(answer: Answer) -> Twist:
    return lambda _honest: answer


def _honest_reply(honest: JsonObject) -> Reply:
    return json_reply(200, honest)


def _profiles(honest: JsonObject) -> list[JsonObject]:
    profiles = honest["profiles"]
    assert isinstance(profiles, list)  # noqa: S101 - tells the type checker what `documents` builds
    return profiles


def _cut_mid_body(honest: JsonObject) -> Answer:
    return CutMidBody(_honest_reply(honest))


def _huge(honest: JsonObject) -> Answer:
    """The right answer, but too long: without a size limit it would be accepted."""
    return _honest_reply({**honest, "padding": "x" * HUGE_BYTES})


@functools.cache
def _nested() -> Reply:
    return Reply(200, b'{"profiles":' + b"[" * NESTED_LEVELS + b"]" * NESTED_LEVELS + b"}", JSON)


def _broken(honest: JsonObject) -> Answer:
    """JSON that stops half-way although the HTTP answer is whole."""
    body = _honest_reply(honest).body
    return Reply(200, body[: len(body) // 2], JSON)


def _list(honest: JsonObject) -> Answer:
    return json_reply(200, _profiles(honest))


def _wrong_content_type(honest: JsonObject) -> Answer:
    return Reply(200, _honest_reply(honest).body, HTML)


def _two_profiles(honest: JsonObject) -> Answer:
    me = _profiles(honest)[0]
    other = {**me, "id": "00000000-0000-4000-8000-000000000000", "email": "second@twins.example"}
    return json_reply(200, {**honest, "profiles": [me, other]})


def _no_profiles(honest: JsonObject) -> Answer:
    return json_reply(200, {**honest, "profiles": []})


def _no_email(honest: JsonObject) -> Answer:
    me = {key: value for key, value in _profiles(honest)[0].items() if key != "email"}
    return json_reply(200, {**honest, "profiles": [me]})


@functools.cache
def _bomb(honest: str) -> Reply:
    """The right answer behind 256 MiB of blanks, as a valid gzip stream of 260 KB.

    One compressed block is repeated, since a full flush makes blocks independent.
    """
    blanks = b" " * (1024 * 1024)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(honest.encode()) + packer.flush()
    checksum = 0
    for _ in range(BOMB_MEBIBYTES):
        checksum = zlib.crc32(blanks, checksum)
    checksum = zlib.crc32(honest.encode(), checksum)
    length = BOMB_MEBIBYTES * len(blanks) + len(honest.encode())
    body = b"".join(
        (
            b"\x1f\x8b\x08\0\0\0\0\0\x02\xff",
            block * BOMB_MEBIBYTES,
            tail,
            checksum.to_bytes(4, "little"),
            (length % 2**32).to_bytes(4, "little"),
        )
    )
    return Reply(200, body, JSON, (("Content-Encoding", "gzip"),))


def _gzip_bomb(honest: JsonObject) -> Answer:
    return _bomb(json.dumps(honest))


def _nested_profiles(_honest: JsonObject) -> Answer:
    return _nested()


_BROKEN = html_reply(500, "500 Internal Server Error")
_THROTTLED = json_reply(429, {"message": "Too many requests", "errors": []})

_TABLE = (
    Behaviour("healthy", "answers as Namely does"),
    Behaviour("legacy-2014", "answers in the shape of 2014", shape="2014"),
    # The site is not there.
    Behaviour("unknown-html", "unknown: 200 and the login page", everywhere=LOGIN_PAGE),
    Behaviour(
        "unknown-redirect",
        "unknown: redirects to the login page",
        everywhere=Reply(302, b"", HTML, (("Location", "/users/login"),)),
    ),
    Behaviour("unknown-404", "unknown: 404 in JSON", everywhere=NOT_FOUND),
    Behaviour("another-permalink", "says it is another site", permalink="somebody-else"),
    Behaviour("accepts-any-token", "takes whatever bearer comes", accepts_any_token=True),
    # The ways to refuse a token.
    Behaviour("refuses-401-json", 'a bad token gets 401 {"error":""}'),
    Behaviour("refuses-401-empty", "a bad token gets 401 without body", refusal=Reply(401)),
    Behaviour(
        "refuses-401-message",
        "a bad token gets 401 with a message",
        refusal=json_reply(401, {"message": "Invalid access token provided.", "errors": []}),
    ),
    Behaviour(
        "refuses-403-json",
        "a bad token gets 403 in JSON",
        refusal=json_reply(403, {"message": "Forbidden", "errors": []}),
    ),
    Behaviour("refuses-403-empty", "a bad token gets 403 without body", refusal=Reply(403)),
    Behaviour(
        "refuses-403-text",
        "a bad token gets 403 in plain text",
        refusal=Reply(403, b"Forbidden\n", TEXT),
    ),
    Behaviour(
        "made-up-token-500",
        "a made-up token gets 500, so a negative control tells nothing",
        made_up_token=html_reply(500, "500 Internal Server Error"),
    ),
    # The site cannot be proven first.
    Behaviour("info-needs-token", "companies/info asks for a token", info_needs_token=True),
    Behaviour(
        "info-500",
        "companies/info answers 500, the rest is fine",
        info=html_reply(500, "500 Internal Server Error"),
    ),
    Behaviour("info-503", "companies/info answers 503, the rest is fine", info=UNAVAILABLE),
    Behaviour("info-cut", "companies/info cuts the connection, the rest is fine", info=Cut()),
    Behaviour("info-slow", "companies/info never answers, the rest is fine", info=Silence()),
    # An incident: tokens are refused because Namely is out of order.
    Behaviour(
        "incident-info-503",
        "companies/info answers 503, and every token gets 401",
        info=UNAVAILABLE,
        guarded=REFUSED_401,
    ),
    Behaviour(
        "incident-info-slow",
        "companies/info never answers, and every token gets 401",
        info=Silence(),
        guarded=REFUSED_401,
    ),
    Behaviour(
        "incident-profiles-503",
        "proves the site, /me refuses every token with 401, and /profiles answers 503",
        refused_me=REFUSED_401,
        guarded=UNAVAILABLE,
    ),
    # Throttled.
    Behaviour("throttled-406", "/profiles answers 406", profiles=Reply(406)),
    Behaviour("profiles-429", "/profiles answers 429", profiles=_THROTTLED),
    # The token is proved, but what it sees can't be found out.
    Behaviour("profiles-500", "/profiles answers 500", profiles=_BROKEN),
    Behaviour(
        "profiles-504", "/profiles answers 504", profiles=html_reply(504, "504 Gateway Time-out")
    ),
    Behaviour("profiles-slow", "/profiles never answers", profiles=Silence()),
    Behaviour("profiles-cut", "/profiles cuts the connection", profiles=Cut()),
    Behaviour("profiles-html", "/profiles is the login page", profiles=LOGIN_PAGE),
    Behaviour("profiles-odd", "/profiles is JSON of another shape", profiles=json_reply(200, [])),
    Behaviour(
        "profiles-406-made-up-token-500",
        "/profiles answers 406 and a made-up token gets 500, so nothing proves the token",
        profiles=Reply(406),
        made_up_token=html_reply(500, "500 Internal Server Error"),
    ),
    Behaviour("resources-500", "/resources answers 500", resources=_BROKEN),
    Behaviour(
        "throttled-429",
        "429 with Retry-After: 30",
        guarded=json_reply(429, {"message": "Too many requests"}, ("Retry-After", "30")),
    ),
    Behaviour("throttled-429-bare", "429 without Retry-After", guarded=_THROTTLED),
    Behaviour(
        "throttled-429-absurd",
        "429 with Retry-After: six hours",
        guarded=json_reply(
            429, {"message": "Too many requests"}, ("Retry-After", str(ABSURD_RETRY_SECONDS))
        ),
    ),
    # Out of order.
    Behaviour(
        "error-500",
        "500 to everything",
        everywhere=json_reply(500, {"message": "Internal Server Error"}),
    ),
    Behaviour("error-502", "502 to everything", everywhere=BAD_GATEWAY),
    Behaviour("error-503", "503 to everything", everywhere=UNAVAILABLE),
    Behaviour("error-504", "504 to everything", everywhere=html_reply(504, "504 Gateway Time-out")),
    Behaviour(
        "502-once", "the first of each two like requests gets 502", first_of_pair=BAD_GATEWAY
    ),
    Behaviour("cut", "cuts the connection before the answer", guarded=Cut()),
    Behaviour("cut-mid-body", "cuts the connection within /me", me=_cut_mid_body),
    Behaviour("slow", "never answers", everywhere=Silence()),
    Behaviour("slow-me", "proves the site, then never answers", guarded=Silence()),
    Behaviour("dribbling-headers", "headers come byte by byte", guarded=Dribble("headers")),
    Behaviour("dribbling-body", "the body comes byte by byte", guarded=Dribble("body")),
    Behaviour("endless-body", "the body never ends", guarded=Endless()),
    # Nonsense in /me of a site that proves itself.
    Behaviour("huge-json", "/me is right, and 5 MB long", me=_huge),
    Behaviour("nested-json", "/me is 100,000 brackets deep", me=_nested_profiles),
    Behaviour("broken-json", "/me is half of a JSON document", me=_broken),
    Behaviour("list-json", "/me is a list", me=_list),
    Behaviour("wrong-content-type", "/me is right, but text/html", me=_wrong_content_type),
    Behaviour("html-403", "/me is 403 in HTML", me=_always(html_reply(403, "Request blocked"))),
    Behaviour("two-profiles", "/me is two people", me=_two_profiles),
    Behaviour("no-profiles", "/me is nobody", me=_no_profiles),
    Behaviour("no-email", "/me has no email", me=_no_email),
    Behaviour("gzip-bomb", "/me unpacks to 256 MiB", me=_gzip_bomb),
    # TLS.
    Behaviour("bad-certificate-host", "certificate of another host", certificate="wrong_host"),
    Behaviour("bad-certificate-ca", "certificate of an unknown CA", certificate="untrusted"),
)

BEHAVIOURS = MappingProxyType({behaviour.name: behaviour for behaviour in _TABLE})

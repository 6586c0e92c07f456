"""The switches over plain HTTP, for those who rehearse by hand or from another process."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import Any, override

from simulator.answers import Json, Reply, json_reply
from simulator.behaviours import BEHAVIOURS
from simulator.server import IDLE_SECONDS, LoopbackServer
from simulator.world import Site, Token, UnknownNameError, World

MAX_BODY = 16_384
PEOPLE = ("all", "self", "forbidden", "unauthorized")
OWNER_STATUSES = ("active", "inactive", "pending")

type Check = Callable[[object], bool]


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_period(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or (isinstance(value, int | float) and 0 < value < float("inf"))


OUTAGE_FIELDS: Mapping[str, Check] = MappingProxyType({"on": _is_boolean})
SITE_FIELDS: Mapping[str, Check] = MappingProxyType(
    {
        "behaviour": lambda value: isinstance(value, str) and value in BEHAVIOURS,
        "permalink": _is_text,
        "flap_seconds": _is_period,
    }
)
TOKEN_FIELDS: Mapping[str, Check] = MappingProxyType(
    {
        "revoked": _is_boolean,
        "owner_status": lambda value: value in OWNER_STATUSES,
        "people": lambda value: value in PEOPLE,
        "sees_work": _is_boolean,
        "sees_birth_date": _is_boolean,
        "sees_salary": _is_boolean,
        "sees_ssn": _is_boolean,
        "sees_job_titles": _is_boolean,
        "super_admin": _is_boolean,
    }
)


class BadInputError(ValueError):
    """A body that is not what the route takes."""


class ControlServer(LoopbackServer):
    """The control port."""

    def __init__(self, port: int, world: World, namely_address: str) -> None:
        """Takes the port, 0 for any."""
        super().__init__(port, ControlHandler)
        self.world = world
        self.namely_address = namely_address

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        """Does what a request asks for."""
        try:
            return self._route(method, path, body)
        except ValueError as error:
            return json_reply(400, {"error": str(error)})
        except UnknownNameError as error:
            return json_reply(404, {"error": str(error)})

    def _route(self, method: str, path: str, body: bytes) -> Reply:
        world = self.world
        match method, path.strip("/").split("/"):
            case "GET", [""]:
                return json_reply(200, self._overview())
            case "GET", ["requests"]:
                return json_reply(200, [asdict(request) for request in world.requests])
            case "DELETE", ["requests"]:
                world.clear_requests()
                return Reply(204)
            case "PUT", ["outage"]:
                world.set_outage(on=_fields(body, OUTAGE_FIELDS)["on"])
                return json_reply(200, {"on": world.outage})
            case "PUT", ["sites", subdomain]:
                world.site(subdomain)
                change = _fields(body, SITE_FIELDS)
                # First what can still be refused, so that a bad request changes nothing.
                if "permalink" in change:
                    world.rename(subdomain, change["permalink"])
                if "behaviour" in change:
                    world.set_behaviour(subdomain, change["behaviour"])
                if "flap_seconds" in change:
                    world.flap(subdomain, change["flap_seconds"])
                return json_reply(200, _site(world.site(subdomain)))
            case "PUT", ["tokens", name]:
                world.token(name)
                world.set_token(name, **_fields(body, TOKEN_FIELDS))
                return json_reply(200, _token(world.token(name)))
            case _, [""] | ["requests"] | ["outage"] | ["sites", _] | ["tokens", _]:
                return json_reply(405, {"error": f"{method} is not for this path"})
            case _:
                return json_reply(404, {"error": f"no path {path!r}"})

    def _overview(self) -> Json:
        world = self.world
        return {
            "address": self.namely_address,
            "outage": world.outage,
            "credentials": [asdict(credential) for credential in world.credentials],
            "sites": [_site(site) for site in world.sites],
            "tokens": [_token(token) for token in world.tokens],
            "behaviours": {name: behaviour.about for name, behaviour in BEHAVIOURS.items()},
        }


class ControlHandler(BaseHTTPRequestHandler):
    """One connection to the control port."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: ControlServer

    def handle_request_line(self) -> None:
        """Answers one request."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # the body is not read
            reply = json_reply(400, {"error": f"a body has a length of at most {MAX_BODY} bytes"})
        else:
            body = self.rfile.read(int(length))
            reply = self.server.answer(self.command, self.path, body)
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        if reply.content_type:
            lines.append(f"Content-Type: {reply.content_type}")
        if reply.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(reply.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request_line  # noqa: N815 - http.server's names

    @override
    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _fields(body: bytes, checks: Mapping[str, Check]) -> Any:  # noqa: ANN401 - the checks tell the types
    """The object of a body, once every field of it has passed its check."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        message = "the body is not JSON"
        raise BadInputError(message) from None
    if not isinstance(document, dict) or not document:
        message = f"the body is an object with some of: {', '.join(checks)}"
        raise BadInputError(message)
    for name, value in document.items():
        if name not in checks:
            message = f"unknown field {name!r}; known are: {', '.join(checks)}"
            raise BadInputError(message)
        if not checks[name](value):
            message = f"not a value for {name!r}: {value!r}"
            raise BadInputError(message)
    return document


def _site(site: Site) -> Json:
    return {
        "subdomain": site.subdomain,
        "name": site.name,
        "permalink": site.permalink,
        "behaviour": site.behaviour.name,
        "flap_seconds": site.flap_seconds,
    }


def _token(token: Token) -> Json:
    return {
        "name": token.name,
        "site": token.home,
        "revoked": token.revoked,
        "owner_status": token.owner.status,
        **asdict(token.role),
    }

"""The webhook: events to an address of the deployer's, signed by the scheme of Standard Webhooks.

Each is a POST of its own over verified TLS. No redirect is followed, addresses that are not public
are refused after resolution, and of the answer only its status is read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from namely_link.domain.problems import UndeliveredError, UnreadableError
from namely_link.outgoing.sockets import DEADLINE, DeadlineSocket, dial, public_addresses, remaining

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS: Final = 15
"""For one event, from the look-up of the name to the status of the answer."""

_ID: Final = re.compile("evt_[0-9A-Za-z]{1,60}")


@dataclass(frozen=True)
class Message:
    """What is sent, the same bytes at each attempt."""

    id: str
    body: bytes


def message(event: str) -> Message:
    """Return what to send of an event, as EventBridge puts it into a queue.

    Raises:
        UnreadableError: it is no event of ours.
    """
    try:
        said = json.loads(event)
        kind, detail = said["detail-type"], said["detail"]
        document = {"type": kind, "timestamp": detail["occurred_at"], "data": detail}
        event_id = detail["event_id"]
        if _ID.fullmatch(event_id):
            return Message(event_id, json.dumps(document).encode())
        error = "ValueError"
    except (ValueError, KeyError, TypeError) as wrong:
        error = type(wrong).__name__
    msg = f"an event can't be read: {error}"
    raise UnreadableError(msg)


def signatures(sent: Message, *, at: int, keys: Iterable[bytes]) -> str:
    """Return the header `webhook-signature`: one signature a key, any of which a receiver takes."""
    signed = b"%s.%d.%s" % (sent.id.encode(), at, sent.body)
    made = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return " ".join(f"v1,{one}" for one in made)


class Webhook:
    """An address that events are sent to.

    `ca_bundle` (PEM) leads to a receiver on this machine: its authority alone is trusted then, and
    addresses that are not public are allowed.
    """

    def __init__(self, url: str, *, ca_bundle: str | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 443
        self._path = parts.path or "/"
        if parts.query:
            self._path += f"?{parts.query}"
        self._here = ca_bundle is not None
        self._context = ssl.create_default_context(cadata=ca_bundle)
        self._context.sslsocket_class = DeadlineSocket

    def send(self, sent: Message, *, at: int, keys: Iterable[bytes], deadline: float) -> None:
        """Send a message by `deadline` (`time.monotonic`), signed at `at` (Unix, seconds).

        Raises:
            UndeliveredError: there was no answer 2xx; the receiver may have the message.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "namely-link",
            "webhook-id": sent.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signatures(sent, at=at, keys=keys),
        }
        reset = DEADLINE.set(deadline)
        try:
            status = self._post(sent.body, headers)
        except (OSError, HTTPException, UnicodeError) as error:
            raise UndeliveredError(type(error).__name__) from None
        finally:
            DEADLINE.reset(reset)
        if not 200 <= status < 300:
            raise UndeliveredError(str(status))

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        """Return the status of the answer, whose body is not read.

        Raises:
            OSError: nobody answers in time, or not with a certificate that is trusted.
            HTTPException: what answers is not HTTP.
            UnicodeError: the host's name is none.
        """
        hosts = [self._host] if self._here else public_addresses(self._host, self._port)
        with dial([(one, self._port) for one in hosts]) as plain:
            plain.settimeout(remaining())  # for the handshake, as a whole
            connection = HTTPSConnection(self._host, self._port)
            # Connected already, to an address that was checked.
            connection.sock = self._context.wrap_socket(plain, server_hostname=self._host)
            try:
                connection.request("POST", self._path, body=body, headers=headers)
                return connection.getresponse().status
            finally:
                connection.close()

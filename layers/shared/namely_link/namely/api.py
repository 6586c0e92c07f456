"""Namely over HTTPS: the only module that knows urllib3.

A token can go nowhere but to the host of a checked subdomain: TLS is verified, no redirect is
followed, and addresses that are not public are refused after resolution. Every answer is read up
to a size limit and within one deadline, however slowly it drips.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final, Self

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from namely_link.domain.probe import Answer, Failure
from namely_link.outgoing.sockets import (
    DEADLINE,
    DeadlineSocket,
    dial,
    public_addresses,
    remaining,
)

if TYPE_CHECKING:
    from urllib3 import HTTPResponse

    from namely_link.domain.probe import Reply
    from namely_link.domain.values import Subdomain, Token

MAX_BODY: Final = 1024 * 1024
"""Bytes: fifty profiles with every field are a tenth of it."""

_RETRIES: Final = urllib3.Retry(
    connect=2,
    read=1,  # a kept connection that Namely has closed in the meantime
    status=2,
    other=0,
    redirect=0,
    status_forcelist={502, 503, 504},
    allowed_methods={"GET"},
    backoff_factor=0.1,
    backoff_jitter=0.2,
    backoff_max=1,
    raise_on_status=False,
    respect_retry_after_header=False,  # Namely's word may be hours; our deadline is seconds
)

_IDLE: Final = 20
"""Seconds after which a kept connection is not used again. While a function is frozen, load
balancers and NAT gateways forget its connections, and a request on one of those meets silence."""


def _clocks() -> tuple[float, float]:
    """Return seconds by both clocks: either may stand still while a function is frozen."""
    return time.monotonic(), time.time()


class _Connection(HTTPSConnection):
    """Goes only to public addresses of the host, or to where the simulator is."""

    connect_to: tuple[str, int] | None = None
    _used: tuple[float, float] = (0, 0)

    @property
    def is_connected(self) -> bool:
        """Whether the connection may serve the next request; the pool makes a new one if not."""
        idle = max(now - used for now, used in zip(_clocks(), self._used, strict=True))
        return super().is_connected and idle < _IDLE

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own, as there
        self._used = _clocks()
        return super().getresponse()

    def _new_conn(self) -> socket.socket:
        try:
            targets = (
                [self.connect_to]
                if self.connect_to
                else [(one, self.port) for one in public_addresses(self.host, self.port)]
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        try:
            return dial(targets)
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error


def _failure(error: HTTPError) -> Failure:
    """Translate urllib3's exceptions; what is not known is unusable."""
    match error:
        case MaxRetryError(reason=HTTPError() as reason):
            return _failure(reason)
        case NameResolutionError(__cause__=socket.gaierror(errno=socket.EAI_NONAME)):
            return Failure.NO_DNS
        case NewConnectionError() | ConnectTimeoutError() | SSLError():
            return Failure.UNREACHABLE
        case ReadTimeoutError():
            return Failure.TIMEOUT
        case _:
            return Failure.UNUSABLE


class NamelyApi:
    """A pool of connections to Namely's sites, made once a container.

    `connect_to` and `ca_bundle` (PEM) lead to a simulator without changing host name, SNI,
    verification or path, like curl's `--connect-to` and `--cacert`.
    """

    def __init__(
        self, *, connect_to: tuple[str, int] | None = None, ca_bundle: str | None = None
    ) -> None:
        context = ssl.create_default_context(cadata=ca_bundle)
        context.sslsocket_class = DeadlineSocket
        connection = type("_Connection", (_Connection,), {"connect_to": connect_to})
        pool = type("_Pool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": connection})
        self._pools = urllib3.PoolManager(num_pools=32, maxsize=8, ssl_context=context)
        self._pools.pool_classes_by_scheme = {"https": pool}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._pools.clear()

    def get(self, subdomain: Subdomain, path: str, token: Token | None, deadline: float) -> Reply:
        """Return what the site answers by `deadline` (`time.monotonic`), or why it did not."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.reveal()}"
        reset = DEADLINE.set(deadline)
        try:
            response = self._pools.request(
                "GET",
                subdomain.base_url + path,
                headers=headers,
                redirect=False,
                retries=_RETRIES,
                timeout=remaining(),
                preload_content=False,
            )
            try:
                body = response.read(MAX_BODY + 1, decode_content=False)
            finally:
                # Nothing of an answer that was not read to its end may meet the next request.
                response.close()
        except HTTPError as error:
            return _failure(error)
        finally:
            DEADLINE.reset(reset)
        return _read(response.status, response.headers, body)


def _read(status: int, headers: urllib3.HTTPHeaderDict, body: bytes) -> Reply:
    encoded = headers.get("Content-Encoding", "identity") != "identity"
    if encoded or len(body) > MAX_BODY:
        return Failure.UNUSABLE
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    wait = headers.get("Retry-After", "")
    document = None
    is_json = kind == "application/json" and bool(body.strip())
    if is_json:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            if status < 300:
                return Failure.UNUSABLE
            is_json = False
    return Answer(
        status=status,
        is_json=is_json,
        body=document,
        is_html=kind == "text/html" or body.lstrip()[:1] == b"<",
        # No more digits than `int` takes: a header may be any length.
        retry_after=int(wait) if re.fullmatch("[0-9]{1,9}", wait) else None,
    )

"""Sockets of one deadline, and which addresses they may go to."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Buffer

DEADLINE: Final[ContextVar[float]] = ContextVar("deadline")
"""When whatever is asked for must be over, by `time.monotonic`."""


def remaining() -> float:
    """Return the seconds left, never so few that a socket would stop blocking."""
    return max(DEADLINE.get() - time.monotonic(), 0.001)


class DeadlineSocket(ssl.SSLSocket):
    """Gives each send and receive only what is left: nothing that drips outlives the deadline."""

    def send(self, data: Buffer, flags: int = 0) -> int:
        self.settimeout(remaining())
        return super().send(data, flags)

    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        if time.monotonic() >= DEADLINE.get():
            msg = "the deadline has passed"
            raise TimeoutError(msg)
        self.settimeout(remaining())
        return super().recv_into(buffer, nbytes, flags)


def public_addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host that are reachable from anywhere, in the resolver's order.

    Raises:
        socket.gaierror: when the name does not resolve.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0])) for entry in found]
    return [str(one) for one in addresses if _is_public(one)]


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    inner = getattr(address, "ipv4_mapped", None) or address
    return inner.is_global and not inner.is_multicast


def dial(targets: list[tuple[str, int]]) -> socket.socket:
    """Return a connection to the first target that accepts one.

    Raises:
        OSError: none does, or there is none.
    """
    failure: OSError | None = None
    for target in targets:
        try:
            connection = socket.create_connection(target, timeout=remaining())
        except OSError as error:
            failure = error
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    msg = "no public address accepts a connection"
    raise ConnectionRefusedError(msg) from failure

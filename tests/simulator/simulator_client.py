"""A client that meets the simulator as it would meet Namely."""

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any

import urllib3

from simulator import Simulator

MAX_BODY = 1024 * 1024


@dataclass
class Client:
    """Asks a site over TLS with its own name, verifying the certificate."""

    simulator: Simulator

    def trust(self) -> ssl.SSLContext:
        """A context of its own each time, since urllib3 changes the one that it is given."""
        return ssl.create_default_context(cadata=self.simulator.ca_pem)

    def pool(self, subdomain: str, **options: Any) -> urllib3.HTTPSConnectionPool:
        host, _, port = self.simulator.address.partition(":")
        name = f"{subdomain}.namely.com"
        return urllib3.HTTPSConnectionPool(
            host,
            int(port),
            ssl_context=self.trust(),
            server_hostname=name,
            assert_hostname=name,
            retries=False,
            headers={"Host": name, "Accept": "application/json"},
            **options,
        )

    def ask(
        self,
        subdomain: str,
        path: str,
        token: str | None = None,
        *,
        method: str = "GET",
        timeout: float = 5.0,
        headers: dict[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """The answer to one request over a connection of its own, as it came over the wire."""
        with self.pool(subdomain, timeout=timeout) as pool:
            sent = {**pool.headers, **(headers or {})}
            if token is not None:
                sent["Authorization"] = f"Bearer {token}"
            target = path if path.startswith("/") else f"/api/v1/{path}"
            return pool.request(method, target, headers=sent, redirect=False, decode_content=False)

    def connect(self, subdomain: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        host, _, port = self.simulator.address.partition(":")
        raw = socket.create_connection((host, int(port)), timeout=5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return (context or self.trust()).wrap_socket(
                raw, server_hostname=f"{subdomain}.namely.com"
            )
        except OSError:
            raw.close()
            raise

    def ask_within(
        self, subdomain: str, path: str, token: str | None, seconds: float
    ) -> tuple[int, str, bytes] | None:
        """Status, content type and body, or None when no whole answer comes in time and size."""
        answer: list[tuple[int, str, bytes]] = []
        sockets: list[ssl.SSLSocket] = []

        def converse() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                connection = self.connect(subdomain)
                sockets.append(connection)
                bearer = f"Authorization: Bearer {token}\r\n" if token else ""
                response = http.client.HTTPResponse(connection)
                with connection, contextlib.closing(response):
                    connection.sendall(
                        f"GET /api/v1/{path} HTTP/1.1\r\nHost: {subdomain}.namely.com\r\n"
                        f"Accept: application/json\r\n{bearer}\r\n".encode()
                    )
                    response.begin()
                    body = response.read(MAX_BODY)
                    if len(body) < MAX_BODY and (response.length or 0) == 0:
                        kind = response.headers.get("Content-Type", "")
                        answer.append((response.status, kind, body))

        thread = threading.Thread(target=converse, daemon=True)
        thread.start()
        thread.join(seconds)
        for connection in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        thread.join(5)
        return answer[0] if answer else None

"""A receiver of webhooks on this machine: real TLS and sockets, and any way to answer."""

import base64
import contextlib
import secrets
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme


@dataclass(frozen=True)
class Got:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Receiver:
    """Answers with what is next in `answers` (a status, or a word of `_Handler`), else with 204."""

    url: str
    ca_pem: str
    context: ssl.SSLContext
    secret: str = field(default_factory=new_secret)
    """What is signed with, as a deployment has it."""
    answers: list[int | str] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.got.append(Got(self.path, dict(self.headers), body))
        answer = self.receiver.answers.pop(0) if self.receiver.answers else 204
        self.close_connection = True
        match answer:
            case int():
                self.send_response(answer)
                self.send_header("Location", self.receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "endless":
                self.send_response(200)
                self.send_header("Content-Length", str(10**12))
                self.end_headers()
                self.receiver.closing.wait()
            case "drips":
                self.wfile.write(b"HTTP/1.1 200 ")
                while not self.receiver.closing.wait(0.05):
                    self.wfile.write(b"O")
            case "hangs":
                self.receiver.closing.wait()
            case "babbles":
                self.wfile.write(b"220 no HTTP\r\n\r\n")
            case "cuts":
                pass

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing of clients that hang up or don't trust us."""


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver until the block ends, with an authority of its own."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    handler: Any = type("_Handler", (_Handler,), {})
    with _Server(("127.0.0.1", 0), handler) as server:
        # The handshake is the business of the connection's own thread.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        receiver = Receiver(
            url=f"https://localhost:{server.server_port}/hook?of=namely-link",
            ca_pem=authority.cert_pem.bytes().decode(),
            context=context,
        )
        handler.receiver = receiver
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.closing.set()
            server.shutdown()
            thread.join()

"""The sites over TLS: carries out the answers that the world decides on."""

import contextlib
import select
import socket
import socketserver
import threading
import time
import uuid
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, assert_never, override

from simulator.answers import (
    Answer,
    Cut,
    CutMidBody,
    Dribble,
    Endless,
    Header,
    Reply,
    Silence,
    html_reply,
)
from simulator.certificates import Certificates, SiteSocket
from simulator.world import World

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 60.0
POLL_SECONDS = 0.5
DRIBBLE_SECONDS = 0.2
ENDLESS_CHUNK = b"x" * 16_384
ENDLESS_PAUSE = 0.005
MISDIRECTED = html_reply(421, "421 Misdirected Request")


class LoopbackServer(ThreadingHTTPServer):
    """A server of daemon threads on loopback that can end in the middle of an answer."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        """Takes the port, 0 for any; answers once started."""
        super().__init__((LOOPBACK, port), handler)
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()

    @override
    def server_bind(self) -> None:
        """Binds without the reverse look-up that HTTPServer does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{LOOPBACK}:{self.server_port}"

    def start(self) -> None:
        """Answers in a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    def stop(self) -> None:
        """Ends the port and every connection; a second time does nothing."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        stopper = threading.Thread(target=self.shutdown, daemon=True)
        stopper.start()
        while stopper.is_alive():
            # A connection wakes the loop, which else looks up at every poll only.
            with contextlib.suppress(OSError):
                socket.create_connection((LOOPBACK, self.server_port), timeout=1).close()
            stopper.join(0.005)
        self.server_close()
        with self._connections_lock:
            for connection in self._connections:
                cut(connection)

    def converse(self, connection: socket.socket, client: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Handles one connection; one that breaks off is nobody's error."""
        with self._connections_lock:
            self._connections.add(connection)
        try:
            with contextlib.suppress(OSError):
                super().finish_request(connection, client)
        finally:
            with self._connections_lock:
                self._connections.discard(connection)
            connection.close()

    @override
    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handles one connection in its thread."""
        self.converse(request, client_address)


class NamelyServer(LoopbackServer):
    """Every site, told apart by the name that the client asks for."""

    def __init__(self, port: int, world: World) -> None:
        """Takes the port, 0 for any, and makes a CA."""
        super().__init__(port, NamelyHandler)
        self.world = world
        self.certificates = Certificates(world.certificate)

    @override
    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shakes hands in the connection's own thread, so that no client holds up another."""
        request.settimeout(IDLE_SECONDS)
        with contextlib.suppress(OSError):
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self.certificates.context.wrap_socket(request, server_side=True)
            self.converse(tls, client_address)


class NamelyHandler(BaseHTTPRequestHandler):
    """One connection to a site."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: NamelyServer
    connection: SiteSocket

    def handle_request_line(self) -> None:
        """Answers one request."""
        began = time.perf_counter()
        host = self.headers.get("Host", "").partition(":")[0].lower()
        if self.command != "GET" and self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True  # the body is not read
        answer = self.server.world.answer(self.command, self.path, self.headers)
        if host != self.connection.asked_host:
            answer = MISDIRECTED
        if self.server.world.certificate(host) != self.connection.shown:
            answer = Cut()  # a connection from before the certificate changed
        self._carry_out(answer, began)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request_line  # noqa: N815 - http.server's names

    def _carry_out(self, answer: Answer, began: float) -> None:
        match answer:
            case Reply():
                self._send(answer, began)
            case Cut():
                self._cut()
            case CutMidBody(reply=reply):
                self.wfile.write(_head(reply, began, len(reply.body)))
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self._cut()
            case Silence():
                self._wait_for_client_to_go()
            case Dribble(part=part):
                head = _head(Reply(200, content_type="application/json"), began, None)
                # Cut within the last header, the drops make it longer and longer.
                start = head.rstrip() if part == "headers" else head + b'{"profiles":['
                self._dribble(start, b" ")
            case Endless():
                self._send_endlessly(began)
            case _ as never:
                assert_never(never)

    def _send(self, reply: Reply, began: float) -> None:
        head = _head(reply, began, len(reply.body), close=self.close_connection)
        self.wfile.write(head if self.command == "HEAD" else head + reply.body)

    def _cut(self) -> None:
        self.close_connection = True
        cut(self.connection)

    def _dribble(self, start: bytes, drop: bytes) -> None:
        self.close_connection = True
        self.wfile.write(start)
        while not self.server.stopping.wait(DRIBBLE_SECONDS):
            self.wfile.write(drop)

    def _send_endlessly(self, began: float) -> None:
        self.close_connection = True
        reply = Reply(200, content_type="application/json")
        self.wfile.write(_head(reply, began, None, ("Transfer-Encoding", "chunked")))
        chunk = b"%x\r\n%b\r\n" % (len(ENDLESS_CHUNK), ENDLESS_CHUNK)
        while not self.server.stopping.wait(ENDLESS_PAUSE):
            self.wfile.write(chunk)

    def _wait_for_client_to_go(self) -> None:
        self.close_connection = True
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        while not self.server.stopping.is_set() and not poll.poll(100):
            pass

    @override
    def log_message(self, *_: object) -> None:
        """Says nothing."""


def cut(connection: socket.socket) -> None:
    """Ends a connection without TLS's farewell; its thread notices by itself."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _head(
    reply: Reply, began: float, length: int | None, *more: Header, close: bool = False
) -> bytes:
    """The status line and headers that Namely sends; without a length the body ends never."""
    status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
    headers = [
        ("Server", "nginx"),
        ("Date", formatdate(usegmt=True)),
        ("Status", status),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Request-Id", str(uuid.uuid4())),
        ("X-Runtime", f"{time.perf_counter() - began:.6f}"),
        *reply.headers,
        *more,
    ]
    if reply.content_type:
        headers.append(("Content-Type", reply.content_type))
    if length is not None:
        headers.append(("Content-Length", str(length)))
    if close or length is None:
        headers.append(("Connection", "close"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()

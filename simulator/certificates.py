"""One certificate a host, chosen by the name that the client asks for."""

import functools
import ssl
import threading
from collections.abc import Callable

import trustme

from simulator.behaviours import Certificate

DEFAULT_HOST = "namely.com"
MAX_CERTIFICATES = 2048


class SiteSocket(ssl.SSLSocket):
    """A connection that remembers which host was asked for and what was shown."""

    asked_host: str = ""
    shown: Certificate = "good"


class Certificates:
    """A CA, and certificates of it that are made when they are first needed."""

    def __init__(self, kind_of_host: Callable[[str], Certificate]) -> None:
        """`kind_of_host` says which certificate a host shows."""
        self._kind_of_host = kind_of_host
        self._authority = trustme.CA(organization_name="namely-link simulator")
        self._stranger = trustme.CA(organization_name="nobody trusts this")
        self._lock = threading.Lock()
        self._made = functools.lru_cache(maxsize=MAX_CERTIFICATES)(self._make)
        self.context = self._made(DEFAULT_HOST, "good")
        self.context.sslsocket_class = SiteSocket
        self.context.sni_callback = self._choose  # type: ignore[assignment]  # the stub's is wider

    @property
    def ca_pem(self) -> str:
        """The certificate to trust."""
        return self._authority.cert_pem.bytes().decode()

    def certify(self, host: str, context: ssl.SSLContext) -> None:
        """Give another server a certificate of this CA."""
        self._authority.issue_cert(host).configure_cert(context)

    def _make(self, host: str, kind: Certificate) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.num_tickets = 0
        authority = self._stranger if kind == "untrusted" else self._authority
        name = "another-host.invalid" if kind == "wrong_host" else host
        authority.issue_cert(name).configure_cert(context)
        return context

    def _choose(
        self, connection: SiteSocket, host: str | None, _context: ssl.SSLContext
    ) -> int | None:
        host = (host or "").lower()
        connection.asked_host = host
        if host.endswith("." + DEFAULT_HOST):
            connection.shown = self._kind_of_host(host)
            with self._lock:
                try:
                    connection.context = self._made(host, connection.shown)
                except ValueError:  # no host name at all
                    return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        return None

"""The adapter over urllib3 against the simulator: real TLS, real sockets, every state of Namely."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme
from urllib3 import HTTPHeaderDict

from namely_link.domain.account import AccountWarning
from namely_link.domain.credentials import parse_credential
from namely_link.domain.probe import (
    ME,
    SITE,
    Accepted,
    Answer,
    Failure,
    Questions,
    Reply,
    Undetermined,
    Verdict,
    barred,
)
from namely_link.domain.problems import MEANINGS, Reason
from namely_link.domain.values import Subdomain, Token
from namely_link.namely import api as adapter
from namely_link.namely.api import NamelyApi
from namely_link.outgoing import sockets
from simulator import Simulator
from simulator import catalogue as simulated
from simulator.catalogue import credentials

SLOW = 3.0
"""Seconds that a probe may take in these tests."""


@pytest.fixture(scope="module")
def simulator():
    with Simulator() as running:
        yield running


def api_of(simulator: Simulator) -> NamelyApi:
    host, _, port = simulator.address.partition(":")
    return NamelyApi(connect_to=(host, int(port)), ca_bundle=simulator.ca_pem)


@pytest.fixture(scope="module")
def api(simulator: Simulator):
    with api_of(simulator) as made:
        yield made


def ask(api: NamelyApi, typed: simulated.Credential) -> Verdict:
    """Put all questions as a link does."""
    credential = parse_credential(typed.subdomain, typed.token)
    questions = Questions(namely=api, negative_control=True)
    now = time.monotonic()
    site = questions.site(credential.subdomain, now=now, deadline=now + SLOW)
    if found := barred(site):
        return found
    with ThreadPoolExecutor(4) as pool:
        return questions.ask(credential, deadline=now + SLOW, pool=pool).verdict(site)


def outcome(api: NamelyApi, credential: simulated.Credential) -> str:
    """Give the code that a link would answer with, or `linked`."""
    verdict = ask(api, credential)
    return "linked" if isinstance(verdict, Accepted) else MEANINGS[verdict.reason].code


@pytest.mark.parametrize("name", [one.name for one in credentials()])
def test_every_credential_of_the_simulator_gives_what_it_promises(
    api: NamelyApi, simulator: Simulator, name: str
) -> None:
    credential = simulator.credential(name)
    started = time.monotonic()
    assert outcome(api, credential) == credential.expect
    assert time.monotonic() - started < SLOW + 2


@pytest.mark.parametrize("name", ["unknown-html", "unknown-redirect", "another-permalink"])
def test_a_refuted_site_never_sees_the_token(
    api: NamelyApi, simulator: Simulator, name: str
) -> None:
    credential = simulator.credential(name)
    simulator.clear_requests()
    assert outcome(api, credential) == "site_not_found"
    assert simulator.requests
    assert not any(request.bearer for request in simulator.requests)


def test_without_the_simulators_ca_its_certificate_is_refused(simulator: Simulator) -> None:
    host, _, port = simulator.address.partition(":")
    with NamelyApi(connect_to=(host, int(port))) as api:
        assert api.get(Subdomain("acme"), SITE, None, time.monotonic() + 5) is Failure.UNREACHABLE


def test_an_answer_is_parsed(api: NamelyApi) -> None:
    answer = api.get(Subdomain("acme"), SITE, None, time.monotonic() + 5)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body["permalink"]) == (200, "acme")


def test_a_deadline_that_has_passed_is_a_time_out(api: NamelyApi) -> None:
    answer = api.get(Subdomain("acme"), SITE, None, time.monotonic() - 1)
    assert answer in {Failure.TIMEOUT, Failure.UNREACHABLE}


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with NamelyApi(connect_to=unheard.getsockname()) as api:
            answer = api.get(Subdomain("acme"), ME, Token("t" * 64), time.monotonic() + 5)
    assert answer is Failure.UNREACHABLE


SPECIAL = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - an address that must be refused, nothing binds to it
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fd00::1",
    "::ffff:127.0.0.1",
]


@pytest.mark.parametrize("address", SPECIAL)
def test_a_special_address_is_refused_after_resolution(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_args, **_options: [(family, socket.SOCK_STREAM, 6, "", (address, 443))],
    )
    dialled: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **_options: dialled.append(args))
    with NamelyApi() as api:
        answer = api.get(Subdomain("acme"), SITE, None, time.monotonic() + 5)
    assert (answer, dialled) == (Failure.UNREACHABLE, [])


def test_a_public_address_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_args, **_options: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))],
    )
    assert sockets.public_addresses("acme.namely.com", 443) == ["8.8.8.8"]


@pytest.mark.parametrize(
    ("number", "failure"),
    [(socket.EAI_NONAME, Failure.NO_DNS), (socket.EAI_AGAIN, Failure.UNREACHABLE)],
)
def test_only_a_name_that_does_not_exist_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, number: int, failure: Failure
) -> None:
    def resolve(*_args: object, **_options: object) -> None:
        raise socket.gaierror(number, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with NamelyApi() as api:
        assert api.get(Subdomain("acme"), SITE, None, time.monotonic() + 5) is failure


def test_tls_is_verified_by_default() -> None:
    with NamelyApi() as api:
        context = api._pools.connection_pool_kw["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_connection_is_kept_for_the_next_question(simulator: Simulator) -> None:
    with api_of(simulator) as api:
        for _ in range(3):
            assert isinstance(api.get(Subdomain("acme"), SITE, None, time.monotonic() + 5), Answer)
        pool = api._pools.connection_from_url("https://acme.namely.com")
        assert pool.num_connections == 1


@contextlib.contextmanager
def answering_once() -> Iterator[tuple[NamelyApi, list[socket.socket]]]:
    """Run a site that answers the first request of each connection and then falls silent.

    So does a load balancer that has forgotten a connection. Yields what asks it, and the
    connections that were made.
    """
    authority, made = trustme.CA(), []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("acme.namely.com").configure_cert(context)
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    def serve() -> None:
        while True:
            raw, _ = listening.accept()
            if stopped.is_set():
                return raw.close()
            raw.settimeout(2)
            with contextlib.suppress(OSError):  # a client that has given up
                made.append(context.wrap_socket(raw, server_side=True))
                made[-1].recv(4096)
                made[-1].sendall(answer)

    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = threading.Thread(target=serve)
        server.start()
        ca = authority.cert_pem.bytes().decode()
        with NamelyApi(connect_to=listening.getsockname(), ca_bundle=ca) as api:
            yield api, made
        stopped.set()
        socket.create_connection(listening.getsockname()).close()
        server.join()
        for one in made:
            one.close()


def site(api: NamelyApi) -> Reply:
    return api.get(Subdomain("acme"), SITE, None, time.monotonic() + 2)


@pytest.mark.parametrize("clock", ["time", "monotonic"])
def test_a_connection_that_was_idle_for_long_by_either_clock_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    with answering_once() as (api, made):
        assert isinstance(site(api), Answer)
        real = getattr(time, clock)
        monkeypatch.setattr(time, clock, lambda: real() + 20)
        assert isinstance(site(api), Answer)
        assert len(made) == 2


def test_a_silent_connection_costs_a_probe_its_time() -> None:
    """What the test before would see if idle connections were trusted."""
    with answering_once() as (api, _made):
        assert isinstance(site(api), Answer)
        assert not isinstance(site(api), Answer)


def test_a_refusal_with_a_broken_body_is_still_a_refusal() -> None:
    headers = HTTPHeaderDict({"Content-Type": "application/json"})
    assert adapter._read(401, headers, b"{") == Answer(401, is_json=False)


@pytest.mark.parametrize(
    ("header", "wait"),
    [("30", 30), ("0", 0), ("9" * 9, 999_999_999), ("9" * 5000, None), ("-1", None), ("٣", None)],
)
def test_a_time_to_wait_is_a_number_of_few_digits(header: str, wait: int | None) -> None:
    answer = adapter._read(429, HTTPHeaderDict({"Retry-After": header}), b"")
    assert answer == Answer(429, is_json=False, retry_after=wait)


PROVED_ALONE = [
    "throttled-406",
    "profiles-429",
    "profiles-500",
    "profiles-504",
    "profiles-slow",
    "profiles-cut",
    "profiles-html",
    "profiles-odd",
]


@pytest.mark.parametrize("name", PROVED_ALONE)
def test_a_proved_token_is_accepted_though_what_it_sees_is_unknown(
    api: NamelyApi, simulator: Simulator, name: str
) -> None:
    verdict = ask(api, simulator.credential(name))
    assert isinstance(verdict, Accepted)
    assert verdict.receipt.warnings == (AccountWarning.VISIBILITY_UNKNOWN,)


def test_a_hanging_site_leaves_time_for_the_token(api: NamelyApi, simulator: Simulator) -> None:
    started = time.monotonic()
    verdict = ask(api, simulator.credential("info-slow"))
    assert isinstance(verdict, Accepted)
    assert verdict.receipt.warnings == (AccountWarning.SITE_UNPROVEN,)
    assert time.monotonic() - started < SLOW


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("incident-info-503", Reason.OUTAGE),
        ("incident-info-slow", Reason.TIMEOUT),
        ("incident-profiles-503", Reason.OUTAGE),
    ],
)
def test_a_refusal_in_an_incident_is_no_verdict(
    api: NamelyApi, simulator: Simulator, name: str, reason: Reason
) -> None:
    assert ask(api, simulator.credential(name)) == Undetermined(reason)

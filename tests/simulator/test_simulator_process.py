"""The simulator as a process and as a server: quick, quiet, and gone when it should be."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from simulator_client import Client

from simulator import Simulator
from simulator.catalogue import CASES

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_printed(process: subprocess.Popen[str], wanted: str) -> str:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if wanted in line:
            return text
    pytest.fail(f"ended without {wanted!r}: {text}")


def test_the_process_prints_where_it_is_and_what_to_expect(tmp_path: Path) -> None:
    ca, credentials = tmp_path / "ca.pem", tmp_path / "credentials.json"
    with running("--ca", str(ca), "--credentials", str(credentials)) as process:
        text = until_printed(process, "companies/info")
        assert re.search(
            r"^sites +https://\{subdomain\}\.namely\.com at 127\.0\.0\.1:\d+$", text, re.MULTILINE
        )
        assert re.search(r"^control +http://127\.0\.0\.1:\d+$", text, re.MULTILINE)
        assert f"CA       {ca}" in text
        assert all(
            re.search(rf"^{each.name} +{each.expect} ", text, re.MULTILINE) for each in CASES
        )
        assert ssl.create_default_context(cafile=ca).cert_store_stats()["x509_ca"] == 1
        first = json.loads(credentials.read_text())[0]
        assert set(first) == {"name", "subdomain", "token", "expect"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_cleanly(number: signal.Signals) -> None:
    with running() as process:
        text = until_printed(process, "companies/info")
        ca = Path(re.search(r"^CA +(.+)$", text, re.MULTILINE)[1])  # type: ignore[index] # else it fails
        assert stat.S_ISREG(ca.stat().st_mode)
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=5)
        assert (process.returncode, errors, ca.exists()) == (0, "", False)


@pytest.mark.parametrize("option", ["--port", "--control-port"])
def test_a_taken_port_is_a_clear_error(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(option, str(port)) as process:
            _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert errors.startswith(f"simulator: cannot listen on 127.0.0.1 ({port}): ")
    assert errors.count("\n") == 1


def test_a_nonsensical_port_is_a_usage_error() -> None:
    with running("--port", "70000") as process:
        process.communicate(timeout=10)
    assert process.returncode == 2


def test_a_folder_that_is_missing_is_a_clear_error(tmp_path: Path) -> None:
    with running("--ca", str(tmp_path / "none" / "ca.pem")) as process:
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert errors.startswith("simulator: cannot write ")


def test_closing_ends_slow_and_dribbling_answers_at_once() -> None:
    with Simulator() as sim:
        client = Client(sim)
        connections = []
        for name in ("slow", "dribbling-body", "endless-body", "acme"):
            connection = client.connect(name)
            connection.sendall(
                f"GET /api/v1/profiles/me HTTP/1.1\r\nHost: {name}.namely.com\r\n"
                "Accept: application/json\r\n\r\n".encode()
            )
            connections.append(connection)
        time.sleep(0.1)
        start = time.monotonic()
        sim.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                while connection.recv(65_536):
                    pass
            connection.close()
        assert time.monotonic() - start < 1
        sim.close()  # closing again is harmless


def test_the_port_can_be_taken_again_at_once() -> None:
    with Simulator() as sim:
        port = int(sim.address.partition(":")[2])
        Client(sim).ask("acme", "companies/info")
    with Simulator(port) as sim:
        assert Client(sim).ask("acme", "companies/info").status == 200


def test_a_connection_serves_many_requests(client: Client) -> None:
    pool = client.pool("acme", maxsize=1)
    for path in ("companies/info", "profiles/me", "nonsense") * 10:
        pool.request("GET", f"/api/v1/{path}")
    assert (pool.num_connections, pool.num_requests) == (1, 30)


def test_hundreds_of_requests_a_second_are_answered(sim: Simulator, client: Client) -> None:
    token = sim.credential("acme").token
    pool = client.pool("acme", maxsize=4)
    headers = {**pool.headers, "Authorization": f"Bearer {token}"}
    start = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        asked = [
            threads.submit(pool.request, "GET", "/api/v1/profiles/me", headers=headers)
            for _ in range(300)
        ]
    assert {each.result().status for each in asked} == {200}
    assert len(sim.requests) == 300
    assert time.monotonic() - start < 3


def test_a_silent_client_holds_up_no_other(sim: Simulator, client: Client) -> None:
    host, _, port = sim.address.partition(":")
    with socket.create_connection((host, int(port))):  # and never shakes hands
        assert client.ask("acme", "companies/info").status == 200


def test_broken_off_and_plain_connections_are_passed_over_in_silence(
    sim: Simulator, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    host, _, port = sim.address.partition(":")
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: acme.namely.com\r\n\r\n", b"\x16\x03\x01\x02"):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(sent)
    for name in ("endless-body", "slow", "dribbling-headers", "huge-json", "cut", "cut-mid-body"):
        client.ask_within(name, "profiles/me", sim.credential(name).token, 0.3)
    with client.connect("acme") as connection:
        connection.sendall(
            b"GET http://[ HTTP/1.1\r\nHost: acme.namely.com\r\n\r\nnonsense\r\n\r\n"
        )
        connection.recv(100)
    with client.connect("acme") as connection:
        connection.sendall(b"GET /api/v1/profi")
    time.sleep(0.5)
    assert client.ask("acme", "companies/info").status == 200
    assert capfd.readouterr() == ("", "")

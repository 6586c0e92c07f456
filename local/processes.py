"""Child processes that end with who started them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import urllib3

from deployment.target import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def free_port(wanted: int = 0) -> int:
    """Return a free port on loopback, the wanted one where it is given.

    Raises:
        CommandError: it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            msg = f"Port {wanted} is taken. Choose another one: make run PORT=4600"
            raise CommandError(msg) from error
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def child(
    command: list[str], *, environ: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: the emulator has workers, one a function."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def wait_for(url: str, process: subprocess.Popen[bytes], *, log: Path, seconds: float = 30) -> None:
    """Wait until an address answers, whatever it answers.

    Raises:
        CommandError: the process ended, or the time did.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            urllib3.request("GET", url, timeout=2, retries=False)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
        else:
            return
    msg = f"{url} does not answer; {log} tells more:\n{log.read_text(errors='replace')[-2000:]}"
    raise CommandError(msg)

"""Runs the simulator alone until it is interrupted."""

import argparse
import json
import signal
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path

from simulator.catalogue import DEFAULT_SEED
from simulator.simulator import Simulator

MAX_PORT = 65_535


def main() -> int:
    """The exit status: 0 after SIGINT or SIGTERM, 1 when it could not start."""
    options = _options()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        simulator = Simulator(options.port, control_port=options.control_port, seed=options.seed)
    except OSError as error:
        ports = ", ".join(str(port) for port in (options.port, options.control_port) if port)
        print(f"simulator: cannot listen on 127.0.0.1 ({ports}): {error}", file=sys.stderr)
        return 1
    with simulator, tempfile.TemporaryDirectory(prefix="namely-simulator-") as folder:
        ca = options.ca or Path(folder, "ca.pem")
        try:
            ca.write_text(simulator.ca_pem)
            if options.credentials:
                _write_credentials(options.credentials, simulator)
        except OSError as error:
            print(f"simulator: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
            return 1
        _show(simulator, ca)
        ended.wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--port", type=_port, default=0, help="of the sites, TLS (default: any)")
    parser.add_argument(
        "--control-port", type=_port, default=0, help="of the switches, HTTP (default: any)"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="where to write the CA's PEM")
    parser.add_argument(
        "--credentials", type=Path, metavar="FILE", help="where to write the credentials' JSON"
    )
    parser.add_argument(
        "--seed",
        default=DEFAULT_SEED,
        help="another seed gives other tokens (default: %(default)s)",
    )
    return parser.parse_args()


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= MAX_PORT:
        message = f"not a port: {text}"
        raise argparse.ArgumentTypeError(message)
    return port


def _write_credentials(path: Path, simulator: Simulator) -> None:
    document = [asdict(credential) for credential in simulator.credentials]
    path.write_text(json.dumps(document, indent=2) + "\n")


def _show(simulator: Simulator, ca: Path) -> None:
    rows = [("NAME", "EXPECT", "SUBDOMAIN", "TOKEN")]
    rows += [(each.name, each.expect, each.subdomain, each.token) for each in simulator.credentials]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    port = simulator.address.rpartition(":")[2]
    print(
        f"""
sites    https://{{subdomain}}.namely.com at {simulator.address}
CA       {ca}
control  http://{simulator.control_address}

curl --cacert {ca} --connect-to ::127.0.0.1:{port} -H 'Accept: application/json' \\
  https://acme.namely.com/api/v1/companies/info
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

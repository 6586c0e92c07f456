"""One deployment on this machine: what `make run` shows and what the e2e tests use.

Everything is as in production but where connections go: the same template, the genuine `sam build`
and `sam deploy`, the functions' own code and roles.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from deployment.api_key import make_key
from deployment.sam import SAM, building
from deployment.target import ROOT, STATE, CommandError, in_region, session
from local.processes import child, free_port, wait_for
from simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STACK = "namely-link"
REGION = "eu-central-1"
STAGE = "local"
API_ID = "namelylink"
BUCKET = "namely-link-build"
RECHECK_SECONDS = 5
"""A doubtful account waits minutes in production: whoever rehearses does not."""
_CONFIG = Path(__file__).parent / "samconfig.toml"
"""SAM's settings here; those of a deployment to AWS, which people change, are not read."""
_SOURCES = ("template.yaml", "functions", "layers")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running deployment and how to reach it."""

    api: str
    api_key: str
    aws_endpoint: str
    table: str
    simulator: Simulator
    environ: Mapping[str, str]
    logs: Path

    def call(
        self, method: str, path: str, body: object = None, *, bearer: str | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of one call, with the API key unless another bearer is given."""
        answer = urllib3.request(
            method,
            self.api + path,
            json=body,
            headers={"Authorization": f"Bearer {bearer or self.api_key}"},
            timeout=60,
            retries=False,
        )
        return answer.status, answer.json()

    def hub_link(self, **fields: object) -> str:
        """Return a link for one owner to link one account."""
        asked = {"owner_id": "demo", "owner_name": "Demo Ltd", "expires_in": 86400, **fields}
        status, session = self.call("POST", "/v1/connect-sessions", asked)
        if status != 201:
            msg = f"No connect session could be made: {session}"
            raise CommandError(msg)
        return str(session["url"])

    def accounts_link(self, **fields: object) -> str:
        """Return a link to the Accounts page for an operator over all owners."""
        asked = {"rank": "operator", "expires_in": 86400, **fields}
        status, portal = self.call("POST", "/v1/portal-sessions", asked)
        if status != 201:
            msg = f"No portal session could be made: {portal}"
            raise CommandError(msg)
        return str(portal["url"])


@contextlib.contextmanager
def running(
    *,
    port: int = 0,
    simulator_port: int = 0,
    state: Path | None = None,
    source: Path = ROOT,
    parameters: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Build, deploy and run everything until the block ends.

    `state` is where logs go, `source` the tree that is deployed; `parameters` of the template are
    those that shall be other than in production.

    Raises:
        CommandError: with what to do about it.
    """
    state = state or STATE
    state.mkdir(parents=True, exist_ok=True)
    log = state / "emulator.log"
    with contextlib.ExitStack() as stack:
        try:
            simulator = stack.enter_context(Simulator(port=simulator_port))
        except OSError as error:
            msg = f"The simulator can't use port {simulator_port}: {error.strerror}"
            raise CommandError(msg) from error
        process, environ = stack.enter_context(_emulator(port, log=log))
        endpoint = environ["AWS_ENDPOINT_URL"]
        _build(environ, state, source)
        wait_for(f"{endpoint}/_ministack/health", process, log=log)
        # SAM would make one by a stack of its own, and look for that only every 15 s.
        location = {"LocationConstraint": REGION}
        s3 = session(environ).client("s3", endpoint_url=endpoint)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        outputs = _deploy(
            environ, state, simulator, source, api_id=API_ID, parameters=parameters or {}
        )
        api = _address(endpoint, API_ID)
        # A function starts with its first request; both at once, since each takes a while.
        with ThreadPoolExecutor() as pool:
            paths = ("/v1/health", "/v1/accounts")
            list(pool.map(lambda path: wait_for(api + path, process, log=log), paths))
        yield Stack(
            api=api,
            api_key=make_key("local", table=outputs["TableName"], environ=environ),
            aws_endpoint=endpoint,
            table=outputs["TableName"],
            simulator=simulator,
            environ=environ,
            logs=state,
        )


@contextlib.contextmanager
def emulated(*, log: Path) -> Iterator[dict[str, str]]:
    """Run an emulated AWS with nothing in it until the block ends; yield what leads to it."""
    with _emulator(0, log=log) as (process, environ):
        wait_for(f"{environ['AWS_ENDPOINT_URL']}/_ministack/health", process, log=log)
        yield environ


@contextlib.contextmanager
def _emulator(port: int, *, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    port = free_port(port)
    environ = _environ(f"http://127.0.0.1:{port}")
    emulator = environ | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true",
    }
    command = [str(Path(sys.executable).parent / "ministack")]
    with child(command, environ=emulator, log=log) as process:
        yield process, environ


def upgrade(stack: Stack, *, source: Path = ROOT) -> Stack:
    """Deploy a tree over what runs, as `sam build && sam deploy` does in production.

    Where routes have changed, the API moves: AWS puts them into the API that is there, the emulator
    makes another one before it removes the old one, and two can't have one id.

    Raises:
        CommandError: with what to do about it.
    """
    _build(stack.environ, stack.logs, source)
    # What else was chosen at first, SAM keeps.
    _deploy(stack.environ, stack.logs, stack.simulator, source, api_id=f"{API_ID}2", parameters={})
    apis = session(stack.environ).client("apigateway", endpoint_url=stack.aws_endpoint)
    (api,) = apis.get_rest_apis()["items"]
    return replace(stack, api=_address(stack.aws_endpoint, api["id"]))


def _address(endpoint: str, api_id: str) -> str:
    return f"{endpoint}/_aws/execute-api/{api_id}/{STAGE}"


def _environ(endpoint: str) -> dict[str, str]:
    """Return the environment of SAM and the emulator, without the person's own settings of both."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SAM_"))}
    return in_region(kept, REGION) | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        # Seconds between SAM's looks at the stack: the emulator is done at once.
        "SAM_CLI_POLL_DELAY": "0.2",
    }


def _build(environ: Mapping[str, str], state: Path, root: Path) -> None:
    """Run `sam build`, unless what it built last was built from the same sources."""
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = root / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and "_cache" not in str(file):
                digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    digest.update(_CONFIG.read_bytes())
    with building(root) as made:
        stamp = made / "built"
        built = (made / "build" / "template.yaml").exists() and stamp.exists()
        if built and stamp.read_text() == digest.hexdigest():
            return
        stamp.unlink(missing_ok=True)
        _sam(["build"], environ, state, root)
        stamp.write_text(digest.hexdigest())


def _deploy(
    environ: Mapping[str, str],
    state: Path,
    simulator: Simulator,
    root: Path,
    *,
    api_id: str,
    parameters: Mapping[str, str],
) -> dict[str, str]:
    chosen = {
        "Stage": STAGE,
        "NamelyConnectTo": simulator.address,
        "NamelyCaBundle": base64.b64encode(simulator.ca_pem.encode()).decode(),
        "NamelyDeadlineSeconds": "6",
        "PublicUrl": _address(environ["AWS_ENDPOINT_URL"], api_id),
        "RecheckSeconds": str(RECHECK_SECONDS),
        "OwnerAttemptsPerHour": "1000",
        "FrameAncestors": "http://127.0.0.1:* http://localhost:*",
        "ThemeName": "Example HR",
        "ArchiveDays": "0",  # the emulator has no archives
        **parameters,
    }
    aws = session(environ)
    endpoint = environ["AWS_ENDPOINT_URL"]
    # The emulator names the API by this tag, so that its address is known before it exists.
    tags = ["--tags", f"ms-custom-id={api_id}"]
    overrides = [f'{key}="{value}"' for key, value in chosen.items()]
    options = ["--stack-name", STACK, "--s3-bucket", BUCKET, *tags]
    command = ["deploy", *options, "--parameter-overrides", *overrides]
    _sam(command, environ, state, root)
    client = aws.client("cloudformation", endpoint_url=endpoint)
    described = client.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    return {one["OutputKey"]: one["OutputValue"] for one in described}


def _sam(arguments: list[str], environ: Mapping[str, str], state: Path, root: Path) -> None:
    log = state / f"sam-{arguments[0]}.log"
    with log.open("wb") as output:
        done = subprocess.run(  # noqa: S603 - our own commands
            [str(SAM), *arguments, "--config-file", str(_CONFIG)],
            cwd=root,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        msg = f"`sam {arguments[0]}` failed; {log} tells more:\n{log.read_text()[-3000:]}"
        raise CommandError(msg)

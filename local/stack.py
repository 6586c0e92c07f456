"""One deployment on this machine: what `make run` shows and what the e2e tests use.

Everything is as in production but where connections go: the same template, the genuine `sam build`
and `sam deploy`, the functions' own code and roles.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from local.api_key import make_key
from local.processes import LocalError, child, free_port, wait_for
from local.state import STATE
from local.target import session
from simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
STACK = "namely-link"
REGION = "eu-central-1"
STAGE = "local"
API_ID = "namelylink"
BUCKET = "namely-link-build"
RECHECK_SECONDS = 5
"""A doubtful account waits minutes in production: whoever rehearses does not."""
_SAM = ROOT / ".venv-sam" / "bin" / "sam"
_SOURCES = ("template.yaml", "samconfig.toml", "functions", "layers")


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
            raise LocalError(msg)
        return str(session["url"])

    def accounts_link(self, **fields: object) -> str:
        """Return a link to the Accounts page for an operator over all owners."""
        asked = {"rank": "operator", "expires_in": 86400, **fields}
        status, portal = self.call("POST", "/v1/portal-sessions", asked)
        if status != 201:
            msg = f"No portal session could be made: {portal}"
            raise LocalError(msg)
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
        LocalError: with what to do about it.
    """
    state = state or STATE
    state.mkdir(parents=True, exist_ok=True)
    port = free_port(port)
    endpoint = f"http://127.0.0.1:{port}"
    environ = _environ(endpoint)
    emulator = environ | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true",
    }
    log = state / "emulator.log"
    with contextlib.ExitStack() as stack:
        try:
            simulator = stack.enter_context(Simulator(port=simulator_port))
        except OSError as error:
            msg = f"The simulator can't use port {simulator_port}: {error.strerror}"
            raise LocalError(msg) from error
        command = [str(Path(sys.executable).parent / "ministack")]
        process = stack.enter_context(child(command, environ=emulator, log=log))
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


def upgrade(stack: Stack, *, source: Path = ROOT) -> Stack:
    """Deploy a tree over what runs, as `sam build && sam deploy` does in production.

    Where routes have changed, the API moves: AWS puts them into the API that is there, the emulator
    makes another one before it removes the old one, and two can't have one id.

    Raises:
        LocalError: with what to do about it.
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
    """Return the environment of SAM and the emulator, without the operator's own AWS settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
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
    made = root / ".aws-sam"
    made.mkdir(exist_ok=True)
    stamp = made / "built"
    # One at a time: the tests run two stacks at once.
    with (made / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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
    options = ["--stack-name", STACK, "--no-confirm-changeset", "--no-progressbar", *tags]
    bucket = ["--no-resolve-s3", "--s3-bucket", BUCKET]
    command = ["deploy", *options, *bucket, "--parameter-overrides", *overrides]
    _sam(command, environ, state, root)
    client = aws.client("cloudformation", endpoint_url=endpoint)
    described = client.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    return {one["OutputKey"]: one["OutputValue"] for one in described}


def _sam(arguments: list[str], environ: Mapping[str, str], state: Path, root: Path) -> None:
    log = state / f"sam-{arguments[0]}.log"
    with log.open("wb") as output:
        done = subprocess.run(  # noqa: S603 - our own commands
            [str(_SAM), *arguments],
            cwd=root,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        msg = f"`sam {arguments[0]}` failed; {log} tells more:\n{log.read_text()[-3000:]}"
        raise LocalError(msg)

"""The stack that a command is for: one on AWS, or what `make run` runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parent.parent
STATE: Final = ROOT / ".local"
"""Where `make run` keeps what it makes."""


class CommandError(Exception):
    """Something that the person at the terminal can mend; its message says how."""


def read_run() -> dict[str, Any]:
    """Return what `make run` has written.

    Raises:
        CommandError: nothing runs here.
    """
    path = Path(os.environ.get("LOCAL_STATE", STATE)) / "run.json"
    if not path.exists():
        msg = "Nothing runs here: start `make run` first."
        raise CommandError(msg)
    run: dict[str, Any] = json.loads(path.read_text())
    return run


def session(environ: Mapping[str, str]) -> boto3.Session:
    """Return a session with the keys, the profile and the region of `environ`.

    What `environ` does not say, boto3 finds itself; but no profile that only os.environ names.
    """
    chosen = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
    config = environ.get("AWS_CONFIG_FILE", "~/.aws/config")
    credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    inner = botocore.session.Session(
        session_vars={
            "profile": (None, None, chosen, None),
            "config_file": (None, None, config, None),
            "credentials_file": (None, None, credentials, None),
        }
    )
    return boto3.Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
        botocore_session=inner,
    )


def find_region(environ: Mapping[str, str], asked: str = "") -> tuple[str, str]:
    """Return the region that is asked for or configured, and who says so; both '' for none.

    Raises:
        CommandError: the profile does not exist.
    """
    if asked:
        return asked, "REGION"
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if environ.get(name):
            return environ[name], name
    try:
        configured = session(environ).region_name
    except BotoCoreError as error:
        raise CommandError(str(error)) from error
    return (configured, "your AWS profile") if configured else ("", "")


def in_region(environ: Mapping[str, str], region: str) -> dict[str, str]:
    """Return the environment that leads to a region, boto3 and SAM alike."""
    return {**environ, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def add_target(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which stack it is for."""
    parser.add_argument("--stack", default="namely-link", help="default: %(default)s")
    parser.add_argument("--region", default="", help="default: that of the environment or profile")
    parser.add_argument("--local", action="store_true", help="for the stack of `make run`")


def target(asked: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment that reaches the stack asked for, and the stack's outputs.

    Raises:
        CommandError: nothing runs here, there is no region, or AWS refuses.
    """
    if asked.local:
        run = read_run()
        # Nothing of what the person has set for AWS leads to the emulator, or away from it.
        environ = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environ |= {
            "AWS_ENDPOINT_URL": run["aws_endpoint"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        region = run["region"]
    else:
        environ = dict(os.environ)
        region, _ = find_region(environ, asked.region)
    if not region:
        msg = "There is no region: say REGION=eu-central-1, or set AWS_REGION."
        raise CommandError(msg)
    environ = in_region(environ, region)
    try:
        client = session(environ).client(
            "cloudformation", endpoint_url=environ.get("AWS_ENDPOINT_URL")
        )
        outputs = client.describe_stacks(StackName=asked.stack)["Stacks"][0].get("Outputs", [])
    except (BotoCoreError, ClientError) as error:
        msg = f"The stack {asked.stack} can't be read in {region}: {error}"
        raise CommandError(msg) from error
    found = {one["OutputKey"]: one["OutputValue"] for one in outputs}
    if "TableName" not in found:
        msg = f"The stack {asked.stack} in {region} is not namely-link's, or is not deployed yet."
        raise CommandError(msg)
    return environ, found

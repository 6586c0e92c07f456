"""The stack that a command is for: one on AWS, or what `make run` runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.processes import LocalError
from local.state import read_run

if TYPE_CHECKING:
    from collections.abc import Mapping


def session(environ: Mapping[str, str]) -> boto3.Session:
    """Return a session with the keys of `environ`, or else with those that boto3 finds itself."""
    return boto3.Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        region_name=environ.get("AWS_DEFAULT_REGION"),
    )


def target(stack: str, *, local: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment that reaches a stack, and the stack's outputs.

    Raises:
        LocalError: nothing runs here, or AWS refuses.
    """
    environ: dict[str, str] = dict(os.environ)
    if local:
        run = read_run()
        environ |= {
            "AWS_ENDPOINT_URL": run["aws_endpoint"],
            "AWS_DEFAULT_REGION": run["region"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
    try:
        client = session(environ).client(
            "cloudformation", endpoint_url=environ.get("AWS_ENDPOINT_URL")
        )
        outputs = client.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    except (BotoCoreError, ClientError) as error:
        msg = f"The stack {stack} can't be read: {error}"
        raise LocalError(msg) from error
    return environ, {one["OutputKey"]: one["OutputValue"] for one in outputs}

"""`make api-key NAME=…`: mints an API key with the operator's own AWS credentials."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from namely_link.access import SCOPES
from namely_link.bearers import Kind, mint
from namely_link.model import ApiKey, timestamp
from namely_link.problems import StorageError
from namely_link.registry import DynamoDbRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUN = Path(__file__).parent.parent / ".local" / "run.json"


def session(environ: Mapping[str, str]) -> boto3.Session:
    """Return a session with the keys of `environ`, or else with those that boto3 finds itself."""
    return boto3.Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        region_name=environ.get("AWS_DEFAULT_REGION"),
    )


def make_key(
    name: str, *, table: str, environ: Mapping[str, str], scopes: Sequence[str] = SCOPES
) -> str:
    """Store a key and return its bearer, which nobody can see again.

    Raises:
        StorageError: DynamoDB failed.
    """
    client = session(environ).client("dynamodb", endpoint_url=environ.get("AWS_ENDPOINT_URL"))
    bearer = mint(Kind.API_KEY)
    key = ApiKey(
        id=bearer.id, name=name, scopes=tuple(scopes), created_at=timestamp(datetime.now(UTC))
    )
    DynamoDbRegistry(client=client, table=table).create_key(key)
    return bearer.value


def main() -> int:
    """Mint a key for a stack on AWS, or (`--local`) for what `make run` runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="who uses the key; stands in the ledger")
    parser.add_argument("--scopes", default=",".join(SCOPES), help="default: %(default)s")
    parser.add_argument("--stack", default="namely-link", help="default: %(default)s")
    parser.add_argument("--local", action="store_true", help="for the stack of `make run`")
    asked = parser.parse_args()
    scopes = asked.scopes.split(",")
    if not asked.name or set(scopes) - set(SCOPES):
        parser.error(f"a name, and scopes out of {', '.join(SCOPES)}, please")
    environ: dict[str, str] = dict(os.environ)
    if asked.local:
        if not RUN.exists():
            print("Nothing runs here: start `make run` first.", file=sys.stderr)
            return 1
        run = json.loads(RUN.read_text())
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
        outputs = client.describe_stacks(StackName=asked.stack)["Stacks"][0]["Outputs"]
        table = next(one["OutputValue"] for one in outputs if one["OutputKey"] == "TableName")
        bearer = make_key(asked.name, table=table, environ=environ, scopes=scopes)
    except (BotoCoreError, ClientError, StorageError) as error:
        print(f"No key was made: {error}", file=sys.stderr)
        return 1
    print(bearer)
    return 0


if __name__ == "__main__":
    sys.exit(main())

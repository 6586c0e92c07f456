"""`make api-key NAME=…`: mints an API key with the operator's own AWS credentials."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from deployment.target import CommandError, add_target, session, target
from namely_link.aws.sessions import SessionTable
from namely_link.aws.table import Table
from namely_link.domain.problems import StorageError
from namely_link.domain.sessions import ApiKey
from namely_link.domain.values import timestamp
from namely_link.http.access import SCOPES
from namely_link.http.bearers import Kind, mint, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def make_key(
    name: str,
    *,
    table: str,
    environ: Mapping[str, str],
    scopes: Sequence[str] = SCOPES,
    days: int = 0,
) -> str:
    """Store a key and return its bearer, which nobody can see again; `days` of 0 never end.

    Raises:
        StorageError: DynamoDB failed.
    """
    bearer, now = mint(Kind.API_KEY), datetime.now(UTC)
    key = ApiKey(
        id=bearer.id,
        name=name,
        scopes=tuple(scopes),
        created_at=timestamp(now),
        expires_at=timestamp(now + timedelta(days=days)) if days else "",
    )
    _keys(table, environ).create_key(key)
    return bearer.value


def revoke_key(bearer: str, *, table: str, environ: Mapping[str, str]) -> bool:
    """Refuse a key from now on; False where there is none.

    Raises:
        StorageError: DynamoDB failed.
    """
    known = parse(bearer)
    return known is not None and _keys(table, environ).revoke_key(known.id)


def _keys(table: str, environ: Mapping[str, str]) -> SessionTable:
    client = session(environ).client("dynamodb", endpoint_url=environ.get("AWS_ENDPOINT_URL"))
    return SessionTable(table=Table(client=client, name=table))


def main() -> int:
    """Mint or revoke a key for a stack on AWS, or (`--local`) for what `make run` runs."""
    parser = argparse.ArgumentParser(prog="make api-key", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--name", help="who uses the key; stands in the ledger")
    what.add_argument("--revoke", help="a key, to be refused from now on")
    parser.add_argument("--scopes", default=",".join(SCOPES), help="default: %(default)s")
    parser.add_argument("--days", type=int, default=0, help="until it ends; default: never")
    add_target(parser)
    asked = parser.parse_args()
    scopes = asked.scopes.split(",")
    if set(scopes) - set(SCOPES):
        parser.error(f"the scopes are: {', '.join(SCOPES)}")
    try:
        environ, outputs = target(asked)
        table = outputs["TableName"]
        if asked.name:
            bearer = make_key(
                asked.name, table=table, environ=environ, scopes=scopes, days=asked.days
            )
            print(bearer)
            return 0
        if not revoke_key(asked.revoke, table=table, environ=environ):
            print("There is no such key.", file=sys.stderr)
            return 1
        print("The key is refused from now on.")
    except (CommandError, StorageError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

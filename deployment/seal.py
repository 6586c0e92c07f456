"""`make seal OWNER=… SUBDOMAIN=… REQUEST_ID=…`: seals a token for one `Link Requested`.

The token comes from standard input. What is printed goes into the detail of the event: the token is
sealed to it, and opens for no other request and not after `expires_at`.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from datetime import UTC, datetime, timedelta

from deployment.target import CommandError, add_target, session, target
from namely_link.aws.seal import KmsSeal
from namely_link.domain.credentials import parse_credential
from namely_link.domain.problems import Problem, StorageError
from namely_link.domain.values import timestamp


def main() -> int:
    """Seal a token under the key of a stack on AWS, or (`--local`) of what `make run` runs."""
    parser = argparse.ArgumentParser(prog="make seal", description=__doc__)
    parser.add_argument("--owner", required=True, help="owner_id of the request")
    parser.add_argument("--subdomain", required=True)
    parser.add_argument("--request-id", required=True, help="your own id of the request")
    parser.add_argument("--minutes", type=int, default=60, help="until it ends; default: 60")
    add_target(parser)
    asked = parser.parse_args()
    if not (asked.request_id and len(asked.request_id) <= 128):
        parser.error("the request's id has 1 to 128 characters")
    if not 1 <= asked.minutes <= 10080:
        parser.error("a seal ends within 1 to 10080 minutes, a week")
    try:
        environ, outputs = target(asked)
        typed = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
        credential = parse_credential(asked.subdomain, typed)
        request = {
            "request_id": asked.request_id,
            "owner_id": asked.owner,
            "subdomain": credential.subdomain.label,
            "expires_at": timestamp(datetime.now(UTC) + timedelta(minutes=asked.minutes)),
        }
        client = session(environ).client("kms", endpoint_url=environ.get("AWS_ENDPOINT_URL"))
        sealed = KmsSeal(client=client, key_arn=outputs["KeyArn"]).seal(
            credential.token.reveal(), **request
        )
    except (CommandError, Problem, StorageError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({**request, "sealed_token": sealed}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make seal OWNER=… SUBDOMAIN=…`: seals a token from standard input for a `Link Requested`."""

from __future__ import annotations

import argparse
import getpass
import sys

from local.api_key import session, target
from local.processes import LocalError
from namely_link.aws.seal import KmsSeal
from namely_link.domain.credentials import parse_credential
from namely_link.domain.problems import Problem, StorageError


def main() -> int:
    """Seal a token under the key of a stack on AWS, or (`--local`) of what `make run` runs."""
    parser = argparse.ArgumentParser(prog="make seal", description=__doc__)
    parser.add_argument("--owner", required=True, help="owner_id of the request")
    parser.add_argument("--subdomain", required=True)
    parser.add_argument("--stack", default="namely-link", help="default: %(default)s")
    parser.add_argument("--local", action="store_true", help="for the stack of `make run`")
    asked = parser.parse_args()
    try:
        environ, outputs = target(asked.stack, local=asked.local)
        typed = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
        credential = parse_credential(asked.subdomain, typed)
        client = session(environ).client("kms", endpoint_url=environ.get("AWS_ENDPOINT_URL"))
        sealed = KmsSeal(client=client, key_arn=outputs["KeyArn"]).seal(
            credential.token.reveal(),
            owner_id=asked.owner,
            subdomain=credential.subdomain.label,
        )
    except (LocalError, Problem, StorageError) as error:
        print(error, file=sys.stderr)
        return 1
    print(sealed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

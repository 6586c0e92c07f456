"""`make invoke FUNCTION=link EVENT=events/link/health.json`: gives an event to a function."""

from __future__ import annotations

import argparse
import json
import os
import string
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from deployment.target import CommandError, add_target, read_run, session, target
from namely_link.domain.values import timestamp

FUNCTIONS: Final = ("link", "pages", "api", "intake", "check", "sweep", "publish", "webhook")


def main() -> int:
    """Invoke a function of a stack on AWS, or (`--local`) of what `make run` runs."""
    parser = argparse.ArgumentParser(prog="make invoke", description=__doc__)
    parser.add_argument("function", choices=FUNCTIONS)
    parser.add_argument("event", type=Path, help="a file of events/")
    add_target(parser)
    asked = parser.parse_args()
    try:
        environ, outputs = target(asked)
        event = string.Template(asked.event.read_text()).substitute(_values(local=asked.local))
        client = session(environ).client("lambda", endpoint_url=environ.get("AWS_ENDPOINT_URL"))
        name = outputs[f"{asked.function.title()}FunctionName"]
        answer = json.loads(client.invoke(FunctionName=name, Payload=event)["Payload"].read())
    except KeyError as error:
        print(f"The event needs a value: make invoke {error.args[0]}=...", file=sys.stderr)
        return 1
    except (CommandError, BotoCoreError, ClientError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    body = answer.get("body", "") if isinstance(answer, dict) else ""
    if isinstance(body, str) and body.startswith("{"):
        answer["body"] = json.loads(body)
    print(json.dumps(answer, indent=2))
    return 0


def _values(*, local: bool) -> dict[str, str]:
    """Return what stands for the placeholders: the environment's, or what `make run` made."""
    values = {"TIME": timestamp(datetime.now(UTC)), **os.environ}
    if local:
        run = read_run()
        acme = run["simulator"][0]
        made = {"API_KEY": run["api_key"], "SUBDOMAIN": acme["subdomain"], "TOKEN": acme["token"]}
        values = made | values
    return values


if __name__ == "__main__":
    sys.exit(main())

"""`make run`: deploys to this machine and says what to do next, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

from deployment.target import STATE, CommandError
from local.stack import REGION, STACK, Stack, running


def main() -> int:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the emulated AWS; default: any")
    parser.add_argument("--simulator-port", type=int, default=0, help="of Namely; default: any")
    asked = parser.parse_args()
    # Also where the shell that started us ignores interrupts, as it does for background jobs.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    state = Path(os.environ.get("LOCAL_STATE", STATE))
    run = state / "run.json"
    started = time.monotonic()
    print("Building and deploying template.yaml to this machine ...", flush=True)
    try:
        with running(port=asked.port, simulator_port=asked.simulator_port, state=state) as stack:
            try:
                described = _described(stack)
                run.write_text(json.dumps(described, indent=2) + "\n")
                _say(stack, described, time.monotonic() - started)
                while True:
                    time.sleep(3600)
            finally:
                run.unlink(missing_ok=True)
    except KeyboardInterrupt:
        print("\nEverything that was started has ended.")
        return 0
    except CommandError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _described(stack: Stack) -> dict[str, object]:
    return {
        "api": stack.api,
        "hub": stack.hub_link(),
        "accounts": stack.accounts_link(),
        "api_key": stack.api_key,
        "aws_endpoint": stack.aws_endpoint,
        "region": REGION,
        "stack": STACK,
        "simulator_control": stack.simulator.control_address,
        "simulator": [asdict(one) for one in stack.simulator.credentials],
    }


def _say(stack: Stack, described: dict[str, object], seconds: float) -> None:
    acme = stack.simulator.credential("acme")
    body = {"subdomain": acme.subdomain, "token": acme.token}
    body |= {"owner_id": "demo", "owner_name": "Demo Ltd"}
    print(
        f"""
namely-link runs on this machine ({seconds:.0f} s).

The Hub, as an administrator gets it (links one account):
  {described["hub"]}
  for instance with subdomain {acme.subdomain} and token
  {acme.token}

The Accounts page, as an operator:
  {described["accounts"]}

Link an account:
  curl -s {stack.api}/v1/accounts \\
    -H 'Authorization: Bearer {stack.api_key}' \\
    -H 'Content-Type: application/json' \\
    -d '{json.dumps(body)}'

List the linked accounts:
  curl -s {stack.api}/v1/accounts -H 'Authorization: Bearer {stack.api_key}'

More tokens, one for each state of Namely, stand in .local/run.json.
Ctrl-C ends everything.""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

"""`make memory`: measures each function against the emulator, the built layer and real sockets."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deployment.target import session
from estimate.deployed import events
from estimate.memory import DUE, Measured, Work, longest
from local.stack import REGION, STACK, Stack, running
from templates import ROOT, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNTS: Final = 60
"""That are linked, and due in the sweep that is measured."""
DAY: Final = 86400
BUILD: Final = ROOT / ".aws-sam" / "build"
BARE: Final = [sys.executable, "-I", "-S", "-B", str(Path(__file__).parent / "handler.py")]


@dataclass(frozen=True)
class Deployed:
    """What runs, and what its functions are given."""

    stack: Stack

    def client(self, service: str) -> Any:  # noqa: ANN401 - of botocore
        """Return a client of the emulator."""
        aws: Any = session(self.stack.environ)
        return aws.client(service, endpoint_url=self.stack.aws_endpoint)

    def environment(self, function: str) -> dict[str, str]:
        """Return the variables of a function as deployed, and what leads it to the emulator."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=f"{function.title()}Function"
        )
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        configured = self.client("lambda").get_function_configuration(FunctionName=name)
        return dict(configured["Environment"]["Variables"]) | {
            "AWS_ENDPOINT_URL": self.stack.aws_endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "POWERTOOLS_TRACE_DISABLED": "true",
        }

    def run(
        self,
        function: str,
        given: Sequence[dict[str, Any]],
        *,
        ahead: int = 0,
        watched: bool = False,
        **changed: str,
    ) -> dict[str, Any]:
        """Let a new container handle events, and return what it has measured."""
        with tempfile.NamedTemporaryFile() as told:
            asked = {
                "code": str(BUILD / f"{function.title()}Function"),
                "layer": str(BUILD / "SharedLayer" / "python"),
                "handler": TEMPLATE["Globals"]["Function"]["Handler"],
                "events": given,
                "ahead": ahead,
                "watched": watched,
                "told": told.name,
            }
            subprocess.run(  # noqa: S603 - our own code
                BARE,
                input=json.dumps(asked),
                env=self.environment(function) | changed,
                stdout=subprocess.DEVNULL,
                text=True,
                check=True,
            )
            measured: dict[str, Any] = json.loads(Path(told.name).read_text(encoding="utf-8"))
            return measured

    def work(self, function: str, given: Sequence[dict[str, Any]]) -> Measured:
        """Return the work of an event of several, and of the first one in a new container."""
        told = self.run(function, given)
        waits = self.run(function, given[:3], watched=True)["waits"]
        new = [told, *(self.run(function, given[:1]) for _ in range(4))]
        first = statistics.median(one["init"] + one["spent"][0] for one in new)
        usual = statistics.median(told["spent"][1:])
        return Measured(
            usual=Work(cpu=_rounded(usual), **longest(waits[-1])),
            worst=Work(cpu=_rounded(first), **longest(waits[0])),
            peak=told["peak"],
        )


def measure() -> dict[str, Measured]:
    """Return what each function takes."""
    with running() as stack:
        deployed = Deployed(stack)
        return _all(deployed)


def _all(deployed: Deployed) -> dict[str, Measured]:
    linking = [_link(deployed.stack) for _ in range(ACCOUNTS)]
    linked = deployed.run("link", linking)
    ids = [json.loads(one["body"])["id"] for one in linked["answers"]]
    (polled,) = (one for one in events("check").values() if one["Type"] == "SQS")
    size = polled["Properties"]["BatchSize"]
    queue = deployed.client("sqs").create_queue(QueueName="measured")["QueueUrl"]
    measured = {
        "link": deployed.work("link", [_link(deployed.stack) for _ in range(20)]),
        "api": deployed.work("api", [_request(deployed.stack, "api/list")] * 20),
        "pages": deployed.work("pages", [_request(deployed.stack, "pages/hub")] * 20),
        "check": deployed.work(
            "check", [_checks(*some) for some in batched(ids, size, strict=True)]
        ),
        "publish": deployed.work("publish", [_event("publish/stream")] * 20),
    }
    idle = deployed.work("sweep", [_event("sweep/schedule")] * 10)
    sweep = [_event("sweep/schedule")]
    due = deployed.run("sweep", sweep, ahead=2 * DAY, watched=True, CHECK_QUEUE_URL=queue)
    waits = longest(due["waits"][0])
    told = deployed.run("sweep", sweep, ahead=4 * DAY, CHECK_QUEUE_URL=queue)
    done = [sum(one["answers"][0].values()) for one in (due, told)]
    assert min(done) >= ACCOUNTS, done  # noqa: S101 - else it is not what was to be measured
    beyond = told["init"] + told["spent"][0] - idle.worst.cpu
    each = Work(
        cpu=_rounded(beyond / done[1]),
        aws=_rounded((waits["aws"] - idle.usual.aws) / done[0]),
    )
    worst = Work(
        cpu=_rounded(idle.worst.cpu + each.cpu * DUE),
        aws=round(idle.usual.aws + each.aws * DUE),
    )
    peak = max(told["peak"], idle.peak)
    return measured | {"sweep": Measured(usual=idle.usual, worst=worst, peak=peak, each=each)}


def _rounded(seconds: float) -> float:
    return round(seconds, 5)


def _event(file: str, **values: str) -> dict[str, Any]:
    text = (ROOT / "events" / f"{file}.json").read_text()
    for name, value in values.items():
        text = text.replace(f"${name}", value)
    event: dict[str, Any] = json.loads(text)
    return event


def _request(stack: Stack, file: str) -> dict[str, Any]:
    return _event(file, API_KEY=stack.api_key)


def _link(stack: Stack) -> dict[str, Any]:
    credential = stack.simulator.credential("acme")
    body = {
        "subdomain": credential.subdomain,
        "token": credential.token,
        "owner_id": str(uuid.uuid4()),
        "owner_name": "Example Manufacturing Company",
    }
    return _request(stack, "link/link") | {"body": json.dumps(body)}


def _checks(*ids: str) -> dict[str, Any]:
    event = _event("check/queue")
    sample = event["Records"][0]
    event["Records"] = [
        sample | {"messageId": one, "body": sample["body"].replace(_said(sample), one)}
        for one in ids
    ]
    return event


def _said(sample: dict[str, Any]) -> str:
    said: str = json.loads(sample["body"])["account_id"]
    return said

"""`make sweep-bench`: how long a sweep takes when a thousand accounts are due, and how many calls.

The product's own clients of boto3 build, sign and read each call. In place of the socket there is a
wait, and the simulation's table and queue.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError

from bench.rows import CHECKED, account
from namely_link import bootstrap
from namely_link.aws import table as rows
from namely_link.commands.sweep import sweep
from namely_link.settings import SweepSettings
from simulation.dynamodb import Table
from simulation.services import Queue

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "TABLE_NAME": "table",
    "STACK_NAME": "stack",
    "STAGE": "sandbox",
    "SECRET_PREFIX": "stack/namely/",
    "CHECK_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/checks",
}


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_options: Any) -> Iterator[bytes]:  # noqa: ANN401 - of urllib3
        yield self.read()


@dataclass
class Aws:
    """A table and a queue that answer after `wait` seconds; counts the calls."""

    wait: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)
    """The messages that the queue has taken."""
    _one: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.table = Table(time.time)
        self._backends = {
            "dynamodb": self.table,
            "sqs": Queue(lambda _url, message: self.asked.append(message)),
        }

    def send(self, request: AWSPreparedRequest, event_name: str, **_more: object) -> AWSResponse:
        """Answer a call, in place of the socket."""
        service, operation = event_name.split(".")[1], event_name.rpartition(".")[2]
        time.sleep(self.wait)
        method = "".join(f"_{one.lower()}" if one.isupper() else one for one in operation)[1:]
        asked = {
            key: one
            for key, one in json.loads(request.body).items()
            if not key.startswith("ReturnConsumed")
        }
        status = 200
        with self._one:
            self.calls[operation] += 1
            try:
                answer = getattr(self._backends[service], method)(**asked)
            except ClientError as error:
                status, answer = 400, {"__type": error.response["Error"]["Code"]}
        return AWSResponse(request.url, status, {}, _Raw(json.dumps(answer).encode()))


@contextmanager
def aws(*, due: int, wait: float = 0.0) -> Iterator[Aws]:
    """Let the product's clients talk to an AWS where so many accounts are due, in its memory."""
    made = Aws(wait)
    for number in range(due):
        made.table.put_item(TableName="table", Item=rows.written(account(number)))
    with patch.dict(os.environ, ENVIRON):
        session = boto3.Session()
        session.events.register("before-send", made.send)
        with (
            patch.object(boto3, "DEFAULT_SESSION", session),
            patch.object(bootstrap, "now", lambda: CHECKED),
        ):
            yield made


def main() -> None:
    """Sweep once, and print what it took."""
    parser = argparse.ArgumentParser(prog="make sweep-bench", description=__doc__)
    parser.add_argument("--due", type=int, default=1000)
    parser.add_argument("--milliseconds", type=float, default=10.0, help="of a call")
    asked = parser.parse_args()
    with aws(due=asked.due, wait=asked.milliseconds / 1000) as made:
        ports = bootstrap.sweep_ports(SweepSettings.read())
        start = time.perf_counter()
        swept = sweep(ports)
        took = time.perf_counter() - start
    assert swept and swept.done == {"queued": asked.due}, swept  # noqa: S101, PT018 - or it measures nothing
    print(f"{asked.due} accounts due, {asked.milliseconds:g} ms a call: {took:.1f} s")
    for name, number in sorted(made.calls.items()):
        print(f"{number:7} {name}")
    total = made.calls.total()
    print(f"{total:7} calls, {total / asked.due:.2f} an account")


if __name__ == "__main__":
    main()

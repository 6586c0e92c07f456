"""The real functions over moto and a simulated Namely, with every call, row and log line counted.

What is counted has a name: `secretsmanager:GetSecretValue` and the like for calls, `lambda:check`
for invocations, and beside those `write`, `read`, `rest`, `event`, `event_bytes`, `log`.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import random
import string
import sys
import threading
import warnings
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import boto3
from moto import mock_aws

from containers import Context, load
from deployment.api_key import make_key
from estimate import capacity
from estimate.deployed import (
    INDEXES,
    KEY,
    REGION,
    STACK,
    environment,
    events,
    memory,
    physical,
)
from namely_link import bootstrap
from namely_link.domain import values
from namely_link.domain.values import timestamp
from simulator import Simulator
from templates import ROOT, create_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType


class Counts(defaultdict[str, float]):
    """How often something happened, or how much of it there was, by name."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__(float)

    def add(self, more: Mapping[str, float], times: float = 1) -> None:
        """Add all of `more`, so many times."""
        for name, one in more.items():
            self[name] += one * times


TABLE: Final = physical("Table")
LINE: Final = 26
"""Bytes that CloudWatch adds to each line of a log."""
PLATFORM: Final = 2 * LINE + 520
"""Bytes of the two lines that Lambda itself writes of an invocation."""
ACCESS: Final = LINE + 200
"""Bytes of the line that API Gateway writes of a request."""
_MORNING: Final = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


@dataclass
class House:
    """A deployment with nothing in it, at a time of its own."""

    simulator: Simulator
    aws: Mapping[str, Any]
    """Clients by service, whose calls are not counted."""
    now: datetime = _MORNING
    counts: Counts = field(default_factory=Counts)
    values: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    items: dict[tuple[str, str], capacity.Item] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    functions: dict[str, ModuleType] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def api(self, file: str, body: object = None, **changes: object) -> Any:  # noqa: ANN401 - JSON
        """Send a request of `events/` through API Gateway, and return the answer's JSON or text."""
        event = self._event(file) | changes
        if body is not None:
            event["body"] = json.dumps(body)
        self.counts.add({"rest": 1, "log": ACCESS})
        answer = self.invoke(file.partition("/")[0], event)
        assert answer["statusCode"] < 400, answer  # noqa: S101 - what is counted has to work
        with contextlib.suppress(ValueError):
            return json.loads(answer["body"])
        return answer["body"]

    def invoke(self, function: str, event: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Let a function answer an event, and count what it says."""
        with contextlib.redirect_stdout(io.StringIO()) as said:
            if function not in self.functions:
                self.functions[function] = self._load(function)
            module = self.functions[function]
            module.logger.registered_handler.setStream(said)
            answer = module.handler(event, Context(memory_limit_in_mb=memory(function)))
        lines = said.getvalue().splitlines()
        self.counts.add(
            {f"lambda:{function}": 1, "log": PLATFORM + sum(len(one) + LINE for one in lines)}
        )
        return answer

    def _load(self, function: str) -> ModuleType:
        with (
            patch.dict(os.environ, environment(function, self.names)),
            patch.object(sys, "path", [str(ROOT / "functions" / function), *sys.path]),
        ):
            return load(function)

    def _event(self, file: str) -> dict[str, Any]:
        text = (ROOT / "events" / f"{file}.json").read_text()
        event: dict[str, Any] = json.loads(string.Template(text).safe_substitute(self.values))
        return event

    def sweep(self, **wait: float) -> None:
        """Let time pass, let the sweep run, and do what follows from it."""
        self.now += timedelta(**wait)
        self.invoke("sweep", self._event("sweep/schedule"))
        self.settle()

    def reconcile(self) -> None:
        """Let the daily comparison run."""
        self.invoke("sweep", self._event("sweep/reconcile"))

    def settle(self) -> None:
        """Deliver checks and events until nothing waits."""
        while self._deliver_checks() or self._deliver_changes():
            pass

    def _deliver_checks(self) -> bool:
        """Give the function a batch, as Lambda's poller does: one request takes it, one ends it."""
        sqs = self.aws["sqs"]
        (queue,) = (one for one in events("check").values() if one["Type"] == "SQS")
        size = queue["Properties"]["BatchSize"]
        url = self.names["CheckQueue"]
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=size).get("Messages", [])
        if not got:
            return False
        self.counts["sqs:Poller"] += 2
        event = self._event("check/queue")
        sample = event["Records"][0]
        event["Records"] = [
            sample | {"messageId": one["MessageId"], "body": one["Body"]} for one in got
        ]
        answer = self.invoke("check", event)
        assert not answer["batchItemFailures"], answer  # noqa: S101 - what is counted has to work
        for one in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return True

    def _deliver_changes(self) -> bool:
        """Give the next change of the stream to its function, unless the stream's filter drops it.

        The filter lets those with events pass; without one all do.
        """
        if not self.changes:
            return False
        change = self.changes.pop(0)
        (stream,) = (one for one in events("publish").values() if one["Type"] == "DynamoDB")
        if "FilterCriteria" in stream["Properties"] and "outbox" not in change.get("NewImage", {}):
            return True
        self.invoke("publish", {"Records": [{"eventName": "MODIFY", "dynamodb": change}]})
        return True

    def row(self, account_id: str) -> capacity.Item:
        """Return the row of an account."""
        return next(one for one in self.rows() if one.get("id", {}).get("S") == account_id)

    def rows(self) -> list[capacity.Item]:
        """Return all that the functions have written into the table."""
        return list(self.items.values())

    def put(self, item: capacity.Item) -> None:
        """Put an item into the table that nobody counts."""
        self.aws["dynamodb"].put_item(TableName=TABLE, Item=item)

    # What is asked of AWS

    def asked(self, *, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - of botocore
        """Note what is asked."""
        context["asked"] = params

    def answered(self, *, context: dict[str, Any], **answer: Any) -> None:  # noqa: ANN401 - of botocore
        """Count a call, and what it took."""
        status = answer["http_response"].status_code
        with self._lock:  # a function asks several things at once
            self._count(status, answer["parsed"], answer["model"], context)

    def _count(self, status: int, parsed: Any, model: Any, context: dict[str, Any]) -> None:  # noqa: ANN401 - of botocore
        service = model.service_model.service_name
        self.counts[f"{service}:{model.name}"] += 1
        if status >= 300:
            return
        params = context["asked"]
        match service, model.name:
            case "dynamodb", "GetItem":
                found = [parsed["Item"]] if "Item" in parsed else []
                consistent = params.get("ConsistentRead", False)
                self.counts["read"] += capacity.read_units(found, consistent=consistent)
            case "dynamodb", "BatchGetItem":
                for items in parsed["Responses"].values():
                    for one in items:
                        self.counts["read"] += capacity.read_units([one], consistent=True)
            case "dynamodb", "Query":
                self.counts["read"] += capacity.read_units(parsed["Items"], consistent=False)
            case "dynamodb", name if name in _WRITES:
                self._written(name, params)
            case "dynamodb", name:
                msg = f"nobody knows what {name} takes"
                raise ValueError(msg)
            case "events", "PutEvents":
                sizes = [len(json.dumps(one)) for one in params["Entries"]]
                self.counts["event"] += sum(-(-one // 65536) for one in sizes)
                self.counts["event_bytes"] += sum(sizes)

    def _written(self, name: str, params: dict[str, Any]) -> None:
        transaction = name == "TransactWriteItems"
        asked = [params]
        if transaction:
            asked = [next(iter(one.values())) for one in params["TransactItems"]]
        for one in asked:
            key = {part: (one.get("Item") or one["Key"])[part] for part in ("pk", "sk")}
            place = (key["pk"]["S"], key["sk"]["S"])
            old, new = self.items.pop(place, None), one.get("Item")
            if "UpdateExpression" in one:
                new = self.aws["dynamodb"].get_item(TableName=TABLE, Key=key).get("Item")
            if new:
                self.items[place] = new
            units = capacity.write_units(old, new, INDEXES, transaction=transaction)
            self.counts["write"] += units
            if old != new:
                number = f"{len(self.changes):021}"
                change = {"OldImage": old, "NewImage": new, "SequenceNumber": number, "Keys": key}
                self.changes.append({part: one for part, one in change.items() if one is not None})


@contextmanager
def house() -> Iterator[House]:
    """Return a deployment, until the block ends."""
    with ExitStack() as held:
        held.enter_context(patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}))
        held.enter_context(mock_aws())
        simulator = held.enter_context(Simulator())
        quiet, counted = (boto3.Session("testing", "testing", region_name=REGION) for _ in range(2))
        names: tuple[Any, ...] = ("dynamodb", "sqs", "events")
        aws: dict[str, Any] = {name: quiet.client(name) for name in names}
        made = House(simulator, aws)
        counted.events.register("provide-client-params", made.asked)
        counted.events.register("after-call", made.answered)
        held.enter_context(patch.object(boto3, "DEFAULT_SESSION", counted))
        held.enter_context(patch.object(bootstrap, "now", lambda: made.now))
        # An account's id tells its shard, and so what is sent together: the same in every run.
        drawn = count()
        chance = SimpleNamespace(randbits=lambda _bits: next(drawn))
        held.enter_context(patch.object(values, "secrets", chance))
        clock = SimpleNamespace(time_ns=lambda: int(made.now.timestamp()) * 10**9)
        held.enter_context(patch.object(values, "time", clock))
        middle = patch.object(random, "uniform", lambda low, high: (low + high) / 2)
        held.enter_context(middle)
        held.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "No application metrics to publish")
        create_table(aws["dynamodb"], TABLE)
        aws["events"].create_event_bus(Name=STACK)
        made.names = {
            name: aws["sqs"].create_queue(QueueName=physical(name))["QueueUrl"]
            for name in ("CheckQueue", "DeadLetters")
        } | {
            "Table": TABLE,
            "Bus": STACK,
            "Key.Arn": KEY,
            "Stage": "sandbox",  # production goes to Namely itself
            "NamelyConnectTo": simulator.address,
            "NamelyCaBundle": base64.b64encode(simulator.ca_pem.encode()).decode(),
        }
        made.values = {
            "API_KEY": make_key("backend", table=TABLE, environ={"AWS_DEFAULT_REGION": REGION}),
            "TIME": timestamp(made.now),
        }
        try:
            yield made
        finally:
            for function in made.functions.values():
                ports = getattr(function, "ports", None)
                if ports and ports.cache_info().currsize and hasattr(ports(), "questions"):
                    ports().questions.namely.__exit__()

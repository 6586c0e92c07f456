"""Runs one function as Lambda would: a bare interpreter, its code and the layer, nothing else.

It is asked as JSON by standard input: `code` and `layer` are folders, `handler` is named as in the
template, `events` are what to handle, `ahead` is by how many seconds its clock is ahead, `watched`
whether to note when calls begin and end, which costs time itself. What it has measured goes to the
file `told`.
"""

import importlib
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

cpu, clock = time.process_time, time.monotonic
_WHILE = 0.05
waits: list[tuple[str, float, float]] = []


class Context:
    """What Lambda gives a handler."""

    function_name = "function"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


def watch() -> None:
    """Note when each call to AWS and each question to Namely begins and ends.

    Each takes a while, so that those that don't wait for one another are seen to overlap.
    """
    import boto3

    from namely_link.namely.api import NamelyApi

    def asked(context: dict[str, Any], **_: object) -> None:
        context["began"] = clock()
        time.sleep(_WHILE)

    def answered(context: dict[str, Any], **_: object) -> None:
        waits.append(("aws", context["began"], clock()))

    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    session.events.register("before-call", asked)
    session.events.register("after-call", answered)
    get = NamelyApi.get

    def watched(self: NamelyApi, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - as it is
        began = clock()
        time.sleep(_WHILE)
        try:
            return get(self, *given, **named)
        finally:
            waits.append(("namely", began, clock()))

    NamelyApi.get = watched  # type: ignore[method-assign]  # nothing else is watched so


def peak() -> int:
    """Return the most megabytes that this process has had (Linux; `getrusage` has its parent's)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (one for one in status.splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def main() -> None:
    """Load the function, let it handle the events, and tell."""
    asked = json.load(sys.stdin)
    sys.path[:0] = [asked["code"], asked["layer"]]
    module, _, name = asked["handler"].partition(".")
    handler = getattr(importlib.import_module(module), name)
    loaded, spent, answers, watched = cpu(), [], [], []
    if ahead := timedelta(seconds=asked["ahead"]):
        from namely_link import bootstrap

        bootstrap.now = lambda: datetime.now(UTC) + ahead
    if asked["watched"]:
        watch()
    for event in asked["events"]:
        waits.clear()
        before = cpu()
        answers.append(handler(event, Context()))
        spent.append(cpu() - before)
        watched.append(waits.copy())
    told = {
        "init": loaded,
        "spent": spent,
        "peak": peak(),
        "answers": answers,
        "waits": watched,
    }
    Path(asked["told"]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()

"""`make smoke`: asks what is deployed whether it works, and leaves nothing behind.

It mints a key and revokes it, and listens to the bus with a queue and a rule that it removes again.
What it makes the stack store ends by itself: an attempt counted for an owner, within the hour; a
request that was refused, within 30 days.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import re
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from deployment.api_key import make_key, revoke_key
from deployment.preflight import clients
from deployment.report import Row, State, failed, is_denied, table
from deployment.target import CommandError, add_target, read_run, target
from namely_link.domain.problems import StorageError
from namely_link.domain.values import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from deployment.preflight import Client

LARGEST_BODY: Final = 10 * 1024 * 1024
"""Bytes that API Gateway takes."""
TRIES: Final = 12
"""How often a request is put on the bus: a new rule may take a minute to take effect."""
_LISTENING: Final = 10
"""Seconds that are waited for the answer to each."""


class _FaultError(Exception):
    """What was looked at is not as it must be."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back over HTTP; the names of headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as JSON, {} where it is none."""
        try:
            said = json.loads(self.body)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What is to be asked, and how; `name` marks what is made for it."""

    api: str
    stack: str
    outputs: Mapping[str, str]
    client: Callable[[str], Client]
    ask: Callable[..., Answer]
    key: Callable[[], AbstractContextManager[str]]
    site: str
    name: str
    emulated: bool

    def get(self, path: str, *, bearer: str = "") -> Answer:
        """Ask for a path of the API."""
        return self.ask("GET", self.api + path, bearer=bearer)

    def send(self, method: str, path: str, *, bearer: str = "", body: object = None) -> Answer:
        """Send JSON to a path of the API."""
        return self.ask(method, self.api + path, bearer=bearer, body=json.dumps(body).encode())


def look(deployed: Deployed) -> list[Row]:
    """Look at everything; what fails does not keep the rest from being looked at."""
    rows = [
        _looked("health", lambda: _health(deployed)),
        _looked("openapi", lambda: _openapi(deployed)),
        _looked("page hub", lambda: _page(deployed, "/hub")),
        _looked("page accounts", lambda: _page(deployed, "/accounts")),
        _looked("script hub.js", lambda: _script(deployed)),
        _looked("unknown route", lambda: _unknown(deployed, "GET", "/v1/nothing-here")),
        _looked("… with a bearer", lambda: _unknown(deployed, "GET", "/v1/nothing-here", "none")),
        _looked("wrong method", lambda: _unknown(deployed, "DELETE", "/v1/health")),
        _looked("body over 10 MB", lambda: _huge(deployed)),
    ]
    try:
        with deployed.key() as key:
            rows += [
                _looked("body of 20 KB", lambda: _large(deployed, key)),
                _looked("dry run", lambda: _dry_run(deployed, key)),
                _looked("connect session", lambda: _session(deployed, key)),
            ]
    except (BotoCoreError, ClientError, StorageError) as error:
        advice = "It is written into the stack's table: dynamodb:PutItem and UpdateItem on it."
        rows.append(Row("API key", State.FAIL, f"not minted and revoked: {error}", advice))
    rows += [
        _looked("events", lambda: _events(deployed)),
        _looked("alarms", lambda: _alarms(deployed)),
        _looked("dead letters", lambda: _dead_letters(deployed)),
        _looked("table's stream", lambda: _stream(deployed)),
        _looked("table's recovery", lambda: _recovery(deployed)),
        _looked("table's expiry", lambda: _expiry(deployed)),
    ]
    return rows


def _looked(name: str, check: Callable[[], tuple[State, str]]) -> Row:
    try:
        return Row(name, *check())
    except _FaultError as error:
        found, _, advice = str(error).partition("\n")
        return Row(name, State.FAIL, found, advice)
    except (BotoCoreError, ClientError) as error:
        if is_denied(error):
            return Row(name, State.FAIL, "may not be looked at", str(error))
        return Row(name, State.FAIL, f"can't be looked at: {error}")
    except urllib3.exceptions.HTTPError as error:
        return Row(name, State.FAIL, f"no answer: {error}")
    except KeyError as error:
        return Row(name, State.FAIL, f"what was answered lacks {error}")


def _must(condition: object, fault: str) -> None:
    if not condition:
        raise _FaultError(fault)


def _answered(answer: Answer, status: int) -> dict[str, Any]:
    said = answer.body[:200].decode(errors="replace")
    _must(answer.status == status, f"{answer.status} instead of {status}: {said}")
    return answer.json()


def _problem(answer: Answer, status: int, code: str) -> tuple[State, str]:
    """Look whether an answer is a problem as the API describes it."""
    kind = answer.headers.get("content-type", "")
    said = answer.body[:200].decode(errors="replace")
    found = answer.json()
    _must(answer.status == status, f"{answer.status} instead of {status}: {said}")
    _must(kind.startswith("application/problem+json"), f"{status}, but as {kind}: {said}")
    _must(found.get("code") == code, f"{status}, but its code is not {code}: {said}")
    _must(found.get("status") == status, f"{status}, but it says {found.get('status')}: {said}")
    return State.OK, f"{status} {code}"


def _health(deployed: Deployed) -> tuple[State, str]:
    said = _answered(deployed.get("/v1/health"), 200)
    _must(said.get("status") == "ok", f"it says {said}")
    _must(said.get("stack") == deployed.stack, f"another stack answers: {said}")
    return State.OK, deployed.api


def _openapi(deployed: Deployed) -> tuple[State, str]:
    said = _answered(deployed.get("/v1/openapi.json"), 200)
    _must(str(said.get("openapi", "")).startswith("3.1"), "it is no OpenAPI 3.1")
    routes = len(said.get("paths", {}))
    _must(routes, "it has no routes")
    address = said.get("servers", [{}])[0].get("url", "")
    _must(address, "it does not say where it is served")
    return State.OK, f"{routes} routes at {address}"


def _page(deployed: Deployed, path: str) -> tuple[State, str]:
    answer = deployed.get(path)
    _answered(answer, 200)
    kind = answer.headers.get("content-type", "")
    _must(kind.startswith("text/html"), f"it comes as {kind}")
    policy = answer.headers.get("content-security-policy", "")
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors "):
        _must(part in policy, f"its Content-Security-Policy lacks {part}: {policy}")
    _must("'unsafe-inline'" not in policy, f"its policy lets scripts be inline: {policy}")
    named = re.findall(r'(?:src|href)="([^"#][^"]*)"', answer.body.decode())
    assets = sorted({one for one in named if not one.startswith(("data:", "http"))})
    _must(assets, "it names no assets")
    for asset in assets:
        found = deployed.ask("GET", urljoin(deployed.api + path, asset))
        _must(found.status == 200, f"{asset} answers {found.status}")
        wanted = "text/css" if asset.endswith(".css") else "javascript"
        kind = found.headers.get("content-type", "")
        if asset.endswith((".css", ".js")):
            _must(wanted in kind, f"{asset} comes as {kind}")
    return State.OK, f"with its policy and {len(assets)} assets"


def _script(deployed: Deployed) -> tuple[State, str]:
    answer = deployed.get("/hub.js")
    _answered(answer, 200)
    kind = answer.headers.get("content-type", "")
    _must("javascript" in kind, f"it comes as {kind}")
    return State.OK, kind


def _unknown(deployed: Deployed, method: str, path: str, bearer: str = "") -> tuple[State, str]:
    answer = deployed.ask(method, deployed.api + path, bearer=bearer)
    if deployed.emulated and "x-amzn-errortype" in answer.headers:
        return State.ABSENT, "not on the emulator: it has no gateway responses"
    return _problem(answer, 404, "not_found")


def _huge(deployed: Deployed) -> tuple[State, str]:
    if deployed.emulated:
        return State.ABSENT, "not on the emulator: API Gateway's limit of 10 MB"
    answer = deployed.ask("POST", deployed.api + "/v1/accounts", body=b" " * (LARGEST_BODY + 1))
    allowed = answer.headers.get("access-control-allow-origin")
    _must(allowed, "a page of another origin may not read what API Gateway answers itself")
    return _problem(answer, 413, "payload_too_large")


def _large(deployed: Deployed, key: str) -> tuple[State, str]:
    answer = deployed.send("POST", "/v1/accounts", bearer=key, body={"token": "x" * 20_000})
    return _problem(answer, 413, "payload_too_large")


def _dry_run(deployed: Deployed, key: str) -> tuple[State, str]:
    """Ask whether a made-up token is good, and look that nothing was kept."""
    site = deployed.site or deployed.name
    body = {"subdomain": site, "token": secrets.token_hex(32), "dry_run": True}
    body |= {"owner_id": deployed.name, "owner_name": "make smoke"}
    answer = deployed.send("POST", "/v1/accounts", bearer=key, body=body)
    wanted = "token_refused" if deployed.site else "site_not_found"
    said = answer.json()
    reason = f"{said.get('code')}: {said.get('detail')}"
    _must(
        answer.status != 503,
        f"{reason}\nNamely was not reached, or gave no verdict. Does the function reach the "
        f"internet? Otherwise try again later.",
    )
    _problem(answer, 422, wanted)
    listed = _answered(deployed.get(f"/v1/accounts?owner_id={deployed.name}", bearer=key), 200)
    _must(listed.get("accounts") == [], "it has left an account")
    rows = deployed.client("dynamodb").query(
        TableName=deployed.outputs["TableName"],
        IndexName="by_owner",
        KeyConditionExpression="owner_id = :owner",
        ExpressionAttributeValues={":owner": {"S": deployed.name}},
    )
    _must(rows["Count"] == 0, "it has left a row")
    found = deployed.client("secretsmanager").list_secrets(
        Filters=[{"Key": "tag-value", "Values": [deployed.name]}]
    )
    _must(found["SecretList"] == [], "it has left a secret")
    return State.OK, f"{site}.namely.com: {wanted}; no row and no secret"


def _session(deployed: Deployed, key: str) -> tuple[State, str]:
    body = {"owner_id": deployed.name, "owner_name": "make smoke", "expires_in": 60}
    made = _answered(deployed.send("POST", "/v1/connect-sessions", bearer=key, body=body), 201)
    token = made["token"]
    _must(made["url"].endswith(f"/hub#{token}"), "its link does not lead to the Hub")
    shown = _answered(deployed.get("/v1/connect-sessions/current", bearer=token), 200)
    _must(shown["owner"]["name"] == "make smoke", "it shows another owner")
    gone = deployed.ask(
        "DELETE", f"{deployed.api}/v1/connect-sessions/{made['id']}", bearer=key
    ).status
    _must(gone in {200, 204}, f"it can't be revoked: {gone}")
    later = deployed.get("/v1/connect-sessions/current", bearer=token).status
    _must(later in {401, 410}, f"revoked, it is still let in: {later}")
    return State.OK, "made, shown, revoked, refused"


def _events(deployed: Deployed) -> tuple[State, str]:
    """Put a link on the bus that must be refused, and wait for the event that says so."""
    listener = f"{deployed.stack[:40]}-{deployed.name}"
    try:
        with _listening(deployed, listener) as receive:
            return _rejected(deployed, receive)
    except (BotoCoreError, ClientError) as error:
        left = f"If a queue or a rule called {listener} is left, remove it."
        raise _FaultError(f"{error}\n{left}") from error


def _rejected(deployed: Deployed, receive: Callable[[], list[dict[str, Any]]]) -> tuple[State, str]:
    for _ in range(TRIES):
        _request(deployed)
        for event in receive():
            detail = event["detail"]
            if detail["account"]["owner"]["id"] != deployed.name:
                continue
            said = f"{detail['code']}: {detail['detail']}"
            _must("seal" in detail["detail"], f"it is rejected for something else: {said}")
            return State.OK, "Link Requested in, Link Rejected out"
    fault = "Link Requested was put on the bus, and no Link Rejected came"
    advice = "Look at the logs of intake and publish, and at the dead letters."
    raise _FaultError(f"{fault}\n{advice}")


def _request(deployed: Deployed) -> None:
    """Put a link on the bus whose sealed token nobody has sealed."""
    detail = {
        "request_id": f"{deployed.name}-{secrets.token_hex(4)}",
        "owner_id": deployed.name,
        "owner_name": "make smoke",
        "subdomain": deployed.site or deployed.name,
        "expires_at": timestamp(datetime.now(UTC) + timedelta(minutes=10)),
        "sealed_token": base64.b64encode(secrets.token_bytes(184)).decode(),
    }
    entry = {"EventBusName": deployed.outputs["EventBusName"], "Source": "make-smoke"}
    entry |= {"DetailType": "Link Requested", "Detail": json.dumps(detail)}
    put = deployed.client("events").put_events(Entries=[entry])
    _must(not put.get("FailedEntryCount"), f"the bus refuses it: {put}")


@contextlib.contextmanager
def _listening(deployed: Deployed, name: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Listen to the bus with a queue and a rule, which are removed whatever happens."""
    sqs, events = deployed.client("sqs"), deployed.client("events")
    bus = deployed.outputs["EventBusName"]
    with contextlib.ExitStack() as undo:
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        undo.callback(sqs.delete_queue, QueueUrl=url)
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = asked["Attributes"]["QueueArn"]
        pattern = json.dumps({"source": ["namely-link"], "detail-type": ["Link Rejected"]})
        rule_arn = events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)["RuleArn"]
        undo.callback(events.delete_rule, Name=name, EventBusName=bus)
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "smoke", "Arn": arn}])
        undo.callback(events.remove_targets, Rule=name, EventBusName=bus, Ids=["smoke"])

        def receive() -> list[dict[str, Any]]:
            got = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=_LISTENING
            )
            return [json.loads(one["Body"]) for one in got.get("Messages", [])]

        yield receive


def _alarms(deployed: Deployed) -> tuple[State, str]:
    pages = deployed.client("cloudformation").get_paginator("list_stack_resources")
    wanted = {
        one["PhysicalResourceId"]: one["LogicalResourceId"]
        for page in pages.paginate(StackName=deployed.stack)
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == "AWS::CloudWatch::Alarm"
    }
    _must(wanted, "the stack has none")
    described = deployed.client("cloudwatch").describe_alarms(
        AlarmNames=list(wanted), MaxRecords=100
    )["MetricAlarms"]
    missing = set(wanted) - {one["AlarmName"] for one in described}
    _must(not missing, f"missing: {', '.join(sorted(wanted[one] for one in missing))}")
    ringing = [wanted[one["AlarmName"]] for one in described if one["StateValue"] == "ALARM"]
    if ringing:
        return State.WARN, f"{len(wanted)}, of which these ring: {', '.join(sorted(ringing))}"
    if not all(one.get("AlarmActions") for one in described):
        return State.WARN, f"{len(wanted)}, but they tell nobody: AlarmTopicArn is empty"
    return State.OK, f"{len(wanted)}, none rings"


def _dead_letters(deployed: Deployed) -> tuple[State, str]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    said = deployed.client("sqs").get_queue_attributes(
        QueueUrl=deployed.outputs["DeadLettersUrl"], AttributeNames=names
    )["Attributes"]
    there = sum(int(said[name]) for name in names)
    _must(there == 0, f"{there} in the queue\ndocs/operations.md says how to read them.")
    return State.OK, "none"


def _stream(deployed: Deployed) -> tuple[State, str]:
    client = deployed.client("dynamodb")
    described = client.describe_table(TableName=deployed.outputs["TableName"])["Table"]
    _must(described["TableStatus"] == "ACTIVE", f"the table is {described['TableStatus']}")
    stream = described.get("StreamSpecification", {})
    _must(stream.get("StreamEnabled"), "off, so no events come")
    return State.OK, "on"


def _recovery(deployed: Deployed) -> tuple[State, str]:
    if deployed.emulated:
        return State.ABSENT, "not on the emulator: point-in-time recovery"
    client = deployed.client("dynamodb")
    said = client.describe_continuous_backups(TableName=deployed.outputs["TableName"])
    recovery = said["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    _must(recovery.get("PointInTimeRecoveryStatus") == "ENABLED", "to a point in time: off")
    return State.OK, "to a point in time: on"


def _expiry(deployed: Deployed) -> tuple[State, str]:
    if deployed.emulated:
        return State.ABSENT, "not on the emulator: items that end by themselves"
    client = deployed.client("dynamodb")
    said = client.describe_time_to_live(TableName=deployed.outputs["TableName"])
    lives = said["TimeToLiveDescription"]
    status = lives.get("TimeToLiveStatus")
    _must(status in {"ENABLED", "ENABLING"}, f"sessions and requests never end: {status}")
    _must(lives.get("AttributeName") == "ttl", f"items end by {lives.get('AttributeName')}")
    return State.OK, "items end by ttl"


def _http(method: str, url: str, *, bearer: str = "", body: bytes | None = None) -> Answer:
    headers = {"User-Agent": "namely-link-smoke"}
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    headers |= {"Content-Type": "application/json"} if body is not None else {}
    answer = urllib3.request(
        method, url, headers=headers, body=body, timeout=60, retries=False, redirect=False
    )
    return Answer(
        status=answer.status,
        headers={key.lower(): value for key, value in answer.headers.items()},
        body=answer.data,
    )


def main() -> int:
    """Print the table; 1 where something does not work."""
    parser = argparse.ArgumentParser(prog="make smoke", description=__doc__)
    parser.add_argument("--site", default="", help="a Namely site that exists, for the dry run")
    add_target(parser)
    asked = parser.parse_args()
    name = f"smoke-{secrets.token_hex(5)}"
    try:
        environ, outputs = target(asked)
        api, site = outputs["ApiUrl"], asked.site
        if asked.local:
            run = read_run()
            api, site = run["api"], site or run["simulator"][0]["subdomain"]

        @contextlib.contextmanager
        def key() -> Iterator[str]:
            table = outputs["TableName"]
            scopes = ("link", "sessions", "read")
            bearer = make_key(name, table=table, environ=environ, scopes=scopes, days=1)
            try:
                yield bearer
            finally:
                revoke_key(bearer, table=table, environ=environ)

        rows = look(
            Deployed(
                api=api,
                stack=asked.stack,
                outputs=outputs,
                client=clients(environ),
                ask=_http,
                key=key,
                site=site,
                name=name,
                emulated=asked.local,
            )
        )
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(rows))
    return 1 if failed(rows) else 0


if __name__ == "__main__":
    sys.exit(main())

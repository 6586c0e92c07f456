"""`make smoke` over a double of a sound deployment: all is well there, and each fault is told."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.report import State, failed, table
from deployment.smoke import Answer, Deployed, look
from namely_link.domain.problems import StorageError

API = "https://api.example/production"
NAME = "smoke-1"
CSP = "default-src 'none'; script-src 'self'; frame-ancestors 'none'"
PAGE = '<link href="assets/a.css"><script src="assets/b.js"></script><a href="#x"></a>'


def answer(status: int, body: Any = "", **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(status=status, headers=named, body=text.encode())


def problem(status: int, code: str, **headers: str) -> Answer:
    said = {"status": status, "code": code}
    return answer(status, said, content_type="application/problem+json", **headers)


def page(**changes: str) -> Answer:
    headers = {"content_type": "text/html; charset=utf-8", "content_security_policy": CSP}
    return answer(200, changes.pop("body", PAGE), **headers | changes)


class Client:
    """A client of AWS whose calls answer what stands in `said`, and are noted."""

    def __init__(self, said: dict[str, Any], calls: list[tuple[str, dict]]) -> None:
        self.said, self.calls = said, calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**asked: Any) -> Any:
            self.calls.append((name, asked))
            said = self.said[name]
            if isinstance(said, Exception):
                raise said
            return said(**asked) if callable(said) else said

        return call

    def get_paginator(self, name: str) -> Any:
        said = self.said[name]

        class Pages:
            def paginate(self, **_: Any) -> Any:
                if isinstance(said, Exception):
                    raise said
                return said

        return Pages()


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)


class House:
    """A deployment in which everything is as it must be, until a test changes it."""

    def __init__(self) -> None:
        self.revoked = False
        self.calls: list[tuple[str, dict]] = []
        self.key_fault: Exception | None = None
        self.emulated, self.site = False, ""
        script = answer(200, content_type="text/javascript")
        self.http: dict[str, Answer | list[Answer]] = {
            "GET /v1/health": answer(200, {"status": "ok", "stack": "link"}),
            "GET /v1/openapi.json": answer(
                200, {"openapi": "3.1.0", "paths": {"/v1/x": {}}, "servers": [{"url": API}]}
            ),
            "GET /hub": page(),
            "GET /accounts": page(),
            "GET /assets/a.css": answer(200, content_type="text/css"),
            "GET /assets/b.js": script,
            "GET /hub.js": script,
            "GET /v1/nothing-here": problem(404, "not_found"),
            "GET /v1/nothing-here with none": problem(404, "not_found"),
            "DELETE /v1/health": problem(404, "not_found"),
            "POST /v1/accounts of 10485761": problem(
                413, "payload_too_large", access_control_allow_origin="*"
            ),
            "POST /v1/accounts with nlk of 20013": problem(413, "payload_too_large"),
            "POST /v1/accounts with nlk": problem(422, "site_not_found"),
            f"GET /v1/accounts?owner_id={NAME} with nlk": answer(200, {"accounts": []}),
            "POST /v1/connect-sessions with nlk": answer(
                201, {"id": "s1", "token": "nls", "url": f"{API}/hub#nls"}
            ),
            "GET /v1/connect-sessions/current with nls": [
                answer(200, {"owner": {"name": "make smoke"}}),
                answer(401),
            ],
            "DELETE /v1/connect-sessions/s1 with nlk": answer(204),
        }
        detail = {"account": {"owner": {"id": NAME}}, "code": "invalid_request"}
        detail |= {"detail": "The seal does not open."}
        other = detail | {"account": {"owner": {"id": "another"}}}
        self.events = [{"detail": other}, {"detail": detail}]
        alarm = {"AlarmName": "link-Alarm-1", "StateValue": "OK", "AlarmActions": ["arn"]}
        resource = {"PhysicalResourceId": "link-Alarm-1", "LogicalResourceId": "ErrorsAlarm"}
        self.aws: dict[str, dict[str, Any]] = {
            "dynamodb": {
                "query": {"Count": 0},
                "describe_table": {
                    "Table": {
                        "TableStatus": "ACTIVE",
                        "StreamSpecification": {"StreamEnabled": True},
                    }
                },
                "describe_continuous_backups": {
                    "ContinuousBackupsDescription": {
                        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}
                    }
                },
                "describe_time_to_live": {
                    "TimeToLiveDescription": {
                        "TimeToLiveStatus": "ENABLED",
                        "AttributeName": "ttl",
                    }
                },
            },
            "secretsmanager": {"list_secrets": {"SecretList": []}},
            "cloudformation": {
                "list_stack_resources": [
                    {
                        "StackResourceSummaries": [
                            resource | {"ResourceType": "AWS::CloudWatch::Alarm"},
                            resource | {"ResourceType": "AWS::SQS::Queue"},
                        ]
                    }
                ]
            },
            "cloudwatch": {"describe_alarms": {"MetricAlarms": [alarm]}},
            "events": {
                "put_events": {"FailedEntryCount": 0},
                "put_rule": {"RuleArn": "rule-arn"},
                "put_targets": {},
                "remove_targets": {},
                "delete_rule": {},
            },
            "sqs": {
                "create_queue": {"QueueUrl": "queue"},
                "delete_queue": {},
                "set_queue_attributes": {},
                "receive_message": lambda **_: {
                    "Messages": [{"Body": json.dumps(one)} for one in self.events]
                },
                "get_queue_attributes": lambda **asked: {
                    "Attributes": {"QueueArn": "queue-arn"}
                    | dict.fromkeys(asked["AttributeNames"], self.dead)
                },
            },
        }
        self.dead = "0"

    def ask(self, method: str, url: str, *, bearer: str = "", body: bytes | None = None) -> Answer:
        asked = f"{method} {url.removeprefix(API)}" + (f" with {bearer}" if bearer else "")
        if body and len(body) > 1000:
            asked += f" of {len(body)}"
        said = self.http[asked]
        return said.pop(0) if isinstance(said, list) else said

    @contextlib.contextmanager
    def key(self):
        if self.key_fault:
            raise self.key_fault
        yield "nlk"
        self.revoked = True

    def look(self) -> dict[str, tuple[State, str, str]]:
        rows = look(
            Deployed(
                api=API,
                stack="link",
                outputs={"TableName": "t", "EventBusName": "b", "DeadLettersUrl": "d"},
                client=lambda service: Client(self.aws[service], self.calls),
                ask=self.ask,
                key=self.key,
                site=self.site,
                name=NAME,
                emulated=self.emulated,
            )
        )
        assert failed(rows) == ("FAIL" in table(rows))
        return {one.name: (one.state, one.found, one.advice) for one in rows}


@pytest.fixture
def house() -> House:
    return House()


def test_a_sound_deployment_has_no_fault_and_its_key_is_revoked(house: House) -> None:
    assert {state for state, *_ in house.look().values()} == {State.OK}
    assert house.revoked


def test_what_it_listens_with_is_removed(house: House) -> None:
    house.look()
    removed = [name for name, _ in house.calls if name.startswith(("remove", "delete"))]
    assert removed == ["remove_targets", "delete_rule", "delete_queue"]


def test_what_it_listens_with_is_removed_after_a_fault_too(house: House) -> None:
    house.aws["events"]["put_events"] = denied("PutEvents")
    state, found, advice = house.look()["events"]
    assert (state, "PutEvents" in found) == (State.FAIL, True)
    assert "link-smoke-1" in advice
    assert [name for name, _ in house.calls][-3:][0] != "put_events"
    assert {"remove_targets", "delete_rule", "delete_queue"} <= {name for name, _ in house.calls}


def test_the_queue_takes_what_its_rule_sends_and_nothing_else(house: House) -> None:
    house.look()
    policy = next(asked for name, asked in house.calls if name == "set_queue_attributes")
    (statement,) = json.loads(policy["Attributes"]["Policy"])["Statement"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": "rule-arn"}}


SITE = "POST /v1/accounts with nlk"
CURRENT = "GET /v1/connect-sessions/current with nls"
OPENAPI = {"openapi": "3.1.0", "paths": {"/v1/x": {}}, "servers": [{"url": API}]}


@pytest.mark.parametrize(
    ("row", "route", "said"),
    [
        ("health", "GET /v1/health", answer(502, "bad gateway")),
        ("health", "GET /v1/health", answer(200, "no json")),
        ("health", "GET /v1/health", answer(200, [])),
        ("health", "GET /v1/health", answer(200, {"status": "ok", "stack": "other"})),
        ("openapi", "GET /v1/openapi.json", answer(403)),
        ("openapi", "GET /v1/openapi.json", answer(200, OPENAPI | {"openapi": "2.0"})),
        ("openapi", "GET /v1/openapi.json", answer(200, OPENAPI | {"paths": {}})),
        ("openapi", "GET /v1/openapi.json", answer(200, OPENAPI | {"servers": [{}]})),
        ("page hub", "GET /hub", answer(500)),
        ("page hub", "GET /hub", page(content_type="text/plain")),
        ("page hub", "GET /hub", page(content_security_policy="default-src 'none'")),
        ("page hub", "GET /hub", page(content_security_policy=f"{CSP} 'unsafe-inline'")),
        ("page accounts", "GET /accounts", page(body="<p>nothing</p>")),
        ("page accounts", "GET /accounts", answer(404)),
        ("page hub", "GET /assets/b.js", answer(429)),
        ("page hub", "GET /assets/b.js", answer(200, content_type="text/html")),
        ("page hub", "GET /assets/a.css", answer(200, content_type="text/plain")),
        ("script hub.js", "GET /hub.js", answer(200, content_type="text/html")),
        ("script hub.js", "GET /hub.js", answer(404)),
        ("unknown route", "GET /v1/nothing-here", answer(404, {"code": "not_found"})),
        ("unknown route", "GET /v1/nothing-here", problem(403, "not_found")),
        ("unknown route", "GET /v1/nothing-here", problem(404, "forbidden")),
        (
            "unknown route",
            "GET /v1/nothing-here",
            answer(
                404, {"code": "not_found", "status": 403}, content_type="application/problem+json"
            ),
        ),
        ("… with a bearer", "GET /v1/nothing-here with none", answer(403, {"message": "SigV4"})),
        ("wrong method", "DELETE /v1/health", answer(403, {"message": "Missing"})),
        ("body over 10 MB", "POST /v1/accounts of 10485761", answer(413, {"message": "Too Long"})),
        ("body over 10 MB", "POST /v1/accounts of 10485761", problem(413, "payload_too_large")),
        ("body of 20 KB", "POST /v1/accounts with nlk of 20013", problem(422, "invalid_token")),
        ("dry run", SITE, answer(200, {"receipt": {}})),
        ("dry run", SITE, problem(422, "token_refused")),
        ("dry run", SITE, problem(503, "namely_unavailable")),
        ("dry run", f"GET /v1/accounts?owner_id={NAME} with nlk", answer(200, {"accounts": [1]})),
        ("dry run", f"GET /v1/accounts?owner_id={NAME} with nlk", answer(500)),
        ("connect session", "POST /v1/connect-sessions with nlk", answer(403)),
        ("connect session", "POST /v1/connect-sessions with nlk", answer(201, {})),
        (
            "connect session",
            "POST /v1/connect-sessions with nlk",
            answer(201, {"id": "s1", "token": "nls", "url": "https://elsewhere/"}),
        ),
        ("connect session", CURRENT, [answer(401)]),
        ("connect session", CURRENT, [answer(200, {"owner": {"name": "other"}})]),
        (
            "connect session",
            CURRENT,
            [answer(200, {"owner": {"name": "make smoke"}}), answer(200)],
        ),
        ("connect session", "DELETE /v1/connect-sessions/s1 with nlk", answer(500)),
    ],
)
def test_a_wrong_answer_is_told(
    house: House, row: str, route: str, said: Answer | list[Answer]
) -> None:
    house.http[route] = said
    rows = house.look()
    assert rows[row][0] is State.FAIL
    assert house.revoked
    others = {name for name, (state, *_) in rows.items() if state is State.FAIL} - {row}
    assert others <= {"page accounts", "page hub"}


TABLE = {"TableStatus": "ACTIVE", "StreamSpecification": {"StreamEnabled": True}}
LIVES = {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}


@pytest.mark.parametrize(
    ("row", "service", "call", "said"),
    [
        ("dry run", "dynamodb", "query", {"Count": 1}),
        ("dry run", "secretsmanager", "list_secrets", {"SecretList": [{}]}),
        ("events", "events", "put_events", {"FailedEntryCount": 1}),
        ("events", "sqs", "receive_message", {}),
        ("events", "sqs", "create_queue", denied("CreateQueue")),
        ("events", "sqs", "delete_queue", denied("DeleteQueue")),
        ("alarms", "cloudformation", "list_stack_resources", [{"StackResourceSummaries": []}]),
        ("alarms", "cloudwatch", "describe_alarms", {"MetricAlarms": []}),
        ("alarms", "cloudwatch", "describe_alarms", denied("DescribeAlarms")),
        ("table's stream", "dynamodb", "describe_table", {"Table": TABLE | {"TableStatus": "X"}}),
        (
            "table's stream",
            "dynamodb",
            "describe_table",
            {"Table": TABLE | {"StreamSpecification": {}}},
        ),
        (
            "table's recovery",
            "dynamodb",
            "describe_continuous_backups",
            {"ContinuousBackupsDescription": {}},
        ),
        (
            "table's expiry",
            "dynamodb",
            "describe_time_to_live",
            {"TimeToLiveDescription": LIVES | {"TimeToLiveStatus": "DISABLED"}},
        ),
        (
            "table's expiry",
            "dynamodb",
            "describe_time_to_live",
            {"TimeToLiveDescription": LIVES | {"AttributeName": "expires"}},
        ),
    ],
)
def test_a_fault_in_aws_is_told(
    house: House, row: str, service: str, call: str, said: object
) -> None:
    house.aws[service][call] = said
    rows = house.look()
    assert [name for name, (state, *_) in rows.items() if state is State.FAIL] == [row]


def test_dead_letters_are_told(house: House) -> None:
    house.dead = "1"
    assert house.look()["dead letters"][:2] == (State.FAIL, "2 in the queue")


def test_a_rejection_for_another_reason_is_told(house: House) -> None:
    house.events[1]["detail"]["detail"] = "The body is not understood."
    assert house.look()["events"][0] is State.FAIL


def test_a_ringing_alarm_and_one_that_tells_nobody_are_warned_of(house: House) -> None:
    (alarm,) = house.aws["cloudwatch"]["describe_alarms"]["MetricAlarms"]
    alarm["StateValue"] = "ALARM"
    assert house.look()["alarms"][:2] == (State.WARN, "1, of which these ring: ErrorsAlarm")
    house = House()
    (alarm,) = house.aws["cloudwatch"]["describe_alarms"]["MetricAlarms"]
    del alarm["AlarmActions"]
    state, found, _ = house.look()["alarms"]
    assert (state, "AlarmTopicArn" in found) == (State.WARN, True)


def test_a_key_that_cant_be_made_is_a_fault_and_the_rest_is_looked_at(house: House) -> None:
    house.key_fault = StorageError("PutItem: AccessDenied")
    rows = house.look()
    assert rows["API key"][0] is State.FAIL
    assert rows["alarms"][0] is State.OK


def test_a_site_that_exists_has_to_refuse_the_token(house: House) -> None:
    house.site = "acme"
    assert house.look()["dry run"][0] is State.FAIL
    house = House()
    house.site = "acme"
    house.http[SITE] = problem(422, "token_refused")
    assert house.look()["dry run"][0] is State.OK


def test_what_the_emulator_lacks_is_not_called_right(house: House) -> None:
    house.emulated = True
    own = answer(403, {"message": "Missing Authentication Token"}, x_amzn_errortype="Missing")
    house.http["DELETE /v1/health"] = own
    rows = house.look()
    absent = {name for name, (state, *_) in rows.items() if state is State.ABSENT}
    assert absent == {"wrong method", "body over 10 MB", "table's recovery", "table's expiry"}

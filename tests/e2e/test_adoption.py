"""A stack is deleted, its table and key stay, and one of the same name takes them over."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from deployment.target import session
from local.stack import ROOT, STACK, Stack, running, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_AGO = {"S": "2026-01-01T00:00:00Z"}


@dataclass
class Again:
    """What was there before, and the stack that has taken it over."""

    account: dict[str, Any]
    table: str
    stream: str
    stack: Stack

    def aws(self, service: str) -> Any:
        return aws(self.stack, service)


def aws(stack: Stack, service: str) -> Any:
    return session(stack.environ).client(service, endpoint_url=stack.aws_endpoint)


def outputs(stack: Stack) -> dict[str, str]:
    described = aws(stack, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Again]:
    with running(state=tmp_path_factory.mktemp("adoption")) as stack:
        known = stack.simulator.credential("acme")
        body = {"subdomain": known.subdomain, "token": known.token}
        body |= {"owner_id": "kept", "owner_name": "Kept Ltd"}
        status, account = stack.call("POST", "/v1/accounts", body)
        assert status == 201, account
        left = outputs(stack)
        stream = aws(stack, "dynamodb").describe_table(TableName=left["TableName"])["Table"]
        formation = aws(stack, "cloudformation")
        formation.delete_stack(StackName=STACK)
        formation.get_waiter("stack_delete_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1}
        )
        adopted = {
            "TableName": left["TableName"],
            "TableStreamArn": stream["LatestStreamArn"],
            "KmsKeyArn": left["KeyArn"],
        }
        stack = upgrade(stack, parameters=adopted)
        yield Again(account, left["TableName"], stream["LatestStreamArn"], stack)


def test_an_account_of_the_deleted_stack_is_there_with_its_key_and_its_secret(again: Again) -> None:
    # With the API key that the deleted stack's table has.
    path = f"/v1/accounts/{again.account['id']}"
    assert again.stack.call("GET", path) == (200, again.account)
    value = again.aws("secretsmanager").get_secret_value(
        SecretId=again.account["secret"]["arn"], VersionId=again.account["secret"]["version_id"]
    )
    token = json.loads(value["SecretString"])["token"]
    assert token == again.stack.simulator.credential("acme").token


def test_the_stack_names_what_it_has_taken_over_and_owns_no_table(again: Again) -> None:
    assert outputs(again.stack)["TableName"] == again.table
    owned = again.aws("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    assert {"AWS::DynamoDB::Table", "AWS::KMS::Key"}.isdisjoint(
        one["ResourceType"] for one in owned
    )
    (mapping,) = [
        one
        for one in again.aws("lambda").list_event_source_mappings()["EventSourceMappings"]
        if "dynamodb" in one["EventSourceArn"]
    ]
    assert mapping["EventSourceArn"] == again.stream


def test_the_sweep_finds_the_account_when_it_is_due(again: Again) -> None:
    again.aws("dynamodb").update_item(
        TableName=again.table,
        Key={"pk": {"S": f"ACCOUNT#{again.account['id']}"}, "sk": {"S": "ACCOUNT"}},
        UpdateExpression="SET next_check_at = :ago, due_at = :ago",
        ExpressionAttributeValues={":ago": LONG_AGO},
    )
    event = (ROOT / "events" / "sweep" / "schedule.json").read_text()
    sweep = outputs(again.stack)["SweepFunctionName"]
    path, end = f"/v1/accounts/{again.account['id']}", time.monotonic() + 90
    checked = again.account["checked_at"]
    again.aws("lambda").invoke(FunctionName=sweep, Payload=event.replace("$TIME", LONG_AGO["S"]))
    while checked == again.account["checked_at"] and time.monotonic() < end:
        time.sleep(0.5)
        checked = again.stack.call("GET", path)[1]["checked_at"]
    assert checked > again.account["checked_at"]

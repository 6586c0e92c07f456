"""What stands in the account once the template is deployed: alone, beside another, and again."""

import json
import re
from typing import Any

import pytest

from templates import ROOT
from translated import Deployed

TABLE = "old-table"
ADOPTING = {
    "TableName": TABLE,
    "TableStreamArn": f"arn:aws:dynamodb:eu-central-1:123456789012:table/{TABLE}/stream/2026",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/old-key",
}
EVERYTHING = {"AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:t", "WebhookUrl": "https://x"}
NAMING = {
    *("LogGroupName", "DashboardName", "LayerName", "FunctionName", "RoleName", "QueueName"),
    *("AlarmName", "ManagedPolicyName", "TableName", "RuleName"),
}
"""Properties that name something in the account."""


def metrics(stack: Deployed) -> set[tuple[str, str, str]]:
    """What is watched of our own: namespace, name, dimensions."""
    return {
        (one["Namespace"], one["MetricName"], json.dumps(one["Dimensions"]))
        for resource in stack.resources.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
        for one in [resource["Properties"]]
        if one["Namespace"].startswith("namely-link")
    }


def names(stack: Deployed) -> set[tuple[str, str]]:
    """What the template itself names, by its type."""
    found = set()
    for one in stack.resources.values():
        kind, properties = one["Type"], one.get("Properties", {})
        named = {value for key, value in properties.items() if key in NAMING}
        if kind in {"AWS::ApiGateway::RestApi", "AWS::Events::EventBus", "AWS::Events::Rule"}:
            named |= {properties["Name"]} if "Name" in properties else set()
        found |= {(kind, str(value)) for value in named}
    return found


def test_two_stacks_of_one_region_share_no_name_and_no_metric() -> None:
    one, other = Deployed(parameters=EVERYTHING), Deployed("other", parameters=EVERYTHING)
    assert names(one)
    assert not names(one) & names(other)
    assert metrics(one)
    assert not metrics(one) & metrics(other)
    dashboards = [
        each.resources["Dashboard"]["Properties"]["DashboardBody"] for each in (one, other)
    ]
    drawn = [set(re.findall(r'"(namely-link[^"]*)"', body)) for body in dashboards]
    assert drawn == [{"namely-link/stack"}, {"namely-link/other"}]


def test_functions_count_where_alarms_look() -> None:
    stack = Deployed()
    (namespace,) = {one for one, _, _ in metrics(stack)}
    functions = [one for one in stack.resources.values() if one["Type"] == "AWS::Lambda::Function"]
    assert functions
    for one in functions:
        variables = one["Properties"]["Environment"]["Variables"]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == namespace


def test_stacks_of_one_name_in_two_regions_share_nothing_of_the_account() -> None:
    # Dashboards are the account's, and so is what IAM has, which is named by CloudFormation.
    of_account = {"AWS::CloudWatch::Dashboard", "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}
    here, there = (
        {one for one in names(Deployed(region=region)) if one[0] in of_account}
        for region in ("eu-central-1", "us-east-1")
    )
    assert {kind for kind, _ in here} == {"AWS::CloudWatch::Dashboard"}
    assert not here & there


def test_a_stack_that_uses_a_table_again_makes_none_and_names_it_everywhere() -> None:
    stack = Deployed(parameters=ADOPTING)
    assert not {"Table", "Key"} & set(stack.resources)
    outputs = {
        name: stack.resolved(one["Value"]) for name, one in stack.template["Outputs"].items()
    }
    assert (outputs["TableName"], outputs["KeyArn"]) == (TABLE, ADOPTING["KmsKeyArn"])
    everything = json.dumps([stack.resources, outputs])
    assert "stack-Table" not in everything
    assert "stack-Key" not in everything
    mapping = stack.resources["PublishFunctionStream"]["Properties"]
    assert mapping["EventSourceArn"] == ADOPTING["TableStreamArn"]
    streams = stack.policies()["PublishRole"]["Statement"][0]["Resource"]
    assert ADOPTING["TableStreamArn"].startswith(streams.removesuffix("*"))


def test_a_stack_makes_its_own_table_unless_it_is_given_one() -> None:
    stack = Deployed()
    own = stack.resolved({"Ref": "Table"})
    variables = stack.resources["CheckFunction"]["Properties"]["Environment"]["Variables"]
    assert {"Table", "Key"} <= set(stack.resources)
    assert variables["TABLE_NAME"] == own != TABLE


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({}, True),
        (ADOPTING, True),
        ({"TableName": TABLE}, False),
        ({"TableStreamArn": ADOPTING["TableStreamArn"]}, False),
    ],
)
def test_a_table_comes_with_its_stream_or_not_at_all(given: dict[str, Any], passes: bool) -> None:
    stack = Deployed(parameters={key: one for key, one in given.items() if key != "KmsKeyArn"})
    assert stack.passes("ATableComesWithItsStream") is passes


def test_what_a_release_changes_of_a_function_is_its_configuration_alone() -> None:
    # Code and configuration are two calls: new code would run on the old layer, or the other way.
    for name, one in Deployed().template["Resources"].items():
        if one["Type"] == "AWS::Lambda::Function":
            assert one["Properties"]["Handler"] == "entry.handler", name
    text = (ROOT / "template.yaml").read_text()
    assert set(re.findall(r"CodeUri: (\S+)", text)) == {"entry"}
    assert [one.name for one in (ROOT / "entry").iterdir() if one.suffix] == ["entry.py"]


def test_what_the_stack_tells_asks_it_for_nothing() -> None:
    pattern = Deployed().resources["IntakeFunctionRequests"]["Properties"]["EventPattern"]
    assert pattern["source"] == [{"anything-but": ["namely-link"]}]

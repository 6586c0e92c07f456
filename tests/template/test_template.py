"""What the template grants, keeps and says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their names and values."""


def _short_form(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _short_form)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 - a SafeLoader
RESOURCES = TEMPLATE["Resources"]


def of_type(name: str) -> dict[str, Any]:
    return {key: one for key, one in RESOURCES.items() if one["Type"] == name}


def statements(role: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in RESOURCES[role]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def actions(role: str) -> set[str]:
    listed = [one["Action"] for one in statements(role)]
    return {action for one in listed for action in ([one] if isinstance(one, str) else one)}


ROLES = list(of_type("AWS::IAM::Role"))
FUNCTIONS = of_type("AWS::Serverless::Function")


@pytest.mark.parametrize("role", ROLES)
def test_no_function_may_read_a_secret(role: str) -> None:
    assert not {one for one in actions(role) if re.match(r"secretsmanager:(Get|Batch|\*)", one)}


@pytest.mark.parametrize("role", ROLES)
def test_only_tracing_has_no_resource_to_name(role: str) -> None:
    wild = [one for one in statements(role) if one["Resource"] == "*"]
    assert {action for one in wild for action in one["Action"]} == {
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    }


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_a_wildcard(role: str) -> None:
    assert not [one for one in actions(role) if "*" in one]


def test_the_hub_may_not_list_accounts() -> None:
    assert not actions("HubRole") & {"dynamodb:Query", "dynamodb:Scan"}


def test_every_function_has_a_role_and_a_log_group_of_its_own() -> None:
    for key in ("Role", "LoggingConfig"):
        values = [json.dumps(one["Properties"][key]) for one in FUNCTIONS.values()]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("group", of_type("AWS::Logs::LogGroup"))
def test_every_log_group_forgets_in_time(group: str) -> None:
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("name", ["Table", "Key"])
def test_what_cannot_be_made_again_is_retained(name: str) -> None:
    kept = {RESOURCES[name]["DeletionPolicy"], RESOURCES[name]["UpdateReplacePolicy"]}
    assert kept == {"Retain"}


def test_the_table_recovers_encrypts_and_forgets_sessions() -> None:
    table = RESOURCES["Table"]["Properties"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_the_key_rotates() -> None:
    assert RESOURCES["Key"]["Properties"]["EnableKeyRotation"] is True


def test_no_body_and_no_event_is_ever_logged() -> None:
    for settings in RESOURCES["Api"]["Properties"]["MethodSettings"]:
        assert settings["DataTraceEnabled"] is False
    assert "LOG_EVENT" not in (ROOT / "template.yaml").read_text()
    access = RESOURCES["Api"]["Properties"]["AccessLogSetting"]["Format"]
    assert "querystring" not in access.lower()
    assert "$context.path" not in access


@pytest.mark.parametrize("kind", ["Parameters", "Outputs"])
def test_every_parameter_and_output_says_what_it_is(kind: str) -> None:
    assert all(len(one["Description"]) > 15 for one in TEMPLATE[kind].values())


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_every_parameter_is_checked_and_used(name: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter)
    rest = json.dumps({key: one for key, one in TEMPLATE.items() if key != "Parameters"})
    assert f'"{name}"' in rest or f"${{{name}}}" in rest


def test_every_route_has_an_event_file_that_the_tests_use() -> None:
    routes = {
        (
            name.removesuffix("Function").lower(),
            event["Properties"]["Method"],
            event["Properties"]["Path"],
        )
        for name, one in FUNCTIONS.items()
        for event in one["Properties"]["Events"].values()
    }
    files = {
        (path.parent.name, event["httpMethod"], event["resource"])
        for path in (ROOT / "events").rglob("*.json")
        for event in [json.loads(path.read_text())]
    }
    assert files == routes
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "functions").glob("*.py"))
    unused = [
        path.stem
        for path in (ROOT / "events").rglob("*.json")
        if f'{path.parent.name}/{path.stem}"' not in tests and f'"{path.stem}"' not in tests
    ]
    assert unused == []


def test_every_setting_that_the_code_reads_is_set_by_the_template() -> None:
    code = (ROOT / "layers" / "shared" / "namely_link" / "settings.py").read_text()
    read = set(re.findall(r'"([A-Z][A-Z_]+)"', code))
    set_by_template = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    for one in FUNCTIONS.values():
        set_by_template |= set(one["Properties"]["Environment"]["Variables"])
    assert read == {name for name in set_by_template if not name.startswith("POWERTOOLS_")}


def test_a_production_stage_refuses_the_simulator() -> None:
    rule = TEMPLATE["Rules"]["ProductionGoesToNamely"]
    asserted = [json.dumps(one["Assert"]) for one in rule["Assertions"]]
    assert any("NamelyConnectTo" in one for one in asserted)
    assert any("NamelyCaBundle" in one for one in asserted)


def test_what_the_product_needs_at_run_time_is_three_packages() -> None:
    named = (ROOT / "requirements" / "runtime.in").read_text().split()
    assert named == ["aws-lambda-powertools", "boto3", "urllib3"]

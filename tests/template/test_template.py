"""What the template grants, keeps and says."""

import json
import re
from typing import Any

import pytest

from namely_link.domain.lifecycle import TIMEOUTS
from templates import ROOT, TEMPLATE

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


EVENTS = [path for path in (ROOT / "events").rglob("*.json") if path.parent.name != "schemas"]
FUNCTIONS = of_type("AWS::Serverless::Function")
ROLES = [name.replace("Function", "Role") for name in FUNCTIONS]


READERS = {"CheckRole", "WebhookRole"}


@pytest.mark.parametrize("role", ROLES)
def test_only_checks_may_read_a_secret_and_the_webhook_its_own(role: str) -> None:
    reading = {one for one in actions(role) if re.match(r"secretsmanager:(Get|Batch|\*)", one)}
    assert reading == ({"secretsmanager:GetSecretValue"} if role in READERS else set())


def test_the_webhook_may_read_what_it_signs_with_and_nothing_else() -> None:
    (read,) = [
        one for one in statements("WebhookRole") if one["Action"] == "secretsmanager:GetSecretValue"
    ]
    assert read["Resource"] == {"GetAtt": "WebhookKeys.Id"}
    assert not [one for one in actions("WebhookRole") if one.startswith(("dynamodb:", "kms:"))]


def test_what_reads_secrets_can_neither_write_nor_delete_them() -> None:
    assert {one for one in actions("CheckRole") if one.startswith("secretsmanager:")} == {
        "secretsmanager:GetSecretValue"
    }


def test_what_publishes_can_do_nothing_else() -> None:
    touched = {one.partition(":")[0] for one in actions("PublishRole")}
    assert touched == {"dynamodb", "events", "sqs", "logs", "xray"}
    assert not {one for one in actions("PublishRole") if re.match(r"dynamodb:(Put|Upd|Del)", one)}


def test_what_serves_pages_may_write_its_log_and_knows_of_nothing_else() -> None:
    (log,) = statements("PagesRole")
    assert log["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert log["Resource"] == {"Sub": "${PagesLogs.Arn}"}
    function = FUNCTIONS["PagesFunction"]["Properties"]
    assert function["Tracing"] == "PassThrough"
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    known = set(shared) | set(function["Environment"]["Variables"])
    theme = {"FRAME_ANCESTORS", "THEME_NAME", "THEME_COLOR", "THEME_LOGO"}
    assert {name for name in known if not name.startswith("POWERTOOLS_")} == theme


LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
ROWS = {
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:DeleteItem",  # a pair that is let go of
}
COUNTED = {"dynamodb:UpdateItem"}  # an owner's attempts, and a session that a link uses up
WRITES = {
    "secretsmanager:CreateSecret",
    "secretsmanager:TagResource",  # CreateSecret with tags
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
    "kms:GenerateDataKey",
    "kms:Decrypt",  # PutSecretValue looks whether the version is there already
}
DELETES = {
    "secretsmanager:DeleteSecret",
    "secretsmanager:DescribeSecret",  # until when one can be recovered that was deleted before
}
NEEDED = {
    "PagesRole": LOG,
    "LinkRole": LOG | TRACES | ROWS | COUNTED | WRITES,
    "IntakeRole": LOG
    | TRACES
    | ROWS
    | COUNTED
    | WRITES
    | DELETES
    | {
        "dynamodb:Query",  # the accounts of an owner or a subdomain that are to be checked
        "sqs:SendMessage",  # checks; and Lambda sends dead letters as this role
    },
    "ApiRole": LOG
    | TRACES
    | ROWS
    | DELETES
    | {
        "dynamodb:Query",  # lists, ledgers
        "secretsmanager:RestoreSecret",
        "sqs:SendMessage",  # checks
    },
    "CheckRole": LOG
    | TRACES
    | ROWS
    | {
        "secretsmanager:GetSecretValue",
        "kms:Decrypt",
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    },
    "SweepRole": LOG
    | TRACES
    | ROWS
    | DELETES
    | {
        "dynamodb:Query",  # what is due
        "dynamodb:BatchGetItem",  # the rows of that
        "secretsmanager:UpdateSecretVersionStage",
        "secretsmanager:RestoreSecret",  # a deletion that took effect after its restoring
        "secretsmanager:ListSecrets",  # the daily reconciling
        "sqs:SendMessage",  # checks
    },
    "PublishRole": LOG
    | TRACES
    | {
        *("dynamodb:GetRecords", "dynamodb:GetShardIterator"),
        *("dynamodb:DescribeStream", "dynamodb:ListStreams"),
        "events:PutEvents",
        "sqs:SendMessage",  # what can't be read; and Lambda sends dead letters as this role
    },
    "WebhookRole": LOG
    | TRACES
    | {
        "secretsmanager:GetSecretValue",
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    },
}
"""What the code of each function calls, what those calls need besides, and what Lambda does in its
name: to poll, to write logs and traces."""

OF_LAMBDA = {
    one
    for one in {action for needed in NEEDED.values() for action in needed}
    if re.match(r"(logs|xray):|dynamodb:(GetRecords|GetShard|\w+Stream)|sqs:(?!Send)", one)
}
IMPLIED = {"secretsmanager:TagResource", "kms:GenerateDataKey"}
OF_THE_SENDER = {"Encrypt"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_its_function_does_and_nothing_else(role: str) -> None:
    assert actions(role) == NEEDED[role]


def test_every_call_of_the_code_is_granted_to_somebody() -> None:
    code = "".join(
        path.read_text() for path in (ROOT / "layers/shared/namely_link/aws").glob("*.py")
    )
    called = re.findall(r"client\.(?:get_paginator\(\"(\w+)\"|([a-z_]+)\()", code)
    calls = {
        # SendMessageBatch has no grant of its own.
        (paged or one).removesuffix("_batch").title().replace("_", "")
        for paged, one in called
        if one != "transact_write_items"  # granted by its parts
    }
    calls |= {f"{one}Item" for one in re.findall(r'"(Put|Delete|Update|ConditionCheck)": \{', code)}
    granted = {one for needed in NEEDED.values() for one in needed} - OF_LAMBDA - IMPLIED
    assert calls - OF_THE_SENDER == {one.partition(":")[2] for one in granted}


def test_only_the_emulator_is_told_of_an_action_for_batches() -> None:
    """AWS has none: whoever may send a message may send a batch of them."""
    policy = RESOURCES["EmulatedBatches"]
    assert (policy["Type"], policy["Condition"]) == ("AWS::IAM::Policy", "Emulated")
    said = [name for name, one in RESOURCES.items() if "sqs:SendMessageBatch" in repr(one)]
    assert said == ["EmulatedBatches"]


@pytest.mark.parametrize("role", ROLES)
def test_only_what_has_no_resource_to_name_names_none(role: str) -> None:
    wild = [one for one in statements(role) if one["Resource"] == "*"]
    listed = [one["Action"] for one in wild]
    found = {action for one in listed for action in ([one] if isinstance(one, str) else one)}
    alone = {"secretsmanager:ListSecrets", "dynamodb:ListStreams"}
    assert found == NEEDED[role] & (TRACES | alone)


def test_a_query_is_granted_for_the_indexes_that_are_asked() -> None:
    asked = {
        "ApiRole": ["by_owner", "by_subdomain", "all_accounts"],
        "IntakeRole": ["by_owner", "by_subdomain"],
        "SweepRole": ["due"],
    }
    for role in ROLES:
        granted = re.findall(r"/index/(\w+)", json.dumps(statements(role)))
        assert granted == asked.get(role, [])


def test_events_wait_until_the_bus_takes_them() -> None:
    stream = FUNCTIONS["PublishFunction"]["Properties"]["Events"]["Stream"]["Properties"]
    # A bisected batch would let later events of an account go before earlier ones.
    assert stream["BisectBatchOnFunctionError"] is False
    assert (stream["MaximumRetryAttempts"], stream["MaximumRecordAgeInSeconds"]) == (-1, -1)
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "ParallelizationFactor" not in stream
    table = RESOURCES["Table"]["Properties"]["StreamSpecification"]
    assert table == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.mark.parametrize("name", TIMEOUTS)
def test_leases_are_made_of_the_functions_real_time_outs(name: str) -> None:
    default = TEMPLATE["Globals"]["Function"]["Timeout"]
    function = FUNCTIONS[f"{name.title()}Function"]["Properties"]
    assert TIMEOUTS[name].total_seconds() == function.get("Timeout", default)


def test_the_sweep_reconciles_once_a_day_by_the_file_of_events() -> None:
    schedule = FUNCTIONS["SweepFunction"]["Properties"]["Events"]["Reconcile"]["Properties"]
    assert schedule["Schedule"] == "rate(1 day)"
    event = json.loads((ROOT / "events" / "sweep" / "reconcile.json").read_text())
    assert json.loads(schedule["Input"]) == event


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_a_wildcard(role: str) -> None:
    assert not [one for one in actions(role) if "*" in one]


def test_what_links_may_not_list_accounts() -> None:
    assert not actions("LinkRole") & {"dynamodb:Query", "dynamodb:Scan"}


def test_every_function_has_a_role_and_a_log_group_of_its_own() -> None:
    for key in ("Role", "LoggingConfig"):
        values = [json.dumps(one["Properties"][key]) for one in FUNCTIONS.values()]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("group", of_type("AWS::Logs::LogGroup"))
def test_every_log_group_forgets_in_time(group: str) -> None:
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("name", ["Table", "Key"])
def test_what_cannot_be_made_again_is_retained_unless_its_stack_is_never_made(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_the_table_recovers_encrypts_and_forgets_sessions() -> None:
    table = RESOURCES["Table"]["Properties"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert "SSESpecification" not in table  # AWS's own key; SSEEnabled is one that is charged for
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_every_trigger_that_delivers_again_ends_in_the_dead_letters() -> None:
    dead = {"GetAtt": "DeadLetters.Arn"}
    check = RESOURCES["CheckQueue"]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
    stream = FUNCTIONS["PublishFunction"]["Properties"]["Events"]["Stream"]["Properties"]
    intake = FUNCTIONS["IntakeFunction"]["Properties"]
    assert check == dead
    assert stream["DestinationConfig"]["OnFailure"]["Destination"] == dead
    assert intake["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"] == dead
    assert intake["Events"]["Requests"]["Properties"]["DeadLetterConfig"]["Arn"] == dead
    webhook = RESOURCES["WebhookQueue"]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
    (target,) = RESOURCES["WebhookRule"]["Properties"]["Targets"]
    assert (webhook, target["DeadLetterConfig"]["Arn"]) == (dead, dead)


def test_who_seals_tokens_may_put_requests_only() -> None:
    policy = RESOURCES["SealerPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (put,) = [one for one in policy if one["Action"] == "events:PutEvents"]
    rule = FUNCTIONS["IntakeFunction"]["Properties"]["Events"]["Requests"]["Properties"]
    allowed = put["Condition"]["ForAllValues:StringEquals"]["events:detail-type"]
    assert allowed == rule["Pattern"]["detail-type"]


def test_a_seal_names_its_request_and_can_not_be_without_a_context() -> None:
    policy = RESOURCES["SealerPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (seals,) = [one for one in policy if one["Action"] == "kms:Encrypt"]
    (opens,) = [one for one in statements("IntakeRole") if one.get("Sid") == "OpenSealedTokens"]
    bound = ["owner_id", "subdomain", "request_id", "expires_at"]
    for one in (seals, opens):
        # ForAllValues is true of an absent key.
        assert one["Condition"] == {
            "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": bound},
            "Null": {
                "If": ["Emulated", {"Ref": "AWS::NoValue"}, {"kms:EncryptionContextKeys": "false"}]
            },
        }
    assert TEMPLATE["Conditions"]["Emulated"] == {"Equals": [{"Ref": "Stage"}, "local"]}


@pytest.mark.parametrize("name", of_type("AWS::CloudWatch::Alarm"))
def test_every_alarm_is_in_the_runbook(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "operations.md").read_text()


def test_every_metric_of_ours_that_is_watched_is_emitted() -> None:
    watched = set(re.findall(r"MetricName: (\w+)", (ROOT / "template.yaml").read_text()))
    code = "".join(path.read_text() for path in (ROOT / "functions").glob("*/app.py"))
    emitted = set(re.findall(r'(?:name=|_count\(|else |name = )"([A-Z]\w+)"', code))
    ours = {
        one["Properties"]["MetricName"]
        for one in of_type("AWS::CloudWatch::Alarm").values()
        if one["Properties"]["Namespace"] == {"Sub": "namely-link/${AWS::StackName}"}
    }
    assert ours
    assert ours <= emitted & watched
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert all(f"`{name}`" in documented for name in emitted)


def test_a_sweep_that_stands_still_is_told() -> None:
    alarm = RESOURCES["OldestDueAlarm"]["Properties"]
    assert alarm["TreatMissingData"] == "breaching"
    # More than a sweep that is late: the longest time that one may take is not enough.
    longest = FUNCTIONS["SweepFunction"]["Properties"]["Timeout"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] > 2 * longest


def test_the_key_rotates() -> None:
    assert RESOURCES["Key"]["Properties"]["EnableKeyRotation"] is True


def test_no_body_and_no_event_is_ever_logged() -> None:
    for settings in RESOURCES["Api"]["Properties"]["MethodSettings"]:
        assert settings["DataTraceEnabled"] is False
    assert "LOG_EVENT" not in (ROOT / "template.yaml").read_text()
    access = RESOURCES["Api"]["Properties"]["AccessLogSetting"]["If"][1]["Format"]
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
        if event["Type"] == "Api"
    }
    catch_all = {resource for _, method, resource in routes if method == "ANY"}
    files = {
        (
            path.parent.name,
            "ANY" if event["resource"] in catch_all else event["httpMethod"],
            event["resource"],
        )
        for path in EVENTS
        for event in [json.loads(path.read_text())]
        if "httpMethod" in event
    }
    assert files == routes
    assert {path.parent.name for path in EVENTS} >= {
        name.removesuffix("Function").lower() for name in FUNCTIONS
    }
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "functions").glob("*.py"))
    unused = [
        path.stem
        for path in EVENTS
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

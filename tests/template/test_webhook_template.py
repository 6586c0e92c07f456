"""What the template says of the webhook: who may, how long it is tried, and that it is signed."""

import base64
import json
import re
import subprocess
import sys
import time
from typing import Any

import pytest

from deployment.template import Template
from namely_link.outgoing.webhook import SECONDS, Message, signatures
from templates import ROOT, TEMPLATE

DOCUMENT = (ROOT / "docs" / "events.md").read_text()
RESOURCES, PARAMETERS = TEMPLATE["Resources"], TEMPLATE["Parameters"]
QUEUE = RESOURCES["WebhookQueue"]["Properties"]
FUNCTION = RESOURCES["WebhookFunction"]["Properties"]
TIMEOUT = FUNCTION.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
DAY = 86400


@pytest.mark.parametrize("name", [one for one in RESOURCES if one.startswith("Webhook")])
def test_without_an_address_there_is_nothing_of_a_webhook(name: str) -> None:
    assert RESOURCES[name]["Condition"] == "Webhook"
    assert TEMPLATE["Conditions"]["Webhook"] == {"Not": [{"Equals": [{"Ref": "WebhookUrl"}, ""]}]}


@pytest.mark.parametrize(
    ("secret", "refused"), [("", True), ("unset", True), (f"whsec_{'A' * 32}", False)]
)
def test_make_deploy_tells_of_a_webhook_without_a_secret(secret: str, refused: bool) -> None:
    values = {"WebhookUrl": "https://h.example/", "WebhookSecret": secret}
    faults = Template.read(ROOT / "template.yaml").faults(values)
    assert ["WebhookUrl needs WebhookSecret" in one for one in faults] == [True] * refused


def test_a_webhook_without_a_secret_is_refused() -> None:
    rule = TEMPLATE["Rules"]["WebhookIsSigned"]
    assert rule["RuleCondition"] == {"Not": [{"Equals": [{"Ref": "WebhookUrl"}, ""]}]}
    (asserted,) = rule["Assertions"]
    # The second is what a stack of an earlier release without a webhook has, and keeps.
    missing = [{"Equals": [{"Ref": "WebhookSecret"}, one]} for one in ("", "unset")]
    assert asserted["Assert"] == {"Not": [{"Or": missing}]}
    assert PARAMETERS["WebhookSecret"]["Default"] == ""


SECRETS = ["WebhookSecret", "WebhookSecretBefore"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_echoed_nowhere(name: str) -> None:
    assert PARAMETERS[name]["NoEcho"] is True
    rest = json.dumps({key: one for key, one in RESOURCES.items() if key != "WebhookKeys"})
    assert f'"{name}"' not in rest
    assert f"${{{name}}}" not in rest


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("size", [24, 25, 26, 32, 63, 64])
def test_a_secret_is_base64_of_24_to_64_bytes(name: str, size: int) -> None:
    pattern, longest = PARAMETERS[name]["AllowedPattern"], PARAMETERS[name]["MaxLength"]
    secret = "whsec_" + base64.b64encode(b"\xff" * size).decode()
    assert re.fullmatch(pattern, secret)
    assert len(secret) <= longest
    assert re.fullmatch(pattern, "")


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "odd",
    [
        "whsec",
        base64.b64encode(b"x" * 24).decode(),
        *("whsec_" + base64.b64encode(b"x" * size).decode() for size in (0, 23, 67)),
        "whsec_" + "A" * 33,
        "whsec_" + '"' * 32,
        "whsec_" + "_" * 32,
        "whsec_" + "A" * 34 + "=",
    ],
)
def test_what_is_no_secret_is_refused(name: str, odd: str) -> None:
    assert not re.fullmatch(PARAMETERS[name]["AllowedPattern"], odd)


def test_an_upgrade_keeps_the_default_of_earlier_releases() -> None:
    # CloudFormation holds a value that it keeps to the new pattern.
    assert re.fullmatch(PARAMETERS["WebhookSecret"]["AllowedPattern"], "unset")
    assert not re.fullmatch(PARAMETERS["WebhookSecretBefore"]["AllowedPattern"], "unset")


def test_the_keys_are_the_two_secrets_in_the_form_that_is_read() -> None:
    text = RESOURCES["WebhookKeys"]["Properties"]["SecretString"]["Sub"]
    assert json.loads(text) == {"current": "${WebhookSecret}", "before": "${WebhookSecretBefore}"}
    # A name would stay taken after the stack, for as long as a deleted secret can be recovered.
    assert "Name" not in RESOURCES["WebhookKeys"]["Properties"]


@pytest.mark.parametrize(
    "url",
    ["https://h.example", "https://h.example:8443/", "https://h.example/a/b-%20?c=d&e='f'", ""],
)
def test_an_address_is_https(url: str) -> None:
    assert re.fullmatch(PARAMETERS["WebhookUrl"]["AllowedPattern"], url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://h.example", "https://", "h.example", "https://h.example/a b", "https:///a"),
        *("https://u:p@h.example/", "https://h.example/#f", "https://h.example/\u00e9"),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    assert not re.fullmatch(PARAMETERS["WebhookUrl"]["AllowedPattern"], url)


def test_only_what_the_stack_tells_is_sent() -> None:
    rule = RESOURCES["WebhookRule"]["Properties"]
    assert rule["EventBusName"] == {"Ref": "Bus"}
    assert rule["EventPattern"] == {"source": ["namely-link"]}
    assert [one["Arn"] for one in rule["Targets"]] == [{"GetAtt": "WebhookQueue.Arn"}]


def test_only_the_rule_may_put_events_into_the_queue() -> None:
    policy = RESOURCES["WebhookQueuePolicy"]["Properties"]
    assert policy["Queues"] == [{"Ref": "WebhookQueue"}]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": {"GetAtt": "WebhookQueue.Arn"},
            "Condition": {"ArnEquals": {"aws:SourceArn": {"GetAtt": "WebhookRule.Arn"}}},
        }
    ]


def test_a_receiver_that_is_down_for_a_day_loses_nothing() -> None:
    tries = QUEUE["RedrivePolicy"]["maxReceiveCount"]
    assert tries <= 1000
    assert DAY < QUEUE["VisibilityTimeout"] * tries < QUEUE["MessageRetentionPeriod"] / 2


def test_a_dead_letter_of_the_webhook_can_be_read_for_a_week() -> None:
    # A standard queue counts a message's days from when it was first sent.
    dead = RESOURCES["DeadLetters"]["Properties"]["MessageRetentionPeriod"]
    assert dead - QUEUE["MessageRetentionPeriod"] >= 7 * DAY


def test_an_event_stays_invisible_for_six_time_outs() -> None:
    assert QUEUE["VisibilityTimeout"] >= 6 * TIMEOUT


def test_all_of_a_batch_is_sent_within_the_functions_time() -> None:
    events = FUNCTION["Events"]["Queue"]["Properties"]
    assert events["BatchSize"] * SECONDS + 10 <= TIMEOUT
    assert events["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_age_of_what_waits_is_told_before_sqs_leaves_it_out() -> None:
    """SQS does so once a message was received three times: at once, and after two visibilities."""
    alarm = RESOURCES["WebhookLateAlarm"]["Properties"]
    visibility = QUEUE["VisibilityTimeout"]
    assert visibility < alarm["Threshold"] < 2 * visibility
    assert (alarm["Statistic"], alarm["EvaluationPeriods"]) == ("Maximum", 1)
    assert alarm["Dimensions"][0]["Value"] == {"GetAtt": "WebhookQueue.QueueName"}


def test_a_receiver_that_refuses_is_told_for_as_long_as_it_does() -> None:
    alarm = RESOURCES["WebhookFailsAlarm"]["Properties"]
    # At least one attempt fails in each period.
    assert alarm["Period"] > QUEUE["VisibilityTimeout"]
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "webhook"}]


def test_the_documents_way_to_make_a_secret_makes_one() -> None:
    (made,) = re.findall(r"(?m)^python3 -c '(.+)'$", DOCUMENT)
    secret = subprocess.run(
        [sys.executable, "-c", made], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert re.fullmatch(PARAMETERS["WebhookSecret"]["AllowedPattern"], secret)
    assert secret


def test_the_documents_receiver_verifies_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(import os\n.+?)```", DOCUMENT, re.DOTALL)
    receiver: dict[str, Any] = {}
    exec(example, receiver)  # noqa: S102 - the document's own lines
    key, at, sent = b"k" * 24, int(time.time()), Message("evt_1", b'{"type": "Account Linked"}')
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_" + base64.b64encode(key).decode())
    headers = {"webhook-id": sent.id, "webhook-timestamp": str(at)}
    headers["webhook-signature"] = signatures(sent, at=at, keys=[key])
    assert receiver["received"](sent.body, headers) == {"type": "Account Linked"}

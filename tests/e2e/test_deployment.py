"""The deployed system over HTTP, as its users meet it."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from standardwebhooks import Webhook

from deployment.target import session
from local.stack import RECHECK_SECONDS, STACK
from simulator.catalogue import credentials


def aws(stack, service: str):
    return session(stack.environ).client(service, endpoint_url=stack.aws_endpoint)


def link(stack, name: str, owner: str, **changes: object):
    known = stack.simulator.credential(name)
    body = {"subdomain": known.subdomain, "token": known.token}
    body |= {"owner_id": owner, "owner_name": "Owner"} | changes
    return stack.call("POST", "/v1/accounts", body)


def test_every_simulator_credential_gives_what_it_promises(stack) -> None:
    def outcome(one) -> tuple[str, str, dict]:
        status, document = link(stack, one.name, f"all-{one.name}")
        return one.name, "linked" if status in {200, 201} else document["code"], document

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(outcome, credentials()))
    assert {name: got for name, got, _ in found} == {one.name: one.expect for one in credentials()}

    linked = {name: document for name, got, document in found if got == "linked"}
    secrets = aws(stack, "secretsmanager")
    for name, account in linked.items():
        value = secrets.get_secret_value(
            SecretId=account["secret"]["arn"], VersionId=account["secret"]["version_id"]
        )
        token = stack.simulator.credential(name).token
        assert json.loads(value["SecretString"])["token"] == token

    pages = secrets.get_paginator("list_secrets").paginate()
    listed = {one["Name"].rpartition("/")[2] for page in pages for one in page["SecretList"]}
    ours = {account["id"] for account in linked.values()}
    rows = aws(stack, "dynamodb").scan(TableName=stack.table)["Items"]
    owners = {row["owner_id"]["S"] for row in rows if "owner_id" in row}
    assert ours <= listed
    assert {owner for owner in owners if owner.startswith("all-")} == {
        f"all-{name}" for name in linked
    }
    text = json.dumps(rows)
    assert not [one.name for one in credentials() if one.token in text]


def test_an_account_lives_from_link_to_unlink(stack) -> None:
    status, made = link(stack, "acme", "life")
    assert (status, made["status"]) == (201, "active")
    status, again = link(stack, "acme-second-token", "life")
    assert (status, again["id"]) == (200, made["id"])
    assert again["secret"]["version_id"] != made["secret"]["version_id"]
    secret = aws(stack, "secretsmanager").describe_secret(SecretId=again["secret"]["arn"])
    stages = secret["VersionIdsToStages"]
    assert stages[again["secret"]["version_id"]] == ["AWSCURRENT"]
    assert stages[made["secret"]["version_id"]] == ["AWSPREVIOUS"]
    assert stack.call("GET", "/v1/accounts?owner_id=life")[1]["accounts"] == [again]
    assert stack.call("GET", f"/v1/accounts/{made['id']}") == (200, again)
    status, gone = stack.call("DELETE", f"/v1/accounts/{made['id']}")
    assert (status, gone["status"]) == (200, "unlinked")
    described = aws(stack, "secretsmanager").describe_secret(SecretId=made["secret"]["arn"])
    assert "DeletedDate" in described
    actions = [
        entry["action"]
        for entry in stack.call("GET", f"/v1/accounts/{made['id']}/ledger")[1]["entries"]
    ]
    assert actions == ["deletion_scheduled", "unlinked", "relinked", "linked"]
    assert gone["deletion"]["final_at"]


def test_a_person_with_a_session_links_once(stack) -> None:
    made = stack.call(
        "POST", "/v1/connect-sessions", {"owner_id": "person", "owner_name": "Person Ltd"}
    )[1]
    assert made["url"] == f"{stack.api}/hub#{made['token']}"
    shown = stack.call("GET", "/v1/connect-sessions/current", bearer=made["token"])
    assert (shown[0], shown[1]["owner"]["name"]) == (200, "Person Ltd")
    known = stack.simulator.credential("acme")
    body = {"subdomain": "https://acme.namely.com/people", "token": f" Bearer {known.token}\n"}
    first = stack.call("POST", "/v1/accounts", body, bearer=made["token"])
    assert (first[0], first[1]["status"]) == (201, "active")
    assert stack.call("POST", "/v1/accounts", body, bearer=made["token"]) == first
    status, problem = stack.call(
        "POST", "/v1/accounts", body | {"token": "other"}, bearer=made["token"]
    )
    assert (status, problem["code"]) == (410, "session_used")


def test_the_deployment_describes_itself(stack) -> None:
    status, document = stack.call("GET", "/v1/openapi.json")
    assert (status, document["servers"][0]["url"]) == (200, stack.api)


def test_two_links_of_one_pair_at_once_make_one_account(stack) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: link(stack, "acme", "race"), range(4)))
    assert {status for status, _ in answers} <= {200, 201, 409}
    assert len({answer["id"] for status, answer in answers if status < 300}) == 1
    assert len(stack.call("GET", "/v1/accounts?owner_id=race")[1]["accounts"]) == 1


@pytest.mark.parametrize(
    ("role", "refused"),
    [*((f"{one}Role", True) for one in ("Link", "Pages", "Api", "Webhook")), (None, False)],
)
def test_no_role_but_that_of_checks_may_read_a_token(
    stack, role: str | None, refused: bool
) -> None:
    account = link(stack, "small-company", "iam")[1]
    environ = dict(stack.environ)
    if role:
        described = aws(stack, "cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=role
        )
        name = described["StackResourceDetail"]["PhysicalResourceId"]
        arn = aws(stack, "iam").get_role(RoleName=name)["Role"]["Arn"]
        keys = aws(stack, "sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        environ |= {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
    client = session(environ).client("secretsmanager", endpoint_url=stack.aws_endpoint)

    def read() -> object:
        return client.get_secret_value(SecretId=account["secret"]["arn"])["SecretString"]

    if refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            read()
    else:
        assert read()


def test_no_token_is_in_any_log_of_the_functions(stack) -> None:
    link(stack, "refused-401-json", "logs")
    logs = aws(stack, "logs")
    text = stack.logs.joinpath("emulator.log").read_text()
    groups = logs.describe_log_groups()["logGroups"]
    for group in groups:
        for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
            text += event["message"]
    assert '"code":"token_refused"' in text
    assert not [one.name for one in credentials() if one.token in text]


class Bus:
    """What the stack's own bus delivers, over a queue that listens to it."""

    def __init__(self, stack) -> None:
        self.sqs, events = aws(stack, "sqs"), aws(stack, "events")
        self.url = self.sqs.create_queue(QueueName="listener")["QueueUrl"]
        asked = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        events.put_rule(
            Name="listener", EventBusName=STACK, EventPattern='{"source": ["namely-link"]}'
        )
        target = {"Id": "listener", "Arn": asked["Attributes"]["QueueArn"]}
        events.put_targets(Rule="listener", EventBusName=STACK, Targets=[target])
        self.events = events

    def wait_for(self, kind: str, owner: str, *, seconds: float = 90) -> dict:
        """Return the detail of the next event of a kind about an owner's account."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in got.get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                if event["detail-type"] == kind:
                    detail = event["detail"]
                    if detail["account"]["owner"]["id"] == owner:
                        return detail
        msg = f"no {kind} of {owner}"
        raise AssertionError(msg)

    def put(self, kind: str, detail: dict) -> None:
        entry = {"EventBusName": STACK, "Source": "crm", "DetailType": kind}
        self.events.put_events(Entries=[entry | {"Detail": json.dumps(detail)}])


@pytest.fixture(scope="module")
def bus(stack) -> Bus:
    return Bus(stack)


def test_the_webhook_gets_what_is_on_the_bus_signed(stack, webhook) -> None:
    before = len(webhook.got)
    account = link(stack, "small-company", "webhook")[1]
    end = time.monotonic() + 60
    found: list[dict] = []
    while not found and time.monotonic() < end:
        time.sleep(0.2)
        got = webhook.got[before:]  # what came long ago is refused
        known = [Webhook(webhook.secret).verify(one.body, one.headers) for one in got]
        found = [one for one in known if one["data"]["account"]["id"] == account["id"]]
    assert [one["type"] for one in found] == ["Account Linked"]
    assert found[0]["data"]["account"] == account


def test_a_revoked_token_fails_and_recovers_on_the_bus(stack, bus: Bus) -> None:
    account = link(stack, "narrow-role", "health")[1]
    assert bus.wait_for("Account Linked", "health")["account"]["id"] == account["id"]
    stack.simulator.revoke("narrow-role")
    try:
        for _ in range(2):
            stack.call("POST", f"/v1/accounts/{account['id']}/check")
            time.sleep(RECHECK_SECONDS + 1)  # sooner, a second refusal confirms nothing
        failed = bus.wait_for("Account Failed", "health", seconds=150)
    finally:
        stack.simulator.restore("narrow-role")
    assert (failed["previous_status"], failed["account"]["status"]) == ("active", "error")
    assert stack.call("GET", f"/v1/accounts/{account['id']}")[1]["status"] == "error"
    stack.call("POST", f"/v1/accounts/{account['id']}/check")
    assert bus.wait_for("Account Recovered", "health")["account"]["status"] == "active"


def test_an_event_with_a_sealed_token_links_an_account(stack, bus: Bus) -> None:
    known = stack.simulator.credential("small-company")
    bound = {"owner_id": "sealed", "subdomain": known.subdomain, "request_id": "once"}
    bound |= {"expires_at": "2100-01-01T00:00:00Z"}
    detail = bound | {"owner_name": "Sealed Ltd"}
    bus.put("Link Requested", detail | {"token": known.token, "request_id": "plain"})
    assert bus.wait_for("Link Rejected", "sealed")["code"] == "invalid_request"
    key = aws(stack, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    arn = next(one["OutputValue"] for one in key if one["OutputKey"] == "KeyArn")
    sealed = aws(stack, "kms").encrypt(
        KeyId=arn,
        Plaintext=known.token.encode(),
        EncryptionContext=bound,
    )["CiphertextBlob"]
    bus.put("Link Requested", detail | {"sealed_token": base64.b64encode(sealed).decode()})
    account = bus.wait_for("Account Linked", "sealed")["account"]
    assert account["status"] == "active"
    bus.put("Unlink Requested", {"account_id": account["id"]})
    assert bus.wait_for("Account Unlinked", "sealed")["account"]["status"] == "unlinked"


def test_a_link_is_parked_while_namely_is_down_and_finishes_by_itself(stack, bus: Bus) -> None:
    made = stack.call("POST", "/v1/connect-sessions", {"owner_id": "parked", "owner_name": "P"})[1]
    known = stack.simulator.credential("only-self")
    body = {"subdomain": known.subdomain, "token": known.token}
    stack.simulator.outage(True)
    try:
        status, account = stack.call("POST", "/v1/accounts", body, bearer=made["token"])
        assert (status, account["status"]) == (202, "pending")
        bus.wait_for("Link Parked", "parked")
    finally:
        stack.simulator.outage(False)
    assert bus.wait_for("Account Linked", "parked", seconds=150)["account"]["status"] == "active"

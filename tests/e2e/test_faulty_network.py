"""A part of the fault matrix on the emulator: a proxy between `link` and AWS throttles and cuts."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3

from deployment.target import session
from local.processes import child, free_port, wait_for
from local.stack import STACK

THROTTLED = {"error": {"code": "ThrottlingException"}}
LOST = {"response": {"abort_frac": 0.1}}
"""The effect takes place, and the connection is cut within the answer."""
CUT = {"reset": True}


def aws(stack, service: str):
    return session(stack.environ).client(service, endpoint_url=stack.aws_endpoint)


@pytest.fixture(scope="module")
def proxy(stack, tmp_path_factory: pytest.TempPathFactory):
    """Lead what `link` asks of DynamoDB and Secrets Manager through a proxy with rules."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("proxy") / "log"
    command = [str(Path(sys.executable).parent / "microburst"), "--host", "127.0.0.1"]
    # The signature names the host, so the proxy signs anew; what roles may do, others test.
    command += ["--port", str(port), "--upstream", stack.aws_endpoint, "--resign"]
    functions = aws(stack, "lambda")
    described = aws(stack, "cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="LinkFunction"
    )
    name = described["StackResourceDetail"]["PhysicalResourceId"]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]
    led = {f"AWS_ENDPOINT_URL_{service}": address for service in ("DYNAMODB", "SECRETS_MANAGER")}
    # A slow machine is not to look like an outage of Namely, which would park the link.
    led["NAMELY_DEADLINE_SECONDS"] = "20"

    def put(rules: list[dict[str, Any]]) -> None:
        answer = urllib3.request("POST", f"{address}/_microburst/rules", json=rules, timeout=5)
        assert answer.status == 200, answer.data

    def fired() -> list[str]:
        answer = urllib3.request("GET", f"{address}/_microburst/fired", timeout=5)
        return [one["operation"] for one in answer.json()]

    with child(command, environ=stack.environ, log=log) as process:
        wait_for(f"{address}/_microburst/health", process, log=log)
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": before["Variables"] | led}
        )
        try:
            yield put, fired
        finally:
            functions.update_function_configuration(FunctionName=name, Environment=before)


@pytest.mark.parametrize("times", [1, 3], ids=["once", "until botocore gives up"])
@pytest.mark.parametrize("fault", [THROTTLED, CUT, LOST], ids=["throttled", "cut", "lost"])
@pytest.mark.parametrize(
    "call",
    [
        {"service": "dynamodb", "operation": "UpdateItem"},
        {"service": "secretsmanager", "operation": "CreateSecret"},
        # The commit: the pending row and its pair are two items.
        {
            "service": "dynamodb",
            "operation": "TransactWriteItems",
            "body": "length(TransactItems) > `2`",
        },
    ],
    ids=lambda call: call["operation"],
)
def test_whatever_the_network_does_a_person_who_asks_again_has_one_account(
    stack, proxy, call: dict[str, str], fault: dict[str, Any], times: int
) -> None:
    put, fired = proxy
    operation = call["operation"]
    owner = f"faults-{operation}-{'-'.join(fault)}-{times}"
    made = stack.call("POST", "/v1/connect-sessions", {"owner_id": owner, "owner_name": "F"})[1]
    known = stack.simulator.credential("acme")
    body = {"subdomain": known.subdomain, "token": known.token}
    put([{"times": times} | call | fault])
    already = len(fired())
    answers = []
    for _ in range(4):
        answers.append(stack.call("POST", "/v1/accounts", body, bearer=made["token"]))
        if answers[-1][0] < 300:
            break
    assert fired()[already:].count(operation) == times
    assert [status for status, _ in answers[:-1] if status not in {409, 503}] == []
    status, linked = answers[-1]
    assert (status, linked["status"]) == (201, "active")
    (account,) = stack.call("GET", f"/v1/accounts?owner_id={owner}")[1]["accounts"]
    assert account["id"] == linked["id"]
    value = aws(stack, "secretsmanager").get_secret_value(
        SecretId=account["secret"]["arn"], VersionId=account["secret"]["version_id"]
    )
    assert json.loads(value["SecretString"])["token"] == known.token

"""The API behind a domain of one's own, the outputs that say where it is, and the role for its logs.

The emulator leaves out what API Gateway does here: a base path in the events, the method ANY, answers
of the gateway's own. `tests/functions` has events as API Gateway sends them, `tests/template` the rest.
"""

import re

import urllib3

from conftest import PARAMETERS
from local.stack import STACK
from local.target import session


def on_domain(stack, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
    url = f"{stack.aws_endpoint}/{PARAMETERS['BasePath']}{path}"
    named = {"Host": PARAMETERS["DomainName"]} | headers
    return urllib3.request("GET", url, headers=named, timeout=60, retries=False)


def test_a_domain_of_ones_own_serves_the_pages_and_their_files(stack) -> None:
    for page in ("hub", "accounts"):
        answer = on_domain(stack, f"/{page}")
        assert answer.status == 200
        for name in re.findall(r'="(assets/[^"]+\.css)"', answer.data.decode()):
            assert on_domain(stack, f"/{name}").status == 200


def test_a_domain_of_ones_own_serves_the_api(stack) -> None:
    assert on_domain(stack, "/v1/health").json()["status"] == "ok"
    listed = on_domain(stack, "/v1/accounts?limit=1", Authorization=f"Bearer {stack.api_key}")
    assert listed.status == 200


def test_the_outputs_say_where_the_api_is(stack) -> None:
    client = session(stack.environ).client("cloudformation", endpoint_url=stack.aws_endpoint)
    described = client.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described}
    assert outputs["ApiUrl"] == stack.api
    assert outputs["HubUrl"] == f"{stack.api}/hub"
    assert outputs["AccountsUrl"] == f"{stack.api}/accounts"
    assert outputs["DomainTarget"]
    assert outputs["DomainHostedZoneId"]


def test_the_account_has_the_role_that_writes_access_logs(stack) -> None:
    client = session(stack.environ).client("apigateway", endpoint_url=stack.aws_endpoint)
    assert "GatewayRole" in client.get_account()["cloudwatchRoleArn"]

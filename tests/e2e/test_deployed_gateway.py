"""The API behind a domain of one's own, the outputs that say where it is, and its logs' role.

The emulator leaves out what API Gateway does here: a base path in the events, the method ANY, and
answers of the gateway's own. `tests/functions` has the events, `tests/template` the rest.
"""

import re
from typing import Any

import pytest
import urllib3

from deployment.target import session
from local.stack import STACK


def described(stack) -> dict[str, Any]:
    client = session(stack.environ).client("cloudformation", endpoint_url=stack.aws_endpoint)
    return client.describe_stacks(StackName=STACK)["Stacks"][0]


@pytest.fixture
def on_domain(stack):
    """Ask for a path behind the domain that the tests' deployment has."""
    chosen = {one["ParameterKey"]: one["ParameterValue"] for one in described(stack)["Parameters"]}

    def ask(path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        url = f"{stack.aws_endpoint}/{chosen['BasePath']}{path}"
        named = {"Host": chosen["DomainName"]} | headers
        return urllib3.request("GET", url, headers=named, timeout=60, retries=False)

    return ask


def test_a_domain_of_ones_own_serves_the_pages_and_their_files(on_domain) -> None:
    for page in ("hub", "accounts"):
        answer = on_domain(f"/{page}")
        assert answer.status == 200
        for name in re.findall(r'="(assets/[^"]+\.css)"', answer.data.decode()):
            assert on_domain(f"/{name}").status == 200


def test_a_domain_of_ones_own_serves_the_api(stack, on_domain) -> None:
    assert on_domain("/v1/health").json()["status"] == "ok"
    listed = on_domain("/v1/accounts?limit=1", Authorization=f"Bearer {stack.api_key}")
    assert listed.status == 200


def test_the_outputs_say_where_the_api_is(stack) -> None:
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described(stack)["Outputs"]}
    assert outputs["ApiUrl"] == stack.api
    assert outputs["HubUrl"] == f"{stack.api}/hub"
    assert outputs["AccountsUrl"] == f"{stack.api}/accounts"
    assert outputs["DomainTarget"]
    assert outputs["DomainHostedZoneId"]


def test_the_account_has_the_role_that_writes_access_logs(stack) -> None:
    client = session(stack.environ).client("apigateway", endpoint_url=stack.aws_endpoint)
    assert "GatewayRole" in client.get_account()["cloudwatchRoleArn"]

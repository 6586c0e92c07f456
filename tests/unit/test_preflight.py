"""`make preflight` over doubles of AWS: what is in the way is told, with what to do."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from deployment import preflight
from deployment.preflight import Preflight, Question
from deployment.report import Row, State, failed, table

ROLE = "arn:aws:iam::123456789012:role/service/logs"
OUT_OF_REACH = EndpointConnectionError(endpoint_url="https://example")


def error(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


DENIED = error("AccessDeniedException")
NEW = error("ValidationError", "Stack with id link does not exist")


class Account:
    """An account in which nothing is in the way, until a test changes it."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {
            "get_caller_identity": {"Arn": "arn:aws:iam::123456789012:user/ada", "Account": "123"},
            "describe_stacks": NEW,
            "get_account": {},
            "get_role": {},
            "get_account_settings": self.concurrency(1000, 1000),
            "list_service_quotas": [{"Quotas": [{"QuotaName": "Secrets", "Value": 500000.0}]}],
            "get_metric_statistics": {"Datapoints": []},
            "list_secrets": [{"SecretList": [{}] * 3}],
        }
        self.size = (85, 60_000)
        self.accounts = 1000

    @staticmethod
    def concurrency(limit: int, free: int) -> dict[str, Any]:
        return {
            "AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": free}
        }

    def stack(self, status: str) -> None:
        said = {"StackStatus": status}
        said |= {"Parameters": [{"ParameterKey": "Stage", "ParameterValue": "sandbox"}]}
        self.said["describe_stacks"] = {"Stacks": [said]}

    def client(self, _service: str) -> Any:
        account = self

        class Client:
            def __getattr__(self, name: str) -> Callable[..., Any]:
                def call(**_: Any) -> Any:
                    said = account.said[name]
                    if isinstance(said, Exception):
                        raise said
                    return said

                return call

            def get_paginator(self, name: str) -> Any:
                return SimpleNamespace(paginate=getattr(self, name))

        return Client()

    def look(self) -> Preflight:
        return Question(
            stack="link",
            region="eu-central-1",
            region_from="AWS_REGION",
            accounts=self.accounts,
            template=SimpleNamespace(transformed=lambda _: self.size),
            client=self.client,
            regions=frozenset({"eu-central-1"}),
        ).answer()

    def row(self, name: str) -> Row:
        return next(one for one in self.look().rows if one.name == name)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    # pip takes its time
    monkeypatch.setattr(preflight, "_python", lambda: Row("python3.13", State.OK, "there"))
    return Account()


def test_an_account_with_nothing_in_the_way_has_no_warning(account: Account) -> None:
    found = account.look()
    assert {one.state for one in found.rows} == {State.OK}, table(found.rows)
    assert not failed(found.rows)
    assert (found.account, found.caller) == ("123", "arn:aws:iam::123456789012:user/ada")


@pytest.mark.parametrize("fault", [NoCredentialsError(), error("ExpiredToken")])
def test_without_credentials_nothing_else_is_asked(account: Account, fault: Exception) -> None:
    account.said = {"get_caller_identity": fault}
    rows = account.look().rows
    assert [one.name for one in rows if one.state is State.FAIL] == ["credentials"]
    assert "AWS_PROFILE" in rows[0].advice


@pytest.mark.parametrize(
    ("status", "state", "advice"),
    [
        ("CREATE_COMPLETE", State.OK, ""),
        ("UPDATE_COMPLETE", State.OK, ""),
        ("UPDATE_ROLLBACK_COMPLETE", State.OK, ""),
        ("REVIEW_IN_PROGRESS", State.OK, ""),
        ("ROLLBACK_COMPLETE", State.FAIL, "delete-stack --stack-name link --region eu-central-1"),
        ("CREATE_FAILED", State.FAIL, "delete-stack"),
        ("ROLLBACK_FAILED", State.FAIL, "delete-stack"),
        ("DELETE_FAILED", State.FAIL, "delete-stack"),
        ("UPDATE_ROLLBACK_FAILED", State.FAIL, "continue-update-rollback"),
        ("CREATE_IN_PROGRESS", State.FAIL, "wait"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", State.FAIL, "wait"),
    ],
)
def test_a_stack_that_cant_be_updated_is_in_the_way(
    account: Account, status: str, state: State, advice: str
) -> None:
    account.stack(status)
    found = account.row("stack")
    assert (found.state, advice in found.advice) == (state, True)


def test_the_parameters_of_a_stack_are_known(account: Account) -> None:
    assert account.look().existing is None
    account.stack("CREATE_COMPLETE")
    existing = account.look().existing
    assert existing
    assert existing.values == {"Stage": "sandbox"}
    account.stack("REVIEW_IN_PROGRESS")
    assert account.look().existing is None


@pytest.mark.parametrize(
    ("said", "role", "wanted", "state"),
    [
        ({}, {}, "create", State.OK),
        ({"cloudwatchRoleArn": ROLE}, {}, "existing", State.OK),
        ({"cloudwatchRoleArn": ROLE}, error("NoSuchEntity"), "create", State.OK),
        ({"cloudwatchRoleArn": ROLE}, error("AccessDenied"), "existing", State.OK),
        ({"cloudwatchRoleArn": ROLE}, OUT_OF_REACH, "existing", State.OK),
        (DENIED, {}, "none", State.UNKNOWN),
        (OUT_OF_REACH, {}, "none", State.UNKNOWN),
    ],
)
def test_the_role_of_api_gateway_decides_for_a_new_stack(
    account: Account, said: object, role: object, wanted: str, state: State
) -> None:
    account.said |= {"get_account": said, "get_role": role}
    assert account.look().log_role == wanted
    row = account.row("API Gateway's logs")
    assert (row.state, f"GatewayLogRole={wanted}" in row.found + row.advice) == (state, True)


@pytest.mark.parametrize(
    ("limit", "free", "state"),
    [(1000, 1000, State.OK), (10, 10, State.WARN), (1000, 50, State.WARN)],
)
def test_few_functions_at_once_are_warned_of(
    account: Account, limit: int, free: int, state: State
) -> None:
    account.said["get_account_settings"] = account.concurrency(limit, free)
    row = account.row("functions at once")
    assert (row.state, "L-B99A9384" in row.advice) == (state, state is State.WARN)


@pytest.mark.parametrize(
    ("there", "planned", "state"),
    [
        (3, 1000, State.OK),
        (399_000, 1000, State.OK),
        (399_001, 1000, State.WARN),
        (499_000, 1000, State.WARN),
        (499_001, 1000, State.FAIL),
        (3, 600_000, State.FAIL),
    ],
)
def test_the_quota_of_secrets_is_held_against_what_is_there_and_planned(
    account: Account, there: int, planned: int, state: State
) -> None:
    then = datetime(2026, 11, 25, tzinfo=UTC)
    account.said["get_metric_statistics"] = {
        "Datapoints": [
            {"Timestamp": then, "Maximum": float(there)},
            {"Timestamp": then.replace(year=2025), "Maximum": 1.0},
        ]
    }
    account.accounts = planned
    row = account.row("secrets")
    assert (row.state, f"{there:,} in this region" in row.found) == (state, True)


def test_secrets_are_counted_where_no_metric_may_be_read(account: Account) -> None:
    account.said |= {"get_metric_statistics": DENIED, "list_service_quotas": DENIED}
    assert account.row("secrets").found.startswith("3 in this region and 1,000 planned")
    account.said["list_secrets"] = [{"SecretList": [{}] * 100}] * 20
    assert account.row("secrets").found.startswith("2,000 or more in this region")


def test_a_quota_that_aws_has_changed_is_the_one_that_counts(account: Account) -> None:
    quotas = [{"QuotaName": "Other", "Value": 1.0}, {"QuotaName": "Secrets", "Value": 1002.0}]
    account.said["list_service_quotas"] = [{"Quotas": quotas}]
    assert account.row("secrets").state is State.FAIL


@pytest.mark.parametrize(
    ("call", "name", "permission"),
    [
        ("describe_stacks", "stack", "cloudformation:DescribeStacks"),
        ("get_account", "API Gateway's logs", "apigateway:GET"),
        ("get_account_settings", "functions at once", "lambda:GetAccountSettings"),
        ("list_secrets", "secrets", "secretsmanager:ListSecrets"),
    ],
)
@pytest.mark.parametrize("fault", [DENIED, error("ThrottlingException"), OUT_OF_REACH])
def test_what_may_not_be_asked_is_unknown_and_names_the_permission(
    account: Account, call: str, name: str, permission: str, fault: Exception
) -> None:
    account.said[call] = fault
    found = account.look()
    row = next(one for one in found.rows if one.name == name)
    assert (row.state, permission in row.found + row.advice) == (State.UNKNOWN, True)
    assert not failed(found.rows)


@pytest.mark.parametrize("size", [(501, 60_000), (85, 1_000_001)])
def test_a_template_that_is_too_large_is_in_the_way(
    account: Account, size: tuple[int, int]
) -> None:
    account.size = size
    assert account.row("template").state is State.FAIL


def test_a_template_that_a_call_takes_needs_no_bucket(account: Account) -> None:
    assert "S3" in account.row("template").found
    account.size = (85, 51_200)
    assert "S3" not in account.row("template").found


def test_a_region_that_nobody_knows_is_warned_of(account: Account) -> None:
    question = Question(
        stack="link",
        region="eu-cntral-1",
        region_from="REGION",
        accounts=1,
        template=SimpleNamespace(transformed=lambda _: (1, 1)),
        client=account.client,
        regions=frozenset({"eu-central-1"}),
    )
    assert next(one for one in question.answer().rows if one.name == "region").state is State.WARN


@pytest.mark.parametrize(
    ("script", "state", "found"),
    [
        ("exit 0", State.OK, "with pip"),
        ("exit 1", State.FAIL, "without pip"),
        (None, State.FAIL, "not on the PATH"),
    ],
)
def test_the_python_that_sam_builds_with_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path, script: str | None, state: State, found: str
) -> None:
    if script:
        file = tmp_path / "python3.13"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    row = preflight._python()
    assert (row.state, found in row.found) == (state, True)


def test_a_table_counts_its_states_and_says_what_to_do() -> None:
    said = table([Row("one", State.OK, "fine"), Row("three", State.FAIL, "bad", "Mend it.")])
    assert said.splitlines() == [
        "  ok       one    fine",
        "  FAIL     three  bad",
        "           → Mend it.",
        "",
        "  1 ok, 1 FAIL",
    ]

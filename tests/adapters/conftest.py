"""AWS in process, by moto."""

import boto3
import pytest
from moto import mock_aws

from namely_link.aws.registry import DynamoDbRegistry
from namely_link.aws.vault import SecretsManagerVault
from templates import create_table
from world import World


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        made = boto3.client("dynamodb", region_name="eu-central-1")
        create_table(made, "table")
        yield made


@pytest.fixture
def world(table) -> World:
    secrets = boto3.client("secretsmanager", region_name="eu-central-1")
    return World(
        registry=DynamoDbRegistry(client=table, table="table"),
        vault=SecretsManagerVault(client=secrets, prefix="s/namely/", key_arn="alias/aws/test"),
        secrets=secrets,
    )

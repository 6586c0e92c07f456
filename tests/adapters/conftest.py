"""AWS in process, by moto, with the table of the template."""

import boto3
import pytest
from moto import mock_aws

from namely_link.aws.table import Table
from templates import create_table

REGION = "eu-central-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch):
    """Let every client be moto's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws):
    """Return a client of DynamoDB, where the table is."""
    made = boto3.client("dynamodb", region_name=REGION)
    create_table(made, "table")
    return made


@pytest.fixture
def table(dynamodb) -> Table:
    """Return the stack's table."""
    return Table(client=dynamodb, name="table")

"""AWS in process, by moto, with the table of the template."""

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from namely_link.aws.table import Table
from templates import create_table

SESSION = boto3.Session("testing", "testing", region_name="eu-central-1")
"""One for all tests: it keeps the descriptions of the services."""
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
"""A fault is one, and no test waits for another try of botocore's."""


@pytest.fixture
def aws():
    """Return what makes clients, which are all moto's."""
    with mock_aws():
        yield lambda service: SESSION.client(service, config=ONCE)


@pytest.fixture
def dynamodb(aws):
    """Return a client of DynamoDB, where the table is."""
    made = aws("dynamodb")
    create_table(made, "table")
    return made


@pytest.fixture
def table(dynamodb) -> Table:
    """Return the stack's table."""
    return Table(client=dynamodb, name="table")

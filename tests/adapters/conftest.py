"""AWS in process, by moto, with the table of the template."""

import pytest
from moto import mock_aws

from namely_link.aws.table import Table
from samples import ONCE, SESSION
from templates import create_table


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

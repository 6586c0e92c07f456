"""What is kept of calls that may still take effect, and what is not done once a lease is over."""

from datetime import UTC, datetime

import boto3
import pytest

from namely_link.aws.accounts import AccountTable
from namely_link.aws.vault import CANDIDATE, SecretsManagerVault
from namely_link.domain.account import Account, Status, Unsettled
from namely_link.domain.credentials import parse_credential
from namely_link.domain.lifecycle import begun
from namely_link.domain.problems import StorageError
from namely_link.domain.values import Owner, timestamp

AT = timestamp(datetime(2026, 11, 24, 12, 0, tzinfo=UTC))
CREDENTIAL = parse_credential("acme", "t" * 64)


def test_the_names_of_strays_are_read_as_they_were_written(table) -> None:
    accounts = AccountTable(table=table)
    account = Account(
        id="acc_1",
        owner=Owner("o1", "Owner One"),
        subdomain="acme",
        status=Status.ACTIVE,
        secret_name="s",
        created_at=AT,
        unsettled=Unsettled(AT, AT, strays=("s-1", "s-2")),
    )
    assert accounts.read("acc_1") is None
    assert accounts.commit(begun(account)) == accounts.read("acc_1")


def test_once_the_lease_is_over_a_secret_is_left_as_it_is(aws) -> None:
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    vault = SecretsManagerVault(
        client=client, prefix="s/", key_arn="alias/aws/test", now=lambda: datetime.now(UTC)
    )
    one, other = "1" * 32, "2" * 32
    version = vault.create(name="s/1", credential=CREDENTIAL, attempt_id=one, tags={})
    vault.put_candidate(name="s/1", credential=CREDENTIAL, attempt_id=other)
    with pytest.raises(StorageError, match="too late"):
        vault.settle(version, held=lambda: False)
    stages = client.describe_secret(SecretId="s/1")["VersionIdsToStages"]
    assert stages == {one: ["AWSCURRENT"], other: [CANDIDATE + other]}
    vault.settle(version, held=lambda: True)
    stages = client.describe_secret(SecretId="s/1")["VersionIdsToStages"]
    assert CANDIDATE + other not in stages.get(other, [])

"""The vault against moto, which is right about ClientRequestToken."""

import json
import traceback
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from namely_link.aws.vault import CANDIDATE, SecretsManagerVault
from namely_link.domain.account import Credential, SecretVersion
from namely_link.domain.credentials import parse_credential
from namely_link.domain.problems import StorageError

OLD = parse_credential("acme", "o" * 64)
NEW = parse_credential("acme", "n" * 64)
NAME = "stack/namely/acc_1"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-central-1")


@pytest.fixture
def vault(client) -> SecretsManagerVault:
    return SecretsManagerVault(client=client, prefix="stack/namely/", key_arn="alias/aws/test")


def create(vault: SecretsManagerVault, credential: Credential = OLD, attempt: str = ""):
    return vault.create(
        name=NAME, credential=credential, attempt_id=attempt or str(uuid4()), tags={"owner": "o1"}
    )


def test_the_name_is_the_accounts_own(vault: SecretsManagerVault) -> None:
    assert vault.name("acc_1") == NAME


def test_a_new_secret_holds_the_token_under_the_attempts_id(client, vault) -> None:
    attempt = str(uuid4())
    version = create(vault, attempt=attempt)
    assert version.version_id == attempt
    stored = client.get_secret_value(SecretId=version.arn, VersionId=attempt)
    assert json.loads(stored["SecretString"]) == {
        "subdomain": "acme",
        "token": "o" * 64,
        "base_url": "https://acme.namely.com",
    }
    described = client.describe_secret(SecretId=NAME)
    assert described["Tags"] == [{"Key": "owner", "Value": "o1"}]
    assert described["KmsKeyId"] == "alias/aws/test"


def test_a_secret_that_an_earlier_attempt_left_gets_a_candidate(client, vault) -> None:
    old = create(vault)
    new = create(vault, NEW)
    assert new.arn == old.arn
    stages = client.describe_secret(SecretId=NAME)["VersionIdsToStages"]
    assert stages == {old.version_id: ["AWSCURRENT"], new.version_id: [CANDIDATE + new.version_id]}


def test_the_old_token_serves_until_the_candidate_is_promoted(client, vault) -> None:
    old = create(vault)
    new = vault.put_candidate(name=NAME, credential=NEW, attempt_id=str(uuid4()))
    assert client.describe_secret(SecretId=NAME)["VersionIdsToStages"] == {
        old.version_id: ["AWSCURRENT"],
        new.version_id: [CANDIDATE + new.version_id],
    }
    vault.promote(new, previous=old)
    stages = client.describe_secret(SecretId=NAME)["VersionIdsToStages"]
    assert stages[new.version_id] == ["AWSCURRENT"]
    assert "AWSCURRENT" not in stages.get(old.version_id, [])


def test_a_deleted_secret_can_be_recovered_for_as_long_as_asked(client, vault) -> None:
    create(vault)
    vault.delete(NAME, recovery_days=7)
    described = client.describe_secret(SecretId=NAME)
    assert (described["DeletedDate"] - described["CreatedDate"]).days in {6, 7}


def test_deleting_tells_until_when_it_can_be_recovered(client, vault) -> None:
    create(vault)
    final = vault.delete(NAME, recovery_days=7)
    assert final
    assert timedelta(days=6, hours=23) < final - datetime.now(UTC) <= timedelta(days=7)
    told = vault.deletion_date(NAME)
    assert told
    assert abs(told - final) < timedelta(seconds=2)


def test_deleting_again_or_what_never_was_is_fine(vault) -> None:
    create(vault)
    vault.delete(NAME, recovery_days=7)
    assert vault.delete(NAME, recovery_days=7) is None
    assert vault.delete("stack/namely/never", recovery_days=7) is None
    assert vault.deletion_date("stack/namely/never") is None


def test_a_secret_whose_deletion_was_refused_has_no_date(vault) -> None:
    create(vault)
    with pytest.raises(StorageError, match="refused"):
        vault.deletion_date(NAME)


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("create_secret", create),
        (
            "put_secret_value",
            lambda vault: vault.put_candidate(name=NAME, credential=OLD, attempt_id=str(uuid4())),
        ),
        (
            "update_secret_version_stage",
            lambda vault: vault.promote(
                SecretVersion(NAME, "v" * 36), previous=SecretVersion(NAME, "u" * 36)
            ),
        ),
        (
            "update_secret_version_stage",
            lambda vault: vault.promote(
                SecretVersion(NAME, "v" * 36), previous=SecretVersion(NAME, "v" * 36)
            ),
        ),
        ("describe_secret", lambda vault: vault.tidy(SecretVersion(NAME, "v" * 36))),
        ("get_secret_value", lambda vault: vault.read(SecretVersion(NAME, "v" * 36))),
        ("describe_secret", lambda vault: vault.deletion_date(NAME)),
        ("restore_secret", lambda vault: vault.restore(NAME)),
        ("delete_secret", lambda vault: vault.delete(NAME, recovery_days=None)),
        ("delete_secret", lambda vault: vault.delete(NAME, recovery_days=7)),
    ],
)
def test_a_fault_of_aws_is_translated_without_the_token(client, vault, operation, call) -> None:
    with Stubber(client) as stub:
        stub.add_client_error(operation, "InternalServiceError", f"quotes {'o' * 64}")
        with pytest.raises(StorageError, match="InternalServiceError") as caught:
            call(vault)
    assert "o" * 64 not in "".join(traceback.format_exception(caught.value, chain=False))
    assert caught.value.__suppress_context__


def test_a_request_that_never_went_out_is_translated_too(vault) -> None:
    with pytest.raises(StorageError, match="ParamValidationError"):
        vault.delete("", recovery_days=7)


def test_tidying_up_promotes_and_leaves_no_label_of_an_attempt(client, vault) -> None:
    old = create(vault)
    new = vault.put_candidate(name=NAME, credential=NEW, attempt_id=str(uuid4()))
    vault.put_candidate(name=NAME, credential=OLD, attempt_id=str(uuid4()))
    for _ in range(2):
        vault.tidy(new)
        stages = client.describe_secret(SecretId=NAME)["VersionIdsToStages"]
        assert {one: labels for one, labels in stages.items() if labels} == {
            new.version_id: ["AWSCURRENT"],
            old.version_id: ["AWSPREVIOUS"],
        }


def test_promoting_what_serves_already_takes_its_label_only(client, vault) -> None:
    version = create(vault)
    vault.promote(version, previous=version)
    stages = client.describe_secret(SecretId=NAME)["VersionIdsToStages"]
    assert stages == {version.version_id: ["AWSCURRENT"]}


def test_a_version_that_is_not_there_is_not_promoted(vault) -> None:
    version = create(vault)
    with pytest.raises(StorageError, match="InvalidParameterException"):
        vault.promote(SecretVersion(version.arn, str(uuid4())), previous=version)


def test_a_pinned_version_is_read(vault) -> None:
    version = create(vault)
    vault.put_candidate(name=NAME, credential=NEW, attempt_id=str(uuid4()))
    assert vault.read(version) == OLD

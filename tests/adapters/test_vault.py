"""The vault against moto, which is right about ClientRequestToken and about moving labels.

Where moto is not what Secrets Manager's API reference says, the answer is botocore's Stubber's:
there a secret that is scheduled for deletion takes no version and moves no label, its name makes no
new secret, and DescribeSecret leaves versions without a label out.
"""

import base64
import json
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber

from namely_link.aws.vault import CANDIDATE, KEYS_KEPT, SecretsManagerVault, SigningKeys
from namely_link.commands.ports import Stored
from namely_link.domain.credentials import parse_credential
from namely_link.domain.problems import SecretMissingError, StorageError
from namely_link.domain.values import Credential, SecretVersion, new_id

OLD = parse_credential("acme", "o" * 64)
NEW = parse_credential("acme", "n" * 64)
PREFIX = "stack/namely/"
ACCOUNT = "acc_01M86D6T0CX8MWC68PYQJ4CK01"
NAME = PREFIX + ACCOUNT
ARN = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{NAME}-AbCdEf"
ONE, OTHER = str(uuid4()), str(uuid4())


@pytest.fixture
def client(aws):
    return aws("secretsmanager")


@pytest.fixture
def vault(client) -> SecretsManagerVault:
    return vault_of(client)


def vault_of(client) -> SecretsManagerVault:
    return SecretsManagerVault(
        client=client, prefix=PREFIX, key_arn="alias/aws/test", now=lambda: datetime.now(UTC)
    )


def create(
    vault: SecretsManagerVault, credential: Credential = OLD, attempt: str = "", name: str = NAME
) -> SecretVersion:
    return vault.create(
        name=name, credential=credential, attempt_id=attempt or str(uuid4()), tags={"owner": "o1"}
    )


def candidate(
    vault: SecretsManagerVault, credential: Credential = NEW, attempt: str = ""
) -> SecretVersion:
    return vault.put_candidate(name=NAME, credential=credential, attempt_id=attempt or str(uuid4()))


def labels(client) -> dict[str, list[str]]:
    """Return the labels by version, as DescribeSecret tells them: of those that have any."""
    stages = client.describe_secret(SecretId=NAME)["VersionIdsToStages"]
    return {version: sorted(names) for version, names in stages.items() if names}


def scheduled(client) -> bool:
    return "DeletedDate" in client.describe_secret(SecretId=NAME)


# Names


def test_the_name_is_the_accounts_own(vault) -> None:
    assert vault.name(ACCOUNT) == NAME
    assert vault.account_id(NAME) == ACCOUNT


def test_a_secret_in_place_of_a_deleted_one_has_a_name_of_its_own(vault) -> None:
    again = vault.name(ACCOUNT, again=ONE)
    assert again == f"{NAME}-{ONE[:8]}"
    assert again != vault.name(ACCOUNT, again=OTHER)
    assert vault.account_id(again) == ACCOUNT


def test_a_name_is_known_for_any_account(vault) -> None:
    account_id = new_id("acc_")
    assert vault.account_id(vault.name(account_id)) == account_id
    assert vault.account_id(vault.name(account_id, again=str(uuid4()))) == account_id


@pytest.mark.parametrize(
    "name",
    [
        "",
        PREFIX,
        ACCOUNT,
        "other/namely/" + ACCOUNT,
        f"x{NAME}",
        f"{NAME}x",
        f"{NAME}-1234567",
        f"{NAME}-123456789",
        f"{NAME}-ABCDEF01",
        f"{NAME}\n",
        f"{PREFIX}{PREFIX}{ACCOUNT}",
        f"{PREFIX}acc_1",
        f"{PREFIX}sess_{ACCOUNT[4:]}",
        f"{PREFIX}{ACCOUNT[:-1]}I",
        f"{PREFIX}{ACCOUNT[:-1]}٣",
    ],
)
def test_the_name_of_something_else_is_no_accounts(vault, name: str) -> None:
    assert vault.account_id(name) == ""


# Writing


def test_a_new_secret_holds_the_token_under_the_attempts_id(client, vault) -> None:
    version = create(vault, attempt=ONE)
    assert version.version_id == ONE
    stored = client.get_secret_value(SecretId=version.arn, VersionId=ONE)
    assert json.loads(stored["SecretString"]) == {
        "subdomain": "acme",
        "token": "o" * 64,
        "base_url": "https://acme.namely.com",
    }
    described = client.describe_secret(SecretId=NAME)
    assert described["Tags"] == [{"Key": "owner", "Value": "o1"}]
    assert described["KmsKeyId"] == "alias/aws/test"
    assert labels(client) == {ONE: ["AWSCURRENT"]}


@pytest.mark.parametrize("owner", ["aws:o1", "AWS:o1"])
def test_a_tag_that_aws_keeps_for_itself_is_left_out(client, vault, owner: str) -> None:
    """TagResource: "Do not use the aws: prefix in your tag names or values"."""
    tags = {"owner": owner, "account": ACCOUNT}
    vault.create(name=NAME, credential=OLD, attempt_id=ONE, tags=tags)
    described = client.describe_secret(SecretId=NAME)
    assert described["Tags"] == [{"Key": "account", "Value": ACCOUNT}]


def test_a_name_does_not_end_like_an_arn(vault) -> None:
    """CreateSecret: "Do not end your secret name with a hyphen followed by six characters"."""
    for name in (vault.name(ACCOUNT), vault.name(ACCOUNT, again=str(uuid4()))):
        assert not re.search("-.{6}$", name)


def test_the_same_attempt_finds_the_secret_that_it_has_made(client, vault) -> None:
    assert create(vault, attempt=ONE) == create(vault, attempt=ONE)
    assert labels(client) == {ONE: ["AWSCURRENT"]}


def test_a_name_that_is_taken_gets_the_attempts_version(client, vault) -> None:
    old = create(vault)
    new = create(vault, NEW, attempt=ONE)
    assert (new.arn, new.version_id) == (old.arn, ONE)
    assert labels(client) == {ONE: ["AWSCURRENT"], old.version_id: ["AWSPREVIOUS"]}
    assert vault.read(new) == NEW


def test_the_same_attempt_writes_no_other_token(vault) -> None:
    create(vault, attempt=ONE)
    with pytest.raises(StorageError, match="PutSecretValue: ResourceExistsException") as caught:
        create(vault, NEW, attempt=ONE)
    assert not isinstance(caught.value, SecretMissingError)


def test_the_old_token_serves_until_the_candidate_is_promoted(client, vault) -> None:
    old = create(vault)
    new = candidate(vault)
    assert new.arn == old.arn
    assert labels(client) == {
        old.version_id: ["AWSCURRENT"],
        new.version_id: [CANDIDATE + new.version_id],
    }
    vault.promote(new, previous=old)
    assert labels(client) == {new.version_id: ["AWSCURRENT"], old.version_id: ["AWSPREVIOUS"]}
    assert (vault.read(new), vault.read(old)) == (NEW, OLD)


def test_the_same_attempt_finds_its_candidate(client, vault) -> None:
    create(vault)
    assert candidate(vault, attempt=ONE) == candidate(vault, attempt=ONE)
    assert labels(client)[ONE] == [CANDIDATE + ONE]


def test_each_candidate_has_its_own_label(client, vault) -> None:
    create(vault)
    candidate(vault, attempt=ONE)
    candidate(vault, OLD, attempt=OTHER)
    assert (labels(client)[ONE], labels(client)[OTHER]) == ([CANDIDATE + ONE], [CANDIDATE + OTHER])


def test_a_secret_that_is_gone_takes_no_candidate(vault) -> None:
    with pytest.raises(SecretMissingError, match="PutSecretValue: ResourceNotFoundException"):
        candidate(vault)


# Promoting


def test_promoting_what_serves_already_takes_its_label_only(client, vault) -> None:
    version = create(vault)
    vault.promote(version, previous=version)
    assert labels(client) == {version.version_id: ["AWSCURRENT"]}


def test_the_labels_are_moved_from_who_has_them_only(client, vault) -> None:
    """Late, it moves nothing back.

    RemoveFromVersionId of UpdateSecretVersionStage: "If the label is attached and … the version ID
    does not match, then the operation fails."
    """
    first = create(vault)
    second, third = candidate(vault), candidate(vault, OLD)
    vault.promote(second, previous=first)
    vault.promote(third, previous=second)
    before = labels(client)
    with pytest.raises(StorageError, match="InvalidParameterException"):
        vault.promote(second, previous=first)
    assert labels(client) == before
    assert before[third.version_id] == ["AWSCURRENT"]


def test_a_version_that_is_not_there_is_not_promoted(client, vault) -> None:
    version = create(vault)
    with pytest.raises(StorageError, match="UpdateSecretVersionStage"):
        vault.promote(SecretVersion(version.arn, ONE), previous=version)


def test_a_promotion_asks_for_a_move_and_for_nothing_else(client, vault) -> None:
    with Stubber(client) as stub:
        move = {"SecretId": ARN, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": ONE}
        stub.add_response("update_secret_version_stage", {}, move | {"MoveToVersionId": OTHER})
        mine = {"VersionStage": CANDIDATE + OTHER, "RemoveFromVersionId": OTHER}
        stub.add_response("update_secret_version_stage", {}, {"SecretId": ARN} | mine)
        vault.promote(SecretVersion(ARN, OTHER), previous=SecretVersion(ARN, ONE))
        stub.assert_no_pending_responses()


# Settling


def test_settling_makes_the_version_current_and_leaves_no_candidate(client, vault) -> None:
    old = create(vault)
    new = candidate(vault)
    candidate(vault, OLD)
    for _ in range(2):
        vault.settle(new)
        assert labels(client) == {new.version_id: ["AWSCURRENT"], old.version_id: ["AWSPREVIOUS"]}


def test_settling_leaves_other_labels_alone(client, vault) -> None:
    version = create(vault)
    client.update_secret_version_stage(
        SecretId=NAME, VersionStage="MINE", MoveToVersionId=version.version_id
    )
    vault.settle(version)
    assert labels(client) == {version.version_id: ["AWSCURRENT", "MINE"]}


def test_settling_takes_the_current_label_back_from_what_was_written_by_hand(client, vault) -> None:
    version = create(vault)
    client.put_secret_value(SecretId=NAME, SecretString="by hand")
    vault.settle(version)
    assert labels(client)[version.version_id] == ["AWSCURRENT"]


def test_settling_restores_a_secret_that_is_to_serve(client, vault) -> None:
    version = create(vault)
    vault.delete(NAME, recovery_days=7)
    vault.settle(version)
    assert not scheduled(client)
    assert vault.read(version) == OLD


def test_a_secret_that_is_gone_is_not_settled(vault) -> None:
    version = create(vault)
    vault.delete(NAME, recovery_days=None)
    with pytest.raises(SecretMissingError, match="DescribeSecret: ResourceNotFoundException"):
        vault.settle(version)


def test_a_version_that_is_gone_is_not_settled_and_no_label_moves(client, vault) -> None:
    version = create(vault)
    with pytest.raises(SecretMissingError):
        vault.settle(SecretVersion(version.arn, ONE))
    assert labels(client) == {version.version_id: ["AWSCURRENT"]}


def test_a_secret_that_goes_while_it_is_restored_is_missing(client, vault) -> None:
    with Stubber(client) as stub:
        at = datetime(2026, 12, 1, tzinfo=UTC)
        stub.add_response("describe_secret", {"DeletedDate": at}, {"SecretId": ARN})
        stub.add_client_error("restore_secret", "ResourceNotFoundException")
        with pytest.raises(SecretMissingError, match="RestoreSecret"):
            vault.settle(SecretVersion(ARN, ONE))


@pytest.mark.parametrize("stages", [{}, {OTHER: ["AWSCURRENT"]}])
def test_a_secret_without_the_version_is_described_by_others_only(client, vault, stages) -> None:
    """VersionIdsToStages of DescribeSecret: "versions of the secret that have staging labels"."""
    with Stubber(client) as stub:
        stub.add_response("describe_secret", {"VersionIdsToStages": stages} if stages else {})
        with pytest.raises(SecretMissingError, match=ONE):
            vault.settle(SecretVersion(ARN, ONE))
        stub.assert_no_pending_responses()


def test_who_holds_the_row_no_more_settles_nothing(client, vault) -> None:
    """A function that was frozen past its lease: labels may be a later link's by now."""
    create(vault)
    new = candidate(vault)
    vault.delete(NAME, recovery_days=7)
    before = labels(client)
    asked = []
    with pytest.raises(StorageError, match="too late") as caught:
        vault.settle(new, held=lambda: bool(asked.append(scheduled(client))))
    assert not isinstance(caught.value, SecretMissingError)
    assert (asked, scheduled(client), labels(client)) == ([True], True, before)
    vault.settle(new, held=lambda: True)
    assert labels(client)[new.version_id] == ["AWSCURRENT"]


def test_a_label_that_another_has_moved_meanwhile_is_a_fault(client, vault) -> None:
    with Stubber(client) as stub:
        stages = {ONE: [CANDIDATE + ONE], OTHER: ["AWSCURRENT"]}
        stub.add_response("describe_secret", {"VersionIdsToStages": stages})
        stub.add_client_error("update_secret_version_stage", "InvalidParameterException")
        with pytest.raises(StorageError, match="UpdateSecretVersionStage: Invalid"):
            vault.settle(SecretVersion(ARN, ONE))
        stub.assert_no_pending_responses()


def test_a_label_of_a_candidate_that_is_gone_already_is_no_fault(client, vault) -> None:
    with Stubber(client) as stub:
        stages = {ONE: ["AWSCURRENT", CANDIDATE + ONE], OTHER: [CANDIDATE + OTHER]}
        stub.add_response("describe_secret", {"VersionIdsToStages": stages})
        for _ in range(2):
            stub.add_client_error("update_secret_version_stage", "InvalidParameterException")
        vault.settle(SecretVersion(ARN, ONE))
        stub.assert_no_pending_responses()


# Reading


def test_a_pinned_version_is_read(vault) -> None:
    version = create(vault)
    candidate(vault)
    assert vault.read(version) == OLD


def test_a_version_or_a_secret_that_is_gone_is_missing(vault) -> None:
    version = create(vault)
    with pytest.raises(SecretMissingError, match="GetSecretValue: ResourceNotFoundException"):
        vault.read(SecretVersion(version.arn, ONE))
    vault.delete(NAME, recovery_days=7)
    with pytest.raises(SecretMissingError, match="GetSecretValue: InvalidRequestException"):
        vault.read(version)
    vault.delete(NAME, recovery_days=None)
    with pytest.raises(SecretMissingError, match="GetSecretValue: ResourceNotFoundException"):
        vault.read(version)


# Deleting and restoring


def test_deleting_tells_until_when_it_can_be_recovered(client, vault) -> None:
    version = create(vault)
    final = vault.delete(NAME, recovery_days=7)
    assert final
    assert timedelta(days=6, hours=23) < final - datetime.now(UTC) <= timedelta(days=7)
    assert scheduled(client)
    # Again it tells the same, whatever is asked for.
    told = vault.delete(NAME, recovery_days=30)
    assert told
    assert abs(told - final) < timedelta(seconds=2)
    vault.restore(NAME)
    assert vault.read(version) == OLD


def test_what_is_not_there_is_deleted(vault) -> None:
    assert vault.delete(NAME, recovery_days=7) is None
    assert vault.delete(NAME, recovery_days=None) is None


@pytest.mark.parametrize("before", ["there", "scheduled", "gone"])
def test_deleting_at_once_leaves_nothing(client, vault, before) -> None:
    create(vault)
    if before != "there":
        vault.delete(NAME, recovery_days=7 if before == "scheduled" else None)
    assert vault.delete(NAME, recovery_days=None) is None
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_secret(SecretId=NAME)


@pytest.mark.parametrize("window", [7, 30])
@pytest.mark.parametrize("ago", [timedelta(0), timedelta(minutes=5), timedelta(days=6)])
@pytest.mark.parametrize("clock", [timedelta(0), timedelta(seconds=2), -timedelta(seconds=2)])
def test_a_deletion_is_not_said_to_be_final_too_early_however_its_date_is_read(
    client, window: int, ago: timedelta, clock: timedelta
) -> None:
    """Whoever asked for it, with whatever window; clocks differ.

    DeletedDate of DescribeSecret: "The date the secret is scheduled for deletion … Some time after
    the deleted date, Secrets Manager deletes the secret"; of SecretListEntry: "The date and time
    the deletion of the secret occurred … can be recovered until the number of days in the recovery
    window has passed".
    """
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    vault = replace(vault_of(client), now=lambda: now + clock)
    asked, goes = now - ago, now - ago + timedelta(days=window)
    for date, final in ((goes, goes), (asked, asked + timedelta(days=30))):
        with Stubber(client) as stub:
            stub.add_client_error("delete_secret", "InvalidRequestException")
            stub.add_response("describe_secret", {"DeletedDate": date}, {"SecretId": NAME})
            assert vault.delete(NAME, recovery_days=7) == final


def test_a_deletion_at_once_is_not_told_of_one_that_is_scheduled(client, vault) -> None:
    """Should Secrets Manager refuse it (InvalidRequestException: "scheduled for deletion")."""
    at = datetime.now(UTC) + timedelta(days=6)
    with Stubber(client) as stub:
        stub.add_client_error("delete_secret", "InvalidRequestException")
        stub.add_response("describe_secret", {"DeletedDate": at}, {"SecretId": NAME})
        assert vault.delete(NAME, recovery_days=None) == at


def test_a_secret_whose_deletion_is_refused_is_a_fault(client, vault) -> None:
    create(vault)
    with Stubber(client) as stub:
        stub.add_client_error("delete_secret", "InvalidRequestException")
        stub.add_response("describe_secret", {"Name": NAME})
        with pytest.raises(StorageError, match="DeleteSecret: refused"):
            vault.delete(NAME, recovery_days=7)


def test_a_scheduled_secret_that_goes_meanwhile_is_gone(client, vault) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("delete_secret", "InvalidRequestException")
        stub.add_client_error("describe_secret", "ResourceNotFoundException")
        assert vault.delete(NAME, recovery_days=7) is None


def test_restoring_again_is_fine_and_what_is_gone_is_missing(client, vault) -> None:
    create(vault)
    vault.delete(NAME, recovery_days=7)
    for _ in range(2):
        vault.restore(NAME)
        assert not scheduled(client)
    vault.delete(NAME, recovery_days=None)
    with pytest.raises(SecretMissingError, match="RestoreSecret: ResourceNotFoundException"):
        vault.restore(NAME)


# Listing


def test_all_secrets_of_the_stack_are_listed_with_their_labels(client, vault) -> None:
    made = {name: create(vault, name=name) for name in (NAME, f"{NAME}-{ONE[:8]}")}
    client.create_secret(Name="another/namely/x", SecretString="x")
    create(vault, name=PREFIX + "going")
    vault.delete(PREFIX + "going", recovery_days=7)
    found = {one.name: one for one in vault.stored()}
    assert found.keys() == made.keys()
    assert found[NAME].labels == {made[NAME].version_id: ["AWSCURRENT"]}
    assert abs(datetime.now(UTC) - found[NAME].created_at) < timedelta(minutes=5)


def test_secrets_are_listed_page_by_page(client, vault) -> None:
    asked = {"Filters": [{"Key": "name", "Values": [PREFIX]}], "MaxResults": 100}
    at = datetime(2026, 11, 24, tzinfo=UTC)
    one = {"Name": NAME, "CreatedDate": at, "SecretVersionsToStages": {ONE: ["AWSCURRENT"]}}
    bare = {"Name": NAME + "x", "CreatedDate": at}
    with Stubber(client) as stub:
        stub.add_response("list_secrets", {"SecretList": [one], "NextToken": "2"}, asked)
        stub.add_response("list_secrets", {"SecretList": [bare]}, asked | {"NextToken": "2"})
        assert list(vault.stored()) == [
            Stored(name=NAME, created_at=at, labels={ONE: ["AWSCURRENT"]}),
            Stored(name=NAME + "x", created_at=at, labels={}),
        ]
        stub.assert_no_pending_responses()


def test_a_page_that_fails_is_a_fault_after_the_pages_before(client, vault) -> None:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    with Stubber(client) as stub:
        page = {"SecretList": [{"Name": NAME, "CreatedDate": at}], "NextToken": "2"}
        stub.add_response("list_secrets", page)
        stub.add_client_error("list_secrets", "InternalServiceError")
        listed = vault.stored()
        assert next(listed).name == NAME
        with pytest.raises(StorageError, match="ListSecrets: InternalServiceError"):
            next(listed)


# Faults

type Call = Callable[[SecretsManagerVault], Any]

CALLS: list[tuple[str, Call]] = [
    ("create_secret", create),
    ("put_secret_value", candidate),
    (
        "update_secret_version_stage",
        lambda vault: vault.promote(SecretVersion(ARN, ONE), previous=SecretVersion(ARN, OTHER)),
    ),
    (
        "update_secret_version_stage",
        lambda vault: vault.promote(SecretVersion(ARN, ONE), previous=SecretVersion(ARN, ONE)),
    ),
    ("describe_secret", lambda vault: vault.settle(SecretVersion(ARN, ONE))),
    ("get_secret_value", lambda vault: vault.read(SecretVersion(ARN, ONE))),
    ("restore_secret", lambda vault: vault.restore(NAME)),
    ("delete_secret", lambda vault: vault.delete(NAME, recovery_days=None)),
    ("delete_secret", lambda vault: vault.delete(NAME, recovery_days=7)),
    ("list_secrets", lambda vault: list(vault.stored())),
]


@pytest.mark.parametrize(("operation", "call"), CALLS)
def test_a_fault_of_aws_is_translated_without_the_token(client, vault, operation, call) -> None:
    with Stubber(client) as stub:
        stub.add_client_error(operation, "InternalServiceError", f"quotes {'o' * 64}{'n' * 64}")
        with pytest.raises(StorageError, match="InternalServiceError") as caught:
            call(vault)
    assert not isinstance(caught.value, SecretMissingError)
    said = "".join(traceback.format_exception(caught.value))
    assert "o" * 64 not in said
    assert "n" * 64 not in said


@pytest.mark.parametrize(
    "failure",
    [
        EndpointConnectionError(endpoint_url="https://secretsmanager.example.com"),
        ReadTimeoutError(endpoint_url="https://secretsmanager.example.com"),
    ],
)
@pytest.mark.parametrize("call", [call for _, call in CALLS])
def test_a_call_without_an_answer_is_a_fault(client, vault, call, failure) -> None:
    def fail(**_unused: object) -> None:
        raise failure

    client.meta.events.register("before-send", fail)
    with pytest.raises(StorageError, match=type(failure).__name__):
        call(vault)


def test_a_fault_of_describing_a_deletion_is_translated(client, vault) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("delete_secret", "InvalidRequestException")
        stub.add_client_error("describe_secret", "InternalServiceError")
        with pytest.raises(StorageError, match="DescribeSecret: InternalServiceError"):
            vault.delete(NAME, recovery_days=7)


@pytest.mark.parametrize("call", [create, candidate])
def test_a_call_that_never_went_out_quotes_no_token(client, call) -> None:
    """botocore's own check of parameters quotes the value."""
    vault = vault_of(client)
    with pytest.raises(StorageError, match="ParamValidationError") as caught:
        call(vault, attempt="short")
    assert "o" * 64 not in "".join(traceback.format_exception(caught.value))


SCHEDULED = "InvalidRequestException"
GONE = "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("operation", "code", "call", "missing"),
    [
        ("create_secret", SCHEDULED, create, False),
        ("create_secret", GONE, create, False),
        ("put_secret_value", SCHEDULED, candidate, True),
        ("put_secret_value", GONE, candidate, True),
        ("update_secret_version_stage", SCHEDULED, CALLS[2][1], False),
        ("update_secret_version_stage", GONE, CALLS[2][1], False),
        ("update_secret_version_stage", SCHEDULED, CALLS[3][1], False),
        ("describe_secret", GONE, CALLS[4][1], True),
        ("get_secret_value", SCHEDULED, CALLS[5][1], True),
        ("get_secret_value", GONE, CALLS[5][1], True),
        ("get_secret_value", "DecryptionFailure", CALLS[5][1], False),
        ("put_secret_value", "EncryptionFailure", candidate, False),
        ("put_secret_value", "LimitExceededException", candidate, False),
        ("restore_secret", SCHEDULED, CALLS[6][1], False),
        ("restore_secret", GONE, CALLS[6][1], True),
    ],
)
def test_only_what_says_so_is_a_missing_secret(
    client, vault, operation, code, call, missing
) -> None:
    """The errors of each operation are those of Secrets Manager's API reference."""
    with Stubber(client) as stub:
        stub.add_client_error(operation, code)
        with pytest.raises(StorageError, match=code) as caught:
            call(vault)
        stub.assert_no_pending_responses()
    assert isinstance(caught.value, SecretMissingError) is missing


# What the webhook is signed with

CURRENT, EARLIER = b"c" * 24, b"e" * 64


def whsec(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def signing(client, said: str) -> SigningKeys:
    """Return what reads a secret that says something, by a clock that stands."""
    arn = client.create_secret(Name="stack-WebhookKeys", SecretString=said)["ARN"]
    return SigningKeys(client=client, arn=arn, monotonic=lambda: 0)


@pytest.mark.parametrize(
    ("before", "keys"), [("", (CURRENT,)), (whsec(EARLIER), (CURRENT, EARLIER))]
)
def test_the_webhook_is_signed_with_the_current_key_and_the_one_before(
    client, before: str, keys: tuple[bytes, ...]
) -> None:
    said = json.dumps({"current": whsec(CURRENT), "before": before})
    assert signing(client, said).read() == keys


def test_a_rotation_is_seen_after_a_while_and_not_at_each_event(client) -> None:
    keys = signing(client, json.dumps({"current": whsec(EARLIER), "before": ""}))
    assert keys.read() == (EARLIER,)
    rotated = json.dumps({"current": whsec(CURRENT), "before": whsec(EARLIER)})
    client.put_secret_value(SecretId=keys.arn, SecretString=rotated)
    keys.monotonic = lambda: KEYS_KEPT - 1
    assert keys.read() == (EARLIER,)
    keys.monotonic = lambda: KEYS_KEPT
    assert keys.read() == (CURRENT, EARLIER)


NO_KEYS = [None, "", "whsec_", "whsec_planted!", "whsec_planted", "\u00e9"]


@pytest.mark.parametrize(
    "said",
    [" ", "planted", "[]", "{}", *(json.dumps({"current": one, "before": ""}) for one in NO_KEYS)],
)
def test_signing_keys_that_are_none_are_told_without_their_text(client, said: str) -> None:
    with pytest.raises(StorageError, match="no signing keys") as raised:
        signing(client, said).read()
    assert "planted" not in "".join(traceback.format_exception(raised.value))


def test_signing_keys_that_can_not_be_read_are_a_fault_of_aws(client) -> None:
    keys = SigningKeys(client=client, arn="nothing", monotonic=lambda: 0)
    with pytest.raises(StorageError, match="GetSecretValue: ResourceNotFoundException"):
        keys.read()

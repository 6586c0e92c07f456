"""Secrets Manager: the only module that knows it, and the only place where tokens rest.

A version's id is the id of the attempt that wrote it: Secrets Manager's ClientRequestToken, which
makes a repeated write harmless.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from namely_link.domain.account import Credential, SecretVersion, Subdomain, Token
from namely_link.domain.problems import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_secretsmanager import SecretsManagerClient

CANDIDATE: Final = "NAMELY_LINK_CANDIDATE_"
"""Label of a version until it serves, with the attempt's id behind it: a label that all attempts
shared would be taken from a committed version that is not promoted yet, and a version without any
label may vanish. A stray AWSPENDING would block RotateSecret."""


@dataclass(frozen=True, kw_only=True)
class SecretsManagerVault:
    """Writes secrets under one prefix and one KMS key."""

    client: SecretsManagerClient
    prefix: str
    key_arn: str

    def name(self, account_id: str) -> str:
        """Return the name of an account's secret; it is never used for another account."""
        return f"{self.prefix}{account_id}"

    def create(
        self, *, name: str, credential: Credential, attempt_id: str, tags: Mapping[str, str]
    ) -> SecretVersion:
        """Create an account's secret, or add a candidate to what an earlier attempt left.

        Raises:
            StorageError: the secret may or may not be there; its name stands in the pending row.
        """
        try:
            made = self.client.create_secret(
                Name=name,
                ClientRequestToken=attempt_id,
                KmsKeyId=self.key_arn,
                SecretString=_document(credential),
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except self.client.exceptions.ResourceExistsException:
            return self.put_candidate(name=name, credential=credential, attempt_id=attempt_id)
        except (ClientError, BotoCoreError) as error:
            raise _translated("CreateSecret", error) from None
        return SecretVersion(made["ARN"], made["VersionId"])

    def put_candidate(self, *, name: str, credential: Credential, attempt_id: str) -> SecretVersion:
        """Add a version beside the one that serves.

        Raises:
            StorageError: the version may or may not be there; nobody reads it.
        """
        try:
            put = self.client.put_secret_value(
                SecretId=name,
                ClientRequestToken=attempt_id,
                SecretString=_document(credential),
                VersionStages=[CANDIDATE + attempt_id],
            )
        except (ClientError, BotoCoreError) as error:
            raise _translated("PutSecretValue", error) from None
        return SecretVersion(put["ARN"], put["VersionId"])

    def promote(self, version: SecretVersion, *, previous: SecretVersion) -> None:
        """Make a committed candidate the current version; doing it again changes nothing.

        Raises:
            StorageError: readers are not affected, they pin the version.
        """
        if previous.version_id != version.version_id:
            self._move("AWSCURRENT", version.arn, previous.version_id, to=version.version_id)
        # Now that AWSCURRENT keeps it; a secret may have twenty labels only.
        self._move(CANDIDATE + version.version_id, version.arn, version.version_id)

    def tidy(self, version: SecretVersion) -> None:
        """Make the committed version the current one, and take the labels of all attempts away.

        Asks Secrets Manager which labels there are; a version without one it removes in time.

        Raises:
            StorageError: readers are not affected, they pin the version.
        """
        try:
            stages = self.client.describe_secret(SecretId=version.arn)["VersionIdsToStages"]
        except (ClientError, BotoCoreError) as error:
            raise _translated("DescribeSecret", error) from None
        current = next(one for one, labels in stages.items() if "AWSCURRENT" in labels)
        if current != version.version_id:
            self._move("AWSCURRENT", version.arn, current, to=version.version_id)
        for one, labels in stages.items():
            for label in labels:
                if label.startswith(CANDIDATE):
                    self._move(label, version.arn, one)

    def _move(self, label: str, arn: str, holder: str, *, to: str = "") -> None:
        """Move a label from the version that has it, or take it away; again is fine.

        Raises:
            StorageError: the label may be at either.
        """
        target = {"MoveToVersionId": to} if to else {}
        try:
            self.client.update_secret_version_stage(
                SecretId=arn, VersionStage=label, RemoveFromVersionId=holder, **target
            )
        except self.client.exceptions.InvalidParameterException as error:
            if to:
                raise _translated("UpdateSecretVersionStage", error) from None
            # There is no such version, or it has no such label.
        except (ClientError, BotoCoreError) as error:
            raise _translated("UpdateSecretVersionStage", error) from None

    def read(self, version: SecretVersion) -> Credential:
        """Return the credential of a pinned version.

        Raises:
            StorageError: it can't be read.
        """
        try:
            value = self.client.get_secret_value(SecretId=version.arn, VersionId=version.version_id)
        except (ClientError, BotoCoreError) as error:
            raise _translated("GetSecretValue", error) from None
        stored = json.loads(value["SecretString"])
        return Credential(Subdomain(stored["subdomain"]), Token(stored["token"]))

    def delete(self, name: str, *, recovery_days: int | None) -> datetime | None:
        """Schedule a secret for deletion, or (None) delete it at once.

        Returns from when on it can't be recovered; None where it is gone or scheduled already,
        which is fine: `deletion_date` tells.

        Raises:
            StorageError: the secret may still be there.
        """
        try:
            if recovery_days is None:
                done = self.client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
            else:
                done = self.client.delete_secret(SecretId=name, RecoveryWindowInDays=recovery_days)
        except (
            self.client.exceptions.ResourceNotFoundException,
            self.client.exceptions.InvalidRequestException,
        ):
            return None
        except (ClientError, BotoCoreError) as error:
            raise _translated("DeleteSecret", error) from None
        return done["DeletionDate"]

    def deletion_date(self, name: str) -> datetime | None:
        """Return from when on a scheduled secret can't be recovered; None where it is gone.

        Raises:
            StorageError: it is not scheduled, or AWS failed.
        """
        try:
            found = self.client.describe_secret(SecretId=name)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        except (ClientError, BotoCoreError) as error:
            raise _translated("DescribeSecret", error) from None
        if "DeletedDate" not in found:
            msg = "DeleteSecret: refused"
            raise StorageError(msg)
        return found["DeletedDate"]

    def restore(self, name: str) -> None:
        """Take a scheduled deletion back; again is fine.

        Raises:
            StorageError: the secret is gone, or may still be scheduled.
        """
        try:
            self.client.restore_secret(SecretId=name)
        except (ClientError, BotoCoreError) as error:
            raise _translated("RestoreSecret", error) from None


def _document(credential: Credential) -> str:
    return json.dumps(
        {
            "subdomain": credential.subdomain.label,
            "token": credential.token.reveal(),
            "base_url": credential.subdomain.base_url,
        }
    )


def _translated(operation: str, error: Exception) -> StorageError:
    """Name what failed, without the cause: botocore's parameter errors quote the value."""
    kind = type(error).__name__
    if isinstance(error, ClientError):
        kind = error.response["Error"]["Code"]
    return StorageError(f"{operation}: {kind}")

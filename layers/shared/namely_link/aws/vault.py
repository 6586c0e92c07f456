"""Secrets Manager: the only module that knows it, and the only place where tokens rest.

A version's id is the id of the attempt that wrote it: Secrets Manager's ClientRequestToken, which
makes a repeated write harmless. A label is moved from the version that has it and fails where that
has changed, so a call that takes effect late moves nothing back.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from namely_link.aws.faults import FAULTS, code_of
from namely_link.commands.ports import Stored
from namely_link.domain.problems import SecretMissingError, StorageError
from namely_link.domain.values import Credential, SecretVersion, Subdomain, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_secretsmanager import SecretsManagerClient

CANDIDATE: Final = "NAMELY_LINK_CANDIDATE_"
"""Label of a version until it serves, with the attempt's id behind it: a label that all attempts
shared would be taken from a committed version that is not promoted yet, and a version without any
label may vanish. A stray AWSPENDING would block RotateSecret."""

KEYS_KEPT: Final = 300
"""Seconds until the webhook's signing keys are read again."""

_LONGEST_WINDOW: Final = timedelta(days=30)
_CLOCKS_APART: Final = timedelta(hours=1)
"""More than the clocks of Lambda and Secrets Manager differ."""

_ACCOUNT: Final = re.compile(r"(acc_[0-9A-HJKMNP-TV-Z]{26})(?:-[0-9a-f]{8})?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class SecretsManagerVault:
    """Writes secrets under one prefix and one KMS key."""

    client: SecretsManagerClient
    prefix: str
    key_arn: str
    now: Callable[[], datetime]

    def name(self, account_id: str, *, again: str = "") -> str:
        """Return the name of an account's secret, which is never used for another account.

        With `again`, the id of an attempt, it is the name of a secret in place of a deleted one,
        whose own name is blocked through its recovery window.
        """
        return f"{self.prefix}{account_id}" + (f"-{again[:8]}" if again else "")

    def account_id(self, name: str) -> str:
        """Return the account that a secret's name was made for, '' where it is none of ours."""
        found = _ACCOUNT.fullmatch(name.removeprefix(self.prefix))
        return found[1] if found and name.startswith(self.prefix) else ""

    def create(
        self, *, name: str, credential: Credential, attempt_id: str, tags: Mapping[str, str]
    ) -> SecretVersion:
        """Create a secret; the same attempt again finds what it has made.

        Raises:
            StorageError: the secret may or may not be there; its name stands in the pending row.
        """
        try:
            made = self.client.create_secret(
                Name=name,
                ClientRequestToken=attempt_id,
                KmsKeyId=self.key_arn,
                SecretString=_document(credential),
                Tags=[
                    {"Key": key, "Value": value}
                    for key, value in tags.items()
                    if not value.lower().startswith("aws:")  # AWS keeps these for itself
                ],
            )
        except self.client.exceptions.ResourceExistsException:
            return self._put(name=name, credential=credential, attempt_id=attempt_id)
        except FAULTS as error:
            raise _translated("CreateSecret", error) from None
        return SecretVersion(made["ARN"], made["VersionId"])

    def put_candidate(self, *, name: str, credential: Credential, attempt_id: str) -> SecretVersion:
        """Add a version beside the one that serves.

        Raises:
            SecretMissingError: somebody has deleted the secret.
            StorageError: the version may or may not be there; nobody reads it.
        """
        label = CANDIDATE + attempt_id
        return self._put(name=name, credential=credential, attempt_id=attempt_id, label=label)

    def _put(
        self, *, name: str, credential: Credential, attempt_id: str, label: str = "AWSCURRENT"
    ) -> SecretVersion:
        try:
            put = self.client.put_secret_value(
                SecretId=name,
                ClientRequestToken=attempt_id,
                SecretString=_document(credential),
                VersionStages=[label],
            )
        except FAULTS as error:
            raise _translated("PutSecretValue", error) from None
        return SecretVersion(put["ARN"], put["VersionId"])

    def promote(self, version: SecretVersion, *, previous: SecretVersion) -> None:
        """Make a committed candidate the current version, in place of the one before.

        Raises:
            StorageError: readers are not affected, they pin the version.
        """
        if previous.version_id != version.version_id:
            self._move("AWSCURRENT", version.arn, previous.version_id, to=version.version_id)
        # Now that AWSCURRENT keeps it; a secret may have twenty labels only.
        self._move(CANDIDATE + version.version_id, version.arn, version.version_id)

    def settle(self, version: SecretVersion, *, held: Callable[[], bool] = lambda: True) -> None:
        """Make the secret what the row says: restored, this version current, no candidates.

        A version without a label Secrets Manager removes in time, so no label is taken away that
        may have come after the lease: `held` tells whether the row is still held.

        Raises:
            SecretMissingError: it is gone for good, or this version is.
            StorageError: readers are not affected, they pin the version.
        """
        try:
            found = self.client.describe_secret(SecretId=version.arn)
        except FAULTS as error:
            raise _translated("DescribeSecret", error) from None
        if not held():
            msg = "DescribeSecret: too late"
            raise StorageError(msg)
        if "DeletedDate" in found:
            self.restore(version.arn)  # the deletion took effect after its restoring
        stages = found.get("VersionIdsToStages", {})
        if version.version_id not in stages:
            raise SecretMissingError(version.version_id)
        for holder, labels in stages.items():
            for label in labels:
                if label == "AWSCURRENT" and holder != version.version_id:
                    self._move(label, version.arn, holder, to=version.version_id)
        for holder, labels in stages.items():
            for label in labels:
                if label.startswith(CANDIDATE):
                    self._move(label, version.arn, holder)

    def _move(self, label: str, arn: str, holder: str, *, to: str = "") -> None:
        """Move a label from the version that has it, or take it away: that again is fine.

        Raises:
            StorageError: the label may be at either, or was somewhere else.
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
        except FAULTS as error:
            raise _translated("UpdateSecretVersionStage", error) from None

    def read(self, version: SecretVersion) -> Credential:
        """Return the credential of a pinned version.

        Raises:
            SecretMissingError: somebody has deleted the secret.
            StorageError: it can't be read.
        """
        try:
            value = self.client.get_secret_value(SecretId=version.arn, VersionId=version.version_id)
        except FAULTS as error:
            raise _translated("GetSecretValue", error) from None
        stored = json.loads(value["SecretString"])
        return Credential(Subdomain(stored["subdomain"]), Token(stored["token"]))

    def delete(self, name: str, *, recovery_days: int | None) -> datetime | None:
        """Schedule a secret for deletion, or (None) delete it at once; again is fine.

        Returns from when on it can't be recovered for certain, None where it is gone.

        Raises:
            StorageError: the secret may still be there.
        """
        try:
            if recovery_days is None:
                self.client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
                return None
            done = self.client.delete_secret(SecretId=name, RecoveryWindowInDays=recovery_days)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        except self.client.exceptions.InvalidRequestException:
            return self._deletion_date(name)  # it is scheduled already
        except FAULTS as error:
            raise _translated("DeleteSecret", error) from None
        return done["DeletionDate"]

    def _deletion_date(self, name: str) -> datetime | None:
        """Return from when on a scheduled secret can't be recovered for certain, None if gone.

        AWS says of DeletedDate both that it is when the secret goes (DescribeSecret) and that it is
        when its deletion was asked for (SecretListEntry). What lies ahead can only be the former;
        with what is past, the longest window is added, so that the promise is not too early.
        """
        try:
            found = self.client.describe_secret(SecretId=name)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        except FAULTS as error:
            raise _translated("DescribeSecret", error) from None
        if "DeletedDate" not in found:
            msg = "DeleteSecret: refused"
            raise StorageError(msg)
        told = found["DeletedDate"]
        return told if told > self.now() + _CLOCKS_APART else told + _LONGEST_WINDOW

    def restore(self, name: str) -> None:
        """Take a scheduled deletion back; again is fine.

        Raises:
            SecretMissingError: it is gone for good.
            StorageError: the secret may still be scheduled.
        """
        try:
            self.client.restore_secret(SecretId=name)
        except FAULTS as error:
            raise _translated("RestoreSecret", error) from None

    def stored(self) -> Iterator[Stored]:
        """Return all secrets of the stack that are not scheduled for deletion, minutes late.

        Raises:
            StorageError: Secrets Manager failed.
        """
        pages = self.client.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [self.prefix]}], PaginationConfig={"PageSize": 100}
        )
        try:
            for page in pages:
                for one in page["SecretList"]:
                    yield Stored(
                        name=one["Name"],
                        created_at=one["CreatedDate"],
                        labels=one.get("SecretVersionsToStages", {}),
                    )
        except FAULTS as error:
            raise _translated("ListSecrets", error) from None


@dataclass(kw_only=True)
class SigningKeys:
    """Reads what the webhook is signed with, and reads it again after a while: it rotates."""

    client: SecretsManagerClient
    arn: str
    monotonic: Callable[[], float]
    _kept: tuple[bytes, ...] = field(init=False, default=())
    _until: float = field(init=False, default=0)

    def read(self) -> tuple[bytes, ...]:
        """Return the current key, and the one before while both are valid.

        Raises:
            StorageError: the secret can't be read, or is none.
        """
        now = self.monotonic()
        if not self._kept or now >= self._until:
            self._kept, self._until = self._read(), now + KEYS_KEPT
        return self._kept

    def _read(self) -> tuple[bytes, ...]:
        try:
            value = self.client.get_secret_value(SecretId=self.arn)
        except FAULTS as error:
            raise _translated("GetSecretValue", error) from None
        try:
            said = json.loads(value["SecretString"])
            current, before = _key(said["current"]), said["before"]
            return (current, _key(before)) if before else (current,)
        except (ValueError, KeyError, TypeError, AttributeError):
            msg = "GetSecretValue: no signing keys"
            raise StorageError(msg) from None


def _key(secret: str) -> bytes:
    """Return the key of a `whsec_` secret.

    Raises:
        ValueError: it is none.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    if not key:
        msg = "empty"
        raise ValueError(msg)
    return key


def _document(credential: Credential) -> str:
    return json.dumps(
        {
            "subdomain": credential.subdomain.label,
            "token": credential.token.reveal(),
            "base_url": credential.subdomain.base_url,
        }
    )


def _translated(operation: str, error: Exception) -> StorageError | SecretMissingError:
    """Name what failed, without the cause: botocore's parameter errors quote the value.

    A secret that is not there, or scheduled to go, was deleted by somebody.
    """
    kind = code_of(error)
    if kind in _MISSING.get(operation, ()):
        return SecretMissingError(f"{operation}: {kind}")
    return StorageError(f"{operation}: {kind}")


_NOT_THERE: Final = ("ResourceNotFoundException",)
_NOT_USABLE: Final = ("ResourceNotFoundException", "InvalidRequestException")
"""The second one is what Secrets Manager answers of a secret that is scheduled for deletion."""
_MISSING: Final[Mapping[str, tuple[str, ...]]] = {
    "PutSecretValue": _NOT_USABLE,
    "GetSecretValue": _NOT_USABLE,
    "DescribeSecret": _NOT_THERE,
    "RestoreSecret": _NOT_THERE,
}

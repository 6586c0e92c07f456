"""Secrets Manager in memory, at the level of boto3's client, as its API reference documents it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from simulation.errors import Exceptions, error

if TYPE_CHECKING:
    from collections.abc import Callable

CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
_ARN: Final = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
_DAY: Final = 86400
_MOST_LABELS: Final = 20


@dataclass
class Secret:
    """One secret: values by version, the version of each label, and when it was scheduled to go."""

    name: str
    arn: str
    created_at: float
    tags: list[dict[str, str]]
    values: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    scheduled_at: float | None = None
    gone_at: float = 0.0

    def stages(self) -> dict[str, list[str]]:
        """Return the labels of each version that has any."""
        found: dict[str, list[str]] = {}
        for label, version in self.labels.items():
            found.setdefault(version, []).append(label)
        return found


@dataclass
class Vault:
    """All secrets of a region.

    `lag` says how old (seconds) the list may be; `forget` whether versions without a label go now.
    """

    clock: Callable[[], float]
    lag: Callable[[], float] = lambda: 0.0
    forget: Callable[[], bool] = lambda: False
    changed: Callable[[str], None] = lambda _name: None
    secrets: dict[str, Secret] = field(default_factory=dict)
    exceptions: Exceptions = field(default_factory=Exceptions)
    _made: int = 0
    _removed: list[tuple[float, Secret]] = field(default_factory=list)

    def create_secret(
        self,
        *,
        Name: str,
        ClientRequestToken: str,
        SecretString: str,
        KmsKeyId: str = "",
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        found = self._find(Name)
        if found and found.scheduled_at is not None:
            raise error(
                "InvalidRequestException", "a secret of this name is scheduled for deletion"
            )
        if found:
            if found.values.get(ClientRequestToken) != SecretString:
                raise error("ResourceExistsException")
            return {"ARN": found.arn, "Name": Name, "VersionId": ClientRequestToken}
        self._made += 1
        secret = Secret(Name, f"{_ARN}{Name}-{self._made:06}", self.clock(), list(Tags or []))
        secret.values[ClientRequestToken] = SecretString
        secret.labels[CURRENT] = ClientRequestToken
        self.secrets[Name] = secret
        self.changed(Name)
        return {"ARN": secret.arn, "Name": Name, "VersionId": ClientRequestToken}

    def put_secret_value(
        self,
        *,
        SecretId: str,
        ClientRequestToken: str,
        SecretString: str,
        VersionStages: list[str] | None = None,
    ) -> dict[str, Any]:
        secret = self._usable(SecretId)
        known = secret.values.get(ClientRequestToken)
        if known is not None and known != SecretString:
            raise error("ResourceExistsException")
        if known is None:
            labels = VersionStages or [CURRENT]
            if len({*secret.labels, *labels}) > _MOST_LABELS:
                raise error("LimitExceededException")
            secret.values[ClientRequestToken] = SecretString
            for label in labels:
                self._label(secret, label, ClientRequestToken)
            self._after(secret)
        stages = secret.stages().get(ClientRequestToken, [])
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": ClientRequestToken,
            "VersionStages": stages,
        }

    def update_secret_version_stage(
        self,
        *,
        SecretId: str,
        VersionStage: str,
        RemoveFromVersionId: str = "",
        MoveToVersionId: str = "",
    ) -> dict[str, Any]:
        secret = self._usable(SecretId)
        holder = secret.labels.get(VersionStage)
        if MoveToVersionId and MoveToVersionId not in secret.values:
            raise error("ResourceNotFoundException", "there is no such version")
        if MoveToVersionId:
            if holder not in {None, MoveToVersionId} and RemoveFromVersionId != holder:
                raise error("InvalidParameterException", "the label is at another version")
            if RemoveFromVersionId and holder != RemoveFromVersionId:
                raise error("InvalidParameterException", "the label is at another version")
            self._label(secret, VersionStage, MoveToVersionId)
        else:
            if holder is None or holder != RemoveFromVersionId:
                raise error("InvalidParameterException", "the label is not at this version")
            if VersionStage == CURRENT:
                raise error("InvalidParameterException", "AWSCURRENT can only be moved")
            del secret.labels[VersionStage]
        self._after(secret)
        return {"ARN": secret.arn, "Name": secret.name}

    def get_secret_value(
        self,
        *,
        SecretId: str,
        VersionId: str = "",
        VersionStage: str = "",
    ) -> dict[str, Any]:
        secret = self._usable(SecretId)
        version = VersionId or secret.labels.get(VersionStage or CURRENT, "")
        if version not in secret.values:
            raise error("ResourceNotFoundException", "there is no such version")
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version,
            "SecretString": secret.values[version],
            "VersionStages": secret.stages().get(version, []),
        }

    def describe_secret(self, *, SecretId: str) -> dict[str, Any]:
        secret = self._found(SecretId)
        described = {
            "ARN": secret.arn,
            "Name": secret.name,
            "Tags": secret.tags,
            "VersionIdsToStages": secret.stages(),
            "CreatedDate": _moment(secret.created_at),
        }
        if secret.scheduled_at is not None:
            described["DeletedDate"] = _moment(secret.gone_at)
        return described

    def delete_secret(
        self,
        *,
        SecretId: str,
        RecoveryWindowInDays: int = 30,
        ForceDeleteWithoutRecovery: bool = False,
    ) -> dict[str, Any]:
        now, secret = self.clock(), self._find(SecretId)
        if ForceDeleteWithoutRecovery:
            if secret:
                del self.secrets[secret.name]
                self._removed.append((now, secret))
                self.changed(secret.name)
            return {"Name": SecretId, "DeletionDate": _moment(now)}
        if secret is None:
            raise error("ResourceNotFoundException")
        if secret.scheduled_at is not None:
            raise error("InvalidRequestException", "it is scheduled for deletion already")
        secret.scheduled_at, secret.gone_at = now, now + RecoveryWindowInDays * _DAY
        self.changed(secret.name)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "DeletionDate": _moment(secret.gone_at),
        }

    def restore_secret(self, *, SecretId: str) -> dict[str, Any]:
        secret = self._found(SecretId)
        secret.scheduled_at = None
        self.changed(secret.name)
        return {"ARN": secret.arn, "Name": secret.name}

    def list_secrets(
        self,
        *,
        Filters: list[dict[str, Any]] | None = None,
        IncludePlannedDeletion: bool = False,
        MaxResults: int = 100,
        NextToken: str = "",
        **options: Any,
    ) -> dict[str, Any]:
        until = self.clock() - self.lag()
        self._drop()
        shown = [one for one in self.secrets.values() if one.created_at <= until]
        # Those that were removed since are listed still.
        shown += [one for time, one in self._removed if time > until]
        for wanted in Filters or []:
            assert wanted["Key"] == "name", wanted
            shown = [one for one in shown if any(one.name.startswith(v) for v in wanted["Values"])]
        if not IncludePlannedDeletion:
            shown = [one for one in shown if one.scheduled_at is None]
        shown.sort(key=lambda one: one.name)
        first = int(NextToken or 0)
        page = shown[first : first + MaxResults]
        answer: dict[str, Any] = {
            "SecretList": [self._listed(one) for one in page],
        }
        if first + MaxResults < len(shown):
            answer["NextToken"] = str(first + MaxResults)
        return answer

    def _listed(self, secret: Secret) -> dict[str, Any]:
        listed = {
            "ARN": secret.arn,
            "Name": secret.name,
            "Tags": secret.tags,
            "CreatedDate": _moment(secret.created_at),
            "LastChangedDate": _moment(secret.created_at),
            "SecretVersionsToStages": secret.stages(),
        }
        if secret.scheduled_at is not None:
            listed["DeletedDate"] = _moment(secret.gone_at)
        return listed

    def _label(self, secret: Secret, label: str, version: str) -> None:
        before = secret.labels.get(label)
        secret.labels[label] = version
        if label == CURRENT and before and before != version:
            secret.labels[PREVIOUS] = before

    def _after(self, secret: Secret) -> None:
        if self.forget():
            kept = set(secret.labels.values())
            secret.values = {key: one for key, one in secret.values.items() if key in kept}
        self.changed(secret.name)

    def _drop(self) -> None:
        now = self.clock()
        over = [
            one.name
            for one in self.secrets.values()
            if one.scheduled_at is not None and one.gone_at <= now
        ]
        for name in over:
            self._removed.append((now, self.secrets.pop(name)))

    def _find(self, secret_id: str) -> Secret | None:
        self._drop()
        if not secret_id.startswith("arn:"):
            return self.secrets.get(secret_id)
        return next((one for one in self.secrets.values() if one.arn == secret_id), None)

    def _found(self, secret_id: str) -> Secret:
        if secret := self._find(secret_id):
            return secret
        raise error("ResourceNotFoundException")

    def _usable(self, secret_id: str) -> Secret:
        secret = self._found(secret_id)
        if secret.scheduled_at is not None:
            raise error("InvalidRequestException", "it is scheduled for deletion")
        return secret


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""`make preflight`: whether an account and a region are ready for namely-link."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployment.report import Row, State, failed, is_denied, table
from deployment.target import ROOT, CommandError, find_region, in_region, session
from deployment.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

type Client = Any
"""What boto3 makes of a service."""

INLINE: Final = 51_200
LARGEST: Final = 1_000_000
"""Bytes of a template, sent with the call and put into S3."""
RESOURCES: Final = 500
SECRETS: Final = 500_000
"""Secrets that a region holds, if Service Quotas tells nothing else."""
LISTED: Final = 2_000
"""Secrets that are counted one by one where no metric tells."""

_UPDATABLE: Final = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}


@dataclass(frozen=True, kw_only=True)
class Existing:
    """A stack that is there already; `values` has HIDDEN for NoEcho parameters."""

    status: str
    values: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What was found; `log_role` is the value for GatewayLogRole of a new stack."""

    rows: tuple[Row, ...]
    account: str = ""
    caller: str = ""
    existing: Existing | None = None
    log_role: str = "none"


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which stack is to be deployed where, and how to ask AWS about it."""

    stack: str
    region: str
    region_from: str
    accounts: int
    template: Template
    client: Callable[[str], Client]
    regions: frozenset[str] = frozenset()

    def answer(self) -> Preflight:
        """Look at everything; what can't be asked is a row that says so."""
        here = [_python(), self._region(), self._size()]
        try:
            caller = self.client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            advice = (
                "Sign in (aws sso login, aws configure), or set AWS_PROFILE or AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY."
            )
            return Preflight(rows=(Row("credentials", State.FAIL, str(error), advice), *here))
        found = f"{caller['Arn']}, account {caller['Account']}"
        existing, stack = self._stack()
        log_role, gateway = self._gateway()
        asked = [
            stack,
            gateway,
            _asked("functions at once", "lambda:GetAccountSettings", self._concurrency),
            _asked("secrets", "secretsmanager:ListSecrets", self._secrets),
        ]
        return Preflight(
            rows=(Row("credentials", State.OK, found), *here, *asked),
            account=caller["Account"],
            caller=caller["Arn"],
            existing=existing,
            log_role=log_role,
        )

    def _region(self) -> Row:
        if self.regions and self.region not in self.regions:
            return Row(
                "region",
                State.WARN,
                f"{self.region}, which boto3 does not know",
                "Is it spelt right?",
            )
        return Row("region", State.OK, f"{self.region} (from {self.region_from})")

    def _size(self) -> Row:
        resources, size = self.template.transformed(self.region)
        found = f"{resources} of {RESOURCES} resources, {size:,} of {LARGEST:,} bytes"
        if resources > RESOURCES or size > LARGEST:
            return Row("template", State.FAIL, found, "CloudFormation takes no more.")
        found += f", sent by S3 (a call takes {INLINE:,})" if size > INLINE else ""
        return Row("template", State.OK, found)

    def _stack(self) -> tuple[Existing | None, Row]:
        """Return the stack of this name, None where there is none or it can't be told."""
        try:
            (said,) = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None, Row("stack", State.OK, f"{self.stack} is new")
            return None, _unknown("stack", "cloudformation:DescribeStacks", error)
        except BotoCoreError as error:
            return None, _unknown("stack", "cloudformation:DescribeStacks", error)
        status = said["StackStatus"]
        if status == "REVIEW_IN_PROGRESS":  # a change set that was never carried out
            return None, Row("stack", State.OK, f"{self.stack} is new ({status})")
        existing = Existing(
            status=status,
            values={
                one["ParameterKey"]: one["ParameterValue"] for one in said.get("Parameters", [])
            },
            outputs={one["OutputKey"]: one["OutputValue"] for one in said.get("Outputs", [])},
        )
        return existing, self._state(status)

    def _state(self, status: str) -> Row:
        found = f"{self.stack} is {status}"
        here = f"--stack-name {self.stack} --region {self.region}"
        if status in _UPDATABLE:
            return Row("stack", State.OK, f"{found} and will be updated")
        if status.endswith("_IN_PROGRESS"):
            return Row("stack", State.FAIL, found, "Somebody is at it: wait until that is over.")
        if status == "UPDATE_ROLLBACK_FAILED":
            advice = f"Mend what it names, then: aws cloudformation continue-update-rollback {here}"
            return Row("stack", State.FAIL, found, advice)
        advice = f"It can't be updated. Delete it: aws cloudformation delete-stack {here}"
        return Row("stack", State.FAIL, found, advice)

    def _gateway(self) -> tuple[str, Row]:
        """Return what GatewayLogRole has to be in this region for a new stack, and the row."""
        name = "API Gateway's logs"
        try:
            role = self.client("apigateway").get_account().get("cloudwatchRoleArn", "")
        except (BotoCoreError, ClientError) as error:
            row = _unknown(name, "apigateway:GET", error)
            more = "Without knowing, the API is deployed without access logs (GatewayLogRole=none)."
            return "none", Row(row.name, row.state, row.found, f"{row.advice} {more}".strip())
        if not role:
            return "create", Row(
                name,
                State.OK,
                "no role in this region yet; GatewayLogRole=create makes one",
            )
        try:
            self.client("iam").get_role(RoleName=role.rpartition("/")[2])
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return "create", Row(
                    name,
                    State.OK,
                    f"{role} is gone; GatewayLogRole=create makes another one",
                )
        except BotoCoreError:
            pass  # that API Gateway has it is what counts
        return "existing", Row(name, State.OK, f"by {role} (GatewayLogRole=existing)")

    def _concurrency(self) -> Row:
        limit = self.client("lambda").get_account_settings()["AccountLimit"]
        most, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
        found = f"{most:,} in this region, {free:,} not reserved by others"
        if free >= 100:
            return Row("functions at once", State.OK, found)
        advice = (
            "Enough to try it, but a few people at once meet 429. Ask for more, which costs "
            "nothing: aws service-quotas request-service-quota-increase --service-code lambda "
            f"--quota-code L-B99A9384 --desired-value 1000 --region {self.region}"
        )
        return Row("functions at once", State.WARN, found, advice)

    def _secrets(self) -> Row:
        quota, there = self._quota(), self._secrets_there()
        found = (
            f"{there} in this region and {self.accounts:,} planned (ACCOUNTS), of {quota:,} at most"
        )
        needed = int(re.sub(r"\D", "", there)) + self.accounts
        several = "Spread the accounts over several stacks, in other regions or AWS accounts."
        if needed > quota:
            return Row("secrets", State.FAIL, found, several)
        if needed > quota * 0.8:
            return Row("secrets", State.WARN, found, several)
        return Row("secrets", State.OK, found)

    def _quota(self) -> int:
        """Return the quota of secrets; the documented one where Service Quotas may not be asked."""
        try:
            pages = self.client("service-quotas").get_paginator("list_service_quotas")
            for page in pages.paginate(ServiceCode="secretsmanager"):
                for one in page["Quotas"]:
                    if one["QuotaName"] == "Secrets":
                        return int(one["Value"])
        except (BotoCoreError, ClientError):
            pass
        return SECRETS

    def _secrets_there(self) -> str:
        """Return how many secrets there are: by AWS's hourly metric, or counted up to a limit."""
        now = datetime.now(UTC)
        told = {"Service": "Secrets Manager", "Type": "Resource"}
        told |= {"Resource": "SecretCount", "Class": "None"}
        try:
            points = self.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/SecretsManager",
                MetricName="ResourceCount",
                Dimensions=[{"Name": key, "Value": value} for key, value in told.items()],
                StartTime=now - timedelta(hours=6),
                EndTime=now,
                Period=3600,
                Statistics=["Maximum"],
            )["Datapoints"]
        except (BotoCoreError, ClientError):
            points = []
        if points:
            return f"{max(points, key=lambda one: one['Timestamp'])['Maximum']:,.0f}"
        pages = self.client("secretsmanager").get_paginator("list_secrets")
        listed = pages.paginate(
            IncludePlannedDeletion=True, PaginationConfig={"MaxItems": LISTED, "PageSize": 100}
        )
        count = sum(len(page["SecretList"]) for page in listed)
        return f"{count:,}" if count < LISTED else f"{count:,} or more"


def _python() -> Row:
    """Look for the Python that `sam build` runs."""
    try:
        done = subprocess.run(
            ["python3.13", "-m", "pip", "--version"],  # noqa: S607 - the one on the PATH is meant
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return Row("python3.13", State.FAIL, "not on the PATH", "Install Python 3.13.")
    if done.returncode:
        advice = "Install pip for it: python3.13 -m ensurepip, or the package python3-pip."
        return Row("python3.13", State.FAIL, "on the PATH, but without pip", advice)
    return Row("python3.13", State.OK, "on the PATH, with pip")


def _asked(name: str, permission: str, ask: Callable[[], Row]) -> Row:
    try:
        return ask()
    except (BotoCoreError, ClientError) as error:
        return _unknown(name, permission, error)


def _unknown(name: str, permission: str, error: Exception) -> Row:
    if is_denied(error):
        return Row(name, State.UNKNOWN, "may not be asked", f"The permission is {permission}.")
    return Row(name, State.UNKNOWN, f"can't be asked ({permission}): {error}")


def clients(environ: Mapping[str, str]) -> Callable[[str], Client]:
    """Return what makes a client of a service; one that is asked in vain gives up soon."""
    made, endpoint = session(environ), environ.get("AWS_ENDPOINT_URL")
    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})

    def client(service: str) -> Client:
        return made.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload] # the name is not a literal

    return client


def main() -> int:
    """Print the table; 1 where something is in the way."""
    parser = argparse.ArgumentParser(prog="make preflight", description=__doc__)
    parser.add_argument("--stack", default="namely-link", help="default: %(default)s")
    parser.add_argument("--region", default="", help="default: that of the environment or profile")
    parser.add_argument("--accounts", type=int, default=1000, help="accounts that are to be linked")
    asked = parser.parse_args()
    try:
        region, source = find_region(os.environ, asked.region)
        if not region:
            msg = "There is no region: say REGION=eu-central-1, or set AWS_REGION."
            raise CommandError(msg)
        environ = in_region(os.environ, region)
        made = session(environ)
        found = Question(
            stack=asked.stack,
            region=region,
            region_from=source,
            accounts=asked.accounts,
            template=Template.read(ROOT / "template.yaml"),
            client=clients(environ),
            regions=frozenset(made.get_available_regions("lambda")),
        ).answer()
    except (CommandError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    print(table(found.rows))
    return 1 if failed(found.rows) else 0


if __name__ == "__main__":
    sys.exit(main())

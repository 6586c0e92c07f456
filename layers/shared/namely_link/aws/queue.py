"""SQS: the only module that knows it. Checks wait there to be made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from namely_link.domain.problems import StorageError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, kw_only=True)
class CheckQueue:
    """Asks for checks. One that comes twice is made twice, and harmless."""

    client: SQSClient
    url: str

    def put(self, account_id: str, *, asked_by: str = "") -> None:
        """Ask for a check; `asked_by` is the name for the ledger, empty for the sweep.

        Raises:
            StorageError: it may have been asked for.
        """
        body = json.dumps({"account_id": account_id, "asked_by": asked_by})
        try:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)
        except (ClientError, BotoCoreError) as error:
            msg = f"SendMessage: {type(error).__name__}"
            raise StorageError(msg) from error

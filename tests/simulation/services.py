"""SQS, EventBridge and KMS in memory: what the product sends goes to whoever takes it on."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulation.errors import Exceptions, error

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Queue:
    """The queues; `sent` takes each message on, with the queue's address.

    `refuses` says whether a message of a batch is not taken.
    """

    sent: Callable[[str, str], None]
    refuses: Callable[[], bool] = lambda: False
    exceptions: Exceptions = field(default_factory=Exceptions)

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> dict[str, Any]:
        self.sent(QueueUrl, MessageBody)
        return {"MessageId": "m"}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        if not Entries:
            raise error("AWS.SimpleQueueService.EmptyBatchRequest")
        if len(Entries) > 10:
            raise error("AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
        if len({one["Id"] for one in Entries}) < len(Entries):
            raise error("AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
        taken, failed = [], []
        for entry in Entries:
            if self.refuses():
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"})
            else:
                self.sent(QueueUrl, entry["MessageBody"])
                taken.append({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""})
        return {key: some for key, some in (("Successful", taken), ("Failed", failed)) if some}


@dataclass
class Bus:
    """The event bus; `refuses` says whether an entry is not taken, `put` takes those that are."""

    put: Callable[[dict[str, Any]], None]
    refuses: Callable[[], bool] = lambda: False
    exceptions: Exceptions = field(default_factory=Exceptions)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if not 1 <= len(Entries) <= 10:
            raise error("ValidationException")
        answers: list[dict[str, str]] = []
        for entry in Entries:
            if self.refuses():
                answers.append({"ErrorCode": "ThrottlingException", "ErrorMessage": ""})
            else:
                self.put(entry)
                answers.append({"EventId": "e"})
        failed = sum("ErrorCode" in one for one in answers)
        return {"FailedEntryCount": failed, "Entries": answers}


@dataclass
class Kms:
    """One key. A ciphertext opens with the encryption context that it was made with."""

    exceptions: Exceptions = field(default_factory=Exceptions)

    def encrypt(
        self,
        *,
        KeyId: str,
        Plaintext: bytes,
        EncryptionContext: dict[str, str],
    ) -> dict[str, Any]:
        text = base64.b64encode(Plaintext).decode()[::-1]
        sealed = json.dumps([text, sorted(EncryptionContext.items())]).encode()
        return {"CiphertextBlob": sealed, "KeyId": KeyId}

    def decrypt(
        self,
        *,
        CiphertextBlob: bytes,
        EncryptionContext: dict[str, str],
        KeyId: str = "",
    ) -> dict[str, Any]:
        if not 1 <= len(CiphertextBlob) <= 6144:
            raise error("ValidationException")
        try:
            text, context = json.loads(CiphertextBlob)
        except ValueError:
            raise error("InvalidCiphertextException") from None
        if context != [list(one) for one in sorted(EncryptionContext.items())]:
            raise error("InvalidCiphertextException")
        return {"Plaintext": base64.b64decode(text[::-1]), "KeyId": KeyId}

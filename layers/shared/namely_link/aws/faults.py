"""What botocore raises, by name alone: its messages, and AWS's, may quote what was sent."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from namely_link.domain.problems import StorageError

FAULTS: Final = (ClientError, BotoCoreError)


def code_of(error: Exception) -> str:
    """Return the code that AWS answered with, or the class of a call that got no answer.

    SQS has two codes for each of its errors; the class has the one of the documentation.
    """
    if type(error) is ClientError:
        return error.response["Error"]["Code"]
    return type(error).__name__


def storage_error(operation: str, error: Exception) -> StorageError:
    """Name what failed; raised `from None`, as tracebacks are logged with their causes."""
    return StorageError(f"{operation}: {code_of(error)}")

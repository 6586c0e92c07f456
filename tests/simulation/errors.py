"""What botocore raises, without botocore's machinery: the doubles of AWS raise these."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.exceptions import ClientError


@cache
def kind(code: str) -> type[ClientError]:
    """Return the class of an error code, the same one each time: `client.exceptions` has them."""
    return type(code, (ClientError,), {})


def error(code: str, message: str = "", *, status: int = 400, **more: Any) -> ClientError:
    """Return the error that AWS answers with."""
    response = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    } | more
    return kind(code)(response, "Operation")


class Exceptions:
    """`client.exceptions`."""

    def __getattr__(self, code: str) -> type[ClientError]:
        return kind(code)

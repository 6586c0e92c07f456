"""KMS: the only module that knows it. Tokens travel through event buses sealed under its key."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from namely_link.aws.faults import FAULTS, code_of, storage_error
from namely_link.domain.problems import SealBrokenError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


_LARGEST: Final = 6144
"""Bytes of a ciphertext that KMS takes."""

_BROKEN: Final = frozenset(
    ("InvalidCiphertextException", "IncorrectKeyException", "ValidationException")
)
"""What KMS answers to a text that it has not made itself, for this key and context; to an empty
or too long one with the last. All others are faults of the stack: the key is named in the call, so
that AccessDeniedException says nothing of the text. (KMS finds the key by the text otherwise, and
refuses the role a stranger's.)"""


@dataclass(frozen=True, kw_only=True)
class KmsSeal:
    """Seals and unseals texts; whatever the text is bound to is the encryption context.

    `expires_at` is RFC 3339 in UTC with whole seconds. KMS does not know what it means: whoever
    unseals compares it with the clock.
    """

    client: KMSClient
    key_arn: str

    def seal(
        self, text: str, *, owner_id: str, subdomain: str, request_id: str, expires_at: str
    ) -> str:
        """Return the text as Base64 of a KMS ciphertext.

        Raises:
            StorageError: KMS failed.
        """
        try:
            sealed = self.client.encrypt(
                KeyId=self.key_arn,
                Plaintext=text.encode(),
                EncryptionContext=_context(owner_id, subdomain, request_id, expires_at),
            )
        except FAULTS as error:
            raise storage_error("Encrypt", error) from None
        return base64.b64encode(sealed["CiphertextBlob"]).decode()

    def unseal(
        self, sealed: str, *, owner_id: str, subdomain: str, request_id: str, expires_at: str
    ) -> str:
        """Return the text.

        Raises:
            SealBrokenError: another key or context, or no ciphertext.
            StorageError: KMS failed.
        """
        try:
            opened = self.client.decrypt(
                KeyId=self.key_arn,
                CiphertextBlob=_ciphertext(sealed),
                EncryptionContext=_context(owner_id, subdomain, request_id, expires_at),
            )
        except FAULTS as error:
            if code_of(error) in _BROKEN:
                msg = f"Decrypt: {code_of(error)}"
                raise SealBrokenError(msg) from None
            raise storage_error("Decrypt", error) from None
        try:
            return opened["Plaintext"].decode()
        except UnicodeDecodeError:
            msg = "no text inside"
            raise SealBrokenError(msg) from None


def _ciphertext(sealed: str) -> bytes:
    try:
        ciphertext = base64.b64decode(sealed, validate=True)
    except ValueError:
        msg = "no Base64"
        raise SealBrokenError(msg) from None
    if not 0 < len(ciphertext) <= _LARGEST:
        msg = "no ciphertext"
        raise SealBrokenError(msg)
    return ciphertext


def _context(owner_id: str, subdomain: str, request_id: str, expires_at: str) -> dict[str, str]:
    return {
        "owner_id": owner_id,
        "subdomain": subdomain,
        "request_id": request_id,
        "expires_at": expires_at,
    }

"""KMS: the only module that knows it. Tokens travel through event buses sealed under its key."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from namely_link.domain.problems import SealBrokenError, StorageError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


@dataclass(frozen=True, kw_only=True)
class KmsSeal:
    """Seals and unseals texts; owner and subdomain are the encryption context."""

    client: KMSClient
    key_arn: str

    def seal(self, text: str, *, owner_id: str, subdomain: str) -> str:
        """Return the text as Base64 of a KMS ciphertext.

        Raises:
            StorageError: KMS failed.
        """
        try:
            sealed = self.client.encrypt(
                KeyId=self.key_arn,
                Plaintext=text.encode(),
                EncryptionContext=_context(owner_id, subdomain),
            )
        except (ClientError, BotoCoreError) as error:
            msg = f"Encrypt: {type(error).__name__}"
            raise StorageError(msg) from None
        return base64.b64encode(sealed["CiphertextBlob"]).decode()

    def unseal(self, sealed: str, *, owner_id: str, subdomain: str) -> str:
        """Return the text.

        Raises:
            SealBrokenError: another key, owner or subdomain, or no ciphertext.
            StorageError: KMS failed.
        """
        try:
            opened = self.client.decrypt(
                KeyId=self.key_arn,
                CiphertextBlob=base64.b64decode(sealed, validate=True),
                EncryptionContext=_context(owner_id, subdomain),
            )
            return opened["Plaintext"].decode()
        except (
            self.client.exceptions.InvalidCiphertextException,
            self.client.exceptions.IncorrectKeyException,
            binascii.Error,
            UnicodeDecodeError,
        ) as error:
            msg = type(error).__name__
            raise SealBrokenError(msg) from None
        except (ClientError, BotoCoreError) as error:
            msg = f"Decrypt: {type(error).__name__}"
            raise StorageError(msg) from None


def _context(owner_id: str, subdomain: str) -> dict[str, str]:
    return {"owner_id": owner_id, "subdomain": subdomain}

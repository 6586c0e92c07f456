"""The seal against moto, which is right about encryption contexts."""

import base64

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from namely_link.aws.seal import KmsSeal
from namely_link.domain.problems import SealBrokenError, StorageError

TOKEN = "g" * 64
BOUND = {
    "owner_id": "o1",
    "subdomain": "acme",
    "request_id": "q1",
    "expires_at": "2100-01-01T00:00:00Z",
}


@pytest.fixture
def kms(aws):
    return aws("kms")


@pytest.fixture
def seal(kms) -> KmsSeal:
    return KmsSeal(client=kms, key_arn=kms.create_key()["KeyMetadata"]["Arn"])


def test_what_is_sealed_opens_for_its_request(seal: KmsSeal) -> None:
    sealed = seal.seal(TOKEN, **BOUND)
    assert TOKEN not in sealed
    assert seal.unseal(sealed, **BOUND) == TOKEN


@pytest.mark.parametrize("name", BOUND)
def test_a_seal_does_not_open_for_another_request(seal: KmsSeal, name: str) -> None:
    sealed = seal.seal(TOKEN, **BOUND)
    with pytest.raises(SealBrokenError):
        seal.unseal(sealed, **BOUND | {name: "another"})


@pytest.mark.parametrize("sealed", ["no base64!", "é", "", base64.b64encode(b"x" * 6145).decode()])
def test_what_is_no_seal_does_not_open(seal: KmsSeal, sealed: str) -> None:
    with pytest.raises(SealBrokenError):
        seal.unseal(sealed, **BOUND)


@pytest.mark.parametrize(
    "code", ["InvalidCiphertextException", "IncorrectKeyException", "ValidationException"]
)
def test_what_kms_does_not_take_is_a_broken_seal(kms, seal: KmsSeal, code: str) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error("decrypt", code)
        with pytest.raises(SealBrokenError):
            seal.unseal("YQ==", **BOUND)


def test_the_key_is_named_where_a_seal_is_opened(kms, seal: KmsSeal) -> None:
    """Otherwise KMS looks for it by the text, and a stranger's key looks like a lack of rights."""
    expected = {"KeyId": seal.key_arn, "CiphertextBlob": b"a", "EncryptionContext": BOUND}
    with Stubber(kms) as stub:
        stub.add_response("decrypt", {"Plaintext": TOKEN.encode()}, expected)
        assert seal.unseal("YQ==", **BOUND) == TOKEN


def test_what_is_no_text_does_not_open(kms, seal: KmsSeal) -> None:
    with Stubber(kms) as stub:
        stub.add_response("decrypt", {"Plaintext": b"\xff"})
        with pytest.raises(SealBrokenError, match="no text"):
            seal.unseal("YQ==", **BOUND)


@pytest.mark.parametrize("operation", ["encrypt", "decrypt"])
def test_a_fault_of_kms_is_translated(kms, seal: KmsSeal, operation: str) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error(operation, "KMSInternalException")
        call = seal.seal if operation == "encrypt" else seal.unseal
        with pytest.raises(StorageError):
            call("YQ==", **BOUND)


def test_kms_out_of_reach_is_translated(kms, seal: KmsSeal) -> None:
    def fail(**_unused: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://kms.example.com")

    kms.meta.events.register("before-send", fail)
    with pytest.raises(StorageError):
        seal.unseal("YQ==", **BOUND)

"""Queue, bus and seal against moto; requests from the event bus end to end."""

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from namely_link.aws.registry import DynamoDbRegistry, published

from namely_link.aws.bus import EventBridgeBus
from namely_link.aws.queue import CheckQueue
from namely_link.aws.seal import KmsSeal
from namely_link.commands.requests import HOW_TO_SEAL, Intake, TryAgainError
from namely_link.domain.account import Status
from namely_link.domain.problems import SealBrokenError, StorageError
from world import DOWN, GOOD, Queue, World

REGION = "eu-central-1"


@pytest.fixture
def kms(table):
    return boto3.client("kms", region_name=REGION)


@pytest.fixture
def seal(kms) -> KmsSeal:
    return KmsSeal(client=kms, key_arn=kms.create_key()["KeyMetadata"]["Arn"])


BOUND = {
    "owner_id": "o1",
    "subdomain": "acme",
    "request_id": "q1",
    "expires_at": "2100-01-01T00:00:00Z",
}


def test_what_is_sealed_opens_for_its_request(seal: KmsSeal) -> None:
    sealed = seal.seal(GOOD, **BOUND)
    assert GOOD not in sealed
    assert seal.unseal(sealed, **BOUND) == GOOD


@pytest.mark.parametrize("name", BOUND)
def test_a_seal_does_not_open_for_another_request(seal: KmsSeal, name: str) -> None:
    sealed = seal.seal(GOOD, **BOUND)
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


def test_kms_out_of_reach_is_translated(kms, seal: KmsSeal) -> None:
    def fail(**_unused: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://kms.example.com")

    kms.meta.events.register("before-send", fail)
    with pytest.raises(StorageError):
        seal.unseal("YQ==", **BOUND)


@pytest.mark.parametrize("operation", ["encrypt", "decrypt"])
def test_a_fault_of_kms_is_translated(kms, seal: KmsSeal, operation: str) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error(operation, "KMSInternalException")
        call = seal.seal if operation == "encrypt" else seal.unseal
        with pytest.raises(StorageError):
            call("YQ==", **BOUND)


def test_a_check_waits_in_the_queue(table) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="checks")["QueueUrl"]
    CheckQueue(client=sqs, url=url).put("acc_1", asked_by="backend")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"account_id": "acc_1", "asked_by": "backend"}


def test_a_fault_of_the_queue_is_translated(table) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    with pytest.raises(StorageError, match="SendMessage"):
        CheckQueue(client=sqs, url="https://sqs.eu-central-1.amazonaws.com/1/none").put("acc_1")


@pytest.fixture
def events(table):
    return boto3.client("events", region_name=REGION)


def test_events_are_put_ten_at_a_time_in_their_order(events) -> None:
    bus = EventBridgeBus(client=events, name="default")
    with Stubber(events) as stub:
        for first in (0, 10):
            entries = [
                {
                    "EventBusName": "default",
                    "Source": "namely-link",
                    "DetailType": "Account Linked",
                    "Detail": json.dumps({"n": n}),
                }
                for n in range(first, min(first + 10, 12))
            ]
            stub.add_response(
                "put_events", {"FailedEntryCount": 0, "Entries": []}, {"Entries": entries}
            )
        bus.put([("Account Linked", {"n": n}) for n in range(12)])
        stub.assert_no_pending_responses()


def test_an_event_that_was_not_taken_is_a_fault(events) -> None:
    bus = EventBridgeBus(client=events, name="default")
    failed = {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "Throttling"}]}
    with Stubber(events) as stub:
        stub.add_response("put_events", failed)
        with pytest.raises(StorageError, match="Throttling"):
            bus.put([("Account Linked", {})])


def test_a_fault_of_the_bus_is_translated(events) -> None:
    with Stubber(events) as stub:
        stub.add_client_error("put_events", "InternalException")
        with pytest.raises(StorageError):
            EventBridgeBus(client=events, name="default").put([("Account Linked", {})])


@dataclass
class Desk:
    """An intake, and what it has told."""

    world: World
    seal: KmsSeal
    queue: Queue = field(default_factory=Queue)

    def handle(self, kind: str, detail: Any, **changes: object) -> str:
        world = self.world
        intake = Intake(
            ports=world.ports(),
            registry=world.registry,
            seal=self.seal,
            checks=self.queue,
            manager=lambda actor, request_id: replace(
                world.manager(), actor=actor, request_id=request_id
            ),
        )
        event = {"id": "e1", "detail-type": kind, "source": "crm", "detail": detail} | changes
        return intake.handle(event)

    def request(self, token: str = GOOD, **changes: object) -> dict[str, Any]:
        own = {"request_id", "expires_at"} & changes.keys()
        bound = BOUND | {name: str(changes[name]) for name in own}
        sealed = self.seal.seal(token, **bound)
        return BOUND | {"owner_name": "Owner One", "sealed_token": sealed} | changes

    def notices(self) -> list[dict[str, Any]]:
        return [
            detail
            for row in self.world.rows()
            if row["sk"]["S"] == "NOTICE"
            for kind, detail in published({"NewImage": row})
            if kind == "Link Rejected"
        ]

    def accounts(self) -> list[Any]:
        return self.world.registry.every(owner_id="o1", subdomain="")


@pytest.fixture
def desk(world: World, seal: KmsSeal) -> Desk:
    return Desk(world, seal)


def test_a_sealed_token_links_an_account(desk: Desk) -> None:
    assert desk.handle("Link Requested", desk.request(label="Main")) == "linked"
    (account,) = desk.accounts()
    assert (account.status, account.label) == (Status.ACTIVE, "Main")
    entry = desk.world.registry.ledger(account.id)[0]
    assert (entry.actor.kind, entry.actor.name, entry.request_id) == ("event", "crm", "q1")


def test_the_same_request_again_changes_nothing(desk: Desk) -> None:
    request = desk.request()
    desk.handle("Link Requested", request)
    before = desk.accounts()
    assert desk.handle("Link Requested", request) == "linked"
    assert desk.accounts() == before


def test_a_request_without_its_id_opens_no_seal(desk: Desk) -> None:
    request = {key: one for key, one in desk.request().items() if key != "request_id"}
    assert desk.handle("Link Requested", request) == "refused: invalid_request"
    assert desk.accounts() == []


def test_a_seal_that_has_ended_is_refused_with_how_to_seal(desk: Desk) -> None:
    request = desk.request(expires_at="2020-01-01T00:00:00Z")
    assert desk.handle("Link Requested", request) == "refused: invalid_request"
    (notice,) = desk.notices()
    assert "expires_at" in notice["detail"]


def test_a_refused_token_is_told_once_and_not_tried_again(desk: Desk) -> None:
    for _ in range(2):
        answer = desk.handle("Link Requested", desk.request("wrong" * 10))
        assert answer == "refused: token_refused"
    (notice,) = desk.notices()
    assert (notice["code"], notice["correlation_id"]) == ("token_refused", "q1")
    assert notice["account"]["owner"] == {"id": "o1", "name": "Owner One"}
    assert desk.accounts() == []


def test_a_plain_token_is_refused_and_not_repeated(desk: Desk) -> None:
    detail = {key: one for key, one in desk.request().items() if key != "sealed_token"}
    answer = desk.handle("Link Requested", detail | {"token": GOOD, "subdomain": GOOD})
    assert answer == "refused: invalid_request"
    assert desk.notices()[0]["detail"] == HOW_TO_SEAL
    assert GOOD not in json.dumps(desk.world.rows())


def test_a_plain_token_becomes_no_dead_letter(desk: Desk, monkeypatch) -> None:
    def fail(*_args: object) -> None:
        raise StorageError

    monkeypatch.setattr(DynamoDbRegistry, "notice", fail)
    assert desk.handle("Link Requested", {"token": GOOD}) == "refused: invalid_request"
    with pytest.raises(StorageError):
        desk.handle("Link Requested", {"owner_id": "o1"})


@pytest.mark.parametrize(
    "changes",
    [
        {"owner_id": "o2"},
        {"sealed_token": "nonsense!"},
        {"subdomain": "evil.com/#"},
        {"owner_name": ""},
        {"surprise": 1},
    ],
)
def test_a_request_that_can_never_work_is_refused(desk: Desk, changes: dict[str, Any]) -> None:
    assert desk.handle("Link Requested", desk.request(**changes)).startswith("refused: invalid_")
    assert len(desk.notices()) == 1


@pytest.mark.parametrize("detail", [None, [], "text"])
def test_a_request_without_detail_is_refused(desk: Desk, detail: object) -> None:
    assert desk.handle("Link Requested", detail) == "refused: invalid_request"


def test_an_outage_is_tried_again_by_the_bus(desk: Desk) -> None:
    desk.world.namely.down = DOWN
    with pytest.raises(TryAgainError):
        desk.handle("Link Requested", desk.request())
    assert (desk.notices(), desk.accounts()) == ([], [])


def test_a_request_beyond_the_owners_limit_is_tried_again(desk: Desk, monkeypatch) -> None:
    ports = replace(desk.world.ports(), owner_attempts=1)
    monkeypatch.setattr(World, "ports", lambda _: ports)
    desk.handle("Link Requested", desk.request())
    with pytest.raises(TryAgainError, match="attempts_exhausted"):
        desk.handle("Link Requested", desk.request(request_id="q2"))
    assert desk.notices() == []


@pytest.mark.parametrize("by", ["account_id", "owner_id", "subdomain"])
def test_checks_are_asked_for_by_account_owner_or_subdomain(desk: Desk, by: str) -> None:
    account = desk.world.linked()
    value = {"account_id": account.id, "owner_id": "o1", "subdomain": "acme"}[by]
    assert desk.handle("Check Requested", {by: value}) == "queued: 1"
    assert desk.queue.waiting == [account.id]


def test_a_check_of_nothing_is_refused(desk: Desk) -> None:
    assert desk.handle("Check Requested", {}) == "refused: invalid_request"
    assert desk.handle("Check Requested", {"account_id": "acc_nobody"}) == "queued: 0"


def test_unlinking_is_asked_for_by_account(desk: Desk) -> None:
    account = desk.world.linked()
    for _ in range(2):
        assert desk.handle("Unlink Requested", {"account_id": account.id}) == "unlinked"
    assert desk.world.read(account).status is Status.UNLINKED
    assert desk.world.registry.ledger(account.id)[0].actor.name == "crm"


def test_unlinking_what_is_not_there_is_refused(desk: Desk) -> None:
    assert desk.handle("Unlink Requested", {"account_id": "x"}) == "refused: not_found"


def test_a_pending_account_is_unlinked_later(desk: Desk) -> None:
    desk.world.namely.down = DOWN
    parked = desk.world.link()
    with pytest.raises(TryAgainError):
        desk.handle("Unlink Requested", {"account_id": parked.account.id})


def test_unlinking_beside_a_link_is_tried_again(desk: Desk, monkeypatch) -> None:
    account = desk.world.linked()
    desk.world.manager().rename(account, label="x", metadata=None)
    monkeypatch.setattr(DynamoDbRegistry, "account", lambda *_: account)
    with pytest.raises(TryAgainError):
        desk.handle("Unlink Requested", {"account_id": account.id})


def test_an_unknown_event_is_refused(desk: Desk) -> None:
    assert desk.handle("Something Else", {}) == "refused: invalid_request"


def test_all_accounts_of_an_owner_are_found_over_pages(world: World, monkeypatch) -> None:
    account = world.linked()
    pages = iter([([account], account.id), ([account], "")])
    monkeypatch.setattr(DynamoDbRegistry, "accounts", lambda *_: next(pages))
    assert world.registry.every(owner_id="o1", subdomain="") == [account, account]


def record(world: World, account: Any) -> dict[str, Any]:
    rows = [row for row in world.rows() if row["sk"]["S"] == "ACCOUNT"]
    return {"NewImage": rows[0]}


def test_a_stream_record_becomes_its_events(world: World) -> None:
    account = world.linked()
    ((kind, detail),) = published(record(world, account))
    assert kind == "Account Linked"
    assert (detail["account"]["id"], detail["version"]) == (account.id, "1")
    assert detail["account"]["status"] == "active"
    assert detail["previous_status"] == "pending"


def test_an_event_of_the_old_image_is_not_told_again(world: World) -> None:
    image = record(world, world.linked())["NewImage"]
    assert published({"NewImage": image, "OldImage": image}) == []


@pytest.mark.parametrize("images", [{}, {"NewImage": {"pk": {"S": "x"}}}, {"OldImage": {}}])
def test_other_records_tell_nothing(images: dict[str, Any]) -> None:
    assert published(images) == []

"""The event bus, by what botocore is asked to send."""

import json

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from namely_link.aws.bus import EventBridgeBus
from namely_link.domain.problems import StorageError


@pytest.fixture
def events(aws):
    return aws("events")


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


def test_nothing_is_put_of_nothing(events) -> None:
    with Stubber(events):
        EventBridgeBus(client=events, name="default").put([])


def test_an_event_that_was_not_taken_is_a_fault(events) -> None:
    bus = EventBridgeBus(client=events, name="default")
    failed = {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "Throttling"}]}
    with Stubber(events) as stub:
        stub.add_response("put_events", failed)
        with pytest.raises(StorageError, match="PutEvents: Throttling"):
            bus.put([("Account Linked", {}), ("Account Updated", {})])


def test_a_fault_of_the_bus_is_translated(events) -> None:
    with Stubber(events) as stub:
        stub.add_client_error("put_events", "InternalException")
        with pytest.raises(StorageError, match="PutEvents"):
            EventBridgeBus(client=events, name="default").put([("Account Linked", {})])


def test_a_bus_out_of_reach_is_translated(events) -> None:
    def fail(**_unused: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://events.example.com")

    events.meta.events.register("before-send", fail)
    with pytest.raises(StorageError, match="PutEvents: EndpointConnectionError"):
        EventBridgeBus(client=events, name="default").put([("Account Linked", {})])

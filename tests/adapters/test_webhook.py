"""The webhook over real TLS and sockets, verified by the reference library of Standard Webhooks."""

import base64
import json
import secrets
import socket
import time
from dataclasses import replace
from typing import Any

import pytest
import standardwebhooks
from standardwebhooks.webhooks import WebhookVerificationError

from namely_link.domain.problems import UndeliveredError, UnreadableError
from namely_link.outgoing import sockets
from namely_link.outgoing import webhook as adapter
from namely_link.outgoing.webhook import Message, Webhook, message
from receiver import Got, Receiver, receiving

KEY, BEFORE = secrets.token_bytes(24), secrets.token_bytes(64)
SENT = Message("evt_01M86DJMWAMCGBG1479ZP8V8BE", '{"type": "Accoûnt"}'.encode())
DETAIL = {"event_id": SENT.id, "occurred_at": "2026-11-24T12:00:00Z", "account": {"label": "é"}}
EVENT = {"detail-type": "Account Linked", "source": "namely-link", "detail": DETAIL}


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


def send(
    receiver: Receiver,
    sent: Message = SENT,
    *,
    keys: tuple[bytes, ...] = (KEY,),
    seconds: float = 5,
) -> None:
    Webhook(receiver.url, ca_bundle=receiver.ca_pem).send(
        sent, at=int(time.time()), keys=keys, deadline=time.monotonic() + seconds
    )


def verified(got: Got, key: bytes) -> Any:
    secret = "whsec_" + base64.b64encode(key).decode()
    return standardwebhooks.Webhook(secret).verify(got.body, got.headers)


# What is sent


def test_what_is_sent_has_the_events_type_its_time_and_its_detail() -> None:
    made = message(json.dumps(EVENT))
    assert made.id == DETAIL["event_id"]
    assert json.loads(made.body) == {
        "type": "Account Linked",
        "timestamp": DETAIL["occurred_at"],
        "data": DETAIL,
    }


def test_an_event_gives_the_same_bytes_at_each_attempt() -> None:
    assert message(json.dumps(EVENT)) == message(json.dumps(EVENT | {"replay-name": "again"}))


@pytest.mark.parametrize("event_id", ["evt_01M86DJMWAMCGBG1479ZP8V8BE", f"evt_{'0a' * 16}"])
def test_an_event_of_a_change_and_one_of_a_request_have_ids_to_send(event_id: str) -> None:
    assert message(json.dumps(EVENT | {"detail": DETAIL | {"event_id": event_id}})).id == event_id


@pytest.mark.parametrize("event_id", ["", "evt_", "evt_1\r\nx: y", "evt_1.2", "msg_1", 7, None])
def test_an_id_that_is_none_of_ours_is_not_put_into_a_header(event_id: object) -> None:
    odd = EVENT | {"detail": DETAIL | {"event_id": event_id}}
    with pytest.raises(UnreadableError):
        message(json.dumps(odd))


@pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"detail-type": "x", "detail": null}'])
def test_what_is_no_event_can_not_be_read(body: str) -> None:
    with pytest.raises(UnreadableError):
        message(body)


# Its signature


def test_the_reference_library_verifies_what_comes(receiver: Receiver) -> None:
    send(receiver)
    (got,) = receiver.got
    assert verified(got, KEY) == {"type": "Accoûnt"}
    assert (got.path, got.headers["webhook-id"]) == ("/hook?of=namely-link", SENT.id)
    assert got.headers["Content-Type"] == "application/json"
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize("key", [KEY, BEFORE], ids=["current", "before"])
def test_while_a_secret_rotates_each_of_the_two_verifies(receiver: Receiver, key: bytes) -> None:
    send(receiver, keys=(KEY, BEFORE))
    (got,) = receiver.got
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    assert verified(got, key)


def test_after_a_rotation_the_secret_before_verifies_no_more(receiver: Receiver) -> None:
    send(receiver)
    with pytest.raises(WebhookVerificationError):
        verified(receiver.got[0], BEFORE)


def changed(got: Got, **headers: str) -> Got:
    return replace(got, headers=got.headers | {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize("change", ["body", "id", "timestamp"])
def test_whatever_was_changed_on_the_way_is_refused(receiver: Receiver, change: str) -> None:
    send(receiver)
    (got,) = receiver.got
    forged = {
        "body": replace(got, body=got.body.replace(b"Acco", b"Akko")),
        "id": changed(got, webhook_id="evt_2"),
        "timestamp": changed(got, webhook_timestamp=str(int(time.time()) + 1)),
    }[change]
    with pytest.raises(WebhookVerificationError):
        verified(forged, KEY)


def test_a_request_of_ten_minutes_ago_is_refused_though_it_is_signed(receiver: Receiver) -> None:
    Webhook(receiver.url, ca_bundle=receiver.ca_pem).send(
        SENT, at=int(time.time()) - 600, keys=(KEY,), deadline=time.monotonic() + 5
    )
    with pytest.raises(WebhookVerificationError, match="too old"):
        verified(receiver.got[0], KEY)


# Its answer


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_an_answer_2xx_is_success(receiver: Receiver, status: int) -> None:
    receiver.answers.append(status)
    send(receiver)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])
def test_any_other_answer_is_none_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.answers.append(status)
    with pytest.raises(UndeliveredError, match=str(status)):
        send(receiver)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("hangs", "TimeoutError"),
        ("drips", "TimeoutError"),
        ("cuts", "RemoteDisconnected"),
        ("babbles", "BadStatusLine"),
    ],
)
def test_an_answer_that_is_none_ends_by_the_deadline(
    receiver: Receiver, answer: str, error: str
) -> None:
    receiver.answers.append(answer)
    started = time.monotonic()
    with pytest.raises(UndeliveredError, match=error):
        send(receiver, seconds=1)
    assert time.monotonic() - started < 3


def test_the_body_of_an_answer_is_not_read(receiver: Receiver) -> None:
    receiver.answers.append("endless")
    started = time.monotonic()
    send(receiver, seconds=30)
    assert time.monotonic() - started < 10


def test_a_receiver_that_takes_nothing_ends_by_the_deadline(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf_url = f"https://localhost:{deaf.getsockname()[1]}/"
        started = time.monotonic()
        with pytest.raises(UndeliveredError, match="TimeoutError"):
            send(replace(receiver, url=deaf_url), seconds=0.5)
    assert time.monotonic() - started < 3


# Where it goes


def test_a_certificate_of_another_authority_is_refused(receiver: Receiver) -> None:
    with receiving() as other, pytest.raises(UndeliveredError, match="SSLCertVerificationError"):
        send(replace(receiver, ca_pem=other.ca_pem))
    assert receiver.got == []


def test_a_certificate_of_another_host_is_refused(receiver: Receiver) -> None:
    url = receiver.url.replace("localhost", "127.0.0.1")
    with pytest.raises(UndeliveredError, match="SSLCertVerificationError"):
        send(replace(receiver, url=url))


def sent_publicly(url: str) -> str:
    """Send as production does, and return what went wrong."""
    with pytest.raises(UndeliveredError) as raised:
        Webhook(url).send(SENT, at=0, keys=(KEY,), deadline=time.monotonic() + 5)
    return str(raised.value)


def test_an_address_that_is_not_public_is_refused_after_resolution(receiver: Receiver) -> None:
    assert sent_publicly(receiver.url) == "ConnectionRefusedError"
    assert receiver.got == []


def test_a_public_receiver_must_have_a_certificate_of_a_public_authority(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "public_addresses", lambda *_where: ["127.0.0.1"])
    assert sent_publicly(receiver.url) == "SSLCertVerificationError"


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("https://hooks.example.com", ("hooks.example.com", 443)),
        ("https://hooks.example.com:8443/x", ("hooks.example.com", 8443)),
    ],
)
def test_the_host_and_port_of_the_address_are_asked(
    monkeypatch: pytest.MonkeyPatch, url: str, where: tuple[str, int]
) -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        raise socket.gaierror

    monkeypatch.setattr(adapter, "public_addresses", resolve)
    assert (sent_publicly(url), asked) == ("gaierror", [where])


def test_a_host_whose_name_is_none_is_a_fault_like_any_other() -> None:
    assert sent_publicly(f"https://{'a' * 64}.example.com/") == "UnicodeEncodeError"


def test_an_address_without_a_path_is_asked_for_its_root(receiver: Receiver) -> None:
    send(replace(receiver, url=receiver.url.partition("/hook")[0]))
    assert receiver.got[0].path == "/"


def test_a_socket_sends_nothing_once_its_time_is_over() -> None:
    """What the other side doesn't take: neither its buffers nor ours are without end."""
    ours, theirs = socket.socketpair()
    reset = sockets.DEADLINE.set(time.monotonic() + 0.2)
    context = adapter.ssl.create_default_context()
    context.sslsocket_class = sockets.DeadlineSocket
    with (
        theirs,
        context.wrap_socket(
            ours, server_hostname="localhost", do_handshake_on_connect=False
        ) as connection,
    ):
        connection.settimeout(60)
        # The handshake has not begun, so that what is sent waits for the other side's part of it.
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.send(b"x")
    sockets.DEADLINE.reset(reset)
    assert time.monotonic() - started < 5

"""`webhook` over real TLS: what is taken, what comes again, and what is told of it."""

import base64
import json
import time

import boto3
import pytest
import standardwebhooks
from moto import mock_aws

import schemas
from containers import Context
from namely_link.aws.vault import KEYS_KEPT
from receiver import new_secret, receiving
from templates import ROOT

MESSAGE = "059f36b4-87a3-44ab-83d2-661975830a7d"
EVENT_ID = "evt_01M86DJMWAMCGBG1479ZP8V8BE"
AGAIN = {"batchItemFailures": [{"itemIdentifier": MESSAGE}]}
TAKEN = {"batchItemFailures": []}


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


@pytest.fixture
def secret(receiver) -> str:
    return receiver.secret


def as_template_says(current: str, before: str = "") -> str:
    """Fill in the text of the template's own secret."""
    return json.dumps({"current": current, "before": before})


@pytest.fixture
def function(environ, receiver, secret, load):
    """The function as deployed beside the receiver."""
    with mock_aws():
        manager = boto3.client("secretsmanager")
        made = manager.create_secret(Name="keys", SecretString=as_template_says(secret))
        environ.setenv("WEBHOOK_SECRET_ARN", made["ARN"])
        environ.setenv("WEBHOOK_URL", receiver.url)
        environ.setenv("STAGE", "local")
        environ.setenv("NAMELY_CA_BUNDLE", base64.b64encode(receiver.ca_pem.encode()).decode())
        yield lambda: load("webhook")


def give(module, file: str, *, before: tuple[dict, ...] = ()):
    """Give a file of `events/` to the function; return its answer and its log."""
    event = json.loads((ROOT / "events" / f"{file}.json").read_text())
    event["Records"][:0] = before
    answer = module.handler(event, Context())
    return answer, module.logger.registered_handler.stream.getvalue()


def test_an_event_is_sent_signed_and_fits_its_schema(function, receiver, secret, capsys) -> None:
    answer, logged = give(function(), "webhook/event")
    assert answer == TAKEN
    (got,) = receiver.got
    document = standardwebhooks.Webhook(secret).verify(got.body, got.headers)
    assert (document["type"], got.headers["webhook-id"]) == ("Account Linked", EVENT_ID)
    schemas.validate(document["type"], document["data"])
    assert document["timestamp"] == document["data"]["occurred_at"]
    assert '"message":"sent"' in logged
    assert f'"event_id":"{EVENT_ID}"' in logged
    assert '"WebhooksSent":[1.0]' in capsys.readouterr().out


@pytest.mark.parametrize("status", [302, 400, 410, 429, 500, 503])
def test_an_event_that_is_not_taken_comes_again(function, receiver, capsys, status: int) -> None:
    receiver.answers.append(status)
    answer, logged = give(function(), "webhook/event")
    assert answer == AGAIN
    assert '"level":"ERROR"' in logged
    assert f'"event_id":"{EVENT_ID}","error":"{status}","times":1' in logged
    assert '"WebhooksFailed":[1.0]' in capsys.readouterr().out


def test_what_comes_again_has_its_id_and_body_and_a_signature_of_now(
    function, receiver, secret, monkeypatch
) -> None:
    receiver.answers += [503, "cuts"]
    module = function()
    began = module.bootstrap.now()
    for minutes, file in ((-10, "webhook/event"), (-5, "webhook/event"), (0, "webhook/again")):
        at = began + module.bootstrap.timedelta(minutes=minutes)
        monkeypatch.setattr(module.bootstrap, "now", lambda at=at: at)
        answer, logged = give(module, file)
    assert (answer, '"times":4' in logged) == (TAKEN, True)
    assert len({(one.headers["webhook-id"], one.body) for one in receiver.got}) == 1
    stamps = [int(one.headers["webhook-timestamp"]) for one in receiver.got]
    assert [one - stamps[0] for one in stamps] == [0, 300, 600]
    assert standardwebhooks.Webhook(secret).verify(receiver.got[-1].body, receiver.got[-1].headers)


def test_an_event_that_can_not_be_read_is_told_and_stops_no_other(
    function, receiver, capsys
) -> None:
    odd = json.loads((ROOT / "events/webhook/unreadable.json").read_text())["Records"][0]
    answer, logged = give(function(), "webhook/event", before=(odd | {"messageId": "m0"},))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert len(receiver.got) == 1
    assert '"error":"an event can\'t be read: KeyError"' in logged
    assert '"WebhooksFailed":[1.0]' in capsys.readouterr().out


def test_an_event_that_can_not_be_signed_is_not_sent(function, receiver, environ) -> None:
    environ.setenv("WEBHOOK_SECRET_ARN", "nothing")
    answer, logged = give(function(), "webhook/event")
    assert (answer, receiver.got) == (AGAIN, [])
    assert '"error":"GetSecretValue: ResourceNotFoundException"' in logged


def test_a_rotation_is_seen_by_a_function_that_runs_on(
    function, receiver, secret, monkeypatch
) -> None:
    module, new = function(), new_secret()
    give(module, "webhook/event")
    arn = module.settings.secret_arn
    rotated = as_template_says(new, before=secret)
    boto3.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=rotated)
    later = time.monotonic() + KEYS_KEPT
    module.keys().monotonic = lambda: later
    give(module, "webhook/event")
    for one in (secret, new):
        got = receiver.got[-1]
        assert standardwebhooks.Webhook(one).verify(got.body, got.headers)


@pytest.mark.parametrize("stage", ["production", "sandbox"])
def test_on_aws_no_other_authority_and_no_private_address_will_do(
    function, receiver, environ, stage: str
) -> None:
    environ.setenv("STAGE", stage)
    answer, logged = give(function(), "webhook/event")
    assert (answer, receiver.got) == (AGAIN, [])
    assert '"error":"ConnectionRefusedError"' in logged


@pytest.mark.parametrize("answer", [204, 500])
def test_the_secret_is_in_no_log_and_no_metric(
    function, receiver, secret, capsys, answer: int
) -> None:
    receiver.answers.append(answer)
    _, logged = give(function(), "webhook/event")
    told = logged + "".join(capsys.readouterr())
    signature = receiver.got[0].headers["webhook-signature"].removeprefix("v1,")
    assert not [one for one in (secret.removeprefix("whsec_"), signature) if one in told]

"""Settings come from the environment, and contradict nothing."""

import base64

import pytest

from namely_link.settings import (
    ApiSettings,
    IntakeSettings,
    LinkSettings,
    PageSettings,
    ProbeSettings,
    PublishSettings,
    Settings,
    SettingsError,
    SweepSettings,
    WebhookSettings,
)

COMMON = {
    "TABLE_NAME": "table",
    "STACK_NAME": "stack",
    "STAGE": "production",
    "SECRET_PREFIX": "stack/namely/",
    "SECRET_KEY_ARN": "arn",
    "CHECK_QUEUE_URL": "https://queue.example",
    "EVENT_BUS": "stack",
    "DEAD_LETTERS_URL": "https://dead.example",
    "WEBHOOK_URL": "https://hooks.example",
    "WEBHOOK_SECRET_ARN": "arn",
}


def test_the_defaults_are_for_production() -> None:
    settings = LinkSettings.read(COMMON)
    assert (settings.deadline_seconds, settings.negative_control) == (10, True)
    assert (settings.connect_to, settings.ca_bundle) == (None, None)
    assert settings.allowed_origins == ()


def test_a_simulator_can_stand_in_for_namely() -> None:
    settings = LinkSettings.read(
        COMMON
        | {
            "STAGE": "local",
            "NAMELY_CONNECT_TO": "127.0.0.1:4443",
            "NAMELY_CA_BUNDLE": base64.b64encode(b"PEM").decode(),
            "NEGATIVE_CONTROL": "off",
            "ALLOWED_ORIGINS": "https://a.example, https://b.example",
        }
    )
    assert (settings.connect_to, settings.ca_bundle) == (("127.0.0.1", 4443), "PEM")
    assert not settings.negative_control
    assert settings.allowed_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("name", ["NAMELY_CONNECT_TO", "NAMELY_CA_BUNDLE"])
def test_a_production_stage_refuses_a_simulator(name: str) -> None:
    with pytest.raises(SettingsError, match="production"):
        LinkSettings.read(COMMON | {name: "127.0.0.1:4443"})


@pytest.mark.parametrize("name", COMMON)
def test_a_missing_setting_is_named(name: str) -> None:
    environ = {key: value for key, value in COMMON.items() if key != name}
    with pytest.raises(SettingsError, match=name):  # noqa: PT012 - which of them needs it
        IntakeSettings.read(environ)
        PublishSettings.read(environ)
        WebhookSettings.read(environ)


def test_each_function_has_what_it_needs() -> None:
    assert ProbeSettings.read(COMMON).recheck_seconds == 300
    assert LinkSettings.read(COMMON).park_hours == 24
    assert LinkSettings.read(COMMON).owner_attempts == 60
    assert SweepSettings.read(COMMON).check_queue == "https://queue.example"
    assert SweepSettings.read(COMMON).recovery_days == 30
    assert IntakeSettings.read(COMMON).key_arn == "arn"
    publish = PublishSettings.read(COMMON)
    assert (publish.bus, publish.dead_letters) == ("stack", "https://dead.example")


@pytest.mark.parametrize(
    ("stage", "bundle"), [("production", None), ("sandbox", None), ("local", "PEM")]
)
def test_on_aws_the_webhook_trusts_public_authorities_only(stage: str, bundle: str | None) -> None:
    given = {"STAGE": stage, "NAMELY_CA_BUNDLE": base64.b64encode(b"PEM").decode()}
    settings = WebhookSettings.read(COMMON | given)
    assert (settings.url, settings.secret_arn) == ("https://hooks.example", "arn")
    assert settings.ca_bundle == bundle


def test_a_local_webhook_may_be_verified_publicly() -> None:
    assert WebhookSettings.read(COMMON | {"STAGE": "local"}).ca_bundle is None


def test_the_address_of_the_pages_has_no_slash_at_its_end() -> None:
    settings = ApiSettings.read(COMMON | {"PUBLIC_URL": "https://a.example/b/"})
    assert settings.public_url == "https://a.example/b"
    assert (settings.session_attempts, settings.recovery_days) == (5, 30)


def test_every_function_has_the_common_settings() -> None:
    assert Settings.read(COMMON).table == "table"


def test_the_pages_have_a_look_without_any_setting() -> None:
    assert PageSettings.read({}).frame_ancestors == "'none'"
    given = {"THEME_NAME": "A", "THEME_COLOR": "#000000", "FRAME_ANCESTORS": "https://a.example"}
    settings = PageSettings.read(given)
    assert (settings.name, settings.color, settings.logo) == ("A", "#000000", "")
    assert settings.frame_ancestors == "https://a.example"

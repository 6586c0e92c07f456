"""Values keep what they promise; a token never shows itself."""

import copy
import dataclasses
import json
import pickle
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest

from namely_link.domain.account import AccountWarning, Status
from namely_link.domain.values import (
    ActorKind,
    Credential,
    Subdomain,
    Token,
    moment,
    new_id,
    seconds_until,
    timestamp,
)

SECRET = "plantedToken0123456789plantedToken0123456789"


def shown_in_a_traceback(token: Token) -> str:
    try:
        raise RuntimeError
    except RuntimeError as error:
        captured = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert isinstance(token, Token)
        return "".join(captured.format())


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{:>80}".format,
        lambda token: f"{token!r} {token}",
        lambda token: repr(dataclasses.asdict(Credential(Subdomain("acme"), token))),
        lambda token: repr([copy.copy(token), copy.deepcopy(token)]),
        lambda token: json.dumps(token, default=str),
        shown_in_a_traceback,
    ],
)
def test_a_token_does_not_show_itself(show) -> None:
    shown = show(Token(SECRET))
    assert "Token(****)" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("serialise", [pickle.dumps, json.dumps])
def test_a_token_is_never_serialised(serialise) -> None:
    with pytest.raises(TypeError) as caught:
        serialise(Token(SECRET))
    assert SECRET not in str(caught.value)


def test_a_token_is_no_key_of_a_dictionary() -> None:
    with pytest.raises(TypeError):
        {Token(SECRET): 1}


def test_tokens_are_equal_by_value() -> None:
    assert Token(SECRET) == Token(SECRET)
    assert Token(SECRET) != Token("other")
    assert Token(SECRET) != SECRET


def test_the_hint_is_the_last_four_characters() -> None:
    assert Token(SECRET).hint == SECRET[-4:]


def test_a_short_token_has_no_hint() -> None:
    assert Token("a" * 15).hint == ""


def test_a_fingerprint_depends_on_key_subdomain_and_token() -> None:
    prints = {
        Token(token).fingerprint(key=key, subdomain=subdomain)
        for token in ("a", "b")
        for key in ("k", "l")
        for subdomain in ("s", "t")
    }
    assert len(prints) == 8
    assert Token("a").fingerprint(key="k", subdomain="s") in prints


def test_a_time_is_written_in_utc_and_read_back() -> None:
    noon = datetime(2026, 1, 2, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(noon) == "2026-01-02T12:00:00Z"
    assert moment(timestamp(noon)) == noon.astimezone(UTC)


def test_ids_are_unique_and_carry_their_prefix() -> None:
    ids = {new_id("acc_") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 30 and one.startswith("acc_") for one in ids)


def test_ids_sort_by_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1, 2, 1_000_000])
    monkeypatch.setattr("time.time_ns", lambda: next(times) * 1_000_000)
    made = [new_id("acc_") for _ in range(3)]
    assert made == sorted(made)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02T12:00:10Z", 10),
        ("2026-01-02T12:00:00Z", 1),
        ("2026-01-02T11:00:00Z", 1),
    ],
)
def test_what_is_left_is_at_least_a_second(text: str, seconds: int) -> None:
    assert seconds_until(text, datetime(2026, 1, 2, 12, tzinfo=UTC)) == seconds


def test_what_is_left_is_rounded_up() -> None:
    now = datetime(2026, 1, 2, 12, 0, 0, 500_000, tzinfo=UTC)
    assert seconds_until("2026-01-02T12:00:03Z", now) == 3


def test_a_time_of_another_form_is_none() -> None:
    with pytest.raises(ValueError, match="2026"):
        moment("2026-01-02 12:00")


def test_a_subdomain_reads_as_its_label_and_knows_its_host() -> None:
    site = Subdomain("acme")
    assert (str(site), site.host) == ("acme", "acme.namely.com")
    assert site.base_url == "https://acme.namely.com"


@pytest.mark.parametrize("kind", [Status, AccountWarning, ActorKind])
def test_a_value_of_a_later_release_is_kept_and_is_no_member(kind: type) -> None:
    unknown = kind("of_a_later_release")
    assert (unknown, str(unknown), unknown.value) == ("of_a_later_release",) * 3
    assert unknown not in frozenset(kind)
    assert "of_a_later_release" not in [one.value for one in kind]
    assert kind(unknown) == unknown
    assert copy.deepcopy(unknown) == unknown
    assert json.dumps(unknown) == '"of_a_later_release"'


@pytest.mark.parametrize("kind", [Status, AccountWarning, ActorKind])
def test_what_is_no_text_is_no_value(kind: type) -> None:
    with pytest.raises(ValueError, match="3"):
        kind(3)

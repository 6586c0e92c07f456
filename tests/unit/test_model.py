"""Values keep what they promise; a token never shows itself."""

import copy
import dataclasses
import json
import pickle
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest

from namely_link.domain.values import Credential, Subdomain, Token, moment, new_id, timestamp

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


def test_a_subdomain_reads_as_its_label() -> None:
    assert str(Subdomain("acme")) == "acme"

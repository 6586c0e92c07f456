"""Bearers are random, known by their hash, and not shown by accident."""

import pytest

from namely_link.bootstrap import now
from namely_link.domain.problems import Code, Problem
from namely_link.domain.sessions import ApiKey
from namely_link.http.access import SCOPES, authorised
from namely_link.http.bearers import Kind, mint, parse


@pytest.mark.parametrize("kind", Kind)
def test_a_bearer_is_found_again_by_its_value(kind: Kind) -> None:
    minted = mint(kind)
    assert parse(minted.value) == minted
    assert minted.value.startswith(kind)
    assert minted.value[4:] not in minted.id


def test_two_bearers_are_never_the_same() -> None:
    assert len({mint(Kind.API_KEY).id for _ in range(100)}) == 100


def test_a_bearer_does_not_show_its_value() -> None:
    minted = mint(Kind.CONNECT_SESSION)
    assert minted.value not in f"{minted} {minted!r}"


@pytest.mark.parametrize(
    "text", ["", "nlk_", "nlk_" + "a" * 42, "xxx_" + "a" * 43, "nls_" + "é" * 43]
)
def test_what_is_no_bearer_of_ours_is_none(text: str) -> None:
    assert parse(text) is None


class Keys:
    """Keys in a dictionary."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = {key.id: key for key in keys}

    def key(self, key_id: str) -> ApiKey | None:
        return self.keys.get(key_id)

    def portal(self, _session_id: str) -> None:
        return None


BEARER = mint(Kind.API_KEY)


def key(**changes: object) -> ApiKey:
    values = {"scopes": SCOPES, "created_at": "2026-01-01T00:00:00Z"} | changes
    return ApiKey(id=BEARER.id, name="backend", **values)


def test_a_key_with_the_scope_is_let_in() -> None:
    assert authorised(Keys(key()), BEARER, scope="link", now=now()).actor.name == "backend"


@pytest.mark.parametrize(
    ("keys", "bearer", "code"),
    [
        (Keys(), BEARER, Code.UNAUTHORIZED),
        (Keys(key(revoked=True)), BEARER, Code.UNAUTHORIZED),
        (Keys(key(expires_at="2026-01-02T00:00:00Z")), BEARER, Code.UNAUTHORIZED),
        (Keys(key(scopes=("read",))), BEARER, Code.FORBIDDEN),
        (Keys(key()), mint(Kind.CONNECT_SESSION), Code.FORBIDDEN),
        (Keys(key()), mint(Kind.PORTAL_SESSION), Code.UNAUTHORIZED),
    ],
)
def test_every_other_bearer_is_kept_out(keys: Keys, bearer, code: Code) -> None:
    with pytest.raises(Problem) as caught:
        authorised(keys, bearer, scope="link", now=now())
    assert caught.value.code is code

"""What a person types or pastes becomes a checked credential, or is refused with a reason."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from namely_link.domain.credentials import (
    MAX_TOKEN_LENGTH,
    RESERVED,
    parse_credential,
    parse_subdomain,
    parse_token,
)
from namely_link.domain.problems import Code, Problem, Reason

TOKEN = "Z9" * 32


def reason_of(call, *arguments: str) -> Reason:
    with pytest.raises(Problem) as caught:
        call(*arguments)
    return caught.value.reason


@pytest.mark.parametrize(
    "typed",
    [
        "acme",
        " ACME ",
        "acme.namely.com",
        "acme.namely.com.",
        "https://acme.namely.com/people?x=1#y",
        "http://acme.namely.com:80",
        "acme.namely.com/users/login",
        "\u201cacme\u201d",
        "\u200bac\ufeffme",
        "acme/",
    ],
)
def test_a_name_a_host_and_a_url_are_the_same_subdomain(typed: str) -> None:
    assert parse_subdomain(typed).label == "acme"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", Reason.SUBDOMAIN_MISSING),
        ("\u200b ", Reason.SUBDOMAIN_MISSING),
        ("-acme", Reason.SUBDOMAIN_MALFORMED),
        ("acme-", Reason.SUBDOMAIN_MALFORMED),
        ("ac me", Reason.SUBDOMAIN_MALFORMED),
        ("ac_me", Reason.SUBDOMAIN_MALFORMED),
        ("acm\u00e9", Reason.SUBDOMAIN_MALFORMED),
        ("a" * 64, Reason.SUBDOMAIN_MALFORMED),
        ("acme\nevil", Reason.SUBDOMAIN_MALFORMED),
        ("a.b.namely.com", Reason.SUBDOMAIN_MALFORMED),
        ("https://[acme", Reason.SUBDOMAIN_MALFORMED),
        ("https://acme.namely.com:port", Reason.SUBDOMAIN_MALFORMED),
        ("namely.com", Reason.SUBDOMAIN_OTHER_HOST),
        ("evil.com/#", Reason.SUBDOMAIN_OTHER_HOST),
        ("evil.com/#.namely.com", Reason.SUBDOMAIN_OTHER_HOST),
        ("acme.namely.com.evil.com", Reason.SUBDOMAIN_OTHER_HOST),
        ("https://acme.namely.com@evil.com/", Reason.SUBDOMAIN_OTHER_HOST),
        ("https://acme.namely.com:8443/", Reason.SUBDOMAIN_OTHER_HOST),
        ("ftp://acme.namely.com/", Reason.SUBDOMAIN_OTHER_HOST),
        *((name, Reason.SUBDOMAIN_RESERVED) for name in sorted(RESERVED)),
    ],
)
def test_what_is_no_site_is_refused(typed: str, reason: Reason) -> None:
    assert reason_of(parse_subdomain, typed) is reason


@given(st.text())
def test_whatever_is_typed_the_host_is_one_label_at_namely(typed: str) -> None:
    try:
        host = parse_subdomain(typed).host
    except Problem as problem:
        assert problem.code is Code.INVALID_SUBDOMAIN
    else:
        label, _, rest = host.partition(".")
        assert rest == "namely.com"
        assert set(label) <= set(string.ascii_lowercase + string.digits + "-")


@pytest.mark.parametrize(
    "typed",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f"Bearer {TOKEN}",
        f"Authorization: bearer {TOKEN}",
        f'"{TOKEN}"',
        f"'Bearer {TOKEN}'",
        f"\u200b{TOKEN[:8]}\u200d{TOKEN[8:]}",
    ],
)
def test_what_copying_adds_is_taken_from_the_token(typed: str) -> None:
    assert parse_token(typed).reveal() == TOKEN


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", Reason.TOKEN_MISSING),
        ('""', Reason.TOKEN_MISSING),
        ("abc def", Reason.TOKEN_INNER_SPACE),
        ("abc\u00a0def", Reason.TOKEN_INNER_SPACE),
        ("abcd\u00e9", Reason.TOKEN_NOT_ASCII),
        ("abc\x07", Reason.TOKEN_NOT_ASCII),
        ("a" * (MAX_TOKEN_LENGTH + 1), Reason.TOKEN_TOO_LONG),
    ],
)
def test_what_is_no_token_is_refused(typed: str, reason: Reason) -> None:
    assert reason_of(parse_token, typed) is reason


@given(
    st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=MAX_TOKEN_LENGTH)
)
def test_letters_and_digits_of_any_length_are_a_token(typed: str) -> None:
    assert parse_token(typed).reveal() == typed


@given(st.text())
def test_a_token_that_is_taken_can_be_a_header(typed: str) -> None:
    try:
        value = parse_token(typed).reveal()
    except Problem as problem:
        assert problem.code is Code.INVALID_TOKEN
    else:
        assert value.isascii()
        assert not set(value) & set(string.whitespace)


@pytest.mark.parametrize("site", ["acme", "https://acme.namely.com/"])
def test_swapped_fields_are_noticed(site: str) -> None:
    assert reason_of(parse_credential, TOKEN, site) is Reason.FIELDS_SWAPPED


def test_a_good_pair_is_a_credential() -> None:
    credential = parse_credential("acme.namely.com", TOKEN)
    assert credential.subdomain.base_url == "https://acme.namely.com"
    assert credential.token.reveal() == TOKEN

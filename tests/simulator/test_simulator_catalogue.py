"""Every credential gives what it promises, judged by a small probe of its own."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from simulator_client import Client

from simulator import BEHAVIOURS, Credential, Simulator
from simulator.catalogue import CASES, credentials

NAMES = [case.name for case in CASES]
PATIENCE = 5.0
IMPATIENCE = 0.5
MADE_UP = "MadeUpTokenOfTheNegativeControl"


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


def fetch(client: Client, credential: Credential, path: str, token: str | None) -> Any:
    """Status and document; a document that is no JSON object is None, no answer is 0."""
    # Only where no answer is expected, a slow machine may take it for late.
    silent = credential.expect == "namely_unavailable" or credential.name.endswith("-slow")
    seconds = IMPATIENCE if silent else PATIENCE
    for _ in range(2):
        answer = client.ask_within(credential.subdomain, path, token, seconds)
        if answer is None or answer[0] not in {502, 503, 504}:
            break
    if answer is None:
        return 0, None, ""
    status, kind, body = answer
    try:
        document = json.loads(body) if kind.startswith("application/json") else None
    except (ValueError, RecursionError):
        document = None
    return status, document if isinstance(document, dict) else None, kind


def judge(client: Client, credential: Credential) -> str:
    """The outcome by the recommended probe."""
    site, token = credential.subdomain, credential.token
    proved, info, _ = fetch(client, credential, "companies/info", None)
    if proved in {200, 302, 404} and (info or {}).get("permalink") != site:
        return "site_not_found"
    outcome = judge_me(*fetch(client, credential, "profiles/me", token))
    if outcome not in {"linked", "token_refused"}:
        return outcome
    control = fetch(client, credential, "profiles/me", MADE_UP)[0]
    if control == 200:
        return "site_not_found"
    people, listed, _ = fetch(client, credential, "profiles?page=1&per_page=2", token)
    if outcome == "token_refused":
        down = any(status == 0 or status >= 500 for status in (proved, control, people))
        return "namely_unavailable" if down else outcome
    if control in {401, 403} or people in {401, 403} or listed:
        return outcome
    return "namely_throttled" if people in {406, 429} else "namely_unavailable"


def judge_me(status: int, me: dict[str, Any] | None, kind: str) -> str:
    if status in {401, 403} and not kind.startswith("text/html"):
        return "token_refused"
    if status == 429:
        return "namely_throttled"
    profiles = (me or {}).get("profiles")
    if status != 200 or not isinstance(profiles, list) or len(profiles) != 1:
        return "namely_unavailable"
    if not isinstance(profiles[0], dict) or not profiles[0].get("email"):
        return "namely_unavailable"
    inactive = profiles[0]["user_status"] == "inactive"
    return "token_owner_inactive" if inactive else "linked"


@pytest.mark.parametrize("name", NAMES)
def test_a_credential_gives_what_it_promises(shared: Client, name: str) -> None:
    credential = shared.simulator.credential(name)
    assert judge(shared, credential) == credential.expect


@pytest.mark.parametrize("name", ["error-502-once", "acme", "info-cut"])
def test_a_credential_gives_the_same_again(shared: Client, name: str) -> None:
    credential = shared.simulator.credential(name)
    assert [judge(shared, credential) for _ in range(3)] == [credential.expect] * 3


@pytest.mark.parametrize(
    "name", [case.name for case in CASES if case.behaviour.startswith(("unknown", "another"))]
)
def test_a_refuted_site_can_be_told_before_any_token_is_sent(sim: Simulator, name: str) -> None:
    judge(Client(sim), sim.credential(name))
    assert not any(request.bearer for request in sim.requests)


def test_every_behaviour_has_a_credential() -> None:
    assert {case.behaviour for case in CASES} == set(BEHAVIOURS)


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_tokens_are_64_letters_and_digits_that_look_synthetic() -> None:
    for credential in credentials():
        assert re.fullmatch(r"SimulatorToken[A-Za-z0-9]{50}", credential.token)


def test_tokens_are_the_same_in_every_run() -> None:
    with Simulator() as one, Simulator() as other:
        assert one.credentials == other.credentials


def test_another_seed_gives_other_tokens() -> None:
    with Simulator() as one, Simulator(seed="another") as other:
        tokens = {each.token for each in one.credentials}
        assert tokens.isdisjoint(each.token for each in other.credentials)


def test_subdomains_are_dns_labels() -> None:
    for credential in credentials():
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", credential.subdomain)


def test_an_unknown_credential_is_an_error(sim: Simulator) -> None:
    with pytest.raises(LookupError, match="nobody"):
        sim.credential("nobody")

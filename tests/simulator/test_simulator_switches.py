"""The switches change a running simulator, and it remembers what it was asked."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import urllib3
from simulator_client import Client

from simulator import Simulator
from simulator.world import World

ME = "profiles/me"


def status(client: Client, name: str, path: str = ME) -> int:
    credential = client.simulator.credential(name)
    return client.ask(credential.subdomain, path, credential.token).status


def other_person(client: Client, name: str) -> dict[str, Any]:
    token = client.simulator.credential(name).token
    person: dict[str, Any] = client.ask(name, "profiles", token).json()["profiles"][7]
    return person


def test_a_revoked_token_is_refused_until_it_is_restored(sim: Simulator, client: Client) -> None:
    sim.revoke("acme")
    assert (status(client, "acme"), status(client, "acme-second-token")) == (401, 200)
    sim.restore("acme")
    assert status(client, "acme") == 200


def test_a_refused_token_can_be_restored(sim: Simulator, client: Client) -> None:
    sim.restore("refused-403-text")
    assert status(client, "refused-403-text") == 200


def test_the_owners_status_can_change(sim: Simulator, client: Client) -> None:
    token = sim.credential("acme").token
    seen = []
    for each in ("inactive", "pending", "active"):
        sim.set_owner_status("acme", each)
        seen.append(client.ask("acme", ME, token).json()["profiles"][0]["user_status"])
    assert seen == ["inactive", "pending", "active"]


@pytest.mark.parametrize(
    ("sight", "key"),
    [("salary", "salary"), ("ssn", "ssn"), ("birth_date", "dob"), ("work", "start_date")],
)
def test_a_key_can_be_shown_and_hidden(
    sim: Simulator, client: Client, sight: str, key: str
) -> None:
    sim.set_visible_keys("only-self", **{sight: True})
    sim.set_people("only-self", "all")
    assert key in other_person(client, "only-self")
    sim.set_visible_keys("only-self", **{sight: False})
    assert key not in other_person(client, "only-self")


def test_keys_that_are_not_named_stay(sim: Simulator, client: Client) -> None:
    sim.set_visible_keys("over-privileged", ssn=False)
    assert "salary" in other_person(client, "over-privileged")


@pytest.mark.parametrize(
    ("people", "expected"), [("all", 200), ("self", 200), ("forbidden", 403), ("unauthorized", 401)]
)
def test_the_list_of_people_can_be_refused(
    sim: Simulator, client: Client, people: Any, expected: int
) -> None:
    sim.set_people("narrow-role", people)
    assert status(client, "narrow-role", "profiles") == expected


def test_job_titles_can_be_refused(sim: Simulator, client: Client) -> None:
    sim.set_token("acme", sees_job_titles=False)
    assert status(client, "acme", "job_titles") == 403


def test_several_things_about_a_token_change_at_once(sim: Simulator, client: Client) -> None:
    sim.set_token("acme", owner_status="pending", super_admin=True)
    token = sim.credential("acme").token
    assert client.ask("acme", ME, token).json()["profiles"][0]["user_status"] == "pending"
    assert client.ask("acme", "resources", token).json()["meta"]["is_super_admin"] is True


def test_a_site_can_be_given_another_behaviour(sim: Simulator, client: Client) -> None:
    sim.set_site("acme", "error-503")
    assert (status(client, "acme"), status(client, "personal-token")) == (503, 200)
    sim.set_site("acme", "healthy")
    assert status(client, "acme") == 200


def test_a_new_behaviour_starts_its_pairs_anew(sim: Simulator, client: Client) -> None:
    assert status(client, "error-502-once") == 502
    sim.set_site("error-502-once", "502-once")
    assert status(client, "error-502-once") == 502


def test_a_kept_connection_does_not_outlive_its_certificate(sim: Simulator, client: Client) -> None:
    pool = client.pool("acme", maxsize=1)
    assert pool.request("GET", "/api/v1/companies/info").status == 200
    sim.set_site("acme", "bad-certificate-ca")
    with pytest.raises((urllib3.exceptions.ProtocolError, urllib3.exceptions.SSLError)):
        pool.request("GET", "/api/v1/companies/info")


def test_a_site_that_is_mended_has_a_good_certificate(sim: Simulator, client: Client) -> None:
    sim.set_site("bad-certificate-host", "healthy")
    assert status(client, "bad-certificate-host") == 200


def test_a_renamed_site_tells_its_new_permalink_at_both_addresses(
    sim: Simulator, client: Client
) -> None:
    sim.rename_site("acme", "acme-group")
    token = sim.credential("acme").token
    for subdomain in ("acme", "acme-group"):
        assert client.ask(subdomain, "companies/info").json()["permalink"] == "acme-group"
        assert client.ask(subdomain, ME, token).status == 200


def test_a_site_cannot_take_anothers_name(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="another site"):
        sim.rename_site("acme", "only-self")


def test_a_permalink_is_a_dns_label(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="not a DNS label"):
        sim.rename_site("acme", "acme.group")


def test_an_outage_is_everywhere_until_it_ends(sim: Simulator, client: Client) -> None:
    sim.outage(True)
    assert {status(client, "acme"), status(client, "only-self")} == {503}
    assert client.ask("nobody-at-all", "companies/info").status == 503
    sim.outage(False)
    assert status(client, "acme") == 200


def test_a_flapping_site_is_down_then_up(sim: Simulator, client: Client) -> None:
    sim.flap("acme", 0.4)
    assert status(client, "acme") == 503
    time.sleep(0.5)
    assert (status(client, "acme"), status(client, "only-self")) == (200, 200)
    time.sleep(0.4)
    assert status(client, "acme") == 503
    sim.flap("acme", None)
    assert status(client, "acme") == 200


@pytest.mark.parametrize("period", [0, -1, float("inf"), float("nan")])
def test_a_flap_takes_some_seconds(sim: Simulator, period: float) -> None:
    with pytest.raises(ValueError, match="not a number of seconds"):
        sim.flap("acme", period)


@pytest.mark.parametrize(
    "mistake",
    [
        partial(World.set_behaviour, subdomain="nobody", behaviour="healthy"),
        partial(World.set_behaviour, subdomain="acme", behaviour="nonsense"),
        partial(World.rename, subdomain="nobody", permalink="somebody"),
        partial(World.flap, subdomain="nobody", period=1),
        partial(World.set_token, name="nobody", revoked=True),
    ],
)
def test_an_unknown_name_is_an_error(mistake: Callable[[World], None]) -> None:
    with pytest.raises(LookupError, match=r"no (site|token|behaviour)"):
        mistake(World(seed="any"))


def test_a_request_is_recorded_with_the_name_of_its_token(sim: Simulator, client: Client) -> None:
    token = sim.credential("acme-second-token").token
    client.ask("acme", "profiles?page=1&per_page=2", token)
    [request] = sim.requests
    assert (request.method, request.host) == ("GET", "acme.namely.com")
    assert (request.path, request.query) == ("/api/v1/profiles", "page=1&per_page=2")
    assert (request.bearer, request.token_name) == (True, "acme-second-token")
    assert abs(request.at - time.time()) < 5


def test_a_made_up_token_and_none_are_told_apart(sim: Simulator, client: Client) -> None:
    client.ask("acme", ME, "MadeUp")
    client.ask("acme", ME)
    assert [(request.bearer, request.token_name) for request in sim.requests] == [
        (True, None),
        (False, None),
    ]


def test_the_token_itself_is_not_recorded(sim: Simulator, client: Client) -> None:
    token = sim.credential("acme").token
    client.ask("acme", ME, token)
    assert token not in repr(sim.requests)


@pytest.mark.parametrize("name", ["unknown-html", "error-500", "throttled-429"])
def test_requests_that_fail_are_recorded_too(sim: Simulator, client: Client, name: str) -> None:
    status(client, name)
    assert [request.token_name for request in sim.requests] == [name]


def test_cleared_requests_are_gone(sim: Simulator, client: Client) -> None:
    client.ask("acme", ME)
    sim.clear_requests()
    assert sim.requests == ()

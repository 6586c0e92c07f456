"""The control port does over HTTP what the switches do in Python."""

from typing import Any

import pytest
import urllib3
from simulator_client import Client

from simulator import BEHAVIOURS, Simulator


def control(sim: Simulator, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """The status and the document of one request; bytes are sent as they are."""
    url = f"http://{sim.control_address}{path}"
    if isinstance(body, bytes) or body is None:
        answer = urllib3.request(method, url, body=body, retries=False)
    else:
        answer = urllib3.request(method, url, json=body, retries=False)
    return answer.status, answer.json() if answer.data else None


def me_status(client: Client) -> int:
    token = client.simulator.credential("acme").token
    return client.ask("acme", "profiles/me", token).status


def test_the_overview_lists_credentials_sites_tokens_and_behaviours(sim: Simulator) -> None:
    status, overview = control(sim, "GET", "/")
    assert status == 200
    assert overview["address"] == sim.address
    assert overview["outage"] is False
    credential = sim.credential("acme")
    assert overview["credentials"][0] == {
        "name": "acme",
        "subdomain": "acme",
        "token": credential.token,
        "expect": "linked",
    }
    assert overview["sites"][0]["behaviour"] == "healthy"
    assert overview["tokens"][0]["people"] == "all"
    assert set(overview["behaviours"]) == set(BEHAVIOURS)


def test_an_outage_is_switched(sim: Simulator, client: Client) -> None:
    assert control(sim, "PUT", "/outage", {"on": True}) == (200, {"on": True})
    assert me_status(client) == 503
    control(sim, "PUT", "/outage", {"on": False})
    assert me_status(client) == 200


def test_a_sites_behaviour_is_set(sim: Simulator, client: Client) -> None:
    status, site = control(sim, "PUT", "/sites/acme", {"behaviour": "error-500"})
    assert (status, site["behaviour"], me_status(client)) == (200, "error-500", 500)


def test_a_site_is_made_to_flap(sim: Simulator, client: Client) -> None:
    control(sim, "PUT", "/sites/acme", {"flap_seconds": 60})
    assert me_status(client) == 503
    control(sim, "PUT", "/sites/acme", {"flap_seconds": None})
    assert me_status(client) == 200


def test_a_site_is_renamed(sim: Simulator, client: Client) -> None:
    control(sim, "PUT", "/sites/acme", {"permalink": "acme-group"})
    assert client.ask("acme", "companies/info").json()["permalink"] == "acme-group"


def test_a_token_is_changed(sim: Simulator, client: Client) -> None:
    change = {"owner_status": "inactive", "sees_salary": True, "people": "self"}
    status, token = control(sim, "PUT", "/tokens/acme", change)
    assert status == 200
    assert change.items() <= token.items()
    control(sim, "PUT", "/tokens/acme", {"revoked": True})
    assert me_status(client) == 401


def test_requests_are_listed_and_forgotten(sim: Simulator, client: Client) -> None:
    me_status(client)
    _, [request] = control(sim, "GET", "/requests")
    assert (request["host"], request["token_name"]) == ("acme.namely.com", "acme")
    assert control(sim, "DELETE", "/requests") == (204, None)
    assert control(sim, "GET", "/requests") == (200, [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/outage", {"on": "yes"}),
        ("/outage", {}),
        ("/outage", [True]),
        ("/outage", b"nonsense"),
        ("/outage", b"[" * 10_000),
        ("/outage", b"\xff"),
        ("/outage", b"x" * 20_000),
        ("/sites/acme", {"behaviour": "nonsense"}),
        ("/sites/acme", {"behaviour": ["healthy"]}),
        ("/sites/acme", {"permalink": "not a label"}),
        ("/sites/acme", {"permalink": "only-self"}),
        ("/sites/acme", {"flap_seconds": 0}),
        ("/sites/acme", {"flap_seconds": True}),
        ("/sites/acme", b'{"flap_seconds": NaN}'),
        ("/sites/acme", {"behavior": "healthy"}),
        ("/tokens/acme", {"revoked": 1}),
        ("/tokens/acme", {"owner_status": "asleep"}),
        ("/tokens/acme", {"people": None}),
        ("/tokens/acme", {"sees_salary": "yes"}),
    ],
)
def test_bad_input_is_400_and_says_why(sim: Simulator, path: str, body: Any) -> None:
    status, problem = control(sim, "PUT", path, body)
    assert status == 400
    assert problem["error"]


def test_bad_input_changes_nothing(sim: Simulator) -> None:
    before = control(sim, "GET", "/")
    control(sim, "PUT", "/sites/acme", {"behaviour": "error-500", "permalink": "only-self"})
    control(sim, "PUT", "/tokens/acme", {"revoked": True, "sees_salary": "yes"})
    assert control(sim, "GET", "/") == before


@pytest.mark.parametrize("path", ["/sites/nobody", "/tokens/nobody", "/nonsense", "/sites"])
def test_an_unknown_name_is_404(sim: Simulator, path: str) -> None:
    assert control(sim, "PUT", path, {"revoked": True})[0] == 404


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/outage"), ("GET", "/sites/acme"), ("DELETE", "/")]
)
def test_a_wrong_method_is_405(sim: Simulator, method: str, path: str) -> None:
    assert control(sim, method, path)[0] == 405

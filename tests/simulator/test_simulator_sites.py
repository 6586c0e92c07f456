"""A site in order answers as Namely was recorded."""

import json
import ssl
from typing import Any

import pytest
from simulator_client import Client

from simulator import Simulator

WORK = {"start_date", "employee_type", "reports_to", "office_phone", "desk_number"}
ALWAYS = {
    "id",
    "email",
    "first_name",
    "last_name",
    "preferred_name",
    "full_name",
    "user_status",
    "job_title",
    "updated_at",
    "created_at",
    "links",
}


def get(client: Client, name: str, path: str) -> Any:
    """The document that the owner of a credential gets."""
    credential = client.simulator.credential(name)
    answer = client.ask(credential.subdomain, path, credential.token)
    assert answer.status == 200
    return answer.json()


def test_company_info_needs_no_token(client: Client) -> None:
    info = client.ask("acme", "companies/info").json()
    assert set(info) == {"name", "permalink", "background_url", "logo_url", "authentications"}
    assert info["permalink"] == "acme"


def test_me_is_one_profile_in_the_modern_shape(client: Client) -> None:
    me = get(client, "acme", "profiles/me")
    assert set(me) == {"profiles", "meta", "links", "linked"}
    assert me["meta"] == {"count": 1, "total_count": 1, "status": 200}
    assert set(me["linked"]) == {"job_titles", "files", "groups", "teams"}
    assert set(me["profiles"][0]) >= ALWAYS


def test_me_in_the_shape_of_2014_has_six_keys_and_no_total(client: Client) -> None:
    me = get(client, "legacy-2014", "profiles/me")
    assert set(me["profiles"][0]) == {
        "id",
        "email",
        "first_name",
        "last_name",
        "user_status",
        "links",
    }
    assert me["meta"] == {"count": 1, "status": 200}


def test_the_dedicated_profile_has_a_custom_role(client: Client) -> None:
    [me] = get(client, "acme", "profiles/me")["profiles"]
    assert (me["full_name"], me["access_role"]) == (
        "Integrations Service",
        "Integrations (read only)",
    )


def test_a_role_is_not_always_told(client: Client) -> None:
    [me] = get(client, "narrow-role", "profiles/me")["profiles"]
    assert "access_role" not in me


def test_a_personal_token_is_an_ordinary_employees(client: Client) -> None:
    [me] = get(client, "personal-token", "profiles/me")["profiles"]
    assert me["access_role"] == "Employee"
    assert me["first_name"] != "Integrations"


def test_two_tokens_of_a_site_are_two_people(client: Client) -> None:
    [one] = get(client, "acme", "profiles/me")["profiles"]
    [other] = get(client, "acme-second-token", "profiles/me")["profiles"]
    assert one["id"] != other["id"]
    assert one["full_name"] != other["full_name"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 30),
        ("?per_page=2", 2),
        ("?per_page=99", 50),
        ("?page=9&per_page=50", 12),
        ("?page=10&per_page=50", 0),
        ("?page=x&per_page=0", 30),
    ],
)
def test_a_page_has_as_many_profiles_as_asked_for(client: Client, query: str, count: int) -> None:
    page = get(client, "acme", f"profiles{query}")
    assert len(page["profiles"]) == count
    assert page["meta"] == {"count": count, "total_count": 412, "status": 200}


def test_all_pages_together_are_everybody_once(client: Client) -> None:
    pages = [get(client, "acme", f"profiles?per_page=50&page={n}") for n in range(1, 10)]
    everybody = [profile["id"] for page in pages for profile in page["profiles"]]
    assert len(set(everybody)) == len(everybody) == 412


def test_the_owner_is_listed_as_in_me(client: Client) -> None:
    [me] = get(client, "acme", "profiles/me")["profiles"]
    assert get(client, "acme", "profiles")["profiles"][0] == me


@pytest.mark.parametrize("name", ["small-company", "only-self"])
def test_only_the_owner_is_listed(client: Client, name: str) -> None:
    page = get(client, name, "profiles?page=1&per_page=2")
    assert [profile["id"] for profile in page["profiles"]] == [
        get(client, name, "profiles/me")["profiles"][0]["id"]
    ]
    assert page["meta"]["total_count"] == 1


def test_the_listed_person_of_only_self_is_one_of_many(client: Client) -> None:
    client.simulator.set_people("only-self", "all")
    assert get(client, "only-self", "profiles")["meta"]["total_count"] > 1


@pytest.mark.parametrize(("name", "status"), [("narrow-role", 403), ("narrow-role-401", 401)])
def test_a_narrow_role_may_not_list_people(client: Client, name: str, status: int) -> None:
    token = client.simulator.credential(name).token
    assert client.ask(name, "profiles", token).status == status


def test_pay_and_birth_date_of_others_are_missing_keys(client: Client) -> None:
    other = get(client, "acme", "profiles")["profiles"][5]
    assert set(other) == ALWAYS | WORK


def test_ones_own_pay_is_seen_by_any_role(client: Client) -> None:
    [me] = get(client, "acme", "profiles/me")["profiles"]
    assert {"salary", "dob"} <= set(me)
    assert "ssn" not in me


def test_too_much_is_seen_by_the_over_privileged(client: Client) -> None:
    other = get(client, "over-privileged", "profiles")["profiles"][5]
    assert {"salary", "ssn", "dob"} <= set(other)


@pytest.mark.parametrize(("name", "super_admin"), [("acme", False), ("over-privileged", True)])
def test_resources_hint_at_an_administrator(
    client: Client, name: str, *, super_admin: bool
) -> None:
    assert get(client, name, "resources")["meta"]["is_super_admin"] is super_admin


def test_job_titles_are_those_of_the_profiles(client: Client) -> None:
    titles = {title["id"] for title in get(client, "acme", "job_titles")["job_titles"]}
    profiles = get(client, "acme", "profiles")["profiles"]
    assert {profile["job_title"]["id"] for profile in profiles} <= titles


@pytest.mark.parametrize(("name", "status"), [("owner-pending", "pending"), ("acme", "active")])
def test_me_tells_the_owners_status(client: Client, name: str, status: str) -> None:
    assert get(client, name, "profiles/me")["profiles"][0]["user_status"] == status


@pytest.mark.parametrize("path", ["profiles/me", "profiles", "resources", "job_titles"])
@pytest.mark.parametrize("token", [None, "", "MadeUp"])
def test_without_a_good_token_nothing_is_told(client: Client, path: str, token: str | None) -> None:
    answer = client.ask("acme", path, token)
    assert (answer.status, answer.json()) == (401, {"error": ""})
    assert "WWW-Authenticate" not in answer.headers


def test_a_token_in_another_scheme_is_not_looked_at(sim: Simulator, client: Client) -> None:
    token = sim.credential("acme").token
    answer = client.ask("acme", "profiles/me", headers={"Authorization": f"Token {token}"})
    assert answer.status == 401


def test_a_json_path_needs_no_accept_header(client: Client) -> None:
    answer = client.ask("acme", "companies/info.json", headers={"Accept": "text/html"})
    assert answer.json()["permalink"] == "acme"


def test_an_accept_header_without_json_gets_406(client: Client) -> None:
    assert client.ask("acme", "companies/info", headers={"Accept": "*/*"}).status == 406


@pytest.mark.parametrize("path", ["nonsense", "profiles/me/more", "/", "/api/v2/profiles"])
def test_an_unknown_path_is_404_in_json(client: Client, path: str) -> None:
    answer = client.ask("acme", path)
    assert (answer.status, answer.json()) == (404, {"message": "Not found", "errors": []})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_get_is_answered(client: Client, method: str) -> None:
    assert client.ask("acme", "companies/info", method=method).status == 404


def test_the_recorded_headers_are_there(client: Client) -> None:
    headers = client.ask("acme", "companies/info").headers
    assert headers["Server"] == "nginx"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Status"] == "200 OK"
    assert {"Strict-Transport-Security", "X-Request-Id", "X-Runtime"} <= set(headers)


def test_a_subdomain_of_nobody_is_the_login_page(client: Client) -> None:
    answer = client.ask("nobody-at-all", "companies/info")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_a_host_other_than_that_of_tls_is_refused(client: Client) -> None:
    answer = client.ask("acme", "companies/info", headers={"Host": "only-self.namely.com"})
    assert answer.status == 421


def test_a_host_name_in_capitals_is_the_same_site(client: Client) -> None:
    answer = client.ask("acme", "companies/info", headers={"Host": "ACME.Namely.com"})
    assert answer.status == 200


def test_each_site_has_a_certificate_of_its_own(client: Client) -> None:
    for name in ("acme", "only-self", "nobody-at-all"):
        with client.connect(name) as connection:
            certificate = connection.getpeercert() or {}
            assert certificate["subjectAltName"] == (("DNS", f"{name}.namely.com"),)


def test_documents_are_the_same_each_time(client: Client) -> None:
    first = get(client, "acme", "profiles")
    assert json.dumps(get(client, "acme", "profiles")) == json.dumps(first)


def test_another_ca_is_not_trusted(client: Client) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        client.connect("acme", ssl.create_default_context())

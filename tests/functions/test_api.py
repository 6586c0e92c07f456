"""`api` makes sessions, and reads and changes accounts."""

import json
from datetime import timedelta

import boto3
import pytest

from contract import DOCUMENT
from deployment.api_key import make_key
from namely_link import bootstrap
from namely_link.aws.accounts import AccountTable
from namely_link.aws.vault import SecretsManagerVault
from namely_link.domain.problems import ConflictError, StorageError
from namely_link.domain.values import moment

FILES = [
    *("make-session", "read-session", "revoke-session", "list", "read", "rename", "unlink"),
    *("suspend", "resume", "ledger", "make-portal"),
]


@pytest.fixture
def linked(house):
    account = house.link()["json"]
    house.values["ACCOUNT_ID"] = account["id"]
    return account


def test_a_session_is_made_with_its_link(house) -> None:
    made = house.session()
    base = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com/production"
    assert made["url"] == f"{base}/hub#{made['token']}"
    assert (made["state"], made["attempts_left"]) == ("open", 5)
    assert moment(made["expires_at"]) - moment(made["created_at"]) == timedelta(hours=1)


def test_the_link_leads_to_the_companys_own_domain_where_there_is_one(house, environ, load) -> None:
    environ.setenv("PUBLIC_URL", "https://link.example.com")
    house.functions["api"] = load("api")
    assert house.session()["url"].startswith("https://link.example.com/hub#nls_")


def test_a_sessions_bearer_is_shown_once(house) -> None:
    made = house.session()
    read = house.invoke("api/read-session")
    assert read["json"] == {key: made[key] for key in made if key not in {"token", "url"}}


def test_a_revoked_session_says_so(house) -> None:
    house.session()
    assert house.invoke("api/revoke-session")["json"]["state"] == "revoked"
    assert house.invoke("api/revoke-session")["json"]["state"] == "revoked"


@pytest.mark.parametrize("file", ["read-session", "read", "rename", "unlink", "suspend", "ledger"])
def test_what_is_not_there_is_not_found(house, file: str) -> None:
    assert house.invoke(f"api/{file}")["json"]["code"] == "not_found"


def test_a_relink_session_is_for_an_account_of_its_owner(house, linked) -> None:
    def make(owner: str):
        body = {"owner_id": owner, "owner_name": "X", "account_id": linked["id"]}
        return house.invoke("api/make-session", changes={"body": json.dumps(body)})

    assert make("o1")["json"]["account_id"] == linked["id"]
    assert make("o2")["json"]["code"] == "not_found"
    house.invoke("api/unlink")
    assert make("o1")["json"]["code"] == "not_found"


def test_an_unlinked_account_is_not_renamed(house, linked) -> None:
    house.invoke("api/unlink")
    answer = house.invoke("api/rename")["json"]
    assert (answer["code"], answer["reason"]) == ("conflict", "wrong_status")


def test_linked_accounts_are_listed(house, linked) -> None:
    listed = house.invoke("api/list")["json"]
    assert listed == {"accounts": [linked], "cursor": None}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 1),
        ({"owner_id": "o2"}, 0),
        ({"status": "active"}, 1),
        ({"status": "error"}, 0),
        ({"subdomain": "acme"}, 1),
        ({"subdomain": "acme", "owner_id": "o1", "status": "active"}, 1),
        ({"subdomain": "other"}, 0),
    ],
)
def test_a_list_is_filtered(house, linked, query: dict[str, str], found: int) -> None:
    event = {
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {key: [value] for key, value in query.items()},
    }
    assert len(house.invoke("api/list", changes=event)["json"]["accounts"]) == found


def test_a_list_goes_on_behind_its_cursor(house) -> None:
    ids = [house.link(name)["json"]["id"] for name in ("acme", "small-company", "only-self")]
    seen, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = house.invoke("api/list", changes={"queryStringParameters": query})["json"]
        seen += [account["id"] for account in page["accounts"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]


def test_an_account_is_read(house, linked) -> None:
    assert house.invoke("api/read")["json"] == linked


def test_an_account_is_renamed(house, linked) -> None:
    renamed = house.invoke("api/rename")["json"]
    assert (renamed["label"], renamed["metadata"]) == ("New name", {"plan": "gold"})
    kept = house.invoke("api/rename", changes={"body": "{}"})["json"]
    assert (kept["label"], kept["metadata"], kept["revision"]) == ("New name", {"plan": "gold"}, 3)
    body = json.dumps({"owner_name": "New Ltd"})
    other = house.invoke("api/rename", changes={"body": body})["json"]
    assert (other["owner"]["name"], other["label"]) == ("New Ltd", "New name")


def test_an_account_is_suspended_and_resumed(house, linked) -> None:
    assert house.invoke("api/suspend")["json"]["status"] == "suspended"
    assert house.invoke("api/suspend")["json"]["revision"] == 2
    assert house.invoke("api/resume")["json"]["status"] == "active"


def test_an_unlinked_account_is_not_resumed(house, linked) -> None:
    house.invoke("api/unlink")
    assert house.invoke("api/resume")["json"]["code"] == "conflict"


def test_unlinking_schedules_the_secret_for_deletion(house, linked) -> None:
    gone = house.invoke("api/unlink")["json"]
    assert (gone["status"], gone["next_check_at"]) == ("unlinked", None)
    assert moment(gone["recoverable_until"]) > bootstrap.now() + timedelta(days=29)
    receipt = gone["deletion"]
    assert (receipt["requested_by"], receipt["secret_arn"]) == ("backend", linked["secret"]["arn"])
    assert moment(receipt["final_at"]) > bootstrap.now() + timedelta(days=29)
    assert linked["deletion"] is None
    secrets = boto3.client("secretsmanager")
    assert "DeletedDate" in secrets.describe_secret(SecretId=linked["secret"]["arn"])


def test_an_unlinked_pair_can_be_linked_anew(house, linked) -> None:
    house.invoke("api/unlink")
    anew = house.link()
    assert anew["statusCode"] == 201
    assert anew["json"]["id"] != linked["id"]


def test_unlinking_again_changes_nothing_and_leaves_a_failed_deletion_to_the_sweep(
    house, linked
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise StorageError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, "delete", fail)
        first = house.invoke("api/unlink")
    assert first["json"]["deletion"]["scheduled_at"] is None
    assert house.invoke("api/unlink")["json"] == first["json"]


def test_the_ledger_tells_who_did_what(house, linked) -> None:
    house.invoke("api/rename")
    entries = house.invoke("api/ledger")["json"]["entries"]
    assert [entry["action"] for entry in entries] == ["renamed", "linked"]
    assert entries[0]["actor"] == {"kind": "api_key", "name": "backend"}
    assert entries[0]["request_id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.mark.parametrize("file", FILES)
def test_every_route_needs_a_key(house, file: str) -> None:
    answer = house.invoke(f"api/{file}", API_KEY="none")
    assert answer["json"]["code"] == "unauthorized"


@pytest.mark.parametrize("file", FILES)
def test_every_route_needs_its_scope(house, file: str) -> None:
    key = make_key(
        "x", table="table", environ={"AWS_DEFAULT_REGION": "eu-central-1"}, scopes=["link"]
    )
    assert house.invoke(f"api/{file}", API_KEY=key)["json"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConflictError, "conflict"),
        (StorageError, "storage_unavailable"),
        (RuntimeError, "internal_error"),
    ],
)
def test_every_fault_has_its_code(house, linked, monkeypatch, error: type, code: str) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(AccountTable, "commit", fail)
    assert house.invoke("api/rename")["json"]["code"] == code


def test_the_api_describes_itself_with_its_own_address(house, environ, load) -> None:
    answer = house.invoke("api/openapi")
    base = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com/production"
    assert answer["json"]["servers"][0]["url"] == base
    assert answer["multiValueHeaders"]["Cache-Control"] == ["public, max-age=300"]
    environ.setenv("PUBLIC_URL", "https://link.example.com")
    house.functions["api"] = load("api")
    own = house.invoke("api/openapi")["json"]
    assert own["servers"][0]["url"] == "https://link.example.com"
    assert own["paths"] == answer["json"]["paths"] == DOCUMENT["paths"]


def test_an_unknown_path_is_not_found(house) -> None:
    assert house.invoke("api/list", changes={"resource": "/v1/x"})["json"]["code"] == "not_found"


def test_a_prefilled_session_is_in_no_list_of_accounts(house) -> None:
    assert house.session()["subdomain"] == "acme"
    query = {"queryStringParameters": {"subdomain": "acme"}}
    assert house.invoke("api/list", changes=query)["json"]["accounts"] == []


def test_a_portal_session_is_made_with_its_link(house) -> None:
    made = house.invoke("api/make-portal")["json"]
    base = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com/production"
    assert made["url"] == f"{base}/accounts#{made['token']}"
    shown = house.invoke("api/portal-current", PORTAL=made["token"])["json"]
    assert shown == {key: made[key] for key in made if key not in {"token", "url"}}
    assert (shown["rank"], shown["owner"]["id"]) == ("operator", "o1")


def test_a_portal_session_ends(house, monkeypatch) -> None:
    token = house.portal()
    later = bootstrap.now() + timedelta(hours=1)
    monkeypatch.setattr(bootstrap, "now", lambda: later)
    answer = house.invoke("api/portal-current", PORTAL=token)
    assert answer["json"]["code"] == "session_expired"


@pytest.mark.parametrize("bearer", ["PORTAL", "API_KEY"])
def test_what_is_no_portal_session_is_refused(house, bearer: str) -> None:
    answer = house.invoke("api/portal-current", PORTAL=house.values[bearer])
    assert answer["json"]["code"] == "unauthorized"


def test_a_viewer_reads_and_changes_nothing(house, linked) -> None:
    viewer = house.portal(rank="viewer")
    assert house.invoke("api/read", API_KEY=viewer)["json"] == linked
    for file in ("rename", "unlink", "suspend", "make-session", "make-portal"):
        assert house.invoke(f"api/{file}", API_KEY=viewer)["json"]["code"] == "forbidden"
    assert house.link(API_KEY=viewer)["json"]["code"] == "forbidden"


def test_an_operator_does_everything_but_make_portal_sessions(house, linked) -> None:
    operator = house.portal(rank="operator")
    for file in ("rename", "suspend", "resume", "make-session", "unlink"):
        assert house.invoke(f"api/{file}", API_KEY=operator)["statusCode"] in {200, 201}
    assert house.link(API_KEY=operator)["statusCode"] == 201
    assert house.invoke("api/make-portal", API_KEY=operator)["json"]["code"] == "forbidden"


def test_a_portal_session_of_one_owner_keeps_to_it(house, linked) -> None:
    session = house.session()
    other = house.portal(rank="operator", owner_id="o2", owner_name="Owner Two")
    for file in ("read", "rename", "unlink", "ledger", "read-session", "revoke-session"):
        assert house.invoke(f"api/{file}", API_KEY=other)["json"]["code"] == "not_found"
    assert house.invoke("api/read-session")["json"]["state"] == session["state"]
    assert house.invoke("api/list", API_KEY=other)["json"]["code"] == "forbidden"
    everything = {"queryStringParameters": {}}
    assert house.invoke("api/list", API_KEY=other, changes=everything)["json"]["accounts"] == []
    assert house.link(API_KEY=other)["json"]["code"] == "forbidden"
    credential = {"subdomain": "acme", "token": house.values["TOKEN"]}
    own = house.invoke("link/link", API_KEY=other, changes={"body": json.dumps(credential)})["json"]
    assert own["owner"] == {"id": "o2", "name": "Owner Two"}
    assert house.invoke("api/list", API_KEY=other, changes=everything)["json"]["accounts"] == [own]


@pytest.mark.parametrize("missing", ["owner_id", "owner_name"])
def test_a_session_of_nobody_is_refused(house, missing: str) -> None:
    body = {"owner_id": "o1", "owner_name": "Owner One"}
    del body[missing]
    answer = house.invoke("api/make-session", changes={"body": json.dumps(body)})
    assert (answer["json"]["code"], answer["json"]["field"]) == ("invalid_request", missing)

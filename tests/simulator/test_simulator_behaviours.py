"""Each behaviour is, over the wire, exactly what the table says."""

import http.client
import json
import ssl
import time
import zlib
from collections.abc import Iterator

import pytest
import urllib3
from simulator_client import Client

from simulator import Simulator


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


def me(client: Client, name: str) -> urllib3.BaseHTTPResponse:
    credential = client.simulator.credential(name)
    return client.ask(credential.subdomain, "profiles/me", credential.token)


def send(client: Client, name: str) -> ssl.SSLSocket:
    """A connection on which /me was asked for."""
    connection = client.connect(name)
    token = client.simulator.credential(name).token
    connection.sendall(
        f"GET /api/v1/profiles/me HTTP/1.1\r\nHost: {name}.namely.com\r\n"
        f"Accept: application/json\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    return connection


@pytest.mark.parametrize("path", ["companies/info", "profiles/me"])
def test_unknown_html_is_a_login_page_everywhere(shared: Client, path: str) -> None:
    answer = shared.ask("unknown-html", path)
    assert answer.status == 200
    assert answer.data.startswith(b"<!DOCTYPE html>")
    assert answer.headers["Content-Type"].startswith("text/html")


def test_unknown_redirect_leads_to_the_login_page(shared: Client) -> None:
    answer = shared.ask("unknown-redirect", "companies/info")
    assert (answer.status, answer.headers["Location"]) == (302, "/users/login")
    page = shared.ask("unknown-redirect", "/users/login")
    assert (page.status, page.data[:15]) == (200, b"<!DOCTYPE html>")


def test_unknown_404_is_json(shared: Client) -> None:
    answer = shared.ask("unknown-404", "companies/info")
    assert (answer.status, answer.json()) == (404, {"message": "Not found", "errors": []})


def test_another_permalink_is_told_while_the_token_would_be_taken(shared: Client) -> None:
    info = shared.ask("another-permalink", "companies/info").json()
    assert info["permalink"] == "somebody-else"
    assert me(shared, "another-permalink").status == 200


@pytest.mark.parametrize(
    ("name", "status", "kind", "body"),
    [
        ("refused-401-json", 401, "application/json; charset=utf-8", b'{"error":""}'),
        ("refused-401-empty", 401, None, b""),
        (
            "refused-401-message",
            401,
            "application/json; charset=utf-8",
            b'{"message":"Invalid access token provided.","errors":[]}',
        ),
        (
            "refused-403-json",
            403,
            "application/json; charset=utf-8",
            b'{"message":"Forbidden","errors":[]}',
        ),
        ("refused-403-empty", 403, None, b""),
        ("refused-403-text", 403, "text/plain; charset=utf-8", b"Forbidden\n"),
    ],
)
def test_a_token_is_refused(
    shared: Client, name: str, status: int, kind: str | None, body: bytes
) -> None:
    answer = me(shared, name)
    assert (answer.status, answer.headers.get("Content-Type"), answer.data) == (
        status,
        kind,
        body,
    )


def test_a_token_of_another_site_is_good_at_home(shared: Client) -> None:
    assert me(shared, "token-of-another-site").status == 401
    token = shared.simulator.credential("token-of-another-site").token
    assert shared.ask("acme", "profiles/me", token).status == 200


def test_any_token_is_accepted(shared: Client) -> None:
    assert shared.ask("accepts-any-token", "profiles/me", "MadeUp").status == 200
    assert shared.ask("accepts-any-token", "profiles/me").status == 401


@pytest.mark.parametrize(
    ("name", "me_status"), [("info-needs-token", 200), ("info-needs-token-refused", 401)]
)
def test_info_asks_for_a_token(shared: Client, name: str, me_status: int) -> None:
    token = shared.simulator.credential(name).token
    assert shared.ask(name, "companies/info").status == 401
    assert shared.ask(name, "companies/info", token).status == me_status
    assert me(shared, name).status == me_status


@pytest.mark.parametrize(("name", "status"), [("info-500", 500), ("info-503", 503)])
def test_only_info_is_out_of_order(shared: Client, name: str, status: int) -> None:
    assert shared.ask(name, "companies/info").status == status
    assert me(shared, name).status == 200


def test_only_info_cuts_the_connection(shared: Client) -> None:
    with pytest.raises(urllib3.exceptions.ProtocolError):
        shared.ask("info-cut", "companies/info")
    assert me(shared, "info-cut").status == 200


def test_a_made_up_token_gets_500_and_a_revoked_one_401(sim: Simulator, client: Client) -> None:
    assert client.ask("control-inconclusive", "profiles/me", "MadeUp").status == 500
    sim.revoke("control-inconclusive")
    assert me(client, "control-inconclusive").status == 401


def test_406_is_for_profiles_alone(shared: Client) -> None:
    token = shared.simulator.credential("throttled-406").token
    assert shared.ask("throttled-406", "profiles", token).status == 406
    assert me(shared, "throttled-406").status == 200


@pytest.mark.parametrize(
    ("name", "status", "start"),
    [
        ("profiles-429", 429, b"{"),
        ("profiles-500", 500, b"<!DOCTYPE html>"),
        ("profiles-504", 504, b"<!DOCTYPE html>"),
        ("profiles-html", 200, b"<!DOCTYPE html>"),
        ("profiles-odd", 200, b"[]"),
    ],
)
def test_only_profiles_is_odd(shared: Client, name: str, status: int, start: bytes) -> None:
    token = shared.simulator.credential(name).token
    answer = shared.ask(name, "profiles", token)
    assert answer.status == status
    assert answer.data.startswith(start)
    assert shared.ask(name, "profiles", "MadeUp").status == 401
    assert (me(shared, name).status, shared.ask(name, "profiles/me", "MadeUp").status) == (200, 401)


def test_only_profiles_is_cut(shared: Client) -> None:
    token = shared.simulator.credential("profiles-cut").token
    with pytest.raises((urllib3.exceptions.ProtocolError, urllib3.exceptions.SSLError)):
        shared.ask("profiles-cut", "profiles", token)
    assert me(shared, "profiles-cut").status == 200


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("profiles-slow", "profiles"),
        ("info-slow", "companies/info"),
        ("incident-info-slow", "companies/info"),
    ],
)
def test_one_question_alone_is_never_answered(shared: Client, name: str, path: str) -> None:
    token = shared.simulator.credential(name).token if path == "profiles" else None
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        shared.ask(name, path, token, timeout=0.3)
    assert me(shared, name).status == (401 if name.startswith("incident") else 200)


def test_profiles_is_throttled_where_a_made_up_token_gets_500(shared: Client) -> None:
    name = "profiles-406-unproved"
    token = shared.simulator.credential(name).token
    assert shared.ask(name, "profiles", token).status == 406
    assert shared.ask(name, "profiles/me", "MadeUp").status == 500
    assert me(shared, name).status == 200


def test_only_resources_is_out_of_order(shared: Client) -> None:
    token = shared.simulator.credential("resources-500").token
    assert shared.ask("resources-500", "resources", token).status == 500
    assert shared.ask("resources-500", "profiles", token).status == 200


@pytest.mark.parametrize(
    ("name", "info", "people"),
    [("incident-info-503", 503, 401), ("incident-profiles-503", 200, 503)],
)
def test_an_incident_refuses_every_token(shared: Client, name: str, info: int, people: int) -> None:
    token = shared.simulator.credential(name).token
    assert shared.ask(name, "companies/info").status == info
    assert me(shared, name).status == 401
    assert shared.ask(name, "profiles/me", "MadeUp").status == 401
    assert shared.ask(name, "profiles", token).status == people


@pytest.mark.parametrize(
    ("name", "retry_after"),
    [
        ("throttled-429", "30"),
        ("throttled-429-bare", None),
        ("throttled-429-absurd", "21600"),
    ],
)
def test_429_has_its_retry_after(shared: Client, name: str, retry_after: str | None) -> None:
    answer = me(shared, name)
    assert (answer.status, answer.headers.get("Retry-After")) == (429, retry_after)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("path", ["companies/info", "profiles/me"])
def test_an_error_is_everywhere(shared: Client, status: int, path: str) -> None:
    assert shared.ask(f"error-{status}", path).status == status


def test_the_first_of_each_two_like_requests_gets_502(sim: Simulator, client: Client) -> None:
    token = sim.credential("error-502-once").token
    asked = [
        ("companies/info", None),
        ("profiles/me", token),
        ("profiles/me", "MadeUp"),
        ("profiles/me", token),
        ("companies/info", None),
        ("profiles/me", token),
    ]
    statuses = [client.ask("error-502-once", path, bearer).status for path, bearer in asked]
    assert statuses == [502, 502, 502, 200, 200, 502]


@pytest.mark.parametrize(
    "name",
    [
        "accepts-any-token",
        "broken-json",
        "cut",
        "cut-mid-body",
        "dribbling-body",
        "dribbling-headers",
        "endless-body",
        "gzip-bomb",
        "html-403",
        "huge-json",
        "list-json",
        "nested-json",
        "no-email",
        "no-profiles",
        "slow-me",
        "throttled-406",
        "throttled-429",
        "two-profiles",
        "wrong-content-type",
    ],
)
def test_a_site_with_an_odd_answer_proves_itself_first(shared: Client, name: str) -> None:
    assert shared.ask(name, "companies/info").json()["permalink"] == name


def test_cut_is_before_a_byte_of_the_answer(shared: Client) -> None:
    with pytest.raises((urllib3.exceptions.ProtocolError, urllib3.exceptions.SSLError)):
        me(shared, "cut")


def test_cut_mid_body_is_after_half_of_it(shared: Client) -> None:
    with send(shared, "cut-mid-body") as connection:
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 200
        with pytest.raises((http.client.IncompleteRead, ssl.SSLEOFError)):
            response.read()


@pytest.mark.parametrize(("name", "path"), [("slow", "companies/info"), ("slow-me", "profiles")])
def test_slow_answers_nothing(shared: Client, name: str, path: str) -> None:
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        shared.ask(name, path, timeout=0.3)


def test_dribbling_headers_keep_coming_and_never_end(shared: Client) -> None:
    with send(shared, "dribbling-headers") as connection:
        start = time.monotonic()
        pieces = [connection.recv(65_536) for _ in range(4)]
        assert time.monotonic() - start > 0.5
        assert all(pieces)
        assert b"\r\n\r\n" not in b"".join(pieces)


def test_a_dribbling_body_keeps_coming(shared: Client) -> None:
    with send(shared, "dribbling-body") as connection:
        response = http.client.HTTPResponse(connection)
        response.begin()
        start = time.monotonic()
        assert len(response.read(16)) == 16
        assert time.monotonic() - start > 0.5


def test_an_endless_body_passes_every_limit(shared: Client) -> None:
    with send(shared, "endless-body") as connection:
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert len(response.read(3_000_000)) == 3_000_000


def test_huge_json_is_right_and_over_five_megabytes(shared: Client) -> None:
    answer = me(shared, "huge-json")
    assert len(answer.data) > 5_000_000
    assert len(answer.json()["profiles"]) == 1


def test_nested_json_is_a_hundred_thousand_brackets_deep(shared: Client) -> None:
    body = me(shared, "nested-json").data
    assert body.count(b"[") == body.count(b"]") == 100_000
    with pytest.raises(RecursionError):
        json.loads(body)


def test_broken_json_is_a_whole_answer(shared: Client) -> None:
    answer = me(shared, "broken-json")
    assert (answer.status, answer.headers["Content-Type"]) == (
        200,
        "application/json; charset=utf-8",
    )
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_list_json_is_a_list_of_the_right_profile(shared: Client) -> None:
    [profile] = me(shared, "list-json").json()
    assert profile["email"]


def test_a_wrong_content_type_has_the_right_document(shared: Client) -> None:
    answer = me(shared, "wrong-content-type")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert len(answer.json()["profiles"]) == 1


def test_html_403_is_a_page(shared: Client) -> None:
    answer = me(shared, "html-403")
    assert (answer.status, answer.data[:15]) == (403, b"<!DOCTYPE html>")


@pytest.mark.parametrize(("name", "count"), [("two-profiles", 2), ("no-profiles", 0)])
def test_me_is_as_many_people(shared: Client, name: str, count: int) -> None:
    ids = [profile["id"] for profile in me(shared, name).json()["profiles"]]
    assert len(set(ids)) == len(ids) == count


def test_no_email_has_all_but_the_email(shared: Client) -> None:
    [profile] = me(shared, "no-email").json()["profiles"]
    assert "email" not in profile
    assert {"id", "first_name", "user_status"} <= set(profile)


def test_a_gzip_bomb_is_small_and_unpacks_to_the_right_answer(shared: Client) -> None:
    answer = me(shared, "gzip-bomb")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) < 600_000
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    length, end, packed = 0, b"", answer.data
    while not unpacker.eof:  # in pieces; the check sum is verified at the end
        piece = unpacker.decompress(packed, 16 * 1024 * 1024)
        length, end, packed = length + len(piece), (end + piece)[-5000:], unpacker.unconsumed_tail
    assert length > 256 * 1024 * 1024
    assert len(json.loads(end.lstrip())["profiles"]) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bad-certificate-host", "Hostname mismatch"),
        ("bad-certificate-ca", "unable to get local issuer|self-signed"),
    ],
)
def test_a_bad_certificate_is_refused_by_the_client(shared: Client, name: str, reason: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shared.connect(name)


def test_a_bad_certificate_would_serve_who_does_not_verify(shared: Client) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with shared.connect("bad-certificate-ca", context) as connection:
        connection.sendall(
            b"GET /api/v1/companies/info.json HTTP/1.1\r\n"
            b"Host: bad-certificate-ca.namely.com\r\n\r\n"
        )
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 200

"""Namely's answers become a verdict; what is not explicit is undetermined."""

import re
import string
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from namely_link.domain.account import AccountWarning
from namely_link.domain.probe import (
    ASKED,
    CAPABILITIES,
    MAX_RETRY_AFTER,
    ME,
    PEOPLE,
    RESOURCES,
    SITE,
    Accepted,
    Answer,
    Failure,
    Guarded,
    Proven,
    Questions,
    Rejected,
    Reply,
    Undetermined,
    barred,
    judge_site,
    made_up_token,
)
from namely_link.domain.problems import Reason
from namely_link.domain.values import Credential, Site, Subdomain, Token
from one_by_one import OneByOne

ACME = Subdomain("acme")
TOKEN = Token("t" * 64)
HTML = Answer(200, is_json=False, is_html=True)
PROFILE = {
    "id": "p1",
    "email": "integrations@acme.example",
    "full_name": "Ada Example",
    "user_status": "active",
}
LONE = "\ud800"
"""Half of a character: JSON may escape it, UTF-8 has no bytes for it, and DynamoDB refuses it."""
GOOD_SITE = Answer(200, is_json=True, body={"name": "Acme", "permalink": "acme"})
REFUSED = Answer(401, is_json=True, body={"error": ""})


def me(**changes: object) -> Answer:
    return Answer(200, is_json=True, body={"profiles": [PROFILE | changes], "meta": {}})


def people(*others: dict[str, object], total: object = 412) -> Answer:
    return Answer(
        200,
        is_json=True,
        body={"profiles": [PROFILE, *others], "meta": {"total_count": total}},
    )


COLLEAGUE = {"id": "p2", "email": "b@acme.example", "start_date": "2020-01-01"}


class FakeNamely:
    """Answers from a table and remembers who was shown which token."""

    def __init__(self, **answers: Reply) -> None:
        self.site = answers.get("site", GOOD_SITE)
        self.me = answers.get("me", me())
        self.people = answers.get("people", people(COLLEAGUE))
        self.resources = answers.get("resources", REFUSED)
        self.control = answers.get("control", REFUSED)
        self.asked: list[tuple[str, Token | None]] = []
        self.deadlines: dict[str, float] = {}

    def get(self, subdomain: Subdomain, path: str, token: Token | None, deadline: float) -> Reply:
        assert subdomain == ACME
        self.asked.append((path, token))
        self.deadlines[path] = deadline
        if path == SITE:
            return self.site
        if path == ME:
            return self.me if token == TOKEN else self.control
        return self.people if path == PEOPLE else self.resources


def probe(*, negative_control: bool = True, **answers: Reply):
    namely = FakeNamely(**answers)
    questions = Questions(namely=namely, negative_control=negative_control)
    pending = questions.ask(Credential(ACME, TOKEN), deadline=9, pool=OneByOne())
    return pending.verdict(questions.site(ACME, now=0, deadline=9))


def receipt(**answers: Reply):
    verdict = probe(**answers)
    assert isinstance(verdict, Accepted)
    return verdict.receipt


@pytest.mark.parametrize(
    ("reply", "finding"),
    [
        (GOOD_SITE, Proven(Site("Acme", "acme"))),
        (Answer(200, True, {"permalink": "Acme"}), Proven(Site("", "Acme"))),
        (Answer(200, True, {"permalink": "other"}), Rejected(Reason.SITE_OTHER_PERMALINK)),
        (Answer(200, True, {"name": "x"}), Undetermined(Reason.UNEXPECTED_ANSWER)),
        (Answer(200, True, []), Undetermined(Reason.UNEXPECTED_ANSWER)),
        (HTML, Rejected(Reason.SITE_ANSWERS_HTML)),
        (Answer(302, False), Rejected(Reason.SITE_REDIRECTS)),
        (Answer(404, True, {"message": "x"}), Rejected(Reason.SITE_UNKNOWN)),
        (Answer(401, True, {}), Guarded(Reason.UNEXPECTED_ANSWER)),
        (Answer(403, False), Guarded()),
        (Answer(403, False, is_html=True), Undetermined(Reason.UNEXPECTED_ANSWER)),
        (Answer(503, False), Undetermined(Reason.OUTAGE)),
        (Answer(406, False), Undetermined(Reason.THROTTLED, 60)),
        (Failure.NO_DNS, Rejected(Reason.SITE_NO_DNS)),
        (Failure.UNREACHABLE, Undetermined(Reason.UNREACHABLE)),
        (Failure.TIMEOUT, Undetermined(Reason.TIMEOUT)),
        (Failure.UNUSABLE, Undetermined(Reason.UNEXPECTED_ANSWER)),
    ],
)
def test_a_site_is_proved_refuted_or_left_open(reply: Reply, finding: object) -> None:
    assert judge_site(reply, ACME) == finding


@pytest.mark.parametrize(
    ("finding", "sent"),
    [
        (Proven(Site("Acme", "acme")), True),
        (Undetermined(Reason.OUTAGE), True),
        (Undetermined(Reason.UNREACHABLE), False),
        (Rejected(Reason.SITE_ANSWERS_HTML), False),
    ],
)
def test_the_token_goes_only_to_a_site_that_is_reachable_and_unrefuted(
    finding: object, sent: bool
) -> None:
    assert (barred(finding) is None) is sent


def test_the_site_is_asked_without_a_token_for_a_third_of_the_time() -> None:
    namely = FakeNamely()
    Questions(namely=namely, negative_control=True).site(ACME, now=100, deadline=109)
    assert namely.asked == [(SITE, None)]
    assert namely.deadlines == {SITE: 103}


@pytest.mark.parametrize("negative_control", [True, False])
def test_each_question_about_a_token_has_all_the_time(negative_control: bool) -> None:
    namely = FakeNamely()
    questions = Questions(namely=namely, negative_control=negative_control)
    questions.ask(Credential(ACME, TOKEN), deadline=109, pool=OneByOne())
    assert namely.deadlines == dict.fromkeys(ASKED.values(), 109)
    paths = [path for path, token in namely.asked if token == TOKEN]
    assert paths == [*ASKED.values()]
    made_up = [path for path, token in namely.asked if token != TOKEN]
    assert made_up == ([ME] if negative_control else [])


def test_the_questions_are_asked_at_the_same_time() -> None:
    at_once = len(ASKED) + 1
    meeting = threading.Barrier(at_once, timeout=5)

    class Meeting(FakeNamely):
        def get(self, *question) -> Reply:
            meeting.wait()
            return super().get(*question)

    questions = Questions(namely=Meeting(), negative_control=True)
    with ThreadPoolExecutor(at_once) as pool:
        pending = questions.ask(Credential(ACME, TOKEN), deadline=9, pool=pool)
        assert isinstance(pending.verdict(Proven(Site("Acme", "acme"))), Accepted)


def test_the_addresses_are_those_of_namelys_reference() -> None:
    assert SITE == "/api/v1/companies/info"
    assert ME == "/api/v1/profiles/me"
    assert PEOPLE == "/api/v1/profiles?page=1&per_page=2"
    assert RESOURCES == "/api/v1/resources"


def test_a_made_up_token_looks_like_one_of_namelys_and_is_never_the_same() -> None:
    tokens = {made_up_token().reveal() for _ in range(99)}
    assert len(tokens) == 99
    assert all(re.fullmatch("[A-Za-z0-9]{64}", token) for token in tokens)
    letters = set("".join(tokens))
    assert all(letters & set(kind) for kind in (string.ascii_uppercase, string.digits))


def test_a_good_token_gives_a_receipt() -> None:
    got = receipt()
    assert got.site == Site("Acme", "acme")
    assert (got.identity.name, got.identity.profile_id) == ("Ada Example", "p1")
    assert got.visible_people == 412
    assert set(got.capabilities) == set(CAPABILITIES)
    assert got.capabilities["work_fields"] == "yes"
    assert got.capabilities["salary"] == "no"
    assert got.warnings == ()


UNPROVEN = Answer(503, is_json=False)


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ({"me": REFUSED}, Rejected(Reason.TOKEN_UNAUTHORIZED)),
        ({"me": Answer(403, False)}, Rejected(Reason.TOKEN_FORBIDDEN)),
        ({"me": REFUSED, "site": REFUSED}, Rejected(Reason.CREDENTIAL_UNCLEAR)),
        ({"me": Answer(403, False), "site": REFUSED}, Rejected(Reason.CREDENTIAL_UNCLEAR)),
        ({"me": Answer(302, False), "site": REFUSED}, Rejected(Reason.SITE_REDIRECTS)),
        ({"me": HTML, "site": REFUSED}, Rejected(Reason.SITE_ANSWERS_HTML)),
        ({"me": Answer(404, True), "site": REFUSED}, Rejected(Reason.SITE_UNKNOWN)),
        ({"me": me(user_status="inactive")}, Rejected(Reason.OWNER_INACTIVE)),
        ({"control": me()}, Rejected(Reason.SITE_ACCEPTS_ANY_TOKEN)),
        ({"me": HTML}, Undetermined(Reason.UNEXPECTED_ANSWER)),
        (
            {"me": Answer(403, is_json=False, is_html=True)},
            Undetermined(Reason.UNEXPECTED_ANSWER),
        ),
        ({"me": Answer(302, False)}, Undetermined(Reason.UNEXPECTED_ANSWER)),
        ({"me": Answer(404, True)}, Undetermined(Reason.UNEXPECTED_ANSWER)),
        ({"me": Failure.TIMEOUT}, Undetermined(Reason.TIMEOUT)),
        ({"me": me(email="")}, Undetermined(Reason.UNEXPECTED_ANSWER)),
        (
            {"me": Answer(200, True, {"profiles": [PROFILE, PROFILE]})},
            Undetermined(Reason.UNEXPECTED_ANSWER),
        ),
        ({"me": Answer(200, True, {"profiles": []})}, Undetermined(Reason.UNEXPECTED_ANSWER)),
        ({"me": Answer(500, True)}, Undetermined(Reason.OUTAGE)),
        ({"me": Answer(429, False, retry_after=7)}, Undetermined(Reason.THROTTLED, 7)),
        ({"me": Answer(429, False, retry_after=0)}, Undetermined(Reason.THROTTLED, 1)),
        (
            {"me": Answer(429, False, retry_after=21600)},
            Undetermined(Reason.THROTTLED, MAX_RETRY_AFTER),
        ),
        ({"me": Answer(406, False)}, Undetermined(Reason.THROTTLED, 60)),
    ],
)
def test_only_an_explicit_refusal_rejects(answers: dict[str, Reply], verdict: object) -> None:
    assert probe(**answers) == verdict


@pytest.mark.parametrize(
    ("answers", "warning"),
    [
        ({"site": UNPROVEN}, AccountWarning.SITE_UNPROVEN),
        ({"people": REFUSED}, AccountWarning.NARROW_ROLE),
        ({"people": people()}, AccountWarning.ONLY_SELF_VISIBLE),
        ({"people": people({"id": "p2", "ssn": None})}, AccountWarning.OVER_PRIVILEGED),
        ({"people": people({"id": "p2", "salary": {}})}, AccountWarning.OVER_PRIVILEGED),
        ({"me": me(access_role="Administrator")}, AccountWarning.OVER_PRIVILEGED),
        ({"me": me(access_role="Employee")}, AccountWarning.PERSONAL_TOKEN),
        ({"me": me(user_status="pending")}, AccountWarning.OWNER_NOT_ACTIVE),
        ({"control": Failure.TIMEOUT}, AccountWarning.CONTROL_INCONCLUSIVE),
        (
            {"resources": Answer(200, True, {"meta": {"is_super_admin": True}})},
            AccountWarning.OVER_PRIVILEGED,
        ),
    ],
)
def test_what_is_doubtful_but_works_is_a_warning(
    answers: dict[str, Reply], warning: AccountWarning
) -> None:
    assert receipt(**answers).warnings == (warning,)


NO_LIST = [
    Answer(406, False),
    Answer(429, False),
    Answer(500, True, {"message": "x"}),
    Answer(504, False, is_html=True),
    HTML,
    Answer(302, False),
    Answer(404, True, {"message": "x", "errors": []}),
    Answer(403, False, is_html=True),
    Answer(200, True, {"profiles": ["no object"]}),
    Answer(200, True, []),
    *Failure,
]


@pytest.mark.parametrize("answer", NO_LIST)
def test_a_proved_token_is_accepted_whatever_becomes_of_the_list_of_people(answer: Reply) -> None:
    got = receipt(people=answer)
    assert got.visible_people is None
    assert got.capabilities == dict.fromkeys(CAPABILITIES, "unknown") | {"own_profile": "yes"}
    assert got.warnings == (AccountWarning.VISIBILITY_UNKNOWN,)
    assert probe(people=answer).recheck_soon


def test_what_is_seen_needs_no_check_soon() -> None:
    assert not probe().recheck_soon


@pytest.mark.parametrize("answer", NO_LIST)
def test_without_a_refused_made_up_token_the_list_of_people_decides(answer: Reply) -> None:
    assert isinstance(probe(people=answer, control=UNPROVEN), Undetermined)


@pytest.mark.parametrize("refused", [REFUSED, Answer(403, False)])
@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"site": Answer(500, True)}, Reason.OUTAGE),
        ({"site": UNPROVEN}, Reason.OUTAGE),
        ({"site": Failure.TIMEOUT}, Reason.TIMEOUT),
        ({"site": Failure.UNUSABLE}, Reason.UNEXPECTED_ANSWER),
        ({"site": Answer(429, False)}, Reason.THROTTLED),
        ({"site": Answer(200, True, {"name": "x"})}, Reason.UNEXPECTED_ANSWER),
        ({"control": UNPROVEN}, Reason.OUTAGE),
        ({"control": HTML}, Reason.UNEXPECTED_ANSWER),
        ({"people": UNPROVEN}, Reason.OUTAGE),
        ({"people": Failure.TIMEOUT}, Reason.TIMEOUT),
        ({"people": UNPROVEN, "control": UNPROVEN, "resources": UNPROVEN}, Reason.OUTAGE),
    ],
)
def test_a_refusal_in_an_incident_says_nothing_of_the_token(
    refused: Reply, answers: dict[str, Reply], reason: Reason
) -> None:
    verdict = probe(me=refused, **answers)
    assert isinstance(verdict, Undetermined)
    assert verdict.reason is reason


@pytest.mark.parametrize(
    "answers",
    [
        {"people": REFUSED},
        {"people": Answer(406, False)},
        {"resources": UNPROVEN},
        {"resources": Failure.TIMEOUT},
        {"control": Answer(403, True)},
    ],
)
def test_a_refusal_counts_while_namely_answers_normally(answers: dict[str, Reply]) -> None:
    assert probe(me=REFUSED, **answers) == Rejected(Reason.TOKEN_UNAUTHORIZED)


def test_a_site_that_may_not_see_the_token_decides_alone() -> None:
    assert probe(site=Failure.UNREACHABLE) == Undetermined(Reason.UNREACHABLE)
    assert probe(site=HTML, me=REFUSED) == Rejected(Reason.SITE_ANSWERS_HTML)


def test_a_refused_list_of_people_is_a_capability_that_is_missing() -> None:
    got = receipt(people=REFUSED)
    assert got.visible_people is None
    assert (got.capabilities["profiles"], got.capabilities["salary"]) == ("no", "unknown")


@pytest.mark.parametrize(
    ("total", "seen"),
    [
        (0, 0),
        (1_000_000_000, 1_000_000_000),
        (1_000_000_001, None),
        (-1, None),
        (None, None),
        (True, None),
        (2.0, None),
        ("2", None),
        ([], None),
    ],
)
def test_a_total_that_is_no_number_of_people_is_not_guessed(
    total: object, seen: int | None
) -> None:
    assert receipt(people=people(COLLEAGUE, total=total)).visible_people == seen


FIELDS = {
    "work_fields": ["start_date", "departure_date", "reports_to", "employee_type"],
    "personal_fields": ["dob", "home", "personal_email", "mobile_phone", "home_phone"],
    "salary": ["salary", "salaries"],
    "ssn": ["ssn"],
}


@pytest.mark.parametrize(
    ("capability", "key"), [(name, key) for name, keys in FIELDS.items() for key in keys]
)
def test_a_key_of_another_profile_is_a_capability(capability: str, key: str) -> None:
    got = receipt(people=people({"id": "p2", key: None}))
    expected = {name: "yes" if name == capability else "no" for name in FIELDS}
    assert got.capabilities == expected | dict.fromkeys(CAPABILITIES[:3], "yes")
    assert (AccountWarning.OVER_PRIVILEGED in got.warnings) is (capability in {"salary", "ssn"})


def test_ones_own_keys_are_no_capability() -> None:
    own = PROFILE | {"ssn": None, "salary": {}}
    listed = Answer(200, True, {"profiles": [own, COLLEAGUE]})
    assert receipt(people=listed).capabilities["ssn"] == "no"


def test_the_capabilities_have_an_order() -> None:
    assert ("own_profile", "profiles", "other_profiles", *FIELDS) == CAPABILITIES
    for answer in (people(COLLEAGUE), people(), REFUSED, HTML):
        assert tuple(receipt(people=answer).capabilities) == CAPABILITIES


def test_a_receipt_shares_nothing_with_the_next_one() -> None:
    receipt(people=REFUSED).capabilities["profiles"] = "yes"
    receipt(people=HTML).capabilities["profiles"] = "yes"
    assert receipt(people=REFUSED).capabilities["profiles"] == "no"
    assert receipt(people=HTML).capabilities["profiles"] == "unknown"


@pytest.mark.parametrize("role", ["administrator", "Admin", "SUPER ADMIN"])
def test_a_role_that_may_do_everything_is_over_privileged(role: str) -> None:
    assert receipt(me=me(access_role=role)).warnings == (AccountWarning.OVER_PRIVILEGED,)


@pytest.mark.parametrize("role", ["employee", "Manager", "EXECUTIVE"])
def test_a_role_of_people_hangs_on_one_of_them(role: str) -> None:
    assert receipt(me=me(access_role=role)).warnings == (AccountWarning.PERSONAL_TOKEN,)


@pytest.mark.parametrize("role", ["Integrations", "", None, 7, ["admin"]])
def test_a_role_of_its_own_deserves_no_word(role: object) -> None:
    got = receipt(me=me(access_role=role))
    assert got.warnings == ()
    assert got.identity.role == (role if isinstance(role, str) else "")


def test_warnings_have_the_order_in_which_they_are_listed() -> None:
    got = receipt(
        site=UNPROVEN,
        me=me(access_role="Employee", user_status="pending"),
        people=people({"id": "p2", "ssn": None}),
        control=UNPROVEN,
    )
    assert got.warnings == (
        AccountWarning.PERSONAL_TOKEN,
        AccountWarning.OVER_PRIVILEGED,
        AccountWarning.OWNER_NOT_ACTIVE,
        AccountWarning.CONTROL_INCONCLUSIVE,
        AccountWarning.SITE_UNPROVEN,
    )


@pytest.mark.parametrize("status", [None, 1, ["inactive"], "", "terminated"])
def test_a_status_that_is_not_active_is_a_warning(status: object) -> None:
    got = receipt(me=me(user_status=status))
    assert got.warnings == (AccountWarning.OWNER_NOT_ACTIVE,)


def test_a_text_of_namelys_is_cut_at_200_characters() -> None:
    assert receipt(me=me(full_name="x" * 201)).identity.name == "x" * 200


@pytest.mark.parametrize(
    "profile",
    [{"id": ""}, {"id": None}, {"id": 1}, {"email": ""}, {"email": None}, {"email": ["a@b"]}],
)
def test_a_profile_without_id_or_email_is_nobodys(profile: dict[str, object]) -> None:
    assert probe(me=me(**profile)) == Undetermined(Reason.UNEXPECTED_ANSWER)


def test_half_a_character_of_namelys_is_a_question_mark() -> None:
    """JSON may escape one; UTF-8 has no bytes for it, so no service of AWS takes it."""
    site = Answer(200, is_json=True, body={"name": "A\ud800", "permalink": "acme"})
    found = receipt(site=site, me=me(full_name="\udfffAda", access_role="\ud800"))
    assert (found.site.name, found.identity.name, found.identity.role) == ("A?", "?Ada", "?")


@pytest.mark.parametrize("profile_id", ["p" * 201, "p\ud800"])
def test_an_id_that_is_no_id_is_nobodys(profile_id: str) -> None:
    assert probe(me=me(id=profile_id)) == Undetermined(Reason.UNEXPECTED_ANSWER)


def test_an_id_may_be_as_long_as_any_text() -> None:
    assert receipt(me=me(id="p" * 200)).identity.profile_id == "p" * 200


def test_a_name_is_put_together_where_namely_gives_only_its_parts() -> None:
    got = receipt(me=me(full_name=None, first_name="Ada", last_name="Example"))
    assert got.identity.name == "Ada Example"


def test_without_the_negative_control_no_made_up_token_goes_out() -> None:
    assert isinstance(probe(negative_control=False, control=me()), Accepted)


def test_without_the_negative_control_the_answer_of_me_is_proof_enough() -> None:
    verdict = probe(negative_control=False, people=Failure.TIMEOUT)
    assert verdict.receipt.warnings == (AccountWarning.VISIBILITY_UNKNOWN,)


@pytest.mark.parametrize(
    ("full", "first", "last", "name"),
    [
        ("Ada Example", "Eve", "Other", "Ada Example"),
        (None, None, "Example", "Example"),
        ("", "Ada", "", "Ada"),
        (3, [], {}, ""),
    ],
)
def test_a_name_is_as_much_as_namely_gives(
    full: object, first: object, last: object, name: str
) -> None:
    got = receipt(me=me(full_name=full, first_name=first, last_name=last))
    assert got.identity.name == name


def test_namelys_time_to_wait_is_heeded_up_to_two_minutes() -> None:
    assert MAX_RETRY_AFTER == 120


def test_an_answer_that_is_no_json_has_no_body() -> None:
    assert Answer(200, is_json=False).body is None


def test_no_verdict_names_a_time_to_wait_only_where_namely_throttles() -> None:
    assert Undetermined(Reason.OUTAGE).retry_after is None
    assert Guarded().retry_after is None

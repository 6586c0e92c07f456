"""Namely's answers become a verdict; what is not explicit is undetermined."""

import pytest

from namely_link.domain.account import AccountWarning, Credential, Site, Subdomain, Token
from namely_link.domain.probe import (
    CAPABILITIES,
    MAX_RETRY_AFTER,
    ME,
    PEOPLE,
    SITE,
    Accepted,
    Answer,
    Failure,
    Proven,
    Questions,
    Rejected,
    Reply,
    Undetermined,
    judge_site,
    may_send_token,
)
from namely_link.domain.problems import Reason

ACME = Subdomain("acme")
TOKEN = Token("t" * 64)
HTML = Answer(200, is_json=False, is_html=True)
PROFILE = {
    "id": "p1",
    "email": "integrations@acme.example",
    "full_name": "Ada Example",
    "user_status": "active",
}
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

    def get(self, subdomain: Subdomain, path: str, token: Token | None, _deadline: float) -> Reply:
        assert subdomain == ACME
        self.asked.append((path, token))
        if path == SITE:
            return self.site
        if path == ME:
            return self.me if token == TOKEN else self.control
        return self.people if path == PEOPLE else self.resources


def one_by_one(*calls):
    return [call() for call in calls]


def probe(*, negative_control: bool = True, **answers: Reply):
    namely = FakeNamely(**answers)
    questions = Questions(namely=namely, together=one_by_one, negative_control=negative_control)
    verdict, _ = questions.credential(Credential(ACME, TOKEN), questions.site(ACME, 0), 0)
    return verdict


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
        (Answer(401, True, {}), Undetermined(Reason.UNEXPECTED_ANSWER)),
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
    assert may_send_token(finding) is sent


def test_the_site_is_asked_without_a_token() -> None:
    namely = FakeNamely()
    Questions(namely=namely, together=one_by_one, negative_control=True).site(ACME, 0)
    assert namely.asked == [(SITE, None)]


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
        ({"me": REFUSED, "site": UNPROVEN}, Rejected(Reason.CREDENTIAL_UNCLEAR)),
        ({"me": Answer(403, False), "site": UNPROVEN}, Rejected(Reason.CREDENTIAL_UNCLEAR)),
        ({"me": Answer(302, False), "site": UNPROVEN}, Rejected(Reason.SITE_REDIRECTS)),
        ({"me": HTML, "site": UNPROVEN}, Rejected(Reason.SITE_ANSWERS_HTML)),
        ({"me": Answer(404, True), "site": UNPROVEN}, Rejected(Reason.SITE_UNKNOWN)),
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
            {"people": Answer(429, False, retry_after=21600)},
            Undetermined(Reason.THROTTLED, MAX_RETRY_AFTER),
        ),
        ({"people": Answer(406, False)}, Undetermined(Reason.THROTTLED, 60)),
        ({"people": Failure.UNUSABLE}, Undetermined(Reason.UNEXPECTED_ANSWER)),
        (
            {"people": Answer(200, True, {"profiles": ["no object"]})},
            Undetermined(Reason.UNEXPECTED_ANSWER),
        ),
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


def test_a_refused_list_of_people_is_a_capability_that_is_missing() -> None:
    got = receipt(people=REFUSED)
    assert got.visible_people is None
    assert (got.capabilities["profiles"], got.capabilities["salary"]) == ("no", "unknown")


def test_an_absent_total_is_not_guessed() -> None:
    assert receipt(people=people(COLLEAGUE, total=None)).visible_people is None


def test_a_name_is_put_together_where_namely_gives_only_its_parts() -> None:
    got = receipt(me=me(full_name=None, first_name="Ada", last_name="Example"))
    assert got.identity.name == "Ada Example"


def test_without_the_negative_control_no_made_up_token_goes_out() -> None:
    assert isinstance(probe(negative_control=False, control=me()), Accepted)


def test_what_runs_beside_the_questions_gives_its_results_in_order() -> None:
    questions = Questions(namely=FakeNamely(), together=one_by_one, negative_control=True)
    _, results = questions.credential(
        Credential(ACME, TOKEN), questions.site(ACME, 0), 0, lambda: "one", lambda: "two"
    )
    assert results == ["one", "two"]

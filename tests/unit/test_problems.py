"""Every reason has a meaning and a sentence in every language, every code a status over HTTP."""

import pytest

from namely_link import sentences
from namely_link.domain.problems import MEANINGS, Code, Problem, Reason
from namely_link.http.problem_details import STATUS, document


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_a_whole_sentence(reason: Reason) -> None:
    problem = Problem(reason, subdomain="acme")
    assert problem.detail.endswith(".")
    assert problem.hint.endswith(".")
    assert "{" not in problem.detail + problem.hint


@pytest.mark.parametrize("language", sentences.languages())
def test_a_language_has_a_sentence_for_every_reason_and_no_other(language: str) -> None:
    assert set(sentences.document(language)["reasons"]) == {str(one) for one in Reason}
    for reason in Reason:
        said = sentences.reason(reason, language)
        assert said.detail
        assert said.hint


def test_english_is_the_first_of_five_languages() -> None:
    assert sentences.languages() == ("en", "de", "es", "fr", "pt")


def test_every_reason_means_a_code_and_every_code_has_a_reason() -> None:
    assert set(MEANINGS) == set(Reason)
    assert {meaning.code for meaning in MEANINGS.values()} == set(Code)


def test_every_code_that_is_answered_has_a_status() -> None:
    # What a check finds stands in an account's status_reasons, and is no answer to a request.
    assert set(STATUS) == set(Code) - {Code.SECRET_MISSING}


@pytest.mark.parametrize("reason", [one for one in Reason if MEANINGS[one].code in STATUS])
def test_a_503_is_transient_and_says_when_to_come_again(reason: Reason) -> None:
    told = document(Problem(reason), instance="r")
    assert ("retry_after" in told) == (told["status"] == 503)
    assert MEANINGS[reason].transient or told["status"] != 503


def test_what_passes_by_itself_is_transient() -> None:
    beside = {
        one for one in Reason if MEANINGS[one].transient and STATUS[MEANINGS[one].code][0] != 503
    }
    assert beside == {
        Reason.CONFLICT,
        Reason.OWNER_ATTEMPTS_EXHAUSTED,
        Reason.TOO_MANY_REQUESTS,
    }


def test_what_the_caller_knows_better_replaces_the_sentence() -> None:
    problem = Problem(
        Reason.INVALID_REQUEST, detail="owner_id is missing.", field="owner_id", attempts_left=2
    )
    assert (problem.detail, problem.field, problem.attempts_left) == (
        "owner_id is missing.",
        "owner_id",
        2,
    )


def test_the_wait_is_told_in_minutes() -> None:
    problem = Problem(Reason.OWNER_ATTEMPTS_EXHAUSTED, retry_after=61)
    assert problem.hint.endswith("in 2 min.")


def test_the_exception_reads_as_code_and_sentence() -> None:
    assert str(Problem(Reason.SITE_UNKNOWN, subdomain="acme")) == (
        "site_not_found: Namely didn't recognise the address acme.namely.com."
    )


def test_no_sentence_is_read_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "reason", None)
    problem = Problem(Reason.SITE_UNKNOWN, subdomain="acme")
    with pytest.raises(TypeError):
        str(problem)

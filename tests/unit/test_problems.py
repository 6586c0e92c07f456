"""Every reason has a sentence, every code a status."""

import pytest

from namely_link.domain.problems import SENTENCES, STATUS, Code, Problem, Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_a_whole_sentence(reason: Reason) -> None:
    problem = Problem(reason, subdomain="acme")
    assert problem.detail.endswith(".")
    assert "{" not in problem.detail + problem.hint


def test_every_code_has_a_status_and_a_reason() -> None:
    assert set(STATUS) == set(Code) == {sentence.code for sentence in SENTENCES.values()}


@pytest.mark.parametrize("reason", Reason)
def test_every_503_says_when_to_come_again(reason: Reason) -> None:
    problem = Problem(reason)
    assert (problem.retry_after is not None) == (problem.status == 503)


def test_what_the_caller_knows_better_replaces_the_sentence() -> None:
    problem = Problem(
        Reason.INVALID_REQUEST, detail="owner_id is missing.", field="owner_id", attempts_left=2
    )
    assert (problem.detail, problem.field, problem.attempts_left) == (
        "owner_id is missing.",
        "owner_id",
        2,
    )


def test_the_exception_reads_as_code_and_sentence() -> None:
    assert str(Problem(Reason.SITE_UNKNOWN, subdomain="acme")) == (
        "site_not_found: Namely didn't recognise the address acme.namely.com."
    )

"""The verdict on every combination of answers follows from a rule of `docs/verdicts.md`."""

from __future__ import annotations

import re
from concurrent.futures import Executor, Future
from functools import cache, partial
from itertools import permutations, product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from namely_link.domain.probe import (
    ASKED,
    Accepted,
    Proven,
    Questions,
    Rejected,
    Replies,
    Reply,
    barred,
    judge,
    judge_site,
)
from namely_link.domain.values import Credential, Subdomain, Token
from verdict_model import (
    CAPABILITIES,
    KINDS,
    QUESTIONS,
    SITE_RULES,
    TOKEN_RULES,
    WARNINGS,
    Case,
    Rule,
    decide,
    every_reply,
    kind,
    receipt,
    representatives,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ACME = Subdomain("acme")
TOKEN = Token("t" * 64)
ONE_OF_EACH = representatives()
DOCUMENT = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text()


def documented(letter: str) -> dict[str, str]:
    """The rows of a letter: number and last column."""
    rows = re.findall(rf"^\| ({letter}\d+) \| .* \| (.*?) \|$", DOCUMENT, re.MULTILINE)
    return dict(rows)


def judged(answers: dict[str, Reply | None]) -> object:
    """The code's verdict."""
    rest = {name: reply for name, reply in answers.items() if name != "site"}
    return judge(judge_site(answers["site"], ACME), Replies(**rest))


def comparable(verdict: object) -> object:
    """What kinds decide: not how a proved site is spelt, and which keys a profile has."""
    match verdict:
        case Proven():
            return Proven
        case Accepted(found):
            fields = list(found.capabilities.values())
            known = [one == "unknown" for one in fields[3:]]
            whose = (found.identity.profile_id, found.identity.role)
            return (bool(found.site.permalink), whose, fields[:3], known, found.warnings)
        case _:
            return verdict


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_answer_is_of_one_known_kind_and_every_kind_occurs(question: str) -> None:
    assert set(ONE_OF_EACH[question]) == set(KINDS[question])


def test_every_answer_about_the_site_is_found_what_its_rule_says() -> None:
    used = set()
    for reply in every_reply():
        number, finding = decide(SITE_RULES, Case(kind("site", reply), "", "", "", ""))
        assert comparable(judge_site(reply, ACME)) == comparable(finding), (number, reply)
        used.add(number)
    assert used == {rule.number for rule in SITE_RULES}


@pytest.mark.parametrize("site", KINDS["site"])
def test_the_token_is_sent_where_its_answer_would_matter(site: str) -> None:
    number, _ = decide(TOKEN_RULES, Case(site, "active", "both", "no hint", "refused 401"))
    assert (barred(judge_site(ONE_OF_EACH["site"][site], ACME)) is None) is (number != "T1")


@cache
def outcomes() -> dict[str, set[tuple[str, str]]]:
    """What each rule gave, once every combination of kinds has been judged as its rule says."""
    found: dict[str, set[tuple[str, str]]] = {}
    sites = {name: judge_site(reply, ACME) for name, reply in ONE_OF_EACH["site"].items()}
    for kinds in product(*(ONE_OF_EACH[question] for question in QUESTIONS)):
        case = Case(*kinds)
        number, expected = decide(TOKEN_RULES, case)
        replies = Replies(
            **{name: ONE_OF_EACH[name][getattr(case, name)] for name in QUESTIONS[1:]}
        )
        assert judge(sites[case.site], replies) == expected, (number, case)
        reason = expected.reason if isinstance(expected, Rejected) else ""
        found.setdefault(number, set()).add((type(expected).__name__.lower(), reason))
    return found


def test_every_combination_of_kinds_gets_the_verdict_of_its_rule() -> None:
    assert set(outcomes()) == {rule.number for rule in TOKEN_RULES}


def test_the_document_says_what_each_rule_gives() -> None:
    rows = documented("T")
    assert rows.pop("T1").startswith("the site's")
    for number, words in rows.items():
        outcome = words.partition(",")[0]
        reason = re.search(r"^rejected, `(\w+)`", words)
        assert outcomes()[number] == {(outcome, reason[1] if reason else "")}, number


@pytest.mark.parametrize("rule", SITE_RULES, ids=lambda rule: rule.number)
def test_the_document_says_what_each_rule_for_the_site_finds(rule: Rule) -> None:
    found = rule.gives(Case("odd", "", "", "", ""))
    words = documented("S")[rule.number]
    expected = words.partition(",")[0].partition(":")[0]
    assert type(found).__name__.lower() == expected.replace("proved", "proven")
    if isinstance(found, Rejected):
        assert f"`{found.reason}`" in words


def test_an_accepted_token_is_looked_at_again_soon_where_what_it_sees_is_unknown() -> None:
    for people in KINDS["people"]:
        accepted = Accepted(receipt(Case("proved", "active", people, "hint", "not asked")))
        number, _ = decide(TOKEN_RULES, Case("proved", "active", people, "hint", "not asked"))
        assert accepted.recheck_soon is (number == "T5")


CONTEXTS = {
    "site": ("proved", "refused 401", "outage"),
    "me": ("active", "refused 401", "odd"),
    "people": ("both", "refused 403", "throttled", "time-out"),
    "control": ("refused 401", "outage", "shown", "not asked"),
}
"""Kinds beside which a reply shows its own: each side of every rule; of others the last."""
CONTEXTS |= {name: KINDS[name][-1:] for name in QUESTIONS if name not in CONTEXTS}


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_of_a_kind_are_judged_alike(question: str) -> None:
    beside = [
        kinds
        for kinds in product(*(CONTEXTS[name] for name in QUESTIONS))
        if kinds[QUESTIONS.index(question)] == CONTEXTS[question][0]
    ]
    contexts = [dict(zip(QUESTIONS, kinds, strict=True)) for kinds in beside]
    answers = [{name: ONE_OF_EACH[name][one] for name, one in kinds.items()} for kinds in contexts]
    for reply in every_reply():
        itself = kind(question, reply)
        for kinds, replies in zip(contexts, answers, strict=True):
            number, expected = decide(TOKEN_RULES, Case(**{**kinds, question: itself}))
            verdict = judged({**replies, question: reply})
            assert comparable(verdict) == comparable(expected), (number, kinds, reply)


def test_the_document_has_the_rules_of_the_table_and_no_other() -> None:
    assert list(documented("S")) == [rule.number for rule in SITE_RULES]
    assert list(documented("T")) == [rule.number for rule in TOKEN_RULES]
    assert list(documented("W")) == [number for number, _, _ in WARNINGS]
    assert list(documented("C")) == [number for number, _, _ in CAPABILITIES]


def test_the_document_names_the_warnings() -> None:
    rows = re.findall(r"^\| (W\d+) \| `(\w+)` \|", DOCUMENT, re.MULTILINE)
    assert rows == [(number, str(warning)) for number, warning, _ in WARNINGS]


class InOrder(Executor):
    """Keeps what is submitted until it is told in which order to run it."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future, Callable[[], Reply]]] = []

    def submit(self, call, /, *arguments, **options):
        self.waiting.append((Future(), partial(call, *arguments, **options)))
        return self.waiting[-1][0]

    def answer(self, order: tuple[int, ...]) -> None:
        for place in order:
            future, call = self.waiting[place]
            future.set_result(call())


class Recorded:
    """Answers each question from a table, however often it is asked."""

    def __init__(self, answers: dict[str, Reply | None]) -> None:
        self.answers = answers

    def get(self, _subdomain: Subdomain, path: str, token: Token | None, _deadline: float):
        if token is not None and token != TOKEN:
            return self.answers["control"]
        names = {path: name for name, path in ASKED.items()}
        return self.answers[names.get(path, "site")]


ORDERS = [
    {"site": "proved", "me": "active", "people": "both", "control": "refused 401"},
    {"site": "outage", "me": "active", "people": "throttled", "control": "refused 403"},
    {"site": "proved", "me": "active", "people": "time-out", "control": "outage"},
    {"site": "proved", "me": "refused 401", "people": "refused 401", "control": "refused 401"},
    {"site": "proved", "me": "refused 403", "people": "outage", "control": "refused 401"},
    {"site": "proved", "me": "odd", "people": "outage", "control": "shown"},
]


@pytest.mark.parametrize("order", list(permutations(range(len(ASKED) + 1))))
def test_the_order_of_the_answers_does_not_matter(order: tuple[int, ...]) -> None:
    for kinds in ORDERS:
        others = {name: KINDS[name][0] for name in QUESTIONS if name not in kinds}
        case = Case(**others, **kinds)
        answers = {name: ONE_OF_EACH[name][getattr(case, name)] for name in QUESTIONS}
        pool = InOrder()
        questions = Questions(namely=Recorded(answers), negative_control=True)
        pending = questions.ask(Credential(ACME, TOKEN), deadline=9, pool=pool)
        pool.answer(order)
        site = questions.site(ACME, now=0, deadline=9)
        assert pending.verdict(site) == decide(TOKEN_RULES, case)[1]

"""The rules of `docs/verdicts.md` once more, apart from the code that they are to judge.

Kinds of answers, the decision lists for site and token, and what a receipt holds. Nothing is taken
from `probe` but its values. Rules are plain predicates over kinds, in the order of the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from namely_link.domain.account import AccountWarning, Receipt
from namely_link.domain.probe import (
    Accepted,
    Answer,
    Failure,
    Guarded,
    Proven,
    Rejected,
    Reply,
    SiteFinding,
    Undetermined,
    Verdict,
)
from namely_link.domain.problems import Reason
from namely_link.domain.values import Identity, Site

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTIONS: Final = ("site", "me", "people", "resources", "control")
STATUSES: Final = (
    200, 201, 299, 300, 302, 399, 400, 401, 402, 403, 404, 405, 406, 422, 429, 499, 500, 502, 503,
    504, 599,
)  # fmt: skip
"""Each that a rule names, its neighbours, and what servers are known to send."""

ME: Final = {"id": "p1", "email": "a@acme.example", "full_name": "Ada", "user_status": "active"}
OTHER: Final = {"id": "p2", "email": "b@acme.example", "start_date": "2020-01-01"}


def _profiles(*profiles: object, total: object = 2) -> dict[str, Any]:
    return {"profiles": list(profiles), "meta": {"total_count": total}}


SHAPES: Final[dict[str, Any]] = {
    # What some question hopes for; every question gets every shape.
    "site": {"name": "Acme", "permalink": "acme"},
    "site in capitals": {"name": "Acme", "permalink": "ACME"},
    "other site": {"name": "Acme", "permalink": "other"},
    "site without name": {"permalink": ""},
    "active": _profiles(ME),
    "administrator": _profiles({**ME, "access_role": "Administrator"}),
    "employee": _profiles({**ME, "access_role": "Employee"}),
    "pending": _profiles({**ME, "user_status": "pending"}),
    "unheard-of status": _profiles({**ME, "user_status": ["inactive"]}),
    "inactive": _profiles({**ME, "user_status": "inactive"}),
    "both": _profiles(ME, OTHER),
    "pay": _profiles(ME, {**OTHER, "salary": None}),
    "ssn": _profiles({**OTHER, "ssn": None}, ME),
    "nobody": _profiles(),
    "super admin": {"resources": [], "meta": {"is_super_admin": True}},
    # What none hopes for.
    "super admin as text": {"meta": {"is_super_admin": "true"}},
    "no super admin": {"meta": {"is_super_admin": False}},
    "no email": _profiles({**ME, "email": ""}),
    "email null": _profiles({**ME, "email": None}),
    "id empty": _profiles({**ME, "id": ""}),
    "id a number": _profiles({**ME, "id": 1}),
    "profile a string": _profiles("p1"),
    "one profile and a string": _profiles(ME, "p2"),
    "profiles an object": {"profiles": ME},
    "profiles null": {"profiles": None},
    "permalink a list": {"permalink": ["acme"]},
    "permalink null": {"permalink": None},
    "meta a list": {"profiles": [ME], "meta": []},
    "error": {"error": ""},
    "message": {"message": "x", "errors": []},
    "empty object": {},
    "list": [ME],
    "string": "acme",
    "number": 1,
    "true": True,
    "null": None,
}


def every_reply() -> list[Reply]:
    """Every status with every content type and shape, and every failure."""
    return [
        *Failure,
        *(Answer(status, is_json=False) for status in STATUSES),
        *(Answer(status, is_json=False, is_html=True) for status in STATUSES),
        *(Answer(status, True, body) for status, body in product(STATUSES, SHAPES.values())),
    ]


# What an answer is.

_FAILURES: Final = {
    Failure.NO_DNS: "no name",
    Failure.UNREACHABLE: "unreachable",
    Failure.TIMEOUT: "time-out",
    Failure.UNUSABLE: "unusable",
}
ANYWHERE: Final = (
    "no name", "unreachable", "time-out", "unusable", "refused 401", "refused 403", "throttled",
    "outage", "redirect", "missing", "page", "odd",
)  # fmt: skip
PROFILE: Final = ("active", "administrator", "employee", "pending", "inactive")
LIST: Final = ("both", "pay", "only self")
KINDS: Final = {
    "site": (*ANYWHERE, "proved", "other site"),
    "me": (*ANYWHERE, *PROFILE),
    "people": (*ANYWHERE, *LIST),
    "resources": ("hint", "no hint"),
    "control": (*ANYWHERE, "shown", "not asked"),
}


def kind(question: str, reply: Reply | None) -> str:
    """Say what a reply is, as the answer to a question: one of its `KINDS`."""
    if question == "resources":
        body = reply.body if isinstance(reply, Answer) and reply.status == 200 else None
        return "hint" if body == SHAPES["super admin"] else "no hint"
    if reply is None:
        return "not asked"
    if isinstance(reply, Failure):
        return _FAILURES[reply]
    status = reply.status
    if status == 401 or (status == 403 and not reply.is_html):
        return f"refused {status}"
    if status in (406, 429):
        return "throttled"
    if status >= 500:
        return "outage"
    if status // 100 == 3:
        return "redirect"
    if status == 404:
        return "missing"
    if status != 200:
        return "odd"
    if not reply.is_json:
        return "page"
    return _shape(question, reply.body) if isinstance(reply.body, dict) else "odd"


def _shape(question: str, body: dict[str, Any]) -> str:
    if question == "site":
        permalink = body.get("permalink")
        if type(permalink) is not str:
            return "odd"
        return "proved" if permalink in ("acme", "ACME") else "other site"
    profiles = body.get("profiles")
    if type(profiles) is not list:
        return "odd"
    if question == "people":
        return _list(profiles)
    if not profiles or type(profiles[0]) is not dict or type(profiles[0].get("id")) is not str:
        return "odd"
    if question == "control":
        return "shown"
    return _profile(profiles[0]) if len(profiles) == 1 else "odd"


def _list(profiles: list[Any]) -> str:
    if not all(type(one) is dict for one in profiles):
        return "odd"
    others = [one for one in profiles if one.get("id") != "p1"]
    if not others:
        return "only self"
    return "pay" if "salary" in others[0] or "ssn" in others[0] else "both"


def _profile(profile: dict[str, Any]) -> str:
    if not profile["id"] or type(profile["email"]) is not str or not profile["email"]:
        return "odd"
    if profile["user_status"] == "active":
        role = profile.get("access_role", "active")
        return role.lower()
    return "inactive" if profile["user_status"] == "inactive" else "pending"


# Rules.


@dataclass(frozen=True)
class Case:
    """The kinds of the five answers."""

    site: str
    me: str
    people: str
    resources: str
    control: str


type Outcome = SiteFinding | Verdict


@dataclass(frozen=True)
class Rule:
    """A row of the document: its number, when it applies, and what it gives."""

    number: str
    when: Callable[[Case], bool]
    gives: Callable[[Case], Outcome]


def _rejected(reason: Reason) -> Callable[[Case], Outcome]:
    return lambda _case: Rejected(reason)


_REASONS: Final = {
    "no name": Reason.UNREACHABLE,
    "unreachable": Reason.UNREACHABLE,
    "time-out": Reason.TIMEOUT,
    "outage": Reason.OUTAGE,
}


def _undetermined(of: str) -> Undetermined:
    if of == "throttled":
        return Undetermined(Reason.THROTTLED, 60)
    return Undetermined(_REASONS.get(of, Reason.UNEXPECTED_ANSWER))


def _refused(of: str) -> bool:
    return of in ("refused 401", "refused 403")


SITE_RULES: Final = (
    Rule("S1", lambda c: c.site == "proved", lambda _c: Proven(Site("Acme", "acme"))),
    Rule("S2", lambda c: c.site == "other site", _rejected(Reason.SITE_OTHER_PERMALINK)),
    Rule("S3", lambda c: c.site == "no name", _rejected(Reason.SITE_NO_DNS)),
    Rule("S4", lambda c: c.site == "redirect", _rejected(Reason.SITE_REDIRECTS)),
    Rule("S5", lambda c: c.site == "page", _rejected(Reason.SITE_ANSWERS_HTML)),
    Rule("S6", lambda c: c.site == "missing", _rejected(Reason.SITE_UNKNOWN)),
    Rule("S7", lambda c: _refused(c.site), lambda _c: Guarded()),
    Rule("S8", lambda _c: True, lambda c: _undetermined(c.site)),
)

_BARRED: Final = ("other site", "no name", "redirect", "page", "missing", "unreachable")


def _guarded(case: Case) -> bool:
    return _refused(case.site)


def _normal_site(case: Case) -> bool:
    return case.site == "proved" or _guarded(case)


def _seen(case: Case) -> bool:
    return case.people in LIST or _refused(case.people)


TOKEN_RULES: Final = (
    Rule("T1", lambda c: c.site in _BARRED, lambda c: decide(SITE_RULES, c)[1]),
    Rule("T2", lambda c: c.control == "shown", _rejected(Reason.SITE_ACCEPTS_ANY_TOKEN)),
    Rule("T3", lambda c: c.me == "inactive", _rejected(Reason.OWNER_INACTIVE)),
    Rule("T4", lambda c: c.me in PROFILE and _seen(c), lambda c: Accepted(receipt(c))),
    Rule(
        "T5",
        lambda c: c.me in PROFILE and (c.control == "not asked" or _refused(c.control)),
        lambda c: Accepted(receipt(c)),
    ),
    Rule("T6", lambda c: c.me in PROFILE, lambda c: _undetermined(c.people)),
    Rule("T7", lambda c: _refused(c.me) and not _normal_site(c), lambda c: _undetermined(c.site)),
    Rule(
        "T8",
        lambda c: _refused(c.me) and c.control != "not asked" and not _refused(c.control),
        lambda c: _undetermined(c.control),
    ),
    Rule(
        "T9",
        lambda c: _refused(c.me) and not _seen(c) and c.people != "throttled",
        lambda c: _undetermined(c.people),
    ),
    Rule(
        "T10",
        lambda c: c.me == "refused 401" and c.site == "proved",
        _rejected(Reason.TOKEN_UNAUTHORIZED),
    ),
    Rule(
        "T11",
        lambda c: c.me == "refused 403" and c.site == "proved",
        _rejected(Reason.TOKEN_FORBIDDEN),
    ),
    Rule("T12", lambda c: _refused(c.me) and _guarded(c), _rejected(Reason.CREDENTIAL_UNCLEAR)),
    Rule("T13", lambda c: c.me == "redirect" and _guarded(c), _rejected(Reason.SITE_REDIRECTS)),
    Rule("T14", lambda c: c.me == "page" and _guarded(c), _rejected(Reason.SITE_ANSWERS_HTML)),
    Rule("T15", lambda c: c.me == "missing" and _guarded(c), _rejected(Reason.SITE_UNKNOWN)),
    Rule("T16", lambda _c: True, lambda c: _undetermined(c.me)),
)


def decide(rules: tuple[Rule, ...], case: Case) -> tuple[str, Outcome]:
    """Return the number of the first rule that applies, and what it gives."""
    rule = next(rule for rule in rules if rule.when(case))
    return rule.number, rule.gives(case)


# The receipt.

WARNINGS: Final[tuple[tuple[str, AccountWarning, Callable[[Case], bool]], ...]] = (
    ("W1", AccountWarning.PERSONAL_TOKEN, lambda c: c.me == "employee"),
    (
        "W2",
        AccountWarning.OVER_PRIVILEGED,
        lambda c: c.me == "administrator" or c.resources == "hint" or c.people == "pay",
    ),
    ("W3", AccountWarning.NARROW_ROLE, lambda c: _refused(c.people)),
    ("W4", AccountWarning.ONLY_SELF_VISIBLE, lambda c: c.people == "only self"),
    ("W5", AccountWarning.OWNER_NOT_ACTIVE, lambda c: c.me == "pending"),
    (
        "W6",
        AccountWarning.CONTROL_INCONCLUSIVE,
        lambda c: c.control != "not asked" and not _refused(c.control),
    ),
    ("W7", AccountWarning.SITE_UNPROVEN, lambda c: c.site != "proved"),
    ("W8", AccountWarning.VISIBILITY_UNKNOWN, lambda c: not _seen(c)),
)

CAPABILITIES: Final[tuple[tuple[str, Callable[[Case], bool], str], ...]] = (
    # own_profile, profiles, other_profiles, then the fields
    ("C1", lambda c: c.people in ("both", "pay"), "yes yes yes by-keys"),
    ("C2", lambda c: c.people == "only self", "yes yes no unknown"),
    ("C3", lambda c: _refused(c.people), "yes no no unknown"),
    ("C4", lambda _c: True, "yes unknown unknown unknown"),
)

_IDENTITIES: Final = {
    "active": Identity("p1", "Ada", "active"),
    "administrator": Identity("p1", "Ada", "active", "Administrator"),
    "employee": Identity("p1", "Ada", "active", "Employee"),
    "pending": Identity("p1", "Ada", "pending"),
}


def receipt(case: Case) -> Receipt:
    """Return what an accepted token's receipt holds."""
    row = next(row for _, when, row in CAPABILITIES if when(case))
    own, profiles, others, fields = row.split()
    sees: dict[str, Any] = {"own_profile": own, "profiles": profiles, "other_profiles": others}
    sees |= dict.fromkeys(("work_fields", "personal_fields", "salary", "ssn"), fields)
    if fields == "by-keys":
        sees |= {"work_fields": "yes", "personal_fields": "no", "salary": "no", "ssn": "no"}
        if case.people == "pay":
            sees["salary"] = "yes"
    return Receipt(
        site=Site("Acme", "acme") if case.site == "proved" else Site("", ""),
        identity=_IDENTITIES[case.me],
        visible_people=2 if case.people in LIST else None,
        capabilities=sees,
        warnings=tuple(warning for _, warning, when in sorted(WARNINGS, key=_rank) if when(case)),
    )


def _rank(row: tuple[str, AccountWarning, Callable[[Case], bool]]) -> int:
    return list(AccountWarning).index(row[1])


def representatives() -> dict[str, dict[str, Reply | None]]:
    """Return one reply of each kind, for each question."""
    found: dict[str, dict[str, Reply | None]] = {question: {} for question in QUESTIONS}
    for question in QUESTIONS:
        for reply in every_reply():
            found[question].setdefault(kind(question, reply), reply)
    found["control"]["not asked"] = None
    return found

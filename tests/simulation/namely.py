"""A fake Namely: sites that can be down, throttle, or refuse everybody for a while."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from namely_link.domain.probe import ME, PEOPLE, SITE, Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from namely_link.domain.probe import Reply

A, B, C, BAD = "a" * 64, "b" * 64, "c" * 64, "z" * 64
"""Three tokens that Namely accepts, and one that it refuses."""

REFUSED: Final = Answer(401, is_json=True, body={"error": ""})
"""This very answer is given while Namely answers normally."""


def profile_of(token: str) -> str:
    """Return the id of the profile that a token belongs to: each token has its own."""
    return f"profile-{token[:8]}"


@dataclass(frozen=True)
class Spell:
    """A time (seconds) in which something is the matter with Namely.

    `down`: everything is 503. `incident`: the site's own page is 503 and every token is refused.
    `crowded`: the list of people is throttled (406). `revoked`: A and B are refused, rightly.
    """

    kind: str
    start: float
    end: float


@dataclass
class Namely:
    """It remembers which tokens it has accepted, and refused while it answered normally."""

    clock: Callable[[], float]
    spells: tuple[Spell, ...] = ()
    accepted: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)

    def now(self, kind: str) -> bool:
        """Whether something is the matter at the moment."""
        time = self.clock()
        return any(one.kind == kind and one.start <= time < one.end for one in self.spells)

    def good(self, token: str) -> bool:
        return token == C or (token in {A, B} and not self.now("revoked"))

    def answer(self, subdomain: str, path: str, token: str, *, normal: bool) -> Reply:
        """Answer a question; `normal` is whether the site's own page was fine in this probe."""
        if self.now("down"):
            return Answer(503, is_json=False)
        incident = self.now("incident")
        if path == SITE:
            if incident:
                return Answer(503, is_json=False)
            return _json({"name": subdomain.title(), "permalink": subdomain})
        if incident:
            self.refused[token] += path == ME and normal
            return Answer(401, is_json=True, body={"error": ""})
        if not self.good(token):
            self.refused[token] += path == ME
            return REFUSED
        profile = {"id": profile_of(token), "email": "a@b.example", "user_status": "active"}
        if path == ME:
            self.accepted.add(token)
            return _json({"profiles": [profile]})
        if path == PEOPLE:
            if self.now("crowded"):
                return Answer(406, is_json=False)
            return _json({"profiles": [profile, {"id": "other"}], "meta": {"total_count": 2}})
        return REFUSED


def _json(body: Any) -> Answer:
    return Answer(200, is_json=True, body=body)


LOST: Final = (
    Failure.TIMEOUT,
    Failure.UNUSABLE,
    Answer(503, is_json=False),
    Answer(429, is_json=False),
)
"""What the adapter makes of a question that failed."""

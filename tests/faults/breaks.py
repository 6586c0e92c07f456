"""Which of the simulation's breaks the matrix must notice, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulation.breaks import BY_NAME, broken

__all__ = ["BREAKS", "Break", "broken"]


@dataclass(frozen=True)
class Break:
    """What is broken, in which scenario or pair it must be noticed, and as what."""

    name: str
    scenario: str
    invariant: str

    @property
    def apply(self):
        return BY_NAME[self.name].apply


BREAKS: Final = (
    Break("the row is committed before its secret is written", "link by a key", "I1"),
    Break(
        "the row of a link that died goes before its secret",
        "sweep: a first link that died",
        "I2",
    ),
    Break("a commit that failed is answered with success", "link by a key", "I3"),
    Break("two accounts may have the same owner and site", "two links of one owner and site", "I4"),
    Break("a session is not used up by its link", "one session, two tokens", "I5"),
    Break("a re-link's token serves before it is committed", "re-link by a key", "I6"),
    Break("events are not in the committing transaction", "link by a key", "I7"),
    Break(
        "a row is written whatever was written since it was read",
        "a re-link and an unlinking",
        "I6",
    ),
    Break("one refusal is enough for a failure", "check: refused once", "I8"),
    Break("the hint is the whole token", "link by a key", "S1"),
    Break("the sweep leaves things as they are", "sweep: a first link that died", "S2"),
)

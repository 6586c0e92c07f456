"""What the product says to people: one JSON file a language, for the API and for the pages.

The API speaks English; the pages speak every language that has a file here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

ENGLISH: Final = "en"
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """What a reason says and what to do about it, `{subdomain}` and `{minutes}` not filled in."""

    detail: str
    hint: str


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that have a file, English first."""
    found = {file.stem for file in _FOLDER.glob("*.json")}
    return ENGLISH, *sorted(found - {ENGLISH})


@cache
def document(language: str = ENGLISH) -> dict[str, Any]:
    """Return everything that is said in a language, by section; read once, and not to be changed.

    Raises:
        OSError: the language is none of `languages`.
    """
    text = (_FOLDER / f"{language}.json").read_text(encoding="utf-8")
    said: dict[str, Any] = json.loads(text)
    return said


def reason(name: str, language: str = ENGLISH) -> Sentence:
    """Return what a reason says.

    Raises:
        KeyError: no reason has this name.
    """
    return Sentence(**document(language)["reasons"][name])

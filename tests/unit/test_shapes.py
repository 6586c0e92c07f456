"""Each shape stands once: what is made from it is not stale, and a change of it has few places."""

import re
from typing import Annotated, Literal, NotRequired, TypedDict

import pytest

from namely_link.domain.account import Status
from namely_link.domain.lifecycle import EventType
from namely_link.domain.problems import Code
from namely_link.http import documents
from shapes import declared, parts
from shapes.files import made
from templates import ROOT

MADE = made()
RECIPES = {
    title: re.findall(r"(?m)^\d\. `([^`]+)`", text)
    for title, text in re.findall(
        r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", (ROOT / "CONTRIBUTING.md").read_text()
    )
}
PLACES = [
    ("A visible field of an account", r"\btoken_hint\b", ("layers", "functions")),
    # Not a site that answers it wrongly: that is a behaviour of the simulator, and optional.
    (
        "A question put to Namely",
        r'"resources"|def resources\b',
        ("layers", "functions", "simulator"),
    ),
]
"""A recipe, how something that was made by it is named, and where that might stand."""


@pytest.mark.parametrize("path", MADE)
def test_what_is_made_from_the_shapes_is_not_stale(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == MADE[path], "make shapes"


def test_every_schema_and_sample_is_made() -> None:
    kept = {one.relative_to(ROOT).as_posix() for one in (ROOT / "events").glob("*/*.json")}
    folders = ("events/schemas/", "events/publish/", "events/check/", "events/intake/")
    assert {path for path in kept if path.startswith(folders)} <= set(MADE)


@pytest.mark.parametrize(("recipe", "name", "folders"), PLACES)
def test_a_recipe_names_every_place_and_they_are_five_at_most(recipe, name, folders) -> None:
    named = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".js"} and re.search(name, without_prose(path.read_text()))
    }
    assert named - set(MADE) == {place for place in RECIPES[recipe] if place.startswith(folders)}
    assert len(RECIPES[recipe]) <= 5


def without_prose(text: str) -> str:
    """A source without comments, docstrings, and keys of sentences."""
    text = re.sub(r'(?s)""".*?"""', "", text)
    return re.sub(r"(?m)#.*$|words\.t\([^)]*\)", "", text)


@pytest.mark.parametrize(
    "recipe", ["A visible field of an account", "A question put to Namely", "A route"]
)
def test_the_places_of_a_recipe_exist(recipe: str) -> None:
    assert RECIPES[recipe]
    assert [place for place in RECIPES[recipe] if not (ROOT / place).exists()] == []


def test_no_function_needs_what_makes_the_files() -> None:
    for folder in ("layers", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"(?m)^\s*(?:from|import) shapes\b", path.read_text()), path


class Part(TypedDict):
    """A part."""

    count: Annotated[int, {"minimum": 0}]


class Whole(Part):
    """Several lines

    of it.
    """

    size: NotRequired[Literal["s", "l"] | None]
    """How large."""
    more: dict[str, bool]
    code: Annotated[str, Code]


def test_a_shape_becomes_a_schema() -> None:
    made = declared.definition(Whole, lambda shape: {"$ref": declared.name(shape)})
    size = {"anyOf": [{"type": "string", "enum": ["s", "l"]}, {"type": "null"}]}
    assert made == {
        "type": "object",
        "description": "Several lines\n\nof it.",
        "required": ["count", "more", "code"],
        "additionalProperties": False,
        "properties": {
            "count": {"type": "integer", "minimum": 0},
            "size": size | {"description": "How large."},
            "more": {"type": "object", "additionalProperties": {"type": "boolean"}},
            "code": {"$ref": "Code"},
        },
    }


def test_an_enumeration_says_what_its_words_mean() -> None:
    made = declared.definition(Status, declared.whole)
    assert made["enum"] == [str(one) for one in Status]
    assert "- `active`: it works" in made["description"]


def test_what_has_no_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="no schema"):
        declared.schema(bytes, declared.whole)


def test_an_event_with_data_has_a_shape_of_its_own() -> None:
    assert declared.of_event(EventType.TOKEN_EXPIRING) is documents.TokenExpiring
    assert declared.of_event(EventType.ACCOUNT_LINKED) is documents.AccountEvent


def test_every_event_says_when_it_happens() -> None:
    assert [kind for kind in EventType if not declared.of(EventType, kind.name)] == []


def test_a_part_needs_its_marks() -> None:
    with pytest.raises(ValueError, match="no marks of account"):
        parts.filled("nothing", "account", "part")

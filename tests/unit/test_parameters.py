"""What the template says of its parameters is held before AWS is asked."""

from pathlib import Path

import pytest

from deployment.target import CommandError
from deployment.template import HIDDEN, Template, check
from templates import ROOT

OURS = Template.read(ROOT / "template.yaml")
DEFAULTS = {name: one.default for name, one in OURS.parameters.items() if one.default is not None}
TEMPLATE = """
Parameters:
  Word: {Type: String, AllowedValues: [one, two], Default: one}
  Shape: {Type: String, AllowedPattern: "^[a-z]+$"}
  Count: {Type: Number, MinValue: 2, MaxValue: 9, Default: 2}
  Short: {Type: String, MaxLength: 3, Default: ""}
  Secret: {Type: String, NoEcho: true, Default: unset}
Rules:
  Both:
    RuleCondition: !Equals [!Ref Word, two]
    Assertions:
      - {Assert: !Not [!Equals [!Ref Secret, unset]], AssertDescription: Two needs a secret}
  Always:
    Assertions:
      - Assert: !Or [!Equals [!Ref Shape, a], !Contains [[b, c], !Ref Shape]]
        AssertDescription: A shape is a, b or c
  And:
    Assertions:
      - Assert: !Not [!And [!Equals [!Ref Count, 9], !Equals [!Ref Shape, c]]]
        AssertDescription: Nine is no c
"""


@pytest.fixture
def template(tmp_path: Path) -> Template:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return Template.read(path)


def test_the_defaults_of_our_template_are_right() -> None:
    assert OURS.faults(DEFAULTS) == []


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("Word", "three", "must be one of: one, two"),
        ("Shape", "a1", "must match"),
        ("Shape", "ab\n", "must match"),
        ("Count", "x", "must be a number"),
        ("Count", "1", "must be at least 2"),
        ("Count", "10", "must be at most 9"),
        ("Shape", "a" * 4097, "longer than 4,096"),
        ("Short", "äöüß", "longer than 3"),
    ],
)
def test_a_value_that_cloudformation_refuses_is_told(
    template: Template, name: str, value: str, fault: str
) -> None:
    with pytest.raises(CommandError, match=f"{name} .*{fault}"):
        check(template, {name: value})


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"Word": "two", "Secret": "unset", "Shape": "a"}, ["Two needs a secret."]),
        ({"Word": "two", "Secret": "x", "Shape": "a"}, []),
        ({"Word": "one", "Secret": "unset", "Shape": "a"}, []),
        ({"Word": "two", "Secret": HIDDEN}, []),
        ({"Secret": "unset"}, []),
        ({"Shape": "b"}, []),
        ({"Shape": "d"}, ["A shape is a, b or c."]),
        ({"Shape": "c", "Count": "9"}, ["Nine is no c."]),
        ({"Shape": "c"}, []),
        ({"Shape": "a", "Count": "9"}, []),
    ],
)
def test_a_rule_that_is_broken_is_told_and_one_that_is_not_known_is_left(
    template: Template, values: dict[str, str], faults: list[str]
) -> None:
    assert template.faults(values) == faults


def test_our_own_rules_are_understood() -> None:
    values = {"Stage": "production", "NamelyConnectTo": "127.0.0.1:1"}
    (fault,) = OURS.faults(values)
    assert "NamelyConnectTo must be empty" in fault


def test_a_secret_is_not_shown(template: Template) -> None:
    assert template.parameters["Secret"].shown("x") == HIDDEN
    assert template.parameters["Word"].shown("one") == "one"


def test_names_that_are_no_parameters_are_found(template: Template) -> None:
    assert template.unknown({"Word": "one", "Wrod": "one"}) == ["Wrod"]


def test_our_template_fits_when_sam_has_transformed_it() -> None:
    resources, size = OURS.transformed("eu-central-1")
    assert 50 < resources < 500
    assert 20_000 < size < 1_000_000

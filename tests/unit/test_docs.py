"""What callers and operators have to know is written down."""

import re
from pathlib import Path

import pytest

from deployment.deploy import QUESTIONS
from namely_link.domain.account import AccountWarning, Status
from namely_link.domain.problems import MEANINGS, Code, Reason
from namely_link.http.access import SCOPES
from namely_link.http.problem_details import STATUS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
DEPLOYING = (ROOT / "docs" / "deploying.md").read_text()
PREFLIGHT = (ROOT / "deployment" / "preflight.py").read_text()
TEMPLATE = (ROOT / "template.yaml").read_text()


@pytest.mark.parametrize("code", STATUS)
def test_every_code_is_in_the_readme_with_its_status(code: Code) -> None:
    row = next(line for line in README.splitlines() if f"`{code}`" in line and "|" in line)
    assert str(STATUS[code][0]) in row


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_stands_at_its_code(reason: Reason) -> None:
    rows = [line for line in API.splitlines() if f"`{reason}`" in line]
    assert any(f"`{MEANINGS[reason].code}`" in row for row in rows)


@pytest.mark.parametrize("warning", AccountWarning)
def test_every_warning_is_explained(warning: AccountWarning) -> None:
    assert f"| `{warning}` |" in README


@pytest.mark.parametrize("word", [*Status, *SCOPES])
def test_every_status_and_scope_is_named(word: str) -> None:
    assert f"`{word}`" in API


@pytest.mark.parametrize(
    "name", re.findall(r"(?m)^  (\w+):\n    Type: (?:String|Number)", TEMPLATE)
)
def test_every_parameter_is_documented(name: str) -> None:
    assert f"`{name}`" in OPERATIONS


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_parameter_that_is_asked_for_is_one_and_explained(name: str) -> None:
    assert f"\n  {name}:\n    Type:" in TEMPLATE
    assert f"`{name}`" in DEPLOYING


@pytest.mark.parametrize(
    "permission", sorted(set(re.findall(r'"([a-z]+:(?:Get|List|Describe|GET)\w*)"', PREFLIGHT)))
)
def test_every_permission_that_is_named_as_missing_is_written_down(permission: str) -> None:
    assert f"`{permission}`" in DEPLOYING


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\$\(output (\w+)\)", OPERATIONS))))
def test_every_output_that_the_runbook_asks_for_exists(name: str) -> None:
    assert f"\n  {name}:\n    Description:" in TEMPLATE.partition("\nOutputs:")[2]


@pytest.mark.parametrize(
    ("method", "path"),
    re.findall(
        r"Method: (GET|POST|PATCH|DELETE), Path: \"?([^\s}\"]+(?:\{id\}[^\s}\"]*)?)", TEMPLATE
    ),
)
def test_every_route_is_documented(method: str, path: str) -> None:
    if path.startswith("/v1/"):
        last = path.rpartition("/")[2]
        rows = [
            row
            for row in API.splitlines()
            if method in row and (path in row or f"`/{last}`" in row)
        ]
        assert rows

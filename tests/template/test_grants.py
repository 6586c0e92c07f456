"""The policies of the template do what the table says, both ways, and nothing in them is idle."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from policies.evaluator import evaluate
from policies.grants import STACK, Row, document, table
from templates import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = table()
POLICIES = STACK.policies()


@dataclass(frozen=True)
class Changed:
    """A policy without one of its parts, which grants less then, or more."""

    role: str
    part: str
    action: str
    policy: dict[str, Any]
    grants_more: bool


def listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def changed(role: str) -> Iterator[Changed]:
    for number, statement in enumerate(POLICIES[role]["Statement"]):
        for action in listed(statement["Action"]):
            other = [one for one in listed(statement["Action"]) if one != action]
            less = {"Action": other or ["a:none"]}
            yield _changed(role, number, "action", action, less, more=False)
            if statement["Resource"] != "*":
                yield _changed(role, number, "resource", action, {"Resource": "*"}, more=True)
            for operator, keys in statement.get("Condition", {}).items():
                for key in keys:
                    condition = copy.deepcopy(statement["Condition"])
                    del condition[operator][key]
                    left = {"Condition": {name: one for name, one in condition.items() if one}}
                    yield _changed(role, number, f"{operator} {key}", action, left, more=True)


def _changed(
    role: str, number: int, part: str, action: str, change: dict[str, Any], *, more: bool
) -> Changed:
    policy = copy.deepcopy(POLICIES[role])
    policy["Statement"][number] |= change
    sid = policy["Statement"][number]["Sid"]
    return Changed(role, f"{role} {sid}: {part} of {action}", action, policy, more)


def test_a_role_may_do_what_the_table_allows_and_nothing_that_it_refuses() -> None:
    found = evaluate([row.asked(POLICIES[row.role]) for row in TABLE])
    wrong = [row for row, allowed in zip(TABLE, found, strict=True) if allowed != row.allowed]
    assert wrong == []


def test_every_policy_is_in_the_table_under_its_name() -> None:
    assert {row.role for row in TABLE} == set(POLICIES)
    for name, policy in POLICIES.items():
        sids = [one["Sid"] for one in policy["Statement"]]
        assert len(set(sids)) == len(sids), name


def test_every_part_of_every_policy_is_missed_by_a_row() -> None:
    """Without an action an allowed row is refused, without a limit a refused one is allowed."""
    changes = [one for role in POLICIES for one in changed(role)]
    rows = [
        (one, row)
        for one in changes
        for row in TABLE
        if (row.role, row.action, row.allowed) == (one.role, one.action, not one.grants_more)
    ]
    found = evaluate([row.asked(one.policy) for one, row in rows])
    missed = {
        one.part for (one, row), allowed in zip(rows, found, strict=True) if allowed != row.allowed
    }
    assert {one.part for one in changes} - missed == set()


@pytest.mark.parametrize("role", POLICIES)
def test_each_service_that_a_role_uses_has_refused_rows(role: str) -> None:
    def services(rows: list[Row]) -> set[str]:
        return {row.action.partition(":")[0] for row in rows}

    own = [row for row in TABLE if row.role == role]
    assert services([row for row in own if row.allowed]) <= services(
        [row for row in own if not row.allowed]
    )


def test_the_table_is_shown_as_it_is() -> None:
    shown = (ROOT / "docs" / "grants.md").read_text()
    assert shown == document(TABLE), "run `make grants`"


def conditions() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (role, statement["Sid"], statement["Condition"])
        for role, policy in POLICIES.items()
        for statement in policy["Statement"]
        if "Condition" in statement
    ]


def test_on_the_emulator_the_null_of_keys_that_it_lacks_is_left_out_and_nothing_else() -> None:
    lacking = {"dynamodb:LeadingKeys", "kms:EncryptionContextKeys", "events:detail-type"}
    expected = copy.deepcopy(POLICIES)
    for policy in expected.values():
        for statement in policy["Statement"]:
            null = statement.get("Condition", {}).pop("Null", {})
            assert set(null) <= lacking
    emulated = replace(STACK, parameters={**STACK.parameters, "Stage": "local"})
    assert emulated.policies() == expected


@pytest.mark.parametrize(("role", "sid", "condition"), conditions())
def test_for_all_values_comes_with_its_null(role: str, sid: str, condition: dict[str, Any]) -> None:
    # ForAllValues is true where the key is absent.
    for operator, keys in condition.items():
        if operator.startswith("ForAllValues"):
            assert condition["Null"] == dict.fromkeys(keys, "false")

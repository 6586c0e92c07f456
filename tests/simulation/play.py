"""Plays one seed: a few actors at once, faults, and then the time that it takes to come to rest."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING

from simulation.actors import Actor, Plan, furnish, plan
from simulation.invariants import Violation, Watch, is_account, text
from simulation.world import World, living

if TYPE_CHECKING:
    from simulation.scheduler import Process
    from simulation.wire import Step

_MINUTE = 60.0
_DAY = 86400.0


@dataclass
class Played:
    """What came of a seed: what did not hold, seconds to rest, and the story."""

    plan: Plan
    violations: list[Violation]
    attempts_rest: float = 0.0
    pending_rest: float = 0.0
    story: list[Step] = field(default_factory=list)
    calls: int = 0


def play(what: int | Plan) -> Played:
    """Play a seed, or a plan that was made smaller."""
    asked = plan(what) if isinstance(what, int) else what
    world = World(asked.seed, replace(asked.weather), asked.spells)
    watch = Watch(world)
    world.watch = watch
    with living(world):
        furnish(world)
        _live(world, watch, asked)
    return Played(
        asked,
        watch.violations,
        watch.attempts_rest,
        watch.pending_rest,
        world.wire.story,
        len(world.wire.story),
    )


def _live(world: World, watch: Watch, asked: Plan) -> None:
    scheduler = world.scheduler
    draw = random.Random(asked.seed + 1)

    def tick() -> None:
        """The schedule, each minute; where nothing is due a sweep would only look."""
        now = scheduler.now
        if world.due() <= now + 1:
            world.sweep()
        soonest = min(world.due(), scheduler.next, now + 3600) if world.alone else now
        scheduler.at(max(now + _MINUTE, ceil(soonest / _MINUTE) * _MINUTE), tick)

    scheduler.at(_MINUTE, tick)
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        at = draw.uniform(0, asked.end + 60)
        scheduler.at(at, lambda: world.sweep({"task": "reconcile"}))
    _prelude(world, asked)
    actors: list[Process] = []
    for start, name, kind in asked.actors:
        if name not in asked.left_out:
            actor = Actor(name, kind, world)
            actors.append(scheduler.spawn(name, actor.run, after=start - scheduler.now))
    scheduler.run(max([asked.end + 60, *(end for _, _, end in asked.weather.outages)]))
    while world.busy() or not all(one.ended for one in actors):
        scheduler.run(scheduler.now + 5)
    for one in actors:
        if one.error is not None:
            raise one.error
    rest = max(world.wire.trouble, scheduler.now - 5)
    world.weather.slowness = min(world.weather.slowness, 0.05)  # slow calls are a fault as well
    if asked.unlinks_at_last:
        rest = _unlink_all(world, watch)
    watch.rest = rest
    scheduler.run(rest + 120)
    watch.attempts_over()
    scheduler.run(rest + 300)
    watch.pending_over()
    end = max([rest, *(one.end for one in asked.spells)])
    # The daily reconcile comes at some time of the day, and spares what is younger than an hour.
    scheduler.at(end + 4000 + draw.random() * _DAY, lambda: world.sweep({"task": "reconcile"}))
    longer = (
        any(one.end > rest for one in asked.spells)
        or watch.has_orphans()
        or world.wire.very_late
        or any(
            text(one, "status") == "pending"
            for one in world.table.items.values()
            if is_account(one)
        )
        or watch._deleted_by_hand
        or draw.random() < 0.2
    )
    world.alone = True
    if not world.wire.very_late:
        scheduler.run(rest + 900)
        watch.young_strays()
    scheduler.run(end + (_DAY * 1.1 + 3600 if longer else 900))
    watch.at_rest()


def _prelude(world: World, asked: Plan) -> None:
    """What was before: accounts that were linked, suspended or unlinked in peace."""

    def body() -> None:
        key = world.bearers["key"]
        account = ""
        for number, kind in enumerate(asked.prelude):
            if kind == "links by key":
                body = {
                    "owner_id": "o1",
                    "owner_name": "Owner",
                    "subdomain": ("acme", "other")[number > 0],
                    "token": "b" * 64,
                }
                answer = world.http("POST", "/v1/accounts", bearer=key, body=body, calm=True)
                account = str(answer.body.get("id", ""))
            elif kind == "suspends":
                world.http("POST", f"/v1/accounts/{account}/suspend", bearer=key, calm=True)
            else:
                world.http("DELETE", f"/v1/accounts/{account}", bearer=key, calm=True)

    if asked.prelude:
        before = world.scheduler.spawn("before", body)
        world.scheduler.run(4.9)
        if not before.ended:
            world.scheduler.run(60)


def _unlink_all(world: World, watch: Watch) -> float:
    """Unlink every account, which is possible within a minute; return when it is done."""
    key = world.bearers["key"]
    scheduler = world.scheduler

    def unlink(account: str) -> None:
        start = scheduler.now
        while True:
            answer = world.http("DELETE", f"/v1/accounts/{account}", bearer=key, calm=True)
            if answer.final:
                break
            if scheduler.now > start + 60:
                watch.broken("I13", f"an unlinking is answered {answer.status} for a minute")
                return
            scheduler.sleep(float(answer.body.get("retry_after") or 5))

    asked = [
        scheduler.spawn(
            f"at last {one['id']['S'][-4:]} unlinks", lambda one=one: unlink(one["id"]["S"])
        )
        for one in list(world.table.items.values())
        if is_account(one) and text(one, "status") not in {"unlinked", "pending"}
    ]
    while not all(one.ended for one in asked):
        scheduler.run(scheduler.now + 1)
    return scheduler.now

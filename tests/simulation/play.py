"""Plays one seed: a few actors at once, faults, and then the time that it takes to come to rest."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from simulation.actors import Actor, Plan, furnish, plan
from simulation.invariants import Violation, Watch, is_account, text
from simulation.stack import living
from simulation.world import World

if TYPE_CHECKING:
    from simulation.wire import Step

_MINUTE = 60.0
_DAY = 86400.0


@dataclass
class Played:
    """What came of a seed: what did not hold, seconds to rest, and the story."""

    plan: Plan
    violations: list[Violation]
    attempts_rest: float
    pending_rest: float
    story: list[Step]


def play(what: int | Plan) -> Played:
    """Play a seed, or a plan that was made smaller."""
    asked = plan(what) if isinstance(what, int) else what
    world = World(asked.seed, replace(asked.weather), asked.spells)
    watch = world.watch = Watch(world)
    with living(world):
        furnish(world)
        _start_schedule(world)
        _prelude(world, asked)
        _play_actors(world, asked)
        _come_to_rest(world, watch, asked)
        _look_later(world, watch, asked)
    return Played(
        asked, watch.violations, watch.attempts_rest, watch.pending_rest, world.wire.story
    )


def _start_schedule(world: World) -> None:
    """Sweep each minute; where nothing is due a sweep would only look, and is left out."""
    scheduler = world.scheduler

    def tick() -> None:
        now = scheduler.now
        if world.due() <= now + 1:
            world.sweep()
        soonest = min(world.due(), scheduler.next, now + 3600) if world.alone else now
        scheduler.at(max(now + _MINUTE, ceil(soonest / _MINUTE) * _MINUTE), tick)

    scheduler.at(_MINUTE, tick)


def _play_actors(world: World, asked: Plan) -> None:
    """Let everybody do what they do, until all of it has ended or taken effect."""
    scheduler, draw = world.scheduler, random.Random(asked.seed + 1)
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        scheduler.at(draw.uniform(0, asked.end + 60), world.reconcile)
    actors = [
        scheduler.spawn(name, Actor(name, kind, world).run, after=start - scheduler.now)
        for start, name, kind in asked.actors
        if name not in asked.left_out
    ]
    scheduler.run(max([world.weather.until, *(end for _, _, end in asked.weather.outages)]))
    while world.busy() or not all(one.ended for one in actors):
        scheduler.run(scheduler.now + 5)
    for one in actors:
        if one.error is not None:
            raise one.error


def _come_to_rest(world: World, watch: Watch, asked: Plan) -> None:
    """Look at what is over two and five minutes after the last fault."""
    scheduler = world.scheduler
    watch.rest = max(world.wire.trouble, scheduler.now - 5)
    world.weather.slowness = min(world.weather.slowness, 0.05)  # slow calls are a fault as well
    if asked.unlinks_at_last:
        watch.rest = _unlink_all(world, watch)
    scheduler.run(watch.rest + 120)
    watch.attempts_over()
    scheduler.run(watch.rest + 300)
    watch.pending_over()


def _look_later(world: World, watch: Watch, asked: Plan) -> None:
    """Look at everything a quarter of an hour after the last fault, or a day where that matters."""
    scheduler, draw = world.scheduler, random.Random(asked.seed + 2)
    end = max([watch.rest, *(one.end for one in asked.spells)])
    a_day = end > watch.rest or world.wire.very_late or watch.waits() or draw.random() < 0.2
    # The daily reconcile comes at some time of the day, and spares what is younger than an hour.
    scheduler.at(end + 4000 + draw.random() * _DAY, world.reconcile)
    for _ in range(2):
        late = draw.random() * 2 * _DAY
        scheduler.at(end + draw.random() * _DAY, lambda late=late: world.table.expire(late=late))
    world.alone = True
    scheduler.run(watch.rest + 900)
    if not world.wire.very_late:
        watch.young_strays()
    if a_day:
        scheduler.run(end + _DAY * 1.1 + 3600)
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

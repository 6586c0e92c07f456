"""The bill of a month: what happens, times what it takes, times what AWS asks for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from estimate import capacity, deployed
from estimate.house import Counts
from estimate.prices import PRICES, SECRETS_A_REGION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from estimate.stories import Played

SIZES: Final = (1_000, 100_000, 1_000_000)
HOURS: Final = 730
"""Of a month."""
POLLERS: Final = 5
"""Lambda's long polls at a queue that has nothing, of twenty seconds each."""


@dataclass(frozen=True)
class Assumptions:
    """What the bill can't know. All but the first two are a month, for each account."""

    stack_accounts: int = SECRETS_A_REGION
    traced: float = 0.05
    links: float = 0.05
    openings: float = 2
    failures: float = 0.01
    lists: float = 1
    reads: float = 30

    def told(self) -> list[tuple[str, str]]:
        """Return what is assumed, in words."""
        return [
            ("accounts in one stack, at most", f"{self.stack_accounts:,}"),
            ("traces: one a second, and of the rest", f"{self.traced:.0%}"),
            ("links, of accounts", f"{self.links:.0%}"),
            ("openings of the Hub and of the Accounts page, for each link", f"{self.openings:g}"),
            ("accounts whose token is refused, and good again later", f"{self.failures:.0%}"),
            ("lists of 50 accounts through the API, for each account", f"{self.lists:g}"),
            ("reads of its token by your own programs, for each account", f"{self.reads:g}"),
        ]


@dataclass(frozen=True)
class Line:
    """A price, and how many of its units a month takes."""

    price: str
    units: float

    @property
    def usd(self) -> float:
        """Return what they cost."""
        return PRICES[self.price].of(self.units)

    @property
    def service(self) -> str:
        """Return whose bill it is on."""
        return PRICES[self.price].service


@dataclass(frozen=True)
class Bill:
    """What so many accounts cost a month."""

    accounts: int
    lines: tuple[Line, ...]

    @property
    def usd(self) -> float:
        """Return all of it."""
        return sum(one.usd for one in self.lines)

    def of(self, service: str) -> float:
        """Return what one service costs."""
        return sum(one.usd for one in self.lines if one.service == service)


def bill(
    accounts: int,
    played: Played,
    seconds: Mapping[str, float],
    assumed: Assumptions = Assumptions(),
) -> Bill:
    """Return the bill; `seconds` are those of an invocation of each function."""
    stacks = math.ceil(accounts / assumed.stack_accounts)
    month = _month(accounts, played, stacks, assumed)
    return Bill(accounts, tuple(_lines(accounts, stacks, month, played, seconds, assumed)))


def _month(accounts: int, played: Played, stacks: int, assumed: Assumptions) -> Counts:
    """Return what a month takes in calls, units and bytes."""
    times = {
        "idle": stacks * HOURS * 60,
        "check": accounts * HOURS / played.check_hours,
        "comparison": accounts * HOURS / 24,
        "link": accounts * assumed.links,
        "after a link": accounts * assumed.links,
        "page": accounts * assumed.links * assumed.openings,
        "accounts page": accounts * assumed.links * assumed.openings,
        "failure": accounts * assumed.failures,
        "list": accounts * assumed.lists,
    }
    month = Counts()
    for name, often in times.items():
        month.add(played.stories[name], often)
    month["secretsmanager:GetSecretValue"] += accounts * assumed.reads
    month["due"] = times["check"]
    month["sqs:Poller"] += stacks * POLLERS * HOURS * 180
    return month


def _lines(
    accounts: int,
    stacks: int,
    month: Counts,
    played: Played,
    seconds: Mapping[str, float],
    assumed: Assumptions,
) -> Iterator[Line]:
    yield Line("secret", accounts)
    yield Line("secret_call", calls(month, "secretsmanager"))
    table, indexes = capacity.stored(played.row, deployed.INDEXES)
    properties = deployed.RESOURCES["Table"]["Properties"]
    yield Line("write", month["write"])
    yield Line("read", month["read"])
    stored = accounts * (table + indexes + played.beside)
    yield Line("stored", stored)
    if properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]:
        yield Line("recoverable", accounts * (table + played.beside))
    yield from _functions(month, seconds)
    yield Line("sqs", calls(month, "sqs"))
    yield Line("event", month["event"])
    days = deployed.parameter("ArchiveDays")
    yield Line("archived", month["event_bytes"] if days else 0)
    yield Line("archive", month["event_bytes"] * days * 24 / HOURS)
    yield Line("key", stacks)
    yield Line("key_request", _key_requests(month))
    own = len(deployed.metrics())
    yield Line("metric", stacks * own)
    yield Line("alarm", stacks * deployed.count("AWS::CloudWatch::Alarm"))
    yield Line("dashboard", stacks * deployed.count("AWS::CloudWatch::Dashboard"))
    yield Line("log", month["log"])
    days = deployed.parameter("LogRetentionDays")
    yield Line("log_kept", month["log"] * 0.15 * days * 24 / HOURS)
    yield Line("rest", month["rest"])
    yield Line("trace", traces(month, stacks, assumed))


def calls(month: Counts, service: str) -> float:
    """Return the calls of one service."""
    return sum(one for name, one in month.items() if name.startswith(f"{service}:"))


def _functions(month: Counts, seconds: Mapping[str, float]) -> Iterator[Line]:
    yield Line("lambda_request", calls(month, "lambda"))
    used = sum(
        one * seconds[name.removeprefix("lambda:")] * deployed.memory(name.removeprefix("lambda:"))
        for name, one in month.items()
        if name.startswith("lambda:")
    )
    used += month["due"] * seconds["due"] * deployed.memory("sweep")
    yield Line(f"lambda_{deployed.parameter('Architecture')}", used / 1024)


def _key_requests(month: Counts) -> float:
    """Return what Secrets Manager asks of the key: it keeps no data key from call to call.

    A value that is written takes a data key, and a new secret a look at the key beside it.
    """
    made = month["secretsmanager:CreateSecret"] * 2 + month["secretsmanager:PutSecretValue"]
    return made + month["secretsmanager:GetSecretValue"]


def traces(month: Counts, stacks: int, assumed: Assumptions) -> float:
    """Return how many invocations are traced, by X-Ray's own rule, of functions that ask for it."""
    traced = {
        name for name, one in deployed.FUNCTIONS.items() if one.get("Tracing") != "PassThrough"
    }
    asked = sum(month[f"lambda:{name}"] for name in traced)
    first = min(asked, stacks * HOURS * 3600)
    return first + (asked - first) * assumed.traced

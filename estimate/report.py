"""The parts of docs/cost.md that are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from estimate import capacity, memory
from estimate.bill import SIZES, Assumptions, bill
from estimate.deployed import INDEXES
from estimate.deployed import memory as has
from estimate.prices import AS_OF, PRICES
from shapes.parts import filled
from templates import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from estimate.bill import Bill
    from estimate.house import Counts
    from estimate.memory import Measured
    from estimate.stories import Played

PATH: Final = ROOT / "docs" / "cost.md"
_STORIES: Final = {
    "check": "a daily check",
    "link": "a link, from its session on",
    "failure": "a refused token, confirmed, and good again",
    "page": "an opening of the Hub",
    "accounts page": "an opening of the Accounts page",
    "list": "a list of 50 accounts",
    "comparison": "the daily comparison with its secret",
    "idle": "a sweep that finds nothing",
}


def page(played: Played) -> str:
    """Return docs/cost.md with its parts made anew."""
    text, measured = PATH.read_text(encoding="utf-8"), memory.read()
    bills = [bill(size, played, memory.seconds(measured)) for size in SIZES]
    parts = {
        "bill": _bills(bills),
        "assumptions": _table(["Assumed", ""], Assumptions().told()),
        "units": _units(played),
        "memory": _memory(measured),
        "prices": _prices(),
    }
    for name, part in parts.items():
        text = filled(text, name, f"\n{part}\n\n")
    return text


def _bills(bills: Sequence[Bill]) -> str:
    services = list(dict.fromkeys(one.service for one in PRICES.values()))
    rows = [[name, *(usd(one.of(name)) for one in bills)] for name in services]
    rows.append(["**together**", *(f"**{usd(one.usd)}**" for one in bills)])
    rows.append(["an account", *(f"{one.usd / one.accounts:.3f}" for one in bills)])
    rows.append(["share of Secrets Manager", *(f"{share(one):.1%}" for one in bills)])
    heads = ["US dollars a month", *(f"{one.accounts:,} accounts" for one in bills)]
    return _table(heads, rows)


def share(of: Bill) -> float:
    """Return which share of a bill is Secrets Manager's."""
    return of.of("Secrets Manager") / of.usd


def usd(amount: float) -> str:
    """Return dollars: cents matter while there are few."""
    return f"{amount:.2f}" if amount < 10 else f"{amount:,.0f}"


def _units(played: Played) -> str:
    heads = [
        "",
        "writes (units)",
        "reads (units)",
        "Secrets Manager",
        "SQS",
        "invocations",
        "events",
    ]
    rows = [[what, *_taken(played.stories[name])] for name, what in _STORIES.items()]
    table, indexes = capacity.stored(played.row, INDEXES)
    size = f"""\
A linked account's row has {capacity.size(played.row):,} bytes. It takes {table:,} in the table and
{indexes:,} in its {len(INDEXES)} indexes; what stands beside it takes {played.beside:,}."""
    return f"{_table(heads, rows)}\n\n{size}"


def _taken(story: Counts) -> list[str]:
    def calls(service: str) -> float:
        return sum(one for name, one in story.items() if name.startswith(f"{service}:"))

    found = [story["write"], story["read"], *map(calls, ("secretsmanager", "sqs", "lambda"))]
    return [f"{round(one, 6):.3g}" for one in (*found, story["event"])]


def _memory(measured: Mapping[str, Measured]) -> str:
    heads = ["", "peak", *(f"{one:,} MB" for one in memory.CHOICES)]
    rows = []
    for name, bound in memory.BOUNDS.items():
        of = measured[name]
        chosen = memory.best(name, of)
        rows.append(
            [f"`{name}`, a million calls", f"{of.peak} MB"]
            + [_marked(f"${of.usual.usd(one) * 1e6:,.2f}", one == chosen) for one in memory.CHOICES]
        )
        rows.append(
            [f"{bound.what}, in at most {bound.seconds:g} s", ""]
            + [f"{of.worst.seconds(one):.1f} s" for one in memory.CHOICES]
        )
    having = ", ".join(f"`{name}` {has(name)} MB" for name in memory.BOUNDS)
    return f"{_table(heads, rows)}\n\nThe template gives {having}."


def _marked(text: str, chosen: bool) -> str:  # noqa: FBT001 - told by its place
    return f"**{text}**" if chosen else text


def _prices() -> str:
    rows = [[one.service, one.item, f"{one.usd:g}", one.note] for one in PRICES.values()]
    return _table([f"us-east-1, {AS_OF}", "for a", "US dollars", ""], rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads), *(list(row) for row in rows)]
    lines.insert(1, ["---", *["---:"] * (len(lines[0]) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""What happens in a month of a deployment, played once; each returns what it took."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from estimate import capacity
from estimate.deployed import INDEXES
from estimate.house import Counts, house
from namely_link.domain.values import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from estimate.house import House

MANY: Final = 10
"""Accounts that are due together, so that what is sent in batches is."""
PAGE: Final = 50
"""Accounts in one answer of the list, where nobody asks for another number."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What each story took, the row of an account, and the bytes stored beside it."""

    stories: dict[str, Counts]
    row: capacity.Item
    beside: int

    @property
    def check_hours(self) -> float:
        """Hours from one check of an account to the next."""
        at, following = (moment(self.row[name]["S"]) for name in ("checked_at", "next_check_at"))
        return (following - at).total_seconds() / 3600


def play() -> Played:
    """Play all of them, in a deployment of their own."""
    with house() as home:
        return _play(home)


def _play(home: House) -> Played:
    stories: dict[str, Counts] = {}

    def told(name: str, happens: Callable[[], None], *, times: int = 1, sweeps: int = 0) -> None:
        """Play a story; `times` accounts share it, and so many sweeps would have run anyway."""
        home.settle()
        home.counts.clear()
        happens()
        home.settle()
        story = stories[name] = Counts()
        story.add(home.counts, 1 / times)
        if sweeps:
            story.add(stories["idle"], -sweeps / times)

    credential = home.simulator.credential("acme")
    home.values |= {"SUBDOMAIN": credential.subdomain, "TOKEN": credential.token}
    accounts: list[str] = []

    def link() -> None:
        number = len(accounts)
        session = home.api("api/make-session", _asked(number))
        home.values["SESSION"] = session["token"]
        home.api("link/session-current")
        accounts.append(home.api("link/link-by-session")["id"])

    def settle_down() -> None:
        for minutes in (2, 10, 60):
            home.sweep(minutes=minutes)

    told("page", lambda: _open_page(home, "pages/hub"))
    told("idle", lambda: home.sweep(minutes=1))
    told("link", link)
    told("after a link", settle_down, sweeps=3)
    for _ in range(MANY - 1):
        link()
    settle_down()
    home.sweep(hours=25)  # the first daily check is like no other
    row = home.row(accounts[0])
    beside = [one for one in home.rows() if accounts[0] in str(one) and "owner_id" not in one]
    told("check", lambda: home.sweep(hours=25), times=MANY, sweeps=1)
    told("failure", lambda: _fail(home), times=MANY, sweeps=3)
    told("comparison", home.reconcile, times=MANY)
    told("accounts page", lambda: _open_page(home, "pages/accounts"))
    _fill(home, row)
    told("list", lambda: _list(home))
    return Played(
        stories=stories,
        row=row,
        beside=sum(sum(capacity.stored(one, INDEXES)) for one in beside),
    )


def _asked(number: int) -> dict[str, Any]:
    """Return what a backend says of an owner: ids as long as those of most systems."""
    return {
        "owner_id": f"5f0c9a52-7f0e-4d7a-9c1e-{number:012}",
        "owner_name": "Example Manufacturing Company",
        "label": "Main HR system",
        "metadata": {"plan": "enterprise", "crm_id": "0015e00002BqRZtAAN"},
        "return_url": "https://app.example.com/settings/integrations/namely",
        "expires_in": 86400,
    }


_PARTS: Final = re.compile(r"""["'](?:[\w./]*/)?([\w.-]+\.(?:js|css)|[\w.-]*en\.[\w.]*json)["']""")
"""Addresses of scripts, of styles, and of the words of one language."""


def _open_page(home: House, page: str) -> None:
    """Ask for a page, and for whatever it and its parts refer to, as a browser does."""
    wanted, seen = [home.api(page)], set[str]()
    while wanted:
        for name in _PARTS.findall(str(wanted.pop())):
            if name not in seen:
                seen.add(name)
                asked = {"path": f"/assets/{name}", "pathParameters": {"name": name}}
                wanted.append(home.api("pages/asset", None, **asked))


def _list(home: House) -> None:
    every = {"queryStringParameters": None, "multiValueQueryStringParameters": None}
    shown = home.api("api/list", None, **every)
    assert len(shown["accounts"]) == PAGE  # noqa: S101 - what is counted has to be so many


def _fill(home: House, row: capacity.Item) -> None:
    """Let there be accounts enough for a page of the list."""
    for number in range(PAGE):
        new = f"{row['id']['S'][:-3]}{number:03}"
        home.put(dict(row) | {"id": {"S": new}, "pk": {"S": f"ACCOUNT#{new}"}})


def _fail(home: House) -> None:
    """Let a token be refused, be confirmed as refused, and be good again the day after."""
    home.simulator.revoke("acme")
    home.sweep(hours=25)
    home.sweep(minutes=10)
    home.simulator.restore("acme")
    home.sweep(hours=25)

"""`make screenshots`: takes a picture of every state of the pages, into docs/screenshots."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "shared")]

import accounts_states  # noqa: E402
import hub_states  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from conftest import CHROMIUM, Visitor, chromium_path  # noqa: E402 - the path comes first
from local.stack import running  # noqa: E402

WIDE = {"viewport": {"width": 1280, "height": 900}}
NARROW = {"viewport": {"width": 320, "height": 640}, "device_scale_factor": 2}
DARK = WIDE | {"color_scheme": "dark"}
ALSO_DARK = ("form", "token-refused", "confirm", "linked-over-privileged", "parked")
ALSO_NARROW = ("form", "token-refused", "linked-over-privileged", "link-expired")
LANGUAGES = ("de", "es", "fr", "pt")

type Shot = tuple[str, Callable[[Visitor], None], dict[str, object]]


def shots() -> list[Shot]:
    """Return each picture's name, its state, and the browser that shows it."""
    hub, accounts = hub_states.STATES, accounts_states.STATES
    return [
        # Before the Hub's own links are in the table.
        *((f"accounts-{name}", state, WIDE) for name, state in accounts.items()),
        ("accounts-table-dark", accounts["table"], DARK),
        ("accounts-table-narrow", accounts["table"], NARROW),
        ("accounts-detail-narrow", accounts["detail"], NARROW),
        ("accounts-detail-dark", accounts["detail"], DARK),
        ("accounts-relink-narrow", accounts["relink"], NARROW),
        *((f"hub-{name}", state, WIDE) for name, state in hub.items()),
        ("hub-embedded", hub_states.embedded, WIDE),
        *((f"hub-{name}-dark", hub[name], DARK) for name in ALSO_DARK),
        *((f"hub-{name}-narrow", hub[name], NARROW) for name in ALSO_NARROW),
        *((f"hub-form-{one}", hub["form"], WIDE | {"locale": one}) for one in LANGUAGES),
    ]


def main() -> None:
    """Deploy, and take the pictures."""
    folder = ROOT / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        running(state=Path(state), parameters={"RequestsPerSecond": "500"}) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM)
        first = Visitor(browser, stack)
        accounts_states.customers(first)
        first.close()
        for name, show, context in shots():
            visitor = Visitor(browser, stack, reduced_motion="reduce", **context)
            show(visitor)
            # A dialog stands in the window; everything else is taken whole.
            whole = not visitor.page.locator("dialog[open]").count()
            if visitor.faults:
                sys.exit(f"{name}: {visitor.faults}")
            visitor.page.screenshot(path=folder / f"{name}.png", full_page=whole)
            visitor.close()
            print(name, flush=True)
        browser.close()


if __name__ == "__main__":
    main()

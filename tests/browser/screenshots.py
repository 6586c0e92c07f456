"""Takes a picture of every state of the Hub: `python tests/browser/screenshots.py [FOLDER]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "shared")]

from hub_states import STATES  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from conftest import CHROMIUM, Visitor, chromium_path  # noqa: E402 - the path comes first
from local.stack import running  # noqa: E402

WIDE = {"viewport": {"width": 1280, "height": 900}}
NARROW = {"viewport": {"width": 320, "height": 640}, "device_scale_factor": 2}
DARK = WIDE | {"color_scheme": "dark"}
ALSO_DARK = ("form", "token-refused", "confirm", "linked-over-privileged", "parked")
ALSO_NARROW = ("form", "token-refused", "linked-over-privileged", "link-expired")
LANGUAGES = ("de", "es", "fr", "pt")

type Shot = tuple[str, str, dict[str, object]]


def shots() -> list[Shot]:
    """Return each picture's name, its state, and the browser that shows it."""
    return [
        *((state, state, WIDE) for state in STATES),
        *((f"{state}-dark", state, DARK) for state in ALSO_DARK),
        *((f"{state}-narrow", state, NARROW) for state in ALSO_NARROW),
        *((f"form-{language}", "form", WIDE | {"locale": language}) for language in LANGUAGES),
    ]


def main() -> None:
    """Deploy, and take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        running(state=Path(state)) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM)
        for name, state_name, context in shots():
            visitor = Visitor(browser, stack, reduced_motion="reduce", **context)
            STATES[state_name](visitor)
            # A dialog stands in the window; everything else is taken whole.
            whole = not visitor.page.locator("dialog[open]").count()
            visitor.page.screenshot(path=folder / f"hub-{name}.png", full_page=whole)
            visitor.close()
            print(name, flush=True)
        browser.close()


if __name__ == "__main__":
    main()

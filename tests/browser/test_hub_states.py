"""Every state of the Hub, looked at with axe, narrow, enlarged and in both themes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from hub_states import STATES

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

OVERFLOW = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(visit, state: str, theme: str) -> None:
    visitor = visit(color_scheme=theme, reduced_motion="reduce")
    STATES[state](visitor)
    found = Axe().run(visitor.page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


# 320 px is also what 1280 px are at 400 % zoom (WCAG 1.4.10).
@pytest.mark.parametrize("state", STATES)
def test_nothing_is_cut_off_at_320_pixels(visit, state: str) -> None:
    visitor = visit(viewport={"width": 320, "height": 640})
    STATES[state](visitor)
    assert visitor.page.evaluate(OVERFLOW) == 0
    inner = "(one) => [one.scrollWidth, one.clientWidth]"
    for box in visitor.page.query_selector_all("dialog[open], .card"):
        if box.is_visible():
            scroll, client = box.evaluate(inner)
            assert scroll <= client


@pytest.mark.parametrize("language", ["de", "es", "fr", "pt"])
def test_the_form_fits_in_every_language(visit, language: str) -> None:
    visitor = visit(viewport={"width": 320, "height": 640}, locale=language)
    STATES["form"](visitor)
    assert visitor.page.get_attribute("html", "lang") == language
    assert visitor.page.evaluate(OVERFLOW) == 0


def test_text_may_be_twice_as_large(visit) -> None:
    visitor = visit(viewport={"width": 640, "height": 900})
    STATES["linked"](visitor)
    visitor.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert visitor.page.evaluate(OVERFLOW) == 0

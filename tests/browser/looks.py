"""What holds of every state of every page: axe finds nothing, and nothing is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT, AxeResults

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules of those that look at colours."""

# What is wider than its place: the page, or a dialog, a card or a table in it.
_CUT_OFF = """() => [document.scrollingElement, ...document.querySelectorAll(
    "dialog[open], .card, .blank, .receipt, table")]
  .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .map((one) => `${one.tagName}.${one.className} ${one.scrollWidth} > ${one.clientWidth}`)"""

# What a theme changes besides colours and shadows, in any style sheet of the page.
_THEMED = """() => {
  const paint = (value) => ["color", "box-shadow"].some((one) => CSS.supports(one, value.trim()));
  const found = [];
  const look = (rules, themed) => [...rules].forEach((rule) => {
    const inside = themed || /prefers-color-scheme/.test(rule.conditionText ?? "");
    if (inside && rule.style) [...rule.style].forEach((name) => {
      const value = rule.style.getPropertyValue(name);
      if (name !== "color-scheme" && !(name.startsWith("--") && paint(value)))
        found.push(`${rule.selectorText} ${name}: ${value}`);
    });
    look(rule.cssRules ?? [], inside);
  });
  [...document.styleSheets].forEach((sheet) => look(sheet.cssRules, false));
  return found;
}"""


def sound(page: Page) -> None:
    """Look at a state in both themes, at 320 px, from right to left and with large text.

    The dark theme differs by its colours alone, so in the same width no other rule can find more.
    """
    size = page.viewport_size
    page.evaluate(AXE_SCRIPT)
    page.emulate_media(reduced_motion="reduce", color_scheme="light")
    _axe(page, "light", RULES)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(_THEMED) == []
    _axe(page, "dark", COLOURS)
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate("document.getAnimations().length") == 0
    # 320 px is also what 1280 px are at 400 % zoom (WCAG 1.4.10).
    page.set_viewport_size({"width": 320, "height": 640})
    _axe(page, "dark, 320 px", RULES)
    assert page.evaluate(_CUT_OFF) == []
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate(_CUT_OFF) == []
    page.evaluate("document.documentElement.dir = 'ltr'")
    # Text alone at 200 % (WCAG 1.4.4), in the room that 1280 px are at 200 % zoom.
    page.set_viewport_size({"width": 640, "height": 450})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate(_CUT_OFF) == []
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.set_viewport_size(size or {"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")


def _axe(page: Page, where: str, rules: Any) -> None:
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    found = AxeResults(page.evaluate("(options) => axe.run(options)", options))
    assert found.violations_count == 0, f"{where}: {found.generate_report()}"

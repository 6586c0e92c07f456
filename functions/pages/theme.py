"""Whose pages they are and how they look; colours that can be read whatever was asked for."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_COLOR: Final = re.compile(r"#[0-9a-f]{6}", re.ASCII | re.IGNORECASE)
_LOGO: Final = re.compile(
    r"data:image/(?:png|svg\+xml|webp);base64,[A-Za-z0-9+/]+={0,2}"
    r"|(?P<origin>https://[a-z0-9.-]+(?::[0-9]{1,5})?)/[\w.~/%?&=+-]*",
    re.ASCII | re.IGNORECASE,
)
_LOGO_TYPES: Final = {".svg": "svg+xml", ".png": "png", ".webp": "webp"}
MAX_LOGO: Final = 16 * 1024
"""Bytes of a logo's file: it is part of each page."""


class ThemeError(ValueError):
    """A parameter of the pages is malformed."""


@dataclass(frozen=True)
class Theme:
    """How the pages look: whose they are, one colour (`#rrggbb`), and a logo.

    The logo is an https address, what `file_logo` returns, or ''.
    """

    name: str
    color: str
    logo: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 80 or not self.name.isprintable():
            msg = "the name has 1 to 80 printable characters"
            raise ThemeError(msg)
        if not _COLOR.fullmatch(self.color):
            msg = "the colour is written #rrggbb"
            raise ThemeError(msg)
        if self.logo and not _LOGO.fullmatch(self.logo):
            msg = "the logo is an https address, or a data URL of type png, svg+xml or webp"
            raise ThemeError(msg)

    @property
    def logo_origin(self) -> str:
        """The origin of a logo that stands elsewhere, '' for any other."""
        found = _LOGO.fullmatch(self.logo)
        return (found and found["origin"]) or ""


def file_logo(folder: Path) -> str:
    """Return the deployer's `logo.svg`, `.png` or `.webp` as a data URL, '' where there is none.

    Raises:
        ThemeError: there are several, or it is too large.
    """
    files = [file for file in sorted(folder.glob("logo.*")) if file.suffix in _LOGO_TYPES]
    if not files:
        return ""
    body = files[0].read_bytes()
    if len(files) > 1 or len(body) > MAX_LOGO:
        msg = f"there is one file of a logo, of at most {MAX_LOGO} bytes"
        raise ThemeError(msg)
    return f"data:image/{_LOGO_TYPES[files[0].suffix]};base64,{base64.b64encode(body).decode()}"


type _Rgb = tuple[int, int, int]

_WHITE: Final[_Rgb] = (255, 255, 255)
_BLACK: Final[_Rgb] = (0, 0, 0)
_SUNKEN: Final[_Rgb] = (0xEE, 0xF2, 0xF0)
"""The darkest ground that links stand on in the light; base.css has it as --sunken."""
_SURFACE_DARK: Final[_Rgb] = (0x18, 0x21, 0x20)
"""The lightest ground in the dark; base.css has it as --surface."""


def stylesheet(color: str) -> str:
    """Return the theme's colours, each readable by WCAG 2.2 AA whatever colour was asked for."""
    asked: _Rgb = (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16))
    soft = _mix(asked, _WHITE, 0.88)
    light = _palette(asked, ink=_readable(asked, _BLACK, _SUNKEN, soft), soft=soft)
    soft = _mix(asked, _SURFACE_DARK, 0.78)
    ink = _readable(asked, _WHITE, _SURFACE_DARK, soft)
    dark = _palette(ink, ink=ink, soft=soft)
    return (
        f":root {{{light}}}\n"
        "@media (prefers-color-scheme: dark) {\n"
        f'  :root:not([data-theme="light"]) {{{dark}}}\n'
        "}\n"
        f':root[data-theme="dark"] {{{dark}}}\n'
    )


def _palette(fill: _Rgb, *, ink: _Rgb, soft: _Rgb) -> str:
    on = _WHITE if _contrast(fill, _WHITE) >= 4.5 else _BLACK
    hover = _mix(fill, _BLACK if on is _WHITE else _WHITE, 0.18)
    colors = {
        "accent": fill,
        "accent-hover": hover,
        "on-accent": on,
        "accent-ink": ink,
        "accent-soft": soft,
    }
    return " ".join(f"--{name}: {_hex(one)};" for name, one in colors.items())


def _readable(color: _Rgb, towards: _Rgb, *grounds: _Rgb) -> _Rgb:
    """Return the colour, moved until text in it stands out from each ground by 4.5 to 1."""
    moved = color
    for step in range(1, 21):
        if min(_contrast(moved, ground) for ground in grounds) >= 4.5:
            break
        moved = _mix(color, towards, step / 20)
    return moved


def _mix(color: _Rgb, other: _Rgb, share: float) -> _Rgb:
    red, green, blue = (
        round(one + (two - one) * share) for one, two in zip(color, other, strict=True)
    )
    return red, green, blue


def _contrast(one: _Rgb, two: _Rgb) -> float:
    """Return the contrast ratio of WCAG, 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(color: _Rgb) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(color: _Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)

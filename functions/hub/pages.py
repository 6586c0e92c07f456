"""The pages and their files: what stands in `web/`, named by its content and dressed in a theme.

Every address is relative to the stage (`/hub`, `/v1/…`, `/assets/…`), since an API of API Gateway
has a path before it. Bodies are text; API Gateway compresses them.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

type Response = tuple[int, dict[str, str], str]
"""Status, headers and body of an answer."""

WEB: Final = Path(__file__).parent / "web"
LANGUAGES: Final = ("en", "de", "es", "fr", "pt")
SECTIONS: Final = {
    "hub": ("reasons", "warnings", "capabilities", "hub"),
    "accounts": ("reasons", "capabilities", "accounts"),
}
"""The parts of a language's file that a page asks for."""

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
}
_PLACEHOLDER: Final = re.compile(r"\{\{asset:([\w.-]+)\}\}")
_IMPORT: Final = re.compile(
    r"""^((?:import|export)\b[^"';]*)(["'])\./([\w.-]+\.js)\2""", re.MULTILINE
)
"""A static import; types named in comments are none."""
_COMMENTS: Final = re.compile(
    r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/[ \t]*|//[^\n]*)\n", re.MULTILINE | re.DOTALL
)
"""Comments that have their lines to themselves; no string of ours runs over several lines."""
_INDENTS: Final = re.compile(r"^(?:[ \t]+|\n)", re.MULTILINE)
_COLOR: Final = re.compile(r"#[0-9a-f]{6}", re.ASCII | re.IGNORECASE)
_LOGO: Final = re.compile(r"data:image/(?:png|svg\+xml|webp);base64,[A-Za-z0-9+/]+={0,2}", re.ASCII)
_ANCESTORS: Final = re.compile(r"[A-Za-z0-9_.:/*'\[\]-]+(?: [A-Za-z0-9_.:/*'\[\]-]+)*", re.ASCII)

_MARK: Final = (
    '<svg viewBox="0 0 24 24" width="28" height="28" fill="none" stroke="currentColor"'
    ' stroke-width="2" stroke-linecap="round" aria-hidden="true">'
    '<path d="M10 14a4 4 0 0 0 6 .4l3-3A4 4 0 0 0 13.4 5.7L12 7"/>'
    '<path d="M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.6 5.7L12 17"/></svg>'
)
"""Two links of a chain, where the theme has no logo."""


def _sign(kind: str, path: str) -> str:
    return (
        f'<span class="mark {kind}"><svg class="icon" viewBox="0 0 20 20" aria-hidden="true">'
        f'<path d="{path}"/></svg></span>'
    )


_SIGNS: Final = {
    "linked": _sign("good", "M4 10.5l4 4 8-9"),
    "parked": _sign("info", "M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15zM10 5.5V10l3 2"),
    "refused": _sign("warn", "M10 3L1.8 17h16.4L10 3zM10 8v4.5M10 14.8v.1"),
}
"""What a plain form's answer shows over its title; hub.html has the same signs as symbols."""


class ThemeError(ValueError):
    """A parameter of the pages is malformed."""


@dataclass(frozen=True)
class Theme:
    """How the pages look: whose they are, one colour (`#rrggbb`) and a logo (a data URL or '')."""

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
            msg = "the logo is a data URL in base64, of type png, svg+xml or webp"
            raise ThemeError(msg)


@dataclass(frozen=True)
class _Asset:
    """A file under the name that tells its content."""

    file_name: str
    body: str


class Pages:
    """Answers for the pages and their files, for one theme.

    `frame_ancestors` are sources of the CSP directive of that name: who may embed the Hub.

    Raises:
        ThemeError: a frame ancestor is malformed.
    """

    def __init__(self, theme: Theme, frame_ancestors: str = "'none'") -> None:
        ancestors = " ".join(frame_ancestors.split()) or "'none'"
        if not _ANCESTORS.fullmatch(ancestors):
            msg = "the frame ancestors are sources of a Content-Security-Policy, with spaces"
            raise ThemeError(msg)
        self._theme = theme
        self._ancestors = ancestors
        self._assets = dict(_assets())
        self._assets["theme.css"] = _named("theme.css", _stylesheet(theme.color))
        self._by_name = {one.file_name: one for one in self._assets.values()}

    def page(self, name: str) -> Response | None:
        """Return `hub`, `accounts` or `hub.js`, None where there is no such page."""
        if name == "hub.js":
            headers = self._headers("js", "public, max-age=300")
            # Pages of other origins load this one.
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            return 200, headers, _read("embed.js")
        if name not in {"hub", "accounts"} or not (WEB / f"{name}.html").exists():
            return None
        # The Accounts page is never embedded.
        body = self._rendered(f"{name}.html", values={"locales": self._locales(name)})
        return 200, self._page_headers(embedded=name == "hub"), body

    def asset(self, file_name: str) -> Response | None:
        """Return the file of that hashed name, None where there is none."""
        found = self._by_name.get(file_name)
        if found is None:
            return None
        kind = file_name.rpartition(".")[2]
        return 200, self._headers(kind, "public, max-age=31536000, immutable"), found.body

    def result_page(
        self,
        *,
        status: int = 200,
        locale: str = "",
        accept_language: str = "",
        subdomain: str = "",
        parked: bool = False,
        reason: str = "",
        detail: str = "",
        hint: str = "",
        attempts_left: int | None = None,
        retry_after: int | None = None,
    ) -> Response:
        """Return what a plain web form shows: a success, or the problem of `reason`.

        `detail` and `hint` stand in where a reason has no translation.
        """
        language = choose_language(locale, accept_language)
        sentences = _sentences(language)
        result: Mapping[str, str] = sentences["result"]
        outcome = "refused" if reason else "parked" if parked else "linked"
        values = {
            "subdomain": subdomain or "…",
            "attempts": attempts_left,
            "app": self._theme.name,
            "minutes": math.ceil((retry_after or 0) / 60),
        }
        if reason:
            known: Mapping[str, str] = sentences["reasons"].get(reason) or {
                "detail": detail,
                "hint": hint,
            }
            lines = [known["detail"], known.get("hint", "")]
            if attempts_left is not None:
                lines.append(result["attempts_left"])
            lines.append(result["go_back"])
        else:
            lines = [result[f"{outcome}_text"], result["close"]]
        text = "".join(f"<p>{html.escape(_filled(line, values))}</p>\n" for line in lines if line)
        body = self._rendered(
            "result.html",
            base="../",
            values={
                "language": language,
                "title": html.escape(_filled(result[f"{outcome}_title"], values)),
                "outcome": outcome,
                "sign": _SIGNS[outcome],
                "text": text,
            },
        )
        return status, self._page_headers(embedded=True), body

    def _rendered(
        self, template: str, *, base: str = "", values: Mapping[str, str] | None = None
    ) -> str:
        name = html.escape(self._theme.name)
        logo = f'<img src="{html.escape(self._theme.logo)}" alt="">' if self._theme.logo else _MARK
        known = {
            "brand": f'<span class="brand">{logo}<span>{name}</span></span>',
            "name": name,
            "ancestors": html.escape(self._ancestors),
        } | dict(values or {})
        text = _PLACEHOLDER.sub(
            lambda found: f"{base}assets/{self._assets[found[1]].file_name}", _read(template)
        )
        return re.sub(r"\{\{(\w+)\}\}", lambda found: known[found[1]], text)

    def _locales(self, page: str) -> str:
        return "\n".join(
            f'<link rel="alternate" type="application/json" hreflang="{language}"'
            f' href="assets/{self._assets[f"{page}-{language}.json"].file_name}">'
            for language in LANGUAGES
        )

    def _page_headers(self, *, embedded: bool) -> dict[str, str]:
        ancestors = self._ancestors if embedded else "'none'"
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data:; form-action 'self'; base-uri 'none'; "
            f"frame-ancestors {ancestors}"
        )
        return self._headers("html", "no-store") | {
            "Content-Security-Policy": policy,
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    def _headers(self, kind: str, caching: str) -> dict[str, str]:
        return {
            "Content-Type": _TYPES[kind],
            "Cache-Control": caching,
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "Referrer-Policy": "no-referrer",
            "Strict-Transport-Security": "max-age=63072000",
            "X-Content-Type-Options": "nosniff",
        }


def choose_language(locale: str, accept_language: str = "") -> str:
    """Return the language for a session's locale, else for a browser's Accept-Language."""
    wanted = [(2.0, locale)]
    for part in accept_language[:500].split(","):
        tag, _, quality = part.partition(";")
        number = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", quality)
        wanted.append((float(number[1]) if number else 1.0, tag.strip()))
    for weight, tag in sorted(wanted, key=lambda one: -one[0]):
        primary = re.split(r"[-_]", tag.lower())[0]
        if weight and primary in LANGUAGES:
            return primary
    return "en"


def _filled(sentence: str, values: Mapping[str, object]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), sentence)


def _read(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _named(name: str, body: str) -> _Asset:
    stem, _, kind = name.rpartition(".")
    digest = hashlib.sha256(body.encode()).hexdigest()[:8]
    return _Asset(f"{stem}.{digest}.{kind}", body)


@cache
def _assets() -> dict[str, _Asset]:
    """Return every file but the pages and the embed script; modules import hashed names."""
    done: dict[str, _Asset] = {}

    def add(name: str, importing: tuple[str, ...] = ()) -> _Asset:
        if name in importing:
            msg = f"modules import each other: {' → '.join((*importing, name))}"
            raise RuntimeError(msg)
        if name not in done:
            body = _lean(_read(name))
            if name.endswith(".js"):
                path = (*importing, name)
                body = _IMPORT.sub(
                    lambda found: (
                        f"{found[1]}{found[2]}./{add(found[3], path).file_name}{found[2]}"
                    ),
                    body,
                )
            done[name] = _named(name, body)
        return done[name]

    for file in sorted([*WEB.glob("*.css"), *WEB.glob("*.js")]):
        if file.name != "embed.js":
            add(file.name)
    for page, sections in SECTIONS.items():
        for language in LANGUAGES:
            asked = {name: _sentences(language)[name] for name in sections}
            compact = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
            name = f"{page}-{language}.json"
            done[name] = _named(name, compact)
    return done


def _lean(body: str) -> str:
    """Return a script or style sheet without the lines and indents that only its readers need."""
    return _INDENTS.sub("", _COMMENTS.sub("", body))


@cache
def _sentences(language: str) -> dict[str, Any]:
    sentences: dict[str, Any] = json.loads(_read(f"locales/{language}.json"))
    return sentences


type _Rgb = tuple[int, int, int]

_WHITE: Final[_Rgb] = (255, 255, 255)
_BLACK: Final[_Rgb] = (0, 0, 0)
_SUNKEN: Final[_Rgb] = (0xEE, 0xF2, 0xF0)
"""The darkest ground that links stand on in the light; base.css has it as --sunken."""
_SURFACE_DARK: Final[_Rgb] = (0x18, 0x21, 0x20)
"""The lightest ground in the dark; base.css has it as --surface."""


def _stylesheet(color: str) -> str:
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

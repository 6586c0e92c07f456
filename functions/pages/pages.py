"""The pages and their files: what stands in `web/`, named by its content and dressed in a theme.

A file's name is its own in all folders of `web/`.

Every address is relative to the stage (`/hub`, `/v1/…`, `/assets/…`), since an API of API Gateway
has a path before it. Bodies are text; API Gateway compresses them.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from theme import ThemeError, stylesheet

from namely_link import sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from result import Result
    from theme import Theme

type Response = tuple[int, dict[str, str], str]
"""Status, headers and body of an answer."""

WEB: Final = Path(__file__).parent / "web"
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
    r"""^((?:import|export)\b[^"';]*)(["'])(?:\.|\.\./\w+)/([\w.-]+\.js)\2""", re.MULTILINE
)
"""A static import; types named in comments are none."""
_COMMENTS: Final = re.compile(
    r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/[ \t]*|//[^\n]*)\n", re.MULTILINE | re.DOTALL
)
"""Comments that have their lines to themselves; no string of ours runs over several lines."""
_INDENTS: Final = re.compile(r"^(?:[ \t]+|\n)", re.MULTILINE)
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
        self._assets["theme.css"] = _named("theme.css", stylesheet(theme.color))
        self._by_name = {one.file_name: one for one in self._assets.values()}

    def page(self, name: str) -> Response | None:
        """Return `hub`, `accounts` or `hub.js`, None where there is no such page."""
        if name == "hub.js":
            headers = self._headers("js", "public, max-age=300")
            # Pages of other origins load this one.
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            return 200, headers, _read("embed.js")
        if name not in SECTIONS:
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

    def result(self, told: Result, *, accept_language: str = "") -> Response:
        """Return what a person sees who sent a plain form: how it went, and what to do."""
        language = choose_language(told.locale, accept_language)
        said: Mapping[str, str] = sentences.document(language)["result"]
        names = {
            "subdomain": told.subdomain or "…",
            "attempts": told.attempts_left,
            "app": self._theme.name,
            "minutes": told.minutes,
        }
        text = [_filled(line, names) for line in _lines(told, language, said)]
        values = {
            "language": language,
            "title": html.escape(_filled(said[f"{told.outcome}_title"], names)),
            "outcome": told.outcome,
            "sign": _SIGNS[told.outcome],
            "text": "".join(f"<p>{html.escape(line)}</p>\n" for line in text),
        }
        return 200, self._page_headers(embedded=True), self._rendered("result.html", values=values)

    def _rendered(self, template: str, *, values: Mapping[str, str]) -> str:
        name = html.escape(self._theme.name)
        logo = f'<img src="{html.escape(self._theme.logo)}" alt="">' if self._theme.logo else _MARK
        known = {
            "brand": f'<span class="brand">{logo}<span>{name}</span></span>',
            "name": name,
            "ancestors": html.escape(self._ancestors),
        } | dict(values)
        text = _PLACEHOLDER.sub(
            lambda found: f"assets/{self._assets[found[1]].file_name}", _read(template)
        )
        return re.sub(r"\{\{(\w+)\}\}", lambda found: known[found[1]], text)

    def _locales(self, page: str) -> str:
        return "\n".join(
            f'<link rel="alternate" type="application/json" hreflang="{language}"'
            f' href="assets/{self._assets[f"{page}-{language}.json"].file_name}">'
            for language in sentences.languages()
        )

    def _page_headers(self, *, embedded: bool) -> dict[str, str]:
        ancestors = self._ancestors if embedded else "'none'"
        images = f"'self' data: {self._theme.logo_origin}".rstrip()
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            f"img-src {images}; form-action 'self'; base-uri 'none'; "
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
        if weight and primary in sentences.languages():
            return primary
    return "en"


def _lines(told: Result, language: str, said: Mapping[str, str]) -> list[str]:
    """Return the sentences under the title, one a paragraph."""
    if told.reason is None:
        return [said[f"{told.outcome}_text"], said["close"]]
    why = sentences.reason(told.reason, language)
    left = [said["attempts_left"]] if told.attempts_left is not None else []
    return [why.detail, why.hint, *left, said["go_back"]]


def _filled(sentence: str, values: Mapping[str, object]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), sentence)


def _read(name: str) -> str:
    (file,) = WEB.glob(f"*/{name}")
    return file.read_text(encoding="utf-8")


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

    for file in sorted([*WEB.glob("*/*.css"), *WEB.glob("*/*.js")]):
        if file.name != "embed.js":
            add(file.name)
    for page, sections in SECTIONS.items():
        for language in sentences.languages():
            asked = {name: sentences.document(language)[name] for name in sections}
            compact = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
            name = f"{page}-{language}.json"
            done[name] = _named(name, compact)
    return done


def _lean(body: str) -> str:
    """Return a script or style sheet without the lines and indents that only its readers need."""
    return _INDENTS.sub("", _COMMENTS.sub("", body))

"""The pages: files named by their content, headers, the theme, and sentences in every language."""

from __future__ import annotations

import gzip
import importlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from namely_link import sentences
from namely_link.domain.account import AccountWarning, Status
from namely_link.domain.lifecycle import Action
from namely_link.domain.probe import CAPABILITIES
from namely_link.domain.problems import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WEB = ROOT / "functions" / "pages" / "web"
with pytest.MonkeyPatch.context() as patched:
    patched.syspath_prepend(WEB.parent)  # where Lambda finds a function's modules
    pages, theme, result = (importlib.import_module(one) for one in ("pages", "theme", "result"))

THEME = theme.Theme("Example HR", "#0f6b5c")
LOCALES = {language: sentences.document(language) for language in sentences.languages()}


def leaves(part: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    else:
        yield path, part


def placeholders(sentence: str) -> list[str]:
    return sorted(set(re.findall(r"\{\w*\}", sentence)))


@pytest.fixture
def site():
    return pages.Pages(THEME, "https://app.example.com")


# ------------------------------------------------------------------ languages


@pytest.mark.parametrize("language", sentences.languages())
def test_every_language_has_the_same_sentences(language: str) -> None:
    theirs, english = dict(leaves(LOCALES[language])), dict(leaves(LOCALES["en"]))
    assert sorted(set(english) - set(theirs)) == []
    assert sorted(set(theirs) - set(english)) == []


@pytest.mark.parametrize("language", sentences.languages())
def test_every_sentence_has_the_same_placeholders(language: str) -> None:
    english = dict(leaves(LOCALES["en"]))
    differing = {
        path
        for path, sentence in leaves(LOCALES[language])
        if placeholders(sentence) != placeholders(english.get(path, sentence))
    }
    assert differing == set()


@pytest.mark.parametrize("language", sentences.languages())
def test_no_sentence_is_empty_or_a_copy_of_the_english_one(language: str) -> None:
    english = dict(leaves(LOCALES["en"]))
    sentences = dict(leaves(LOCALES[language]))
    assert [path for path, sentence in sentences.items() if not sentence.strip()] == []
    copied = [
        path
        for path, sentence in sentences.items()
        if language != "en" and len(sentence.split()) > 3 and sentence == english[path]
    ]
    assert copied == []


@pytest.mark.parametrize("language", sentences.languages())
def test_every_reason_warning_and_capability_has_its_sentence(language: str) -> None:
    sentences = LOCALES[language]
    assert set(sentences["reasons"]) == {reason.value for reason in Reason}
    assert set(sentences["warnings"]) == {warning.value for warning in AccountWarning}
    assert set(sentences["capabilities"]) == set(CAPABILITIES)
    assert {tuple(one) for one in sentences["reasons"].values()} == {("detail", "hint")}
    assert {tuple(one) for one in sentences["warnings"].values()} == {("title", "remedy")}


@pytest.mark.parametrize("language", sentences.languages())
def test_every_code_that_a_check_records_has_its_sentence(language: str) -> None:
    # Rejected and undetermined: what an account's status_reasons may name.
    probed = {code for code in Code if code.startswith("namely_")} | {
        Code.SITE_NOT_FOUND,
        Code.TOKEN_REFUSED,
        Code.TOKEN_OWNER_INACTIVE,
        Code.SECRET_MISSING,
    }
    assert set(LOCALES[language]["accounts"]["reasons"]) == probed


def sent(page: str, language: str) -> dict[str, str]:
    """The sentences of a language as they are sent to a page."""
    asset = pages._assets()[f"{page}-{language}.json"]
    return dict(leaves(json.loads(asset.body)))


def test_every_sentence_that_the_hub_asks_for_is_sent_to_it() -> None:
    known = sent("hub", "en")
    for file in [WEB / "hub" / "hub.html", *WEB.glob("hub/hub*.js")]:
        text = file.read_text(encoding="utf-8")
        asked = re.findall(r"""(?:data-t(?:-\w+)?=|\bt\(|connectSays\()"(\w[\w.]+)\"""", text)
        assert [key for key in asked if key not in known] == [], file.name


def test_every_sentence_that_the_accounts_page_asks_for_is_sent_to_it() -> None:
    known = sent("accounts", "en")
    groups = {path.rpartition(".")[0] for path in known}
    for file in WEB.glob("accounts/*.js"):
        text = file.read_text(encoding="utf-8")
        calls = re.findall(r"""\bwords\s*\.(?:t|plural|known)\(([^()]*)""", text)
        asked = [key for call in calls for key in re.findall(r'"([a-z_]+(?:\.[a-z_]+)*)"', call)]
        missing = [
            key
            for key in asked
            if f"accounts.{key}" not in known and f"accounts.{key}" not in groups
        ]
        # The styles of dates stand among the arguments too.
        assert set(missing) <= {"moment", "date", "time", "full"}, file.name


@pytest.mark.parametrize("language", sentences.languages())
def test_every_word_of_the_ledger_and_of_a_status_is_said(language: str) -> None:
    words = LOCALES[language]["accounts"]
    assert {str(one) for one in Action} <= set(words["ledger_action"])
    assert {str(one) for one in Status} <= set(words["status"])
    assert set(LOCALES[language]["warnings"]) == {str(one) for one in AccountWarning}


@pytest.mark.parametrize(
    ("locale", "header", "chosen"),
    [
        ("", "", "en"),
        ("de", "fr", "de"),
        ("de-AT", "", "de"),
        ("pt_BR", "", "pt"),
        ("ja", "es;q=0.5, fr;q=0.8", "fr"),
        ("", "ja, *;q=0.1", "en"),
        ("", "de;q=0, es", "es"),
        ("", "de;q=nonsense, fr;q=0.9", "de"),
    ],
)
def test_the_session_s_language_goes_before_the_browser_s(locale, header, chosen) -> None:
    assert pages.choose_language(locale, header) == chosen


# ------------------------------------------------------------------ files


def test_what_a_page_names_exists_and_is_immutable(site) -> None:
    status, headers, body = site.page("hub")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert "{{" not in body
    names = re.findall(r'(?:href|src)="assets/([^"]+)"', body)
    assert len(names) > 10
    for name in names:
        assert re.fullmatch(r"[\w-]+\.[0-9a-f]{8}\.(css|js|json)", name)
        answer = site.asset(name)
        assert answer
        assert answer[1]["Cache-Control"] == "public, max-age=31536000, immutable"


def test_modules_import_each_other_by_hashed_names(site) -> None:
    _, _, body = site.page("hub")
    waiting = re.findall(r'src="assets/(hub\.\w+\.js)"', body)
    seen = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        answer = site.asset(name)
        assert answer, name
        waiting += [one for one in re.findall(r'from "\./([^"]+)"', answer[2]) if one not in seen]
    assert len(seen) == 7


@pytest.mark.parametrize("language", sentences.languages())
@pytest.mark.parametrize("page", ["hub", "accounts"])
def test_a_first_visit_weighs_at_most_40_kib(site, page: str, language: str) -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    least = int(re.findall(r"MinimumCompressionSize: (\d+)", template)[0])

    def on_the_wire(body: str) -> int:
        raw = body.encode()
        return len(gzip.compress(raw, 6)) if len(raw) >= least else len(raw)

    body = site.page(page)[2]
    names = re.findall(r'(?:href|src)="assets/([^"]+)"', body)
    others = {f"{page}-{one}." for one in sentences.languages() if one != language}
    asked = [name for name in names if not name.startswith(tuple(others))]
    assert len(names) - len(asked) == 4
    weights = {name: on_the_wire(site.asset(name)[2]) for name in asked}
    assert sum(weights.values()) + on_the_wire(body) <= 40 * 1024, weights


def test_the_embed_script_weighs_little(site) -> None:
    assert len(gzip.compress(site.page("hub.js")[2].encode(), 6)) <= 4 * 1024


def test_files_go_out_without_what_only_their_readers_need(site) -> None:
    body = site.page("accounts")[2]
    for name in re.findall(r'(?:href|src)="assets/((?:accounts|base)[^"]+\.(?:js|css))"', body):
        text = site.asset(name)[2]
        assert not re.search(r"^(?:[ \t]|//)|^/\*[^\n]*\*/$", text, re.MULTILINE), name
        assert len(text) > 500


def test_no_string_of_a_script_runs_over_several_lines() -> None:
    for file in WEB.glob("*/*.js"):
        if file.name == "embed.js":  # sent as it is
            continue
        code = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', file.read_text(encoding="utf-8"))
        assert [line for line in code.splitlines() if line.count("`") % 2] == [], file.name


def test_a_file_has_another_name_once_it_changes(tmp_path, monkeypatch) -> None:
    for file in WEB.rglob("*"):
        if file.is_file():
            copy = tmp_path / file.relative_to(WEB)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    (tmp_path / "hub" / "hub-dom.js").write_text("export const changed = 1;\n")
    before = pages.Pages(THEME).page("hub")[2]
    monkeypatch.setattr(pages, "WEB", tmp_path)
    try:
        pages._assets.cache_clear()
        after = pages.Pages(THEME).page("hub")[2]
    finally:
        pages._assets.cache_clear()
    names = r"assets/(hub(?:-\w+)?|i18n)\.(\w+)\.js"
    old, new = dict(re.findall(names, before)), dict(re.findall(names, after))
    changed = {stem for stem in old if old[stem] != new[stem]}
    assert changed == {"hub-dom", "hub-receipt", "hub"}


def test_modules_that_import_each_other_are_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "one.js").write_text('import { b } from "./two.js";\n')
    (tmp_path / "some" / "two.js").write_text('import { a } from "./one.js";\n')
    monkeypatch.setattr(pages, "WEB", tmp_path)
    pages._assets.cache_clear()
    with pytest.raises(RuntimeError, match="import each other"):
        pages.Pages(THEME)


@pytest.mark.parametrize("name", ["", "nothing", "index.html", "../app.py", "hub.html"])
def test_what_is_no_page_is_not_found(site, name: str) -> None:
    assert site.page(name) is None
    assert site.asset(name) is None


def test_the_embed_script_is_short_lived_and_for_everybody(site) -> None:
    status, headers, body = site.page("hub.js")
    assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert headers["Cache-Control"] == "public, max-age=300"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "namely-link" in body


def test_pages_have_no_inline_code_and_no_foreign_address(site) -> None:
    for file in WEB.glob("*/*.html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), file.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), file.name
        assert not re.search(r"(?:https?:)?//[a-z]", text), file.name


@pytest.mark.parametrize("name", ["hub", "hub.js", "accounts"])
def test_every_answer_has_the_headers_of_safety(site, name: str) -> None:
    _, headers, _ = site.page(name)
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")


def test_only_the_named_origins_may_embed_the_hub() -> None:
    def ancestors(page: str, *sources: str) -> str:
        policy = pages.Pages(THEME, *sources).page(page)[1]["Content-Security-Policy"]
        return policy.rpartition("frame-ancestors ")[2]

    assert ancestors("hub") == "'none'"
    assert ancestors("hub", "") == "'none'"
    two = "https://a.example https://*.b.example:8443"
    assert ancestors("hub", two) == two
    assert ancestors("accounts", two) == "'none'"


def test_a_page_may_run_and_ask_its_own_origin_only(site) -> None:
    policy = site.page("accounts")[1]["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("img-src") == "'self' data:"
    assert {rules.pop(name) for name in ("default-src", "base-uri", "frame-ancestors")} == {
        "'none'"
    }
    assert set(rules) == {"script-src", "style-src", "connect-src", "form-action"}
    assert set(rules.values()) == {"'self'"}


def test_styles_have_no_left_and_no_right() -> None:
    sided = re.compile(r"-(?:left|right)\b|\b(?:left|right)\s*:|text-align: (?:left|right)")
    for file in WEB.glob("*/*.css"):
        assert sided.findall(file.read_text(encoding="utf-8")) == [], file.name


@pytest.mark.parametrize("sources", ["*; script-src *", "a,b", "x\ny;", 'https://"'])
def test_malformed_frame_ancestors_are_refused(sources: str) -> None:
    with pytest.raises(theme.ThemeError):
        pages.Pages(THEME, sources)


# ------------------------------------------------------------------ theme


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": "a\nb"},
        {"color": "red"},
        {"color": "#12345"},
        {"color": "#123456; }"},
        {"logo": "http://example.com/logo.png"},
        {"logo": "https://example.com"},
        {"logo": "https://example.com/logo.png; script-src *"},
        {"logo": 'https://example.com/"'},
        {"logo": "https://user@example.com/logo.png"},
        {"logo": "data:text/html;base64,AAAA"},
        {"logo": 'data:image/png;base64,AAAA" onerror="x'},
    ],
)
def test_a_malformed_theme_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(theme.ThemeError):
        theme.Theme(**{"name": "A", "color": "#123456"} | bad)


def test_a_name_is_escaped_and_a_logo_shown() -> None:
    logo = "data:image/svg+xml;base64,PHN2Zy8+"
    site = pages.Pages(theme.Theme('Fish & <b>"Chips"</b>', "#123456", logo))
    _, _, body = site.page("hub")
    assert "Fish &amp; &lt;b&gt;&quot;Chips&quot;&lt;/b&gt;" in body
    assert "<b>" not in body
    assert f'<img src="{logo}" alt="">' in body


@pytest.mark.parametrize(
    ("name", "kind"), [("logo.svg", "svg+xml"), ("logo.png", "png"), ("logo.webp", "webp")]
)
def test_a_file_beside_the_pages_is_the_logo(tmp_path: Path, name: str, kind: str) -> None:
    assert theme.file_logo(tmp_path) == ""
    (tmp_path / name).write_bytes(b"abc")
    (tmp_path / "logo.txt").touch()
    found = theme.file_logo(tmp_path)
    assert found == f"data:image/{kind};base64,YWJj"
    assert theme.Theme("A", "#123456", found).logo_origin == ""


def test_a_logo_that_is_too_large_or_not_the_only_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_bytes(b"x" * theme.MAX_LOGO)
    assert theme.file_logo(tmp_path)
    (tmp_path / "logo.svg").write_bytes(b"x" * (theme.MAX_LOGO + 1))
    with pytest.raises(theme.ThemeError):
        theme.file_logo(tmp_path)
    (tmp_path / "logo.svg").write_bytes(b"x")
    (tmp_path / "logo.png").write_bytes(b"x")
    with pytest.raises(theme.ThemeError):
        theme.file_logo(tmp_path)


def contrast(css: str, one: str, two: str) -> float:
    colors = dict(re.findall(r"--([\w-]+): (#\w{6});", css))

    def rgb(name: str) -> tuple[int, int, int]:
        text = colors.get(name, name).lstrip("#")
        return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)

    found: float = theme._contrast(rgb(one), rgb(two))
    return found


@pytest.mark.parametrize(
    "color",
    ["#0f6b5c", "#ffffff", "#000000", "#ffee00", "#ff0000", "#00aaff", "#808080", "#123456"],
)
def test_every_colour_gives_readable_pages(color: str) -> None:
    site = pages.Pages(theme.Theme("A", color))
    name = re.findall(r"assets/(theme\.\w+\.css)", site.page("hub")[2])[0]
    light, dark = site.asset(name)[2].split("@media")
    for css, surface in ((light, "#eef2f0"), (dark, "#182120")):
        assert contrast(css, "accent", "on-accent") >= 4.5
        assert contrast(css, "accent-hover", "on-accent") >= 4.5
        assert contrast(css, "accent-ink", surface) >= 4.5
        assert contrast(css, "accent-ink", "accent-soft") >= 4.5


# ------------------------------------------------------------------ plain forms


def told(site, accept_language: str = "", **query: str) -> str:
    status, headers, body = site.result(result.read_result(query), accept_language=accept_language)
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    return body


def test_a_plain_form_is_told_that_it_linked(site) -> None:
    body = told(site, outcome="linked", subdomain="acme")
    assert "acme.namely.com is now linked to Example HR." in body
    assert '<html lang="en"' in body
    assert "<script" not in body


def test_a_plain_form_is_told_that_its_link_waits(site) -> None:
    body = told(site, outcome="parked", subdomain="acme", locale="fr")
    assert LOCALES["fr"]["result"]["parked_title"] in body


def test_a_plain_form_is_told_what_is_wrong(site) -> None:
    query = {"outcome": "refused", "reason": "site_no_dns", "subdomain": "acme"}
    body = told(site, "de", **query, attempts_left="3")
    assert "acme.namely.com gibt es nicht." in body
    assert "Verbleibende Versuche mit diesem Link: 3" in body


def test_a_plain_form_is_told_when_to_try_again(site) -> None:
    body = told(site, outcome="refused", reason="owner_attempts_exhausted", minutes="2")
    assert "You can try again in 2 min." in body


@pytest.mark.parametrize("language", sentences.languages())
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_told_in_every_language(site, reason: Reason, language: str) -> None:
    body = told(site, outcome="refused", reason=reason, locale=language)
    assert f'<html lang="{language}"' in body
    assert "{" not in body


def test_the_answer_to_a_form_finds_its_files_from_where_it_stands(site) -> None:
    names = re.findall(r'href="assets/([^"]+)"', told(site, outcome="linked"))
    assert len(names) == 3
    assert all(site.asset(name) for name in names)

"""Tell what an answer is: what was asked for, or a block, a login page, a part of a page, a page of another shape.

Positive evidence comes first: a page that holds its own mark, and does not break off after it, is good, whatever words
the texts in it hold. Where there is none, only what a protection service itself puts there counts against a page:
headers, and the page's own title, scripts, frames and meta elements, read as HTML. Words never do: a project may be
about captchas, and the same scripts and cookies that a challenge has (``cf_clearance``,
``/cdn-cgi/challenge-platform/scripts/jsd``, ``visid_incap_…``, ``x-datadome``) come with good pages, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from urllib.parse import urljoin, urlsplit

from parsel import Selector
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom

from outsourcing_spiders.parsing.truncation import JsonState, breaks_off, has_end, json_state

CLOUDFLARE = "Cloudflare"
DATADOME = "DataDome"
INCAPSULA = "Imperva Incapsula"
PERIMETERX = "PerimeterX"

_HEAD = 64 * 1024
"""Bytes in which a service shows itself."""


class Kind(StrEnum):
    """What an answer is."""

    GOOD = "good"
    BLOCKED = "blocked"
    """A challenge, a refusal, or a page where JSON was asked for."""
    LOGIN = "login"
    RATE_LIMIT = "rate_limit"
    TRUNCATED = "truncated"
    LAYOUT = "layout"
    """A success without anything of what was asked for."""
    OTHER = "other"
    """A redirect, or an error in the platform's own words."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is, a clause that says why, and the service that put itself between, where it is known."""

    kind: Kind
    evidence: str
    vendor: str | None = None


def judge(
    *,
    status: int,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    url: str,
    asked_url: str,
    json_asked: bool = False,
    marker: str | tuple[str, ...] | None = None,
) -> Verdict:
    """Return what an answer is; never raises.

    `headers` may name one more than once, in any case. `body` is decompressed. `url` is where the answer came
    from, `asked_url` what was asked for before any redirect. `marker`: texts of which a good page holds at least
    one; ``None`` where nothing is known of it.
    """
    told = _fold(headers)
    markers = tuple(filter(None, (marker,) if isinstance(marker, str) else marker or ()))
    content_type = told.get("content-type", "")
    is_success = 200 <= status < 300
    page = _Page(body, content_type)
    state = json_state(body) if json_asked else "none"
    if is_success and (found := _marker_in(body, markers, content_type)) is not None:
        return _cut_off(page, state) or Verdict(Kind.GOOD, f"it holds {found!r}")
    if is_success and state == "whole":
        return Verdict(Kind.GOOD, "it is JSON")
    if (verdict := _challenge(status, told, page)) is not None:
        return verdict
    if status != 403 and (verdict := login_redirect(status, told.get("location"), url, asked_url)) is not None:
        return verdict
    if state == "whole":
        return Verdict(Kind.OTHER, f"the status {status}, with JSON")
    if status == 403:
        return _refused(told, page)
    if json_asked and page.is_markup and status < 500 and status not in (401, 404, 408, 410, 429):
        return Verdict(Kind.BLOCKED, "a page where JSON was asked for")
    if status == 401:
        return Verdict(Kind.LOGIN, "the status 401")
    if status == 429 or (status == 503 and "retry-after" in told):
        wait = f", Retry-After: {told['retry-after']}" if "retry-after" in told else ""
        return Verdict(Kind.RATE_LIMIT, f"the status {status}{wait}")
    if not is_success:
        return Verdict(Kind.OTHER, f"the status {status}")
    if not (markers or json_asked):
        return Verdict(Kind.GOOD, "nothing speaks against it")
    return _without_mark(page, markers, json_asked, state)


def _cut_off(page: _Page, state: JsonState) -> Verdict | None:
    """Return what a page is that holds its mark, and not all that should come after it."""
    if state == "broken off":
        return Verdict(Kind.TRUNCATED, "JSON that breaks off")
    return Verdict(Kind.TRUNCATED, "a page that breaks off") if page.breaks_off else None


def _without_mark(page: _Page, markers: tuple[str, ...], json_asked: bool, state: JsonState) -> Verdict:
    """Judge a success that is not what was asked for."""
    if not page.body.strip():
        return Verdict(Kind.LAYOUT, "the body is empty")
    if json_asked:
        return _cut_off(page, state) or Verdict(Kind.LAYOUT, "it is no JSON")
    if page.is_login:
        return Verdict(Kind.LOGIN, f"a login form on the page {page.title[:80]!r}")
    if _LOGIN_WALL.fullmatch(page.title):
        return Verdict(Kind.LOGIN, f"the page's title {page.title!r}")
    if page.is_html and not page.is_closed:
        return Verdict(Kind.TRUNCATED, "a page without its end")
    wanted = " nor ".join(map(repr, markers))
    return Verdict(Kind.LAYOUT, f"it holds {'neither ' if len(markers) > 1 else 'no '}{wanted}")


def _marker_in(body: bytes, markers: tuple[str, ...], content_type: str) -> str | None:
    for marker in markers:
        if marker.encode("utf-8", "surrogatepass") in body:
            return marker
    # What is ASCII is the same bytes in every charset but UTF-16, which begins with a byte order mark.
    if all(map(str.isascii, markers)) and body[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return None
    encoding = _encoding(body, content_type)
    for marker in markers:
        with suppress(LookupError, ValueError):
            if encoding and marker.encode(encoding) in body:
                return marker
    return None


def _encoding(body: bytes, content_type: str) -> str | None:
    return (
        read_bom(body)[0]
        or http_content_type_encoding(content_type or None)
        or html_body_declared_encoding(body[:4096])
    )


_HINTS = (
    b"just a moment", b"attention required!", b"challenge - upwork", b"used cloudflare to restrict access",
    b"_cf_chl_opt", b"__cf_chl_", b"/orchestrate/", b"_incapsula_resource", b"px-captcha", b"captcha.px-",
    b"access to this page has been denied", b"blockscript", b"captcha-delivery.com",
)  # fmt: skip
"""One of them is in every page of a protection service, in lower case: others need not be read as HTML."""
_TITLES = {
    "just a moment...": CLOUDFLARE,
    "challenge - upwork": CLOUDFLARE,
    "attention required! | cloudflare": CLOUDFLARE,
    "access to this page has been denied": PERIMETERX,
}
_CLOUDFLARE_DENIED = re.compile(r"access denied \| \S{1,255} used cloudflare to restrict access")
# Where a script or a frame comes from.
_DATADOME_SOURCE = re.compile(r"(?:https?:)?//(?:[\w-]+\.){1,3}captcha-delivery\.com/", re.I)
_SOURCES = (
    (CLOUDFLARE, re.compile(r"(?:https?://[^/]+)?/cdn-cgi/challenge-platform/(?:[^/?#]+/){0,3}orchestrate/", re.I)),
    (DATADOME, _DATADOME_SOURCE),
    (PERIMETERX, re.compile(r"(?:https?:)?//captcha\.px-(?:cdn|cloud)\.net/", re.I)),
)
_INCAPSULA_SOURCE = re.compile(r"(?:https?://[^/]+)?/_Incapsula_Resource\b", re.I)
# How a script begins: further in, the same could be the text of a project in a page's data.
_CLOUDFLARE_SCRIPT = re.compile(
    r"\s*(?:[(!]?\(?\s*function\s*\(\)\s*\{\s*|\(\(\)\s*=>\s*\{\s*)?(?:var\s+)?(?:window\.)?_cf_chl_opt\s*="
)
_DATADOME_SCRIPT = re.compile(r"""\s*(?:var\s+)?dd\s*=\s*\{\s*['"]?rt['"]?\s*:""")
_INCAPSULA_TEXT = b"request unsuccessful. incapsula incident id"


def _challenge(status: int, told: dict[str, str], page: _Page) -> Verdict | None:
    """Return the service that answered instead of the platform."""
    if told.get("cf-mitigated", "").strip().lower() == "challenge":
        return Verdict(Kind.BLOCKED, "the header cf-mitigated: challenge", CLOUDFLARE)
    if page.lowered.startswith(_INCAPSULA_TEXT):
        return Verdict(Kind.BLOCKED, "the text Request unsuccessful. Incapsula incident ID", INCAPSULA)
    if not any(hint in page.lowered for hint in _HINTS):
        return None
    if page.is_markup:
        found = _cloudflare(page) or _title(page, status) or _source(page) or _incapsula(page) or _scripts(page)
    else:
        found = _in_json(page) if not 200 <= status < 300 else None
    return found and Verdict(Kind.BLOCKED, *found)


_Sign = tuple[str, str]
"""What was found, and whose it is."""


def _title(page: _Page, status: int) -> _Sign | None:
    title = page.title.lower()
    # With 429 it is a rate limit (error 1015), which has the same title.
    is_denied = status != 429 and _CLOUDFLARE_DENIED.fullmatch(title)
    vendor = CLOUDFLARE if is_denied else _TITLES.get(title)
    return (f"the page's title {page.title!r}", vendor) if vendor else None


def _source(page: _Page) -> _Sign | None:
    for source in map(str.strip, page.values("//script/@src | //iframe/@src")):
        for vendor, pattern in _SOURCES:
            if pattern.match(source):
                return f"a script or a frame from {source.split()[0][:100]}", vendor
    return None


def _cloudflare(page: _Page) -> _Sign | None:
    if any(map(_CLOUDFLARE_SCRIPT.match, page.scripts)):
        return "the script with _cf_chl_opt", CLOUDFLARE
    if page.values("//form[contains(@action, '__cf_chl_')]/@action"):
        return "the form of a challenge (__cf_chl_)", CLOUDFLARE
    return None


def _incapsula(page: _Page) -> _Sign | None:
    if any(map(_INCAPSULA_SOURCE.match, page.values("//iframe/@src"))):
        return "a frame from /_Incapsula_Resource", INCAPSULA
    # The script alone is on good pages, too; but those want to be found, and lead somewhere.
    if (
        any(map(_INCAPSULA_SOURCE.match, page.values("//script/@src")))
        and "noindex" in page.meta("robots")
        and not page.values("//a/@href")
    ):
        return "a page of nothing but the script /_Incapsula_Resource", INCAPSULA
    return None


def _scripts(page: _Page) -> _Sign | None:
    if any(map(_DATADOME_SCRIPT.match, page.scripts)):
        return "the script var dd={'rt':…", DATADOME
    if page.meta("description") == "px-captcha":
        return "the meta element px-captcha", PERIMETERX
    if page.values("//div[@id='px-captcha']/@id") and any("_pxAppId" in script for script in page.scripts):
        return "the element px-captcha", PERIMETERX
    return None


def _in_json(page: _Page) -> _Sign | None:
    """Return whose refusal a JSON document is; programs get these instead of a page."""
    with suppress(ValueError, RecursionError):
        match json.loads(page.body):
            case {"url": str(address)} if _DATADOME_SOURCE.match(address):
                return f"the address {address[:60]}", DATADOME
            case {"appId": str(app), "blockScript": _} if app.startswith("PX"):
                return "the key blockScript", PERIMETERX
    return None


_SIGNS = (
    (DATADOME, "x-datadome", ""),
    (INCAPSULA, "x-iinfo", ""),
    (INCAPSULA, "x-cdn", "incapsula"),
    (INCAPSULA, "x-cdn", "imperva"),
    (CLOUDFLARE, "server", "cloudflare"),
    (INCAPSULA, "set-cookie", "visid_incap_"),
    (PERIMETERX, "set-cookie", "_px3="),
)
"""Headers that show who stands before a platform, whatever it answers."""


def _refused(told: dict[str, str], page: _Page) -> Verdict:
    for word in (b"px-captcha", b"_px3", b"press &amp; hold", b"press & hold"):
        if word in page.lowered:
            return Verdict(Kind.BLOCKED, f"the status 403, the word {word.decode()}", PERIMETERX)
    for vendor, name, part in _SIGNS:
        if name in told and part in told[name].lower():
            return Verdict(Kind.BLOCKED, f"the status 403, the header {name}", vendor)
    return Verdict(Kind.BLOCKED, "the status 403")


# Parts of a path, as a whole: a project may be about a login page.
_LOGIN_PATH = re.compile(r"/(?:log[-_]?[io]n|sign[-_]?in|m0/s02)(?:\.[a-z]{2,5})?(?:[/;]|$)", re.I)
_LOGIN_HOST = re.compile(r"(?:login|signin|sso)\.", re.I)
_LOGIN_TITLE = re.compile(r"\b(?:log|sign) ?in\b|\b(?:вход|войти|anmelden|connexion)\b|로그인|ログイン", re.I)
# A whole title, whose form comes by scripts. "Log in" alone may be a project.
_LOGIN_WALL = re.compile(r"(?:(?:\w+ )?(?:log|sign) ?in [-–|] )?(?:log|sign) ?in to your (?:\w+ )?account", re.I)


def login_redirect(status: int, location: str | None, url: str, asked_url: str) -> Verdict | None:
    """Return what an answer is that leads, or has led, to a login; ``None`` for any other. Never raises.

    `location` is where it leads; `url`, `asked_url`: as of `judge`. A login page that was asked for by itself is none.
    """
    if status == 429 or status >= 500 or _leads_to_login(asked_url):
        return None
    with suppress(ValueError):
        target = urljoin(url, (location or "").strip()) if 300 <= status < 400 else url
        return Verdict(Kind.LOGIN, f"a redirect to {target}") if _leads_to_login(target) else None
    return None


def _leads_to_login(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(_LOGIN_PATH.search(parts.path) or _LOGIN_HOST.match(parts.netloc))


_HTML = re.compile(rb"(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body|title)\b", re.DOTALL)


class _Page:
    """The beginning of a body, read as HTML if anything asks for a closer look."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.body = body
        self._content_type = content_type

    @cached_property
    def lowered(self) -> bytes:
        """The beginning in lower case, without blanks before it. Without zeros, UTF-16 shows what is ASCII."""
        return self.body[:_HEAD].replace(b"\0", b"").lower().lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\f")

    @property
    def is_markup(self) -> bool:
        """Whether it begins as HTML does, though perhaps not with a whole page."""
        return self.lowered.startswith(b"<") and not self.lowered.startswith(b"<?xml")

    @property
    def is_html(self) -> bool:
        """Whether it begins as a whole page does."""
        return _HTML.match(self.lowered[:2048]) is not None

    @property
    def is_closed(self) -> bool:
        """Whether it ends as nearly all whole pages do."""
        return has_end(self.body)

    @property
    def breaks_off(self) -> bool:
        """Whether it begins as a whole page does, and ends as none can."""
        return not self.is_closed and self.is_html and breaks_off(self.body)

    @property
    def is_login(self) -> bool:
        """Whether it is a login page by its title, and has a form for a password."""
        if b"password" not in self.lowered or not _LOGIN_TITLE.search(self.title):
            return False
        return bool(self.values("//form//input[@type='password']/@type"))

    @cached_property
    def title(self) -> str:
        """The page's own title, in one line."""
        return " ".join(" ".join(self.values("//head/title[1]/text()")).split())

    @cached_property
    def scripts(self) -> list[str]:
        """The scripts that stand in the page itself."""
        return self.values("//script[not(@src)]/text()")

    def meta(self, name: str) -> str:
        """Return what the meta elements of that name hold, in lower case."""
        found = (meta.attrib for meta in self._root.xpath("//meta[@name and @content]"))
        return " ".join(meta["content"].lower() for meta in found if meta["name"].lower() == name)

    def values(self, path: str) -> list[str]:
        """Return the attributes or texts at an XPath, in the order of the page."""
        return self._root.xpath(path).getall()

    @cached_property
    def _root(self) -> Selector:
        beginning = self.body[:_HEAD]
        try:
            text = beginning.decode(_encoding(self.body[:4096], self._content_type) or "utf-8", "replace")
        except (LookupError, ValueError):
            text = beginning.decode("latin-1")
        # What neither a page nor the parser may hold.
        text = text.replace("\0", "").encode("utf-8", "replace").decode()
        return Selector(text or " ", type="html")


def _fold(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    folded: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        folded[name] = f"{folded[name]}, {value}" if name in folded else value
    return folded

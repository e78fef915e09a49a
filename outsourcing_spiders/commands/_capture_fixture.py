"""A saved answer that reads the same for ever: the page, what came with it, and the items that it gives.

``NAME.html`` (``.json``, ``.xml``)  the body as the platform sent it, without secrets and personal data
``NAME.meta.json``                   address, status, ``Date``: what "2 hours ago" counts from, among others
``NAME.items.json``                  the items as the spider gives them, before validation
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.settings import Settings

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import Outcome
from outsourcing_spiders.parsing.redaction import redact, scrub_personal, secrets_of
from outsourcing_spiders.platforms.listing import ListingSpider

Spider = ListingSpider[Any]
Items = list[dict[str, Any]]

SUFFIXES = (".html", ".json", ".xml")
_KEPT_HEADERS = ("Content-Type", "Date", "Link")
_SKIPPED = "outsourcing/skipped/"
_REMOVED = {
    "secret": re.compile(r"\[(?:hidden|[A-Z][A-Z0-9]*_[A-Z0-9_]+)\]"),
    "e-mail address": re.compile(r"\[e-mail\]"),
    "telephone number": re.compile(r"\[phone\]"),
}


class Meta(msgspec.Struct, kw_only=True):
    """What an answer is read with, beside its body; fields that an answer has no use for are left out of the file."""

    read_by: Literal["parse", "detail"]
    """Which method of the spider reads it."""
    address: str
    """Where the answer came from, after redirects."""
    status: int
    headers: dict[str, str]
    """Those that reading depends on, ``Date`` always among them."""
    method: str | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET
    """What was posted."""
    place: int | str | msgspec.UnsetType = msgspec.UNSET
    """What the page of the listing was asked for by: its number, its offset, its cursor."""
    render: Any = msgspec.UNSET
    """How a browser made the page: ``meta["render"]`` of the request."""
    arguments: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    """Those that the spider had."""
    item: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """What the listing told of the project whose page this is."""
    problem: str | msgspec.UnsetType = msgspec.UNSET
    """Why nothing could be read, when it was saved."""


@dataclass(kw_only=True)
class Reading:
    """What a spider makes of an answer."""

    items: Items = field(default_factory=list)
    rows: int = 0
    unreadable: int = 0
    """Rows that are an error of the spider's, or have no id."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Rows that are no projects, by what they are."""
    problem: str | None = None
    """Why nothing could be read; ``None`` when something was, and for a page that says that there is nothing."""


def meta_of(response: Response, *, arguments: dict[str, str], date: str, item: Project | None, detail: bool) -> Meta:
    """Return what a live answer has to be read with; `date` stands in for a ``Date`` header that it has not."""
    request = response.request
    assert request is not None
    headers = {name: value.decode("latin-1") for name in _KEPT_HEADERS if (value := response.headers.get(name))}
    place = request.cb_kwargs.get("place")
    return Meta(
        read_by="detail" if detail else "parse",
        address=response.url,
        status=response.status,
        headers={**headers, "Date": headers.get("Date", date)},
        method=request.method if request.method != "GET" else msgspec.UNSET,
        body=request.body.decode("utf-8", "replace") if request.body else msgspec.UNSET,
        place=place if isinstance(place, (int, str)) and place != "" else msgspec.UNSET,
        render=request.meta.get("render", msgspec.UNSET),
        arguments=arguments or msgspec.UNSET,
        item=to_json([item])[0] if item else msgspec.UNSET,
    )


def answer(meta: Meta, body: bytes) -> Response:
    """Return the answer as the spider gets it."""
    headers = Headers(meta.headers)
    request = Request(
        meta.address,
        method=meta.method or "GET",
        body=meta.body or None,
        cb_kwargs={} if meta.place is msgspec.UNSET else {"place": meta.place},
        meta={} if meta.render is msgspec.UNSET else {"render": meta.render},
    )
    kind = responsetypes.from_args(headers=headers, url=meta.address, body=body)
    return kind(meta.address, status=meta.status, headers=headers, body=body, request=request)


def read(spidercls: type[Spider], settings: Settings, meta: Meta, body: bytes) -> Reading:
    """Read an answer as a crawl would, but alone."""
    crawler = Crawler(spidercls, settings)
    crawler._apply_settings()
    spider = spidercls.from_crawler(crawler, **(meta.arguments or {}))
    crawler.spider = spider
    response = answer(meta, body)
    if meta.read_by == "detail":
        return _read_detail(spider, response, meta)
    try:
        page = spider.page(response)
        items = [found for found in spider.parse(response) if isinstance(found, Project)]
    except Outcome as error:
        return Reading(problem=str(error))
    stats = crawler.stats.get_stats()
    nameless = sum(not _has_id(spider, row) for row in page.rows)
    reading = Reading(
        items=to_json(items),
        rows=len(page.rows),
        unreadable=nameless + stats.get("spider_exceptions/count", 0),
        skipped={name.removeprefix(_SKIPPED): count for name, count in stats.items() if name.startswith(_SKIPPED)},
    )
    if not page.rows and page.total != 0:
        reading.problem = f"{meta.address} holds no rows, and does not say that there are none"
    elif reading.unreadable and not items:
        reading.problem = f"none of the {reading.rows} rows of {meta.address} can be read"
    return reading


def to_json(items: list[Project]) -> Items:
    """Return items as a fixture has them: numbers of money and times as text."""
    found: Items = json.loads(json.dumps([asdict(item) for item in items], default=str))
    return found


def from_json(item: dict[str, Any]) -> Project:
    """Return an item of a fixture."""
    return msgspec.convert(item, Project, strict=False)


def completed(items: Items) -> Items:
    """Return items of an older fixture with the fields that projects have got since."""
    return to_json([from_json(item) for item in items])


def scrub(text: str, settings: Settings) -> str:
    """Return a text without secrets, e-mail addresses and telephone numbers."""
    return scrub_personal(redact(text, secrets_of({str(name): settings[name] for name in settings})))


def scrub_body(body: bytes, encoding: str, settings: Settings) -> bytes:
    """Return a page without them, otherwise byte for byte what it was."""
    text = body.decode(encoding, "surrogateescape")
    clean = scrub(text, settings)
    if clean != text and _is_json(text) and not _is_json(clean):
        clean = json.dumps(_scrub_value(json.loads(text), settings), ensure_ascii=False)
    return clean.encode(encoding, "surrogateescape")


def removed(before: bytes, after: bytes) -> dict[str, int]:
    """Count what was taken out of a page."""
    texts = [body.decode("latin-1") for body in (before, after)]
    counts = {what: [len(mark.findall(text)) for text in texts] for what, mark in _REMOVED.items()}
    return {what: new - old for what, (old, new) in counts.items() if new > old}


def suffix_of(response: Response) -> str:
    """Return what a page's file name ends with: by what the page is, since some send JSON as HTML."""
    text = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"["):
        return ".json"
    return ".xml" if text[:5] == b"<?xml" and b"<html" not in text[:1000].lower() else ".html"


@dataclass(frozen=True)
class Files:
    """The files of one fixture."""

    folder: Path
    name: str

    @property
    def items(self) -> Path:
        """The items."""
        return self.folder / f"{self.name}.items.json"

    @property
    def meta(self) -> Path:
        """What the page is read with."""
        return self.folder / f"{self.name}.meta.json"

    def page(self) -> Path | None:
        """The page, where it was saved."""
        return next((path for path in map(self.page_as, SUFFIXES) if path.is_file()), None)

    def page_as(self, suffix: str) -> Path:
        """The page in a format."""
        return self.folder / f"{self.name}{suffix}"

    def load_items(self) -> Items | None:
        """Return the items that were saved; ``None`` when there are none, raises `ValueError` for what are none."""
        if not self.items.is_file():
            return None
        try:
            return completed(json.loads(self.items.read_bytes()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.items} holds no items: {error}") from error

    def load_meta(self) -> Meta | None:
        """Return what the page is read with; ``None`` when it is not there, raises `ValueError` when unreadable."""
        if not self.meta.is_file():
            return None
        try:
            return msgspec.json.decode(self.meta.read_bytes(), type=Meta)
        except msgspec.DecodeError as error:
            raise ValueError(f"{self.meta} cannot be read: {error}") from error


def text_of_items(items: Items) -> str:
    """Return the text of an items file."""
    return json.dumps(items, ensure_ascii=False, indent=1) + "\n"


def text_of_meta(meta: Meta, settings: Settings) -> str:
    """Return the text of a meta file, without secrets and personal data."""
    value = _scrub_value(msgspec.to_builtins(meta), settings)
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged: for a second reading of the same page."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _read_detail(spider: Any, response: Response, meta: Meta) -> Reading:
    listed = (
        from_json(deepcopy(meta.item))
        if meta.item
        else Project(platform=spider.name, external_id=meta.address, url=meta.address, title="")
    )
    if response.status >= 400:
        return Reading(rows=1, unreadable=1, problem=f"{meta.address} answered {response.status}")
    try:
        return Reading(items=to_json([spider.detail(listed, response)]), rows=1)
    except Outcome as error:
        return Reading(rows=1, unreadable=1, problem=str(error))
    except Exception as error:
        return Reading(rows=1, unreadable=1, problem=f"{meta.address} cannot be read: {error!r}")


def _has_id(spider: Spider, row: Any) -> bool:
    try:
        spider.row_id(row)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _scrub_value(value: Any, settings: Settings) -> Any:
    if isinstance(value, str):
        return scrub(value, settings)
    if isinstance(value, dict):
        return {scrub(key, settings): _scrub_value(inner, settings) for key, inner in value.items()}
    if isinstance(value, list):
        return [_scrub_value(inner, settings) for inner in value]
    return value

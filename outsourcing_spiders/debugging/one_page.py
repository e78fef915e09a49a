"""One page for a developer: asked for as its spider would, with all its manners, or read from a file."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from scrapy import Spider
from scrapy.crawler import CrawlerProcessBase
from scrapy.http import TextResponse
from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoaderProtocol

from outsourcing_spiders.debugging import capture_fixture as fixture
from outsourcing_spiders.debugging import fixtures
from outsourcing_spiders.debugging.capture_request import OneAnswer, Wanted, one_answer
from outsourcing_spiders.debugging.reading import asked_by, asked_of, make_spider, quiet, request_of, way_of
from outsourcing_spiders.middlewares.permission import is_on, live_host, missing_permission, permitted_platforms
from outsourcing_spiders.outcomes import CloseReason, WrongArgument
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.listing import ListingSpider

_TYPES = {".html": "text/html", ".json": "application/json", ".xml": "text/xml"}


@dataclass(frozen=True, kw_only=True)
class OnePage:
    """A page that came, or was saved before."""

    body: bytes
    meta: fixtures.Meta
    suffix: str
    encoding: str
    note: str = ""
    """What its reader should know."""


class NothingCame(Exception):
    """No answer; the message says why."""


def spider_named(loader: SpiderLoaderProtocol, name: str) -> type[Spider]:
    """Return a spider; raises `WrongArgument` with the names that are near to one that is none.

    Raises `NothingCame` for one that cannot be imported.
    """
    if name in (names := loader.list()):
        return loader.load(name)
    if problem := getattr(loader, "broken", {}).get(name):
        raise NothingCame(f"{name} cannot be imported: {problem}")
    near = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`scrapy list` names them all"
    raise WrongArgument(f"there is no spider {name!r}; {hint}")


def reader_named(
    process: CrawlerProcessBase,
    name: str,
    file: Path | None,
    *,
    arguments: dict[str, str],
    place: str | None,
    detail: bool,
) -> type[ListingSpider[Any]]:
    """Return the spider of a listing; raises `WrongArgument` for one that does not read what is wanted.

    Where a platform has more than one way in, that is the one which is taken today, or which a `file` was saved for.
    """

    spidercls = spider_named(process.spider_loader, name)
    if not issubclass(spidercls, ListingSpider):
        raise WrongArgument(f"{name} reads no listing")
    way = spidercls.way_in(process.settings) if file is None else way_of(spidercls, _meta_beside(file))
    if detail and not issubclass(way, DetailPagesSpider):
        reader = name if way is spidercls else f"{name}'s official API"
        raise WrongArgument(f"{reader} reads no pages of single projects (--detail)")
    if place is not None and detail:
        raise WrongArgument("--page is one of the listing's, and --detail asks for a project's; give one of them")
    way(**arguments)
    return spidercls


def file_of(source: str | None) -> Path | None:
    """Return the file that `source` names; ``None`` for a web address. Raises `WrongArgument` for what is neither."""
    if not source or re.match(r"https?://", source, re.IGNORECASE):
        return None
    if Path(source).is_dir():
        raise WrongArgument(f"{source!r} is a folder; name a file in it")
    if not Path(source).is_file():
        raise WrongArgument(f"{source!r} is neither a web address nor a file")
    return Path(source)


def fetch(
    process: CrawlerProcessBase,
    spidercls: type[ListingSpider[Any]],
    address: str | None,
    *,
    arguments: dict[str, str],
    place: str | None,
    detail: bool,
) -> OnePage:
    """Ask for a page; without an address for the first one of the listing, or the one at `place`.

    Raises `PermissionRequired`, `WrongArgument`, and `NothingCame` when there is no answer of text.
    """

    settings = process.settings
    way = cast("type[ListingSpider[Any]]", spidercls.way_in(settings))
    own: Any = way(**arguments)
    if address and urlsplit(address).netloc.lower() != own.host and not is_on(address, live_host(way)):
        # The spider's headers may hold a token.
        raise WrongArgument(f"{address} is not on {own.host}, which {own.name} reads; set -a base_url=… for a copy")
    if problem := missing_permission(way, address or own.base_url, permitted_platforms(settings)):
        raise problem
    spider = _ask(process, way, Wanted(address=address, place=place_of(way, place), detail=detail), arguments)
    response = spider.answered
    if response is None:
        is_stopped = spider.crawler.stats.get_value("finish_reason") == CloseReason.SHUTDOWN
        else_why = "the crawl was told to stop before it came" if is_stopped else "see the log"
        raise NothingCame(f"nothing came: {spider.outcome or spider.problem or else_why}")
    if not isinstance(response, TextResponse):
        kind = (response.headers.get("Content-Type") or b"of no type").decode("latin-1")
        raise NothingCame(f"{response.url} answered with no text ({kind})")
    now = format_datetime(datetime.now(UTC), usegmt=True)
    meta = fixture.meta_of(response, arguments=arguments, date=now, item=spider.listed, detail=detail)
    if way is not spidercls:
        meta.way_in = way.__name__
    _note_request(settings, spidercls, meta)
    note = "" if response.headers.get("Date") else "it says no Date: relative times count from when it came"
    return OnePage(
        body=response.body, meta=meta, suffix=fixture.suffix_of(response), encoding=response.encoding, note=note
    )


def load(
    settings: BaseSettings,
    spidercls: type[ListingSpider[Any]],
    file: Path,
    *,
    arguments: dict[str, str],
    place: str | None,
    detail: bool,
    address: str | None = None,
    date: str | None = None,
) -> OnePage:
    """Return a saved page; one that was captured is read with what was saved beside it."""

    beside = next((end for end in (".meta.json", ".items.json") if file.name.endswith(end)), None)
    if beside and (page := fixtures.Files(file.parent, file.name.removesuffix(beside)).page()):
        raise WrongArgument(f"{file} is what was saved beside a page; read {page}")
    body, told = file.read_bytes(), _date(date)
    suffix = file.suffix if file.suffix in fixtures.SUFFIXES else ".html"
    meta, note = _meta_beside(file), ""
    if meta is None:
        came = told or datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
        note = "" if date else f"relative times count from the file's own, {came:%Y-%m-%d %H:%M} UTC (--date)"
        asked = place_of(spidercls, place)
        first = spidercls.first_place
        meta = fixtures.Meta(
            read_by="detail" if detail else "parse",
            address=address or spidercls.home,
            status=200,
            headers={"Content-Type": _TYPES[suffix], "Date": format_datetime(came, usegmt=True)},
            place=asked if asked is not None else msgspec.UNSET if first is None or first == "" else first,
            arguments=arguments or msgspec.UNSET,
        )
        if address is None:
            meta.address = _first_address(make_spider(spidercls, settings, meta))
    response = fixtures.answer(meta, body)
    if not isinstance(response, TextResponse):
        raise WrongArgument(f"{file} holds no text")
    _note_request(settings, spidercls, meta)
    return OnePage(body=body, meta=meta, suffix=suffix, encoding=response.encoding, note=note)


def place_of(spidercls: type[ListingSpider[Any]], text: str | None) -> int | str | None:
    """Return what a page of the listing is asked for by, from the text of ``--page``."""
    if text is None or not isinstance(spidercls.first_place, int):
        return text
    if not (text.isascii() and text.isdigit()):
        raise WrongArgument(f"--page {text!r} is no number, and {spidercls.name} asks for pages by number")
    return int(text)


def _ask(
    process: CrawlerProcessBase, spidercls: type[ListingSpider[Any]], wanted: Wanted, arguments: dict[str, str]
) -> OneAnswer:

    crawler = process.create_crawler(one_answer(spidercls, wanted))
    crawling: Any = process.crawl(crawler, **arguments)
    raised: list[BaseException] = []
    if isinstance(crawling, asyncio.Future):
        crawling.add_done_callback(lambda task: raised.extend(filter(None, [_raised_by(task)])))
    else:
        crawling.addErrback(lambda failure: raised.append(failure.value))
    process.start()
    if crawler.spider is None:
        raise NothingCame(f"the spider could not be started: {raised[0] if raised else 'see the log'}")
    return cast(OneAnswer, crawler.spider)


def _note_request(settings: BaseSettings, spidercls: type[ListingSpider[Any]], meta: fixtures.Meta) -> None:
    """Note what the spider asks for where the answer is from elsewhere; it is compared when a fixture is checked."""
    meta.asked = msgspec.UNSET
    with suppress(Exception), quiet():
        # A page is looked at because its spider is broken, too.
        request = request_of(make_spider(spidercls, settings, meta), meta)
        if request is not None and (asked := asked_by(request)) != asked_of(meta):
            meta.asked = asked


def _meta_beside(file: Path) -> fixtures.Meta | None:
    try:
        return fixtures.Files(file.parent, file.stem).load_meta()
    except ValueError as error:
        raise WrongArgument(str(error)) from None


def _first_address(spider: ListingSpider[Any]) -> str:
    with suppress(Exception):
        # Some need what only a crawl has; the address is no more than where relative links start from.
        return spider.listing_request(spider.first_place).url
    return spider.base_url


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = None
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
    if found is None:
        with suppress(ValueError):
            found = parsedate_to_datetime(text)
    if found is None or found.tzinfo is None:
        raise WrongArgument(f"--date {text!r} is no time with a zone, such as 2026-11-22T14:00:00Z")
    return found.astimezone(UTC)


def _raised_by(task: asyncio.Future[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()

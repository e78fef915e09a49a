"""What a spider makes of one answer, read as a crawl would, but alone: nothing is asked or stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import msgspec
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings, Settings

from outsourcing_spiders.debugging.fixtures import Items, Meta, answer, from_json, to_json
from outsourcing_spiders.items import Project
from outsourcing_spiders.middlewares.block_guard import BlockGuardMiddleware
from outsourcing_spiders.outcomes import CloseReason, LayoutChanged, Outcome, told
from outsourcing_spiders.parsing.challenges import Verdict
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import InvalidProject, validate
from outsourcing_spiders.platforms.listing import ListingSpider

Spider = ListingSpider[Any]

_SKIPPED = "outsourcing/skipped/"


@dataclass(kw_only=True)
class Reading:
    """What a spider makes of an answer."""

    items: Items = field(default_factory=list)
    rows: int = 0
    nameless: int = 0
    """Rows that have no id."""
    errors: list[str] = field(default_factory=list)
    """What the spider raised at single rows, or at a project's page, with the place in the code."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Rows that are no projects, by what they are."""
    refused: dict[str, int] = field(default_factory=dict)
    """Items that validation refuses, by the reason."""
    not_asked: str | None = None
    """Why the spider gets no such answer today: what it asks for instead, or what asking raised."""
    unusable: dict[str, list[str]] = field(default_factory=dict)
    """Fields whose value validation dropped, by the item's id."""
    outcome: CloseReason | None = None
    """How a crawl ends with this answer, as `Meta.outcome` tells it; ``None``: it goes on."""
    problem: str | None = None
    """Why, in a sentence."""

    @property
    def unreadable(self) -> int:
        """How many rows are lost to errors of the spider."""
        return self.nameless + len(self.errors)


def read(spidercls: type[Spider], settings: BaseSettings, meta: Meta, body: bytes) -> Reading:
    """Read an answer as a crawl would, block guard and validation included, but alone: nothing is asked or stored."""
    spider = make_spider(spidercls, settings, meta)
    reading = Reading()
    # Instead of a traceback in the log, and a number in the statistics.
    spider.count_error = lambda error: reading.errors.append(told(error))
    response = answer(meta, body)
    reading.not_asked = _not_asked(spider, meta)
    try:
        _guard(spider, response, meta)
        projects = (_read_detail if meta.read_by == "detail" else _read_page)(spider, response, meta, reading)
    except Outcome as error:
        reading.outcome, reading.problem = error.reason, str(error)
        return reading
    stats = spider.crawler.stats.get_stats()
    reading.skipped = {name.removeprefix(_SKIPPED): n for name, n in stats.items() if name.startswith(_SKIPPED)}
    reading.skipped.pop("no_id", None)
    now = spider.answered_at(response)
    for project in projects:
        try:
            reading.unusable[project.external_id] = validate(project, ExchangeRates(), now=now)
        except InvalidProject as error:
            reading.refused[str(error)] = reading.refused.get(str(error), 0) + 1
        else:
            reading.items += to_json([project])
    return reading


def request_of(spider: Any, meta: Meta) -> Request | None:
    """Return a spider's request for an answer, ``None`` where none is made or known; raises what the spider raises."""
    place = spider.first_place if meta.place is msgspec.UNSET else meta.place
    if meta.read_by == "parse":
        return cast("Request", spider.listing_request(place))
    return spider.detail_request(from_json(deepcopy(meta.item))) if meta.item else None


def asked_of(meta: Meta) -> str:
    """Return what was asked for to get an answer, as `Meta.asked` has it."""
    return meta.asked or f"{meta.method or 'GET'} {meta.address.partition('?')[0]}"


def asked_by(request: Request) -> str:
    """Return the method and the address of a request, without the query: that changes with time, and holds tokens."""
    return f"{request.method} {request.url.partition('?')[0]}"


def way_of(spidercls: type[Spider], meta: Meta | None) -> type[Spider]:
    """Return the class that reads a saved answer, where a platform has more than one."""
    official: type[Spider] | None = getattr(spidercls, "official_api", None)
    return official if official and meta and meta.way_in == official.__name__ else spidercls


def make_spider(spidercls: type[Spider], settings: BaseSettings, meta: Meta) -> Any:
    """Return the spider that reads an answer, with a crawler that does not run."""
    own = Settings()
    own.update(settings)
    own.set("STORAGE_ENABLED", False, priority="cmdline")
    if official := getattr(spidercls, "official_api", None):
        # Which way in is taken depends on the account, and an old answer does not.
        for name in official.needs:
            own.set(name, "of a fixture" if way_of(spidercls, meta) is official else "", priority="cmdline")
    crawler = Crawler(spidercls, own)
    crawler._apply_settings()
    spider = spidercls.from_crawler(crawler, **(meta.arguments or {}))
    crawler.spider = spider
    return spider


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged: what is to be said of a reading, the caller says."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _read_page(spider: Any, response: Response, meta: Meta, reading: Reading) -> list[Project]:
    page = spider.page(response)
    reading.rows = len(page.rows)
    reading.nameless = sum(not _has_id(spider, row) for row in page.rows)
    found = [one for one in spider.parse(response) if isinstance(one, Project)]
    if not page.rows and page.total != 0:
        raise LayoutChanged(f"{meta.address} holds no rows, and does not say that there are none")
    if reading.unreadable and not found:
        why = f": {reading.errors[0]}" if reading.errors else ""
        raise LayoutChanged(f"none of the {reading.rows} rows of {meta.address} can be read{why}")
    return found


def _read_detail(spider: Any, response: Response, meta: Meta, reading: Reading) -> list[Project]:
    reading.rows = 1
    if response.status >= 400:
        raise spider.refusal(response)
    item = from_json(deepcopy(meta.item)) if meta.item else None
    found = list(spider.parse_detail(response, item=item))
    if reading.errors:
        raise LayoutChanged(f"{meta.address} cannot be read: {reading.errors[0]}")
    if item is None:
        # Only the listing has it.
        found[0].title = found[0].title or meta.address
    return found


class _Guard(BlockGuardMiddleware):
    """The guard of a crawl, without a crawl to end."""

    def _ask_again(self, request: Request, *, most: int | None = None) -> Request | None:
        return None

    async def _end(self, response: Response, outcome: Outcome, verdict: Verdict) -> NoReturn:
        raise outcome


def _guard(spider: Any, response: Response, meta: Meta) -> None:
    """Raise the outcome that the block guard ends a crawl with, when it gets this answer."""
    request = response.request
    assert request is not None
    marker, asked = getattr(spider, "detail_marker", None) if meta.read_by == "detail" else spider.marker, None
    with suppress(Exception):
        # What is lost is whether JSON was asked for.
        asked = request_of(spider, meta)
    marked = request.replace(headers=asked.headers if asked else None, meta={"marker": marker, **request.meta})
    # It waits for nothing.
    with suppress(StopIteration):
        _Guard(spider.crawler, only_warns=False).process_response(marked, response).send(None)


def _not_asked(spider: Any, meta: Meta) -> str | None:
    # What ends a crawl comes from anywhere.
    if meta.outcome or (meta.read_by == "detail" and not meta.item):
        return None
    try:
        request = request_of(spider, meta)
    except Exception as error:
        return told(error)
    asked, wanted = asked_by(request) if request else "nothing", asked_of(meta)
    # What the listing links to may lead on to another address.
    linked = f"GET {meta.item['url'].partition('?')[0]}" if meta.item else wanted
    return None if asked in (wanted, linked) else f"the spider asks for {asked}, not for {wanted}"


def _has_id(spider: Spider, row: Any) -> bool:
    try:
        spider.row_id(row)
    except (KeyError, TypeError, ValueError):
        return False
    return True

"""A saved answer that reads the same for ever: the page, what it has to be read with, and what it gives.

``NAME.html`` (``.json``, ``.xml``)  the body as the platform sent it, without secrets and personal data
``NAME.meta.json``                   `Meta`: address, status, ``Date`` (what "2 hours ago" counts from), among others
``NAME.items.json``                  the items as a crawl stores them, validated, without the dollars of the day;
                                     missing where the answer ends the crawl (`Meta.outcome`)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal, NoReturn, cast

import msgspec
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.settings import BaseSettings, Settings
from scrapy.utils.conf import closest_scrapy_cfg

import outsourcing_spiders
from outsourcing_spiders.items import Project
from outsourcing_spiders.middlewares.block_guard import BlockGuardMiddleware
from outsourcing_spiders.outcomes import CloseReason, LayoutChanged, Outcome
from outsourcing_spiders.parsing.challenges import Verdict
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import InvalidProject, validate
from outsourcing_spiders.platforms.listing import ListingSpider

Spider = ListingSpider[Any]
Items = list[dict[str, Any]]

SUFFIXES = (".html", ".json", ".xml")
_SKIPPED = "outsourcing/skipped/"
_PACKAGE = Path(outsourcing_spiders.__path__[0])


class Meta(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an answer is read with, beside its body; fields that an answer has no use for are left out of the file."""

    read_by: Literal["parse", "detail"]
    """Which callback reads it: that of the listing, or that of a project's own page."""
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
    way_in: str | msgspec.UnsetType = msgspec.UNSET
    """Class that reads it, where a platform has more than one (`PlatformSpider.way_in`)."""
    arguments: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    """Those that the spider had."""
    item: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """What the listing told of the project whose page this is."""
    asked: str | msgspec.UnsetType = msgspec.UNSET
    """Method and address that the spider asks for, where the answer came from elsewhere: a redirect, for example."""
    outcome: CloseReason | msgspec.UnsetType = msgspec.UNSET
    """How a crawl ends that gets this answer, where it does: ``blocked``, ``login_required``, ``layout_changed``, …

    A project's page of another shape is told as if all of them were so: a crawl goes on when it is one of few.
    """


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


def make_spider(spidercls: type[Spider], settings: BaseSettings, meta: Meta) -> Any:
    """Return the spider that reads an answer, with a crawler that does not run."""
    own = Settings()
    own.update(settings)
    own.set("STORAGE_ENABLED", False, priority="cmdline")
    if official := getattr(spidercls, "official_api", None):
        # Which way in is taken depends on the account, and an old answer does not.
        for name in official.needs:
            own.set(name, "of a fixture" if meta.way_in == official.__name__ else "", priority="cmdline")
    crawler = Crawler(spidercls, own)
    crawler._apply_settings()
    spider = spidercls.from_crawler(crawler, **(meta.arguments or {}))
    crawler.spider = spider
    return spider


def to_json(items: Iterable[Project]) -> Items:
    """Return items as a fixture has them: amounts and times as text, no dollars, which change with the day."""
    found: Items = json.loads(json.dumps([_as_stored(asdict(item)) for item in items], default=_as_text))
    return found


def from_json(item: dict[str, Any]) -> Project:
    """Return an item of a fixture."""
    return msgspec.convert(item, Project, strict=False)


def completed(items: Items) -> Items:
    """Return items of an older fixture with the fields that projects have got since."""
    return to_json(map(from_json, items))


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

    def load(self) -> Fixture:
        """Return all of it; raises `ValueError` for what is missing or cannot be read."""
        meta, page, items = self.load_meta(), self.page(), self.load_items()
        if meta is None:
            raise ValueError(f"{self.meta} is missing: read the page again with `scrapy capture`")
        if page is None:
            raise ValueError(f"{self.folder} has no page {self.name} ({', '.join(SUFFIXES)})")
        if items is None and not meta.outcome:
            raise ValueError(f"{self.items} is missing, and {self.meta.name} names no outcome")
        return Fixture(self.name, page, meta, page.read_bytes(), items or [])


@dataclass(frozen=True)
class Fixture:
    """One saved answer."""

    name: str
    path: Path
    meta: Meta
    body: bytes
    items: Items

    def read(self, spidercls: type[Spider], settings: BaseSettings) -> Reading:
        """Return what the spider makes of it today."""
        return read(spidercls, settings, self.meta, self.body)


def folder_of(name: str, chosen: str | None = None) -> Path:
    """Return where a spider's fixtures are: in this project, or in the folder that was `chosen` or the one in it."""
    if chosen is None:
        return Path(closest_scrapy_cfg()).parent / "tests" / "fixtures" / name
    return folder if (folder := Path(chosen) / name).is_dir() else Path(chosen)


def find(folder: Path) -> list[Files]:
    """Return the fixtures in a folder by name: all pages, and whatever else has the name of one's file."""
    ends = (".meta.json", ".items.json", *SUFFIXES)
    names = set()
    for path in folder.iterdir() if folder.is_dir() else ():
        if end := next((end for end in ends if path.name.endswith(end)), None):
            names.add(path.name.removesuffix(end))
    return [Files(folder, name) for name in sorted(names)]


def text_of_items(items: Items) -> str:
    """Return the text of an items file."""
    return json.dumps(items, ensure_ascii=False, indent=1) + "\n"


def text_of_meta(meta: Meta) -> str:
    """Return the text of a meta file."""
    return json.dumps(msgspec.to_builtins(meta), ensure_ascii=False, indent=1) + "\n"


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged: what is to be said of a reading, the caller says."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def told(error: BaseException) -> str:
    """Say what was raised, and where in the project."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = [frame for frame in extract_tb(error.__traceback__) if _PACKAGE in Path(frame.filename).parents]
    own = [frame for frame in frames if Path(frame.filename).parent.name in ("spiders", "ways_in")] or frames
    return f"{said} ({Path(own[-1].filename).name}, line {own[-1].lineno}, {own[-1].name})" if own else said


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


def _as_stored(item: dict[str, Any]) -> dict[str, Any]:
    if item["budget"]:
        item["budget"]["minimum_usd"] = item["budget"]["maximum_usd"] = None
    # A budget or a client of which nothing is known is stored as none.
    for name in ("budget", "client"):
        if item[name] and all(value is None for value in item[name].values()):
            item[name] = None
    return item


def _as_text(value: object) -> str:
    # 250.0 and 250 are the same amount.
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)

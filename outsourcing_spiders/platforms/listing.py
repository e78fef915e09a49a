"""A listing that is newest first and read page by page, whatever its format."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import (
    Blocked,
    CloseReason,
    Incomplete,
    LayoutChanged,
    LoginRequired,
    Outcome,
    RateLimited,
    Unreachable,
    WrongArgument,
    told,
)
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.platforms.page_walk import PageWalk

logger = logging.getLogger(__name__)

Row = TypeVar("Row")

# Redirects are followed; every other status reaches the callback, which knows what it means.
ERRORS = range(400, 600)
# Rows in a row that cannot be read are the layout's fault: at once when there are many, else at the end.
_MANY, _TELLING = 20, 3


@dataclass(slots=True, kw_only=True)
class Page(Generic[Row]):
    """What one page of a listing says."""

    rows: Sequence[Row]
    total: int | None = None
    """Rows that the whole listing has; 0 is how a platform says that there is nothing."""
    is_last: bool | None = None
    """Whether another page follows; ``None`` when the page does not say."""
    following: Any = None
    """What the next page is asked for by, where that is not the next number: a cursor, an address."""


class Walk(Protocol):
    """What decides which pages are read: `PageWalk`, `OffsetWalk`."""

    total: int | None
    gaps: int
    reached_end: bool

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is under way any more."""

    @property
    def seen(self) -> Any:
        """The ids of this run."""

    def start(self) -> list[Any]:
        """Return the first places to ask for."""

    def stop(self) -> list[Any]:
        """Go no further; return those places of the last answer that are wanted all the same."""


class ListingSpider(PlatformSpider, Generic[Row]):
    """Read a listing page by page and make an item of each row, in whatever format `page` reads.

    A spider says how a page is asked for (`listing_request`), how a row is named (`row_id`) and what it means
    (`item`). The rest happens here: each row once, a row that cannot be read costs itself alone, ``since``,
    ``max_pages``, the end at known projects, how far back the listing is whole.
    """

    marker: ClassVar[str | tuple[str, ...] | None] = None
    """Text that every good page of the listing holds, whatever is on it; or several, of which it holds one."""
    first_place: ClassVar[Any] = 1
    """What the first page is asked for by."""
    moves_up: ClassVar[bool] = True
    """Whether rows move past the borders of pages when others end: so with numbers, not so with cursors."""
    walk: Any
    pinned: frozenset[str] = frozenset()
    """Ids of rows that stand on top whatever their age: they say nothing about those below."""
    _known_below: str | None = None
    _older = 0
    _unreadable = 0
    _first_error: str | None = None
    """What was raised at the first row that could not be read, with its place."""
    _any_readable = False
    _is_lossy = False

    # --- what a platform or a format fills in -----------------------------------------------------------------

    @abstractmethod
    def listing_request(self, place: Any) -> Request:
        """Return the request for a page of the listing: its number from 1, its offset, its cursor."""

    @abstractmethod
    def page(self, response: Response) -> Page[Row]:
        """Return what a good page holds; raises the `Outcome` that a bad one means."""

    @abstractmethod
    def row_id(self, row: Row) -> str:
        """Return the platform's id of a row; raises `KeyError`, `TypeError` or `ValueError` when there is none."""

    @abstractmethod
    def item(self, row: Row, response: Response) -> Project | None:
        """Return what a row means; ``None`` when it is no project for freelancers, counted by the spider."""

    def is_pinned(self, row: Row) -> bool:
        """Tell whether a row stands where it stands whatever its age: featured, promoted, an advertisement."""
        return False

    def make_walk(self) -> Walk:
        """Return what decides which pages are read."""
        return PageWalk(self.first_place, max_pages=self.max_pages, moves_up=self.moves_up)

    def read_on(self, place: Any, ids: Sequence[str], page: Page[Row]) -> tuple[list[str], list[Any]]:
        """Tell the walk what came; return the ids not seen before, and the places to ask for next."""
        following = place + 1 if page.following is None and isinstance(place, int) else page.following
        fresh, places = self.walk.read(
            place, ids, following=following, is_last=page.is_last, total=page.total, pinned=self.pinned
        )
        return fresh, places

    def refusal(self, response: Response) -> Outcome:
        """Return what a page with the status of an error means."""
        where = f"{response.url} answered {response.status}"
        narrowed = [name for name in ("category", "skills", "query") if getattr(self, name)]
        if response.status == 429:
            return RateLimited(f"{where}: too many requests; wait before the next crawl")
        if response.status == 401:
            return LoginRequired(f"{where}: it wants a login")
        if response.status == 403:
            return Blocked(f"{where}: it refuses us; wait before the next crawl")
        if response.status >= 500 or response.status == 408:
            return Unreachable(f"{where} several times; try again later")
        if response.status in (404, 410) and narrowed and not (hasattr(self, "walk") and self.walk.seen):
            return WrongArgument(f"{', '.join(narrowed)}: the platform has no such listing ({where})")
        return LayoutChanged(f"{where}: the listing is not where it was; the spider needs mending")

    # --- what a spider may use --------------------------------------------------------------------------------

    def rows(self, response: Response) -> Sequence[Row]:
        """Return what one page of the listing holds, as the platform wrote it; for `scrapy shell`."""
        return self.page(response).rows

    # --- the walk ---------------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[Any]:
        """Ask for the first page; the others follow from its answer."""
        for request in self.first_pages():
            yield request

    def first_pages(self) -> Iterator[Request]:
        """Begin the walk through the listing."""
        self.walk = self.make_walk()
        yield from map(self._page_request, self.walk.start())

    def parse(self, response: Response, place: Any = None) -> Iterator[Any]:
        """Read one page of the listing.

        `scrapy parse` and `scrapy shell` call it with a saved or a live answer alone.
        """
        if not hasattr(self, "walk"):
            yield from self._items(self.page(response).rows, response, None)
            return
        page = self.page(response)
        ids = list(self._ids(page.rows))
        fresh, places = self.read_on(self.first_place if place is None else place, ids, page)
        if page.total is not None:
            self.crawler.stats.set_value("outsourcing/listing/total", page.total)
        older = self._older
        items = list(self._items(page.rows, response, set(fresh))) if self.since else None
        # An old row that is pinned says nothing about those below it.
        if items is not None and self._older > older and all(item.external_id in self.pinned for item in items):
            places = self._stop(self.wanted_since)
        # The next pages are asked for before the items of this one are worked on.
        yield from map(self._page_request, places)
        yield from self._items(page.rows, response, set(fresh)) if items is None else items
        if self.walk.is_done or self._known_below:
            self._conclude()

    def _page_request(self, place: Any) -> Request:
        request = self.listing_request(place)
        meta: dict[str, Any] = {"handle_httpstatus_list": ERRORS, "marker": self.marker, **request.meta}
        # A page that is looked at again is no sign that what lies below it is known.
        if not getattr(self.walk, "looks_back", False):
            meta["listing_page"] = True
        return request.replace(
            callback=self.parse,
            errback=self.failed,
            cb_kwargs={"place": place},
            meta=meta,
            # From the top down: rows move down under the reader, and are met again; upwards they would be missed.
            priority=-place if isinstance(place, int) else 0,
            # A page of a listing that moves is another page each time.
            dont_filter=True,
        )

    def _ids(self, rows: Iterable[Row]) -> Iterator[str]:
        for row in rows:
            try:
                identity = self.row_id(row)
                if self.is_pinned(row):
                    self.pinned |= {identity}
                yield identity
            except (KeyError, TypeError, ValueError):
                self.count("skipped/no_id")

    def _items(self, rows: Iterable[Row], response: Response, wanted: set[str] | None) -> Iterator[Project]:
        for row in rows:
            try:
                identity = self.row_id(row)
            except (KeyError, TypeError, ValueError):
                continue
            if wanted is not None:
                if identity not in wanted:
                    continue
                # A page may name a row twice.
                wanted.discard(identity)
            try:
                item = self.item(row, response)
            except Exception as error:
                self._misread(identity, error)
                continue
            self._any_readable = True
            if item is None:
                continue
            if self.since and item.posted_at and item.posted_at + _span(item) < self.since:
                self._older += identity not in self.pinned
                self.count("skipped/older_than_since")
                continue
            yield item

    def _misread(self, identity: str, error: Exception) -> None:
        """Let a row that cannot be read cost only itself; when none can be, the layout changed."""
        self._unreadable += 1
        self._first_error = self._first_error or told(error)
        if self._unreadable > _MANY and not self._any_readable:
            raise LayoutChanged(f"none of the first rows of {self.name} can be read: {self._first_error}") from error
        self.count_error(error)
        if self._unreadable == 1:
            logger.exception("Row %s cannot be read", identity)
        else:
            logger.error("Row %s cannot be read: %r", identity, error)

    def count_error(self, error: Exception) -> None:
        """Count an error as Scrapy counts one of a callback: the crawl does not pass for whole, nor for a success."""
        self.crawler.stats.inc_value("spider_exceptions/count")
        self.crawler.stats.inc_value(f"spider_exceptions/{type(error).__name__}")

    # --- the end ----------------------------------------------------------------------------------------------

    def caught_up(self, whole_since: str) -> None:
        """Stop: all of a page is known, and what lies below it too, back to `whole_since`."""
        self._stop(whole_since)
        self._conclude()
        self.end(CloseReason.UP_TO_DATE)

    def not_whole(self) -> None:
        """Note that something of the listing is missing: the next crawl reads past what this one stored."""
        self._is_lossy = True
        self.whole_since = None

    def _stop(self, whole_since: str) -> list[Any]:
        self._known_below = whole_since
        places: list[Any] = self.walk.stop()
        return places

    def _conclude(self) -> None:
        walk = self.walk
        if self._unreadable >= _TELLING and not self._any_readable:
            raise LayoutChanged(f"none of the {self._unreadable} rows of {self.name} can be read: {self._first_error}")
        if walk.gaps:
            self.not_whole()
            if self.outcome is None and isinstance(outcome := _incomplete(walk), LayoutChanged):
                raise outcome
            if self.outcome is None:
                self.end(outcome)
                logger.warning("%s", outcome)
        elif self._is_lossy:
            return
        elif self._known_below:
            self.whole_since = self._known_below
        elif walk.reached_end:
            self.whole_since = self.wanted_since


def _span(item: Project) -> timedelta:
    """Return how much later than `posted_at` it may be: of a date, what is left of the day."""
    return timedelta(days=item.posted_precision == "day")


def _incomplete(walk: Walk) -> Outcome:
    if not walk.seen:
        says = "holds no rows, and does not say why" if walk.total is None else f"says that it has {walk.total} rows"
        return LayoutChanged(f"the listing {says}{'' if walk.total is None else ', and shows none'}")
    places = "1 place" if walk.gaps == 1 else f"{walk.gaps} places"
    return Incomplete(
        f"{places} of the listing could not be read: it moved too fast, or its pages came short or empty; "
        "the next crawl reads on"
    )

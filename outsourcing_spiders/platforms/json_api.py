"""Platforms that answer with JSON: a listing by offset, with the total in each answer."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, ClassVar, NoReturn

import msgspec
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import (
    Blocked,
    CloseReason,
    Incomplete,
    LayoutChanged,
    LoginRequired,
    RateLimited,
    Unreachable,
)
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.platforms.offset_walk import OffsetWalk
from outsourcing_spiders.storage.runs import WHOLE

Row = dict[str, Any]


class JsonApiSpider(PlatformSpider):
    """Read a listing page by page, as `OffsetWalk` says, and make an item of each row.

    A spider declares the attributes and says how a page is asked for (`listing_request`), where its rows
    are (`rows`, `total`), and what a row means (`item`).
    """

    page_size: ClassVar[int]
    """Rows asked for at a time."""
    page_overlap: ClassVar[int] = 5
    """Rows that two neighbouring pages share, so that rows which move between them are met."""
    pages_ahead: ClassVar[int] = 3
    """Pages under way at once while a listing is read as a whole; pace decides when they are sent."""
    walk: OffsetWalk

    @abstractmethod
    def listing_request(self, offset: int) -> Request:
        """Return the request for the page of the listing that begins at `offset`."""

    @abstractmethod
    def rows(self, answer: Any) -> list[Row]:
        """Return the rows of an answer; raises `KeyError`, `TypeError` when it is of another shape."""

    @abstractmethod
    def total(self, answer: Any) -> int | None:
        """Return how many rows the whole listing has, if the answer says so."""

    def row_id(self, row: Row) -> str:
        """Return the platform's id of a row; raises `KeyError`, `TypeError` when there is none."""
        identity = row["id"]
        if isinstance(identity, bool) or not isinstance(identity, (int, str)) or identity == "":
            raise TypeError(f"no id: {identity!r}")
        return str(identity)

    @abstractmethod
    def item(self, row: Row) -> Project | None:
        """Return what a row means; ``None`` when it is no project for freelancers, counted by the spider."""

    async def start(self) -> AsyncIterator[Any]:
        """Ask for the first page; the others follow from its answer."""
        for request in self.first_pages():
            yield request

    def first_pages(self) -> Iterator[Request]:
        """Begin the walk through the listing."""
        self.walk = OffsetWalk(
            size=self.page_size,
            overlap=self.page_overlap,
            # A crawl that will end at a known page soon asks for no page that it may not need.
            ahead=1 if self.stops_at_known else self.pages_ahead,
            max_pages=self.max_pages,
        )
        yield from map(self._page_request, self.walk.start())

    def parse(self, response: Response, offset: int = 0) -> Iterator[Any]:
        """Read one page of the listing.

        `scrapy parse` and `scrapy shell` call it with a saved or a live answer alone.
        """
        answer = self.answer(response)
        try:
            rows, total = self.rows(answer), self.total(answer)
        except (KeyError, TypeError, AttributeError) as error:
            raise LayoutChanged(f"{response.url} holds no rows where they were: {error!r}") from error
        if not hasattr(self, "walk"):
            yield from self._items(rows, None)
            return
        fresh, offsets = self.walk.read(offset, self._ids(rows), total)
        if total is not None:
            self.crawler.stats.set_value("outsourcing/listing/total", total)
        items = list(self._items(rows, set(fresh))) if self.since else None
        if items is not None and rows and not items and fresh:
            self._stop(self.since.isoformat() if self.since else WHOLE)
            offsets = []
        # The next pages are asked for before the items of this one are worked on.
        yield from map(self._page_request, offsets)
        yield from self._items(rows, set(fresh)) if items is None else items
        if self.walk.is_done:
            self._conclude()

    def answer(self, response: Response) -> Any:
        """Return the decoded body of a good answer; raises the `Outcome` that a bad one means."""
        try:
            answer = decode(response.body)
        except ValueError as error:
            self.refuse(response, None, error)
        if response.status != 200:
            self.refuse(response, answer, None)
        return answer

    def refuse(self, response: Response, answer: Any, error: ValueError | None) -> NoReturn:
        """Raise the outcome that an answer with an error, or without JSON, means."""
        where = f"{response.url} answered {response.status}"
        if response.status == 429:
            raise RateLimited(f"{where}: too many requests; wait before the next crawl")
        if response.status == 401:
            raise LoginRequired(f"{where}: it wants a login, or does not accept the token")
        if response.status >= 500 or response.status == 408:
            raise Unreachable(f"{where} several times; try again later")
        if _is_html(response.body):
            raise Blocked(f"{where} with a page where JSON was asked for; wait before the next crawl")
        if response.status == 403:
            raise Blocked(f"{where}: it refuses us; wait before the next crawl")
        raise LayoutChanged(f"{where} with {error or 'an error'}: {response.text[:200]!r}")

    def failed(self, failure: Failure) -> NoReturn:
        """Raise `Unreachable` for a request that got no answer, all retries included."""
        request = failure.request  # type: ignore[attr-defined]
        raise Unreachable(f"{request.url} got no answer: {failure.getErrorMessage() or repr(failure.value)}")

    def _page_request(self, offset: int) -> Request:
        request = self.listing_request(offset)
        return request.replace(
            callback=self.parse,
            errback=self.failed,
            cb_kwargs={"offset": offset},
            meta={**request.meta, "listing_page": True, "handle_httpstatus_all": True},
            # A page of a listing that moves is another page each time.
            dont_filter=True,
        )

    def _ids(self, rows: Iterable[Row]) -> list[str]:
        ids = []
        for row in rows:
            try:
                ids.append(self.row_id(row))
            except (KeyError, TypeError):
                self.count("skipped/no_id")
        return ids

    def _items(self, rows: Iterable[Row], wanted: set[str] | None) -> Iterator[Project]:
        for row in rows:
            try:
                identity = self.row_id(row)
            except (KeyError, TypeError):
                continue
            if wanted is not None:
                if identity not in wanted:
                    continue
                # A page may name a row twice.
                wanted.discard(identity)
            item = self.item(row)
            if item is None:
                continue
            if self.since and item.posted_at and item.posted_at < self.since:
                self.count("skipped/older_than_since")
                continue
            yield item

    def caught_up(self, whole_since: str) -> None:
        """Stop: all of a page is known, and what lies below it too, back to `whole_since`."""
        self.end(CloseReason.UP_TO_DATE)
        self._stop(whole_since)

    def _stop(self, whole_since: str) -> None:
        self.walk.stop()
        self.whole_since = whole_since

    def _conclude(self) -> None:
        walk = self.walk
        if walk.gaps:
            self.whole_since = None
            self.end(Incomplete(f"{walk.gaps} places of the listing moved too fast to be read whole"))
        elif walk.reached_end:
            self.whole_since = WHOLE


def decode(body: bytes) -> Any:
    """Return the value of a JSON document; lone surrogates, which JavaScript writes, are let through.

    Raises `ValueError`.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        # Stricter than the platforms write: the standard library takes half a character, too.
        return json.loads(body)


def _is_html(body: bytes) -> bool:
    start = body[:500].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))

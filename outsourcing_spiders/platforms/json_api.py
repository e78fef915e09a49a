"""Platforms that answer with JSON: a listing by offset, with the total in each answer."""

from __future__ import annotations

import json
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import reduce
from operator import getitem
from typing import Any, ClassVar, NoReturn
from urllib.parse import urlencode

import msgspec
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from outsourcing_spiders.items import Project
from outsourcing_spiders.middlewares.outcomes import end_crawl
from outsourcing_spiders.outcomes import (
    Blocked,
    CloseReason,
    Incomplete,
    LayoutChanged,
    LoginRequired,
    Outcome,
    RateLimited,
    Unreachable,
)
from outsourcing_spiders.parsing.money import int_or_none
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.platforms.offset_walk import OffsetWalk

logger = logging.getLogger(__name__)

Row = dict[str, Any]


class JsonApiSpider(PlatformSpider):
    """Read a listing page by page, as `OffsetWalk` says, and make an item of each row.

    A spider declares the attributes and says how a page is asked for (`listing_request`) and what a row means
    (`item`).
    """

    api: ClassVar[str]
    """Path of the API, between the host and the paths given to `api_request`."""
    token: ClassVar[tuple[str, str] | None] = None
    """Header that carries the token, and the setting that holds it; sent only when that is set."""
    success: ClassVar[tuple[str, Any] | None] = None
    """Key and value that every good answer has."""
    error_codes: ClassVar[dict[str, type[Outcome]]] = {}
    """What codes in the body of a bad answer mean, whatever its status."""
    rows_at: ClassVar[tuple[str, ...]]
    """Keys that lead to the rows of an answer."""
    total_at: ClassVar[tuple[str, ...]]
    """Keys that lead to how many rows the whole listing has; the last one may be missing."""
    page_size: ClassVar[int]
    """Rows asked for at a time."""
    page_overlap: ClassVar[int] = 5
    """Rows that two neighbouring pages share, so that rows which move between them are met."""
    pages_ahead: ClassVar[int] = 3
    """Pages asked for at once while a listing is read as a whole; pace decides when they are sent."""
    walk: OffsetWalk
    _known_below: str | None = None
    _older = 0
    _unreadable = 0
    _any_readable = False

    @abstractmethod
    def listing_request(self, offset: int) -> Request:
        """Return the request for the page of the listing that begins at `offset`."""

    @abstractmethod
    def item(self, row: Row) -> Project | None:
        """Return what a row means; ``None`` when it is no project for freelancers, counted by the spider."""

    def row_id(self, row: Row) -> str:
        """Return the platform's id of a row; raises `KeyError`, `TypeError` when there is none."""
        identity = row["id"]
        if isinstance(identity, bool) or not isinstance(identity, (int, str)) or identity == "":
            raise TypeError(f"no id: {identity!r}")
        return str(identity)

    def api_request(self, path: str, parameters: Iterable[tuple[str, Any]] = (), **options: Any) -> Request:
        """Return a request to the API; whatever is answered reaches the callback."""
        headers = {"Accept": "application/json"}
        if self.token and (token := self.settings.get(self.token[1])):
            headers[self.token[0]] = token
        query = urlencode(list(parameters))
        url = self.absolute(self.api + path) + (f"?{query}" if query else "")
        # A redirect would carry the token to another host.
        meta = {"handle_httpstatus_all": True, "dont_redirect": True}
        return Request(url, headers=headers, meta=meta, errback=self.failed, **options)

    async def start(self) -> AsyncIterator[Any]:
        """Ask for the first page; the others follow from its answer."""
        for request in self.first_pages():
            yield request

    def first_pages(self) -> Iterator[Request]:
        """Begin the walk through the listing."""
        self.walk = OffsetWalk(
            size=self.page_size,
            overlap=self.page_overlap,
            # A crawl that will end before the listing does asks for no page that it may not need.
            ahead=1 if self.stops_at_known or self.since else self.pages_ahead,
            max_pages=self.max_pages,
        )
        yield from map(self._page_request, self.walk.start())

    def parse(self, response: Response, offset: int = 0) -> Iterator[Any]:
        """Read one page of the listing.

        `scrapy parse` and `scrapy shell` call it with a saved or a live answer alone.
        """
        rows, total = self._page(response)
        if not hasattr(self, "walk"):
            yield from self._items(rows, None)
            return
        fresh, offsets = self.walk.read(offset, self._ids(rows), total)
        if total is not None:
            self.crawler.stats.set_value("outsourcing/listing/total", total)
        older = self._older
        items = list(self._items(rows, set(fresh))) if self.since else None
        if items == [] and self._older > older:
            self._stop(self.wanted_since)
            offsets = []
        # The next pages are asked for before the items of this one are worked on.
        yield from map(self._page_request, offsets)
        yield from self._items(rows, set(fresh)) if items is None else items
        if self.walk.is_done or self._known_below:
            self._conclude()

    def answer(self, response: Response) -> Any:
        """Return the decoded body of a good answer; raises the `Outcome` that a bad one means."""
        try:
            answer = decode(response.body)
        except ValueError as error:
            raise self._refusal(response, str(error) or type(error).__name__) from None
        said_so = self.success is None or (isinstance(answer, dict) and self.success in answer.items())
        if response.status != 200 or not said_so:
            raise self._refusal(response, "an error")
        return answer

    def rows(self, response: Response) -> list[Row]:
        """Return what one page of the listing holds, as the platform wrote it; for `scrapy shell`."""
        return self._page(response)[0]

    def _page(self, response: Response) -> tuple[list[Row], int | None]:
        answer = self.answer(response)
        try:
            rows = reduce(getitem, self.rows_at, answer)
            total = reduce(getitem, self.total_at[:-1], answer).get(self.total_at[-1])
            return [row for row in rows if isinstance(row, dict)], int_or_none(total)
        except (KeyError, TypeError, AttributeError) as error:
            raise LayoutChanged(f"{response.url} holds no rows where they were: {error!r}") from error

    def _refusal(self, response: Response, problem: str) -> Outcome:
        status, body = response.status, response.body[:500].decode("utf-8", "replace").strip()
        where = f"{response.url} answered {status}"
        meaning = next((outcome for code, outcome in self.error_codes.items() if code in body), None)
        if status == 429 or meaning is RateLimited:
            return RateLimited(f"{where}: too many requests; wait before the next crawl")
        if status == 401 or meaning is LoginRequired:
            check = f"; check {self.token[1]}" if self.token else ""
            return LoginRequired(f"{where}: it wants a login, or does not accept the token{check}")
        if status >= 500 or status == 408:
            return Unreachable(f"{where} several times; try again later")
        if status not in (404, 410) and body.lower().startswith(("<!doctype html", "<html", "<head", "<body")):
            return Blocked(f"{where} with a page where JSON was asked for; wait before the next crawl")
        if status == 403:
            return Blocked(f"{where}: it refuses us; wait before the next crawl")
        return LayoutChanged(f"{where} with {problem}: {body[:200]!r}")

    def failed(self, failure: Failure) -> NoReturn:
        """End the crawl for a request that got no answer, all retries included."""
        request = failure.request  # type: ignore[attr-defined]
        said = failure.getErrorMessage() or repr(failure.value)
        end_crawl(self, Unreachable(f"{request.url} got no answer: {said}"))

    def _page_request(self, offset: int) -> Request:
        request = self.listing_request(offset)
        return request.replace(
            callback=self.parse,
            errback=self.failed,
            cb_kwargs={"offset": offset},
            meta={**request.meta, "listing_page": True},
            # From the top down: rows move down under the reader, and are met again; upwards they would be missed.
            priority=-offset,
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
            try:
                item = self.item(row)
            except Exception as error:
                self._misread(identity, error)
                continue
            self._any_readable = True
            if item is None:
                continue
            if self.since and item.posted_at and item.posted_at < self.since:
                self._older += 1
                self.count("skipped/older_than_since")
                continue
            yield item

    def _misread(self, identity: str, error: Exception) -> None:
        """Let a row that cannot be read cost only itself; when none can be, the layout changed."""
        self._unreadable += 1
        if self._unreadable > 20 and not self._any_readable:
            raise LayoutChanged(f"none of the first rows of {self.name} can be read: {error!r}") from error
        # As Scrapy counts an error of a callback: the crawl does not pass for whole, nor for a success.
        self.crawler.stats.inc_value("spider_exceptions/count")
        self.crawler.stats.inc_value(f"spider_exceptions/{type(error).__name__}")
        if self._unreadable == 1:
            logger.exception("Row %s cannot be read", identity)
        else:
            logger.error("Row %s cannot be read: %r", identity, error)

    def caught_up(self, whole_since: str) -> None:
        """Stop: all of a page is known, and what lies below it too, back to `whole_since`."""
        self._stop(whole_since)
        self._conclude()
        self.end(CloseReason.UP_TO_DATE)

    def _stop(self, whole_since: str) -> None:
        self.walk.stop()
        self._known_below = whole_since

    def _conclude(self) -> None:
        walk = self.walk
        if walk.gaps:
            self.whole_since = None
            if self.outcome is None:
                self.end(_incomplete(walk))
                logger.warning("%s", self.outcome)
        elif self._known_below:
            self.whole_since = self._known_below
        elif walk.reached_end:
            self.whole_since = self.wanted_since


def _incomplete(walk: OffsetWalk) -> Outcome:
    if not walk.seen:
        return LayoutChanged(f"the listing says that it has {walk.total} rows, and shows none")
    places = "1 place" if walk.gaps == 1 else f"{walk.gaps} places"
    return Incomplete(
        f"{places} of the listing could not be read: it moved too fast, or its pages came empty; "
        "the next crawl reads on"
    )


def decode(body: bytes) -> Any:
    """Return the value of a JSON document; lone surrogates, which JavaScript writes, are let through.

    Raises `ValueError`.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        # Stricter than the platforms write: the standard library takes half a character, too.
        return json.loads(body)

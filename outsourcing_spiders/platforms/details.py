"""Projects whose own page says what the listing leaves out: a full description above all."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from outsourcing_spiders.items import Project
from outsourcing_spiders.middlewares.block_guard import Withheld, flaw_of
from outsourcing_spiders.middlewares.outcomes import GivenUp, Refused, Skipped, end_crawl
from outsourcing_spiders.outcomes import LayoutChanged, Outcome, Unreachable, told
from outsourcing_spiders.pipelines.storage import StoragePipeline
from outsourcing_spiders.platforms.listing import ListingSpider

logger = logging.getLogger(__name__)

# Details come before the next page of the listing: what was read is stored when a long crawl is interrupted, and
# the next one does not ask for it again.
_BEFORE_PAGES = 100
_GONE = (404, 410)
_MANY = 5
_ORDER = 890


class DetailPagesSpider(ListingSpider[Any]):
    """Ask for a project's own page where the listing has no full description; stands before the listing's base.

    Not for projects whose full text is stored. A project whose page cannot be had, or not be read, is stored as the
    listing tells it, and its page is asked for again when it is met again; a crawl that missed one for no good reason
    does not pass for whole, so that the next one meets it. Good reasons are pages that are gone (404, 410), those that
    are forbidden, those that are withheld from us (`BlockGuardMiddleware` ends the crawl when they are many), and up to
    four that came and cannot be read: from the fifth on it is the layout's fault, and the crawl ends as `LayoutChanged`
    when none could be read.

    When a crawl ends, for whatever reason, before all pages were asked for, the rest are given up.
    """

    detail_marker: ClassVar[str | tuple[str, ...] | None] = None
    """Text that every good page of a project holds; or several, of which it holds one."""
    _details_failed = 0
    _details_misread = 0
    _any_detail = False

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Have the items of the listing pass by `DetailsMiddleware`."""
        super().update_settings(settings)
        middlewares = settings.getdict("SPIDER_MIDDLEWARES") | {f"{__name__}.DetailsMiddleware": _ORDER}
        settings.set("SPIDER_MIDDLEWARES", middlewares, priority="spider")

    @abstractmethod
    def detail(self, item: Project, response: Response) -> Project:
        """Return the item of the listing with what the project's page says; mark it as complete if it is."""

    def detail_request(self, item: Project) -> Request | None:
        """Return the request for a project's page; ``None`` when it has none."""
        return Request(self.absolute(item.url.removeprefix(self.home)))

    def ask_for_detail(self, item: Project) -> Request | None:
        """Return the request for a project's page as it is sent."""
        request = self.detail_request(item)
        if request is None:
            return None
        return request.replace(
            callback=self.parse_detail,
            errback=self.detail_failed,
            cb_kwargs={"item": item},
            # Tried again before others are: what is away is noticed soon.
            meta={"detail_page": True, "marker": self.detail_marker, "priority_adjust": 1, **request.meta},
            priority=_BEFORE_PAGES,
            # The listing names a project once, and another crawl may have failed to get its page.
            dont_filter=True,
        )

    def parse_detail(self, response: Response, item: Project | None = None) -> Iterator[Project]:
        """Read a project's page; one that cannot be read costs its own description."""
        if item is None:
            # `scrapy parse` and `scrapy shell` have no listing beside it.
            item = Project(platform=self.name, external_id=response.url, url=response.url, title="")
        try:
            if (flaw := flaw_of(response)) is not None:
                raise ValueError(flaw)
            found = self.detail(item, response)
        except Outcome:
            raise
        except Exception as error:
            self._detail_misread(response, error)
            found = item
        else:
            self._any_detail, self._details_failed = True, 0
        yield found

    def detail_failed(self, failure: Failure) -> Iterator[Project]:
        """Store what the listing told of a project whose page cannot be had; an errback."""
        request = failure.request  # type: ignore[attr-defined]
        error = failure.value
        yield request.cb_kwargs["item"]
        if isinstance(error, HttpError) and error.response.status in _GONE:
            self.count("details/gone")
        elif isinstance(error, GivenUp):
            self.count("details/given_up")
        elif isinstance(error, Skipped):
            self.count("details/forbidden")
        elif isinstance(error, Withheld):
            self.count("details/withheld")
            logger.warning("The page of a project is withheld from us: %s", error)
        elif not isinstance(error, Refused):
            self.count("details/failed")
            self.not_whole()
            logger.warning("The page of a project cannot be had: %s: %s", request.url, failure.getErrorMessage())
            self._details_failed += 1
            if self._details_failed >= _MANY:
                end_crawl(self, Unreachable(f"{request.url} and {_MANY - 1} before it got no good answer"))

    def _detail_misread(self, response: Response, error: Exception) -> None:
        self._details_misread += 1
        self.count("details/misread")
        # Of a page that is read alone, nothing else is known than that it cannot be read.
        if hasattr(self, "walk") and self._details_misread < _MANY:
            logger.warning("%s cannot be read: %r", response.url, error)
            return
        self.not_whole()
        if self._details_misread >= _MANY and not self._any_detail:
            raise LayoutChanged(f"none of the first pages of projects can be read: {told(error)}") from error
        self.count_error(error)
        logger.error("%s cannot be read: %r", response.url, error)


class DetailsMiddleware:
    """Exchange the items of a listing whose description is not complete for requests of their own pages.

    Further from the spider than `KnownProjectsMiddleware`, which has to see the items of a page.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware."""
        return cls(crawler)

    async def process_spider_output(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Pass on what is complete, or stored already."""
        spider = self._crawler.spider
        assert isinstance(spider, DetailPagesSpider)
        if response.request is not None and "item" in response.cb_kwargs:
            async for output in result:
                yield output
            return
        outputs = [output async for output in result]
        ids = {output.external_id for output in outputs if _is_teaser(output)}
        stored = await self._with_full_text(ids)
        # The next page of the listing last, lest it is sent before the projects of this one wait in the queue.
        for output in sorted(outputs, key=lambda output: isinstance(output, Request)):
            if _is_teaser(output) and output.external_id not in stored:
                yield spider.ask_for_detail(output) or output
            else:
                yield output

    async def _with_full_text(self, ids: set[str]) -> set[str]:
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if not ids or pipeline is None or not pipeline.store.is_open:
            return set()
        try:
            return await pipeline.store.with_full_text(ids)
        except Exception as error:
            # Asking again is never wrong, only longer.
            logger.warning("Cannot tell which descriptions are stored (%s); asking for all of them", error)
            return set()


def _is_teaser(output: object) -> bool:
    return isinstance(output, Project) and not output.description_complete

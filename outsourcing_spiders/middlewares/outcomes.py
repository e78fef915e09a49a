"""Turn the outcome that a spider or a middleware meets into the end of the crawl."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NoReturn, Self

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, IgnoreRequest
from scrapy.http import Response

from outsourcing_spiders.outcomes import Outcome

logger = logging.getLogger(__name__)


class OutcomeMiddleware:
    """Close the crawl for the reason of an `Outcome` that a callback or `start` raised, with one line in the log."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware."""
        return cls(crawler)

    async def process_start(self, start: Any) -> Any:
        """Pass the first requests on; an outcome among them ends the crawl before it began."""
        try:
            async for request in start:
                yield request
        except Outcome as outcome:
            end_crawl(self._crawler.spider, outcome)

    def process_spider_exception(self, response: Response, exception: Exception) -> None:
        """End the crawl for an outcome; leave other exceptions, which are errors of the spider, to Scrapy."""
        if isinstance(exception, Outcome):
            end_crawl(self._crawler.spider, exception)


class Refused(IgnoreRequest):
    """A request or an answer that goes no further, because it ended the crawl; the spider's errback gets it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class Skipped(IgnoreRequest):
    """A request or an answer that goes no further, without harm to the crawl; it is counted by who skipped it."""


class GivenUp(Skipped):
    """A request whose answer did not come in the time that a crawl has left when it is told to stop."""


_closing: set[asyncio.Future[None]] = set()


def refuse(crawler: Crawler, outcome: Outcome) -> NoReturn:
    """End the crawl for `outcome` from a downloader middleware or a download handler; raises `Refused`.

    Scrapy ignores a `CloseSpider` that is raised there.
    """
    close_crawl(crawler, outcome)
    raise Refused(outcome)


def close_crawl(crawler: Crawler, outcome: Outcome) -> None:
    """Ask the engine to end the crawl for `outcome`, with one line in the log if it is the one that counts."""
    spider: Any = crawler.spider
    before = getattr(spider, "outcome", None)
    if hasattr(spider, "end"):
        spider.end(outcome)
    # Without an `outcome` it is no spider of this project, such as that of `scrapy shell`. Several requests may meet
    # one and the same, such as a browser that is missing.
    if before is not outcome and getattr(spider, "outcome", outcome) is outcome:
        logger.error("%s", outcome)
    closing = asyncio.ensure_future(_close(crawler, outcome))
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)


async def _close(crawler: Crawler, outcome: Outcome) -> None:
    engine = crawler.engine
    # `scrapy shell` fetches without a crawl: there is nothing to end but the request.
    if crawler.crawling and engine.spider is not None:
        await engine.close_spider_async(reason=outcome.reason)


def end_crawl(spider: Spider | None, outcome: Outcome) -> NoReturn:
    """Close the crawl for `outcome`. An errback calls it by itself: Scrapy shows no middleware what one raises."""
    spider.end(outcome)  # type: ignore[union-attr]
    logger.error("%s", outcome)
    raise CloseSpider(outcome.reason)

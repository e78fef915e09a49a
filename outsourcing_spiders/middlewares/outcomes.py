"""Turn the outcome that a spider raises into the end of the crawl."""

from __future__ import annotations

import logging
from typing import Any, NoReturn, Self

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
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


def end_crawl(spider: Spider | None, outcome: Outcome) -> NoReturn:
    """Close the crawl for `outcome`. An errback calls it by itself: Scrapy shows no middleware what one raises."""
    spider.end(outcome)  # type: ignore[union-attr]
    logger.error("%s", outcome)
    raise CloseSpider(outcome.reason)

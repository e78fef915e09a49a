"""Make the first contact with the database before the first request of a crawl."""

from __future__ import annotations

from typing import Any, Self

from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.pipelines.storage import StoragePipeline


class StorageReadyMiddleware:
    """Open the database, then let the spider start; a database that cannot be used ends the crawl at once.

    Not in ``open_spider``: `scrapy shell` and `scrapy fetch` open a spider, too, and need no database.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        return cls(crawler)

    async def process_start(self, start: Any) -> Any:
        """Pass the first requests on, once the database is open; raises `StorageError`."""
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if pipeline is not None:
            await pipeline.open_store()
        async for request in start:
            yield request

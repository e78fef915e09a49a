"""Make the first contact with the database before the first request of a crawl."""

from __future__ import annotations

import logging
from datetime import UTC
from typing import TYPE_CHECKING, Any, Self

from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.outcomes import Blocked, CloseReason, Outcome, RateLimited
from outsourcing_spiders.pipelines.storage import StoragePipeline

if TYPE_CHECKING:
    from outsourcing_spiders.storage.store import Store

logger = logging.getLogger(__name__)


class StorageReadyMiddleware:
    """Open the database, then let the spider start; a database that cannot be used ends the crawl at once.

    So does a platform that blocked an earlier crawl, until it may be asked again.

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
        """Pass the first requests on, once the database is open; raises `StorageError`, `Blocked`, `RateLimited`."""
        engine = self._crawler.engine
        # What an earlier run left in JOBDIR would be sent meanwhile.
        engine.pause()
        try:
            await self._make_ready()
            async for request in start:
                engine.unpause()
                yield request
        except Outcome:
            # It ends the crawl, and nothing is sent any more.
            raise
        except BaseException:
            engine.unpause()
            raise
        engine.unpause()

    async def _make_ready(self) -> None:
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if pipeline is not None:
            await pipeline.open_store()
            if self._crawler.settings.getbool("REMEMBER_BLOCKS"):
                await self._refuse_if_blocked(pipeline.store)

    async def _refuse_if_blocked(self, store: Store) -> None:
        spider: Any = self._crawler.spider
        try:
            block = await store.block(spider.host)
        except Exception as error:
            logger.warning("Cannot tell whether %s refused us lately (%s); asking it", spider.host, error)
            return
        if block is None:
            return
        since, until = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" for moment in (block.blocked_since, block.retry_at))
        outcome = Blocked if block.reason == CloseReason.BLOCKED else RateLimited
        raise outcome(
            f"{spider.host} has refused us since {since} UTC and is left alone until {until} UTC; "
            f"-s REMEMBER_BLOCKS=0 asks it all the same. What it answered: {block.message}"
        )

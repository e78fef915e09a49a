"""Share the pace of a platform with other crawls of the same spider."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.middlewares.pacing import PacingMiddleware
from outsourcing_spiders.pipelines.storage import StoragePipeline

logger = logging.getLogger(__name__)

_LOOK_INTERVAL = 10.0  # seconds


class SharedPaceMiddleware:
    """Let the crawls of a spider that store into one database ask the platform as often as one alone would.

    How many there are is looked up first, then every ten seconds. While the database does not tell, nothing changes.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._looking: asyncio.Task[None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        middleware = cls(crawler)
        crawler.signals.connect(middleware._on_closed, signal=signals.spider_closed)
        return middleware

    async def process_start(self, start: Any) -> Any:
        """Pass the first requests on, once it is known who else crawls."""
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        pacing = self._crawler.get_downloader_middleware(PacingMiddleware)
        if pipeline is not None and pacing is not None:
            await _look(pipeline, pacing)
            self._looking = asyncio.ensure_future(_look_again(pipeline, pacing))
        async for request in start:
            yield request

    def _on_closed(self) -> None:
        if self._looking is not None:
            self._looking.cancel()


async def _look_again(pipeline: StoragePipeline, pacing: PacingMiddleware) -> None:
    while True:
        await asyncio.sleep(_LOOK_INTERVAL)
        await _look(pipeline, pacing)


async def _look(pipeline: StoragePipeline, pacing: PacingMiddleware) -> None:
    try:
        pacing.share(max(await pipeline.store.crawls(), 1))
    except Exception as error:
        logger.debug("Cannot tell how many crawls there are: %s", error)

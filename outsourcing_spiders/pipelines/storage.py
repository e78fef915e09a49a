"""Store items: a thin shell around `storage.store`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem, NotConfigured

from outsourcing_spiders.extensions.log_redaction import hide, hide_in
from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.parsing.redaction import scrub_personal
from outsourcing_spiders.platforms.base import PlatformSpider

if TYPE_CHECKING:
    # What only asks for this pipeline by its class, as most commands do, can do without the drivers of a database.
    from outsourcing_spiders.storage.rows import PreparedRow
    from outsourcing_spiders.storage.store import Store

logger = logging.getLogger(__name__)


class RefusedItem(DropItem):
    """An item that the database did not take."""


class StoragePipeline:
    """Hand every item to the crawl's `Store` and wait for its fate; so ``item_scraped`` means *stored*.

    What any pipeline drops is kept with its reason in ``rejected_items``. The database is opened by
    `middlewares.storage_ready`, never by ``open_spider``.
    """

    store: Store
    """The database of this crawl; from ``open_spider`` on."""
    _prepare: Callable[[Project], PreparedRow]

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._closing: set[asyncio.Task[None]] = set()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the pipeline; raises `NotConfigured` where nothing is to be stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        if not isinstance(crawler.spider, PlatformSpider):
            raise NotConfigured("it stores what the spiders of this project find, no others")
        from outsourcing_spiders.storage.engine import Database
        from outsourcing_spiders.storage.rows import prepare
        from outsourcing_spiders.storage.store import Store

        pipeline = cls(crawler)
        pipeline._prepare = prepare
        spider = crawler.spider
        settings = crawler.settings
        pipeline.store = Store(
            Database(
                settings.get("DATABASE_URL") or "",
                embedded_root=Path(settings["EMBEDDED_POSTGRES_FOLDER"]),
                migrate=settings.getbool("DATABASE_MIGRATE"),
            ),
            Path(settings["SPOOL_FOLDER"]),
            spider=spider.name,
            listing=spider.listing,
            retry_for=settings.getfloat("DATABASE_RETRY_SECONDS"),
            index_for=settings.getfloat("TEXT_INDEX_SECONDS"),
            on_failure=pipeline._on_failure,
            scrub=lambda text: scrub_personal(hide(text), spider.private_keys),
        )
        crawler.signals.connect(pipeline._on_item_dropped, signal=signals.item_dropped)
        crawler.signals.connect(pipeline._on_engine_stopped, signal=signals.engine_stopped)
        return pipeline

    async def open_store(self) -> None:
        """Make the first contact with the database; raises `StorageError`."""
        await self.store.open()

    async def process_item(self, item: Project) -> Project:
        """Return the item once it is stored, or on disk; raises `RefusedItem` when the database refuses it."""
        row = self._prepare(item)
        batch = self.store.submit(row)
        await batch.stored
        if batch.refused and (reason := batch.refused.get(row.key)):
            raise RefusedItem(reason)
        return item

    async def close_spider(self) -> None:
        """Wait until every item is stored. Never raises: that would keep other pipelines from closing."""
        try:
            await self.store.drain()
        except Exception:
            logger.exception("Closing the database writer failed")

    def _on_failure(self, error: StorageError) -> None:
        spider: Any = self._crawler.spider
        spider.end(error)
        closing = asyncio.ensure_future(self._crawler.engine.close_spider_async(reason=error.reason))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _on_item_dropped(self, item: Any, exception: DropItem, spider: Spider) -> None:
        if not self.store.is_open:
            return
        if not isinstance(exception, RefusedItem):
            self.store.totals.rejected += 1
        reason = hide(str(exception))
        # One statistic for each kind of reason: what follows a colon is of one item.
        self._crawler.stats.inc_value(f"outsourcing/rejected/{reason.partition(':')[0]}")
        await self.store.reject(hide_in(asdict(item) if isinstance(item, Project) else item), reason)

    async def _on_engine_stopped(self) -> None:
        await self.store.close()

"""The way of an item through the pipelines."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any

from scrapy import signals
from scrapy.extensions.corestats import CoreStats
from scrapy.pipelines import ItemPipelineManager


class ItemProcessor(ItemPipelineManager):
    """Take an item from one pipeline to the next, and count it at the end.

    Scrapy's own asks of each answer what kind of awaitable it is, and lets a signal count, which starts a task for
    each item: together an eighth of a crawl. The signal is still sent, to whoever listens.
    """

    _chain: tuple[Callable[[Any], Coroutine[Any, Any, Any]], ...] | None = None
    _count: Callable[[str], None] | None = None

    async def open_spider_async(self) -> None:
        """Take the counting over; pipelines of an older kind are left to Scrapy."""
        methods: Any = self.methods["process_item"]
        if all(iscoroutinefunction(method) and method not in self._mw_methods_requiring_spider for method in methods):
            self._chain = tuple(methods)
        assert self.crawler is not None
        counting = self.crawler.get_extension(CoreStats)
        if counting is not None and self._chain is not None:
            self.crawler.signals.disconnect(counting.item_scraped, signal=signals.item_scraped)
            assert self.crawler.stats is not None
            self._count = self.crawler.stats.inc_value
        await super().open_spider_async()

    async def process_item_async(self, item: Any) -> Any:
        """Return what the last pipeline returns; raises what one of them raises, `DropItem` above all."""
        if self._chain is None:
            return await super().process_item_async(item)
        for process in self._chain:
            item = await process(item)
        if self._count is not None:
            self._count("item_scraped_count")
        return item

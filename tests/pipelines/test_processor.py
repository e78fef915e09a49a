"""The way of an item through the pipelines, beside Scrapy's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from scrapy import Spider, signals
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.exceptions import DropItem
from scrapy.pipelines import ItemPipelineManager

from outsourcing_spiders.pipelines.processor import ItemProcessor


class Counting(Spider):
    """Emits numbers, and asks for nothing."""

    name = "counting"

    async def start(self) -> AsyncIterator[Any]:
        """Yield the items."""
        for number in range(6):
            yield {"number": number}


class Doubling:
    """A pipeline of today."""

    async def process_item(self, item: Any) -> Any:
        """Drop one, fail at one."""
        if item["number"] == 2:
            raise DropItem("two")
        if item["number"] == 4:
            raise ValueError("four")
        return {"number": item["number"] * 2}


class Plain:
    """A pipeline that is no coroutine."""

    def process_item(self, item: Any) -> Any:
        """Add one."""
        return {"number": item["number"] + 1}


@pytest.mark.parametrize("processor", [ItemProcessor, ItemPipelineManager])
@pytest.mark.parametrize("pipelines", [(), (Doubling,), (Doubling, Plain)])
async def test_it_does_as_scrapys_own_does(processor: type, pipelines: tuple[type, ...]) -> None:
    settings = {
        "ITEM_PROCESSOR": processor,
        "ITEM_PIPELINES": {pipeline: at for at, pipeline in enumerate(pipelines)},
        "TWISTED_REACTOR_ENABLED": False,
        "DOWNLOAD_HANDLERS": {"https": None},
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "LOG_ENABLED": False,
    }
    crawler = AsyncCrawlerRunner(settings).create_crawler(Counting)
    seen: list[int] = []

    def listen(item: Any) -> None:
        seen.append(item["number"])

    crawler.signals.connect(listen, signal=signals.item_scraped)
    await crawler.crawl_async()
    stats = crawler.stats.get_stats()
    passed = [0, 1, 3, 5] if pipelines else [0, 1, 2, 3, 4, 5]
    assert stats["item_scraped_count"] == len(passed)
    assert stats.get("item_dropped_count", 0) == 6 - len(passed) - bool(pipelines)
    change = {0: lambda n: n, 1: lambda n: n * 2, 2: lambda n: n * 2 + 1}[len(pipelines)]
    assert sorted(seen) == [change(number) for number in passed]

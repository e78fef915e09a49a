"""Clean and convert items, or refuse them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem

from outsourcing_spiders.extensions.health import Health
from outsourcing_spiders.items import Project
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import InvalidProject, validate
from outsourcing_spiders.pipelines.storage import StoragePipeline


class ValidationPipeline:
    """Apply `parsing.validation.validate`; an item that is refused is dropped, with the reason."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._rates = ExchangeRates()
        self._note: Callable[[Project], None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the pipeline."""
        return cls(crawler)

    def open_spider(self) -> None:
        """Use the rates of the database where there is one, and tell which fields the items have."""
        storage = self._crawler.get_item_pipeline(StoragePipeline)
        if storage is not None:
            self._rates = storage.store.rates
        if (health := self._crawler.get_extension(Health)) is not None:
            self._note = health.coverage.note

    async def process_item(self, item: Any) -> Any:
        """Return the cleaned item; raises `DropItem` with the reason for one that cannot be stored."""
        try:
            unusable = validate(item, self._rates, now=datetime.now(UTC))
        except InvalidProject as error:
            raise DropItem(str(error)) from error
        if unusable:
            for name in unusable:
                self._crawler.stats.inc_value(f"outsourcing/unusable/{name}")
        if self._note is not None:
            self._note(item)
        return item

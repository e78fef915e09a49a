"""What happens to an item on its way from the spider to the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property
from inspect import iscoroutinefunction
from typing import Any

from scrapy.pipelines import ItemPipelineManager


class ItemPipelines(ItemPipelineManager):
    """Scrapy's item pipelines, called without asking of each method, for each item, how it is to be called.

    Every pipeline here is asynchronous; where one is not, everything is as in Scrapy.
    """

    @cached_property
    def _steps(self) -> list[Callable[[Any], Awaitable[Any]]] | None:
        steps = list(self.methods["process_item"])
        plain = all(iscoroutinefunction(step) for step in steps) and not self._mw_methods_requiring_spider
        return steps if plain else None  # type: ignore[return-value]

    async def process_item_async(self, item: Any) -> Any:
        """Return what the last pipeline made of `item`; raises ``DropItem``."""
        if self._steps is None:
            return await super().process_item_async(item)
        for step in self._steps:
            item = await step(item)
        return item

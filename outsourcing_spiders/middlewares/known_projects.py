"""End a crawl at the first page of the listing on which everything is known."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response

from outsourcing_spiders.items import Project
from outsourcing_spiders.pipelines.storage import StoragePipeline

if TYPE_CHECKING:
    from outsourcing_spiders.storage.runs import Anchor

logger = logging.getLogger(__name__)


class KnownProjectsMiddleware:
    """Ask the database about each page of a listing that is newest first; stop the spider at a known one.

    Known are projects that were stored when a crawl of this listing was last whole. Projects stored by a
    crawl that was interrupted do not count: below them, others may be missing. The projects of the known
    page are stored all the same, since their bids may have changed.

    A page that is known if it is as an earlier crawl met it is asked for with ``whole_if_unmodified``: how far back the
    listing is whole then, for `ConditionalMiddleware`. That is the first one, and one below a page whose lower half is
    known. Below others, it would hide what was pulled up past the border between the two while they were read.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._anchor: Anchor | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        return cls(crawler)

    async def process_start(self, start: Any) -> Any:
        """Look for an earlier crawl of this listing, before the spider decides how to read it."""
        spider: Any = self._crawler.spider
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if pipeline is not None and not spider.full:
            try:
                self._anchor = await pipeline.store.anchor(
                    spider.wanted_since, kept_for=_renewed_after(spider.kept_for)
                )
            except Exception as error:
                # Reading on is never wrong, only longer.
                logger.warning("Cannot tell how far back the listing is known (%s); reading all of it", error)
            spider.stops_at_known = self._anchor is not None
        async for request in start:
            yield self._with_proof(request)

    async def process_spider_output(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Pass everything on, but for the next pages of a listing whose page is wholly known."""
        if self._anchor is None or "listing_page" not in response.meta:
            async for output in result:
                yield self._with_proof(output)
            return
        spider: Any = self._crawler.spider
        outputs = [output async for output in result]
        # What is pinned to the top says nothing about what lies below it.
        found = (output.external_id for output in outputs if isinstance(output, Project))
        if ids := [identity for identity in found if identity not in spider.pinned]:
            known = await self._known(ids, self._anchor)
            if known.issuperset(ids):
                spider.caught_up(self._anchor.whole_since)
                outputs = [output for output in outputs if not _is_next_page(output)]
            # The last row alone may be one that came up again.
            elif known.issuperset(ids[len(ids) // 2 :]):
                outputs = [self._with_proof(output, is_known_above=True) for output in outputs]
        for output in outputs:
            yield output

    def _with_proof(self, output: Any, *, is_known_above: bool = False) -> Any:
        """Return an output, which says so where it asks for a page that is known if it is not modified."""
        if self._anchor is not None and _is_next_page(output):
            spider: Any = self._crawler.spider
            if is_known_above or not spider.walk.seen:
                output.meta["whole_if_unmodified"] = self._anchor.whole_since
        return output

    async def _known(self, ids: list[str], anchor: Anchor) -> set[str]:
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        assert pipeline is not None
        try:
            return await pipeline.store.known(ids, anchor)
        except Exception as error:
            # Reading on is never wrong, only longer.
            logger.warning("Cannot tell which projects are known (%s); reading on", error)
            return set()


def _renewed_after(kept_for: timedelta | None) -> timedelta | None:
    """Return when copies that expire are to be read again: before they do, whatever the schedule of the crawls."""
    return None if kept_for is None else kept_for * 0.75


def _is_next_page(output: object) -> bool:
    return isinstance(output, Request) and "listing_page" in output.meta

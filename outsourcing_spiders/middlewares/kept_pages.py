"""Keep the page that ends a crawl, so that somebody can look at it."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response

from outsourcing_spiders.outcomes import CloseReason, Outcome
from outsourcing_spiders.pipelines.storage import StoragePipeline

_TELLING = (CloseReason.LAYOUT_CHANGED, CloseReason.BLOCKED, CloseReason.LOGIN_REQUIRED)
"""Reasons that can be seen on a page."""


class KeptPagesMiddleware:
    """Keep the page on which a spider met the end of its crawl; what the block guard refuses, it keeps itself."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._keeping: set[asyncio.Future[None]] = set()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        middleware = cls(crawler)
        crawler.signals.connect(middleware._on_closed, signal=signals.spider_closed)
        return middleware

    def process_spider_exception(self, response: Response, exception: Exception) -> None:
        """Keep the page of an `Outcome`; what becomes of the exception is for others to say."""
        if isinstance(exception, Outcome) and exception.reason in _TELLING:
            # Scrapy does not wait here.
            keeping = keep_page(self._crawler, response, exception.reason, str(exception))
            self._keeping.add(asyncio.ensure_future(keeping))

    async def _on_closed(self) -> None:
        await asyncio.gather(*self._keeping)


async def keep_page(crawler: Crawler, response: Response, reason: CloseReason, finding: str) -> None:
    """Store a page for diagnosis, where anything is stored; `finding` is what it was recognized by. Never raises.

    Only the first one of a crawl: answers that were under way beside it tell nothing more.
    """
    pipeline = crawler.get_item_pipeline(StoragePipeline)
    if pipeline is None or not pipeline.store.is_open or crawler.stats.get_value("outsourcing/kept_pages"):
        return
    crawler.stats.inc_value("outsourcing/kept_pages")
    spider: Any = crawler.spider
    await pipeline.store.keep_page(
        url=response.url,
        status=response.status,
        headers={name: ", ".join(values) for name, values in decoded_headers(response)},
        body=response.body,
        reason=reason.value,
        finding=finding,
        expires_at=spider.expires_at(response),
    )


def decoded_headers(response: Response) -> list[tuple[str, list[str]]]:
    """Return the names and the values of an answer's headers as text."""
    found: Any = response.headers
    return [(name.decode("latin-1"), [value.decode("latin-1") for value in values]) for name, values in found.items()]

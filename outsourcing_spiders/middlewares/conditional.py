"""Ask for pages that may be unchanged with the validators they had: a 304 costs no reading."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, NotConfigured
from scrapy.http import Response

from outsourcing_spiders.middlewares.outcomes import Skipped
from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.pipelines.storage import StoragePipeline
from outsourcing_spiders.platforms.base import PlatformSpider

if TYPE_CHECKING:
    from outsourcing_spiders.storage.validators import Validators

logger = logging.getLogger(__name__)


class ConditionalMiddleware:
    """Send ``If-None-Match`` and ``If-Modified-Since`` with the pages of a listing that is known to be whole.

    The validators of a page are remembered when the crawl ended well and all that the page held is stored; until
    then, "not modified" would hide projects. A crawl that met nothing but unchanged pages is ``up_to_date``.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._known: dict[str, Validators] | None = None
        self.found: dict[str, Validators] = {}
        """Validators of the pages that this crawl read, by address."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        if not isinstance(crawler.spider, PlatformSpider):
            raise NotConfigured("it knows the listings of the spiders of this project, no others")
        middleware = cls(crawler)
        crawler.signals.connect(middleware._on_idle, signal=signals.spider_idle)
        return middleware

    async def process_request(self, request: Request) -> None:
        """Add the validators of the page, if it has any."""
        if not self._is_conditional(request):
            return
        known = (await self._validators()).get(request.url)
        if known is None:
            return
        if known.etag:
            request.headers.setdefault("If-None-Match", known.etag)
        if known.last_modified:
            request.headers.setdefault("If-Modified-Since", known.last_modified)

    def process_response(self, request: Request, response: Response) -> Response:
        """Note the validators of a page; end a page that is not modified here."""
        if "listing_page" not in request.meta:
            return response
        if response.status == 304:
            self._crawler.stats.inc_value("outsourcing/not_modified")
            raise Skipped(f"{request.url} is not modified")
        etag, last_modified = (response.headers.get(name) for name in ("ETag", "Last-Modified"))
        if response.status == 200 and (etag or last_modified):
            from outsourcing_spiders.storage.validators import Validators

            self.found[request.url] = Validators(_text(etag), _text(last_modified))
        return response

    def _is_conditional(self, request: Request) -> bool:
        spider = self._crawler.spider
        assert isinstance(spider, PlatformSpider)
        # Below an unchanged page lies nothing new only if an earlier crawl read this listing as far as this one is to.
        return "listing_page" in request.meta and request.method == "GET" and spider.stops_at_known

    async def _validators(self) -> dict[str, Validators]:
        if self._known is None:
            self._known = {}
            pipeline = self._crawler.get_item_pipeline(StoragePipeline)
            try:
                if pipeline is not None and pipeline.store.is_open:
                    self._known = await pipeline.store.validators()
            except Exception as error:
                # Reading a page again is never wrong, only longer.
                logger.warning("Cannot tell which pages may be unchanged (%s); reading them", error)
        return self._known

    def _on_idle(self) -> None:
        spider = self._crawler.spider
        assert isinstance(spider, PlatformSpider)
        if spider.outcome is None and self._crawler.stats.get_value("outsourcing/not_modified") and not self.found:
            raise CloseSpider(CloseReason.UP_TO_DATE)


def _text(header: bytes | None) -> str | None:
    return header.decode("latin-1") if header else None

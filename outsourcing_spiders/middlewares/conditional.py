"""Ask for pages that may be unchanged with the validators they had: a 304 costs no reading."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response

from outsourcing_spiders.middlewares.outcomes import Skipped
from outsourcing_spiders.pipelines.storage import StoragePipeline
from outsourcing_spiders.platforms.base import PlatformSpider

if TYPE_CHECKING:
    from outsourcing_spiders.storage.validators import Validators

logger = logging.getLogger(__name__)


class ConditionalMiddleware:
    """Send ``If-None-Match`` and ``If-Modified-Since`` with the pages of a listing that are known if not modified.

    `KnownProjectsMiddleware` says which. The first one that is not modified ends the crawl, as a known page does.
    The validators of a page are remembered when the crawl ended well and all that the page held is stored; until
    then, "not modified" would hide projects. So would those of a crawl with ``since``, which leaves out what is older,
    and those of a rendered page, whose rows its scripts fetch; and those of a page of which projects were deleted,
    which is why the database forgets them then.
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
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Add the validators of the page, if it has any."""
        if "whole_if_unmodified" not in request.meta or not _tells_all(request):
            return
        known = (await self._validators()).get(request.url)
        if known is None:
            return
        if known.etag:
            request.headers.setdefault("If-None-Match", known.etag)
        if known.last_modified:
            request.headers.setdefault("If-Modified-Since", known.last_modified)

    def process_response(self, request: Request, response: Response) -> Response:
        """Note the validators of a page; end the crawl at one that is not modified."""
        spider: Any = self._crawler.spider
        if "listing_page" not in request.meta:
            return response
        whole_since = request.meta.get("whole_if_unmodified")
        # Some servers say so to who did not ask.
        if response.status == 304 and whole_since is not None and _is_conditional(request):
            self._crawler.stats.inc_value("outsourcing/not_modified")
            spider.caught_up(whole_since)
            raise Skipped(f"{request.url} is not modified")
        etag, last_modified = (response.headers.get(name) for name in ("ETag", "Last-Modified"))
        if response.status == 200 and (etag or last_modified) and spider.since is None and _tells_all(request):
            from outsourcing_spiders.storage.validators import Validators

            self.found[request.url] = Validators(_text(etag), _text(last_modified))
        return response

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


def _tells_all(request: Request) -> bool:
    """Tell whether what comes is the page, not a frame for what comes later."""
    return request.method == "GET" and not request.meta.get("render")


def _is_conditional(request: Request) -> bool:
    return "If-None-Match" in request.headers or "If-Modified-Since" in request.headers


def _text(header: bytes | None) -> str | None:
    return header.decode("latin-1") if header else None

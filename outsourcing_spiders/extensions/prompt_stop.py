"""End a crawl within seconds of one signal, whatever a slow platform or database does meanwhile."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

from scrapy import Request, signals
from scrapy.core.downloader import Downloader
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.utils.asyncio import call_later, create_looping_call
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from outsourcing_spiders.middlewares.outcomes import GivenUp
from outsourcing_spiders.pipelines.storage import StoragePipeline

logger = logging.getLogger(__name__)

_LOOK_INTERVAL = 0.2  # seconds


class StoppableDownloader(Downloader):
    """Scrapy's downloader, whose downloads can be given up."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._under_way: set[Deferred[Any]] = set()

    def fetch(self, request: Request) -> Deferred[Response | Request]:  # type: ignore[override] # Scrapy decorates it
        """Download, with all that middlewares do before and after."""
        fetching: Deferred[Response | Request] = super().fetch(request)
        if not fetching.called:
            self._under_way.add(fetching)
            fetching.addBoth(self._ended, fetching)
        return fetching

    def give_up(self) -> int:
        """End the downloads that are under way, and return how many there were; each ends as `GivenUp`.

        A cancellation that no errback takes would end what it runs through, and the engine wait for it for ever.
        """
        under_way = list(self._under_way)
        for fetching in under_way:
            fetching.cancel()
        return len(under_way)

    def _ended(self, result: Any, fetching: Deferred[Any]) -> Any:
        self._under_way.discard(fetching)
        if isinstance(result, Failure) and isinstance(result.value, (CancelledError, asyncio.CancelledError)):
            raise GivenUp("the crawl was told to stop before it came") from None
        return result


class PromptStop:
    """Give downloads ``STOP_GRACE`` seconds when the crawl is told to stop, and the database as long.

    Scrapy says nothing when a signal arrives, so it is looked for. Rows that the database does not take in time
    go to the spool.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._grace = crawler.settings.getfloat("STOP_GRACE")
        self._has_crawled = False
        self._look: Any = None
        self._call: Any = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension."""
        extension = cls(crawler)
        crawler.signals.connect(extension._on_opened, signal=signals.spider_opened)
        crawler.signals.connect(extension._on_closed, signal=signals.spider_closed)
        return extension

    def _on_opened(self) -> None:
        # `scrapy shell` opens a spider, and never crawls.
        if not self._crawler.crawling:
            return
        self._look = create_looping_call(self._stop_if_told)
        self._look.start(_LOOK_INTERVAL, now=False)

    def _stop_if_told(self) -> None:
        if self._crawler.crawling:
            return
        self._look.stop()
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if pipeline is not None:
            pipeline.store.hurry(self._grace)
        self._call = call_later(self._grace, self._give_up)

    def _give_up(self) -> None:
        downloader = self._crawler.engine.downloader
        if isinstance(downloader, StoppableDownloader) and (count := downloader.give_up()):
            logger.info("Gave up %d downloads that did not end in %.0f s", count, self._grace)

    def _on_closed(self) -> None:
        if self._look is not None and self._look.running:
            self._look.stop()
        if self._call is not None:
            self._call.cancel()

"""End a crawl within seconds of one signal, whatever a slow platform or database does meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, Self

from scrapy import Request, signals
from scrapy.core.downloader import Downloader
from scrapy.core.scheduler import Scheduler
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.pqueues import DownloaderAwarePriorityQueue
from scrapy.utils.asyncio import call_later, create_looping_call
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from outsourcing_spiders.middlewares.outcomes import GivenUp
from outsourcing_spiders.pipelines.storage import StoragePipeline

logger = logging.getLogger(__name__)

_LOOK_INTERVAL = 0.2  # seconds
_FOR_DOWNLOADS = 0.75
"""Which part of the grace downloads have: in the rest, what is known of those that are given up is stored."""


class StoppableDownloader(Downloader):
    """Scrapy's downloader, whose downloads can be given up; it gives up what was never sent when it is closed.

    Scrapy drops that without a word, whatever ends the crawl, and with it what a request carries, such as a project of
    the listing. What waits on disk (``JOBDIR``) is kept for the crawl that goes on from there.
    """

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

    def close(self) -> None:
        """Close, when nothing is under way any more; each request in the queue ends as `GivenUp`."""
        super().close()
        # There is none when something else of it could not be made.
        engine = self.crawler._engine
        if engine is None:
            return
        for request in _never_sent(engine.scheduler):
            failure = Failure(GivenUp("the crawl ended before it was sent"))  # type: ignore[no-untyped-call]
            engine.scraper.enqueue_scrape(failure, request)

    def _ended(self, result: Any, fetching: Deferred[Any]) -> Any:
        self._under_way.discard(fetching)
        if isinstance(result, Failure) and isinstance(result.value, (CancelledError, asyncio.CancelledError)):
            raise GivenUp("the crawl was told to stop before it came") from None
        return result


class PromptStop:
    """Give the database ``STOP_GRACE`` seconds when the crawl is told to stop, and downloads three quarters of them.

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
        # Not when the spider is closed: what is then stored of the run is to be bounded, too.
        crawler.signals.connect(extension._on_stopped, signal=signals.engine_stopped)
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
        self._call = call_later(self._grace * _FOR_DOWNLOADS, self._give_up)

    def _give_up(self) -> None:
        downloader = self._crawler.engine.downloader
        if isinstance(downloader, StoppableDownloader) and (count := downloader.give_up()):
            logger.info("Gave up %d downloads that did not end in %.1f s", count, self._grace * _FOR_DOWNLOADS)

    def _on_stopped(self) -> None:
        if self._look is not None and self._look.running:
            self._look.stop()
        if self._call is not None:
            self._call.cancel()


def _never_sent(scheduler: object) -> Iterator[Request]:
    """Take the requests out of a scheduler's memory, whatever they wait for there."""
    queues: Any = scheduler.mqs if isinstance(scheduler, Scheduler) else None
    if isinstance(queues, DownloaderAwarePriorityQueue):
        for queue in queues.pqueues.values():
            while (request := queue.pop()) is not None:
                yield request

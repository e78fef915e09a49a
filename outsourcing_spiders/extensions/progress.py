"""Show how far a crawl is: one live line on a terminal, a line in the log now and then elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.utils.asyncio import create_looping_call

from outsourcing_spiders.extensions.progress_display import Display, LogLine, State, Tally
from outsourcing_spiders.middlewares.pacing import PacingMiddleware
from outsourcing_spiders.outcomes import Outcome
from outsourcing_spiders.pipelines.storage import StoragePipeline

logger = logging.getLogger(__name__)

_BAR_INTERVAL = 0.25  # seconds
_WINDOW = 15.0  # seconds over which speed is measured


class Pace:
    """Speed over the last seconds: a crawl that waits for a slow platform should not look fast."""

    def __init__(self, window: float = _WINDOW) -> None:
        self._window = window
        self._notes: deque[tuple[float, int]] = deque()

    def note(self, now: float, read: int) -> float | None:
        """Take in that `read` rows were read at `now` (seconds); return rows per second, if there is a pace yet."""
        notes = self._notes
        notes.append((now, read))
        while len(notes) > 2 and notes[1][0] <= now - self._window:
            notes.popleft()
        since, before = notes[0]
        return (read - before) / (now - since) if read > before and now > since else None


class Progress:
    """Show the progress of the crawl while the spider is open.

    Setting ``PROGRESS``: ``auto`` (a bar on a terminal, else lines in the log), ``on`` (a bar anywhere), ``off``.
    ``PROGRESS_INTERVAL``: seconds between two lines in the log.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._display: Display | None = None
        self._call: Any = None
        self._pace = Pace()
        self._started = 0.0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        if _mode(crawler) == "off":
            raise NotConfigured("PROGRESS is off")
        extension = cls(crawler)
        crawler.signals.connect(extension._on_opened, signal=signals.spider_opened)
        crawler.signals.connect(extension.close, signal=signals.spider_closed)
        return extension

    def _on_opened(self, spider: Any) -> None:
        self._started = time.monotonic()
        self._pace.note(self._started, 0)
        try:
            interval = self._open(spider.name)
            self._call = create_looping_call(self._tick)
            self._call.start(interval, now=not isinstance(self._display, LogLine))
        except Exception as error:
            self._give_up(error)

    def _open(self, name: str) -> float:
        mode, settings = _mode(self._crawler), self._crawler.settings
        if mode == "on" or (mode == "auto" and not settings.get("LOG_FILE") and _is_terminal()):
            # What draws it takes a tenth of a second to load.
            from outsourcing_spiders.extensions.progress_bar import Bar

            self._display = Bar(name, force=mode == "on")
            return _BAR_INTERVAL
        self._display = LogLine(name)
        return max(settings.getfloat("PROGRESS_INTERVAL"), 0.1)

    def _tick(self) -> None:
        try:
            if self._display is not None and (state := self._state()):
                self._display.show(state)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        # A crawl must not end because it cannot be watched.
        self.close()
        logger.warning("Progress is not shown any more: %r", error)

    def close(self) -> None:
        """Leave the terminal as it was; may be called twice."""
        call, self._call = self._call, None
        display, self._display = self._display, None
        with suppress(Exception):
            if call is not None and call.running:
                call.stop()
        with suppress(Exception):
            if display is not None:
                display.stop()

    def _state(self) -> State | None:
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if pipeline is None:
            return None
        spider: Any = self._crawler.spider
        stats, totals, now = self._crawler.stats.get_stats(), pipeline.store.totals, time.monotonic()
        read = sum(stats.get(f"item_{fate}_count", 0) for fate in ("scraped", "dropped", "error"))
        read += sum(count for name, count in stats.items() if name.startswith("outsourcing/skipped/"))
        requests = stats.get("downloader/request_count", 0)
        # A crawl with a bound of its own ends before the listing does, nobody knows where.
        bounded = spider.max_pages or spider.since or spider.stops_at_known
        return State(
            Tally(requests, totals.new, totals.changed, totals.unchanged, totals.spooled, read),
            rate=self._pace.note(now, read),
            elapsed=now - self._started,
            goal=None if bounded else stats.get("outsourcing/listing/total"),
            ending=_ending(self._crawler) or _waiting(self._crawler),
        )


def _mode(crawler: Crawler) -> str:
    return str(crawler.settings.get("PROGRESS", "auto")).strip().lower()


def _ending(crawler: Crawler) -> str:
    outcome = getattr(crawler.spider, "outcome", None)
    if isinstance(outcome, Outcome):
        return f"ending: {outcome.reason.replace('_', ' ')}"
    return "" if crawler.crawling else "ending"


def _waiting(crawler: Crawler) -> str:
    pacing = crawler.get_downloader_middleware(PacingMiddleware)
    return pacing.waits() if pacing is not None else ""


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")

"""Time a crawl from its first request until nothing is left to do, and write the result to a file."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler


class Stopwatch:
    """Extension that writes ``{"items", "seconds", "rss_mb", ...}`` to the file named by STOPWATCH_FILE.

    The clock starts when the first request reaches the downloader (start-up and migrations are not
    part of it) and stops when the spider is idle: each item has gone through all pipelines by then.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._path = Path(crawler.settings["STOPWATCH_FILE"])
        self._started = self._stopped = 0.0
        self._cpu = 0.0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension."""
        watch = cls(crawler)
        crawler.signals.connect(watch._start, signal=signals.request_reached_downloader)
        crawler.signals.connect(watch._stop, signal=signals.spider_idle)
        crawler.signals.connect(watch._write, signal=signals.spider_closed)
        return watch

    def _start(self) -> None:
        if not self._started:
            self._started, self._cpu = time.perf_counter(), time.process_time()

    def _stop(self) -> None:
        self._stopped = time.perf_counter()
        self._cpu = time.process_time() - self._cpu

    def _write(self, reason: str) -> None:
        stats = self._crawler.stats
        measured: dict[str, Any] = {
            "items": stats.get_value("item_scraped_count", 0),
            "seconds": self._stopped - self._started,
            "cpu_seconds": self._cpu,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "requests": stats.get_value("downloader/request_count", 0),
            "reason": reason,
            "pid": os.getpid(),
        }
        self._path.write_text(json.dumps(measured))

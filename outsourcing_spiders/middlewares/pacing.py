"""Keep to so many requests in so many seconds, per host."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

logger = logging.getLogger(__name__)

_WORTH_TELLING = 5.0


class RateLimit:
    """The times of the last requests to one host, for windows of ``(requests, seconds)``."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self._windows = [(seconds, deque[float](maxlen=requests)) for requests, seconds in windows]

    def reserve(self, now: float) -> float:
        """Take the next free place and return how many seconds to wait for it."""
        at = now
        for seconds, times in self._windows:
            if len(times) == times.maxlen:
                at = max(at, times[0] + seconds)
        for _, times in self._windows:
            times.append(at)
        return at - now


class PacingMiddleware:
    """Hold a request back until the platform's rate limit has room for it (setting ``RATE_LIMIT``)."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self._windows = windows
        self._limits: dict[str, RateLimit] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware for spiders that declare a limit."""
        windows = [(int(requests), int(seconds)) for requests, seconds in crawler.settings.getlist("RATE_LIMIT")]
        if not windows:
            raise NotConfigured("RATE_LIMIT is empty")
        return cls(windows)

    async def process_request(self, request: Request) -> None:
        """Wait for a free place in every window."""
        host = urlsplit(request.url).netloc
        limit = self._limits.setdefault(host, RateLimit(self._windows))
        pause = limit.reserve(asyncio.get_running_loop().time())
        if pause > _WORTH_TELLING:
            logger.info("Waiting %.0f s: %s allows no more requests before", pause, host)
        if pause > 0:
            await asyncio.sleep(pause)

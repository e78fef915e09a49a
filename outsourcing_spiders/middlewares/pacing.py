"""Keep to so many requests in so many seconds, per host."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from typing import Any, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.outcomes import WrongArgument

logger = logging.getLogger(__name__)

Windows = list[tuple[int, float]]
"""Pairs of a number of requests and the seconds in which there may be no more."""
_WORTH_TELLING = 5.0


class RateLimit:
    """The times of the last requests to one host, for windows of ``(requests, seconds)``."""

    def __init__(self, windows: Windows) -> None:
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

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._limits: dict[str, RateLimit] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware for spiders that declare a limit."""
        windows = read_windows(crawler.settings.get("RATE_LIMIT"))
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


def read_windows(setting: Any) -> Windows:
    """Return the windows of the setting, which is text when it comes from a command line; raises `WrongArgument`."""
    try:
        pairs = json.loads(setting or "[]") if isinstance(setting, str) else setting or []
        windows = [(int(requests), float(seconds)) for requests, seconds in pairs]
    except (TypeError, ValueError):
        windows = [(0, 0.0)]
    if any(requests < 1 or seconds <= 0 for requests, seconds in windows):
        raise WrongArgument(
            f"RATE_LIMIT={setting!r} is no list of requests and seconds such as [[50, 60], [1000, 3600]]"
        )
    return windows

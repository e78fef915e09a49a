"""Send requests to a host at the pace that it grants and asks for; requests that wait are no burden to others."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit
from weakref import WeakSet

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.pqueues import DownloaderAwarePriorityQueue
from scrapy.robotstxt import RobotParser

from outsourcing_spiders.middlewares.host_pace import HostPace
from outsourcing_spiders.middlewares.kept_pages import decoded_headers
from outsourcing_spiders.middlewares.outcomes import GivenUp, refuse
from outsourcing_spiders.outcomes import RateLimited, WrongArgument
from outsourcing_spiders.parsing.rate_limits import Limits, Window, read_limits
from outsourcing_spiders.platforms.base import PlatformSpider

logger = logging.getLogger(__name__)

REFUSALS = frozenset({429, 503})
_WORTH_TELLING = 5.0  # seconds
_LOOK_INTERVAL = 0.2  # seconds


class PacingMiddleware:
    """Keep the pace of each host, and ask again for what a host refused for being asked too much.

    ``DOWNLOAD_DELAY``, ``RATE_LIMIT`` and what the answers say decide when the next request is sent. A host that
    refuses ``RATE_LIMIT_RETRIES`` times in a row, or wants more than ``RATE_LIMIT_LONGEST_WAIT`` seconds of rest
    before the next request, ends the crawl as ``rate_limited``. Requests wait in `PacedQueue`; here only those do
    that never were there, such as that for robots.txt.
    """

    def __init__(self, crawler: Crawler, windows: list[Window]) -> None:
        self._crawler = crawler
        self._windows = windows
        self._delay = crawler.settings.getfloat("DOWNLOAD_DELAY")
        self._jitter = crawler.settings.getfloat("DOWNLOAD_DELAY_JITTER")
        self._first_pause = crawler.settings.getfloat("RATE_LIMIT_PAUSE")
        self._retries = crawler.settings.getint("RATE_LIMIT_RETRIES")
        self._longest_wait = crawler.settings.getfloat("RATE_LIMIT_LONGEST_WAIT")
        self._hosts: dict[str, HostPace] = {}
        self._crawls = 1
        self._timer: asyncio.TimerHandle | None = None
        self._told: dict[str, float] = {}
        self._from_queue: WeakSet[Request] = WeakSet()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware; raises `WrongArgument` for a ``RATE_LIMIT`` without meaning."""
        middleware = cls(crawler, read_windows(crawler.settings.get("RATE_LIMIT")))
        connect = crawler.signals.connect
        connect(middleware._on_robots_txt, signal=signals.robots_parsed)
        connect(middleware._on_reached_downloader, signal=signals.request_reached_downloader)
        connect(middleware._on_downloaded, signal=signals.response_downloaded)
        connect(middleware._on_closed, signal=signals.spider_closed)
        return middleware

    async def process_request(self, request: Request) -> Request | None:
        """Wait until the host may be asked; put what came from `PacedQueue` back. Raises `Refused`, `GivenUp`."""
        host, loop = host_of(request), asyncio.get_running_loop()
        pace = self.pace(host)
        if pace.crawl_delay > self._longest_wait:
            problem = f"robots.txt of {host} wants {pace.crawl_delay:.0f} s between two requests"
            refuse(self._crawler, RateLimited(problem))
        while (pause := pace.send_at() - loop.time()) > 0:
            if (outcome := self.long_rest(host)) is not None:
                refuse(self._crawler, outcome)
            if request in self._from_queue:
                # What robots.txt asks for was not known there yet, or an answer has come since.
                return _again(request)
            if self._is_ending():
                raise GivenUp("the crawl was told to stop before it could be asked for")
            self._tell(host, pause, pace.why(loop.time()))
            await asyncio.sleep(min(pause, _LOOK_INTERVAL))
        pace.note_sent(loop.time())
        return None

    def process_response(self, request: Request, response: Response) -> Response | Request:
        """Put a request that was refused back into the queue."""
        if response.status not in REFUSALS:
            return response
        host, now = host_of(request), asyncio.get_running_loop().time()
        pace, limits = self.pace(host), _limits(response)
        pause = pace.note_refusal(limits, now)
        self._crawler.stats.inc_value(f"outsourcing/asked_to_wait/{response.status}")
        if pace.refusals > self._retries or pause > self._longest_wait:
            self._end(response, pace.refusals, pause, is_told=limits.rest is not None)
        self._tell(host, pause, pace.why(now))
        return _again(request)

    def pace(self, host: str) -> HostPace:
        """Return the pace of a host, which is made when it is first asked for."""
        if (pace := self._hosts.get(host)) is None:
            pace = HostPace(
                delay=self._delay, jitter=self._jitter, windows=self._windows, first_pause=self._first_pause
            )
            pace.crawls = self._crawls
            self._hosts[host] = pace
        return pace

    def share(self, crawls: int) -> None:
        """Take only the share of the pace that each of so many crawls has, this one among them."""
        self._crawls = crawls
        for pace in self._hosts.values():
            pace.crawls = crawls

    def long_rest(self, host: str) -> RateLimited | None:
        """Return what ends a crawl that is to ask `host` once more, where it wants more rest than is waited for."""
        rest = self.pace(host).rest(asyncio.get_running_loop().time())
        if rest <= self._longest_wait:
            return None
        problem = f"{host} wants {rest:.0f} s of rest before the next request: it has had enough of us for now"
        return RateLimited(problem, retry_at=datetime.now(UTC) + timedelta(seconds=rest))

    def may_hand_out(self, host: str) -> bool:
        """Tell whether a request to `host` can be sent now; if time alone forbids it, the engine is woken then."""
        downloader = self._crawler.engine.downloader
        under_way = sum(host_of(request) == host for request in downloader.active)
        slot = downloader.slots.get(host)
        if under_way >= (slot.concurrency if slot else downloader.domain_concurrency):
            # The engine asks again when a download ends.
            return False
        loop, pace = asyncio.get_running_loop(), self.pace(host)
        now, at = loop.time(), pace.hand_out_at()
        # What would wait too long is not waited for: `process_request` ends the crawl for it.
        if at <= now or pace.rest(now) > self._longest_wait:
            return True
        if not self._wakes_before(at):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(at, self._wake)
        self._tell(host, at - now, pace.why(now))
        return False

    def note_handed_out(self, request: Request) -> None:
        """Take in that the queue gave a request away."""
        self._from_queue.add(request)
        self.pace(host_of(request)).note_handed_out(asyncio.get_running_loop().time())

    def waits(self) -> str:
        """Say what the crawl waits for, where that takes long enough to be told; else nothing."""
        engine, now = self._crawler.engine, asyncio.get_running_loop().time()
        if engine.downloader.active:
            return ""
        longest = max(self._hosts.items(), key=lambda host: host[1].send_at(), default=None)
        if longest is None or (pause := longest[1].send_at() - now) < 1:
            return ""
        return f"waiting {pause:.0f} s: {longest[0]} {longest[1].why(now)}"

    def _is_ending(self) -> bool:
        # Nothing tells a middleware that the crawl ends, and the end waits for what is under way.
        slot = getattr(self._crawler._engine, "_slot", None)
        return slot is not None and slot.closing is not None

    def _wakes_before(self, moment: float) -> bool:
        timer = self._timer
        return timer is not None and not timer.cancelled() and timer.when() <= moment

    def _wake(self) -> None:
        self._timer = None
        # Scrapy has no public way to say that its scheduler holds something now; by itself it looks every 5 s.
        slot = self._crawler.engine._slot
        if slot is not None:
            slot.nextcall.schedule()

    def _tell(self, host: str, pause: float, why: str) -> None:
        now = asyncio.get_running_loop().time()
        if pause >= _WORTH_TELLING and self._told.get(host, 0.0) < now:
            self._told[host] = now + pause
            logger.info("Waiting %.0f s: %s %s", pause, host, why)

    def _end(self, response: Response, refusals: int, pause: float, *, is_told: bool) -> None:
        times = "once" if refusals == 1 else f"{refusals} times in a row"
        wants = f", and wants {pause:.0f} s of rest" if is_told else ""
        refuse(
            self._crawler,
            RateLimited(
                f"{response.url} answered {response.status} {times}{wants}: it has had enough of us for now",
                retry_at=datetime.now(UTC) + timedelta(seconds=pause) if is_told else None,
            ),
        )

    def _on_robots_txt(self, robotparser: RobotParser, request: Request) -> None:
        settings = self._crawler.settings
        asked = robotparser.crawl_delay(settings["ROBOTSTXT_USER_AGENT"] or settings["USER_AGENT"])
        self.pace(host_of(request)).crawl_delay = float(asked or 0)

    def _on_reached_downloader(self, request: Request) -> None:
        # A request that waited there would be sent even after the crawl was told to stop.
        self._crawler.engine.downloader.slots[host_of(request)].delay = 0

    def _on_downloaded(self, response: Response, request: Request) -> None:
        # Not in `process_response`, which sees no redirect, nor what is asked for again because it was cut off.
        if response.status not in REFUSALS:
            self.pace(host_of(request)).note_answer(_limits(response), asyncio.get_running_loop().time())

    def _on_closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class PacedQueue(DownloaderAwarePriorityQueue):
    """Hand out no request before it can be sent; meanwhile, hand out those to other hosts.

    What waits here is dropped when the crawl is told to stop, and takes no place from anybody. With ``JOBDIR`` it waits
    for the next crawl; but that one begins to read the listing anew, which has moved, and needs only pages of projects.
    """

    def __init__(self, crawler: Crawler, *args: Any, **kwargs: Any) -> None:
        super().__init__(crawler, *args, **kwargs)
        if isinstance(crawler.spider, PlatformSpider):
            waiting: list[Request] = []
            while self.pqueues:
                if (request := super().pop()) is not None:
                    waiting.append(request)
            # Last in, first out: so they keep their order.
            for request in reversed(waiting):
                if "detail_page" in request.meta:
                    self.push(request)

    def pop(self) -> Request | None:
        """Return the next request that can be sent now, if there is one."""
        pacing = self.crawler.get_downloader_middleware(PacingMiddleware)
        if pacing is None:
            return super().pop()
        waiting = {host: queue for host, queue in self.pqueues.items() if not pacing.may_hand_out(host)}
        ready = {host: queue for host, queue in self.pqueues.items() if host not in waiting}
        self.pqueues = ready
        try:
            request = super().pop()
        finally:
            self.pqueues |= waiting
        if request is not None:
            pacing.note_handed_out(request)
        return request


def host_of(request: Request) -> str:
    """Return the host that a request is for, as Scrapy's downloader names its slots."""
    return str(request.meta.get("download_slot") or urlsplit(request.url).hostname or "")


def read_windows(setting: Any) -> list[Window]:
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


def _again(request: Request) -> Request:
    again = request.copy()
    again.dont_filter = True
    return again


def _limits(response: Response) -> Limits:
    headers = {name.lower(): ", ".join(values) for name, values in decoded_headers(response)}
    try:
        now = parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        now = datetime.now(UTC)
    return read_limits(headers, now=now if now.tzinfo else now.replace(tzinfo=UTC))

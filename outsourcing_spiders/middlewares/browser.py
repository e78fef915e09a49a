"""Download rendered pages with scrapy-playwright: one driver and one browser a crawl, started when first wanted.

scrapy-playwright asks Python about every image of a page, makes a new page for each request, waits for all that a
page loads, and knows no time limit. Kept of it: plain requests, the driver, the browser's contexts. Replaced:
what happens between a request and its response.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from base64 import b64decode
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

from playwright._impl._errors import TargetClosedError  # as scrapy-playwright does: it is public nowhere
from playwright.async_api import Browser
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeoutError
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
)
from scrapy.http import Response
from scrapy_playwright.handler import HTTP11DownloadHandler, ScrapyPlaywrightDownloadHandler

from outsourcing_spiders.middlewares.browser_page import BrowserPage
from outsourcing_spiders.middlewares.browser_start import TRACKERS, BrowserFinder
from outsourcing_spiders.middlewares.outcomes import GivenUp, refuse
from outsourcing_spiders.middlewares.permission import live_host, missing_permission, permitted_platforms
from outsourcing_spiders.middlewares.rendering import Addresses, Limits, Rules, read_rendering
from outsourcing_spiders.outcomes import Outcome, PermissionRequired

logger = logging.getLogger(__name__)

_RENDERS_A_PAGE = 200
# Of what a request may take, so that the page that never shows `wait_for` is still returned, and looked at.
_SELECTOR_SHARE, _SELECTOR_SECONDS = 0.5, 10.0
_CLOSE_SECONDS = 2.0
_STOP_SECONDS = 1.5
_LOOK_SECONDS = 0.25
_ERRORS = {
    "ERR_NAME_NOT_RESOLVED": CannotResolveHostError,
    "ERR_CONNECTION_REFUSED": DownloadConnectionRefusedError,
    "ERR_TIMED_OUT": DownloadTimeoutError,
    "ERR_CONNECTION_TIMED_OUT": DownloadTimeoutError,
}


class BrowserHandler(ScrapyPlaywrightDownloadHandler):  # type: ignore[misc] # it comes without types
    """Download what `RenderingMiddleware` marked through a browser, the rest as Scrapy does.

    Each of the ``PLAYWRIGHT_MAX_PAGES_PER_CONTEXT`` pages has a context of its own, with its own cookies, and is
    used again; one that failed is closed. Settings: that one, ``PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT`` (ms),
    ``PLAYWRIGHT_CDP_URL``, ``PLAYWRIGHT_LAUNCH_OPTIONS``, ``DOWNLOAD_TIMEOUT``, ``DOWNLOAD_MAXSIZE``.
    """

    lazy = True
    _of_crawlers: ClassVar[WeakKeyDictionary[Crawler, BrowserHandler]] = WeakKeyDictionary()

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.browser_provider_cls = BrowserFinder
        self._permitted = permitted_platforms(crawler.settings)
        self._rules = Rules(Addresses(), self._missing_permission, self._blocked_hosts())
        self._free = asyncio.Semaphore(self.config.max_pages_per_context)
        self._idle: list[tuple[tuple[Any, ...], BrowserPage]] = []
        self._launching: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Future[Any]] = set()
        self._names = iter(range(10**9))
        self._process: int | None = None
        self._crawls = False
        self._closed = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the crawler's handler: the same one for http and https, or there were two drivers."""
        if crawler not in cls._of_crawlers:
            cls._of_crawlers[crawler] = cls(crawler)
        handler = cls._of_crawlers[crawler]
        assert isinstance(handler, cls)
        return handler

    def _missing_permission(self, url: str) -> PermissionRequired | None:
        return missing_permission(self._crawler.spidercls, url, self._permitted)

    def _blocked_hosts(self) -> frozenset[str]:
        # Launch arguments keep trackers away, but not in a browser that somebody else started.
        hosts = {*TRACKERS} if self.config.cdp_url else set()
        home = getattr(self._crawler.spidercls, "home", "")
        if home and self._missing_permission(home) is not None:
            hosts.add(live_host(self._crawler.spidercls))
        return frozenset(hosts)

    async def _maybe_launch_in_thread(self) -> None:
        # Called when the engine starts. `scrapy shell` hangs when that takes long, and who knows whether a
        # browser will be wanted.
        return

    async def download_request(self, request: Request) -> Response:
        """Return the response; raises Scrapy's own exceptions, which are retried as for any other page."""
        if not request.meta.get("playwright"):
            plain: Response = await HTTP11DownloadHandler.download_request(self, request)
            return plain
        return await self._in_time(request)

    async def _in_time(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        limit = float(request.meta.get("download_timeout") or self._crawler.settings.getfloat("DOWNLOAD_TIMEOUT"))
        deadline = loop.time() + limit
        work = asyncio.ensure_future(self._render(request, deadline))
        stop: float | None = None
        try:
            while not work.done():
                # `scrapy shell` crawls nothing, ever; after SIGTERM a crawl does no more.
                self._crawls = self._crawls or self._crawler.crawling
                if stop is None and self._crawls and not self._crawler.crawling:
                    stop = loop.time() + _STOP_SECONDS
                left = deadline - loop.time()
                if left <= 0:
                    self.stats.inc_value("outsourcing/rendering/timed_out")
                    raise DownloadTimeoutError(f"Rendering {request.url} took longer than {limit:g} s")
                if stop is not None and loop.time() >= stop:
                    self.stats.inc_value("outsourcing/rendering/given_up")
                    raise GivenUp(f"the crawl was told to stop before {request.url} was rendered")
                await asyncio.wait((work,), timeout=min(left, _LOOK_SECONDS))
        finally:
            work.cancel()
        return await work

    async def _render(self, request: Request, deadline: float) -> Response:
        try:
            async with self._free:
                page_key, page = await self._take(request)
                try:
                    left = max(deadline - asyncio.get_running_loop().time(), 0.1)
                    rendering = read_rendering(request.meta["render"])
                    response = await page.render(request, rendering, self._limits(request, left))
                except BaseException:
                    await asyncio.shield(self._later(self._discard(page)))
                    raise
                page.rest()
                self._idle.append((page_key, page))
        except Outcome as outcome:
            refuse(self._crawler, outcome)
        except IgnoreRequest as error:
            self.stats.inc_value("outsourcing/rendering/refused")
            logger.warning("%s", error)
            raise
        except TargetClosedError as error:
            # It crashed, or more ended than this page: the others could cost a request each.
            while self._idle:
                self._later(self._discard(self._idle.pop()[1]))
            self.stats.inc_value("outsourcing/rendering/crashed")
            raise DownloadFailedError(f"Rendering {request.url}: the page crashed, or the browser ended") from error
        except PlaywrightTimeoutError as error:
            self.stats.inc_value("outsourcing/rendering/timed_out")
            raise DownloadTimeoutError(f"Rendering {request.url}: {_first_line(error)}") from error
        except PlaywrightError as error:
            kind = next((kind for sign, kind in _ERRORS.items() if sign in error.message), DownloadFailedError)
            raise kind(f"Rendering {request.url}: {_first_line(error)}") from error
        if "wait_for_missing" in response.flags:
            self.stats.inc_value("outsourcing/rendering/wait_for_missing")
        self.stats.inc_value("outsourcing/rendering/pages")
        return response

    def _limits(self, request: Request, left: float) -> Limits:
        navigation = (self.config.navigation_timeout_ms or 20_000) / 1000
        size = int(request.meta.get("download_maxsize") or self._default_maxsize)
        return Limits(min(navigation, left), min(_SELECTOR_SECONDS, left * _SELECTOR_SHARE), size)

    # --- pages ----------------------------------------------------------------------------------------------

    async def _take(self, request: Request) -> tuple[tuple[Any, ...], BrowserPage]:
        key, options = self._context_options(request)
        while self._idle:
            # The last one used is the warmest.
            at = max((at for at, (its_key, _) in enumerate(self._idle) if its_key == key), default=0)
            its_key, page = self._idle.pop(at)
            if its_key == key and page.renders < _RENDERS_A_PAGE and await page.is_usable():
                return key, page
            await self._discard(page)
        for is_last in (False, True):
            if self._launching is None:
                self._launching = self._later(self._launch_once())
                # Whoever waited for it may be gone when it fails.
                self._launching.add_done_callback(lambda done: done.cancelled() or done.exception())
            # The browser is for all who wait: one of them running out of time must not stop it half-way.
            await asyncio.shield(self._launching)
            try:
                name = f"page-{next(self._names)}"
                context = (await self._create_browser_context(name, options)).context
                page = await BrowserPage.open(context, self._rules)
            except (TargetClosedError, AttributeError):
                # The browser or the driver ended between two requests; the driver says so in no other way.
                if is_last:
                    raise
                self._forget_browser()
            else:
                self.stats.inc_value("outsourcing/rendering/pages_opened")
                return key, page
        raise AssertionError

    def _context_options(self, request: Request) -> tuple[tuple[Any, ...], dict[str, Any]]:
        verify = self._crawler.settings.getbool("DOWNLOAD_VERIFY_CERTIFICATES")
        options: dict[str, Any] = {
            "service_workers": "block",
            "accept_downloads": False,
            "ignore_https_errors": not verify,
        }
        proxy, login = request.meta.get("proxy"), request.headers.get("Proxy-Authorization") or b""
        if proxy:
            options["proxy"] = {"server": proxy}
            if login.startswith(b"Basic "):
                user, _, password = b64decode(login[6:]).decode().partition(":")
                options["proxy"] |= {"username": user, "password": password}
        return (proxy, login), options

    async def _discard(self, page: BrowserPage) -> None:
        self.stats.inc_value("outsourcing/rendering/pages_closed")
        # A hung page can be closed; a browser that does not even do that is beyond help.
        if not await self._in_seconds(page.close()):
            self._kill_browser()

    # --- the browser ----------------------------------------------------------------------------------------

    async def _launch_once(self) -> None:
        if not hasattr(self, "browser_provider"):
            self.browser_provider = self.browser_provider_cls(self.config)
            await self.browser_provider.start()
        await self._maybe_launch_browser()
        if not self.config.cdp_url:
            session = await self.browser.new_browser_cdp_session()
            processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
            self._process = next((process["id"] for process in processes if process["type"] == "browser"), None)
            await session.detach()

    def _browser_disconnected_callback(self, browser: Browser) -> None:
        if getattr(self, "browser", None) is browser:
            logger.warning("The browser ended; the next page starts another")
            del self.browser
            self._launching = self._process = None

    def _forget_browser(self) -> None:
        self._kill_browser()
        self._launching = self._process = None
        self.__dict__.pop("browser", None)
        if (provider := self.__dict__.pop("browser_provider", None)) is not None:
            self._later(self._in_seconds(provider.close()))

    def _kill_browser(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._process, signal.SIGKILL)

    def _later(self, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End the browser and the driver; the second call, for the other scheme, has nothing to do."""
        if self._closed:
            return
        self._closed = True
        await HTTP11DownloadHandler.close(self)
        if self._launching is not None:
            await asyncio.wait((self._launching,), timeout=_CLOSE_SECONDS)
        await self._in_seconds(_close_all([page for _, page in self._idle]))
        browser = self.__dict__.pop("browser", None)
        if browser is not None and not await self._in_seconds(browser.close()):
            self._kill_browser()
        if hasattr(self, "browser_provider"):
            await self._in_seconds(self.browser_provider.close())

    async def _in_seconds(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                with contextlib.suppress(PlaywrightError):
                    await work
        except TimeoutError:
            return False
        return True


def _first_line(error: PlaywrightError) -> str:
    return error.message.splitlines()[0]


async def _close_all(pages: Sequence[BrowserPage]) -> None:
    await asyncio.gather(*(page.close() for page in pages))

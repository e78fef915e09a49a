"""``scrapy shell`` for one spider: pages are asked for as the spider asks for them, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError as WaitTimeout
from pathlib import Path
from traceback import extract_tb
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import Response
from scrapy.shell import Shell
from scrapy.utils.asyncio import sleep
from twisted.python.failure import Failure

from outsourcing_spiders.debugging.answers import absolute, first_page, is_first_page, request_for, warn_of_block
from outsourcing_spiders.debugging.names import Names
from outsourcing_spiders.extensions.log_redaction import shown
from outsourcing_spiders.extensions.prompt_stop import StoppableDownloader
from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import Outcome, told
from outsourcing_spiders.parsing.text import printable

logger = logging.getLogger(__name__)

_LOOK_INTERVAL = 0.005  # seconds
_START_SECONDS = 30.0
_LEAVE_SECONDS = 4.0
_SPIDERS = ("spiders", "ways_in")


def told_of_code(error: Exception) -> str:
    """Say what was raised by code that was typed, and where in a spider, if there."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} (an expression is wanted)"
    in_spider = any(Path(frame.filename).parent.name in _SPIDERS for frame in extract_tb(error.__traceback__))
    if in_spider:
        return told(error)
    # What the console itself raises is a sentence.
    return str(error) if type(error) is LookupError else f"{type(error).__name__}: {error}"


def _reason(error: Exception) -> str:
    if isinstance(error, DownloadCancelledError):
        return "it is larger than DOWNLOAD_MAXSIZE"
    return str(error) or type(error).__name__


class NoAnswer(Exception):
    """There is no answer; the message says why, in a sentence."""


class SpiderShell(Shell):
    """Look at pages with a spider's own parsers.

    The engine starts with the first page that is asked for: a saved one needs none. An answer is waited for
    `patience` seconds, and Ctrl-C ends the wait.
    """

    def __init__(
        self,
        crawler: Crawler,
        run_engine: Callable[[], None],
        stop_engine: Callable[[], None],
        *,
        patience: float,
        code: str | None,
    ) -> None:
        assert isinstance(crawler.spider, Spider)
        loop = asyncio.get_event_loop_policy().get_event_loop()
        super().__init__(crawler, code=code, loop=loop)
        self._inthread = True
        self._stop_engine = stop_engine
        self._patience = patience
        self._thread = threading.Thread(target=run_engine, name="engine", daemon=True)
        self._is_started = False
        self.own: Any = crawler.spider
        self.names = Names(self.own, self.fetch)
        self.problem: str | None = None
        """Why the last page did not come."""
        self._is_in_console = False

    # --- pages ------------------------------------------------------------------------------------------------

    def show(self, response: Response, *, listed: Project | None, is_detail: bool) -> None:
        """Begin with a saved page."""
        warn_of_block(self.own, response, is_detail=is_detail)
        self.names.read(response, listed=listed, is_detail=is_detail or None)
        self._fill(response, response.request)

    def fetch(
        self,
        request_or_url: Request | str | None = None,
        spider: Spider | None = None,
        redirect: bool = True,
        **kwargs: Any,
    ) -> None:
        """Ask for a page: an address, a request, or without either the first page of the listing."""
        self.problem = None
        # The first outcome of a crawl is the one that is told; here each fetch has its own.
        self.own.outcome = None
        response = request = None
        try:
            response = self._response(request_or_url, redirect=redirect, **kwargs)
            request = response.request
        except (NoAnswer, Outcome, LookupError) as error:
            self.problem = str(error)
            # What a middleware refuses, it has told.
            if self.own.outcome is None:
                self._say(shown(self.problem), sys.stderr)
        self.names.read(response)
        self._fill(response, request)
        if self._is_in_console:
            self._say(self.get_help())

    def _response(self, wanted: Request | str | None, *, redirect: bool, **kwargs: Any) -> Response:
        self._start_engine()
        request: Request | None
        if isinstance(wanted, str):
            wanted = absolute(wanted, self.names.response or self.own.base_url)
        if isinstance(wanted, Request):
            request = wanted
        elif wanted is not None and kwargs:
            request = Request(wanted, **{"dont_filter": True, **kwargs})
        else:
            request = None if wanted is None else request_for(self.own, wanted)
        if request is None:
            return first_page(self.own, self._listing_address(wanted), self._ask, self._wait)
        if not redirect:
            request = request.replace(meta={**request.meta, "handle_httpstatus_all": True})
        return self._ask(request)

    def _listing_address(self, wanted: Any) -> str | None:
        return None if is_first_page(self.own, wanted) else str(wanted)

    def _ask(self, request: Request) -> Response:
        try:
            response: Response = self._wait(self._schedule(request, self.own))
        except IgnoreRequest as error:
            raise NoAnswer(f"{request.url} was not asked for: {error}") from error
        except WaitTimeout as error:
            self._give_up()
            raise NoAnswer(
                f"{request.url} gave no answer within {self._patience:.0f} s (--timeout SECONDS waits longer); "
                "fetch(request) asks again"
            ) from error
        except KeyboardInterrupt:
            self._give_up()
            raise NoAnswer(f"{request.url} is not waited for any more") from None
        except NoAnswer:
            raise
        except Exception as error:
            raise NoAnswer(f"{request.url} got no answer: {_reason(error)}") from error
        return response

    async def _schedule(self, request: Request, spider: Spider | None) -> Response:
        """Send a request through the engine; Scrapy's own would run its callback, and hang for one with arguments."""
        if not self.spider:
            await self._open_spider(spider)
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def came(response: Response, **arguments: Any) -> None:
            if not answered.done():
                answered.set_result(response)

        def failed(failure: Failure) -> None:
            if not answered.done():
                answered.set_exception(failure.value or NoAnswer("Scrapy does not say why"))

        self.crawler.engine.crawl(request.replace(callback=came, errback=failed, dont_filter=True))
        response = await answered
        if response.request is not None:
            response.request.callback, response.request.errback = request.callback, request.errback
        return response

    # --- the engine -------------------------------------------------------------------------------------------

    def _start_engine(self) -> None:
        if self._is_started:
            return
        self._is_started = True
        self._thread.start()
        try:
            self._wait(self._engine_running(), _START_SECONDS)
        except WaitTimeout as error:
            raise NoAnswer("Scrapy's engine did not start; -L DEBUG says more") from error

    async def _engine_running(self) -> None:
        engine = self.crawler.engine = self.crawler._create_engine()
        self._starting = asyncio.ensure_future(engine.start_async(_start_request_processing=False))
        # A request that comes before would wait for ever, and Scrapy tells nobody when it is so far.
        while not engine.running and not self._starting.done():
            await sleep(_LOOK_INTERVAL)

    def _wait(self, work: Awaitable[Any], seconds: float | None = None) -> Any:
        async def done() -> Any:
            return await work

        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(done(), self._loop)
        try:
            return future.result(self._patience if seconds is None else seconds)
        except BaseException:
            future.cancel()
            raise

    def _give_up(self) -> None:
        """Free the place that an unanswered request holds."""
        downloader = self.crawler.engine.downloader
        if isinstance(downloader, StoppableDownloader) and self._loop is not None:
            self._loop.call_soon_threadsafe(downloader.give_up)

    def leave(self, exitcode: int) -> None:
        """Close the engine, and the browser with it; the process ends even when they do not."""
        if not self._is_started:
            return
        with contextlib.suppress(Exception):
            self._give_up()
            self._wait(self._closed(), _LEAVE_SECONDS)
        # A look-up of a name cannot be given up, and Python waits for it.
        watchdog = threading.Timer(_LEAVE_SECONDS, os._exit, (exitcode,))
        watchdog.daemon = True
        watchdog.start()
        with contextlib.suppress(Exception):
            self._stop_engine()
        self._thread.join(_LEAVE_SECONDS / 2)
        if self._thread.is_alive():
            # Python's own end would pull the ground from under it.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(exitcode)

    async def _closed(self) -> None:
        engine = self.crawler.engine
        if engine.spider is not None:
            await engine.close_spider_async(reason="shutdown")
        if engine._starting:
            await engine.stop_async()

    # --- the console ------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Evaluate the code, or open the console."""
        self._is_in_console = not self.code
        if self.code:
            self.evaluate(self.code)
        else:
            self.start()

    def evaluate(self, code: str) -> None:
        """Print what an expression gives; an error is told in a line, and kept as the `problem`."""
        try:
            # As globals: comprehensions and lambdas see nothing else.
            said = str(eval(code, self.vars))  # noqa: S307 - typed by the user
        except Exception as error:
            logger.debug("-c %s", code, exc_info=True)
            self.problem = f"-c {code}: {told_of_code(error)}"
            self._say(shown(self.problem), sys.stderr)
        else:
            self._say(said)

    def populate_vars(
        self, response: Response | None = None, request: Request | None = None, spider: Spider | None = None
    ) -> None:
        """Keep what is there: `Shell.start` calls it without a page."""
        # It turns Ctrl-C off, which ends a wait here.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.vars["banner"] = self.get_help()

    def _fill(self, response: Response | None, request: Request | None) -> None:
        super().populate_vars(response, request, self.own)
        self.vars.update(self.names.variables())
        if not self.names.has_details:
            self.vars.pop("detail", None)

    def get_help(self) -> str:
        """Say what to type."""
        return "\n".join(f"[s] {line}" for line in self.names.lines()) + "\n"

    def print_help(self) -> None:
        """Print what to type."""
        self._say(self.get_help())

    def _say(self, text: str, stream: Any = None) -> None:
        stream = stream or sys.stdout
        # A file or a program gets the page's own text as it is.
        stream.write((printable(text) if stream.isatty() else text).rstrip("\n") + "\n")
        stream.flush()

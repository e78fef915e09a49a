"""`scrapy crawl`: say what starts, refuse what cannot work before anything is started, say how it ended.

Exit codes: 0 for a success of `CloseReason` and for a bound that the user set (``CLOSESPIDER_ITEMCOUNT``,
``_PAGECOUNT``, ``_TIMEOUT``); 2 for wrong arguments, and settings that cannot be read; 1 for everything else, errors
of the spider or of single items in a crawl that went on to its end among them: what they cost is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

from scrapy import Spider, signals
from scrapy.commands import crawl
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.settings import BaseSettings, Settings

from outsourcing_spiders.commands._options import complain
from outsourcing_spiders.commands._preparation import prepare
from outsourcing_spiders.outcomes import Outcome, WrongArgument, judge

logger = logging.getLogger(__name__)

_WITH_FRACTIONS = ("DOWNLOAD_TIMEOUT", "DNS_TIMEOUT")
"""Settings in seconds whose default is a whole number."""
_SECONDS_OF_SERVICES = {"STOP_GRACE": 2.0}
"""Seconds, 0 or more, whose default is the text in the environment; what they are where that cannot be read."""


class StoppableCrawler(Crawler):
    """A crawler that ends as any other when it is told to stop while it starts.

    Scrapy's own takes no notice then: it starts, in a process that ends at the same time.
    """

    _crawl: asyncio.Task[Any] | None = None

    async def crawl_async(self, *args: Any, **kwargs: Any) -> None:
        """Crawl to the end."""
        self._crawl = asyncio.current_task()
        self.signals.connect(self._stop_if_told, signal=signals.engine_started)
        await super().crawl_async(*args, **kwargs)

    async def stop_async(self) -> None:
        """Stop; of a crawl that has not started yet, wait for the end."""
        if not self.crawling:
            return
        self.crawling = False
        engine = self._engine
        if engine is not None and engine.start_time is not None:
            # From here on it can be stopped, if that is not what it does already.
            if engine._starting:
                await engine.stop_async()
        # The crawl itself says so, too, when what was opened is closed before it starts.
        elif self._crawl is not None and self._crawl is not asyncio.current_task():
            await asyncio.wait([self._crawl])

    async def _stop_if_told(self) -> None:
        if not self.crawling and self.engine._starting:
            await self.engine.stop_async()


class Command(crawl.Command):
    """Run a spider; one sentence for each way in which that can fail."""

    _unreadable: WrongArgument | None = None
    """What is wrong with the settings."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the settings of the command line, then make the log fit for an operator."""
        super().process_options(args, opts)
        assert self.settings is not None
        self._unreadable = put_back_unreadable(self.settings)
        if not prepare(self.settings).get("LOG_FILE"):
            # The last line says it, once, with what to do; a log file keeps it where it happened.
            for name in ("middlewares.outcomes", "platforms.listing"):
                logging.getLogger(f"outsourcing_spiders.{name}").addFilter(_tells_no_outcome)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Run the spider that `args` names, to its end."""
        if len(args) != 1:
            super().run(args, opts)
            return
        try:
            if self._unreadable:
                raise self._unreadable
            crawler = self._prepare(args[0], opts.spargs)
        except Outcome as error:
            self._fail(args[0], str(error), error, exitcode=2 if isinstance(error, WrongArgument) else 1)
            return
        raised = self._run(crawler, opts.spargs)
        outcome = getattr(crawler.spider, "outcome", None) or raised
        stats, reason = {}, None
        # Both are missing when the crawl failed before it was set up.
        with suppress(RuntimeError):
            stats = crawler.stats.get_stats()
            reason = stats.get("finish_reason")
        if isinstance(raised, Outcome):
            reason = raised.reason
        if complaint := f"{raised!r}" if raised and raised is not outcome else judge(reason, outcome, stats):
            is_logged = isinstance(getattr(crawler.spider, "outcome", None), Outcome)
            self._fail(args[0], complaint, outcome, exitcode=1, is_logged=is_logged)

    def _prepare(self, name: str, arguments: dict[str, Any]) -> Crawler:
        """Return the crawler, ready to start, and say what it will do; raises `Outcome`."""
        from outsourcing_spiders.middlewares.permission import missing_permission, permitted_platforms, unknown_names
        from outsourcing_spiders.platforms.base import PlatformSpider
        from outsourcing_spiders.storage.engine import Database

        assert self.crawler_process is not None
        spider_or_crawler: Any = self._spider(name)
        if isinstance(self.crawler_process, AsyncCrawlerProcess):
            spider_or_crawler = StoppableCrawler(spider_or_crawler, self.crawler_process.settings)
        crawler = self._create_crawler(spider_or_crawler)
        spidercls, settings = crawler.spidercls, crawler.settings
        if issubclass(spidercls, PlatformSpider):
            spidercls = spidercls.way_in(settings)
            spidercls.check_arguments(arguments)
        # One that is thrown away: the crawler makes its own when the event loop runs, too late for exit code 2.
        spider: Any = spidercls(**arguments)
        permitted = permitted_platforms(settings)
        for sentence in unknown_names(permitted, self.crawler_process.spider_loader.list()):
            logger.warning("%s", sentence)
        if problem := missing_permission(spidercls, getattr(spider, "base_url", ""), permitted):
            raise problem
        target = "stores nothing"
        if settings.getbool("STORAGE_ENABLED"):
            url, root = settings.get("DATABASE_URL") or "", Path(settings["EMBEDDED_POSTGRES_FOLDER"])
            target = f"stores in {Database(url, embedded_root=root).name}"
        asked = ", ".join(f"{name}={value}" for name, value in arguments.items() if not name.startswith("_"))
        end = "reads on through known projects" if getattr(spider, "full", True) else "stops at known projects"
        logger.info("%s starts%s; %s; %s", name, f" with {asked}" if asked else "", target, end)
        return crawler

    def _spider(self, name: str) -> type[Spider]:
        assert self.crawler_process is not None
        loader = self.crawler_process.spider_loader
        if name in (names := loader.list()):
            return loader.load(name)
        near = get_close_matches(name.lower(), names, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}? `scrapy list` names all" if near else "`scrapy list` names them all"
        raise WrongArgument(f"there is no spider {name!r}; {hint}")

    def _run(self, crawler: Crawler, arguments: dict[str, Any]) -> BaseException | None:
        """Crawl; return what was raised while the crawl was set up, if anything was."""
        from outsourcing_spiders.extensions.progress import Progress

        assert self.crawler_process is not None
        crawling: Any = self.crawler_process.crawl(crawler, **arguments)
        raised: list[BaseException] = []
        if isinstance(crawling, asyncio.Future):
            # Asked for, it is not logged as "never retrieved" as well.
            crawling.add_done_callback(lambda task: raised.extend(_raised_by(task)))
        else:
            crawling.addErrback(lambda failure: raised.append(failure.value))
        try:
            self.crawler_process.start()
        finally:
            # A second SIGINT ends the event loop before the spider is closed.
            with suppress(RuntimeError):
                if progress := crawler.get_extension(Progress):
                    progress.close()
        for error in raised:
            if not isinstance(error, Outcome):
                logger.error("The crawl could not be set up", exc_info=error)
        return raised[0] if raised else None

    def _fail(self, name: str, complaint: str, error: object, *, exitcode: int, is_logged: bool = False) -> None:
        self.exitcode = exitcode
        assert self.crawler_process is not None
        if self.crawler_process.settings.get("LOG_FILE") and not is_logged:
            # Whoever reads only the log, as with Scrapyd, does not see what is printed.
            logger.error("%s", complaint)
        if isinstance(error, BaseException):
            logger.debug("What ended the crawl", exc_info=error)
        complain("crawl", name, complaint)


def put_back_unreadable(settings: BaseSettings) -> WrongArgument | None:
    """Give settings that cannot be read their defaults, so that there is a log to say it in; return what to say.

    A number, and what is on or off, is told by the default.
    """
    defaults = Settings()
    defaults.setmodule("outsourcing_spiders.settings", priority="project")
    problem = None
    for name, default in {**defaults, **_SECONDS_OF_SERVICES}.items():
        wanted = _wanted(settings, name, default)
        if wanted is not None:
            problem = problem or WrongArgument(f"{name}={settings[name]!r} is no {wanted}")
            settings.set(name, default, priority="cmdline")
    return problem


def _wanted(settings: BaseSettings, name: str, default: object) -> str | None:
    """Return what a setting has to be and is not; ``None`` when nothing is wrong with it."""
    value = settings[name]
    if name == "LOG_LEVEL":
        levels = logging.getLevelNamesMapping()
        return None if value in levels or value in levels.values() else "level, such as DEBUG, INFO, WARNING or ERROR"
    read: Callable[[str], float]
    if name in _SECONDS_OF_SERVICES:
        wanted, read = "number of seconds, 0 or more", settings.getfloat
    elif isinstance(default, bool):
        wanted, read = "switch (1 or 0)", settings.getbool
    elif isinstance(default, int) and name not in _WITH_FRACTIONS:
        wanted, read = "whole number", settings.getint
    elif isinstance(default, (int, float)):
        wanted, read = "number", settings.getfloat
    else:
        return None
    try:
        number = read(name)
        is_right = isfinite(number) and (number >= 0 or name not in _SECONDS_OF_SERVICES)
    except (ArithmeticError, TypeError, ValueError):
        is_right = False
    return None if is_right else wanted


def _raised_by(task: asyncio.Future[Any]) -> list[BaseException]:
    error = None if task.cancelled() else task.exception()
    return [error] if error else []


def _tells_no_outcome(record: logging.LogRecord) -> bool:
    return not any(isinstance(argument, Outcome) for argument in record.args or ())

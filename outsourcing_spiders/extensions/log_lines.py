"""What an operator reads: one line for each item that is not stored, none for those that are, no inventories."""

from __future__ import annotations

import logging
import sys
from typing import Any, Self

from itemadapter import ItemAdapter
from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

# What is not said unless LOG_LEVEL is DEBUG: the logger, how its messages begin. Errors are always said.
_NOISE = {
    # Which versions are installed: `scrapy version -v` says it.
    "scrapy.utils.log": ("Scrapy ", "Versions:"),
    # What settings.py says already; what is disabled there or by the command is so on purpose.
    "scrapy.addons": ("Enabled ",),
    "scrapy.middleware": ("Enabled ", "Disabled outsourcing_spiders."),
    "scrapy.crawler": ("Overridden settings",),
    # The command's first line and the summary say both, with more in them.
    "scrapy.core.engine": ("Spider opened", "Closing spider", "Spider closed"),
    # `storage.engine` says in one line which revision the schema is now at.
    "alembic.runtime.plugins": ("setup plugin",),
    "alembic.runtime.migration": ("Context impl", "Will assume", "Running upgrade"),
}
_NOT_DOWNLOADED = "No answer from %(request)s: %(reason)s"
_NO_ROBOTS_TXT = "Error downloading %(request)s: %(f_exception)s"
_TERMINAL_FORMAT, _TERMINAL_DATES = "%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"


def shows_debug(settings: BaseSettings) -> bool:
    """Tell whether the log is for a developer, who sees everything."""
    level = settings.get("LOG_LEVEL")
    return (level if isinstance(level, int) else logging.getLevelNamesMapping().get(str(level), 0)) < logging.INFO


def make_readable(settings: BaseSettings) -> None:
    """Leave out what an operator does not need, and on a terminal the names of loggers; nothing at level DEBUG.

    Files and pipes keep Scrapy's format, which tools read.
    """
    if shows_debug(settings):
        return
    for name, beginnings in _NOISE.items():
        # A level would not last: Scrapy's logging configuration resets those of its own loggers.
        logging.getLogger(name).addFilter(_Without(beginnings))
    for name in ("scrapy.core.scraper", "scrapy.downloadermiddlewares.robotstxt"):
        logging.getLogger(name).addFilter(_shorten_download_error)
    if sys.stderr.isatty() and not settings.get("LOG_FILE"):
        # The lowest priority but Scrapy's defaults.
        settings.set("LOG_FORMAT", _TERMINAL_FORMAT, priority="command")
        settings.set("LOG_DATEFORMAT", _TERMINAL_DATES, priority="command")


class _Without(logging.Filter):
    def __init__(self, beginnings: tuple[str, ...]) -> None:
        super().__init__()
        self._beginnings = beginnings

    def filter(self, record: logging.LogRecord) -> bool:
        # Most of what is logged is DEBUG, which no handler takes: not worth formatting.
        if record.levelno < logging.INFO or record.levelno >= logging.ERROR:
            return True
        return not record.getMessage().startswith(self._beginnings)


def _shorten_download_error(record: logging.LogRecord) -> bool:
    # Where in Scrapy a connection was refused helps nobody.
    if record.msg in (_NOT_DOWNLOADED, _NO_ROBOTS_TXT):
        record.exc_info = None
    return True


class LogLines(LogFormatter):
    """Scrapy's lines, shortened: an item is named by its address, never printed whole."""

    def __init__(self, level: int = logging.INFO) -> None:
        self._tells_all = level <= logging.DEBUG

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the formatter."""
        # Scrapy's root logger lets everything through and leaves it to the handler: a line for each item
        # would be made, and thrown away, at every level.
        return cls(logging.getLevelNamesMapping().get(str(crawler.settings["LOG_LEVEL"]).upper(), logging.DEBUG))

    def scraped(  # type: ignore[override] # Scrapy takes None for "say nothing"
        self, item: Any, response: Response | Failure | None, spider: Spider
    ) -> LogFormatterResult | None:
        """Say nothing, but at level DEBUG."""
        if self._tells_all:
            return super().scraped(item, response, spider)
        return None

    def dropped(
        self, item: Any, exception: BaseException, response: Response | Failure | None, spider: Spider
    ) -> LogFormatterResult:
        """Name the item and the reason."""
        return {
            "level": logging.WARNING,
            "msg": "Rejected %(item)s: %(reason)s",
            "args": {"item": _address(item, response), "reason": exception},
        }

    def item_error(
        self, item: Any, exception: BaseException, response: Response | Failure | None, spider: Spider
    ) -> LogFormatterResult:
        """Name the item; the traceback follows."""
        return {
            "level": logging.ERROR,
            "msg": "Error processing %(item)s: %(reason)s",
            "args": {"item": _address(item, response), "reason": exception},
        }

    def download_error(
        self, failure: Failure, request: Request, spider: Spider, errmsg: str | None = None
    ) -> LogFormatterResult:
        """Name the address and the reason; a traceback follows at level DEBUG only."""
        reason = errmsg or failure.getErrorMessage() or repr(failure.value)
        return {"level": logging.ERROR, "msg": _NOT_DOWNLOADED, "args": {"request": request, "reason": reason}}


def _address(item: Any, response: Response | Failure | None) -> str:
    fields = ItemAdapter(item) if ItemAdapter.is_item(item) else {}
    return str(fields.get("url") or getattr(response, "url", None) or type(item).__name__)

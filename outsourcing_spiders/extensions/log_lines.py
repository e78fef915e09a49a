"""One line in the log for each item that is not stored; none for those that are."""

from __future__ import annotations

import logging
from typing import Any

from itemadapter import ItemAdapter
from scrapy import Spider
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult
from twisted.python.failure import Failure


class LogLines(LogFormatter):
    """Scrapy's lines, shortened: an item is named by its address, never printed whole."""

    def scraped(  # type: ignore[override] # Scrapy takes None for "say nothing"
        self, item: Any, response: Response | Failure | None, spider: Spider
    ) -> LogFormatterResult | None:
        """Say nothing, but at level DEBUG."""
        if logging.getLogger("scrapy.core.scraper").isEnabledFor(logging.DEBUG):
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


def _address(item: Any, response: Response | Failure | None) -> str:
    fields = ItemAdapter(item) if ItemAdapter.is_item(item) else {}
    return str(fields.get("url") or getattr(response, "url", None) or type(item).__name__)

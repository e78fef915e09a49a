"""`scrapy parse` without storing: no database is touched; with ``--pipelines``, items are cleaned all the same."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import warnings
from typing import Any

from scrapy.commands import parse
from scrapy.exceptions import DropItem, ScrapyDeprecationWarning

from outsourcing_spiders.commands._preparation import prepare, store_nothing
from outsourcing_spiders.extensions.log_redaction import hide
from outsourcing_spiders.outcomes import WrongArgument

logger = logging.getLogger(__name__)


class Command(parse.Command):
    """Run a callback on one page and print what it makes of it."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        store_nothing(self.settings)
        super().process_options(args, opts)
        prepare(self.settings)
        self._pending: set[asyncio.Task[None]] = set()

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Refuse wrong arguments in one sentence, then parse."""
        # It is Scrapy's own callback that returns one.
        warnings.filterwarnings("ignore", message=".*returned a Deferred", category=ScrapyDeprecationWarning)
        assert self.crawler_process is not None
        loader = self.crawler_process.spider_loader
        try:
            if opts.spider in loader.list():
                loader.load(opts.spider)(**opts.spargs)
        except WrongArgument as error:
            self.exitcode = 2
            sys.stderr.write(hide(f"scrapy parse: {error}\n"))
            return
        super().run(args, opts)

    def scraped_data(self, args: tuple[Any, ...]) -> list[Any]:
        """Send items through the pipelines; one that is refused is named with the reason, and not shown.

        Scrapy's own does not look at what becomes of them.
        """
        items, requests, opts, depth, spider, callback = args
        if opts.pipelines:
            for item in items:
                task = asyncio.ensure_future(self._process(item, depth))
                self._pending.add(task)
                task.add_done_callback(self._pending.discard)
            opts = argparse.Namespace(**{**vars(opts), "pipelines": False})
        return super().scraped_data((items, requests, opts, depth, spider, callback))

    async def _process(self, item: Any, depth: int) -> None:
        try:
            await self.pcrawler.engine.scraper.itemproc.process_item_async(item)
        except DropItem as error:
            logger.warning("Rejected %s: %s", getattr(item, "url", None) or type(item).__name__, error)
            self.items[depth] = [kept for kept in self.items[depth] if kept is not item]
        except Exception:
            logger.exception("Error processing %s", getattr(item, "url", None) or type(item).__name__)

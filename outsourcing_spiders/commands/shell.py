"""`scrapy shell` with a spider's own parsers, without storing: no database is touched."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from scrapy.commands import shell
from scrapy.exceptions import UsageError

from outsourcing_spiders.commands._options import declare_spider_arguments, read_spider_arguments
from outsourcing_spiders.commands._preparation import only_look, prepare, printing
from outsourcing_spiders.extensions.log_redaction import shown
from outsourcing_spiders.outcomes import Outcome, WrongArgument

logger = logging.getLogger(__name__)

_PATIENCE = 60.0
_MOST_PATIENCE = 86_400.0


class Command(shell.Command):
    """Look at an answer in a Python console."""

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options] [ADDRESS | FILE]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Look at a page with a spider's own parsers: rows, item(row), explain(row)"

    def long_desc(self) -> str:
        """Say what it shows."""
        return (
            "Look at a live page, or at a saved one, in a Python console: rows, item(row), explain(row), detail(item). "
            "It asks as the spider would (its headers, pace, browser, robots.txt; no database). With --spider and "
            "without ADDRESS: the first page of the spider's listing."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        declare_spider_arguments(parser)
        parser.add_argument(
            "--timeout",
            type=float,
            default=_PATIENCE,
            metavar="SECONDS",
            help="how long an answer is waited for (default: %(default).0f)",
        )

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        only_look(self.settings)
        super().process_options(args, opts)
        read_spider_arguments(opts)
        # Not even nan is between them.
        if not 0 < opts.timeout <= _MOST_PATIENCE:
            raise UsageError("--timeout takes a number of seconds above 0, a day at most", print_help=False)
        prepare(self.settings)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Open the console; a saved page belongs to the spider that its path names, an address to its host's."""
        from outsourcing_spiders.debugging.answers import source_of, spider_of_address, spider_of_file
        from outsourcing_spiders.debugging.one_page import NothingCame

        if len(args) > 1:
            raise UsageError
        assert self.crawler_process is not None
        loader = self.crawler_process.spider_loader
        try:
            if sys.stdin is None and not opts.code:
                raise WrongArgument("standard input is closed, so that nothing can be typed; -c CODE prints and ends")
            file, address = source_of(args[0] if args else None)
            name = opts.spider
            if name is None and file is not None:
                name = spider_of_file(loader, file)
            elif name is None and address is not None:
                name = spider_of_address(loader, address)
            with printing():
                if name is None or not self._look(name, address, file, opts):
                    opts.spider = name
                    self._look_without_parsers(file.resolve().as_uri() if file else address, opts)
        except (Outcome, NothingCame) as error:
            self.exitcode = 2 if isinstance(error, WrongArgument) else 1
            sys.stderr.write(shown(f"scrapy shell: {error}\n"))

    def _look_without_parsers(self, source: str | None, opts: argparse.Namespace) -> None:
        """Open Scrapy's own console."""
        from outsourcing_spiders.debugging.console import told_of_code

        assert self.settings is not None
        if opts.spider is None:
            sys.stderr.write("No spider is known for this; --spider=NAME puts rows, item and explain in reach.\n")
        # Scrapy waits for an answer without an end of its own, and asks again.
        self.settings.set("DOWNLOAD_TIMEOUT", opts.timeout, priority="cmdline")
        self.settings.set("RETRY_ENABLED", False, priority="cmdline")
        try:
            super().run([source] if source else [], opts)
        except BrokenPipeError:
            raise
        except Exception as error:
            logger.debug("scrapy shell %s", source, exc_info=True)
            self.exitcode = 1
            sys.stderr.write(shown(f"scrapy shell: {told_of_code(error)}\n"))

    def _look(self, name: str, address: str | None, file: Path | None, opts: argparse.Namespace) -> bool:
        """Open the console of a spider; return whether it is one that reads a listing."""
        from outsourcing_spiders.debugging import fixtures
        from outsourcing_spiders.debugging.answers import take_way_in
        from outsourcing_spiders.debugging.console import SpiderShell
        from outsourcing_spiders.debugging.one_page import load, spider_named
        from outsourcing_spiders.middlewares.permission import missing_permission, permitted_platforms
        from outsourcing_spiders.platforms.listing import ListingSpider

        process: Any = self.crawler_process
        found = spider_named(process.spider_loader, name)
        if not issubclass(found, ListingSpider):
            return False
        spidercls: type[ListingSpider[Any]] = found
        crawler = process._create_crawler(spidercls)
        saved = None
        if file is not None:
            arguments = {"arguments": opts.spargs, "place": None, "detail": False}
            saved = load(crawler.settings, spidercls, file, **arguments)
            way_in = saved.meta.way_in
            take_way_in(crawler.settings, spidercls, way_in if isinstance(way_in, str) else None)
        crawler._apply_settings()
        spider = crawler.spider = crawler._create_spider(**((saved and saved.meta.arguments) or opts.spargs))
        if file is None:
            problem = missing_permission(
                type(spider), address or spider.base_url, permitted_platforms(crawler.settings)
            )
            if problem is not None:
                raise problem
        console = SpiderShell(crawler, self._run_engine, self._stop_engine, patience=opts.timeout, code=opts.code)
        if saved is not None:
            meta = saved.meta
            listed = fixtures.from_json(meta.item) if isinstance(meta.item, dict) else None
            answer = fixtures.answer(meta, saved.body)
            console.show(answer, listed=listed, is_detail=meta.read_by == "detail")
        else:
            console.fetch(address, redirect=not opts.no_redirect)
        try:
            if console.problem is None or not opts.code:
                console.run()
            if console.problem is not None and opts.code:
                self.exitcode = 1
        finally:
            console.leave(self.exitcode)
        return True

    def _run_engine(self) -> None:
        process: Any = self.crawler_process
        process.start(stop_after_crawl=False, install_signal_handlers=False)

    def _stop_engine(self) -> None:
        process: Any = self.crawler_process
        if process.settings.getbool("TWISTED_REACTOR_ENABLED"):
            from twisted.internet import reactor

            running: Any = reactor
            running.callFromThread(running.stop)
        else:
            process._reactorless_loop.call_soon_threadsafe(process._reactorless_main_task.cancel)

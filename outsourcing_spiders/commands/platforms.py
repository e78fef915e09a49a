"""``scrapy platforms``: what can be crawled, under which terms, what it needs, and how it stands with each."""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys

from scrapy.commands import ScrapyCommand
from scrapy.spiderloader import get_spider_loader
from scrapy.utils.log import configure_logging


class Command(ScrapyCommand):
    """Serve ``scrapy platforms [NAME]``; exits with 2 for a wrong command line. Nothing is made or migrated."""

    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options] [NAME]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "List the platforms: terms, what they need, how their last crawls ended"

    def long_desc(self) -> str:
        """Say what there is."""
        return (
            "List the platforms that can be crawled: whether their terms allow it, what they need, how the last "
            "crawl ended, what is stored. With a NAME, say all there is about that platform. It makes no database, and "
            "works without one."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        parser.add_argument("--json", action="store_true", help="as one JSON object, in full")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Print the table, or one platform; what is missing is said in a line each."""
        from outsourcing_spiders.administration.platforms import print_report
        from outsourcing_spiders.platforms.base import PlatformSpider
        from outsourcing_spiders.storage.export_file import OutputError, ReaderGone

        assert self.settings is not None
        if opts.loglevel or opts.logfile:
            configure_logging(self.settings)
        unknown = [arg for arg in args if arg.startswith("-")] or args[1:]
        if unknown:
            self._fail(f"unknown argument {unknown[0]!r}; see: scrapy platforms -h", exitcode=2)
            return
        loader = get_spider_loader(self.settings)
        found = [loader.load(name) for name in sorted(loader.list())]
        spiders = {spidercls.name: spidercls for spidercls in found if issubclass(spidercls, PlatformSpider)}
        if args and args[0] not in spiders:
            near = difflib.get_close_matches(args[0].casefold(), spiders, n=1)
            hint = f"did you mean {near[0]}?" if near else "`scrapy platforms` lists them all."
            self._fail(f"there is no platform {args[0]!r}; {hint}", exitcode=2)
            return
        wanted = [spiders[args[0]]] if args else list(spiders.values())
        try:
            print_report(wanted, self.settings, list(spiders), as_json=opts.json, whole=bool(args))
        except ReaderGone:
            # What is still buffered has nowhere to go, and Python would say so at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OutputError as error:
            self._fail(str(error), exitcode=1)
        except KeyboardInterrupt:
            self._fail("stopped.", exitcode=128 + signal.SIGINT)

    def _fail(self, sentence: str, *, exitcode: int) -> None:
        sys.stderr.write(f"scrapy platforms: {sentence}\n")
        self.exitcode = exitcode

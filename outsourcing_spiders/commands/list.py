"""``scrapy list``: on a terminal, what each spider reads, under which terms, and what it needs; else names alone.

Programs, such as Scrapyd's runner, read the names from a pipe: there nothing else is printed.
"""

from __future__ import annotations

import argparse
import sys

from scrapy.commands import list as scrapys
from scrapy.spiderloader import get_spider_loader

from outsourcing_spiders.commands._preparation import printing


class Command(scrapys.Command):
    """List the spiders; nothing is asked of the database, as ``scrapy platforms`` does."""

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "List the spiders: what they read, under which terms, what they need"

    def long_desc(self) -> str:
        """Say what is printed where."""
        return (
            "List the spiders with what they read, their access (api: a documented API; public: pages for anybody; "
            "permission: only with the platform's own) and what they need. Into a pipe or a file: their names alone, "
            "one a line. `scrapy platforms` tells what is stored of each."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        parser.add_argument("--explain", action="store_true", help="the table, into a pipe or a file, too")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Print the table, or the names."""
        assert self.settings is not None
        if not (opts.explain or sys.stdout.isatty()):
            super().run(args, opts)
            return
        from outsourcing_spiders.administration.platforms import list_of

        loader = get_spider_loader(self.settings)
        with printing():
            sys.stdout.write(list_of([loader.load(name) for name in sorted(loader.list())], self.settings) + "\n")

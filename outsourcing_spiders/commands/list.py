"""``scrapy list``: on a terminal, what each spider reads, under which terms, and what it needs; else names alone.

Programs, such as Scrapyd's runner, read the names from a pipe: there nothing else is printed.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from typing import Any

from scrapy import Spider
from scrapy.commands import list as scrapys
from scrapy.spiderloader import get_spider_loader

from outsourcing_spiders.commands._platforms_table import Row, as_list
from outsourcing_spiders.commands.platforms import describe
from outsourcing_spiders.middlewares.permission import permitted_platforms
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.storage.overview import Overview, PlatformOverview


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
        loader = get_spider_loader(self.settings)
        rows = [self._row(loader.load(name)) for name in sorted(loader.list())]
        sys.stdout.write(as_list(rows) + "\n")

    def _row(self, spidercls: type[Spider]) -> Row:
        reads = (inspect.getdoc(spidercls) or "").partition("\n")[0].rstrip(".")
        # Scrapy's own docstring says nothing of a spider that has none.
        reads = reads if spidercls.__doc__ else "-"
        if not issubclass(spidercls, PlatformSpider):
            return Row(spidercls.name, None, [], reads)
        assert self.settings is not None
        nothing = Overview({spidercls.name: PlatformOverview()})
        platform = describe(spidercls, self.settings, permitted_platforms(self.settings), nothing)
        needs = platform.needs
        if platform.permission == "missing":
            needs = [f"its permission (PERMITTED_PLATFORMS={platform.name})", *needs]
        official: Any = getattr(spidercls, "official_api", None)
        if official is not None:
            is_set = spidercls.way_in(self.settings) is official
            needs = [*needs, f"or its API: {', '.join(official.needs)} ({'set' if is_set else 'not set'})"]
        return Row(spidercls.name, platform, needs, reads)

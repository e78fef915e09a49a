"""``scrapy diff``: ask for one page, and say field by field what changed against the rows that are stored.

Exit codes: 0, whatever clients and bidders changed; 1 when the page cannot be read, when rows of it cannot, or when a
field that is filled in the stored rows is empty in all of the page: signs of a broken layout; 1 also without a
database; 2 for wrong arguments. Nothing is written.
"""

from __future__ import annotations

import argparse
import sys

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError

from outsourcing_spiders.commands._options import (
    complain,
    declare_page,
    declare_spider_arguments,
    read_spider_arguments,
)
from outsourcing_spiders.commands._preparation import prepare, printing, store_nothing, tolerate_broken_spiders
from outsourcing_spiders.extensions.log_redaction import shown
from outsourcing_spiders.outcomes import Outcome, WrongArgument


class Command(ScrapyCommand):
    """Serve ``scrapy diff SPIDER [ADDRESS | FILE]``."""

    requires_project = True

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options] SPIDER [ADDRESS | FILE]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Ask for one page, and say what changed against the stored rows"

    def long_desc(self) -> str:
        """Say what is compared."""
        return (
            "Ask for one page of the listing as the spider would (permission, robots.txt, pace, block guard), or read "
            "a saved FILE; make and clean the items; and say field by field what a crawl would change in the stored "
            "rows. What is filled there and empty on the whole page comes first: the sign of a broken layout. "
            "Nothing is written. Without ADDRESS: the first page. Exit code 1: the page, or a field of it, is lost."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        declare_spider_arguments(parser)
        declare_page(parser, detail="the own page of the first project that is listed")
        told = "all changed values, instead of a few of each field"
        parser.add_argument("-v", "--verbose", action="store_true", help=told)

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        store_nothing(self.settings)
        tolerate_broken_spiders(self.settings)
        assert self.settings is not None
        self.settings.set("PROGRESS", "off", priority="project")
        super().process_options(args, opts)
        read_spider_arguments(opts)
        prepare(self.settings)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Compare, and say what differs."""
        from outsourcing_spiders.debugging.one_page import NothingCame
        from outsourcing_spiders.debugging.page_diff import page_diff

        if not 1 <= len(args) <= 2:
            raise UsageError
        assert self.crawler_process is not None
        try:
            told, is_broken = page_diff(self.crawler_process, args[0], args[1] if len(args) == 2 else None, opts)
            with printing():
                sys.stdout.write(shown(f"{told}\n"))
            self.exitcode = int(is_broken)
        except WrongArgument as error:
            self._fail(args[0], str(error), exitcode=2)
        except (NothingCame, Outcome, OSError) as error:
            self._fail(args[0], str(error), exitcode=1)

    def _fail(self, name: str, sentence: str, *, exitcode: int) -> None:
        self.exitcode = exitcode
        complain("diff", name, sentence)

"""``scrapy capture``: save one answer of a platform as a fixture, with the items that its spider makes of it.

Exit codes: 0; 1 when nothing could be read (what came is saved all the same); 2 for wrong arguments.
"""

from __future__ import annotations

import argparse

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError

from outsourcing_spiders.commands._options import (
    complain,
    declare_page,
    declare_spider_arguments,
    read_spider_arguments,
)
from outsourcing_spiders.commands._preparation import only_look, prepare, printing
from outsourcing_spiders.outcomes import PermissionRequired, WrongArgument


class Command(ScrapyCommand):
    """Serve ``scrapy capture SPIDER [ADDRESS | FILE]``."""

    requires_project = True

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options] SPIDER [ADDRESS | FILE]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Save an answer of a platform as a fixture, with the items that it gives"

    def long_desc(self) -> str:
        """Say what is saved and where."""
        return (
            "Ask for one page as the spider would (its headers, pace, robots.txt; no database), or read a saved FILE, "
            "and save it to tests/fixtures/SPIDER: the page without secrets, cookies, e-mail addresses, telephone "
            "numbers and names that are marked as such, what it has to be read with, and the items that the spider "
            "makes of it. It says which fields are empty and what changed since. Without ADDRESS: the first page of "
            "the spider's listing."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        declare_spider_arguments(parser)
        declare_page(parser, detail="a project's own page; without ADDRESS that of the first one listed")
        add = parser.add_argument
        add("--name", metavar="NAME", help="name of the fixture (default: listing, detail, the name of FILE)")
        add("--folder", metavar="FOLDER", help="where to save (default: tests/fixtures/SPIDER)")
        add("--address", metavar="ADDRESS", help="where a FILE came from (default: the spider's first page)")
        add("--force", action="store_true", help="overwrite a fixture; says what changed")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        only_look(self.settings)
        assert self.settings is not None
        self.settings.set("PROGRESS", "off", priority="project")
        super().process_options(args, opts)
        read_spider_arguments(opts)
        prepare(self.settings)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Capture, and say what was captured."""
        from outsourcing_spiders.debugging.capture import capture
        from outsourcing_spiders.debugging.one_page import NothingCame

        if not 1 <= len(args) <= 2:
            raise UsageError
        assert self.crawler_process is not None
        name = args[0]
        try:
            with printing():
                problem = capture(self.crawler_process, name, args[1] if len(args) == 2 else None, opts)
            if problem:
                self._fail(name, problem, exitcode=1)
        except WrongArgument as error:
            self._fail(name, str(error), exitcode=2)
        except (NothingCame, PermissionRequired, OSError) as error:
            self._fail(name, str(error), exitcode=1)

    def _fail(self, name: str, sentence: str, *, exitcode: int) -> None:
        self.exitcode = exitcode
        complain("capture", name, sentence)

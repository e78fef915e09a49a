"""``scrapy diff``: ask for one page, and say field by field what changed against the rows that are stored.

Exit codes: 0, whatever clients and bidders changed; 1 when the page cannot be read, when rows of it cannot, or when a
field that is filled in the stored rows is empty in all of the page: signs of a broken layout; 1 also without a
database; 2 for wrong arguments. Nothing is written.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from scrapy.utils.conf import arglist_to_dict

from outsourcing_spiders.commands._one_page import NothingCame, OnePage, fetch, file_of, load, reader_named
from outsourcing_spiders.commands._preparation import prepare, store_nothing
from outsourcing_spiders.extensions.log_redaction import hide
from outsourcing_spiders.outcomes import Outcome, StorageError, WrongArgument
from outsourcing_spiders.storage.status import is_made

if TYPE_CHECKING:
    from outsourcing_spiders.debugging.fixtures import Reading
    from outsourcing_spiders.debugging.stored import Comparison
    from outsourcing_spiders.platforms.listing import ListingSpider


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
        add = parser.add_argument
        add("-a", dest="spargs", action="append", default=[], metavar="NAME=VALUE", help="set spider argument")
        add("-v", "--verbose", action="store_true", help="all changed values, instead of a few of each field")
        add("--detail", action="store_true", help="the own page of the first project that is listed")
        add("--page", metavar="PLACE", help="page of the listing: its number, its offset or its cursor")
        add("--date", metavar="TIME", help="when a FILE came, in ISO 8601 with a zone (default: the file's time)")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        store_nothing(self.settings)
        assert self.settings is not None
        self.settings.set("PROGRESS", "off", priority="project")
        super().process_options(args, opts)
        try:
            opts.spargs = arglist_to_dict(opts.spargs)
        except ValueError:
            raise UsageError("Invalid -a value, use -a NAME=VALUE", print_help=False) from None
        prepare(self.settings)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Compare, and say what differs."""
        if not 1 <= len(args) <= 2:
            raise UsageError
        try:
            self._diff(args[0], args[1] if len(args) == 2 else None, opts)
        except WrongArgument as error:
            self._fail(args[0], str(error), exitcode=2)
        except (NothingCame, Outcome, OSError) as error:
            self._fail(args[0], str(error), exitcode=1)

    def _diff(self, name: str, source: str | None, opts: argparse.Namespace) -> None:
        # Scrapy imports the modules of all commands for each of them.
        from outsourcing_spiders.debugging import fixtures, stored
        from outsourcing_spiders.storage.stored_rows import stored_rows

        assert self.crawler_process is not None
        settings = self.crawler_process.settings
        spidercls = reader_named(self.crawler_process.spider_loader, name, place=opts.page, detail=opts.detail)
        spidercls(**opts.spargs)
        file = file_of(source)
        if opts.detail and source and file is None:
            raise WrongArgument("which project a page is of, the listing tells; leave ADDRESS out, or --detail")
        url, root = str(settings.get("DATABASE_URL") or ""), Path(settings["EMBEDDED_POSTGRES_FOLDER"])
        if not url.strip() and not is_made(root):
            # Nothing has to be asked of the platform for that.
            raise StorageError("nothing is stored yet, so there is nothing to compare with; crawl first")
        wanted = {"arguments": opts.spargs, "place": opts.page, "detail": opts.detail}
        if file is None:
            page = fetch(self.crawler_process, spidercls, source, **wanted)
        else:
            page = load(settings, spidercls, file, **wanted, date=opts.date)
        reading = fixtures.read(spidercls, settings, page.meta, page.body)
        if reading.outcome:
            raise NothingCame(f"{reading.outcome.replace('_', ' ')}: {reading.problem}")
        projects = [fixtures.from_json(item) for item in reading.items]
        pairs = asyncio.run(stored_rows(url, projects, embedded_root=root))
        found = stored.hold_against(pairs, listed=_listed(spidercls))
        lines = [
            _first_line(name, page, reading),
            *_lost_lines(reading),
            *stored.broken_lines(found),
            *_left_out_lines(page, reading),
            *stored.change_lines(found, every_value=opts.verbose),
        ]
        sys.stdout.write(hide("\n".join([lines[0], *(f"  {line}" for line in lines[1:])]) + "\n"))
        sys.stdout.flush()
        self.exitcode = int(_is_broken(reading, found))

    def _fail(self, name: str, sentence: str, *, exitcode: int) -> None:
        self.exitcode = exitcode
        end = "" if sentence.endswith((".", "?", "!")) else "."
        sys.stderr.write(hide(f"scrapy diff {name}: {sentence}{end}\n"))


def _first_line(name: str, page: OnePage, reading: Reading) -> str:
    from outsourcing_spiders.debugging.stored import plural

    told = f"{plural(reading.rows, 'row')}, {plural(len(reading.items), 'item')}"
    return f"{name}: {page.meta.address} answered {page.meta.status}: {told}"


def _lost_lines(reading: Reading) -> Iterator[str]:
    if reading.unreadable:
        first = f": {reading.errors[0]}" if reading.errors else ": they have no id"
        yield f"broken?  {reading.unreadable} of {reading.rows} rows cannot be read{first}"


def _left_out_lines(page: OnePage, reading: Reading) -> Iterator[str]:
    for what, count in reading.skipped.items():
        yield f"left out {count}: {what}"
    for why, count in reading.refused.items():
        yield f"refused  {count}: {why}"
    if page.note:
        yield f"note     {page.note}"


def _is_broken(reading: Reading, found: Comparison) -> bool:
    return bool(reading.unreadable or found.empty)


def _listed(spidercls: type[ListingSpider[Any]]) -> frozenset[str]:
    """Return the columns that pages of the listing fill, as far as fixtures tell."""
    from outsourcing_spiders.debugging.fixtures import find, folder_of, from_json
    from outsourcing_spiders.debugging.stored import filled_columns

    listed = []
    for files in find(folder_of(spidercls.name)):
        try:
            fixture = files.load()
        except ValueError:
            continue
        if fixture.meta.read_by == "parse":
            listed += [from_json(item) for item in fixture.items]
    return filled_columns(listed)

"""What a crawl would change in the stored rows, told from one page."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scrapy.crawler import CrawlerProcessBase

from outsourcing_spiders.debugging import fixtures, stored
from outsourcing_spiders.debugging.one_page import NothingCame, OnePage, fetch, file_of, load, reader_named
from outsourcing_spiders.debugging.reading import Reading, quiet, read
from outsourcing_spiders.outcomes import StorageError, WrongArgument
from outsourcing_spiders.platforms.listing import ListingSpider
from outsourcing_spiders.storage.status import is_made
from outsourcing_spiders.storage.stored_rows import stored_rows


def page_diff(process: CrawlerProcessBase, name: str, source: str | None, opts: argparse.Namespace) -> tuple[str, bool]:
    """Return what differs, in lines, and whether the page shows signs of a broken layout.

    `opts` are those of ``scrapy diff``. Raises `WrongArgument`, `NothingCame` and `Outcome`, `StorageError` among them.
    """
    settings = process.settings
    wanted = {"arguments": opts.spargs, "place": opts.page, "detail": opts.detail}
    file = file_of(source)
    spidercls = reader_named(process, name, file, **wanted)
    if opts.detail and source and file is None:
        raise WrongArgument("which project a page is of, the listing tells; leave ADDRESS out, or --detail")
    url, root = str(settings.get("DATABASE_URL") or ""), Path(settings["EMBEDDED_POSTGRES_FOLDER"])
    if not url.strip() and not is_made(root):
        # Nothing has to be asked of the platform for that.
        raise StorageError("nothing is stored yet, so there is nothing to compare with; crawl first")
    if file is None:
        page = fetch(process, spidercls, source, **wanted)
    else:
        page = load(settings, spidercls, file, **wanted, date=opts.date)
    with quiet():
        reading = read(spidercls, settings, page.meta, page.body)
    if reading.outcome:
        nameless = f" ({reading.nameless} of {reading.rows} rows have no id)" if reading.nameless else ""
        raise NothingCame(f"{reading.outcome.replace('_', ' ')}: {reading.problem}{nameless}")
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
    return "\n".join([lines[0], *(f"  {line}" for line in lines[1:])]), bool(reading.unreadable or found.empty)


def _first_line(name: str, page: OnePage, reading: Reading) -> str:
    told = f"{stored.plural(reading.rows, 'row')}, {stored.plural(len(reading.items), 'item')}"
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


def _listed(spidercls: type[ListingSpider[Any]]) -> frozenset[str]:
    """Return the columns that pages of the listing fill, as far as fixtures tell."""
    listed = []
    for files in fixtures.find(fixtures.folder_of(spidercls.name)):
        try:
            fixture = files.load()
        except ValueError:
            continue
        if fixture.meta.read_by == "parse":
            listed += [fixtures.from_json(item) for item in fixture.items]
    return stored.filled_columns(listed)

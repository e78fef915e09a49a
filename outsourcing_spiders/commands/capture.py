"""``scrapy capture``: save one answer of a platform as a fixture, with the items that its spider makes of it.

Exit codes: 0; 1 when nothing could be read (what came is saved all the same); 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from scrapy.utils.conf import arglist_to_dict

from outsourcing_spiders.commands._one_page import (
    NothingCame,
    OnePage,
    fetch,
    file_of,
    load,
    reader_named,
)
from outsourcing_spiders.commands._preparation import prepare, show_blocks, store_nothing
from outsourcing_spiders.extensions.log_redaction import hide
from outsourcing_spiders.outcomes import PermissionRequired, WrongArgument

if TYPE_CHECKING:
    from outsourcing_spiders.debugging.fixtures import Files, Reading
    from outsourcing_spiders.platforms.listing import ListingSpider

_MANY = 40


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
            "and save it to tests/fixtures/SPIDER: the page without secrets, cookies, e-mail addresses and telephone "
            "numbers, what it has to be read with, and the items that the spider makes of it. It says which fields are "
            "empty and what changed since. Without ADDRESS: the first page of the spider's listing."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        add = parser.add_argument
        add("-a", dest="spargs", action="append", default=[], metavar="NAME=VALUE", help="set spider argument")
        add("--detail", action="store_true", help="a project's own page; without ADDRESS that of the first one listed")
        add("--page", metavar="PLACE", help="page of the listing: its number, its offset or its cursor")
        add("--name", metavar="NAME", help="name of the fixture (default: listing, detail, the name of FILE)")
        add("--folder", metavar="FOLDER", help="where to save (default: tests/fixtures/SPIDER)")
        add("--address", metavar="ADDRESS", help="where a FILE came from (default: the spider's first page)")
        add("--date", metavar="TIME", help="when a FILE came, in ISO 8601 with a zone (default: the file's time)")
        add("--force", action="store_true", help="overwrite a fixture; says what changed")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        store_nothing(self.settings)
        show_blocks(self.settings)
        assert self.settings is not None
        self.settings.set("PROGRESS", "off", priority="project")
        super().process_options(args, opts)
        try:
            opts.spargs = arglist_to_dict(opts.spargs)
        except ValueError:
            raise UsageError("Invalid -a value, use -a NAME=VALUE", print_help=False) from None
        prepare(self.settings)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Capture, and say what was captured."""
        if not 1 <= len(args) <= 2:
            raise UsageError
        name = args[0]
        try:
            self._capture(name, args[1] if len(args) == 2 else None, opts)
        except WrongArgument as error:
            self._fail(name, str(error), exitcode=2)
        except (NothingCame, PermissionRequired, OSError) as error:
            self._fail(name, str(error), exitcode=1)

    def _capture(self, name: str, source: str | None, opts: argparse.Namespace) -> None:
        # Scrapy imports the modules of all commands for each of them.
        from outsourcing_spiders.debugging import fixtures

        assert self.crawler_process is not None
        wanted = {"arguments": opts.spargs, "place": opts.page, "detail": opts.detail}
        spidercls = reader_named(self.crawler_process.spider_loader, name, place=opts.page, detail=opts.detail)
        spidercls(**opts.spargs)
        file = file_of(source)
        folder = Path(opts.folder) if opts.folder else fixtures.folder_of(name)
        files = fixtures.Files(folder, _name_of(opts, file))
        if file is None:
            if not opts.force and (there := files.page() or (files.items if files.items.exists() else None)):
                raise WrongArgument(f"{_shown(there)} exists; --force overwrites it, --name gives another name")
            page = fetch(self.crawler_process, spidercls, source, **wanted)
        else:
            page = load(self.crawler_process.settings, spidercls, file, **wanted, address=opts.address, date=opts.date)
        self._save(spidercls, files, page, force=opts.force)

    def _save(self, spidercls: type[ListingSpider[Any]], files: Files, page: OnePage, *, force: bool) -> None:
        from outsourcing_spiders.commands import _capture_fixture as fixture
        from outsourcing_spiders.debugging import fixtures

        assert self.settings is not None
        settings: Any = self.settings
        clean = fixture.scrub_body(page.body, page.encoding, settings)
        # Read from what is saved: the fixture must give the same again.
        meta = fixture.scrubbed(page.meta, settings)
        reading = fixtures.read(spidercls, settings, meta, clean)
        meta.outcome = reading.outcome or msgspec.UNSET
        try:
            before = files.load_items()
        except ValueError as error:
            raise WrongArgument(f"{error}; remove it") from None
        texts = {files.page_as(page.suffix): clean, files.meta: fixtures.text_of_meta(meta).encode()}
        if not reading.problem:
            texts[files.items] = fixtures.text_of_items(reading.items).encode()
        report = [
            f"{spidercls.name}: {meta.address} answered {meta.status}, {-(-len(page.body) // 1024)} kB",
            *_lines("removed", [_plural(count, what) for what, count in fixture.removed(page.body, clean).items()]),
            *self._scrubbed(spidercls, page, clean, reading, settings),
            *_reading_lines(reading, before),
            *_lines("note", [page.note] if page.note else []),
        ]
        changed = [path for path, text in texts.items() if path.is_file() and not _same(path, text)]
        if changed and not force:
            self._say(report)
            exists = ", ".join(map(_shown, changed))
            raise WrongArgument(f"nothing was written: {exists} would change; --force writes it, --name another")
        files.folder.mkdir(parents=True, exist_ok=True)
        stale = files.page()
        for path in (stale, files.items):
            if path and path not in texts:
                path.unlink(missing_ok=True)
        for path, text in texts.items():
            path.write_bytes(text)
        report += _lines("wrote", [_shown(path) for path in texts], apart="\n            ")
        report += _lines("check", ["names of people are not found by programs: look through the page"])
        self._say(report)
        if reading.problem:
            self._fail(spidercls.name, reading.problem, exitcode=1)

    def _scrubbed(
        self, spidercls: type[ListingSpider[Any]], page: OnePage, clean: bytes, reading: Reading, settings: Any
    ) -> list[str]:
        """Say which items are others than those of the page as it came."""
        from outsourcing_spiders.commands import _capture_fixture as fixture
        from outsourcing_spiders.debugging import fixtures
        from outsourcing_spiders.debugging.differences import differences

        said = []
        if clean != page.body:
            with fixtures.quiet():
                original = fixtures.read(spidercls, settings, page.meta, page.body)
            # What was removed is not to be shown either.
            changes = differences(original.items, reading.items, values=False)
            said = [f"by what was removed: {line}" for line in changes]
            if reading.problem and not original.problem:
                said.append("the page cannot be read any more once secrets and personal data are removed")
        text = fixtures.text_of_items(reading.items)
        if fixture.scrub(text, settings) != text:
            said.append("the items hold what looks personal: the page packs it where it cannot be removed from")
        return _lines("changed", [hide(line) for line in said], apart="\n            ")

    def _say(self, lines: list[str]) -> None:
        sys.stdout.write(hide("\n".join(lines) + "\n"))
        sys.stdout.flush()

    def _fail(self, name: str, sentence: str, *, exitcode: int) -> None:
        self.exitcode = exitcode
        end = "" if sentence.endswith((".", "?", "!")) else "."
        sys.stderr.write(hide(f"scrapy capture {name}: {sentence}{end}\n"))


def _reading_lines(reading: Reading, before: list[dict[str, Any]] | None) -> list[str]:
    from outsourcing_spiders.debugging.differences import differences, empty_fields, fell_out

    if reading.problem:
        return _lines("unread", [reading.problem])
    items = reading.items
    told = [f"{reading.rows}, which give {_plural(len(items), 'item')}"]
    told += [f"{count} left out ({what})" for what, count in reading.skipped.items()]
    told += [f"{count} refused ({why})" for why, count in reading.refused.items()]
    told += [f"{reading.unreadable} cannot be read"] if reading.unreadable else []
    lines = _lines("rows", told) + _lines("error", reading.errors[:3], apart="\n            ")
    if items:
        lines += _lines("empty", [f"{field}: 0 of {len(items)}" for field in empty_fields(items)])
    if before is not None:
        said = list(differences(before, items))
        broken = fell_out(before, items)
        lines += _lines("broken?", broken, apart="\n            ")
        if len(said) > _MANY:
            said[_MANY:] = [f"… and {len(said) - _MANY} fields more"]
        lines += _lines("was other", said, apart="\n            ") or _lines("as before", [_plural(len(items), "item")])
    return lines


def _lines(heading: str, said: list[str], apart: str = ", ") -> list[str]:
    return [f"  {heading:<10}{apart.join(said)}"] if said else []


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}{'es' if what.endswith('s') else 's'}"


def _name_of(opts: argparse.Namespace, file: Path | None) -> str:
    name: str = opts.name or (re.sub(r"[^A-Za-z0-9_-]+", "_", file.stem).strip("_") if file else "")
    if opts.name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise WrongArgument(f"--name {name!r} is no name of a file; use letters, digits, - and _")
    return name or ("detail" if opts.detail else "listing")


def _shown(path: Path) -> str:
    with suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)


def _same(path: Path, text: bytes) -> bool:
    return path.read_bytes() == text

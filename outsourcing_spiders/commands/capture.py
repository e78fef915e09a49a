"""``scrapy capture``: save one answer of a platform as a fixture, with the items that its spider makes of it.

Exit codes: 0; 1 when nothing could be read (what came is saved all the same); 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import msgspec
from scrapy import Spider
from scrapy.commands import ScrapyCommand
from scrapy.crawler import Crawler
from scrapy.exceptions import UsageError
from scrapy.http import TextResponse
from scrapy.utils.conf import arglist_to_dict, closest_scrapy_cfg

from outsourcing_spiders.commands._preparation import prepare, show_blocks, store_nothing
from outsourcing_spiders.extensions.log_redaction import hide
from outsourcing_spiders.middlewares.permission import is_on, live_host, missing_permission, permitted_platforms
from outsourcing_spiders.outcomes import PermissionRequired, WrongArgument

if TYPE_CHECKING:
    from outsourcing_spiders.commands._capture_fixture import Files, Meta, Reading
    from outsourcing_spiders.commands._capture_request import OneAnswer, Wanted
    from outsourcing_spiders.platforms.listing import ListingSpider

_TYPES = {".html": "text/html", ".json": "application/json", ".xml": "text/xml"}
_MANY = 40


@dataclass(frozen=True, kw_only=True)
class _Page:
    """A page that came, or was saved before."""

    body: bytes
    meta: Meta
    suffix: str
    encoding: str
    note: str = ""
    """What its reader should know."""


class _NothingCame(Exception):
    """No answer; the message says why."""


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
        except (_NothingCame, PermissionRequired, OSError) as error:
            self._fail(name, str(error), exitcode=1)

    def _capture(self, name: str, source: str | None, opts: argparse.Namespace) -> None:
        # Scrapy imports the modules of all commands for each of them.
        from outsourcing_spiders.commands import _capture_fixture as fixture

        spidercls = self._spider(name, opts)
        file = Path(source) if source and not re.match(r"https?://", source, re.IGNORECASE) else None
        if file is not None and not file.is_file():
            raise WrongArgument(f"{source!r} is neither a web address nor a file")
        files = fixture.Files(self._folder(name, opts), _name_of(opts, file))
        if file is None:
            if not opts.force and (there := files.page() or (files.items if files.items.exists() else None)):
                raise WrongArgument(f"{_shown(there)} exists; --force overwrites it, --name gives another name")
            page = self._fetch(spidercls, source, opts)
        else:
            page = self._load(spidercls, file, opts)
        self._save(spidercls, files, page, force=opts.force)

    def _spider(self, name: str, opts: argparse.Namespace) -> type[ListingSpider[Any]]:
        from outsourcing_spiders.platforms.details import DetailPagesSpider
        from outsourcing_spiders.platforms.listing import ListingSpider

        assert self.crawler_process is not None
        loader = self.crawler_process.spider_loader
        if name not in (names := loader.list()):
            near = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else "`scrapy list` names them all"
            raise WrongArgument(f"there is no spider {name!r}; {hint}")
        spidercls: type[Spider] = loader.load(name)
        if not issubclass(spidercls, ListingSpider):
            raise WrongArgument(f"{name} reads no listing")
        if opts.detail and not issubclass(spidercls, DetailPagesSpider):
            raise WrongArgument(f"{name} reads no pages of single projects (--detail)")
        if opts.page is not None and opts.detail:
            raise WrongArgument("--page is one of the listing's, and --detail asks for a project's; give one of them")
        spidercls(**opts.spargs)
        return spidercls

    def _folder(self, name: str, opts: argparse.Namespace) -> Path:
        if opts.folder:
            return Path(opts.folder)
        return Path(closest_scrapy_cfg()).parent / "tests" / "fixtures" / name

    def _fetch(self, spidercls: type[ListingSpider[Any]], address: str | None, opts: argparse.Namespace) -> _Page:
        from outsourcing_spiders.commands import _capture_fixture as fixture
        from outsourcing_spiders.commands._capture_request import Wanted

        assert self.settings is not None
        own: Any = spidercls(**opts.spargs)
        if address and urlsplit(address).netloc.lower() != own.host and not is_on(address, live_host(spidercls)):
            # The spider's headers may hold a token.
            raise WrongArgument(f"{address} is not on {own.host}, which {own.name} reads; set -a base_url=… for a copy")
        if problem := missing_permission(spidercls, address or own.base_url, permitted_platforms(self.settings)):
            raise problem
        wanted = Wanted(address=address, place=_place(spidercls, opts.page), detail=opts.detail)
        spider = self._ask(spidercls, wanted, opts.spargs)
        response = spider.answered
        if response is None:
            raise _NothingCame(f"nothing came: {spider.outcome or spider.problem or 'see the log'}")
        if not isinstance(response, TextResponse):
            kind = (response.headers.get("Content-Type") or b"of no type").decode("latin-1")
            raise _NothingCame(f"{response.url} answered with no text ({kind}); nothing was saved")
        now = format_datetime(datetime.now(UTC), usegmt=True)
        meta = fixture.meta_of(response, arguments=opts.spargs, date=now, item=spider.listed, detail=opts.detail)
        note = "" if response.headers.get("Date") else "it says no Date: relative times count from when it came"
        return _Page(
            body=response.body, meta=meta, suffix=fixture.suffix_of(response), encoding=response.encoding, note=note
        )

    def _ask(self, spidercls: type[ListingSpider[Any]], wanted: Wanted, arguments: dict[str, str]) -> OneAnswer:
        from outsourcing_spiders.commands._capture_request import one_answer

        assert self.crawler_process is not None
        crawler = self.crawler_process.create_crawler(one_answer(spidercls, wanted))
        crawling: Any = self.crawler_process.crawl(crawler, **arguments)
        raised: list[BaseException] = []
        if isinstance(crawling, asyncio.Future):
            crawling.add_done_callback(lambda task: raised.extend(filter(None, [_raised_by(task)])))
        else:
            crawling.addErrback(lambda failure: raised.append(failure.value))
        self.crawler_process.start()
        if crawler.spider is None:
            raise _NothingCame(f"the spider could not be started: {raised[0] if raised else 'see the log'}")
        return cast("OneAnswer", crawler.spider)

    def _load(self, spidercls: type[ListingSpider[Any]], file: Path, opts: argparse.Namespace) -> _Page:
        """Return a saved page; one that was captured is read with what was saved beside it."""
        from outsourcing_spiders.commands import _capture_fixture as fixture

        body = file.read_bytes()
        suffix = file.suffix if file.suffix in fixture.SUFFIXES else ".html"
        try:
            meta = fixture.Files(file.parent, file.stem).load_meta()
        except ValueError as error:
            raise WrongArgument(str(error)) from None
        note = ""
        if meta is None:
            date = _date(opts.date) or datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
            note = "" if opts.date else f"relative times count from the file's own, {date:%Y-%m-%d %H:%M} UTC (--date)"
            meta = fixture.Meta(
                read_by="detail" if opts.detail else "parse",
                address=opts.address or self._first_address(spidercls, opts.spargs),
                status=200,
                headers={"Content-Type": _TYPES[suffix], "Date": format_datetime(date, usegmt=True)},
                place=_place(spidercls, opts.page) or spidercls.first_place or msgspec.UNSET,
                arguments=opts.spargs or msgspec.UNSET,
            )
        response = fixture.answer(meta, body)
        if not isinstance(response, TextResponse):
            raise WrongArgument(f"{file} holds no text")
        return _Page(body=body, meta=meta, suffix=suffix, encoding=response.encoding, note=note)

    def _first_address(self, spidercls: type[ListingSpider[Any]], arguments: dict[str, str]) -> str:
        assert self.settings is not None
        spider = spidercls.from_crawler(Crawler(spidercls, self.settings), **arguments)
        with suppress(Exception):
            # Some need what only a crawl has; the address is no more than where relative links start from.
            return spider.listing_request(spider.first_place).url
        return spider.base_url

    def _save(self, spidercls: type[ListingSpider[Any]], files: Files, page: _Page, *, force: bool) -> None:
        from outsourcing_spiders.commands import _capture_fixture as fixture

        assert self.settings is not None
        settings = self.settings
        clean = fixture.scrub_body(page.body, page.encoding, settings)
        meta_text = fixture.text_of_meta(page.meta, settings)
        # Read from what is saved: the fixture must give the same again.
        meta = msgspec.json.decode(meta_text.encode(), type=fixture.Meta)
        meta.problem = msgspec.UNSET
        reading = fixture.read(spidercls, settings, meta, clean)
        meta.problem = reading.problem or msgspec.UNSET
        try:
            before = files.load_items()
        except ValueError as error:
            raise WrongArgument(f"{error}; remove it") from None
        texts = {files.page_as(page.suffix): clean, files.meta: fixture.text_of_meta(meta, settings).encode()}
        if not reading.problem:
            texts[files.items] = fixture.text_of_items(reading.items).encode()
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
        if stale and stale not in texts:
            stale.unlink()
        for path, text in texts.items():
            path.write_bytes(text)
        report += _lines("wrote", [_shown(path) for path in texts], apart="\n            ")
        report += _lines("check", ["names of people are not found by programs: look through the page"])
        self._say(report)
        if reading.problem:
            self._fail(spidercls.name, reading.problem, exitcode=1)

    def _scrubbed(
        self, spidercls: type[ListingSpider[Any]], page: _Page, clean: bytes, reading: Reading, settings: Any
    ) -> list[str]:
        """Say which items are others than those of the page as it came."""
        from outsourcing_spiders.commands import _capture_fixture as fixture
        from outsourcing_spiders.commands._capture_report import differences

        said = []
        if clean != page.body:
            with fixture.quiet():
                original = fixture.read(spidercls, settings, page.meta, page.body)
            # What was removed is not to be shown either.
            changes = differences(original.items, reading.items, values=False)
            said = [f"by what was removed: {line}" for line in changes]
            if reading.problem and not original.problem:
                said.append("the page cannot be read any more once secrets and personal data are removed")
        text = fixture.text_of_items(reading.items)
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
    from outsourcing_spiders.commands._capture_report import differences, empty_fields, fell_out

    if reading.problem:
        return _lines("unread", [reading.problem])
    items = reading.items
    told = [f"{reading.rows}, which give {_plural(len(items), 'item')}"]
    told += [f"{count} left out ({what})" for what, count in reading.skipped.items()]
    told += [f"{reading.unreadable} cannot be read"] if reading.unreadable else []
    lines = _lines("rows", told)
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


def _place(spidercls: type[ListingSpider[Any]], text: str | None) -> int | str | None:
    if text is None or not isinstance(spidercls.first_place, int):
        return text
    if not (text.isascii() and text.isdigit()):
        raise WrongArgument(f"--page {text!r} is no number, and {spidercls.name} asks for pages by number")
    return int(text)


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = None
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
    if found is None:
        with suppress(ValueError):
            found = parsedate_to_datetime(text)
    if found is None or found.tzinfo is None:
        raise WrongArgument(f"--date {text!r} is no time with a zone, such as 2026-11-22T14:00:00Z")
    return found.astimezone(UTC)


def _shown(path: Path) -> str:
    with suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)


def _same(path: Path, text: bytes) -> bool:
    return path.read_bytes() == text


def _raised_by(task: asyncio.Future[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()

"""Save one answer of a platform as a fixture, and say what its spider makes of it."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from scrapy.crawler import CrawlerProcessBase
from scrapy.settings import Settings

from outsourcing_spiders.debugging import capture_fixture as fixture
from outsourcing_spiders.debugging import fixtures
from outsourcing_spiders.debugging.differences import differences, empty_fields, fell_out
from outsourcing_spiders.debugging.one_page import OnePage, fetch, file_of, load, reader_named
from outsourcing_spiders.debugging.reading import Reading, make_spider, quiet, read, way_of
from outsourcing_spiders.extensions.log_redaction import hide, shown
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.platforms.listing import ListingSpider

_MANY = 40


def capture(process: CrawlerProcessBase, name: str, source: str | None, opts: argparse.Namespace) -> str | None:
    """Save an answer with its items, and say what was saved; return why it could not be read, if so.

    `opts` are those of ``scrapy capture``. Raises `WrongArgument`, `NothingCame`, `PermissionRequired` and `OSError`.
    """
    wanted = {"arguments": opts.spargs, "place": opts.page, "detail": opts.detail}
    file = file_of(source)
    spidercls = reader_named(process, name, file, **wanted)
    folder = Path(opts.folder) if opts.folder else fixtures.folder_of(name)
    files = fixtures.Files(folder, _name_of(opts, file))
    if file is None:
        if not opts.force and (there := files.page() or (files.items if files.items.exists() else None)):
            raise WrongArgument(f"{_shown(there)} exists; --force overwrites it, --name gives another name")
        page = fetch(process, spidercls, source, **wanted)
    else:
        page = load(process.settings, spidercls, file, **wanted, address=opts.address, date=opts.date)
    return _save(spidercls, process.settings, files, page, force=opts.force)


def _save(
    spidercls: type[ListingSpider[Any]], settings: Settings, files: fixtures.Files, page: OnePage, *, force: bool
) -> str | None:
    clean = fixture.scrub_body(page.body, page.encoding, settings, way_of(spidercls, page.meta).private_keys)
    # Read from what is saved: the fixture must give the same again.
    meta = fixture.scrubbed(page.meta, settings)
    reading = read(spidercls, settings, meta, clean)
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
        *_scrubbed(spidercls, page, clean, reading, settings),
        *_reading_lines(reading, before),
        *_lines("note", [page.note] if page.note else []),
        *_lines("note", _terms(spidercls, settings, meta, clean)),
    ]
    changed = [path for path, text in texts.items() if path.is_file() and not _same(path, text)]
    if changed and not force:
        _say(report)
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
    report += _lines("check", ["other names and telephone numbers are not found by programs: look through the page"])
    _say(report)
    return reading.problem


def _scrubbed(
    spidercls: type[ListingSpider[Any]], page: OnePage, clean: bytes, reading: Reading, settings: Settings
) -> list[str]:
    """Say which items are others than those of the page as it came."""
    said = []
    if clean != page.body:
        with quiet():
            original = read(spidercls, settings, page.meta, page.body)
        # What was removed is not to be shown either.
        changes = differences(original.items, reading.items, values=False)
        said = [f"by what was removed: {line}" for line in changes]
        if reading.problem and not original.problem:
            said.append("the page cannot be read any more once secrets and personal data are removed")
    text = fixtures.text_of_items(reading.items)
    if fixture.scrub(text, settings) != text:
        said.append("the items hold what looks personal: the page packs it where it cannot be removed from")
    return _lines("changed", [hide(line) for line in said], apart="\n            ")


def _terms(spidercls: type[ListingSpider[Any]], settings: Settings, meta: fixtures.Meta, body: bytes) -> list[str]:
    """Say until when the platform's terms let the answer be kept, where they do say."""
    until = make_spider(spidercls, settings, meta).expires_at(fixtures.answer(meta, body))
    if until is None:
        return []
    then = "that is over: delete it" if until <= datetime.now(UTC) else "delete it by then"
    return [f"its terms let copies be kept until {until:%Y-%m-%d %H:%M} UTC: {then}"]


def _say(lines: list[str]) -> None:
    sys.stdout.write(shown("\n".join(lines) + "\n"))
    sys.stdout.flush()


def _reading_lines(reading: Reading, before: list[dict[str, Any]] | None) -> list[str]:
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

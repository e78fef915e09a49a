"""What ``scrapy platforms`` prints: a table, one platform in full, or JSON."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.parsing.text import printable
from outsourcing_spiders.storage.overview_facts import COUNTED_UP_TO, HostBlock, LastRun, Overview, PlatformOverview

_UNLIMITED = 1_000_000
"""Columns of a terminal that is none: nothing is wrapped or cut in a pipe or a file."""
_TERMS = 72
"""Characters of the terms in a table that is not on a terminal."""
_LEAST_TERMS = 24
_LEAST_READS = 16
_FINDINGS = 3
"""Things that are told of the health of a platform in a table."""
_DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_PERMISSION = {
    "not needed": "not needed",
    "given": "given by you: PERMITTED_PLATFORMS names {name}",
    "missing": "missing: it is not read; if you have the platform's permission, add {name} to PERMITTED_PLATFORMS",
}


@dataclass(slots=True)
class Setting:
    """A setting that a platform uses; its value is nobody's business."""

    name: str
    use: str | None
    required: bool
    is_set: bool

    @property
    def state(self) -> str:
        """Say how it stands with it, in a word."""
        return "set" if self.is_set else "missing" if self.required else "optional"


@dataclass(slots=True)
class Platform:
    """One platform: what its spider declares, and what is stored of it."""

    name: str
    home: str
    access: str
    permission: str
    """``not needed``, ``given`` or ``missing``."""
    site: str | None
    access_note: str | None
    terms: str | None
    caveats: str | None
    narrowed_by: list[str]
    settings: list[Setting]
    browser: bool
    stored: PlatformOverview

    @property
    def terms_read_on(self) -> str | None:
        """Return the day on which the terms were read, as ISO 8601, if the spider says it."""
        days = _DAY.findall(self.terms or "")
        return max(days) if days else None

    @property
    def needs(self) -> list[str]:
        """Say what is needed or of use, and how it stands with it."""
        return [f"{setting.name} ({setting.state})" for setting in self.settings] + ["browser"] * self.browser


@dataclass(slots=True)
class Report:
    """All that is to be said; `at` is now."""

    at: datetime
    platforms: list[Platform]
    stored: Overview
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """A line of ``scrapy list``; `platform` is ``None`` for a spider that is none of ours."""

    name: str
    platform: Platform | None
    needs: list[str]
    reads: str


def to_json(report: Report) -> str:
    """Return the report as a JSON object; what ``database.known`` does not name is null or empty for that."""
    platforms = []
    for platform in report.platforms:
        facts: dict[str, Any] = msgspec.to_builtins(platform)
        stored = facts.pop("stored")
        platforms.append(facts | {"terms_read_on": platform.terms_read_on} | stored)
    database = {"schema": report.stored.schema, "known": report.stored.known}
    found = {"at": report.at, "platforms": platforms, "database": database, "notes": report.notes}
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def as_table(report: Report) -> str:
    """Return a row for each platform; without what nothing is known about, or a narrow terminal has no room for."""
    console = _console()
    if not console.is_terminal:
        return _printed(console, _table(report, brief=False, room=_TERMS), report.notes)
    for left_out in ((), ("Terms",), ("Terms", "Needs")):
        # The terms take what the other columns leave.
        taken = _width(console, _table(report, brief=True, without=("Terms", *left_out)))
        table = _table(report, brief=True, without=left_out, room=max(_LEAST_TERMS, console.width - taken))
        if _width(console, table) <= console.width:
            break
    else:
        for column in table.columns:
            column.no_wrap = False
    hint = f"For {' and '.join(left_out).lower()}, use a wider terminal, or: scrapy platforms NAME"
    return _printed(console, table, [*([hint] if left_out else []), *report.notes])


def in_full(report: Report) -> str:
    """Return all facts about each platform."""
    console = _console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for platform in report.platforms:
        for name, told in _facts(platform, report):
            table.add_row(name, Text(printable(told)))
    return _printed(console, table, report.notes)


def as_list(rows: Sequence[Row]) -> str:
    """Return a line for each spider; on a terminal what it reads, and what it needs, is wrapped where it has to be.

    On a narrow one, all that there is about a spider stands below its name.
    """
    console = _console()
    # Names of settings are to be copied: they stay whole.
    longest = max((len(word) for row in rows for need in row.needs for word in need.split()), default=0)
    room = console.width - max((len(row.name) for row in rows), default=0) - len("permission") - longest - 6
    if room < _LEAST_READS:
        return _printed(console, _stacked(rows), [])
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("Spider", "Access", "Needs", "Reads"):
        is_narrow, most = name in ("Spider", "Access"), room if name == "Reads" else None
        table.add_column(name, no_wrap=is_narrow, overflow="fold", max_width=most)
    for row in rows:
        table.add_row(row.name, *_cells(row, "\n" if console.is_terminal else " "))
    return _printed(console, table, [])


def _stacked(rows: Iterable[Row]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for row in rows:
        if table.row_count:
            table.add_row()
        table.add_row("Spider", row.name)
        for name, cell in zip(("Access", "Needs", "Reads"), _cells(row, " "), strict=True):
            table.add_row(name, cell)
    return table


def _cells(row: Row, gap: str) -> tuple[Text, Text, Text]:
    access = _access(row.platform, gap) if row.platform else Text("-")
    style = _state_style(row.platform) if row.platform else ""
    return access, Text(", ".join(row.needs) or "-", style), Text(row.reads)


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(markup=False, highlight=False, emoji=False, width=_UNLIMITED, color_system=None)


def _printed(console: Console, table: Table, notes: Iterable[str]) -> str:
    with console.capture() as captured:
        console.print(table)
        for index, note in enumerate(notes):
            console.print(note if index else f"\n{note}", soft_wrap=True)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _width(console: Console, table: Table) -> int:
    return Measurement.get(console, console.options.update_width(_UNLIMITED), table).maximum


def _table(report: Report, *, brief: bool, room: int = 0, without: Collection[str] = ()) -> Table:
    """Return the table; times are ages alone when it is to be `brief`; `room` are the characters for the terms."""
    known, at = report.stored.known, report.at
    columns: dict[str, Callable[[Platform], Text]] = {"Platform": lambda platform: Text(platform.name)}
    gap = "\n" if brief else " "
    columns["Access"] = lambda platform: _access(platform, gap)
    columns["Needs"] = lambda platform: Text(f",{gap}".join(platform.needs) or "-", _state_style(platform))
    if "crawls" in known:
        columns["Last crawl"] = lambda platform: _last_crawl(platform.stored.last_run, at, brief=brief)
        columns["Ended"] = lambda platform: _ended(platform.stored.last_run)
    if "projects" in known:
        columns["Newest"] = lambda platform: Text(_newest(platform.stored, at, brief=brief))
        columns["Projects"] = lambda platform: Text(_count(platform.stored))
    if "blocks" in known and not (brief and not any(platform.stored.blocks for platform in report.platforms)):
        columns["Blocked"] = lambda platform: Text(_blocked(platform, at, brief=brief), "red")
    if "findings" in known and not (brief and not any(platform.stored.findings for platform in report.platforms)):
        columns["Health"] = lambda platform: _health(platform.stored, gap)
    columns["Terms"] = lambda platform: Text(_terms(platform, room))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        if name not in without:
            side: JustifyMethod = "right" if name == "Projects" else "left"
            table.add_column(name, justify=side, no_wrap=True, overflow="fold")
    for platform in report.platforms:
        table.add_row(*(cell(platform) for name, cell in columns.items() if name not in without))
    return table


def _access(platform: Platform, gap: str) -> Text:
    if platform.access != "permission":
        return Text(platform.access)
    return Text(f"permission{gap}({platform.permission})", "yellow" if platform.permission == "missing" else "green")


def _state_style(platform: Platform) -> str:
    return "yellow" if any(setting.state == "missing" for setting in platform.settings) else ""


def _last_crawl(run: LastRun | None, at: datetime, *, brief: bool) -> Text:
    return Text("never") if run is None else Text(_moment(run.started_at, at, brief=brief))


def _ended(run: LastRun | None) -> Text:
    if run is None:
        return Text("-")
    good = run.reason in list(CloseReason) and CloseReason(run.reason).is_success
    return Text(_end(run), "" if good or run.finished_at is None else "yellow")


def _end(run: LastRun) -> str:
    return run.reason or ("running, or killed" if run.finished_at is None else "-")


def _newest(stored: PlatformOverview, at: datetime, *, brief: bool) -> str:
    """Say when the newest project was posted; first seen, where the platform does not say it."""
    if stored.newest_posted_at is not None:
        return ("" if brief else "posted ") + _moment(stored.newest_posted_at, at, brief=brief)
    if stored.newest_first_seen_at is not None:
        return f"seen {_moment(stored.newest_first_seen_at, at, brief=brief)}"
    return "not looked for" if stored.projects else "-"


def _count(stored: PlatformOverview) -> str:
    if stored.projects is None:
        return "-"
    if stored.projects_exact:
        return f"{stored.projects:,}"
    return f"{'about' if stored.projects > COUNTED_UP_TO else 'over'} {stored.projects:,}"


def _blocked(platform: Platform, at: datetime, *, brief: bool) -> str:
    told, gap = [], "\n" if brief else " "
    for block in platform.stored.blocks:
        # A stand-in or a sandbox can refuse us, too.
        is_live = block.host.endswith((urlsplit(platform.home).hostname or "").removeprefix("www."))
        told.append(("" if is_live else f"{block.host}{gap}") + _block(block, at, brief=brief))
    return f";{gap}".join(told) or "-"


def _block(block: HostBlock, at: datetime, *, brief: bool) -> str:
    since = f"since {_moment(block.blocked_since, at, brief=brief)},"
    if block.retry_at <= at:
        state = "may be tried again"
    elif brief:
        state = f"waits {_duration(block.retry_at - at)} more"
    else:
        state = f"waits until {block.retry_at:%Y-%m-%d %H:%M}Z"
    return since + ("\n" if brief else " ") + state


def _health(stored: PlatformOverview, gap: str) -> Text:
    """Say what is not as it was, each thing once, and since when."""
    if not stored.findings:
        return Text("-" if stored.last_run is None else "ok" if stored.compared else "too few crawls")
    since: dict[str, datetime] = {}
    for finding in stored.findings:
        since[finding.what] = min(finding.since, since.get(finding.what, finding.since))
    told = [f"{what} since {day:%Y-%m-%d}" for what, day in since.items()]
    more = [f"{len(told) - _FINDINGS} more"] if len(told) > _FINDINGS else []
    return Text(printable(f",{gap}".join(told[:_FINDINGS] + more)), "yellow")


def _terms(platform: Platform, room: int) -> str:
    """Return the beginning of the terms and the day on which they were read."""
    if not platform.terms:
        return "-"
    day = f" ({platform.terms_read_on})" if platform.terms_read_on else ""
    if len(platform.terms) <= room:
        return platform.terms
    return textwrap.shorten(platform.terms, room - len(day), placeholder="…") + day


def _facts(platform: Platform, report: Report) -> Iterator[tuple[str, str]]:
    known, at, stored = report.stored.known, report.at, platform.stored
    yield "Platform", platform.name
    yield "Site", platform.site or platform.home
    yield "Access", f"{platform.access}: {platform.access_note}" if platform.access_note else platform.access
    yield "Permission", _PERMISSION[platform.permission].format(name=platform.name)
    yield "Terms", platform.terms or "-"
    yield "Caveats", platform.caveats or "-"
    yield "Narrowed by", ", ".join(platform.narrowed_by) or "nothing: the whole listing is read"
    for setting in platform.settings:
        use = f"{setting.use}, " if setting.use else ""
        need = "required" if setting.required else "optional"
        yield setting.name, f"{use}{need}, {'set' if setting.is_set else 'not set'}"
    yield "Browser", "needed" if platform.browser else "not needed"
    if "crawls" in known:
        yield "Last crawl", "never" if stored.last_run is None else _run(stored.last_run, at)
    if "projects" in known:
        yield "Projects", _count(stored)
        yield "Newest project", _newest(stored, at, brief=False)
        if stored.newest_posted_at and stored.newest_first_seen_at:
            yield "First seen", _moment(stored.newest_first_seen_at, at, brief=False)
    if "findings" in known and not stored.findings:
        yield "Health", str(_health(stored, " "))
    for finding in stored.findings:
        kept = f"; page kept: scrapy db pages {finding.page}" if finding.page is not None else ""
        asked = "" if finding.listing == "{}" else f", asked for {finding.listing}"
        since = _moment(finding.since, at, brief=False)
        yield "Health", f"{finding.finding}; since {since}, run {finding.run}{asked}{kept}"
    if "blocks" in known and not stored.blocks:
        yield "Blocked", "no"
    for block in stored.blocks:
        yield "Blocked", f"{block.host}: {block.reason}, {_block(block, at, brief=False)}: {block.message}"


def _run(run: LastRun, at: datetime) -> str:
    told = f"{_moment(run.started_at, at, brief=False)}: {_end(run)}"
    if run.finished_at is not None:
        told += f" after {_duration(run.finished_at - run.started_at)}"
    return f"{told}; {run.items_scraped:,} projects scraped, {run.written:,} new or changed"


def _moment(moment: datetime, at: datetime, *, brief: bool) -> str:
    ago = f"{_duration(at - moment)} ago"
    return ago if brief else f"{moment:%Y-%m-%d %H:%M:%S}Z ({ago})"


def _duration(duration: timedelta) -> str:
    """Return a duration in its largest whole unit; less than nothing, by clocks that differ, is nothing."""
    seconds = max(0, int(duration.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

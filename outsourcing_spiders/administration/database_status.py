"""What ``scrapy db status`` prints for people."""

from __future__ import annotations

from datetime import datetime

from rich import filesize
from rich.console import Console
from rich.table import Table

from outsourcing_spiders.storage.status import Status

_UNLIMITED = 1_000_000
"""Columns of a terminal that is none: nothing is wrapped or cut in a pipe or a file."""


def rendered(status: Status) -> str:
    """Return all facts as text for standard output; plain, and in full, where that is no terminal."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, emoji=False, width=_UNLIMITED, color_system=None)
    with console.capture() as captured:
        for part in (_place(status), _tables(status), _platforms(status), _runs(status)):
            if part is not None:
                console.print(part)
                console.print()
        for line in _lines(status):
            console.print(line, soft_wrap=True)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _place(status: Status) -> Table:
    table = _table(header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Data", status.location)
    if status.exists:
        size = "" if status.size_bytes is None else f", {filesize.decimal(status.size_bytes)}"
        table.add_row("Database", f"{status.database}{size}")
        table.add_row("Server", f"PostgreSQL {status.server_version}")
    revision = f"{status.schema}, revision {status.schema_revision}" if status.schema_revision else status.schema
    table.add_row("Schema", f"{revision} (newest known: {status.newest_known_revision})")
    return table


def _tables(status: Status) -> Table | None:
    if not status.tables:
        return None
    table = _table("Table", "Rows", "Size on disk")
    for facts in status.tables:
        rows = (
            "not counted" if facts.rows is None else f"{facts.rows:,}" if facts.rows_exact else f"about {facts.rows:,}"
        )
        table.add_row(facts.name, rows, filesize.decimal(facts.size_bytes))
    return table


def _platforms(status: Status) -> Table | None:
    if not status.platforms:
        return None
    table = _table("Platform", "Projects", "Newest posted", "Last seen")
    for facts in status.platforms:
        table.add_row(
            facts.platform, f"{facts.projects:,}", _time(facts.newest_posted_at), _time(facts.last_seen_at)
        )  # fmt: skip
    return table


def _runs(status: Status) -> Table | None:
    if not status.last_runs:
        return None
    counts = ("items_scraped", "written", "unchanged", "merged", "rejected", "spooled", "requests")
    table = _table("Last crawls", "Started", "Ended", *(name.removeprefix("items_").capitalize() for name in counts))
    for run in status.last_runs:
        end = run.reason or ("running, or killed" if run.finished_at is None else "-")
        table.add_row(run.spider, _time(run.started_at), end, *(f"{getattr(run, name):,}" for name in counts))
    return table


def _lines(status: Status) -> list[str]:
    lines = list(status.notes)
    if status.texts_to_index is not None:
        lines.append(f"Texts waiting to be indexed for search: {status.texts_to_index:,}")
    if status.rejected_last_day is not None:
        lines.append(f"Items rejected in the last 24 hours: {status.rejected_last_day:,}")
    spool = status.spool
    others = f"; {spool.files_of_other_databases} files of other databases" if spool.files_of_other_databases else ""
    if spool.files:
        waiting = f"{spool.rows:,} rows in {spool.files} files in {spool.folder}; to store them: scrapy db replay"
    else:
        waiting = f"none in {spool.folder}"
    lines.append(f"Rows waiting on disk to be stored: {waiting}{others}")
    if status.psql:
        lines.append("To look into the database: scrapy db psql")
        lines.append(f"  or, while a crawl runs: {status.psql}" if status.embedded else f"  or: {status.psql}")
    if status.advice:
        lines.append(status.advice)
    return lines


def _table(*headings: str, header: bool = True) -> Table:
    table = Table(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, heading in enumerate(headings):
        is_number = index and heading not in ("Started", "Ended", "Newest posted", "Last seen")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    return table


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"

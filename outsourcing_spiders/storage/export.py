"""Write a table to a file as CSV, JSON lines or Parquet: one snapshot, in bounded memory, whole or not at all.

PostgreSQL does the work: ``COPY`` streams the rows in the text of the format, and this side passes them on
(for Parquet it converts them, see `storage.parquet`). Values are exported as they are stored. In particular
nothing is put before a text that a spreadsheet would take for a formula (``=``, ``+``, ``-``, ``@``): import such
a file with the columns set to text.

CSV:        RFC 4180, UTF-8, header; ``null`` is nothing at all, an empty text is ``""``; lists and objects as JSON.
JSON lines: an object for each row; amounts are numbers with all their digits.
Both:       times in ISO 8601, UTC, with ``Z``; ``-infinity`` where the database has that.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import asyncpg
from sqlalchemy import ARRAY, Boolean, Column, DateTime, LargeBinary
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.export_file import Output
from outsourcing_spiders.storage.tables import metadata

Format = Literal["csv", "jsonl", "parquet"]


class WrongSelection(StorageError):
    """What is to be exported does not exist, or not in this way; the message names what there is."""


class NothingStored(StorageError):
    """The database has no rows of a platform that was asked for; the message names those that it has."""


class _Source:
    """What one table is asked by: the column of the platform, the time for ``since``, and what is internal."""

    def __init__(self, time: str, *, platform: str | None = "platform", internal: Sequence[str] = ()) -> None:
        self.time = time
        self.platform = platform
        self.internal = internal


_SOURCES = {
    # A project whose platform tells no time is as old as our knowledge of it.
    "projects": _Source("coalesce(posted_at, first_seen_at)"),
    "project_history": _Source("observed_at"),
    "crawl_runs": _Source("started_at", platform="spider"),
    "rejected_items": _Source("rejected_at", platform="spider", internal=("fingerprint",)),
    "exchange_rates": _Source("day", platform=None),
}
TABLES = tuple(_SOURCES)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which rows and columns; raises `WrongSelection`. The rows are sorted by the table's key.

    `columns` in the order given, ``None``: all but the internal ones. `since` is aware: the rows of that time
    and later, by when a project was posted, or first seen where the platform does not say; by when the row
    was made in the other tables.
    """

    table: str = "projects"
    columns: tuple[str, ...] | None = None
    platforms: tuple[str, ...] = ()
    since: datetime | None = None

    def __post_init__(self) -> None:
        if self.table not in _SOURCES:
            raise WrongSelection(f"There is no table {self.table!r} to export; there are {', '.join(TABLES)}.")
        if self.platforms and self.source.platform is None:
            raise WrongSelection(f"{self.table} does not belong to platforms: leave --platform out.")
        known = list(metadata.tables[self.table].columns.keys())
        names = self.columns if self.columns is not None else known
        if not names:
            raise WrongSelection("No column is named; leave --columns out to export all of them.")
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}."
                raise WrongSelection(f"{self.table} has no column {name!r}; {hint}")
            if names.count(name) > 1:
                raise WrongSelection(f"The column {name!r} is named twice.")

    @property
    def source(self) -> _Source:
        """How the table is asked."""
        return _SOURCES[self.table]

    @cached_property
    def chosen(self) -> list[Column[Any]]:
        """The columns to export, in order."""
        columns = metadata.tables[self.table].columns
        names = self.columns or [name for name in columns.keys() if name not in self.source.internal]  # noqa: SIM118
        return [columns[name] for name in names]

    def query(self, expressions: Sequence[str]) -> tuple[str, list[Any]]:
        """Return a statement for `expressions`, one for each column, and what stands for its ``$1``, ``$2``."""
        listed = ", ".join(f'{sql} AS "{column.name}"' for sql, column in zip(expressions, self.chosen, strict=True))
        condition, arguments = self.condition()
        keys = ", ".join(f"t.{column.name}" for column in metadata.tables[self.table].primary_key)
        return f"SELECT {listed} FROM {self.table} AS t WHERE {condition} ORDER BY {keys}", arguments  # noqa: S608 - names of our own

    def condition(self) -> tuple[str, list[Any]]:
        """Return the condition that the rows meet, and what stands for its ``$1``, ``$2``."""
        conditions, arguments = ["true"], list[Any]()
        if self.platforms:
            arguments.append(list(self.platforms))
            conditions.append(f"t.{self.source.platform} = ANY(CAST(${len(arguments)} AS text[]))")
        if self.since is not None:
            arguments.append(self.since)
            conditions.append(f"{self.source.time} >= CAST(${len(arguments)} AS timestamptz)")
        return " AND ".join(conditions), arguments


class Encoder(Protocol):
    """Turns what ``COPY`` sends into one format."""

    async def prepare(self, connection: asyncpg.Connection, selection: Selection) -> None:
        """Look at the data, where the format depends on them."""

    def statement(self, selection: Selection) -> tuple[str, list[Any], dict[str, Any]]:
        """Return the statement, its arguments, and the options of ``COPY``."""

    def write(self, chunk: bytes) -> None:
        """Take a part of what ``COPY`` sends."""

    def finish(self) -> None:
        """Write what is left; called once, after everything went well."""

    def abandon(self) -> None:
        """Let go of what is open, after an error."""


class CsvEncoder:
    """CSV with the line ends that RFC 4180 asks for; PostgreSQL writes line feeds."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._inside_quotes = False

    async def prepare(self, connection: asyncpg.Connection, selection: Selection) -> None:
        """Nothing to look at."""

    def statement(self, selection: Selection) -> tuple[str, list[Any], dict[str, Any]]:
        """Return a query of texts."""
        return *selection.query([_csv(column) for column in selection.chosen]), {"format": "csv", "header": True}

    def write(self, chunk: bytes) -> None:
        """Write a part, with CR LF at the end of each record, and line feeds in texts as they are."""
        parts = bytes(chunk).split(b'"')  # asyncpg gives a bytearray, whose parts would be dearer
        for index in range(int(self._inside_quotes), len(parts), 2):
            parts[index] = parts[index].replace(b"\n", b"\r\n")
        if len(parts) % 2 == 0:
            self._inside_quotes = not self._inside_quotes
        self._output.write(b'"'.join(parts))

    def finish(self) -> None:
        """Nothing is left."""

    abandon = finish


class JsonLinesEncoder:
    """One JSON object a line, as PostgreSQL makes it."""

    # JSON holds no raw control character: with these two COPY never quotes anything.
    COPY_OPTIONS: ClassVar = {"format": "csv", "quote": "\x01", "delimiter": "\x02"}

    def __init__(self, output: Output) -> None:
        self._output = output

    async def prepare(self, connection: asyncpg.Connection, selection: Selection) -> None:
        """Nothing to look at."""

    def statement(self, selection: Selection) -> tuple[str, list[Any], dict[str, Any]]:
        """Return a query of objects."""
        query, arguments = selection.query([json_value(column) for column in selection.chosen])
        return f"SELECT row_to_json(r) FROM ({query}) AS r", arguments, self.COPY_OPTIONS  # noqa: S608

    def write(self, chunk: bytes) -> None:
        """Write a part."""
        self._output.write(chunk)

    def finish(self) -> None:
        """Nothing is left."""

    abandon = finish


async def export(engine: AsyncEngine, selection: Selection, encoder: Encoder) -> int:
    """Send the rows of one snapshot through `encoder` and return how many there were.

    Raises `NothingStored` for a platform without rows, `storage.export_file.OutputError` when the output
    takes no more, and what the driver raises when the database is away.
    """
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection

        async def pass_on(chunk: bytes) -> None:
            encoder.write(chunk)

        try:
            await raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            await _check_platforms(raw, selection)
            await encoder.prepare(raw, selection)
            statement, arguments, options = encoder.statement(selection)
            # PostgreSQL waits while a chunk is being written.
            done = await raw.copy_from_query(statement, *arguments, output=pass_on, **options)
            encoder.finish()
            await raw.execute("COMMIT")
        except BaseException:
            # After an error in `pass_on`, asyncpg waits for ever for the end of a COPY that was at its end already.
            raw.terminate()
            await connection.invalidate()
            encoder.abandon()
            raise
    return int(done.rpartition(" ")[2])


async def _check_platforms(connection: asyncpg.Connection, selection: Selection) -> None:
    table, column = selection.table, selection.source.platform
    missing = await connection.fetch(
        f"SELECT p FROM unnest(CAST($1 AS text[])) AS p WHERE NOT EXISTS (SELECT FROM {table} WHERE {column} = p)",  # noqa: S608
        list(selection.platforms),
    ) if selection.platforms else []  # fmt: skip
    if missing:
        stored = await connection.fetch(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1")  # noqa: S608
        names = ", ".join(row[0] for row in stored)
        raise NothingStored(
            f"No row of {', '.join(repr(row[0]) for row in missing)} is in {table}; "
            + (f"there are rows of {names}." if names else "the table is empty: run a crawl first.")
        )


def _csv(column: Column[Any]) -> str:
    if isinstance(column.type, Boolean):
        return f"CAST(t.{column.name} AS text)"
    if isinstance(column.type, ARRAY):
        return f"to_json(t.{column.name})"
    return json_value(column)


def json_value(column: Column[Any]) -> str:
    """Return SQL for the value of a column `t.NAME`, as JSON and CSV have it; the session speaks UTC."""
    if isinstance(column.type, DateTime):
        return f"replace(to_json(t.{column.name}) #>> '{{}}', '+00:00', 'Z')"
    if isinstance(column.type, LargeBinary):
        return f"encode(t.{column.name}, 'hex')"
    return f"t.{column.name}"

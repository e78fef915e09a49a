"""What is in the database, and how it is: facts for people, gathered without changing anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.engine import Database, explained, message, sqlstate
from outsourcing_spiders.storage.spool import Spool, read_lines
from outsourcing_spiders.storage.tables import SCHEMA_REVISION, metadata

_COUNTED_UP_TO = 128 * 2**20
"""Bytes of a table up to which its rows are counted; about a second's work."""
_PATIENCE = 10
"""Seconds after which a single fact is given up."""

SchemaState = Literal["current", "older", "newer", "missing"]


class UncheckedDatabase(Database):
    """A database that is taken as it is, whatever schema it has."""

    async def _check_schema(self) -> None:
        """Leave it to the caller."""

    async def schema_state(self) -> tuple[SchemaState, str | None]:
        """Return how the schema compares with this code's, and its revision."""
        with explained(self.name):
            revision = await self.schema_revision()
        if revision is None:
            return "missing", None
        if revision == SCHEMA_REVISION:
            return "current", revision
        # Alembic takes a fifth of a second to load, and every `scrapy` command loads this module.
        from outsourcing_spiders.storage.migrations import known_revisions

        return "older" if revision in known_revisions() else "newer", revision


@dataclass(slots=True)
class TableFacts:
    """One table; `rows` is the planner's estimate unless `rows_exact`, and ``None`` when it has none."""

    name: str
    rows: int | None
    rows_exact: bool
    size_bytes: int


@dataclass(slots=True)
class PlatformFacts:
    """The projects of one platform."""

    platform: str
    projects: int
    newest_posted_at: datetime | None
    last_seen_at: datetime


@dataclass(slots=True)
class RunFacts:
    """One crawl, as ``crawl_runs`` has it."""

    spider: str
    started_at: datetime
    finished_at: datetime | None
    reason: str | None
    items_scraped: int
    written: int
    unchanged: int
    merged: int
    rejected: int
    spooled: int
    requests: int


@dataclass(slots=True)
class SpoolFacts:
    """What waits on disk to be stored."""

    folder: str
    files: int = 0
    rows: int = 0
    files_of_other_databases: int = 0


@dataclass(slots=True)
class Status:
    """All facts. ``None``: there is no such thing in this database, or it took too long; `notes` says which."""

    location: str
    embedded: bool
    exists: bool
    newest_known_revision: str
    spool: SpoolFacts
    folder: str | None = None
    host: str | None = None
    database: str | None = None
    psql: str | None = None
    server_version: str | None = None
    size_bytes: int | None = None
    schema: SchemaState = "missing"
    schema_revision: str | None = None
    advice: str | None = None
    tables: list[TableFacts] = field(default_factory=list)
    platforms: list[PlatformFacts] | None = None
    last_runs: list[RunFacts] | None = None
    texts_to_index: int | None = None
    rejected_last_day: int | None = None
    notes: list[str] = field(default_factory=list)


async def gather(url: str, *, embedded_root: Path, spool_root: Path) -> Status:
    """Return the facts about one database; an embedded server is started for it, but never made.

    Raises `StorageError` when the database cannot be reached.
    """
    database = UncheckedDatabase(url, embedded_root=embedded_root)
    status = Status(
        location=database.name,
        embedded=database.is_embedded,
        exists=True,
        newest_known_revision=SCHEMA_REVISION,
        spool=SpoolFacts(str(spool_root)),
    )
    if database.is_embedded:
        status.folder = str(embedded_root)
        if not is_made(embedded_root):
            status.exists = False
            status.advice = "Nothing is stored yet: the first crawl makes the database, or run: scrapy db upgrade"
            status.spool = spool_facts(spool_root, "")
            return status
    async with database:
        status.spool = spool_facts(spool_root, database.dsn)
        status.psql = database.psql_command
        status.host = None if database.is_embedded else _host(database.dsn)
        status.schema, status.schema_revision = await database.schema_state()
        status.advice = advice(status.schema, status.schema_revision)
        with explained(database.name):
            async with database.engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(text(f"SET statement_timeout = '{_PATIENCE}s'"))
                await _gather(connection, status)
    return status


def is_made(embedded_root: Path) -> bool:
    """Tell whether the embedded server of a folder has a database yet."""
    return (embedded_root.expanduser() / "data" / "PG_VERSION").exists()


def advice(state: SchemaState, revision: str | None) -> str | None:
    """Return what to do about a schema, ``None`` when nothing is to be done."""
    match state:
        case "current":
            return None
        case "missing":
            return "This database has no tables of this project yet: run: scrapy db upgrade"
        case "older":
            return (
                f"The schema (revision {revision}) is older than this code ({SCHEMA_REVISION}): run: scrapy db upgrade"
            )
        case "newer":
            return (
                f"The schema (revision {revision}) is of a newer version of this project; this code knows up to "
                f"{SCHEMA_REVISION}: update the code, or use another database."
            )


def spool_facts(root: Path, dsn: str) -> SpoolFacts:
    """Return what the spool holds for the database of `dsn`, and how many files for others."""
    spool = Spool(root, dsn)
    try:
        files = [*spool.files("projects"), *spool.files("rejected")]
        everybody = sum(1 for _ in root.glob("*/*.jsonl"))
        rows = sum(len(read_lines(path)) for path in files)
    except OSError as error:
        raise StorageError(f"{error.filename} cannot be read ({error.strerror}): make it readable for you.") from error
    return SpoolFacts(str(spool.folder if files else root), len(files), rows, everybody - len(files))


async def _gather(connection: AsyncConnection, status: Status) -> None:
    row = (await connection.execute(text(_SERVER))).one()
    status.database, status.server_version, status.size_bytes = row
    for table in (await connection.execute(text(_TABLES), {"names": sorted(metadata.tables)})).all():
        rows, is_exact = (table.estimate if table.estimate >= 0 else None), False
        if table.heap_bytes <= _COUNTED_UP_TO:
            counted = await _ask(connection, status, f"rows of {table.name}", f"SELECT count(*) FROM {table.name}")  # noqa: S608
            if counted is not None:
                rows, is_exact = counted[0][0], True
        status.tables.append(TableFacts(table.name, rows, is_exact, table.total_bytes))
    platforms = await _ask(connection, status, "projects per platform", _PLATFORMS)
    if platforms is not None:
        status.platforms = [PlatformFacts(*row) for row in platforms]
        for facts in status.tables:
            if facts.name == "projects" and not facts.rows_exact:
                facts.rows, facts.rows_exact = sum(row.projects for row in status.platforms), True
    runs = await _ask(connection, status, "crawl runs", _RUNS)
    status.last_runs = None if runs is None else [RunFacts(*row) for row in runs]
    pending = await _ask(connection, status, "texts to index", _PENDING)
    status.texts_to_index = None if pending is None else pending[0][0]
    rejected = await _ask(connection, status, "rejected items", _REJECTED)
    status.rejected_last_day = None if rejected is None else rejected[0][0]


async def _ask(connection: AsyncConnection, status: Status, what: str, statement: str) -> list[Any] | None:
    """Return rows; ``None``, with a note unless there is no such table, when the database does not give them."""
    try:
        return list((await connection.execute(text(statement))).all())
    except DBAPIError as error:
        match sqlstate(error):
            case "42P01" if status.schema == "missing":
                pass
            case "42P01" | "42703" | "42501":
                status.notes.append(f"{what}: {message(error)}")
            case "57014":
                status.notes.append(f"{what}: not known within {_PATIENCE} s")
            case _:
                raise
        return None


def _host(dsn: str) -> str:
    parts = urlsplit(dsn)
    return dict(parse_qsl(parts.query)).get("host") or parts.netloc.rpartition("@")[2] or "localhost"


_SERVER = """
SELECT current_database(), split_part(current_setting('server_version'), ' ', 1), pg_database_size(current_database())
"""
_TABLES = """
SELECT c.relname AS name, CAST(c.reltuples AS bigint) AS estimate,
    pg_relation_size(c.oid) AS heap_bytes, pg_total_relation_size(c.oid) AS total_bytes
FROM unnest(CAST(:names AS text[])) AS n(name) JOIN pg_class c ON c.oid = to_regclass(n.name) ORDER BY 1
"""
_PLATFORMS = """
SELECT platform, count(*), max(posted_at), max(last_seen_at) FROM projects GROUP BY platform ORDER BY platform
"""
_RUNS = """
SELECT spider, started_at, finished_at, reason, items_scraped, written, unchanged, merged, rejected, spooled, requests
FROM crawl_runs ORDER BY started_at DESC, id DESC LIMIT 5
"""
_PENDING = "SELECT count(*) FROM project_search WHERE search IS NULL"
_REJECTED = "SELECT count(*) FROM rejected_items WHERE rejected_at > now() - interval '1 day'"

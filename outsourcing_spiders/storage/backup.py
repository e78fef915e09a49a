"""All tables in one file, and back: whatever version, place and encryption the servers have.

``pg_dump`` refuses servers newer than itself, what it writes is refused by older ones, and the one that comes
with the embedded server speaks no TLS. The schema is made by the migrations anyway, so that a backup needs the
rows only: a zip of one CSV file for each table, and `MANIFEST`, which says which schema they are of.
"""

from __future__ import annotations

import asyncio
import lzma
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.engine import LOCKED_OUT, Database, explained, lock_schema, sqlstate
from outsourcing_spiders.storage.run_liveness import running_spiders
from outsourcing_spiders.storage.tables import SCHEMA_REVISION, metadata

MANIFEST = "manifest.json"
_FORMAT = 1
_CHUNK = 1 << 18
_LARGEST_MANIFEST = 1 << 20
# RuntimeError: somebody has encrypted it. NotImplementedError: or packed it again, with what Python cannot unpack.
_DAMAGE = (KeyError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError)
_COMPRESSION_LEVEL = 3  # of the next ones each costs twice the time for a hundredth of the size

# Copies that must be gone at a time that a platform sets are in no file that outlives it: no row with an `expires_at`,
# and nothing that hangs on one, or says that such rows are stored.
_LASTING = {
    "rejected_items": "payload->>'expires_at' IS NULL",
    "page_validators": "NOT EXISTS (SELECT FROM projects p WHERE p.platform = t.spider AND p.expires_at IS NOT NULL)",
    **dict.fromkeys(
        ("project_history", "project_search"),
        "NOT EXISTS (SELECT FROM projects p WHERE p.platform = t.platform AND p.external_id = t.external_id "
        "AND p.expires_at IS NOT NULL)",
    ),
}
# Before revision 0005 kept pages have no `expires_at`: all but those that get one there.
_LASTING_OLD_PAGE = "NOT (spider = 'upwork' AND url LIKE 'https://api.upwork.com/%')"
_COLUMNS = text(
    """
SELECT c.relname AS name, array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS quoted,
    array_agg(CAST(a.attname AS text) ORDER BY a.attnum) AS columns
FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS n(name, place)
JOIN pg_class c ON c.oid = to_regclass(n.name)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname, n.place ORDER BY n.place
"""
)
_IDENTITIES = text(
    """
SELECT quote_ident(a.attname) AS name, pg_get_serial_sequence(:table, a.attname) AS sequence FROM pg_attribute a
WHERE a.attrelid = to_regclass(:table) AND a.attidentity <> ''
"""
)


class TableInFile(msgspec.Struct, frozen=True):
    """One table of a backup; `columns` in the order of its CSV file, ``NAME.csv``."""

    name: str
    columns: list[str]
    rows: int


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; `tables` in an order in which they can be filled. `taken_at` is aware."""

    format: int
    schema_revision: str
    server_version: str
    taken_at: datetime
    tables: list[TableInFile]

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True)
class _Held:
    """A table as the database has it."""

    name: str
    columns: list[str]
    quoted: list[str]


async def back_up(database: Database, file: BinaryIO) -> Manifest:
    """Write all tables, as they were at one moment, to `file`, which need not be seekable; crawls may run meanwhile.

    The schema may be older than this code's. What must be deleted at a set time (`expires_at`) is left out, and what
    an upgrade of the schema would set a time for.
    Raises `StorageError`; the file is of no use then.
    """
    async with database.engine.connect() as connection:
        revision = await _revision(connection)
        if revision is None:
            raise StorageError(f"Nothing is stored yet in {database.name}: there is nothing to back up.")
        _check_known(revision, f"{database.name} has the schema")
        tables = await _tables(connection)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # Before anything is read, so that no migration comes between the columns and the rows.
        names = ", ".join(table.name for table in tables)
        await connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        await connection.execute(text(f"LOCK TABLE alembic_version, {names} IN ACCESS SHARE MODE"))
        if await _revision(connection) != revision or await _tables(connection) != tables:
            raise StorageError(f"The schema of {database.name} was upgraded just now: run it again.")
        version = (await connection.execute(text("SHOW server_version"))).scalar_one()
        driver = (await connection.get_raw_connection()).driver_connection
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as archive:
            taken_at = datetime.now(UTC)
            expiring = {table.name for table in tables if "expires_at" in table.columns}
            written = [await _write(archive, driver, table, expiring) for table in tables]
            manifest = Manifest(_FORMAT, revision, version, taken_at, written)
            archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return manifest


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """Return what a backup holds; raises `StorageError` when this code cannot restore it."""
    try:
        with archive.open(MANIFEST) as entry:
            said = entry.read(_LARGEST_MANIFEST + 1)
        manifest = msgspec.json.decode(said if len(said) <= _LARGEST_MANIFEST else b"", type=Manifest)
    except (*_DAMAGE, msgspec.MsgspecError):
        raise StorageError("The file is no backup of `scrapy db backup`.") from None
    if manifest.format != _FORMAT:
        raise StorageError("The backup was made by a newer version of this project: update the code.")
    _check_known(manifest.schema_revision, "The backup has the schema")
    return manifest


async def restore(database: Database, archive: zipfile.ZipFile, *, replace: bool = False) -> Manifest:
    """Fill the database from a backup, all or nothing, and bring its schema up to date.

    `replace` allows that there are rows already, which are deleted. Raises `StorageError`: when there are any
    without it, when crawls run, when the backup or the database is of a newer version, when the file is damaged.
    Grants on the tables stay as they are.
    """
    manifest = read_manifest(archive)
    try:
        with explained(database.name):
            async with database.engine.begin() as connection:
                await lock_schema(connection)
                await _make_room(database, connection, manifest.schema_revision, replace=replace)
                await _fill(connection, archive, manifest)
                await _migrate(connection, "upgrade", SCHEMA_REVISION)
    except StorageError as error:
        if error.__cause__ is not None and sqlstate(error.__cause__) in LOCKED_OUT:
            raise StorageError(
                f"{database.name} is in use, by an export or a session in psql: end it first."
            ) from error
        raise
    return manifest


async def _make_room(database: Database, connection: AsyncConnection, wanted: str, *, replace: bool) -> None:
    """Leave the tables of revision `wanted`, empty."""
    revision = await _revision(connection)
    if revision is None:
        await _migrate(connection, "upgrade", wanted)
        return
    known = _check_known(revision, f"{database.name} has the schema")
    names = [table.name for table in await _tables(connection)]
    # A crawl that begins now waits for this, and finds the restored tables.
    await connection.execute(text(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE"))
    if running := await running_spiders(connection):
        raise StorageError(
            f"Crawls run into {database.name} ({', '.join(running)}): stop them and their schedule first, then restore."
        )
    for name in names:
        if not replace and (await connection.execute(text(f"SELECT EXISTS (SELECT FROM {name})"))).scalar():  # noqa: S608
            raise StorageError(
                f"{database.name} holds data already ({name}): restore into an empty database, or add --replace, "
                "which deletes all that is there."
            )
    await connection.execute(text(f"TRUNCATE {', '.join(names)}"))
    # Newest first.
    if known.index(revision) < known.index(wanted):
        await _migrate(connection, "downgrade", wanted)
    else:
        await _migrate(connection, "upgrade", wanted)


async def _fill(connection: AsyncConnection, archive: zipfile.ZipFile, manifest: Manifest) -> None:
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    held = {table.name: table for table in await _tables(connection)}
    for table in manifest.tables:
        if table.name not in held or set(table.columns) - set(held[table.name].columns):
            raise StorageError(f"The backup has a table {table.name} that its schema does not have: it is damaged.")
    names = [table.name for table in manifest.tables]
    if gone := sorted(held.keys() - set(names)):
        raise StorageError(f"The backup is damaged (it has no {', '.join(gone)}); nothing was changed.")
    if len(names) != len(set(names)):
        raise StorageError("The backup is damaged (it has a table twice); nothing was changed.")
    for table in manifest.tables:
        # Triggers would write the history and the search vectors, which are in the backup, a second time.
        await connection.execute(text(f"ALTER TABLE {table.name} DISABLE TRIGGER USER"))
        try:
            with archive.open(f"{table.name}.csv") as rows:
                told = await driver.copy_to_table(
                    table.name, source=_chunks(rows), columns=table.columns, format="csv", header=True
                )
        except _DAMAGE as error:
            raise StorageError(f"The backup is damaged ({table.name}: {error}); nothing was changed.") from error
        if told != f"COPY {table.rows}":
            raise StorageError(f"The backup is damaged ({table.name} is not whole); nothing was changed.")
        await connection.execute(text(f"ALTER TABLE {table.name} ENABLE TRIGGER USER"))
        for column in (await connection.execute(_IDENTITIES, {"table": table.name})).all():
            await connection.execute(
                text(
                    f"SELECT setval(:sequence, coalesce(max({column.name}), 1), max({column.name}) IS NOT NULL) "  # noqa: S608
                    f"FROM {table.name}"
                ),
                {"sequence": column.sequence},
            )


async def _chunks(rows: Any) -> AsyncIterator[bytes]:
    while chunk := rows.read(_CHUNK):
        yield chunk
        await asyncio.sleep(0)


async def _write(archive: zipfile.ZipFile, driver: Any, table: _Held, expiring: set[str]) -> TableInFile:
    values = list(table.quoted)
    if table.name == "platform_health":
        lasting = f"SELECT id FROM kept_pages WHERE id = t.page_id AND {_is_lasting('kept_pages', expiring)}"  # noqa: S608
        values[table.columns.index("page_id")] = f"({lasting}) AS page_id"
    with archive.open(f"{table.name}.csv", "w", force_zip64=True) as entry:

        async def write(data: bytes) -> None:
            entry.write(data)

        query = f"SELECT {', '.join(values)} FROM {table.name} t WHERE {_is_lasting(table.name, expiring)}"  # noqa: S608
        told = await driver.copy_from_query(query, output=write, format="csv", header=True)
    return TableInFile(table.name, table.columns, int(told.removeprefix("COPY ")))


def _is_lasting(table: str, expiring: set[str]) -> str:
    """Return which rows of a table go into a backup; in an older schema fewer tables, or none, are `expiring`."""
    if table in expiring:
        return "expires_at IS NULL"
    if table == "kept_pages":
        return _LASTING_OLD_PAGE
    return _LASTING.get(table, "true") if "projects" in expiring else "true"


async def _tables(connection: AsyncConnection) -> list[_Held]:
    """Return the tables of this project that there are; those that others point at come first."""
    names = [table.name for table in metadata.sorted_tables]
    return [_Held(row.name, row.columns, row.quoted) for row in await connection.execute(_COLUMNS, {"names": names})]


async def _revision(connection: AsyncConnection) -> str | None:
    if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar() is None:
        return None
    found: str | None = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    return found


def _check_known(revision: str, subject: str) -> list[str]:
    from outsourcing_spiders.storage.migrations import known_revisions

    known = known_revisions()
    if revision not in known:
        raise StorageError(
            f"{subject} of a newer version of this project (revision {revision}, this code knows up to "
            f"{SCHEMA_REVISION}): update the code."
        )
    return known


async def _migrate(connection: AsyncConnection, direction: str, revision: str) -> None:
    # Alembic takes a fifth of a second to load.
    from outsourcing_spiders.storage import migrations

    migrate: Callable[..., None] = getattr(migrations, direction)
    await connection.run_sync(partial(migrate, revision=revision))

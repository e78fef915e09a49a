"""A backup holds all that is stored, at one moment, and comes back on any server; a wrong one changes nothing."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from _projects import POSTED, ask, project, put
from conftest import Server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.backup import MANIFEST, Manifest, back_up, restore
from outsourcing_spiders.storage.engine import normalize_url
from outsourcing_spiders.storage.migrations import downgrade, known_revisions
from outsourcing_spiders.storage.run_liveness import RunLease
from outsourcing_spiders.storage.status import UncheckedDatabase
from outsourcing_spiders.storage.tables import SCHEMA_REVISION, metadata

ODD = ("", "\\N", "\\.", '"a", b;\tc', "one\ntwo\r\nthree", "Größe, 日本語, 🦊", " blanks ", "NULL", "\\\\x00")
_FILLED = (
    "projects", "project_history", "project_search", "crawl_runs", "rejected_items", "kept_pages", "exchange_rates",
    "platform_blocks", "page_validators", "credentials",
)  # fmt: skip
_LEASES = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
_names = itertools.count()


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[UncheckedDatabase]:
    async with UncheckedDatabase(url, embedded_root=folder) as database:
        yield database


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[UncheckedDatabase]:
    """A database with the schema, on each server."""
    async with opened(database_url, tmp_path) as database:
        yield database


@pytest.fixture
async def empty(empty_database_url: str, tmp_path: Path) -> AsyncIterator[UncheckedDatabase]:
    """A database without a schema, on each server."""
    async with opened(empty_database_url, tmp_path) as database:
        yield database


async def fill(engine: AsyncEngine) -> None:
    """Store something in every table."""
    await put(engine, *(project(number, title=f"T {odd}", description=odd) for number, odd in enumerate(ODD)))
    await put(engine, project(0, bid_count=9), seen_at=datetime.now(UTC) + timedelta(minutes=1))
    statements = (
        "UPDATE project_search SET search = to_tsvector('simple', 'some ''quoted'' words') WHERE external_id <> '3'",
        "INSERT INTO crawl_runs (spider, started_at, finished_at, reason, written, stats, listing, whole_since) VALUES "
        """('alpha', now(), now(), 'finished', 9, '{"a": [1, "\\"", null]}', '{}', '-infinity'), """
        "('alpha', now(), NULL, NULL, 1, '{}', '{}', NULL)",
        "INSERT INTO rejected_items (run_id, spider, reason, payload, rejected_at, fingerprint) "
        "SELECT max(id), 'alpha', 'no title', '{}', now(), '\\x00ff0a' FROM crawl_runs",
        "INSERT INTO kept_pages (run_id, spider, url, status, headers, body, body_size, reason, finding, kept_at) "
        "SELECT max(id), 'alpha', 'u', 200, '{}', '\\x1f8b0a2c22', 9, 'blocked', 'a title', now() FROM crawl_runs",
        "INSERT INTO exchange_rates VALUES ('EUR', '2026-03-01', 'ecb', 1.0850000000000000001)",
        "INSERT INTO platform_blocks VALUES ('alpha', 'h', 'blocked', 'm', now(), now(), 2)",
        "INSERT INTO page_validators VALUES ('alpha', '{}', 'u', NULL, '', now())",
        "INSERT INTO credentials VALUES ('alpha', '\\x00', now())",
    )
    async with engine.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def content(engine: AsyncEngine) -> dict[str, list[str]]:
    """Return every row of every table."""
    found = {}
    for name in sorted(metadata.tables):
        rows = await ask(engine, f"SELECT CAST(t AS text) AS row FROM {name} t ORDER BY 1")
        found[name] = [row.row for row in rows]
    return found


async def taken(database: UncheckedDatabase) -> tuple[zipfile.ZipFile, Manifest]:
    file = io.BytesIO()
    manifest = await back_up(database, file)
    return zipfile.ZipFile(file), manifest


async def test_all_comes_back(database: UncheckedDatabase, empty: UncheckedDatabase) -> None:
    await fill(database.engine)
    before = await content(database.engine)
    assert [name for name in _FILLED if not before[name]] == []
    archive, manifest = await taken(database)
    assert {table.name: table.rows for table in manifest.tables} == {name: len(rows) for name, rows in before.items()}
    assert await restore(empty, archive) == manifest
    assert await content(empty.engine) == before
    assert await content(database.engine) == before
    assert await empty.schema_state() == ("current", SCHEMA_REVISION)
    # What is stored next is as in the original: triggers fire, numbers go on.
    await put(empty.engine, project("new"))
    assert len(await ask(empty.engine, "SELECT 1 FROM project_history WHERE external_id = 'new'")) == 1
    new = "INSERT INTO crawl_runs (spider, started_at, listing) VALUES ('a', now(), '{}') RETURNING id"
    async with empty.engine.begin() as connection:
        assert (await connection.execute(text(new))).scalar_one() == 3


async def test_a_file_of_the_backup_is_plain_csv(database: UncheckedDatabase) -> None:
    await put(database.engine, project(1, title="T, 1", description=None))
    archive, _ = await taken(database)
    (row,) = csv.DictReader(io.TextIOWrapper(archive.open("projects.csv"), "utf-8"))
    assert (row["title"], row["budget_min"], row["posted_at"]) == ("T, 1", "250", f"{POSTED:%F %T}.123456+00")


async def test_between_servers(embedded_server: Server, oldest_server: Server, tmp_path: Path) -> None:
    """From PostgreSQL 18 to 15, which pg_dump does not do, and back."""
    urls = []
    for server in (embedded_server, oldest_server, embedded_server):
        name = f"between_{os.getpid()}_{next(_names)}"
        connection = await asyncpg.connect(normalize_url(server.url("postgres")))
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        await connection.close()
        urls.append(server.url(name))
    async with opened(urls[0], tmp_path) as first, opened(urls[1], tmp_path) as second:
        await first.upgrade()
        await fill(first.engine)
        archive, _ = await taken(first)
        await restore(second, archive)
        assert await content(second.engine) == await content(first.engine)
        archive, _ = await taken(second)
        async with opened(urls[2], tmp_path) as third:
            await restore(third, archive)
            assert await content(third.engine) == await content(first.engine)


async def test_what_must_be_deleted_in_time_is_left_out(database: UncheckedDatabase, empty: UncheckedDatabase) -> None:
    soon = datetime.now(UTC) + timedelta(hours=24)
    lasting, expiring = project("lasts"), replace(project("expires"), expires_at=soon)
    await put(database.engine, lasting, expiring)
    payload = '{"expires_at": "' + soon.isoformat() + '"}'
    page = (
        "INSERT INTO kept_pages (spider, url, status, headers, body, body_size, reason, finding, kept_at, expires_at) "
        "VALUES ('a', :url, 200, '{}', '', 0, 'layout_changed', 'f', now(), :expires_at)"
    )
    async with database.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO rejected_items (spider, reason, payload, rejected_at, fingerprint) "
                "VALUES ('a', 'r', CAST(:payload AS jsonb), now(), '')"
            ),
            {"payload": payload},
        )
        for url, expires_at in (("lasts", None), ("expires", soon)):
            await connection.execute(text(page), {"url": url, "expires_at": expires_at})
        await connection.exec_driver_sql(
            "INSERT INTO platform_health "
            "(spider, listing, reader, subject, kind, finding, since, since_run_id, page_id) "
            "SELECT 'a', '{}', 'A', url, 'k', 'f', now(), 1, id FROM kept_pages"
        )
        for spider in ("alpha", "lasting"):
            await connection.exec_driver_sql(
                f"INSERT INTO page_validators VALUES ('{spider}', '{{}}', 'u', 'etag', NULL, now())"
            )
    archive, manifest = await taken(database)
    rows = {table.name: table.rows for table in manifest.tables}
    names = ("projects", "project_history", "project_search", "rejected_items", "kept_pages", "platform_health")
    assert [rows[name] for name in names] == [1, 1, 1, 0, 1, 2]
    assert b"expires," not in archive.read("projects.csv").partition(b"\n")[2]
    await restore(empty, archive)
    shown = "SELECT subject, url FROM platform_health LEFT JOIN kept_pages k ON k.id = page_id ORDER BY subject"
    assert await ask(empty.engine, shown) == [("expires", None), ("lasts", "lasts")]
    # "Not modified" would hide the projects that did not come back.
    assert await ask(empty.engine, "SELECT spider FROM page_validators") == [("lasting",)]


async def test_it_is_of_one_moment(database: UncheckedDatabase, empty: UncheckedDatabase) -> None:
    """Projects come in while it is written; each has its history and its search vector, or is not in it at all."""
    done = asyncio.Event()

    async def store() -> None:
        for number in itertools.count():
            await put(database.engine, project(f"late {number}"))
            if done.is_set():
                return

    await put(database.engine, *(project(number, description="word " * 200) for number in range(3_000)))
    storing = asyncio.create_task(store())
    archive, manifest = await taken(database)
    done.set()
    await storing
    await restore(empty, archive)
    rows = {table.name: table.rows for table in manifest.tables}
    assert rows["projects"] == rows["project_history"] == rows["project_search"] >= 3_000
    (left,) = await ask(
        empty.engine,
        "SELECT count(*) AS alone FROM projects FULL JOIN project_history h USING (platform, external_id) "
        "FULL JOIN project_search s USING (platform, external_id) WHERE h.status IS NULL OR s IS NULL",
    )
    assert left.alone == 0


async def test_data_that_is_there_is_replaced_only_when_asked(database: UncheckedDatabase) -> None:
    await fill(database.engine)
    archive, _ = await taken(database)
    was = await content(database.engine)
    await put(database.engine, project("later"))
    now = await content(database.engine)
    with pytest.raises(StorageError, match=r"holds data already \(.*\): .* or add --replace"):
        await restore(database, archive)
    assert await content(database.engine) == now
    await restore(database, archive, replace=True)
    assert await content(database.engine) == was


async def test_not_while_crawls_run(database: UncheckedDatabase) -> None:
    await put(database.engine, project(1))
    archive, _ = await taken(database)
    lease = RunLease(database.engine)
    await lease.begin("alpha", "{}")
    with pytest.raises(StorageError, match=r"Crawls run into .* \(alpha\): stop them and their schedule first"):
        await restore(database, archive, replace=True)
    await lease.release()
    async with asyncio.timeout(60):
        # The server notices the end of a connection a moment later.
        while await ask(database.engine, _LEASES):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)
    await restore(database, archive, replace=True)
    assert await ask(database.engine, "SELECT 1 FROM crawl_runs") == []


async def test_not_while_somebody_reads(database: UncheckedDatabase) -> None:
    archive, _ = await taken(database)
    async with database.engine.connect() as reading:
        await reading.execute(text("SELECT FROM projects"))
        with pytest.raises(StorageError, match="is in use, by an export or a session in psql: end it first"):
            await restore(database, archive)


def changed(archive: zipfile.ZipFile, **files: bytes | None) -> zipfile.ZipFile:
    """Return a copy with other files; ``None`` leaves one out."""
    copy = zipfile.ZipFile(io.BytesIO(), "w")
    for name in archive.namelist():
        content = files.get(name.partition(".")[0], archive.read(name))
        if content is not None:
            copy.writestr(name, content)
    return copy


def with_tables(manifest: bytes, edit: Callable[[list[Any]], list[Any]]) -> bytes:
    """Return a manifest that names other tables."""
    said = msgspec.json.decode(manifest)
    return msgspec.json.encode(said | {"tables": edit(said["tables"])})


def encrypted(archive: zipfile.ZipFile, name: str) -> zipfile.ZipFile:
    """Return a copy in which one file says that it is encrypted."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as copy:
        for each in archive.namelist():
            copy.writestr(each, archive.read(each))
    opened = zipfile.ZipFile(file)
    opened.getinfo(name).flag_bits |= 1
    data = bytearray(file.getvalue())
    data[opened.getinfo(name).header_offset + 6] |= 1
    opened.fp = io.BytesIO(bytes(data))
    return opened


def spoiled(archive: zipfile.ZipFile, case: str) -> zipfile.ZipFile:
    manifest, rows = archive.read(MANIFEST), archive.read("projects.csv")
    match case:
        case "newer":
            return changed(archive, manifest=manifest.replace(f'"{SCHEMA_REVISION}"'.encode(), b'"9999"'))
        case "other format":
            return changed(archive, manifest=manifest.replace(b'"format": 1', b'"format": 2'))
        case "no manifest":
            return changed(archive, manifest=None)
        case "short":
            return changed(archive, projects=rows[: rows.rindex(b"\n", 0, -1) + 1])
        case "missing":
            return changed(archive, projects=None)
        case "no tables":
            return changed(archive, manifest=with_tables(manifest, lambda _: []))
        case "twice":
            return changed(archive, manifest=with_tables(manifest, lambda tables: [*tables, tables[-1]]))
        case "no rows of it":
            return changed(archive, manifest=with_tables(manifest, lambda tables: tables[1:]))
        case "bomb":
            return changed(archive, manifest=manifest + b" " * (1 << 21))
        case "encrypted":
            return encrypted(archive, "projects.csv")
        case "encrypted manifest":
            return encrypted(archive, MANIFEST)
        case "unknown table":
            return changed(archive, manifest=manifest.replace(b'"name": "projects"', b'"name": "pg_authid"'))
        case "flipped bits":
            data = bytearray(archive.fp.getvalue())  # type: ignore[union-attr]
            info = archive.getinfo("projects.csv")
            at = info.header_offset + info.compress_size // 2
            data[at] ^= 0xFF
            return zipfile.ZipFile(io.BytesIO(bytes(data)))
    raise ValueError(case)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("newer", r"of a newer version of this project \(revision 9999, .*\): update the code"),
        ("other format", "made by a newer version of this project: update the code"),
        ("no manifest", "no backup of `scrapy db backup`"),
        ("short", r"damaged \(projects is not whole\); nothing was changed"),
        ("missing", r"damaged \(projects: .*\); nothing was changed"),
        ("no tables", r"damaged \(it has no .*, projects.*\); nothing was changed"),
        ("twice", r"damaged \(it has a table twice\); nothing was changed"),
        ("no rows of it", r"damaged \(it has no \w+\); nothing was changed"),
        ("bomb", "no backup of `scrapy db backup`"),
        ("encrypted", r"damaged \(projects: .*encrypted.*\); nothing was changed"),
        ("encrypted manifest", "no backup of `scrapy db backup`"),
        ("unknown table", "has a table pg_authid that its schema does not have: it is damaged"),
        ("flipped bits", "damaged"),
    ],
)
async def test_a_wrong_backup_changes_nothing(database: UncheckedDatabase, case: str, said: str) -> None:
    await put(database.engine, *(project(number, description=os.urandom(900).hex()) for number in range(20)))
    archive, _ = await taken(database)
    before = await content(database.engine)
    with pytest.raises(StorageError, match=said):
        await restore(database, spoiled(archive, case), replace=True)
    assert await content(database.engine) == before


async def migrate_down(engine: AsyncEngine, revision: str) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(partial(downgrade, revision=revision))


@pytest.mark.parametrize("revision", known_revisions()[1:])
async def test_of_an_older_schema(database: UncheckedDatabase, empty: UncheckedDatabase, revision: str) -> None:
    """A backup is made before an upgrade, by the new code as a rule; it comes back as if it had been upgraded."""
    await migrate_down(database.engine, revision)
    async with database.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO projects (platform, external_id, url, title, description_complete, status, pricing, "
                "skills, work_mode, posted_precision, extra, first_seen_at, last_seen_at, changed_at) VALUES "
                "('a', '1', 'u', 't', true, 'open', 'fixed', '{}', 'remote', 'day', '{}', now(), now(), now())"
            )
        )
    archive, manifest = await taken(database)
    assert manifest.schema_revision == revision
    await restore(empty, archive)
    assert await empty.schema_state() == ("current", SCHEMA_REVISION)
    # Into a database of the newest schema, and into itself.
    await restore(empty, archive, replace=True)
    await restore(database, archive, replace=True)
    assert await content(empty.engine) == await content(database.engine)
    assert len((await content(empty.engine))["projects"]) == 1


async def test_of_a_schema_whose_pages_do_not_expire_yet(database: UncheckedDatabase, empty: UncheckedDatabase) -> None:
    """What the upgrade would make expire is left out by a backup before it."""
    await migrate_down(database.engine, "0004")
    pages = [
        ("alpha", "https://api.upwork.com/x"),
        ("upwork", "https://api.upwork.com/graphql"),
        ("upwork", "https://status.example/api.upwork.com/"),
    ]
    async with database.engine.begin() as connection:
        for spider, url in pages:
            await connection.execute(
                text(
                    "INSERT INTO kept_pages (spider, url, status, headers, body, body_size, reason, finding, kept_at) "
                    "VALUES (:spider, :url, 200, '{}', '', 0, 'layout_changed', 'f', now())"
                ),
                {"spider": spider, "url": url},
            )
        await connection.exec_driver_sql(
            "INSERT INTO platform_health "
            "(spider, listing, reader, subject, kind, finding, since, since_run_id, page_id) "
            "SELECT spider, '{}', 'A', url, 'k', 'f', now(), 1, id FROM kept_pages"
        )
    archive, manifest = await taken(database)
    rows = {table.name: table.rows for table in manifest.tables}
    assert (rows["kept_pages"], rows["platform_health"]) == (2, 3)
    assert b"graphql" not in archive.read("kept_pages.csv")
    await restore(empty, archive)
    shown = (
        "SELECT h.spider, subject, url FROM platform_health h LEFT JOIN kept_pages k ON k.id = page_id ORDER BY 1, 2"
    )
    assert await ask(empty.engine, shown) == [(*pages[0], pages[0][1]), (*pages[1], None), (*pages[2], pages[2][1])]


async def test_nothing_and_newer_databases_are_refused(database: UncheckedDatabase, empty: UncheckedDatabase) -> None:
    with pytest.raises(StorageError, match="Nothing is stored yet"):
        await back_up(empty, io.BytesIO())
    archive, _ = await taken(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refused in (back_up(database, io.BytesIO()), restore(database, archive, replace=True)):
        with pytest.raises(StorageError, match=r"has the schema of a newer version of this project \(revision 9999"):
            await refused

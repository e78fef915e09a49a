"""A real PostgreSQL for the tests that need one: the embedded server, in a folder that any user can enter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from outsourcing_spiders.items import Project
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import Database
from outsourcing_spiders.storage.rows import prepare
from outsourcing_spiders.storage.upsert import upsert


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    """What OUTSOURCING_SPIDERS_DATA can be set to; unlike pytest's own folders open to the server's user;
    in memory where there is room, for speed."""
    memory = Path("/dev/shm")
    place = memory if memory.exists() and shutil.disk_usage(memory).free > 2**30 else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="databases-", dir=place)).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server(data_folder: Path) -> Iterator[EmbeddedPostgres]:
    """The running server of that folder."""
    with EmbeddedPostgres(data_folder / "postgresql") as server:
        yield server


def address(server: EmbeddedPostgres, name: str, user: str = "postgres") -> str:
    """Return the DATABASE_URL of a database of this server."""
    return f"postgresql://{user}@/{name}?host={quote(str(server.run))}"


async def execute(server: EmbeddedPostgres, name: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    connection = await asyncpg.connect(address(server, name))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def make_database(server: EmbeddedPostgres, name: str) -> Database:
    """Make a new database and open it, which gives it the schema."""
    await execute(server, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    return await Database(address(server, name), embedded_root=server.root).open()


async def store(database: Database, *projects: Project) -> None:
    """Store projects, sorted by key as the writer does it."""
    rows = sorted((prepare(project) for project in projects), key=lambda row: row.key)
    async with database.engine.begin() as connection:
        await upsert(connection, [row.line for row in rows])

"""The schema is upgraded under crawls of the older code: they lose nothing, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _projects import ask, project, put
from alembic.config import Config
from conftest import REPOSITORY, scrapy_environment
from platforms_standins._server import StandInProcess
from platforms_standins.freelancer import standin_process
from sqlalchemy import text

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage import migrations
from outsourcing_spiders.storage.engine import Database
from outsourcing_spiders.storage.tables import SCHEMA_REVISION

# What a newer version may do: columns, checks, indexes, tables, even a wider type for a column in use.
_NEWER = f'''
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{SCHEMA_REVISION}", None, None


def upgrade():
    op.add_column("projects", sa.Column("newer", sa.Integer, nullable=False, server_default="7"))
    op.create_check_constraint("ck_projects_newer", "projects", "newer > 0")
    op.create_index("ix_projects_newer", "projects", ["newer"])
    op.add_column("crawl_runs", sa.Column("newer", sa.Text))
    op.alter_column("projects", "bid_count", type_=sa.BigInteger)
    op.alter_column("project_history", "bid_count", type_=sa.BigInteger)
    op.create_table("newer", sa.Column("id", sa.Integer))
'''


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `Database.upgrade` find one more migration, as a newer version has it."""
    folder = tmp_path / "migrations"
    left_out = shutil.ignore_patterns("__pycache__", "__init__.py")
    shutil.copytree(REPOSITORY / "outsourcing_spiders" / "storage" / "migrations", folder, ignore=left_out)
    (folder / "versions" / "9999_newer.py").write_text(_NEWER)

    @contextmanager
    def config() -> Iterator[Config]:
        yield migrations._config(folder)

    monkeypatch.setattr(migrations, "alembic_config", config)


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with the schema of this code, on each server."""
    async with Database(database_url, embedded_root=tmp_path) as database:
        yield database


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A small Freelancer.com."""
    with standin_process(projects=400, odd_rows=False, short_pages=False) as site:
        yield site


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
async def test_a_crawl_goes_on_to_its_end(
    database: Database, database_url: str, site: StandInProcess, tmp_path: Path
) -> None:
    # All but the first page are answered when it is healed.
    await asyncio.to_thread(site.fail, "held", after=1)
    crawl = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scrapy", "crawl", "freelancer", "-a", f"base_url={site.base_url}"),
        *("-s", "DOWNLOAD_DELAY=0", "-s", "PROGRESS=off", "-s", "DOWNLOAD_TIMEOUT=600"),
        cwd=REPOSITORY, env=scrapy_environment(tmp_path) | {"DATABASE_URL": database_url},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert crawl.stdout is not None
    try:
        async with asyncio.timeout(120):
            while not await ask(database.engine, "SELECT 1 FROM projects"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        # The crawl gets no further before it is upgraded.
        async with asyncio.timeout(60):
            await database.upgrade()
        assert await database.schema_revision() == "9999"
        assert 0 < len(await ask(database.engine, "SELECT 1 FROM projects")) < 400
        await asyncio.to_thread(site.heal)
        log = (await crawl.stdout.read()).decode()
        assert await crawl.wait() == 0, log
    finally:
        if crawl.returncode is None:
            crawl.kill()
    assert "ERROR" not in log
    assert "Traceback" not in log
    (run,) = await ask(database.engine, "SELECT * FROM crawl_runs")
    assert (run.reason, run.items_scraped, run.written, run.spooled) == ("finished", 400, 400, 0)
    stored = await ask(database.engine, "SELECT external_id, newer FROM projects")
    assert {int(row.external_id) for row in stored} == set(site.state()["ids"])
    assert {row.newer for row in stored} == {7}


@pytest.mark.usefixtures("newer")
async def test_rows_that_are_written_meanwhile_are_written(database: Database) -> None:
    upgraded = asyncio.Event()

    async def write(writer: int) -> int:
        number = 0
        while not upgraded.is_set() or number < 5:
            await put(database.engine, *(project(f"{writer} {number} {row}") for row in range(50)))
            number += 1
        return number * 50

    # Each writer has a connection; the pool has five.
    writing = [asyncio.create_task(write(number)) for number in range(4)]
    await database.upgrade()
    upgraded.set()
    rows = sum([await task for task in writing])
    (found,) = await ask(
        database.engine, "SELECT count(*) AS rows FROM projects JOIN project_history USING (external_id)"
    )
    assert found.rows == rows


@pytest.mark.usefixtures("newer")
async def test_while_an_export_runs_crawls_go_on_and_the_upgrade_waits(database: Database) -> None:
    async with database.engine.connect() as reading:
        await reading.execute(text("SELECT 1 FROM projects"))
        upgrading = asyncio.create_task(database.upgrade())
        # A plain ALTER TABLE would stand in the queue before these until the reader has left.
        async with asyncio.timeout(60):
            for number in range(10):
                await put(database.engine, project(number))
                await asyncio.sleep(0.1)
        assert not upgrading.done()
    async with asyncio.timeout(60):
        await upgrading
    assert await database.schema_revision() == "9999"


@pytest.mark.usefixtures("newer")
async def test_the_upgrade_gives_up_in_the_end_and_changes_nothing(database: Database) -> None:
    async with database.engine.connect() as reading:
        await reading.execute(text("SELECT 1 FROM projects"))
        with pytest.raises(StorageError, match=r"was not upgraded: for 0 s a table was in use .*; end it, and run"):
            await database.upgrade(patience=0)
    assert await database.schema_revision() == SCHEMA_REVISION


@pytest.mark.usefixtures("newer")
async def test_several_that_upgrade_at_once(database: Database) -> None:
    await asyncio.gather(*(database.upgrade() for _ in range(3)))
    assert await database.schema_revision() == "9999"

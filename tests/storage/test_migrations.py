"""The migrations make the tables that the code describes, wherever the code lies."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import REPOSITORY
from sqlalchemy import CheckConstraint, Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.engine import Database, create_engine, normalize_url
from outsourcing_spiders.storage.migrations import alembic_config, known_revisions, upgrade
from outsourcing_spiders.storage.tables import SCHEMA_REVISION, metadata


def test_the_revision_of_the_code_is_the_only_head() -> None:
    with alembic_config() as config:
        assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_REVISION]
    assert known_revisions()[0] == SCHEMA_REVISION


async def test_the_migrated_database_has_the_tables_of_the_code(emptied: AsyncEngine) -> None:
    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, metadata)

    async with emptied.connect() as connection:
        assert await connection.run_sync(compare) == []


async def test_check_constraints_and_storage_parameters_are_those_of_the_code(emptied: AsyncEngine) -> None:
    """Alembic compares neither."""
    async with emptied.connect() as connection:
        checks = await connection.execute(
            text(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 "
                "AND connamespace = CAST('public' AS regnamespace)"
            )
        )
        in_code = {
            (table.name, constraint.name)
            for table in metadata.tables.values()
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }
        assert {tuple(row) for row in checks} == in_code
        options = text("SELECT reloptions FROM pg_class WHERE oid = CAST('projects' AS regclass)")
        assert (await connection.execute(options)).scalar_one() == ["fillfactor=85"]


async def test_down_and_up_again(empty_database_url: str, tmp_path: Path) -> None:
    def downgrade(connection: Connection) -> None:
        with alembic_config() as config:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")

    left = text(
        "SELECT relname FROM pg_class WHERE relnamespace = CAST('public' AS regnamespace) AND relkind IN ('r', 'i') "
        "UNION SELECT proname FROM pg_proc WHERE pronamespace = CAST('public' AS regnamespace)"
    )
    async with Database(empty_database_url, embedded_root=tmp_path) as database:
        async with database.engine.begin() as connection:
            before = set((await connection.execute(left)).scalars())
            await connection.run_sync(downgrade)
            assert set((await connection.execute(left)).scalars()) == {"alembic_version", "alembic_version_pkc"}
        assert await database.schema_revision() is None
        await database.upgrade()
        await database.upgrade()
        assert await database.schema_revision() == SCHEMA_REVISION
        async with database.engine.connect() as connection:
            assert set((await connection.execute(left)).scalars()) == before


async def test_a_migration_that_fails_leaves_nothing(empty_database_url: str) -> None:
    engine = create_engine(normalize_url(empty_database_url))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE rejected_items ()"))
    with pytest.raises(Exception, match="already exists"):
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    async with engine.connect() as connection:
        tables = text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname !~ '^(pg_|sql_)'")
        assert list((await connection.execute(tables)).scalars()) == ["rejected_items"]
    await engine.dispose()


def test_a_zip_can_migrate(empty_database_url: str, tmp_path: Path) -> None:
    """An egg, as Scrapyd runs it, is a zip; nothing of the package is on the disk."""
    egg = tmp_path / "project.egg"
    with zipfile.ZipFile(egg, "w") as archive:
        for path in (REPOSITORY / "outsourcing_spiders").rglob("*.py"):
            archive.write(path, path.relative_to(REPOSITORY))
    script = """
import asyncio, pathlib, sys
import outsourcing_spiders.storage.migrations as migrations
from outsourcing_spiders.storage.engine import Database
async def main():
    async with Database(sys.argv[1], embedded_root=pathlib.Path(sys.argv[2])) as database:
        print(await database.schema_revision())
asyncio.run(main())
print(migrations.__file__)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        [sys.executable, "-c", script, empty_database_url, str(tmp_path)], cwd=tmp_path, check=False,
        env=environment | {"PYTHONPATH": str(egg)}, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    revision, where = result.stdout.split()
    assert revision == SCHEMA_REVISION
    assert where.startswith(str(egg))

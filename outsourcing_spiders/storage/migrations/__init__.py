"""Bring a database to the schema of this code, with Alembic, from inside a running event loop."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


@contextmanager
def alembic_config() -> Iterator[Config]:
    """Yield a configuration that finds the migrations, also when this package is inside a zip (an egg)."""
    scripts = files(__package__)
    if isinstance(scripts, Path):
        yield _config(scripts)
        return
    with tempfile.TemporaryDirectory() as folder:
        _copy(scripts, Path(folder))
        yield _config(Path(folder))


def known_revisions() -> list[str]:
    """Return the revisions that this code knows, newest first."""
    with alembic_config() as config:
        return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Apply what is missing, in the transaction of `connection`; use as ``await connection.run_sync(upgrade)``."""
    with alembic_config() as config:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take back what came after `revision`, with its data, in the transaction of `connection`."""
    with alembic_config() as config:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _copy(source: Traversable, target: Path) -> None:
    for entry in source.iterdir():
        if entry.is_dir():
            (target / entry.name).mkdir()
            _copy(entry, target / entry.name)
        elif entry.name.endswith(".py"):
            with entry.open("rb") as reading, (target / entry.name).open("wb") as writing:
                shutil.copyfileobj(reading, writing)

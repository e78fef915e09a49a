"""Databases and stand-ins that the tests share. Everything is real: servers, sockets, processes."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import Database, create_engine, normalize_url

# The same examples each time, and however long a machine that does much else takes for them.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

REPOSITORY = Path(__file__).parents[1]
_OLDEST_BINARIES = Path("/usr/lib/postgresql/15/bin")
_names = iter(range(1_000_000))


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server of the test session."""

    name: str
    address: str
    """Of its maintenance database, with ``{}`` where the name of a database goes."""

    def url(self, database: str) -> str:
        """Return the DATABASE_URL of one of its databases."""
        return self.address.format(database)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, unlike ``tmp_path``: servers that root starts run as another user."""
    folder = Path(tempfile.mkdtemp(prefix="outsourcing-tests-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def embedded_server(open_folder: Path) -> Iterator[Server]:
    """The PostgreSQL that pip installs."""
    with EmbeddedPostgres(open_folder / "embedded", database="template_of_tests") as server:
        yield Server("embedded", server.url.replace("template_of_tests", "{}"))


@pytest.fixture(scope="session")
def oldest_server(open_folder: Path) -> Iterator[Server]:
    """The oldest PostgreSQL that is supported, over TCP with a password, as most servers are reached."""
    if not _OLDEST_BINARIES.exists():
        pytest.skip("PostgreSQL 15 is not installed (Debian: apt-get install postgresql)")
    with oldest_postgres(open_folder / "oldest") as server:
        yield server


class oldest_postgres:  # noqa: N801 - a context manager, used like a function
    """Run PostgreSQL 15 in `folder`; `stop` and `start` it in between, as an operator would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # It keeps the port from everybody but the server, which asks for it with the same option.
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        self._port = self._kept.getsockname()[1]
        self._user: dict[str, int | str] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid}

    def __enter__(self) -> Server:
        self._folder.mkdir(mode=0o755)
        if self._user:
            os.chown(self._folder, int(self._user["user"]), int(self._user["group"]))
        password = self._folder / "password"
        password.write_text("p@ss/wörd")
        password.chmod(0o644)
        self._run("initdb", "-D", self.data, "-U", "tester", "-A", "scram-sha-256", "--pwfile", password, "-E", "UTF8",
                  "--locale=C", "--no-sync")  # fmt: skip
        with (self._folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self._port}\nunix_socket_directories = ''\n"
                "fsync = off\nmax_connections = 50\n"
            )
        self.start()
        return Server("oldest", f"postgresql://tester:p%40ss%2Fw%C3%B6rd@127.0.0.1:{self._port}/{{}}")

    def __exit__(self, *exc_info: object) -> None:
        self.stop("immediate")
        self._kept.close()

    @property
    def data(self) -> str:
        """The folder of the cluster."""
        return str(self._folder / "data")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "180", "-l", self._folder / "log", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; ``immediate`` is like a power cut."""
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "180", "-m", mode, "stop")

    def _run(self, program: str, *arguments: object) -> None:
        with tempfile.TemporaryFile() as output:
            result = subprocess.run(
                [str(_OLDEST_BINARIES / program), *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd="/", check=False, **self._user,
            )  # fmt: skip
            output.seek(0)
            assert result.returncode == 0, output.read().decode(errors="replace")


@pytest.fixture(scope="session", params=["embedded_server", "oldest_server"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server that is supported, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
async def template(server: Server, open_folder: Path) -> str:
    """Name of a database with the schema, to copy."""
    # pytest makes it anew whenever it comes back to a server.
    name = f"migrated_template_{next(_names)}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(server.url(name), embedded_root=open_folder):
        pass
    return name


@pytest.fixture
async def database_url(server: Server, template: str) -> AsyncIterator[str]:
    """DATABASE_URL of a new database with the schema, on each server; dropped after the test."""
    name = f"test_{os.getpid()}_{next(_names)}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
    yield server.url(name)
    await _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database_url(server: Server) -> AsyncIterator[str]:
    """DATABASE_URL of a new database without a schema, on each server; dropped after the test."""
    name = f"empty_{os.getpid()}_{next(_names)}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    yield server.url(name)
    await _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Engine of a new database with the schema."""
    engine = create_engine(normalize_url(database_url))
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def _shared_engine(server: Server, template: str) -> AsyncIterator[AsyncEngine]:
    name = f"shared_{os.getpid()}_{next(_names)}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
    engine = create_engine(normalize_url(server.url(name)))
    yield engine
    await engine.dispose()
    await _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def emptied(_shared_engine: AsyncEngine) -> AsyncEngine:
    """Engine of a database with the schema and no rows, which tests share: ten times faster than a new one."""
    async with _shared_engine.begin() as connection:
        for table in (
            "projects",
            "rejected_items",
            "crawl_runs",
            "exchange_rates",
            "platform_blocks",
            "kept_pages",
            "platform_health",
            "credentials",
        ):
            await connection.exec_driver_sql(f"DELETE FROM {table}")
    return _shared_engine


async def _administer(server: Server, statement: str) -> None:
    connection = await asyncpg.connect(normalize_url(server.url("postgres")))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def scrapy(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``scrapy`` in the project as a user would, in a process of its own; returns what it printed."""

    def run(*arguments: str, timeout: float = 180, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scrapy", *arguments],
            cwd=REPOSITORY, env=scrapy_environment(tmp_path) | environment, timeout=timeout, check=False,
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run


def scrapy_environment(data_folder: Path) -> dict[str, str]:
    """Return the environment for ``scrapy``: this machine's, without the settings of whoever runs the tests."""
    ours = (
        "DATABASE_URL", "FREELANCER_TOKEN", "CRAWLER_CONTACT", "CRAWL_SCHEDULE", "HEALTH_ACTIONS",
        "PERMITTED_PLATFORMS", "PLAYWRIGHT_CDP_URL", "STOP_GRACE",
    )  # fmt: skip
    families = ("SCRAPY", "UPWORK_", "METRICS_", "SPIDERMON_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(families) and not name.lower().endswith("_proxy")
    }
    return kept | {"OUTSOURCING_SPIDERS_DATA": str(data_folder), "PYTHONUNBUFFERED": "1"}

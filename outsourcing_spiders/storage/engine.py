"""Connections: which database, how to reach it, and one clear sentence when it cannot be reached."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from outsourcing_spiders.outcomes import DatabaseUnreachable, StorageError
from outsourcing_spiders.storage.connections import Connections
from outsourcing_spiders.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from outsourcing_spiders.storage.tables import SCHEMA_REVISION

logger = logging.getLogger(__name__)

OLDEST_SERVER = 15
_SCHEMES = ("postgres", "postgresql", "postgresql+asyncpg")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# libpq's options that providers put into the addresses they hand out; asyncpg would send them to the server.
_LIBPQ_ONLY = frozenset(
    ("channel_binding", "connect_timeout", "gssencmode", "keepalives", "keepalives_count", "keepalives_idle",
     "keepalives_interval", "tcp_user_timeout")
)  # fmt: skip
_PORT = re.compile(r"^(?:\[[^\[\]]+\]|[^\[\]:]*)(?::([0-9]+))?$")
_CONNECT_TIMEOUT = 10.0
_STARTING_UP_PATIENCE = 15.0
_CUT_OFF_PATIENCE = 0.25
# Any constant does, as long as every version of this project takes the same one.
_MIGRATION_LOCK = 7_240_210
# Whoever waits for a table keeps everybody waiting who comes later: briefly, then. Less than PostgreSQL's
# deadlock_timeout (1 s), so that of a migration and a crawl it is the migration that gives way.
_LOCK_TIMEOUT = 500  # milliseconds
_LOCK_PAUSE = 1.0  # seconds
_LOCK_PATIENCE = 120.0  # seconds


class Database:
    """One PostgreSQL database: given by an address, or embedded when `url` is empty.

    `open` is the first contact; `close` gives everything back. The engine belongs to the event loop in
    which `open` ran. Raises `DatabaseUnreachable` and `StorageError`, whose messages tell the user what
    to do; no message and no `repr` holds a password.
    """

    def __init__(self, url: str = "", *, embedded_root: Path, migrate: bool = True) -> None:
        self.dsn = normalize_url(url) if url.strip() else ""
        self._migrate = migrate
        self._embedded = None if self.dsn else EmbeddedPostgres(embedded_root)
        self._engine: AsyncEngine | None = None
        self._connections = Connections()
        self._last_moment: float | None = None

    @property
    def is_embedded(self) -> bool:
        """Tell whether this is the server that came with the package."""
        return self._embedded is not None

    @property
    def engine(self) -> AsyncEngine:
        """The engine of the running loop; only between `open` and `close`."""
        if self._engine is None:
            raise StorageError("the database is used before it was opened; await Database.open() first")
        return self._engine

    @property
    def name(self) -> str:
        """Name the database for people, without the password."""
        if self._embedded is not None:
            return f"the embedded PostgreSQL in {self._embedded.root}"
        return describe(self.dsn)

    @property
    def psql_command(self) -> str:
        """Return what to type to look into the database, without the password."""
        if self._embedded is not None:
            return self._embedded.psql_command
        return f"psql '{_without_password(self.dsn)}'"

    @property
    def psql_environment(self) -> dict[str, str]:
        """Return the environment that `psql_command` needs beside: the password, where there is one."""
        parts = urlsplit(self.dsn)
        password = dict(parse_qsl(parts.query)).get("password") or unquote(parts.password or "")
        return {"PGPASSWORD": password} if password else {}

    async def open(self) -> Self:
        """Start the embedded server if this is it, connect, and bring the schema up to date."""
        try:
            if self._embedded is not None:
                await asyncio.to_thread(self._embedded.start)
                self.dsn = normalize_url(self._embedded.url)
            _check_files(self.dsn)
            self._engine = create_engine(self.dsn, self._connections)
            with explained(self.name):
                await self._await_server()
                await self._check_server()
                await self._check_schema()
        except EmbeddedPostgresError as error:
            raise DatabaseUnreachable(str(error)) from error
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Close the connections and give up the claim on the embedded server; may be called twice."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()
        if self._embedded is not None:
            patience = None
            if self._last_moment is not None:
                # All may be stored before that, and the server say nothing to who takes leave of it.
                patience = max(self._last_moment - asyncio.get_running_loop().time(), _CUT_OFF_PATIENCE)
            await asyncio.to_thread(self._embedded.release, patience=patience)

    def cut_off(self, seconds: float) -> None:
        """End all connections `seconds` from now, whatever they wait for, and make none any more.

        For a process that has to end by then: whoever asks fails at once, as when the server is gone.
        """
        loop = asyncio.get_running_loop()
        self._last_moment = loop.time() + seconds
        loop.call_at(self._last_moment, self._connections.cut_off)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _await_server(self) -> None:
        # A server that is starting, or recovering after a crash, says so; that passes.
        deadline = asyncio.get_running_loop().time() + _STARTING_UP_PATIENCE
        while True:
            try:
                async with self.engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
                return
            except (DBAPIError, asyncpg.PostgresError) as error:
                if sqlstate(error) != "57P03" or asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.3)

    async def _check_server(self) -> None:
        async with self.engine.connect() as connection:
            version = int((await connection.execute(text("SHOW server_version_num"))).scalar_one()) // 10_000
            encoding = (await connection.execute(text("SHOW server_encoding"))).scalar_one()
        if version < OLDEST_SERVER:
            raise StorageError(f"{self.name} is PostgreSQL {version}; PostgreSQL {OLDEST_SERVER} or newer is needed")
        if encoding != "UTF8":
            raise StorageError(
                f"{self.name} stores texts as {encoding}; create the database with ENCODING 'UTF8' TEMPLATE template0"
            )

    async def _check_schema(self) -> None:
        revision = await self.schema_revision()
        if revision == SCHEMA_REVISION:
            return
        if revision is not None:
            from outsourcing_spiders.storage.migrations import known_revisions

            if revision not in known_revisions():
                raise StorageError(
                    f"{self.name} has the schema of a newer version of this project (revision {revision}, "
                    f"this code knows up to {SCHEMA_REVISION}); update the code, or use another database"
                )
        if not self._migrate:
            raise StorageError(
                f"{self.name} has no schema of this version and DATABASE_MIGRATE is off; run: scrapy db upgrade"
            )
        await self.upgrade()

    async def schema_revision(self) -> str | None:
        """Return the revision of the schema; ``None`` for a database that never had one."""
        async with self.engine.connect() as connection:
            if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar() is None:
                return None
            revision: str | None = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
            return revision

    async def upgrade(self, *, patience: float = _LOCK_PATIENCE) -> None:
        """Apply the migrations that are missing, all or none; of several processes at once, one does it.

        Crawls may run meanwhile. A table that is in use is waited for in short tries, for `patience` seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            try:
                async with self.engine.begin() as connection:
                    await lock_schema(connection)
                    await connection.run_sync(_upgrade)
            except (DBAPIError, asyncpg.PostgresError) as error:
                if sqlstate(error) not in LOCKED_OUT:
                    raise
                if loop.time() > deadline:
                    raise StorageError(
                        f"{self.name} was not upgraded: for {patience:.0f} s a table was in use by something that "
                        "takes long, such as an export, a backup or psql; end it, and run: scrapy db upgrade"
                    ) from error
                logger.info("The schema is not upgraded yet: a table is in use; trying again")
                await asyncio.sleep(_LOCK_PAUSE)
            else:
                break
        logger.info("Schema of %s is now at revision %s", self.name, SCHEMA_REVISION)


LOCKED_OUT = ("55P03", "40P01")
"""SQLSTATEs of a change of the schema that gave way to others: lock_timeout, a deadlock."""


async def lock_schema(connection: AsyncConnection) -> None:
    """Wait until no other process changes the schema, and keep it so to the end of the transaction.

    What the transaction then asks of a table that is in use fails with one of `LOCKED_OUT` after half a second.
    """
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    await connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT}"))


def create_engine(dsn: str, connections: Connections | None = None) -> AsyncEngine:
    """Return an engine for a `dsn` that `normalize_url` made; asyncpg reads it, with all of libpq's options."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial((connections or Connections()).make, dsn, _CONNECT_TIMEOUT),
        pool_size=3,
        max_overflow=2,
        # A batch of projects in an error message would fill the log.
        hide_parameters=True,
    )


def normalize_url(url: str) -> str:
    """Return `url` in the form that asyncpg reads; raises `DatabaseUnreachable` saying what is wrong with it.

    Accepts ``postgres://``, ``postgresql://`` and ``postgresql+asyncpg://`` with libpq's options after ``?``
    (``sslmode``, ``sslrootcert``, ``sslcert``, ``sslkey``, ``host`` for a socket folder, …), and SQLAlchemy's
    ``ssl`` for ``sslmode``.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise _wrong_address("has a host that cannot be read (brackets are for IPv6 addresses only)") from None
    if parts.scheme not in _SCHEMES or "://" not in url:
        said = f"begins with {parts.scheme}://" if parts.scheme and "://" in url else "is not an address"
        raise _wrong_address(said)
    if "@" in parts.path or parts.fragment:
        raise _wrong_address("has a character in its password that must be written as %2F for /, %3F for ?, %23 for #")
    for host in parts.netloc.rpartition("@")[2].split(","):
        port = _PORT.search(host)
        if port is None or not (port[1] is None or 0 < int(port[1]) < 65_536):
            raise _wrong_address("has a port that is no number from 1 to 65535")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "ssl" in options:
        mode = options.pop("ssl")
        options.setdefault("sslmode", {"true": "require", "false": "disable"}.get(mode.lower(), mode))
    if options.get("sslmode", "prefer") not in _SSL_MODES:
        raise DatabaseUnreachable(
            f"DATABASE_URL has sslmode={options['sslmode']}; it must be one of {', '.join(_SSL_MODES)}"
        )
    if options.get("channel_binding") == "require":
        raise DatabaseUnreachable(
            "DATABASE_URL has channel_binding=require, which the driver cannot do; remove it, and say "
            "sslmode=verify-full to be sure of the server"
        )
    if not parts.path.strip("/"):
        raise _wrong_address("names no database")
    known = {name: value for name, value in options.items() if name not in _LIBPQ_ONLY}
    return _joined(parts.netloc, parts.path, known)


def describe(dsn: str) -> str:
    """Name a database for people: its name and its host, without user and password."""
    parts = urlsplit(dsn)
    host = dict(parse_qsl(parts.query)).get("host") or parts.netloc.rpartition("@")[2] or "localhost"
    return f"PostgreSQL database {unquote(parts.path.lstrip('/'))!r} on {host}"


def _wrong_address(said: str) -> DatabaseUnreachable:
    return DatabaseUnreachable(
        f"DATABASE_URL {said}; it must look like postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require"
    )


def _without_password(dsn: str) -> str:
    parts = urlsplit(dsn)
    credentials, at, host = parts.netloc.rpartition("@")
    options = {name: value for name, value in parse_qsl(parts.query) if "password" not in name.lower()}
    return _joined(credentials.partition(":")[0] + at + host, parts.path, options).replace("'", "%27")


def _check_files(dsn: str) -> None:
    # The driver says of a missing one "No such file or directory", and not which.
    for name, path in parse_qsl(urlsplit(dsn).query):
        if name in ("sslrootcert", "sslcert", "sslkey", "sslcrl") and not Path(path).is_file():
            raise DatabaseUnreachable(f"DATABASE_URL has {name}={path}, which is no file; correct the path")


def _joined(host: str, path: str, options: dict[str, str]) -> str:
    # libpq wants both slashes, also before no host, and reads %20 as a blank, not the plus sign.
    query = urlencode(options, quote_via=quote, safe="/,:")
    return f"postgresql://{host}{path}" + (f"?{query}" if query else "")


def sqlstate(error: BaseException) -> str:
    """Return the five-character code that PostgreSQL gave with an error; '' when it gave none."""
    for candidate in (error, getattr(error, "orig", None), error.__cause__):
        if isinstance(state := getattr(candidate, "sqlstate", None), str):
            return state
    return ""


def message(error: BaseException) -> str:
    """Return the first line of what the server or the driver said, without SQLAlchemy's wrapping."""
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0].rpartition("Error'>: ")[2].rstrip(".")[:300]


def is_transient(error: BaseException) -> bool:
    """Tell whether the same statement may succeed later: the server is away, full, or chose a deadlock victim."""
    if isinstance(error, (OSError, asyncio.TimeoutError, asyncpg.InterfaceError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return sqlstate(error)[:2] in ("08", "40", "53", "57")


@contextmanager
def explained(database: str) -> Iterator[None]:
    """Turn what a driver raises on first contact into one sentence about `database`."""
    try:
        yield
    except (TimeoutError, OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise _explain(database, error) from error


def _explain(database: str, error: BaseException) -> StorageError:
    state = sqlstate(error)
    detail = message(error)
    if isinstance(error, ssl.SSLError):
        return DatabaseUnreachable(f"{database}: no trusted TLS connection ({detail}); check sslmode and sslrootcert")
    if state in ("28P01", "28000"):
        return DatabaseUnreachable(f"{database} refuses the login ({detail}); check user and password in DATABASE_URL")
    if state == "3D000":
        return DatabaseUnreachable(f"{database} does not exist; create it (createdb) or correct DATABASE_URL")
    if state == "42501":
        return StorageError(f"{database}: this user lacks a right ({detail}); let the owner grant it or migrate")
    if state == "53100":
        return StorageError(f"{database} has no disk space left; free some and run the crawl again")
    if state == "53300":
        return DatabaseUnreachable(
            f"{database} has no connection left for us; raise max_connections or crawl less at once"
        )
    if state == "57P03":
        return DatabaseUnreachable(f"{database} is still starting up ({detail}); try again in a moment")
    if isinstance(error, asyncio.TimeoutError):
        return DatabaseUnreachable(f"{database} did not answer within {_CONNECT_TIMEOUT:.0f} s; check host and port")
    if state and not is_transient(error):
        return StorageError(f"{database}: {detail} (SQLSTATE {state})")
    return DatabaseUnreachable(f"{database} cannot be reached ({detail}); start the server or correct DATABASE_URL")


def _upgrade(connection: Connection) -> None:
    from outsourcing_spiders.storage.migrations import upgrade

    upgrade(connection)

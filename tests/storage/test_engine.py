"""Addresses, first contacts, and the one sentence for each way in which they fail."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
from conftest import Server, oldest_postgres
from sqlalchemy import text

from outsourcing_spiders.outcomes import DatabaseUnreachable, StorageError
from outsourcing_spiders.storage import engine as engine_module
from outsourcing_spiders.storage.engine import Database, create_engine, describe, is_transient, message, normalize_url
from outsourcing_spiders.storage.tables import SCHEMA_REVISION

SECRET = "s3cr3t"


async def opened(url: str, tmp_path: Path, **options: Any) -> str:
    """Open a database, close it, and return what PostgreSQL says of the connection's encryption."""
    async with Database(url, embedded_root=tmp_path, **options) as database, database.engine.connect() as connection:
        sql = text("SELECT coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()), 'plain')")
        return str((await connection.execute(sql)).scalar_one())


async def failure(url: str, tmp_path: Path, **options: Any) -> StorageError:
    """Return the error of an opening that must fail: one sentence, without the password, nothing left open."""
    database = Database(url, embedded_root=tmp_path, **options)
    async with asyncio.timeout(120):
        with pytest.raises(StorageError) as caught:
            await database.open()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    for password in (SECRET, urlsplit(url).password):
        assert not password or password not in said
    with pytest.raises(StorageError, match="before it was opened"):
        _ = database.engine
    return caught.value


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(normalize_url(url))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "normal"),
        [
            ("postgres://u:p@h:5433/d", "postgresql://u:p@h:5433/d"),
            ("postgresql://u:p@h/d", "postgresql://u:p@h/d"),
            ("postgresql+asyncpg://u@h/d", "postgresql://u@h/d"),
            ("  postgresql://h/d\n", "postgresql://h/d"),
            ("POSTGRES://h/d", "postgresql://h/d"),
            ("postgresql:///d", "postgresql:///d"),
            ("postgresql://h/d?ssl=true", "postgresql://h/d?sslmode=require"),
            ("postgresql://h/d?ssl=False", "postgresql://h/d?sslmode=disable"),
            ("postgresql://h/d?ssl=verify-full", "postgresql://h/d?sslmode=verify-full"),
            ("postgresql://h/d?ssl=true&sslmode=verify-ca", "postgresql://h/d?sslmode=verify-ca"),
            ("postgresql://u:p%40ss%2F%3Aw%C3%B6rd@h/d", "postgresql://u:p%40ss%2F%3Aw%C3%B6rd@h/d"),
            ("postgresql://u:p@ss@h/d", "postgresql://u:p@ss@h/d"),
            ("postgresql://[::1]:5433/d", "postgresql://[::1]:5433/d"),
            ("postgresql://u:p@[fe80::1]/d", "postgresql://u:p@[fe80::1]/d"),
            ("postgresql://u@/d?host=/run/my%20socket", "postgresql://u@/d?host=/run/my%20socket"),
            ("postgresql://h1:5432,h2:5433/d?target_session_attrs=primary",
             "postgresql://h1:5432,h2:5433/d?target_session_attrs=primary"),
            ("postgresql://h1,h2/d", "postgresql://h1,h2/d"),
            ("postgresql://h/d?connect_timeout=5&application_name=x&keepalives=1&channel_binding=prefer",
             "postgresql://h/d?application_name=x"),
            ("postgresql://h:65535/d", "postgresql://h:65535/d"),
            *((f"postgresql://h/d?sslmode={mode}", f"postgresql://h/d?sslmode={mode}")
              for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")),
        ],
    )  # fmt: skip
    def test_that_can_be_meant_are_accepted(self, url: str, normal: str) -> None:
        assert normalize_url(url) == normal
        assert normalize_url(normal) == normal

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            (f"mysql://u:{SECRET}@h/d", "begins with mysql://"),
            (f"sqlite:///{SECRET}", "begins with sqlite://"),
            (f"postgresql+psycopg2://u:{SECRET}@h/d", "begins with postgresql+psycopg2://"),
            (f"//u:{SECRET}@h/d", "is not an address"),
            (f"u:{SECRET}@h/d", "is not an address"),
            (f"host=h password={SECRET}", "is not an address"),
            ("database", "is not an address"),
            (f"postgresql:u:{SECRET}@h/d", "is not an address"),
            (f"postgresql://u:{SECRET}@h", "names no database"),
            (f"postgresql://u:{SECRET}@h/", "names no database"),
            (f"postgresql://u:{SECRET}@h:port/d", "no number from 1 to 65535"),
            (f"postgresql://u:{SECRET}@h:0/d", "no number from 1 to 65535"),
            (f"postgresql://u:{SECRET}@h:65536/d", "no number from 1 to 65535"),
            (f"postgresql://u:{SECRET}@h:-1/d", "no number from 1 to 65535"),
            (f"postgresql://u:{SECRET}@h:/d", "no number from 1 to 65535"),
            (f"postgresql://u:{SECRET}@h1:5432,h2:x/d", "no number from 1 to 65535"),
            (f"postgresql://u:{SECRET}@h/d?sslmode=on", "sslmode=on; it must be one of disable, allow"),
            (f"postgresql://u:{SECRET}@h/d?sslmode=", "sslmode=; it must be one of disable, allow"),
            (f"postgresql://u:{SECRET}@h/d?ssl=yes", "sslmode=yes"),
            (f"postgresql://u:{SECRET}@h/d?channel_binding=require", "verify-full"),
            (f"postgresql://u:1/{SECRET}@h/d", "%2F for /"),
            (f"postgresql://u:1#{SECRET}@h/d", "%23 for #"),
            (f"postgresql://u:a/{SECRET}@h/d", "%2F for /"),
            (f"postgresql://u:1?{SECRET}@h/d", "names no database"),
            (f"postgresql://u:{SECRET}@[::1/d", "brackets"),
            (f"postgresql://u:{SECRET}[@h/d", "brackets"),
        ],
    )
    def test_that_cannot_be_meant_are_refused_in_one_sentence(self, url: str, said: str, tmp_path: Path) -> None:
        with pytest.raises(DatabaseUnreachable) as caught:
            Database(url, embedded_root=tmp_path)
        assert said in str(caught.value)
        assert "DATABASE_URL" in str(caught.value)
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://u:{SECRET}@h:5433/d",
            f"postgresql://u:{SECRET}@h1,h2/d?sslmode=require",
            f"postgresql://u@h/d?password={SECRET}",
            f"postgresql://u@h/d?sslpassword={SECRET}&sslmode=require",
            f"postgresql://u:{SECRET}@/d?host=/run/socket",
            f"postgresql://u:x@{SECRET}@h/d",
        ],
    )
    def test_are_shown_without_the_password(self, url: str, tmp_path: Path) -> None:
        database = Database(url, embedded_root=tmp_path)
        for shown in (database.name, database.psql_command, repr(database), str(database), describe(database.dsn)):
            assert SECRET not in shown
        program, address = shlex.split(database.psql_command)
        assert program == "psql"
        assert urlsplit(address).username == "u"

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("postgresql://u@h:5433/d", "PostgreSQL database 'd' on h:5433"),
            ("postgresql:///d", "PostgreSQL database 'd' on localhost"),
            ("postgresql:///d?host=/run/socket", "PostgreSQL database 'd' on /run/socket"),
            ("postgresql://h/d%C3%A4ten", "PostgreSQL database 'däten' on h"),
        ],
    )
    def test_are_named_for_people(self, url: str, name: str, tmp_path: Path) -> None:
        assert Database(url, embedded_root=tmp_path).name == name

    def test_can_be_pasted_into_a_shell(self, tmp_path: Path) -> None:
        database = Database("postgresql://h/it's?host=/a%20folder&sslmode=require", embedded_root=tmp_path)
        assert shlex.split(database.psql_command) == ["psql", "postgresql://h/it%27s?host=/a%20folder&sslmode=require"]

    @pytest.mark.parametrize("url", ["", "  \n"])
    def test_that_are_empty_mean_the_embedded_server(self, url: str, tmp_path: Path) -> None:
        database = Database(url, embedded_root=tmp_path)
        assert database.is_embedded
        assert str(tmp_path) in database.name


class TestOpening:
    async def test_works_at_every_address_of_a_server(self, empty_database_url: str, tmp_path: Path) -> None:
        parts = urlsplit(empty_database_url)
        urls = [empty_database_url, parts._replace(scheme="postgres").geturl()]
        if parts.port:
            urls.append(empty_database_url.replace("127.0.0.1", "localhost"))
            urls.append(empty_database_url.replace(f"127.0.0.1:{parts.port}", f"127.0.0.1:1,127.0.0.1:{parts.port}"))
        for url in urls:
            assert await opened(url, tmp_path) == "plain"

    async def test_six_times_at_once_migrates_once(self, empty_database_url: str, tmp_path: Path) -> None:
        assert await asyncio.gather(*(opened(empty_database_url, tmp_path) for _ in range(6))) == ["plain"] * 6

    async def test_by_several_processes_at_once_migrates_once(self, embedded_server: Server, tmp_path: Path) -> None:
        await run(embedded_server.url("postgres"), "CREATE DATABASE contested")
        script = (
            "import asyncio, pathlib, sys\nfrom outsourcing_spiders.storage.engine import Database\n"
            "async def main():\n"
            "    async with Database(sys.argv[1], embedded_root=pathlib.Path(sys.argv[2])): print('open')\n"
            "asyncio.run(main())"
        )
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, embedded_server.url("contested"), str(tmp_path),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            for _ in range(3)
        ]  # fmt: skip
        async with asyncio.timeout(180):
            results = await asyncio.gather(*(process.communicate() for process in processes))
        assert [output for output, _ in results] == [b"open\n"] * 3

    async def test_connections_speak_utc_and_say_who_they_are(self, empty_database_url: str, tmp_path: Path) -> None:
        async with Database(empty_database_url, embedded_root=tmp_path) as database:
            async with database.engine.connect() as connection:
                settings = ("TimeZone", "application_name", "jit")
                values = [(await connection.execute(text(f"SHOW {name}"))).scalar_one() for name in settings]
                assert values == ["UTC", "outsourcing_spiders", "off"]
            await database.close()
            await database.close()

    async def test_waits_for_a_server_that_is_starting(
        self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_module, "_STARTING_UP_PATIENCE", 120)
        async with relay(database_url, refusals=3) as relayed:
            assert await opened(relayed.url, tmp_path) == "plain"
            assert relayed.refused == 3

    async def test_does_not_wait_for_ever(
        self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_module, "_STARTING_UP_PATIENCE", 0.1)
        async with relay(database_url, refusals=1_000) as relayed:
            error = await failure(relayed.url, tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert "is still starting up (the database system is starting up)" in str(error)


class TestFailures:
    async def test_refused_login(self, oldest_server: Server, tmp_path: Path) -> None:
        url = oldest_server.url("postgres")
        wrong = url.replace(urlsplit(url).password or "?", SECRET)
        error = await failure(wrong, tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert 'refuses the login (password authentication failed for user "tester")' in str(error)

    async def test_missing_database(self, server: Server, tmp_path: Path) -> None:
        error = await failure(server.url("no_such_thing"), tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert "'no_such_thing'" in str(error)
        assert "does not exist; create it" in str(error)

    async def test_nothing_listens(self, tmp_path: Path) -> None:
        error = await failure(f"postgresql://u:{SECRET}@127.0.0.1:1/d", tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert "start the server or correct DATABASE_URL" in str(error)

    async def test_unknown_host(self, tmp_path: Path) -> None:
        error = await failure(f"postgresql://u:{SECRET}@no-such-host.invalid/d", tmp_path)
        assert isinstance(error, DatabaseUnreachable)

    async def test_a_socket_folder_without_a_server(self, tmp_path: Path) -> None:
        error = await failure(f"postgresql://u@/d?host={tmp_path}", tmp_path)
        assert isinstance(error, DatabaseUnreachable)

    async def test_a_listener_that_never_answers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine_module, "_CONNECT_TIMEOUT", 0.2)

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with serving(listen) as port:
            error = await failure(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert "did not answer within" in str(error)

    async def test_a_listener_that_never_answers_a_process_that_must_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_module, "_CONNECT_TIMEOUT", 3600)
        heard = asyncio.Event()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            heard.set()
            await reader.read()
            writer.close()

        async with serving(listen) as port, asyncio.timeout(60):
            database = Database(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", embedded_root=tmp_path)
            opening = asyncio.create_task(database.open())
            await heard.wait()
            database.cut_off(0)
            with pytest.raises(DatabaseUnreachable):
                await opening
            with pytest.raises(DatabaseUnreachable, match="asked nothing any more"):
                await database.open()

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"E"], ids=["HTTP", "none", "E"])
    @pytest.mark.parametrize("mode", ["prefer", "disable", "require"])
    async def test_a_listener_that_is_no_postgresql(
        self, tmp_path: Path, answer: bytes, mode: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_module, "_CONNECT_TIMEOUT", 2)

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(8)
            writer.write(answer)
            writer.close()

        async with serving(listen) as port:
            error = await failure(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d?sslmode={mode}", tmp_path)
        assert isinstance(error, DatabaseUnreachable)

    async def test_an_old_server(self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine_module, "OLDEST_SERVER", 99)
        error = await failure(database_url, tmp_path)
        assert not isinstance(error, DatabaseUnreachable)
        assert re.search(r" is PostgreSQL 1[58]; PostgreSQL 99 or newer is needed$", str(error))

    async def test_another_encoding(self, server: Server, tmp_path: Path) -> None:
        await run(server.url("postgres"), "CREATE DATABASE ascii TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'")
        error = await failure(server.url("ascii"), tmp_path)
        assert "stores texts as SQL_ASCII; create the database with ENCODING 'UTF8'" in str(error)
        await run(server.url("postgres"), "DROP DATABASE ascii")

    async def test_no_schema_when_migrations_are_off(self, empty_database_url: str, tmp_path: Path) -> None:
        error = await failure(empty_database_url, tmp_path, migrate=False)
        assert "DATABASE_MIGRATE is off; run: scrapy db upgrade" in str(error)

    async def test_a_schema_of_the_future(self, database_url: str, tmp_path: Path) -> None:
        await run(database_url, "UPDATE alembic_version SET version_num = '9999'")
        error = await failure(database_url, tmp_path)
        assert f"newer version of this project (revision 9999, this code knows up to {SCHEMA_REVISION})" in str(error)

    async def test_tables_of_somebody_else(self, empty_database_url: str, tmp_path: Path) -> None:
        await run(empty_database_url, "CREATE TABLE projects (id int)")
        error = await failure(empty_database_url, tmp_path)
        assert 'relation "projects" already exists' in str(error)

    async def test_an_option_that_the_server_does_not_know(self, database_url: str, tmp_path: Path) -> None:
        url = database_url + ("&" if "?" in database_url else "?") + "pgbouncer=true"
        assert 'unrecognized configuration parameter "pgbouncer"' in str(await failure(url, tmp_path))

    async def test_a_user_without_rights(self, empty_database_url: str, server: Server, tmp_path: Path) -> None:
        name = urlsplit(empty_database_url).path[1:]
        await run(
            empty_database_url,
            "DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 's3cr3t'; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC", f"GRANT CONNECT ON DATABASE {name} TO reader",
            "GRANT USAGE ON SCHEMA public TO reader",
        )  # fmt: skip
        parts = urlsplit(empty_database_url)
        url = parts._replace(netloc=f"reader:{SECRET}@{parts.netloc.rpartition('@')[2]}").geturl()
        error = await failure(url, tmp_path)
        assert "this user lacks a right (permission denied for schema public)" in str(error)
        await run(empty_database_url, "DROP OWNED BY reader")


@dataclass(frozen=True)
class Secured:
    """A server that speaks TLS, and the files that prove who it is."""

    url: str
    authority: Path
    stranger: Path


@pytest.fixture(scope="module")
def secured(open_folder: Path) -> Iterator[Secured]:
    """PostgreSQL 15 with ``ssl = on``, and a certificate of the tests' own making for localhost."""
    pytest.importorskip("cryptography", reason="the certificates are made with the package cryptography")
    if not Path("/usr/lib/postgresql/15/bin").exists():
        pytest.skip("PostgreSQL 15 is not installed (Debian: apt-get install postgresql)")
    runner = oldest_postgres(open_folder / "secured")
    with runner as server:
        data = Path(runner.data)
        authority, stranger = open_folder / "authority.pem", open_folder / "stranger.pem"
        _make_certificate(stranger, data / "server.key")
        _make_certificate(authority, data / "server.key")
        (data / "server.crt").write_bytes(authority.read_bytes())
        owner = data.stat()
        for name in ("server.key", "server.crt"):
            os.chown(data / name, owner.st_uid, owner.st_gid)
            (data / name).chmod(0o600)
        runner.stop()
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("ssl = on\n")
        runner.start()
        yield Secured(server.url("postgres"), authority, stranger)


def _make_certificate(path: Path, key_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip


class TestEncryption:
    @pytest.mark.parametrize(
        ("options", "is_encrypted"),
        [
            ("sslmode=require", True), ("ssl=true", True), ("sslmode=prefer", True), ("", True),
            ("sslmode=disable", False), ("sslmode=verify-ca&sslrootcert={authority}", True),
            ("sslmode=verify-full&sslrootcert={authority}", True),
        ],
    )  # fmt: skip
    async def test_is_as_the_address_says(
        self, secured: Secured, tmp_path: Path, options: str, is_encrypted: bool
    ) -> None:
        options = options.format(authority=secured.authority)
        version = await opened(f"{secured.url}?{options}", tmp_path)
        assert version == "TLSv1.3" if is_encrypted else version == "plain"

    async def test_knows_the_server_by_name_and_by_address(self, secured: Secured, tmp_path: Path) -> None:
        url = secured.url.replace("127.0.0.1", "localhost")
        assert await opened(f"{url}?sslmode=verify-full&sslrootcert={secured.authority}", tmp_path) == "TLSv1.3"

    @pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
    async def test_with_an_unknown_authority_is_refused(self, secured: Secured, tmp_path: Path, mode: str) -> None:
        error = await failure(f"{secured.url}?sslmode={mode}&sslrootcert={secured.stranger}", tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert "no trusted TLS connection" in str(error)
        assert "check sslmode and sslrootcert" in str(error)

    @pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "no certificate"])
    async def test_with_an_unusable_certificate_file_is_refused(
        self, secured: Secured, tmp_path: Path, content: str | None
    ) -> None:
        path = tmp_path / "root.pem"
        if content:
            path.write_text(content)
        error = await failure(f"{secured.url}?sslmode=verify-full&sslrootcert={path}", tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert "sslrootcert" in str(error)

    async def test_of_a_server_that_has_none_is_told(self, oldest_server: Server, tmp_path: Path) -> None:
        error = await failure(oldest_server.url("postgres") + "?sslmode=require", tmp_path)
        assert isinstance(error, DatabaseUnreachable)
        assert "SSL" in str(error)


class TestMessages:
    async def test_are_the_first_line_of_what_the_server_said(self, server: Server) -> None:
        engine = create_engine(normalize_url(server.url("postgres")))
        with pytest.raises(Exception, match="division") as caught:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1 / 0"))
        assert message(caught.value) == "division by zero"
        await engine.dispose()

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (OSError(), "OSError"),
            (TimeoutError(), "TimeoutError"),
            (ValueError("one.\ntwo"), "one"),
            (RuntimeError("x" * 1_000), "x" * 300),
            (RuntimeError("\n\n"), "RuntimeError"),
        ],
    )
    def test_are_never_empty_or_long(self, error: Exception, said: str) -> None:
        assert message(error) == said

    @pytest.mark.parametrize(
        ("error", "transient"),
        [
            (ConnectionRefusedError(), True),
            (TimeoutError(), True),
            (asyncpg.ConnectionDoesNotExistError(), True),
            (asyncpg.InterfaceError("connection is closed"), True),
            (asyncpg.DeadlockDetectedError(), True),
            (asyncpg.AdminShutdownError(), True),
            (asyncpg.TooManyConnectionsError(), True),
            (asyncpg.DiskFullError(), True),
            (asyncpg.UndefinedTableError(), False),
            (asyncpg.InsufficientPrivilegeError(), False),
            (RuntimeError(), False),
        ],
    )
    def test_tell_what_may_pass(self, error: Exception, transient: bool) -> None:
        assert is_transient(error) is transient


class serving:  # noqa: N801 - a context manager, used like a function
    """Listen on a port of the loopback, which `async with` gives."""

    def __init__(self, handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._handle = handle

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        await self._server.wait_closed()


class relay:  # noqa: N801 - a context manager, used like a function
    """Pass connections on to a server, after the first ones were told that it is starting up."""

    _STARTING_UP = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"

    def __init__(self, url: str, refusals: int) -> None:
        self._target = url
        self._left = refusals
        self.refused = 0
        self.url = ""

    async def __aenter__(self) -> relay:
        self._serving = serving(self._handle)
        port = await self._serving.__aenter__()
        parts = urlsplit(self._target)
        credentials = parts.netloc.rpartition("@")[0]
        self.url = f"postgresql://{credentials}@127.0.0.1:{port}{parts.path}?sslmode=disable"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._serving.__aexit__(*exc_info)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._left:
            self._left -= 1
            self.refused += 1
            await reader.read(8)
            writer.write(b"E" + (len(self._STARTING_UP) + 4).to_bytes(4, "big") + self._STARTING_UP)
            writer.close()
            return
        parts = urlsplit(self._target)
        if parts.port:
            server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port)
        else:
            folder = dict(pair.split("=") for pair in parts.query.split("&"))["host"]
            server_reader, server_writer = await asyncio.open_unix_connection(f"{unquote(folder)}/.s.PGSQL.5432")
        await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()

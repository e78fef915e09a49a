"""Scrapyd as a service: what it leaves running when it ends is told to stop, and waited for."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def run_with_children(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run `command` to its end, then end all that it started, and return its exit code. Linux only.

    SIGTERM is for the command; when it has ended, each process that it left gets one, too, once. How long that may
    take is for the service manager to say. This process also buries the dead, as the first one of a container must.
    """
    _adopt_orphans()
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - ours
    interrupted = False

    def pass_on(number: int, _: FrameType | None) -> None:
        nonlocal interrupted
        # Ctrl-C goes to the whole process group already, and a second signal would be a harder one.
        interrupted = interrupted or number == signal.SIGINT
        if number == signal.SIGTERM:
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    told: set[int] = set()
    code: int | None = None
    while True:
        try:
            ended, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return code if code is not None else 1
        if ended == process.pid:
            code = os.waitstatus_to_exitcode(status)
            process.returncode = code
        if code is not None and not interrupted:
            for child in _children() - told:
                told.add(child)
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)


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

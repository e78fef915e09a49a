"""A command on a terminal of its own, typed at as a user does."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Run a command on a pseudo-terminal; use it as a context manager."""

    def __init__(self, arguments: list[str], *, cwd: Path, env: dict[str, str]) -> None:
        self._arguments, self._cwd, self._env = arguments, cwd, env
        self.shown = ""

    def __enter__(self) -> Self:
        ours, theirs = pty.openpty()
        self._ours = ours
        self.process = subprocess.Popen(
            self._arguments, cwd=self._cwd, env={**self._env, "TERM": "dumb", "COLUMNS": "130", "LINES": "50"},
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{text}\n".encode())

    def press(self, key: bytes) -> None:
        """Press a key, such as Ctrl-D (``\\x04``)."""
        os.write(self._ours, key)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def interrupt_until(self, awaited: str, *, within: float = 30) -> str:
        """Press Ctrl-C at a prompt until `awaited` is shown, as a user would.

        Python shows a prompt before it waits for a key, and overlooks a Ctrl-C that comes between: 4 of 3,000 did.
        """
        deadline = time.monotonic() + within
        while True:
            self.interrupt()
            try:
                return self.until(awaited, within=1)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise

    def until(self, awaited: str, *, within: float = 30) -> str:
        """Return what is shown up to `awaited`, and forget it; fails when that does not come in time."""
        deadline = time.monotonic() + within
        while awaited not in self.shown:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{awaited!r} did not come within {within} s; shown: {self.shown!r}")
        before, _, self.shown = self.shown.partition(awaited)
        return before

    def ended(self, *, within: float) -> int:
        """Return the exit code; fails when the command does not end in time."""
        deadline = time.monotonic() + within
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(max(deadline - time.monotonic(), 0.1))

    def _read(self, patience: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(patience, 0))
        if not ready:
            return False
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += _COLOURS.sub("", read.decode(errors="replace")).replace("\r\n", "\n")
        return bool(read)

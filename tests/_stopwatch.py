"""Seconds of the product's own: what the machine takes of the time that a test measures breaks no promise."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Self

_BEAT = 0.02


class Stopwatch:
    """Measure seconds, without those in which nobody, or somebody else in the place of `process`, could run.

    A thread that wants to wake up every few milliseconds tells of pauses of the whole machine; of its load, Linux tells
    for how long the process was ready and had no core.
    """

    def __init__(self, process: int | None = None) -> None:
        self.elapsed = self._late = self._waited = 0.0
        self._schedule = Path(f"/proc/{process or 'self'}/schedstat")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._waited_before = self._waiting() or 0.0
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.elapsed = time.monotonic() - self._begun
        self._over.set()
        self._thread.join()

    @property
    def held_up(self) -> float:
        """Return the seconds that the machine took, once it is over."""
        return min(max(self._late, self._waited), self.elapsed)

    @property
    def seconds(self) -> float:
        """Return how long it took without them."""
        return self.elapsed - self.held_up

    def _watch(self) -> None:
        before, is_over = self._begun, False
        while not is_over:
            is_over = self._over.wait(_BEAT)
            now = time.monotonic()
            self._late += max(now - before - _BEAT, 0.0)
            before = now
            # Of a process that is gone, what it had waited when it was last looked at counts.
            if (waiting := self._waiting()) is not None:
                self._waited = waiting - self._waited_before

    def _waiting(self) -> float | None:
        try:
            return int(self._schedule.read_text().split()[1]) / 1e9
        except (OSError, IndexError):
            return None

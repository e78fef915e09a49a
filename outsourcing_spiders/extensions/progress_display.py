"""How far a crawl is, in words, and as a line in the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger("outsourcing_spiders.extensions.progress")


@dataclass(frozen=True, slots=True)
class Tally:
    """What a crawl did so far. `read` counts rows of the listing, whatever became of them."""

    requests: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    on_disk: int = 0
    read: int = 0

    @property
    def counts(self) -> str:
        """Name what became of the projects."""
        told = f"{self.new:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged"
        return told + (f", {self.on_disk:,} on disk" if self.on_disk else "")


@dataclass(frozen=True, slots=True)
class State:
    """A `Tally` with its pace: rows per second, seconds since the start; `goal` is how many rows there are to read."""

    tally: Tally
    rate: float | None
    elapsed: float
    goal: int | None
    ending: str = ""

    @property
    def share(self) -> float | None:
        """How much of the goal is read, from 0 to 1."""
        return min(self.tally.read / self.goal, 1.0) if self.goal else None

    @property
    def left(self) -> str:
        """Say how long the rest takes at this pace; '' when that is not known."""
        if not self.goal or not self.rate or self.tally.read >= self.goal:
            return ""
        seconds = (self.goal - self.tally.read) / self.rate
        if seconds < 90:
            return f"about {round(seconds, -1):.0f} s left" if seconds >= 10 else "seconds left"
        return f"about {seconds / 60:.0f} min left" if seconds < 5400 else f"about {seconds / 3600:.1f} h left"

    @property
    def speed(self) -> str:
        """Rows per second as text; '' before the first."""
        return "" if not self.rate else f"{self.rate:.1f}/s" if self.rate < 10 else f"{self.rate:,.0f}/s"

    def sentence(self) -> str:
        """Return everything in one line for a log."""
        tally = self.tally
        stored = tally.new + tally.changed + tally.unchanged + tally.on_disk
        share = "" if self.share is None else f"{self.share * 100:.0f} % of {self.goal:,}"
        parts = (_number(tally.requests, "request"), f"{_number(stored, 'project')} ({tally.counts})")
        return ", ".join(filter(None, (*parts, self.speed, share, self.left, self.ending)))

    def short(self, width: int) -> str:
        """Return what fits into `width` characters, what matters most first."""
        minutes, seconds = divmod(int(self.elapsed), 60)
        parts = (
            self.ending,
            "" if self.share is None else f"{self.share * 100:.0f} %",
            self.tally.counts,
            self.speed,
            self.left.removeprefix("about "),
            f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}",
            _number(self.tally.requests, "request"),
        )
        text = ""
        for part in filter(None, parts):
            longer = f"{text} · {part}" if text else part
            if len(longer) > width:
                break
            text = longer
        return text


class Display(Protocol):
    """Where progress is shown."""

    def show(self, state: State) -> None: ...
    def stop(self) -> None: ...


class LogLine:
    """A line in the log, unless nothing happened since the last one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._before = Tally()

    def show(self, state: State) -> None:
        """Log one line."""
        if state.tally != self._before:
            self._before = state.tally
            logger.info("%s: %s", self._name, state.sentence())

    def stop(self) -> None:
        """Nothing is left behind."""


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"

"""The live line of a terminal that shows how far a crawl is."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as LiveLine
from rich.table import Column
from rich.text import Text
from scrapy.utils.log import get_scrapy_root_handler

from outsourcing_spiders.extensions.progress_display import State

_SHORTEST_BAR = 8  # characters


class Bar:
    """A live line at the bottom of the terminal; the log goes above it."""

    def __init__(self, name: str, *, force: bool) -> None:
        self._name = name
        self._console = Console(file=sys.stderr, force_terminal=True if force else None)
        self._line = LiveLine(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=40)),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self._console,
            # Drawn by the crawl's own loop: no second thread writes between two lines of the log.
            auto_refresh=False,
            transient=True,
            expand=True,
            redirect_stdout=False,
        )
        self._task = self._line.add_task(name, total=None, numbers="starting")
        self._handler = get_scrapy_root_handler()
        self._stream: Any = None
        if isinstance(self._handler, logging.StreamHandler) and not isinstance(self._handler, logging.FileHandler):
            self._stream = self._handler.setStream(_AboveBar(self._console))
        self._line.start()

    def show(self, state: State) -> None:
        """Draw the line anew."""
        numbers = state.short(self._console.width - len(self._name) - _SHORTEST_BAR - 2)
        self._line.update(
            self._task, completed=state.tally.read, total=state.goal, numbers=numbers or "starting", refresh=True
        )

    def stop(self) -> None:
        """Take the line away and give the log its stream back."""
        if self._stream is not None and isinstance(self._handler, logging.StreamHandler):
            self._handler.setStream(self._stream)
        self._line.stop()


class _AboveBar(io.TextIOBase):
    """What the log is written to while a bar is up: lines are never wrapped by us, so that addresses stay whole."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        self._console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True)
        return len(text)

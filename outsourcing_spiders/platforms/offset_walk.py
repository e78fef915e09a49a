"""Walk a listing by offset while it moves, missing nothing.

A listing sorted newest first moves under the reader. New rows push the others down: some come twice. Rows
that end pull the others up: without care, some would never be seen. A row that is posted again jumps to
the top, past the reader. But rows that stay keep their order, and that is what the walk stands on:

- Pages overlap. A page that shares a row with the pages above it is *linked*: whatever lies between them
  has been seen. Pages that were read ahead wait until they are.
- Where the page that comes next is not linked, too many rows were pulled up past its border: the walk
  climbs until it meets rows that it knows, and comes down again from there. Nor is an empty page the end:
  rows may have been pulled up past it, too.
- At the end the top is read once more, down to a page on which all is known.

What could not be linked is counted in `gaps`, and so is an end well short of the total: pages may lack rows. A row
that jumps once more while the top is read can be missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from outsourcing_spiders.platforms.page_walk import is_well_short


class _Page(NamedTuple):
    offset: int
    ids: Sequence[str]
    answer: int
    """Number of the answer: of two pages, which one is newer."""
    is_last: bool


_ABOVE_ALL = _Page(0, (), 0, False)


@dataclass(slots=True)
class OffsetWalk:
    """Decide which offsets to ask for. Feed every answer to `read`; it says what to ask for next.

    `size`: rows asked for at a time. `overlap`: rows that two neighbours share, at least 1. `ahead`: how
    many pages may be under way at once. `max_pages`: bound of requests, ``None`` for no bound. Raises
    `ValueError` for an overlap that leaves nothing to go by, or nothing to go on with.
    """

    size: int
    overlap: int
    ahead: int = 1
    max_pages: int | None = None
    total: int | None = None
    """Rows that the listing says it has, by the newest answer."""
    gaps: int = 0
    """Places where rows may be missing, after all that was tried."""
    reached_end: bool = False
    """Whether the end of the listing was read."""
    bounded: bool = False
    """Whether `max_pages` or `stop` ended the walk before all was read."""
    seen: set[str] = field(default_factory=set)
    _least: int | None = None
    _asked: int = 0
    _answers: int = 0
    _furthest: int = 0
    _under_way: set[int] = field(default_factory=set)
    _latest: list[int] = field(default_factory=list)
    _linked: set[str] = field(default_factory=set)
    _waiting: dict[int, _Page] = field(default_factory=dict)
    _bottom: _Page = _ABOVE_ALL
    _end: _Page | None = None
    _climb: int = 0
    _empty: int | None = None
    _asked_again: set[int] = field(default_factory=set)
    _sweeping: bool = False
    _top: frozenset[str] = frozenset()
    _calm: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.overlap < self.size:
            raise ValueError(f"pages of {self.size} rows cannot share {self.overlap}")

    @property
    def step(self) -> int:
        """Distance of neighbours."""
        return self.size - self.overlap

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is under way any more."""
        return not self._under_way

    def start(self) -> list[int]:
        """Return the first offsets to ask for."""
        return self._ask(0)

    def stop(self) -> list[int]:
        """Ask for no further page, since what comes next is not wanted; return what is wanted all the same: nothing.

        The offsets that the last `read` returned are taken back.
        """
        self.bounded = True
        self._under_way.difference_update(self._latest)
        self._settle()
        return []

    def read(self, offset: int, ids: Sequence[str], total: int | None) -> tuple[list[str], list[int]]:
        """Take the answer for `offset` in; return the ids not seen before, and the offsets to ask for next."""
        self._under_way.discard(offset)
        self._answers += 1
        if total is not None:
            self.total, self._least = total, total if self._least is None else min(total, self._least)
        fresh = list(dict.fromkeys(identity for identity in ids if identity not in self.seen))
        self.seen.update(fresh)
        self._top = self._top or frozenset(ids)
        is_last = self._is_last(offset, len(ids)) or (self._sweeping and self._is_known(ids, fresh))
        page = self._waiting[offset] = _Page(offset, ids, self._answers, is_last)
        self._link(page)
        self._latest = [] if self.bounded else self._go_on()
        self._settle()
        return fresh, self._latest

    def _is_last(self, offset: int, count: int) -> bool:
        # A page may be short with more to follow, and the total may be wrong: the end takes both.
        if self.total is not None and offset + self.size >= self.total:
            return 0 < count < self.size or offset + count == self.total
        return self._empty is not None and offset + self.size > self._empty and 0 < count < self.size

    def _is_known(self, ids: Sequence[str], fresh: Sequence[str]) -> bool:
        """Tell whether a page of the top ends below all that came there: nothing fresh, but rows of the first page."""
        tail = ids[len(ids) // 2 :]
        was_calm, self._calm = self._calm, not set(tail).intersection(fresh)
        return self._calm and (was_calm or not self._top.isdisjoint(tail))

    def _link(self, newest: _Page) -> None:
        """Link the pages that share rows with those above them, or that have nothing above them."""
        while pages := [page for page in self._waiting.values() if self._is_linked(page)]:
            for page in sorted(pages):
                del self._waiting[page.offset]
                self._linked.update(page.ids)
                # A climb ends where it meets the known rows, and the walk comes down from there.
                if page.offset >= self._bottom.offset or (page is newest and self._climb):
                    self._bottom, self._climb = page, 0
                if page.is_last:
                    self._end = page

    def _is_linked(self, page: _Page) -> bool:
        # Shared rows are at the head of a page; one further down could be one that has jumped to the top since.
        return bool(page.ids) and (page.offset == 0 or not self._linked.isdisjoint(page.ids[: self.overlap]))

    def _go_on(self) -> list[int]:
        follows = self._bottom.offset + self.step if self._linked else 0
        if any(offset <= follows for offset in self._under_way):
            return [] if self._climb or self._end else self._ask_ahead(follows)
        if self._end:
            if self._under_way:
                return []
            if not any(page.ids and page.answer > self._end.answer for page in self._waiting.values()):
                return self._finish()
            self._end = None
        if not self._waiting or min(self._waiting) > follows:
            return self._ask_ahead(follows)
        first = self._waiting[min(self._waiting)]
        if not first.ids:
            return self._pass_empty(first)
        if first.answer < self._bottom.answer:
            # Rows came on top after it was read ahead: it lies further down now.
            del self._waiting[first.offset]
            return self._go_on()
        return self._climb_from(first)

    def _ask_ahead(self, follows: int) -> list[int]:
        asked: list[int] = []
        for offset in range(follows, follows + (1 if self._sweeping else self.ahead) * self.step, self.step):
            # How far to read ahead is known with the total only; beyond it, one page at a time.
            if offset > follows and (self.total is None or offset >= self.total - self.overlap):
                break
            if len(self._under_way) < self.ahead and offset not in self._under_way and offset not in self._waiting:
                asked += self._ask(offset)
        return asked

    def _ask(self, offset: int) -> list[int]:
        if self.max_pages is not None and self._asked >= self.max_pages:
            self.bounded = True
            return []
        self._asked += 1
        self._furthest = max(self._furthest, offset)
        self._under_way.add(offset)
        return [offset]

    def _climb_from(self, page: _Page) -> list[int]:
        """Ask for a page further up than one that is not linked, twice as far each time."""
        if self._asked > 30 + 3 * self._furthest // self.step:
            # The listing moves faster than it can be read.
            self.gaps += 1
            self._waiting.pop(page.offset, None)
            self._linked.update(page.ids)
            self._bottom, self._climb = page, 0
            self._end = page if page.is_last or not page.ids else None
            return self._go_on()
        self._climb = 2 * self._climb or max(self.size // 2, 1)
        return self._ask(max(page.offset - self._climb, 0))

    def _pass_empty(self, page: _Page) -> list[int]:
        """Ask once more for a page with nothing where the total says that there is something; then look above it."""
        del self._waiting[page.offset]
        if self.total is not None and page.offset < self.total - self.overlap:
            if page.offset not in self._asked_again:
                self._asked_again.add(page.offset)
                return self._ask(page.offset)
            self.gaps += 1
        if page.offset == 0:
            self._end = page
            return self._go_on()
        self._empty = page.offset
        return self._climb_from(page)

    def _finish(self) -> list[int]:
        self._waiting.clear()
        self.reached_end = True
        if self._sweeping or self._asked == 1 or not self.seen:
            return []
        # Rows that came or came back to the top while the listing was read.
        self._sweeping, self._linked, self._bottom, self._end, self._empty = True, set(), _ABOVE_ALL, None, None
        return self._ask(0)

    def _settle(self) -> None:
        """Count what a bound has left without a link, and an end at which rows are missing all the same."""
        if self._under_way:
            return
        if self.bounded and any(page.ids for page in self._waiting.values()):
            self.gaps += 1
            self._waiting.clear()
        # That a listing shows nothing at all is told by its empty pages.
        if self.reached_end and self.seen and not self.gaps:
            self.gaps += is_well_short(len(self.seen), self._least, self.size)

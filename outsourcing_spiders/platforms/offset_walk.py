"""Walk a listing by offset while it moves, missing nothing.

A listing sorted newest first moves under the reader. New rows push the others down: some come twice. Rows
that end pull the others up: without care, some would never be seen. A row that is posted again jumps to
the top, past the reader. So pages overlap; two neighbours that share no row had too many rows pulled from
between them, and the place is read again; and at the end the top is read once more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class OffsetWalk:
    """Decide which offsets to ask for. Feed every answer to `read`; it says what to ask for next.

    `size`: rows asked for at a time. `overlap`: rows that two neighbours share. `ahead`: how many pages
    may be under way at once. `max_pages`: bound of pages, ``None`` for all.
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
    """Whether `max_pages` or `stop` ended the walk before the end of the listing."""
    seen: set[str] = field(default_factory=set)
    _next: int = 0
    _asked: int = 0
    _pages: dict[int, frozenset[str]] = field(default_factory=dict)
    _under_way: set[int] = field(default_factory=set)
    _emptied: set[int] = field(default_factory=set)
    _bridged: dict[int, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)
    _bridges: int = 0
    _swept: bool = False

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

    def stop(self) -> None:
        """Ask for no further page, since what comes next is not wanted."""
        self.bounded = True

    def read(self, offset: int, ids: Sequence[str], total: int | None) -> tuple[list[str], list[int]]:
        """Take the answer for `offset` in; return the ids not seen before, and the offsets to ask for next."""
        self._under_way.discard(offset)
        if total is not None:
            self.total = total
        fresh = list(dict.fromkeys(identity for identity in ids if identity not in self.seen))
        self.seen.update(fresh)
        if self._swept:
            return fresh, self._sweep_on(offset, ids, fresh)
        again = self._check(offset, ids)
        if again:
            return fresh, again
        if self._is_last(offset, ids):
            self.reached_end = True
        asked = self._advance()
        if self.is_done and not asked and self.reached_end and not self.bounded and self._asked > 1:
            # Rows that came or came back to the top while the listing was read.
            self._swept = True
            self._under_way.add(0)
            return fresh, [0]
        return fresh, asked

    def _advance(self) -> list[int]:
        asked: list[int] = []
        while not (self.reached_end or self.bounded) and len(self._under_way) < self.ahead:
            # How far to read ahead is known with the total only; without it, one page at a time.
            beyond = self.total is None or self._next >= self.total
            if beyond and self._under_way:
                break
            if self.max_pages is not None and self._asked >= self.max_pages:
                self.bounded = True
                break
            asked += self._ask(self._next)
        return asked

    def _ask(self, offset: int) -> list[int]:
        self._asked += 1
        self._next = offset + self.step
        self._under_way.add(offset)
        return [offset]

    def _is_last(self, offset: int, ids: Collection[str]) -> bool:
        if not ids:
            return True
        # A page may be short with more to follow, and the total may be wrong: the end takes both.
        if self.total is None or offset + self.size < self.total:
            return False
        return len(ids) < self.size or offset + len(ids) == self.total

    def _check(self, offset: int, ids: Sequence[str]) -> list[int]:
        """Compare a page with its neighbours; return what to read again."""
        if offset in self._bridged:
            return self._check_bridge(offset, frozenset(ids))
        if not ids:
            return self._check_empty(offset)
        self._pages[offset] = frozenset(ids)
        again: list[int] = []
        for upper, lower in ((offset - self.step, offset), (offset, offset + self.step)):
            if upper not in self._pages or lower not in self._pages:
                continue
            # Once compared with what is below it, a page is of no further use.
            above = self._pages.pop(upper)
            if self.overlap and above.isdisjoint(self._pages[lower]):
                again += self._bridge(lower - self.size // 2, above, self._pages[lower])
        return again

    def _check_empty(self, offset: int) -> list[int]:
        """Ask once more for a page with nothing, where the total says that there is something."""
        if self.total is None or offset >= self.total - self.overlap:
            return []
        if offset in self._emptied:
            self.gaps += 1
            return []
        self._emptied.add(offset)
        self._under_way.add(offset)
        return [offset]

    def _check_bridge(self, offset: int, ids: frozenset[str]) -> list[int]:
        above, below = self._bridged.pop(offset)
        if not ids.isdisjoint(above) and not ids.isdisjoint(below):
            return []
        # Still more rows went: further up, if it can be.
        further = offset - self.size // 2
        if ids.isdisjoint(above) and further > 0 and len(self._bridged) < self.ahead and self._bridges < 20:
            return self._bridge(further, above, ids | below)
        self.gaps += 1
        return []

    def _bridge(self, offset: int, above: frozenset[str], below: frozenset[str]) -> list[int]:
        # Rows were pulled up past the border of two pages: a page across that border has them.
        offset = max(offset, 0)
        self._bridges += 1
        self._bridged[offset] = (above, below)
        self._under_way.add(offset)
        return [offset]

    def _sweep_on(self, offset: int, ids: Sequence[str], fresh: Sequence[str]) -> list[int]:
        if ids and len(fresh) == len(set(ids)) and offset < self.size * 20:
            self._under_way.add(offset + self.step)
            return [offset + self.step]
        return []

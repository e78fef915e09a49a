"""Walk a listing page by page while it moves: by page number, by "next" link, by cursor.

The platform decides where its pages begin, so neighbours share no rows to go by, as they do in `offset_walk`. Of a
listing that is newest first, this is known all the same:

- What comes on top pushes rows down: they are met again on the next page, and nothing is missed.
- What ends pulls rows up, some past the border to the page that was read already. Then there are fewer rows than
  before: when the total falls from one page to the next, the pages above are looked at again, from the first one
  whose first row was known before the fall.
- A row that is posted again jumps to the top, past the reader, and pushes down what it passes: when rows were met
  again, the top is read once more at the end, down to a page without anything new.

A cursor means "after that row" and does not move with the others: its pages are never looked at again. Without a
total a fall cannot be seen; what it hides is found by a later crawl with ``full``.

The end is where the platform says it is: no next page, a total that has been met, an empty page, a page that repeats
the one before (what some platforms show beyond the end).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Place = TypeVar("Place", bound=Hashable)

_STALE_PAGES = 5


def is_well_short(seen: int, least: int | None, page: int) -> bool:
    """Tell whether far fewer rows were seen than a listing has; `page`: rows on a full page.

    `least`: the smallest total that it told. What came while it was read is in the newest one, and need not have been
    seen. A few rows less are normal: rows end while others come, and some platforms leave two of a hundred out.
    """
    return least is not None and least - seen > min(page, least) // 2 + least // 50


@dataclass(slots=True)
class PageWalk(Generic[Place]):
    """Decide which page to ask for next, one at a time; `first` is the place of the first.

    `max_pages`: bound of requests, ``None`` for no bound. `moves_up`: rows move past the borders of pages, as they do
    with page numbers; not with cursors. A page is named by its place: a number, a cursor, an address.
    """

    first: Place
    max_pages: int | None = None
    moves_up: bool = True
    total: int | None = None
    """Rows that the listing says it has, by the newest answer."""
    gaps: int = 0
    """Places where rows may be missing, after all that was tried."""
    reached_end: bool = False
    """Whether the end of the listing was read."""
    bounded: bool = False
    """Whether `max_pages` or `stop` ended the walk before all was read."""
    seen: dict[str, int] = field(default_factory=dict)
    """Number of the answer that was the first with a row, by the row's id."""
    looks_back: bool = False
    """Whether the page that is asked for now was read before, and is looked at again for rows that were pulled up."""
    is_done: bool = False
    """Whether nothing is under way any more."""
    _asked: int = 0
    _answers: int = 0
    _path: list[Place] = field(default_factory=list)
    _at: int = 0
    _size: int = 0
    _before: Sequence[str] = ()
    _told: int | None = None
    _least: int | None = None
    _fell_at: tuple[int, int, int | None] = (0, 0, None)
    _retried: bool = False
    _empty: int = 0
    _stale: int = 0
    _furthest: int = 0
    _met_again: bool = False
    _sweeping: bool = False

    def start(self) -> list[Place]:
        """Return the first place to ask for."""
        self._path = [self.first]
        return self._ask(0)

    def stop(self) -> list[Place]:
        """Go no further, since what comes next is not wanted; return what the last `read` wants all the same."""
        self.bounded = True
        if self.looks_back and not self.is_done:
            return [self._path[self._at]]
        self.is_done = True
        return []

    def read(
        self,
        place: Place,
        ids: Sequence[str],
        *,
        following: Place | None,
        is_last: bool | None = None,
        total: int | None = None,
        pinned: Collection[str] = (),
    ) -> tuple[list[str], list[Place]]:
        """Take the answer for `place` in; return the ids not seen before, and the place to ask for next, if any.

        `following`: the next page, ``None`` where there can be none. `is_last`: what the page says of itself, ``None``
        when it says nothing. `pinned`: ids of rows that stand where they stand whatever their age.
        """
        self._at = self._path.index(place)
        self._answers += 1
        if total is not None:
            self.total, self._least = total, total if self._least is None else min(total, self._least)
        fresh = list(dict.fromkeys(identity for identity in ids if identity not in self.seen))
        own = [identity for identity in ids if identity not in pinned]
        self._size = max(self._size, len(own))
        # On their last page, some platforms link the page itself as the next one.
        follows = None if is_last is True or following in self._path[: self._at + 1] else following
        if follows is not None and self._at + 1 == len(self._path):
            self._path.append(follows)
        elif follows is not None:
            self._path[self._at + 1] = follows
        else:
            del self._path[self._at + 1 :]
        # The rows of this answer count as seen from the next one on.
        index = self._go_on(ids, own, fresh, follows is not None, is_last)
        self.seen.update(dict.fromkeys(fresh, self._answers))
        if index is None:
            index = self._finish()
        return fresh, [] if index is None else self._ask(index)

    def _go_on(
        self, ids: Sequence[str], own: Sequence[str], fresh: Sequence[str], follows: bool, is_last: bool | None
    ) -> int | None:
        """Return the index of the page to read next; ``None`` at the end."""
        before, self._before = self._before, ids
        if self._sweeping:
            return self._at + 1 if follows and set(fresh).intersection(own) else None
        if self.looks_back:
            return self._look_further(own, follows)
        told, self._told = self._told, self.total
        if self.moves_up and self._at and told is not None and self.total is not None and self.total < told:
            self._fell_at = self._at, self._answers, self.total
            return self._look_at(self._at - 1)
        if not ids:
            return self._pass_empty(follows, is_last)
        self._retried, self._empty = False, 0
        if self._at > self._furthest or not self._at:
            self._furthest = self._at
            self._met_again = self._met_again or any(identity in self.seen for identity in own)
        if not follows or (is_last is None and (list(ids) == list(before) or self._is_all())):
            return None
        self._stale = 0 if fresh else self._stale + 1
        pages = None if self._least is None else self._least // self._size
        if self._stale > _STALE_PAGES or (pages is not None and self._at > 30 + 3 * pages):
            # Rows come faster than pages are read, or there is a next page each time, and each time it is the same.
            self.gaps += 1
            return None
        return self._at + 1

    def _is_all(self) -> bool:
        return self.total is not None and (self._at + 1) * self._size >= self.total

    def _is_short(self) -> bool:
        return is_well_short(len(self.seen), self._least, self._size)

    def _pass_empty(self, follows: bool, is_last: bool | None) -> int | None:
        """Ask once more for a page with nothing where there should be something, then leave it out."""
        is_odd = is_last is False or self._is_short() or (self.total is None and not self._at)
        if not (is_odd or (self._least is not None and self._least > len(self.seen))):
            return None
        if not self._retried:
            self._retried = True
            return self._at
        if not is_odd:
            # A few rows less than the total are normal, and they may have been all of the last page.
            return None
        self._retried = False
        self._empty += 1
        self.gaps += 1
        # Nothing at all is no page that is missing.
        return self._at + 1 if follows and self._at and self._empty < 2 else None

    def _look_at(self, index: int) -> int | None:
        if self._asked > 30 + 3 * len(self._path):
            # The listing moves faster than it can be read.
            self.gaps += 1
            self.looks_back = False
            return self._fell_at[0] + 1 if self._fell_at[0] + 1 < len(self._path) else None
        self.looks_back = True
        return index

    def _look_further(self, own: Sequence[str], follows: bool) -> int | None:
        """Go up to rows that were known before the fall, and down again to those below it."""
        page, answer, told = self._fell_at
        known_above = bool(own) and self.seen.get(own[0], answer) < answer
        if not known_above and self._at:
            return self._look_at(self._at - 1)
        self.looks_back = False
        if own and self.seen.get(own[-1], 0) >= answer:
            # It reaches down to the page on which the fall was seen.
            self._told = told
            return page + 1 if page + 1 < len(self._path) else None
        self._told = self.total
        return self._at + 1 if follows else None

    def _finish(self) -> int | None:
        self.is_done, self.looks_back = True, False
        if self._sweeping or self.bounded:
            return None
        self.reached_end = bool(self.seen) or not self.gaps
        self.gaps += self.reached_end and self._is_short()
        if self._met_again and not self.gaps and len(self._path) > 1:
            self._sweeping = True
            return 0
        return None

    def _ask(self, index: int) -> list[Place]:
        is_needed = self.looks_back or not self.bounded
        if is_needed and (self.max_pages is None or self._asked < self.max_pages):
            self._asked += 1
            self._at, self.is_done = index, False
            return [self._path[index]]
        self.gaps += self.looks_back
        self.looks_back = False
        self.bounded = self.is_done = True
        return []

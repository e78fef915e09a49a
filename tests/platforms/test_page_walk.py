"""Listings by page that move while they are read: nothing that was there all the time is missed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from outsourcing_spiders.platforms.page_walk import PageWalk, is_well_short

SIZE = 10


class Site:
    """A listing by page number that can be changed between answers."""

    def __init__(self, rows: int, *, tells: tuple[str, ...] = ("last", "total")) -> None:
        self.rows = [f"r{number}" for number in range(rows)]
        self.there = set(self.rows)
        self.tells = tells
        self.asked: list[int] = []
        self.pinned: list[str] = []

    def add(self, count: int) -> None:
        """Put new rows on top."""
        self.rows[:0] = [f"n{len(self.asked)}.{number}" for number in range(count)]

    def end(self, *places: int) -> None:
        """Take rows away."""
        for place in sorted(places, reverse=True):
            if place < len(self.rows):
                self.there.discard(self.rows.pop(place))

    def read(self, walk: PageWalk[int], move: Callable[[Site], object] = lambda site: None) -> set[str]:
        """Read to the end; `move` is called before each answer. Return the rows that were handed out, each once."""
        found: list[str] = []
        asked = walk.start()
        while asked:
            (number,) = asked
            self.asked.append(number)
            assert len(self.asked) < 500
            move(self)
            last = -(-len(self.rows) // SIZE)
            ids = [*self.pinned, *self.rows[(number - 1) * SIZE : number * SIZE]]
            fresh, asked = walk.read(
                number, ids, following=number + 1, is_last=number >= last if "last" in self.tells else None,
                total=len(self.rows) if "total" in self.tells else None, pinned=self.pinned,
            )  # fmt: skip
            found += fresh
        assert walk.is_done
        assert len(found) == len(set(found))
        return set(found)


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 35, 40])
@pytest.mark.parametrize("tells", [("last", "total"), ("last",), ("total",), ()], ids=str)
def test_a_still_listing_is_read_once(rows: int, tells: tuple[str, ...]) -> None:
    site, walk = Site(rows, tells=tells), PageWalk(1)
    assert site.read(walk) == site.there
    assert (walk.reached_end, walk.gaps, walk.bounded) == (True, 0, False)
    # Without any word of it, the end is the first empty page; or, on the first page, asking again for nothing is none.
    pages = -(-rows // SIZE)
    assert site.asked == list(range(1, pages + (1 if tells else 2)))


def test_a_page_that_repeats_the_one_before_is_the_end() -> None:
    walk = PageWalk(1)
    assert walk.start() == [1]
    assert walk.read(1, ["a", "b"], following=2) == (["a", "b"], [2])
    assert walk.read(2, ["c"], following=3) == (["c"], [3])
    assert walk.read(3, ["c"], following=4)[0] == []
    assert walk.reached_end


def test_a_next_page_that_is_this_one_is_none() -> None:
    walk = PageWalk("/a")
    walk.start()
    assert walk.read("/a", ["a"], following="/b")[1] == ["/b"]
    assert walk.read("/b", ["b"], following="/b", is_last=False)[1] == []
    assert walk.reached_end


@pytest.mark.parametrize("arrivals", [1, 3, 8])
def test_what_comes_pushes_down_and_is_read_at_the_end(arrivals: int) -> None:
    site, walk = Site(50), PageWalk(1)
    found = site.read(walk, lambda site: site.add(arrivals))
    assert site.there <= found
    assert len(found) > 50
    assert (walk.reached_end, walk.gaps) == (True, 0)


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_missed_in_a_listing_that_moves_at_random(seed: int) -> None:
    rng = random.Random(seed)
    site, walk = Site(rng.randrange(15, 120)), PageWalk(1)

    def move(site: Site) -> None:
        if rng.random() < 0.4:
            site.add(rng.randrange(5))
        if rng.random() < 0.4 and len(site.rows) > 20:
            site.end(*rng.sample(range(len(site.rows)), rng.randrange(6)))

    found = site.read(walk, move)
    assert walk.reached_end
    if not walk.gaps:
        assert site.there <= found


@pytest.mark.parametrize(("ended", "at"), [(1, 2), (9, 3), (10, 2), (25, 4)])
def test_what_ends_pulls_up_and_the_pages_above_are_read_again(ended: int, at: int) -> None:
    site, walk = Site(70), PageWalk(1)
    found = site.read(walk, lambda site: site.end(*range(ended)) if len(site.asked) == at else None)
    assert site.there <= found
    assert (walk.reached_end, walk.gaps) == (True, 0)
    assert len(site.asked) <= 7 + 2 * at


def test_cursors_do_not_move() -> None:
    walk = PageWalk("", moves_up=False)
    assert walk.start() == [""]
    assert walk.read("", ["a", "b"], following="c1", is_last=False, total=5)[1] == ["c1"]
    assert walk.read("c1", ["c", "d"], following="c2", is_last=False, total=4)[1] == ["c2"]
    assert walk.read("c2", ["e"], following=None, is_last=True, total=4) == (["e"], [])
    assert (walk.reached_end, walk.gaps) == (True, 0)


def test_pinned_rows_on_every_page_are_no_sign_of_movement() -> None:
    site, walk = Site(30), PageWalk(1)
    site.pinned = ["p1", "p2"]
    assert site.read(walk) == site.there | {"p1", "p2"}
    assert site.asked == [1, 2, 3]


@pytest.mark.parametrize(
    ("total", "gaps", "reached_end", "asked"),
    [(0, 0, True, 1), (5, 1, False, 2), (None, 1, False, 2)],
)
def test_an_empty_first_page_is_the_end_only_when_it_says_so(
    total: int | None, gaps: int, reached_end: bool, asked: int
) -> None:
    walk = PageWalk(1)
    places, count = walk.start(), 0
    while places:
        count += 1
        places = walk.read(places[0], [], following=2, total=total)[1]
    assert (walk.gaps, walk.reached_end, count) == (gaps, reached_end, asked)


@pytest.mark.parametrize("is_last", [True, None])
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_short_last_page_that_comes_empty_is_asked_for_once_more(is_last: bool | None, comes_back: bool) -> None:
    walk = PageWalk(1)
    walk.start()
    first = [f"r{number}" for number in range(SIZE)]
    assert walk.read(1, first, following=2, total=SIZE + 4)[1] == [2]
    assert walk.read(2, [], following=3, is_last=is_last, total=SIZE + 4)[1] == [2]
    # Some rows less than the total are normal, and they may have been all of the page.
    rest = [f"s{number}" for number in range(4)] if comes_back else []
    assert walk.read(2, rest, following=3, is_last=is_last, total=SIZE + 4) == (rest, [])
    assert (walk.reached_end, walk.gaps) == (True, 0)


def test_a_page_that_comes_empty_is_asked_for_once_more() -> None:
    walk = PageWalk(1)
    walk.start()
    ids = [str(number) for number in range(10)]
    assert walk.read(1, ids, following=2, is_last=False)[1] == [2]
    assert walk.read(2, [], following=3, is_last=False)[1] == [2]
    assert walk.read(2, [], following=3, is_last=False)[1] == [3]
    assert walk.read(3, ["x"], following=4, is_last=True)[1] == []
    assert (walk.gaps, walk.reached_end) == (1, True)


@pytest.mark.parametrize(("total", "gaps"), [(30, 0), (33, 0), (36, 1), (90, 1)])
def test_an_end_well_short_of_the_total_is_a_gap(total: int, gaps: int) -> None:
    site, walk = Site(30, tells=("last",)), PageWalk(1)
    walk._least = walk.total = total
    site.read(walk)
    assert walk.gaps == gaps


@pytest.mark.parametrize(
    ("least", "page", "few"),
    [
        pytest.param(5000, 100, 150, id="half-a-page-and-two-of-a-hundred"),
        pytest.param(400, 100, 58, id="some-pages"),
        pytest.param(40, 100, 20, id="less-than-a-page"),
        pytest.param(1, 20, 0, id="one"),
    ],
)
def test_a_few_rows_less_are_normal(least: int, page: int, few: int) -> None:
    assert not is_well_short(least - few, least, page)
    assert is_well_short(least - few - 1, least, page)
    assert not is_well_short(0, None, page)


def test_a_bound_ends_the_walk() -> None:
    site, walk = Site(60), PageWalk(1, max_pages=2)
    assert len(site.read(walk)) == 20
    assert (walk.bounded, walk.reached_end, walk.gaps) == (True, False, 0)


def test_a_stop_takes_the_next_page_back_but_not_a_look_above() -> None:
    walk = PageWalk(1)
    walk.start()
    ids = [str(number) for number in range(30)]
    assert walk.read(1, ids[:10], following=2, is_last=False, total=40)[1] == [2]
    assert (walk.stop(), walk.is_done, walk.reached_end, walk.gaps) == ([], True, False, 0)
    walk = PageWalk(1)
    walk.start()
    walk.read(1, ids[:10], following=2, is_last=False, total=40)
    assert walk.read(2, ids[12:22], following=3, is_last=False, total=38)[1] == [1]
    assert walk.looks_back
    assert (walk.stop(), walk.is_done) == ([1], False)
    assert walk.read(1, ids[2:12], following=2, is_last=False, total=38) == (ids[10:12], [])
    assert (walk.is_done, walk.gaps) == (True, 0)


def test_a_listing_that_never_ends_is_left() -> None:
    walk = PageWalk(1)
    asked = walk.start()
    while asked:
        asked = walk.read(asked[0], ["a", "b"], following=asked[0] + 1, is_last=False)[1]
    assert walk.gaps

"""The walk through a listing that moves: nothing that stays is missed, or the walk says so."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.platforms.offset_walk import OffsetWalk

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=600)


def rows(start: int, stop: int) -> list[str]:
    return [f"r{number}" for number in range(start, stop)]


@dataclass
class Reader:
    """Feeds a walk from a list of rows that a test changes between the answers."""

    walk: OffsetWalk
    listing: list[str]
    total: bool = True
    under_way: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._note(self.walk.start())

    def _note(self, offsets: Sequence[int]) -> None:
        assert not set(offsets) & set(self.under_way)
        self.under_way += offsets
        self.asked += offsets
        assert len(self.under_way) <= self.walk.ahead
        assert self.walk.is_done == (not self.under_way)

    def answer(self, offset: int, ids: Sequence[str], total: int | None) -> None:
        self.under_way.remove(offset)
        fresh, offsets = self.walk.read(offset, ids, total)
        assert set(fresh) <= set(ids)
        self.seen += fresh
        assert len(self.seen) == len(set(self.seen))
        self._note(offsets)

    def page(self, offset: int | None = None) -> None:
        """Answer one request from the listing as it is now: that for `offset`, or the oldest."""
        offset = self.under_way[0] if offset is None else offset
        ids = self.listing[offset : offset + self.walk.size]
        self.answer(offset, ids, len(self.listing) if self.total else None)

    def to_the_end(self) -> None:
        while self.under_way:
            self.page()


def reader(count: int, *, total: bool = True, **arguments: int) -> Reader:
    """A walk through `count` rows, ten at a time, of which neighbours share three."""
    return Reader(OffsetWalk(**({"size": 10, "overlap": 3} | arguments)), rows(0, count), total)


@pytest.mark.parametrize(
    ("count", "asked"),
    [
        pytest.param(0, [0], id="empty"),
        pytest.param(1, [0], id="one-row"),
        pytest.param(9, [0], id="less-than-a-page"),
        pytest.param(10, [0], id="exactly-a-page"),
        pytest.param(11, [0, 7, 0], id="a-row-more"),
        pytest.param(17, [0, 7, 0], id="exactly-two-pages"),
        pytest.param(18, [0, 7, 14, 0], id="three-pages"),
        pytest.param(38, [0, 7, 14, 21, 28, 0], id="five-pages"),
    ],
)
@pytest.mark.parametrize("ahead", [1, 3])
def test_a_still_listing_takes_its_pages_and_one_look_at_the_top(count: int, asked: list[int], ahead: int) -> None:
    reading = reader(count, ahead=ahead)
    reading.to_the_end()
    assert reading.asked == asked
    assert reading.seen == rows(0, count)
    walk = reading.walk
    assert (walk.reached_end, walk.bounded, walk.gaps, walk.total) == (True, False, 0, count)


@pytest.mark.parametrize(("count", "asked"), [(0, [0]), (5, [0, 7, 2, 0]), (25, [0, 7, 14, 21, 28, 23, 0])])
@pytest.mark.parametrize("ahead", [1, 3])
def test_without_a_total_only_an_empty_page_and_the_one_above_it_are_the_end(
    count: int, asked: list[int], ahead: int
) -> None:
    reading = reader(count, total=False, ahead=ahead)
    reading.to_the_end()
    assert reading.asked == asked
    assert reading.seen == rows(0, count)
    assert (reading.walk.reached_end, reading.walk.gaps) == (True, 0)


def test_pages_are_read_ahead_as_far_as_the_total_goes() -> None:
    reading = reader(25, ahead=4)
    reading.page()
    assert reading.under_way == [7, 14, 21]


def test_pages_that_answer_out_of_order_wait_for_those_above() -> None:
    reading = reader(60, ahead=3)
    reading.page(0)
    reading.page(21)
    reading.page(14)
    assert reading.under_way == [7]
    reading.page(7)
    assert reading.under_way == [28, 35, 42]
    reading.to_the_end()
    assert sorted(reading.seen) == sorted(rows(0, 60))
    assert reading.asked == [0, 7, 14, 21, 28, 35, 42, 49, 56, 0]
    assert reading.walk.gaps == 0


def test_rows_that_come_on_top_are_read_at_the_end() -> None:
    reading = reader(17)
    reading.page()
    reading.listing[:0] = ["new1", "new2"]
    reading.to_the_end()
    assert reading.asked == [0, 7, 14, 0]
    assert set(reading.seen) == {*rows(0, 17), "new1", "new2"}


def test_many_rows_on_top_are_read_down_to_the_known_ones() -> None:
    reading = reader(17)
    reading.page()
    reading.page()
    reading.listing[:0] = [f"new{number}" for number in range(25)]
    reading.to_the_end()
    assert reading.asked == [0, 7, 0, 7, 14, 21]
    assert len(reading.seen) == 17 + 25


def test_a_row_that_jumps_to_the_top_is_met_there() -> None:
    reading = reader(38)
    reading.page()
    reading.listing.insert(0, reading.listing.pop(30))
    reading.to_the_end()
    assert sorted(reading.seen) == sorted(rows(0, 38))


@pytest.mark.parametrize("gone", [1, 2], ids=["one", "as-many-as-can-be"])
def test_a_few_rows_that_go_cost_no_request(gone: int) -> None:
    reading = reader(38)
    reading.page()
    del reading.listing[2 : 2 + gone]
    reading.to_the_end()
    assert reading.asked == [0, 7, 14, 21, 28, 0]
    assert set(rows(4, 38)) <= set(reading.seen)


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("gone", [4, 8, 20, 30])
def test_many_rows_that_go_are_climbed_after(gone: int, ahead: int) -> None:
    reading = reader(100, ahead=ahead)
    while 42 not in reading.asked:
        reading.page()
    del reading.listing[:gone]
    reading.to_the_end()
    assert set(rows(gone, 100)) <= set(reading.seen)
    assert (reading.walk.reached_end, reading.walk.gaps) == (True, 0)


def test_a_listing_that_shrinks_past_the_reader_is_read_to_its_end() -> None:
    reading = reader(60)
    while 42 not in reading.asked:
        reading.page()
    del reading.listing[:30]
    reading.page()
    assert reading.walk.total == 30
    assert not reading.walk.reached_end
    reading.to_the_end()
    assert set(rows(30, 60)) <= set(reading.seen)
    assert reading.walk.gaps == 0


def test_each_step_of_a_climb_is_twice_as_far() -> None:
    reading = reader(400)
    while 280 not in reading.asked:
        reading.page()
    before = len(reading.asked)
    del reading.listing[:200]
    reading.page()
    for _ in range(4):
        reading.page()
    assert reading.asked[before:] == [275, 265, 245, 205, 125]
    reading.to_the_end()
    assert set(rows(200, 400)) <= set(reading.seen)
    assert reading.walk.gaps == 0


def test_a_row_that_has_jumped_links_no_page_on_which_it_was() -> None:
    reading = reader(60, ahead=3)
    for offset in (0, 21, 14):
        reading.page(offset)
    reading.listing.remove("r25")
    reading.listing[:0] = [*(f"new{number}" for number in range(7)), "r25"]
    reading.page(7)
    reading.to_the_end()
    assert set(rows(0, 60)) <= set(reading.seen)


def test_the_top_is_read_down_to_two_known_pages_when_its_old_rows_are_gone() -> None:
    reading = reader(60)
    while 56 not in reading.asked:
        reading.page()
    del reading.listing[:10]
    reading.to_the_end()
    assert reading.asked[-2:] == [0, 7]
    assert set(rows(0, 60)) == set(reading.seen)


def test_a_known_row_that_has_jumped_does_not_end_the_look_at_the_top() -> None:
    reading = reader(17)
    reading.page()
    reading.page()
    reading.listing.remove("r2")
    news = [f"new{number}" for number in range(14)]
    reading.listing[:0] = [*news[:8], "r2", *news[8:]]
    reading.to_the_end()
    assert set(news) <= set(reading.seen)


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("total", [None, 100], ids=["no-total", "total"])
def test_a_listing_that_is_another_at_each_look_is_given_up(total: int | None, ahead: int) -> None:
    reading = reader(0, ahead=ahead)
    while reading.under_way:
        offset, look = reading.under_way[0], len(reading.asked)
        shown = [f"{look}-{number}" for number in range(offset, 100)]
        reading.answer(offset, shown[:10], total)
    assert reading.walk.reached_end
    assert reading.walk.gaps > 0
    assert len(reading.asked) < 150


def test_a_short_page_is_not_the_end() -> None:
    reading = reader(38)
    reading.answer(0, rows(0, 4), 38)
    reading.answer(7, rows(7, 9), 38)
    assert reading.under_way
    assert not reading.walk.reached_end


@pytest.mark.parametrize("total", [1, 5, 15], ids=str)
def test_a_total_that_is_too_small_ends_nothing(total: int) -> None:
    reading = reader(40)
    while reading.under_way:
        offset = reading.under_way[0]
        reading.answer(offset, reading.listing[offset : offset + 10], total)
    assert reading.seen == rows(0, 40)
    assert reading.walk.reached_end


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_total_that_is_too_large_leaves_a_gap(ahead: int) -> None:
    reading = reader(20, ahead=ahead)
    while reading.under_way:
        offset = reading.under_way[0]
        reading.answer(offset, reading.listing[offset : offset + 10], 90)
    assert reading.seen == rows(0, 20)
    assert (reading.walk.reached_end, reading.walk.gaps) == (True, 1)
    assert reading.asked.count(21) == 2
    assert len(reading.asked) < 12


@pytest.mark.parametrize(
    ("left_out", "gaps"),
    [
        pytest.param(lambda number: number % 2, 1, id="every-second"),
        pytest.param(lambda number: number % 7 > 3, 1, id="all-but-what-pages-share"),
        pytest.param(lambda number: 21 < number < 28, 1, id="six-in-one-place"),
        pytest.param(lambda number: 21 < number < 27, 0, id="five"),
    ],
)
@pytest.mark.parametrize("ahead", [1, 3])
def test_an_end_well_short_of_the_total_is_a_gap(left_out: Callable[[int], bool], gaps: int, ahead: int) -> None:
    reading = reader(38, ahead=ahead)
    while reading.under_way:
        offset = reading.under_way[0]
        shown = [f"r{number}" for number in range(offset, min(offset + 10, 38)) if not left_out(number)]
        reading.answer(offset, shown, 38)
    assert (reading.walk.reached_end, reading.walk.gaps) == (True, gaps)


@pytest.mark.parametrize(("max_pages", "gaps"), [(1, 0), (2, 1)], ids=["bounded-before-the-end", "bounded-at-the-end"])
def test_a_bound_above_the_end_says_nothing_of_the_rows_below(max_pages: int, gaps: int) -> None:
    reading = reader(17, max_pages=max_pages)
    while reading.under_way:
        reading.answer(reading.under_way[0], rows(7, 10), 17)
    assert (reading.walk.bounded, reading.walk.gaps) == (True, gaps)


def test_what_comes_while_a_listing_is_read_is_not_missing() -> None:
    reading = reader(17)
    reading.page()
    # What came on top is seen at the end; what came after that is in the total all the same.
    reading.answer(7, rows(4, 14), 20)
    reading.answer(14, rows(11, 17), 20)
    reading.answer(0, ["n0", "n1", "n2", *rows(0, 7)], 60)
    assert (reading.walk.is_done, reading.walk.gaps) == (True, 0)


@pytest.mark.parametrize("offset", [0, 14], ids=["first-page", "later-page"])
def test_an_empty_page_is_asked_for_again_when_the_total_says_more(offset: int) -> None:
    reading = reader(38)
    while reading.under_way[0] != offset:
        reading.page()
    reading.answer(offset, [], 38)
    assert reading.under_way == [offset]
    reading.to_the_end()
    assert reading.seen == rows(0, 38)
    assert reading.walk.gaps == 0


def test_a_listing_that_only_claims_to_have_rows_has_a_gap() -> None:
    reading = reader(0)
    reading.answer(0, [], 50)
    reading.answer(0, [], 50)
    assert not reading.under_way
    assert (reading.walk.gaps, reading.seen) == (1, [])


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("max_pages", [0, 1, 2, 4])
def test_no_more_pages_than_allowed(max_pages: int, ahead: int) -> None:
    reading = reader(60, max_pages=max_pages, ahead=ahead)
    reading.to_the_end()
    assert reading.asked == [0, 7, 14, 21][:max_pages]
    assert (reading.walk.bounded, reading.walk.reached_end, reading.walk.gaps) == (True, False, 0)


def test_the_look_at_the_top_counts_as_a_page() -> None:
    reading = reader(17, max_pages=2)
    reading.to_the_end()
    assert reading.asked == [0, 7]
    assert (reading.walk.bounded, reading.walk.reached_end) == (True, True)


def test_a_bound_that_forbids_to_climb_leaves_a_gap() -> None:
    reading = reader(60, max_pages=2)
    reading.page()
    del reading.listing[:10]
    reading.to_the_end()
    assert reading.asked == [0, 7]
    assert (reading.walk.bounded, reading.walk.gaps) == (True, 1)


def test_stop_takes_back_what_was_asked_for_last() -> None:
    reading = reader(60)
    reading.page()
    _, offsets = reading.walk.read(7, rows(7, 17), 60)
    assert offsets == [14]
    reading.walk.stop()
    assert reading.walk.is_done
    assert (reading.walk.bounded, reading.walk.reached_end, reading.walk.gaps) == (True, False, 0)


def test_after_stop_the_pages_under_way_are_still_read() -> None:
    reading = reader(90, ahead=3)
    reading.page()
    fresh, offsets = reading.walk.read(7, rows(7, 17), 90)
    assert len(fresh) == 7
    reading.walk.stop()
    assert offsets == [28]
    assert not reading.walk.is_done
    assert reading.walk.read(21, rows(21, 31), 90) == (rows(21, 31), [])
    assert reading.walk.read(14, rows(14, 24), 90) == (rows(17, 21), [])
    assert (reading.walk.is_done, reading.walk.gaps) == (True, 0)


def test_stop_below_a_border_that_was_not_bridged_leaves_a_gap() -> None:
    reading = reader(60)
    reading.page()
    del reading.listing[:10]
    reading.page()
    reading.walk.stop()
    assert (reading.walk.is_done, reading.walk.gaps) == (True, 1)


def test_a_row_that_a_page_names_twice_is_fresh_once() -> None:
    reading = reader(3)
    reading.answer(0, ["a", "b", "a"], 3)
    assert reading.seen == ["a", "b"]


@pytest.mark.parametrize(("size", "overlap"), [(10, 0), (10, 10), (10, 11), (1, 1)])
def test_pages_must_share_rows_and_go_on(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="cannot share"):
        OffsetWalk(size=size, overlap=overlap)


@dataclass
class Moves:
    """What may happen between two answers."""

    new: int
    gone: int
    many_gone: float
    jumps: float
    hidden: float
    total: str


MOVES = st.builds(
    Moves,
    new=st.sampled_from([0, 1, 3]),
    gone=st.sampled_from([0, 1, 2]),
    many_gone=st.sampled_from([0, 0.1, 0.3]),
    jumps=st.sampled_from([0, 0.1]),
    hidden=st.just(0),
    total=st.sampled_from(["exact", "missing", "too small", "too large"]),
) | st.builds(
    # A page that is short while the total is wrong, too, cannot be told from the end.
    Moves,
    new=st.sampled_from([0, 1, 3]),
    gone=st.sampled_from([0, 1, 2]),
    many_gone=st.sampled_from([0, 0.1, 0.3]),
    jumps=st.sampled_from([0, 0.1]),
    hidden=st.just(0.05),
    total=st.just("exact"),
)


@dataclass
class MovingListing:
    """A listing, newest first, with a memory of what stayed."""

    moves: Moves
    chance: random.Random
    rows: list[str]
    came: int = 0
    longest: int = 0
    jumped: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def move(self) -> None:
        chance, moves = self.chance, self.moves
        for _ in range(chance.randint(0, moves.new)):
            self.rows.insert(0, f"new{self.came}")
            self.came += 1
        self._remove(chance.randint(0, moves.gone))
        if chance.random() < moves.many_gone:
            self._remove(chance.randint(10, 40), together=chance.random() < 0.5)
        # Each row jumps once at most: no reader can follow one that keeps jumping.
        if self.rows and chance.random() < moves.jumps and (row := chance.choice(self.rows)) not in self.jumped:
            self.jumped.add(row)
            self.rows.remove(row)
            self.rows.insert(0, row)
        self.longest = max(self.longest, len(self.rows))

    def _remove(self, count: int, *, together: bool = False) -> None:
        first = self.chance.randint(0, len(self.rows))
        leaving = (
            self.rows[first : first + count] if together else self.chance.sample(self.rows, min(count, len(self.rows)))
        )
        self.gone.update(leaving)
        self.rows = [row for row in self.rows if row not in self.gone]

    def page(self, offset: int, size: int) -> list[str]:
        ids = self.rows[offset : offset + size]
        hidden = {row for row in ids if self.chance.random() < self.moves.hidden}
        self.hidden |= hidden
        return [row for row in ids if row not in hidden]

    def total(self, size: int) -> int | None:
        length = len(self.rows)
        return {
            "exact": length,
            "missing": None,
            "too small": min(length // 2, size - 1),
            "too large": length + self.chance.choice([1, 3, 30]),
        }[self.moves.total]


@REPEATABLE
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([0, 1, 10, 11, 17, 20, 38]) | st.integers(0, 250),
    shape=st.sampled_from([(8, 2), (10, 3), (20, 5), (20, 2)]),
    ahead=st.sampled_from([1, 2, 3, 5]),
    max_pages=st.none() | st.integers(1, 10),
    moves=MOVES,
)
def test_what_stays_in_a_moving_listing_is_seen_or_a_gap_is_told(
    seed: int, count: int, shape: tuple[int, int], ahead: int, max_pages: int | None, moves: Moves
) -> None:
    chance = random.Random(seed)
    size, overlap = shape
    listing = MovingListing(moves, chance, rows(0, count), longest=count)
    reading = Reader(OffsetWalk(size=size, overlap=overlap, ahead=ahead, max_pages=max_pages), [])
    walk = reading.walk
    while reading.under_way:
        listing.move()
        offset = chance.choice(reading.under_way)
        reading.answer(offset, listing.page(offset, size), listing.total(size))
        pages = math.ceil(listing.longest / walk.step) + 1
        assert len(reading.asked) <= min(35 + 5 * pages, max_pages or math.inf)
    assert walk.seen == set(reading.seen)
    assert walk.reached_end or walk.bounded
    if not walk.bounded:
        missed = set(rows(0, count)) - set(reading.seen) - listing.gone - listing.hidden
        assert walk.gaps or not missed
        # A gap is no easy excuse.
        assert not walk.gaps or moves.total == "too large"

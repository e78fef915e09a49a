"""How progress is put into words."""

from __future__ import annotations

import logging

import pytest

from outsourcing_spiders.extensions.progress import Pace
from outsourcing_spiders.extensions.progress_display import LogLine, State, Tally


def state(tally: Tally, rate: float | None = 83.2, goal: int | None = 5452, ending: str = "") -> State:
    return State(tally, rate=rate, elapsed=14.9, goal=goal, ending=ending)


def test_sentence() -> None:
    tally = Tally(requests=12, new=1100, changed=3, unchanged=37, read=1200)
    assert state(tally).sentence() == (
        "12 requests, 1,140 projects (1,100 new, 3 changed, 37 unchanged), 83/s, 22 % of 5,452, about 50 s left"
    )
    assert state(Tally(requests=1), rate=None, goal=None).sentence() == (
        "1 request, 0 projects (0 new, 0 changed, 0 unchanged)"
    )
    assert state(Tally(on_disk=40, read=40), goal=None, ending="ending: storage failed").sentence() == (
        "0 requests, 40 projects (0 new, 0 changed, 0 unchanged, 40 on disk), 83/s, ending: storage failed"
    )


@pytest.mark.parametrize(
    ("rate", "left"),
    [
        (1000, "seconds left"),
        (83.2, "about 50 s left"),
        (10, "about 7 min left"),
        (0.5, "about 2.4 h left"),
        (None, ""),
    ],
)
def test_time_left(rate: float | None, left: str) -> None:
    assert state(Tally(read=1200), rate=rate).left == left


def test_nothing_is_left_when_more_was_read_than_announced() -> None:
    assert state(Tally(read=6000)).left == ""
    assert state(Tally(read=6000)).share == 1


def test_short_takes_what_fits() -> None:
    tally = Tally(requests=12, new=1100, changed=3, unchanged=37, read=1200)
    whole = "22 % · 1,100 new, 3 changed, 37 unchanged · 83/s · 50 s left · 0:14 · 12 requests"
    assert state(tally).short(200) == whole
    assert state(tally).short(len(whole) - 1) == whole.removesuffix(" · 12 requests")
    assert state(tally).short(4) == "22 %"
    assert state(tally).short(0) == ""


def test_pace_is_of_the_last_seconds() -> None:
    pace = Pace(window=10)
    assert pace.note(0, 0) is None
    assert pace.note(5, 100) == 20
    assert pace.note(10, 200) == 20
    # The platform stands still: what was read before the window counts no more.
    assert pace.note(15, 200) == 10
    assert pace.note(20, 200) is None


def test_a_log_line_needs_news(caplog: pytest.LogCaptureFixture) -> None:
    display = LogLine("freelancer")
    with caplog.at_level(logging.INFO):
        for requests in (0, 1, 1, 2):
            display.show(state(Tally(requests=requests), rate=None, goal=None))
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "freelancer: 1 request",
        "freelancer: 2 requests",
    ]

"""Times from stamps, and bounds in the past."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.dates import from_unix_seconds, parse_since

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
STAMP = 1_700_000_000
MOMENT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        pytest.param(STAMP, MOMENT, id="int"),
        pytest.param(STAMP + 0.5, MOMENT + timedelta(seconds=0.5), id="float"),
        pytest.param(str(STAMP), MOMENT, id="digits"),
        pytest.param(f" {STAMP}\n", MOMENT, id="digits-in-blanks"),
    ],
)
def test_unix_seconds_are_a_time(stamp: object, moment: datetime) -> None:
    assert from_unix_seconds(stamp) == moment
    assert from_unix_seconds(stamp).tzinfo is UTC


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(value, id=name)
        for name, value in {
            "nothing": None,
            "true": True,
            "false": False,
            "zero": 0,
            "zero-digits": "0",
            "negative": -STAMP,
            "negative-digits": f"-{STAMP}",
            "milliseconds": STAMP * 1000,
            "milliseconds-digits": str(STAMP * 1000),
            "nan": float("nan"),
            "infinity": float("inf"),
            "huge": 10**5000,
            "huge-digits": "9" * 5000,
            "superscript": "²",
            "empty": "",
            "iso": "2026-01-01",
            "list": [STAMP],
        }.items()
    ],
)
def test_what_is_no_time_stamp_is_no_time(stamp: object) -> None:
    assert from_unix_seconds(stamp) is None


@REPEATABLE
@given(stamp=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.integers().map(str))
def test_a_time_stamp_is_never_replaced_by_another_time(stamp: object) -> None:
    moment = from_unix_seconds(stamp)
    assert moment is None or abs(moment.timestamp() - float(stamp)) < 1e-3


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC), id="date"),
        pytest.param("2026-03-01T08:30", datetime(2026, 3, 1, 8, 30, tzinfo=UTC), id="naive-is-utc"),
        pytest.param("2026-03-01T08:30:00Z", datetime(2026, 3, 1, 8, 30, tzinfo=UTC), id="zulu"),
        pytest.param("2026-03-01T08:30+01:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC), id="zone"),
        pytest.param(" 2026-03-01 ", datetime(2026, 3, 1, tzinfo=UTC), id="blanks"),
        pytest.param("45s", NOW - timedelta(seconds=45), id="seconds"),
        pytest.param("30m", NOW - timedelta(minutes=30), id="minutes"),
        pytest.param("2h", NOW - timedelta(hours=2), id="hours"),
        pytest.param("3d", NOW - timedelta(days=3), id="days"),
        pytest.param("1w", NOW - timedelta(weeks=1), id="weeks"),
        pytest.param(" 2 H ", NOW - timedelta(hours=2), id="spelling-of-an-age"),
        pytest.param("0s", NOW, id="now"),
    ],
)
def test_bounds_in_the_past(text: str, moment: datetime) -> None:
    assert parse_since(text, now=NOW) == moment
    assert parse_since(text, now=NOW).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", " ", "yesterday", "2 hours", "-3h", "3", "h", "1.5h", "2y", "2026-13-01", "01.03.2026", "3h 2m"]
)
def test_the_message_says_what_is_accepted(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"neither an ISO time such as 2026-03-01 .* nor an age such as 30m, 2h"
    ) as error:
        parse_since(text, now=NOW)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("text", ["2026-03-15T12:00:01", "2030-01-01", "2026-03-15T12:30+00:00"])
def test_the_future_is_no_bound(text: str) -> None:
    with pytest.raises(ValueError, match="lies in the future"):
        parse_since(text, now=NOW)


@pytest.mark.parametrize(
    "text",
    ["999999w", "9" * 400 + "s", "99999999999999999999d", "9" * 5000 + "h", "0001-01-01T00:00+14:00"],
    ids=["weeks", "endless", "days", "digits", "zone"],
)
def test_no_calendar_reaches_so_far(text: str) -> None:
    with pytest.raises(ValueError, match="longer ago than a calendar reaches"):
        parse_since(text, now=NOW)


@REPEATABLE
@given(text=st.text() | st.from_regex(r"\A\s*-?\d{1,30}\s*[smhdwy]?\Z"))
def test_a_bound_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert parse_since(text, now=NOW) <= NOW

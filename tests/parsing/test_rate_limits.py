"""What answers say of their limits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsourcing_spiders.parsing.rate_limits import Limits, read_limits

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())

_SAID: list[tuple[dict[str, str], Limits]] = [
    ({}, Limits()),
    ({"retry-after": "120"}, Limits(retry_after=120)),
    ({"retry-after": " 1.5 "}, Limits(retry_after=1.5)),
    ({"retry-after": "0"}, Limits(retry_after=0)),
    ({"retry-after": "Sun, 22 Nov 2026 12:02:00 GMT"}, Limits(retry_after=120)),
    ({"retry-after": "Sunday, 22-Nov-26 12:02:00 GMT"}, Limits(retry_after=120)),
    ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, Limits(retry_after=0)),
    ({"retry-after": str(EPOCH + 30)}, Limits(retry_after=30)),
    ({"retry-after": "-5"}, Limits()),
    ({"retry-after": "soon"}, Limits()),
    ({"retry-after": ""}, Limits()),
    # No allowance is granted by the year: another unit, a date that means never.
    ({"retry-after": "86400000"}, Limits(retry_after=32 * 86400.0)),
    ({"retry-after": "Sun, 22 Nov 2099 12:00:00 GMT"}, Limits(retry_after=32 * 86400.0)),
    # Two headers of a name are one list; the comma of a date is part of it.
    ({"retry-after": "30, 30"}, Limits(retry_after=30)),
    ({"retry-after": "5, 120"}, Limits(retry_after=120)),
    ({"retry-after": "5, Sun, 22 Nov 2026 12:02:00 GMT, soon"}, Limits(retry_after=120)),
    ({"retry-after": "Sunday, 22-Nov-26 12:02:00 GMT, Sun, 22 Nov 2026 12:03:00 GMT"}, Limits(retry_after=180)),
    ({"retry-after": "2026-11-22T12:02:00Z"}, Limits(retry_after=120)),
    # As Freelancer.com's documentation shows it.
    (
        {"ratelimit-limit": "50, 50;window=60, 1000;window=3600", "ratelimit-remaining": "45"},
        Limits(remaining=45, windows=((50, 60.0), (1000, 3600.0))),
    ),
    # The draft's later forms.
    ({"ratelimit-policy": '"burst";q=100;w=60,"daily";q=1000;w=86400'}, Limits(windows=((100, 60.0), (1000, 86400.0)))),
    ({"ratelimit": '"default";r=50;t=30'}, Limits(remaining=50, reset=30)),
    ({"ratelimit": "limit=100, remaining=0, reset=7"}, Limits(remaining=0, reset=7)),
    ({"ratelimit": "default;r=50;t=30"}, Limits(remaining=50, reset=30)),
    # Of several limits the one that holds longest, wherever it stands.
    ({"ratelimit": '"burst";r=0;t=2, "day";r=10;t=9000'}, Limits(remaining=0, reset=2)),
    ({"ratelimit": '"day";r=10;t=9000, "burst";r=0;t=2'}, Limits(remaining=0, reset=2)),
    ({"ratelimit": '"burst";r=0;t=2, "day";r=0;t=9000'}, Limits(remaining=0, reset=9000)),
    ({"ratelimit": '"day";r=0;t=9000, "burst";r=0'}, Limits(remaining=0, reset=9000)),
    ({"ratelimit": '"a";r=3, "b, c";t=9;r=1;pk=:dGVz:'}, Limits(remaining=1, reset=9)),
    # What others send.
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "15"}, Limits(remaining=0, reset=15)),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 90)}, Limits(remaining=0, reset=90)),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{EPOCH + 90}000"}, Limits(remaining=0, reset=90)),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{EPOCH + 90}000000"}, Limits(remaining=0, reset=90)),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{EPOCH + 90}{'0' * 9}"}, Limits(remaining=0, reset=90)),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH * 10)}, Limits(remaining=0)),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 40}, Limits(remaining=0)),
    ({"x-rate-limit-remaining": "3", "x-rate-limit-reset": "1"}, Limits(remaining=3, reset=1)),
    ({"x-ratelimit-remaining": "7, 100"}, Limits(remaining=7)),
    ({"x-ratelimit-remaining": "7;w=60"}, Limits(remaining=7)),
    ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "9"}, Limits(remaining=0, reset=9)),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-9"}, Limits(remaining=0)),
    # Moments and spans, not the number with which they begin.
    ({"x-ratelimit-reset": "2026-11-22T12:00:02Z"}, Limits(reset=2)),
    ({"x-ratelimit-reset": "2026-11-22T13:00:02.500+01:00"}, Limits(reset=2.5)),
    ({"x-ratelimit-reset": "2026-11-22 12:00:02"}, Limits(reset=2)),
    ({"x-ratelimit-reset": "Sun, 22 Nov 2026 12:00:02 GMT"}, Limits(reset=2)),
    ({"x-ratelimit-reset": "2027-11-22T12:00:00Z"}, Limits()),
    ({"x-ratelimit-reset": "2026"}, Limits(reset=2026)),
    ({"x-ratelimit-reset": "1m30s"}, Limits(reset=90)),
    ({"x-ratelimit-reset": "2h0m1.5s"}, Limits(reset=7201.5)),
    ({"x-ratelimit-reset": "250ms"}, Limits(reset=0.25)),
    ({"x-ratelimit-reset": "1 apple"}, Limits()),
    ({"x-ratelimit-remaining": "unlimited", "x-ratelimit-reset": "never"}, Limits()),
    ({"ratelimit-remaining": "0", "ratelimit-limit": "9;window=999999999999"}, Limits(remaining=0)),
    ({"ratelimit-limit": "0;window=60, 5;window=0, -1;window=3"}, Limits()),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "limits"), _SAID, ids=str)
def test_what_is_said_is_read(headers: dict[str, str], limits: Limits) -> None:
    assert read_limits(headers, now=NOW) == limits


@pytest.mark.parametrize(
    ("limits", "rest"),
    [
        (Limits(), None),
        (Limits(remaining=1, reset=30), None),
        (Limits(remaining=0, reset=30), 30),
        (Limits(remaining=0, reset=30, windows=((50, 60.0),)), 30),
        (Limits(remaining=0, windows=((1000, 3600.0), (50, 60.0))), 60),
        (Limits(remaining=0), None),
        (Limits(retry_after=2), 2),
        (Limits(retry_after=2, remaining=0), 2),
        (Limits(retry_after=2, remaining=0, reset=30), 2),
    ],
    ids=str,
)
def test_the_rest_that_is_asked_for_is_known(limits: Limits, rest: float | None) -> None:
    assert limits.rest == rest


NAMES = ["retry-after", "ratelimit", "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset",
         "x-ratelimit-reset"]  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.from_regex(r'[0-9;=,"wqrt .-]{0,100}', fullmatch=True))


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS))
def test_nothing_raises_and_no_wait_is_negative(headers: dict[str, str]) -> None:
    limits = read_limits(headers, now=NOW)
    assert limits.retry_after is None or limits.retry_after >= 0
    assert limits.reset is None or limits.reset >= 0
    assert limits.rest is None or limits.rest >= 0
    assert all(requests > 0 and seconds > 0 for requests, seconds in limits.windows)

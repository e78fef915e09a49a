"""Times in every form that platforms write, and bounds in the past."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.dates import (
    CLOCK_SKEW,
    UNKNOWN,
    from_unix_seconds,
    parse_deadline,
    parse_since,
    parse_time,
)
from outsourcing_spiders.parsing.time_words import LANGUAGES, time_words

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


# The day of an answer, a Monday, at 06:30 UTC: in Seoul and Tokyo the afternoon of the same day.
ANSWERED = datetime(2026, 10, 5, 6, 30, tzinfo=UTC)
ZONES = {
    "en": UTC,
    "ko": ZoneInfo("Asia/Seoul"),
    "ja": ZoneInfo("Asia/Tokyo"),
    "zh": ZoneInfo("Asia/Shanghai"),
    "es": ZoneInfo("America/Argentina/Buenos_Aires"),
    "pt": ZoneInfo("America/Sao_Paulo"),
    "fr": ZoneInfo("Europe/Paris"),
    "de": ZoneInfo("Europe/Berlin"),
    "ru": ZoneInfo("Europe/Moscow"),
    "uk": ZoneInfo("Europe/Kyiv"),
    "us": ZoneInfo("America/New_York"),
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(parser: Any, value: object, language: str, **more: Any) -> tuple[datetime | None, str]:
    languages = ("en",) if language == "us" else (language,)
    moment = parser(value, answered_at=ANSWERED, zone=ZONES[language], languages=languages, **more)
    assert moment.at is None or moment.at.tzinfo is UTC
    return moment


# What is written, in which language (which decides the zone here), the time in UTC, and its precision.
POSTED = {
    "iso-naive-utc": ("2026-09-16 18:39:37", "en", "2026-09-16T18:39:37", "exact"),
    "iso-naive-seoul": ("2026-10-01 11:30:33", "ko", "2026-10-01T02:30:33", "exact"),
    "iso-naive-moscow": ("2026-09-25 16:46:07", "ru", "2026-09-25T13:46:07", "exact"),
    "iso-zulu-milliseconds": ("2026-09-16T18:39:37.123Z", "ko", "2026-09-16T18:39:37.123", "exact"),
    "iso-offset": ("2026-07-16T15:38:04+02:00", "ko", "2026-07-16T13:38:04", "exact"),
    "iso-offset-tokyo": ("2026-09-04T09:53:19+09:00", "en", "2026-09-04T00:53:19", "exact"),
    "iso-offset-west": ("2026-09-04T09:53:19-0430", "en", "2026-09-04T14:23:19", "exact"),
    "iso-named-zone": ("2026-09-16 18:39:37 UTC", "ko", "2026-09-16T18:39:37", "exact"),
    "iso-minutes": ("2026-09-16 18:39", "en", "2026-09-16T18:39", "minute"),
    "iso-date": ("2026-08-31", "ko", "2026-08-30T15:00", "day"),
    "iso-seven-digits": ("2025-02-14T00:00:00.0000000+00:00", "us", "2025-02-14T00:00", "day"),
    "iso-in-words": ("Posted: 2026-09-16T18:39:37Z", "en", "2026-09-16T18:39:37", "exact"),
    "stamp-seconds": (1789584228, "ko", "2026-09-16T18:43:48", "exact"),
    "stamp-milliseconds": (1789584228635, "ko", "2026-09-16T18:43:48.635", "exact"),
    "stamp-digits": ("1789584228", "ko", "2026-09-16T18:43:48", "exact"),
    "stamp-millisecond-digits": ("1789584228635", "ko", "2026-09-16T18:43:48.635", "exact"),
    "rfc-822": ("Thu, 16 Jul 2026 17:15:33 +0200", "en", "2026-07-16T15:15:33", "exact"),
    "rfc-822-minutes": ("16 Jul 26 17:15 +0200", "en", None, "unknown"),
    "rfc-822-no-seconds": ("16 Jul 2026 17:15 +0200", "en", "2026-07-16T15:15", "minute"),
    "rfc-822-gmt": ("Fri, 25 Sep 2026 16:28:00 GMT", "ko", "2026-09-25T16:28", "exact"),
    "rfc-822-moscow": ("Fri, 25 Sep 2026 16:28:05 +0300", "ru", "2026-09-25T13:28:05", "exact"),
    "rfc-822-other-month": ("Fri, 25 Sét 2026 16:28:05 +0300", "ru", None, "unknown"),
    "rfc-822-gmt-english": ("Fri, 25 Sep 2026 16:28:00 GMT", "us", "2026-09-25T16:28", "exact"),
    "guru-minutes": ("27 mins ago", "us", "2026-10-05T06:03", "minute"),
    "guru-hours": ("3 hrs ago", "us", "2026-10-05T03:30", "hour"),
    "guru-date": ("on Feb 22, 2026", "us", "2026-02-22T05:00", "day"),
    "upwork-seconds": ("33 seconds ago", "en", "2026-10-05T06:29:27", "minute"),
    "upwork-yesterday": ("yesterday", "en", "2026-10-04T00:00", "day"),
    "upwork-weeks": ("2 weeks ago", "en", "2026-09-21T06:30", "day"),
    "upwork-last-week": ("last week", "en", None, "unknown"),
    "upwork-last-month": ("last month", "en", None, "unknown"),
    "upwork-feed": ("March 01, 2024 10:00 UTC", "us", "2024-03-01T10:00", "minute"),
    "workana-now": ("Just now", "en", "2026-10-05T06:30", "hour"),
    "workana-hours": ("3 hours ago", "en", "2026-10-05T03:30", "hour"),
    "workana-yesterday": ("Yesterday", "en", "2026-10-04T00:00", "day"),
    "workana-spanish": ("Hace 3 horas", "es", "2026-10-05T03:30", "hour"),
    "workana-spanish-yesterday": ("Ayer", "es", "2026-10-04T03:00", "day"),
    "workana-portuguese": ("Há 2 dias", "pt", "2026-10-03T06:30", "day"),
    "workana-portuguese-yesterday": ("Ontem", "pt", "2026-10-04T03:00", "day"),
    "peopleperhour-seconds": ("a few seconds ago", "en", "2026-10-05T06:30", "minute"),
    "peopleperhour-minute": ("a minute ago", "en", "2026-10-05T06:29", "minute"),
    "peopleperhour-hour": ("an hour ago", "en", "2026-10-05T05:30", "hour"),
    "peopleperhour-day": ("a day ago", "en", "2026-10-04T06:30", "day"),
    "freelancer-page": ("6 days ago", "en", "2026-09-29T06:30", "day"),
    "wishket-date": ("등록일자 2026.08.05.", "ko", "2026-08-04T15:00", "day"),
    "wishket-bullet": ("· 등록일자 2026.08.05.", "ko", "2026-08-04T15:00", "day"),
    "korean-hours": ("3시간 전", "ko", "2026-10-05T03:30", "hour"),
    "korean-joined": ("3시간전", "ko", "2026-10-05T03:30", "hour"),
    "korean-two-units": ("2주 2일 전", "ko", "2026-09-19T06:30", "day"),
    "korean-today": ("오늘", "ko", "2026-10-04T15:00", "day"),
    "korean-yesterday": ("어제", "ko", "2026-10-03T15:00", "day"),
    "korean-now": ("방금 전", "ko", "2026-10-05T06:30", "hour"),
    "korean-clock": ("오늘 오후 2:30", "ko", "2026-10-05T05:30", "minute"),
    "coconala-title": ("2026年9月4日 金曜日 11:02", "ja", "2026-09-04T02:02", "minute"),
    "coconala-hours": ("1時間前", "ja", "2026-10-05T05:30", "hour"),
    "japanese-yesterday": ("昨日", "ja", "2026-10-03T15:00", "day"),
    "full-width": ("３日前", "ja", "2026-10-02T06:30", "day"),
    "kwork-day": ("24 августа", "ru", "2026-08-23T21:00", "day"),
    "kwork-day-of-last-year": ("24 декабря", "ru", "2025-12-23T21:00", "day"),
    "freelance-ru": ("25.09.2026 19:28", "ru", "2026-09-25T16:28", "minute"),
    "russian-hours": ("3 часа назад", "ru", "2026-10-05T03:30", "hour"),
    "russian-clock": ("вчера в 12:30", "ru", "2026-10-04T09:30", "minute"),
    "german-hours": ("vor 3 Stunden", "de", "2026-10-05T03:30", "hour"),
    "german-one": ("vor einem Tag", "de", "2026-10-04T06:30", "day"),
    "german-date": ("veröffentlicht am 4. September 2026 um 11:02 Uhr", "de", "2026-09-04T09:02", "minute"),
    "french-days": ("il y a 2 jours", "fr", "2026-10-03T06:30", "day"),
    "french-today": ("aujourd’hui", "fr", "2026-10-04T22:00", "day"),
    "chinese-minutes": ("5分钟前", "zh", "2026-10-05T06:25", "minute"),
    "ukrainian-hours": ("2 години тому", "uk", "2026-10-05T04:30", "hour"),
    "spanish-date": ("22 de febrero de 2026", "es", "2026-02-22T03:00", "day"),
    "english-day-first": ("22nd of February 2026", "en", "2026-02-22T00:00", "day"),
    "clock-of-twelve": ("today at 5:30 AM", "en", "2026-10-05T05:30", "minute"),
    "midnight-of-twelve": ("Oct 5, 2026 12:05 am", "en", "2026-10-05T00:05", "minute"),
    "two-units": ("2 hours 5 minutes ago", "en", "2026-10-05T04:25", "minute"),
    "about": ("about 3 hours ago", "en", "2026-10-05T03:30", "hour"),
    "labelled": ("Posted 3 hours ago", "en", "2026-10-05T03:30", "hour"),
    "slashes-unsure": ("08/10/2026 02:16:35 GMT", "en", None, "unknown"),
    "slashes-by-language": ("02/10/2026 02:16:35 GMT", "es", "2026-10-02T02:16:35", "exact"),
    "slashes-clear": ("25/09/2026", "en", "2026-09-25T00:00", "day"),
    "slashes-clear-month-first": ("09/25/2026", "en", "2026-09-25T00:00", "day"),
}

NO_POSTING = {
    "nothing": None,
    "true": True,
    "empty": "",
    "word": "VERIFIED",
    "deadline": "6 days left",
    "deadline-date": "Send before Oct 19, 2026",
    "deadline-ends": "Ends in 20 hours",
    "bare-span": "3 hours",
    "future-span": "in 3 hours",
    "more-than": "30+ days ago",
    "no-number": "days ago",
    "no-unit": "3 ago",
    "negative": "-3 hours ago",
    "fraction": "1.5 hours ago",
    "a-few": "a few days ago",
    "months": "3 months ago",
    "years": "a year ago",
    "two-dates": "Oct 1 - Oct 3, 2026",
    "two-days": "today yesterday",
    "other-number": "2026-10-01 (3 bids)",
    "unknown-word": "3 hours agone",
    "unknown-zone": "2026-10-01 10:00 IST",
    "no-such-day": "31 Feb 2026",
    "no-such-iso-day": "2026-02-30",
    "no-such-month": "2026-13-01",
    "no-such-hour": "2026-10-01 25:00",
    "no-such-half": "Oct 1, 2026 13:00 PM",
    "year-zero": "0000-00-00 00:00:00",
    "placeholder": "0001-01-01T00:00:00Z",
    "epoch": 0,
    "epoch-text": "1970-01-01 00:00:00",
    "future": "2026-10-07",
    "tomorrow": "tomorrow",
    "hours-of-work": "2026-10-01 (10:00-12:00)",
    "far-future": "2099-01-01",
    "too-long-ago": "99999 weeks ago",
    "huge": "9" * 30 + " hours ago",
    "clock-alone": "14:30",
    "month-alone": "October 2026",
    "nan": float("nan"),
    "infinite": float("inf"),
    "huge-number": 10**400,
    "list": ["2026-10-01"],
}


@pytest.mark.parametrize(("value", "language", "at", "precision"), POSTED.values(), ids=POSTED)
def test_times_of_posting(value: object, language: str, at: str | None, precision: str) -> None:
    assert read(parse_time, value, language) == (at and utc(at), precision)


@pytest.mark.parametrize("value", NO_POSTING.values(), ids=NO_POSTING)
def test_what_cannot_be_read_is_unknown_and_not_now(value: object) -> None:
    assert read(parse_time, value, "en") == UNKNOWN


@pytest.mark.parametrize(
    "text",
    ["마감 2주 2일 전", "D-15일", "D-DAY", "오늘 마감", "모집 마감일 2026.10.01", "마감 임박", "하루이틀", "1개월 전"],
)
def test_no_korean_deadline_is_a_posting(text: str) -> None:
    assert read(parse_time, text, "ko") == UNKNOWN


def test_clocks_may_differ_by_a_day() -> None:
    assert read(parse_time, "2026-10-05 20:00", "en").at == utc("2026-10-05T20:00")
    assert read(parse_time, (ANSWERED + CLOCK_SKEW).isoformat(), "en").at == ANSWERED + CLOCK_SKEW
    assert read(parse_time, (ANSWERED + CLOCK_SKEW + timedelta(seconds=1)).isoformat(), "en") == UNKNOWN


DEADLINES = {
    "guru": ("Send before Oct 19, 2026", "us", "2026-10-20T03:59:59", "day"),
    "freelancer-days": ("6 days left", "en", "2026-10-11T23:59:59", "day"),
    "freelancer-hours": ("Ends in 20 hours", "en", "2026-10-06T02:30", "hour"),
    "freelancer-stamp": (1791584228635, "en", "2026-10-09T22:17:08.635", "exact"),
    "wishket-span": ("마감 2주 2일 전", "ko", "2026-10-21T14:59:59", "day"),
    "wishket-weeks": ("마감 2주 전", "ko", "2026-10-19T14:59:59", "day"),
    "wishket-hours": ("마감 3시간 전", "ko", "2026-10-05T09:30", "hour"),
    "wishket-date": ("2026년 10월 16일", "ko", "2026-10-16T14:59:59", "day"),
    "wishket-labelled": ("모집 마감일 2026년 10월 16일", "ko", "2026-10-16T14:59:59", "day"),
    "wishket-json-ld": ("2026-09-07T23:59", "ko", "2026-09-07T14:59", "minute"),
    "freemoa-date": ("2026-10-17", "ko", "2026-10-17T14:59:59", "day"),
    "freemoa-stamp": ("1792076399", "ko", "2026-10-15T14:59:59", "exact"),
    "freemoa-days": ("D-15일", "ko", "2026-10-20T14:59:59", "day"),
    "freemoa-short": ("D-15", "ko", "2026-10-20T14:59:59", "day"),
    "freemoa-today": ("D-DAY", "ko", "2026-10-05T14:59:59", "day"),
    "freemoa-over": ("D+2", "ko", "2026-10-03T14:59:59", "day"),
    "korean-today": ("오늘 마감", "ko", "2026-10-05T14:59:59", "day"),
    "lancers-days": ("あと6日", "ja", "2026-10-11T14:59:59", "day"),
    "lancers-today": ("本日締切", "ja", "2026-10-05T14:59:59", "day"),
    "coconala-twice": ("あと7日（10月12日まで）", "ja", "2026-10-12T14:59:59", "day"),
    "crowdworks": ("2026-09-10", "ja", "2026-09-10T14:59:59", "day"),
    "end-of-day": ("2026-10-01 24:00", "ja", "2026-10-01T15:00", "minute"),
    "kwork-left": ("10 ч. 18 мин.", "ru", "2026-10-05T16:48", "minute"),
    "kwork-stamp": ("2026-09-25 16:46:07", "ru", "2026-09-25T13:46:07", "exact"),
    "day-of-next-year": ("до 3 января", "ru", "2027-01-03T20:59:59", "day"),
    "day-just-past": ("до 3 октября", "ru", "2026-10-03T20:59:59", "day"),
    "german": ("noch 3 Tage", "de", "2026-10-08T21:59:59", "day"),
    "tomorrow": ("closes tomorrow", "en", "2026-10-06T23:59:59", "day"),
    "over": ("closed 3 hours ago", "en", None, "unknown"),
    "ended": ("ended 3 hours ago", "en", None, "unknown"),
    "past": ("3 hours ago", "en", "2026-10-05T03:30", "hour"),
    "japanese-over": ("募集終了", "ja", None, "unknown"),
    "month": ("1 month left", "en", None, "unknown"),
    "start": ("ab sofort", "de", None, "unknown"),
    "now": ("now", "en", None, "unknown"),
}


@pytest.mark.parametrize(("value", "language", "at", "precision"), DEADLINES.values(), ids=DEADLINES)
def test_deadlines(value: object, language: str, at: str | None, precision: str) -> None:
    assert read(parse_deadline, value, language) == (at and utc(at), precision)


def test_a_day_has_the_length_that_its_zone_gives_it() -> None:
    # In Berlin clocks go back on the 25th of October 2026.
    berlin = {"answered_at": ANSWERED, "zone": ZONES["de"], "languages": ("de",)}
    assert parse_deadline("24.10.2026", **berlin).at == utc("2026-10-24T21:59:59")
    assert parse_deadline("25.10.2026", **berlin).at == utc("2026-10-25T22:59:59")


def test_the_29th_of_february_is_in_a_year_that_has_it() -> None:
    answered = datetime(2028, 3, 1, tzinfo=UTC)
    assert parse_time("29 Feb", answered_at=answered, zone=UTC).at == utc("2028-02-29T00:00")
    assert read(parse_time, "29 Feb", "en") == UNKNOWN
    assert read(parse_deadline, "29 Feb", "en") == UNKNOWN


def test_what_the_caller_knows_settles_slashes() -> None:
    assert read(parse_time, "08/09/2026", "en", day_first=True).at == utc("2026-09-08T00:00")
    assert read(parse_time, "08/09/2026", "en", day_first=False).at == utc("2026-08-09T00:00")


def test_several_languages_are_read_at_once() -> None:
    both = {"answered_at": ANSWERED, "zone": UTC, "languages": ("en", "ko")}
    assert parse_time("3 hours ago", **both) == parse_time("3시간 전", **both)
    assert parse_time("3 hours ago", **both).at == utc("2026-10-05T03:30")
    assert parse_time("3 hours ago", **(both | {"languages": ("ko",)})) == UNKNOWN


def test_mistakes_of_the_caller_are_told() -> None:
    with pytest.raises(ValueError, match="answered_at names no zone"):
        parse_time("today", answered_at=ANSWERED.replace(tzinfo=None), zone=UTC)
    with pytest.raises(ValueError, match="no words of time for tlh; there are those of en, ko"):
        parse_time("today", answered_at=ANSWERED, zone=UTC, languages=("en", "tlh"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_units_and_months(language: str) -> None:
    words, row = time_words((language,)), LANGUAGES[language]
    assert set(words.months.values()) in (set(range(1, 13)), set())
    behind = (row.ago or row.before).split(", ")[0]
    for names, unit in ((row.minutes, timedelta(minutes=1)), (row.hours, timedelta(hours=1)), (row.days, timedelta(1))):
        for name in names.split(", "):
            for text in (f"3 {name} {behind}", f"{behind} 3 {name}"):
                assert read(parse_time, text, language).at == ANSWERED - 3 * unit, text
    for name in row.yesterday.split(", "):
        assert read(parse_time, name, language).precision == "day"


WORDS = (
    "2026-09-16 18:39:37 12:61 1789584228 3 45 99999 2026.08.05. 25.09.2026 31 Feb 29 Oct , 2026 ago left in last "
    "week weeks hours a few month yesterday today just now 마감 전 시간 일 주 D-15 D-DAY あと 6 日 前 年 月 "
    "까지 GMT +0200 PM - : ( )"
)
PIECES = st.lists(st.sampled_from(WORDS.split()), max_size=8).flatmap(
    lambda words: st.sampled_from([" ".join(words), "".join(words)])
)
VALUES = st.text(max_size=40) | PIECES | st.integers() | st.floats() | st.none()
ANSWERS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SOME_ZONES = st.sampled_from(list(ZONES.values()))


@REPEATABLE
@given(value=VALUES, answered_at=ANSWERS, zone=SOME_ZONES, languages=st.sampled_from([("en",), ("ko", "en"), ("ja",)]))
def test_no_value_becomes_a_time_that_it_does_not_say(
    value: Any, answered_at: datetime, zone: ZoneInfo, languages: tuple[str, ...]
) -> None:
    known = {"answered_at": answered_at, "zone": zone, "languages": languages}
    posted, deadline = parse_time(value, **known), parse_deadline(value, **known)
    for moment in (posted, deadline):
        assert (moment.at is None) == (moment.precision == "unknown")
        assert moment.at is None or moment.at.tzinfo is UTC
    assert posted.at is None or posted.at <= answered_at + CLOCK_SKEW
    if isinstance(value, str) and "now" not in value.casefold() and "방금" not in value and "지금" not in value:
        spans_of_nothing = any(character.isdigit() for character in value)
        assert posted.at != answered_at or spans_of_nothing


@REPEATABLE
@given(at=st.datetimes(datetime(1996, 1, 1), datetime(2089, 1, 1)), zone=SOME_ZONES)  # noqa: DTZ001
def test_a_written_time_comes_back(at: datetime, zone: ZoneInfo) -> None:
    aware = at.replace(tzinfo=zone).astimezone(UTC)
    known = {"answered_at": datetime(2090, 1, 1, tzinfo=UTC), "zone": zone}
    second = aware.replace(microsecond=0)
    assert parse_time(at.isoformat(), **known).at == aware
    assert parse_time(at.strftime("%Y-%m-%d %H:%M:%S"), **known).at == second
    assert parse_time(at.strftime("%b %d, %Y %H:%M:%S"), **known).at == second
    assert parse_time(aware.strftime("%a, %d %b %Y %H:%M:%S +0000"), **known).at == second
    assert parse_time(aware.timestamp(), **known).at - aware < timedelta(milliseconds=1)


@pytest.mark.parametrize("unit", ["1", "1 ", "2026-", "2026.10.01 ", "a ", "전", "1일", "1:00 ", "Oct ", "\u00a0", "("])
def test_long_texts_take_no_long_time(unit: str) -> None:
    for length in (199, 100_000):
        began = process_time()
        read(parse_time, (unit * length)[:length], "en")
        read(parse_deadline, "x" + (unit * length)[: length - 1], "ko")
        assert process_time() - began < 0.1

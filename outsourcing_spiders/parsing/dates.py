"""Read times: everything that comes out is aware and in UTC; what cannot be read for certain is unknown."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

from outsourcing_spiders.items import Precision
from outsourcing_spiders.parsing.date_statements import CalendarDate, Day, Span, Statement, read_statement
from outsourcing_spiders.parsing.money import int_or_none
from outsourcing_spiders.parsing.time_words import TimeWords, time_words

_AGE = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# Times outside these years are a wrong unit or a placeholder, not a time of a project.
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = EARLIEST.timestamp(), LATEST.timestamp()
WHOLE = "-infinity"
"""How far back a listing is known that was read to its end, as PostgreSQL writes the earliest of times."""
_LONGEST = 20
CLOCK_SKEW = timedelta(days=1)
"""How far in the future a posting may be: clocks differ, and so do readings of a time without a zone."""

_END_OF_DAY = time(23, 59, 59)
_LONGEST_TEXT = 200
_STAMP = re.compile(r"[0-9]{9,13}(?:\.[0-9]{1,6})?")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([01][0-9]|2[0-3]):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r" ?(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
# As feeds write a time, whatever the language of the platform.
_RFC_822 = re.compile(
    r"(?:[A-Z][a-z]{2}, )?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}(?::[0-9]{2})? (?:GMT|UTC|[+-][0-9]{4})"
)


class Moment(NamedTuple):
    """A time and how exact it is."""

    at: datetime | None
    """Aware, UTC; ``None`` when unknown. Of a date without a time, the start of the day, or the end for a deadline."""
    precision: Precision


UNKNOWN = Moment(None, "unknown")


def parse_time(
    value: object,
    *,
    answered_at: datetime,
    zone: tzinfo,
    languages: tuple[str, ...] = ("en",),
    day_first: bool | None = None,
) -> Moment:
    """Read the time at which something was posted, in any form that platforms write or send.

    A text, or a number of seconds or milliseconds since 1970. Times without a zone are in `zone`, relative ones
    ("3 hours ago") count from `answered_at`, which is the answer's ``Date`` header, aware. `languages` are those
    of the text (`time_words.LANGUAGES`); `day_first` settles 08/10/2026 where they do not.

    Unknown is what can be read in two ways, lies more than `CLOCK_SKEW` in the future, is a deadline, or says too
    little: of "last month" the day is not known. Raises `ValueError` for a naive `answered_at` or a language
    without words, whatever the value.
    """
    return _parse(value, answered_at, zone, languages, day_first, deadline=False)


def parse_deadline(
    value: object,
    *,
    answered_at: datetime,
    zone: tzinfo,
    languages: tuple[str, ...] = ("en",),
    day_first: bool | None = None,
) -> Moment:
    """Read the time at which something ends; like `parse_time`, but what is relative lies ahead unless it says "ago".

    A date, or a number of days ("6 days left", "D-15", "마감 2주 전"), means the end of that day in `zone`.
    """
    return _parse(value, answered_at, zone, languages, day_first, deadline=True)


def from_unix_seconds(value: object) -> datetime | None:
    """Return the time of a Unix time stamp in seconds (number or digits); ``None`` when it is none."""
    if isinstance(value, str) and len(value) <= _LONGEST and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not _EARLIEST <= value <= _LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)


def days_after(start: datetime | None, days: object) -> datetime | None:
    """Return the time so many whole days (number or digits) after `start`; ``None`` for unknown ones, and for none."""
    number = int_or_none(days)
    try:
        return start + timedelta(days=number) if start and number else None
    except OverflowError:
        return None


def parse_since(text: str, *, now: datetime) -> datetime:
    """Read a bound in the past: an ISO 8601 time (UTC when it names no zone) or an age such as ``2h``, ``3d``.

    Units: ``s``, ``m`` (minutes), ``h``, ``d``, ``w``. Raises `ValueError` saying what is accepted.
    """
    try:
        moment = _moment(text.strip(), now)
    except OverflowError:
        raise ValueError(f"{text!r} is longer ago than a calendar reaches") from None
    except ValueError:
        raise ValueError(
            f"{text!r} is neither an ISO time such as 2026-03-01 or 2026-03-01T08:00+01:00 "
            "nor an age such as 30m, 2h, 3d or 1w"
        ) from None
    if moment > now:
        raise ValueError(f"{text!r} lies in the future")
    return moment


def _moment(text: str, now: datetime) -> datetime:
    if age := _AGE.fullmatch(text.lower()):
        # A float of too many digits is infinite, which no age can be.
        return now - timedelta(**{_UNITS[age[2]]: float(age[1])})
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _parse(
    value: object,
    answered_at: datetime,
    zone: tzinfo,
    languages: tuple[str, ...],
    day_first: bool | None,
    *,
    deadline: bool,
) -> Moment:
    if answered_at.tzinfo is None:
        raise ValueError("answered_at names no zone")
    words = time_words(languages)
    try:
        at, precision = _read(value, answered_at, zone, words, day_first, deadline)
    except (OverflowError, ValueError):
        # No calendar has such a time: the 31st of February, the year 0, 99,999 weeks ago.
        return UNKNOWN
    if at is None or not EARLIEST <= at <= LATEST or (not deadline and at > answered_at + CLOCK_SKEW):
        return UNKNOWN
    return Moment(at, precision)


def _read(
    value: object,
    answered_at: datetime,
    zone: tzinfo,
    words: TimeWords,
    day_first: bool | None,
    deadline: bool,
) -> Moment:
    if not isinstance(value, str):
        return _from_stamp(value)
    text = value.strip()
    if not text or len(text) > _LONGEST_TEXT:
        return UNKNOWN
    if iso := _ISO.fullmatch(text):
        return _from_iso(iso, zone, deadline)
    if _STAMP.fullmatch(text):
        return _from_stamp(float(text))
    if _RFC_822.fullmatch(text):
        words = time_words(("en",))
    statement = read_statement(text, words, day_first)
    if statement is None or (statement.deadline and not deadline):
        return UNKNOWN
    if deadline and isinstance(statement, Span) and statement.past and not statement.seconds:
        # "Just now" is when something was posted.
        return UNKNOWN
    return _at(statement, answered_at, zone, deadline)


def _from_stamp(value: object) -> Moment:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return UNKNOWN
    # No time of a project is in the range of both units.
    if _EARLIEST * 1000 <= value <= _LATEST * 1000:
        value /= 1000
    return Moment(at, "exact") if (at := from_unix_seconds(value)) else UNKNOWN


def _from_iso(iso: re.Match[str], zone: tzinfo, deadline: bool) -> Moment:
    year, month, day, hour, minute, second, fraction, offset = iso.groups()
    if hour is None:
        return _of_day(date(int(year), int(month), int(day)), zone, deadline)
    microsecond = int(fraction[:6].ljust(6, "0")) if fraction else 0
    at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microsecond, zone)
    if offset is not None:
        at = at.replace(tzinfo=_zone(offset))
    if not (at.hour or at.minute or at.second or microsecond):
        # Midnight sharp is how machines write a date; which zone's midnight it is, they say or do not.
        return Moment(at.astimezone(UTC), "day")
    return Moment(at.astimezone(UTC), "minute" if second is None else "exact")


def _zone(offset: str) -> tzinfo:
    if offset[0] not in "+-":
        return UTC
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]) if len(offset) > 3 else 0)
    return timezone(-ahead if offset[0] == "-" else ahead)


def _at(statement: Statement, answered_at: datetime, zone: tzinfo, deadline: bool) -> Moment:
    if isinstance(statement, Span):
        if statement.past:
            at = answered_at.astimezone(UTC) - timedelta(seconds=statement.seconds)
        elif deadline:
            at = answered_at.astimezone(UTC) + timedelta(seconds=statement.seconds)
        else:
            return UNKNOWN
        if deadline and statement.precision == "day":
            return _of_day(at.astimezone(zone).date(), zone, deadline)
        return Moment(at, statement.precision)
    today = answered_at.astimezone(zone).date()
    if isinstance(statement, Day):
        if statement.days > 0 and not deadline:
            return UNKNOWN
        day = today + timedelta(days=statement.days)
    else:
        day = _calendar_day(statement, today, deadline)
    clock = statement.clock
    if clock is None:
        return _of_day(day, zone, deadline)
    # Some write the end of a day as 24:00.
    late = clock.hour == 24 and not (clock.minute or clock.second or clock.microsecond)
    moment = time(0 if late else clock.hour, clock.minute, clock.second, clock.microsecond)
    at = datetime.combine(day, moment, zone if clock.offset is None else timezone(clock.offset))
    return Moment((at + timedelta(days=late)).astimezone(UTC), clock.precision)


def _of_day(day: date, zone: tzinfo, deadline: bool) -> Moment:
    return Moment(datetime.combine(day, _END_OF_DAY if deadline else time(), zone).astimezone(UTC), "day")


def _calendar_day(stated: CalendarDate, today: date, deadline: bool) -> date:
    """Return the date; without a year, the last such day for a posting and the nearest for a deadline."""
    if stated.year is not None:
        return date(stated.year, stated.month, stated.day)
    days = []
    for year in (today.year - 1, today.year, today.year + 1):
        # The 29th of February is not in every year.
        with suppress(ValueError):
            days.append(date(year, stated.month, stated.day))
    if deadline:
        return min(days, key=lambda day: abs(day - today))
    return max(day for day in days if day <= today + CLOCK_SKEW)

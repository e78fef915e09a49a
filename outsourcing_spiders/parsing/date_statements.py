"""Read what a short text says of a time, before it is known what today is: a date, a day, or a span from now."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from outsourcing_spiders.items import Precision
from outsourcing_spiders.parsing.time_words import DAY, HOUR, UNCERTAIN, Role, TimeWords
from outsourcing_spiders.parsing.words import plain

# dateparser knows more languages, and was the first thing tried. Of the forms that the platforms write, it leaves those
# with a label and those of time left unread, or puts "10 ч. 18 мин." of time left into the past; it makes an exact
# second of "last month" and a day of 08/10/2026, whichever way round; and it takes one to two milliseconds a text.


class Clock(NamedTuple):
    """A time of day, and its zone when it names one."""

    hour: int
    minute: int
    second: int
    microsecond: int
    precision: Precision
    offset: timedelta | None


class CalendarDate(NamedTuple):
    """A date, of which the year may be left out."""

    year: int | None
    month: int
    day: int
    clock: Clock | None
    deadline: bool


class Day(NamedTuple):
    """A day counted from today: -1 is yesterday."""

    days: int
    clock: Clock | None
    deadline: bool


class Span(NamedTuple):
    """A span from now, in seconds; `past` is ``None`` when it does not say to which side."""

    seconds: int
    precision: Precision
    past: bool | None
    deadline: bool


Statement = CalendarDate | Day | Span
_YMD = tuple[int | None, int, int]

_WORD = r"[^\W\d_]+"
_YEAR = r"([12][0-9]{3})"
_YEAR_FIRST = re.compile(
    rf"(?<![0-9]){_YEAR}\s*[-./年년]\s*([0-9]{{1,2}})\s*[-./月월]\s*([0-9]{{1,2}})(?![0-9])(?:\s*[日일.])?"
)
_YEAR_LAST = re.compile(rf"(?<![0-9.])([0-9]{{1,2}})([./-])([0-9]{{1,2}})\2{_YEAR}(?![0-9])")
_DAY_NAME = re.compile(
    r"(?<![0-9])([0-9]{1,2})(?:st|nd|rd|th|er|º|\.)?[ -](?:de |of )?"
    rf"({_WORD})\.?,?(?:[ -](?:de |del )?{_YEAR})?(?![0-9:])"
)
_NAME_DAY = re.compile(rf"({_WORD})\.? ([0-9]{{1,2}})(?:st|nd|rd|th)?(?:,? {_YEAR})?(?![0-9:])")
_EAST_ASIAN_DAY = re.compile(r"(?<![0-9])([0-9]{1,2})\s*[月월]\s*([0-9]{1,2})\s*[日일]")
_CLOCK = re.compile(
    r"(오전|오후|午前|午後)?\s*(?<![0-9:])([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(?![0-9:])"
    r"(?:\s*([AaPp])\.?[Mm]\b\.?)?(?:\s*(Z\b|[A-Z]{2,5}\b|МСК|мск))?(?:\s*([+-])([0-9]{2}):?([0-9]{2})?(?![0-9]))?"
)
_EAST_ASIAN_CLOCK = re.compile(
    r"(오전|오후|午前|午後)?\s*(?<![0-9:])([0-9]{1,2})\s*(?:시(?!간)|時(?!間)|点)\s*(?:([0-9]{1,2})\s*[분分])?"
)
_COUNTDOWN = re.compile(r"(?:마감)?\s*:?\s*[Dd] ?([-+]) ?([0-9]{1,4}|[Dd][Aa][Yy])(?: ?일)?")
# Zones that everybody reads alike; CST and IST are not among them.
_ZONES = {
    "Z": 0,
    "UT": 0,
    "UTC": 0,
    "GMT": 0,
    "MSK": 3,
    "МСК": 3,
    "KST": 9,
    "JST": 9,
    "CET": 1,
    "CEST": 2,
    "EST": -5,
    "EDT": -4,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
}
_AFTERNOON = frozenset({"오후", "午後", "P", "p"})
_PUNCTUATION = frozenset(".,:()[]!/|·")
_LONGEST_NUMBER = 5


# A page of projects says "3 hours ago" of many of them.
@lru_cache(maxsize=4096)
def read_statement(text: str, words: TimeWords, day_first: bool | None) -> Statement | None:
    """Return what `text` says of a time; ``None`` when it says nothing, or nothing for certain."""
    text = " ".join(plain(text).split())
    if countdown := _COUNTDOWN.fullmatch(text):
        days = int(countdown[2]) if countdown[2].isdigit() else 0
        return Day(-days if countdown[1] == "+" else days, None, True)
    if not any("0" <= character <= "9" for character in text):
        return _relative(text, None, words)
    if dated := _date(text, words, words.day_first if day_first is None else day_first):
        return _calendar_date(*dated, words)
    told = _clock(text)
    return None if told is None else _relative(told[1], told[0], words)


def _calendar_date(date: _YMD, rest: str, words: TimeWords) -> CalendarDate | None:
    """Return the date, with what the rest of the text says of it."""
    told = _clock(rest)
    if told is None:
        return None
    clock, rest = told
    remark = None
    if any(character.isdigit() for character in rest):
        # "あと7日（9月11日まで）" says it twice; anything else beside a date makes it doubtful.
        remark = _relative(rest, None, words)
        if remark is None or clock is not None:
            return None
    deadline = any(word is not None and word.role is Role.DEADLINE for _, word in words.vocabulary.read(rest))
    return CalendarDate(*date, clock, deadline or (remark is not None and remark.deadline))


def _date(text: str, words: TimeWords, day_first: bool | None) -> tuple[_YMD, str] | None:
    """Return year, month and day, and the text without them."""
    if match := _YEAR_FIRST.search(text):
        return (int(match[1]), int(match[2]), int(match[3])), _without(text, match)
    if match := _YEAR_LAST.search(text):
        first, second = int(match[1]), int(match[3])
        # With dots the day is always first.
        if match[2] != "." and day_first is None:
            if first <= 12 and second <= 12 and first != second:
                return None
            day_first = first > 12 or first == second
        day, month = (first, second) if match[2] == "." or day_first else (second, first)
        return (int(match[4]), month, day), _without(text, match)
    for match in _DAY_NAME.finditer(text):
        if month_named := words.months.get(match[2].casefold()):
            return (_year(match[3]), month_named, int(match[1])), _without(text, match)
    for match in _NAME_DAY.finditer(text):
        if month_named := words.months.get(match[1].casefold()):
            return (_year(match[3]), month_named, int(match[2])), _without(text, match)
    if match := _EAST_ASIAN_DAY.search(text):
        return (None, int(match[1]), int(match[2])), _without(text, match)
    return None


def _clock(text: str) -> tuple[Clock | None, str] | None:
    """Return the time of day in `text`, if there is one, and the text without it; ``None`` when it is doubtful."""
    match = _CLOCK.search(text)
    if match is None:
        match = _EAST_ASIAN_CLOCK.search(text)
        if match is None:
            return None, text
        half, digits, minute = match.groups()
        second = fraction = meridiem = name = sign = hours = minutes = None
    else:
        half, digits, minute, second, fraction, meridiem, name, sign, hours, minutes = match.groups()
    hour = int(digits)
    if half := half or meridiem:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in _AFTERNOON else 0)
    offset = None
    if name is not None:
        if name.upper() not in _ZONES:
            return None
        offset = timedelta(hours=_ZONES[name.upper()])
    if sign:
        if not (second or name or text[match.start(8) - 1].isspace()):
            # "10:00-12:00" is no zone.
            return None
        ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        offset = (offset or timedelta()) + (-ahead if sign == "-" else ahead)
    precision: Precision = "exact" if second else "minute" if minute else "hour"
    microsecond = int((fraction or "")[:6].ljust(6, "0"))
    return Clock(hour, int(minute or 0), int(second or 0), microsecond, precision, offset), _without(text, match)


def _relative(text: str, clock: Clock | None, words: TimeWords) -> Day | Span | None:
    """Read a day or a span, counted from now; every word of the text must be known."""
    seconds, number, one, day = 0, None, False, None
    now: int | None = None
    unit: int | None = None
    roles: set[Role] = set()
    for piece, word in words.vocabulary.read(text):
        if "0" <= piece[0] <= "9":
            if number is not None or len(piece) > _LONGEST_NUMBER:
                return None
            number = int(piece)
            continue
        if word is None:
            if piece not in _PUNCTUATION:
                return None
            continue
        if word.role is Role.UNIT:
            if word.value == UNCERTAIN or (number is None and not one):
                return None
            seconds += word.value * (1 if number is None else number)
            unit = word.value if unit is None else min(unit, word.value)
            number = None
        elif word.role is Role.DAY:
            if day is not None:
                return None
            day = word.value
        elif word.role is Role.NOW:
            now = word.value
        one = word.role is Role.ONE
        roles.add(word.role)
    if number is not None or (unit, day, now).count(None) != 2:
        return None
    if now is not None:
        unit = now
    return _told(roles, seconds, unit, day, clock)


def _told(roles: set[Role], seconds: int, unit: int | None, day: int | None, clock: Clock | None) -> Day | Span | None:
    deadline, ahead = Role.DEADLINE in roles, Role.LEFT in roles
    if day is not None:
        return None if roles & {Role.AGO, Role.BEFORE} else Day(day, clock, deadline or ahead)
    if clock is not None or unit is None:
        return None
    precision: Precision = "day" if unit >= DAY else "hour" if unit == HOUR else "minute"
    if Role.NOW in roles:
        return None if deadline or ahead else Span(0, precision, True, False)
    behind = Role.AGO in roles or (Role.BEFORE in roles and not deadline)
    if ahead and (behind or Role.BEFORE in roles):
        return None
    past = True if behind else False if deadline or ahead else None
    return Span(seconds, precision, past, deadline or ahead)


def _year(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"

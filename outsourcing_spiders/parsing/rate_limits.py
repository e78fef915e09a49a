"""Read what an answer says of its limits: ``Retry-After``, ``RateLimit``, ``RateLimit-*``, ``X-RateLimit-*``.

Sources: RFC 9110 (section 10.2.3); the IETF drafts "RateLimit header fields for HTTP" of 2020 to 2025, in all three
forms that they took; what GitHub and others send under ``X-``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Window = tuple[int, float]
"""A number of requests, and the seconds in which there may be no more."""

_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_RESET = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-after")
_LIMIT = ("ratelimit-limit", "ratelimit-policy", "x-ratelimit-limit", "x-rate-limit-limit")
# Several limits in one header are told as a list, the closest one first; the comma of a date is none between two.
_LIST = re.compile(r"[,;](?!\s*\d{1,2}[ -][a-z]{3})", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,9})?", re.ASCII)
_SPAN = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,9})?)(m?)s)?", re.ASCII)
_POLICY = re.compile(
    r'(?:^|,)\s*(?:(\d{1,12})|"[^"]{0,100}"|[a-z]\w{0,99})\s*((?:;\s*\w+="?[^",;]{0,100}"?\s*)+)',
    re.ASCII | re.IGNORECASE,
)
_PARAMETER = re.compile(r';\s*(\w+)="?(\d{1,12})\b', re.ASCII)
_FIELD = re.compile(r'(?:^|[,;])\s*(remaining|reset)="?(\d{1,12})\b', re.ASCII)
# Seconds since 1970 in 2001, and milliseconds likewise: shorter numbers are seconds from now.
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12
# Allowances are granted by the month at most: what is longer is in another unit, or nonsense.
_LONGEST = 32 * 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer says; ``None`` and empty: it does not say.

    `retry_after`: seconds to wait before the next request. `remaining`: requests that are left until `reset`,
    seconds from now. `windows`: how many requests there may be in how many seconds.
    """

    retry_after: float | None = None
    remaining: int | None = None
    reset: float | None = None
    windows: tuple[Window, ...] = ()

    @property
    def rest(self) -> float | None:
        """Return the seconds of rest that it asks for, if it does; what ``Retry-After`` says comes first."""
        if self.retry_after is not None or self.remaining != 0:
            return self.retry_after
        if self.reset is not None:
            return self.reset
        # It does not say until when. Others may use the same allowance, so the shortest window from now.
        return min((seconds for _, seconds in self.windows), default=None)


def read_limits(headers: Mapping[str, str], *, now: datetime) -> Limits:
    """Return what `headers` (lower-case names) say; `now` is aware, the answer's own Date where it has one.

    What cannot be read says nothing, nor does a limit of more than 32 days; ``Retry-After`` says 32 days at the most.
    Nothing is raised.
    """
    told_remaining, told_reset = _closest_limit(headers.get("ratelimit", ""))
    remaining = _first(headers, _REMAINING, _number)
    if remaining is None:
        remaining = told_remaining
    reset = _first(headers, _RESET, lambda text: _seconds(text, now))
    if reset is None:
        reset = told_reset
    waits = [seconds for text in _items(headers.get("retry-after", "")) if (seconds := _seconds(text, now)) is not None]
    return Limits(
        # Whoever says so wants to be left alone, for however long.
        retry_after=min(max(*waits, 0.0), _LONGEST) if waits else None,
        # Those who count on tell how far beyond the limit we are.
        remaining=None if remaining is None else max(int(remaining), 0),
        reset=max(reset, 0.0) if reset is not None and reset <= _LONGEST else None,
        windows=tuple(_windows(", ".join(headers[name] for name in _LIMIT if name in headers))),
    )


def _closest_limit(text: str) -> tuple[float | None, float | None]:
    """Return what is left, and for how many seconds, of the limit of which the least is left, for the longest time."""
    limits = [parameters for _, parameters in _policies(text) if "r" in parameters]
    if limits:
        closest = min(limits, key=lambda limit: (limit["r"], -limit.get("t", 0)))
        return closest["r"], closest.get("t")
    fields = {name: float(value) for name, value in _FIELD.findall(text)}
    return fields.get("remaining"), fields.get("reset")


def _items(text: str) -> list[str]:
    return [item.strip() for item in _LIST.split(text[:2_000])]


def _first(headers: Mapping[str, str], names: tuple[str, ...], read: Callable[[str], float | None]) -> float | None:
    """Return what can be read of the first of these headers that says anything."""
    return next((found for name in names if (found := read(_items(headers.get(name, ""))[0])) is not None), None)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _seconds(text: str, now: datetime) -> float | None:
    """Return how many seconds from now a number, a span (``1m30s``) or a moment means."""
    if (number := _number(text)) is not None:
        return _from_now(number, now) if number >= 0 else None
    if text and (span := _SPAN.fullmatch(text)):
        hours, minutes, seconds, milli = span.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) / (1000 if milli == "m" else 1)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(TypeError, ValueError, OverflowError):
            moment = read(text)
            # A moment without a zone is of UTC: so "-0000" is meant in the dates of HTTP.
            return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return None


def _from_now(number: float, now: datetime) -> float:
    # Microseconds and nanoseconds, too.
    while number >= _EPOCH_MILLISECONDS:
        number /= 1000
    return number - now.timestamp() if number >= _EPOCH_SECONDS else number


def _windows(text: str) -> list[Window]:
    found: list[Window] = []
    for number, told in _policies(text):
        requests = int(number) if number else told.get("q", 0)
        seconds = told.get("window", told.get("w", 0))
        if requests > 0 and 0 < seconds <= _LONGEST and (requests, float(seconds)) not in found:
            found.append((requests, float(seconds)))
    return found


def _policies(text: str) -> list[tuple[str, dict[str, int]]]:
    """Return the number that stands in the place of a name, or nothing, and the parameters of each item of a list."""
    return [
        (number, {name.lower(): int(value) for name, value in _PARAMETER.findall(parameters)})
        for number, parameters in _POLICY.findall(text[:2_000])
    ]

"""Read what an answer says of its limits: ``Retry-After``, ``RateLimit``, ``RateLimit-*``, ``X-RateLimit-*``.

Sources: RFC 9110 (section 10.2.3); the IETF drafts "RateLimit header fields for HTTP" of 2020 to 2025, in all three
forms that they took; what GitHub and others send under ``X-``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Window = tuple[int, float]
"""A number of requests, and the seconds in which there may be no more."""

_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_RESET = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-after")
_LIMIT = ("ratelimit-limit", "ratelimit-policy", "x-ratelimit-limit", "x-rate-limit-limit")
_NUMBER = re.compile(r"\d{1,20}(?!\d)(?:\.\d{1,9})?", re.ASCII)
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
    remaining = _first_number(headers, _REMAINING)
    if remaining is None:
        remaining = told_remaining
    reset = _first_number(headers, _RESET)
    if reset is None:
        reset = told_reset
    return Limits(
        retry_after=_seconds(headers.get("retry-after", ""), now),
        remaining=None if remaining is None else int(remaining),
        reset=None if reset is None else _believable(_from_now(reset, now)),
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


def _first_number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        # Several limits in one header are told as a list, the closest one first.
        if found := _NUMBER.match(headers.get(name, "").strip()):
            return float(found[0])
    return None


def _seconds(text: str, now: datetime) -> float | None:
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _at_most(_from_now(float(text), now))
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    # A date without a zone is of "-0000", which means UTC.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _at_most((moment - now).total_seconds())


def _from_now(number: float, now: datetime) -> float:
    # Microseconds and nanoseconds, too.
    while number >= _EPOCH_MILLISECONDS:
        number /= 1000
    return number - now.timestamp() if number >= _EPOCH_SECONDS else number


def _at_most(seconds: float) -> float:
    # Whoever says so wants to be left alone, for however long.
    return min(max(seconds, 0.0), _LONGEST)


def _believable(seconds: float) -> float | None:
    return max(seconds, 0.0) if seconds <= _LONGEST else None


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

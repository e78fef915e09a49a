"""Read times: everything that comes out is aware and in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# Times outside these years are a wrong unit or a placeholder, not a time of a project.
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = EARLIEST.timestamp(), LATEST.timestamp()
_LONGEST = 20


def from_unix_seconds(value: object) -> datetime | None:
    """Return the time of a Unix time stamp in seconds (number or digits); ``None`` when it is none."""
    if isinstance(value, str) and len(value) <= _LONGEST and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not _EARLIEST <= value <= _LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)


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
    if age := _AGO.fullmatch(text.lower()):
        # A float of too many digits is infinite, which no age can be.
        return now - timedelta(**{_UNITS[age[2]]: float(age[1])})
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

"""Say what a perfect reader stores of the Guru stand-in's projects, in the form of the fixtures' `*.items.json`.

Times are `str` of aware UTC datetimes, amounts texts. Skills are in the platform's spelling, texts without blanks at
the ends of their lines. No key of a client tells who it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from platforms_standins._guru_pages import age
from platforms_standins._guru_projects import COUNTRIES, Row

HOME = "https://www.guru.com"
VIEWS = ("list", "detail", "full")


def expected(row: Row, view: str, now: int) -> dict[str, Any]:
    """Return a project as its card alone (`list`), its page alone (`detail`) or both together (`full`) tell it.

    `now`: what the Date header of the listing said. The card shows a bare dollar sign: the list alone names no
    currency. Its description is complete only where there is a teaser that was not cut. `verified` is None without
    the sign: the site does not say that a means of payment was *not* verified. A day's deadline is its end.
    """
    paged, carded = view != "list", view != "detail"
    data = row.json_ld if paged else None
    posted_at, precision, posted_text = _posted(row, now) if carded else _posted_day(row)
    if carded and posted_at is None and data:
        posted_at, precision, posted_text = _posted_day(row)
    teaser = row.teaser()
    description = row.description if paged else teaser
    # Without posting data the page has 1,000 characters for visitors.
    cut = not paged and (teaser is None or teaser.endswith("…"))
    if paged and not data and description and len(description) > 1000 and not row.markup:
        description, cut = description[:1000] + "…", True
    skills = [name for _, name in row.skills] if carded else [name.lower() for _, name in row.skills if data]
    client: dict[str, Any] | None = None
    if carded and (row.country or row.feedback or row.verified):
        client = {
            "country": COUNTRIES.get(row.country or ""),
            "rating": None if row.feedback is None else f"{float(row.feedback) / 20:g}",
            "reviews": None,
            "verified": row.verified or None,
        }
    extra = {
        "subcategory": row.subcategory and row.subcategory[1],
        "hours": next((part for part in row.segments if part.endswith("hrs/wk")), None),
        "duration": next((part for part in row.segments if "month" in part), None),
        "preferred_locations": row.locations if carded or data else None,
    }
    return {
        "platform": "guru",
        "external_id": str(row.id),
        "url": HOME + row.address,
        "title": " ".join(row.title.split()),
        "description": description,
        "description_complete": not cut,
        "status": "open" if row.listed else "closed",
        "budget": _budget(row, bool(data) and data != "no_salary"),
        "skills": skills,
        "category": row.category and row.category[1],
        "work_mode": "remote" if data and row.telecommute else "unknown",
        "location": None,
        "language": None,
        "posted_at": None if posted_at is None else str(datetime.fromtimestamp(posted_at, UTC)),
        "posted_precision": precision,
        "posted_text": posted_text,
        "closes_at": None
        if row.deadline is None or not (carded or data)
        else str(datetime.fromtimestamp(row.deadline + 86_399, UTC)),
        "bid_count": row.quotes if carded else None,
        "bid_average": None,
        "client": client,
        "expires_at": None,
        "extra": {key: value for key, value in extra.items() if value},
    }


Posted = tuple[int | None, str, str | None]


def _posted(row: Row, now: int) -> Posted:
    if not row.posted_shown:
        return None, "unknown", None
    written = age(row, now)
    if written.startswith("on "):
        return row.posted - row.posted % 86_400, "day", written
    count, unit, _ = written.split()
    seconds, precision = (60, "minute") if unit.startswith("min") else (3600, "hour")
    return now - int(count) * seconds, precision, written


def _posted_day(row: Row) -> Posted:
    if not row.json_ld:
        return None, "unknown", None
    start = row.posted - row.posted % 86_400
    return start, "day", f"{datetime.fromtimestamp(start, UTC):%Y-%m-%d}T00:00:00.0000000+00:00"


def _budget(row: Row, salary: bool) -> Mapping[str, Any] | None:
    if not row.segments:
        return None
    amounts = row.low is not None or row.high is not None
    return {
        "minimum": row.low,
        "maximum": row.high,
        "currency": "USD" if amounts and salary else None,
        "period": row.period,
        "text": " | ".join(row.segments),
        "usd_rate": None,
        "minimum_usd": None,
        "maximum_usd": None,
    }

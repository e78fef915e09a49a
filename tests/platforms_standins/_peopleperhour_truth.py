"""Say what a perfect reader stores of the PeoplePerHour stand-in's projects, in the form of the fixtures' items.

Times are `str` of aware UTC datetimes, amounts texts; texts are cleaned as before storing. The one amount that a
project has is both its bounds; 0 is none. No key of a client tells who it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from platforms_standins._peopleperhour_projects import COUNTRIES, HOME, JSON, Row

_PERIODS = {"fixed_price": "total", "hourly": "hour"}
_STATES = {"open": "open", "completed": "closed"}
_WORK_MODES = {"remote": "remote", "remote_country": "remote", "onsite": "onsite"}


def expected(row: Row) -> JSON:
    """Return a project as its record in the state tells it."""
    url = row.get("url")
    description = row.text if row.text is not None else row.get("proj_desc")
    if description:
        description = re.sub(r"[ \t]+\n", "\n", description.replace("\u2028", "\n")).strip()
    amount = row.get("budget") or None
    posted_at, closes_at = _time(row.get("posted_dt")), _time(row.get("expiry_dt"))
    country = (row.get("client") or {}).get("country")
    country = COUNTRIES.get(country, country)
    proposals = row.get("proposalCount")
    extra = {
        "subcategory": (row.get("sub_category") or {}).get("subcate_name"),
        "flags": sorted(name for name, on in (row.get("etiquettes") or {}).items() if on),
        "where_can_bid": row.get("where_can_bid"),
    }
    return {
        "platform": "peopleperhour",
        "external_id": str(row.id),
        "url": HOME + url if url.startswith("/") else url,
        "title": " ".join(row.get("title").split()),
        "description": description or None,
        "description_complete": True,
        "status": _STATES.get(row.get("item_state"), "unknown"),
        "budget": {
            "minimum": None if amount is None else str(amount),
            "maximum": None if amount is None else str(amount),
            "currency": row.get("currency"),
            "period": _PERIODS.get(row.get("project_type")),
            "text": None,
            "usd_rate": None,
            "minimum_usd": None,
            "maximum_usd": None,
        },
        "skills": [],
        "category": (row.get("category") or {}).get("cate_name"),
        "work_mode": _WORK_MODES.get(row.get("location_type"), "unknown"),
        "location": None,
        "language": None,
        "posted_at": posted_at,
        "posted_precision": "exact" if posted_at else "unknown",
        "posted_text": row.get("posted_dt"),
        "closes_at": closes_at,
        "bid_count": None if proposals is None else int(proposals),
        "bid_average": None,
        "client": None if country is None else {"country": country, "rating": None, "reviews": None, "verified": None},
        "extra": {key: value for key, value in extra.items() if value},
    }


def _time(value: Any) -> str | None:
    try:
        return str(datetime.fromisoformat(value).replace(tzinfo=UTC))
    except (TypeError, ValueError):
        return None

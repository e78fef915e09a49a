"""What the stand-ins tell of a project, as columns of the table `projects`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outsourcing_spiders.parsing.skills import canonical_skills

JSON = dict[str, Any]
PRICING = {None: "unknown", "total": "fixed", "hour": "hourly", "month": "monthly"}
_SAME = ("url", "description", "description_complete", "status", "category", "work_mode", "location", "language",
         "posted_precision", "posted_text", "bid_count", "bid_average", "extra")  # fmt: skip
_NO_BUDGET = dict.fromkeys(("minimum", "maximum", "currency", "text", "period"))
_NO_CLIENT = dict.fromkeys(("country", "rating", "reviews", "verified"))


def words(text: str | None) -> list[str]:
    """Return the words of a text, whose blank lines and list marks are cleaned before it is stored."""
    return re.findall(r"\w+", text or "")


def _time(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _all(told: JSON) -> JSON:
    """Return all columns of what is told in the terms of `Project`."""
    budget, client = told["budget"] or _NO_BUDGET, told["client"] or _NO_CLIENT
    minimum, maximum = _number(budget["minimum"]), _number(budget["maximum"])
    return {name: told[name] for name in _SAME} | {
        "platform": told["platform"],
        "external_id": told["external_id"],
        # A title of more than a thousand characters is cut.
        "title": told["title"] and " ".join(told["title"].split())[:1000].rstrip(),
        # Of blank lines that follow each other one is stored.
        "description": told["description"] and re.sub(r"\n{3,}", "\n\n", told["description"]),
        "posted_at": _time(told["posted_at"]),
        "closes_at": _time(told["closes_at"]),
        "budget_min": minimum,
        "budget_max": maximum,
        "currency": budget["currency"],
        "budget_text": budget["text"],
        "pricing": PRICING[budget["period"]],
        "skills": canonical_skills(told["skills"]),
        "client_country": client.get("country"),
        "client_rating": _number(client.get("rating")),
        "client_reviews": client.get("reviews"),
        "client_verified": client.get("verified"),
        "extra": {name: value for name, value in told["extra"].items() if value is not None},
    }


def freelancer(row: Any) -> JSON:
    """Return what a row of the listing tells; of an odd one no more than who it is."""
    if row.odd is not None:
        return {"platform": "freelancer"}
    budget, currency = row.get("budget"), row.get("currency")
    posted = datetime.fromtimestamp(row.get("time_submitted"), UTC)
    return {
        "platform": "freelancer",
        "title": " ".join(row.get("title").split()),
        "pricing": row.get("type"),
        "budget_min": _number(budget["minimum"]),
        "budget_max": _number(budget["maximum"]),
        "currency": currency["code"],
        "budget_min_usd": round(_number(budget["minimum"]) * _number(currency["exchange_rate"]), 2),
        "posted_at": posted,
        "bid_count": row.get("bid_stats")["bid_count"],
        "skills": canonical_skills([job["name"] for job in row.get("jobs")]),
        "description_complete": True,
    }


def freemoa(told: JSON, layout: str) -> JSON:
    """Return what the listing tells; of 2025 there are fewer fields."""
    columns = _all(told) | {"expires_at": None}
    if layout == "2025":
        # There is the last day, and no second of its end; nor is there the second field.
        columns["closes_at"] -= timedelta(seconds=1)
        columns["extra"].pop("subcategory")
    return columns


def guru(told: JSON) -> JSON:
    """Return what the listing tells, with the job's own page where it was read."""
    columns = _all(told)
    for bound in ("min", "max"):
        columns[f"budget_{bound}_usd"] = columns[f"budget_{bound}"] if columns["currency"] == "USD" else None
    return columns


def peopleperhour(told: JSON) -> JSON:
    """Return what the listing tells."""
    return _all(told) | {"description": words(told["description"])}


def upwork(told: JSON) -> JSON:
    """Return what the API tells."""
    columns = _all(told)
    if columns["budget_min"] is columns["budget_max"] is None:
        columns["currency"] = None
    return columns | {"description": words(told["description"])}


def upwork_page(short: JSON, whole: JSON) -> JSON:
    """Return what the search tells; of jobs without a text there, what their own page tells, too."""
    if short["description"]:
        return upwork(short) | {"expires_at": None}
    told = dict(whole)
    if told["client"]:
        # Countries in three letters are not read, but for the one that was seen.
        seen = (short["client"] or {}).get("country") or ("US" if told["client"]["country"] == "US" else None)
        told["client"] = told["client"] | {"country": seen}
    return upwork(told) | {"expires_at": None}


def wishket(card: JSON, page: JSON, site: Any) -> JSON:
    """Return the card, with what only the project's page has."""
    row = site.row(int(card["external_id"]))
    taken = ("description", "description_complete", "posted_at", "posted_precision")
    told = card | {name: page[name] for name in taken}
    if page["description_complete"]:
        # The page has both for machines; what they are for, it does not say.
        told["closes_at"] = card["closes_at"] or page["closes_at"]
        told["budget"] = card["budget"] or (page["budget"] and page["budget"] | {"period": None})
    if not (row.private or row.gone or row.id == site.odd.get("json_ld_invalid")):
        # Its page was read, and says what it shows no visitor.
        told |= {"description_complete": True, "extra": page["extra"]}
    columns = _all(told)
    if row.id == site.odd.get("no_posted"):
        columns.pop("posted_text")
    return columns

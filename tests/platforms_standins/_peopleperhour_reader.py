"""Read the PeoplePerHour stand-in's pages, to hold them against what the site says of itself."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from platforms_standins._peopleperhour_projects import COUNTRIES
from platforms_standins._text import words

JSON = dict[str, Any]

MARKER = re.compile(r"window\.PPHReact\.initialState\s*=\s*")
_FIELDS = words("external_id url title category work_mode posted_at posted_text closes_at bid_count")


def state_of(page: str) -> JSON:
    """Return the state: from the marker in the script to the end of its first JSON value.

    Texts outside the script may hold the marker too, and the one of an odd project does.
    """
    found = MARKER.search(page, max(0, page.find("<script>")))
    assert found
    state: JSON = json.JSONDecoder().raw_decode(page, found.end())[0]
    return state


def plain_words(text: str | None) -> list[str]:
    """Return the words of a text, without markup's own elements."""
    text = re.sub(r"</?(?:p|ul|li|b|br)\b[^>]*>", " ", text or "")
    for entity, sign in (("&amp;", "&"), ("&ndash;", "–"), ("&#39;", "'"), ("&pound;", "£")):
        text = text.replace(entity, sign)
    return text.split()


def utc(text: str | None) -> str | None:
    """Return a time of the state; zeros are none."""
    return None if not text or text.startswith("0000") else str(datetime.fromisoformat(text).replace(tzinfo=UTC))


def read(record: JSON) -> JSON:
    """Return the fields of a record of the state."""
    attributes = record["attributes"]
    country = (attributes.get("client") or {}).get("country")
    address = attributes["url"]
    return {
        "external_id": str(attributes["proj_id"]),
        "url": address if address.startswith("https:") else f"https://www.peopleperhour.com{address}",
        "title": " ".join(attributes["title"].split()),
        "words": plain_words(attributes.get("proj_desc")),
        "amount": str(attributes["budget"]) if attributes.get("budget") else None,
        "currency": attributes.get("currency"),
        "period": {"hourly": "hour", "fixed_price": "total"}.get(attributes["project_type"]),
        "category": (attributes["category"] or {}).get("cate_name"),
        "work_mode": (attributes["location_type"] or "unknown").removesuffix("_country"),
        "posted_at": utc(attributes.get("posted_dt")),
        "posted_text": attributes.get("posted_dt"),
        "closes_at": utc(attributes["expiry_dt"]),
        "bid_count": attributes["proposalCount"] and int(attributes["proposalCount"]),
        "country": COUNTRIES.get(country, country),
        "open": attributes["item_state"] == "open",
    }


def flat(item: JSON) -> JSON:
    """Return the same fields of what the site says of itself."""
    assert item["budget"]["minimum"] == item["budget"]["maximum"]
    return {key: item[key] for key in _FIELDS} | {
        "words": (item["description"] or "").split(),
        "amount": item["budget"]["minimum"],
        "currency": item["budget"]["currency"],
        "period": item["budget"]["period"],
        "country": item["client"] and item["client"]["country"],
        "open": item["status"] == "open",
    }

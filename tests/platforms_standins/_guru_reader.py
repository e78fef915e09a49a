"""Read the Guru stand-in's pages with nothing but selectors, to hold them against what the site says of itself."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from parsel import Selector
from platforms_standins._guru_projects import COUNTRIES
from platforms_standins._text import words

JSON = dict[str, Any]

_FIELDS = words("external_id url title skills category posted_at posted_precision posted_text closes_at bid_count")


def one_line(text: str | None) -> str | None:
    """Return a text on one line, without its elements."""
    return None if text is None else " ".join(re.sub(r"<[a-z/][^>]*>", " ", text).split())


def amounts(segments: list[str]) -> tuple[Decimal | None, Decimal | None]:
    """Return the bounds of a budget."""
    found = next((part for part in segments if "$" in part), "")
    numbers = [
        Decimal(number.replace(",", "")) * (1000 if thousand else 1)
        for number, thousand in re.findall(r"\$([\d.,]+)(k?)", found)
    ]
    if not numbers:
        return None, None
    if found.startswith("Under"):
        return None, numbers[0]
    return numbers[0], None if found.endswith("+") else numbers[-1]


def read_card(card: Selector, now: datetime) -> JSON:
    """Return the fields that a card tells."""
    strongs = [text.strip() for text in card.css(".jobRecord__meta strong::text").getall()]
    posted = next((text for text in strongs if "Quote" not in text), None)
    posted_at, precision = None, "unknown"
    if posted and posted.startswith("on "):
        posted_at, precision = datetime.strptime(posted, "on %b %d, %Y").replace(tzinfo=UTC), "day"
    elif posted:
        count, unit, _ = posted.split()
        precision = "minute" if unit.startswith("min") else "hour"
        posted_at = now - int(count) * timedelta(**{f"{precision}s": 1})
    counted = next((text for text in strongs if "Quote" in text), None)
    segments = card.css(".jobRecord__budget > strong::text").getall()
    minimum, maximum = amounts(segments)
    deadline = card.css(".record__header__action--full .copy strong::text").get()
    closes = deadline and datetime.strptime(f"{deadline} 23:59:59", "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC)
    categories = [text.strip() for text in card.css(".skillsList__skill.greyBackground a::text").getall()]
    country = card.css(".freelancerAvatar__subText strong::text").get()
    score = card.css(".feedback-score::text").get()
    verified = bool(card.css("[title='Payment Method Verified']")) or None
    href = card.css("h2.jobRecord__title a::attr(href)").get("")
    return {
        "external_id": card.attrib["data-gid"],
        "url": "https://www.guru.com" + href.partition("&SearchUrl")[0].removeprefix("https://www.guru.com"),
        "title": one_line(card.css("h2.jobRecord__title a").xpath("string()").get()),
        "description": one_line(card.css("p.jobRecord__desc").xpath("string()").get()) or None,
        "minimum": minimum,
        "maximum": maximum,
        "currency": None,
        "period": {"Fixed Price": "total", "Hourly": "hour"}[segments[0]] if segments else None,
        "budget_text": " | ".join(segments) or None,
        "skills": [text.strip() for text in card.css("a.skillsList__skill--hasHover::text").getall()],
        "category": categories[0] if categories else None,
        "posted_at": posted_at and str(posted_at),
        "posted_precision": precision,
        "posted_text": posted,
        "closes_at": closes and str(closes),
        "bid_count": counted and int(re.sub("^No ", "0 ", counted).split()[0]),
        "client": (COUNTRIES.get(country or ""), score and Decimal(score[:-1]) / 20, verified),
    }


def flat(item: JSON) -> JSON:
    """Return the same fields of what the site says of itself."""
    budget, client = item["budget"] or {}, item["client"] or {}
    told = {key: item[key] for key in item if key in _FIELDS}
    return told | {
        "description": one_line(item["description"]),
        "minimum": budget.get("minimum") and Decimal(budget["minimum"]),
        "maximum": budget.get("maximum") and Decimal(budget["maximum"]),
        "currency": budget.get("currency"),
        "period": budget.get("period"),
        "budget_text": budget.get("text"),
        "client": (
            client.get("country"),
            client.get("rating") and Decimal(client["rating"]),
            client.get("verified"),
        ),
    }


def posting(page: Selector) -> JSON | None:
    """Return the JobPosting of a page, whichever way it is wrapped."""
    for script in page.css("script[type='application/ld+json']::text").getall():
        data = json.loads(script, strict=False)
        for one in data if isinstance(data, list) else data.get("@graph", [data]):
            if one.get("@type") == "JobPosting":
                found: JSON = one
                return found
    return None

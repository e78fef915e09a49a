"""Read the answers of the Upwork stand-in apart from its own account: only what can be compared as it stands."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from parsel import Selector
from platforms_standins._upwork_jobs import COUNTRIES, DURATIONS

from outsourcing_spiders.parsing import javascript
from outsourcing_spiders.parsing.dates import parse_time
from outsourcing_spiders.parsing.embedded import nuxt_state

JSON = dict[str, Any]


def lines(text: str | None) -> str:
    """Return a text as one line."""
    return " ".join((text or "").split())


def _money(told: JSON | None) -> Decimal | None:
    return Decimal(str(told["rawValue"])) or None if told else None


def read_node(node: JSON) -> JSON:
    """Return what a search result of the API says."""
    terms, client = node["job"]["contractTerms"], node["client"] or {}
    hourly = terms["contractType"] == "HOURLY"
    bids = node["job"]["activityStat"]["applicationsBidStats"]["avgRateBid"]
    posted = node["publishedDateTime"] or node["createdDateTime"]
    return {
        "external_id": node["id"],
        "url": f"https://www.upwork.com/jobs/{node['ciphertext']}",
        "title": lines(node["title"]),
        "description": lines(node["description"]),
        "minimum": _money(node["hourlyBudgetMin"] if hourly else node["amount"]),
        "maximum": _money(node["hourlyBudgetMax"] if hourly else node["amount"]),
        "period": "hour" if hourly else "total",
        "skills": [skill["prettyName"] or skill["name"] for skill in node["skills"]],
        "posted_at": posted and datetime.fromisoformat(posted),
        "country": COUNTRIES[client["location"]["country"]][0] if client.get("location") else None,
        "rating": Decimal(str(client["totalFeedback"])) or None if client else None,
        "verified": {"VERIFIED": True, "NOT_VERIFIED": False}.get(client.get("verificationStatus")),
        "bid_count": node["totalApplicants"],
        "bid_average": _money(bids),
        "category": node["category"],
        "extra": {
            "experience_level": node["experienceLevel"].lower(),
            "duration": node["durationLabel"] or (DURATIONS[node["duration"]][0] if node["duration"] else None),
            "engagement": node["engagement"],
            "subcategory": node["subcategory"],
        },
    }


def _text_of(tile: Selector, name: str) -> str | None:
    node = tile.css(f'[data-test~="{name}"]')
    return lines("".join(node[0].xpath(".//text()").getall())) if node else None


def _verified(tile: Selector) -> bool | None:
    if tile.css('[data-test~="payment-verified"]'):
        return True
    return False if tile.css('[data-test~="payment-unverified"]') else None


def read_tile(tile: Selector, now: float) -> JSON:
    """Return what a tile says; `now` in Unix seconds."""
    kind, budget = _text_of(tile, "job-type-label") or "", _text_of(tile, "is-fixed-price")
    amounts = [Decimal(one.replace(",", "")) or None for one in re.findall(r"\$([\d,.]+)", budget or kind)]
    link = tile.css('a[data-test~="job-tile-title-link"], a[data-test~="UpLink"]')
    small = tile.css('small[data-test="job-pubilshed-date"], [data-test="JobTileHeader"] small')
    posted = small.css("span:last-child::text").get()
    country = tile.css('[data-test~="location"] > span::text').get()
    rating = tile.css('[data-test~="feedback-rating"] .air3-rating-value-text::text').get()
    told = parse_time(posted, answered_at=datetime.fromtimestamp(now, UTC), zone=UTC)
    time = (_text_of(tile, "duration-label") or "").removeprefix("Est. time: ")
    parts = time.split(", ") if time else []
    about = tile.css('[data-test="UpCLineClamp JobDescription"] p')
    return {
        "external_id": tile.attrib["data-ev-job-uid"],
        "url": "https://www.upwork.com/jobs/" + re.findall(r"~0[12]\w+", link.attrib["href"])[-1],
        "title": lines("".join(link.xpath(".//text()").getall())),
        "description": lines("".join(about.xpath(".//text()").getall())),
        "minimum": amounts[0] if amounts else None,
        "maximum": amounts[-1] if amounts else None,
        "period": "hour" if kind.startswith("Hourly") else "total",
        "text": budget or kind,
        "skills": [lines("".join(one.xpath(".//text()").getall())) for one in tile.css('[data-test="token"]')],
        "posted_at": told.at,
        "posted_precision": told.precision,
        "posted_text": posted,
        "country": COUNTRIES[country][0] if country else None,
        "rating": Decimal(rating or 0) or None,
        "verified": _verified(tile),
        "extra": {
            "experience_level": (_text_of(tile, "experience-level") or "").lower().replace(" ", "_"),
            "duration": next((one for one in parts if "hrs/week" not in one and "Hours" not in one), None),
            "engagement": next((one for one in parts if "hrs/week" in one or "Hours" in one), None),
            "proposals": tile.css('[data-test~="proposals-tier"] strong::text').get(),
            "client_spent": tile.css('[data-test~="total-spent"] strong::text').get(),
            "featured": bool(tile.css('[data-test~="featured"]')) or None,
        },
    }


def read_state(job: JSON) -> JSON:
    """Return what a job in the state of a search page says."""
    hourly = job["type"] == 2
    amount, rate = job["amount"]["amount"], job["hourlyBudget"]
    posted = job["publishedOn"] or job["createdOn"]
    country = job["client"]["location"]["country"]
    return {
        "external_id": job["uid"],
        "url": f"https://www.upwork.com/jobs/{job['ciphertext']}",
        "title": lines(job["title"]),
        "description": lines(job["description"]),
        "minimum": Decimal(str(rate["min"] if hourly else amount)) or None,
        "maximum": Decimal(str(rate["max"] if hourly else amount)) or None,
        "period": "hour" if hourly else "total",
        "skills": [skill["prettyName"] for skill in job["attrs"]],
        "posted_at": posted and datetime.fromisoformat(posted),
        "country": COUNTRIES[country][0] if country else None,
        "verified": job["client"]["isPaymentVerified"],
    }


def comparable(stored: JSON, read: JSON) -> JSON:
    """Return what the site tells of a job in the form of what was read."""
    flat = {**(stored["client"] or {}), **stored, **stored["budget"]}
    flat["description"] = lines(stored["description"])
    told = {name: flat.get(name) for name in read}
    if "extra" in read:
        told["extra"] = dict.fromkeys(read["extra"]) | stored["extra"]
    return told


def state_of(page: str, name: str) -> Any:
    """Return what a page's state has under `name`, of either generation."""
    head, _, call = page.partition("window.__NUXT__=(")
    # A text in it can hold the same words: only what stands first is the state.
    if call and "__NUXT_DATA__" not in head:
        return javascript.read_call(f"({call}")[0]["state"][name]
    return nuxt_state(Selector(page), "vuex", name)

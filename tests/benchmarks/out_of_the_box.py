"""The same fields with nothing but Scrapy: default settings and loop, ``response.json()``, no pipelines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import scrapy
from scrapy.http import Response

QUERY = (
    "limit=100&sort_field=time_submitted&full_description=true&job_details=true&upgrade_details=true"
    "&location_details=true&compact=true&offset="
)


class OutOfTheBoxSpider(scrapy.Spider):
    """As one would write it first: page by page, an item for each row."""

    name = "out_of_the_box"
    # The pages that the other contenders ask for; the stand-in has them ready.
    step = 95

    def url(self, offset: int) -> str:
        """Return the address of one page."""
        return f"{self.base_url}/api/projects/0.1/projects/active/?{QUERY}{offset}"  # type: ignore[attr-defined]

    async def start(self) -> AsyncIterator[Any]:
        """Ask for the first page."""
        yield scrapy.Request(self.url(0), cb_kwargs={"offset": 0})

    def parse(self, response: Response, offset: int) -> Iterator[Any]:
        """Yield the rows of a page, and the next page."""
        result = response.json()["result"]
        if offset + 100 < result["total_count"]:
            yield scrapy.Request(self.url(offset + self.step), cb_kwargs={"offset": offset + self.step})
        # Neighbouring pages share rows; the others leave them out, too.
        for row in result["projects"][0 if not offset else 5 :]:
            yield item(row)


def item(row: dict[str, Any]) -> dict[str, Any]:
    """Return the same fields as the project's own spider, as a dict."""
    budget, currency, bids = row.get("budget") or {}, row.get("currency") or {}, row.get("bid_stats") or {}
    upgrades, jobs, hourly = row.get("upgrades") or {}, row.get("jobs") or [], row.get("hourly_project_info") or {}
    posted = datetime.fromtimestamp(row["time_submitted"], UTC)
    return {
        "platform": "freelancer",
        "external_id": str(row["id"]),
        "url": "https://www.freelancer.com/projects/" + row["seo_url"],
        "title": row["title"],
        "description": row.get("description"),
        "description_complete": True,
        "status": "open" if row.get("status") == "active" else "closed",
        "pricing": {"fixed": "fixed", "hourly": "hourly"}.get(row["type"]),
        "budget_min": Decimal(str(budget["minimum"])) if budget.get("minimum") else None,
        "budget_max": Decimal(str(budget["maximum"])) if budget.get("maximum") else None,
        "currency": currency.get("code"),
        "usd_rate": Decimal(str(currency["exchange_rate"])) if currency.get("exchange_rate") else None,
        "skills": [job["name"] for job in jobs],
        "category": jobs[0]["category"]["name"] if jobs else None,
        "work_mode": "onsite" if row.get("local") else "remote",
        "location": (row.get("location") or {}).get("full_address") if row.get("local") else None,
        "language": row.get("language"),
        "posted_at": posted,
        "posted_precision": "exact",
        "posted_text": str(row["time_submitted"]),
        "closes_at": posted + timedelta(days=row["bidperiod"]) if row.get("bidperiod") else None,
        "bid_count": bids.get("bid_count"),
        "bid_average": Decimal(str(bids["bid_avg"])) if bids.get("bid_avg") else None,
        "extra": {
            "upgrades": sorted(name for name, on in upgrades.items() if on),
            "bid_days": row.get("bidperiod"),
            "sub_status": row.get("sub_status"),
            "hours": hourly.get("commitment"),
            "duration": hourly.get("duration_enum"),
        },
    }

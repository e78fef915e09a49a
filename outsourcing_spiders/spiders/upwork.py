"""Upwork, through the state or the tiles of its search pages; through its API where the account for it is set."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.items import Budget, Client, Period, Project
from outsourcing_spiders.outcomes import LayoutChanged
from outsourcing_spiders.parsing.budgets import budget_of, parse_budget
from outsourcing_spiders.parsing.embedded import vuex_state
from outsourcing_spiders.parsing.money import int_or_none
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.embedded_json import EmbeddedJsonSpider
from outsourcing_spiders.platforms.json_rows import Row
from outsourcing_spiders.platforms.listing import Page
from outsourcing_spiders.platforms.official import OfficialApiFirst
from outsourcing_spiders.ways_in.upwork_api import UpworkApi, check_category, client
from outsourcing_spiders.ways_in.upwork_tiles import NOTHING, TILE, tile_row

PERIODS: dict[Any, Period] = {1: "total", 2: "hour"}
HIGHLIGHT = re.compile(r'<span class="highlight">(.*?)</span>', re.DOTALL)


class UpworkSpider(OfficialApiFirst, DetailPagesSpider, EmbeddedJsonSpider):
    """Open jobs of Upwork, newest first.

    Site: https://www.upwork.com, worldwide, mostly in English, in US dollars; a search leads to 5,000 jobs at most.

    Access: the official GraphQL API where UPWORK_CLIENT_ID, UPWORK_CLIENT_SECRET and UPWORK_REFRESH_TOKEN are set (an
    approved key with the scopes 'Read marketplace Job Postings' and 'Common Entities - Read-Only Access'; 300
    requests a minute, 40,000 a day); else the public search pages in a browser, with the platform's permission.

    Terms: scraping is forbidden. The API's terms want the fewest fields, no copy kept for longer than 24 hours, and
    aggregated results attributed to Upwork; projects of the API expire by that. Both as others quote them without a
    date; noted so on 2026-11-22, and not read at the source.

    Caveats: Cloudflare keeps whole networks from the pages. They tell visitors little of the client, a bare dollar
    sign for the currency, and texts that may be cut. A category is given by its number; skills narrow the API only.
    One reader's API answers 500 to every query with pages (2026).
    """

    name = "upwork"
    custom_settings = {"DOWNLOAD_DELAY": 3.0}

    # PlatformSpider
    access = "permission"
    home = "https://www.upwork.com"
    renders = True
    narrowed_by = frozenset({"query", "category"})

    # OfficialApiFirst
    official_api = UpworkApi
    official_addresses = frozenset({"https://api.upwork.com/", UpworkApi.oauth.token_url})

    # EmbeddedJsonSpider: the state of Nuxt, of either generation
    marker = ("__NUXT_DATA__", "window.__NUXT__", "data-ev-job-uid", 'data-test="NoResults"')
    rows_at = ("jobsSearch", "jobs")
    total_at = ("jobsSearch", "paging", "total")
    id_at = "uid"

    # DetailPagesSpider
    detail_marker = ("__NUXT_DATA__", "window.__NUXT__")

    @classmethod
    def check_arguments(cls, arguments: dict[str, Any]) -> None:
        """Raise `WrongArgument` for a category that is no number, too."""
        super().check_arguments(arguments)
        check_category(arguments)

    def listing_request(self, page: int) -> Request:
        """One page; its state tells more than its tiles, which are waited for in case that it cannot be read."""
        parameters = {"q": self.query, "category2_uid": self.category, "sort": "recency", "page": page, "per_page": 50}
        query = urlencode({name: value for name, value in parameters.items() if value})
        rendering = {"wait_for": f"{TILE}, {NOTHING}"}
        return Request(self.absolute(f"nx/search/jobs/?{query}"), meta={"render": rendering})

    def state(self, response: Response) -> Any:
        """The store of the page's scripts."""
        return vuex_state(response.selector)  # type: ignore[attr-defined]

    def page(self, response: Response) -> Page[Row]:
        """What the state holds; without one that can be read, what the tiles show."""
        try:
            return super().page(response)
        except LayoutChanged:
            tiles = response.css(TILE)
            nothing = not tiles and response.css(NOTHING)
            if not (tiles or nothing):
                raise
        rows = [tile_row(tile) for tile in tiles]
        return Page(rows=rows, total=0 if nothing else None, is_last=not response.css("[data-test~='next-page']"))

    def is_pinned(self, row: Row) -> bool:
        """Featured jobs lead the first page."""
        return bool(row.get("featured"))

    def item(self, row: Row, response: Response) -> Project:
        """One job; whether its text is cut is not told."""
        posted = row.get("publishedOn") or row.get("createdOn")
        posted_at, precision = self.time(posted, response)
        identity = self.row_id(row)
        extra = {
            "experience_level": level(row.get("tierText")),
            "duration": row.get("durationLabel"),
            "engagement": row.get("workload"),
            "proposals": row.get("proposals"),
            "client_spent": row.get("spent"),
            "featured": row.get("featured"),
        }
        return Project(
            platform=self.name,
            external_id=identity,
            url=f"{self.home}/jobs/{row.get('ciphertext') or f'~02{identity}'}",
            title=HIGHLIGHT.sub(r"\1", row["title"]),
            description=HIGHLIGHT.sub(r"\1", row.get("description") or "") or None,
            description_complete=False,
            status="open",
            budget=budget(row),
            skills=[HIGHLIGHT.sub(r"\1", skill["prettyName"]) for skill in row.get("attrs") or ()],
            posted_at=posted_at,
            posted_precision=precision,
            posted_text=posted,
            client=client(row.get("client") or {}),
            extra={key: value for key, value in extra.items() if value},
        )

    def detail_request(self, item: Project) -> Request | None:
        """Only where the listing has no text at all; the page of a job has its state before any script runs."""
        return None if item.description else super().detail_request(item)

    def detail(self, item: Project, response: Response) -> Project:
        """The text in full, and what visitors may see of the client; a job that is gone leaves an empty page."""
        told = self.state(response)["jobDetails"]
        job, buyer, seen = told["job"], told.get("buyer") or {}, item.client or Client()
        if job is None:
            self.count("details/gone")
            return item
        item.description, item.description_complete = job.get("description") or None, True
        item.bid_count = int_or_none((job.get("clientActivity") or {}).get("totalApplicants"))
        shown = client({"location": buyer.get("location"), "totalFeedback": (buyer.get("stats") or {}).get("score")})
        if shown is not None:
            item.client = replace(seen, country=seen.country or shown.country, rating=shown.rating)
        return item


def budget(row: Row) -> Budget | None:
    """Return the budget of a job, without a currency: pages show a bare dollar sign, or nothing."""
    if row.get("price") or row.get("terms"):
        return parse_budget(row["price"], period="total") if row["price"] else parse_budget(row["terms"])
    amount = (row.get("amount") or {}).get("amount")
    rate = row.get("hourlyBudget") or {}
    low, high = (rate.get("min"), rate.get("max")) if row.get("type") == 2 else (amount, amount)
    return budget_of(low, high, currency=None, period=PERIODS.get(row.get("type")))


def level(text: str | None) -> str:
    """Return ``entry_level`` of a tile's ``Entry Level`` and of a state's ``jsn_EntryLevel_205``."""
    name = re.sub(r"^jsn_|_\d+$", "", text or "")
    return re.sub(r"\s+|(?<=[a-z])(?=[A-Z])", "_", name).lower()

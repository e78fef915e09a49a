"""Upwork, through the state or the tiles of its search pages; through its API where the account for it is set."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from scrapy.http import Request, Response

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.parsing.fields import at, budget_of, given, int_or_none, parse_budget
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.embedded_json import EmbeddedJsonSpider, Row
from outsourcing_spiders.platforms.official import OfficialApiFirst
from outsourcing_spiders.ways_in.upwork_api import CATEGORY, UpworkApi
from outsourcing_spiders.ways_in.upwork_tiles import TILES
from outsourcing_spiders.ways_in.upwork_words import client, level, skills, workload


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
    argument_rules = (CATEGORY,)
    periods = {1: "total", 2: "hour"}

    # OfficialApiFirst
    official_api = UpworkApi
    official_addresses = frozenset({"https://api.upwork.com/", UpworkApi.oauth.token_url})

    # EmbeddedJsonSpider: the state of Nuxt, of either generation
    vuex = True
    marker = ("__NUXT_DATA__", "window.__NUXT__", "data-ev-job-uid", 'data-test="NoResults"')
    rows_at = ("jobsSearch", "jobs")
    total_at = ("jobsSearch", "paging", "total")
    id_at = "uid"
    tiles = TILES

    # DetailPagesSpider
    detail_marker = ("__NUXT_DATA__", "window.__NUXT__")

    def listing_request(self, page: int) -> Request:
        """One page; its state tells more than its tiles, which are waited for in case that it cannot be read."""
        asked = {"q": self.query, "category2_uid": self.category, "sort": "recency", "page": page, "per_page": 50}
        return Request(self.absolute(f"nx/search/jobs/?{urlencode(given(asked))}"), meta={"render": TILES.rendering})

    def is_pinned(self, row: Row) -> bool:
        """Featured jobs lead the first page."""
        return bool(row.get("featured"))

    def item(self, row: Row, response: Response) -> Project:
        """One job; whether its text is cut is not told."""
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=f"{self.home}/jobs/{row.get('ciphertext') or f'~02{self.row_id(row)}'}",
            title=unmarked(row["title"]),
            description=unmarked(row.get("description") or "") or None,
            description_complete=False,
            status="open",
            budget=self.budget(row),
            skills=[unmarked(name) for name in skills(row.get("attrs"))],
            **self.posted(row.get("publishedOn") or row.get("createdOn"), response),
            client=client(row.get("client")),
            extra={
                "experience_level": level(row.get("tierText")),
                "duration": row.get("durationLabel"),
                "engagement": workload(row.get("workload") or row.get("engagement")),
                "proposals": row.get("proposals"),
                "client_spent": row.get("spent"),
                "featured": row.get("featured"),
            },
        )

    def budget(self, row: Row) -> Budget | None:
        """The budget, without a currency: pages show a bare dollar sign, or nothing."""
        if row.get("price") or row.get("terms"):
            return parse_budget(row["price"], period="total") if row["price"] else parse_budget(row["terms"])
        kind, amount, rate = row.get("type"), at(row, "amount", "amount"), row.get("hourlyBudget")
        bounds = (at(rate, "min"), at(rate, "max")) if kind == 2 else (amount, amount)
        return budget_of(*bounds, currency=None, period=self.periods.get(kind))

    def detail_request(self, item: Project) -> Request | None:
        """Only where the listing has no text at all; the page of a job has its state before any script runs."""
        return None if item.description else super().detail_request(item)

    def detail(self, item: Project, response: Response) -> Project:
        """The text in full, and what visitors may see of the client; a job that is gone leaves an empty page."""
        told = self.state(response)["jobDetails"]
        job, buyer = told["job"], told.get("buyer")
        if job is None:
            self.count("details/gone")
            return item
        item.description, item.description_complete = job.get("description") or None, True
        item.bid_count = int_or_none(at(job, "clientActivity", "totalApplicants"))
        if shown := client({"location": at(buyer, "location"), "totalFeedback": at(buyer, "stats", "score")}):
            item.client = item.client or Client()
            item.client.country = item.client.country or shown.country
            item.client.rating = shown.rating or item.client.rating
        return item


def unmarked(text: str) -> str:
    """Return a text without the marks around words that were searched for."""
    return re.sub(r'<span class="highlight">(.*?)</span>', r"\1", text, flags=re.DOTALL)

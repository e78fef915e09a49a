"""Freelancer.com, through its public projects API."""

from __future__ import annotations

from urllib.parse import quote

from scrapy.http import Request, Response

from outsourcing_spiders.items import Budget, Project
from outsourcing_spiders.outcomes import LoginRequired, RateLimited
from outsourcing_spiders.parsing.fields import days_after, decimal_or_none, given, int_or_none
from outsourcing_spiders.platforms.skill_ids import Row, SkillIdsSpider

# Of what is frozen or closed; the others ran out.
AWARDED = ("frozen_awarded", "closed_awarded")


class FreelancerSpider(SkillIdsSpider):
    """Open projects of Freelancer.com, newest first.

    Site: https://www.freelancer.com, worldwide, some 5,000 open projects, in all currencies.

    Access: documented API, answers without a token. FREELANCER_TOKEN is sent when it is set; the
    documentation's example grants 50 requests a minute and 1,000 an hour.

    Terms: the user agreement (section 33) wants written permission for robots, on the API too; the personal
    token is the documented way in. Read on 2026-09-22.

    Caveats: pages may be short with more to follow. Clients are hidden from anonymous callers. Contests are
    no projects to bid on, deleted and nonpublic rows cannot be opened: they are left out and counted.
    """

    name = "freelancer"
    custom_settings = {"DOWNLOAD_DELAY": 1.2, "RATE_LIMIT": [(50, 60), (1000, 3600)]}

    # PlatformSpider
    access = "api"
    home = "https://www.freelancer.com"
    narrowed_by = frozenset({"query", "skills", "category"})
    statuses = {"active": "open", "frozen": "closed", "closed": "closed"}
    periods = {"fixed": "total", "hourly": "hour"}
    work_modes = {True: "onsite", False: "remote"}

    # JsonApiSpider
    api = "api/projects/0.1/"
    token = ("Freelancer-OAuth-V1", "FREELANCER_TOKEN")
    success = ("status", "success")
    error_codes = {"RATE_LIMITED": RateLimited, "NOT_AUTHENTICATED": LoginRequired, "UNAUTHORIZED": LoginRequired}
    rows_at = ("result", "projects")
    total_at = ("result", "total_count")
    page_size = 100

    # SkillIdsSpider: this platform calls skills jobs
    catalogue_path = "jobs/"
    catalogue_at = ("result",)

    # Every key is a projection that is on by being there; compact leaves null keys out.
    projections = ("full_description", "job_details", "upgrade_details", "location_details", "compact")

    def listing_request(self, offset: int) -> Request:
        """One page."""
        place = {"limit": self.page_size, "offset": offset, "sort_field": "time_submitted"}
        wanted = {"query": self.query, "jobs[]": self.skill_ids}
        return self.api_request("projects/active/", given(place | dict.fromkeys(self.projections, "true") | wanted))

    def item(self, row: Row, response: Response) -> Project | None:
        """One project; times are Unix seconds, money is in its own currency: 0 to 0 says nothing, 0 is no maximum."""
        if unwanted := unwanted_kind(row):
            return self.skip(unwanted)
        posted = self.posted(row.get("time_submitted") or row.get("submitdate"), response)
        bids, hourly = row.get("bid_stats") or {}, row.get("hourly_project_info") or {}
        amounts, currency = row.get("budget") or {}, row.get("currency") or {}
        minimum, maximum = decimal_or_none(amounts.get("minimum")), decimal_or_none(amounts.get("maximum")) or None
        jobs = [job for job in row.get("jobs") or () if job.get("name")]
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=f"{self.home}/projects/{quote(row.get('seo_url') or self.row_id(row), safe='/-_.~%')}",
            title=row.get("title") or "",
            description=row.get("description") or row.get("preview_description"),
            description_complete=bool(row.get("description")),
            status="awarded" if row.get("sub_status") in AWARDED else self.statuses.get(row.get("status"), "unknown"),
            budget=Budget(
                minimum=minimum if maximum else minimum or None,
                maximum=maximum,
                currency=currency.get("code"),
                period=self.periods.get(row.get("type")),
                usd_rate=decimal_or_none(currency.get("exchange_rate")),
            ),
            skills=[job["name"] for job in jobs],
            category=next((job["category"]["name"] for job in jobs if job.get("category")), None),
            work_mode=self.work_modes.get(row.get("local"), "unknown"),
            location=place(row.get("location") or {}) if row.get("local") else None,
            language=row.get("language"),
            **posted,
            closes_at=days_after(posted["posted_at"], row.get("bidperiod")),
            bid_count=int_or_none(bids.get("bid_count")),
            bid_average=decimal_or_none(bids.get("bid_avg")) if bids.get("bid_count") else None,
            extra={
                "upgrades": sorted(name for name, on in (row.get("upgrades") or {}).items() if on is True),
                "bid_days": int_or_none(row.get("bidperiod")),
                "sub_status": row.get("sub_status"),
                "hours": hourly.get("commitment"),
                "duration": hourly.get("duration_enum"),
            },
        )


def unwanted_kind(row: Row) -> str | None:
    """Name what is no project that anybody can bid on."""
    if row.get("deleted"):
        return "deleted"
    if row.get("nonpublic") or (row.get("upgrades") or {}).get("nonpublic"):
        return "nonpublic"
    return "contest" if row.get("type") not in ("fixed", "hourly", None) or "entry_count" in row else None


def place(location: Row) -> str | None:
    """Return the place of a local project as the platform names it."""
    named = location.get("city") or location.get("administrative_area"), (location.get("country") or {}).get("name")
    return location.get("full_address") or ", ".join(filter(None, named)) or None

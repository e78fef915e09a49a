"""Freelancer.com, through its public projects API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.items import Budget, Period, Project, Status, WorkMode
from outsourcing_spiders.outcomes import LoginRequired, RateLimited
from outsourcing_spiders.parsing.dates import from_unix_seconds
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.platforms.json_api import Row
from outsourcing_spiders.platforms.skill_ids import Skill, SkillIdsSpider

PERIODS: dict[Any, Period] = {"fixed": "total", "hourly": "hour"}
STATES: dict[Any, Status] = {"active": "open", "frozen": "closed", "closed": "closed"}
WORK_MODES: dict[Any, WorkMode] = {True: "onsite", False: "remote"}


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
    custom_settings = {
        "DOWNLOAD_DELAY": 1.2,
        "ROBOTSTXT_OBEY": False,
        "RATE_LIMIT": [(50, 60), (1000, 3600)],
    }

    # PlatformSpider
    access = "api"
    home = "https://www.freelancer.com"
    narrowed_by = frozenset({"query", "skills", "category"})

    # JsonApiSpider
    api = "api/projects/0.1/"
    token = ("Freelancer-OAuth-V1", "FREELANCER_TOKEN")
    success = ("status", "success")
    error_codes = {"RATE_LIMITED": RateLimited, "NOT_AUTHENTICATED": LoginRequired, "UNAUTHORIZED": LoginRequired}
    rows_at = ("result", "projects")
    total_at = ("result", "total_count")
    page_size = 100

    # Every key is a projection that is on by being there; compact leaves null keys out.
    projections = ("full_description", "job_details", "upgrade_details", "location_details", "compact")

    def catalogue_request(self) -> Request:
        """All skills, which this platform calls jobs."""
        return self.api_request("jobs/")

    def catalogue(self, answer: Any) -> Iterator[Skill]:
        """``result`` is a bare array."""
        for job in answer["result"]:
            yield Skill(job["id"], job["name"] or "", (job.get("category") or {}).get("name"))

    def listing_request(self, offset: int) -> Request:
        """One page."""
        parameters = [("limit", self.page_size), ("offset", offset), ("sort_field", "time_submitted")]
        parameters += [(name, "true") for name in self.projections]
        parameters += [("query", self.query)] if self.query else []
        parameters += [("jobs[]", skill) for skill in self.skill_ids]
        return self.api_request("projects/active/", parameters)

    def item(self, row: Row, response: Response) -> Project | None:
        """One project; times are Unix seconds, money is in the project's own currency."""
        upgrades, hourly = row.get("upgrades") or {}, row.get("hourly_project_info") or {}
        if unwanted := unwanted_kind(row, upgrades):
            self.count(f"skipped/{unwanted}")
            return None
        identity = self.row_id(row)
        posted = row.get("time_submitted") or row.get("submitdate")
        posted_at = from_unix_seconds(posted)
        bid_days = int_or_none(row.get("bidperiod"))
        bids = row.get("bid_stats") or {}
        bid_count = int_or_none(bids.get("bid_count"))
        jobs = [job for job in row.get("jobs") or () if job.get("name")]
        description, is_local = row.get("description"), row.get("local")
        extra = {
            "upgrades": sorted(name for name, on in upgrades.items() if on is True),
            "bid_days": bid_days,
            "sub_status": row.get("sub_status"),
            "hours": hourly.get("commitment"),
            "duration": hourly.get("duration_enum"),
        }
        return Project(
            platform=self.name,
            external_id=identity,
            url=f"{self.home}/projects/{quote(row.get('seo_url') or identity, safe='/-_.~%')}",
            title=row.get("title") or "",
            description=description or row.get("preview_description"),
            description_complete=bool(description),
            status=status(row),
            budget=budget(row),
            skills=[job["name"] for job in jobs],
            category=next((job["category"]["name"] for job in jobs if job.get("category")), None),
            work_mode=WORK_MODES.get(is_local, "unknown"),
            location=place(row.get("location") or {}) if is_local else None,
            language=row.get("language"),
            posted_at=posted_at,
            posted_precision="exact" if posted_at else "unknown",
            posted_text=None if posted is None else str(posted),
            closes_at=posted_at + timedelta(days=bid_days) if posted_at and bid_days else None,
            bid_count=bid_count,
            bid_average=decimal_or_none(bids.get("bid_avg")) if bid_count else None,
            extra={key: value for key, value in extra.items() if value},
        )


def unwanted_kind(row: Row, upgrades: Row) -> str | None:
    """Name what is no project that anybody can bid on."""
    if row.get("deleted"):
        return "deleted"
    if row.get("nonpublic") or upgrades.get("nonpublic"):
        return "nonpublic"
    return "contest" if row.get("type") not in ("fixed", "hourly", None) or "entry_count" in row else None


def budget(row: Row) -> Budget:
    """Return the budget of a row: per hour for hourly projects; a bound of 0 is none, and 0 to 0 says nothing."""
    amounts, currency = row.get("budget") or {}, row.get("currency") or {}
    minimum, maximum = decimal_or_none(amounts.get("minimum")), decimal_or_none(amounts.get("maximum")) or None
    return Budget(
        minimum=minimum if maximum else minimum or None,
        maximum=maximum,
        currency=currency.get("code"),
        period=PERIODS.get(row.get("type")),
        usd_rate=decimal_or_none(currency.get("exchange_rate")),
    )


def status(row: Row) -> Status:
    """Return where a project stands; frozen and closed ones were awarded or ran out."""
    if (row.get("sub_status") or "").endswith("_awarded"):
        return "awarded"
    return STATES.get(row.get("status"), "unknown")


def place(location: Row) -> str | None:
    """Return the place of a local project as the platform names it."""
    named = location.get("city") or location.get("administrative_area"), (location.get("country") or {}).get("name")
    return location.get("full_address") or ", ".join(filter(None, named)) or None

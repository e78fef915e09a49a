"""Freelancer.com, through its public projects API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote, urlencode

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.items import Budget, Period, Project, Status, WorkMode
from outsourcing_spiders.outcomes import LayoutChanged, LoginRequired, RateLimited, WrongArgument
from outsourcing_spiders.parsing.dates import from_unix_seconds
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.platforms.json_api import JsonApiSpider, Row

PERIODS: dict[Any, Period] = {"fixed": "total", "hourly": "hour"}
WORK_MODES: dict[Any, WorkMode] = {True: "onsite", False: "remote"}


class FreelancerSpider(JsonApiSpider):
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
    page_size = 100

    # Every key is a projection that is on by being there; compact leaves null keys out.
    listing_parameters = ("full_description", "job_details", "upgrade_details", "location_details", "compact")
    job_ids: tuple[int, ...] = ()

    async def start(self) -> AsyncIterator[Any]:
        """Look up skills that were given by name, then ask for the first page."""
        if self.skills and self.category:
            raise WrongArgument("skills and category are one filter on this platform; give one of them")
        if all(skill.isdigit() for skill in self.skills) and not self.category:
            self.job_ids = tuple(map(int, self.skills))
            for request in self.first_pages():
                yield request
        else:
            yield self.api_request("jobs/", {}, callback=self.parse_jobs)

    def parse_jobs(self, response: Response) -> Iterator[Request]:
        """Find the ids of the skills, or of all skills of the category; then ask for the first page."""
        jobs = self.answer(response)["result"]
        self.job_ids = tuple(find_jobs(jobs, self.skills, self.category))
        yield from self.first_pages()

    def api_request(self, path: str, parameters: Any, **options: Any) -> Request:
        """Return a request to the projects API."""
        token = self.settings.get("FREELANCER_TOKEN")
        headers = {"Accept": "application/json"} | ({"Freelancer-OAuth-V1": token} if token else {})
        url = self.absolute(f"api/projects/0.1/{path}") + ("?" + urlencode(parameters) if parameters else "")
        meta = {"handle_httpstatus_all": True}
        return Request(url, headers=headers, meta=meta, errback=self.failed, **options)

    def listing_request(self, offset: int) -> Request:
        """Return the request for one page."""
        parameters: list[tuple[str, Any]] = [("limit", self.page_size), ("offset", offset)]
        parameters += [("sort_field", "time_submitted"), *((name, "true") for name in self.listing_parameters)]
        parameters += [("query", self.query)] if self.query else []
        parameters += [("jobs[]", job) for job in self.job_ids]
        return self.api_request("projects/active/", parameters)

    def answer(self, response: Response) -> Any:
        """Return the decoded envelope; it can hold an error with status 200, too."""
        answer = super().answer(response)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            said = str(answer)[:200]
            if "RATE_LIMITED" in said:
                raise RateLimited(f"{response.url}: too many requests; wait before the next crawl")
            if "NOT_AUTHENTICATED" in said or "UNAUTHORIZED" in said:
                raise LoginRequired(f"{response.url} wants a login; check FREELANCER_TOKEN")
            raise LayoutChanged(f"{response.url} answered without success: {said}")
        return answer

    def rows(self, answer: Any) -> list[Row]:
        """``result.projects``."""
        return [row for row in answer["result"]["projects"] if isinstance(row, dict)]

    def total(self, answer: Any) -> int | None:
        """``result.total_count``."""
        return int_or_none(answer["result"].get("total_count"))

    def item(self, row: Row) -> Project | None:
        """One project; times are Unix seconds, money is in the project's own currency."""
        upgrades = row.get("upgrades") or {}
        for unwanted, is_so in (
            ("deleted", row.get("deleted")),
            ("nonpublic", row.get("nonpublic") or upgrades.get("nonpublic")),
            ("contest", row.get("type") not in ("fixed", "hourly", None) or "entry_count" in row),
        ):
            if is_so:
                self.count(f"skipped/{unwanted}")
                return None
        identity = self.row_id(row)
        posted = row.get("time_submitted") or row.get("submitdate")
        posted_at = from_unix_seconds(posted)
        bid_days = int_or_none(row.get("bidperiod"))
        bids = row.get("bid_stats") or {}
        bid_count = int_or_none(bids.get("bid_count"))
        jobs = [job for job in row.get("jobs") or () if isinstance(job, dict) and job.get("name")]
        description = row.get("description")
        is_local = row.get("local")
        hourly = row.get("hourly_project_info") or {}
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


def budget(row: Row) -> Budget | None:
    """Return the budget of a row: per hour for hourly projects; a budget of 0 to 0 says nothing."""
    amounts, currency = row.get("budget") or {}, row.get("currency") or {}
    minimum, maximum = decimal_or_none(amounts.get("minimum")), decimal_or_none(amounts.get("maximum"))
    if not minimum and not maximum:
        minimum = maximum = None
    return Budget(
        minimum=minimum,
        maximum=maximum,
        currency=currency.get("code"),
        period=PERIODS.get(row.get("type")),
        usd_rate=decimal_or_none(currency.get("exchange_rate")),
    )


def status(row: Row) -> Status:
    """Return where a project stands; frozen and closed ones were awarded or ran out."""
    state, sub_state = row.get("status"), row.get("sub_status") or ""
    if state == "active":
        return "open"
    if state in ("frozen", "closed"):
        return "awarded" if sub_state.endswith("_awarded") else "closed"
    return "unknown"


def place(location: dict[str, Any]) -> str | None:
    """Return the place of a local project as the platform names it."""
    country = (location.get("country") or {}).get("name")
    named = (location.get("city") or location.get("administrative_area"), country)
    return location.get("full_address") or ", ".join(filter(None, named)) or None


def find_jobs(jobs: list[Row], names: list[str], category: str | None) -> Iterator[int]:
    """Yield the ids of skills (``jobs`` on this platform) by name or id, or of all skills of a category."""
    by_name = {str(job.get("name")).casefold().strip(): job["id"] for job in jobs}
    for name in names:
        if name.isdigit():
            yield int(name)
        elif name.casefold() in by_name:
            yield by_name[name.casefold()]
        else:
            near = get_close_matches(name.casefold(), by_name, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else "see the skills on the platform's own pages"
            raise WrongArgument(f"skills: the platform knows no skill {name!r}; {hint}")
    if category:
        categories = {str((job.get("category") or {}).get("name")).casefold() for job in jobs}
        if category.casefold() not in categories:
            known = ", ".join(sorted(categories - {"none"}))
            raise WrongArgument(f"category: the platform knows no category {category!r}; it has {known}")
        yield from (
            job["id"] for job in jobs if (job.get("category") or {}).get("name", "").casefold() == category.casefold()
        )

"""PeoplePerHour, through the state inside its listing pages."""

from __future__ import annotations

from typing import Any

from scrapy.http import Request, Response

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.parsing.fields import (
    at,
    country_code,
    decimal_or_none,
    int_or_none,
    slug,
    text_or_markup,
    url_of,
)
from outsourcing_spiders.platforms.arguments import Either
from outsourcing_spiders.platforms.embedded_json import EmbeddedJsonSpider, Row


class PeoplePerHourSpider(EmbeddedJsonSpider):
    """Open projects of PeoplePerHour, newest first.

    Site: https://www.peopleperhour.com, mostly from the United Kingdom and in English, some 720 open projects on 37
    pages (2026-09-16), in pounds, dollars and euros.

    Access: public pages, without a login; there is no API. Their own script carries the listing as JSON.

    Terms: nothing was met that keeps programs out (2026-09-16); another reader found the paths of the listing allowed
    by robots.txt (2026-10); a review of the terms advises to ask for permission (2026-06).

    Caveats: the featured and the completed projects beside the listing are left out. Amounts are the client's own,
    where the page shows them converted for the visitor. Projects come in the order of their numbers, of which the
    times are not quite. Only one of query and category can be asked for; a query matches the platform's own
    keyword pages.
    """

    name = "peopleperhour"
    custom_settings = {"DOWNLOAD_DELAY": 2.0}

    # PlatformSpider
    access = "public"
    home = "https://www.peopleperhour.com"
    narrowed_by = frozenset({"query", "category"})
    argument_rules = (Either("query", "category"),)
    statuses = {"open": "open", "completed": "closed"}
    periods = {"fixed_price": "total", "hourly": "hour"}
    work_modes = {"remote": "remote", "remote_country": "remote", "onsite": "onsite"}

    # EmbeddedJsonSpider
    marker = "window.PPHReact.initialState"
    state_marker = "window.PPHReact.initialState="
    rows_at = ("freelanceJobs", "main", "data")
    total_at = ("freelanceJobs", "main", "meta", "total-items")
    pages_at = ("freelanceJobs", "main", "meta", "total-pages")
    page_at = ("freelanceJobs", "main", "meta", "current-page")
    id_at = "proj_id"

    def listing_request(self, page: int) -> Request:
        """One page; a category is given by its path or its name: ``design``, ``Design``, ``design/logo-design``."""
        path = "freelance-jobs"
        if self.query:
            path = f"freelance-{slug(self.query)}-jobs"
        elif self.category:
            path += "".join(f"/{slug(part)}" for part in self.category.split("/"))
        return Request(self.absolute(f"{path}?page={page}&sort=latest"))

    def record(self, row: Any, value: Any) -> Any:
        """The listing has ids, in its order; what they stand for is beside it."""
        return value["entities"]["projects"][row["id"]]["attributes"]

    def item(self, row: Row, response: Response) -> Project:
        """One project; times are in UTC, without saying so."""
        amount = decimal_or_none(row.get("budget")) or None
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=url_of(self.home, row["url"]),
            title=row["title"],
            description=text_or_markup(row["proj_desc"]) if row.get("proj_desc") else None,
            status=self.statuses.get(row.get("item_state"), "unknown"),
            budget=Budget(
                minimum=amount,
                maximum=amount,
                currency=row.get("currency"),
                period=self.periods.get(row.get("project_type")),
            ),
            category=at(row, "category", "cate_name"),
            work_mode=self.work_modes.get(row.get("location_type"), "unknown"),
            **self.posted(row.get("posted_dt"), response),
            closes_at=self.deadline(row.get("expiry_dt"), response).at,
            bid_count=int_or_none(row.get("proposalCount")),
            client=Client(country=country_code(at(row, "client", "country"))).or_none(),
            extra={
                "subcategory": at(row, "sub_category", "subcate_name"),
                "flags": sorted(name for name, on in (row.get("etiquettes") or {}).items() if on),
                "where_can_bid": row.get("where_can_bid"),
            },
        )

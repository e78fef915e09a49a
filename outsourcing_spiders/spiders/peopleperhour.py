"""PeoplePerHour, through the state inside its listing pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.items import Budget, Client, Period, Project, Status, WorkMode
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.parsing.countries import country_code
from outsourcing_spiders.parsing.markup import text_or_markup
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.parsing.text import slug
from outsourcing_spiders.platforms.embedded_json import EmbeddedJsonSpider
from outsourcing_spiders.platforms.json_rows import Row

PERIODS: dict[Any, Period] = {"fixed_price": "total", "hourly": "hour"}
STATES: dict[Any, Status] = {"open": "open", "completed": "closed"}
WORK_MODES: dict[Any, WorkMode] = {"remote": "remote", "remote_country": "remote", "onsite": "onsite"}


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

    # EmbeddedJsonSpider
    marker = "window.PPHReact.initialState"
    state_marker = "window.PPHReact.initialState="
    rows_at = ("freelanceJobs", "main", "data")
    total_at = ("freelanceJobs", "main", "meta", "total-items")
    pages_at = ("freelanceJobs", "main", "meta", "total-pages")
    page_at = ("freelanceJobs", "main", "meta", "current-page")
    id_at = "proj_id"

    @classmethod
    def check_arguments(cls, arguments: dict[str, Any]) -> None:
        """Raise `WrongArgument` for a query and a category at once, too."""
        super().check_arguments(arguments)
        if arguments.get("query") and arguments.get("category"):
            raise WrongArgument("query and category are two listings on this platform; give one of them")

    def listing_request(self, page: int) -> Request:
        """One page; a category is given by its path or its name: ``design``, ``Design``, ``design/logo-design``."""
        path = "freelance-jobs"
        if self.query:
            path = f"freelance-{slug(self.query)}-jobs"
        elif self.category:
            path += "".join(f"/{slug(part)}" for part in self.category.split("/"))
        return Request(self.absolute(f"{path}?page={page}&sort=latest"))

    def find_rows(self, state: Any) -> Iterable[Any]:
        """The listing has ids, in its order; what they stand for is beside it."""
        records = state["entities"]["projects"]
        return (records[reference["id"]]["attributes"] for reference in super().find_rows(state))

    def item(self, row: Row, response: Response) -> Project:
        """One project; times are in UTC, without saying so."""
        posted, closes = row.get("posted_dt"), row.get("expiry_dt")
        posted_at, precision = self.time(posted, response)
        amount = decimal_or_none(row.get("budget")) or None
        country = country_code((row.get("client") or {}).get("country"))
        description = row.get("proj_desc")
        extra = {
            "subcategory": (row.get("sub_category") or {}).get("subcate_name"),
            "flags": sorted(name for name, on in (row.get("etiquettes") or {}).items() if on),
            "where_can_bid": row.get("where_can_bid"),
        }
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=urljoin(self.home, row["url"]),
            title=row["title"],
            description=text_or_markup(description) if description else None,
            status=STATES.get(row.get("item_state"), "unknown"),
            budget=Budget(
                minimum=amount,
                maximum=amount,
                currency=row.get("currency"),
                period=PERIODS.get(row.get("project_type")),
            ),
            category=(row.get("category") or {}).get("cate_name"),
            work_mode=WORK_MODES.get(row.get("location_type"), "unknown"),
            posted_at=posted_at,
            posted_precision=precision,
            posted_text=posted,
            closes_at=self.deadline(closes, response).at,
            bid_count=int_or_none(row.get("proposalCount")),
            client=Client(country=country) if country else None,
            extra={key: value for key, value in extra.items() if value},
        )

"""Freemoa, through the JSON behind its listing page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from scrapy import Request
from scrapy.http import Response
from scrapy.http.cookies import CookieJar
from twisted.python.failure import Failure

from outsourcing_spiders.items import Budget, Period, Project, Status
from outsourcing_spiders.middlewares.outcomes import Skipped, end_crawl
from outsourcing_spiders.outcomes import LoginRequired, PermissionRequired, Unreachable
from outsourcing_spiders.parsing.markup import html_to_text
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.platforms.json_api import JsonPagesSpider
from outsourcing_spiders.platforms.json_rows import Row
from outsourcing_spiders.platforms.listing import ERRORS

WORK_TYPES = {"1": "도급", "2": "시간제 상주", "3": "기간제 상주"}
PERIODS: dict[str, Period] = {"1": "total", "2": "month", "3": "month"}
STATES: dict[str, Status] = {"1": "open", "0": "closed"}
WON = 10_000
"""In one 만원, in which costs are told."""
LOGIN_NEEDED = -1


class FreemoaSpider(JsonPagesSpider):
    """Projects of Freemoa (프리모아), newest first, closed ones among them.

    Site: https://www.freemoa.net, South Korea, in Korean, some 400 projects a year, in won.

    Access: public pages without a login. The page is empty; its script asks for the rows as JSON, with the cookie of
    the page, and so does this spider, under its own name. Rows hold the whole text; the address of a project's own JSON
    wants a login and is not asked.

    Terms: neither they nor robots.txt were read by us; a reader who leaves out platforms whose terms or
    robots.txt forbid programs has looked at both, and reads this one (2026-09-28).

    Caveats: the host leaves out a certificate of its chain, which `middlewares.tls` fetches. What comes without
    cookie or Referer is a page with the status 200, a block. Rows name the client's e-mail address, which goes no
    further than this file. Work on the client's premises is paid by the month, other work as a whole.
    """

    name = "freemoa"
    custom_settings = {
        "DOWNLOAD_DELAY": 2.0,
        "DOWNLOAD_HANDLERS": {"https": "outsourcing_spiders.middlewares.tls.CompletingHandler"},
    }

    # PlatformSpider
    access = "public"
    home = "https://www.freemoa.net"
    narrowed_by = frozenset({"query"})

    # ListingSpider
    zone = ZoneInfo("Asia/Seoul")
    languages = ("ko",)

    # JsonPagesSpider
    rows_at = ("DATA", "PROJECT", "LIST")
    total_at = ("DATA", "PROJECT", "PAGINATION", "totalRows")
    id_at = "proj_idx"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Of this host alone. Scrapy's own middleware asks other hosts for the list of public suffixes first.
        self.jar = CookieJar()

    async def start(self) -> AsyncIterator[Any]:
        """Ask for the page, which gives the cookie."""
        meta = {"handle_httpstatus_list": ERRORS}
        yield Request(self.absolute("m4/s41"), self.parse_shell, errback=self.shell_failed, meta=meta, dont_filter=True)

    def parse_shell(self, response: Response) -> Iterator[Request]:
        """Begin to ask for the rows."""
        if response.status in ERRORS:
            raise self.refusal(response)
        self.jar.extract_cookies(response, response.request or Request(response.url))
        yield from self.first_pages()

    def shell_failed(self, failure: Failure) -> None:
        """End the crawl; an errback."""
        if isinstance(failure.value, Skipped):
            end_crawl(self, PermissionRequired(f"{failure.value}; the listing cannot be read without that page"))
        self.failed(failure)

    def listing_request(self, page: int) -> Request:
        """Ten rows; ``sm=3`` is the order by age, ``sS`` the words that are searched for."""
        origin = f"{self.base_url.split(':')[0]}://{self.host}"
        headers = {"Referer": self.absolute("m4/s41"), "Origin": origin, "X-Requested-With": "XMLHttpRequest"}
        form = [("page", page), ("sm", 3), *([("sS", self.query)] if self.query else [])]
        request = self.api_request("m4a/s41a", headers=headers, form=form)
        self.jar.add_cookie_header(request)
        return request

    def value(self, response: Response) -> Any:
        """An answer says itself whether it is a good one."""
        answer = super().value(response)
        error = answer.get("ERROR") if isinstance(answer, dict) else None
        number = int_or_none(error.get("NO")) if isinstance(error, dict) else None
        if number == LOGIN_NEEDED:
            raise LoginRequired(f"{response.url} wants a login, which it did not before")
        if number:
            raise Unreachable(f"{response.url} answered with the platform's error {number}; try again later")
        return answer

    def item(self, row: Row, response: Response) -> Project:
        """One project; times without a zone are in Korea's."""
        kind = str(row.get("workType"))
        identity, description = self.row_id(row), html_to_text(row.get("txt") or "")
        posted = row.get("INS_TIME")
        posted_at, precision = self.time(posted, response)
        extra = {
            "subcategory": row.get("fld_nm_2nd"),
            "days": int_or_none(row.get("during")),
            "work_type": WORK_TYPES.get(kind),
            "plan": row.get("plan_nm"),
        }
        return Project(
            platform=self.name,
            external_id=identity,
            url=f"{self.home}/m4/s41?first_pno={identity}",
            title=html_to_text(row["title"] or ""),
            description=description or None,
            description_complete=bool(description),
            status=STATES.get(str(row.get("isNowApply")), "unknown"),
            budget=budget(row, PERIODS.get(kind)),
            skills=[name.strip() for name in (row.get("proj_language") or "").split(",") if name.strip()],
            category=row.get("fld"),
            work_mode="onsite" if kind in ("2", "3") else "unknown",
            location=row.get("pv_smallnm"),
            posted_at=posted_at,
            posted_precision=precision,
            posted_text=posted if posted_at else None,
            closes_at=self.deadline(row.get("endtime"), response).at or self.deadline(row.get("edate"), response).at,
            bid_count=int_or_none(row.get("ALL_APPLY_COUNT")),
            extra={key: value for key, value in extra.items() if value},
        )


def budget(row: Row, period: Period | None) -> Budget | None:
    """Return the costs of a row in won; 0 is none."""
    minimum, maximum = won(row.get("cost_min")), won(row.get("cost_max"))
    if minimum is None and maximum is None:
        return None
    return Budget(minimum=minimum, maximum=maximum, currency="KRW", period=period)


def won(cost: Any) -> Decimal | None:
    """Return an amount in won that is told in 만원, with or without commas: ``"1,200"``."""
    amount = decimal_or_none(cost.replace(",", "") if isinstance(cost, str) else cost)
    return amount * WON if amount else None

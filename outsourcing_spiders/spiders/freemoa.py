"""Freemoa, through the JSON behind its listing page."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from scrapy.http import Request, Response

from outsourcing_spiders.items import Budget, Project
from outsourcing_spiders.outcomes import LoginRequired, Unreachable
from outsourcing_spiders.parsing.fields import budget_of, count_or_none, given, html_to_text, int_or_none
from outsourcing_spiders.platforms.json_api import JsonPagesSpider, Row
from outsourcing_spiders.platforms.session import SessionSpider

LOGIN_NEEDED = -1
NO_DATE = "0000-00-00 00:00:00"
# Costs are told in 만원, ten thousand won.
MANWON = 10_000


class FreemoaSpider(SessionSpider, JsonPagesSpider):
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
    zone = ZoneInfo("Asia/Seoul")
    languages = ("ko",)
    private_keys = ("client_id",)
    narrowed_by = frozenset({"query"})
    statuses = {"1": "open", "0": "closed"}
    periods = {"1": "total", "2": "month", "3": "month"}
    work_modes = {"2": "onsite", "3": "onsite"}
    work_types = {"1": "도급", "2": "시간제 상주", "3": "기간제 상주"}

    # SessionSpider
    session_page = "m4/s41"

    # JsonPagesSpider
    rows_at = ("DATA", "PROJECT", "LIST")
    total_at = ("DATA", "PROJECT", "PAGINATION", "totalRows")
    id_at = "proj_idx"

    def listing_request(self, page: int) -> Request:
        """Ten rows; ``sm=3`` is the order by age, ``sS`` the words that are searched for."""
        return self.in_session(self.api_request("m4a/s41a", form=given({"page": page, "sm": 3, "sS": self.query})))

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
        kind, description = str(row.get("workType")), html_to_text(row.get("txt") or "") or None
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=f"{self.home}/m4/s41?first_pno={self.row_id(row)}",
            title=html_to_text(row["title"] or ""),
            description=description,
            description_complete=description is not None,
            status=self.statuses.get(str(row.get("isNowApply")), "unknown"),
            budget=self.budget(row, kind),
            skills=[name.strip() for name in (row.get("proj_language") or "").split(",") if name.strip()],
            category=row.get("fld"),
            work_mode=self.work_modes.get(kind, "unknown"),
            location=row.get("pv_smallnm"),
            **self.posted(None if row.get("INS_TIME") == NO_DATE else row.get("INS_TIME"), response),
            closes_at=self.deadline(row.get("endtime"), response).at or self.deadline(row.get("edate"), response).at,
            bid_count=count_or_none(row.get("ALL_APPLY_COUNT")),
            extra={
                "subcategory": row.get("fld_nm_2nd"),
                "days": int_or_none(row.get("during")),
                "work_type": self.work_types.get(kind),
                "plan": row.get("plan_nm"),
                "start": row.get("BEGIN_EXPECT"),
                "flags": [name for name in ("escrow", "nda") if str(row.get(f"is{name}")) == "1"],
            },
        )

    def budget(self, row: Row, kind: str) -> Budget | None:
        """The costs; none when both are 0 or not given."""
        costs = row.get("cost_min"), row.get("cost_max")
        told = budget_of(*costs, unit=MANWON, currency="KRW", period=self.periods.get(kind))
        return told if told.minimum or told.maximum else None

"""Wishket (위시켓), through the JSON twin of its listing and the JSON-LD of the projects' own pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urljoin
from zoneinfo import ZoneInfo

from parsel import Selector
from scrapy.http import Request, Response

from outsourcing_spiders.items import Client, Project
from outsourcing_spiders.parsing.fields import count_or_none, decimal_or_none, given, parse_budget, parse_deadline
from outsourcing_spiders.parsing.lzstring import compress_to_base64
from outsourcing_spiders.platforms.arguments import OneOf, Without
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider, text_of, texts_of
from outsourcing_spiders.platforms.job_posting import JobPostingSpider

CATEGORIES = ("development", "design", "planning", "marketing", "etc")
ADDRESS = re.compile(r"(?:https?://[^/?#]+)?/project/(\d+)(?![^/?#])")


class WishketSpider(JobPostingSpider, HtmlCardsSpider):
    """Projects of Wishket, newest first.

    Site: https://www.wishket.com, in Korean, for tasks by a sum (외주) and terms by the month on site (기간제), in won;
    some 495 pages of ten projects in a year (2026-10).

    Access: public pages, without a login; there is no API. The listing is read from the JSON that the page's own
    scripts ask for: the same cards, and how many there are in all, which the page does not tell. A saved page, or
    one that comes in its place, is read as well.

    Terms: they forbid crawling; one Korean aggregator leaves the platform out for that reason (2026-09-28).
    robots.txt wants five seconds between requests. So nothing is read without the platform's permission.

    Caveats: of a project's page, the description of the work and the requirements are for members only. Where the page
    says so, they are left empty, with ``login_only`` in `extra`, but for a description in its JSON-LD. A project in
    private matching shows its title, and its page is not asked for. Deadlines are counted in days on the cards, and
    end at 23:59 in Korea, as on the projects' pages. Projects have the day when they were posted, not the hour.
    Characters such as ``&`` cannot be asked for.
    """

    name = "wishket"
    custom_settings = {"DOWNLOAD_DELAY": 5.0}

    # PlatformSpider
    access = "permission"
    home = "https://www.wishket.com"
    zone = ZoneInfo("Asia/Seoul")
    languages = ("ko",)
    statuses = {".recruiting-mark": "open", ".status-mark:contains('마감')": "closed"}
    work_modes = {"기간제": "onsite"}
    narrowed_by = frozenset({"query", "category"})
    # Whether the platform takes those characters as they are, or escaped, is not known.
    argument_rules = (OneOf("category", CATEGORIES), Without("query", "&+%"))

    # HtmlCardsSpider; the class around a card is not that of 2023, what is in it is
    marker = ('"result"', "projectListView")
    card = "div:has(> .project-organic-info)"
    cards_at = ("result",)
    total_at = ("count",)
    page_size = 10
    next_page = ".pagination .page-link:contains('다음')"

    # JobPostingSpider
    detail_marker = "project-detail-view"
    posting_page = ".project-detail-view"
    members_only = ("로그인하고 ", ("description", "requirements"))

    def listing_request(self, page: int) -> Request:
        """One page; its query is one packed text, in which a comma and Korean stand as they are."""
        asked = {"srt": "new", "c": self.category and self.category.casefold(), "s": self.query, "page": page}
        query = "&".join(f"{name}={value}" for name, value in given(asked))
        return self.twin_request(f"project/?d={quote(compress_to_base64(query), safe='')}")

    def row_id(self, card: Selector) -> str:
        """Return the number in the address of the project's page."""
        # Of an address that is no project's, None has no [1]: a TypeError.
        return ADDRESS.match(card.css("a.project-link").attrib["href"])[1]  # type: ignore[index]

    def item(self, card: Selector, response: Response) -> Project:
        """One project; the card of one in private matching has its title, address and state alone."""
        kind, role = text_of(card, ".project-type-mark"), text_of(card, ".project-category-or-role")
        chips, badges = texts_of(card, ".skill-chip"), texts_of(card, ".badge-box span")
        return Project(
            platform=self.name,
            external_id=self.row_id(card),
            url=urljoin(self.home, card.css("a.project-link").attrib["href"]),
            title=text_of(card, "a.project-link") or "",
            description_complete=False,
            status=next((status for css, status in self.statuses.items() if card.css(css)), "unknown"),
            budget=parse_budget(text_of(card, ".budget")),
            skills=[chip.partition(" · ")[0] for chip in chips],
            category=role if kind not in self.work_modes else None,
            work_mode=self.work_modes.get(kind, "unknown"),
            location=text_of(card, ".location-data"),
            **self.posted((text_of(card, ".start-recruitment-data") or "").lstrip("· "), response),
            closes_at=self.closes_at(text_of(card, ".info-detail:contains('마감')"), response),
            bid_count=number(text_of(card, ".info-detail:contains('지원자')"), "명"),
            client=Client(rating=decimal_or_none(badges[-1]) or None) if badges else None,
            extra={
                "private": bool(card.css(".private-mark")),
                "type": kind,
                "days": number(text_of(card, ".term"), "일"),
                "role": role if kind in self.work_modes else None,
                "level": text_of(card, ".project-level"),
                "start": text_of(card, ".launch-date span"),
                "experience": [chip for chip in chips if " · " in chip],
                "client_certified": "인증 완료" in badges,
            },
        )

    def closes_at(self, text: str | None, response: Response) -> datetime | None:
        """Return the end of the day that "마감 2주 2일 전" or "마감 3시간 전" leads to: the same at every look."""
        # Whole days are rounded down: in the last minute of a day they would lead to the day before.
        answered_at = self.answered_at(response) + timedelta(seconds=59)
        at = parse_deadline(text, answered_at=answered_at, zone=self.zone, languages=self.languages).at
        return at and at.astimezone(self.zone).replace(hour=23, minute=59, second=0, microsecond=0).astimezone(UTC)

    def detail_request(self, item: Project) -> Request | None:
        """Nothing more is to be seen of a project in private matching."""
        return None if item.extra.get("private") else super().detail_request(item)


def number(text: str | None, unit: str) -> int | None:
    """Return the whole number before `unit` at the end of a text; 0 where it ends in 없음, which is "none"."""
    found = re.search(rf"(?:([\d,]+)\s*{unit}|없음)$", text or "")
    return count_or_none(found[1] or "0") if found else None

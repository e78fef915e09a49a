"""Wishket (위시켓), through the JSON twin of its listing and the JSON-LD of the projects' own pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urljoin
from zoneinfo import ZoneInfo

from parsel import Selector
from scrapy import Request
from scrapy.http import Response, TextResponse

from outsourcing_spiders.items import Client, Project
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.parsing.budgets import parse_budget
from outsourcing_spiders.parsing.dates import parse_deadline
from outsourcing_spiders.parsing.embedded import StateMissing, job_postings
from outsourcing_spiders.parsing.lzstring import compress_to_base64
from outsourcing_spiders.parsing.markup import html_to_text
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider, text_of
from outsourcing_spiders.platforms.listing import Page

CATEGORIES = ("development", "design", "planning", "marketing", "etc")
PAGE_SIZE, ON_SITE, CLOSED_MARK = 10, "기간제", ".status-mark:contains('마감')"
ADDRESS = re.compile(r"(?:https?://[^/?#]+)?/project/(\d+)(?![^/?#])")


class WishketSpider(DetailPagesSpider, HtmlCardsSpider):
    """Projects of Wishket, newest first.

    Site: https://www.wishket.com, in Korean, for tasks by a sum (외주) and terms by the month on site (기간제), in won;
    some 495 pages of ten projects in a year (2026-10).

    Access: public pages, without a login; there is no API. The listing is read from the JSON that the page's own
    scripts ask for: the same cards, and how many there are in all, which the page does not tell. A saved page, or
    one that comes in its place, is read as well.

    Terms: they forbid crawling; one Korean aggregator leaves the platform out for that reason (2026-09-28).
    robots.txt wants five seconds between requests. So nothing is read without the platform's permission.

    Caveats: of a project's page, the description of the work and the requirements may be for members only; where
    its JSON-LD has no description, it is left empty, with ``login_only`` in `extra`. A project in private matching
    shows its title, and its page is not asked for. Deadlines are counted in days on the cards, and end at 23:59 in
    Korea, as on the projects' pages. Projects have the day when they were posted, not the hour. Characters such as
    ``&`` cannot be asked for.
    """

    name = "wishket"
    custom_settings = {"DOWNLOAD_DELAY": 5.0}

    # PlatformSpider
    access = "permission"
    home = "https://www.wishket.com"
    narrowed_by = frozenset({"query", "category"})

    # ListingSpider
    zone = ZoneInfo("Asia/Seoul")
    languages = ("ko",)

    # HtmlCardsSpider; the class around a card is not that of 2023, what is in it is
    marker = ('"result"', "projectListView")
    card = "div:has(> .project-organic-info)"
    cards_at = ("result",)
    total_at = ("count",)
    next_page = ".pagination .page-link:contains('다음')"

    # DetailPagesSpider
    detail_marker = "project-detail-view"

    @classmethod
    def check_arguments(cls, arguments: dict[str, Any]) -> None:
        """Raise `WrongArgument` for an unknown category, and for a query that may mean something else, too."""
        super().check_arguments(arguments)
        category = str(arguments.get("category") or "").strip().casefold()
        if category and category not in CATEGORIES:
            raise WrongArgument(f"category: the platform has no {category!r}; it has {', '.join(CATEGORIES)}")
        # Whether the platform takes them as they are, or escaped, is not known.
        if unsure := set("&+%").intersection(str(arguments.get("query") or "")):
            raise WrongArgument(f"query: {min(unsure)!r} cannot be asked for on this platform; leave it out")

    def listing_request(self, page: int) -> Request:
        """One page; its query is one packed text, in which a comma and Korean stand as they are."""
        asked = {"srt": "new", "c": self.category and self.category.casefold(), "s": self.query, "page": page}
        query = "&".join(f"{name}={value}" for name, value in asked.items() if value)
        return self.twin_request(f"project/?d={quote(compress_to_base64(query), safe='')}")

    def page(self, response: Response) -> Page[Selector]:
        """Tell the last page by how many projects there are, where the twin says it."""
        page = super().page(response)
        place = response.cb_kwargs.get("place") if response.request else None
        if page.total is not None and place is not None:
            # A page without any is no full one: what should be on it comes at a second look, or is missing.
            page.is_last = (place if page.rows else place - 1) * PAGE_SIZE >= page.total
        return page

    def row_id(self, card: Selector) -> str:
        """Return the number in the address of the project's page."""
        # Of an address that is no project's, None has no [1]: a TypeError.
        return ADDRESS.match(card.css("a.project-link").attrib["href"])[1]  # type: ignore[index]

    def item(self, card: Selector, response: Response) -> Project:
        """One project; the card of one in private matching has its title, address and state alone."""
        kind, role = text_of(card, ".project-type-mark"), text_of(card, ".project-category-or-role")
        posted = (text_of(card, ".start-recruitment-data") or "").lstrip("· ") or None
        posted_at, precision = self.time(posted, response)
        rating = decimal_or_none((card.css(".badge-box span::text").getall() or [""])[-1])
        extra = {
            "private": bool(card.css(".private-mark")), "type": kind, "days": number(text_of(card, ".term"), "일"),
            "role": role if kind == ON_SITE else None, "level": text_of(card, ".project-level"),
            "start": text_of(card, ".launch-date span"),
        }  # fmt: skip
        return Project(
            platform=self.name,
            external_id=self.row_id(card),
            url=urljoin(self.home, card.css("a.project-link").attrib["href"]),
            title=text_of(card, "a.project-link") or "",
            description_complete=False,
            status="open" if card.css(".recruiting-mark") else "closed" if card.css(CLOSED_MARK) else "unknown",
            budget=parse_budget(text_of(card, ".budget")),
            skills=[chip.partition(" · ")[0].strip() for chip in card.css(".skill-chip::text").getall()],
            category=role if kind != ON_SITE else None,
            work_mode="onsite" if kind == ON_SITE else "unknown",
            location=text_of(card, ".location-data"),
            posted_at=posted_at,
            posted_precision=precision,
            posted_text=posted,
            closes_at=self.closes_at(text_of(card, ".info-detail:contains('마감')"), response),
            bid_count=number(text_of(card, ".info-detail:contains('지원자')"), "명"),
            client=Client(rating=rating or None) if card.css(".client-info") else None,
            extra={key: value for key, value in extra.items() if value},
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

    def detail(self, item: Project, response: Response) -> Project:
        """Add what only the project's page has; what a card has, too, is renewed from there at each look."""
        if not isinstance(response, TextResponse) or not response.css(".project-detail-view"):
            raise ValueError("no project on the page")
        try:
            posting = job_postings(response.selector)[0]
        except StateMissing:
            posting = {}
        item.description = html_to_text(posting.get("description") or "") or None
        # Whatever members see beyond it, a visitor sees no more.
        item.description_complete = item.description is not None
        if item.description is None:
            item.extra["login_only"] = ["description"]
        if item.posted_at is None and (posted := posting.get("datePosted")):
            (item.posted_at, item.posted_precision), item.posted_text = self.time(posted, response), posted
        return item


def number(text: str | None, unit: str) -> int | None:
    """Return the whole number before `unit` at the end of a text; 0 where it ends in 없음, which is "none"."""
    found = re.search(rf"(?:([\d,]+)\s*{unit}|없음)$", text or "")
    return int_or_none((found[1] or "0").replace(",", "")) if found else None

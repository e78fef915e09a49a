"""Guru.com, through the cards of its job listing and the posting data of its job pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin

from parsel import Selector
from scrapy import Request
from scrapy.http import Response, TextResponse

from outsourcing_spiders.items import Client, Project
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.parsing.budgets import parse_budget
from outsourcing_spiders.parsing.countries import country_code
from outsourcing_spiders.parsing.embedded import StateMissing, job_postings, state_after
from outsourcing_spiders.parsing.markup import html_to_text, text_or_markup
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.parsing.text import slug
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider, text_of, texts_of


class GuruSpider(DetailPagesSpider, HtmlCardsSpider):
    """Open jobs of Guru.com, newest first.

    Site: https://www.guru.com, worldwide, some 220 open jobs on 12 pages (2026-09), with amounts in dollars.

    Access: public pages, without a login. The listing tells all but the full text, the currency and whether the work
    is remote: those are in the posting data of a job's page, asked for where the card has no text or a cut one.

    Terms: robots.txt answers 406 or 403 to plain programs, and then forbids nothing by RFC 9309; another reader found
    that it allows the pages of skills (2026-10-01, of which the day is not known). The terms were not found.

    Caveats: a content network (Imperva) keeps whole networks out. Days are in UTC, as the posting data have them.
    The salary in the posting data is by the year whatever the job pays: amounts and what they are for come from the
    card. Its dollars are US dollars where the posting data say so, else of an unknown country. A query goes with
    nothing else, and skills are one at a time.
    """

    name = "guru"
    custom_settings = {"DOWNLOAD_DELAY": 2.0}

    # PlatformSpider
    access = "public"
    home = "https://www.guru.com"
    narrowed_by = frozenset({"query", "skills", "category"})

    # HtmlCardsSpider
    marker = "window.__pageData"
    card = "#serviceList .jobRecord"
    next_page = "#ctl00_guB_ulpaginate a[href$='/pg/{next}/']"

    # DetailPagesSpider
    detail_marker = ("JobPosting", "jobHeading__title")

    @classmethod
    def check_arguments(cls, arguments: dict[str, Any]) -> None:
        """Raise `WrongArgument` for what no address of the platform stands for, too."""
        super().check_arguments(arguments)
        if arguments.get("query") and (arguments.get("skills") or arguments.get("category")):
            raise WrongArgument("a query is a listing of its own on this platform; leave skills and category out")
        if len([skill for skill in str(arguments.get("skills") or "").split(",") if skill.strip()]) > 1:
            raise WrongArgument("skills: this platform lists one skill at a time; give one")
        for name in ("skills", "category"):
            if not all(map(slug, str(arguments.get(name) or "any").split("/"))):
                raise WrongArgument(f"{name}={arguments[name]!r} has no letters or digits of the platform's addresses")

    def listing_request(self, page: int) -> Request:
        """One page; skill and category by name or as in the site's addresses, ``category/sub-category`` too."""
        parts = [("q", "-".join(quote(word, safe="") for word in (self.query or "").split()))]
        parts += zip(("c", "sc"), map(slug, (self.category or "").split("/")), strict=False)
        parts += [("skill", slug(skill)) for skill in self.skills]
        parts += [("pg", str(page))] if page > 1 else []
        return Request(self.absolute("d/jobs/" + "".join(f"{name}/{value}/" for name, value in parts if value)))

    def total(self, response: TextResponse) -> int | None:
        """The page's own scripts have the counts, and nothing else."""
        return int_or_none(state_after(response.text, "window.__pageData=").get("TotalResults"))

    def row_id(self, card: Selector) -> str:
        """The job's number."""
        return card.attrib["data-gid"]

    def item(self, card: Selector, response: Response) -> Project:
        """One job; a bare ``$`` names no currency, and no sign of verification does not say that there was none."""
        link = card.css("h2.jobRecord__title a")[0]
        facts = texts_of(card, ".jobRecord__meta strong")
        posted = next((text for text in facts if "Quote" not in text), None)
        quotes = next((text.split()[0] for text in facts if "Quote" in text), None)
        posted_at, precision = self.time(posted, response)
        terms = texts_of(card, ".jobRecord__budget > strong")
        # How much work there is, and for how long, is no amount.
        if budget := parse_budget(" | ".join(terms[:2])):
            budget.text = " | ".join(terms)
        categories = [*texts_of(card, ".skillsList__skill.greyBackground a"), None, None]
        description = text_of(card, ".jobRecord__desc")
        extra = {
            "subcategory": categories[1],
            "hours": next((term for term in terms if term.endswith("hrs/wk")), None),
            "duration": next((term for term in terms if "month" in term), None),
            "preferred_locations": texts_of(card, ".jobLocations__top"),
        }
        return Project(
            platform=self.name,
            external_id=self.row_id(card),
            url=urljoin(self.home, link.attrib["href"].partition("&SearchUrl=")[0]),
            title=text_of(card, "h2.jobRecord__title a") or "",
            description=description,
            description_complete=description is not None and not description.endswith("…"),
            status="open",
            budget=budget,
            skills=texts_of(card, ".skillsList__skill--hasHover"),
            category=categories[0],
            posted_at=posted_at,
            posted_precision=precision,
            posted_text=posted,
            closes_at=self.deadline(text_of(card, ".record__header__action--full .copy"), response).at,
            bid_count=0 if quotes == "No" else int_or_none(quotes),
            client=client(card),
            extra={key: value for key, value in extra.items() if value},
        )

    def detail(self, item: Project, response: Response) -> Project:
        """The text in full; without posting data what the page shows, which may be cut for visitors."""
        try:
            posting = job_postings(response.selector)[0]  # type: ignore[attr-defined]
        except StateMissing:
            shown = html_to_text(response.css("pre.jobDetails__description")[0]).removesuffix("Show more").rstrip()
            item.description, item.description_complete = shown or None, not shown.endswith("…")
            return item
        text = posting["description"]
        item.description = text_or_markup(text) or None
        item.description_complete = True
        item.work_mode = "remote" if posting.get("jobLocationType") == "TELECOMMUTE" else "unknown"
        if item.budget and (item.budget.minimum or item.budget.maximum):
            item.budget.currency = (posting.get("baseSalary") or {}).get("currency")
        if item.posted_at is None:
            item.posted_text = posting.get("datePosted")
            item.posted_at, item.posted_precision = self.time(item.posted_text, response)
        # Of its time only the day is meant.
        item.closes_at = item.closes_at or self.deadline((posting.get("validThrough") or "")[:10], response).at
        return item


def client(card: Selector) -> Client | None:
    """Return what a card tells of the client; a score is told in per cent."""
    country = country_code(text_of(card, ".freelancerAvatar__subText strong"))
    score = text_of(card, ".feedback-score") or ""
    rating = decimal_or_none(score.removesuffix("%")) if score.endswith("%") else None
    is_verified = bool(card.css("[title='Payment Method Verified']")) or None
    found = Client(country=country, rating=None if rating is None else rating / 20, verified=is_verified)
    return None if found == Client() else found

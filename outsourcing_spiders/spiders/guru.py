"""Guru.com, through the cards of its job listing and the posting data of its job pages."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

from parsel import Selector
from scrapy.http import Request, Response, TextResponse

from outsourcing_spiders.items import Client, Project
from outsourcing_spiders.parsing.embedded import state_after
from outsourcing_spiders.parsing.fields import count_or_none, country_code, decimal_or_none, parse_budget, slug, url_of
from outsourcing_spiders.platforms.arguments import Either, InAddresses, OneOnly
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider, paragraphs_of, text_of, texts_of
from outsourcing_spiders.platforms.job_posting import JobPostingSpider


class GuruSpider(JobPostingSpider, HtmlCardsSpider):
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
    argument_rules = (Either("query", ("skills", "category")), OneOnly("skills"), InAddresses("skills", "category"))

    # HtmlCardsSpider
    marker = "window.__pageData"
    card = "#serviceList .jobRecord"
    next_page = "#ctl00_guB_ulpaginate a[href$='/pg/{next}/']"

    # JobPostingSpider
    detail_marker = ("JobPosting", "jobHeading__title")
    shown_text = "pre.jobDetails__description"
    after_shown_text = "Show more"
    ends_with_the_day = True

    def listing_request(self, page: int) -> Request:
        """One page; skill and category by name or as in the site's addresses, ``category/sub-category`` too."""
        parts = [("q", "-".join(quote(word, safe="") for word in (self.query or "").split()))]
        parts += zip(("c", "sc"), map(slug, (self.category or "").split("/")), strict=False)
        parts += [("skill", slug(skill)) for skill in self.skills]
        parts += [("pg", str(page))] if page > 1 else []
        return Request(self.absolute("d/jobs/" + "".join(f"{name}/{value}/" for name, value in parts if value)))

    def total(self, response: TextResponse) -> int | None:
        """The page's own scripts have the counts, and nothing else."""
        return count_or_none(state_after(response.text, "window.__pageData=").get("TotalResults"))

    def row_id(self, card: Selector) -> str:
        """The job's number."""
        return card.attrib["data-gid"]

    def item(self, card: Selector, response: Response) -> Project:
        """One job; a bare ``$`` names no currency, and no sign of verification does not say that there was none."""
        link = card.css("h2.jobRecord__title a")[0]
        facts = texts_of(card, ".jobRecord__meta strong")
        posted = next((text for text in facts if "Quote" not in text), None)
        quotes = next((text.split()[0] for text in facts if "Quote" in text), None)
        terms = texts_of(card, ".jobRecord__budget > strong")
        # How much work there is, and for how long, is no amount.
        if budget := parse_budget(" | ".join(terms[:2])):
            budget.text = " | ".join(terms)
        categories = [*texts_of(card, ".skillsList__skill.greyBackground a"), None, None]
        description = paragraphs_of(card, ".jobRecord__desc")
        return Project(
            platform=self.name,
            external_id=self.row_id(card),
            url=url_of(self.home, link.attrib["href"].partition("&SearchUrl=")[0]),
            title=text_of(card, "h2.jobRecord__title a") or "",
            description=description,
            description_complete=description is not None and not description.endswith("…"),
            status="open",
            budget=budget,
            skills=texts_of(card, ".skillsList__skill--hasHover"),
            category=categories[0],
            **self.posted(posted, response),
            closes_at=self.deadline(text_of(card, ".record__header__action--full .copy"), response).at,
            bid_count=0 if quotes == "No" else count_or_none(quotes),
            client=Client(
                country=country_code(text_of(card, ".freelancerAvatar__subText strong")),
                rating=rating(text_of(card, ".feedback-score")),
                verified=bool(card.css("[title='Payment Method Verified']")) or None,
            ).or_none(),
            extra={
                "subcategory": categories[1],
                "hours": next((term for term in terms if term.endswith("hrs/wk")), None),
                "duration": next((term for term in terms if "month" in term), None),
                "preferred_locations": texts_of(card, ".jobLocations__top"),
            },
        )


def rating(score: str | None) -> Decimal | None:
    """Return the rating of a client, whose score is told in per cent."""
    percent = decimal_or_none(score.removesuffix("%")) if score and score.endswith("%") else None
    return None if percent is None else percent / 20

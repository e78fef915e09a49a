"""Projects whose own page says what the listing leaves out as a JobPosting of schema.org, in JSON-LD."""

from __future__ import annotations

from itertools import chain
from typing import ClassVar

from scrapy.http import Response, TextResponse

from outsourcing_spiders.items import Project
from outsourcing_spiders.parsing.embedded import StateMissing, StateUnreadable, job_postings
from outsourcing_spiders.parsing.fields import html_to_text, parse_budget, text_or_markup
from outsourcing_spiders.parsing.text import clean_paragraphs
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.json_rows import Row

__all__ = ["JobPostingSpider", "Row"]


class JobPostingSpider(DetailPagesSpider):
    """Take the description from a project's page, and what the listing left unknown; stands before the listing's base.

    Where the data say of pay in fields, the currency alone is read: pages fill in the year, whatever the job pays.
    """

    posting_page: ClassVar[str | None] = None
    """CSS of what every page of a project has, where not all of them hold a posting."""
    shown_text: ClassVar[str | None] = None
    """CSS of the text on the page, which is read where no posting has one; it may be cut for visitors."""
    after_shown_text: ClassVar[str] = ""
    """What stands after a text that was cut, such as the name of a button."""
    members_only: ClassVar[tuple[str, tuple[str, ...]] | None] = None
    """Words that a page shows in place of what only members see, and names of what that is, fields of `Project` or not.

    Those of them that the posting does not tell are noted as ``login_only`` in `extra`. Without such words, a page that
    has no text is one of another shape.
    """
    ends_with_the_day: ClassVar[bool] = False
    """Whether the hour of ``validThrough`` means nothing, and the end of that day is meant."""

    def detail(self, item: Project, response: Response) -> Project:
        """Return the item with what the page says; raises `ValueError` when it is not of the known shape."""
        if not isinstance(response, TextResponse) or (self.posting_page and not response.css(self.posting_page)):
            raise ValueError("no project on the page")
        return self.with_posting(item, self.posting_of(item, response), response)

    def posting_of(self, item: Project, response: TextResponse) -> Row:
        """Return the project's posting; an empty one where the page has none, or one that is not needed for the text.

        The only one on the page is the project's; of several, such as those of similar projects, the one with its
        number, else with its title. Raises `ValueError` where the postings cannot be read, and no text is shown.
        """
        try:
            postings = job_postings(response.selector)
        except StateMissing:
            return {}
        except StateUnreadable:
            # What clients type is not always escaped in a script, such as that of a 24" monitor.
            if not self.shown(response):
                raise
            return {}
        if len(postings) == 1:
            return postings[0]
        with_number = (posting for posting in postings if number_of(posting) == item.external_id)
        with_title = [posting for posting in postings if title_of(posting) == " ".join(item.title.split())]
        without_number = (posting for posting in with_title if not number_of(posting))
        # One with another number may be another project of that title; what the page shows is this one's.
        return next(chain(with_number, without_number, () if self.shown(response) else with_title), {})

    def locked_parts(self, response: TextResponse) -> tuple[str, ...]:
        """Return the names of what the page says that only members see; what a script writes is no part of that."""
        if self.members_only is None:
            return ()
        words, parts = self.members_only
        shown = response.xpath("//text()[not(parent::script)][contains(., $words)]", words=words)
        return parts if shown else ()

    def with_posting(self, item: Project, posting: Row, response: TextResponse) -> Project:
        """Return the item with what the posting says, or the page in its place."""
        locked = self.locked_parts(response)
        if text := text_in(posting):
            # Whatever members see beyond it, a visitor sees no more.
            item.description, item.description_complete = text, True
        elif "description" in locked:
            item.description, item.description_complete = None, True
        elif shown := self.shown(response):
            item.description, item.description_complete = shown, not shown.endswith("…")
        elif shown is not None and not item.description:
            # The place for a text is empty, and nothing tells of one.
            item.description_complete = True
        else:
            raise ValueError("neither a JobPosting of the project with a description nor its text on the page")
        if locked:
            item.extra["login_only"] = [part for part in locked if not getattr(item, part, None)]
        if posting.get("jobLocationType") == "TELECOMMUTE":
            item.work_mode = "remote"
        salary, ends = posting.get("baseSalary"), posting.get("validThrough")
        if item.budget is None and isinstance(salary, str):
            item.budget = parse_budget(salary)
        if item.budget and item.budget.currency is None and (item.budget.minimum or item.budget.maximum):
            item.budget.currency = salary.get("currency") if isinstance(salary, dict) else None
        if item.closes_at is None and isinstance(ends, str):
            item.closes_at = self.deadline(ends[:10] if self.ends_with_the_day else ends, response).at
        if item.posted_at is None and (posted := posting.get("datePosted")):
            told = self.posted(posted, response)
            item.posted_at, item.posted_precision = told["posted_at"], told["posted_precision"]
            item.posted_text = told["posted_text"]
        return item

    def shown(self, response: TextResponse) -> str | None:
        """Return the text that the page shows; ``None`` where it has no place for one."""
        places = response.css(self.shown_text) if self.shown_text is not None else ()
        return html_to_text(places[0]).removesuffix(self.after_shown_text).rstrip() if places else None


def text_in(posting: Row) -> str:
    """Return the description in a posting; nothing where it is missing, blank or no text."""
    told = posting.get("description")
    return clean_paragraphs(text_or_markup(told)) if isinstance(told, str) else ""


def number_of(posting: Row) -> str:
    """Return the number of the project that a posting is of; nothing where it is not told."""
    identifier = posting.get("identifier")
    return str((identifier.get("value") if isinstance(identifier, dict) else identifier) or "")


def title_of(posting: Row) -> str | None:
    """Return the title in a posting, on one line."""
    title = posting.get("title")
    return " ".join(text_or_markup(title).split()) if isinstance(title, str) else None

"""Projects whose own page says what the listing leaves out as a JobPosting of schema.org, in JSON-LD."""

from __future__ import annotations

from typing import ClassVar

from scrapy.http import Response, TextResponse

from outsourcing_spiders.items import Project
from outsourcing_spiders.parsing.embedded import StateMissing, job_postings
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
    """CSS of the text on the page, which is read where there is no posting; it may be cut for visitors."""
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
        try:
            posting = job_postings(response.selector)[0]
        except StateMissing:
            if self.shown_text is not None:
                return self.as_shown(item, response, self.shown_text)
            posting = {}
        return self.with_posting(item, posting, response)

    def locked_parts(self, response: TextResponse) -> tuple[str, ...]:
        """Return the names of what the page says that only members see; what a script writes is no part of that."""
        if self.members_only is None:
            return ()
        words, parts = self.members_only
        shown = response.xpath("//text()[not(parent::script)][contains(., $words)]", words=words)
        return parts if shown else ()

    def with_posting(self, item: Project, posting: Row, response: TextResponse) -> Project:
        """Return the item with what the posting says."""
        locked, text = self.locked_parts(response), posting.get("description")
        if text is None and "description" not in locked:
            raise ValueError("no JobPosting with a description on the page")
        item.description = clean_paragraphs(text_or_markup(text or "")) or None
        # Whatever members see beyond it, a visitor sees no more.
        item.description_complete = True
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

    def as_shown(self, item: Project, response: TextResponse, css: str) -> Project:
        """Return the item with the text that the page shows."""
        shown = html_to_text(response.css(css)[0]).removesuffix(self.after_shown_text).rstrip()
        item.description, item.description_complete = shown or None, not shown.endswith("…")
        return item

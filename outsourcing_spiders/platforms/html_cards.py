"""Pages that show their listing as cards, and nowhere else."""

from __future__ import annotations

from functools import reduce
from operator import getitem
from typing import Any, ClassVar

from parsel import Selector, SelectorList
from scrapy import Request
from scrapy.http import Response, TextResponse

from outsourcing_spiders.outcomes import LayoutChanged
from outsourcing_spiders.parsing.markup import html_to_text, one_line
from outsourcing_spiders.parsing.money import int_or_none
from outsourcing_spiders.platforms.json_api import decode
from outsourcing_spiders.platforms.listing import ERRORS, ListingSpider, Page


class HtmlCardsSpider(ListingSpider[Selector]):
    """Read a listing from the elements that stand for its projects, by CSS selectors.

    The page may have a twin: the same cards inside JSON (`cards_at`), which `twin_request` asks for.
    """

    card: ClassVar[str]
    """CSS of what stands for one project."""
    next_page: ClassVar[str | None] = None
    """CSS of what is on every page but the last one; ``{next}`` in it is the number of the next page."""
    no_results: ClassVar[str | None] = None
    """CSS of what only a page without results holds, where the platform says it so and tells no total."""
    cards_at: ClassVar[tuple[str, ...] | None] = None
    """Keys that lead to the markup of the cards in the page's twin, where that is what is read."""
    page_size: ClassVar[int | None] = None
    """Cards on a full page, where the total alone tells which page is the last."""
    total_at: ClassVar[tuple[str, ...]] = ()
    """Keys that lead to how many rows the listing has, in the twin."""

    def total(self, response: TextResponse) -> int | None:
        """Return how many rows the listing says that it has, where a page says it; raises `ValueError` and the like."""
        return None

    def twin_request(self, path: str) -> Request:
        """Return the request for a page's twin, as the platform's own scripts ask for it."""
        headers = {"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}
        return Request(self.absolute(path), headers=headers)

    def page(self, response: Response) -> Page[Selector]:
        """Return what a page, or its twin, holds."""
        if response.status in ERRORS:
            raise self.refusal(response)
        if not isinstance(response, TextResponse):
            raise LayoutChanged(f"{response.url} is no page of text")
        # A page that was saved, or that comes in place of its twin, holds the same cards.
        if self.cards_at is not None and response.body[:64].lstrip().startswith((b"{", b"[")):
            page = self._twin(response, self.cards_at)
            place = response.cb_kwargs.get("place") if response.request else None
            if self.page_size and page.total is not None and isinstance(place, int):
                # A page without any is no full one: what should be on it comes at a second look, or is missing.
                page.is_last = (place if page.rows else place - 1) * self.page_size >= page.total
            return page
        rows = response.css(self.card)
        try:
            total = self.total(response)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LayoutChanged(f"{response.url} does not say how many rows there are: {error!r}") from error
        if total is None and not rows and self.no_results and response.css(self.no_results):
            total = 0
        return Page(rows=rows, total=total, is_last=self.is_last(response))

    def is_last(self, response: TextResponse) -> bool | None:
        """Tell whether no page follows; ``None`` when the page does not say."""
        if self.next_page is None:
            return None
        place = response.cb_kwargs.get("place") if response.request else None
        if "{next}" in self.next_page and not isinstance(place, int):
            return None
        return not response.css(self.next_page.replace("{next}", str((place or 0) + 1)))

    def _twin(self, response: Response, cards_at: tuple[str, ...]) -> Page[Selector]:
        try:
            answer: Any = decode(response.body)
            markup = reduce(getitem, cards_at, answer)
            total = reduce(getitem, self.total_at[:-1], answer).get(self.total_at[-1]) if self.total_at else None
            rows = Selector(text=markup, type="html").css(self.card)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LayoutChanged(f"{response.url} holds no cards where they were: {error!r}") from error
        return Page(rows=rows, total=int_or_none(total))


def text_of(row: Selector | SelectorList[Selector], css: str) -> str | None:
    """Return the text of the first element that `css` finds, on one line; ``None`` when there is none."""
    return next((_line(found) for found in row.css(css)), None) or None


def texts_of(row: Selector | SelectorList[Selector], css: str) -> list[str]:
    """Return the texts of all elements that `css` finds, each on one line, without the empty ones."""
    return [text for found in row.css(css) if (text := _line(found))]


def paragraphs_of(row: Selector | SelectorList[Selector], css: str) -> str | None:
    """Return the text of the first element that `css` finds, with its paragraphs, and lines as they were typed."""
    return next((html_to_text(found, keep_lines=True) for found in row.css(css)), None) or None


def _line(element: Selector) -> str:
    # Past the selectors, which would be made for each piece of text.
    return one_line(element.root)

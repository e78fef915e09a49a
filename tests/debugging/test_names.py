"""The names of the console give each project its own page, and nothing that a terminal obeys."""

from __future__ import annotations

from typing import Any

import pytest
from _crawls import project_settings
from parsel import Selector
from scrapy import Request
from scrapy.http import HtmlResponse, Response

from outsourcing_spiders.debugging import fixtures
from outsourcing_spiders.debugging.names import Names
from outsourcing_spiders.debugging.reading import make_spider
from outsourcing_spiders.items import Project
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider, text_of

HOME = "https://www.example.com"


class Cards(DetailPagesSpider, HtmlCardsSpider):
    """Cards that link to pages with a text."""

    name = "cards"
    access = "public"
    home = HOME
    card = "li"
    detail_marker = "<main"

    def listing_request(self, place: int) -> Request:
        return Request(self.absolute(f"jobs/{place}"))

    def row_id(self, row: Selector) -> str:
        return row.attrib["id"]

    def item(self, row: Selector, response: Response) -> Project:
        identity = self.row_id(row)
        return Project(
            platform=self.name, external_id=identity, url=f"{HOME}/job/{identity}", title=text_of(row, "h2") or ""
        )

    def detail(self, item: Project, response: Response) -> Project:
        item.description = text_of(response, "main") or ""
        return item


def answer(request: Request, body: str) -> HtmlResponse:
    """Return a page that came for a request."""
    return HtmlResponse(request.url, body=body.encode(), encoding="utf-8", request=request)


class Console:
    """The names, and the pages that they asked for."""

    def __init__(self) -> None:
        meta = fixtures.Meta(read_by="parse", address=HOME, status=200, headers={})
        self.spider: Any = make_spider(Cards, project_settings(STORAGE_ENABLED=False), meta)
        self.asked: list[str] = []
        self.names = Names(self.spider, self.ask)

    def ask(self, request: Request) -> None:
        self.asked.append(request.url.removeprefix(HOME))
        self.names.read(answer(request, f"<main>Text of {request.url[-1]}</main>"))

    def show(self, *titles: str) -> list[Project]:
        """Look at a listing; return its projects."""
        cards = "".join(f"<li id={number}><h2>{title}</h2></li>" for number, title in enumerate(titles))
        self.names.read(answer(self.spider.listing_request(1), f"<ul>{cards}</ul>"))
        return [self.names.item(row) for row in self.names.rows]  # type: ignore[misc]


def test_each_project_gets_the_text_of_its_own_page() -> None:
    console = Console()
    items = console.show("A", "B")
    assert [console.names.detail(item).description for item in items] == ["Text of 0", "Text of 1"]
    assert [console.names.explain(item)["description"].value for item in items] == ["Text of 0", "Text of 1"]
    # What is looked at is not asked for again.
    assert console.names.detail(items[1]).description == "Text of 1"
    assert console.asked == ["/job/0", "/job/1", "/job/0", "/job/1"]


def test_a_page_fetched_by_its_address_is_that_of_its_project() -> None:
    console = Console()
    items = console.show("A", "B")
    console.names.read(answer(Request(items[1].url), "<main>As fetched</main>"))
    assert console.names.is_detail
    assert console.names.detail(items[1]).description == "As fetched"
    assert console.asked == []
    assert console.names.detail(items[0]).description == "Text of 0"


@pytest.mark.parametrize("title", ["\x1b[2J\x1b]0;x\x07 A", "\x9b2J A", "\u202eA\u2069"], ids=ascii)
def test_what_strangers_write_commands_no_terminal(title: str) -> None:
    console = Console()
    (item,) = console.show(title)
    assert item.title == title
    explanation = console.names.explain(console.names.rows[0])
    for shown in (repr(console.names.rows), repr(explanation), repr(explanation["title"])):
        assert ascii(title)[1:-1] in shown
        assert all(line.isprintable() for line in shown.splitlines())

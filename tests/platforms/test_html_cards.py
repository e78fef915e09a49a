"""Listings of cards: where pages say that they end, that there is nothing, and what stands on top."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import pytest
from _crawls import project_settings
from parsel import Selector
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import HtmlResponse, Response, TextResponse

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import Incomplete, LayoutChanged, Outcome
from outsourcing_spiders.parsing.dates import WHOLE
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider, paragraphs_of, text_of, texts_of

DATE = "Mon, 21 Sep 2026 14:00:00 GMT"


class Cards(HtmlCardsSpider):
    """Three cards a page."""

    name = "cards"
    access: ClassVar[Literal["api", "public", "permission"]] = "public"
    home = "https://www.example.com"
    marker = "<main"
    card = "li.job"
    next_page = "nav a[href$='/{next}']"
    no_results = "p.nothing"

    def listing_request(self, place: int) -> Request:
        return Request(self.absolute(f"jobs/{place}"))

    def row_id(self, row: Selector) -> str:
        return row.attrib["id"]

    def is_pinned(self, row: Selector) -> bool:
        return bool(row.css(".featured"))

    def item(self, row: Selector, response: Response) -> Project:
        at, precision = self.time(text_of(row, "time"), response)
        return Project(
            platform=self.name, external_id=self.row_id(row), url=self.home, title=text_of(row, "h2") or "",
            posted_at=at, posted_precision=precision,
        )  # fmt: skip


class Twins(Cards):
    """The same cards inside JSON."""

    cards_at = ("result",)
    total_at = ("count",)
    next_page = None

    def listing_request(self, place: int) -> Request:
        return self.twin_request(f"jobs/{place}")


class Pairs(Twins):
    """Two cards a page."""

    page_size = 2


def spider(kind: type[Cards] = Cards, **arguments: str) -> Cards:
    crawler = Crawler(kind, project_settings())
    crawler._apply_settings()
    return kind.from_crawler(crawler, **arguments)


def card(identity: object, age: str = "2 hours ago", mark: str = "") -> str:
    return f'<li class="job" id="{identity}"><h2> Title \n <b>{identity}</b></h2><time>{age}</time>{mark}</li>'


FEATURED = '<i class="featured"></i>'


def answered(request: Request, *cards: str, following: int | None = None, more: str = "") -> TextResponse:
    link = f'<nav><a href="/jobs/{following}">Next</a></nav>' if following else ""
    body = f"<html><main>{''.join(cards)}{link}{more}</main></html>".encode()
    return HtmlResponse(request.url, body=body, encoding="utf-8", request=request, headers={"Date": DATE})


def twin(request: Request, *cards: str, **values: Any) -> TextResponse:
    body = json.dumps({"result": "".join(cards)} | values).encode()
    return TextResponse(request.url, body=body, encoding="utf-8", request=request, headers={"Date": DATE})


def read(spider: Cards, response: Response) -> tuple[list[Request], list[str]]:
    assert response.request is not None
    outputs = list(spider.parse(response, **response.request.cb_kwargs))
    requests = [output for output in outputs if isinstance(output, Request)]
    return requests, [output.external_id for output in outputs if isinstance(output, Project)]


def test_a_page_is_asked_for_with_what_the_guard_needs() -> None:
    (request,) = spider().first_pages()
    assert request.url == "https://www.example.com/jobs/1"
    assert request.meta["marker"] == "<main"
    assert request.meta["listing_page"]
    assert request.dont_filter
    (request,) = spider(Twins).first_pages()
    assert request.headers["Accept"] == b"application/json"
    assert request.headers["X-Requested-With"] == b"XMLHttpRequest"


def test_pages_are_read_until_no_next_one_is_linked() -> None:
    cards = spider()
    (first,) = cards.first_pages()
    (second,), ids = read(cards, answered(first, card(1), card(2), card(2), following=2))
    assert ids == ["1", "2"]
    assert second.url == "https://www.example.com/jobs/2"
    # The links of other pages are no next page.
    assert read(cards, answered(second, card(2), card(3), following=1))[1] == ["3"]
    assert cards.walk.reached_end
    assert cards.outcome is None


def test_relative_times_count_from_the_answer() -> None:
    cards, response = spider(), answered(Request("https://www.example.com/"), card(1))
    (row,) = cards.rows(response)
    item = cards.item(row, response)
    assert item is not None
    assert (item.title, item.posted_at) == ("Title 1", datetime(2026, 9, 21, 12, tzinfo=UTC))
    assert [found.external_id for found in cards.parse(response)] == ["1"]


@pytest.mark.parametrize(
    ("answer", "is_an_end"),
    [
        (lambda request: answered(request, more='<p class="nothing">No jobs</p>'), True),
        (lambda request: answered(request), False),
        (lambda request: twin(request, count=0), True),
        (lambda request: twin(request, count=8), False),
        (lambda request: twin(request), False),
    ],
)
def test_nothing_is_an_end_only_when_the_page_says_so(answer: Callable[[Request], Response], is_an_end: bool) -> None:
    (request,) = spider().first_pages()
    cards = spider(Twins if b"{" in answer(request).body else Cards)
    requests = list(cards.first_pages())

    def read_all() -> None:
        found = requests
        while found:
            found, ids = read(cards, answer(found[0]))
            assert ids == []

    if not is_an_end:
        with pytest.raises(LayoutChanged):
            read_all()
        return
    read_all()
    assert (cards.outcome, cards.whole_since) == (None, WHOLE)


@pytest.mark.parametrize("body", [b"[]", b'{"result":null,"count":3}', b'{"count":3}', b'{"result":5}', b'{"result":'])
def test_a_twin_of_another_shape_is_named(body: bytes) -> None:
    request = Request("https://www.example.com/jobs/1")
    with pytest.raises(LayoutChanged, match="jobs/1 holds no cards"):
        spider(Twins).page(TextResponse(request.url, body=body, encoding="utf-8", request=request))


def test_twins_are_read_up_to_their_total() -> None:
    cards = spider(Twins)
    (first,) = cards.first_pages()
    (second,), ids = read(cards, twin(first, card(1), card(2), count="3"))
    assert ids == ["1", "2"]
    assert read(cards, twin(second, card(3), count="3")) == ([], ["3"])
    assert (cards.outcome, cards.whole_since) == (None, WHOLE)
    assert cards.crawler.stats.get_value("outsourcing/listing/total") == 3


@pytest.mark.parametrize(("late", "outcome", "whole"), [((card(3),), None, WHOLE), ((), Incomplete, None)])
def test_a_last_page_that_comes_empty_is_looked_at_again_and_then_missing(
    late: tuple[str, ...], outcome: type[Outcome] | None, whole: str | None
) -> None:
    cards = spider(Pairs)
    (first,) = cards.first_pages()
    (second,), _ = read(cards, twin(first, card(1), card(2), count=3))
    requests, _ = read(cards, twin(second, count=3))
    assert [request.url for request in requests] == [second.url]
    while requests:
        requests, ids = read(cards, twin(requests[0], *late, count=3))
        assert len(ids) == len(late)
    assert (cards.outcome and type(cards.outcome), cards.whole_since) == (outcome, whole)


def test_an_old_card_on_top_does_not_end_a_bounded_crawl() -> None:
    cards = spider(since="2026-09-20")
    (first,) = cards.first_pages()
    old = card("old", "3 weeks ago", FEATURED)
    (second,), ids = read(cards, answered(first, old, card(1), following=2))
    assert (ids, cards.pinned) == (["1"], {"old"})
    # A page of pinned ones alone says nothing; one of old ones ends it, pinned ones on it or not.
    (third,), ids = read(cards, answered(second, old, card("older", "4 weeks ago", FEATURED), following=3))
    assert ids == []
    new = card("new", "1 hour ago", FEATURED)
    assert read(cards, answered(third, new, card(2, "2 weeks ago"), following=4)) == ([], ["new"])
    assert cards.whole_since == cards.wanted_since


def test_texts_of_a_card() -> None:
    card = Selector(text="<div><p>One\ntwo<br>three</p><p>Four</p><p> </p></div>").css("body")
    assert text_of(card, "p") == "One two three"
    assert texts_of(card, "p") == ["One two three", "Four"]
    assert text_of(card, "div") == "One two three Four"
    assert paragraphs_of(card, "p") == "One\ntwo\nthree"
    assert paragraphs_of(card, "div") == "One\ntwo\nthree\n\nFour"
    assert text_of(card, "p:last-child") is paragraphs_of(card, "p:last-child") is paragraphs_of(card, "h2") is None


def test_a_card_without_an_id_is_left_out_and_counted() -> None:
    cards = spider()
    (first,) = cards.first_pages()
    assert read(cards, answered(first, '<li class="job"><h2>x</h2></li>', card(1)))[1] == ["1"]
    assert cards.crawler.stats.get_value("outsourcing/skipped/no_id") == 1

"""Listings in JSON: what is asked for, what is made of answers."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

import pytest
from _crawls import project_settings
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.http import Response
from twisted.python.failure import Failure

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import CloseReason, Incomplete, LayoutChanged, LoginRequired, Unreachable
from outsourcing_spiders.parsing.dates import WHOLE
from outsourcing_spiders.platforms.json_api import JsonApiSpider, Row, decode
from outsourcing_spiders.platforms.skill_ids import Skill, find_ids


class Tens(JsonApiSpider):
    """Ten rows a page."""

    name = "tens"
    access: ClassVar[Literal["api", "public", "permission"]] = "api"
    home = "https://www.example.com"
    api = "v1/"
    token = ("Authorization", "FREELANCER_TOKEN")
    rows_at = ("rows",)
    total_at = ("meta", "total")
    page_size = 10
    page_overlap = 2
    pages_ahead = 2

    def listing_request(self, offset: int) -> Request:
        return self.api_request("list", [("from", offset), ("q", "ä b")])

    def item(self, row: Row, response: Response) -> Project | None:
        if row.get("bad"):
            raise KeyError("bad")
        return Project(platform=self.name, external_id=self.row_id(row), url=self.home, title=row["title"])


def spider(**arguments: str) -> Tens:
    crawler = Crawler(Tens, project_settings(FREELANCER_TOKEN=arguments.pop("token", "")))
    crawler._apply_settings()
    return Tens.from_crawler(crawler, **arguments)


def answer(request: Request, rows: list[Any], total: Any = None) -> Response:
    body = json.dumps({"rows": rows, "meta": {"total": total}}).encode()
    return Response(request.url, body=body, request=request)


def rows(*numbers: int) -> list[Row]:
    return [{"id": number, "title": f"number {number}"} for number in numbers]


def read(spider: Tens, request: Request, found: list[Any], total: Any) -> tuple[list[Request], list[str]]:
    outputs = list(spider.parse(answer(request, found, total), **request.cb_kwargs))
    requests = [output for output in outputs if isinstance(output, Request)]
    assert outputs[: len(requests)] == requests, "the next pages are asked for first"
    return requests, [output.external_id for output in outputs if isinstance(output, Project)]


def test_a_page_is_asked_for_as_declared() -> None:
    (request,) = spider().first_pages()
    assert request.url == "https://www.example.com/v1/list?from=0&q=%C3%A4+b"
    assert request.headers.get("Authorization") is None
    assert request.meta["dont_redirect"]
    assert request.dont_filter
    (request,) = spider(token="abc").first_pages()
    assert request.headers["Authorization"] == b"abc"


def test_pages_are_read_from_the_top_down_and_the_end_is_known() -> None:
    tens = spider()
    (first,) = tens.first_pages()
    ahead, ids = read(tens, first, rows(*range(10)), 20)
    assert ids == [str(number) for number in range(10)]
    assert [request.cb_kwargs["place"] for request in ahead] == [8, 16]
    assert [request.priority for request in ahead] == sorted((request.priority for request in ahead), reverse=True)
    more, ids = read(tens, ahead[0], rows(*range(8, 18)), 20)
    assert (more, ids) == ([], [str(number) for number in range(10, 18)])
    assert tens.whole_since is None
    (again,), ids = read(tens, ahead[1], rows(*range(16, 20)), 20)
    assert (again.cb_kwargs["place"], ids) == (0, ["18", "19"])
    assert read(tens, again, rows(*range(10)), 20) == ([], [])
    assert tens.whole_since == WHOLE
    assert tens.outcome is None


def test_a_row_is_emitted_once_even_when_a_page_names_it_twice() -> None:
    tens = spider()
    (first,) = tens.first_pages()
    _, ids = read(tens, first, rows(1, 2, 1), 3)
    assert ids == ["1", "2"]


def test_a_row_that_cannot_be_read_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    tens = spider()
    (first,) = tens.first_pages()
    bad = [{"id": number, "bad": True} for number in (7, 8)]
    _, ids = read(tens, first, [*bad, *rows(1, 2)], 4)
    assert ids == ["1", "2"]
    assert tens.crawler.stats.get_value("spider_exceptions/KeyError") == 2
    found = [record for record in caplog.records if record.getMessage().startswith("Row ")]
    assert [bool(record.exc_info) for record in found] == [True, False]


def test_a_listing_that_shows_nothing_of_what_it_has_changed_its_layout() -> None:
    tens = spider()
    requests = list(tens.first_pages())
    with pytest.raises(LayoutChanged, match="has 50 rows, and shows none"):  # noqa: PT012 - it is asked more than once
        for _ in range(4):
            requests, _ = read(tens, requests[0], [{"no": "id"}], 50)
    assert tens.whole_since is None


def test_an_empty_listing_that_says_so_is_whole() -> None:
    tens = spider()
    (first,) = tens.first_pages()
    assert read(tens, first, [], 0) == ([], [])
    assert (tens.outcome, tens.whole_since) == (None, WHOLE)


def test_a_known_page_ends_the_walk() -> None:
    tens = spider()
    tens.stops_at_known = True
    (first,) = tens.first_pages()
    following, _ = read(tens, first, rows(*range(10)), 50)
    assert len(following) == 1
    tens.caught_up("2026-01-01")
    assert (tens.outcome, tens.whole_since) == (CloseReason.UP_TO_DATE, "2026-01-01")


def test_a_known_page_below_a_gap_is_not_enough() -> None:
    tens = spider()
    tens.stops_at_known = True
    (first,) = tens.first_pages()
    read(tens, first, rows(*range(10)), 50)
    tens.walk.gaps = 1
    tens.caught_up(WHOLE)
    assert isinstance(tens.outcome, Incomplete)
    assert tens.whole_since is None


def test_an_answer_alone_can_be_parsed() -> None:
    request = Request("https://www.example.com/")
    assert [item.title for item in spider().parse(answer(request, rows(3)))] == ["number 3"]


@pytest.mark.parametrize("total", [None, 5, 5.0, "5"])
def test_the_total_may_be_written_in_several_ways(total: Any) -> None:
    page = spider().page(answer(Request("https://www.example.com/"), [], total))
    assert page.total == (None if total is None else 5)


def test_a_binary_answer_is_named_like_any_other() -> None:
    request = Request("https://www.example.com/")
    with pytest.raises(LayoutChanged, match="answered 200"):
        list(spider().parse(Response(request.url, body=b"\x80\x00\xff", request=request)))
    with pytest.raises(LoginRequired, match="check FREELANCER_TOKEN"):
        list(spider().parse(Response(request.url, status=401, body=b"\x80", request=request)))


def test_an_unreadable_answer_is_told_without_what_is_private() -> None:
    tens = spider()
    tens.private_keys = ("client_id",)  # type: ignore[misc]
    request = Request("https://www.example.com/")
    with pytest.raises(LayoutChanged, match=r'"client_id": "\[private\]"'):
        list(tens.parse(Response(request.url, body=b'{"client_id": "hong123", ', request=request)))


def test_a_request_without_an_answer_ends_the_crawl() -> None:
    tens = spider()
    failure = Failure(TimeoutError("it took too long"))
    failure.request = Request("https://www.example.com/")  # type: ignore[attr-defined]
    with pytest.raises(CloseSpider) as raised:
        tens.failed(failure)
    assert raised.value.reason == "unreachable"
    assert isinstance(tens.outcome, Unreachable)
    assert str(tens.outcome) == "https://www.example.com/ got no answer: it took too long"


def test_half_a_character_is_let_through() -> None:
    assert decode(rb'{"a":"\ud83d"}') == {"a": "\ud83d"}
    assert decode('{"a":"ä"}'.encode()) == {"a": "ä"}
    for broken in (b"", b"{", b'{"a":1,}', b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            decode(broken)


def test_skills_are_found_by_name_id_and_category() -> None:
    skills = [Skill(3, "PHP", "Web"), Skill(7, " C# ", "Web"), Skill(9, "", None), Skill(11, "Sewing", "Crafts")]
    assert list(find_ids(skills, ["php", "c#", "42"], None)) == [3, 7, 42]
    assert list(find_ids(skills, [], "WEB")) == [3, 7]

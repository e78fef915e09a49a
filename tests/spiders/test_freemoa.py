"""What the Freemoa spider makes of an answer: fixtures, odd rows, a captured answer, ends."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, project_settings
from _fixture_checks import check_fixture, names_of
from platforms_standins._freemoa_projects import ODD
from platforms_standins.freemoa import FreemoaStandIn
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import HtmlResponse, JsonResponse, Request

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import Blocked, LayoutChanged, LoginRequired, Outcome, RateLimited, Unreachable
from outsourcing_spiders.spiders.freemoa import FreemoaSpider

FIXTURES = Path(__file__).parents[1] / "fixtures" / "freemoa"
CAPTURES = Path(
    os.environ.get("OUTSOURCING_CAPTURES") or Path(__file__).parents[2].parent / "shared" / "captures" / "freemoa"
)
ADDRESS = "https://www.freemoa.net/m4a/s41a"
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"
SITE_NOW = 1_790_000_000

JSON = dict[str, Any]


def make_spider(**arguments: Any) -> FreemoaSpider:
    """Return a spider with a crawler, as `scrapy parse` has it."""
    crawler = AsyncCrawlerRunner(project_settings()).create_crawler(FreemoaSpider)
    crawler._apply_settings()
    return FreemoaSpider.from_crawler(crawler, **arguments)


def answered(body: bytes, status: int = 200, **headers: str) -> JsonResponse:
    headers = {"Date": DATE, **headers}
    return JsonResponse(ADDRESS, body=body, status=status, headers=headers, request=Request(ADDRESS, method="POST"))


def parse(body: bytes) -> list[Project]:
    """Return what `parse` makes of an answer alone."""
    return list(make_spider().parse(answered(body)))


def envelope(*rows: JSON, number: int | str = 0, total: Any = None) -> bytes:
    """Return an answer with `rows`."""
    listing = {"LIST": rows, "PAGINATION": {"currentPage": 1, "nextPage": None, "totalRows": total or len(rows)}}
    return json.dumps({"NOW": SITE_NOW, "ERROR": {"NO": number, "MSG": None}, "DATA": {"PROJECT": listing}}).encode()


# --- fixtures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names_of("freemoa"))
def test_a_fixture_gives_what_is_saved_with_it(name: str) -> None:
    check_fixture(FreemoaSpider, FIXTURES, name)


def test_no_address_is_saved() -> None:
    saved = {path.name: path.read_text() for path in FIXTURES.iterdir()}
    assert '"client_id": "[e-mail]"' in saved["listing.json"]
    assert not [name for name, text in saved.items() if "@" in text]


def test_rows_and_items_can_be_had_one_by_one() -> None:
    spider, response = make_spider(), answered((FIXTURES / "listing.json").read_bytes())
    rows = spider.rows(response)
    assert [spider.row_id(row) for row in rows] == [item.external_id for item in spider.parse(response)]
    assert spider.item(rows[0], response).title == rows[0]["title"]


# --- a captured answer --------------------------------------------------------------------------------------------


def test_a_captured_row_gives_all_that_it_holds() -> None:
    if not CAPTURES.exists():
        pytest.skip(f"no captured answers at {CAPTURES}")
    row = json.loads((CAPTURES / "detail-48501.json").read_bytes())["payload"]["listRow"]
    (item,) = make_spider().parse(answered(envelope(row), Date="Fri, 02 Oct 2026 09:00:00 GMT"))
    assert (item.external_id, item.url) == ("48501", "https://www.freemoa.net/m4/s41?first_pno=48501")
    assert item.title == row["title"]
    assert item.description is not None
    assert item.description.startswith("※ 프로젝트 진행 방식\n\n- ")
    assert item.description_complete
    assert item.status == "open"
    assert item.budget is not None
    assert (item.budget.minimum, item.budget.maximum) == (2_500_000, 5_000_000)
    assert (item.budget.currency, item.budget.period) == ("KRW", "total")
    assert item.skills == ["Vue", "AOS", "iOS", "Supabase", "backend", "유지보수"]
    assert (item.category, item.work_mode, item.location) == ("개발", "unknown", "서울")
    assert (item.posted_at, item.posted_precision) == (datetime(2026, 10, 1, 2, 30, 33, tzinfo=UTC), "exact")
    assert item.posted_text == "2026-10-01 11:30:33"
    assert item.closes_at == datetime(2026, 10, 17, 15, tzinfo=UTC)
    assert item.bid_count == 9
    assert item.extra == {
        "subcategory": "웹", "days": 40, "work_type": "도급", "plan": "필요기능 정리", "start": "10월 3째주",
        "flags": ["escrow"],
    }  # fmt: skip


# --- odd rows -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[FreemoaStandIn]:
    async with FreemoaStandIn(120, now=SITE_NOW, frozen=True) as site:
        yield site


@pytest.fixture(scope="module")
async def crawled(site: FreemoaStandIn, tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    done = await crawl(None, tmp_path_factory.mktemp("freemoa"), spider=FreemoaSpider, base_url=site.base_url)
    assert done.reason == "finished"
    return done


@pytest.mark.parametrize("name", ODD)
def test_an_odd_row_is_read_for_what_it_is(name: str, site: FreemoaStandIn, crawled: Crawl) -> None:
    identity = str(site.odd[name])
    if name == "title_null":
        assert crawled.dropped[identity] == "title is empty"
        return
    (item,) = [item for item in crawled.items if item.external_id == identity]
    (told,) = [project for project in site.projects if project["external_id"] == identity]
    found = asdict(item)
    for budget in (found["budget"], told["budget"]):
        if budget is not None:
            # Filled in by validation, from the rates of the day.
            budget |= {"minimum_usd": None, "maximum_usd": None}
    # Validation writes skills in one way for all platforms.
    found["skills"] = told["skills"] = [skill.casefold() for skill in told["skills"]] if found["skills"] else []
    assert {key: found[key] for key in told} == told


def test_an_odd_row_costs_itself_alone(crawled: Crawl) -> None:
    assert len(crawled.items) == 119
    assert len(crawled.dropped) == 1
    assert crawled.errors == []


@pytest.mark.parametrize(
    ("cost", "amount"),
    [
        ("250", 2_500_000), ("1,200", 12_000_000), ("250.5", 2_505_000), (900, 9_000_000), (350.0, 3_500_000),
        ("0", None), (0, None), ("", None), (None, None), ("협의", None), (True, None), ([], None),
    ],
)  # fmt: skip
def test_costs_are_told_in_ten_thousands(cost: Any, amount: int | None) -> None:
    budget = make_spider().budget({"cost_max": cost}, "1")
    assert (budget and budget.maximum) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("kind", "period", "mode", "name"),
    [("1", "total", "unknown", "도급"), ("2", "month", "onsite", "시간제 상주"), (3, "month", "onsite", "기간제 상주"),
     ("9", None, "unknown", None), (None, None, "unknown", None)],
)  # fmt: skip
def test_kinds_of_work(kind: Any, period: str | None, mode: str, name: str | None) -> None:
    (item,) = parse(envelope({"proj_idx": "7", "title": "앱", "workType": kind, "cost_min": "1", "cost_max": "2"}))
    assert item.budget is not None
    assert (item.budget.period, item.work_mode, item.extra.get("work_type")) == (period, mode, name)


@pytest.mark.parametrize(("told", "count"), [("0", 0), ("9", 9), ("1,024", 1024), (1024, 1024), ("", None)])
def test_applicants(told: Any, count: int | None) -> None:
    (item,) = parse(envelope({"proj_idx": "7", "title": "앱", "ALL_APPLY_COUNT": told}))
    assert item.bid_count == count


def test_a_row_that_holds_nothing_else() -> None:
    (item,) = parse(envelope({"proj_idx": 7, "title": "앱"}))
    bare = Project(
        platform="freemoa",
        external_id="7",
        url="https://www.freemoa.net/m4/s41?first_pno=7",
        title="앱",
        description_complete=False,
    )
    assert item == bare
    assert len(fields(item)) > 20


@pytest.mark.parametrize(
    ("text", "day"), [("D-15일", 15), ("D-1일", 1), ("D-DAY", 0)],
)  # fmt: skip
def test_deadlines_as_the_rendered_page_writes_them(text: str, day: int) -> None:
    # 14:13 in Greenwich is the same day in Korea, whose days end at 15:00.
    end = datetime(2026, 9, 21, 14, 59, 59, tzinfo=UTC) + timedelta(days=day)
    assert make_spider().deadline(text, answered(b"")).at == end


def test_times_are_in_korea() -> None:
    spider = make_spider()
    assert spider.time("2026-09-21 08:30:00", answered(b"")).at == datetime(2026, 9, 20, 23, 30, tzinfo=UTC)
    assert spider.time("0000-00-00 00:00:00", answered(b"")).at is None
    assert spider.deadline("1792249200", answered(b"")).at == datetime(2026, 10, 17, 15, tzinfo=UTC)
    assert spider.deadline("2026-10-17", answered(b"")).at == datetime(2026, 10, 17, 14, 59, 59, tzinfo=UTC)


# --- requests -----------------------------------------------------------------------------------------------------


async def test_the_page_is_asked_for_first_and_its_cookie_goes_along() -> None:
    spider = make_spider(query="쇼핑몰")
    (shell,) = [request async for request in spider.start()]
    assert (shell.method, shell.url) == ("GET", "https://www.freemoa.net/m4/s41")
    cookie = {"Set-Cookie": "PHPSESSID=abc; path=/; HttpOnly"}
    (request,) = spider.begin_session(HtmlResponse(shell.url, headers=cookie, body=b"<html></html>", request=shell))
    assert (request.method, request.url) == ("POST", ADDRESS)
    assert request.body.decode() == "page=1&sm=3&sS=%EC%87%BC%ED%95%91%EB%AA%B0"
    sent = {name: request.headers[name].decode() for name in request.headers.to_unicode_dict()}
    assert sent == {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "PHPSESSID=abc",
        "Origin": "https://www.freemoa.net",
        "Referer": "https://www.freemoa.net/m4/s41",
        "X-Requested-With": "XMLHttpRequest",
    }


# --- answers that are no listing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "outcome"),
    [
        (envelope(number="-1"), 200, LoginRequired),
        (envelope(number=-99), 200, Unreachable),
        (envelope(number=7), 200, Unreachable),
        (b"", 200, LayoutChanged),
        (b"[]", 200, LayoutChanged),
        (b"null", 200, LayoutChanged),
        (b'{"code":0,"payload":{"LIST":[]}}', 200, LayoutChanged),
        (b'{"ERROR":{"NO":0},"DATA":{}}', 200, LayoutChanged),
        (b'{"ERROR":null,"DATA":{"PROJECT":{"LIST":null,"PAGINATION":{}}}}', 200, LayoutChanged),
        (b'{"ERROR":{"NO":0},"DATA":{"PROJECT":{"LIST":[]}}}', 200, LayoutChanged),
        (b"", 401, LoginRequired),
        (b"", 403, Blocked),
        (b"", 404, LayoutChanged),
        (b"", 429, RateLimited),
        (b"", 500, Unreachable),
    ],
)
def test_what_is_no_listing_is_named(body: bytes, status: int, outcome: type[Outcome]) -> None:
    with pytest.raises(outcome) as raised:
        make_spider().page(answered(body, status))
    assert type(raised.value) is outcome


def test_an_answer_without_the_envelope_says_so_without_its_text() -> None:
    broken = b'{"client_id": "someone@example.com", "txt": "' + b"x" * 500
    with pytest.raises(LayoutChanged) as raised:
        make_spider().page(answered(broken))
    assert "@" not in str(raised.value)

"""What the PeoplePerHour spider makes of a page: fixtures, odd rows, a captured answer."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, project_settings
from _fixture_checks import check_fixture, names_of
from platforms_standins._peopleperhour_odd import ODD
from platforms_standins.peopleperhour import PeoplePerHourStandIn
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import HtmlResponse, Request

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import Blocked, LayoutChanged, LoginRequired, Outcome, Unreachable, WrongArgument
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import validate
from outsourcing_spiders.spiders.peopleperhour import PeoplePerHourSpider

FIXTURES = Path(__file__).parents[1] / "fixtures" / "peopleperhour"
CAPTURES = Path(os.environ.get("OUTSOURCING_CAPTURES") or Path(__file__).parents[2].parent / "shared" / "captures")
ADDRESS = "https://www.peopleperhour.com/freelance-jobs?page=1&sort=latest"
SITE_NOW = 1_789_999_200

JSON = dict[str, Any]


def make_spider(**arguments: Any) -> PeoplePerHourSpider:
    """Return a spider with a crawler, as `scrapy parse` has it."""
    crawler = AsyncCrawlerRunner(project_settings()).create_crawler(PeoplePerHourSpider)
    crawler._apply_settings()
    return PeoplePerHourSpider.from_crawler(crawler, **arguments)


def answered(body: bytes, status: int = 200) -> HtmlResponse:
    return HtmlResponse(ADDRESS, body=body, status=status, encoding="utf-8", request=Request(ADDRESS))


def page_with(records: list[JSON], **meta: Any) -> bytes:
    """Return a page with these records as its main list."""
    state = {
        "freelanceJobs": {"main": {"data": [{"id": str(one.get("proj_id"))} for one in records], "meta": meta}},
        "entities": {"projects": {str(one.get("proj_id")): {"attributes": one} for one in records}},
    }
    return f"<html><script>window.PPHReact.initialState={json.dumps(state)};</script></html>".encode()


def cleaned(items: list[Project]) -> list[JSON]:
    """Return items as they are stored, as JSON, without dollars."""
    rates = ExchangeRates()
    for item in items:
        assert validate(item, rates, now=datetime(2026, 12, 1, tzinfo=UTC)) == []
    found: list[JSON] = json.loads(json.dumps([asdict(item) for item in items], default=str))
    for item in found:
        assert item.pop("expires_at", None) is None
        item["budget"] |= {"minimum_usd": None, "maximum_usd": None}
        # Our texts mark the items of a list.
        item["description"] = item["description"] and re.sub(r"(?m)^- ", "", item["description"])
    return found


def unmarked(items: list[JSON]) -> list[JSON]:
    """Return expected items, of whose texts the marks of list items do not count."""
    return [
        item | {"description": item["description"] and re.sub(r"(?m)^- ", "", item["description"])} for item in items
    ]


@pytest.mark.parametrize("name", names_of("peopleperhour"))
def test_a_fixture_gives_what_is_saved_with_it(name: str) -> None:
    check_fixture(PeoplePerHourSpider, FIXTURES, name)


def test_rows_and_items_can_be_looked_at_one_by_one() -> None:
    spider, page = make_spider(), answered((FIXTURES / "listing_first.html").read_bytes())
    rows = spider.rows(page)
    assert len(rows) == 20
    assert [spider.item(row, page).external_id for row in rows] == [spider.row_id(row) for row in rows]


# --- odd rows -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[PeoplePerHourStandIn]:
    async with PeoplePerHourStandIn(250, seed=1, now=SITE_NOW) as site:
        yield site


@pytest.fixture(scope="module")
async def crawled(site: PeoplePerHourStandIn, tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    """Every odd row, over the wire and through validation."""
    done = await crawl(None, tmp_path_factory.mktemp("crawl"), spider=PeoplePerHourSpider, base_url=site.base_url)
    assert (done.reason, done.errors, done.dropped) == ("finished", [], {})
    return done


@pytest.mark.parametrize("name", ODD)
def test_an_odd_row_is_read_for_what_it_is(name: str, site: PeoplePerHourStandIn, crawled: Crawl) -> None:
    found = [item for item in crawled.items if item.external_id == site.odd[name]]
    assert cleaned(found) == unmarked(json.loads(json.dumps([site.projects[site.odd[name]]], default=str)))


def test_all_rows_are_what_the_site_says(site: PeoplePerHourStandIn, crawled: Crawl) -> None:
    truth = site.projects
    assert [item.external_id for item in crawled.items] == list(truth)
    assert cleaned(crawled.items) == unmarked(json.loads(json.dumps(list(truth.values()), default=str)))


def test_nobody_is_named(site: PeoplePerHourStandIn, crawled: Crawl) -> None:
    text = json.dumps([asdict(item) for item in crawled.items], default=str)
    for number in site.listed_ids():
        if name := (site.row(number).get("client") or {}).get("public_name"):
            assert name not in text


# --- shapes that no page should have ------------------------------------------------------------------------------


def record(**fields: Any) -> JSON:
    return {"proj_id": 7, "title": "A title", "url": "/freelance-jobs/a/b/a-title-7", "item_state": "open"} | fields


def test_a_bare_record_is_enough() -> None:
    (item,) = make_spider().parse(answered(page_with([record()])))
    assert item.url == "https://www.peopleperhour.com/freelance-jobs/a/b/a-title-7"
    assert (item.posted_at, item.posted_precision, item.client, item.skills) == (None, "unknown", None, [])
    assert item.budget is not None
    assert (item.budget.minimum, item.budget.currency, item.budget.period) == (None, None, None)


def test_an_empty_part_of_a_record_costs_itself_alone() -> None:
    # PHP writes an empty object so.
    parts = ("client", "category", "sub_category", "etiquettes", "budget")
    (item,) = make_spider().parse(answered(page_with([record(**{part: [] for part in parts})])))
    (bare,) = make_spider().parse(answered(page_with([record()])))
    assert item == bare


@pytest.mark.parametrize("url", [None, ""])
def test_a_record_without_an_address_costs_itself(url: str | None) -> None:
    spider = make_spider()
    items = list(spider.parse(answered(page_with([record(proj_id=1), record(proj_id=2, url=url)]))))
    assert [item.external_id for item in items] == ["1"]
    assert spider.crawler.stats.get_value("spider_exceptions/ValueError") == 1


@pytest.mark.parametrize("told", [None, {}, {"attributes": None}, "gone"], ids=str)
def test_an_id_without_a_record_costs_itself(told: Any) -> None:
    state = json.loads(page_with([record(proj_id=number) for number in (1, 2, 3)]).split(b"=", 1)[1].split(b";")[0])
    state["entities"]["projects"]["2"] = told
    spider = make_spider()
    for _ in range(2):
        items = spider.parse(answered(f"<script>window.PPHReact.initialState={json.dumps(state)};</script>".encode()))
        assert [item.external_id for item in items] == ["1", "3"]
        # The same is an id that is not there at all.
        state["entities"]["projects"].pop("2", None)
    assert spider.crawler.stats.get_value("outsourcing/skipped/no_record") == 2


def test_ids_without_any_record_are_a_changed_layout() -> None:
    body = page_with([record()]).replace(b'"attributes"', b'"fields"')
    with pytest.raises(LayoutChanged, match="no rows where they were: KeyError"):
        make_spider().page(answered(body))


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"<html></html>", LayoutChanged),
        (200, b"", LayoutChanged),
        (200, b"<script>window.PPHReact.initialState={\"freelanceJobs\":</script>", LayoutChanged),
        (200, b"<script>window.PPHReact.initialState={};</script>", LayoutChanged),
        (401, b"", LoginRequired),
        (403, b"", Blocked),
        (404, b"", LayoutChanged),
        (500, b"", Unreachable),
    ],
)  # fmt: skip
def test_a_bad_page_has_a_name(status: int, body: bytes, outcome: type[Outcome]) -> None:
    with pytest.raises(outcome) as raised:
        list(make_spider().parse(answered(body, status)))
    assert ADDRESS in str(raised.value)


def test_a_query_and_a_category_are_two_listings() -> None:
    with pytest.raises(WrongArgument, match="query and category"):
        PeoplePerHourSpider(query="php", category="design")


# --- a captured answer --------------------------------------------------------------------------------------------


def test_everything_that_a_real_answer_tells_is_in_the_items() -> None:
    path = CAPTURES / "peopleperhour" / "pph-sample.json"
    if not path.exists():
        pytest.skip("the captured answers are not beside this checkout (OUTSOURCING_CAPTURES names their folder)")
    raw = json.loads(path.read_bytes())["raw"]
    items = list(make_spider().parse(answered(f"<html><script>{raw}</script></html>".encode())))
    state = json.JSONDecoder().raw_decode(raw, raw.index("initialState=") + len("initialState="))[0]
    order = [one["id"] for one in state["freelanceJobs"]["main"]["data"]]
    assert [item.external_id for item in items] == order
    for item in items:
        row = state["entities"]["projects"][item.external_id]["attributes"]
        assert (item.title, item.url, item.bid_count) == (row["title"], row["url"], row["proposalCount"])
        assert item.posted_at == datetime.fromisoformat(row["posted_dt"]).replace(tzinfo=UTC)
        assert (item.posted_precision, item.posted_text) == ("exact", row["posted_dt"])
        assert item.budget is not None
        assert float(item.budget.minimum or 0) == float(item.budget.maximum or 0) == row["budget"]
        assert item.budget.currency == row["currency"]
        assert item.budget.period == {"fixed_price": "total", "hourly": "hour"}[row["project_type"]]
        assert item.status == row["item_state"] == "open"
        assert item.work_mode == row["location_type"].removesuffix("_country")
        assert item.category == row["category"]["cate_name"]
        assert item.extra["subcategory"] == row["sub_category"]["subcate_name"]
        assert item.extra.get("flags", []) == sorted(name for name, on in row["etiquettes"].items() if on)
        assert validate(item, ExchangeRates(), now=datetime(2026, 12, 1, tzinfo=UTC)) == []

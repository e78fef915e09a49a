"""What the Guru spider makes of pages: fixtures, odd jobs, bad pages, captured pages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from _crawls import project_settings
from _fixture_checks import check_fixture, names_of, saved_items
from platforms_standins._guru_fixtures import NOW
from platforms_standins._guru_odd import ODD
from platforms_standins.guru import GuruStandIn
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import HtmlResponse, Request

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.outcomes import Blocked, LayoutChanged, LoginRequired, Outcome, RateLimited, WrongArgument
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.text import clean_paragraphs
from outsourcing_spiders.parsing.validation import validate
from outsourcing_spiders.spiders.guru import GuruSpider

FIXTURES = Path(__file__).parents[1] / "fixtures" / "guru"
CAPTURES = Path(
    os.environ.get("OUTSOURCING_CAPTURES") or Path(__file__).parents[2].parent / "shared" / "captures" / "guru"
)
ADDRESS = "https://www.guru.com/d/jobs/"
DATE = "Mon, 21 Sep 2026 14:00:00 GMT"

JSON = dict[str, Any]


def make_spider(**arguments: Any) -> GuruSpider:
    """Return a spider with a crawler, as `scrapy parse` has it."""
    crawler = AsyncCrawlerRunner(project_settings()).create_crawler(GuruSpider)
    crawler._apply_settings()
    return GuruSpider.from_crawler(crawler, **arguments)


def answered(body: str, status: int = 200, url: str = ADDRESS) -> HtmlResponse:
    return HtmlResponse(
        url, body=body.encode(), encoding="utf-8", status=status, headers={"Date": DATE}, request=Request(url)
    )


def parse(body: str) -> list[Project]:
    """Return what `parse` makes of a page alone."""
    return list(make_spider().parse(answered(body)))


def read_detail(body: str, item: Project) -> Project:
    return make_spider().detail(item, answered(body))


def bare(**fields: Any) -> Project:
    """Return an item of which the listing told nothing."""
    return Project(platform="guru", external_id="1", url=ADDRESS, title="A job", **fields)


def as_json(item: Project) -> JSON:
    found: JSON = json.loads(json.dumps(asdict(item), default=str))
    return found


def page_of(name: str) -> str:
    """Return the page of a fixture."""
    return (FIXTURES / f"{name}.html").read_text()


# --- fixtures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names_of("guru"))
def test_a_fixture_gives_what_is_saved_with_it(name: str) -> None:
    check_fixture(GuruSpider, FIXTURES, name)


@pytest.mark.parametrize("name", ["detail", "detail_bare_breaks", "detail_graph"])
def test_amounts_and_skills_stay_those_of_the_card(name: str) -> None:
    # The unit in the posting data is wrong, and its skills are in lower case.
    budget = Budget(minimum=Decimal(3), maximum=Decimal(4), period="hour", text="as the card has it")
    found = read_detail(page_of(name), bare(budget=replace(budget), skills=["Spelled So"], posted_text=None))
    assert found.budget == replace(budget, currency="USD")
    assert found.skills == ["Spelled So"]
    assert (found.title, found.client) == ("A job", None)


def test_a_page_of_a_job_can_be_parsed_alone() -> None:
    (item,) = make_spider().parse_detail(answered(page_of("detail"), url=f"{ADDRESS}x"))
    assert item.description_complete
    assert item.url == f"{ADDRESS}x"


# --- odd jobs -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[GuruStandIn]:
    async with GuruStandIn(90, seed=5, now=NOW) as site:
        yield site


@pytest.fixture(scope="module")
async def read(site: GuruStandIn) -> dict[str, tuple[JSON, JSON]]:
    """What the listing tells of each job, and what the job's page adds to it, by id."""
    spider, found = make_spider(base_url=site.base_url), {}
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as http:

        async def get(url: str) -> HtmlResponse:
            async with http.get(url) as answer:
                return answered(await answer.text(), url=url)

        for page in range(1, 6):
            for item in spider.parse(await get(spider.listing_request(page).url)):
                listed = as_json(item)
                request = spider.ask_for_detail(item)
                assert request is not None
                found[item.external_id] = listed, as_json(spider.detail(item, await get(request.url)))
    return found


def test_every_job_is_read(site: GuruStandIn, read: dict[str, Any]) -> None:
    assert list(read) == site.listed_ids()
    assert set(site.odd) == set(ODD) | {"featured"}


@pytest.mark.parametrize("name", [*ODD, "featured"])
def test_an_odd_job_is_read_for_what_it_is(name: str, site: GuruStandIn, read: dict[str, tuple[JSON, JSON]]) -> None:
    listed, full = read[site.odd[name]]
    assert listed == site.expected("list")[site.odd[name]]
    assert tidied(full) == site.expected("full")[site.odd[name]]


def test_ordinary_jobs_are_read_whole(site: GuruStandIn, read: dict[str, tuple[JSON, JSON]]) -> None:
    ordinary = [number for number in site.listed_ids() if site.row(number).odd is None]
    assert len(ordinary) > 20
    shown, whole = site.expected("list"), site.expected("full")
    for number in ordinary:
        assert read[number][0] == shown[number]
        assert tidied(read[number][1]) == whole[number]


def tidied(item: JSON) -> JSON:
    """Return an item with its description as validation leaves it."""
    return item | {"description": clean_paragraphs(item["description"] or "") or None}


def test_no_item_tells_who_the_client_is() -> None:
    listing = re.sub(r'(class="identityName"><a[^>]*>)[^<]*', r"\1Zaphod Beeblebrox", page_of("listing_first"))
    page = re.sub(r'("[nN]ame" :)"[^"]*"', r'\1"Zaphod Beeblebrox"', page_of("detail"))
    assert listing.count("Zaphod") == 20
    assert page.count("Zaphod") == 2
    items = [*parse(listing), read_detail(page, bare())]
    assert len(items) == 21
    assert "Zaphod" not in str(items)


# --- parts of a card and of a page --------------------------------------------------------------------------------


def page_with(link: str = "/jobs/a-job/7", **parts: str) -> str:
    """Return a page of one card that holds only a title and `parts`, by the class around them."""
    inside = "".join(f'<div class="{name}">{part}</div>' for name, part in parts.items())
    return (
        f"<script>window.__pageData={{}}</script><ul id='serviceList'><li class='jobRecord' data-gid='7'>"
        f"<h2 class='jobRecord__title'><a href='{link}'>A  job</a></h2>{inside}</li></ul>"
    )


def card(**parts: str) -> Project:
    """Return what such a card is read as."""
    (item,) = parse(page_with(**parts))
    return item


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("/jobs/a-job/7&SearchUrl=search.aspx?", "https://www.guru.com/jobs/a-job/7"),
        ("/jobs/a-job/7&amp;SearchUrl=search.aspx?", "https://www.guru.com/jobs/a-job/7"),
        ("https://www.guru.com/jobs/a-job/7&SearchUrl=search.aspx?", "https://www.guru.com/jobs/a-job/7"),
        ("/jobs/a-job/7", "https://www.guru.com/jobs/a-job/7"),
    ],
)
def test_the_stored_address_is_that_of_the_job(link: str, url: str) -> None:
    item = card(link=link)
    assert item.url == url
    request = make_spider(base_url="http://127.0.0.1:9").ask_for_detail(item)
    assert request is not None
    assert request.url == "http://127.0.0.1:9/jobs/a-job/7"


@pytest.mark.parametrize("link", ["", "&SearchUrl=search.aspx?"])
def test_a_card_without_an_address_is_none(link: str) -> None:
    assert parse(page_with(link)) == []


@pytest.mark.parametrize(
    ("meta", "posted", "quotes"),
    [
        ("Posted <strong>27 mins ago</strong> <strong>1 Quote Received</strong>", "2026-09-21T13:33", 1),
        ("Posted <strong>3 hrs ago</strong> <strong>12 Quotes Received</strong>", "2026-09-21T11:00", 12),
        ("Posted <strong>on Feb 22, 2026</strong> <strong>No Quotes Received</strong>", "2026-02-22T00:00", 0),
        ("<strong>No Quotes Received</strong>", None, 0),
        ("Posted <strong>3 hrs ago</strong>", "2026-09-21T11:00", None),
        ("<strong>1,024 Quotes Received</strong>", None, 1024),
        ("Posted <strong>a while ago</strong> <strong>Many Quotes Received</strong>", None, None),
        ("", None, None),
    ],
)
def test_time_and_quotes(meta: str, posted: str | None, quotes: int | None) -> None:
    item = card(jobRecord__meta=meta)
    assert item.posted_at == (None if posted is None else datetime.fromisoformat(posted).replace(tzinfo=UTC))
    assert item.bid_count == quotes


@pytest.mark.parametrize(
    ("score", "rating"), [("98.5%", "4.925"), ("100%", "5"), ("4.9", None), ("", None), ("%", None), ("new", None)]
)
def test_a_score_counts_where_its_scale_is_told(score: str, rating: str | None) -> None:
    item = card(**{"feedback-score": score})
    assert (item.client and item.client.rating) == (None if rating is None else Decimal(rating))


@pytest.mark.parametrize(
    ("teaser", "complete"),
    [("All of it.", True), ("Cut her…", False), ("Cut her&hellip;", False), ("", False), ("One.\n\n- two", True)],
)
def test_only_a_whole_text_is_complete(teaser: str, complete: bool) -> None:
    item = card(jobRecord__desc=teaser)
    assert item.description_complete is complete
    assert item.description == (teaser.replace("&hellip;", "…") or None)


def page(script: str | None = None, shown: str = "") -> str:
    data = "" if script is None else f'<script type="application/ld+json">{script}</script>'
    return f"<h1 class='jobHeading__title'>A job</h1>{shown}{data}"


def test_without_posting_data_the_page_itself_is_read() -> None:
    text = "First line.\nSecond line."
    for more in ("", "\n<a href='/login.aspx'>Show more</a>"):
        item = read_detail(page(shown=f"<pre class='jobDetails__description'>{text}{more}</pre>"), bare())
        assert (item.description, item.description_complete) == (text, True)
    item = read_detail(page(shown="<pre class='jobDetails__description'>Cut her…</pre>"), bare())
    assert (item.description, item.description_complete) == ("Cut her…", False)
    assert item.work_mode == "unknown"


@pytest.mark.parametrize(
    "script",
    [
        '{"@type":"JobPosting","description":""}',
        '{"@type":"JobPosting","description":null}',
        '{"@type":"JobPosting","description":"For a 24" monitor."}',
        '[{"@type":"JobPosting","title":"Similar","description":"x"},{"@type":"JobPosting","description":"y"}]',
    ],
)
def test_posting_data_without_the_text_cost_no_text_that_the_page_shows(script: str) -> None:
    spider, listed = make_spider(), bare(description="For a 24…", description_complete=False)
    shown = "<pre class='jobDetails__description'>For a 24\" monitor.</pre>"
    (item,) = spider.parse_detail(answered(page(script, shown)), listed)
    assert (item.description, item.description_complete) == ('For a 24" monitor.', True)
    assert spider.crawler.stats.get_value("spider_exceptions/count") is None


@pytest.mark.parametrize(
    "body",
    [
        page(),
        page('{"@type":"JobPosting"'),
        page('{"@type":"JobPosting","title":"without a text"}'),
        page('{"@type":"JobPosting","description":5}'),
    ],
)
def test_a_page_of_another_shape_is_an_error_of_that_page(body: str) -> None:
    item = bare(description="As listed…", description_complete=False)
    spider = make_spider()
    (stored,) = spider.parse_detail(answered(body), item)
    assert (stored.description, stored.description_complete) == ("As listed…", False)
    assert spider.crawler.stats.get_value("spider_exceptions/count") == 1


@pytest.mark.parametrize(
    ("salary", "currency"),
    [
        ({"currency": "USD", "Value": {"minValue": "250", "maxValue": "500", "unitText": "YEAR"}}, "USD"),
        ({"currency": "EUR", "value": {"unitText": "YEAR"}}, "EUR"),
        ({}, None),
        (None, None),
    ],
)
@pytest.mark.parametrize("period", ["total", "hour", None])
def test_the_salary_in_the_posting_data_tells_the_currency_alone(salary: Any, currency: Any, period: Any) -> None:
    data = {"@type": "JobPosting", "description": "x", "baseSalary": salary}
    known = Budget(minimum=Decimal(3), maximum=None, period=period, text="$3+")
    item = read_detail(page(json.dumps(data)), bare(budget=known))
    assert item.budget == Budget(minimum=Decimal(3), period=period, text="$3+", currency=currency)
    unknown = Budget(period=period, text="Not Sure")
    assert read_detail(page(json.dumps(data)), bare(budget=unknown)).budget == Budget(period=period, text="Not Sure")
    assert read_detail(page(json.dumps(data)), bare()).budget is None


# --- addresses, bad pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({}, "/d/jobs/"),
        ({"category": "Programming & Development"}, "/d/jobs/c/programming-development/"),
        ({"category": "design-art"}, "/d/jobs/c/design-art/"),
        ({"category": "Design & Art/Graphic Design"}, "/d/jobs/c/design-art/sc/graphic-design/"),
        ({"skills": "API Testing"}, "/d/jobs/skill/api-testing/"),
        ({"category": "design-art", "skills": "figma"}, "/d/jobs/c/design-art/skill/figma/"),
        ({"query": "web scraping"}, "/d/jobs/q/web-scraping/"),
        ({"query": "c++ 50%/x"}, "/d/jobs/q/c%2B%2B-50%25%2Fx/"),
    ],
    ids=str,
)
def test_addresses_of_the_listing(arguments: dict[str, str], path: str) -> None:
    spider = make_spider(**arguments)
    assert spider.listing_request(1).url == f"https://www.guru.com{path}"
    assert spider.listing_request(12).url == f"https://www.guru.com{path}pg/12/"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"query": "x", "category": "y"}, "query and category"),
        ({"query": "x", "skills": "y"}, "query and skills"),
        ({"skills": "PHP, Python"}, "one at a time"),
        ({"skills": "日本語"}, "skills"),
        ({"category": "&&"}, "category"),
    ],
    ids=str,
)
def test_what_no_address_stands_for_is_a_wrong_argument(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(WrongArgument, match=said):
        make_spider(**arguments)


@pytest.mark.parametrize(
    ("status", "body", "outcome", "said"),
    [
        (403, "", Blocked, "403"),
        (401, "", LoginRequired, "401"),
        (429, "", RateLimited, "wait"),
        (404, "", LayoutChanged, "404"),
        (200, "<html></html>", LayoutChanged, "how many rows"),
        (200, "<script>window.__pageData</script>", LayoutChanged, "how many rows"),
        (200, "<script>window.__pageData={broken</script>", LayoutChanged, "how many rows"),
        (200, "<script>window.__pageData=[]</script>", LayoutChanged, "how many rows"),
    ],
)
def test_a_bad_page_has_a_name(status: int, body: str, outcome: type[Outcome], said: str) -> None:
    with pytest.raises(outcome, match=said) as raised:
        list(make_spider().parse(answered(body, status)))
    assert ADDRESS in str(raised.value)
    assert "\n" not in str(raised.value)


def test_in_the_shell() -> None:
    spider, response = make_spider(), answered(page_of("listing_first"))
    rows = spider.rows(response)
    assert [spider.row_id(row) for row in rows] == [item.external_id for item in parse(response.text)]
    assert as_json(spider.item(rows[0], response)) == saved_items(FIXTURES, "listing_first")[0]
    assert spider.total(response) == 24
    assert spider.page(response).is_last is None


@pytest.mark.parametrize(("place", "is_last"), [(1, False), (2, True)])
def test_the_last_page_has_no_link_to_the_next(place: int, is_last: bool) -> None:
    response = answered(page_of("listing_first"))
    assert response.request is not None
    response.request.cb_kwargs["place"] = place
    assert make_spider().page(response).is_last is is_last


# --- captured pages -----------------------------------------------------------------------------------------------


def captured(name: str) -> str:
    path = CAPTURES / name
    if not path.exists():
        pytest.skip("the captured pages are not beside this checkout (OUTSOURCING_CAPTURES names their folder)")
    return path.read_text()


def test_everything_that_a_real_card_tells_is_in_the_item() -> None:
    body = captured("listing_p1_head_and_card.html")
    spider = make_spider()
    assert spider.total(answered(body)) == 221
    (item,) = parse(body)
    teaser, item.description = item.description or "", None
    assert len(teaser) == 201
    assert teaser.endswith("…")
    assert as_json(item) == as_json(
        Project(
            platform="guru",
            external_id="2120954",
            url="https://www.guru.com/jobs/seeking-experience-software-engineer/2120954",
            title="Seeking experience software engineer",
            description_complete=False,
            status="open",
            budget=Budget(minimum=Decimal(1000), maximum=Decimal(2500), period="total", text="Fixed Price | $1k-$2.5k"),
            skills=["Software Development", "Software Engineer"],
            category="Programming & Development",
            posted_at=datetime(2026, 9, 21, 11, tzinfo=UTC),
            posted_precision="hour",
            posted_text="3 hrs ago",
            closes_at=datetime(2026, 10, 19, 23, 59, 59, tzinfo=UTC),
            bid_count=1,
            client=Client(country="US", verified=True),
            extra={"subcategory": "Programming & Software", "preferred_locations": ["United States"]},
        )
    )
    assert validate(item, ExchangeRates(), now=datetime(2026, 9, 22, tzinfo=UTC)) == []


def test_everything_that_real_posting_data_tell_is_in_the_item() -> None:
    budget = Budget(minimum=Decimal(250), maximum=Decimal(500), period="total", text="Fixed Price | $250-$500")
    item = read_detail(captured("detail_2101732_jsonld.html"), bare(budget=budget))
    assert item.description is not None
    assert item.description.splitlines()[1] == "2. Test Automation for UI testing"
    assert item.description_complete
    assert item.work_mode == "remote"
    assert item.budget is not None
    assert (item.budget.currency, item.budget.period) == ("USD", "total")
    assert (item.posted_at, item.posted_precision) == (datetime(2025, 2, 14, tzinfo=UTC), "day")
    assert item.closes_at == datetime(2025, 4, 20, 23, 59, 59, tzinfo=UTC)
    assert "Client B" not in str(item)
    assert validate(item, ExchangeRates(), now=datetime(2026, 9, 22, tzinfo=UTC)) == []

"""What the Upwork spider makes of a page and of an answer of the API: fixtures, odd rows, captured answers."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from _crawls import project_settings
from _fixture_checks import check_fixture, names_of, spider_of
from parsel import Selector
from platforms_standins._upwork_fixtures import SEARCH
from platforms_standins._upwork_graphql import SEARCH as SEARCH_FIELD
from platforms_standins._upwork_graphql import answer, node
from platforms_standins._upwork_jobs import JobMaker
from platforms_standins._upwork_schema import SCHEMA
from platforms_standins._upwork_truth import from_api
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import HtmlResponse, JsonResponse, Request, Response

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.middlewares.permission import missing_permission
from outsourcing_spiders.outcomes import (
    Blocked,
    LayoutChanged,
    LoginRequired,
    Outcome,
    RateLimited,
    Unreachable,
    WrongArgument,
)
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import validate
from outsourcing_spiders.platforms.listing import ListingSpider
from outsourcing_spiders.spiders.upwork import UpworkSpider
from outsourcing_spiders.ways_in.upwork_api import UpworkApi
from outsourcing_spiders.ways_in.upwork_tiles import TILES
from outsourcing_spiders.ways_in.upwork_words import workload

FIXTURES = Path(__file__).parents[1] / "fixtures" / "upwork"
CAPTURES = Path(os.environ.get("OUTSOURCING_CAPTURES") or Path(__file__).parents[2].parent / "shared" / "captures")
ADDRESS = "https://www.upwork.com/nx/search/jobs/?sort=recency&page=1&per_page=50"
ENDPOINT = "https://api.upwork.com/graphql"
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"
ACCOUNT = {
    "UPWORK_CLIENT_ID": "client-id",
    "UPWORK_CLIENT_SECRET": "client-secret",
    "UPWORK_REFRESH_TOKEN": "refresh-token",
}
COMPARED = tuple(name for name in Project.__dataclass_fields__ if name != "expires_at")

JSON = dict[str, Any]


def make_spider(settings: JSON | None = None, **arguments: Any) -> Any:
    """Return a spider with a crawler, as `scrapy parse` has it."""
    nothing = dict.fromkeys(ACCOUNT, "")
    crawler = AsyncCrawlerRunner(project_settings(**nothing | (settings or {}))).create_crawler(UpworkSpider)
    crawler._apply_settings()
    return UpworkSpider.from_crawler(crawler, **arguments)


def shown(body: bytes, status: int = 200, url: str = ADDRESS) -> HtmlResponse:
    return HtmlResponse(url, body=body, status=status, encoding="utf-8", headers={"Date": DATE}, request=Request(url))


def answered(body: bytes | JSON, status: int = 200, date: str = DATE) -> JsonResponse:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return JsonResponse(ENDPOINT, body=body, status=status, headers={"Date": date}, request=Request(ENDPOINT))


def parse(spider: ListingSpider[Any], response: Response) -> list[Project]:
    return list(spider.parse(response))


def cleaned(items: list[Project]) -> list[JSON]:
    """Return items as they are stored, as JSON, without dollars."""
    rates = ExchangeRates()
    for item in items:
        assert validate(item, rates, now=datetime(2026, 12, 1, tzinfo=UTC)) == []
        if item.budget:
            item.budget.minimum_usd = item.budget.maximum_usd = None
    return [plain({name: value for name, value in asdict(item).items() if name in COMPARED}) for item in items]


def plain(item: JSON) -> JSON:
    """Return an item whose numbers are compared as such: 10 and 10.00 are the same."""

    def number(value: Any) -> Any:
        return None if value is None else float(value)

    budget = item["budget"]
    item["budget"] = budget and budget | {name: number(budget[name]) for name in ("minimum", "maximum")}
    item["bid_average"] = number(item["bid_average"])
    item["client"] = item["client"] and item["client"] | {"rating": number(item["client"]["rating"])}
    found: JSON = json.loads(json.dumps(item, default=str))
    # Our texts mark the items of a list, as some jobs here do themselves.
    return found


# --- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names_of("upwork"))
def test_a_fixture_gives_what_is_saved_with_it(name: str) -> None:
    check_fixture(UpworkSpider, FIXTURES, name)


@pytest.mark.parametrize("name", ["nuxt3", "nuxt2", "2024", "stateless", "odd"])
def test_tiles_without_a_state_tell_no_total_and_which_are_featured(name: str) -> None:
    spider, response = spider_of(UpworkSpider, FIXTURES, f"search_{name}_tiles")
    page, found = spider.page(response), parse(spider, response)
    assert (page.total, page.is_last, len(page.rows)) == (None, False, 10)
    assert [spider.is_pinned(row) for row in page.rows] == [bool(one.extra.get("featured")) for one in found]


def test_a_page_without_state_and_tiles_is_none() -> None:
    with pytest.raises(LayoutChanged, match="spider needs mending"):
        make_spider().page(shown((FIXTURES / "search_stateless.html").read_bytes()))
    nothing = '<html><body><div data-test="NoResults">none</div></body></html>'
    page = make_spider().page(shown(nothing.encode()))
    assert (page.total, list(page.rows), page.is_last) == (0, [], True)


def test_the_captured_tiles_are_read() -> None:
    if not CAPTURES.is_dir():
        pytest.skip("the captured answers are not beside this checkout (OUTSOURCING_CAPTURES names their folder)")
    folder = CAPTURES / "upwork"
    (now,) = parse(make_spider(), shown((folder / "search_tile_2026_structure.html").read_bytes()))
    assert cleaned([now]) == [
        {
            "platform": "upwork", "external_id": "1111111111111111201", "title": "Synthetic n8n Workflow Build",
            "url": "https://www.upwork.com/jobs/~021111111111111111201", "status": "open",
            "description": "Connect a form to a CRM with a review step.", "description_complete": False,
            "budget": asdict(Budget(period="total", text="Est. budget: $1,250.00"))
            | {"minimum": 1250.0, "maximum": 1250.0},
            "skills": ["n8n", "API Integration"], "category": None, "work_mode": "unknown", "location": None,
            "language": None, "posted_at": "2026-09-18 14:13:20+00:00", "posted_precision": "day",
            "posted_text": "3 days ago", "closes_at": None, "bid_count": None, "bid_average": None,
            "client": {"country": "US", "rating": 4.9, "reviews": None, "verified": True},
            "extra": {"experience_level": "intermediate", "proposals": "Less than 5", "client_spent": "$1K+"},
        }
    ]  # fmt: skip
    (old,) = parse(make_spider(), shown((folder / "search_tile_2024-03.html").read_bytes()))
    assert (old.external_id, old.url) == ("1767851574598934528", "https://www.upwork.com/jobs/~01403b3280ce16796f")
    assert old.title == "Freelance Yocto Linux Developer for IoT Device Energy Monitoring Project"
    assert (old.posted_text, old.posted_precision) == ("yesterday", "day")
    assert (old.description, old.client, old.skills, old.extra) == (None, None, [], {})


def test_marks_of_a_search_are_no_part_of_a_text() -> None:
    row = {"uid": "7", "title": 'A <span class="highlight">b</span> <i>c</i>', "attrs": [{"prettyName": "C++"}]}
    row |= {"description": '<span class="highlight">X</span></span>y'}
    item = make_spider().item(row, shown(b""))
    assert (item.title, item.description, item.url) == (
        "A b <i>c</i>", "X</span>y", "https://www.upwork.com/jobs/~027",
    )  # fmt: skip
    assert (item.budget, item.client, item.posted_at) == (Budget(), None, None)


@pytest.mark.parametrize("attrs", [[{"prettyName": "C++"}, {"uid": "1"}, {"prettyName": None}, None], None], ids=str)
def test_a_skill_without_a_name_costs_itself(attrs: list[JSON | None] | None) -> None:
    item = make_spider().item({"uid": "7", "title": "T", "attrs": attrs}, shown(b""))
    assert item.skills == (["C++"] if attrs else [])


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("usnuxt_Engagement_421.partTime", "Less than 30 hrs/week"),
        ("PART_TIME", "Less than 30 hrs/week"),
        ("Less than 30 hrs/week", "Less than 30 hrs/week"),
        ("FULL_TIME", "30+ hrs/week"),
        ("AS_NEEDED", "Hours to be determined"),
        ("20.5 hrs/week", "20.5 hrs/week"),
        (None, None),
    ],
)
def test_workloads_are_told_in_the_same_words(told: str | None, kept: str | None) -> None:
    assert workload(told) == kept


def test_a_tile_of_almost_nothing_is_read() -> None:
    tile = Selector('<article data-ev-job-uid="5"><a data-test="x UpLink y">T</a></article>').css(TILES.tile)[0]
    item = make_spider().item(TILES.row(tile), shown(b""))
    assert (item.external_id, item.title, item.budget) == ("5", "T", Budget())


def test_a_jobs_own_page_is_asked_for_where_the_listing_has_no_text() -> None:
    spider = make_spider()
    item = parse(spider, shown((FIXTURES / "search_nuxt3.html").read_bytes()))[1]
    assert spider.detail_request(item) is None
    item.description = None
    assert spider.detail_request(item).url == item.url


def test_what_the_listing_knows_of_the_client_stays() -> None:
    state = {"jobDetails": {"job": {"description": ""}, "buyer": {"location": {"country": "IND"}}}}
    page = f"<script>window.__NUXT__={json.dumps({'state': state})}</script>".encode()
    spider = make_spider()
    (item, *_) = parse(spider, shown((FIXTURES / "search_nuxt3.html").read_bytes()))
    item.client = Client(rating=Decimal("4.9"), verified=True)
    found = spider.detail(item, shown(page))
    assert found.client == Client(country="IN", rating=Decimal("4.9"), verified=True)
    assert (found.description, found.description_complete) == (None, True)
    item.client.country = "DE"
    assert spider.detail(item, shown(page)).client == Client(country="DE", rating=Decimal("4.9"), verified=True)


def test_a_job_that_is_gone_is_as_the_listing_told_it() -> None:
    spider = make_spider()
    crawler = spider.crawler
    item = parse(spider, shown((FIXTURES / "search_nuxt3.html").read_bytes()))[1]
    before = asdict(item)
    assert asdict(spider.detail(item, shown((FIXTURES / "job_gone.html").read_bytes()))) == before
    assert crawler.stats.get_value("outsourcing/details/gone") == 1


@pytest.mark.parametrize("text", ["window.__NUXT__={}", "window.__NUXT__=[]", "window.__NUXT__=null", "x", ""])
def test_a_page_of_another_shape_is_a_layout_that_changed(text: str) -> None:
    with pytest.raises(LayoutChanged):
        make_spider().page(shown(f"<script>{text}</script>".encode()))


def test_the_search_is_asked_for_with_what_narrows_it() -> None:
    spider = make_spider(query="next react", category="531770282580668418")
    request = spider.listing_request(3)
    assert request.url == (
        "https://www.upwork.com/nx/search/jobs/?q=next+react&category2_uid=531770282580668418&sort=recency&page=3"
        "&per_page=50"
    )
    assert set(request.meta["render"]) == {"wait_for"}
    assert "authorization" not in {name.lower() for name in request.headers.to_unicode_dict()}


@pytest.mark.parametrize("account", [{}, ACCOUNT], ids=["pages", "api"])
def test_a_category_is_a_number(account: JSON) -> None:
    with pytest.raises(WrongArgument, match=r"category='Design'.*category2_uid"):
        make_spider(account, category="Design")
    assert make_spider(account, category=" 12 ").category == "12"


# --- which way in -------------------------------------------------------------------------------------------------


def test_the_account_decides_which_way_is_taken_and_what_is_loaded() -> None:
    pages, api = make_spider(), make_spider(ACCOUNT)
    assert (type(pages), type(api)) == (UpworkSpider, UpworkApi)
    assert (pages.name, api.name) == ("upwork", "upwork")
    # An anchor of one is none of the other.
    assert pages.listing != api.listing
    with_pages, with_api = pages.settings, api.settings
    assert "Browser" in str(with_pages["DOWNLOAD_HANDLERS"]) or with_pages["DOWNLOAD_HANDLERS"] == {"https": None}
    assert "Details" in str(with_pages.getdict("SPIDER_MIDDLEWARES"))
    assert "Details" not in str(with_api.getdict("SPIDER_MIDDLEWARES"))
    assert "OAuth" in str(with_api.getdict("DOWNLOADER_MIDDLEWARES"))
    assert "OAuth" not in str(with_pages.getdict("DOWNLOADER_MIDDLEWARES"))
    assert (with_pages.getbool("ROBOTSTXT_OBEY"), with_api.getbool("ROBOTSTXT_OBEY")) == (True, False)


@pytest.mark.parametrize("missing", ACCOUNT)
def test_half_an_account_is_none_and_is_told(missing: str, caplog: pytest.LogCaptureFixture) -> None:
    assert type(make_spider(ACCOUNT | {missing: " "})) is UpworkSpider
    assert f"without its official API, since {missing} is not set" in caplog.text


def test_tokens_are_given_out_where_the_platform_or_its_stand_in_is() -> None:
    live = make_spider(ACCOUNT)
    assert live.token_address == "https://www.upwork.com/api/v3/oauth2/token"
    assert live.listing_request("").url == ENDPOINT
    there = make_spider(ACCOUNT, base_url="http://localhost:8000/x/")
    assert there.token_address == "http://localhost:8000/x/api/v3/oauth2/token"
    assert live.takes_token(Request(ENDPOINT))
    for address in ("http://api.upwork.com/graphql", "https://www.upwork.com/", "https://api.upwork.com:444/graphql",
                    "https://api.upwork.com.evil.test/graphql"):  # fmt: skip
        assert not live.takes_token(Request(address))
    assert there.takes_token(Request("http://localhost:8000/x/graphql"))
    assert not there.takes_token(Request(there.token_address))


def test_the_api_needs_no_permission_and_the_pages_do() -> None:
    for address in (ENDPOINT, "https://www.upwork.com/api/v3/oauth2/token"):
        assert missing_permission(UpworkSpider, address, []) is None
    for address in (
        ADDRESS,
        "https://www.upwork.com/",
        "https://www.upwork.com/jobs/~021",
        "https://upwork.com/robots.txt",
    ):
        problem = missing_permission(UpworkSpider, address, [])
        assert problem is not None
        assert "set PERMITTED_PLATFORMS=upwork" in str(problem)
        assert missing_permission(UpworkSpider, address, ["upwork"]) is None
    assert UpworkSpider.way_in(project_settings(**ACCOUNT)) is UpworkApi


# --- the API ------------------------------------------------------------------------------------------------------


def test_the_query_is_one_of_the_documented_schema() -> None:
    graphql = pytest.importorskip("graphql")
    for document in (UpworkApi.document, SEARCH):
        assert graphql.validate(graphql.build_schema(SCHEMA), graphql.parse(document)) == []
    # Names, companies and former contracts of clients are not asked for.
    assert not {"companyName", "lastContractTitle", "city", "ownership"} & set(UpworkApi.document.split())


@pytest.mark.parametrize("hourly", [True, False])
def test_what_is_null_in_a_row_is_taken_from_its_job(hourly: bool) -> None:
    job = next(job for job in (JobMaker(1).make(serial, 1.7e9) for serial in range(99)) if job.hourly is hourly)
    bare = dict.fromkeys(("experienceLevel", "duration", "durationLabel", "engagement", "category", "subcategory"))
    root = {SEARCH_FIELD: connection(edges=[{"node": node(job) | bare}])["data"][SEARCH_FIELD]}
    (item,) = parse(make_spider(ACCOUNT), answered(answer(UpworkApi.document, {}, None, root)))
    told = from_api(job)
    assert (item.category, item.extra) == (told["category"], told["extra"])
    assert set(item.extra) == {"experience_level", "duration", "subcategory"} | ({"engagement"} if hourly else set())


def test_the_query_asks_for_what_narrows_it() -> None:
    spider = make_spider(ACCOUNT, query="web app", skills="Python, Web Scraping", category="12")
    sent = json.loads(spider.listing_request("50").body)
    assert sent["variables"] == {
        "filter": {
            "pagination_eq": {"first": 50, "after": "50"},
            "searchExpression_eq": "web app",
            "skillExpression_eq": '"Python" AND "Web Scraping"',
            "categoryIds_any": ["12"],
        },
        "sort": [{"field": "RECENCY"}],
    }
    assert spider.proof()["filter"] == {"pagination_eq": {"first": 1}}
    assert make_spider(ACCOUNT).proof() is None
    assert json.loads(make_spider(ACCOUNT).listing_request("").body)["variables"]["filter"] == {
        "pagination_eq": {"first": 50}
    }


def test_captured_answers_are_read() -> None:
    if not CAPTURES.is_dir():
        pytest.skip("the captured answers are not beside this checkout (OUTSOURCING_CAPTURES names their folder)")
    folder = CAPTURES / "upwork"
    spider = make_spider(ACCOUNT)
    body = (folder / "graphql_1_marketplaceJobPostingsSearch.json").read_bytes()
    page = spider.page(answered(body))
    assert (page.total, page.is_last, page.following) == (1, True, "cursor-1")
    (item,) = parse(spider, answered(body))
    assert item.budget == Budget(
        minimum=Decimal(50), maximum=Decimal(100), currency="USD", period="hour", text="$50 - $100"
    )
    assert (item.url, item.title, item.description) == (
        "https://www.upwork.com/jobs/cipher", "Build a GraphQL SDK", "Use C#",
    )  # fmt: skip
    assert item.posted_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (item.bid_count, item.bid_average, item.work_mode, item.skills) == (3, Decimal(75), "remote", ["C#"])
    assert item.client is not None
    assert (item.client.rating, item.client.verified) == (Decimal("4.9"), True)
    assert (item.category, item.extra) == (
        "Web, Mobile & Software Dev",
        {"experience_level": "expert", "duration": "1 to 3 months", "engagement": "Less than 30 hrs/week"},
    )
    assert "Acme" not in repr(item)
    # The answer for one job has the terms of one with a fixed price.
    job = json.loads((folder / "graphql_2_marketplaceJobPosting.json").read_bytes())["data"]["marketplaceJobPosting"]
    assert spider.item({"id": "1", "title": "T", "job": job}, answered(b"")).extra["duration"] == "3 to 6 months"
    with pytest.raises(LoginRequired, match=r"Read marketplace Job Postings.*UPWORK_REFRESH_TOKEN"):
        spider.page(answered((folder / "graphql_4_errors.json").read_bytes()))
    fixed, odd = (
        spider.item(row, answered(b"", date="Sat, 26 Sep 2026 14:13:20 GMT"))
        for row in json.loads((folder / "search_node_test_samples.json").read_bytes()).values()
    )
    assert fixed.budget == Budget(
        minimum=Decimal("500.0"), maximum=Decimal("500.0"), currency="USD", period="total", text="$500.00"
    )
    assert fixed.posted_at == datetime(2026, 9, 24, 10, tzinfo=UTC)
    assert odd.budget == Budget(minimum=Decimal(1500), maximum=Decimal(1500), currency="USD", period="total")
    assert (odd.description, odd.skills) == (None, ["Python"])
    assert odd.posted_at == datetime(2026, 8, 25, 9, tzinfo=UTC)
    assert odd.client is not None
    assert odd.client.country == "DE"
    assert odd.extra == {"duration": "More than 6 months", "engagement": "30+ hrs/week"}


def api_row(**fields: Any) -> JSON:
    return {"id": "7", "title": "T", "ciphertext": "~01abc", **fields}


def usd(amount: str) -> JSON:
    return {"rawValue": amount, "currency": "USD", "displayValue": f"${amount}"}


FIXED, HOURLY = ({"contractTerms": {"contractType": kind}} for kind in ("FIXED_PRICE", "HOURLY"))
_500 = (500, 500, "USD", "total", "$500")
_10_20 = (10, 20, "USD", "hour", "$10 - $20")


@pytest.mark.parametrize(
    ("job", "amount", "low", "high", "budget"),
    [
        # What is of the other kind is a placeholder, whatever it says.
        (FIXED, "500", "0", "0", _500),
        (FIXED, "500", "10", "20", _500),
        (HOURLY, "0", "10", "20", _10_20),
        (HOURLY, "500", "10", "20", _10_20),
        (HOURLY, "500", "0.0", None, (None, None, None, "hour", None)),
        (FIXED, None, "10", "20", (None, None, None, "total", None)),
        # Where the kind is hidden, it is that of the amounts that are none.
        (None, "500", "0", "0", _500),
        (None, "500", None, None, _500),
        (None, "0", "10", "20", _10_20),
        (None, None, None, "20", (None, 20, "USD", "hour", "$20")),
        (None, "0", "0", "0.0", (None, None, None, None, None)),
        ({"contractTerms": None}, "500", "0", "0", _500),
    ],
)
def test_the_budget_is_of_the_jobs_own_kind(
    job: JSON | None, amount: str | None, low: str | None, high: str | None, budget: tuple[Any, ...]
) -> None:
    money = {name: value and usd(value) for name, value in
             (("amount", amount), ("hourlyBudgetMin", low), ("hourlyBudgetMax", high))}  # fmt: skip
    found = make_spider(ACCOUNT).item(api_row(job=job, **money), answered(b"")).budget
    assert (found.minimum, found.maximum, found.currency, found.period, found.text) == budget


def test_what_the_api_hides_is_unknown() -> None:
    bids = {"activityStat": {"applicationsBidStats": {"avgRateBid": usd("0.0")}}}
    row = api_row(ciphertext=None, job=bids, skills=[{"name": "python", "prettyName": None}, {"name": None}, None])
    item = make_spider(ACCOUNT).item(row, answered(b""))
    assert (item.url, item.bid_average, item.skills) == ("https://www.upwork.com/jobs/~027", None, ["python"])


@pytest.mark.parametrize(
    ("name", "label", "told"),
    [
        ("WEEK", None, "Less than 1 week"),
        ("QUARTER", None, "1 to 3 months"),
        ("ONGOING", None, "More than 6 months"),
        ("ONGOING", "As long as it takes", "As long as it takes"),
        ("DECADE", None, "DECADE"),
        (["ONGOING"], None, None),
        (None, None, None),
    ],
)
def test_a_duration_without_its_label_is_told_in_the_labels_words(name: Any, label: Any, told: str | None) -> None:
    for other in ({}, {"job": {"contractTerms": {"hourlyContractTerms": {"engagementDuration": None}}}}):
        row = api_row(duration=name, durationLabel=label, **other)
        assert make_spider(ACCOUNT).item(row, answered(b"")).extra.get("duration") == told


@pytest.mark.parametrize("empty", [[], {}, None], ids=repr)
def test_an_empty_part_of_a_job_costs_itself_alone(empty: Any) -> None:
    parts = ("job", "client", "amount", "hourlyBudgetMin", "hourlyBudgetMax", "skills")
    item = make_spider(ACCOUNT).item(api_row(**dict.fromkeys(parts, empty)), answered(b""))
    assert (item.title, item.client, item.skills, item.budget) == ("T", None, [], Budget())


def connection(**other: Any) -> JSON:
    found = {"totalCount": 1, "edges": [{"node": {"id": "1"}}], "pageInfo": {"hasNextPage": False, "endCursor": "1"}}
    return {"data": {"marketplaceJobPostingsSearch": found | other}}


_INSIDE = {"message": "hidden", "path": ["marketplaceJobPostingsSearch", "edges", 0, "node", "client"]}
_BAD: list[tuple[bytes | JSON, int, type[Outcome], str]] = [
    ({"errors": [{"message": "User does not have required OAuth2 permission: X"}], "data": None}, 200,
     LoginRequired, "scopes"),
    ((FIXTURES / "api_error_empty.json").read_bytes(), 200, LoginRequired, "Read marketplace"),
    ({"errors": [_INSIDE, {"message": "Authentication failed"}], **connection()}, 200, LoginRequired, "failed"),
    ({"errors": [{"message": "Exception occurred"}], "data": None}, 200, Unreachable, "try again later"),
    ({"errors": [{"message": "The header X-Upwork-API-TenantId is missing"}], "data": None}, 200, LoginRequired,
     "TenantId"),
    ({"errors": [{"message": "Field 'x' is undefined"}], "data": None}, 200, LayoutChanged, "needs mending"),
    ({"errors": "odd", "data": None}, 200, LayoutChanged, "'odd'"),
    ({"errors": [None]}, 200, LayoutChanged, "None"),
    (b"[]", 200, LayoutChanged, "something else"),
    (b"{}", 200, LayoutChanged, "no rows where they were"),
    ({"data": None}, 200, LayoutChanged, "no rows where they were"),
    (connection(edges=None), 200, LayoutChanged, "no rows where they were"),
    (connection(edges=[None]), 200, LayoutChanged, "no rows where they were"),
    (connection(edges=[{"node": None}, {}]), 200, LayoutChanged, "no rows where they were"),
    ({"errors": [{"message": "Authentication failed: expired"}]}, 401, LoginRequired, "401"),
    ({"errors": [{"message": "Exception occurred"}]}, 500, Unreachable, "several times"),
    (b"<html>", 200, Blocked, "page where JSON"),
    (b"Too many", 429, RateLimited, "too many"),
]  # fmt: skip


@pytest.mark.parametrize("edge", [None, {}, {"node": None}, {"node": ["2"]}, {"cursor": "2"}, "2"], ids=str)
def test_an_edge_without_a_job_costs_itself(edge: Any) -> None:
    spider = make_spider(ACCOUNT)
    page = spider.page(answered(connection(edges=[{"node": {"id": "1"}}, edge, {"node": {"id": "3"}}])))
    assert [row["id"] for row in page.rows] == ["1", "3"]
    assert spider.crawler.stats.get_value("outsourcing/skipped/no_record") == 1


@pytest.mark.parametrize(("body", "status", "outcome", "said"), _BAD, ids=str)
def test_a_bad_answer_is_named(body: bytes | JSON, status: int, outcome: type[Outcome], said: str) -> None:
    with pytest.raises(outcome, match=said):
        make_spider(ACCOUNT).page(answered(body, status))


def test_an_error_inside_of_a_row_costs_its_field(caplog: pytest.LogCaptureFixture) -> None:
    spider = make_spider(ACCOUNT)
    for _ in range(2):
        assert len(spider.page(answered({"errors": [_INSIDE], **connection()})).rows) == 1
    assert caplog.text.count("leaves out what it would not show: hidden") == 1
    assert spider.crawler.stats.get_value("outsourcing/api/errors_in_rows") == 2


@pytest.mark.parametrize(
    ("body", "status", "refused"),
    [
        (b"", 401, True),
        ({"errors": [{"message": "Authentication failed: the access token is expired"}]}, 200, True),
        ({"errors": [{"message": "Exception occurred"}]}, 200, False),
        ({"data": {"text": 'say "errors": [{"message": "Authentication failed"}]'}}, 200, False),
        (b'{"errors"', 200, False),
        (b'["errors"]', 200, False),
        ({"errors": 5}, 200, False),
        ({"errors": [{"message": "Authentication failed"}]}, 500, False),
    ],
    ids=str,
)
def test_a_refused_token_is_told_from_other_errors(body: bytes | JSON, status: int, refused: bool) -> None:
    assert make_spider(ACCOUNT).is_token_refused(answered(body, status)) is refused

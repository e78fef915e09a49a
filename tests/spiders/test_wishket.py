"""What the Wishket spider makes of its pages: fixtures, odd rows, captured answers."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from _crawls import project_settings
from _fixture_checks import check_fixture, names_of, saved_items, spider_of
from platforms_standins._wishket_projects import ODD, salary
from platforms_standins.wishket import WishketStandIn, packed, query_of
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import HtmlResponse, JsonResponse, Request, TextResponse

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import LayoutChanged, WrongArgument
from outsourcing_spiders.parsing.budgets import parse_budget
from outsourcing_spiders.parsing.lzstring import decompress_from_base64
from outsourcing_spiders.spiders.wishket import WishketSpider

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wishket"
CAPTURES = Path(
    os.environ.get("OUTSOURCING_CAPTURES") or Path(__file__).parents[2].parent / "shared" / "captures" / "wishket"
)
HOME = "https://www.wishket.com"
NOW = 1_790_000_000
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"

JSON = dict[str, Any]


def make_spider(**arguments: Any) -> WishketSpider:
    """Return a spider with a crawler, as `scrapy parse` has it."""
    crawler = AsyncCrawlerRunner(project_settings()).create_crawler(WishketSpider)
    crawler._apply_settings()
    return WishketSpider.from_crawler(crawler, **arguments)


def answered(body: bytes | str, *, url: str = f"{HOME}/project/", date: str = DATE) -> TextResponse:
    """Return an answer as it was saved: of the listing, of its twin, of a project."""
    body = body.encode() if isinstance(body, str) else body
    kind = JsonResponse if body.startswith(b"{") else HtmlResponse
    return kind(url, body=body, headers={"Date": date}, request=Request(url), encoding="utf-8")


def twin(*cards: str) -> TextResponse:
    return answered(json.dumps({"result": "".join(cards), "count": len(cards)}))


def plain(items: list[Project]) -> list[JSON]:
    """Return items as the files of fixtures hold them; the day of a copy's end is no fact of the platform."""
    found: list[JSON] = json.loads(json.dumps([asdict(item) for item in items], default=str))
    for item in found:
        assert item.pop("expires_at") is None
    return found


def captured(name: str) -> str:
    if not (CAPTURES / name).exists():
        pytest.skip(f"the captured answer {name} is not beside this checkout")
    return (CAPTURES / name).read_text()


# --- fixtures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names_of("wishket"))
def test_a_fixture_gives_what_is_saved_with_it(name: str) -> None:
    check_fixture(WishketSpider, FIXTURES, name)


def test_a_page_and_its_twin_say_what_follows() -> None:
    spider = make_spider()

    def said(name: str) -> tuple[int, int | None, bool | None]:
        page = spider.page(answered((FIXTURES / name).read_bytes()))
        return len(page.rows), page.total, page.is_last

    assert said("listing_twin.json") == (10, 35, None)
    assert said("listing.html") == (10, None, False)
    assert said("last_page.html") == (5, None, True)
    assert said("empty_twin.json") == (0, 0, None)
    assert said("empty.html") == (0, None, True)


def test_the_page_of_a_project_can_be_read_alone() -> None:
    # As `scrapy parse -c parse_detail` calls it.
    spider, response = spider_of(WishketSpider, FIXTURES, "detail")
    (alone,) = spider.parse_detail(response)
    assert (alone.description, alone.posted_text) == (saved_items(FIXTURES, "detail")[0]["description"], "2026-09-21")
    assert alone.posted_at == datetime(2026, 9, 20, 15, tzinfo=UTC)


# --- odd cards ----------------------------------------------------------------------------------------------------

#: What each odd case makes of an item; `listed` of the stand-in says the rest.
EXPECTED: dict[str, JSON] = {
    "private": {"budget": None, "skills": [], "posted_at": None, "status": "open", "extra": {"private": True}},
    "undecided": {"minimum": None, "maximum": None, "currency": None, "period": "total"},
    "undecided_monthly": {"minimum": None, "maximum": None, "currency": None, "period": "month"},
    "undecided_bare": {"minimum": None, "maximum": None, "currency": None, "period": None, "text": "협의 후 결정"},
    "in_manwon": {"minimum": Decimal(20_000_000), "currency": "KRW", "period": "total"},
    "huge": {"minimum": Decimal(1_250_000_000), "maximum": Decimal(1_250_000_000), "currency": "KRW"},
    "nothing": {"minimum": None, "maximum": None, "currency": "KRW"},
    "closed": {"status": "closed", "closes_at": None},
    "gone": {"status": "open"},
    "ends_today": {"closes_at": datetime(2026, 9, 21, 14, 59, tzinfo=UTC)},
    "ends_in_days": {"closes_at": datetime(2026, 9, 27, 14, 59, tzinfo=UTC)},
    "ends_in_weeks": {"closes_at": datetime(2026, 10, 5, 14, 59, tzinfo=UTC)},
    "many_applicants": {"bid_count": 1024},
    "title_entities": {"title": "R&D <관리> \"포털\" & 'API' 개발"},
    "title_emoji": {"title": "👩‍💻 파이썬 크롤러 🇰🇷 유지보수 ✅"},
    "title_english": {"title": "Maintain an existing Flutter app"},
    "title_blanks": {"title": "쇼핑몰 앱 개발"},
    "title_long": {"title": ("재고 관리 플랫폼 고도화 " * 40).strip()},
    "no_title": {"title": ""},
    "no_budget": {"budget": None},
    "no_term": {"extra.days": None},
    "no_skills": {"skills": []},
    "no_posted": {"posted_at": None, "posted_precision": "unknown", "posted_text": None},
    "no_deadline": {"closes_at": None, "status": "open"},
    "no_applicants": {"bid_count": None},
    "no_client": {"client": None},
    "not_rated": {"client.rating": None},
}


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[WishketStandIn]:
    async with WishketStandIn(120, seed=1, now=NOW, frozen=True) as site:
        yield site


@pytest.fixture(scope="module")
async def odd_items(site: WishketStandIn) -> dict[str, Project]:
    """Every row of the site by its id, read from the pages that it serves."""
    import aiohttp
    from yarl import URL

    spider = make_spider()
    found: dict[str, Project] = {}
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as http:
        for number in range(1, 13):
            address = URL(site.base_url + packed(srt="new", page=number), encoded=True)
            async with http.get(address, headers={"X-Requested-With": "XMLHttpRequest"}) as answer:
                response = answered(await answer.read(), date=answer.headers["Date"])
            found |= {item.external_id: item for item in spider.parse(response)}
    assert len(found) == 120
    return found


def test_every_row_is_what_the_site_tells(site: WishketStandIn, odd_items: dict[str, Project]) -> None:
    told = {stored["external_id"]: stored for stored in site.projects}
    assert plain(list(odd_items.values())) == json.loads(json.dumps(list(told.values()), default=str))


@pytest.mark.parametrize("name", [name for name in ODD if not name.startswith(("json_ld", "description"))])
def test_odd_cards(name: str, site: WishketStandIn, odd_items: dict[str, Project]) -> None:
    item = asdict(odd_items[str(site.odd[name])])
    flat = item | (item["budget"] or {})
    for field, value in EXPECTED[name].items():
        first, _, rest = field.partition(".")
        assert (flat[first].get(rest) if rest else flat[field]) == value, field


CARD = """<div class="project-info-box"><div class="project-info-box-wrapper"><section class="project-organic-info">
<div class="project-status-label"><div class="status-mark {mark}</div></div>
<a class="project-link" href="{href}"><p>제목</p></a>{core}</section>{more}</div></div>"""
OPEN = 'recruiting-mark">모집 중'


def card(mark: str = OPEN, href: str = "/project/7/", core: str = "", more: str = "") -> str:
    return CARD.format(mark=mark, href=href, core=core, more=more)


def one(*cards: str) -> Project:
    (item,) = make_spider().parse(twin(*cards))
    assert isinstance(item, Project)
    return item


def test_the_barest_card() -> None:
    item = one(card())
    assert plain([item]) == plain([
        Project(platform="wishket", external_id="7", url=f"{HOME}/project/7/", title="제목", description_complete=False,
                status="open"),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "state"),
    [
        (OPEN, "open"),
        ('close-mark">모집 마감', "closed"),
        ('x">마감', "closed"),
        ('new-mark">NEW', "unknown"),
        ('x">계약 진행 중', "unknown"),
    ],
)
def test_states(mark: str, state: str) -> None:
    assert one(card(mark)).status == state


@pytest.mark.parametrize(
    ("fact", "count"),
    [
        ("지원자 <span>없음</span>", 0),
        ("지원자 <span>5명</span>", 5),
        ("지원자 <span>1,024 명</span>", 1024),
        ("지원자 <span>비공개</span>", None),
        ("지원자", None),
        ("관심 <span>5명</span>", None),
    ],
)
def test_applicants(fact: str, count: int | None) -> None:
    assert one(card(more=f'<p class="info-detail">{fact}</p>')).bid_count == count


@pytest.mark.parametrize(
    ("text", "date", "closes"),
    [
        # 23:13 in Korea.
        ("2주 2일 전", DATE, "2026-10-07T14:59"),
        ("2주 전", DATE, "2026-10-05T14:59"),
        ("3일 전", DATE, "2026-09-24T14:59"),
        ("45분 전", DATE, "2026-09-21T14:59"),
        ("3시간 전", "Mon, 21 Sep 2026 11:00:00 GMT", "2026-09-21T14:59"),
        # 01:00 of the next day in Korea.
        ("22시간 전", "Mon, 21 Sep 2026 16:00:00 GMT", "2026-09-22T14:59"),
        # Between 23:59 and midnight in Korea, and at 23:59 sharp.
        ("2일 전", "Mon, 21 Sep 2026 14:59:01 GMT", "2026-09-24T14:59"),
        ("2일 전", "Mon, 21 Sep 2026 14:59:59 GMT", "2026-09-24T14:59"),
        ("2일 전", "Mon, 21 Sep 2026 14:59:00 GMT", "2026-09-23T14:59"),
        ("3시간 전", "Mon, 21 Sep 2026 11:59:00 GMT", "2026-09-21T14:59"),
        ("임박", DATE, None),
        ("", DATE, None),
    ],
)
def test_deadlines_are_the_ends_of_days_in_korea(text: str, date: str, closes: str | None) -> None:
    body = json.dumps({"result": card(more=f'<p class="info-detail"><img>마감 <span>{text}</span></p>'), "count": 1})
    (item,) = make_spider().parse(answered(body, date=date))
    assert item.closes_at == (None if closes is None else datetime.fromisoformat(closes).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("core", "minimum", "period"),
    [
        ("월 금액 <span>7,000,000원 <span>/월</span></span>", 7_000_000, "month"),
        ("예상 금액 <span>20,000,000원</span>", 20_000_000, "total"),
        ("예상 금액 <span>2,000만원</span>", 20_000_000, "total"),
        ("월 금액 <span>550만원</span>", 5_500_000, "month"),
    ],
)
def test_won_and_ten_thousands_of_won(core: str, minimum: int, period: str) -> None:
    budget = one(card(core=f'<p class="budget">{core}</p>')).budget
    assert budget is not None
    assert (budget.minimum, budget.maximum, budget.currency, budget.period) == (minimum, minimum, "KRW", period)


def test_a_salary_of_a_page_is_the_budget_of_its_card() -> None:
    listed, said = parse_budget("예상 금액 20,000,000원"), parse_budget(salary(20_000_000))
    assert listed is not None
    assert said is not None
    assert (listed.minimum, listed.currency) == (said.minimum, said.currency)


@pytest.mark.parametrize("href", ["", "/project/", "/project/new/", "/project/7x/", "/login/?next=/project/7/"])
def test_a_card_without_a_number_costs_itself(href: str) -> None:
    assert one(card(), card(href=href)).external_id == "7"


@pytest.mark.parametrize(
    "body",
    [
        '{"count": 3}',
        '{"result": null, "count": 3}',
        '{"result": 5}',
        "[]",
        '{"result"',
        "{}",
        '{"result": "", "count"',
    ],
)
def test_a_twin_without_cards_where_they_were_is_a_changed_layout(body: str) -> None:
    with pytest.raises(LayoutChanged, match="holds no cards where they were"):
        list(make_spider().parse(answered(body)))


# --- pages of projects --------------------------------------------------------------------------------------------


def test_projects_in_private_matching_have_no_page_to_ask_for() -> None:
    spider = make_spider()
    assert spider.ask_for_detail(one(card('private-mark">프라이빗 매칭'))) is None
    request = spider.ask_for_detail(one(card()))
    assert request is not None
    assert (request.url, request.meta["marker"]) == (f"{HOME}/project/7/", "project-detail-view")


POSTING = '<script type="application/ld+json">%s</script>'
VIEW = '<div class="project-detail-view"><h1>제목</h1></div>'
LOCK = '<div class="project-description-box"><p>로그인하고 업무 내용을 확인해 보세요.</p></div>'


@pytest.mark.parametrize(
    ("posting", "description"),
    [
        ({"description": "[개요]\r\n- 하나\r\n\r\n- 둘 & 셋"}, "[개요]\n- 하나\n\n- 둘 & 셋"),
        ({"description": "<p>하나<br>둘</p><p>셋 &amp; 넷</p>"}, "하나\n둘\n\n셋 & 넷"),
        ({"description": ""}, None),
        ({"description": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_descriptions(posting: JSON | None, description: str | None) -> None:
    script = "" if posting is None else POSTING % json.dumps({"@type": "JobPosting"} | posting)
    item = make_spider().detail(one(card()), answered(VIEW + LOCK + script))
    assert item.description == description
    assert item.description_complete
    assert item.extra == {"login_only": ["description", "requirements"] if description is None else ["requirements"]}
    assert item.posted_at is None


def test_what_nothing_is_said_to_be_for_members_of_is_not_marked() -> None:
    # The words are those of many a project.
    script = POSTING % json.dumps(
        {"@type": "JobPosting", "description": "로그인하고 결제하는 화면"}, ensure_ascii=False
    )
    assert make_spider().detail(one(card()), answered(VIEW + script)).extra == {}


@pytest.mark.parametrize("posting", [None, {}, {"description": None}, {"@type": "Article", "description": "하나"}])
def test_a_description_that_is_neither_there_nor_for_members_is_a_changed_layout(posting: JSON | None) -> None:
    page = VIEW + ("" if posting is None else POSTING % json.dumps({"@type": "JobPosting"} | posting))
    spider = make_spider()
    for _ in range(4):
        (item,) = spider.parse_detail(answered(page), item=one(card()))
        assert not item.description_complete
    with pytest.raises(LayoutChanged, match="none of the first pages of projects can be read"):
        list(spider.parse_detail(answered(page), item=one(card())))


def test_the_day_of_a_page_is_a_day_in_korea() -> None:
    script = POSTING % json.dumps({"@type": "JobPosting", "description": "하나", "datePosted": "2026-08-31"})
    found = make_spider().detail(one(card()), answered(VIEW + script))
    assert (found.posted_at, found.posted_precision) == (datetime(2026, 8, 30, 15, tzinfo=UTC), "day")
    known = one(card(core='<p class="start-recruitment-data">· 등록일자 2026.08.05.</p>'))
    found = make_spider().detail(known, answered(VIEW + script))
    assert (found.posted_at, found.posted_text) == (datetime(2026, 8, 4, 15, tzinfo=UTC), "등록일자 2026.08.05.")


@pytest.mark.parametrize("page", ["<div id='root'></div>", VIEW + POSTING % '{"@type": "JobPosting", "descr'])
def test_a_page_of_another_shape_is_an_error_and_costs_the_description_alone(page: str) -> None:
    spider, item = make_spider(), one(card())
    with pytest.raises(ValueError, match=r"no project on the page|not readable"):
        spider.detail(item, answered(page))
    assert list(spider.parse_detail(answered(page), item=item)) == [item]
    assert item.description is None
    assert not item.description_complete


# --- captured answers ---------------------------------------------------------------------------------------------


def test_a_captured_card_gives_all_that_it_holds() -> None:
    item = one(captured("list_card_157463.html"))
    assert item.external_id == "157463"
    assert item.url == f"{HOME}/project/157463/"
    assert item.title == "Databricks 기반 데이터 플랫폼 구축 데이터 엔지니어"
    assert item.status == "open"
    assert item.budget is not None
    assert (item.budget.minimum, item.budget.currency, item.budget.period) == (7_000_000, "KRW", "month")
    assert item.budget.text == "월 금액 7,000,000원 /월"
    assert (item.skills, item.category, item.work_mode) == (["Databricks"], None, "onsite")
    assert item.location == "서울특별시 강남구"
    assert item.posted_at == datetime(2026, 8, 4, 15, tzinfo=UTC)
    assert (item.posted_precision, item.posted_text) == ("day", "등록일자 2026.08.05.")
    assert item.closes_at == datetime(2026, 10, 7, 14, 59, tzinfo=UTC)
    assert item.bid_count == 0
    assert item.client is not None
    assert item.client.rating == Decimal("3.7")
    assert item.extra == {
        "type": "기간제", "days": 300, "role": "데이터 엔지니어", "level": "시니어", "start": "즉시 시작",
        "experience": ["Databricks · 경력 무관"], "client_certified": True,
    }  # fmt: skip
    assert "to***" not in repr(item)


def test_a_captured_card_in_private_matching() -> None:
    item = one(captured("list_card_private_158092.html"))
    assert (item.external_id, item.title) == ("158092", "Flutter 기반 프라이빗 프로젝트")
    assert (item.status, item.extra, item.budget, item.client) == ("open", {"private": True}, None, None)


def test_the_texts_of_a_captured_card_and_its_page_agree() -> None:
    found = json.loads(captured("detail-158896.json"))["payload"]
    texts, fields = found["listCard"], found["detail"]["fields"]
    spider = make_spider()
    response = answered("{}", date="Fri, 02 Oct 2026 05:00:00 GMT")
    day = spider.deadline(fields["모집 마감일"], response).at
    closes = spider.closes_at(texts["deadlineText"], response)
    assert day is not None
    assert closes == day.replace(second=0) == datetime(2026, 10, 16, 14, 59, tzinfo=UTC)
    posted = spider.time(texts["registeredText"].lstrip("· "), response)
    assert posted == spider.time(found["detail"]["registeredText"], response)
    assert posted.at == datetime(2026, 10, 1, 15, tzinfo=UTC)
    listed, said = parse_budget(texts["budgetText"]), parse_budget(found["detail"]["target"]["budget"])
    assert listed is not None
    assert said is not None
    assert (listed.minimum, listed.period) == (said.minimum, said.period) == (5_500_000, "month")


def test_a_captured_page_gives_its_description() -> None:
    page = captured("detail_min_jsonld.html")
    item = make_spider().detail(one(card()), answered(page.replace("<body>", f"<body>{VIEW}")))
    assert item.description == "[프로젝트 개요]\n- 상세 설명 본문"
    assert item.description_complete
    assert item.posted_at == datetime(2026, 8, 30, 15, tzinfo=UTC)


# --- arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "page", "asked"),
    [
        ({}, 1, "srt=new&page=1"),
        ({}, 12, "srt=new&page=12"),
        ({"query": "파이썬 크롤링"}, 1, "srt=new&s=파이썬 크롤링&page=1"),
        ({"category": "Design"}, 2, "srt=new&c=design&page=2"),
        ({"category": "etc", "query": "C#"}, 1, "srt=new&c=etc&s=C#&page=1"),
    ],
)
def test_the_query_is_packed(arguments: dict[str, str], page: int, asked: str) -> None:
    request = make_spider(**arguments).listing_request(page)
    parts = urlsplit(request.url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "www.wishket.com", "/project/")
    value = parts.query.removeprefix("d=")
    assert not set(value) & set("+/=&# ")
    assert decompress_from_base64(unquote(value)) == asked
    assert query_of(unquote(value))["page"] == str(page)
    assert request.headers["X-Requested-With"] == b"XMLHttpRequest"


def test_the_platforms_own_address_of_the_newest() -> None:
    """The packed `srt=new` that was seen is what ours is made of."""
    assert decompress_from_base64("M4JwLgvAdgpg7kA=") == "srt=new"
    assert unquote(make_spider().listing_request(1).url.split("d=")[1]).startswith("M4JwLgvAdgpg7")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"category": "개발"}, "category: the platform has no '개발'; it has development, design"),
        ({"category": "design,etc"}, "category: the platform has no 'design,etc'"),
        ({"query": "R&D"}, "query: '&' cannot be asked for"),
        ({"query": "c++"}, r"query: '\+' cannot be asked for"),
        ({"skills": "Java"}, "narrowed by skills"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(WrongArgument, match=said):
        make_spider(**arguments)

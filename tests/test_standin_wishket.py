"""Check that the stand-in of Wishket speaks like the platform, and that what it tells of itself is on the wire."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lzstring import LZString
from parsel import Selector
from platforms_standins._wishket_fixtures import FOLDER, saved
from platforms_standins._wishket_projects import ODD
from platforms_standins.wishket import WishketStandIn, packed, query_of, standin_process
from yarl import URL

NOW = 1_790_000_000
KST = timezone(timedelta(hours=9))
CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures" / "wishket"
XHR = {"X-Requested-With": "XMLHttpRequest"}

JSON = dict[str, Any]


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[WishketStandIn]:
    async with WishketStandIn(now=NOW, frozen=True) as site:
        yield site


async def get(http: aiohttp.ClientSession, site: WishketStandIn, path: str, **headers: str) -> str:
    async with http.get(URL(site.base_url + path, encoded=True), headers=headers) as answer:
        return await answer.text()


async def page(http: aiohttp.ClientSession, site: WishketStandIn, number: int = 1, **query: Any) -> Selector:
    return Selector(await get(http, site, packed(srt="new", **query, page=number)))


async def walk(http: aiohttp.ClientSession, site: WishketStandIn) -> list[JSON]:
    """Read all pages along the links, independently of the stand-in's own account."""
    found, path = [], packed(srt="new")
    while path:
        shown = Selector(await get(http, site, path))
        found += [read(card) for card in shown.css("#projectListView > div > div")]
        path = shown.xpath('//ul[@class="pagination"]//a[text()="다음"]/@href').get("")
    return found


def text_of(node: Selector, query: str) -> str | None:
    found = node.css(query)
    return " ".join("".join(found[0].xpath(".//text()").getall()).split()) if found else None


def read(card: Selector) -> JSON:
    """Read the fields of a card that can be compared as they stand."""
    link = card.css("a.project-link")
    budget = text_of(card, "p.budget")
    won = re.search(r"([\d,]+)(만?)원", budget or "")
    amount = int(won[1].replace(",", "")) * (10_000 if won[2] else 1) if won else None
    applicants = next((t for t in facts(card) if t.startswith("지원자")), None)
    posted = text_of(card, "p.start-recruitment-data")
    deadline = next((t for t in facts(card) if t.startswith("마감")), None)
    skills = [text_of(chip, "span") or "" for chip in card.css("span.skill-chip")]
    return {
        "external_id": link.attrib["href"].split("/")[2],
        "title": text_of(card, "a.project-link p"),
        "status": "open" if card.css("div.recruiting-mark") else "closed",
        "budget_text": budget,
        "amount": Decimal(amount) if amount else None,
        "period": next(
            (p for label, p in (("월 금액", "month"), ("예상 금액", "total")) if label in (budget or "")), None
        ),
        "skills": [skill.split(" · ")[0] for skill in skills],
        "location": text_of(card, "p.location-data"),
        "posted_at": at_midnight(posted) if posted else None,
        "closes_at": end_of(deadline) if deadline else None,
        "bid_count": (int("0" + re.sub(r"\D", "", applicants)) if applicants else None),
    }


def facts(card: Selector) -> list[str]:
    return [text_of(fact, "p") or "" for fact in card.css("p.info-detail")]


def at_midnight(text: str) -> datetime:
    found = re.search(r"(\d{4})\.(\d\d)\.(\d\d)\.", text)
    assert found
    return datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=KST)


def end_of(text: str) -> datetime:
    units = {"주": 7 * 86400, "일": 86400, "시간": 3600, "분": 60}
    left = sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)(주|일|시간|분)", text))
    assert left, text
    return datetime.fromtimestamp(NOW + left, KST).replace(hour=23, minute=59, second=0)


def comparable(stored: JSON) -> JSON:
    """Return what the site tells of a project in the form of `read`."""
    budget = stored["budget"] or {}
    keys = ("external_id", "title", "status", "skills", "location", "posted_at", "closes_at", "bid_count")
    return {key: stored[key] for key in keys} | {
        "budget_text": budget.get("text"),
        "amount": budget.get("minimum"),
        "period": budget.get("period"),
    }


# --- truth and wire -----------------------------------------------------------------------------------------------


async def test_what_the_site_tells_is_what_its_cards_say(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    met = await walk(http, site)
    assert len(met) == len(site.projects) == 120
    for found, stored in zip(met, site.projects, strict=True):
        assert found == comparable(stored), stored
    assert set(site.odd) == set(ODD)
    assert len(set(site.odd.values())) == len(ODD)
    assert all(project["posted_at"] is None or project["posted_at"].tzinfo is UTC for project in site.projects)


async def test_odd_cards(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    met = {card["external_id"]: card for card in await walk(http, site)}

    def of(name: str) -> JSON:
        return met[str(site.odd[name])]

    told = {project["external_id"]: project for project in site.projects}
    private = told[str(site.odd["private"])]
    assert private["budget"] is private["posted_at"] is private["closes_at"] is private["bid_count"] is None
    assert private["status"] == "open"
    assert private["extra"] == {"private": True}
    assert of("undecided")["budget_text"] == "예상 금액 협의 후 결정"
    assert of("undecided_monthly")["budget_text"] == "월 금액 협의 후 결정"
    assert of("undecided_bare")["budget_text"] == "협의 후 결정"
    assert told[str(site.odd["undecided"])]["budget"]["currency"] is None
    assert of("in_manwon")["amount"] == 20_000_000
    assert of("title_entities")["title"] == "R&D <관리> \"포털\" & 'API' 개발"
    assert of("many_applicants")["bid_count"] == 1024
    assert of("closed")["status"] == "closed"
    assert of("no_budget")["budget_text"] is None


async def test_ordinary_cards_have_the_real_markup(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    names = ("list_card_157463.html", "list_card_private_158092.html")
    if not all((CAPTURES / name).exists() for name in names):
        pytest.skip("the captured answers are not beside this checkout")

    def skeleton(card: Selector) -> list[tuple[str, str]]:
        """Return tag and class of every element in order, each once."""
        nodes = [(node.root.tag, node.attrib.get("class", "")) for node in card.xpath("descendant-or-self::*")]
        return list(dict.fromkeys(nodes))

    cards = (await page(http, site)).css("div.project-info-box")
    for number in range(2, 13):
        cards += (await page(http, site, number)).css("div.project-info-box")
    made = {card.css("a.project-link").attrib["href"]: card for card in cards}
    private = skeleton(made[f"/project/{site.odd['private']}/"])
    real, real_private = (
        skeleton(Selector((CAPTURES / name).read_text()).css("div.project-info-box")[0]) for name in names
    )
    new = ("div", "status-mark new-mark")
    assert [node for node in private if node != new] == [node for node in real_private if node != new]
    monthly = [p for p in site.projects if p["extra"].get("type") == "기간제" and p["status"] == "open"]
    skeletons = [skeleton(made[f"/project/{project['external_id']}/"]) for project in monthly]
    assert any([node for node in found if node != new] == real for found in skeletons)


# --- the query ----------------------------------------------------------------------------------------------------


def test_queries_are_packed_as_on_the_real_site() -> None:
    assert LZString().compressToBase64("srt=new") == "M4JwLgvAdgpg7kA="
    assert packed(srt="new") == "/project/?d=M4JwLgvAdgpg7kA%3D"
    assert query_of("M4JwLgvAdgpg7kA=") == {"srt": "new"}
    assert query_of(LZString().compressToBase64("s=파이썬&page=3")) == {"s": "파이썬", "page": "3"}


@pytest.mark.parametrize("bad", ["", "%%%", "M4JwLgvA dgpg7kA=", "AAAA", "zzzz", "위시켓", "page=2", "M4Jw"])
async def test_a_query_that_cannot_be_unpacked_is_none(
    http: aiohttp.ClientSession, site: WishketStandIn, bad: str
) -> None:
    async with http.get(site.base_url + "/project/", params={"d": bad}, headers=XHR) as answer:
        assert answer.status == 200
        assert await answer.json() == json.loads(await get(http, site, "/project/", **XHR))


async def test_a_bare_page_number_does_nothing(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    assert await get(http, site, "/project/?page=2") == await get(http, site, "/project/")
    first = json.loads(await get(http, site, packed(page=1), **XHR))
    second = json.loads(await get(http, site, packed(page=2), **XHR))
    assert first["result"] != second["result"]


async def test_only_who_asks_gets_the_newest_first(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    async def ids(path: str) -> list[int]:
        links = Selector(await get(http, site, path)).css("a.project-link::attr(href)").getall()
        return [int(link.split("/")[2]) for link in links]

    assert await ids(packed(srt="new")) == site.listed_ids()[:10]
    assert await ids("/project/") != site.listed_ids()[:10]


async def test_filters(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    async def count(**query: str) -> int:
        found: int = json.loads(await get(http, site, packed(**query), **XHR))["count"]
        return found

    assert await count() == 120
    tasks, terms = await count(pt="task_based"), await count(pt="term_based")
    assert 0 < tasks < 120
    assert tasks + terms == 120
    assert 0 < await count(c="design") < await count(c="design,development") < 120
    assert 0 < await count(ff="web") < await count(ff="web,pc,android,ios") <= 120
    still_open = sum(row.is_open(NOW) for row in (site.row(number) for number in site.listed_ids()))
    assert await count(ecd="True") == still_open < 120
    assert 0 < await count(s="flutter") < 120
    assert await count(s="없는말") == 0
    assert "조건에 맞는 프로젝트가 없습니다." in await get(http, site, packed(s="없는말"))


async def test_pages(http: aiohttp.ClientSession) -> None:
    async with WishketStandIn(35, now=NOW, odd_rows=False) as site:
        last = await page(http, site, 4)
        assert len(last.css("div.project-info-box")) == 5
        assert "다음" not in last.css(".page-link::text").getall()
        assert "다음" in (await page(http, site, 3)).css(".page-link::text").getall()
        assert (await page(http, site, 9)).get() == last.get()
        site.change("set", past_end="empty")
        assert not (await page(http, site, 9)).css("div.project-info-box")
        twin = json.loads(await get(http, site, packed(srt="new", page=4), **XHR))
        assert twin["count"] == 35
        assert len(Selector(twin["result"]).css("div.project-info-box")) == 5


# --- a project's own page -----------------------------------------------------------------------------------------


def posting(shown: Selector) -> JSON | None:
    script = shown.css('script[type="application/ld+json"]::text').get()
    if script is None:
        return None
    found = json.loads(html.unescape(script) if "&quot;" in script else script)
    if isinstance(found, dict):
        found = found.get("@graph", [found])
    return next(one for one in found if one["@type"] == "JobPosting")


async def test_details(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    for stored in site.detailed_projects:
        number = int(stored["external_id"])
        if number == site.odd["gone"]:
            continue
        shown = Selector(await get(http, site, f"/project/{number}/"))
        if number == site.odd["private"]:
            assert "프라이빗 매칭" in shown.css(".private-mark::text").get("")
            assert not shown.css("script, .project-condition-box")
            continue
        assert text_of(shown, ".project-detail-view h1") == stored["title"]
        assert shown.css(".project-description-box p::text").get("").startswith("로그인하고 ")
        conditions = shown.css(".project-detail-condition-row")
        rows = {text_of(row, ".condition-label"): text_of(row, ".condition-data") for row in conditions}
        assert rows["지원자 수"] == f"{stored['bid_count']:,}명"
        if site.odd["json_ld_invalid"] == number:
            with pytest.raises(ValueError, match="char"):
                posting(shown)
            continue
        found = posting(shown)
        if found is None:
            assert number == site.odd["json_ld_missing"]
            continue
        closes = datetime.fromisoformat(found["validThrough"])
        assert closes.tzinfo is None
        assert closes.replace(tzinfo=KST) == stored["closes_at"]
        if stored["budget"] and isinstance(found.get("baseSalary"), str):
            man = re.fullmatch(r"([\d,]+)만원 \(부가세 별도\)", found["baseSalary"])
            assert man
            assert int(man[1].replace(",", "")) * 10_000 == stored["budget"]["minimum"]
        description = found.get("description")
        if stored["description"] is None:
            assert description is None
        elif number != site.odd["description_html"]:
            assert [line.rstrip() for line in description.splitlines()] == stored["description"].split("\n")
    async with http.get(f"{site.base_url}/project/{site.odd['gone']}/") as answer:
        assert answer.status == 404


# --- layouts, faults, movement ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "boxes", "links", "container"),
    [("2026", 10, 10, 1), ("2023", 0, 10, 1), ("2020", 0, 0, 1), ("renamed", 0, 0, 1), ("list_missing", 0, 0, 0),
     ("list_empty", 0, 0, 1)],
)  # fmt: skip
async def test_layouts(
    http: aiohttp.ClientSession, site: WishketStandIn, layout: str, boxes: int, links: int, container: int
) -> None:
    site.change("layout", name=layout)
    shown = await page(http, site)
    found = [len(shown.css(query)) for query in ("div.project-info-box", "a.project-link", "#projectListView")]
    assert found == [boxes, links, container]
    twin = json.loads(await get(http, site, packed(srt="new"), **XHR))
    assert ("result" in twin) == (layout != "list_missing")
    assert twin["count"] == 120
    if layout == "2023":
        assert [read(card) for card in shown.css("#projectListView > div > div")] == [
            comparable(stored) for stored in site.projects[:10]
        ]


async def test_own_faults(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    async def twin(kind: str) -> JSON:
        site.fail(kind, times=1)
        found: JSON = json.loads(await get(http, site, packed(srt="new"), **XHR))
        return found

    assert (await twin("result_null"))["result"] is None
    assert "result" not in await twin("list_missing")
    assert (await twin("list_empty"))["result"] == ""
    assert "count" not in await twin("count_missing")
    assert (await twin("count_null"))["count"] is None
    assert (await twin("count_string"))["count"] == "120"
    assert (await twin("count_too_large"))["count"] == 460
    site.fail("next_missing", times=1)
    assert "다음" not in await get(http, site, packed(srt="new"))
    site.fail("status", status=503, from_offset=20)
    statuses = []
    for number in (1, 2, 3):
        async with http.get(URL(site.base_url + packed(srt="new", page=number), encoded=True)) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 200, 503]


async def test_rows_move_between_pages(http: aiohttp.ClientSession) -> None:
    async with WishketStandIn(40, now=NOW, arrivals_per_request=3, odd_rows=False) as site:
        first, second = (await page(http, site)), (await page(http, site, 2))
        links = [shown.css("a.project-link::attr(href)").getall() for shown in (first, second)]
        assert links[0][-3:] == links[1][:3]


async def test_projects_move(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    added = site.change("add", n=2)
    assert site.listed_ids()[:2] == added
    assert site.change("apply", project_id=added[0], count=3) == site.projects[0]["bid_count"]
    site.change("edit", project_id=added[0], title="다른 제목")
    site.change("close", project_id=added[0])
    card = read((await page(http, site)).css("div.project-info-box")[0])
    assert (card["title"], card["status"]) == ("다른 제목", "closed")
    site.change("remove", project_id=added[0])
    assert added[0] not in site.listed_ids()
    site.change("bend", project_id=added[1], odd="private")
    assert site.projects[0]["extra"] == {"private": True}
    for wrong in ({"action": "explode"}, {"action": "layout", "name": "1999"}, {"action": "set", "colour": 1}):
        with pytest.raises(ValueError, match="no such"):
            site.change(**wrong)


async def test_the_same_seed_makes_the_same_bytes(http: aiohttp.ClientSession) -> None:
    async def body(**options: Any) -> str:
        async with WishketStandIn(30, **{"now": NOW, "frozen": True, **options}) as site:
            return await get(http, site, packed(srt="new"))

    assert await body() == await body()
    assert len({await body(), await body(seed=2)}) == 2


async def test_robots_and_terms(http: aiohttp.ClientSession, site: WishketStandIn) -> None:
    assert "Crawl-delay: 5" in await get(http, site, "/robots.txt")
    assert "자동으로 수집할 수 없습니다" in await get(http, site, "/service-terms/")
    async with http.get(site.base_url + "/project/") as answer:
        assert answer.headers["Server"] == "nginx"
        assert not [name for name in answer.headers if name.lower().startswith("ratelimit")]


async def test_the_clock_moves_the_deadlines(http: aiohttp.ClientSession) -> None:
    async with WishketStandIn(20, now=NOW) as early, WishketStandIn(20, now=NOW) as late:
        late.now = NOW + 40 * 86400
        assert (await page(http, early)).css(".recruiting-mark")
        assert not (await page(http, late)).css(".recruiting-mark")
        assert early.clock() - NOW < 60 <= late.clock() - NOW


# --- fixtures, process --------------------------------------------------------------------------------------------


async def test_fixtures_are_what_the_site_answers() -> None:
    made = (await saved()).files
    assert {path.name for path in FOLDER.iterdir()} == set(made) | {"README.md"}
    for name, body in made.items():
        assert (FOLDER / name).read_bytes() == body, name


async def test_process(http: aiohttp.ClientSession) -> None:
    with standin_process(projects=30, seed=1, now=NOW, odd_rows=False) as site:
        async with http.get(f"{site.base_url}/project/", headers=XHR) as answer:
            assert (await answer.json())["count"] == 30
        assert len(site.change("add", n=2)) == 2
        site.change("layout", name="2023")
        state = site.state()
        assert (state["total"], state["layout"]) == (32, "2023")
        assert state["projects"][0]["external_id"] == str(state["ids"][0])
        assert [seen["status"] for seen in site.requests()] == [200]
    assert site.process.returncode == 0

"""Check that the PeoplePerHour stand-in speaks like the platform, and that what it says of itself is on its pages."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from parsel import Selector
from platforms_standins import _peopleperhour_fixtures
from platforms_standins._peopleperhour_odd import ODD
from platforms_standins._peopleperhour_pages import LAYOUTS, ago
from platforms_standins._peopleperhour_reader import flat, read, state_of
from platforms_standins.peopleperhour import PeoplePerHourStandIn, standin_process

NOW = 1_789_999_200
LISTING = "/freelance-jobs"
CAPTURE = Path(__file__).resolve().parents[2] / "shared" / "captures" / "peopleperhour" / "pph-sample.json"

JSON = dict[str, Any]


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[PeoplePerHourStandIn]:
    async with PeoplePerHourStandIn(now=NOW) as site:
        yield site


async def get(http: aiohttp.ClientSession, site: PeoplePerHourStandIn, path: str = LISTING, **query: Any) -> str:
    async with http.get(site.base_url + path, params=query) as answer:
        return await answer.text()


async def state(http: aiohttp.ClientSession, site: PeoplePerHourStandIn, path: str = LISTING, **query: Any) -> JSON:
    return state_of(await get(http, site, path, **query))


def ids(state: JSON, name: str = "main") -> list[str]:
    return [reference["id"] for reference in state["freelanceJobs"][name]["data"]]


async def walk(http: aiohttp.ClientSession, site: PeoplePerHourStandIn, path: str = LISTING) -> list[JSON]:
    """Return the states of all pages, until `total-pages`; an answer without totals, until ids repeat."""
    found: list[JSON] = []
    met: set[str] = set()
    while True:
        one = await state(http, site, path, page=len(found) + 1, sort="latest")
        if met & set(ids(one)):
            return found
        found.append(one)
        met |= set(ids(one))
        if len(found) >= one["freelanceJobs"]["main"]["meta"].get("total-pages", 1000):
            return found


# --- the state, what the site says of itself ----------------------------------------------------------------------


async def test_a_reader_of_the_state_gets_what_the_site_says(
    http: aiohttp.ClientSession, site: PeoplePerHourStandIn
) -> None:
    pages = await walk(http, site)
    assert len(pages) == 13
    expected = site.projects
    assert [number for page in pages for number in ids(page)] == site.listed_ids() == list(expected)
    for number, page in enumerate(pages, 1):
        meta = page["freelanceJobs"]["main"]["meta"]
        assert meta == {
            "total-pages": 13,
            "total-items": 250,
            "current-page": number,
            "applied_filters": {"sort": "latest"},
        }
        for one in ids(page):
            assert read(page["entities"]["projects"][one]) == flat(expected[one])


async def test_the_lists_beside_the_main_one(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    page = await state(http, site)
    entities = page["entities"]["projects"]
    assert set(entities) == {*ids(page), *ids(page, "featured"), *ids(page, "completed")}
    assert list(entities) == sorted(entities, key=int)
    assert len(ids(page, "featured")) == len(ids(page, "completed")) == 3
    # One featured project is in the main list too, on a later page.
    assert len(set(ids(page, "featured")) & set(site.listed_ids())) == 1
    assert not set(site.beside) & set(site.listed_ids())
    assert set(site.beside) < set(entities)
    assert {entities[one]["attributes"]["item_state"] for one in ids(page, "completed")} == {"completed"}


async def test_ids_fall_and_times_do_not_always(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    numbers = [int(one) for one in site.listed_ids()]
    assert numbers == sorted(numbers, reverse=True)
    times = [item["posted_at"] for item in site.projects.values() if item["posted_at"]]
    assert times != sorted(times, reverse=True)
    assert max(times) == times[0]
    assert len({item["posted_at"] for item in site.projects.values()}) > 200


async def test_server_time_is_the_clock(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    async def times() -> tuple[float, float]:
        async with http.get(site.base_url + LISTING) as answer:
            date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
            told = re.search(r"serverTime='(\d+)';", await answer.text())
            assert told
            return date, int(told[1]) / 1000

    assert await times() == (NOW, NOW)
    assert site.change("advance", seconds=90) == NOW + 90
    assert await times() == (NOW + 90, NOW + 90)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "a few seconds ago"),
        (60, "a minute ago"),
        (480, "8 minutes ago"),
        (3000, "an hour ago"),
        (7000, "2 hours ago"),
        (90_000, "a day ago"),
        (200_000, "2 days ago"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    assert ago(seconds) == text


async def test_cards_show_dollars_and_capitals(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    site.edit(site.listed_ids()[0], budget=40, budget_converted=54, currency="GBP", project_type="hourly", title="a b")
    page = Selector(await get(http, site))
    cards = page.css("[data-list=main] [class*='item--container']")
    assert len(cards) == 20
    card = cards[0]
    assert card.css("[class*='card__price']::text").get() == "$54/hr"
    assert card.css("a[class*='item__url']::text").get() == "A b"
    assert card.css("a[class*='item__url']::attr(href)").get() == site.projects[site.listed_ids()[0]]["url"]
    footer = card.css("[class*='card__footer-left'] span::text").getall()
    assert (len(footer), footer[0]) == (4, "2 minutes ago")


async def test_every_odd_case_is_met(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    assert set(site.odd) == set(ODD)
    odd = {name: site.projects[number] for name, number in site.odd.items()}
    page = "".join([await get(http, site, page=number) for number in range(1, 14)])
    assert "};" in odd["description_brace"]["description"]
    assert "</script>" in odd["description_script_end"]["description"]
    assert "<\\/script> stands in our page" in page
    assert "</script> stands in our page" not in page
    assert odd["description_html"]["description"].count("\n") == 7
    assert "\n" in odd["description_line_separator"]["description"]
    assert "\u2028" in page
    assert odd["description_empty"]["description"] is None
    assert len(odd["description_long"]["description"]) > 20_000
    for name in ("budget_null", "budget_zero", "budget_missing"):
        assert odd[name]["budget"]["maximum"] is None
        assert odd[name]["budget"]["currency"] is not None
    assert odd["budget_text"]["budget"]["maximum"] == "250.00"
    assert odd["posted_zeros"]["posted_at"] is None
    assert (odd["client_null"]["client"], odd["country_code"]["client"]["country"]) == (None, "GB")
    assert odd["onsite"]["work_mode"] == "onsite"
    assert odd["state_completed"]["status"] == "closed"
    assert odd["url_relative"]["url"].startswith("https://www.peopleperhour.com/freelance-jobs/")
    assert "public_name" not in json.dumps(site.projects)


# --- paging, addresses, movement ----------------------------------------------------------------------------------


async def test_beyond_the_last_page_ids_repeat(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    last, beyond = await state(http, site, page=13), await state(http, site, page=14)
    assert ids(last) == ids(beyond)
    assert beyond["freelanceJobs"]["main"]["meta"]["current-page"] == 13
    site.change("layout", name="totals_missing")
    pages = await walk(http, site)
    assert [number for page in pages for number in ids(page)] == site.listed_ids()


async def test_narrowed_listings(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    for path in ("/freelance-jobs/design", "/freelance-jobs/design/web-design", "/freelance-excel-jobs"):
        found = [number for page in await walk(http, site, path) for number in ids(page)]
        assert 0 < len(found) < 250
        assert len(set(found)) == len(found)
    assert {site.projects[one]["category"] for one in ids(await state(http, site, "/freelance-jobs/design"))} == {
        "Design"
    } | ({None} if site.odd["category_null"] in ids(await state(http, site, "/freelance-jobs/design")) else set())
    nothing = (await state(http, site, "/freelance-zzzzzz-jobs"))["freelanceJobs"]["main"]
    assert (nothing["data"], nothing["meta"]["total-items"], nothing["meta"]["total-pages"]) == ([], 0, 0)
    for path in ("/freelance-jobs/gardening", "/freelance-jobs/design/gardening"):
        async with http.get(site.base_url + path) as answer:
            assert answer.status == 404


async def test_job_pages(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    for number in (site.listed_ids()[0], site.odd["description_script_end"], site.odd["title_japanese"]):
        path = site.projects[number]["url"].removeprefix("https://www.peopleperhour.com")
        page = await state(http, site, path)
        assert read(page["entities"]["projects"][number]) == flat(site.projects[number])
    async with http.get(site.base_url + "/freelance-jobs/design/web-design/nothing-1") as answer:
        assert answer.status == 404


async def test_projects_move(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    first = ids(await state(http, site))
    added = site.change("add", n=3)
    assert ids(await state(http, site, page=2))[:3] == first[-3:]
    page = await state(http, site)
    assert ids(page)[:3] == added
    assert page["freelanceJobs"]["main"]["meta"]["total-items"] == 253
    count = site.projects[added[0]]["bid_count"]
    assert site.change("bid", project_id=added[0], count=4) == count + 4 == site.projects[added[0]]["bid_count"]
    site.change("edit", project_id=added[0], proj_desc="Another text.", budget=5)
    assert site.projects[added[0]]["budget"]["minimum"] == "5"
    url = site.projects[added[1]]["url"].removeprefix("https://www.peopleperhour.com")
    site.change("close", project_id=added[1])
    assert added[1] not in ids(await state(http, site))
    assert "This project is closed" in await get(http, site, url)
    site.change("remove", project_id=added[1])
    async with http.get(site.base_url + url) as answer:
        assert answer.status == 404
    site.change("set", arrivals_per_request=2)
    first = ids(await state(http, site))
    assert ids(await state(http, site, page=2))[:2] == first[-2:]
    for wrong in ({"action": "explode"}, {"action": "set", "seed": 3}, {"action": "layout", "name": "blue"}):
        with pytest.raises(ValueError, match="no such"):
            site.change(**wrong)


async def test_the_same_seed_makes_the_same_bytes(http: aiohttp.ClientSession) -> None:
    async def body(**options: Any) -> str:
        async with PeoplePerHourStandIn(60, **{"now": NOW, **options}) as site:
            return await get(http, site, page=2)

    assert await body() == await body()
    assert len({await body(), await body(seed=2), await body(now=NOW + 60)}) == 3


# --- layouts, blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["rehashed", "older"])
async def test_other_generations_read_the_same(
    http: aiohttp.ClientSession, site: PeoplePerHourStandIn, layout: str
) -> None:
    before = await get(http, site, page=2)
    site.change("layout", name=layout)
    page = await get(http, site, page=2)
    assert state_of(page) == state_of(before)
    classes = set(Selector(page).css("[class*='item--container']::attr(class)").getall())
    assert len(classes) == 1
    assert classes != set(Selector(before).css("[class*='item--container']::attr(class)").getall())


async def test_broken_layouts(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    tried = {"current", "rehashed", "older", "totals_missing"}

    async def page(layout: str) -> str:
        tried.add(layout)
        site.change("layout", name=layout)
        return await get(http, site)

    cards = "[class*='item--container']"
    gone, dom_only = await page("marker_gone"), await page("dom_only")
    assert "PPHReact" not in gone + dom_only
    assert (len(Selector(gone).css(cards)), len(Selector(dom_only).css("[data-list=main]").css(cards))) == (0, 20)
    with pytest.raises(json.JSONDecodeError):
        state_of(await page("state_cut"))
    assert "main" not in state_of(await page("main_missing"))["freelanceJobs"]
    assert state_of(await page("data_null"))["freelanceJobs"]["main"]["data"] is None
    empty = state_of(await page("list_empty"))["freelanceJobs"]["main"]
    assert (empty["data"], empty["meta"]["total-items"]) == ([], 250)
    bare = state_of(await page("entities_missing"))
    assert (len(ids(bare)), bare["entities"]["projects"]) == (20, {})
    renamed = state_of(await page("renamed"))
    assert "title" not in renamed["entities"]["projects"][ids(renamed)[0]]["attributes"]
    assert tried == set(LAYOUTS)


async def test_faults_of_the_listing(http: aiohttp.ClientSession, site: PeoplePerHourStandIn) -> None:
    site.fail("empty_page", times=1, from_offset=20)
    assert [len(ids(await state(http, site, page=number))) for number in (1, 2, 2)] == [20, 0, 20]
    site.fail("totals_missing", times=1)
    assert "total-pages" not in (await state(http, site))["freelanceJobs"]["main"]["meta"]
    site.fail("forbidden", times=1)
    async with http.get(site.base_url + LISTING) as answer:
        assert answer.status == 403
    async with http.get(site.base_url + LISTING) as answer:
        assert "RateLimit-Limit" not in answer.headers
    async with http.get(site.base_url + "/robots.txt") as answer:
        assert "Allow: /freelance-jobs" in await answer.text()


# --- what was seen ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def captured() -> JSON:
    if not CAPTURE.exists():
        pytest.skip("the captured answers are not beside this checkout")
    found: JSON = json.loads(CAPTURE.read_bytes())
    return found


def kind(value: Any) -> Any:
    return {key: kind(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value).__name__


async def test_the_state_has_the_keys_and_types_of_the_real_one(http: aiohttp.ClientSession, captured: JSON) -> None:
    async with PeoplePerHourStandIn(60, now=NOW, odd_rows=False) as site:
        page = await get(http, site)
    real, made = state_of(captured["raw"]), state_of(page)
    theirs = real["entities"]["projects"][ids(real)[0]]
    for ours in (made["entities"]["projects"][one] for one in ids(made)):
        assert list(ours) == list(theirs)
        for key, value in theirs["attributes"].items():
            ours_kind, theirs_kind = kind(ours["attributes"][key]), kind(value)
            assert ours_kind == theirs_kind or theirs_kind.items() <= ours_kind.items(), key
    assert list(real["freelanceJobs"]) == list(made["freelanceJobs"])
    assert real["freelanceJobs"]["main"]["meta"].items() <= made["freelanceJobs"]["main"]["meta"].items()
    assert ids(real) == sorted(ids(real), key=int, reverse=True)
    order = r"window\.PPHReact(\.\w+)?="
    assert re.findall(order, captured["raw"]) == re.findall(order, page)


def test_ages_are_those_of_the_real_cards(captured: JSON) -> None:
    page = state_of(captured["raw"])
    cards = [card["footer"][0] for card in captured["cards"]]
    now = datetime.fromtimestamp(int(captured["raw"].split("serverTime='")[1][:13]) / 1000, UTC)
    for one, shown in zip(ids(page), cards, strict=True):
        posted = datetime.fromisoformat(page["entities"]["projects"][one]["attributes"]["posted_dt"])
        assert ago((now - posted.replace(tzinfo=UTC)).total_seconds()) == shown


# --- saved answers, a process of its own --------------------------------------------------------------------------


async def test_the_fixtures_are_what_the_stand_in_answers() -> None:
    folder = _peopleperhour_fixtures.FOLDER
    made = (await _peopleperhour_fixtures.saved()).files
    saved = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "README.md"}
    assert saved.keys() == made.keys()
    for name, body in made.items():
        assert saved[name] == body, name


async def test_process(http: aiohttp.ClientSession) -> None:
    with standin_process(projects=30, seed=1, now=NOW, odd_rows=False, ticking=False) as site:
        async with http.get(site.base_url + LISTING) as answer:
            assert len(ids(state_of(await answer.text()))) == 20
        site.fail(status=500, times=1)
        async with http.get(site.base_url + LISTING) as answer:
            assert answer.status == 500
        assert len(site.change("add", n=2)) == 2
        told = site.state()
        assert told["total"] == 32 == len(told["projects"])
        assert [seen["status"] for seen in site.requests(clear=True)] == [200, 500]
    assert site.process.returncode == 0

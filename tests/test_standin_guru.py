"""Check that the Guru stand-in speaks like the platform, and that what it says of itself can be read from its pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from parsel import Selector
from platforms_standins import _guru_fixtures, _guru_pages
from platforms_standins._guru_odd import ODD
from platforms_standins._guru_reader import flat, one_line, posting, read_card
from platforms_standins.guru import GuruStandIn, standin_process

NOW = 1_789_999_200
CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures" / "guru"

JSON = dict[str, Any]


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[GuruStandIn]:
    async with GuruStandIn(now=NOW) as site:
        yield site


async def get(http: aiohttp.ClientSession, site: GuruStandIn, path: str = "/d/jobs/") -> str:
    async with http.get(site.base_url + path) as answer:
        return await answer.text()


async def walk(http: aiohttp.ClientSession, site: GuruStandIn, path: str = "/d/jobs/") -> list[Selector]:
    """Return all pages: until there is no link to the next."""
    pages: list[Selector] = []
    while True:
        number = len(pages) + 1
        pages.append(Selector(await get(http, site, path if number == 1 else f"{path}pg/{number}/")))
        if f"{path}pg/{number + 1}/" not in pages[-1].css("ul#ctl00_guB_ulpaginate a::attr(href)").getall():
            return pages


def ids(*pages: Selector) -> list[str]:
    return [number for page in pages for number in page.css("#serviceList .record.jobRecord::attr(data-gid)").getall()]


def page_data(page: Selector) -> JSON:
    found = page.xpath("//script[contains(., 'window.__pageData')]/text()").re_first(r"__pageData\s*=\s*(\{.*\})")
    data: JSON = json.loads(found or "")
    return data


# --- cards, pages, what the site says of itself -------------------------------------------------------------------


async def test_a_reader_of_the_cards_gets_what_the_site_says(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    pages = await walk(http, site)
    assert len(pages) == 12
    expected = site.expected("list")
    assert ids(*pages) == site.listed_ids() == list(expected)
    assert len(expected) == 221
    now = datetime.fromtimestamp(NOW, UTC)
    for page in pages:
        assert page_data(page)["TotalResults"] == 221
        for card in page.css(".jobRecord"):
            assert read_card(card, now) == flat(expected[card.attrib["data-gid"]])
    assert {item["posted_precision"] for item in expected.values()} == {"minute", "hour", "day", "unknown"}


async def test_the_date_header_is_the_clock(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    async def date() -> float:
        async with http.get(site.base_url + "/d/jobs/") as answer:
            return parsedate_to_datetime(answer.headers["Date"]).timestamp()

    assert await date() == NOW
    before = site.projects[site.listed_ids()[2]]
    assert before["posted_text"] == "5 mins ago"
    assert site.change("advance", seconds=7200) == NOW + 7200 == await date()
    after = site.projects[site.listed_ids()[2]]
    assert (after["posted_text"], after["posted_precision"]) == ("2 hrs ago", "hour")
    async with GuruStandIn(3, ticking=True) as ticking:
        before = ticking.clock()
        await asyncio.sleep(0.05)
        assert ticking.clock() > before


async def test_pages_tell_the_rest(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    full, alone = site.projects, site.expected("detail")
    for number, item in full.items():
        page = Selector(await get(http, site, item["url"].removeprefix("https://www.guru.com")))
        found = posting(page)
        assert page.css("p.jobHeading__meta::text").get() == f"Job ID: {number}"
        segments = page.css(".jobHeading__budget strong::text").getall()
        assert " | ".join(segments) == (item["budget"] or {"text": ""})["text"]
        if found is None:
            assert number == site.odd["json_ld_missing"]
            assert item["work_mode"] == "unknown"
            continue
        row = site.row(number)
        assert (found["Identifier"]["Value"], found["description"] or None) == (number, row.markup or row.description)
        assert one_line(found["title"]) == item["title"]
        assert found["datePosted"] == alone[number]["posted_text"]
        assert found["datePosted"][:10] == alone[number]["posted_at"][:10]
        closes = alone[number]["closes_at"]
        assert found.get("validThrough", "")[:10] == (closes or "")[:10]
        assert [name for name in found["skills"].split(", ") if name] == alone[number]["skills"]
        assert item["work_mode"] == ("remote" if "jobLocationType" in found else "unknown")
        budget = item["budget"] or {}
        if "baseSalary" in found:
            value = found["baseSalary"]["Value"]
            assert value["unitText"] == "YEAR"
            assert value["minValue"] == (budget["minimum"] or "0")
            assert budget["currency"] == found["baseSalary"]["currency"] == "USD"
        else:
            assert budget.get("currency") is None


async def test_every_odd_case_is_met(site: GuruStandIn) -> None:
    assert set(site.odd) == set(ODD) | {"featured"}
    assert set(site.odd.values()) <= set(site.projects)
    shown, full = site.expected("list"), site.projects
    odd = {name: full[number] for name, number in site.odd.items()}
    assert odd["budget_missing"]["budget"] is None
    assert odd["budget_under"]["budget"]["minimum"] is None
    assert odd["budget_open_ended"]["budget"]["maximum"] is None
    assert (odd["hourly_cents"]["budget"]["minimum"], odd["hourly_cents"]["budget"]["period"]) == ("12.50", "hour")
    assert odd["client_bare"]["client"] is None
    assert odd["country_missing"]["client"] != {}
    assert odd["posted_missing"]["posted_precision"] == "day"
    assert shown[site.odd["posted_missing"]]["posted_at"] is None
    assert odd["description_missing"]["description"] is None
    assert len(odd["description_long"]["description"]) > 12_000
    assert shown[site.odd["description_short"]]["description_complete"]
    assert shown[site.odd["description_two_hundred"]]["description_complete"]
    assert len(shown[site.odd["description_long"]]["description"]) == 201
    assert not shown[site.odd["description_long"]]["description_complete"]
    assert "%" in odd["slug_unicode"]["url"]


async def test_featured_jobs_lead_the_first_page(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    page = Selector(await get(http, site))
    flags = [bool(card.css(".jobRecord__flag")) for card in page.css(".jobRecord")]
    assert flags == [True, True] + [False] * 18
    times = [site.row(number).posted for number in site.listed_ids()]
    assert times[2:] == sorted(times[2:], reverse=True)
    assert max(times[:2]) < times[19]


async def test_narrowed_listings(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    row = site.row(site.listed_ids()[3])
    assert row.category
    assert row.subcategory
    for path in (
        f"/d/jobs/c/{row.category[0]}/",
        f"/d/jobs/c/{row.category[0]}/sc/{row.subcategory[0]}/",
        f"/d/jobs/skill/{row.skills[0][0]}/",
        f"/d/jobs/c/{row.category[0]}/skill/{row.skills[0][0]}/",
    ):
        found = ids(*await walk(http, site, path))
        assert str(row.id) in found
        assert 0 < len(found) < 221
        assert len(set(found)) == len(found)
    word = row.title.split()[0].lower()
    asked = ids(Selector(await get(http, site, f"/d/jobs/?q={word}")))
    assert asked == ids(Selector(await get(http, site, f"/d/jobs/q/{word}/")))
    assert asked
    nothing = Selector(await get(http, site, "/d/jobs/q/zzzzzz/"))
    assert (page_data(nothing)["TotalResults"], ids(nothing), len(nothing.css("#serviceList"))) == (0, [], 1)
    beyond = Selector(await get(http, site, "/d/jobs/pg/13/"))
    assert (page_data(beyond)["TotalResults"], ids(beyond)) == (221, [])


async def test_jobs_move(http: aiohttp.ClientSession) -> None:
    async with GuruStandIn(60, now=NOW, featured=0) as site:
        first = ids(Selector(await get(http, site)))
        added = site.change("add", n=3)
        assert site.listed_ids()[:3] == added
        second = ids(Selector(await get(http, site, "/d/jobs/pg/2/")))
        assert second[:3] == first[-3:]
        assert site.projects[added[0]]["posted_text"] == "1 min ago"
        quotes = site.row(first[0]).quotes or 0
        assert site.change("quote", project_id=first[0], count=2) == quotes + 2 == site.projects[first[0]]["bid_count"]
        site.change("edit", project_id=first[0], description="Another text.")
        assert site.projects[first[0]]["description"] == "Another text."
        address = site.row(first[1]).address
        site.change("close", project_id=first[1])
        assert first[1] not in ids(Selector(await get(http, site)))
        assert "This job is closed" in await get(http, site, address)
        site.change("remove", project_id=first[1])
        async with http.get(site.base_url + address) as answer:
            assert answer.status == 404
        site.change("set", arrivals_per_request=2)
        total = len(site.listed_ids())
        await get(http, site)
        assert len(site.listed_ids()) == total + 2
        for wrong in ({"action": "explode"}, {"action": "set", "seed": 3}, {"action": "layout", "name": "blue"}):
            with pytest.raises(ValueError, match="no such"):
                site.change(**wrong)


async def test_the_same_seed_makes_the_same_bytes(http: aiohttp.ClientSession) -> None:
    async def body(**options: Any) -> str:
        async with GuruStandIn(70, **{"now": NOW, **options}) as site:
            return await get(http, site, "/d/jobs/pg/2/")

    assert await body() == await body()
    assert len({await body(), await body(seed=2), await body(now=NOW + 90_000)}) == 3


# --- layouts, blocks ----------------------------------------------------------------------------------------------


async def test_an_older_layout_reads_the_same(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    site.change("layout", name="older", detail="older")
    expected, now = site.expected("list"), datetime.fromtimestamp(NOW, UTC)
    pages = await walk(http, site)
    assert ids(*pages) == list(expected)
    for card in (card for page in pages for card in page.css(".jobRecord")):
        assert read_card(card, now) == flat(expected[card.attrib["data-gid"]])
    found = posting(Selector(await get(http, site, site.row(ids(*pages)[4]).address)))
    assert found
    assert found["identifier"]["value"] == ids(*pages)[4]


@pytest.mark.parametrize(
    ("layout", "marker", "results", "cards", "titles"),
    [
        ("current", 1, 1, 20, 20),
        ("marker_gone", 0, 0, 0, 0),
        ("list_missing", 1, 0, 0, 0),
        ("list_empty", 1, 1, 0, 0),
        ("renamed", 1, 1, 0, 0),
        ("fields_gone", 1, 1, 20, 0),
    ],
)
async def test_broken_layouts(
    http: aiohttp.ClientSession, site: GuruStandIn, layout: str, marker: int, results: int, cards: int, titles: int
) -> None:
    assert layout in _guru_pages.LAYOUTS
    site.change("layout", name=layout)
    page = Selector(await get(http, site))
    state = page.xpath("//script[contains(., 'window.__pageData')]")
    assert [len(state), len(page.css("#serviceList"))] == [marker, results]
    assert len(ids(page)) == cards
    assert len(page.css("h2.jobRecord__title a")) == titles
    if marker:
        assert page_data(page)["TotalResults"] == 221


async def test_job_pages_in_other_layouts(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    address = site.row(site.odd["description_long"]).address
    site.change("layout", detail="json_ld_gone")
    page = Selector(await get(http, site, address))
    assert posting(page) is None
    shown = page.css("pre.jobDetails__description").xpath("string()").get("")
    assert (len(shown), shown[-1]) == (1001, "…")
    site.change("layout", detail="shell")
    assert "jobHeading" not in await get(http, site, address)


async def test_faults_of_the_listing(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    site.fail("empty_page", times=1, from_offset=20)
    assert len(ids(Selector(await get(http, site)))) == 20
    assert ids(Selector(await get(http, site, "/d/jobs/pg/2/"))) == []
    assert len(ids(Selector(await get(http, site, "/d/jobs/pg/2/")))) == 20
    site.fail("totals_missing", times=1)
    page = Selector(await get(http, site))
    assert "TotalResults" not in page_data(page)
    assert len(ids(page)) == 20


async def test_blocks(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    async with http.get(site.base_url + "/d/jobs/") as answer:
        # Good answers come through the same network as blocks do.
        assert answer.headers["X-CDN"] == "Imperva"
        assert "RateLimit-Limit" not in answer.headers
        assert "_Incapsula_Resource" not in await answer.text()
    for status in (200, 403):
        site.fail("incapsula", times=1, status=status)
        async with http.get(site.base_url + "/d/jobs/") as answer:
            body = await answer.text()
            assert answer.status == status
            assert "_Incapsula_Resource" in body
            assert "Incapsula incident ID" in body
            assert "__pageData" not in body
            assert len(body) < 1500
    for status in (406, 403, 200):
        site.change("set", robots_status=status)
        async with http.get(site.base_url + "/robots.txt") as answer:
            assert answer.status == status
            assert ("User-agent: *" in await answer.text()) == (status == 200)
    async with http.get(site.base_url + "/jobs/nothing/1") as answer:
        assert answer.status == 404


# --- what was seen ------------------------------------------------------------------------------------------------


def captured(name: str) -> str:
    path = CAPTURES / name
    if not path.exists():
        pytest.skip("the captured answers are not beside this checkout")
    return path.read_text()


def skeleton(card: Selector) -> list[tuple[str, dict[str, str]]]:
    """Return the tags of a card with their attributes, without the values that differ from job to job."""
    found = []
    for element in card.xpath("descendant-or-self::*"):
        kept = {name: " ".join(value.split()) for name, value in element.attrib.items()}
        kept |= {name: "" for name in ("href", "data-gid") if name in kept}
        found.append((element.root.tag, kept))
    return found


async def test_a_card_has_the_markup_of_the_real_one(http: aiohttp.ClientSession) -> None:
    real = Selector(captured("listing_p1_head_and_card.html"))
    async with GuruStandIn(40, now=NOW, odd_rows=False, featured=0) as site:
        row = site.row(site.listed_ids()[0])
        row.locations, row.verified, row.feedback, row.invited, row.quotes = ["United States"], True, None, 6, 1
        row.skills = (row.skills * 2)[:2]
        row.segments = ("Fixed Price", "$1k-$2.5k")
        ours = Selector(await get(http, site))
    theirs, made = real.css("li > job-record"), ours.css("li > job-record")
    assert skeleton(made[0].css(".jobRecord")) == skeleton(theirs[0].css(".jobRecord"))
    assert set(made[0].attrib) == set(theirs[0].attrib)
    assert list(page_data(ours)) == list(page_data(real))
    query = r"__query=(\{.*\})"
    assert list(json.loads(ours.re_first(query) or "")) == list(json.loads(real.re_first(query) or ""))
    assert read_card(theirs.css(".jobRecord")[0], datetime(2026, 9, 15, 12, tzinfo=UTC)) == {
        "external_id": "2120954",
        "url": "https://www.guru.com/jobs/seeking-experience-software-engineer/2120954",
        "title": "Seeking experience software engineer",
        "description": one_line(theirs.css("p.jobRecord__desc::text").get()),
        "minimum": Decimal(1000),
        "maximum": Decimal(2500),
        "currency": None,
        "period": "total",
        "budget_text": "Fixed Price | $1k-$2.5k",
        "skills": ["Software Development", "Software Engineer"],
        "category": "Programming & Development",
        "posted_at": "2026-09-15 09:00:00+00:00",
        "posted_precision": "hour",
        "posted_text": "3 hrs ago",
        "closes_at": "2026-10-19 23:59:59+00:00",
        "bid_count": 1,
        "client": ("US", None, True),
    }


async def test_the_posting_has_the_keys_of_the_real_one(http: aiohttp.ClientSession, site: GuruStandIn) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items()}
        return type(value).__name__

    real = posting(Selector(captured("detail_2101732_jsonld.html")))
    full = next(
        row
        for row in map(site.row, site.listed_ids())
        if row.odd is None and row.locations and row.low and row.telecommute
    )
    made = posting(Selector(await get(http, site, full.address)))
    assert real
    assert made
    assert json.dumps(shape(made)) == json.dumps(shape(real))


# --- saved answers, a process of its own --------------------------------------------------------------------------


async def test_the_fixtures_are_what_the_stand_in_answers() -> None:
    made = (await _guru_fixtures.saved()).files
    saved = {path.name: path.read_bytes() for path in _guru_fixtures.FOLDER.iterdir() if path.name != "README.md"}
    assert saved.keys() == made.keys()
    for name, body in made.items():
        assert saved[name] == body, name


async def test_process(http: aiohttp.ClientSession) -> None:
    with standin_process(projects=30, seed=1, now=NOW, odd_rows=False, ticking=False) as site:
        async with http.get(site.base_url + "/d/jobs/") as answer:
            assert len(ids(Selector(await answer.text()))) == 20
        site.fail("incapsula", times=1)
        assert len(site.change("add", n=2)) == 2
        state = site.state()
        assert state["total"] == 32 == len(state["projects"])
        assert [seen["status"] for seen in site.requests(clear=True)] == [200]
    assert site.process.returncode == 0

"""Check the stand-in of Upwork's public pages: state and tiles by generation, changed layouts, what a browser sees."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from parsel import Selector
from platforms_standins._upwork_pages import LAYOUTS, SCRIPT_HEADER, rendered
from platforms_standins._upwork_reader import comparable, lines, read_state, read_tile, state_of
from platforms_standins.upwork import UpworkStandIn

from outsourcing_spiders.parsing.challenges import Kind, judge
from outsourcing_spiders.parsing.embedded import StateMissing, StateUnreadable

NOW = 1_790_000_000
CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures" / "upwork"
TILES = "article[data-ev-job-uid]"

JSON = dict[str, Any]
Http = aiohttp.ClientSession


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[Http]:
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[UpworkStandIn]:
    async with UpworkStandIn(now=NOW, frozen=True) as site:
        yield site


async def get(http: Http, site: UpworkStandIn, path: str, status: int = 200) -> str:
    async with http.get(site.base_url + path) as answer:
        assert answer.status == status
        return await answer.text()


async def page(http: Http, site: UpworkStandIn, number: int = 1, **query: Any) -> Selector:
    """Return a search page as it is after its script has run."""
    asked = "&".join(f"{name}={value}" for name, value in {"sort": "recency", **query, "page": number}.items())
    sent = await get(http, site, f"/nx/search/jobs/?{asked}")
    return Selector(rendered(sent, site.tiles_of(sent)))


async def states(http: Http, site: UpworkStandIn, number: int = 1, **query: Any) -> JSON:
    told: JSON = state_of((await page(http, site, number, **query)).get(), "jobsSearch")
    return told


@pytest.mark.parametrize("layout", ["nuxt3", "nuxt2", "2024", "stateless"])
async def test_what_the_site_tells_is_what_its_pages_say(http: Http, site: UpworkStandIn, layout: str) -> None:
    site.change("layout", name=layout)
    tiles, jobs = [], []
    for number in (1, 2, 3):
        shown = await page(http, site, number, per_page=50)
        tiles += [read_tile(tile, NOW) for tile in shown.css("article[data-ev-job-uid]")]
        assert bool(shown.css('[data-test~="next-page"]')) == (number < 3)
        if layout == "stateless":
            with pytest.raises(StateMissing):
                state_of(shown.get(), "jobsSearch")
        else:
            told = await states(http, site, number, per_page=50)
            assert told["paging"] == {"total": 120, "offset": 50 * (number - 1), "count": 50}
            jobs += [read_state(job) for job in told["jobs"]]
    for tile, stored in zip(tiles, site.tile_projects, strict=True):
        assert tile == comparable(stored, tile)
    if layout != "stateless":
        for job, stored in zip(jobs, site.state_projects, strict=True):
            assert job == comparable(stored, job)
    texts = " ".join(str(tile["posted_text"]) for tile in tiles)
    for word in ("minute ago", "hours ago", "yesterday", "days ago", "last week", "2 weeks ago"):
        assert word in texts
    assert [stored["extra"].get("featured") for stored in site.tile_projects[:3]] == [True, True, None]


async def test_a_job_has_a_page(http: Http, site: UpworkStandIn) -> None:
    for layout in ("nuxt3", "nuxt2"):
        site.change("layout", name=layout)
        for stored in site.detailed_projects[:40]:
            cipher = stored["url"].rsplit("/", 1)[1]
            told = state_of(await get(http, site, f"/jobs/Some-title_{cipher}/"), "jobDetails")
            assert lines(told["job"]["description"]) == lines(stored["description"])
            assert told["job"]["clientActivity"]["totalApplicants"] == stored["bid_count"]
            assert (Decimal(str(told["buyer"]["stats"]["score"])) or None) == stored["client"]["rating"]
        gone = await get(http, site, "/freelance-jobs/apply/Some-title_~021234/")
        assert state_of(gone, "jobDetails")["job"] is None
    site.change("close", project_id=site.listed_ids()[0])
    assert len(site.projects) == 119
    await get(http, site, "/ab/feed/jobs/rss?q=x", 410)


async def test_tiles_have_the_captured_marks(http: Http, site: UpworkStandIn) -> None:
    names = {"2024": "search_tile_2024-03.html", "nuxt3": "search_tile_2026_structure.html"}
    if not all((CAPTURES / name).exists() for name in names.values()):
        pytest.skip("the captured answers are not beside this checkout")

    def marks(shown: Selector) -> set[tuple[str, str]]:
        return {(node.root.tag, node.attrib["data-test"]) for node in shown.css("article, article [data-test]")}

    for layout, name in names.items():
        site.change("layout", name=layout)
        assert marks(Selector((CAPTURES / name).read_text())) <= marks(await page(http, site, per_page=50))


# --- layouts and searches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "jobs", "tiles"),
    [("nuxt3", 10, 10), ("nuxt2", 10, 10), ("2024", 10, 10), ("stateless", StateMissing, 10),
     ("marker_gone", StateMissing, 0), ("list_missing", "none", 0), ("list_null", None, 0), ("list_empty", 0, 0),
     ("renamed", "none", 0), ("moved", StateMissing, 10), ("unreadable", StateUnreadable, 10), ("unrendered", 10, 0)],
)  # fmt: skip
async def test_layouts(http: Http, site: UpworkStandIn, layout: str, jobs: Any, tiles: int) -> None:
    site.change("layout", name=layout)
    sent = await get(http, site, "/nx/search/jobs/?sort=recency")
    assert not Selector(sent).css(f"{TILES}, [data-test=JobsList]"), "no tiles without scripts"
    shown = rendered(sent, site.tiles_of(sent)) if layout != "unrendered" else sent
    assert len(Selector(shown).css(TILES)) == tiles
    assert bool(Selector(shown).css('[data-test="JobsList"]')) == (bool(tiles) or layout == "list_empty")
    if isinstance(jobs, type):
        with pytest.raises(jobs):
            state_of(sent, "jobsSearch")
        return
    told = state_of(sent, "jobsSearch")
    assert told["paging"]["total"] == 120
    found = told.get("jobs", "none")
    assert (len(found) if isinstance(found, list) else found) == jobs
    assert set(LAYOUTS) >= {layout}


async def test_searches(http: Http, site: UpworkStandIn) -> None:
    async def total(**query: Any) -> int:
        return int((await states(http, site, **query))["paging"]["total"])

    assert await total() == 120
    assert await total(t=0) + await total(t=1) == 120
    for name, value in {"q": "python", "category2_uid": "531770282580668418", "hourly_rate": "30-", "amount": "500-",
                        "client_hires": "10-"}.items():  # fmt: skip
        assert 0 < await total(**{name: value}) < 120, name
    nothing = await page(http, site, q="nosuchword")
    assert state_of(nothing.get(), "jobsSearch")["jobs"] == []
    assert nothing.css('[data-test="NoResults"]')
    marked = await states(http, site, q="python")
    assert any('<span class="highlight">Python</span>' in job["title"] + job["description"] for job in marked["jobs"])
    assert (await page(http, site, q="python")).css(f"{TILES} span.highlight")
    beyond = await states(http, site, 13)
    assert (beyond["jobs"], beyond["paging"]["total"]) == ([], 120)
    site.change("set", past_end="last")
    assert len((await states(http, site, 99))["jobs"]) == 10
    unordered = [job["uid"] for job in (await states(http, site, sort="relevance+desc"))["jobs"]]
    assert unordered != [stored["external_id"] for stored in site.state_projects[:10]]


async def test_a_search_ends_after_a_hundred_pages(http: Http) -> None:
    async with UpworkStandIn(1100, now=NOW, frozen=True, odd_rows=False) as site:
        last = await page(http, site, 100)
        assert len(last.css(TILES)) == 10
        assert not last.css('[data-test~="next-page"]')
        assert not (await page(http, site, 101)).css(TILES)
        assert (await states(http, site, 101))["paging"]["total"] == 1100


async def test_blocks_and_good_pages(http: Http, site: UpworkStandIn) -> None:
    address = f"{site.base_url}/nx/search/jobs/"
    for kind, expected in (("site_challenge", True), ("site_challenge_bare", False)):
        site.fail(kind, times=1)
        async with http.get(address) as answer:
            body = await answer.read()
            assert (answer.status, "cf-mitigated" in answer.headers) == (403, expected)
            assert 300_000 < len(body) < 400_000
            verdict = judge(status=403, headers=answer.headers.items(), body=body, url=address, asked_url=address)
            assert verdict.kind is Kind.BLOCKED
    site.fail("login_page", times=1)
    assert "<title>Upwork Login - Log in to your Upwork account</title>" in await get(http, site, "/nx/search/jobs/")
    site.change("bend", project_id=site.listed_ids()[0], odd="description_challenge")
    good = await get(http, site, "/nx/search/jobs/?sort=recency")
    for token in ("cf_clearance", "Just a moment", "/cdn-cgi/challenge-platform"):
        assert token in good
    assert "Disallow: /jobs/rss" in await get(http, site, "/robots.txt")
    await get(http, site, "/graphql", 405)


async def test_the_same_seed_makes_the_same_bytes(http: Http) -> None:
    async def body(**options: Any) -> str:
        async with UpworkStandIn(30, **{"now": NOW, "frozen": True, **options}) as site:
            return await get(http, site, "/nx/search/jobs/?sort=recency")

    assert await body() == await body()
    assert await body() != await body(seed=2)


async def test_jobs_move(http: Http, site: UpworkStandIn) -> None:
    added = site.change("add", n=2)
    first = (await states(http, site))["jobs"][2]
    assert first["uid"] == str(added[0]) == site.projects[0]["external_id"]
    site.change("edit", project_id=added[0], title="Another title", featured=True)
    assert (await states(http, site))["jobs"][0]["title"] == "Another title"
    site.change("close", project_id=added[0])
    assert (await states(http, site))["paging"]["total"] == 121
    site.change("advance", seconds=3 * 86_400)
    texts = [tile["posted_text"] for tile in site.tile_projects[2:5]]
    assert texts[0] == "3 days ago"
    for wrong in ({"action": "explode"}, {"action": "layout", "name": "1999"}, {"action": "set", "colour": 1}):
        with pytest.raises(ValueError, match="no such"):
            site.change(**wrong)


# --- a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    """Start the browser of the system."""
    playwright = pytest.importorskip("playwright.async_api")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no browser (Debian: apt-get install chromium)")
    async with playwright.async_playwright() as started:
        launched = await started.chromium.launch(
            executable_path=program, chromium_sandbox=os.geteuid() != 0, timeout=180_000
        )
        yield launched
        await launched.close()


@pytest.mark.parametrize("layout", ["nuxt3", "nuxt2", "2024", "stateless"])
async def test_a_browser_sees_the_tiles(http: Http, browser: Any, layout: str) -> None:
    async with UpworkStandIn(40, now=NOW, frozen=True, layout=layout, render_delay=50) as site:
        context = await browser.new_context()
        context.set_default_timeout(180_000)
        tab = await context.new_page()
        await tab.goto(f"{site.base_url}/nx/search/jobs/?sort=recency&per_page=20")
        await tab.wait_for_selector(TILES)
        shown = Selector(await tab.content())
        assert len(shown.css(TILES)) == 20
        for tile, stored in zip(shown.css(TILES), site.tile_projects[:20], strict=True):
            read = read_tile(tile, NOW)
            assert read == comparable(stored, read)
        if layout in ("nuxt2", "2024"):
            # The page's own engine reads the state as it is meant.
            titles = await tab.evaluate("window.__NUXT__.state.jobsSearch.jobs.map((job) => job.title)")
            assert [lines(title) for title in titles] == [stored["title"] for stored in site.state_projects[:20]]
        await context.close()
        paths = [seen.path for seen in site.requests]
        assert paths.count("/_nuxt/entry.js") == paths.count("/_nuxt/tiles") == 1


async def test_without_its_script_a_page_stays_empty(http: Http, site: UpworkStandIn, browser: Any) -> None:
    site.fail("script_missing", path="/_nuxt/entry.js")
    context = await browser.new_context()
    context.set_default_timeout(180_000)
    tab = await context.new_page()
    await tab.goto(f"{site.base_url}/nx/search/jobs/", wait_until="networkidle")
    assert await tab.locator(TILES).count() == 0
    await context.close()
    sent = await get(http, site, "/nx/search/jobs/")
    key = Selector(sent).css("#__nuxt::attr(data-key)").get()
    await get(http, site, f"/_nuxt/tiles?key={key}", 404)
    async with http.get(f"{site.base_url}/_nuxt/tiles?key={key}", headers={SCRIPT_HEADER: "1"}) as answer:
        assert answer.status == 200

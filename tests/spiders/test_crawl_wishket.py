"""Whole crawls of the Wishket stand-in into PostgreSQL: what is stored, how they end, what they ask for."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from _crawls import Crawl, crawl, fetch, runs
from aiohttp import web
from conftest import Server, _administer
from platforms_standins._wishket_pages import LAYOUTS
from platforms_standins._wishket_projects import TASK
from platforms_standins.wishket import WishketStandIn, query_of
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response

from outsourcing_spiders.parsing.skills import canonical_skills
from outsourcing_spiders.spiders.wishket import WishketSpider
from outsourcing_spiders.storage.engine import Database

#: Without the platform's Crawl-delay, which tests of their own look at.
ROBOTS = "User-agent: *\nDisallow: /accounts/\n"
JSON = dict[str, Any]


@pytest.fixture(scope="module")
async def template_name(embedded_server: Server, open_folder: Path) -> str:
    name = "template_of_wishket"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(name), embedded_root=open_folder):
        pass
    return name


_numbers = itertools.count()


@pytest.fixture
async def url(embedded_server: Server, template_name: str) -> AsyncIterator[str]:
    """DATABASE_URL of a new database."""
    name = f"wishket_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE {template_name} STRATEGY wal_log")
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


class PageWishketSpider(WishketSpider):
    """Reads the pages themselves, as they are saved from a browser."""

    def listing_request(self, page: int) -> Request:
        return Request(super().listing_request(page).url)


async def read(
    url: str | None, folder: Path, site: WishketStandIn, spider: type[WishketSpider] = WishketSpider, **options: Any
) -> Crawl:
    """Crawl the site."""
    return await crawl(url, folder, spider=spider, base_url=site.base_url, **options)


def whole(projects: int = 35, **options: Any) -> WishketStandIn:
    """Return a site with every odd case that there is room for."""
    # Yesterday at noon in Korea: no test is about what happens when a day ends meanwhile.
    now = time.time() // 86_400 * 86_400 - 21 * 3600
    site = WishketStandIn(projects, now=now, **options)
    site.robots = ROBOTS
    return site


def plain(projects: int = 35, **options: Any) -> WishketStandIn:
    """Return a site on which every project is an ordinary one."""
    return whole(projects, odd_rows=False, **options)


def pages(site: WishketStandIn) -> list[int]:
    """Return which pages of the listing were asked for, in that order."""
    return [int(query_of(str(seen.query["d"]))["page"]) for seen in site.requests if seen.path == "/project/"]


def details(site: WishketStandIn) -> list[str]:
    """Return the ids of the projects whose pages were asked for, in that order."""
    paths = [seen.path.strip("/").split("/") for seen in site.requests]
    return [parts[1] for parts in paths if parts[0] == "project" and len(parts) == 2]


def ids(site: WishketStandIn) -> set[str]:
    return set(map(str, site.listed_ids()))


async def stored(url: str) -> set[str]:
    """Return the ids of all stored projects."""
    return {row["external_id"] for row in await fetch(url, "SELECT external_id FROM projects")}


def truth(site: WishketStandIn) -> dict[str, JSON]:
    """Return what is stored of each project: the card, with what only the project's page has."""
    found = {}
    unreadable = site.odd.get("json_ld_invalid")
    for project, after in zip(site.projects, site.detailed_projects, strict=True):
        row = site.row(int(project["external_id"]))
        taken = ("description", "description_complete", "posted_at", "posted_precision")
        one = project | {name: after[name] for name in taken}
        if not (after["description_complete"] or row.private or row.gone or row.id == unreadable):
            one["extra"] = one["extra"] | {"login_only": ["description"]}
        found[project["external_id"]] = one
    return found


# --- what is stored -----------------------------------------------------------------------------------------------


async def test_every_project_is_stored_once_with_all_that_a_visitor_sees(database_url: str, tmp_path: Path) -> None:
    async with whole(120, seed=3) as site:
        invalid, nameless = str(site.odd["json_ld_invalid"]), str(site.odd["no_title"])
        private = str(site.odd["private"])
        done = await read(database_url, tmp_path, site)
        expected = truth(site)
        assert pages(site) == list(range(1, 13))
        assert sorted(details(site)) == sorted(ids(site) - {private})
    assert (done.reason, len(done.items)) == ("finished", 119)
    # The page that cannot be read is named, and costs its description.
    assert [f"/project/{invalid}/ cannot be read" in line for line in done.errors] == [True]
    (run,) = await runs(database_url)
    assert (run["written"], run["merged"], run["rejected"], run["whole"]) == (119, 0, 1, None)
    assert run["requests"] == 1 + 12 + 119
    assert run["stats"]["listing/total"] == 120
    assert run["stats"]["details/gone"] == 1
    assert done.dropped == {nameless: "title is empty"}
    rows = {row["external_id"]: row for row in await fetch(database_url, "SELECT * FROM projects")}
    assert set(rows) == set(expected) - {nameless}
    for identity, row in rows.items():
        one = expected[identity]
        same = ("url", "title", "description", "description_complete", "status", "category", "work_mode", "location",
                "language", "posted_at", "posted_precision", "closes_at", "bid_count", "bid_average",
                "extra")  # fmt: skip
        assert {name: row[name] for name in same} == {name: one[name] for name in same}
        budget, client = one["budget"] or {}, one["client"] or {}
        assert (row["budget_min"], row["budget_max"]) == (budget.get("minimum"), budget.get("maximum"))
        assert (row["currency"], row["budget_text"]) == (budget.get("currency"), budget.get("text"))
        assert row["pricing"] == {"month": "monthly", "total": "fixed", None: "unknown"}[budget.get("period")]
        assert row["skills"] == canonical_skills(one["skills"])
        assert row["client_rating"] == client.get("rating")
        assert row["client_country"] is row["client_reviews"] is row["client_verified"] is None
        assert row["posted_text"] == one["posted_text"] or identity == str(site.odd["no_posted"])
        assert "******" not in repr(row)


async def test_a_second_crawl_a_moment_later_costs_one_page(url: str, tmp_path: Path) -> None:
    async with plain(35) as site:
        await read(url, tmp_path, site)
        before = await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id")
        assert all(row["description_complete"] for row in before)
        site.requests.clear()
        again = await read(url, tmp_path, site)
        assert (again.reason, pages(site), details(site)) == ("up_to_date", [1], [])
        full = await read(url, tmp_path, site, full="1")
        assert (full.reason, pages(site)[1:], details(site)) == ("finished", [1, 2, 3, 4], [])
        assert await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id") == before
    assert [(run["reason"], run["written"], run["whole"]) for run in await runs(url)] == [
        ("finished", 35, "-infinity"), ("up_to_date", 0, "-infinity"), ("finished", 0, "-infinity"),
    ]  # fmt: skip


async def test_a_day_later_the_deadlines_are_the_same(url: str, tmp_path: Path) -> None:
    """What the cards say of them is another text each day, and near the end each hour."""
    async with plain(30) as site:
        await read(url, tmp_path, site)
        query = "SELECT external_id, closes_at FROM projects WHERE status = 'open' ORDER BY external_id"
        before = {row["external_id"]: row["closes_at"] for row in await fetch(url, query)}
        for hours in (1, 13, 40, 7 * 24):
            site.now += hours * 3600
            await read(url, tmp_path, site, full="1")
            for row in await fetch(url, query):
                assert row["closes_at"] == before[row["external_id"]], row
        assert before
        assert details(site).count(str(site.listed_ids()[0])) == 1


async def test_what_only_members_see_is_left_empty_and_marked(url: str, tmp_path: Path) -> None:
    async with plain(12) as site:
        private, hidden, shown = site.listed_ids()[:3]
        site.bend(private, "private")
        site.bend(hidden, "json_ld_no_description")
        for _ in range(2):
            site.requests.clear()
            done = await read(url, tmp_path, site)
            assert done.errors == []
            assert str(private) not in details(site)
            rows = {row["external_id"]: row for row in await fetch(url, "SELECT * FROM projects")}
            found = [(row["description"] is None, row["description_complete"]) for row in
                     (rows[str(number)] for number in (private, hidden, shown))]  # fmt: skip
            assert found == [(True, False), (True, False), (False, True)]
            assert rows[str(private)]["extra"] == {"private": True}
            assert rows[str(hidden)]["extra"]["login_only"] == ["description"]
        assert done.reason == "up_to_date"
        # Once it is matched in public, its page is read.
        site.edit(private, private=False)
        await read(url, tmp_path, site)
    (row,) = await fetch(url, "SELECT * FROM projects WHERE external_id = $1", str(private))
    assert row["description_complete"]
    assert "private" not in row["extra"]


async def test_applicants_and_states_of_the_newest_page_are_renewed(url: str, tmp_path: Path) -> None:
    async with plain(35) as site:
        await read(url, tmp_path, site)
        first, second = site.listed_ids()[:2]
        count = site.apply(first, 4)
        site.close(second)
        again = await read(url, tmp_path, site)
        assert again.reason == "up_to_date"
    rows = {row["external_id"]: row for row in await fetch(url, "SELECT * FROM projects")}
    assert rows[str(first)]["bid_count"] == count
    assert rows[str(second)]["status"] == "closed"
    assert rows[str(second)]["description_complete"]
    assert (await runs(url))[-1]["written"] == 2


async def test_arrivals_between_crawls_are_read(url: str, tmp_path: Path) -> None:
    async with plain(35) as site:
        await read(url, tmp_path, site)
        new = site.add(15)
        site.requests.clear()
        done = await read(url, tmp_path, site)
        assert (done.reason, pages(site)) == ("up_to_date", [1, 2, 3])
        assert sorted(details(site)) == sorted(map(str, new))
        assert await stored(url) == ids(site)


async def test_an_empty_listing_is_finished(url: str, tmp_path: Path) -> None:
    async with plain(0) as site:
        done = await read(url, tmp_path, site)
    assert (done.reason, done.items, pages(site)) == ("finished", [], [1])
    assert (await runs(url))[0]["whole"] == "-infinity"


@pytest.mark.parametrize("past_end", ["last", "empty"])
@pytest.mark.parametrize("spider", [WishketSpider, PageWishketSpider])
@pytest.mark.parametrize("projects", [1, 9, 10, 11, 30])
async def test_the_last_page_is_known(
    projects: int, spider: type[WishketSpider], past_end: str, tmp_path: Path
) -> None:
    async with plain(projects, past_end=past_end) as site:
        done = await read(None, tmp_path, site, spider)
        assert (done.reason, len(done.items)) == ("finished", projects)
        assert pages(site) == list(range(1, -(-projects // 10) + 1))


# --- while the listing moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", [1, 3])
async def test_nothing_is_missed_while_projects_arrive(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(60, arrivals_per_request=arrivals) as site:
        there = ids(site)
        done = await read(url, tmp_path, site)
        assert done.reason == "finished"
        assert there < await stored(url)
        assert len(done.items) == len({item.external_id for item in done.items})
    assert (await runs(url))[0]["whole"] == "-infinity"


async def test_nothing_is_missed_while_projects_are_taken_off(url: str, tmp_path: Path) -> None:
    async with plain(60) as site:
        seen = set()

        def remove_some(number: int, _: Crawl) -> None:
            # Of those at the top, whenever a page of the listing was answered.
            if len(pages(site)) in (2, 4) and len(pages(site)) not in seen:
                seen.add(len(pages(site)))
                for identity in site.listed_ids()[:4]:
                    site.remove(identity)

        done = await read(url, tmp_path, site, on_answer=remove_some)
        assert done.reason == "finished"
        assert ids(site) <= await stored(url)
        assert len(ids(site)) == 52
    assert (await runs(url))[0]["whole"] == "-infinity"


# --- arguments ----------------------------------------------------------------------------------------------------


async def test_a_bounded_crawl_does_not_stop_the_next_one(url: str, tmp_path: Path) -> None:
    async with plain(35) as site:
        first = await read(url, tmp_path, site, max_pages="2")
        assert (first.reason, pages(site)) == ("finished", [1, 2])
        assert await stored(url) == set(map(str, site.listed_ids()[:20]))
        assert len(details(site)) == 20
        done = await read(url, tmp_path, site)
        assert done.reason == "finished"
        assert await stored(url) == ids(site)
        assert len(details(site)) == 35
    assert [run["whole"] for run in await runs(url)] == [None, "-infinity"]


async def test_since_bounds_how_far_back_a_crawl_reads(url: str, tmp_path: Path) -> None:
    async with plain(80) as site:
        # In the midst of a day: of the projects of that day nobody knows on which side they are.
        posted = next(one["posted_at"] for one in site.projects[25:] if one["posted_at"])
        since = posted + timedelta(hours=15)
        done = await read(url, tmp_path, site, since=since.isoformat())
        wanted = {one["external_id"] for one in site.projects if one["posted_at"] >= posted}
        assert await stored(url) == wanted
        assert len(wanted) < 60
        assert set(details(site)) == wanted
        assert done.reason == "finished"
        # The last one holds nothing that is young enough.
        assert len(pages(site)) == -(-len(wanted) // 10) + 1
        (run,) = await runs(url)
        assert datetime.fromisoformat(run["whole"]) == since
        site.requests.clear()
        again = await read(url, tmp_path, site, since=(since + timedelta(minutes=1)).isoformat())
        assert (again.reason, pages(site)) == ("up_to_date", [1])


async def test_the_projects_of_today_are_younger_than_two_hours_for_all_we_know(tmp_path: Path) -> None:
    async with plain(30) as site:
        since = datetime.fromtimestamp(site.clock(), UTC) - timedelta(hours=2)
        done = await read(None, tmp_path, site, since=since.isoformat())
        today = max(one["posted_at"] for one in site.projects)
        assert {one["external_id"] for one in site.projects if one["posted_at"] == today} <= {
            item.external_id for item in done.items
        }


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({"category": "design"}, {"c": "design"}),
        ({"category": "Development", "query": "java"}, {"c": "development", "s": "java"}),
        ({"query": "웹"}, {"s": "웹"}),
        ({"query": "없는말"}, {"s": "없는말"}),
    ],
    ids=str,
)
async def test_the_listing_is_narrowed(arguments: dict[str, str], asked: dict[str, str], tmp_path: Path) -> None:
    async with plain(100) as site:
        done = await read(None, tmp_path, site, **arguments)
        queries = [query_of(str(seen.query["d"])) for seen in site.requests if seen.path == "/project/"]
        wanted = {str(row.id) for row in site.select({"srt": "new"} | asked)}
    assert done.reason == "finished"
    assert queries
    for query in queries:
        query.pop("page")
        assert query == {"srt": "new"} | asked
    assert {item.external_id for item in done.items} == wanted
    assert len(wanted) < 100
    assert wanted or "없는말" in arguments.values()


# --- layouts, faults ----------------------------------------------------------------------------------------------

_LAYOUTS = {
    "2026": "finished",
    "2023": "finished",
    "2020": "layout_changed",
    "renamed": "layout_changed",
    "list_missing": "layout_changed",
    "list_empty": "layout_changed",
}


def test_every_layout_has_an_expectation() -> None:
    assert set(_LAYOUTS) == set(LAYOUTS)


@pytest.mark.parametrize("spider", [WishketSpider, PageWishketSpider])
@pytest.mark.parametrize(("layout", "reason"), _LAYOUTS.items())
async def test_a_layout_is_read_or_named(
    layout: str, reason: str, spider: type[WishketSpider], url: str, tmp_path: Path
) -> None:
    async with plain(25, layout=layout) as site:
        done = await read(url, tmp_path, site, spider)
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        if reason == "finished":
            assert await stored(url) == ids(site)
            assert run["whole"] == "-infinity"
            assert all(item.description for item in done.items)
            return
        assert (run["whole"], await stored(url)) == (None, set())
        assert "Traceback" not in str(done.outcome)


@pytest.mark.parametrize("spider", [WishketSpider, PageWishketSpider])
async def test_a_page_of_another_layout_is_kept(spider: type[WishketSpider], url: str, tmp_path: Path) -> None:
    async with plain(25) as site:
        site.fail("error_envelope", path="/project/")
        done = await read(url, tmp_path, site, spider)
        assert done.reason in ("layout_changed", "blocked")
    (page,) = await fetch(url, "SELECT url, reason FROM kept_pages")
    assert page["url"].startswith(f"{site.base_url}/project/?d=")
    assert page["reason"] == done.reason


_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("challenge", {}, "blocked"),
    ("challenge", {"after": 1}, "blocked"),
    ("challenge", {"status": 200}, "blocked"),
    ("incapsula", {}, "blocked"),
    ("perimeterx", {}, "blocked"),
    ("datadome", {}, "blocked"),
    ("forbidden", {}, "blocked"),
    ("login", {}, "login_required"),
    ("status", {"status": 401}, "login_required"),
    ("status", {"status": 404}, "layout_changed"),
    ("status", {"status": 429}, "rate_limited"),
    ("status", {"status": 500}, "unreachable"),
    ("status", {"status": 500, "times": 1}, "finished"),
    ("truncated", {}, "unreachable"),
    ("truncated", {"times": 1}, "finished"),
    ("reset", {}, "unreachable"),
    ("slow", {"delay": 5}, "unreachable"),
    ("slow", {"delay": 5, "times": 1, "after": 1}, "finished"),
    ("empty_body", {}, "layout_changed"),
    ("invalid_json", {}, "layout_changed"),
    ("error_envelope", {}, "blocked"),
    ("result_null", {}, "layout_changed"),
    ("list_missing", {}, "layout_changed"),
    ("list_missing", {"after": 1}, "layout_changed"),
    ("list_empty", {}, "layout_changed"),
    ("list_empty", {"after": 1}, "incomplete"),
    ("list_empty", {"after": 1, "times": 1}, "finished"),
    ("list_empty", {"after": 3}, "incomplete"),
    ("list_empty", {"after": 3, "times": 1}, "finished"),
    ("renamed", {"after": 1, "times": 1}, "finished"),
    ("count_missing", {}, "finished"),
    ("count_null", {}, "finished"),
    ("count_string", {}, "finished"),
    # Nobody can tell a total that is too large from pages that are missing.
    ("count_too_large", {}, "incomplete"),
    ("2023", {}, "finished"),
]


class ListingFaults(WishketStandIn):
    """Has its faults in the listing alone, and knows its layouts as faults."""

    OWN_FAULTS = (*WishketStandIn.OWN_FAULTS, "2023")

    def _due(self, request: web.BaseRequest) -> Any:
        return super()._due(request) if request.path == "/project/" else None


@pytest.mark.parametrize(("kind", "options", "reason"), _FAULTS, ids=str)
async def test_a_fault_of_the_platform_ends_the_crawl_with_its_name(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with ListingFaults(35, odd_rows=False) as site:
        site.robots = ROBOTS
        site.fail(kind, **options)
        done = await read(url, tmp_path, site, settings={"DOWNLOAD_TIMEOUT": 0.3})
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        assert run["items_scraped"] == len(done.items) == len(await stored(url))
        if reason == "finished":
            assert await stored(url) == ids(site)
            assert run["whole"] == "-infinity"
            return
        assert run["whole"] is None
        assert sum(line.split(": ", 1)[1] == str(done.outcome) for line in done.log) == 1
        if options.get("after"):
            # Once the platform is well again, the next crawl makes whole what this one began.
            site.heal()
            await read(url, tmp_path, site, settings={"REMEMBER_BLOCKS": False})
            assert await stored(url) == ids(site)


# --- pages of projects that cannot be had -------------------------------------------------------------------------


class DetailFaults(WishketStandIn):
    """Has its faults in the page of one project alone."""

    faulty = 0

    def _due(self, request: web.BaseRequest) -> Any:
        return super()._due(request) if request.path == f"/project/{self.faulty}/" else None


@pytest.mark.parametrize(
    ("kind", "options", "is_whole"),
    [
        ("status", {"status": 404}, True),
        ("status", {"status": 410}, True),
        ("status", {"status": 500}, False),
        ("status", {"status": 500, "times": 1}, True),
        ("slow", {"delay": 5}, False),
        ("reset", {}, False),
    ],
    ids=str,
)
async def test_a_project_whose_page_cannot_be_had_is_stored_as_listed(
    kind: str, options: dict[str, Any], is_whole: bool, url: str, tmp_path: Path
) -> None:
    async with DetailFaults(15, odd_rows=False) as site:
        site.robots, site.faulty = ROBOTS, site.listed_ids()[12]
        site.fail(kind, **options)
        done = await read(url, tmp_path, site, settings={"DOWNLOAD_TIMEOUT": 0.3})
        assert done.reason == "finished"
        assert await stored(url) == ids(site)
        (row,) = await fetch(url, "SELECT * FROM projects WHERE external_id = $1", str(site.faulty))
        assert row["description_complete"] is (options.get("times") == 1)
        assert row["budget_text"]
        assert ((await runs(url))[0]["whole"] == "-infinity") is is_whole
        site.heal()
        await read(url, tmp_path, site, full="1")
        assert details(site).count(str(site.listed_ids()[0])) == 1
        (row,) = await fetch(url, "SELECT * FROM projects WHERE external_id = $1", str(site.faulty))
        assert row["description_complete"]


@pytest.mark.parametrize(("kind", "reason"), [("challenge", "blocked"), ("login", "login_required")])
async def test_a_block_on_the_page_of_a_project_ends_the_crawl(
    kind: str, reason: str, url: str, tmp_path: Path
) -> None:
    async with DetailFaults(15, odd_rows=False) as site:
        site.robots, site.faulty = ROBOTS, site.listed_ids()[3]
        site.fail(kind)
        done = await read(url, tmp_path, site)
    assert done.reason == reason
    assert (await runs(url))[0]["whole"] is None


# --- robots.txt, permission, pace ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("robots", "status", "reason"),
    [
        (ROBOTS, 200, "finished"),
        ("", 200, "finished"),
        ("not there", 404, "finished"),
        ("User-agent: *\nDisallow: /project/\n", 200, "permission_required"),
        ("User-agent: *\nDisallow: /project/1\n", 200, "finished"),
        ("broken", 500, "unreachable"),
    ],
)
async def test_robots_txt_is_obeyed(robots: str, status: int, reason: str, tmp_path: Path) -> None:
    async with plain(12) as site:
        site.robots, site.robots_status = robots, status
        done = await read(None, tmp_path, site)
        assert done.reason == reason
        if reason == "finished":
            assert len(done.items) == 12
            assert len(details(site)) == (0 if "/project/1" in robots else 12)
        else:
            assert {seen.path for seen in site.requests} == {"/robots.txt"}


async def test_the_crawl_delay_of_robots_txt_is_kept(tmp_path: Path) -> None:
    async with plain(1) as site:
        site.robots = "User-agent: *\nCrawl-delay: 0.4\n"
        await read(None, tmp_path, site)
        times = [seen.at for seen in site.requests]
    assert len(times) == 3
    assert times[2] - times[1] > 0.35


def test_five_seconds_are_between_two_requests() -> None:
    assert WishketSpider.custom_settings == {"DOWNLOAD_DELAY": 5.0}


class NotingHandler:
    """Takes the requests that would go out to the platform, and refuses them."""

    lazy = True
    asked: ClassVar[list[str]] = []

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls()

    async def download_request(self, request: Request) -> Response:
        self.asked.append(request.url)
        return Response(request.url, status=403, request=request)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("permitted", "reason"), [([], "permission_required"), (["guru"], "permission_required"), (["wishket"], "blocked")]
)
async def test_the_live_host_is_not_touched_without_permission(
    permitted: list[str], reason: str, url: str, tmp_path: Path
) -> None:
    NotingHandler.asked.clear()
    settings = {"DOWNLOAD_HANDLERS": {"https": NotingHandler}, "PERMITTED_PLATFORMS": permitted}
    done = await crawl(url, tmp_path, spider=WishketSpider, settings=settings)
    assert done.reason == reason
    (said,) = done.errors
    if reason == "blocked":
        robots, listing = NotingHandler.asked
        assert robots == "https://www.wishket.com/robots.txt"
        assert listing.startswith("https://www.wishket.com/project/?d=")
        return
    assert (done.requests, NotingHandler.asked) == (0, [])
    assert "wishket is not read without the platform's permission (they forbid crawling" in said
    assert "PERMITTED_PLATFORMS" in said


async def test_a_stand_in_needs_no_permission(tmp_path: Path) -> None:
    async with plain(3) as site:
        done = await read(None, tmp_path, site, settings={"PERMITTED_PLATFORMS": []})
        kinds = {site.row(number).kind for number in site.listed_ids()}
    assert (done.reason, len(done.items)) == ("finished", 3)
    assert {item.work_mode for item in done.items} == {"unknown" if kind == TASK else "onsite" for kind in kinds}

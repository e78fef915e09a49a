"""Whole crawls of the PeoplePerHour stand-in into PostgreSQL: what is stored, how they end, what they ask for."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, runs
from conftest import Server, _administer
from platforms_standins._peopleperhour_pages import LAYOUTS
from platforms_standins._peopleperhour_projects import slug
from platforms_standins.peopleperhour import PeoplePerHourStandIn

from outsourcing_spiders.spiders.peopleperhour import PeoplePerHourSpider
from outsourcing_spiders.storage.engine import Database

LISTING = "/freelance-jobs"


@pytest.fixture(scope="module")
async def template_name(embedded_server: Server, open_folder: Path) -> str:
    name = "template_of_peopleperhour"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(name), embedded_root=open_folder):
        pass
    return name


_numbers = itertools.count()


@pytest.fixture
async def url(embedded_server: Server, template_name: str) -> AsyncIterator[str]:
    """DATABASE_URL of a new database."""
    name = f"peopleperhour_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE {template_name} STRATEGY wal_log")
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


async def read(url: str | None, folder: Path, site: PeoplePerHourStandIn, **options: Any) -> Crawl:
    """Crawl the site."""
    return await crawl(url, folder, spider=PeoplePerHourSpider, base_url=site.base_url, **options)


def plain(projects: int = 100, **options: Any) -> PeoplePerHourStandIn:
    """Return a site on which every project is an ordinary one."""
    return PeoplePerHourStandIn(projects, odd_rows=False, **options)


def pages(site: PeoplePerHourStandIn) -> list[int]:
    """Return which pages of the listing were asked for, in that order."""
    return [int(str(seen.query["page"])) for seen in site.requests if "page" in seen.query]


async def stored(url: str) -> set[str]:
    """Return the ids of all stored projects."""
    return {row["external_id"] for row in await fetch(url, "SELECT external_id FROM projects")}


# --- what is stored -----------------------------------------------------------------------------------------------


async def test_every_project_of_the_listing_is_stored_once(database_url: str, tmp_path: Path) -> None:
    async with PeoplePerHourStandIn(250, seed=3) as site:
        done = await read(database_url, tmp_path, site)
        truth = site.projects
        assert pages(site) == list(range(1, 14))
    assert (done.reason, done.errors, len(done.items)) == ("finished", [], 250)
    assert await stored(database_url) == set(truth)
    assert not set(site.beside) & set(truth)
    (run,) = await runs(database_url)
    assert (run["written"], run["merged"], run["rejected"], run["whole"]) == (250, 0, 0, "-infinity")
    assert run["requests"] == len(site.requests) == 1 + 13
    assert run["stats"]["listing/total"] == 250
    rows = {row["external_id"]: row for row in await fetch(database_url, "SELECT * FROM projects")}
    for identity, expected in truth.items():
        row = rows[identity]
        same = ("url", "title", "status", "category", "work_mode", "posted_precision", "posted_text", "bid_count")
        assert {name: row[name] for name in same} == {name: expected[name] for name in same}
        assert (row["posted_at"] and str(row["posted_at"])) == expected["posted_at"]
        assert (row["closes_at"] and str(row["closes_at"])) == expected["closes_at"]
        assert row["extra"] == expected["extra"]
        budget = expected["budget"]
        assert (row["budget_min"] is None) is (budget["minimum"] is None)
        assert row["budget_min"] is None or float(row["budget_min"]) == float(budget["minimum"])
        assert row["budget_max"] == row["budget_min"]
        assert row["currency"] == budget["currency"]
        assert row["client_country"] == (expected["client"] and expected["client"]["country"])
        assert "public_name" not in json.dumps(row, default=str)


async def test_a_second_crawl_a_moment_later_costs_one_page(url: str, tmp_path: Path) -> None:
    async with PeoplePerHourStandIn(100) as site:
        await read(url, tmp_path, site)
        before = await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id")
        site.requests.clear()
        again = await read(url, tmp_path, site)
        assert (again.reason, pages(site)) == ("up_to_date", [1])
        assert await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id") == before
        full = await read(url, tmp_path, site, full="1")
        assert (full.reason, pages(site)[1:]) == ("finished", [1, 2, 3, 4, 5])
    assert [(run["reason"], run["written"], run["whole"]) for run in await runs(url)] == [
        ("finished", 100, "-infinity"), ("up_to_date", 0, "-infinity"), ("finished", 0, "-infinity"),
    ]  # fmt: skip


async def test_arrivals_between_crawls_are_read(url: str, tmp_path: Path) -> None:
    async with plain(100) as site:
        await read(url, tmp_path, site)
        site.add(30)
        site.requests.clear()
        done = await read(url, tmp_path, site)
        assert (done.reason, pages(site)) == ("up_to_date", [1, 2, 3])
        assert await stored(url) == set(site.listed_ids())


async def test_a_bounded_crawl_does_not_stop_the_next_one(url: str, tmp_path: Path) -> None:
    async with plain(100) as site:
        first = await read(url, tmp_path, site, max_pages="2")
        assert (first.reason, pages(site)) == ("finished", [1, 2])
        assert await stored(url) == set(site.listed_ids()[:40])
        done = await read(url, tmp_path, site)
        assert done.reason == "finished"
        assert await stored(url) == set(site.listed_ids())
    assert [run["whole"] for run in await runs(url)] == [None, "-infinity"]


async def test_an_empty_listing_is_finished(url: str, tmp_path: Path) -> None:
    async with plain(0) as site:
        done = await read(url, tmp_path, site)
    assert (done.reason, done.items, pages(site)) == ("finished", [], [1])


@pytest.mark.parametrize("projects", [1, 19, 20, 21, 40])
async def test_the_last_page_is_known(projects: int, tmp_path: Path) -> None:
    async with plain(projects) as site:
        done = await read(None, tmp_path, site)
    assert (done.reason, len(done.items), len(pages(site))) == ("finished", projects, -(-projects // 20))


# --- while the listing moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", [1, 7, 12])
async def test_nothing_is_missed_while_projects_arrive(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(100, arrivals_per_request=arrivals) as site:
        there = set(site.listed_ids())
        done = await read(url, tmp_path, site)
        assert there <= await stored(url)
        assert len(done.items) == len({item.external_id for item in done.items})
        assert done.reason == "finished"
        # The top is read once more for those that came meanwhile.
        assert len(await stored(url)) > 100
    assert (await runs(url))[0]["whole"] == "-infinity"


@pytest.mark.parametrize("arrivals", [20, 25])
async def test_a_listing_that_cannot_be_caught_up_with_is_incomplete(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(100, arrivals_per_request=arrivals) as site:
        done = await read(url, tmp_path, site)
        assert done.reason == "incomplete"
        assert len(pages(site)) < 60
    assert (await runs(url))[0]["whole"] is None


@pytest.mark.parametrize(("closing", "answers"), [(1, 9), (3, 9), (15, 1), (40, 1)])
async def test_nothing_is_missed_while_projects_close(closing: int, answers: int, url: str, tmp_path: Path) -> None:
    async with plain(160) as site:

        def close_some(number: int, _: Crawl) -> None:
            # The first answer is robots.txt. Of those that were read already, so that everything below moves up.
            if 2 <= number < 2 + answers:
                for identity in site.listed_ids()[:closing]:
                    site.close(identity)

        done = await read(url, tmp_path, site, on_answer=close_some)
        assert done.reason == "finished"
        assert set(site.listed_ids()) <= await stored(url)
    assert (await runs(url))[0]["whole"] == "-infinity"


# --- arguments ----------------------------------------------------------------------------------------------------


async def test_since_bounds_how_far_back_a_crawl_reads(url: str, tmp_path: Path) -> None:
    async with plain(100) as site:
        since = datetime.fromisoformat(site.projects[site.listed_ids()[30]]["posted_at"])
        done = await read(url, tmp_path, site, since=since.isoformat())
        newer = {key for key, one in site.projects.items() if datetime.fromisoformat(one["posted_at"]) >= since}
        assert await stored(url) == newer
        assert (done.reason, pages(site)) == ("finished", [1, 2, 3])
        (run,) = await runs(url)
        assert datetime.fromisoformat(run["whole"]) == since
        site.requests.clear()
        later = (since + timedelta(minutes=1)).isoformat()
        again = await read(url, tmp_path, site, since=later)
        assert (again.reason, pages(site)) == ("up_to_date", [1])


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"category": "Design"}, "/freelance-jobs/design"),
        ({"category": "technology-programming"}, "/freelance-jobs/technology-programming"),
        ({"category": "Technology & Programming/Databases"}, "/freelance-jobs/technology-programming/databases"),
        ({"query": "python"}, "/freelance-python-jobs"),
        ({"query": "Google Ads"}, "/freelance-google-ads-jobs"),
    ],
    ids=str,
)
async def test_the_listing_is_narrowed(arguments: dict[str, str], path: str, tmp_path: Path) -> None:
    async with plain(200) as site:
        done = await read(None, tmp_path, site, **arguments)
        asked = {seen.path for seen in site.requests} - {"/robots.txt"}
        truth = site.projects
    assert (done.reason, asked) == ("finished", {path})
    category = arguments.get("category", "").split("/")[0]
    words = arguments.get("query", "").lower().split()
    wanted = {
        key for key, one in truth.items()
        if (not category or slug(one["category"]) == slug(category))
        and all(word in f"{one['title']} {one['description']}".lower() for word in words)
    }  # fmt: skip
    found = {item.external_id for item in done.items}
    assert found
    assert found <= wanted if "/" in str(arguments) else found == wanted


async def test_a_category_that_is_not_there_is_a_wrong_argument(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await read(url, tmp_path, site, category="Gardening")
    assert done.reason == "wrong_argument"
    assert str(done.outcome).startswith("category: the platform has no such listing")
    assert len(done.errors) == 1


async def test_a_query_without_results_is_finished(tmp_path: Path) -> None:
    async with plain(40) as site:
        done = await read(None, tmp_path, site, query="zzzzzz")
    assert (done.reason, done.items) == ("finished", [])


# --- layouts, faults ----------------------------------------------------------------------------------------------

_LAYOUTS = {
    "current": "finished",
    "rehashed": "finished",
    "older": "finished",
    "totals_missing": "finished",
    "dom_only": "layout_changed",
    "marker_gone": "layout_changed",
    "state_cut": "layout_changed",
    "main_missing": "layout_changed",
    "data_null": "layout_changed",
    "list_empty": "layout_changed",
    "entities_missing": "layout_changed",
    "renamed": "layout_changed",
}


def test_every_layout_has_an_expectation() -> None:
    assert set(_LAYOUTS) == set(LAYOUTS)


@pytest.mark.parametrize(("layout", "reason"), _LAYOUTS.items())
async def test_a_layout_is_read_or_named(layout: str, reason: str, url: str, tmp_path: Path) -> None:
    async with plain(60, layout=layout) as site:
        done = await read(url, tmp_path, site)
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        if reason == "finished":
            assert await stored(url) == set(site.listed_ids())
            assert run["whole"] == "-infinity"
            return
        assert run["whole"] is None
        assert await stored(url) == set()
        assert "Traceback" not in str(done.outcome)


_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("challenge", {}, "blocked"),
    ("challenge", {"after": 1}, "blocked"),
    ("incapsula", {}, "blocked"),
    ("perimeterx", {}, "blocked"),
    ("datadome", {}, "blocked"),
    ("forbidden", {}, "blocked"),
    ("login", {}, "login_required"),
    ("status", {"status": 401}, "login_required"),
    ("status", {"status": 404}, "layout_changed"),
    ("status", {"status": 404, "after": 1}, "layout_changed"),
    ("status", {"status": 429}, "rate_limited"),
    ("status", {"status": 500}, "unreachable"),
    ("status", {"status": 500, "times": 1}, "finished"),
    ("truncated", {}, "unreachable"),
    ("truncated", {"times": 1}, "finished"),
    ("reset", {}, "unreachable"),
    ("slow", {"delay": 5}, "unreachable"),
    ("slow", {"delay": 5, "times": 1, "after": 1}, "finished"),
    ("empty_body", {}, "layout_changed"),
    ("error_envelope", {}, "layout_changed"),
    ("empty_page", {}, "layout_changed"),
    ("empty_page", {"after": 1}, "incomplete"),
    ("empty_page", {"after": 1, "times": 1}, "finished"),
    ("empty_page", {"after": 2}, "incomplete"),
    ("totals_missing", {}, "finished"),
]


@pytest.mark.parametrize(("kind", "options", "reason"), _FAULTS, ids=str)
async def test_a_fault_of_the_platform_ends_the_crawl_with_its_name(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with plain(60) as site:
        site.fail(kind, path=LISTING, **options)
        done = await read(url, tmp_path, site, settings={"DOWNLOAD_TIMEOUT": 0.3})
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        assert run["items_scraped"] == len(done.items) == len(await stored(url))
        if reason == "finished":
            assert await stored(url) == set(site.listed_ids())
            assert run["whole"] == "-infinity"
            return
        assert run["whole"] is None
        assert sum(line.split(": ", 1)[1] == str(done.outcome) for line in done.log) == 1
        if options.get("after"):
            # Once the platform is well again, the next crawl makes whole what this one began.
            site.heal()
            await read(url, tmp_path, site, settings={"REMEMBER_BLOCKS": False})
            assert await stored(url) == set(site.listed_ids())


async def test_robots_txt_is_obeyed(tmp_path: Path) -> None:
    async with plain(20) as site:
        site.robots = "User-agent: *\nDisallow: /freelance-jobs\n"
        done = await read(None, tmp_path, site)
        assert {seen.path for seen in site.requests} == {"/robots.txt"}
    assert done.reason == "permission_required"

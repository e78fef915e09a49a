"""Whole crawls of the Guru stand-in into PostgreSQL: what is stored, how they end, what they ask for."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, runs
from conftest import Server, _administer
from platforms_standins._guru_pages import DETAIL_LAYOUTS, LAYOUTS
from platforms_standins._guru_projects import slug
from platforms_standins.guru import GuruStandIn

from outsourcing_spiders.parsing.skills import canonical_skills
from outsourcing_spiders.spiders.guru import GuruSpider
from outsourcing_spiders.storage.engine import Database

LISTING = "/d/jobs"


@pytest.fixture(scope="module")
async def template_name(embedded_server: Server, open_folder: Path) -> str:
    name = "template_of_guru"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(name), embedded_root=open_folder):
        pass
    return name


_numbers = itertools.count()


@pytest.fixture
async def url(embedded_server: Server, template_name: str) -> AsyncIterator[str]:
    """DATABASE_URL of a new database."""
    name = f"guru_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE {template_name} STRATEGY wal_log")
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


async def read(url: str | None, folder: Path, site: GuruStandIn, **options: Any) -> Crawl:
    """Crawl the site."""
    return await crawl(url, folder, spider=GuruSpider, base_url=site.base_url, **options)


def plain(projects: int = 60, **options: Any) -> GuruStandIn:
    """Return a site on which every job is an ordinary one; about six of seven have a text that the card cuts."""
    return GuruStandIn(projects, **{"odd_rows": False, "featured": 0, **options})


def pages(site: GuruStandIn) -> list[int]:
    """Return which pages of the listing were asked for, in that order."""
    paths = [seen.path for seen in site.requests if seen.path.startswith(LISTING)]
    return [int(found[1]) if (found := re.search(r"/pg/(\d+)/$", path)) else 1 for path in paths]


def details(site: GuruStandIn) -> list[str]:
    """Return the ids of the jobs whose pages were asked for, in that order."""
    return [seen.path.rpartition("/")[2] for seen in site.requests if seen.path.startswith("/jobs/")]


def cut(site: GuruStandIn) -> set[str]:
    """Return the ids of the jobs of which the listing has no full text."""
    return {number for number, item in site.expected("list").items() if not item["description_complete"]}


def truth(site: GuruStandIn) -> dict[str, dict[str, Any]]:
    """Return what is to be stored: a job's own page is read only where the listing has no full text."""
    return {number: site.expected("full" if number in cut(site) else "list")[number] for number in site.listed_ids()}


async def stored(url: str) -> dict[str, dict[str, Any]]:
    """Return all stored jobs by id."""
    return {row["external_id"]: row for row in await fetch(url, "SELECT * FROM projects")}


# --- what is stored -----------------------------------------------------------------------------------------------


async def test_every_job_of_the_listing_is_stored_once_and_whole(database_url: str, tmp_path: Path) -> None:
    async with GuruStandIn(110, seed=3) as site:
        done = await read(database_url, tmp_path, site)
        expected, asked = truth(site), cut(site)
        assert pages(site) == [1, 2, 3, 4, 5, 6]
        assert sorted(details(site)) == sorted(asked)
    assert (done.reason, done.errors, len(done.items)) == ("finished", [], 110)
    (run,) = await runs(database_url)
    assert (run["written"], run["merged"], run["rejected"], run["whole"]) == (110, 0, 0, "-infinity")
    assert run["requests"] == len(site.requests) == 1 + 6 + len(asked)
    assert run["stats"]["listing/total"] == 110
    rows = await stored(database_url)
    assert rows.keys() == expected.keys()
    for number, item in expected.items():
        row, budget, client = rows[number], item["budget"] or {}, item["client"] or {}
        same = (
            "platform", "url", "title", "description", "status", "category", "work_mode",
            "location", "language", "posted_precision", "posted_text", "bid_count", "bid_average", "extra",
        )  # fmt: skip
        assert {name: row[name] for name in same} == {name: item[name] for name in same}
        # No text is no full text: it is asked for again.
        assert row["description_complete"] is (item["description_complete"] and item["description"] is not None)
        for time in ("posted_at", "closes_at"):
            assert (row[time] and str(row[time])) == item[time]
        for bound in ("minimum", "maximum"):
            column, value = f"budget_{bound[:3]}", budget.get(bound)
            assert (row[column] is None) is (value is None)
            assert value is None or row[column] == type(row[column])(value)
            assert row[f"{column}_usd"] == (row[column] if row["currency"] == "USD" else None)
        assert (row["currency"], row["budget_text"]) == (budget.get("currency"), budget.get("text"))
        assert row["pricing"] == {"total": "fixed", "hour": "hourly", None: "unknown"}[budget.get("period")]
        assert row["skills"] == canonical_skills(item["skills"])
        assert row["client_country"] == client.get("country")
        assert (row["client_rating"] and float(row["client_rating"])) == (
            client.get("rating") and float(client["rating"])
        )
        assert (row["client_reviews"], row["client_verified"]) == (None, client.get("verified"))


async def test_a_second_crawl_a_moment_later_costs_one_page_and_changes_nothing(url: str, tmp_path: Path) -> None:
    async with GuruStandIn(70) as site:
        await read(url, tmp_path, site)
        before = await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id")
        assert {row["currency"] for row in before} == {"USD", None}
        site.requests.clear()
        again = await read(url, tmp_path, site)
        assert (again.reason, pages(site)) == ("up_to_date", [1])
        # What only a job's own page tells stays, though the page is not asked for again.
        assert await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id") == before
        full = await read(url, tmp_path, site, full="1")
        assert (full.reason, pages(site)[1:]) == ("finished", [1, 2, 3, 4])
        # But for the two of which no page has the full text.
        assert set(details(site)) <= {site.odd["json_ld_missing"], site.odd["description_missing"]}
    assert [(run["reason"], run["written"], run["whole"]) for run in await runs(url)] == [
        ("finished", 70, "-infinity"), ("up_to_date", 0, "-infinity"), ("finished", 0, "-infinity"),
    ]  # fmt: skip


async def test_a_new_count_of_quotes_leaves_what_the_page_told(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        await read(url, tmp_path, site)
        number = next(number for number in site.listed_ids() if number in cut(site) and site.row(number).low)
        before = (await stored(url))[number]
        count = site.quote(number, 3)
        await read(url, tmp_path, site)
        after = (await stored(url))[number]
    assert after["bid_count"] == count
    kept = ("description", "description_complete", "currency", "budget_min_usd", "work_mode")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["currency"], after["description_complete"]) == ("USD", True)


async def test_arrivals_between_crawls_are_read(url: str, tmp_path: Path) -> None:
    async with plain(60) as site:
        await read(url, tmp_path, site)
        added = site.add(25)
        site.requests.clear()
        done = await read(url, tmp_path, site)
        assert (done.reason, pages(site)) == ("up_to_date", [1, 2, 3])
        assert set(details(site)) == set(added) & cut(site)
        assert (await stored(url)).keys() == set(site.listed_ids())


async def test_featured_jobs_do_not_stand_in_the_way(url: str, tmp_path: Path) -> None:
    async with plain(60, featured=3) as site:
        await read(url, tmp_path, site, max_pages="1")
        await read(url, tmp_path, site)
        assert (await stored(url)).keys() == set(site.listed_ids())
        site.add(2)
        site.requests.clear()
        done = await read(url, tmp_path, site)
        assert (done.reason, pages(site)) == ("up_to_date", [1, 2])


async def test_a_bounded_crawl_does_not_stop_the_next_one(url: str, tmp_path: Path) -> None:
    async with plain(60) as site:
        first = await read(url, tmp_path, site, max_pages="2")
        assert (first.reason, pages(site)) == ("finished", [1, 2])
        assert (await stored(url)).keys() == set(site.listed_ids()[:40])
        done = await read(url, tmp_path, site)
        assert done.reason == "finished"
        assert (await stored(url)).keys() == set(site.listed_ids())
        # Each page of a job once.
        assert sorted(details(site)) == sorted(cut(site))
    assert [run["whole"] for run in await runs(url)] == [None, "-infinity"]


@pytest.mark.parametrize("projects", [0, 1, 20, 21, 40])
async def test_the_last_page_is_known(projects: int, tmp_path: Path) -> None:
    async with plain(projects) as site:
        done = await read(None, tmp_path, site)
    assert (done.reason, len(done.items), len(pages(site))) == ("finished", projects, max(1, -(-projects // 20)))


# --- while the listing moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", [1, 7])
async def test_nothing_is_missed_while_jobs_arrive(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(80, arrivals_per_request=arrivals) as site:
        there = set(site.listed_ids())
        done = await read(url, tmp_path, site)
        assert done.reason == "finished"
        assert there <= (await stored(url)).keys()
        assert len(done.items) == len({item.external_id for item in done.items})
        assert len(details(site)) == len(set(details(site)))
    assert (await runs(url))[0]["whole"] == "-infinity"


async def test_nothing_is_missed_while_jobs_close(url: str, tmp_path: Path) -> None:
    async with plain(100) as site:

        def close_some(number: int, _: Crawl) -> None:
            # After the first two pages with their details; of those that were read, so that those below move up.
            if len(pages(site)) == 2 and not closed:
                closed.extend(site.listed_ids()[:5])
                for identity in closed:
                    site.close(identity)

        closed: list[str] = []
        done = await read(url, tmp_path, site, on_answer=close_some)
        assert len(closed) == 5
        assert done.reason == "finished"
        assert set(site.listed_ids()) <= (await stored(url)).keys()
    assert (await runs(url))[0]["whole"] == "-infinity"


# --- arguments ----------------------------------------------------------------------------------------------------


async def test_since_bounds_how_far_back_a_crawl_reads(url: str, tmp_path: Path) -> None:
    async with plain(100, featured=2) as site:
        since = datetime.fromisoformat(site.projects[site.listed_ids()[30]]["posted_at"])
        done = await read(url, tmp_path, site, since=since.isoformat())
        newer = {key for key, one in site.projects.items() if datetime.fromisoformat(one["posted_at"]) >= since}
        assert (await stored(url)).keys() == newer
        assert (done.reason, pages(site)) == ("finished", [1, 2, 3])
        (run,) = await runs(url)
        assert datetime.fromisoformat(run["whole"]) == since
        # Pages of jobs that are too old are not asked for.
        assert set(details(site)) == newer & cut(site)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"category": "Design & Art"}, "/d/jobs/c/design-art/"),
        ({"category": "programming-development/database-development"},
         "/d/jobs/c/programming-development/sc/database-development/"),
        ({"skills": "API Testing"}, "/d/jobs/skill/api-testing/"),
        ({"category": "Design & Art", "skills": "Figma"}, "/d/jobs/c/design-art/skill/figma/"),
        ({"query": "google ads"}, "/d/jobs/q/google-ads/"),
    ],
    ids=str,
)  # fmt: skip
async def test_the_listing_is_narrowed(arguments: dict[str, str], path: str, tmp_path: Path) -> None:
    async with plain(150) as site:
        done = await read(None, tmp_path, site, **arguments)
        everything = site.projects
        first, *others = [seen.path for seen in site.requests if seen.path.startswith(LISTING)]
    assert done.reason == "finished"
    assert first == path
    assert others == [f"{path}pg/{number}/" for number in range(2, 2 + len(others))]
    category, _, subcategory = (slug(part) for part in arguments.get("category", "").partition("/"))
    words = arguments.get("query", "").split()
    wanted = {
        number for number, one in everything.items()
        if category in ("", slug(one["category"]))
        and subcategory in ("", slug(one["extra"]["subcategory"]))
        and ("skills" not in arguments or arguments["skills"] in one["skills"])
        and all(word in f"{one['title']} {one['description']} {one['skills']}".lower() for word in words)
    }  # fmt: skip
    assert wanted
    assert {item.external_id for item in done.items} == wanted


async def test_a_query_without_results_is_finished(tmp_path: Path) -> None:
    async with plain(40) as site:
        done = await read(None, tmp_path, site, query="zzzzzz")
    assert (done.reason, done.items) == ("finished", [])


# --- layouts, faults ----------------------------------------------------------------------------------------------

_LAYOUTS = {
    "current": "finished",
    "older": "finished",
    "marker_gone": "layout_changed",
    "list_missing": "layout_changed",
    "list_empty": "layout_changed",
    "renamed": "layout_changed",
    "fields_gone": "layout_changed",
}


def test_every_layout_has_an_expectation() -> None:
    assert set(_LAYOUTS) == set(LAYOUTS)
    assert set(_DETAIL_LAYOUTS) == set(DETAIL_LAYOUTS)


@pytest.mark.parametrize(("layout", "reason"), _LAYOUTS.items())
async def test_a_layout_is_read_or_named(layout: str, reason: str, url: str, tmp_path: Path) -> None:
    async with plain(45, layout=layout) as site:
        done = await read(url, tmp_path, site)
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        if reason == "finished":
            assert (await stored(url)).keys() == set(site.listed_ids())
            assert run["whole"] == "-infinity"
            return
        assert run["whole"] is None
        assert await stored(url) == {}
        assert "Traceback" not in str(done.outcome)
        kept = await fetch(url, "SELECT reason FROM kept_pages")
        assert [page["reason"] for page in kept] == [reason]


_DETAIL_LAYOUTS = {"current": "finished", "older": "finished", "json_ld_gone": "finished", "shell": "layout_changed"}


@pytest.mark.parametrize(("layout", "reason"), _DETAIL_LAYOUTS.items())
async def test_a_layout_of_job_pages_is_read_or_named(layout: str, reason: str, url: str, tmp_path: Path) -> None:
    async with plain(20, detail_layout=layout) as site:
        done = await read(url, tmp_path, site)
        teasers = cut(site)
        texts = {number: one["description"] for number, one in site.projects.items()}
    assert done.reason == reason
    rows = await stored(url)
    # What the listing told is stored, whatever became of the rest.
    assert rows.keys() >= set(texts) - teasers
    if layout == "json_ld_gone":
        # Visitors are shown the first 1,000 characters.
        assert all(row["description"][:-1] == texts[number][: len(row["description"]) - 1] or number not in teasers
                   for number, row in rows.items())  # fmt: skip
        assert {row["description_complete"] for row in rows.values()} == {True, False}
        assert {row["currency"] for row in rows.values()} == {None}
    elif reason == "finished":
        assert all(rows[number]["description"] == texts[number] for number in teasers)
    else:
        (run,) = await runs(url)
        assert run["whole"] is None
        (kept,) = await fetch(url, "SELECT reason FROM kept_pages")
        assert kept["reason"] == reason


_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("incapsula", {}, "blocked"),
    ("incapsula", {"status": 403}, "blocked"),
    ("incapsula", {"after": 1}, "blocked"),
    ("challenge", {}, "blocked"),
    ("challenge", {"status": 200}, "blocked"),
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
    ("error_envelope", {}, "layout_changed"),
    ("empty_page", {}, "layout_changed"),
    ("empty_page", {"after": 1}, "incomplete"),
    ("empty_page", {"after": 1, "times": 1}, "finished"),
    ("totals_missing", {}, "finished"),
]


@pytest.mark.parametrize(("kind", "options", "reason"), _FAULTS, ids=str)
async def test_a_fault_of_the_listing_ends_the_crawl_with_its_name(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with plain(60) as site:
        site.fail(kind, path=LISTING, **options)
        done = await read(url, tmp_path, site, settings={"DOWNLOAD_TIMEOUT": 0.5})
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        assert run["items_scraped"] == len(done.items) == len(await stored(url))
        if reason == "finished":
            assert (await stored(url)).keys() == set(site.listed_ids())
            assert run["whole"] == "-infinity"
            return
        assert run["whole"] is None
        assert sum(line.split(": ", 1)[1] == str(done.outcome) for line in done.log) == 1
        if reason == "blocked":
            (kept,) = await fetch(url, "SELECT reason FROM kept_pages")
            assert kept["reason"] == "blocked"
        if options.get("after"):
            # What was read before is stored; once the platform is well again, the next crawl reads the rest.
            assert (await stored(url)).keys() >= set(site.listed_ids()[:20]) - cut(site)
            site.heal()
            await read(url, tmp_path, site, settings={"REMEMBER_BLOCKS": False})
            assert (await stored(url)).keys() == set(site.listed_ids())


_DETAIL_FAULTS: list[tuple[str, dict[str, Any], str | None]] = [
    ("status", {"status": 404}, "-infinity"),
    ("status", {"status": 410}, "-infinity"),
    ("status", {"status": 500}, None),
    ("status", {"status": 500, "times": 1}, "-infinity"),
    ("reset", {}, None),
    ("slow", {"delay": 5}, None),
]


@pytest.mark.parametrize(("kind", "options", "whole"), _DETAIL_FAULTS, ids=str)
async def test_a_job_whose_page_cannot_be_had_is_stored_as_listed(
    kind: str, options: dict[str, Any], whole: str | None, url: str, tmp_path: Path
) -> None:
    async with plain(20) as site:
        number = next(number for number in site.listed_ids() if number in cut(site))
        site.fail(kind, path=site.row(number).address, **options)
        done = await read(url, tmp_path, site, settings={"DOWNLOAD_TIMEOUT": 0.5})
        assert done.reason == "finished"
        rows = await stored(url)
        assert rows.keys() == set(site.listed_ids())
        is_had = options.get("times") == 1
        listed = site.expected("full" if is_had else "list")[number]
        assert (rows[number]["description"], rows[number]["description_complete"]) == (listed["description"], is_had)
        assert (await runs(url))[0]["whole"] == whole
        # Where it may come later, it is asked for again.
        site.heal()
        await read(url, tmp_path, site)
        assert (await stored(url))[number]["description"] == site.projects[number]["description"]


async def test_a_block_on_a_page_of_a_job_ends_the_crawl(url: str, tmp_path: Path) -> None:
    async with plain(40) as site:
        for number in site.listed_ids():
            site.fail("incapsula", path=site.row(number).address)
        done = await read(url, tmp_path, site)
        assert done.reason == "blocked"
        assert details(site)[0] in await stored(url)
        # One more may be in the downloader already.
        assert len(details(site)) <= 2
    assert (await runs(url))[0]["whole"] is None


async def test_many_pages_of_jobs_that_cannot_be_had_end_the_crawl(url: str, tmp_path: Path) -> None:
    async with plain(60) as site:
        for number in site.listed_ids():
            site.fail("status", status=500, path=site.row(number).address)
        done = await read(url, tmp_path, site, settings={"RETRY_TIMES": 0})
        assert done.reason == "unreachable"
        assert 5 <= len(details(site)) <= 7


# --- robots.txt ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"), [(406, "finished"), (403, "finished"), (404, "finished"), (200, "finished"),
                           (500, "unreachable")],
)  # fmt: skip
async def test_a_robots_txt_that_is_not_given_forbids_nothing(status: int, reason: str, tmp_path: Path) -> None:
    async with plain(10, robots_status=status) as site:
        done = await read(None, tmp_path, site)
        assert site.requests[0].path == "/robots.txt"
    assert done.reason == reason
    assert len(done.items) == (10 if reason == "finished" else 0)


async def test_robots_txt_is_obeyed(url: str, tmp_path: Path) -> None:
    async with plain(20, robots_status=200) as site:
        site.robots = "User-agent: *\nDisallow: /d/jobs/\n"
        done = await read(None, tmp_path, site)
        assert {seen.path for seen in site.requests} == {"/robots.txt"}
        assert done.reason == "permission_required"
        site.robots = "User-agent: *\nDisallow: /jobs/\n"
        done = await read(url, tmp_path, site)
        # Jobs whose pages are forbidden are stored as listed.
        assert done.reason == "finished"
        assert details(site) == []
        rows = await stored(url)
        assert {number for number, row in rows.items() if not row["description_complete"]} == cut(site)
        assert len(rows) == 20


async def test_a_crawl_delay_is_kept(tmp_path: Path) -> None:
    async with plain(3, robots_status=200) as site:
        site.robots = "User-agent: *\nCrawl-delay: 0.4\n"
        done = await read(None, tmp_path, site)
        times = [seen.at for seen in site.requests[1:]]
    assert done.reason == "finished"
    assert len(times) > 1
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.19

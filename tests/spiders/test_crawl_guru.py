"""What is Guru's own in whole crawls of its stand-in; what holds for every platform is in `test_all_crawls`."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from _crawls import fetch, impatient, noting_departures, runs, stored
from platforms_standins._guru_pages import DETAIL_LAYOUTS
from platforms_standins._guru_projects import slug
from spiders._platforms import GURU

LISTING = GURU.listing
read, plain, pages, details, cut = GURU.read, GURU.plain, GURU.pages, GURU.details, GURU.wanting


# --- what is stored -----------------------------------------------------------------------------------------------


async def test_featured_jobs_do_not_stand_in_the_way(url: str, tmp_path: Path) -> None:
    async with plain(60, featured=3) as site:
        await read(url, tmp_path, site, max_pages="1")
        await read(url, tmp_path, site)
        assert (await stored(url)).keys() == set(site.listed_ids())
        site.add(2)
        site.requests.clear()
        done = await read(url, tmp_path, site)
        assert (done.reason, pages(site)) == ("up_to_date", [1, 2])


# --- arguments ----------------------------------------------------------------------------------------------------


async def test_featured_jobs_do_not_stand_in_the_way_of_since(url: str, tmp_path: Path) -> None:
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


# --- layouts, faults ----------------------------------------------------------------------------------------------


_DETAIL_LAYOUTS = {"current": "finished", "older": "finished", "json_ld_gone": "finished", "shell": "layout_changed"}


def test_every_layout_of_job_pages_has_an_expectation() -> None:
    assert set(_DETAIL_LAYOUTS) == set(DETAIL_LAYOUTS)


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
        address = site.row(number).address
        site.fail(kind, path=address, **options)
        done = await read(url, tmp_path, site, settings=impatient(address) if kind == "slow" else {})
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
    times: list[float] = []
    async with plain(3, robots_status=200) as site:
        site.robots = "User-agent: *\nCrawl-delay: 0.4\n"
        done = await read(None, tmp_path, site, settings=noting_departures(times))
    assert done.reason == "finished"
    assert len(times) == len(site.requests) > 2
    assert min(later - earlier for earlier, later in itertools.pairwise(times[1:])) > 0.38

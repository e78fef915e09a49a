"""What is Wishket's own in whole crawls of its stand-in; what holds for every platform is in `test_all_crawls`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from _crawls import crawl, fetch, impatient, noting_departures, runs, stored
from platforms_standins._wishket_projects import TASK
from platforms_standins.wishket import query_of
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from spiders._platforms import WISHKET

from outsourcing_spiders.spiders.wishket import WishketSpider

read, plain, pages, details, ids = WISHKET.read, WISHKET.plain, WISHKET.pages, WISHKET.details, WISHKET.ids


# --- what is stored -----------------------------------------------------------------------------------------------


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
            assert found == [(True, False), (True, True), (False, True)]
            assert rows[str(private)]["extra"] == {"private": True}
            assert rows[str(hidden)]["extra"]["login_only"] == ["description", "requirements"]
            assert rows[str(shown)]["extra"]["login_only"] == ["requirements"]
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


# --- arguments ----------------------------------------------------------------------------------------------------


async def test_since_keeps_the_projects_of_its_whole_day(url: str, tmp_path: Path) -> None:
    async with plain(80) as site:
        # In the midst of a day: of the projects of that day nobody knows on which side they are.
        posted = next(one["posted_at"] for one in site.projects[25:] if one["posted_at"])
        since = posted + timedelta(hours=15)
        done = await read(url, tmp_path, site, since=since.isoformat())
        wanted = {one["external_id"] for one in site.projects if one["posted_at"] >= posted}
        assert (await stored(url)).keys() == wanted
        assert len(wanted) < 60
        assert set(details(site)) == wanted
        assert done.reason == "finished"
        # The last one holds nothing that is young enough.
        assert len(pages(site)) == -(-len(wanted) // 10) + 1
        (run,) = await runs(url)
        assert datetime.fromisoformat(run["whole"]) == since
        site.requests.clear()
        # A shorter look back is known.
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


# --- pages of projects that cannot be had -------------------------------------------------------------------------


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
    async with plain(15) as site:
        site.faulty = site.listed_ids()[12]
        site.fail(kind, **options)
        settings = impatient(f"/project/{site.faulty}/") if kind == "slow" else {}
        done = await read(url, tmp_path, site, settings=settings)
        assert done.reason == "finished"
        assert (await stored(url)).keys() == ids(site)
        (row,) = await fetch(url, "SELECT * FROM projects WHERE external_id = $1", str(site.faulty))
        assert row["description_complete"] is (options.get("times") == 1)
        assert row["budget_text"]
        assert ((await runs(url))[0]["whole"] == "-infinity") is is_whole
        site.heal()
        await read(url, tmp_path, site, full="1")
        assert details(site).count(str(site.listed_ids()[0])) == 1
        (row,) = await fetch(url, "SELECT * FROM projects WHERE external_id = $1", str(site.faulty))
        assert row["description_complete"]


async def test_a_challenge_on_the_page_of_a_project_ends_the_crawl(url: str, tmp_path: Path) -> None:
    async with plain(15) as site:
        site.faulty = site.listed_ids()[3]
        site.fail("challenge")
        done = await read(url, tmp_path, site)
    assert done.reason == "blocked"
    assert (await runs(url))[0]["whole"] is None


# --- robots.txt, permission, pace ---------------------------------------------------------------------------------


async def test_pages_of_projects_that_robots_txt_forbids_are_not_asked_for(tmp_path: Path) -> None:
    async with plain(12) as site:
        site.robots = "User-agent: *\nDisallow: /project/1\n"
        done = await read(None, tmp_path, site)
        assert (done.reason, len(done.items), details(site)) == ("finished", 12, [])


async def test_the_crawl_delay_of_robots_txt_is_kept(tmp_path: Path) -> None:
    times: list[float] = []
    async with plain(1) as site:
        site.robots = "User-agent: *\nCrawl-delay: 0.4\n"
        await read(None, tmp_path, site, settings=noting_departures(times))
    assert len(times) == len(site.requests) == 3
    assert times[2] - times[1] > 0.38


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

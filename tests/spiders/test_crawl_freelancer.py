"""Whole crawls of the Freelancer.com stand-in into PostgreSQL: what is stored, how they end, what they ask for."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, runs, stored_ids
from aiohttp import web
from conftest import REPOSITORY, Server, _administer, oldest_postgres, scrapy_environment
from platforms_standins._freelancer_projects import SKILLS
from platforms_standins.freelancer import KNOWN_TOKEN, FreelancerStandIn

from outsourcing_spiders.storage.engine import Database

HEADER = "freelancer-oauth-v1"


@pytest.fixture(scope="module")
async def template_name(embedded_server: Server, open_folder: Path) -> str:
    name = "template_of_crawls"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(name), embedded_root=open_folder):
        pass
    return name


_numbers = itertools.count()


@pytest.fixture
async def url(embedded_server: Server, template_name: str) -> AsyncIterator[str]:
    """DATABASE_URL of a new database, for what does not depend on the server's version."""
    name = f"crawl_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE {template_name} STRATEGY wal_log")
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


class PausingStandIn(FreelancerStandIn):
    """Holds its answer to request number `pause_at` back until `go_on` is set."""

    def __init__(self, *arguments: Any, pause_at: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.pause_at = pause_at
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if len(self.requests) + 1 == self.pause_at:
            self.reached.set()
            await self.go_on.wait()
        return await super()._handle(request)


def plain(projects: int = 250, **options: Any) -> FreelancerStandIn:
    """Return a site on which every row is an ordinary project and every page is full."""
    return FreelancerStandIn(projects, odd_rows=False, short_pages=False, contests=0, **options)


def whole(run: dict[str, Any]) -> str | None:
    """Return how far back a run says that the listing is whole."""
    found: str | None = run["whole"]
    return found


async def process(
    site: FreelancerStandIn, data: Path, *arguments: str, **environment: str
) -> asyncio.subprocess.Process:
    """Start `scrapy crawl freelancer` in a process of its own."""
    options = ("-a", f"base_url={site.base_url}", "-s", "DOWNLOAD_DELAY=0", *arguments)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scrapy", "crawl", "freelancer", *options,
        cwd=REPOSITORY, env=scrapy_environment(data) | environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(crawling: asyncio.subprocess.Process) -> str:
    """Wait for the end of a crawl's process; return what it logged."""
    async with asyncio.timeout(60):
        _, log = await crawling.communicate()
    return log.decode()


async def said(crawling: asyncio.subprocess.Process, what: str) -> None:
    """Wait until a process logged `what`."""
    assert crawling.stderr is not None
    async with asyncio.timeout(30):
        while what not in (line := (await crawling.stderr.readline()).decode()):
            assert line, f"it ended without saying {what!r}"


async def stored_at_least(url: str, count: int) -> None:
    """Wait until a crawl of another process stored so many projects."""
    async with asyncio.timeout(30):
        while len(await stored_ids(url)) < count:  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.02)


def on_disk(folder: Path) -> list[dict[str, Any]]:
    """Return the projects that wait in the spool."""
    files = folder.glob("spool/*/*.jsonl")
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


# --- what is stored -----------------------------------------------------------------------------------------------


async def test_every_visible_project_is_stored_once(database_url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(260, seed=3) as site:
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
        # Short pages leave ordinary rows out; others at each offset.
        rows = [site.row(number) for number in site.listed_ids()]
        shown = {
            row.id
            for seen in site.requests
            if (offset := int(str(seen.query["offset"]))) is not None
            for row in site.shown(rows[offset : offset + 100], offset)
        }
    no_items = {site.odd[name] for name in ("deleted", "nonpublic")}
    rejected = {site.odd[name] for name in ("title_empty", "title_null")}
    assert len(shown) >= 250
    assert await stored_ids(database_url) == shown - no_items - rejected
    (run,) = await runs(database_url)
    assert run["reason"] == done.reason == "finished"
    assert (run["written"], run["rejected"]) == (len(shown) - 4, 2)
    assert run["items_scraped"] == len(shown) - 2
    assert run["merged"] == run["unchanged"] == run["spooled"] == 0
    assert run["requests"] == len(site.requests) == done.requests
    assert whole(run) == "-infinity"
    assert run["stats"]["skipped/deleted"] == run["stats"]["skipped/nonpublic"] == 1
    found = await fetch(database_url, "SELECT external_id, reason FROM rejected_items")
    assert {int(row["external_id"]) for row in found} == rejected
    assert {row["reason"] for row in found} == {"title is empty"}
    assert done.errors == []


async def test_a_second_crawl_a_moment_later_costs_one_request(database_url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(250) as site:
        await crawl(database_url, tmp_path, base_url=site.base_url)
        before = await fetch(database_url, "SELECT xmin::text, * FROM projects ORDER BY external_id")
        site.requests.clear()
        again = await crawl(database_url, tmp_path, base_url=site.base_url)
        assert again.reason == "up_to_date"
        assert len(site.requests) == 1
        assert await fetch(database_url, "SELECT xmin::text, * FROM projects ORDER BY external_id") == before
        run = (await runs(database_url))[-1]
        assert (run["reason"], run["written"], whole(run)) == ("up_to_date", 0, "-infinity")
        full = await crawl(database_url, tmp_path, base_url=site.base_url, full="1")
        assert full.reason == "finished"
        assert len(site.requests) == 1 + 4
        run = (await runs(database_url))[-1]
        assert (run["written"], whole(run)) == (0, "-infinity")
        assert run["unchanged"] + run["rejected"] == run["items_scraped"] > 240


async def test_stored_rows_hold_what_the_site_tells(database_url: str, tmp_path: Path) -> None:
    async with plain(120) as site:
        await crawl(database_url, tmp_path, base_url=site.base_url)
    found = {row["external_id"]: row for row in await fetch(database_url, "SELECT * FROM projects")}
    for number in site.listed_ids():
        row, stored = site.row(number), found[str(number)]
        assert stored["platform"] == "freelancer"
        assert stored["title"] == " ".join(row.get("title").split())
        assert stored["pricing"] == row.get("type")
        assert float(stored["budget_min"]) == row.get("budget")["minimum"]
        assert float(stored["budget_max"]) == row.get("budget")["maximum"]
        assert stored["currency"] == row.get("currency")["code"]
        rate = row.get("currency")["exchange_rate"]
        assert float(stored["budget_min_usd"]) == pytest.approx(row.get("budget")["minimum"] * rate, abs=0.006)
        assert stored["posted_at"].timestamp() == row.get("time_submitted")
        assert stored["bid_count"] == row.get("bid_stats")["bid_count"]
        assert len(stored["skills"]) == len(row.get("jobs"))
        assert stored["description_complete"]


async def test_bids_of_the_newest_page_are_renewed(url: str, tmp_path: Path) -> None:
    async with plain(120) as site:
        await crawl(url, tmp_path, base_url=site.base_url)
        newest = site.listed_ids()[0]
        count = site.bid(newest, 4)["bid_count"]
        again = await crawl(url, tmp_path, base_url=site.base_url)
        assert (again.reason, again.requests) == ("up_to_date", 1)
    (row,) = await fetch(url, "SELECT bid_count FROM projects WHERE external_id = $1", str(newest))
    assert row["bid_count"] == count
    assert (await runs(url))[-1]["written"] == 1
    history = await fetch(url, "SELECT bid_count FROM project_history WHERE external_id = $1", str(newest))
    assert len(history) == 2


async def test_an_empty_listing_is_finished(url: str, tmp_path: Path) -> None:
    async with plain(0) as site:
        done = await crawl(url, tmp_path, base_url=site.base_url)
    assert (done.reason, done.requests, done.items) == ("finished", 1, [])
    (run,) = await runs(url)
    assert whole(run) == "-infinity"


# --- between crawls -----------------------------------------------------------------------------------------------


async def test_arrivals_between_crawls_are_read(url: str, tmp_path: Path) -> None:
    async with plain(250) as site:
        await crawl(url, tmp_path, base_url=site.base_url)
        site.add(130)
        site.requests.clear()
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "up_to_date"
        assert len(site.requests) == 3
        assert await stored_ids(url) == set(site.listed_ids())
        assert [whole(run) for run in await runs(url)] == ["-infinity"] * 2


@pytest.mark.parametrize("bound", [{"max_pages": "1"}, {"max_pages": "2"}, {"since": "1h"}], ids=str)
async def test_a_bounded_first_crawl_does_not_stop_the_next_one(
    bound: dict[str, str], url: str, tmp_path: Path
) -> None:
    async with plain(300) as site:
        first = await crawl(url, tmp_path, base_url=site.base_url, **bound)
        assert first.reason == "finished"
        assert 0 < len(await stored_ids(url)) < 300
        assert whole((await runs(url))[0]) != "-infinity"
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())
        assert whole((await runs(url))[1]) == "-infinity"


async def test_an_interrupted_crawl_after_a_whole_one_does_not_stop_the_next_one_too_early(
    url: str, tmp_path: Path
) -> None:
    async with plain(150) as site:
        await crawl(url, tmp_path, base_url=site.base_url)
        site.add(250)
        # It stores the newest hundred; 150 new ones below them are still unknown.
        await crawl(url, tmp_path, base_url=site.base_url, max_pages="1")
        assert len(await stored_ids(url)) == 250
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "up_to_date"
        assert await stored_ids(url) == set(site.listed_ids())
        assert [whole(run) for run in await runs(url)] == ["-infinity", None, "-infinity"]


async def test_a_crawl_that_lost_something_to_an_error_is_not_whole(url: str, tmp_path: Path) -> None:
    async with plain(250) as site:
        odd = site.listed_ids()[120]
        site.edit(odd, jobs=[{"id": 3, "name": "PHP", "category": {"id": 1}}, 5])
        done = await crawl(url, tmp_path, base_url=site.base_url)
        stored = await stored_ids(url)
        # The odd row costs itself, and nothing else.
        assert len(stored) == 249
        assert done.reason == "finished"
        assert done.crawler.stats.get_value("spider_exceptions/count") == 1
        assert [line.split(": ")[1].splitlines()[0] for line in done.errors] == [f"Row {odd} cannot be read"]
        (run,) = await runs(url)
        assert whole(run) is None
        site.edit(odd, jobs=[])
        await crawl(url, tmp_path, base_url=site.base_url)
        assert await stored_ids(url) == set(site.listed_ids())


async def test_a_layout_of_rows_that_cannot_be_read_is_named(url: str, tmp_path: Path) -> None:
    async with plain(40) as site:
        for number in site.listed_ids():
            site.edit(number, jobs=[5])
        done = await crawl(url, tmp_path, base_url=site.base_url)
    assert done.reason == "layout_changed"
    assert "none of the first rows" in str(done.outcome)


async def test_different_listings_do_not_stop_each_other(url: str, tmp_path: Path) -> None:
    async with plain(150) as site:
        await crawl(url, tmp_path, base_url=site.base_url, query="python")
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())


# --- while the listing moves --------------------------------------------------------------------------------------


async def test_nothing_that_was_there_all_the_time_is_missed_while_projects_arrive(url: str, tmp_path: Path) -> None:
    async with plain(300, arrivals_per_request=7) as site:
        there = set(site.listed_ids())
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert there <= await stored_ids(url)
        assert len(done.items) == len({item.external_id for item in done.items})


@pytest.mark.parametrize(
    ("closing", "answers"), [(3, 99), (40, 1), (90, 1), (40, 99)], ids=["slowly", "at once", "a page", "too fast"]
)
async def test_nothing_is_missed_while_projects_close(closing: int, answers: int, url: str, tmp_path: Path) -> None:
    async with plain(300) as site:

        def close_some(number: int, _: Crawl) -> None:
            # Of those that were read already, so that everything below moves up.
            if number <= answers:
                for identity in site.listed_ids()[:closing]:
                    site.close(identity)

        done = await crawl(url, tmp_path, base_url=site.base_url, on_answer=close_some)
        (run,) = await runs(url)
        if closing * answers < 300:
            assert done.reason == "finished"
        if done.reason == "finished":
            assert whole(run) == "-infinity"
        else:
            # It says so, and the next crawl reads on.
            assert (done.reason, whole(run)) == ("incomplete", None)
            await crawl(url, tmp_path, base_url=site.base_url)
        assert set(site.listed_ids()) <= await stored_ids(url)


async def test_nothing_is_missed_while_projects_come_up_again(url: str, tmp_path: Path) -> None:
    async with plain(300) as site:
        there = site.listed_ids()

        def resurface(number: int, _: Crawl) -> None:
            if number < 3:
                for identity in site.listed_ids()[-4:]:
                    site.resurface(identity)

        done = await crawl(url, tmp_path, base_url=site.base_url, on_answer=resurface)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(there)


# --- arguments ----------------------------------------------------------------------------------------------------


async def test_max_pages_bounds_the_requests(url: str, tmp_path: Path) -> None:
    async with plain(300) as site:
        done = await crawl(url, tmp_path, base_url=site.base_url, max_pages="2")
        assert (done.reason, len(site.requests)) == ("finished", 2)
        assert await stored_ids(url) == set(site.listed_ids()[:195])
    assert whole((await runs(url))[0]) is None


async def test_since_bounds_how_far_back_a_crawl_reads(url: str, tmp_path: Path) -> None:
    async with plain(400) as site:
        # A row with an old time on top, as they are on the real site.
        site.resurface(site.listed_ids()[-1])
        since = datetime.fromtimestamp(site.row(site.listed_ids()[120]).get("time_submitted"), UTC)
        done = await crawl(url, tmp_path, base_url=site.base_url, since=since.isoformat())
        newer = {n for n in site.listed_ids() if site.row(n).get("time_submitted") >= since.timestamp()}
        assert len(newer) == 120
        assert await stored_ids(url) == newer
        assert done.reason == "finished"
        assert len(site.requests) == 3
        (run,) = await runs(url)
        assert datetime.fromisoformat(str(whole(run))) == since
        site.requests.clear()
        # A shorter look back is known, a longer one is not.
        again = await crawl(url, tmp_path, base_url=site.base_url, since=(since + timedelta(minutes=1)).isoformat())
        assert (again.reason, len(site.requests)) == ("up_to_date", 1)
        longer = await crawl(url, tmp_path, base_url=site.base_url, since=(since - timedelta(hours=1)).isoformat())
        assert longer.reason == "finished"
        assert len(await stored_ids(url)) > 150


async def test_query_is_asked_for(url: str, tmp_path: Path) -> None:
    async with plain(250) as site:
        done = await crawl(url, tmp_path, base_url=site.base_url, query="website python")
        assert {seen.query["query"] for seen in site.requests} == {"website python"}
    assert done.reason == "finished"
    assert 0 < len(done.items) < 100


@pytest.mark.parametrize(
    ("arguments", "names", "requests"),
    [
        ({"skills": "17"}, {"Python"}, 1),
        ({"skills": "17, 3"}, {"Python", "PHP"}, 1),
        ({"skills": "python"}, {"Python"}, 2),
        ({"skills": " PYTHON ,3"}, {"Python", "PHP"}, 2),
        ({"category": "mobile phones & computing"}, {s["name"] for s in SKILLS if s["category"]["id"] == 9}, 2),
    ],
    # Sets have no order, and the name of a test has to be the same in each process.
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
async def test_skills_and_categories_are_asked_for_by_id(
    arguments: dict[str, str], names: set[str], requests: int, tmp_path: Path
) -> None:
    async with plain(300) as site:
        done = await crawl(None, tmp_path, base_url=site.base_url, **arguments)
        listed = [site.row(number) for number in site.listed_ids()]
        asked = [set(seen.query["jobs[]"]) for seen in site.requests if "active" in seen.path]
        first = site.requests[0].path
    wanted = {str(skill["id"]) for skill in SKILLS if skill["name"] in names}
    assert done.reason == "finished"
    assert asked
    assert all(ids == wanted for ids in asked)
    assert first.endswith("/jobs/") is (requests == 2)
    matching = {str(row.id) for row in listed if {job["name"] for job in row.get("jobs")} & names}
    assert {item.external_id for item in done.items} == matching


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"skills": "Pyton"}, "skills: the platform knows no skill 'Pyton'; did you mean python?"),
        ({"skills": "Python,qqqqqqqq"}, "skills: the platform knows no skill 'qqqqqqqq'; see the skills"),
        ({"category": "Gardening"}, "category: the platform knows no category 'Gardening'; it has Artificial"),
    ],
    ids=str,
)
async def test_a_wrong_choice_ends_the_crawl_in_one_sentence(
    arguments: dict[str, str], said: str, url: str, tmp_path: Path
) -> None:
    async with plain(20) as site:
        done = await crawl(url, tmp_path, base_url=site.base_url, **arguments)
        assert not [seen for seen in site.requests if "active" in seen.path]
    assert done.reason == "wrong_argument"
    assert str(done.outcome).startswith(said)
    assert len(done.errors) == 1
    assert "Traceback" not in "".join(done.log)
    (run,) = await runs(url)
    assert (run["reason"], whole(run)) == ("wrong_argument", None)
    assert run["stats"]["message"].startswith(said)


async def test_the_base_url_may_have_a_path(tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await crawl(None, tmp_path, base_url=site.base_url + "/mirror/")
        assert site.requests[0].path == "/mirror/api/projects/0.1/projects/active/"
    assert done.reason == "layout_changed"


# --- the token ----------------------------------------------------------------------------------------------------


async def test_the_token_is_sent_as_a_header_and_appears_nowhere_else(url: str, tmp_path: Path) -> None:
    token = "s3cret-t0ken"
    async with plain(120, tokens=(token,)) as site:
        done = await crawl(url, tmp_path, base_url=site.base_url, skills="python", settings={"FREELANCER_TOKEN": token})
        assert done.reason == "finished"
        assert [seen.headers.get(HEADER) for seen in site.requests] == [token] * len(site.requests)
        assert not [seen for seen in site.requests if token in f"{seen.path}{seen.query}"]
    stored = [await fetch(url, f"SELECT * FROM {table}") for table in ("crawl_runs", "projects", "rejected_items")]
    assert token not in f"{stored}{done.log}{done.crawler.stats.get_stats()}"


async def test_without_a_token_no_header_is_sent(tmp_path: Path) -> None:
    async with plain(20) as site:
        await crawl(None, tmp_path, base_url=site.base_url)
        assert [HEADER in seen.headers for seen in site.requests] == [False]


async def test_a_token_that_is_not_accepted_is_not_told(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await crawl(url, tmp_path, base_url=site.base_url, settings={"FREELANCER_TOKEN": "wrong-one"})
    assert done.reason == "login_required"
    assert "token" in str(done.outcome)
    assert "wrong-one" not in f"{done.log}{await runs(url)}"


async def test_the_token_is_not_carried_to_another_address(tmp_path: Path) -> None:
    async with plain(20) as elsewhere:

        class Redirecting(FreelancerStandIn):
            def answer(self, request: web.BaseRequest, alteration: str | None) -> Any:
                answer = super().answer(request, alteration)
                answer.status, answer.headers["Location"] = self.redirect, elsewhere.base_url + request.path_qs
                answer.body = f'<html><meta http-equiv="refresh" content="0;url={elsewhere.base_url}/"></html>'.encode()
                answer.content_type = "text/html"
                answer.packed = None
                return answer

            redirect = 302

        for status in (302, 200):
            Redirecting.redirect = status
            async with Redirecting(20) as site:
                done = await crawl(None, tmp_path, base_url=site.base_url, settings={"FREELANCER_TOKEN": KNOWN_TOKEN})
            assert done.reason == "blocked"
            assert len(site.requests) == 1
        assert elsewhere.requests == []


# --- pace ---------------------------------------------------------------------------------------------------------


async def test_the_rate_limit_is_kept(tmp_path: Path) -> None:
    async with plain(300) as site:
        done = await crawl(None, tmp_path, base_url=site.base_url, settings={"RATE_LIMIT": [(3, 2)]})
        times = [seen.at for seen in site.requests]
    assert done.reason == "finished"
    assert len(times) > 3
    assert min(later - earlier for earlier, later in zip(times, times[3:], strict=False)) > 1.95
    assert times[2] - times[0] < 1


async def test_the_download_delay_is_kept(tmp_path: Path) -> None:
    async with plain(300) as site:
        await crawl(None, tmp_path, base_url=site.base_url, settings={"DOWNLOAD_DELAY": 0.3})
        times = [seen.at for seen in site.requests]
    # Scrapy varies the delay from half of it to one and a half.
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.14


async def test_one_request_at_a_time(tmp_path: Path) -> None:
    class Counting(FreelancerStandIn):
        at_once, most = 0, 0

        async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                await asyncio.sleep(0)
                return await super()._handle(request)
            finally:
                self.at_once -= 1

    async with Counting(300) as site:
        await crawl(None, tmp_path, base_url=site.base_url)
    assert site.most == 1


# --- faults of the platform ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def faulty_site() -> AsyncIterator[FreelancerStandIn]:
    """A site that does not change but for its faults."""
    async with plain(280) as site:
        yield site


_FAULTS: list[tuple[str, dict[str, Any], str, int | None]] = [
    ("status", {"status": 500}, "unreachable", 3),
    ("status", {"status": 500, "times": 1}, "finished", None),
    ("status", {"status": 503}, "rate_limited", 1),
    ("status", {"status": 500, "times": 2}, "finished", None),
    ("status", {"status": 502, "after": 1}, "unreachable", 4),
    ("status", {"status": 429}, "rate_limited", 1),
    ("status", {"status": 429, "retry_after": 60, "after": 1}, "rate_limited", 2),
    ("status", {"status": 401}, "login_required", 1),
    ("status", {"status": 401, "new_errors": True}, "login_required", 1),
    ("status", {"status": 403}, "blocked", 1),
    ("status", {"status": 404}, "layout_changed", 1),
    ("challenge", {}, "blocked", 1),
    ("challenge", {"status": 200}, "blocked", 1),
    ("challenge", {"status": 503}, "blocked", 1),
    ("incapsula", {}, "blocked", 1),
    ("perimeterx", {}, "blocked", 1),
    ("datadome", {}, "blocked", 1),
    ("forbidden", {}, "blocked", 1),
    ("login", {}, "login_required", 1),
    ("challenge", {"after": 2}, "blocked", 3),
    ("error_envelope", {}, "layout_changed", 1),
    ("error_envelope", {"new_errors": True}, "layout_changed", 1),
    ("truncated", {}, "unreachable", 3),
    ("truncated", {"times": 1}, "finished", None),
    ("reset", {}, "unreachable", None),
    ("reset", {"times": 1, "after": 1}, "finished", None),
    ("slow", {"delay": 5}, "unreachable", 3),
    ("slow", {"delay": 5, "times": 1}, "finished", None),
    ("invalid_json", {}, "layout_changed", 1),
    ("empty_body", {}, "layout_changed", 1),
    ("result_null", {}, "layout_changed", 1),
    ("projects_missing", {"after": 1}, "layout_changed", 2),
    ("projects_null", {}, "layout_changed", 1),
    ("total_missing", {}, "finished", None),
    ("total_null", {}, "finished", None),
    ("total_string", {}, "finished", None),
    ("total_too_small", {}, "finished", None),
    ("empty_page", {"after": 1, "times": 1}, "finished", None),
    ("empty_page", {}, "layout_changed", None),
    ("empty_page", {"after": 1}, "incomplete", None),
    # Nobody can tell a total that is too large from pages that are missing.
    ("total_too_large", {}, "incomplete", None),
]


@pytest.mark.parametrize(("kind", "options", "reason", "requests"), _FAULTS, ids=str)
async def test_a_fault_of_the_platform_ends_the_crawl_with_its_name(
    kind: str,
    options: dict[str, Any],
    reason: str,
    requests: int | None,
    faulty_site: FreelancerStandIn,
    url: str,
    tmp_path: Path,
) -> None:
    site = faulty_site
    site.requests.clear()
    site.fail(kind, **options)
    try:
        done = await crawl(url, tmp_path, base_url=site.base_url, settings={"DOWNLOAD_TIMEOUT": 0.3})
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        assert run["items_scraped"] == len(done.items) == len(await stored_ids(url))
        if requests is not None:
            # One more may be in the downloader already.
            assert requests <= len(site.requests) <= requests + bool(options.get("after"))
        if reason == "finished":
            assert done.outcome is None
            assert whole(run) == "-infinity"
            assert await stored_ids(url) == set(site.listed_ids())
            return
        assert whole(run) is None
        assert run["stats"]["message"] == str(done.outcome)
        assert sum(line.split(": ", 1)[1] == str(done.outcome) for line in done.log) == 1
        assert "Traceback" not in "".join(line for line in done.log if "No answer from" not in line)
        if not options.get("after"):
            return
        # Once the platform is well again, the next crawl makes whole what this one began.
        site.heal()
        await crawl(url, tmp_path, base_url=site.base_url, settings={"REMEMBER_BLOCKS": False})
        assert await stored_ids(url) == set(site.listed_ids())
    finally:
        site.heal()


async def test_nobody_listens(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        pass
    done = await crawl(url, tmp_path, base_url=site.base_url)
    assert done.reason == "unreachable"
    assert "got no answer" in str(done.outcome)
    assert whole((await runs(url))[0]) is None


async def test_the_exit_code_tells_what_the_log_tells(url: str, tmp_path: Path) -> None:
    """The same over Scrapy's own client, in processes, all at once."""
    faults: dict[str, tuple[dict[str, Any], int]] = {
        "reset": ({}, 1),
        "challenge": ({}, 1),
        "status": ({"status": 500, "times": 1}, 0),
    }
    expected = {"reset": "unreachable", "challenge": "blocked", "status": "finished"}

    async def one(kind: str) -> tuple[str, int | None, str]:
        async with plain(120, seed=hash(kind)) as site:
            options, _ = faults[kind]
            site.fail(kind, **options)
            crawling = await process(site, tmp_path, DATABASE_URL=url)
            log = await ended(crawling)
            return kind, crawling.returncode, log

    for kind, code, log in await asyncio.gather(*map(one, faults)):
        assert code == faults[kind][1], log
        if code:
            assert log.splitlines()[-1].startswith(f"scrapy crawl freelancer: {expected[kind]}: ")
    found = await runs(url)
    assert sorted(run["reason"] for run in found) == sorted(expected.values())
    assert [whole(run) for run in found if run["reason"] != "finished"] == [None] * 2


# --- the database goes away ---------------------------------------------------------------------------------------


@pytest.fixture
def own_server(open_folder: Path) -> Any:
    """A server that a test may stop."""
    folder = open_folder / f"stopped_{next(_numbers)}"
    if not Path("/usr/lib/postgresql/15/bin").exists():
        pytest.skip("PostgreSQL 15 is not installed (Debian: apt-get install postgresql)")
    manager = oldest_postgres(folder)
    with manager as server:
        yield manager, server.url("postgres")


async def test_nothing_is_lost_when_the_database_restarts(own_server: Any, tmp_path: Path) -> None:
    manager, url = own_server
    async with PausingStandIn(280, odd_rows=False, short_pages=False, pause_at=2) as site:

        async def restart() -> None:
            await site.reached.wait()
            await asyncio.to_thread(manager.stop, "immediate")
            site.go_on.set()
            # The crawl meets a server that is away before it comes back.
            await asyncio.sleep(0.5)
            await asyncio.to_thread(manager.start)

        done, _ = await asyncio.gather(crawl(url, tmp_path, base_url=site.base_url), restart())
    assert done.reason == "finished"
    assert await stored_ids(url) == set(site.listed_ids())
    (run,) = await runs(url)
    assert run["written"] == 280
    assert run["spooled"] == 0
    assert run["stats"]["retries"] > 0
    assert whole(run) == "-infinity"


async def test_rows_wait_on_disk_when_the_database_stays_away(own_server: Any, tmp_path: Path) -> None:
    manager, url = own_server
    async with PausingStandIn(280, odd_rows=False, short_pages=False, pause_at=3) as site:
        options = ("-s", "DATABASE_RETRY_SECONDS=0.5")
        crawling = await process(site, tmp_path, *options, DATABASE_URL=url)
        reading = asyncio.ensure_future(ended(crawling))
        await site.reached.wait()
        await stored_at_least(url, 195)
        await asyncio.to_thread(manager.stop, "immediate")
        site.go_on.set()
        log = await reading
        assert crawling.returncode == 1, log
        assert log.splitlines()[-1].startswith("scrapy crawl freelancer: database unreachable: ")
        spooled = on_disk(tmp_path)
        assert spooled
        await asyncio.to_thread(manager.start)
        stored = await stored_ids(url)
        assert len(stored) == 195
        (run,) = await fetch(url, "SELECT *, whole_since AS whole FROM crawl_runs")
        assert run["finished_at"] is None
        assert whole(run) is None
        spool = [row["external_id"] for row in spooled]
        assert not set(map(int, spool)) & stored
        # The next crawl stores what is on disk, even where it does not get to see it again.
        done = await crawl(url, tmp_path, base_url=site.base_url, max_pages="1")
        assert done.reason == "finished"
        assert stored | set(map(int, spool)) <= await stored_ids(url)
        assert on_disk(tmp_path) == []
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert await stored_ids(url) == set(site.listed_ids())
        assert done.reason == "finished"


async def test_a_database_that_is_down_costs_the_platform_no_request(tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await crawl("postgresql://127.0.0.1:1/nothing", tmp_path, base_url=site.base_url)
        assert site.requests == []
    assert done.reason == "database_unreachable"
    assert len(done.errors) == 1


# --- signals ------------------------------------------------------------------------------------------------------


async def test_sigterm_stores_what_was_scraped_and_the_next_crawl_the_rest(url: str, tmp_path: Path) -> None:
    async with PausingStandIn(400, odd_rows=False, short_pages=False, pause_at=3) as site:
        crawling = await process(site, tmp_path, DATABASE_URL=url)
        await site.reached.wait()
        crawling.send_signal(signal.SIGTERM)
        await said(crawling, "Received SIGTERM")
        site.go_on.set()
        log = await ended(crawling)
        assert crawling.returncode == 0, log
        (run,) = await runs(url)
        stored = await stored_ids(url)
        assert (run["reason"], whole(run)) == ("shutdown", None)
        # The page that was under way came, and was stored; no other was asked for.
        assert len(site.requests) == 3
        assert stored == set(site.listed_ids()[:290])
        assert run["written"] == run["items_scraped"] == 290
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())


async def test_after_sigkill_the_next_crawl_makes_the_table_whole(url: str, tmp_path: Path) -> None:
    async with PausingStandIn(400, odd_rows=False, short_pages=False, pause_at=3) as site:
        crawling = await process(site, tmp_path, DATABASE_URL=url)
        reading = asyncio.ensure_future(ended(crawling))
        await site.reached.wait()
        await stored_at_least(url, 195)
        crawling.kill()
        site.go_on.set()
        await reading
        (run,) = await runs(url)
        assert (run["reason"], run["finished_at"], whole(run)) == (None, None, None)
        assert len(await stored_ids(url)) == 195
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())


# --- the embedded server ------------------------------------------------------------------------------------------


async def test_four_crawls_at_once_share_the_embedded_server_that_the_first_one_starts(open_folder: Path) -> None:
    data = open_folder / "four"
    data.mkdir(mode=0o755)
    async with plain(250) as site:
        crawls = [await process(site, data, "-a", "full=1", DATABASE_URL="") for _ in range(4)]
        logs = await asyncio.gather(*map(ended, crawls))
        assert [crawling.returncode for crawling in crawls] == [0] * 4, "\n".join(logs)
        last = await process(site, data, DATABASE_URL="")
        log = await ended(last)
        assert last.returncode == 0
        assert "freelancer up to date: 100 projects from 1 request in" in log
    written = [
        int(line.split(" new, ")[0].split()[-1]) for log in logs for line in log.splitlines() if " new, " in line
    ]
    assert sum(written) == 250

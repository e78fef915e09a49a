"""What is Freelancer.com's own in whole crawls of its stand-in; what holds for every platform is in `test_all_crawls`.

What does not depend on the platform is looked at here, too, where one is enough: pace, and errors in the spider.
"""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, noting_departures, runs, stored_ids
from _stopwatch import Stopwatch
from aiohttp import web
from platforms_standins._freelancer_projects import SKILLS
from platforms_standins.freelancer import KNOWN_TOKEN, FreelancerStandIn
from spiders._platforms import FREELANCER

HEADER = "freelancer-oauth-v1"
plain = FREELANCER.plain


# --- between crawls -----------------------------------------------------------------------------------------------


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
        assert run["whole"] is None
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


async def test_a_crawl_does_not_stop_above_rows_that_an_earlier_one_was_not_shown(url: str, tmp_path: Path) -> None:
    async with plain(400) as site:
        site.fail("rows_missing", from_offset=95)
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert (done.reason, (await runs(url))[0]["whole"]) == ("incomplete", None)
        site.heal()
        # All of the first page is known.
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())


async def test_different_listings_do_not_stop_each_other(url: str, tmp_path: Path) -> None:
    async with plain(150) as site:
        await crawl(url, tmp_path, base_url=site.base_url, query="python")
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())


# --- while the listing moves --------------------------------------------------------------------------------------


async def test_a_listing_that_closes_faster_than_it_is_read_is_incomplete(url: str, tmp_path: Path) -> None:
    async with plain(300) as site:

        def close_some(number: int, _: Crawl) -> None:
            # Of those that were read already, so that everything below moves up.
            for identity in site.listed_ids()[:40]:
                site.close(identity)

        done = await crawl(url, tmp_path, base_url=site.base_url, on_answer=close_some)
        (run,) = await runs(url)
        if done.reason == "finished":
            assert run["whole"] == "-infinity"
        else:
            # It says so, and the next crawl reads on.
            assert (done.reason, run["whole"]) == ("incomplete", None)
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


async def test_an_old_project_that_came_up_again_does_not_end_since(url: str, tmp_path: Path) -> None:
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
        assert run["whole_since"] == since


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
    assert (run["reason"], run["whole"]) == ("wrong_argument", None)
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
    times: list[float] = []
    async with plain(300) as site:
        settings = {"RATE_LIMIT": [(3, 2)], **noting_departures(times)}
        with Stopwatch() as watch:
            done = await crawl(None, tmp_path, base_url=site.base_url, settings=settings)
    assert done.reason == "finished"
    assert len(times) == len(site.requests) > 3
    assert min(later - earlier for earlier, later in zip(times, times[3:], strict=False)) > 1.95
    assert times[2] - times[0] - watch.held_up < 1.9


async def test_the_download_delay_is_kept(tmp_path: Path) -> None:
    times: list[float] = []
    async with plain(300) as site:
        settings = {"DOWNLOAD_DELAY": 0.3, **noting_departures(times)}
        await crawl(None, tmp_path, base_url=site.base_url, settings=settings)
    assert len(times) == len(site.requests) > 3
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

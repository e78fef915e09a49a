"""What robots.txt allows, and what is said when it ends a crawl."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from _crawls import noting_departures, project_settings
from _hosts import Host, visit, visitor
from _ports import kept_port
from scrapy.crawler import AsyncCrawlerRunner

RULES = "User-agent: *\nDisallow: /private\n\nUser-agent: outsourcing_spiders\nDisallow: /not-for-us\nAllow: /private\n"


async def test_it_is_asked_for_first_and_once() -> None:
    async with Host(robots=(200, RULES)) as host:
        done = await visit(host.page("a"), host.page("b"), ROBOTSTXT_OBEY=True)
    assert done.reason == "finished"
    assert sorted(host.paths[1:]) == ["/a", "/b"]
    assert host.paths[0] == "/robots.txt"


async def test_a_forbidden_page_of_a_listing_ends_the_crawl() -> None:
    async with Host(robots=(200, RULES)) as host:
        done = await visit(host.page("not-for-us"), ROBOTSTXT_OBEY=True)
    assert done.reason == "permission_required"
    assert host.paths == ["/robots.txt"]
    assert "forbids" in str(done.outcome)
    assert "PERMITTED_PLATFORMS" in str(done.outcome)


async def test_our_own_rules_come_before_those_for_all() -> None:
    async with Host(robots=(200, RULES)) as host:
        done = await visit(host.page("private"), ROBOTSTXT_OBEY=True)
    assert done.reason == "finished"
    assert host.paths == ["/robots.txt", "/private"]


async def test_an_address_to_write_to_names_no_program() -> None:
    ours = {"ROBOTSTXT_OBEY": True, "USER_AGENT": "outsourcing_spiders/0.1 (me@example.com)"}
    async with Host(robots=(200, "User-agent: example.com\nAllow: /\n\nUser-agent: *\nDisallow: /")) as host:
        done = await visit(host.page("a"), **ours)
    assert (done.reason, host.paths) == ("permission_required", ["/robots.txt"])
    async with Host(robots=(200, "User-agent: example.com\nCrawl-delay: 86400")) as host:
        done = await visit(host.page("a"), **ours)
    assert (done.reason, host.paths) == ("finished", ["/robots.txt", "/a"])


async def test_a_forbidden_page_beside_a_listing_is_left_out_and_counted() -> None:
    async with Host(robots=(200, RULES)) as host:
        done = await visit(host.page("a"), beside=host.page("not-for-us"), ROBOTSTXT_OBEY=True)
    assert done.reason == "finished"
    assert host.paths == ["/robots.txt", "/a"]
    assert done.counted("skipped") == {"robots_txt": 1}


@pytest.mark.parametrize("rules", ["User-agent: *\nDisallow: /login\n", ""])
async def test_a_listing_that_leads_to_a_login_wants_one_whatever_the_file_says_of_it(rules: str) -> None:
    async with Host((302, {"Location": "/login?goto=a"}), robots=(200, rules)) as host:
        done = await visit(host.page("a"), ROBOTSTXT_OBEY=True)
    assert (done.reason, host.paths) == ("login_required", ["/robots.txt", "/a"])


async def test_who_is_permitted_reads_what_is_forbidden_to_all() -> None:
    times: list[float] = []
    async with Host(robots=(200, RULES + "Crawl-delay: 0.3\n")) as host:
        pages = [host.page("not-for-us/1"), host.page("not-for-us/2")]
        settings = {"PERMITTED_PLATFORMS": "other, visitor", **noting_departures(times)}
        done = await visit(*pages, ROBOTSTXT_OBEY=True, **settings)
    assert done.reason == "finished"
    assert len(host.paths) == len(times) == 3
    assert min(later - earlier for earlier, later in itertools.pairwise(times[1:])) > 0.28


@pytest.mark.parametrize("status", [401, 403, 404, 406, 410])
async def test_a_file_that_is_not_there_forbids_nothing(status: int) -> None:
    # What comes instead of the file is no set of rules, whatever it looks like.
    async with Host(robots=(status, "User-agent: *\nDisallow: /")) as host:
        done = await visit(host.page("a"), ROBOTSTXT_OBEY=True)
    assert done.reason == "finished"
    assert host.paths == ["/robots.txt", "/a"]


async def test_a_file_that_cannot_be_read_forbids_everything() -> None:
    async with Host(robots=(500, "oops")) as host:
        done = await visit(host.page("a"), ROBOTSTXT_OBEY=True, RETRY_TIMES=1)
    assert done.reason == "unreachable"
    assert host.paths == ["/robots.txt"] * 2
    assert "robots.txt" in str(done.outcome)
    assert "status 500" in str(done.outcome)


async def test_a_host_that_does_not_answer_is_said_to_be_unreachable() -> None:
    with kept_port() as port:
        done = await visit(f"http://127.0.0.1:{port}/a", ROBOTSTXT_OBEY=True, RETRY_TIMES=0)
    assert done.reason == "unreachable"
    assert "Traceback" not in "".join(done.log)


async def test_a_refused_robots_txt_is_waited_for() -> None:
    async with Host(robots=(429, "slow down")) as host:
        done = await visit(host.page("a"), ROBOTSTXT_OBEY=True, RATE_LIMIT_RETRIES=1)
    assert done.reason == "rate_limited"
    assert host.paths == ["/robots.txt"] * 2


async def test_a_stop_does_not_wait_until_the_file_may_be_asked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with Host((429, {"Retry-After": "3600"})) as host:
        patient = {"RATE_LIMIT_RETRIES": 5, "RATE_LIMIT_LONGEST_WAIT": 7200, "STOP_GRACE": 3600}
        runner = AsyncCrawlerRunner(project_settings(STORAGE_ENABLED=False, **patient))
        crawler = runner.create_crawler(visitor(host.page("a")))

        async def stop() -> None:
            while not any("Waiting" in record.getMessage() for record in caplog.records):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await crawler.stop_async()

        # Whoever waited for the file, or for the downloads to be given up, would do so for an hour.
        async with asyncio.timeout(120):
            await asyncio.gather(runner.crawl(crawler), stop())
    assert crawler.stats.get_value("finish_reason") == "shutdown"
    assert crawler.spider.outcome is None
    assert host.paths == ["/robots.txt"]

"""What robots.txt allows, and what is said when it ends a crawl."""

from __future__ import annotations

import pytest
from _hosts import Host, visit

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
    async with Host(robots=(200, RULES + "Crawl-delay: 0.3\n")) as host:
        pages = [host.page("not-for-us/1"), host.page("not-for-us/2")]
        done = await visit(*pages, ROBOTSTXT_OBEY=True, PERMITTED_PLATFORMS="other, visitor")
    assert done.reason == "finished"
    assert host.gaps[0] > 0.28


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
    async with Host() as host:
        pass
    done = await visit(host.page("a"), ROBOTSTXT_OBEY=True, RETRY_TIMES=0)
    assert done.reason == "unreachable"
    assert "Traceback" not in "".join(done.log)


async def test_a_refused_robots_txt_is_waited_for() -> None:
    async with Host(robots=(429, "slow down")) as host:
        done = await visit(host.page("a"), ROBOTSTXT_OBEY=True, RATE_LIMIT_RETRIES=1)
    assert done.reason == "rate_limited"
    assert host.paths == ["/robots.txt"] * 2

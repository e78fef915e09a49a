"""How requests are held back: by the clock of a host, in the queue, in whole crawls."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from _crawls import crawl, noting_departures, project_settings, runs
from _hosts import Host, visit, visitor
from _stopwatch import Stopwatch
from platforms_standins.freelancer import FreelancerStandIn
from scrapy import Request
from scrapy.crawler import AsyncCrawlerRunner, Crawler

from outsourcing_spiders.middlewares.host_pace import HostPace, RateLimit
from outsourcing_spiders.middlewares.pacing import PacingMiddleware, host_of, read_windows
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.parsing.rate_limits import Limits
from outsourcing_spiders.spiders.freelancer import FreelancerSpider

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


# --- one host's clock ---------------------------------------------------------------------------------------------


def most_in(times: list[float], seconds: float) -> int:
    """Return the largest number of `times` in any span that is shorter than `seconds`."""
    return max(sum(start <= at < start + seconds - 1e-6 for at in times) for start in times)


@pytest.mark.parametrize("windows", [[(3, 2.0)], [(3, 2.0), (10, 60.0)], [(1, 0.5)], [(50, 60.0), (1000, 3600.0)]])
def test_no_window_ever_holds_more_than_it_may(windows: list[tuple[int, float]]) -> None:
    pace, now, times = HostPace(windows=windows), 0.0, []
    chance = random.Random(1)
    for _ in range(1200):
        now = max(now + chance.choice((0, 0, 0, 0.1, 5)), pace.send_at())
        pace.note_sent(now)
        times.append(now)
    for requests, seconds in windows:
        assert most_in(times, seconds) <= requests


def test_a_window_is_free_again_when_its_oldest_request_leaves_it() -> None:
    limit = RateLimit((2, 10.0))
    limit.note(1)
    assert limit.free_at() == 0
    limit.note(4)
    assert limit.free_at() == 11


def test_a_delay_is_kept_and_varied() -> None:
    pace = HostPace(delay=2, jitter=0.5)
    gaps, now = [], 100.0
    for _ in range(200):
        pace.note_sent(now)
        gaps.append(pace.send_at() - now)
        now = pace.send_at()
    assert 1 <= min(gaps) < 1.2
    assert 2.8 < max(gaps) <= 3


def test_a_crawl_delay_is_a_least_delay() -> None:
    pace = HostPace(delay=2, jitter=0.5)
    pace.crawl_delay = 5
    pace.note_sent(0)
    assert pace.send_at() == 5


def test_a_refusal_slows_down_where_robots_txt_sets_the_pace() -> None:
    pace = HostPace(delay=1)
    pace.crawl_delay = 5
    pace.note_refusal(Limits(retry_after=0), 0)
    pace.note_sent(10)
    assert pace.send_at() == 20
    pace.note_answer(Limits(), 10)
    assert pace.send_at() == 18.75
    for now in range(11, 20):
        pace.note_refusal(Limits(retry_after=0), now)
    assert pace.send_at() == 90


@pytest.mark.parametrize(("crawl_delay", "slowest"), [(60, 300), (400, 400)])
def test_no_slow_down_is_longer_than_the_longest_pause(crawl_delay: float, slowest: float) -> None:
    pace = HostPace(delay=90)
    pace.crawl_delay = crawl_delay
    for _ in range(5):
        pace.note_refusal(Limits(retry_after=0), 0)
    pace.note_sent(0)
    assert pace.send_at() == slowest


def test_what_is_handed_out_keeps_its_distance_before_it_is_sent() -> None:
    pace = HostPace(delay=2)
    pace.note_sent(10)
    pace.note_handed_out(12)
    assert (pace.send_at(), pace.hand_out_at()) == (12, 14)


@pytest.mark.parametrize("retry_after", [0.0, 3.0, 40.0])
def test_retry_after_is_obeyed_to_the_second(retry_after: float) -> None:
    pace = HostPace()
    assert pace.note_refusal(Limits(retry_after=retry_after), 100) == retry_after
    assert pace.send_at() == (100 + retry_after if retry_after else 100)


def test_retry_after_is_obeyed_in_good_answers() -> None:
    pace = HostPace()
    pace.note_answer(Limits(remaining=0, retry_after=2), 100)
    assert pace.send_at() == 102
    assert pace.why(101) == "asked for it"


def test_without_retry_after_pauses_double_up_to_a_limit() -> None:
    pace, now, pauses = HostPace(first_pause=4), 0.0, []
    for _ in range(12):
        pause = pace.note_refusal(Limits(), now)
        pauses.append(pause)
        now += pause
    for step, pause in enumerate(pauses):
        expected = min(4 * 2**step, 300)
        assert 0.75 * expected <= pause <= 1.25 * expected
    assert len(set(pauses)) == len(pauses), "programs that were refused together come back together"


def test_refusals_under_way_at_once_are_one_pause() -> None:
    pace = HostPace(first_pause=4)
    first = pace.note_refusal(Limits(), 0)
    assert pace.note_refusal(Limits(), 0.1) == pytest.approx(first - 0.1)


def test_a_refusal_slows_down_and_good_answers_recover_by_small_steps() -> None:
    pace = HostPace(delay=1)

    def gap(now: float) -> float:
        pace.note_sent(now)
        return pace._gap

    assert gap(0) == 1
    pace.note_refusal(Limits(retry_after=0), 1)
    assert gap(2) == 2
    pace.note_refusal(Limits(retry_after=0), 3)
    gaps = []
    for step in range(14):
        gaps.append(gap(10 + step))
        pace.note_answer(Limits(), 10 + step)
    assert gaps[0] == 4
    assert all(earlier - later in (0, 0.25) for earlier, later in itertools.pairwise(gaps))
    assert gaps[-1] == 1


def test_nothing_is_sent_when_nothing_is_left() -> None:
    pace = HostPace()
    pace.note_answer(Limits(remaining=1, reset=30), 0)
    assert pace.send_at() == 0
    pace.note_answer(Limits(remaining=0, reset=30), 1)
    assert pace.send_at() == 31
    assert pace.why(5) == "has no requests left for us"
    pace.note_answer(Limits(remaining=0, windows=((50, 60.0), (1000, 3600.0))), 40)
    assert pace.send_at() == 100


def test_windows_that_a_host_tells_count_what_was_sent_before() -> None:
    pace = HostPace()
    for now in range(3):
        pace.note_sent(now)
    pace.note_answer(Limits(windows=((3, 10.0),)), 3)
    assert pace.send_at() == 10
    assert pace.why(4) == "grants 3 requests in 10 s"


def test_the_rest_that_a_host_wants_is_what_it_said_itself() -> None:
    pace = HostPace(delay=5, windows=[(1, 3600.0)])
    pace.note_sent(0)
    assert (pace.send_at(), pace.rest(0)) == (3600, 0)
    pace.note_answer(Limits(windows=((1, 3600.0), (1, 60.0))), 10)
    assert pace.rest(10) == 50
    pace.note_answer(Limits(remaining=0, reset=70), 20)
    assert (pace.rest(20), pace.rest(100)) == (70, 0)


def test_crawls_that_share_a_pace_keep_it_together() -> None:
    pace = HostPace(delay=2, windows=[(6, 60.0), (1, 1.0)])
    pace.crawls = 2
    for now in (10, 20):
        pace.note_sent(now)
        assert pace.send_at() == now + 4
    pace.note_sent(30)
    assert (pace.send_at(), pace.why(40)) == (70, "grants 6 requests in 60 s")
    pace.crawls = 7
    assert pace.send_at() == 100
    pace.crawls = 1
    assert pace.send_at() == 32
    pace.crawl_delay = 5
    pace.crawls = 3
    assert pace.send_at() == 80


def test_a_share_that_is_used_up_is_no_rest_that_the_host_wants() -> None:
    pace = HostPace()
    pace.note_answer(Limits(windows=((10, 3_600.0),)), 0)
    for now in range(6):
        pace.note_sent(now)
    pace.crawls = 2
    assert (pace.rest(6), pace.send_at()) == (0, 3_601)


# --- the setting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [None, [], "", "[]"])
def test_no_limit_need_be_set(setting: object) -> None:
    assert read_windows(setting) == []


@pytest.mark.parametrize("setting", [[(3, 2)], [[3, 2]], "[[3, 2]]", [("3", "2")]])
def test_the_setting_may_come_from_a_command_line(setting: object) -> None:
    assert read_windows(setting) == [(3, 2.0)]


@pytest.mark.parametrize("setting", ["fast", "[3, 2]", "[[0, 2]]", "[[3, 0]]", [(3,)], [[3, -1]], 7])
def test_a_setting_without_meaning_is_named(setting: object) -> None:
    with pytest.raises(WrongArgument, match=r"RATE_LIMIT=.*such as"):
        read_windows(setting)


async def test_requests_that_bypass_the_queue_wait_for_their_host_only() -> None:
    def asking(seconds: float) -> Callable[[str], Coroutine[Any, Any, float]]:
        middleware = PacingMiddleware(Crawler(FreelancerSpider, project_settings()), [(1, seconds)])

        async def ask(url: str) -> float:
            assert await middleware.process_request(Request(url)) is None
            return time.monotonic()

        return ask

    # Whoever waited for another host would do so for an hour.
    async with asyncio.timeout(60):
        await asyncio.gather(*map(asking(3_600), ("http://a/1", "http://b/1")))
    began = time.monotonic()
    moments = sorted(await asyncio.gather(*map(asking(0.2), [f"http://a/{number}" for number in range(4)])))
    assert all(moment - began > 0.19 * number for number, moment in enumerate(moments))


def test_a_host_is_named_as_the_downloader_names_it() -> None:
    assert host_of(Request("https://Example.com:8443/a")) == "example.com"
    assert host_of(Request("https://example.com/a", meta={"download_slot": "other"})) == "other"


# --- whole crawls -------------------------------------------------------------------------------------------------


async def test_a_host_that_asks_for_a_rest_gets_it_and_is_asked_again() -> None:
    # A second later by the clock of the host, which is wrong.
    dated = {"Date": "Thu, 01 Jan 2026 12:00:00 GMT", "Retry-After": "Thu, 01 Jan 2026 12:00:01 GMT"}
    async with Host((429, {"Retry-After": "0.5"}), (503, dated)) as site:
        done = await visit(site.page(1), site.page(2))
    assert done.reason == "finished"
    assert done.counted("asked_to_wait") == {"429": 1, "503": 1}
    assert len(site.times) == 4
    assert site.gaps[0] > 0.48
    assert site.gaps[1] > 0.95
    assert done.crawler.stats.get_value("outsourcing/read") == 2


@pytest.mark.parametrize(
    ("robots", "why"),
    [
        (None, "asked for it"),
        # Known only when the first request has left the queue.
        ((200, "User-agent: *\nCrawl-delay: 40"), "wants a pause between requests"),
    ],
)
async def test_a_rest_that_is_worth_telling_is_told(
    caplog: pytest.LogCaptureFixture, robots: tuple[int, str] | None, why: str
) -> None:
    caplog.set_level("INFO")
    async with Host((429, {"Retry-After": "40"}), robots=robots) as site:

        async def stop_after_a_while() -> None:
            async with asyncio.timeout(35):
                while not any("Waiting" in record.getMessage() for record in caplog.records):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            pacing = crawler.get_downloader_middleware(PacingMiddleware)
            assert pacing is not None
            assert pacing.waits().startswith("waiting ")
            assert pacing.waits().endswith(f" s: 127.0.0.1 {why}")
            stopped.append(time.monotonic())
            await crawler.stop_async()

        stopped: list[float] = []
        settings = {"STORAGE_ENABLED": False, "ROBOTSTXT_OBEY": robots is not None, "RATE_LIMIT_RETRIES": 5}
        runner = AsyncCrawlerRunner(project_settings(**settings))
        crawler = runner.create_crawler(visitor(site.page("")))
        await asyncio.gather(runner.crawl(crawler), stop_after_a_while())
        ended = time.monotonic()
    # Nothing that waits keeps a crawl from ending.
    assert ended - stopped[0] < 20
    assert crawler.stats.get_value("finish_reason") == "shutdown"
    said = [record.getMessage() for record in caplog.records if "Waiting" in record.getMessage()]
    assert len(said) == 1
    # Some of it may be over by then.
    assert re.fullmatch(rf"Waiting (40|3\d) s: 127\.0\.0\.1 {why}", said[0])


async def test_a_host_that_refuses_again_and_again_ends_the_crawl() -> None:
    async with Host(*[(429, {})] * 20) as site:
        done = await visit(site.page(1), RATE_LIMIT_RETRIES=3)
    assert done.reason == "rate_limited"
    assert len(site.times) == 4
    assert "answered 429 4 times in a row" in str(done.outcome)
    assert done.outcome.retry_at is None


async def test_limits_in_good_answers_are_kept_before_they_are_hit() -> None:
    told = {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
    async with Host((200, told)) as site:
        with Stopwatch() as watch:
            done = await visit(*[site.page(number) for number in range(3)])
    assert done.reason == "finished"
    assert site.gaps[0] >= 0.95
    assert site.gaps[1] - watch.held_up < 0.9


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (200, {"Retry-After": "0.4"}),
        (200, {"Retry-After": "0.4", "RateLimit-Remaining": "0"}),
        (301, {"Retry-After": "0.4", "Location": "/there"}),
        (500, {"Retry-After": "0.4"}),
    ],
)
async def test_any_answer_may_ask_for_a_rest(status: int, told: dict[str, str]) -> None:
    async with Host((status, told)) as site:
        done = await visit(site.page(1), site.page(2))
    assert done.reason == "finished"
    assert site.gaps[0] > 0.38


@pytest.mark.parametrize(
    "told",
    [
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"},
        {"Retry-After": "60"},
        {"RateLimit-Policy": '"few";q=1;w=60'},
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [200, 429, 503])
async def test_too_long_a_rest_before_the_next_request_ends_the_crawl(status: int, told: dict[str, str]) -> None:
    started = datetime.now(UTC)
    async with Host((status, told)) as site:
        done = await visit(site.page(1), site.page(2), RATE_LIMIT_LONGEST_WAIT=0.5)
    assert done.reason == "rate_limited"
    assert len(site.times) == 1
    assert "s of rest" in str(done.outcome)
    assert (done.outcome.retry_at - started).total_seconds() > 59.9


async def test_a_rest_that_nothing_waits_for_ends_no_crawl() -> None:
    async with Host((200, {"Retry-After": "60"})) as site:
        done = await visit(site.page(1), RATE_LIMIT_LONGEST_WAIT=0.5)
    assert done.reason == "finished"


async def visit_until(quick: Host, requests: int, *pages: str, **settings: Any) -> None:
    """Crawl `pages` until a host was asked so many times; fails when that takes as long as another one's rest."""
    values = {"STORAGE_ENABLED": False, "ROBOTSTXT_OBEY": False, "RATE_LIMIT_RETRIES": 5, **settings}
    runner = AsyncCrawlerRunner(project_settings(**values))
    crawler = runner.create_crawler(visitor(*pages))

    async def stop() -> None:
        try:
            async with asyncio.timeout(50):
                while len(quick.times) < requests:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        finally:
            await crawler.stop_async()

    await asyncio.gather(runner.crawl(crawler), stop())


async def test_other_hosts_go_on_while_one_waits() -> None:
    async with Host((429, {"Retry-After": "60"})) as slow, Host() as quick:
        slow_pages = [slow.page(number) for number in range(12)]
        quick_pages = [f"http://localhost:{quick.port}/{number}" for number in range(12)]
        # No more than two requests at once: one that waited with a place would leave the others one.
        await visit_until(quick, 12, *slow_pages, *quick_pages, CONCURRENT_REQUESTS=2)
    assert len(slow.times) == 1


async def test_a_delay_holds_between_any_two_requests_to_a_host() -> None:
    times: list[float] = []
    async with Host() as site:
        pages = [site.page(number) for number in range(4)]
        await visit(*pages, DOWNLOAD_DELAY=0.3, DOWNLOAD_DELAY_JITTER=0, **noting_departures(times))
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) == 3
    assert 0.28 < min(gaps) < 0.6


async def test_the_crawl_delay_of_robots_txt_holds() -> None:
    times: list[float] = []
    async with Host(robots=(200, "User-agent: *\nCrawl-delay: 0.4\nDisallow: /private")) as site:
        pages = [site.page(number) for number in range(3)]
        done = await visit(*pages, ROBOTSTXT_OBEY=True, **noting_departures(times))
    assert done.reason == "finished"
    assert (site.paths[0], sorted(site.paths[1:])) == ("/robots.txt", ["/0", "/1", "/2"])
    assert min(later - earlier for earlier, later in itertools.pairwise(times[1:])) > 0.38


async def test_other_hosts_go_on_while_one_waits_that_was_asked_for_robots_txt_only() -> None:
    async with Host(robots=(200, "User-agent: *\nCrawl-delay: 60")) as slow, Host() as quick:
        pages = [slow.page(1), *(f"http://localhost:{quick.port}/{number}" for number in range(3))]
        # Its robots.txt is one of the four.
        await visit_until(quick, 4, *pages, ROBOTSTXT_OBEY=True, CONCURRENT_REQUESTS=1)
    assert (slow.paths, slow.times) == (["/robots.txt"], [])


async def test_a_crawl_delay_beyond_all_patience_ends_the_crawl() -> None:
    async with Host(robots=(200, "User-agent: *\nCrawl-delay: 86400")) as site:
        done = await visit(site.page(1), ROBOTSTXT_OBEY=True)
    assert done.reason == "rate_limited"
    assert site.times == []
    assert "wants 86400 s between two requests" in str(done.outcome)


@ONE_SERVER
async def test_a_refusal_in_the_middle_of_a_listing_loses_nothing(database_url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(250, odd_rows=False, short_pages=False, contests=0) as site:
        site.fail("status", status=429, after=1, times=2, retry_after=1)
        site.fail("status", status=503, after=3, times=1)
        settings = {"RATE_LIMIT_RETRIES": 4}
        done = await crawl(database_url, tmp_path, base_url=site.base_url, settings=settings)
        assert done.reason == "finished"
        assert {item.external_id for item in done.items} == {str(identity) for identity in site.listed_ids()}
    (run,) = await runs(database_url)
    assert run["stats"]["asked_to_wait/429"] == 2

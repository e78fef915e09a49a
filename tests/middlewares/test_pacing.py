"""How requests are held back."""

from __future__ import annotations

import asyncio
import itertools
import random
import time

import pytest
from _crawls import project_settings
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.middlewares.pacing import PacingMiddleware, RateLimit, read_windows
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.spiders.freelancer import FreelancerSpider


def most_in(times: list[float], seconds: float) -> int:
    """Return the largest number of `times` in any span that is shorter than `seconds`."""
    return max(sum(start <= at < start + seconds - 1e-6 for at in times) for start in times)


@pytest.mark.parametrize("windows", [[(3, 2.0)], [(3, 2.0), (10, 60.0)], [(1, 0.5)], [(50, 60.0), (1000, 3600.0)]])
def test_no_window_ever_holds_more_than_it_may(windows: list[tuple[int, float]]) -> None:
    limit, now, times = RateLimit(windows), 0.0, []
    chance = random.Random(1)
    for _ in range(1200):
        now += chance.choice((0, 0, 0, 0.1, 5))
        times.append(now + limit.reserve(now))
    assert times == sorted(times)
    for requests, seconds in windows:
        assert most_in(times, seconds) <= requests


def test_nothing_waits_while_there_is_room() -> None:
    limit = RateLimit([(3, 2.0)])
    assert [limit.reserve(0) for _ in range(4)] == [0, 0, 0, 2]
    assert limit.reserve(10) == 0


async def test_hosts_wait_for_themselves_only() -> None:
    middleware = PacingMiddleware([(1, 0.2)])

    async def ask(url: str) -> float:
        await middleware.process_request(Request(url))
        return time.monotonic()

    started = time.monotonic()
    first, other, port = await asyncio.gather(*map(ask, ("http://a/1", "http://b/1", "http://a:81/1")))
    assert max(first, other, port) - started < 0.15
    again = sorted(await asyncio.gather(*map(ask, ("http://a/2", "http://a/3", "http://a/4"))))
    assert again[0] - started > 0.19
    assert min(later - earlier for earlier, later in itertools.pairwise(again)) > 0.19


@pytest.mark.parametrize("setting", [None, [], "", "[]"])
def test_without_a_limit_there_is_no_middleware(setting: object) -> None:
    crawler = Crawler(FreelancerSpider, project_settings(RATE_LIMIT=setting))
    crawler.settings.frozen = False
    crawler.settings.set("RATE_LIMIT", setting, priority="cmdline")
    with pytest.raises(NotConfigured):
        PacingMiddleware.from_crawler(crawler)


@pytest.mark.parametrize("setting", [[(3, 2)], [[3, 2]], "[[3, 2]]", [("3", "2")]])
def test_the_setting_may_come_from_a_command_line(setting: object) -> None:
    assert read_windows(setting) == [(3, 2.0)]


@pytest.mark.parametrize("setting", ["fast", "[3, 2]", "[[0, 2]]", "[[3, 0]]", [(3,)], "[[3, -1]]", 7])
def test_a_setting_without_meaning_is_named(setting: object) -> None:
    with pytest.raises(WrongArgument, match=r"RATE_LIMIT=.*such as"):
        read_windows(setting)

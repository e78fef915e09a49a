"""How an outcome ends a crawl."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from _crawls import crawl, runs
from platforms_standins.freelancer import FreelancerStandIn
from scrapy.exceptions import CloseSpider

from outsourcing_spiders.middlewares.outcomes import OutcomeMiddleware, close_crawl, end_crawl
from outsourcing_spiders.outcomes import Blocked, CloseReason, DatabaseUnreachable, Outcome, Unreachable
from outsourcing_spiders.spiders.freelancer import FreelancerSpider

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


class _Crawler:
    crawling = False
    engine = None

    def __init__(self) -> None:
        self.spider = FreelancerSpider()


async def test_an_outcome_among_the_first_requests_ends_the_crawl(caplog: pytest.LogCaptureFixture) -> None:
    crawler = _Crawler()
    error = DatabaseUnreachable("the database is away")

    async def start() -> AsyncIterator[str]:
        yield "a request"
        raise error

    passed = []
    with pytest.raises(CloseSpider) as raised:  # noqa: PT012 - the first one has to pass
        async for request in OutcomeMiddleware(crawler).process_start(start()):  # type: ignore[arg-type]
            passed.append(request)
    assert passed == ["a request"]
    assert raised.value.reason == "database_unreachable"
    assert crawler.spider.outcome is error
    assert [record.getMessage() for record in caplog.records] == ["the database is away"]


def test_other_errors_are_left_to_scrapy() -> None:
    crawler: Any = _Crawler()
    middleware = OutcomeMiddleware(crawler)
    assert middleware.process_spider_exception(None, KeyError("a bug")) is None  # type: ignore[arg-type, func-returns-value]
    assert crawler.spider.outcome is None


def test_the_first_outcome_counts(caplog: pytest.LogCaptureFixture) -> None:
    spider = FreelancerSpider()
    first, second = Blocked("first"), Unreachable("second")
    for outcome in (first, second):
        with caplog.at_level(logging.ERROR), pytest.raises(CloseSpider):
            end_crawl(spider, outcome)
    assert spider.outcome is first


async def test_what_counts_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    crawler: Any = _Crawler()
    crawler.spider.end(CloseReason.UP_TO_DATE)
    for outcome in (Blocked("after the listing"), Unreachable("later")):
        close_crawl(crawler, outcome)
    assert [record.getMessage() for record in caplog.records] == ["after the listing"]
    assert str(crawler.spider.outcome) == "after the listing"


@pytest.mark.parametrize("outcome", Outcome.__subclasses__(), ids=lambda outcome: str(outcome.reason))
def test_every_outcome_has_a_reason_of_its_own_that_is_no_success(outcome: type[Outcome]) -> None:
    assert not outcome.reason.is_success
    assert outcome.__doc__


def test_every_reason_that_is_no_success_has_an_outcome() -> None:
    outcomes = {outcome.reason for outcome in (*Outcome.__subclasses__(), DatabaseUnreachable)}
    # Who was killed raises nothing.
    assert {reason for reason in CloseReason if not reason.is_success} == outcomes | {CloseReason.KILLED}


class _Failing(FreelancerSpider):
    """Has a bug before its first request."""

    async def start(self) -> AsyncIterator[Any]:
        if self.name:
            raise RuntimeError("a bug")
        yield None


@ONE_SERVER
async def test_a_bug_before_the_first_request_is_no_success(database_url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(20) as site:
        done = await crawl(database_url, tmp_path, spider=_Failing, base_url=site.base_url)
    assert done.reason == "start_error"
    (run,) = await runs(database_url)
    assert (run["reason"], run["whole"]) == ("failed", None)

"""Crawls of one spider at once keep its pace together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _crawls import Crawl, crawl, project_settings
from platforms_standins.freelancer import FreelancerStandIn
from scrapy.crawler import Crawler
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.middlewares import shared_pace
from outsourcing_spiders.middlewares.pacing import PacingMiddleware
from outsourcing_spiders.middlewares.shared_pace import SharedPaceMiddleware
from outsourcing_spiders.spiders.freelancer import FreelancerSpider
from outsourcing_spiders.storage.run_liveness import RunLease

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


def pace(done: Crawl) -> Any:
    """Return the pace of the only host of a crawl."""
    pacing = done.crawler.get_downloader_middleware(PacingMiddleware)
    assert pacing is not None
    return pacing.pace("127.0.0.1")


@ONE_SERVER
async def test_a_crawl_knows_the_others_of_its_spider_from_the_start(
    database_url: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    leases = {spider: RunLease(engine) for spider in ("freelancer", "guru")}
    for spider, lease in leases.items():
        await lease.begin(spider, "{}")
    shares: list[int] = []
    async with FreelancerStandIn(20) as site:
        await crawl(
            database_url, tmp_path, base_url=site.base_url, on_answer=lambda _, done: shares.append(pace(done).crawls)
        )
        for lease in leases.values():
            await lease.release()
    assert set(shares) == {2}


class Told:
    """Stands for the storage pipeline and its store: tells `answers`, then no more."""

    def __init__(self, pacing: PacingMiddleware, *answers: int | Exception) -> None:
        self.store = self
        self.answers = list(answers)
        self.pacing = pacing
        self.shares: list[int] = []
        """What was known before each answer."""
        self.is_done = asyncio.Event()

    async def crawls(self) -> int:
        self.shares.append(self.pacing.pace("a").crawls)
        if not self.answers:
            self.is_done.set()
            await asyncio.Event().wait()
        if isinstance(answer := self.answers.pop(0), Exception):
            raise answer
        return answer


async def test_others_come_and_go_and_a_database_that_does_not_tell_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start() -> AsyncIterator[str]:
        yield "request"

    monkeypatch.setattr(shared_pace, "_LOOK_INTERVAL", 0)
    pacing = PacingMiddleware(Crawler(FreelancerSpider, project_settings()), [])
    told = Told(pacing, 2, 3, OSError("away"), 0)
    crawler: Any = SimpleNamespace(get_item_pipeline=lambda _: told, get_downloader_middleware=lambda _: pacing)
    middleware = SharedPaceMiddleware(crawler)
    assert [request async for request in middleware.process_start(start())] == ["request"]
    await told.is_done.wait()
    middleware._on_closed()
    # A run that is not seen as alive for a moment is one all the same.
    assert told.shares == [1, 2, 3, 3, 1]
    assert pacing.pace("b").crawls == 1

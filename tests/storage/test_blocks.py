"""What is remembered of platforms that refuse us."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, on_departure, runs
from aiohttp import web
from platforms_standins.freelancer import FreelancerStandIn
from scrapy import Request
from spiders._platforms import GURU
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.storage.blocks import current_block, forget_block, remember_block
from outsourcing_spiders.storage.store import Store

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
BLOCKED, LIMITED = CloseReason.BLOCKED, CloseReason.RATE_LIMITED


async def noted(engine: AsyncEngine, reason: CloseReason, asked: datetime | None = None) -> timedelta:
    """Note one more refusal; return for how long the host is left alone."""
    async with engine.begin() as connection:
        block = await remember_block(connection, "guru", "a.example", reason=reason, message="no", asked=asked)
    return block.retry_at - datetime.now(UTC)


def is_about(pause: timedelta, expected: timedelta) -> bool:
    return abs(pause - expected) < timedelta(seconds=30)


async def test_pauses_double_up_to_a_limit(emptied: AsyncEngine) -> None:
    pauses = [await noted(emptied, BLOCKED) for _ in range(7)]
    for pause, hours in zip(pauses, (1, 2, 4, 8, 16, 24, 24), strict=True):
        assert is_about(pause, timedelta(hours=hours))


async def test_a_block_has_a_beginning_and_an_end(emptied: AsyncEngine) -> None:
    async with emptied.connect() as connection:
        assert await current_block(connection, "guru", "a.example") is None
    await noted(emptied, BLOCKED)
    async with emptied.begin() as connection:
        first = await current_block(connection, "guru", "a.example")
        assert first is not None
        assert (first.reason, first.message) == (BLOCKED, "no")
        # Another host, such as a stand-in, is another matter.
        assert await current_block(connection, "guru", "b.example") is None
    await noted(emptied, BLOCKED)
    async with emptied.begin() as connection:
        second = await current_block(connection, "guru", "a.example")
        assert second is not None
        assert second.blocked_since == first.blocked_since
        await connection.execute(text("UPDATE platform_blocks SET retry_at = now() - interval '1 s'"))
        assert await current_block(connection, "guru", "a.example") is None
        await forget_block(connection, "guru", "a.example")
    assert is_about(await noted(emptied, BLOCKED), timedelta(hours=1))


async def test_what_the_platform_asks_for_is_the_least(emptied: AsyncEngine) -> None:
    asked = datetime.now(UTC) + timedelta(hours=3)
    assert is_about(await noted(emptied, LIMITED, asked), timedelta(hours=3))
    assert is_about(await noted(emptied, LIMITED), timedelta(minutes=10))


@ONE_SERVER
async def test_the_next_crawl_leaves_a_platform_alone_that_blocked_one(database_url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(20) as site:
        site.fail("challenge")
        first = await crawl(database_url, tmp_path, base_url=site.base_url)
        assert first.reason == "blocked"
        site.heal()
        site.requests.clear()
        second = await crawl(database_url, tmp_path, base_url=site.base_url)
        assert (second.reason, second.requests, site.requests) == ("blocked", 0, [])
        assert "has refused us since" in str(second.outcome)
        assert "-s REMEMBER_BLOCKS=0" in str(second.outcome)
        (block,) = await fetch(database_url, "SELECT *, retry_at - blocked_since AS pause FROM platform_blocks")
        # A crawl that asked for nothing learnt nothing.
        assert (block["times"], block["host"]) == (1, site.base_url.removeprefix("http://"))
        assert is_about(block["pause"], timedelta(hours=1))
        # Who insists is let in, and that is remembered.
        third = await crawl(database_url, tmp_path, base_url=site.base_url, settings={"REMEMBER_BLOCKS": False})
        assert third.reason == "finished"
        assert await fetch(database_url, "SELECT * FROM platform_blocks") == []
        assert (await crawl(database_url, tmp_path, base_url=site.base_url)).reason == "up_to_date"
    assert [run["reason"] for run in await runs(database_url)] == ["blocked", "blocked", "finished", "up_to_date"]


@ONE_SERVER
async def test_a_block_is_remembered_whatever_else_fails_at_the_end(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(store: Store) -> None:
        raise TimeoutError("exchange_rates is locked")

    monkeypatch.setattr(Store, "tidy", fail)
    async with FreelancerStandIn(20) as site:
        site.fail("challenge")
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert len(await fetch(database_url, "SELECT * FROM platform_blocks")) == 1
    assert [run["reason"] for run in await runs(database_url)] == ["blocked"]
    (told,) = [line for line in done.log if "Not all that this crawl learned could be stored" in line]
    assert told.startswith("WARNING")
    assert told.endswith("exchange_rates is locked")


@ONE_SERVER
async def test_a_rate_limit_is_remembered_for_as_long_as_it_was_told(database_url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(20) as site:
        site.fail("status", status=429, retry_after=7200)
        first = await crawl(database_url, tmp_path, base_url=site.base_url)
        second = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert (first.reason, second.reason, second.requests) == ("rate_limited", "rate_limited", 0)
    (block,) = await fetch(database_url, "SELECT retry_at - now() AS pause FROM platform_blocks")
    assert is_about(block["pause"], timedelta(hours=2))


@ONE_SERVER
async def test_a_block_after_the_end_of_the_listing_is_told_and_remembered(database_url: str, tmp_path: Path) -> None:
    async with GURU.plain(10) as site:
        addresses = [site.row(number).address for number in site.listed_ids()]
        for address in addresses:
            site.fail("status", status=404, path=address)
        assert (await GURU.read(database_url, tmp_path, site)).reason == "finished"
        site.heal()
        for address in addresses:
            site.fail("challenge", path=address)
        # All of the first page is known: the crawl has caught up before it asks for a project's page.
        done = await GURU.read(database_url, tmp_path, site)
    assert (done.reason, done.outcome.reason) == ("blocked", BLOCKED)
    (told,) = done.errors
    assert told.endswith(str(done.outcome))
    (block,) = await fetch(database_url, "SELECT reason, message FROM platform_blocks")
    assert (block["reason"], block["message"]) == ("blocked", str(done.outcome))
    run = (await runs(database_url))[-1]
    assert (run["stats"]["message"], run["whole"]) == (str(done.outcome), None)


@ONE_SERVER
async def test_a_block_is_remembered_by_a_crawl_that_was_told_to_stop(database_url: str, tmp_path: Path) -> None:
    crawls: list[Crawl] = []
    stopping: list[asyncio.Task[None]] = []

    def stop(request: Request) -> None:
        # The page after the first one is under way.
        if crawls and not stopping:
            stopping.append(asyncio.create_task(crawls[0].crawler.stop_async()))

    async with FreelancerStandIn(250, odd_rows=False, short_pages=False) as site:
        site.fail("challenge", after=1)
        done = await crawl(
            database_url, tmp_path, base_url=site.base_url, on_answer=lambda _, done: crawls.append(done),
            settings={**on_departure(stop), "STOP_GRACE": 60.0},
        )  # fmt: skip
        await asyncio.gather(*stopping)
    assert (done.reason, done.outcome.reason) == ("shutdown", BLOCKED)
    (block,) = await fetch(database_url, "SELECT reason, message FROM platform_blocks")
    assert (block["reason"], block["message"]) == ("blocked", str(done.outcome))


@ONE_SERVER
@pytest.mark.parametrize(("bound", "is_forgotten"), [({"CLOSESPIDER_ITEMCOUNT": 1}, True), ({}, False)], ids=str)
async def test_a_block_is_over_when_projects_were_read(
    bound: dict[str, Any], is_forgotten: bool, database_url: str, tmp_path: Path
) -> None:
    async with FreelancerStandIn(20) as site:
        site.fail("challenge")
        await crawl(database_url, tmp_path, base_url=site.base_url)
        site.heal()
        if not bound:
            # A crawl that read nothing learnt nothing of it.
            site.fail("status", status=500)
        settings = {**bound, "REMEMBER_BLOCKS": False, "RETRY_TIMES": 0}
        done = await crawl(database_url, tmp_path, base_url=site.base_url, settings=settings)
    assert done.reason == ("closespider_itemcount" if bound else "unreachable")
    assert (await fetch(database_url, "SELECT 1 FROM platform_blocks") == []) is is_forgotten


# --- what good answers ask for ------------------------------------------------------------------------------------


class AskingStandIn(FreelancerStandIn):
    """Asks for rest in every answer."""

    asks: dict[str, str]

    def _rate_headers(self, request: web.BaseRequest) -> dict[str, str]:
        return self.asks


@ONE_SERVER
@pytest.mark.parametrize(
    ("asks", "hours"),
    [
        ({"Retry-After": "86400"}, 24.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7200"}, 2.0),
        # A crawl waits for that long; the next one is told by its first answer.
        ({"Retry-After": "600"}, None),
        ({}, None),
    ],
    ids=str,
)
async def test_a_long_rest_that_a_good_answer_asks_for_is_kept_by_the_next_crawl(
    asks: dict[str, str], hours: float | None, database_url: str, tmp_path: Path
) -> None:
    noted_now = "SELECT reason, times, retry_at - blocked_since AS pause FROM platform_blocks"
    async with AskingStandIn(20) as site:
        site.asks = asks
        first = await crawl(database_url, tmp_path, base_url=site.base_url)
        blocks = await fetch(database_url, noted_now)
        second = await crawl(database_url, tmp_path, base_url=site.base_url)
        # Who insists is let in, and asked anew.
        third = await crawl(database_url, tmp_path, base_url=site.base_url, settings={"REMEMBER_BLOCKS": False})
        blocks += await fetch(database_url, noted_now)
    assert (first.reason, first.requests, third.reason) == ("finished", 1, "up_to_date")
    if hours is None:
        assert (blocks, second.reason) == ([], "up_to_date")
        return
    assert (second.reason, second.requests) == ("rate_limited", 0)
    assert [(block["reason"], block["times"]) for block in blocks] == [("rate_limited", 1)] * 2
    assert all(is_about(block["pause"], timedelta(hours=hours)) for block in blocks)


@ONE_SERVER
async def test_a_block_lasts_as_long_as_its_answer_asks_for(database_url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(20) as site:
        site.fail("status", status=403, retry_after=172_800)
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert done.reason == "blocked"
    (block,) = await fetch(database_url, "SELECT reason, retry_at - blocked_since AS pause FROM platform_blocks")
    assert block["reason"] == "blocked"
    assert is_about(block["pause"], timedelta(days=2))

"""What is remembered of platforms that refuse us."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from _crawls import crawl, fetch, runs
from platforms_standins.freelancer import FreelancerStandIn
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

"""Crawls that Scrapy's ``JOBDIR`` lets go on where an earlier one was stopped: nothing is lost, or asked too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, fetch, runs, stored
from spiders._platforms import FREELANCER, FREEMOA, GURU, Platform

from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.spiders.guru import GuruSpider
from outsourcing_spiders.storage.blocks import remember_block
from outsourcing_spiders.storage.engine import Database


async def stopped(platform: Platform, url: str, folder: Path, site: Any, *, after: int) -> None:
    """Crawl until so many projects are stored."""
    stopping: list[asyncio.Future[None]] = []

    def stop(number: int, done: Crawl) -> None:
        if number == after:
            stopping.append(asyncio.ensure_future(done.crawler.stop_async()))

    done = await platform.read(url, folder, site, on_item=stop, settings={"JOBDIR": str(folder / "job")})
    await asyncio.gather(*stopping)
    assert done.reason == "shutdown"


async def resumed(platform: Platform, url: str, folder: Path, site: Any, **options: Any) -> Crawl:
    """Go on with the crawl."""
    return await platform.read(url, folder, site, settings={"JOBDIR": str(folder / "job")}, **options)


async def is_complete(url: str, number: str) -> bool:
    """Tell whether the full text of a project is stored."""
    project = (await stored(url)).get(number)
    return project is not None and project["description_complete"]


@pytest.mark.parametrize("platform", [FREELANCER, FREEMOA, GURU], ids=lambda platform: platform.name)
async def test_a_crawl_that_goes_on_stores_the_rest(platform: Platform, url: str, tmp_path: Path) -> None:
    async with platform.plain(3 * platform.page) as site:
        await stopped(platform, url, tmp_path, site, after=5)
        done = await resumed(platform, url, tmp_path, site)
        assert (done.reason, done.errors) == ("finished", [])
        assert (await stored(url)).keys() == set(map(str, site.listed_ids()))
    first, second = await runs(url)
    assert (first["reason"], first["whole"]) == ("shutdown", None)
    assert (second["reason"], second["whole"]) == ("finished", "-infinity")


async def test_the_pages_of_projects_wait_for_it_and_the_listing_is_read_from_the_top(url: str, tmp_path: Path) -> None:
    async with GURU.plain(60) as site:
        await stopped(GURU, url, tmp_path, site, after=5)
        missing = {number for number in GURU.wanting(site) if not await is_complete(url, number)}
        site.requests.clear()
        await resumed(GURU, url, tmp_path, site)
        assert GURU.pages(site) == [1, 2, 3]
        assert set(GURU.details(site)) == missing
        asked = [seen.path for seen in site.requests]
        assert asked.index("/d/jobs/") > 1


async def test_a_crawl_that_goes_on_asks_nothing_of_a_platform_that_is_to_be_left_alone(
    url: str, tmp_path: Path
) -> None:
    async with GURU.plain(60) as site:
        await stopped(GURU, url, tmp_path, site, after=5)
        async with Database(url, embedded_root=tmp_path) as database, database.engine.begin() as connection:
            host = site.base_url.removeprefix("http://")
            await remember_block(connection, "guru", host, reason=CloseReason.BLOCKED, message="no", asked=None)
        site.requests.clear()
        done = await resumed(GURU, url, tmp_path, site)
        assert (done.reason, site.requests) == ("blocked", [])
        # What waited still does.
        await fetch(url, "DELETE FROM platform_blocks")
        done = await resumed(GURU, url, tmp_path, site)
        assert (done.reason, done.errors) == ("finished", [])
        assert (await stored(url)).keys() == set(site.listed_ids())


async def test_what_waits_is_read_when_the_listing_cannot_be_asked_for(url: str, tmp_path: Path) -> None:
    class Broken(GuruSpider):
        async def start(self) -> AsyncIterator[Any]:
            raise RuntimeError("an error of the spider")
            yield

    async with GURU.plain(60) as site:
        await stopped(GURU, url, tmp_path, site, after=5)
        before = await stored(url)
        # A queue that was never let go would keep the crawl from ending.
        async with asyncio.timeout(120):
            done = await resumed(GURU, url, tmp_path, site, spider=Broken)
        assert done.reason == "start_error"
        assert before.keys() < (await stored(url)).keys() < set(site.listed_ids())

"""Copies that the terms of a platform do not let us keep."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _crawls import crawl, fetch
from _projects import ask, project, put
from platforms_standins.freelancer import FreelancerStandIn
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.spiders.freelancer import FreelancerSpider
from outsourcing_spiders.storage.engine import create_engine, normalize_url
from outsourcing_spiders.storage.expiry import prune
from outsourcing_spiders.storage.pages import keep_page, kept_pages
from outsourcing_spiders.storage.rejections import insert_rejections, rejection_line

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
NOW = datetime.now(UTC)
SOON, PAST = NOW + timedelta(hours=24), NOW - timedelta(minutes=1)


async def left(engine: AsyncEngine, table: str = "projects") -> set[str]:
    return {row.external_id for row in await ask(engine, f"SELECT external_id FROM {table}")}


async def test_what_may_not_be_kept_is_deleted_with_all_that_hangs_on_it(emptied: AsyncEngine) -> None:
    await put(emptied, project(1, expires_at=PAST), project(2, expires_at=SOON), project(3))
    line = rejection_line(project(4, expires_at=PAST), "no", spider="alpha", run_id=None)
    kept = rejection_line(project(5, expires_at=SOON), "no", spider="alpha", run_id=None)
    async with emptied.begin() as connection:
        await insert_rejections(connection, [line, kept])
        assert await prune(connection) == 1
    assert await left(emptied) == await left(emptied, "project_history") == {"2", "3"}
    assert await left(emptied, "project_search") == {"2", "3"}
    assert await left(emptied, "rejected_items") == {"5"}


async def test_pages_go_when_the_projects_on_them_do(emptied: AsyncEngine) -> None:
    given: dict[str, Any] = {
        "run_id": None, "spider": "alpha", "url": "u", "status": 200, "headers": {}, "body": b"{}", "scrub": str,
        "reason": "layout_changed", "finding": "f",
    }  # fmt: skip
    async with emptied.begin() as connection:
        _, soon, lasting = [await keep_page(connection, **given, expires_at=when) for when in (PAST, SOON, None)]
        await prune(connection)
        assert {page.id for page in await kept_pages(connection)} == {soon, lasting}


@ONE_SERVER
async def test_the_page_that_ends_a_crawl_goes_with_the_copies(database_url: str, tmp_path: Path) -> None:
    class Brief(FreelancerSpider):
        kept_for = timedelta(hours=24)

    async with FreelancerStandIn(5) as site:
        site.fail("empty_body")
        done = await crawl(database_url, tmp_path, spider=Brief, base_url=site.base_url)
    assert done.reason == "layout_changed", done.log
    (page,) = await fetch(database_url, "SELECT expires_at - kept_at AS left FROM kept_pages")
    assert abs(page["left"] - Brief.kept_for) < timedelta(minutes=1)


async def test_a_copy_that_is_renewed_is_kept_longer_and_is_no_news(emptied: AsyncEngine) -> None:
    await put(emptied, project(1, expires_at=SOON), seen_at=NOW - timedelta(hours=3))
    later = SOON + timedelta(hours=3)
    assert await put(emptied, project(1, expires_at=later)) == (0, 0)
    (row,) = await ask(emptied, "SELECT expires_at FROM projects")
    assert row.expires_at == later


async def test_a_full_text_that_is_kept_keeps_its_end(emptied: AsyncEngine) -> None:
    await put(emptied, project(1, expires_at=SOON))
    await put(emptied, project(1, title="Another", description="All…", description_complete=False))
    (row,) = await ask(emptied, "SELECT title, description, expires_at FROM projects")
    assert (row.title, row.description, row.expires_at) == ("Another", "All of it.", SOON)
    # The text that comes from elsewhere may be kept.
    await put(emptied, project(1, title="Another", description="All of it, again."))
    (row,) = await ask(emptied, "SELECT expires_at FROM projects")
    assert row.expires_at is None


@ONE_SERVER
async def test_every_crawl_prunes_and_so_does_the_command(
    database_url: str, tmp_path: Path, scrapy: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    engine = create_engine(normalize_url(database_url))
    await put(engine, project(1, expires_at=PAST))
    async with FreelancerStandIn(5) as site:
        await crawl(database_url, tmp_path, base_url=site.base_url)
    assert not await ask(engine, "SELECT 1 FROM projects WHERE platform = 'alpha'")
    await put(engine, project(1, expires_at=PAST))
    await engine.dispose()
    done = scrapy("db", "prune", DATABASE_URL=database_url)
    assert done.returncode == 0
    assert done.stdout.endswith(": 1 projects deleted.\n")

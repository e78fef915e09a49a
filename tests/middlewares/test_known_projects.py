"""Where a crawl stops because everything below is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import pytest
from _crawls import crawl, fetch, runs, stored_ids
from platforms_standins.freelancer import FreelancerStandIn

from outsourcing_spiders.storage.engine import normalize_url
from outsourcing_spiders.storage.store import Store

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


def plain(projects: int) -> FreelancerStandIn:
    return FreelancerStandIn(projects, odd_rows=False, short_pages=False, contests=0)


async def execute(database_url: str, statement: str) -> None:
    connection = await asyncpg.connect(normalize_url(database_url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@ONE_SERVER
async def test_one_unknown_project_on_a_page_is_enough_to_read_on(database_url: str, tmp_path: Path) -> None:
    async with plain(220) as site:
        await crawl(database_url, tmp_path, base_url=site.base_url)
        (missing,) = site.listed_ids()[99:100]
        await execute(database_url, f"DELETE FROM projects WHERE external_id = '{missing}'")
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
        assert (done.reason, done.requests) == ("up_to_date", 2)
        assert await stored_ids(database_url) == set(site.listed_ids())


@pytest.mark.parametrize("reason", ["shutdown", "incomplete", "unreachable", None])
@ONE_SERVER
async def test_only_a_whole_crawl_is_an_anchor(reason: str | None, database_url: str, tmp_path: Path) -> None:
    async with plain(120) as site:
        await crawl(database_url, tmp_path, base_url=site.base_url)
        told = "NULL" if reason is None else f"'{reason}'"
        await execute(database_url, f"UPDATE crawl_runs SET reason = {told}, whole_since = NULL")
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert done.reason == "finished"


@ONE_SERVER
async def test_a_database_that_cannot_tell_makes_the_crawl_longer_not_worse(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("the connection was lost")

    async with plain(120) as site:
        await crawl(database_url, tmp_path, base_url=site.base_url)
        for name in ("known", "anchor"):
            with monkeypatch.context() as patch:
                patch.setattr(Store, name, fail)
                done = await crawl(database_url, tmp_path, base_url=site.base_url)
            assert done.reason == "finished"
            assert any(line.startswith("WARNING") and "the connection was lost" in line for line in done.log)
    assert [run["whole"] for run in await runs(database_url)] == ["-infinity"] * 3


@ONE_SERVER
async def test_projects_that_are_refused_each_time_are_known(database_url: str, tmp_path: Path) -> None:
    async with plain(120) as site:
        site.edit(site.listed_ids()[3], title="")
        await crawl(database_url, tmp_path, base_url=site.base_url)
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert (done.reason, done.requests) == ("up_to_date", 1)
    assert len(await fetch(database_url, "SELECT FROM rejected_items")) == 1

"""What the triggers make of a change: history, notices, and what hangs on a project."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from _projects import PLAIN, ask, change, number, one, project, put
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.items import Budget
from outsourcing_spiders.storage.engine import normalize_url
from outsourcing_spiders.storage.tables import CHANGES_CHANNEL

Notices = Callable[[], Any]


@pytest.fixture
async def notices(database_url: str) -> AsyncIterator[Notices]:
    """Call it, and await it, for the notices since the last call."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(normalize_url(database_url))
    await connection.add_listener(CHANGES_CHANNEL, lambda *notice: heard.put_nowait(notice[3]))
    end = 0

    async def take() -> list[dict[str, Any]]:
        nonlocal end
        end += 1
        # Notices come in the order of their commits: what was sent before this one is there when it is.
        await connection.execute("SELECT pg_notify($1, $2)", CHANGES_CHANNEL, f"end {end}")
        taken = []
        async with asyncio.timeout(60):
            while (payload := await heard.get()) != f"end {end}":
                assert len(payload.encode()) < 8_000
                taken.append(json.loads(payload))
        return taken

    yield take
    await connection.close()


class TestHistory:
    async def test_begins_with_the_first_observation(self, emptied: AsyncEngine) -> None:
        await put(emptied, PLAIN)
        (row,) = await ask(emptied, "SELECT * FROM project_history")
        stored = await one(emptied)
        assert row == (
            "alpha", "1", stored.first_seen_at, "open", 3, Decimal(500), Decimal(250), Decimal(750), "EUR",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("changes", "rows"),
        [
            ({"status": "closed"}, 2),
            ({"bid_count": 4}, 2),
            ({"bid_average": None}, 2),
            ({"budget": replace(PLAIN.budget or Budget(), minimum=Decimal(1))}, 2),
            ({"budget": replace(PLAIN.budget or Budget(), currency="CHF")}, 2),
            ({"budget": replace(PLAIN.budget or Budget(), text="other words")}, 1),
            ({"title": "Another"}, 1),
            ({"description": "Another"}, 1),
            ({"skills": []}, 1),
            ({}, 1),
        ],
        ids=["status", "bids", "average", "budget", "currency", "budget text", "title", "text", "skills", "nothing"],
    )
    async def test_has_one_row_for_each_change_of_status_bids_and_budget(
        self, emptied: AsyncEngine, changes: dict[str, Any], rows: int
    ) -> None:
        await put(emptied, PLAIN, project(2))
        await put(emptied, project(**changes), project(2))
        history = await ask(emptied, "SELECT * FROM project_history WHERE external_id = '1' ORDER BY observed_at")
        assert len(history) == rows
        stored = await one(emptied)
        now = (stored.status, stored.bid_count, stored.bid_average, stored.budget_min, stored.budget_max)
        assert history[-1][3:8] == now
        assert rows == 1 or history[-1].observed_at == stored.changed_at

    async def test_says_when_a_replayed_row_was_seen(self, emptied: AsyncEngine) -> None:
        moments = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
        for bids, seen_at in enumerate(moments):
            await put(emptied, project(bid_count=bids), seen_at=seen_at)
        assert await ask(emptied, "SELECT observed_at, bid_count FROM project_history ORDER BY 1") == [
            (seen_at, bids) for bids, seen_at in enumerate(moments)
        ]

    async def test_knows_nothing_of_an_older_observation(self, emptied: AsyncEngine) -> None:
        await put(emptied, PLAIN)
        await put(emptied, project(bid_count=1), seen_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert await number(emptied, "SELECT count(*) FROM project_history") == 1


class TestNotices:
    async def test_one_for_each_batch_and_kind(self, engine: AsyncEngine, notices: Notices) -> None:
        await put(engine, *(project(i) for i in range(3)))
        assert _sorted(await notices()) == [
            {"change": "new", "count": 3, "projects": ["alpha/0", "alpha/1", "alpha/2"]}
        ]
        await put(engine, project(0), project(1, bid_count=9), project(2, title="New"), project(3), project("ä/ö"))
        assert _sorted(await notices()) == [
            {"change": "changed", "count": 2, "projects": ["alpha/1", "alpha/2"]},
            {"change": "new", "count": 2, "projects": ["alpha/3", "alpha/ä/ö"]},
        ]

    async def test_none_for_what_is_unchanged_refreshed_or_only_older(
        self, engine: AsyncEngine, notices: Notices
    ) -> None:
        await put(engine, project(1), project(2))
        await change(engine, "UPDATE projects SET last_seen_at = last_seen_at - interval '2 hours'")
        await notices()
        await put(engine, project(1))
        assert (await one(engine, 1)).last_seen_at > (await one(engine, 2)).last_seen_at, "it was refreshed"
        await put(engine, project(1))
        await put(engine, project(2), seen_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert await notices() == []

    async def test_a_large_batch_fits_and_names_no_projects(self, engine: AsyncEngine, notices: Notices) -> None:
        await put(engine, *(project(f"{i:08}") for i in range(1_000)))
        assert await notices() == [{"change": "new", "count": 1_000, "projects": None}]

    async def test_the_limit_is_in_bytes(self, engine: AsyncEngine, notices: Notices) -> None:
        await put(engine, *(project(f"{i}" + "日" * 40) for i in range(62)))
        (notice,) = await notices()
        assert notice == {"change": "new", "count": 62, "projects": None}

    async def test_what_is_rolled_back_is_not_told(self, engine: AsyncEngine, notices: Notices) -> None:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO projects (platform, external_id, url, title, description_complete, status, pricing, "
                "skills, work_mode, posted_precision, extra, first_seen_at, last_seen_at, changed_at) VALUES "
                "('a', 'b', '', '', false, 'open', 'fixed', '{}', 'remote', 'day', '{}', now(), now(), now())"
            )
            await connection.rollback()
        assert await notices() == []


async def test_what_hangs_on_a_project_goes_with_it(emptied: AsyncEngine) -> None:
    await put(emptied, project(1), project(2))
    await put(emptied, project(1, bid_count=9))
    await change(emptied, "DELETE FROM projects WHERE external_id = '1'")
    for table in ("project_history", "project_search"):
        assert await ask(emptied, f"SELECT DISTINCT external_id FROM {table}") == [("2",)]


async def test_a_project_that_comes_back_begins_anew(emptied: AsyncEngine) -> None:
    await put(emptied, PLAIN)
    await change(emptied, "DELETE FROM projects")
    assert await put(emptied, project(bid_count=9)) == (1, 0)
    assert await ask(emptied, "SELECT bid_count FROM project_history") == [(9,)]


def _sorted(notices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for notice in notices:
        if notice["projects"]:
            notice["projects"].sort()
    return sorted(notices, key=lambda notice: notice["change"])

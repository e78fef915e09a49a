"""A run whose process is gone is told from one that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from _projects import ask
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage import run_liveness
from outsourcing_spiders.storage.run_liveness import RunLease, count_running, mark_killed
from outsourcing_spiders.storage.runs import begin_run, finish_run

COUNTS = dict.fromkeys(("items_scraped", "written", "unchanged", "merged", "rejected", "spooled", "requests"), 0)


@pytest.fixture
def engine(emptied: AsyncEngine) -> AsyncEngine:
    return emptied


async def marked(engine: AsyncEngine) -> list[int]:
    async with engine.begin() as connection:
        return await mark_killed(connection)


_LEASES = (
    "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def holders(engine: AsyncEngine) -> list[int]:
    """Return the server's processes for the runs that it takes for alive."""
    return [row.pid for row in await ask(engine, f"SELECT pid {_LEASES}")]


async def held(engine: AsyncEngine) -> int:
    """Return how many runs the server takes for alive."""
    return len(await holders(engine))


async def until(look: Callable[[], Awaitable[Any]], expected: Any) -> None:
    """Wait until `look` finds what is expected: a server notices the end of a connection a moment later."""
    async with asyncio.timeout(60):
        while True:
            if await look() == expected:
                return
            await asyncio.sleep(0.02)


_TERMINATE = f"SELECT pg_terminate_backend(pid) AS done {_LEASES}"


async def test_a_run_is_alive_from_its_start_to_its_release(engine: AsyncEngine) -> None:
    lease = RunLease(engine)
    run_id = await lease.begin("alpha", "{}")
    assert await marked(engine) == []
    await lease.release()
    await lease.release()
    await until(lambda: held(engine), 0)
    assert await marked(engine) == [run_id]
    assert await marked(engine) == []
    (row,) = await ask(engine, "SELECT * FROM crawl_runs")
    assert (row.id, row.spider, row.reason, row.finished_at, row.whole_since) == (run_id, "alpha", "killed", None, None)


async def test_several_runs_are_told_apart(engine: AsyncEngine) -> None:
    first, second = RunLease(engine), RunLease(engine)
    dead, alive = await first.begin("alpha", "{}"), await second.begin("alpha", "{}")
    async with engine.begin() as connection:
        done = await begin_run(connection, "alpha", "{}")
        await finish_run(connection, done, reason="finished", whole_since=None, counts=COUNTS, stats={})
    await first.release()
    await until(lambda: held(engine), 1)
    assert await marked(engine) == [dead]
    rows = await ask(engine, "SELECT id, reason FROM crawl_runs ORDER BY id")
    assert [tuple(row) for row in rows] == [(dead, "killed"), (alive, None), (done, "finished")]
    await second.release()


async def test_the_runs_of_one_spider_that_are_alive_are_counted(engine: AsyncEngine) -> None:
    leases = [RunLease(engine) for _ in range(3)]
    for lease, spider in zip(leases, ("alpha", "alpha", "beta"), strict=True):
        await lease.begin(spider, "{}")
    async with engine.begin() as connection:
        await begin_run(connection, "alpha", "{}")  # and its process is gone
        assert await count_running(connection, "alpha") == 2
        assert await count_running(connection, "gamma") == 0
    for lease in leases:
        await lease.release()


async def test_the_true_end_is_written_over_a_supposed_one(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        run_id = await begin_run(connection, "alpha", "{}")  # by a version that takes no lock
    assert await marked(engine) == [run_id]
    async with engine.begin() as connection:
        await finish_run(connection, run_id, reason="finished", whole_since=None, counts=COUNTS, stats={})
    (row,) = await ask(engine, "SELECT * FROM crawl_runs")
    assert row.reason == "finished"
    assert row.finished_at is not None


async def test_a_pooled_connection_never_keeps_the_lock(engine: AsyncEngine) -> None:
    for _ in range(10):
        lease = RunLease(engine)
        await lease.begin("alpha", "{}")
        await lease.release()
    await until(lambda: held(engine), 0)
    assert len(await marked(engine)) == 10


async def test_a_lost_connection_is_made_again(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_liveness, "_RETRY_INTERVAL", 0.05)
    await until(lambda: held(engine), 0)
    lease = RunLease(engine)
    await lease.begin("alpha", "{}")
    lost = await holders(engine)
    assert [row.done for row in await ask(engine, _TERMINATE)] == [True]

    async def is_held_by_another() -> bool:
        found = await holders(engine)
        return len(found) == 1 and found != lost

    await until(is_held_by_another, True)
    assert await marked(engine) == []
    await lease.release()


async def test_a_run_may_end_while_its_connection_is_lost(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_liveness, "_RETRY_INTERVAL", 3600)
    lease = RunLease(engine)
    await lease.begin("alpha", "{}")
    await ask(engine, _TERMINATE)
    await until(lambda: held(engine), 0)
    await lease.release()
    assert len(await marked(engine)) == 1

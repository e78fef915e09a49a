"""One crawl, from the first contact to the last line of its log."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from _projects import bad_row, prepared, project
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from outsourcing_spiders.outcomes import DatabaseUnreachable, StorageError
from outsourcing_spiders.parsing.dates import WHOLE
from outsourcing_spiders.storage import store as store_module
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import Database, normalize_url
from outsourcing_spiders.storage.runs import Anchor
from outsourcing_spiders.storage.spool import Spool
from outsourcing_spiders.storage.store import Store
from outsourcing_spiders.storage.writer import Totals

MakeStore = Callable[..., Store]


@pytest.fixture
async def make_store(database_url: str, tmp_path: Path) -> AsyncIterator[MakeStore]:
    """Make stores of one database; they are closed at the end."""
    made = []

    def make(url: str = database_url, root: Path = tmp_path / "embedded", **options: Any) -> Store:
        settings: dict[str, Any] = {
            "spider": "alpha", "listing": "{}", "retry_for": 0, "index_for": 120, "on_failure": lambda error: None,
        }  # fmt: skip
        store = Store(Database(url, embedded_root=root), tmp_path / "spool", **settings | options)
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()


async def ask(store: Store, sql: str) -> list[Any]:
    async with store.database.engine.connect() as connection:
        return list(await connection.execute(text(sql)))


async def finish(store: Store, **values: Any) -> None:
    """Log the end as the run log does it."""
    totals = store.totals
    counts = {name: getattr(totals, name) for name in ("written", "unchanged", "merged", "rejected", "spooled")}
    counts |= {"items_scraped": totals.accounted, "requests": 3}
    await store.finish(**{"reason": "finished", "whole_since": WHOLE, "counts": counts, "stats": {"new": 1}} | values)
    await store.tidy()


async def test_a_crawl_from_the_first_contact_to_the_last_line(make_store: MakeStore) -> None:
    store = make_store(listing='{"query":"php"}')
    assert not store.is_open
    assert store.totals == Totals()
    assert await store.open() is store
    assert store.is_open
    rows = [*prepared([project(1), project(2), project(1)]), bad_row(3)]
    batches = [store.submit(row) for row in rows]
    await asyncio.gather(*(batch.stored for batch in batches))
    (reason,) = batches[-1].refused.values()
    await store.reject(project(3), reason)
    store.rates.learn("EUR", Decimal("1.1"), datetime(2026, 1, 1, tzinfo=UTC).date(), "alpha")
    await store.drain()
    assert await ask(store, "SELECT count(*) FROM project_search WHERE search IS NULL") == [(0,)]
    await finish(store)
    (run,) = await ask(store, "SELECT *, whole_since::text AS depth FROM crawl_runs")
    assert (run.id, run.spider, run.listing, run.reason) == (store.run_id, "alpha", '{"query":"php"}', "finished")
    assert (run.items_scraped, run.written, run.unchanged, run.merged, run.rejected, run.spooled, run.requests) == (
        4, 2, 0, 1, 1, 0, 3,
    )  # fmt: skip
    assert (run.stats, run.depth) == ({"new": 1}, "-infinity")
    assert run.started_at <= run.finished_at
    (rejected,) = await ask(store, "SELECT * FROM rejected_items")
    assert (rejected.run_id, rejected.external_id) == (run.id, "3")
    assert await ask(store, "SELECT currency, usd_per_unit FROM exchange_rates") == [("EUR", Decimal("1.1"))]
    await store.close()
    await store.close()


async def test_the_next_crawl_knows_the_first(make_store: MakeStore) -> None:
    first = await make_store().open()
    await first.submit(*prepared([project(1)])).stored
    first.rates.learn("EUR", Decimal("1.1"), datetime.now(UTC).date(), "alpha")
    assert await first.anchor(WHOLE) is None
    await first.drain()
    await finish(first)
    second = await make_store().open()
    anchor = await second.anchor(WHOLE)
    assert anchor is not None
    await second.submit(*prepared([project(2)])).stored
    assert await second.known(["1", "2", "3"], anchor) == {"1"}
    assert second.rates.usd_per_unit("EUR", datetime.now(UTC).date()) == Decimal("1.1")
    assert await make_store(listing="another").open()


async def test_what_an_earlier_crawl_left_on_disk_is_stored_first(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store()
    Spool(tmp_path / "spool", store.database.dsn).put("projects", [row.line for row in prepared([project(1)])])
    await store.open()
    assert await ask(store, "SELECT external_id FROM projects") == [("1",)]
    assert not list((tmp_path / "spool").glob("*/*"))
    assert store.totals == Totals(), "they are no rows of this crawl"


async def test_a_damaged_spool_does_not_keep_crawls_from_starting(make_store: MakeStore, tmp_path: Path) -> None:
    for _ in range(2):
        store = make_store()
        spool = Spool(tmp_path / "spool", store.database.dsn)
        spool.put("projects", [b"\x00\x01"])
        spool.put("rejected", [b"{"])
        await store.open()


async def test_rejections_go_to_disk_when_the_database_is_away(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = await make_store().open()

    async def fails(*arguments: object) -> None:
        raise ConnectionResetError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(store_module, "insert_rejections", fails)
        await store.reject(project(1), "no title")
    (file,) = (tmp_path / "spool").glob("*/*.rejected.jsonl")
    assert json.loads(file.read_bytes())["run_id"] == store.run_id
    await make_store().open()
    assert await ask(store, "SELECT run_id, reason FROM rejected_items") == [(store.run_id, "no title")]
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("a file where the folder should be")
    caplog.clear()
    with monkeypatch.context() as patched:
        patched.setattr(store_module, "insert_rejections", fails)
        await store.reject(project(1), "no title")
    assert "is lost" in caplog.records[-1].getMessage()


@asynccontextmanager
async def locked(url: str, *tables: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Hold tables that nobody else can use; what is yielded waits until so many wait for them."""
    connection = await asyncpg.connect(normalize_url(url))
    waiting = (
        "SELECT count(*) FROM pg_locks "
        "WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )

    async def until_waited_for(number: int) -> None:
        async with asyncio.timeout(60):
            while True:
                if await connection.fetchval(waiting) >= number:
                    return
                await asyncio.sleep(0.02)

    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
            yield until_waited_for
    finally:
        await connection.close()


async def until_nobody_runs(url: str) -> None:
    """Wait until the server has noticed the end of each run's connection."""
    connection = await asyncpg.connect(normalize_url(url))
    leases = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval(leases):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def test_a_crawl_that_must_end_waits_for_no_table_and_its_run_ends_as_it_did(
    make_store: MakeStore, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await make_store().open()
    monkeypatch.setattr(store.database, "cut_off", lambda seconds: None)
    anchor = Anchor(datetime.now(UTC), WHOLE)
    async with locked(database_url, "projects", "rejected_items") as until_waited_for:
        batch = store.submit(*prepared([project(1)]))
        asked = [
            asyncio.create_task(store.known(["1"], anchor)),
            asyncio.create_task(store.reject(project(2), "no title")),
        ]
        await until_waited_for(3)
        store.hurry(0.1)
        async with asyncio.timeout(60):
            with pytest.raises(DatabaseUnreachable, match="did not answer in time"):
                await asked[0]
            await asked[1]
            # What is asked later is not waited for at all.
            with pytest.raises(DatabaseUnreachable):
                await store.with_full_text(["1"])
            await batch.stored
            await store.drain()
            await finish(store, reason="shutdown", whole_since=None)
            await store.close()
    kinds = [file.name.split(".")[2] for file in (tmp_path / "spool").glob("*/*")]
    assert sorted(kinds) == ["projects", "rejected"]
    later = await make_store().open()
    both = "SELECT external_id FROM projects UNION SELECT external_id FROM rejected_items ORDER BY 1"
    assert await ask(later, both) == [("1",), ("2",)]
    (run, _) = await ask(later, "SELECT reason, spooled FROM crawl_runs ORDER BY id")
    assert run == ("shutdown", 1)


async def test_a_run_whose_end_cannot_be_logged_is_cut_off_and_counts_as_killed(
    make_store: MakeStore, database_url: str
) -> None:
    store = await make_store().open()
    await store.submit(*prepared([project(1)])).stored
    await store.drain()
    async with locked(database_url, "crawl_runs") as until_waited_for:
        ending = asyncio.create_task(finish(store))
        await until_waited_for(1)
        store.hurry(0.05)
        async with asyncio.timeout(60):
            with pytest.raises(DBAPIError):
                await ending
            await store.close()
    await until_nobody_runs(database_url)
    later = await make_store().open()
    (run, _) = await ask(later, "SELECT reason, finished_at, whole_since FROM crawl_runs ORDER BY id")
    assert run == ("killed", None, None)


async def test_a_crawl_without_any_grace_still_logs_its_end(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await make_store().open()
    await store.submit(*prepared([project(1)])).stored
    cut_off = store.database.cut_off
    # Whatever the second is that it has, here it is a minute.
    monkeypatch.setattr(store.database, "cut_off", lambda seconds: cut_off(seconds * 60))
    store.hurry(0)
    await asyncio.sleep(0.1)
    await finish(store, reason="shutdown", whole_since=None)
    await store.close()
    later = await make_store().open()
    (run, _) = await ask(later, "SELECT reason, items_scraped FROM crawl_runs ORDER BY id")
    assert run == ("shutdown", 1)


async def test_close_without_drain_writes_what_waits(make_store: MakeStore, database_url: str) -> None:
    store = await make_store().open()
    batches = [store.submit(row) for row in prepared([project(1), project(2)])]
    async with asyncio.timeout(60):
        await store.close()
    assert all(batch.stored.done() for batch in batches)
    assert store.totals.new == 2


async def test_without_an_open_database_there_is_nothing_to_do(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(StorageError, match="before the database was opened"):
        store.submit(*prepared([project(1)]))
    await store.drain()
    await finish(store)
    await store.close()


class TestAFailedOpening:
    async def test_of_an_unreachable_database_leaves_nothing_open(self, make_store: MakeStore) -> None:
        store = make_store("postgresql://nobody@127.0.0.1:1/nothing")
        with pytest.raises(DatabaseUnreachable):
            await store.open()
        with pytest.raises(StorageError, match="before it was opened"):
            _ = store.database.engine
        assert not store.is_open

    async def test_after_the_first_contact_closes_the_connections(
        self, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fails(*arguments: object) -> None:
            raise ConnectionResetError("gone")

        monkeypatch.setattr(store_module, "mark_killed", fails)
        store = make_store()
        with pytest.raises(DatabaseUnreachable, match="cannot be reached"):
            await store.open()
        with pytest.raises(StorageError):
            _ = store.database.engine

    async def test_gives_the_embedded_server_back(self, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fails(*arguments: object) -> None:
            raise ConnectionResetError("gone")

        root = open_folder / "given-back"
        store = Store(
            Database("", embedded_root=root), root / "spool", spider="alpha", listing="{}", retry_for=0, index_for=0,
            on_failure=lambda error: None,
        )  # fmt: skip
        monkeypatch.setattr(store_module, "mark_killed", fails)
        with pytest.raises(DatabaseUnreachable):
            await store.open()
        assert not EmbeddedPostgres(root).is_running()

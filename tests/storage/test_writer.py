"""Group commit under every fault: each row has one fate, nobody waits for ever, and the sums are right."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _projects import ask, bad_row, number, prepared, project, put
from conftest import Server, oldest_postgres
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from outsourcing_spiders.outcomes import DatabaseUnreachable, StorageError
from outsourcing_spiders.storage import writer as writer_module
from outsourcing_spiders.storage.engine import Database, create_engine
from outsourcing_spiders.storage.replay import replay
from outsourcing_spiders.storage.rows import PreparedRow
from outsourcing_spiders.storage.spool import Spool, read_lines
from outsourcing_spiders.storage.upsert import Stored, upsert
from outsourcing_spiders.storage.writer import Batch, Totals, Writer

NOBODY = "postgresql://nobody@127.0.0.1:1/nothing"


@dataclass
class Crawl:
    """A writer, and what it told."""

    writer: Writer
    spool: Spool
    failures: list[StorageError] = field(default_factory=list)
    submitted: int = 0

    async def store(self, *rows: PreparedRow) -> list[str | None]:
        """Submit rows and return the reason for each that was refused, as the pipeline does it."""
        return await asyncio.gather(*(self.one(row) for row in rows))

    async def one(self, row: PreparedRow) -> str | None:
        self.submitted += 1
        batch = self.writer.submit(row)
        await batch.stored
        return batch.refused.get(row.key)

    def spooled(self) -> int:
        return sum(len(read_lines(path)) for path in self.spool.files("projects"))


Start = Callable[..., Crawl]


@pytest.fixture
async def start(emptied: AsyncEngine, tmp_path: Path) -> AsyncIterator[Start]:
    """Start writers; at the end each of them must close, with all its rows accounted for."""
    crawls = []

    def start(engine: AsyncEngine = emptied, *, retry_for: float = 120, **options: Any) -> Crawl:
        spool = Spool(tmp_path / "spool", "postgresql://somewhere/else")
        failures: list[StorageError] = []
        options.setdefault("on_failure", failures.append)
        crawls.append(Crawl(Writer(engine, spool, retry_for=retry_for, **options), spool, failures))
        return crawls[-1]

    yield start
    for crawl in crawls:
        async with asyncio.timeout(60):
            await crawl.writer.close()


@pytest.fixture
async def nobody() -> AsyncIterator[AsyncEngine]:
    """Engine of a database that nothing listens for."""
    engine = create_engine(NOBODY)
    yield engine
    await engine.dispose()


@dataclass
class Gate:
    """Statements that wait to be let through."""

    sizes: list[int] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def upsert(self, connection: AsyncConnection, lines: Sequence[bytes]) -> Stored:
        self.sizes.append(len(lines))
        self.reached.set()
        await self.opened.wait()
        return await upsert(connection, lines)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(writer_module, "upsert", gate.upsert)
    return gate


class Clock:
    """The writer's time, which passes only while it waits before it tries again."""

    def __init__(self) -> None:
        self.now = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio.get_running_loop(), name)

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    known = {**vars(asyncio), "get_running_loop": lambda: clock, "sleep": clock.sleep}
    monkeypatch.setattr(writer_module, "asyncio", SimpleNamespace(**known))
    return clock


class TestGroupCommit:
    async def test_an_idle_writer_stores_at_once(self, start: Start, emptied: AsyncEngine) -> None:
        crawl = start()
        async with asyncio.timeout(60):
            for i in range(3):
                assert await crawl.store(*prepared([project(i)])) == [None]
        assert crawl.writer.totals == Totals(new=3, batches=3)
        assert crawl.writer.is_idle

    async def test_what_comes_while_a_batch_is_written_is_the_next_batch(self, start: Start, gate: Gate) -> None:
        crawl = start()
        first = asyncio.create_task(crawl.store(*prepared([project("first")])))
        await gate.reached.wait()
        others = asyncio.create_task(crawl.store(*prepared(project(i) for i in range(50))))
        await asyncio.sleep(0)
        assert not crawl.writer.is_idle
        gate.opened.set()
        await asyncio.gather(first, others)
        assert gate.sizes == [1, 50]
        assert crawl.writer.totals == Totals(new=51, batches=2)

    async def test_no_batch_is_larger_than_the_maximum(self, start: Start, gate: Gate) -> None:
        crawl = start(max_batch=7)
        gate.opened.set()
        await crawl.store(*prepared(project(i) for i in range(20)))
        assert gate.sizes == [7, 7, 6]

    async def test_of_two_rows_of_one_project_the_last_wins(self, start: Start, emptied: AsyncEngine) -> None:
        crawl = start()
        await crawl.store(*prepared([project(1, bid_count=1), project(2), project(1, bid_count=2)]))
        assert crawl.writer.totals == Totals(new=2, merged=1, batches=1)
        assert await number(emptied, "SELECT bid_count FROM projects WHERE external_id = '1'") == 2

    async def test_each_fate_is_counted_once(self, start: Start, emptied: AsyncEngine) -> None:
        await put(emptied, *(project(i) for i in range(10)))
        crawl = start()
        rows = prepared([*(project(i) for i in range(8)), *(project(i, bid_count=99) for i in (8, 9, 9)), project(10)])
        await crawl.store(*rows, bad_row())
        totals = crawl.writer.totals
        assert totals == Totals(new=1, changed=2, unchanged=8, merged=1, rejected=1, batches=1)
        assert totals.accounted == crawl.submitted == 13

    async def test_idle_and_busy_can_be_waited_for(self, start: Start, gate: Gate) -> None:
        writer = start().writer
        async with asyncio.timeout(60):
            await writer.drained()
            busy = asyncio.create_task(writer.submitted())
            writer.submit(*prepared([project(1)]))
            await busy
            drained = asyncio.create_task(writer.drained())
            await gate.reached.wait()
            assert not drained.done()
            gate.opened.set()
            await drained


class TestRefusedRows:
    @pytest.mark.parametrize("bad", [{50}, {0, 49, 99}, set(range(100))], ids=lambda bad: f"{len(bad)} bad")
    async def test_are_told_to_who_sent_them_and_to_nobody_else(
        self, start: Start, emptied: AsyncEngine, bad: set[int]
    ) -> None:
        crawl = start()
        refused = await crawl.store(*(bad_row(i) if i in bad else prepared([project(i)])[0] for i in range(100)))
        assert {i for i, reason in enumerate(refused) if reason} == bad
        assert crawl.writer.totals == Totals(new=100 - len(bad), rejected=len(bad), batches=1)
        assert await number(emptied, "SELECT count(*) FROM projects") == 100 - len(bad)

    async def test_of_any_kind(self, start: Start) -> None:
        crawl = start()
        rows = [
            bad_row(1), bad_row(2, bid_count="3000000000"), bad_row(3, budget_min='"much"'), bad_row(4, title="null"),
            bad_row(5, title='"\\u0000"'), bad_row(6)._replace(line=b'{"platform":'), *prepared([project(7)]),
        ]  # fmt: skip
        assert [bool(reason) for reason in await crawl.store(*rows)] == [True] * 6 + [False]
        assert (crawl.writer.totals.rejected, crawl.failures) == (6, [])

    async def test_of_a_project_whose_last_row_is_good_are_merged(self, start: Start) -> None:
        crawl = start()
        assert await crawl.store(bad_row(1), *prepared([project(1)])) == [None, None]
        assert crawl.writer.totals == Totals(new=1, merged=1, batches=1)


class TestServerAway:
    async def test_for_ever_the_rows_go_to_the_spool(
        self, start: Start, nobody: AsyncEngine, emptied: AsyncEngine, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        crawl = start(nobody, retry_for=20)
        with caplog.at_level(logging.WARNING):
            await crawl.store(*prepared([*(project(i) for i in range(9)), project(0)]))
            await crawl.store(*prepared(project(i) for i in range(9, 12)))
        (failure,) = crawl.failures
        assert isinstance(failure, DatabaseUnreachable)
        assert failure is crawl.writer.failure
        # After 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5 and 5 s; one more would be too late.
        assert crawl.writer.totals == Totals(spooled=12, merged=1, retries=8)
        assert clock.now == pytest.approx(16.3)
        assert crawl.writer.totals.accounted == crawl.submitted == 13
        assert "A shop for shoes" not in caplog.text
        assert all("\n" not in record.getMessage() for record in caplog.records)
        assert crawl.spooled() == 12
        replayed = await replay(emptied, crawl.spool)
        assert (replayed.rows, replayed.new, crawl.spool.files("projects")) == (12, 12, [])

    async def test_without_patience_there_is_no_retry(self, start: Start, nobody: AsyncEngine) -> None:
        crawl = start(nobody, retry_for=0)
        await crawl.store(*prepared([project(1)]))
        assert crawl.writer.totals == Totals(spooled=1)

    async def test_for_a_moment_costs_retries_and_no_row(
        self, start: Start, fragile: tuple[oldest_postgres, AsyncEngine], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a power cut: `pg_ctl stop -m immediate` in the middle of the work."""
        server, engine = fragile
        written, stopped = 0, asyncio.Event()

        async def store(connection: AsyncConnection, lines: Sequence[bytes]) -> Stored:
            nonlocal written
            written += 1
            if written == 5:
                await stopped.wait()
            return await upsert(connection, lines)

        monkeypatch.setattr(writer_module, "upsert", store)
        crawl = start(engine, retry_for=600, max_batch=50)
        tasks = [asyncio.create_task(crawl.one(row)) for row in prepared(project(i) for i in range(2_000))]
        await tasks[0]
        await asyncio.to_thread(server.stop, "immediate")
        assert not all(task.done() for task in tasks)
        stopped.set()
        while crawl.writer.totals.retries < 2:  # noqa: ASYNC110 - a number, not an event
            await asyncio.sleep(0.02)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):
            assert set(await asyncio.gather(*tasks)) == {None}
        totals = crawl.writer.totals
        assert (totals.accounted, totals.spooled, crawl.failures) == (2_000, 0, [])
        # A batch whose commit was not confirmed is written again, and found unchanged.
        assert totals.new + totals.unchanged == 2_000
        assert await number(engine, "SELECT count(*) FROM projects") == 2_000

    async def test_in_the_middle_of_a_batch_it_goes_to_the_spool_in_whole(
        self, start: Start, monkeypatch: pytest.MonkeyPatch, emptied: AsyncEngine
    ) -> None:
        async def fails_later(connection: AsyncConnection, lines: Sequence[bytes]) -> Stored:
            if len(lines) < 10 and b'"external_id":"9"' in lines[-1]:
                raise ConnectionResetError("gone")
            return await upsert(connection, lines)

        monkeypatch.setattr(writer_module, "upsert", fails_later)
        crawl = start(retry_for=0)
        await crawl.store(bad_row(0), *prepared(project(i) for i in range(1, 10)))
        assert crawl.writer.totals == Totals(spooled=10)
        assert crawl.spooled() == 10
        replayed = await replay(emptied, crawl.spool)
        assert (replayed.rows, replayed.rejected) == (10, 1)
        assert await number(emptied, "SELECT count(*) FROM projects") == 9

    async def test_an_error_of_the_database_that_stays_ends_the_crawl_at_once(
        self, start: Start, engine: AsyncEngine
    ) -> None:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE projects RENAME COLUMN title TO headline")
        crawl = start(engine, retry_for=3600)
        async with asyncio.timeout(60):
            await crawl.store(*prepared([project(1), project(2)]))
        (failure,) = crawl.failures
        assert not isinstance(failure, DatabaseUnreachable)
        assert "headline" in str(failure) or "title" in str(failure)
        assert "\n" not in str(failure)
        assert "shoes" not in str(failure)
        assert crawl.writer.totals == Totals(spooled=2)


class TestBugs:
    @pytest.fixture(autouse=True)
    def _bug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def raises(*arguments: object) -> Stored:
            raise RuntimeError("a bug")

        monkeypatch.setattr(writer_module, "upsert_by_halves", raises)

    async def test_in_storing_send_the_batch_to_the_spool(self, start: Start) -> None:
        crawl = start()
        await crawl.store(*prepared([project(1), project(2), project(1)]))
        await crawl.store(*prepared([project(3)]))
        assert [str(failure) for failure in crawl.failures] == ["storing failed: a bug"]
        assert crawl.writer.totals == Totals(spooled=3, merged=1)
        assert crawl.writer.totals.accounted == crawl.submitted

    async def test_and_a_broken_spool_are_told_to_all_who_wait(self, start: Start) -> None:
        crawl = start()
        crawl.spool.folder.parent.write_text("a file where the folder should be")
        async with asyncio.timeout(60):
            told = await asyncio.gather(
                *(crawl.one(row) for row in prepared(project(i) for i in range(3))), return_exceptions=True
            )
        assert [type(error) for error in told] == [StorageError] * 3
        assert str(told[0]).startswith("3 rows are lost: neither the database nor the spool takes them (")
        with pytest.raises(StorageError, match="1 rows are lost"):
            await crawl.one(*prepared([project(3)]))
        assert (crawl.writer.totals, len(crawl.failures)) == (Totals(), 1)

    async def test_in_who_is_told_harm_nobody(self, start: Start) -> None:
        told = []

        def on_failure(error: StorageError) -> None:
            told.append(error)
            raise ValueError("another bug")

        crawl = start(on_failure=on_failure)
        with suppress(StorageError):
            await crawl.store(*prepared([project(1)]))
        await crawl.store(*prepared([project(2)]))
        assert (len(told), crawl.writer.totals.spooled) == (1, 2)


async def test_a_full_spool_and_an_unreachable_server_are_told_to_all_who_wait(
    start: Start, nobody: AsyncEngine
) -> None:
    crawl = start(nobody, retry_for=0)
    crawl.spool.folder.parent.write_text("a file where the folder should be")
    async with asyncio.timeout(60):
        told = await asyncio.gather(
            *(crawl.one(row) for row in prepared(project(i) for i in range(3))), return_exceptions=True
        )
    assert [type(error) for error in told] == [StorageError] * 3
    assert [type(error) for error in crawl.failures] == [DatabaseUnreachable]


class TestCancelling:
    async def test_one_who_waits_does_not_cancel_the_others(self, start: Start, gate: Gate) -> None:
        crawl = start()
        tasks = [asyncio.create_task(crawl.one(row)) for row in prepared(project(i) for i in range(4))]
        await gate.reached.wait()
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(60):
                await tasks[1]
        gate.opened.set()
        assert await asyncio.gather(*tasks[:1], *tasks[2:]) == [None] * 3
        assert crawl.writer.totals == Totals(new=4, batches=1), "the row was submitted, so it is stored"

    async def test_all_who_wait_does_not_stop_the_writer(self, start: Start, gate: Gate) -> None:
        crawl = start()
        tasks = [asyncio.create_task(crawl.one(row)) for row in prepared(project(i) for i in range(4))]
        await gate.reached.wait()
        for task in tasks:
            task.cancel()
        gate.opened.set()
        await crawl.writer.drained()
        assert await crawl.store(*prepared([project(9)])) == [None]
        assert crawl.writer.totals == Totals(new=5, batches=2)

    async def test_who_closes_does_not_stop_the_writer(self, start: Start, gate: Gate) -> None:
        crawl = start()
        waiting = asyncio.create_task(crawl.store(*prepared([project(1)])))
        await gate.reached.wait()
        closing = asyncio.create_task(crawl.writer.close())
        await asyncio.sleep(0)
        closing.cancel()
        gate.opened.set()
        assert await waiting == [None]
        assert crawl.writer.totals == Totals(new=1, batches=1)

    async def test_the_writer_sends_what_it_holds_to_the_spool(self, start: Start, gate: Gate) -> None:
        crawl = start(max_batch=2)
        waiting = asyncio.create_task(crawl.store(*prepared(project(i) for i in range(5))))
        await gate.reached.wait()
        crawl.writer._task.cancel()
        async with asyncio.timeout(60):
            assert await waiting == [None] * 5
        assert crawl.writer.totals == Totals(spooled=5)
        assert (crawl.spooled(), len(crawl.failures)) == (5, 1)

    async def test_an_idle_writer_loses_nothing_that_comes_at_that_moment(self, start: Start) -> None:
        crawl = start()
        await crawl.writer.drained()
        waiting = asyncio.create_task(crawl.store(*prepared([project(1)])))
        await asyncio.sleep(0)
        crawl.writer._task.cancel()
        async with asyncio.timeout(60):
            assert await waiting == [None]
        assert crawl.writer.totals == Totals(spooled=1)


class TestBatch:
    async def test_who_comes_late_is_told_too(self) -> None:
        batch = Batch()
        batch.settle()
        await batch.stored
        lost = Batch()
        lost.settle(StorageError("lost"))
        for _ in range(2):
            with pytest.raises(StorageError, match="lost"):
                await lost.stored

    async def test_nobody_need_wait(self) -> None:
        batch = Batch()
        _ = batch.stored
        batch.settle(StorageError("a warning, were it not seen"))


class TestClosing:
    async def test_writes_what_waits(self, start: Start, emptied: AsyncEngine) -> None:
        crawl = start(max_batch=3)
        batches = [crawl.writer.submit(row) for row in prepared(project(i) for i in range(10))]
        await crawl.writer.close()
        assert all(batch.stored.done() for batch in batches)
        assert await number(emptied, "SELECT count(*) FROM projects") == 10

    async def test_twice_is_harmless(self, start: Start) -> None:
        writer = start().writer
        await asyncio.gather(writer.close(), writer.close())
        await writer.close()

    async def test_a_row_that_comes_afterwards_is_refused_and_not_waited_for(self, start: Start) -> None:
        crawl = start()
        await crawl.writer.close()
        with pytest.raises(StorageError, match="after the writer was closed"):
            async with asyncio.timeout(60):
                await crawl.one(*prepared([project(1)]))


async def test_the_sums_are_right_under_faults_of_every_kind(
    start: Start, emptied: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of every fate, with connections that break now and then."""
    statements = 0

    async def shaky(connection: AsyncConnection, lines: Sequence[bytes]) -> Stored:
        nonlocal statements
        statements += 1
        if statements % 5 == 2:
            raise ConnectionResetError("gone")
        stored = await upsert(connection, lines)
        if statements % 7 == 3:
            raise ConnectionResetError("gone with the answer")
        return stored

    monkeypatch.setattr(writer_module, "upsert", shaky)
    monkeypatch.setattr(writer_module, "_FIRST_PAUSE", 0.001)
    crawl = start(max_batch=40)
    rows = [
        bad_row(i) if i % 97 == 0 else prepared([project(i % 300, bid_count=i % 3)])[0] for i in range(1, 1_000)
    ]  # fmt: skip
    refused = await crawl.store(*rows)
    totals = crawl.writer.totals
    assert totals.accounted == 999
    assert totals.rejected == sum(1 for reason in refused if reason) == 10
    assert totals.retries > 3
    # Where only the answer was lost, the same rows are met again and counted as unchanged.
    assert await number(emptied, "SELECT count(*) FROM projects") == 300 >= totals.new
    assert await ask(emptied, "SELECT 1 FROM projects WHERE status = 'nonsense'") == []


@pytest.fixture(scope="session")
def fragile_server(open_folder: Path) -> Iterator[tuple[oldest_postgres, Server]]:
    runner = oldest_postgres(open_folder / "fragile")
    with runner as server:
        yield runner, server


@pytest.fixture
async def fragile(
    fragile_server: tuple[oldest_postgres, Server], tmp_path: Path
) -> AsyncIterator[tuple[oldest_postgres, AsyncEngine]]:
    """A server of its own, to be stopped and started, and an engine of its database."""
    runner, server = fragile_server
    async with Database(server.url("postgres"), embedded_root=tmp_path) as database:
        yield runner, database.engine

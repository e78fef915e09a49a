"""Group commit: whatever is waiting is written in one statement, then those who wait are told.

The writer never waits for a batch to fill. An idle crawl stores at once, a busy one makes its own large
batches while the statement before them runs, and who waits for `Batch.stored` is Scrapy's back-pressure.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.outcomes import DatabaseUnreachable, StorageError
from outsourcing_spiders.storage.engine import is_transient, message
from outsourcing_spiders.storage.rows import PreparedRow, stamped
from outsourcing_spiders.storage.spool import Spool
from outsourcing_spiders.storage.upsert import Stored, is_refusal, upsert, upsert_by_halves

logger = logging.getLogger(__name__)

MAX_BATCH = 1_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@dataclass(slots=True)
class Totals:
    """Where the rows went; every row is counted once."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    merged: int = 0
    rejected: int = 0
    spooled: int = 0
    batches: int = 0
    retries: int = 0

    @property
    def written(self) -> int:
        """Rows that made a new version of a project: new ones and changed ones."""
        return self.new + self.changed

    @property
    def accounted(self) -> int:
        """Sum of the five fates, to be compared with what was scraped."""
        return self.written + self.unchanged + self.merged + self.rejected + self.spooled


@dataclass(slots=True, eq=False)
class Batch:
    """Rows that are stored together. After `stored` their fate is known: in `refused`, or safe."""

    rows: list[PreparedRow] = field(default_factory=list)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    _is_settled: bool = False
    _error: StorageError | None = None
    _waiters: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def stored(self) -> asyncio.Future[None]:
        """Return a new future, done when the fate of the rows is known; raises `StorageError` for lost rows.

        Each who waits has a future of their own: one that many wait for is cancelled with the first of them.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if self._is_settled:
            self.settle(self._error)
        return waiter

    def settle(self, error: StorageError | None = None) -> None:
        """Tell all who wait, and will, that the fate of the rows is known."""
        self._is_settled, self._error = True, error
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
                # Should nobody wait any more, it is in the log already.
                waiter.exception()


class Writer:
    """Store rows of one crawl. Use `submit`, then await the batch's `stored`; at the end `close`.

    `retry_for` is how long, in seconds, an unreachable server is waited for before rows go to `spool`;
    from then on every row goes there and `on_failure` is told once, with the error. Neither `submit` nor
    `close` raises. When even the spool fails, `stored` raises `StorageError`.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        spool: Spool,
        *,
        retry_for: float,
        on_failure: Callable[[StorageError], None],
        max_batch: int = MAX_BATCH,
    ) -> None:
        self.totals = Totals()
        self.failure: StorageError | None = None
        # One statement is a transaction of its own: to begin and to commit one would be two more round trips.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._spool = spool
        self._retry_for = retry_for
        self._on_failure = on_failure
        self._max_batch = max_batch
        self._waiting: deque[Batch] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._submitted = asyncio.Event()
        self._closing = False
        self._last_moment: float | None = None
        self._limit: asyncio.Timeout | None = None
        self._task = asyncio.create_task(self._run(), name="writer")

    def submit(self, row: PreparedRow) -> Batch:
        """Put `row` into the batch that is written next, and return that batch."""
        waiting = self._waiting
        if waiting and len(waiting[-1].rows) < self._max_batch:
            batch = waiting[-1]
        else:
            batch = Batch()
            if self._task.done():
                batch.settle(StorageError("a row was submitted after the writer was closed"))
                return batch
            waiting.append(batch)
            self._wake.set()
            self._idle.clear()
            self._submitted.set()
        batch.rows.append(row)
        return batch

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing waits and nothing is being written."""
        return self._idle.is_set()

    async def drained(self) -> None:
        """Wait until nothing waits and nothing is being written."""
        await self._idle.wait()

    def forget_submissions(self) -> None:
        """Let `submitted` wait for a row that comes from now on."""
        self._submitted.clear()

    async def submitted(self) -> None:
        """Wait until a row was submitted since `forget_submissions`."""
        await self._submitted.wait()

    def hurry(self, seconds: float) -> None:
        """Wait no longer than `seconds` from now on for a server that does not answer: rows then go to the spool."""
        self._last_moment = asyncio.get_running_loop().time() + seconds
        if self._limit is not None:
            # It may be over just now.
            with suppress(RuntimeError):
                self._limit.reschedule(self._last_moment)

    async def close(self) -> None:
        """Write what still waits, then end; may be called twice."""
        self._closing = True
        self._wake.set()
        # Not `await self._task`: who gives up waiting would cancel it.
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._work()
        except asyncio.CancelledError as error:
            # The loop is being shut down, or somebody cancels what is not theirs.
            for batch in self._waiting:
                self._give_up(batch, error)
            self._waiting.clear()
            self._idle.set()
            raise

    async def _work(self) -> None:
        while True:
            while self._waiting:
                batch = self._waiting.popleft()
                try:
                    await self._store(batch)
                    batch.settle()
                except Exception as error:
                    # A crawl waits for this task: it must outlive anything, a bug in it included.
                    logger.exception("A batch of %d rows could not be stored", len(batch.rows))
                    self._give_up(batch, error)
                except asyncio.CancelledError:
                    self._waiting.appendleft(batch)
                    raise
            self._idle.set()
            if self._closing:
                return
            self._wake.clear()
            await self._wake.wait()

    async def _store(self, batch: Batch) -> None:
        newest = {row.key: row for row in batch.rows}
        rows = sorted(newest.values(), key=_key)
        if self.failure is None:
            try:
                stored, refused = await upsert_by_halves([row.line for row in rows], self._write)
            except StorageError as error:
                self._fail(error)
        if self.failure is not None:
            self._put_to_spool(rows)
            self.totals.spooled += len(rows)
        else:
            batch.refused = {rows[index].key: reason for index, reason in refused.items()}
            self.totals.new += stored.new
            self.totals.changed += stored.changed
            self.totals.rejected += len(refused)
            self.totals.unchanged += len(rows) - len(refused) - stored.new - stored.changed
            self.totals.batches += 1
        self.totals.merged += len(batch.rows) - len(rows)

    async def _write(self, lines: Sequence[bytes]) -> Stored:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._retry_for
        pause, next_pause = 0.0, _FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout_at(self._last_moment) as self._limit:
                    if pause:
                        await asyncio.sleep(pause)
                    async with self._engine.connect() as connection:
                        return await upsert(connection, lines)
            except Exception as error:
                if is_refusal(error):
                    raise
                if not is_transient(error):
                    raise StorageError(f"PostgreSQL cannot store projects any more: {message(error)}") from error
                pause, next_pause = next_pause, min(next_pause * 2, _LONGEST_PAUSE)
                if loop.time() + pause > min(deadline, self._last_moment or deadline):
                    waited = loop.time() - (deadline - self._retry_for)
                    raise DatabaseUnreachable(
                        f"PostgreSQL did not take a batch for {waited:.0f} s: {message(error)}"
                    ) from error
                self.totals.retries += 1
                logger.warning(
                    "PostgreSQL did not take a batch of %d rows (%s); trying again in %.1f s",
                    len(lines), message(error), pause,
                )  # fmt: skip

    def _fail(self, error: StorageError) -> None:
        if self.failure is None:
            self.failure = error
            logger.error(
                "%s. The rows go to %s; the next crawl or `scrapy db replay` stores them",
                str(error).rstrip("."), self._spool.folder,
            )  # fmt: skip
            try:
                self._on_failure(error)
            except Exception:
                logger.exception("The crawl could not be told that storing failed")

    def _put_to_spool(self, rows: list[PreparedRow]) -> None:
        seen_at = datetime.now(UTC)
        self._spool.put("projects", (stamped(row.line, seen_at) for row in rows))

    def _give_up(self, batch: Batch, error: BaseException) -> None:
        """After an error that should not be: the spool takes the batch, or those who wait are told."""
        failure = StorageError(f"storing failed: {message(error)}")
        failure.__cause__ = error
        self._fail(failure)
        rows = list({row.key: row for row in batch.rows}.values())
        try:
            self._put_to_spool(rows)
        except Exception as spool_error:
            lost = f"{len(rows)} rows are lost: neither the database nor the spool takes them ({spool_error})"
            batch.settle(StorageError(lost))
            return
        self.totals.spooled += len(rows)
        self.totals.merged += len(batch.rows) - len(rows)
        batch.settle()


def _key(row: PreparedRow) -> tuple[str, str]:
    return row.key

"""Which crawls are alive: each holds an advisory lock in its database, which the server drops with its connection.

A heartbeat would write all the time and know late; a process id means nothing on another machine. The
lock is a shared one, that nobody ever takes alone: it says something and keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.storage.engine import message
from outsourcing_spiders.storage.runs import begin_run

logger = logging.getLogger(__name__)

# Any constant does, as long as every version of this project takes the same one.
_SPACE = 7_240_212
_RETRY_INTERVAL = 1.0  # seconds

_LOCK = text(f"SELECT pg_advisory_lock_shared({_SPACE}, CAST(CAST(:run_id AS bigint) & 2147483647 AS integer))")

_IS_ALIVE = f"""EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND classid = {_SPACE} AND objid = CAST(crawl_runs.id & 2147483647 AS oid)
    AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)"""  # noqa: S608 - a constant

_MARK_KILLED = text(
    f"""
UPDATE crawl_runs SET reason = :killed
WHERE finished_at IS NULL AND reason IS NULL AND NOT {_IS_ALIVE}
RETURNING id
"""  # noqa: S608 - a constant
)

_ALIVE = text(
    f"SELECT DISTINCT spider FROM crawl_runs WHERE finished_at IS NULL AND {_IS_ALIVE} ORDER BY spider"  # noqa: S608
)

# No crawl takes a week: those of the time before need not be looked at, every few seconds.
_COUNT = text(
    f"""
SELECT count(*) FROM crawl_runs
WHERE spider = :spider AND started_at > now() - interval '7 days' AND finished_at IS NULL AND {_IS_ALIVE}
"""  # noqa: S608 - a constant
)


class RunLease:
    """The proof that one run is alive, on a connection of `engine` that does nothing else.

    `begin` logs the start of the run and takes the lock; `release` gives it up, after the end was logged. When
    the server was away in between, the lock is taken again.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._run_id = 0
        self._retaking: asyncio.Task[None] | None = None

    async def begin(self, spider: str, listing: str) -> int:
        """Log the start of a crawl and return its id; raises what the driver raises."""
        connection = await self._engine.connect()
        try:
            # Nobody sees the row before the lock is held.
            async with connection.begin():
                self._run_id = await begin_run(connection, spider, listing)
                await connection.execute(_LOCK, {"run_id": self._run_id})
            await self._keep(connection)
        except BaseException:
            await _drop(connection)
            raise
        return self._run_id

    async def release(self) -> None:
        """Give the lock up; may be called twice, and without a server."""
        if self._retaking is not None:
            self._retaking.cancel()
            with suppress(asyncio.CancelledError):
                await self._retaking
            self._retaking = None
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                (await _driver(connection)).remove_termination_listener(self._on_lost)
            await _drop(connection)

    async def _keep(self, connection: AsyncConnection) -> None:
        (await _driver(connection)).add_termination_listener(self._on_lost)
        self._connection = connection

    def _on_lost(self, _: Any) -> None:
        if self._connection is not None and self._retaking is None:
            self._retaking = asyncio.ensure_future(self._retake())

    async def _retake(self) -> None:
        lost, self._connection = self._connection, None
        if lost is not None:
            await _drop(lost)
        while self._connection is None:
            await asyncio.sleep(_RETRY_INTERVAL)
            try:
                connection = await self._engine.connect()
            except Exception as error:
                logger.debug("The run cannot be shown as alive yet: %s", message(error))
                continue
            try:
                async with connection.begin():
                    await connection.execute(_LOCK, {"run_id": self._run_id})
                await self._keep(connection)
            except BaseException as error:
                await _drop(connection)
                if not isinstance(error, Exception):
                    raise
        self._retaking = None


async def mark_killed(connection: AsyncConnection) -> list[int]:
    """Let runs whose process is gone end as ``killed``; return their ids.

    They keep ``finished_at`` null, for nobody knows when it was. A run that only lost its connection for a
    moment writes its true end over that.
    """
    return list((await connection.execute(_MARK_KILLED, {"killed": CloseReason.KILLED})).scalars())


async def running_spiders(connection: AsyncConnection) -> list[str]:
    """Return the names of the spiders that crawl into this database now, on whatever machine."""
    return list((await connection.execute(_ALIVE)).scalars())


async def count_running(connection: AsyncConnection, spider: str) -> int:
    """Return how many crawls of `spider` store into this database now, on whatever machine."""
    return int((await connection.execute(_COUNT, {"spider": spider})).scalar_one())


async def _driver(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


async def _drop(connection: AsyncConnection) -> None:
    # Given back to the pool, it would still hold the lock.
    with suppress(Exception):
        await connection.invalidate()
    with suppress(Exception):
        await connection.close()

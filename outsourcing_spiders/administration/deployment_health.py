"""Whether a server does its work: Scrapyd answers, the database takes what comes, each platform is crawled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.administration.deployment_schedule import Scrapyd, ScrapydError
from outsourcing_spiders.outcomes import CloseReason, StorageError
from outsourcing_spiders.storage.engine import explained
from outsourcing_spiders.storage.run_liveness import running_spiders
from outsourcing_spiders.storage.status import UncheckedDatabase, advice, is_made

_LATE_AFTER = 3
"""Pauses without a crawl after which a platform is late; a crawl itself takes its time, too."""
_PATIENCE = 20.0
"""Seconds within which a database must have answered."""
_SUCCESSES = [reason for reason in CloseReason if reason.is_success]

_LAST = text(
    """
SELECT asked.spider, ended.at AS ended_at, ended.reason, succeeded.at AS succeeded_at
FROM unnest(CAST(:spiders AS text[])) AS asked(spider)
LEFT JOIN LATERAL (
    SELECT coalesce(finished_at, started_at) AS at, reason FROM crawl_runs AS r
    WHERE r.spider = asked.spider AND reason IS NOT NULL AND position('"base_url":' IN listing) = 0
    ORDER BY started_at DESC, id DESC LIMIT 1
) AS ended ON true
LEFT JOIN LATERAL (
    SELECT finished_at AS at FROM crawl_runs AS r
    WHERE r.spider = asked.spider AND reason = ANY(CAST(:successes AS text[]))
        AND position('"base_url":' IN listing) = 0
    ORDER BY started_at DESC, id DESC LIMIT 1
) AS succeeded ON true
"""
)


@dataclass
class Health:
    """What is well, and what is not; a sentence or less each."""

    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in one line."""
        return "unhealthy: " + "; ".join(self.bad) if self.bad else "healthy: " + "; ".join(self.good)


class _Crawls(NamedTuple):
    """The last crawls of a platform; those of a stand-in say nothing about it. Times are aware."""

    ended_at: datetime | None
    reason: str | None
    succeeded_at: datetime | None
    is_running: bool


def look_at_scrapyd(health: Health, scrapyd: Scrapyd) -> None:
    """Note whether Scrapyd answers with our password."""
    try:
        status = scrapyd.status()
    except ScrapydError as error:
        health.bad.append(str(error).rstrip("."))
    else:
        health.good.append(f"Scrapyd answers ({status['running']} running, {status['pending']} waiting)")


async def look_at_database(
    health: Health,
    url: str,
    embedded_root: Path,
    pauses: Callable[[], Mapping[str, timedelta]] | None,
    *,
    results: bool = True,
) -> None:
    """Note whether the database answers and has this code's schema; with `pauses`, whether crawls come as they say.

    With `results`, only those count that ended well; without, how a platform answers is not looked at.
    """
    try:
        if not url and not is_made(embedded_root):
            raise StorageError(f"nothing is stored yet in {embedded_root}")
        async with asyncio.timeout(_PATIENCE), UncheckedDatabase(url, embedded_root=embedded_root) as database:
            state, revision = await database.schema_state()
            if state != "current":
                raise StorageError(advice(state, revision) or state)
            health.good.append(f"{database.name} answers")
            if pauses is not None:
                asked = pauses()
                with explained(database.name):
                    async with database.engine.connect() as connection:
                        found = await _last_crawls(connection, [*asked])
                for spider, pause in asked.items():
                    _judge(health, spider, pause, found[spider], datetime.now(UTC), results=results)
    except TimeoutError:
        health.bad.append(f"the database did not answer within {_PATIENCE:.0f} s")
    except StorageError as error:
        health.bad.append(str(error).rstrip("."))


async def _last_crawls(connection: AsyncConnection, spiders: list[str]) -> dict[str, _Crawls]:
    running = await running_spiders(connection)
    rows = await connection.execute(_LAST, {"spiders": spiders, "successes": _SUCCESSES})
    return {
        row.spider: _Crawls(row.ended_at, row.reason, row.succeeded_at, is_running=row.spider in running)
        for row in rows
    }


def _judge(health: Health, spider: str, pause: timedelta, crawls: _Crawls, now: datetime, *, results: bool) -> None:
    def ago(at: datetime) -> timedelta:
        return timedelta(seconds=round((now - at).total_seconds()))

    last = crawls.succeeded_at if results else crawls.ended_at
    in_vain = results and crawls.ended_at is not None and crawls.reason not in _SUCCESSES
    if crawls.is_running and not in_vain:
        health.good.append(f"{spider} is being crawled")
    elif last is not None and ago(last) <= _LATE_AFTER * pause:
        health.good.append(f"{spider} was last crawled {ago(last)} ago")
    elif in_vain and crawls.ended_at is not None:
        before = "none before it did better" if last is None else f"the last good one was {ago(last)} ago"
        health.bad.append(f"{spider}: the last crawl ended as {crawls.reason} {ago(crawls.ended_at)} ago, {before}")
    elif last is None:
        health.bad.append(f"{spider} was never crawled")
    else:
        health.bad.append(f"{spider} was last crawled {ago(last)} ago")

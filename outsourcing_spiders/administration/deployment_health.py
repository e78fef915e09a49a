"""Whether a server does its work: Scrapyd answers, the database takes what comes, each platform is crawled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from outsourcing_spiders.administration.deployment_schedule import Scrapyd, ScrapydError
from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.engine import explained
from outsourcing_spiders.storage.run_liveness import running_spiders
from outsourcing_spiders.storage.status import UncheckedDatabase, advice, is_made

_LATE_AFTER = 3
"""Pauses without a crawl after which a platform is late; a crawl itself takes its time, too."""
_PATIENCE = 20.0
"""Seconds within which a database must have answered."""

_LAST = text("SELECT spider, max(coalesce(finished_at, started_at)) AS at FROM crawl_runs GROUP BY spider")


@dataclass
class Health:
    """What is well, and what is not; a sentence or less each."""

    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in one line."""
        return "unhealthy: " + "; ".join(self.bad) if self.bad else "healthy: " + "; ".join(self.good)


def look_at_scrapyd(health: Health, scrapyd: Scrapyd) -> None:
    """Note whether Scrapyd answers with our password."""
    try:
        status = scrapyd.status()
    except ScrapydError as error:
        health.bad.append(str(error).rstrip("."))
    else:
        health.good.append(f"Scrapyd answers ({status['running']} running, {status['pending']} waiting)")


async def look_at_database(
    health: Health, url: str, embedded_root: Path, pauses: Callable[[], Mapping[str, timedelta]] | None
) -> None:
    """Note whether the database answers and has this code's schema; with `pauses`, whether crawls come as they say."""
    try:
        if not url and not is_made(embedded_root):
            raise StorageError(f"nothing is stored yet in {embedded_root}")
        async with asyncio.timeout(_PATIENCE), UncheckedDatabase(url, embedded_root=embedded_root) as database:
            state, revision = await database.schema_state()
            if state != "current":
                raise StorageError(advice(state, revision) or state)
            health.good.append(f"{database.name} answers")
            if pauses is not None:
                with explained(database.name):
                    async with database.engine.connect() as connection:
                        last = {row.spider: row.at for row in await connection.execute(_LAST)}
                        running = await running_spiders(connection)
                _judge(health, pauses(), last, running, datetime.now(UTC))
    except TimeoutError:
        health.bad.append(f"the database did not answer within {_PATIENCE:.0f} s")
    except StorageError as error:
        health.bad.append(str(error).rstrip("."))


def _judge(
    health: Health, pauses: Mapping[str, timedelta], last: Mapping[str, datetime], running: list[str], now: datetime
) -> None:
    for spider, pause in pauses.items():
        if spider in running:
            health.good.append(f"{spider} is being crawled")
        elif spider not in last:
            health.bad.append(f"{spider} was never crawled")
        else:
            ago = timedelta(seconds=round((now - last[spider]).total_seconds()))
            late = ago > _LATE_AFTER * pause
            (health.bad if late else health.good).append(f"{spider} was last crawled {ago} ago")

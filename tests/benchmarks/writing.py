"""Compare the writer with plain COPY, and a first crawl with a second one.

    python tests/benchmarks/writing.py [--projects 20000] [--rounds 5]

COPY goes into the same table with all its indexes and triggers, from rows that are ready, in batches of the
same size; it can do no more than insert. Both are followed by the indexing of the texts for search, which is
timed on its own and added: *searchable* is the rate with it, *stored* the rate without.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from common import empty, make_projects, open_folder, say
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import Database
from outsourcing_spiders.storage.rows import PreparedRow, prepare
from outsourcing_spiders.storage.spool import Spool
from outsourcing_spiders.storage.text_search import index_pending
from outsourcing_spiders.storage.writer import Writer

BATCH = 1_000
DATES = ("posted_at", "closes_at")
NUMBERS = ("budget_min", "budget_max", "budget_min_usd", "budget_max_usd", "bid_average", "client_rating")


async def main() -> int:
    """Run the benchmark; exits with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = [prepare(project) for project in make_projects(options.projects)]
    records = list(map(record, rows))
    figures: dict[str, list[float]] = {}
    with open_folder() as base, EmbeddedPostgres(base / "postgresql") as server:
        for _ in range(options.rounds):
            copy = await measure(server.url, base, lambda engine: write_with_copy(engine, records))
            ours = await measure(server.url, base, lambda engine: write(engine, rows, base), again=True)
            for name, value in {
                "searchable: writer / COPY": copy["searchable"] / ours["searchable"],
                "stored: writer / COPY": copy["stored"] / ours["stored"],
                "unchanged again / first insert, stored": ours["stored"] / ours["again"],
                "unchanged again / first insert, searchable": ours["searchable"] / ours["again"],
                "WAL of unchanged / WAL of first insert": ours["wal again"] / ours["wal"],
                "writer, rows/s stored": len(rows) / ours["stored"],
                "COPY, rows/s stored": len(rows) / copy["stored"],
                "writer, rows/s searchable": len(rows) / ours["searchable"],
                "unchanged, rows/s": len(rows) / ours["again"],
            }.items():
                figures.setdefault(name, []).append(value)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in medians.items():
        say(f"{value:12,.3f}  {name}" if value < 100 else f"{value:12,.0f}  {name}")
    reached = (
        medians["searchable: writer / COPY"] >= 0.85
        and medians["unchanged again / first insert, stored"] >= 2
        and medians["WAL of unchanged / WAL of first insert"] < 0.05
    )
    return 0 if reached else 1


async def measure(
    url: str, base: Path, store: Callable[[AsyncEngine], Awaitable[None]], *, again: bool = False
) -> dict[str, float]:
    """Store into an empty database, and once more; return seconds and bytes of WAL."""
    await empty(url)
    async with Database(url, embedded_root=base) as database:
        engine = database.engine
        measured = {}
        before, started = await wal_position(engine), time.perf_counter()
        await store(engine)
        measured["stored"] = time.perf_counter() - started
        measured["wal"] = await wal_position(engine) - before
        while await index_pending(engine):
            pass
        measured["searchable"] = time.perf_counter() - started
        if again:
            await vacuum(engine)
            before, started = await wal_position(engine), time.perf_counter()
            await store(engine)
            measured["again"] = time.perf_counter() - started
            measured["wal again"] = await wal_position(engine) - before
        return measured


async def write(engine: AsyncEngine, rows: list[PreparedRow], base: Path) -> None:
    """Store with the project's writer; as many rows wait as in a crawl."""
    writer = Writer(engine, Spool(base / "spool", "benchmark"), retry_for=1, on_failure=lambda error: None)
    for start in range(0, len(rows), BATCH):
        batch = [writer.submit(row) for row in rows[start : start + BATCH]][-1]
        await batch.stored
    await writer.close()
    assert writer.totals.accounted == len(rows)
    assert not writer.totals.spooled


async def write_with_copy(engine: AsyncEngine, records: list[tuple[Any, ...]]) -> None:
    """Store with COPY in the binary format, the fastest way that the driver has."""
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        for start in range(0, len(records), BATCH):
            await raw.copy_records_to_table("projects", records=records[start : start + BATCH], columns=COPIED)


COPIED = [
    *(name for name in msgspec.json.decode(prepare(next(make_projects(1))).line) if name != "seen_at"),
    "first_seen_at",
    "last_seen_at",
    "changed_at",
]


def record(row: PreparedRow) -> tuple[Any, ...]:
    """Return a row as COPY takes it."""
    values = msgspec.json.decode(row.line)
    now = datetime.now(UTC)
    for name in DATES:
        values[name] = datetime.fromisoformat(values[name])
    for name in NUMBERS:
        values[name] = None if values[name] is None else Decimal(values[name])
    values["extra"] = msgspec.json.encode(values["extra"]).decode()
    return (*(values[name] for name in COPIED[:-3]), now, now, now)


async def wal_position(engine: AsyncEngine) -> float:
    """Return how many bytes of log the server has written."""
    async with engine.connect() as connection:
        statement = text("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
        return float((await connection.execute(statement)).scalar_one())


async def vacuum(engine: AsyncEngine) -> None:
    """Do now what autovacuum would do at some time during the measurement."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE projects, project_search, project_history"))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

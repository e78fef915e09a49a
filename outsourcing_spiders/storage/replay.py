"""Store what an earlier crawl had to leave on disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.rejections import insert_rejections, rejection_line
from outsourcing_spiders.storage.spool import Spool, read_lines
from outsourcing_spiders.storage.upsert import Stored, upsert, upsert_by_halves

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Replayed:
    """What became of the spooled rows."""

    files: int = 0
    rows: int = 0
    new: int = 0
    changed: int = 0
    rejected: int = 0


async def replay(engine: AsyncEngine, spool: Spool) -> Replayed:
    """Store every spooled batch, oldest first, and remove its file once it is stored.

    A row that the database refuses goes to ``rejected_items``. Raises what the driver raises when the
    database is away; the files that were not stored stay.
    """
    replayed = Replayed()
    for path in spool.files("rejected"):
        async with engine.begin() as connection:
            await insert_rejections(connection, read_lines(path))
        path.unlink(missing_ok=True)

    async def write(lines: Sequence[bytes]) -> Stored:
        async with engine.begin() as connection:
            return await upsert(connection, lines)

    for path in spool.files("projects"):
        lines = read_lines(path)
        if lines:
            stored, refused = await upsert_by_halves(lines, write)
            if refused:
                async with engine.begin() as connection:
                    await insert_rejections(connection, _rejections(lines, refused))
            replayed.new += stored.new
            replayed.changed += stored.changed
            replayed.rejected += len(refused)
            replayed.rows += len(lines)
            replayed.files += 1
        path.unlink(missing_ok=True)
    if replayed.files:
        logger.info(
            "Stored %d projects that an earlier crawl had left on disk: %d new, %d changed, %d rejected",
            replayed.rows, replayed.new, replayed.changed, replayed.rejected,
        )  # fmt: skip
    return replayed


def _rejections(lines: Sequence[bytes], refused: dict[int, str]) -> Iterator[bytes]:
    for index, reason in refused.items():
        row = msgspec.json.decode(lines[index])
        yield rejection_line(row, reason, spider=row["platform"], run_id=None)

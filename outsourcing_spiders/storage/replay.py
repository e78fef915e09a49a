"""Store what an earlier crawl had to leave on disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.rejections import insert_rejections, rejection_line
from outsourcing_spiders.storage.spool import Spool, read_lines, set_aside
from outsourcing_spiders.storage.upsert import Stored, is_refusal, upsert, upsert_by_halves

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Replayed:
    """What became of the spooled projects."""

    files: int = 0
    rows: int = 0
    new: int = 0
    changed: int = 0
    rejected: int = 0
    set_aside: int = 0
    """Files, also of rejected items, that could not be read in whole; what could be read of them is stored."""


async def replay(engine: AsyncEngine, spool: Spool) -> Replayed:
    """Store every spooled batch, oldest first, and remove its file once it is stored.

    A row that the database refuses goes to ``rejected_items``. A file with a line that cannot be read is
    stored without it and set aside: it is kept, and stands in nobody's way. Raises what the driver raises
    when the database is away; the files that were not stored stay.
    """
    replayed = Replayed()
    for path in spool.files("rejected"):
        lines, is_whole = _readable(path)
        try:
            async with engine.begin() as connection:
                await insert_rejections(connection, lines)
        except DBAPIError as error:
            if not is_refusal(error):
                raise
            is_whole = False
        replayed.set_aside += _dispose(path, is_whole)

    async def write(lines: Sequence[bytes]) -> Stored:
        async with engine.begin() as connection:
            return await upsert(connection, lines)

    for path in spool.files("projects"):
        lines, is_whole = _readable(path)
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
        replayed.set_aside += _dispose(path, is_whole)
    if replayed.files:
        logger.info(
            "Stored %d projects that an earlier crawl had left on disk: %d new, %d changed, %d rejected",
            replayed.rows, replayed.new, replayed.changed, replayed.rejected,
        )  # fmt: skip
    return replayed


def _readable(path: Path) -> tuple[list[bytes], bool]:
    """Return the lines of a file that are objects of JSON, and whether that is all of it."""
    try:
        lines = read_lines(path)
    except OSError as error:
        logger.warning("%s cannot be read: %s", path, error)
        return [], False
    readable = [line for line in lines if _is_object(line)]
    return readable, len(readable) == len(lines)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _dispose(path: Path, is_whole: bool) -> bool:
    """Remove a file that is stored, or set it aside; return whether the latter. Never raises."""
    try:
        if is_whole:
            path.unlink(missing_ok=True)
            return False
        logger.warning("Not all of %s could be stored; it is kept as %s", path, set_aside(path).name)
    except OSError as error:
        logger.warning("%s cannot be taken out of the way and is read again each time: %s", path, error)
    return not is_whole


def _rejections(lines: Sequence[bytes], refused: dict[int, str]) -> Iterator[bytes]:
    for index, reason in refused.items():
        row = msgspec.json.decode(lines[index])
        yield rejection_line(row, reason, spider=str(row.get("platform") or "unknown"), run_id=None)

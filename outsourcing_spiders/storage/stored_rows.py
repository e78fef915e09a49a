"""What is stored of projects that were just read, beside what would be stored of them now. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, bindparam, text

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.engine import explained
from outsourcing_spiders.storage.rows import prepare
from outsourcing_spiders.storage.status import UncheckedDatabase, advice, is_made
from outsourcing_spiders.storage.upsert import KEEPS_TEXT, KEPT_WHEN, SENT, TYPED, beside_a_full_text

_PATIENCE = 10
"""Seconds after which the look is given up."""
_NOT_THE_PLATFORMS = ("platform", "external_id", "budget_min_usd", "budget_max_usd", "expires_at")
"""The key, and what changes by itself: the dollar every day, the end of a copy at each renewal."""
COLUMNS = tuple(name for name in SENT if name not in _NOT_THE_PLATFORMS)
"""The columns that are compared."""


@dataclass(slots=True)
class Pair:
    """One project; the values are in the order of `COLUMNS`."""

    external_id: str
    stored: tuple[Any, ...] | None
    """``None``: the project is new."""
    seen: tuple[Any, ...]
    """As it was read."""
    merged: tuple[Any, ...]
    """As it would be stored: a full text stays when only a teaser comes, a time when no better one does."""
    is_beside_full: bool
    """Whether a teaser came, and the project's own page is stored: what only that page tells is not to be expected."""


async def stored_rows(url: str, projects: Sequence[Project], *, embedded_root: Path) -> list[Pair]:
    """Return the stored rows of `projects`, which validation has seen, in their order; each project once.

    An embedded server is started for it, but never made. Raises `StorageError` when there is no database, or none
    with a current schema.
    """
    if not url.strip() and not is_made(embedded_root):
        raise StorageError("nothing is stored yet: the first crawl makes the database")
    async with UncheckedDatabase(url, embedded_root=embedded_root) as database:
        if sentence := advice(*await database.schema_state()):
            raise StorageError(sentence)
        lines = {row.key: row.line for row in map(prepare, projects)}
        with explained(database.name):
            async with database.engine.connect() as connection:
                await connection.execute(text("SET TRANSACTION READ ONLY"))
                await connection.execute(text(f"SET LOCAL statement_timeout = '{_PATIENCE}s'"))
                rows = (await connection.execute(_PAIRS, {"rows": b"[" + b",".join(lines.values()) + b"]"})).all()
    found = {}
    wide = len(COLUMNS)
    for identity, is_stored, is_beside_full, *values in rows:
        stored, seen, merged = (tuple(values[at : at + wide]) for at in (0, wide, 2 * wide))
        found[identity] = Pair(identity, stored if is_stored else None, seen, merged, bool(is_beside_full))
    return [found[identity] for _, identity in lines]


def _merged(name: str) -> str:
    """Return what the statement that stores projects would make of a column."""
    if keeps := KEPT_WHEN.get(name):
        return f"CASE WHEN {keeps.format(p='p', e='r')} THEN p.{name} ELSE r.{name} END"
    return f"CASE WHEN {KEEPS_TEXT.format(p='p', e='r')} THEN {beside_a_full_text(name, 'p', 'r')} ELSE r.{name} END"


_PAIRS = text(
    f"""
SELECT r.external_id, p.external_id IS NOT NULL, {KEEPS_TEXT.format(p="p", e="r")},
    {", ".join(f"p.{name}" for name in COLUMNS)},
    {", ".join(f"r.{name}" for name in COLUMNS)},
    {", ".join(_merged(name) for name in COLUMNS)}
FROM json_to_recordset(CAST(convert_from(:rows, 'UTF8') AS json)) AS r({TYPED})
LEFT JOIN projects p ON p.platform = r.platform AND p.external_id = r.external_id
"""  # noqa: S608 - made of column names, nothing from outside
).bindparams(bindparam("rows", type_=LargeBinary))

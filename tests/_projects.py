"""Projects to store, and what the database then holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.items import Budget, Project
from outsourcing_spiders.storage.rows import PreparedRow, prepare, stamped
from outsourcing_spiders.storage.upsert import Stored, upsert

POSTED = datetime(2026, 3, 1, 8, 0, 5, 123456, tzinfo=UTC)
PLAIN = Project(
    platform="alpha",
    external_id="1",
    url="https://www.example.com/1",
    title="A shop for shoes",
    description="All of it.",
    status="open",
    budget=Budget(minimum=Decimal(250), maximum=Decimal(750), currency="EUR", period="total"),
    skills=["PHP", "MySQL"],
    posted_at=POSTED,
    posted_precision="exact",
    bid_count=3,
    bid_average=Decimal(500),
)


def project(external_id: object = 1, **changes: Any) -> Project:
    """Return a project like `PLAIN` with another id and other values."""
    return replace(PLAIN, **{"external_id": str(external_id), **changes})


def bad_row(key: object = "bad", /, **columns: Any) -> PreparedRow:
    """Return a row that the database refuses: for its status, or for what `columns` says (JSON, unquoted)."""
    row = prepare(project(key))
    line = row.line.replace(b'"status":"open"', b'"status":"nonsense"') if not columns else row.line
    for name, value in columns.items():
        before, _, rest = line.partition(f'"{name}":'.encode())
        after = min((at for mark in (b',"', b"}") if (at := rest.find(mark)) >= 0), default=len(rest))
        line = before + f'"{name}":{value}'.encode() + rest[after:]
    return row._replace(line=line)


async def put(engine: AsyncEngine, *projects: Project, seen_at: datetime | None = None) -> Stored:
    """Store projects in one statement, as the writer does it."""
    rows = sorted((prepare(project) for project in projects), key=lambda row: row.key)
    lines = [stamped(row.line, seen_at) if seen_at else row.line for row in rows]
    async with engine.begin() as connection:
        return await upsert(connection, lines)


async def ask(engine: AsyncEngine, sql: str, **parameters: Any) -> list[Row[Any]]:
    """Return the rows of a query."""
    async with engine.connect() as connection:
        return list(await connection.execute(text(sql), parameters))


async def one(engine: AsyncEngine, external_id: object = 1) -> Row[Any]:
    """Return the stored project."""
    (row,) = await ask(
        engine, "SELECT *, xmin::text || '/' || ctid::text AS version FROM projects WHERE external_id = :id",
        id=str(external_id),
    )  # fmt: skip
    return row


async def number(engine: AsyncEngine, sql: str, **parameters: Any) -> Any:
    """Return the only value of a query."""
    ((value,),) = await ask(engine, sql, **parameters)
    return value


async def change(engine: AsyncEngine, *statements: str) -> None:
    """Run statements, as a user with psql would."""
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


def prepared(projects: Iterable[Project]) -> list[PreparedRow]:
    """Return what is sent for each project."""
    return [prepare(project) for project in projects]

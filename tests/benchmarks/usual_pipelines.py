"""Item pipelines as they are usually written: every item is one statement and one commit."""

from __future__ import annotations

import json
import os
from typing import Any

import psycopg2
from psycopg2.extras import Json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from outsourcing_spiders.items import Project
from outsourcing_spiders.storage.rows import prepare

# A table with the columns and the key of ``projects``, and nothing else: no history, no notices, no search.
COLUMNS = {
    "platform": "text", "external_id": "text", "url": "text", "title": "text", "description": "text",
    "description_complete": "boolean", "status": "text", "pricing": "text", "budget_min": "numeric",
    "budget_max": "numeric", "currency": "text", "budget_text": "text", "budget_min_usd": "numeric",
    "budget_max_usd": "numeric", "skills": "text[]", "category": "text", "work_mode": "text", "location": "text",
    "language": "text", "posted_at": "timestamptz", "posted_precision": "text", "posted_text": "text",
    "closes_at": "timestamptz", "bid_count": "integer", "bid_average": "numeric", "client_country": "text",
    "client_rating": "numeric", "client_reviews": "integer", "client_verified": "boolean", "extra": "jsonb",
}  # fmt: skip
CREATE = (
    f"CREATE TABLE IF NOT EXISTS usual ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())}, "
    "PRIMARY KEY (platform, external_id))"
)


def upsert(placeholder: str) -> str:
    """Return the statement, with parameters written as `placeholder`."""
    values = ", ".join(f"CAST({placeholder.format(name)} AS {kind})" for name, kind in COLUMNS.items())
    sets = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
    return (
        f"INSERT INTO usual ({', '.join(COLUMNS)}) VALUES ({values}) "
        f"ON CONFLICT (platform, external_id) DO UPDATE SET {sets}"
    )


def parameters(item: Project) -> dict[str, Any]:
    """Return the values of one item."""
    values = json.loads(prepare(item).line)
    return {name: values[name] for name in COLUMNS}


class Psycopg2Pipeline:
    """The pipeline of most tutorials."""

    def open_spider(self) -> None:
        """Connect and make the table."""
        self.connection = psycopg2.connect(os.environ["DATABASE_URL"].replace("+asyncpg", ""))
        with self.connection.cursor() as cursor:
            cursor.execute(CREATE)
        self.connection.commit()

    def process_item(self, item: Project) -> Project:
        """Write one item and commit."""
        values = parameters(item)
        with self.connection.cursor() as cursor:
            cursor.execute(upsert("%({})s"), values | {"extra": Json(values["extra"])})
        self.connection.commit()
        return item

    def close_spider(self) -> None:
        """Disconnect."""
        self.connection.close()


class SqlAlchemyPipeline:
    """The asynchronous one."""

    engine: AsyncEngine

    async def open_spider(self) -> None:
        """Connect and make the table."""
        self.engine = create_async_engine(os.environ["DATABASE_URL"])
        async with self.engine.begin() as connection:
            await connection.execute(text(CREATE))
        self.statement = text(upsert(":{}"))

    async def process_item(self, item: Project) -> Project:
        """Write one item and commit."""
        row = parameters(item)
        for name in ("posted_at", "closes_at"):
            row[name] = getattr(item, name)
        for name, kind in COLUMNS.items():
            if kind == "numeric" and row[name] is not None:
                row[name] = str(row[name])
        row["extra"] = json.dumps(row["extra"])
        async with self.engine.begin() as connection:
            await connection.execute(self.statement, row)
        return item

    async def close_spider(self) -> None:
        """Disconnect."""
        await self.engine.dispose()

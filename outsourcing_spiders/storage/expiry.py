"""Delete what the terms of a platform do not let us keep."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Their history and search vectors go with them. Rejected items hold whole rows, with times as ISO texts in UTC.
_PROJECTS = text("DELETE FROM projects WHERE expires_at <= now()")
_REJECTED = text(
    """
DELETE FROM rejected_items
WHERE payload->>'expires_at' <= to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
"""
)
_PAGES = text("DELETE FROM kept_pages WHERE expires_at <= now()")


async def prune(connection: AsyncConnection) -> int:
    """Delete the projects whose time is up, and return how many; rejected items and kept pages go likewise."""
    await connection.execute(_REJECTED)
    await connection.execute(_PAGES)
    return (await connection.execute(_PROJECTS)).rowcount

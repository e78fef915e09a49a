"""Which descriptions need not be asked for again."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

_WITH_FULL_TEXT = text(
    """
SELECT external_id FROM projects
WHERE platform = :platform AND external_id = ANY(:ids) AND description_complete
"""
).bindparams(bindparam("ids", type_=ARRAY(Text)))


async def with_full_text(connection: AsyncConnection, platform: str, ids: Collection[str]) -> set[str]:
    """Return which of `ids` are stored with a full description."""
    result = await connection.execute(_WITH_FULL_TEXT, {"platform": platform, "ids": list(ids)})
    return set(result.scalars())

"""Which descriptions need not be asked for again."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

_NO_TEXT_STANDS = "7 days"
"""How long it stands that a project has no text: should a page have been misread, it is not so for ever."""
_WITH_FULL_TEXT = text(
    f"""
SELECT external_id FROM projects
WHERE platform = :platform AND external_id = ANY(:ids) AND description_complete
    AND (description IS NOT NULL OR changed_at > now() - interval '{_NO_TEXT_STANDS}')
"""  # noqa: S608 - a constant
).bindparams(bindparam("ids", type_=ARRAY(Text)))


async def with_full_text(connection: AsyncConnection, platform: str, ids: Collection[str]) -> set[str]:
    """Return which of `ids` are stored with a full description, or lately were found to have none."""
    result = await connection.execute(_WITH_FULL_TEXT, {"platform": platform, "ids": list(ids)})
    return set(result.scalars())

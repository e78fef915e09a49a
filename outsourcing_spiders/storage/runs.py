"""The log of crawls, and what it says about what is already known."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Interval, Text, bindparam, insert, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.parsing.text import clean_json
from outsourcing_spiders.storage.tables import crawl_runs


class Anchor(NamedTuple):
    """The newest crawl that stored a listing without gaps."""

    finished_at: datetime
    """A project first seen up to then has nothing unknown below it in the listing."""
    whole_since: str
    """How far back the listing is whole: an ISO time, or `parsing.dates.WHOLE`."""


async def begin_run(connection: AsyncConnection, spider: str, listing: str) -> int:
    """Log the start of a crawl and return its id."""
    statement = insert(crawl_runs).values(spider=spider, listing=listing, started_at=text("now()"))
    return int((await connection.execute(statement.returning(crawl_runs.c.id))).scalar_one())


async def finish_run(
    connection: AsyncConnection, run_id: int, *, reason: str, whole_since: str | None, counts: dict[str, int],
    stats: dict[str, Any],
) -> None:  # fmt: skip
    """Log the end of a crawl; `counts` are the columns of that name, `stats` any values."""
    # What a platform sent may stand in the name of a statistic; and JSON knows no NaN.
    encoded = msgspec.json.encode(clean_json(msgspec.to_builtins(stats, enc_hook=str, str_keys=True))).decode()
    statement = (
        update(crawl_runs)
        .where(crawl_runs.c.id == run_id)
        .values(
            finished_at=text("now()"),
            reason=reason,
            whole_since=text("CAST(:whole_since AS timestamptz)").bindparams(
                bindparam("whole_since", whole_since, type_=Text)
            ),
            stats=text("CAST(:all_stats AS jsonb)").bindparams(bindparam("all_stats", encoded, type_=Text)),
            **counts,
        )
    )
    await connection.execute(statement)


# Copies that expire are there as long as a crawl that read all of them itself is young enough.
_ANCHOR = text(
    """
SELECT finished_at, whole_since::text FROM crawl_runs
WHERE spider = :spider AND listing = :listing AND whole_since <= CAST(:wanted AS timestamptz)
AND (CAST(:kept_for AS interval) IS NULL OR EXISTS (
    SELECT FROM crawl_runs r WHERE r.spider = :spider AND r.listing = :listing AND r.reason = 'finished'
    AND r.whole_since <= CAST(:wanted AS timestamptz) AND r.started_at > now() - CAST(:kept_for AS interval)))
ORDER BY finished_at DESC LIMIT 1
"""
).bindparams(bindparam("wanted", type_=Text), bindparam("kept_for", type_=Interval()))


async def find_anchor(
    connection: AsyncConnection, spider: str, listing: str, wanted: str, *, kept_for: timedelta | None = None
) -> Anchor | None:
    """Return the newest crawl of `listing` that is whole back to `wanted` (ISO time or `WHOLE`), if any is.

    Projects that later, interrupted crawls stored prove nothing about what lies below them in the listing. Where
    copies expire after `kept_for`, a crawl that read all of the listing must be younger than that.
    """
    values = {"spider": spider, "listing": listing, "wanted": wanted, "kept_for": kept_for}
    row = (await connection.execute(_ANCHOR, values)).one_or_none()
    return None if row is None else Anchor(row.finished_at, row.whole_since)


_KNOWN = text(
    """
SELECT external_id FROM projects
WHERE platform = :platform AND external_id = ANY(:ids) AND first_seen_at <= :until
UNION
SELECT external_id FROM rejected_items WHERE spider = :platform AND external_id = ANY(:ids)
"""
).bindparams(bindparam("ids", type_=ARRAY(Text)))


async def known_ids(connection: AsyncConnection, platform: str, ids: Collection[str], until: datetime) -> set[str]:
    """Return which of `ids` were stored by `until`, or are known to be refused each time."""
    result = await connection.execute(_KNOWN, {"platform": platform, "ids": list(ids), "until": until})
    return set(result.scalars())

"""What platforms refuse us at present, or want a long rest, so that the next crawl does not insist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import DateTime, Interval, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.outcomes import CloseReason

PAUSES: dict[CloseReason, tuple[timedelta, timedelta]] = {
    CloseReason.BLOCKED: (timedelta(hours=1), timedelta(hours=24)),
    CloseReason.RATE_LIMITED: (timedelta(minutes=5), timedelta(hours=6)),
}
"""How long crawls leave a platform alone after the first such refusal, doubled each time, and at most."""


class Block(NamedTuple):
    """A platform that is left alone; times are aware UTC."""

    reason: CloseReason
    message: str
    blocked_since: datetime
    retry_at: datetime


_CURRENT = text(
    """
SELECT reason, message, blocked_since, retry_at FROM platform_blocks
WHERE spider = :spider AND host = :host AND retry_at > now()
"""
)

_REMEMBER = text(
    """
INSERT INTO platform_blocks AS b (spider, host, reason, message, blocked_since, retry_at, times)
VALUES (:spider, :host, :reason, :message, now(), greatest(now() + :first, :asked), 1)
ON CONFLICT (spider, host) DO UPDATE SET
    reason = excluded.reason,
    message = excluded.message,
    -- 2 to the power of 20 times the first pause is more than any limit.
    retry_at = greatest(now() + least(:first * 2 ^ least(b.times, 20), :most), :asked),
    times = b.times + 1
RETURNING blocked_since, retry_at
"""
).bindparams(
    bindparam("asked", type_=DateTime(timezone=True)),
    bindparam("first", type_=Interval()),
    bindparam("most", type_=Interval()),
)

_FORGET = text("DELETE FROM platform_blocks WHERE spider = :spider AND host = :host")


async def current_block(connection: AsyncConnection, spider: str, host: str) -> Block | None:
    """Return why `host` is to be left alone now, if it is."""
    row = (await connection.execute(_CURRENT, {"spider": spider, "host": host})).one_or_none()
    return None if row is None else Block(CloseReason(row.reason), row.message, row.blocked_since, row.retry_at)


async def remember_block(
    connection: AsyncConnection, spider: str, host: str, *, reason: CloseReason, message: str, asked: datetime | None
) -> Block:
    """Note that a crawl of `host` met `reason`, one of `PAUSES`; `asked` (aware): when it lets us in again."""
    first, most = PAUSES[reason]
    values = {
        "spider": spider,
        "host": host,
        "reason": reason.value,
        "message": message,
        "first": first,
        "most": most,
        "asked": asked,
    }
    row = (await connection.execute(_REMEMBER, values)).one()
    return Block(reason, message, row.blocked_since, row.retry_at)


async def forget_block(connection: AsyncConnection, spider: str, host: str) -> None:
    """Note that `host` let a crawl in."""
    await connection.execute(_FORGET, {"spider": spider, "host": host})

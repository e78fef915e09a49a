"""Pages that ended a crawl, kept for diagnosis: bounded, compressed, without secrets and personal data."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import DateTime, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.parsing.text import clean_json, drop_unstorable

LARGEST_BODY = 512 * 1024
"""Bytes of a body that are kept."""
PAGES_OF_A_SPIDER = 20
"""Pages that are kept of each spider; older ones go."""
_LONGEST_TEXT = 2_000
_LONGEST_SECRET = 8_192  # bytes
_PRIVATE_HEADERS = frozenset({"set-cookie", "cookie", "authorization", "proxy-authorization", "www-authenticate"})

Scrub = Callable[[str], str]
"""Return a text without secrets and personal data."""


class KeptPage(NamedTuple):
    """One page; `body` is what is kept of it, `body_size` its whole size in bytes, `kept_at` aware UTC."""

    id: int
    spider: str
    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    body_size: int
    reason: str
    finding: str
    kept_at: datetime


_KEEP = text(
    """
WITH old AS (
    DELETE FROM kept_pages WHERE spider = :spider AND id NOT IN (
        SELECT id FROM kept_pages WHERE spider = :spider ORDER BY kept_at DESC, id DESC LIMIT :others)
)
INSERT INTO kept_pages (run_id, spider, url, status, headers, body, body_size, reason, finding, kept_at,
    expires_at)
VALUES ((SELECT id FROM crawl_runs WHERE id = :run_id), :spider, :url, :status, CAST(:headers AS jsonb), :body,
    :body_size, :reason, :finding, now(), :expires_at)
RETURNING id
"""
).bindparams(bindparam("headers", type_=Text), bindparam("expires_at", type_=DateTime(timezone=True)))

_LIST = text(
    "SELECT id, spider, url, status, headers, CAST('' AS bytea), body_size, reason, finding, kept_at FROM kept_pages "
    "ORDER BY kept_at DESC, id DESC"
)
_ONE = text(
    "SELECT id, spider, url, status, headers, body, body_size, reason, finding, kept_at FROM kept_pages WHERE id = :id"
)


async def keep_page(
    connection: AsyncConnection, *, run_id: int | None, spider: str, url: str, status: int,
    headers: Mapping[str, str], body: bytes, reason: str, finding: str, scrub: Scrub,
    expires_at: datetime | None = None,
) -> int:  # fmt: skip
    """Keep a page and return its number; the oldest one of the spider goes when there are too many.

    `expires_at` (aware) is when the terms of the platform want it deleted; see `storage.expiry`.
    """
    told = {name: scrub(value) for name, value in headers.items() if name.lower() not in _PRIVATE_HEADERS}
    # Every byte is a character of Latin-1, so that what is no secret is kept as it came.
    # A secret that the cut goes through is not recognized, so it goes with what is before it.
    beginning = body[: LARGEST_BODY + _LONGEST_SECRET]
    kept = scrub(beginning.decode("latin-1")).encode("latin-1", "replace")
    if len(beginning) < len(body):
        kept = kept[:-_LONGEST_SECRET]
    values = {
        "run_id": run_id,
        "spider": spider,
        "url": drop_unstorable(scrub(url))[:_LONGEST_TEXT],
        "status": status,
        "headers": msgspec.json.encode(clean_json(told)).decode(),
        "body": gzip.compress(kept[:LARGEST_BODY], 6, mtime=0),
        "body_size": len(body),
        "reason": reason,
        "finding": drop_unstorable(scrub(finding))[:_LONGEST_TEXT],
        "expires_at": expires_at,
        "others": PAGES_OF_A_SPIDER - 1,
    }
    return int((await connection.execute(_KEEP, values)).scalar_one())


async def kept_pages(connection: AsyncConnection) -> list[KeptPage]:
    """Return the pages of all spiders, newest first, without their bodies."""
    return [KeptPage(*row) for row in await connection.execute(_LIST)]


async def kept_page(connection: AsyncConnection, number: int) -> KeptPage | None:
    """Return one page with its body."""
    row = (await connection.execute(_ONE, {"id": number})).one_or_none()
    return None if row is None else KeptPage(*row)._replace(body=gzip.decompress(row.body))

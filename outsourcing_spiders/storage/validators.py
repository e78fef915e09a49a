"""ETag and Last-Modified of pages whose projects are stored: asked again, such a page may answer "not modified".

Whoever deletes projects of a platform deletes those of its pages, too: triggers see to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection


class Validators(NamedTuple):
    """What a page said of its version; at least one of the two."""

    etag: str | None
    last_modified: str | None


_LOAD = text("SELECT url, etag, last_modified FROM page_validators WHERE spider = :spider AND listing = :listing")

_STORE = text(
    """
INSERT INTO page_validators (spider, listing, url, etag, last_modified, stored_at)
SELECT :spider, :listing, url, etag, last_modified, now()
FROM json_to_recordset(CAST(:rows AS json)) AS r(url text, etag text, last_modified text)
ORDER BY url
ON CONFLICT (spider, listing, url) DO UPDATE SET
    etag = excluded.etag, last_modified = excluded.last_modified, stored_at = excluded.stored_at
"""
).bindparams(bindparam("rows", type_=Text))


async def load_validators(connection: AsyncConnection, spider: str, listing: str) -> dict[str, Validators]:
    """Return what is known of the pages of a listing, by their address."""
    rows = await connection.execute(_LOAD, {"spider": spider, "listing": listing})
    return {row.url: Validators(row.etag, row.last_modified) for row in rows}


async def store_validators(
    connection: AsyncConnection, spider: str, listing: str, found: Mapping[str, Validators]
) -> None:
    """Remember `found`; only for a crawl that stored all that these pages held."""
    if not found:
        return
    rows = [{"url": url, "etag": page.etag, "last_modified": page.last_modified} for url, page in found.items()]
    values = {"spider": spider, "listing": listing, "rows": msgspec.json.encode(rows).decode()}
    await connection.execute(_STORE, values)

"""Save answers of the Guru stand-in with what a perfect reader makes of them, for tests without a server.

    python tests/platforms_standins/_guru_fixtures.py

writes `tests/fixtures/guru/` anew; a test sees to it that the files are what the stand-in answers.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp

if __package__ in (None, ""):
    sys.path[:0] = map(str, Path(__file__).resolve().parents[1:3])

from platforms_standins._saved_fixtures import SavedFixtures
from platforms_standins.guru import GuruStandIn

from outsourcing_spiders.outcomes import CloseReason

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "guru"
#: What the Date header of every saved answer said: 2026-09-21 14:00:00 UTC, Unix seconds.
NOW = 1_789_999_200
_DETAILS = {"detail": None, "detail_bare_breaks": "json_ld_bare_breaks", "detail_graph": "json_ld_graph"}


async def saved() -> SavedFixtures:
    """Return the saved files."""
    made = SavedFixtures("https://www.guru.com", NOW)
    async with aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http:

        async def save(site: GuruStandIn, name: str, path: str, **known: Any) -> None:
            async with http.get(site.base_url + path) as answer:
                made.add(name, await answer.read(), path, status=answer.status, **known)

        async with GuruStandIn(24, seed=1, now=NOW, odd_rows=False, featured=1) as site:
            listed = list(site.expected("list").values())
            await save(site, "listing_first", "/d/jobs/", items=listed[:20], place=1)
            site.fail("incapsula", times=1)
            await save(site, "blocked", "/d/jobs/", outcome=CloseReason.BLOCKED, place=1)
        async with GuruStandIn(70, seed=3, now=NOW) as site:
            listed, full = site.expected("list"), site.expected("full")
            await save(site, "listing_odd", "/d/jobs/pg/2/", items=list(listed.values())[20:40], place=2)
            for name, odd in _DETAILS.items():
                row = site.row(site.odd[odd] if odd else next(i for i in site.listed_ids() if site.row(i).odd is None))
                told = {"item": listed[str(row.id)], "items": [full[str(row.id)]]}
                await save(site, name, row.address, read_by="detail", **told)
    return made


if __name__ == "__main__":
    asyncio.run(saved()).write(FOLDER)

"""Save answers of the Guru stand-in with what a perfect reader makes of them, for tests without a server.

    python tests/platforms_standins/_guru_fixtures.py

writes `tests/fixtures/guru/` anew; a test sees to it that the files are what the stand-in answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins.guru import GuruStandIn

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "guru"
#: What the Date header of every saved answer said: 2026-09-21 14:00:00 UTC, Unix seconds.
NOW = 1_789_999_200
_DETAILS = {"detail": None, "detail_bare_breaks": "json_ld_bare_breaks", "detail_graph": "json_ld_graph"}


async def saved() -> dict[str, str]:
    """Return the saved files by their names."""
    found: dict[str, str] = {}
    async with aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http:

        async def save(site: GuruStandIn, name: str, path: str, items: list[Any]) -> None:
            async with http.get(site.base_url + path) as answer:
                found[f"{name}.html"] = await answer.text()
            found[f"{name}.items.json"] = json.dumps(items, ensure_ascii=False, indent=1) + "\n"

        async with GuruStandIn(24, seed=1, now=NOW, odd_rows=False, featured=1) as site:
            await save(site, "listing_first", "/d/jobs/", list(site.expected("list").values())[:20])
        async with GuruStandIn(70, seed=3, now=NOW) as site:
            await save(site, "listing_odd", "/d/jobs/pg/2/", list(site.expected("list").values())[20:40])
            for name, odd in _DETAILS.items():
                row = site.row(site.odd[odd] if odd else next(i for i in site.listed_ids() if site.row(i).odd is None))
                await save(site, name, row.address, [site.expected("detail")[str(row.id)]])
    return found


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file_name, text in asyncio.run(saved()).items():
        (FOLDER / file_name).write_text(text)

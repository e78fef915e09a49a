"""Save answers of the PeoplePerHour stand-in with what a perfect reader makes of them, for tests without a server.

    python tests/platforms_standins/_peopleperhour_fixtures.py

writes `tests/fixtures/peopleperhour/` anew; a test sees to it that the files are what the stand-in answers.
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

from platforms_standins.peopleperhour import PeoplePerHourStandIn

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "peopleperhour"
#: What serverTime and the Date header of every saved answer said: 2026-09-21 14:00:00 UTC, Unix seconds.
NOW = 1_789_999_200


async def saved() -> dict[str, str]:
    """Return the saved files by their names."""
    found: dict[str, str] = {}
    async with aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http:

        async def save(site: PeoplePerHourStandIn, name: str, path: str, items: list[Any]) -> None:
            async with http.get(site.base_url + path) as answer:
                found[f"{name}.html"] = await answer.text()
            found[f"{name}.items.json"] = json.dumps(items, ensure_ascii=False, indent=1) + "\n"

        async with PeoplePerHourStandIn(24, seed=1, now=NOW, odd_rows=False) as site:
            first = next(iter(site.projects.values()))
            await save(site, "listing_first", "/freelance-jobs?page=1&sort=latest", list(site.projects.values())[:20])
            await save(site, "detail", first["url"].removeprefix("https://www.peopleperhour.com"), [first])
        async with PeoplePerHourStandIn(80, seed=3, now=NOW) as site:
            site.row(site.odd["description_long"]).attributes["proj_desc"] = "Long texts are left to the stand-in."
            odd = list(site.projects.values())
            await save(site, "listing_odd", "/freelance-jobs?page=2&sort=latest", odd[20:40])
            site.set_layout("older")
            await save(site, "listing_older", "/freelance-jobs?page=3&sort=latest", odd[40:60])
    return found


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file_name, text in asyncio.run(saved()).items():
        (FOLDER / file_name).write_text(text)

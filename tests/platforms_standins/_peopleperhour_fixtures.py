"""Save answers of the PeoplePerHour stand-in with what a perfect reader makes of them, for tests without a server.

    python tests/platforms_standins/_peopleperhour_fixtures.py

writes `tests/fixtures/peopleperhour/` anew; a test sees to it that the files are what the stand-in answers.
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
from platforms_standins._server import JSON
from platforms_standins.peopleperhour import PeoplePerHourStandIn

from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.parsing.markup import text_or_markup

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "peopleperhour"
#: What serverTime and the Date header of every saved answer said: 2026-09-21 14:00:00 UTC, Unix seconds.
NOW = 1_789_999_200


async def saved() -> SavedFixtures:
    """Return the saved files."""
    made = SavedFixtures("https://www.peopleperhour.com", NOW)
    async with aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http:

        async def save(site: PeoplePerHourStandIn, name: str, page: int, **known: Any) -> None:
            path = f"/freelance-jobs?page={page}&sort=latest"
            async with http.get(site.base_url + path) as answer:
                made.add(name, await answer.read(), path, status=answer.status, place=page, **known)

        async with PeoplePerHourStandIn(24, seed=1, now=NOW, odd_rows=False) as site:
            await save(site, "listing_first", 1, items=_told(site)[:20])
            site.fail("challenge", times=1)
            await save(site, "blocked", 1, outcome=CloseReason.BLOCKED)
        async with PeoplePerHourStandIn(80, seed=3, now=NOW) as site:
            site.row(site.odd["description_long"]).attributes["proj_desc"] = "Long texts are left to the stand-in."
            await save(site, "listing_odd", 2, items=_told(site)[20:40])
            site.set_layout("older")
            await save(site, "listing_older", 3, items=_told(site)[40:60])
    return made


def _told(site: PeoplePerHourStandIn) -> list[JSON]:
    """Return what the site tells of its projects, where it knows the text behind some markup marked as ours are."""
    found = []
    for number, project in site.projects.items():
        row = site.row(int(number))
        text = project["description"] if row.text is None else text_or_markup(row.get("proj_desc"))
        found.append(project | {"description": text})
    return found


if __name__ == "__main__":
    asyncio.run(saved()).write(FOLDER)

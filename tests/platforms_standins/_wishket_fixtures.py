"""Save answers of the Wishket stand-in, with what a perfect reader makes of them: `python …/_wishket_fixtures.py`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

if __package__ in (None, ""):
    sys.path[:0] = map(str, Path(__file__).resolve().parents[1:3])

from platforms_standins._saved_fixtures import SavedFixtures
from platforms_standins.wishket import WishketStandIn, packed

from outsourcing_spiders.outcomes import CloseReason

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "wishket"
#: Monday, 21 September 2026 14:13:20 GMT, 23:13 in Korea.
NOW = 1_790_000_000
SEED = 7
ODD_PAGE = (
    "private",
    "undecided",
    "undecided_bare",
    "in_manwon",
    "closed",
    "ends_today",
    "title_entities",
    "no_budget",
    "no_posted",
    "not_rated",
)


async def saved() -> SavedFixtures:
    """Return the saved files."""
    made = SavedFixtures("https://www.wishket.com", NOW)
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http,
        WishketStandIn(35, SEED, NOW, odd_rows=False, frozen=True) as site,
    ):

        async def save(name: str, path: str, *, is_twin: bool = False, **known: Any) -> None:
            headers = {"X-Requested-With": "XMLHttpRequest"} if is_twin else {}
            async with http.get(URL(site.base_url + path, encoded=True), headers=headers) as answer:
                made.add(name, await answer.read(), path, status=answer.status, **known)

        first = packed(srt="new", page=1)
        await save("listing", first, place=1, items=site.projects[:10])
        await save("listing_twin", first, is_twin=True, place=1, items=site.projects[:10])
        await save("last_page", packed(srt="new", page=4), place=4, items=site.projects[30:])
        monthly = next(place for place, project in enumerate(site.projects) if project["extra"]["type"] == "기간제")
        whole = site.detailed_projects[monthly]
        # How many rated the client is not on the card, which renews what the project's page said.
        whole = whole | {"client": whole["client"] | {"reviews": None}}
        path = f"/project/{site.listed_ids()[monthly]}/"
        await save("detail", path, read_by="detail", item=site.projects[monthly], items=[whole])
        for number, odd in zip(site.listed_ids(), ODD_PAGE, strict=False):
            site.bend(number, odd)
        await save("odd", first, place=1, items=site.projects[:10])
        nothing = packed(srt="new", s="없는말")
        # The page tells no total, and an empty one may be anything; its twin says that there is nothing.
        await save("empty", nothing, place=1, arguments={"query": "없는말"}, outcome=CloseReason.LAYOUT_CHANGED)
        await save("empty_twin", nothing, is_twin=True, place=1, arguments={"query": "없는말"})
        return made


if __name__ == "__main__":
    asyncio.run(saved()).write(FOLDER)

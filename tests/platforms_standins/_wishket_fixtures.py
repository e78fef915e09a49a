"""Save answers of the Wishket stand-in, with what a perfect reader makes of them: `python …/_wishket_fixtures.py`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
from yarl import URL

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins._server import JSON
from platforms_standins.wishket import WishketStandIn, packed

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


def items(stored: list[JSON]) -> bytes:
    """Return what a perfect reader stores as the text of an items file."""
    return json.dumps(stored, default=str, ensure_ascii=False, indent=1).encode() + b"\n"


async def answers() -> dict[str, bytes]:
    """Return the saved answers by file name."""
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http,
        WishketStandIn(35, SEED, NOW, odd_rows=False, frozen=True) as site,
    ):

        async def get(path: str, **headers: str) -> bytes:
            async with http.get(URL(site.base_url + path, encoded=True), headers=headers) as answer:
                return await answer.read()

        first = packed(srt="new", page=1)
        made = {"listing.html": await get(first), "listing.items.json": items(site.projects[:10])}
        made["listing_twin.json"] = await get(first, **{"X-Requested-With": "XMLHttpRequest"})
        made["last_page.html"] = await get(packed(srt="new", page=4))
        made["last_page.items.json"] = items(site.projects[30:])
        monthly = next(place for place, project in enumerate(site.projects) if project["extra"]["type"] == "기간제")
        made["detail.html"] = await get(f"/project/{site.listed_ids()[monthly]}/")
        made["detail.items.json"] = items([site.detailed_projects[monthly]])
        for number, odd in zip(site.listed_ids(), ODD_PAGE, strict=False):
            site.bend(number, odd)
        made["odd.html"] = await get(first)
        made["odd.items.json"] = items(site.projects[:10])
        made["empty.html"] = await get(packed(srt="new", s="없는말"))
        made["empty_twin.json"] = await get(packed(srt="new", s="없는말"), **{"X-Requested-With": "XMLHttpRequest"})
        return made


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, body in asyncio.run(answers()).items():
        (FOLDER / name).write_bytes(body)


if __name__ == "__main__":
    main()

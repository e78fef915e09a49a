"""Save answers of the Freemoa stand-in, with what a perfect reader makes of them: `python …/_freemoa_fixtures.py`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins._server import JSON
from platforms_standins.freemoa import FreemoaStandIn

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "freemoa"
#: Monday, 21 September 2026 14:13:20 GMT, 23:13 in Korea.
NOW = 1_790_000_000
SEED = 7
ODD_PAGE = (
    "part_time",
    "by_the_month",
    "closed",
    "ends_today",
    "cost_zero",
    "cost_with_commas",
    "no_endtime",
    "zero_posted",
    "text_html",
    "skills_untidy",
)


def items(stored: list[JSON]) -> bytes:
    """Return what a perfect reader stores as the text of an items file."""
    return json.dumps(stored, default=str, ensure_ascii=False, indent=1).encode() + b"\n"


async def answers() -> dict[str, bytes]:
    """Return the saved answers by file name."""
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "fixtures"}, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
        FreemoaStandIn(35, SEED, NOW, odd_rows=False, frozen=True) as site,
    ):
        ajax = {
            "Referer": f"{site.base_url}/m4/s41",
            "Origin": site.base_url,
            "X-Requested-With": "XMLHttpRequest",
        }

        async def post(path: str, **form: str | int) -> bytes:
            async with http.post(site.base_url + path, data=form, headers=ajax) as answer:
                return await answer.read()

        listing = "/m4a/s41a"
        made = {"block.html": await post(listing, page=1)}
        async with http.get(f"{site.base_url}/m4/s41?page=1") as answer:
            made["shell.html"] = await answer.read()
        made["listing.json"] = await post(listing, page=1, sm=3)
        made["listing.items.json"] = items(site.projects[:10])
        made["last_page.json"] = await post(listing, page=4, sm=3)
        made["last_page.items.json"] = items(site.projects[30:])
        made["login.json"] = await post("/m4a/s41v", pno=site.listed_ids()[0], anyView=1)
        site.login_for_detail = False
        made["detail.json"] = await post("/m4a/s41v", pno=site.listed_ids()[0], anyView=1)
        made["detail.items.json"] = items([site.detailed_projects[0]])
        for number, odd in zip(site.listed_ids(), ODD_PAGE, strict=False):
            site.bend(number, odd)
        made["odd.json"] = await post(listing, page=1, sm=3)
        made["odd.items.json"] = items(site.projects[:10])
        made["empty.json"] = await post(listing, page=1, sm=3, sS="없는말")
        return made


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, body in asyncio.run(answers()).items():
        (FOLDER / name).write_bytes(body)


if __name__ == "__main__":
    main()

"""Save answers of the Freemoa stand-in, with what a perfect reader makes of them: `python …/_freemoa_fixtures.py`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

if __package__ in (None, ""):
    sys.path[:0] = map(str, Path(__file__).resolve().parents[1:3])

from platforms_standins._saved_fixtures import SavedFixtures
from platforms_standins.freemoa import FreemoaStandIn

from outsourcing_spiders.outcomes import CloseReason

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


async def saved() -> SavedFixtures:
    """Return the saved files."""
    made = SavedFixtures("https://www.freemoa.net", NOW)
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "fixtures"}, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
        FreemoaStandIn(35, SEED, NOW, odd_rows=False, frozen=True) as site,
    ):
        ajax = {
            "Referer": f"{site.base_url}/m4/s41",
            "Origin": site.base_url,
            "X-Requested-With": "XMLHttpRequest",
        }

        async def save(name: str, path: str, form: dict[str, str | int], **known: Any) -> None:
            async with http.post(site.base_url + path, data=form, headers=ajax) as answer:
                made.add(name, await answer.read(), path, posted=urlencode(form), status=answer.status, **known)

        listing = "/m4a/s41a"
        # Without the cookie that the page gives.
        await save("block", listing, {"page": 1, "sm": 3}, place=1, outcome=CloseReason.BLOCKED)
        async with http.get(f"{site.base_url}/m4/s41?page=1"):
            pass
        await save("listing", listing, {"page": 1, "sm": 3}, place=1, items=site.projects[:10])
        await save("last_page", listing, {"page": 4, "sm": 3}, place=4, items=site.projects[30:])
        detail = {"pno": site.listed_ids()[0], "anyView": 1}
        await save("login", "/m4a/s41v", detail, outcome=CloseReason.LOGIN_REQUIRED)
        for number, odd in zip(site.listed_ids(), ODD_PAGE, strict=False):
            site.bend(number, odd)
        await save("odd", listing, {"page": 1, "sm": 3}, place=1, items=site.projects[:10])
        await save("empty", listing, {"page": 1, "sm": 3, "sS": "없는말"}, place=1, arguments={"query": "없는말"})
        return made


if __name__ == "__main__":
    asyncio.run(saved()).write(FOLDER)

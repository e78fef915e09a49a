"""Save answers of the Upwork stand-in, with what a perfect reader makes of them: `python …/_upwork_fixtures.py`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins._server import JSON
from platforms_standins._upwork_pages import rendered
from platforms_standins.upwork import UpworkStandIn

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "upwork"
#: Monday, 21 September 2026 14:13:20 GMT.
NOW = 1_790_000_000
SEED = 7
ODD_PAGE = (
    "hourly_unknown",
    "hourly_open",
    "fixed_unknown",
    "fixed_zero",
    "not_dated",
    "title_entities",
    "description_script",
    "unrated",
    "client_null",
    "applicants_unknown",
)
LISTING = "/nx/search/jobs/?sort=recency&page=1&per_page=10"
#: All that can be stored of a search result.
SEARCH = """
query Search(
  $filter: MarketplaceJobPostingsSearchFilter
  $type: MarketplaceJobPostingSearchType
  $sort: [MarketplaceJobPostingSearchSortAttribute]
) {
  marketplaceJobPostingsSearch(marketPlaceJobFilter: $filter, searchType: $type, sortAttributes: $sort) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges {
      cursor
      node {
        id title description ciphertext createdDateTime publishedDateTime renewedDateTime
        amount { rawValue currency displayValue }
        hourlyBudgetMin { rawValue currency displayValue }
        hourlyBudgetMax { rawValue currency displayValue }
        hourlyBudgetType duration durationLabel engagement experienceLevel category subcategory
        skills { name prettyName }
        totalApplicants
        client { totalFeedback totalReviews verificationStatus location { country } }
        job {
          contractTerms { contractType onSiteType }
          activityStat { applicationsBidStats { avgRateBid { rawValue currency } } }
        }
      }
    }
  }
}
"""


def variables(first: int = 10, after: str | None = None, **wanted: Any) -> JSON:
    """Return the variables of `SEARCH`, newest first."""
    paging = {"first": first} if after is None else {"first": first, "after": after}
    return {
        "filter": {"pagination_eq": paging, **wanted},
        "type": "USER_JOBS_SEARCH",
        "sort": [{"field": "RECENCY"}],
    }


def items(stored: list[JSON]) -> bytes:
    """Return what a perfect reader stores as the text of an items file."""
    return json.dumps(stored, default=str, ensure_ascii=False, indent=1).encode() + b"\n"


async def answers() -> dict[str, bytes]:
    """Return the saved answers by file name."""
    made: dict[str, bytes] = {}
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http,
        UpworkStandIn(35, SEED, NOW, odd_rows=False, featured=1, frozen=True) as site,
    ):

        async def get(path: str) -> bytes:
            async with http.get(site.base_url + path) as answer:
                return await answer.read()

        async def ask(**wanted: Any) -> bytes:
            headers = {"Authorization": f"Bearer {site.grant()}"}
            sent = {"query": SEARCH, "variables": variables(**wanted)}
            async with http.post(site.base_url + "/graphql", json=sent, headers=headers) as answer:
                return json.dumps(await answer.json(), ensure_ascii=False, indent=1).encode() + b"\n"

        async def save(name: str) -> None:
            page = await get(LISTING)
            made[f"{name}.html"] = page
            made[f"{name}.items.json"] = items(site.state_projects[:10])
            made[f"{name}_rendered.html"] = rendered(page.decode(), site.tiles_of(page.decode())).encode()
            made[f"{name}_rendered.items.json"] = items(site.tile_projects[:10])

        made["api.json"], made["api.items.json"] = await ask(), items(site.projects[:10])
        made["api_last_page.json"] = await ask(after="30")
        made["api_last_page.items.json"] = items(site.projects[30:])
        made["api_nothing.json"] = await ask(searchExpression_eq="nosuchword")
        site.fail("permission", times=1)
        made["api_error.json"] = await ask()
        site.fail("permission_empty", times=1)
        made["api_error_empty.json"] = await ask()
        for layout in ("nuxt3", "nuxt2", "2024", "stateless"):
            site.change("layout", name=layout)
            await save(f"search_{layout}")
        # Without a state there is nothing to store before the scripts have run.
        made["search_stateless.items.json"] = items([])
        site.change("layout", name="nuxt3")
        job = site.shown_jobs()[1]
        made["job.html"] = await get(f"/jobs/{job.ciphertext}")
        made["job.items.json"] = items([site.detailed_projects[1]])
        made["job_gone.html"] = await get("/jobs/~021234567890123456789")
        for number, odd in zip(site.listed_ids(), ODD_PAGE, strict=False):
            site.bend(number, odd)
        for each in site.open_jobs():
            each.featured = False
        await save("search_odd")
        made["api_odd.json"], made["api_odd.items.json"] = await ask(), items(site.projects[:10])
    return made


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, body in asyncio.run(answers()).items():
        (FOLDER / name).write_bytes(body)


if __name__ == "__main__":
    main()

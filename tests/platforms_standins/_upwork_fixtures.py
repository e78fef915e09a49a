"""Save answers of the Upwork stand-in, with what a perfect reader makes of them: `python …/_upwork_fixtures.py`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

if __package__ in (None, ""):
    sys.path[:0] = map(str, Path(__file__).resolve().parents[1:3])

from platforms_standins._saved_fixtures import SavedFixtures
from platforms_standins._server import JSON
from platforms_standins._upwork_pages import rendered
from platforms_standins.upwork import UpworkStandIn

from outsourcing_spiders.outcomes import CloseReason

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
#: What the browser waits for, as the spider asks it to.
RENDERING = {"wait_for": "article[data-ev-job-uid], [data-test~='NoResults']"}
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


async def saved() -> SavedFixtures:
    """Return the saved files."""
    made = SavedFixtures("https://www.upwork.com", NOW)
    # The terms of the API want copies gone after a day.
    gone_at = str(datetime.fromtimestamp(NOW, UTC) + timedelta(hours=24))
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "fixtures"}) as http,
        UpworkStandIn(35, SEED, NOW, odd_rows=False, featured=1, frozen=True) as site,
    ):

        async def get(path: str) -> bytes:
            async with http.get(site.base_url + path) as answer:
                return await answer.read()

        async def ask(
            name: str, projects: Sequence[JSON] = (), outcome: CloseReason | None = None, **wanted: Any
        ) -> None:
            headers = {"Authorization": f"Bearer {site.grant()}"}
            sent = {"query": SEARCH, "variables": variables(**wanted)}
            async with http.post(site.base_url + "/graphql", json=sent, headers=headers) as answer:
                body = json.dumps(await answer.json(), ensure_ascii=False, indent=1) + "\n"
            kept = [project | {"expires_at": gone_at} for project in projects]
            known: JSON = {"outcome": outcome, "items": kept, "posted": json.dumps(sent, ensure_ascii=False)}
            made.add(name, body, "https://api.upwork.com/graphql", way_in="UpworkApi", **known)

        async def save(name: str) -> None:
            page = (await get(LISTING)).decode()
            told, shown = site.state_projects[:10], site.tile_projects[:10]
            known: JSON = {"items": told} if has_state(page) else {"outcome": CloseReason.LAYOUT_CHANGED}
            made.add(name, page, LISTING, place=1, **known)
            page = rendered(page, site.tiles_of(page))
            if has_state(page):
                made.add(f"{name}_rendered", page, LISTING, place=1, items=told, render=RENDERING)
            # What is left when the state is neither where it was nor readable.
            page = page.replace("__NUXT_DATA__", "other").replace("<script>window.__NUXT__", "<script>window.other")
            made.add(f"{name}_tiles", page, LISTING, place=1, items=shown, render=RENDERING)

        await ask("api", site.projects[:10])
        await ask("api_last_page", site.projects[30:], after="30")
        await ask("api_nothing", searchExpression_eq="nosuchword")
        site.fail("permission", times=1)
        await ask("api_error", outcome=CloseReason.LOGIN_REQUIRED)
        site.fail("permission_empty", times=1)
        await ask("api_error_empty", outcome=CloseReason.LOGIN_REQUIRED)
        for layout in ("nuxt3", "nuxt2", "2024", "stateless"):
            site.change("layout", name=layout)
            await save(f"search_{layout}")
        site.change("layout", name="nuxt3")
        job = site.shown_jobs()[1]
        # As a listing tells it that has no text.
        listed = site.state_projects[1] | {"description": None}
        path = f"/jobs/{job.ciphertext}"
        whole = site.detailed_projects[1]
        made.add("job", await get(path), path, read_by="detail", item=listed, items=[whole])
        path = "/jobs/~021234567890123456789"
        made.add("job_gone", await get(path), path, read_by="detail", item=listed, items=[listed])
        for number, odd in zip(site.listed_ids(), ODD_PAGE, strict=False):
            site.bend(number, odd)
        for each in site.open_jobs():
            each.featured = False
        await save("search_odd")
        await ask("api_odd", site.projects[:10])
    return made


def has_state(page: str) -> bool:
    """Tell whether a page carries the state of its scripts."""
    return "__NUXT" in page


if __name__ == "__main__":
    asyncio.run(saved()).write(FOLDER)

"""What is PeoplePerHour's own in whole crawls of its stand-in; the rest is in `test_all_crawls`."""

from __future__ import annotations

from pathlib import Path

import pytest
from _crawls import runs
from platforms_standins._peopleperhour_projects import slug
from spiders._platforms import PEOPLEPERHOUR

read, plain, pages = PEOPLEPERHOUR.read, PEOPLEPERHOUR.plain, PEOPLEPERHOUR.pages


# --- while the listing moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", [20, 25])
async def test_a_listing_that_cannot_be_caught_up_with_is_incomplete(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(100, arrivals_per_request=arrivals) as site:
        done = await read(url, tmp_path, site)
        assert done.reason == "incomplete"
        assert len(pages(site)) < 60
    assert (await runs(url))[0]["whole"] is None


# --- arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"category": "Design"}, "/freelance-jobs/design"),
        ({"category": "technology-programming"}, "/freelance-jobs/technology-programming"),
        ({"category": "Technology & Programming/Databases"}, "/freelance-jobs/technology-programming/databases"),
        ({"query": "python"}, "/freelance-python-jobs"),
        ({"query": "Google Ads"}, "/freelance-google-ads-jobs"),
    ],
    ids=str,
)
async def test_the_listing_is_narrowed(arguments: dict[str, str], path: str, tmp_path: Path) -> None:
    async with plain(200) as site:
        done = await read(None, tmp_path, site, **arguments)
        asked = {seen.path for seen in site.requests} - {"/robots.txt"}
        truth = site.projects
    assert (done.reason, asked) == ("finished", {path})
    category = arguments.get("category", "").split("/")[0]
    words = arguments.get("query", "").lower().split()
    wanted = {
        key for key, one in truth.items()
        if (not category or slug(one["category"]) == slug(category))
        and all(word in f"{one['title']} {one['description']}".lower() for word in words)
    }  # fmt: skip
    found = {item.external_id for item in done.items}
    assert found
    assert found <= wanted if "/" in str(arguments) else found == wanted


async def test_a_category_that_is_not_there_is_a_wrong_argument(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await read(url, tmp_path, site, category="Gardening")
    assert done.reason == "wrong_argument"
    assert str(done.outcome).startswith("category: the platform has no such listing")
    assert len(done.errors) == 1

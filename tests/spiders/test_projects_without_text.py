"""Projects of which no page shows a text: their own pages are asked for once a week, not at each meeting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _crawls import fetch, runs
from spiders._platforms import UPWORK_PAGES, WISHKET, Platform


def wishket_without_texts(site: Any, count: int) -> set[str]:
    """Let the pages of some projects say nothing to visitors; return their ids."""
    numbers = [number for number in site.listed_ids() if not site.row(number).private][:count]
    for number in numbers:
        site.row(number).json_ld = "no_description"
    return set(map(str, numbers))


def upwork_without_texts(site: Any, count: int) -> set[str]:
    """Let some jobs have no text at all; return their ids."""
    jobs = site.shown_jobs()[3 : 3 + count]
    for job in jobs:
        job.description = ""
    return {str(job.id) for job in jobs}


@pytest.mark.parametrize(
    ("platform", "take_texts", "projects"),
    [
        pytest.param(WISHKET, wishket_without_texts, 25, id="wishket"),
        pytest.param(UPWORK_PAGES, upwork_without_texts, 60, id="upwork-pages"),
    ],
)
async def test_a_project_without_any_text_is_asked_for_once_a_week(
    platform: Platform, take_texts: Callable[[Any, int], set[str]], projects: int, url: str, tmp_path: Path
) -> None:
    async with platform.plain(projects) as site:
        without = take_texts(site, 6)
        wanted = platform.wanting(site)
        assert without <= wanted
        first = await platform.read(url, tmp_path, site)
        assert (first.reason, sorted(platform.details(site))) == ("finished", sorted(wanted))
        found = await fetch(url, "SELECT external_id, description, description_complete FROM projects")
        assert {row["external_id"] for row in found if row["description"] is None and row["description_complete"]} == (
            without
        )
        for arguments in ({"full": "1"}, {}, {"full": "1"}):
            site.requests.clear()
            again = await platform.read(url, tmp_path, site, **arguments)
            assert (again.reason, again.errors) == ("finished" if arguments else "up_to_date", [])
            # The whole listing is read, and no page of a project.
            assert platform.pages(site) == (platform.walk(projects) if arguments else [1])
            assert platform.details(site) == []
        assert [run["written"] for run in await runs(url)][1:] == [0, 0, 0]
        # Should a page have been misread, it is not so for ever.
        old = sorted(without)[:2]
        await fetch(
            url,
            "UPDATE projects SET changed_at = now() - interval '8 days' WHERE external_id = ANY($1) RETURNING 1",
            old,
        )
        site.requests.clear()
        assert (await platform.read(url, tmp_path, site, full="1")).reason == "finished"
        assert sorted(platform.details(site)) == old

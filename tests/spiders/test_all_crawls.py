"""What holds for every platform: whole crawls of its stand-in into PostgreSQL, what they store and ask for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, fetch, project_settings, runs, stored
from scrapy.spiderloader import SpiderLoader
from spiders._platforms import (
    FORMS,
    FREELANCER,
    FREEMOA,
    GURU,
    PEOPLEPERHOUR,
    PLATFORMS,
    SAVED_WISHKET,
    UPWORK_API,
    UPWORK_PAGES,
    WISHKET,
    Platform,
)

every_platform = pytest.mark.parametrize("platform", PLATFORMS, ids=repr)


async def versions(url: str) -> list[dict[str, Any]]:
    """Return all stored projects, with what tells one version of a row from the next."""
    return await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id")


async def ends(url: str) -> list[tuple[str, int, str | None]]:
    """Return of each crawl how it ended, how much it wrote, and how far back the listing is whole since."""
    return [(run["reason"], run["written"], run["whole"]) for run in await runs(url)]


def test_every_spider_is_crawled() -> None:
    names = SpiderLoader(project_settings()).list()
    assert {platform.spider.name for platform in PLATFORMS} == set(names)


# --- what is stored -----------------------------------------------------------------------------------------------


@every_platform
async def test_every_project_is_stored_once_as_the_site_tells_it(
    platform: Platform, database_url: str, tmp_path: Path
) -> None:
    async with platform.whole(platform.odd, seed=3) as site:
        wanting = platform.wanting(site)
        done = await platform.read(database_url, tmp_path, site)
        told, rejected, skipped = platform.columns(site), platform.rejected(site), platform.skipped(site)
        misread = platform.misread(site)
        pages = platform.walk(platform.odd)
        assert platform.pages(site) == pages
        if wanting:
            assert sorted(platform.details(site)) == sorted(wanting)
    assert (done.reason, done.errors) == ("finished", [])
    # A page that cannot be read is named, and costs its description.
    named = [line for line in done.log if "/ cannot be read: " in line]
    assert [path in line for path, line in zip(misread, named, strict=True)] == [True] * len(misread)
    assert done.dropped == rejected
    rows = await stored(database_url)
    assert rows.keys() == told.keys() - rejected.keys() - skipped.keys()
    assert len(rows) > 0.9 * platform.odd
    for identity, row in rows.items():
        shown = platform.shown(row)
        assert {name: shown[name] for name in told[identity]} == told[identity]
        assert row["budget_min_usd"] is None or row["budget_min"] is not None
        assert not [word for word in platform.unseen if word in json.dumps(row, default=str)]
    (run,) = await runs(database_url)
    assert (run["reason"], run["whole"]) == ("finished", "-infinity")
    assert (run["written"], run["rejected"]) == (len(rows), len(rejected))
    assert run["items_scraped"] == len(rows) + len(rejected)
    assert run["merged"] == run["unchanged"] == run["spooled"] == 0
    assert run["requests"] == len(site.requests) == done.requests
    if not platform.details(site):
        assert run["requests"] == platform.before + len(pages)
    assert run["stats"]["listing/total"] == platform.odd
    assert {name: run["stats"].get(f"skipped/{name}") for name in skipped.values()} == dict.fromkeys(
        skipped.values(), 1
    )
    found = await fetch(database_url, "SELECT external_id, reason FROM rejected_items")
    assert {row["external_id"]: row["reason"] for row in found} == rejected


@every_platform
async def test_a_second_crawl_a_moment_later_costs_one_page_and_changes_nothing(
    platform: Platform, url: str, tmp_path: Path
) -> None:
    async with platform.steady(platform.reach(3)) as site:
        first = await platform.read(url, tmp_path, site)
        before = await versions(url)
        rejected = platform.rejected(site)
        site.requests.clear()
        again = await platform.read(url, tmp_path, site)
        assert (again.reason, platform.pages(site)) == ("up_to_date", [1])
        assert set(platform.details(site)) <= platform.incurable(site)
        assert await versions(url) == before
        site.requests.clear()
        full = await platform.read(url, tmp_path, site, full="1")
        assert (full.reason, platform.pages(site)) == ("finished", platform.walk(platform.reach(3)))
        # Pages are asked for again of those alone of which none has the full text.
        assert set(platform.details(site)) <= platform.incurable(site)
        # What only a project's own page tells stays, though the page is not asked for again.
        assert await versions(url) == before
        assert {row["external_id"] for row in before if not row["description_complete"]} <= platform.incurable(site)
    assert 0.9 * platform.reach(3) < len(before) == len(first.items)
    assert await ends(url) == [
        ("finished", len(before), "-infinity"), ("up_to_date", 0, "-infinity"), ("finished", 0, "-infinity"),
    ]  # fmt: skip
    last = (await runs(url))[-1]
    assert (last["unchanged"], last["rejected"]) == (len(before), len(rejected))
    assert last["items_scraped"] == len(before) + len(rejected)


@every_platform
async def test_new_and_changed_projects_are_stored_and_read_no_further_than_needed(
    platform: Platform, url: str, tmp_path: Path
) -> None:
    async with platform.plain(platform.reach(3)) as site:
        await platform.read(url, tmp_path, site)
        before = await stored(url)
        top = platform.order(site)[: platform.page] if platform.tells_bids else []
        counts = {number: platform.bid(site, number, 4) for number in top}
        added = list(map(str, site.add(platform.page * 3 // 2)))
        site.requests.clear()
        done = await platform.read(url, tmp_path, site)
        assert (done.reason, platform.pages(site)) == ("up_to_date", [1, 2, 3])
        assert sorted(platform.details(site)) == sorted(set(added) & platform.wanting(site))
        rows = await stored(url)
        assert rows.keys() == platform.ids(site) == before.keys() | set(added)
        # The rest stays as it was, as does what a project's own page told.
        kept = ("title", "description", "description_complete", "currency", "budget_min_usd", "work_mode", "posted_at")
        for number, row in before.items():
            assert {name: rows[number][name] for name in kept} == {name: row[name] for name in kept}
            assert rows[number]["bid_count"] == counts.get(number, row["bid_count"])
    assert (await ends(url))[1:] == [("up_to_date", len(added) + len(counts), "-infinity")]
    found = await fetch(url, "SELECT external_id, bid_count FROM project_history ORDER BY observed_at")
    for number, count in counts.items():
        history = [row["bid_count"] for row in found if row["external_id"] == number]
        assert history == [before[number]["bid_count"], count]


_PAST_END = [
    (UPWORK_PAGES, {"past_end": "last"}),
    (WISHKET, {"past_end": "empty"}),
    (SAVED_WISHKET, {"past_end": "empty"}),
]


@pytest.mark.parametrize(("platform", "options"), [*((form, {}) for form in FORMS), *_PAST_END], ids=str)
async def test_the_last_page_is_known(platform: Platform, options: dict[str, str], url: str, tmp_path: Path) -> None:
    size = platform.page
    for projects in (*([0] if platform.believes_empty else []), 1, size - 1, size, size + 1, 2 * size):
        async with platform.plain(projects, **options) as site:
            # Nothing is stored but what an account cannot do without.
            done = await platform.read(None, tmp_path, site, settings={"DATABASE_URL": url})
            found = (done.reason, len(done.items), platform.pages(site))
        assert found == ("finished", projects, platform.walk(projects))


@pytest.mark.parametrize("platform", [p for p in PLATFORMS if p.nothing.keys() <= p.spider.narrowed_by], ids=repr)
async def test_a_query_without_results_is_finished(platform: Platform, url: str, tmp_path: Path) -> None:
    async with platform.plain(40) as site:
        done = await platform.read(url, tmp_path, site, **platform.nothing)
        assert (done.reason, done.items, platform.details(site)) == ("finished", [], [])
        assert len(platform.pages(site)) == platform.looks
    assert await ends(url) == [("finished", 0, "-infinity")]


# --- bounds of a crawl --------------------------------------------------------------------------------------------


@every_platform
async def test_max_pages_bounds_a_crawl_and_does_not_stop_the_next_one(
    platform: Platform, url: str, tmp_path: Path
) -> None:
    async with platform.plain(platform.reach(3)) as site:
        first = await platform.read(url, tmp_path, site, max_pages="2")
        assert (first.reason, platform.pages(site)) == ("finished", [1, 2])
        top = set(platform.order(site)[: platform.reach(2)])
        assert (await stored(url)).keys() == top
        assert set(platform.details(site)) == platform.wanting(site) & top
        done = await platform.read(url, tmp_path, site)
        assert done.reason == "finished"
        assert (await stored(url)).keys() == platform.ids(site)
        # Each page of a project once.
        assert sorted(platform.details(site)) == sorted(platform.wanting(site))
    assert [whole for _, _, whole in await ends(url)] == [None, "-infinity"]


@every_platform
async def test_a_short_look_after_a_whole_one_does_not_stop_the_next_one_too_early(
    platform: Platform, url: str, tmp_path: Path
) -> None:
    async with platform.plain(platform.page) as site:
        await platform.read(url, tmp_path, site)
        known = platform.ids(site)
        site.add(platform.reach(2))
        # It stores the newest ones; those below them are still unknown.
        await platform.read(url, tmp_path, site, max_pages="1")
        assert (await stored(url)).keys() == known | set(platform.order(site)[: platform.page])
        done = await platform.read(url, tmp_path, site)
        assert done.reason in ("up_to_date", "finished")
        assert (await stored(url)).keys() == platform.ids(site)
    assert [whole for _, _, whole in await ends(url)] == ["-infinity", None, "-infinity"]


@pytest.mark.parametrize("platform", [p for p in PLATFORMS if p is not WISHKET], ids=repr)
async def test_since_bounds_how_far_back_a_crawl_reads(platform: Platform, url: str, tmp_path: Path) -> None:
    async with platform.plain(platform.reach(5)) as site:
        posted = platform.posted(site)
        since = sorted(posted.values(), reverse=True)[platform.page * 3 // 2]
        newer = {number for number, at in posted.items() if at >= since}
        done = await platform.read(url, tmp_path, site, since=since.isoformat())
        assert (await stored(url)).keys() == newer
        # The first page without anything newer is the last one.
        assert (done.reason, platform.pages(site)) == ("finished", [1, 2, 3])
        # Pages of projects that are too old are not asked for.
        assert set(platform.details(site)) == newer & platform.wanting(site)
        site.requests.clear()
        # A shorter look back is known, a longer one is not.
        again = await platform.read(url, tmp_path, site, since=(since + timedelta(minutes=1)).isoformat())
        assert (again.reason, platform.pages(site)) == ("up_to_date", [1])
        longer = await platform.read(url, tmp_path, site, since=sorted(posted.values())[platform.page].isoformat())
        assert longer.reason == "finished"
        assert len(await stored(url)) > len(newer)
        # None of them stops the next one.
        rest = await platform.read(url, tmp_path, site)
        assert rest.reason == "finished"
        assert (await stored(url)).keys() == platform.ids(site)
    found = await runs(url)
    assert (found[0]["whole_since"], found[-1]["whole"]) == (since, "-infinity")


# --- while the listing moves --------------------------------------------------------------------------------------

_ARRIVALS = [
    (FREELANCER, 7), (FREEMOA, 1), (FREEMOA, 4), (GURU, 1), (GURU, 7), (PEOPLEPERHOUR, 1), (PEOPLEPERHOUR, 7),
    (PEOPLEPERHOUR, 12), (UPWORK_API, 3), (UPWORK_API, 30), (UPWORK_PAGES, 7), (WISHKET, 1), (WISHKET, 3),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "arrivals"), _ARRIVALS, ids=repr)
async def test_nothing_is_missed_while_projects_arrive(
    platform: Platform, arrivals: int, url: str, tmp_path: Path
) -> None:
    async with platform.plain(platform.reach(4), arrivals_per_request=arrivals) as site:
        there = platform.ids(site)
        done = await platform.read(url, tmp_path, site)
        assert done.reason == "finished"
        # The top is read once more for those that came meanwhile.
        assert there < (await stored(url)).keys()
        assert len(done.items) == len({item.external_id for item in done.items})
        assert len(platform.details(site)) == len(set(platform.details(site)))
    assert [whole for _, _, whole in await ends(url)] == ["-infinity"]


def leaving(platform: Platform, site: Any, count: int, pages: int) -> Callable[[int, Crawl], None]:
    """Take `count` projects off the top after each of the first `pages` of the listing."""
    turns = itertools.count(1)
    turn = next(turns)

    def after_an_answer(number: int, _: Crawl) -> None:
        nonlocal turn
        # Of those that were read already, so that everything below moves up.
        if turn <= pages and len(platform.pages(site)) >= turn:
            turn = next(turns)
            for identity in platform.order(site)[:count]:
                platform.leave(site, identity)

    return after_an_answer


_LEAVING = [
    (FREELANCER, 3, 99), (FREELANCER, 40, 1), (FREELANCER, 90, 1), (FREEMOA, 1, 6), (FREEMOA, 3, 4), (FREEMOA, 12, 1),
    (GURU, 5, 2), (PEOPLEPERHOUR, 1, 9), (PEOPLEPERHOUR, 3, 9), (PEOPLEPERHOUR, 15, 1), (PEOPLEPERHOUR, 40, 1),
    (UPWORK_API, 3, 2), (UPWORK_API, 40, 2), (UPWORK_PAGES, 3, 2), (WISHKET, 4, 4),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "count", "pages"), _LEAVING, ids=repr)
async def test_nothing_is_missed_while_projects_leave(
    platform: Platform, count: int, pages: int, url: str, tmp_path: Path
) -> None:
    async with platform.plain(platform.reach(6)) as site:
        done = await platform.read(url, tmp_path, site, on_answer=leaving(platform, site, count, pages))
        assert len(platform.ids(site)) < platform.reach(6)
        assert done.reason == "finished"
        assert platform.ids(site) <= (await stored(url)).keys()
    assert [whole for _, _, whole in await ends(url)] == ["-infinity"]

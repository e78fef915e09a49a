"""What holds for every platform whose pages change, or whose robots.txt speaks: it is read, or named, or obeyed."""

from __future__ import annotations

from pathlib import Path

import pytest
from _crawls import fetch, runs, stored
from platforms_standins import _guru_pages, _peopleperhour_pages, _upwork_pages, _wishket_pages, freemoa
from spiders._platforms import (
    FORMS,
    FREEMOA,
    GURU,
    PEOPLEPERHOUR,
    SAVED_WISHKET,
    UPWORK_PAGES,
    WISHKET,
    Platform,
)

FINISHED = "finished"
_LAYOUTS: dict[Platform, tuple[tuple[str, ...], dict[str, str]]] = {
    FREEMOA: (freemoa.LAYOUTS, {"2026": FINISHED, "2025": FINISHED}),
    GURU: (_guru_pages.LAYOUTS, {"current": FINISHED, "older": FINISHED}),
    PEOPLEPERHOUR: (
        _peopleperhour_pages.LAYOUTS,
        dict.fromkeys(("current", "rehashed", "older", "totals_missing"), FINISHED),
    ),
    # Without a browser; with one, tiles make up for what the state lacks.
    UPWORK_PAGES: (_upwork_pages.LAYOUTS, dict.fromkeys(("nuxt3", "nuxt2", "2024", "unrendered"), FINISHED)),
    WISHKET: (_wishket_pages.LAYOUTS, {"2026": FINISHED, "2023": FINISHED}),
    SAVED_WISHKET: (_wishket_pages.LAYOUTS, {"2026": FINISHED, "2023": FINISHED}),
}


@pytest.mark.parametrize(
    ("platform", "layout"),
    [(platform, layout) for platform, (layouts, _) in _LAYOUTS.items() for layout in layouts],
    ids=str,
)
async def test_a_layout_is_read_or_named(platform: Platform, layout: str, url: str, tmp_path: Path) -> None:
    known, readable = _LAYOUTS[platform]
    assert readable.keys() < set(known)
    reason = readable.get(layout, "layout_changed")
    async with platform.plain(platform.reach(2) + 5, layout=layout) as site:
        done = await platform.read(url, tmp_path, site)
        told = platform.columns(site)
        (run,) = await runs(url)
        rows = await stored(url)
        assert done.reason == run["reason"] == reason
        if reason == FINISHED:
            assert rows.keys() == platform.ids(site)
            assert run["whole"] == "-infinity"
            for identity, row in rows.items():
                shown = platform.shown(row)
                assert {name: shown[name] for name in told[identity]} == told[identity]
            return
    assert (run["whole"], rows) == (None, {})
    assert "Traceback" not in str(done.outcome)
    kept = await fetch(url, "SELECT reason FROM kept_pages")
    assert [page["reason"] for page in kept] == [reason]


# --- robots.txt ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", [form for form in FORMS if form.asks_robots], ids=repr)
async def test_robots_txt_is_obeyed(platform: Platform, url: str, tmp_path: Path) -> None:
    async with platform.plain(5) as site:
        for rules, status, reason in (
            (f"User-agent: *\nDisallow: {platform.listing}\n", 200, "permission_required"),
            ("User-agent: *\nDisallow: /\n", 200, "permission_required"),
            ("broken", 500, "unreachable"),
        ):
            site.robots, site.robots_status = rules, status
            site.requests.clear()
            done = await platform.read(url, tmp_path, site)
            assert (done.reason, done.items, platform.pages(site)) == (reason, [], [])
            if platform.before == 1 or "/m" not in rules:
                assert {seen.path for seen in site.requests} == {"/robots.txt"}
        for rules, status in (("User-agent: *\nDisallow:\n", 200), ("", 200), ("", 403), ("gone", 404)):
            site.robots, site.robots_status = rules, status
            done = await platform.read(None, tmp_path, site)
            assert (done.reason, len(done.items)) == (FINISHED, 5)

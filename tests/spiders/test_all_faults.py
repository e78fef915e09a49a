"""What holds for every platform when it does not answer as it should: how whole crawls end, and what is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from _crawls import fetch, impatient, runs, stored
from _ports import kept_port
from spiders._platforms import (
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

FINISHED, BLOCKED, LOGIN, LAYOUT = "finished", "blocked", "login_required", "layout_changed"
LIMITED, UNREACHABLE, INCOMPLETE = "rate_limited", "unreachable", "incomplete"
EVERY_TRY = -1


class Case(NamedTuple):
    """A fault of the listing, and how a crawl that meets it ends."""

    kind: str
    reason: str
    options: dict[str, Any]
    asked: int | None
    """How many pages of the listing are asked for, further tries included; ``None`` or 0: as many as it takes."""


def case(kind: str, reason: str, *, asked: int | None = None, **options: Any) -> Case:
    """Return a case; a crawl that ends at the first bad answer asks no further."""
    if asked is None and reason in (BLOCKED, LOGIN, LAYOUT, LIMITED):
        asked = 1 + options.get("after", 0)
    return Case(kind, reason, options, asked)


_EVERYWHERE = (
    case("challenge", BLOCKED),
    case("challenge", BLOCKED, status=200),
    case("challenge", BLOCKED, after=1),
    case("incapsula", BLOCKED),
    case("perimeterx", BLOCKED),
    case("datadome", BLOCKED),
    case("forbidden", BLOCKED),
    case("login", LOGIN),
    case("status", LOGIN, status=401),
    case("status", LAYOUT, status=404),
    case("status", LIMITED, status=429),
    case("status", LIMITED, status=429, retry_after=60, after=1),
    case("status", UNREACHABLE, status=500, asked=EVERY_TRY),
    case("status", FINISHED, status=500, times=1),
    case("truncated", UNREACHABLE, asked=EVERY_TRY),
    case("truncated", FINISHED, times=1),
    case("reset", UNREACHABLE),
    case("slow", UNREACHABLE, delay=5, asked=EVERY_TRY),
    case("slow", FINISHED, delay=5, times=1, after=1),
    case("empty_body", LAYOUT),
)
_OWN: dict[Platform, tuple[Case, ...]] = {
    FREELANCER: (
        case("status", LIMITED, status=503),
        case("status", FINISHED, status=500, times=2),
        case("status", UNREACHABLE, status=502, after=1, asked=4),
        case("status", LOGIN, status=401, new_errors=True),
        case("challenge", BLOCKED, status=503),
        case("challenge", BLOCKED, after=2),
        case("error_envelope", LAYOUT),
        case("error_envelope", LAYOUT, new_errors=True),
        case("reset", FINISHED, times=1, after=1),
        case("slow", FINISHED, delay=5, times=1),
        case("invalid_json", LAYOUT),
        case("result_null", LAYOUT),
        case("projects_missing", LAYOUT, after=1),
        case("projects_null", LAYOUT),
        case("total_missing", FINISHED),
        case("total_null", FINISHED),
        case("total_string", FINISHED),
        case("total_too_small", FINISHED),
        case("empty_page", FINISHED, after=1, times=1),
        case("empty_page", LAYOUT, asked=0),
        case("empty_page", INCOMPLETE, after=1),
        case("rows_missing", INCOMPLETE),
        # Nobody can tell a total that is too large from pages that are missing.
        case("total_too_large", INCOMPLETE),
    ),
    FREEMOA: (
        case("block", BLOCKED),
        case("block", BLOCKED, after=2),
        case("login_required", LOGIN),
        case("login_required", LOGIN, after=1),
        case("error_envelope", UNREACHABLE),
        case("error_envelope", UNREACHABLE, after=2),
        case("invalid_json", LAYOUT),
        case("marker_missing", LAYOUT),
        case("renamed", LAYOUT, asked=0),
        case("list_missing", LAYOUT, after=1),
        case("list_null", LAYOUT),
        case("list_object", LAYOUT, asked=0),
        case("list_empty", INCOMPLETE, after=1),
        case("list_empty", FINISHED, after=1, times=1),
        case("total_missing", FINISHED),
        case("total_null", FINISHED),
        case("total_string", FINISHED),
        case("total_too_large", INCOMPLETE),
    ),
    GURU: (
        case("incapsula", BLOCKED, status=403),
        case("incapsula", BLOCKED, after=1),
        case("error_envelope", LAYOUT),
        case("empty_page", LAYOUT, asked=0),
        case("empty_page", INCOMPLETE, after=1),
        case("empty_page", FINISHED, after=1, times=1),
        case("totals_missing", FINISHED),
        case("cut_short", UNREACHABLE, asked=EVERY_TRY),
        # The last page, of which nothing would be missed.
        case("cut_short", UNREACHABLE, after=2),
        case("cut_short", FINISHED, after=2, times=1),
    ),
    PEOPLEPERHOUR: (
        case("status", LAYOUT, status=404, after=1),
        case("error_envelope", LAYOUT),
        case("empty_page", LAYOUT, asked=0),
        case("empty_page", INCOMPLETE, after=1),
        case("empty_page", FINISHED, after=1, times=1),
        case("empty_page", INCOMPLETE, after=2),
        case("totals_missing", FINISHED),
        case("cut_short", UNREACHABLE, asked=EVERY_TRY),
    ),
    UPWORK_API: (
        case("site_challenge", BLOCKED),
        case("site_challenge_bare", BLOCKED),
        case("login_page", BLOCKED),
        case("token_expired", LOGIN, asked=0),
        case("token_expired", FINISHED, times=1),
        case("token_expired", FINISHED, after=1, times=1),
        case("permission_client", FINISHED),
        case("pagination_refused", UNREACHABLE),
        case("edges_missing", LAYOUT),
        case("edges_null", LAYOUT),
        case("edges_empty", LAYOUT, asked=0),
        case("edges_empty", INCOMPLETE, after=1),
        case("nodes_null", LAYOUT, asked=0),
        case("total_null", FINISHED),
        case("cursor_null", INCOMPLETE),
        case("cursor_stuck", INCOMPLETE, after=1),
    ),
    UPWORK_PAGES: (
        case("site_challenge", BLOCKED),
        case("site_challenge_bare", BLOCKED, after=1),
        case("login_page", LOGIN),
        case("status", LAYOUT, status=410),
    ),
    WISHKET: (
        case("invalid_json", LAYOUT),
        case("cut_short", FINISHED, times=1),
        case("error_envelope", BLOCKED),
        case("result_null", LAYOUT),
        case("list_missing", LAYOUT),
        case("list_missing", LAYOUT, after=1),
        case("list_empty", LAYOUT, asked=0),
        case("list_empty", INCOMPLETE, after=1),
        case("list_empty", FINISHED, after=1, times=1),
        case("list_empty", INCOMPLETE, after=3),
        case("list_empty", FINISHED, after=3, times=1),
        case("renamed", FINISHED, after=1, times=1),
        case("count_missing", FINISHED),
        case("count_null", FINISHED),
        case("count_string", FINISHED),
        case("count_too_large", INCOMPLETE),
        case("2023", FINISHED),
    ),
    SAVED_WISHKET: (case("error_envelope", LAYOUT),),
}


def _cases() -> list[Any]:
    found = []
    for platform in dict.fromkeys((*PLATFORMS, *_OWN)):
        everywhere = _EVERYWHERE if platform in PLATFORMS else ()
        for one in (*everywhere, *_OWN.get(platform, ())):
            # Its tokens expire with such an answer, too: `token_expired` is about that.
            if platform is UPWORK_API and one.options.get("status") == 401:
                continue
            told = "-".join(f"{name}={value}" for name, value in one.options.items())
            found.append(pytest.param(platform, one, id="-".join(filter(None, (platform.name, one.kind, told)))))
    return found


@pytest.mark.parametrize(("platform", "fault"), _cases())
async def test_a_fault_of_the_listing_ends_the_crawl_with_its_name(
    platform: Platform, fault: Case, url: str, tmp_path: Path
) -> None:
    # Two pages more than those that are answered well.
    async with platform.plain(platform.reach(fault.options.get("after", 0) + 2)) as site:
        site.fail(fault.kind, path=platform.listing, **fault.options)
        settings = impatient(platform.listing, **fault.options) if fault.kind == "slow" else {}
        done = await platform.read(url, tmp_path, site, settings)
        (run,) = await runs(url)
        found = (await stored(url)).keys()
        assert done.reason == run["reason"] == fault.reason, done.log
        assert run["items_scraped"] == len(done.items) == len(found)
        if asked := platform.tries if fault.asked == EVERY_TRY else fault.asked:
            # One more may be in the downloader already.
            assert asked <= len(platform.pages(site)) <= asked + bool(fault.options.get("after"))
        kept = await fetch(url, "SELECT url, reason FROM kept_pages")
        if fault.reason == FINISHED:
            assert (done.outcome, run["whole"], kept) == (None, "-infinity", [])
            assert found == platform.ids(site)
            return
        assert run["whole"] is None
        assert run["stats"]["message"] == str(done.outcome)
        assert sum(line.split(": ", 1)[1] == str(done.outcome) for line in done.log) == 1
        assert "Traceback" not in "".join(line for line in done.log if "No answer from" not in line)
        if fault.reason in (BLOCKED, LOGIN, LAYOUT) and fault.kind != "empty_body":
            assert [page["reason"] for page in kept] == [fault.reason]
            # Where a page of the listing leads to the login, that is what is kept.
            paths = [platform.listing.rstrip("/"), *(["/login"] if fault.kind == "login" else [])]
            assert kept[0]["url"].startswith(tuple(site.base_url + path for path in paths))
        after = fault.options.get("after", 0)
        if after:
            # What was read before is stored.
            read = set(platform.order(site)[: platform.reach(after)])
            assert found >= read - platform.wanting(site)
        if after or platform is UPWORK_API:
            # Once the platform is well again, the next crawl makes the rest whole: by the same token, if any.
            site.heal()
            await platform.read(url, tmp_path, site, {"REMEMBER_BLOCKS": False})
            assert (await stored(url)).keys() == platform.ids(site)


_SILENCE = {UPWORK_API: f"{UPWORK_API.token} was lost"}


@pytest.mark.parametrize("platform", PLATFORMS, ids=repr)
async def test_nobody_listens(platform: Platform, url: str, tmp_path: Path) -> None:
    site = platform.plain(2)
    with kept_port() as port:
        done = await platform.read(url, tmp_path, site, base_url=f"http://127.0.0.1:{port}")
    assert (done.reason, done.items) == (UNREACHABLE, [])
    first = "robots.txt of 127.0.0.1" if platform.asks_robots else "got no answer"
    assert _SILENCE.get(platform, first) in str(done.outcome)
    assert (await runs(url))[0]["whole"] is None

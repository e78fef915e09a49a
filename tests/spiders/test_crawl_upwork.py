"""Whole crawls of the Upwork stand-in into PostgreSQL, by its API and by its pages: what is stored, how they end."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, runs, stored_ids
from aiohttp import web
from conftest import Server, _administer
from platforms_standins._upwork_pages import LAYOUTS
from platforms_standins.upwork import UpworkStandIn, standin_process

from outsourcing_spiders.extensions import log_redaction
from outsourcing_spiders.spiders.upwork import UpworkSpider
from outsourcing_spiders.storage.engine import Database

QUERY, TOKEN, LISTING = "/graphql", "/api/v3/oauth2/token", "/nx/search/jobs"
_TEMPLATE = "template_of_upwork"


@pytest.fixture(scope="module")
async def template_name(embedded_server: Server, open_folder: Path) -> str:
    await _administer(embedded_server, f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(_TEMPLATE), embedded_root=open_folder):
        pass
    return _TEMPLATE


_numbers = itertools.count()


@pytest.fixture
async def url(embedded_server: Server, template_name: str) -> AsyncIterator[str]:
    """DATABASE_URL of a new database."""
    name = f"upwork_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE {template_name} STRATEGY wal_log")
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


def plain(projects: int = 120, **options: Any) -> UpworkStandIn:
    """Return a site on which every job is an ordinary one."""
    return UpworkStandIn(projects, odd_rows=False, **options)


def account(site: UpworkStandIn) -> dict[str, str]:
    """Return the settings of an account that the site has just let in."""
    told = site.state()["credentials"]
    return {f"UPWORK_{name.upper()}": told[name] for name in ("client_id", "client_secret", "refresh_token")}


async def by_api(
    url: str | None, folder: Path, site: UpworkStandIn, settings: dict[str, Any] | None = None, **options: Any
) -> Crawl:
    """Crawl the site's API."""
    settings = account(site) | (settings or {})
    return await crawl(url, folder, spider=UpworkSpider, base_url=site.base_url, settings=settings, **options)


async def by_pages(
    url: str | None, folder: Path, site: UpworkStandIn, settings: dict[str, Any] | None = None, **options: Any
) -> Crawl:
    """Crawl the site's pages as they are before scripts have run: in this process there is no browser."""
    nothing = dict.fromkeys(account(site), "")
    settings = nothing | (settings or {})
    return await crawl(url, folder, spider=UpworkSpider, base_url=site.base_url, settings=settings, **options)


def asked(site: UpworkStandIn, path: str) -> int:
    """Return how often a path was asked for."""
    return sum(seen.path.rstrip("/") == path for seen in site.requests)


def words(text: str | None) -> list[str]:
    """Return the words of a text, whose blank lines and list marks are cleaned before it is stored."""
    return re.findall(r"\w+", text or "")


async def compare(url: str, expected: list[dict[str, Any]]) -> None:
    """Hold what is stored against the truth, field by field."""
    rows = {row["external_id"]: row for row in await fetch(url, "SELECT * FROM projects")}
    assert set(rows) == {one["external_id"] for one in expected}
    same = ("url", "description_complete", "status", "category", "work_mode", "posted_at",
            "posted_precision", "posted_text", "bid_count", "bid_average", "extra", "language", "location")  # fmt: skip
    for one in expected:
        row = rows[one["external_id"]]
        # A text that is not there is not stored as a whole one.
        one["description_complete"] = one["description_complete"] and one["description"] is not None
        assert {name: row[name] for name in same} == {name: one[name] for name in same}
        assert words(row["description"]) == words(one["description"])
        # A title of a thousand characters is cut.
        assert one["title"].startswith(row["title"].removesuffix("…").rstrip())
        assert len(row["title"]) > 400 or row["title"] == one["title"]
        budget, client = one["budget"], one["client"] or {}
        known = budget["minimum"] is not None or budget["maximum"] is not None
        assert (row["budget_min"], row["budget_max"], row["budget_text"]) == (
            budget["minimum"], budget["maximum"], budget["text"],
        )  # fmt: skip
        assert row["currency"] == (budget["currency"] if known else None)
        assert row["pricing"] == {"hour": "hourly", "total": "fixed"}[budget["period"]]
        for name in ("country", "rating", "reviews", "verified"):
            assert row[f"client_{name}"] == client.get(name)


# --- the API: what is stored --------------------------------------------------------------------------------------


async def test_every_job_of_the_api_is_stored_once_and_for_a_day(database_url: str, tmp_path: Path) -> None:
    async with UpworkStandIn(170, seed=3) as site:
        done = await by_api(database_url, tmp_path, site)
        await compare(database_url, site.projects)
        assert (asked(site, QUERY), asked(site, TOKEN), len(site.requests)) == (4, 1, 5)
    assert (done.reason, done.errors, len(done.items)) == ("finished", [], 170)
    (run,) = await runs(database_url)
    assert (run["written"], run["merged"], run["rejected"], run["whole"]) == (170, 0, 0, "-infinity")
    assert run["stats"]["listing/total"] == 170
    now = datetime.now(UTC)
    for row in await fetch(database_url, "SELECT expires_at FROM projects"):
        assert abs(row["expires_at"] - now - timedelta(hours=24)) < timedelta(minutes=1)


async def test_a_second_crawl_takes_the_token_of_the_first_and_stops_at_once(url: str, tmp_path: Path) -> None:
    async with plain(120) as site:
        settings = account(site)
        await by_api(url, tmp_path, site, settings)
        site.requests.clear()
        again = await by_api(url, tmp_path, site, settings)
        assert (again.reason, [seen.path for seen in site.requests]) == ("up_to_date", [QUERY])
        site.add(60)
        more = await by_api(url, tmp_path, site, settings)
        assert (more.reason, await stored_ids(url)) == ("up_to_date", set(site.listed_ids()))
        # What pages show is another listing.
        site.requests.clear()
        pages = await by_pages(url, tmp_path, site)
        assert pages.reason == "finished"


@pytest.mark.parametrize("arrivals", [3, 30])
async def test_nothing_is_missed_while_jobs_arrive(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(200, arrivals_per_request=arrivals) as site:
        there = set(site.listed_ids())
        done = await by_api(url, tmp_path, site)
        assert there <= await stored_ids(url)
        assert (done.reason, len(done.items)) == ("finished", len({item.external_id for item in done.items}))


@pytest.mark.parametrize("closing", [3, 40])
async def test_nothing_is_missed_while_jobs_close(closing: int, url: str, tmp_path: Path) -> None:
    async with plain(200) as site:

        def close_some(number: int, _: Crawl) -> None:
            # The first answer is the token's; the offsets of those below move up.
            if number in (2, 3):
                for identity in site.listed_ids()[:closing]:
                    site.close(identity)

        done = await by_api(url, tmp_path, site, on_answer=close_some)
        assert done.reason == "finished"
        assert set(site.listed_ids()) <= await stored_ids(url)


@pytest.mark.parametrize(
    "arguments",
    [{"query": "react"}, {"skills": "Python"}, {"skills": "SQL, Pandas"}, {"category": "531770282580668418"},
     {"query": "the", "category": "700000000000000002"}],
    ids=str,
)  # fmt: skip
async def test_the_api_is_narrowed(arguments: dict[str, str], tmp_path: Path, url: str) -> None:
    async with plain(200) as site:
        done = await by_api(url, tmp_path, site, **arguments)
        truth = site.projects
    skills = {skill.strip() for skill in arguments.get("skills", "").split(",")} - {""}
    categories = {"531770282580668418": "Web, Mobile & Software Dev", "700000000000000002": "Design & Creative"}
    category = categories.get(arguments.get("category", ""))
    wanted = {
        one["external_id"] for one in truth
        if skills <= set(one["skills"]) and category in (None, one["category"])
        and arguments.get("query", "") in f"{one['title']} {one['description']} {one['skills']}".lower()
    }  # fmt: skip
    assert wanted
    assert (done.reason, {item.external_id for item in done.items}) == ("finished", wanted)


async def test_since_and_max_pages_bound_the_crawl(url: str, tmp_path: Path) -> None:
    async with plain(200) as site:
        since = site.projects[60]["posted_at"]
        done = await by_api(url, tmp_path, site, since=since.isoformat())
        newer = {one["external_id"] for one in site.projects if one["posted_at"] >= since}
        assert ({item.external_id for item in done.items}, asked(site, QUERY)) == (newer, 3)
        done = await by_api(url, tmp_path, site, max_pages="1", full="1", settings=account(site))
        assert (done.reason, len(done.items)) == ("finished", 50)


# --- the API: what is empty ---------------------------------------------------------------------------------------


async def test_a_query_without_results_is_finished_when_others_have_some(url: str, tmp_path: Path) -> None:
    async with plain(40) as site:
        done = await by_api(url, tmp_path, site, query="zzzzzz")
        assert (done.reason, done.items, asked(site, QUERY)) == ("finished", [], 2)
    assert (await runs(url))[0]["whole"] == "-infinity"


@pytest.mark.parametrize("arguments", [{}, {"query": "zzzzzz"}], ids=str)
@pytest.mark.parametrize("fault", ["permission", "permission_null", "permission_empty", "permission_silent"])
async def test_an_empty_list_without_permission_is_no_empty_list(
    fault: str, arguments: dict[str, str], url: str, tmp_path: Path
) -> None:
    async with plain(40) as site:
        site.fail(fault, path=QUERY)
        done = await by_api(url, tmp_path, site, **arguments)
    assert (done.reason, done.items) == ("login_required", [])
    assert "'Read marketplace Job Postings'" in str(done.outcome)
    assert "UPWORK_REFRESH_TOKEN" in str(done.outcome)
    assert (await runs(url))[0]["whole"] is None


_API_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("challenge", {}, "blocked"),
    ("challenge", {"after": 1}, "blocked"),
    ("incapsula", {}, "blocked"),
    ("perimeterx", {}, "blocked"),
    ("datadome", {}, "blocked"),
    ("forbidden", {}, "blocked"),
    ("site_challenge", {}, "blocked"),
    ("site_challenge_bare", {}, "blocked"),
    ("login_page", {}, "blocked"),
    ("login", {}, "login_required"),
    ("status", {"status": 404}, "layout_changed"),
    ("status", {"status": 429}, "rate_limited"),
    ("status", {"status": 500}, "unreachable"),
    ("status", {"status": 500, "times": 1}, "finished"),
    ("truncated", {}, "unreachable"),
    ("truncated", {"times": 1}, "finished"),
    ("reset", {}, "unreachable"),
    ("slow", {"delay": 5}, "unreachable"),
    ("empty_body", {}, "layout_changed"),
    ("token_expired", {}, "login_required"),
    ("token_expired", {"times": 1}, "finished"),
    ("token_expired", {"after": 1, "times": 1}, "finished"),
    ("permission_client", {}, "finished"),
    ("pagination_refused", {}, "unreachable"),
    ("edges_missing", {}, "layout_changed"),
    ("edges_null", {}, "layout_changed"),
    ("edges_empty", {}, "layout_changed"),
    ("edges_empty", {"after": 1}, "incomplete"),
    ("nodes_null", {}, "layout_changed"),
    ("total_null", {}, "finished"),
    ("cursor_null", {}, "incomplete"),
    ("cursor_stuck", {"after": 1}, "incomplete"),
]


@pytest.mark.parametrize(("kind", "options", "reason"), _API_FAULTS, ids=str)
async def test_a_fault_of_the_api_ends_the_crawl_with_its_name(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with plain(130) as site:
        settings = account(site)
        site.fail(kind, path=QUERY, **options)
        done = await by_api(url, tmp_path, site, settings | {"DOWNLOAD_TIMEOUT": 0.5})
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason, done.log
        assert run["items_scraped"] == len(done.items)
        if reason == "finished":
            assert await stored_ids(url) == set(site.listed_ids())
            assert run["whole"] == "-infinity"
            return
        assert run["whole"] is None
        site.heal()
        await by_api(url, tmp_path, site, settings | {"REMEMBER_BLOCKS": False})
        assert await stored_ids(url) == set(site.listed_ids())


async def test_another_organisation_is_told(tmp_path: Path, url: str) -> None:
    async with plain(20, tenant_required=True) as site:
        done = await by_api(url, tmp_path, site)
    assert (done.reason, "TenantId" in str(done.outcome)) == ("login_required", True)


async def test_an_enforced_rate_limit_is_waited_out(tmp_path: Path, url: str) -> None:
    async with plain(130, enforce_rate_limit=True, rate_windows=((2, 0.5),)) as site:
        done = await by_api(url, tmp_path, site, {"RATE_LIMIT_RETRIES": 3})
        assert (done.reason, len(done.items)) == ("finished", 130)
    assert done.counted("asked_to_wait") == {"429": 1}


# --- the API: tokens ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["401", "errors"])
async def test_a_token_that_ends_in_mid_crawl_is_renewed(form: str, url: str, tmp_path: Path) -> None:
    async with plain(170, expired_form=form) as site:

        def expire(number: int, _: Crawl) -> None:
            if number == 3:
                site.expire()

        settings = account(site)
        done = await by_api(url, tmp_path, site, settings, on_answer=expire)
        assert (done.reason, done.errors, len(done.items)) == ("finished", [], 170)
        assert (asked(site, TOKEN), done.counted("tokens")) == (2, {"renewed": 2, "refused": 1})
        again = await by_api(url, tmp_path, site, settings)
        assert (again.reason, asked(site, TOKEN)) == ("up_to_date", 2)


async def test_a_token_is_renewed_before_it_ends(url: str, tmp_path: Path) -> None:
    # It says of itself that it lasts a second.
    async with plain(170, token_seconds=1.9) as site:
        done = await by_api(url, tmp_path, site, {"DOWNLOAD_DELAY": 0.4, "DOWNLOAD_DELAY_JITTER": 0})
        assert done.reason == "finished"
        assert done.counted("tokens")["renewed"] > 1
        assert "refused" not in done.counted("tokens")


async def test_two_crawls_at_once_renew_a_token_once(url: str, tmp_path: Path) -> None:
    async with plain(60) as site:
        settings = account(site)
        for expected in (1, 2):
            both = await asyncio.gather(
                by_api(url, tmp_path / "a", site, settings, full="1"),
                by_api(url, tmp_path / "b", site, settings, full="1"),
            )
            assert [done.reason for done in both] == ["finished", "finished"]
            assert asked(site, TOKEN) == expected
            site.expire()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"UPWORK_REFRESH_TOKEN": "oauth2v2_nobody-knows-it"}, "authorise the program again and set UPWORK_REFRESH"),
        ({"UPWORK_CLIENT_SECRET": "another-secret"}, "check UPWORK_CLIENT_ID and UPWORK_CLIENT_SECRET"),
    ],
    ids=str,
)
async def test_an_account_that_is_refused_is_told(wrong: dict[str, str], said: str, url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await by_api(url, tmp_path, site, wrong)
        assert (done.reason, asked(site, QUERY), asked(site, TOKEN)) == ("login_required", 0, 1)
    assert said in str(done.outcome)


async def test_a_token_that_another_program_used_is_told_and_a_new_grant_helps(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        settings = account(site)
        await by_api(url, tmp_path, site, settings)
        site.expire()
        site.rotate()
        done = await by_api(url, tmp_path, site, settings)
        assert (done.reason, "(invalid_grant)" in str(done.outcome)) == ("login_required", True)
        assert (await by_api(url, tmp_path, site, account(site))).reason == "up_to_date"


_TOKEN_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("status", {"status": 500}, "unreachable"),
    ("status", {"status": 429}, "rate_limited"),
    ("challenge", {}, "blocked"),
    ("site_challenge_bare", {}, "blocked"),
    ("login_page", {}, "layout_changed"),
    ("login", {}, "layout_changed"),
    ("truncated", {}, "unreachable"),
    ("reset", {}, "unreachable"),
    ("slow", {"delay": 5}, "unreachable"),
    ("empty_body", {}, "layout_changed"),
]


@pytest.mark.parametrize(("kind", "options", "reason"), _TOKEN_FAULTS, ids=str)
async def test_a_fault_where_tokens_are_given_out_uses_no_second_one(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with plain(20) as site:
        site.fail(kind, path=TOKEN, **options)
        done = await by_api(url, tmp_path, site, {"DOWNLOAD_TIMEOUT": 0.5})
        assert (done.reason, asked(site, TOKEN), asked(site, QUERY)) == (reason, 1, 0), done.log
    assert await fetch(url, "SELECT * FROM credentials") == []
    assert await fetch(url, "SELECT * FROM kept_pages") == []


async def test_where_nothing_is_stored_tokens_are(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        settings = account(site) | {"DATABASE_URL": url}
        for _ in range(2):
            done = await by_api(None, tmp_path, site, settings)
            assert (done.reason, len(done.items), asked(site, TOKEN)) == ("finished", 20, 1)
    assert await stored_ids(url) == set()
    assert len(await fetch(url, "SELECT * FROM credentials")) == 1


async def test_without_a_database_no_token_is_used(tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await by_api(None, tmp_path, site, {"DATABASE_URL": "postgresql://localhost:1/nothing"})
        assert (done.reason, site.requests) == ("database_unreachable", [])
    assert "each is good once, so none is used without a database" in str(done.outcome)


async def test_the_token_is_not_sent_elsewhere(url: str, tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    async def note(request: web.BaseRequest) -> web.Response:
        seen.append(dict(request.headers))
        return web.json_response({})

    elsewhere = web.ServerRunner(web.Server(note), access_log=None)
    await elsewhere.setup()
    await web.TCPSite(elsewhere, "127.0.0.1", 0).start()

    async def lead_away(request: web.BaseRequest) -> web.Response:
        if request.path == TOKEN:
            return web.json_response({"access_token": "a" * 20, "refresh_token": "r" * 20, "expires_in": 86_400})
        address = f"http://127.0.0.1:{elsewhere.addresses[0][1]}/graphql"
        return web.Response(status=307, headers={"Location": address})

    here = web.ServerRunner(web.Server(lead_away), access_log=None)
    await here.setup()
    await web.TCPSite(here, "127.0.0.1", 0).start()
    try:
        settings = {"UPWORK_CLIENT_ID": "id", "UPWORK_CLIENT_SECRET": "secret-1", "UPWORK_REFRESH_TOKEN": "token-1"}
        base_url = f"http://127.0.0.1:{here.addresses[0][1]}"
        done = await crawl(url, tmp_path, spider=UpworkSpider, base_url=base_url, settings=settings)
    finally:
        await here.cleanup()
        await elsewhere.cleanup()
    assert (done.reason, seen) == ("layout_changed", [])


def written(folder: Path) -> list[str]:
    """Return what the files in a folder hold."""
    return [file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file()]


async def test_no_token_is_left_behind(url: str, tmp_path: Path) -> None:
    known, log_redaction._secrets = log_redaction._secrets, ()
    try:
        async with plain(60, expired_form="errors") as site:
            secrets = set(account(site).values()) - {site.tokens.client_id}

            def expire(number: int, _: Crawl) -> None:
                secrets.update((site.tokens.refresh_token, *site.tokens.expires))
                if number == 2:
                    site.expire()
                if number == 4:
                    # Whatever is told of the last answer goes into the log, the run and the kept page.
                    site.fail("site_challenge_bare", path=QUERY)

            done = await by_api(url, tmp_path, site, {"LOG_LEVEL": "DEBUG"}, on_answer=expire)
            secrets.update((site.tokens.refresh_token, *site.tokens.used, *site.tokens.expires))
            assert log_redaction.hide(site.tokens.refresh_token) == "[UPWORK_REFRESH_TOKEN]"
            assert all(token not in log_redaction.hide(f"a {token} b") for token in site.tokens.expires)
    finally:
        log_redaction._secrets = known
    assert done.counted("tokens") == {"renewed": 2, "refused": 1}
    assert len(secrets) >= 5
    left = ["\n".join(done.log), str(done.crawler.stats.get_stats()), str(done.outcome)]
    tables = [row["name"] for row in await fetch(url, "SELECT tablename AS name FROM pg_tables "
                                                      "WHERE schemaname = 'public'")]  # fmt: skip
    for table in tables:
        left += [json.dumps(row, default=str) for row in await fetch(url, f"SELECT t.*::text FROM {table} AS t")]
    left += written(tmp_path)
    assert not [secret for secret in secrets if any(secret in text for text in left)]


# --- pages --------------------------------------------------------------------------------------------------------


def listed(site: UpworkStandIn) -> list[dict[str, Any]]:
    """Return what is stored of the pages: of jobs without a text in the listing, what their own page tells, too."""
    found = []
    for short, whole in zip(site.state_projects, site.detailed_projects, strict=True):
        one = short if short["description"] else whole
        if not short["description"] and one["client"]:
            # Countries in three letters are not read, but for the one that was seen.
            country = (short["client"] or {}).get("country")
            one["client"]["country"] = country or ("US" if one["client"]["country"] == "US" else None)
        found.append(one)
    return found


async def test_every_job_of_the_pages_is_stored_once(database_url: str, tmp_path: Path) -> None:
    async with UpworkStandIn(120, seed=3) as site:
        done = await by_pages(database_url, tmp_path, site)
        await compare(database_url, listed(site))
        assert asked(site, LISTING) == 3
        assert {row["expires_at"] for row in await fetch(database_url, "SELECT expires_at FROM projects")} == {None}
        assert (asked(site, QUERY), asked(site, TOKEN)) == (0, 0)
    assert (done.reason, done.errors, len(done.items)) == ("finished", [], 120)


async def test_a_second_crawl_of_the_pages_stops_at_once(url: str, tmp_path: Path) -> None:
    async with plain(120) as site:
        await by_pages(url, tmp_path, site)
        site.requests.clear()
        again = await by_pages(url, tmp_path, site)
        assert (again.reason, asked(site, LISTING)) == ("up_to_date", 1)
        site.add(60)
        more = await by_pages(url, tmp_path, site)
        assert (more.reason, await stored_ids(url)) == ("up_to_date", set(site.listed_ids()))


@pytest.mark.parametrize("past_end", ["empty", "last"])
async def test_nothing_is_missed_on_pages_while_jobs_arrive(past_end: str, url: str, tmp_path: Path) -> None:
    async with plain(120, arrivals_per_request=7, past_end=past_end) as site:
        there = set(site.listed_ids())
        done = await by_pages(url, tmp_path, site)
        assert (done.reason, there <= await stored_ids(url)) == ("finished", True)


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 500}, None], ids=str)
async def test_a_job_whose_page_cannot_be_had_is_stored_as_listed(
    fault: dict[str, Any] | None, url: str, tmp_path: Path
) -> None:
    async with plain(30) as site:
        site.bend(site.listed_ids()[3], "description_empty")
        if fault:
            site.fail("status", path="/jobs/~", **fault)
        done = await by_pages(url, tmp_path, site)
        assert await stored_ids(url) == set(site.listed_ids())
    assert done.reason == "finished"
    assert (await runs(url))[0]["whole"] == (None if fault == {"status": 500} else "-infinity")


@pytest.mark.parametrize("arguments", [{"query": "react"}, {"category": "531770282580668418"}], ids=str)
async def test_the_pages_are_narrowed(arguments: dict[str, str], tmp_path: Path) -> None:
    async with plain(200) as site:
        done = await by_pages(None, tmp_path, site, **arguments)
        wanted = {
            one["external_id"] for one in site.projects
            if arguments.get("query", "") in f"{one['title']} {one['description']} {one['skills']}".lower()
            and ("category" not in arguments or one["category"] == "Web, Mobile & Software Dev")
        }  # fmt: skip
    assert (done.reason, {item.external_id for item in done.items}) == ("finished", wanted)
    assert not any("highlight" in item.title for item in done.items)


# Without a browser; with one, tiles make up for what the state lacks.
_LAYOUTS = {
    "nuxt3": "finished",
    "nuxt2": "finished",
    "2024": "finished",
    "unrendered": "finished",
    "stateless": "layout_changed",
    "marker_gone": "layout_changed",
    "list_missing": "layout_changed",
    "list_null": "layout_changed",
    "list_empty": "layout_changed",
    "renamed": "layout_changed",
    "moved": "layout_changed",
    "unreadable": "layout_changed",
}


def test_every_layout_has_an_expectation() -> None:
    assert set(_LAYOUTS) == set(LAYOUTS)


@pytest.mark.parametrize(("layout", "reason"), _LAYOUTS.items())
async def test_a_layout_is_read_or_named(layout: str, reason: str, url: str, tmp_path: Path) -> None:
    async with plain(60, layout=layout) as site:
        done = await by_pages(url, tmp_path, site)
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        assert await stored_ids(url) == (set(site.listed_ids()) if reason == "finished" else set())
        assert run["whole"] == ("-infinity" if reason == "finished" else None)
    if layout in ("stateless", "marker_gone"):
        assert len(await fetch(url, "SELECT * FROM kept_pages")) == 1


_PAGE_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("challenge", {}, "blocked"),
    ("incapsula", {}, "blocked"),
    ("perimeterx", {}, "blocked"),
    ("datadome", {}, "blocked"),
    ("forbidden", {}, "blocked"),
    ("site_challenge", {}, "blocked"),
    ("site_challenge_bare", {"after": 1}, "blocked"),
    ("login_page", {}, "login_required"),
    ("login", {}, "login_required"),
    ("status", {"status": 401}, "login_required"),
    ("status", {"status": 410}, "layout_changed"),
    ("status", {"status": 429}, "rate_limited"),
    ("status", {"status": 500}, "unreachable"),
    ("truncated", {"times": 1}, "finished"),
    ("empty_body", {}, "layout_changed"),
]


@pytest.mark.parametrize(("kind", "options", "reason"), _PAGE_FAULTS, ids=str)
async def test_a_fault_of_the_pages_ends_the_crawl_with_its_name(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with plain(120) as site:
        site.fail(kind, path=LISTING, **options)
        done = await by_pages(url, tmp_path, site)
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason, done.log
        assert run["whole"] == ("-infinity" if reason == "finished" else None)


@pytest.mark.parametrize(
    ("robots", "status", "reason"),
    [("User-agent: *\nDisallow: /nx/\n", 200, "permission_required"), ("", 404, "finished"), ("", 403, "finished")],
)
async def test_robots_txt_is_obeyed_on_pages_and_not_asked_by_the_api(
    robots: str, status: int, reason: str, url: str, tmp_path: Path
) -> None:
    async with plain(20) as site:
        site.robots, site.robots_status = robots, status
        assert (await by_pages(url, tmp_path, site)).reason == reason
        site.requests.clear()
        assert (await by_api(url, tmp_path, site)).reason in ("finished", "up_to_date")
        assert asked(site, "/robots.txt") == 0


# --- with a browser, in a process of its own ----------------------------------------------------------------------


@pytest.fixture
def browser() -> None:
    """Skip where there is none."""
    pytest.importorskip("playwright")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))):
        pytest.skip("no browser (Debian: apt-get install chromium; else: playwright install chromium)")


@pytest.mark.parametrize(
    ("layout", "reason"), [("stateless", "finished"), ("moved", "finished"), ("marker_gone", "layout_changed")]
)
@pytest.mark.usefixtures("browser")
async def test_tiles_are_read_where_scripts_put_them(
    layout: str, reason: str, url: str, scrapy: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with standin_process(projects=60, layout=layout, odd_rows=False) as site:
        settings = ("-s", "DOWNLOAD_DELAY=0", "-s", "TEXT_INDEX_SECONDS=0",
                    "-s", "PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT=5000", "-s", "DOWNLOAD_TIMEOUT=6")  # fmt: skip
        account = dict.fromkeys(("UPWORK_CLIENT_ID", "UPWORK_CLIENT_SECRET", "UPWORK_REFRESH_TOKEN"), "")
        command = ("crawl", "upwork", "-a", f"base_url={site.base_url}", *settings)
        done = await asyncio.to_thread(scrapy, *command, DATABASE_URL=url, **account)
        truth = site.state()["tile_projects"]
    (run,) = await runs(url)
    assert run["reason"] == reason, done.stderr
    assert done.returncode == (0 if reason == "finished" else 1)
    rows = {row["external_id"]: row for row in await fetch(url, "SELECT * FROM projects")}
    if reason != "finished":
        assert rows == {}
        return
    assert set(rows) == {one["external_id"] for one in truth}
    for one in truth:
        row = rows[one["external_id"]]
        same = ("url", "title", "status", "extra", "description_complete")
        assert {name: row[name] for name in same} == {name: one[name] for name in same}
        assert words(row["description"]) == words(one["description"])

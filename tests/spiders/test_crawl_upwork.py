"""What is Upwork's own in whole crawls of its stand-in, by API and pages; the rest is in `test_all_crawls`."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, impatient, project_settings, runs, stored_ids
from _stopwatch import Stopwatch
from aiohttp import web
from platforms_standins.upwork import standin_process
from scrapy import signals
from spiders._columns import words
from spiders._platforms import UPWORK_API, UPWORK_PAGES

from outsourcing_spiders.extensions import log_redaction
from outsourcing_spiders.spiders.upwork import UpworkSpider

QUERY, TOKEN, LISTING = UPWORK_API.query, UPWORK_API.token, UPWORK_API.search
plain, account, asked = UPWORK_API.plain, UPWORK_API.account, UPWORK_API.asked
by_api, by_pages = UPWORK_API.read, UPWORK_PAGES.read


# --- the API: what is stored --------------------------------------------------------------------------------------


async def test_a_second_crawl_takes_the_token_of_the_first_and_stops_at_once(url: str, tmp_path: Path) -> None:
    async with plain(120) as site:
        settings = account(site)
        await by_api(url, tmp_path, site, settings)
        now = datetime.now(UTC)
        for row in await fetch(url, "SELECT expires_at FROM projects"):
            assert abs(row["expires_at"] - now - timedelta(hours=24)) < timedelta(minutes=1)
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


# --- the API: what is empty ---------------------------------------------------------------------------------------


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


async def test_another_organisation_is_told(tmp_path: Path, url: str) -> None:
    async with plain(20, tenant_required=True) as site:
        done = await by_api(url, tmp_path, site)
    assert (done.reason, "TenantId" in str(done.outcome)) == ("login_required", True)


async def test_an_enforced_rate_limit_is_waited_out(tmp_path: Path, url: str) -> None:
    async with plain(130, enforce_rate_limit=True, rate_windows=((2, 0.5),)) as site:
        done = await by_api(url, tmp_path, site, {"RATE_LIMIT_RETRIES": 3})
        assert (done.reason, len(done.items)) == ("finished", 130)
    # None, where the machine is slower than the limit.
    assert done.counted("asked_to_wait").get("429", 0) <= 2


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
        with Stopwatch() as watch:
            done = await by_api(url, tmp_path, site, {"DOWNLOAD_DELAY": 0.4, "DOWNLOAD_DELAY_JITTER": 0})
        assert done.reason == "finished"
        assert done.counted("tokens")["renewed"] > 1
        # One that the machine held back for as long as a token lasts may have come too late.
        assert done.counted("tokens").get("refused", 0) <= int(watch.held_up / 0.9)


class StopAtToken:
    """Stops the crawl while a token is asked for."""

    @classmethod
    def from_crawler(cls, crawler: Any) -> Any:
        stopping = []

        def look(request: Any) -> None:
            if request.url.endswith(TOKEN):
                stopping.append(asyncio.ensure_future(crawler.stop_async()))

        crawler.signals.connect(look, signal=signals.request_reached_downloader, weak=False)
        return cls()


async def test_a_token_that_is_given_up_is_told(url: str, tmp_path: Path) -> None:
    # Whether it was used up is not known: the next crawl may find that no token is accepted any more.
    async with plain(20) as site:
        site.fail("held", path=TOKEN)
        settings = {"EXTENSIONS": dict(project_settings()["EXTENSIONS"]) | {StopAtToken: 1}, "STOP_GRACE": 0.2}
        async with asyncio.timeout(25):
            done = await by_api(url, tmp_path, site, account(site) | settings)
    assert done.reason == "shutdown"
    assert [line for line in done.errors if "Given up while a token was renewed" in line]


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
        done = await by_api(url, tmp_path, site, impatient(TOKEN) if kind == "slow" else {})
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


async def test_robots_txt_is_not_asked_by_the_api(url: str, tmp_path: Path) -> None:
    async with plain(20) as site:
        site.robots = "User-agent: *\nDisallow: /\n"
        assert (await by_api(url, tmp_path, site)).reason == "finished"
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
        # What never comes is not waited for as long as what a slow machine shows late.
        patience = 30 if reason == "finished" else 10
        settings = ("-s", "DOWNLOAD_DELAY=0", "-s", "TEXT_INDEX_SECONDS=0", "-s", f"DOWNLOAD_TIMEOUT={patience}")
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

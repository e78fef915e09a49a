"""Whole crawls of the Freemoa stand-in into PostgreSQL: what is stored, how they end, what they ask for."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from _crawls import Crawl, crawl, fetch, runs
from conftest import Server, _administer
from platforms_standins.freemoa import COOKIE, LAYOUTS, FreemoaStandIn

from outsourcing_spiders.parsing.skills import canonical_skills
from outsourcing_spiders.spiders.freemoa import FreemoaSpider
from outsourcing_spiders.storage.engine import Database

SHELL, LISTING = "/m4/s41", "/m4a/s41a"
PRICING = {None: "unknown", "total": "fixed", "month": "monthly"}


@pytest.fixture(scope="module")
async def template_name(embedded_server: Server, open_folder: Path) -> str:
    name = "template_of_freemoa"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(name), embedded_root=open_folder):
        pass
    return name


_numbers = itertools.count()


@pytest.fixture
async def url(embedded_server: Server, template_name: str) -> AsyncIterator[str]:
    """DATABASE_URL of a new database."""
    name = f"freemoa_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE {template_name} STRATEGY wal_log")
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


async def read(url: str | None, folder: Path, site: FreemoaStandIn, **options: Any) -> Crawl:
    """Crawl the site."""
    return await crawl(url, folder, spider=FreemoaSpider, base_url=site.base_url, **options)


def plain(projects: int = 50, **options: Any) -> FreemoaStandIn:
    """Return a site on which every project is an ordinary one."""
    return FreemoaStandIn(projects, odd_rows=False, **options)


def pages(site: FreemoaStandIn) -> list[int]:
    """Return which pages of the listing were asked for, in that order."""
    return [int(parse_qs(seen.body)["page"][0]) for seen in site.requests if seen.path == LISTING]


def ids(site: FreemoaStandIn) -> set[str]:
    """Return the ids of all projects on the site."""
    return set(map(str, site.listed_ids()))


async def stored(url: str) -> set[str]:
    """Return the ids of all stored projects."""
    return {row["external_id"] for row in await fetch(url, "SELECT external_id FROM projects")}


def columns(told: dict[str, Any]) -> dict[str, Any]:
    """Return what the site tells of a project as the columns of the table."""
    same = ("url", "title", "description", "description_complete", "status", "category", "work_mode", "location",
            "language", "posted_at", "posted_precision", "posted_text", "closes_at", "bid_count",
            "bid_average")  # fmt: skip
    budget = told["budget"] or dict.fromkeys(("minimum", "maximum", "currency", "text", "period"))
    return {name: told[name] for name in same} | {
        "platform": "freemoa",
        "external_id": told["external_id"],
        "budget_min": budget["minimum"],
        "budget_max": budget["maximum"],
        "currency": budget["currency"],
        "budget_text": budget["text"],
        "pricing": PRICING[budget["period"]],
        "skills": canonical_skills(told["skills"]),
        "extra": {name: value for name, value in told["extra"].items() if value is not None},
        "client_country": None,
        "client_rating": None,
        "expires_at": None,
    }


# --- what is stored -----------------------------------------------------------------------------------------------


async def test_every_project_of_the_listing_is_stored_once(database_url: str, tmp_path: Path) -> None:
    async with FreemoaStandIn(125, seed=3) as site:
        done = await read(database_url, tmp_path, site)
        truth = {told["external_id"]: columns(told) for told in site.projects}
        assert pages(site) == list(range(1, 14))
        assert [seen.path for seen in site.requests][:2] == ["/robots.txt", SHELL]
        assert not [seen for seen in site.requests if seen.path == "/m4a/s41v"]
        rejected = str(site.odd["title_null"])
    assert (done.reason, done.errors, len(done.items)) == ("finished", [], 124)
    rows = {row["external_id"]: row for row in await fetch(database_url, "SELECT * FROM projects")}
    assert rows.keys() == truth.keys() - {rejected}
    for identity, row in rows.items():
        assert {name: row[name] for name in truth[identity]} == truth[identity]
        assert (row["budget_min_usd"] is None) == (row["budget_min"] is None)
    (run,) = await runs(database_url)
    assert (run["written"], run["merged"], run["rejected"], run["whole"]) == (124, 0, 1, "-infinity")
    assert run["requests"] == len(site.requests) == 2 + 13
    assert run["stats"]["listing/total"] == 125


async def test_a_second_crawl_a_moment_later_costs_one_page(url: str, tmp_path: Path) -> None:
    async with FreemoaStandIn(50) as site:
        await read(url, tmp_path, site)
        before = await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id")
        site.requests.clear()
        again = await read(url, tmp_path, site)
        assert (again.reason, pages(site)) == ("up_to_date", [1])
        assert await fetch(url, "SELECT xmin::text, * FROM projects ORDER BY external_id") == before
        full = await read(url, tmp_path, site, full="1")
        assert (full.reason, pages(site)[1:]) == ("finished", [1, 2, 3, 4, 5])
    assert [(run["reason"], run["written"], run["whole"]) for run in await runs(url)][1:] == [
        ("up_to_date", 0, "-infinity"), ("finished", 0, "-infinity"),
    ]  # fmt: skip


async def test_an_etag_of_the_page_hides_nothing(url: str, tmp_path: Path) -> None:
    class Tagged(FreemoaStandIn):
        def answer(self, request: Any, alteration: str | None) -> Any:
            found = super().answer(request, alteration)
            found.headers["ETag"] = '"always the same"'
            if request.headers.get("If-None-Match") and request.path != LISTING:
                found.status, found.body = 304, b""
            return found

    async with Tagged(30, odd_rows=False) as site:
        await read(url, tmp_path, site)
        site.add(5)
        again = await read(url, tmp_path, site)
        assert again.reason == "up_to_date"
        assert await stored(url) == ids(site)


async def test_arrivals_between_crawls_are_read(url: str, tmp_path: Path) -> None:
    async with plain(50) as site:
        await read(url, tmp_path, site)
        site.add(15)
        site.apply(site.listed_ids()[20], 3)
        site.requests.clear()
        done = await read(url, tmp_path, site)
        assert (done.reason, pages(site)) == ("up_to_date", [1, 2, 3])
        assert await stored(url) == ids(site)
    assert (await runs(url))[-1]["written"] == 16


async def test_a_bounded_crawl_does_not_stop_the_next_one(url: str, tmp_path: Path) -> None:
    async with plain(50) as site:
        first = await read(url, tmp_path, site, max_pages="2")
        assert (first.reason, pages(site)) == ("finished", [1, 2])
        assert await stored(url) == set(map(str, site.listed_ids()[:20]))
        done = await read(url, tmp_path, site)
        assert done.reason == "finished"
        assert await stored(url) == ids(site)
    assert [run["whole"] for run in await runs(url)] == [None, "-infinity"]


@pytest.mark.parametrize("projects", [0, 1, 9, 10, 11, 20])
async def test_the_last_page_is_known(projects: int, tmp_path: Path) -> None:
    async with plain(projects) as site:
        done = await read(None, tmp_path, site)
    assert (done.reason, len(done.items), len(pages(site))) == ("finished", projects, max(1, -(-projects // 10)))


# --- while the listing moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", [1, 4, 10, 12])
async def test_nothing_is_missed_while_projects_arrive(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(50, arrivals_per_request=arrivals) as site:
        there = ids(site)
        done = await read(url, tmp_path, site, max_pages="60")
        assert len(done.items) == len({item.external_id for item in done.items})
        if arrivals < 10:
            assert there <= await stored(url)
            assert done.reason == "finished"
            # The top is read once more for those that came meanwhile.
            assert len(await stored(url)) > 50


@pytest.mark.parametrize(("leaving", "answers"), [(1, 6), (3, 4), (12, 1)])
async def test_nothing_is_missed_while_projects_leave(leaving: int, answers: int, url: str, tmp_path: Path) -> None:
    async with plain(80) as site:

        def remove_some(number: int, _: Crawl) -> None:
            # The first answers are robots.txt and the page. Of those that were read already.
            if 3 <= number < 3 + answers:
                for identity in site.listed_ids()[:leaving]:
                    site.remove(identity)

        done = await read(url, tmp_path, site, on_answer=remove_some)
        assert done.reason == "finished"
        assert ids(site) <= await stored(url)
    assert (await runs(url))[0]["whole"] == "-infinity"


# --- arguments ----------------------------------------------------------------------------------------------------


async def test_since_bounds_how_far_back_a_crawl_reads(url: str, tmp_path: Path) -> None:
    async with plain(50) as site:
        since = site.projects[15]["posted_at"]
        done = await read(url, tmp_path, site, since=since.isoformat())
        assert await stored(url) == {told["external_id"] for told in site.projects if told["posted_at"] >= since}
        # The first page without anything newer is the last one.
        assert (done.reason, pages(site)) == ("finished", [1, 2, 3])
        site.requests.clear()
        again = await read(url, tmp_path, site, since=(since + timedelta(minutes=1)).isoformat())
        assert (again.reason, pages(site)) == ("up_to_date", [1])


async def test_the_listing_is_narrowed_by_words(tmp_path: Path) -> None:
    async with plain(80) as site:
        done = await read(None, tmp_path, site, query="쇼핑몰")
        wanted = {str(project.id) for project in site.select({"sS": ["쇼핑몰"], "sm": ["3"]})}
        nothing = await read(None, tmp_path, site, query="없는말")
        bodies = {parse_qs(seen.body).get("sS", [""])[0] for seen in site.requests if seen.path == LISTING}
    assert 0 < len(wanted) < 80
    assert (done.reason, {item.external_id for item in done.items}) == ("finished", wanted)
    assert (nothing.reason, nothing.items) == ("finished", [])
    assert bodies == {"쇼핑몰", "없는말"}


# --- what a request carries ---------------------------------------------------------------------------------------


async def test_requests_for_rows_carry_what_the_page_s_own_script_sends(tmp_path: Path) -> None:
    async with plain(30) as site:
        done = await read(None, tmp_path, site)
        shell, *asked = [seen for seen in site.requests if seen.path in (SHELL, LISTING)]
        host = urlsplit(site.base_url).netloc
    assert done.reason == "finished"
    assert "cookie" not in shell.headers
    for seen in asked:
        assert re.fullmatch(rf"{COOKIE}=\w+", seen.headers["cookie"])
        assert seen.headers["referer"] == f"http://{host}{SHELL}"
        assert seen.headers["origin"] == f"http://{host}"
        assert seen.headers["x-requested-with"] == "XMLHttpRequest"
        assert seen.headers["user-agent"].startswith("outsourcing_spiders/")


async def test_each_crawl_has_a_session_of_its_own(tmp_path: Path) -> None:
    async with plain(10) as site:
        for _ in range(2):
            assert (await read(None, tmp_path, site)).reason == "finished"
        assert len({seen.headers["cookie"] for seen in site.requests if seen.path == LISTING}) == 2


async def test_a_host_that_gives_no_cookie_may_still_answer(tmp_path: Path) -> None:
    class Cookieless(FreemoaStandIn):
        def answer(self, request: Any, alteration: str | None) -> Any:
            found = super().answer(request, alteration)
            found.headers.pop("Set-Cookie", None)
            return found

    async with Cookieless(20, odd_rows=False, needs=("referer",)) as site:
        assert (await read(None, tmp_path, site)).reason == "finished"
    async with Cookieless(20, odd_rows=False) as site:
        assert (await read(None, tmp_path, site)).reason == "blocked"


async def test_the_page_and_the_rows_are_paced(tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await read(None, tmp_path, site, settings={"DOWNLOAD_DELAY": 0.3, "DOWNLOAD_DELAY_JITTER": 0})
        moments = [seen.at for seen in site.requests]
    assert (done.reason, len(moments)) == ("finished", 4)
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) > 0.25


# --- layouts, faults ----------------------------------------------------------------------------------------------

_LAYOUTS = {
    "2026": "finished",
    "2025": "finished",
    "marker_missing": "layout_changed",
    "renamed": "layout_changed",
    "list_missing": "layout_changed",
    "list_empty": "layout_changed",
}


def test_every_layout_has_an_expectation() -> None:
    assert set(_LAYOUTS) == set(LAYOUTS)


@pytest.mark.parametrize(("layout", "reason"), _LAYOUTS.items())
async def test_a_layout_is_read_or_named(layout: str, reason: str, url: str, tmp_path: Path) -> None:
    async with plain(40, layout=layout, frozen=True) as site:
        done = await read(url, tmp_path, site)
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        assert "Traceback" not in str(done.outcome)
        if reason != "finished":
            assert run["whole"] is None
            assert await stored(url) == set()
            return
        assert await stored(url) == ids(site)
        for row in await fetch(url, "SELECT * FROM projects"):
            told = next(told for told in site.projects if told["external_id"] == row["external_id"])
            expected = columns(told)
            if layout == "2025":
                # There is the last day, and no second of its end; nor is there the second field.
                expected["closes_at"] -= timedelta(seconds=1)
                expected["extra"].pop("subcategory")
            assert {name: row[name] for name in expected} == expected


_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("challenge", {}, "blocked"),
    ("challenge", {"after": 1}, "blocked"),
    ("incapsula", {}, "blocked"),
    ("perimeterx", {}, "blocked"),
    ("datadome", {}, "blocked"),
    ("forbidden", {}, "blocked"),
    ("block", {}, "blocked"),
    ("block", {"after": 2}, "blocked"),
    ("login", {}, "login_required"),
    ("login_required", {}, "login_required"),
    ("login_required", {"after": 1}, "login_required"),
    ("status", {"status": 401}, "login_required"),
    ("status", {"status": 404}, "layout_changed"),
    ("status", {"status": 429}, "rate_limited"),
    ("status", {"status": 500}, "unreachable"),
    ("status", {"status": 500, "times": 1}, "finished"),
    ("error_envelope", {}, "unreachable"),
    ("error_envelope", {"after": 2}, "unreachable"),
    ("truncated", {}, "unreachable"),
    ("truncated", {"times": 1}, "finished"),
    ("reset", {}, "unreachable"),
    ("slow", {"delay": 5}, "unreachable"),
    ("slow", {"delay": 5, "times": 1, "after": 1}, "finished"),
    ("empty_body", {}, "layout_changed"),
    ("invalid_json", {}, "layout_changed"),
    ("marker_missing", {}, "layout_changed"),
    ("renamed", {}, "layout_changed"),
    ("list_missing", {"after": 1}, "layout_changed"),
    ("list_null", {}, "layout_changed"),
    ("list_object", {}, "layout_changed"),
    ("list_empty", {"after": 1}, "incomplete"),
    ("list_empty", {"after": 1, "times": 1}, "finished"),
    ("total_missing", {}, "finished"),
    ("total_null", {}, "finished"),
    ("total_string", {}, "finished"),
    ("total_too_large", {}, "incomplete"),
]


@pytest.mark.parametrize(("kind", "options", "reason"), _FAULTS, ids=str)
async def test_a_fault_of_the_platform_ends_the_crawl_with_its_name(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with plain(40) as site:
        site.fail(kind, path=LISTING, **options)
        done = await read(url, tmp_path, site, settings={"DOWNLOAD_TIMEOUT": 0.3})
        (run,) = await runs(url)
        assert done.reason == run["reason"] == reason
        assert run["items_scraped"] == len(done.items) == len(await stored(url))
        if reason == "finished":
            assert await stored(url) == ids(site)
            assert run["whole"] == "-infinity"
            return
        assert run["whole"] is None
        assert sum(line.split(": ", 1)[1] == str(done.outcome) for line in done.log) == 1
        if options.get("after"):
            # Once the platform is well again, the next crawl makes whole what this one began.
            site.heal()
            await read(url, tmp_path, site, settings={"REMEMBER_BLOCKS": False})
            assert await stored(url) == ids(site)


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("challenge", {}, "blocked"),
        ("incapsula", {}, "blocked"),
        ("forbidden", {}, "blocked"),
        ("login", {}, "login_required"),
        ("status", {"status": 401}, "login_required"),
        ("status", {"status": 404}, "layout_changed"),
        ("status", {"status": 500}, "unreachable"),
        ("status", {"status": 500, "times": 1}, "finished"),
        ("reset", {}, "unreachable"),
        ("slow", {"delay": 5}, "unreachable"),
    ],
    ids=str,
)
async def test_a_fault_of_the_page_ends_the_crawl_before_the_rows(
    kind: str, options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    async with plain(20) as site:
        site.fail(kind, path=SHELL, **options)
        done = await read(None, tmp_path, site, settings={"DOWNLOAD_TIMEOUT": 0.3})
        assert done.reason == reason
        assert bool(pages(site)) is (reason == "finished")


@pytest.mark.parametrize(
    ("rules", "reason", "asked"),
    [
        ("User-agent: *\nDisallow: /m4/\n", "permission_required", 1),
        ("User-agent: *\nDisallow: /m4a/\n", "permission_required", 2),
        ("User-agent: *\nDisallow: /\n", "permission_required", 1),
        ("User-agent: *\nDisallow:\n", "finished", 4),
        ("User-agent: *\nDisallow: /m0/\nCrawl-delay: 0.3\n", "finished", 4),
    ],
    ids=str,
)
async def test_robots_txt_is_obeyed(rules: str, reason: str, asked: int, tmp_path: Path) -> None:
    async with plain(20) as site:
        site.robots = rules
        done = await read(None, tmp_path, site)
        moments = [seen.at for seen in site.requests]
    assert (done.reason, len(moments)) == (reason, asked)
    if "Crawl-delay" in rules:
        assert min(later - earlier for earlier, later in itertools.pairwise(moments[1:])) > 0.25


@pytest.mark.parametrize(("status", "reason"), [(403, "finished"), (404, "finished"), (500, "unreachable")])
async def test_robots_txt_that_cannot_be_had(status: int, reason: str, tmp_path: Path) -> None:
    async with plain(10) as site:
        site.robots_status = status
        assert (await read(None, tmp_path, site)).reason == reason


# --- personal data ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """Collect all that is logged, down to DEBUG, with tracebacks."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, root = Collector(logging.DEBUG), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    # As `scrapy crawl -L DEBUG` does it; the crawl's own collector leaves the level as it finds it.
    for name in ("scrapy", "outsourcing_spiders"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for name in ("scrapy", "outsourcing_spiders"):
            logging.getLogger(name).setLevel(logging.NOTSET)


async def everything(url: str) -> dict[str, str]:
    """Return all that all tables hold, as text; bodies of kept pages unpacked."""
    found = {}
    names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    for (name,) in [tuple(row.values()) for row in await fetch(url, names)]:
        rows = await fetch(url, f'SELECT * FROM "{name}"')
        for row in rows:
            if "body" in row:
                row["body"] = gzip.decompress(row["body"]).decode()
        # Bytes are digests: anything may be among them.
        found[name] = json.dumps(rows, default=lambda value: None if type(value) is bytes else str(value))
    return found


def written(folder: Path) -> list[tuple[Path, str]]:
    """Return all files below a folder, and what is in them."""
    return [(path, path.read_text()) for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("total_string", {}, "finished"),
        ("block", {"after": 1}, "blocked"),
        ("truncated", {"after": 1}, "unreachable"),
        ("renamed", {}, "layout_changed"),
        ("marker_missing", {}, "layout_changed"),
        ("list_missing", {"after": 1}, "layout_changed"),
        ("login_required", {"after": 1}, "login_required"),
    ],
    ids=str,
)
async def test_the_client_s_address_is_nowhere(
    kind: str, options: dict[str, Any], reason: str, url: str, tmp_path: Path
) -> None:
    async with FreemoaStandIn(40) as site:
        site.bend(site.listed_ids()[0], "title_null")
        site.fail(kind, path=LISTING, **options)
        with logged() as lines:
            done = await read(url, tmp_path, site, settings={"LOG_LEVEL": "DEBUG"})
        addresses = {str(site.row(identity).client_id) for identity in site.listed_ids()}
    assert done.reason == reason
    assert len(addresses) > 20
    assert any("DEBUG" in line or "Crawled" in line for line in lines)
    tables = await everything(url)
    assert {"projects", "crawl_runs", "rejected_items", "kept_pages", "project_history"} <= set(tables)
    for name, text in tables.items():
        assert "@" not in text, name
    assert not [line for line in lines if "@" in line.replace("@127.0.0.1", "").replace("@/", "")]
    assert not [line for line in lines if any(address in line for address in addresses)]
    kept = await fetch(url, "SELECT body_size FROM kept_pages")
    assert len(kept) == (done.reason in ("blocked", "layout_changed", "login_required"))
    assert not [path for path, text in written(tmp_path) if "@" in text]


async def test_a_page_that_is_kept_is_without_the_client_s_address(url: str, tmp_path: Path) -> None:
    class Disguised(FreemoaStandIn):
        """Answers with rows inside of a page, as a debugging server may do."""

        def _listing(self, request: Any, match: Any) -> Any:
            answer = super()._listing(request, match)
            answer.body = b"<html><body><pre>" + answer.body + b"</pre></body></html>"
            answer.content_type = "text/html"
            return answer

    async with Disguised(20) as site:
        done = await read(url, tmp_path, site)
    assert done.reason == "blocked"
    (page,) = await fetch(url, "SELECT body, body_size FROM kept_pages")
    body = gzip.decompress(page["body"]).decode()
    assert "client_id" in body
    assert "[e-mail]" in body
    assert "@" not in body


async def test_the_spool_is_without_the_client_s_address(
    oldest_server: Server, open_folder: Path, tmp_path: Path
) -> None:
    name = f"freemoa_spool_{next(_numbers)}"
    await _administer(oldest_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    parts = urlsplit(oldest_server.url(name))
    open_pipes: set[asyncio.StreamWriter] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(parts.hostname, parts.port)
        open_pipes.update((writer, ours))
        await asyncio.gather(pump(reader, ours), pump(theirs, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def cut(number: int, _: Crawl) -> None:
        if number == 4:
            server.close()
            for writer in open_pipes:
                writer.transport.abort()

    url = oldest_server.url(name).replace(f":{parts.port}/", f":{port}/")
    async with FreemoaStandIn(40) as site:
        done = await read(url, tmp_path, site, on_answer=cut, settings={"DATABASE_RETRY_SECONDS": 0.2})
    assert done.reason == "database_unreachable"
    spooled = written(tmp_path / "spool")
    assert spooled
    assert not [path for path, text in spooled if "@" in text or "client_id" in text]
    await _administer(oldest_server, f"DROP DATABASE {name} WITH (FORCE)")

"""What is Freemoa's own in whole crawls of its stand-in; what holds for every platform is in `test_all_crawls`."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from _crawls import Crawl, fetch, impatient, noting_departures
from conftest import Server, _administer
from platforms_standins.freemoa import COOKIE, FreemoaStandIn
from spiders._platforms import FREEMOA

SHELL, LISTING = FREEMOA.shell, FREEMOA.listing
read, plain, pages, ids = FREEMOA.read, FREEMOA.plain, FREEMOA.pages, FREEMOA.ids


# --- what is stored -----------------------------------------------------------------------------------------------


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
        assert {row["external_id"] for row in await fetch(url, "SELECT external_id FROM projects")} == ids(site)


# --- while the listing moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", [10, 12])
async def test_projects_that_arrive_a_page_at_a_time_are_met_once(arrivals: int, url: str, tmp_path: Path) -> None:
    async with plain(50, arrivals_per_request=arrivals) as site:
        done = await read(url, tmp_path, site, max_pages="60")
        assert len(done.items) == len({item.external_id for item in done.items})


# --- arguments ----------------------------------------------------------------------------------------------------


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
    assert [seen.path for seen in site.requests] == ["/robots.txt", SHELL, LISTING, LISTING, LISTING]
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
    moments: list[float] = []
    async with plain(20) as site:
        settings = {"DOWNLOAD_DELAY": 0.3, "DOWNLOAD_DELAY_JITTER": 0, **noting_departures(moments)}
        done = await read(None, tmp_path, site, settings=settings)
    assert (done.reason, len(moments), len(site.requests)) == ("finished", 4, 4)
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) > 0.28


# --- layouts, faults ----------------------------------------------------------------------------------------------


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
        done = await read(None, tmp_path, site, settings=impatient(SHELL) if kind == "slow" else {})
        assert done.reason == reason
        assert bool(pages(site)) is (reason == "finished")


@pytest.mark.parametrize(
    ("rules", "reason", "asked"),
    [
        ("User-agent: *\nDisallow: /m4/\n", "permission_required", 1),
        ("User-agent: *\nDisallow: /m4a/\n", "permission_required", 2),
        ("User-agent: *\nDisallow: /m0/\nCrawl-delay: 0.3\n", "finished", 4),
    ],
    ids=str,
)
async def test_robots_txt_is_obeyed(rules: str, reason: str, asked: int, tmp_path: Path) -> None:
    moments: list[float] = []
    async with plain(20) as site:
        site.robots = rules
        done = await read(None, tmp_path, site, settings=noting_departures(moments))
    assert (done.reason, len(site.requests)) == (reason, asked)
    if "Crawl-delay" in rules:
        assert len(moments) == asked
        assert min(later - earlier for earlier, later in itertools.pairwise(moments[1:])) > 0.28


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
            # Three clients are known by something else than an address.
            answer.body = b"<html><body><pre>" + answer.body.replace(b"@", b"_", 3) + b"</pre></body></html>"
            answer.content_type = "text/html"
            return answer

    async with Disguised(20) as site:
        done = await read(url, tmp_path, site)
    assert done.reason == "blocked"
    (page,) = await fetch(url, "SELECT body, body_size FROM kept_pages")
    body = gzip.decompress(page["body"]).decode()
    assert set(re.findall(r'"client_id": ?"(.*?)"', body)) == {"[e-mail]", "[private]"}
    assert "@" not in body


async def test_the_spool_is_without_the_client_s_address(
    oldest_server: Server, open_folder: Path, tmp_path: Path
) -> None:
    name = "freemoa_spool"
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

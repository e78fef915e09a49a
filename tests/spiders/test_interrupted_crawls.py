"""Crawls whose database, process or server goes away in the midst of them: nothing is lost, and the next one reads on.

Of Freelancer.com's stand-in: what is looked at does not depend on the platform.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, runs, stored_ids
from aiohttp import web
from conftest import REPOSITORY, oldest_postgres, scrapy_environment
from platforms_standins.freelancer import FreelancerStandIn
from spiders._platforms import FREELANCER

plain = FREELANCER.plain
_numbers = itertools.count()


class PausingStandIn(FreelancerStandIn):
    """Holds its answer to request number `pause_at` back until `go_on` is set."""

    def __init__(self, *arguments: Any, pause_at: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.pause_at = pause_at
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if len(self.requests) + 1 == self.pause_at:
            self.reached.set()
            await self.go_on.wait()
        return await super()._handle(request)


async def process(
    site: FreelancerStandIn, data: Path, *arguments: str, **environment: str
) -> asyncio.subprocess.Process:
    """Start `scrapy crawl freelancer` in a process of its own."""
    options = ("-a", f"base_url={site.base_url}", "-s", "DOWNLOAD_DELAY=0", *arguments)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scrapy", "crawl", "freelancer", *options,
        cwd=REPOSITORY, env=scrapy_environment(data) | environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(crawling: asyncio.subprocess.Process) -> str:
    """Wait for the end of a crawl's process; return what it logged."""
    async with asyncio.timeout(180):
        _, log = await crawling.communicate()
    return log.decode()


async def said(crawling: asyncio.subprocess.Process, what: str) -> None:
    """Wait until a process logged `what`."""
    assert crawling.stderr is not None
    async with asyncio.timeout(90):
        while what not in (line := (await crawling.stderr.readline()).decode()):
            assert line, f"it ended without saying {what!r}"


async def stored_at_least(url: str, count: int) -> None:
    """Wait until a crawl of another process stored so many projects."""
    async with asyncio.timeout(90):
        while len(await stored_ids(url)) < count:  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.02)


def on_disk(folder: Path) -> list[dict[str, Any]]:
    """Return the projects that wait in the spool."""
    files = folder.glob("spool/*/*.jsonl")
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


# --- faults of the platform ---------------------------------------------------------------------------------------


async def test_the_exit_code_tells_what_the_log_tells(url: str, tmp_path: Path) -> None:
    """The same over Scrapy's own client, in processes, all at once."""
    faults: dict[str, tuple[dict[str, Any], int]] = {
        "reset": ({}, 1),
        "challenge": ({}, 1),
        "status": ({"status": 500, "times": 1}, 0),
    }
    expected = {"reset": "unreachable", "challenge": "blocked", "status": "finished"}

    async def one(kind: str) -> tuple[str, int | None, str]:
        async with plain(120) as site:
            options, _ = faults[kind]
            site.fail(kind, **options)
            crawling = await process(site, tmp_path, DATABASE_URL=url)
            log = await ended(crawling)
            return kind, crawling.returncode, log

    for kind, code, log in await asyncio.gather(*map(one, faults)):
        assert code == faults[kind][1], log
        if code:
            assert log.splitlines()[-1].startswith(f"scrapy crawl freelancer: {expected[kind]}: ")
    found = await runs(url)
    assert sorted(run["reason"] for run in found) == sorted(expected.values())
    assert [run["whole"] for run in found if run["reason"] != "finished"] == [None] * 2


# --- the database goes away ---------------------------------------------------------------------------------------


@pytest.fixture
def own_server(open_folder: Path) -> Any:
    """A server that a test may stop."""
    folder = open_folder / f"stopped_{next(_numbers)}"
    if not Path("/usr/lib/postgresql/15/bin").exists():
        pytest.skip("PostgreSQL 15 is not installed (Debian: apt-get install postgresql)")
    manager = oldest_postgres(folder)
    with manager as server:
        yield manager, server.url("postgres")


async def test_nothing_is_lost_when_the_database_restarts(own_server: Any, tmp_path: Path) -> None:
    manager, url = own_server
    crawls: list[Crawl] = []
    async with PausingStandIn(280, odd_rows=False, short_pages=False, pause_at=2) as site:

        async def restart() -> None:
            await site.reached.wait()
            await asyncio.to_thread(manager.stop, "immediate")
            site.go_on.set()
            # The crawl meets a server that is away before it comes back.
            async with asyncio.timeout(90):
                while not any("did not take a batch" in line for line in crawls[0].log):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(manager.start)

        crawling = crawl(
            url, tmp_path, base_url=site.base_url, on_answer=lambda _, done: crawls.append(done),
            settings={"DATABASE_RETRY_SECONDS": 180},
        )  # fmt: skip
        done, _ = await asyncio.gather(crawling, restart())
    assert done.reason == "finished"
    assert await stored_ids(url) == set(site.listed_ids())
    (run,) = await runs(url)
    assert run["written"] == 280
    assert run["spooled"] == 0
    assert run["stats"]["retries"] > 0
    assert run["whole"] == "-infinity"


async def test_rows_wait_on_disk_when_the_database_stays_away(own_server: Any, tmp_path: Path) -> None:
    manager, url = own_server
    async with PausingStandIn(280, odd_rows=False, short_pages=False, pause_at=3) as site:
        options = ("-s", "DATABASE_RETRY_SECONDS=0.5")
        crawling = await process(site, tmp_path, *options, DATABASE_URL=url)
        reading = asyncio.ensure_future(ended(crawling))
        await site.reached.wait()
        await stored_at_least(url, 195)
        await asyncio.to_thread(manager.stop, "immediate")
        site.go_on.set()
        log = await reading
        assert crawling.returncode == 1, log
        assert log.splitlines()[-1].startswith("scrapy crawl freelancer: database unreachable: ")
        spooled = on_disk(tmp_path)
        assert spooled
        await asyncio.to_thread(manager.start)
        stored = await stored_ids(url)
        assert len(stored) == 195
        (run,) = await fetch(url, "SELECT *, whole_since AS whole FROM crawl_runs")
        assert run["finished_at"] is None
        assert run["whole"] is None
        spool = [row["external_id"] for row in spooled]
        assert not set(map(int, spool)) & stored
        # The next crawl stores what is on disk, even where it does not get to see it again.
        done = await crawl(url, tmp_path, base_url=site.base_url, max_pages="1")
        assert done.reason == "finished"
        assert stored | set(map(int, spool)) <= await stored_ids(url)
        assert on_disk(tmp_path) == []
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert await stored_ids(url) == set(site.listed_ids())
        assert done.reason == "finished"


async def test_a_database_that_is_down_costs_the_platform_no_request(tmp_path: Path) -> None:
    async with plain(20) as site:
        done = await crawl("postgresql://127.0.0.1:1/nothing", tmp_path, base_url=site.base_url)
        assert site.requests == []
    assert done.reason == "database_unreachable"
    assert len(done.errors) == 1


# --- signals ------------------------------------------------------------------------------------------------------


async def test_sigterm_stores_what_was_scraped_and_the_next_crawl_the_rest(url: str, tmp_path: Path) -> None:
    async with PausingStandIn(400, odd_rows=False, short_pages=False, pause_at=3) as site:
        # Nothing hangs: it ends as soon as all is stored.
        crawling = await process(site, tmp_path, "-s", "STOP_GRACE=60", DATABASE_URL=url)
        await site.reached.wait()
        crawling.send_signal(signal.SIGTERM)
        await said(crawling, "Received SIGTERM")
        site.go_on.set()
        log = await ended(crawling)
        assert crawling.returncode == 0, log
        (run,) = await runs(url)
        stored = await stored_ids(url)
        assert (run["reason"], run["whole"]) == ("shutdown", None)
        # The page that was under way came, and was stored; no other was asked for.
        assert len(site.requests) == 3
        assert stored == set(site.listed_ids()[:290])
        assert run["written"] == run["items_scraped"] == 290
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())


async def test_after_sigkill_the_next_crawl_makes_the_table_whole(url: str, tmp_path: Path) -> None:
    async with PausingStandIn(400, odd_rows=False, short_pages=False, pause_at=3) as site:
        crawling = await process(site, tmp_path, DATABASE_URL=url)
        reading = asyncio.ensure_future(ended(crawling))
        await site.reached.wait()
        await stored_at_least(url, 195)
        crawling.kill()
        site.go_on.set()
        await reading
        (run,) = await runs(url)
        assert (run["reason"], run["finished_at"], run["whole"]) == (None, None, None)
        assert len(await stored_ids(url)) == 195
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert done.reason == "finished"
        assert await stored_ids(url) == set(site.listed_ids())


# --- the embedded server ------------------------------------------------------------------------------------------


async def test_four_crawls_at_once_share_the_embedded_server_that_the_first_one_starts(open_folder: Path) -> None:
    data = open_folder / "four"
    data.mkdir(mode=0o755)
    async with plain(250) as site:
        # Of each, one line tells what it stored.
        options = ("-a", "full=1", "-s", "PROGRESS=off")
        crawls = [await process(site, data, *options, DATABASE_URL="") for _ in range(4)]
        logs = await asyncio.gather(*map(ended, crawls))
        assert [crawling.returncode for crawling in crawls] == [0] * 4, "\n".join(logs)
        last = await process(site, data, DATABASE_URL="")
        log = await ended(last)
        assert last.returncode == 0
        assert "freelancer up to date: 100 projects from 1 request in" in log
    written = [
        int(line.split(" new, ")[0].split()[-1]) for log in logs for line in log.splitlines() if " new, " in line
    ]
    assert sum(written) == 250

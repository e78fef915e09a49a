"""One signal ends a crawl within seconds; two, or a kill, lose nothing that was counted."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from _crawls import Crawl, crawl, fetch, runs, stored_ids
from _stopwatch import Stopwatch
from conftest import REPOSITORY, oldest_postgres, scrapy_environment
from platforms_standins.freelancer import FreelancerStandIn

from outsourcing_spiders.extensions import prompt_stop
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import normalize_url

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
OLDEST_SERVER = pytest.mark.skipif(
    not Path("/usr/lib/postgresql/15/bin").exists(),
    reason="PostgreSQL 15 is not installed (Debian: apt-get install postgresql)",
)


class Process:
    """`scrapy crawl freelancer`, or another command, in a process of its own, and what it said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log = ""
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(
        cls, site: FreelancerStandIn, data: Path, *options: str, command: tuple[str, ...] = ("crawl", "freelancer"),
        **environment: str,
    ) -> Process:  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "scrapy", *command, "-a", f"base_url={site.base_url}", *options,
            cwd=REPOSITORY, env=scrapy_environment(data) | environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return cls(process)

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log += line.decode()

    async def ended(self) -> float:
        """Wait for its end; return how many seconds of its own that took."""
        async with asyncio.timeout(90):
            with Stopwatch(self.process.pid) as watch:
                await self.process.wait()
            await self._reading
        return watch.seconds

    def counted(self) -> int:
        """Return how many items it counted as scraped, by its own account of them."""
        return len(re.findall(r"Scraped from", self.log))


async def until(condition: Any) -> None:
    """Wait until `condition`, a function or a coroutine function, is true."""
    async with asyncio.timeout(90):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


def plain(projects: int) -> FreelancerStandIn:
    return FreelancerStandIn(projects, odd_rows=False, short_pages=False, contests=0)


@pytest.fixture
async def site() -> AsyncIterator[FreelancerStandIn]:
    """A site that answers two requests, and holds the next ones back: a crawl of it is under way for as long."""
    async with plain(400) as site:
        site.fail("held", after=2)
        yield site


def answer_one(site: FreelancerStandIn) -> None:
    """Answer the request that is held back, and hold the next one back."""
    site.heal()
    site.fail("held")


async def is_whole_again(site: FreelancerStandIn, url: str, data: Path) -> None:
    """Crawl once more and check that nothing is missing."""
    site.heal()
    again = await Process.start(site, data, "-s", "DOWNLOAD_DELAY=0", DATABASE_URL=url)
    await again.ended()
    assert again.process.returncode == 0, again.log
    assert await stored_ids(url) == set(site.listed_ids())


@contextmanager
def frozen(data: str) -> Iterator[None]:
    """Stop the PostgreSQL of a folder in the middle of whatever it does: its sockets stay open, and it says nothing."""
    postmaster = int(Path(data, "postmaster.pid").read_text().split()[0])
    # First: it would start more of them.
    os.kill(postmaster, signal.SIGSTOP)
    processes = [postmaster]
    try:
        processes += map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def spooled(data: Path) -> list[Path]:
    """Return the files of projects that wait on disk."""
    return list(data.glob("spool/*/*.projects.jsonl"))


@ONE_SERVER
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_one_signal_ends_a_crawl_whose_platform_hangs(
    sent: signal.Signals, site: FreelancerStandIn, database_url: str, tmp_path: Path
) -> None:
    crawling = await Process.start(site, tmp_path, "-s", "DOWNLOAD_DELAY=0", DATABASE_URL=database_url)
    await until(lambda: len(site.requests) == 3)
    crawling.process.send_signal(sent)
    assert await crawling.ended() < 5
    assert crawling.process.returncode == 0, crawling.log
    assert "Traceback" not in crawling.log
    (run,) = await runs(database_url)
    assert (run["reason"], run["whole"]) == ("shutdown", None)
    assert run["items_scraped"] == run["written"] == len(await stored_ids(database_url)) == 195
    await is_whole_again(site, database_url, tmp_path)


async def test_one_signal_ends_a_page_that_is_looked_at(site: FreelancerStandIn, tmp_path: Path) -> None:
    # Its request has no errback that would take what became of it.
    site.heal()
    site.fail("held")
    options = ("--spider=freelancer", "-s", "DOWNLOAD_DELAY=0", f"{site.base_url}/projects/python/one")
    looking = await Process.start(site, tmp_path, *options, command=("parse",))
    await until(lambda: site.requests)
    looking.process.send_signal(signal.SIGINT)
    assert await looking.ended() < 5
    assert looking.process.returncode == 1, looking.log
    assert "Traceback" not in looking.log


@ONE_SERVER
async def test_one_signal_ends_a_crawl_that_waits_for_its_turn(
    site: FreelancerStandIn, database_url: str, tmp_path: Path
) -> None:
    crawling = await Process.start(site, tmp_path, "-s", "DOWNLOAD_DELAY=60", DATABASE_URL=database_url)
    await until(lambda: "Waiting" in crawling.log)
    crawling.process.send_signal(signal.SIGTERM)
    assert await crawling.ended() < 5
    assert crawling.process.returncode == 0, crawling.log
    assert len(site.requests) == 1
    assert len(await stored_ids(database_url)) == 100


@OLDEST_SERVER
async def test_one_signal_ends_a_crawl_whose_database_is_away(
    site: FreelancerStandIn, open_folder: Path, tmp_path: Path
) -> None:
    manager = oldest_postgres(open_folder / "away_at_the_end")
    with manager as server:
        url = server.url("postgres")
        crawling = await Process.start(site, tmp_path, "-s", "DOWNLOAD_DELAY=0", DATABASE_URL=url)
        await until(lambda: len(site.requests) == 3)
        await asyncio.to_thread(manager.stop, "immediate")
        answer_one(site)
        await until(lambda: "did not take a batch" in crawling.log)
        crawling.process.send_signal(signal.SIGTERM)
        assert await crawling.ended() < 5
        # What it could not store waits on disk.
        assert "Traceback" not in crawling.log
        await asyncio.to_thread(manager.start)
        await is_whole_again(site, url, tmp_path)
        assert not spooled(tmp_path)


@ONE_SERVER
async def test_one_signal_ends_a_crawl_whose_tables_are_locked(
    site: FreelancerStandIn, database_url: str, tmp_path: Path
) -> None:
    crawling = await Process.start(site, tmp_path, "-s", "DOWNLOAD_DELAY=0", DATABASE_URL=database_url)
    await until(lambda: len(site.requests) == 3)
    locking = await asyncpg.connect(normalize_url(database_url))
    async with locking.transaction():
        await locking.execute("LOCK TABLE projects, crawl_runs, exchange_rates IN ACCESS EXCLUSIVE MODE")
        answer_one(site)
        await until(lambda: locking.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))
        crawling.process.send_signal(signal.SIGTERM)
        assert await crawling.ended() < 5
        assert "Traceback" not in crawling.log
        assert spooled(tmp_path)
    await locking.close()
    await is_whole_again(site, database_url, tmp_path)
    assert not spooled(tmp_path)
    first, _ = await runs(database_url)
    assert (first["reason"], first["finished_at"], first["whole"]) == ("killed", None, None)


@ONE_SERVER
async def test_a_stop_that_comes_to_its_end_before_it_is_seen_is_bounded_too(
    site: FreelancerStandIn, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_stop, "_LOOK_INTERVAL", 1.0)
    site.heal()
    locking = await asyncpg.connect(normalize_url(database_url))
    stopping: list[asyncio.Future[None]] = []

    async def lock_and_stop(done: Crawl) -> None:
        await locking.execute("BEGIN; LOCK TABLE crawl_runs IN ACCESS EXCLUSIVE MODE")
        await done.crawler.stop_async()

    def on_item(number: int, done: Crawl) -> None:
        if number == 5:
            stopping.append(asyncio.ensure_future(lock_and_stop(done)))

    # Else a crawl that waits for ever would do so here.
    release = asyncio.get_running_loop().call_later(60, locking.terminate)
    done = await crawl(database_url, tmp_path, base_url=site.base_url, on_item=on_item)
    await asyncio.gather(*stopping)
    assert not locking.is_closed()
    assert done.reason == "shutdown"
    release.cancel()
    await locking.close()


@OLDEST_SERVER
async def test_one_signal_ends_a_crawl_whose_database_is_silent(
    site: FreelancerStandIn, open_folder: Path, tmp_path: Path
) -> None:
    with (manager := oldest_postgres(open_folder / "silent_at_the_end")) as server:
        url = server.url("postgres")
        crawling = await Process.start(site, tmp_path, "-s", "DOWNLOAD_DELAY=0", DATABASE_URL=url)
        await until(lambda: len(site.requests) == 3)
        with frozen(manager.data):
            answer_one(site)
            await until(lambda: len(site.requests) == 4)
            crawling.process.send_signal(signal.SIGTERM)
            assert await crawling.ended() < 5
            assert "Traceback" not in crawling.log
            assert spooled(tmp_path)
        await is_whole_again(site, url, tmp_path)
        assert not spooled(tmp_path)
        first, _ = await runs(url)
        assert (first["reason"], first["finished_at"], first["whole"]) == ("killed", None, None)


async def test_one_signal_ends_a_crawl_whose_own_server_is_silent(
    site: FreelancerStandIn, open_folder: Path, tmp_path: Path
) -> None:
    data = open_folder / "silent_embedded"
    crawling = await Process.start(site, data, "-s", "DOWNLOAD_DELAY=0", DATABASE_URL="")
    await until(lambda: len(site.requests) == 3)
    with frozen(str(data / "postgresql" / "data")):
        answer_one(site)
        await until(lambda: len(site.requests) == 4)
        crawling.process.send_signal(signal.SIGTERM)
        assert await crawling.ended() < 5
        assert "Traceback" not in crawling.log
    # Nobody else uses the server: the next one who does stops it.
    with EmbeddedPostgres(data / "postgresql"):
        pass
    assert not EmbeddedPostgres(data / "postgresql").is_running()


@ONE_SERVER
@pytest.mark.parametrize("how", ["two signals", "killed"])
async def test_what_was_counted_is_never_lost(
    how: str, site: FreelancerStandIn, database_url: str, tmp_path: Path
) -> None:
    # It is hit in the middle of storing; what it waits for keeps it from ending before.
    options = ("-s", "DOWNLOAD_DELAY=0", "-s", "STOP_GRACE=120", "-L", "DEBUG")
    crawling = await Process.start(site, tmp_path, *options, DATABASE_URL=database_url)
    await until(lambda: crawling.counted() > 50)
    if how == "killed":
        os.kill(crawling.process.pid, signal.SIGKILL)
    else:
        crawling.process.send_signal(signal.SIGTERM)
        await until(lambda: "Received SIGTERM" in crawling.log)
        crawling.process.send_signal(signal.SIGTERM)
    await crawling.ended()
    counted = set(map(int, re.findall(r"external_id='(\d+)'", crawling.log)))
    assert counted
    assert counted <= await stored_ids(database_url)
    (run,) = await fetch(database_url, "SELECT reason, whole_since FROM crawl_runs")
    assert run["whole_since"] is None
    assert run["reason"] in (None, "shutdown")
    await is_whole_again(site, database_url, tmp_path)

"""Whole crawls of a stand-in inside the test's own event loop, and what they leave in the database."""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from scrapy import Request, signals
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.settings import Settings

from outsourcing_spiders.items import Project
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.spiders.freelancer import FreelancerSpider
from outsourcing_spiders.storage.engine import normalize_url

FATES = ("written", "unchanged", "merged", "rejected", "spooled")
_FAST = {
    # No reactor: the crawl runs in the loop of the test.
    "TWISTED_REACTOR_ENABLED": False,
    # Each reads the machine's certificates when a crawl starts; the stand-ins speak http.
    "DOWNLOAD_HANDLERS": {"https": None},
    "DOWNLOAD_VERIFY_CERTIFICATES": False,
    # Reads the source of each callback.
    "WARN_ON_GENERATOR_RETURN_VALUE": False,
    "ASYNCIO_EVENT_LOOP": None,
    "GARBAGE_THRESHOLD": 0,
    "PROGRESS": "off",
    "DOWNLOAD_DELAY": 0,
    "RATE_LIMIT": [],
    "RATE_LIMIT_PAUSE": 0.05,
    "RATE_LIMIT_RETRIES": 0,
    "TEXT_INDEX_SECONDS": 0,
}


@dataclass
class Crawl:
    """What a crawl did."""

    crawler: Crawler
    items: list[Project] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    """Why an item was dropped, by its id."""
    log: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Return why it ended."""
        return str(self.crawler.stats.get_value("finish_reason"))

    @property
    def outcome(self) -> Any:
        """Return what ended it, when that was not the end of the listing."""
        return self.crawler.spider.outcome  # type: ignore[union-attr]

    @property
    def requests(self) -> int:
        """Return how many requests it sent, retries included."""
        return int(self.crawler.stats.get_value("downloader/request_count", 0))

    @property
    def errors(self) -> list[str]:
        """Return what it logged as errors."""
        return [line for line in self.log if line.startswith("ERROR")]

    def counted(self, area: str) -> dict[str, int]:
        """Return what it counted under ``outsourcing/<area>/``."""
        prefix = f"outsourcing/{area}/"
        found = self.crawler.stats.get_stats()
        return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("aiohttp"):
            self._lines.append(self.format(record))


@contextmanager
def _logged(lines: list[str]) -> Iterator[None]:
    handler, root = _Collector(lines), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def project_settings(**values: Any) -> Settings:
    """Return the project's own settings, without its pauses, and with `values` as from the command line."""
    settings = Settings()
    settings.setmodule("outsourcing_spiders.settings", priority="project")
    settings.setdict({"DATABASE_URL": "", "FREELANCER_TOKEN": "", **_FAST, **values}, priority="cmdline")
    return settings


def on_departure(note: Callable[[Request], None]) -> dict[str, Any]:
    """Return settings with which `note` is called with each request in the moment in which it leaves."""

    class Departures:
        @classmethod
        def from_crawler(cls, crawler: Crawler) -> Departures:
            crawler.signals.connect(note, signal=signals.request_reached_downloader, weak=False)
            return cls()

    return {"EXTENSIONS": project_settings()["EXTENSIONS"].copy_to_dict() | {Departures: 1}}


def noting_departures(times: list[float]) -> dict[str, Any]:
    """Return settings with which `times` get when each request leaves: when it arrives is up to the machine, too."""

    def note(request: Request) -> None:
        times.append(time.monotonic())

    return on_departure(note)


def impatient(path: str, *, after: int = 0, times: int | None = None, **_: object) -> dict[str, Any]:
    """Return settings with which the answers that a stand-in delays, by the same options, are waited for half a second.

    The others are waited for as ever: a machine that stands still for a moment makes them no fault.
    """
    numbers = itertools.count(1)

    def hurry(request: Request) -> None:
        delayed = next(numbers) - after if path in request.url else 0
        if 0 < delayed <= (times or delayed):
            request.meta["download_timeout"] = 0.5

    return on_departure(hurry)


async def crawl(
    database_url: str | None,
    folder: Path,
    *,
    settings: dict[str, Any] | None = None,
    spider: type[PlatformSpider] = FreelancerSpider,
    on_answer: Callable[[int, Crawl], Any] | None = None,
    on_item: Callable[[int, Crawl], Any] | None = None,
    **arguments: Any,
) -> Crawl:
    """Crawl to the end; `folder` takes what goes to disk. `database_url` None: nothing is stored.

    `on_answer` is called with the number of each answer, from 1, before the spider sees it; `on_item` with the
    number of each stored item.
    """
    ours: dict[str, Any] = {"SPOOL_FOLDER": folder / "spool", "EMBEDDED_POSTGRES_FOLDER": folder / "postgresql"}
    ours |= {"STORAGE_ENABLED": False} if database_url is None else {"DATABASE_URL": database_url}
    runner = AsyncCrawlerRunner(project_settings(**ours | (settings or {})))
    crawler = runner.create_crawler(spider)
    done = Crawl(crawler)
    answers = iter(range(1, 1_000_000))

    def note_item(item: Project) -> None:
        done.items.append(item)
        if on_item is not None:
            on_item(len(done.items), done)

    def note_dropped(item: Project, exception: Exception) -> None:
        done.dropped[item.external_id] = str(exception)

    def note_answer() -> None:
        number = next(answers)
        if on_answer is not None:
            on_answer(number, done)

    crawler.signals.connect(note_item, signal=signals.item_scraped)
    crawler.signals.connect(note_dropped, signal=signals.item_dropped)
    crawler.signals.connect(note_answer, signal=signals.response_received)
    with _logged(done.log):
        await runner.crawl(crawler, **arguments)
    return done


async def fetch(database_url: str, query: str, *arguments: object) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    connection = await asyncpg.connect(normalize_url(database_url))
    try:
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        return [dict(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def stored_ids(database_url: str) -> set[int]:
    """Return the ids of all stored projects."""
    return {int(row["external_id"]) for row in await fetch(database_url, "SELECT external_id FROM projects")}


async def runs(database_url: str) -> list[dict[str, Any]]:
    """Return the log of crawls, oldest first, after a look whether the five fates of each add up."""
    found = await fetch(database_url, "SELECT *, whole_since::text AS whole, stats FROM crawl_runs ORDER BY id")
    for run in found:
        if run["finished_at"] is not None:
            assert sum(run[fate] for fate in FATES) == run["items_scraped"], run
    return found


async def stored(database_url: str) -> dict[str, dict[str, Any]]:
    """Return all stored projects by id."""
    return {row["external_id"]: row for row in await fetch(database_url, "SELECT * FROM projects")}

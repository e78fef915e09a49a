"""A host that notes when it is asked, and a spider that asks for the pages it is told."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from typing import Any, Self

from _crawls import Crawl, project_settings
from aiohttp import web
from scrapy import Request
from scrapy.crawler import AsyncCrawlerRunner

from outsourcing_spiders.platforms.base import PlatformSpider


class Host:
    """A host that notes when it is asked; `answers` are used up one a request, then it says 200."""

    def __init__(self, *answers: tuple[int, dict[str, str]], robots: tuple[int, str] | None = None) -> None:
        self.answers = list(answers)
        self.robots = robots
        self.times: list[float] = []
        self.paths: list[str] = []

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._handle), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.paths.append(request.path)
        if request.path == "/robots.txt" and self.robots:
            return web.Response(status=self.robots[0], text=self.robots[1])
        self.times.append(time.monotonic())
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return web.Response(status=status, headers=headers, text="<html>fine</html>")

    def page(self, name: object) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self.port}/{name}"

    @property
    def gaps(self) -> list[float]:
        """Return the seconds between requests."""
        return [later - earlier for earlier, later in itertools.pairwise(self.times)]


class Visitor(PlatformSpider):
    """Asks for the pages that it is told."""

    name = "visitor"
    access = "public"
    home = "http://127.0.0.1"
    pages: tuple[str, ...] = ()
    beside: str | None = None

    async def start(self) -> AsyncIterator[Any]:
        for page in self.pages:
            yield Request(page, callback=self.read, errback=self.failed, dont_filter=True, meta={"listing_page": True})
        if self.beside:
            yield Request(self.beside, callback=self.read, errback=self.failed)

    def read(self, response: Any) -> None:
        self.count("read")


def visitor(*pages: str, beside: str | None = None) -> type[Visitor]:
    """Return a spider that asks for `pages` of a listing, and for another page `beside` it."""
    return type("Here", (Visitor,), {"pages": pages, "beside": beside})


async def visit(*pages: str, beside: str | None = None, **settings: Any) -> Crawl:
    """Crawl `pages` without storing anything."""
    values = {"STORAGE_ENABLED": False, "ROBOTSTXT_OBEY": False, "RATE_LIMIT_RETRIES": 5, **settings}
    runner = AsyncCrawlerRunner(project_settings(**values))
    crawler = runner.create_crawler(visitor(*pages, beside=beside))
    await runner.crawl(crawler)
    return Crawl(crawler)

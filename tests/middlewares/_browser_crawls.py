"""Crawls with a real browser, each a process of its own: Playwright needs Twisted's reactor.

This file is run as the program of such a crawl, and read by the tests that start it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from scrapy import Request, Spider, signals
from scrapy.crawler import AsyncCrawlerProcess

REPOSITORY = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from platforms_standins._scripted_listing import ROWS  # noqa: E402

from outsourcing_spiders.platforms.base import PlatformSpider  # noqa: E402

SETTINGS = {
    "DOWNLOADER_MIDDLEWARES": {"outsourcing_spiders.middlewares.rendering.RenderingMiddleware": 940},
    "DOWNLOAD_HANDLERS": {
        "http": "outsourcing_spiders.middlewares.browser.BrowserHandler",
        "https": "outsourcing_spiders.middlewares.browser.BrowserHandler",
    },
    "PLAYWRIGHT_MAX_PAGES_PER_CONTEXT": 2,
    "PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT": 20_000,
    "USER_AGENT": "outsourcing_spiders/0.1 (tests)",
    "DOWNLOAD_TIMEOUT": 30,
    "DOWNLOAD_MAXSIZE": 200_000,
    "CONCURRENT_REQUESTS": 4,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 4,
    "RETRY_PRIORITY_ADJUST": 0,
    "TELNETCONSOLE_ENABLED": False,
    "REMOTE_CONTROL_ENABLED": False,
    "LOG_LEVEL": "INFO",
}
JOBS = {"wait_for": "li.job"}
NOT_LOADED = re.compile(r"/(image|font|media|favicon|frame|popup|beacon|worker)")


# --- in the process of the crawl ------------------------------------------------------------------------------


class RenderedSpider(Spider):
    """Ask for what the command line lists; tell what came."""

    name = "rendered"
    renders = True
    cases: ClassVar[list[dict[str, Any]]] = []
    outcome: Any = None

    def end(self, outcome: Any) -> None:
        """Take what ends the crawl first, as every spider of the project does."""
        self.outcome = self.outcome or outcome

    async def start(self) -> AsyncIterator[Any]:
        """Yield the requests."""
        for case in self.cases:
            yield Request(
                case["url"], self.parse, headers=case.get("headers"), meta=case["meta"],
                errback=self.failed, dont_filter=True, cb_kwargs={"name": case["name"]},
            )  # fmt: skip

    def parse(self, response: Any, name: str) -> None:
        """Tell what came."""
        told = ("retry_times", "redirect_times", "redirect_urls", "redirect_reasons", "max_retry_times")
        tell(
            name=name, url=response.url, status=response.status, headers=dict(response.headers.to_unicode_dict()),
            flags=response.flags, text=response.text, rows=response.css("li.job::text").getall(),
            kind=type(response).__name__, meta={key: response.meta.get(key) for key in told},
        )  # fmt: skip

    def failed(self, failure: Any) -> None:
        """Tell what did not."""
        request = failure.request
        tell(
            name=request.cb_kwargs["name"], error=failure.type.__name__, message=failure.getErrorMessage(),
            retry_times=request.meta.get("retry_times", 0),
        )  # fmt: skip


class PlainSpider(RenderedSpider):
    """Does not say that it renders."""

    name = "plain"
    renders = False


class GuardedSpider(PlatformSpider):
    """Reads a platform that has to permit it.

    Terms: article 7 forbids programs.
    """

    name = "guarded"
    home = "http://live.test"
    access = "permission"
    renders = True
    start, parse, failed = RenderedSpider.start, RenderedSpider.parse, RenderedSpider.failed
    cases: ClassVar[list[dict[str, Any]]] = []


class Patience:
    """Gives second tries the time that a browser takes to start, however little the first one had."""

    def process_request(self, request: Request) -> None:
        """Let it take longer."""
        if request.meta.get("retry_times"):
            request.meta["download_timeout"] = 60


def tell(**what: Any) -> None:
    """Print a line for the test."""
    print(json.dumps({"at": time.monotonic(), **what}), flush=True)


def main() -> None:
    """Crawl as told by the first line of standard input."""
    told = json.loads(sys.stdin.readline())
    spider: Any = {found.name: found for found in (RenderedSpider, PlainSpider, GuardedSpider)}[told["spider"]]
    spider.cases = told["cases"]
    settings = SETTINGS | told["settings"]
    settings["DOWNLOADER_MIDDLEWARES"] = {**settings["DOWNLOADER_MIDDLEWARES"], Patience: 10}
    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler(spider)

    def count_pages() -> None:
        from outsourcing_spiders.middlewares.browser import BrowserHandler

        handler = BrowserHandler._of_crawlers.get(crawler)
        contexts = handler.browser.contexts if handler is not None and hasattr(handler, "browser") else []
        tell(name="idle", contexts=len(contexts), pages=sum(len(context.pages) for context in contexts))

    if spider.renders:
        crawler.signals.connect(count_pages, signal=signals.spider_idle, weak=False)
    process.crawl(crawler)
    process.start()
    loaded = sorted(name for name in sys.modules if name in ("playwright", "scrapy_playwright"))
    tell(name="end", stats=json.loads(json.dumps(crawler.stats.get_stats(), default=str)), loaded=loaded)


# --- in the process of the tests ------------------------------------------------------------------------------


class Crawl:
    """A crawl that runs, and what it told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: dict[str, dict[str, Any]] = {}
        self.log = ""

    async def read(self, name: str | None = None) -> dict[str, Any]:
        """Read what it tells until it tells of `name`, or ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            self.told[told["name"]] = told
            if told["name"] == name:
                return told
        assert name is None, f"nothing told of {name}:\n{self.log}"
        return {}

    async def _collect(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log += line.decode()

    @property
    def counted(self) -> dict[str, int]:
        """Return what it counted under ``outsourcing/rendering/``."""
        prefix = "outsourcing/rendering/"
        stats = self.told["end"]["stats"]
        return {name.removeprefix(prefix): stats[name] for name in stats if name.startswith(prefix)}


@asynccontextmanager
async def crawling(cases: list[dict[str, Any]], *, spider: str = "rendered", **settings: Any) -> AsyncIterator[Crawl]:
    """Start a crawl; end it on leaving."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, cwd=REPOSITORY, limit=2**24,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps({"cases": cases, "spider": spider, "settings": settings}).encode() + b"\n")
    process.stdin.close()
    crawl = Crawl(process)
    collecting = asyncio.ensure_future(crawl._collect())
    try:
        yield crawl
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await collecting


async def crawled(cases: list[dict[str, Any]], **settings: Any) -> Crawl:
    """Crawl to the end."""
    async with crawling(cases, **settings) as crawl, asyncio.timeout(180):
        await crawl.read()
        await crawl.process.wait()
    assert "Traceback" not in crawl.log, crawl.log
    return crawl


def ask(url: str, name: str | None = None, *, headers: dict[str, str] | None = None, **meta: Any) -> dict[str, Any]:
    """Return a request for the rows of `url`."""
    every = {"render": JOBS, "handle_httpstatus_all": True, "max_retry_times": 0}
    return {"url": url, "name": name or url, "meta": every | meta, "headers": headers}


def processes(parent: int) -> dict[int, str]:
    """Return the command lines of the processes below `parent`."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: dict[int, str] = {}
    ahead = [parent]
    while ahead:
        for child in children.get(ahead.pop(), []):
            ahead.append(child)
            try:
                found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
    return found


def is_browser(command: str) -> bool:
    """Tell whether it is the command of the browser itself."""
    return "--remote-debugging-pipe" in command and "--type=" not in command


def is_alive(pid: int) -> bool:
    """Tell whether the process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def all_gone(found: Iterable[int]) -> None:
    """Wait until none of the processes runs; fails when one stays."""
    async with asyncio.timeout(30):
        while any(map(is_alive, found)):  # noqa: ASYNC110 - nothing tells of the end of other processes' children
            await asyncio.sleep(0.05)


def assert_went_on(crawl: Crawl, cases: list[dict[str, Any]]) -> None:
    """Look whether each page has its rows, and nothing was an error."""
    assert "Traceback" not in crawl.log, crawl.log
    assert [len(crawl.told[case["name"]].get("rows", [])) for case in cases] == [ROWS] * len(cases), crawl.log
    assert not [line for line in crawl.log.splitlines() if " ERROR" in line]


if __name__ == "__main__":
    main()

"""Rendering with a real browser, in crawls that are processes of their own: Playwright needs Twisted's reactor."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import pytest
from scrapy import Request, Spider, signals
from scrapy.crawler import AsyncCrawlerProcess

REPOSITORY = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from platforms_standins._scripted_listing import ROWS, ScriptedListing  # noqa: E402

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
        """Take what ends the crawl, as every spider of the project does."""
        self.outcome = outcome

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


def tell(**what: Any) -> None:
    """Print a line for the test."""
    print(json.dumps({"at": time.monotonic(), **what}), flush=True)


def main() -> None:
    """Crawl as told by the first line of standard input."""
    told = json.loads(sys.stdin.readline())
    spider: Any = {found.name: found for found in (RenderedSpider, PlainSpider, GuardedSpider)}[told["spider"]]
    spider.cases = told["cases"]
    process = AsyncCrawlerProcess(SETTINGS | told["settings"])
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


def has_browser() -> bool:
    """Tell whether there is a browser to test with."""
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    if any(shutil.which(name) for name in names):
        return True
    with playwright.sync_playwright() as started:
        return Path(started.chromium.executable_path).exists()


@pytest.fixture(scope="module", autouse=True)
def browser() -> None:
    """Skip where there is none."""
    if not has_browser():
        pytest.skip("no browser (Debian: apt-get install chromium; else: playwright install chromium)")


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
    async with crawling(cases, **settings) as crawl, asyncio.timeout(60):
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


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[ScriptedListing]:
    """The stand-in."""
    async with ScriptedListing() as running:
        yield running


@pytest.fixture(scope="module")
async def seen(site: ScriptedListing) -> Crawl:
    """A crawl of everything that one page can be; requests that failed are part of it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    url, bold = site.base_url, {"render": {"wait_for": "b"}}
    return await crawled(
        [
            ask(f"{url}/list/1", "listing"),
            ask(f"{url}/list/2", "plain", render=None),
            ask(f"{url}/status/403", "403"),
            ask(f"{url}/status/429", "429"),
            ask(f"{url}/status/404?empty", "empty 404"),
            ask(f"{url}/challenge", "challenge"),
            ask(f"{url}/blocked", "blocked", download_timeout=4),
            ask(f"{url}/moved/3", "moved"),
            ask(f"{url}/led", "led"),
            ask(f"{url}/large", "large", render=True),
            ask(f"{url}/grown", "grown", render=True),
            ask(f"{url}/hang", "hang", download_timeout=3),
            *[ask(f"{url}/state", f"state {number}", **bold) for number in range(4)],
            ask(f"{url}/rude", "rude", render={"wait_for": "#done"}),
            ask(f"{url}/download", "download"),
            ask(f"{url}/nothing", "nothing"),
            ask(f"http://127.0.0.1:{port}/", "closed port"),
            ask("https://nowhere.invalid/", "no such host"),
            ask("http://192.0.2.1.invalid/", "plain http"),
            ask(f"{url}/list/4", "selector", render={"wait_for": "li["}),
            ask(f"{url}/headers", "headers", render=True, headers={"Authorization": "Bearer secret"}),
            ask(f"{url}/list/5", "styled", render={"wait_for": "li.job", "stylesheets": True}),
        ]
    )


async def test_rows_that_scripts_make_are_there(seen: Crawl) -> None:
    listing = seen.told["listing"]
    assert len(listing["rows"]) == ROWS
    assert listing["rows"][0] == "Developer 20 wanted — 日本語, café"
    assert (listing["status"], listing["kind"], listing["flags"]) == (200, "HtmlResponse", ["rendered"])
    assert listing["text"].startswith("<!DOCTYPE html>\n<html")
    assert listing["meta"]["max_retry_times"] == 0


async def test_a_request_that_does_not_ask_is_not_rendered(seen: Crawl) -> None:
    assert seen.told["plain"]["rows"] == []
    assert seen.told["plain"]["flags"] == []


@pytest.mark.parametrize(
    ("name", "status", "headers"),
    [
        ("403", 403, {"Retry-After": "120"}),
        ("429", 429, {"Retry-After": "120"}),
        ("empty 404", 404, {"Retry-After": "120"}),
        ("challenge", 403, {"Cf-Mitigated": "challenge"}),
        ("moved", 200, {"Content-Type": "text/html; charset=utf-8"}),
    ],
)
async def test_the_answer_is_told_as_it_was(seen: Crawl, name: str, status: int, headers: dict[str, str]) -> None:
    told = seen.told[name]
    assert told["status"] == status
    assert told["headers"].items() >= headers.items()
    # The body is not as it was on the wire.
    assert not {"Content-Encoding", "Content-Length", "Transfer-Encoding"} & set(told["headers"])


async def test_a_refusal_is_not_waited_on(seen: Crawl) -> None:
    assert "Checking your browser" in seen.told["challenge"]["text"]
    assert seen.told["empty 404"]["text"] == ""


async def test_a_page_that_never_shows_what_is_waited_for_is_returned(seen: Crawl) -> None:
    assert "Checking your browser" in seen.told["blocked"]["text"]
    assert seen.told["blocked"]["flags"] == ["rendered", "wait_for_missing"]
    assert seen.counted["wait_for_missing"] == 1


async def test_redirects_are_told(site: ScriptedListing, seen: Crawl) -> None:
    moved = seen.told["moved"]
    assert moved["url"] == f"{site.base_url}/list/3"
    assert moved["meta"]["redirect_urls"] == [f"{site.base_url}/moved/3"]
    assert moved["meta"]["redirect_reasons"] == [302]
    assert len(moved["rows"]) == ROWS


async def test_a_page_that_leads_to_another_is_followed(site: ScriptedListing, seen: Crawl) -> None:
    assert seen.told["led"]["url"] == f"{site.base_url}/list/7"
    assert len(seen.told["led"]["rows"]) == ROWS


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("large", "DownloadCancelledError", "DOWNLOAD_MAXSIZE is 200000"),
        ("grown", "DownloadCancelledError", "DOWNLOAD_MAXSIZE is 200000"),
        ("hang", "DownloadTimeoutError", "took longer than 3 s"),
        ("download", "NotSupported", "is no page"),
        ("nothing", "NotSupported", "is no page"),
        ("closed port", "DownloadConnectionRefusedError", "ERR_CONNECTION_REFUSED"),
        ("no such host", "CannotResolveHostError", "ERR_NAME_NOT_RESOLVED"),
        ("plain http", "IgnoreRequest", "only https"),
        ("selector", "NotSupported", "wait_for='li['"),
    ],
)
async def test_errors_are_scrapys_own(seen: Crawl, name: str, error: str, message: str) -> None:
    assert seen.told[name]["error"] == error
    assert message in seen.told[name]["message"]


async def test_a_page_finds_nothing_that_another_left(seen: Crawl) -> None:
    for number in range(4):
        assert "<b>0 0 0 0</b>" in seen.told[f"state {number}"]["text"]


async def test_nothing_is_loaded_that_does_not_make_the_page(site: ScriptedListing, seen: Crawl) -> None:
    assert 'id="done"' in seen.told["rude"]["text"]
    asked = {request.path for request in site.requests}
    assert not [path for path in asked if NOT_LOADED.match(path)]
    assert "/script/first.js" in asked
    # By the one page that wants them.
    assert sum(request.path.startswith("/style/") for request in site.requests) == 1


async def test_nothing_that_a_page_asks_for_goes_out_when_it_is_closed() -> None:
    async with ScriptedListing() as site:
        crawl = await crawled([ask(f"{site.base_url}/chatty/{number}", render=True) for number in range(6)])
        asked = {request.path for request in site.requests}
    assert crawl.counted["pages_closed"] == 6
    assert asked == {f"/chatty/{number}" for number in range(6)}


async def test_the_request_is_what_the_browser_sends(site: ScriptedListing, seen: Crawl) -> None:
    page, part = (next(seen for seen in site.requests if seen.path == path) for path in ("/headers", "/sub"))
    assert page.headers["authorization"] == "Bearer secret"
    assert "authorization" not in part.headers
    assert page.headers["user-agent"] == part.headers["user-agent"] == SETTINGS["USER_AGENT"]
    assert not [name for name in page.headers if name.startswith("sec-ch-ua")]


async def test_at_the_end_at_most_the_pages_that_are_used_again_are_open(seen: Crawl) -> None:
    idle, counted = seen.told["idle"], seen.counted
    assert idle["contexts"] == idle["pages"] == counted["pages_opened"] - counted["pages_closed"] <= 2
    assert seen.told["end"]["stats"]["playwright/browser_count"] == 1


async def test_after_60_pages_none_is_left_open(site: ScriptedListing) -> None:
    odd = {5: "status/500", 15: "download", 25: "grown", 35: "nothing", 45: "status/403?empty"}
    urls = [f"{site.base_url}/{odd.get(number, f'list/{number}')}" for number in range(60)]
    crawl = await crawled([ask(url, render=JOBS if "/list/" in url else True) for url in urls])
    idle = crawl.told["idle"]
    assert idle["contexts"] == idle["pages"] <= 2
    assert crawl.counted["pages"] == 60 - 3
    assert all(len(crawl.told[url]["rows"]) == ROWS for url in urls if "/list/" in url)


# --- what dies ------------------------------------------------------------------------------------------------


def _kill_browser(found: dict[int, str]) -> None:
    os.kill(next(pid for pid, command in found.items() if is_browser(command)), signal.SIGKILL)


def _stop_browser(found: dict[int, str]) -> None:
    os.kill(next(pid for pid, command in found.items() if is_browser(command)), signal.SIGSTOP)


def _kill_renderers(found: dict[int, str]) -> None:
    for pid, command in found.items():
        if "--type=renderer" in command:
            os.kill(pid, signal.SIGKILL)


def _kill_driver(found: dict[int, str]) -> None:
    os.kill(next(pid for pid, command in found.items() if "run-driver" in command), signal.SIGKILL)


async def test_what_dies_between_two_pages_costs_no_page(site: ScriptedListing) -> None:
    faults = (_kill_renderers, _kill_browser, _kill_driver)
    cases = [ask(f"{site.base_url}/list/{number}", str(number), max_retry_times=1) for number in range(4)]
    # One page at a time, with a pause in which to kill something.
    slow = {"CONCURRENT_REQUESTS": 1, "DOWNLOAD_DELAY": 0.3, "DOWNLOAD_DELAY_JITTER": 0, "RETRY_PRIORITY_ADJUST": 1}
    async with crawling(cases, **slow) as crawl, asyncio.timeout(60):
        for number, fault in enumerate(faults):
            await crawl.read(str(number))
            fault(processes(crawl.process.pid))
        await crawl.read()
        await crawl.process.wait()
    assert_went_on(crawl, cases)


async def test_what_dies_while_a_page_loads_costs_one_more_try(site: ScriptedListing) -> None:
    faults = (_kill_renderers, _kill_browser, _kill_driver, _stop_browser)
    held = [
        # A stopped browser says nothing: only time tells.
        ask(
            f"{site.base_url}/held/{fault.__name__}",
            fault.__name__,
            max_retry_times=1,
            download_timeout=8 if fault is _stop_browser else 25,
        )
        for fault in faults
    ]
    cases = [case for one in held for case in (one, ask(f"{site.base_url}/list/1", f"after {one['name']}"))]
    async with crawling(cases, CONCURRENT_REQUESTS=1) as crawl, asyncio.timeout(60):
        reading = asyncio.ensure_future(crawl.read())
        for fault in faults:
            assert await site.held.get() == fault.__name__
            fault(processes(crawl.process.pid))
        await reading
        await crawl.process.wait()
    assert_went_on(crawl, cases)
    assert [crawl.told[case["name"]]["meta"]["retry_times"] for case in held] == [1] * len(faults)
    assert crawl.told["end"]["stats"]["retry/count"] == len(faults)


def assert_went_on(crawl: Crawl, cases: list[dict[str, Any]]) -> None:
    """Look whether each page has its rows, and nothing was an error."""
    assert "Traceback" not in crawl.log, crawl.log
    assert [len(crawl.told[case["name"]].get("rows", [])) for case in cases] == [ROWS] * len(cases), crawl.log
    assert not [line for line in crawl.log.splitlines() if " ERROR" in line]


# --- a browser that runs already -------------------------------------------------------------------------------


class ForeignBrowser:
    """A browser that somebody else started, and its tabs."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self._session = session

    async def open_tab(self) -> str:
        """Open a tab; return its id."""
        async with self._session.put(f"{self.url}/json/new?about:blank") as answer:
            return str((await answer.json())["id"])

    async def pages(self) -> dict[str, str]:
        """Return the addresses of its tabs, by their ids."""
        async with self._session.get(f"{self.url}/json/list") as answer:
            return {tab["id"]: tab["url"] for tab in await answer.json() if tab["type"] == "page"}

    async def contexts(self) -> list[str]:
        """Return the ids of its contexts, but for the one of its own tabs."""
        async with self._session.get(f"{self.url}/json/version") as answer:
            address = (await answer.json())["webSocketDebuggerUrl"]
        found: list[str] = (await self._send(address, "Target.getBrowserContexts"))["browserContextIds"]
        return found

    async def crash(self, address: str) -> None:
        """Crash the tab that shows `address`."""
        page = next(page for page, its_address in (await self.pages()).items() if its_address == address)
        await self._send(f"{self.url.replace('http', 'ws')}/devtools/page/{page}", "Page.crash", answers=False)

    async def _send(self, address: str, method: str, *, answers: bool = True) -> dict[str, Any]:
        async with self._session.ws_connect(address) as socket:
            await socket.send_json({"id": 1, "method": method})
            while answers:
                told = await socket.receive_json()
                if told.get("id") == 1:
                    return dict(told["result"])
            # A crashed tab does not answer; the end of its connection, or an event, tells.
            await socket.receive()
            return {}


@asynccontextmanager
async def foreign_browser(folder: Path, *arguments: str) -> AsyncIterator[ForeignBrowser]:
    """Start a browser as its owner would, without anything of ours."""
    from outsourcing_spiders.middlewares.browser_start import system_browsers

    program = next(iter(system_browsers()), None)
    if program is None:
        pytest.skip("no browser of the system (Debian: apt-get install chromium)")
    process = await asyncio.create_subprocess_exec(
        program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
        "--disable-background-networking", f"--user-data-dir={folder}", *arguments,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None

    async def drain() -> None:
        assert process.stderr is not None
        while await process.stderr.read(2**16):
            pass

    draining = asyncio.ensure_future(drain())
    told = folder / "DevToolsActivePort"
    async with asyncio.timeout(20):
        while not (told.exists() and told.read_text()):  # noqa: ASYNC110 - nothing tells that a file was written
            await asyncio.sleep(0.05)
    port = told.read_text().splitlines()[0]
    try:
        async with aiohttp.ClientSession() as session:
            yield ForeignBrowser(session, f"http://127.0.0.1:{port}")
    finally:
        below = processes(process.pid)
        process.terminate()
        await process.wait()
        await draining
        async with asyncio.timeout(5):
            while any(map(is_alive, below)):  # noqa: ASYNC110 - nothing tells of the end of other processes' children
                await asyncio.sleep(0.05)


async def test_in_a_browser_that_runs_already(tmp_path: Path) -> None:
    async with ScriptedListing() as site, ScriptedListing() as tracker:
        there = tracker.base_url.removeprefix("http://")
        resolver = f"--host-resolver-rules=MAP *.google-analytics.com {there},MAP hotjar.com {there}"
        async with foreign_browser(tmp_path / "profile", resolver) as foreign:
            theirs = await foreign.open_tab()
            trackers = "http://www.google-analytics.com/sub&url=http://hotjar.com:81/sub"
            kindred = f"{site.base_url}/sub?u=http://hotjar.com/x"
            cases = [
                ask(f"{site.base_url}/held/crashed", "crashed", max_retry_times=1),
                *[ask(f"{site.base_url}/list/{number}", str(number)) for number in range(6)],
                ask(f"{site.base_url}/rude", "rude", render={"wait_for": "#done"}),
                ask(f"{site.base_url}/probing?url={trackers}&url={kindred}", "probing", render={"wait_for": "#done"}),
            ]
            async with crawling(cases, PLAYWRIGHT_CDP_URL=foreign.url) as crawl, asyncio.timeout(60):
                await site.held.get()
                assert await foreign.contexts()
                await foreign.crash(f"{site.base_url}/held/crashed")
                await crawl.read()
                await crawl.process.wait()
            assert (await foreign.pages())[theirs] == "about:blank"
            assert await foreign.contexts() == []
    assert_went_on(crawl, cases[:7])
    assert crawl.told["crashed"]["meta"]["retry_times"] == 1
    assert 'id="done"' in crawl.told["rude"]["text"]
    assert "refused refused reached" in crawl.told["probing"]["text"]
    asked = {request.path for request in site.requests}
    assert not [path for path in asked if NOT_LOADED.match(path)]
    assert "/script/first.js" in asked
    assert [request.path for request in tracker.requests] == []


# --- the shell -------------------------------------------------------------------------------------------------


async def test_the_shell_renders(
    site: ScriptedListing, scrapy: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "spiders_of_a_test.py").write_text(
        "from outsourcing_spiders.platforms.base import PlatformSpider\n"
        "class Rendering(PlatformSpider):\n"
        "    name, home, access, renders = 'rendering', 'http://127.0.0.1', 'public', True\n"
    )
    code = (
        f"[fetch(scrapy.Request('{site.base_url}/list/1', meta={{'render': {{'wait_for': 'li.job'}}}})), "
        "print('rows:', len(response.css('li.job')))]"
    )
    result = await asyncio.to_thread(
        scrapy, "shell", "--spider=rendering", "-s", "SPIDER_MODULES=spiders_of_a_test", "-c", code,
        timeout=30, PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert f"rows: {ROWS}" in result.stdout, result.stderr
    assert "Traceback" not in result.stderr


async def test_one_signal_ends_it_in_time_and_leaves_no_process(site: ScriptedListing) -> None:
    cases = [ask(f"{site.base_url}/list/1", "before"), *(ask(f"{site.base_url}/blocked", str(n)) for n in range(9))]
    async with crawling(cases, CONCURRENT_REQUESTS_PER_DOMAIN=4) as crawl, asyncio.timeout(30):
        await crawl.read("before")
        found = processes(crawl.process.pid)
        asked = time.monotonic()
        crawl.process.terminate()
        await crawl.process.wait()
        assert time.monotonic() - asked < 5
        assert any(is_browser(command) for command in found.values())
        assert not [command for pid, command in found.items() if is_alive(pid)]


async def test_a_killed_crawl_leaves_no_process(site: ScriptedListing) -> None:
    async with crawling([ask(f"{site.base_url}/blocked", "slow"), ask(f"{site.base_url}/list/1", "before")]) as crawl:
        async with asyncio.timeout(30):
            await crawl.read("before")
        found = processes(crawl.process.pid)
        assert any(is_browser(command) for command in found.values())
        crawl.process.kill()
        await crawl.process.wait()
        async with asyncio.timeout(5):
            while any(map(is_alive, found)):  # noqa: ASYNC110 - nothing tells of the end of other processes' children
                await asyncio.sleep(0.05)


# --- who may ask for what -------------------------------------------------------------------------------------


@asynccontextmanager
async def tls(port: int, folder: Path) -> AsyncIterator[int]:
    """Let a port speak https for `port`, with a certificate that nobody knows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=public.test")
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("public.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "pem").write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(2**16):
                    target.write(data)
                    await target.drain()
            except OSError:
                pass
            finally:
                target.close()

        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_public_page_reaches_no_private_address(site: ScriptedListing, tmp_path: Path) -> None:
    port = int(site.base_url.rpartition(":")[2])
    async with ScriptedListing() as inside, tls(port, tmp_path) as public_port:
        public, secret = f"https://public.test:{public_port}", f"{inside.base_url}/secret"
        launch = [
            f"--host-resolver-rules=MAP public.test 127.0.0.1,MAP inside.test {inside.base_url.removeprefix('http://')}",
            f"--ip-address-space-overrides=127.0.0.1:{public_port}=public",
        ]
        done = {"render": {"wait_for": "#done"}, "download_timeout": 8}
        secrets = "&url=".join((secret, "http://inside.test/secret", "file:///etc/passwd"))
        crawl = await crawled(
            [
                ask(f"{public}/list/1", "listing"),
                ask(f"{public}/probing?url={secrets}", "probing", **done),
                ask(f"{public}/moved-to?url={secret}", "moved"),
                ask(f"{public}/moved-to?url=http://public.test/", "moved to http"),
                ask(f"{public}/led-to?url={secret}", "led", **done),
            ],
            PLAYWRIGHT_LAUNCH_OPTIONS={"args": launch},
            DOWNLOAD_VERIFY_CERTIFICATES=False,
        )
    assert len(crawl.told["listing"]["rows"]) == ROWS
    assert "refused refused refused" in crawl.told["probing"]["text"]
    for name in ("moved", "moved to http", "led"):
        assert crawl.told[name]["error"] == "IgnoreRequest", crawl.told[name]
    assert [request.path for request in inside.requests] == []


async def test_a_live_host_that_is_not_permitted_is_not_touched(site: ScriptedListing) -> None:
    async with ScriptedListing() as live:
        rule = f"--host-resolver-rules=MAP live.test {live.base_url.removeprefix('http://')}"
        launch = {"PLAYWRIGHT_LAUNCH_OPTIONS": {"args": [rule]}}
        done = {"render": {"wait_for": "#done"}, "download_timeout": 8}
        addresses = "&url=".join(("http://live.test/sub", "http://live.test:81/sub", "http://live.test./sub"))
        probing = ask(
            f"{site.base_url}/probing?url={addresses}&url={site.base_url}/sub?u=//live.test/", "probing", **done
        )
        moved = ask(f"{site.base_url}/moved-to?url=http://live.test/list/1", "moved")
        led = ask(f"{site.base_url}/led-to?url=http://live.test/list/1", "led")
        refused = [
            await crawled(cases, spider="guarded", CONCURRENT_REQUESTS=1, **launch)
            for cases in ([probing, moved], [led])
        ]
        assert [request.path for request in live.requests] == []
        permitted = await crawled([moved], spider="guarded", PERMITTED_PLATFORMS="guarded", **launch)
    assert "refused refused refused reached" in refused[0].told["probing"]["text"]
    for crawl, name in zip(refused, ("moved", "led"), strict=True):
        assert crawl.told[name]["error"] == "Refused"
        assert "guarded is not read without the platform's permission" in crawl.told[name]["message"]
        assert crawl.told["end"]["stats"]["finish_reason"] == "permission_required"
    assert len(permitted.told["moved"]["rows"]) == ROWS


async def test_certificates_are_verified(site: ScriptedListing, tmp_path: Path) -> None:
    async with tls(int(site.base_url.rpartition(":")[2]), tmp_path) as port:
        case = ask(f"https://localhost:{port}/list/1", "listing")
        crawl = await crawled([case], DOWNLOAD_VERIFY_CERTIFICATES=True)
    assert "ERR_CERT" in crawl.told["listing"]["message"]


async def test_a_spider_that_does_not_declare_it_is_refused(site: ScriptedListing) -> None:
    cases = [ask(f"{site.base_url}/list/1", "plain", render=None), ask(f"{site.base_url}/list/1", "asks")]
    crawl = await crawled(cases, spider="plain", DOWNLOAD_HANDLERS={})
    assert crawl.told["asks"]["error"] == "Refused"
    assert "plain asks for rendering" in crawl.told["asks"]["message"]
    assert "renders = True" in crawl.told["asks"]["message"]
    assert crawl.told["plain"]["status"] == 200
    assert crawl.told["end"]["loaded"] == []
    assert crawl.told["end"]["stats"]["finish_reason"] == "failed"


async def test_without_a_browser_it_says_what_to_install(
    site: ScriptedListing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    crawl = await crawled(
        [ask(f"{site.base_url}/list/{number}", str(number), max_retry_times=1) for number in range(4)]
    )
    assert crawl.log.count("playwright install chromium") == 1, crawl.log
    assert crawl.told["end"]["stats"]["finish_reason"] == "failed"
    assert {crawl.told[name]["error"] for name in ("0", "1")} == {"Refused"}


async def test_a_browser_that_does_not_answer_is_named_without_its_address(site: ScriptedListing) -> None:
    url = "http://127.0.0.1:9/?token=secret"
    crawl = await crawled([ask(f"{site.base_url}/list/1", "1")], PLAYWRIGHT_CDP_URL=url)
    assert "No browser answers at PLAYWRIGHT_CDP_URL" in crawl.log
    assert "secret" not in crawl.log.replace(f"'PLAYWRIGHT_CDP_URL': '{url}'", "")


if __name__ == "__main__":
    main()
    sys.exit()

"""Compare rendering of this project with plain scrapy-playwright, and count what is left open.

    python tests/benchmarks/rendering.py [--pages 100] [--rounds 3] [--long 500]

Both read the same listing, whose rows a script fetches, from the same stand-in process, where each image, font,
stylesheet and script is 50 ms away. Same browser, same number of pages at once, no pause between requests. Plain
scrapy-playwright runs as its documentation has it: default settings, ``PageMethod("wait_for_selector", …)``. Each
round measures both with a site that lets browsers keep what its pages share, and with one that forbids it
(``Cache-Control: no-store``).

The rate is taken from the first answer to the last one: what a page costs, whatever a start costs. Plain
scrapy-playwright starts its driver before the first request and its browser with it, this project both with it,
so a clock that began there would not hold the same for both. The whole, from the start of the process to its end,
is told next to it. Memory is the largest sum of the proportional set sizes (PSS) of all processes of the crawl,
looked at four times a second; processor time is that of all of them. At the end, one crawl of `--long` pages, of
which every tenth fails, tells how many pages and contexts are open.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from common import HERE, REPOSITORY, say
from platforms_standins._server import standin_process
from scrapy import Request, Spider, signals
from scrapy.crawler import AsyncCrawlerProcess

STANDIN = HERE.parent / "platforms_standins" / "_scripted_listing.py"
ROWS = 20
AT_ONCE = 2
TARGET = 3.0
FAILING = ("download", "nothing", "large", "grown")
COMMON = {
    "CONCURRENT_REQUESTS": AT_ONCE,
    "CONCURRENT_REQUESTS_PER_DOMAIN": AT_ONCE,
    "DOWNLOAD_DELAY": 0,
    "RETRY_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "REMOTE_CONTROL_ENABLED": False,
    "LOG_LEVEL": "CRITICAL",
}
OURS = {
    "DOWNLOADER_MIDDLEWARES": {"outsourcing_spiders.middlewares.rendering.RenderingMiddleware": 940},
    "PLAYWRIGHT_MAX_PAGES_PER_CONTEXT": AT_ONCE,
    "PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT": 20_000,
    "DOWNLOAD_MAXSIZE": 200_000,
}
HANDLERS = {
    "ours": "outsourcing_spiders.middlewares.browser.BrowserHandler",
    "plain": "scrapy_playwright.handler.ScrapyPlaywrightDownloadHandler",
}


class ListingSpider(Spider):
    """Read the listing; an item per page that has all its rows."""

    name = "listing"
    renders = True
    ways: dict[str, Any]
    answered: ClassVar[list[float]] = []

    async def start(self) -> AsyncIterator[Any]:
        """Yield the pages."""
        for number in range(self.ways["pages"]):
            path = f"list/{number}"
            if self.ways["failing"] and number % 10 == 9:
                path = FAILING[number // 10 % len(FAILING)]
            url = f"{self.ways['url']}/{path}"
            yield Request(url, meta=self.wanted(url), errback=self.failed, dont_filter=True)

    def wanted(self, url: str) -> dict[str, Any]:
        """Return what each way of rendering wants in a request's meta."""
        if self.ways["name"] == "ours":
            return {"render": {"wait_for": "li.job"} if "/list/" in url else True}
        from scrapy_playwright.page import PageMethod

        return {"playwright": True, "playwright_page_methods": [PageMethod("wait_for_selector", "li.job")]}

    def parse(self, response: Any) -> Any:
        """Yield an item for the page."""
        self.answered.append(time.perf_counter())
        if len(response.css("li.job").getall()) == ROWS:
            yield {"url": response.url}

    def failed(self, failure: Any) -> None:
        """Say nothing: some are meant to fail."""


def crawl() -> None:
    """Crawl as standard input says; this is the process that is measured."""
    ways = ListingSpider.ways = json.loads(sys.stdin.readline())
    handler = HANDLERS[ways["name"]]
    settings = COMMON | {"DOWNLOAD_HANDLERS": {"http": handler, "https": handler}}
    settings |= OURS if ways["name"] == "ours" else {"PLAYWRIGHT_MAX_PAGES_PER_CONTEXT": AT_ONCE}
    if ways["name"] == "plain":
        from outsourcing_spiders.middlewares.browser_start import system_browsers

        # The same browser for both.
        settings["PLAYWRIGHT_LAUNCH_OPTIONS"] = {"executable_path": ways["browser"] or system_browsers()[0]}
    elif ways["browser"]:
        settings["PLAYWRIGHT_LAUNCH_OPTIONS"] = {"executable_path": ways["browser"]}
    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler(ListingSpider)
    left: dict[str, int] = {}

    def count() -> None:
        from outsourcing_spiders.middlewares.browser import BrowserHandler

        contexts = BrowserHandler.from_crawler(crawler).browser.contexts if ways["name"] == "ours" else []
        left.update(contexts=len(contexts), pages=sum(len(context.pages) for context in contexts))

    crawler.signals.connect(count, signal=signals.spider_idle, weak=False)
    process.crawl(crawler)
    process.start()
    times = ListingSpider.answered
    measured = {
        "items": crawler.stats.get_value("item_scraped_count", 0),
        "failed": crawler.stats.get_value("downloader/exception_count", 0),
        "rate": (len(times) - 1) / (times[-1] - times[0]),
    }
    say(json.dumps(left | measured))


def run(name: str, url: str, pages: int, *, failing: bool = False, browser: str = "") -> dict[str, Any]:
    """Crawl in a process of its own; return pages per second, whole seconds, megabytes, and what was left."""
    told = {"name": name, "url": url, "pages": pages, "failing": failing, "browser": browser}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(HERE), str(HERE.parent)))}
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, __file__, "--crawl"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        sizes: list[float] = []
        spent: dict[int, float] = {}
        ended = threading.Event()
        watching = threading.Thread(target=watch, args=(process.pid, sizes, spent, ended))
        watching.start()
        output, _ = process.communicate(json.dumps(told) + "\n")
        ended.set()
        watching.join()
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    whole = time.perf_counter() - started
    return measured | {"whole": whole, "mb": max(sizes), "cpu_ms": sum(spent.values()) / pages * 1000}


def watch(pid: int, sizes: list[float], spent: dict[int, float], ended: threading.Event) -> None:
    """Look at the memory and the processor time of a process and those below it until told to stop."""
    while not ended.wait(0.25):
        found = tree(pid)
        sizes.append(sum(map(proportional_megabytes, found)))
        spent.update((one, seconds) for one in found if (seconds := processor_seconds(one)))


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process so far; 0 of one that is no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return the process and all below it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def proportional_megabytes(pid: int) -> float:
    """Return the PSS of a process; 0 of one that is no more."""
    try:
        size = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(size[1]) / 1024 if size else 0.0


def main() -> int:
    """Run the benchmark; exits with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=int, default=500, help="pages of the last crawl")
    parser.add_argument("--browser", default="", help="path of the browser for both (default: the first on PATH)")
    options = parser.parse_args()
    rounds: list[dict[tuple[str, str], dict[str, Any]]] = []
    with (
        standin_process(STANDIN, asset_delay=0.05) as kept,
        standin_process(STANDIN, no_store=True, asset_delay=0.05) as not_kept,
    ):
        sites = {"kept": kept.base_url, "no-store": not_kept.base_url}
        for number in range(options.rounds):
            rounds.append({})
            for site, url in sites.items():
                for name in ("plain", "ours"):
                    measured = run(name, url, options.pages, browser=options.browser)
                    assert measured["items"] == options.pages, measured
                    rounds[-1][site, name] = measured
                    say(
                        f"round {number + 1}  {site:8}  {name:5}  {measured['rate']:5.1f} pages/s  "
                        f"{measured['whole']:5.1f} s in all  {measured['cpu_ms']:4.0f} ms of processor a page  "
                        f"{measured['mb']:4.0f} MB"
                    )
        started = time.perf_counter()
        long = run("ours", sites["kept"], options.long, failing=True, browser=options.browser)

    def ratio(site: str, key: str) -> float:
        return statistics.median(one[site, "ours"][key] / one[site, "plain"][key] for one in rounds)

    for site in sites:
        say(
            f"\n{site}: {ratio(site, 'rate'):.2f} times the pages per second of plain scrapy-playwright (target "
            f"{TARGET:g}), {1 / ratio(site, 'whole'):.2f} from start to end of the process; "
            f"{ratio(site, 'cpu_ms'):.2f} times its processor time, {ratio(site, 'mb'):.2f} times its memory "
            "(target: less than 1)"
        )
    say(
        f"after {options.long} pages, {long['failed']} of them failed, in {time.perf_counter() - started:.0f} s: "
        f"{long['pages']} pages in {long['contexts']} contexts open (target: at most {AT_ONCE}), {long['mb']:.0f} MB"
    )
    met = all(ratio(site, "rate") >= TARGET and ratio(site, "mb") < 1 for site in sites)
    return 0 if met and long["pages"] <= AT_ONCE >= long["contexts"] else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--crawl"]:
        crawl()
    else:
        sys.exit(main())

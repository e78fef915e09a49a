"""Browsers that die, that are stopped, that somebody else started: no page is lost, and no process is left."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from _stopwatch import Stopwatch
from middlewares._browser_crawls import (
    NOT_LOADED,
    all_gone,
    ask,
    assert_went_on,
    crawling,
    is_browser,
    processes,
)
from platforms_standins._scripted_listing import ScriptedListing

pytestmark = pytest.mark.usefixtures("browser")


# --- what dies ------------------------------------------------------------------------------------------------


def _kill_browser(found: dict[int, str]) -> None:
    os.kill(next(pid for pid, command in found.items() if is_browser(command)), signal.SIGKILL)


def _stop_browser(found: dict[int, str]) -> None:
    os.kill(next(pid for pid, command in found.items() if is_browser(command)), signal.SIGSTOP)


def _kill_renderers(found: dict[int, str]) -> None:
    for pid, command in found.items():
        if "--type=renderer" in command:
            # One that nobody needed may have ended just now.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _kill_driver(found: dict[int, str]) -> None:
    os.kill(next(pid for pid, command in found.items() if "run-driver" in command), signal.SIGKILL)


async def test_what_dies_between_two_pages_costs_no_page(scripted: ScriptedListing) -> None:
    faults = (_kill_renderers, _kill_browser, _kill_driver)
    cases = [ask(f"{scripted.base_url}/list/{number}", str(number), max_retry_times=1) for number in range(4)]
    # One page at a time, with a pause in which to kill something.
    slow = {"CONCURRENT_REQUESTS": 1, "DOWNLOAD_DELAY": 0.3, "DOWNLOAD_DELAY_JITTER": 0, "RETRY_PRIORITY_ADJUST": 1}
    async with crawling(cases, **slow) as crawl, asyncio.timeout(180):
        for number, fault in enumerate(faults):
            await crawl.read(str(number))
            fault(processes(crawl.process.pid))
        await crawl.read()
        await crawl.process.wait()
    assert_went_on(crawl, cases)


async def test_what_dies_while_a_page_loads_costs_one_more_try(scripted: ScriptedListing) -> None:
    faults = (_kill_renderers, _kill_browser, _kill_driver, _stop_browser)
    held = [
        # A stopped browser says nothing: only time tells.
        ask(
            f"{scripted.base_url}/held/{fault.__name__}",
            fault.__name__,
            max_retry_times=1,
            download_timeout=8 if fault is _stop_browser else 25,
        )
        for fault in faults
    ]
    cases = [case for one in held for case in (one, ask(f"{scripted.base_url}/list/1", f"after {one['name']}"))]
    async with crawling(cases, CONCURRENT_REQUESTS=1) as crawl, asyncio.timeout(240):
        reading = asyncio.ensure_future(crawl.read())
        for fault in faults:
            assert await scripted.held.get() == fault.__name__
            fault(processes(crawl.process.pid))
        await reading
        await crawl.process.wait()
    assert_went_on(crawl, cases)
    assert [crawl.told[case["name"]]["meta"]["retry_times"] for case in held] == [1] * len(faults)
    assert crawl.told["end"]["stats"]["retry/count"] == len(faults)


# --- the end of a crawl ---------------------------------------------------------------------------------------


async def test_one_signal_ends_it_in_time_and_leaves_no_process(scripted: ScriptedListing) -> None:
    url = scripted.base_url
    cases = [ask(f"{url}/list/1", "before"), *(ask(f"{url}/blocked", str(number)) for number in range(9))]
    async with crawling(cases, CONCURRENT_REQUESTS_PER_DOMAIN=4) as crawl, asyncio.timeout(120):
        await crawl.read("before")
        found = processes(crawl.process.pid)
        with Stopwatch(crawl.process.pid) as watch:
            crawl.process.terminate()
            await crawl.process.wait()
        assert watch.seconds < 5
        assert any(is_browser(command) for command in found.values())
        await all_gone(found)
        await crawl.read()
    # Nothing is wrong with the platform: such a crawl must not tell so.
    errors = {told.get("error") for told in crawl.told.values()} - {None}
    assert errors == {"GivenUp"}


async def test_one_signal_ends_the_wait_for_a_browser_that_says_nothing(scripted: ScriptedListing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://{}:{}".format(*silent.getsockname())
        async with crawling([ask(f"{scripted.base_url}/list/1", "1")], PLAYWRIGHT_CDP_URL=url) as crawl:
            async with asyncio.timeout(120):
                connection, _ = await asyncio.to_thread(silent.accept)
            with Stopwatch(crawl.process.pid) as watch:
                crawl.process.terminate()
                await crawl.process.wait()
            assert watch.seconds < 5
            connection.close()
    assert "Traceback" not in crawl.log


async def test_a_killed_crawl_leaves_no_process(scripted: ScriptedListing) -> None:
    cases = [ask(f"{scripted.base_url}/blocked", "slow"), ask(f"{scripted.base_url}/list/1", "before")]
    async with crawling(cases) as crawl:
        async with asyncio.timeout(120):
            await crawl.read("before")
        found = processes(crawl.process.pid)
        assert any(is_browser(command) for command in found.values())
        crawl.process.kill()
        await crawl.process.wait()
        await all_gone(found)


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
    async with asyncio.timeout(60):
        while not (told.exists() and "\n" in told.read_text()):  # noqa: ASYNC110 - nothing tells that a file was written
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
        await all_gone(below)


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
            async with crawling(cases, PLAYWRIGHT_CDP_URL=foreign.url) as crawl, asyncio.timeout(180):
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

"""What comes of a page that a browser renders: the answer, its rows, errors, and what is left open."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _ports import kept_port
from middlewares._browser_crawls import JOBS, NOT_LOADED, SETTINGS, Crawl, ask, crawled
from platforms_standins._scripted_listing import ROWS, ScriptedListing

pytestmark = pytest.mark.usefixtures("browser")


def _requests(url: str, closed_port: int) -> list[dict[str, Any]]:
    bold = {"render": {"wait_for": "b"}}
    return [
        ask(f"{url}/list/1", "listing"),
        ask(f"{url}/list/2", "plain", render=None),
        ask(f"{url}/status/403", "403"),
        ask(f"{url}/status/429", "429"),
        ask(f"{url}/status/404?empty", "empty 404"),
        ask(f"{url}/status/304?empty", "304", headers={"If-None-Match": '"1"'}),
        ask(f"{url}/challenge", "challenge"),
        ask(f"{url}/blocked", "blocked", download_timeout=6),
        ask(f"{url}/moved/3", "moved"),
        ask(f"{url}/led", "led"),
        ask(f"{url}/large", "large", render=True),
        ask(f"{url}/grown", "grown", render=True),
        ask(f"{url}/hang", "hang", download_timeout=3),
        *[ask(f"{url}/state", f"state {number}", **bold) for number in range(4)],
        ask(f"{url}/rude", "rude", render={"wait_for": "#done"}),
        ask(f"{url}/download", "download"),
        ask(f"{url}/nothing", "nothing"),
        ask(f"http://127.0.0.1:{closed_port}/", "closed port"),
        ask("https://nowhere.invalid/", "no such host"),
        ask("http://192.0.2.1.invalid/", "plain http"),
        ask(f"{url}/list/4", "selector", render={"wait_for": "li["}),
        ask(f"{url}/headers", "headers", render=True, headers={"Authorization": "Bearer secret"}),
        ask(f"{url}/list/5", "styled", render={"wait_for": "li.job", "stylesheets": True}),
    ]


@pytest.fixture(scope="module")
async def seen(scripted: ScriptedListing) -> Crawl:
    """A crawl of everything that one page can be; requests that failed are part of it."""
    with kept_port() as port:
        return await crawled(_requests(scripted.base_url, port))


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
        ("304", 304, {"Retry-After": "120"}),
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


async def test_redirects_are_told(scripted: ScriptedListing, seen: Crawl) -> None:
    moved = seen.told["moved"]
    assert moved["url"] == f"{scripted.base_url}/list/3"
    assert moved["meta"]["redirect_urls"] == [f"{scripted.base_url}/moved/3"]
    assert moved["meta"]["redirect_reasons"] == [302]
    assert len(moved["rows"]) == ROWS


async def test_a_page_that_leads_to_another_is_followed(scripted: ScriptedListing, seen: Crawl) -> None:
    assert seen.told["led"]["url"] == f"{scripted.base_url}/list/7"
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


async def test_nothing_is_loaded_that_does_not_make_the_page(scripted: ScriptedListing, seen: Crawl) -> None:
    assert 'id="done"' in seen.told["rude"]["text"]
    asked = {request.path for request in scripted.requests}
    assert not [path for path in asked if NOT_LOADED.match(path)]
    assert "/script/first.js" in asked
    # By the one page that wants them.
    assert sum(request.path.startswith("/style/") for request in scripted.requests) == 1


async def test_nothing_that_a_page_asks_for_goes_out_when_it_is_closed() -> None:
    async with ScriptedListing() as site:
        crawl = await crawled([ask(f"{site.base_url}/chatty/{number}", render=True) for number in range(6)])
        asked = {request.path for request in site.requests}
    assert crawl.counted["pages_closed"] == 6
    assert asked == {f"/chatty/{number}" for number in range(6)}


async def test_the_request_is_what_the_browser_sends(scripted: ScriptedListing, seen: Crawl) -> None:
    page, part = (next(seen for seen in scripted.requests if seen.path == path) for path in ("/headers", "/sub"))
    assert page.headers["authorization"] == "Bearer secret"
    assert "authorization" not in part.headers
    assert page.headers["user-agent"] == part.headers["user-agent"] == SETTINGS["USER_AGENT"]
    assert not [name for name in page.headers if name.startswith("sec-ch-ua")]


async def test_at_the_end_at_most_the_pages_that_are_used_again_are_open(seen: Crawl) -> None:
    idle, counted = seen.told["idle"], seen.counted
    assert idle["contexts"] == idle["pages"] == counted["pages_opened"] - counted["pages_closed"] <= 2
    assert seen.told["end"]["stats"]["playwright/browser_count"] == 1


async def test_after_60_pages_none_is_left_open(scripted: ScriptedListing) -> None:
    odd = {5: "status/500", 15: "download", 25: "grown", 35: "nothing", 45: "status/403?empty"}
    urls = [f"{scripted.base_url}/{odd.get(number, f'list/{number}')}" for number in range(60)]
    crawl = await crawled([ask(url, render=JOBS if "/list/" in url else True) for url in urls])
    idle = crawl.told["idle"]
    assert idle["contexts"] == idle["pages"] <= 2
    assert crawl.counted["pages"] == 60 - 3
    assert all(len(crawl.told[url]["rows"]) == ROWS for url in urls if "/list/" in url)


# --- the shell -------------------------------------------------------------------------------------------------


async def test_the_shell_renders(
    scripted: ScriptedListing, scrapy: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "spiders_of_a_test.py").write_text(
        "from outsourcing_spiders.platforms.base import PlatformSpider\n"
        "class Rendering(PlatformSpider):\n"
        "    name, home, access, renders = 'rendering', 'http://127.0.0.1', 'public', True\n"
    )
    code = (
        f"[fetch(scrapy.Request('{scripted.base_url}/list/1', meta={{'render': {{'wait_for': 'li.job'}}}})), "
        "print('rows:', len(response.css('li.job')))]"
    )
    result = await asyncio.to_thread(
        scrapy, "shell", "--spider=rendering", "-s", "SPIDER_MODULES=spiders_of_a_test", "-c", code,
        PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert f"rows: {ROWS}" in result.stdout, result.stderr
    assert "Traceback" not in result.stderr

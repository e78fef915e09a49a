"""A platform that forbids programs is not asked for anything until it is permitted, whatever leads there."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from _crawls import crawl, project_settings
from aiohttp import web
from scrapy import Request, Spider
from scrapy.exceptions import NotConfigured
from scrapy.utils.test import get_crawler

from outsourcing_spiders.middlewares.permission import (
    PermissionMiddleware,
    PermissionStartMiddleware,
    data_sheet,
    is_on,
    live_host,
    missing_permission,
    permitted_platforms,
    unknown_names,
)
from outsourcing_spiders.outcomes import PermissionRequired
from outsourcing_spiders.platforms.base import PlatformSpider


class Guarded(PlatformSpider):
    """Projects of a platform that forbids programs.

    Site: https://www.example.com.

    Access: pages.

    Terms: article 7 forbids programs;
    nobody has a way in. Read on 2026-09-22.

    Caveats: none.
    """

    name = "guarded"
    access = "permission"
    home = "https://www.example.com"


class Open(PlatformSpider):
    """Projects of a platform that is open to all."""

    name = "open"
    access = "public"
    home = "https://www.example.com"


# --- the live host ------------------------------------------------------------------------------------------------

LIVE = (
    "https://www.example.com", "http://example.com/projects?page=2", "https://EXAMPLE.Com/", "https://example.com./",
    "https://example.com:8443/x", "https://user:secret@example.com/", "https://api.eu.example.com/v1",
    "https://ex%61mple.com/", "https://ｅxample。com/", "https://example.com\\@stand-in.test/",
    "https://stand-in.test@www.example.com/", "//example.com/x", "wss://live.example.com",
    "https://www.example.com/robots.txt",
)  # fmt: skip
ELSEWHERE = (
    "http://127.0.0.1:8000/", "http://localhost:8000", "https://example.org/", "https://notexample.com/",
    "https://example.com.stand-in.test/", "https://stand-in.test/?next=https://example.com/",
    "https://stand-in.test/example.com", "https://example.com@stand-in.test/", "https://com/", "file:///example.com",
    "data:text/html,example.com", "http://[broken", "", "https://./", "http://[::1]:8000/",
)  # fmt: skip


@pytest.mark.parametrize("address", LIVE)
def test_the_live_host_is_recognized_however_it_is_written(address: str) -> None:
    assert is_on(address, live_host(Guarded))
    assert missing_permission(Guarded, address, []) is not None


@pytest.mark.parametrize("address", ELSEWHERE)
def test_a_stand_in_needs_no_permission(address: str) -> None:
    assert not is_on(address, live_host(Guarded))
    assert missing_permission(Guarded, address, []) is None


@pytest.mark.parametrize(
    ("home", "host"),
    [
        ("https://www.example.com", "example.com"),
        ("https://jobs.example.com", "jobs.example.com"),
        ("https://WWW.Example.com:443/", "example.com"),
        ("https://www.wwwork.example", "wwwork.example"),
        ("https://www.bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_host_of_a_platform(home: str, host: str) -> None:
    platform = type("Elsewhere", (Guarded,), {"home": home})
    assert live_host(platform) == host
    assert is_on(home, host)


# --- permission ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("", set()),
        (" , ", set()),
        ("guarded", {"guarded"}),
        ("guarded, other ,", {"guarded", "other"}),
        (["guarded", " other "], {"guarded", "other"}),
        (("guarded",), {"guarded"}),
        ([], set()),
    ],
    # Sets have no order, and the name of a test has to be the same in each process.
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_the_setting_is_a_list_or_text(setting: Any, names: set[str]) -> None:
    assert permitted_platforms(project_settings(PERMITTED_PLATFORMS=setting)) == names


def test_without_the_setting_nothing_is_permitted() -> None:
    settings = project_settings()
    settings.delete("PERMITTED_PLATFORMS", priority="cmdline")
    assert permitted_platforms(settings) == frozenset()


def test_what_is_missing_is_said_in_one_line() -> None:
    problem = missing_permission(Guarded, Guarded.home, [])
    assert isinstance(problem, PermissionRequired)
    assert str(problem) == (
        "guarded is not read without the platform's permission (article 7 forbids programs; nobody has a way in. Read "
        "on 2026-09-22); if you have it, set PERMITTED_PLATFORMS=guarded; a stand-in on another host "
        "(-a base_url=ADDRESS) needs none"
    )
    assert "add guarded to PERMITTED_PLATFORMS" in str(missing_permission(Guarded, Guarded.home, ["other"]))


def test_a_spider_without_a_docstring_says_it_too() -> None:
    undocumented = type("Undocumented", (Guarded,), {"__doc__": None, "name": "undocumented"})
    assert "(its terms or its robots.txt forbid programs)" in str(missing_permission(undocumented, Guarded.home, []))


def test_who_needs_no_permission() -> None:
    assert missing_permission(Guarded, Guarded.home, {"guarded"}) is None
    assert missing_permission(Open, Open.home, []) is None
    assert missing_permission(Spider, Guarded.home, []) is None


def test_a_data_sheet_has_its_sections_as_lines() -> None:
    assert data_sheet(Guarded) == {
        "Site": "https://www.example.com.",
        "Access": "pages.",
        "Terms": "article 7 forbids programs; nobody has a way in. Read on 2026-09-22.",
        "Caveats": "none.",
    }
    assert data_sheet(Open) == {}


def test_a_name_that_no_spider_has_is_a_mistake() -> None:
    said = unknown_names(["wisket", "freelancer", "Guru", "zzz"], ["freelancer", "wishket", "guru"])
    assert said == [
        "PERMITTED_PLATFORMS names 'Guru', which is no platform; did you mean guru?",
        "PERMITTED_PLATFORMS names 'wisket', which is no platform; did you mean wishket?",
        "PERMITTED_PLATFORMS names 'zzz', which is no platform; `scrapy platforms` lists them all.",
    ]
    assert unknown_names(["guru"], ["guru"]) == []


# --- where nothing is forbidden, nothing is looked at ----------------------------------------------------------------


@pytest.mark.parametrize("middleware", [PermissionMiddleware, PermissionStartMiddleware])
@pytest.mark.parametrize(
    ("spider", "permitted", "is_on_duty"),
    [(Guarded, "", True), (Guarded, "other", True), (Open, "", False)],
)
def test_it_is_there_for_spiders_that_ask_first(
    middleware: Any, spider: type[Spider], permitted: str, is_on_duty: bool
) -> None:
    crawler = get_crawler(spider, {"PERMITTED_PLATFORMS": permitted, "STORAGE_ENABLED": True})
    if is_on_duty:
        assert middleware.from_crawler(crawler)
    else:
        with pytest.raises(NotConfigured):
            middleware.from_crawler(crawler)


def test_a_permitted_platform_is_not_looked_at() -> None:
    with pytest.raises(NotConfigured):
        PermissionMiddleware.from_crawler(get_crawler(Guarded, {"PERMITTED_PLATFORMS": "guarded"}))


# --- whole crawls -------------------------------------------------------------------------------------------------


class Site:
    """One server under two names: ``localhost`` is the platform, ``127.0.0.1`` a stand-in whose pages lead there."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._runner = web.ServerRunner(web.Server(self._answer))

    async def __aenter__(self) -> Site:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._runner.cleanup()

    @property
    def live(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def stand_in(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked_live(self) -> list[str]:
        """Return what was asked of the platform itself."""
        return [what for what in self.asked if what.startswith("localhost")]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(f"{(request.host or '').partition(':')[0]}{request.path}")
        if request.path == "/moved":
            raise web.HTTPFound(f"{self.live}/elsewhere")
        if request.path == "/robots.txt":
            return web.Response(text="User-agent: *\nAllow: /\n")
        return web.Response(text=f"<a href='{self.live}/next'>", content_type="text/html")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


def guarded_on(site: Site, first: str = "page") -> type[Any]:
    """Return a spider of the platform `site`, which reads `first` and follows the first link there."""

    class Reader(Guarded):
        """Reads two pages."""

        home = site.live
        failures: list[Any] = []  # noqa: RUF012 - of this crawl alone

        async def start(self) -> AsyncIterator[Request]:
            yield Request(self.absolute(first), errback=self.failures.append)

        def parse(self, response: Any) -> Any:
            if not response.url.endswith("/next"):
                yield response.follow(response.css("a")[0], errback=self.failures.append)

    return Reader


async def test_a_crawl_of_the_platform_ends_before_the_database_is_opened(site: Site, tmp_path: Path) -> None:
    done = await crawl("postgresql://127.0.0.1:1/nowhere", tmp_path, spider=guarded_on(site))
    assert done.reason == "permission_required"
    assert isinstance(done.outcome, PermissionRequired)
    assert site.asked == []
    assert len(done.errors) == 1
    assert "set PERMITTED_PLATFORMS=guarded" in done.errors[0]


# Scrapy's own follows every redirect; the project's does not follow one to this machine.
_ALONE = {"DOWNLOADER_MIDDLEWARES": {"outsourcing_spiders.middlewares.permission.PermissionMiddleware": 50}}


@pytest.mark.parametrize(("first", "settings"), [("page", {}), ("moved", _ALONE)], ids=["link", "redirect"])
async def test_what_a_stand_in_leads_to_is_not_asked_for(
    site: Site, tmp_path: Path, first: str, settings: dict[str, Any]
) -> None:
    spider = guarded_on(site, first)
    done = await crawl(None, tmp_path, spider=spider, settings=settings, base_url=site.stand_in)
    assert done.reason == "permission_required"
    assert isinstance(done.outcome, PermissionRequired)
    assert site.asked == ["127.0.0.1/robots.txt", f"127.0.0.1/{first}"]
    assert [str(failure.value) for failure in spider.failures] == [str(done.outcome)]
    assert len(done.errors) == 1


async def test_the_robots_txt_of_the_platform_is_not_asked_for(site: Site, tmp_path: Path) -> None:
    done = await crawl(None, tmp_path, spider=guarded_on(site))
    assert done.reason == "permission_required"
    assert site.asked == []


async def test_a_permitted_platform_is_read(site: Site, tmp_path: Path) -> None:
    permitted = {"PERMITTED_PLATFORMS": "other,guarded"}
    done = await crawl(None, tmp_path, spider=guarded_on(site, "moved"), settings=permitted)
    assert (done.reason, done.errors) == ("finished", [])
    assert "localhost/elsewhere" in site.asked
    assert "localhost/next" in site.asked


async def test_a_spider_that_needs_no_permission_is_not_hindered(site: Site, tmp_path: Path) -> None:
    spider = type("Free", (guarded_on(site),), {"access": "public"})
    done = await crawl(None, tmp_path, spider=spider, base_url=site.stand_in)
    assert (done.reason, site.asked_live) == ("finished", ["localhost/robots.txt", "localhost/next"])


# --- commands -----------------------------------------------------------------------------------------------------

_MODULE = '''
from outsourcing_spiders.platforms.base import PlatformSpider


class Guarded(PlatformSpider):
    """Projects of a platform that forbids programs."""

    name = "guarded"
    access = "permission"
    home = "{home}"
'''


@pytest.fixture
def project_with(tmp_path: Path) -> Callable[[Site], dict[str, str]]:
    """Return what makes a command know a guarded spider of a site, as environment."""

    def environment(site: Site) -> dict[str, str]:
        (tmp_path / "guarded_spiders.py").write_text(_MODULE.format(home=site.live))
        return {"PYTHONPATH": str(tmp_path), "SCRAPY_PYTHON_SHELL": "python"}

    return environment


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    "arguments",
    [
        ["fetch", "{live}/page"],
        ["fetch", "--spider=guarded", "{live}/page"],
        ["parse", "--spider=guarded", "{live}/page"],
        ["shell", "{live}/page", "-c", "response"],
        ["shell", "--spider=guarded", "-c", "fetch('{live}/page')"],
    ],
    ids=" ".join,
)
async def test_no_command_asks_for_it(
    site: Site, project_with: Callable[[Site], dict[str, str]], scrapy: Run, arguments: list[str]
) -> None:
    command, *rest = (part.format(live=site.live) for part in arguments)
    environment = project_with(site)
    ended = await asyncio.to_thread(
        scrapy, command, "-s", "SPIDER_MODULES=guarded_spiders", "-s", "DOWNLOAD_DELAY=0", *rest, **environment
    )
    assert site.asked_live == []
    assert "guarded is not read without the platform's permission" in ended.stderr


async def test_commands_read_a_stand_in(
    site: Site, project_with: Callable[[Site], dict[str, str]], scrapy: Run
) -> None:
    environment = project_with(site)
    ended = await asyncio.to_thread(
        scrapy, "fetch", "-s", "SPIDER_MODULES=guarded_spiders", "--spider=guarded", f"{site.stand_in}/page",
        **environment,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "<a href=" in ended.stdout


# --- the official API ---------------------------------------------------------------------------------------------


class Official(Guarded):
    """Projects of a platform whose pages are forbidden and whose API is not."""

    name = "official"
    official_addresses = frozenset({"https://api.example.com/", "https://www.example.com/oauth2/token"})


@pytest.mark.parametrize(
    "address",
    ["https://api.example.com/", "https://api.example.com/graphql", "https://api.example.com/v1?page=2",
     "https://www.example.com/oauth2/token"],
)  # fmt: skip
def test_the_official_api_needs_no_permission(address: str) -> None:
    assert missing_permission(Official, address, []) is None
    # Of a spider that declares none, it does.
    assert missing_permission(Guarded, address, []) is not None


@pytest.mark.parametrize(
    "address",
    ["https://www.example.com/", "http://api.example.com/graphql", "https://api.example.com:8443/", "https://example.com",
     "https://api.example.com", "https://api.example.com.www.example.com/", "https://api.example.com@www.example.com/",
     "https://www.example.com/oauth2/token/", "https://www.example.com/oauth2/token/../../jobs",
     "https://www.example.com/oauth2/token?next=/jobs", "https://API.example.com/graphql"],
)  # fmt: skip
def test_what_is_not_written_as_the_official_api_is_needs_permission(address: str) -> None:
    assert missing_permission(Official, address, []) is not None
    assert missing_permission(Official, address, ["official"]) is None

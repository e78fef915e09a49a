"""Redirects: where they may lead, what they may carry, and how a refused one ends a crawl."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import HtmlResponse, Response
from scrapy.settings import Settings

from outsourcing_spiders.middlewares import redirects
from outsourcing_spiders.middlewares.outcomes import Refused
from outsourcing_spiders.outcomes import Outcome, Unreachable

HERE, PUBLIC = "https://www.site.example/a", ip_address("93.184.216.34")
SECRET = "secret-9f8e7d6c"
HEADERS = {
    "Accept": "text/html",
    "Accept-Language": "en",
    "User-Agent": "tests",
    "Authorization": f"Bearer {SECRET}",
    "Cookie": f"session={SECRET}",
    "Freelancer-OAuth-V1": SECRET,
    "X-Of-Tomorrow": SECRET,
    "If-None-Match": '"tag"',
    "Content-Type": "application/json",
    "Referer": HERE,
}
NAMES = {
    "api.site.example": ["93.184.216.34"],
    "both.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "half.example": ["93.184.216.34", "10.0.0.7"],
    "inside.example": ["192.168.1.1"],
    "metadata.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "www.site.example": ["93.184.216.34"],
}


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, port: int) -> list[redirects.IPAddress]:
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [ip_address(address) for address in NAMES[host]]

    monkeypatch.setattr(redirects, "resolve", resolve)


def crawler(**settings: Any) -> Any:
    """Return as much of a crawler as a middleware needs; its spider keeps the outcome."""
    spider = SimpleNamespace(outcome=None)
    spider.end = lambda outcome: setattr(spider, "outcome", outcome)
    return SimpleNamespace(spider=spider, settings=Settings(settings), crawling=False, engine=None)


async def follow(source: Request, location: str, status: int = 302, **settings: Any) -> Request | Response:
    """Return what the middleware makes of a redirect."""
    middleware = redirects.RedirectMiddleware.from_crawler(crawler(**settings))
    return await middleware.process_response(source, Response(source.url, status, headers={"Location": location}))


async def refused(source: Request, location: str, status: int = 302, **settings: Any) -> str:
    """Return the sentence with which a redirect is refused."""
    with pytest.raises(Refused) as raised:
        await follow(source, location, status, **settings)
    assert isinstance(raised.value.outcome, Unreachable)
    return str(raised.value)


def sent(request: Request | Response) -> set[str]:
    """Return the names of the headers that a request carries."""
    assert isinstance(request, Request)
    return {name.decode() for name in request.headers}


# --- what a redirect carries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["/b", "b", "//www.site.example/b", "https://WWW.site.example:443/b", "?page=2"])
async def test_the_same_origin_gets_what_it_got(location: str) -> None:
    redirected = await follow(Request(HERE, headers=HEADERS), location)
    assert sent(redirected) == set(Request(HERE, headers=HEADERS).headers.to_unicode_dict()) - {"Referer"}


@pytest.mark.parametrize(
    ("source", "location"),
    [
        (HERE, "https://api.site.example/a"),
        (HERE, "//api.site.example/a"),
        (HERE, "https://www.site.example:8443/a"),
        (HERE, "https://both.example/"),
        (HERE, "https://8.8.8.8/"),
        (HERE, "https://[2606:2800:220:1::1]/"),
        ("http://www.site.example/a", "https://www.site.example/a"),
        ("http://127.0.0.1:8000/a", "https://api.site.example/a"),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8001/a"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_another_origin_gets_nothing_that_may_be_secret(source: str, location: str, status: int) -> None:
    redirected = await follow(Request(source, headers=HEADERS, cookies={"a": SECRET}), location, status)
    assert sent(redirected) == {"Accept", "Accept-Language", "User-Agent"}
    assert isinstance(redirected, Request)
    assert not redirected.cookies


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_becomes_a_get_without_its_body(status: int) -> None:
    source = Request(HERE, method="POST", body=SECRET, headers=HEADERS)
    redirected = await follow(source, "https://api.site.example/a", status)
    assert isinstance(redirected, Request)
    assert (redirected.method, redirected.body) == ("GET", b"")
    assert sent(redirected) == {"Accept", "Accept-Language", "User-Agent"}


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_goes_to_no_other_origin(status: int) -> None:
    source = Request(HERE, method="POST", body=SECRET)
    said = await refused(source, "https://api.site.example/a", status)
    assert said == (
        f"{HERE} redirects to https://api.site.example/a, which would get the body of a POST: not followed; "
        "try again later"
    )
    same = await follow(source, "/b", status)
    assert isinstance(same, Request)
    assert (same.method, same.body) == ("POST", SECRET.encode())


async def test_the_password_of_a_proxy_goes_to_the_proxy_only() -> None:
    proxied = {"proxy": "http://proxy.example:3128", "_auth_proxy": "http://proxy.example:3128"}
    source = Request(HERE, headers={"Proxy-Authorization": "Basic x", "Cookie": SECRET}, meta=proxied)
    assert sent(await follow(source, "https://api.site.example/")) == {"Proxy-Authorization"}
    # That of the environment is set anew.
    source = Request(HERE, headers={"Proxy-Authorization": "Basic x"}, meta={**proxied, "_scheme_proxy": True})
    redirected = await follow(source, "https://api.site.example/")
    assert sent(redirected) == set()
    assert isinstance(redirected, Request)
    assert not redirected.meta.keys() & {"proxy", "_auth_proxy", "_scheme_proxy"}


# --- where it may lead --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "017700000001",
        "１２７.0.0.1", "127。0。0。1", "0", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254",
        "2852039166", "0xa9fea9fe", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::127.0.0.1]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]",
        "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:db8::1]",
        "inside.example", "half.example", "metadata.example", "mapped.example",
    ],
)  # fmt: skip
async def test_no_address_inside_a_private_network(host: str) -> None:
    assert "inside this or a private network: not followed" in await refused(Request(HERE), f"https://{host}/x")
    # Nor from one stand-in to another.
    await refused(Request("http://127.0.0.2:8000/"), f"http://{host}/x")


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://localhost/", "a name inside this or a private network"),
        ("https://LOCALHOST./", "a name inside this or a private network"),
        ("https://metadata.google.internal/", "a name inside this or a private network"),
        ("https://printer.local/", "a name inside this or a private network"),
        ("https://database:5432/", "a name inside this or a private network"),
        ("https://nowhere.example/", "whose host cannot be found"),
        ("https://1.2.3.4.5/", "whose host is no name and no address"),
        ("https://%31%32%37.0.0.1/", "whose host is no name and no address"),
        ("https://exa mple.com/", "whose host is no name and no address"),
        ("https://api.site.example@both.example/", "which holds a user name"),
        ("http://www.site.example/a", "away from https"),
        ("http://api.site.example/a", "away from https"),
        ("http://127.0.0.1/", "away from https"),
        ("file:///etc/passwd", "which is no web address"),
        ("FILE:/etc/passwd", "which is no web address"),
        ("data:text/html,x", "which is no web address"),
        ("ftp://api.site.example/", "which is no web address"),
        ("javascript:alert(1)", "which is no web address"),
        (" \tjavascript:alert(1)", "which is no web address"),
        ("gopher://127.0.0.1:6379/_x", "which is no web address"),
        ("s3://bucket/key", "which is no web address"),
        ("https://[::1", "an address that cannot be read"),
        ("https://api.site.example:99999/", "an address that cannot be read"),
        ("java\tscript:alert(1)", "an address that cannot be read"),
    ],
)
async def test_refused(location: str, said: str) -> None:
    assert f", {said}: not followed" in await refused(Request(HERE), location)


@pytest.mark.parametrize(
    ("source", "location"),
    [
        ("http://127.0.0.1:8000/a", "/b"),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/b"),
        ("http://localhost:8000/a", "http://localhost:8000/b"),
        # The container of a stand-in.
        ("http://standin:8000/a", "http://standin:8000/b"),
    ],
)
async def test_a_stand_in_may_redirect_to_itself(source: str, location: str) -> None:
    redirected = await follow(Request(source, headers=HEADERS), location)
    assert "Freelancer-Oauth-V1" in sent(redirected)


async def test_a_proxy_resolves_names_itself() -> None:
    source = Request(HERE, meta={"proxy": "http://proxy.example:3128"})
    assert isinstance(await follow(source, "https://nowhere.example/"), Request)
    await refused(source, "https://127.0.0.1/")
    await refused(source, "https://localhost/")


async def test_the_limit_ends_in_a_sentence() -> None:
    source = Request(HERE, meta={"redirect_times": 5, "redirect_ttl": 0, "redirect_urls": ["https://www.site.example"]})
    assert await refused(source, "/b", REDIRECT_MAX_TIMES=5) == (
        f"https://www.site.example was redirected more than 5 times (REDIRECT_MAX_TIMES), at last by {HERE}; "
        "try again later"
    )


async def test_a_refusal_is_the_outcome_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    ours = crawler()
    middleware = redirects.RedirectMiddleware.from_crawler(ours)
    with caplog.at_level(logging.ERROR), pytest.raises(Refused):
        await middleware.process_response(
            Request(HERE), Response(HERE, 302, headers={"Location": "file:/" + "x" * 999})
        )
    assert isinstance(ours.spider.outcome, Unreachable)
    assert [record.getMessage() for record in caplog.records] == [str(ours.spider.outcome)]
    assert len(str(ours.spider.outcome)) < 400


@pytest.mark.parametrize(
    "meta", [{"dont_redirect": True}, {"handle_httpstatus_all": True}, {"handle_httpstatus_list": [302]}]
)
async def test_a_spider_that_wants_the_answer_gets_it(meta: dict[str, Any]) -> None:
    answer = await follow(Request(HERE, meta=meta), "file:///etc/passwd")
    assert isinstance(answer, Response)


@pytest.mark.parametrize(
    "location", ["/login?next=/a", "https://login.inside.example/", "http://www.site.example/sign-in", "users/sign_in"]
)
async def test_what_leads_to_a_login_is_left_to_the_block_guard(location: str) -> None:
    for source in (Request(HERE), Request(f"{HERE}/b", meta={"redirect_urls": [HERE]})):
        found = await follow(source, location)
        assert isinstance(found, Response)
        assert (found.status, found.url) == (302, source.url)


async def test_a_login_page_is_followed_where_it_was_asked_for_or_nobody_guards() -> None:
    login = "https://www.site.example/login"
    assert isinstance(await follow(Request(login), "/login/step"), Request)
    assert isinstance(await follow(Request(HERE, meta={"redirect_urls": [login]}), "/login/step"), Request)
    assert isinstance(await follow(Request(HERE), "/login", BLOCK_GUARD=False), Request)


@pytest.mark.parametrize("status", [200, 300, 304, 305])
async def test_other_answers_pass(status: int) -> None:
    assert isinstance(await follow(Request(HERE), "https://127.0.0.1/", status), Response)


def test_redirects_can_be_turned_off() -> None:
    with pytest.raises(NotConfigured):
        redirects.RedirectMiddleware.from_crawler(crawler(REDIRECT_ENABLED=False))
    with pytest.raises(NotConfigured):
        redirects.MetaRefreshMiddleware.from_crawler(crawler(METAREFRESH_ENABLED=False))


# --- pages that refresh to another --------------------------------------------------------------------------------


async def refresh(url: str, source: Request | None = None, **settings: Any) -> Request | Response:
    """Return what the middleware makes of a page that refreshes to `url`."""
    middleware = redirects.MetaRefreshMiddleware.from_crawler(crawler(**settings))
    page = f'<html><head><meta http-equiv="refresh" content="0; url={url}"></head></html>'
    source = source or Request(HERE, headers=HEADERS)
    return await middleware.process_response(source, HtmlResponse(source.url, body=page.encode(), encoding="utf-8"))


async def test_a_refresh_keeps_to_the_same_rules() -> None:
    assert "Cookie" in sent(await refresh("/b"))
    assert sent(await refresh("https://api.site.example/")) == {"Accept", "Accept-Language", "User-Agent"}
    for url in ("https://127.0.0.1/", "http://www.site.example/", "https://inside.example/"):
        with pytest.raises(Refused):
            await refresh(url)
    with pytest.raises(Refused, match="more than 3 times"):
        await refresh("/b", Request(HERE, meta={"redirect_times": 3}), REDIRECT_MAX_TIMES=3)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "intent://open", "file:///etc/passwd", "ftp://x.example/"])
async def test_a_page_that_refreshes_to_no_web_address_is_read(url: str) -> None:
    assert isinstance(await refresh(url), Response)


# --- who answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "meta", "passes"),
    [
        (PUBLIC, PUBLIC, {}, True),
        (PUBLIC, ip_address("10.0.0.1"), {}, False),
        (PUBLIC, ip_address("::ffff:127.0.0.1"), {}, False),
        (ip_address("10.0.0.1"), ip_address("10.0.0.1"), {}, True),
        (None, ip_address("10.0.0.1"), {}, True),
        (PUBLIC, None, {}, True),
        (PUBLIC, ip_address("10.0.0.1"), {"proxy": "http://proxy:3128"}, True),
    ],
)
async def test_a_public_host_answers_from_public_addresses(
    first: Any, second: Any, meta: dict[str, Any], passes: bool
) -> None:
    middleware = redirects.RedirectMiddleware.from_crawler(crawler())
    await middleware.process_response(Request(HERE), Response(HERE, ip_address=first))
    answer = Response(HERE, body=b"inside", ip_address=second)
    if passes:
        assert await middleware.process_response(Request(HERE, meta=meta), answer) is answer
        return
    with pytest.raises(Refused, match=r"www\.site\.example answered from .*, inside this or a private network"):
        await middleware.process_response(Request(HERE, meta=meta), answer)


# --- whole crawls -------------------------------------------------------------------------------------------------

Handler = Callable[[web.Request], web.StreamResponse]


@asynccontextmanager
async def server(answer: Handler) -> AsyncIterator[tuple[int, list[web.BaseRequest]]]:
    """Serve on a free port of 127.0.0.1; yields the port and what was asked."""
    asked: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        return answer(request)  # type: ignore[arg-type]

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


def to(location: str, status: int = 302) -> Handler:
    """Answer with a redirect."""
    return lambda request: web.Response(status=status, headers={"Location": location})


class OneRequest(Spider):
    """Asks for one page and keeps the answer."""

    name = "one"
    url = ""
    outcome: Outcome | None = None
    answer: Response | None = None
    failure: Any = None

    def end(self, outcome: Outcome) -> None:
        """Keep the first."""
        self.outcome = self.outcome or outcome

    async def start(self) -> AsyncIterator[Request]:
        """The one request."""
        yield Request(self.url, headers=HEADERS, errback=self.failed)

    def parse(self, response: Response) -> None:
        """Keep the answer."""
        self.answer = response

    def failed(self, failure: Any) -> None:
        """Keep the failure."""
        self.failure = failure.value


async def crawl(url: str, **settings: Any) -> tuple[Crawler, Any]:
    """Crawl one page to the end."""
    ours = {
        "TWISTED_REACTOR_ENABLED": False,
        "DOWNLOAD_HANDLERS": {"https": None},
        "REMOTE_CONTROL_ENABLED": False,
        "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False,
        "REDIRECT_MAX_TIMES": 5,
        "DOWNLOADER_MIDDLEWARES": {
            "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
            "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware": None,
            "outsourcing_spiders.middlewares.redirects.RedirectMiddleware": 600,
            "outsourcing_spiders.middlewares.redirects.MetaRefreshMiddleware": 580,
        },
    }
    runner = AsyncCrawlerRunner(Settings(ours | settings))
    crawler = runner.create_crawler(OneRequest)
    async with asyncio.timeout(20):
        await runner.crawl(crawler, url=url)
    return crawler, crawler.spider


async def test_a_crawl_follows_to_another_port_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        server(lambda request: web.Response(text="there")) as (there, asked_there),
        server(to(f"http://127.0.0.1:{there}/x")) as (here, asked_here),
    ):
        crawler, spider = await crawl(f"http://127.0.0.1:{here}/")
    assert (spider.answer.text, spider.outcome) == ("there", None)
    assert asked_here[0].headers["Freelancer-OAuth-V1"] == SECRET
    assert SECRET not in str(asked_there[0].raw_headers)
    # Scrapy's middleware complains when RefererMiddleware is off.
    assert "Referer" not in caplog.text
    assert crawler.stats.get_value("finish_reason") == "finished"


@pytest.mark.parametrize("target", ["http://localhost:{}/", "http://127.0.0.2:{}/", "http://2130706433:{}/", "file:/x"])
async def test_a_refused_redirect_ends_the_crawl(target: str) -> None:
    async with server(lambda request: web.Response(text="inside")) as (inside, asked_inside):
        if target.startswith("http://2130706433"):
            # The same machine; but no other spelling is taken for the same host.
            assert redirects.literal_address("2130706433") == ip_address("127.0.0.1")
        async with server(to(target.format(inside))) as (here, _):
            crawler, spider = await crawl(f"http://127.0.0.1:{here}/")
    assert asked_inside == []
    assert spider.answer is None
    assert isinstance(spider.failure, Refused)
    assert isinstance(spider.outcome, Unreachable)
    assert crawler.stats.get_value("finish_reason") == "unreachable"


async def test_a_redirect_without_end_ends_the_crawl() -> None:
    async with server(lambda request: to(f"{request.path}x")(request)) as (here, asked):
        crawler, spider = await crawl(f"http://127.0.0.1:{here}/")
    assert len(asked) == 6
    assert "was redirected more than 5 times (REDIRECT_MAX_TIMES)" in str(spider.outcome)
    assert crawler.stats.get_value("finish_reason") == "unreachable"


async def test_a_redirect_in_a_circle_ends_the_crawl() -> None:
    async with server(lambda request: to("/b" if request.path == "/" else "/")(request)) as (here, asked):
        crawler, spider = await crawl(f"http://127.0.0.1:{here}/")
    assert len(asked) == 2
    assert f"redirects to http://127.0.0.1:{here}/, in a circle: not followed" in str(spider.outcome)
    assert crawler.stats.get_value("finish_reason") == "unreachable"


async def test_the_answer_of_a_name_that_changed_its_address_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when the redirect is checked, this machine when it is followed."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def rebound(host: Any, port: Any, **options: Any) -> Any:
        return await resolve("127.0.0.1" if host == "api.site.example" else host, port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", rebound)
    async with (
        server(lambda request: web.Response(text="inside")) as (inside, asked_inside),
        server(to(f"http://api.site.example:{inside}/x")) as (here, _),
    ):
        crawler, spider = await crawl(f"http://127.0.0.1:{here}/")
    assert spider.answer is None
    assert "api.site.example answered from 127.0.0.1" in str(spider.outcome)
    # It was asked; what it got is nothing that could be used.
    assert [request.method for request in asked_inside] == ["GET"]
    assert SECRET not in str(asked_inside[0].raw_headers)
    assert crawler.stats.get_value("finish_reason") == "unreachable"


async def test_names_are_resolved_by_the_running_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert ip_address("127.0.0.1") in await redirects.resolve("localhost", 80)


async def test_a_name_server_that_is_silent_does_not_hold_the_crawl_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    async def silent(*arguments: Any, **options: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent)
    monkeypatch.setattr(redirects, "_RESOLVE_SECONDS", 0.05)
    async with asyncio.timeout(10):
        assert "whose host cannot be found" in await refused(Request(HERE), "https://api.site.example/")

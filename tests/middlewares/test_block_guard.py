"""Which answers reach a spider, how the others end a crawl, and what is kept of them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from _crawls import Crawl, crawl, fetch, project_settings, runs
from aiohttp import web
from platforms_standins.freelancer import FreelancerStandIn
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from twisted.python.failure import Failure

from outsourcing_spiders.middlewares.block_guard import BlockGuardMiddleware, Withheld, flaw_of
from outsourcing_spiders.middlewares.outcomes import GivenUp, Refused
from outsourcing_spiders.platforms.base import PlatformSpider

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
MARKER = "window.projects="
GOOD = f"<!DOCTYPE html><html><head><title>Jobs</title></head><body><script>{MARKER}[]</script></body></html>"
OTHER = GOOD.replace(MARKER, "window.jobs=")
CHALLENGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><form action='/?__cf_chl_f_tk=x'></form>"
    "</body></html>"
)
INCAPSULA = '<html><body><iframe src="/_Incapsula_Resource?x">Incident</iframe></body></html>'
JSON = {"Accept": "application/json, text/plain"}


@dataclass
class Answer:
    """What a path of the site answers: the first of `bodies`, then the next, the last one again and again."""

    bodies: list[str]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Site:
    """Answers on the loopback interface as it is told; `asked` has the paths that were asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    async def __aenter__(self) -> Site:
        self._runner = web.ServerRunner(web.Server(self._handle), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request.path)
        answer = self.answers.get(request.path, Answer(["nothing here"], 404))
        body = answer.bodies.pop(0) if len(answer.bodies) > 1 else answer.bodies[0]
        headers = {"Content-Type": "text/html; charset=utf-8", **answer.headers}
        data = body.encode()
        if answer.headers.get("Content-Encoding") == "gzip":
            data = gzip.compress(data)
        return web.Response(body=data, status=answer.status, headers=headers)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A site without pages."""
    async with Site() as site:
        yield site


class Pages(PlatformSpider):
    """Asks for one page, or one after the other."""

    name = "pages"
    paths: ClassVar[tuple[str, ...]] = ("page",)
    access: ClassVar[Literal["api", "public", "permission"]] = "public"
    home = "https://www.example.com"
    marker: ClassVar[str | tuple[str, ...] | None] = MARKER
    headers: ClassVar[dict[str, str]] = {}
    meta: ClassVar[dict[str, Any]] = {"handle_httpstatus_all": True}
    read: list[Response]
    failed: list[BaseException]

    async def start(self) -> AsyncIterator[Request]:
        self.read, self.failed = [], []
        meta = {**self.meta, "marker": self.marker} if self.marker else dict(self.meta)
        for number, path in enumerate(self.paths):
            asked = Request(self.absolute(path), headers=self.headers, meta=meta, errback=self.fail, dont_filter=True)
            yield asked.replace(priority=-number)

    def parse(self, response: Response) -> None:
        self.read.append(response)

    def fail(self, failure: Failure) -> None:
        self.failed.append(failure.value)


async def read_page(
    site: Site,
    folder: Path,
    *,
    marker: Any = MARKER,
    headers: dict[str, str] | None = None,
    meta: dict[str, Any] | None = None,
    paths: tuple[str, ...] = ("page",),
    database_url: str | None = None,
    **settings: Any,
) -> tuple[Crawl, Pages]:
    """Crawl the path ``/page`` of a site, or others."""
    meta = {"handle_httpstatus_all": True, **(meta or {})}
    told = {"marker": marker, "headers": headers or {}, "meta": meta, "paths": paths}
    spider: Any = type("OnePage", (Pages,), told)
    done = await crawl(database_url, folder, spider=spider, base_url=site.base_url, settings=settings)
    found: Any = done.crawler.spider
    return done, found


def guard() -> BlockGuardMiddleware:
    """Return one without a crawl."""
    return BlockGuardMiddleware.from_crawler(Crawler(Pages, project_settings()))


PASSES: list[tuple[str, Answer, dict[str, Any]]] = [
    ("a good page", Answer([GOOD]), {}),
    ("a good page of many kinds", Answer([GOOD]), {"marker": ("nothing", MARKER)}),
    ("a good page behind a service", Answer([GOOD], headers={"Server": "cloudflare", "X-Iinfo": "1"}), {}),
    ("a good page, compressed", Answer([GOOD], headers={"Content-Encoding": "gzip"}), {}),
    ("a page of which nothing is known", Answer([OTHER]), {"marker": None}),
    ("JSON", Answer(['{"rows":[]}']), {"marker": None, "headers": JSON}),
    ("an error in JSON", Answer(['{"code":"FORBIDDEN"}'], 403), {"marker": None, "headers": JSON}),
    ("a wish for a token in JSON", Answer(['{"code":"NOT_AUTHENTICATED"}'], 401), {"marker": None, "headers": JSON}),
    ("not found", Answer([OTHER], 404), {}),
    ("gone", Answer([OTHER], 410), {}),
    ("an error", Answer([OTHER], 500), {"meta": {"dont_retry": True}}),
    ("a redirect that is not followed", Answer([""], 302, {"Location": "/x"}), {"meta": {"dont_redirect": True}}),
]


@pytest.mark.parametrize(("answer", "options"), [case[1:] for case in PASSES], ids=[case[0] for case in PASSES])
async def test_what_is_good_or_the_platforms_own_reaches_the_spider(
    answer: Answer, options: dict[str, Any], site: Site, tmp_path: Path
) -> None:
    site.answers["/page"] = answer
    done, spider = await read_page(site, tmp_path, **options)
    assert (done.reason, done.outcome) == ("finished", None)
    assert [response.status for response in spider.read] == [answer.status]
    assert spider.failed == []
    assert done.errors == []


ENDS: list[tuple[str, Answer, dict[str, Any], str, str]] = [
    ("403", Answer([OTHER], 403), {}, "blocked", "it refuses us (the status 403); wait"),
    (
        "a challenge", Answer([CHALLENGE], 403, {"cf-mitigated": "challenge"}), {}, "blocked",
        "Cloudflare keeps programs out (the header cf-mitigated: challenge); wait",
    ),
    ("a challenge with 503", Answer([CHALLENGE], 503, {"Retry-After": "5"}), {}, "blocked", "Cloudflare keeps"),
    ("a challenge with 429", Answer([CHALLENGE], 429, {"Retry-After": "5"}), {}, "blocked", "Cloudflare keeps"),
    ("a challenge with 200", Answer([INCAPSULA]), {}, "blocked", "Imperva Incapsula keeps"),
    ("a challenge, nothing known", Answer([INCAPSULA]), {"marker": None}, "blocked", "Imperva Incapsula keeps"),
    (
        "a challenge, compressed", Answer([INCAPSULA], headers={"Content-Encoding": "gzip"}), {}, "blocked",
        "Imperva Incapsula keeps",
    ),
    ("a challenge that reloads", Answer(
        [CHALLENGE.replace("</head>", "<meta http-equiv='refresh' content='0; url=/page'></head>")]
    ), {}, "blocked", "Cloudflare keeps"),
    ("HTML for JSON", Answer([OTHER]), {"marker": None, "headers": JSON}, "blocked", "a page where JSON was asked for"),
    ("401", Answer([OTHER], 401), {}, "login_required", "it wants a login (the status 401); check the token"),
    (
        "a redirect to a login", Answer([""], 302, {"Location": "/login?goto=/page"}),
        {"meta": {"handle_httpstatus_all": False}}, "login_required", "/login?goto=/page); check the token",
    ),
    (
        "a redirect that is not followed", Answer([""], 302, {"Location": "/login"}),
        {"meta": {"dont_redirect": True}}, "login_required", "(a redirect to http://",
    ),
    ("another layout", Answer([OTHER]), {}, "layout_changed", "(it holds no 'window.projects='); the spider needs"),
    ("nothing", Answer([""]), {}, "layout_changed", "(the body is empty)"),
    ("no JSON", Answer(['{"a":1,,"b":2}']), {"marker": None, "headers": JSON}, "layout_changed", "(it is no JSON)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "options", "reason", "said"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS]
)
async def test_what_is_not_what_was_asked_for_ends_the_crawl(
    answer: Answer, options: dict[str, Any], reason: str, said: str, site: Site, tmp_path: Path
) -> None:
    site.answers["/page"] = answer
    site.answers["/login"] = Answer(["<html>Log in</html>"])
    done, spider = await read_page(site, tmp_path, **options)
    assert (done.reason, done.outcome.reason) == (reason, reason)
    message = str(done.outcome)
    assert said in message
    assert message.startswith(site.base_url)
    assert "\n" not in message
    assert spider.read == []
    # The spider's errback gets what ended the crawl.
    assert [type(error) for error in spider.failed] == [Refused]
    assert spider.failed[0].outcome is done.outcome  # type: ignore[attr-defined]
    # Once, and not asked again; nor is a login page.
    assert [line.split(": ", 1)[1] for line in done.errors] == [message]
    assert site.asked == ["/robots.txt", "/page"]
    assert not [line for line in done.log if "Traceback" in line]


CUT = GOOD.partition(MARKER)[0]


@pytest.mark.parametrize(
    ("whole", "cut", "options"),
    [
        (GOOD, CUT, {}),
        (GOOD, CUT + MARKER, {}),
        ('{"rows":[]}', '{"rows":[', {"marker": None, "headers": JSON}),
        ('{"rows":[]}', '{"rows":[', {"marker": '"rows"', "headers": JSON}),
    ],
    ids=["page", "page with its mark", "JSON", "JSON with its mark"],
)
async def test_what_was_cut_off_is_asked_for_again(
    whole: str, cut: str, options: dict[str, Any], site: Site, tmp_path: Path
) -> None:
    site.answers["/page"] = Answer([cut, cut, whole])
    done, spider = await read_page(site, tmp_path, **options)
    assert (done.reason, len(spider.read), site.asked.count("/page")) == ("finished", 1, 3)
    site.asked.clear()
    site.answers["/page"] = Answer([cut])
    done, spider = await read_page(site, tmp_path, **options)
    assert (done.reason, spider.read, site.asked.count("/page")) == ("unreachable", [], 3)
    assert "cut off" in str(done.outcome)
    assert [line.split(": ", 1)[1] for line in done.errors] == [str(done.outcome)]
    site.asked.clear()
    done, spider = await read_page(site, tmp_path, meta={"dont_retry": True}, **options)
    assert (done.reason, spider.read, site.asked.count("/page")) == ("unreachable", [], 1)


@pytest.mark.parametrize(
    ("answer", "flaw", "asked"),
    [
        (Answer([OTHER]), "it holds no 'window.projects='", 2),
        (Answer([""]), "the body is empty", 2),
        (Answer([OTHER.replace("<title>", "<meta http-equiv='refresh' content='0; url=/gone'><title>")]),
         "it holds no 'window.projects='", 2),
        (Answer([GOOD]), None, 1),
    ],
    ids=["another layout", "nothing", "led on", "good"],
)  # fmt: skip
async def test_a_project_page_that_cannot_be_read_is_left_to_the_spider(
    answer: Answer, flaw: str | None, asked: int, site: Site, tmp_path: Path
) -> None:
    site.answers["/page"] = answer
    done, spider = await read_page(site, tmp_path, meta={"detail_page": True})
    assert (done.reason, done.outcome, done.errors) == ("finished", None, [])
    assert list(map(flaw_of, spider.read)) == [flaw]
    assert site.asked == ["/robots.txt"] + ["/page"] * asked


async def test_a_project_page_that_is_cut_off_each_time_is_one_that_cannot_be_had(site: Site, tmp_path: Path) -> None:
    site.answers["/page"] = Answer([CUT + MARKER])
    done, spider = await read_page(site, tmp_path, meta={"detail_page": True})
    assert (done.reason, done.outcome, spider.read) == ("finished", None, [])
    assert site.asked == ["/robots.txt"] + ["/page"] * 3


@pytest.mark.parametrize(
    "answer",
    [Answer([CHALLENGE], 403), Answer([INCAPSULA]), Answer([OTHER], 403, {"X-Datadome": "protected"})],
    ids=["challenge", "challenge with 200", "403 of a service"],
)
async def test_a_service_that_keeps_programs_out_of_a_project_page_ends_the_crawl(
    answer: Answer, site: Site, tmp_path: Path
) -> None:
    site.answers["/page"] = answer
    done, spider = await read_page(site, tmp_path, meta={"detail_page": True})
    assert (done.reason, spider.read) == ("blocked", [])


WITHHELD = pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (Answer([OTHER], 403), "blocked", "403: it refuses us (the status 403)"),
        (Answer([OTHER], 401), "login_required", "401: it wants a login (the status 401)"),
        (Answer([""], 302, {"Location": "/login?goto=/page"}), "login_required", "302: it wants a login (a redirect"),
    ],
    ids=["403", "401", "login"],
)


@WITHHELD
async def test_project_pages_that_are_withheld_end_no_crawl(
    answer: Answer, reason: str, said: str, site: Site, tmp_path: Path
) -> None:
    site.answers |= {"/page": answer, "/good": Answer([GOOD])}
    paths = ("page",) * 4 + ("good",) + ("page",) * 4
    done, spider = await read_page(site, tmp_path, meta={"detail_page": True}, paths=paths)
    assert (done.reason, done.outcome, done.errors, len(spider.read)) == ("finished", None, [], 1)
    assert [type(error) for error in spider.failed] == [Withheld] * 8
    assert all(f"/page answered {said}" in str(error) for error in spider.failed)
    # None of them is asked for again, and no login page.
    assert site.asked == ["/robots.txt", *(f"/{path}" for path in paths)]


@ONE_SERVER
@WITHHELD
async def test_the_fifth_project_page_in_a_row_that_is_withheld_ends_the_crawl(
    answer: Answer, reason: str, said: str, site: Site, database_url: str, tmp_path: Path
) -> None:
    site.answers["/page"] = answer
    done, spider = await read_page(
        site, tmp_path, meta={"detail_page": True}, paths=("page",) * 6, database_url=database_url
    )
    assert (done.reason, site.asked.count("/page")) == (reason, 5)
    assert f"/page answered {said}" in str(done.outcome)
    # The sixth was never sent.
    assert [type(error) for error in spider.failed] == [Withheld] * 4 + [Refused, GivenUp]
    (kept,) = await fetch(database_url, "SELECT reason, status FROM kept_pages")
    assert (kept["reason"], kept["status"]) == (reason, answer.status)


async def test_switched_off_it_only_warns(site: Site, tmp_path: Path) -> None:
    for answer in (Answer([CHALLENGE], 403), Answer([OTHER]), Answer([CUT])):
        site.answers["/page"] = answer
        done, spider = await read_page(site, tmp_path, BLOCK_GUARD=False)
        assert (done.reason, done.outcome) == ("finished", None)
        assert len(spider.read) == 1
        (warning,) = [line for line in done.log if line.startswith("WARNING") and "block_guard" in line]
        assert f"{site.base_url}/page answered {answer.status}" in warning


async def test_switched_off_a_login_page_is_shown(site: Site, tmp_path: Path) -> None:
    site.answers["/page"] = Answer([""], 302, {"Location": "/login"})
    site.answers["/login"] = Answer(["<html>Log in</html>"])
    _, spider = await read_page(site, tmp_path, meta={"handle_httpstatus_all": False}, BLOCK_GUARD=False)
    assert [response.url for response in spider.read] == [f"{site.base_url}/login"]


async def test_robots_txt_is_left_to_its_own_rules(site: Site, tmp_path: Path) -> None:
    site.answers["/robots.txt"] = Answer([CHALLENGE], 403, {"cf-mitigated": "challenge"})
    site.answers["/page"] = Answer([GOOD])
    done, spider = await read_page(site, tmp_path, ROBOTSTXT_OBEY=True)
    assert site.asked == ["/robots.txt", "/page"]
    assert (done.reason, len(spider.read)) == ("finished", 1)
    response = Response(f"{site.base_url}/robots.txt", status=403, headers={"cf-mitigated": "challenge"})
    assert await guard().process_response(Request(response.url, callback=NO_CALLBACK), response) is response


@pytest.mark.parametrize(("status", "headers"), [(429, {}), (429, {"Retry-After": "9"}), (503, {"Retry-After": "9"})])
@pytest.mark.parametrize("asked", [{}, JSON], ids=["page", "JSON"])
async def test_a_rate_limit_is_left_to_the_pace(status: int, headers: dict[str, str], asked: dict[str, str]) -> None:
    request = Request("https://www.example.com/page", headers=asked, meta={"marker": MARKER})
    response = Response(request.url, status=status, headers=headers, body=OTHER.encode())
    assert await guard().process_response(request, response) is response


def test_it_looks_before_a_retry_and_after_decompression() -> None:
    settings = project_settings()
    orders = {
        path.rpartition(".")[2]: order
        for path, order in settings.get_component_priority_dict_with_base("DOWNLOADER_MIDDLEWARES").items()
        for path in [path if isinstance(path, str) else f"{path.__module__}.{path.__name__}"]
    }
    names = ("HttpCompressionMiddleware", "BlockGuardMiddleware", "MetaRefreshMiddleware", RetryMiddleware.__name__)
    assert sorted(names, key=orders.__getitem__, reverse=True) == list(names)


# --- what is kept -------------------------------------------------------------------------------------------------


@ONE_SERVER
@pytest.mark.parametrize(
    ("answer", "reason", "finding"),
    [
        (
            Answer([CHALLENGE], 403, {"cf-mitigated": "challenge", "Set-Cookie": "secret=1"}), "blocked",
            "Cloudflare: the header cf-mitigated: challenge",
        ),
        (Answer([OTHER]), "layout_changed", "it holds no 'window.projects='"),
        (Answer([CUT]), "unreachable", "a page without its end"),
        (Answer(["<html>ü</html>"], 401), "login_required", "the status 401"),
    ],
    ids=["blocked", "layout", "cut", "login"],
)  # fmt: skip
async def test_the_page_that_ended_the_crawl_is_kept(
    answer: Answer, reason: str, finding: str, site: Site, database_url: str, tmp_path: Path
) -> None:
    site.answers["/page"] = answer
    done, _ = await read_page(site, tmp_path, database_url=database_url)
    (run,) = await runs(database_url)
    assert (run["reason"], run["stats"]["message"]) == (reason, str(done.outcome))
    (kept,) = await fetch(database_url, "SELECT * FROM kept_pages")
    assert (kept["run_id"], kept["spider"], kept["url"]) == (run["id"], "pages", f"{site.base_url}/page")
    assert (kept["status"], kept["reason"], kept["finding"]) == (answer.status, reason, finding)
    body = answer.bodies[0].encode()
    assert (gzip.decompress(kept["body"]), kept["body_size"]) == (body, len(body))
    assert kept["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert "secret" not in str(kept["headers"])


@ONE_SERVER
async def test_a_page_that_passes_is_not_kept(site: Site, database_url: str, tmp_path: Path) -> None:
    for answer in (Answer([GOOD]), Answer([OTHER], 404)):
        site.answers["/page"] = answer
        await read_page(site, tmp_path, database_url=database_url)
    assert await fetch(database_url, "SELECT * FROM kept_pages") == []


@ONE_SERVER
@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("challenge", {}, "blocked"),
        ("challenge", {"status": 200}, "blocked"),
        ("challenge", {"status": 503}, "blocked"),
        ("incapsula", {}, "blocked"),
        ("perimeterx", {"status": 200}, "blocked"),
        ("datadome", {}, "blocked"),
        ("forbidden", {}, "blocked"),
        ("login", {}, "login_required"),
    ],
    ids=str,
)
async def test_an_api_that_turns_away_is_left_alone(
    kind: str, options: dict[str, Any], reason: str, database_url: str, tmp_path: Path
) -> None:
    async with FreelancerStandIn(280, odd_rows=False, short_pages=False) as site:
        # Three pages are asked for at once when the listing is as long as this.
        site.fail(kind, after=1, **options)
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert (done.reason, done.outcome.reason) == (reason, reason)
    assert 2 <= len(site.requests) <= 4
    (run,) = await runs(database_url)
    assert (run["reason"], run["stats"]["message"]) == (reason, str(done.outcome))
    kept = await fetch(database_url, "SELECT reason, status FROM kept_pages")
    assert [page["reason"] for page in kept] == [reason]

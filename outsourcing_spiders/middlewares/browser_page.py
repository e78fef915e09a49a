"""One page of the browser: what it may load, what it sends, and reading what it shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self
from urllib.parse import urldefrag, urlsplit

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError
from scrapy import Request
from scrapy.exceptions import DownloadCancelledError, DownloadFailedError, IgnoreRequest, NotSupported
from scrapy.http import Headers, HtmlResponse

from outsourcing_spiders.middlewares.rendering import Limits, Rendering, Rules

_NEVER_LOADED = ("Image", "Font", "Media", "Ping", "CSPViolationReport")
# Documents are looked at on their way out and back; the rest on its way out. Launch arguments keep images and
# fonts from being asked for at all, but not in a browser that somebody else started.
_WATCHED = [
    {"resourceType": "Document", "requestStage": "Request"},
    {"resourceType": "Document", "requestStage": "Response"},
    *({"resourceType": kind, "requestStage": "Request"} for kind in (*_NEVER_LOADED, "Other")),
]
_STYLESHEETS = {"resourceType": "Stylesheet", "requestStage": "Request"}
# The browser's own: how it connects, what it can unpack. The user agent is set for all that the page asks for.
_NEVER_SENT = frozenset(
    ("host", "connection", "content-length", "accept-encoding", "user-agent", "proxy-authorization")
)
# What another origin may see of the request's headers after a redirect.
_NEGOTIATION = frozenset(("accept", "accept-language"))
# Of the body that the browser has unpacked, and scripts have changed since.
_OF_THE_WIRE = frozenset(("content-encoding", "content-length", "transfer-encoding"))
_STATE = "indexeddb,cache_storage,file_systems,shared_storage,storage_buckets"
# How long a page that was read may wait for the next one before it is left: leaving costs a fifth of a page.
_REST_SECONDS, _LEAVE_SECONDS = 0.1, 2.0
_CLOSE_SECONDS = 1.0
_NOT_MODIFIED = 304
_ENDED_BY_NAVIGATION = ("context was destroyed", "Cannot find context", "navigated or closed", "Cannot find default")

# What a page left in the tab would change what the next one shows. Cookies stay, as they do in a browser.
_FORGET = "if (window === top) try { window.name = ''; sessionStorage.clear(); localStorage.clear() } catch {}"
# Waits inside the page: no polling, and one message brings the page. In a world of its own, where the page's
# scripts cannot replace what it uses.
_READ = """(async (selector, patience, limit) => {
  const navigation = () => performance.getEntriesByType("navigation")[0];
  const loaded = () => document.readyState === "complete" || navigation()?.domContentLoadedEventEnd > 0;
  const ready = () => loaded() && (selector === null || document.querySelector(selector) !== null);
  if (selector !== null) document.querySelector(selector);
  if (!ready()) await new Promise((resolve) => {
    const look = () => { if (ready()) { observer.disconnect(); resolve(); } };
    const observer = new MutationObserver(look);
    observer.observe(document, {childList: true, subtree: true, attributes: true});
    document.addEventListener("DOMContentLoaded", () => setTimeout(look));
    window.addEventListener("load", look);
    setTimeout(() => { observer.disconnect(); resolve(); }, patience);
  });
  const doctype = document.doctype ? new XMLSerializer().serializeToString(document.doctype) + "\\n" : "";
  const html = doctype + (document.documentElement?.outerHTML ?? "");
  const fits = html.length <= limit;
  return {url: navigation()?.name ?? location.href, length: html.length, html: fits ? html : null,
          broken: location.protocol === "chrome-error:",
          found: selector === null || document.querySelector(selector) !== null};
})(%s, %d, %d)"""


@dataclass(slots=True)
class _Answer:
    url: str
    status: int
    headers: list[dict[str, str]]


@dataclass(slots=True)
class _Visit:
    """What is known of the page that is being rendered."""

    request: Request
    is_public: bool
    limits: Limits
    answers: list[_Answer] = field(default_factory=list)
    redirects: list[_Answer] = field(default_factory=list)
    refused: asyncio.Future[Exception] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def refuse(self, problem: Exception) -> None:
        """Let the page be given up for the first problem of its documents."""
        if not self.refused.done():
            self.refused.set_result(problem)


class BrowserPage:
    """A page in a context of its own, used again and again: a new one takes longer than most pages do.

    After an error, and when it has crashed, it must be closed.
    """

    def __init__(self, context: BrowserContext, page: Page, session: CDPSession, rules: Rules) -> None:
        self.context = context
        self.renders = 0
        self._page = page
        self._session = session
        self._rules = rules
        self._frame = ""
        self._resting: asyncio.Future[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._visit: _Visit | None = None
        self._stylesheets: bool | None = None
        self._agent = ""
        self._failed = False
        self._tasks: set[asyncio.Future[Any]] = set()

    @classmethod
    async def open(cls, context: BrowserContext, rules: Rules) -> Self:
        """Open a page in `context`."""
        page = await context.new_page()
        opened = cls(context, page, await context.new_cdp_session(page), rules)
        tree = await opened._session.send("Page.getFrameTree")
        opened._frame = tree["frameTree"]["frame"]["id"]
        opened._session.on("Fetch.requestPaused", opened._on_paused)
        # Else no script runs in new documents.
        await opened._session.send("Page.enable")
        page.on("crash", opened._on_crash)
        context.on("page", opened._on_popup)
        return opened

    async def is_usable(self) -> bool:
        """Tell whether another page can be shown in it, once it has left the one before."""
        if self._soon is not None:
            self._soon.cancel()
        if self._resting is not None:
            await self._resting
            self._resting = None
        browser = self.context.browser
        return not self._failed and not self._page.is_closed() and browser is not None and browser.is_connected()

    async def render(self, request: Request, rendering: Rendering, limits: Limits) -> HtmlResponse:
        """Show the page and return its HTML, with the status, the headers and the address of its answer.

        A page that does not show ``wait_for`` in time is returned as it is: a challenge never shows it, and is
        to be seen as one. So is, at once, a page that came with an error status.
        Raises Playwright's errors; `IgnoreRequest` for a redirect to a private address; `NotSupported` for what
        is no page; `DownloadCancelledError` for one that is too large.
        """
        is_public = not await self._rules.addresses.is_private(request.url)
        visit = self._visit = _Visit(request, is_public, limits)
        self.renders += 1
        started = monotonic()
        forgetting = await self._prepare(request, rendering)
        try:
            await self._page.goto(request.url, wait_until="commit", timeout=limits.navigation * 1000)
        except PlaywrightError as error:
            if visit.refused.done():
                raise visit.refused.result() from None
            # An error status without a body: the browser would show a page of its own making. Nor does it show
            # anything for "not modified", which the request's own headers brought about.
            is_bodiless = "ERR_HTTP_RESPONSE_CODE_FAILURE" in error.message
            if visit.answers and (is_bodiless or visit.answers[-1].status == _NOT_MODIFIED):
                return self._respond(visit, visit.answers[-1], "", started)
            is_aborted = "ERR_ABORTED" in error.message and not self._failed and _is_no_page(visit.answers)
            if is_aborted or "Download is starting" in error.message:
                raise NotSupported(f"{request.url} is no page: a download, or nothing") from None
            raise
        # For the first document only: what a page leaves for the one it leads to is part of the page.
        self._later(self._session.send("Page.removeScriptToEvaluateOnNewDocument", forgetting))
        read = await self._read(visit, rendering.wait_for)
        if read["html"] is None:
            raise DownloadCancelledError(
                f"{request.url} is too large: {read['length']} characters, DOWNLOAD_MAXSIZE is {limits.size}"
            )
        # Another document may have arrived since, which the page leads to.
        shown = [answer for answer in visit.answers if answer.url == urldefrag(read["url"]).url]
        response = self._respond(visit, (shown or visit.answers)[-1], read["html"], started)
        if not read["found"]:
            response.flags.append("wait_for_missing")
        return response

    async def _prepare(self, request: Request, rendering: Rendering) -> dict[str, Any]:
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(request.url))
        # None depends on another, and all are done before the page is asked for.
        work = [
            self._session.send("Page.addScriptToEvaluateOnNewDocument", {"source": _FORGET, "worldName": "reader"}),
            self._session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": _STATE}),
        ]
        if rendering.stylesheets is not self._stylesheets:
            watched = [*_WATCHED, *_of_hosts(self._rules.blocked_hosts)]
            if not rendering.stylesheets:
                watched.append(_STYLESHEETS)
            work.append(self._session.send("Fetch.enable", {"patterns": watched}))
            self._stylesheets = rendering.stylesheets
        agent = (request.headers.get("User-Agent") or b"").decode("latin-1")
        if agent and agent != self._agent:
            # Not Playwright's option for contexts: that one also claims to be a browser on Windows.
            work.append(self._session.send("Emulation.setUserAgentOverride", {"userAgent": agent}))
            self._agent = agent
        forgetting: dict[str, Any] = (await asyncio.gather(*work))[0]
        return forgetting

    def rest(self) -> None:
        """Leave the page soon unless it is wanted again: its scripts would go on asking the platform for more."""

        def leave() -> None:
            self._resting = asyncio.ensure_future(self._leave())

        self._soon = asyncio.get_running_loop().call_later(_REST_SECONDS, leave)

    async def _leave(self) -> None:
        try:
            # A driver that was killed does not even tell of its own timeouts.
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._page.goto("about:blank", wait_until="commit", timeout=0)
        except (PlaywrightError, TimeoutError):
            self._failed = True

    async def close(self) -> None:
        """Close the page and its context."""
        if self._soon is not None:
            self._soon.cancel()
        if not self._page.is_closed():
            # What is held when the session ends goes out after all: an icon, a beacon.
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._leave_nothing_held()
        await self.context.close()

    async def _leave_nothing_held(self) -> None:
        await (self._resting or self._leave())
        # What the page still asked for has been told of when the answer to this is here.
        await _quietly(self._session.send("Page.getFrameTree"))
        await asyncio.gather(*self._tasks)

    async def _read(self, visit: _Visit, selector: str | None) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + visit.limits.selector
        while True:
            # A refusal of the platform has no rows to wait for.
            awaited = selector if not visit.answers or visit.answers[-1].status < 400 else None
            patience = max(0.0, deadline - loop.time()) * 1000
            script = _READ % (json.dumps(awaited), patience, visit.limits.size or 2**53)
            reading = asyncio.ensure_future(self._evaluate(script))
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                await asyncio.wait((reading, visit.refused), return_when=asyncio.FIRST_COMPLETED)
                if visit.refused.done():
                    # What the browser shows instead is of its own making, and may never be ready.
                    raise visit.refused.result()
                result = await reading
            except PlaywrightError as error:
                # The page went on to another one.
                if any(sign in error.message for sign in _ENDED_BY_NAVIGATION) and loop.time() < deadline:
                    continue
                raise
            finally:
                reading.cancel()
            if "exceptionDetails" in result:
                raise NotSupported(f"wait_for={selector!r}: {result['exceptionDetails']['exception']['description']}")
            read: dict[str, Any] = result["result"]["value"]
            if read["broken"]:
                raise DownloadFailedError(f"{visit.request.url} leads to a page that does not load")
            return read

    async def _evaluate(self, script: str) -> dict[str, Any]:
        world = await self._session.send("Page.createIsolatedWorld", {"frameId": self._frame, "worldName": "reader"})
        told = {"contextId": world["executionContextId"], "awaitPromise": True, "returnByValue": True}
        result: dict[str, Any] = await self._session.send("Runtime.evaluate", {"expression": script, **told})
        return result

    def _respond(self, visit: _Visit, answer: _Answer, html: str, started: float) -> HtmlResponse:
        meta = visit.request.meta
        meta["download_latency"] = monotonic() - started
        if visit.redirects:
            meta["redirect_times"] = len(visit.redirects)
            meta["redirect_urls"] = [redirect.url for redirect in visit.redirects]
            meta["redirect_reasons"] = [redirect.status for redirect in visit.redirects]
        headers = Headers()
        for header in answer.headers:
            if header["name"].lower() not in _OF_THE_WIRE:
                headers.appendlist(header["name"], header["value"])
        return HtmlResponse(
            answer.url, answer.status, headers, html.encode(errors="replace"), ["rendered"], visit.request,
            encoding="utf-8",
        )  # fmt: skip

    # --- what the page asks for -----------------------------------------------------------------------------

    def _on_popup(self, popup: Page) -> None:
        self._later(popup.close())

    def _on_crash(self, page: Page) -> None:
        self._failed = True
        # Whatever waits for it would wait to the end of its time.
        self._later(self._page.close())

    def _on_paused(self, event: dict[str, Any]) -> None:
        self._later(self._decide(event))

    async def _decide(self, event: dict[str, Any]) -> None:
        command, values = "Fetch.failRequest", {"errorReason": "BlockedByClient"}
        kind, asked = event["resourceType"], event["request"]
        if kind == "Document":
            # What other frames hold is not in the page's HTML.
            if event["frameId"] == self._frame and self._visit is not None:
                allowed = await self._look_at_document(self._visit, event)
                if allowed is not None:
                    command, values = "Fetch.continueRequest", allowed
        elif self._is_blocked(asked["url"]) or kind in _NEVER_LOADED:
            pass
        elif kind == "Stylesheet" and not self._stylesheets:
            # Scripts wait for stylesheets, some give up without: an empty one is the same to them.
            command, values = "Fetch.fulfillRequest", _empty_stylesheet(event)
        elif kind != "Other" or not _is_icon_or_guess(asked["headers"]):
            command, values = "Fetch.continueRequest", {}
        await self._session.send(command, {"requestId": event["requestId"], **values})

    async def _look_at_document(self, visit: _Visit, event: dict[str, Any]) -> dict[str, Any] | None:
        url = event["request"]["url"]
        if "responseStatusCode" not in event:
            if (problem := self._rules.missing_permission(url)) is not None:
                visit.refuse(problem)
                return None
            is_asked = url == urldefrag(visit.request.url).url
            if not is_asked and visit.is_public and await self._is_forbidden(url):
                visit.refuse(IgnoreRequest(f"{visit.request.url} leads into a private network: {url}"))
                return None
            return {"headers": _sent_headers(visit.request, event["request"])}
        answer = _Answer(urldefrag(url).url, event["responseStatusCode"], event.get("responseHeaders", []))
        headers = {header["name"].lower(): header["value"] for header in answer.headers}
        if 300 <= answer.status < 400 and "location" in headers:
            visit.redirects.append(answer)
            return {}
        visit.answers.append(answer)
        size = headers.get("content-length", "")
        if visit.limits.size and size.isdigit() and int(size) > visit.limits.size:
            visit.refuse(
                DownloadCancelledError(f"{url} is too large: {size} bytes, DOWNLOAD_MAXSIZE is {visit.limits.size}")
            )
            return None
        return {}

    def _is_blocked(self, url: str) -> bool:
        # The patterns also match addresses that merely hold such a name.
        name = (urlsplit(url).hostname or "").rstrip(".")
        return any(name == host or name.endswith(f".{host}") for host in self._rules.blocked_hosts)

    async def _is_forbidden(self, url: str) -> bool:
        return urlsplit(url).scheme != "https" or await self._rules.addresses.may_be_private(url)

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except PlaywrightError:
        # The page, or the request, is no more.
        return


def _of_hosts(hosts: frozenset[str]) -> list[dict[str, str]]:
    forms = ("*://{}/*", "*://{}:*", "*://{}./*", "*://{}.:*", "*://*.{}/*", "*://*.{}:*", "*://*.{}./*", "*://*.{}.:*")
    return [{"urlPattern": form.format(host), "requestStage": "Request"} for host in sorted(hosts) for form in forms]


def _is_no_page(answers: list[_Answer]) -> bool:
    # A page whose process dies is aborted, too, and is worth another try.
    told = {header["name"].lower(): header["value"].lower() for answer in answers[-1:] for header in answer.headers}
    is_shown = told.get("content-type", "text/html").startswith(("text/", "application/xhtml", "application/xml"))
    return bool(answers) and (answers[-1].status in (204, 205) or "content-disposition" in told or not is_shown)


def _sent_headers(request: Request, asked: dict[str, Any]) -> list[dict[str, str]]:
    # A redirect to another origin must not carry a token there.
    is_same = urlsplit(request.url)[:2] == urlsplit(asked["url"])[:2]
    headers = {name.lower(): (name, value) for name, value in asked["headers"].items()}
    for name, value in request.headers.to_unicode_dict().items():
        key = name.lower()
        if key not in _NEVER_SENT and (is_same or key in _NEGOTIATION):
            headers[key] = (name, str(value))
    return [{"name": name, "value": value} for name, value in headers.values()]


def _is_icon_or_guess(headers: dict[str, str]) -> bool:
    told = {name.lower(): value for name, value in headers.items()}
    return told.get("accept", "").startswith("image/") or "purpose" in told or "sec-purpose" in told


def _empty_stylesheet(event: dict[str, Any]) -> dict[str, Any]:
    origin = event["request"]["headers"].get("Origin", "*")
    headers = {"Content-Type": "text/css", "Access-Control-Allow-Origin": origin}
    if origin != "*":
        headers["Access-Control-Allow-Credentials"] = "true"
    told = [{"name": name, "value": value} for name, value in headers.items()]
    return {"responseCode": 200, "responseHeaders": told, "body": ""}

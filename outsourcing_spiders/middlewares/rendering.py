"""Send a request that asks for it through a browser: ``meta={"render": True}``, ``{"render": {"wait_for": "li"}}``."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

from outsourcing_spiders.middlewares.outcomes import refuse
from outsourcing_spiders.outcomes import Failed

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a request wants of the browser."""

    wait_for: str | None = None
    """CSS selector of what must be in the page before it is read; None: what its own scripts made while it loaded."""
    stylesheets: bool = False
    """Load stylesheets, for a page whose scripts measure it; else each is answered with an empty one."""


@dataclass(slots=True)
class Limits:
    """Seconds and bytes that one page may take."""

    navigation: float
    selector: float
    size: int
    """0: any."""


class Addresses:
    """Whether names lead into a private network (this machine included); each is looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, asyncio.Future[list[bool]]] = {}

    async def is_private(self, url: str) -> bool:
        """Tell whether the host of `url` has private addresses and no other."""
        found = await self._look_up(url)
        return bool(found) and all(found)

    async def may_be_private(self, url: str) -> bool:
        """Tell whether the host of `url` has any private address."""
        return any(await self._look_up(url))

    async def _look_up(self, url: str) -> list[bool]:
        host = (urlsplit(url).hostname or "").rstrip(".")
        if host not in self._known:
            self._known[host] = asyncio.ensure_future(_resolve(host))
        # One of those who wait may run out of time.
        return await asyncio.shield(self._known[host])


async def _resolve(host: str) -> list[bool]:
    if host == "localhost" or host.endswith(".localhost"):
        return [True]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # The browser will say that there is no such host.
        return []
    return [_is_private(str(address[0])) for *_, address in found]


def _is_private(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return not address.is_global or address.is_multicast


@dataclass(frozen=True, slots=True)
class Rules:
    """What no page may ask for, whatever its request says."""

    addresses: Addresses
    missing_permission: Callable[[str], Exception | None]
    """Return why a document must not be asked for, or None."""
    blocked_hosts: frozenset[str]
    """Nothing is loaded from them, nor from those below them."""


class RenderingMiddleware:
    """Translate ``meta["render"]`` for the browser's download handler; refuse what it is not made for.

    ``True`` or a dict with the fields of `Rendering`. The spider must declare ``renders = True``: only then is
    there a browser. Pages are https, but for those of private hosts, which a stand-in is.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._addresses = Addresses()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Mark the request for the handler; raises `IgnoreRequest` for an address that is not rendered."""
        # Only this middleware decides, also for meta that a spider copied from a rendered page.
        request.meta.pop("playwright", None)
        if not request.meta.get("render"):
            return
        self._check(request)
        scheme = urlsplit(request.url).scheme
        if scheme != "https" and not (scheme == "http" and await self._addresses.is_private(request.url)):
            self._crawler.stats.inc_value("outsourcing/rendering/refused")
            reason = f"Not rendered, since only https is, or http of a private host: {request.url}"
            logger.warning(reason)
            raise IgnoreRequest(reason)
        request.meta["playwright"] = True
        # A page costs a hundred times a plain answer.
        request.meta.setdefault("max_retry_times", 1)

    def _check(self, request: Request) -> None:
        spider = self._crawler.spider
        name = getattr(spider, "name", "the spider")
        if not getattr(spider, "renders", False):
            refuse(
                self._crawler,
                Failed(f'{name} asks for rendering (meta["render"]) and does not declare it: set renders = True'),
            )
        if request.method != "GET" or request.body:
            refuse(self._crawler, Failed(f"{name} asks for rendering of a {request.method}; only GET is rendered"))
        try:
            read_rendering(request.meta["render"])
        except ValueError as error:
            refuse(self._crawler, Failed(f'{name}: meta["render"] {error}'))


def read_rendering(wanted: Any) -> Rendering:
    """Return what ``meta["render"]`` asks for; raises `ValueError`, which says what it may be."""
    if wanted is True:
        return Rendering()
    try:
        rendering = Rendering(**wanted)
    except TypeError:
        rendering = Rendering(wait_for="")
    selector = rendering.wait_for
    if not (selector is None or (isinstance(selector, str) and selector.strip())) or not isinstance(
        rendering.stylesheets, bool
    ):
        raise ValueError(f'is {wanted!r}, neither True nor a dict such as {{"wait_for": "li.job"}}')
    return rendering

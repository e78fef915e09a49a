"""Follow redirects without carrying secrets along, and never into this machine's own network."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares import redirect
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response

from outsourcing_spiders.middlewares.block_guard import flaw_of
from outsourcing_spiders.middlewares.outcomes import refuse
from outsourcing_spiders.outcomes import Unreachable
from outsourcing_spiders.parsing.challenges import login_redirect

IPAddress = IPv4Address | IPv6Address

# What another origin may see. Validators (If-None-Match) are of another page; all else may be a secret, whatever
# its name: platforms give the headers of their tokens names of their own.
_HARMLESS = frozenset((b"Accept", b"Accept-Encoding", b"Accept-Language", b"Cache-Control", b"User-Agent"))
_STATUSES = frozenset((301, 302, 303, 307, 308))
_SCHEME = re.compile(r"[\x00-\x20]*([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = re.compile(r"[a-z0-9_.-]+")
_PORTS = {"http": 80, "https": 443}
_RESOLVE_SECONDS = 10.0
_MUST_BE_PUBLIC = "redirected_to_public_host"

# Public ones by their number, that are not: protocol assignments with Oracle's metadata, Azure's metadata.
_NOT_PUBLIC = (ip_network("192.0.0.0/24"), ip_network("168.63.129.16/32"))
_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")


class _Checked:
    """What both kinds of redirects have in common.

    What is refused ends the crawl as `Unreachable`: the page that was asked for cannot be had in a way that is
    safe, and neither does the platform refuse us nor does the spider need mending.

    Every address that a host name has must be public when the redirect is met. Between then and the connection
    the name may come to mean another address (DNS rebinding): such a request is sent, but it is a GET that
    carries no secret, and `RedirectMiddleware` drops its answer, since that tells which address it came
    from. Not covered: answers through a proxy, which resolves names itself (only literal addresses and local
    names are refused then), answers whose download handler does not tell the address, and redirects that a
    browser follows by itself.
    """

    crawler: Crawler
    max_redirect_times: int

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware; raises `NotConfigured` when redirects are turned off."""
        # Scrapy's own looks for RefererMiddleware as well, and complains that it is off; no Referer is sent.
        middleware = cls(crawler.settings)  # type: ignore[call-arg]
        middleware.crawler = crawler
        return middleware

    async def _safe(self, request: Request, redirected: Request) -> Request:
        """Return the redirected request without what its target must not see; raises `Refused`."""
        (scheme, host, _), (new_scheme, new_host, port) = source, target = _origin(request.url), _origin(redirected.url)
        if urlsplit(redirected.url).username is not None:
            self._refuse(request, redirected.url, "which holds a user name")
        if scheme == "https" and new_scheme == "http":
            # A page that came unencrypted may have been changed on the way, token or none.
            self._refuse(request, redirected.url, "away from https")
        chain = redirected.meta.get("redirect_urls", ())
        if redirected.url in chain and redirected.method == request.method and not redirected.dont_filter:
            # Scrapy would drop it without a word, as a page that was asked for already.
            self._refuse(request, redirected.url, "in a circle")
        if new_host != host:
            await self._check_host(request, redirected, new_host, port)
            redirected.meta[_MUST_BE_PUBLIC] = new_host
        if source != target:
            if redirected.method not in ("GET", "HEAD"):
                self._refuse(request, redirected.url, f"which would get the body of a {redirected.method}")
            _drop_secrets(redirected)
        return redirected

    async def _check_host(self, request: Request, redirected: Request, host: str, port: int) -> None:
        found: Iterable[IPAddress] = ()
        address = literal_address(host)
        if address is not None:
            found = (address,)
        elif not _HOST.fullmatch(host) or host.rpartition(".")[2].isdigit():
            self._refuse(request, redirected.url, "whose host is no name and no address")
        elif host.endswith(tuple(f".{name}" for name in _LOCAL_NAMES)) or "." not in host:
            self._refuse(request, redirected.url, "a name inside this or a private network")
        elif not redirected.meta.get("proxy"):
            try:
                found = await resolve(host, port)
            except (OSError, UnicodeError):
                self._refuse(request, redirected.url, "whose host cannot be found")
        for address in found:
            if not is_public(address):
                self._refuse(request, redirected.url, f"at {address}, inside this or a private network")

    def _refuse(self, request: Request, target: str, why: str) -> NoReturn:
        sentence = f"{_short(request.url)} redirects to {_short(target)}, {why}: not followed; try again later"
        refuse(self.crawler, Unreachable(sentence))

    def _refuse_another(self, request: Request) -> NoReturn:
        first = request.meta.get("redirect_urls", [request.url])[0]
        refuse(
            self.crawler,
            Unreachable(
                f"{_short(first)} was redirected more than {self.max_redirect_times} times (REDIRECT_MAX_TIMES), "
                f"at last by {_short(request.url)}; try again later"
            ),
        )


class RedirectMiddleware(_Checked, redirect.RedirectMiddleware):
    """Follow the ``Location`` of an answer; drop answers that came from a private address for a public host.

    An answer that leads to a login is left to `BlockGuardMiddleware`: else robots.txt, or the rules above, might have a
    say first about the login page. Where the guard only warns, it is followed for whoever wants to look.
    """

    _public_hosts: set[str]
    _leaves_logins: bool

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware; raises `NotConfigured` for ``REDIRECT_ENABLED`` = False."""
        middleware = super().from_crawler(crawler)
        middleware._public_hosts = set()
        middleware._leaves_logins = crawler.settings.getbool("BLOCK_GUARD", True)
        return middleware

    async def process_response(  # type: ignore[override] # Scrapy awaits it
        self, request: Request, response: Response
    ) -> Request | Response:
        """Return the request that follows, or the answer when it is no redirect; raises `Refused`."""
        self._check_peer(request, response)
        if not self._is_followed(request, response):
            return response
        location = (response.headers["Location"] or b"").decode("latin-1")
        scheme = _SCHEME.match(location)
        if scheme and scheme[1].lower() not in _PORTS:
            self._refuse(request, location, "which is no web address")
        asked_url = request.meta.get("redirect_urls", [request.url])[0]
        if self._leaves_logins and login_redirect(response.status, location, request.url, asked_url):
            return response
        try:
            redirected = super().process_response(request, response)
        except IgnoreRequest:
            self._refuse_another(request)
        except ValueError:
            self._refuse(request, location, "an address that cannot be read")
        return await self._safe(request, redirected) if isinstance(redirected, Request) else redirected

    def _is_followed(self, request: Request, response: Response) -> bool:
        # As Scrapy decides; it leaves an address that it does not follow to the spider, without a word.
        return (
            response.status in _STATUSES
            # `scrapy fetch` and `shell` set one that holds nearly all numbers, and cannot be listed.
            and response.status not in getattr(self.crawler.spider, "handle_httpstatus_list", ())
            and response.status not in request.meta.get("handle_httpstatus_list", ())
            and "Location" in response.headers
            and not request.meta.get("dont_redirect", False)
            and not request.meta.get("handle_httpstatus_all", False)
        )

    def _check_peer(self, request: Request, response: Response) -> None:
        """Raise `Refused` when a host that has a public address answered from a private one."""
        peer: Any = response.ip_address
        if peer is None or request.meta.get("proxy"):
            return
        host = _origin(request.url)[1]
        if is_public(peer):
            self._public_hosts.add(host)
        elif host in self._public_hosts or request.meta.get(_MUST_BE_PUBLIC) == host:
            sentence = f"{host} answered from {peer}, inside this or a private network: not read; check the name server"
            refuse(self.crawler, Unreachable(sentence))


class MetaRefreshMiddleware(_Checked, redirect.MetaRefreshMiddleware):
    """Follow a page's ``<meta http-equiv="refresh">``, under the same rules."""

    async def process_response(  # type: ignore[override] # Scrapy awaits it
        self, request: Request, response: Response
    ) -> Request | Response:
        """Return the request that follows, or the page when it names no other; raises `Refused`."""
        if flaw_of(response) is not None:
            # A project's page of another shape is counted as such, wherever it leads.
            return response
        try:
            redirected = super().process_response(request, response)
        except IgnoreRequest:
            self._refuse_another(request)
        except ValueError:
            # No address, or none of the web, such as that of an app: the page itself is all there is, and is read.
            return response
        return await self._safe(request, redirected) if isinstance(redirected, Request) else redirected


async def resolve(host: str, port: int) -> list[IPAddress]:
    """Return all addresses of a host name; raises `OSError`, `TimeoutError` after 10 s among them."""
    async with asyncio.timeout(_RESOLVE_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


def literal_address(host: str) -> IPAddress | None:
    """Return the address that a host spells, also as one decimal, octal or hexadecimal number; else ``None``."""
    try:
        return ip_address(host.replace("%25", "%"))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host)) if _HOST.fullmatch(host) else None
    except OSError:
        return None


def is_public(address: IPAddress) -> bool:
    """Tell whether an address is of the public internet, also the IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        return address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_PUBLIC)


def _drop_secrets(request: Request) -> None:
    harmless = _HARMLESS
    if "_scheme_proxy" in request.meta:
        # The environment's proxy: HttpProxyMiddleware sets it anew, with its password, for the new address.
        for key in ("proxy", "_auth_proxy", "_scheme_proxy"):
            request.meta.pop(key, None)
    elif request.meta.get("proxy"):
        # It goes to the proxy, which stays the same.
        harmless |= {b"Proxy-Authorization"}
    for name in [name for name in request.headers if name not in harmless]:
        del request.headers[name]


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    return parts.scheme, host, parts.port or _PORTS.get(parts.scheme, 0)


def _short(url: str) -> str:
    return url if len(url) <= 200 else f"{url[:200]}…"

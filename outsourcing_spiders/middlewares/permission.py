"""Keep away from platforms whose terms forbid programs, until the user says that the platform permits it.

What is refused is the live host: that of ``home`` without ``www.``, and every host below it, however it is
written. A sandbox or a stand-in on another host needs no permission, nor does the platform's official API, where it
has one (`platforms.official`).
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Collection, Iterable
from typing import Any, Self, TypeGuard
from urllib.parse import unquote, urlsplit

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader

from outsourcing_spiders.middlewares.outcomes import refuse
from outsourcing_spiders.outcomes import PermissionRequired
from outsourcing_spiders.platforms.base import PlatformSpider


def permitted_platforms(settings: BaseSettings) -> frozenset[str]:
    """Return the names that the setting ``PERMITTED_PLATFORMS`` lists: a list, or text with commas."""
    names = (str(name).strip() for name in settings.getlist("PERMITTED_PLATFORMS"))
    return frozenset(name for name in names if name)


def unknown_names(permitted: Iterable[str], platforms: Collection[str]) -> list[str]:
    """Return a sentence for each name in ``PERMITTED_PLATFORMS`` that no spider has."""
    said = []
    for name in sorted(set(permitted) - set(platforms)):
        near = difflib.get_close_matches(name.casefold(), platforms, n=1)
        hint = f"did you mean {near[0]}?" if near else "`scrapy platforms` lists them all."
        said.append(f"PERMITTED_PLATFORMS names {name!r}, which is no platform; {hint}")
    return said


def missing_permission(spidercls: type[Spider], address: str, permitted: Collection[str]) -> PermissionRequired | None:
    """Return why a spider may not ask for `address`; ``None`` when it may.

    `permitted` are the names in ``PERMITTED_PLATFORMS``.
    """
    if not _asks_first(spidercls) or spidercls.name in permitted or not is_on(address, live_host(spidercls)):
        return None
    if is_official(address, spidercls):
        return None
    terms = data_sheet(spidercls).get("Terms", "its terms or its robots.txt forbid programs").rstrip(".")
    advice = (
        f"add {spidercls.name} to PERMITTED_PLATFORMS" if permitted else f"set PERMITTED_PLATFORMS={spidercls.name}"
    )
    return PermissionRequired(
        f"{spidercls.name} is not read without the platform's permission ({terms}); if you have it, {advice}; "
        "a stand-in on another host (-a base_url=ADDRESS) needs none"
    )


def data_sheet(spidercls: type[Spider]) -> dict[str, str]:
    """Return the sections of a spider's docstring (``Site``, ``Access``, ``Terms``, ``Caveats``), each as one line."""
    parts = re.split(r"^([A-Z]\w+): +", inspect.cleandoc(spidercls.__dict__.get("__doc__") or ""), flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def live_host(spidercls: type[PlatformSpider]) -> str:
    """Return the host of a platform; those below it are the platform's, too."""
    return next(iter(_hosts(spidercls.home)), "").removeprefix("www.")


def is_on(address: str, host: str) -> bool:
    """Tell whether an address leads to `host`, or to one below it."""
    return bool(host) and any(found == host or found.endswith(f".{host}") for found in _hosts(address))


def is_official(address: str, spidercls: type[Spider]) -> bool:
    """Tell whether an address is one of the platform's official API, written exactly as the spider declares it."""
    return any(
        address == official or (official.endswith("/") and address.startswith(official))
        for official in getattr(spidercls, "official_addresses", ())
    )


def _asks_first(spidercls: type[Spider]) -> TypeGuard[type[PlatformSpider]]:
    return issubclass(spidercls, PlatformSpider) and getattr(spidercls, "access", None) == "permission"


def _hosts(address: str) -> set[str]:
    """Return the hosts that an address may lead to, in lower case, as they are asked for."""
    hosts = set()
    # To a browser, a backslash is a slash: the host ends before it.
    for form in {address, address.replace("\\", "/")}:
        try:
            name = unquote(urlsplit(form).hostname or "")
        except ValueError:  # nothing can be asked of such an address
            continue
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            name = name.lower()
        hosts.add(name.lower().rstrip("."))
    return hosts - {""}


class PermissionStartMiddleware:
    """End the crawl of a platform that has to permit it before the database is opened.

    Where nothing is stored (`scrapy fetch`, `parse`), the spider's own address need not be what is asked for;
    there, `PermissionMiddleware` looks at each request.
    """

    def __init__(self, crawler: Crawler, permitted: Collection[str]) -> None:
        self._crawler = crawler
        self._permitted = permitted

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware, for spiders that ask first and store something."""
        if not _asks_first(crawler.spidercls) or not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("no permission is needed to start")
        return cls(crawler, permitted_platforms(crawler.settings))

    async def process_start(self, start: Any) -> Any:
        """Pass the first requests on; raises `PermissionRequired` before the first one."""
        spider: Any = self._crawler.spider
        if (problem := missing_permission(type(spider), spider.base_url, self._permitted)) is not None:
            raise problem
        async for request in start:
            yield request


class PermissionMiddleware:
    """Refuse every request to a live host that is not permitted, be it a link, a redirect or a typed address.

    It comes before robots.txt is asked for, which would touch the host, too.
    """

    def __init__(
        self, crawler: Crawler, forbidden: Collection[type[PlatformSpider]], permitted: Collection[str]
    ) -> None:
        self._crawler = crawler
        self._forbidden = forbidden
        self._permitted = permitted

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware, where there is a host that is not permitted."""
        candidates = [crawler.spidercls]
        if not issubclass(crawler.spidercls, PlatformSpider):
            # `scrapy fetch` and `shell` without --spider: the address decides whose permission is needed.
            loader = get_spider_loader(crawler.settings)
            candidates = [loader.load(name) for name in loader.list()]
        permitted = permitted_platforms(crawler.settings)
        forbidden = [found for found in candidates if _asks_first(found) and found.name not in permitted]
        if not forbidden:
            raise NotConfigured("no host is forbidden")
        return cls(crawler, forbidden, permitted)

    def process_request(self, request: Request) -> None:
        """Let a request pass; raises `middlewares.outcomes.Refused` for one to a live host."""
        for spidercls in self._forbidden:
            if (problem := missing_permission(spidercls, request.url, self._permitted)) is not None:
                refuse(self._crawler, problem)

"""Obey robots.txt as RFC 9309 says it, and say so when it ends a crawl."""

from __future__ import annotations

from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.robotstxt import RobotParser

from outsourcing_spiders.middlewares.outcomes import GivenUp, Skipped, refuse
from outsourcing_spiders.middlewares.permission import permitted_platforms
from outsourcing_spiders.outcomes import PermissionRequired, Unreachable


class ObeyRobotsTxt(RobotsTxtMiddleware):
    """Ask for robots.txt before anything else of a host.

    A file that is not there (4xx) forbids nothing, one that cannot be read (5xx, no answer) forbids everything. A
    forbidden page of a listing ends the crawl; any other is left out and counted. Who has the platform's permission
    (``PERMITTED_PLATFORMS``) may read what the file forbids to all; its ``Crawl-delay`` holds for all.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._unreadable: dict[str, str | GivenUp] = {}
        """Why the file of a host cannot be read."""

    async def process_request(self, request: Request) -> None:  # type: ignore[override] # Scrapy's takes the spider, too
        """Refuse what robots.txt forbids."""
        if request.meta.get("dont_obey_robotstxt") or urlsplit(request.url).scheme not in ("http", "https"):
            return
        host = urlsplit(request.url).netloc
        rules = await self.robot_parser(request)
        problem = self._unreadable.get(host)
        if isinstance(problem, GivenUp):
            raise GivenUp(str(problem))
        if problem:
            refuse(self.crawler, Unreachable(f"robots.txt of {host} cannot be read ({problem}); try again later"))
        if rules is not None and not self._is_permitted():
            self.process_request_2(rules, request)

    def process_request_2(self, rp: RobotParser | None, request: Request) -> None:
        """End the crawl, or leave the page out, if `rp` forbids it."""
        try:
            super().process_request_2(rp, request)
        except IgnoreRequest:
            if "listing_page" in request.meta:
                host = urlsplit(request.url).netloc
                refuse(
                    self.crawler,
                    PermissionRequired(
                        f"robots.txt of {host} forbids {request.url} to programs; with the platform's permission, "
                        f"list {self._spider_name()} in PERMITTED_PLATFORMS"
                    ),
                )
            self._stats.inc_value("outsourcing/skipped/robots_txt")
            raise Skipped(f"robots.txt forbids {request.url}") from None

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        if response.status >= 500 or response.status == 429:
            self._unreadable[netloc] = f"status {response.status}"
        if not 200 <= response.status < 300:
            # The page that comes instead is no set of rules.
            response = response.replace(body=b"")
        await super()._parse_robots(response, netloc, request)

    def _robots_error(self, exc: Exception, netloc: str) -> None:
        self._unreadable[netloc] = exc if isinstance(exc, GivenUp) else str(exc) or type(exc).__name__
        super()._robots_error(exc, netloc)

    def _spider_name(self) -> str:
        return self.crawler.spider.name if self.crawler.spider else ""

    def _is_permitted(self) -> bool:
        return self._spider_name() in permitted_platforms(self.crawler.settings)

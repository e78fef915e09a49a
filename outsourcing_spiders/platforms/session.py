"""Platforms that answer the scripts of their own page only: the page comes first, and its cookies go along."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

from scrapy import Request
from scrapy.http import Response
from scrapy.http.cookies import CookieJar
from twisted.python.failure import Failure

from outsourcing_spiders.middlewares.outcomes import GivenUp, Skipped, end_crawl
from outsourcing_spiders.outcomes import PermissionRequired
from outsourcing_spiders.platforms.listing import ERRORS, ListingSpider


class SessionSpider(ListingSpider[Any]):
    """Ask for a page before the listing; stands before the listing's base, whose requests pass by `in_session`."""

    session_page: ClassVar[str]
    """Path of the page whose scripts ask for the listing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Of this host alone. Scrapy's own middleware asks other hosts for the list of public suffixes first.
        self._jar = CookieJar()

    async def start(self) -> AsyncIterator[Any]:
        """Ask for the page, which gives the cookies."""
        meta = {"handle_httpstatus_list": ERRORS}
        page = self.absolute(self.session_page)
        yield Request(page, self.begin_session, errback=self.session_failed, meta=meta, dont_filter=True)

    def begin_session(self, response: Response) -> Iterator[Request]:
        """Begin to ask for the listing."""
        if response.status in ERRORS:
            raise self.refusal(response)
        self._jar.extract_cookies(response, response.request or Request(response.url))
        yield from self.first_pages()

    def session_failed(self, failure: Failure) -> None:
        """End the crawl; an errback."""
        if isinstance(failure.value, Skipped) and not isinstance(failure.value, GivenUp):
            end_crawl(self, PermissionRequired(f"{failure.value}; the listing cannot be read without that page"))
        self.failed(failure)

    def in_session(self, request: Request) -> Request:
        """Return a request as the page's own scripts would send it."""
        request.headers["Referer"] = self.absolute(self.session_page)
        request.headers["Origin"] = f"{self.base_url.split(':')[0]}://{self.host}"
        request.headers["X-Requested-With"] = "XMLHttpRequest"
        self._jar.add_cookie_header(request)
        return request

"""Ask a platform for one answer, exactly as its spider would, and keep it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from outsourcing_spiders.items import Project
from outsourcing_spiders.platforms.listing import ERRORS, ListingSpider


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which answer."""

    address: str | None = None
    """``None``: the one that the spider would ask for."""
    place: int | str | None = None
    """What the page of the listing is asked for by; ``None``: its first page."""
    detail: bool = False
    """A project's own page; without an address, that of the first project of the listing which has one."""


class OneAnswer(ListingSpider[Any]):
    """Stands before a spider's own class, and ends the walk at the first answer."""

    wanted: ClassVar[Wanted]
    answered: Response | None = None
    listed: Project | None = None
    """What the listing told of the project whose page was asked for."""
    problem: str | None = None

    def first_pages(self) -> Iterator[Request]:
        """Ask for one page."""
        self.walk = self.make_walk()
        wanted = self.wanted
        if wanted.detail and wanted.address:
            item = Project(platform=self.name, external_id=wanted.address, url=wanted.address, title="")
            request = self._detail_request(item) or Request(wanted.address, callback=self.parse_detail)
            yield request.replace(url=wanted.address)
        else:
            yield self._page_request(self.walk.start()[0] if wanted.place is None else wanted.place)

    def listing_request(self, place: Any) -> Request:
        """The spider's own, for the address that is wanted."""
        request: Request = super().listing_request(place)  # type: ignore[safe-super]
        return request.replace(url=self.wanted.address) if self.wanted.address else request

    def parse(self, response: Response, place: Any = None) -> Iterator[Any]:
        """Keep the page, or ask for that of a project on it."""
        if not self.wanted.detail:
            self.answered = self.answered or response
            return
        for item in self._items(self.page(response).rows, response, None):
            if (request := self._detail_request(item)) is not None:
                self.listed = item
                yield request
                return
        self.problem = f"{response.url} lists no project that has a page of its own"

    def parse_detail(self, response: Response, item: Project | None = None) -> Iterator[Any]:
        """Keep the page of a project."""
        self.answered = self.answered or response
        yield from ()

    def failed(self, failure: Failure) -> None:
        """Note why there is no answer."""
        self.problem = failure.getErrorMessage()
        super().failed(failure)

    def detail_failed(self, failure: Failure) -> Iterator[Any]:
        """Note why there is no answer."""
        self.problem = failure.getErrorMessage()
        yield from ()

    def _detail_request(self, item: Project) -> Request | None:
        spider: Any = super()
        request: Request | None = spider.ask_for_detail(item)
        # A page that is gone is worth keeping, too.
        return request and request.replace(meta={"handle_httpstatus_list": ERRORS, **request.meta})


def one_answer(spidercls: type[ListingSpider[Any]], wanted: Wanted) -> type[OneAnswer]:
    """Return the class of a spider that asks for one answer and no more."""
    # The docstring is the platform's data sheet.
    members = {"wanted": wanted, "__doc__": spidercls.__doc__, "__module__": spidercls.__module__}
    return type(spidercls.__name__, (OneAnswer, spidercls), members)

"""What every spider inherits: the arguments, the declarations, and how a crawl ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urljoin, urlsplit

import msgspec
import scrapy
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, DownloadCancelledError
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from outsourcing_spiders.items import Period, Project, Status, WorkMode
from outsourcing_spiders.middlewares.outcomes import Refused, Skipped, end_crawl
from outsourcing_spiders.outcomes import CloseReason, LayoutChanged, Outcome, Unreachable
from outsourcing_spiders.parsing.dates import WHOLE
from outsourcing_spiders.platforms import arguments as given
from outsourcing_spiders.platforms.times import PlatformTimes

_BROWSER = "outsourcing_spiders.middlewares.browser.BrowserHandler"


class PlatformSpider(PlatformTimes, scrapy.Spider):
    """A spider of one platform; `name` is the platform's name, too.

    Every spider takes the same arguments (``-a NAME=VALUE``):

    ``query``      words that the projects hold
    ``skills``     skills, separated by commas
    ``category``   one category
    ``max_pages``  read no more than so many pages of the listing
    ``since``      read back to an ISO time or an age (``2h``, ``3d``)
    ``full``       ``1``: read on through known projects, to the end of the listing
    ``base_url``   another host with the same wire format: a sandbox, a stand-in

    A wrong one raises `WrongArgument`, which names it.
    """

    access: ClassVar[Literal["api", "public", "permission"]]
    """``api``: its documentation governs. ``public``: robots.txt is obeyed. ``permission``: asks the user first."""
    home: ClassVar[str]
    """Where the platform is, for the addresses of requests unless ``base_url`` says otherwise."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of settings that must be set, such as those of an account."""
    renders: ClassVar[bool] = False
    """Whether any page needs a browser (``meta={"render": …}``): it is started by the first request that does."""
    kept_for: ClassVar[timedelta | None] = None
    """How long the platform's terms let a copy be kept (`Project.expires_at`); ``None``: they do not say."""
    private_keys: ClassVar[tuple[str, ...]] = ()
    """Keys of its JSON whose texts and numbers name people: they stand in no page that is saved or kept."""
    narrowed_by: ClassVar[frozenset[str]] = frozenset()
    """Which of ``query``, ``skills``, ``category`` the platform's listing can be narrowed by."""
    argument_rules: ClassVar[tuple[given.Rule, ...]] = ()
    """What the platform wants of them beyond that: ``Either("query", "category")``."""
    statuses: ClassVar[Mapping[Any, Status]] = {}
    """What the platform's words for where a project stands mean."""
    periods: ClassVar[Mapping[Any, Period]] = {}
    """What budgets are for, by the platform's words for kinds of projects."""
    work_modes: ClassVar[Mapping[Any, WorkMode]] = {}
    """Where work is done, by the platform's words."""

    def __init__(self, name: str | None = None, **arguments: Any) -> None:
        super().__init__(name)
        self.check_arguments(arguments)
        self.query: str | None = given.read_text(arguments, "query")
        self.skills: list[str] = given.read_list(arguments, "skills")
        self.category: str | None = given.read_text(arguments, "category")
        self.max_pages: int | None = given.read_positive(arguments, "max_pages")
        self.since: datetime | None = given.read_since(arguments, "since")
        self.full: bool = given.read_switch(arguments, "full")
        self.base_url: str = (given.read_address(arguments, "base_url") or self.home).rstrip("/") + "/"
        self.job: str | None = arguments.get("_job")
        """Scrapyd's id of this crawl, if it runs it."""
        self.outcome: Outcome | CloseReason | None = None
        """What ended the crawl, if anything but the end of the listing did."""
        self.whole_since: str | None = None
        """How far back this crawl stored its listing without gaps; set when it got so far."""
        self.stops_at_known = False
        """Whether the crawl may end at a page of known projects; set before the first request."""

    @classmethod
    def way_in(cls, settings: BaseSettings) -> type[PlatformSpider]:
        """Return the class that reads the platform with these settings, where there is more than one way."""
        return cls

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Leave robots.txt to who reads pages; give spiders that render them, and no others, the handler that can."""
        super().update_settings(settings)
        if cls.access == "api":
            settings.set("ROBOTSTXT_OBEY", False, priority="spider")
        if cls.renders:
            handlers = settings.getdict("DOWNLOAD_HANDLERS")
            settings.set("DOWNLOAD_HANDLERS", handlers | dict.fromkeys(("http", "https"), _BROWSER), priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Make the spider and have it asked, when nothing is left to do, how the crawl ended."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider._on_idle, signal=signals.spider_idle)
        return spider

    @classmethod
    def check_arguments(cls, arguments: dict[str, Any]) -> None:
        """Raise `WrongArgument` for an argument that no spider takes, or that this platform cannot serve."""
        given.check_names(cls.name, arguments, cls.narrowed_by)
        for rule in cls.argument_rules:
            rule.check(arguments)

    @property
    def listing(self) -> str:
        """What is asked for, as text: crawls with the same one read the same list of projects."""
        asked: dict[str, Any] = {
            "query": self.query,
            "skills": sorted(skill.casefold() for skill in self.skills) or None,
            "category": self.category and self.category.casefold(),
            "base_url": self.base_url if self.base_url.casefold() != f"{self.home}/" else None,
        }
        told = {name: value for name, value in asked.items() if value}
        return msgspec.json.encode(told, order="deterministic").decode()

    @property
    def wanted_since(self) -> str:
        """How far back this crawl is to read: an ISO time, or `WHOLE`."""
        return self.since.isoformat() if self.since else WHOLE

    def expires_at(self, response: Response) -> datetime | None:
        """Return when copies of what an answer holds must be gone (`kept_for`); aware. ``None``: that is not said."""
        return None if self.kept_for is None else self.answered_at(response) + self.kept_for

    def absolute(self, path: str) -> str:
        """Return the address of `path` on the host that is crawled."""
        return urljoin(self.base_url, path)

    @property
    def host(self) -> str:
        """The host that is crawled, with its port where it is not the usual one."""
        return urlsplit(self.base_url).netloc.lower()

    def failed(self, failure: Failure) -> None:
        """End the crawl for a request that got no answer, all retries included; an errback."""
        error = failure.value
        if isinstance(error, (Refused, Skipped)):
            # Who refused or skipped the request has said why; who gave it up was told to.
            return
        request = failure.request  # type: ignore[attr-defined]
        said = failure.getErrorMessage() or repr(error)
        if isinstance(error, DownloadCancelledError) or "DOWNLOAD_MAXSIZE" in said:
            most = self.settings.getint("DOWNLOAD_MAXSIZE") >> 20
            end_crawl(
                self,
                LayoutChanged(
                    f"{request.url} answered with more than {most} MB (DOWNLOAD_MAXSIZE), packed or unpacked; "
                    "no listing is so large: look at the address in a browser"
                ),
            )
        end_crawl(self, Unreachable(f"{request.url} got no answer: {said}"))

    def end(self, outcome: Outcome | CloseReason) -> None:
        """Let the crawl end with `outcome` once what is under way is done.

        The first one counts, but for how the listing ended: what comes after it, such as a block on the projects' own
        pages, counts more.
        """
        before = self.outcome
        if before is None or (_is_of_listing(before) and not _is_of_listing(outcome)):
            self.outcome = outcome

    def count(self, what: str, by: int = 1) -> None:
        """Count something under ``outsourcing/``."""
        self.crawler.stats.inc_value(f"outsourcing/{what}", by)

    def skip(self, kind: str) -> Project | None:
        """Count what is no project for freelancers; return ``None``, as `item` does then."""
        self.count(f"skipped/{kind}")
        return None

    def _on_idle(self, spider: scrapy.Spider) -> None:
        outcome = self.outcome
        if outcome is not None:
            raise CloseSpider(_reason(outcome))
        # Else Scrapy says "finished", or "start_error" when the first requests could not be made.


def _reason(outcome: Outcome | CloseReason) -> CloseReason:
    return outcome.reason if isinstance(outcome, Outcome) else outcome


def _is_of_listing(outcome: Outcome | CloseReason) -> bool:
    return _reason(outcome) in (CloseReason.UP_TO_DATE, CloseReason.INCOMPLETE)

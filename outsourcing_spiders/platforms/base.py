"""What every spider inherits: the arguments, the declarations, and how a crawl ends."""

from __future__ import annotations

import difflib
from asyncio import CancelledError
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urljoin, urlsplit

import msgspec
import scrapy
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, DownloadCancelledError
from scrapy.settings import BaseSettings
from twisted.internet.defer import CancelledError as TwistedCancelledError
from twisted.python.failure import Failure

from outsourcing_spiders.middlewares.outcomes import Refused, Skipped, end_crawl
from outsourcing_spiders.outcomes import CloseReason, LayoutChanged, Outcome, Unreachable, WrongArgument
from outsourcing_spiders.parsing.dates import parse_since
from outsourcing_spiders.storage.runs import WHOLE

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
_BROWSER = "outsourcing_spiders.middlewares.browser.BrowserHandler"
_ARGUMENTS = ("query", "skills", "category", "max_pages", "since", "full", "base_url")


class PlatformSpider(scrapy.Spider):
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
    narrowed_by: ClassVar[frozenset[str]] = frozenset()
    """Which of ``query``, ``skills``, ``category`` the platform's listing can be narrowed by."""

    def __init__(self, name: str | None = None, **arguments: Any) -> None:
        super().__init__(name)
        self.check_arguments(arguments)
        self.query: str | None = _text(arguments, "query")
        self.skills: list[str] = _list(arguments, "skills")
        self.category: str | None = _text(arguments, "category")
        self.max_pages: int | None = _positive(arguments, "max_pages")
        self.since: datetime | None = _since(arguments)
        self.full: bool = _switch(arguments, "full")
        self.base_url: str = (_address(arguments, "base_url") or self.home).rstrip("/") + "/"
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
        """Give spiders that render pages, and no others, the handler that can."""
        super().update_settings(settings)
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
        # Scrapyd adds arguments of its own, which begin with an underscore.
        for name in (name for name in arguments if not name.startswith("_")):
            if name not in _ARGUMENTS:
                near = difflib.get_close_matches(name, _ARGUMENTS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_ARGUMENTS)}"
                raise WrongArgument(f"{cls.name} takes no argument {name!r}; {hint}")
            if name in ("query", "skills", "category") and name not in cls.narrowed_by:
                raise WrongArgument(f"{cls.name} cannot be narrowed by {name}; leave it out")

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
        if isinstance(error, (Refused, Skipped, CancelledError, TwistedCancelledError)):
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
        """Let the crawl end with `outcome` once what is under way is done; the first one counts."""
        if self.outcome is None:
            self.outcome = outcome

    def count(self, what: str, by: int = 1) -> None:
        """Count something under ``outsourcing/``."""
        self.crawler.stats.inc_value(f"outsourcing/{what}", by)

    def _on_idle(self, spider: scrapy.Spider) -> None:
        outcome = self.outcome
        if outcome is not None:
            raise CloseSpider(outcome.reason if isinstance(outcome, Outcome) else outcome)
        # Else Scrapy says "finished", or "start_error" when the first requests could not be made.


def _text(arguments: dict[str, Any], name: str) -> str | None:
    value = arguments.get(name)
    if value is None:
        return None
    text = str(value).strip()
    if not text:
        raise WrongArgument(f"{name} is empty; give it a value or leave it out")
    return text


def _list(arguments: dict[str, Any], name: str) -> list[str]:
    text = _text(arguments, name)
    if text is not None and not text.strip(" ,"):
        raise WrongArgument(f"{name}={text!r} names none; separate them by commas")
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _positive(arguments: dict[str, Any], name: str) -> int | None:
    text = _text(arguments, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise WrongArgument(f"{name}={text!r} is no whole number above 0")
    return int(text)


def _since(arguments: dict[str, Any]) -> datetime | None:
    text = _text(arguments, "since")
    try:
        return None if text is None else parse_since(text, now=datetime.now(UTC))
    except ValueError as error:
        raise WrongArgument(f"since: {error}") from None


def _switch(arguments: dict[str, Any], name: str) -> bool:
    text = str(arguments.get(name, "")).strip().lower()
    if text not in _TRUE + _FALSE:
        raise WrongArgument(f"{name}={text!r} is neither of {', '.join(_TRUE)} nor of {', '.join(_FALSE[:-1])}")
    return text in _TRUE


def _address(arguments: dict[str, Any], name: str) -> str | None:
    text = _text(arguments, name)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    # A password would be logged, and stored with the run.
    if not is_address or parts.query or parts.fragment or parts.username is not None:
        raise WrongArgument(
            f"{name} is no web address such as https://www.example.com, without user name, query and fragment"
        )
    return text

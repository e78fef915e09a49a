"""Each platform as the tests of whole crawls see it: its spider, its stand-in, and what a site tells of itself."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from _crawls import Crawl, crawl
from aiohttp import web
from platforms_standins._server import StandIn
from platforms_standins.freelancer import FreelancerStandIn
from platforms_standins.freemoa import FreemoaStandIn
from platforms_standins.guru import GuruStandIn
from platforms_standins.peopleperhour import PeoplePerHourStandIn
from platforms_standins.upwork import UpworkStandIn
from platforms_standins.wishket import WishketStandIn, query_of
from scrapy import Request
from spiders import _columns

from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.spiders.freelancer import FreelancerSpider
from outsourcing_spiders.spiders.freemoa import FreemoaSpider
from outsourcing_spiders.spiders.guru import GuruSpider
from outsourcing_spiders.spiders.peopleperhour import PeoplePerHourSpider
from outsourcing_spiders.spiders.upwork import UpworkSpider
from outsourcing_spiders.spiders.wishket import WishketSpider


class Platform:
    """A way in to a platform. `name` is what its tests are called by."""

    name: str
    spider: type[PlatformSpider]
    stand_in: type[StandIn]
    listing: str
    """Path of the pages of the listing."""
    page: int
    """Rows of a page."""
    step: int
    """Rows that a page shows and the one before it did not."""
    asks_robots = True
    """Whether robots.txt is asked for; documented APIs are read without."""
    before = 1
    """Requests before the first page of the listing: robots.txt, and what else is needed once."""
    odd = 100
    """How many projects hold each odd case once."""
    ordinary: ClassVar[dict[str, Any]] = {"odd_rows": False}
    nothing: ClassVar[dict[str, Any]] = {"query": "zzzzzz"}
    """Arguments that no project meets."""
    nameless: ClassVar[tuple[str, ...]] = ()
    """Odd cases of projects without a title."""
    unseen: ClassVar[tuple[str, ...]] = ()
    """What stands on the site and in no row."""
    believes_empty = True
    """Whether a listing that says that it has nothing is believed, narrowed or not."""
    tells_bids = True
    tries = 3
    """How often a page is asked for that does not come."""
    looks = 1
    """How many pages are asked for before an empty listing is believed."""

    def __repr__(self) -> str:
        return self.name

    def plain(self, projects: int, **options: Any) -> Any:
        """Return a site on which every project is an ordinary one."""
        return self.stand_in(projects, **self.ordinary | options)

    def whole(self, projects: int, **options: Any) -> Any:
        """Return a site with every odd case that there is room for."""
        return self.stand_in(projects, **options)

    def steady(self, projects: int) -> Any:
        """Return a site with every odd case but those of which a crawl cannot say that it is done with them."""
        return self.whole(projects)

    def settings(self, site: Any) -> dict[str, Any]:
        """Return the settings that a crawl of this site needs."""
        return {}

    async def read(
        self, url: str | None, folder: Path, site: Any, settings: dict[str, Any] | None = None, **options: Any
    ) -> Crawl:
        """Crawl the site."""
        settings = self.settings(site) | (settings or {})
        options = {"spider": self.spider, "base_url": site.base_url} | options
        return await crawl(url, folder, settings=settings, **options)

    def pages(self, site: Any) -> list[int]:
        """Return which pages of the listing were asked for, in that order."""
        return list(self._pages(site))

    def _pages(self, site: Any) -> Iterator[int]:
        raise NotImplementedError

    def details(self, site: Any) -> list[str]:
        """Return the ids of the projects whose own pages were asked for, in that order."""
        return []

    def order(self, site: Any) -> list[str]:
        """Return the ids of all projects in the order of the listing."""
        return list(map(str, site.listed_ids()))

    def ids(self, site: Any) -> set[str]:
        """Return the ids of all projects of the listing."""
        return set(self.order(site))

    def walk(self, projects: int) -> list[int]:
        """Return the pages that a crawl of so many projects asks for; the first one is there in any case."""
        return list(range(1, 2 + max(0, math.ceil((projects - self.page) / self.step))))

    def reach(self, pages: int) -> int:
        """Return how many projects the first pages show."""
        return self.page + self.step * (pages - 1)

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        """Return what the site tells of each project as columns of the table, after a crawl of it."""
        raise NotImplementedError

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a stored row in the form of `columns`."""
        return row

    def rejected(self, site: Any) -> dict[str, str]:
        """Return the ids of the projects that cannot be stored, with the reason."""
        return {str(site.odd[name]): "title is empty" for name in self.nameless if name in site.odd}

    def skipped(self, site: Any) -> dict[str, str]:
        """Return the ids of the rows that are no projects, with what they are."""
        return {}

    def misread(self, site: Any) -> list[str]:
        """Return the paths of the projects' pages, of all odd cases, that cannot be read."""
        return []

    def wanting(self, site: Any) -> set[str]:
        """Return the ids of the projects whose own pages a first crawl asks for."""
        return set()

    def posted(self, site: Any) -> dict[str, datetime]:
        """Return when each project was posted."""
        return {number: told["posted_at"] for number, told in self.columns(site).items()}

    def incurable(self, site: Any) -> set[str]:
        """Return the ids of the projects of which no page has the full text."""
        return {number for number, told in self.columns(site).items() if not told["description_complete"]}

    def bid(self, site: Any, identity: str, count: int) -> int:
        """Let more people apply; return how many there are then."""
        return int(site.apply(int(identity), count))

    def leave(self, site: Any, identity: str) -> None:
        """Take a project off the listing."""
        site.close(int(identity))


class _Freelancer(Platform):
    name, spider, stand_in = "freelancer", FreelancerSpider, FreelancerStandIn
    listing, page, step, before, odd = "/api/projects/0.1/projects/active/", 100, 95, 0, 260
    asks_robots = False
    ordinary: ClassVar = {"odd_rows": False, "short_pages": False, "contests": 0}
    nameless = ("title_empty", "title_null")

    def _pages(self, site: Any) -> Iterator[int]:
        return (1 + int(seen.query["offset"]) // self.step for seen in site.requests if "offset" in seen.query)

    def walk(self, projects: int) -> list[int]:
        # Offsets move with each arrival: the top is read once more for what came meanwhile.
        pages = super().walk(projects)
        return [*pages, 1] if len(pages) > 1 else pages

    def seen(self, site: Any) -> set[str]:
        """Return what the pages that were asked for have shown: short ones leave rows out, others at each offset."""
        rows = [site.row(number) for number in site.listed_ids()]
        offsets = [int(seen.query["offset"]) for seen in site.requests if "offset" in seen.query]
        return {str(row.id) for offset in offsets for row in site.shown(rows[offset : offset + self.page], offset)}

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        return {number: _columns.freelancer(site.row(int(number))) for number in self.seen(site)}

    def skipped(self, site: Any) -> dict[str, str]:
        return {str(site.odd[name]): name for name in ("deleted", "nonpublic") if name in site.odd}

    def posted(self, site: Any) -> dict[str, datetime]:
        rows = [site.row(number) for number in site.listed_ids()]
        return {str(row.id): datetime.fromtimestamp(row.get("time_submitted"), UTC) for row in rows}

    def incurable(self, site: Any) -> set[str]:
        return {str(number) for number in site.listed_ids() if not site.row(number).get("description")}

    def bid(self, site: Any, identity: str, count: int) -> int:
        return int(site.bid(int(identity), count)["bid_count"])


class _Freemoa(Platform):
    name, spider, stand_in = "freemoa", FreemoaSpider, FreemoaStandIn
    listing, page, step, before, odd = "/m4a/s41a", 10, 10, 2, 125
    shell = "/m4/s41"
    """The page that has the listing asked for."""
    nameless = ("title_null",)

    def whole(self, projects: int, **options: Any) -> Any:
        # No test is about a deadline that passes meanwhile.
        return super().whole(projects, frozen=True, **options)

    def plain(self, projects: int, **options: Any) -> Any:
        return self.whole(projects, **self.ordinary | options)

    def _pages(self, site: Any) -> Iterator[int]:
        for seen in site.requests:
            if seen.path == self.listing:
                yield int(dict(pair.partition("=")[::2] for pair in seen.body.split("&"))["page"])

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        return {told["external_id"]: _columns.freemoa(told, site.layout) for told in site.projects}

    def leave(self, site: Any, identity: str) -> None:
        site.remove(int(identity))


class _Guru(Platform):
    name, spider, stand_in = "guru", GuruSpider, GuruStandIn
    listing, page, step, odd = "/d/jobs", 20, 20, 110
    ordinary: ClassVar = {"odd_rows": False, "featured": 0}

    def _pages(self, site: Any) -> Iterator[int]:
        for seen in site.requests:
            if seen.path.startswith(self.listing):
                _, _, number = seen.path.rstrip("/").rpartition("/pg/")
                yield int(number) if number.isdecimal() else 1

    def details(self, site: Any) -> list[str]:
        return [seen.path.rpartition("/")[2] for seen in site.requests if seen.path.startswith("/jobs/")]

    def wanting(self, site: Any) -> set[str]:
        return {number for number, item in site.expected("list").items() if not item["description_complete"]}

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        # A job's own page is read only where the listing has no full text.
        listed, full, cut = site.expected("list"), site.expected("full"), self.wanting(site)
        return {number: _columns.guru((full if number in cut else listed)[number]) for number in listed}

    def incurable(self, site: Any) -> set[str]:
        return {site.odd[name] for name in ("json_ld_missing", "description_missing") if name in site.odd}

    def bid(self, site: Any, identity: str, count: int) -> int:
        return int(site.quote(identity, count))


class _PeoplePerHour(Platform):
    name, spider, stand_in = "peopleperhour", PeoplePerHourSpider, PeoplePerHourStandIn
    listing, page, step, odd = "/freelance-jobs", 20, 20, 250
    unseen = ("public_name",)

    def _pages(self, site: Any) -> Iterator[int]:
        return (int(seen.query["page"]) for seen in site.requests if "page" in seen.query)

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        return {number: _columns.peopleperhour(told) for number, told in site.projects.items()}

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"description": _columns.words(row["description"])}

    def bid(self, site: Any, identity: str, count: int) -> int:
        return int(site.bid(identity, count))


class _Upwork(Platform):
    spider, stand_in = UpworkSpider, UpworkStandIn
    page, step = 50, 50
    query, token = "/graphql", "/api/v3/oauth2/token"
    search = "/nx/search/jobs"

    def account(self, site: Any) -> dict[str, str]:
        """Return the settings of an account that the site has just let in."""
        told = site.state()["credentials"]
        return {f"UPWORK_{name.upper()}": told[name] for name in ("client_id", "client_secret", "refresh_token")}

    def asked(self, site: Any, path: str) -> int:
        """Return how often a path was asked for."""
        return sum(seen.path.rstrip("/") == path for seen in site.requests)

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"description": _columns.words(row["description"])}


class _UpworkApi(_Upwork):
    name, listing, odd, looks = "upwork-api", _Upwork.query, 170, 2
    asks_robots = believes_empty = False

    def settings(self, site: Any) -> dict[str, Any]:
        # A token is good once: the crawls of one test share an account.
        if not hasattr(site, "account_of_the_test"):
            site.account_of_the_test = self.account(site)
        return site.account_of_the_test

    def _pages(self, site: Any) -> Iterator[int]:
        return iter(range(1, 1 + self.asked(site, self.listing)))

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        return {told["external_id"]: _columns.upwork(told) for told in site.projects}


class _UpworkPages(_Upwork):
    """Its pages as they are before scripts have run: in this process there is no browser."""

    name, listing, odd, tells_bids = "upwork-pages", _Upwork.search, 120, False
    tries = 2

    def settings(self, site: Any) -> dict[str, Any]:
        return dict.fromkeys(self.account(site), "")

    def _pages(self, site: Any) -> Iterator[int]:
        return (int(seen.query.get("page", 1)) for seen in site.requests if seen.path.rstrip("/") == self.listing)

    def details(self, site: Any) -> list[str]:
        paths = [seen.path for seen in site.requests if seen.path.startswith("/jobs/~")]
        return [path.removeprefix("/jobs/~02").rstrip("/") for path in paths]

    def wanting(self, site: Any) -> set[str]:
        return {told["external_id"] for told in site.state_projects if not told["description"]}

    def order(self, site: Any) -> list[str]:
        return [str(job.id) for job in site.shown_jobs()]

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        both = zip(site.state_projects, site.detailed_projects, strict=True)
        return {short["external_id"]: _columns.upwork_page(short, whole) for short, whole in both}


class _Wishket(Platform):
    name, spider, stand_in = "wishket", WishketSpider, WishketStandIn
    listing, page, step, odd = "/project/", 10, 10, 120
    nothing: ClassVar = {"query": "없는말"}
    unseen = ("******",)
    #: Without the platform's Crawl-delay, which tests of their own look at.
    robots = "User-agent: *\nDisallow: /accounts/\n"
    nameless = ("no_title",)

    def plain(self, projects: int, **options: Any) -> Any:
        return self.whole(projects, **self.ordinary | options)

    def whole(self, projects: int, **options: Any) -> Any:
        # Yesterday at noon in Korea: no test is about what happens when a day ends meanwhile.
        now = time.time() // 86_400 * 86_400 - 21 * 3600
        site = ListedWishket(projects, **{"now": now} | options)
        site.robots = self.robots
        return site

    def steady(self, projects: int) -> Any:
        return self.plain(projects)

    def _pages(self, site: Any) -> Iterator[int]:
        return (int(query_of(str(seen.query["d"]))["page"]) for seen in site.requests if seen.path == self.listing)

    def details(self, site: Any) -> list[str]:
        paths = [seen.path.strip("/").split("/") for seen in site.requests]
        return [parts[1] for parts in paths if parts[0] == "project" and len(parts) == 2]

    def wanting(self, site: Any) -> set[str]:
        return {number for number in self.ids(site) if not site.row(int(number)).private}

    def columns(self, site: Any) -> dict[str, dict[str, Any]]:
        both = zip(site.projects, site.detailed_projects, strict=True)
        return {card["external_id"]: _columns.wishket(card, page, site) for card, page in both}

    def misread(self, site: Any) -> list[str]:
        return [f"/project/{site.odd['json_ld_invalid']}/"] if "json_ld_invalid" in site.odd else []

    def leave(self, site: Any, identity: str) -> None:
        site.remove(int(identity))


class ListedWishket(WishketStandIn):
    """Has the faults of the listing there alone, and knows its layouts as faults."""

    OWN_FAULTS = (*WishketStandIn.OWN_FAULTS, "2023")
    #: The one project whose page is faulty, instead of the listing.
    faulty: int | None = None

    def _due(self, request: web.BaseRequest) -> Any:
        wanted = "/project/" if self.faulty is None else f"/project/{self.faulty}/"
        return super()._due(request) if request.path == wanted else None


class _SavedWishketSpider(WishketSpider):
    """Reads the pages themselves, as they are saved from a browser."""

    def listing_request(self, page: int) -> Request:
        return Request(super().listing_request(page).url)


class _SavedWishket(_Wishket):
    name, spider, believes_empty = "wishket-saved", _SavedWishketSpider, False


FREELANCER, FREEMOA, GURU, PEOPLEPERHOUR, WISHKET = (
    kind() for kind in (_Freelancer, _Freemoa, _Guru, _PeoplePerHour, _Wishket)
)
UPWORK_API, UPWORK_PAGES, SAVED_WISHKET = _UpworkApi(), _UpworkPages(), _SavedWishket()
PLATFORMS: tuple[Platform, ...] = (FREELANCER, FREEMOA, GURU, PEOPLEPERHOUR, UPWORK_API, UPWORK_PAGES, WISHKET)
#: Other forms of the same listing, where it is the form that matters.
FORMS: tuple[Platform, ...] = (*PLATFORMS, SAVED_WISHKET)

"""See whether a crawl was as the platform's crawls usually are, and say in words what was not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response

from outsourcing_spiders.items import Project
from outsourcing_spiders.middlewares.block_guard import flaw_of
from outsourcing_spiders.middlewares.kept_pages import decoded_headers
from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.parsing.coverage import Coverage, missing_share
from outsourcing_spiders.storage.judgement import DETAILED, LISTED, Finding, Shares

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from outsourcing_spiders.storage.health import Review
    from outsourcing_spiders.storage.store import Store

logger = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds that the comparison may take; it is a matter of milliseconds."""

_LARGEST_HELD = 4 * 1024 * 1024
"""Bytes of a page that is held, of which there are four at most; what is kept is cut by `storage.pages`."""


class _Page(NamedTuple):
    part: str
    response: Response


class Health:
    """Count the fields of valid items, hold on to the pages that could show what is wrong, and compare at the end.

    `pipelines.validation` tells of the items, and `run_log` asks for the comparison once the run is logged. What is
    found goes to the log, to ``platform_health``, and into the statistic ``outsourcing/health/findings``, where the
    monitors of `extensions.alarms` find it. Spidermon's own coverage and history are not used: see `Coverage`, and
    its history is a pickle in a folder of one machine.
    """

    def __init__(self, crawler: Crawler) -> None:
        # Here and below: only crawls that store need the drivers of a database.
        self.coverage = Coverage()
        self._crawler = crawler
        self._first: dict[str, Response] = {}
        self._last: dict[str, Response] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        # Not when the crawl ends: the egg that it runs from may be deleted by then.
        import outsourcing_spiders.storage.health  # noqa: F401

        extension = cls(crawler)
        crawler.signals.connect(extension._on_answer, signal=signals.response_received)
        return extension

    def _on_answer(self, response: Response) -> None:
        request = response.request
        if request is None or response.status != 200 or flaw_of(response) is not None:
            return
        item = request.cb_kwargs.get("item")
        if isinstance(item, Project):
            self.coverage.page_read(item.external_id)
            part = DETAILED
        elif "listing_page" in request.meta:
            part = LISTED
        else:
            return
        if len(response.body) <= _LARGEST_HELD:
            self._first.setdefault(part, response)
            self._last[part] = response

    def measures(self, spider: Any) -> dict[str, Any]:
        """Return what is stored with the run for later ones to compare with. Never raises: the run is to be logged."""
        try:
            return self._measures(spider)
        except Exception:
            logger.exception("What the items of this crawl hold could not be counted")
            return {}

    def _measures(self, spider: Any) -> dict[str, Any]:
        from outsourcing_spiders.storage.health import measures

        coverage = self.coverage
        coverage.tally()
        bounds = [f"max_pages={spider.max_pages}"] if spider.max_pages else []
        bounds += [name for name in ("since", "full") if getattr(spider, name)]
        listed, detailed = (Shares(part.rows, part.filled) for part in (coverage.listed, coverage.detailed))
        return measures(type(spider).__name__, " ".join(bounds), listed, detailed)

    async def compare(self, store: Store, spider: Any) -> None:
        """Compare the run, which is logged already, and say what is new. Never raises."""
        if store.run_id is None:
            return
        from outsourcing_spiders.storage.engine import message

        try:
            from outsourcing_spiders.storage.health import review

            async with asyncio.timeout(_PATIENCE), store.database.engine.begin() as connection:

                async def keep(part: str, findings: Sequence[Finding]) -> int | None:
                    return await self._keep(connection, store, spider, part, findings)

                told = await review(connection, store.run_id, keep)
        except Exception as error:
            logger.warning("This crawl could not be compared with earlier ones: %s", message(error))
            return
        self._say(spider.name, told)

    def _say(self, name: str, told: Review) -> None:
        said = []
        for finding, page in told.found:
            since = f"since {finding.since.astimezone(UTC):%Y-%m-%d %H:%M}, run {finding.since_run}"
            kept = f"; page kept: `scrapy db pages {page}`" if page is not None else ""
            said.append(f"{name}: {finding.words} ({since}){kept}")
            logger.warning("%s", said[-1])
        for was, since_when, words in told.back:
            logger.info("%s: %s (since %s UTC: %s)", name, words, f"{since_when.astimezone(UTC):%Y-%m-%d %H:%M}", was)
        if said:
            self._crawler.stats.set_value("outsourcing/health/findings", said)
        self._crawler.stats.set_value("outsourcing/health/found", len(said))

    async def _keep(
        self, connection: AsyncConnection, store: Store, spider: Any, part: str, findings: Sequence[Finding]
    ) -> int | None:
        from outsourcing_spiders.storage.pages import keep_page

        names = [finding.subject.partition(":")[2] for finding in findings]
        # A project's own page says nothing without its listing, and a listing nothing of what only those have.
        pages = [_Page(part, pages[part]) for pages in (self._last, self._first) if part in pages]
        if not pages:
            return None
        worst = max(pages, key=lambda page: _missing(spider, page, names))
        response = worst.response
        return await keep_page(
            connection,
            run_id=store.run_id,
            spider=spider.name,
            url=response.url,
            status=response.status,
            headers={name: ", ".join(values) for name, values in decoded_headers(response)},
            body=response.body,
            reason=CloseReason.LAYOUT_CHANGED,
            finding="; ".join(finding.words for finding in findings),
            expires_at=spider.expires_at(response),
            scrub=store.scrub,
        )


def _missing(spider: Any, page: _Page, names: Sequence[str]) -> float:
    """Return how much of what is missed is missing on a page, by reading it once more."""
    try:
        if page.part == DETAILED:
            items = [page.response.cb_kwargs["item"]]
        else:
            found = (spider.item(row, page.response) for row in spider.rows(page.response))
            items = [item for item in found if item is not None]
    except Exception:
        # Nothing of it can be read: it shows more than any other.
        return float(len(names))
    return sum(missing_share(items, name) for name in names)

"""Log what became of a crawl: a row in ``crawl_runs``, and a summary that a person can read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.extensions.health import Health
from outsourcing_spiders.extensions.log_redaction import hide_in
from outsourcing_spiders.middlewares.conditional import ConditionalMiddleware
from outsourcing_spiders.middlewares.pacing import PacingMiddleware
from outsourcing_spiders.outcomes import CloseReason, Outcome, close_reason, judge
from outsourcing_spiders.pipelines.storage import StoragePipeline

if TYPE_CHECKING:
    from outsourcing_spiders.storage.store import Store
    from outsourcing_spiders.storage.writer import Totals

logger = logging.getLogger(__name__)

_PREFIX = "outsourcing/"


class RunLog:
    """Write the end of the run when the spider closes; the pipelines have stored everything by then."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._started = datetime.now(UTC)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension, where anything is stored."""
        if not crawler.settings.getbool("STORAGE_ENABLED"):
            raise NotConfigured("STORAGE_ENABLED is off")
        extension = cls(crawler)
        crawler.signals.connect(extension._on_item_error, signal=signals.item_error)
        crawler.signals.connect(extension._on_closed, signal=signals.spider_closed)
        return extension

    def _on_item_error(self) -> None:
        # Scrapy counts what is scraped and what is dropped, but not this.
        self._crawler.stats.inc_value("item_error_count")

    async def _on_closed(self, spider: Any, reason: str) -> None:
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if pipeline is None:
            return
        from outsourcing_spiders.storage.engine import message

        store, stats = pipeline.store, self._crawler.stats
        totals = store.totals
        scraped = sum(stats.get_value(f"item_{fate}_count", 0) for fate in ("scraped", "dropped", "error"))
        requests = stats.get_value("downloader/request_count", 0)
        errors = sum(stats.get_value(name, 0) for name in ("spider_exceptions/count", "item_error_count"))
        # A listing is whole only when its end was reached and nothing on the way was lost.
        is_whole = reason in _READ_TO_THE_END and not (errors or store.failure or totals.spooled)
        whole = spider.whole_since if is_whole else None
        counts = {
            "items_scraped": scraped,
            "written": totals.written,
            "unchanged": totals.unchanged,
            "merged": totals.merged,
            "rejected": totals.rejected,
            "spooled": totals.spooled,
            "requests": requests,
        }
        ours = {key.removeprefix(_PREFIX): value for key, value in stats.get_stats().items() if key.startswith(_PREFIX)}
        details: dict[str, Any] = {
            "new": totals.new,
            "changed": totals.changed,
            "batches": totals.batches,
            "retries": totals.retries,
        }
        if scraped != totals.accounted:
            stats.set_value("outsourcing/unaccounted", scraped - totals.accounted)
        # What Scrapyd does not tell of its jobs, or forgets.
        details["exit_code"] = 1 if judge(reason, spider.outcome, stats.get_stats()) else 0
        if (health := self._crawler.get_extension(Health)) is not None:
            details["health"] = health.measures(spider)
        if job := spider.job:
            details["job"] = job
        if egg := _egg():
            details["egg"] = egg
        if isinstance(spider.outcome, Outcome):
            details["message"] = str(spider.outcome)
        if (named := close_reason(reason)) != reason:
            details["ended_by"] = reason
        is_logged = False
        try:
            await store.finish(reason=named, whole_since=whole, counts=counts, stats=hide_in(details | ours))
            is_logged = True
            if whole is not None and (conditional := self._crawler.get_downloader_middleware(ConditionalMiddleware)):
                await store.store_validators(conditional.found)
            if requests and store.is_open:
                await self._note_block(store, spider, was_let_in=scraped > 0 or named in _READ_TO_THE_END)
            await store.tidy()
        except Exception as error:
            if is_logged:
                logger.warning("Not all that this crawl learned could be stored: %s", message(error))
            else:
                logger.error(
                    "The end of this crawl could not be logged in crawl_runs (%s); the next one notes it as killed",
                    message(error),
                )
        if store.run_id is None:
            # The database was never open: why is said already, and there is nothing to sum up.
            return
        for line in self._summary(spider.name, reason, totals, scraped, requests, ours, store.database.name):
            logger.info("%s", line)
        if health is not None and is_logged:
            await health.compare(store, spider)
        if scraped != totals.accounted:
            stats.set_value("outsourcing/unaccounted", scraped - totals.accounted)
            logger.error("%d items were scraped, but %d are accounted for", scraped, totals.accounted)

    async def _note_block(self, store: Store, spider: Any, *, was_let_in: bool) -> None:
        """Let the next crawls leave a platform alone that refused this one, or that wants a long rest now.

        Why the crawl ended is another matter: one that was told to stop, too, may have met a refusal.
        """
        from outsourcing_spiders.storage.blocks import PAUSES

        pacing = self._crawler.get_downloader_middleware(PacingMiddleware)
        # What one more request would have ended this crawl with is kept by those that follow.
        rest = None if pacing is None else pacing.long_rest(urlsplit(spider.base_url).hostname or "")
        outcome: Outcome | None = rest
        if isinstance(spider.outcome, Outcome) and spider.outcome.reason in PAUSES:
            outcome = spider.outcome
        elif was_let_in:
            await store.forget_block(spider.host)
        if outcome is None:
            return
        asked = max((told.retry_at for told in (outcome, rest) if told and told.retry_at), default=None)
        block = await store.remember_block(spider.host, reason=outcome.reason, message=str(outcome), asked=asked)
        logger.info("%s is left alone until %s UTC", spider.host, f"{block.retry_at.astimezone(UTC):%Y-%m-%d %H:%M}")

    def _summary(
        self, name: str, reason: str, totals: Totals, scraped: int, requests: int, ours: dict[str, Any], database: str
    ) -> list[str]:
        seconds = (datetime.now(UTC) - self._started).total_seconds()
        found, asked = _counting(scraped, "project"), _counting(requests, "request")
        lines = [
            f"{name} {reason.replace('_', ' ')}: {found} from {asked} in {seconds:.0f} s",
            f"  stored    {totals.new} new, {totals.changed} changed, {totals.unchanged} unchanged"
            + (f", {totals.merged} met twice" if totals.merged else ""),
        ]
        if totals.rejected:
            reasons = _counted(ours, "rejected/")
            lines.append(f"  rejected  {totals.rejected} ({reasons}); see the table rejected_items")
        if skipped := _counted(ours, "skipped/"):
            lines.append(f"  left out  {skipped}")
        if unusable := _counted(ours, "unusable/"):
            lines.append(f"  unusable  values, stored as unknown: {unusable}")
        if totals.spooled:
            lines.append(f"  on disk   {totals.spooled}, to be stored by the next crawl or `scrapy db replay`")
        lines.append(f"  database  {database}; look with `scrapy db status`")
        return lines


def _egg() -> str | None:
    """Return the name of the archive that this code was read from, which Scrapyd gives each version; else ``None``."""
    archive = getattr(__spec__ and __spec__.loader, "archive", None)
    return Path(archive).stem if archive else None


_READ_TO_THE_END = frozenset({CloseReason.FINISHED, CloseReason.UP_TO_DATE})


def _counting(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _counted(stats: dict[str, Any], prefix: str) -> str:
    counted = {key.removeprefix(prefix): value for key, value in stats.items() if key.startswith(prefix)}
    return ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in sorted(counted.items(), key=_most_first))


def _most_first(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]

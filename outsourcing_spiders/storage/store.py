"""Everything that one crawl asks of its database, behind one door."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.outcomes import CloseReason, DatabaseUnreachable, StorageError
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.storage.blocks import Block, current_block, forget_block, remember_block
from outsourcing_spiders.storage.engine import Database, explained, message
from outsourcing_spiders.storage.exchange_rates import load_rates, store_rates
from outsourcing_spiders.storage.expiry import prune
from outsourcing_spiders.storage.full_texts import with_full_text
from outsourcing_spiders.storage.pages import Scrub, keep_page
from outsourcing_spiders.storage.rejections import insert_rejections, rejection_line
from outsourcing_spiders.storage.replay import replay
from outsourcing_spiders.storage.rows import PreparedRow
from outsourcing_spiders.storage.run_liveness import RunLease, count_running, mark_killed
from outsourcing_spiders.storage.runs import Anchor, find_anchor, finish_run, known_ids
from outsourcing_spiders.storage.spool import Spool
from outsourcing_spiders.storage.text_search import TextIndexer
from outsourcing_spiders.storage.validators import Validators, load_validators, store_validators
from outsourcing_spiders.storage.writer import Batch, Totals, Writer

logger = logging.getLogger(__name__)


class Store:
    """The database during one crawl of `spider`.

    `open` is the first contact: it stores what an earlier crawl had to leave on disk, and logs the run.
    `finish` logs its end; `close` gives the connections back. `on_failure` is called once, when rows have
    to go to the spool. `scrub` takes secrets and personal data out of what is kept for diagnosis.
    """

    def __init__(
        self,
        database: Database,
        spool_root: Path,
        *,
        spider: str,
        listing: str,
        retry_for: float,
        index_for: float,
        on_failure: Callable[[StorageError], None],
        scrub: Scrub = str,
    ) -> None:
        self.database = database
        self.spider = spider
        self.rates = ExchangeRates()
        self.run_id: int | None = None
        self._spool_root = spool_root
        self._listing = listing
        self._retry_for = retry_for
        self._index_for = index_for
        self._on_failure = on_failure
        self.scrub = scrub
        self._writer: Writer | None = None
        self._indexer: TextIndexer | None = None
        self._spool: Spool | None = None
        self._lease: RunLease | None = None
        self._last_moment: float | None = None
        self._limits: set[asyncio.Timeout] = set()

    @property
    def is_open(self) -> bool:
        """Tell whether rows can be submitted."""
        return self._writer is not None

    @property
    def totals(self) -> Totals:
        """Where the rows of this crawl went so far."""
        return self._writer.totals if self._writer is not None else Totals()

    @property
    def failure(self) -> StorageError | None:
        """What made the rows go to the spool, if they do."""
        return self._writer.failure if self._writer is not None else None

    async def open(self) -> Self:
        """Connect, store what is in the spool, log the start of the run; raises `StorageError`."""
        await self.database.open()
        engine = self.database.engine
        self._spool = Spool(self._spool_root, self.database.dsn)
        try:
            with explained(self.database.name):
                await replay(engine, self._spool)
                async with engine.begin() as connection:
                    await prune(connection)
                    await mark_killed(connection)
                    self.rates.add(await load_rates(connection))
                self._lease = RunLease(engine)
                self.run_id = await self._lease.begin(self.spider, self._listing)
        except BaseException:
            await self.database.close()
            raise
        self._writer = Writer(engine, self._spool, retry_for=self._retry_for, on_failure=self._on_failure)
        self._indexer = TextIndexer(engine, self._writer)
        return self

    def submit(self, row: PreparedRow) -> Batch:
        """Put a row into the batch that is written next; see `Writer.submit`."""
        if self._writer is None:
            raise StorageError("a row was submitted before the database was opened")
        return self._writer.submit(row)

    async def reject(self, item: object, reason: str) -> None:
        """Keep an item that is not stored, with the reason; on disk when the database is away."""
        line = rejection_line(item, reason, spider=self.spider, run_id=self.run_id)
        if self.failure is None:
            try:
                async with self._transaction() as connection:
                    await insert_rejections(connection, [line])
                return
            except Exception as error:
                logger.warning("A rejected item goes to the spool, not to rejected_items: %s", message(error))
        assert self._spool is not None
        try:
            self._spool.put("rejected", [line])
        except OSError as error:
            logger.error("A rejected item is lost: neither the database nor the spool takes it (%s)", error)

    async def keep_page(
        self, *, url: str, status: int, headers: Mapping[str, str], body: bytes, reason: str, finding: str,
        expires_at: datetime | None = None,
    ) -> None:  # fmt: skip
        """Keep a page that ends the crawl, for diagnosis, until `expires_at` (aware) at the most.

        Never raises: the crawl has a reason to end already.
        """
        try:
            async with self._transaction() as connection:
                number = await keep_page(
                    connection, run_id=self.run_id, spider=self.spider, url=url, status=status, headers=headers,
                    body=body, reason=reason, finding=finding, scrub=self.scrub, expires_at=expires_at,
                )  # fmt: skip
        except Exception as error:
            logger.warning("The page could not be kept for diagnosis: %s", message(error))
        else:
            logger.info("The page is kept for diagnosis: `scrapy db pages %d` prints it", number)

    async def crawls(self) -> int:
        """Return how many crawls of this spider store into this database now, this one among them."""
        async with self._transaction() as connection:
            return await count_running(connection, self.spider)

    async def block(self, host: str) -> Block | None:
        """Return why `host` is to be left alone now, if it is."""
        async with self._transaction() as connection:
            return await current_block(connection, self.spider, host)

    async def remember_block(
        self, host: str, *, reason: CloseReason, message: str, asked: datetime | None = None
    ) -> Block:
        """Let the next crawls leave `host` alone for a while; until `asked`, at least."""
        async with self.database.engine.begin() as connection:
            return await remember_block(
                connection, self.spider, host, reason=reason, message=self.scrub(message), asked=asked
            )

    async def forget_block(self, host: str) -> None:
        """Note that `host` let this crawl in."""
        async with self.database.engine.begin() as connection:
            await forget_block(connection, self.spider, host)

    async def validators(self) -> dict[str, Validators]:
        """Return the validators of this listing's pages, by address."""
        async with self._transaction() as connection:
            return await load_validators(connection, self.spider, self._listing)

    async def store_validators(self, found: Mapping[str, Validators]) -> None:
        """Remember the validators of pages whose projects are all stored."""
        async with self.database.engine.begin() as connection:
            await store_validators(connection, self.spider, self._listing, found)

    async def anchor(self, wanted: str, *, kept_for: timedelta | None = None) -> Anchor | None:
        """Return the newest crawl of this listing that is whole back to `wanted`; see `find_anchor`."""
        async with self._transaction() as connection:
            return await find_anchor(connection, self.spider, self._listing, wanted, kept_for=kept_for)

    async def known(self, ids: Collection[str], anchor: Anchor) -> set[str]:
        """Return which of `ids` this crawl need not read on from; see `known_ids`."""
        async with self._transaction() as connection:
            return await known_ids(connection, self.spider, ids, anchor.finished_at)

    async def with_full_text(self, ids: Collection[str]) -> set[str]:
        """Return which of `ids` are stored with a full description."""
        async with self._transaction() as connection:
            return await with_full_text(connection, self.spider, ids)

    def hurry(self, seconds: float) -> None:
        """Wait no longer than `seconds` from now on for a server that does not answer: rows then go to the spool.

        The end of the run has half as long again, a second at least. What then still waits is cut off, whatever it is.
        """
        self._index_for = 0
        self._last_moment = asyncio.get_running_loop().time() + seconds
        while self._limits:
            self._limits.pop().reschedule(self._last_moment)
        if self._writer is not None:
            self._writer.hurry(seconds)
        self.database.cut_off(seconds + max(seconds / 2, 1.0))

    async def drain(self) -> None:
        """Wait until every submitted row has its fate, and index texts for a bounded time."""
        if self._writer is None or self._indexer is None:
            return
        await self._writer.close()
        await self._indexer.close(self._index_for)

    async def finish(
        self, *, reason: str, whole_since: str | None, counts: dict[str, int], stats: dict[str, Any]
    ) -> None:
        """Log the end of the run; raises what the driver raises."""
        if self.run_id is None:
            return
        # Alone: a lock on what else there is to do must not take it along.
        async with self.database.engine.begin() as connection:
            await finish_run(
                connection, self.run_id, reason=reason, whole_since=whole_since, counts=counts, stats=stats
            )

    async def tidy(self) -> None:
        """Store the rates that the run learned, and delete what may be kept no longer; raises what the driver raises.

        A crawl that has to hurry leaves the deleting to the next one.
        """
        if self.run_id is None:
            return
        async with self.database.engine.begin() as connection:
            await store_rates(connection, self.rates.take_learned())
            if self._last_moment is None:
                await prune(connection)

    async def close(self) -> None:
        """Give the connections back, after the rows that still wait were written; may be called twice."""
        if self._writer is not None and self._indexer is not None:
            await self._writer.close()
            await self._indexer.close(0)
        if self._lease is not None:
            await self._lease.release()
        await self.database.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection for what comes before the end of a run, and may wait no longer than `hurry` says."""
        try:
            async with asyncio.timeout_at(self._last_moment) as limit:
                self._limits.add(limit)
                try:
                    async with self.database.engine.begin() as connection:
                        yield connection
                finally:
                    self._limits.discard(limit)
        except TimeoutError as error:
            raise DatabaseUnreachable(f"{self.database.name} did not answer in time") from error

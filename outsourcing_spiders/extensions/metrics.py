"""Serve a running crawl's figures to Prometheus; off unless METRICS_PORT is set."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.pipelines.storage import StoragePipeline

if TYPE_CHECKING:
    from prometheus_client import Metric

logger = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds that a client may take to say what it wants, and to take the answer."""
_LARGEST_REQUEST = 16 * 1024
_CLIENTS = 16
"""Clients at a time; more are turned away."""
_STATUSES = frozenset(range(100, 600))

_COUNTERS = {
    "outsourcing_items_scraped": ("Items that the spider made", "items_scraped"),
    "outsourcing_items_rejected": ("Items that could not be stored", "items_rejected"),
    "outsourcing_items_merged": ("Items met twice in a batch", "items_merged"),
    "outsourcing_items_spooled": ("Items that wait on disk for the database", "items_spooled"),
    "outsourcing_rows_left_out": ("Rows of the listing that are no projects for freelancers", "left_out"),
    "outsourcing_values_unusable": ("Values that were stored as unknown", "unusable"),
    "outsourcing_requests": ("Requests sent, retries included", "downloader/request_count"),
    "outsourcing_response_bytes": ("Bytes received, as they came", "downloader/response_bytes"),
    "outsourcing_download_errors": ("Requests that got no answer", "downloader/exception_count"),
    "outsourcing_retries": ("Requests that were sent again", "retry/count"),
    "outsourcing_database_retries": ("Batches that the database did not take at once", "database_retries"),
    "outsourcing_spider_errors": ("Errors in the spider and the pipelines", "errors"),
}
"""Name without ``_total``: what it counts, and where that is found."""


class CrawlCollector:
    """Read the figures of one crawl when they are asked for: nothing is counted for it, and no item costs more."""

    def __init__(self, crawler: Crawler, started: datetime) -> None:
        self._crawler = crawler
        self._started = started

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; the only labels are spider, status, change and level, whose values are few."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        crawler = self._crawler
        stats: dict[str, Any] = crawler.stats.get_stats()
        name: str = crawler.spider.name if crawler.spider is not None else ""
        totals = self._totals()
        found = stats | {
            "items_scraped": sum(stats.get(f"item_{fate}_count", 0) for fate in ("scraped", "dropped", "error")),
            "items_rejected": totals["rejected"],
            "items_merged": totals["merged"],
            "items_spooled": totals["spooled"],
            "database_retries": totals["retries"],
            "left_out": _sum(stats, "outsourcing/skipped/"),
            "unusable": _sum(stats, "outsourcing/unusable/"),
            "errors": stats.get("spider_exceptions/count", 0) + stats.get("item_error_count", 0),
        }
        for metric, (text, key) in _COUNTERS.items():
            yield _one(CounterMetricFamily(metric, text, labels=["spider"]), name, found.get(key, 0))
        stored = CounterMetricFamily("outsourcing_items_stored", "Items that are stored", labels=["spider", "change"])
        for change in ("new", "changed", "unchanged"):
            stored.add_metric([name, change], totals[change])
        yield stored
        answers = CounterMetricFamily("outsourcing_responses", "Answers received", labels=["spider", "status"])
        for key, count in sorted(stats.items()):
            status = key.removeprefix("downloader/response_status_count/")
            if status != key and status.isdigit() and int(status) in _STATUSES:
                answers.add_metric([name, status], count)
        yield answers
        lines = CounterMetricFamily("outsourcing_log_lines", "Lines of the log", labels=["spider", "level"])
        for level in ("WARNING", "ERROR", "CRITICAL"):
            lines.add_metric([name, level.lower()], stats.get(f"log_count/{level}", 0))
        yield lines
        total = stats.get("outsourcing/listing/total")
        if total is not None:
            yield _one(
                GaugeMetricFamily("outsourcing_listing_rows", "Rows of the listing, as it says", labels=["spider"]),
                name, total,
            )  # fmt: skip
        active, waiting = self._requests()
        for metric, text, value in (
            ("outsourcing_requests_in_progress", "Requests that wait for their answers", active),
            ("outsourcing_requests_waiting", "Requests that wait for their turn", waiting),
            ("outsourcing_crawl_start_time_seconds", "When the crawl began, in Unix time", self._started.timestamp()),
        ):
            yield _one(GaugeMetricFamily(metric, text, labels=["spider"]), name, value)

    def _totals(self) -> dict[str, int]:
        names = ("new", "changed", "unchanged", "merged", "rejected", "spooled", "retries")
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        totals = pipeline.store.totals if pipeline is not None else None
        return {name: getattr(totals, name, 0) for name in names}

    def _requests(self) -> tuple[int, int]:
        # Before it begins, and when it is over, Scrapy has none of these.
        with suppress(AttributeError, TypeError, RuntimeError):
            engine: Any = self._crawler.engine
            return len(engine.downloader.active), len(engine._slot.scheduler)
        return 0, 0


class Metrics:
    """Answer ``GET /metrics`` on METRICS_HOST and METRICS_PORT while the spider is open.

    In the loop of the crawl, not in a thread as prometheus_client would have it: Scrapy's statistics change under a
    reader in another thread. There is nothing secret in the figures, but on other hosts than this one they are for you
    to protect.
    """

    def __init__(self, crawler: Crawler, ports: range) -> None:
        self._crawler = crawler
        self._ports = ports
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self.address: tuple[str, int] | None = None
        """Where it listens, once it does."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension where a port is set; of a wrong one the log has a sentence."""
        said = str(crawler.settings.get("METRICS_PORT") or "").strip()
        if said in ("", "0"):
            raise NotConfigured
        try:
            ports = _ports(said)
        except ValueError:
            # Here, for a log of this project leaves Scrapy's lines about what is disabled out.
            logger.warning(
                "METRICS_PORT=%r is neither a port nor a range of ports such as 9410-9419; there are no metrics", said
            )
            raise NotConfigured from None
        try:
            import prometheus_client  # noqa: F401
        except ImportError:
            logger.warning("METRICS_PORT is set, but prometheus-client is not installed; there are no metrics")
            raise NotConfigured from None
        extension = cls(crawler, ports)
        crawler.signals.connect(extension._on_opened, signal=signals.spider_opened)
        crawler.signals.connect(extension._on_stopped, signal=signals.engine_stopped)
        return extension

    async def _on_opened(self) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector

        self._registry = CollectorRegistry()
        self._registry.register(CrawlCollector(self._crawler, datetime.now(UTC)))
        ProcessCollector(registry=self._registry)
        host = str(self._crawler.settings.get("METRICS_HOST") or "127.0.0.1")
        last: Exception | None = None
        for port in self._ports:
            try:
                self._server = await asyncio.start_server(self._serve, host, port, limit=_LARGEST_REQUEST)
                break
            except (OSError, ValueError) as error:
                last = error
                if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
                    # The host is none, and is none on the next port, too.
                    break
        if self._server is None:
            where = f"{_bracketed(host)}:{self._ports[0]}" + (f"-{self._ports[-1]}" if len(self._ports) > 1 else "")
            logger.warning("There are no metrics of this crawl: %s cannot be listened on (%s)", where, last)
            return
        self.address = self._server.sockets[0].getsockname()[:2]
        logger.info("Metrics for Prometheus: http://%s:%d/metrics", _bracketed(self.address[0]), self.address[1])

    async def _on_stopped(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for task in self._answering:
                task.cancel()
            await asyncio.gather(*self._answering, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._answering) >= _CLIENTS:
            writer.close()
            return
        self._answering.add(task)
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head.decode("latin-1")))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # A client that says nothing sensible gets no answer, and what one does not take is not kept for it.
            writer.transport.abort()
        except Exception:
            logger.exception("A request for metrics failed")
        finally:
            self._answering.discard(task)
            writer.close()

    def _answer(self, head: str) -> bytes:
        """Return the whole answer to the head of a request."""
        from prometheus_client.exposition import choose_encoder

        request, *lines = head.split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if method not in ("GET", "HEAD"):
            return _response(
                "405 Method Not Allowed", b"only GET\n", "text/plain; charset=utf-8", extra="Allow: GET\r\n"
            )
        if path not in ("/metrics", "/"):
            return _response("404 Not Found", b"see /metrics\n", "text/plain; charset=utf-8")
        encode, content_type = choose_encoder(headers.get("accept", ""))
        answer = _response("200 OK", encode(self._registry), content_type)
        return answer if method == "GET" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def _response(status: str, body: bytes, content_type: str, *, extra: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"{extra}Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _ports(said: str) -> range:
    first, dash, last = said.partition("-")
    begin, end = int(first), int(last if dash else first)
    if not 0 < begin <= end < 65_536 or end - begin > 1_000:
        raise ValueError(said)
    return range(begin, end + 1)


def _one(family: Any, name: str, value: float) -> Any:
    family.add_metric([name], value)
    return family


def _sum(stats: dict[str, Any], prefix: str) -> int:
    return sum(value for key, value in stats.items() if key.startswith(prefix))

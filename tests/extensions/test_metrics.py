"""What Prometheus reads of a running crawl, over a real socket, with Prometheus' own parser."""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, project_settings
from _ports import kept_port
from conftest import Server, _administer
from platforms_standins.freelancer import FreelancerStandIn
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.settings import Settings

from outsourcing_spiders.commands._preparation import store_nothing
from outsourcing_spiders.extensions.alarms import Alarms
from outsourcing_spiders.extensions.metrics import Metrics
from outsourcing_spiders.spiders.freelancer import FreelancerSpider
from outsourcing_spiders.storage.engine import Database

SECRET = "t0ken-s3cret"
_numbers = itertools.count()


@pytest.fixture
async def url(embedded_server: Server, open_folder: Path) -> AsyncIterator[str]:
    """DATABASE_URL of a new database."""
    name = f"metrics_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(name), embedded_root=open_folder):
        pass
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def taken_port(host: str = "127.0.0.1") -> Iterator[int]:
    with socket.create_server((host, 0)) as listener:
        yield listener.getsockname()[1]


async def asked(port: int, request: str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") -> tuple[str, str]:
    """Send a request as it is; return the head and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request.encode())
        answer = (await reader.read()).decode()
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return head, body


def values(body: str) -> dict[str, float]:
    """Return the value of each sample by its name and labels; the parser complains of what is wrong."""
    found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_a_running_crawl_is_read(url: str, tmp_path: Path) -> None:
    answers = []

    async def look(*requests: str) -> None:
        try:
            answers.extend([await asked(port, *([request] if request else [])) for request in requests])
        finally:
            site.heal()

    looks: list[asyncio.Task[None]] = []

    def on_item(number: int, done: Crawl) -> None:
        if number == 150:
            wants = "GET / HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n"
            looks.append(asyncio.ensure_future(look("", wants)))

    async with FreelancerStandIn(projects=900, seed=2, odd_rows=False, tokens=[SECRET]) as site:
        # Until it has been looked at.
        site.fail("held", after=2)
        with kept_port() as port:
            settings = {"METRICS_PORT": port, "FREELANCER_TOKEN": SECRET}
            done = await crawl(url, tmp_path, settings=settings, base_url=site.base_url, on_item=on_item, max_pages=6)
            with pytest.raises(OSError, match=r"."):
                await asked(port)
    await asyncio.gather(*looks)
    assert (
        f"INFO outsourcing_spiders.extensions.metrics: Metrics for Prometheus: http://127.0.0.1:{port}/metrics"
        in done.log
    )
    (head, body), (_, open_body) = answers
    assert head.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
    assert f"\r\nContent-Length: {len(body)}\r\n" in head
    assert SECRET not in body + open_body
    found = values(body)
    assert 100 < found["outsourcing_items_scraped_total{spider=freelancer}"] <= len(done.items)
    assert found["outsourcing_items_stored_total{change=new,spider=freelancer}"] > 100
    assert found["outsourcing_requests_total{spider=freelancer}"] >= 2
    assert found["outsourcing_responses_total{spider=freelancer,status=200}"] >= 2
    assert found["outsourcing_items_rejected_total{spider=freelancer}"] == 0
    assert found["outsourcing_listing_rows{spider=freelancer}"] == 900
    assert found["outsourcing_log_lines_total{level=error,spider=freelancer}"] == 0
    assert found["outsourcing_crawl_start_time_seconds{spider=freelancer}"] > 1.7e9
    assert found["outsourcing_response_bytes_total{spider=freelancer}"] > 1_000
    assert {"outsourcing_requests_in_progress{spider=freelancer}", "process_resident_memory_bytes{}"} <= found.keys()
    names = {name.partition("{")[0] for name in found}
    assert {name for name in names if not name.startswith(("outsourcing_", "process_"))} == set()
    families = {family.name for family in openmetrics_parser.text_string_to_metric_families(open_body)}
    assert {"outsourcing_items_stored", "outsourcing_requests"} <= families


async def test_a_taken_port_costs_one_warning(url: str, tmp_path: Path) -> None:
    async with FreelancerStandIn(projects=5, seed=2, odd_rows=False) as site:
        with taken_port() as port:
            done = await crawl(url, tmp_path, settings={"METRICS_PORT": str(port)}, base_url=site.base_url)
    assert done.reason == "finished"
    (warning,) = [line for line in done.log if "extensions.metrics:" in line]
    assert warning.startswith(f"WARNING outsourcing_spiders.extensions.metrics: There are no metrics of this crawl: "
                              f"127.0.0.1:{port} cannot be listened on")  # fmt: skip


# --- without a crawl ----------------------------------------------------------------------------------------------


def made(**settings: Any) -> Metrics:
    """Return the extension of a crawl that has not begun."""
    crawler = Crawler(FreelancerSpider, project_settings(STORAGE_ENABLED=False, **settings))
    crawler._apply_settings()
    crawler.get_item_pipeline = lambda cls: None  # type: ignore[method-assign]
    return Metrics.from_crawler(crawler)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of an extension that answers."""
    with kept_port() as kept:
        extension = made(METRICS_PORT=kept)
        await extension._on_opened()
        assert extension.address == ("127.0.0.1", kept)
        yield kept
        await extension._on_stopped()


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        ("GET / HTTP/1.1\r\n\r\n", "200 OK", "# HELP "),
        ("GET /metrics?x=1 HTTP/1.0\r\nACCEPT: text/html\r\n\r\n", "200 OK", "# HELP "),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK", ""),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "only GET"),
        ("GET /secrets HTTP/1.1\r\n\r\n", "404 Not Found", "see /metrics"),
    ],
    ids=str,
)
async def test_an_answer(port: int, request_: str, status: str, body: str) -> None:
    head, said = await asked(port, request_)
    assert head.startswith(f"HTTP/1.1 {status}\r\n")
    assert said.startswith(body)
    assert bool(said) is bool(body)


async def test_nonsense_gets_no_answer_and_does_no_harm(port: int) -> None:
    # As the system has it where the end comes before all was read.
    with suppress(ConnectionResetError):
        assert await asked(port, "x" * 40_000 + "\r\n\r\n") == ("", "")
    for request in ("\x16\x03\x01\r\n\r\n", "\r\n\r\n"):
        assert (await asked(port, request))[0].startswith("HTTP/1.1 405 ")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    assert (await asked(port))[0].startswith("HTTP/1.1 200 ")
    assert await reader.read() == b""


async def test_a_range_takes_the_first_free_port() -> None:
    with kept_port() as begin:
        end = min(begin + 500, 65_535)
        first, second = (made(METRICS_PORT=f"{begin}-{end}") for _ in range(2))
        await first._on_opened()
        await second._on_opened()
    assert first.address == ("127.0.0.1", begin)
    assert second.address is not None
    assert begin < second.address[1] <= end
    await first._on_stopped()
    await second._on_stopped()


@pytest.mark.parametrize("port", ["", "0", 0, None])
def test_it_is_off_by_default(port: object) -> None:
    with pytest.raises(NotConfigured, match=r"^$"):
        made(METRICS_PORT=port)


@pytest.mark.parametrize("port", ["http", "70000", "9419-9410", "-5", "1-60000", "9410-"])
def test_a_wrong_port_is_told(port: str, caplog: pytest.LogCaptureFixture) -> None:
    # By its own logger: of what Scrapy says of disabled extensions the log has nothing.
    with pytest.raises(NotConfigured, match=r"^$"):
        made(METRICS_PORT=port)
    (line,) = {each.getMessage() for each in caplog.records if each.name == "outsourcing_spiders.extensions.metrics"}
    assert line.startswith(f"METRICS_PORT={port!r} is neither a port nor a range of ports")


@pytest.mark.parametrize("host", ["no such host", "x" * 70, "a..b", "192.0.2.1"])
async def test_a_wrong_host_is_told(host: str, caplog: pytest.LogCaptureFixture) -> None:
    extension = made(METRICS_PORT="9410-9412", METRICS_HOST=host)
    await extension._on_opened()
    assert extension.address is None
    (line,) = [each for each in caplog.records if each.name == "outsourcing_spiders.extensions.metrics"]
    assert line.getMessage().startswith(f"There are no metrics of this crawl: {host}:9410-9412 cannot be listened on (")


async def test_an_address_of_ipv6_is_one_that_can_be_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    try:
        with kept_port("::1"):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with kept_port("::1") as port:
        extension = made(METRICS_PORT=port, METRICS_HOST="::1")
        await extension._on_opened()
        assert f"http://[::1]:{port}/metrics" in caplog.text
        reader, writer = await asyncio.open_connection("::1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        await extension._on_stopped()


async def test_a_client_that_does_not_read_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outsourcing_spiders.extensions.metrics._PATIENCE", 0.3)
    answering = asyncio.Event()

    def answer(*_: Any) -> bytes:
        answering.set()
        return b"x" * 50_000_000

    monkeypatch.setattr(Metrics, "_answer", answer)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setblocking(False)
        client.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(60):
            await answering.wait()
            while any("_serve" in repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()}):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        # What is in the buffers of the system is all that ever comes.
        client.setblocking(True)
        came = 0
        with suppress(ConnectionResetError):
            while chunk := await asyncio.to_thread(client.recv, 1 << 20):
                came += len(chunk)
    assert came < 50_000_000


async def test_one_request_is_answered_on_a_connection(port: int) -> None:
    smuggled = "GET /metrics HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    head, body = await asked(port, smuggled + "GET /metrics HTTP/1.1\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 ")
    assert (body.count("HTTP/1.1"), f"Content-Length: {len(body)}" in head) == (0, True)


def test_nothing_of_prometheus_is_imported_where_it_is_off() -> None:
    code = (
        "import sys, outsourcing_spiders.extensions.metrics as m, outsourcing_spiders.extensions.alarms; "
        "print([name for name in sys.modules if name.startswith(('prometheus', 'spidermon'))])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_commands_that_only_look_have_neither_metrics_nor_alarms() -> None:
    settings = Settings()
    settings.setdict({"METRICS_PORT": "9410", "SPIDERMON_ENABLED": True}, priority="project")
    store_nothing(settings)
    for extension in (Metrics, Alarms):
        with pytest.raises(NotConfigured, match=r"^$"):
            extension.from_crawler(Crawler(FreelancerSpider, settings))
    # Unless they are asked for there and then, as a crawl that stores nothing may ask for them, too.
    settings.set("METRICS_PORT", "9410", priority="cmdline")
    assert isinstance(Metrics.from_crawler(Crawler(FreelancerSpider, settings)), Metrics)

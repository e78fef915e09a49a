"""No secret leaves a crawl: not by its log, its last line, its tables or its files, however it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from aiohttp import web
from conftest import REPOSITORY, Server, _administer, scrapy_environment
from scrapy.settings import Settings

from outsourcing_spiders.extensions import log_redaction
from outsourcing_spiders.extensions.log_redaction import RedactedRecord, hide, protect
from outsourcing_spiders.storage.engine import normalize_url

# A spider of a user, with every mistake that could show the token.
LEAKY = """
import logging
import threading
from outsourcing_spiders.spiders.freelancer import FreelancerSpider

class LeakySpider(FreelancerSpider):
    name = "leaky"

    def item(self, row, response):
        token = self.settings["FREELANCER_TOKEN"]
        self.logger.warning("the token is %s", token)
        logging.getLogger("somebody.else").error("headers %r", {"Freelancer-OAuth-V1": token}, stack_info=True)
        logging.getLogger("broken").error("%d", token)
        self.crawler.stats.inc_value(f"outsourcing/{token}")
        if row["id"] % 3 == 0:
            raise ValueError(f"{token} in {self.settings['DATABASE_URL']}")
        thread = threading.Thread(target=int, args=(token,), name="leaky")
        thread.start()
        thread.join()
        return super().item(row, response)
"""


# --- the log ------------------------------------------------------------------------------------------------------


@pytest.fixture
def protected() -> Iterator[str]:
    """A token that this process is told to hide; all is as before afterwards."""
    before = logging.getLogRecordFactory(), sys.excepthook, threading.excepthook, sys.unraisablehook
    known, log_redaction._secrets = log_redaction._secrets, ()
    token = f"marker-{secrets.token_hex(8)}"
    try:
        protect(Settings({"FREELANCER_TOKEN": token}))
        yield token
    finally:
        log_redaction._secrets = known
        logging.setLogRecordFactory(before[0])
        sys.excepthook, threading.excepthook, sys.unraisablehook = before[1:]


def test_without_a_secret_only_what_commands_terminals_is_spelt_out(caplog: pytest.LogCaptureFixture) -> None:
    known, log_redaction._secrets = log_redaction._secrets, ()
    factory, hook = logging.getLogRecordFactory(), sys.excepthook
    try:
        protect(Settings({"FREELANCER_TOKEN": "", "DATABASE_URL": "postgresql://me@db/projects"}))
        assert sys.excepthook is hook
        assert hide("token=abc") == "token=abc"
        logging.getLogger("test_secrets").warning("Rejected %s:\n\ttoken=abc", "https://a.b/\x1b]0;x\x07")
        assert caplog.messages == ["Rejected https://a.b/\\x1b]0;x\\x07:\n\ttoken=abc"]
    finally:
        log_redaction._secrets = known
        logging.setLogRecordFactory(factory)


def test_any_formatter_of_any_handler_shows_no_secret(protected: str) -> None:
    shown: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert isinstance(record, RedactedRecord)
            shown.append(self.format(record))

    logger, handler = logging.getLogger("test_secrets"), Collector()
    logger.addHandler(handler)
    try:
        logger.warning("in the arguments: %s", protected)
        logger.warning("in the message: " + protected)  # noqa: G003 - as others write it
        logger.warning("%(a)s", {"a": {"token": protected}})
        logger.error("does not fit: %d", protected)
        logger.error("stack", stack_info=True)
        try:
            raise ValueError(protected) from KeyError(protected)
        except ValueError:
            logger.exception("in the exception")
    finally:
        logger.removeHandler(handler)
    assert len(shown) == 6
    assert all(protected not in text for text in shown)
    assert shown[0] == "in the arguments: [FREELANCER_TOKEN]"
    assert shown[3].startswith("does not fit: %d ('[FREELANCER_TOKEN]',) (cannot be formatted: ")
    assert "Stack (most recent call last)" in shown[4]
    assert "ValueError: [FREELANCER_TOKEN]" in shown[5]


def test_what_python_prints_itself_shows_no_secret(protected: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError(f"holds {protected}")
    sys.excepthook(ValueError, error, None)
    ignored = {"exc_type": ValueError, "exc_value": error, "exc_traceback": None, "err_msg": None, "object": None}
    sys.unraisablehook(SimpleNamespace(**ignored))  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert told.count("ValueError: holds [FREELANCER_TOKEN]") == 2
    assert protected not in told


def test_secrets_are_added(protected: str) -> None:
    protect(Settings({"OTHER_SECRET": "another-secret"}))
    assert hide(f"{protected} another-secret") == "[FREELANCER_TOKEN] [OTHER_SECRET]"


# --- whole crawls -------------------------------------------------------------------------------------------------


class Markers:
    """Secrets that no text holds by chance, and where to look for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token, self.password = f"Tok-{secrets.token_hex(8)}/+=", f"p@ss/{secrets.token_hex(8)}"

    def found_in(self, text: str) -> list[str]:
        """Return the spellings that a text holds."""
        spellings = []
        for secret in (self.token, self.password):
            spellings += [secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]]
            spellings += [b64encode(secret.encode()).decode().rstrip("="), secret[4:20]]
        return [spelling for spelling in spellings if spelling in text]


@pytest.fixture
def markers() -> Iterator[Markers]:
    """New secrets, and a data folder that the database's user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="secrets-", dir="/tmp"))
    folder.chmod(0o755)
    yield Markers(folder)
    shutil.rmtree(folder)


@pytest.fixture
async def database(oldest_server: Server, markers: Markers) -> AsyncIterator[str]:
    """DATABASE_URL of an empty database, whose user has the password of `markers`."""
    name = f"secrets_{secrets.token_hex(4)}"
    role = f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{markers.password}'"
    await _administer(oldest_server, role)
    await _administer(oldest_server, f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0 ENCODING 'UTF8'")
    host = oldest_server.url(name).rpartition("@")[2]
    yield f"postgresql://{name}:{quote(markers.password, safe='')}@{host}"
    await _administer(oldest_server, f"DROP DATABASE {name} WITH (FORCE)")
    await _administer(oldest_server, f"DROP ROLE {name}")


Answer = Callable[[web.BaseRequest, str], web.Response]


@asynccontextmanager
async def site(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve `answer` of a request and its token; yields the address and the tokens that came."""
    tokens: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        token = request.headers.get("Freelancer-OAuth-V1", "")
        tokens.append(token)
        return answer(request, token)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", tokens
    finally:
        await runner.cleanup()


async def crawl(
    base_url: str, database_url: str, markers: Markers, *arguments: str, spider: str = "freelancer"
) -> tuple[int, str]:
    """Crawl in a process of its own; return its exit code and everything that it printed."""
    environment = scrapy_environment(markers.folder) | {
        "FREELANCER_TOKEN": markers.token,
        "DATABASE_URL": database_url,
        "PYTHONPATH": str(markers.folder),
        "http_proxy": "",
    }
    options = ("-a", f"base_url={base_url}", "-s", "DOWNLOAD_DELAY=0", "-s", "RETRY_TIMES=1", *arguments)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scrapy", "crawl", spider, *options,
        cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(180):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def stored(database_url: str) -> str:
    """Return all rows of all tables as text."""
    connection = await asyncpg.connect(normalize_url(database_url))
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for (name,) in names:
            rows = await connection.fetch(f'SELECT t::text AS line FROM "{name}" t')
            found += [f"{name}: {row['line']}" for row in rows]
        return "\n".join(found)
    finally:
        await connection.close()


def on_disk(folder: Path) -> str:
    """Return what a crawl wrote into its folders, but for the spiders of this test."""
    files = [
        Path(root) / name for root, _, names in os.walk(folder) for name in names if not name.endswith(("py", "c"))
    ]
    return "\n".join(f"{file}: {file.read_bytes().decode('latin-1')}" for file in files)


def row(number: int, **values: Any) -> dict[str, Any]:
    """Return a project as the platform writes it, as far as the spider reads it."""
    return {
        "id": number, "title": f"Project {number}", "description": "A text", "type": "fixed", "status": "active",
        "seo_url": f"python/project-{number}", "currency": {"code": "USD", "exchange_rate": 1.0},
        "budget": {"minimum": 10.0, "maximum": 20.0}, "time_submitted": 1_760_000_000 - number, **values,
    }  # fmt: skip


def listing(*rows: dict[str, Any]) -> web.Response:
    """Answer with a listing of these rows."""
    return web.json_response({"status": "success", "result": {"projects": rows, "total_count": len(rows)}})


def echo(status: int) -> Answer:
    """Answer with the token, as careless servers do."""
    return lambda request, token: web.json_response(
        {"status": "error", "message": f"no good: {token}", "headers": dict(request.headers)}, status=status
    )


def redirect(request: web.BaseRequest, token: str) -> web.Response:
    """Send the caller elsewhere, token included."""
    return web.Response(status=302, headers={"Location": f"http://localhost:1/?access_token={quote(token, safe='')}"})


def garbage(request: web.BaseRequest, token: str) -> web.Response:
    """Answer with what is no JSON, and holds the token."""
    return web.Response(text=f"oops {token}")


def misshapen(request: web.BaseRequest, token: str) -> web.Response:
    """Answer with rows that are refused and hold the token."""
    wrong = row(1, title=None, description=f"your token is {token}", sub_status=token)
    return listing(wrong, row(2), row(3))


ENDS: dict[str, tuple[Answer, int]] = {
    "good": (lambda request, token: listing(row(1), row(2)), 0),
    "misshapen": (misshapen, 0),
    "unauthorized": (echo(401), 1),
    "forbidden": (echo(403), 1),
    "failing": (echo(500), 1),
    "unknown": (echo(400), 1),
    "redirect": (redirect, 1),
    "garbage": (garbage, 1),
}


# All that INFO shows is shown at DEBUG, too; one of each looks whether that holds.
@pytest.mark.parametrize(("end", "level"), [*((end, "DEBUG") for end in ENDS), ("unauthorized", "INFO")])
async def test_a_crawl_shows_and_stores_no_secret(end: str, level: str, database: str, markers: Markers) -> None:
    answer, exitcode = ENDS[end]
    async with site(answer) as (base_url, tokens):
        code, told = await crawl(base_url, database, markers, "-L", level)
    assert (code, set(tokens)) == (exitcode, {markers.token}), told
    assert markers.found_in(told) == []
    assert "Overridden settings" in told or level == "INFO"
    tables = await stored(database)
    assert "crawl_runs: " in tables
    if end == "misshapen":
        assert "rejected_items: " in tables
    assert markers.found_in(tables) == []
    assert markers.found_in(on_disk(markers.folder)) == []


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_errors_that_hold_secrets_show_none(level: str, database: str, markers: Markers) -> None:
    (markers.folder / "leaky_spiders.py").write_text(LEAKY)
    log = markers.folder / "crawl.log"
    async with site(lambda request, token: listing(*map(row, range(1, 7)))) as (base_url, _):
        code, told = await crawl(
            base_url, database, markers, "-s", "SPIDER_MODULES=leaky_spiders", "-L", level, "--logfile", str(log),
            spider="leaky",
        )  # fmt: skip
    written = log.read_text()
    assert code == 1
    assert "the token is [FREELANCER_TOKEN]" in written
    assert "ValueError: [FREELANCER_TOKEN] in postgresql://" in written
    assert "Exception in thread leaky" in told
    assert markers.found_in(told) == []
    assert markers.found_in(written) == []
    assert markers.found_in(await stored(database)) == []
    assert markers.found_in(on_disk(markers.folder)) == []


@pytest.mark.parametrize("level", ["DEBUG"])
@pytest.mark.parametrize(
    "address", ["postgresql://me:{}@127.0.0.1:{}/x", "postgresql://me:{}@127.0.0.1:{}:9/x", "m://me:{}@h"]
)
async def test_a_database_that_cannot_be_used_shows_no_password(address: str, level: str, markers: Markers) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = address.format(quote(markers.password, safe=""), unused.getsockname()[1])
        code, told = await crawl("http://127.0.0.1:1", url, markers, "-L", level)
    assert code == 1
    assert markers.found_in(told) == []
    assert markers.found_in(on_disk(markers.folder)) == []


async def test_a_wrong_password_is_not_shown(database: str, markers: Markers) -> None:
    wrong = database.replace(quote(markers.password, safe=""), quote(f"{markers.password}x", safe=""))
    code, told = await crawl("http://127.0.0.1:1", wrong, markers, "-L", "DEBUG")
    assert code == 1
    assert "refuses the login" in told.splitlines()[-1]
    assert markers.found_in(told) == []

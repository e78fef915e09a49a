"""Crawls that are compared with earlier ones: the stand-in of a platform changes its layout, and changes it back."""

from __future__ import annotations

import asyncio
import email
import email.policy
import gzip
import itertools
import json
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, project_settings, runs
from conftest import Server, _administer
from platforms_standins._server import Answer
from platforms_standins.guru import GuruStandIn, standin_process
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from sqlalchemy import text

from outsourcing_spiders.extensions.alarms import Alarms
from outsourcing_spiders.spiders.guru import GuruSpider
from outsourcing_spiders.storage.engine import Database
from outsourcing_spiders.storage.pages import LARGEST_BODY

_numbers = itertools.count()


class Shop(GuruStandIn):
    """The stand-in with ordinary jobs, and a place to change what it says."""

    def __init__(self, projects: int = 45, **options: Any) -> None:
        super().__init__(projects, **{"odd_rows": False, "featured": 0, "seed": 5, **options})
        self.listing_edit: Callable[[bytes], bytes] = bytes
        self.detail_edit: Callable[[bytes], bytes] = bytes

    def _listing(self, request: Any, match: re.Match[str]) -> Answer:
        answer = super()._listing(request, match)
        return replace(answer, body=self.listing_edit(answer.body))

    def _detail(self, request: Any, match: re.Match[str]) -> Answer:
        answer = super()._detail(request, match)
        return replace(answer, body=self.detail_edit(answer.body))


def without_budget(body: bytes) -> bytes:
    """Rename the class that the budget is found by; and have somebody's address on the page."""
    return body.replace(b"jobRecord__budget", b"jobRecord__price").replace(
        b"</body>", b"<p>anna@mail.example</p></body>"
    )


def without_place(body: bytes) -> bytes:
    """Say no more that the work is remote."""
    return body.replace(b"TELECOMMUTE", b"ELSEWHERE")


async def read(url: str, folder: Path, site: Shop, **options: Any) -> Crawl:
    return await crawl(url, folder, spider=GuruSpider, base_url=site.base_url, **options)


@pytest.fixture
async def url(embedded_server: Server, open_folder: Path) -> AsyncIterator[str]:
    """DATABASE_URL of a new database, on one server alone."""
    name = f"health_{next(_numbers)}"
    await _administer(embedded_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    async with Database(embedded_server.url(name), embedded_root=open_folder):
        pass
    yield embedded_server.url(name)
    await _administer(embedded_server, f"DROP DATABASE {name} WITH (FORCE)")


def said(done: Crawl) -> list[str]:
    """Return what the crawl said of its health."""
    return [line.partition(": ")[2] for line in done.log if " outsourcing_spiders.extensions.health: " in line]


async def test_a_field_that_vanished_is_told_once_and_so_is_its_return(database_url: str, tmp_path: Path) -> None:
    async with Shop() as site:
        for number in range(4):
            done = await read(database_url, tmp_path, site, full="1")
            assert (done.reason, said(done)) == ("finished", []), number
        site.listing_edit = without_budget
        done = await read(database_url, tmp_path, site, full="1")
        assert done.reason == "finished"
        (warning,) = said(done)
        (page,) = await fetch(database_url, "SELECT * FROM kept_pages")
        assert re.fullmatch(
            r"guru: `budget` vanished: in 0 of 45 rows, before in (9\d|100) % "
            rf"\(since 20\d\d-\d\d-\d\d \d\d:\d\d, run 5\); page kept: `scrapy db pages {page['id']}`",
            warning,
        )
        assert any(
            line.startswith("WARNING outsourcing_spiders.extensions.health: guru: `budget`") for line in done.log
        )
        assert done.crawler.stats.get_value("outsourcing/health/findings") == [warning]
        kept = gzip.decompress(page["body"])
        assert b"jobRecord__price" in kept
        assert b"anna@mail.example" not in kept
        assert (page["reason"], page["url"].startswith(site.base_url)) == ("layout_changed", True)
        # Each new crawl has it, too, whether it reads the whole listing or its top alone.
        for options in ({"full": "1"}, {}, {"full": "1"}):
            assert said(await read(database_url, tmp_path, site, **options)) == []
        site.listing_edit = bytes
        (back,) = said(await read(database_url, tmp_path, site, full="1"))
        assert re.fullmatch(
            r"guru: `budget` is back: in \d+ of 45 rows \(since 20\S+ \S+ UTC: `budget` vanished: .*\)", back
        )
        assert said(await read(database_url, tmp_path, site, full="1")) == []
        # The crawls without it are no measure: when it goes again, it is told again.
        site.listing_edit = without_budget
        (again,) = said(await read(database_url, tmp_path, site, full="1"))
        assert "`budget` vanished: in 0 of 45 rows, before in " in again
    told = await fetch(database_url, "SELECT * FROM platform_health ORDER BY id")
    assert [(row["subject"], row["since_run_id"], row["resolved_run_id"]) for row in told] == [
        ("field:budget", 5, 9),
        ("field:budget", 11, None),
    ]
    assert (await runs(database_url))[0]["stats"]["health"]["reader"] == "GuruSpider"


async def test_what_only_projects_own_pages_tell_is_counted_apart(url: str, tmp_path: Path) -> None:
    async with Shop(30) as site:
        await read(url, tmp_path, site)
        for _ in range(4):
            # A crawl of known projects reads no page of theirs: that is no change of the platform.
            site.add(16)
            assert said(await read(url, tmp_path, site)) == []
            assert said(await read(url, tmp_path, site)) == []
        stored = [run["stats"]["health"] for run in await runs(url)]
        assert [run.get("detailed", {}).get("rows", 0) >= 10 for run in stored] == [True] + [True, False] * 4
        site.detail_edit = without_place
        site.add(20)
        (warning,) = said(await read(url, tmp_path, site))
        assert warning.startswith("guru: `work_mode` vanished from the projects' own pages: in 0 of ")
        (page,) = await fetch(url, "SELECT url, body FROM kept_pages")
        assert "/jobs/" in page["url"]
        assert b"ELSEWHERE" in gzip.decompress(page["body"])


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("marker_gone", "http://"),
        ("fields_gone", r"none of the first rows of guru can be read: IndexError: .* \(guru\.py, line \d+, item\)"),
    ],
)
async def test_a_crawl_that_fails_is_told_with_its_page(url: str, tmp_path: Path, layout: str, why: str) -> None:
    async with Shop(30) as site:
        for _ in range(3):
            await read(url, tmp_path, site, full="1")
        site.set_layout(layout)
        done = await read(url, tmp_path, site)
        (page,) = await fetch(url, "SELECT id FROM kept_pages")
        (warning,) = said(done)
        assert re.match(f"guru: it ends as layout_changed, usually as finished: {why}.* \\(since ", warning), warning
        assert warning.endswith(f"page kept: `scrapy db pages {page['id']}`")
        assert said(await read(url, tmp_path, site)) == []
        site.set_layout("current")
        (back,) = said(await read(url, tmp_path, site))
        assert back.startswith("guru: it ends as up_to_date again (since ")


async def test_of_a_large_page_the_beginning_is_kept(url: str, tmp_path: Path) -> None:
    async with Shop(30) as site:
        for _ in range(4):
            await read(url, tmp_path, site, full="1")
        site.listing_edit = lambda body: without_budget(body) + b"<!-- " + b"x" * LARGEST_BODY + b" -->"
        (warning,) = said(await read(url, tmp_path, site, full="1"))
        (page,) = await fetch(url, "SELECT id, body, body_size FROM kept_pages")
    assert warning.endswith(f"page kept: `scrapy db pages {page['id']}`")
    assert page["body_size"] > LARGEST_BODY
    assert 0 < len(gzip.decompress(page["body"])) <= LARGEST_BODY


async def test_a_crawl_ends_well_when_nothing_can_be_compared(url: str, tmp_path: Path) -> None:
    async with Shop(20) as site:
        connected = await fetch(url, "DROP TABLE platform_health")
        assert connected == []
        done = await read(url, tmp_path, site)
    assert (done.reason, done.errors) == ("finished", [])
    (warning,) = said(done)
    assert warning.startswith("This crawl could not be compared with earlier ones: ")
    assert (await runs(url))[0]["reason"] == "finished"


# --- Spidermon ----------------------------------------------------------------------------------------------------


@contextmanager
def _database(server: Server) -> Iterator[str]:
    name = f"health_{next(_numbers)}"
    asyncio.run(_administer(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
    yield server.url(name)
    asyncio.run(_administer(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _pretend(url: str, folder: Path, listing: str) -> None:
    """Store crawls that found a field that there is not."""
    filled = {"rows": 40, "filled": {"extra.ever": 40}}
    stored = {"health": {"reader": "GuruSpider", "bounds": "", "listed": filled, "detailed": filled}}
    async with Database(url, embedded_root=folder) as database, database.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO crawl_runs (spider, listing, started_at, finished_at, reason, items_scraped, stats) "
                "SELECT 'guru', :listing, now() - interval '1 h', now(), 'finished', 40, CAST(:stats AS jsonb) "
                "FROM generate_series(1, 4)"
            ),
            {"listing": listing, "stats": json.dumps(stored)},
        )


def test_spidermon_carries_out_actions(scrapy: Callable[..., Any], embedded_server: Server, tmp_path: Path) -> None:
    pytest.importorskip("spidermon")
    (tmp_path / "acting.py").write_text(
        "from spidermon.core.actions import Action\n\n\n"
        "class Note(Action):\n"
        "    def run_action(self):\n"
        "        found = self.data.stats['outsourcing/health/findings']\n"
        f"        open({str(tmp_path / 'noted')!r}, 'a').write(' '.join(found) + '\\n')\n"
    )
    with standin_process(projects=20, odd_rows=False, featured=0) as site, _database(embedded_server) as url:
        asyncio.run(_pretend(url, tmp_path, f'{{"base_url":"{site.base_url}/"}}'))
        options = {
            "SPIDERMON_ENABLED": 1,
            "HEALTH_ACTIONS": "acting.Note",
            "DOWNLOAD_DELAY": 0,
            "TEXT_INDEX_SECONDS": 0,
        }
        settings = [word for name, value in options.items() for word in ("-s", f"{name}={value}")]
        ended = scrapy(
            "crawl", "guru", "-a", f"base_url={site.base_url}", *settings, DATABASE_URL=url, PYTHONPATH=str(tmp_path)
        )
    assert ended.returncode == 0, ended.stderr
    assert "`extra.ever` vanished: in 0 of " in ended.stderr
    assert "Deprecat" not in ended.stderr
    assert (tmp_path / "noted").read_text().startswith("guru: `extra.ever` vanished")


# --- mail ---------------------------------------------------------------------------------------------------------


class MailServer:
    """Take mail on loopback as RFC 5321 has it: as much as a client needs that sends one."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, client.makefile("rwb") as file:
                self._talk(file)

    def _talk(self, file: Any) -> None:
        def say(line: bytes) -> None:
            file.write(line + b"\r\n")
            file.flush()

        say(b"220 here")
        while line := file.readline():
            match line[:4].upper():
                case b"EHLO":
                    say(b"250-here\r\n250 AUTH PLAIN")
                case b"AUTH":
                    say(b"235 welcome")
                case b"DATA":
                    say(b"354 go on")
                    self.mails.append(b"".join(iter(file.readline, b".\r\n")))
                    say(b"250 taken")
                case b"QUIT":
                    say(b"221 bye")
                    return
                case _:
                    say(b"250 OK")


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


def crawler_with(**settings: Any) -> Crawler:
    made = Crawler(GuruSpider, project_settings(STORAGE_ENABLED=False, SPIDERMON_ENABLED=True, **settings))
    made._apply_settings()
    return made


SEND_MAIL = "outsourcing_spiders.extensions.health_mail.SendMail"


def test_what_was_found_comes_by_mail(mail_server: MailServer) -> None:
    pytest.importorskip("spidermon")
    from outsourcing_spiders.extensions.health_mail import SendMail

    settings = {
        "SPIDERMON_SMTP_HOST": "127.0.0.1", "SPIDERMON_SMTP_PORT": mail_server.port, "SPIDERMON_SMTP_USER": "anna",
        "SPIDERMON_SMTP_PASSWORD": "s3cret", "SPIDERMON_EMAIL_SENDER": "crawls@mail.example",
        "SPIDERMON_EMAIL_TO": "a@mail.example, b@mail.example",
    }  # fmt: skip
    action = SendMail.from_crawler(crawler_with(**settings))
    action.data = SimpleNamespace(stats={"outsourcing/health/findings": ["guru: `budget` vanished: in 0 of 45 rows"]})
    action.run_action()
    (sent,) = mail_server.mails
    mail = email.message_from_bytes(sent, policy=email.policy.default)
    assert (mail["Subject"], mail["To"]) == ("guru: not as usual", "a@mail.example, b@mail.example")
    assert mail.get_content().strip() == "guru: `budget` vanished: in 0 of 45 rows"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"HEALTH_ACTIONS": "nothing.like.This"}, "HEALTH_ACTIONS=nothing.like.This cannot be carried out: No module"),
        ({"HEALTH_ACTIONS": SEND_MAIL}, "mail needs SPIDERMON_SMTP_HOST and SPIDERMON_EMAIL_SENDER and SPIDER"),
        (
            {
                "HEALTH_ACTIONS": SEND_MAIL, "SPIDERMON_SMTP_HOST": "mail.example", "SPIDERMON_SMTP_USER": "anna",
                "SPIDERMON_EMAIL_SENDER": "a@mail.example", "SPIDERMON_EMAIL_TO": "b@mail.example",
            },
            "a password for mail goes over TLS alone",
        ),
    ],
    ids=["none", "settings", "open"],
)  # fmt: skip
def test_actions_that_cannot_be_carried_out_are_told(
    settings: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("spidermon")
    with pytest.raises(NotConfigured, match=r"^$"):
        Alarms.from_crawler(crawler_with(**settings))
    (line,) = {each.getMessage() for each in caplog.records if each.name == "outsourcing_spiders.extensions.alarms"}
    assert line.startswith("There are no alarms: ")
    assert said in line


def test_services_give_spidermons_settings_by_their_environment(scrapy: Callable[..., Any]) -> None:
    said = scrapy("settings", "--getbool", "SPIDERMON_ENABLED", SPIDERMON_ENABLED="1")
    assert (said.returncode, said.stdout) == (0, "True\n")
    said = scrapy("settings", "--get", "SPIDERMON_SMTP_HOST", SPIDERMON_SMTP_HOST="mail.example")
    assert said.stdout == "mail.example\n"

"""`scrapy crawl` as a user meets it: what it prints, and how it exits."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from _crawls import project_settings
from conftest import scrapy_environment
from platforms_standins._server import StandInProcess
from platforms_standins.freelancer import standin_process
from scrapy import signals
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.settings import Settings

from outsourcing_spiders.commands.crawl import Command, StoppableCrawler, put_back_unreadable
from outsourcing_spiders.outcomes import Blocked, CloseReason, judge
from outsourcing_spiders.spiders.freelancer import FreelancerSpider
from outsourcing_spiders.storage.embedded import EmbeddedPostgres

REPOSITORY = Path(__file__).parents[2]
# A row of the third page cannot be read.
BUGGY = """
from outsourcing_spiders.spiders.freelancer import FreelancerSpider

class BuggySpider(FreelancerSpider):
    name = "buggy"

    def item(self, row, response):
        if self.walk.seen and len(self.walk.seen) > 200:
            raise KeyError("a bug")
        return super().item(row, response)
"""


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """The data folder of the crawls, with the embedded server up; every user may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="crawl-", dir="/tmp"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder / "postgresql"):
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A small Freelancer.com."""
    with standin_process(projects=250, seed=1) as site:
        yield site


def scrapy(*arguments: str, data: Path | str = "/nonexistent", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project to its end."""
    return subprocess.run(
        [sys.executable, "-m", "scrapy", *arguments],
        cwd=REPOSITORY,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "OUTSOURCING_SPIDERS_DATA": str(data),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
    )


def crawl(site: StandInProcess, data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Crawl the stand-in without pauses."""
    options = ["-a", f"base_url={site.base_url}", "-s", "DOWNLOAD_DELAY=0", *arguments]
    return scrapy("crawl", "freelancer", *options, data=data, **environment)


def test_a_crawl_says_what_an_operator_needs_and_no_more(site: StandInProcess, data: Path) -> None:
    ended = crawl(site, data, "-a", "full=1")
    lines = [line.split(" ", 2)[2] for line in ended.stderr.splitlines()]
    assert ended.returncode == 0
    assert ended.stdout == ""
    assert lines[0] == (
        f"[outsourcing_spiders.commands.crawl] INFO: freelancer starts with base_url={site.base_url}, full=1; "
        f"stores in the embedded PostgreSQL in {data}/postgresql; reads on through known projects"
    )
    assert any("freelancer finished: " in line for line in lines)
    # Scrapy itself tells of nothing but rejected items.
    assert all(line.startswith(("[outsourcing_spiders.", "[scrapy.core.scraper] WARNING: Rejected ")) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "url", "said", "exitcode"),
    [
        (["frelancer"], "", "there is no spider 'frelancer'; did you mean freelancer? `scrapy list` names all.", 2),
        (["zzz"], "", "there is no spider 'zzz'; `scrapy list` names them all.", 2),
        (["freelancer", "-a", "skils=x"], "", "freelancer takes no argument 'skils'; did you mean skills?", 2),
        (["freelancer", "-a", "since=yesterday"], "", "since: 'yesterday' is neither an ISO time", 2),
        (["freelancer", "-a", "max_pages=0"], "", "max_pages='0' is no whole number above 0.", 2),
        (["freelancer"], "mysql://localhost/x", "DATABASE_URL begins with mysql://; it must look like", 1),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    arguments: list[str], url: str, said: str, exitcode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command()
    settings = Settings({"SPIDER_MODULES": ["outsourcing_spiders.spiders"], "EMBEDDED_POSTGRES_FOLDER": "/nonexistent"})
    settings.setdict({"STORAGE_ENABLED": True, "DATABASE_URL": url, "LOG_LEVEL": "INFO"})
    # It has no event loop: nothing can start.
    command.crawler_process = AsyncCrawlerRunner(settings)  # type: ignore[assignment]
    command.run(arguments[:1], Namespace(spargs=dict(pair.split("=") for pair in arguments[2:])))
    told = capsys.readouterr().err
    assert command.exitcode == exitcode
    assert told.startswith(f"scrapy crawl {arguments[0]}: {said}")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DOWNLOAD_DELAY", "abc", "DOWNLOAD_DELAY='abc' is no number"),
        ("DOWNLOAD_DELAY", "nan", "DOWNLOAD_DELAY='nan' is no number"),
        ("DOWNLOAD_TIMEOUT", "30 s", "DOWNLOAD_TIMEOUT='30 s' is no number"),
        ("STOP_GRACE", "", "STOP_GRACE='' is no number of seconds, 0 or more"),
        ("STOP_GRACE", "-3", "STOP_GRACE='-3' is no number of seconds, 0 or more"),
        ("STOP_GRACE", "inf", "STOP_GRACE='inf' is no number of seconds, 0 or more"),
        ("CONCURRENT_REQUESTS", "1.5", "CONCURRENT_REQUESTS='1.5' is no whole number"),
        ("STORAGE_ENABLED", "perhaps", "STORAGE_ENABLED='perhaps' is no switch (1 or 0)"),
        ("LOG_LEVEL", "FOO", "LOG_LEVEL='FOO' is no level, such as DEBUG, INFO, WARNING or ERROR"),
        ("LOG_LEVEL", "10", "LOG_LEVEL='10' is no level, such as DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_and_put_back(name: str, value: str, said: str) -> None:
    settings = project_settings()
    settings.set(name, value, priority="cmdline")
    assert str(put_back_unreadable(settings)) == said
    assert put_back_unreadable(settings) is None


@pytest.mark.parametrize("value", ["abc", "-3"])
def test_what_a_service_gives_in_the_environment_is_checked_as_well(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the module has it when the environment does.
    monkeypatch.setattr("outsourcing_spiders.settings.STOP_GRACE", value)
    settings = project_settings()
    assert str(put_back_unreadable(settings)) == f"STOP_GRACE={value!r} is no number of seconds, 0 or more"
    assert settings.getfloat("STOP_GRACE") == 2


def test_settings_that_can_be_read_stay() -> None:
    settings = project_settings()
    given = {"DOWNLOAD_DELAY": "0.5", "DOWNLOAD_TIMEOUT": "1.5", "CONCURRENT_REQUESTS": "2", "STORAGE_ENABLED": "false"}
    settings.setdict(given | {"LOG_LEVEL": "DEBUG", "STOP_GRACE": "0"}, priority="cmdline")
    before = dict(settings)
    assert put_back_unreadable(settings) is None
    assert dict(settings) == before


def test_a_log_file_has_what_is_wrong_with_a_setting(tmp_path: Path) -> None:
    log = tmp_path / "crawl.log"
    ended = scrapy("crawl", "freelancer", "-s", "LOG_LEVEL=FOO", "--logfile", str(log))
    assert ended.returncode == 2
    said = "LOG_LEVEL='FOO' is no level, such as DEBUG, INFO, WARNING or ERROR"
    assert ended.stderr == f"scrapy crawl freelancer: {said}.\n"
    assert log.read_text().endswith(f"ERROR: {said}\n")


def test_a_traceback_is_for_developers() -> None:
    ended = scrapy("crawl", "freelancer", "-a", "since=yesterday", "-L", "DEBUG")
    assert ended.returncode == 2
    assert "Traceback" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("scrapy crawl freelancer: since: 'yesterday' is neither")


def test_a_database_that_is_down_ends_the_crawl_before_the_first_request(site: StandInProcess, data: Path) -> None:
    site.requests(clear=True)
    ended = crawl(site, data, DATABASE_URL="postgresql://127.0.0.1:1/x")
    first, last = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert "freelancer starts" in first
    assert last.startswith(
        "scrapy crawl freelancer: database unreachable: PostgreSQL database 'x' on 127.0.0.1:1 cannot be reached"
    )
    assert last.endswith("start the server or correct DATABASE_URL.")
    assert site.requests() == []


def test_a_wrong_skill_is_named_once(site: StandInProcess, data: Path) -> None:
    ended = crawl(site, data, "-a", "skills=nosuchskill")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(
        "scrapy crawl freelancer: wrong argument: skills: the platform knows no skill 'nosuchskill'; "
    )
    assert ended.stderr.count("knows no skill") == 1


def test_a_log_file_keeps_the_reason_too(site: StandInProcess, data: Path, tmp_path: Path) -> None:
    log = tmp_path / "crawl.log"
    ended = crawl(site, data, "--logfile", str(log), DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "ERROR: PostgreSQL database 'x' on 127.0.0.1:1 cannot be reached" in log.read_text()


def test_a_bound_of_the_user_is_a_success(site: StandInProcess, data: Path) -> None:
    ended = crawl(site, data, "-a", "full=1", "-s", "CLOSESPIDER_ITEMCOUNT=5")
    assert "freelancer closespider itemcount" in ended.stderr
    assert ended.returncode == 0


@pytest.mark.parametrize("moment", [signals.spider_opened, signals.engine_started], ids=["opened", "started"])
async def test_a_crawl_that_is_told_to_stop_while_it_starts_is_shut_down(moment: object) -> None:
    crawler = StoppableCrawler(FreelancerSpider, project_settings(STORAGE_ENABLED=False))
    stopping: list[asyncio.Future[None]] = []

    def stop() -> None:
        stopping.append(asyncio.ensure_future(crawler.stop_async()))

    crawler.signals.connect(stop, signal=moment)
    # Scrapy's own crawler goes on for ever.
    async with asyncio.timeout(90):
        await asyncio.create_task(crawler.crawl_async(base_url="http://127.0.0.1:1"))
        await stopping[0]
    assert crawler.stats.get_value("finish_reason") == "shutdown"
    assert crawler.stats.get_value("downloader/request_count", 0) == 0


def test_a_signal_while_a_crawl_starts_is_no_failure(site: StandInProcess, data: Path) -> None:
    command = [sys.executable, "-m", "scrapy", "crawl", "freelancer", "-a", f"base_url={site.base_url}", "-L", "DEBUG"]
    crawling = subprocess.Popen(
        command, cwd=REPOSITORY, env=scrapy_environment(data), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with crawling, closing(crawling.stderr) as log:  # type: ignore[type-var]
        # The first that is heard of a crawl, after it hears signals.
        assert any("Enabled addons" in line for line in log)
        crawling.send_signal(signal.SIGTERM)
        rest = log.read()
    assert crawling.returncode == 0, rest
    assert "Traceback" not in rest
    assert "shutting down gracefully" in rest
    assert "aborted" not in rest


def test_errors_of_the_spider_are_told_at_the_end(site: StandInProcess, data: Path, tmp_path: Path) -> None:
    (tmp_path / "buggy_spiders.py").write_text(BUGGY)
    options = ["-a", f"base_url={site.base_url}", "-s", "DOWNLOAD_DELAY=0", "-s", "SPIDER_MODULES=buggy_spiders"]
    ended = scrapy("crawl", "buggy", *options, data=data, PYTHONPATH=str(tmp_path))
    assert ended.returncode == 1
    assert "KeyError: 'a bug'" in ended.stderr
    assert "errors in the spider; see the log." in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "reason", [*filter(lambda reason: reason.is_success, CloseReason), "closespider_timeout", "closespider_pagecount"]
)
def test_success(reason: str) -> None:
    assert judge(reason, None, {"item_scraped_count": 5, "item_dropped_count": 1}) is None


@pytest.mark.parametrize(
    ("reason", "outcome", "stats", "said"),
    [
        (CloseReason.BLOCKED, Blocked("it refuses us; wait"), {}, "blocked: it refuses us; wait"),
        ("closespider_timeout_no_item", None, {}, "closespider timeout no item: no project came"),
        ("memusage_exceeded", None, {}, "memusage exceeded: it took more memory than MEMUSAGE_LIMIT_MB"),
        ("something_new", None, {}, "something new: see the log"),
        (None, None, {}, "aborted: it was forced to end"),
        (None, ValueError("no such thing"), {}, "could not be started: ValueError: no such thing"),
        ("finished", None, {"item_error_count": 2}, "finished, but with 2 errors in the pipelines; see the log"),
        ("finished", None, {"outsourcing/unaccounted": 1}, "finished, but with 1 projects that are not accounted for"),
    ],
)
def test_failure(reason: str | None, outcome: object, stats: dict[str, int], said: str) -> None:
    assert str(judge(reason, outcome, stats)).startswith(said)

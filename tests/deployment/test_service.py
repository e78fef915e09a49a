"""Scrapyd as ``scrapy deployment`` runs it, keeps it busy, and looks whether it is well."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from conftest import REPOSITORY
from deployment._scrapyd import NAME, PASSWORD, Scrapyd, is_alive, needs_scrapyd, until
from platforms_standins.freelancer import standin_process
from scrapy.settings import Settings
from scrapy.utils.project import get_project_settings

from outsourcing_spiders.administration import deployment_schedule as deployment
from outsourcing_spiders.administration.deployment_health import Health, look_at_database, look_at_scrapyd
from outsourcing_spiders.administration.deployment_schedule import Job, Scheduler, ScrapydError, WrongSchedule, schedule
from outsourcing_spiders.administration.deployment_units import stop_grace
from outsourcing_spiders.storage.engine import Database, normalize_url
from outsourcing_spiders.storage.run_liveness import RunLease

Command = Callable[..., subprocess.CompletedProcess[str]]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAUSES = {"freelancer": timedelta(minutes=10), "guru": timedelta(minutes=30)}
PLATFORMS = ("freelancer", "guru", "wishket")
_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


class Service(Scrapyd):
    """Scrapyd as a service runs it."""

    command = ("-m", "scrapy", "deployment", "scrapyd")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the settings that `scrapy deployment systemd` writes; its crawls find no database."""
    folder = tmp_path_factory.mktemp("service")
    template = REPOSITORY / "outsourcing_spiders" / "templates" / "deployment" / "scrapy.cfg"
    text = template.read_text().replace("/var/lib/outsourcing_spiders", str(folder))
    (folder / "scrapy.cfg").write_text(text.replace("poll_interval = 1", "poll_interval = 0.1"))
    environment = {"PYTHONPATH": str(REPOSITORY), "DATABASE_URL": _NO_DATABASE}
    with Service(folder, **environment) as service:
        yield service


def settings_for(scrapyd: Scrapyd, **changes: str) -> Settings:
    login = {"SCRAPYD_URL": scrapyd.url, "SCRAPYD_USERNAME": NAME, "SCRAPYD_PASSWORD": PASSWORD}
    return Settings(login | changes)


@needs_scrapyd
def test_it_is_healthy_or_says_why_not(service: Service) -> None:
    assert service.open("daemonstatus.json", password=None)[0] == 401
    health = Health()
    look_at_scrapyd(health, deployment.Scrapyd(settings_for(service)))
    assert not list(service.folder.glob("*.pid"))  # the folder may be one that nobody writes to
    assert re.fullmatch(r"healthy: Scrapyd answers \(\d running, \d waiting\)", str(health))
    for changes, said in (
        ({"SCRAPYD_PASSWORD": "wrong"}, "does not accept SCRAPYD_USERNAME and SCRAPYD_PASSWORD"),
        ({"SCRAPYD_URL": "http://127.0.0.1:1"}, r"does not answer at http://127\.0\.0\.1:1 \(.*\): is it running"),
        ({"SCRAPYD_URL": "localhost:6800"}, "SCRAPYD_URL is not an address"),
        ({"SCRAPYD_URL": f"{service.url}/logs"}, "Scrapyd answers 404|is not Scrapyd"),
    ):
        health = Health()
        look_at_scrapyd(health, deployment.Scrapyd(settings_for(service, **changes)))
        assert re.search(f"^unhealthy: .*({said})", str(health)), health
        assert PASSWORD not in str(health)


@pytest.mark.parametrize(
    "url", ["localhost:6800", "http://", "http://[::1", "http://a..b", "http://127.0.0.1:port", "http://127.0.0.1/ä"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(ScrapydError, match=r"^SCRAPYD_URL is not an address: it must look like http://127\.0\.0\.1:"):
        deployment.Scrapyd(Settings({"SCRAPYD_URL": url})).status()


@needs_scrapyd
def test_each_platform_is_crawled_once_a_pause(service: Service) -> None:
    scrapyd = deployment.Scrapyd(settings_for(service))
    scheduler = Scheduler(scrapyd, PAUSES)
    assert scheduler.look(datetime.now(UTC)) == ["freelancer", "guru"]
    # They wait, run or have just ended, without a database; neither is asked for again.
    assert scheduler.look(datetime.now(UTC)) == []
    until(lambda: len(jobs := scrapyd.jobs()) >= 2 and all(job.ended_at for job in jobs))
    ended = max(job.ended_at for job in scrapyd.jobs() if job.ended_at)
    assert abs(datetime.now(UTC) - ended) < timedelta(minutes=1)
    assert Scheduler(scrapyd, PAUSES).look(datetime.now(UTC)) == []
    assert scheduler.look(datetime.now(UTC) + timedelta(minutes=10)) == ["freelancer"]
    # So is the first one, if its second crawl has ended already.
    assert scheduler.look(datetime.now(UTC) + timedelta(minutes=30)) in (["guru"], ["freelancer", "guru"])
    # What Scrapyd does not know is said, and does not end the schedule.
    assert Scheduler(scrapyd, {"nobody": timedelta(0)}).look(datetime.now(UTC)) == []


@needs_scrapyd
@pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
async def test_stopped_it_stops_its_crawls_and_waits_for_them(service: Service, database_url: str) -> None:
    with standin_process(projects=400, odd_rows=False, short_pages=False) as site:
        site.fail("held", after=1)
        job = service.schedule(site.base_url, database_url)
        until(lambda: len(site.requests()) == 2)
        crawl = job.process
        begun = time.monotonic()
        # To this one process only, as `docker stop` and systemd's KillMode=mixed do.
        os.kill(service.process.pid, signal.SIGTERM)
        service.process.wait(60)
        taken = time.monotonic() - begun
        assert not is_alive(crawl)
    assert service.process.returncode == 0
    assert taken < stop_grace(get_project_settings()).seconds
    connection = await asyncpg.connect(normalize_url(database_url))
    try:
        run = await connection.fetchrow("SELECT * FROM crawl_runs")
        rows = await connection.fetchval("SELECT count(*) FROM projects")
    finally:
        await connection.close()
    assert (run["reason"], run["items_scraped"], rows) == ("shutdown", 100, 100)
    service.start()
    assert service.ask("daemonstatus.json")["running"] == 0


class FakeScrapyd:
    """What a scheduler sees of Scrapyd."""

    def __init__(self, *jobs: Job) -> None:
        self.listed = list(jobs)
        self.failure: str | None = None

    def jobs(self) -> list[Job]:
        if self.failure:
            raise ScrapydError(self.failure)
        return self.listed

    def schedule(self, spider: str) -> str:
        self.listed.append(Job(spider, None))
        return "1"


def ended(spider: str, minutes: float) -> Job:
    return Job(spider, NOW - timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("jobs", "due"),
    [
        ([], ["freelancer", "guru"]),
        ([ended("freelancer", 9.9), ended("guru", 30)], ["guru"]),
        ([ended("freelancer", 10), Job("guru", None)], ["freelancer"]),
        ([ended("freelancer", 90), Job("freelancer", None), ended("guru", 5), ended("guru", 50)], []),
        ([ended("wishket", 90)], ["freelancer", "guru"]),
    ],
)
def test_what_is_due(jobs: list[Job], due: list[str]) -> None:
    assert Scheduler(FakeScrapyd(*jobs), PAUSES).look(NOW) == due  # type: ignore[arg-type]


def test_what_scrapyd_forgets_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    scrapyd = FakeScrapyd(ended("freelancer", 1), ended("guru", 1))
    scheduler = Scheduler(scrapyd, PAUSES)  # type: ignore[arg-type]
    assert scheduler.look(NOW) == []
    scrapyd.listed.clear()
    assert scheduler.look(NOW) == []
    # Away for a while, it is complained about once.
    scrapyd.failure = "away"
    for _ in range(3):
        assert scheduler.look(NOW) == []
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["away"]
    scrapyd.failure = None
    assert scheduler.look(NOW + timedelta(minutes=9)) == ["freelancer"]


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    scrapyd = FakeScrapyd(ended("freelancer", 1), ended("guru", 1))
    scheduler = Scheduler(scrapyd, PAUSES)  # type: ignore[arg-type]
    assert scheduler.look(NOW) == []
    before = NOW - timedelta(days=2)
    assert scheduler.look(before) == ["freelancer", "guru"]
    # Once: from now on the new clock's times count, though Scrapyd has the other ones, too.
    scrapyd.listed = [ended("freelancer", 1), ended("guru", 1)]
    scrapyd.listed += [Job(spider, before + timedelta(minutes=5)) for spider in PAUSES]
    assert scheduler.look(before + timedelta(minutes=14)) == []
    assert scheduler.look(before + timedelta(minutes=15)) == ["freelancer"]


def test_one_platform_that_cannot_be_scheduled_keeps_none_waiting(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing(FakeScrapyd):
        def schedule(self, spider: str) -> str:
            if spider == "freelancer":
                raise ScrapydError("no such spider")
            return super().schedule(spider)

    scheduler = Scheduler(Refusing(), PAUSES)  # type: ignore[arg-type]
    assert [scheduler.look(NOW), scheduler.look(NOW)] == [["guru"], []]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["no such spider"]


def test_the_schedule_is_read() -> None:
    read = schedule(Settings({"CRAWL_SCHEDULE": " guru=1h, wishket=1d"}), PLATFORMS)
    assert read == {"guru": timedelta(hours=1), "wishket": timedelta(days=1)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("gru=1h", "names 'gru', which is none of freelancer, guru, wishket"),
        ("guru", "says 'guru'; it must look like guru=30m"),
        ("guru=soon", "says 'guru=soon'; it must look like guru=30m"),
        ("guru=2026-01-01", "says 'guru=2026-01-01'; it must look like guru=30m"),
        ("guru=10s", "says 'guru=10s'; "),
        ("guru=99999999999999d", "says 'guru=99999999999999d'; it must look like guru=30m"),
        ("guru=10m freelancer=5m guru=1h", "names 'guru' twice"),
    ],
)
def test_a_wrong_schedule(text: str, said: str) -> None:
    with pytest.raises(WrongSchedule, match=re.escape(said)):
        schedule(Settings({"CRAWL_SCHEDULE": text}), PLATFORMS)


class Watched:
    """A database in which crawls are noted, and what is said of them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self._folder = database, folder

    async def crawled(self, spider: str, minutes: float, reason: str | None = "finished", listing: str = "{}") -> None:
        """Note a crawl that ended so many minutes ago; without a reason nobody knows when or how."""
        async with self.database.engine.begin() as connection:
            ended = f"now() - interval '{minutes} min'"
            await connection.exec_driver_sql(
                "INSERT INTO crawl_runs (spider, started_at, finished_at, reason, listing) "
                f"SELECT $1, {ended} - interval '1 min', CASE WHEN $2 <> 'killed' THEN {ended} END, $2, $3",
                (spider, reason, listing),
            )

    async def said(self, pauses: dict[str, timedelta] | None = PAUSES, *, results: bool = True) -> str:
        """Return the health, without the seconds."""
        health = Health()
        url = self.database.dsn
        await look_at_database(health, url, self._folder, None if pauses is None else lambda: pauses, results=results)
        said = str(health).replace(f"{self.database.name} answers", "it answers")
        return re.sub(r"(\d:\d\d):\d\d", r"\1", said)


@pytest.fixture
async def watched(database_url: str, tmp_path: Path) -> AsyncIterator[Watched]:
    async with Database(database_url, embedded_root=tmp_path) as database:
        yield Watched(database, tmp_path)


@pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
async def test_crawls_that_do_not_come(watched: Watched) -> None:
    assert await watched.said(None) == "healthy: it answers"
    assert await watched.said() == "unhealthy: freelancer was never crawled; guru was never crawled"
    await watched.crawled("freelancer", 15, "up_to_date")
    await watched.crawled("guru", 120, "shutdown")
    # Killed, it is not known when or why until the next crawl says so; and a stand-in is not the platform.
    await watched.crawled("guru", 40, None)
    await watched.crawled("guru", 1, listing='{"base_url":"http://127.0.0.1:1/"}')
    for results in (True, False):
        assert await watched.said(results=results) == "unhealthy: guru was last crawled 2:00 ago"
    lease = RunLease(watched.database.engine)
    await lease.begin("guru", "{}")
    for results in (True, False):
        assert await watched.said(results=results) == (
            "healthy: it answers; freelancer was last crawled 0:15 ago; guru is being crawled"
        )
    await lease.release()
    async with watched.database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert "unhealthy: The schema (revision 0001) is older than this code" in await watched.said()


@pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
async def test_crawls_that_find_nothing(watched: Watched) -> None:
    await watched.crawled("freelancer", 2, "unreachable")
    await watched.crawled("guru", 120)
    await watched.crawled("guru", 80, "blocked")
    await watched.crawled("guru", 40, "killed")
    said = await watched.said()
    assert said == (
        "unhealthy: freelancer: the last crawl ended as unreachable 0:02 ago, none before it did better; "
        "guru: the last crawl ended as killed 0:41 ago, the last good one was 2:00 ago"
    )
    # One that is under way proves nothing, and once is not always.
    lease = RunLease(watched.database.engine)
    await lease.begin("guru", "{}")
    assert await watched.said() == said
    await lease.release()
    await watched.crawled("freelancer", 25, "finished")
    await watched.crawled("guru", 30, "up_to_date")
    await watched.crawled("guru", 3, "rate_limited")
    assert await watched.said() == (
        "healthy: it answers; freelancer was last crawled 0:25 ago; guru was last crawled 0:30 ago"
    )


@pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
async def test_what_is_started_again_is_not_ill_because_a_platform_refuses(watched: Watched) -> None:
    await watched.crawled("freelancer", 2, "blocked")
    await watched.crawled("guru", 120)
    await watched.crawled("guru", 60, "blocked")
    assert await watched.said(results=False) == (
        "healthy: it answers; freelancer was last crawled 0:02 ago; guru was last crawled 1:00 ago"
    )


async def test_no_database(tmp_path: Path) -> None:
    for url, said in (
        ("", f"nothing is stored yet in {tmp_path}"),
        (_NO_DATABASE, "PostgreSQL database 'nothing' on 127.0.0.1:1 cannot be reached"),
        ("mysql://x/y", "DATABASE_URL begins with mysql://"),
    ):
        health = Health()
        await look_at_database(health, url, tmp_path, None)
        assert str(health).startswith(f"unhealthy: {said}"), health
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
def test_the_command_answers_with_its_exit_code(scrapy: Command, database_url: str) -> None:
    well = scrapy("deployment", "health", "database", DATABASE_URL=database_url)
    assert (well.returncode, well.stdout.startswith("healthy: "), well.stderr) == (0, True, "")
    ill = scrapy("deployment", "health", DATABASE_URL=database_url, SCRAPYD_URL="http://127.0.0.1:1")
    assert (ill.returncode, ill.stderr) == (1, "")
    assert ill.stdout.startswith("unhealthy: Scrapyd does not answer at http://127.0.0.1:1 ")
    assert ill.stdout.count("\n") == 1


def test_scrapyd_does_not_start_without_a_password(scrapy: Command) -> None:
    done = scrapy("deployment", "scrapyd", SCRAPYD_USERNAME=NAME)
    assert done.returncode == 1
    assert done.stderr.startswith("scrapy deployment: set SCRAPYD_PASSWORD: ")

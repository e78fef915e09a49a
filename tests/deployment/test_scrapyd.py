"""A real Scrapyd deploys, runs, cancels and rolls back this project, by the commands of the README."""

from __future__ import annotations

import os
import re
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from conftest import Server
from deployment._scrapyd import (
    NAME,
    PASSWORD,
    PROJECT,
    Job,
    Scrapyd,
    deploy,
    is_alive,
    needs_scrapyd,
    readme_blocks,
    readme_command,
    until,
)
from platforms_standins._server import StandInProcess
from platforms_standins.freelancer import standin_process

from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.tables import SCHEMA_REVISION

# Every test has the same one, else pytest would part them, and start Scrapyd again for each part.
pytestmark = [needs_scrapyd, pytest.mark.parametrize("server", ["embedded_server"], indirect=True)]

_ONE_PAGE = 100


@pytest.fixture(scope="session")
def data_folder(open_folder: Path) -> Path:
    """Where the crawls have their embedded database and their spool."""
    folder = open_folder / "scrapyd"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def scrapyd(project: Path, egg: Path, data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scrapyd]:
    """A Scrapyd as the README sets it up, with this project deployed as version 1."""
    folder = tmp_path_factory.mktemp("scrapyd")
    (configuration,) = [block for block in readme_blocks("ini") if "scrapyd.conf" in block]
    (folder / "scrapyd.conf").write_text(configuration.replace("poll_interval = 1", "poll_interval = 0.1"))
    with Scrapyd(folder, OUTSOURCING_SPIDERS_DATA=str(data_folder)) as scrapyd:
        settings = project / "scrapy.cfg"
        settings.write_text(settings.read_text().replace("http://localhost:6800", scrapyd.url))
        login = {"SCRAPYD_USERNAME": NAME, "SCRAPYD_PASSWORD": PASSWORD}
        told = deploy("--egg", egg, "--version", "1", cwd=project, **login)
        assert '"status": "ok"' in told
        yield scrapyd


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A platform in a process of its own."""
    with standin_process(projects=400, odd_rows=False, short_pages=False) as site:
        yield site


@pytest.fixture(autouse=True)
def _ready(site: StandInProcess, server: Server) -> None:
    site.heal()


def query(url: str, statement: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    connection = psycopg2.connect(re.sub(r"^postgresql\+\w+:", "postgresql:", url))
    try:
        with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(statement)
            return [dict(row) for row in cursor.fetchall()]
    finally:
        connection.close()


def runs(url: str) -> list[dict[str, Any]]:
    return query(url, "SELECT *, whole_since::text AS whole FROM crawl_runs ORDER BY id")


def stored(url: str) -> set[int]:
    return {int(row["external_id"]) for row in query(url, "SELECT external_id FROM projects")}


def listed(site: StandInProcess) -> set[int]:
    return set(site.state()["ids"])


def has_rows(url: str, crawls: int) -> bool:
    """Tell whether so many crawls were begun, and a page of projects is stored."""
    try:
        return len(runs(url)) >= crawls and len(stored(url)) >= _ONE_PAGE
    except psycopg2.Error:
        return False


def test_nothing_is_answered_without_the_password(scrapyd: Scrapyd) -> None:
    for password in (None, "wrong"):
        for path in ("listprojects.json", "logs/", ""):
            assert scrapyd.open(path, password=password)[0] == 401
        assert scrapyd.open("delproject.json", {"project": PROJECT}, password=password)[0] == 401
    assert scrapyd.ask("listprojects.json")["projects"] == [PROJECT]


def test_all_spiders_are_there(scrapyd: Scrapyd, project: Path) -> None:
    in_tree = {path.stem for path in (project / "outsourcing_spiders" / "spiders").glob("[!_]*.py")}
    assert set(scrapyd.ask(f"listspiders.json?project={PROJECT}")["spiders"]) == in_tree
    assert scrapyd.follow(readme_command("listversions.json"))["versions"] == ["1"]


def test_a_job_runs_with_arguments_and_settings_that_are_texts(
    scrapyd: Scrapyd, site: StandInProcess, database_url: str
) -> None:
    fields = [("base_url", site.base_url), ("setting", f"DATABASE_URL={database_url}"), ("setting", "DOWNLOAD_DELAY=0")]

    def schedule(*more: tuple[str, str]) -> Job:
        return Job(scrapyd, scrapyd.follow(readme_command("schedule.json"), *fields, *more)["jobid"])

    job = schedule()
    refused = {
        "since: 'tomorrow' is neither an ISO time": schedule(("since", "tomorrow")),
        "STOP_GRACE='x' is no number of seconds": schedule(("setting", "STOP_GRACE=x")),
    }
    log = job.ended()
    (ended,) = runs(database_url)
    assert (ended["reason"], ended["items_scraped"], ended["written"], ended["requests"]) == ("finished", 100, 100, 1)
    assert {name: ended["stats"][name] for name in ("job", "egg", "exit_code")} == {
        "job": job.id,
        "egg": "1",
        "exit_code": 0,
    }
    assert "freelancer finished: 100 projects from 1 request" in log
    assert not re.search("WARNING|ERROR|Traceback", log), log
    # One that cannot run says why where its log is looked for, and leaves no run.
    for said, other in refused.items():
        (line,) = other.ended().splitlines()
        assert f"ERROR: {said}" in line
    assert runs(database_url) == [ended]
    path = readme_command("JOB.log")[-1].partition("/")[2].replace("JOB", job.id)
    assert scrapyd.open(path) == (200, log)


def test_crawls_at_once_share_the_embedded_database(scrapyd: Scrapyd, site: StandInProcess, data_folder: Path) -> None:
    server = EmbeddedPostgres(data_folder / "postgresql")  # looked at, not claimed
    site.fail("slow", delay=5, after=1)
    first, second = scrapyd.schedule(site.base_url), scrapyd.schedule(site.base_url)
    until(lambda: server.is_running() and has_rows(server.url, 2))
    processes = first.process, second.process
    scrapyd.follow(readme_command("cancel.json"), JOB=first.id)
    first.ended()
    assert [is_alive(process) for process in processes] == [False, True]
    assert server.is_running()
    site.heal()
    second.ended()
    assert not server.is_running()
    with server:
        cancelled, whole = sorted(runs(server.url), key=lambda run: run["stats"]["job"] == second.id)
        assert (cancelled["stats"]["job"], cancelled["reason"], cancelled["whole"]) == (first.id, "shutdown", None)
        assert (whole["reason"], whole["whole"]) == ("finished", "-infinity")
        for run in (cancelled, whole):
            fates = sum(run[fate] for fate in ("written", "unchanged", "merged", "rejected", "spooled"))
            assert run["items_scraped"] == fates
            assert run["spooled"] == 0
        assert stored(server.url) == listed(site)
    assert "Traceback" not in first.log + second.log


def test_crawls_that_are_killed_leave_no_half_truth(scrapyd: Scrapyd, site: StandInProcess, database_url: str) -> None:
    site.fail("slow", delay=5, after=1)
    killed, cancelled = (scrapyd.schedule(site.base_url, database_url) for _ in range(2))
    until(lambda: has_rows(database_url, 2))
    assert [(run["finished_at"], run["reason"], run["whole"]) for run in runs(database_url)] == [(None, None, None)] * 2
    os.kill(killed.process, signal.SIGKILL)
    cancelled.cancel()
    until(lambda: "SIGINT" in cancelled.log)
    scrapyd.open("cancel.json", {"project": PROJECT, "job": cancelled.id})  # refused if the job ended just now
    killed.ended()
    cancelled.ended()
    site.heal()
    left = runs(database_url)
    # The second cancel comes within the two seconds that the first one gives to the download that hangs, or too late.
    assert sorted(run["reason"] or "" for run in left) in (["", ""], ["", "shutdown"])
    again = scrapyd.schedule(site.base_url, database_url).ended()
    assert stored(database_url) == listed(site), again
    *before, last = runs(database_url)
    assert [run["reason"] for run in before] == [run["reason"] or "killed" for run in left]
    assert [(run["finished_at"], run["whole"]) for run in before] == [(run["finished_at"], None) for run in left]
    assert (last["reason"], last["whole"]) == ("finished", "-infinity")


@pytest.fixture
def newer_egg(egg: Path, tmp_path: Path) -> Path:
    """An egg of a version that has one more migration."""
    newer, folder = tmp_path / "newer.egg", "outsourcing_spiders/storage"
    with zipfile.ZipFile(egg) as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == f"{folder}/tables.py":
                content = content.replace(
                    f'SCHEMA_REVISION = "{SCHEMA_REVISION}"'.encode(), b'SCHEMA_REVISION = "9999"'
                )
            new.writestr(name, content)
        new.writestr(
            f"{folder}/migrations/versions/9999_newer.py",
            f'revision, down_revision, branch_labels, depends_on = "9999", "{SCHEMA_REVISION}", None, None\n\n\n'
            "def upgrade() -> None:\n    pass\n",
        )
    return newer


def test_a_version_is_rolled_back(
    scrapyd: Scrapyd, site: StandInProcess, database_url: str, newer_egg: Path, project: Path
) -> None:
    login = {"SCRAPYD_USERNAME": NAME, "SCRAPYD_PASSWORD": PASSWORD}
    deploy("--egg", newer_egg, "--version", "2", cwd=project, **login)
    scrapyd.schedule(site.base_url, database_url, max_pages="1").ended()
    assert query(database_url, "SELECT version_num FROM alembic_version") == [{"version_num": "9999"}]
    (done,) = runs(database_url)
    assert (done["reason"], done["stats"]["egg"]) == ("finished", "2")
    scrapyd.follow(readme_command("delversion.json"), VERSION="2")
    assert scrapyd.follow(readme_command("listversions.json"))["versions"] == ["1"]
    job = scrapyd.schedule(site.base_url, database_url, max_pages="1")
    log = job.ended()
    (line,) = [line for line in log.splitlines() if "ERROR" in line]
    assert re.search(r"newer version of this project \(revision 9999, .*\); update the code, or use another", line)
    assert "Traceback" not in log
    assert runs(database_url) == [done]
    # A Scrapyd that was stopped and started again remembers.
    scrapyd.stop()
    scrapyd.start()
    assert job.id in scrapyd.jobs("finished")
    assert job.log == log

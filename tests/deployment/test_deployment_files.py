"""Dockerfile, compose.yaml and systemd units, as far as they can be judged where nothing is built or started.

`dockerfile_dry_run.py` beside this runs the Dockerfile's commands without Docker; it takes minutes.
"""

from __future__ import annotations

import fnmatch
import json
import math
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY
from deployment._dockerfile import Instruction, instructions
from packaging.requirements import Requirement
from scrapy.cmdline import execute
from scrapy.utils.project import get_project_settings

from outsourcing_spiders.administration.deployment_schedule import PROJECT, schedule
from outsourcing_spiders.administration.deployment_units import (
    BROWSER_SECONDS,
    DATABASE_SECONDS,
    KEPT,
    stop_grace,
    systemd_files,
)
from outsourcing_spiders.middlewares import browser
from outsourcing_spiders.storage import engine

Write = Callable[..., int | str | None]

TEMPLATES = REPOSITORY / "outsourcing_spiders" / "templates" / "deployment"
PLATFORMS = sorted(path.stem for path in (REPOSITORY / "outsourcing_spiders" / "spiders").glob("[!_]*.py"))
_SCRIPT = "usr/local/sbin/outsourcing-scrapy"
_DURATION = re.compile(r"(?:\d+(?:h|m|s|ms))+")
_SECRET = re.compile(r"PASSWORD|TOKEN|SECRET", re.IGNORECASE)
_SERVICE_KEYS = {
    "image", "build", "restart", "logging", "read_only", "tmpfs", "cap_drop", "security_opt", "environment",
    "stop_grace_period", "shm_size", "volumes", "healthcheck", "ports", "depends_on", "command",
}  # fmt: skip
_HEALTH_KEYS = {"test", "interval", "timeout", "start_period", "retries"}


def settings(**changes: Any) -> Any:
    found = get_project_settings()
    for name, value in changes.items():
        found.set(name, value)
    return found


@pytest.fixture(scope="module")
def dockerfile() -> list[Instruction]:
    return instructions((REPOSITORY / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    return found


def test_the_image_is_pinned_and_its_user_is_nobody_special(dockerfile: list[Instruction]) -> None:
    (base,) = [words for name, words in dockerfile if name == "FROM"]
    # A short name: the registry is Docker's default. A digest would be firmer; it can only be looked up there.
    assert re.fullmatch(r"python:3\.11-slim-bookworm", base)
    names = [name for name, _ in dockerfile]
    (user,) = [words for name, words in dockerfile if name == "USER"]
    assert user == "outsourcing"
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in ("RUN", "COPY"))
    assert any("useradd" in words and user in words for name, words in dockerfile if name == "RUN")
    assert not [words for name, words in dockerfile if name in ("ENV", "ARG") and _SECRET.search(words)]


def test_every_command_of_the_image_is_shell(dockerfile: list[Instruction]) -> None:
    for name, words in dockerfile:
        if name == "RUN":
            subprocess.run(["sh", "-n", "-c", words], check=True)
    (health,) = [words for name, words in dockerfile if name == "HEALTHCHECK"]
    assert json.loads(health.partition("CMD")[2])[:3] == ["scrapy", "deployment", "health"]
    (command,) = [words for name, words in dockerfile if name == "CMD"]
    assert json.loads(command) == ["scrapy", "deployment", "scrapyd"]


def test_what_is_copied_is_there_and_nothing_else_is_sent(dockerfile: list[Instruction]) -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {source for name, words in dockerfile if name == "COPY" for source in shlex.split(words)[:-1]}
    for source in copied:
        assert (REPOSITORY / source).exists(), source
        assert Path(source).parts[0] in sent
    assert {Path(source).parts[0] for source in copied} == sent
    assert not fnmatch.filter(sent, ".env*")
    # In a folder that is sent, too: the last rule that fits counts.
    assert rules.index("**/.env*") > max(rules.index(f"!{name}") for name in sent)


def test_the_pinned_versions_are_within_the_ranges() -> None:
    pinned = {}
    for line in (TEMPLATES / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            pinned[name.lower().replace("_", "-")] = version
    wanted = [
        *(REPOSITORY / "requirements.txt").read_text().splitlines(),
        *re.findall(r"'(\w+>=[^']+)'", (REPOSITORY / "Dockerfile").read_text()),
    ]
    for line in wanted:
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            name = requirement.name.lower().replace("_", "-")
            assert name in pinned, (
                f"{name} is not in {TEMPLATES / 'constraints.txt'}; its first lines say how to renew it"
            )
            assert requirement.specifier.contains(pinned[name]), line


def test_services_have_known_keys_and_bounds(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "schema", "scrapyd", "schedule"}
    for name, service in compose["services"].items():
        assert set(service) <= _SERVICE_KEYS, name
        assert set(service.get("healthcheck", _HEALTH_KEYS)) in (_HEALTH_KEYS, {"disable"})
        assert service["restart"] == ("no" if name == "schema" else "unless-stopped")
        # Logs are rotated.
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
        assert "no-new-privileges:true" in service["security_opt"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in compose["volumes"]
        for other, condition in service.get("depends_on", {}).items():
            assert other in compose["services"]
            # The health of Scrapyd is that of the tables, too: they must be there before anybody waits for it.
            how = "service_completed_successfully" if other == "schema" else "service_healthy"
            assert condition == {"condition": how}
        for key in ("interval", "timeout", "start_period"):
            assert _DURATION.fullmatch(service.get("healthcheck", {}).get(key, "1s"))
        # What a platform answers is no reason to start a container again.
        assert not {"health", "crawls"} <= set(service.get("healthcheck", {}).get("test", ()))
    assert "schema" in compose["services"]["scrapyd"]["depends_on"]
    for name in ("schema", "scrapyd", "schedule"):
        assert (compose["services"][name]["read_only"], compose["services"][name]["cap_drop"]) == (True, ["ALL"])
    postgres = compose["services"]["postgres"]
    assert re.fullmatch(r"postgres:18-bookworm", postgres["image"])
    # The place of PostgreSQL 18's image; before, it was …/data.
    assert postgres["volumes"] == ["postgres:/var/lib/postgresql"]


def test_no_secret_has_a_default_and_none_that_is_needed_can_be_left_out(compose: dict[str, Any]) -> None:
    needed = set()
    for service in compose["services"].values():
        for name, value in service["environment"].items():
            if _SECRET.search(name):
                match = re.fullmatch(r"\$\{(\w+):(\?[^}]+|-)\}", value)
                assert match, (name, value)
                if match[2] != "-":
                    assert match[2] == f"?set {match[1]} in the file .env"
                    needed.add(match[1])
    assert needed == {"POSTGRES_PASSWORD", "SCRAPYD_PASSWORD"}


def test_containers_have_the_time_that_crawls_need(compose: dict[str, Any]) -> None:
    grace = stop_grace(settings())
    assert compose["services"]["scrapyd"]["stop_grace_period"] == f"{grace.seconds}s"
    assert stop_grace(settings(STOP_GRACE=12.5)).seconds == math.ceil(grace.seconds + 10.5)
    # The end of the run may take half as long again, which a database that does not answer is outlasted by then.
    assert stop_grace(settings(STOP_GRACE=30)).seconds == grace.seconds + 28 + 15 - DATABASE_SECONDS
    # What crawls do while they stop.
    assert BROWSER_SECONDS >= 2 * browser._CLOSE_SECONDS
    assert DATABASE_SECONDS >= engine._CONNECT_TIMEOUT


def test_the_schedule_is_the_same_everywhere(compose: dict[str, Any]) -> None:
    default = settings().get("CRAWL_SCHEDULE")
    assert compose["services"]["schedule"]["environment"]["CRAWL_SCHEDULE"] == default
    # What forbids programs is crawled only by those who say so.
    assert sorted(schedule(settings(), PLATFORMS)) == ["freelancer", "freemoa", "guru", "peopleperhour"]


def test_compose_reads_it(tmp_path: Path) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("docker compose is not installed")
    config = ["docker", "compose", "--file", str(REPOSITORY / "compose.yaml"), "--env-file"]
    secrets = tmp_path / "secrets"
    secrets.write_text("POSTGRES_PASSWORD=a\n")
    done = subprocess.run([*config, str(secrets), "config", "-q"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "set SCRAPYD_PASSWORD in the file .env" in done.stderr
    secrets.write_text("POSTGRES_PASSWORD=a\nSCRAPYD_PASSWORD=b\n")
    done = subprocess.run([*config, str(secrets), "config", "-q"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def made(program: str = "/usr/bin/true", **changes: Any) -> dict[str, str]:
    own = settings(**changes)
    return systemd_files(own, schedule(own, PLATFORMS), program=program, user="outsourcing")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the files of a server into ``tmp_path``, by the command; returns its exit code."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "outsourcing_spiders.settings")

    def run(*arguments: str) -> int | str | None:
        program = "--program=/srv/outsourcing_spiders/.venv/bin/scrapy"
        with pytest.raises(SystemExit) as ended:
            execute(["scrapy", "deployment", "systemd", "--output", str(tmp_path), program, *arguments])
        return ended.value.code

    return run


def test_systemd_reads_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    units = []
    program = tmp_path / "100%in" / "scrapy"
    program.parent.mkdir()
    program.touch(mode=0o755)
    for name, content in made(str(program)).items():
        if name.startswith("etc/systemd/system/"):
            units.append(tmp_path / Path(name).name)
            units[-1].write_text(content)
    # A template is judged by an instance of it.
    shutil.copy(tmp_path / "outsourcing-crawl@.service", tmp_path / "outsourcing-crawl@guru.service")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "outsourcing-" in line]
    assert (ours, done.returncode) == ([], 0), done.stderr


def test_units_do_as_the_settings_say() -> None:
    units = made(STOP_GRACE=7, CRAWL_SCHEDULE="guru=1h,upwork=90m")
    timers = {name: text for name, text in units.items() if name.endswith(".timer") and "crawl" in name}
    assert sorted(Path(name).name for name in timers) == [
        "outsourcing-crawl-guru.timer",
        "outsourcing-crawl-upwork.timer",
    ]
    guru = timers["etc/systemd/system/outsourcing-crawl-guru.timer"]
    assert "Unit=outsourcing-crawl@guru.service\n" in guru
    assert "OnUnitInactiveSec=3600s\n" in guru
    for name in ("outsourcing-scrapyd.service", "outsourcing-crawl@.service"):
        unit = units[f"etc/systemd/system/{name}"]
        assert "TimeoutStopSec=25\n" in unit
        assert "Environment=STOP_GRACE=7\n" in unit
        assert "KillMode=mixed\n" in unit
        assert "NoNewPrivileges=yes\n" in unit
        assert "LogNamespace=outsourcing\n" in unit
    assert "SystemMaxUse=500M\n" in units["etc/systemd/journald@outsourcing.conf"]
    assert "CRAWL_SCHEDULE=guru=1h upwork=90m\n" in units["etc/outsourcing_spiders/environment"]
    scripts = [name for name, text in units.items() if re.search(r"(?<!\$)\$(?!\$DATABASE_URL)", text)]
    assert scripts == [_SCRIPT]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user="], "--user must be the name of a user, not ''."),
        (["--user", "nobody\nAmbientCapabilities=~"], "--user must be the name of a user"),
        (["--program=relative/scrapy"], "--program must be a path from / on, without blanks, quotes and backslashes"),
        (["--program=/srv/my folder/scrapy"], "--program must be a path from / on"),
        (["--program=/home/somebody/.venv/bin/scrapy"], "is in a home folder, which services do not see"),
        (["-s", "STOP_GRACE=-50"], "STOP_GRACE must be a number of seconds, 0 or more, not '-50'."),
        (["-s", "STOP_GRACE=abc"], "STOP_GRACE must be a number of seconds"),
        (["-s", "STOP_GRACE=inf"], "STOP_GRACE must be a number of seconds"),
        (["-s", "STOP_GRACE=nan"], "STOP_GRACE must be a number of seconds"),
    ],
)
def test_units_that_would_not_run_are_not_written(
    arguments: list[str], said: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(*arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("scrapy deployment: ")
    assert said in line
    assert not list(tmp_path.iterdir())


def test_scrapy_runs_as_the_services_run_it(tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    folder = "/etc/outsourcing_spiders"
    program = "/srv/a&b/scrapy"
    script = made(program)[_SCRIPT].replace(f"{folder}/environment", str(environment))
    fake = tmp_path / "systemd-run"
    fake.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\nexit 3\n')
    fake.chmod(0o755)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.run(["sh", "-c", script, "sh", *arguments], env=path, capture_output=True, text=True)

    # Else it would be the embedded database, and a backup of nothing.
    for content in ("DATABASE_URL=\n", "#DATABASE_URL=x\n"):
        environment.write_text(content)
        done = run("db", "backup", "-")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Set DATABASE_URL in {environment}, and run this as root\n"
    environment.write_text("DATABASE_URL=postgresql://db/x\n")
    done = run("db", "psql", "-c", "SELECT 'a b'")
    options, _, command = done.stdout.partition("\n--\n")
    assert (done.returncode, command) == (3, f"{program}\ndb\npsql\n-c\nSELECT 'a b'\n")
    unit = made()["etc/systemd/system/outsourcing-health.service"]
    for name, value in re.findall(r"^--(?:property|setenv)=(\w+)=(.*)$", options, re.MULTILINE):
        told = f"{folder}/environment" if value == str(environment) else value
        assert re.search(rf"^(Environment=.*)?\b{name}={re.escape(told)}\b", unit, re.MULTILINE), (name, value)


def test_a_quoted_value_is_read_as_the_environment_says(tmp_path: Path) -> None:
    (quoted,) = re.findall(r"single quotes: (\S+)\.$", made()["etc/outsourcing_spiders/environment"], re.MULTILINE)
    reader = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
    if not reader.exists():
        pytest.skip("systemd is not installed")
    (tmp_path / "environment.d").mkdir()
    (tmp_path / "environment.d" / "test.conf").write_text(f"QUOTED_VALUE={quoted}\n")
    read = subprocess.run([reader], env={"XDG_CONFIG_HOME": str(tmp_path)}, capture_output=True, text=True).stdout
    (value,) = re.findall(r'^QUOTED_VALUE="(.*)"$', read, re.MULTILINE)
    assert value.replace("\\\\", "\\") == quoted.strip("'")


@pytest.mark.parametrize("folder", [REPOSITORY, TEMPLATES], ids=["clone", "server"])
def test_scrapyd_has_the_project_by_its_name_without_an_egg(folder: Path) -> None:
    read = ConfigParser(interpolation=None)
    read.read(folder / "scrapy.cfg")
    assert dict(read["settings"]) == dict.fromkeys(("default", PROJECT), "outsourcing_spiders.settings")


def test_they_are_written_but_not_over_what_an_operator_edits(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write() == 0
    assert capsys.readouterr().out == f"{len(made())} files written to {tmp_path}.\n"
    kept, unit = tmp_path / KEPT[0], tmp_path / "etc/systemd/system/outsourcing-scrapyd.service"
    assert [path.stat().st_mode & 0o777 for path in (kept, tmp_path / _SCRIPT)] == [0o600, 0o755]
    assert "ExecStart=/srv/outsourcing_spiders/.venv/bin/scrapy deployment scrapyd\n" in unit.read_text()
    kept.write_text("DATABASE_URL=mine\n")
    unit.write_text("")
    assert write() == 0
    assert (kept.read_text(), unit.read_text() != "") == ("DATABASE_URL=mine\n", True)


def test_crawls_have_the_grace_that_the_units_give(scrapy: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert scrapy("settings", "--get", "STOP_GRACE", STOP_GRACE="7").stdout == "7\n"

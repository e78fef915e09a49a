"""A real Scrapyd on loopback, what the README says about it, and an egg of this project."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from _ports import kept_port
from conftest import REPOSITORY, scrapy_environment

from outsourcing_spiders.storage.embedded_host import command_of

PROJECT = "outsourcing_spiders"
NAME, PASSWORD = "operator", "p@ss:%w$rd"

needs_scrapyd = pytest.mark.skipif(
    find_spec("scrapyd") is None or find_spec("scrapyd_client") is None,
    reason="scrapyd and scrapyd-client are not installed: pip install -r tests/requirements.txt",
)

T = TypeVar("T")


def until(look: Callable[[], T], *, seconds: float = 120) -> T:
    """Return what `look` finds as soon as that is anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{look} found nothing in {seconds} s"
        time.sleep(0.05)
    return found


def copy_project(folder: Path) -> Path:
    """Copy what an egg is made from, so that building leaves nothing in the work tree."""
    left_out = shutil.ignore_patterns("__pycache__", ".*", "build", "*.egg-info")
    for name in ("outsourcing_spiders", "tests"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=left_out)
    for name in ("pyproject.toml", "setup.py", "scrapy.cfg", "requirements.txt", "README.md"):
        shutil.copy(REPOSITORY / name, folder / name)
    return folder


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command to its end, as a user of `scrapyd` would; return what it printed."""
    done = subprocess.run(
        command, cwd=cwd, env=scrapy_environment(cwd) | environment, check=False, timeout=120,
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def deploy(*arguments: str | Path, cwd: Path, **environment: str) -> str:
    """Run ``scrapyd-deploy``."""
    return run(sys.executable, "-m", "scrapyd_client.deploy", *arguments, cwd=cwd, **environment)


def readme_blocks(kind: str) -> list[str]:
    """Return the code blocks of one kind in the README's section on Scrapyd."""
    text = (REPOSITORY / "README.md").read_text()
    (section,) = re.findall(r"^### [^\n]*Scrapyd[^\n]*\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{kind}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def readme_command(containing: str) -> list[str]:
    """Return the one command of that section that holds a text, as its words, without the comment."""
    (line,) = [
        line for block in readme_blocks("sh") for line in block.replace("\\\n", "").splitlines() if containing in line
    ]
    return shlex.split(line, comments=True)


class Scrapyd:
    """A Scrapyd in a process of its own, in `folder`, on a free port, with a password."""

    command = ("-m", "scrapyd")

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = 0
        self._environment = environment | {"SCRAPYD_USERNAME": NAME, "SCRAPYD_PASSWORD": PASSWORD}

    def __enter__(self) -> Self:
        self._held = ExitStack()
        self.port = self._held.enter_context(kept_port())
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop(signal.SIGKILL)
        self._held.close()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://localhost:{self.port}"

    @property
    def output(self) -> str:
        """What it wrote."""
        return (self.folder / "scrapyd.out").read_text()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = scrapy_environment(self.folder) | self._environment
        with (self.folder / "scrapyd.out").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.command], cwd=self.folder, start_new_session=True,
                env=environment | {"SCRAPYD_HTTP_PORT": str(self.port)},
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        assert until(lambda: "ended" if self.process.poll() is not None else self._answers()) is True, self.output

    def _answers(self) -> bool:
        try:
            return self.ask("daemonstatus.json")["status"] == "ok"
        except urllib.error.URLError:
            return False

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to it and all that it started, as a service manager does, and wait for its end."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, sent)
        self.process.wait(60)

    def open(self, path: str, fields: Any = None, *, password: str | None = PASSWORD) -> tuple[int, str]:
        """Ask for a page, with GET or, with `fields`, POST; return its status and text."""
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data)
        if password is not None:
            login = base64.b64encode(f"{NAME}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ask(self, path: str, fields: Any = None) -> dict[str, Any]:
        """Return an answer of its API, which must be a good one."""
        status, body = self.open(path, fields)
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body)
        assert answer["status"] == "ok", answer
        return answer

    def follow(self, command: list[str], *more: tuple[str, str], **placeholders: str) -> dict[str, Any]:
        """Do what a ``curl`` of the README would, with values for its PLACEHOLDERS and `more` fields."""
        assert command[:3] == ["curl", "-u", "$SCRAPYD_USERNAME:$SCRAPYD_PASSWORD"], command
        address, fields, words = "", list(more), iter(command[3:])
        for word in words:
            if word == "-d":
                name, _, value = next(words).partition("=")
                fields.append((name, placeholders.get(value, value)))
            else:
                address = word
        assert address.startswith("localhost:6800/"), command
        path = address.partition("/")[2]
        for name, value in placeholders.items():
            path = path.replace(name, value)
        return self.ask(path, fields or None)

    def schedule(self, base_url: str, database_url: str | None = None, **arguments: str) -> Job:
        """Schedule a crawl of the stand-in at `base_url`."""
        fields = [("project", PROJECT), ("spider", "freelancer"), ("base_url", base_url), *arguments.items()]
        fields += [("setting", "DOWNLOAD_DELAY=0")]
        if database_url is not None:
            fields += [("setting", f"DATABASE_URL={database_url}")]
        return Job(self, self.ask("schedule.json", fields)["jobid"])

    def jobs(self, state: str) -> dict[str, dict[str, Any]]:
        """Return the jobs that are ``pending``, ``running`` or ``finished``, by their ids."""
        return {job["id"]: job for job in self.ask(f"listjobs.json?project={PROJECT}")[state]}


class Job:
    """A crawl that was scheduled."""

    def __init__(self, scrapyd: Scrapyd, number: str) -> None:
        self.scrapyd = scrapyd
        self.id = number
        self._process = 0

    @property
    def log(self) -> str:
        """Its log, as the web page shows it; empty while there is none."""
        status, text = self.scrapyd.open(f"logs/{PROJECT}/freelancer/{self.id}.log")
        return text if status == 200 else ""

    @property
    def process(self) -> int:
        """Its process id, once it runs."""
        if not self._process:
            job = until(lambda: self.scrapyd.jobs("running").get(self.id))
            self._process = int(until(lambda: job.get("pid")))
        return self._process

    def cancel(self) -> None:
        """Cancel it."""
        self.scrapyd.ask("cancel.json", {"project": PROJECT, "job": self.id})

    def is_finished(self) -> bool:
        """Tell whether Scrapyd has seen its end."""
        return self.id in self.scrapyd.jobs("finished")

    def ended(self) -> str:
        """Wait for its end; return its log."""
        until(self.is_finished)
        return self.log


def is_alive(process: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    return bool(command_of(process))

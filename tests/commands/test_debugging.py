"""The commands for looking at pages need no database, and do not touch one that is configured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from platforms_standins._server import StandInProcess
from platforms_standins.freelancer import standin_process

REPOSITORY = Path(__file__).parents[2]
LISTING = "api/projects/0.1/projects/active/?limit=100&full_description=true&job_details=true&compact=true"
COUNT = "len(list(spider.parse(response)))"


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A small Freelancer.com."""
    with standin_process(projects=250, seed=1) as site:
        yield site


def page_with(site: StandInProcess, text: str) -> str:
    """The address of a page of the listing that holds `text`."""
    for offset in range(0, 250, 50):
        url = f"{site.base_url}/{LISTING}&offset={offset}"
        with urllib.request.urlopen(url) as response:
            if text in response.read().decode():
                return url
    pytest.fail(f"no page holds {text}")


@pytest.fixture(scope="module")
def answer(site: StandInProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved answer of the listing."""
    file = tmp_path_factory.mktemp("saved") / "freelancer-answer.json"
    with urllib.request.urlopen(f"{site.base_url}/{LISTING}") as response:
        file.write_bytes(response.read())
    return file


def scrapy(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with a database that is down and a data folder that cannot be made."""
    return subprocess.run(
        [sys.executable, "-m", "scrapy", *arguments],
        cwd=REPOSITORY,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "OUTSOURCING_SPIDERS_DATA": "/proc/nowhere",
            "DATABASE_URL": "postgresql://127.0.0.1:1/x",
            "SCRAPY_PYTHON_SHELL": "python",
        },
        input=typed,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.mark.parametrize("options", [[], ["--spider=freelancer"]])
def test_shell_reads_a_saved_answer(answer: Path, options: list[str]) -> None:
    began = time.monotonic()
    ended = scrapy("shell", str(answer), *options, "-c", COUNT)
    assert time.monotonic() - began < 10
    assert (ended.returncode, ended.stderr) == (0, "")
    assert 90 < int(ended.stdout) <= 100


def test_shell_reads_a_live_answer_interactively(site: StandInProcess) -> None:
    typed = f"print('items:', {COUNT})\n"
    ended = scrapy("shell", f"{site.base_url}/{LISTING}", "--spider=freelancer", typed=typed)
    assert ended.returncode == 0
    assert "items: 9" in ended.stdout


def test_the_session_in_the_readme_runs(answer: Path) -> None:
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    typed = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    ended = scrapy("shell", "--spider=freelancer", str(answer), typed="\n".join(typed) + "\n")
    assert len(typed) == 4
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "Budget(minimum=Decimal(" in ended.stdout


def test_parse_shows_requests_and_cleaned_items(site: StandInProcess) -> None:
    page = page_with(site, '"title":""')
    ended = scrapy("parse", "--spider=freelancer", "--pipelines", "--nocolour", page)
    rejected = ended.stderr.count("Rejected https://www.freelancer.com/projects/")
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == rejected > 0
    # Validation converts budgets, and what it refuses is not shown.
    assert "'minimum_usd': Decimal(" in ended.stdout
    assert "'title': ''" not in ended.stdout
    assert "'external_id': " in ended.stdout


def test_parse_names_what_is_wrong_with_a_page(site: StandInProcess) -> None:
    ended = scrapy("parse", "--spider=freelancer", f"{site.base_url}/robots.txt")
    assert f"ERROR: {site.base_url}/robots.txt answered 200 with" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_parse_refuses_wrong_arguments(site: StandInProcess) -> None:
    ended = scrapy("parse", "--spider=freelancer", "-a", "since=yesterday", site.base_url)
    assert ended.returncode == 2
    assert ended.stderr.startswith("scrapy parse: since: 'yesterday' is neither")
    assert ended.stderr.count("\n") == 1


def test_fetch_prints_the_page_alone(site: StandInProcess) -> None:
    ended = scrapy("fetch", "--spider=freelancer", f"{site.base_url}/robots.txt")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("User-agent: *")


def test_check_runs_the_contracts(site: StandInProcess) -> None:
    site.requests(clear=True)
    ended = scrapy("check")
    assert ended.returncode == 0
    assert ended.stderr.rstrip().endswith("OK")
    assert site.requests() == []


def test_list() -> None:
    ended = scrapy("list")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "freelancer" in ended.stdout.split()

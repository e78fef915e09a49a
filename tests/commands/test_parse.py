"""`scrapy parse` prints items with where each field came from, and keeps Scrapy's options."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import scrapy_environment
from platforms_standins import freelancer, freemoa
from platforms_standins._server import StandInProcess

REPOSITORY = Path(__file__).parents[2]
FIXTURES = Path("tests") / "fixtures"
LISTING = "api/projects/0.1/projects/active/?limit=100&full_description=true&job_details=true&compact=true"


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A small Freelancer.com."""
    with freelancer.standin_process(projects=250, seed=1) as site:
        yield site


def parse(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with a database that is down and a data folder that cannot be made."""
    more = {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "COLUMNS": "150"} | environment
    return subprocess.run(
        [sys.executable, "-m", "scrapy", "parse", *arguments],
        cwd=REPOSITORY, env=scrapy_environment(Path("/proc/nowhere")) | more, capture_output=True, text=True,
        timeout=180, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def page_with(site: StandInProcess, text: str) -> str:
    """The address of a page of the listing that holds `text`."""
    for offset in range(0, 250, 50):
        url = f"{site.base_url}/{LISTING}&offset={offset}"
        with urllib.request.urlopen(url) as response:
            if text in response.read().decode():
                return url
    pytest.fail(f"no page holds {text}")


@pytest.mark.parametrize(
    ("fixture", "shown"),
    [
        ("guru/detail.html", r"^description .* job_postings\[\*\]\.description$"),
        ("upwork/api.json", r"^client\.country +\w\w .* client\.location\.country$"),
    ],
)
def test_a_saved_page_is_printed(fixture: str, shown: str) -> None:
    ended = parse(str(FIXTURES / fixture), "--nolinks")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(shown, ended.stdout, re.MULTILINE), ended.stdout
    assert "# Requests" not in ended.stdout


def test_the_lines_in_the_readme_come() -> None:
    text = (REPOSITORY / "README.md").read_text()
    sessions = re.findall(r"^\$ scrapy parse (.*)\n((?:.*\n)*?)```", text, re.MULTILINE)
    assert sessions
    for arguments, told in sessions:
        ended = parse(*arguments.split(), COLUMNS="112")
        assert ended.returncode == 0
        wanted = {line for line in told.splitlines() if line not in ("", "…")}
        assert wanted <= set(ended.stdout.splitlines()), wanted


def test_what_strangers_write_commands_no_terminal(tmp_path: Path) -> None:
    page = tmp_path / "guru.html"
    saved = (REPOSITORY / FIXTURES / "guru" / "listing_first.html").read_text()
    page.write_text(saved.replace("Convenient designer", "\x1b]0;x\x07Convenient designer"))
    ended = parse(str(page), "--nolinks", "--nocolour")
    assert r"\x1b]0;x\x07Convenient designer" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_rows_without_an_item_are_told() -> None:
    ended = parse(str(FIXTURES / "freelancer" / "listing_compact.json"))
    assert re.search(r"# Rows without an item.*\n +\d+  \d+ +left out by the spider: skipped/deleted", ended.stdout)


@pytest.mark.parametrize(("fixture", "count"), [("guru/listing_first.html", 20), ("wishket/listing.html", 10)])
def test_items_of_a_saved_page_are_written_and_nothing_is_asked(
    site: StandInProcess, tmp_path: Path, fixture: str, count: int
) -> None:
    site.requests(clear=True)
    written = tmp_path / "items.jsonl"
    ended = parse(str(FIXTURES / fixture), "-a", f"base_url={site.base_url}", "--nolinks", "-o", str(written))
    assert ended.returncode == 0
    assert "ERROR" not in ended.stderr
    assert len(written.read_text().splitlines()) == count
    assert site.requests() == []


def test_an_error_in_the_callback_is_no_success(site: StandInProcess) -> None:
    of_a_project = ("-c", "parse_detail", "--nolinks")
    for ended in (
        parse(str(FIXTURES / "guru" / "listing_first.html"), *of_a_project),
        # Not even a page: the place in the listing is nothing that it is read with.
        parse("--spider=guru", "-a", f"base_url={site.base_url}", *of_a_project),
    ):
        assert ended.returncode == 1
        assert "/d/jobs/ cannot be read: " in ended.stderr
        assert "Traceback" not in ended.stderr


def test_items_go_through_the_pipelines(site: StandInProcess) -> None:
    page = page_with(site, '"title":""')
    ended = parse("--spider=freelancer", "--pipelines", page)
    rejected = ended.stderr.count("Rejected https://www.freelancer.com/projects/")
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == rejected > 0
    # Validation converts budgets, and what it refuses is not shown as an item.
    assert re.search(r"^budget\.minimum_usd +[\d.]+ +converted by validation$", ended.stdout, re.MULTILINE)
    assert ended.stdout.count("refused by validation: title is empty") == rejected


def test_without_an_address_the_first_page_comes_as_a_crawl_would_get_it() -> None:
    with freemoa.standin_process(projects=40, seed=1) as platform:
        ended = parse("--spider=freemoa", "-a", f"base_url={platform.base_url}", "-s", "DOWNLOAD_DELAY=0")
        asked = [(seen["method"], seen["path"]) for seen in platform.requests()]
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^budget\.minimum +\d+ +'[\d,]+' +cost_min$", ended.stdout, re.MULTILINE)
    assert "/m4a/s41a" in ended.stdout.partition("# Requests")[2]
    assert asked[-2:] == [("GET", "/m4/s41"), ("POST", "/m4a/s41a")]


def test_it_names_what_is_wrong_with_a_page(site: StandInProcess) -> None:
    ended = parse("--spider=freelancer", f"{site.base_url}/robots.txt")
    assert f"ERROR: {site.base_url}/robots.txt answered 200" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--spider=freelancer", "-a", "since=yesterday"], 2, "scrapy parse: since: 'yesterday' is neither"),
        (["--spider=upwork", "https://www.upwork.com/x"], 1, "scrapy parse: upwork is not read without"),
        (["--spider=upwrk", "https://www.upwork.com/x"], 2, "scrapy parse: there is no spider 'upwrk'"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(arguments: list[str], code: int, said: str) -> None:
    ended = parse(*arguments)
    assert ended.returncode == code
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1

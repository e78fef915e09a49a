"""`scrapy shell` puts a spider's parsers in reach, on saved, live and rendered pages, and never hangs."""

from __future__ import annotations

import re
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from _crawls import project_settings
from _terminal import Terminal
from conftest import scrapy_environment
from platforms_standins import freelancer, freemoa, guru, upwork
from platforms_standins._server import StandInProcess
from scrapy.exceptions import UsageError

from outsourcing_spiders.commands.shell import Command

REPOSITORY = Path(__file__).parents[2]
FIXTURES = Path("tests") / "fixtures"
LISTING = "api/projects/0.1/projects/active/?limit=100&full_description=true&job_details=true&compact=true"
PROMPT = ">>> "


def environment(**more: str) -> dict[str, str]:
    """Return an environment with a database that is down and a data folder that cannot be made."""
    return scrapy_environment(Path("/proc/nowhere")) | {
        "DATABASE_URL": "postgresql://127.0.0.1:1/x",
        "SCRAPY_PYTHON_SHELL": "python",
        "COLUMNS": "150",
        **more,
    }


def shell(*arguments: str, typed: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "scrapy", "shell", *arguments],
        cwd=REPOSITORY, env=environment(**more), input=typed or "", capture_output=True, text=True, timeout=180,
        check=False,
    )  # fmt: skip


def terminal(*arguments: str) -> Terminal:
    """Run the command on a terminal."""
    return Terminal([sys.executable, "-m", "scrapy", "shell", *arguments], cwd=REPOSITORY, env=environment())


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A small Freelancer.com."""
    with freelancer.standin_process(projects=250, seed=1) as site:
        yield site


@pytest.fixture(scope="module")
def board() -> Iterator[StandInProcess]:
    """A small Guru.com."""
    with guru.standin_process(projects=60, seed=1) as site:
        yield site


@pytest.fixture(scope="module")
def silence() -> Iterator[socket.socket]:
    """A server that takes requests and never answers; its robots.txt is read from nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.fixture(scope="module")
def silent(silence: socket.socket) -> str:
    """Address of that server."""
    return f"http://127.0.0.1:{silence.getsockname()[1]}"


def request_for(path: str, server: socket.socket) -> socket.socket:
    """Wait for a request; return its connection, which stands open. Who asked for something else has left."""
    while True:
        connection, _ = server.accept()
        connection.settimeout(60)
        with suppress(ConnectionError):
            if connection.recv(65536).startswith(f"GET {path} ".encode()):
                return connection
        connection.close()


# --- saved pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "code", "shown"),
    [
        (
            "guru/listing_first.html",
            "explain(rows[0])",
            r"url +https://www.guru.com/\S+ +'/jobs/.* h2.jobRecord__title a @href",
        ),
        ("guru/detail.html", "explain()", r"description .* job_postings\[\*\]\.description"),
        ("freemoa/listing.json", "explain(rows[0])", r"budget\.minimum +9000000 +'900' +cost_min"),
        ("upwork/api.json", "explain(rows[0])", r"client\.country +\w\w .* client\.location\.country"),
    ],
)
def test_a_saved_page_is_explained(fixture: str, code: str, shown: str) -> None:
    ended = shell(str(FIXTURES / fixture), "-c", code)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(shown, ended.stdout, re.MULTILINE), ended.stdout


def test_comprehensions_and_lambdas_see_the_names() -> None:
    code = "[item(row).external_id for row in rows[:1]] == list(map(lambda row: item(row).external_id, rows[:1]))"
    ended = shell(str(FIXTURES / "guru" / "listing_first.html"), "-c", code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


def test_what_a_page_holds_commands_no_terminal_and_goes_into_a_pipe_as_it_is() -> None:
    arguments = (str(FIXTURES / "guru" / "listing_first.html"), "-c", "'\\x1b[2J'")
    assert shell(*arguments).stdout == "\x1b[2J\n"
    with terminal(*arguments) as console:
        console.until(r"\x1b[2J")


def test_a_saved_block_is_named() -> None:
    ended = shell(str(FIXTURES / "guru" / "blocked.html"), "-c", "rows")
    assert ended.returncode == 0
    assert "WARNING" in ended.stderr
    assert "keeps programs out" in ended.stderr
    assert ended.stdout.startswith("no rows: ")


def test_it_starts_soon() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = shell("--spider=guru", str(FIXTURES / "guru" / "listing_first.html"), "-c", "1")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")
    # About a second of its own, however much else the machine does.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


def test_a_console_says_what_to_type_and_leaves_at_once() -> None:
    with terminal(str(FIXTURES / "guru" / "listing_first.html")) as console:
        banner = console.until(PROMPT)
        for name in ("rows ", "item(rows[0])", "explain(rows[0])", "detail(item(rows[0]))", "fetch("):
            assert f"[s] {name}" in banner
        assert "20 rows" in banner
        console.type("item(rows[0]).title")
        assert "Convenient designer" in console.until(PROMPT)
        console.type("explain(rows[0])")
        assert "'.feedback-score' matches nothing" in console.until(PROMPT)
        console.interrupt_until(PROMPT)
        console.press(b"\x04")
        assert console.ended(within=30) == 0


def test_the_session_in_the_readme_runs() -> None:
    text = (REPOSITORY / "README.md").read_text()
    sessions = re.findall(r"^\$ scrapy shell (.*)\n((?:.*\n)*?)```", text, re.MULTILINE)
    assert sessions
    for arguments, told in sessions:
        lines = told.splitlines()
        typed = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
        assert typed
        ended = shell(*shlex.split(arguments), typed="\n".join(typed) + "\n", COLUMNS="112")
        said = ended.stdout + ended.stderr
        assert ended.returncode == 0
        assert "Traceback" not in said
        came = {line.removeprefix(PROMPT) for line in said.splitlines()}
        wanted = {line for line in lines if line not in ("", "…") and not line.startswith(PROMPT)}
        assert wanted <= came, wanted - came


# --- live pages ----------------------------------------------------------------------------------------------------


def test_pages_are_fetched_as_the_spider_would(board: StandInProcess) -> None:
    board.requests(clear=True)
    base = ("--spider=guru", "-a", f"base_url={board.base_url}", "-s", "DOWNLOAD_DELAY=0.1")
    typed = "detail(item(rows[0])).description_complete\nexplain()['description']\nfetch()\nfetch('/d/jobs/pg/3/')\n"
    ended = shell(*base, f"{board.base_url}/d/jobs/pg/2/", typed=typed)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "True" in ended.stdout
    assert "job_postings[*].description = " in ended.stdout
    asked = [seen["path"] for seen in board.requests()]
    assert asked[:2] == ["/robots.txt", "/d/jobs/pg/2/"]
    assert asked[2].startswith("/jobs/")
    assert asked[3:] == ["/d/jobs/", "/d/jobs/pg/3/"]


def test_an_address_alone_is_read(site: StandInProcess) -> None:
    ended = shell(f"{site.base_url}/{LISTING}", "--spider=freelancer", typed="print('items:', len(rows))\n")
    assert ended.returncode == 0
    # Some rows are no objects.
    assert re.search(r"items: (9\d|100)$", ended.stdout, re.MULTILINE)


def test_without_an_address_the_first_page_comes_as_a_crawl_would_get_it() -> None:
    with freemoa.standin_process(projects=40, seed=1) as platform:
        ended = shell(
            "--spider=freemoa",
            "-a",
            f"base_url={platform.base_url}",
            "-s",
            "DOWNLOAD_DELAY=0",
            "-c",
            "explain(rows[0])",
        )
        asked = [(seen["method"], seen["path"]) for seen in platform.requests()]
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^title .* title$", ended.stdout, re.MULTILINE)
    assert asked[-2:] == [("GET", "/m4/s41"), ("POST", "/m4a/s41a")]


def test_a_rendered_page_is_explained() -> None:
    pytest.importorskip("playwright")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))):
        pytest.skip("no browser (Debian: apt-get install chromium; else: playwright install chromium)")
    with upwork.standin_process(projects=30, seed=1) as platform:
        ended = shell("--spider=upwork", "-a", f"base_url={platform.base_url}", "-c", "explain(rows[0])")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^external_id +\d+ .* uid$", ended.stdout, re.MULTILINE)


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--spider=upwork", "-c", "1"], 1, "scrapy shell: upwork is not read without the platform's permission"),
        (["https://www.wishket.com/project/", "-c", "1"], 1, "scrapy shell: wishket is not read without"),
        (["--spider=gurru", "-c", "1"], 2, "scrapy shell: there is no spider 'gurru'; did you mean guru?"),
        (["--spider=guru", "-a", "pages=1", "-c", "1"], 2, "scrapy shell: guru takes no argument 'pages'"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(arguments: list[str], code: int, said: str) -> None:
    ended = shell(*arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e12"])
def test_a_timeout_that_is_none(seconds: str) -> None:
    command, parser = Command(), ArgumentParser()
    command.settings = project_settings()
    command.add_options(parser)
    with pytest.raises(UsageError, match="--timeout takes a number of seconds above 0, a day at most"):
        command.process_options([], parser.parse_args(["--timeout", seconds]))


def test_a_page_that_never_answers_is_given_up(silent: str) -> None:
    began = time.monotonic()
    ended = shell(
        "--spider=guru", silent, "-a", f"base_url={silent}", "-s", "ROBOTSTXT_OBEY=0", "--timeout", "1", "-c", "rows"
    )
    assert time.monotonic() - began < 40
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "gave no answer within 1 s" in ended.stderr


def test_a_wait_is_ended_by_ctrl_c_and_the_console_stays(silence: socket.socket, silent: str) -> None:
    with terminal("--spider=guru", str(FIXTURES / "guru" / "listing_first.html"), "-s", "ROBOTSTXT_OBEY=0") as console:
        console.until(PROMPT)
        console.type(f"fetch('{silent}/a'), 'back'")
        with request_for("/a", silence):
            console.interrupt()
            console.until("is not waited for any more")
        console.until(PROMPT)
        console.type("rows")
        assert "no rows: nothing came" in console.until(PROMPT)
        console.press(b"\x04")
        assert console.ended(within=30) == 0

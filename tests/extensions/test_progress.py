"""Progress of whole crawls, on a real terminal and in a log."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from platforms_standins._server import StandInProcess
from platforms_standins.freelancer import standin_process

from outsourcing_spiders.storage.embedded import EmbeddedPostgres

REPOSITORY = Path(__file__).parents[2]
ERASE, HIDE_CURSOR, SHOW_CURSOR = "\x1b[2K", "\x1b[?25l", "\x1b[?25h"
BAR = re.compile(
    r"freelancer [━╸╺]+ (\d+) % · [\d,]+ new, [\d,]+ changed, [\d,]+ unchanged · [\d.,]+/s · "
    r"(\d+ (s|min) left|seconds left) · \d:\d\d · \d+ requests"
)


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """The data folder of the crawls, with the embedded server up; every user may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="progress-", dir="/tmp"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder / "postgresql"):
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A Freelancer.com of five pages or so."""
    with standin_process(projects=450, seed=1) as site:
        yield site


@dataclass
class Crawl:
    """A crawl on a terminal: `seen` is what it wrote so far."""

    process: subprocess.Popen[bytes]
    terminal: int
    seen: str = ""

    def read_until(self, pattern: str, patience: float = 90) -> None:
        """Read until `pattern` is there, or the crawl ends."""
        deadline = time.monotonic() + patience
        while not re.search(pattern, self.plain):
            assert time.monotonic() < deadline, self.seen
            if not self._read():
                return

    def end(self) -> int:
        """Read on to the end; return the exit code."""
        while self._read():
            pass
        return self.process.wait(60)

    @property
    def plain(self) -> str:
        """What was written, without colours."""
        return re.sub(r"\x1b\[[\d;]*m", "", self.seen).replace("\r\n", "\n")

    def _read(self) -> bool:
        try:
            chunk = os.read(self.terminal, 65536)
        except OSError:  # the last writer is gone
            return False
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)


def command(site: StandInProcess, *options: str) -> list[str]:
    options = ("-a", f"base_url={site.base_url}", "-a", "full=1", *options)
    return [sys.executable, "-m", "scrapy", "crawl", "freelancer", *options]


def environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONUTF8": "1", "OUTSOURCING_SPIDERS_DATA": str(data), **more}


@pytest.fixture
def crawl(site: StandInProcess, data: Path) -> Iterator[Callable[..., Crawl]]:
    """A function that starts a crawl on a terminal of its own; what still runs at the end is killed."""
    started: list[Crawl] = []

    def start(*options: str, width: int = 120, term: str = "xterm-256color") -> Crawl:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        process = subprocess.Popen(
            command(site, *options),
            cwd=REPOSITORY,
            env=environment(data, TERM=term),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        started.append(Crawl(process, ours))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        os.close(each.terminal)


@pytest.fixture
def hanging_site(site: StandInProcess) -> Iterator[None]:
    """A site that answers its first two requests: a crawl of it is under way for as long as it is let."""
    site.fail("held", after=2)
    yield
    site.heal()


def answer_two(site: StandInProcess) -> None:
    """Answer the request that is held back, and one more."""
    site.heal()
    site.fail("held", after=1)


def assert_clean(crawl: Crawl) -> None:
    """The bar is away and the cursor is back."""
    assert crawl.seen.rfind(SHOW_CURSOR) > crawl.seen.rfind(HIDE_CURSOR) > 0
    after = crawl.plain.rpartition(ERASE)[2]
    assert "━" not in after
    assert after.endswith("\n")


@pytest.mark.usefixtures("hanging_site")
def test_a_terminal_shows_one_live_line_with_the_log_above_it(
    crawl: Callable[..., Crawl], site: StandInProcess
) -> None:
    ended = crawl("-s", "DOWNLOAD_DELAY=0")
    ended.read_until(BAR.pattern)
    first = BAR.search(ended.plain)
    assert first, ended.plain
    # It stands there until it is seen.
    answer_two(site)
    ended.read_until(rf"[━╸╺] (?!{first[1]} %)\d+ % · .* left · ")
    site.heal()
    assert ended.end() == 0
    bars = list(BAR.finditer(ended.plain))
    assert bars, ended.plain
    assert int(bars[-1][1]) > int(bars[0][1])
    drawn = [
        line for line in re.split(r"\n|\r|\x1b\[2K", ended.plain) if line.startswith("freelancer ") and "━" in line
    ]
    assert max(map(len, drawn)) <= 120
    # A line of the log takes the place of the bar, is never wrapped by us, and the bar is drawn below it.
    rejected = re.findall(rf"{re.escape(ERASE)}(\S+ WARNING Rejected https://.*)\n(\w+)", ended.plain)
    assert rejected
    assert all(line.endswith("title is empty") and below == "freelancer" for line, below in rejected)
    assert_clean(ended)
    summary = ended.plain.rpartition(ERASE)[2]
    assert re.match(r"\d\d:\d\d:\d\d INFO    freelancer finished: ", summary)


@pytest.mark.usefixtures("hanging_site")
def test_one_interrupt_leaves_the_terminal_clean(crawl: Callable[..., Crawl]) -> None:
    ended = crawl("-s", "STOP_GRACE=0.2")
    ended.read_until(" % · ")
    ended.process.send_signal(signal.SIGINT)
    assert ended.end() == 0
    assert "Received SIGINT, shutting down gracefully" in ended.seen
    assert "freelancer shutdown: " in ended.plain.rpartition(ERASE)[2]
    assert_clean(ended)


@pytest.mark.usefixtures("hanging_site")
def test_two_interrupts_leave_the_terminal_clean(crawl: Callable[..., Crawl]) -> None:
    ended = crawl("-s", "STOP_GRACE=120")
    ended.read_until(" % · ")
    ended.process.send_signal(signal.SIGINT)
    ended.read_until("Received SIGINT, shutting down")
    ended.process.send_signal(signal.SIGINT)
    assert ended.end() == 1
    assert ended.plain.rpartition(ERASE)[2].startswith("scrapy crawl freelancer: aborted: it was forced to end")
    assert_clean(ended)


def test_no_bar(crawl: Callable[..., Crawl], tmp_path: Path) -> None:
    log = tmp_path / "log"
    off = crawl("-a", "max_pages=1", "-s", "PROGRESS=off")
    dumb = crawl("-a", "max_pages=1", term="dumb")
    filed = crawl("-a", "max_pages=1", "--logfile", str(log))
    assert [each.end() for each in (off, dumb, filed)] == [0, 0, 0]
    assert not any("\x1b" in each.seen for each in (off, dumb, filed))
    assert all("freelancer finished: " in said for said in (off.seen, dumb.seen, log.read_text()))


@pytest.mark.usefixtures("hanging_site")
def test_a_pipe_gets_a_line_now_and_then(site: StandInProcess, data: Path) -> None:
    line_of = re.compile(
        r".*\[outsourcing_spiders\.extensions\.progress\] INFO: freelancer: \d+ requests?, \d+ projects "
        r"\(\d+ new, \d+ changed, \d+ unchanged\)(, [\d.,]+/s, \d+ % of \d+, (about \d+ (s|min)|seconds) left)?\n"
    )
    with subprocess.Popen(
        command(site, "-s", "DOWNLOAD_DELAY=0", "-s", "PROGRESS_INTERVAL=0.3"),
        cwd=REPOSITORY,
        env=environment(data),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        patience = threading.Timer(120, process.kill)
        patience.start()
        said, told = "", []
        for line in process.stderr:
            said += line
            # With all that is known once a page was read.
            if (match := line_of.fullmatch(line)) and match[1]:
                told.append(line)
                (answer_two if len(told) == 1 else StandInProcess.heal)(site)
        patience.cancel()
    assert process.returncode == 0, said
    assert "\x1b" not in said
    assert len(told) == len(set(told)) >= 2

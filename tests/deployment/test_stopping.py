"""Whoever tells a service to stop, and however: its Scrapyd and the crawls that it leaves are told once each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _terminal import Terminal
from conftest import REPOSITORY

from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.embedded_host import server_process

_ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}
_CTRL_C = b"\x03"


def command(signals: int, *root: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("_service.py")), "service", str(signals), *map(str, root)]


@contextmanager
def service(*root: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A service without a terminal, and the process ids of its Scrapyd and of a crawl, which hears one signal."""
    with subprocess.Popen(
        command(1, *root), env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            _, _, scrapyd, _, crawl = process.stdout.readline().split()
            yield process, int(scrapyd), int(crawl)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_service_alone_ends_it_well(sent: signal.Signals) -> None:
    with service() as (process, _, _):
        process.send_signal(sent)
        assert process.communicate(timeout=30)[0] == "SIGTERM\n"
        assert process.returncode == 0


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGUSR1, 3), (signal.SIGKILL, 137), (signal.SIGTERM, 143)])
def test_a_scrapyd_that_ends_without_being_told_is_a_failure(sent: signal.Signals, code: int) -> None:
    with service() as (process, scrapyd, _):
        os.kill(scrapyd, sent)
        assert process.communicate(timeout=30)[0] == "SIGTERM\n"
        assert process.returncode == code


def test_ctrl_c_is_heard_once() -> None:
    with Terminal(command(1), cwd=REPOSITORY, env=_ENVIRONMENT) as terminal:
        terminal.until("crawling")
        terminal.press(_CTRL_C)
        terminal.until("SIGINT\n")
        assert terminal.ended(within=30) == 0
        assert "SIG" not in terminal.shown


def test_who_hears_ctrl_c_only_can_be_told_again() -> None:
    with Terminal(command(2), cwd=REPOSITORY, env=_ENVIRONMENT) as terminal:
        terminal.until("crawling")
        terminal.press(_CTRL_C)
        terminal.until("SIGINT\n")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.until("SIGTERM\n")
        assert terminal.ended(within=30) == 0


@pytest.fixture
def server(open_folder: Path) -> Iterator[EmbeddedPostgres]:
    """An embedded PostgreSQL that crawls of services start."""
    server = EmbeddedPostgres(open_folder / "of_services")
    yield server
    if process := server_process(server.data):
        os.kill(process, signal.SIGQUIT)


def test_an_embedded_server_is_stopped_by_its_last_crawl(server: EmbeddedPostgres) -> None:
    with service(server.root) as (process, _, _):
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=180)[0] == "SIGTERM\n"
        assert process.returncode == 0
    assert server_process(server.data) is None
    # It is how PostgreSQL takes SIGTERM: it waits for all sessions, and lets nobody in any more.
    assert "smart shutdown" not in (server.data / "server.log").read_text()


def test_an_embedded_server_is_left_to_others_who_use_it(server: EmbeddedPostgres) -> None:
    with service(server.root) as (process, _, _):
        begun = server_process(server.data)
        with server:
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=180)[0] == "SIGTERM\n"
            assert process.returncode == 0
            assert server.is_running()
            assert server_process(server.data) == begun
        assert server_process(server.data) is None


def test_an_embedded_server_whose_crawls_were_killed_is_stopped(server: EmbeddedPostgres) -> None:
    with service(server.root) as (process, _, crawl):
        os.kill(crawl, signal.SIGKILL)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=180)[0] == ""
        assert process.returncode == 0
    assert server_process(server.data) is None

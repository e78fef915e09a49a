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

_ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}
_CTRL_C = b"\x03"


def command(signals: int) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("_service.py")), "service", str(signals)]


@contextmanager
def service(*, signals: int = 1) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service without a terminal, and the process id of its Scrapyd, under which a crawl hears so many signals."""
    with subprocess.Popen(
        command(signals), env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline().removeprefix("crawling under "))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_service_alone_ends_it_well(sent: signal.Signals) -> None:
    with service() as (process, _):
        process.send_signal(sent)
        assert process.communicate(timeout=30)[0] == "SIGTERM\n"
        assert process.returncode == 0


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGUSR1, 3), (signal.SIGKILL, 137), (signal.SIGTERM, 143)])
def test_a_scrapyd_that_ends_without_being_told_is_a_failure(sent: signal.Signals, code: int) -> None:
    with service() as (process, scrapyd):
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

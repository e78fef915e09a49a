"""A service whose Scrapyd and crawl do nothing but hear signals: ``python _service.py service SIGNALS [ROOT]``.

The crawl prints ``crawling under``, Scrapyd's process id, ``as`` and its own, then each signal that it hears, and ends
after so many. With a folder ROOT it uses the embedded PostgreSQL there.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

from outsourcing_spiders.administration.deployment_scrapyd import run_with_children
from outsourcing_spiders.storage.embedded import EmbeddedPostgres


def service(*arguments: str) -> int:
    """Run Scrapyd as `scrapy deployment scrapyd` does; a terminal is made its own, as a login does."""
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    return run_with_children([sys.executable, __file__, "scrapyd", *arguments], os.environ)


def scrapyd(*arguments: str) -> int:
    """Start a crawl and leave it; SIGUSR1 lets it end by itself."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3))
    subprocess.Popen([sys.executable, __file__, "crawl", *arguments])
    while True:
        signal.pause()


def crawl(signals: str, root: str = "") -> int:
    """Hear so many signals."""
    if root:
        EmbeddedPostgres(Path(root), start_timeout=180).start()
    heard: list[int] = []

    def hear(number: int, _: object) -> None:
        heard.append(number)
        os.write(1, f"{signal.Signals(number).name}\n".encode())

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hear)
    parent = os.getppid()
    os.write(1, f"crawling under {parent} as {os.getpid()}\n".encode())
    while len(heard) < int(signals) or os.getppid() == parent:
        time.sleep(0.01)
    # One too many would come now.
    time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit({"service": service, "scrapyd": scrapyd, "crawl": crawl}[sys.argv[1]](*sys.argv[2:]))

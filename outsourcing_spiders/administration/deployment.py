"""What the sub-commands of ``scrapy deployment`` do."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader

from outsourcing_spiders.administration.deployment_schedule import (
    Scheduler,
    Scrapyd,
    ScrapydError,
    WrongSchedule,
    schedule,
)
from outsourcing_spiders.administration.deployment_units import KEPT, MODES, WrongUnit, systemd_files

logger = logging.getLogger(__name__)

USUAL_PARTS = ("scrapyd", "database", "crawls")
"""What ``health`` looks at when nothing is named."""
PARTS = (*USUAL_PARTS, "schedule")
"""What ``health`` can look at."""
_LOOK_SECONDS = 15.0
_HOMES = ("/home/", "/root/", "/run/user/")


def run(settings: BaseSettings, opts: argparse.Namespace) -> int:
    """Run the sub-command ``opts.part``; return the exit code, with one sentence on stderr where it failed."""
    commands: dict[str, Callable[[BaseSettings, argparse.Namespace], int]] = {
        "health": _health,
        "schedule": _schedule,
        "scrapyd": _scrapyd,
        "systemd": _systemd,
    }
    try:
        return commands[opts.part](settings, opts)
    except (WrongSchedule, WrongUnit, ScrapydError) as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename or 'this system'}: {error.strerror or error}")


def _health(settings: BaseSettings, opts: argparse.Namespace) -> int:
    # Loads the drivers of the database, which the others can do without.
    from outsourcing_spiders.administration.deployment_health import Health, look_at_database, look_at_scrapyd

    parts = {*(opts.parts or USUAL_PARTS)}
    health = Health()
    if "scrapyd" in parts:
        look_at_scrapyd(health, Scrapyd(settings))
    if parts - {"scrapyd"}:
        url, root = str(settings.get("DATABASE_URL") or ""), Path(settings["EMBEDDED_POSTGRES_FOLDER"])
        pauses = (lambda: _pauses(settings)) if parts & {"crawls", "schedule"} else None
        asyncio.run(look_at_database(health, url, root, pauses, results="crawls" in parts))
    sys.stdout.write(f"{health}\n")
    return 1 if health.bad else 0


def _schedule(settings: BaseSettings, opts: argparse.Namespace) -> int:
    pauses = _pauses(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logger.info("Crawls: %s", ", ".join(f"{platform} {pause} apart" for platform, pause in pauses.items()))
    scheduler = Scheduler(Scrapyd(settings), pauses)
    while not stop.is_set():
        scheduler.look(datetime.now(UTC))
        stop.wait(_LOOK_SECONDS)
    return 0


def _scrapyd(settings: BaseSettings, opts: argparse.Namespace) -> int:
    from outsourcing_spiders.administration.deployment_scrapyd import run_with_children

    login = {name: str(settings[name] or "") for name in ("SCRAPYD_USERNAME", "SCRAPYD_PASSWORD")}
    for name, value in login.items():
        if not value:
            return _failed(f"set {name}: without it, whoever reaches Scrapyd can run programs here.")
    # No file with its process number: this folder may be one that nobody writes to.
    return run_with_children([sys.executable, "-m", "scrapyd", "--pidfile="], os.environ | login)


def _systemd(settings: BaseSettings, opts: argparse.Namespace) -> int:
    program = opts.program or str(Path(sys.executable).with_name("scrapy"))
    if program.startswith(_HOMES):
        return _failed(f"{program} is in a home folder, which services do not see: install into another, such as /srv.")
    root, written = Path(opts.output), 0
    for name, content in systemd_files(settings, _pauses(settings), program=program, user=opts.user).items():
        path = root / name
        if name in KEPT and path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=MODES.get(name, 0o644))
        path.write_text(content)
        written += 1
    sys.stdout.write(f"{written} files written to {root.resolve()}.\n")
    return 0


def _pauses(settings: BaseSettings) -> dict[str, timedelta]:
    return schedule(settings, get_spider_loader(settings).list())


def _failed(sentence: str) -> int:
    sys.stderr.write(f"scrapy deployment: {sentence}\n")
    return 1

"""The files of a server with systemd, and how long a service may take to stop."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from datetime import timedelta
from importlib.resources import files
from string import Template
from typing import NamedTuple

from scrapy.settings import BaseSettings

BROWSER_SECONDS = 4.0
"""What a crawl grants its browser to start up and close."""
DATABASE_SECONDS = 10.0
"""What the first start of the embedded server may take, which nothing cuts short."""
_SPARE_SECONDS = 4.0

_UNITS = "etc/systemd/system"
_OURS = "etc/outsourcing_spiders"
_PLACES = {
    "outsourcing-scrapyd.service": _UNITS,
    "outsourcing-crawl@.service": _UNITS,
    "outsourcing-health.service": _UNITS,
    "outsourcing-health.timer": _UNITS,
    "journald@outsourcing.conf": "etc/systemd",
    "outsourcing-scrapy": "usr/local/sbin",
}
KEPT = (f"{_OURS}/environment", f"{_OURS}/scrapy.cfg")
"""Files that an operator edits: they are not written again."""
MODES = {f"{_OURS}/environment": 0o600, "usr/local/sbin/outsourcing-scrapy": 0o755}
"""Permissions of files that are not just for everybody to read."""
_PROGRAM = re.compile(r"/[^\s\"'\\]+")
_USER = re.compile(r"\w[\w.-]*", re.ASCII)


class WrongUnit(ValueError):
    """A unit would not run, or not as it should; the message is one sentence."""


class Grace(NamedTuple):
    """Seconds that a service has left when it is told to stop, and what they are for."""

    seconds: int
    downloads: float
    reason: str


def stop_grace(settings: BaseSettings) -> Grace:
    """Return how long crawls may take to stop: ``STOP_GRACE``, and what closing takes at worst; raises `WrongUnit`."""
    try:
        downloads = settings.getfloat("STOP_GRACE")
    except ValueError:
        downloads = math.nan
    if not 0 <= downloads < math.inf:
        raise WrongUnit(f"STOP_GRACE must be a number of seconds, 0 or more, not {settings['STOP_GRACE']!r}.")
    # The end of a run has half as long again as the downloads.
    database = max(DATABASE_SECONDS, downloads / 2)
    seconds = math.ceil(downloads + BROWSER_SECONDS + database + _SPARE_SECONDS)
    return Grace(
        seconds,
        downloads,
        f"{downloads:g} s for downloads and rows (STOP_GRACE), {BROWSER_SECONDS:g} s for the browser, "
        f"{database:g} s for a database that is made or does not answer, and {_SPARE_SECONDS:g} s to spare.",
    )


def systemd_files(
    settings: BaseSettings, pauses: Mapping[str, timedelta], *, program: str, user: str
) -> dict[str, str]:
    """Return the files of a server by their path from its root; a timer for each platform of `pauses`.

    `program` is the path of ``scrapy`` there. Raises `WrongUnit`.
    """
    if not _PROGRAM.fullmatch(program):
        raise WrongUnit(f"--program must be a path from / on, without blanks, quotes and backslashes, not {program!r}.")
    if not _USER.fullmatch(user):
        raise WrongUnit(f"--user must be the name of a user, not {user!r}.")
    grace = stop_grace(settings)
    values = {
        "program": program.replace("%", "%%"),
        "program_in_shell": shlex.quote(program),
        "user": user,
        "stop_grace": f"{grace.downloads:g}",
        "grace": str(grace.seconds),
        "grace_reason": grace.reason,
        "schedule": " ".join(f"{platform}={_short(pause)}" for platform, pause in pauses.items()),
    }
    values["sandbox"] = _filled("sandbox", values)
    made = {f"{place}/{name}": _filled(name, values) for name, place in _PLACES.items()}
    for platform, pause in pauses.items():
        seconds = int(pause.total_seconds())
        own = {
            "platform": platform,
            "pause_text": _short(pause),
            "pause": f"{seconds}s",
            # So that they do not all come at the full hour.
            "jitter": f"{seconds // 10}s",
        }
        made[f"{_UNITS}/outsourcing-crawl-{platform}.timer"] = _filled("outsourcing-crawl.timer", values | own)
    made[f"{_OURS}/environment"] = _filled("environment", values)
    made[f"{_OURS}/scrapy.cfg"] = _text("scrapy.cfg")
    return made


def _filled(name: str, values: Mapping[str, str]) -> str:
    return Template(_text(name)).substitute(values)


def _text(name: str) -> str:
    return (files("outsourcing_spiders") / "templates" / "deployment" / name).read_text("utf-8")


def _short(pause: timedelta) -> str:
    seconds = int(pause.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{math.ceil(seconds / 60)}m"

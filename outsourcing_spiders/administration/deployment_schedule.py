"""Which platform is crawled how often, and Scrapyd, which is asked to do so.

Scrapyd has no schedule of its own, and cron needs root in a container and knows no "not while one runs". What
is due is read from Scrapyd's own list of jobs each time, so that nothing has to be remembered through a restart.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scrapy.settings import BaseSettings

from outsourcing_spiders.parsing.dates import parse_since

logger = logging.getLogger(__name__)

PROJECT = "outsourcing_spiders"
_AGE = re.compile(r"[0-9]+[a-z]", re.IGNORECASE)
_SHORTEST = timedelta(minutes=1)
_CLOCKS_DIFFER = timedelta(minutes=1)
_TIMEOUT = 10  # seconds


class WrongSchedule(ValueError):
    """``CRAWL_SCHEDULE`` cannot be read; the message is one sentence."""


class ScrapydError(Exception):
    """Scrapyd does not do what it is asked; the message is one sentence."""


def schedule(settings: BaseSettings, platforms: Collection[str]) -> dict[str, timedelta]:
    """Return the pause after each crawl, by platform, as ``CRAWL_SCHEDULE`` says; raises `WrongSchedule`."""
    now = datetime.now(UTC)
    found = {}
    for entry in str(settings["CRAWL_SCHEDULE"]).replace(",", " ").split():
        platform, _, pause = entry.partition("=")
        if platform not in platforms:
            raise WrongSchedule(f"CRAWL_SCHEDULE names {platform!r}, which is none of {', '.join(sorted(platforms))}.")
        if platform in found:
            raise WrongSchedule(f"CRAWL_SCHEDULE names {platform!r} twice.")
        try:
            found[platform] = _pause(pause, now)
        except ValueError:
            raise WrongSchedule(f"CRAWL_SCHEDULE says {entry!r}; it must look like {platform}=30m.") from None
        if found[platform] < _SHORTEST:
            raise WrongSchedule(f"CRAWL_SCHEDULE says {entry!r}; a pause is one minute or more.")
    if not found:
        raise WrongSchedule("CRAWL_SCHEDULE is empty: it must look like freelancer=10m guru=30m.")
    return found


def _pause(text: str, now: datetime) -> timedelta:
    # A moment in the past can be told by a date, too, a pause cannot.
    if not _AGE.fullmatch(text):
        raise ValueError(text)
    return now - parse_since(text, now=now)


@dataclass(frozen=True)
class Job:
    """A job of Scrapyd's; `ended_at` is aware, ``None`` while it waits or runs."""

    spider: str
    ended_at: datetime | None


class Scrapyd:
    """The few calls that are needed, with the password of the settings."""

    def __init__(self, settings: BaseSettings) -> None:
        self.url = str(settings["SCRAPYD_URL"]).rstrip("/")
        name, password = settings["SCRAPYD_USERNAME"], settings["SCRAPYD_PASSWORD"]
        login = base64.b64encode(f"{name}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"} if password else {}
        # Whatever proxy the crawls use: it is on this machine, or beside it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def status(self) -> dict[str, Any]:
        """Return how many jobs are ``pending``, ``running`` and ``finished``; raises `ScrapydError`."""
        return self._ask("daemonstatus.json")

    def jobs(self) -> list[Job]:
        """Return all jobs that it knows; raises `ScrapydError`."""
        answer = self._ask(f"listjobs.json?project={PROJECT}")
        under_way = [Job(job["spider"], None) for state in ("pending", "running") for job in answer[state]]
        # Its times are of this machine's zone, and do not say so.
        return under_way + [
            Job(job["spider"], datetime.fromisoformat(job["end_time"]).astimezone()) for job in answer["finished"]
        ]

    def schedule(self, spider: str) -> str:
        """Let a crawl run, and return the number of its job; raises `ScrapydError`."""
        return str(self._ask("schedule.json", {"project": PROJECT, "spider": spider})["jobid"])

    def _ask(self, what: str, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
        no_address = ScrapydError("SCRAPYD_URL is not an address: it must look like http://127.0.0.1:6800/.")
        if not self.url.startswith(("http://", "https://")):
            raise no_address
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        try:
            request = urllib.request.Request(f"{self.url}/{what}", data, self._headers)  # noqa: S310 - checked above
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                body = response.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 401:
                    raise ScrapydError(
                        "Scrapyd does not accept SCRAPYD_USERNAME and SCRAPYD_PASSWORD: give those that it runs with."
                    ) from None
            raise ScrapydError(f"Scrapyd answers {error.code} {error.reason}: see its log.") from None
        except (ValueError, http.client.InvalidURL):
            raise no_address from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ScrapydError(f"Scrapyd does not answer at {self.url} ({reason}): is it running?") from None
        try:
            answer: dict[str, Any] = json.loads(body)
        except ValueError:
            raise ScrapydError(f"What answers at {self.url} is not Scrapyd.") from None
        if not isinstance(answer, dict):
            raise ScrapydError(f"What answers at {self.url} is not Scrapyd.")
        if answer.get("status") != "ok":
            raise ScrapydError(f"Scrapyd answers: {(str(answer.get('message')).splitlines() or [''])[-1]}")
        return answer


class Scheduler:
    """Let each platform be crawled again when its pause is over, and never while a crawl of it waits or runs."""

    def __init__(self, scrapyd: Scrapyd, pauses: Mapping[str, timedelta]) -> None:
        self._scrapyd = scrapyd
        self._pauses = pauses
        self._ended: dict[str, datetime] = {}
        self._complaints: frozenset[str] = frozenset()

    def look(self, now: datetime) -> list[str]:
        """Schedule what is due, and return the names; a failure is logged, once as long as it stays the same."""
        scheduled: list[str] = []
        complaints: dict[str, None] = {}
        try:
            jobs = self._scrapyd.jobs()
        except ScrapydError as error:
            self._complain({str(error): None})
            return scheduled
        under_way = {job.spider for job in jobs if job.ended_at is None}
        for job in jobs:
            # What ended later than now did so before the clock was set back: nobody knows when.
            if job.ended_at is not None and job.ended_at <= now + _CLOCKS_DIFFER:
                # Scrapyd forgets old jobs.
                self._ended[job.spider] = max(job.ended_at, self._ended.get(job.spider, job.ended_at))
        for spider, pause in self._pauses.items():
            ended = self._ended.get(spider)
            if ended is not None and ended > now + _CLOCKS_DIFFER:
                del self._ended[spider]
                ended = None
            if spider in under_way or (ended is not None and now - ended < pause):
                continue
            try:
                number = self._scrapyd.schedule(spider)
            except ScrapydError as error:
                # Of this platform: the others are asked for all the same.
                complaints[str(error)] = None
            else:
                logger.info("Scheduled a crawl of %s: job %s", spider, number)
                scheduled.append(spider)
        self._complain(complaints)
        return scheduled

    def _complain(self, complaints: Collection[str]) -> None:
        for complaint in complaints:
            if complaint not in self._complaints:
                logger.warning("%s", complaint)
        self._complaints = frozenset(complaints)

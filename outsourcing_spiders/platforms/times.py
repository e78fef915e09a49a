"""Times of a platform's answers: what they count from, in which zone and language they are told."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import ClassVar, TypedDict

from scrapy.http import Response

from outsourcing_spiders.items import Precision
from outsourcing_spiders.parsing.dates import Moment, from_unix_seconds, parse_deadline, parse_time


class Posted(TypedDict):
    """When a project was posted, as the fields of `Project` that tell it."""

    posted_at: datetime | None
    posted_precision: Precision
    posted_text: str | None


class PlatformTimes:
    """Read times as the platform writes them; a part of every spider."""

    zone: ClassVar[tzinfo] = UTC
    """Of the platform's times that name none."""
    languages: ClassVar[tuple[str, ...]] = ("en",)
    """Of the platform's times in words."""

    def answered_at(self, response: Response) -> datetime:
        """Return when an answer was made, by its ``Date`` header; aware. Of an answer without one, the present."""
        return _date(response.headers.get("Date")) or datetime.now(UTC)

    def time(self, value: object, response: Response) -> Moment:
        """Read when something was posted, as the platform writes it; see `parse_time`."""
        return parse_time(value, answered_at=self.answered_at(response), zone=self.zone, languages=self.languages)

    def deadline(self, value: object, response: Response) -> Moment:
        """Read when something ends, as the platform writes it; see `parse_deadline`."""
        return parse_deadline(value, answered_at=self.answered_at(response), zone=self.zone, languages=self.languages)

    def posted(self, value: object, response: Response) -> Posted:
        """Return when a project was posted: ``Project(…, **self.posted(row.get("posted"), response))``."""
        if type(value) is int and (stamp := from_unix_seconds(value)) is not None:
            return {"posted_at": stamp, "posted_precision": "exact", "posted_text": str(value)}
        at, precision = self.time(value, response)
        text = None if value is None or value == "" else str(value)
        return {"posted_at": at, "posted_precision": precision, "posted_text": text}


@lru_cache(maxsize=16)
def _date(header: bytes | None) -> datetime | None:
    if header is None:
        return None
    try:
        found = parsedate_to_datetime(header.decode("latin-1"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""What Upwork's ways in tell in words of their own, in the same ones: levels, workloads, durations, skills, clients."""

from __future__ import annotations

import re
from typing import Any

from outsourcing_spiders.items import Client
from outsourcing_spiders.parsing.fields import at, country_code, decimal_or_none, int_or_none

_VERIFIED: dict[Any, bool] = {"VERIFIED": True, "NOT_VERIFIED": False, True: True, False: False}
_WORKLOADS = {
    "fulltime": "30+ hrs/week",
    "parttime": "Less than 30 hrs/week",
    "asneeded": "Hours to be determined",
}
_DURATIONS = {
    "WEEK": "Less than 1 week",
    "MONTH": "Less than 1 month",
    "QUARTER": "1 to 3 months",
    "SEMESTER": "3 to 6 months",
    "ONGOING": "More than 6 months",
}


def level(told: str | None) -> str:
    """Return ``entry_level`` of a tile's ``Entry Level``, a state's ``jsn_EntryLevel_205`` and ``ENTRY_LEVEL``."""
    return re.sub(r"\s+|(?<=[a-z])(?=[A-Z])", "_", re.sub(r"^jsn_|_\d+$", "", told or "")).lower()


def workload(told: str | None) -> str | None:
    """Return a tile's words for a state's ``usnuxt_Engagement_421.partTime``, and for the API's ``PART_TIME``."""
    return _WORKLOADS.get(re.sub(r".*\.|_", "", told or "").lower(), told)


def duration(told: str | None) -> str | None:
    """Return the label that the API has for its ``ONGOING``, which now and then comes without it."""
    return _DURATIONS.get(told, told) if isinstance(told, str) else None


def skills(told: list[Any] | None) -> list[str]:
    """Return the names of skills as they are shown, without those that have none."""
    return [name for skill in told or () if (name := at(skill, "prettyName") or at(skill, "name"))]


def client(told: dict[str, Any] | None) -> Client | None:
    """Return what is told of a client, by the API or by a page; nobody rated is a rating of 0."""
    if not told:
        return None
    return Client(
        country=country_code(at(told, "location", "country")),
        rating=decimal_or_none(told.get("totalFeedback")) or None,
        reviews=int_or_none(told.get("totalReviews")),
        verified=_VERIFIED.get(told.get("verificationStatus") or told.get("isPaymentVerified")),
    ).or_none()

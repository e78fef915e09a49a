"""What is sent to the database for one project: its columns, as a line of JSON."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from outsourcing_spiders.items import Budget, Client, Period, Project

_PRICING: dict[Period | None, str] = {
    "total": "fixed",
    "hour": "hourly",
    "day": "daily",
    "month": "monthly",
    None: "unknown",
}
_NO_BUDGET = Budget()
_NO_CLIENT = Client()


class PreparedRow(NamedTuple):
    """One project, ready to be sent."""

    key: tuple[str, str]
    """``(platform, external_id)``"""
    line: bytes
    """A JSON object with the columns of ``projects``, without a line feed."""


class Columns(msgspec.Struct):
    """The columns of ``projects`` that come from the platform, and when it was asked."""

    platform: str
    external_id: str
    url: str
    title: str
    description: str | None
    description_complete: bool
    status: str
    pricing: str
    budget_min: Decimal | None
    budget_max: Decimal | None
    currency: str | None
    budget_text: str | None
    budget_min_usd: Decimal | None
    budget_max_usd: Decimal | None
    skills: list[str]
    category: str | None
    work_mode: str
    location: str | None
    language: str | None
    posted_at: datetime | None
    posted_precision: str
    posted_text: str | None
    closes_at: datetime | None
    bid_count: int | None
    bid_average: Decimal | None
    client_country: str | None
    client_rating: Decimal | None
    client_reviews: int | None
    client_verified: bool | None
    extra: dict[str, Any]
    expires_at: datetime | None = None
    seen_at: datetime | None = None
    """``None``: when the row is stored, by the clock of the server."""


_encode = msgspec.json.Encoder(decimal_format="string").encode


def prepare(project: Project) -> PreparedRow:
    """Return what is sent for a validated `project`."""
    budget = project.budget or _NO_BUDGET
    client = project.client or _NO_CLIENT
    platform, external_id = project.platform, project.external_id
    line = _encode(
        Columns(
            platform,
            external_id,
            project.url,
            project.title,
            project.description,
            project.description_complete,
            project.status,
            _PRICING[budget.period],
            budget.minimum,
            budget.maximum,
            budget.currency,
            budget.text,
            budget.minimum_usd,
            budget.maximum_usd,
            project.skills,
            project.category,
            project.work_mode,
            project.location,
            project.language,
            project.posted_at,
            project.posted_precision,
            project.posted_text,
            project.closes_at,
            project.bid_count,
            project.bid_average,
            client.country,
            client.rating,
            client.reviews,
            client.verified,
            project.extra,
            project.expires_at,
        )
    )
    return PreparedRow((platform, external_id), line)


def stamped(line: bytes, seen_at: datetime) -> bytes:
    """Return `line` with the time when the project was seen, for a row that is stored later."""
    return line.removesuffix(b'"seen_at":null}') + b'"seen_at":' + _encode(seen_at) + b"}"

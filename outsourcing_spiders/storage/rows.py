"""What is sent to the database for one project: a line of JSON, and hashes that tell whether it is news."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
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


class Content(msgspec.Struct):
    """The columns whose change is a change of the project."""

    platform: str
    external_id: str
    url: str
    title: str
    status: str
    pricing: str
    budget_min: Decimal | None
    budget_max: Decimal | None
    currency: str | None
    budget_text: str | None
    skills: list[str]
    category: str | None
    work_mode: str
    location: str | None
    language: str | None
    closes_at: datetime | None
    bid_count: int | None
    bid_average: Decimal | None
    client_country: str | None
    client_rating: Decimal | None
    client_reviews: int | None
    client_verified: bool | None
    extra: dict[str, Any]


class Companion(msgspec.Struct):
    """The columns that change by themselves, have a hash of their own, or follow from the others.

    A relative time ("2 hours ago") gives another `posted_at` at every look, and the dollar moves every
    day; neither makes a project new.
    """

    content_hash: int
    description_hash: int | None
    description: str | None
    description_complete: bool
    budget_min_usd: Decimal | None
    budget_max_usd: Decimal | None
    posted_at: datetime | None
    posted_precision: str
    posted_text: str | None
    seen_at: datetime | None = None


_encode = msgspec.json.Encoder(decimal_format="string").encode


def prepare(project: Project) -> PreparedRow:
    """Return what is sent for a validated `project`."""
    budget = project.budget or _NO_BUDGET
    client = project.client or _NO_CLIENT
    content = _encode(
        Content(
            project.platform,
            project.external_id,
            project.url,
            project.title,
            project.status,
            _PRICING[budget.period],
            budget.minimum,
            budget.maximum,
            budget.currency,
            budget.text,
            project.skills,
            project.category,
            project.work_mode,
            project.location,
            project.language,
            project.closes_at,
            project.bid_count,
            project.bid_average,
            client.country,
            client.rating,
            client.reviews,
            client.verified,
            project.extra,
        )
    )
    hashed = content
    if project.posted_precision == "exact" and project.posted_at is not None:
        hashed += project.posted_at.isoformat().encode()
    description = project.description
    companion = _encode(
        Companion(
            _hash(hashed),
            None if description is None else _hash(description.encode()),
            description,
            project.description_complete and description is not None,
            budget.minimum_usd,
            budget.maximum_usd,
            project.posted_at,
            project.posted_precision,
            project.posted_text,
        )
    )
    return PreparedRow((project.platform, project.external_id), content[:-1] + b"," + companion[1:])


def stamped(line: bytes, seen_at: datetime) -> bytes:
    """Return `line` with the time when the project was seen, for a row that is stored later."""
    return line.replace(b'"seen_at":null}', b'"seen_at":' + _encode(seen_at) + b"}")


def _hash(content: bytes) -> int:
    # 64 bits are plenty: only the old and the new content of one project are ever compared.
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)

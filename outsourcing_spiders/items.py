"""What every spider emits: a project, its budget and its client.

Unknown is ``None``, always: a spider guesses nothing, neither a currency nor a date nor a zero.
Texts arrive as the platform wrote them; validation cleans them before they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Status = Literal["open", "closed", "awarded", "cancelled", "unknown"]
Period = Literal["total", "hour", "day", "month"]
Precision = Literal["exact", "minute", "hour", "day", "unknown"]
WorkMode = Literal["remote", "onsite", "hybrid", "unknown"]


@dataclass(slots=True, kw_only=True)
class Budget:
    """What the client offers to pay."""

    minimum: Decimal | None = None
    """Lower bound in `currency` per `period`; ``None`` when the platform gives none."""
    maximum: Decimal | None = None
    """Upper bound in `currency` per `period`; ``None`` when it is open-ended or not given."""
    currency: str | None = None
    """ISO 4217 code, upper case; ``None`` when only an ambiguous sign was given."""
    period: Period | None = None
    """What the amounts are for; ``None`` when the platform does not say."""
    text: str | None = None
    """The budget as the platform wrote it; ``None`` when it wrote none."""
    usd_rate: Decimal | None = None
    """US dollars for one unit of `currency`, when the platform's own answer holds a rate."""
    minimum_usd: Decimal | None = None
    """`minimum` in US dollars, by the rate of the day; filled in by validation, ``None`` without a rate."""
    maximum_usd: Decimal | None = None
    """`maximum` in US dollars, likewise."""


@dataclass(slots=True, kw_only=True)
class Client:
    """Who offers the project, without anything personal: no names, no addresses."""

    country: str | None = None
    """ISO 3166-1 alpha-2, upper case."""
    rating: Decimal | None = None
    """0 to 5, scaled to that where the platform uses another scale; ``None`` when not rated."""
    reviews: int | None = None
    """Number of reviews behind `rating`."""
    verified: bool | None = None
    """Whether the platform says that the means of payment were verified."""

    def or_none(self) -> Client | None:
        """Return the client, or ``None`` when nothing at all is known."""
        return None if self == _NOBODY else self


_NOBODY = Client()


@dataclass(slots=True, kw_only=True)
class Project:
    """One project that a client posted for freelancers to bid on."""

    platform: str
    """Name of the platform, which is the name of its spider."""
    external_id: str
    """The platform's own id, as text; with `platform` the key of the project."""
    url: str
    """Absolute address of the project's public page."""
    title: str
    """Plain text, one line."""
    description: str | None = None
    """Plain text with its line breaks; ``None`` when the platform shows none."""
    description_complete: bool = True
    """False when there is more than `description`: a teaser, which never replaces a stored full text, or text that was
    not asked for yet. True with ``None`` means that the platform shows no text at all."""
    status: Status = "unknown"
    """Where the project stands on its platform."""
    budget: Budget | None = None
    """``None`` when nothing at all is known of the budget."""
    skills: list[str] = field(default_factory=list)
    """Skills asked for, in the platform's order and spelling."""
    category: str | None = None
    """The platform's own main category."""
    work_mode: WorkMode = "unknown"
    """Where the work is done."""
    location: str | None = None
    """Place of the work as the platform names it; ``None`` for remote work or when not given."""
    language: str | None = None
    """ISO 639-1 code of the language of the text, as the platform states it."""
    posted_at: datetime | None = None
    """When the project was posted: aware, UTC; ``None`` when the platform does not say."""
    posted_precision: Precision = "unknown"
    """How exact `posted_at` is; "2 hours ago" is ``hour``."""
    posted_text: str | None = None
    """The time as the platform wrote it."""
    closes_at: datetime | None = None
    """When bidding ends: aware, UTC."""
    bid_count: int | None = None
    """Number of bids so far; ``None`` when hidden or not shown."""
    bid_average: Decimal | None = None
    """Mean of the bids in the budget's currency and period; ``None`` when there are none."""
    client: Client | None = None
    """``None`` when the platform shows nothing of the client."""
    expires_at: datetime | None = None
    """When the platform's terms want a copy gone: aware, UTC; it is deleted then. ``None``: it may be kept."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What only this platform has, as JSON; no values that change by themselves at every look, and no empty ones."""

    def __post_init__(self) -> None:
        """Leave out of `extra` what says nothing: what is unknown or empty, 0 and false."""
        if isinstance(self.extra, dict):
            self.extra = {key: value for key, value in self.extra.items() if value}

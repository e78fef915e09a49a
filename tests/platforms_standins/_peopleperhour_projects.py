"""Make the ordinary projects of the PeoplePerHour stand-in, from a seed: attributes as the page's state has them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from platforms_standins._text import COMPANIES, FOREIGN, Writer

JSON = dict[str, Any]

HOME = "https://www.peopleperhour.com"
#: Value of a field that the state must not have at all (a null is something else).
ABSENT: Any = object()

_CATEGORIES = {
    "Technology & Programming": (
        ("Website Development", "CMS Development", "Databases", "Programming & Coding"),
        "WordPress, PHP, Python, Laravel, React, MySQL, Shopify, Webflow",
    ),
    "Design": (("Graphic Design", "Web Design", "Logo Design"), "Figma, Canva, Illustrator, Photoshop"),
    "Digital Marketing": (("SEO", "SEM, Google Ads & PPC"), "SEO, Google Ads, Analytics, Mailchimp"),
    "Writing & Translation": (("Copywriting", "Proofreading"), "Copywriting, Editing, Translation"),
    "Business": (("Legal Services", "Management & Development"), "Excel, Bookkeeping, Contracts, Research"),
    "Artificial Intelligence": (("Machine Learning", "Chatbots"), "Python, PyTorch, Prompts, Chatbots"),
}
#: Sub-categories and words of each category.
CATEGORIES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    name: (subcategories, [word.strip() for word in words.split(",")])
    for name, (subcategories, words) in _CATEGORIES.items()
}
_NAMES = list(CATEGORIES)
_SHARES = (35, 20, 18, 12, 10, 5)

#: ISO 3166-1 codes of the countries that clients live in, by the name that the state has.
COUNTRIES = {
    "United Kingdom": "GB",
    "United States": "US",
    "Greece": "GR",
    "Ireland": "IE",
    "Australia": "AU",
    "Germany": "DE",
    "India": "IN",
    "United Arab Emirates": "AE",
    "Cyprus": "CY",
}
_COUNTRY_SHARES = (50, 18, 6, 5, 5, 5, 5, 4, 2)
#: US dollars for a unit: what the page shows to a visitor from the United States.
RATES = {"GBP": 1.342517, "USD": 1.0, "EUR": 1.151203}

_FIXED = (6, 20, 40, 75, 100, 150, 200, 275, 300, 600, 1000, 2500)
_HOURLY = (8, 12, 15, 20, 25, 40, 60)


def slug(text: str, longest: int = 90) -> str:
    """Return what an address makes of a name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:longest].strip("-")


def moment(seconds: float) -> str:
    """Write a time as the state does: UTC, without saying so."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


@dataclass(slots=True, eq=False)
class Row:
    """One project as the platform holds it.

    `attributes` are the state's. `text` is the description as plain text, where `proj_desc` has markup or
    entities.
    """

    id: int
    serial: int
    attributes: JSON
    text: str | None = None
    odd: str | None = None
    listed: bool = True

    def get(self, key: str) -> Any:
        """Return an attribute, None when the state has no such key."""
        value = self.attributes.get(key)
        return None if value is ABSENT else value

    def wire(self) -> JSON:
        """Return the record as the state has it."""
        attributes = {key: value for key, value in self.attributes.items() if value is not ABSENT}
        return {"id": str(self.id), "type": "projects", "attributes": attributes}


def description(rng: random.Random, words: list[str]) -> str:
    """Return a description without blanks at the ends of its lines."""
    text = Writer(rng, words).description(median=700)
    if rng.random() < 0.07:
        text = Writer(rng, words).foreign(rng.choice(sorted(FOREIGN)))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()


class ProjectMaker:
    """Make ordinary projects; the n-th one depends on the seed, on n and on its time alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def make(self, serial: int, posted: int) -> Row:
        """Return project number `serial` (0 is the oldest), posted at `posted` (Unix seconds)."""
        rng = random.Random(f"{self._seed}:peopleperhour:{serial}")
        category = rng.choices(_NAMES, _SHARES)[0]
        subcategories, words = CATEGORIES[category]
        subcategory = rng.choice(subcategories)
        title = Writer(rng, words).title()
        hourly = rng.random() < 0.2
        currency = rng.choices(("GBP", "USD", "EUR"), (60, 30, 10))[0]
        budget = rng.choice(_HOURLY if hourly else _FIXED)
        number = 4_500_000 + 9 * serial + rng.randrange(8)
        cate_id, subcate_id = _NAMES.index(category) + 1, 100 + 10 * _NAMES.index(category) + len(subcategory) % 10
        attributes: JSON = {
            "proj_id": number,
            "title": title if rng.random() < 0.7 else title[:1].lower() + title[1:],
            "budget_bracket": None,
            "currency": currency,
            "category": {"cate_id": cate_id, "cate_name": category},
            "sub_category": {"subcate_name": subcategory},
            "proj_status": "Open",
            "proj_desc": description(rng, words),
            "budget": budget,
            "budget_converted": round(budget * RATES[currency]),
            "set_budget_higher": False,
            "isPreFundedJob": False,
            "isUrgent": rng.random() < 0.05,
            "urgentPrice": None,
            "isFeatured": False,
            "url": f"{HOME}/freelance-jobs/{slug(category)}/{slug(subcategory)}/{slug(title)}-{number}",
            "hourlie_id": None,
            "item_type": "job",
            "item_state": "open",
            "canAskQuestion": False,
            "minimumDeposit": None,
            "privacy": None,
            "location_type": rng.choices(("remote", "remote_country", "onsite"), (85, 10, 5))[0],
            "where_can_bid": None,
            "project_type": "hourly" if hourly else "fixed_price",
            "posted_dt": moment(posted),
            "completed_dt": None,
            "delivery_date": None,
            "hourlie": None,
            "availableAddons": [],
            "duration": None,
            "inviteFreelancersUrl": None,
            "open": True,
            "underModeration": False,
            "client_id": 3_000_000 + rng.randrange(900_000),
            "client": {
                "public_name": f"{rng.choice(COMPANIES)} {chr(65 + rng.randrange(26))}.",
                "country": rng.choices(list(COUNTRIES), _COUNTRY_SHARES)[0],
            },
            "subcate_id": subcate_id,
            "expiry_dt": moment(posted + 30 * 86_400),
            "dynamoData": None,
            "available_actions": [],
            "editable_fields": [],
            "proposalCount": int(min(90, rng.expovariate(1 / 12))),
            "unredProposalCount": 0,
            "etiquettes": {
                "featured": False,
                "opportunity": rng.random() < 0.2,
                "prefunded": False,
                "urgent": False,
                "nda": False,
            },
            "project_attachments": [],
        }
        attributes["etiquettes"]["urgent"] = attributes["isUrgent"]
        return Row(number, serial, attributes)

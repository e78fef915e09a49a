"""Make the ordinary projects of the Guru stand-in, all from a seed.

`_guru_odd` bends some of them, `_guru_pages` writes their pages.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from urllib.parse import quote

from platforms_standins._text import COMPANIES, FOREIGN, Writer

PAGE_SIZE = 20
TEASER = 200  # characters of a description that a card shows: counted on a real card

Named = tuple[str, str]
"""Slug and name, as categories, skills and places have them."""


def slug(text: str, longest: int = 70) -> str:
    """Return what an address makes of a name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:longest].strip("-")


def named(name: str) -> Named:
    """Return a name with its slug."""
    return slug(name), name


_CATEGORIES = {
    "Programming & Development": (
        ("Programming & Software", "Web Development & Design", "Mobile Development", "Database Development"),
        """Python, Django, PostgreSQL, JavaScript, React, Node.js, PHP, Laravel, WordPress, Web Scraping, C#,
        Software Development, Selenium, API Testing, Linux, Docker, Kotlin, Swift""",
    ),
    "Design & Art": (
        ("Graphic Design", "Illustration", "Video Production"),
        "Logo Design, Figma, Illustrator, Photoshop, Animation, Video Editing, Branding, Packaging",
    ),
    "Writing & Translation": (
        ("Creative Writing", "Translation", "Editing & Proofreading"),
        "Copywriting, Proofreading, Translation, Technical Writing, Ghostwriting, Blogging",
    ),
    "Administrative & Secretarial": (
        ("Data Entry", "Virtual Assistance"),
        "Data Entry, Excel, Email, Research, Transcription, Customer Support",
    ),
    "Sales & Marketing": (
        ("Lead Generation", "Search Engine Optimization"),
        "SEO, Google Ads, Social Media Marketing, Lead Generation, Email Marketing, Telemarketing",
    ),
    "Engineering & Architecture": (
        ("CAD", "Electrical Engineering"),
        "AutoCAD, SolidWorks, PCB Design, Arduino, Revit, 3D Modeling",
    ),
}
CATEGORIES: dict[Named, tuple[list[Named], list[Named]]] = {
    named(name): (
        [named(sub) for sub in subcategories],
        [named(" ".join(skill.split())) for skill in skills.split(",")],
    )
    for name, (subcategories, skills) in _CATEGORIES.items()
}

#: ISO 3166-1 codes of the countries that clients live in, by the name that a card shows.
COUNTRIES = {
    "United States": "US",
    "India": "IN",
    "United Kingdom": "GB",
    "Australia": "AU",
    "Canada": "CA",
    "Pakistan": "PK",
    "United Arab Emirates": "AE",
    "Germany": "DE",
    "Netherlands": "NL",
    "Brazil": "BR",
    "South Africa": "ZA",
    "Vietnam": "VN",
}
_COUNTRY_SHARES = (40, 15, 8, 6, 6, 5, 4, 4, 3, 3, 3, 3)

_FIXED = ((None, 250), (250, 500), (500, 1000), (1000, 2500), (2500, 5000), (5000, 10_000), (10_000, 25_000))
_HOURLY = ((5, 10), (10, 20), (20, 30), (30, 50), (50, 100))
_HOURS = ("10 hrs/wk", "20 hrs/wk", "30 hrs/wk", "40 hrs/wk")
_DURATIONS = ("Less than 1 month", "1-3 months", "3-6 months", "6+ months")


@dataclass(slots=True, eq=False)
class Row:
    """One project as the site holds it. `posted` is in Unix seconds, `deadline` a day in the same (midnight UTC).

    `segments` is the budget as it is shown, `low` and `high` what it means (None: no such bound) in US dollars for
    one `period`. `description` is the text in full; `markup` what the site keeps instead, where that is not the
    text itself. `feedback` is per cent. `link` names a form of the card's address, `json_ld` one of the
    posting data, None for none of that.
    """

    id: int
    serial: int
    posted: int
    slug: str
    title: str
    description: str | None
    segments: tuple[str, ...]
    low: str | None
    high: str | None
    period: str | None
    category: Named | None
    subcategory: Named | None
    skills: list[Named]
    deadline: int | None
    quotes: int | None
    invited: int
    country: str | None
    feedback: str | None
    verified: bool
    client: str
    locations: list[str] = field(default_factory=list)
    markup: str | None = None
    link: str | None = "plain"
    json_ld: str | None = "plain"
    telecommute: bool = True
    posted_shown: bool = True
    featured: bool = False
    odd: str | None = None
    listed: bool = True

    @property
    def hourly(self) -> bool:
        """Tell whether the client pays by the hour."""
        return self.period == "hour"

    @property
    def address(self) -> str:
        """Return the path of the project's page."""
        return f"/jobs/{quote(self.slug) or '-'}/{self.id}"

    def teaser(self) -> str | None:
        """Return what a card shows of the description, on one line; it ends with … where it was cut."""
        if self.description is None:
            return None
        line = " ".join(self.description.split())
        return line if len(line) <= TEASER else line[:TEASER] + "…"


def dollars(amount: float) -> str:
    """Write an amount as the site does: $250, $1k, $2.5k."""
    return f"${amount:g}" if amount < 1000 else f"${amount / 1000:g}k"


def tidy(text: str) -> str:
    """Return a text without blanks at the ends of its lines, and with no more than one empty line in a row."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()


class ProjectMaker:
    """Make ordinary projects; the n-th one depends on the seed, on n and on the times alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def make(self, serial: int, posted: int, now: int) -> Row:
        """Return project number `serial` (0 is the oldest), posted at `posted`, still open at `now` (Unix seconds)."""
        rng = random.Random(f"{self._seed}:guru:{serial}")
        category, (subcategories, skills) = rng.choice(list(CATEGORIES.items()))
        chosen = rng.sample(skills, rng.randint(1, 5))
        writer = Writer(rng, [name for _, name in chosen])
        title = writer.title()
        language = "en" if rng.random() < 0.94 else rng.choice(sorted(FOREIGN))
        short = rng.random() < 0.15
        description = writer.sentence() if short else writer.description(median=900)
        if language != "en":
            description = writer.foreign(language)
        hourly = rng.random() < 0.35
        low, high = rng.choice(_HOURLY if hourly else _FIXED)
        if hourly:
            segments = ("Hourly", f"{dollars(low or 0)}-{dollars(high)}/hr", rng.choice(_HOURS), rng.choice(_DURATIONS))
        else:
            shown = f"Under {dollars(high)}" if low is None else f"{dollars(low)}-{dollars(high)}"
            segments = ("Fixed Price", shown)
        return Row(
            id=2_100_000 + 7 * serial + rng.randrange(6),
            serial=serial,
            posted=posted,
            slug=slug(title),
            title=title,
            description=tidy(description),
            segments=segments,
            low=None if low is None else str(low),
            high=str(high),
            period="hour" if hourly else "total",
            category=category,
            subcategory=rng.choice(subcategories),
            skills=chosen,
            deadline=now - now % 86_400 + 86_400 * rng.randint(2, 65),
            quotes=int(min(60, rng.expovariate(1 / 7))),
            invited=rng.choice((0, 0, 1, 6)),
            country=rng.choices(list(COUNTRIES), _COUNTRY_SHARES)[0],
            feedback=rng.choice((None, None, "100", "98.5", "87.5")),
            verified=rng.random() < 0.6,
            client=rng.choice(COMPANIES),
            locations=rng.choice(([], [], [], ["United States"], ["India", "Pakistan"])),
        )

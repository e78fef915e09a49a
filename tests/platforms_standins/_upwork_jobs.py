"""Make the ordinary jobs of the Upwork stand-in, all from a seed. `_upwork_odd` bends some of them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from platforms_standins._text import COMPANIES, Writer

#: Seconds from one job to the next: 120 of them reach over the times that tiles tell, from minutes to last month.
PACE = 21_600
HOST = "https://www.upwork.com"
# Job ids count the milliseconds since then in their upper bits, as the real ones do.
_EPOCH = 1_288_834_974_657

#: Labels of categories with their ids, of which the first is real, and skills of each.
CATEGORIES = {
    "Web, Mobile & Software Dev": ("531770282580668418", ("Web Development", "Mobile Development", "QA Testing")),
    "Design & Creative": ("700000000000000002", ("Graphic Design", "Video Editing")),
    "Writing": ("700000000000000003", ("Content Writing", "Editing & Proofreading")),
    "Data Science & Analytics": ("700000000000000004", ("Data Mining", "Machine Learning")),
    "Admin Support": ("700000000000000005", ("Data Entry", "Virtual Assistance")),
}
_SKILLS = {
    "Web, Mobile & Software Dev": "Python, Django, React, Node.js, C#, PHP, Laravel, Web Scraping, Swift, Kotlin, n8n",
    "Design & Creative": "Figma, Logo Design, Adobe Photoshop, Video Editing, Illustration, Branding",
    "Writing": "Copywriting, Proofreading, Technical Writing, Blog Writing, Ghostwriting",
    "Data Science & Analytics": "SQL, Pandas, Tableau, Machine Learning, Data Extraction, A/B Testing",
    "Admin Support": "Data Entry, Microsoft Excel, Email Support, Online Research, Transcription",
}
#: Name of a country as the site writes it: its ISO 3166-1 codes of two and of three letters.
COUNTRIES = {
    "United States": ("US", "USA"),
    "India": ("IN", "IND"),
    "United Kingdom": ("GB", "GBR"),
    "Germany": ("DE", "DEU"),
    "Canada": ("CA", "CAN"),
    "Australia": ("AU", "AUS"),
    "Netherlands": ("NL", "NLD"),
    "United Arab Emirates": ("AE", "ARE"),
    "Cote d'Ivoire": ("CI", "CIV"),
}
#: Experience levels by the API's names: the tile's text, the key in the page's state, the tier of the job's page.
LEVELS = {
    "ENTRY_LEVEL": ("Entry Level", "jsn_EntryLevel_205", 1),
    "INTERMEDIATE": ("Intermediate", "jsn_Intermediate_206", 2),
    "EXPERT": ("Expert", "jsn_Expert_207", 3),
}
#: Durations by the API's names, with their label and weeks.
DURATIONS = {
    "WEEK": ("Less than 1 week", 1),
    "MONTH": ("Less than 1 month", 3),
    "QUARTER": ("1 to 3 months", 9),
    "SEMESTER": ("3 to 6 months", 18),
    "ONGOING": ("More than 6 months", 24),
}
#: Workloads by the API's names: text, and the key in the page's state.
WORKLOADS = {
    "FULL_TIME": ("30+ hrs/week", "usnuxt_Engagement_421.fullTime"),
    "PART_TIME": ("Less than 30 hrs/week", "usnuxt_Engagement_421.partTime"),
    "AS_NEEDED": ("Hours to be determined", "usnuxt_Engagement_421.asNeeded"),
}


@dataclass(slots=True)
class Job:
    """One job as the site holds it. Times are in milliseconds since 1970, amounts in US dollars."""

    id: int
    created: int
    published: int | None
    renewed: int | None
    title: str
    description: str
    hourly: bool
    low: Decimal | None
    high: Decimal | None
    """Bounds of the hourly rate."""
    amount: Decimal | None
    """The fixed price; 0 is a placeholder."""
    level: str
    duration: str | None
    labelled: bool
    """Whether the duration comes with its label."""
    workload: str | None
    category: str | None
    subcategory: str | None
    skills: list[str]
    applicants: int | None
    bids: tuple[Decimal, Decimal, Decimal] | None
    """Mean, lowest, highest."""
    country: str | None
    city: str
    company: str
    rating: Decimal | None
    """None when nobody rated the client."""
    reviews: int
    spent: Decimal
    hires: int
    posts: int
    verified: bool | None
    cipher: str
    shown_client: bool
    """Whether visitors of the page see the facts of the client."""
    zero_amount: bool
    """Whether an hourly job has a price of 0 in the API instead of none."""
    site: str = "REMOTE"
    featured: bool = False
    closed: bool = False
    dated: bool = True
    pretty: bool = True
    raw_numbers: bool = False
    lacking: set[str] = field(default_factory=set)
    odd: str | None = None

    @property
    def posted(self) -> int | None:
        """Return when it was published, else created, in milliseconds; None when neither is shown."""
        return (self.published or self.created) if self.dated else None

    @property
    def old_ciphertext(self) -> str:
        """Return the id in addresses of the API and of the pages of 2024."""
        return f"~01{self.cipher}"

    @property
    def ciphertext(self) -> str:
        """Return the id in addresses of today's pages."""
        return f"~02{self.id}"

    @property
    def slug(self) -> str:
        """Return the title as it stands in addresses."""
        return re.sub(r"[^A-Za-z0-9]+", "-", self.title)[:90].strip("-") or "Job"


def iso(moment: int | None) -> str | None:
    """Return milliseconds as the API and the page's state write them."""
    if moment is None:
        return None
    return f"{datetime.fromtimestamp(moment // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{moment % 1000:03d}Z"


def money(amount: Decimal) -> str:
    """Return an amount as the site shows it."""
    return f"${amount:,.2f}"


def words_of(job: Job) -> str:
    """Return what a search looks through, in small letters."""
    return " ".join((job.title, job.description, *job.skills)).lower()


class JobMaker:
    """Make jobs, each from its own random source: it does not depend on which others were made."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def make(self, serial: int, posted: float) -> Job:
        """Return the `serial`-th job; `posted` in Unix seconds."""
        rng = random.Random(f"{self.seed}:upwork:{serial}")
        created = int(posted) * 1000 - rng.randrange(1000)
        category = rng.choices(list(CATEGORIES), (50, 20, 10, 12, 8))[0]
        skills = rng.sample([name.strip() for name in _SKILLS[category].split(",")], rng.randint(1, 5))
        writer = Writer(rng, skills)
        hourly = rng.random() < 0.5
        low = Decimal(rng.choice((5, 10, 15, 25, 40)))
        price = Decimal(rng.choice((50, 100, 250, 500, 1250, 3000, 7500))) + Decimal(rng.choice((0, 0, 0, "12.5")))
        known = rng.random() < 0.85
        applicants = rng.choice((0, 1, 3, 7, 12, 17, 30, 64))
        mean = low + rng.randint(1, 9)
        reviews = rng.choice((0, 1, 4, 12, 230))
        return Job(
            id=(created - _EPOCH << 22) | (serial & 0x3FFFFF),
            created=created - 1,
            published=created if rng.random() < 0.9 else None,
            renewed=None,
            title=writer.title(),
            description=writer.description(500),
            hourly=hourly,
            low=low if hourly and known else None,
            high=low + rng.choice((5, 15, 30)) if hourly and known else None,
            amount=price if not hourly and known else None,
            level=rng.choice(list(LEVELS)),
            duration=rng.choice(list(DURATIONS)),
            labelled=True,
            workload=rng.choice(list(WORKLOADS)) if hourly else None,
            category=category,
            subcategory=rng.choice(CATEGORIES[category][1]),
            skills=skills,
            applicants=applicants,
            bids=(mean, low, mean + 8) if applicants else None,
            country=rng.choice(list(COUNTRIES)[:-1]),
            city=rng.choice(("Lyonville", "Graz Falls", "Port Cork")),
            company=rng.choice(COMPANIES),
            rating=Decimal(rng.randint(35, 50)) / 10 if reviews else None,
            reviews=reviews,
            spent=Decimal(rng.choice((0, 80, 450, 1900, 12_400, 310_000, 1_200_000))),
            hires=rng.randrange(60),
            posts=rng.randint(1, 90),
            verified=rng.random() < 0.8,
            cipher=f"{rng.getrandbits(64):016x}",
            shown_client=rng.random() < 0.7,
            zero_amount=rng.random() < 0.5,
        )

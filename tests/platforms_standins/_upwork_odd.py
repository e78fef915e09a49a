"""Bend jobs of the Upwork stand-in into odd cases.

Reported of the real platform: times that are null, a duration without its label, `NOT_PROVIDED`, amounts that are null,
clients that visitors do not see, raw values as numbers (in another reader's tests only). The rest are guesses, made of
what other platforms send.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from platforms_standins._text import Writer
from platforms_standins._upwork_jobs import Job

Bend = Callable[[Job, float], None]


def _set(**values: Any) -> Bend:
    def bend(job: Job, _: float) -> None:
        for name, value in values.items():
            setattr(job, name, value)

    return bend


def _hourly(low: Any, high: Any, **values: Any) -> Bend:
    bounds = {"low": None if low is None else Decimal(low), "high": None if high is None else Decimal(high)}
    return _set(hourly=True, amount=None, workload="PART_TIME", duration="QUARTER", **bounds, **values)


def _fixed(amount: Any, **values: Any) -> Bend:
    price = None if amount is None else Decimal(amount)
    return _set(hourly=False, low=None, high=None, workload=None, amount=price, **values)


def _long(job: Job, _: float) -> None:
    job.description = Writer(random.Random(job.id), job.skills).description(4900, maximum=5000)


def _foreign(job: Job, _: float) -> None:
    job.title, job.description = "Diseñador en Málaga: café n.º 5", Writer(random.Random(job.id)).foreign("es")


def _renewed(job: Job, _: float) -> None:
    job.renewed, job.published = (job.published or job.created) + 3_600_000, job.published or job.created


ODD: dict[str, Bend] = {
    "hourly_unknown": _hourly(None, None),
    "hourly_open": _hourly(20, None),
    "hourly_upper": _hourly(None, 35),
    "hourly_same": _hourly(30, 30),
    "hourly_cents": _hourly("15.55", "40.25"),
    "hourly_zero": _hourly(10, 30, zero_amount=True),
    "fixed_unknown": _fixed(None),
    "fixed_zero": _fixed(0),
    "fixed_cents": _fixed("1250.50"),
    "fixed_million": _fixed(1_250_000),
    "raw_numbers": _fixed(480, raw_numbers=True),
    "not_published": _set(published=None),
    "not_dated": _set(dated=False),
    "renewed": _renewed,
    "no_duration": _set(duration=None),
    "duration_without_label": _set(duration="ONGOING", labelled=False),
    "no_workload": _hourly(12, 24),
    "no_skills": _set(skills=[]),
    "many_skills": _set(skills=[f"Skill {number}" for number in range(1, 16)]),
    "skill_names_only": _set(skills=["python", "web-scraping"], pretty=False),
    "skill_signs": _set(skills=["C++", ".NET Framework", "R&D", "A/B Testing"]),
    "title_entities": _set(title="R&D <List> \"portal\" & 'API' work"),
    "title_emoji": _set(title="👩‍💻 Python scraper 🇰🇷 upkeep ✅"),
    "title_blanks": _set(title="  Online \n   shop\u00a0 app  "),
    "title_long": _set(title="Overhaul a stock platform " * 40),
    "foreign": _foreign,
    "description_empty": _set(description=""),
    "description_markup": _set(description="Use <b>bold</b> & <script>alert(1)</script>\n\n- one\n- two"),
    "description_script": _set(description="Ends a script: </script><!-- }; window.__NUXT__={} ]]> \\u003C \"'`"),
    "description_separators": _set(description="One\u2028two\u2029three\r\nfour\tfive"),
    "description_challenge": _set(
        description="Just a moment... pass cf_chl_opt and cf_clearance. Enable JavaScript and cookies to continue."
    ),
    "description_long": _long,
    "unrated": _set(rating=None, reviews=0, shown_client=True),
    "unverified": _set(verified=False, shown_client=True),
    "verification_unknown": _set(verified=None, shown_client=True),
    "client_hidden": _set(shown_client=False),
    "client_null": _set(shown_client=False, lacking={"client"}),
    "country_missing": _set(country=None, shown_client=True),
    "country_apostrophe": _set(country="Cote d'Ivoire", shown_client=True),
    "spent_nothing": _set(spent=Decimal(0), shown_client=True),
    "no_applicants": _set(applicants=0, bids=None),
    "many_applicants": _set(applicants=164),
    "applicants_unknown": _set(applicants=None, bids=None),
    "no_category": _set(category=None, subcategory=None),
    "onsite": _set(site="ONSITE"),
}

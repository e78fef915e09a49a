"""Bend projects of the Freelancer.com stand-in into the odd cases that a reader has to survive.

Each function takes the fields of an ordinary row and changes them in place; its name is the name of the case
in `FreelancerStandIn.odd`. The mark in brackets says how sure the case is: seen (in a real answer), told
(documentation or another reader's code) or guess.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from platforms_standins._freelancer_projects import (
    ABSENT,
    CURRENCIES,
    JSON,
    LOCATION,
    SKILLS,
    TEMPLATE,
    UPGRADES,
    bid_stats,
)
from platforms_standins._text import Writer

Bend = Callable[[JSON, random.Random], None]

#: Every case, in the order of definition.
ODD: dict[str, Bend] = {}
#: Cases that are found in every fourth block of 250 only: they are seldom, and some make a whole page hard to
#: read.
RARE: set[str] = set()


def _odd(name: str, bend: Bend, *, rare: bool = False) -> None:
    ODD[name] = bend
    if rare:
        RARE.add(name)


def _set(**values: Any) -> Bend:
    """Return a bend that replaces whole fields."""
    return lambda fields, _: fields.update(values)


def _inside(key: str, **values: Any) -> Bend:
    """Return a bend that replaces values inside the object `key`; ABSENT takes the key away."""

    def bend(fields: JSON, _: random.Random) -> None:
        present: JSON = fields.get(key) or TEMPLATE[key]
        inner = present | values
        fields[key] = {name: value for name, value in inner.items() if value is not ABSENT}

    return bend


def _both(*bends: Bend) -> Bend:
    def bend(fields: JSON, rng: random.Random) -> None:
        for one in bends:
            one(fields, rng)

    return bend


def _currency(code: str) -> Bend:
    """Return a bend to another currency, with a budget and bids that fit it."""

    def bend(fields: JSON, rng: random.Random) -> None:
        low, high = (1500.0, 12500.0) if code == "INR" else (250.0, 750.0)
        fields["currency"] = CURRENCIES[code]
        fields["budget"] = fields["budget"] | {"minimum": low, "maximum": high}
        fields["bid_stats"] = bid_stats(rng, low, high)
        fields["type"], fields["hourly_project_info"] = "fixed", None

    return bend


def _text(change: Callable[[str], str], *keys: str) -> Bend:
    """Return a bend that rewrites texts; the preview follows the description."""

    def bend(fields: JSON, _: random.Random) -> None:
        for key in keys:
            fields[key] = change(fields[key])
        if "description" in keys:
            fields["preview_description"] = fields["description"][:100]

    return bend


def _long_description(fields: JSON, rng: random.Random) -> None:
    writer = Writer(rng, [skill["name"] for skill in fields["jobs"]])
    text = "\n\n" + writer.sentence() + "\n\n" + writer.bullets(6) + "\n\n" + writer.bullets(4, "–") + "\n"
    while len(text) < 5000:
        text += writer.sentence() + "\r\n"
    fields["description"] = text[:4999] + "."
    fields["preview_description"] = text[:100]


def _long_title(fields: JSON, rng: random.Random) -> None:
    title = fields["title"]
    while len(title) < 133:
        title += " - " + Writer(rng, ["Python"]).title()
    fields["title"] = title[:132].rstrip().ljust(132, ".") + "!"


def _long_average(fields: JSON, _: random.Random) -> None:
    # The float is the one nearest to 483/11: its repr has the tail that real averages have.
    fields["currency"] = CURRENCIES["USD"]
    fields["budget"] = fields["budget"] | {"minimum": 10.0, "maximum": 30.0}
    fields["bid_stats"] = {"bid_count": 11, "bid_avg": 483.1 / 11}


def _hourly(fields: JSON, _: random.Random) -> None:
    fields["type"] = "hourly"
    fields["currency"] = CURRENCIES["USD"]
    fields["budget"] = fields["budget"] | {"minimum": 15.0, "maximum": 25.0}
    fields["hourly_project_info"] = {
        "commitment": {"hours": 40, "interval": "week"},
        "duration_enum": "unspecified",
    }


def _free_bids_before(fields: JSON, _: random.Random) -> None:
    fields["time_free_bids_expire"] = fields["time_submitted"] - 4505


def _resurfaced(fields: JSON, _: random.Random) -> None:
    for key in ("submitdate", "time_submitted", "time_updated"):
        fields[key] -= 43_200


_BERLIN: JSON = LOCATION | {
    "country": LOCATION["country"] | {"name": "Germany", "code": "de", "iso3": "DEU", "language_code": "de"},
    "city": "Berlin",
    "latitude": 52.5186,
    "longitude": 13.4083,
    "vicinity": "Berlin",
    "administrative_area": "Berlin",
    "full_address": "Berlin, Germany",
    "administrative_area_code": "BE",
}
_NO_CATEGORY: JSON = {
    "id": 99_999,
    "name": None,
    "category": None,
    "seo_url": None,
    "seo_info": None,
    "local": False,
}

# Currencies. [seen: signs and country codes; guess: the rest]
for _code in ("USD", "AUD", "CAD", "SGD", "NZD", "HKD", "EUR", "GBP"):
    _odd(f"currency_{_code.lower()}", _currency(_code))
_odd("currency_unknown_code", _inside("currency", id=977, code="ZZZ", sign="¤", name="Unlisted", country="ZZ"))
_odd("currency_null", _set(currency=None))
_odd("exchange_rate_missing", _inside("currency", exchange_rate=ABSENT))

# Budgets. [told: maximum missing; seen: minimum = maximum; guess: the rest]
_odd("budget_maximum_null", _inside("budget", minimum=1500.0, maximum=None))
_odd("budget_maximum_missing", _inside("budget", minimum=1500.0, maximum=ABSENT))
_odd("budget_minimum_missing", _inside("budget", minimum=ABSENT))
_odd("budget_reversed", _inside("budget", minimum=750.0, maximum=250.0))
_odd("budget_equal", _both(_inside("budget", minimum=100.0, maximum=100.0), _set(hireme=True, bidperiod=10)))
_odd("budget_null", _set(budget=None))
_odd("budget_missing", _set(budget=ABSENT))
_odd("budget_zero", _inside("budget", minimum=0.0, maximum=0.0))

# Bids. [seen: average null, missing (compact), above the maximum with a long tail; guess: the rest]
_odd("bid_stats_null", _set(bid_stats=None))
_odd("bid_avg_null", _set(bid_stats={"bid_count": 0, "bid_avg": None}))
_odd("bid_avg_missing", _set(bid_stats={"bid_count": 0}))
_odd("bid_avg_above_maximum", _long_average)
_odd("sealed", _both(_set(hidebids=True), _inside("upgrades", sealed=True)))
_odd("bidperiod_null", _set(bidperiod=None))

# Kinds and states. [seen: hourly, states of closed projects; told: deleted, nonpublic; guess: closed ones in
# a listing]
_odd("hourly", _hourly)
_odd("hourly_info_null", _both(_hourly, _set(hourly_project_info=None)))
_odd("hourly_info_missing", _both(_hourly, _set(hourly_project_info=ABSENT)))
_odd("deleted", _set(deleted=True))
_odd("nonpublic", _both(_set(nonpublic=True), _inside("upgrades", nonpublic=True)))
_odd(
    "frozen_awarded",
    _set(status="frozen", sub_status="frozen_awarded", frontend_project_status="work_in_progress"),
)
_odd("frozen_timeout", _set(status="frozen", sub_status="frozen_timeout"))
_odd("closed_awarded", _set(status="closed", sub_status="closed_awarded", frontend_project_status="complete"))
_odd("closed_expired", _set(status="closed", sub_status="closed_expired", frontend_project_status="complete"))
_odd("status_unknown", _set(status="pending_review", frontend_project_status="pending"), rare=True)
_odd(
    "nda",
    _both(_inside("upgrades", NDA=True), _set(nda_details={"hidden_description": None, "signatures": []})),
)

# Times. [seen: free bids before the start, resurfaced; guess: the rest]
_odd("time_submitted_null", _set(time_submitted=None, submitdate=None))
_odd("time_submitted_missing", _set(time_submitted=ABSENT, submitdate=ABSENT))
_odd("submitdate_only", _set(time_submitted=None))
_odd("free_bids_before_submitted", _free_bids_before)
_odd("resurfaced", _resurfaced)

# Places. [seen: all null; told: compact form; guess: how a filled one looks]
_odd("local", _both(_set(local=True, location=_BERLIN), _set(true_location=_BERLIN)))
_odd("local_location_empty", _set(local=True))
_odd("location_country_empty", _set(location={"country": {}}))
_odd("location_null", _set(location=None))

# Texts. [seen: spaces, ampersands, emoji, 133 characters, bullets, newline first; guess: the rest]
_odd("title_trailing_spaces", _text(lambda text: text + "   ", "title"))
_odd("title_ampersand", _text(lambda text: f"R&D <b>&</b> Q&amp;A: {text}", "title"))
_odd("title_emoji", _text(lambda text: f"🚀 {text} 👩🏽‍💻", "title"))
_odd("title_133_characters", _long_title)
_odd("title_empty", _set(title=""))
_odd("title_null", _set(title=None), rare=True)
_odd("title_nul", _text(lambda text: text[:8] + "\x00" + text[8:], "title"), rare=True)
_odd("description_null", _set(description=None))
_odd("description_empty", _set(description="", preview_description=""))
_odd("description_long", _long_description)
_odd("description_surrogate", _text(lambda text: text[:40] + "\ud83d" + text[40:], "description"), rare=True)
_odd("description_nul", _text(lambda text: text[:40] + "\x00" + text[40:], "description"), rare=True)
_odd("language_unknown", _set(language="xx-klingon"))
_odd("language_null", _set(language=None))

# Skills, ids, addresses, keys. [told: numbers in pool_ids, new keys; guess: the rest]
_odd("jobs_null", _set(jobs=None))
_odd("jobs_empty", _set(jobs=[]))
_odd("jobs_name_null", _set(jobs=[SKILLS[2], _NO_CATEGORY]))
_odd("jobs_duplicate", _set(jobs=[SKILLS[0], SKILLS[2], SKILLS[0] | {"name": "php "}, SKILLS[0]]))
_odd("id_string", lambda fields, _: fields.update(id=str(fields["id"])), rare=True)
_odd("seo_url_missing", _set(seo_url=ABSENT))
_odd("seo_url_null", _set(seo_url=None))
_odd("upgrades_null", _set(upgrades=None))
_odd("upgrades_missing", _set(upgrades=ABSENT))
_odd(
    "upgrades_all",
    _set(upgrades=UPGRADES | {"premium": True, "enterprise": False, "featured": True}, featured=True),
)
_odd("pool_ids_numbers", _set(pool_ids=[1]))
_odd(
    "unknown_keys",
    _set(
        enterprises=[],
        group_ids=[],
        quality_details=None,
        is_quotation_project=False,
        requires_upfront_funding=False,
        brand_new_key={"nested": [1, {"deeper": "value"}]},
    ),
)


def contest(fields: JSON, number: int, rng: random.Random) -> JSON:
    """Return a contest made out of an ordinary project's fields. Its keys are a guess."""
    return {
        "id": number,
        "owner_id": None,
        "title": "Contest: " + fields["title"],
        "description": fields["description"],
        "type": "contest",
        "contest_type": "freemium",
        "status": "active",
        "duration": rng.choice((3, 7, 14)),
        "prize": float(rng.choice((20, 50, 100, 250))),
        "entry_count": rng.randrange(60),
        "guaranteed": rng.random() < 0.5,
        "currency": fields["currency"],
        "jobs": fields["jobs"],
        "seo_url": "contest/" + fields["seo_url"].partition("/")[2],
        "time_submitted": fields["time_submitted"],
        "upgrades": {"guaranteed": True, "featured": False, "sealed": False},
        "language": "en",
    }

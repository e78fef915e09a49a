"""Understand what a listing request of the Freelancer.com stand-in asks for: filters, order, projections, shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multidict import MultiMapping
from platforms_standins._freelancer_projects import ABSENT, JSON, TEMPLATE, Row

Test = Callable[[Row], bool]

#: What a listing leaves out unless the key on the left is in the request, whatever its value.
PROJECTIONS = {
    "full_description": "description",
    "job_details": "jobs",
    "upgrade_details": "upgrades",
    "location_details": "location",
}
#: Every parameter that decides which rows are in a listing and in which order.
FILTERS = (
    *("query", "or_search_query", "jobs[]", "project_types[]", "languages[]", "countries[]", "project_ids[]"),
    *("min_price", "max_price", "min_hourly_rate", "max_hourly_rate", "from_time", "to_time"),
    *("sort_field", "reverse_sort", "include_contests"),
)
#: Sort fields that leave the site's own order, newest first with resurfaced projects on top, as it is.
NEWEST_FIRST = ("", "time_submitted", "time_updated", "submitdate", "time_released")
SORTS: dict[str, Callable[[Row], float]] = {
    "bid_count": lambda row: (row.get("bid_stats") or {}).get("bid_count") or 0,
    "bid_avg_usd": lambda row: dollars(row, (row.get("bid_stats") or {}).get("bid_avg")) or 0,
    "bid_enddate": lambda row: (row.get("time_submitted") or 0) + 86_400 * (row.get("bidperiod") or 0),
}


def switched_on(query: MultiMapping[str], name: str) -> bool:
    """Tell whether a boolean parameter is on."""
    return query.get(name, "").lower() in ("1", "true")


def projections(query: MultiMapping[str]) -> tuple[bool, ...]:
    """Return which of PROJECTIONS are asked for, in their order, and last whether nulls are dropped."""
    return (*(name in query for name in PROJECTIONS), switched_on(query, "compact"))


def full_row(row: Row, asked: tuple[bool, ...], *, reveal_owner: bool = False) -> JSON:
    """Return a row as an answer shows it; `asked` as from `projections`."""
    template = {} if row.is_contest else TEMPLATE
    full = {key: value for key, value in (template | row.fields).items() if value is not ABSENT}
    if reveal_owner and not row.is_contest:
        full["owner_id"] = row.owner_id
    for wanted, key in zip(asked, PROJECTIONS.values(), strict=False):
        if not wanted and key in full:
            full[key] = None
    compact: JSON = without_nulls(full) if asked[-1] else full
    return compact


def without_nulls(value: Any) -> Any:
    """Drop keys with a null at every level, as `compact` does."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def dollars(row: Row, amount: float | None) -> float | None:
    """Convert an amount in the row's currency; None when that is not possible."""
    rate = (row.get("currency") or {}).get("exchange_rate")
    return None if amount is None or rate is None else amount * rate


def conditions(query: MultiMapping[str]) -> list[Test]:
    """Return the tests that a row has to pass. Raise ValueError when a number is none."""
    tests: list[Test] = []
    terms = query.get("query", "").lower().split()
    if terms:
        enough = any if switched_on(query, "or_search_query") else all
        tests.append(lambda row: enough(term in _search_text(row) for term in terms))
    skills = {int(number) for number in query.getall("jobs[]", [])}
    if skills:
        tests.append(lambda row: any(skill["id"] in skills for skill in row.get("jobs") or []))
    numbers = {int(number) for number in query.getall("project_ids[]", [])}
    if numbers:
        tests.append(lambda row: row.id in numbers)
    kinds, languages = set(query.getall("project_types[]", [])), set(query.getall("languages[]", []))
    if kinds:
        tests.append(lambda row: row.get("type") in kinds)
    if languages:
        tests.append(lambda row: row.get("language") in languages)
    countries = {code.lower() for code in query.getall("countries[]", [])}
    if countries:
        tests.append(lambda row: _country(row) in countries)
    tests += _price_tests(query, "fixed", "price") + _price_tests(query, "hourly", "hourly_rate")
    if "from_time" in query or "to_time" in query:
        since, until = float(query.get("from_time", "-inf")), float(query.get("to_time", "inf"))
        tests.append(lambda row: since <= (row.get("time_submitted") or row.get("time_updated") or 0) <= until)
    return tests


def _price_tests(query: MultiMapping[str], kind: str, suffix: str) -> list[Test]:
    if f"min_{suffix}" not in query and f"max_{suffix}" not in query:
        return []
    low, high = float(query.get(f"min_{suffix}", "-inf")), float(query.get(f"max_{suffix}", "inf"))

    def priced(row: Row) -> bool:
        if row.get("type") != kind:
            return True
        budget = row.get("budget") or {}
        least = dollars(row, budget.get("minimum"))
        most = dollars(row, budget.get("maximum"))
        return (most is None or most >= low) and (least is None or least <= high)

    return [priced]


def _country(row: Row) -> str:
    place = (row.get("location") or {}).get("country") or {}
    return str(place.get("code") or "").lower()


def _search_text(row: Row) -> str:
    if row.search_text is None:
        names = (skill["name"] or "" for skill in row.get("jobs") or [])
        row.search_text = " ".join([row.get("title") or "", row.get("description") or "", *names]).lower()
    return row.search_text


def user(row: Row) -> JSON:
    """Return the client of a project, in the shape that answers had while they still showed owners."""
    score = round(4 + (row.owner_id % 101) / 100, 2)
    return {
        "id": row.owner_id,
        "username": f"client{row.owner_id}",
        "registration_date": 1_500_000_000 + row.owner_id % 200_000_000,
        "location": {"country": {"name": "Portugal", "code": "pt"}, "city": "Porto"},
        "status": {
            "payment_verified": row.owner_id % 3 != 0,
            "email_verified": True,
            "deposit_made": row.owner_id % 2 == 0,
            "profile_complete": True,
            "phone_verified": row.owner_id % 5 == 0,
            "identity_verified": False,
        },
        "employer_reputation": {
            "entire_history": {
                "overall": score if row.owner_id % 4 else 0.0,
                "all": row.owner_id % 40,
                "reviews": row.owner_id % 40 if row.owner_id % 4 else 0,
                "complete": row.owner_id % 30,
                "completion_rate": 0.9,
            }
        },
    }


def page_document(row: Row) -> JSON:
    """Return the `rawDocument` that a project's public page carries in its script."""
    budget, bids = row.get("budget") or {}, row.get("bid_stats") or {}
    currency = row.get("currency") or {}
    start = row.get("time_submitted")
    document: JSON = {
        "projectId": row.id,
        "bids": [],
        "bidStats": {"bidCount": bids.get("bid_count"), "bidAvg": bids.get("bid_avg")},
        "budget": {"min": budget.get("minimum"), "max": budget.get("maximum")},
        "client": {
            "registrationTime": 1_500_000_000_000 + row.owner_id % 200_000_000 * 1000,
            "address": {"city": "Porto", "country": "Portugal", "countryCode": "pt"},
            "rating": {"average": 0, "reviewCount": 0},
            "verification": {
                "paymentVerified": row.owner_id % 3 != 0,
                "emailVerified": True,
                "profileComplete": False,
                "phoneVerified": False,
                "depositMade": False,
            },
        },
        "currencyDetails": {
            "id": currency.get("id"),
            "code": currency.get("code"),
            "sign": currency.get("sign"),
            "name": currency.get("name"),
            "exchangeRate": currency.get("exchange_rate"),
            "country": currency.get("country"),
            "isExternal": False,
        },
        "description": row.get("description"),
        "type": row.get("type"),
        "isLocal": row.get("local"),
        "selectedBids": [],
        "similarJobs": [],
        "skills": [
            {
                "id": skill["id"],
                "name": skill["name"],
                "category": {"id": (skill["category"] or {}).get("id")},
                "local": skill["local"],
                "seoUrl": (skill["seo_url"] or "").replace("_", "-"),
                "activeProjectCount": 20,
            }
            for skill in row.get("jobs") or []
        ],
        "status": row.get("status"),
        "title": row.get("title"),
        "seoUrl": row.get("seo_url"),
    }
    if start is not None:
        document |= {
            "startTime": start * 1000,
            "endTime": (start + 86_400 * (row.get("bidperiod") or 7)) * 1000,
        }
    return document

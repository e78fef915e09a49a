"""Write the state of the Upwork stand-in's pages as their scripts find it: devalue (Nuxt 3) or a call (Nuxt 2).

Reported of the platform: both forms, the paths, the keys of a job but `client.totalFeedback`, that most of `client` is
null for visitors, the keys of a job's page, `"USA"` there, and `job: null` of one that is gone. Guesses: what lies
beside them in the state, which values are wrapped, keys one level below those named, 0 for what does not apply
(`amount.amount` of hourly jobs, `hourlyBudget` of fixed ones), that text is not escaped.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from platforms_standins._upwork_jobs import COUNTRIES, DURATIONS, LEVELS, WORKLOADS, Job, iso

JSON = dict[str, Any]
#: Most jobs that the search leads to, and most pages.
CAP, MOST_PAGES = 5000, 100


class Undefined:
    """What JavaScript has and JSON has not."""


class Wrapped:
    """A value in one of Vue's wrappers."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value


UNDEFINED = Undefined()


def highlighted(text: str, terms: list[str]) -> str:
    """Return a text with what was searched for marked, as the state has it."""
    if not terms:
        return text
    found = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    return re.sub(f"({found})", r'<span class="highlight">\1</span>', text, flags=re.IGNORECASE)


def _number(amount: Decimal | None) -> float | int:
    found = float(amount or 0)
    return int(found) if found.is_integer() else found


def job_state(job: Job, place: int, terms: list[str], layout: str) -> JSON:
    """Return a job as `jobsSearch.jobs` has it."""
    shown = job.shown_client
    return {
        "uid": str(job.id),
        "ciphertext": job.old_ciphertext if layout == "2024" else job.ciphertext,
        "title": highlighted(job.title, terms),
        "description": highlighted(job.description, terms),
        "createdOn": iso(job.created) if job.dated else None,
        "publishedOn": iso(job.published) if job.dated else None,
        "renewedOn": iso(job.renewed),
        "type": 2 if job.hourly else 1,
        "amount": {"amount": _number(job.amount)},
        "hourlyBudget": {"min": _number(job.low), "max": _number(job.high)},
        "weeklyBudget": UNDEFINED,
        "durationLabel": DURATIONS[job.duration][0] if job.duration and job.labelled else None,
        "engagement": WORKLOADS[job.workload][1] if job.workload else None,
        "tierText": LEVELS[job.level][1],
        "attrs": [{"uid": f"skill-{name.lower()}", "prettyName": name} for name in job.skills],
        "client": {
            "location": {"country": job.country if shown else None},
            "isPaymentVerified": job.verified if shown else None,
            "totalSpent": _number(job.spent) if shown else None,
            "totalHires": None,
            "totalReviews": None,
            "totalFeedback": None,
        },
        "position": place,
    }


def search_state(jobs: list[JSON], *, total: int, offset: int, count: int, layout: str) -> JSON:
    """Return the state of a search page, as one of its broken `layout`s where asked for."""
    search: JSON = {
        "jobs": jobs,
        "paging": {"total": min(total, CAP), "offset": offset, "count": count},
        "currentPage": offset // count + 1,
        "jobsPerPage": count,
        "isLoading": False,
    }
    if layout == "list_missing":
        del search["jobs"]
    elif layout == "list_null":
        search["jobs"] = None
    elif layout == "list_empty":
        search["jobs"] = []
    elif layout == "renamed":
        search["results"] = search.pop("jobs")
    name = "searchResults" if layout == "moved" else "jobsSearch"
    return {"context": {"isVisitor": True, "locale": "en"}, name: search}


def detail_state(job: Job | None) -> JSON:
    """Return the state of a job's page; None: of one that is gone."""
    if job is None:
        return {"jobDetails": {"job": None, "buyer": None, "sands": None}}
    told: JSON = {
        "uid": str(job.id),
        "ciphertext": job.ciphertext,
        "title": job.title,
        "description": job.description,
        "type": 2 if job.hourly else 1,
        "clientActivity": {"totalApplicants": job.applicants, "totalHired": 0, "totalInvitedToInterview": 0},
        "budget": {"amount": _number(job.amount)},
        "extendedBudgetInfo": {
            "hourlyBudgetMin": None if job.low is None else _number(job.low),
            "hourlyBudgetMax": None if job.high is None else _number(job.high),
        },
        "contractorTier": LEVELS[job.level][2],
        "postedOn": iso(job.created) if job.dated else None,
        "publishTime": iso(job.published) if job.dated else None,
        "workload": WORKLOADS[job.workload][0] if job.workload else None,
        "qualifications": {},
    }
    country = COUNTRIES[job.country][1] if job.country else None
    buyer: JSON = {
        "stats": {
            "score": float(job.rating or 0),
            "totalCharges": _number(job.spent),
            "totalJobsWithHires": job.hires,
        },
        "location": {"country": country, "city": job.city, "countryTimezone": None},
    }
    return {"jobDetails": {"job": told, "buyer": buyer, "sands": {}}}


# --- forms --------------------------------------------------------------------------------------------------------


def _safe(text: str) -> str:
    """Return JSON that can stand in a script."""
    return text.replace("<", "\\u003C").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def devalue(value: Any) -> str:
    """Return the flat array of Nuxt 3: places instead of values, each scalar and each object once."""
    flat: list[Any] = []
    places: dict[Any, int] = {}

    def put(one: Any) -> int:
        if isinstance(one, Undefined):
            return -1
        scalar = one is None or isinstance(one, (str, int, float))
        key = (type(one), one) if scalar else id(one)
        if key in places:
            return places[key]
        places[key] = place = len(flat)
        flat.append(one)
        if isinstance(one, Wrapped):
            flat[place] = [one.name, put(one.value)]
        elif isinstance(one, dict):
            flat[place] = {name: put(part) for name, part in one.items()}
        elif isinstance(one, list):
            flat[place] = [put(part) for part in one]
        return place

    put(value)
    return _safe(json.dumps(flat, ensure_ascii=False, separators=(",", ":")))


def nuxt3(state: JSON) -> str:
    """Return the text of the script `__NUXT_DATA__`."""
    whole = {
        "data": Wrapped("ShallowReactive", {}),
        "state": Wrapped("Reactive", {}),
        "once": Wrapped("EmptyRef", "_"),
        "_errors": Wrapped("ShallowReactive", {}),
        "serverRendered": True,
        "path": "/nx/search/jobs/",
        "vuex": Wrapped("Reactive", state),
    }
    return devalue(Wrapped("ShallowReactive", whole))


_NAMES = [first + second for first in ("", *"abcdefg") for second in "abcdefghijklmnopqrstuvwxyz"]
_RESERVED = {"as", "do", "if", "in", "is", "of"}


def nuxt2(state: JSON) -> str:
    """Return the script `window.__NUXT__=…`: a call whose arguments are the values that stand there twice."""
    whole = {"layout": "default", "data": [{}], "error": None, "state": state, "serverRendered": True}
    counts: dict[Any, int] = {}

    def count(one: Any) -> None:
        if isinstance(one, dict):
            for part in one.values():
                count(part)
        elif isinstance(one, list):
            for part in one:
                count(part)
        elif not isinstance(one, int) or isinstance(one, bool):
            counts[_key(one)] = counts.get(_key(one), 0) + 1

    count(whole)
    names = (name for name in _NAMES if name not in _RESERVED)
    hoisted = {
        key: name for (key, number), name in zip(((k, n) for k, n in counts.items() if n > 1), names, strict=False)
    }

    def write(one: Any) -> str:
        if isinstance(one, dict):
            return "{" + ",".join(f"{_member(name)}:{write(part)}" for name, part in one.items()) + "}"
        if isinstance(one, list):
            return "[" + ",".join(map(write, one)) + "]"
        return hoisted.get(_key(one)) or _literal(one)

    body = write(whole)
    values = ",".join(_literal(UNDEFINED if kind is Undefined else one) for kind, one in hoisted)
    return f"window.__NUXT__=(function({','.join(hoisted.values())}){{return {body}}}({values}));"


def _key(one: Any) -> tuple[type, Any]:
    return (type(one), None if isinstance(one, Undefined) else one)


def _member(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else json.dumps(name)


def _literal(one: Any) -> str:
    if isinstance(one, Undefined):
        return "void 0"
    # As the library behind it escapes texts: no slash, no angle bracket.
    text = json.dumps(one, ensure_ascii=False)
    return _safe(text).replace(">", "\\u003E").replace("/", "\\u002F") if isinstance(one, str) else text

"""Say what a perfect reader stores of the Upwork stand-in's jobs, by the way in: keys of `Project`, texts cleaned.

The API names the currency, the pages show a bare dollar sign or nothing: no currency is stored of them. Descriptions
of the search page count as teasers: whether the real ones are cut was not seen. A band of proposals is no count.
`extra` has the same words in all ways in: for a level `entry_level`, `intermediate`, `expert`, for a workload those of
a tile.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from platforms_standins._upwork_jobs import COUNTRIES, DURATIONS, HOST, WORKLOADS, Job, iso, money

JSON = dict[str, Any]
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def moment(value: int) -> datetime:
    """Return milliseconds since 1970 as an aware time."""
    return datetime.fromtimestamp(value // 1000, UTC) + timedelta(milliseconds=value % 1000)


def age(job: Job, now: float) -> str | None:
    """Return the time of posting as a tile tells it; `now` in Unix seconds."""
    if job.posted is None:
        return None
    passed = max(1, int(now) - job.posted // 1000)
    for limit, unit, word in ((_MINUTE, 1, "second"), (_HOUR, _MINUTE, "minute"), (_DAY, _HOUR, "hour")):
        if passed < limit:
            return _counted(passed // unit, word)
    days = passed // _DAY
    if days == 1:
        return "yesterday"
    if days < 7:
        return _counted(days, "day")
    if days < 30:
        return "last week" if days < 14 else _counted(days // 7, "week")
    return "last month" if days < 60 else _counted(days // 30, "month")


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)} ago"


def _told(text: str | None, now: float) -> tuple[datetime | None, str]:
    """Return the time that a tile's text tells, and its precision: a month has no day, "last week" neither."""
    answered = datetime.fromtimestamp(int(now), UTC)
    if text == "yesterday":
        return answered.replace(hour=0, minute=0, second=0) - timedelta(days=1), "day"
    if text is None or text.startswith("last ") or "month" in text:
        return None, "unknown"
    count, unit, _ = text.split()
    seconds, precision = {
        "second": (1, "minute"),
        "minute": (_MINUTE, "minute"),
        "hour": (_HOUR, "hour"),
        "day": (_DAY, "day"),
        "week": (7 * _DAY, "day"),
    }[unit.rstrip("s")]
    return answered - timedelta(seconds=int(count) * seconds), precision


def band(applicants: int) -> str:
    """Return the number of proposals as a tile tells it."""
    for limit, text in ((5, "Less than 5"), (10, "5 to 10"), (15, "10 to 15"), (20, "15 to 20"), (50, "20 to 50")):
        if applicants < limit:
            return text
    return "50+"


def spent(amount: Decimal) -> str:
    """Return what a client has spent as a tile tells it."""
    for unit, sign in ((1_000_000, "M"), (1000, "K")):
        if amount >= unit:
            return f"${int(amount // unit)}{sign}+"
    return f"${int(amount)}" + "+" * bool(amount)


def hourly_text(job: Job) -> str | None:
    """Return the hourly rate as the site shows it, None when it is not told."""
    shown = [money(bound) for bound in (job.low, job.high) if bound is not None]
    return " - ".join(shown) or None


def price(job: Job) -> Decimal | None:
    """Return the fixed price, None where it is but a placeholder."""
    return job.amount or None


def _budget(job: Job, currency: str | None, text: str | None) -> JSON:
    low, high = (job.low, job.high) if job.hourly else (price(job), price(job))
    return {
        "minimum": low,
        "maximum": high,
        "currency": None if low is None and high is None else currency,
        "period": "hour" if job.hourly else "total",
        "text": text,
        "usd_rate": None,
        "minimum_usd": None,
        "maximum_usd": None,
    }


def _lines(text: str) -> str | None:
    text = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    return "\n".join(line.rstrip() for line in text.split("\n")).strip() or None


def _client(job: Job, reviews: int | None) -> JSON:
    country = COUNTRIES[job.country][0] if job.country else None
    return {"country": country, "rating": job.rating, "reviews": reviews, "verified": job.verified}


def _project(job: Job, **fields: Any) -> JSON:
    project = {
        "platform": "upwork",
        "external_id": str(job.id),
        "url": f"{HOST}/jobs/{job.ciphertext}",
        "title": " ".join(job.title.split()),
        "description": _lines(job.description),
        "description_complete": False,
        "status": "closed" if job.closed else "open",
        "budget": None,
        "skills": list(job.skills),
        "category": None,
        "work_mode": "unknown",
        "location": None,
        "language": None,
        "posted_at": None if job.posted is None else moment(job.posted),
        "posted_precision": "unknown" if job.posted is None else "exact",
        "posted_text": iso(job.posted),
        "closes_at": None,
        "bid_count": None,
        "bid_average": None,
        "client": None,
        "extra": {},
    } | fields
    project["extra"] = {key: value for key, value in project["extra"].items() if value is not None}
    return project


def _label(job: Job) -> str | None:
    return DURATIONS[job.duration][0] if job.duration and job.labelled else None


def from_api(job: Job) -> JSON:
    """Return what the search of the API tells, `job.contractTerms` and `job.activityStat` among it."""
    text = hourly_text(job) if job.hourly else money(job.amount) if job.amount else None
    return _project(
        job,
        url=f"{HOST}/jobs/{job.old_ciphertext}",
        description_complete=True,
        budget=_budget(job, "USD", text),
        category=job.category,
        work_mode={"REMOTE": "remote", "ONSITE": "onsite"}[job.site],
        bid_count=job.applicants,
        bid_average=job.bids and job.bids[0],
        client=None if "client" in job.lacking else _client(job, job.reviews),
        extra={
            "experience_level": job.level.lower(),
            # The API names it where it has no label for it.
            "duration": DURATIONS[job.duration][0] if job.duration else None,
            "engagement": WORKLOADS[job.workload][0] if job.workload else None,
            "subcategory": job.subcategory,
        },
    )


def from_tile(job: Job, now: float, layout: str) -> JSON:
    """Return what the tile in the rendered search page tells: where it shows one rate, that is both bounds."""
    text = age(job, now)
    posted_at, precision = _told(text, now)
    rate = hourly_text(job)
    if job.hourly:
        budget_text = f"Hourly: {rate}" if rate else "Hourly"
    else:
        budget_text = "Fixed price" if job.amount is None else f"Est. budget: {money(job.amount)}"
    budget = _budget(job, None, budget_text)
    budget |= {"minimum": budget["minimum"] or budget["maximum"], "maximum": budget["maximum"] or budget["minimum"]}
    return _project(
        job,
        url=f"{HOST}/jobs/{job.old_ciphertext if layout == '2024' else job.ciphertext}",
        budget=budget,
        posted_at=posted_at,
        posted_precision=precision,
        posted_text=text,
        client=_client(job, None) if job.shown_client else None,
        extra={
            "experience_level": job.level.lower(),
            "duration": _label(job) if job.hourly else None,
            "engagement": WORKLOADS[job.workload][0] if job.workload else None,
            "proposals": None if job.applicants is None else band(job.applicants),
            "client_spent": spent(job.spent) if job.shown_client else None,
            "featured": job.featured or None,
        },
    )


def from_state(job: Job, layout: str) -> JSON:
    """Return what the state of the search page tells, without a browser."""
    client = _client(job, None) | {"rating": None} if job.shown_client else None
    return _project(
        job,
        url=f"{HOST}/jobs/{job.old_ciphertext if layout == '2024' else job.ciphertext}",
        budget=_budget(job, None, None),
        client=client,
        extra={
            "experience_level": job.level.lower(),
            "duration": _label(job),
            "engagement": WORKLOADS[job.workload][0] if job.workload else None,
        },
    )


def from_page(job: Job, layout: str) -> JSON:
    """Return what the state of the search page and that of the job's own page tell together."""
    found = from_state(job, layout) | {"description_complete": True, "bid_count": job.applicants}
    seen = found["client"] or {"reviews": None, "verified": None}
    return found | {"client": seen | {"country": _client(job, None)["country"], "rating": job.rating}}

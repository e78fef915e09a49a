"""Understand what a request of the Upwork stand-in's search page asks for. What it does not know it passes over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from platforms_standins._upwork_jobs import CATEGORIES, Job, words_of

_PER_PAGE = ("10", "20", "50")


def page_number(query: Mapping[str, str]) -> int:
    """Return the number of the page, the first when none is named."""
    number = query.get("page", "1")
    return max(1, int(number)) if re.fullmatch(r"[0-9]{1,6}", number) else 1


def per_page(query: Mapping[str, str]) -> int:
    """Return how many jobs a page has."""
    count = query.get("per_page", "")
    return int(count if count in _PER_PAGE else _PER_PAGE[0])


def search(rows: Iterable[Job], query: Mapping[str, str]) -> list[Job]:
    """Return the jobs that are asked for; only with `sort=recency` in the order of `rows`, featured ones first."""
    words = query.get("q", "").lower().split()
    hourly = {"0": True, "1": False}.get(query.get("t", ""))
    categories = query.get("category2_uid", "").split(",")
    rate, price, hires = (_least(query.get(name)) for name in ("hourly_rate", "amount", "client_hires"))
    found = [
        job
        for job in rows
        if all(word in words_of(job) for word in words)
        and hourly in (None, job.hourly)
        and (categories == [""] or (job.category is not None and CATEGORIES[job.category][0] in categories))
        and (rate is None or (job.high or job.low or 0) >= rate)
        and (price is None or (job.amount or 0) >= price)
        and (hires is None or job.hires >= hires)
    ]
    if query.get("sort") != "recency":
        found.sort(key=lambda job: (not job.featured, job.cipher))
    return found


def _least(bounds: str | None) -> int | None:
    found = re.match(r"(\d+)-", bounds or "")
    return int(found[1]) if found else None

"""Which fields items have, counted by columns."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from _projects import PLAIN, project

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.parsing import coverage as module
from outsourcing_spiders.parsing.coverage import Coverage, missing_share

EMPTY = Project(platform="alpha", external_id="0", url="https://www.example.com/0", title="Nothing")


def counted(*items: Project) -> Counter[str]:
    coverage = Coverage()
    for item in items:
        coverage.note(item)
    coverage.tally()
    return +coverage.listed.filled


def test_what_is_unknown_is_not_counted() -> None:
    assert counted(EMPTY) == {}
    assert counted() == {}


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"bid_count": 0}, {"bid_count"}),
        ({"bid_average": Decimal(0)}, {"bid_average"}),
        ({"skills": ["x"], "description": "x"}, {"skills", "description"}),
        ({"skills": [], "description": ""}, set()),
        ({"status": "open", "work_mode": "remote"}, {"status", "work_mode"}),
        ({"budget": Budget(minimum=Decimal(0), text="free")}, {"budget", "budget.minimum", "budget.text"}),
        ({"client": Client(verified=False, reviews=0)}, {"client", "client.verified", "client.reviews"}),
        ({"extra": {"hours": 1}}, {"extra.hours"}),
        ({"location": "Bern", "category": "x", "language": "de"}, {"location", "category", "language"}),
        ({"posted_at": PLAIN.posted_at, "closes_at": PLAIN.posted_at}, {"posted_at", "closes_at"}),
    ],
)
def test_a_value(values: dict[str, Any], names: set[str]) -> None:
    item = project("1", **{field: getattr(EMPTY, field) for field in module.FIELDS} | values)
    assert counted(item, EMPTY, item) == dict.fromkeys(names, 2)


def test_items_with_a_page_of_their_own_are_counted_apart() -> None:
    coverage = Coverage()
    coverage.page_read("1")
    coverage.page_read("2")
    for number in (1, 2, 3):
        coverage.note(project(number))
    coverage.tally()
    # Met again in the listing.
    coverage.note(project(1))
    coverage.tally()
    assert (coverage.listed.rows, coverage.detailed.rows) == (2, 2)
    assert coverage.detailed.filled["budget"] == 2


def test_a_large_crawl_is_counted_by_a_sample() -> None:
    coverage = Coverage()
    for number in range(20_000):
        coverage.note(project(number) if number % 2 else EMPTY)
    coverage.tally()
    rows = coverage.listed.rows
    assert 5_000 < rows < 7_000
    assert coverage.listed.filled["budget"] * 2 == rows


def test_names_are_bounded() -> None:
    items = [project(number, extra={f"key{number}": 1}) for number in range(500)]
    assert len(counted(*items)) <= 80


def test_the_share_that_is_missing() -> None:
    assert missing_share([PLAIN, EMPTY, EMPTY, EMPTY], "budget") == 0.75
    assert missing_share([], "budget") == 0

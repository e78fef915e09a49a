"""Every column arrives with the value and the type that the item had."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from _projects import PLAIN, POSTED, one, project, put
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.storage.rows import Columns, prepare, stamped
from outsourcing_spiders.storage.tables import projects


@pytest.fixture
def engine(emptied: AsyncEngine) -> AsyncEngine:
    return emptied


FULL = Project(
    platform="alpha",
    external_id="1",
    url="https://www.example.com/?a=1&b='2'",
    title='Größe "XL", 日本語 🙂 \\ end',
    description='One\nTwo\t"three"\u2028 four \\u0041 \\x00',
    status="awarded",
    budget=Budget(
        minimum=Decimal("0.10"), maximum=Decimal("12345678901234567890.1234567890"), currency="EUR", period="hour",
        text="€ 10 – …", minimum_usd=Decimal("0.11"), maximum_usd=Decimal("1E+20"),
    ),
    skills=["C++", 'a "quoted", {one}', "NULL", "null", "", "back\\slash", "comma, in it", "ünïcode"],
    category="IT",
    work_mode="hybrid",
    location="Köln",
    language="de",
    posted_at=POSTED,
    posted_precision="exact",
    posted_text="just now",
    closes_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    expires_at=datetime(9999, 12, 30, tzinfo=UTC),
    bid_count=2_147_483_647,
    bid_average=Decimal("99.9500"),
    client=Client(country="DE", rating=Decimal("4.9"), reviews=0, verified=False),
    extra={"list": [1, 2.5, None, {"deep": ["ä\"\\"]}], "text": "line\nfeed", "yes": True, "big": 2**60, "": {}},
)  # fmt: skip
COLUMNS: dict[str, Any] = {
    "platform": "alpha",
    "external_id": "1",
    "url": FULL.url,
    "title": FULL.title,
    "description": FULL.description,
    "description_complete": True,
    "status": "awarded",
    "pricing": "hourly",
    "budget_min": Decimal("0.10"),
    "budget_max": Decimal("12345678901234567890.1234567890"),
    "currency": "EUR",
    "budget_text": "€ 10 – …",
    "budget_min_usd": Decimal("0.11"),
    "budget_max_usd": Decimal("1E+20"),
    "skills": FULL.skills,
    "category": "IT",
    "work_mode": "hybrid",
    "location": "Köln",
    "language": "de",
    "posted_at": POSTED,
    "posted_precision": "exact",
    "posted_text": "just now",
    "closes_at": FULL.closes_at,
    "expires_at": FULL.expires_at,
    "bid_count": 2_147_483_647,
    "bid_average": Decimal("99.9500"),
    "client_country": "DE",
    "client_rating": Decimal("4.9"),
    "client_reviews": 0,
    "client_verified": False,
    "extra": FULL.extra,
}


async def test_every_column_arrives(engine: AsyncEngine) -> None:
    assert COLUMNS.keys() == set(Columns.__struct_fields__) - {"seen_at"}
    assert await put(engine, FULL) == (1, 0)
    row = await one(engine)
    stored = {name: getattr(row, name) for name in COLUMNS}
    assert stored == COLUMNS
    assert {name: type(value) for name, value in stored.items()} == {n: type(v) for n, v in COLUMNS.items()}
    assert str(row.budget_min) == "0.10", "a price keeps its digits"
    assert row.first_seen_at == row.last_seen_at == row.changed_at
    assert abs(row.first_seen_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_what_is_unknown_is_null(engine: AsyncEngine) -> None:
    await put(engine, Project(platform="alpha", external_id="1", url="https://www.example.com/1", title="Bare"))
    row = (await one(engine))._asdict()
    known = {"platform", "external_id", "url", "title", "first_seen_at", "last_seen_at", "changed_at", "version"}
    assert {name: value for name, value in row.items() if name not in known and value is not None} == {
        "description_complete": True, "status": "unknown", "pricing": "unknown", "skills": [],
        "work_mode": "unknown", "posted_precision": "unknown", "extra": {},
    }  # fmt: skip


async def test_an_empty_budget_and_an_empty_client_are_null_too(engine: AsyncEngine) -> None:
    await put(engine, project(budget=Budget(), client=Client()))
    row = await one(engine)
    assert (row.budget_min, row.currency, row.pricing, row.client_country) == (None, None, "unknown", None)


@pytest.mark.parametrize(
    ("period", "pricing"),
    [("total", "fixed"), ("hour", "hourly"), ("day", "daily"), ("month", "monthly"), (None, "unknown")],
)
def test_the_pricing_says_what_the_budget_is_per(period: Any, pricing: str) -> None:
    line = prepare(project(budget=Budget(period=period))).line
    assert msgspec.json.decode(line)["pricing"] == pricing


async def test_times_of_other_zones_are_the_same_moment(engine: AsyncEngine) -> None:
    tokyo = POSTED.astimezone(timezone(timedelta(hours=9)))
    await put(engine, project(posted_at=tokyo, closes_at=datetime(1970, 1, 1, tzinfo=UTC)))
    row = await one(engine)
    assert (row.posted_at, row.closes_at) == (POSTED, datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("digits", ["0", "-0.000", "1E-20", "1E+30", "0.30000000000000000001", "9" * 60])
async def test_numbers_keep_every_digit(engine: AsyncEngine, digits: str) -> None:
    await put(engine, project(bid_average=Decimal(digits)))
    assert (await one(engine)).bid_average == Decimal(digits)


def test_a_line_is_one_line_and_can_be_stamped() -> None:
    line = prepare(replace(PLAIN, description='a\nb "seen_at":null}', extra={"seen_at": None})).line
    assert b"\n" not in line
    later = stamped(line, POSTED)
    before, after = msgspec.json.decode(line), msgspec.json.decode(later)
    assert after == before | {"seen_at": "2026-03-01T08:00:05.123456Z"}


def test_the_sent_columns_are_columns_of_the_table_in_its_order() -> None:
    sent = [name for name in Columns.__struct_fields__ if name != "seen_at"]
    assert sent == [name for name in projects.c.keys() if name in sent]  # noqa: SIM118 - a collection of columns
    assert set(projects.c.keys()) - set(sent) == {"first_seen_at", "last_seen_at", "changed_at"}

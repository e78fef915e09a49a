"""The stored rows beside what would be stored, by the same rules as the statement that stores."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.rows import prepare
from outsourcing_spiders.storage.stored_rows import COLUMNS, Pair, stored_rows
from outsourcing_spiders.storage.upsert import upsert

POSTED = datetime(2026, 9, 21, 14, tzinfo=UTC)


def project(identity: str, **fields: Any) -> Project:
    told: dict[str, Any] = {
        "description": "All of it.", "status": "open", "skills": ["Python", "SQL"], "category": "Design",
        "budget": Budget(minimum=Decimal("12.50"), currency="USD", period="hour"), "client": Client(country="KR"),
        "posted_at": POSTED, "posted_precision": "hour", "posted_text": "2 hours ago", "extra": {"a": [1]},
    }  # fmt: skip
    url = f"https://x.example/{identity}"
    return Project(platform="x", external_id=identity, url=url, title="A", **told | fields)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def differing(pair: Pair) -> dict[str, Any]:
    assert pair.stored is not None
    return {name: now for name, was, now in zip(COLUMNS, pair.stored, pair.merged, strict=True) if was != now}


async def test_what_would_change_is_what_the_upsert_changes(database_url: str, engine: AsyncEngine) -> None:
    before = [project(str(number)) for number in range(5)]
    async with engine.begin() as connection:
        await upsert(connection, [prepare(one).line for one in before])
    same, teaser, later, changed, emptied = deepcopy(before)
    teaser.description, teaser.description_complete, teaser.category, teaser.bid_count = "All…", False, None, 3
    later.posted_at, later.posted_text = POSTED + timedelta(minutes=9), "3 hours ago"
    changed.title, changed.extra = "B", {"a": [2]}
    emptied.budget, emptied.skills, emptied.client = None, [], None
    seen = [same, teaser, project("new"), later, changed, emptied]
    pairs = await stored_rows(database_url, seen, embedded_root=Path("/nowhere"))
    assert [pair.external_id for pair in pairs] == ["0", "1", "new", "2", "3", "4"]
    assert [pair.stored is None for pair in pairs] == [False, False, True, False, False, False]
    assert [pair.is_beside_full for pair in pairs] == [False, True, False, False, False, False]
    known = [differing(pair) for pair in pairs if pair.stored is not None]
    assert known == [
        {},
        {"bid_count": 3},
        {},
        {"title": "B", "extra": {"a": [2]}},
        {"pricing": "unknown", "budget_min": None, "currency": None, "skills": [], "client_country": None},
    ]
    assert dict(zip(COLUMNS, pairs[1].seen, strict=True))["category"] is None
    async with engine.begin() as connection:
        stored = await upsert(connection, sorted(prepare(one).line for one in seen))
    assert (stored.new, stored.changed) == (1, 3)
    pairs = await stored_rows(database_url, seen, embedded_root=Path("/nowhere"))
    assert [differing(pair) for pair in pairs] == [{}] * 6


async def test_without_a_database_nothing_is_made(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing is stored yet"):
        await stored_rows("", [project("1")], embedded_root=tmp_path / "postgresql")
    assert names_in(tmp_path) == []
    with pytest.raises(StorageError, match="has no tables"):
        await stored_rows(empty_database_url, [project("1")], embedded_root=tmp_path)


async def test_nothing_was_read(database_url: str, tmp_path: Path) -> None:
    assert await stored_rows(database_url, [], embedded_root=tmp_path) == []

"""Whatever an item is, it can be kept with its reason."""

from __future__ import annotations

import random
import threading
from collections import UserDict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from _projects import PLAIN, ask, number, project
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.rejections import insert_rejections, rejection_line
from outsourcing_spiders.storage.runs import begin_run


@pytest.fixture
def engine(emptied: AsyncEngine) -> AsyncEngine:
    return emptied


async def keep(engine: AsyncEngine, item: object, reason: str = "no title", run_id: int | None = None) -> Any:
    """Store one rejection and return its row."""
    line = rejection_line(item, reason, spider="alpha", run_id=run_id)
    assert b"\n" not in line
    async with engine.begin() as connection:
        await insert_rejections(connection, [line])
    return (await ask(engine, "SELECT * FROM rejected_items ORDER BY rejected_at DESC, id DESC LIMIT 1"))[0]


def _cycle() -> dict[str, Any]:
    cycle: dict[str, Any] = {"external_id": "1"}
    cycle["self"] = cycle
    return cycle


def _deep(levels: int) -> Any:
    deep: Any = "bottom"
    for _ in range(levels):
        deep = [deep]
    return {"external_id": "1", "deep": deep}


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("not even a name")


@dataclass
class WithLock:
    lock: object


async def test_a_project_is_kept_with_all_that_is_known(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        run_id = await begin_run(connection, "alpha", "{}")
    row = await keep(engine, PLAIN, "no  title:\nnone", run_id)
    assert (row.run_id, row.spider, row.url, row.external_id) == (run_id, "alpha", PLAIN.url, "1")
    assert row.reason == "no title: none"
    assert row.payload["budget"]["minimum"] == "250"
    assert row.payload["posted_at"] == "2026-03-01T08:00:05.123456Z"
    assert abs((datetime.now(UTC) - row.rejected_at).total_seconds()) < 60


@pytest.mark.parametrize(
    ("item", "payload"),
    [
        ({"a": b"\x00\xff"}, {"a": "b'\\x00\\xff'"}),
        ({"a\x00b": "c\x00d"}, {"ab": "cd"}),
        ({"a": "\ud800b", "\udfff": 1}, {"a": "b", "": 1}),
        ({"a": "x" * 1_000_000}, {"a": "x" * 20_000}),
        ({"k" * 1_000: 1}, {"k" * 200: 1}),
        ({"a": list(range(1_000))}, {"a": list(range(500))}),
        ({"a": Decimal("1.50"), "b": float("nan"), "c": float("inf")}, {"a": "1.50", "b": None, "c": None}),
        ({"a": {1}, "b": (2,), 3: None, "c": datetime(2026, 1, 1, tzinfo=UTC)},
         {"a": [1], "b": [2], "3": None, "c": "2026-01-01T00:00:00Z"}),
        ("just text", {"item": "just text"}),
        (None, {"item": None}),
        ([1, 2], {"item": [1, 2]}),
        (7, {"item": 7}),
        ({}, {}),
        (UserDict(a=1), {"item": "{'a': 1}"}),
        ({"a": 2**70}, {"a": 2**70}),
        ({(1, 2): 3}, {"item": "{(1, 2): 3}"}),
    ],
    ids=["bytes", "NUL", "surrogates", "long text", "long key", "long list", "numbers", "types", "text", "None", "list",
         "integer", "empty", "mapping", "large integer", "tuple as key"],
)  # fmt: skip
async def test_a_hostile_payload_is_kept_as_far_as_a_database_can(
    engine: AsyncEngine, item: object, payload: object
) -> None:
    assert (await keep(engine, item)).payload == payload


@pytest.mark.parametrize(
    "item",
    [_cycle(), _deep(500), _deep(5_000), _deep(100_000), Hostile(), {"a": Hostile()}, WithLock(threading.Lock()),
     {f"{i}": ["x" * 10_000] * 100 for i in range(10)}, type("Item", (), {}), project],
    ids=["cycle", "deep", "deeper", "deepest", "repr", "inner repr", "lock", "10 MB", "class", "function"],
)  # fmt: skip
async def test_what_is_no_json_is_kept_as_python_shows_it(engine: AsyncEngine, item: object) -> None:
    row = await keep(engine, item)
    assert len(msgspec.json.encode(row.payload)) <= 1_000_000
    assert row.reason == "no title"


@pytest.mark.parametrize("text", ["x" * 100_000, "日" * 100_000, "\x00\ud800\n", ""], ids=["x", "日", "NUL", "empty"])
async def test_texts_of_any_length_fit(engine: AsyncEngine, text: str) -> None:
    noisy = random.Random(1)
    noise = "".join(chr(noisy.randrange(0x4E00, 0x9FFF)) for _ in range(3_000)) if len(text) > 10 else text
    row = await keep(engine, {"url": text, "external_id": noise}, text)
    assert len(row.reason) <= 500
    assert len(row.url or "") <= 2_000


class TestTheSame:
    async def test_rejection_is_renewed(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            run_id = await begin_run(connection, "alpha", "{}")
        first = await keep(engine, project(1))
        again = await keep(engine, project(1, title="Another"), run_id=run_id)
        assert again.id == first.id
        assert again.rejected_at > first.rejected_at
        assert (again.run_id, again.payload["title"]) == (run_id, "Another")
        assert await number(engine, "SELECT count(*) FROM rejected_items") == 1

    @pytest.mark.parametrize(
        ("one", "two", "rows"),
        [
            (({"external_id": "1"}, "a"), ({"external_id": "1"}, "b"), 2),
            (({"external_id": "1"}, "a"), ({"external_id": "2"}, "a"), 2),
            (({"url": "u", "a": 1}, "a"), ({"url": "u", "a": 2}, "a"), 1),
            (({"a": 1, "b": 2}, "a"), ({"b": 2, "a": 1}, "a"), 1),
            (({"a": 1}, "a"), ({"a": 2}, "a"), 2),
        ],
        ids=["reason", "project", "address", "order of keys", "contents"],
    )
    async def test_is_of_the_same_spider_project_and_reason(
        self, engine: AsyncEngine, one: tuple[object, str], two: tuple[object, str], rows: int
    ) -> None:
        await keep(engine, *one)
        await keep(engine, *two)
        assert await number(engine, "SELECT count(*) FROM rejected_items") == rows

    async def test_in_one_batch_is_one_row(self, engine: AsyncEngine) -> None:
        lines = [rejection_line(project(i % 3), "no", spider="alpha", run_id=None) for i in range(9)]
        async with engine.begin() as connection:
            await insert_rejections(connection, lines)
            await insert_rejections(connection, [])
        assert await number(engine, "SELECT count(*) FROM rejected_items") == 3

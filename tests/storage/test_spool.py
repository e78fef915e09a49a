"""What waits on disk is whole, belongs to one database, and is stored once it can be."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from _projects import ask, bad_row, number, one, prepared, project, put
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.engine import create_engine
from outsourcing_spiders.storage.rejections import rejection_line
from outsourcing_spiders.storage.replay import Replayed, replay
from outsourcing_spiders.storage.rows import PreparedRow, stamped
from outsourcing_spiders.storage.spool import Spool, read_lines

DSN = "postgresql://user:secret@host:5432/database?sslmode=require"
SEEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(emptied: AsyncEngine) -> AsyncEngine:
    return emptied


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", DSN)


def lines(*rows: PreparedRow, seen_at: datetime = SEEN) -> list[bytes]:
    return [stamped(row.line, seen_at) for row in rows]


class TestFiles:
    def test_nothing_is_made_before_the_first_batch(self, spool: Spool) -> None:
        assert spool.files("projects") == []
        assert not spool.folder.parent.exists()

    def test_come_back_oldest_first_by_kind_and_only_for_their_owner(self, spool: Spool) -> None:
        paths = [spool.put("projects", [b"%d" % i, b"{}"]) for i in range(5)]
        rejected = spool.put("rejected", [b"{}"])
        assert spool.files("projects") == paths
        assert spool.files("rejected") == [rejected]
        assert [read_lines(path) for path in paths] == [[b"%d" % i, b"{}"] for i in range(5)]
        assert spool.folder.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("broken", ["fsync", "lines"])
    def test_are_whole_or_absent(self, spool: Spool, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
        def fails(*arguments: object) -> None:
            raise OSError("no space left on device")

        def half() -> Iterator[bytes]:
            yield b"{}"
            raise OSError("no space left on device")

        if broken == "fsync":
            monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="no space"):
            spool.put("projects", half() if broken == "lines" else [b"{}"])
        assert list(spool.folder.iterdir()) == []

    def test_of_a_killed_process_are_not_read(self, spool: Spool) -> None:
        whole = spool.put("projects", [b"{}"])
        whole.with_suffix(".part").write_bytes(b'{"platform":')
        assert spool.files("projects") == [whole]

    def test_that_another_process_stored_are_empty(self, spool: Spool) -> None:
        path = spool.put("projects", [b"{}"])
        path.unlink()
        assert read_lines(path) == []

    def test_a_line_holds_any_text(self, spool: Spool) -> None:
        row = prepared([project(1, description="a\nb\r\nc\u2028d\x85e\vf")])[0]
        path = spool.put("projects", lines(row))
        assert read_lines(path) == lines(row)

    @pytest.mark.parametrize(
        ("dsn", "is_the_same"),
        [
            (DSN.replace("secret", "renewed"), True),
            (DSN.replace("user", "other"), True),
            (DSN.replace("require", "verify-full"), True),
            (DSN.replace("host", "HOST"), True),
            (DSN.replace("/database", "/another"), False),
            (DSN.replace("5432", "5433"), False),
            (DSN.replace("@host", "@elsewhere"), False),
            ("postgresql://user@/database?host=/run/one", False),
        ],
        ids=["password", "user", "sslmode", "letters", "database", "port", "host", "socket"],
    )
    def test_belong_to_a_database_however_it_is_reached(self, tmp_path: Path, dsn: str, is_the_same: bool) -> None:
        assert (Spool(tmp_path, dsn).folder == Spool(tmp_path, DSN).folder) is is_the_same

    def test_of_two_socket_folders_are_of_two_databases(self, tmp_path: Path) -> None:
        one, two = (Spool(tmp_path, f"postgresql://user@/database?host=/run/{name}") for name in ("one", "two"))
        assert one.folder != two.folder


class TestReplay:
    async def test_stores_projects_with_the_time_they_were_seen(self, engine: AsyncEngine, spool: Spool) -> None:
        spool.put("projects", lines(*prepared([project(1), project(2)])))
        spool.put("projects", lines(*prepared([project(1, bid_count=9)]), seen_at=SEEN.replace(day=2)))
        assert await replay(engine, spool) == Replayed(files=2, rows=3, new=2, changed=1)
        row = await one(engine, 1)
        assert (row.first_seen_at, row.changed_at, row.bid_count) == (SEEN, SEEN.replace(day=2), 9)
        assert list(spool.folder.iterdir()) == []

    async def test_of_nothing_does_nothing(self, engine: AsyncEngine, spool: Spool) -> None:
        assert await replay(engine, spool) == Replayed()

    async def test_never_undoes_what_was_seen_later(self, engine: AsyncEngine, spool: Spool) -> None:
        await put(engine, project(1, bid_count=9))
        spool.put("projects", lines(*prepared([project(1)])))
        assert await replay(engine, spool) == Replayed(files=1, rows=1)
        assert (await one(engine)).bid_count == 9

    async def test_twice_is_harmless(self, engine: AsyncEngine, spool: Spool) -> None:
        for _ in range(2):
            spool.put("projects", lines(*prepared([project(1)]), bad_row(2)))
            await replay(engine, spool)
        assert await number(engine, "SELECT count(*) FROM project_history") == 1
        assert await number(engine, "SELECT count(*) FROM rejected_items") == 1

    async def test_by_several_at_once_is_harmless(self, engine: AsyncEngine, spool: Spool) -> None:
        for start in range(0, 200, 20):
            spool.put("projects", lines(*prepared(project(i) for i in range(start, start + 30)), bad_row(start)))
        async with asyncio.timeout(180):
            done = await asyncio.gather(*(replay(engine, spool) for _ in range(4)))
        assert sum(replayed.new for replayed in done) == 210
        assert await number(engine, "SELECT count(*) FROM projects") == 210
        assert await number(engine, "SELECT count(*) FROM rejected_items") == 10
        assert list(spool.folder.iterdir()) == []

    async def test_keeps_refused_rows_with_their_reason(self, engine: AsyncEngine, spool: Spool) -> None:
        spool.put("projects", lines(*prepared([project(1)]), bad_row(2), bad_row(3, title='"\\u0000"')))
        assert await replay(engine, spool) == Replayed(files=1, rows=3, new=1, rejected=2)
        rows = await ask(engine, "SELECT * FROM rejected_items ORDER BY external_id")
        assert [(row.spider, row.external_id, row.url, row.run_id) for row in rows] == [
            ("alpha", id_, "https://www.example.com/1", None) for id_ in ("2", "3")
        ]
        assert "ck_projects_status" in rows[0].reason
        assert rows[0].payload["status"] == "nonsense"

    async def test_stores_rejected_items_also_of_a_run_that_is_gone(self, engine: AsyncEngine, spool: Spool) -> None:
        spool.put("rejected", [rejection_line(project(i), "no", spider="alpha", run_id=4_711) for i in range(3)])
        assert await replay(engine, spool) == Replayed()
        assert await number(engine, "SELECT count(*) FROM rejected_items WHERE run_id IS NULL") == 3
        assert list(spool.folder.iterdir()) == []

    @pytest.mark.parametrize(
        "bad",
        [b'{"platform":"alp', b"not JSON", b"[]", b"", b'{"platform":"\xff"}', b"\x00" * 100],
        ids=["cut", "text", "no object", "empty", "encoding", "zeros"],
    )
    async def test_sets_a_file_with_an_unreadable_line_aside(
        self, engine: AsyncEngine, spool: Spool, caplog: pytest.LogCaptureFixture, bad: bytes
    ) -> None:
        rejected = spool.put("rejected", [rejection_line(project(8), "no", spider="alpha", run_id=None), bad])
        damaged = spool.put("projects", [*lines(*prepared([project(1)])), bad, *lines(*prepared([project(2)]))])
        contents = damaged.read_bytes()
        spool.put("projects", lines(*prepared([project(3)])))
        assert await replay(engine, spool) == Replayed(files=2, rows=3, new=3, set_aside=2)
        assert await number(engine, "SELECT count(*) FROM rejected_items") == 1
        aside = [path.with_suffix(".unreadable") for path in (rejected, damaged)]
        assert sorted(spool.folder.iterdir()) == sorted(aside)
        assert aside[1].read_bytes() == contents, "nothing is lost"
        assert sum("could be stored" in record.getMessage() for record in caplog.records) == 2
        caplog.clear()
        assert await replay(engine, spool) == Replayed()
        assert caplog.records == []

    async def test_rejects_an_object_that_is_no_project(self, engine: AsyncEngine, spool: Spool) -> None:
        spool.put("projects", [b'{"seen_at":null}', b'{"platform":{"a":1},"external_id":[2]}'])
        assert await replay(engine, spool) == Replayed(files=1, rows=2, rejected=2)
        assert await number(engine, "SELECT count(*) FROM rejected_items") == 2

    async def test_sets_rejected_items_aside_that_the_database_refuses(self, engine: AsyncEngine, spool: Spool) -> None:
        path = spool.put("rejected", [b'{"fingerprint":"no hex","spider":"alpha","reason":"","payload":{}}'])
        assert (await replay(engine, spool)).set_aside == 1
        assert path.with_suffix(".unreadable").exists()

    async def test_goes_on_where_a_file_cannot_be_opened(
        self, engine: AsyncEngine, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool.put("projects", lines(*prepared([project(1)])))
        (spool.folder / "0.projects.jsonl").mkdir()
        assert (await replay(engine, spool)).new == 1
        assert any("cannot be read" in record.getMessage() for record in caplog.records)

    async def test_keeps_the_files_while_the_database_is_away(self, spool: Spool) -> None:
        path = spool.put("projects", lines(*prepared([project(1)])))
        nobody = create_engine("postgresql://nobody@127.0.0.1:1/nothing")
        with pytest.raises(OSError, match=r"refused|Connect"):
            await replay(nobody, spool)
        await nobody.dispose()
        assert spool.files("projects") == [path]

    async def test_says_what_it_did_in_one_line(
        self, engine: AsyncEngine, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool.put("projects", lines(*prepared([project(1)])))
        with caplog.at_level(logging.INFO):
            await replay(engine, spool)
        assert [record.getMessage() for record in caplog.records] == [
            "Stored 1 projects that an earlier crawl had left on disk: 1 new, 0 changed, 0 rejected"
        ]

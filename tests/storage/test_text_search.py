"""Texts become searchable behind the crawl, each in its language."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from _projects import change, number, prepared, project, put
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage import text_search
from outsourcing_spiders.storage.spool import Spool
from outsourcing_spiders.storage.text_search import TextIndexer, index_pending
from outsourcing_spiders.storage.writer import Writer

PENDING = "SELECT count(*) FROM project_search WHERE search IS NULL"


@pytest.fixture
def engine(emptied: AsyncEngine) -> AsyncEngine:
    return emptied


@pytest.fixture
async def writer(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(engine, Spool(tmp_path, "postgresql://h/d"), retry_for=120, on_failure=lambda error: None)
    yield writer
    await writer.close()


async def finds(engine: AsyncEngine, words: str, configuration: str = "simple") -> bool:
    """Tell whether a search for `words` finds a project."""
    sql = "SELECT count(*) FROM project_search WHERE search @@ plainto_tsquery(CAST(:c AS regconfig), :words)"
    return bool(await number(engine, sql, c=configuration, words=words))


class TestPending:
    async def test_a_new_text_is_marked_and_then_indexed(self, engine: AsyncEngine) -> None:
        await put(engine, *(project(i) for i in range(25)))
        assert await number(engine, PENDING) == 25
        assert [await index_pending(engine, 10) for _ in range(4)] == [10, 10, 5, 0]
        assert await number(engine, PENDING) == 0
        assert await finds(engine, "shoes")

    @pytest.mark.parametrize(
        ("changes", "marked"),
        [
            ({"title": "Hats"}, 1), ({"description": "Hats"}, 1), ({"skills": ["Hats"]}, 1), ({"language": "de"}, 1),
            ({"bid_count": 9}, 0), ({"status": "closed"}, 0), ({"url": "https://www.example.com/hats"}, 0),
        ],
        ids=["title", "text", "skills", "language", "bids", "status", "address"],
    )  # fmt: skip
    async def test_a_changed_text_is_marked_again_and_nothing_else_is(
        self, engine: AsyncEngine, changes: dict[str, Any], marked: int
    ) -> None:
        await put(engine, project(1), project(2))
        await index_pending(engine)
        await put(engine, project(1, **changes), project(2))
        assert await number(engine, PENDING) == marked
        assert await index_pending(engine) == marked
        assert await finds(engine, "hats") == (marked == 1 and "language" not in changes)

    async def test_the_words_that_were_there_are_no_longer_found(self, engine: AsyncEngine) -> None:
        await put(engine, project(1))
        await index_pending(engine)
        await put(engine, project(1, title="Hats", description="Of felt."))
        await index_pending(engine)
        assert not await finds(engine, "shoes")

    async def test_several_indexers_share_the_work(self, engine: AsyncEngine) -> None:
        await put(engine, *(project(i) for i in range(200)))

        async def work() -> int:
            done = 0
            while made := await index_pending(engine, 10):
                done += made
            return done

        async with asyncio.timeout(60):
            assert sum(await asyncio.gather(*(work() for _ in range(4)))) == 200
        assert await number(engine, PENDING) == 0

    async def test_a_text_that_changes_meanwhile_is_not_missed(self, engine: AsyncEngine) -> None:
        await put(engine, *(project(i) for i in range(60)))

        async def crawl() -> None:
            for round_ in range(5):
                await put(engine, *(project(i, title=f"round{round_}") for i in range(60)))

        async def index() -> None:
            while not crawling.done():
                await index_pending(engine, 7)

        async with asyncio.timeout(60):
            crawling = asyncio.create_task(crawl())
            await asyncio.gather(crawling, index(), index())
        while await index_pending(engine):
            pass
        stale = (
            "SELECT count(*) FROM project_search s JOIN projects p USING (platform, external_id) WHERE s.search "
            "IS DISTINCT FROM project_search_vector(p.title, p.description, p.skills, p.language)"
        )
        assert await number(engine, stale) == 0
        assert await finds(engine, "round4")

    async def test_what_a_truncate_left_does_not_keep_it_busy(self, engine: AsyncEngine) -> None:
        await put(engine, *(project(i) for i in range(30)))
        await change(engine, "TRUNCATE projects")
        await put(engine, project(99))
        async with asyncio.timeout(60):
            while await index_pending(engine, 10):
                pass
        assert await number(engine, "SELECT count(*) FROM project_search") == 1
        assert await finds(engine, "shoes")


class TestLanguages:
    @pytest.mark.parametrize(
        ("language", "text", "query", "configuration", "found"),
        [
            ("en", "We want developers", "developer", "english", True),
            ("en", "We want developers", "development", "english", True),
            ("en", "We want the best", "the", "simple", False),
            (None, "We want developers", "developer", "simple", False),
            (None, "We want Developers", "developers", "simple", True),
            ("ko", "쇼핑몰 개발자", "쇼핑몰", "simple", True),
            ("xx", "We want developers", "developers", "simple", True),
            ("de", "Zwei neue Webseiten", "Webseite", "german", True),
            ("ru", "Нужны разработчики", "разработчик", "russian", True),
            ("fr", "Nous cherchons des développeurs", "développeur", "french", True),
        ],
    )
    async def test_words_are_stemmed_by_the_language_of_the_text(
        self, engine: AsyncEngine, language: str | None, text: str, query: str, configuration: str, found: bool
    ) -> None:
        await put(engine, project(1, title="t", description=text, language=language))
        await index_pending(engine)
        assert await finds(engine, query, configuration) is found

    async def test_titles_weigh_more_than_skills_and_texts(self, engine: AsyncEngine) -> None:
        await put(engine, project(1, title="aa", skills=["bb"], description="cc", language=None))
        await index_pending(engine)
        vector = await number(engine, "SELECT search::text FROM project_search")
        assert vector == "'aa':1A 'bb':2B 'cc':3C"

    async def test_a_project_without_text_is_indexed_too(self, engine: AsyncEngine) -> None:
        await put(engine, project(1, title="Hats", description=None, skills=[]))
        assert await index_pending(engine) == 1
        assert await finds(engine, "hats")

    @pytest.mark.parametrize("place", ["title", "description", "skills"])
    async def test_texts_of_any_length_are_indexed(self, engine: AsyncEngine, place: str) -> None:
        """A vector holds 1 MB; one text that it cannot hold would keep all others from being indexed."""
        words = " ".join(f"wörter{i}日本語" for i in range(60_000))
        long: Any = {"skills": words.split()} if place == "skills" else {place: words}
        await put(engine, project(1, **long), project(2, description="b" * 200_000), project(3))
        assert len(words) > 200_000
        assert await index_pending(engine) == 3
        assert await finds(engine, "wörter7日本語")
        assert await number(engine, PENDING) == 0


class TestIndexer:
    async def test_works_whenever_the_writer_is_idle(
        self, engine: AsyncEngine, writer: Writer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text_search, "_QUIET", 0.01)
        indexer = TextIndexer(engine, writer)
        for i in range(2):
            batch = writer.submit(*prepared([project(i)]))
            await batch.stored
            await _until_indexed(engine, i + 1)
        await indexer.close(0)

    async def test_a_row_that_is_stored_during_a_look_is_not_missed(
        self, engine: AsyncEngine, writer: Writer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text_search, "_QUIET", 0)
        looks = 0

        async def slow(engine: AsyncEngine) -> int:
            nonlocal looks
            looks += 1
            made = await index_pending(engine)
            if looks == 1:
                await writer.submit(*prepared([project(1)])).stored
            return made

        monkeypatch.setattr(text_search, "index_pending", slow)
        indexer = TextIndexer(engine, writer)
        await _until_indexed(engine, 1)
        await indexer.close(0)

    async def test_close_indexes_the_rest(self, engine: AsyncEngine, writer: Writer) -> None:
        indexer = TextIndexer(engine, writer)
        await put(engine, *(project(i) for i in range(250)))
        async with asyncio.timeout(180):
            await indexer.close(120)
        assert await number(engine, PENDING) == 0

    async def test_close_stops_when_its_patience_ends(
        self, engine: AsyncEngine, writer: Writer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps = 0

        async def endless(engine: AsyncEngine) -> int:
            nonlocal steps
            steps += 1
            await asyncio.sleep(0.02)
            return 1

        monkeypatch.setattr(text_search, "index_pending", endless)
        indexer = TextIndexer(engine, writer)
        async with asyncio.timeout(60):
            await indexer.close(0.1)
        assert 0 < steps < 20

    async def test_close_in_the_middle_of_a_step_breaks_nothing(
        self, engine: AsyncEngine, writer: Writer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text_search, "_QUIET", 0)
        await put(engine, *(project(i, description="word " * 5_000) for i in range(40)))
        began = asyncio.Event()

        async def watched(engine: AsyncEngine) -> int:
            began.set()
            return await index_pending(engine)

        monkeypatch.setattr(text_search, "index_pending", watched)
        indexer = TextIndexer(engine, writer)
        await began.wait()
        async with asyncio.timeout(180):
            await indexer.close(120)
        assert await number(engine, PENDING) == 0

    async def test_an_error_is_one_warning_and_harms_nothing_else(
        self, engine: AsyncEngine, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = asyncio.Event()
        monkeypatch.setattr(text_search, "_QUIET", 0)
        monkeypatch.setattr(text_search, "_INDEX", text_search.text("SELECT :platforms, :ids FROM no_such_table"))

        class Tells(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                told.set()

        handler = Tells()
        logging.getLogger(text_search.__name__).addHandler(handler)
        await put(engine, project(1))
        indexer = TextIndexer(engine, writer)
        async with asyncio.timeout(60):
            await told.wait()
            await indexer.close(60)
        logging.getLogger(text_search.__name__).removeHandler(handler)
        assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
        assert all("no_such_table" in m and "\n" not in m for m in (r.getMessage() for r in caplog.records))

    async def test_close_asks_nothing_of_a_database_that_is_away(self, engine: AsyncEngine, writer: Writer) -> None:
        indexer = TextIndexer(engine, writer)
        writer.failure = StorageError("away")
        await put(engine, project(1))
        await indexer.close(5)
        assert await number(engine, PENDING) == 1


async def _until_indexed(engine: AsyncEngine, count: int) -> None:
    async with asyncio.timeout(60):
        indexed = "SELECT count(*) FROM project_search WHERE search IS NOT NULL"
        while await number(engine, indexed) < count:  # noqa: ASYNC110 - nothing tells it but the table
            await asyncio.sleep(0.01)

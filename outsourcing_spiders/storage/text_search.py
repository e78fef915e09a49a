"""Full-text vectors, made behind the crawl.

Stemming a description costs ten times what storing it costs. So a new text is only marked (its row in
``project_search`` has no vector), and the vectors are made when the writer has nothing to do, which in a
polite crawl is nearly always. What a fast crawl left is made by the next one, or by `index_pending`.
A search that must miss nothing reads the marked rows too: ``search IS NULL``, few and indexed.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.engine import message
from outsourcing_spiders.storage.writer import Writer

logger = logging.getLogger(__name__)

_STEP = 100
_QUIET = 0.2
_AFTER_ERROR = 30.0

# The texts are read by a second statement, since one statement sees the texts as of before it locked the
# rows: a text that changed in between would be marked as indexed with its old words.
_LOCK = text(
    """
SELECT platform, external_id FROM project_search WHERE search IS NULL
ORDER BY platform, external_id LIMIT :step FOR UPDATE SKIP LOCKED
"""
)
_INDEX = text(
    """
UPDATE project_search s
SET search = project_search_vector(p.title, p.description, p.skills, p.language)
FROM unnest(CAST(:platforms AS text[]), CAST(:ids AS text[])) AS k(platform, external_id)
JOIN projects p USING (platform, external_id)
WHERE s.platform = k.platform AND s.external_id = k.external_id
"""
)
# TRUNCATE fires no trigger for what hangs on the rows. Left there, such rows would be pending for ever.
_DROP_ORPHANS = text(
    """
DELETE FROM project_search s USING unnest(CAST(:platforms AS text[]), CAST(:ids AS text[])) AS k(platform, external_id)
WHERE s.platform = k.platform AND s.external_id = k.external_id AND s.search IS NULL
AND NOT EXISTS (SELECT FROM projects p WHERE p.platform = s.platform AND p.external_id = s.external_id)
"""
)


async def index_pending(engine: AsyncEngine, step: int = _STEP) -> int:
    """Make up to `step` vectors and return how many rows were seen to; 0 when there is nothing to do."""
    async with engine.begin() as connection:
        keys = (await connection.execute(_LOCK, {"step": step})).all()
        if keys:
            chosen = {"platforms": [key.platform for key in keys], "ids": [key.external_id for key in keys]}
            indexed = await connection.execute(_INDEX, chosen)
            if indexed.rowcount < len(keys):
                await connection.execute(_DROP_ORPHANS, chosen)
        return len(keys)


class TextIndexer:
    """Make vectors whenever `writer` has been idle for a moment; `close` works on for at most `patience` seconds."""

    def __init__(self, engine: AsyncEngine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self._task = asyncio.create_task(self._run(), name="text-indexer")

    async def close(self, patience: float) -> None:
        """Stop following the writer, and make what is left as far as `patience` reaches."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._writer.failure is not None:
            return
        deadline = asyncio.get_running_loop().time() + patience
        try:
            while asyncio.get_running_loop().time() < deadline and await index_pending(self._engine):
                pass
        except Exception as error:
            logger.warning("Some texts are not indexed for search yet (%s); the next crawl does it", message(error))

    async def _run(self) -> None:
        while True:
            await self._writer.drained()
            await asyncio.sleep(_QUIET)
            try:
                while self._writer.is_idle:
                    # Before the look, not after it: what is submitted and stored meanwhile may have been missed.
                    self._writer.forget_submissions()
                    if not await index_pending(self._engine):
                        await self._writer.submitted()
            except Exception as error:
                # Derived data: the crawl goes on without, and the rows stay marked.
                logger.warning(
                    "Indexing texts for search failed (%s); trying again in %.0f s", message(error), _AFTER_ERROR
                )
                await asyncio.sleep(_AFTER_ERROR)

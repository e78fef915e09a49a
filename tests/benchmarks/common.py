"""What the benchmarks share: folders, an empty database, synthetic projects."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(REPOSITORY), str(HERE.parent)]

from platforms_standins._text import Writer as TextWriter  # noqa: E402
from sqlalchemy import text  # noqa: E402

from outsourcing_spiders.items import Budget, Project  # noqa: E402
from outsourcing_spiders.storage.engine import create_engine, normalize_url  # noqa: E402

_SKILLS = ["Python", "Web Scraping", "PostgreSQL", "React", "Excel", "SEO", "Copywriting", "Logo Design", "AutoCAD"]
_POSTED = datetime(2026, 11, 1, tzinfo=UTC)


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the server's user can enter, removed at the end."""
    base = Path(tempfile.mkdtemp(prefix="benchmark-", dir="/tmp"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        shutil.rmtree(base, ignore_errors=True)


async def empty(url: str) -> None:
    """Drop all tables, and settle the server: what the last run left to do is not part of the next."""
    engine = create_engine(normalize_url(url))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
        await connection.execute(text("CHECKPOINT"))
    await engine.dispose()


def make_projects(count: int, first: int = 0, texts: int = 2_000) -> Iterator[Project]:
    """Yield projects as they look after validation, with `texts` different descriptions of 300 to 1,500 characters."""
    rng = random.Random(first)
    writer = TextWriter(rng, _SKILLS)
    descriptions = [_description(writer, rng.randint(300, 1_500)) for _ in range(min(count, texts))]
    for number in range(first, first + count):
        minimum = Decimal(rng.choice((10, 30, 250, 750)))
        yield Project(
            platform="freelancer",
            external_id=str(40_000_000 + number),
            url=f"https://www.freelancer.com/projects/python/project-{number}",
            title=f"Project {number} for a freelancer who knows {rng.choice(_SKILLS)}",
            description=f"{descriptions[number % len(descriptions)]} {number}",
            status="open",
            budget=Budget(
                minimum=minimum,
                maximum=minimum * 3,
                currency="EUR",
                period="total",
                minimum_usd=minimum * Decimal("1.17"),
                maximum_usd=minimum * Decimal("3.51"),
            ),
            skills=rng.sample(_SKILLS, 4),
            category="Websites, IT & Software",
            work_mode="remote",
            language="en",
            posted_at=_POSTED + timedelta(seconds=number),
            posted_precision="exact",
            posted_text=str(1_793_000_000 + number),
            closes_at=_POSTED + timedelta(days=7, seconds=number),
            bid_count=rng.randrange(60),
            bid_average=Decimal(rng.randrange(1_000, 90_000)) / 100,
            extra={"bid_days": 7, "upgrades": ["sealed"]},
        )


def _description(writer: TextWriter, length: int) -> str:
    sentences: list[str] = []
    while sum(map(len, sentences)) < length:
        sentences.append(writer.sentence())
    return " ".join(sentences)[:length]

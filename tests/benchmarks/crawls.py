"""Compare whole crawls of the stand-in: this project, and what it could have been.

    python tests/benchmarks/crawls.py [--projects 20000] [--rounds 5]

Every contender reads the same pages from the same stand-in process and makes the same fields of them. Each
round runs all of them, in turns; a figure is the median over the rounds of the ratio within one round, since
a shared machine is never twice the same. The clock runs from the first request until nothing is left to do
(see `stopwatch`), so start-up, migrations and the indexing of texts after the crawl are not in it; the last
is printed beside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import HERE, REPOSITORY, empty, open_folder, say
from platforms_standins.freelancer import standin_process
from sqlalchemy import text

from outsourcing_spiders import settings as project_settings
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import create_engine, normalize_url
from outsourcing_spiders.storage.text_search import index_pending

OURS = ["crawl", "freelancer", "-a", "full=1"]
# The stand-in sets no pace, so a page is asked for while others are worked on.
UNPACED = {
    "DOWNLOAD_DELAY": 0,
    "RATE_LIMIT": [],
    "CONCURRENT_REQUESTS": 3,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 3,
    "TEXT_INDEX_SECONDS": 0,
    "PROGRESS": "off",
    "EXTENSIONS": project_settings.EXTENSIONS | {"stopwatch.Stopwatch": 1},
}
SLOW_PAGES = 20


@dataclass(frozen=True)
class Contender:
    """One way to crawl."""

    name: str
    arguments: list[str]
    target: float | None = None
    """What this project's rate must be, as a multiple of this contender's."""
    pages: int | None = None
    """Bound for the ways that would take minutes."""
    settings: dict[str, Any] = field(default_factory=dict)
    in_project: bool = True
    """Whether it runs with this project's settings."""


CONTENDERS = [
    Contender("this project", OURS),
    Contender("same spider, no item pipelines", OURS, 0.85, settings={"ITEM_PIPELINES": {}}),
    Contender(
        "Scrapy out of the box, no pipelines", ["runspider", str(HERE / "out_of_the_box.py")], 1.0, in_project=False
    ),
    Contender(
        "same spider, Scrapy's JSON lines feed",
        [*OURS, "-O", "{folder}/feed.jsonl"],
        1.3,
        settings={"ITEM_PIPELINES": {}},
    ),
    Contender(
        "same spider, psycopg2, one commit per item",
        OURS,
        4.0,
        SLOW_PAGES,
        {"ITEM_PIPELINES": {"usual_pipelines.Psycopg2Pipeline": 1}},
    ),
    Contender(
        "same spider, async SQLAlchemy, one commit per item",
        OURS,
        6.0,
        SLOW_PAGES,
        {"ITEM_PIPELINES": {"usual_pipelines.SqlAlchemyPipeline": 1}},
    ),
]


def main() -> int:
    """Run the benchmark; exits with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        open_folder() as base,
        standin_process(projects=options.projects, prerender=True, odd_rows=False) as site,
        EmbeddedPostgres(base / "postgresql") as server,
    ):
        # The stand-in keeps every page that it has once served: no contender is to pay for that.
        run(CONTENDERS[1], site.base_url, server, base)
        rounds = []
        for number in range(options.rounds):
            rates = {}
            for contender in CONTENDERS:
                rates[contender.name] = run(contender, site.base_url, server, base)
                say(f"round {number + 1}  {rates[contender.name]:8,.0f} items/s  {contender.name}")
            rounds.append(rates)
        run(CONTENDERS[0], site.base_url, server, base)
        indexing = time_indexing(server)
    missed = 0
    say(f"\n{'this project is … times':>24}  {'target':>6}  as fast as")
    for contender in CONTENDERS[1:]:
        ratio = statistics.median(rates["this project"] / rates[contender.name] for rates in rounds)
        missed += contender.target is not None and ratio < contender.target
        say(f"{ratio:24.2f}  {contender.target:6}  {contender.name}")
    say(f"\nits rate: {statistics.median(rates['this project'] for rates in rounds):,.0f} items/s, median")
    say(f"afterwards, texts indexed for search behind the crawl: {indexing:,.0f} rows/s")
    return 1 if missed else 0


def run(contender: Contender, base_url: str, server: EmbeddedPostgres, base: Path) -> float:
    """Crawl once into an empty database and return items per second."""
    asyncio.run(empty(server.url))
    result = base / "stopwatch.json"
    arguments = [part.format(folder=base) for part in contender.arguments]
    settings = UNPACED if contender.in_project else {"EXTENSIONS": {"stopwatch.Stopwatch": 1}}
    settings = settings | contender.settings | {"STOPWATCH_FILE": str(result)}
    command = [sys.executable, "-m", "scrapy", *arguments, "-a", f"base_url={base_url}", "--loglevel", "WARNING"]
    for name, value in settings.items():
        command += ["-s", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    if contender.pages:
        command += ["-a", f"max_pages={contender.pages}"]
    environment = os.environ | {"DATABASE_URL": server.url, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(HERE)))}
    result.unlink(missing_ok=True)
    cwd = REPOSITORY if contender.in_project else base
    subprocess.run(command, cwd=cwd, env=environment, check=True, stdin=subprocess.DEVNULL)
    measured = json.loads(result.read_text())
    assert measured["items"] > 1_000, measured
    return float(measured["items"] / measured["seconds"])


def time_indexing(server: EmbeddedPostgres) -> float:
    """Return how many texts are indexed for search per second, of those that the last crawl stored."""

    async def index() -> float:
        engine = create_engine(normalize_url(server.url))
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE project_search SET search = NULL"))
        started, made = time.perf_counter(), 0
        while step := await index_pending(engine):
            made += step
        await engine.dispose()
        return made / (time.perf_counter() - started)

    return asyncio.run(index())


if __name__ == "__main__":
    sys.exit(main())

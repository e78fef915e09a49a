"""Show that memory does not grow with the number of items.

    python tests/benchmarks/memory.py [--projects 1000000]

Feeds projects through the real item pipelines of a crawl, as many at a time as Scrapy would, and prints the
resident size of the process as it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from typing import Any

from common import make_projects, open_folder, say
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.utils.project import get_project_settings

from outsourcing_spiders.items import Project
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.storage.embedded import EmbeddedPostgres

CHUNK = 1_000
SETTLED = 100_000
TOLERANCE = 1.1


class EndlessSpider(PlatformSpider):
    """Emits projects without asking anybody."""

    name = "freelancer"
    access = "api"
    home = "https://www.freelancer.com"
    count_of_projects = 0

    async def start(self) -> AsyncIterator[Any]:
        """Yield the projects, a chunk at a time; wait for each to be stored."""
        scraper = self.crawler.engine.scraper
        made = 0
        while made < self.count_of_projects:
            chunk: list[Project] = list(islice(make_projects(CHUNK, made, texts=50), CHUNK))
            await asyncio.gather(*(scraper.start_itemproc_async(item, response=None) for item in chunk))
            made += CHUNK
            if made % SETTLED == 0:
                SIZES.append(resident_megabytes())
                say(f"{made:12,} projects  {SIZES[-1]:8.1f} MB resident  {time.perf_counter() - STARTED:6.0f} s")
        if made < 0:
            yield None


SIZES: list[float] = []
STARTED = time.perf_counter()


def resident_megabytes() -> float:
    """Return the resident size of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def main() -> int:
    """Run the benchmark; exits with 1 when memory grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=1_000_000)
    EndlessSpider.count_of_projects = parser.parse_args().projects
    with open_folder() as base, EmbeddedPostgres(base / "postgresql") as server:
        settings = get_project_settings()
        settings.setdict(
            {
                "DATABASE_URL": server.url,
                "SPOOL_FOLDER": str(base / "spool"),
                "TWISTED_REACTOR_ENABLED": False,
                "TEXT_INDEX_SECONDS": 0,
                "PROGRESS": "off",
            },
            priority="cmdline",
        )
        runner = AsyncCrawlerRunner(settings)
        await runner.crawl(EndlessSpider)
    growth = SIZES[-1] / SIZES[0]
    say(f"{growth:.3f} times the size after {SETTLED:,} projects")
    return 0 if growth < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""Scrapy settings of the project; the only reader of the environment.

Each value that differs from Scrapy's names Scrapy's default; each setting of our own names its reader.
Override any of them with ``-s NAME=VALUE``.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_data_path

from outsourcing_spiders.storage.embedded import default_root

BOT_NAME = "outsourcing_spiders"
SPIDER_MODULES = ["outsourcing_spiders.spiders"]
NEWSPIDER_MODULE = "outsourcing_spiders.spiders"
COMMANDS_MODULE = "outsourcing_spiders.commands"

# Who we are. Scrapy's default names Scrapy; a platform should be able to reach whoever crawls.
CONTACT = os.environ.get("CRAWLER_CONTACT", "")
USER_AGENT = f"outsourcing_spiders/0.1 ({CONTACT or 'no contact given'})"

# Politeness. Scrapy's defaults: robots.txt ignored, 16 requests at once, 8 to one host, no delay, 180 s.
ROBOTSTXT_OBEY = True
CONCURRENT_REQUESTS = 8
CONCURRENT_REQUESTS_PER_DOMAIN = 1
DOWNLOAD_DELAY = 1.0
DOWNLOAD_TIMEOUT = 30
DOWNLOAD_VERIFY_CERTIFICATES = True  # default: False
DOWNLOAD_MAXSIZE = 64 * 1024 * 1024  # default: 1 GB
DOWNLOAD_WARNSIZE = 16 * 1024 * 1024  # default: 32 MB
COOKIES_ENABLED = False  # default: True
# 429 is not retried at once: the platform asked for the opposite. Default: with 408 and 429.
RETRY_HTTP_CODES = [500, 502, 503, 504, 520, 522, 524]
RATE_LIMIT: list[tuple[int, int]] = []
"""``[(requests, seconds), ...]`` that a crawl keeps to, per host; read by middlewares.pacing."""

# Access to the platforms; read by the spiders of that name.
FREELANCER_TOKEN = os.environ.get("FREELANCER_TOKEN", "")

# Storing; read by pipelines.storage.
STORAGE_ENABLED = True
"""False: items go nowhere and no database is touched (``scrapy parse``, ``check``, ``shell``)."""
DATABASE_URL = os.environ.get("DATABASE_URL", "")
"""Empty: the embedded PostgreSQL of this user."""
DATABASE_MIGRATE = True
DATABASE_RETRY_SECONDS = 30.0
"""How long an unreachable server is waited for in mid-crawl, before rows go to SPOOL_FOLDER."""
_data_folder = Path(os.environ.get("OUTSOURCING_SPIDERS_DATA") or user_data_path("outsourcing_spiders"))
EMBEDDED_POSTGRES_FOLDER = _data_folder / "postgresql" if os.environ.get("OUTSOURCING_SPIDERS_DATA") else default_root()
SPOOL_FOLDER = _data_folder / "spool"
TEXT_INDEX_SECONDS = 2.0
"""How long the end of a crawl may take to index texts for search; the next crawl does the rest."""

ITEM_PIPELINES = {
    "outsourcing_spiders.pipelines.validation.ValidationPipeline": 100,
    "outsourcing_spiders.pipelines.storage.StoragePipeline": 900,
}
SPIDER_MIDDLEWARES = {
    "outsourcing_spiders.middlewares.outcomes.OutcomeMiddleware": 10,
    "outsourcing_spiders.middlewares.storage_ready.StorageReadyMiddleware": 20,
    "outsourcing_spiders.middlewares.known_projects.KnownProjectsMiddleware": 900,
    # Each of these looks at every item that passes, for requests that no spider here makes. Default: on.
    "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
    "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,
    "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
    "scrapy.spidermiddlewares.metacopy.MetaCopyDetectionMiddleware": None,
}
DOWNLOADER_MIDDLEWARES = {
    "outsourcing_spiders.middlewares.pacing.PacingMiddleware": 950,
}
EXTENSIONS = {
    "outsourcing_spiders.extensions.garbage.GarbageCollection": 0,
    # Before RunLog, so that the bar is away when the summary comes.
    "outsourcing_spiders.extensions.progress.Progress": 5,
    "outsourcing_spiders.extensions.run_log.RunLog": 10,
    # Replaced by Progress. Default: on.
    "scrapy.extensions.logstats.LogStats": None,
}

# What an operator reads. Scrapy's defaults: DEBUG, and every statistic at the end.
LOG_LEVEL = "INFO"
LOG_FORMATTER = "outsourcing_spiders.extensions.log_lines.LogLines"
STATS_DUMP = False
PROGRESS = "auto"
"""``auto``: a live line on a terminal, else a line in the log every PROGRESS_INTERVAL seconds. ``on``: the live
line anywhere. ``off``: neither. Read by extensions.progress."""
PROGRESS_INTERVAL = 30.0

# Speed. Scrapy's defaults: asyncio's own loop, Python's own thresholds, the source code of the callback parsed
# again for each response (the linter looks for the same mistake).
WARN_ON_GENERATOR_RETURN_VALUE = False
ASYNCIO_EVENT_LOOP = "uvloop.Loop" if find_spec("uvloop") else None
GARBAGE_THRESHOLD = 50_000
"""Objects made before the garbage collector looks at the youngest; read by extensions.garbage."""

# No doors into a running crawl: both of these run Python code. Default: on.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False

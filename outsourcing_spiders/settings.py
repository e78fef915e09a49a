"""Scrapy settings of the project; the only reader of the environment.

Each value that differs from Scrapy's names Scrapy's default; each setting of our own names its reader.
Override any of them with ``-s NAME=VALUE``.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_data_path
from scrapy.settings import default_settings

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
# Who we are there: a contact address names others, too. Default: USER_AGENT.
ROBOTSTXT_USER_AGENT = BOT_NAME
CONCURRENT_REQUESTS = 8
CONCURRENT_REQUESTS_PER_DOMAIN = 1
DOWNLOAD_DELAY = 1.0
DOWNLOAD_TIMEOUT = 30
DOWNLOAD_VERIFY_CERTIFICATES = True  # default: False
DOWNLOAD_MAXSIZE = 64 * 1024 * 1024  # default: 1 GB
DOWNLOAD_WARNSIZE = 16 * 1024 * 1024  # default: 32 MB
# Scrapy's middleware asks another host for public suffixes; a spider that needs a cookie uses CookieJar. Default: True.
COOKIES_ENABLED = False
REDIRECT_MAX_TIMES = 5  # default: 20
# 429 and 503 are not retried at once, but by middlewares.pacing. Default: with 408, 429 and 503.
RETRY_HTTP_CODES = [500, 502, 504, 520, 522, 524]
# Requests wait where they can be dropped, and where they hold no place. Default: DownloaderAwarePriorityQueue.
SCHEDULER_PRIORITY_QUEUE = "outsourcing_spiders.middlewares.pacing.PacedQueue"
RATE_LIMIT: list[tuple[int, int]] = []
"""``[(requests, seconds), ...]`` that a crawl keeps to, per host; read, as the next three, by middlewares.pacing."""
RATE_LIMIT_PAUSE = 5.0
"""Seconds of rest after a refusal (429, 503) that does not say for how long; doubled with each more."""
RATE_LIMIT_RETRIES = 5
"""How many refusals in a row are waited out before the crawl ends."""
RATE_LIMIT_LONGEST_WAIT = 900.0
"""Seconds of rest that a host may ask for, in any answer, before the crawl ends instead of waiting; a longer one
is kept by the next crawls, too."""

# A browser, for the spiders that need one; read by middlewares.browser.
PLAYWRIGHT_CDP_URL = os.environ.get("PLAYWRIGHT_CDP_URL", "")
"""A browser that runs already; empty: one is started."""
PLAYWRIGHT_MAX_PAGES_PER_CONTEXT = 2  # in all contexts together. Default: CONCURRENT_REQUESTS
PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT = 20_000  # milliseconds. Default: 30 s

# Access to the platforms; read by the spiders of that name.
PERMITTED_PLATFORMS = os.environ.get("PERMITTED_PLATFORMS", "")
"""Platforms that forbid programs, but permit yours, separated by commas; read by middlewares.permission."""
FREELANCER_TOKEN = os.environ.get("FREELANCER_TOKEN", "")
UPWORK_CLIENT_ID = os.environ.get("UPWORK_CLIENT_ID", "")
UPWORK_CLIENT_SECRET = os.environ.get("UPWORK_CLIENT_SECRET", "")
UPWORK_REFRESH_TOKEN = os.environ.get("UPWORK_REFRESH_TOKEN", "")

BLOCK_GUARD = True
"""False: an answer that is no page of the platform is only warned of; read by middlewares.block_guard."""
REMEMBER_BLOCKS = True
"""Leave a platform alone for a while that blocked us; False: ask it all the same. Read by middlewares.storage_ready."""

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
# Default: scrapy.pipelines.ItemPipelineManager.
ITEM_PROCESSOR = "outsourcing_spiders.pipelines.processor.ItemProcessor"
SPIDER_MIDDLEWARES = {
    "outsourcing_spiders.middlewares.outcomes.OutcomeMiddleware": 10,
    "outsourcing_spiders.middlewares.permission.PermissionStartMiddleware": 15,
    "outsourcing_spiders.middlewares.kept_pages.KeptPagesMiddleware": 17,
    "outsourcing_spiders.middlewares.storage_ready.StorageReadyMiddleware": 20,
    # When the run is logged, by which the others know of it.
    "outsourcing_spiders.middlewares.shared_pace.SharedPaceMiddleware": 25,
    "outsourcing_spiders.middlewares.known_projects.KnownProjectsMiddleware": 900,
    # Each of these looks at every item that passes, for requests that no spider here makes. Default: on.
    "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
    "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,
    "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
    "scrapy.spidermiddlewares.metacopy.MetaCopyDetectionMiddleware": None,
    "scrapy.spidermiddlewares.start.StartSpiderMiddleware": None,
}
DOWNLOADER_MIDDLEWARES = {
    # Before robots.txt is asked for, which touches the host, too.
    "outsourcing_spiders.middlewares.permission.PermissionMiddleware": 50,
    # In the place of Scrapy's own.
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "outsourcing_spiders.middlewares.robots.ObeyRobotsTxt": 100,
    # Sees answers last, so that only good ones count as unchanged.
    "outsourcing_spiders.middlewares.conditional.ConditionalMiddleware": 540,
    # In the place of Scrapy's own, which carry tokens along and follow any address.
    "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware": None,
    "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
    "outsourcing_spiders.middlewares.redirects.MetaRefreshMiddleware": 580,
    "outsourcing_spiders.middlewares.redirects.RedirectMiddleware": 600,
    # Next to the downloader, when a request has all its headers.
    "outsourcing_spiders.middlewares.rendering.RenderingMiddleware": 940,
    # After robots.txt was asked for; sees answers before Scrapy's own retries (550) do.
    "outsourcing_spiders.middlewares.pacing.PacingMiddleware": 583,
    # Sees what was decompressed (590) before anything is asked again: a challenge is not waited for.
    "outsourcing_spiders.middlewares.block_guard.BlockGuardMiddleware": 585,
}
SPIDER_CONTRACTS = {
    # In the place of @url, before the others change its request.
    "outsourcing_spiders.debugging.contracts.FixtureContract": 0,
}
# Scrapy's own, without those that extensions.doors opens: named as None below, they would be loaded all the same.
EXTENSIONS_BASE = {
    path: order
    for path, order in default_settings.EXTENSIONS_BASE.items()
    if not path.endswith((".TelnetConsole", ".RemoteControl"))
}
EXTENSIONS = {
    "outsourcing_spiders.extensions.doors.TelnetConsole": 0,
    "outsourcing_spiders.extensions.doors.RemoteControl": 0,
    # For crawls that no command of ours starts.
    "outsourcing_spiders.extensions.log_redaction.LogRedaction": 0,
    "outsourcing_spiders.extensions.garbage.GarbageCollection": 0,
    # Before RunLog, so that the bar is away when the summary comes.
    "outsourcing_spiders.extensions.progress.Progress": 5,
    "outsourcing_spiders.extensions.health.Health": 8,
    "outsourcing_spiders.extensions.run_log.RunLog": 10,
    # Off unless METRICS_PORT and SPIDERMON_ENABLED are set.
    "outsourcing_spiders.extensions.metrics.Metrics": 12,
    "outsourcing_spiders.extensions.alarms.Alarms": 14,
    "outsourcing_spiders.extensions.prompt_stop.PromptStop": 20,
    # Its `state` would take the place of the spiders' own. Default: on.
    "scrapy.extensions.spiderstate.SpiderState": None,
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

# Watching crawls; read by extensions.metrics and extensions.alarms.
METRICS_PORT = os.environ.get("METRICS_PORT", "")
"""Port of Prometheus metrics of the running crawl, or a range of them (``9410-9419``), of which the first free one is
taken, for several crawls on a machine. Empty or 0: none."""
METRICS_HOST = os.environ.get("METRICS_HOST", "127.0.0.1")
SPIDERMON_ENABLED = False
"""True: Spidermon's monitors run at the end of a crawl, ours among them."""
HEALTH_ACTIONS: str | list[str] = os.environ.get("HEALTH_ACTIONS") or []
"""Spidermon's actions for a crawl that is not as the platform's usually are, by their import paths."""
# Spidermon's settings by their names, for services: a password on a command line can be read by everybody.
globals().update({name: value for name, value in os.environ.items() if name.startswith("SPIDERMON_") and value})

# One signal ends a crawl within seconds. Scrapy's default waits for all downloads that are under way.
DOWNLOADER = "outsourcing_spiders.extensions.prompt_stop.StoppableDownloader"
STOP_GRACE = os.environ.get("STOP_GRACE") or 2.0
"""Seconds that the database has left when the crawl is told to stop, and downloads three quarters of them; the end of
the run has half as long again, a second at least. Read by extensions.prompt_stop."""

# A server on which crawls run by themselves; read by administration.deployment_schedule.
CRAWL_SCHEDULE = os.environ.get("CRAWL_SCHEDULE") or "freelancer=10m peopleperhour=30m guru=30m freemoa=30m"
"""``platform=pause``, separated by blanks; the pause is from the end of a crawl to the start of the next. With its
credentials add upwork=1h; with its permission (PERMITTED_PLATFORMS) add wishket=1h."""
SCRAPYD_URL = os.environ.get("SCRAPYD_URL") or "http://127.0.0.1:6800/"
SCRAPYD_USERNAME = os.environ.get("SCRAPYD_USERNAME", "")
SCRAPYD_PASSWORD = os.environ.get("SCRAPYD_PASSWORD", "")

# Speed. Scrapy's defaults: asyncio's own loop, Python's own thresholds, the source code of the callback parsed
# again for each response (the linter looks for the same mistake).
WARN_ON_GENERATOR_RETURN_VALUE = False
ASYNCIO_EVENT_LOOP = "uvloop.Loop" if find_spec("uvloop") else None
GARBAGE_THRESHOLD = 50_000
"""Objects made before the garbage collector looks at the youngest; read by extensions.garbage."""

# No doors into a running crawl: both of these run Python code. To open one for a crawl: -s TELNETCONSOLE_ENABLED=1.
# Default: on. Read by extensions.doors.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False

"""Let Spidermon watch over crawls, where it is installed and wanted: its monitors, and its actions such as mail.

Spidermon 1.27 takes 0.8 s to be imported, so nothing of it is, unless SPIDERMON_ENABLED is set. It runs what its own
settings name, and at the end a monitor that fails when `extensions.health` found something; HEALTH_ACTIONS are then
carried out. Its periodic monitors need Twisted's reactor, which the crawls of this project have.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

logger = logging.getLogger(__name__)


class Alarms:
    """Stand for Spidermon's extension in the settings."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Any:
        """Make Spidermon's own extension, with the monitor of this project."""
        if not crawler.settings.getbool("SPIDERMON_ENABLED"):
            raise NotConfigured
        try:
            from spidermon.contrib.scrapy.extensions import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
                Spidermon,
            )

            from outsourcing_spiders.extensions.health_monitors import HealthSuite
        except ImportError as error:
            # Here, for a log of this project leaves Scrapy's lines about what is disabled out.
            logger.warning(
                "There are no alarms: SPIDERMON_ENABLED is set, but Spidermon cannot be imported (%s); "
                "pip install 'spidermon>=1.27,<1.28'",
                error,
            )
            raise NotConfigured from error
        # It is how Spidermon writes its log.
        warnings.filterwarnings("ignore", r"Spider\.log\(\) is deprecated", module=r"spidermon\.")
        extension = Spidermon.from_crawler(crawler)
        # When the engine has stopped, everything is compared and told.
        try:
            suite = HealthSuite(crawler=crawler)
        except Exception as error:
            # Each action raises what it likes for a wrong setting; that is no reason not to crawl.
            actions = ", ".join(map(str, crawler.settings.getlist("HEALTH_ACTIONS")))
            said = str(error).rstrip(".") or type(error).__name__
            logger.warning("There are no alarms: HEALTH_ACTIONS=%s cannot be carried out: %s", actions, said)
            raise NotConfigured from error
        extension.engine_stopped_suites.append(suite)
        return extension

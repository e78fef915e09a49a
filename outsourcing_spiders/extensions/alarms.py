"""Let Spidermon watch over crawls, where it is installed and wanted: its monitors, and its actions such as mail.

Spidermon 1.27 takes 0.8 s to be imported, so nothing of it is, unless SPIDERMON_ENABLED is set. It runs what its own
settings name, and at the end a monitor that fails when `extensions.health` found something; HEALTH_ACTIONS are then
carried out. Its periodic monitors need Twisted's reactor, which the crawls of this project have.
"""

from __future__ import annotations

import warnings
from typing import Any

from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured


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
            raise NotConfigured(
                f"SPIDERMON_ENABLED is set, but Spidermon cannot be imported ({error}); "
                "pip install 'spidermon>=1.27,<1.28'"
            ) from error
        # It is how Spidermon writes its log.
        warnings.filterwarnings("ignore", r"Spider\.log\(\) is deprecated", module=r"spidermon\.")
        extension = Spidermon.from_crawler(crawler)
        # When the engine has stopped, everything is compared and told.
        extension.engine_stopped_suites.append(HealthSuite(crawler=crawler))
        return extension

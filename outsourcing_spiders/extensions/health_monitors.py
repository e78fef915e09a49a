"""Spidermon's view of a crawl's health; imported by `extensions.alarms` alone, for it needs Spidermon."""

from __future__ import annotations

from typing import Any

from scrapy.utils.misc import load_object
from spidermon import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    Monitor,
    MonitorSuite,
    monitors,
)


@monitors.name("Health")
class HealthMonitor(Monitor):  # type: ignore[misc, unused-ignore]
    """Fail when something of the crawl is not as it usually is on the platform; each finding makes it fail once."""

    @monitors.name("as earlier crawls were")  # type: ignore[misc, untyped-decorator, unused-ignore]
    def test_as_earlier_crawls_were(self) -> None:
        """Fail with the sentences that the log has."""
        found = self.data.stats.get("outsourcing/health/findings") or []
        if found:
            self.fail("\n".join(found))


class HealthSuite(MonitorSuite):  # type: ignore[misc, unused-ignore]
    """The monitor, and the actions that the setting HEALTH_ACTIONS names."""

    monitors = (HealthMonitor,)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        crawler = options["crawler"]
        self.add_monitors_failed_actions([load_object(path) for path in crawler.settings.getlist("HEALTH_ACTIONS")])

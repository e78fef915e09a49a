"""Platforms that want no programs on their pages, and have an official API for those who were let in."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Self

from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings

from outsourcing_spiders.platforms.base import PlatformSpider

logger = logging.getLogger(__name__)


class OfficialApiFirst(PlatformSpider):
    """Leave the crawl to the spider of the official API when all settings are there that it needs; comes first.

    Which one reads is decided when the crawl is made, once: they are two spiders, that share a name and the arguments.
    """

    official_api: ClassVar[type[PlatformSpider]]
    """The spider of the API; its `needs` are the settings that decide."""
    official_addresses: ClassVar[frozenset[str]]
    """What may be asked for without the permission that the pages need; one that ends with a slash means all below."""

    @classmethod
    def way_in(cls, settings: BaseSettings) -> type[PlatformSpider]:
        """Return the class that reads the platform with these settings."""
        return cls if _missing(cls.official_api, settings) else cls.official_api

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Take the settings of the way in that is taken."""
        way = cls.way_in(settings)
        if way is cls:
            super().update_settings(settings)
        else:
            way.update_settings(settings)

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Make the spider of the way in that is taken."""
        way = cls.way_in(crawler.settings)
        if way is not cls:
            return way.from_crawler(crawler, *args, **kwargs)  # type: ignore[return-value]
        missing = _missing(cls.official_api, crawler.settings)
        if len(missing) < len(cls.official_api.needs):
            logger.warning("%s is read without its official API, since %s is not set", cls.name, ", ".join(missing))
        return super().from_crawler(crawler, *args, **kwargs)


def _missing(spidercls: type[PlatformSpider], settings: BaseSettings) -> list[str]:
    return [name for name in spidercls.needs if not str(settings.get(name) or "").strip()]

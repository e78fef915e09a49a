"""Doors into a running crawl, through which anyone who comes in runs Python code: shut, and loaded only when opened.

Scrapy loads its own to ask them whether they are on, and with them aiohttp and Twisted's SSH: 0.3 s of each command.
"""

from __future__ import annotations

from typing import Any, ClassVar

from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.utils.misc import load_object


class _Door:
    setting: ClassVar[str]
    opens: ClassVar[str]
    """Import path of Scrapy's extension."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Any:
        """Return Scrapy's extension, where its setting is on."""
        if not crawler.settings.getbool(cls.setting):
            raise NotConfigured
        extension: Any = load_object(cls.opens)
        return extension.from_crawler(crawler)


class TelnetConsole(_Door):
    """A Python console for telnet; ``-s TELNETCONSOLE_ENABLED=1``."""

    setting = "TELNETCONSOLE_ENABLED"
    opens = "scrapy.extensions.telnet.TelnetConsole"


class RemoteControl(_Door):
    """A server that runs the Python code of other programs; ``-s REMOTE_CONTROL_ENABLED=1``."""

    setting = "REMOTE_CONTROL_ENABLED"
    opens = "scrapy.extensions.remote_control.RemoteControl"

"""`scrapy fetch` as it is, without storing: no database is touched."""

from __future__ import annotations

import argparse

from scrapy.commands import fetch

from outsourcing_spiders.commands._preparation import only_look, prepare


class Command(fetch.Command):
    """Print a page as Scrapy gets it."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        only_look(self.settings)
        super().process_options(args, opts)
        prepare(self.settings)

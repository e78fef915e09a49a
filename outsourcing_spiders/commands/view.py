"""`scrapy view` as it is, without storing: no database is touched."""

from __future__ import annotations

import argparse

from scrapy.commands import view

from outsourcing_spiders.commands._preparation import only_look, prepare


class Command(view.Command):
    """Open a page in the browser as Scrapy gets it."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        only_look(self.settings)
        super().process_options(args, opts)
        prepare(self.settings)

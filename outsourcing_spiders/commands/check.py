"""`scrapy check` as it is, without storing: no database is touched."""

from __future__ import annotations

import argparse

from scrapy.commands import check

from outsourcing_spiders.commands._preparation import prepare, store_nothing


class Command(check.Command):
    """Check the contracts in the docstrings of spiders."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        store_nothing(self.settings)
        super().process_options(args, opts)
        prepare(self.settings)

"""`scrapy shell` without storing: no database is touched."""

from __future__ import annotations

import argparse
from pathlib import Path

from scrapy.commands import shell

from outsourcing_spiders.commands._preparation import prepare, show_blocks, store_nothing


class Command(shell.Command):
    """Look at an answer in a Python console."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        store_nothing(self.settings)
        show_blocks(self.settings)
        super().process_options(args, opts)
        prepare(self.settings)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Open the console; a saved answer belongs to the spider that its path names, or to the only one."""
        # Scrapy finds the spider of an address by its host, and a file has none.
        if args and not opts.spider and Path(args[0]).is_file():
            assert self.crawler_process is not None
            names = self.crawler_process.spider_loader.list()
            path = Path(args[0]).resolve()
            named = [name for name in names if name in path.parent.parts or path.name.startswith(name)]
            if len(found := named or names) == 1:
                opts.spider = found[0]
        super().run(args, opts)

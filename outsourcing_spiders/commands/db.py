"""``scrapy db``: look at the database, bring its schema up to date, take the data out, back it up."""

from __future__ import annotations

import argparse

from scrapy.commands import ScrapyCommand
from scrapy.utils.log import configure_logging

from outsourcing_spiders.commands._subcommands import SubCommands


class Command(ScrapyCommand):
    """Serve the sub-commands of ``scrapy db``; exits with 2 for a wrong command line, 1 for the rest."""

    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "<status|psql|export|backup|restore|pages|prune|upgrade|replay> [options]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Look at the database, upgrade its schema, export the data, back it up"

    def long_desc(self) -> str:
        """Say what there is."""
        return (
            "Look at the database (status), ask it anything (psql), write a table to a file (export), write all of it "
            "to a file (backup) and read that again (restore), look at the pages that ended crawls (pages), delete "
            "what terms do not let us keep (prune), bring its schema up to date (upgrade), store what a crawl had to "
            "leave on disk (replay). 'scrapy db <name> -h' says more of each."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the sub-commands."""
        from outsourcing_spiders.administration import database_backup, database_export

        super().add_options(parser)
        self._parser = parser
        self._commands = SubCommands("db", parser, dest="db_command")
        add = self._commands.add
        status = add("status", "Say where the data is, how much there is, and what waits to be done")
        status.add_argument("--json", action="store_true", help="as one JSON object")
        psql = add("psql", "Open psql on the database; the embedded server runs as long as it is open")
        psql.add_argument("-c", "--command", action="append", default=[], metavar="SQL", help="run this and leave")
        pages = add("pages", "List the pages that ended crawls, or print one of them")
        pages.add_argument("number", nargs="?", type=int, help="print the body of this one")
        add(
            "prune",
            "Delete the projects, rejected items and pages that terms do not let us keep; every crawl does it, too",
        )
        add("upgrade", "Apply the migrations that are missing")
        add("replay", "Store the rows that a crawl had to leave on disk")
        database_export.add_arguments(add("export", "Write a table to a file", database_export.EXPORT_HELP))
        backup, restore = database_backup.BACKUP_HELP, database_backup.RESTORE_HELP
        database_backup.add_backup_arguments(add("backup", "Write all tables to one file", backup))
        database_backup.add_restore_arguments(add("restore", "Fill the database from a backup", restore))

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the sub-command and Scrapy's global options; exits for what nobody knows."""
        self._commands.read(args, opts, super().add_options)
        args.clear()
        super().process_options(args, opts)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Run the sub-command, which says in one sentence what went wrong."""
        from outsourcing_spiders.administration.database import run

        assert self.settings is not None
        if opts.loglevel or opts.logfile:
            configure_logging(self.settings)
        if opts.db_command is None:
            self._parser.print_help()
        else:
            self.exitcode = run(self.settings, opts)

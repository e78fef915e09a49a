"""``scrapy deployment``: run this project on a server, under systemd or in containers."""

from __future__ import annotations

import argparse

from scrapy.commands import ScrapyCommand
from scrapy.utils.log import configure_logging

from outsourcing_spiders.commands._subcommands import SubCommands, refuse
from outsourcing_spiders.extensions.log_redaction import protect


class Command(ScrapyCommand):
    """Serve the sub-commands of ``scrapy deployment``; exits with 2 for a wrong command line, 1 for what failed."""

    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "<health|schedule|scrapyd|systemd> [options]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Run crawls on a server: Scrapyd, a schedule, health, systemd units"

    def long_desc(self) -> str:
        """Say what there is."""
        return (
            "Run crawls on a server. 'scrapyd' runs Scrapyd as a service whose crawls end with it, 'schedule' lets "
            "Scrapyd crawl the platforms of CRAWL_SCHEDULE again and again, 'health' says in one line whether all that "
            "works, 'systemd' writes the units of a server without containers. 'scrapy deployment <name> -h' says more."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the sub-commands."""
        super().add_options(parser)
        self._parser = parser
        self._commands = SubCommands("deployment", parser, dest="part")
        add = self._commands.add
        health = add(
            "health",
            "Say in one line whether it works; exit 0 or 1",
            "Look at Scrapyd (answers with SCRAPYD_USERNAME and SCRAPYD_PASSWORD at SCRAPYD_URL), the database "
            "(answers, has this code's schema) and the crawls (each platform of CRAWL_SCHEDULE was crawled within "
            "three pauses, and did not refuse), or at those that are named. 'schedule' is for what starts a container "
            "again: that crawls come, whatever they find. Exit code 0: all is well; 1: it says what is not.",
        )
        health.add_argument(
            "parts", nargs="*", metavar="PART", help="scrapyd, database, crawls (default: these), schedule"
        )
        add(
            "schedule",
            "Let Scrapyd crawl the platforms again and again",
            "Schedule a crawl of each platform of CRAWL_SCHEDULE at Scrapyd when the pause after its last one is over, "
            "and none while one waits or runs. It runs until it is told to stop, and remembers nothing: Scrapyd does.",
        )
        add(
            "scrapyd",
            "Run Scrapyd as a service",
            "Run Scrapyd with the scrapy.cfg or scrapyd.conf of this folder. When it ends, the crawls that it leaves "
            "are told to stop, and waited for. It does not start without SCRAPYD_USERNAME and SCRAPYD_PASSWORD.",
        )
        systemd = add(
            "systemd",
            "Write systemd units and their settings",
            "Write the files of a server, as they lie from its root, into a folder: services for Scrapyd, crawls and "
            "health, a timer for each platform of CRAWL_SCHEDULE, limits of the journal. What an operator edits is not "
            "written again. Times to stop are computed from the settings.",
        )
        systemd.add_argument("--output", metavar="DIR", default="systemd", help="default: systemd; / is this machine")
        systemd.add_argument("--user", metavar="NAME", default="outsourcing", help="default: outsourcing")
        systemd.add_argument("--program", metavar="FILE", help="scrapy on the server; default: the one that runs now")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the sub-command and Scrapy's global options; exits for what nobody knows."""
        self._commands.read(args, opts, super().add_options)
        args.clear()
        super().process_options(args, opts)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Run the sub-command, which says in one sentence what went wrong."""
        from outsourcing_spiders.administration import deployment

        assert self.settings is not None
        protect(self.settings)
        if opts.part is None:
            self._parser.print_help()
            return
        if opts.part == "health" and (unknown := set(opts.parts) - set(deployment.PARTS)):
            refuse("deployment", f"there is no part {min(unknown)!r}; it is one of {', '.join(deployment.PARTS)}")
        if opts.part == "schedule" or (opts.part == "health" and (opts.loglevel or opts.logfile)):
            configure_logging(self.settings)
        self.exitcode = deployment.run(self.settings, opts)

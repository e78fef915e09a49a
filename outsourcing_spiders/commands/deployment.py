"""``scrapy deployment``: run this project on a server, under systemd or in containers."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from scrapy.commands import ScrapyCommand, ScrapyHelpFormatter
from scrapy.utils.log import configure_logging

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
        commands = parser.add_subparsers(
            dest="part", metavar="COMMAND", title="Commands", prog="scrapy deployment", parser_class=_Parser
        )

        def add(name: str, help_text: str, description: str) -> argparse.ArgumentParser:
            return commands.add_parser(
                name, help=help_text, description=description, formatter_class=ScrapyHelpFormatter, allow_abbrev=False,
                epilog="Scrapy's global options (-s NAME=VALUE, -L LEVEL, ...) may follow, too.",
            )  # fmt: skip

        health = add(
            "health",
            "Say in one line whether it works; exit 0 or 1",
            "Look at Scrapyd (answers with SCRAPYD_USERNAME and SCRAPYD_PASSWORD at SCRAPYD_URL), the database "
            "(answers, has this code's schema) and the crawls (each platform of CRAWL_SCHEDULE was crawled within "
            "three pauses), or at those that are named. Exit code 0: all is well; 1: it says what is not.",
        )
        health.add_argument("parts", nargs="*", metavar="PART", help="scrapyd, database, crawls; default: all three")
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
        """Read Scrapy's global options behind the sub-command, too; exits for what nobody knows."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        super().add_options(parser)
        _, unknown = parser.parse_known_args(args, opts)
        if unknown:
            _refuse(f"unknown argument {unknown[0]!r}; see: scrapy deployment -h")
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
            _refuse(f"there is no part {min(unknown)!r}; it is one of {', '.join(deployment.PARTS)}")
        if opts.part == "schedule" or (opts.part == "health" and (opts.loglevel or opts.logfile)):
            configure_logging(self.settings)
        self.exitcode = deployment.run(self.settings, opts)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        _refuse(f"{message}; see: {self.prog} -h")


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"scrapy deployment: {sentence}\n")
    sys.exit(2)

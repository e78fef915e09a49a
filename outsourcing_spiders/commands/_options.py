"""Options that several commands take, and the last line that they print."""

from __future__ import annotations

import argparse
import sys

from scrapy.exceptions import UsageError
from scrapy.utils.conf import arglist_to_dict

from outsourcing_spiders.extensions.log_redaction import shown


def declare_spider_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``-a NAME=VALUE``."""
    parser.add_argument(
        "-a", dest="spargs", action="append", default=[], metavar="NAME=VALUE", help="set spider argument"
    )


def read_spider_arguments(opts: argparse.Namespace) -> None:
    """Make a dictionary of ``opts.spargs``; raises Scrapy's `UsageError` for what is no pair."""
    try:
        opts.spargs = arglist_to_dict(opts.spargs)
    except ValueError:
        raise UsageError("Invalid -a value, use -a NAME=VALUE", print_help=False) from None


def declare_page(parser: argparse.ArgumentParser, *, detail: str) -> None:
    """Declare which one page of a platform is meant; `detail` is the help of ``--detail``."""
    add = parser.add_argument
    add("--detail", action="store_true", help=detail)
    add("--page", metavar="PLACE", help="page of the listing: its number, its offset or its cursor")
    add("--date", metavar="TIME", help="when a FILE came, as an ISO time with a zone (else the file's own time)")


def complain(command: str, name: str, sentence: str) -> None:
    """Print the one line that says why the command did not succeed."""
    end = "" if sentence.endswith((".", "?", "!")) else "."
    sys.stderr.write(shown(f"scrapy {command} {name}: {sentence}{end}\n"))

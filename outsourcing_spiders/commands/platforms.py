"""``scrapy platforms``: what can be crawled, under which terms, what it needs, and how it stands with each."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import signal
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from scrapy.commands import ScrapyCommand
from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader
from scrapy.utils.log import configure_logging

from outsourcing_spiders.commands._platforms_table import Platform, Report, Setting, as_table, in_full, to_json
from outsourcing_spiders.middlewares.permission import (
    data_sheet,
    missing_permission,
    permitted_platforms,
    unknown_names,
)
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.storage.export_file import OutputError, ReaderGone, explained_output
from outsourcing_spiders.storage.overview import Overview, overview


class Command(ScrapyCommand):
    """Serve ``scrapy platforms [NAME]``; exits with 2 for a wrong command line. Nothing is made or migrated."""

    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options] [NAME]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "List the platforms: terms, what they need, how their last crawls ended"

    def long_desc(self) -> str:
        """Say what there is."""
        return (
            "List the platforms that can be crawled: whether their terms allow it, what they need, how the last "
            "crawl ended, what is stored. With a NAME, say all there is about that platform. It makes no database, and "
            "works without one."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        parser.add_argument("--json", action="store_true", help="as one JSON object, in full")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Print the table, or one platform; what is missing is said in a line each."""
        assert self.settings is not None
        if opts.loglevel or opts.logfile:
            configure_logging(self.settings)
        unknown = [arg for arg in args if arg.startswith("-")] or args[1:]
        if unknown:
            self._fail(f"unknown argument {unknown[0]!r}; see: scrapy platforms -h", exitcode=2)
            return
        loader = get_spider_loader(self.settings)
        found = [loader.load(name) for name in sorted(loader.list())]
        spiders = {spidercls.name: spidercls for spidercls in found if issubclass(spidercls, PlatformSpider)}
        if args and args[0] not in spiders:
            near = difflib.get_close_matches(args[0].casefold(), spiders, n=1)
            hint = f"did you mean {near[0]}?" if near else "`scrapy platforms` lists them all."
            self._fail(f"there is no platform {args[0]!r}; {hint}", exitcode=2)
            return
        wanted = [spiders[args[0]]] if args else list(spiders.values())
        try:
            report = self._report(wanted, list(spiders))
            _print(report, as_json=opts.json, whole=bool(args))
        except ReaderGone:
            # What is still buffered has nowhere to go, and Python would say so at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OutputError as error:
            self._fail(str(error), exitcode=1)
        except KeyboardInterrupt:
            self._fail("stopped.", exitcode=128 + signal.SIGINT)

    def _report(self, spiders: list[type[PlatformSpider]], names: Collection[str]) -> Report:
        assert self.settings is not None
        url, root = str(self.settings.get("DATABASE_URL") or ""), Path(self.settings["EMBEDDED_POSTGRES_FOLDER"])
        permitted = permitted_platforms(self.settings)
        stored = asyncio.run(overview(url, [spidercls.name for spidercls in spiders], embedded_root=root))
        return Report(
            at=datetime.now(UTC),
            platforms=[describe(spidercls, self.settings, permitted, stored) for spidercls in spiders],
            stored=stored,
            notes=[*unknown_names(permitted, names), *stored.notes],
        )

    def _fail(self, sentence: str, *, exitcode: int) -> None:
        sys.stderr.write(f"scrapy platforms: {sentence}\n")
        self.exitcode = exitcode


def describe(
    spidercls: type[PlatformSpider], settings: BaseSettings, permitted: Collection[str], stored: Overview
) -> Platform:
    """Return all facts about one platform; of settings only whether they are set, never their values."""
    own = settings.copy()
    spidercls.update_settings(own)
    sheet = data_sheet(spidercls)
    required: tuple[str, ...] = tuple(getattr(spidercls, "needs", ()))
    token: tuple[str, str] | None = getattr(spidercls, "token", None)
    names = dict.fromkeys([*required, *([token[1]] if token else [])])
    permission = "not needed"
    if spidercls.access == "permission":
        permission = "missing" if missing_permission(spidercls, spidercls.home, permitted) else "given"
    narrowed_by: list[str] = [name for name in ("query", "skills", "category") if name in spidercls.narrowed_by]
    return Platform(
        name=spidercls.name,
        home=spidercls.home,
        access=spidercls.access,
        permission=permission,
        site=sheet.get("Site"),
        access_note=sheet.get("Access"),
        terms=sheet.get("Terms"),
        caveats=sheet.get("Caveats"),
        narrowed_by=narrowed_by,
        settings=[
            Setting(
                name=name,
                use="token" if token and name == token[1] else None,
                required=name in required,
                is_set=bool(own.get(name)),
            )
            for name in names
        ],
        browser=bool(getattr(spidercls, "renders", False)),
        stored=stored.platforms[spidercls.name],
    )


def _print(report: Report, *, as_json: bool, whole: bool) -> None:
    text = to_json(report) if as_json else in_full(report) if whole else as_table(report)
    with explained_output("standard output"):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

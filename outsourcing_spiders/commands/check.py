"""``scrapy check``: read the fixtures of spiders again, and run the contracts in their docstrings.

Exit codes: 0; 1 when a fixture gives something else than is saved, when none of a spider's has an item, when a contract
fails, or when nothing was checked of all spiders, or of one that is named; 2 for a wrong command line.
Nothing is asked of a platform, but for docstring contracts with ``@url``, as Scrapy's are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import TextTestRunner

from scrapy import Spider
from scrapy.commands import check
from scrapy.contracts import ContractsManager
from scrapy.utils.conf import build_component_list
from scrapy.utils.misc import load_object, set_environ

from outsourcing_spiders.commands._preparation import prepare, printing, store_nothing, tolerate_broken_spiders
from outsourcing_spiders.extensions.log_redaction import shown
from outsourcing_spiders.outcomes import WrongArgument

if TYPE_CHECKING:
    from outsourcing_spiders.debugging.contracts import Finding

_ANSWERS = "outsourcing_spiders.debugging.contracts.SavedAnswers"


class Command(check.Command):
    """Check spiders against their fixtures and their contracts."""

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options] [SPIDER ...]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Check spiders against their fixtures and contracts, without a network"

    def long_desc(self) -> str:
        """Say what is checked."""
        return (
            "Read the saved answers of each SPIDER (default: of all; tests/fixtures/SPIDER) as a crawl would, and "
            "compare the items with those that are saved beside them. Then run the contracts in the docstrings of "
            "its callbacks; @fixture NAME gives them a saved answer instead of @url. Nothing is stored."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""
        super().add_options(parser)
        parser.add_argument("--folder", metavar="FOLDER", help="where the fixtures are (default: tests/fixtures)")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        store_nothing(self.settings)
        tolerate_broken_spiders(self.settings)
        super().process_options(args, opts)
        settings = prepare(self.settings)
        settings.set("DOWNLOADER_MIDDLEWARES", settings.getdict("DOWNLOADER_MIDDLEWARES") | {_ANSWERS: 0}, "cmdline")
        if opts.folder:
            settings.set("FIXTURES_FOLDER", opts.folder, "cmdline")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Check, and say what differs."""
        with printing():
            self._check(args, opts)

    def _check(self, args: list[str], opts: argparse.Namespace) -> None:
        from outsourcing_spiders.debugging.one_page import spider_named

        assert self.crawler_process is not None
        loader = self.crawler_process.spider_loader
        broken = {name: why for name, why in getattr(loader, "broken", {}).items() if not args or name in args}
        try:
            if opts.folder and not Path(opts.folder).is_dir():
                raise WrongArgument(f"there is no folder {opts.folder!r}")
            names = [name for name in args or sorted(loader.list()) if name not in broken]
            spiders = [spider_named(loader, name) for name in names]
        except WrongArgument as error:
            sys.stderr.write(f"scrapy check: {error}\n")
            self.exitcode = 2
            return
        contracts = self._contracts()
        if opts.list:
            self._list(spiders, contracts, opts)
            return
        runner = TextTestRunner(verbosity=2 if opts.verbose else 0)
        result = check.TextTestResult(runner.stream, runner.descriptions, runner.verbosity)
        began = time.monotonic()
        failed = [self._not_imported(name, why, result) for name, why in sorted(broken.items())]
        unchecked = []
        for spidercls in spiders:
            before = result.testsRun
            failed.append(self._fixtures_of(spidercls, result, opts))
            if result.testsRun == before and not contracts.tested_methods_from_spidercls(spidercls):
                unchecked.append(spidercls.name)
        failed += [] if args else self._without_spider(result)
        self._run_contracts(spiders, contracts, result, opts)
        result.printErrors()
        # Told above, field by field.
        result.failures += [found for each in failed for found in each]
        result.printSummary(began, time.monotonic())
        self.exitcode = int(not result.wasSuccessful() or self.crawler_process.bootstrap_failed)
        # Neither a mistyped folder, nor one without the fixtures, may pass for spiders that are well.
        if unchecked and (args or len(unchecked) == len(spiders)):
            sys.stderr.write(f"scrapy check: nothing was checked of {', '.join(unchecked)}\n")
            self.exitcode = 1

    def _contracts(self) -> ContractsManager:
        assert self.settings is not None
        names = build_component_list(self.settings.get_component_priority_dict_with_base("SPIDER_CONTRACTS"))
        return ContractsManager(load_object(name) for name in names)

    def _findings(self, spidercls: type[Spider], opts: argparse.Namespace) -> list[Finding]:
        from outsourcing_spiders.debugging.contracts import check_fixtures
        from outsourcing_spiders.platforms.listing import ListingSpider

        if not issubclass(spidercls, ListingSpider):
            return []
        assert self.settings is not None
        return list(check_fixtures(spidercls, self.settings, every_value=opts.verbose))

    def _fixtures_of(
        self, spidercls: type[Spider], result: check.TextTestResult, opts: argparse.Namespace
    ) -> list[tuple[Any, str]]:
        from outsourcing_spiders.debugging.contracts import FixtureCase

        findings = self._findings(spidercls, opts)
        failed = []
        for finding in findings:
            case = FixtureCase(finding)
            result.startTest(case)
            if finding.said:
                failed.append((case, "\n".join(finding.said)))
            else:
                result.addSuccess(case)
        lines = [_summary(spidercls.name, findings)]
        for finding in findings:
            if finding.said:
                lines += [f"  {finding.fixture}", *(f"    {line}" for line in finding.said)]
        sys.stdout.write(shown("\n".join(lines) + "\n"))
        if findings and not any(finding.said or finding.items for finding in findings):
            # Answers that end a crawl may all be as saved, and the spider read nothing.
            failed += self._failed(spidercls.name, "parse", "no saved answer gives an item", result)
        sys.stdout.flush()
        return failed

    def _not_imported(self, name: str, why: str, result: check.TextTestResult) -> list[tuple[Any, str]]:
        return self._failed(name, "import", f"cannot be imported: {why}", result)

    def _without_spider(self, result: check.TextTestResult) -> list[list[tuple[Any, str]]]:
        from outsourcing_spiders.debugging.contracts import folders_without_spider

        assert self.crawler_process is not None
        assert self.settings is not None
        loader = self.crawler_process.spider_loader
        found = folders_without_spider({*loader.list(), *getattr(loader, "broken", ())}, self.settings)
        return [
            self._failed(folder.name, "spider", f"{_plural(count, 'fixture')} in {folder}, and no such spider", result)
            for folder, count in found
        ]

    def _failed(self, name: str, callback: str, why: str, result: check.TextTestResult) -> list[tuple[Any, str]]:
        """Say, and count, what keeps a spider from being checked at all."""
        from outsourcing_spiders.debugging.contracts import Finding, FixtureCase

        case = FixtureCase(Finding(spider=name, fixture="", callback=callback))
        result.startTest(case)
        sys.stdout.write(shown(f"{name}: {why}\n"))
        return [(case, why)]

    def _run_contracts(
        self,
        spiders: list[type[Spider]],
        contracts: ContractsManager,
        result: check.TextTestResult,
        opts: argparse.Namespace,
    ) -> None:
        async def start(self: Spider) -> AsyncIterator[Any]:
            for request in contracts.from_spider(self, result):
                if request is not None:
                    yield request

        assert self.crawler_process is not None
        tested = [spidercls for spidercls in spiders if contracts.tested_methods_from_spidercls(spidercls)]
        with set_environ(SCRAPY_CHECK="true"):
            for spidercls in tested:
                spidercls.start = start  # type: ignore[method-assign]
                self.crawler_process.crawl(spidercls, **opts.spargs)
            if tested:
                self.crawler_process.start()

    def _list(self, spiders: list[type[Spider]], contracts: ContractsManager, opts: argparse.Namespace) -> None:
        for spidercls in spiders:
            methods = sorted(contracts.tested_methods_from_spidercls(spidercls))
            lines = [f"  * {method}" for method in methods]
            lines += [f"  * {found.callback} @fixture {found.fixture}" for found in self._findings(spidercls, opts)]
            if lines or opts.verbose:
                sys.stdout.write("\n".join([spidercls.name, *lines]) + "\n")


def _summary(name: str, findings: list[Finding]) -> str:
    if not findings:
        return f"{name}: no fixtures; save an answer: scrapy capture {name}"
    items, bad = sum(finding.items for finding in findings), sum(bool(finding.said) for finding in findings)
    told = _plural(len(findings), "fixture") + (f" ({bad} not as saved)" if bad else "")
    return f"{name}: {told}, {_plural(items, 'item')}{', ok' if items and not bad else ''}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

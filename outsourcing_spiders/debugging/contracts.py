"""What ``scrapy check`` checks without a network: fixtures, and docstring contracts on a saved answer."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import TestCase

from scrapy import Request
from scrapy.contracts import Contract
from scrapy.http import Response
from scrapy.settings import BaseSettings

from outsourcing_spiders.debugging.differences import apart, compare
from outsourcing_spiders.debugging.fixtures import Files, answer, find, folder_of, from_json
from outsourcing_spiders.debugging.reading import Reading, Spider, quiet, read
from outsourcing_spiders.outcomes import told
from outsourcing_spiders.platforms.listing import ListingSpider

FIXTURES_FOLDER = "FIXTURES_FOLDER"
"""Setting that holds the folder which ``scrapy check --folder`` was given."""
_FEW = 2
_FLAG = "saved answer "


class FixtureContract(Contract):
    """Give the callback a saved answer of the spider, in the place of ``@url``: ``@fixture NAME``.

    The other contracts then hold for that answer, and nothing is asked of the platform::

        @fixture listing
        @returns items 20 20
        @scrapes title url posted_at
    """

    name = "fixture"

    def __init__(self, method: Callable[..., Any], *args: Any) -> None:
        super().__init__(method, *args)
        self._spider: Any = method.__self__  # type: ignore[attr-defined]

    def adjust_request_args(self, args: dict[str, Any]) -> dict[str, Any]:
        """Ask for what the fixture answers; raises `ValueError` for a fixture that is not there."""
        files = Files(folder_of(self._spider.name, self._spider.settings.get(FIXTURES_FOLDER)), self.args[0])
        fixture = files.load()
        response = answer(fixture.meta, fixture.body)
        assert response.request is not None
        args["url"], args["method"] = response.url, response.request.method
        # No other contract says anything in the flags.
        args["flags"] = [_FLAG + str(files.meta)]
        args["meta"] = {"handle_httpstatus_all": True} | (args.get("meta") or {})
        if isinstance(self._spider, ListingSpider):
            args["cb_kwargs"] = response.request.cb_kwargs | (args.get("cb_kwargs") or {})
            if fixture.meta.item:
                args["cb_kwargs"]["item"] = from_json(fixture.meta.item)
        return args


class SavedAnswers:
    """Answer the requests of `FixtureContract`, before anything is asked of anybody."""

    async def process_request(self, request: Request) -> Response | None:
        """Return the saved answer; ``None`` for other requests."""
        for flag in request.flags:
            if flag.startswith(_FLAG):
                path = Path(flag.removeprefix(_FLAG))
                fixture = Files(path.parent, path.name.removesuffix(".meta.json")).load()
                response = answer(fixture.meta, fixture.body)
                # Whose callback has the contracts.
                response.request = request
                return response
        return None


@dataclass(slots=True, kw_only=True)
class Finding:
    """What a fixture gives today."""

    spider: str
    fixture: str
    callback: str = "parse"
    items: int = 0
    """How many the fixture has."""
    said: list[str] = field(default_factory=list)
    """What is wrong, in lines; empty: nothing."""


class FixtureCase(TestCase):
    """Name a fixture in the report as Scrapy names a contract."""

    def __init__(self, finding: Finding) -> None:
        super().__init__("check")
        self._finding = finding

    def check(self) -> None:
        """Nothing: the fixture was read already."""

    def shortDescription(self) -> str | None:  # noqa: N802 - unittest's own name
        """Return nothing that is to be added to the line of the report."""
        return None

    def __str__(self) -> str:
        """Return the line of the report."""
        return f"[{self._finding.spider}] {self._finding.callback} (@fixture {self._finding.fixture})"


def check_fixtures(spidercls: type[Spider], settings: BaseSettings, *, every_value: bool = False) -> Iterator[Finding]:
    """Read a spider's fixtures again and compare; nothing is asked, waited for or stored."""
    for files in find(folder_of(spidercls.name, settings.get(FIXTURES_FOLDER))):
        finding = Finding(spider=spidercls.name, fixture=files.name)
        try:
            fixture = files.load()
        except ValueError as error:
            finding.said = [str(error)]
            yield finding
            continue
        finding.items = len(fixture.items)
        if fixture.meta.read_by == "detail":
            finding.callback = "parse_detail"
        try:
            with quiet():
                reading = read(spidercls, settings, fixture.meta, fixture.body)
        except Exception as error:
            # Not even an `Outcome`: in a crawl it would be an error of the spider, too.
            finding.said = [f"error  {told(error)}"]
        else:
            finding.said = list(_wrong(reading, fixture.meta.outcome or None, fixture.items, every_value=every_value))
        yield finding


def folders_without_spider(names: Container[str], settings: BaseSettings) -> Iterator[tuple[Path, int]]:
    """Return the folders of fixtures that none of all spiders reads, and how many fixtures each has."""
    chosen = settings.get(FIXTURES_FOLDER)
    root = Path(chosen) if chosen else folder_of("")
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.is_dir() and folder.name not in names and (count := len(find(folder))):
            yield folder, count


def _wrong(
    reading: Reading, outcome: str | None, expected: list[dict[str, Any]], *, every_value: bool
) -> Iterator[str]:
    most = None if every_value else _FEW
    if reading.not_asked:
        yield f"request   {reading.not_asked}"
    if outcome or reading.outcome:
        if outcome != reading.outcome:
            yield f"expected  {f'the end of the crawl: {outcome}' if outcome else _count(expected)}"
            got = f"the end of the crawl: {reading.outcome}: {reading.problem}" if reading.outcome else None
            yield f"got       {got or _count(reading.items)}"
            if reading.nameless:
                yield f"error     {reading.nameless} of {reading.rows} rows have no id"
        return
    for error in islice(dict.fromkeys(reading.errors), most):
        yield f"error     {error}"
    if reading.nameless:
        yield f"error     {reading.nameless} of {reading.rows} rows have no id"
    found = compare(expected, reading.items)
    for reason, count in reading.refused.items() if found else ():
        yield f"refused   {count} of {reading.rows}: {reason}"
    for what, ids in (("missing", found.gone), ("too many", found.come)):
        if ids:
            more = f", and {len(ids) - _FEW} more" if most and len(ids) > most else ""
            yield f"{what:<10}{len(ids)} of {_count(expected)}: {', '.join(islice(ids, most))}{more}"
    for change in found.changes:
        yield f"{change.name}: {len(change.values)} of {found.both}"
        for identity, was, now in islice(change.values, most):
            one, other = apart(was, now)
            dropped = "; validation drops what was read" if change.name in reading.unusable.get(identity, ()) else ""
            yield f"    {identity}  expected {one}, got {other}{dropped}"
    if found.is_reordered:
        yield "the items came in another order"


def _count(items: list[dict[str, Any]]) -> str:
    return f"{len(items)} item{'' if len(items) == 1 else 's'}"

"""`scrapy check` reads the fixtures of spiders again, offline, and runs the contracts in their docstrings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _crawls import project_settings
from _fixture_checks import FIXTURES, saved_items
from scrapy import Request
from scrapy.spiderloader import SpiderLoader

from outsourcing_spiders.debugging.contracts import check_fixtures
from outsourcing_spiders.items import Project
from outsourcing_spiders.spiders.guru import GuruSpider

REPOSITORY = Path(__file__).parents[2]
NAMES = sorted(SpiderLoader.from_settings(project_settings()).list())
JSON = dict[str, Any]

_NO_NETWORK = """
import socket

def refuse(*told, **more):
    raise AssertionError(f"a connection was made: {told}")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""
_OF_A_CONTRACT = f"{'-' * 70}\nTraceback (most recent call last):\n"
_MINE = '''
import scrapy


class MineSpider(scrapy.Spider):
    name = "mine"

    def parse(self, response):
        """A plain spider of Scrapy's.

        @url file://{page}
        @returns items 2 2
        @scrapes title
        """
        for title in response.css("li::text").getall():
            yield {{"title": title}}
'''
_MINI = '''
from outsourcing_spiders.spiders.guru import GuruSpider


class MiniSpider(GuruSpider):
    """Jobs."""

    name = "mini"

    def parse(self, response, place=None):
        """Read a page.

        @fixture listing
        @meta {{"kept": 1}}
        @returns items {items}
        @scrapes title url
        """
        yield from super().parse(response, place)
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, in which every connection is an error."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "outsourcing_spiders", copy / "outsourcing_spiders", ignore=ignored)
    shutil.copytree(FIXTURES, copy / "tests" / "fixtures")
    shutil.copy(REPOSITORY / "scrapy.cfg", copy)
    (copy / "sitecustomize.py").write_text(_NO_NETWORK)
    return copy


@pytest.fixture(scope="module")
def run(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``scrapy`` in the copy, with a database that is down."""

    def scrapy(*arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        down = {"OUTSOURCING_SPIDERS_DATA": "/proc/nowhere", "DATABASE_URL": "postgresql://127.0.0.1:1/x"}
        ended = subprocess.run(
            [sys.executable, "-m", "scrapy", *arguments],
            cwd=project, env={**kept, **down, "PYTHONPATH": str(project)}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        # A contract's failure is shown with one, as Scrapy does.
        assert "Traceback" not in ended.stderr.replace(_OF_A_CONTRACT, "")
        return ended

    return scrapy


# --- every spider -------------------------------------------------------------------------------------------------


def test_all_spiders_are_checked_without_a_network(run: Callable[..., Any]) -> None:
    ended = run("check")
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout
    assert [line.partition(":")[0] for line in lines] == NAMES
    assert all(re.fullmatch(r"\w+: [1-9]\d* fixtures?, [1-9]\d* items?, ok", line) for line in lines), lines
    assert re.search(r"^Ran \d\d contracts in \d+\.\d+s\n\nOK$", ended.stderr.strip(), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_no_file_among_the_fixtures_is_unread(name: str) -> None:
    spidercls: Any = SpiderLoader.from_settings(project_settings()).load(name)
    found = {finding.fixture: finding.said for finding in check_fixtures(spidercls, project_settings())}
    assert not any(found.values()), found
    stems = {path.name.removesuffix(".items.json").removesuffix(".meta.json").partition(".")[0]
             for path in (FIXTURES / name).iterdir()}  # fmt: skip
    assert stems - {"README"} == set(found)


def test_names_and_options(run: Callable[..., Any]) -> None:
    ended = run("check", "guru", "freemoa", "-v")
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 2)
    assert "[guru] parse (@fixture listing_first) ... ok" in ended.stderr
    assert "[guru] parse_detail (@fixture detail) ... ok" in ended.stderr
    ended = run("check", "-l", "guru")
    assert ended.stdout.splitlines()[:3] == ["guru", "  * parse @fixture blocked", "  * parse_detail @fixture detail"]
    ended = run("check", "gru")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "scrapy check: there is no spider 'gru'; did you mean guru?\n"


# --- what broke ---------------------------------------------------------------------------------------------------


def test_a_spider_that_an_edit_broke_is_told_with_the_place(run: Callable[..., Any], project: Path) -> None:
    file = project / "outsourcing_spiders" / "spiders" / "guru.py"
    text = file.read_text()
    file.write_text(f"{text}\n\ndef item(self, card, response):\n    return card.css('h2.nothing')[0]\n\n\n"
                    "GuruSpider.item = item\n")  # fmt: skip
    try:
        ended = run("check", "guru")
    finally:
        file.write_text(text)
    assert ended.returncode == 1
    assert re.search(
        r"^guru: 6 fixtures \(2 not as saved\), 43 items\n  listing_first\n    expected  20 items\n"
        r"    got       the end of the crawl: layout_changed: none of the 20 rows of https://www\.guru\.com/d/jobs/ "
        r"can be read: IndexError: list index out of range \(guru\.py, line \d+, item\)$",
        ended.stdout, re.MULTILINE,
    )  # fmt: skip
    assert ended.stderr.rstrip().endswith("FAILED (failures=2)")


def test_the_session_in_the_readme_runs(run: Callable[..., Any], project: Path) -> None:
    told = re.findall(r"^\$ scrapy check\n((?:.*\n)*?)```", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    file = project / "outsourcing_spiders" / "spiders" / "guru.py"
    text = file.read_text()
    assert text.count(".jobRecord__meta strong") == 1
    file.write_text(text.replace(".jobRecord__meta", ".jobRecord__mta"))
    try:
        ended = run("check")
    finally:
        file.write_text(text)
    assert ended.returncode == 1
    came = {line.strip() for line in (ended.stdout + ended.stderr).splitlines()}
    wanted = {line.strip() for line in told[0].splitlines()} - {"…"}
    assert wanted <= came, wanted - came


def test_a_spider_that_cannot_be_imported_is_told_and_the_others_are_checked(
    run: Callable[..., Any], project: Path
) -> None:
    file = project / "outsourcing_spiders" / "spiders" / "guru.py"
    text = file.read_text()
    file.write_text(f"{text}\nimport nowhere_at_all\n")
    try:
        ended, other = run("check"), run("check", "freelancer")
    finally:
        file.write_text(text)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 1
    assert re.fullmatch(r"guru: cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'.*", lines[0])
    assert [line.partition(":")[0] for line in lines[1:]] == [name for name in NAMES if name != "guru"]
    assert all(line.endswith(", ok") for line in lines[1:])
    assert ended.stderr.rstrip().endswith("FAILED (failures=1)")
    assert (other.returncode, other.stdout) == (0, "freelancer: 2 fixtures, 8 items, ok\n")


class AsksElsewhere(GuruSpider):
    """Asks for another page of the listing, and of a project."""

    def listing_request(self, page: int) -> Request:
        """Misspell it."""
        request = super().listing_request(page)
        return request.replace(url=request.url.replace("/jobs/", "/jobz/"))

    def detail_request(self, item: Project) -> Request:
        """Misspell it."""
        return Request(self.absolute(f"jobz/{item.external_id}?token=secret"))


class AsksForNothing(GuruSpider):
    """Fails when it asks for the listing, and asks for no project's page."""

    def listing_request(self, page: int) -> Request:
        """Fail."""
        raise RuntimeError("no such page")

    def detail_request(self, item: Project) -> None:
        """Ask for nothing."""


class WithManyBids(GuruSpider):
    """Reads what is no number."""

    def item(self, card: Any, response: Any) -> Any:
        """Read it."""
        found = super().item(card, response)
        found.bid_count = "many"
        return found


class WithoutBids(GuruSpider):
    """Lost one field."""

    def item(self, card: Any, response: Any) -> Any:
        """Lose it."""
        found = super().item(card, response)
        found.bid_count = None
        return found


class WithoutCards(GuruSpider):
    """Finds no cards."""

    card = "#list .jobRecord"


class WithoutSome(GuruSpider):
    """Fails at one row, has no id for another, and no title for a third."""

    seen = 0

    def row_id(self, card: Any) -> str:
        """Lose the second."""
        if card.attrib["data-gid"] == self.second:
            raise KeyError("data-gid")
        return super().row_id(card)

    def item(self, card: Any, response: Any) -> Any:
        """Fail at the first."""
        self.seen += 1
        found = super().item(card, response)
        if self.seen == 1:
            raise ValueError("no such thing")
        found.title = " " if self.seen == 2 else found.title
        return found

    second = ""


def said_of(spidercls: type[GuruSpider], fixture: str = "listing_first", **options: bool) -> list[str]:
    (finding,) = [
        found for found in check_fixtures(spidercls, project_settings(), **options) if found.fixture == fixture
    ]
    return finding.said


def test_what_differs_is_told_field_by_field() -> None:
    ids = [item["external_id"] for item in saved_items(FIXTURES / "guru", "listing_first")]
    said = said_of(WithoutBids)
    assert said[0] == "bid_count: 20 of 20"
    assert re.fullmatch(rf"    {ids[0]}  expected \d+, got None", said[1])
    assert len(said) == 3
    assert len(said_of(WithoutBids, every_value=True)) == 21
    (expected, got) = said_of(WithoutCards)
    assert expected == "expected  20 items"
    assert got.startswith(
        "got       the end of the crawl: layout_changed: https://www.guru.com/d/jobs/ holds no rows, "
    )
    WithoutSome.second = ids[1]
    first, *said = said_of(WithoutSome)
    assert first.startswith("error     ValueError: no such thing (")
    assert said == [
        "error     1 of 20 rows have no id",
        "refused   1 of 20: title is empty",
        f"missing   3 of 20 items: {ids[0]}, {ids[1]}, and 1 more",
    ]


def test_requests_that_ask_for_something_else_are_found() -> None:
    asked = "request   the spider asks for GET https://www.guru.com/"
    saved = ", not for GET https://www.guru.com/"
    page = "jobs/accurate-sketch-checkout-in-proofreading/2100484"
    assert said_of(AsksElsewhere) == [f"{asked}d/jobz/{saved}d/jobs/"]
    assert said_of(AsksElsewhere, "listing_odd") == [f"{asked}d/jobz/pg/2/{saved}d/jobs/pg/2/"]
    assert said_of(AsksElsewhere, "detail") == [f"{asked}jobz/2100484{saved}{page}"]
    (error,) = said_of(AsksForNothing)
    assert error.startswith("request   RuntimeError: no such page")
    assert said_of(AsksForNothing, "detail") == [f"request   the spider asks for nothing{saved}{page}"]
    # What ends a crawl comes from anywhere.
    assert said_of(AsksElsewhere, "blocked") == []


def test_what_validation_dropped_is_told() -> None:
    assert said_of(WithManyBids)[1].endswith("got None; validation drops what was read")


def test_a_spider_that_reads_none_of_its_answers_fails(run: Callable[..., Any], tmp_path: Path) -> None:
    (folder := tmp_path / "guru").mkdir()
    for file in (FIXTURES / "guru").glob("blocked.*"):
        shutil.copy(file, folder)
    ended = run("check", "guru", f"--folder={tmp_path}")
    assert (ended.returncode, ended.stdout) == (1, "guru: 1 fixture, 0 items\nguru: no saved answer gives an item\n")
    assert ended.stderr.rstrip().endswith("FAILED (failures=1)")


def test_fixtures_without_a_spider_are_found(run: Callable[..., Any], project: Path) -> None:
    shutil.copytree(FIXTURES / "guru", folder := project / "tests" / "fixtures" / "guruu")
    try:
        ended = run("check")
        assert run("check", "guru").returncode == 0
    finally:
        shutil.rmtree(folder)
    assert ended.returncode == 1
    assert ended.stdout.endswith(f"\nguruu: 6 fixtures in {folder}, and no such spider\n")
    assert ended.stderr.rstrip().endswith("FAILED (failures=1)")


def test_another_folder_and_what_is_wrong_in_it(run: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "guru", folder := tmp_path / "guru")
    items: list[JSON] = json.loads((folder / "listing_first.items.json").read_bytes())
    first, second, third = items[:3]
    items[0] = first | {"external_id": "1"}
    second["title"] = "Another"
    second["budget"]["minimum"] = "12.50"
    (folder / "listing_first.items.json").write_text(json.dumps([*items[:2], items[3], third, *items[4:]]))
    (folder / "listing_odd.meta.json").unlink()
    (folder / "detail.items.json").unlink()
    meta: JSON = json.loads((folder / "blocked.meta.json").read_bytes())
    (folder / "blocked.meta.json").write_text(json.dumps(meta | {"outcome": "login_required"}))
    ended = run("check", "guru", f"--folder={tmp_path}")
    assert ended.returncode == 1
    report = ended.stdout
    assert report.startswith("guru: 6 fixtures (4 not as saved), 22 items\n")
    for line in (
        "    expected  the end of the crawl: login_required",
        "    got       the end of the crawl: blocked: https://www.guru.com/d/jobs/ answered 200: Imperva",
        f"    {folder}/detail.items.json is missing, and detail.meta.json names no outcome",
        "    missing   1 of 20 items: 1\n",
        f"    too many  1 of 20 items: {first['external_id']}\n",
        "    title: 1 of 19\n",
        f"        {second['external_id']}  expected 'Another', got '",
        f"        {second['external_id']}  expected '12.5', got ",
        "    the items came in another order\n",
        f"    {folder}/listing_odd.meta.json is missing: read the page again with `scrapy capture`\n",
    ):
        assert line in report, (line, report)
    assert run("check", "guru", f"--folder={folder}").stdout == report


# --- contracts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["guru"], []], ids=str)
def test_where_nothing_is_checked_nothing_is_well(run: Callable[..., Any], tmp_path: Path, names: list[str]) -> None:
    ended = run("check", f"--folder={tmp_path}", *names)
    assert ended.returncode == 1
    assert ended.stderr.endswith(f"scrapy check: nothing was checked of {', '.join(names or NAMES)}\n")


def test_contracts_of_a_plain_spider_go_on_working(run: Callable[..., Any], project: Path, tmp_path: Path) -> None:
    file = project / "outsourcing_spiders" / "spiders" / "mine.py"
    (page := tmp_path / "page.html").write_text("<ul><li>one</li><li>two</li></ul>")
    file.write_text(_MINE.format(page=page))
    try:
        ended = run("check", "mine", "-v")
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == "mine: no fixtures; save an answer: scrapy capture mine\n"
        assert "[mine] parse (@returns post-hook) ... ok" in ended.stderr
        page.write_text("<ul><li>one</li></ul>")
        ended = run("check", "mine")
        assert ended.returncode == 1
        assert "Returned 1 items, expected 2" in ended.stderr
        assert ended.stderr.rstrip().endswith("FAILED (failures=1)")
        assert run("check", "-l", "mine").stdout == "mine\n  * parse\n"
    finally:
        file.unlink()


def test_a_new_spider_is_captured_and_checked_with_contracts_on_its_fixture(
    run: Callable[..., Any], project: Path
) -> None:
    file = project / "outsourcing_spiders" / "spiders" / "mini.py"
    page = project / "page.html"
    shutil.copy(FIXTURES / "guru" / "listing_first.html", page)
    file.write_text(_MINI.format(items="20 20"))
    try:
        ended = run("check", "mini")
        assert ended.returncode == 1
        assert "mini: no fixtures; save an answer: scrapy capture mini\n" in ended.stdout
        assert "listing.meta.json is missing: read the page again" in ended.stderr
        captured = run("capture", "mini", str(page), "--name=listing", "--date=2026-09-21T14:00:00Z")
        assert captured.returncode == 0, captured.stderr
        ended = run("check", "mini", "-v")
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == "mini: 1 fixture, 20 items, ok\n"
        assert "[mini] parse (@scrapes post-hook) ... ok" in ended.stderr
        file.write_text(_MINI.format(items="21"))
        ended = run("check", "mini")
        assert ended.returncode == 1
        assert "Returned 20 items, expected 21" in ended.stderr
    finally:
        file.unlink()
        page.unlink()
        shutil.rmtree(project / "tests" / "fixtures" / "mini", ignore_errors=True)

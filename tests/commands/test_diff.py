"""`scrapy diff` holds a page against the stored rows, field by field, and writes nothing."""

from __future__ import annotations

import asyncio
import re
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from _crawls import crawl, fetch
from conftest import REPOSITORY
from platforms_standins import guru
from platforms_standins._server import StandInProcess

from outsourcing_spiders.debugging.stored import broken_lines, change_lines, filled_columns, hold_against
from outsourcing_spiders.items import Budget, Project
from outsourcing_spiders.spiders.guru import GuruSpider
from outsourcing_spiders.storage.engine import normalize_url
from outsourcing_spiders.storage.stored_rows import COLUMNS, Pair

Scrapy = Callable[..., subprocess.CompletedProcess[str]]


@asynccontextmanager
async def stored_page(embedded_server: Any, name: str, folder: Path) -> AsyncIterator[tuple[StandInProcess, str]]:
    """Give a small Guru, and a database of that name with the first page of it."""
    connection = await asyncpg.connect(normalize_url(embedded_server.url("postgres")))
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    with guru.standin_process(projects=60, seed=3, ticking=False) as site:
        url = embedded_server.url(name)
        done = await crawl(url, folder, spider=GuruSpider, base_url=site.base_url, max_pages="1")
        assert (done.reason, len(done.items)) == ("finished", 20)
        yield site, url
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="module")
async def stored(
    embedded_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[StandInProcess, str]]:
    """What most tests of this file look at."""
    async with stored_page(embedded_server, "test_diff", tmp_path_factory.mktemp("crawl")) as site_and_url:
        yield site_and_url


def broken_page(site: StandInProcess) -> str:
    """Return the first page as it is when the platform has renamed a class."""
    with urllib.request.urlopen(f"{site.base_url}/d/jobs/") as answer:
        return str(answer.read().decode().replace("jobRecord__budget", "jobRecord__pay"))


async def fingerprint(url: str) -> list[dict[str, Any]]:
    """Return a sum over all that is stored."""
    return await fetch(
        url,
        "SELECT (SELECT md5(string_agg(p::text, '' ORDER BY external_id)) FROM projects p) AS projects,"
        " (SELECT count(*) FROM crawl_runs) AS runs, (SELECT count(*) FROM project_history) AS history",
    )


async def test_a_page_is_held_against_the_stored_rows(scrapy: Scrapy, stored: tuple[StandInProcess, str]) -> None:
    site, url = stored
    own = ("-a", f"base_url={site.base_url}", "-s", "DOWNLOAD_DELAY=0")
    before = await fingerprint(url)
    site.requests(clear=True)
    ended = scrapy("diff", "guru", *own, DATABASE_URL=url)
    first = f"guru: {site.base_url}/d/jobs/ answered 200: 20 rows, 20 items\n"
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{first}  0 new projects, 0 changed, 20 as stored\n"
    # As a crawl asks: robots.txt first, then one page, under our own name.
    assert [seen["path"] for seen in site.requests()] == ["/robots.txt", "/d/jobs/"]
    assert site.requests()[1]["headers"]["user-agent"].startswith("outsourcing_spiders/")
    rows = await fetch(url, "SELECT external_id, bid_count FROM projects WHERE bid_count > 0 LIMIT 1")
    changed = rows[0]["external_id"]
    site.change("quote", project_id=changed, count=5)
    site.change("edit", project_id=changed, title="Another title")
    (new,) = site.change("add", n=1)
    ended = scrapy("diff", "guru", f"{site.base_url}/d/jobs/", *own, DATABASE_URL=url)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[1] == f"  new      {new}"
    assert lines[2] == "  title: 1 changed"
    assert re.fullmatch(rf"      {changed}  '.*' -> 'Another title'", lines[3])
    assert lines[4:6] == ["  bid_count: 1 changed", f"      {changed}  {rows[0]['bid_count']} -> "
                          f"{rows[0]['bid_count'] + 5}"]  # fmt: skip
    assert lines[6] == "  1 new project, 1 changed, 18 as stored"
    assert await fingerprint(url) == before


async def test_the_sessions_in_the_readme_run(scrapy: Scrapy, embedded_server: Any, tmp_path: Path) -> None:
    sessions = re.findall(
        r"^\$ scrapy diff (.*)\n((?:.*\n)*?)```", (REPOSITORY / "README.md").read_text(), re.MULTILINE
    )
    assert len(sessions) == 2
    async with stored_page(embedded_server, "test_diff_readme", tmp_path) as (site, url):
        site.change("quote", project_id=site.state()["ids"][2], count=4)
        site.change("add", n=2)
        (tmp_path / "page.html").write_text(await asyncio.to_thread(broken_page, site))
        for code, (arguments, shown) in enumerate(sessions):
            there = arguments.split("base_url=")[1]
            typed = arguments.replace("page.html", str(tmp_path / "page.html")).replace(there, site.base_url)
            ended = scrapy("diff", *typed.split(), "-s", "DOWNLOAD_DELAY=0", DATABASE_URL=url)
            assert (ended.returncode, ended.stderr) == (code, "")
            lines, wanted = ended.stdout.splitlines(), shown.replace(there, site.base_url).splitlines()
            until = wanted.index("  …") if "  …" in wanted else len(wanted)
            assert lines[:until] == wanted[:until]
            assert lines[-1] == wanted[-1]


def test_a_broken_layout_is_told_first(scrapy: Scrapy, stored: tuple[StandInProcess, str], tmp_path: Path) -> None:
    site, url = stored
    (file := tmp_path / "page.html").write_text(broken_page(site))
    ended = scrapy("diff", "guru", str(file), "-a", f"base_url={site.base_url}", DATABASE_URL=url)
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    told = [line.partition(" is empty in every row of the page, and filled in ") for line in lines if "broken?" in line]
    assert lines[1 : len(told) + 1] == ["".join(line) for line in told]
    assert [line[0] for line in told] == [
        f"  broken?  {name}" for name in ("pricing", "budget_min", "budget_max", "budget_text")
    ]
    assert all(re.fullmatch(r"\d+ of the \d+ stored ones", line[2]) for line in told)
    # Descriptions in full, and whether the work is remote, are on the jobs' own pages.
    assert "work_mode" not in ended.stdout


def test_what_cannot_be_read_is_told(scrapy: Scrapy, stored: tuple[StandInProcess, str]) -> None:
    site, url = stored
    site.fail("incapsula", path="/d/jobs")
    ended = scrapy("diff", "guru", "-a", f"base_url={site.base_url}", DATABASE_URL=url)
    site.heal()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Imperva Incapsula keeps programs out" in ended.stderr.splitlines()[-1]
    assert ended.stderr.splitlines()[-1].startswith("scrapy diff guru: nothing came: ")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (
            ["guru"],
            {},
            1,
            "scrapy diff guru: nothing is stored yet, so there is nothing to compare with; crawl first.\n",
        ),
        (["gru"], {}, 2, "scrapy diff gru: there is no spider 'gru'; did you mean guru?\n"),
        (["guru", "nothing.html"], {}, 2, "scrapy diff guru: 'nothing.html' is neither a web address nor a file.\n"),
        (["wishket"], {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, 1, "without the platform's permission"),
        (["guru", "https://www.guru.com/jobs/1", "--detail"], {}, 2, "the listing tells; leave ADDRESS out"),
    ],
    ids=["no database", "no spider", "no file", "no permission", "no listing"],
)
def test_one_sentence_says_what_is_wrong(
    scrapy: Scrapy, arguments: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    ended = scrapy("diff", *arguments, **environment)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


# --- the comparison -----------------------------------------------------------------------------------------------


def row(**values: Any) -> tuple[Any, ...]:
    """Return the values of the columns that are compared."""
    plain: dict[str, Any] = {"title": "A", "skills": [], "extra": {}, "status": "open", "pricing": "unknown"}
    return tuple((plain | values).get(name) for name in COLUMNS)


def pair(number: int, stored: tuple[Any, ...] | None, seen: tuple[Any, ...], *, beside_full: bool = False) -> Pair:
    return Pair(str(number), stored, seen, stored if beside_full and stored else seen, beside_full)


def test_differences_are_told_by_field_with_the_extras_apart() -> None:
    day = datetime(2026, 9, 21, tzinfo=UTC)
    pairs = [
        pair(1, row(budget_min=Decimal("5.00"), extra={"a": 1}), row(budget_min=Decimal(5), extra={"a": 2, "b": 1})),
        pair(2, row(bid_count=1, closes_at=day), row(bid_count=2, closes_at=day, budget_min=Decimal(7))),
        pair(3, None, row()),
    ]
    found = hold_against(pairs)
    assert (found.new, found.same, found.changed, found.empty) == (["3"], 0, 2, {})
    assert list(change_lines(found)) == [
        "new      3",
        "extra.a: 1 changed",
        "    1  1 -> 2",
        "extra.b: 1 changed",
        "    1  None -> 1",
        "budget_min: 1 changed",
        "    2  None -> '7'",
        "bid_count: 1 changed",
        "    2  1 -> 2",
        "1 new project, 2 changed, 0 as stored",
    ]


def test_a_column_is_lost_when_no_row_has_it_any_more() -> None:
    full = row(category="Design", work_mode="remote", location="Berlin")
    pairs = [pair(number, full, row(location="Berlin", work_mode="unknown"), beside_full=True) for number in (1, 2)]
    # What is on a project's own page is not looked for in a listing; what listings are known to have is.
    assert list(broken_lines(hold_against(pairs))) == []
    listing = filled_columns([Project(platform="x", external_id="1", url="u", title="A", category="B",
                                      budget=Budget(minimum=Decimal(1)))])  # fmt: skip
    assert {"category", "budget_min", "title"} <= listing
    assert list(broken_lines(hold_against(pairs, listed=listing))) == [
        "broken?  category is empty in every row of the page, and filled in 2 of the 2 stored ones"
    ]
    assert hold_against([pair(1, full, row()), pair(2, full, full)]).empty == {}
    assert set(hold_against([pair(1, full, row()), pair(2, None, row())]).empty) == {
        "category", "work_mode", "location",
    }  # fmt: skip


def test_only_a_few_values_are_shown_unless_all_are_asked_for() -> None:
    pairs = [pair(number, row(title="A"), row(title=f"B{number}")) for number in range(5)]
    short, long = (list(change_lines(hold_against(pairs), every_value=every)) for every in (False, True))
    assert short[-2] == "    and 2 more (-v shows them)"
    assert len(long) == len(short) + 1

"""``scrapy platforms`` as users run it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from conftest import REPOSITORY, scrapy_environment
from scrapy.cmdline import execute

from outsourcing_spiders.administration.platforms_table import _duration
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import Database, normalize_url

SECRET = "t0ken-s3cret"
SPIDERS = '''
from outsourcing_spiders.platforms.base import PlatformSpider


class Atoll(PlatformSpider):
    """Projects of Atoll.

    Site: https://www.atoll.example, small.

    Access: documented API;
    it wants a token.

    Terms: the API's own terms allow it, as long as a link leads back to the project and no text is kept for more
    than a day; each call is counted. Read on 2026-09-22.

    Caveats: closed at night.
    """

    name = "atoll"
    access = "api"
    home = "https://www.atoll.example"
    narrowed_by = frozenset({"skills", "query"})
    token = ("Authorization", "FREELANCER_TOKEN")
    needs = ("FREELANCER_TOKEN",)


class Bastion(PlatformSpider):
    """Projects of Bastion.

    Site: https://bastion.example.

    Access: pages, made by scripts.

    Terms: programs are forbidden. Read on 2026-08-01.

    Caveats: none.
    """

    name = "bastion"
    access = "permission"
    home = "https://bastion.example"
    renders = True


class Common(PlatformSpider):
    """Projects of a platform that nobody has described."""

    name = "common"
    access = "public"
    home = "https://common.example"
'''


class Said(NamedTuple):
    out: str
    err: str

    @property
    def rows(self) -> dict[str, dict[str, str]]:
        """Return the cells of the table by platform and heading."""
        names, *rows = (re.split(r"\s{2,}", line) for line in self.out.partition("\n\n")[0].splitlines())
        return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


Platforms = Callable[..., Said]


@pytest.fixture
def platforms(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Platforms:
    """A function that runs the command in this process, with three spiders of our own; for plain tests only."""
    (tmp_path / "described_spiders.py").write_text(SPIDERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "described_spiders", raising=False)
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "outsourcing_spiders.settings")
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, code: int = 0, url: str = "", token: str = "", permitted: str = "") -> Said:
        settings = {
            "SPIDER_MODULES": "described_spiders",
            "EMBEDDED_POSTGRES_FOLDER": tmp_path / "postgresql",
            "DATABASE_URL": url,
            "FREELANCER_TOKEN": token,
            "PERMITTED_PLATFORMS": permitted,
        }
        options = [word for name, value in settings.items() for word in ("-s", f"{name}={value}")]
        with pytest.raises(SystemExit) as ended:
            execute(["scrapy", "platforms", *arguments, *options])
        said = Said(*capsys.readouterr())
        assert ended.value.code == code, said.err
        assert SECRET not in said.out + said.err
        assert not (tmp_path / "postgresql").exists()
        if code:
            assert said.out == ""
            assert said.err.count("\n") == 1
        return said

    return run


@pytest.fixture
def filled(database_url: str) -> str:
    """DATABASE_URL of a database with projects, runs and a block."""

    async def fill() -> None:
        connection = await asyncpg.connect(normalize_url(database_url))
        await connection.execute(
            """
            INSERT INTO projects (platform, external_id, url, title, description_complete, status, pricing, skills,
                work_mode, posted_precision, posted_at, extra, first_seen_at, last_seen_at, changed_at)
            SELECT platform, n, 'https://example.com', 'a title', true, 'open', 'fixed', '{}', 'remote', 'exact',
                CASE WHEN platform = 'atoll' THEN now() - interval '3 hours' END, '{}',
                now() - interval '2 hours', now(), now()
            FROM (VALUES ('atoll'), ('bastion')) AS p(platform), generate_series(1, 1200) AS n;
            INSERT INTO crawl_runs (spider, started_at, finished_at, reason, items_scraped, written, listing) VALUES
                ('atoll', now() - interval '2 hours', now() - interval '118 minutes', 'finished', 1200, 1200, '{}'),
                ('bastion', now() - interval '2 days', now() - interval '2 days', 'blocked', 0, 0, '{}');
            INSERT INTO platform_blocks (spider, host, reason, message, blocked_since, retry_at, times) VALUES
                ('bastion', 'bastion.example', 'blocked', 'a challenge', now() - interval '2 days', '2999-01-01Z', 3),
                ('bastion', '127.0.0.1:8000', 'rate_limited', 'slowly', now() - interval '2 days', now(), 1);
            INSERT INTO crawl_runs (spider, started_at, finished_at, reason, items_scraped, written, listing, stats)
            SELECT 'atoll', now() - interval '3 days', now() - interval '3 days', 'up_to_date', 20, 1, '{}',
                '{"health": {"reader": "Atoll"}}' FROM generate_series(1, 4)
            """
        )
        await connection.close()

    asyncio.run(fill())
    return database_url


# --- without a database -------------------------------------------------------------------------------------------


def test_before_any_data_there_is_a_table_and_nothing_is_made(platforms: Platforms) -> None:
    said = platforms()
    assert said.rows == {
        "atoll": {
            "Platform": "atoll",
            "Access": "api",
            "Needs": "FREELANCER_TOKEN (missing)",
            "Terms": "the API's own terms allow it, as long as a link leads back… (2026-09-22)",
        },
        "bastion": {
            "Platform": "bastion",
            "Access": "permission (missing)",
            "Needs": "browser",
            "Terms": "programs are forbidden. Read on 2026-08-01.",
        },
        "common": {"Platform": "common", "Access": "public", "Needs": "-", "Terms": "-"},
    }
    assert said.out.endswith("\n\nNothing is stored yet: the first crawl makes the database.\n")
    assert "\x1b" not in said.out


@pytest.mark.parametrize("arguments", [[], ["atoll"]])
def test_a_database_that_cannot_be_reached_costs_only_what_it_knows(platforms: Platforms, arguments: list[str]) -> None:
    said = platforms(*arguments, url=f"postgresql://root:{SECRET}@127.0.0.1:1/x")
    assert "atoll" in said.out
    assert said.out.splitlines()[-1].startswith("What is stored is not known: PostgreSQL database 'x' on 127.0.0.1:1 ")
    assert "Projects" not in said.out


def test_permission_and_tokens_are_told_without_their_values(platforms: Platforms) -> None:
    rows = platforms(token=SECRET, permitted="bastion").rows
    assert rows["bastion"]["Access"] == "permission (given)"
    assert rows["atoll"]["Needs"] == "FREELANCER_TOKEN (set)"


def test_a_wrong_name_in_the_setting_is_told(platforms: Platforms) -> None:
    lines = platforms("atoll", permitted="bastoin").out.splitlines()
    assert "PERMITTED_PLATFORMS names 'bastoin', which is no platform; did you mean bastion?" in lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["atol"], "there is no platform 'atol'; did you mean atoll?"),
        (["ATOLL"], "there is no platform 'ATOLL'; did you mean atoll?"),
        (["zzz"], "there is no platform 'zzz'; `scrapy platforms` lists them all."),
        (["atoll", "bastion"], "unknown argument 'bastion'; see: scrapy platforms -h"),
        (["--jsno"], "unknown argument '--jsno'; see: scrapy platforms -h"),
    ],
    ids=str,
)
def test_a_wrong_command_line(platforms: Platforms, arguments: list[str], said: str) -> None:
    assert platforms(*arguments, code=2).err == f"scrapy platforms: {said}\n"


# --- with one -----------------------------------------------------------------------------------------------------


def test_the_table_says_how_it_stands(platforms: Platforms, filled: str) -> None:
    said = platforms(url=filled)
    rows = said.rows
    assert [row["Projects"] for row in rows.values()] == ["1,200", "1,200", "0"]
    assert [row["Ended"] for row in rows.values()] == ["finished", "blocked", "-"]
    assert re.fullmatch(r"[\d-]{10} [\d:]{8}Z \(2 h ago\)", rows["atoll"]["Last crawl"])
    assert rows["common"]["Last crawl"] == "never"
    assert re.fullmatch(r"posted \S+ \S+ \(3 h ago\)", rows["atoll"]["Newest"])
    assert re.fullmatch(r"seen \S+ \S+ \(2 h ago\)", rows["bastion"]["Newest"])
    assert rows["common"]["Newest"] == "-"
    assert re.fullmatch(
        r"127\.0\.0\.1:8000 since \S+ \S+ \(2 d ago\), may be tried again; "
        r"since \S+ \S+ \(2 d ago\), waits until 2999-01-01 00:00Z",
        rows["bastion"]["Blocked"],
    )
    assert rows["atoll"]["Blocked"] == "-"
    assert [row["Health"] for row in rows.values()] == ["ok", "too few crawls", "-"]
    assert not said.out.endswith("\n\n")


def test_one_platform_is_told_in_full(platforms: Platforms, filled: str) -> None:
    said = platforms("atoll", url=filled, token=SECRET).out
    told = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in said.splitlines())
    assert told["Site"] == "https://www.atoll.example, small."
    assert told["Access"] == "api: documented API; it wants a token."
    assert told["Terms"].endswith("for more than a day; each call is counted. Read on 2026-09-22.")
    assert told["Caveats"] == "closed at night."
    assert told["Narrowed by"] == "query, skills"
    assert told["FREELANCER_TOKEN"] == "token, required, set"
    assert (told["Browser"], told["Permission"], told["Blocked"]) == ("not needed", "not needed", "no")
    assert told["Last crawl"].endswith("(2 h ago): finished after 2 min; 1,200 projects scraped, 1,200 new or changed")
    assert told["Projects"] == "1,200"
    assert told["Newest project"].endswith("(3 h ago)")
    assert told["First seen"].endswith("(2 h ago)")

    said = platforms("bastion", url=filled).out
    assert re.search(r"Permission +missing: .* add bastion to PERMITTED_PLATFORMS", said)
    assert re.search(r"Blocked +bastion\.example: blocked, since .*, waits until 2999-01-01 00:00Z: a challenge", said)
    assert re.search(r"Browser +needed", said)


def test_json_is_in_full(platforms: Platforms, filled: str) -> None:
    found = json.loads(platforms("--json", url=filled, token=SECRET).out)
    assert found["database"] == {"schema": "current", "known": ["crawls", "projects", "blocks", "findings"]}
    assert found["notes"] == []
    atoll, bastion, common = found["platforms"]
    assert (atoll["name"], atoll["access"], atoll["permission"]) == ("atoll", "api", "not needed")
    assert atoll["settings"] == [{"name": "FREELANCER_TOKEN", "use": "token", "required": True, "is_set": True}]
    assert (atoll["terms_read_on"], atoll["browser"]) == ("2026-09-22", False)
    assert (atoll["projects"], atoll["projects_exact"], atoll["last_run"]["reason"]) == (1200, True, "finished")
    assert datetime.now(UTC) - datetime.fromisoformat(atoll["newest_posted_at"]) > timedelta(hours=3)
    assert [(platform["compared"], platform["findings"]) for platform in found["platforms"]] == [
        (True, []),
        (False, []),
        (False, []),
    ]
    assert (bastion["permission"], bastion["browser"], bastion["newest_posted_at"]) == ("missing", True, None)
    assert [block["times"] for block in bastion["blocks"]] == [1, 3]
    assert (common["projects"], common["last_run"], common["blocks"], common["terms"]) == (0, None, [], None)


@pytest.fixture
def unwell(filled: str) -> str:
    """DATABASE_URL of a database in which a platform is not as it was."""

    async def fill() -> None:
        connection = await asyncpg.connect(normalize_url(filled))
        await connection.execute(
            """
            INSERT INTO kept_pages (spider, url, status, headers, body, body_size, reason, finding, kept_at)
            VALUES ('atoll', 'https://www.atoll.example', 200, '{}', '', 0, 'layout_changed', '-', now());
            INSERT INTO platform_health
                (spider, listing, reader, subject, kind, finding, since, since_run_id, page_id, resolved_at)
            VALUES
                ('atoll', '{}', 'Atoll', 'field:budget', 'vanished',
                    '`budget` vanished: in 0 of 50 rows, before in 96 %',
                    '2026-03-01 14:02Z', 812, (SELECT max(id) FROM kept_pages), NULL),
                ('atoll', '{"query":"x"}', 'Atoll', 'field:budget', 'vanished', 'likewise',
                    '2026-03-02Z', 813, NULL, NULL),
                ('atoll', '{}', 'Atoll', 'rejected', 'rejected', 'more', '2026-03-03Z', 814, NULL, NULL),
                ('atoll', '{}', 'Atoll', 'slow', 'slow', 'slow', '2026-02-01Z', 700, NULL, '2026-02-02Z')
            """
        )
        await connection.close()

    asyncio.run(fill())
    return filled


def test_what_is_not_as_it_was_is_told_with_its_day(
    platforms: Platforms, unwell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = platforms(url=unwell).rows
    assert rows["atoll"]["Health"] == "more rejected since 2026-03-03, budget vanished since 2026-03-01"
    assert rows["common"]["Health"] == "-"
    lines = [line for line in platforms("atoll", url=unwell).out.splitlines() if line.startswith("Health")]
    assert [re.sub(r"\s{2,}|\(.*? ago\)", "|", line) for line in lines] == [
        "Health|more; since 2026-03-03 00:00:00Z |, run 814",
        'Health|likewise; since 2026-03-02 00:00:00Z |, run 813, asked for {"query":"x"}',
        "Health|`budget` vanished: in 0 of 50 rows, before in 96 %; since 2026-03-01 14:02:00Z |, run 812"
        "; page kept: scrapy db pages 1",
    ]
    atoll = json.loads(platforms("--json", url=unwell).out)["platforms"][0]
    assert atoll["compared"] is True
    assert atoll["findings"][-1] == {
        "what": "budget vanished",
        "finding": "`budget` vanished: in 0 of 50 rows, before in 96 %",
        "since": "2026-03-01T14:02:00Z",
        "run": 812,
        "page": 1,
        "listing": "{}",
    }
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    assert "budget vanished since 2026-03-01" in platforms(url=unwell).out


def test_an_older_schema_is_neither_a_problem_nor_changed(platforms: Platforms, filled: str) -> None:
    async def asked(*statements: str) -> Any:
        connection = await asyncpg.connect(normalize_url(filled))
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    asyncio.run(asked("DROP TABLE platform_blocks, platform_health", "UPDATE alembic_version SET version_num = '0001'"))
    said = platforms(url=filled)
    assert "Blocked" not in said.rows["bastion"]
    assert said.rows["bastion"]["Projects"] == "1,200"
    assert "The schema (revision 0001) is older than this code" in said.out
    assert asyncio.run(asked("SELECT version_num FROM alembic_version")) == "0001"


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(60, ["needs", "terms"]), (90, ["needs", "terms"]), (120, ["terms"]), (150, []), (250, [])],
)
def test_a_terminal_shows_what_it_has_room_for(
    platforms: Platforms, filled: str, monkeypatch: pytest.MonkeyPatch, width: int, left_out: list[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in ([], ["bastion"]):
        coloured = platforms(*arguments, url=filled).out
        shown = re.sub(r"\x1b\[[\d;]*m", "", coloured)
        assert shown != coloured
        # What is a sentence is wrapped by the terminal.
        assert max(map(len, shown.partition("\n\n")[0].splitlines())) <= width
        if not arguments:
            head = shown.splitlines()[0]
            assert {"needs", "terms"} - set(head.lower().split()) == set(left_out)
            assert ("For terms and needs, use" in shown, "For terms, use" in shown) == (
                left_out == ["needs", "terms"],
                left_out == ["terms"],
            )
            row = re.search(r"^atoll .* 2 h ago +finished +3 h ago +1,200", shown, re.MULTILINE)
            assert row or width == 60


# --- as a process -------------------------------------------------------------------------------------------------


def test_the_projects_own_platforms(scrapy: Callable[..., Any], tmp_path: Path) -> None:
    ended = scrapy("platforms")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^freelancer +api +", ended.stdout, re.MULTILINE)
    assert not (tmp_path / "postgresql").exists()
    listed = scrapy("list").stdout.split()
    assert [platform["name"] for platform in json.loads(scrapy("platforms", "--json").stdout)["platforms"]] == listed


def test_the_embedded_server_runs_for_a_moment(open_folder: Path) -> None:
    root = open_folder / "of_platforms" / "postgresql"
    asyncio.run(_make(root))
    server = EmbeddedPostgres(root)
    assert not server.is_running()
    ended = subprocess.run(
        [sys.executable, "-m", "scrapy", "platforms"],
        cwd=REPOSITORY, env=scrapy_environment(root.parent), capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^freelancer +.* never ", ended.stdout, re.MULTILINE)
    assert not server.is_running()


async def _make(root: Path) -> None:
    async with Database("", embedded_root=root):
        pass


def test_it_ends_quietly_when_nobody_reads_on(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{sys.executable}' -m scrapy platforms | head -c 0"],
        cwd=REPOSITORY, env=scrapy_environment(tmp_path), capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (86_399, "23 h"),
     (86_400, "1 d"), (400 * 86_400, "400 d")],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert _duration(timedelta(seconds=seconds)) == said

"""A command loads what it uses: Scrapy imports the modules of all commands each time that one of them is run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY, scrapy_environment
from platforms_standins import freelancer

from outsourcing_spiders import settings as ours

PACKAGE = Path(ours.__file__).parent
FIXTURE = "tests/fixtures/guru/listing_first.html"
DATABASE = ("sqlalchemy", "asyncpg", "alembic", "pyarrow")
# A terminal's tables and bars; doors into a running crawl; a browser; what counts and watches crawls.
OTHERS = ("rich", "aiohttp", "twisted.conch", "playwright", "prometheus_client", "spidermon")
CURRENCIES = ("iso4217", "currency_converter")
# What a door may import before anybody goes through it: it makes the log safe, and says how it went.
LIGHT = ("outsourcing_spiders.commands", "outsourcing_spiders.extensions.log_", "outsourcing_spiders.outcomes")
_SCRAPY = """
import atexit, sys
from scrapy.cmdline import execute
names = sys.argv.pop(1).split(",")
atexit.register(lambda: sys.stderr.write("loaded: " + " ".join(name for name in names if name in sys.modules) + "\\n"))
execute(["scrapy", *sys.argv[1:]])
"""


CASES = [
    (["version"], (*DATABASE, *OTHERS, *CURRENCIES)),
    (["crawl", "-h"], (*DATABASE, *OTHERS, *CURRENCIES)),
    (["genspider", "--list"], (*DATABASE, *OTHERS, *CURRENCIES)),
    (["list"], (*DATABASE, *OTHERS, *CURRENCIES)),
    (["list", "--explain"], (*DATABASE, *OTHERS[1:])),
    (["shell", "--spider=guru", FIXTURE, "-c", "item(rows[0])"], (*DATABASE, *OTHERS)),
    (["parse", FIXTURE], (*DATABASE, *OTHERS)),
    (["check", "guru"], (*DATABASE, *OTHERS)),
    (["deployment", "systemd", "--output={folder}", "--program=/srv/bin/scrapy"], (*DATABASE, *OTHERS)),
]


@pytest.mark.parametrize(("arguments", "needless"), CASES, ids=[" ".join(arguments[:2]) for arguments, _ in CASES])
def test_nothing_needless_is_loaded(arguments: list[str], needless: tuple[str, ...], tmp_path: Path) -> None:
    given = [argument.format(folder=tmp_path) for argument in arguments]
    ended = subprocess.run(
        [sys.executable, "-c", _SCRAPY, ",".join(needless), *given], cwd=REPOSITORY, env=scrapy_environment(tmp_path),
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout
    assert [line for line in ended.stderr.splitlines() if line.startswith("loaded: ")] == ["loaded: "]


_CRAWL = """
import atexit, sys
from pydispatch import dispatcher
from scrapy import signals
from scrapy.cmdline import execute
early = []
def note():
    early[:] = early or sys.modules
dispatcher.connect(note, signal=signals.response_received)
def tell():
    late = sorted(name for name in set(sys.modules) - set(early) if name.startswith("outsourcing_spiders"))
    sys.stderr.write(f"late: {' '.join(late) if early else 'no answer came'}\\n")
atexit.register(tell)
execute(["scrapy", *sys.argv[1:]])
"""


@pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
def test_a_crawl_loads_nothing_of_its_own_at_its_end(database_url: str, tmp_path: Path) -> None:
    """The egg that it runs from may be deleted by then."""
    with freelancer.standin_process(projects=20, seed=1) as site:
        ended = subprocess.run(
            [sys.executable, "-c", _CRAWL, "crawl", "freelancer", "-a", f"base_url={site.base_url}"], cwd=REPOSITORY,
            env=scrapy_environment(tmp_path) | {"DATABASE_URL": database_url}, capture_output=True, text=True,
            timeout=180, check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1] == "late: "


@pytest.mark.parametrize("file", sorted((PACKAGE / "commands").glob("*.py")), ids=lambda file: file.stem)
def test_a_command_is_a_thin_door(file: Path) -> None:
    imported = [name for name in _at_import(ast.parse(file.read_text())) if name.startswith("outsourcing_spiders.")]
    assert [name for name in imported if not name.startswith(LIGHT)] == []


def test_only_commands_ask_the_administration() -> None:
    for file in PACKAGE.rglob("*.py"):
        if file.parent.name not in ("commands", "administration"):
            assert "outsourcing_spiders.administration" not in file.read_text(), file


@pytest.mark.parametrize(
    ("setting", "extension"),
    [
        ("TELNETCONSOLE_ENABLED", "scrapy.extensions.telnet"),
        ("REMOTE_CONTROL_ENABLED", "scrapy.extensions.remote_control"),
    ],
)
def test_one_setting_opens_a_door_into_a_crawl(setting: str, extension: str, tmp_path: Path) -> None:
    code = "print(sorted({type(one).__module__ for one in crawler.extensions.middlewares}))"
    for value in ("0", "1"):
        ended = subprocess.run(
            [sys.executable, "-m", "scrapy", "shell", "-s", f"{setting}={value}", "--spider=guru", FIXTURE, "-c", code],
            cwd=REPOSITORY, env=scrapy_environment(tmp_path), capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert (f"'{extension}'" in ended.stdout) is (value == "1")


def _at_import(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the modules that are imported when this one is."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _is_for_types(node):
            yield from _at_import(node)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
